"""A board with our firmware: keeps each photo until that photo's own answer.

Photos go to its card, from there over a session to camd, as many at a time as the window lets
it. When the connection breaks it comes back, later each time, and sends what has no answer.
"""

import os
import random
import time
import zlib
from collections.abc import Callable
from typing import ClassVar

from attrs import frozen
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure

from camd.photo import MAX_SEQ, Boot, Reason, Trigger
from camd.simulate.board import STOCK_HABITS, Board, Habits, Link, Shutter
from camd.simulate.card import Card, Shot
from camd.simulate.commands import Commands
from camd.simulate.ledger import Record
from camd.simulate.session_v2 import Cause, Identity, Session
from camd.wire import messages
from camd.wire.messages import Answer, Command, Frame, Welcome

MOST_WINDOW = 8
MOST_CRC_REFUSALS = 3


@frozen
class Patience:
    """How long a board waits, in seconds.

    :ivar auth: before it comes back after its key or name was refused; None: it gives up.
    :ivar silence: of camd's, before it is sent PING.
    :ivar stat: between two STAT lines.
    """

    opening: float = 15.0
    answer: float = 60.0
    silence: float = 90.0
    pong: float = 20.0
    first_retry: float = 1.0
    most_retry: float = 60.0
    taken: float = 60.0
    auth: float | None = 600.0
    stat: float = 60.0
    watch: float = 2.0


FIRMWARES_PATIENCE = Patience()


class BoardV2(Board):
    """:ivar boot: drawn when the power comes on; lives on through deep sleep.
    :ivar seq: the last photo's number.
    :ivar sleeps: between photos it says BYE, closes, and comes back for the next one.
    :ivar spoils: nobody may acknowledge what it sends.
    """

    spoils: ClassVar[bool] = False

    def __init__(
        self,
        clock: IReactorTime,
        endpoint: IStreamClientEndpoint,
        shutter: Shutter,
        record: Record,
        *,
        identity: Identity,
        habits: Habits = STOCK_HABITS,
        chance: random.Random | None = None,
        patience: Patience = FIRMWARES_PATIENCE,
        sleeps: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(clock, endpoint, shutter, record, habits=habits, chance=chance)
        self.identity = identity
        self.patience = patience
        self.sleeps = sleeps and habits.interval > 0
        self.interval = habits.interval
        self.card = Card()
        self.commands = Commands(self)
        self._now = now
        self._session: Session | None = None
        self._window = 1
        self._failures = 0
        self._working = False
        self._leaving = False
        self._due_at = 0.0
        self._opened_at = 0.0
        self._heard_at = 0.0
        self._pinged_at: float | None = None
        self.power_on()

    def power_on(self) -> None:
        """A new boot, and numbers from 1; the card keeps what it has."""
        self.boot = Boot(os.urandom(8).hex())
        self.seq = 0
        self._trigger = Trigger.BOOT
        self._powered_at = self.clock.seconds()

    def power_cycle(self) -> None:
        """As a brownout does it: the connection is forgotten, not closed."""
        if self._session is not None:
            self._session.end()
        self.drop()
        self.power_on()
        self._again(self.patience.first_retry)

    def stop(self) -> None:
        self.stopping = True
        self.cancel("photo")
        self.commands.stream_off()
        if not self.record.connections:
            self.finish()
        elif self._link is not None or not len(self.card):
            self._work()

    def unreachable(self) -> None:
        self._again_later()

    # ---- the connection

    def dial(self) -> None:
        if not self.timed("photo") and self.clock.seconds() >= self._due_at:
            self._photo_due()
        super().dial()

    def link_made(self, link: Link) -> None:
        super().link_made(link)
        self._leaving = False
        self._session = self.open_session(link)
        self._session.begin()
        self._heard_at = self.clock.seconds()
        self._pinged_at = None
        self._opened_at = self._heard_at
        self._watch()

    def open_session(self, link: Link) -> Session:
        return Session(self.identity, self.boot, self, link.write)

    def link_received(self, link: Link, data: bytes) -> None:
        if link is self._link and self._session is not None:
            self._heard_at = self.clock.seconds()
            self._pinged_at = None
            self._session.receive(data)

    def link_free(self, link: Link) -> None:
        self._work()

    def link_lost(self, link: Link, why: Failure) -> None:
        current = link is self._link
        super().link_lost(link, why)
        if not current:
            return
        asked = self._leaving or link.closing
        self.forget_session()
        if self.finished or (self.stopping and not len(self.card)):
            self.finish()
        elif self._leaving:
            self._asleep()
        elif not asked:
            self._again_later()

    def forget_session(self) -> None:
        """What was on its way is to be sent again."""
        if self._session is not None:
            self._session.end()
        self._session = None
        self.card.recall()
        self.cancel("watch")
        self.cancel("retry")
        self.cancel("stat")
        self.commands.stream_off()

    def broken(self, cause: Cause, code: str) -> None:
        if self._session is not None:
            self._session.end()
        self.record.errors[code] += 1
        self.record.hung_up += cause is not Cause.LOST
        if self._link is not None:
            self._link.abort()
        patience = self.patience
        if cause is Cause.TAKEN:
            self._again(patience.taken + self.chance.uniform(0, patience.first_retry))
        elif cause is Cause.AUTH:
            if patience.auth is None:
                self.stopping = True
                self.finish()
            else:
                self._again(patience.auth * self.chance.uniform(0.75, 1.25))
        else:
            self._again_later()

    def _again_later(self) -> None:
        wait = min(self.patience.first_retry * 2**self._failures, self.patience.most_retry)
        self._failures = min(self._failures + 1, 16)
        self._again(wait * self.chance.uniform(0.75, 1.25))

    def _again(self, seconds: float) -> None:
        if self.stopping and not len(self.card):
            self.finish()
        elif not self.timed("dial"):
            self.later("dial", seconds, self.dial)

    def _watch(self) -> None:
        """Every wait ends some time."""
        self.later("watch", self.patience.watch, self._watch)
        session, now, patience = self._session, self.clock.seconds(), self.patience
        if session is None:
            return
        if not session.ready:
            if now - self._opened_at > patience.opening:
                self.broken(Cause.LOST, "opening took too long")
            return
        oldest = self.card.oldest_flight()
        if oldest is not None and now - max(oldest, self._heard_at) > patience.answer:
            self.broken(Cause.LOST, "no answer to a photo")
        elif self._pinged_at is not None and now - self._pinged_at > patience.pong:
            self.broken(Cause.LOST, "camd is silent")
        elif self._pinged_at is None and now - self._heard_at > patience.silence:
            session.say(messages.ping())
            self._pinged_at = now

    # ---- what camd says

    def welcomed(self, said: Welcome) -> None:
        self._window = min(said.window, MOST_WINDOW)
        self.seq = max(self.seq, said.last)
        self._say_stat()
        self._work()

    def answered(self, said: Answer) -> None:
        assert self._session is not None
        shot = self.card.in_flight(said.boot or self._session.boot, said.seq)
        if shot is None or shot.sent_at is None:
            self.record.errors["stray answer"] += 1
            return
        self._failures = 0
        now = self.clock.seconds()
        if said.reason is None:
            self.card.settle(shot)
            latency = now - shot.sent_at
            self.record.was_acknowledged(shot.seq, shot.photo, latency, shot.spoilt)
        else:
            self._refused(shot, said.reason, said.retry, now)
        self._work()

    def _refused(self, shot: Shot, reason: Reason, retry: float | None, now: float) -> None:
        shot.crc_refusals += reason is Reason.CRC
        final = reason.final or shot.crc_refusals >= MOST_CRC_REFUSALS
        self.record.was_refused(reason.value, final)
        if final:
            self.card.settle(shot)
            return
        doubled = self.patience.first_retry * 2 ** min(shot.refusals, 16)
        shot.refusals += 1
        shot.ready_at = now + (min(doubled, self.patience.most_retry) if retry is None else retry)
        shot.sent_at = None

    def commanded(self, said: Command) -> None:
        self.commands.commanded(said)
        self._work()

    def say(self, line: bytes, payload: bytes = b"") -> None:
        """Nothing is said where nobody would hear it."""
        if self._session is not None and self._session.ready:
            self._session.say(line, payload)

    @property
    def can_view(self) -> bool:
        """Whether a picture for live view would go out at once."""
        ready = self._session is not None and self._session.ready
        return ready and self._link is not None and not self._link.blocked

    # ---- photos

    def shoot(self, trigger: Trigger) -> Shot | None:
        """A photo goes to the card, where there is room."""
        if self.card.full:
            self.record.missed += 1
            return None
        if self.seq >= MAX_SEQ:
            self.power_on()
        self.seq += 1
        photo = self.photo()
        shot = Shot(self.boot, self.seq, photo, zlib.crc32(photo), self.unix_time(), trigger)
        shot.spoilt = self.spoils
        self.card.put(shot)
        self.record.taken += 1
        return shot

    def unix_time(self) -> float | None:
        """What the board's own clock says, unix seconds, or None before it knows."""
        return self._now()

    def head(self, shot: Shot) -> Frame:
        boot = None if self._session is None or shot.boot == self._session.boot else shot.boot
        return Frame(shot.seq, len(shot.photo), shot.crc, shot.taken, shot.trigger, boot)

    def beat(self, interval: float) -> None:
        """Take a photo every so many seconds from now on."""
        self.interval = interval
        self.cancel("photo")
        if not self.enough:
            self._plan_photo()
            self._work()

    def _photo_due(self) -> None:
        if not self.enough and self.interval:
            trigger, self._trigger = self._trigger, Trigger.TIMER
            self.shoot(trigger)
            self._plan_photo()

    def _plan_photo(self) -> None:
        if not self.interval:
            return
        jitter = self.habits.jitter
        wait = self.interval * self.chance.uniform(1 - jitter, 1 + jitter)
        self._due_at = self.clock.seconds() + wait
        if not self.sleeps:
            self.later("photo", wait, self._next_photo)

    def _next_photo(self) -> None:
        self._photo_due()
        self._work()

    def _work(self) -> None:
        """Send what may be sent now; go when there is nothing left to do."""
        if self._working:
            return
        self._working = True
        try:
            self._send_photos()
            self._leave_if_done()
        finally:
            self._working = False

    def _send_photos(self) -> None:
        session, link = self._session, self._link
        if session is None or link is None:
            return
        flying = self.card.flying()
        while session.ready and not link.blocked and flying < self._window:
            now = self.clock.seconds()
            shot = self.card.next(now)
            if shot is None and not self.interval and not self.enough and not self.card.full:
                shot = self.shoot(self._trigger)
                self._trigger = Trigger.TIMER
            if shot is None:
                break
            shot.sent_at = now
            self.record.was_sent(shot.photo, again=shot.was_sent)
            shot.was_sent = True
            self.send(session, shot)
            flying += 1
        at = self.card.ready_at()
        if at is not None and at > self.clock.seconds():
            self.later("retry", at - self.clock.seconds(), self._work)

    def send(self, session: Session, shot: Shot) -> None:
        session.send(self.head(shot), shot.photo)

    def _leave_if_done(self) -> None:
        if len(self.card) or not (self.enough or self.sleeps):
            return
        if self._session is None or not self._session.ready or self._link is None:
            if self.stopping:
                self.finish()
            return
        if self._leaving:
            return
        self._leaving = True
        going = self.enough
        wait = max(0.0, self._due_at - self.clock.seconds())
        self.say(messages.bye(None if going else max(1, round(wait))))
        if going:
            self.stopping = True
        self._link.close()

    def _asleep(self) -> None:
        self.later("dial", max(0.0, self._due_at - self.clock.seconds()), self.dial)

    def _say_stat(self) -> None:
        up = self.clock.seconds() - self._powered_at
        self.say(
            messages.stat(
                {
                    "rssi": self.chance.randint(-78, -48),
                    "vbat": round(self.chance.uniform(3.7, 4.15), 2),
                    "temp": round(self.chance.uniform(18, 31), 1),
                    "heap": self.chance.randint(90_000, 140_000),
                    "uptime": int(up),
                    "queued": len(self.card),
                    "reset": "poweron",
                }
            )
        )
        self.later("stat", self.patience.stat, self._say_stat)
