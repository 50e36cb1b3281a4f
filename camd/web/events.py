"""What happens, as it happens: server-sent events.

News are gathered for a moment and written out once for all who listen. Who reads too slowly is
sent nothing until it has caught up; then it gets what it missed, or is told to ask for everything
anew.
"""

from collections.abc import Iterable
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from camd.access import May
from camd.news import Item, Kind
from camd.photo import CameraId, photo_id
from camd.web.answers import TAKEN, Answer, Problem, dumps
from camd.web.auth import Guard, Who
from camd.web.cameras import Cameras
from camd.web.found import short
from camd.web.house import House
from camd.web.photos import receipt_json
from camd.web.routes import Ask, Route, route
from camd.web.server import Request

log = Logger()

GATHER = 0.1
"""Seconds for which news are gathered."""

ALIVE = 15.0
"""Seconds between two signs of life."""

MOST_CARDS = 200
"""Cameras that are told of in one go; the others come next."""

_NUMBER_DIGITS = 15
_EACH = frozenset({Kind.COMMAND, Kind.DENIED, Kind.STORE, Kind.POOR, Kind.GOOD, Kind.ALERT})


def item_json(item: Item) -> dict[str, Any]:
    return {
        "number": item.number,
        "when": round(item.when, 3),
        "kind": item.kind.value,
        "camera": item.camera,
        "text": item.text,
        "reason": None if item.reason is None else item.reason.value,
        "photo": None if item.photo is None else photo_id(item.photo),
    }


def event(name: str, data: Any, number: int | None = None) -> bytes:
    id = b"" if number is None else b"id: %d\n" % number
    return b"%sevent: %s\ndata: %s\n\n" % (id, name.encode(), dumps(data))


Said = tuple[CameraId | None, bytes]
"""An event, and the camera that it is about."""


@implementer(IPushProducer)
class Listener:
    """Somebody who listens.

    :ivar number: of the last news that it has.
    """

    __slots__ = ("_events", "_paused", "camera", "number", "request", "who")

    def __init__(
        self, request: Request, who: Who, events: "Events", camera: CameraId | None, number: int
    ) -> None:
        self.request = request
        self.who = who
        self.camera = camera
        self.number = number
        self._events = events
        self._paused = False

    def tell(self, said: Iterable[Said], number: int) -> None:
        if self._paused:
            return
        self.number = number
        wanted = [data for camera, data in said if self.camera is None or camera == self.camera]
        if wanted:
            self.request.write(b"".join(wanted))

    def alive(self) -> None:
        if not self._paused:
            self.request.write(b":\n\n")

    def resumeProducing(self) -> None:
        self._paused = False
        self._events.catch_up(self)

    def pauseProducing(self) -> None:
        self._paused = True

    def stopProducing(self) -> None:
        self._paused = True
        self._events.left(self)

    def end(self) -> None:
        self._events.left(self)
        if not self.request.gone and not self.request.finished:
            self.request.unregisterProducer()
            self.request.finish()


@define(eq=False)
class Events:
    """Tells every `Listener`. Costs nothing while there is none."""

    house: House
    guard: Guard
    cameras: Cameras
    listeners: dict[Listener, None] = field(factory=dict)
    _gathered: dict[object, tuple[Item, int]] = field(factory=dict)
    _changed: dict[CameraId, None] = field(factory=dict)
    _others: list[Said] = field(factory=list)
    _soon: IDelayedCall | None = None
    _loop: LoopingCall | None = None

    def routes(self) -> list[Route]:
        return [route("GET", "/events", May.READ, self.listen)]

    # ---- what is heard

    def heard(self, item: Item) -> None:
        """A listener of `News`."""
        if not self.listeners:
            return
        key = item.number if item.kind in _EACH else (item.camera, item.kind)
        before = self._gathered.pop(key, None)
        self._gathered[key] = (item, 0 if before is None else before[1] + 1)
        if item.camera is not None:
            self._changed[item.camera] = None
        self._tell_soon()

    def changed(self, name: str, camera: CameraId, data: Any) -> None:
        """What is no news, but to be seen at once."""
        if name == "gone":
            self.cameras.gone(camera)
            data = {"photo": data, "camera": camera}
        if self.listeners:
            self._others.append((camera, event(name, data)))
            self._changed[camera] = None
            self._tell_soon()

    def _tell_soon(self) -> None:
        if self._soon is None:
            self._soon = self.house.reactor.callLater(GATHER, self._tell)

    def _tell(self) -> None:
        self._soon = None
        gathered, self._gathered = self._gathered, {}
        said = [_said(item, missed) for item, missed in gathered.values()]
        said += self._others
        self._others = []
        said += self._cards(self._changed)
        number = self.house.news.number
        for listener in tuple(self.listeners):
            listener.tell(said, number)
        if self._changed and self.listeners:
            self._tell_soon()

    def _cards(self, cameras: dict[CameraId, None]) -> list[Said]:
        """How these cameras fare, those of them that are told of now; they are taken out."""
        said: list[Said] = []
        while cameras and len(said) < MOST_CARDS:
            id = next(iter(cameras))
            del cameras[id]
            camera = self.house.fleet.cameras.get(id)
            if camera is not None:
                said.append((id, event("camera", self.cameras.card(camera))))
        return said

    # ---- who listens

    async def listen(self, ask: Ask) -> Answer:
        request = ask.request
        camera = ask.camera_of_query()
        after = ask.query.count("after", -1, 0, 10**_NUMBER_DIGITS - 1)
        last = (request.getHeader(b"last-event-id") or b"").decode("latin-1")
        if last.isascii() and last.isdecimal() and len(last) <= _NUMBER_DIGITS:
            after = int(last)
        if len(self.listeners) >= self.house.config.web.listeners:
            raise Problem(503, "too many listen already", Retry_After="30")
        request.begin(b"text/event-stream")
        if request.method == b"HEAD":
            request.finish()
            return Answer(TAKEN)
        number = self.house.news.number
        listener = Listener(request, ask.who, self, camera, number if after < 0 else after)
        now = round(self.house.news.now(), 3)
        request.write(b"retry: 2000\n" + event("hello", {"number": number, "now": now}))
        self.listeners[listener] = None
        request.notifyFinish().addBoth(lambda _: self.left(listener))
        request.registerProducer(listener, True)
        self.catch_up(listener)
        if self._loop is None:
            self._loop = LoopingCall(self._look)
            self._loop.clock = self.house.reactor
            self._loop.start(ALIVE, now=False).addErrback(
                lambda failure: log.failure("The events are not looked after", failure)
            )
        return Answer(TAKEN)

    def catch_up(self, listener: Listener) -> None:
        """*listener* has all that there is, or is told that it cannot."""
        news = self.house.news
        if listener.number == news.number:
            return
        items = news.recent(news.keep, listener.number)
        missed = news.number - listener.number
        if missed < 0 or len(items) < missed:
            reset = {"number": news.number, "now": round(news.now(), 3)}
            listener.tell([(listener.camera, event("reset", reset))], news.number)
            return
        cameras = {item.camera: None for item in items if item.camera is not None}
        cards = self._cards(cameras)
        for camera in cameras:
            self._changed[camera] = None
            self._tell_soon()
        listener.tell([*(_said(item, 0) for item in items), *cards], news.number)

    def left(self, listener: Listener) -> None:
        self.listeners.pop(listener, None)
        if not self.listeners:
            self._gathered.clear()
            self._changed.clear()
            self._others.clear()
            if self._loop is not None:
                self._loop.stop()
                self._loop = None

    def _look(self) -> None:
        for listener in tuple(self.listeners):
            if self.guard.still(listener.who):
                listener.alive()
            else:
                listener.end()

    def stop(self) -> None:
        for listener in tuple(self.listeners):
            listener.end()
        if self._soon is not None and self._soon.active():
            self._soon.cancel()
        self._soon = None


def _said(item: Item, missed: int) -> Said:
    data = item_json(item)
    if missed:
        data["missed"] = missed
    if item.receipt is not None:
        data["meta"] = receipt_json(item.receipt)
    if item.findings is not None:
        data["findings"] = short(item.findings)
    return item.camera, event(item.kind.value, data, item.number)
