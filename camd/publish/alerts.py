"""Which rules hold, of which cameras, and what was told of that.

A rule is told when it begins to hold, once, and when it ends; in quiet hours neither, but behind
them what is then still so. What was told is kept over restarts, and so is not told again.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd.config import Config
from camd.config.rules import read_hours
from camd.config.telling import AlertEntry
from camd.config.units import Bytes, size_text
from camd.config.when import UNITS, Per, Subject
from camd.fleet import Camera, Fleet
from camd.news import Item, Kind
from camd.photo import CameraId
from camd.publish.letter import Alert
from camd.store.naming import AHEAD_SANE, session_begin, session_day

log = Logger()

CLEAR = 0.02
"""The share of its limit by which a value must be back before a rule is over."""

COUNTED_AT_ONCE = 100
"""Counts that are asked for in one look; the rest waits for the next."""

_NAMES = {
    Subject.BATTERY: "vbat", Subject.SIGNAL: "rssi", Subject.TEMPERATURE: "temp",
    Subject.QUEUED: "queued",
}  # fmt: skip
"""What boards call what they measure."""

_HOUR = 3600.0
QUARTER = 900.0
"""Seconds by which is counted: an hour is the last four that are whole, and what came since."""


class Counts(Protocol):
    """How many of a class were found that were not on the photos before."""

    def __call__(
        self, camera: CameraId | None, label: str, since_ms: int, until_ms: int, /
    ) -> "Deferred[int]": ...


class Room(Protocol):
    """The disk's room."""

    def __call__(self) -> "Deferred[tuple[int, int]]":
        """Bytes free, and in all."""
        ...


Key = tuple[str, str, str]
"""(title, rule, camera); no camera is ""."""


@define
class Standing:
    """A rule that holds, or whose end was not told yet.

    :ivar since: unix seconds when it began. *told*: when it was told last, 0 where not yet.
    :ivar window: when that began for which is counted, 0 where nothing is.
    """

    since: float
    told: float = 0.0
    window: float = 0.0


@define(eq=False)
class Alerts:
    """:ivar tell: is told who is to hear, and what.
    :ivar save: called when `memory` has changed.
    :ivar counts: None where nothing counts.
    :ivar now: unix seconds.
    """

    config: Callable[[], Config]
    fleet: Fleet
    now: Callable[[], float]
    tell: Callable[[AlertEntry, Alert], None]
    save: Callable[[], None]
    room: Room
    counts: Callable[[], Counts | None] = lambda: None
    _standing: dict[Key, Standing] = field(factory=dict)
    _poor: dict[CameraId, tuple[float, str]] = field(factory=dict)
    _measured: set[CameraId] = field(factory=set)
    _found: dict[tuple[CameraId, str], None] = field(factory=dict)
    _started: float = 0.0
    _asked: set[Key] = field(factory=set)

    def restore(self, memory: Any) -> None:
        """From now on it is looked; *memory*: what was saved, or None."""
        self._started = self.now()
        self._asked.clear()
        if isinstance(memory, Mapping):
            for title, rule, camera, since, told, window in memory.get("standing", ()):
                self._standing.setdefault((title, rule, camera), Standing(since, told, window))
            for camera, (since, why) in memory.get("poor", {}).items():
                self._poor.setdefault(CameraId(camera), (since, why))
        for entry in self.config().alerts:
            if entry.when.subject is Subject.COUNT:
                for camera in entry.cameras or self.fleet.cameras:
                    self._found[camera, entry.when.label] = None

    @property
    def standing(self) -> list[dict[str, Any]]:
        """The rules that hold, for people."""
        return [
            {"alert": title, "rule": rule, "camera": camera or None, "since": each.since,
             "told": each.told or None}
            for (title, rule, camera), each in self._standing.items()
        ]  # fmt: skip

    def hear(self, item: Item) -> None:
        """A listener of `News`."""
        camera = item.camera
        if camera is None:
            return
        if item.kind is Kind.STAT:
            self._measured.add(camera)
        elif item.kind is Kind.FOUND and item.findings is not None:
            for each in item.findings.valid:
                if each.fresh:
                    self._found[camera, each.label] = None
        elif item.kind is Kind.POOR:
            self._poor.setdefault(camera, (item.when, item.text))
            self.save()
        elif item.kind is Kind.GOOD and self._poor.pop(camera, None) is not None:
            self.save()

    def look(self) -> "Deferred[None]":
        """Fires when every rule was looked at; what was asked for and is not answered yet is not
        asked for again."""
        alerts = self.config().alerts
        measured, self._measured = self._measured, set()
        self._drop({(entry.title, entry.rule) for entry in alerts})
        asked: list[Deferred[None]] = []
        found = list(self._found)[:COUNTED_AT_ONCE]
        for key in found:
            del self._found[key]
        for entry in alerts:
            match entry.when.subject:
                case Subject.DISK:
                    asked += self._room_for(entry)
                case Subject.COUNT:
                    asked += self._count(entry, found)
                case Subject.SILENT | Subject.POOR:
                    for camera in self._cameras(entry):
                        self._watch(entry, camera)
                case _:
                    for camera in self._cameras(entry):
                        if camera.id in measured or self._key(entry, camera.id) in self._standing:
                            self._measure(entry, camera)
        return gatherResults(asked).addCallback(lambda _: None)

    def memory(self) -> dict[str, Any]:
        """What `restore` is to be given behind a restart."""
        return {
            "standing": [
                [*key, each.since, each.told, each.window] for key, each in self._standing.items()
            ],
            "poor": {camera: list(poor) for camera, poor in self._poor.items()},
        }

    def _drop(self, rules: set[tuple[str, str]]) -> None:
        """Rules that are no more, and cameras that are no more, are forgotten without a word."""
        for title, rule, camera in tuple(self._standing):
            if (title, rule) not in rules or (camera and camera not in self.fleet):
                del self._standing[title, rule, camera]
                self.save()
        for id in tuple(self._poor):
            if id not in self.fleet:
                del self._poor[id]

    def _cameras(self, entry: AlertEntry) -> Iterator[Camera]:
        if not entry.cameras:
            yield from tuple(self.fleet.cameras.values())
        for id in entry.cameras:
            camera = self.fleet.cameras.get(id)
            if camera is not None:
                yield camera

    @staticmethod
    def _key(entry: AlertEntry, camera: CameraId | None) -> Key:
        return entry.title, entry.rule, camera or ""

    # ---- what holds

    def _watch(self, entry: AlertEntry, camera: Camera) -> None:
        standing = self._standing.get(self._key(entry, camera.id))
        if entry.when.subject is Subject.POOR:
            poor = self._poor.get(camera.id)
            text = "its photos are good again" if poor is None else f"its photos are bad: {poor[1]}"
            self._judge(entry, camera.id, poor is not None, text)
            return
        if standing is not None:
            # Only a photo ends it: camd itself may have been away meanwhile.
            silent = camera.last_photo <= standing.since
        elif entry.when.sign:
            last = max(camera.last_photo, camera.expected, self._started)
            silent = bool(camera.last_photo) and self.now() - last > entry.when.limit
        else:
            silent = camera.silent
        if not silent and standing is None:
            return
        since = datetime.fromtimestamp(camera.last_photo, UTC)
        text = f"no photo since {since:%Y-%m-%d %H:%M:%S}Z" if silent else "sends photos again"
        self._judge(entry, camera.id, silent, text)

    def _measure(self, entry: AlertEntry, camera: Camera) -> None:
        subject = entry.when.subject
        value = (camera.telemetry or {}).get(_NAMES[subject])
        if isinstance(value, int | float):
            holds = self._beyond(entry, camera.id, float(value), entry.when.limit)
            self._judge(entry, camera.id, holds, f"{subject.value} {value:g} {UNITS[subject]}")

    def _beyond(
        self, entry: AlertEntry, camera: CameraId | None, value: float, limit: float
    ) -> bool:
        """Whether *value* is; where the rule holds, it must be well within to end it."""
        if self._key(entry, camera) in self._standing:
            margin = abs(limit) * CLEAR
            limit += margin if entry.when.sign.startswith("<") else -margin
        return entry.when.holds(value, limit)

    async def _disk(self, entry: AlertEntry) -> None:
        free, total = await self.room()
        holds = self._beyond(entry, None, float(free), float(entry.when.share.of(total)))
        percent = 100 * free / total if total else 0.0
        rounded = size_text(Bytes(free // 10**8 * 10**8 if free > 10**9 else free // 1000 * 1000))
        self._judge(entry, None, holds, f"{rounded} free on the disk, {percent:.1f} %")

    def _room_for(self, entry: AlertEntry) -> "list[Deferred[None]]":
        key = self._key(entry, None)
        if key in self._asked:
            return []
        self._asked.add(key)

        def failed(failure: Failure) -> None:
            log.error("the disk's room cannot be looked at: {why}", why=failure.getErrorMessage())

        looked = Deferred.fromCoroutine(self._disk(entry)).addErrback(failed)
        return [looked.addBoth(lambda _: self._asked.discard(key))]

    def _count(
        self, entry: AlertEntry, found: list[tuple[CameraId, str]]
    ) -> "list[Deferred[None]]":
        counts = self.counts()
        if counts is None:
            return []
        label = entry.when.label
        ids = {camera for camera, each in found if each == label}
        ids |= {
            CameraId(camera) for title, rule, camera in self._standing
            if (title, rule) == (entry.title, entry.rule)
        }  # fmt: skip
        if entry.cameras:
            ids &= set(entry.cameras)
        asked = []
        for id in sorted(ids):
            if self._key(entry, id) in self._asked:
                self._found[id, label] = None
            elif id in self.fleet:
                asked.append(self._counted(entry, id, counts))
        return asked

    def _counted(self, entry: AlertEntry, camera: CameraId, counts: Counts) -> "Deferred[None]":
        since, until = self._window(entry, camera)
        label, per = entry.when.label, entry.when.per
        assert per is not None, "a count is one of some time"
        key = self._key(entry, camera)
        standing = self._standing.get(key)
        window = 0.0 if per is Per.HOUR else since
        if standing is not None and standing.window != window:
            del self._standing[key]  # another night: its end is no news
            self.save()

        def count(number: int) -> None:
            holds = entry.when.holds(float(number), entry.when.limit)
            ended = self._standing.get(key)
            if not holds and window and ended is not None:
                del self._standing[key]
                self.save()
                return
            self._judge(entry, camera, holds, f"{number} {label} this {per.value}", window)

        def failed(failure: Failure) -> None:
            self._found[camera, label] = None
            log.error("{label} cannot be counted: {why}", label=label,
                      why=failure.getErrorMessage())  # fmt: skip

        self._asked.add(key)
        asked = counts(camera, label, round(since * 1000), round(until * 1000))
        return asked.addCallbacks(count, failed).addBoth(lambda _: self._asked.discard(key))

    def _window(self, entry: AlertEntry, camera: CameraId) -> tuple[float, float]:
        """Unix seconds from which and until which is counted."""
        now = self.now()
        if entry.when.per is Per.HOUR:
            return (now - _HOUR) // QUARTER * QUARTER, now + AHEAD_SANE
        zone, noon = self._zone(camera), entry.when.per is Per.NIGHT
        day = session_day(now, zone, noon)
        return session_begin(day, zone, noon), session_begin(day, zone, noon, 1)

    # ---- what is told of it

    def _judge(
        self, entry: AlertEntry, camera: CameraId | None, holds: bool, text: str,
        window: float = 0.0,
    ) -> None:  # fmt: skip
        now, key = self.now(), self._key(entry, camera)
        standing = self._standing.get(key)
        if standing is None:
            if not holds:
                return
            standing = self._standing[key] = Standing(now, window=window)
            self.save()
        quiet = self._is_quiet(entry, camera)
        title = f"{entry.name}: " if entry.name else ""
        if holds:
            again = bool(entry.again) and now - standing.told >= entry.again
            if (not standing.told or again) and not quiet:
                standing.told = now
                self.save()
                self.tell(entry, Alert(entry.title, entry.rule, camera, f"{title}{text}"))
            return
        if standing.told and entry.tell_end:
            if quiet:
                return  # told behind the quiet hours
            over = f"{title}over: {text}"
            self.tell(entry, Alert(entry.title, entry.rule, camera, over, over=True))
        del self._standing[key]
        self.save()

    def _is_quiet(self, entry: AlertEntry, camera: CameraId | None) -> bool:
        if not entry.quiet:
            return False
        begin, end = read_hours(entry.quiet)
        local = datetime.fromtimestamp(self.now(), self._zone(camera))
        minute = 60 * local.hour + local.minute
        return begin <= minute < end if begin < end else minute >= begin or minute < end

    def _zone(self, camera: CameraId | None) -> tzinfo | None:
        config = self.config()
        name = config.store.timezone if camera is None else config.camera(camera).timezone
        return ZoneInfo(name) if name else None
