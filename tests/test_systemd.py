"""The service manager hears what it should, on real sockets, and nobody waits for it."""

import os
import shutil
import socket
import tempfile
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from camd import systemd


class ManagerCase(SynchronousTestCase):
    """A service manager's socket."""

    def setUp(self) -> None:
        # A socket's path is short, and trial's directories are deep.
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = str(self.directory / "notify")
        self.manager = self.listen(self.path)
        self.environ = {"NOTIFY_SOCKET": self.path}

    def listen(self, address: str) -> socket.socket:
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(address)
        manager.setblocking(False)
        return manager

    def heard(self) -> list[str]:
        messages = []
        for _ in range(1000):
            try:
                messages.append(self.manager.recv(65536).decode())
            except BlockingIOError:
                break
        return messages


class Telling(ManagerCase):
    def test_told(self) -> None:
        """Each message arrives, as one datagram, in order."""
        for message in (systemd.READY, systemd.status("two\nlines"), systemd.STOPPING):
            self.assertTrue(systemd.notify(message, self.environ))
        self.assertEqual(self.heard(), ["READY=1", "STATUS=two lines", "STOPPING=1"])

    def test_abstract(self) -> None:
        """A socket without a file, as some containers have, is spoken to as well."""
        name = f"camd-test-{os.getpid()}-{id(self)}"
        self.manager = self.listen("\0" + name)
        self.assertTrue(systemd.notify(systemd.READY, {"NOTIFY_SOCKET": "@" + name}))
        self.assertEqual(self.heard(), ["READY=1"])

    def test_descriptors(self) -> None:
        """Descriptors arrive with their name, and are the same files."""
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        self.assertTrue(systemd.notify(systemd.keep("cameras"), self.environ, [read, write]))
        message, fds, _, _ = socket.recv_fds(self.manager, 65536, 8)
        for fd in fds:
            self.addCleanup(os.close, fd)
        self.assertEqual(message, b"FDSTORE=1\nFDNAME=cameras")
        os.write(fds[1], b"through")
        self.assertEqual(os.read(read, 7), b"through")

    def test_nobody(self) -> None:
        """Without a manager nothing happens; a name that is no socket's is as good as none."""
        self.assertFalse(systemd.notify(systemd.READY, {}))
        self.assertFalse(systemd.notify(systemd.READY, {"NOTIFY_SOCKET": "notify"}))
        self.assertFalse(systemd.notify(systemd.READY, {"NOTIFY_SOCKET": self.path + "-gone"}))

    def test_deaf(self) -> None:
        """A manager that does not listen is not waited for."""
        sent = 0
        for _ in range(10_000):
            if not systemd.notify("X=" + "x" * 1000, self.environ):
                break
            sent += 1
        self.assertTrue(0 < sent < 10_000)


class Watching(ManagerCase):
    def watchdog(self, clock: Clock, **environ: str) -> systemd.Watchdog:
        watchdog = systemd.Watchdog(clock, {**self.environ, **environ}, pid=42)
        watchdog.startService()
        self.addCleanup(watchdog.stopService)
        return watchdog

    def test_fed(self) -> None:
        """It is fed at once and at half its time, for as long as the service runs."""
        clock = Clock()
        watchdog = self.watchdog(clock, WATCHDOG_USEC="30000000", WATCHDOG_PID="42")
        self.assertEqual(self.heard(), ["WATCHDOG=1"])
        clock.advance(14.9)
        self.assertEqual(self.heard(), [])
        clock.advance(0.2)
        self.assertEqual(self.heard(), ["WATCHDOG=1"])
        clock.pump([15.0, 15.0])
        self.assertEqual(len(self.heard()), 2)
        watchdog.stopService()
        clock.advance(60)
        self.assertEqual((self.heard(), clock.getDelayedCalls()), ([], []))

    def test_whose(self) -> None:
        """A watchdog that is meant for nobody in particular is fed, another's is not."""
        clock = Clock()
        self.watchdog(clock, WATCHDOG_USEC="1000")
        self.assertEqual(self.heard(), ["WATCHDOG=1"])
        other = Clock()
        self.watchdog(other, WATCHDOG_USEC="1000", WATCHDOG_PID="43")
        self.assertEqual((self.heard(), other.getDelayedCalls()), ([], []))

    def test_none(self) -> None:
        """Without a time, or with one that is no number, there is no watchdog."""
        for text in ("", "0", "-5", "1e6", "\u0665"):
            clock = Clock()
            self.watchdog(clock, WATCHDOG_USEC=text)
            self.assertEqual((self.heard(), clock.getDelayedCalls()), ([], []), text)
