"""When a camera's photos have gone bad, and when they are good again.

One bad photo is nothing; so many in a row are news, once, and so is the first good one behind
them. Only photos newer than the last one count: what comes late tells of the past. Times are unix
milliseconds.
"""

from collections.abc import Sequence

from attrs import define, field

from camd.findings import Flag
from camd.news import Kind
from camd.photo import CameraId

_REMEMBERED = 50_000


@define
class _Mood:
    taken_ms: int
    bad: int = 0
    told: bool = False


@define(eq=False)
class Moods:
    """:ivar poor: the flags that make a photo a bad one.
    :ivar after: so many in a row are news; 0: never.
    """

    poor: frozenset[Flag]
    after: int
    _moods: dict[CameraId, _Mood] = field(factory=dict)

    def knows(self, camera: CameraId) -> bool:
        return camera in self._moods

    def remember(
        self, camera: CameraId, before_ms: int, flags: Sequence[frozenset[Flag]], told: bool = False
    ) -> None:
        """What was on the newest photos before then, newest first: of that nothing is told.

        :param told: whether it was told that they are bad, whatever counts as that by now.
        """
        if len(self._moods) >= _REMEMBERED:
            del self._moods[next(iter(self._moods))]
        bad = 0
        while bad < len(flags) and flags[bad] & self.poor:
            bad += 1
        told = told or (bool(self.after) and bad >= self.after)
        self._moods[camera] = _Mood(before_ms - 1, bad, told)

    def seen(self, camera: CameraId, taken_ms: int, flags: frozenset[Flag]) -> Kind | None:
        """What is news, now that one more photo was judged."""
        mood = self._moods.setdefault(camera, _Mood(taken_ms - 1))
        if taken_ms <= mood.taken_ms:
            return None
        mood.taken_ms = taken_ms
        if not flags & self.poor:
            told, mood.bad, mood.told = mood.told, 0, False
            return Kind.GOOD if told else None
        mood.bad += 1
        if mood.told or not self.after or mood.bad < self.after:
            return None
        mood.told = True
        return Kind.POOR
