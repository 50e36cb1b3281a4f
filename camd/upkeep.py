"""What the clock has done for photos and cameras: old ones go, what is known of them is kept.

Everything is done in the catalog's thread, on nobody's way.
"""

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd.config import Config
from camd.fleet import Fleet
from camd.keys import KeyRing
from camd.news import Item, Kind
from camd.photo import CameraId
from camd.plural import count
from camd.store.catalog import Catalog
from camd.store.entry import CameraState, Totals, milliseconds
from camd.store.retention import Policies, Policy, SweepReport, sweep
from camd.store.store import Store

log = Logger()

SOON = 1.0
"""Seconds until what is told once is saved, with all that came meanwhile."""

NOT_SAVED, NOT_SWEPT = "cameras could not be saved", "retention failed"

_TOLD_ONCE = frozenset({Kind.SILENT, Kind.BACK, Kind.POOR, Kind.GOOD})

NEXT_SWEEP = 0.2
"""Seconds until a sweep goes on that had more to do than it may in one go."""


@define(eq=False)
class Upkeep:
    """:ivar running: whether a sweep that was not through may go on."""

    config: Callable[[], Config]
    store: Store
    fleet: Fleet
    keyring: KeyRing
    reactor: Any
    running: Callable[[], bool]
    _saved: dict[CameraId, object] = field(factory=dict)
    _wrong: set[str] = field(factory=set)
    _call: IDelayedCall | None = None

    def remember(self, crashed: bool = False) -> None:
        """The fleet has what the catalog knows of cameras, and those of the configuration.

        :param crashed: the last photos may have come after cameras were saved for the last time.
        """
        for state in self.store.reader.load_camera_states():
            self.fleet.remember(
                state.camera, state.first_seen_ms / 1000, state.last_seen_ms / 1000, state.state
            )
        for camera, totals in self.store.reader.totals().items():
            record = self.fleet.camera(camera)
            record.photos, record.bytes = totals.photos, totals.bytes
            latest = self.store.reader.latest(camera) if crashed else None
            if latest is not None:
                self.fleet.had(record, latest.received_ms / 1000)
        for entry in self.config().camera_entries:
            self.fleet.camera(entry.id)

    def hear(self, item: Item) -> None:
        """A listener of `News`: over a crash, too, nothing is told twice, or for ever."""
        if item.kind in _TOLD_ONCE and self._call is None:
            self._call = self.reactor.callLater(SOON, self.save)

    def halt(self) -> None:
        """Nothing is saved by itself."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()

    def save(self) -> "Deferred[None]":
        """Cameras of which there is something new are saved; those long gone are forgotten."""
        self.halt()
        now = self.fleet.now()
        states = []
        forget = []
        for camera in self.fleet.cameras.values():
            new = camera.last_seen, camera.poor, camera.silent
            if self._saved.get(camera.id) != new and camera.last_seen:
                self._saved[camera.id] = new
                states.append(
                    CameraState(
                        camera.id, milliseconds(camera.first_seen),
                        milliseconds(camera.last_seen), self.fleet.memory(camera),
                    )
                )  # fmt: skip
            elif self._is_past(camera.id, now):
                forget.append(camera.id)
                self._saved.pop(camera.id, None)
        self.fleet.forget(forget)
        done: Deferred[None] = self.store.ask(lambda catalog: catalog.save_camera_states(states))

        def failed(failure: Failure) -> None:
            for state in states:
                self._saved.pop(state.camera, None)  # the next time, then
            self._failed(NOT_SAVED, failure)

        return done.addCallbacks(lambda _: self._wrong.discard(NOT_SAVED), failed)

    def _failed(self, what: str, failure: Failure) -> None:
        """That something is wrong with the store is news, once until it is right again."""
        why = failure.getErrorMessage()
        log.error("{what}: {why}", what=what, why=why)
        if what not in self._wrong:
            self._wrong.add(what)
            self.fleet.news.tell(Kind.STORE, None, f"{what}: {why}")

    def _is_past(self, id: CameraId, now: float) -> bool:
        camera = self.fleet.cameras[id]
        return bool(
            not camera.connected
            and not camera.photos
            and camera.last_seen
            and now - camera.last_seen > self.config().cameras.forget
            and self.keyring.keys_of(id) is None
        )

    def sweep(self) -> "Deferred[None]":
        """Photos whose time is over go, a bounded number in one go."""
        policies, now = self._policies(), self.fleet.now()
        remember_ms = milliseconds(now - self.config().store.remember)

        def work(catalog: Catalog) -> tuple[SweepReport, dict[CameraId, Totals]]:
            catalog.forget(remember_ms)
            self.store.check()
            before = catalog.totals()
            report = sweep(catalog, self.store.root, policies, now, dirty=self.store.dirty)
            return report, _fewer(before, catalog.totals()) if report.deleted else {}

        def swept(done: tuple[SweepReport, dict[CameraId, Totals]]) -> None:
            report, gone = done
            self._wrong.discard(NOT_SWEPT)
            self._count_off(gone)
            if report.deleted:
                log.info(
                    "{photos} thinned out or deleted, {size} bytes",
                    photos=count(report.deleted, "photo"), size=report.bytes,
                )  # fmt: skip
            if report.more and self.running():
                self.reactor.callLater(NEXT_SWEEP, self.sweep)

        return self.store.ask(work).addCallbacks(
            swept, lambda failure: self._failed(NOT_SWEPT, failure)
        )

    def _count_off(self, gone: dict[CameraId, Totals]) -> None:
        for id, totals in gone.items():
            camera = self.fleet.cameras.get(id)
            if camera is not None:
                camera.photos = max(0, camera.photos - totals.photos)
                camera.bytes = max(0, camera.bytes - totals.bytes)

    def _policies(self) -> Policies:
        config = self.config()
        store = config.store
        return Policies(
            Policy(max_bytes=store.max_bytes),
            Policy(store.max_age, 0, store.thin_after, store.thin_to),
            {
                entry.id: Policy(own.max_age, entry.max_bytes or 0, own.thin_after, own.thin_to)
                for entry in config.camera_entries
                for own in [config.camera(entry.id)]
            },
        )


def _fewer(before: dict[CameraId, Totals], after: dict[CameraId, Totals]) -> dict[CameraId, Totals]:
    """What went of each camera."""
    return {
        camera: Totals(had.photos - left.photos, had.bytes - left.bytes)
        for camera, had in before.items()
        if (left := after[camera]) != had
    }
