"""Many photos, one trip to the disk.

Photos that arrive while the disk is busy wait together, and a writer that becomes free takes
those that are cheap to make durable at once: of one folder, which is synced once for all of
them. The reactor is told of a whole trip by one call. Nothing here knows what a photo is: jobs
go in, outcomes come out.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Generic, Protocol, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred

J = TypeVar("J")
R = TypeVar("R")


class CallFromThread(Protocol):
    """`IReactorFromThreads.callFromThread`."""

    def __call__(self, what: Callable[[], object], /) -> object: ...


@define(eq=False)
class _Ticket(Generic[J, R]):
    job: J
    done: "Deferred[R]"
    era: int


Tickets = list[_Ticket[J, R]]


@define(eq=False)
class Waiting(Generic[J, R]):
    """Tickets that wait for a writer, by what they have in common, those that came first first.

    Any thread may call any method.
    """

    batch: int
    least: int
    _by_near: "dict[str, Tickets[J, R]]" = field(factory=dict)
    _count: int = 0
    _over: bool = False
    _lock: threading.Lock = field(factory=threading.Lock)
    _gates: list[threading.Lock] = field(factory=list)

    def add(self, tickets: "Tickets[J, R]", near: Callable[[J], str]) -> None:
        with self._lock:
            for ticket in tickets:
                self._by_near.setdefault(near(ticket.job), []).append(ticket)
            self._count += len(tickets)
            wanted = -(-self._count // self.least)
            gates, self._gates = self._gates[:wanted], self._gates[wanted:]
        for gate in gates:
            gate.release()

    def end(self) -> None:
        """Who waits in `take` gets what is left, and then nothing."""
        with self._lock:
            self._over = True
            gates, self._gates = self._gates, []
        for gate in gates:
            gate.release()

    def take(self) -> "Tickets[J, R]":
        """A group that is worth a trip, alike as far as can be; blocks until there is one, and
        is empty when it is over. What waits is shared with writers that are idle."""
        while True:
            with self._lock:
                if self._count or self._over:
                    return self._group()
                gate = threading.Lock()
                gate.acquire()
                self._gates.append(gate)
            gate.acquire()

    def _group(self) -> "Tickets[J, R]":
        share = -(-self._count // (len(self._gates) + 1))
        wanted = min(self.batch, max(self.least, share))
        group: Tickets[J, R] = []
        while self._by_near and len(group) < wanted:
            key = next(iter(self._by_near))
            tickets = self._by_near[key]
            some = tickets[: self.batch - len(group)]
            if len(some) == len(tickets):
                del self._by_near[key]
            else:
                self._by_near[key] = tickets[len(some) :]
            group += some
        self._count -= len(group)
        return group


@define(eq=False)
class GroupCommit(Generic[J, R]):
    """Hands jobs to threads of its own in groups, and their outcomes back.

    :ivar work: takes a group, returns an outcome for each; blocks; runs in a writer's thread.
        What it raises becomes the failure of every job of the group.
    :ivar near: what jobs have in common that are cheaper together.
    :ivar writers: how many threads.
    :ivar batch: the most jobs of a group.
    :ivar told: called in the reactor's thread with the size of each group that is through.
    :ivar least: jobs that are worth a trip of their own.
    :ivar together: entered around the outcomes that are handed back in one go.
    :ivar waiting: jobs that are not through yet.
    """

    work: Callable[[Sequence[J]], Sequence[R]]
    _call_from_thread: CallFromThread
    _soon: Callable[[Callable[[], None]], object]
    near: Callable[[J], str]
    writers: int = 8
    batch: int = 16
    told: Callable[[int], None] = lambda _: None
    least: int = 8
    together: "AbstractContextManager[None]" = field(factory=nullcontext)
    waiting: int = 0
    _gathered: "Tickets[J, R]" = field(factory=list)
    _waiting: "Waiting[J, R]" = field(init=False)
    _through: "list[tuple[Tickets[J, R], Sequence[R] | BaseException]]" = field(factory=list)
    _lock: threading.Lock = field(factory=threading.Lock)
    _threads: list[threading.Thread] = field(factory=list)
    _era: int = 0
    _of_era: dict[int, int] = field(factory=lambda: {0: 0})
    _barriers: "list[tuple[int, Deferred[None]]]" = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self._waiting = Waiting(self.batch, self.least)

    def start(self) -> None:
        for number in range(self.writers):
            thread = threading.Thread(target=self._write, name=f"camd-writer-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def put(self, job: J) -> "Deferred[R]":
        """Fires in the reactor's thread with the job's outcome."""
        done: Deferred[R] = Deferred()
        self.waiting += 1
        self._of_era[self._era] += 1
        if not self._gathered:
            self._soon(self._hand_over)
        self._gathered.append(_Ticket(job, done, self._era))
        return done

    def barrier(self) -> "Deferred[None]":
        """Fires when every job that was put before is through."""
        done: Deferred[None] = Deferred()
        self._era += 1
        self._of_era[self._era] = 0
        self._barriers.append((self._era, done))
        self._lift()
        return done

    def stop(self, timeout: float) -> bool:
        """No job may be put any more; blocks until the writers have gone, at most *timeout*
        seconds. Whether they have."""
        end = time.monotonic() + timeout
        self._hand_over()
        self._waiting.end()
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _hand_over(self) -> None:
        """What one turn of the reactor has brought goes to the writers."""
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._waiting.add(gathered, self.near)

    def _write(self) -> None:
        yield_to_the_reactor()
        while group := self._waiting.take():
            outcomes: Sequence[R] | BaseException
            try:
                outcomes = self.work([ticket.job for ticket in group])
            except Exception as error:  # the jobs' owners are told; the writer lives on
                outcomes = error
            with self._lock:
                self._through.append((group, outcomes))
                first = len(self._through) == 1
            if first:
                self._call_from_thread(self._tell)

    def _tell(self) -> None:
        with self._lock:
            through, self._through = self._through, []
        with self.together:
            for group, outcomes in through:
                self._hand_back(group, outcomes)
        if self._barriers:
            self._lift()

    def _hand_back(self, group: "Tickets[J, R]", outcomes: Sequence[R] | BaseException) -> None:
        self.waiting -= len(group)
        if isinstance(outcomes, BaseException):
            for ticket in group:
                ticket.done.errback(outcomes)
        else:
            for ticket, outcome in zip(group, outcomes, strict=True):
                ticket.done.callback(outcome)
        for ticket in group:
            self._of_era[ticket.era] -= 1
        self.told(len(group))

    def _lift(self) -> None:
        while self._barriers and not any(
            left for era, left in self._of_era.items() if era < self._barriers[0][0]
        ):
            era, done = self._barriers.pop(0)
            self._of_era = {e: left for e, left in self._of_era.items() if e >= era}
            done.callback(None)


def yield_to_the_reactor() -> None:
    """The calling thread, when it wakes up, does not push the reactor off its processor: it
    would only find that the reactor holds the interpreter's lock."""
    with suppress(AttributeError, OSError):  # not on this system, or not allowed
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
