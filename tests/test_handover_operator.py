"""What the operator is told of an upgrade, and what becomes of one that cannot be."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

from camd.cli import restart as restart_module
from camd.cli.restart import is_locked
from tests.e2e_boards import V1, V2, photo
from tests.e2e_daemon import Daemon, environment, until
from tests.e2e_disk import Disk, fill
from tests.e2e_lasting import (
    LastingCase,
    Sketch,
    copied,
    end_all,
    memory_and_descriptors,
    pid_of,
)
from tests.e2e_talk import Talk, picture
from tests.tools import tool
from tests.web_client import WEB, Client, port_of


def restart(daemon: Daemon) -> "subprocess.CompletedProcess[str]":
    """What ``camd restart`` says."""
    return subprocess.run(
        [sys.executable, "-m", "camd", "--store", str(daemon.store), "restart"],
        cwd=daemon.directory, env=environment(), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


class Operator(LastingCase):
    """What is said, and what becomes of an upgrade that cannot be."""

    def photo_goes_on(self, daemon: Daemon, board: V1, rest: bytes) -> None:
        board.send(rest)
        self.assertEqual(board.line(), "ACK")
        self.assertEqual(board.photo(picture(99)), "ACK")

    def test_restart(self) -> None:
        """The command tells in a line who has taken over; the pidfile is the new one's; SIGTERM
        still means stop."""
        directory = self.directory()
        daemon = self.lasting(directory=directory)
        board = V1(daemon.port)
        board.begin(picture(1)[:30])
        before = pid_of(daemon)
        done = restart(daemon)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.assertIn(
            f"Process {pid_of(daemon)} has taken over from {before}: boards carried over: 1,",
            done.stdout,
        )
        self.assertEqual(daemon.ended(), 0)
        self.photo_goes_on(daemon, board, picture(1)[30:] + b"FrameOver")
        pid = pid_of(daemon)
        os.kill(pid, signal.SIGTERM)
        self.assertTrue(board.ends())
        until(lambda: "stopped; every photo" in daemon.said)
        self.assertIn("sketch that are connected: 1;", daemon.said)
        self.assertEqual(restart(daemon).returncode, 1)

    def refused(self, daemon: Daemon, *words: str) -> None:
        """No restart, and a line that says why; a frame goes on where it was."""
        board, data = V1(daemon.port), picture(7, 5000)
        board.begin(data[:3000])
        pid, fds = pid_of(daemon), memory_and_descriptors(pid_of(daemon))[1]
        done = restart(daemon)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(f"process {pid} runs on as it was", done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(pid_of(daemon), pid)
        self.photo_goes_on(daemon, board, data[3000:] + b"FrameOver")
        self.assertLessEqual(memory_and_descriptors(pid)[1], fds + 1)
        self.assertEqual(daemon.said.count("no restart, this camd runs on"), 1)
        self.assertNotIn("Unhandled", daemon.said)

    def test_bad_configuration(self) -> None:
        """A configuration that is wrong meanwhile: the key is named."""
        daemon = self.lasting()
        daemon.config.write_text("[wire]\nwindow = 0\n")
        self.refused(daemon, "wire.window")
        daemon.config.write_text("")
        self.upgrade(daemon)

    def spoilt(self, module: str, code: str, config: str = "", *options: str) -> Daemon:
        """A daemon that runs, and whose *module* ends with *code* from now on."""
        directory = self.directory()
        root = copied(directory)
        env = {"PYTHONPATH": str(root)}
        daemon = self.lasting(config, *options, directory=directory, env=env)
        with (root / "camd" / module).open("a") as file:
            file.write(code)
        return daemon

    def test_between_two(self) -> None:
        """A store that is nobody's for a moment, since one process has let go and the next has not
        taken it yet, is one on which camd runs."""
        lock = Path(self.mktemp())
        lock.write_text("4711\n")
        with lock.open() as held:

            def first(path: Path) -> bool:
                taken = is_locked(path)
                fcntl.flock(held, fcntl.LOCK_EX)
                return taken

            self.patch(restart_module, "is_locked", first)
            self.assertEqual(restart_module.running(lock), 4711)

    def test_broken_program(self) -> None:
        """A program that cannot even be imported."""
        self.refused(self.spoilt("tap.py", "\nraise RuntimeError('half installed')\n"))

    def test_slow_program(self) -> None:
        """One that takes too long is ended."""
        daemon = self.spoilt(
            "tap.py", "\nimport time\ntime.sleep(60)\n", '[restart]\nready = "2 s"\n'
        )
        self.refused(daemon, "was not ready within 2 s")
        self.assertEqual(self.children(daemon), [])

    def children(self, daemon: Daemon) -> list[str]:
        path = Path(f"/proc/{pid_of(daemon)}/task/{pid_of(daemon)}/children")
        return path.read_text().split()

    def test_stop_meanwhile(self) -> None:
        """Whoever wants the end while the new one starts gets it, of both."""
        daemon = self.spoilt("tap.py", "\nimport time\ntime.sleep(60)\n")
        os.kill(daemon.pid, signal.SIGUSR2)
        until(lambda: self.children(daemon))
        child = int(self.children(daemon)[0])
        self.assertEqual(daemon.stop(), 0)
        self.assertRaises(ProcessLookupError, os.kill, child, 0)
        self.assertIn("stopped; every photo", daemon.said)
        self.assertNotIn("Traceback", daemon.said)

    def test_twice_at_once(self) -> None:
        """Asked twice, it happens once."""
        daemon = self.lasting()
        os.kill(daemon.pid, signal.SIGUSR2)
        os.kill(daemon.pid, signal.SIGUSR2)
        self.assertEqual(daemon.ended(), 0)
        until(lambda: "has taken over" in daemon.said)
        self.assertEqual(V1(daemon.port).photo(picture(1)), "ACK")
        self.assertEqual(daemon.said.count("a new camd is started"), 1)

    def test_asked_while_it_takes_over(self) -> None:
        """Who asks a process that has just taken over, and is not through with it, is heard."""
        daemon = self.spoilt(
            "handover/continuity.py",
            "\n_after = Continuity.after_doors\n"
            "def _asked(self: object) -> None:\n    import signal\n"
            "    if not os.path.exists('asked'):\n        open('asked', 'w').close()\n"
            "        os.kill(os.getpid(), signal.SIGUSR2)\n    _after(self)\n"
            "Continuity.after_doors = _asked\n",
        )
        os.kill(daemon.pid, signal.SIGUSR2)
        until(lambda: daemon.said.count("this process has taken over") == 2)

    def test_keeper_wanted(self) -> None:
        """A keeper cannot come between: that it is wanted now changes nothing until the next start,
        and is said."""
        daemon = self.lasting()
        board = V1(daemon.port)
        self.assertEqual(board.photo(picture(1)), "ACK")
        daemon.config.write_text("[restart]\nkeep = true\n")
        self.upgrade(daemon)
        self.assertEqual(board.photo(picture(2)), "ACK")
        self.assertIn("restart.keep counts when camd is stopped and started", daemon.said)

    def test_full_disk(self) -> None:
        """Where there is no room to open the store in, which somebody might have taken by the time
        that it is closed, it stays open."""
        directory = self.directory()
        disk = Disk(directory, 40)
        self.addCleanup(disk.unmount)
        daemon = self.lasting(
            '[store]\nkeep_free = "0 B"\n', directory=directory, store=disk.path / "s"
        )
        board = V1(daemon.port)
        self.assertEqual(board.photo(picture(1)), "ACK")
        fill(disk.path / "other")
        pid = pid_of(daemon)
        os.kill(pid, signal.SIGUSR2)
        until(lambda: "no room on the disk to open the store in" in daemon.said)
        self.assertEqual(board.photo(picture(2, 3000)), "NAK full")
        (disk.path / "other").unlink()
        until(lambda: board.photo(picture(3, 3000)) == "ACK")
        self.upgrade(daemon)
        self.assertEqual(board.photo(picture(4)), "ACK")

    def test_film(self) -> None:
        """A film in the making goes on where the new process did not take over."""
        tool("ffmpeg", "ffmpeg")
        daemon = self.spoilt(
            "handover/forebear.py",
            "\ndef _die(self: object) -> None:\n    os._exit(3)\nForebear.taken = _die\n",
            '[timelapse]\nlongest = "1 h"\n',
            "--web",
            WEB,
        )
        page = Client(port_of(daemon)).sign_in()
        board = V2(daemon.port, Talk("cat"))
        for seq in range(1, 4):
            self.assertEqual(board.photo(seq, photo(seq)), f"ACK {seq}")
        films = "/api/v1/cameras/cat/timelapses"
        until(lambda: len(page.get("/api/v1/photos?camera=cat").json["photos"]) == 3)
        self.assertEqual(page.ask("POST", films, {"length": 3600, "size": "uxga"}).status, 202)
        folder = daemon.store / ".camd" / "timelapses"
        until(lambda: list(folder.glob("*.part")))
        self.assertEqual(restart(daemon).returncode, 1)
        self.assertEqual(len(list(folder.glob("*.part"))), 1)

    def test_newer_catalog(self) -> None:
        """One that does not know the catalog."""
        daemon = self.spoilt("store/schema.py", "\ncheck_version.__defaults__ = ((),)\n")
        self.refused(daemon, "newer camd")

    def test_dies_with_everything(self) -> None:
        """One that has been given all there is, and dies: the old one takes it all back."""
        daemon = self.spoilt(
            "handover/forebear.py",
            "\ndef _die(self: object) -> None:\n    os._exit(3)\nForebear.taken = _die\n",
        )
        self.refused(daemon, "did not take over")
        self.refused_again(daemon)

    def refused_again(self, daemon: Daemon) -> None:
        boards = [Sketch(daemon.port, number) for number in range(3)]
        for board in boards:
            board.start()
        for _ in range(3):
            self.assertEqual(restart(daemon).returncode, 1)
        end_all(boards)
        self.assert_alive(boards)
        for board in boards:
            self.assertEqual(set(board.answers), {"ACK"})

    def test_no_way_back(self) -> None:
        """One that has changed the store so that the old one cannot take it back: that is said,
        and the exit code tells whoever keeps the connections to start another one."""
        daemon = self.spoilt(
            "handover/forebear.py",
            "\ndef _die(self: object) -> None:\n    import sqlite3\n"
            "    path = os.path.join(os.getcwd(), 'store', '.camd', 'catalog.sqlite')\n"
            "    sqlite3.connect(path).execute('PRAGMA user_version = 99')\n"
            "    os._exit(3)\nForebear.taken = _die\n",
        )
        done = restart(daemon)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("has ended", done.stderr)
        self.assertEqual(daemon.ended(), 1)
        self.assertIn("neither the new camd nor this one can go on", daemon.said)

    def test_words_lost(self) -> None:
        """One that ends without telling why: its exit code is told."""
        daemon = self.spoilt("handover/forebear.py", "\nForebear.wrong = print\n")
        daemon.config.write_text("[wire]\nwindow = 0\n")
        self.refused(daemon, "ended before it was ready (exit code 1)")
