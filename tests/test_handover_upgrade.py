"""A new process takes over under load, and no board notices."""

import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from camd.keys import KeyRing
from camd.photo import CameraId
from tests.e2e_boards import V1, V2, Wire
from tests.e2e_daemon import LOOPBACK, environment
from tests.e2e_lasting import (
    LastingCase,
    Named,
    Sketch,
    copied,
    end_all,
    memory_and_descriptors,
    pid_of,
    silent,
    unix,
)
from tests.e2e_talk import KEY, Talk, picture
from tests.web_client import WEB, Client, port_of


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
            root = copied(directory)
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
