"""A model looks at what is in the store already: all of it, once, whatever comes in between."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from camd.cli.detect import farewell
from camd.config import CameraEntry, Config
from camd.config.looking import DetectConfig
from camd.detect.crew import Rules
from camd.detect.rerun import GATHER, Range, Rerun, UnableError
from camd.detect.terms import Terms
from camd.findings import Flag, Look
from camd.photo import CameraId
from camd.store.findings import Backlog, FindingsReader
from camd.store.findings_writer import FindingsWriter
from camd.store.schema import CatalogError
from tests.lookers import Hands, fly
from tests.test_catalog import BOOT, GREENHOUSE, NIGHT, ORCHARD, CatalogCase, receipt


class RerunCase(CatalogCase):
    """Photos 1 to 6 of the greenhouse, and 7 to 9 of the orchard."""

    cameras: tuple[CameraEntry, ...] = ()

    def setUp(self) -> None:
        super().setUp()
        self.root = self.path.parent
        self.clock = Clock()
        self.hands = Hands()
        self.told: list[tuple[int, int]] = []
        receipts = [receipt(seq) for seq in range(1, 7)]
        receipts += [receipt(seq, ORCHARD) for seq in range(7, 10)]
        self.catalog.add_many(receipts)
        for each in receipts:
            path = self.root / each.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"photo")
        self.reader = FindingsReader(self.catalog)

    def begin(self, **range: Any) -> "Deferred[None]":
        config = Config(detect=DetectConfig(model=Path("/models/pests.onnx")), camera=self.cameras)
        terms = Terms(config)
        self.rerun = Rerun(
            self.catalog, self.root, terms, Range(**range), self.clock, lambda: NIGHT,
            lambda done, total: self.told.append((done, total)),
        )  # fmt: skip
        outfit = terms.outfit(GREENHOUSE)
        assert outfit is not None
        return self.rerun.run(outfit, Rules(), self.hands)

    def through(self, **range: Any) -> list[int]:
        """The seqs of all that is looked at, in that order."""
        done = self.begin(**range)
        seen = [id for hand in self.hands.alive for id in hand.see_all([fly()])]
        self.successResultOf(done)
        self.assertEqual((self.hands.alive, self.clock.getDelayedCalls()), ([], []))
        return [self.seq(id) for id in seen]

    def seq(self, id: int) -> int:
        entry = self.catalog.entry(id)
        assert entry is not None
        return entry.seq

    def number(self, seq: int, camera: CameraId = GREENHOUSE) -> int:
        entry = self.catalog.find((camera, BOOT, seq))
        assert entry is not None
        return entry.id


class RerunTests(RerunCase):
    def test_all_of_it(self) -> None:
        """Every photo is looked at, oldest or newest first, and what is found is counted."""
        self.assertEqual(self.through(), [*range(1, 10)])
        self.assertEqual((self.rerun.photos, dict(self.rerun.found)), (9, {"whitefly": 9}))
        self.assertEqual(self.told[-1], (9, 9))
        self.assertEqual(self.reader.classes(), {"whitefly": 9})

    def test_only_once(self) -> None:
        """What the model has seen is left out, unless it is to look again."""
        self.through()
        self.assertEqual(self.through(), [])
        self.assertEqual(self.through(again=True, newest_first=True), [*range(9, 0, -1)])

    def test_useless_ones(self) -> None:
        """What is known to be too dark to look at is not looked at each time anew."""
        writer = FindingsWriter(self.catalog)
        for seq, flag in ((1, Flag.DARK), (2, Flag.BLURRED), (3, Flag.BROKEN)):
            writer.looked(None, [Look(self.number(seq), None, frozenset({flag}))], 1)
        self.assertEqual(self.through(cameras=(GREENHOUSE,)), [2, 4, 5, 6])
        self.assertEqual(self.told[-1], (4, 4))
        self.assertEqual(self.through(cameras=(GREENHOUSE,), again=True), [*range(1, 7)])

    def test_chosen(self) -> None:
        """Of some cameras and some time only."""
        self.assertEqual(self.through(cameras=(ORCHARD,)), [7, 8, 9])
        start = round(NIGHT * 1000)
        within = {"since_ms": start + 2000, "until_ms": start + 8000}
        self.assertEqual(self.through(**within), [2, 3, 4, 5, 6])
        self.assertEqual(self.through(without=frozenset({ORCHARD})), [1])
        self.assertEqual(self.rerun.left_out, 0)

    def test_goes_on(self) -> None:
        """What was seen when it is stopped stays, and the next time goes on from there."""
        done = self.begin()
        for id in self.hands.one.jobs[:3]:
            self.hands.one.see(id)
        self.rerun.stop()
        self.successResultOf(done)
        self.assertEqual(self.hands.alive, [])
        self.assertIn("goes on from here", farewell([Range()]))
        self.assertEqual(self.through(), [4, 5, 6, 7, 8, 9])
        self.assertIn("begins anew", farewell([Range(), Range(again=True)]))
        self.assertEqual(self.through(again=True), list(range(1, 10)))

    def test_as_it_goes(self) -> None:
        """What was seen is written down soon, not at the end."""
        done = self.begin()
        self.hands.one.see(self.number(1))
        self.clock.advance(GATHER)
        self.assertIsNotNone(self.reader.of(self.number(1)))
        self.rerun.stop()
        self.successResultOf(done)

    def test_what_could_not_be_written(self) -> None:
        """Where what was seen cannot be written down, only that counts which was before."""
        done = self.begin()
        self.hands.one.see(self.number(1), [fly()])
        self.clock.advance(GATHER)
        self.catalog.one("PRAGMA query_only = ON")
        self.hands.one.see(self.number(2), [fly()])
        self.hands.one.fail(self.number(3), "it is no picture")
        self.assertEqual(self.told[-1], (3, 9))
        self.clock.advance(GATHER)
        self.failureResultOf(done, CatalogError)
        rerun = self.rerun
        self.assertEqual((rerun.photos, rerun.aside, dict(rerun.found)), (1, 0, {"whitefly": 1}))

    def test_deaths(self) -> None:
        """The photo that costs two workers their lives is set aside, and left out from then on."""
        done = self.begin()
        for _ in range(2):
            self.hands.one.begin(self.number(2))
            self.hands.one.end(signal=11)
            self.clock.advance(1)
        self.hands.one.see_all()
        self.successResultOf(done)
        self.assertEqual((self.rerun.photos, self.rerun.aside), (8, 1))
        self.assertEqual(self.reader.backlog(), Backlog(0, 1))
        self.assertEqual(self.reader.aside()[0].why, "it was killed by signal 11")
        self.assertEqual(self.through(again=True), [1, *range(3, 10)])

    def test_deleted_meanwhile(self) -> None:
        """Photos may go while it runs."""
        done = self.begin()
        gone = self.number(2)
        entry = self.catalog.entry(gone)
        assert entry is not None
        (self.root / entry.path).unlink()
        self.catalog.mark_deleted([gone], 1)
        self.hands.one.fail(gone, "No such file or directory")
        self.hands.one.see_all()
        self.successResultOf(done)
        self.assertEqual((self.rerun.photos, self.rerun.aside, self.rerun.left_out), (8, 0, 1))
        self.assertEqual(self.reader.backlog(), Backlog(0, 0))

    def test_no_model(self) -> None:
        """Where there is no use in the model, that is said, and nobody waits."""
        self.hands.at_once = False
        done = self.begin()
        self.hands.one.unready("it is no model")
        failure = self.failureResultOf(done, UnableError)
        self.assertEqual(str(failure.value), "it is no model")
        self.assertEqual(self.clock.getDelayedCalls(), [])


class HoursTests(RerunCase):
    cameras = (CameraEntry(GREENHOUSE, timezone="UTC", detect_hours="23:00-04:00"),)

    def test_hours(self) -> None:
        """Photos that were taken outside of a camera's hours are left out."""
        self.assertEqual(self.through(), [7, 8, 9])
        self.assertEqual((self.rerun.left_out, self.told[-1]), (6, (9, 9)))
