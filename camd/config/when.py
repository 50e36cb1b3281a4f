"""When an alert is due, as people write it: ``silent > 2 h``, ``whitefly >= 20 per night``.

Text becomes a `When` and a `When` becomes text again; whether it is due is nobody's business here.
"""

import re
from enum import Enum

from attrs import field, frozen

from camd.config.units import Seconds, Share, duration_text, read_duration, read_share

WANTED = (
    'a rule, such as "silent > 2 h", "whitefly >= 20 per night", "battery < 3.5", "signal < -85", '
    '"temperature > 60", "queued > 100", "disk < 5 %" or "poor"'
)
LONGEST = 200

_RULE = re.compile(
    r"""(?:"(?P<quoted>[^"]{1,100})"|(?P<bare>[^\s<>="]{1,100}))
        (?:\s*(?P<sign>[<>]=?)\s*(?P<limit>[^<>=]{1,60}))?""",
    re.VERBOSE,
)
_COUNT = re.compile(r"([0-9]{1,9})\s+per\s+(hour|day|night)", re.ASCII)
_NUMBER = re.compile(r"(-?[0-9]{1,9}(?:\.[0-9]{1,6})?)\s*(\S*)", re.ASCII)


class Subject(Enum):
    """What is looked at."""

    SILENT = "silent"
    POOR = "poor"
    BATTERY = "battery"
    SIGNAL = "signal"
    TEMPERATURE = "temperature"
    QUEUED = "queued"
    DISK = "disk"
    COUNT = "count"


class Per(Enum):
    """For how long something is counted."""

    HOUR = "hour"
    DAY = "day"
    NIGHT = "night"


UNITS = {
    Subject.BATTERY: "V",
    Subject.SIGNAL: "dBm",
    Subject.TEMPERATURE: "°C",
    Subject.QUEUED: "photos",
}
"""Of what boards measure; may be left out."""

_WORDS = {subject.value: subject for subject in Subject if subject is not Subject.COUNT}


@frozen
class When:
    """A rule.

    :ivar sign: ``<``, ``<=``, ``>`` or ``>=``; "" where there is nothing to compare.
    :ivar limit: seconds of silence, 0 as soon as it counts as silent; what a board measures in its
        unit; how many are counted.
    :ivar share: of the disk, free.
    :ivar label: the class that is counted.
    :ivar per: for how long.
    """

    subject: Subject
    sign: str = ""
    limit: float = 0.0
    share: Share = field(factory=Share)
    label: str = ""
    per: Per | None = None

    def holds(self, value: float, limit: float) -> bool:
        """Whether *value* is beyond *limit*."""
        match self.sign:
            case "<":
                return value < limit
            case "<=":
                return value <= limit
            case ">":
                return value > limit
            case _:
                return value >= limit

    def __str__(self) -> str:
        match self.subject:
            case Subject.POOR:
                return "poor"
            case Subject.SILENT:
                more = f" {self.sign} {duration_text(Seconds(self.limit))}" if self.sign else ""
                return f"silent{more}"
            case Subject.DISK:
                return f"disk {self.sign} {self.share}"
            case Subject.COUNT:
                assert self.per is not None, "a count is one of some time"
                bare = re.fullmatch(r'[^\s<>="]+', self.label) and self.label not in _WORDS
                name = self.label if bare else f'"{self.label}"'
                return f"{name} {self.sign} {self.limit:.0f} per {self.per.value}"
            case _:
                return f"{self.subject.value} {self.sign} {_number(self.limit)}"


def read_when(value: object) -> When:
    """:raises ValueError: saying what a rule looks like."""
    if not isinstance(value, str) or len(value) > LONGEST or not value.isprintable():
        raise ValueError(WANTED)
    text = value.strip()
    if text == "photos bad":
        text = "poor"
    found = _RULE.fullmatch(text)
    if found is None:
        raise ValueError(WANTED)
    sign, limit = found["sign"] or "", (found["limit"] or "").strip()
    subject = None if found["bare"] is None else _WORDS.get(found["bare"])
    if subject is Subject.POOR:
        if sign:
            raise ValueError('"poor" alone')
        return When(subject)
    if subject is Subject.SILENT:
        return _silent(sign, limit)
    if subject is Subject.DISK:
        return _disk(sign, limit)
    if subject is not None:
        return _measured(subject, sign, limit)
    return _counted(found["quoted"] or found["bare"], sign, limit)


def _silent(sign: str, limit: str) -> When:
    if not sign:
        return When(Subject.SILENT)
    try:
        seconds = read_duration(limit)
    except ValueError:
        seconds = Seconds(0.0)
    if sign not in (">", ">=") or not seconds:
        raise ValueError('"silent", or "silent >" and a duration, such as "silent > 2 h"')
    return When(Subject.SILENT, sign, seconds)


def _disk(sign: str, limit: str) -> When:
    wanted = 'room on the disk, such as "disk < 5 %" or "disk < 2 GB"'
    if not sign:
        raise ValueError(wanted)
    try:
        return When(Subject.DISK, sign, share=read_share(limit))
    except ValueError:
        raise ValueError(wanted) from None


def _measured(subject: Subject, sign: str, limit: str) -> When:
    found = _NUMBER.fullmatch(limit)
    unit = UNITS[subject]
    if not sign or found is None or found[2] not in ("", unit, unit.removeprefix("°")):
        raise ValueError(
            f'{subject.value}, "<" or ">" and a number of {unit}, such as '
            f'"{subject.value} {_EXAMPLES[subject]}"'
        )
    return When(subject, sign, float(found[1]) + 0.0)  # -0 is 0


_EXAMPLES = {
    Subject.BATTERY: "< 3.5",
    Subject.SIGNAL: "< -85",
    Subject.TEMPERATURE: "> 60",
    Subject.QUEUED: "> 100",
}


def _counted(label: str, sign: str, limit: str) -> When:
    found = _COUNT.fullmatch(limit)
    if found is None or sign not in (">", ">=") or not label.strip():
        raise ValueError(
            f'{WANTED}; a class is counted ">=" so many "per hour", "per day" or "per night", '
            "one with a space in its name stands in quotes"
        )
    if sign == ">=" and not int(found[1]):
        raise ValueError('a number of 1 or more behind ">="')
    return When(Subject.COUNT, sign, float(found[1]), label=label.strip(), per=Per(found[2]))


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
