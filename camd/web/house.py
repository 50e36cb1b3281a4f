"""The rooms that the web door looks into, as far as it does."""

from collections.abc import Collection
from typing import Any, Protocol

from camd.config import Config
from camd.doors import Doors
from camd.fleet import Fleet
from camd.histogram import Histogram
from camd.intake import Intake
from camd.live import Live
from camd.news import News
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
    def cameras(self) -> Connections: ...

    @property
    def totals(self) -> tuple[int, int]:
        """Changes of process, and boards that were carried over them."""
        ...
