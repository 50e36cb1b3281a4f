"""camd in a process of its own, as an operator starts it, and what is seen of it from outside."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import camd
from tests.tools import tool

TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")
LOOPBACK = "tcp:0:interface=127.0.0.1"
_NOT_OURS = ("CAMD_", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_", "PYTHONDONTWRITEBYTECODE")
_LISTENING = re.compile(r"listening on (\S+): .*? port (\d+)\b")


def environment(**more: str) -> dict[str, str]:
    """Nothing of the caller's configuration, or of whoever manages it, and this camd before any
    other, compiled once."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_OURS)}
    root = str(Path(camd.__file__).parent.parent)
    elsewhere = {"PYTHONPATH": root, "CAMD_WEB__LISTEN": "off"}
    return {**kept, **elsewhere, **more}


def until(true: Callable[[], object], seconds: float = 30.0, what: str = "") -> None:
    """Waits until *true* says so."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what or true}")
        time.sleep(0.02)


class Daemon:
    """``twistd -n camd`` on loopback ports of the system's choice.

    :ivar store: its photos. *ports*: those it listens on, in the order of their doors.
    """

    def __init__(
        self, directory: Path, store: Path | None = None, config: str = "",
        *options: str, wrapper: Sequence[str] = (), files: int | None = None,
        umask: int = -1, env: Mapping[str, str] | None = None, listen: str | None = LOOPBACK,
    ) -> None:  # fmt: skip
        self.directory = directory
        self.store = store or directory / "store"
        self.config = directory / "camd.toml"
        self.log = directory / "log"
        self.config.write_text(config)
        self.ports: list[int] = []
        self._wrapper = tuple(wrapper)
        if files is not None:
            limit = f"--nofile={files}:{files}"
            self._wrapper = (tool("prlimit", "util-linux"), limit, *self._wrapper)
        self._options = (*(("--listen", listen) if listen else ()), *options)
        self._umask = umask
        self._env = dict(env or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "it was not started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def port(self) -> int:
        return self.ports[0]

    # ---- life

    def launch(self) -> "Daemon":
        """It is on its way, or not."""
        assert self._process is None or self._process.poll() is not None, "it runs already"

        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *self._wrapper, *TWISTD, "-n", "--pidfile=", "camd", "--config",
                    str(self.config), "--store", str(self.store), *self._options,
                ],
                cwd=self.directory, env=environment(**self._env), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, umask=self._umask,
            )  # fmt: skip
        return self

    def start(self) -> "Daemon":
        """It takes photos."""
        self.launch()
        until(
            lambda: "next: point a board" in self.said or self.process.poll() is not None,
            30, "camd takes photos",
        )  # fmt: skip
        if self.process.poll() is not None:
            raise AssertionError(f"camd did not start:\n{self.said}")
        self.ports = [int(port) for _, port in _LISTENING.findall(self.said)]
        return self

    @property
    def said(self) -> str:
        """Its log, of this life."""
        return self.log.read_text("utf-8", "replace")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self, seconds: float = 30.0) -> int:
        """Its exit code, for which is waited so long."""
        return self.process.wait(seconds)

    def stop(self) -> int:
        """What SIGTERM makes of it."""
        self.signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        """As a power cut, as far as the process is concerned."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    # ---- seen from outside

    def rss(self) -> int:
        """Bytes of memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024

    def most_rss(self) -> int:
        """Bytes of memory at the worst moment so far."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) * 1024

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def photos(self) -> dict[str, bytes]:
        """What is named *.jpg in the store, by path."""
        return {
            str(path.relative_to(self.store)): path.read_bytes()
            for path in sorted(self.store.rglob("*.jpg"))
            if path.is_file() and not path.is_symlink()
        }


class DaemonCase(SynchronousTestCase):
    """Tests with daemons, none of which outlives its test."""

    def directory(self) -> Path:
        path = Path(self.mktemp()).absolute()
        path.mkdir(parents=True)
        return path

    def daemon(self, config: str = "", *options: str, **more: object) -> Daemon:
        """One that was not started yet."""
        directory = more.pop("directory", None) or self.directory()
        daemon = Daemon(directory, more.pop("store", None), config, *options, **more)  # type: ignore[arg-type]
        self.addCleanup(daemon.kill)
        return daemon

    def assert_refuses_to_start(self, daemon: Daemon, *words: str) -> None:
        """It ends by itself with code 1 and a single line that holds *words*."""
        daemon.launch()
        self.assertEqual(daemon.ended(20), 1, daemon.said)
        lines = [line for line in daemon.said.splitlines() if "camd: " in line]
        self.assertEqual(len(lines), 1, daemon.said)
        for word in words:
            self.assertIn(word, lines[0])
        self.assertNotIn("Traceback", daemon.said)
