"""What boards measured, remembered for a while: a bounded ring of each camera, in memory."""

from array import array
from collections.abc import Callable, Mapping
from math import isnan
from typing import Any

from attrs import define, field

from camd.config import Config
from camd.fleet import Fleet
from camd.news import Item, Kind
from camd.photo import CameraId

MOST_NAMES = 12
"""So many measurements of one camera are remembered; others only show in its newest."""

_NOTHING = float("nan")


class Ring:
    """Columns of numbers, the oldest going when there are too many."""

    __slots__ = ("columns", "when")

    def __init__(self) -> None:
        self.when: array[float] = array("d")
        self.columns: dict[str, array[float]] = {}

    def add(self, when: float, values: Mapping[str, Any], most: int) -> None:
        for name, value in values.items():
            if (
                name not in self.columns
                and len(self.columns) < MOST_NAMES
                and isinstance(value, int | float)
            ):
                self.columns[name] = array("f", [_NOTHING]) * len(self.when)
        self.when.append(when)
        for name, column in self.columns.items():
            value = values.get(name)
            column.append(value if isinstance(value, int | float) else _NOTHING)
        for column in (self.when, *self.columns.values()):
            del column[: max(0, len(column) - most)]

    def since(self, when: float) -> tuple[list[float], dict[str, list[float | None]]]:
        first = next((at for at, each in enumerate(self.when) if each >= when), len(self.when))
        return list(self.when[first:]), {
            name: [None if isnan(each) else round(each, 3) for each in column[first:]]
            for name, column in self.columns.items()
        }


@define(eq=False)
class Telemetry:
    """Listens to the news for measurements."""

    config: Callable[[], Config]
    fleet: Fleet
    _rings: dict[CameraId, Ring] = field(factory=dict)

    def heard(self, item: Item) -> None:
        """A listener of `News`."""
        if item.kind is not Kind.STAT or item.camera is None:
            return
        web = self.config().web
        ring = self._rings.get(item.camera)
        if ring is None:
            if len(self._rings) >= web.telemetry_cameras:
                self._drop_the_forgotten()
            if len(self._rings) >= web.telemetry_cameras:
                return
            ring = self._rings[item.camera] = Ring()
        if ring.when and item.when - ring.when[-1] < web.telemetry_step:
            return
        camera = self.fleet.cameras.get(item.camera)
        if camera is not None:
            ring.add(item.when, camera.telemetry or {}, web.telemetry_samples)

    def _drop_the_forgotten(self) -> None:
        for camera in self._rings.keys() - self.fleet.cameras.keys():
            del self._rings[camera]

    def of(self, camera: CameraId) -> Ring:
        return self._rings.get(camera) or Ring()
