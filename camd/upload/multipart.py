"""The parts of a multipart body, taken as they come, whoever wrote them.

What RFC 2046 forbids is borne: any boundary at all, another one than the header announced, a bare
LF at the end of a line, a part without header fields. The body's own first line of two dashes is
its boundary. Knows nothing of pictures, and where nothing is closed, nothing ends.
"""

import re

from attrs import frozen

LONGEST_BOUNDARY = 200
MOST_HEADER = 8 * 1024
MOST_PARTS = 50

_PREAMBLE = 4 * 1024
_BEHIND = 34
"""Bytes behind a boundary that may be needed to tell it from data: blanks, and a line's end."""

_NAME = re.compile(rb';[ \t]*name=(?:"([^"]*)"|([^;\s]+))', re.IGNORECASE)
_NEXT = re.compile(rb"[ \t]{0,32}\r?\n")
_MAYBE = re.compile(rb"(?:-|[ \t]{0,32}\r?)")


class MultipartError(ValueError):
    """A body that nobody can find parts in."""


@frozen
class Part:
    """A part begins. *name*: of its form field, "" where it has none."""

    name: str


@frozen
class Data:
    """Some more of the part that has begun last."""

    data: bytes


@frozen
class Closed:
    """The closing boundary has come; whatever is behind it is nothing."""


Event = Part | Data | Closed


class Multipart:
    """Bytes in, parts out.

    States: before the first boundary; a part's header; a part's data; closed.
    """

    __slots__ = ("_at_start", "_boundary", "_buffer", "_parts", "_seen", "_state", "closed")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._boundary = b""
        self._state = "preamble"
        self._seen = 0  # bytes of the preamble, or of the header, so far
        self._parts = 0
        self._at_start = False  # of a part's data: a boundary needs no line's end before it
        self.closed = False

    @property
    def held(self) -> int:
        return len(self._buffer)

    def receive_data(self, data: bytes) -> None:
        if not self.closed:
            self._buffer += data

    def next_event(self) -> Event | None:
        """What has come next, or None where more is needed.

        :raises MultipartError: broken for good.
        """
        while not self.closed:
            if self._state == "data":
                return self._data()
            if self._state == "header" and self._buffer.startswith(b"\xff\xd8"):
                return self._part(b"")
            end = self._buffer.find(b"\n")
            if end < 0:
                self._bound(len(self._buffer))
                return None
            line = bytes(self._buffer[:end]).rstrip(b"\r \t")
            if self._state == "preamble":
                self._bound(end)
                del self._buffer[: end + 1]
                self._preamble(line, end + 1)
            else:
                return self._header()
        return None

    def _bound(self, size: int) -> None:
        most = _PREAMBLE if self._state == "preamble" else MOST_HEADER
        if self._seen + size > most:
            raise MultipartError(f"its {self._state} is too long")

    def _preamble(self, line: bytes, size: int) -> None:
        self._seen += size
        if not line.startswith(b"--") or len(line) < 3:
            return
        if len(line) > LONGEST_BOUNDARY:
            raise MultipartError("its boundary is too long")
        self._boundary = line
        self._to_header()

    def _to_header(self) -> None:
        self._state, self._seen = "header", 0
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise MultipartError("it has too many parts")

    def _header(self) -> Event | None:
        """The part whose header it is, once its empty line has come."""
        buffer = self._buffer
        if buffer.startswith((b"\r\n", b"\n")):
            found: re.Match[bytes] | None = re.match(rb"\r?\n", buffer)
        else:
            found = re.search(rb"\n\r?\n", buffer)
        if found is None:
            self._bound(len(buffer))
            return None
        self._bound(found.end())
        header = bytes(buffer[: found.start()])
        del buffer[: found.end()]
        return self._part(header)

    def _part(self, header: bytes) -> Part:
        self._state, self._at_start = "data", True
        for line in header.split(b"\n"):
            if line.lower().startswith(b"content-disposition:"):
                found = _NAME.search(line)
                if found is not None:
                    name = found[1] if found[1] is not None else found[2]
                    return Part(name.decode("utf-8", "replace"))
        return Part("")

    def _data(self) -> Event | None:
        """Data up to the next boundary, or that boundary, or as much as cannot be one."""
        buffer, boundary = self._buffer, self._boundary
        at = 0
        while True:
            if self._at_start and at == 0 and buffer.startswith(boundary):
                start, end = 0, len(boundary)
            else:
                found = buffer.find(b"\n" + boundary, at)
                if found < 0:
                    return self._give(self._safe())
                start, end = found, found + 1 + len(boundary)
                if start and buffer[start - 1] == 0x0D:
                    start -= 1
            behind = bytes(buffer[end : end + _BEHIND])
            if behind.startswith(b"--"):
                if start:
                    return self._give(start)
                self.closed = True
                buffer.clear()
                return Closed()
            blank = _NEXT.match(behind)
            if blank is not None:
                if start:
                    return self._give(start)
                del buffer[: end + blank.end()]
                self._to_header()
                return self.next_event()
            if _MAYBE.fullmatch(behind) and end + len(behind) == len(buffer):
                return self._give(start)  # what follows decides
            self._at_start = False
            at = end  # it only begins as the boundary does

    def _safe(self) -> int:
        """How much of the buffer no boundary can begin in."""
        buffer = self._buffer
        if self._at_start and self._boundary.startswith(bytes(buffer[: len(self._boundary)])):
            return 0
        end = len(buffer)
        last = buffer.rfind(b"\n", max(0, end - len(self._boundary) - 1))
        while last >= 0:
            if (b"\n" + self._boundary).startswith(bytes(buffer[last:])):
                return last - 1 if last and buffer[last - 1] == 0x0D else last
            last = buffer.rfind(b"\n", max(0, end - len(self._boundary) - 1), last)
        return end - 1 if end and buffer[end - 1] == 0x0D else end

    def _give(self, size: int) -> Event | None:
        if not size:
            return None
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._at_start = False
        return Data(data)
