"""A new process takes over under load, and no board notices."""

import fcntl
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from camd.cli import restart as restart_module
from camd.cli.restart import is_locked
from camd.keys import KeyRing
from camd.photo import CameraId
from tests.e2e_boards import V1, V2, Wire, photo
from tests.e2e_daemon import LOOPBACK, Daemon, environment, until
from tests.e2e_disk import Disk, fill
from tests.e2e_lasting import (
    LastingCase,
    Named,
    Sketch,
    end_all,
    memory_and_descriptors,
    pid_of,
    silent,
    unix,
)
from tests.e2e_talk import KEY, Talk, picture
from tests.tools import tool
from tests.web_client import WEB, Client, port_of

ROOT = Path(__file__).parent.parent


def restart(daemon: Daemon) -> "subprocess.CompletedProcess[str]":
    """What ``camd restart`` says."""
    return subprocess.run(
        [sys.executable, "-m", "camd", "--store", str(daemon.store), "restart"],
        cwd=daemon.directory, env=environment(), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


def copy(directory: Path) -> Path:
    """A camd of the test's own, to be spoilt."""
    code = directory / "code"
    shutil.copytree(ROOT / "camd", code / "camd", ignore=shutil.ignore_patterns("__pycache__"))
    (code / "twisted").symlink_to(ROOT / "twisted")
    return code


class Boards(LastingCase):
    """What they see of it."""

    def test_twenty_in_a_row(self) -> None:
        """Under load, twenty times: sketches get one line a frame, named boards, plain and sealed,
        are welcomed once, every acknowledged photo is stored once, and nothing grows."""
        directory = self.directory()
        path = Path(tempfile.mkdtemp()) / "door"
        self.addCleanup(shutil.rmtree, path.parent)
        keys = KeyRing(directory / "store" / ".camd" / "keys")
        keys.directory.mkdir(parents=True)
        key = keys.enroll(CameraId("named-8"))
        daemon = self.lasting("", "--listen", f"unix:{path}", directory=directory)
        boards = [Sketch(daemon.port, number, number / 100) for number in range(5)]
        boards.append(Sketch(0, 5, address=str(path)))
        boards += [Named(daemon.port, 7), Named(daemon.port, 8, key)]
        for board in boards:
            board.start()
        sizes = []
        for _ in range(20):
            unserved = self.upgrade(daemon)
            self.assertLess(unserved, 5000)
            sizes.append(memory_and_descriptors(pid_of(daemon)))
            time.sleep(0.05)
        end_all(boards)
        self.assert_alive(boards)
        for board in boards:
            self.assertEqual(set(board.answers), {"ACK"}, board.number)
            self.assertGreater(board.answers["ACK"], 20)
            if isinstance(board, Named):
                self.assertEqual(board.sessions, 1)
        self.assert_stored_once(daemon, boards)
        self.assertLess(max(memory for memory, _ in sizes), 1.25 * sizes[0][0])
        self.upgrade(daemon)
        left = memory_and_descriptors(pid_of(daemon))[1]
        self.upgrade(daemon)
        self.assertEqual(memory_and_descriptors(pid_of(daemon))[1], left)

    def test_everywhere_in_a_frame(self) -> None:
        """However much of a frame was read before, it is stored, and so are discarded ones told."""
        daemon = self.lasting()
        photos = [picture(number, 3000) for number in range(40)]
        cuts = [*range(12), 20, 40, 700, 1500, *range(-20, 1)]
        boards = [V1(daemon.port) for _ in cuts]
        frames = [
            b"FrameBegin" + picture(number, 3000) + b"FrameOver" for number, _ in enumerate(cuts)
        ]
        heads = [frame[:cut] if cut else frame for frame, cut in zip(frames, cuts, strict=True)]
        tails = [frame[cut:] if cut else b"" for frame, cut in zip(frames, cuts, strict=True)]
        large = V1(daemon.port)
        large.send(b"FrameBegin\xff\xd8" + bytes(5_000_000))
        named = V2(daemon.port, Talk("named"))
        line = named.talk.frame(1, photos[0])
        named.send(line[:1000])
        for board, head in zip(boards, heads, strict=True):
            board.send(head)
        time.sleep(0.3)
        self.upgrade(daemon)
        for board, tail in zip(boards, tails, strict=True):
            board.send(tail)
        self.assertEqual([board.line() for board in boards], ["ACK"] * len(boards))
        large.send(bytes(1000) + b"FrameOver")
        self.assertEqual(large.line(), "NAK size")
        named.send(line[1000:])
        self.assertEqual(named.answer(), "ACK 1")
        self.assertTrue(all(silent(board, 0) for board in [*boards, large, named]))
        for number, board in enumerate(boards):
            board.send(b"FrameBegin" + picture(1000 + number) + b"FrameOver")
        self.assertEqual([board.line() for board in boards], ["ACK"] * len(boards))

    def test_pace(self) -> None:
        """An answer that is held back comes when it would have come, and the stale photo behind
        it is known as such."""
        daemon = self.lasting('[cameras]\npace = "8 s"\n')
        board = V1(daemon.port)
        board.send(b"FrameBegin" + picture(1) + b"FrameOver")
        began = time.monotonic()
        time.sleep(4)
        self.upgrade(daemon)
        upgraded = time.monotonic() - began
        self.assertEqual(board.line(), "ACK")
        waited = time.monotonic() - began
        self.assertGreater(waited, 7.9)
        self.assertLess(waited, max(8.0, upgraded) + 3.5)
        self.upgrade(daemon)
        self.assertEqual(board.photo(picture(2)), "SKIP")

    def test_who_is_new(self) -> None:
        """Whoever connects meanwhile, or has said nothing yet, is served; a session that is half
        open is opened; nobody is refused at the port."""
        daemon = self.lasting()
        quiet, begun = V1(daemon.port), Wire(daemon.port)
        begun.send(b"HELLO camd/2 cam=slow boot=00000000000000")
        refused: list[OSError] = []
        over = threading.Event()

        def knock() -> None:
            while not over.is_set():
                try:
                    board = V1(daemon.port)
                    if board.photo(picture(5)) != "ACK":
                        raise OSError("no answer")
                    board.close()
                except OSError as error:
                    refused.append(error)

        knocking = threading.Thread(target=knock, daemon=True)
        knocking.start()
        for _ in range(3):
            self.upgrade(daemon)
        over.set()
        knocking.join(30)
        self.assertEqual(refused, [])
        self.assertEqual(quiet.photo(picture(1)), "ACK")
        begun.send(b"01 nonce=" + b"0" * 32 + b"\n")
        self.assertTrue(begun.line().startswith("WELCOME "))

    def test_window(self) -> None:
        """More photos than the window allows, none of their answers read yet: each gets one."""
        daemon = self.lasting("[wire]\nwindow = 2\n")
        for key in (None, KEY):
            name = "plain" if key is None else "sealed"
            if key is not None:
                keys = daemon.store / ".camd" / "keys"
                keys.mkdir(exist_ok=True)
                (keys / "sealed.key").write_text(key.hex())
                (keys / "sealed.key").chmod(0o600)
            board = V2(daemon.port, Talk(name, key=key))
            frames = [board.talk.frame(seq, picture(seq, 100_000)) for seq in range(1, 31)]
            sender = threading.Thread(target=board.send, args=(b"".join(frames),), daemon=True)
            sender.start()
            self.upgrade(daemon)
            self.upgrade(daemon)
            answers = sorted(board.answer() for _ in frames)
            self.assertEqual(answers, sorted(f"ACK {seq}" for seq in range(1, 31)))
        self.assertEqual(len(daemon.photos()), 60)

    def test_refused_payload(self) -> None:
        """In the midst of a payload that is being read over: in the open the session goes on,
        sealed the board has to come back, since the seal of what is gone cannot be carried."""
        directory = self.directory()
        keys = directory / "store" / ".camd" / "keys"
        keys.mkdir(parents=True)
        (keys / "sealed.key").write_text(KEY.hex())
        (keys / "sealed.key").chmod(0o600)
        daemon = self.lasting("[wire]\nmax = 400000\n", directory=directory)
        plain, sealed = V2(daemon.port, Talk("plain")), V2(daemon.port, Talk("sealed", key=KEY))
        lines = [board.talk.frame(1, bytes(500_000)) for board in (plain, sealed)]
        for board, line in zip((plain, sealed), lines, strict=True):
            board.send(line[:1000])
        time.sleep(0.2)
        self.upgrade(daemon)
        plain.send(lines[0][1000:])
        self.assertEqual(plain.answer(), "NAK 1 size")
        self.assertTrue(sealed.ends())
        again = V2(daemon.port, Talk("sealed", key=KEY))
        self.assertEqual(again.photo(2, picture(1)), "ACK 2")

    def test_commands(self) -> None:
        """What is asked of a board later has a number of its own, which no former command had."""
        daemon = self.lasting("", "--web", WEB)
        page = Client(port_of(daemon)).sign_in()
        named = V2(daemon.port, Talk("named"))

        def ask() -> str:
            reply = page.ask("POST", "/api/v1/cameras/named/commands", {"command": "snap"})
            self.assertEqual(reply.status, 202)
            return named.answer()

        self.assertEqual([ask(), ask()], ["SNAP 1", "SNAP 2"])
        self.upgrade(daemon)
        self.assertEqual(ask(), "SNAP 3")
        self.upgrade(daemon)
        self.assertEqual(ask(), "SNAP 4")

    def test_beside_the_camera(self) -> None:
        """Of the connections under one name, the one that commands went to is the one that they go
        to still; those that are denied are not that camera."""
        daemon = self.lasting('[[camera]]\nid = "named"\naddress = ["127.0.0.1"]', "--web", WEB)
        keys = KeyRing(daemon.store / ".camd" / "keys")
        key = keys.enroll(CameraId("named"))
        page = Client(port_of(daemon)).sign_in()
        named = V2(daemon.port, Talk("named", key=key))
        others = [V1(daemon.port) for _ in range(12)]
        for turn in range(2):
            for other in others:
                self.assertEqual(other.photo(picture(1)), "NAK denied")
            reply = page.ask("POST", "/api/v1/cameras/named/commands", {"command": "snap"})
            self.assertEqual(reply.status, 202)
            self.assertEqual(named.answer(), f"SNAP {turn + 1}")
            self.upgrade(daemon)

    def secure(self, directory: Path) -> tuple[str, ssl.SSLContext]:
        """The settings of a door with TLS, and what its boards need."""
        authority = subprocess.run(
            [
                sys.executable, "-m", "camd", "--store", str(directory / "store"), "enroll",
                "--ca", "localhost",
            ],
            cwd=directory, env=environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if authority.returncode:
            raise AssertionError(authority.stderr)
        tls = sorted((directory / "store" / ".camd" / "tls").iterdir())
        names = {path.name: path for path in tls}
        config = (
            f'[tls]\ncertificate = "{names["server.pem"]}"\nkey = "{names["server.key"]}"\n'
            f'listen = ["{LOOPBACK}"]\n'
        )
        return config, ssl.create_default_context(cafile=str(names["ca.pem"]))

    def test_tls(self) -> None:
        """A connection under TLS ends in an orderly way, and its port goes on."""
        directory = self.directory()
        config, context = self.secure(directory)
        daemon = self.lasting(config, directory=directory)
        board = V2(daemon.ports[1], Talk("cat", tls=True), context)
        self.assertEqual(board.photo(1, picture(1)), "ACK 1")
        self.upgrade(daemon)
        self.assertTrue(board.ends())
        again = V2(daemon.ports[1], Talk("cat", tls=True), context)
        self.assertEqual(again.photo(1, picture(1)), "ACK 1")

    def test_stopped_too_late(self) -> None:
        """Who asks the old process to stop when the new one serves does not close its ports."""
        go = (
            "\nimport signal\n_go = Heir.go\ndef _late(self: object) -> None:\n    _go(self)\n"
            "    os.kill(os.getpid(), signal.SIGTERM)\nHeir.go = _late\n"
        )
        barrier = (
            "\n_heard = _barrier\ndef _late() -> None:\n    _heard()\n"
            "    os.kill(os.getpid(), signal.SIGTERM)\n_barrier = _late\n"
        )
        for module, code in (("heir.py", go), ("upgrade.py", barrier)):
            directory = self.directory()
            config, context = self.secure(directory)
            root = copy(directory)
            with (root / "camd" / "handover" / module).open("a") as file:
                file.write(code)
            daemon = self.lasting(config, directory=directory, env={"PYTHONPATH": str(root)})
            old, board = V1(daemon.port), V2(daemon.ports[1], Talk("cat", tls=True), context)
            self.assertEqual(old.photo(picture(1)), "ACK")
            self.assertEqual(board.photo(1, picture(2)), "ACK 1")
            self.upgrade(daemon)
            self.assertEqual(daemon.ended(), 0)
            self.assertEqual(old.photo(picture(3)), "ACK")
            self.assertEqual(V1(daemon.port).photo(picture(4)), "ACK")


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
        root = copy(directory)
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


class Doors(LastingCase):
    """What is listened on besides."""

    def test_socket_by_file(self) -> None:
        """A unix socket keeps its file and its boards."""
        directory = self.directory()
        path = Path(tempfile.mkdtemp()) / "door"
        self.addCleanup(shutil.rmtree, path.parent)
        daemon = self.lasting("", "--listen", f"unix:{path}", directory=directory)
        board = unix(str(path))
        board.begin(picture(1)[:40])
        self.upgrade(daemon)
        self.photo(board, picture(1)[40:])
        other = unix(str(path))
        self.photo(other, b"FrameBegin" + picture(2))

    def photo(self, board: V1, rest: bytes) -> None:
        board.send(rest + b"FrameOver")
        self.assertEqual(board.line(), "ACK")

    def test_proxy(self) -> None:
        """Behind a proxy the board is who it was."""
        daemon = self.lasting("", "--listen", "haproxy:tcp:0:interface=127.0.0.1", listen=None)
        port = next(
            int(line.rpartition(" ")[2])
            for line in daemon.said.splitlines() if "listening on haproxy" in line
        )  # fmt: skip
        board = V1(port)
        board.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 8940\r\n")
        self.assertEqual(board.photo(picture(1)), "ACK")
        board.begin(picture(2)[:40])
        time.sleep(0.2)
        self.upgrade(daemon)
        self.photo(board, picture(2)[40:])
        self.assertEqual({path.split("/")[0] for path in daemon.photos()}, {"v1-192-0-2-7"})

    def test_changed(self) -> None:
        """The new one listens where the configuration says now, and no longer where it said."""
        directory = self.directory()
        daemon = self.lasting(f'listen = ["{LOOPBACK}"]\n', directory=directory, listen=None)
        old = daemon.port
        board = V1(old)
        self.assertEqual(board.photo(picture(1)), "ACK")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            new = probe.getsockname()[1]
        daemon.config.write_text(f'listen = ["tcp:{new}:interface=127.0.0.1"]\n')
        self.upgrade(daemon)
        self.assertEqual(board.photo(picture(2)), "ACK")
        self.assertEqual(V1(new).photo(picture(3)), "ACK")
        self.assertRaises(OSError, V1, old)

    def test_key(self) -> None:
        """A key that was taken away meanwhile lets nobody stay."""
        directory = self.directory()
        keys = directory / "store" / ".camd" / "keys"
        keys.mkdir(parents=True)
        (keys / "cat.key").write_text(KEY.hex())
        (keys / "cat.key").chmod(0o600)
        daemon = self.lasting(directory=directory)
        board = V2(daemon.port, Talk("cat", key=KEY))
        self.assertEqual(board.photo(1, picture(1)), "ACK 1")
        (keys / "cat.key").write_text("")
        self.upgrade(daemon)
        self.assertTrue(board.ends())
