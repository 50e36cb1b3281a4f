"""Every camera by MQTT: its state, its newest photo, what happens to it; and commands from there.

States and photos are retained and said again whenever the broker comes back, or Home Assistant
does. Events are not retained; what must not be lost, alerts, comes by the outbox.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from attrs import astuple, define, field
from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd.config import Config
from camd.config.telling import MqttConfig
from camd.fleet import Camera, CommandError, Fleet
from camd.news import Item, Kind
from camd.photo import CameraId, Receipt, is_camera_id
from camd.plain import plain
from camd.publish import discovery
from camd.publish.alerts import Counts
from camd.publish.broker import OFFLINE, ONLINE, Broker, instance_of
from camd.publish.courier import UndeliveredError
from camd.publish.discovery import Device, Topics
from camd.publish.letter import Letter, counted, iso, of_findings
from camd.publish.order import read_order
from camd.publish.outbox import Delivery
from camd.publish.tally import Tally
from camd.sparing import Sparing
from camd.store.entry import Entry
from camd.store.opening import read_photo
from camd.store.schema import CatalogError
from camd.thumbnails import NoPictureError, shrunk
from camd.workers import BusyError, Workers

log = Logger()

TARGET = "mqtt"
WIDTH = 640
"""Pixels of a thumbnail's width at most."""

AT_ONCE = 200
"""Cameras that are told of in one go; the rest has its turn with the next."""

LEAVING = 10.0
"""Seconds that a broker has for what is taken back when it is to hear no more."""

READ_AT_ONCE = 16
"""Photos that are read and made small at the same time."""

_EVENTS = {kind: kind.value for kind in (Kind.SILENT, Kind.BACK, Kind.POOR, Kind.GOOD)}


def alert_body(letter: Letter) -> str:
    """What waits to be published."""
    alert = letter.alert
    assert alert is not None, "only alerts wait"
    said = {
        "event_type": "over" if alert.over else "alert", "id": letter.name, **alert.json(),
        "text": plain(alert.text), "when": iso(letter.when),
    }  # fmt: skip
    return json.dumps({"camera": letter.camera, "said": said})


def topics_of(mqtt: MqttConfig) -> Topics:
    """Where all is told, by the configuration."""
    return Topics(mqtt.prefix, instance_of(mqtt), mqtt.discovery_prefix)


@define(eq=False)
class Bridge:
    """A `camd.publish.courier.Way`, for alerts.

    :ivar root: where photos lie.
    :ivar newest: of a camera, by the catalog.
    :ivar joined: told when the broker is there.
    :ivar save: called when `memory` has changed.
    :ivar now: unix seconds.
    """

    config: Callable[[], Config]
    fleet: Fleet
    root: Path
    reactor: Any
    now: Callable[[], float]
    workers: Workers
    counts: Callable[[], Counts | None]
    newest: "Callable[[CameraId], Deferred[Entry | None]]"
    joined: Callable[[], None]
    save: Callable[[], None]
    topics: Topics = field(init=False)
    broker: Broker = field(init=False)
    tally: Tally = field(init=False)
    _dirty: dict[CameraId, None] = field(factory=dict)
    _photos: dict[CameraId, Receipt | None] = field(factory=dict)
    _reading: set[CameraId] = field(factory=set)
    _known: dict[CameraId, Device | None] = field(factory=dict)
    _before: set[CameraId] = field(factory=set)
    _connected: int = -1
    _former: Topics | None = None
    _leaving: bool = False
    _sparing: Sparing = field(init=False)

    def __attrs_post_init__(self) -> None:
        mqtt = self.config().mqtt
        topics = self.topics = topics_of(mqtt)
        base = topics.base
        subscriptions = [f"{base}/+/snap", f"{base}/+/set", f"{base}/+/set/+", topics.birth]
        self.broker = Broker(
            mqtt, topics.status, subscriptions, self.reactor, self._heard, self._joined
        )  # fmt: skip
        self.tally = Tally(self.config, self.now, self.counts, self._touch)
        self._sparing = Sparing(self.reactor.seconds, lambda: 1.0)

    def restore(self, memory: Any) -> None:
        """*memory*: what was saved, or None."""
        if isinstance(memory, dict):
            self._before = {CameraId(camera) for camera in memory.get("cameras", ())}
            self.tally.restore(memory.get("labels", {}))
            former = memory.get("topics")
            self._former = Topics(*former) if former else None

    def memory(self) -> dict[str, Any]:
        """What `restore` is to be given behind a restart."""
        return {
            "cameras": sorted(self._before | set(self._known)),
            "labels": self.tally.memory(),
            "topics": list(astuple(self._former or self.topics)),
        }

    # ---- what is heard of cameras

    def is_told(self, camera: CameraId) -> bool:
        """Whether the broker is to hear of *camera*."""
        only = self.config().mqtt.cameras
        return camera in self.fleet and (not only or camera in only) and not self._leaving

    def hear(self, item: Item) -> None:
        """A listener of `News`."""
        camera = item.camera
        if camera is None or not self.is_told(camera):
            return
        self._dirty[camera] = None
        if item.receipt is not None and item.kind is Kind.PHOTO:
            self._photos[camera] = item.receipt
        if item.kind in _EVENTS:
            said = {"event_type": _EVENTS[item.kind], "text": plain(item.text)}
            self._event(camera, {**said, "when": iso(item.when)})
        if item.kind is Kind.FOUND and item.findings is not None:
            self._found(camera, item)

    def _found(self, camera: CameraId, item: Item) -> None:
        assert item.findings is not None, "it was looked at"
        fresh = counted(item.findings, fresh=True)
        if item.findings.annotations or item.findings.done:
            fresh = dict.fromkeys([*self.tally.labels.get(camera, ()), *fresh], 0)  # fewer, perhaps
        if self.tally.saw(camera, counted(item.findings), fresh):
            self.save()
        said = {"event_type": "found", "text": plain(item.text), "when": iso(item.when)}
        found = of_findings(item.findings)
        del found["detections"]
        if found["counts"]:
            self._event(camera, {**said, **found})

    def _event(self, camera: CameraId, said: dict[str, Any]) -> None:
        if self.broker.room:
            self.broker.publish(self.topics.of(camera, "event"), discovery.text(said))

    def new_day(self) -> None:
        """A day may have begun since the last time."""
        self.tally.new_day(self.fleet.cameras)
        for id, camera in self.fleet.cameras.items():
            before = camera.photos_today
            if self.fleet.today(camera)[0] != before:
                self._touch(id)

    def _touch(self, camera: CameraId) -> None:
        """What is known of it has changed."""
        self._dirty[camera] = None

    # ---- what is said of them

    def _joined(self) -> None:
        """The broker, or Home Assistant, is there again: it hears everything."""
        self._move()
        self._known.clear()
        self._connected = -1
        mqtt = self.config().mqtt
        hub = discovery.text(discovery.hub(self.topics, self.config().publish.url))
        self.broker.publish(self.topics.config(None), hub if mqtt.discovery else b"", retain=True)
        for id, camera in self.fleet.cameras.items():
            if self.is_told(id):
                self._dirty[id] = None
                if camera.photos:
                    self._photos.setdefault(id, camera.latest)  # None: the catalog knows
        self.joined()

    def refresh(self) -> None:
        """What is told of every camera may be another thing now."""
        for id in self.fleet.cameras:
            self._dirty[id] = None

    def _move(self) -> None:
        """What was told under other topics is taken back."""
        former, self._former = self._former, None
        if former is None or former == self.topics:
            return
        self._erase_all(former, self._before)
        self._before.clear()
        self.save()

    def withdraw(self) -> None:
        """The broker is to hear no more: nothing that was told is left with it, where it is
        there; then the connection ends."""
        self._leaving = True
        # By QoS 1 it comes behind all that still waits to be sent, and is known to be there.
        self._erase_all(self.topics, {*self._before, *self._known}, qos=1)
        self._before.clear()
        self._known.clear()
        last = self.broker.deliver(self.topics.status, b"", retain=True)
        last.addTimeout(LEAVING, self.reactor)
        last.addErrback(lambda failure: failure.trap(UndeliveredError, TimeoutError))
        last.addCallback(lambda _: self.broker.stop(offline=False))

    def _erase_all(self, topics: Topics, ids: Iterable[CameraId], qos: int = -1) -> None:
        for id in sorted(ids):
            self._erase(topics, id, qos)
        for topic in (topics.config(None), topics.of(None, "state"), topics.status):
            self.broker.publish(topic, b"", retain=True, qos=qos)

    def _erase(self, topics: Topics, id: CameraId, qos: int = -1) -> None:
        for topic in (
            topics.config(id),
            *(topics.of(id, last) for last in ("state", "availability", "image")),
        ):
            self.broker.publish(topic, b"", retain=True, qos=qos)

    def say(self) -> None:
        """What has changed since the last time is said."""
        if not self.broker.connected:
            return
        for id in [id for id in {*self._before, *self._known} if not self.is_told(id)]:
            self._take_back(id)
        for id in list(self._dirty)[:AT_ONCE]:
            if not self.broker.room:
                return
            del self._dirty[id]
            if self.is_told(id):
                self._say(self.fleet.cameras[id])
        if self._connected != self.fleet.connected:
            self._connected = self.fleet.connected
            state = {"connected": self._connected, "cameras": len(self.fleet.cameras)}
            self.broker.publish(self.topics.of(None, "state"), discovery.text(state), retain=True)
        if self.config().mqtt.photos != "none":
            for id in list(self._photos):
                if len(self._reading) >= READ_AT_ONCE or not self.broker.room:
                    break
                if id not in self._reading:
                    self._show(id, self._photos.pop(id))
        else:
            self._photos.clear()

    def _say(self, camera: Camera) -> None:
        mqtt, publish, id = self.config().mqtt, self.broker.publish, camera.id
        device = self._device(camera)
        known = self._known.get(id)
        if mqtt.discovery and known != device:
            self._describe(known, device)
        elif not mqtt.discovery and id in self._before and id not in self._known:
            publish(self.topics.config(id), b"", retain=True)
        new = id not in self._known and id not in self._before
        self._known[id] = device if mqtt.discovery else None
        if new:
            self.save()
        there = ONLINE if camera.connected and device.takes_commands else OFFLINE
        publish(self.topics.of(id, "availability"), there, retain=True)
        publish(self.topics.of(id, "state"), discovery.text(self._state(camera)), retain=True)

    def _describe(self, known: Device | None, device: Device) -> None:
        """Home Assistant is told of it; what was told, and is no more, is taken back."""
        id, before = device.camera, None
        now = discovery.document(self.topics, device)
        if known is not None:
            before = discovery.document(self.topics, known)
        elif id in self._before and not device.photos:
            # A part that is left out stays there: it may have been told by another process.
            before = {"cmps": {"photo": {"p": "image"}}}
            self.broker.publish(self.topics.of(id, "image"), b"", retain=True)
        told = discovery.without(before, now) if before else now
        self.broker.publish(self.topics.config(id), discovery.text(told), retain=True)

    def _device(self, camera: Camera) -> Device:
        config = self.config()
        return Device(
            camera.id, config.camera(camera.id).name, camera.model, camera.fw, camera.protocol,
            tuple(sorted(camera.telemetry or {})), tuple(self.tally.labels.get(camera.id, ())),
            config.mqtt.photos != "none", config.publish.url,
        )  # fmt: skip

    def _state(self, camera: Camera) -> dict[str, Any]:
        problems = {"silent": camera.silent, "photos bad": camera.poor is not None}
        return {
            "state": camera.state.value,
            "connected": "ON" if camera.connected else "OFF",
            "problem": "ON" if any(problems.values()) else "OFF",
            "problems": problems,
            "last_seen": _moment(camera.last_seen),
            "last_photo": _moment(camera.last_photo),
            "photos": camera.photos,
            "photos_today": self.fleet.today(camera)[0],
            "measured": _finite(camera.telemetry),
            "settings": _finite(camera.settings),
            "counts": {
                discovery.slug(label): number for label, number in self.tally.of(camera.id).items()
            },
        }

    def _take_back(self, id: CameraId) -> None:
        """The camera is no more, or is not to be told of any more."""
        self._erase(self.topics, id)
        self._known.pop(id, None)
        self._before.discard(id)
        self.tally.forget(id)
        self._photos.pop(id, None)
        self._dirty.pop(id, None)
        self.save()

    def _show(self, id: CameraId, receipt: Receipt | None) -> None:
        small = self.config().mqtt.photos == "thumbnail"
        self._reading.add(id)

        def over(result: Any) -> Any:
            self._reading.discard(id)
            return result

        def look(entry: Entry | None) -> "Deferred[bytes] | None":
            if entry is None:
                return None
            return self.workers.run(lambda: _picture(self.root, entry, small))

        def read(data: bytes | None) -> None:
            if data is not None and self.is_told(id):
                self.broker.publish(self.topics.of(id, "image"), data, retain=True)

        def failed(failure: Failure) -> None:
            if not failure.check(OSError, NoPictureError, BusyError, CatalogError):
                log.failure("{camera}: its photo cannot be published", failure, camera=id)

        entry = self.newest(id) if receipt is None else succeed(Entry.of(receipt))
        entry.addCallback(look).addBoth(over).addCallbacks(read, failed)

    # ---- alerts, by the outbox

    def deliver(self, delivery: Delivery) -> "Deferred[None]":
        waiting = json.loads(delivery.body)
        camera = None if waiting["camera"] is None else CameraId(waiting["camera"])
        topic = self.topics.of(camera, "event")
        return self.broker.deliver(topic, discovery.text(waiting["said"]))

    # ---- commands

    def _heard(self, topic: str, payload: bytes, retained: bool) -> None:
        if retained:
            return  # a command that somebody retained would come again with each connection
        if topic == self.topics.birth:
            if payload == ONLINE:
                self._joined()
            return
        camera, _, order = topic.removeprefix(f"{self.topics.base}/").partition("/")
        try:
            self._judge(camera)
            name, arguments = read_order(order, payload)
        except ValueError as error:
            if self._sparing.left_out(camera, "bad") is not None:
                log.warn("mqtt: {topic}: {why}", topic=plain(topic)[:200], why=str(error))
            return
        asked = self.fleet.command(camera, name, **arguments)
        asked.addErrback(self._refused)

    def _judge(self, camera: str) -> None:
        """:raises ValueError: nobody there takes commands; its text is for people."""
        if not is_camera_id(camera) or not self.is_told(CameraId(camera)):
            raise ValueError("there is no such camera")
        if self.fleet.cameras[CameraId(camera)].protocol == "v1":
            raise ValueError("a board with the tutorial's sketch takes no commands")

    def _refused(self, failure: Failure) -> None:
        error = failure.value
        if not isinstance(error, CommandError):
            log.failure("mqtt: a command failed", failure)
        elif self._sparing.left_out(error.camera, "command") is not None:
            log.warn("mqtt: {why}", why=str(error))


def _moment(when: float) -> str | None:
    return iso(when) if when else None


def _finite(values: "dict[str, float | str] | None") -> dict[str, Any]:
    """*values* as JSON can hold them."""
    return {
        key: int(value) if isinstance(value, bool) else value
        for key, value in (values or {}).items()
        if not isinstance(value, float) or abs(value) < 1e300
    }


def _picture(root: Path, photo: Entry, small: bool) -> bytes:
    data = read_photo(root, photo)
    try:
        return shrunk(data, WIDTH) if small else data
    except ImportError:
        return data
