"""One process that looks at photos, as whoever feeds it sees it.

It is given jobs, a few at a time so that it need not wait for the next one, and killed when it
hangs or talks nonsense. Whose fault its death is, it only helps to find out: `Worker.begun` has
the photos that it was at. Knows no catalog.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from attrs import define, field, frozen
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

import camd
from camd.store.entry import Entry
from camd.vision import lines
from camd.vision.lines import LONGEST_LINE, LineError, Ready, Setup
from camd.vision.wanted import Seen, Wanted

FAREWELL = 5.0
"""Seconds in which a worker that has nothing left to do ends by itself."""

LOADING = 60.0
"""Seconds that a worker gets to load its model, where a photo does not get more."""

_LAST_WORDS = 4000


@frozen
class Job:
    """A photo to be looked at.

    :ivar path: of its file, absolute.
    :ivar alone: a worker died of it, or of another: it is given to one that has nothing else.
    """

    entry: Entry
    path: Path
    wanted: Wanted
    alone: bool = False

    @property
    def id(self) -> int:
        return self.entry.id


class Feeder(Protocol):
    """Whoever feeds workers."""

    def is_ready(self, worker: "Worker") -> None:
        """Its model is loaded."""
        ...

    def was_seen(self, worker: "Worker", job: Job, seen: Seen) -> None: ...

    def has_failed(self, worker: "Worker", job: Job, why: str, final: bool) -> None:
        """*final*: it would fail again."""
        ...

    def has_ended(self, worker: "Worker", why: str) -> None:
        """It is gone, with the jobs that it still has."""
        ...


@define(eq=False, slots=False)
class Worker(ProcessProtocol):
    """:ivar timeout: seconds for a photo.
    :ivar priority: as `camd.vision.worker` has it.
    :ivar ready: what it said of its model.
    :ivar unready: why it has none, in its own words.
    :ivar jobs: what it was given and is not through with, oldest first; *begun*: what of it it is
        at.
    :ivar nap: until then it is to be given nothing.
    :ivar leaving: it was told to end: that is no death.
    :ivar over: it is gone. *held*: it is stopped where it is.
    """

    feeder: Feeder
    setup: Setup
    clock: IReactorTime
    timeout: float
    priority: str = "idle"
    ready: Ready | None = None
    unready: str = ""
    jobs: dict[int, Job] = field(factory=dict)
    begun: dict[int, Job] = field(factory=dict)
    nap: IDelayedCall | None = None
    leaving: bool = False
    _why: str = ""
    _line: bytearray = field(factory=bytearray)
    _last_words: bytes = b""
    _patience: IDelayedCall | None = None
    over: bool = False
    held: bool = False

    @property
    def alone(self) -> bool:
        """Whether it is at a photo that must have it for itself."""
        return any(job.alone for job in self.jobs.values())

    @property
    def pid(self) -> int | None:
        return getattr(self.transport, "pid", None)

    @property
    def _process(self) -> Any:
        return self.transport

    # ---- to it

    def give(self, job: Job) -> None:
        """It is to look at a photo; it is ready."""
        if not self.jobs:
            self._wait(self.timeout)
        self.jobs[job.id] = job
        self._write(lines.job_line(lines.Job(job.id, job.path, job.wanted)))

    def end(self) -> None:
        """It has nothing left to do."""
        if not self.leaving and not self.over:
            self.go_on()
            self.leaving = True
            self._wait(FAREWELL)
            self._process.closeStdin()

    def hold(self) -> None:
        """It stops where it is, until it is told to go on; that does not try anybody's patience."""
        if not self.held and not self.over and not self.leaving:
            self.held = True
            self._rest_easy()
            self._signal("STOP")

    def go_on(self) -> None:
        if self.held and not self.over:
            self.held = False
            self._signal("CONT")
            if self.jobs:
                self._wait(self.timeout)
            elif self.ready is None:
                self._wait(max(self.timeout, LOADING))

    def _signal(self, name: str) -> None:
        with suppress(ProcessExitedAlready):  # and not yet missed
            self._process.signalProcess(name if name != "CONT" else signal.SIGCONT)

    def kill(self, why: str = "") -> None:
        """At once. :param why: what it did; none: it is not to blame."""
        if self.over:
            return
        self._why = self._why or why
        self.leaving = self.leaving or not why
        self._signal("KILL")
        self._process.loseConnection()

    def _write(self, line: bytes) -> None:
        self._process.write(line)

    # ---- patience

    def _wait(self, seconds: float) -> None:
        self._rest_easy()
        if self.held:
            return
        self._patience = self.clock.callLater(seconds, self._out_of_patience, seconds)

    def _rest_easy(self) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        self._patience = None

    def _out_of_patience(self, seconds: float) -> None:
        self.kill("" if self.leaving else f"nothing was heard of it for {seconds:g} s")

    # ---- from it

    def connectionMade(self) -> None:
        self._wait(max(self.timeout, LOADING))
        self._write(lines.setup_line(self.setup))

    def outReceived(self, data: bytes) -> None:
        *whole, rest = data.split(b"\n")
        for piece in whole:
            self._line += piece
            line = bytes(self._line)
            self._line.clear()
            if self._why:
                return
            self._heard(line)
        self._line += rest
        if len(self._line) > LONGEST_LINE:
            self._line.clear()
            self.kill("it sent a line without end")

    def errReceived(self, data: bytes) -> None:
        self._last_words = (self._last_words + data)[-_LAST_WORDS:]

    def _heard(self, line: bytes) -> None:
        try:
            answer = lines.parse_answer(line)
            self._answered(answer)
        except LineError as error:
            self.kill(f"it said what nobody understands: {error}")

    def _answered(self, answer: lines.Answer) -> None:
        match answer:
            case Ready() if self.ready is None:
                self.ready = answer
                self._rest_easy()
                self.feeder.is_ready(self)
            case lines.Unready():
                self.unready = answer.error
            case lines.Begun() if answer.id in self.jobs:
                self.begun[answer.id] = self.jobs[answer.id]
                self._wait(self.timeout)
            case lines.Done() if answer.id in self.jobs:
                self.feeder.was_seen(self, self._through(answer.id), answer.seen)
            case lines.Failed() if answer.id in self.jobs:
                job = self._through(answer.id)
                self.feeder.has_failed(self, job, answer.error, answer.final)
            case lines.Failed(id=None):
                raise LineError(answer.error)
            case _:
                raise LineError("it answers what nobody asked")

    def _through(self, id: int) -> Job:
        job = self.jobs.pop(id)
        self.begun.pop(id, None)
        if self.jobs:
            self._wait(self.timeout)
        else:
            self._rest_easy()
        return job

    def processEnded(self, reason: Failure) -> None:
        self.over = True
        self._rest_easy()
        if self.nap is not None:
            self.nap.cancel()
        self.feeder.has_ended(self, self._why or self.unready or self._epitaph(reason))

    def _epitaph(self, reason: Failure) -> str:
        error = reason.value
        if isinstance(error, ProcessTerminated) and error.signal is not None:
            text = f"it was killed by signal {error.signal}"
        elif isinstance(error, ProcessDone | ProcessTerminated):
            text = f"it ended with code {error.exitCode or 0}"
        else:
            text = str(error)
        words = self._last_words.decode("utf-8", "replace").strip().splitlines()
        said = "".join(sign for sign in words[-1] if sign.isprintable())[:200] if words else ""
        return f"{text}: {said}" if said else text


Spawn = Callable[[Worker], Any]
"""Starts a process for a worker."""


def spawner(reactor: Any) -> Spawn:
    """Processes of this Python that have nothing of this process open."""
    beside = str(Path(camd.__file__).parent.parent)
    before = os.environ.get("PYTHONPATH")
    environ = {
        **os.environ,
        "PYTHONPATH": f"{beside}{os.pathsep}{before}" if before else beside,
        "PYTHONUNBUFFERED": "1",
    }
    # What hands over listening sockets, or feeds a watchdog, is meant for the daemon alone.
    for name in tuple(environ):
        if name.startswith(("LISTEN_", "NOTIFY_", "WATCHDOG_", "CAMD_")):
            del environ[name]
    command = [sys.executable, "-P", "-m", "camd.vision.worker"]

    def spawn(worker: Worker) -> Any:
        return reactor.spawnProcess(worker, command[0], [*command, worker.priority], environ)

    return spawn
