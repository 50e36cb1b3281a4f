"""A daemon whose processes come and go, and boards that must not notice."""

import os
import random
import re
import select
import shutil
import signal
import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from tests.e2e_boards import V1, V2, Wire
from tests.e2e_daemon import Daemon, DaemonCase, until
from tests.e2e_talk import Talk, picture

PIECE = 1430
FOREVER = 120.0
"""Seconds of waiting for an answer that a test takes for wedged."""

_UNSERVED = re.compile(r"nobody was served for (\d+) ms")


class LastingCase(DaemonCase):
    """Tests with a daemon that outlives its processes."""

    def lasting(self, config: str = "", *options: str, **more: object) -> Daemon:
        """One that is started; whichever of its processes is left ends with the test. It is patient
        with boards: on a busy machine an upgrade takes longer than one may be silent."""
        env = {f"CAMD_TIMES__{name}": "60 s" for name in ("LINE", "PROGRESS", "SILENCE_FIRST")}
        env |= more.pop("env", {})  # type: ignore[arg-type]
        daemon = self.daemon(config, "--web", "off", *options, env=env, **more)
        self.addCleanup(self.end, daemon)
        return daemon.start()

    def end(self, daemon: Daemon) -> None:
        daemon.kill()
        if (daemon.store / ".camd" / "lock").exists():
            with suppress(ProcessLookupError, ValueError):
                os.kill(pid_of(daemon), signal.SIGKILL)

    def upgrade(self, daemon: Daemon) -> int:
        """Another process has taken over; for so many milliseconds nobody was served."""
        return self._another(daemon, signal.SIGUSR2)

    def crash(self, daemon: Daemon) -> int:
        """The same after ``kill -9``."""
        return self._another(daemon, signal.SIGKILL)

    def _another(self, daemon: Daemon, number: int) -> int:
        before = len(daemon.said)
        old = pid_of(daemon)
        os.kill(old, number)
        until(lambda: _UNSERVED.search(daemon.said[before:]), 30, "another process serves")
        self.assertNotEqual(pid_of(daemon), old)
        self.assertNotIn("Traceback", daemon.said[before:])
        found = _UNSERVED.search(daemon.said[before:])
        assert found is not None
        return int(found[1])

    def assert_alive(self, boards: "list[Sketch]") -> None:
        for board in boards:
            self.assertEqual(board.trouble, "", board.number)

    def assert_stored_once(self, daemon: Daemon, boards: "list[Sketch]") -> None:
        """Every acknowledged photo is in the store, once, and nothing that nobody sent."""
        stored = Counter(sha256(data).digest() for data in daemon.photos().values())
        kept = Counter(digest for board in boards for digest in board.kept)
        sent = {digest for board in boards for digest in board.sent}
        self.assertEqual([n for n in kept.values() if n != 1], [])
        self.assertEqual([digest for digest in kept if stored[digest] != 1], [])
        self.assertEqual(set(stored) - sent, set())
        self.assertEqual([n for n in stored.values() if n != 1], [])


def pid_of(daemon: Daemon) -> int:
    """The process that has the store now."""
    return int((daemon.store / ".camd" / "lock").read_text().partition("\n")[0])


def copied(directory: Path) -> Path:
    """A camd of the test's own, to be spoilt."""
    root = Path(__file__).parent.parent
    code = directory / "code"
    shutil.copytree(root / "camd", code / "camd", ignore=shutil.ignore_patterns("__pycache__"))
    (code / "twisted").symlink_to(root / "twisted")
    return code


def memory_and_descriptors(pid: int) -> tuple[int, int]:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        found = re.search(r"VmRSS:\s+(\d+) kB", status.read())
    assert found is not None
    return int(found[1]), len(os.listdir(f"/proc/{pid}/fd"))


def silent(wire: Wire, seconds: float) -> bool:
    """Whether camd says nothing there for so long, and does not hang up."""
    readable, _, _ = select.select([wire.socket], [], [], seconds)
    return not readable and not wire._rest


class Sketch(threading.Thread):
    """The tutorial's sketch: lock-step, in pieces, without a timeout, never connected twice.

    :ivar trouble: what would cost somebody a walk to it.
    :ivar answers: how often each line came.
    """

    def __init__(self, port: int, number: int, gap: float = 0.0, address: str = "") -> None:
        super().__init__(daemon=True)
        self.number = number
        self.trouble = ""
        self.answers: Counter[str] = Counter()
        self.sent: set[bytes] = set()
        self.kept: list[bytes] = []
        self._gap = gap
        self._chance = random.Random(number)
        self._over = threading.Event()
        self._wire = V1(port, wait=FOREVER) if not address else unix(address)

    def run(self) -> None:
        count = 0
        try:
            while not self._over.is_set():
                count += 1
                self._photo(picture(self.number * 100_000 + count, self._chance.randrange(60_000)))
                time.sleep(self._gap)
        except (OSError, EOFError) as error:
            self.trouble = f"wedged at photo {count}: {error!r}"

    def _photo(self, data: bytes) -> None:
        digest = sha256(data).digest()
        self.sent.add(digest)
        self._wire.send(b"FrameBegin")
        for at in range(0, len(data), PIECE):
            self._wire.send(data[at : at + PIECE])
            if self._chance.random() < 0.05:
                time.sleep(self._chance.random() / 100)
        if not silent(self._wire, 0):
            self.trouble = "a line for a frame that has no end yet"
        self._wire.send(b"FrameOver")
        answer = self._wire.line(FOREVER)
        self.answers[answer.partition(" ")[2] or answer] += 1
        if answer == "ACK":
            self.kept.append(digest)

    def end(self, seconds: float = 0.0) -> None:
        """It stops behind its next answer, and for so long listens for a line too many."""
        self._over.set()
        self.join(FOREVER + 5)
        if self.is_alive():
            self.trouble = self.trouble or "waits still"
        elif not self.trouble and not silent(self._wire, seconds):
            self.trouble = "a line too many, or hung up on"


def end_all(boards: list[Sketch], listening: float = 0.0) -> None:
    """All stop, and then for so long hear nothing more."""
    for board in boards:
        board._over.set()
    for board in boards:
        board.end()
    time.sleep(listening)
    for board in boards:
        board.end()


def unix(path: str) -> V1:
    """A board behind something that speaks to a unix socket."""
    wire = V1.__new__(V1)
    wire.socket = socket.socket(socket.AF_UNIX)
    wire.socket.connect(path)
    wire._rest = b""
    return wire


class Named(Sketch):
    """A board with our firmware, plain or sealed: comes back, and sends again what is unanswered.

    :ivar sessions: how often it was welcomed.
    """

    def __init__(self, port: int, number: int, key: bytes | None = None) -> None:
        super().__init__(port, number)
        self._wire.close()
        self.sessions = 0
        self._port = port
        self._key = key

    def run(self) -> None:
        seq = 0
        data = b""
        end = 0.0
        while not self._over.is_set() or data:
            try:
                talk = Talk(
                    f"named-{self.number}", f"{self.number:016x}", self._key,
                    nonce=f"{self._chance.getrandbits(128):032x}",
                )  # fmt: skip
                wire = V2(self._port, talk, wait=FOREVER)
                self._wire = wire
                self.sessions += 1
                while not self._over.is_set() or data:
                    if not data:
                        seq += 1
                        data = picture(self.number * 100_000 + seq, self._chance.randrange(60_000))
                        self.sent.add(sha256(data).digest())
                    self._slowly(talk.frame(seq, data))
                    answer = wire.answer(FOREVER)
                    if answer != f"ACK {seq}":
                        raise AssertionError(answer)
                    self.answers["ACK"] += 1
                    self.kept.append(sha256(data).digest())
                    data, end = b"", 0.0
            except AssertionError as error:
                self.trouble = str(error)
                return
            except (OSError, EOFError) as error:
                end = end or time.monotonic() + FOREVER
                if time.monotonic() > end:
                    self.trouble = repr(error)
                    return
                time.sleep(0.1)

    def _slowly(self, data: bytes) -> None:
        for at in range(0, len(data), PIECE):
            self._wire.send(data[at : at + PIECE])
            if self._chance.random() < 0.05:
                time.sleep(self._chance.random() / 100)
