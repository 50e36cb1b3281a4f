"""Pictures out of a stream: ``multipart/x-mixed-replace``, as boards write it.

Each part says how long it is. Where its boundary stands, before the part or behind it, does not
matter: whatever is no header field between two pictures is skipped. Knows no clock and no socket.
"""

import re

from attrs import frozen

from camd.wire.picture import Picture

MOST_HEADER = 4 * 1024

_LENGTH = re.compile(rb"[0-9]{1,9}")
_FIELD = re.compile(rb"([A-Za-z0-9-]{1,40})[ \t]*:[ \t]*([^\r\n]*)")
_STAMP = re.compile(r"[0-9]{1,10}\.[0-9]{1,6}", re.ASCII)


class MixedError(ValueError):
    """This is no stream of pictures, or not one that can be followed."""


@frozen
class Shot:
    """A picture as a board gave it.

    :ivar chunks: from SOI to EOI where it is whole, else what there is of it.
    :ivar stamp: seconds since the board's start, or None where it does not say.
    """

    chunks: tuple[bytes | bytearray, ...]
    width: int
    height: int
    whole: bool
    stamp: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    @property
    def bytes(self) -> int:
        return sum(map(len, self.chunks))


def shot_of(picture: Picture, stamp: str | None) -> Shot:
    """What *picture* has become; it holds nothing any more."""
    return Shot(
        picture.take(), picture.width, picture.height, picture.whole, seconds_since_start(stamp)
    )


def seconds_since_start(stamp: str | None) -> float | None:
    """X-Timestamp, where it is one."""
    return float(stamp) if stamp is not None and _STAMP.fullmatch(stamp) else None


class Mixed:
    """Bytes in, pictures out.

    :param most: bytes of a picture at most.
    """

    __slots__ = ("_buffer", "_left", "_length", "_most", "_picture", "_seen", "_stamp")

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffer = bytearray()
        self._seen = 0  # bytes between pictures so far
        self._length: int | None = None
        self._stamp: str | None = None
        self._picture: Picture | None = None
        self._left = 0

    @property
    def held(self) -> int:
        return len(self._buffer) + (self._picture.held if self._picture is not None else 0)

    def feed(self, data: bytes) -> list[Shot]:
        """The pictures that are complete with *data*.

        :raises MixedError: broken for good.
        """
        self._buffer += data
        shots: list[Shot] = []
        while self._buffer:
            if self._picture is not None:
                part = bytes(self._buffer[: self._left])
                del self._buffer[: len(part)]
                self._left -= len(part)
                self._picture.add(part)
                if not self._left:
                    shots.append(shot_of(self._picture, self._stamp))
                    self._picture = self._stamp = self._length = None
            elif not self._line():
                break
        return shots

    def _line(self) -> bool:
        """One line between pictures; False where it has not all come."""
        end = self._buffer.find(b"\n")
        if self._seen + (len(self._buffer) if end < 0 else end) > MOST_HEADER:
            raise MixedError("too much that is no picture")
        if end < 0:
            return False
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        self._seen += end + 1
        found = _FIELD.fullmatch(line)
        if found is not None:
            name = found[1].lower()
            if name == b"content-length" and _LENGTH.fullmatch(found[2].rstrip()):
                self._length = int(found[2])
            elif name == b"x-timestamp":
                self._stamp = found[2].decode("latin-1").strip()
        elif not line and self._length is not None:
            if not 0 < self._length <= self._most:
                raise MixedError(f"a picture of {self._length} bytes")
            self._picture, self._left, self._seen = Picture(self._most), self._length, 0
        return True
