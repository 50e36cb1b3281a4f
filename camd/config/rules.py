"""What a value must be beyond its type.

A rule takes a value of the right type and gives it back, normalised where there is more than
one way to write it, or raises ValueError with what is wanted instead. A setting carries its
rules in its type: ``Annotated[int, between(1, 256)]``.
"""

import re
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from camd.config.units import Seconds, duration_text

N = TypeVar("N", int, float)

Rule = Callable[[Any], Any]

_PORT = re.compile(r"(?:haproxy:)?(?:tcp|tcp6|ssl):(?:port=([^:]*)|([^:=]*))(?::.*)?", re.ASCII)
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|[0-9a-f:]{2,39}", re.ASCII)
_URL = re.compile(
    r"https?://(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?(/[!-~]*)?"
)
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
    found = _URL.fullmatch(value)
    if found is None or "#" in value or not _is_port(found[1] or "80"):
        raise ValueError(
            'an address such as "http://172.20.10.2" or "https://cam.example.org:8443/"'
        )
    return value.removesuffix("/") if found[2] == "/" else value
