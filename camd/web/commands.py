"""Commands to cameras, and what came of the last ones."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd.access import May
from camd.fleet import CommandError
from camd.offered import checked
from camd.photo import CameraId, parse_photo_id, photo_id
from camd.web.answers import Answer, Problem, only, said
from camd.web.cameras import Cameras
from camd.web.house import House
from camd.web.photos import Changed
from camd.web.routes import Ask, Route, route

log = Logger()

REMEMBERED = 1000
LONGEST_WAIT = 60.0
MOST_FPS = 25


@define(eq=False)
class Asked:
    """A command that was asked for here.

    :ivar state: waiting, done or failed.
    """

    id: int
    camera: CameraId
    command: str
    arguments: Mapping[str, Any]
    asked: float
    state: str = "waiting"
    result: Mapping[str, str] = field(factory=dict)
    photo: str | None = None
    why: str | None = None
    ended: float | None = None
    _waiters: "list[Deferred[None]]" = field(factory=list)

    def json(self) -> dict[str, Any]:
        return {
            "id": self.id, "camera": self.camera, "command": self.command,
            "arguments": dict(self.arguments), "state": self.state, "result": dict(self.result),
            "photo": self.photo, "why": self.why, "asked": self.asked, "ended": self.ended,
        }  # fmt: skip

    def over(self, state: str, when: float) -> None:
        self.state, self.ended = state, when
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)

    def wait(self, seconds: float, clock: Any) -> "Deferred[None]":
        """Fires when it is over, after so many seconds at the latest."""
        done: Deferred[None] = Deferred()
        if self.state != "waiting" or not seconds:
            done.callback(None)
            return done
        self._waiters.append(done)
        late: IDelayedCall = clock.callLater(seconds, self._late, done)

        def stop(result: None) -> None:
            if late.active():
                late.cancel()

        return done.addCallback(stop)

    def _late(self, waiter: "Deferred[None]") -> None:
        self._waiters.remove(waiter)
        waiter.callback(None)


@define(eq=False)
class Commands:
    """:ivar changed: is told ``outcome`` and the command when it has come to an end."""

    house: House
    cameras: Cameras
    changed: Changed
    _asked: "OrderedDict[int, Asked]" = field(factory=OrderedDict)
    _number: int = 0

    def routes(self) -> list[Route]:
        all = "/api/v1/cameras/{camera}/commands"
        return [
            route("GET", all, May.READ, self.last),
            route("POST", all, May.CONTROL, self.ask),
            route("GET", f"{all}/{{command}}", May.READ, self.one),
            route("POST", "/api/v1/cameras/{camera}/settings", May.CONTROL, self.set),
        ]

    async def last(self, ask: Ask) -> Answer:
        camera = self.cameras.known(ask)
        found = [each.json() for each in reversed(self._asked.values()) if each.camera == camera.id]
        return said({"commands": found[:100]})

    async def one(self, ask: Ask) -> Answer:
        camera = self.cameras.known(ask)
        number = ask.names["command"]
        asked = self._asked.get(int(number)) if number.isascii() and number.isdecimal() and len(
            number) < 10 else None  # fmt: skip
        if asked is None or asked.camera != camera.id:
            raise Problem(404, "there is no such command, or it was long ago")
        return said(asked.json())

    async def set(self, ask: Ask) -> Answer:
        self.cameras.known(ask)
        return await self._do(ask, "set", _checked(ask.body()))

    async def ask(self, ask: Ask) -> Answer:
        self.cameras.known(ask)
        body = ask.body()
        name = body.get("command")
        arguments: dict[str, Any] = {}
        if name == "set":
            only(body, "command", "settings")
            arguments = _checked(body.get("settings"))
        elif name == "snap":
            only(body, "command", "flash")
            flash = body.get("flash", False)
            if not isinstance(flash, bool):
                raise Problem(400, "flash is true or false")
            arguments = {"flash": True} if flash else {}
        elif name == "stream":
            only(body, "command", "fps")
            fps: Any = body.get("fps")
            number = isinstance(fps, int | float) and not isinstance(fps, bool)
            if not number or fps != int(fps) or not 0 <= fps <= MOST_FPS:
                raise Problem(400, f"fps is a whole number from 0 to {MOST_FPS}")
            arguments = {"fps": int(fps)}
        elif name in ("reboot", "kick"):
            only(body, "command")
        else:
            raise Problem(400, "command is snap, set, stream, reboot or kick")
        return await self._do(ask, str(name), arguments)

    async def _do(self, ask: Ask, name: str, arguments: Mapping[str, Any]) -> Answer:
        wait = ask.query.number("wait", 0, LONGEST_WAIT) or 0.0
        camera = self.cameras.known(ask)
        session = camera.session
        if session is None:
            raise Problem(409, "the camera is not connected")
        if name != "kick" and camera.protocol == "v1":
            raise Problem(409, "a board with the tutorial's sketch takes no commands")
        self._number += 1
        asked = Asked(self._number, camera.id, name, arguments, self.house.fleet.now())
        self._asked[asked.id] = asked
        if len(self._asked) > REMEMBERED:
            self._asked.popitem(last=False)
        boot = getattr(session, "boot", "")
        if name == "kick":
            self.house.fleet.kick(camera.id)
            self._over(asked, "done")
        else:
            done = self.house.fleet.command(camera.id, name, **arguments)
            done.addCallbacks(self._done, self._failed, (asked, boot), errbackArgs=(asked,))
        await asked.wait(wait, self.house.reactor)
        where = f"/api/v1/cameras/{camera.id}/commands/{asked.id}"
        return said(asked.json(), 202 if asked.state == "waiting" else 200, Location=where)

    def _done(self, result: Mapping[str, str], asked: Asked, boot: str) -> None:
        asked.result = {str(name): str(value) for name, value in result.items()}
        if asked.command == "snap":
            named = f"{asked.camera}~{boot}-{result.get('seq', '')}"
            key = parse_photo_id(named)
            asked.photo = photo_id(key) if key is not None else None
        self._over(asked, "done")

    def _failed(self, failure: Failure, asked: Asked) -> None:
        error = failure.value
        if not isinstance(error, CommandError):
            log.failure("{command} failed", failure, command=asked.command)
        asked.why = error.why if isinstance(error, CommandError) else "camd failed"
        self._over(asked, "failed")

    def _over(self, asked: Asked, state: str) -> None:
        asked.over(state, self.house.fleet.now())
        self.changed("outcome", asked.camera, asked.json())


def _checked(settings: Any) -> dict[str, float | int | str]:
    try:
        return checked(settings)
    except ValueError as error:
        raise Problem(400, str(error)) from None
