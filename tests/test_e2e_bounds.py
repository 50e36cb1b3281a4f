"""Nobody gets more of the machine than is meant for him, and the next camera is served."""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.e2e_boards import V1, V2, Load, Wire, lost, photo
from tests.e2e_daemon import Daemon, DaemonCase, until
from tests.e2e_disk import Trace
from tests.e2e_talk import Talk
from tests.streams import SOI, SOS, frame_header, segment

MIB = 1024 * 1024


def endless() -> bytes:
    """How a JPEG begins whose scan may go on for ever."""
    return SOI + segment(0xFE, b"x") + frame_header() + SOS


class BoundsCase(DaemonCase):
    """A daemon, and ways to burden it."""

    def assert_served(self, daemon: Daemon, number: int, seconds: float = 6.0) -> None:
        """The next camera, of either kind, is served within so long, be it at a second try."""
        began = time.monotonic()
        for board in ("v1", "v2"):
            while True:
                left = seconds - (time.monotonic() - began)
                self.assertGreater(left, 0, f"{board} was not served")
                try:
                    if board == "v1":
                        answer = V1(daemon.port, wait=left).photo(photo(number), left)
                    else:
                        one = V2(daemon.port, Talk(f"next-{number}"), wait=left)
                        answer = one.photo(number, photo(number + 1), left)
                except (ConnectionError, EOFError):
                    time.sleep(0.05)
                    continue
                break
            self.assertIn(answer, ("ACK", f"ACK {number}"))

    @contextmanager
    def crowd(self, daemon: Daemon, count: int) -> Iterator[list[socket.socket]]:
        """So many connections that say nothing."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.assertGreaterEqual(hard, count + 200, "ulimit -Hn is too low for this test")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 200), hard))
        with ExitStack() as open_now:
            open_now.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
            yield [
                open_now.enter_context(socket.create_connection(("127.0.0.1", daemon.port), 10))
                for _ in range(count)
            ]


class Many(BoundsCase):
    """Many at once."""

    def test_64_boards(self) -> None:
        """64 boards at once: every photo acknowledged, none lost, none doubled."""
        daemon = self.daemon().start()
        with Load(daemon, 64, photos=8) as load:
            load.wait()
        self.assertEqual(load.answers, {"ACK": 512})
        photos = daemon.photos()
        self.assertEqual(len(photos), 512)
        self.assertEqual(lost(load, photos), [])

    def test_slow_disk(self) -> None:
        """On a disk that takes 150 ms for an fsync, a camera that comes beside 24 others is
        served within 6 s."""
        daemon = self.daemon().start()
        Trace(daemon.directory / "trace").attach(
            daemon.pid, "--seccomp-bpf", "-e", "trace=fsync,fdatasync",
            "-e", "inject=fsync,fdatasync:delay_enter=150000",
        )  # fmt: skip
        with Load(daemon, 24) as load:
            load.go_on_until(24)
            self.assert_served(daemon, 900)
        self.assertEqual(set(load.answers), {"ACK"})

    def test_5000_idle(self) -> None:
        """Beside 5000 connections that say nothing the next camera is served within 6 s."""
        daemon = self.daemon().start()
        with self.crowd(daemon, 5000):
            self.assert_served(daemon, 1)
            self.assertGreater(daemon.descriptors(), 5000)
        until(lambda: daemon.descriptors() < 100, 10)

    def test_descriptors_used_up(self) -> None:
        """More connections than there are descriptors: the next camera is served within 6 s, a
        photo of one that was there before too; and again when they have gone."""
        daemon = self.daemon(files=256).start()
        before = V1(daemon.port)
        self.assertEqual(before.photo(photo(50)), "ACK")
        with self.crowd(daemon, 600):
            self.assert_served(daemon, 1)
            self.assertEqual(before.photo(photo(51)), "ACK")
            self.assertLessEqual(daemon.descriptors(), 256)
        self.assert_served(daemon, 3)
        self.assertEqual(before.photo(photo(52)), "ACK")

    def test_come_and_go(self) -> None:
        """After 3000 connections that came and went, in every way that they can, there are as
        many descriptors as before, no more memory, and no work is left."""
        daemon = self.daemon("limits.wrong_keys = 100000").start()
        self.assert_served(daemon, 1)
        self.come_and_go(daemon, 600)
        until(lambda: daemon.descriptors() < 60, 10)
        descriptors, memory = daemon.descriptors(), daemon.rss()
        self.come_and_go(daemon, 2400)
        until(lambda: daemon.descriptors() <= descriptors + 5, 10)
        self.assertLess(daemon.rss(), memory + 12 * MIB)
        self.assert_served(daemon, 3)
        used = daemon.cpu()
        time.sleep(2)
        self.assertLess(daemon.cpu() - used, 0.1)

    def come_and_go(self, daemon: Daemon, count: int) -> None:
        hello = Talk("coming").hello()
        for number in range(count):
            wire = Wire(daemon.port)
            wire.send(
                (b"", b"HEL", b"FrameBegin\xff\xd8", hello, b"HELLO x\n", hello[:30])[number % 6]
            )
            if number % 2:
                wire.reset()
            else:
                wire.close()


class Memory(BoundsCase):
    """How much memory hostile boards can make camd take."""

    def test_endless_frame(self) -> None:
        """A v1 frame that goes on for 200 MB: answered and closed, at most 96 MB over idle."""
        daemon = self.daemon().start()
        idle = daemon.rss()
        board = V1(daemon.port)
        board.begin(endless())
        try:
            for _ in range(200):
                board.send(bytes(MIB))
        except OSError:
            pass
        self.assertLess(daemon.most_rss() - idle, 96 * MIB)
        self.assert_served(daemon, 1)

    def test_endless_frame_is_answered(self) -> None:
        """The answer arrives though the board does not stop sending for a while."""
        daemon = self.daemon().start()
        board = V1(daemon.port)
        board.begin(endless())
        for _ in range(17):
            board.send(bytes(MIB))
        self.assertEqual(board.line(), "NAK size")
        self.assertTrue(board.ends())

    def test_half_frames(self) -> None:
        """64 half frames of 4 MB, v1 and v2: at most 192 MB over idle, and who is refused is told
        in time."""
        daemon = self.daemon().start()
        idle = daemon.rss()
        boards: list[Wire] = []
        for number in range(64):
            if number % 2:
                one: Wire = V1(daemon.port)
                one.send(b"FrameBegin" + endless())
            else:
                one = V2(daemon.port, Talk(f"half-{number}"))
                one.send(b"FRAME seq=1 len=%d crc=00000000\n" % (4 * MIB))
            boards.append(one)
        for _ in range(63):
            for board in boards:
                board.send(bytes(65_536 - 100))
        self.assert_served(daemon, 1)
        self.assertLess(daemon.most_rss() - idle, 192 * MIB)
        for board in boards:
            board.close()
        until(lambda: daemon.descriptors() < 60, 10)
        self.assert_served(daemon, 3)

    def test_endless_lines(self) -> None:
        """Noise, HELLO and a line that never end: at most 96 MB over idle."""
        daemon = self.daemon().start()
        idle = daemon.rss()
        for first in (b"x", b"HELLO camd/2 ", b""):
            wire = V2(daemon.port, Talk("endless")) if not first else Wire(daemon.port)
            try:
                wire.send(first)
                for _ in range(60):
                    wire.send(b"y" * MIB)
            except OSError:
                pass
        self.assertLess(daemon.most_rss() - idle, 96 * MIB)
        self.assert_served(daemon, 1)

    def test_answers_that_nobody_reads(self) -> None:
        """A board that asks without end and reads nothing does not fill the memory."""
        daemon = self.daemon().start()
        idle = daemon.rss()
        board = V2(daemon.port, Talk("deaf"))
        board.socket.settimeout(1)
        question = b"PING " + b"x" * 1000 + b"\n"
        try:
            for _ in range(200):
                board.send(question * 500)
        except OSError:
            pass
        self.assertLess(daemon.most_rss() - idle, 96 * MIB)
        self.assert_served(daemon, 1)


class Stalled(BoundsCase):
    """Who does not go on is gone."""

    def test_gone(self) -> None:
        """Stalled in every state, a connection is closed when its time is over; one that is slow
        and honest is served meanwhile; no CPU is used for those who wait."""
        times = ("silence_first", "line", "auth", "first_mark", "progress", "hang_up")
        daemon = self.daemon("[times]\n" + "\n".join(f"{key} = 2" for key in times)).start()
        wires = []
        for said in (b"", b"HELLO ", b"HEL", b"noise", b"FrameBegin", b"FrameBegin\xff\xd8\xff"):
            wires.append(Wire(daemon.port))
            wires[-1].send(said)
        half = V2(daemon.port, Talk("half"))
        half.send(b"FRAME seq=1 len=100 crc=00000000\nabc")
        line = V2(daemon.port, Talk("line"))
        line.send(b"STAT rssi=")
        slow = V1(daemon.port)
        data = b"FrameBegin" + photo(1) + b"FrameOver"
        used = daemon.cpu()
        for at in range(0, len(data), 1500):
            slow.send(data[at : at + 1500])
            time.sleep(0.35)
        self.assertGreater(len(data), 6 * 1500)
        self.assertEqual(slow.line(), "ACK")
        for wire in (*wires, half, line):
            self.assertTrue(wire.ends(4))
        self.assertLess(daemon.cpu() - used, 0.3)
        until(lambda: daemon.descriptors() < 60, 5)
