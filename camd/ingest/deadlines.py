"""Many deadlines, one timer, and moving one costs nothing.

A second's grain is enough for everything that a board is given time for.
"""

from collections import defaultdict
from collections.abc import Callable
from math import ceil, inf
from typing import Protocol

from attrs import define, field
from twisted.logger import Logger

log = Logger()

NEVER = inf


class Bound(Protocol):
    """Whatever has a deadline.

    :ivar due: seconds on the clock; `NEVER` is none.
    :ivar slot: where it lies on the wheel, which is the wheel's business; 0 at first.
    """

    due: float
    slot: int

    def overdue(self) -> None:
        """The deadline has passed."""
        ...


@define(eq=False)
class Deadlines:
    """A wheel of one-second slots.

    An item lies in one slot, that of a deadline which it had once; when the slot comes up and the
    deadline has moved on, it moves to a later one. One that was brought forward leaves something
    behind in its former slot, which counts for nothing when that comes up.

    :ivar seconds: the clock.
    """

    seconds: Callable[[], float]
    _slots: defaultdict[int, list[Bound]] = field(factory=lambda: defaultdict(list))
    _next: int = -1

    def watch(self, item: Bound, due: float) -> None:
        """*item* is `overdue` soon after *due*, unless that is moved."""
        item.due = due
        if due == NEVER:
            return
        slot = max(ceil(due), self._next)
        if not item.slot or slot < item.slot:
            item.slot = slot
            self._slots[slot].append(item)

    def tick(self) -> None:
        """Called about once a second."""
        now = self.seconds()
        if self._next < 0:
            self._next = min((int(now), *self._slots))  # what is watched next may be due sooner
        while self._next <= now:
            for item in self._slots.pop(self._next, ()):
                if item.slot != self._next:
                    continue
                item.slot = 0
                if item.due <= now:
                    self._overdue(item)
                else:
                    self.watch(item, item.due)
            self._next += 1

    def _overdue(self, item: Bound) -> None:
        """One that fails keeps nobody else from being told."""
        try:
            item.overdue()
        except Exception:
            log.failure("A deadline could not be kept")
