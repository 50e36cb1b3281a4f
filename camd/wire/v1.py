"""v1: the tutorial's sketch: ``FrameBegin``, a JPEG, ``FrameOver``, and a line for an answer.

No lengths, no separators: the end mark ends a frame only where the JPEG's own structure does
not claim its bytes. What is decoded here is still nobody's photo.
"""

import re
from enum import Enum

from attrs import frozen

from camd.wire.jpeg import SOI, JpegWalk, State
from camd.wire.pieces import Pieces

BEGIN = b"FrameBegin"
OVER = b"FrameOver"

_MARK = re.compile(b"Frame(?:Begin|Over)")
_ANOTHER = BEGIN + SOI
"""Inside a frame only this begins another one; elsewhere such letters are picture or junk."""

_MARK_INSIDE = re.compile(b"FrameOver|FrameBegin(?=\xff\xd8)")
_LONGEST_CLAIM = 65535 + len(OVER)


def frame(jpeg: bytes) -> bytes:
    """What a board sends for a photo."""
    return b"".join((BEGIN, jpeg, OVER))


def ack() -> bytes:
    return b"ACK\n"


def skip() -> bytes:
    return b"SKIP\n"


def nak(reason: str) -> bytes:
    return b"NAK %s\n" % reason.encode("ascii")


class Verdict(Enum):
    """What a frame turned out to be."""

    WHOLE = "whole"
    JPEG = "jpeg"
    SIZE = "size"


@frozen
class Began:
    """A frame's first mark has come. Whoever does not want it says `V1Decoder.discard`."""


@frozen
class Ended:
    """A frame is over, and its board waits for a line.

    :ivar chunks: the JPEG up to its EOI; empty where it was discarded or is not whole.
    :ivar kept: for a frame that is no whole JPEG, what there was of it, for quarantine.
    """

    verdict: Verdict
    chunks: tuple[bytes | bytearray, ...]
    size: int
    width: int
    height: int
    kept: tuple[bytes | bytearray, ...] = ()


@frozen
class Torn:
    """An end mark without a beginning: told only to who adopted the connection in mid-frame."""


@frozen
class Endless:
    """A frame has passed four times the largest size: answer it and hang up."""


Event = Began | Ended | Torn | Endless


class V1Decoder:
    """Frames out of a v1 board's stream, however TCP cuts it.

    Between frames it skips noise. Inside one it follows the JPEG: where a segment has declared
    its length, marks are picture; in the scan, behind the end, and once it is clear that this
    is no JPEG, the next mark counts. Where a segment's length turns out to be a lie, the bytes
    that it claimed are looked through again for an end mark; of a frame that is discarded those
    bytes alone are held, and only where a mark is among them.

    :param most: the largest photo, bytes.
    :param orphans: tell of end marks without a beginning (`Torn`), until the first beginning.
    :ivar noise: bytes skipped between frames so far.
    """

    __slots__ = (
        "_at",
        "_discard",
        "_done",
        "_endless",
        "_from",
        "_in",
        "_kept",
        "_most",
        "_orphans",
        "_over",
        "_tail",
        "_total",
        "_walk",
        "noise",
    )

    def __init__(self, most: int, *, orphans: bool = False) -> None:
        self._most = most
        self._orphans = orphans
        self._in = b""
        self._at = 0  # _in is looked at up to here
        self._from = 0  # _in[_from:_at] is of the photo, and not yet in _kept
        self._kept = Pieces()
        self._walk: JpegWalk | None = None  # None: between frames
        self._discard = False
        self._over = False
        self._done = False
        self._endless = False
        self._total = 0
        self._tail = b""
        self.noise = 0

    @property
    def in_frame(self) -> bool:
        """Whether a frame has begun whose end, or `Endless`, is still to be told."""
        return self._walk is not None and not self._endless

    @property
    def idle(self) -> bool:
        """Whether no frame has begun, and nothing is here that may be the beginning of one."""
        return self._walk is None and self._at == len(self._in)

    @property
    def held(self) -> int:
        """Bytes of memory that wait here."""
        return self._kept.size + len(self._in)

    @property
    def swallowed(self) -> bool:
        """Whether the last that came spells the end mark, and a segment's length claims it."""
        walk = self._walk
        if walk is None or self._endless or self._in:
            return False
        return (walk.declared or walk.state is State.SCAN) and self._tail == OVER

    def receive_data(self, data: bytes) -> None:
        """Only takes the bytes; `next_event` makes something of them."""
        self._in = self._in + data if self._in else data

    def discard(self) -> None:
        """Keep nothing of the frame that has begun; its end is told all the same."""
        if self._walk is not None and not self._discard:
            self._put_away(self._walk)
            self._discard = True
            self._keep_claimed(self._walk, b"")

    def give_up_structure(self) -> None:
        """Nothing has followed a `swallowed` mark: believe the mark, not the segment's length."""
        if self._walk is not None and self.swallowed:
            self._distrust(self._walk)

    def next_event(self) -> Event | None:
        event: Event | None = None
        if not self._endless:
            walk = self._walk
            event = self._between() if walk is None else self._inside(walk)
        if event is None:
            self._settle()
        return event

    def _settle(self) -> None:
        """Put away what has been looked at; only a mark's or a header's first bytes stay."""
        if self._walk is not None and not self._endless:
            self._put_away(self._walk)
        self._in = b"" if self._endless else self._in[self._at :]
        self._at = self._from = 0

    def _put_away(self, walk: JpegWalk) -> None:
        seen = self._in[self._from : self._at]
        self._from = self._at
        self._tail = (self._tail + seen[-len(OVER) :])[-len(OVER) :]
        if self._discard:
            self._keep_claimed(walk, seen)
        elif not self._done:
            self._kept.add(seen)

    def _keep_claimed(self, walk: JpegWalk, seen: bytes) -> None:
        """Hold, of a discarded frame, what may be its end after all: a mark that a length claims
        and what stands behind it, or a mark's first bytes."""
        kept, claim = self._kept, min(walk.claimed, _LONGEST_CLAIM)
        if kept.size >= len(OVER) and kept.size + len(seen) <= claim:
            kept.add(seen)
            return
        claimed = (kept.take_back(claim) + seen)[-claim:] if claim else b""
        kept.clear()
        if walk.state is not State.ENDED:
            over = claimed.find(OVER)
            kept.add(claimed[over:] if over >= 0 else claimed[1 - len(OVER) :])

    def _between(self) -> Event | None:
        data, at = self._in, self._at
        while (found := _MARK.search(data, at)) is not None:
            at = found.end()
            if found.group() == BEGIN:
                self.noise += found.start() - self._at
                self._begin(at)
                return Began()
            if self._orphans:
                self.noise += found.start() - self._at
                self._at = at
                return Torn()
        at = _partial_mark(data, at, BEGIN)
        self.noise += at - self._at
        self._at = at
        return None

    def _begin(self, at: int) -> None:
        self._walk = JpegWalk()
        self._at = self._from = at
        self._discard = self._over = self._done = self._orphans = False
        self._total = 0
        self._tail = b""
        self._kept.clear()

    def _inside(self, walk: JpegWalk) -> Event | None:
        mark: re.Match[bytes] | None = None
        limit = -1
        while self._at < len(self._in) and not self._endless:
            if walk.declared:
                self._advance(walk.feed(self._in, self._at, len(self._in)))
                if walk.state is State.ENDED:
                    self._photo_is_over(walk)
                elif walk.state is State.BROKEN:
                    self._distrust(walk)
                    limit = -1
                elif walk.declared:
                    break
                continue
            if limit < self._at:
                mark = _MARK_INSIDE.search(self._in, self._at)
                limit = mark.start() if mark else _partial_mark(self._in, self._at, _ANOTHER)
            if walk.state is State.SCAN:
                self._advance(walk.feed(self._in, self._at, limit))
                if walk.declared:
                    continue
            if mark is None:
                if walk.state is not State.SCAN:
                    self._advance(limit)
                break
            self._advance(limit)
            if not self._endless:
                return self._end(walk, mark)
        return Endless() if self._endless else None

    def _advance(self, to: int) -> None:
        self._total += to - self._at
        self._at = to
        if not self._done and self._total > self._most and not self._over:
            self._over = True
            self.discard()
        if self._total > 4 * self._most:
            self._endless = True
            self._kept.clear()

    def _photo_is_over(self, walk: JpegWalk) -> None:
        """Behind the JPEG's end there is only what a driver appended."""
        self._put_away(walk)
        self._done = True

    def _distrust(self, walk: JpegWalk) -> None:
        """This is no JPEG, and the last segment had no right to the end mark that it claimed."""
        walk.state = State.BROKEN
        missing = walk.claimed - (self._at - self._from)
        if missing > 0:
            before = self._kept.take_back(missing)
            self._in = before + self._in[self._from :]
            self._at += len(before) - self._from
            self._from = 0
        claim = max(0, self._at - walk.claimed)
        over = self._in.find(OVER, claim, self._at)
        # where there is no whole mark, the first bytes of one may be the last of the claim
        back = over if over >= 0 else max(claim, self._at - len(OVER) + 1)
        self._total -= self._at - back
        self._at = back
        walk.claimed = 0

    def _end(self, walk: JpegWalk, mark: re.Match[bytes]) -> Ended:
        """The frame is over at *mark*; another frame's beginning is left for `_between`."""
        kept: tuple[bytes | bytearray, ...] = ()
        size = self._total
        if not self._discard:
            self._put_away(walk)
            size = self._kept.size
            kept = self._kept.take()
        self._kept.clear()
        if mark.group() == OVER:
            self._at = mark.end()
        self._from = self._at
        self._walk = None
        if self._over:
            return Ended(Verdict.SIZE, (), size, walk.width, walk.height)
        if walk.whole:
            return Ended(Verdict.WHOLE, kept, size, walk.width, walk.height)
        return Ended(Verdict.JPEG, (), size, walk.width, walk.height, kept)


def _partial_mark(data: bytes, at: int, begin: bytes) -> int:
    """Where behind *at* the first bytes of a mark begin that *data* cuts off, or its end."""
    end = len(data)
    for start in range(max(at, end - len(begin) + 1), end):
        rest = data[start:]
        if begin.startswith(rest) or OVER.startswith(rest):
            return start
    return end
