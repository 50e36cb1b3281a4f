"""The check finds every kind of fault, and mends it without losing a byte."""

import os

from camd.store.check import CheckReport, check
from tests.pictures import insects, measure
from tests.test_level import DAY, FOLDER, GREENHOUSE, LATER, ORCHARD, StoreCase


class Check(StoreCase):
    def check(self, fix: bool = False) -> CheckReport:
        return check(self.root, self.catalog, fix, measure, now=lambda: LATER)

    def assertSound(self) -> None:
        """Nothing is wrong (any more)."""
        self.assertEqual(self.check().faults, 0)

    def test_sound(self) -> None:
        """A store without fault is found so, and told of as it is looked through."""
        self.catalog.add_many([self.put(1), self.put(2, ORCHARD), self.put_flat(1, 3)])
        seen: list[tuple[str, int]] = []
        report = check(
            self.root, self.catalog, True, measure, lambda path, files: seen.append((path, files))
        )
        self.assertEqual(report, CheckReport(folders=3, files=3, good=3))
        self.assertEqual(seen, [("", 1), (FOLDER, 2), (f"orchard/{DAY}", 3)])

    def test_missing(self) -> None:
        """Photos without a file are told, and deleted by the catalog when that is wanted."""
        one, two, other = self.put(1), self.put(2), self.put(3, ORCHARD)
        self.catalog.add_many([one, two, other])
        (self.root / one.path).unlink()
        (self.root / other.path).unlink()
        (self.root / other.path).parent.rmdir()
        report = self.check()
        self.assertEqual((report.missing, report.good), ([one.path, other.path], 1))
        self.assertEqual(len(self.stored()), 3)
        self.assertEqual(self.check(fix=True).fixed, 2)
        self.assertEqual(self.stored(), [two])
        found = self.catalog.find(one.key)
        assert found is not None
        self.assertEqual(found.deleted_ms, round(LATER * 1000))
        self.assertSound()

    def test_deleted_meanwhile(self) -> None:
        """What retention deletes while a running camd's store is looked through is not missing."""
        one, two, other = self.put(1), self.put(2), self.put(3, ORCHARD)
        self.catalog.add_many([one, two, other])
        ids = {entry.path: entry.id for entry in self.catalog.photos()}

        def looked(data: bytes) -> tuple[int, int]:
            if data == insects(1):  # the names in its folder are known by now
                (self.root / two.path).unlink()
            return measure(data)

        def told(path: str, _: int) -> None:
            if path == FOLDER:
                (self.root / other.path).unlink()
            elif path == f"{ORCHARD}/{DAY}":
                self.catalog.mark_deleted([ids[two.path], ids[other.path]], round(LATER * 1000))

        report = check(self.root, self.catalog, False, looked, told)
        self.assertEqual((report.faults, report.good), (0, 1), report)

    def test_damaged(self) -> None:
        """A photo that is cut off, grew, or has a bit turned over is told with how; mending
        moves it away whole as it is."""
        told = [self.put(seq) for seq in range(1, 5)]
        self.catalog.add_many(told)
        short, long, turned = (self.root / photo.path for photo in told[:3])
        short.write_bytes(short.read_bytes()[:-100])
        long.write_bytes(long.read_bytes() + b"\xff\xd9")
        data = bytearray(turned.read_bytes())
        data[len(data) // 2] ^= 4
        turned.write_bytes(data)
        before = self.tree()
        report = self.check()
        self.assertEqual(sorted(report.damaged), [photo.path for photo in told[:3]])
        self.assertIn("bytes", report.damaged[told[0].path])
        self.assertIn("CRC-32", report.damaged[told[2].path])
        self.assertEqual((self.tree(), report.fixed), (before, 0))

        self.assertEqual(self.check(fix=True).fixed, 3)
        self.assertEqual(self.stored(), told[3:])
        for photo in told[:3]:
            aside = self.root / ".camd" / "damaged" / photo.path
            self.assertEqual(aside.read_bytes(), before[photo.path])
        self.assertSound()

    def test_never_whole(self) -> None:
        """A file that was entered though it is no JPEG is damaged, whatever its sum."""
        told = self.put(1)
        junk = b"\xff\xd8\xff" + b"\x00" * 500
        self.write(told.path, junk)
        self.catalog.add_many([self.receipt(told.path, GREENHOUSE, 1, junk)])
        self.assertEqual(list(self.check().damaged), [told.path])

    def test_damaged_unknown(self) -> None:
        """A broken file of ours that the catalog does not have is moved away too, and never
        onto another one."""
        for text in (b"first", b"second"):
            told = self.put(1)
            self.write(told.path, text)
            self.assertEqual(self.check(fix=True).fixed, 1)
        aside = (self.root / ".camd" / "damaged" / told.path).parent
        self.assertEqual(
            sorted(file.read_bytes() for file in aside.iterdir()), [b"first", b"second"]
        )
        self.assertSound()

    def test_unknown(self) -> None:
        """Photos that the catalog does not have are told, and entered when that is wanted."""
        told = [self.put(1), self.put(2, ORCHARD)]
        self.assertEqual(self.check().unknown, [photo.path for photo in told])
        self.assertEqual(self.stored(), [])
        self.assertEqual(self.check(fix=True).fixed, 2)
        self.assertEqual(self.stored(), told)
        self.assertFalse(self.catalog.rebuild_owed)
        self.assertSound()

    def test_deleted_and_there(self) -> None:
        """A photo that the catalog has as deleted, and that is there, is unknown; mended, it
        has its star again."""
        told = self.put(1)
        self.catalog.add_many([told])
        self.catalog.star([1])
        self.catalog.mark_deleted([1], 5)
        self.assertEqual(self.check(fix=True).unknown, [told.path])
        self.assertEqual([e.seq for e in self.catalog.photos(starred=True)], [1])
        self.assertSound()

    def test_moved(self) -> None:
        """A photo in another day's folder is missing here and unknown there; mended, the
        catalog has it where it is."""
        told = self.put(1)
        self.catalog.add_many([told])
        there = told.path.replace(DAY, "2026-08-14")
        (self.root / there).parent.mkdir()
        (self.root / told.path).rename(self.root / there)
        report = self.check()
        self.assertEqual((report.missing, report.unknown), ([told.path], [there]))
        self.check(fix=True)
        self.assertEqual([photo.path for photo in self.stored()], [there])
        self.assertSound()

    def test_modes(self) -> None:
        """A photo that others may read, known or not, gets its mode back."""
        known, new = self.put(1), self.put(2)
        self.catalog.add_many([known])
        for photo in (known, new):
            (self.root / photo.path).chmod(0o666)
        self.assertEqual(self.check().modes, [known.path, new.path])
        self.assertEqual(self.check(fix=True).fixed, 3)
        for photo in (known, new):
            self.assertEqual((self.root / photo.path).stat().st_mode & 0o7777, 0o640)
        self.assertSound()

    def test_leftovers(self) -> None:
        """What was never finished is told, and removed when that is wanted."""
        self.put(1)
        rest = self.write(f"{FOLDER}/.camd-5.part", b"\xff\xd8")
        self.assertEqual(self.check().leftovers, [f"{FOLDER}/.camd-5.part"])
        self.assertTrue(rest.exists())
        self.check(fix=True)
        self.assertFalse(rest.exists())
        self.assertSound()

    def test_foreign(self) -> None:
        """Other people's files, links and second copies are told, are no faults, and stay."""
        told = self.put(1)
        self.catalog.add_many([told])
        self.put(1, day="2026-08-16")
        for path in ("README", "0001.jpg", f"{FOLDER}/labels.txt"):
            self.write(path, b"mine")
        (self.root / FOLDER / "link.jpg").symlink_to(self.root / told.path)
        os.mkfifo(self.root / FOLDER / "fifo.jpg")
        before = self.tree()
        report = self.check(fix=True)
        self.assertEqual((len(report.foreign), report.faults, report.fixed), (6, 0, 0))
        self.assertEqual((self.tree(), self.stored()), (before, [told]))

    def test_replaced_by_link(self) -> None:
        """Where a link has taken a photo's place, the photo is missing and the link stays."""
        told = self.put(1)
        self.catalog.add_many([told])
        file = self.root / told.path
        file.rename(self.root / "away")
        file.symlink_to((self.root / "away").absolute())
        self.assertEqual(self.check(fix=True).missing, [told.path])
        self.assertTrue(file.is_symlink())
        self.assertEqual(self.stored(), [])
        self.assertSound()

    def test_linked_folder(self) -> None:
        """A folder behind a link cannot be read; its photos are not taken for missing."""
        told = self.put(1)
        self.catalog.add_many([told])
        (self.root / GREENHOUSE).rename(self.root / "moved")
        (self.root / GREENHOUSE).symlink_to("moved")
        report = self.check(fix=True)
        self.assertEqual((list(report.unreadable), report.missing), ([FOLDER], []))
        self.assertEqual(self.stored(), [told])

    def test_unlisted_camera(self) -> None:
        """A camera's folder that cannot be listed is told; its photos are not taken for missing,
        and the catalog goes on owing a rebuild until all has been seen."""
        known, other, new = self.put(1), self.put(2, ORCHARD), self.put(3, day="2026-08-16")
        self.catalog.add_many([known, other])
        lists_again = self.fail_to_list(GREENHOUSE)
        report = self.check(fix=True)
        self.assertEqual(report.unreadable, {GREENHOUSE: "the disk fails"})
        self.assertEqual((report.missing, report.faults), ([], 1))
        self.assertEqual(self.stored(), [known, other])
        self.assertTrue(self.catalog.rebuild_owed)
        lists_again()
        self.check(fix=True)
        self.assertEqual(self.stored(), [known, other, new])
        self.assertFalse(self.catalog.rebuild_owed)

    def test_unlisted_day(self) -> None:
        """A day's folder that cannot be listed is told, and all others are looked through."""
        known, other = self.put(1), self.put(2, ORCHARD)
        self.catalog.add_many([known])
        self.fail_to_list(FOLDER)
        report = self.check(fix=True)
        self.assertEqual((report.unreadable, report.missing), ({FOLDER: "the disk fails"}, []))
        self.assertEqual(self.stored(), [known, other])

    def test_everything(self) -> None:
        """All faults at once, flat photos among them, are mended in one run, and every byte
        that was in the store still is, but for leftovers."""
        told = [self.put(seq) for seq in range(1, 6)] + [self.put_flat(1, 6)]
        self.catalog.add_many(told[:3])
        (self.root / told[0].path).write_bytes(insects(77))
        (self.root / told[1].path).unlink()
        self.write(f"{FOLDER}/.camd-5.part", b"\xff\xd8")
        report = self.check(fix=True)
        self.assertEqual(report.faults, 6)
        self.assertEqual(report.fixed, 6)
        self.assertEqual({photo.path for photo in self.stored()}, {p.path for p in told[2:]})
        aside = self.root / ".camd" / "damaged" / told[0].path
        self.assertEqual(aside.read_bytes(), insects(77))
        self.assertSound()
