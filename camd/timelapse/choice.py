"""Which photos a film shows, and each for how many of its pictures.

Pure numbers: photos are known by the times when they were taken, in milliseconds, oldest first.
"""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Protocol

from attrs import define, field


class Choice(Protocol):
    """Asked about each photo in turn.

    :ivar steady: a picture that is due must come, be it the one before once more.
    """

    steady: bool

    def due(self, taken_ms: int) -> int:
        """Pictures of the film that are the photo's which was taken then; 0: it is not shown."""
        ...

    def shown(self, taken_ms: int) -> None:
        """The photo that was due was good, and is shown."""
        ...


@define
class Every:
    """Each photo is one picture."""

    steady: bool = field(default=False, init=False)

    def due(self, taken_ms: int) -> int:
        return 1

    def shown(self, taken_ms: int) -> None:
        pass


@define
class Stretches:
    """One photo, the first that is good, for each stretch of so many milliseconds; the first
    stretch begins with the first photo."""

    stretch_ms: int
    steady: bool = field(default=False, init=False)
    _begin: int | None = None
    _last: int = -1

    def due(self, taken_ms: int) -> int:
        return int(self._number(taken_ms) > self._last)

    def shown(self, taken_ms: int) -> None:
        self._last = self._number(taken_ms)

    def _number(self, taken_ms: int) -> int:
        if self._begin is None:
            self._begin = taken_ms
        return (taken_ms - self._begin) // self.stretch_ms


@define
class Even:
    """So many pictures in all, evenly over the time of the photos.

    A picture is the last photo that there was by its time. Where there was none for long, as in
    a night or while the board was off, time runs faster, so that nothing stands still for more
    than a second; photos so few that they must, do.
    """

    _wanted: Sequence[int]
    """For each picture the time of its photo, in order."""
    steady: bool = field(default=True, init=False)
    _at: int = 0

    @classmethod
    def over(cls, taken_ms: Sequence[int], pictures: int, fps: int) -> "Even":
        """:param taken_ms: all the photos there are, at least one."""
        gaps = array("q", (after - before for before, after in pairwise(taken_ms)))
        longest = longest_gap(gaps, pictures / fps)
        places = array("d", accumulate((min(gap, longest) for gap in gaps), initial=0.0))
        step = places[-1] / (pictures - 1) if pictures > 1 else 0.0
        # What stands for a place is never the photo behind it, for all that sums are inexact.
        found = (bisect_right(places, at * step + 1e-6) - 1 for at in range(pictures))
        return cls(array("q", (taken_ms[index] for index in found)))

    def due(self, taken_ms: int) -> int:
        start = self._at
        self._at = bisect_right(self._wanted, taken_ms, start)
        return self._at - start

    def shown(self, taken_ms: int) -> None:
        pass

    @property
    def pictures(self) -> int:
        return len(self._wanted)

    @property
    def left(self) -> int:
        """Pictures whose photo has not come."""
        return len(self._wanted) - self._at


def longest_gap(gaps: Sequence[float], seconds: float) -> float:
    """What a gap counts at most, so that in a film of so many seconds no picture stands for more
    than one of them: the largest *c* with c * seconds <= the sum of min(gap, c). Where the gaps are
    so few that there is none, the longest of them."""
    falling = sorted((gap for gap in gaps if gap > 0), reverse=True)
    rest = float(sum(falling))
    for cut, gap in enumerate(falling):
        if cut >= seconds:
            break
        longest = rest / (seconds - cut)
        if gap <= longest:
            return longest
        rest -= gap
    return falling[0] if falling else 0.0
