"""Cameras watched live: one source, any number of viewers, the newest picture for each.

A viewer is given a picture when what it had before has been sent, and then the newest; what came
in between it never sees. So a slow one holds nobody up, and no more than one picture waits for
anybody. `Screen` is a camera that is watched: where pictures stop coming it shows since when.
"""

import time
from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from camd.access import May
from camd.fleet import Camera, State
from camd.live import Chunks
from camd.photo import CameraId
from camd.web.answers import JPEG, TAKEN, Answer, Problem
from camd.web.auth import Guard, Who
from camd.web.cameras import Cameras
from camd.web.house import House
from camd.web.notice import ago, notice
from camd.web.photos import Photos
from camd.web.routes import Ask, Route, route
from camd.web.server import Request, little_buffered
from camd.workers import BusyError, Workers

log = Logger()

BOUNDARY = b"camd-picture"
KIND = b"multipart/x-mixed-replace; boundary=" + BOUNDARY
LOOK = 1.0
"""Seconds between two looks for pictures that do not come."""

NOTICE = 5.0
"""Seconds after which a notice's age is written anew."""

IN_THE_SYSTEM = 128 * 1024
"""Bytes that the system may hold for a viewer: about a second of pictures, not half a minute."""

_GAPS = 3.0
"""A picture is overdue after so many times what lay between the last ones."""

_LONGEST_GAP = 60.0
_EARLY = 0.5
"""A picture may come so much of the time between two too early: boards are not on the beat."""


@implementer(IPushProducer)
class Viewer:
    """Somebody who watches."""

    __slots__ = ("_alone", "_due", "_every", "_owed", "_paused", "_screen", "request", "who")

    def __init__(self, request: Request, who: Who, screen: "Screen", fps: float) -> None:
        self.request = request
        self.who = who
        self._screen = screen
        self._every = 1 / fps
        self._due = 0.0
        self._owed = False
        self._alone = 0.0
        self._paused = False

    def offer(self, now: float, hurry: bool = False) -> None:
        """There is a new picture."""
        if self._paused or (now < self._due - _EARLY * self._every and not hurry):
            self._owed = True
            return
        self._owed = False
        self._due = max(self._due, now - self._every) + self._every
        self._alone = now
        self.request.write(self._screen.part)

    def overdue(self, now: float) -> None:
        """The last picture came too soon, and none has come after it. One that was sent is sent
        once more where nothing follows: Chromium shows it when it sees that the next one begins.
        """
        if self._paused:
            return
        if self._owed:
            self.offer(now, hurry=True)
        elif self._alone and now - self._alone >= LOOK:
            self._alone = 0.0
            self.request.write(self._screen.part)

    def resumeProducing(self) -> None:
        self._paused = False
        if self._owed:
            self.offer(time.monotonic())

    def pauseProducing(self) -> None:
        self._paused = True

    def stopProducing(self) -> None:
        self._paused = True
        self._screen.left(self)

    def end(self) -> None:
        """There is no more."""
        self._screen.left(self)
        if not self.request.gone and not self.request.finished:
            self.request.unregisterProducer()
            self.request.finish()


@define(eq=False)
class Screen:
    """A camera that somebody watches.

    :ivar part: the newest picture as it is sent; empty before the first.
    :ivar picture: the newest one that came from the camera.
    """

    camera: CameraId
    over: Callable[["Screen"], None]
    part: bytes = b""
    picture: bytes | None = None
    since: float = field(factory=time.time)
    viewers: dict[Viewer, None] = field(factory=dict)
    noticed: float = 0.0
    gap: float = 0.0
    _came_last: float = 0.0
    _stop: Callable[[], None] | None = None

    def begin(self, watch: Callable[[Callable[[Chunks], None]], Callable[[], None]]) -> None:
        self._stop = watch(self._came)

    def _came(self, chunks: Chunks) -> None:
        now = time.time()
        if self._came_last:
            self.gap = min(_LONGEST_GAP, max(0.0, now - self._came_last))
        self._came_last = now
        self.show(b"".join(chunks), now)

    def show(self, picture: bytes, when: float) -> None:
        """A picture of the camera, which is the newest since *when*."""
        self.picture, self.since, self.noticed = picture, when, 0.0
        self.present(picture, when)

    def present(self, picture: bytes, when: float, hurry: bool = False) -> None:
        """Every viewer gets *picture* when it is ready for it."""
        self.part = part(picture, when)
        now = time.monotonic()
        for viewer in tuple(self.viewers):
            viewer.offer(now, hurry)

    def left(self, viewer: Viewer) -> None:
        if self.viewers.pop(viewer, viewer) is None and not self.viewers:
            if self._stop is not None:
                self._stop()
                self._stop = None
            self.over(self)


@define(eq=False)
class Watching:
    """All that are watched, and by whom."""

    house: House
    guard: Guard
    cameras: Cameras
    photos: Photos
    workers: Workers
    screens: dict[CameraId, Screen] = field(factory=dict)
    _loop: LoopingCall | None = None

    def routes(self) -> list[Route]:
        return [
            route("GET", "/cameras/{camera}/live.mjpeg", May.READ, self.live),
            route("GET", "/cameras/{camera}/latest.jpg", May.READ, self.latest),
        ]

    @property
    def viewers(self) -> int:
        return sum(len(screen.viewers) for screen in self.screens.values())

    def viewers_of(self, camera: CameraId) -> int:
        screen = self.screens.get(camera)
        return len(screen.viewers) if screen is not None else 0

    def stop(self) -> None:
        for screen in tuple(self.screens.values()):
            for viewer in tuple(screen.viewers):
                viewer.end()

    # ---- answers

    async def live(self, ask: Ask) -> Answer:
        camera = self.cameras.known(ask)
        web = self.house.config.web
        fps = ask.query.number("fps", 0, 60)
        if fps == 0:
            raise Problem(400, "fps is more than 0")
        if self.viewers >= web.viewers:
            raise Problem(503, "too many watch already", Retry_After="10")
        request = ask.request
        little_buffered(request.channel.transport, IN_THE_SYSTEM)
        request.begin(KIND, plain=True)
        if request.method == b"HEAD":
            request.finish()
            return Answer(TAKEN)
        request.write(b"--" + BOUNDARY + b"\r\n")
        screen = self._screen(camera)
        viewer = Viewer(request, ask.who, screen, min(fps or web.fps, web.fps))
        screen.viewers[viewer] = None
        request.notifyFinish().addBoth(lambda _: screen.left(viewer))
        request.registerProducer(viewer, True)
        if screen.part:
            viewer.offer(time.monotonic())
        return Answer(TAKEN)

    async def latest(self, ask: Ask) -> Answer:
        camera = self.cameras.known(ask)
        screen = self.screens.get(camera.id)
        headers = {b"Cache-Control": b"no-store"}
        if screen is not None and screen.picture is not None:
            return Answer(screen.picture, 200, JPEG, headers)
        found = await self._newest(camera)
        if found is None:
            raise Problem(404, "there is no picture yet")
        return Answer(found[0], 200, JPEG, headers)

    async def _newest(self, camera: Camera) -> tuple[bytes, float] | None:
        """The newest photo of *camera*, and when it came."""
        await self.cameras.look()
        entry = self.cameras.newest(camera)
        if entry is None:
            return None
        try:
            return await self.workers.run(lambda: self.photos.read(entry)), entry.received_ms / 1000
        except (OSError, BusyError):
            return None

    # ---- screens

    def _screen(self, camera: Camera) -> Screen:
        screen = self.screens.get(camera.id)
        if screen is None:
            screen = self.screens[camera.id] = Screen(camera.id, self._over)
            live = self.house.live
            screen.begin(lambda viewer: live.watch(camera.id, viewer))
            self._first(screen, camera)
        if self._loop is None:
            self._loop = LoopingCall(self._look)
            self._loop.clock = self.house.reactor
            self._loop.start(LOOK, now=False).addErrback(
                lambda failure: log.failure("The live view is not looked after", failure)
            )
        return screen

    def _first(self, screen: Screen, camera: Camera) -> None:
        """Until a new picture comes, the newest photo is shown."""

        def found(newest: tuple[bytes, float] | None) -> None:
            if newest is not None and screen.picture is None:
                screen.show(*newest)

        Deferred.fromCoroutine(self._newest(camera)).addCallback(found).addErrback(
            lambda failure: log.failure("The newest photo cannot be shown", failure)
        )

    def _over(self, screen: Screen) -> None:
        if self.screens.get(screen.camera) is screen:
            del self.screens[screen.camera]
        if not self.screens and self._loop is not None:
            self._loop.stop()
            self._loop = None

    def _look(self) -> None:
        """Who is overdue is told so; who may not watch any more does not."""
        now, clock = time.time(), time.monotonic()
        stale = self.house.config.web.stale
        for screen in tuple(self.screens.values()):
            for viewer in tuple(screen.viewers):
                if self.guard.still(viewer.who):
                    viewer.overdue(clock)
                else:
                    viewer.end()
            age = now - screen.since
            if age > max(stale, _GAPS * screen.gap) and now - screen.noticed > NOTICE:
                screen.noticed = now
                self._notice(screen, now)

    def _notice(self, screen: Screen, now: float) -> None:
        camera = self.house.fleet.cameras.get(screen.camera)
        lines = [f"{screen.camera}: {_state(camera, now)}"]
        lines.append(
            f"this picture came {ago(now - screen.since)}" if screen.picture else "no picture yet"
        )
        before = screen.since

        def made(picture: bytes) -> None:
            if screen.since == before:
                screen.present(picture, now, hurry=True)

        last = screen.picture
        self.workers.run(lambda: notice(last, lines)).addCallback(made).addErrback(
            lambda failure: failure.trap(BusyError)
        )


def _state(camera: Camera | None, now: float) -> str:
    if camera is None or camera.state is State.NEVER:
        return "never seen"
    if camera.session is not None:
        return "connected, but no picture comes"
    if camera.expected > now:
        at = time.strftime("%H:%M:%S", time.gmtime(camera.expected))
        return f"asleep until {at} UTC"
    return f"gone, seen {ago(now - camera.last_seen)}"


def part(picture: bytes, when: float) -> bytes:
    """*picture* as it is sent; the boundary behind it says at once that it is whole."""
    head = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\nX-Timestamp: %.3f\r\n\r\n"
    return b"%s%s\r\n--%s\r\n" % (head % (len(picture), when), picture, BOUNDARY)
