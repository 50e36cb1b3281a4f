"""How long a body is by its own account, and what of a connection's bytes it is.

A Content-Length is a board's word and no more: sketches announce one of 16 bits, or one that
their last block never makes true. So a body is read on behind it where its sender is a sketch.
"""

import re
from typing import Protocol

from camd.upload.answer import Declined

_SIZE_LINE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\n]*)?\r?\n")
_LONGEST_LINE = 256
_LONGEST_TRAILER = 4096


class Framing(Protocol):
    """A body as a connection's bytes say where it ends.

    :ivar behind: what came behind its end, and is no part of it.
    """

    behind: bytes

    def feed(self, data: bytes) -> bytes:
        """What of *data* is body.

        :raises Declined: it cannot be told.
        """
        ...

    @property
    def reached(self) -> bool:
        """Whether all has come that was announced."""
        ...

    @property
    def exact(self) -> bool:
        """Whether that, and the announcement is to be relied on."""
        ...


class Counted:
    """A body with a Content-Length, or, where *length* is None, with no word about its end.

    :param strict: what comes behind *length* is none of it.
    """

    __slots__ = ("_got", "_length", "_strict", "behind")

    def __init__(self, length: int | None, strict: bool) -> None:
        self._length = length
        self._strict = strict
        self._got = 0
        self.behind = b""

    def feed(self, data: bytes) -> bytes:
        if self._strict and self._length is not None and len(data) > self._length - self._got:
            cut = self._length - self._got
            self.behind += data[cut:]
            data = data[:cut]
        self._got += len(data)
        return data

    @property
    def reached(self) -> bool:
        return self._length is not None and self._got >= self._length

    @property
    def exact(self) -> bool:
        return self._length is not None and self._got == self._length


class Chunked:
    """A body in chunks (RFC 9112, section 7.1); extensions and trailers are dropped."""

    __slots__ = ("_buffer", "_left", "_over", "_trailer", "behind")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left = 0  # of the chunk under way, its line's end included
        self._trailer = -1  # bytes of it so far; -1: the last chunk has not come
        self._over = False
        self.behind = b""

    def feed(self, data: bytes) -> bytes:
        if self._over:
            self.behind += data
            return b""
        buffer = self._buffer
        buffer += data
        body: list[bytes] = []
        while buffer and not self._over:
            if self._trailer >= 0:
                if not self._skip_trailer():
                    break
            elif self._left:
                if not self._take(body):
                    break
            elif not self._size():
                break
        if self._over:
            self.behind += bytes(buffer)
            buffer.clear()
        return b"".join(body)

    def _size(self) -> bool:
        """Behind a chunk's first line; False where it has not all come."""
        found = _SIZE_LINE.match(self._buffer)
        if found is None:
            if b"\n" in self._buffer or len(self._buffer) > _LONGEST_LINE:
                raise Declined(400, "the body's chunks cannot be read")
            return False
        size = int(found[1], 16)
        del self._buffer[: found.end()]
        if size:
            self._left = size + 2
        else:
            self._trailer = 0
        return True

    def _take(self, body: list[bytes]) -> bool:
        """What there is of a chunk; False where its end has not come."""
        buffer = self._buffer
        if self._left > 2:
            part = bytes(buffer[: self._left - 2])
            del buffer[: len(part)]
            self._left -= len(part)
            body.append(part)
            return bool(buffer)
        if buffer.startswith(b"\n"):
            del buffer[:1]
        elif len(buffer) < 2:
            return False
        elif buffer.startswith(b"\r\n"):
            del buffer[:2]
        else:
            raise Declined(400, "the body's chunks cannot be read")
        self._left = 0
        return True

    def _skip_trailer(self) -> bool:
        """Behind one of its lines; False where that has not all come."""
        end = self._buffer.find(b"\n")
        if end < 0:
            if self._trailer + len(self._buffer) > _LONGEST_TRAILER:
                raise Declined(400, "the body's trailer is too long")
            return False
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        self._trailer += len(line)
        if self._trailer > _LONGEST_TRAILER:
            raise Declined(400, "the body's trailer is too long")
        self._over = not line.strip(b"\r\n")
        return True

    @property
    def reached(self) -> bool:
        return self._over

    @property
    def exact(self) -> bool:
        return self._over
