"""A photo's file name alone says what it is: camera, time, boot and seq.

Pure text and time: nothing here looks at a disk.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from attrs import frozen

from camd.photo import Boot, CameraId, is_camera_id

OLDEST_SANE = 1_577_836_800.0
"""2020-01-01: who says earlier, a board or this machine, has not learnt the time."""

AHEAD_SANE = 86_400.0
"""Seconds that a board's clock may run ahead of ours and still be believed."""

SLOT = 900
"""Seconds; every time zone's midnight is a multiple of this."""

PART_PREFIX, PART_SUFFIX = ".camd-", ".part"
"""What is still being written has a name of this kind, which no program takes for a photo's."""

_NAME = re.compile(r"(.+)_([0-9]{8}-[0-9]{6})_([0-9a-f]{16})-([1-9][0-9]{0,9})\.jpg", re.ASCII)
_FLAT = re.compile(r"([0-9]{4,12})\.jpg", re.ASCII)


@frozen
class PhotoName:
    """What a file's name says. *when*: unix seconds, whole."""

    camera: CameraId
    when: float
    boot: Boot
    seq: int


def moment(taken: float | None, received: float) -> float:
    """When the picture was taken, unix seconds: the board's word where it can be true."""
    if taken is not None and OLDEST_SANE <= taken <= received + AHEAD_SANE:
        return taken
    return received


def photo_name(camera: CameraId, when: float, boot: Boot, seq: int) -> str:
    """``greenhouse-1_20260815-221503_00c0ffee00c0ffee-17.jpg``; *when* is written in UTC."""
    return f"{camera}_{_stamp(int(when))}_{boot}-{seq}.jpg"


@lru_cache(maxsize=64)
def _stamp(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y%m%d-%H%M%S")


def parse_photo_name(name: str) -> PhotoName | None:
    """What *name* says, or None where camd did not make it."""
    match = _NAME.fullmatch(name)
    if match is None or not is_camera_id(match[1]):
        return None
    try:
        when = datetime.strptime(match[2], "%Y%m%d-%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    return PhotoName(CameraId(match[1]), when, Boot(match[3]), int(match[4]))


def flat_name(number: int) -> str:
    """``0001.jpg``, as the tutorial's server numbers them; wider when four digits are used up."""
    return f"{number:04d}.jpg"


def parse_flat_name(name: str) -> int | None:
    match = _FLAT.fullmatch(name)
    return int(match[1]) if match else None


def session_day(when: float, zone: tzinfo | None, starts_at_noon: bool) -> str:
    """The day, ``YYYY-MM-DD``, whose folder a picture belongs to.

    :param zone: the camera's time zone; None is the machine's.
    :param starts_at_noon: a night is one session: before noon counts to the day before.
    """
    local = datetime.fromtimestamp(when, zone)
    if starts_at_noon:
        local = local.replace(tzinfo=None) - timedelta(hours=12)
    return local.strftime("%Y-%m-%d")


def session_begin(day: str, zone: tzinfo | None, starts_at_noon: bool, later: int = 0) -> float:
    """Unix seconds at which the session of *day* begins, or that of so many days *later*."""
    at = datetime.strptime(day, "%Y-%m-%d") + timedelta(
        days=later, hours=12 if starts_at_noon else 0
    )
    return at.replace(tzinfo=zone).timestamp()
