"""Only who has the key gets in, over plain TCP and over TLS; and the operator, over SSH."""

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading

from camd.authority import create
from tests.e2e_boards import V1, V2, Wire, photo
from tests.e2e_daemon import Daemon, DaemonCase, environment, until
from tests.e2e_talk import Talk
from tests.tools import tool


class KeyedCase(DaemonCase):
    """A daemon, and keys made as an operator makes them."""

    def camd(self, daemon: Daemon, *arguments: str) -> str:
        """The admin command on the daemon's store."""
        command = [sys.executable, "-m", "camd", *arguments, "--store", str(daemon.store)]
        done = subprocess.run(
            command, env=environment(), cwd=daemon.directory, capture_output=True, text=True,
            timeout=30, check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def enroll(self, daemon: Daemon, camera: str, *options: str) -> bytes:
        return bytes.fromhex(self.camd(daemon, "enroll", camera, "--print", *options).strip())

    def refused(self, daemon: Daemon, talk: Talk, tls: ssl.SSLContext | None = None) -> str:
        """With what word."""
        with self.assertRaises(EOFError) as caught:
            V2(daemon.ports[1 if tls else 0], talk, tls)
        return str(caught.exception)


class Keys(KeyedCase):
    """Keys, while camd runs."""

    def test_life_of_a_key(self) -> None:
        """Enrolled, rotated, settled, revoked: who has a valid key is let in, nobody else, from
        that moment on; nothing is stored of the others."""
        daemon = self.daemon().start()
        free = V2(daemon.port, Talk("trap"))
        self.assertEqual(free.photo(1, photo(1)), "ACK 1")
        first = self.enroll(daemon, "trap")
        self.assertEqual(self.refused(daemon, Talk("trap", key=bytes(32))), "ERR auth")
        board = V2(daemon.port, Talk("trap", key=first))
        self.assertIn(f" proof={board.talk.proof}", board.welcome)
        self.assertEqual(board.photo(2, photo(2)), "ACK 2")
        self.assertEqual(free.line(), "ERR taken")
        second = self.enroll(daemon, "trap", "--rotate")
        for seq, key in ((3, first), (4, second)):
            self.assertEqual(V2(daemon.port, Talk("trap", key=key)).photo(seq, photo(seq)),
                             f"ACK {seq}")  # fmt: skip
        self.camd(daemon, "enroll", "trap", "--settle")
        self.assertEqual(self.refused(daemon, Talk("trap", key=first)), "ERR auth")
        V2(daemon.port, Talk("trap", key=second))
        self.camd(daemon, "revoke", "trap")
        self.assertEqual(self.refused(daemon, Talk("trap", key=second)), "ERR auth")
        self.assertEqual(len(daemon.photos()), 4)

    def test_sealed(self) -> None:
        """On plain TCP every line is sealed; a payload that somebody altered stores nothing."""
        daemon = self.daemon().start()
        key = self.enroll(daemon, "trap")
        board = V2(daemon.port, Talk("trap", key=key))
        frame = bytearray(board.talk.frame(1, photo(1)))
        frame[-100] ^= 4
        board.send(bytes(frame))
        self.assertEqual(board.answer(), "ERR mac")
        self.assertTrue(board.ends())
        self.assertEqual(daemon.photos(), {})
        board = V2(daemon.port, Talk("trap", key=key))
        self.assertEqual(board.last, 0)
        self.assertEqual(board.photo(1, photo(1)), "ACK 1")

    def test_v1_from_a_keyed_address(self) -> None:
        """v1 from an address whose camera has a key: NAK denied, nothing stored, still there."""
        daemon = self.daemon('[[camera]]\nid = "trap"\naddress = ["127.0.0.1"]').start()
        board = V1(daemon.port)
        self.assertEqual(board.photo(photo(1)), "ACK")
        self.enroll(daemon, "trap")
        for _ in range(3):
            self.assertEqual(board.photo(photo(2)), "NAK denied")
        self.assertEqual([path.split("/")[0] for path in daemon.photos()], ["trap"])


class Tls(KeyedCase):
    """The door with TLS."""

    def secure(self) -> tuple[Daemon, ssl.SSLContext]:
        directory = self.directory()
        files = create(directory / "tls", ["localhost", "127.0.0.1"])
        daemon = self.daemon(
            f'[tls]\ncertificate = "{files.server}"\nkey = "{files.server_key}"\n'
            'listen = ["tcp:0:interface=127.0.0.1"]',
        ).start()  # fmt: skip
        self.assertEqual(len(daemon.ports), 2)
        return daemon, ssl.create_default_context(cafile=str(files.ca))

    def test_photos(self) -> None:
        """A client that verifies the certificate stores photos, v1 and v2, keyed without macs."""
        daemon, tls = self.secure()
        port = daemon.ports[1]
        self.assertEqual(V1(port, tls).photo(photo(1)), "ACK")
        self.assertEqual(V2(port, Talk("free"), tls).photo(1, photo(2)), "ACK 1")
        key = self.enroll(daemon, "trap")
        board = V2(port, Talk("trap", key=key, tls=True), tls)
        self.assertIn(f" proof={board.talk.proof}", board.welcome)
        self.assertNotIn("mac=", board.welcome)
        big = photo(3, (1600, 1200))
        self.assertEqual(board.photo(1, big), "ACK 1")
        self.assertIn(big, daemon.photos().values())

    def test_errors_arrive(self) -> None:
        """What camd says before it closes arrives over TLS as well, and then it is closed."""
        daemon, tls = self.secure()
        port = daemon.ports[1]
        for said, answer in (
            (b"HELLO camd/1 x=1\n", "ERR version"),
            (Talk("Bad").hello(), "ERR id"),
            (b"HELLO " + b"x" * 1100, "ERR line"),
        ):
            wire = Wire(port, tls)
            wire.send(said)
            self.assertEqual(wire.line(), answer)
            self.assertTrue(wire.ends(8))
        first = V2(port, Talk("trap"), tls)
        second = V2(port, Talk("trap"), tls)
        self.assertEqual(first.line(), "ERR taken")
        second.send(second.talk.line(f"FRAME seq=1 len={2**30} crc=00000000"))
        self.assertEqual(second.line(), "NAK 1 size")
        self.assertTrue(second.ends(8))

    def test_stranger_to_tls(self) -> None:
        """Plain text at the TLS port is refused, a client that trusts somebody else refuses; the
        door serves on."""
        daemon, tls = self.secure()
        port = daemon.ports[1]
        plain = Wire(port)
        plain.send(b"FrameBegin" + photo(1) + b"FrameOver")
        with self.assertRaises((EOFError, ConnectionError, UnicodeDecodeError)):
            while True:
                self.assertNotIn("ACK", plain.line())
        self.assertRaises(ssl.SSLError, Wire, port, ssl.create_default_context())
        with socket.create_connection(("127.0.0.1", port)):
            self.assertEqual(V1(port, tls).photo(photo(2)), "ACK")
        self.assertEqual(list(daemon.photos().values()), [photo(2)])


class Manhole(KeyedCase):
    """The Python prompt, with OpenSSH."""

    def test_fleet(self) -> None:
        """ssh with the operator's key reaches the running daemon's fleet, store and intake, and a
        command typed there reaches the board."""
        directory = self.directory()
        key = directory / "id"
        subprocess.run(
            [tool("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-f", str(key)],
            check=True, timeout=20,
        )  # fmt: skip
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        daemon = self.daemon(
            f'[manhole]\nlisten = "tcp:{port}:interface=127.0.0.1"\n'
            f'authorized_keys = "{key}.pub"',
        ).start()  # fmt: skip
        board = V2(daemon.port, Talk("greenhouse-1"))
        self.assertEqual(board.photo(1, photo(1)), "ACK 1")
        ssh = subprocess.Popen(
            [tool("ssh", "openssh-client"), "-F", "none", "-tt", "-p", str(port), "-i", str(key),
             "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
             "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "camd@127.0.0.1"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "TERM": "xterm"},
        )  # fmt: skip
        self.addCleanup(ssh.wait, 10)
        self.addCleanup(ssh.kill)
        assert ssh.stdin is not None and ssh.stdout is not None
        shown = bytearray()
        out = ssh.stdout
        reader = threading.Thread(
            target=lambda: [shown.extend(data) for data in iter(lambda: out.read1(4096), b"")],
            daemon=True,
        )
        reader.start()

        def plain() -> str:
            text = re.sub(rb"\x1b(?:\[[0-9;?]*[A-Za-z]|[=>Mc])", b"", bytes(shown))
            return text.decode("utf-8", "replace")

        def say(line: str, wanted: str) -> None:
            before = len(plain())
            assert ssh.stdin is not None
            ssh.stdin.write(line.encode() + b"\r")
            ssh.stdin.flush()
            until(lambda: wanted in plain()[before + len(line) :], 15, f"{wanted} in {plain()!r}")

        until(lambda: ">>> " in plain(), 20, "a prompt")
        say("fleet.cameras['greenhouse-1'].photos + 41", "42")
        say("cams()", "greenhouse-1")
        say("store.root", str(daemon.store.name))
        say("stats()", "photos")
        say("snap('greenhouse-1')", "pending")
        self.assertEqual(board.line(), "SNAP 1")
        board.send(board.talk.line("DONE 1 took=12"))
        until(lambda: "took" in plain(), 10, "what the board said")
        say("kick('greenhouse-1')", "")
        self.assertTrue(board.ends())


class Log(DaemonCase):
    """Hostile names and texts in the log."""

    def test_one_line_an_event(self) -> None:
        """Braces, line ends and escapes from the wire stay inside their line, or their object."""
        daemon = self.daemon("", "--log-json").start()
        nasty = "%7Blog_source%7D%0A%1B%5B2J"
        wire = Wire(daemon.port)
        wire.send(f"HELLO camd/2 cam=a fw={nasty}\n".encode())
        self.assertEqual(wire.line(), "ERR syntax")
        board = V2(daemon.port, Talk("trap"))
        board.send(b"STAT reset={log_system.__class__} x={0}\n" + b"FAIL 1 {x!r:>{y}}\nWHAT {a}\n")
        self.assertEqual(board.line(), "ERR verb")
        for line in daemon.said.splitlines():
            json.loads(line)
        self.assertNotIn("Unformattable", daemon.said)
