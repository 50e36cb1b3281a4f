"""What was counted in quarters of an hour, by the hour, the day or the night.

Hours, days and nights are those of the camera's own time zone, whatever its clocks do in between;
a night goes from noon to noon and has the name of the day on which it began. Every one of them
begins with a quarter of an hour. Knows no catalog and no clock.
"""

import csv
import io
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from enum import Enum

from attrs import define

from camd.photo import CameraId
from camd.sheet import as_text
from camd.store.findings import STEP_MS, Count
from camd.store.naming import session_begin, session_day

STEP = STEP_MS // 1000
HOUR = 3600
COLUMNS = ("camera", "class", "since", "until", "name", "photos", "total", "new", "most")


class By(Enum):
    """How long what is counted together lasts."""

    HOUR = "hour"
    DAY = "day"
    NIGHT = "night"


@define
class Group:
    """What was on a camera's photos in one hour, day or night.

    :ivar since: unix seconds at which it began; *until*: at which it was over.
    :ivar name: ``2026-06-01`` or ``2026-06-01T23``, where the camera is.
    :ivar photos, total, fresh, most: as of `Count`.
    """

    camera: CameraId
    label: str
    since: int
    until: int
    name: str
    photos: int = 0
    total: int = 0
    fresh: int = 0
    most: int = 0


def grouped(
    counts: Iterable[Count], by: By, zone_of: Callable[[CameraId], tzinfo | None]
) -> list[Group]:
    """*counts*, oldest first, together: by the time, the camera and the class.

    :param zone_of: a camera's time zone; None: the machine's.
    """
    spans: dict[tuple[CameraId, int], tuple[int, int, str]] = {}
    groups: dict[tuple[int, CameraId, str], Group] = {}
    for count in counts:
        quarter = count.start_ms // 1000
        span = spans.get((count.camera, quarter))
        if span is None:
            span = span_of(quarter, by, zone_of(count.camera))
            spans[count.camera, quarter] = span
        key = (span[0], count.camera, count.label)
        group = groups.get(key)
        if group is None:
            group = groups[key] = Group(count.camera, count.label, *span)
        group.photos += count.photos
        group.total += count.total
        group.fresh += count.fresh
        group.most = max(group.most, count.most)
    return [groups[key] for key in sorted(groups)]


def span_of(quarter: int, by: By, zone: tzinfo | None) -> tuple[int, int, str]:
    """When the hour, day or night begins and ends that has the *quarter* of an hour which begins
    at those unix seconds, and its name."""
    if by is By.HOUR:
        return _hour(quarter, zone)
    day = session_day(quarter, zone, by is By.NIGHT)
    noon = by is By.NIGHT
    return round(session_begin(day, zone, noon)), round(session_begin(day, zone, noon, 1)), day


def _hour(quarter: int, zone: tzinfo | None) -> tuple[int, int, str]:
    """An hour ends where clocks are changed, be it in the middle."""
    offset = _offset(quarter, zone)
    since = quarter - (quarter + offset) % HOUR
    until = since + HOUR
    name = datetime.fromtimestamp(since + offset, UTC).strftime("%Y-%m-%dT%H")
    while since < quarter and _offset(since, zone) != offset:
        since += STEP
    while until - STEP > quarter and _offset(until - STEP, zone) != offset:
        until -= STEP
    return since, until, name


def _offset(when: int, zone: tzinfo | None) -> int:
    """Seconds that clocks are ahead of UTC."""
    local = datetime.fromtimestamp(when, zone)
    shift = (local if zone is not None else local.astimezone()).utcoffset()
    assert shift is not None, "it has a zone"
    return round(shift.total_seconds())


def table(groups: Iterable[Group], zone_of: Callable[[CameraId], tzinfo | None]) -> str:
    """The same as CSV, with a line of `COLUMNS` first; times as ISO 8601 where the camera is, and
    classes that look like formulas as `as_text` has them."""
    text = io.StringIO(newline="")
    write = csv.writer(text)
    write.writerow(COLUMNS)
    for group in groups:
        zone = zone_of(group.camera)
        since, until = (
            datetime.fromtimestamp(when, zone).astimezone(zone).isoformat()
            for when in (group.since, group.until)
        )
        write.writerow(
            (group.camera, as_text(group.label), since, until, group.name, group.photos,
             group.total, group.fresh, group.most)
        )  # fmt: skip
    return text.getvalue()
