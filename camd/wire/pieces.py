"""A payload's bytes in the order they came, never joined on the way."""

_SMALL = 1024
_ROUND = 65536


class Pieces:
    """What has been kept of a payload so far.

    Drips of a few bytes are gathered, so that a byte kept costs about a byte of memory.
    """

    __slots__ = ("_parts", "size")

    def __init__(self) -> None:
        self._parts: list[bytes | bytearray] = []
        self.size = 0

    def add(self, data: bytes) -> None:
        size = len(data)
        if not size:
            return
        self.size += size
        if size >= _SMALL:
            self._parts.append(data)
            return
        last = self._parts[-1] if self._parts else None
        if isinstance(last, bytearray) and len(last) < _ROUND:
            last += data
        else:
            self._parts.append(bytearray(data))

    def take_back(self, size: int) -> bytes:
        """The last *size* bytes, or all where there are fewer; they are not kept any more."""
        taken: list[bytes | bytearray] = []
        while size > 0 and self._parts:
            last = self._parts.pop()
            if len(last) > size:
                self._parts.append(last[:-size])
                last = last[-size:]
            taken.append(last)
            size -= len(last)
            self.size -= len(last)
        return b"".join(reversed(taken))

    def take(self) -> tuple[bytes | bytearray, ...]:
        """All of it, and this holds nothing any more."""
        parts = tuple(self._parts)
        self.clear()
        return parts

    def clear(self) -> None:
        self._parts.clear()
        self.size = 0
