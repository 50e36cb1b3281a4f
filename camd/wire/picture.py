"""One JPEG taken out of bytes that go on behind it."""

import zlib

from camd.wire.jpeg import JpegWalk, State
from camd.wire.pieces import Pieces

BEGIN = b"\xff\xd8\xff"


class Picture:
    """Bytes are kept from SOI to EOI, and no others; damaged ones as they are, to be looked at.

    :ivar size: bytes kept so far, or that would have been.
    :ivar oversize: it is larger than *most*, and nothing of it is kept any more.
    """

    __slots__ = ("_most", "_pieces", "_rest", "_walk", "oversize", "size")

    def __init__(self, most: int) -> None:
        self._most = most
        self._walk = JpegWalk()
        self._pieces = Pieces()
        self._rest = b""
        self.oversize = False
        self.size = 0

    @property
    def whole(self) -> bool:
        """SOI, a frame header, a scan and EOI have come."""
        return self._walk.whole

    @property
    def over(self) -> bool:
        """Its end has come, or it never will."""
        return self._walk.state is State.ENDED or self._walk.state is State.BROKEN

    @property
    def held(self) -> int:
        return self._pieces.size + len(self._rest)

    @property
    def width(self) -> int:
        return self._walk.width

    @property
    def height(self) -> int:
        return self._walk.height

    def add(self, data: bytes) -> None:
        """Some more of it; what is behind its end is dropped."""
        if self.oversize or self.whole:
            return
        if self.over:
            self._keep(data)
            return
        walk = self._walk
        data = self._rest + data if self._rest else data
        self._rest = b""
        at, end = 0, len(data)
        while at < end and not self.over:
            before = at, walk.state
            at = walk.feed(data, at, end)
            if (at, walk.state) == before:
                break
        if self.over:
            self._keep(data[:at] if walk.state is State.ENDED else data)
        else:
            self._rest = data[at:]
            self._keep(data if at == end else data[:at])

    def _keep(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > self._most:
            self.oversize = True
            self._pieces.clear()
            self._rest = b""
        else:
            self._pieces.add(data)

    def take(self) -> tuple[bytes | bytearray, ...]:
        """All that was kept; nothing is any more."""
        self._pieces.add(self._rest)
        self._rest = b""
        return self._pieces.take()


def crc_of(chunks: tuple[bytes | bytearray, ...]) -> int:
    crc = 0
    for chunk in chunks:
        crc = zlib.crc32(chunk, crc)
    return crc
