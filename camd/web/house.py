"""The rooms that the web door looks into, as far as it does."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from camd.config import Config
from camd.doors import Doors
from camd.findings import Flag
from camd.fleet import Fleet
from camd.histogram import Histogram
from camd.intake import Intake
from camd.live import Live
from camd.news import News
from camd.store.findings import Backlog
from camd.store.store import Store


class Budget(Protocol):
    """How much memory photos take that are on their way."""

    held: int


class Connections(Protocol):
    """Who is connected of the cameras."""

    budget: Any

    @property
    def connections(self) -> Collection[Any]: ...

    @property
    def hung_up(self) -> Any:
        """Why connections were ended, counted."""
        ...


class Looking(Protocol):
    """Who has photos looked at by a model, and judged."""

    photos: int
    found: int
    failed: int
    seconds: float
    backlog: Backlog

    @property
    def flags(self) -> Mapping[Flag, int]: ...

    @property
    def deaths(self) -> int: ...

    @property
    def workers(self) -> int: ...

    def state(self) -> "Deferred[Mapping[str, Any]]":
        """How that goes: ``enabled``, ``model`` (its name or None), ``classes``, ``waiting`` and
        ``aside`` (numbers of photos), ``workers``, ``rate`` (photos a second) and ``error`` (a
        line, or None)."""
        ...

    def retry(self) -> "Deferred[int]":
        """What was set aside is looked at once more; fires with how many photos that is."""
        ...


class Publisher(Protocol):
    """Who tells other programs."""

    @property
    def delivered(self) -> Mapping[str, int]:
        """How much was delivered since the start, by target."""
        ...

    @property
    def failing(self) -> Mapping[str, int]:
        """How many deliveries have failed in a row, by target."""
        ...

    def state(self) -> "Deferred[dict[str, Any]]":
        """``targets``, each with ``target`` (its name), ``waiting`` (letters) and ``why`` (what is
        wrong with it, or None); ``dead``, letters that nobody took, each with ``id``, ``target``,
        ``kind``, ``given_up`` (unix seconds), ``tries``, ``why`` and ``body``; ``alerts``, those
        that stand, each with ``alert``, ``rule``, ``camera`` and ``since``; ``mqtt``, None or with
        ``host``, ``connected`` and ``why``; ``dropped``, letters for which there was no room."""
        ...

    def retry(self, id: int) -> "Deferred[bool]":
        """The dead letter is on its way again; False: there is none of that number."""
        ...

    def discard(self, id: int) -> "Deferred[bool]":
        """The dead letter is gone; False: there is none of that number."""
        ...


class House(Protocol):
    """The running daemon."""

    config: Config
    reactor: Any
    store: Store
    fleet: Fleet
    news: News
    live: Live
    intake: Intake
    doors: Doors
    commits: Histogram

    @property
    def looking(self) -> Looking | None:
        """None: no photos are looked at."""
        ...

    @property
    def publisher(self) -> Publisher | None:
        """None: nobody is told anything."""
        ...

    @property
    def cameras(self) -> Connections: ...

    @property
    def totals(self) -> tuple[int, int]:
        """Changes of process, and boards that were carried over them."""
        ...
