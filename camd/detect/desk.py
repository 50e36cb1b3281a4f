"""Where photos lie on their way from the backlog to a crew.

As few are fetched as will do until the next time, so that the newest can come first. Knows no
catalog; its clock is whoever asks.
"""

from attrs import define

from camd.detect.crew import Crew
from camd.detect.terms import Share
from camd.detect.trip import AT_ONCE, Wish

SPARSE = 5.0
"""Seconds between two looks for the photos of single cameras among many others."""

MANY = 5000
"""So many photos that wait are many."""


@define(eq=False)
class Desk:
    """The photos of one share, on their way to its crew.

    :ivar crew: None: nobody wants them.
    :ivar pile: so many are fetched that nobody runs out of work until the next trip.
    :ivar more: whether there were more in the backlog than were fetched.
    :ivar heard: whether more have come since.
    :ivar not_before: seconds; until then nothing is fetched.
    """

    share: Share
    crew: Crew | None
    pile: int = 0
    more: bool = True
    heard: bool = True
    not_before: float = 0.0

    @property
    def hungry(self) -> bool:
        """Whether a worker has nothing to do, though there may be something."""
        return bool((self.more or self.heard) and self.crew is not None and self.crew.idling)

    def wish(self, newest_first: bool, now: float) -> Wish | None:
        """What it wants to have, if anything."""
        if not (self.more or self.heard) or now < self.not_before:
            return None
        room = AT_ONCE
        if self.crew is not None:
            if self.crew.error:
                return None
            room = self._room(self.crew, newest_first)
        if not room:
            return None
        self.heard = False
        share = self.share
        if share.others:
            return Wish(room, without=sorted(share.cameras))
        return Wish(room, only=sorted(share.cameras))

    def _room(self, crew: Crew, newest_first: bool) -> int:
        least = 2 * crew.rules.workers * crew.rules.window
        if crew.idling:
            self.pile = min(max(2 * self.pile, least), AT_ONCE)
        elif crew.waiting > self.pile // 2:
            self.pile = max(self.pile * 3 // 4, least)
        if newest_first and self.heard:
            crew.take_back()  # newer ones go first
        room = self.pile - crew.waiting
        return room if 2 * room >= self.pile else 0

    def fetched(self, wish: Wish, found: int, now: float, waiting: int) -> None:
        """So many of those that it wanted were found. *waiting*: of all photos."""
        self.more = found == wish.limit
        # Photos of a few cameras are looked for among all that wait.
        if not self.more and not self.share.others and waiting > MANY:
            self.not_before = now + SPARSE
