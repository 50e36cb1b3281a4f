"""One run of the bench: a daemon of its own, a load, a yardstick, and what they came to."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define, frozen

from camd.bench.load import pictures
from camd.bench.yardstick import naive

_TWISTD = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"
_START = 20.0
_TICK = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """The bench cannot go on; the text is a line for people."""


@frozen
class Figures:
    """What one daemon did under one load.

    :ivar rate: photos a second, durable. *megabytes*: 10^6 bytes a second.
    :ivar p50: seconds from the last byte handed to the kernel's queue to the answer; *p99* too.
    :ivar cpu: seconds of processor time that the daemon spent on a photo.
    :ivar naive: photos a second of the yardstick, beside it in the same run.
    """

    boards: int
    size: int
    rate: float
    megabytes: float
    p50: float
    p99: float
    cpu: float
    refused: int
    naive: float

    @property
    def ratio(self) -> float:
        """How many times the yardstick."""
        return self.rate / self.naive if self.naive else 0.0


@define(eq=False)
class Daemon:
    """A camd of its own, on the disk that is to be measured.

    :ivar processor: the number of the one that it is bound to, or None.
    """

    directory: Path
    processor: int | None
    port: int = 0
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environ = {k: v for k, v in os.environ.items() if not k.startswith("CAMD_")}
        self._process = subprocess.Popen(
            [
                sys.executable, "-c", _TWISTD, "-n", "--pidfile=", "camd",
                "--store", str(self.directory / "store"),
                "--listen", f"tcp:{self.port}:interface=127.0.0.1",
            ],
            stdout=subprocess.DEVNULL, stderr=(self.directory / "log").open("wb"), env=environ,
            cwd=self.directory,
        )  # fmt: skip
        _bind(self._process.pid, self.processor)
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), 1),
            ):
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise BenchError(f"the daemon did not start: {self._last_words()}")

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = self._stat().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    @property
    def memory(self) -> int:
        """Resident bytes."""
        assert self._process is not None, "started"
        text = Path(f"/proc/{self._process.pid}/statm").read_text()
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def _stat(self) -> str:
        assert self._process is not None, "started"
        return Path(f"/proc/{self._process.pid}/stat").read_text()

    def _last_words(self) -> str:
        lines = (self.directory / "log").read_text(errors="replace").splitlines()
        return lines[-1] if lines else "it said nothing"


@contextlib.contextmanager
def daemon(where: Path, processor: int | None) -> Iterator[Daemon]:
    """A daemon with an empty store below *where*; store and all are gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="camd-bench-", dir=where))
    running = Daemon(directory, processor)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(directory, ignore_errors=True)


def measure(where: Path, boards: int, size: str, seconds: float, pin: bool) -> Figures:
    """Figures of a fresh daemon under *boards* boards, and of the yardstick on the same disk.

    :param size: a framesize by its name.
    :param pin: daemon and load each get a processor of their own, where there are two.
    :raises BenchError: where the daemon or the load cannot run.
    """
    pin = pin and len(os.sched_getaffinity(0)) > 1
    processors = sorted(os.sched_getaffinity(0))
    some = pictures(size)
    with tempfile.TemporaryDirectory(prefix="camd-bench-", dir=where) as scratch:
        before = naive(Path(scratch) / "before", some, seconds / 4)
        with daemon(where, processors[0] if pin else None) as running:
            spent = running.cpu
            said = _load(running.port, boards, size, seconds, processors[1] if pin else None)
            spent = running.cpu - spent
        after = naive(Path(scratch) / "after", some, seconds / 4)
    photos = max(1, said["answered"])
    return Figures(
        boards=boards,
        size=round(sum(map(len, some)) / len(some)),
        rate=said["photos"] / said["seconds"],
        megabytes=said["bytes"] / said["seconds"] / 1e6,
        p50=said["p50"],
        p99=said["p99"],
        cpu=spent / photos,
        refused=said["refused"],
        naive=(before + after) / 2,
    )


def connection_memory(where: Path, connections: int) -> tuple[int, int | None]:
    """Resident bytes of an idle daemon, and bytes more for each idle v2 connection, as by
    `weight`."""
    with daemon(where, None) as running:
        idle = running.memory
        load = subprocess.Popen(
            [*_LOAD, "--port", str(running.port), "--boards", str(connections), "--idle"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        try:
            assert load.stdout is not None, "a pipe was asked for"
            if not load.stdout.readline():
                raise BenchError("the connections could not be made")
            time.sleep(1)
            full = running.memory
        finally:
            load.kill()
            load.communicate()
    return idle, weight(idle, full, connections)


def weight(idle: int, full: int, connections: int) -> int | None:
    """Bytes a connection; None where they are so few that they are lost in what a daemon takes
    and gives back anyway."""
    return round((full - idle) / connections) if full > idle else None


_LOAD = (sys.executable, "-m", "camd.bench.load")


def _load(
    port: int, boards: int, size: str, seconds: float, processor: int | None
) -> dict[str, Any]:
    command = [*_LOAD, "--port", str(port), "--boards", str(boards)]
    with subprocess.Popen(
        [*command, "--size", size, "--seconds", str(seconds)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as load:  # fmt: skip
        _bind(load.pid, processor)
        try:
            answer, complaint = load.communicate(timeout=seconds + 60)
        except subprocess.TimeoutExpired:
            load.kill()
            raise BenchError("the load did not come to an end") from None
    if load.returncode:
        words = complaint.decode(errors="replace").strip().splitlines()
        raise BenchError(f"the load failed: {words[-1] if words else 'it said nothing'}")
    said: dict[str, Any] = json.loads(answer)
    return said


def _bind(pid: int, processor: int | None) -> None:
    """From now on that process runs on one processor only."""
    if processor is not None:
        os.sched_setaffinity(pid, {processor})
