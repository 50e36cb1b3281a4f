"""Which rules hold, of which cameras, and what was told of that.

A rule is told when it begins to hold, once, and when it ends; in quiet hours neither, but behind
them what is then still so. Where very many cameras give one rule something to say, it is said of
all of them together. What was told is kept over restarts, and so is not told again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults, succeed
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
"""The share of its limit by which a value must be back before a rule is over, and at least:"""
_CLEAR = {Subject.TEMPERATURE: 1.0, Subject.SIGNAL: 3.0}

SINGLY = 10
"""What one rule may tell, camera by camera; more is told together, and once in a while."""

WHILE = 60.0
"""Seconds after which it may tell one thing more."""

COUNTED_AT_ONCE = 100
"""Counts that are asked for in one look; the rest waits for the next."""

_NAMES = {
    Subject.BATTERY: "vbat", Subject.SIGNAL: "rssi", Subject.TEMPERATURE: "temp",
    Subject.QUEUED: "queued",
}  # fmt: skip
"""What boards call what they measure."""

_HOUR = 3600.0
_BEFORE = {Per.NIGHT: "last night", Per.DAY: "yesterday", Per.HOUR: "the hour before"}
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


Key = tuple[str, str, str, float]
"""(title, rule, camera, when the time began for which is counted); no camera is "", and where
nothing is counted, or always the last hour, that time is 0."""


@define
class Standing:
    """A rule that holds, or whose end was not told yet.

    :ivar since: unix seconds when it began. *told*: when it was told last, 0 where not yet.
    :ivar past: its night, or day, is over, and it is kept so as not to be told twice.
    """

    since: float
    told: float = 0.0
    past: bool = False


@define(eq=False)
class Alerts:
    """:ivar tell: is told who is to hear, and what: of each camera at most once.
    :ivar save: called when `memory` has changed.
    :ivar counts: None where nothing counts.
    :ivar now: unix seconds.
    """

    config: Callable[[], Config]
    fleet: Fleet
    now: Callable[[], float]
    tell: Callable[[AlertEntry, Sequence[Alert]], None]
    save: Callable[[], None]
    room: Room
    counts: Callable[[], Counts | None] = lambda: None
    _standing: dict[Key, Standing] = field(factory=dict)
    _measured: set[CameraId] = field(factory=set)
    _found: dict[tuple[CameraId, str], float] = field(factory=dict)
    _counting: set[AlertEntry] = field(factory=set)
    _started: float = 0.0
    _asked: set[Key] = field(factory=set)
    _nights: dict[tuple[tzinfo | None, bool], tuple[float, float, float]] = field(factory=dict)
    _due: dict[Key, tuple[AlertEntry, Alert]] = field(factory=dict)
    _pace: dict[tuple[AlertEntry, bool], tuple[float, float]] = field(factory=dict)

    def restore(self, memory: Any) -> None:
        """From now on it is looked; *memory*: what was saved, or None."""
        self._started = self.now()
        self._asked.clear()
        if isinstance(memory, Mapping):
            for title, rule, camera, since, told, window in memory.get("standing", ()):
                self._standing.setdefault((title, rule, camera, window), Standing(since, told))
        self._counting.clear()

    @property
    def standing(self) -> list[dict[str, Any]]:
        """The rules that hold, for people."""
        return [
            {"alert": title, "rule": rule, "camera": camera or None, "since": each.since,
             "told": each.told or None}
            for (title, rule, camera, _), each in self._standing.items() if not each.past
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
                    key = camera, each.label
                    taken = item.taken or item.when
                    self._found[key] = min(taken, self._found.get(key, taken))

    def look(self) -> "Deferred[None]":
        """Fires when every rule was looked at; what was asked for and is not answered yet is not
        asked for again."""
        alerts = self.config().alerts
        measured, self._measured = self._measured, set()
        self._nights.clear()
        self._drop(alerts)
        self._begin_counting(alerts)
        asked: list[Deferred[None]] = []
        found = {key: self._found.pop(key) for key in list(self._found)[:COUNTED_AT_ONCE]}
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
        self._speak()
        return gatherResults(asked).addCallback(lambda _: self._speak())

    def memory(self) -> dict[str, Any]:
        """What `restore` is to be given behind a restart."""
        return {
            "standing": [
                [title, rule, camera, each.since, each.told, window]
                for (title, rule, camera, window), each in self._standing.items()
            ],
        }

    def _drop(self, alerts: Sequence[AlertEntry]) -> None:
        """Rules and cameras that are no more, and nights long over, are forgotten without a
        word."""
        rules: dict[tuple[str, str], list[AlertEntry]] = {}
        for entry in alerts:
            rules.setdefault((entry.title, entry.rule), []).append(entry)
        for key, standing in tuple(self._standing.items()):
            title, rule, camera, window = key
            own = [
                entry for entry in rules.get((title, rule), ())
                if not entry.cameras or camera in entry.cameras
            ]  # fmt: skip
            gone = not own or bool(camera and camera not in self.fleet)
            if window and not gone:
                before, begin, _ = self._windows(own[0], CameraId(camera))
                standing.past, gone = window < begin, window < before
            if gone:
                del self._standing[key]
                self.save()

    def _begin_counting(self, alerts: Sequence[AlertEntry]) -> None:
        """What was found before there was a rule counts for it."""
        counting = {entry for entry in alerts if entry.when.subject is Subject.COUNT}
        for entry in counting - self._counting:
            for camera in entry.cameras or self.fleet.cameras:
                self._found.setdefault((camera, entry.when.label), self.now())
        self._counting = counting

    def _cameras(self, entry: AlertEntry) -> Iterator[Camera]:
        if not entry.cameras:
            yield from tuple(self.fleet.cameras.values())
        for id in entry.cameras:
            camera = self.fleet.cameras.get(id)
            if camera is not None:
                yield camera

    @staticmethod
    def _key(entry: AlertEntry, camera: CameraId | None, window: float = 0.0) -> Key:
        return entry.title, entry.rule, camera or "", window

    # ---- what holds

    def _watch(self, entry: AlertEntry, camera: Camera) -> None:
        standing = self._standing.get(self._key(entry, camera.id))
        if entry.when.subject is Subject.POOR:
            poor = camera.poor
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
            margin = max(abs(limit) * CLEAR, _CLEAR.get(entry.when.subject, 0.0))
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
        self, entry: AlertEntry, found: Mapping[tuple[CameraId, str], float]
    ) -> "list[Deferred[None]]":
        counts = self.counts()
        if counts is None:
            return []
        asked = []
        for id, before in sorted(self._to_count(entry, found)):
            if id in self.fleet and (not entry.cameras or id in entry.cameras):
                asked.append(self._counted(entry, id, counts, before))
        return asked

    def _to_count(
        self, entry: AlertEntry, found: Mapping[tuple[CameraId, str], float]
    ) -> set[tuple[CameraId, bool]]:
        """Cameras, and whether it is about the night, or day, before."""
        due = set()
        for (camera, label), taken in found.items():
            if label == entry.when.label:
                due.add((camera, False))
                if entry.when.per is not Per.HOUR and taken < self._windows(entry, camera)[1]:
                    due.add((camera, True))  # it was looked at late
        for (title, rule, id, window), each in self._standing.items():
            if (title, rule) == (entry.title, entry.rule) and not (window and each.told):
                due.add((CameraId(id), each.past))
        return due

    def _counted(
        self, entry: AlertEntry, camera: CameraId, counts: Counts, before: bool
    ) -> "Deferred[None]":
        label, per = entry.when.label, entry.when.per
        assert per is not None, "a count is one of some time"
        first, since, until = self._windows(entry, camera)
        if before:
            since, until = first, since
        window = 0.0 if per is Per.HOUR else since
        key = self._key(entry, camera, window)
        known = self._standing.get(key)
        if known is not None and window and known.told and not self._again(entry, known):
            return succeed(None)  # once a night
        if key in self._asked:
            self._found.setdefault((camera, label), since)
            return succeed(None)

        def count(number: int) -> None:
            holds = entry.when.holds(float(number), entry.when.limit)
            if not holds and window:
                if self._standing.pop(key, None) is not None:
                    self.save()
                return
            time = _BEFORE[per] if before else f"this {per.value}"
            self._judge(entry, camera, holds, f"{number} {label} {time}", window)

        def failed(failure: Failure) -> None:
            self._found.setdefault((camera, label), since)
            log.error("{label} cannot be counted: {why}", label=label,
                      why=failure.getErrorMessage())  # fmt: skip

        self._asked.add(key)
        asked = counts(camera, label, round(since * 1000), round(until * 1000))
        return asked.addCallbacks(count, failed).addBoth(lambda _: self._asked.discard(key))

    def _windows(self, entry: AlertEntry, camera: CameraId) -> tuple[float, float, float]:
        """Unix seconds from which was counted before, from which, and until which is counted."""
        now = self.now()
        if entry.when.per is Per.HOUR:
            begin = (now - _HOUR) // QUARTER * QUARTER
            return begin, begin, now + AHEAD_SANE
        zone, noon = self._zone(camera), entry.when.per is Per.NIGHT
        if (zone, noon) not in self._nights:
            day = session_day(now, zone, noon)
            before, begin, end = (session_begin(day, zone, noon, later) for later in (-1, 0, 1))
            self._nights[zone, noon] = before, begin, end
        return self._nights[zone, noon]

    # ---- what is told of it

    def _judge(
        self, entry: AlertEntry, camera: CameraId | None, holds: bool, text: str,
        window: float = 0.0,
    ) -> None:  # fmt: skip
        now, key = self.now(), self._key(entry, camera, window)
        standing = self._standing.get(key)
        if standing is None:
            if not holds:
                return
            standing = self._standing[key] = Standing(now)
            self.save()
        untold = not standing.told or self._again(entry, standing)
        over = not holds and bool(standing.told) and entry.tell_end
        if (over or (holds and untold)) and not self._is_quiet(entry, camera):
            self._due[key] = entry, Alert(entry.title, entry.rule, camera, text, over)
        if not holds and not over:
            del self._standing[key]
            self.save()

    def _again(self, entry: AlertEntry, standing: Standing) -> bool:
        return bool(entry.again) and self.now() - standing.told >= entry.again

    def _speak(self) -> None:
        """What is due is told, camera by camera where it is little. What is too much stays as it
        is, and so is due again with the next look, if it is still so."""
        due, self._due = self._due, {}
        said: dict[tuple[AlertEntry, bool], dict[Key, Alert]] = {}
        for key, (entry, alert) in due.items():
            if key in self._standing:
                said.setdefault((entry, alert.over), {})[key] = alert
        now = self.now()
        for which, alerts in said.items():
            room, then = self._pace.get(which, (float(SINGLY), now))
            room = min(float(SINGLY), room + (now - then) / WHILE)
            if room >= 1:
                for each in [[one] for one in alerts] if len(alerts) <= room else [list(alerts)]:
                    self._tell(which[0], {key: alerts[key] for key in each})
                room = max(0.0, room - len(alerts))
            self._pace[which] = room, now

    def _tell(self, entry: AlertEntry, alerts: Mapping[Key, Alert]) -> None:
        for key, alert in alerts.items():
            if alert.over:
                del self._standing[key]
            else:
                self._standing[key].told = self.now()
        self.save()
        self.tell(entry, list(alerts.values()))

    def _is_quiet(self, entry: AlertEntry, camera: CameraId | None) -> bool:
        if not entry.quiet:
            return False
        begin, end = read_hours(entry.quiet)
        local = datetime.fromtimestamp(self.now(), self._zone(camera))
        minute = 60 * local.hour + local.minute
        return begin <= minute < end if begin < end else minute >= begin or minute < end

    def _zone(self, camera: CameraId | None) -> tzinfo | None:
        config = self.config()
        return config.store.zone if camera is None else config.camera(camera).zone
