"""The one place that knows all the rooms: it builds them, opens the doors, and shuts them again.

`build` gives twistd a service. In order: the store is opened and level, then the doors open; at
the end the doors close first, what is in flight is answered, and the store goes last.
"""

import gc
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from camd import __version__, systemd
from camd.config import Config, ConfigError, Loaded, reloadable
from camd.doors import Certificate, DoorError, Doors, host_of, is_secure, port_of
from camd.fleet import Fleet
from camd.ingest import CameraFactory, SecureCameraFactory
from camd.intake import Intake
from camd.keys import KeyFileError, KeyRing
from camd.live import Live
from camd.news import News
from camd.photo import CameraId
from camd.signals import Signals
from camd.store.catalog import Catalog
from camd.store.entry import CameraState, milliseconds
from camd.store.quarantine import Quarantine
from camd.store.retention import Policies, Policy, SweepReport, sweep
from camd.store.store import Store, StoreError

log = Logger()

LOOK = 5.0
SAVE = 60.0
SHORTEN = 3600.0
LAST_WRITES = 3.0
"""Seconds that the disk gets at the end, for the photos and again for the catalog."""


class StartError(SystemExit):
    """camd cannot start; the text is one line for the operator."""


@define(eq=False, slots=False)
class Camd(MultiService):
    """The daemon.

    :ivar reload: reads the configuration anew; raises `ConfigError`.
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
    doors: Doors = field(init=False)
    certificate: Certificate = field(factory=Certificate)
    _loops: list[LoopingCall] = field(factory=list)
    _saved: dict[CameraId, float] = field(factory=dict)

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
        self.doors = Doors(self.reactor)

    @property
    def service(self) -> "Camd":
        """Itself, under the name that the manhole gives it."""
        return self

    def setServiceParent(self, parent: Any) -> None:
        if self.observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self.observer)
        super().setServiceParent(parent)

    # ---- start

    def privilegedStartService(self) -> None:
        """:raises StartError: in a line, where there is no store or a port is taken."""
        many_files()
        os.umask(0o027)
        try:
            self.store.open()
            self._remember()
            self._open_doors()
            super().privilegedStartService()
        except (StoreError, DoorError) as error:
            self._undo()
            raise StartError(f"camd: {error}") from None
        except OSError as error:  # the manhole's port
            self._undo()
            raise StartError(f"camd: {error}") from None

    def startService(self) -> None:
        super().startService()
        for work, seconds in (
            (self.cameras.deadlines.tick, 1.0),
            (self.fleet.look, LOOK),
            (self._save, SAVE),
            (self.store.shorten, SHORTEN),
            (self._sweep, self.config.store.sweep),
        ):
            loop: LoopingCall = LoopingCall(work)
            loop.clock = self.reactor
            loop.start(seconds, now=False).addErrback(
                lambda failure, what: log.failure("{what} failed", failure, what=what),
                getattr(work, "__name__", "a loop"),
            )
            self._loops.append(loop)
        self.reactor.callWhenRunning(Signals(self.reactor, self.rehash).install)
        self._say_hello()
        calm_collector()
        systemd.notify(f"{systemd.READY}\n{systemd.status('takes photos')}", os.environ)

    def _open_doors(self) -> None:
        tls = self.config.tls
        self._load_certificate()
        secure = SecureCameraFactory(self.cameras)
        failed: list[DoorError] = []
        for description in self.config.listen:
            factory = secure if is_secure(description) else self.cameras
            self.doors.listen(description, factory).addErrback(_collect, failed)
        for description in tls.endpoints:
            self.doors.listen(description, secure, self.certificate).addErrback(_collect, failed)
        if failed:
            raise failed[0]
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

    def _open_manhole(self, endpoint: str) -> None:
        from camd.manhole import helpers, manhole_service

        manhole = self.config.manhole
        assert manhole.authorized_keys is not None, "without keys there is no endpoint"
        host_key = manhole.host_key or self.store.own / "manhole_ed25519"
        manhole_service(
            endpoint, manhole.authorized_keys, host_key, lambda: helpers(self), self.reactor
        ).setServiceParent(self)

    def _undo(self) -> None:
        self.doors.close()
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
        try:
            self._load_certificate()
        except DoorError as error:
            log.error("the certificate stays as it was: {error}", error=str(error))
        log.info("the configuration was read again")
        if waiting:
            log.warn("these wait for a restart: {keys}", keys=", ".join(waiting))

    def _remember(self) -> None:
        """What the catalog knows of cameras, and the configuration."""
        for state in self.store.reader.load_camera_states():
            self.fleet.remember(
                state.camera, state.first_seen_ms / 1000, state.last_seen_ms / 1000, state.state
            )
        for camera, totals in self.store.reader.totals().items():
            record = self.fleet.camera(camera)
            record.photos, record.bytes = totals.photos, totals.bytes
        for entry in self.config.camera_entries:
            self.fleet.camera(entry.id)

    def _save(self) -> "Deferred[None]":
        """Cameras that were seen since the last time are saved; those long gone are forgotten."""
        now = time.time()
        states = []
        forget = []
        for camera in self.fleet.cameras.values():
            if self._saved.get(camera.id) != camera.last_seen and camera.last_seen:
                self._saved[camera.id] = camera.last_seen
                states.append(
                    CameraState(
                        camera.id, milliseconds(camera.first_seen),
                        milliseconds(camera.last_seen), self.fleet.memory(camera),
                    )
                )  # fmt: skip
            elif self._is_past(camera.id, now):
                forget.append(camera.id)
        self.fleet.forget(forget)
        done: Deferred[None] = self.store.ask(lambda catalog: catalog.save_camera_states(states))
        return done.addErrback(
            lambda failure: log.error(
                "cameras could not be saved: {why}", why=failure.getErrorMessage()
            )
        )

    def _is_past(self, id: CameraId, now: float) -> bool:
        camera = self.fleet.cameras[id]
        return bool(
            not camera.connected
            and not camera.photos
            and camera.last_seen
            and now - camera.last_seen > self.config.cameras.forget
            and self.keyring.keys_of(id) is None
        )

    def _sweep(self) -> "Deferred[None]":
        """Photos whose time is over go, a bounded number in one go."""
        store = self.config.store
        policies = self._policies()
        remember_ms = milliseconds(time.time() - store.remember)

        def work(catalog: Catalog) -> SweepReport:
            catalog.forget(remember_ms)
            return sweep(catalog, self.store.root, policies, time.time(), dirty=self.store.dirty)

        def swept(report: SweepReport) -> None:
            if report.deleted:
                log.info(
                    "{count} photos were thinned out or deleted, {size} bytes",
                    count=report.deleted, size=report.bytes,
                )  # fmt: skip
            if report.more and self.running:
                self.reactor.callLater(0.2, self._sweep)

        return self.store.ask(work).addCallbacks(
            swept,
            lambda failure: log.error("retention failed: {why}", why=failure.getErrorMessage()),
        )

    def _policies(self) -> Policies:
        store = self.config.store
        return Policies(
            Policy(max_bytes=store.max_bytes),
            Policy(store.max_age, 0, store.thin_after, store.thin_to),
            {
                entry.id: Policy(own.max_age, entry.max_bytes or 0, own.thin_after, own.thin_to)
                for entry in self.config.camera_entries
                for own in [self.config.camera(entry.id)]
            },
        )

    # ---- stop

    def stopService(self) -> "Deferred[None]":
        """Fires when what was in flight has been answered and all that was stored is safe."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        systemd.notify(f"{systemd.STOPPING}\n{systemd.status('finishing photos')}", os.environ)
        self.running = False
        for loop in self._loops:
            if loop.running:
                loop.stop()
        await self.doors.close()
        wedged = sum(camera.connected for camera in self.fleet.cameras.values()
                     if camera.protocol == "v1")  # fmt: skip
        if wedged:
            log.warn(
                "{count} boards with the tutorial's sketch are connected; they will not come back "
                "by themselves and need their power switched off and on",
                count=wedged,
            )
        answered = self.cameras.drain()
        await DeferredList(
            [answered, deferLater(self.reactor, self.config.times.drain)], fireOnOneCallback=True
        )
        self.intake.stopping = True
        for _ in range(int(LAST_WRITES / 0.05)):
            if not self.store.waiting:
                break
            await deferLater(self.reactor, 0.05)
        self.cameras.close()
        await self._save()
        super_stop = MultiService.stopService(self)
        if super_stop is not None:
            await super_stop
        if self.store.close(LAST_WRITES):
            log.info("stopped; every photo that was acknowledged is safe")
        else:
            log.warn("stopped; the catalog will be brought level with the photos at the start")


def build(
    loaded: Loaded,
    reactor: Any,
    reload: Callable[[], Loaded],
    observer: ILogObserver | None = None,
) -> Camd:
    """The daemon, ready to be started.

    :raises StartError: where an endpoint means nothing.
    """
    camd = Camd(loaded, reactor, reload, observer)
    systemd.Watchdog(reactor).setServiceParent(camd)
    return camd


def calm_collector() -> None:
    """What lives for ever is not looked through for garbage again, and the rest seldom: most of
    what a photo leaves behind goes by reference counts alone."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def many_files() -> None:
    """As many open files as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _collect(failure: Any, into: list[DoorError]) -> None:
    failure.trap(DoorError)
    into.append(failure.value)


def _bad_key_file(error: KeyFileError) -> None:
    log.error("{error}; that camera is let in by nobody", error=str(error))
