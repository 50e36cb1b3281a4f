"""The catalog finds what was entered, at the same cost however much there is."""

import json
import os
import sqlite3
import stat
import threading
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from camd.photo import Boot, CameraId, Door, Receipt, Trigger
from camd.store import schema
from camd.store.catalog import Catalog, CatalogDamagedError, CatalogError, CatalogReader
from camd.store.entry import CameraState, Entry, Totals
from camd.store.naming import photo_name

GREENHOUSE = CameraId("greenhouse-1")
ORCHARD = CameraId("orchard")
BOOT = Boot("00c0ffee00c0ffee")
OTHER_BOOT = Boot("ffffffffffffffff")
NIGHT = 1_786_832_103.25  # 2026-08-15 22:15:03.25 UTC
DAY = "2026-08-15"


def receipt(  # noqa: PLR0917
    seq: int,
    camera: CameraId = GREENHOUSE,
    boot: Boot = BOOT,
    when: float | None = None,
    size: int = 1000,
    flat: bool = False,
    door: Door = Door.V2,
) -> Receipt:
    """A photo a second from the night on, 1000 bytes each."""
    taken = NIGHT + seq if when is None else when
    name = f"{seq:04d}.jpg" if flat else f"{camera}/{DAY}/{photo_name(camera, taken, boot, seq)}"
    return Receipt(
        camera, boot, seq, size, zlib.crc32(b"%d" % seq), 320, 240, name, taken, taken + 0.5,
        door, Trigger.TIMER,
    )  # fmt: skip


class CatalogCase(SynchronousTestCase):
    """A new catalog for each test."""

    def setUp(self) -> None:
        root = Path(self.mktemp())
        root.mkdir()
        self.path = root / "catalog.sqlite"
        self.catalog = Catalog.open(self.path)
        self.addCleanup(self.catalog.close)

    def steps(self, ask: Callable[[], object]) -> int:
        """How many steps SQLite takes for it."""
        count = [0]

        def step() -> int:
            count[0] += 1
            return 0

        self.catalog._connection.set_progress_handler(step, 1)
        try:
            ask()
        finally:
            self.catalog._connection.set_progress_handler(None, 1)
        return count[0]

    def turned(self, page: Callable[..., list[Entry]]) -> list[int]:
        """The steps for each page but the last, in either direction."""
        steps: list[int] = []
        for newest_first in (True, False):
            pages: list[list[Entry]] = []
            after = None
            while not pages or pages[-1]:
                steps.append(
                    self.steps(lambda: pages.append(page(after=after, newest_first=newest_first)))  # noqa: B023
                )
                after = pages[-1][-1].cursor if pages[-1] else None
            del steps[-1]
        return steps


class Entering(CatalogCase):
    def test_found_again(self) -> None:
        """An entry has everything that its receipt has, and gives it back."""
        told = receipt(7)
        self.assertEqual(self.catalog.add_many([told]), 1)
        entry = self.catalog.find(told.key)
        assert entry is not None
        self.assertEqual(entry, Entry.of(told, entry.id))
        self.assertEqual(entry.receipt(again=False), told)
        self.assertTrue(entry.receipt().again)
        self.assertEqual(self.catalog.entry(entry.id), entry)

    def test_no_trigger(self) -> None:
        """A photo without a trigger, from the flat layout, is found as it was entered."""
        told = Receipt(ORCHARD, BOOT, 1, 9, 0, 8, 8, "0001.jpg", NIGHT, NIGHT, Door.UPLOAD)
        self.catalog.add_many([told])
        found = self.catalog.find(told.key)
        assert found is not None
        self.assertEqual(found.receipt(again=False), told)

    def test_largest_numbers(self) -> None:
        """The last seq, the last boot and the largest CRC are stored as they are."""
        told = Receipt(
            ORCHARD, OTHER_BOOT, 4_294_967_295, 2**40, 0xFFFFFFFF, 65535, 65535,
            f"orchard/{DAY}/x.jpg", NIGHT, NIGHT, Door.PULL, Trigger.SNAP,
        )  # fmt: skip
        self.catalog.add_many([told])
        found = self.catalog.find(told.key)
        assert found is not None
        self.assertEqual(found.receipt(again=False), told)

    def test_many(self) -> None:
        """However many come at once, each is entered, and the new ones are counted."""
        self.catalog.add_many([receipt(seq) for seq in range(40, 50)])
        self.assertEqual(self.catalog.add_many([receipt(seq) for seq in range(1, 131)]), 120)
        self.assertEqual(
            sorted(entry.seq for entry in self.catalog.photos(limit=200)), [*range(1, 131)]
        )
        self.assertEqual(self.catalog.add_many([]), 0)

    def test_duplicates(self) -> None:
        """The same photo once more changes nothing, nor do totals count it, nor one that is
        marked as told again."""
        self.catalog.add_many([receipt(1), receipt(2)])
        self.assertEqual(self.catalog.add_many([receipt(2, size=5), receipt(3)]), 1)
        again = Entry.of(receipt(4)).receipt()
        self.assertEqual(self.catalog.add_many([again]), 0)
        self.assertEqual(self.catalog.totals(), {GREENHOUSE: Totals(3, 3000)})
        found = self.catalog.find(receipt(2).key)
        assert found is not None
        self.assertEqual(found.size, 1000)

    def test_all_or_nothing(self) -> None:
        """A batch that fails half-way leaves nothing, and the next one is entered whole."""
        bad = Receipt(ORCHARD, BOOT, 2, None, 0, 8, 8, "a/b.jpg", 1, 1, Door.V2)  # type: ignore
        with self.assertRaises(CatalogError):
            self.catalog.add_many([receipt(1), receipt(1, ORCHARD), bad])
        self.assertEqual(self.catalog.totals(), {})
        self.assertEqual(self.catalog.add_many([receipt(1, ORCHARD), receipt(1)]), 2)
        found = self.catalog.find(receipt(1).key)
        assert found is not None
        self.assertEqual((found.camera, found.path), (GREENHOUSE, receipt(1).path))

    def test_folders_after_failure(self) -> None:
        """After a batch that failed, photos are in the folders that their paths say."""
        bad = Receipt(ORCHARD, BOOT, 2, None, 0, 8, 8, "a/b.jpg", 1, 1, Door.V2)  # type: ignore
        with self.assertRaises(CatalogError):
            self.catalog.add_many([receipt(1), bad])
        other = attrs.evolve(receipt(2), path=f"{GREENHOUSE}/2026-08-14/x.jpg")
        self.catalog.add_many([other])
        self.catalog.add_many([receipt(1)])
        paths = {entry.seq: entry.path for entry in self.catalog.photos()}
        self.assertEqual(paths, {1: receipt(1).path, 2: other.path})

    def test_nothing(self) -> None:
        """An empty batch is no error."""
        self.assertEqual(self.catalog.add_many([]), 0)


class Asking(CatalogCase):
    def test_last(self) -> None:
        """The highest seq is that of the camera and the boot, deleted or not; else 0."""
        self.catalog.add_many([receipt(9), receipt(3), receipt(50, boot=OTHER_BOOT)])
        self.assertEqual(self.catalog.last(GREENHOUSE, BOOT), 9)
        found = self.catalog.find(receipt(9).key)
        assert found is not None
        self.catalog.mark_deleted([found.id], 1)
        self.assertEqual(self.catalog.last(GREENHOUSE, BOOT), 9)
        self.assertEqual(self.catalog.last(ORCHARD, BOOT), 0)
        self.assertIsNone(self.catalog.find((ORCHARD, BOOT, 9)))

    def test_latest(self) -> None:
        """The latest photo is that of the latest picture, not the one entered last."""
        self.catalog.add_many([receipt(2), receipt(1), receipt(3, ORCHARD)])
        latest = self.catalog.latest(GREENHOUSE)
        assert latest is not None
        self.assertEqual(latest.seq, 2)
        self.assertIsNone(self.catalog.latest(CameraId("nobody")))

    def pages(self, **wanted: object) -> list[int]:
        found: list[int] = []
        after = None
        while page := self.catalog.photos(after=after, limit=3, **wanted):  # type: ignore
            self.assertLessEqual(len(page), 3)
            found += [entry.seq for entry in page]
            after = page[-1].cursor
        return found

    def test_pages(self) -> None:
        """Page by page every photo comes once, in order, also where many have one time."""
        same = [receipt(seq, when=NIGHT) for seq in range(1, 8)]
        self.catalog.add_many([*same, receipt(8), receipt(9, ORCHARD)])
        self.assertEqual(self.pages(newest_first=False), [1, 2, 3, 4, 5, 6, 7, 8, 9])
        self.assertEqual(self.pages(), [9, 8, 7, 6, 5, 4, 3, 2, 1])
        self.assertEqual(self.pages(camera=GREENHOUSE), [8, 7, 6, 5, 4, 3, 2, 1])
        self.assertEqual(self.pages(camera=ORCHARD), [9])

    def test_span(self) -> None:
        """since is part of the span, until is not."""
        self.catalog.add_many([receipt(seq) for seq in range(1, 6)])
        since, until = (round((NIGHT + seq) * 1000) for seq in (2, 4))
        self.assertEqual(self.pages(since_ms=since, until_ms=until), [3, 2])

    def test_starred(self) -> None:
        """What is starred or labelled is listed alone, for a camera or all, and no longer
        when that is taken back."""
        self.catalog.add_many([receipt(seq) for seq in range(1, 6)] + [receipt(6, ORCHARD)])
        ids = {entry.seq: entry.id for entry in self.catalog.photos()}
        self.assertEqual(self.catalog.star([ids[2], ids[4], ids[6]]), 3)
        self.catalog.label([ids[4], ids[5]])
        self.assertEqual(self.pages(starred=True), [6, 4, 2])
        self.assertEqual(self.pages(starred=True, camera=GREENHOUSE), [4, 2])
        self.assertEqual(self.pages(labelled=True), [5, 4])
        self.assertEqual(self.pages(labelled=True, starred=True), [4])
        self.catalog.star([ids[4]], False)
        self.catalog.label([ids[4]], False)
        self.assertEqual(self.pages(starred=True), [6, 2])
        self.assertEqual(self.pages(labelled=True), [5])

    def test_note(self) -> None:
        """A note is kept with its photo; there is none for a photo that is not there."""
        self.catalog.add_many([receipt(1)])
        id = self.catalog.photos()[0].id
        self.assertTrue(self.catalog.note(id, "Drosophila suzukii ♀?"))
        self.assertEqual(self.catalog.photos()[0].note, "Drosophila suzukii ♀?")
        self.assertFalse(self.catalog.note(id + 1, "x"))

    def test_days(self) -> None:
        """A day is that of the folder, or of UTC where the layout is flat."""
        self.catalog.add_many([receipt(1), receipt(2), receipt(3, ORCHARD)])
        tomorrow = receipt(4, when=NIGHT + 86400, flat=True)
        self.catalog.add_many([tomorrow])
        self.assertEqual(
            self.catalog.days(GREENHOUSE), {DAY: Totals(2, 2000), "2026-08-16": Totals(1, 1000)}
        )
        self.assertEqual(self.catalog.days(), {DAY: Totals(3, 3000), "2026-08-16": Totals(1, 1000)})
        self.assertEqual(self.catalog.folders(), ["", f"greenhouse-1/{DAY}", f"orchard/{DAY}"])

    def test_folder(self) -> None:
        """The names in a folder are those that are there, for any time zone's day and a
        session over noon."""
        folder = f"{GREENHOUSE}/{DAY}"
        midnight = 1_786_752_000  # 2026-08-15 00:00 UTC
        spread = [midnight - 14 * 3600, midnight, midnight + (24 + 12 + 14) * 3600 - 1]
        told = [receipt(seq, when=when) for seq, when in enumerate(spread, 1)]
        self.catalog.add_many([*told, receipt(4, ORCHARD), receipt(5, flat=True)])
        names = self.catalog.names_in(folder)
        self.assertEqual([f"{folder}/{name}" for name in names], [r.path for r in told])
        self.assertEqual(list(self.catalog.names_in("")), ["0005.jpg"])
        self.catalog.mark_deleted([names[told[1].path.rpartition("/")[2]]], 5)
        self.assertEqual(len(self.catalog.names_in(folder)), 2)
        self.assertEqual(self.catalog.names_in("nobody/2026-08-15"), {})


class Deleting(CatalogCase):
    def test_deleted(self) -> None:
        """A deleted photo is found by its key, listed nowhere, counted nowhere, and stays
        deleted when it is sent once more."""
        self.catalog.add_many([receipt(1), receipt(2)])
        first = self.catalog.photos(newest_first=False)[0]
        self.assertEqual(self.catalog.mark_deleted([first.id, first.id], 77), 1)
        self.assertEqual(self.catalog.mark_deleted([first.id], 88), 0)
        self.assertEqual(self.catalog.add_many([receipt(1)]), 0)
        found = self.catalog.find(receipt(1).key)
        assert found is not None
        self.assertEqual(found.deleted_ms, 77)
        self.assertEqual([entry.seq for entry in self.catalog.photos()], [2])
        self.assertEqual([c.id for c in self.catalog.candidates(None)], [2])
        self.assertEqual(self.catalog.totals(), {GREENHOUSE: Totals(1, 1000)})
        self.assertEqual(self.catalog.days(), {DAY: Totals(1, 1000)})

    def test_restored(self) -> None:
        """A photo whose file is back, elsewhere and with other bytes, is as its file is; its
        times, star and note are what they were."""
        self.catalog.add_many([receipt(1)])
        id = self.catalog.photos()[0].id
        self.catalog.star([id])
        self.catalog.note(id, "kept")
        self.catalog.mark_deleted([id], 5)
        back = receipt(1, when=NIGHT + 90_000, size=7, flat=True)
        self.assertEqual(self.catalog.restore([back, receipt(2)]), 1)
        entry = self.catalog.photos(starred=True)[0]
        self.assertEqual((entry.id, entry.size, entry.path), (id, 7, "0001.jpg"))
        self.assertEqual((entry.note, entry.deleted_ms), ("kept", None))
        self.assertEqual(entry.taken_ms, round((NIGHT + 1) * 1000))
        self.assertEqual(self.catalog.totals(), {GREENHOUSE: Totals(1, 7)})
        self.assertEqual(self.catalog.folders(), [""])

    def test_forgotten(self) -> None:
        """Forgotten is what came and went before; `last` never falls behind it, and what is
        there, or went later, is remembered."""
        self.catalog.add_many(receipt(seq) for seq in range(1, 6))
        ids = {entry.seq: entry.id for entry in self.catalog.photos()}
        came = round((NIGHT + 5.5) * 1000)
        self.catalog.mark_deleted([ids[1], ids[2], ids[5]], came + 10)
        self.catalog.mark_deleted([ids[3]], came + 50)
        self.assertEqual(self.catalog.forget(came + 10), 0)
        self.assertEqual(self.catalog.forget(came + 11, limit=1), 1)
        self.assertEqual(self.catalog.forget(came + 11), 1)
        self.assertEqual(self.catalog.forget(came + 11), 0)
        known = [seq for seq in range(1, 6) if self.catalog.find(receipt(seq).key)]
        self.assertEqual(known, [3, 4, 5])
        self.assertEqual(self.catalog.last(GREENHOUSE, BOOT), 5)
        self.assertEqual(self.catalog.totals(), {GREENHOUSE: Totals(1, 1000)})

    def test_came_late(self) -> None:
        """Being deleted at a time before it came does not make a photo forgotten."""
        self.catalog.add_many([receipt(1), receipt(2)])
        self.catalog.mark_deleted([1], 5)
        self.assertEqual(self.catalog.forget(6), 0)

    def test_nameless_forgotten(self) -> None:
        """A v1 board's boots are drawn anew at each connection: none is kept for its last."""
        self.catalog.add_many([receipt(1, door=Door.V1)])
        self.catalog.mark_deleted([1], 5)
        self.assertEqual(self.catalog.forget(2**50), 1)


class Cost(CatalogCase):
    """Every question is answered by an index, whatever the size of the tables."""

    def plans(self, ask: object) -> str:
        """How SQLite goes about all statements that *ask* executes."""
        statements: list[str] = []
        connection = self.catalog._connection
        connection.set_trace_callback(statements.append)
        try:
            ask()  # type: ignore[operator]
        finally:
            connection.set_trace_callback(None)
        plan: list[str] = []
        for statement in statements:
            if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT")):
                rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}")
                plan += [row[3] for row in rows]
        self.assertTrue(plan, statements)
        return "\n".join(plan)

    def test_indexed(self) -> None:
        """No question walks over the photos, and none sorts them."""
        self.catalog.add_many([receipt(seq) for seq in range(1, 5)])
        asked = {
            "find": lambda: self.catalog.find(receipt(1).key),
            "last": lambda: self.catalog.last(GREENHOUSE, BOOT),
            "latest": lambda: self.catalog.latest(GREENHOUSE),
            "page": lambda: self.catalog.photos(GREENHOUSE, after=(5, 5), since_ms=1),
            "starred": lambda: self.catalog.photos(GREENHOUSE, starred=True),
            "candidates": lambda: self.catalog.candidates(GREENHOUSE, (5, 5)),
            "names": lambda: self.catalog.names_in(f"{GREENHOUSE}/{DAY}"),
            "totals": self.catalog.totals,
            "days": self.catalog.days,
            "deleted": lambda: self.catalog.mark_deleted([1], 5),
            "restored": lambda: self.catalog.restore([receipt(1)]),
            "forgotten": lambda: self.catalog.forget(5),
        }
        for what, ask in asked.items():
            plan = self.plans(ask)
            for table in ("p", "photos", "n"):
                self.assertNotIn(f"SCAN {table}", plan, what)
            if what not in {"totals", "days"}:
                self.assertNotIn("TEMP B-TREE", plan, what)

    def test_all_cameras(self) -> None:
        """A page over all cameras follows the index by time, from where the last page ended."""
        plan = self.plans(lambda: self.catalog.photos(after=(5, 5)))
        self.assertIn("SEARCH p USING INDEX photos_by_time (taken_ms>? AND taken_ms<?)", plan)
        self.assertNotIn("TEMP B-TREE", plan)

    def test_steps(self) -> None:
        """Entering and finding take hardly more steps with 20 000 photos than with 200."""
        steps = self.steps

        def measured(at: int) -> tuple[int, ...]:
            new = [receipt(at + n) for n in range(64)]
            return (
                steps(lambda: self.catalog.add_many(new)),
                steps(lambda: self.catalog.find(new[9].key)),
                steps(lambda: self.catalog.last(GREENHOUSE, BOOT)),
                steps(lambda: self.catalog.photos(limit=20)),
                steps(self.catalog.totals),
            )

        self.catalog.add_many([receipt(seq) for seq in range(1, 200)])
        few = measured(300)
        self.catalog.add_many([receipt(seq) for seq in range(400, 20_000)])
        for many, one in zip(measured(30_000), few, strict=True):
            self.assertLess(many, 1.5 * one + 50, (measured(40_000), few))

    def test_pages(self) -> None:
        """A page takes no more steps the more photos came before it."""
        self.catalog.add_many([receipt(seq) for seq in range(1, 2001)])
        start = round(NIGHT * 1000)
        for camera in (None, GREENHOUSE):
            steps = self.turned(
                partial(self.catalog.photos, camera, since_ms=start, until_ms=2 * start, limit=100)
            )
            self.assertEqual(len(steps), 40)
            self.assertLess(max(steps), 1.5 * min(steps), steps)


class Cameras(CatalogCase):
    def test_states(self) -> None:
        """A camera's state is found again, by a new connection too; its first sight stays."""
        state = {"rssi": -61.5, "settings": {"framesize": "vga"}, "caps": ["sd"], "note": None}
        self.catalog.save_camera_states([CameraState(GREENHOUSE, 50, 60, state)])
        self.catalog.save_camera_states([CameraState(GREENHOUSE, 55, 70, {**state, "rssi": 1})])
        self.catalog.add_many([receipt(1, ORCHARD)])
        self.catalog.close()
        self.catalog = Catalog.open(self.path)
        came = round((NIGHT + 1.5) * 1000)
        self.assertEqual(
            self.catalog.load_camera_states(),
            [
                CameraState(GREENHOUSE, 50, 70, {**state, "rssi": 1}),
                CameraState(ORCHARD, came, came, {}),
            ],
        )
        self.assertEqual(json.loads(json.dumps(state)), state)

    def test_no_json(self) -> None:
        """What JSON cannot hold is refused, and nothing is changed."""
        with self.assertRaises(ValueError):
            self.catalog.save_camera_states([CameraState(ORCHARD, 1, 1, {"t": float("nan")})])
        self.assertEqual(self.catalog.load_camera_states(), [])

    def test_meta(self) -> None:
        """What is to be remembered is, until something else is."""
        self.assertIsNone(self.catalog.recall("swept"))
        self.catalog.remember("swept", "5")
        self.catalog.remember("swept", "6")
        self.assertEqual(self.catalog.recall("swept"), "6")


class Connections(CatalogCase):
    def test_reader(self) -> None:
        """A reader sees what is committed, and cannot write."""
        reader = CatalogReader.open(self.path)
        self.addCleanup(reader.close)
        self.catalog.add_many([receipt(1)])
        self.assertEqual(len(reader.photos()), 1)
        with self.assertRaises(CatalogError):
            reader.all("DELETE FROM photos")

    def test_two_writers(self) -> None:
        """Two threads with a Catalog each lose nothing to one another."""

        def write(camera: CameraId) -> None:
            mine = Catalog.open(self.path)
            for start in range(1, 200, 4):
                mine.add_many([receipt(start + n, camera) for n in range(4)])
            mine.close()

        threads = [threading.Thread(target=write, args=(c,)) for c in (GREENHOUSE, ORCHARD)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        total = Totals(200, 200_000)
        self.assertEqual(self.catalog.totals(), {GREENHOUSE: total, ORCHARD: total})

    def test_checkpoint(self) -> None:
        """After a checkpoint the log is empty, and the file alone has everything; a reader in
        the middle of something is told of, not waited for without end."""
        self.catalog.add_many([receipt(1)])
        log = self.path.with_name("catalog.sqlite-wal")
        self.assertGreater(log.stat().st_size, 0)
        self.assertTrue(self.catalog.checkpoint())
        self.assertEqual(log.stat().st_size, 0)
        copy = self.path.with_name("copy.sqlite")
        copy.write_bytes(self.path.read_bytes())
        alone = Catalog.open(copy)
        self.addCleanup(alone.close)
        self.assertEqual(len(alone.photos()), 1)

        reader = CatalogReader.open(self.path)
        self.addCleanup(reader.close)
        reader._connection.execute("BEGIN")
        reader.photos()
        self.catalog._connection.execute("PRAGMA busy_timeout = 10")
        self.catalog.add_many([receipt(2)])
        self.assertFalse(self.catalog.checkpoint())

    def test_mode(self) -> None:
        """The group may read the catalog and its log, others may not, under any umask."""
        for umask in (0, 0o077):
            path = self.path.with_name(f"{umask}.sqlite")
            self.addCleanup(os.umask, os.umask(umask))
            catalog = Catalog.open(path)
            self.addCleanup(catalog.close)
            for file in (path, path.with_name(f"{path.name}-wal")):
                self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o640)


class Opening(CatalogCase):
    def test_again(self) -> None:
        """A catalog that was closed is opened with all that it had."""
        self.catalog.add_many([receipt(1)])
        self.catalog.rebuilt()
        self.catalog.close()
        self.catalog = Catalog.open(self.path, check=True)
        self.assertEqual(len(self.catalog.photos()), 1)
        self.assertFalse(self.catalog.rebuild_owed)

    def test_newer(self) -> None:
        """A catalog of a newer camd is refused in a sentence, and left as it is."""
        self.catalog.close()
        with sqlite3.connect(self.path) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
        before = self.path.read_bytes()
        with self.assertRaisesRegex(CatalogError, "newer camd: its version is 99"):
            Catalog.open(self.path, self.fail)
        self.assertEqual(self.path.read_bytes(), before)

    def test_older(self) -> None:
        """An older catalog is brought forward, one migration after the other, and keeps its
        photos."""
        self.catalog.add_many([receipt(1)])
        self.catalog.close()
        later = (*schema.MIGRATIONS, ["ALTER TABLE photos ADD COLUMN sharpness REAL"])
        connection = schema.connect(self.path, later)
        rows = connection.execute("SELECT seq, sharpness FROM photos").fetchall()
        version = connection.execute("PRAGMA user_version").fetchone()
        connection.close()
        self.assertEqual((rows, version), ([(1, None)], (len(later),)))
        with self.assertRaisesRegex(CatalogError, "newer"):
            Catalog.open(self.path)

    def test_failed_migration(self) -> None:
        """A migration that fails half-way leaves the catalog of before."""
        self.catalog.close()
        bad = (*schema.MIGRATIONS, ["CREATE TABLE extra (x)", "CREATE TABLE extra (x)"])
        with self.assertRaises(CatalogError):
            schema.connect(self.path, bad)
        self.catalog = Catalog.open(self.path)
        self.assertEqual(self.catalog.recall("rebuild"), "owed")

    def test_not_ours(self) -> None:
        """Another program's database is refused, and left byte for byte as it is."""
        other = self.path.with_name("other.sqlite")
        with sqlite3.connect(other) as connection:
            connection.execute("CREATE TABLE photos (x)")
        connection.close()
        before = other.read_bytes()
        with self.assertRaisesRegex(CatalogError, "some other program"):
            Catalog.open(other, self.fail)
        self.assertEqual(other.read_bytes(), before)

    def test_no_folder(self) -> None:
        """A place that does not exist is said in a sentence, and is no damage."""
        with self.assertRaisesRegex(CatalogError, "No such file") as caught:
            Catalog.open(self.path.parent / "x" / "catalog.sqlite", self.fail)
        self.assertNotIsInstance(caught.exception, CatalogDamagedError)


class Damage(CatalogCase):
    def replaced(self, check: bool = False) -> None:
        """The damaged catalog is set aside byte for byte, said once, and a new one is there."""
        before = self.path.read_bytes()
        with self.assertRaises(CatalogDamagedError):
            Catalog.open(self.path, check=check)
        said: list[str] = []
        self.catalog = Catalog.open(self.path, said.append, check=check)
        aside = self.path.with_name("catalog.sqlite.damaged-1")
        self.assertEqual(aside.read_bytes(), before)
        self.assertEqual(len(said), 1)
        self.assertIn(aside.name, said[0])
        self.assertTrue(self.catalog.rebuild_owed)
        self.assertEqual(self.catalog.add_many([receipt(1)]), 1)

    def test_no_database(self) -> None:
        """Any bytes that are no database."""
        self.catalog.close()
        self.path.write_bytes(b"\xff\xd8\xff this is a photo" * 500)
        self.replaced()

    def test_log_set_aside(self) -> None:
        """The log of a damaged catalog goes with it, and is not taken for the new one's."""
        self.catalog.close()
        log = self.path.with_name("catalog.sqlite-wal")
        log.write_bytes(b"its log")
        aside = schema.set_aside(self.path)
        self.assertEqual(aside.with_name(f"{aside.name}-wal").read_bytes(), b"its log")
        self.assertFalse(self.path.exists() or log.exists())

    def test_cut_off(self) -> None:
        """A database whose end is gone."""
        self.catalog.add_many(receipt(seq) for seq in range(1, 2000))
        self.catalog.close()
        with self.path.open("r+b") as file:
            file.truncate(self.path.stat().st_size // 2)
        self.replaced()

    def test_overwritten(self) -> None:
        """A database with a hole in its middle is known for damaged when all of it is read."""
        self.catalog.add_many(receipt(seq) for seq in range(1, 2000))
        self.catalog.close()
        with self.path.open("r+b") as file:
            file.seek(self.path.stat().st_size // 2)
            file.write(b"\x55" * 30_000)
        self.replaced(check=True)

    def test_met_later(self) -> None:
        """Damage that is met while reading is told as such."""
        self.catalog.add_many(receipt(seq) for seq in range(1, 2000))
        self.catalog.close()
        with self.path.open("r+b") as file:
            file.seek(2048 * 60)
            file.write(b"\x55" * (self.path.stat().st_size - 2048 * 60))
        self.catalog = Catalog.open(self.path)
        self.assertNotEqual(self.catalog.quick_check(), [])
        with self.assertRaises(CatalogDamagedError):
            self.catalog.photos(limit=5000)

    def test_twice(self) -> None:
        """A second damaged catalog does not take the place of the first."""
        for number in (1, 2):
            self.catalog.close()
            self.path.write_bytes(b"x" * (5000 + number))
            self.catalog = Catalog.open(self.path, lambda said: None)
        sizes = [
            self.path.with_name(f"catalog.sqlite.damaged-{number}").stat().st_size
            for number in (1, 2)
        ]
        self.assertEqual(sizes, [5001, 5002])
