"""What camd and the service manager tell each other; without a service manager, nothing.

The protocol is that of sd_notify(3): datagrams to the socket that the environment names. Knows
nothing of what camd does.
"""

import array
import os
import socket
from collections.abc import Mapping, Sequence

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

log = Logger()

READY = "READY=1"
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"

MOST_FDS = 253
"""Descriptors that Linux takes in one message."""


def notify(message: str, environ: Mapping[str, str], fds: Sequence[int] = ()) -> bool:
    """The service manager was sent *message*: assignments, a line each.

    Never waits: the caller is the reactor.

    :param fds: descriptors that go with it, as ``FDSTORE=1`` wants; at most `MOST_FDS`.
    :returns: whether there is a manager, and it took the message.
    """
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.setblocking(False)
        try:
            sender.connect(address)
            sender.sendmsg([message.encode("utf-8")], rights)
        except OSError as error:
            log.warn("The service manager was not told {what}: {why}", what=message, why=error)
            return False
    return True


def status(text: str) -> str:
    """The message that ``systemctl status`` shows *text*; one line whatever it holds."""
    return "STATUS=" + " ".join(text.split())


def keep(name: str) -> str:
    """The message that the descriptors sent with it are kept over a restart, as *name*."""
    return f"FDSTORE=1\nFDNAME={name}"


def drop(name: str) -> str:
    """The message that descriptors kept as *name* are kept no longer."""
    return f"FDSTOREREMOVE=1\nFDNAME={name}"


def watchdog_interval(environ: Mapping[str, str], pid: int) -> float | None:
    """Seconds within which process *pid* must show that it lives, or None where it need not."""
    text, whose = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not (text.isascii() and text.isdecimal()) or int(text[:18]) == 0:
        return None
    if whose and whose != str(pid):
        return None
    return int(text[:18]) / 1_000_000


@define(eq=False, slots=False)
class Watchdog(Service):
    """While the reactor turns, the service manager hears of it twice as often as it must."""

    clock: IReactorTime
    environ: Mapping[str, str] = field(factory=lambda: dict(os.environ))
    pid: int = field(factory=os.getpid)
    _beat: LoopingCall | None = field(default=None, init=False)

    name = "watchdog"

    def startService(self) -> None:
        super().startService()
        interval = watchdog_interval(self.environ, self.pid)
        if interval is None or not self.environ.get("NOTIFY_SOCKET"):
            return
        self._beat = LoopingCall(notify, ALIVE, self.environ)
        self._beat.clock = self.clock
        beating = self._beat.start(interval / 2)
        beating.addErrback(lambda failure: log.failure("The watchdog is not fed", failure))

    def stopService(self) -> None:
        super().stopService()
        if self._beat is not None and self._beat.running:
            self._beat.stop()
        self._beat = None
