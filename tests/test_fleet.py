"""What is known of each camera, and when one counts as silent."""

from collections.abc import Mapping
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from camd.config import CameraEntry, Config, Seconds
from camd.fleet import Command, CommandError, Fleet, State
from camd.news import Kind, News
from camd.photo import Boot, CameraId, Door, Reason, Receipt
from camd.wire.messages import Hello
from tests.e2e_talk import BOOT, NONCE

TRAP = CameraId("trap")
NOW = 1_786_832_103.0
DAY = 86_400.0


class Session:
    """A connection that notes what it is told."""

    def __init__(self, protocol: str = "v2") -> None:
        self.protocol = protocol
        self.ended: list[str] = []
        self.asked: list[tuple[Command, Deferred[Mapping[str, str]]]] = []

    def command(self, command: Command) -> "Deferred[Mapping[str, str]]":
        done: Deferred[Mapping[str, str]] = Deferred()
        self.asked.append((command, done))
        return done

    def take_over(self) -> None:
        self.ended.append("taken")

    def kick(self) -> None:
        self.ended.append("kicked")


class FleetCase(SynchronousTestCase):
    """A fleet whose time the test turns."""

    def setUp(self) -> None:
        self.time = NOW
        self.config = Config()
        self.news = News(lambda: self.time)
        self.fleet = Fleet(lambda: self.config, self.news, lambda: self.time)
        self.seq = 0

    @property
    def kinds(self) -> list[Kind]:
        return [item.kind for item in self.news.recent(1000)]

    def configure(self, **own: Any) -> None:
        self.config = evolve(self.config, camera=(CameraEntry(TRAP, **own),))

    def photo(self, after: float = 0.0, size: int = 1000) -> None:
        self.time += after
        self.seq += 1
        now = self.time
        receipt = Receipt(TRAP, Boot(BOOT), self.seq, size, 1, 8, 8, "x.jpg", now, now, Door.V2)
        self.fleet.stored(self.fleet.camera(TRAP), receipt)

    def look(self, after: float) -> State:
        self.time += after
        self.fleet.look()
        return self.fleet.camera(TRAP).state


class Coming(FleetCase):
    """Who is here."""

    def test_states(self) -> None:
        """Never seen, connected, away, asleep."""
        camera = self.fleet.camera(TRAP)
        self.assertIs(camera.state, State.NEVER)
        session = Session()
        hello = Hello(TRAP, Boot(BOOT), NONCE, "1.0", "ov2640")
        self.assertIs(self.fleet.arrived(TRAP, session, "192.0.2.7", hello), camera)
        self.assertIs(camera.state, State.CONNECTED)
        self.assertEqual((camera.fw, camera.model, camera.address), ("1.0", "ov2640", "192.0.2.7"))
        self.fleet.left(camera, session)
        self.assertIs(camera.state, State.AWAY)
        self.fleet.arrived(TRAP, session, "192.0.2.7")
        self.fleet.sleeps(camera, 900)
        self.fleet.left(camera, session)
        self.assertIs(camera.state, State.ASLEEP)
        self.assertEqual(self.kinds, [Kind.CAME, Kind.LEFT, Kind.CAME, Kind.SLEEPS, Kind.LEFT])

    def test_take_over(self) -> None:
        """The new session has the camera before the old one is told to end; the old one's end
        changes nothing."""
        first, second = Session(), Session()
        camera = self.fleet.arrived(TRAP, first, "192.0.2.7")
        self.fleet.arrived(TRAP, second, "192.0.2.8")
        self.assertEqual(first.ended, ["taken"])
        self.fleet.left(camera, first)
        self.assertIs(camera.session, second)
        self.assertEqual(self.kinds, [Kind.CAME, Kind.CAME])
        self.assertEqual(self.fleet.connected, 1)

    def test_counts(self) -> None:
        """Photos, bytes, refusals by reason, the newest measurements, and not without end."""
        camera = self.fleet.camera(TRAP)
        self.photo()
        self.photo(size=500)
        self.assertEqual((camera.photos, camera.bytes), (2, 1500))
        for reason in (Reason.CRC, Reason.CRC, Reason.FULL):
            self.fleet.refused(camera, reason)
        self.assertEqual(camera.refused, {Reason.CRC: 2, Reason.FULL: 1})
        self.fleet.told(camera, {"rssi": -60.0, "vbat": 3.9})
        self.fleet.told(camera, {"rssi": -70.0})
        self.assertEqual(camera.telemetry, {"rssi": -70.0, "vbat": 3.9})
        for number in range(100):
            self.fleet.told(camera, {f"made-up-{number}": 1.0})
        assert camera.telemetry is not None
        self.assertEqual(len(camera.telemetry), 32)

    def test_refused(self) -> None:
        """A camera of which every photo was refused was seen, and since when stays known."""
        camera = self.fleet.camera(TRAP)
        began = self.time
        self.fleet.refused(camera, Reason.DENIED)
        self.time += 100
        self.fleet.refused(camera, Reason.DENIED)
        self.photo()
        self.assertEqual((camera.first_seen, camera.last_seen), (began, began + 100))

    def test_memory(self) -> None:
        """What is kept over a restart comes back the same, and nonsense does no harm."""
        camera = self.fleet.arrived(TRAP, Session(), "192.0.2.7")
        self.photo(1)
        self.photo(30)
        self.fleet.told(camera, {"rssi": -60.0})
        self.fleet.sleeps(camera, 900)
        self.news.tell(Kind.POOR, TRAP, "its photos have gone bad: blurred")
        memory = self.fleet.memory(camera)
        other = Fleet(lambda: self.config, self.news, lambda: self.time)
        again = other.remember(TRAP, camera.first_seen, camera.last_seen, memory)
        self.assertEqual(other.memory(again), memory)
        self.assertIs(again.state, State.ASLEEP)
        self.assertTrue(other.is_poor(TRAP))
        self.news.tell(Kind.GOOD, TRAP, "its photos are good again")
        self.assertFalse(other.is_poor(TRAP))
        broken = {key: ["?"] for key in memory}
        self.assertIs(other.remember(CameraId("odd"), 1, 2, broken).state, State.AWAY)

    def test_forget(self) -> None:
        """Who is connected is not forgotten."""
        camera = self.fleet.arrived(TRAP, Session(), "192.0.2.7")
        self.fleet.forget([TRAP, CameraId("nobody")])
        self.assertIn(TRAP, self.fleet)
        self.fleet.left(camera, camera.session)  # type: ignore[arg-type]
        self.fleet.forget([TRAP])
        self.assertNotIn(TRAP, self.fleet)


class Silence(FleetCase):
    """A camera that misses its own schedule."""

    def test_learnt(self) -> None:
        """After three of the intervals that were learnt it is silent, which is told once; the
        next photo is news as well."""
        for _ in range(5):
            self.photo(100)
        self.assertIsNot(self.look(299), State.SILENT)
        self.assertIs(self.look(2), State.SILENT)
        self.look(1000)
        self.assertEqual(self.kinds, [Kind.SILENT])
        self.photo()
        self.assertEqual(self.kinds, [Kind.SILENT, Kind.BACK])
        self.assertIsNot(self.look(10), State.SILENT)

    def test_nothing_known(self) -> None:
        """Of one that sent a single photo, or none, nothing is known."""
        self.fleet.camera(TRAP)
        self.look(10**6)
        self.photo()
        self.look(10**6)
        self.assertEqual(self.kinds, [])

    def test_configured(self) -> None:
        """The interval that is configured counts before the one that was learnt."""
        self.configure(interval=Seconds(1000.0))
        self.photo(1)
        self.photo(10)
        self.assertIsNot(self.look(2999), State.SILENT)
        self.assertIs(self.look(2), State.SILENT)

    def test_quick_ones(self) -> None:
        """Nobody is silent within a minute."""
        for _ in range(5):
            self.photo(0.1)
        self.assertIsNot(self.look(59), State.SILENT)
        self.assertIs(self.look(2), State.SILENT)

    def test_paced(self) -> None:
        """A v1 board that is paced is expected at that pace."""
        self.configure(pace=Seconds(600.0))
        self.fleet.arrived(TRAP, Session("v1"), "192.0.2.7")
        self.photo(1)
        self.photo(1)
        self.assertIsNot(self.look(1799), State.SILENT)
        self.assertIs(self.look(2), State.SILENT)

    def test_asleep(self) -> None:
        """One that said when it will be back is not missed before, be it gone for a day."""
        camera = self.fleet.camera(TRAP)
        for _ in range(3):
            self.photo(100)
        self.fleet.sleeps(camera, DAY)
        self.assertIsNot(self.look(DAY + 290), State.SILENT)
        self.assertIs(self.look(20), State.SILENT)

    def restart(self) -> None:
        """As camd is after one."""
        camera = self.fleet.cameras[TRAP]
        memory = self.fleet.memory(camera)
        self.news = News(lambda: self.time)
        self.fleet = Fleet(lambda: self.config, self.news, lambda: self.time)
        self.fleet.remember(TRAP, camera.first_seen, camera.last_seen, memory)

    def test_camd_away(self) -> None:
        """Nobody is blamed for the time that camd itself was away, and nothing learnt from it."""
        for _ in range(5):
            self.photo(100)
        self.time += DAY
        self.restart()
        self.assertIsNot(self.look(299), State.SILENT)
        self.photo()
        self.assertEqual(self.fleet.cameras[TRAP].interval, 100)
        self.assertIsNot(self.look(299), State.SILENT)
        self.assertIs(self.look(2), State.SILENT)

    def test_restart(self) -> None:
        """Who was silent before a restart is so behind it: that is no news, and its end is."""
        for _ in range(5):
            self.photo(100)
        self.assertIs(self.look(301), State.SILENT)
        self.restart()
        self.assertIs(self.look(1000), State.SILENT)
        self.photo()
        self.assertEqual(self.kinds, [Kind.BACK])


class Quota(FleetCase):
    """Photos and bytes a day."""

    def test_photos(self) -> None:
        """So many a day, and again the next day, which begins where the camera is, and at noon
        where its nights are together."""
        for session, hours in (("midnight", 0), ("noon", 12)):
            self.setUp()
            self.configure(quota_photos=2, timezone="Asia/Shanghai", session=session)
            self.a_day(begins=DAY - 8 * 3600 + hours * 3600)

    def a_day(self, begins: float) -> None:
        camera = self.fleet.camera(TRAP)
        for expected in (True, True, False):
            self.assertIs(self.fleet.room_today(camera, 1), expected)
            if expected:
                self.photo()
        left = (begins - self.time) % DAY
        self.assertEqual(self.fleet.tomorrow(camera), self.time + left)
        self.time += left - 1
        self.assertFalse(self.fleet.room_today(camera, 1))
        self.assertEqual(self.fleet.today(camera), (2, 2000))
        self.time += 1
        self.assertEqual(self.fleet.today(camera), (0, 0))
        self.assertTrue(self.fleet.room_today(camera, 1))

    def test_bytes(self) -> None:
        """A photo that would pass the bound is not let in, a smaller one is."""
        self.configure(quota_bytes=1500)
        camera = self.fleet.camera(TRAP)
        self.photo(size=1000)
        self.assertFalse(self.fleet.room_today(camera, 501))
        self.assertTrue(self.fleet.room_today(camera, 500))


class Commands(FleetCase):
    """What people want of cameras."""

    def test_done(self) -> None:
        """A command reaches the session; settings that were set are remembered; it is told."""
        session = Session()
        camera = self.fleet.arrived(TRAP, session, "192.0.2.7")
        done = self.fleet.command(TRAP, "set", quality=12)
        (command, answer), = session.asked  # fmt: skip
        self.assertEqual((command.name, command.arguments), ("set", {"quality": 12}))
        self.assertIs(camera.command, command)
        answer.callback({"took": "3"})
        self.assertEqual(self.successResultOf(done), {"took": "3"})
        self.assertEqual((camera.settings, camera.command), ({"quality": 12}, None))
        self.assertEqual(self.news.recent(1)[0].text, "set: done")

    def test_failed(self) -> None:
        """One that fails changes nothing, and is told."""
        session = Session()
        camera = self.fleet.arrived(TRAP, session, "192.0.2.7")
        done = self.fleet.command(TRAP, "set", quality=12)
        session.asked[0][1].errback(CommandError("set", TRAP, "no"))
        self.failureResultOf(done, CommandError)
        self.assertIsNone(camera.settings)
        self.assertIn("set trap: no", self.news.recent(1)[0].text)

    def test_nobody_there(self) -> None:
        """It fails at once, with its name, where there is no such camera or connection."""
        self.failureResultOf(self.fleet.command(TRAP, "snap"), CommandError)
        self.assertNotIn(TRAP, self.fleet)
        self.fleet.camera(TRAP)
        self.failureResultOf(self.fleet.command(TRAP, "snap"), CommandError)
        self.assertFalse(self.fleet.kick(TRAP))
        session = Session()
        self.fleet.arrived(TRAP, session, "192.0.2.7")
        self.assertTrue(self.fleet.kick(TRAP))
        self.assertEqual(session.ended, ["kicked"])
