"""What is wanted of a camera's photos, and who is to look at them, by the configuration.

Knows no process and no catalog. Times are unix seconds.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

from attrs import define, field, frozen

from camd.config import CameraConfig, Config
from camd.config.rules import read_hours
from camd.findings import Flag
from camd.photo import CameraId
from camd.vision.lines import Setup
from camd.vision.thresholds import Thresholds
from camd.vision.wanted import Limits, Wanted
from camd.vision.zones import Zones

_REMEMBERED = 10_000


@frozen
class Outfit:
    """With what workers are started; those of one outfit are alike.

    :ivar stamp: changes when another file takes the place of the model.
    :ivar priority: ``idle``, ``low`` or ``normal``.
    """

    setup: Setup
    stamp: tuple[int, ...] = ()
    priority: str = "idle"


def outfit_of(config: Config, model: str) -> Outfit:
    """For looking with the file *model*, "" for judging alone."""
    detect, judge = config.detect, config.judge
    thresholds = Thresholds(judge.dark, judge.bright, judge.blurred, judge.green, judge.covered)
    limits = Limits(most_bytes=detect.max_bytes, most_pixels=detect.max_pixels)
    if not model:
        return Outfit(Setup(thresholds=thresholds, limits=limits), (), detect.priority)
    size = (detect.size, detect.size) if detect.size else None
    setup = Setup(Path(model).absolute(), size, detect.classes, detect.threads, thresholds, limits)
    return Outfit(setup, _stamp(model), detect.priority)


def _stamp(model: str) -> tuple[int, ...]:
    try:
        found = os.stat(model)
    except (OSError, ValueError):
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


@define(eq=False)
class Terms:
    """By one configuration, and the model files as they were when this was made."""

    config: Config
    _outfits: dict[str, Outfit] = field(factory=dict)
    _general: dict[CameraId, Wanted] = field(factory=dict)

    def outfit(self, camera: CameraId) -> Outfit | None:
        """Of those who are to look at its photos; None: nobody is."""
        own = self.config.camera(camera)
        if not own.detect and not own.judge:
            return None
        model = own.detect_model if own.detect else ""
        if model not in self._outfits:
            self._outfits[model] = outfit_of(self.config, model)
        return self._outfits[model]

    def shares(self) -> "list[Share]":
        """Whose photos are for whom: those of the cameras that differ from the rest, and last
        those of all others."""
        general = self.outfit(_ANYBODY)
        named: dict[Outfit | None, list[CameraId]] = {}
        for entry in self.config.camera_entries:
            outfit = self.outfit(entry.id)
            if outfit != general:
                named.setdefault(outfit, []).append(entry.id)
        own = [Share(outfit, frozenset(cameras)) for outfit, cameras in named.items()]
        others = frozenset[CameraId]().union(*(share.cameras for share in own))
        return [*own, Share(general, others, others=True)]

    def wanted(self, camera: CameraId, taken: float) -> Wanted:
        """What is wanted of a photo that was taken then, where anything is."""
        own = self.config.camera(camera)
        found = self._general.get(camera)
        if found is None:
            if len(self._general) >= _REMEMBERED:
                self._general.clear()
            found = self._general[camera] = self._wanted(own)
        if found.detect and own.detect_hours and not within(own, taken):
            return Wanted(detect=False, judge=own.judge)
        return found

    def _wanted(self, own: CameraConfig) -> Wanted:
        detect = self.config.detect
        return Wanted(
            detect=own.detect,
            judge=own.judge,
            confidence=own.detect_confidence,
            iou=detect.iou,
            most=detect.most,
            tile=own.detect_tile,
            overlap=detect.overlap,
            whole=detect.whole,
            useless=frozenset(Flag(name) for name in self.config.judge.useless),
            zones=Zones(own.zones_in.polygons, own.zones_out.polygons),
        )


_ANYBODY = CameraId("")
"""No camera has this id."""


@frozen
class Share:
    """Photos that are for workers of one outfit.

    :ivar outfit: None: nobody wants them looked at.
    :ivar cameras: whose they are; with *others*, those whose they are not.
    """

    outfit: Outfit | None
    cameras: frozenset[CameraId]
    others: bool = False

    def has(self, camera: CameraId) -> bool:
        """Whether its photos are among them."""
        return (camera in self.cameras) != self.others


def within(own: CameraConfig, taken: float) -> bool:
    """Whether a photo was taken in the hours of the camera's day in which a model looks."""
    when = datetime.fromtimestamp(taken, UTC).astimezone(own.zone)
    minute = 60 * when.hour + when.minute
    begin, end = read_hours(own.detect_hours)
    if begin < end:
        return begin <= minute < end
    return minute >= begin or minute < end
