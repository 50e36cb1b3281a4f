"""The daemon, from its rooms to its doors.

`build` gives twistd a service. In order: the store is opened and level, then the doors open.
"""

import importlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from camd import __version__, systemd
from camd.access import Tokens
from camd.config import Config, ConfigError, Loaded, reloadable
from camd.doors import Certificate, DoorError, Doors, Sockets, host_of, is_secure, port_of
from camd.fleet import Fleet
from camd.handover.continuity import BEAT, Continuity, HandoverError
from camd.handover.forebear import Forebear
from camd.handover.heir import Program
from camd.handover.keeping import Keeping
from camd.histogram import GROUPS, Histogram
from camd.ingest import CameraFactory, SecureCameraFactory
from camd.intake import Intake
from camd.journal import Journal
from camd.keys import KeyFileError, KeyRing
from camd.live import Live
from camd.news import News
from camd.process import calm_collector, many_files
from camd.pull.pullers import PullError, Pullers
from camd.service.ending import end
from camd.signals import Signals
from camd.store.findings import FindingsReader
from camd.store.quarantine import Quarantine
from camd.store.store import Store, StoreError
from camd.upkeep import Upkeep
from camd.upload import UploadFactory

if TYPE_CHECKING:
    from camd.detect.looking import Looking
    from camd.publish import Publisher
    from camd.web import WebDoor

log = Logger()

LOOK = 5.0
SAVE = 60.0
SHORTEN = 3600.0
SPARE_FILES = 250
"""Descriptors that are not for connections of cameras, besides those of the writers: what comes
in one turn of the reactor, the page's connections, and our own files."""


class StartError(SystemExit):
    """camd cannot start; the text is one line for the operator."""


@define(eq=False, slots=False)
class Camd(MultiService):
    """The daemon.

    :ivar reload: reads the configuration anew; raises `ConfigError`.
    :ivar continuity: what it has of former processes, and leaves to later ones.
    """

    loaded: Loaded
    reactor: Any
    reload: Callable[[], Loaded]
    observer: ILogObserver | None = None
    config: Config = field(init=False)
    store: Store = field(init=False)
    fleet: Fleet = field(init=False)
    news: News = field(init=False)
    live: Live = field(init=False)
    intake: Intake = field(init=False)
    keyring: KeyRing = field(init=False)
    cameras: CameraFactory = field(init=False)
    uploads: UploadFactory = field(init=False)
    pullers: Pullers = field(init=False)
    upkeep: Upkeep = field(init=False)
    doors: Doors = field(init=False)
    continuity: Continuity = field(init=False)
    signals: Signals = field(init=False)
    looking: "Looking | None" = None
    publisher: "Publisher | None" = None
    web: "WebDoor | None" = None
    commits: Histogram = field(factory=lambda: Histogram(GROUPS))
    certificate: Certificate = field(factory=Certificate)
    _loops: list[LoopingCall] = field(factory=list)

    name = "camd"

    def __attrs_post_init__(self) -> None:
        MultiService.__init__(self)
        self.config = self.loaded.config
        current = lambda: self.config  # noqa: E731 - a reload replaces the tree
        now = time.time
        self.store = Store(
            Path(self.config.store.path).absolute(),
            current,
            self.reactor.callFromThread,
            lambda work: self.reactor.callLater(0, work),
        )
        self.store.told = self.commits.add
        self.store.looking = self.config.looks
        self.news = News(now)
        self.live = Live()
        self.fleet = Fleet(current, self.news, now)
        quarantine = Quarantine(
            self.store.own / "quarantine", current, now,
            lambda work: self.store.ask(lambda _: work()),
        )  # fmt: skip
        self.intake = Intake(self.store, self.fleet, self.news, self.live, quarantine, now)
        self.keyring = KeyRing(self.store.own / "keys", _bad_key_file)
        self.cameras = CameraFactory(
            current, self.intake, self.fleet, self.live, self.keyring, self.reactor, now
        )
        self.store.together = self.cameras.outbox
        self.doors = Doors(self.reactor)
        self.continuity = Continuity(self, Program.own())
        self.signals = Signals(self.reactor, self.rehash, self.continuity.upgrade)
        self.uploads = UploadFactory(
            current, self.intake, self.fleet, self.cameras, Tokens(self.store.own), now
        )
        self.pullers = Pullers(
            current, self.intake, self.fleet, self.live, self.cameras.budget.change,
            self.reactor, now,
        )  # fmt: skip
        self.upkeep = Upkeep(
            current, self.store, self.fleet, self.keyring, self.reactor, lambda: bool(self.running)
        )
        self.news.listen(Journal(self.cameras.sparing).hear)
        self.news.listen(self.upkeep.hear)

    @property
    def service(self) -> "Camd":
        """Itself, under the name that the manhole gives it."""
        return self

    @property
    def sockets(self) -> Sockets:
        """All that is listened on."""
        return self.doors.sockets

    @property
    def keeping(self) -> Keeping | None:
        """Who keeps boards over a crash, if anybody does."""
        return self.continuity.keeping

    @property
    def stopping(self) -> bool:
        """Whether the operator has asked for the end."""
        return self.signals.stopping

    @property
    def totals(self) -> tuple[int, int]:
        """Restarts, and boards that were carried over them."""
        return self.continuity.restarts, self.continuity.boards_carried

    def save(self) -> "Deferred[None]":
        """What is known of cameras is in the catalog."""
        return self.upkeep.save()

    def setServiceParent(self, parent: Any) -> None:
        if self.observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self.observer)
        super().setServiceParent(parent)

    # ---- start

    def privilegedStartService(self) -> None:
        """:raises StartError: in a line, where there is no store or a port is taken."""
        try:
            self._start()
        except BaseException as error:
            self.continuity.failed(error)
            raise

    def _start(self) -> None:
        self.signals.install()
        store = self.config.store
        files = many_files()
        self.cameras.most = files - min(files // 2, SPARE_FILES + store.writers * store.batch)
        os.umask(0o027)
        try:
            self._prepare()
            self.continuity.before_store()
            report = self.store.open()
            self.upkeep.remember(crashed=report.folders > 0)
            self._open_doors()
            self._open_web()
            super().privilegedStartService()
            self.continuity.after_doors()
            if self.web is not None:
                self.web.start()
            self.cameras.recheck()
        except (StoreError, DoorError, HandoverError, OSError) as error:  # also the manhole's port
            self._undo()
            raise StartError(f"camd: {error}") from None

    def _prepare(self) -> None:
        """What takes time, or may be wrong, and needs nothing that another process may still have.

        :raises DoorError: the certificate is wrong, or what is to be told cannot be.
        """
        self._load_certificate()
        self._hire()
        if self.publisher is not None:
            self._prepare_to_tell(self.publisher)
        if self.config.manhole.endpoint is not None:
            importlib.import_module("camd.manhole")
        if self.config.web.listen != "off":
            with suppress(ModuleNotFoundError):  # said when the door is to be opened
                importlib.import_module("camd.web")

    def _hire(self) -> list[object]:
        """Who looks at photos and who tells others is there where there is such work: each takes
        megabytes, which need not be spent elsewhere. Returns who is new."""
        current, now = lambda: self.config, time.time
        new: list[object] = []
        if self.looking is None and self.config.looks:
            from camd.detect.looking import Looking

            self.looking = Looking(
                current, self.store, self.news, self.reactor, now, poor=self.fleet.is_poor
            )
            new.append(self.looking)
        left = (self.store.own / "outbox.sqlite").exists()
        if self.publisher is None and (self.config.tells or left):
            from camd.publish import Publisher

            self.publisher = Publisher(
                current, self.store, self.fleet, self.news, self.reactor, now,
                lambda *asked: self.store.ask(lambda catalog: FindingsReader(catalog).new(*asked)),
            )  # fmt: skip
            new.append(self.publisher)
        return new

    def _prepare_to_tell(self, publisher: "Publisher") -> None:
        from camd.publish import PublishError

        try:
            publisher.prepare()
        except PublishError as error:
            raise DoorError(str(error)) from None

    def startService(self) -> None:
        super().startService()
        self.resume()
        calm_collector()
        self.reactor.callWhenRunning(self._ready)

    def resume(self) -> None:
        """What is done by the clock is done from now on."""
        for work, seconds in (
            (self.cameras.deadlines.tick, 1.0),
            (self.continuity.beat, BEAT),
            (self.fleet.look, LOOK),
            (self.upkeep.save, SAVE),
            (self.store.shorten, SHORTEN),
            (self.upkeep.sweep, self.config.store.sweep),
        ):
            loop: LoopingCall = LoopingCall(_steadily, work)
            loop.clock = self.reactor
            loop.start(seconds, now=False)
            self._loops.append(loop)
        self.uploads.stopping = False
        self.pullers.start()
        for room in (self.looking, self.publisher):
            if room is not None:
                room.start()

    def halt(self) -> None:
        """And no more."""
        for loop in self._loops:
            if loop.running:
                loop.stop()
        self._loops.clear()
        self.upkeep.halt()
        self.uploads.stopping = True
        self.pullers.stop()
        for room in (self.looking, self.publisher):
            if room is not None:
                room.stop()

    def _ready(self) -> None:
        """Signals, too, are heard from now on."""
        self.signals.install()
        self.continuity.started()
        self._say_hello()
        systemd.notify(f"{systemd.READY}\n{systemd.status('takes photos')}", os.environ)

    def _open_doors(self) -> None:
        secure = SecureCameraFactory(self.cameras)
        failed: list[DoorError] = []
        for description in self.config.listen:
            factory = secure if is_secure(description) else self.cameras
            self.doors.listen(description, factory).addErrback(_collect, failed)
        for description in self.config.tls.endpoints:
            self.doors.listen(description, secure, self.certificate).addErrback(_collect, failed)
        if self.config.upload.listen != "off":
            door = self.doors.listen(self.config.upload.listen, self.uploads)
            door.addErrback(_collect, failed)
        if failed:
            raise failed[0]
        try:
            self.pullers.prepare()
        except PullError as error:
            raise DoorError(str(error)) from None
        endpoint = self.config.manhole.endpoint
        if endpoint is not None:
            self._open_manhole(endpoint)

    def _load_certificate(self) -> None:
        """:raises DoorError: where there is something wrong with it; the one before stays."""
        tls = self.config.tls
        if tls.certificate is None or tls.key is None:
            return
        from camd.authority import AuthorityError, server_context

        try:
            self.certificate.options = server_context(tls.certificate, tls.key)
        except AuthorityError as error:
            raise DoorError(f"tls.certificate: {error}") from None

    def _open_web(self) -> None:
        """:raises StartError: in a line, where it cannot be opened."""
        endpoint = self.config.web.listen
        if endpoint == "off":
            return
        try:
            from camd.web import WebDoor, WebError
        except ModuleNotFoundError as error:
            if error.name is None or error.name.split(".")[0] == "camd":
                raise
            self._undo()
            raise StartError(f"camd: the page needs the package {error.name}; --web off") from None
        self.web = WebDoor(self)
        self.cameras.fps = self.config.web.fps
        try:
            self.web.open(endpoint)
        except WebError as error:
            self._undo()
            raise StartError(f"camd: {error}") from None
        except DoorError as error:
            if self.loaded.origin.get("web.listen") != "default":
                raise
            self.web = None  # nobody asked for it there, and boards come first
            log.warn("there is no page: {why}; --web tcp:PORT chooses another", why=error)

    def _open_manhole(self, endpoint: str) -> None:
        from camd.manhole import helpers, manhole_service

        manhole = self.config.manhole
        assert manhole.authorized_keys is not None, "without keys there is no endpoint"
        host_key = manhole.host_key or self.store.own / "manhole_ed25519"
        manhole_service(
            endpoint, manhole.authorized_keys, host_key, lambda: helpers(self),
            self.sockets.through(self.reactor, endpoint),
        ).setServiceParent(self)  # fmt: skip

    def _undo(self) -> None:
        self.doors.close()
        if self.web is not None:
            self.web.close()
            self.web.stop()
        self.store.abandon()

    def _say_hello(self) -> None:
        config = self.config
        log.info("camd {version} takes photos", version=__version__)
        for description, port in self.doors.open:
            number = port_of(port)
            where = f"boards reach it at {host_of(port)} port {number}" if number else "open"
            log.info("listening on {description}: {where}", description=description, where=where)
        log.info("photos are stored below {root}", root=str(self.store.root))
        if config.cameras.unknown == "accept":
            log.warn(
                "anybody who can reach the port may store photos: cameras without a key are "
                'accepted. "camd enroll NAME" makes a key; unknown = "refuse" in [cameras] '
                "shuts everybody else out"
            )
        else:
            log.info("only cameras with a key, or named by their address, may come in")
        log.info(
            'next: point a board at this address, or try it out with "camd simulate --boards 3"; '
            '"camd ls" shows what came'
        )

    # ---- while it runs

    def rehash(self) -> None:
        """SIGHUP: what can change while it runs does; where the new configuration is wrong, the
        old one holds."""
        try:
            loaded = self.reload()
        except ConfigError as error:
            log.error("the configuration stays as it was: {error}", error=str(error))
            return
        waiting = reloadable(self.config, loaded.config)
        self.loaded, self.config = loaded, loaded.config
        self.store.forget_folders()
        self.cameras.recheck()
        self.pullers.sync()
        new = self._hire()
        for room in (self.looking, self.publisher):
            if room is not None:
                room.sync()
                if room in new:
                    room.start()
        try:
            self._load_certificate()
        except DoorError as error:
            log.error("the certificate stays as it was: {error}", error=str(error))
        log.info("the configuration was read again")
        if waiting:
            log.warn("these wait for a restart: {keys}", keys=", ".join(waiting))

    # ---- stop

    def stopService(self) -> "Deferred[None]":
        """Fires when what was in flight has been answered and all that was stored is safe."""
        return Deferred.fromCoroutine(end(self))


def build(
    loaded: Loaded,
    reactor: Any,
    reload: Callable[[], Loaded],
    observer: ILogObserver | None = None,
    forebear: Forebear | None = None,
) -> Camd:
    """The daemon, ready to be started.

    :param forebear: the process from which it takes over.
    """
    camd = Camd(loaded, reactor, reload, observer)
    camd.continuity.forebear = forebear
    systemd.Watchdog(reactor).setServiceParent(camd)
    return camd


def _steadily(work: Callable[[], Any]) -> "Deferred[Any]":
    """Once; where it fails, its next time comes all the same."""
    return maybeDeferred(work).addErrback(
        lambda failure: log.failure("{what} failed", failure, what=getattr(work, "__name__", "it"))
    )


def _collect(failure: Any, into: list[DoorError]) -> None:
    failure.trap(DoorError)
    into.append(failure.value)


def _bad_key_file(error: KeyFileError) -> None:
    log.error("{error}; nobody is let in by it", error=str(error))
