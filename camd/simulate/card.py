"""The photos that a board has taken and nobody has settled yet."""

from attrs import define, field

from camd.photo import Boot, Trigger


@define(eq=False)
class Shot:
    """A photo on a board.

    :ivar boot: the start that took it. *taken*: unix seconds by the board's clock, or None.
    :ivar spoilt: nobody may acknowledge it.
    :ivar ready_at: seconds on the board's clock before which it is not sent again.
    :ivar sent_at: when it was sent last; None while it is not on its way.
    :ivar refusals: how often it was refused for now; *crc_refusals*: for its checksum.
    """

    boot: Boot
    seq: int
    photo: bytes
    crc: int
    taken: float | None = None
    trigger: Trigger = Trigger.TIMER
    spoilt: bool = False
    ready_at: float = 0.0
    sent_at: float | None = None
    was_sent: bool = False
    refusals: int = 0
    crc_refusals: int = 0


@define(eq=False)
class Card:
    """:ivar room: photos that fit."""

    room: int = 16
    _shots: dict[tuple[Boot, int], Shot] = field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._shots)

    @property
    def full(self) -> bool:
        return len(self._shots) >= self.room

    def flying(self) -> int:
        """Photos whose answer is awaited."""
        return sum(shot.sent_at is not None for shot in self._shots.values())

    def put(self, shot: Shot) -> None:
        self._shots[shot.boot, shot.seq] = shot

    def next(self, now: float) -> Shot | None:
        """The oldest photo that may be sent."""
        for shot in self._shots.values():
            if shot.sent_at is None and shot.ready_at <= now:
                return shot
        return None

    def ready_at(self) -> float | None:
        """When the first of those that are not on their way may be sent."""
        waiting = [shot.ready_at for shot in self._shots.values() if shot.sent_at is None]
        return min(waiting, default=None)

    def oldest_flight(self) -> float | None:
        flights = [shot.sent_at for shot in self._shots.values() if shot.sent_at is not None]
        return min(flights, default=None)

    def in_flight(self, boot: Boot, seq: int) -> Shot | None:
        shot = self._shots.get((boot, seq))
        return shot if shot is not None and shot.sent_at is not None else None

    def settle(self, shot: Shot) -> None:
        """It has its own answer, and may be forgotten."""
        del self._shots[shot.boot, shot.seq]

    def recall(self) -> None:
        """The connection is gone: whatever was on its way is to be sent again."""
        for shot in self._shots.values():
            shot.sent_at = None
