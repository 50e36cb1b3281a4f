"""Is this a whole JPEG, where does it end, how large is the picture?

A walk over the segments (ITU-T T.81, annex B), fed in any pieces. It looks at lengths and
markers only and decodes nothing: a hole inside the scan is not seen here.
"""

import re
from collections.abc import Iterable
from enum import Enum

SOI = b"\xff\xd8"

MAX_SEGMENTS = 500
"""More than any camera writes; bounds the work on a made-up chain of empty segments."""

_SCAN_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_FILL = re.compile(rb"\xff*(?=\xff)")
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PLAIN = frozenset({0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)})
"""Segments that tell nothing here: tables, restart intervals, comments, APPn."""
_LONGEST_HEAD = 9
_SOS, _EOI = 0xDA, 0xD9
_CUT = -1


class State(Enum):
    """Where the walk stands."""

    START = "before SOI"
    MARKER = "at a marker"
    SEGMENT = "inside a segment that declared its length"
    SCAN = "inside entropy-coded data"
    ENDED = "behind EOI"
    BROKEN = "this is no JPEG"


_START, _MARKER, _SEGMENT, _SCAN, _ENDED, _BROKEN = State


class JpegWalk:
    """Follows a JPEG through the bytes it is fed, and stops at its end or where it breaks.

    :ivar width: pixels, 0 until the frame header has been seen; *height* likewise.
    :ivar claimed: so many bytes stand between the last segment's marker and here, its scan
        included: no marker behind it has borne its length out yet.
    """

    __slots__ = ("_left", "_scans", "_segments", "_then", "claimed", "height", "state", "width")

    def __init__(self) -> None:
        self.state = _START
        self.width = 0
        self.height = 0
        self.claimed = 0
        self._left = 0
        self._scans = 0
        self._segments = 0
        self._then = _MARKER

    @property
    def whole(self) -> bool:
        """Whether SOI, a frame header, a scan and EOI have been seen."""
        return self.state is _ENDED and self._scans > 0

    @property
    def declared(self) -> bool:
        """Whether the next bytes belong to the picture's structure whatever they spell."""
        return self.state is _SEGMENT or self.state is _MARKER or self.state is _START

    def feed(self, data: bytes, start: int, end: int) -> int:
        """Walk over ``data[start:end]``.

        :returns: up to where it walked: *end*, or the place where the JPEG ended or broke, where
            structure gives way to a scan or a scan to structure, or where a marker begins that
            *end* cuts off: at most 8 bytes, to be fed again with more behind them.
        """
        at = start
        if self.state is _SCAN:
            return self._scan(data, at, end)
        while at < end:
            state = self.state
            if state is _MARKER:
                at = self._plain(data, at, end)
                to = self._marker(data, at, end) if at < end else at
            elif state is _SEGMENT:
                to = min(at + self._left, end)
                self.claimed += to - at
                self._left -= to - at
                if not self._left:
                    self.state = self._then
            elif state is _START:
                to = self._soi(data, at, end)
            else:
                return at
            if to < 0:
                return at
            at = to
        return at

    def _scan(self, data: bytes, at: int, end: int) -> int:
        """Entropy-coded data: an FF is stuffed, a restart, fill before a marker, or a marker's."""
        found = _SCAN_MARKER.search(data, at, end)
        if found is not None:
            self.state = _MARKER
            to = found.start()
        else:
            to = end - 1 if at < end and data[end - 1] == 0xFF else end
        self.claimed += to - at
        return to

    def _soi(self, data: bytes, at: int, end: int) -> int:
        """Behind SOI; -1 where it is cut off."""
        if not SOI.startswith(data[at : min(end, at + 2)]):
            return self._broken(at)
        if end - at < 2:
            return _CUT
        self.state = _MARKER
        return at + 2

    def _plain(self, data: bytes, at: int, end: int) -> int:
        """Behind the segments, one after the other, that tell nothing and are here whole."""
        while at + 4 <= end and data[at] == 0xFF and data[at + 1] in _PLAIN:
            size = 2 + (data[at + 2] << 8 | data[at + 3])
            if size < 4 or at + size > end or self._segments == MAX_SEGMENTS:
                break
            self._segments += 1
            self.claimed = size - 2
            at += size
        return at

    def _marker(self, data: bytes, at: int, end: int) -> int:
        """Behind a marker and what of its segment tells something, or behind the fill before it;
        -1 where the marker is cut off."""
        if data[at] != 0xFF:
            return self._broken(at)
        if at + 1 < end and data[at + 1] == 0xFF:
            fill = _FILL.match(data, at, end)
            assert fill is not None, "two FF are fill"
            self.claimed += fill.end() - at
            return fill.end()
        if end - at < 2:
            return _CUT
        code = data[at + 1]
        if code == _EOI:
            self.state = _ENDED
            return at + 2
        if code < 0xC0 or 0xD0 <= code <= 0xD8:
            return self._broken(at)
        if end - at < 4:
            return _CUT
        length = data[at + 2] << 8 | data[at + 3]
        if length < 2 or self._segments == MAX_SEGMENTS:
            return self._broken(at)
        used = 4
        if code in _FRAME_HEADERS:
            if length < 8:
                return self._broken(at)
            if end - at < _LONGEST_HEAD:
                return _CUT
            used = _LONGEST_HEAD
            self.height = data[at + 5] << 8 | data[at + 6]
            self.width = data[at + 7] << 8 | data[at + 8]
            if not self.width or not self.height:
                return self._broken(at)
        self._segments += 1
        self._then = _MARKER
        if code == _SOS:
            if not self.width:
                return self._broken(at)
            self._scans += 1
            self._then = _SCAN
        self.claimed = used - 2
        self._left = length + 2 - used
        self.state = _SEGMENT if self._left else self._then
        return at + used

    def _broken(self, at: int) -> int:
        self.state = _BROKEN
        return at


class NotAJpegError(ValueError):
    """These bytes are not one whole JPEG, and nothing else."""


def measure(chunks: Iterable[bytes | bytearray]) -> tuple[int, int]:
    """Width and height, in pixels, of the one whole JPEG that *chunks* are, from SOI to EOI.

    :raises NotAJpegError: where they are cut off, are none, or go on behind the end.
    """
    walk = JpegWalk()
    rest = b""
    for chunk in chunks:
        data = rest + chunk if rest else chunk
        at, end = 0, len(data)
        while at < end:
            before = at, walk.state
            at = walk.feed(data, at, end)  # type: ignore[arg-type]
            if walk.state is _ENDED and at < end:
                raise NotAJpegError("it goes on behind its end")
            if walk.state is _BROKEN:
                raise NotAJpegError("it is no JPEG")
            if (at, walk.state) == before:
                break
        rest = bytes(data[at:])
    if not walk.whole:
        raise NotAJpegError("it has no picture" if walk.state is _ENDED else "it is cut off")
    return walk.width, walk.height
