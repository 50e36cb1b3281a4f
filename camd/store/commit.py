"""Many photos, one trip to the disk.

Photos that arrive while the disk is busy wait together, and whichever writer is free takes them
all. The reactor is told of a whole trip by one call. Nothing here knows what a photo is: jobs go
in, outcomes come out.
"""

import os
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

log = Logger()

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


@define(eq=False)
class GroupCommit(Generic[J, R]):
    """Hands jobs to threads of its own in groups, and their outcomes back.

    :ivar work: takes a group, returns an outcome for each; blocks; runs in a writer's thread.
        What it raises becomes the failure of every job of the group.
    :ivar writers: how many threads.
    :ivar batch: the most jobs of a group.
    :ivar told: called in the reactor's thread with the size of each group that is through.
    """

    work: Callable[[Sequence[J]], Sequence[R]]
    _call_from_thread: CallFromThread
    _soon: Callable[[Callable[[], None]], object]
    writers: int = 4
    batch: int = 64
    told: Callable[[int], None] = lambda _: None
    least: int = 8
    _queue: "queue.SimpleQueue[list[_Ticket[J, R]] | None]" = field(factory=queue.SimpleQueue)
    _gathered: "list[_Ticket[J, R]]" = field(factory=list)
    _through: "list[tuple[list[_Ticket[J, R]], Sequence[R] | BaseException]]" = field(factory=list)
    _lock: threading.Lock = field(factory=threading.Lock)
    _threads: list[threading.Thread] = field(factory=list)
    waiting: int = 0
    _era: int = 0
    _of_era: dict[int, int] = field(factory=lambda: {0: 0})
    _barriers: "list[tuple[int, Deferred[None]]]" = field(factory=list)

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

    def _hand_over(self) -> None:
        """What one turn of the reactor has brought goes to the writers, in groups that are worth
        a trip each."""
        gathered, self._gathered = self._gathered, []
        share = max(self.least, -(-len(gathered) // self.writers))
        for start in range(0, len(gathered), share):
            self._queue.put(gathered[start : start + share])

    def barrier(self) -> "Deferred[None]":
        """Fires when every job that was put before is through."""
        done: Deferred[None] = Deferred()
        self._era += 1
        self._of_era[self._era] = 0
        self._barriers.append((self._era, done))
        self._lift()
        return done

    def _lift(self) -> None:
        while self._barriers and not any(
            left for era, left in self._of_era.items() if era < self._barriers[0][0]
        ):
            era, done = self._barriers.pop(0)
            self._of_era = {e: left for e, left in self._of_era.items() if e >= era}
            done.callback(None)

    def stop(self, timeout: float) -> bool:
        """No job may be put any more; blocks until the writers have gone, at most *timeout*
        seconds. Whether they have."""
        self._queue.put(None)
        for thread in self._threads:
            thread.join(timeout)
        return not any(thread.is_alive() for thread in self._threads)

    def _take(self) -> "list[_Ticket[J, R]]":
        """What waits, at least one; empty when it is over."""
        group: list[_Ticket[J, R]] = []
        tickets = self._queue.get()
        while tickets is not None:
            group += tickets
            if len(group) >= self.batch:
                return group
            try:
                tickets = self._queue.get_nowait()
            except queue.Empty:
                return group
        self._queue.put(None)  # for the next writer
        return group

    def _write(self) -> None:
        yield_to_the_reactor()
        while group := self._take():
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
        for group, outcomes in through:
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
        if self._barriers:
            self._lift()


def yield_to_the_reactor() -> None:
    """The calling thread, when it wakes up, does not push the reactor off its processor: it
    would only find that the reactor holds the interpreter's lock."""
    with suppress(AttributeError, OSError):  # not on this system, or not allowed
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
