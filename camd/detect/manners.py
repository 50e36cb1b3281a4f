"""Workers stand still while boards wait for the disk.

The lowest priority is not low enough: a thread that wakes up to write a photo still waits for
a worker's turn to end, and a photo takes many such steps. So, while photos queue up, no more
workers go on than there are processors left over; the others are stopped as they are, but for
a moment now and then, and go on when the queue is short again.
"""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from camd.detect.worker import Worker

TICK = 0.02
"""Seconds between two looks at the queue."""

WEIGHT = 0.2
"""Of each look, in what is thought of the queue's length."""

LONG, SHORT = 2.0, 1.0
"""Photos: beyond the one the workers stop, below the other they go on."""

TURN, EVERY = 0.02, 4.0
"""Seconds for which they go on all the same, and from one such moment to the next: of a hundred
photos, not one is to come in meanwhile."""

OWN = 2
"""Processors that photos take on their way to the disk, at most."""


@define(eq=False)
class Manners:
    """:ivar queue: how many photos are on their way to the disk.
    :ivar processors: that this process and its workers may use.
    :ivar length: what is thought of the queue's.
    """

    queue: Callable[[], int]
    clock: IReactorTime
    processors: int
    length: float = 0.0
    holding: bool = False
    _workers: list[Worker] = field(factory=list)
    _next: IDelayedCall | None = None
    _turn_at: float = 0.0

    def mind(self, worker: Worker) -> None:
        """It was started, and is to behave until it is gone."""
        self._workers.append(worker)
        if self._next is None:
            self.length, self.holding = float(self.queue()), False
            self._later()

    def forget(self) -> None:
        """Nobody is minded any more."""
        self._workers.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _later(self) -> None:
        self._next = self.clock.callLater(TICK, self._look)

    def _look(self) -> None:
        self._next = None
        self._workers = [worker for worker in self._workers if not worker.over]
        if not self._workers:
            return
        self._later()
        self.length += (self.queue() - self.length) * WEIGHT
        now = self.clock.seconds()
        if not self.holding and self.length > LONG:
            self.holding, self._turn_at = True, now + EVERY
        elif self.holding and self.length < SHORT:
            self.holding = False
        if self.holding and now >= self._turn_at + TURN:
            self._turn_at = now + EVERY
        self._let(not self.holding or now >= self._turn_at)

    def _let(self, all: bool) -> None:
        left = max(0, self.processors - OWN)
        for worker in self._workers:
            left -= max(1, worker.setup.threads)
            if all or left >= 0:
                worker.go_on()
            else:
                worker.hold()
