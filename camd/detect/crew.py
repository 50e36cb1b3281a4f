"""The workers that look at photos with one model: as many as there is work for.

They are started when there is something to do and end when there was nothing for a while. One
that dies is replaced, and the photos that it was at are given back as suspects: each of those is
to come again alone, so that the one that is to blame is found out and its neighbours go free.
Knows no catalog and no camera.
"""

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from camd.detect.terms import Outfit
from camd.detect.worker import Job, Spawn, Worker
from camd.vision.lines import Ready
from camd.vision.wanted import Seen

log = Logger()

WINDOW = 4
"""Photos that a worker has at once: it gets the next ones ready while its network is busy."""

LONGEST_BACKOFF = 60.0
"""Seconds at most until a worker that died is replaced."""

STILLBORN = 2
"""After so many deaths, one before a worker was ready says that there is no use in its model."""

UNREADY_AGAIN = (60.0, 600.0)
"""Seconds, at first and at most, until another try with a model of which no use could be made."""


@frozen
class Rules:
    """:ivar workers: processes at most.
    :ivar timeout: seconds for a photo.
    :ivar pause: seconds of rest behind each.
    :ivar idle: seconds without photos after which workers end.
    """

    workers: int = 1
    timeout: float = 60.0
    pause: float = 0.0
    idle: float = 60.0

    @property
    def window(self) -> int:
        """Photos that a worker has at once."""
        return 1 if self.pause else WINDOW


class Boss(Protocol):
    """Whoever gives a crew its work."""

    def was_seen(self, ready: Ready, job: Job, seen: Seen) -> None:
        """*ready*: the model that looked, if one did."""
        ...

    def has_failed(self, job: Job, why: str, final: bool) -> None:
        """It could not be looked at; *final*: and never can."""
        ...

    def is_suspect(self, job: Job, why: str) -> None:
        """A worker died of it, or of one that it had at the same time."""
        ...

    def is_unable(self, crew: "Crew") -> None:
        """Nobody can look at photos, for now; `Crew.error` says why."""
        ...

    def has_room(self, crew: "Crew") -> None:
        """It could do with more."""
        ...


@define(eq=False)
class Crew:
    """:ivar ready: what the last worker that started said of its model.
    :ivar error: why there is no worker, while there is none.
    :ivar deaths: workers that died, since the start.
    """

    outfit: Outfit
    rules: Rules
    boss: Boss
    clock: IReactorTime
    spawn: Spawn
    ready: Ready | None = None
    error: str = ""
    deaths: int = 0
    workers: list[Worker] = field(factory=list)
    _queue: deque[Job] = field(factory=deque)
    _alone: deque[Job] = field(factory=deque)
    _misfortunes: int = 0
    _unready: int = 0
    _later: IDelayedCall | None = None
    _idle: IDelayedCall | None = None
    _stopping: bool = False
    _gone: "Deferred[None] | None" = None
    _said: str = ""

    # ---- work

    @property
    def waiting(self) -> int:
        """Photos that no worker has yet."""
        return len(self._queue) + len(self._alone)

    @property
    def idling(self) -> bool:
        """Whether a worker could do more than there is."""
        return not self._queue and any(
            len(worker.jobs) < self.rules.window for worker in self._able()
        )

    def ids(self) -> set[int]:
        """All photos that it has."""
        jobs = [job for worker in self.workers for job in worker.jobs]
        return {*jobs, *(job.id for job in (*self._queue, *self._alone))}

    def give(self, jobs: Iterable[Job]) -> None:
        """They are to be looked at, in this order; suspects before the others."""
        if self._stopping:
            return
        for job in jobs:
            (self._alone if job.alone else self._queue).append(job)
        self._go_on()

    def take_back(self) -> None:
        """Those that no worker has yet are not to be looked at now, but for suspects."""
        self._queue.clear()

    def check(self) -> None:
        """A worker is to try whether the model is any good, be there photos or not."""
        if not self.workers and self._later is None and not self._stopping:
            self._start()

    def change(self, rules: Rules) -> None:
        """From now on by other rules."""
        self.rules = rules
        able = self._able()
        for worker in able:
            worker.timeout = rules.timeout
        for worker in able[rules.workers :]:
            worker.end()
        self._go_on()

    def stop(self) -> "Deferred[None]":
        """At once, whatever they are at. Fires when the last one is gone."""
        self._stopping = True
        self._queue.clear()
        self._alone.clear()
        for call in (self._later, self._idle):
            if call is not None and call.active():
                call.cancel()
        self._later = self._idle = None
        if not self.workers:
            return succeed(None)
        gone = self._gone = self._gone or Deferred()
        for worker in tuple(self.workers):
            worker.kill()
        return gone

    # ---- whoever can do what there is

    def _able(self) -> list[Worker]:
        return [each for each in self.workers if each.ready is not None and not each.leaving]

    def _go_on(self) -> None:
        if self._stopping:
            return
        self._deal()
        self._staff()
        self._mind_idleness()
        if not self._queue:
            self.boss.has_room(self)

    def _deal(self) -> None:
        """Workers have what they may have."""
        able = [worker for worker in self._able() if worker.nap is None]
        if self._alone and able:
            quiet = min(able, key=lambda worker: len(worker.jobs))
            able.remove(quiet)  # until it has nothing else
            if not quiet.jobs:
                quiet.give(self._alone.popleft())
        able = [worker for worker in able if not worker.alone]
        while self._queue and able:
            worker = min(able, key=lambda worker: len(worker.jobs))
            if len(worker.jobs) >= self.rules.window:
                return
            worker.give(self._queue.popleft())

    def _staff(self) -> None:
        """There is a worker more where one is missing."""
        staying = [worker for worker in self.workers if not worker.leaving]
        if self._later is not None or any(worker.ready is None for worker in staying):
            return
        jobs = self.waiting + sum(len(worker.jobs) for worker in staying)
        needed = min(self.rules.workers, -(-jobs // self.rules.window))
        if len(staying) < needed:
            self._start()

    def _start(self) -> None:
        outfit = self.outfit
        worker = Worker(self, outfit.setup, self.clock, self.rules.timeout, outfit.priority)
        self.workers.append(worker)
        try:
            self.spawn(worker)
        except OSError as error:
            self.workers.remove(worker)
            self._has_no_use(f"no process can be started: {error.strerror or error}")

    def _after(self, seconds: float) -> None:
        self._later = self.clock.callLater(seconds, self._once_more)

    def _once_more(self) -> None:
        self._later = None
        if self.ready is None or self.error:
            self.check()
        self._go_on()

    def _mind_idleness(self) -> None:
        busy = self.waiting or any(worker.jobs for worker in self.workers)
        if self._idle is not None and (busy or not self.workers):
            self._idle.cancel()
            self._idle = None
        elif self._idle is None and not busy and self.workers:
            self._idle = self.clock.callLater(self.rules.idle, self._send_home)

    def _send_home(self) -> None:
        self._idle = None
        for worker in self.workers:
            worker.end()

    # ---- heard of workers

    def is_ready(self, worker: Worker) -> None:
        assert worker.ready is not None, "it is"
        self._unready, self.error, self._said = 0, "", ""
        if self.ready != worker.ready and worker.ready.name:
            log.info(
                "{model} looks at photos for {classes}", model=worker.ready.name,
                classes=_some(worker.ready.classes), hash=worker.ready.hash,
            )  # fmt: skip
        self.ready = worker.ready
        self._go_on()

    def was_seen(self, worker: Worker, job: Job, seen: Seen) -> None:
        self._misfortunes = 0
        self._rest(worker)
        assert worker.ready is not None, "it had a job"
        self.boss.was_seen(worker.ready, job, seen)
        self._go_on()

    def has_failed(self, worker: Worker, job: Job, why: str, final: bool) -> None:
        self._rest(worker)
        self.boss.has_failed(job, why, final)
        self._go_on()

    def _rest(self, worker: Worker) -> None:
        if self.rules.pause:
            worker.nap = self.clock.callLater(self.rules.pause, self._rested, worker)

    def _rested(self, worker: Worker) -> None:
        worker.nap = None
        self._go_on()

    def has_ended(self, worker: Worker, why: str) -> None:
        self.workers.remove(worker)
        if self._stopping:
            if not self.workers and self._gone is not None:
                gone, self._gone = self._gone, None
                gone.callback(None)
            return
        begun = [] if worker.leaving else list(worker.begun.values())
        for job in reversed(worker.jobs.values()):
            if job not in begun:
                (self._alone if job.alone else self._queue).appendleft(job)
        if not worker.leaving:
            stillborn = worker.ready is None and self._misfortunes >= STILLBORN
            if worker.unready or stillborn:
                self._has_no_use(why)
            else:
                self._has_died(why)
        for job in begun:
            self.boss.is_suspect(job, why)
        self._go_on()

    def _has_died(self, why: str) -> None:
        self.deaths += 1
        self._misfortunes += 1
        log.warn("a worker that looks at photos died and is replaced: {why}", why=why)
        if self._later is None:
            seconds = min(0.1 * 2.0 ** min(self._misfortunes - 1, 20), LONGEST_BACKOFF)
            self._after(seconds)

    def _has_no_use(self, why: str) -> None:
        self.error = why
        if why != self._said:
            self._said = why
            log.error("photos wait, since nobody can look at them: {why}", why=why)
        first, most = UNREADY_AGAIN
        self._unready += 1
        self._after(min(first * 2.0 ** min(self._unready - 1, 20), most))
        self.boss.is_unable(self)


def _some(names: tuple[str, ...]) -> str:
    most = 8
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
