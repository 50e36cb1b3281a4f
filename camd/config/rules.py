"""What a value must be beyond its type.

A rule takes a value of the right type and gives it back, normalised where there is more than
one way to write it, or raises ValueError with what is wanted instead. A setting carries its
rules in its type: ``Annotated[int, between(1, 256)]``.
"""

import re
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import TypeVar
from zoneinfo import ZoneInfo

from camd.config.units import Seconds, duration_text
from camd.findings import Flag

N = TypeVar("N", int, float)

_PORT = re.compile(r"(?:haproxy:)?(?:tcp|tcp6|ssl):(?:port=([^:]*)|([^:=]*))(?::.*)?", re.ASCII)
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|[0-9a-f:]{2,39}", re.ASCII)
_URL = re.compile(
    r"https?://(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?(/[!-~]*)?"
)
_BROKER = re.compile(
    r"mqtts?://(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?/?"
)
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,64}(?:/[A-Za-z0-9_-]{1,64}){0,7}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}", re.ASCII)
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_ENDPOINT = re.compile(r"[A-Za-z][A-Za-z0-9]*:[^\x00-\x1f\x7f]+", re.ASCII)


def at_least(least: N) -> Callable[[N], N]:
    """A number no less than *least*."""

    def rule(value: N) -> N:
        if value < least:
            raise ValueError(f"{least} or more")
        return value

    return rule


def between(least: N, most: N) -> Callable[[N], N]:
    """A number from *least* to *most*, both included."""

    def rule(value: N) -> N:
        if not least <= value <= most:
            raise ValueError(f"{least} to {most}")
        return value

    return rule


def lasting(least: Seconds) -> Callable[[Seconds], Seconds]:
    """A duration no shorter than *least*."""

    def rule(value: Seconds) -> Seconds:
        if value < least:
            raise ValueError(f"a duration of {duration_text(least)} or more")
        return value

    return rule


def one_line(value: str) -> str:
    """Printable text of at most 200 characters, on one line."""
    if len(value) > 200 or not value.isprintable():
        raise ValueError("one line of printable text, 200 characters at most")
    return value


def tile_side(value: int) -> int:
    """0, or 32 to 8192: of smaller squares a large photo has millions."""
    if value and not 32 <= value <= 8192:
        raise ValueError("0, or 32 to 8192")
    return value


def time_zone(value: str) -> str:
    """A name that this machine's time zone database knows, or "" for the machine's own zone."""
    if value:
        try:
            ZoneInfo(value)
        # A name such as "Europe" is a directory of the database, "../x" no name at all.
        except (KeyError, ValueError, OSError):
            raise ValueError(
                'the name of a time zone that this machine knows, such as "Europe/Vienna"'
            ) from None
    return value


def normal_address(text: str) -> str:
    """An IP address in its one shortest form, IPv4 where IPv6 only wraps it, without a zone.

    :raises ValueError: where *text* is no IP address.
    """
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        raise ValueError('an IP address, such as "192.168.1.20"') from None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(found)


def host_name(value: str) -> str:
    """A host's name or address in lower case, without a port."""
    name = value.lower().strip("[]")
    if _HOST.fullmatch(name) is None:
        raise ValueError('a host without a port, such as "cameras.example.org"')
    return name


def endpoint(value: str) -> str:
    """A description of a server endpoint as Twisted reads it; its kind is not looked into."""
    if _ENDPOINT.fullmatch(value) is None:
        raise ValueError('an endpoint, such as "tcp:8940" or "tcp:8940:interface=127.0.0.1"')
    port = _PORT.fullmatch(value)
    if port is not None:
        digits = port[1] if port[1] is not None else port[2]
        # Without a number here the port is named further back: tcp:interface=…:port=….
        named_later = port[1] is None and ":port=" in value
        if not named_later and not _is_port(digits):
            raise ValueError("an endpoint with a port of 0 to 65535")
    return value


def _is_port(digits: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", digits, re.ASCII) is not None and int(digits) <= 65535


def endpoint_or_off(value: str) -> str:
    """An endpoint, or the word "off"."""
    if value == "off":
        return value
    try:
        return endpoint(value)
    except ValueError as wanted:
        raise ValueError(f'"off", or {wanted}') from None


def board_url(value: str) -> str:
    """Where a board answers by HTTP; without a path it ends with its host."""
    return _url(value, '"http://172.20.10.2" or "https://cam.example.org:8443/"')


def _url(value: str, example: str) -> str:
    found = _URL.fullmatch(value)
    if found is None or "#" in value or not _is_port(found[1] or "80"):
        raise ValueError(f"an address such as {example}")
    return value.removesuffix("/") if found[2] == "/" else value


def web_url(value: str) -> str:
    """An address on the web, or ""; without a path it ends with its host."""
    return _url(value, '"https://hooks.example.org/camd"') if value else value


def broker_url(value: str) -> str:
    """Where an MQTT broker listens, or ""."""
    if value:
        found = _BROKER.fullmatch(value)
        if found is None or not _is_port(found[1] or "1"):
            raise ValueError('"mqtt://host", "mqtt://host:1883" or "mqtts://host:8883"')
    return value


def topic(value: str) -> str:
    """The beginning of MQTT topics: words with "/" between them."""
    if _TOPIC.fullmatch(value) is None:
        raise ValueError('words of a-z A-Z 0-9 _ - with "/" between them, such as "camd"')
    return value


def word(value: str) -> str:
    """Up to 64 letters, digits, "_" and "-", or ""."""
    if value and _WORD.fullmatch(value) is None:
        raise ValueError('a word of a-z A-Z 0-9 _ -, such as "phone"')
    return value


def mail_address(value: str) -> str:
    """An address for mail, without the name of its owner, or ""."""
    if value and _MAIL.fullmatch(value) is None:
        raise ValueError('an address such as "me@example.org"')
    return value


def day_hours(value: str) -> str:
    """Two times of a day with "-" between them, or ""."""
    if value:
        read_hours(value)
    return value


def read_hours(text: str) -> tuple[int, int]:
    """The minutes of the day at which *text*, such as ``22:00-07:00``, begins and ends.

    :raises ValueError: saying what it looks like.
    """
    found = _HOURS.fullmatch(text)
    wanted = 'hours such as "22:00-07:00"'
    if found is None:
        raise ValueError(wanted)
    begin, end = (60 * int(found[at]) + int(found[at + 1]) for at in (1, 3))
    if begin == end:
        raise ValueError(wanted)
    return begin, end


def flag_name(value: str) -> str:
    """What may be wrong with a photo."""
    return _one_of(value, [flag.value for flag in Flag])


def flag_by_itself(value: str) -> str:
    """The same, seen without the photo before."""
    return _one_of(value, [flag.value for flag in Flag if flag is not Flag.FROZEN])


def _one_of(value: str, words: list[str]) -> str:
    if value not in words:
        raise ValueError(f"one of {', '.join(words)}")
    return value
