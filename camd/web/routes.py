"""Which request is answered by whom, and who may send it.

Paths are taken apart here and nowhere else: what a handler is given of one is a camera's name, a
photo's name or a number, never a path.
"""

import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from camd.access import May
from camd.config import Config
from camd.photo import CameraId, FrameKey, is_camera_id, parse_photo_id
from camd.store.schema import CatalogError
from camd.web.answers import Answer, Problem, Query, loads
from camd.web.auth import NOBODY, Guard, Who
from camd.web.server import Request
from camd.workers import BusyError

log = Logger()

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::[0-9]{1,5})?", re.ASCII)
_LOOPBACK = ("127.", "::1")


@frozen
class Ask:
    """A request that somebody may send, taken apart."""

    request: Request
    who: Who
    query: Query
    names: Mapping[str, str]

    @property
    def camera(self) -> CameraId:
        """The camera in the path.

        :raises Problem: it can be none's name.
        """
        name = self.names["camera"]
        if not is_camera_id(name):
            raise Problem(404, "there is no such camera")
        return CameraId(name)

    def camera_of_query(self) -> CameraId | None:
        """The camera that ``?camera=`` names."""

        def right(text: str) -> CameraId:
            if not is_camera_id(text):
                raise ValueError
            return CameraId(text)

        return self.query.text("camera", right, "a camera's id")

    @property
    def photo(self) -> FrameKey:
        """The photo in the path.

        :raises Problem: it can be none's name.
        """
        key = parse_photo_id(self.names["photo"])
        if key is None:
            raise Problem(404, "there is no such photo")
        return key

    def body(self) -> dict[str, Any]:
        """:raises Problem: where there is no JSON object."""
        content: Any = self.request.content
        return loads(content.read(), self.request.getHeader(b"content-type"))

    def matches(self, etag: bytes) -> bool:
        """Whether the one who asks has what *etag* names; it is told in any case."""
        self.request.setHeader(b"ETag", etag)
        had = self.request.getHeader(b"if-none-match")
        if had is None:
            return False
        known = [each.strip().removeprefix(b"W/") for each in had.split(b",")]
        return b"*" in known or etag in known


Handler = Callable[[Ask], Awaitable[Answer]]


@frozen
class Route:
    """:ivar need: what somebody must be allowed to; None: nothing.
    :ivar path: its parts; those in braces are names.
    """

    method: str
    path: tuple[str, ...]
    need: May | None
    handler: Handler


def route(method: str, path: str, need: May | None, handler: Handler) -> Route:
    return Route(method, tuple(path.lstrip("/").split("/")), need, handler)


@define(eq=False)
class Routes:
    """Answers requests by a table of routes, and keeps out who may not."""

    guard: Guard
    config: Callable[[], Config]
    _table: dict[int, list[Route]] = field(factory=dict)
    _own_names: frozenset[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        name = socket.gethostname().lower()
        self._own_names = frozenset({name, f"{name.partition('.')[0]}.local"})

    def add(self, routes: Iterable[Route]) -> None:
        for each in routes:
            self._table.setdefault(len(each.path), []).append(each)

    def take(self, request: Request) -> None:
        try:
            self._known_host(request)
            found, names = self._find(request)
            who = self._who(request, found.need)
            self.guard.admit(request, who, found.need)
            ask = Ask(request, who, Query.of(request.args or {}), names)
        except Problem as problem:
            request.problem(problem)
            return
        answered: Deferred[Answer] = Deferred.fromCoroutine(_call(found.handler, ask))
        answered.addCallback(request.answer).addErrback(_problem, request)
        answered.addErrback(request.failed)

    def _who(self, request: Request, need: May | None) -> Who:
        try:
            return self.guard.who(request)
        except Problem:
            if need is not None:
                raise
            return NOBODY

    def _known_host(self, request: Request) -> None:
        """A page of another name that resolves to this machine gets nothing."""
        said = request.requestHeaders.getRawHeaders(b"host") or []
        host = said[0].decode("latin-1").lower() if len(said) == 1 else ""
        match = _HOST.fullmatch(host)
        if match is None:
            raise Problem(421, "the Host is missing or makes no sense")
        name = match[1].strip("[]").rstrip(".")
        here = request.here
        if name == here or name in self._own_names or name in self.config().web.hosts:
            return
        if name == "localhost" and (not here or here.startswith(_LOOPBACK)):
            return
        raise Problem(421, "this server has no such name; [web] hosts can give it one")

    def _find(self, request: Request) -> tuple[Route, dict[str, str]]:
        method = request.method.decode("latin-1")
        wanted = "GET" if method == "HEAD" else method
        parts = [_part(part) for part in request.path.lstrip(b"/").split(b"/")]
        allowed = []
        for each in self._table.get(len(parts), ()):
            names = _fit(each.path, parts)
            if names is None:
                continue
            if each.method == wanted:
                return each, names
            allowed.append(each.method)
        if allowed:
            allowed += ["HEAD"] if "GET" in allowed else []
            raise Problem(405, "", Allow=", ".join(sorted(set(allowed))))
        raise Problem(404)


async def _call(handler: Handler, ask: Ask) -> Answer:
    return await handler(ask)


def _problem(failure: Any, request: Request) -> None:
    problem = failure.value
    if failure.check(CatalogError):
        log.error("a request failed: {why}", why=str(problem))
        problem = Problem(503, "the catalog cannot be read or written", Retry_After="10")
    elif failure.check(BusyError):
        problem = Problem(503, "too much is asked at once", Retry_After="1")
    else:
        failure.trap(Problem)
    request.problem(problem)


def _part(raw: bytes) -> str:
    try:
        part = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(404) from None
    if "/" in part or not part.isprintable():
        raise Problem(404)
    return part


def _fit(path: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    """The names in *path* and what stands there in *parts*, or None."""
    names = {}
    for wanted, part in zip(path, parts, strict=True):
        if wanted.startswith("{"):
            names[wanted[1:-1]] = part
        elif wanted != part:
            return None
    return names
