"""Rules of alerts by an advanced clock: told when they begin to hold, once, and when they end."""

import json
from collections.abc import Sequence
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from camd.config import CameraEntry, Config, Seconds
from camd.config.telling import AlertEntry
from camd.config.tree import StoreConfig
from camd.config.when import read_when
from camd.fleet import Fleet
from camd.news import Kind, News
from camd.photo import CameraId
from camd.publish.alerts import Alerts
from camd.publish.letter import Alert, together
from tests.publish_world import TRAP, findings, receipt

NOON = 1_786_795_200.0  # 2026-08-15 12:00 UTC
HOUR = 3600.0
GB = 10**9


class AlertsCase(SynchronousTestCase):
    """Alerts of one camera in UTC."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.rightNow = NOON
        self.told: list[tuple[str, Alert]] = []
        self.saved: Any = None
        self.found: list[tuple[str, float]] = []
        self.free = (50 * GB, 100 * GB)
        self.config = Config(store=StoreConfig(timezone="UTC"))
        self.news = News(self.clock.seconds)
        self.fleet = Fleet(lambda: self.config, self.news, self.clock.seconds)
        self.camera = self.fleet.camera(TRAP)
        self.start()

    def start(self, memory: Any = None) -> None:
        """As after a restart."""
        self.alerts = Alerts(
            lambda: self.config, self.fleet, self.clock.seconds, self.hear, self.save,
            lambda: succeed(self.free), lambda: self.count,
        )  # fmt: skip
        self.news.listen(self.alerts.hear)
        self.alerts.restore(memory)

    def hear(self, entry: AlertEntry, alerts: Sequence[Alert]) -> None:
        self.told.append((entry.title, together(alerts)))

    def save(self) -> None:
        self.saved = json.loads(json.dumps(self.alerts.memory()))

    def restart(self) -> None:
        self.save()
        self.start(self.saved)

    def count(
        self, camera: CameraId | None, label: str, since_ms: int, until_ms: int
    ) -> "Deferred[int]":
        hits = [when for each, when in self.found if each == label]
        return succeed(sum(since_ms <= when * 1000 < until_ms for when in hits))

    def rule(self, when: str, **more: Any) -> None:
        entry = AlertEntry(read_when(when), **more)
        self.config = evolve(self.config, alert=(entry,))

    def look(self, after: float = 0.0) -> list[str]:
        """What is told by a look then."""
        self.clock.advance(after)
        before = len(self.told)
        self.successResultOf(self.alerts.look())
        return [alert.text for _, alert in self.told[before:]]

    def photo(self) -> None:
        self.camera.last_photo = self.clock.seconds()

    def measure(self, **stat: float) -> None:
        self.fleet.told(self.camera, stat)


class Silence(AlertsCase):
    """``silent``."""

    def test_for_so_long(self) -> None:
        """No photo for two hours is told once, and that there is one again, once."""
        self.rule("silent > 2 h")
        self.photo()
        self.assertEqual(self.look(2 * HOUR), [])
        self.assertEqual(self.look(1.0), ["no photo since 2026-08-15 12:00:00Z"])
        self.assertEqual(self.look(10 * HOUR), [])
        self.clock.advance(60)
        self.photo()
        self.assertEqual(self.look(), ["over: sends photos again"])
        self.assertEqual(self.look(), [])

    def test_as_the_fleet_has_it(self) -> None:
        """Without a time it is told when the camera counts as silent."""
        self.rule("silent")
        self.photo()
        self.assertEqual(self.look(HOUR), [])
        self.camera.silent = True
        self.assertEqual(len(self.look()), 1)

    def test_restart(self) -> None:
        """A restart neither repeats what was told, nor takes it for over, nor blames a camera for
        the time that camd itself was away."""
        self.rule("silent > 2 h")
        self.photo()
        other = self.fleet.camera(CameraId("other"))
        other.last_photo = self.clock.seconds() + HOUR
        self.assertEqual(len(self.look(2 * HOUR + 1)), 1)
        self.clock.advance(10 * HOUR)
        self.restart()
        self.assertEqual(self.look(), [])
        self.assertEqual(len(self.look(2 * HOUR + 1)), 1)
        self.assertEqual(self.told[-1][1].camera, "other")

    def test_asleep(self) -> None:
        """A board that sleeps is late only when it does not come back."""
        self.rule("silent > 1 h")
        self.photo()
        self.camera.expected = self.clock.seconds() + 3 * HOUR
        self.assertEqual(self.look(4 * HOUR), [])
        self.assertEqual(len(self.look(1)), 1)

    def test_never_seen(self) -> None:
        """A camera without photos is not silent, and no other than those named are looked at."""
        self.rule("silent > 1 h", cameras=(CameraId("a"),))
        self.fleet.camera(CameraId("a"))
        self.photo()
        self.assertEqual(self.look(5 * HOUR), [])

    def test_forgotten(self) -> None:
        """What is no more, camera or rule, is told of no more."""
        self.rule("silent > 1 h")
        self.photo()
        self.assertEqual(len(self.look(2 * HOUR)), 1)
        self.fleet.forget([TRAP])
        self.assertEqual(self.look(), [])
        self.assertEqual(self.alerts.standing, [])


class Crowds(AlertsCase):
    """Very many cameras at once."""

    def setUp(self) -> None:
        super().setUp()
        self.rule("silent > 1 h", name="Nobody")
        self.many = [self.fleet.camera(CameraId(f"cam-{number:03}")) for number in range(300)]
        self.send()

    def send(self) -> None:
        for camera in self.many:
            camera.last_photo = self.clock.seconds()

    def test_together(self) -> None:
        """They are silent in one message, which names them, and back in one."""
        (text,) = self.look(HOUR + 1)
        since = "(no photo since 2026-08-15 12:00:00Z)"
        self.assertTrue(text.startswith(f"Nobody: 300 cameras: cam-000 {since}, cam-001 {since}"))
        self.assertTrue(text.endswith(" and 280 more"))
        alert = self.told[0][1]
        self.assertIsNone(alert.camera)
        self.assertEqual(alert.cameras, tuple(camera.id for camera in self.many))
        self.assertEqual(len(self.alerts.standing), 300)
        self.restart()
        self.assertEqual(self.look(HOUR), [])
        self.clock.advance(1)
        self.send()
        (text,) = self.look()
        self.assertTrue(text.startswith("Nobody: over: 300 cameras: cam-000 (sends photos again)"))
        self.assertEqual(self.alerts.standing, [])

    def test_few(self) -> None:
        """As long as they are few each is told by itself; then what comes in a minute is told
        together, and of whom is well again meanwhile nothing is."""
        for number, camera in enumerate(self.many):
            camera.last_photo += 10 * number
        said = self.look(HOUR + 1)
        self.assertEqual(len(said), 1)
        for _ in range(14):
            said += self.look(10)
        self.assertEqual(said[9], "Nobody: no photo since 2026-08-15 12:01:30Z")
        rest = len(said)
        self.assertLess(rest, 14)
        while len(said) == rest:
            self.many[14].last_photo = self.clock.seconds()
            said += self.look(10)
        told = {camera for _, alert in self.told for camera in alert.cameras or [alert.camera]}
        self.assertIn("cam-013", told)
        self.assertNotIn("cam-014", told)

    def test_other_rules(self) -> None:
        """What another rule has to say is not drowned."""
        battery = AlertEntry(read_when("battery < 3.5"))
        self.config = evolve(self.config, alert=(*self.config.alerts, battery))
        self.measure(vbat=3.4)
        self.assertEqual(self.look(HOUR + 1)[1:], ["battery 3.4 V"])


class Manners(AlertsCase):
    """Quiet hours, repetitions, ends."""

    def setUp(self) -> None:
        super().setUp()
        # 14:00 in summer there, where it is 12:00 UTC.
        self.config = evolve(
            self.config, camera=(CameraEntry(TRAP, name="Trap", timezone="Europe/Vienna"),)
        )

    def test_quiet(self) -> None:
        """In the camera's quiet hours nothing is told, and behind them what still holds is."""
        self.rule("battery < 3.5", quiet="22:00-07:00")
        self.look(8.5 * HOUR)  # 22:30 in Vienna
        self.measure(vbat=3.4)
        self.assertEqual(self.look(), [])
        self.assertEqual(self.look(8 * HOUR), [])
        self.assertEqual(self.look(0.5 * HOUR), ["battery 3.4 V"])

    def test_quiet_and_over(self) -> None:
        """What began and ended in them is not told at all."""
        self.rule("battery < 3.5", quiet="13:00-15:00")
        self.measure(vbat=3.4)
        self.assertEqual(self.look(), [])
        self.measure(vbat=3.9)
        self.assertEqual(self.look(), [])
        self.assertEqual(self.look(5 * HOUR), [])

    def test_over_while_quiet(self) -> None:
        """The end of what was told before them is told behind them."""
        self.rule("battery < 3.5", quiet="15:00-16:00")
        self.measure(vbat=3.4)
        self.assertEqual(len(self.look()), 1)
        self.clock.advance(1.5 * HOUR)
        self.measure(vbat=3.9)
        self.assertEqual(self.look(), [])
        self.assertEqual(self.look(HOUR), ["over: battery 3.9 V"])

    def test_again(self) -> None:
        """It is told again as often as is wished, while it holds; a restart does not shorten it."""
        self.rule("battery < 3.5", again=Seconds(6 * HOUR))
        self.measure(vbat=3.4)
        self.assertEqual(len(self.look()), 1)
        self.assertEqual(self.look(5 * HOUR), [])
        self.restart()
        self.assertEqual(self.look(0.5 * HOUR), [])
        self.assertEqual(len(self.look(0.5 * HOUR)), 1)
        self.assertEqual(self.look(HOUR), [])

    def test_no_end(self) -> None:
        """Where the end is not to be told it is not, and the next beginning is."""
        self.rule("battery < 3.5", tell_end=False, name="Flat")
        for _ in range(2):
            self.measure(vbat=3.4)
            self.assertEqual(self.look(), ["Flat: battery 3.4 V"])
            self.measure(vbat=3.9)
            self.assertEqual(self.look(), [])

    def test_fewer_cameras(self) -> None:
        """What was told of a camera that the rule is no more about does not stand on."""
        self.rule("battery < 3.5")
        self.measure(vbat=3.4)
        self.assertEqual(len(self.look()), 1)
        self.rule("battery < 3.5", cameras=(CameraId("other"),))
        self.assertEqual(self.look(), [])
        self.assertEqual(self.alerts.standing, [])

    def test_changed_rule(self) -> None:
        """A rule that was changed is another one."""
        self.rule("battery < 3.5")
        self.measure(vbat=3.4)
        self.assertEqual(len(self.look()), 1)
        self.rule("battery < 3.6")
        self.measure(vbat=3.4)
        self.assertEqual(self.look(), ["battery 3.4 V"])
        self.assertEqual(len(self.alerts.standing), 1)


class Measurements(AlertsCase):
    """What boards measure, the disk, and photos that went bad."""

    def test_limits(self) -> None:
        """A rule ends only when its value is well back within."""
        for when, name, bad, hardly, good in (
            ("battery < 3.5", "vbat", 3.49, 3.55, 3.58),
            ("signal < -85", "rssi", -86, -83, -82),
            ("temperature < 0", "temp", -0.5, 0.5, 1),
            ("temperature > 60", "temp", 60.5, 59.5, 58),
            ("queued > 100", "queued", 101, 99, 97),
        ):
            self.rule(when)
            said = []
            for value in (bad, hardly, bad, good, hardly):
                self.measure(**{name: value})
                said.append(len(self.look()))
            self.assertEqual(said, [1, 0, 0, 1, 0], when)

    def test_words(self) -> None:
        """What a board says that is no number is no reason."""
        self.rule("battery < 3.5")
        self.fleet.told(self.camera, {"vbat": "low"})
        self.assertEqual(self.look(), [])

    def test_disk(self) -> None:
        """The disk's room is looked at each time, as a part or as a size."""
        for when in ("disk < 5 %", "disk < 5 GB"):
            self.rule(when)
            self.free = (50 * GB, 100 * GB)
            self.assertEqual(self.look(), [])
            self.free = (4 * GB, 100 * GB)
            self.assertEqual(self.look(), ["4 GB free on the disk, 4.0 %"])
            self.assertIsNone(self.told[-1][1].camera)
            self.free = (6 * GB, 100 * GB)
            self.assertEqual(self.look(), ["over: 6 GB free on the disk, 6.0 %"])

    def test_disk_that_cannot_be_seen(self) -> None:
        """Where the disk does not answer, other rules are looked at all the same."""
        self.rule("disk < 5 %")
        self.measure(vbat=3.0)
        battery = AlertEntry(read_when("battery < 3.5"))
        self.config = evolve(self.config, alert=(*self.config.alerts, battery))

        def none() -> "Deferred[tuple[int, int]]":
            raise OSError("gone")

        self.alerts.room = none
        self.assertEqual(self.look(), ["battery 3 V"])

    def test_poor(self) -> None:
        """Photos that went bad are told as they are news, and kept in mind over a restart."""
        self.rule("poor")
        self.news.tell(Kind.POOR, TRAP, "blurred")
        self.assertEqual(self.look(), ["its photos are bad: blurred"])
        self.restart()
        self.assertEqual(self.look(), [])
        self.news.tell(Kind.GOOD, TRAP, "good")
        self.assertEqual(self.look(), ["over: its photos are good again"])


class Counting(AlertsCase):
    """``whitefly >= 3 per night``."""

    def insects(self, count: int, label: str = "whitefly") -> None:
        self.found += [(label, self.clock.seconds())] * count
        shown = receipt()
        self.news.tell(Kind.FOUND, TRAP, "found", shown, findings=findings(*[label] * count))

    def test_night(self) -> None:
        """A night goes from noon to noon: what comes after midnight counts with what came before,
        and at noon all begins anew without a word."""
        self.rule("whitefly >= 3 per night")
        self.clock.advance(HOUR)
        self.insects(2)
        self.assertEqual(self.look(), [])
        self.clock.advance(13 * HOUR)
        self.insects(1)
        self.assertEqual(self.look(), ["3 whitefly this night"])
        self.insects(1)
        self.assertEqual(self.look(), [])
        self.restart()
        self.assertEqual(self.look(), [])
        self.assertEqual(self.look(10 * HOUR), [])
        self.assertEqual(self.alerts.standing, [])
        self.insects(3)
        self.assertEqual(self.look(), ["3 whitefly this night"])

    def test_late(self) -> None:
        """A night's photos that are looked at only behind it count for it, once."""
        self.rule("whitefly >= 3 per night")
        self.clock.advance(23 * HOUR)
        self.insects(2)
        self.assertEqual(self.look(), [])
        taken = self.clock.seconds()
        self.look(2 * HOUR)
        for _ in range(2):
            self.found.append(("whitefly", taken))
            seen = findings("whitefly")
            self.news.tell(Kind.FOUND, TRAP, "found", findings=seen, taken=taken)
        self.assertEqual(self.look(), ["4 whitefly last night"])
        self.assertEqual(self.alerts.memory()["standing"][0][3:], [NOON + 25 * HOUR] * 2 + [NOON])
        self.restart()
        self.news.tell(Kind.FOUND, TRAP, "found", findings=seen, taken=taken)
        self.assertEqual(self.look(), [])
        self.assertEqual(self.look(23 * HOUR), [])
        self.assertEqual(self.alerts.memory()["standing"], [])

    def test_quiet_over_the_border(self) -> None:
        """What was reached in quiet hours is told behind them, though a new day has begun."""
        self.rule("whitefly >= 3 per day", quiet="22:00-07:00")
        self.clock.advance(11 * HOUR)
        self.insects(3)
        self.assertEqual(self.look(), [])
        self.assertEqual(self.look(2 * HOUR), [])
        self.assertEqual(self.look(6 * HOUR), ["3 whitefly yesterday"])
        self.assertEqual(self.look(), [])

    def test_corrected(self) -> None:
        """Where a person says that there were fewer, and then there are more, it is told once."""
        self.rule("whitefly >= 3 per night")
        self.insects(3)
        self.assertEqual(self.look(), ["3 whitefly this night"])
        self.found.pop()
        self.assertEqual(self.look(), [])
        self.insects(1)
        self.assertEqual(self.look(), [])

    def test_new_rule(self) -> None:
        """A rule that comes while camd runs knows what was found before."""
        self.insects(5)
        self.assertEqual(self.look(HOUR), [])
        self.rule("whitefly >= 3 per night")
        self.assertEqual(self.look(), ["5 whitefly this night"])
        self.assertEqual(self.look(), [])

    def test_day(self) -> None:
        """A day goes from midnight to midnight."""
        self.rule("whitefly >= 3 per day")
        self.insects(2)
        self.assertEqual(self.look(11 * HOUR), [])
        self.clock.advance(1.5 * HOUR)
        self.insects(2)
        self.assertEqual(self.look(), [])
        self.insects(1)
        self.assertEqual(self.look(), ["3 whitefly this day"])

    def test_hour(self) -> None:
        """An hour is the last sixty minutes, rounded up to a quarter, and ends by itself."""
        self.rule("whitefly > 2 per hour")
        self.insects(2)
        self.clock.advance(0.9 * HOUR)
        self.insects(1)
        self.assertEqual(self.look(), ["3 whitefly this hour"])
        self.assertEqual(self.look(0.3 * HOUR), [])
        self.assertEqual(self.look(0.1 * HOUR), ["over: 1 whitefly this hour"])

    def test_others(self) -> None:
        """Other classes, and what was there before, are no reason to count."""
        self.rule("whitefly >= 1 per night")
        self.insects(5, "thrips")
        self.assertEqual(self.look(), [])
        self.found.append(("whitefly", self.clock.seconds()))
        seen = findings("whitefly", fresh=False)
        self.news.tell(Kind.FOUND, TRAP, "found", findings=seen)
        self.assertEqual(self.look(), [])

    def test_before_the_start(self) -> None:
        """What was found before a restart counts as soon as camd runs again."""
        self.rule("whitefly >= 3 per night")
        self.found = [("whitefly", NOON + 1)] * 3
        self.clock.advance(HOUR)
        self.restart()
        self.assertEqual(self.look(), ["3 whitefly this night"])

    def test_nobody_counts(self) -> None:
        """Without a detector such a rule never holds."""
        self.rule("whitefly >= 1 per night")
        self.alerts.counts = lambda: None
        self.insects(5)
        self.assertEqual(self.look(), [])
