"""One board that is asked: for a still every so often, or for its stream once, however many watch.

It is on the fleet's list as any camera: it comes when it first answers, leaves when it does not,
and takes the commands that can be put to it by HTTP. A restart is seen by its clock going back.
"""

from collections.abc import Coroutine, Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd.config import CameraConfig
from camd.fleet import Camera, Command, CommandError
from camd.httpclient import AnswerError, BusyError
from camd.photo import CameraId
from camd.pull.board import Board, Firmware, NotTakenError, parsed
from camd.pull.house import STALE, Album, BoardClock, Hello, House, Share
from camd.pull.mixed import Mixed, Shot
from camd.pull.orders import obey, why_not
from camd.pull.wishes import Wishes

log = Logger()

TRIES = 3
"""Pictures that are asked for until one is fresh."""

LOOK = 0.5
"""Seconds between two pictures for who watches a board whose stream is not to be had."""

WITHOUT = 30.0
"""Seconds until a stream is tried again that was not to be had."""

DISPLACED = 60.0
"""Seconds until a board is asked again whose camera has another connection."""

DAMAGED = 30
"""Damaged pictures in a row after which a stream is given up."""


class Puller:
    """Asks the board of one camera. A `camd.fleet.Session`, too.

    :ivar terms: the settings that it was made with, and goes by until it is replaced.
    """

    protocol = "pull"

    def __init__(self, house: House, settings: CameraConfig) -> None:
        config = house.config()
        self.house = house
        self.settings = settings
        self.terms = (settings, config.pull, config.wire.max)
        self.board = Board(settings.pull, house.client, config.wire.max, config.pull.answer)
        self.wishes = Wishes(self.board, self._look, self._pause, dict(settings.settings))
        self.interval = float(settings.interval or config.pull.interval)
        self.failures = 0
        self._camera: Camera | None = None
        self.album = Album(settings.id, house)
        self._clock = BoardClock()
        self._still = Share(house.change)
        self._flow = Share(house.change)
        self._stream: Any = None
        self._asked = False  # a command wants the stream
        self._storing = False
        self._due = 0.0  # when the next photo is to be stored, on the reactor's clock
        self._level = 0.0  # when its settings are to be looked at
        self._no_stream = 0.0  # until when its stream is not to be had
        self._damaged = 0
        self._sleeping: Deferred[None] | None = None
        self._work: set[Deferred[Any]] = set()
        self._life = 0  # grows with each end, so that what ends late knows that it is over

    # ---- life

    @property
    def id(self) -> CameraId:
        return self.settings.id

    def start(self) -> None:
        self._do(self._run(self._life))

    def stop(self) -> None:
        """Nothing is asked any more."""
        self._life += 1
        for work in tuple(self._work):
            work.cancel()
        self._end_stream()
        self._leave()

    def _do(self, work: Coroutine[Deferred[Any], Any, Any]) -> "Deferred[Any]":
        """Work that ends with this puller."""
        done: Deferred[Any] = Deferred.fromCoroutine(work)
        if not done.called:
            self._work.add(done)

        def over(result: Any) -> Any:
            self._work.discard(done)
            return result

        def failed(failure: Failure) -> None:
            if not failure.check(CancelledError):
                log.failure("{camera}: a mistake of ours", failure, camera=self.id)

        return done.addBoth(over).addErrback(failed)

    async def _pause(self, seconds: float) -> None:
        waiting: Deferred[None] = Deferred(lambda _: call.cancel())
        call: IDelayedCall = self.house.reactor.callLater(seconds, lambda: waiting.callback(None))
        await waiting

    async def _sleep(self, seconds: float) -> None:
        """As long, or until somebody wakes it."""
        if seconds <= 0:
            return
        waiting: Deferred[None] = Deferred(lambda _: None)
        call = self.house.reactor.callLater(seconds, self.wake)
        self._sleeping = waiting
        try:
            await waiting
        finally:
            self._sleeping = None
            if call.active():
                call.cancel()

    def wake(self) -> None:
        """Something has changed: somebody watches, say."""
        sleeping, self._sleeping = self._sleeping, None
        if sleeping is not None and not sleeping.called:
            sleeping.callback(None)

    @property
    def _seconds(self) -> float:
        return float(self.house.reactor.seconds())

    # ---- the loop

    async def _run(self, life: int) -> None:
        while life == self._life:
            try:
                await self._meet()
                while life == self._life:
                    if self.house.fleet.camera(self.id).session is not self:
                        raise BusyError("its camera has another connection")
                    if self._seconds >= self._level:
                        await self._look_after()
                    if self.wants_stream and self._seconds >= self._no_stream:
                        await self._follow()
                    else:
                        await self._one()
            except CancelledError:
                raise
            except AnswerError as error:
                why = str(error)
            except Exception:
                log.failure("{camera}: a mistake of ours", camera=self.id)
                why = "a mistake of ours"
            else:
                return
            if life == self._life:
                self._lost(why)
                await self._wait()

    async def _meet(self) -> None:
        """The board answers, and is known for what it is."""
        record = self.house.fleet.camera(self.id)
        if record.session is not None and record.session is not self:
            await self._pause(DISPLACED)
            raise BusyError("its camera has another connection")
        firmware = await self.board.find_out()
        if self._camera is None:
            hello = Hello(firmware.value, self.board.name)
            self._camera = self.house.fleet.arrived(self.id, self, self.board.host, hello)
        self.wishes.restarted()
        self._level = self._seconds

    def _lost(self, why: str) -> None:
        self.failures += 1
        self._end_stream()
        if self._camera is not None or self.failures == 1:
            log.warn("{camera}: {url}: {why}", camera=self.id, url=self.board.url, why=why)
        self._leave()

    def _leave(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            self.house.fleet.left(camera, self)

    async def _wait(self) -> None:
        """Longer each time that the board did not answer, and never quite as long as another."""
        pull = self.house.config().pull
        most = min(pull.retry_most, pull.retry * 2.0 ** min(self.failures - 1, 30))
        await self._pause(most * (0.5 + self.house.chance() / 2))

    @property
    def wants_stream(self) -> bool:
        """Whether its pictures are to come by its stream."""
        wanted = (
            self.settings.pull_mode == "stream" or self._asked or self.house.live.watched(self.id)
        )
        return wanted and self.board.stream_url is not None

    @property
    def _watched(self) -> bool:
        return self._asked or self.house.live.watched(self.id)

    async def _look_after(self) -> None:
        """Its settings are what they are to be."""
        self._level = self._seconds + self.house.config().pull.check
        assert self.board.firmware is not None, "it was met"
        if not self.board.firmware.has_settings:
            return
        try:
            described = await self.wishes.fulfil()
        except NotTakenError as error:
            log.warn("{camera}: {why}", camera=self.id, why=str(error))
            return
        if self._camera is not None:
            self._camera.settings = described

    # ---- stills

    async def _one(self) -> None:
        """A still when it is due; for who watches without a stream, some between."""
        wait = self._due - self._seconds
        if self._watched:
            wait = min(wait, LOOK)
        if wait > 0:
            await self._sleep(min(wait, max(0.0, self._level - self._seconds) or wait))
            if self.wants_stream and self._seconds >= self._no_stream:
                return
        due = self._seconds >= self._due
        if not due and not self._watched:
            return
        shot = await (self.fresh() if due else self._look())
        self.failures = 0
        if not shot.whole:
            self.album.damaged(shot)
            self._schedule()
        elif due:
            self._schedule()
            await self.album.keep_if_possible(shot)
        else:
            self.house.intake.show(self.id, shot.chunks)

    def _schedule(self) -> None:
        """The next photo is due an interval behind this one's time, and never at once."""
        now = self._seconds
        self._due += self.interval
        if not now < self._due <= now + self.interval:
            self._due = now + self.interval

    async def _look(self) -> Shot:
        """A picture from the board, as old as it may be."""
        shot = await self.board.still(self._still.hold)
        self._stamped(shot.stamp)
        return shot

    async def fresh(self) -> Shot:
        """A picture of now: a driver with one buffer gives the one that it took after the last."""
        shot = await self._look()
        for _ in range(TRIES - 1):
            if shot.stamp is None:
                fresh = self.interval < STALE or self.board.firmware is Firmware.STREAM
                return shot if fresh else await self._look()
            age = self._clock.age(shot.stamp, self.house.now())
            if age is not None and age <= STALE:
                break
            shot = await self._look()
        return shot

    def _stamped(self, stamp: float | None) -> None:
        if self._clock.restarted(stamp):
            log.info("{camera}: the board has started anew", camera=self.id)
            self.album.restarted()
            self.wishes.restarted()
            self._level = self._seconds
            self._end_stream()

    # ---- the stream

    async def _follow(self) -> None:
        """Pictures of the stream are shown, and stored as they are due, until nobody wants it."""
        pull = self.house.config().pull
        try:
            stream = self._stream = await self.board.open_stream()
        except AnswerError as error:
            self._no_stream = self._seconds + WITHOUT
            log.info("{camera}: {why}; stills are asked for", camera=self.id, why=str(error))
            return
        mixed = Mixed(self.board.most)
        silence = self.house.reactor.callLater(pull.silence, self._silent)
        allowed = 2 * self.board.most

        def heard(data: bytes) -> None:
            shots = parsed(mixed, data)
            if not self._flow.hold(mixed.held):
                raise BusyError("there is no memory for its pictures")
            for shot in shots:
                if shot.whole and silence.active():
                    silence.reset(pull.silence)
                stream.grant(allowed)
                self._came(shot)

        try:
            stream.grant(allowed)
            stream.follow(heard)
            await stream.done
        finally:
            self._flow.hold(0)
            if silence.active():
                silence.cancel()
            self._end_stream()

    def _silent(self) -> None:
        if self._stream is not None:
            self._stream.end(AnswerError("no picture comes out of its stream any more"))

    def _end_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.stop()

    def _came(self, shot: Shot) -> None:
        """A picture of the stream."""
        if not shot.whole:
            self._damaged += 1
            if self._damaged == 1:
                self.album.damaged(shot)
            if self._damaged >= DAMAGED:
                raise AnswerError("its stream brings damaged pictures only")
            return
        self.failures = self._damaged = 0
        self._stamped(shot.stamp)
        now = self._seconds
        if now >= self._due and not self._storing:
            self._schedule()
            self._storing = True
            self._do(self.album.keep_if_possible(shot)).addBoth(self._is_stored)
        else:
            self.house.intake.show(self.id, shot.chunks)
        if now >= self._level:
            self._level = now + self.house.config().pull.check
            self._do(self._look_after_beside())
        if not self.wants_stream:
            self._end_stream()

    def _is_stored(self, result: Any) -> None:
        self._storing = False

    async def _look_after_beside(self) -> None:
        try:
            await self._look_after()
        except AnswerError as error:
            log.warn("{camera}: {why}", camera=self.id, why=str(error))

    def watched(self) -> None:
        """Somebody watches this camera, or nobody any more."""
        if self.wants_stream:
            self._no_stream = 0.0
            self.wake()
        else:
            self._end_stream()

    # ---- the fleet's session

    def command(self, command: Command) -> "Deferred[Mapping[str, str]]":
        """What the board had to say; fails with `CommandError`."""
        most = self.house.config().limits.commands_in_flight
        if len(self._work) > most:
            return fail(CommandError(command.name, self.id, "too many commands wait already"))
        done: Deferred[Mapping[str, str]] = Deferred.fromCoroutine(obey(self, command))
        if not done.called:
            self._work.add(done)
        seconds = self.house.config().times.command

        def over(result: Any) -> Any:
            self._work.discard(done)
            if isinstance(result, Failure):
                raise CommandError(command.name, self.id, why_not(result, seconds))
            return result

        return done.addTimeout(seconds, self.house.reactor).addBoth(over)

    def ask_for_stream(self, wanted: bool) -> None:
        """A command wants its pictures to be shown, or not any more."""
        self._asked = wanted
        self.watched()

    def take_every(self, seconds: float) -> None:
        """So many seconds between two photos, until camd ends."""
        self.interval = seconds
        self._due = min(self._due, self._seconds + seconds)
        self.wake()

    def take_over(self) -> None:
        """Another connection of the same camera has come: that one is its camera now."""
        self._camera = None
        self._end_stream()

    def kick(self) -> None:
        """The board is left alone for a moment, and then asked anew."""
        self.stop()
        self.failures = max(1, self.failures)
        self._do(self._again(self._life))

    async def _again(self, life: int) -> None:
        await self._wait()
        await self._run(life)
