"""The parts of a handover, each by itself."""

import os
import socket
import struct
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from attrs import define
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from camd.handover import outcome, upgrade
from camd.handover.estate import Estate
from camd.handover.heir import Program
from camd.handover.inherited import inherited
from camd.handover.keeper import Keeper
from camd.handover.keeping import Keeping, Unkept
from camd.handover.letters import LetterError, Letters
from camd.handover.outcome import Outcome
from camd.handover.slate import Known, Slate, traffic
from camd.handover.upgrade import Fatal, Upgrade
from camd.store.store import StoreError
from camd.systemd import drop, keep


def pair(case: SynchronousTestCase) -> tuple[Letters, Letters]:
    ends = tuple(Letters(end, 1.0) for end in socket.socketpair())
    for end in ends:
        case.addCleanup(end.close)
    return ends


class Talk(SynchronousTestCase):
    """Letters."""

    def test_values(self) -> None:
        """Values arrive as they were, bytes among them, however deep and however large."""
        here, there = pair(self)
        values = {"a": [1, None, True, "é\n", b"\xff\x00", {"b": b""}], "c": bytes(3_000_000)}
        sender = threading.Thread(target=here.send, args=("kind", values))
        sender.start()
        letter = there.receive()
        sender.join()
        self.assertEqual((letter.kind, letter.values, letter.fds), ("kind", values, ()))

    def test_descriptors(self) -> None:
        """Descriptors arrive with their letter, in order, closed on exec; letters stay apart."""
        here, there = pair(self)
        pipes = [os.pipe() for _ in range(100)]
        here.send("first", 1, [write for _, write in pipes])
        here.send("second", 2)
        letter = there.receive()
        self.assertEqual(there.receive().values, 2)
        for (read, write), fd in zip(pipes, letter.fds, strict=True):
            self.assertFalse(os.get_inheritable(fd))
            os.write(fd, b"x")
            self.assertEqual(os.read(read, 2), b"x")
            for each in (read, write, fd):
                os.close(each)

    def test_gone(self) -> None:
        """An end that is gone, silent or mad is an error; what came along is closed."""
        here, there = pair(self)
        there.seconds = 0.05
        self.assertIn("nothing", str(self.assertRaises(LetterError, there.receive)))
        before = len(os.listdir("/proc/self/fd"))
        socket.send_fds(here.socket, [struct.pack(">IIH", 5, 0, 3) + b"abcde"], [0])
        self.assertRaises(LetterError, there.receive)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        here, there = pair(self)
        here.send("cut", "short")
        here.close()
        there.receive()
        self.assertRaises(LetterError, there.receive)
        self.assertRaises(LetterError, there.send, "x")

    def test_estate(self) -> None:
        """Many connections come over in batches, each with what is known of it."""
        here, there = pair(self)
        fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(600)]
        estate = Estate(12.5, 99, (3, 4), [("abc", fds[0])], slate=fds[1], kept_doors=["abc"])
        estate.silent = ["cat"]
        estate.boards = [({"n": n, "bytes": bytes([n % 256])}, fd) for n, fd in enumerate(fds[2:])]
        sender = threading.Thread(target=estate.send, args=(here,))
        sender.start()
        found = Estate.receive(there)
        sender.join()
        self.assertEqual((found.since, found.pid, found.totals), (12.5, 99, (3, 4)))
        self.assertEqual((found.silent, found.kept_doors), (["cat"], ["abc"]))
        self.assertEqual([state for state, _ in found.boards], [s for s, _ in estate.boards])
        assert found.slate is not None
        got = [found.slate, *(fd for _, fd in found.doors), *(fd for _, fd in found.boards)]
        self.assertEqual(len(set(got)), len(fds))
        for fd in [*got, *fds]:
            os.close(fd)


class Memory(SynchronousTestCase):
    """The slate."""

    def setUp(self) -> None:
        door = socket.create_server(("127.0.0.1", 0))
        self.board = socket.create_connection(door.getsockname())
        self.camd, _ = door.accept()
        for each in (door, self.board, self.camd):
            self.addCleanup(each.close)
        self.slate = Slate()
        self.addCleanup(self.slate.close)
        self.slate.begin(5, self.camd, "192.0.2.7")

    def later(self) -> Slate:
        """As the next process finds it."""
        slate = Slate(os.dup(self.slate.fd))
        self.addCleanup(slate.close)
        return slate

    def owed(self) -> bool | None:
        found = self.later().read(5, self.camd)
        assert found is not None
        self.assertEqual(found.address, "192.0.2.7")
        self.assertTrue(found.owed or found.photo is None)
        return found.owed

    def hear(self, size: int) -> None:
        self.board.sendall(bytes(size))
        self.camd.recv(size, socket.MSG_WAITALL)

    def test_kernel(self) -> None:
        """The kernel counts what was read, not what waits, and what was written, not what was
        meant to be."""
        self.hear(1000)
        self.board.sendall(bytes(70))
        time.sleep(0.05)
        self.camd.sendall(b"ACK\n")
        self.assertEqual(traffic(self.camd), (1000, 4))
        time.sleep(0.05)
        self.assertEqual(traffic(self.camd), (1000, 4))
        local, other = socket.socketpair()
        self.assertIsNone(traffic(local))
        local.close()
        other.close()

    def test_every_moment(self) -> None:
        """At each step from a frame to its answer, what is believed is true or unknown."""
        self.assertIsNone(self.owed())
        self.hear(100)
        self.slate.mark(5, 100, 0, owed=True)
        self.assertIs(self.owed(), True)
        self.slate.mark(5, 100, 4, owed=False)  # about to be said
        self.assertIsNone(self.owed())
        self.camd.sendall(b"ACK\n")
        self.assertIs(self.owed(), False)
        self.board.sendall(b"Frame")
        time.sleep(0.05)
        self.assertIs(self.owed(), False)
        self.camd.recv(5)
        self.assertIsNone(self.owed())

    def test_photo(self) -> None:
        """Which photo the answer is about is known for as long as it is owed."""
        photo = ("00c0ffee00c0ffee", 7)
        self.hear(100)
        self.slate.mark(5, 100, 0, owed=True, photo=photo)
        self.assertEqual(self.later().read(5, self.camd), Known("192.0.2.7", True, photo))
        self.hear(100)
        self.assertEqual(self.later().read(5, self.camd), Known("192.0.2.7"))
        self.slate.mark(5, 200, 0, owed=True)
        self.assertEqual(self.later().read(5, self.camd), Known("192.0.2.7", True))
        self.slate.begin(5, self.camd, "192.0.2.8")
        self.assertEqual(self.later().read(5, self.camd), Known("192.0.2.8"))

    def test_another(self) -> None:
        """A slot is of one connection; totals and signs of life are of all processes."""
        self.assertIsNone(self.later().read(5, self.board))
        self.slate.count(7, 900)
        self.slate.beat()
        later = self.later()
        self.assertEqual(later.totals, (7, 900))
        self.assertLess(time.monotonic() - later.last, 5)

    def test_none(self) -> None:
        """What is no slate is not taken for one."""
        for size in (0, 100, os.fstat(self.slate.fd).st_size):
            fd = os.memfd_create("none")
            os.ftruncate(fd, size)
            self.assertRaises(ValueError, Slate, fd)
            os.close(fd)


class Manager(TestCase):
    """Keeping, with a manager that is slow."""

    async def test_busy(self) -> None:
        """However slowly the manager reads, it hears everything, in order, and what was closed
        meanwhile is what it was."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.addCleanup(manager.close)
        manager.bind(f"{directory.name}/notify")
        slate = Slate()
        self.addCleanup(slate.close)
        doubtful: Any = reactor
        keeping = Keeping({"NOTIFY_SOCKET": f"{directory.name}/notify"}, doubtful, slate)
        keeping.open()
        self.addCleanup(lambda: keeping._sender and keeping._sender.close())
        for number in range(700):
            read, write = os.pipe()
            os.write(write, b"%d" % number)
            os.close(write)
            keeping._tell(keep(f"b{number:x}"), read)
            os.close(read)
            if number % 2:
                keeping._tell(drop(f"b{number:x}"))
        heard: list[str] = []
        while len(heard) < 1050:
            try:
                data, fds, _, _ = socket.recv_fds(manager, 4096, 4)
            except BlockingIOError:
                await deferLater(doubtful, 0.001)
                continue
            heard.append(data.decode())
            if fds:
                number = int(data.decode().rpartition("=b")[2], 16)
                self.assertEqual(os.read(fds[0], 100), b"%d" % number)
                os.close(fds[0])
        expected = []
        for number in range(700):
            expected.append(keep(f"b{number:x}"))
            if number % 2:
                expected.append(drop(f"b{number:x}"))
        self.assertEqual(heard, expected)
        await deferLater(doubtful, 0.01)
        self.assertNotIn(keeping, doubtful.getWriters())

    async def test_gone(self) -> None:
        """A manager that is gone is told nothing more."""
        with tempfile.TemporaryDirectory() as directory:
            manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            manager.bind(f"{directory}/notify")
            doubtful: Any = reactor
            slate = Slate()
            keeping = Keeping({"NOTIFY_SOCKET": f"{directory}/notify"}, doubtful, slate)
            keeping.open()
            manager.close()
            for _ in range(3):
                keeping.keep_slate()
            slate.close()

    def test_slots(self) -> None:
        """The lowest free number is given away, and none twice."""
        slate = Slate()
        self.addCleanup(slate.close)
        keeping = Keeping({}, Any, slate)  # type: ignore[arg-type]
        keeping.number_on({0, 2, 5})
        self.assertEqual([keeping._number() for _ in range(4)], [1, 3, 4, 6])
        keeping.drop(2)
        self.assertEqual([keeping._number() for _ in range(2)], [2, 7])

    def test_unkept(self) -> None:
        """Where nobody keeps anything, that is said once."""
        said: list[int] = []
        unkept = Unkept(lambda: said.append(1))
        anyone: Any = object()
        for _ in range(3):
            unkept.came(anyone)
            unkept.owing(anyone, None)
            unkept.settled(anyone, 4)
            unkept.went(anyone)
        self.assertEqual(said, [1])


class Store(SynchronousTestCase):
    """The keeper's store, and what is found of it at the start."""

    def test_kept(self) -> None:
        """Descriptors are kept by name until they are dropped; what else comes is closed."""
        keeper = Keeper(["/bin/true"])
        self.addCleanup(keeper.notices.close)
        self.addCleanup(os.close, keeper.wake)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect("\0" + keeper.address[1:])
            before = len(os.listdir("/proc/self/fd"))
            null = os.open("/dev/null", os.O_RDONLY)
            for message in (keep("b0"), keep("b1"), "READY=1", keep("b1"), drop("b1")):
                socket.send_fds(sender, [message.encode()], [null])
                keeper.hear()
            os.close(null)
            sender.send(b"MAINPID=77\nBARRIER=1")
            sender.send(b"\xff\xfe nonsense")
            keeper.hear()
            self.assertEqual([name for name, _ in keeper.kept], ["b0"])
            self.assertTrue(keeper.ready)
            self.assertEqual(keeper.child, 77)
            self.assertEqual(len(os.listdir("/proc/self/fd")), before + 1)
        os.close(keeper.kept[0][1])

    def test_inherited(self) -> None:
        """Only what is ours, and only what was meant for this process."""
        environ = {"LISTEN_PID": "7", "LISTEN_FDS": "0", "LISTEN_FDNAMES": ""}
        self.assertEqual(inherited(environ, 7).boards, {})
        base = os.open("/dev/null", os.O_RDONLY)
        self.addCleanup(os.close, base)
        for environ in (
            {},
            {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "b0:b1"},
            {"LISTEN_PID": "8", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "b0:b1"},
            {"LISTEN_PID": "7", "LISTEN_FDS": "+2", "LISTEN_FDNAMES": "b0:b1"},
        ):
            found = inherited(environ, 7)
            self.assertEqual((found.slate, found.doors, found.boards), (None, {}, {}))

    def test_outcome(self) -> None:
        """What is written is read; what makes no sense is none."""
        own = Path(self.mktemp())
        own.mkdir()
        self.assertIsNone(outcome.read(own))
        told = Outcome(1, 2, 3.5, "two boards")
        outcome.write(own, told)
        self.assertEqual(outcome.read(own), told)
        self.assertTrue(told.done)
        self.assertEqual([path.name for path in own.iterdir()], [outcome.NAME])
        for text in ("", "[1]", "{}", "nonsense"):
            (own / outcome.NAME).write_text(text)
            self.assertIsNone(outcome.read(own))


@define
class Failing:
    """A store that cannot be opened the first *times*, in a house of nothing else."""

    times: int
    asked: int = 0
    reactor: Any = reactor

    @property
    def store(self) -> "Failing":
        return self

    def open(self) -> None:
        self.asked += 1
        if self.asked <= self.times:
            raise StoreError("the disk failed")


class Back(SynchronousTestCase):
    """The old process goes on where the new one could not."""

    def upgrade(self, store: Failing) -> Upgrade:
        self.patch(upgrade, "_BETWEEN", 0.0)
        house: Any = store
        return Upgrade(house, Program.own())

    def test_disk_comes_back(self) -> None:
        """A disk that fails for a moment costs no board its connection."""
        store = Failing(2)
        self.upgrade(store)._open_again()
        self.assertEqual(store.asked, 3)

    def test_disk_stays_away(self) -> None:
        """One that does not come back ends it, with the reason."""
        error = self.assertRaises(Fatal, self.upgrade(Failing(99))._open_again)
        self.assertEqual(str(error), "the disk failed")
