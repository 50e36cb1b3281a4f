"""The web door as a whole: built, opened, closed."""

from ipaddress import ip_address

from attrs import define, field
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd.config import Config
from camd.doors import DoorError, Doors, is_secure, port_of
from camd.news import Item
from camd.photo import CameraId
from camd.store.catalog import CatalogReader
from camd.thumbnails import Thumbnails
from camd.web.auth import Guard
from camd.web.cameras import Cameras
from camd.web.commands import Commands
from camd.web.events import Events
from camd.web.findings import OnPhotos
from camd.web.house import House
from camd.web.journal import Journal
from camd.web.live import Watching
from camd.web.metrics import Metrics
from camd.web.pages import Pages
from camd.web.photos import Photos
from camd.web.publishing import Publishing
from camd.web.routes import Routes
from camd.web.server import Site, address_of
from camd.web.telemetry import Telemetry
from camd.web.timelapses import Timelapses
from camd.workers import Looks, Workers

log = Logger()

_PASSWORDS_WAITING = 8
_LAST_WORK = 2.0
_LATE = 1.0
"""Seconds for which a question waits for the catalog to have what it may be about."""


class WebError(Exception):
    """The web door cannot be opened; the text is one line for the operator."""


@define(eq=False)
class WebDoor:
    """The page, the API and all that goes with them."""

    house: House
    site: Site = field(init=False)
    guard: Guard = field(init=False)
    watching: Watching = field(init=False)
    events: Events = field(init=False)
    timelapses: Timelapses = field(init=False)
    _doors: Doors = field(init=False)
    _workers: tuple[Workers, ...] = field(init=False)
    _looks: Looks = field(init=False)

    def __attrs_post_init__(self) -> None:
        house = self.house
        config = self._config
        in_thread = house.reactor.callFromThread
        waiting = lambda: config().web.waiting  # noqa: E731
        files = Workers("camd-web", config().web.threads, waiting, in_thread)
        proofs = Workers("camd-password", 1, lambda: _PASSWORDS_WAITING, in_thread)
        looking = Workers("camd-look", 1, waiting, in_thread)
        self._workers = (files, proofs)
        catalog = house.store.own / "catalog.sqlite"
        self._looks = Looks(lambda: CatalogReader.open(catalog), self._caught_up, looking)
        self.guard = Guard(house.store.own, config, house.reactor.seconds, proofs, files)
        telemetry = Telemetry(config, house.fleet)
        cameras = Cameras(house, self._looks, telemetry, self._viewers_of)
        self.events = Events(house, self.guard, cameras)
        thumbs = Thumbnails(house.store.own / "thumbs", lambda: config().web.thumbs_max)
        changed = self.events.changed
        photos = Photos(house, self._looks, files, thumbs, changed)
        self.watching = Watching(house, self.guard, cameras, photos, files)
        self.timelapses = Timelapses(house, cameras, files)
        routes = Routes(self.guard, config)
        self.site = Site(config, routes, house.reactor)
        started = house.fleet.now()
        for room in (
            Pages(self.guard, house.fleet.now), cameras, Commands(house, cameras, changed), photos,
            OnPhotos(house, photos, changed), Publishing(house),
            self.timelapses, self.watching, self.events,
            Journal(house, files, self.watching, started),
            Metrics(house, self.watching, self.events, self.site, started),
        ):  # fmt: skip
            routes.add(room.routes())
        self._doors = Doors(house.reactor, house.doors.sockets)

        def heard(item: Item) -> None:
            telemetry.heard(item)
            cameras.heard(item)
            self.events.heard(item)

        house.news.listen(heard)

    def _viewers_of(self, camera: CameraId) -> int:
        return self.watching.viewers_of(camera)

    def _config(self) -> Config:
        return self.house.config

    def open(self, description: str) -> None:
        """:raises DoorError: the port is not to be had.
        :raises WebError: it would be open to others, and there is no password.
        """
        try:
            self.guard.open()
        except OSError as error:
            raise WebError(f"{error.filename}: {error.strerror}") from None
        failed: list[DoorError] = []

        def note(failure: object) -> None:
            failed.append(failure.value)  # type: ignore[attr-defined]

        self._doors.listen(description, self.site).addErrback(note)
        if failed:
            raise failed[0]
        try:
            self.timelapses.films.open()
        except OSError as error:
            self._doors.close()
            raise WebError(f"{error.filename}: {error.strerror}") from None
        (_, port), *_ = self._doors.open
        private = is_private(port)
        if not private and not self.guard.has_password:
            self._doors.close()
            raise WebError(
                f"web.listen: {description} can be reached from other machines and the page has "
                'no password; "camd password" sets one'
            )
        self.guard.alone = private
        number = port_of(port)
        if number:
            scheme = "https" if is_secure(description) else "http"
            where = "127.0.0.1" if private else "this machine"
            log.info("the page is at {scheme}://{where}:{port}/", scheme=scheme, where=where,
                     port=number)  # fmt: skip
        if not private and not is_secure(description):
            log.warn(
                "the page is open to other machines without TLS: its password can be overheard"
            )

    def _caught_up(self) -> "Deferred[None]":
        """What was acknowledged is found from now on, unless the catalog is in trouble."""
        done = self.house.store.caught_up()
        if not done.called:
            done.addTimeout(_LATE, self.house.reactor)
            done.addErrback(_is_late)
        return done

    def start(self) -> None:
        """Whoever served before has let go."""
        self.timelapses.films.start()

    @property
    def ports(self) -> tuple[int, ...]:
        """The numbers of what it listens on."""
        return tuple(port_of(port) for _, port in self._doors.open)

    def close(self) -> None:
        """Nobody comes in any more, and who stays on is told to go."""
        self._doors.close()
        self.watching.stop()
        self.events.stop()
        self.timelapses.films.close()
        self.site.close()

    def stop(self) -> None:
        """What is still open is cut off, and the threads end; blocks for them."""
        self.site.abort()
        self.timelapses.films.stop()
        for workers in self._workers:
            workers.stop(_LAST_WORK)
        self._looks.stop(_LAST_WORK)


def is_private(port: IListeningPort) -> bool:
    """Whether only this machine can reach it."""
    address = port.getHost()
    if isinstance(address, UNIXAddress):
        return True
    try:
        return ip_address(address_of(address)).is_loopback
    except ValueError:
        return False


def _is_late(failure: Failure) -> None:
    """Then the answer is of what the catalog has."""
    failure.trap(TimeoutError)
