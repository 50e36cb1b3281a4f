"""Retention lets go what the rules say, thins before it deletes, and touches nothing else."""

import os
import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import count, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from camd.photo import Boot, CameraId, Door, Receipt
from camd.store import retention
from camd.store.catalog import Catalog
from camd.store.entry import Candidate, Totals
from camd.store.level import DirtyList, level
from camd.store.naming import photo_name
from camd.store.retention import (
    DAY_MS,
    HOUR_MS,
    Policies,
    Policy,
    SweepReport,
    decide,
    older,
    surplus,
    sweep,
)
from tests.pictures import insects, measure

NOW_MS = 1_786_832_103_000
LONG_AGO_MS = NOW_MS - 300 * 86_400_000
HOUR = 3600
DAY = 24 * HOUR
GREENHOUSE = CameraId("greenhouse-1")
ORCHARD = CameraId("orchard")
BOOT = Boot("00c0ffee00c0ffee")


@st.composite
def shelves(draw: st.DrawFn) -> list[Candidate]:
    """Photos of some cameras over three weeks, many of them close together, by time."""
    photos = draw(
        st.lists(
            st.tuples(
                st.integers(1, 3),
                st.one_of(st.integers(-2, 40), st.integers(0, 21 * 24 * 4)),
                st.one_of(st.just(0), st.integers(0, DAY_MS)),
                st.integers(1, 1000),
                st.integers(0, 4),
            ),
            max_size=60,
        )
    )
    found = [
        Candidate(id, camera, NOW_MS - quarter * HOUR_MS // 4, 0, size, luck == 0)
        for id, (camera, quarter, _, size, luck) in enumerate(photos, 1)
    ]
    found = [
        photo._replace(received_ms=min(NOW_MS, photo.taken_ms + late))
        for photo, (_, _, late, _, _) in zip(found, photos, strict=True)
    ]
    return sorted(found, key=lambda photo: (photo.taken_ms, photo.id))


policies = st.builds(
    Policy,
    max_age=st.sampled_from([0, HOUR, DAY, 5 * DAY]),
    max_bytes=st.integers(0, 20_000),
    thin_after=st.sampled_from([0, HOUR, 2 * DAY]),
    thin_to=st.sampled_from([0, HOUR, 6 * HOUR]),
)


def age_ms(photo: Candidate) -> int:
    return NOW_MS - max(photo.taken_ms, photo.received_ms)


def chosen(shelf: list[Candidate], policy: Policy) -> list[Candidate]:
    return list(decide(lambda: shelf, policy, NOW_MS, sum(photo.size for photo in shelf)))


class Decisions(SynchronousTestCase):
    @given(shelves(), policies)
    def test_kept(self, shelf: list[Candidate], policy: Policy) -> None:
        """What is starred or labelled never goes, and nothing goes twice."""
        gone = chosen(shelf, policy)
        self.assertFalse([photo for photo in gone if photo.kept])
        self.assertEqual(len({photo.id for photo in gone}), len(gone))

    @given(shelves(), policies)
    def test_settled(self, shelf: list[Candidate], policy: Policy) -> None:
        """Asked again when all of it is gone, nothing more is to go."""
        gone = {photo.id for photo in chosen(shelf, policy)}
        left = [photo for photo in shelf if photo.id not in gone]
        self.assertEqual(chosen(left, policy), [])

    @given(shelves(), st.sampled_from([HOUR, DAY, 5 * DAY]))
    def test_age(self, shelf: list[Candidate], max_age: int) -> None:
        """Exactly those go that are older by both their times, oldest first."""
        gone = chosen(shelf, Policy(max_age=max_age))
        wanted = [p for p in shelf if not p.kept and age_ms(p) > max_age * 1000]
        self.assertEqual(gone, wanted)

    @given(shelves(), st.integers(0, 30_000))
    def test_size(self, shelf: list[Candidate], max_bytes: int) -> None:
        """As many go as it takes, the last of them being needed; fewer only where the rest
        may not go."""
        gone = chosen(shelf, Policy(max_bytes=max_bytes))
        left = sum(photo.size for photo in shelf) - sum(photo.size for photo in gone)
        if max_bytes == 0:
            self.assertEqual(gone, [])
        elif left > max_bytes:
            self.assertEqual({p.id for p in shelf} - {p.id for p in gone}, kept_ids(shelf))
        elif gone:
            self.assertGreater(left + gone[-1].size, max_bytes)

    @given(shelves(), st.integers(1, 30_000))
    def test_thinned_first(self, shelf: list[Candidate], max_bytes: int) -> None:
        """A photo that is alone in its day goes only when all older days are down to one
        photo each, and all older hours of the last week too."""
        gone = chosen(shelf, Policy(max_bytes=max_bytes))
        hourly = {p.id for p in surplus(shelf, HOUR_MS, NOW_MS - DAY_MS) if not p.kept}
        ids = [photo.id for photo in gone]
        self.assertEqual(set(ids[: len(hourly)]) - hourly, set())
        thinned = [p for p in shelf if p.id not in hourly]
        daily = {p.id for p in surplus(thinned, DAY_MS, NOW_MS - 7 * DAY_MS) if not p.kept}
        self.assertEqual(set(ids[len(hourly) : len(hourly) + len(daily)]) - daily, set())
        rest = gone[len(hourly) + len(daily) :]
        for before, after in pairwise(rest):
            self.assertLess((before.taken_ms, before.id), (after.taken_ms, after.id))

    @given(shelves(), st.sampled_from([HOUR, 2 * DAY]), st.sampled_from([HOUR, 6 * HOUR]))
    def test_thinned(self, shelf: list[Candidate], after: int, to: int) -> None:
        """Each camera keeps the first photo of every slot, and all that is not old enough."""
        gone = chosen(shelf, Policy(thin_after=after, thin_to=to))
        left = [photo for photo in shelf if photo not in gone]
        self.assertTrue(all(age_ms(photo) > after * 1000 for photo in gone))

        def slot(photo: Candidate) -> tuple[int, int]:
            return photo.camera, photo.taken_ms // (to * 1000)

        first = {slot(photo): photo for photo in reversed(shelf)}
        for photo in first.values():
            self.assertIn(photo, left)
        for photo in left:
            self.assertTrue(
                photo.kept or age_ms(photo) <= after * 1000 or photo is first[slot(photo)]
            )

    def test_order(self) -> None:
        """Room is made by thinning old hours, then old days, then by the oldest, and what is
        of today goes last."""
        shelf = [
            Candidate(id, 1, NOW_MS // DAY_MS * DAY_MS + at, LONG_AGO_MS, 10, False)
            for id, at in enumerate(
                [
                    -9 * DAY_MS, -9 * DAY_MS + 60_000, -9 * DAY_MS + HOUR_MS,
                    -3 * DAY_MS, -3 * DAY_MS + 60_000, -3 * DAY_MS + HOUR_MS,
                    60_000, 120_000,
                ],
                1,
            )
        ]  # fmt: skip
        gone = [photo.id for photo in chosen(shelf, Policy(max_bytes=1))]
        self.assertEqual(gone, [2, 5, 3, 1, 4, 6, 7, 8])
        self.assertEqual([p.id for p in chosen(shelf, Policy(max_bytes=55))], [2, 5, 3])
        self.assertEqual([p.id for p in chosen(shelf, Policy(max_bytes=80))], [])

    def test_refused(self) -> None:
        """What could not go is not counted as freed, and not asked for again: others go."""
        then = (NOW_MS // DAY_MS - 9) * DAY_MS
        shelf = [Candidate(id, 1, then + id, LONG_AGO_MS, 10, False) for id in range(1, 6)]
        refused: set[int] = set()
        asked = []
        for photo in decide(lambda: shelf, Policy(max_bytes=20), NOW_MS, 50, refused):
            asked.append(photo.id)
            if photo.id in {2, 3}:
                refused.add(photo.id)
        self.assertEqual(asked, [2, 3, 4, 5, 1])

    def test_lazy(self) -> None:
        """No more photos are read than it takes to find those that are asked for."""
        read: list[int] = []

        def photos() -> Iterator[Candidate]:
            for id in range(1, 1000):
                read.append(id)
                yield Candidate(id, 1, LONG_AGO_MS, LONG_AGO_MS, 10, False)

        going = decide(photos, Policy(max_age=1), NOW_MS, 0)
        self.assertEqual([next(going).id for _ in range(3)], [1, 2, 3])
        self.assertEqual(len(read), 3)

    def test_older_stops(self) -> None:
        """Photos at or behind the limit are not old, the later of two times counting."""
        shelf = [
            Candidate(1, 1, NOW_MS - 5, NOW_MS - 1, 1, False),
            Candidate(2, 1, NOW_MS - 4, NOW_MS, 1, False),
            Candidate(3, 1, NOW_MS, NOW_MS - 7, 1, False),
        ]
        self.assertEqual([photo.id for photo in older(shelf, NOW_MS)], [1])

    def test_came_late(self) -> None:
        """A photo that came just now is not thinned, whenever it was taken."""
        at = NOW_MS - NOW_MS % HOUR_MS
        shelf = [
            Candidate(1, 1, at, at, 1, False),
            Candidate(2, 1, at + 1, at + 1, 1, False),
            Candidate(3, 1, at + 2, at + 60_000, 1, False),
            Candidate(4, 1, at + 3, at + 2, 1, False),
        ]
        self.assertEqual([photo.id for photo in surplus(shelf, HOUR_MS, at + 50_000)], [2, 4])

    def test_no_clock(self) -> None:
        """Of a photo that came before this machine had learnt the time nobody knows how old it is:
        age does not take it, want of room does."""
        shelf = [Candidate(id, 1, 1000 * id, 1000 * id, 1, False) for id in (1, 2)]
        self.assertEqual(chosen(shelf, Policy(HOUR, 0, HOUR, HOUR)), [])
        self.assertEqual(chosen(shelf, Policy(max_bytes=1)), shelf[:1])

    def test_negative(self) -> None:
        """A negative limit is a mistake, and no limit none."""
        with self.assertRaises(ValueError):
            Policy(max_bytes=-1)
        self.assertFalse(Policy(thin_after=5).limits)
        self.assertTrue(Policy(max_age=1).limits)


def kept_ids(shelf: list[Candidate]) -> set[int]:
    return {photo.id for photo in shelf if photo.kept}


class Sweeping(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        (self.root / ".camd").mkdir(parents=True)
        self.catalog = Catalog.open(self.root / ".camd" / "catalog.sqlite")
        self.addCleanup(self.catalog.close)

    def put(self, seq: int, age: float, camera: CameraId = GREENHOUSE) -> Receipt:
        """A photo taken *age* seconds ago is on the disk and in the catalog."""
        when = NOW_MS / 1000 - age
        data = insects(seq % 5)
        day = photo_name(camera, when, BOOT, seq)[len(camera) + 1 :][:8]
        folder = f"{camera}/{day[:4]}-{day[4:6]}-{day[6:]}"
        path = f"{folder}/{photo_name(camera, when, BOOT, seq)}"
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(data)
        told = Receipt(
            camera, BOOT, seq, len(data), zlib.crc32(data), 320, 240, path, when, when, Door.V2
        )
        self.catalog.add_many([told])
        return told

    def sweep(self, policies: Policies, budget: int = 500) -> SweepReport:
        return sweep(self.catalog, self.root, policies, NOW_MS / 1000, budget)

    def on_disk(self) -> list[str]:
        found = (path.relative_to(self.root) for path in self.root.rglob("*.jpg"))
        return sorted(str(path) for path in found)

    def in_catalog(self) -> list[str]:
        return sorted(entry.path for entry in self.catalog.photos(limit=1000))

    def test_old_ones(self) -> None:
        """What is too old is gone from the disk and the catalog, with the folder that is
        empty by it; the rest is there, byte for byte."""
        old, fresh = self.put(1, 5 * DAY), self.put(2, HOUR)
        kept = self.put(3, 4 * DAY)
        self.catalog.star([3])
        before = (self.root / fresh.path).read_bytes()
        report = self.sweep(Policies(each=Policy(max_age=DAY)))
        day = old.path.rpartition("/")[0]
        self.assertEqual(report, SweepReport(1, old.size, 0, [], [day], False))
        self.assertEqual(self.on_disk(), sorted([fresh.path, kept.path]))
        self.assertEqual(self.in_catalog(), sorted([fresh.path, kept.path]))
        self.assertEqual((self.root / fresh.path).read_bytes(), before)
        self.assertFalse((self.root / day).exists())
        self.assertTrue((self.root / GREENHOUSE).exists())
        found = self.catalog.find(old.key)
        assert found is not None
        self.assertEqual(found.deleted_ms, NOW_MS)

    def test_nothing_to_do(self) -> None:
        """Without limits nothing goes."""
        told = self.put(1, 9999 * DAY)
        self.assertEqual(self.sweep(Policies()), SweepReport())
        self.assertEqual(self.on_disk(), [told.path])

    def test_by_camera(self) -> None:
        """A camera's own rules take the place of everybody's; those over all hold besides."""
        self.put(1, 5 * DAY)
        theirs, old = self.put(2, 5 * DAY, ORCHARD), self.put(3, 50 * DAY, ORCHARD)
        policies = Policies(
            overall=Policy(max_age=40 * DAY),
            each=Policy(max_age=DAY),
            cameras={ORCHARD: Policy(max_age=100 * DAY)},
        )
        self.assertEqual(self.sweep(policies).deleted, 2)
        self.assertEqual(self.on_disk(), [theirs.path])
        self.assertFalse((self.root / old.path).exists())

    def test_size_of_all(self) -> None:
        """The limit over all is kept by the oldest photos of any camera, those counted in that
        went by their own camera's rules."""
        told = [
            self.put(seq, (20 - seq) * 60, (GREENHOUSE, ORCHARD)[seq % 2]) for seq in range(1, 9)
        ]
        limit = sum(photo.size for photo in told[3:])
        policies = Policies(
            overall=Policy(max_bytes=limit), cameras={ORCHARD: Policy(max_age=18.5 * 60)}
        )
        report = self.sweep(policies)
        self.assertEqual(report.deleted, 3)
        self.assertEqual(self.on_disk(), sorted(photo.path for photo in told[3:]))
        self.assertLessEqual(sum(t.bytes for t in self.catalog.totals().values()), limit)

    def test_budget(self) -> None:
        """Bounded sweeps come, one after the other, to the end that an unbounded one has."""
        for seq in range(1, 12):
            self.put(seq, 5 * DAY + seq)
        policies = Policies(each=Policy(max_age=DAY))
        reports = [self.sweep(policies, 4) for _ in range(3)]
        self.assertEqual([r.deleted for r in reports], [4, 4, 3])
        self.assertEqual([r.more for r in reports], [True, True, False])
        self.assertEqual(self.on_disk(), [])
        self.assertEqual(self.catalog.totals(), {GREENHOUSE: Totals(0, 0)})

    def test_slow_disk(self) -> None:
        """A sweep that takes long lets others to the catalog, and goes on the next time."""
        for seq in range(1, 6):
            self.put(seq, 5 * DAY + seq)
        clock = count(0, 0.4)
        self.patch(retention, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        policies = Policies(each=Policy(max_age=DAY))
        reports = [self.sweep(policies) for _ in range(2)]
        self.assertEqual([(r.deleted, r.more) for r in reports], [(4, True), (1, False)])

    def test_little_is_read(self) -> None:
        """Where there are thousands of cameras: of one of which nothing is to go only a few photos
        are looked at, and none once the budget is used up."""
        for seq in range(1, 31):
            self.put(seq, HOUR - seq)
        for seq in (1, 2):
            self.put(seq, 5 * DAY + seq, ORCHARD)
            self.put(seq, 5 * DAY + seq, CameraId("vineyard"))
        read: Counter[str] = Counter()
        candidates = self.catalog.candidates

        def noted(camera: CameraId, *more: Any) -> list[Candidate]:
            page = candidates(camera, *more)
            read[camera] += len(page)
            return page

        self.patch(self.catalog, "candidates", noted)
        report = self.sweep(Policies(each=Policy(max_age=DAY)), 2)
        self.assertEqual((report.deleted, report.more), (2, True))
        self.assertLess(read[GREENHOUSE], 10)
        self.assertEqual(set(read), {GREENHOUSE, ORCHARD})

    def test_changed(self) -> None:
        """A file that is not as camd wrote it, or that is none, stays, and others go for it."""
        told = [self.put(seq, 10 * 60 - seq) for seq in range(1, 6)]
        edited, linked = (self.root / photo.path for photo in told[:2])
        with edited.open("ab") as file:
            file.write(b"a caption")
        outside = self.root / "outside"
        linked.rename(outside)
        linked.symlink_to(outside.absolute())
        limit = sum(photo.size for photo in told) - told[2].size
        report = self.sweep(Policies(overall=Policy(max_bytes=limit)))
        self.assertEqual(
            [line.split(":")[0] for line in report.refused], [told[0].path, told[1].path]
        )
        self.assertEqual(report.deleted, 1)
        self.assertTrue(outside.exists() and linked.is_symlink() and edited.exists())
        self.assertFalse((self.root / told[2].path).exists())

    def test_behind_a_link(self) -> None:
        """A folder that somebody moved, and linked to, keeps its photos."""
        told = self.put(1, 5 * DAY)
        (self.root / GREENHOUSE).rename(self.root / "moved")
        (self.root / GREENHOUSE).symlink_to("moved")
        report = self.sweep(Policies(each=Policy(max_age=DAY)))
        self.assertEqual((report.deleted, len(report.refused)), (0, 1))
        self.assertEqual(self.in_catalog(), [told.path])
        self.assertTrue((self.root / told.path).exists())

    def test_strangers(self) -> None:
        """A file that the catalog does not have stays, and so its folder."""
        told = self.put(1, 5 * DAY)
        stranger = (self.root / told.path).with_name("mine.jpg")
        stranger.write_bytes(insects(9))
        report = self.sweep(Policies(each=Policy(max_age=DAY, max_bytes=1)))
        self.assertEqual((report.deleted, report.folders), (1, []))
        self.assertTrue(stranger.exists())

    def test_interrupted(self) -> None:
        """A photo that is gone from the disk only, by a crash in between, is gone from the
        catalog after the next sweep; or after levelling, for its folder was named before."""
        told = self.put(1, 5 * DAY)
        (self.root / told.path).unlink()
        report = self.sweep(Policies(each=Policy(max_age=DAY)))
        self.assertEqual((report.deleted, report.vanished), (0, 1))
        self.assertEqual(self.in_catalog(), [])

        dirty = DirtyList(self.root / ".camd" / "dirty")
        self.addCleanup(dirty.close)
        again = self.put(2, 5 * DAY)
        sweep(
            self.catalog, self.root, Policies(each=Policy(max_age=DAY)), NOW_MS / 1000, dirty=dirty
        )
        folder = again.path.rpartition("/")[0]
        self.assertEqual(dirty.folders, {folder})
        lost = self.put(3, 5 * DAY)
        os.unlink(self.root / lost.path)
        level(self.root, self.catalog, dirty.folders, measure)
        self.assertEqual(self.in_catalog(), [])

    def test_starred_meanwhile(self) -> None:
        """A photo that is starred while the sweep is under way stays."""
        told = [self.put(seq, 5 * DAY - seq) for seq in (1, 2)]
        catalog = self.catalog

        class Starring(DirtyList):
            def add(self, folder: str) -> None:
                catalog.star([2])

        dirty = Starring(self.root / ".camd" / "dirty")
        self.addCleanup(dirty.close)
        policies = Policies(each=Policy(max_age=DAY))
        report = sweep(catalog, self.root, policies, NOW_MS / 1000, dirty=dirty)
        self.assertEqual((report.deleted, self.on_disk()), (1, [told[1].path]))

    def test_flat(self) -> None:
        """In a flat store photos go, and the store's root never."""
        data = insects(1)
        (self.root / "0001.jpg").write_bytes(data)
        then = NOW_MS / 1000 - 5 * DAY
        self.catalog.add_many(
            [Receipt(ORCHARD, BOOT, 1, len(data), 0, 320, 240, "0001.jpg", then, then, Door.V2)]
        )
        report = self.sweep(Policies(each=Policy(max_age=DAY)))
        self.assertEqual((report.deleted, report.folders, self.on_disk()), (1, [], []))
        self.assertTrue(self.root.exists())

    def test_thinned_on_disk(self) -> None:
        """Of each hour older than a day the first photo is left."""
        begins = NOW_MS // HOUR_MS * HOUR
        ages = [NOW_MS / 1000 - begins + 3 * DAY - minutes * 60 for minutes in range(0, 120, 15)]
        told = [self.put(seq, age) for seq, age in enumerate(ages, 1)]
        today = self.put(50, 60), self.put(51, 30)
        self.sweep(Policies(each=Policy(thin_after=DAY, thin_to=HOUR)))
        left = [told[0], told[4], *today]
        self.assertEqual(self.on_disk(), sorted(photo.path for photo in left))
