"""The rooms that asking boards needs, and what is counted and timed on the way."""

import secrets
from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from camd.config import Config
from camd.fleet import Fleet
from camd.httpclient import Client
from camd.intake import Intake
from camd.live import Live
from camd.photo import Boot, CameraId, Door, Photo, Reason, Receipt, Refused, Trigger
from camd.pull.mixed import Shot
from camd.wire.picture import crc_of

STALE = 1.0
"""Seconds that a picture may be older than the freshest ones are when they come."""


@define(eq=False)
class House:
    """The rooms that a puller needs.

    :ivar change: as `camd.ingest.budget.Budget.change`.
    :ivar now: unix seconds.
    :ivar chance: a number from 0 to 1, for waits that differ.
    """

    config: Callable[[], Config]
    intake: Intake
    fleet: Fleet
    live: Live
    change: Callable[[int, int], bool]
    client: Client
    reactor: Any
    now: Callable[[], float]
    chance: Callable[[], float]


@frozen
class Hello:
    """What a board is found to be."""

    fw: str
    model: str


@define(eq=False)
class Share:
    """What one answer holds of the memory for photos."""

    change: Callable[[int, int], bool]
    size: int = 0

    def hold(self, size: int) -> bool:
        """*size* bytes from now on; whether that is within bounds."""
        before, self.size = self.size, size
        return self.change(before, size)


@define(eq=False)
class BoardClock:
    """A board's own clock: has it gone back, and how old is a picture?"""

    _last: float | None = None
    _ahead: float | None = None

    def restarted(self, stamp: float | None) -> bool:
        """Whether the board has started anew since the picture before."""
        if stamp is None:
            return False
        back = self._last is not None and stamp < self._last - STALE
        if back:
            self._ahead = None
        self._last = stamp
        return back

    def age(self, stamp: float, now: float) -> float | None:
        """Seconds beyond the least that a picture took to come; None for the first."""
        offset = now - stamp
        first = self._ahead is None
        self._ahead = offset if self._ahead is None else min(self._ahead, offset)
        return None if first else offset - self._ahead


@define(eq=False)
class Album:
    """The photos of one board, numbered from its last start on."""

    id: CameraId
    house: House
    _boot: Boot = field(factory=lambda: Boot(secrets.token_hex(8)))
    _seq: int = 0
    _last: tuple[float | None, int] = (None, 0)

    def restarted(self) -> None:
        self._boot, self._seq = Boot(secrets.token_hex(8)), 0

    async def keep(self, shot: Shot, trigger: Trigger | None = None) -> Receipt | None:
        """*shot* is on the disk; None where it is the one before once more: its board is stuck.

        :raises Refused: it is not, which has been told.
        """
        crc = crc_of(shot.chunks)
        if shot.stamp is not None and self._last == (shot.stamp, crc):
            return None
        self._seq += 1
        photo = Photo(
            self.id, self._boot, self._seq, shot.chunks, shot.bytes, crc, shot.width,
            shot.height, self.house.now(), Door.PULL, None, trigger,
        )  # fmt: skip
        receipt = await self._stored(photo)
        self._last = (shot.stamp, crc)
        return receipt

    def _stored(self, photo: Photo) -> "Deferred[Receipt]":
        """Fires as the intake's does; whoever does not wait for it any more stops nothing."""
        share = Share(self.house.change)
        share.hold(photo.size)
        waiting: Deferred[Receipt] = Deferred()

        def settled(result: Receipt | Failure) -> None:
            share.hold(0)
            if not waiting.called:
                waiting.callback(result)

        self.house.intake.accept(photo).addBoth(settled)
        return waiting

    async def keep_if_possible(self, shot: Shot) -> None:
        """The same, where the next one will do as well."""
        try:
            await self.keep(shot)
        except Refused:
            return  # it has been told

    def damaged(self, shot: Shot) -> None:
        """What came is no whole picture."""
        self.house.intake.refuse(self.id, Reason.JPEG, "a damaged picture", shot.chunks)
