"""From when to when, and at which hours: moments and times of day as people write them.

Pure text and time. Moments are unix milliseconds.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from attrs import frozen

from camd.config.units import read_duration

MOMENT_WANTED = (
    'a date ("2026-08-15"), a date and time ("2026-08-15 22:30", also with "Z" or "+02:00"), '
    'or how long ago ("7 d", "36 h")'
)
DAILY_WANTED = 'two times of day, such as "06:30-20:00"'

_DATE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{3}))?)?)?"
    r"(?: ?(Z|[+-][0-9]{2}:?[0-9]{2}))?",
    re.ASCII,
)
_DAILY = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})", re.ASCII)
_MINUTES = 24 * 60


def parse_moment(text: str, now: float, zone: tzinfo | None, *, end: bool = False) -> int:
    """The moment that *text* names.

    :param now: unix seconds, from which "ago" is reckoned.
    :param zone: that of times without an offset; None is the machine's.
    :param end: a date without a time is the end of that day, not its beginning.
    :raises ValueError: saying what is wanted.
    """
    match = _DATE.fullmatch(text.strip())
    try:
        if match is None:
            return round((now - read_duration(text)) * 1000)
        numbers = [int(match[group] or 0) for group in range(1, 8)]
        numbers[6] *= 1000
        when = datetime(*numbers, tzinfo=_offset(match[8]) if match[8] else zone)  # type: ignore[arg-type, misc]
        if end and match[4] is None:
            when += timedelta(days=1)
        return round(when.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise ValueError(MOMENT_WANTED) from None


def _offset(text: str) -> tzinfo:
    return UTC if text == "Z" else datetime.strptime(text.replace(":", ""), "%z").tzinfo or UTC


@frozen
class Daily:
    """The same hours of every day. *begin*, *end*: minutes since midnight; *end* is not in it,
    and may lie before *begin*, over midnight."""

    begin: int
    end: int

    def has(self, when_ms: int, zone: tzinfo | None) -> bool:
        """Whether it is such an hour then, in that zone."""
        local = datetime.fromtimestamp(when_ms / 1000, zone)
        minute = local.hour * 60 + local.minute
        if self.begin <= self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end


def parse_daily(text: str) -> Daily:
    """:raises ValueError: saying what is wanted."""
    match = _DAILY.fullmatch(text.strip())
    if match is None:
        raise ValueError(DAILY_WANTED)
    begin, end = (int(match[at]) * 60 + int(match[at + 1]) for at in (1, 3))
    if int(match[2]) > 59 or int(match[4]) > 59 or begin >= _MINUTES or end > _MINUTES:
        raise ValueError(DAILY_WANTED)
    if begin == end:
        raise ValueError(f"{DAILY_WANTED}, that are not the same")
    return Daily(begin, end)
