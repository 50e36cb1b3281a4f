"""The page's own files, who is signed in, and signing in and out.

Only files that lie in the package are served, by names that were found there: no path from a
request ever reaches the disk.
"""

import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field

from camd import __version__
from camd.access import LONGEST_PASSWORD, May
from camd.web.answers import JSON, Answer, Problem, no_content, only, said
from camd.web.auth import Guard, Who
from camd.web.routes import Ask, Route, route

_KINDS = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".json": JSON,
    ".webmanifest": b"application/manifest+json",
    ".svg": b"image/svg+xml",
    ".png": b"image/png",
    ".jpg": b"image/jpeg",
    ".ico": b"image/x-icon",
    ".woff2": b"font/woff2",
}
_PACKED = frozenset({b"image/png", b"image/jpeg", b"font/woff2"})
_DEPTH = 4
_LOOK_AGAIN = 1.0


@define(eq=False)
class Files:
    """The files below *folder*, by their paths there."""

    folder: Path
    _known: dict[tuple[str, ...], tuple[Path, bytes]] = field(factory=dict)
    _read: dict[Path, tuple[int, bytes, bytes]] = field(factory=dict)
    _looked: float = 0.0

    def find(self, names: tuple[str, ...]) -> tuple[bytes, bytes, bytes] | None:
        """Its bytes, its kind and its ETag; None where there is none."""
        found = self._known.get(names)
        if found is None and time.monotonic() - self._looked > _LOOK_AGAIN:
            self._look()
            found = self._known.get(names)
        if found is None:
            return None
        path, kind = found
        try:
            changed = path.stat().st_mtime_ns
            before = self._read.get(path)
            if before is None or before[0] != changed:
                data = path.read_bytes()
                before = self._read[path] = (changed, data, b'"%08x"' % zlib.crc32(data))
        except OSError:
            return None
        return before[1], kind, before[2]

    def _look(self) -> None:
        self._looked = time.monotonic()
        for where, _, files in os.walk(self.folder):
            for name in files:
                path = Path(where) / name
                kind = _KINDS.get(path.suffix)
                if kind is not None and not name.startswith("."):
                    self._known[path.relative_to(self.folder).parts] = (path, kind)


@define(eq=False)
class Pages:
    """What is shown to everybody, and who is who."""

    guard: Guard
    now: Callable[[], float]
    folder: Path = field(factory=lambda: Path(__file__).parent)
    _static: Files = field(init=False)
    _own: Files = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._static = Files(self.folder / "static")
        self._own = Files(self.folder)

    def routes(self) -> list[Route]:
        names = [f"{{{number}}}" for number in range(_DEPTH)]
        return [
            route("GET", "/", None, self.page),
            route("GET", "/favicon.ico", None, self.icon),
            *(
                route("GET", "/".join(["/static", *names[:depth]]), None, self.static)
                for depth in range(1, _DEPTH + 1)
            ),
            route("GET", "/api/v1/openapi.json", None, self.openapi),
            route("GET", "/api/v1/session", None, self.session),
            route("POST", "/login", None, self.log_in),
            route("POST", "/logout", May.READ, self.log_out),
        ]

    async def page(self, ask: Ask) -> Answer:
        return self._file(ask, self._static, ("index.html",))

    async def icon(self, ask: Ask) -> Answer:
        for name in ("favicon.ico", "icon.svg", "favicon.svg"):
            if self._static.find((name,)) is not None:
                return self._file(ask, self._static, (name,))
        return no_content()

    async def static(self, ask: Ask) -> Answer:
        return self._file(ask, self._static, tuple(ask.names.values()))

    async def openapi(self, ask: Ask) -> Answer:
        return self._file(ask, self._own, ("openapi.json",))

    def _file(self, ask: Ask, files: Files, names: tuple[str, ...]) -> Answer:
        found = files.find(names)
        if found is None:
            raise Problem(404)
        data, kind, etag = found
        headers = {b"Cache-Control": b"no-cache"}
        if ask.matches(etag):
            return Answer(b"", 304, headers=headers)
        return Answer(data, 200, kind, headers, compressible=kind not in _PACKED)

    # ---- who

    async def session(self, ask: Ask) -> Answer:
        who = ask.who
        if who.may and who.session is None and who.token is None:
            who = self.guard.begin(ask.request)
        return self._told(who)

    async def log_in(self, ask: Ask) -> Answer:
        body = ask.body()
        only(body, "password")
        password: Any = body.get("password")
        if not isinstance(password, str) or not len(password) <= LONGEST_PASSWORD:
            raise Problem(400, "password is text")
        return self._told(await self.guard.log_in(ask.request, password))

    async def log_out(self, ask: Ask) -> Answer:
        await self.guard.end(ask.request, ask.who)
        return no_content()

    def _told(self, who: Who) -> Answer:
        answer = said(
            {
                "password": self.guard.has_password,
                "signed_in": bool(who.may),
                "token": None if who.session is None else self.guard.token_of(who.session),
                "may": sorted(right.value for right in who.may),
                "version": __version__,
                "now": round(self.now(), 3),
            }
        )
        answer.compressible = False
        return answer
