"""Log lines that somebody else could cause without end are written sparingly."""

from collections.abc import Callable

from attrs import define, field

_REMEMBERED = 10_000


@define(eq=False)
class Sparing:
    """At most so many lines a second for each subject and kind; the rest is counted.

    :ivar seconds: the clock.
    :ivar most: lines a second, asked anew each time.
    """

    seconds: Callable[[], float]
    most: Callable[[], float]
    _next: dict[tuple[str, str], tuple[float, int]] = field(factory=dict)

    def left_out(self, subject: str, kind: str) -> int | None:
        """None where a line of that kind about *subject* is not to be written now; else how many
        were not since the last one that was."""
        now = self.seconds()
        key = (subject, kind)
        due, suppressed = self._next.get(key, (0.0, 0))
        if now < due:
            self._next[key] = (due, suppressed + 1)
            return None
        if len(self._next) >= _REMEMBERED:
            self._next.clear()
        self._next[key] = (now + 1 / self.most(), 0)
        return suppressed
