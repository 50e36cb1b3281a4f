"""Time-lapse films: asked for, watched in the making, shown, and taken away again."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from camd.access import May
from camd.store.opening import open_file
from camd.timelapse import missing, parse_size
from camd.timelapse.moments import parse_daily
from camd.timelapse.wish import MOST_FPS
from camd.web.answers import FOR_EVER, Answer, Problem, no_content, only, said
from camd.web.cameras import Cameras
from camd.web.films import Asked, Film, Films, FullError
from camd.web.house import House
from camd.web.routes import Ask, Route, route
from camd.web.sending import Sent, send
from camd.workers import Workers

MP4 = b"video/mp4"
LATEST = 1e10
"""Unix seconds, beyond which no photo was taken."""


@define(eq=False)
class Timelapses:
    """What is told of films, and asked for."""

    house: House
    cameras: Cameras
    workers: Workers
    films: Films = field(init=False)

    def __attrs_post_init__(self) -> None:
        house = self.house
        self.films = Films(house.store.root, lambda: house.config, house.reactor, self.workers)

    def routes(self) -> list[Route]:
        all = "/api/v1/cameras/{camera}/timelapses"
        one = f"{all}/{{film}}"
        return [
            route("GET", all, May.READ, self.all),
            route("POST", all, May.CONTROL, self.ask),
            route("GET", one, May.READ, self.one),
            route("DELETE", one, May.CONTROL, self.delete),
            route("GET", f"{one}/video", May.READ, self.video),
        ]

    async def all(self, ask: Ask) -> Answer:
        camera = self.cameras.known(ask)
        films = reversed(self.films.films.values())
        return said({"timelapses": [film.json() for film in films if film.camera == camera.id]})

    async def ask(self, ask: Ask) -> Answer:
        camera = self.cameras.known(ask)
        wish = read_wish(ask.body(), self.house.config.timelapse.longest)
        needed = missing()
        if needed is not None:
            raise Problem(409, f"time-lapse {needed}")
        try:
            film = self.films.add(camera.id, wish)
        except FullError as error:
            raise Problem(429, str(error), Retry_After="30") from None
        where = f"/api/v1/cameras/{camera.id}/timelapses/{film.id}"
        return said(film.json(), 202, Location=where)

    async def one(self, ask: Ask) -> Answer:
        return said(self._film(ask).json())

    async def delete(self, ask: Ask) -> Answer:
        self.films.remove(self._film(ask))
        return no_content()

    async def video(self, ask: Ask) -> Answer:
        film = self._film(ask)
        if film.made is None:
            raise Problem(409, "it is not made yet" if not film.over else "it could not be made")
        name, folder, size = self.films.video(film), self.films.folder, film.made.bytes
        etag = b'"%s-%d"' % (film.id.encode(), size)
        file = Sent(name, size, etag, MP4, FOR_EVER, lambda: open_file(folder, name, size))
        return await send(ask, file, self.workers)

    def _film(self, ask: Ask) -> Film:
        """The film in the path.

        :raises Problem: there is none.
        """
        film = self.films.films.get(ask.names["film"])
        if film is None or film.camera != ask.camera:
            raise Problem(404, "there is no such film")
        return film


def read_wish(body: Mapping[str, Any], longest: float) -> Asked:
    """What film *body* wants.

    :param longest: seconds that it may last.
    :raises Problem: it makes no sense.
    """
    only(body, "since", "until", "fps", "size", "length", "every", "day_only", "date", "skip_dark")
    since = _number(body, "since", 0, LATEST)
    until = _number(body, "until", 0, LATEST)
    if since is not None and until is not None and since >= until:
        raise Problem(409, "there is no time between since and until")
    fps = _number(body, "fps", 1, MOST_FPS)
    if fps is not None and fps != int(fps):
        raise Problem(400, f"fps is a whole number from 1 to {MOST_FPS}")
    size, day_only = _text(body, "size", parse_size), _text(body, "day_only", parse_daily)
    length, every = _number(body, "length", 1, LATEST), _number(body, "every", 1, LATEST)
    if length is not None and every is not None:
        raise Problem(409, "length and every both choose the photos: give one of them")
    if length is not None and length > longest:
        raise Problem(409, f"a film may last {longest:g} s at most")
    return Asked(
        since, until, 25 if fps is None else int(fps), size, length,
        _truth(body, "date"), _truth(body, "skip_dark"), every, day_only,
    )  # fmt: skip


def _number(body: Mapping[str, Any], name: str, least: float, most: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not least <= value <= most:
        raise Problem(400, f"{name} is a number from {least:g} to {most:g}")
    return float(value)


def _text(body: Mapping[str, Any], name: str, parse: Callable[[str], object]) -> str | None:
    """What is said by that name, where *parse* can read it."""
    value = body.get(name)
    if value is None:
        return None
    try:
        parse(value if isinstance(value, str) else "")
    except ValueError as error:
        raise Problem(400, f"{name} is {error}") from None
    return str(value)


def _truth(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise Problem(400, f"{name} is true or false")
    return value
