"""What can be set of a single camera, and what holds for it in the end."""

# Defaults are immutable here, whatever call makes them.
# ruff: noqa: RUF009

from datetime import tzinfo
from pathlib import Path
from typing import Literal

from attrs import frozen

from camd.config.area import Area
from camd.config.kinds import Address, Count, Hours, Id, Line, Span, Url, Zone, zone_of
from camd.config.looking import Certainty, Tile
from camd.config.units import Bytes, Seconds
from camd.config.wanted import Wanted
from camd.photo import CameraId


@frozen
class CameraEntry:
    """One ``[[camera]]`` of the file: what is different about that camera. None is as for all.

    :ivar id: the camera's id.
    :ivar name: what people call it.
    :ivar address: addresses from which v1 boards are this camera.
    :ivar pace: as in ``[cameras]``; *interval*, *quota_photos* and *quota_bytes* likewise.
    :ivar timezone: as in ``[store]``; *session*, *max_age*, *thin_after* and *thin_to* likewise.
    :ivar interval: see *pace*.
    :ivar session: see *timezone*.
    :ivar quota_photos: see *pace*.
    :ivar quota_bytes: see *pace*.
    :ivar max_age: see *timezone*.
    :ivar max_bytes: bytes that this camera's photos may take.
    :ivar thin_after: see *timezone*.
    :ivar thin_to: see *timezone*.
    :ivar pull: where the board answers by HTTP, for one that is to be asked for its photos.
    :ivar pull_mode: whether it is asked for each photo, or photos are taken out of its stream.
    :ivar settings: what a board that is pulled is to have, by the names of its ``/control``.
    :ivar detect: whether a model looks at its photos; None is: where there is a model.
    :ivar detect_model: as ``model`` in ``[detect]``; *detect_confidence* and *detect_tile* too.
    :ivar detect_confidence: see *detect_model*.
    :ivar detect_tile: see *detect_model*.
    :ivar detect_hours: hours of its day in which it does, ``18:00-08:00``; "" is always.
    :ivar zones_in: polygons in which things count; none: they do everywhere.
    :ivar zones_out: polygons in which nothing counts.
    :ivar judge: as ``enabled`` in ``[judge]``.
    :ivar note: anything worth knowing about it.
    """

    id: Id
    name: Line = ""
    address: tuple[Address, ...] = ()
    pace: Seconds | None = None
    interval: Seconds | None = None
    timezone: Zone | None = None
    session: Literal["midnight", "noon"] | None = None
    quota_photos: Count | None = None
    quota_bytes: Bytes | None = None
    max_age: Seconds | None = None
    max_bytes: Bytes | None = None
    thin_after: Seconds | None = None
    thin_to: Span | None = None
    pull: Url | None = None
    pull_mode: Literal["still", "stream"] = "still"
    settings: Wanted = Wanted()
    detect: bool | None = None
    detect_model: Path | None = None
    detect_confidence: Certainty | None = None
    detect_tile: Tile | None = None
    detect_hours: Hours = ""
    zones_in: Area = Area()
    zones_out: Area = Area()
    judge: bool | None = None
    note: str = ""


@frozen
class CameraConfig:
    """What holds for one camera: its own settings over those for all.

    Fields as in :class:`CameraEntry`, none of them None; *pull* is "" where it is not pulled,
    *detect_model* where there is none.
    """

    id: CameraId
    name: str
    address: tuple[str, ...]
    pace: Seconds
    interval: Seconds
    timezone: str
    session: Literal["midnight", "noon"]
    quota_photos: int
    quota_bytes: Bytes
    max_age: Seconds
    max_bytes: Bytes
    thin_after: Seconds
    thin_to: Seconds
    pull: str
    pull_mode: Literal["still", "stream"]
    settings: Wanted
    detect: bool
    detect_model: str
    detect_confidence: float
    detect_tile: int
    detect_hours: str
    zones_in: Area
    zones_out: Area
    judge: bool
    note: str

    @property
    def zone(self) -> tzinfo | None:
        """By which its days are reckoned; None is the machine's."""
        return zone_of(self.timezone)
