"""The connections of v1 boards, and the listening sockets, are with the service manager as well.

They are there from a board's first frame until its connection ends, so that whatever becomes of
this process, the next one finds them. Speaks sd_notify(3) to whoever `NOTIFY_SOCKET` names.
"""

import array
import fcntl
import heapq
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IReactorFDSet, IWriteDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from camd import systemd
from camd.doors import key
from camd.handover.inherited import BOARD, DOOR, SLATE
from camd.handover.slate import SLOTS, Name, Slate
from camd.ingest import CameraProtocol
from camd.ingest.carried import CannotBeCarriedError, bare

log = Logger()

_SIOCOUTQ = 0x5411


@implementer(IWriteDescriptor)
@define(eq=False)
class Keeping:
    """A `camd.ingest.factory.Witness` that has a manager to keep things.

    :ivar slate: where it is written which boards are owed an answer, and which are not.
    :ivar doors: the listening sockets that the manager has, by their `camd.doors.key`.
    """

    environ: Mapping[str, str]
    reactor: IReactorFDSet
    slate: Slate
    doors: set[str] = field(factory=set)
    _slots: dict[CameraProtocol, int] = field(factory=dict)
    _free: list[int] = field(factory=list)
    _next: int = 0
    _sender: socket.socket | None = None
    _waiting: deque[tuple[str, int]] = field(factory=deque)

    def open(self) -> None:
        """The manager has the slate. :raises OSError: there is nobody."""
        address = self.environ.get("NOTIFY_SOCKET", "")
        if address.startswith("@"):
            address = "\0" + address[1:]
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._sender.setblocking(False)
        self._sender.connect(address)

    # ---- listening sockets and the slate

    def keep_slate(self) -> None:
        """This one, and none that was kept before."""
        self._tell(systemd.drop(SLATE))
        self._tell(systemd.keep(SLATE), self.slate.fd)

    def keep_doors(self, ports: list[tuple[str, Any]]) -> None:
        """*ports*, each with its endpoint; what systemd opened itself it has."""
        for description, port in ports:
            name = key(description)
            if name not in self.doors and not description.startswith("systemd:"):
                self.doors.add(name)
                self._tell(systemd.keep(DOOR + name), port.fileno())

    def drop_other_doors(self, names: set[str]) -> None:
        """Only *names* are listened on any more."""
        for name in self.doors - names:
            self.doors.discard(name)
            self._tell(systemd.drop(DOOR + name))

    # ---- boards

    def came(self, connection: CameraProtocol) -> None:
        if connection in self._slots:
            return
        try:
            transport = bare(connection)
        except CannotBeCarriedError:
            return
        slot = self._number()
        if slot is None:
            return
        self._slots[connection] = slot
        self.slate.begin(slot, transport.getHandle(), connection.address)
        self._tell(systemd.keep(f"{BOARD}{slot:x}"), transport.fileno())

    def settled(self, connection: CameraProtocol, said: int) -> None:
        slot = self._slots.get(connection)
        if slot is not None:
            self.slate.mark(slot, connection.heard, said, owed=False)

    def owing(self, connection: CameraProtocol, photo: Name | None) -> None:
        slot = self._slots.get(connection)
        if slot is not None:
            self.slate.mark(slot, connection.heard, connection.said, owed=True, photo=photo)

    def went(self, connection: CameraProtocol) -> None:
        slot = self._slots.pop(connection, None)
        if slot is not None:
            self.drop(slot)

    @property
    def busy(self) -> bool:
        """Whether there is something that the manager has not heard yet."""
        if self._sender is None:
            return False
        unread = array.array("i", [0])
        fcntl.ioctl(self._sender, _SIOCOUTQ, unread)
        return bool(self._waiting) or unread[0] > 0

    @property
    def slots(self) -> set[int]:
        """Those that the manager has something in."""
        return set(self._slots.values())

    def slot_of(self, connection: CameraProtocol) -> int | None:
        return self._slots.get(connection)

    def has(self, connection: CameraProtocol, slot: int) -> None:
        """The manager has *connection* from a former process, which may have had another slate."""
        self._slots[connection] = slot
        handle = connection.transport.getHandle()
        if self.slate.read(slot, handle) is None:
            self.slate.begin(slot, handle, connection.address)

    def drop(self, slot: int) -> None:
        """What was kept there is over."""
        self._tell(systemd.drop(f"{BOARD}{slot:x}"))
        heapq.heappush(self._free, slot)

    def number_on(self, taken: set[int]) -> None:
        """The slots that a former process gave away are taken; others are free."""
        self._next = max(taken, default=-1) + 1
        self._free = sorted(set(range(self._next)) - taken)

    def _number(self) -> int | None:
        if self._free:
            return heapq.heappop(self._free)
        if self._next == SLOTS:
            return None
        self._next += 1
        return self._next - 1

    # ---- the manager

    def _tell(self, message: str, fd: int = -1) -> None:
        if self._sender is None:
            return
        if self._waiting or not self._told(message, fd):
            if not self._waiting:
                self.reactor.addWriter(self)
            # It may be closed before its turn comes, and its number used anew.
            self._waiting.append((message, os.dup(fd) if fd >= 0 else -1))

    def doWrite(self) -> None:
        """The manager has time again."""
        while self._waiting:
            message, fd = self._waiting[0]
            if not self._told(message, fd):
                return
            self._waiting.popleft()
            if fd >= 0:
                os.close(fd)
        self.reactor.removeWriter(self)

    def fileno(self) -> int:
        return -1 if self._sender is None else self._sender.fileno()

    def logPrefix(self) -> str:
        return "keeping"

    def connectionLost(self, reason: Failure) -> None:
        """There is nothing that could be lost with it."""

    def _told(self, message: str, fd: int) -> bool:
        """False where the manager is too busy just now."""
        if self._sender is None:
            return True
        try:
            socket.send_fds(self._sender, [message.encode()], [fd] if fd >= 0 else [])
        except BlockingIOError:
            return False
        except OSError as error:
            log.warn("nobody keeps the boards' connections any more: {why}", why=str(error))
            self.reactor.removeWriter(self)
            self._sender.close()
            self._sender = None
        return True


@define(eq=False)
class Unkept:
    """A `camd.ingest.factory.Witness` where nobody keeps anything: says so, once."""

    said: Callable[[], None]
    _done: bool = False

    def came(self, connection: CameraProtocol) -> None:
        if not self._done:
            self._done = True
            self.said()

    def settled(self, connection: CameraProtocol, said: int) -> None:
        """Nobody wants to know."""

    def owing(self, connection: CameraProtocol, photo: Name | None) -> None:
        """Nobody wants to know."""

    def went(self, connection: CameraProtocol) -> None:
        """Nobody wants to know."""
