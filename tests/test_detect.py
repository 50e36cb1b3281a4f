"""What waits is looked at, what is seen is written down, and what is news is told."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from camd.config import CameraEntry, Config
from camd.config.area import Area
from camd.config.looking import DetectConfig, JudgeConfig
from camd.config.telling import AlertEntry
from camd.config.when import read_when
from camd.detect.crew import UNREADY_AGAIN
from camd.detect.looking import COUNT, GATHER, POLL, RETRY, Looking
from camd.detect.moods import Moods
from camd.findings import Detection, Flag
from camd.news import Item, Kind, News
from camd.photo import CameraId
from camd.store.catalog import Catalog, CatalogError
from camd.store.findings import Backlog, FindingsReader
from camd.vision.lines import Ready
from tests.lookers import HASH, Hand, Hands, fly
from tests.test_catalog import BOOT, GREENHOUSE, NIGHT, ORCHARD, receipt

T = TypeVar("T")


class Shelf:
    """A store of which only the catalog is there; what is asked of it is done at once, or held
    back until `go_on`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.looking = False
        self.waiting = 0
        self.catalog = Catalog.open(root / "catalog.sqlite")
        self.held: list[Callable[[], None]] | None = None
        self.error: Exception | None = None
        self.asked = 0

    def ask(self, work: Callable[[Catalog], T]) -> "Deferred[T]":
        done: Deferred[Any] = Deferred()
        self.asked += 1

        def answer() -> None:
            try:
                if self.error is not None:
                    raise self.error
                result = work(self.catalog)
            except Exception:
                done.errback(Failure())
            else:
                done.callback(result)

        if self.held is None:
            answer()
        else:
            self.held.append(answer)
        return done

    def go_on(self) -> None:
        held, self.held = self.held or [], None
        for answer in held:
            answer()


class LookingCase(SynchronousTestCase):
    detect = DetectConfig(model=Path("/models/pests.onnx"))
    judge = JudgeConfig()
    cameras: tuple[CameraEntry, ...] = ()
    poor: frozenset[CameraId] = frozenset()
    """Of which it was told before that their photos are bad."""

    def setUp(self) -> None:
        root = Path(self.mktemp()).absolute()
        root.mkdir()
        self.clock = Clock()
        self.shelf = Shelf(root)
        self.addCleanup(self.shelf.catalog.close)
        self.reader = FindingsReader(self.shelf.catalog)
        self.configure()
        self.begin()

    def configure(self, **more: Any) -> None:
        self.config = Config(**{
            "detect": self.detect, "judge": self.judge, "camera": self.cameras, **more
        })  # fmt: skip

    def begin(self, at_once: bool = True) -> None:
        """As a daemon does that starts on this store."""
        self.hands = Hands(at_once)
        self.news = News(lambda: NIGHT)
        self.items: list[Item] = []
        self.news.listen(self.items.append)
        self.shelf.looking = self.config.looks
        self.shelf.catalog.keep_backlog(self.config.looks)
        self.looking = Looking(
            lambda: self.config, self.shelf, self.news, self.clock,  # type: ignore[arg-type]
            lambda: NIGHT + self.clock.seconds(), self.hands, self.poor.__contains__,
        )  # fmt: skip
        self.looking.start()
        self.addCleanup(self.looking.stop)
        self.pass_time()

    def pass_time(self, seconds: float = 1.0) -> None:
        self.clock.pump([0.05] * round(seconds / 0.05))

    def come(self, *seqs: int, camera: CameraId = GREENHOUSE) -> None:
        """These photos are stored."""
        receipts = [receipt(seq, camera) for seq in seqs]
        for each in receipts:
            path = self.shelf.root / each.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"photo")
        self.shelf.catalog.add_many(receipts)
        for each in receipts:
            self.news.tell(Kind.PHOTO, camera, each.path, each)
        self.pass_time()

    def number(self, seq: int, camera: CameraId = GREENHOUSE) -> int:
        entry = self.shelf.catalog.find((camera, BOOT, seq))
        assert entry is not None
        return entry.id

    def numbers(self, *seqs: int) -> list[int]:
        return [self.number(seq) for seq in seqs]

    def told(self, kind: Kind) -> list[Item]:
        return [item for item in self.items if item.kind is kind]

    def backlog(self) -> Backlog:
        return self.reader.backlog()

    def kill(self, hand: Hand, *begun: int) -> None:
        hand.begin(*begun)
        hand.end(signal=11)
        self.pass_time()


class LookingTests(LookingCase):
    def test_from_photo_to_news(self) -> None:
        """What a model finds on a photo is in the catalog, is news, and is counted."""
        self.come(1, 2)
        self.hands.one.see(self.number(1), [fly(0.1), fly(0.3)])
        self.hands.one.see(self.number(2), [])
        self.pass_time()
        known = self.reader.of(self.number(1))
        assert known is not None
        self.assertEqual((known.model, known.model_hash, len(known.valid)), ("pests.onnx", HASH, 2))
        (item,) = self.told(Kind.FOUND)
        self.assertEqual((item.camera, item.text), (GREENHOUSE, "2 whitefly"))
        self.assertEqual((item.photo, item.findings), ((GREENHOUSE, BOOT, 1), known))
        entry = self.shelf.catalog.find((GREENHOUSE, BOOT, 1))
        assert entry is not None
        self.assertEqual(item.taken, entry.taken_ms / 1000)
        self.assertEqual(self.backlog(), Backlog(0, 0))
        looking = self.looking
        self.assertEqual((looking.photos, looking.found, looking.failed), (2, 2, 0))
        self.assertAlmostEqual(looking.seconds, 0.02)

    def test_what_is_wanted(self) -> None:
        """The worker is told where the photo lies, and all that the configuration wants."""
        self.detect = attrs.evolve(self.detect, tile=640, confidence=0.4, iou=0.5, most=7)
        self.configure()
        self.looking.sync()
        self.come(1)
        told = self.hands.one.told[-1]
        self.assertTrue(told["path"].startswith(f"{self.shelf.root}/greenhouse-1/"), told["path"])
        self.assertEqual((told["tile"], told["confidence"], told["iou"], told["most"]),
                         (640, 0.4, 0.5, 7))  # fmt: skip
        self.assertEqual(
            (told["detect"], told["judge"], told["useless"]), (True, False, ["dark", "broken"])
        )

    def test_newest_first(self) -> None:
        """What has just come is looked at before what waits longer."""
        self.come(*range(1, 40))
        hand = self.hands.one
        self.assertEqual(hand.jobs, self.numbers(39, 38, 37, 36))
        self.come(40, 41)
        for id in tuple(hand.jobs):
            hand.see(id)
        self.assertEqual(hand.jobs[:2], self.numbers(41, 40))

    def test_oldest_first(self) -> None:
        """Or what waits longest."""
        self.detect = attrs.evolve(self.detect, order="oldest")
        self.configure()
        self.looking.sync()
        self.come(*range(1, 40))
        self.come(40)
        seen = []
        for _ in range(40):
            seen += self.hands.one.see_all()
            self.pass_time(0.2)
        self.assertEqual(seen, self.numbers(*range(1, 41)))

    def test_all_of_a_long_backlog(self) -> None:
        """Thousands are looked at, each once, and nobody waits for work for long."""
        self.come(*range(1, 2001))
        seen: list[int] = []
        for _ in range(100):
            seen += self.hands.one.see_all([])
            self.pass_time(0.1)
        self.assertEqual(len(seen), 2000)
        self.assertEqual(set(seen), set(self.numbers(*range(1, 2001))))
        self.assertEqual(self.backlog(), Backlog(0, 0))
        self.assertEqual(self.looking.rate, round(2000 / 60, 2))

    def test_one_trip_at_a_time(self) -> None:
        """While the catalog is busy, what is seen gathers, and goes there on one trip."""
        self.come(*range(1, 5))
        self.shelf.held = []
        before = self.shelf.asked
        hand = self.hands.one
        hand.see(self.number(4))
        self.pass_time(2)
        hand.see(self.number(3))
        hand.see(self.number(2))
        self.pass_time(2)
        self.assertEqual(self.shelf.asked, before + 1)
        self.shelf.go_on()
        self.assertEqual(self.backlog().waiting, 3)
        self.pass_time(GATHER + 0.1)
        self.assertEqual((self.backlog().waiting, self.shelf.asked), (1, before + 2))

    def test_at_rest(self) -> None:
        """Where no photo comes, the catalog is hardly ever asked, and the last worker leaves."""
        self.come(1)
        self.hands.one.see_all()
        self.pass_time(POLL + 10)
        before = self.shelf.asked
        self.pass_time(5 * POLL)
        self.assertLessEqual(self.shelf.asked - before, 6)
        self.assertEqual(self.hands.alive, [])

    def test_the_catalog_fails(self) -> None:
        """What was seen is not lost when it cannot be written, and the complaint is one line."""
        self.come(1, 2)
        self.shelf.error = CatalogError("the disk is full")
        self.hands.one.see(self.number(1), [fly()])
        self.pass_time(3 * RETRY)
        self.hands.one.see(self.number(2), [fly()])
        self.shelf.error = None
        self.pass_time(2 * RETRY)
        self.assertEqual((self.backlog(), len(self.told(Kind.FOUND))), (Backlog(0, 0), 2))

    def test_a_restart(self) -> None:
        """What was not looked at waits for the next process; what was seen last is not lost."""
        self.come(1, 2, 3)
        self.hands.one.see(self.number(3), [fly()])
        self.looking.stop()
        self.assertEqual((self.hands.alive, self.backlog().waiting), ([], 2))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.begin()
        self.assertEqual(self.hands.one.jobs, self.numbers(2, 1))

    def test_goes_on(self) -> None:
        """A process that was to be replaced, and is not, goes on where it stopped."""
        self.come(1, 2)
        self.looking.stop()
        self.come(3)
        self.looking.start()
        self.pass_time()
        self.assertEqual(self.hands.one.jobs, self.numbers(3, 2, 1))

    def test_put_there_by_others(self) -> None:
        """What another process puts into the backlog is found, too."""
        self.shelf.catalog.add_many([receipt(1)])
        self.pass_time(POLL)
        self.assertEqual(self.hands.one.jobs, self.numbers(1))

    def test_deleted_meanwhile(self) -> None:
        """A photo that is gone when it is to be looked at is nobody's fault."""
        self.come(1)
        entry = self.shelf.catalog.entry(self.number(1))
        assert entry is not None
        (self.shelf.root / entry.path).unlink()
        self.hands.one.fail(entry.id, "No such file or directory")
        self.pass_time()
        self.assertEqual((self.backlog(), self.looking.failed), (Backlog(0, 0), 0))

    def test_state(self) -> None:
        """How it fares, as the page shows it."""
        self.come(1, 2)
        self.hands.one.fail(self.number(2), "it is too large")
        self.pass_time(COUNT)
        state = self.successResultOf(self.looking.state())
        self.assertEqual(
            state,
            {
                "enabled": True, "model": "pests.onnx", "classes": ["whitefly"], "waiting": 1,
                "aside": 1, "workers": 1, "rate": 0.0, "error": None,
            },
        )  # fmt: skip
        self.assertEqual(self.looking.backlog, Backlog(1, 1))


class DeathTests(LookingCase):
    def test_two_deaths(self) -> None:
        """A photo that costs two workers their lives is set aside; those that were looked at
        beside it are not."""
        self.come(1, 2, 3)
        self.kill(self.hands.one, *self.numbers(3, 2))
        self.hands.one.see(self.number(1))
        self.assertEqual(self.hands.one.jobs, self.numbers(3))  # alone
        self.kill(self.hands.one, self.number(3))
        self.assertEqual(self.hands.one.jobs, self.numbers(2))  # alone
        self.hands.one.see(self.number(2))
        self.pass_time()
        self.assertEqual(self.backlog(), Backlog(0, 1))
        (aside,) = self.reader.aside()
        self.assertEqual(
            (aside.photo.id, aside.why), (self.number(3), "it was killed by signal 11")
        )
        self.assertEqual((self.looking.failed, self.looking.deaths), (1, 2))

    def test_over_a_restart(self) -> None:
        """That a photo is suspect is not forgotten by a restart."""
        self.come(1, 2)
        self.kill(self.hands.one, self.number(2))
        self.looking.stop()
        self.begin()
        self.assertEqual(self.hands.one.jobs, self.numbers(2))
        self.kill(self.hands.one, self.number(2))
        self.assertEqual(self.backlog(), Backlog(1, 1))

    def test_retry(self) -> None:
        """What was set aside is looked at once more when somebody wants that."""
        self.come(1)
        self.hands.one.fail(self.number(1), "it is too large")
        self.pass_time()
        self.assertEqual(self.successResultOf(self.looking.retry()), 1)
        self.pass_time()
        self.assertEqual(self.hands.one.jobs, self.numbers(1))
        self.assertEqual(self.successResultOf(self.looking.retry()), 0)

    def test_for_the_moment(self) -> None:
        """What failed for want of memory is tried once more."""
        self.come(1)
        self.hands.one.fail(self.number(1), "there is not memory enough", final=False)
        self.pass_time()
        self.assertEqual(self.hands.one.jobs, self.numbers(1))


class TermsTests(LookingCase):
    cameras = (
        CameraEntry(
            GREENHOUSE, detect_hours="18:00-08:00", timezone="Europe/Vienna",
            zones_in=Area((((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)),)),
            zones_out=Area((((0.5, 0.5), (0.6, 0.5), (0.6, 0.6)),)),
            detect_confidence=0.6, detect_tile=320,
        ),
        CameraEntry(ORCHARD, detect=False),
    )  # fmt: skip
    judge = JudgeConfig(enabled=True)

    def test_zones(self) -> None:
        """A camera's own zones and bounds are what its photos are looked at with."""
        self.come(1)
        told = next(hand for hand in self.hands.all if hand.jobs).told[-1]
        self.assertEqual(told["zones"]["in"], [[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]])
        self.assertEqual(told["zones"]["out"], [[[0.5, 0.5], [0.6, 0.5], [0.6, 0.6]]])
        self.assertEqual((told["confidence"], told["tile"]), (0.6, 320))

    def test_hours(self) -> None:
        """Outside of its hours, by its own clock, a camera's photos are only judged."""
        wanted = self.looking._terms.wanted
        for hour, detect in ((15.9, False), (16.1, True), (23, True), (5.9, True), (6.1, False)):
            taken = 1_786_752_000 + hour * 3600  # 2026-08-15 in UTC, when Vienna is two hours on
            self.assertEqual(wanted(GREENHOUSE, taken).detect, detect, hour)
            self.assertTrue(wanted(GREENHOUSE, taken).judge)

    def test_only_judged(self) -> None:
        """A camera without detection is judged by a worker that loads no model."""
        self.come(1, camera=ORCHARD)
        hand = next(hand for hand in self.hands.all if hand.jobs)
        self.assertIsNone(hand.setup.model)
        hand.see(self.number(1, ORCHARD), None, [Flag.DARK])
        self.pass_time()
        known = self.reader.of(self.number(1, ORCHARD))
        assert known is not None
        self.assertEqual((known.flags, known.model), ({Flag.DARK}, ""))

    def test_nobody_wants_it(self) -> None:
        """A photo that nobody wants looked at does not wait."""
        self.judge = JudgeConfig()
        self.configure()
        self.looking.sync()
        self.come(1, camera=ORCHARD)
        self.assertEqual(self.backlog(), Backlog(0, 0))
        self.assertEqual([hand for hand in self.hands.all if hand.jobs], [])


class ReloadTests(LookingCase):
    def test_another_model(self) -> None:
        """With another model in the configuration the old workers go, and no photo is lost."""
        self.come(1, 2)
        old = self.hands.one
        self.detect = attrs.evolve(self.detect, model=Path("/models/better.onnx"))
        self.configure()
        self.looking.sync()
        self.pass_time()
        self.assertTrue(old.over)
        self.assertEqual(self.hands.one.setup.model, Path("/models/better.onnx"))
        self.assertEqual(self.hands.one.jobs, self.numbers(2, 1))
        self.assertEqual(self.looking.deaths, 0)

    def test_other_bounds(self) -> None:
        """What no worker has yet is looked at as is wanted now; no photo is lost, none comes
        twice."""
        self.detect = attrs.evolve(self.detect, order="oldest")
        self.configure()
        self.looking.sync()
        self.come(*range(1, 30))
        hand = self.hands.one
        before = len(hand.told)
        self.detect = attrs.evolve(self.detect, confidence=0.6)
        self.configure()
        self.looking.sync()
        self.pass_time()
        seen = []
        while hand.jobs:
            seen += hand.see_all()
            self.pass_time()
        self.assertEqual({told["confidence"] for told in hand.told[before:]}, {0.6})
        self.assertEqual(sorted(seen), self.numbers(*range(1, 30)))

    def test_on_the_way(self) -> None:
        """What was fetched while the configuration changed is for whom it is meant now."""
        self.cameras = (CameraEntry(GREENHOUSE, detect=False),)
        self.configure()
        self.looking.sync()
        self.pass_time()
        self.shelf.held = []
        self.come(1)
        self.cameras = ()
        self.configure()
        self.looking.sync()
        self.shelf.go_on()
        self.pass_time()
        self.assertEqual(self.backlog(), Backlog(1, 0))
        self.assertEqual(self.hands.one.jobs, self.numbers(1))

    def test_another_file(self) -> None:
        """A model that was replaced under its name is taken up, too."""
        model = self.shelf.root / "model.onnx"
        model.write_bytes(b"one")
        self.detect = attrs.evolve(self.detect, model=model)
        self.configure()
        self.looking.sync()
        old = self.hands.one
        self.looking.sync()
        self.assertFalse(old.over)
        model.write_bytes(b"another")
        self.looking.sync()
        self.assertTrue(old.over)

    def test_off_and_on(self) -> None:
        """Switched off, photos do not wait and nobody works; switched on again, they do."""
        self.configure(detect=DetectConfig())
        self.looking.sync()
        self.come(1)
        self.assertEqual((self.backlog(), self.hands.alive), (Backlog(0, 0), []))
        self.configure()
        self.looking.sync()
        self.come(2)
        self.assertEqual(self.hands.one.jobs, self.numbers(2))

    def test_alerts_that_nothing_can_raise(self) -> None:
        """An alert that counts what no model looks for is told of, once; so behind a reload."""
        lines: list[str] = []

        def hear(event: Any) -> None:
            if "an alert counts" in (event.get("log_format") or ""):
                lines.append(formatEvent(event))

        globalLogPublisher.addObserver(hear)
        self.addCleanup(globalLogPublisher.removeObserver, hear)
        rules = [AlertEntry(read_when(f"{label} >= 2 per night")) for label in ("whitefly", "gnat")]
        self.configure(alert=tuple(rules))
        for _ in range(2):
            self.looking.sync()
        self.pass_time(POLL)
        whose = "an alert counts {}, which no model looks for: there are {}"
        self.assertEqual(lines, [whose.format("gnat", "whitefly")])
        self.configure(alert=tuple(rules), detect=DetectConfig())
        self.looking.sync()
        self.assertEqual(lines[1:], [whose.format("whitefly", "none")])

    def test_other_rules(self) -> None:
        """More workers are there at once."""
        self.come(*range(20))
        self.detect = attrs.evolve(self.detect, workers=2)
        self.configure()
        self.looking.sync()
        self.assertEqual(len(self.hands.alive), 2)


class TwoModelsTests(LookingCase):
    cameras = (CameraEntry(ORCHARD, detect_model=Path("/models/moths.onnx")),)

    def of(self, model: str) -> Hand:
        return next(h for h in self.hands.alive if h.setup.model == Path(f"/models/{model}.onnx"))

    def test_each_its_own(self) -> None:
        """Each camera's photos are looked at by the model that is meant for it, and what they
        find is told under that model's name."""
        moths = Ready("moths.onnx", "cd" * 32, ("moth",), (640, 640))
        self.come(1)
        self.of("moths").worker.ready = moths
        self.come(2, camera=ORCHARD)
        self.assertEqual(self.of("pests").jobs, [self.number(1)])
        self.assertEqual(self.of("moths").jobs, [self.number(2, ORCHARD)])
        self.of("moths").see_all([Detection("moth", 0.8, fly().box)])
        self.of("pests").see_all([fly()])
        self.pass_time()
        found = [self.reader.of(id) for id in (self.number(1), self.number(2, ORCHARD))]
        self.assertEqual([of.model for of in found if of], ["pests.onnx", "moths.onnx"])

    def test_one_is_bad(self) -> None:
        """The photos of a camera whose model is no good wait, and hold nobody up."""
        self.looking.stop()
        self.begin(at_once=False)
        self.of("moths").unready("it is no model")
        self.of("pests").ready()
        self.come(*range(1, 300), camera=ORCHARD)
        self.come(1)
        self.assertEqual(self.of("pests").jobs, [self.number(1)])
        self.assertEqual(self.looking.error, "it is no model")
        self.assertEqual(self.backlog().waiting, 300)
        self.clock.advance(UNREADY_AGAIN[0])
        self.of("moths").ready()
        self.pass_time(10)
        self.assertEqual(len(self.of("moths").jobs), 4)


class MoodTests(LookingCase):
    judge = JudgeConfig(enabled=True, poor_after=3)

    def judged(self, seq: int, *flags: Flag, mark: bytes = b"") -> None:
        self.come(seq)
        hand = self.hands.one
        hand.see(self.number(seq), [], flags, mark or b"%d" % seq)
        self.pass_time()

    def test_poor_and_good(self) -> None:
        """So many bad ones in a row are news, once; and so is the first good one then."""
        for seq in range(1, 6):
            self.judged(seq, Flag.BLURRED)
        (item,) = self.told(Kind.POOR)
        self.assertEqual((item.camera, item.text),
                         (GREENHOUSE, "its photos have gone bad: blurred"))  # fmt: skip
        self.assertEqual(item.photo, (GREENHOUSE, BOOT, 3))
        self.judged(6)
        self.judged(7)
        (good,) = self.told(Kind.GOOD)
        self.assertEqual(good.photo, (GREENHOUSE, BOOT, 6))
        self.assertEqual(self.looking.flags, {Flag.BLURRED: 5})

    def test_not_in_a_row(self) -> None:
        """A bad one now and then is nothing, and a dark night neither."""
        for seq in range(1, 12):
            self.judged(seq, *((Flag.BLURRED,) if seq % 3 else (Flag.DARK,)))
        self.assertEqual((self.told(Kind.POOR), self.told(Kind.GOOD)), ([], []))
        self.assertEqual(len(self.told(Kind.FOUND)), 11)

    def test_frozen(self) -> None:
        """A camera that gives the same picture again and again has gone bad."""
        for seq in range(1, 6):
            self.judged(seq, mark=b"same")
        (item,) = self.told(Kind.POOR)
        self.assertEqual(item.photo, (GREENHOUSE, BOOT, 4))

    def test_over_a_restart(self) -> None:
        """Neither news is told twice, nor forgotten, when camd starts anew."""
        for seq in range(1, 4):
            self.judged(seq, Flag.BLURRED)
        self.looking.stop()
        self.begin()
        self.judged(4, Flag.BLURRED)
        self.assertEqual(self.told(Kind.POOR), [])
        self.judged(5)
        self.assertEqual(len(self.told(Kind.GOOD)), 1)

    def test_over_a_change(self) -> None:
        """What was told of is over with the first good one, whatever is bad by now, if anything."""
        for number, judge in enumerate(
            (JudgeConfig(enabled=True, poor=("frozen",)), JudgeConfig(enabled=True, poor_after=0)),
            1,
        ):
            self.looking.stop()
            self.poor = frozenset({GREENHOUSE})
            self.configure(judge=judge)
            self.begin()
            self.judged(number)
            self.assertEqual(len(self.told(Kind.GOOD)), 1, judge)

    def test_late_ones(self) -> None:
        """What is looked at late says nothing of how things are now."""
        moods = Moods(frozenset({Flag.BLURRED}), 2)
        bad = frozenset({Flag.BLURRED})
        self.assertIsNone(moods.seen(GREENHOUSE, 100, frozenset()))
        for taken in (10, 20, 30):
            self.assertIsNone(moods.seen(GREENHOUSE, taken, bad))
        self.assertIsNone(moods.seen(GREENHOUSE, 110, bad))
        self.assertIs(moods.seen(GREENHOUSE, 120, bad), Kind.POOR)

    def test_never(self) -> None:
        """With 0 nothing of it is news."""
        moods = Moods(frozenset(Flag), 0)
        self.assertEqual({moods.seen(GREENHOUSE, at, frozenset(Flag)) for at in range(9)}, {None})


class UnbrokenTests(LookingCase):
    def test_good_again(self) -> None:
        """Where only a model looks, a photo that is not broken is a good one."""
        for seq in range(1, 11):
            self.come(seq)
            self.hands.one.see(self.number(seq), None, [] if seq in (2, 9) else [Flag.BROKEN])
            self.pass_time()
        (poor,), (good,) = self.told(Kind.POOR), self.told(Kind.GOOD)
        self.assertEqual((poor.photo, good.photo), ((GREENHOUSE, BOOT, 7), (GREENHOUSE, BOOT, 9)))

    def test_broken(self) -> None:
        """A photo that no model can look at is told as broken, judged or not, and is not taken for
        an empty one."""
        self.come(1)
        self.hands.one.see(self.number(1), None, [Flag.BROKEN])
        self.pass_time()
        known = self.reader.of(self.number(1))
        assert known is not None
        self.assertEqual((known.flags, known.model), ({Flag.BROKEN}, ""))
        self.assertEqual(self.backlog(), Backlog(0, 0))


class LightTests(SynchronousTestCase):
    def test_no_network_in_the_daemon(self) -> None:
        """Nothing of what looks is in the daemon: neither numpy nor the network."""
        program = (
            "import sys, camd.service\n"
            "print([m for m in ('numpy', 'PIL', 'onnxruntime') if m in sys.modules])"
        )
        found = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        self.assertEqual(found.stdout.strip(), "[]")
