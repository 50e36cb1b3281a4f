"""Durations, sizes, shares and secrets, as people write them and as the program counts them.

Each can be read from a number or from text and written back as text; what was written back
reads as the same value. Knows nothing of keys, files or defaults.
"""

import re
from decimal import Decimal
from typing import NewType

from attrs import frozen

Seconds = NewType("Seconds", float)
"""A duration in seconds, 0 to a hundred years, to the microsecond."""

Bytes = NewType("Bytes", int)
"""A size in bytes, 0 to 2**63 - 1."""

SecretUrl = NewType("SecretUrl", str)
"""A URL that lets in whoever knows it: no more of it is shown than the scheme and the host."""

LONGEST = Seconds(100 * 365 * 86_400.0)
LARGEST = Bytes(2**63 - 1)

DURATION_WANTED = 'a duration: seconds, or text such as "10 s", "2 min", "3 h", "30 d", "150 ms"'
SIZE_WANTED = 'a size: whole bytes, or text such as "64 MiB", "2 GB", "500 kB"'
SHARE_WANTED = 'a size ("256 MiB", bytes) or a part of the whole ("5 %")'

_URL_PARTS = re.compile(
    r"((?:[a-z][a-z0-9+.-]*:)?/{0,2})(?:[^/?#]*@)?([^/?#@]*)(.*)",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
_QUANTITY = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?) ?([A-Za-z%]{1,7})", re.ASCII)

_DURATIONS = {
    "d": Decimal(86_400),
    "h": Decimal(3600),
    "min": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
}

_ALSO = {
    "day": "d",
    "days": "d",
    "hour": "h",
    "hours": "h",
    "m": "min",
    "minute": "min",
    "minutes": "min",
    "sec": "s",
    "second": "s",
    "seconds": "s",
}
"""How else people write a unit."""

_SIZES = {
    "TiB": 2**40,
    "TB": 10**12,
    "GiB": 2**30,
    "GB": 10**9,
    "MiB": 2**20,
    "MB": 10**6,
    "KiB": 2**10,
    "kB": 10**3,
    "B": 1,
}
_SIZES_BY_LOWER = {unit.lower(): size for unit, size in _SIZES.items()}


def _quantity(text: str) -> tuple[Decimal, str] | None:
    """The number and the unit that *text* is made of."""
    found = _QUANTITY.fullmatch(text.strip())
    return None if found is None else (Decimal(found[1]), found[2])


def _is_number(value: object) -> bool:
    """Whether *value* is an int or a float; True and False are neither."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def read_duration(value: object) -> Seconds:
    """:raises ValueError: saying what a duration looks like."""
    if isinstance(value, str):
        quantity = _quantity(value)
        factor = None if quantity is None else _DURATIONS.get(_ALSO.get(quantity[1], quantity[1]))
        if quantity is None or factor is None:
            raise ValueError(DURATION_WANTED)
        value = quantity[0] * factor
    elif not _is_number(value):
        raise ValueError(DURATION_WANTED)
    # NaN fails both comparisons, and an int too large for a float is turned away unconverted.
    if not (0 <= value <= LONGEST):  # type: ignore[operator]
        raise ValueError("a duration of 0 to 100 years")
    return Seconds(round(float(value), 6))  # type: ignore[arg-type]


def duration_text(seconds: Seconds) -> str:
    """*seconds* in the largest unit that leaves no fraction, such as ``"90 s"`` or ``"2 min"``."""
    exact = Decimal(f"{seconds:.6f}")
    if not exact:
        return "0 s"
    for unit, factor in _DURATIONS.items():
        if exact % factor == 0:
            return f"{int(exact / factor)} {unit}"
    return f"{f'{exact:f}'.rstrip('0')} s"


def read_size(value: object) -> Bytes:
    """:raises ValueError: saying what a size looks like."""
    if isinstance(value, str):
        quantity = _quantity(value)
        unit = None if quantity is None else _SIZES_BY_LOWER.get(quantity[1].lower())
        if quantity is None or unit is None:
            raise ValueError(SIZE_WANTED)
        value = int(quantity[0] * unit)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(SIZE_WANTED)
    if not 0 <= value <= LARGEST:
        raise ValueError("a size of 0 to 2**63 - 1 bytes")
    return Bytes(value)


def size_text(size: Bytes) -> str:
    """*size* in the unit with the smallest whole number, such as ``"64 MiB"`` or ``"500 kB"``."""
    if not size:
        return "0 B"
    unit = next(unit for unit, factor in _SIZES.items() if size % factor == 0)
    return f"{size // _SIZES[unit]} {unit}"


@frozen
class Share:
    """So much of a whole: a number of bytes, or a percentage of it.

    :ivar size: bytes, where *percent* is None.
    :ivar percent: 0 to 100, or None.
    """

    size: Bytes = Bytes(0)
    percent: float | None = None

    def of(self, whole: int) -> int:
        """Bytes, where the whole is *whole* bytes."""
        return self.size if self.percent is None else int(whole * self.percent / 100)

    def __str__(self) -> str:
        if self.percent is None:
            return size_text(self.size)
        digits = f"{self.percent:.6f}".rstrip("0").rstrip(".")
        return f"{digits} %"


def read_share(value: object) -> Share:
    """:raises ValueError: saying what a share looks like."""
    quantity = _quantity(value) if isinstance(value, str) else None
    if quantity is not None and quantity[1] == "%":
        if quantity[0] > 100:
            raise ValueError("a part of 0 to 100 %")
        return Share(percent=round(float(quantity[0]), 6))
    try:
        return Share(read_size(value))
    except ValueError:
        raise ValueError(SHARE_WANTED) from None


@frozen(repr=False)
class Secret:
    """Text that no log line, error or prompt shows; :attr:`reveal` is the only way to it."""

    reveal: str = ""

    def __repr__(self) -> str:
        return "Secret(…)" if self.reveal else "Secret()"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self.reveal)


def url_shown(url: str) -> str:
    """What may be seen of a `SecretUrl`, or of what was to be one."""
    found = _URL_PARTS.fullmatch(url)
    assert found is not None, "any text is made of these parts"
    host = found[1] + found[2]
    return url if url.removesuffix("/") == host else f"{host}/(hidden)"
