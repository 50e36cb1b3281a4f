"""What the boards sent, and what was promised to them.

Knows no protocol and no clock: it is told what happened and how long it took.
"""

import hashlib
import math
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import Any

from attrs import define, field, frozen


@frozen
class Kept:
    """A photo that camd has acknowledged.

    :ivar board: the board's name in this ledger; for v1, camd knows another one.
    :ivar size: bytes. *crc*: CRC-32. *digest*: the 32 bytes of SHA-256.
    """

    board: str
    seq: int
    size: int
    crc: int
    digest: bytes


@define(eq=False)
class Record:
    """One board's account.

    :ivar fault: what is wrong with the board; empty for one that behaves.
    :ivar served_when_whole: whether its photos ought to be acknowledged for all its fault.
    :ivar taken: photos that it wants to have stored.
    :ivar sent: photos whose first byte went out, once each; *resent* counts the rest.
    :ivar lost: photos that were refused for good.
    :ivar missed: photos that it did not take, because its card was full.
    :ivar spoilt: acknowledgements of photos that nobody may acknowledge.
    :ivar hung_up: connections that camd ended.
    :ivar errors: ERR lines by their code, and what a session broke off for.
    """

    board: str
    ledger: "Ledger"
    fault: str = ""
    served_when_whole: bool = True
    connected: bool = False
    connections: int = 0
    hung_up: int = 0
    taken: int = 0
    sent: int = 0
    resent: int = 0
    acknowledged: int = 0
    skipped: int = 0
    lost: int = 0
    missed: int = 0
    spoilt: int = 0
    size: int = 0
    refused: Counter[str] = field(factory=Counter)
    errors: Counter[str] = field(factory=Counter)

    def was_sent(self, photo: bytes, again: bool = False) -> None:
        if again:
            self.resent += 1
        else:
            self.sent += 1
        self.size += len(photo)

    def was_acknowledged(self, seq: int, photo: bytes, latency: float, spoilt: bool) -> None:
        """*latency*: seconds from the photo's first byte to its answer."""
        if spoilt:
            self.spoilt += 1
            return
        self.acknowledged += 1
        self._took(latency)
        digest = hashlib.sha256(photo).digest()
        self.ledger.kept.append(Kept(self.board, seq, len(photo), zlib.crc32(photo), digest))

    def was_skipped(self, latency: float) -> None:
        self.skipped += 1
        self._took(latency)

    def _took(self, latency: float) -> None:
        if not self.fault:
            self.ledger.latencies.append(latency)

    def was_refused(self, reason: str, final: bool) -> None:
        self.refused[reason] += 1
        self.lost += final

    @property
    def unanswered(self) -> int:
        """Photos that it still has, sent or not."""
        return self.taken - self.acknowledged - self.skipped - self.lost - self.spoilt

    @property
    def served(self) -> bool:
        """Whether each of its photos, and at least one, was acknowledged or skipped."""
        return self.taken > 0 and self.acknowledged + self.skipped == self.taken

    @property
    def as_it_should_be(self) -> bool:
        if self.spoilt:
            return False
        if self.served_when_whole:
            return self.served
        return self.connections > 0 and not self.acknowledged


@define(eq=False)
class Ledger:
    """All boards' accounts.

    :ivar kept: every acknowledged photo, in the order of the answers.
    :ivar latencies: seconds to each acknowledgement and skip of a board that behaves.
    :ivar began: seconds on some clock when the first board started; *ended* on the same.
    """

    records: list[Record] = field(factory=list)
    kept: list[Kept] = field(factory=list)
    latencies: "array[float]" = field(factory=lambda: array("d"))
    began: float = 0.0
    ended: float = 0.0

    def account(self, board: str, fault: str = "", served_when_whole: bool = True) -> Record:
        """A new board's record."""
        record = Record(board, self, fault, served_when_whole)
        self.records.append(record)
        return record

    @property
    def seconds(self) -> float:
        return max(0.0, self.ended - self.began)

    @property
    def good(self) -> bool:
        """Whether every board was treated as it should be."""
        return all(record.as_it_should_be for record in self.records)

    def latency(self, share: float) -> float | None:
        """The time, in seconds, within which *share* of all answers came."""
        return quantile(sorted(self.latencies), share)

    def total(self, count: str) -> int:
        """The sum of one of `Record`'s counts."""
        return sum(getattr(record, count) for record in self.records)

    def refused(self) -> Counter[str]:
        return _sum(record.refused for record in self.records)

    def errors(self) -> Counter[str]:
        return _sum(record.errors for record in self.records)

    def summary(self) -> dict[str, Any]:
        """The figures, ready for JSON; times in seconds, rates of what was acknowledged."""
        seconds = self.seconds or 1e-9
        ordered = sorted(self.latencies)
        return {
            "boards": len(self.records),
            "seconds": round(self.seconds, 3),
            **{name: self.total(name) for name in _TOTALS},
            "refused": dict(self.refused()),
            "errors": dict(self.errors()),
            "photos_per_second": round(len(self.kept) / seconds, 2),
            "megabytes_per_second": round(sum(k.size for k in self.kept) / seconds / 1e6, 3),
            "latency_p50": quantile(ordered, 0.5),
            "latency_p99": quantile(ordered, 0.99),
            "faults": [_fault(record) for record in self.records if record.fault],
            "unserved": [
                record.board
                for record in self.records
                if not record.fault and not record.as_it_should_be
            ],
            "good": self.good,
        }


_TOTALS = (
    "connections",
    "hung_up",
    "taken",
    "sent",
    "resent",
    "acknowledged",
    "skipped",
    "lost",
    "missed",
    "unanswered",
    "spoilt",
)


def quantile(ordered: "list[float]", share: float) -> float | None:
    """The smallest of *ordered* that *share* of them do not exceed; None where there are none."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _sum(counters: "Iterable[Counter[str]]") -> Counter[str]:
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return total


def _fault(record: Record) -> dict[str, Any]:
    return {
        "board": record.board,
        "fault": record.fault,
        "sent": record.sent,
        "acknowledged": record.acknowledged,
        "refused": dict(record.refused),
        "errors": dict(record.errors),
        "hung_up": record.hung_up,
        "as_it_should_be": record.as_it_should_be,
    }
