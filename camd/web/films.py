"""Time-lapse films in the making, and those that are made: one at a time, each by a process of its
own, which gives way to everything else and ends with camd.

They lie in ``<store>/.camd/timelapses/``, each beside what is known of it; losing all of them loses
nothing. What was not finished when camd ended is not taken up again.
"""

import json
import os
import secrets
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import cattrs
from attrs import define, field, frozen
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger

from camd.config import Config
from camd.photo import CameraId
from camd.store.files import DIR_MODE
from camd.store.folders import OWN
from camd.timelapse import Made
from camd.workers import BusyError, Workers

log = Logger()

REMEMBERED = 500
"""Films of which anything is known, at most."""

LOOK = 3600.0
"""Seconds between two looks for films whose time is over."""

MOST_SAID = 64 * 1024
"""Bytes that the child may say in one line."""


class FullError(Exception):
    """So many films wait that no other is taken on."""


@frozen
class Asked:
    """What was asked for. *since*, *until*: unix seconds; *length*, *every*: seconds; *size*,
    *day_only*: as text."""

    since: float | None = None
    until: float | None = None
    fps: int = 25
    size: str | None = None
    length: float | None = None
    date: bool = False
    skip_dark: bool = False
    every: float | None = None
    day_only: str | None = None

    def options(self) -> list[str]:
        """The same for ``camd timelapse``."""
        said = ["--fps", str(self.fps)]
        for option, value in (
            ("--from", _moment(self.since)), ("--to", _moment(self.until)), ("--size", self.size),
            ("--length", _span(self.length)), ("--every", _span(self.every)),
            ("--day-only", self.day_only),
        ):  # fmt: skip
            said += [] if value is None else [option, value]
        return [*said, *(["--date"] * self.date), *(["--skip-dark"] * self.skip_dark)]


@define(eq=False)
class Film:
    """:ivar state: waiting, running, done or failed.
    :ivar done: how much is done, of *total*; of 0 while the photos are being counted.
    :ivar why: it failed.
    """

    id: str
    camera: CameraId
    wish: Asked
    asked: float
    state: str = "waiting"
    done: int = 0
    total: int = 0
    why: str | None = None
    made: Made | None = None
    ended: float | None = None

    def json(self) -> dict[str, Any]:
        return attrs.asdict(self)

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed")


@define(eq=False)
class Films:
    """All films.

    :ivar root: the store's directory.
    """

    root: Path
    config: Callable[[], Config]
    reactor: Any
    workers: Workers
    program: tuple[str, ...] = (sys.executable, "-m", "camd")
    films: "OrderedDict[str, Film]" = field(factory=OrderedDict)
    _running: "_Child | None" = None
    _look: IDelayedCall | None = None
    _alone: bool = False
    _closed: bool = False

    @property
    def folder(self) -> Path:
        return self.root / OWN / "timelapses"

    def video(self, film: Film) -> str:
        """The name of its file in `folder`."""
        return f"{film.camera}_{film.id}.mp4"

    def open(self) -> None:
        """What is there is known; blocks.

        :raises OSError: the folder cannot be made or read.
        """
        self.folder.mkdir(DIR_MODE, exist_ok=True)
        found = [film for path in self.folder.glob("*.json") if (film := self._read(path))]
        for film in sorted(found, key=lambda film: film.asked):
            self.films[film.id] = film

    def start(self) -> None:
        """From now on nobody else makes films here: what is nothing whole is gone; blocks."""
        self._alone = True
        self._clear()
        self._tidy()

    def _clear(self) -> None:
        with suppress(OSError):
            _unlink_all(self._leftovers())

    def _leftovers(self) -> list[Path]:
        """Files of no whole film, while none is in the making.

        :raises OSError: the folder cannot be read.
        """
        made = [film for film in self.films.values() if film.state == "done"]
        whole = {self.video(film) for film in made} | {_note(film) for film in made}
        return [path for path in self.folder.iterdir() if path.name not in whole]

    def _read(self, path: Path) -> Film | None:
        """The film that *path* tells of, if it is there."""
        try:
            film = cattrs.structure(json.loads(path.read_bytes()), Film)
            whole = film.made is not None and path.name == _note(film)
            return film if whole and (self.folder / self.video(film)).is_file() else None
        except (OSError, ValueError, cattrs.BaseValidationError):
            return None

    # ---- what can be asked

    def add(self, camera: CameraId, wish: Asked) -> Film:
        """A film that will be made.

        :raises FullError: too many wait already.
        """
        waiting = sum(film.state == "waiting" for film in self.films.values())
        if self._closed or (
            self._running is not None and waiting >= self.config().timelapse.waiting
        ):
            raise FullError("too many films wait to be made")
        film = Film(secrets.token_hex(8), camera, wish, time.time())
        self.films[film.id] = film
        self._next()
        return film

    def remove(self, film: Film) -> None:
        """The film is gone, whole or in the making."""
        self.films.pop(film.id, None)
        if self._running is not None and self._running.film is film:
            self._running.end()
        elif film.state == "done":
            self._unlink(film)

    def close(self) -> None:
        """Nothing is made any more."""
        self._closed = True
        if self._look is not None and self._look.active():
            self._look.cancel()
        if self._running is not None:
            self._running.end()

    def stop(self) -> None:
        """The process that did not end by itself does, and leaves nothing; blocks."""
        if self._running is not None:
            self._running.kill()
        if self._alone:
            self._clear()

    # ---- one after the other

    def _next(self) -> None:
        if self._running is not None or self._closed:
            return
        film = next((film for film in self.films.values() if film.state == "waiting"), None)
        if film is None:
            return
        config = self.config()
        film.state = "running"
        target = self.folder / self.video(film)
        arguments = [
            *self.program, "--store", str(self.root), "timelapse", film.camera,
            *film.wish.options(), "--longest", f"{config.timelapse.longest:.3f} s",
            "--largest", f"{config.timelapse.max_bytes} B", "--nice", "--progress", "json",
            "--output", str(target),
        ]  # fmt: skip
        self._running = child = _Child(film, self._ended)
        child.hurry(self.reactor, config.timelapse.patience, config.times.hang_up)
        try:
            self.reactor.spawnProcess(child, arguments[0], arguments, _environment(config, film))
        except OSError as error:
            child.calm()
            child.said = [f"it cannot be started: {error.strerror}"]
            self._ended(child, 1)

    def _ended(self, child: "_Child", code: int) -> None:
        film = child.film
        self._running = None
        film.ended = time.time()
        film.made = child.made if not code else None
        film.state = "failed" if film.made is None else "done"
        if film.made is None:
            film.why = child.why
            with suppress(OSError):
                left = self._leftovers()  # it may have been killed, and could not clear up
                self._do(lambda: _unlink_all(left))
        if film.id not in self.films:
            self._unlink(film)
        elif film.made is not None:
            text = json.dumps(film.json()).encode()
            self._do(lambda: (self.folder / _note(film)).write_bytes(text))
        elif not self._closed:
            log.warn("no film of {camera}: {why}", camera=film.camera, why=film.why)
        if not self._closed:
            self._tidy()
            self._next()

    def _tidy(self) -> None:
        """Films whose time is over, and the oldest of too many, go."""
        limits = self.config().timelapse
        over = [film for film in self.films.values() if film.over]
        size = sum(film.made.bytes for film in over if film.made is not None)
        for film in over:
            late = time.time() - (film.ended or film.asked) > limits.keep
            large = size > limits.max_bytes and film.made is not None
            if late or large or len(self.films) > REMEMBERED:
                size -= film.made.bytes if film.made is not None else 0
                self.remove(film)
        if self._look is None or not self._look.active():
            self._look = self.reactor.callLater(LOOK, self._tidy)

    def _unlink(self, film: Film) -> None:
        def work() -> None:
            for name in (_note(film), self.video(film)):
                with suppress(OSError):
                    os.unlink(self.folder / name)

        self._do(work)

    def _do(self, work: Callable[[], object]) -> None:
        """In a thread; what cannot be done now is cleared up at the next start."""

        def failed(failure: Any) -> None:
            failure.trap(OSError, BusyError)
            log.warn("films: {why}", why=failure.getErrorMessage())

        self.workers.run(work).addErrback(failed)


class _Child(ProcessProtocol):
    """The process that makes *film*; *ended* is told its exit code.

    :ivar said: what it complained of.
    """

    transport: IProcessTransport

    def __init__(self, film: Film, ended: Callable[["_Child", int], None]) -> None:
        self.film = film
        self.made: Made | None = None
        self.said: list[str] = []
        self._tell = ended
        self._line = b""
        self._complaint = b""
        self._reactor: Any = None
        self._last: IDelayedCall | None = None
        self._grace = 0.0
        self._late = ""

    def hurry(self, reactor: Any, patience: float, grace: float) -> None:
        """It is ended after *patience* seconds, and killed *grace* seconds later."""
        self._reactor, self._grace = reactor, grace
        self._last = reactor.callLater(patience, self._too_late, patience)

    def _too_late(self, patience: float) -> None:
        self._late = f"it was not made within {patience:g} s"
        self.end()

    @property
    def why(self) -> str:
        """What became of it, in a line."""
        if self._late:
            return self._late
        lines = [*self._complaint.decode("utf-8", "replace").splitlines(), *self.said]
        return lines[-1].removeprefix("camd: ") if lines else "it ended without a word"

    def end(self) -> None:
        """It clears up and ends, or is killed."""
        self.calm()
        self._last = self._reactor.callLater(self._grace, self.kill)
        self._signal("TERM")

    def kill(self) -> None:
        self.calm()
        self._signal("KILL")

    def calm(self) -> None:
        """Nothing hurries it any more."""
        if self._last is not None and self._last.active():
            self._last.cancel()

    def _signal(self, name: str) -> None:
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(name)

    def connectionMade(self) -> None:
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        self._line = self._line[-MOST_SAID:]
        for line in lines:
            with suppress(ValueError, KeyError, TypeError, cattrs.BaseValidationError):
                said = json.loads(line)
                if "made" in said:
                    self.made = cattrs.structure(said["made"], Made)
                else:
                    self.film.done, self.film.total = int(said["done"]), int(said["total"])

    def errReceived(self, data: bytes) -> None:
        self._complaint = (self._complaint + data)[-4096:]

    def processEnded(self, reason: Any) -> None:
        self.calm()
        code = reason.value.exitCode
        self._tell(self, 1 if code is None else code)


def _unlink_all(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):  # a folder, say: it is in nobody's way
            path.unlink()


def _note(film: Film) -> str:
    """The name of the file that tells of it."""
    return f"{film.camera}_{film.id}.json"


def _span(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:.3f} s"


def _moment(when: float | None) -> str | None:
    if when is None:
        return None
    return datetime.fromtimestamp(when, UTC).isoformat(" ", "milliseconds").replace("+00:00", "Z")


def _environment(config: Config, film: Film) -> Mapping[str, str]:
    """What the child needs to know of the configuration, and nothing else of it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CAMD_")}
    return {
        **kept,
        "CAMD_STORE__TIMEZONE": config.camera(film.camera).timezone,
        "CAMD_STORE__KEEP_FREE": str(config.store.keep_free),
    }
