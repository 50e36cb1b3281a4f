"""How many of each class were found today, of each camera: kept at hand for who is told of it.

A day is one as the camera's photos have it: from midnight, or from noon where that is its session.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define, field
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd.config import Config
from camd.photo import CameraId
from camd.publish.alerts import Counts
from camd.store.naming import session_begin, session_day

log = Logger()

MOST_LABELS = 50
"""Classes of a camera that are counted."""

COUNTED_AT_ONCE = 500
"""Counts that are asked for in one go."""


@define(eq=False)
class Tally:
    """:ivar changed: told whose numbers are others now.
    :ivar labels: the classes that were ever seen, by camera.
    """

    config: Callable[[], Config]
    now: Callable[[], float]
    counts: Callable[[], Counts | None]
    changed: Callable[[CameraId], None]
    labels: dict[CameraId, list[str]] = field(factory=dict)
    _counted: dict[CameraId, dict[str, int]] = field(factory=dict)
    _days: dict[CameraId, str] = field(factory=dict)
    _failing: bool = False

    def of(self, camera: CameraId) -> Mapping[str, int]:
        """Today's numbers, so far as they are known."""
        return self._counted.get(camera, {})

    def restore(self, memory: Any) -> None:
        """*memory*: `memory` as it was."""
        self.labels = {CameraId(camera): list(own) for camera, own in memory.items()}

    def memory(self) -> dict[str, list[str]]:
        """What is worth finding again behind a restart."""
        return {camera: list(labels) for camera, labels in self.labels.items()}

    def saw(self, camera: CameraId, labels: Iterable[str], fresh: Iterable[str]) -> bool:
        """These are on a photo, those of them were not before. Whether there is a new class."""
        known = self.labels.setdefault(camera, [])
        before = len(known)
        known += [label for label in labels if label not in known][: MOST_LABELS - before]
        for label in fresh:
            if label in known:
                self._count(camera, label)
        return len(known) > before

    def new_day(self, cameras: Mapping[CameraId, object]) -> None:
        """Where a day has begun since the last time, all is counted anew; what is too much for
        once, the next time."""
        asked = 0
        for camera, labels in self.labels.items():
            if camera in cameras and self._days.get(camera) != self._day(camera)[0]:
                asked += len(labels)
                if asked > COUNTED_AT_ONCE:
                    return
                for label in labels:
                    self._count(camera, label)

    def forget(self, camera: CameraId) -> None:
        for memory in (self.labels, self._counted, self._days):
            memory.pop(camera, None)

    def _day(self, camera: CameraId) -> tuple[str, float, float]:
        """The day that it is there, and unix seconds of its begin and end."""
        settings = self.config().camera(camera)
        zone, noon = settings.zone, settings.session == "noon"
        day = session_day(self.now(), zone, noon)
        return day, session_begin(day, zone, noon), session_begin(day, zone, noon, 1)

    def _count(self, camera: CameraId, label: str) -> None:
        counts = self.counts()
        if counts is None:
            return
        day, since, until = self._day(camera)
        self._days[camera] = day

        def count(number: int) -> None:
            self._failing = False
            self._counted.setdefault(camera, {})[label] = number
            self.changed(camera)

        counts(camera, label, round(since * 1000), round(until * 1000)).addCallbacks(
            count, self._failed
        )

    def _failed(self, failure: Failure) -> None:
        if not self._failing:
            self._failing = True
            log.error("nothing can be counted: {why}", why=failure.getErrorMessage())
