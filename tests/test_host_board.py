"""The firmware's own core, over real sockets, against the real daemon: every photo that the board
took is stored once, whatever happens to either of them."""

import fcntl
import re
import signal
import socket
import subprocess
import zlib
from collections import Counter
from pathlib import Path

from camd.authority import create
from camd.keys import KeyRing
from camd.photo import CameraId
from tests.e2e_daemon import Daemon, DaemonCase, until
from tests.pictures import insects
from tests.tools import tool

FIRMWARE = Path(__file__).parent.parent / "firmware"
NAME = re.compile(r"_([0-9a-f]{16})-([0-9]+)\.jpg$")
LIMIT = 90


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class HostBoard(DaemonCase):
    """``firmware/build/host_board``."""

    def setUp(self) -> None:
        for name, package in (("make", "make"), ("g++", "g++")):
            tool(name, package)
        if not Path("/usr/include/openssl/ssl.h").exists():
            tool("openssl-headers", "libssl-dev")
        with (FIRMWARE / "Makefile").open("rb") as alone:
            fcntl.flock(alone, fcntl.LOCK_EX)  # tests of other processes make it, too
            made = subprocess.run(
                ["make", "-s", "-C", str(FIRMWARE), "host_board"],
                capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip
        self.assertEqual(made.returncode, 0, made.stderr)
        self.where = self.directory()
        pictures = self.where / "pictures"
        pictures.mkdir()
        (self.where / "card").mkdir()
        for number in range(4):
            (pictures / f"{number}.jpg").write_bytes(insects(number))

    def board(self, port: int, count: int, *more: str) -> "subprocess.Popen[bytes]":
        """A board that takes *count* photos in all, and ends when each is settled."""
        where = self.where
        board = subprocess.Popen(
            [
                str(FIRMWARE / "build" / "host_board"), "--host", "127.0.0.1", "--port", str(port),
                "--cam", "trap-1", "--photos", str(where / "pictures"), "--count", str(count),
                "--interval-ms", "20", "--spool", str(where / "card"), "--state",
                str(where / "state"), "--journal", str(where / "journal"), "--exit-when-done",
                "--timeout", str(LIMIT), *more,
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=where,
        )  # fmt: skip
        self.addCleanup(self._end, board)
        return board

    def _end(self, board: "subprocess.Popen[bytes]") -> None:
        if board.poll() is None:
            board.kill()
        board.wait()

    def taken(self) -> dict[tuple[str, int], int]:
        """(boot, seq) of each photo that the board took, and its CRC-32."""
        journal = self.where / "journal"
        lines = journal.read_text().splitlines() if journal.exists() else []
        words = [line.split() for line in lines]
        return {(w[1], int(w[2])): int(w[3], 16) for w in words if w[0] == "taken"}

    def assert_each_stored_once(self, daemon: Daemon, count: int) -> None:
        taken = self.taken()
        self.assertEqual(len(taken), count)
        stored: Counter[tuple[str, int]] = Counter()
        for path, data in daemon.photos().items():
            match = NAME.search(str(path))
            assert match is not None, path
            key = (match[1], int(match[2]))
            stored[key] += 1
            self.assertEqual(zlib.crc32(data), taken[key])
        self.assertEqual(stored, Counter(dict.fromkeys(taken, 1)))

    def fixed(self, config: str = "", *options: str) -> tuple[Daemon, int]:
        """A daemon on a port that it has again after a restart."""
        port = free_port()
        daemon = self.daemon(config, directory=self.where, listen=f"tcp:{port}:interface=127.0.0.1")
        return daemon, port

    def test_plain(self) -> None:
        """Without a key, and nothing goes wrong."""
        daemon, port = self.fixed()
        daemon.start()
        board = self.board(port, 40)
        self.assertEqual(board.wait(LIMIT), 0)
        self.assert_each_stored_once(daemon, 40)

    def test_sealed_and_killed(self) -> None:
        """Sealed, while camd is killed again and again, and the board's power fails once."""
        daemon, port = self.fixed()
        ring = KeyRing(daemon.store / ".camd" / "keys")
        ring.directory.mkdir(parents=True)
        key = ring.enroll(CameraId("trap-1")).hex()
        daemon.start()
        board = self.board(port, 120, "--key", key)
        for number in range(3):
            until(lambda least=10 + 25 * number: len(daemon.photos()) >= least, 30, "photos come")
            daemon.kill()
            if number == 1:
                board.kill()
                board.wait()
                board = self.board(port, 120, "--key", key)
            daemon.start()
        self.assertEqual(board.wait(LIMIT), 0)
        self.assert_each_stored_once(daemon, 120)

    def test_tls(self) -> None:
        """Over TLS, its CA pinned; a stranger's CA is not believed."""
        files = create(self.where / "tls", ["127.0.0.1", "localhost"])
        other = create(self.where / "other", ["127.0.0.1", "localhost"])
        port = free_port()
        config = (
            f'[tls]\ncertificate = "{files.server}"\nkey = "{files.server_key}"\n'
            f'listen = ["tcp:{port}:interface=127.0.0.1"]\n'
        )
        daemon, _ = self.fixed(config)
        daemon.start()
        board = self.board(port, 15, "--tls", "--ca", str(files.ca))
        self.assertEqual(board.wait(LIMIT), 0)
        self.assert_each_stored_once(daemon, 15)
        self.board(port, 16, "--tls", "--ca", str(other.ca), "--timeout", "3").wait(LIMIT)
        self.assertEqual(len(daemon.photos()), 15)

    def test_full_disk(self) -> None:
        """No room for a while: the board keeps what it took, and all of it comes."""
        daemon, port = self.fixed('[store]\nkeep_free = "100 %"\n')
        daemon.start()
        board = self.board(port, 20)
        until(lambda: "refused: full" in daemon.said, 30, "a photo is refused")
        self.assertEqual(daemon.photos(), {})
        daemon.config.write_text("")
        daemon.signal(signal.SIGHUP)
        self.assertEqual(board.wait(LIMIT), 0)
        self.assert_each_stored_once(daemon, 20)
