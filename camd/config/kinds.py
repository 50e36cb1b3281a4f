"""What settings are made of: their types with the rules that they carry, and their marks.

Knows no section; every module of sections builds on it.
"""

from collections.abc import Callable
from datetime import tzinfo
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

from attrs import Factory, field

from camd.config.rules import (
    between,
    board_url,
    day_hours,
    endpoint,
    endpoint_or_off,
    host_name,
    lasting,
    normal_address,
    one_line,
    time_zone,
)
from camd.config.units import Seconds
from camd.photo import CameraId, parse_camera_id

T = TypeVar("T")

MOST = 10**12
"""As far as anything is counted: what lies far beyond does not fit where counts are kept."""

Count = Annotated[int, between(0, MOST)]
Some = Annotated[int, between(1, MOST)]
Span = Annotated[Seconds, lasting(Seconds(0.001))]
SocketSpan = Annotated[Seconds, lasting(Seconds(1.0))]
Endpoint = Annotated[str, endpoint]
Line = Annotated[str, one_line]
Zone = Annotated[str, time_zone]
Address = Annotated[str, normal_address]
EndpointOrOff = Annotated[str, endpoint_or_off]
HostName = Annotated[str, host_name]
Url = Annotated[str, board_url]
Hours = Annotated[str, day_hours]
Id = Annotated[CameraId, parse_camera_id]

KIB = 1024
MIB = 1024 * KIB
MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def setting(default: T, *, restart: bool = False, flag: str | None = None) -> T:
    """A setting with what is to be said of it besides its type.

    :param restart: it is looked at only when camd starts.
    :param flag: the option of the command line that sets it, where that is not its key.
    """
    return field(default=default, metadata={"restart": restart, "flag": flag})


def zone_of(name: Zone) -> tzinfo | None:
    """The zone of that name; None, the machine's own, for ""."""
    return ZoneInfo(name) if name else None


def derived(make: Callable[[Any], T]) -> T:
    """What follows from the settings and is none itself."""
    made: T = field(init=False, eq=False, repr=False, default=Factory(make, takes_self=True))
    return made
