"""The settings of time-lapse films that are made from the page."""

# Defaults are immutable here, whatever call makes them.
# ruff: noqa: RUF009

from typing import Annotated

from attrs import frozen

from camd.config.kinds import DAY, MIB, MINUTE
from camd.config.rules import between, lasting
from camd.config.units import Bytes, Seconds


@frozen
class TimelapseConfig:
    """Time-lapse films that are asked for on the page, or by programs.

    :ivar longest: seconds that a film may last.
    :ivar waiting: films that wait to be made at most; one is made at a time.
    :ivar max_bytes: what finished films may take on the disk, each and all together; the oldest go
        first.
    :ivar keep: seconds after which a finished film goes.
    :ivar patience: seconds that the making of a film may take.
    """

    longest: Annotated[Seconds, lasting(Seconds(1.0))] = Seconds(10 * MINUTE)
    waiting: Annotated[int, between(0, 1000)] = 8
    max_bytes: Bytes = Bytes(2048 * MIB)
    keep: Annotated[Seconds, lasting(Seconds(MINUTE))] = Seconds(30 * DAY)
    patience: Annotated[Seconds, lasting(Seconds(1.0))] = Seconds(2 * 60 * MINUTE)
