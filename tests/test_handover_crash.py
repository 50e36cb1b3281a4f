"""kill -9, and no board notices more than a line that says so."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from camd.keys import KeyRing
from camd.photo import CameraId
from tests.e2e_boards import V1, V2
from tests.e2e_daemon import LOOPBACK, TWISTD, Daemon, environment, until
from tests.e2e_lasting import LastingCase, Named, Sketch, end_all, pid_of, silent, unix
from tests.e2e_talk import Talk, picture

AS_GIVEN = """
import fcntl, os, sys
fds = [int(number) for number in sys.argv[1].split()]
moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in fds]
for place, fd in enumerate(moved, 3):
    os.dup2(fd, place)
os.closerange(3 + len(fds), 100)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""
"""A program that starts another one with descriptors as a service manager gives them."""


def settled(said: str) -> bool:
    """Whether one process serves, be it the old one since the new one was killed too early."""
    return "nobody was served for" in said or "this camd runs on as it was" in said


class Kept(LastingCase):
    """With a keeper process."""

    def test_twenty_in_a_row(self) -> None:
        """Under load, twenty times: each sketch lives and gets one line a frame, each acknowledged
        photo is stored once; named boards come back by themselves."""
        directory = self.directory()
        keys = KeyRing(directory / "store" / ".camd" / "keys")
        keys.directory.mkdir(parents=True)
        key = keys.enroll(CameraId("named-8"))
        daemon = self.lasting("", "--keep", directory=directory)
        boards = [Sketch(daemon.port, number, number / 50) for number in range(6)]
        boards += [Named(daemon.port, 7), Named(daemon.port, 8, key)]
        for board in boards:
            board.start()
        until(lambda: all(board.kept for board in boards), 20, "all have begun")
        for number in range(20):
            self.crash(daemon)
            time.sleep(0.02 * (number % 5))
        end_all(boards, 4.0)
        self.assert_alive(boards)
        self.assert_stored_once(daemon, boards)
        for board in boards:
            self.assertLessEqual(set(board.answers), {"ACK", "torn", "restart"}, board.number)
            # One of which nothing is known has to be silent for longer than a process lives here.
            self.assertGreater(board.answers["ACK"], 0, (board.number, board.answers))
        self.assertGreater(sum(board.answers["ACK"] for board in boards), 60)
        self.assertGreater(sum(board.answers["torn"] for board in boards), 0)

    def test_everywhere_in_a_frame(self) -> None:
        """However much of a frame was read by the process that died, its board gets one line, and
        none for what it had been answered; the next photo is stored."""
        daemon = self.lasting("", "--keep")
        size = len(b"FrameBegin" + picture(1000, 3000) + b"FrameOver")
        cuts = [0, *range(1, 13), 40, 700, 1500, *range(size - 12, size)]
        boards = [V1(daemon.port) for _ in cuts]
        for number, board in enumerate(boards):
            self.assertEqual(board.photo(picture(number)), "ACK")
        frames = [b"FrameBegin" + picture(1000 + cut, 3000) + b"FrameOver" for cut in cuts]
        for board, frame, cut in zip(boards, frames, cuts, strict=True):
            if cut:
                board.send(frame[:cut])
        time.sleep(0.3)
        self.crash(daemon)
        self.assertTrue(silent(boards[0], 0.2), "a board that was owed nothing")
        for board, frame, cut in zip(boards, frames, cuts, strict=True):
            board.send(frame[cut:])
        answers = [board.line() for board in boards]
        self.assertEqual(answers[0], "ACK")
        for cut, answer in zip(cuts[1:], answers[1:], strict=True):
            # With the last letters alone nobody can see that they are a mark's: silence tells.
            torn = size - cut >= len(b"FrameOver")
            self.assertEqual(answer, "NAK torn" if torn else "NAK restart", cut)
        self.assertTrue(all(silent(board, 0) for board in boards))
        time.sleep(3.5)
        self.assertTrue(all(silent(board, 0) for board in boards))
        for number, board in enumerate(boards):
            self.assertEqual(board.photo(picture(5000 + number)), "ACK", number)

    def test_lost_answer(self) -> None:
        """A board whose answer was lost gets it at once, if its photo is stored; one that stalls in
        mid-frame gets one after a while, before its end mark, and none behind it."""
        daemon = self.lasting(
            '[cameras]\npace = "60 s"\n[restart]\nlost_answer = "3 s"\n', "--keep"
        )
        waits, stalls = V1(daemon.port), V1(daemon.port)
        waits.send(b"FrameBegin" + picture(1) + b"FrameOver")
        stalls.begin(picture(2, 3000)[:2000])
        until(lambda: len(daemon.photos()) == 1)
        time.sleep(0.2)
        self.crash(daemon)
        self.assertEqual(waits.line(), "ACK")
        self.assertTrue(silent(stalls, 0))
        self.assertEqual(stalls.line(), "NAK restart")
        stalls.send(picture(2, 3000)[2000:] + b"FrameOver")
        self.assertTrue(silent(stalls, 1.5))
        self.assertTrue(silent(waits, 0))
        self.assertEqual(len(daemon.photos()), 1)

    def test_again_meanwhile(self) -> None:
        """A crash while a board waits for a lost answer, and an upgrade: still one line."""
        daemon = self.lasting(
            '[cameras]\npace = "60 s"\n[restart]\nlost_answer = "2 s"\n', "--keep"
        )
        board = V1(daemon.port)
        board.send(b"FrameBegin" + picture(1) + b"FrameOver")
        until(lambda: len(daemon.photos()) == 1)
        self.crash(daemon)
        self.crash(daemon)
        self.upgrade(daemon)
        self.assertEqual(board.line(), "ACK")
        self.crash(daemon)
        self.assertTrue(silent(board, 3))

    def hears(self, daemon: Daemon) -> None:
        """All that was sent by now has been read: it was there before what is answered second."""
        board = V2(daemon.port, Talk("beside"))
        board.send(board.talk.line("PING"))
        self.assertEqual(board.answer(), "PONG")
        board.close()

    def test_held_answers(self) -> None:
        """What is told of a photo whose answer was held back is true, over upgrades too: whether it
        is in the store. The pace counts from it as before."""
        for layout in ("days", "flat"):
            daemon = self.lasting(
                f'[cameras]\npace = "600 s"\n[store]\nlayout = "{layout}"\n', "--keep"
            )
            stored, shown = V1(daemon.port), V1(daemon.port)
            stored.send(b"FrameBegin" + picture(1) + b"FrameOver")
            until(lambda at=daemon: len(at.photos()) == 1)  # type: ignore[misc]
            shown.send(b"FrameBegin" + picture(2) + b"FrameOver")
            self.hears(daemon)
            self.upgrade(daemon)
            self.upgrade(daemon)
            self.crash(daemon)
            self.assertEqual(stored.line(), "ACK")
            self.assertEqual(shown.line(), "NAK restart")
            stored.send(b"FrameBegin" + picture(3) + b"FrameOver")
            self.hears(daemon)
            self.crash(daemon)
            self.assertEqual(stored.line(), "NAK restart")
            self.assertEqual(len(daemon.photos()), 1)

    def test_keeper_stands(self) -> None:
        """While the keeper hears nothing no other process takes over, of which it would not know;
        later one does, and it still is there after a crash."""
        daemon = self.lasting('[times]\ndrain = "1 s"\n', "--keep")
        keeper = daemon.pid
        os.kill(keeper, signal.SIGSTOP)
        until(lambda: Path(f"/proc/{keeper}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        boards = [V1(daemon.port) for _ in range(11)]
        for number, board in enumerate(boards):
            self.assertEqual(board.photo(picture(number)), "ACK")
        os.kill(pid_of(daemon), signal.SIGUSR2)
        until(lambda: "whoever keeps connections did not listen" in daemon.said)
        os.kill(keeper, signal.SIGCONT)
        self.upgrade(daemon)
        self.crash(daemon)
        for number, board in enumerate(boards):
            self.assertEqual(board.photo(picture(100 + number)), "ACK")
        self.assertIsNone(daemon.process.poll())

    def test_upgrades_between(self) -> None:
        """The keeper follows from process to process, and its end is theirs."""
        daemon = self.lasting("", "--keep")
        boards = [Sketch(daemon.port, number) for number in range(3)]
        for board in boards:
            board.start()
        until(lambda: all(board.kept for board in boards))
        for _ in range(2):
            self.upgrade(daemon)
            self.crash(daemon)
            self.upgrade(daemon)
        end_all(boards)
        self.assert_alive(boards)
        pid = pid_of(daemon)
        daemon.signal(signal.SIGINT)
        self.assertEqual(daemon.ended(), 0)
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)
        self.assertIn("stopped; every photo", daemon.said)
        self.assertIn("sketch that are connected: 3;", daemon.said)

    def test_killed_in_an_upgrade(self) -> None:
        """Either process, killed at any moment of an upgrade: one is left that serves, and no board
        gets a line too many or too few."""
        chance = random.Random(5)
        daemon = self.lasting("", "--keep")
        boards = [Sketch(daemon.port, number, number / 50) for number in range(4)]
        for board in boards:
            board.start()
        until(lambda: all(board.kept for board in boards))
        for number in range(6):
            before = len(daemon.said)
            until(lambda: Path(f"/proc/{pid_of(daemon)}").exists(), 20)
            old = pid_of(daemon)
            os.kill(old, signal.SIGUSR2)
            time.sleep(chance.uniform(0.3, 0.8))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid_of(daemon) if number % 2 else old, signal.SIGKILL)
            until(lambda at=before: settled(daemon.said[at:]), 30)  # type: ignore[misc]
        end_all(boards, 3.5)
        self.assert_alive(boards)
        self.assert_stored_once(daemon, boards)
        self.assertNotIn("Traceback", daemon.said)

    def test_proxy(self) -> None:
        """Behind a proxy the board is who it was."""
        daemon = self.lasting(
            "", "--keep", "--listen", "haproxy:tcp:0:interface=127.0.0.1", listen=None
        )
        board = V1(int(daemon.said.partition("on haproxy")[2].partition(" port ")[2].split()[0]))
        board.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 8940\r\n")
        self.assertEqual(board.photo(picture(1)), "ACK")
        self.crash(daemon)
        self.assertEqual(board.photo(picture(2)), "ACK")
        self.assertEqual({path.split("/")[0] for path in daemon.photos()}, {"v1-192-0-2-7"})

    def test_named(self) -> None:
        """A named board's connection ends with the process, and the board sends again."""
        daemon = self.lasting("", "--keep")
        board, sketch = V2(daemon.port, Talk("cat")), V1(daemon.port)
        self.assertEqual(board.photo(1, picture(1)), "ACK 1")
        self.assertEqual(sketch.photo(picture(2)), "ACK")
        self.crash(daemon)
        self.assertTrue(board.ends())
        again = V2(daemon.port, Talk("cat"))
        self.assertEqual(again.last, 1)
        self.assertEqual(again.photo(1, picture(1)), "ACK 1")
        self.assertEqual(len(daemon.photos()), 2)

    def test_unix_socket(self) -> None:
        """Where the kernel counts nothing, silence decides."""
        directory = self.directory()
        path = Path(tempfile.mkdtemp()) / "door"
        self.addCleanup(shutil.rmtree, path.parent)
        daemon = self.lasting(
            '[restart]\nlost_answer = "3 s"\n', "--keep", "--listen", f"unix:{path}",
            directory=directory,
        )  # fmt: skip
        board = unix(str(path))
        self.assertEqual(board.photo(picture(1)), "ACK")
        board.begin(picture(2)[:30])
        time.sleep(0.2)
        self.crash(daemon)
        board.send(picture(2)[30:] + b"FrameOver")
        self.assertEqual(board.line(), "NAK torn")
        self.assertEqual(board.photo(picture(3)), "ACK")
        self.assertEqual(unix(str(path)).photo(picture(4)), "ACK")

    def test_wrong_from_the_start(self) -> None:
        """What cannot start is not started over and over."""
        daemon = self.daemon("", "--keep", "--web", "off")
        daemon.store.write_text("no directory")
        daemon.launch()
        self.assertEqual(daemon.ended(), 1)
        self.assertEqual(daemon.said.count("twistd 26"), 1)

    def test_suggested(self) -> None:
        """Without a keeper, the first sketch that comes is the occasion to say so."""
        daemon = self.lasting()
        self.assertNotIn("--keep", daemon.said)
        for number in range(2):
            V1(daemon.port).photo(picture(number))
        self.assertEqual(daemon.said.count("with --keep, or under systemd"), 1)


class Manager(LastingCase):
    """With the descriptor store of a service manager, which the test is."""

    def setUp(self) -> None:
        self.directory_ = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory_)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(str(self.directory_ / "notify"))
        self.kept: list[tuple[str, int]] = []
        self.said: list[str] = []
        self.addCleanup(lambda: [os.close(fd) for _, fd in self.kept])

    def hear(self, word: str, seconds: float = 20.0) -> None:
        """Notices are heeded until one has *word*."""
        self.socket.settimeout(seconds)
        while True:
            data, fds, _, _ = socket.recv_fds(self.socket, 8192, 253)
            said = dict(line.partition("=")[::2] for line in data.decode().split("\n"))
            self.said.append(data.decode())
            if said.get("FDSTORE") == "1":
                self.kept += [(said["FDNAME"], fd) for fd in fds]
            elif fds:
                for fd in fds:
                    os.close(fd)
            if said.get("FDSTOREREMOVE") == "1":
                for name, fd in self.kept:
                    if name == said["FDNAME"]:
                        os.close(fd)
                self.kept = [kept for kept in self.kept if kept[0] != said["FDNAME"]]
            if word in data.decode():
                return

    def names(self) -> list[str]:
        return sorted(name for name, _ in self.kept)

    def start(self, store: Path, log: Path) -> "subprocess.Popen[bytes]":
        """camd is started as the manager would, with all that is kept."""
        given = {}
        if self.kept:
            given = {
                "LISTEN_FDS": str(len(self.kept)),
                "LISTEN_FDNAMES": ":".join(name for name, _ in self.kept),
            }
        fds = [fd for _, fd in self.kept]
        with log.open("ab") as out:
            process = subprocess.Popen(
                [
                    sys.executable, "-c", AS_GIVEN, " ".join(map(str, fds)), *TWISTD, "-n",
                    "--pidfile=", "camd", "--store", str(store), "--listen", LOOPBACK, "--web",
                    "off",
                ],
                cwd=log.parent, stdout=out, stderr=out, pass_fds=fds,
                env=environment(NOTIFY_SOCKET=str(self.directory_ / "notify"), **given),
            )  # fmt: skip

        def end() -> None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()

        self.addCleanup(end)
        return process

    def port(self, log: Path) -> int:
        return int(log.read_text().partition("boards reach it at 127.0.0.1 port ")[2].split()[0])

    def test_store(self) -> None:
        """The port, the slate, and each sketch's connection while it lasts are in the store, and no
        named board's; what is given back is taken up."""
        directory = self.directory()
        log, store = directory / "log", directory / "store"
        process = self.start(store, log)
        self.hear("READY=1")
        port = self.port(log)
        self.assertEqual([name[:5] for name in self.names()], ["door-", "slate"])
        named, gone, board = V2(port, Talk("cat")), V1(port), V1(port)
        self.assertEqual(named.photo(1, picture(1)), "ACK 1")
        for each in (gone, board):
            each.photo(picture(2))
            self.hear("FDSTORE=1")
        self.assertEqual(len(self.kept), 4)
        self.assertEqual(self.names()[:2], ["b0", "b1"])
        gone.close()
        self.hear("FDSTOREREMOVE=1")
        self.assertEqual(self.names()[:1], ["b1"])
        for name in self.names():
            self.assertRegex(name, r"^[a-z0-9-]+$")
        board.begin(picture(3)[:40])
        time.sleep(0.2)
        for number in range(3):
            process.kill()
            process.wait()
            waiting = V1(port)  # in the queue of a port that nobody serves
            waiting.send(b"FrameBegin" + picture(10 + number) + b"FrameOver")
            process = self.start(store, log)
            self.hear("READY=1")
            self.assertEqual(waiting.line(), "ACK")
            self.hear("FDSTORE=1")
            waiting.close()
            self.hear("FDSTOREREMOVE=1")
        self.assertIn("boards carried over: 1,", log.read_text())
        board.send(picture(3)[40:] + b"FrameOver")
        self.assertEqual(board.line(), "NAK torn")
        self.assertEqual(board.photo(picture(4)), "ACK")
        self.assertEqual(self.port(log), port)

        process.send_signal(signal.SIGUSR2)
        self.hear("MAINPID=")
        self.assertEqual(process.wait(10), 0)
        main = int(self.said[-1].partition("MAINPID=")[2].split()[0])
        self.assertEqual(board.photo(picture(5)), "ACK")
        self.hear("READY=1")
        self.assertEqual(len(self.names()), 3)
        os.kill(main, signal.SIGTERM)
        self.hear("STOPPING=1")
        self.assertTrue(board.ends())
        self.assertNotIn("Traceback", log.read_text())

    def test_slate_of_another_version(self) -> None:
        """One that is of no use gives way to another, on which boards that were kept stand too."""
        directory = self.directory()
        log, store = directory / "log", directory / "store"
        process = self.start(store, log)
        self.hear("READY=1")
        board = V1(self.port(log))
        self.assertEqual(board.photo(picture(1)), "ACK")
        self.hear("FDNAME=b0")
        process.kill()
        process.wait()
        for name, fd in self.kept:
            if name == "slate":
                os.ftruncate(fd, 100)
        process = self.start(store, log)
        self.hear("READY=1")
        self.assertEqual(self.names().count("slate"), 1)
        self.assertEqual(board.line(), "NAK restart")  # nothing was known of it
        self.assertEqual(board.photo(picture(2)), "ACK")
        process.kill()
        process.wait()
        self.start(store, log)
        self.hear("READY=1")
        self.assertTrue(silent(board, 4))
        self.assertEqual(board.photo(picture(3)), "ACK")

    def test_given_what_makes_no_sense(self) -> None:
        """Sockets of others, and a slate that is none, are no obstacle; a connection without a
        slate is one of which nothing is known."""
        directory = self.directory()
        log, store = directory / "log", directory / "store"
        door = socket.create_server(("127.0.0.1", 0))
        waits, ours = socket.create_connection(door.getsockname()), door.accept()[0]
        none = os.memfd_create("none")
        self.kept = [("b7", ours.detach()), ("slate", none), ("somebody", door.detach())]
        self.start(store, log)
        self.hear("READY=1")
        waits.settimeout(10)
        self.assertEqual(waits.recv(100), b"NAK restart\n")
        waits.sendall(b"FrameBegin" + picture(1) + b"FrameOver")
        self.assertEqual(waits.recv(100), b"ACK\n")
        waits.close()
