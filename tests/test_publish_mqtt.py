"""Cameras by MQTT, with Debian's own Mosquitto between camd and whoever hears."""

import json
import re
import threading
from pathlib import Path
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from camd.authority import create
from camd.config import CameraEntry, Seconds, Secret
from camd.config.telling import AlertEntry, MqttConfig
from camd.config.when import read_when
from camd.findings import Findings
from camd.fleet import Command
from camd.news import Kind
from camd.photo import CameraId, Receipt
from camd.publish import Publisher, PublishError, broker
from camd.publish.bridge import Bridge
from camd.publish.discovery import EVENTS, Device, Topics, document, hub, slug, without
from camd.store.entry import Entry
from tests.pictures import insects
from tests.publish_world import (
    TRAP,
    Folder,
    Listener,
    Mosquitto,
    PublishCase,
    findings,
    reactor,
    receipt,
    true,
)

MQTT = MqttConfig(
    user="camd", password=Secret("secret"), instance="farm", every=Seconds(0.05),
    keepalive=Seconds(5.0),
)  # fmt: skip
CONFIG = "homeassistant/device/camd_farm_C_trap/config"
STATE = "camd/farm/trap/state"
TOPICS = Topics("camd", "farm", "homeassistant")

PLATFORMS: dict[str, set[str]] = {
    "sensor": {"state_topic", "value_template"},
    "binary_sensor": {"state_topic"},
    "image": {"image_topic"},
    "event": {"state_topic", "event_types"},
    "button": {"command_topic"},
    "number": {"command_topic", "min", "max"},
    "select": {"command_topic", "options"},
    "switch": {"command_topic"},
}
"""What Home Assistant wants of each kind of component, besides its name and unique_id."""


class Board:
    """A connected board that does what it is told.

    :ivar asked: the commands that came.
    """

    protocol = "v2"

    def __init__(self) -> None:
        self.asked: list[Command] = []

    def command(self, command: Command) -> "Deferred[Any]":
        self.asked.append(command)
        return succeed({})

    def take_over(self) -> None: ...

    def kick(self) -> None: ...


class MqttCase(PublishCase):
    """A broker, who hears all of it, and publishers."""

    def setUp(self) -> None:
        super().setUp()
        self.broker = Mosquitto().start()
        self.addCleanup(self.broker.close)
        self.listener = self.listen()

    def listen(self) -> Listener:
        listener = Listener(self.broker.port)
        self.addCleanup(listener.close)
        return listener

    def mqtt(self, **more: Any) -> MqttConfig:
        return evolve(MQTT, url=f"mqtt://127.0.0.1:{self.broker.port}", **more)

    async def joined(self, mqtt: MqttConfig | None = None, **changes: Any) -> Publisher:
        """A publisher that the broker has let in."""
        publisher = self.publisher(mqtt=mqtt or self.mqtt(), **changes)
        await self.there(publisher)
        return publisher

    async def there(self, publisher: Publisher) -> None:
        await true(lambda: publisher.bridge is not None and publisher.bridge.broker.connected)

    async def kept(self, topic: str, word: str = "") -> Any:
        """What is retained there, once *word* is in it."""
        kept = self.listener.kept
        await true(lambda: topic in kept and word.encode() in kept[topic], why=f"{topic} {word}")
        return self.listener.json(topic)

    def board(self, publisher: Publisher, **known: Any) -> Board:
        board = Board()
        self.camera(publisher, **known)
        publisher.fleet.arrived(TRAP, board, "10.0.0.9")
        return board


class Telling(MqttCase):
    """States, photos, events."""

    async def test_device(self) -> None:
        """A camera is a device, with a state, and all that it measures; what it takes is offered
        once it is known to take commands."""
        publisher = await self.joined(camera=(CameraEntry(TRAP, name="North door"),))
        self.board(publisher, settings={"quality": 12, "vflip": True, "framesize": "vga"})
        publisher.fleet.told(publisher.fleet.cameras[TRAP], {"rssi": -61, "vbat": 3.9})
        config = await self.kept(CONFIG, "vbat")
        self.assertEqual(config["dev"]["name"], "North door")
        self.assertEqual(config["dev"]["ids"], ["camd_farm_C_trap"])
        self.assertEqual(config["o"]["name"], "camd")
        parts = config["cmps"]
        for name in ("photo", "last_seen", "rssi", "vbat", "photos_today", "problem", "snap"):
            self.assertIn(name, parts)
        self.assertNotIn("temp", parts)
        self.assertIn("svga", parts["set_framesize"]["options"])
        self.assertEqual((parts["set_quality"]["min"], parts["set_quality"]["max"]), (0, 63))
        state = await self.kept(STATE, "-61")
        self.assertEqual(state["measured"], {"rssi": -61, "vbat": 3.9})
        self.assertEqual(state["settings"], {"quality": 12, "vflip": 1, "framesize": "vga"})
        self.assertEqual((state["problem"], state["connected"]), ("OFF", "ON"))
        self.assertEqual(self.listener.kept["camd/farm/status"], b"online")
        self.assertEqual(self.listener.kept["camd/farm/trap/availability"], b"online")
        self.assertEqual((await self.kept("camd/farm/state", '"connected": 1'))["cameras"], 1)

    async def test_tutorial_board(self) -> None:
        """A board that takes no commands has no buttons."""
        publisher = await self.joined()
        self.camera(publisher, protocol="v1")
        publisher.news.tell(Kind.CAME, TRAP, "came")
        parts = (await self.kept(CONFIG))["cmps"]
        self.assertFalse({"snap", "set_quality"} & parts.keys())
        # Where it gets our firmware they come, and go with it again.
        publisher.fleet.cameras[TRAP].protocol = "v2"
        publisher.news.tell(Kind.CAME, TRAP, "came")
        await self.kept(CONFIG, "set_quality")
        publisher.fleet.cameras[TRAP].protocol = "v1"
        publisher.news.tell(Kind.CAME, TRAP, "came")
        await true(lambda: b"command_topic" not in self.listener.kept[CONFIG])
        parts = self.listener.json(CONFIG)["cmps"]
        self.assertEqual(parts["snap"], {"p": "button"})

    async def test_photo(self) -> None:
        """A camera's newest photo is published, small, whole or not at all."""
        photo = insects(1, (1280, 960))
        (self.folder.root / "trap").mkdir()
        (self.folder.root / "trap" / "x.jpg").write_bytes(photo)
        topic = "camd/farm/trap/image"
        for photos in ("thumbnail", "full", "none"):
            publisher = await self.joined(self.mqtt(photos=photos))
            self.camera(publisher)
            stored = evolve(receipt(), size=len(photo))
            publisher.news.tell(Kind.PHOTO, TRAP, "trap/x.jpg", stored)
            if photos == "none":
                self.listener.kept[topic] = photo
                await true(lambda: b'"photo": {"p": "image"}' in self.listener.kept[CONFIG])
                await true(lambda: topic not in self.listener.kept)
                publisher.stop()
                continue
            await true(lambda: topic in self.listener.kept)
            image = self.listener.kept.pop(topic)
            if photos == "full":
                await self.anew(publisher, stored, topic, image)
            self.assertEqual(image[:2], b"\xff\xd8")
            self.assertEqual(image == photo, photos == "full")
            self.assertLess(len(image), len(photo) + 1)
            publisher.stop()
        self.assertNotIn(topic, self.listener.kept)

    async def anew(self, publisher: Publisher, stored: Receipt, topic: str, image: bytes) -> None:
        """A broker that hears all anew hears of a photo that only the catalog knows, too."""
        camera = publisher.fleet.cameras[TRAP]
        camera.photos, camera.latest = 1, None
        self.folder.newest = Entry.of(stored)
        self.listener.say("homeassistant/status", "online")
        await true(lambda: self.listener.kept.pop(topic, None) == image, why="it is told anew")

    async def test_found(self) -> None:
        """Each class that was seen has a sensor with today's number of new ones, over a restart
        too; what was found is an event, and events are not retained."""
        counted: list[tuple[Any, ...]] = []

        def counts(*asked: Any) -> "Deferred[int]":
            counted.append(asked)
            return succeed(7)

        publisher = await self.joined()
        publisher.counts = counts
        self.camera(publisher)
        for _ in range(2):
            publisher.news.tell(
                Kind.FOUND, TRAP, "1 fungus gnat", photo=receipt().key,
                findings=findings("fungus gnat"),
            )  # fmt: skip
        config = await self.kept(CONFIG, "count_fungusX20gnat")
        part = config["cmps"]["count_fungusX20gnat"]
        self.assertEqual(part["value_template"], "{{ value_json.counts.get('fungusX20gnat') }}")
        state = await self.kept(STATE, '"fungusX20gnat": 7')
        self.assertEqual(state["counts"], {"fungusX20gnat": 7})
        publisher.news.tell(
            Kind.FOUND, TRAP, "none", photo=receipt().key, findings=Findings(done=True)
        )
        await true(lambda: len(counted) == 3, why="a person's word may make them fewer")
        camera, label, since, until = counted[0]
        self.assertEqual((camera, label, until - since), ("trap", "fungus gnat", 86_400_000))
        await true(lambda: self.listener.events)
        topic, event = self.listener.events[0]
        self.assertEqual((topic, event["event_type"]), ("camd/farm/trap/event", "found"))
        self.assertEqual(event["counts"], {"fungus gnat": 1})
        late = self.listen()
        await deferLater(reactor, 0.1)
        self.assertFalse([topic for topic in late.kept if topic.endswith("event")])
        publisher.stop()
        publisher = self.publisher()
        publisher.counts = counts
        self.camera(publisher)
        await self.there(publisher)
        publisher.news.tell(Kind.CAME, TRAP, "came")
        await self.kept(CONFIG, "count_fungusX20gnat")

    async def test_problem(self) -> None:
        """Photos that went bad, and silence, are a problem; why stands with it."""
        publisher = await self.joined()
        camera = self.camera(publisher)
        publisher.news.tell(Kind.POOR, TRAP, "blurred")
        state = await self.kept(STATE, '"problem": "ON"')
        self.assertEqual(state["problems"], {"silent": False, "photos bad": True})
        publisher.news.tell(Kind.GOOD, TRAP, "good again")
        await self.kept(STATE, '"problem": "OFF"')
        camera.silent = True
        publisher.news.tell(Kind.SILENT, TRAP, "no photo")
        await self.kept(STATE, '"problem": "ON"')
        await true(lambda: len(self.listener.events) == 3)
        kinds = [event["event_type"] for _, event in self.listener.events]
        self.assertEqual(kinds, ["poor", "good", "silent"])


class Coming(MqttCase):
    """Brokers, and Home Assistant, that come and go."""

    async def test_alert_while_away(self) -> None:
        """States are said anew when the broker is back; an alert waits for it and comes once."""
        rules = (AlertEntry(read_when("battery < 3.5"), name="Flat"),)
        publisher = await self.joined(alert=rules)
        self.listener.close()
        self.broker.stop()
        bridge = publisher.bridge
        assert bridge is not None
        await true(lambda: not bridge.broker.connected)
        publisher.fleet.told(self.camera(publisher), {"vbat": 3.4})
        await publisher.alerts.look()
        lane = publisher.courier.lanes["mqtt"]
        await true(lambda: lane.failures)
        self.assertIn("away", lane.why)
        self.broker.start()
        self.listener = self.listen()
        await self.kept(STATE, "3.4")
        await true(lambda: self.listener.events)
        ((topic, event),) = self.listener.events
        self.assertEqual(topic, "camd/farm/trap/event")
        self.assertEqual((event["event_type"], event["text"]), ("alert", "Flat: battery 3.4 V"))
        self.assertEqual(event["rule"], "battery < 3.5")
        await true(lambda: lane.delivered == 1)

    async def test_home_assistant_comes(self) -> None:
        """When Home Assistant says that it is there, it is told of every device once more."""
        publisher = await self.joined()
        self.camera(publisher)
        publisher.news.tell(Kind.CAME, TRAP, "came")
        await self.kept(CONFIG)
        del self.listener.kept[CONFIG]
        self.listener.say("homeassistant/status", "offline")
        await deferLater(reactor, 0.3)
        self.assertNotIn(CONFIG, self.listener.kept)
        self.listener.say("homeassistant/status", "online")
        await self.kept(CONFIG)

    async def test_forgotten(self) -> None:
        """A camera that is no more, or not to be told of, is taken back: at once, and where it
        went while camd was away."""
        publisher = await self.joined()
        self.camera(publisher)
        other = CameraId("greenhouse.2")
        self.camera(publisher, other)
        for id in (TRAP, other):
            publisher.news.tell(Kind.CAME, id, "came")
        topic = "homeassistant/device/camd_farm_C_greenhouseD2/config"
        await self.kept(CONFIG)
        await self.kept(topic)
        publisher.fleet.forget([other])
        await true(lambda: not [each for each in self.listener.kept if "greenhouse" in each])
        publisher.stop()
        publisher = self.publisher()
        await true(lambda: CONFIG not in self.listener.kept, why="it went while camd was away")
        self.camera(publisher)
        publisher.news.tell(Kind.CAME, TRAP, "came")
        await self.kept(CONFIG)
        self.config = evolve(self.config, mqtt=self.mqtt(discovery=False))
        publisher.sync()
        await true(lambda: CONFIG not in self.listener.kept, why="discovery was switched off")
        await self.kept(STATE)

    async def test_moved(self) -> None:
        """With another instance all is told anew, and nothing is left of the old names."""
        publisher = await self.joined()
        cameras, former = await self.many(publisher)
        stuck, free = threading.Event(), threading.Event()
        client = former.broker._client
        client.on_message = lambda *_: (stuck.set(), free.wait(60))
        self.addCleanup(free.set)
        self.listener.say("camd/farm/nobody/snap", "")
        await true(stuck.is_set)
        for id in cameras:  # which waits to be sent
            publisher.news.tell(Kind.BACK, id, "back")
        former.say()
        self.config = evolve(self.config, mqtt=self.mqtt(instance="barn"))
        publisher.sync()
        for id in cameras:
            await self.kept(f"homeassistant/device/camd_barn_C_{id}/config")
            await self.kept(f"camd/barn/{id}/state")
        thread = client._thread
        free.set()
        await true(lambda: not thread.is_alive(), why="the former connection ends")
        await true(lambda: not [topic for topic in self.listener.kept if "farm" in topic])

    async def many(self, publisher: Publisher) -> tuple[list[CameraId], Bridge]:
        """The broker was told of these cameras, by that bridge."""
        cameras = [CameraId(f"trap-{number}") for number in range(60)]
        for id in cameras:
            self.camera(publisher, id)
            publisher.news.tell(Kind.CAME, id, "came")
        await self.kept("camd/farm/trap-59/state")
        assert publisher.bridge is not None, "it was joined"
        return cameras, publisher.bridge

    async def test_switched_off(self) -> None:
        """A broker that is to hear no more keeps nothing of what it was told, however much that
        is; switched on again, it hears all anew."""
        publisher = await self.joined()
        _, former = await self.many(publisher)
        self.config = evolve(self.config, mqtt=evolve(self.mqtt(), url=""))
        publisher.sync()
        await true(lambda: not self.listener.kept, why="nothing is left")
        await true(lambda: former.broker._client is None, why="the connection ends")
        await deferLater(reactor, 0.1)
        self.config = evolve(self.config, mqtt=self.mqtt())
        publisher.sync()
        await self.there(publisher)
        await self.kept("homeassistant/device/camd_farm_C_trap-59/config")
        self.assertEqual(self.listener.kept["camd/farm/status"], b"online")

    async def test_farewell(self) -> None:
        """A stop says so; a change of process does not."""
        publisher = await self.joined()
        await true(lambda: self.listener.kept.get("camd/farm/status") == b"online")
        publisher.stop()
        publisher.start()
        await self.there(publisher)
        said = [payload for topic, payload in self.listener.said if topic == "camd/farm/status"]
        self.assertNotIn(b"offline", said)
        publisher.farewell()
        publisher.stop()
        await true(lambda: self.listener.kept["camd/farm/status"] == b"offline")

    async def test_switched_off_and_on(self) -> None:
        """Switched on again while it still takes leave, camd is there, by all that is retained."""
        publisher = await self.joined()
        cameras, former = await self.many(publisher)
        for url in ("", self.mqtt().url):
            self.config = evolve(self.config, mqtt=evolve(self.mqtt(), url=url))
            publisher.sync()
        self.assertIsNone(former.broker._client, "nobody contends for the name")
        await self.there(publisher)
        for id in cameras:
            await self.kept(f"camd/farm/{id}/state")
        await true(lambda: self.listener.kept.get("camd/farm/status") == b"online")

    async def test_same_name(self) -> None:
        """Two that have the same name do not hang up on one another without end, and are told."""
        publishers = [await self.joined()]
        self.folder = Folder(Path(self.mktemp()).absolute())
        self.folder.own.mkdir(parents=True)
        publishers.append(self.publisher())

        def apart() -> bool:
            brokers = [each.bridge.broker for each in publishers if each.bridge is not None]
            return any(
                not each.connected and each._wait >= 4 and "mqtt.instance" in each.why
                for each in brokers
            )

        await true(apart, 30)

    async def test_wrong_password(self) -> None:
        """A broker that does not let camd in is named, and asked again."""
        publisher = self.publisher(mqtt=self.mqtt(password=Secret("hunter2")))
        await true(
            lambda: publisher.bridge is not None and "not let" in publisher.bridge.broker.why
        )
        state = await publisher.state()
        self.assertEqual(state["mqtt"]["connected"], False)
        self.assertNotIn("hunter2", str(state))

    async def test_tls(self) -> None:
        """The broker is verified by the authority that is named, and by name."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        files = create(directory, ["localhost"])
        tls = Mosquitto((str(files.server), str(files.server_key))).start()
        self.addCleanup(tls.close)
        for host, connects in (("localhost", True), ("127.0.0.1", False)):
            mqtt = evolve(MQTT, url=f"mqtts://{host}:{tls.port}", ca=files.ca)
            if connects:
                publisher = await self.joined(mqtt)
            else:
                publisher = self.publisher(mqtt=mqtt)
                await true(
                    lambda p=publisher: p.bridge is not None and "reached" in p.bridge.broker.why  # type: ignore[misc]
                )
                assert publisher.bridge is not None, "it is there"
                self.assertIn("certificate verify failed", publisher.bridge.broker.why)
            publisher.stop()


class Commanding(MqttCase):
    """Commands from there."""

    async def test_commands(self) -> None:
        """A press is a photo, a number is set; the board's answer shows in the state."""
        publisher = await self.joined()
        board = self.board(publisher)
        await self.kept(CONFIG)
        for order, payload, name, arguments in (
            ("snap", "PRESS", "snap", {}),
            ("snap", '{"flash": true}', "snap", {"flash": True}),
            ("set/quality", "10", "set", {"quality": 10}),
            ("set/quality", "11.0", "set", {"quality": 11}),
            ("set/framesize", "svga", "set", {"framesize": "svga"}),
            ("set/vflip", "ON", "set", {"vflip": 1}),
            ("set", '{"brightness": -1, "contrast": 2}', "set", {"brightness": -1, "contrast": 2}),
        ):
            board.asked.clear()
            self.listener.say(f"camd/farm/trap/{order}", payload)
            await true(lambda: board.asked)
            self.assertEqual(board.asked, [Command(name, arguments)])
        await self.kept(STATE, '"quality": 11')

    async def test_nonsense(self) -> None:
        """What is no command, comes for no camera, or was retained does nothing."""
        publisher = await self.joined()
        board = self.board(publisher)
        for order, payload in (
            ("trap/snap", "now"), ("trap/snap", "[" * 5000), ("trap/set", "x"),
            ("trap/set", "[1]"), ("trap/set", "{}"), ("trap/set/quality", "64"),
            ("trap/set/quality", "nan"), ("trap/set/quality", "1e1"), ("trap/set/vflip", "2"),
            ("trap/set/framesize", "8k"), ("trap/set/x", "1"), ("none/snap", "PRESS"),
            ("../snap", "PRESS"), ("trap/set/quality", "\u0665"),
        ):  # fmt: skip
            self.listener.say(f"camd/farm/{order}", payload)
        publisher.stop()
        self.listener.say("camd/farm/trap/snap", "PRESS", retain=True)
        publisher = self.publisher()
        again = self.board(publisher)
        await self.there(publisher)
        await deferLater(reactor, 0.3)
        self.assertEqual((board.asked, again.asked), ([], []))
        self.listener.say("camd/farm/trap/snap", "PRESS")
        await true(lambda: again.asked)

    async def test_refused(self) -> None:
        """A board that is not connected, or takes no commands, costs a line and no more."""
        publisher = await self.joined()
        self.camera(publisher)
        self.listener.say("camd/farm/trap/snap", "PRESS")
        await deferLater(reactor, 0.2)
        publisher.fleet.cameras[TRAP].protocol = "v1"
        self.listener.say("camd/farm/trap/snap", "PRESS")
        await deferLater(reactor, 0.2)
        self.assertEqual(self.flushLoggedErrors(), [])


class Documents(SynchronousTestCase):
    """What Home Assistant is told, held against what it wants."""

    def device(self, camera: str = "trap", **more: Any) -> Device:
        known: dict[str, Any] = {
            "name": "", "model": "", "fw": "", "protocol": "v2", "measured": ("rssi",),
            "labels": ("whitefly",), "photos": True, "url": "", **more,
        }  # fmt: skip
        return Device(CameraId(camera), **known)

    def test_rules(self) -> None:
        """Each component has its platform, what that needs, and an id that no other has; topics
        and names are made of what is allowed; options are known at the root or in a component."""
        seen: set[str] = set()
        for made in (
            hub(TOPICS, "https://cameras.example.org"),
            *(
                document(TOPICS, self.device(camera, protocol=protocol))
                for camera in ("trap", "trap.1", "trap_1", "trap-1")
                for protocol in ("v1", "v2", "pull")
            ),
        ):
            self.assertLessEqual(
                made.keys(), {"dev", "o", "cmps", "availability", "availability_mode"}
            )
            self.assertTrue(made["dev"]["ids"] and made["o"]["name"])
            self.assertLessEqual(
                made["dev"].keys(), {"ids", "name", "mdl", "sw", "cu", "via_device"}
            )
            self.assertLessEqual(made["o"].keys(), {"name", "sw", "url"})
            own = set()
            for key, part in made["cmps"].items():
                self.assertIsNotNone(re.fullmatch(r"[a-zA-Z0-9_-]+", key))
                self.assertLessEqual(PLATFORMS[part["p"]], part.keys(), key)
                own.add(part["unique_id"])
                if part["p"] == "event":
                    self.assertLessEqual(set(part["event_types"]), set(EVENTS))
                if part["p"] == "number":
                    self.assertLess(part["min"], part["max"])
                    self.assertGreaterEqual(part["step"], 0.001)
                if "availability_mode" in part:
                    self.assertTrue(all(each["topic"] for each in part["availability"]))
                if part.get("device_class") == "timestamp":
                    self.assertNotIn("state_class", part)
            self.assertEqual(len(own), len(made["cmps"]))
            seen |= {made["dev"]["ids"][0]}
            json.dumps(made, allow_nan=False)
        self.assertEqual(len(seen), 5)

    def test_pulled(self) -> None:
        """A pulled board is offered what its firmware knows."""
        parts = document(TOPICS, self.device(protocol="pull"))["cmps"]
        self.assertNotIn("set_flash", parts)
        self.assertNotIn("qcif", parts["set_framesize"]["options"])
        self.assertIn("set_flash", document(TOPICS, self.device())["cmps"])

    def test_without(self) -> None:
        """What is no more is taken back by its platform alone."""
        before = document(TOPICS, self.device())
        now = document(TOPICS, self.device(labels=()))
        taken = without(before, now)["cmps"]
        self.assertEqual(taken["count_whitefly"], {"p": "sensor"})
        self.assertEqual(without(now, before), before)

    IDS = st.from_regex(r"[a-z0-9](?:[a-z0-9_.-]{0,6}[a-z0-9])?", fullmatch=True)
    WORDS = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True)

    @given(WORDS, IDS, WORDS, IDS)
    def test_names(self, instance: str, camera: str, other: str, another: str) -> None:
        """No two cameras, of one camd or of two, have the same name there."""
        one = Topics("camd", instance, "homeassistant").device(CameraId(camera))
        two = Topics("camd", other, "homeassistant").device(CameraId(another))
        self.assertEqual(one == two, (instance, camera) == (other, another))
        self.assertIsNotNone(re.fullmatch(r"[a-zA-Z0-9_-]+", one))

    @given(st.text(max_size=8), st.text(max_size=8))
    def test_slugs(self, one: str, two: str) -> None:
        """No two classes have the same name in a state."""
        self.assertEqual(slug(one) == slug(two), one == two)
        self.assertIsNotNone(re.fullmatch(r"[a-zA-Z0-9_-]*", slug(one)))


class Missing(PublishCase):
    """Without paho."""

    def test_said(self) -> None:
        """It is one line that says what is missing."""
        self.patch(broker, "available", lambda: False)
        error = self.assertRaises(
            PublishError, self.publisher, mqtt=evolve(MQTT, url="mqtt://localhost")
        )
        self.assertIn('pip install "camd[mqtt]"', str(error))
