"""Whatever a crash took from the catalog comes back from the files; nothing else is touched."""

import errno
import os
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from camd.photo import Boot, CameraId, Door, Receipt
from camd.store import level as level_module
from camd.store.catalog import Catalog
from camd.store.entry import Totals
from camd.store.folders import FlatLine, find_folders, open_folder, read_flat_log
from camd.store.level import DirtyList, LevelReport, level, rebuild
from camd.store.naming import flat_name, photo_name
from tests.pictures import insects, measure

GREENHOUSE = CameraId("greenhouse-1")
ORCHARD = CameraId("orchard")
BOOT = Boot("00c0ffee00c0ffee")
NIGHT = 1_786_832_103.0
DAY = "2026-08-15"
FOLDER = f"{GREENHOUSE}/{DAY}"
LATER = 1_786_999_999.0


class StoreCase(SynchronousTestCase):
    """A store with real photos in it and an empty catalog."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        (self.root / ".camd").mkdir(parents=True)
        self.catalog = Catalog.open(self.root / ".camd" / "catalog.sqlite")
        self.addCleanup(self.catalog.close)

    def put(self, seq: int, camera: CameraId = GREENHOUSE, day: str = DAY) -> Receipt:
        """A photo lies on the disk, a quarter of an hour after it was taken."""
        data = insects(seq)
        when = NIGHT + seq
        path = f"{camera}/{day}/{photo_name(camera, when, BOOT, seq)}"
        file = self.write(path, data)
        os.utime(file, (when + 900, when + 900))
        return self.receipt(path, camera, seq, data)

    def put_flat(self, number: int, seq: int, logged: bool = True) -> Receipt:
        """A photo lies in the root of a flat store, and the log knows it."""
        data = insects(seq)
        self.write(flat_name(number), data)
        taken, received = round((NIGHT + seq) * 1000), round((NIGHT + seq + 900) * 1000)
        if logged:
            self.log(str(FlatLine(number, GREENHOUSE, BOOT, seq, taken, received)) + "\n")
        return self.receipt(flat_name(number), GREENHOUSE, seq, data)

    def receipt(self, path: str, camera: CameraId, seq: int, data: bytes) -> Receipt:
        when = NIGHT + seq
        return Receipt(
            camera, BOOT, seq, len(data), zlib.crc32(data), 320, 240, path, when, when + 900,
            Door.V1 if camera.startswith("v1-") else Door.V2,
        )  # fmt: skip

    def write(self, path: str, data: bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        file.chmod(0o640)
        return file

    def log(self, text: str) -> None:
        with (self.root / ".camd" / "flat.log").open("a") as file:
            file.write(text)

    def level(self, *folders: str) -> LevelReport:
        return level(self.root, self.catalog, folders, measure, now=lambda: LATER)

    def stored(self) -> list[Receipt]:
        """Every photo that is there, by the catalog, oldest first."""
        return [e.receipt(again=False) for e in self.catalog.photos(newest_first=False)]

    def fail_to_list(self, folder: str) -> Callable[[], None]:
        """The folder *folder* cannot be listed, until what this gives is called."""
        scandir = os.scandir
        inode = (self.root / folder).stat().st_ino

        def listed(path: Any) -> Any:
            if os.stat(path).st_ino == inode:
                raise OSError(errno.EIO, "the disk fails", folder)
            return scandir(path)

        patch = self.patch(os, "scandir", listed)
        return patch.restore

    def tree(self) -> dict[str, bytes]:
        """Every file of the store, but for camd's own."""
        return {
            str(file.relative_to(self.root)): file.read_bytes()
            for file in self.root.rglob("*")
            if file.is_file() and ".camd" not in file.parts
        }


class Level(StoreCase):
    def test_added(self) -> None:
        """A photo that the catalog lacks is entered with all that name and bytes tell; one
        that it has is not read again."""
        known, new = self.put(1), self.put(2)
        self.catalog.add_many([known])
        (self.root / known.path).write_bytes(b"not looked at")
        report = self.level(FOLDER)
        self.assertEqual(report, LevelReport(folders=1, files=2, added=1))
        self.assertEqual(self.stored(), [known, new])

    def test_synced(self) -> None:
        """A photo that was given its name and never promised, since camd died in between, is
        acknowledged from now on: so its folder is synced before the catalog has it, and where it
        cannot be, the catalog has it not."""
        known, new = self.put(1), self.put(2)
        self.catalog.add_many([known])
        synced: list[str] = []
        sync = os.fsync

        def noted(fd: int) -> None:
            self.assertEqual(self.stored(), [known])
            synced.append(os.readlink(f"/proc/self/fd/{fd}"))
            if len(synced) == 1:
                raise OSError(errno.EIO, "the disk fails")
            sync(fd)

        self.patch(os, "fsync", noted)
        self.assertEqual(self.level(FOLDER).unreadable, [f"{new.path}: the disk fails"])
        self.assertEqual(self.stored(), [known])
        self.assertEqual(self.level(FOLDER).added, 1)
        self.assertEqual(self.stored(), [known, new])
        self.level(FOLDER)
        self.assertEqual(synced, [str((self.root / FOLDER).absolute())] * 2)

    def test_twice(self) -> None:
        """Once level, the catalog stays as it is."""
        told = [self.put(seq) for seq in range(1, 4)]
        self.level(FOLDER)
        self.assertEqual(self.level(FOLDER), LevelReport(folders=1, files=3))
        self.assertEqual(self.stored(), told)

    def test_only_dirty(self) -> None:
        """Folders that are not named are not looked into."""
        here, _ = self.put(1), self.put(2, ORCHARD)
        self.level(FOLDER)
        self.assertEqual(self.stored(), [here])

    def test_many(self) -> None:
        """More photos than one transaction holds are all entered."""
        data = insects(0)
        for seq in range(1, 1202):
            self.write(f"{FOLDER}/{photo_name(GREENHOUSE, NIGHT, BOOT, seq)}", data)
        seen: list[tuple[str, int]] = []
        report = level(
            self.root,
            self.catalog,
            [FOLDER],
            lambda data: (320, 240),
            lambda path, files: seen.append((path, files)),
        )
        self.assertEqual(report.added, 1201)
        self.assertEqual(self.catalog.totals(), {GREENHOUSE: Totals(1201, 1201 * len(data))})
        self.assertEqual(seen[0], (FOLDER, 100))
        self.assertEqual(seen[-1], (FOLDER, 1201))

    def test_nameless_board(self) -> None:
        """A camera named by its address is taken for one that speaks v1."""
        told = self.put(1, CameraId("v1-172-20-10-2"))
        self.level(f"v1-172-20-10-2/{DAY}")
        self.assertEqual(self.stored(), [told])

    def test_broken(self) -> None:
        """A file of ours that is cut off is reported, left as it is and not entered."""
        told = self.put(1)
        self.write(told.path, insects(1)[:-700])
        before = self.tree()
        report = self.level(FOLDER)
        self.assertEqual(report.broken, [told.path])
        self.assertEqual((self.stored(), self.tree()), ([], before))

    def test_foreign(self) -> None:
        """Files that camd did not name are left alone, whole photos of another camera in this
        one's folder too."""
        stranger = photo_name(ORCHARD, NIGHT, BOOT, 1)
        too_far = photo_name(GREENHOUSE, NIGHT, BOOT, 4_294_967_296)
        for name in ("notes.txt", "0001.jpg", stranger, too_far, ".camd-x.jpg", "x.part"):
            self.write(f"{FOLDER}/{name}", insects(1))
        before = self.tree()
        report = self.level(FOLDER)
        self.assertEqual(report, LevelReport(folders=1, files=6, foreign=6))
        self.assertEqual((self.stored(), self.tree()), ([], before))

    def test_leftovers(self) -> None:
        """What camd began and did not finish is gone, but not a folder or a link so named."""
        self.write(f"{FOLDER}/.camd-17.part", b"\xff\xd8\xff half a photo")
        outside = self.write("orchard/outside", b"mine")
        (self.root / FOLDER / ".camd-18.part").symlink_to(outside.absolute())
        (self.root / FOLDER / ".camd-19.part").mkdir()
        report = self.level(FOLDER)
        self.assertEqual(report.leftovers, 1)
        self.assertEqual(sorted(os.listdir(self.root / FOLDER)), [".camd-18.part", ".camd-19.part"])
        self.assertEqual(outside.read_bytes(), b"mine")

    def test_no_regular_files(self) -> None:
        """Links, fifos and folders named as photos are left alone, and nobody waits for them."""
        link, fifo, folder = (
            self.root / FOLDER / photo_name(GREENHOUSE, NIGHT, BOOT, seq) for seq in (1, 2, 3)
        )
        folder.mkdir(parents=True)
        os.mkfifo(fifo)
        link.symlink_to(self.write("elsewhere", insects(1)).absolute())
        report = self.level(FOLDER)
        self.assertEqual(self.stored(), [])
        self.assertEqual((report.foreign, report.unreadable), (2, []))

    def test_linked_folder(self) -> None:
        """A folder behind a link is not looked into, and its photos are not taken for gone."""
        told = self.put(1)
        self.catalog.add_many([told])
        (self.root / GREENHOUSE).rename(self.root / "moved")
        (self.root / GREENHOUSE).symlink_to("moved")
        report = self.level(FOLDER)
        self.assertEqual(len(report.unreadable), 1)
        self.assertEqual(self.stored(), [told])

    def test_gone(self) -> None:
        """A photo whose file, or whole folder, has vanished is deleted by the catalog, and
        still known for the same when it comes again."""
        one, two = self.put(1), self.put(2)
        other = self.put(3, ORCHARD)
        self.catalog.add_many([one, two, other])
        (self.root / one.path).unlink()
        (self.root / other.path).unlink()
        (self.root / other.path).parent.rmdir()
        report = self.level(FOLDER, f"orchard/{DAY}")
        self.assertEqual(report.gone, 2)
        self.assertEqual(self.stored(), [two])
        for told in (one, other):
            found = self.catalog.find(told.key)
            assert found is not None
            self.assertEqual(found.deleted_ms, round(LATER * 1000))

    def test_back(self) -> None:
        """A photo that was deleted, and whose file is there all the same, is there."""
        told = self.put(1)
        self.catalog.add_many([told])
        self.catalog.mark_deleted([1], 5)
        self.assertEqual(self.level(FOLDER).restored, 1)
        self.assertEqual(self.stored(), [told])

    def test_moved(self) -> None:
        """A photo that somebody moved to another day is found there, whichever folder is
        looked through first, and its star with it."""
        for seq, order in ((1, (0, 1)), (2, (1, 0))):
            told = self.put(seq)
            self.catalog.add_many([told])
            self.catalog.star([e.id for e in self.catalog.photos()])
            there = told.path.replace(DAY, "2026-08-16")
            (self.root / there).parent.mkdir(exist_ok=True)
            (self.root / told.path).rename(self.root / there)
            folders = (FOLDER, f"{GREENHOUSE}/2026-08-16")
            self.level(*(folders[n] for n in order))
            self.assertEqual(self.stored()[-1].path, there)
        self.assertEqual(len(self.catalog.photos(starred=True)), 2)

    def test_copy(self) -> None:
        """A second copy of a photo is left alone, and the catalog stays with the first."""
        told = self.put(1)
        self.catalog.add_many([told])
        self.put(1, day="2026-08-16")
        report = self.level(FOLDER, f"{GREENHOUSE}/2026-08-16")
        self.assertEqual((report.foreign, report.added, report.restored), (1, 0, 0))
        self.assertEqual(self.stored(), [told])

    def test_same_key_twice(self) -> None:
        """Of two new files that are the same photo by their names, one is entered, and both
        are left."""
        self.put(1)
        self.write(f"{FOLDER}/{photo_name(GREENHOUSE, NIGHT + 60, BOOT, 1)}", insects(1))
        before = self.tree()
        report = self.level(FOLDER)
        self.assertEqual((report.added, report.foreign), (1, 1))
        self.assertEqual((len(self.stored()), self.tree()), (1, before))

    def test_nothing_there(self) -> None:
        """A folder that never came to be is no error; a store that is not there is one."""
        self.assertEqual(self.level(FOLDER), LevelReport(folders=1))
        with self.assertRaises(OSError):
            level(self.root / "x", self.catalog, [FOLDER], measure)


class PowerCut(StoreCase):
    def test_level_again(self) -> None:
        """What a power cut leaves of the catalog, its last checkpoint, and of the list of
        folders, is enough to find every photo again."""
        dirty = DirtyList(self.root / ".camd" / "dirty")
        self.addCleanup(dirty.close)
        told: list[Receipt] = []

        def store(seq: int, camera: CameraId, day: str = DAY) -> None:
            dirty.add(f"{camera}/{day}")
            told.append(self.put(seq, camera, day))
            self.catalog.add_many(told[-1:])

        store(1, GREENHOUSE)
        store(2, ORCHARD)
        dirty.turn()
        store(3, GREENHOUSE)
        self.assertTrue(self.catalog.checkpoint())
        dirty.clear()
        store(4, GREENHOUSE, "2026-08-16")
        store(5, GREENHOUSE)

        file = self.root / ".camd" / "catalog.sqlite"
        on_disk = file.with_name("after.sqlite")
        on_disk.write_bytes(file.read_bytes())
        self.catalog.close()
        self.catalog = Catalog.open(on_disk)
        self.assertEqual(self.stored(), told[:3])
        found = DirtyList(self.root / ".camd" / "dirty")
        self.addCleanup(found.close)
        self.assertEqual(found.folders, {FOLDER, f"{GREENHOUSE}/2026-08-16"})
        self.assertEqual(self.level(*found.folders).added, 2)
        self.assertEqual(self.stored(), told)


class Flat(StoreCase):
    def test_added(self) -> None:
        """In a flat store the log says which photo a number is."""
        told = [self.put_flat(1, 5), self.put_flat(2, 3)]
        report = self.level("")
        self.assertEqual(report.added, 2)
        self.assertEqual({r.path: r for r in self.stored()}, {r.path: r for r in told})

    def test_unlogged(self) -> None:
        """A numbered photo that the log does not know is somebody else's."""
        self.put_flat(1, 5, logged=False)
        told = self.put_flat(2, 6)
        report = self.level("")
        self.assertEqual((report.foreign, report.added), (1, 1))
        self.assertEqual(self.stored(), [told])

    def test_number_taken(self) -> None:
        """Where a number turned out to be somebody else's, the photo is the one that got the
        next."""
        self.put_flat(1, 5)
        self.write("0001.jpg", insects(99))
        told = self.put_flat(2, 5)
        self.assertEqual(set(read_flat_log(self.root)), {2})
        self.level("")
        self.assertEqual(self.stored(), [told])

    def test_torn_log(self) -> None:
        """Lines that make no sense, a line without its end and bytes that are no text do no
        harm to the others."""
        told = self.put_flat(1, 5)
        self.log("0002 greenhouse-1 00c0\n\n\x00\x00\x00\n0003 ../x 00c0ffee00c0ffee 1 1 1\n")
        with (self.root / ".camd" / "flat.log").open("ab") as file:
            file.write(b"\xff\xfe\n0001 orchard 00c0ffee00c0ffee 1 1786832103000 17868321")
        line = read_flat_log(self.root)
        self.assertEqual([(n, said.camera) for n, said in line.items()], [(1, told.camera)])

    def test_line(self) -> None:
        """A line is read as it was written."""
        line = FlatLine(12345, GREENHOUSE, BOOT, 17, 1_786_832_103_000, 1_786_832_104_000)
        self.assertEqual(FlatLine.parse(str(line)), line)
        self.assertEqual(str(FlatLine(7, ORCHARD, BOOT, 1, 2, 3)), f"0007 orchard {BOOT} 1 2 3")


class Rebuild(StoreCase):
    def test_whole(self) -> None:
        """From the files alone comes the catalog of before, and it owes no rebuild then."""
        told = [self.put(1), self.put(2, ORCHARD), self.put(3, day="2026-08-16")]
        told.append(self.put_flat(1, 4))
        self.write("README", b"mine")
        self.write(".hidden/2026-08-15/x.jpg", insects(1))
        self.assertTrue(self.catalog.rebuild_owed)
        report = rebuild(self.root, self.catalog, measure)
        self.assertEqual((report.added, report.foreign), (4, 1))
        self.assertEqual(self.stored(), told)
        self.assertFalse(self.catalog.rebuild_owed)

    def test_over_old(self) -> None:
        """Over a catalog that is there, stars stay and what is gone is deleted."""
        kept, lost = self.put(1), self.put(2, ORCHARD)
        self.catalog.add_many([kept, lost])
        self.catalog.star([1])
        (self.root / lost.path).unlink()
        (self.root / "orchard" / DAY).rmdir()
        report = rebuild(self.root, self.catalog, measure)
        self.assertEqual(report.gone, 1)
        self.assertEqual([e.seq for e in self.catalog.photos(starred=True)], [1])
        self.assertEqual(self.stored(), [kept])

    def test_after_damage(self) -> None:
        """A catalog that a power cut spoiled is replaced by one with the same photos."""
        told = [self.put(seq) for seq in range(1, 6)]
        self.catalog.add_many(told)
        self.catalog.close()
        (self.root / ".camd" / "catalog.sqlite").write_bytes(os.urandom(20_000))
        self.catalog = Catalog.open(self.root / ".camd" / "catalog.sqlite", lambda said: None)
        rebuild(self.root, self.catalog, measure)
        self.assertEqual(self.stored(), told)

    def test_folders(self) -> None:
        """Folders that are a camera's days are found; links and whatever else is not."""
        for path in (FOLDER, f"orchard/{DAY}", "orchard/2026-02-30", "orchard/x", "Not/a/camera"):
            (self.root / path).mkdir(parents=True)
        (self.root / "linked").symlink_to("orchard")
        (self.root / "orchard" / "2026-08-17").symlink_to(DAY)
        self.assertEqual(
            find_folders(self.root, lambda *told: self.fail(str(told))),
            ["", FOLDER, f"orchard/{DAY}"],
        )

    def test_unlisted_camera(self) -> None:
        """A camera whose folders cannot be listed is told, and owed: at the next start the whole
        store is looked through again, and its photos are found."""
        one, other = self.put(1), self.put(2, ORCHARD)
        dirty = DirtyList(self.root / ".camd" / "dirty")
        self.addCleanup(dirty.close)
        lists_again = self.fail_to_list(GREENHOUSE)
        report = rebuild(self.root, self.catalog, measure)
        self.assertEqual(report.unreadable, [f"{GREENHOUSE}: the disk fails"])
        self.assertEqual(self.stored(), [other])
        dirty.owed = frozenset(report.owed)
        dirty.clear()
        lists_again()
        again = DirtyList(self.root / ".camd" / "dirty")
        self.addCleanup(again.close)
        self.assertFalse(again.whole)
        rebuild(self.root, self.catalog, measure)
        self.assertEqual(self.stored(), [one, other])

    def test_no_way_through_links(self) -> None:
        """No folder is opened through a link, be it the last part of the path or the first."""
        (self.root / FOLDER).mkdir(parents=True)
        (self.root / "linked").symlink_to(GREENHOUSE)
        (self.root / GREENHOUSE / "2026-08-17").symlink_to(DAY)
        os.close(open_folder(self.root, FOLDER))
        for path in (f"linked/{DAY}", f"{GREENHOUSE}/2026-08-17"):
            with self.assertRaises(OSError):
                open_folder(self.root, path)


class Dirty(SynchronousTestCase):
    def setUp(self) -> None:
        root = Path(self.mktemp())
        root.mkdir()
        self.path = root / "dirty"
        self.path.touch()

    def open(self) -> DirtyList:
        found = DirtyList(self.path)
        self.addCleanup(found.close)
        return found

    def test_survives(self) -> None:
        """What was added is found by the next start, without any closing."""
        dirty = self.open()
        for folder in (FOLDER, f"orchard/{DAY}", "", FOLDER):
            dirty.add(folder)
        self.assertEqual(self.path.read_text(), f"{FOLDER}\norchard/{DAY}\n.\n")
        self.assertEqual(self.open().folders, {FOLDER, f"orchard/{DAY}", ""})

    def test_no_room(self) -> None:
        """A start for which there is no room finds what is listed, and lists more when there is."""
        self.path.write_text(f"{FOLDER}\n")

        def full(fd: int, parts: object) -> None:
            raise OSError(errno.ENOSPC, "no room")

        room = self.patch(level_module, "write_all", full)
        dirty = self.open()
        self.assertEqual(dirty.folders, {FOLDER})
        for _ in range(2):
            self.assertRaises(OSError, dirty.add, f"orchard/{DAY}")
            self.assertRaises(OSError, dirty.clear)
            self.assertEqual(self.path.read_text(), f"{FOLDER}\n")
        room.restore()
        dirty.add(f"orchard/{DAY}")
        self.assertEqual(self.open().folders, {FOLDER, f"orchard/{DAY}"})

    def test_turned(self) -> None:
        """Cleared is what was added before the turn, and not again after it."""
        dirty = self.open()
        dirty.add(FOLDER)
        dirty.add(f"orchard/{DAY}")
        dirty.turn()
        dirty.add(FOLDER)
        self.assertEqual(dirty.folders, {FOLDER, f"orchard/{DAY}"})
        dirty.clear()
        self.assertEqual(dirty.folders, {FOLDER})
        self.assertEqual(self.open().folders, {FOLDER})

    def test_no_turn(self) -> None:
        """Without a turn nothing that was added is cleared."""
        dirty = self.open()
        dirty.add(FOLDER)
        dirty.clear()
        self.assertEqual(self.open().folders, {FOLDER})

    def test_old_ones(self) -> None:
        """What the last run left is listed until the first clearing."""
        self.open().add(FOLDER)
        dirty = self.open()
        dirty.add(f"orchard/{DAY}")
        self.assertEqual(dirty.folders, {FOLDER, f"orchard/{DAY}"})
        dirty.turn()
        dirty.clear()
        self.assertEqual(dirty.folders, frozenset())
        dirty.add(FOLDER)
        self.assertEqual(self.open().folders, {FOLDER})

    def test_torn(self) -> None:
        """A last line that a power cut tore says nothing, and spoils nothing that follows."""
        self.path.write_text(f"{FOLDER}\norchard/2026-08-1")
        dirty = self.open()
        self.assertTrue(dirty.whole)
        dirty.add(f"orchard/{DAY}")
        self.assertEqual(self.open().folders, {FOLDER, f"orchard/{DAY}"})

    def test_spoiled(self) -> None:
        """A list with a line that makes no sense is not whole, over restarts too, until it is
        cleared."""
        for spoilt in ("../../etc", "\x00\x00", "/", "orchard"):
            self.path.write_text(f"{FOLDER}\n{spoilt}\n")
            self.assertFalse(self.open().whole, spoilt)
            dirty = self.open()
            self.assertFalse(dirty.whole, spoilt)
            self.assertEqual(dirty.folders, {FOLDER})
            dirty.turn()
            dirty.clear()
            self.assertTrue(dirty.whole)
            self.assertTrue(self.open().whole)

    def test_missing(self) -> None:
        """A list that is not there cannot vouch for anything."""
        self.path.unlink()
        self.assertFalse(self.open().whole)

    def test_no_such_folder(self) -> None:
        """Only paths that a store may have are listed."""
        dirty = self.open()
        for folder in ("..", "orchard", f"orchard/{DAY}/x", "/", f"orchard/{DAY}\n", "a/b"):
            with self.assertRaises(ValueError):
                dirty.add(folder)
        self.assertEqual(dirty.folders, frozenset())

    def test_failed_write(self) -> None:
        """After a write that failed the folder is not taken for listed, and the next add
        writes all of the list anew."""
        dirty = self.open()
        dirty.add(FOLDER)
        os.close(dirty._fd)
        dirty._fd = os.open(self.path, os.O_RDONLY)
        with self.assertRaises(OSError):
            dirty.add(f"orchard/{DAY}")
        self.assertEqual(dirty.folders, {FOLDER})
        dirty.add(f"orchard/{DAY}")
        self.assertEqual(self.open().folders, {FOLDER, f"orchard/{DAY}"})

    def test_closed(self) -> None:
        """What still goes on behind the end does not spoil the list of whoever has it now."""
        dirty = self.open()
        dirty.close()
        heir = self.open()
        heir.add(FOLDER)
        for late in (lambda: dirty.add(f"orchard/{DAY}"), dirty.clear):
            with self.assertRaises(OSError):
                late()
        heir.add("")
        self.assertEqual(self.open().folders, {FOLDER, ""})

    def test_threads(self) -> None:
        """Threads that add at once, with turns between, list each folder durably."""
        dirty = self.open()
        folders = [f"cam-{n}/{DAY}" for n in range(20)]

        def add() -> None:
            for folder in folders:
                dirty.add(folder)

        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(self.path.read_text().split()), sorted(folders))
