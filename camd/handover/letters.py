"""What two processes of camd say to each other: values, bytes among them, and descriptors.

A letter is a kind and values, as JSON; what is bytes lies behind it, as it is. Both ends block,
for a bounded time. Knows nothing of what is in the letters.
"""

import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

from attrs import define, frozen

MOST_FDS = 250
"""Descriptors that go with one letter; Linux takes 253."""

_HEAD = struct.Struct(">IIH")
_LARGEST = 2**31


class LetterError(Exception):
    """The other side is gone, silent, or makes no sense."""


@frozen
class Letter:
    """:ivar fds: belong to who receives it."""

    kind: str
    values: Any = None
    fds: tuple[int, ...] = ()


@define(eq=False)
class Letters:
    """One end of the talk. *seconds*: for which either direction may block."""

    socket: socket.socket
    seconds: float = 30.0

    def send(self, kind: str, values: Any = None, fds: Sequence[int] = ()) -> None:
        """:raises LetterError: it could not be sent."""
        text, blobs = _packed([kind, values])
        head = _HEAD.pack(len(text), sum(map(len, blobs)), len(fds))
        self.socket.settimeout(self.seconds)
        try:
            sent = socket.send_fds(self.socket, [head], fds) if fds else 0
            self.socket.sendall(b"".join((head[sent:], text, *blobs)))
        except OSError as error:
            raise LetterError(f"nobody listens: {error}") from None

    def receive(self) -> Letter:
        """:raises LetterError: nothing came in time, or the other side has ended."""
        self.socket.settimeout(self.seconds)
        fds: list[int] = []
        try:
            head, fds, flags, _ = socket.recv_fds(self.socket, _HEAD.size, MOST_FDS)
            for fd in fds:
                os.set_inheritable(fd, False)  # recv_fds takes flags and forgets them
            if flags & socket.MSG_CTRUNC:
                raise LetterError("descriptors were lost; is the limit of open files reached?")
            if head:
                head += self._exactly(_HEAD.size - len(head))
            else:
                raise LetterError("it has ended")
            size, more, count = _HEAD.unpack(head)
            if size + more > _LARGEST or count != len(fds):
                raise LetterError("a letter that makes no sense")
            kind, values = _unpacked(self._exactly(size), self._exactly(more))
            return Letter(kind, values, tuple(fds))
        except (LetterError, OSError, ValueError) as error:
            for fd in fds:
                os.close(fd)
            if isinstance(error, TimeoutError):
                raise LetterError(f"it said nothing for {self.seconds:g} s") from None
            raise LetterError(str(error)) from None

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            data = self.socket.recv(min(size, 1 << 20))
            if not data:
                raise LetterError("it ended in mid-letter")
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def close(self) -> None:
        self.socket.close()


def _packed(values: Any) -> tuple[bytes, list[bytes]]:
    """JSON, and what is behind it. Bytes are ``{"": [from, to]}`` there."""
    blobs: list[bytes] = []
    at = 0

    def put(value: object) -> dict[str, list[int]]:
        nonlocal at
        if not isinstance(value, bytes | bytearray):
            raise TypeError(f"{type(value)} goes into no letter")
        blobs.append(bytes(value))
        at += len(value)
        return {"": [at - len(value), at]}

    return json.dumps(values, default=put).encode(), blobs


def _unpacked(text: bytes, behind: bytes) -> Any:
    def get(found: dict[str, Any]) -> Any:
        return behind[slice(*found[""])] if found.keys() == {""} else found

    return json.loads(text, object_hook=get)
