"""Who delivers what waits: for each target one delivery after the other, none in another's way.

What is to be told is only put aside in the reactor's thread. A moment later all of it goes to the
outbox in one trip, in the thread that the outbox belongs to. A target that does not answer is
left alone for a while, longer each time; what comes for it meanwhile waits in its order.
"""

import random
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd.config.telling import PublishConfig
from camd.plural import count
from camd.publish.outbox import Delivery, Draft, Outbox, Outcome
from camd.store.schema import CatalogError
from camd.workers import BusyError, Workers

log = Logger()

T = TypeVar("T")

GATHER = 0.2
"""Seconds for which what is to be told is gathered into one trip to the disk."""

AGAIN = 5.0
"""Seconds until an outbox that failed is tried again."""

COMPLAIN = 60.0
"""Seconds between two lines about that."""

LAST_TRIP = 1.0
"""Seconds that the outbox gets at the end for what it is about."""

Writing = Callable[[], list[Draft]]


class UndeliveredError(Exception):
    """It was not delivered; the text is for people.

    :ivar after: seconds that its target wants to be left alone, or None.
    :ivar alone: it lies with this delivery: others may go on.
    :ivar gone: its target wants nothing more, ever.
    :ivar untried: nothing was sent, as its target is known to be away.
    """

    def __init__(
        self, why: str, *, after: float | None = None, alone: bool = False, gone: bool = False,
        untried: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(why)
        self.untried = untried
        self.after = after
        self.alone = alone
        self.gone = gone


class Way(Protocol):
    """How one target is reached."""

    def deliver(self, delivery: Delivery) -> "Deferred[None]":
        """Fires when it was; fails with `UndeliveredError`. May be cancelled."""
        ...


@define(eq=False)
class Lane:
    """What waits for one target.

    :ivar failures: in a row. *why*: what went wrong the last time, "" where it went well.
    :ivar closed: its target wants nothing more: what was found of the last one is noted, and
        that is all.
    """

    target: str
    way: Way
    courier: "Courier"
    failures: int = 0
    why: str = ""
    delivered: int = 0
    closed: bool = False
    _work: "Deferred[None] | None" = None
    _sleeping: "Deferred[None] | None" = None
    _pausing: bool = False
    _woken: bool = False
    _over: bool = False

    def start(self) -> None:
        if self._work is None:
            self._woken = True
            work = self._work = Deferred.fromCoroutine(self._run())
            work.addErrback(self._ended)

    def stop(self) -> None:
        self._over = True
        work, self._work = self._work, None
        if work is not None:
            work.cancel()

    def wake(self, now: bool = False) -> None:
        """There may be something to deliver. *now*: be it that the target was to be left alone."""
        self._woken = True
        if self._sleeping is not None and (now or not self._pausing):
            sleeping, self._sleeping = self._sleeping, None
            sleeping.callback(None)

    def _ended(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            log.failure("{target}: a mistake of ours", failure, target=self.target)

    async def _run(self) -> None:
        outcome: Outcome | None = None
        while True:
            self._woken = False
            try:
                delivery, due = await self._turn(outcome)
            except (CatalogError, BusyError) as error:
                self.courier.complain(error)
                await self._sleep(AGAIN, pausing=True)
                continue
            except CancelledError:
                raise
            except Exception:
                log.failure("{target}: a mistake of ours", target=self.target)
                await self._sleep(AGAIN, pausing=True)
                continue
            outcome = None
            if self.closed:
                return
            if delivery is None:
                if not self._woken:
                    wait = None if due is None else max(0.0, due / 1000 - self.courier.now())
                    await self._sleep(wait)
                continue
            outcome, pause = await self._try(delivery)
            if pause:
                # Noted before the pause, which may be the last that this process does.
                try:
                    await self._turn(outcome)
                    outcome = None
                except (CatalogError, BusyError) as error:
                    self.courier.complain(error)
                await self._sleep(pause, pausing=True)

    def _turn(self, outcome: Outcome | None) -> "Deferred[tuple[Delivery | None, int | None]]":
        now_ms, bounds = self.courier.now_ms, self.courier.config()
        return self.courier.ask(lambda box: box.turn(self.target, outcome, now_ms, bounds))

    async def _try(self, delivery: Delivery) -> tuple[Outcome | None, float]:
        """What became of it, and for how many seconds the target is left alone now."""
        try:
            await self.way.deliver(delivery)
        except UndeliveredError as error:
            if self._over:
                raise CancelledError from None  # it was stopped in the middle, and says so
            why, found = str(error), error
        except CancelledError:
            raise
        except Exception:
            log.failure("{target}: a mistake of ours", target=self.target)
            why, found = "a mistake of ours", UndeliveredError("", alone=True)
        else:
            self.failures, self.why = 0, ""
            self.delivered += 1
            return Outcome(delivery.id), 0.0
        bounds = self.courier.config()
        if found.gone:
            self.why, self.closed = why, True
            self.courier.gone(self.target, why)
            return Outcome(delivery.id, why), 0.0
        self.failures += 1
        if self.failures == 1 or not self.why:
            log.warn("{target}: {why}; it is tried again", target=self.target, why=why)
        self.why = why
        tries = delivery.tries if found.alone else self.failures - 1
        delay = min(bounds.retry_most, bounds.retry * 2.0 ** min(tries, 30))
        delay *= 0.5 + self.courier.chance() / 2
        delay = max(delay, min(found.after or 0.0, bounds.give_up))
        if found.untried:
            return None, delay
        last = delivery.tries + 1 >= bounds.tries
        if last:
            log.error(
                "{target}: given up after {tries}: {why}", target=self.target,
                tries=count(delivery.tries + 1, "try", "tries"), why=why,
            )  # fmt: skip
        # A target that is left alone begins with this one again.
        later = delay if found.alone else 0.0
        due = None if last else self.courier.now_ms + round(later * 1000)
        return Outcome(delivery.id, why, due), 0.0 if found.alone else delay

    async def _sleep(self, seconds: float | None, pausing: bool = False) -> None:
        """As long, or until it is woken; None: until then."""
        waiting: Deferred[None] = Deferred(lambda _: None)
        call: IDelayedCall | None = None
        if seconds is not None:
            call = self.courier.reactor.callLater(seconds, self.wake, True)
        self._sleeping, self._pausing = waiting, pausing
        try:
            await waiting
        finally:
            self._sleeping = None
            if call is not None and call.active():
                call.cancel()


@define(eq=False)
class Courier:
    """:ivar gone: is told which target wants nothing more, and why.
    :ivar now: unix seconds.
    :ivar lost: what had to be left untold, as not even memory had room.
    """

    config: Callable[[], PublishConfig]
    outbox: Outbox
    reactor: Any
    now: Callable[[], float]
    gone: Callable[[str, str], None]
    chance: Callable[[], float] = random.random
    lost: int = 0
    lanes: dict[str, Lane] = field(factory=dict)
    _workers: Workers | None = None
    _gathered: list[Writing] = field(factory=list)
    _memory: dict[str, Callable[[], Any]] = field(factory=dict)
    _flying: tuple[list[Writing], dict[str, Any]] | None = None
    _call: IDelayedCall | None = None
    _complained: float = 0.0
    _dropped: int = 0

    @property
    def now_ms(self) -> int:
        return round(self.now() * 1000)

    @property
    def running(self) -> bool:
        return self._workers is not None

    # ---- life

    def start(self) -> None:
        if self._workers is None:
            waiting = lambda: 10_000  # noqa: E731 - each lane waits for one answer at a time
            self._workers = Workers("camd-outbox", 1, waiting, self.reactor.callFromThread)
            if self._gathered or self._memory:
                self._soon(GATHER)

    def stop(self) -> None:
        """Nothing is delivered any more, and all that was put aside is on the disk; blocks."""
        for lane in self.lanes.values():
            lane.stop()
        self.lanes.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None
        workers, self._workers = self._workers, None
        if workers is not None:
            workers.stop(LAST_TRIP)
        self._last_trip()

    def _last_trip(self) -> None:
        flying, self._flying = self._flying, None
        writings, memory = self._taken()
        if flying is not None:
            writings, memory = [*flying[0], *writings], {**flying[1], **memory}
        if writings or memory:
            try:
                self._put(self.outbox, writings, memory)
            except CatalogError as error:
                log.error("{things} not told: {why}", things=count(len(writings), "thing"),
                          why=str(error))  # fmt: skip
        self.outbox.close()

    def lane(self, target: str, way: Way) -> None:
        """What waits for *target* goes that way from now on."""
        before = self.lanes.pop(target, None)
        if before is not None:
            before.stop()
        lane = self.lanes[target] = Lane(target, way, self)
        if self.running:
            lane.start()

    def no_lane(self, target: str) -> None:
        lane = self.lanes.pop(target, None)
        if lane is not None:
            lane.stop()

    # ---- what is to be told

    def post(self, writing: Writing, urgent: bool = False) -> None:
        """What *writing* gives is told. It is called later, perhaps more than once, in another
        thread, and must give the same each time."""
        most = self.config().items
        if len(self._gathered) >= (2 * most if urgent else most):
            self.lost += 1
            return
        self._gathered.append(writing)
        self._soon(GATHER)

    def remember(self, key: str, value: Callable[[], Any]) -> None:
        """What *value* gives is found again under *key* behind a restart. It is called when what
        was posted is written, and goes to the disk with it or not at all."""
        self._memory[key] = value
        self._soon(GATHER)

    def ask(self, work: Callable[[Outbox], T]) -> "Deferred[T]":
        """What *work* finds in, or does to, the outbox; done in the outbox's thread."""
        if self._workers is None:
            done: Deferred[T] = Deferred()
            done.errback(BusyError("nothing is told now"))
            return done
        return self._workers.run(lambda: work(self.outbox))

    def flush(self) -> None:
        """What was put aside goes to the outbox, but for what is on its way already."""
        self._call = None
        if self._flying is not None or self._workers is None:
            return
        writings, memory = self._flying = self._taken()
        done = self.ask(lambda box: self._put(box, writings, memory))
        done.addCallbacks(self._there, self._not_there)

    def _taken(self) -> tuple[list[Writing], dict[str, Any]]:
        writings, memory = self._gathered, self._memory
        self._gathered, self._memory = [], {}
        return writings, {key: value() for key, value in memory.items()}

    def _put(self, box: Outbox, writings: list[Writing], memory: dict[str, Any]) -> set[str]:
        drafts = [draft for writing in writings for draft in _written(writing)]
        self._dropped += box.put(drafts, self.config(), memory)
        return {draft.target for draft in drafts}

    def _there(self, targets: set[str]) -> None:
        self._flying = None
        self._complained = 0.0
        for target in targets:
            lane = self.lanes.get(target)
            if lane is not None:
                lane.wake()
        dropped, self._dropped = self._dropped, 0
        if dropped:
            log.warn("{things} not told: too much waits already", things=count(dropped, "thing"))
        if self._gathered or self._memory:
            self._soon(GATHER)

    def _not_there(self, failure: Failure) -> None:
        writings, memory = self._flying or ([], {})
        self._flying = None
        if not failure.check(CatalogError, BusyError):
            log.failure("{things} not told, by a mistake of ours", failure,
                        things=count(len(writings), "thing"))  # fmt: skip
            return
        if self.running:
            self.complain(failure.value or failure)
        self._gathered[:0] = writings
        for key, value in memory.items():
            self._memory.setdefault(key, partial(_same, value))
        self._soon(AGAIN)

    def complain(self, error: object) -> None:
        """The outbox failed: a line, once in a while."""
        now = self.reactor.seconds()
        if not self._complained or now >= self._complained + COMPLAIN:
            self._complained = now
            log.error("what is to be told waits in memory: {why}", why=str(error))

    def _soon(self, seconds: float) -> None:
        if self._call is None and self._flying is None and self._workers is not None:
            self._call = self.reactor.callLater(seconds, self.flush)


def _written(writing: Writing) -> list[Draft]:
    """What *writing* gives; a mistake in it costs the others nothing."""
    try:
        return writing()
    except Exception:
        log.failure("something cannot be told, by a mistake of ours")
        return []


def _same(value: T) -> T:
    return value
