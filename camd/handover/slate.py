"""A page of memory that outlives the process: which boards were owed an answer, and which not.

Behind a crash nobody knows how far a board was served, but the kernel knows how many bytes of a
connection were read, and how many written. So it is enough to write down both whenever a board
waits for its answer, or has it: where the kernel's numbers still are those, nothing has happened
since. Where they are others, nothing is known. Beside it stands which photo the answer is about:
the disk knows whether it got there.

Knows neither boards nor what is kept where.
"""

import array
import fcntl
import mmap
import os
import socket
import struct
import time

from attrs import frozen

_MAGIC = b"camd-slate-2\n"
_HEAD = struct.Struct("<16sdQQ")  # magic, last sign of life, restarts, boards carried
_BEAT = struct.Struct("<d")
_TOTALS = struct.Struct("<QQ")
_SLOT = struct.Struct("<QQQ64s8sQ")  # cookie, bytes read, twice the bytes written, address, photo
_NUMBER = struct.Struct("<Q")
_FIRST = 64
_SIZE = 104
_PHOTO = struct.Struct("<8sQ")
SLOTS = 16_384

_UNKNOWN = 2**64 - 1
_SO_COOKIE = 57
_SIOCINQ, _SIOCOUTQ = 0x541B, 0x5411
_BYTES_ACKED = struct.Struct("QQ")  # acknowledged by the peer, received from it
_AT = 120

Name = tuple[str, int]
"""Of a photo of a connection: its start in hex, and the photo's number."""


@frozen
class Known:
    """What is written down of a connection.

    :ivar address: of who is there. *owed*: whether it waits for an answer, None where that is not
        known. *photo*: which one that is about, if it is about one.
    """

    address: str
    owed: bool | None = None
    photo: Name | None = None


class Slate:
    """:ivar fd: of the memory; it can be kept, and mapped by another process."""

    def __init__(self, fd: int | None = None) -> None:
        """:param fd: of one that another process wrote; this one's from now on.
        :raises ValueError: it is none."""
        whole = _FIRST + SLOTS * _SIZE
        new = fd is None
        if fd is None:
            fd = os.memfd_create("camd-slate", os.MFD_CLOEXEC)
            os.ftruncate(fd, whole)
        elif os.fstat(fd).st_size != whole:
            raise ValueError("no slate of this version")
        self.fd = fd
        self._page = mmap.mmap(fd, whole)
        if new:
            _HEAD.pack_into(self._page, 0, _MAGIC, time.monotonic(), 0, 0)
        elif not self._page[:16].startswith(_MAGIC):
            raise ValueError("no slate of this version")

    # ---- the daemon as a whole

    def beat(self) -> None:
        """A sign of life."""
        _BEAT.pack_into(self._page, 16, time.monotonic())

    @property
    def last(self) -> float:
        """When the last sign of life was given, on the machine's monotonic clock."""
        return float(_BEAT.unpack_from(self._page, 16)[0])

    @property
    def totals(self) -> tuple[int, int]:
        """Restarts, and boards that were carried over them, since the slate was made."""
        restarts, boards = _TOTALS.unpack_from(self._page, 24)
        return restarts, boards

    def count(self, restarts: int, boards: int) -> None:
        _TOTALS.pack_into(self._page, 24, restarts, boards)

    # ---- connections

    def begin(self, slot: int, connection: socket.socket, address: str) -> None:
        """That connection has *slot* from now on. *address*: of who is there, for people."""
        _SLOT.pack_into(
            self._page, _FIRST + slot * _SIZE, cookie(connection), _UNKNOWN, _UNKNOWN,
            address.encode("ascii", "replace")[:63], b"", 0,
        )  # fmt: skip

    def mark(
        self, slot: int, heard: int, said: int, *, owed: bool, photo: Name | None = None
    ) -> None:
        """Behind so many bytes in each direction an answer is owed, or none, and nothing has begun.

        Bytes may be about to be written: until they are, the kernel's number is another.
        """
        at = _FIRST + slot * _SIZE
        # In this order, since the end may come in between: a board that is owed something must
        # not seem to be owed nothing, or another photo's answer. The lowest bit is `owed`.
        boot, seq = photo or ("", 0)
        _PHOTO.pack_into(self._page, at + 88, bytes.fromhex(boot), seq)
        _NUMBER.pack_into(self._page, at + 16, said << 1 | owed)
        _NUMBER.pack_into(self._page, at + 8, heard)
        self.beat()

    def read(self, slot: int, connection: socket.socket) -> Known | None:
        """What was written down for *connection*; None where the slot is not its."""
        known, heard, word, address, boot, seq = _SLOT.unpack_from(
            self._page, _FIRST + slot * _SIZE
        )
        if known != cookie(connection):
            return None
        there = address.rstrip(b"\0").decode("ascii")
        if traffic(connection) != (heard, word >> 1):
            return Known(there)
        return Known(there, bool(word & 1), (boot.hex(), seq) if seq else None)

    def close(self) -> None:
        self._page.close()
        os.close(self.fd)


def cookie(connection: socket.socket) -> int:
    """What the kernel calls that socket, in every process."""
    number: int = struct.unpack("Q", connection.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8))[0]
    return number


def traffic(connection: socket.socket) -> tuple[int, int] | None:
    """How many bytes were read from a TCP connection since it stands, and how many written;
    None where the kernel does not tell."""
    try:
        while True:
            before = _queues(connection)
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            if len(info) < _AT + _BYTES_ACKED.size:
                return None
            acked, received = _BYTES_ACKED.unpack_from(info, _AT)
            if _queues(connection) == before:
                waiting, unsent = before
                return received - waiting, acked + unsent
    except OSError:
        return None


def _queues(connection: socket.socket) -> tuple[int, int]:
    found = []
    for question in (_SIOCINQ, _SIOCOUTQ):
        answer = array.array("i", [0])
        fcntl.ioctl(connection.fileno(), question, answer)
        found.append(answer[0])
    return found[0], found[1]
