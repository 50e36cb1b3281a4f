"""The names that stand ready at the manhole's prompt: the house's rooms, and short helpers.

The helpers print for people; whoever wants values has the rooms. Knows no SSH.
"""

import difflib
import pydoc
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, NoReturn, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from camd.plain import plain
from camd.plural import count


class Fleet(Protocol):
    """Which cameras there are."""

    @property
    def cameras(self) -> Mapping[Any, Any]:
        """By their ids."""
        ...

    def command(self, id: str, name: str, **arguments: Any) -> "Deferred[Any]": ...

    def kick(self, id: str) -> bool: ...


class News(Protocol):
    """What happened."""

    def recent(self, most: int, /) -> Iterable[object]:
        """The newest items, oldest first; each is a line as text."""
        ...


class Intake(Protocol):
    """What happens to photos."""

    def stats(self) -> Mapping[str, object]: ...


class House(Protocol):
    """The rooms that the operator may enter."""

    @property
    def fleet(self) -> Fleet: ...

    @property
    def store(self) -> object: ...

    @property
    def intake(self) -> Intake: ...

    @property
    def news(self) -> News: ...

    @property
    def config(self) -> object: ...

    @property
    def looking(self) -> object: ...

    @property
    def publisher(self) -> object: ...

    @property
    def service(self) -> object: ...


class Asked(Deferred[Any]):
    """What was asked at the prompt, and for which nobody else waits."""


HELP = """\
cams()              all cameras, a line each
show("id")          everything about one of them
snap("id")          a photo now; snap("id", flash=True) with light
kick("id")          hang up on it; it will come again
tail()              the newest news; tail(100) more of them
stats()             what came in since the start
fleet, store, intake, news, looking, publisher, config, service
                    the rooms of the running camd; help(fleet) says what they can do
exit()              or Ctrl-D
A Deferred or a coroutine shows what it comes to when it does; _ is what was shown last.
Everything here runs inside the daemon: while a line runs, no photo is taken in.
"""

_COLUMNS = ("camera", "state", "by", "address", "photos", "bytes", "refused", "last seen")
_RIGHT = frozenset({"photos", "bytes", "refused"})
_TIMES = frozenset({"first_seen", "last_seen", "last_photo", "expected"})
_SHOWN = (
    "id", "state", "connected", "protocol", "address", "fw", "model", "first_seen", "last_seen",
    "last_photo", "expected", "interval", "photos", "bytes", "refused", "telemetry", "settings",
    "command",
)  # fmt: skip


@frozen
class _Helpers:
    """What the short names do. *now*: unix seconds."""

    house: House
    now: Callable[[], float]

    def _camera(self, id: str) -> Any:
        cameras = self.house.fleet.cameras
        camera = cameras.get(id)
        if camera is None:
            near = difflib.get_close_matches(str(id), map(str, cameras), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "; cams() lists all"
            print(f"There is no camera {id!r}{hint}")
        return camera

    def cams(self) -> None:
        """All cameras, a line each."""
        cameras = [camera for _, camera in sorted(self.house.fleet.cameras.items())]
        _print_table(_COLUMNS, [_row(camera, self.now()) for camera in cameras])
        connected = sum(bool(camera.connected) for camera in cameras)
        print(f"{count(len(cameras), 'camera')}, {connected} connected")

    def show(self, id: str) -> None:
        """Everything about one camera."""
        camera = self._camera(id)
        for name in _SHOWN:
            if camera is not None and hasattr(camera, name):
                text = self._shown(name, getattr(camera, name))
                print(f"{name.replace('_', ' '):<12}{plain(text)}")

    def _shown(self, name: str, value: Any) -> str:
        if name in _TIMES:
            return _moment(value, self.now())
        if isinstance(value, Mapping):
            return " ".join(f"{_word(key)}={_word(value[key])}" for key in value) or "-"
        return "-" if value in (None, "") else _word(value)

    def snap(self, id: str, flash: bool = False) -> Asked | None:
        """A photo now; what it comes to is what the camera answered."""
        if self._camera(id) is None:
            return None
        asked = Asked()
        arguments: dict[str, object] = {"flash": True} if flash else {}
        self.house.fleet.command(id, "snap", **arguments).chainDeferred(asked)
        return asked

    def kick(self, id: str) -> None:
        """Hang up on a camera."""
        if self._camera(id) is not None:
            done = self.house.fleet.kick(id)
            print(f"{id} was {'hung up on' if done else 'not connected'}")

    def tail(self, most: int = 20) -> None:
        """The newest news, the newest last."""
        for item in self.house.news.recent(most):
            print(plain(str(item)))

    def stats(self) -> None:
        """What came in since the start."""
        numbers = self.house.intake.stats()
        width = max(map(len, numbers), default=0)
        for name, value in numbers.items():
            text = f"{value:,.3f}" if isinstance(value, float) else _word(value)
            print(f"{name:<{width}}  {plain(text)}")

    def help(self, *things: object) -> None:
        """What there is; of a thing, what it can do."""
        if not things:
            print(HELP, end="")
        for thing in things:
            print(pydoc.plain(pydoc.render_doc(thing)))

    def exit(self) -> NoReturn:
        """The session ends."""
        raise SystemExit


def helpers(house: House, now: Callable[[], float] = time.time) -> dict[str, object]:
    """The names at the prompt.

    :param now: unix seconds.
    """
    ready = _Helpers(house, now)
    short = ("cams", "show", "snap", "kick", "tail", "stats", "help", "exit")
    rooms = ("fleet", "store", "intake", "news", "looking", "publisher", "config", "service")
    return {
        **{name: getattr(ready, name) for name in short},
        **{name: getattr(house, name) for name in rooms},
        "quit": ready.exit,
    }


def _row(camera: Any, at: float) -> tuple[str, ...]:
    refused = sum((camera.refused or {}).values())
    return tuple(
        map(
            plain,
            (
                str(camera.id),
                _word(camera.state),
                str(camera.protocol or "-"),
                str(camera.address or "-"),
                f"{camera.photos:,}",
                f"{camera.bytes:,}",
                f"{refused:,}",
                _ago(camera.last_seen, at),
            ),
        )
    )


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        cells = [
            text.rjust(width) if name in _RIGHT else text.ljust(width)
            for name, text, width in zip(columns, row, widths, strict=True)
        ]
        print("  ".join(cells).rstrip())


def _word(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return str(value.value if isinstance(value, Enum) else value)


def _ago(when: float, at: float) -> str:
    """How long ago *when* was, in one unit."""
    if not when:
        return "never"
    seconds = at - when
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"


def _moment(when: float, at: float) -> str:
    if not when:
        return "never"
    stamp = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(when))
    return f"{stamp} (in {when - at:.0f} s)" if when > at else f"{stamp} ({_ago(when, at)})"
