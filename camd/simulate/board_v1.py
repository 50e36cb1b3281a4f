"""The tutorial's sketch as a client: lock-step, without a timeout, and never connected twice.

It sends a photo, waits for ever for a line, and looks at no more of that line than to print
it. It finds out neither that its connection is gone nor that two lines came for one photo.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any

from twisted.python.failure import Failure

from camd.simulate.board import Board, Link
from camd.wire import v1

PIECE = 1430
"""Bytes in one of its writes."""

REDIAL = 10.0
"""Seconds between attempts while there is no server at power on."""

BLOCKED = 10.0
"""Seconds after which a blocked write is given up, unnoticed, and its piece is missing."""

UNENDED = 1.0
"""Seconds that it waits for the end of a line without one."""


class BoardV1(Board):
    """:ivar reconnects: somebody unplugs it, and plugs it in again, when it hangs.
    :ivar wedged: its connection is gone, and it will never know.
    """

    reconnects = False
    wedged = False

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._pieces: deque[bytes] = deque()
        self._heard = b""
        self._next: bytes | None = None
        self._sent: bytes | None = None
        self._sent_at = 0.0
        self._sent_all = False
        self._settled = 0
        self._reading = False

    def stop(self) -> None:
        self.stopping = True
        if self._link is None or self._sent is None:
            self._leave()

    def _leave(self) -> None:
        if self._link is not None:
            self._link.close()
        else:
            self.finish()

    def unreachable(self) -> None:
        self.later("dial", REDIAL, self.dial)

    def link_made(self, link: Link) -> None:
        super().link_made(link)
        self._heard = b""
        self._sent = None
        if self.enough:
            self._leave()
        else:
            self._send()

    def link_lost(self, link: Link, why: Failure) -> None:
        super().link_lost(link, why)
        for timer in ("blocked", "unended", "send"):
            self.cancel(timer)
        self.gone(link)

    def gone(self, link: Link) -> None:
        """The connection is: only a new start helps, where there is one."""
        if link.closing or self.finished:
            self.finish()
        elif self.reconnects and not self.stopping:
            self.later("dial", REDIAL, self.dial)
        else:
            self.wedged = True
            self.record.errors["wedged"] += 1
            self.finish()

    # ---- sending

    def pieces(self, jpeg: bytes) -> Iterable[bytes]:
        """Its writes for one photo."""
        yield v1.BEGIN
        for at in range(0, len(jpeg), PIECE):
            yield jpeg[at : at + PIECE]
        yield v1.OVER

    def spoilt(self) -> bool:
        """Whether nobody may acknowledge what it sends."""
        return False

    def _send(self) -> None:
        self.cancel("send")
        photo = self._next if self._next is not None else self.photo()
        self._next = None
        self._sent, self._sent_all = photo, False
        self._sent_at = self.clock.seconds()
        self.record.taken += 1
        self.record.was_sent(photo)
        self._pieces = deque(self.pieces(photo))
        self._pump()

    def link_free(self, link: Link) -> None:
        if link is self._link:
            self.cancel("blocked")
            self._pump()

    def _pump(self) -> None:
        link = self._link
        while link is not None and self._pieces:
            if link.blocked:
                self.later("blocked", BLOCKED, self._give_piece_up)
                return
            link.write(self._pieces.popleft())
        if link is not None and not self._sent_all:
            self._sent_all = True
            if not self.enough:
                # with one frame buffer the driver exposes again as soon as it has it back
                self._next = self.photo()
            self._read()

    def _give_piece_up(self) -> None:
        self._pieces.popleft()
        self.record.errors["piece"] += 1
        if self._pieces:
            self.later("blocked", BLOCKED, self._give_piece_up)
        else:
            self._pump()

    # ---- the answer

    def link_received(self, link: Link, data: bytes) -> None:
        if link is self._link:
            self._heard += data
            self._read()

    def _read(self) -> None:
        if self._reading:
            return
        self._reading = True
        try:
            while self._sent_all and self._sent is not None and self._heard:
                line, end, rest = self._heard.partition(b"\n")
                if not end:
                    self.later("unended", UNENDED, self._read_unended)
                    return
                self._heard = rest
                self._answered(line)
        finally:
            self._reading = False

    def _read_unended(self) -> None:
        line, self._heard = self._heard, b""
        self.record.errors["unended"] += 1
        self._answered(line)
        self._read()

    def _answered(self, line: bytes) -> None:
        self.cancel("unended")
        photo, self._sent = self._sent, None
        assert photo is not None
        self._settled += 1
        latency = self.clock.seconds() - self._sent_at
        words = line.decode("ascii", "replace").split()
        if words == ["ACK"]:
            self.record.was_acknowledged(self._settled, photo, latency, self.spoilt())
        elif words == ["SKIP"]:
            self.record.was_skipped(latency)
        else:
            reason = words[1] if len(words) == 2 and words[0] == "NAK" else "unreadable"
            self.record.was_refused(reason, final=True)
        self.answered()

    def answered(self) -> None:
        """The photo is settled: on to the next, or away."""
        if self.enough:
            self._leave()
        elif self.habits.interval:
            self.later("send", self.until_next(), self._send)
        else:
            self._send()
