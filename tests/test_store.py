"""The store keeps its promises once each, and finds them again."""

import errno
import os
import shutil
import sqlite3
import stat
import zlib
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from camd.config import CameraEntry, Config, Share
from camd.config.units import Bytes
from camd.photo import Boot, CameraId, Door, Photo, Reason, Refused
from camd.store import files, keeper, level
from camd.store import store as the_store
from camd.store.annotations import Said
from camd.store.catalog import Catalog
from camd.store.findings import FindingsReader
from camd.store.schema import CatalogError
from camd.store.store import Store, StoreError
from tests.e2e_talk import BOOT, picture

CAMERA = CameraId("trap")
NOW = 1_786_832_103.0  # 2026-08-15 22:15:03 UTC
OTHER_BOOT = Boot("1111111111111111")


def photo(seq: int, data: bytes | None = None, **more: Any) -> Photo:
    data = picture(seq) if data is None else data

    given: dict[str, Any] = {
        "camera": CAMERA, "boot": Boot(BOOT), "seq": seq, "chunks": (data[:5], data[5:]),
        "size": len(data), "crc": zlib.crc32(data), "width": 16, "height": 8, "received": NOW,
        "door": Door.V2,
    }  # fmt: skip
    return Photo(**{**given, **more})


class StoreCase(TestCase):
    """A store on the real disk, with the real reactor."""

    timeout = 30

    def setUp(self) -> None:
        self.root = Path(self.mktemp()).absolute()
        self.config = Config()
        self.configure(timezone="UTC", keep_free=Share(Bytes(0)))
        self.opened: list[Store] = []
        self.store = self.open()

    def configure(self, **settings: Any) -> None:
        self.config = evolve(self.config, store=evolve(self.config.store, **settings))

    def open(self) -> Store:
        from_thread: Any = reactor
        store = Store(
            self.root, lambda: self.config, from_thread.callFromThread,
            lambda work: from_thread.callLater(0, work),
        )  # fmt: skip
        store.open()
        self.opened.append(store)
        return store

    async def tearDown(self) -> None:
        for store in self.opened:
            await self.shut(store)

    async def shut(self, store: Store) -> None:
        if store in self.opened:
            self.opened.remove(store)
            self.assertTrue(store.close(10))
            await self.turn()  # what its threads still had to say

    async def reopen(self) -> None:
        await self.shut(self.store)
        self.store = self.open()

    async def turn(self, seconds: float = 0.01) -> None:
        clock: Any = reactor
        await deferLater(clock, seconds)

    async def refused(self, stored: "Deferred[Any]", reason: Reason) -> None:
        with self.assertRaises(Refused) as caught:
            await stored
        self.assertIs(caught.exception.reason, reason)

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.root)): path.read_bytes() for path in self.root.rglob("*.jpg")
        }


class Promises(StoreCase):
    """A photo is stored once."""

    async def test_stored(self) -> None:
        """Its name says what it is, its bytes are what came, its modes keep strangers out."""
        receipt = await self.store.put(photo(17))
        name = f"trap/2026-08-15/trap_20260815-221503_{BOOT}-17.jpg"
        self.assertEqual(receipt.path, name)
        self.assertFalse(receipt.again)
        self.assertEqual(self.files(), {name: picture(17)})
        self.assertEqual(stat.S_IMODE(os.stat(self.root / name).st_mode), 0o640)

    async def test_one_trip(self) -> None:
        """Photos that share a trip are all synced before the first gets its name, and their
        folder when the last has got it."""
        steps: list[str] = []

        def noted(where: Any, name: str) -> None:
            step = getattr(where, name)
            self.patch(where, name, lambda *given: (steps.append(name), step(*given))[1])

        await self.store.put(photo(1))  # makes the folder
        for where, name in ((os, "fdatasync"), (files, "publish"), (files, "fsync_directory")):
            noted(where, name)
        await gatherResults([self.store.put(photo(seq)) for seq in (2, 3, 4)])
        self.assertEqual(steps, ["fdatasync"] * 3 + ["publish"] * 3 + ["fsync_directory"])

    async def test_two_names(self) -> None:
        """Where a file can only be linked to its name, a first name that cannot be taken away
        does not make the photo a refused one, which would be there all the same."""

        def stuck(path: str) -> None:
            raise OSError(errno.EIO, "stuck", path)

        self.patch(files, "_RENAMEAT2", None)
        self.patch(os, "unlink", stuck)
        receipt = await self.store.put(photo(1))
        self.assertEqual(self.files(), {receipt.path: picture(1)})

    async def test_again(self) -> None:
        """The same photo again gets the first one's receipt, be it on its way still, stored just
        now, in the catalog, deleted meanwhile, or behind a restart; another under its name is a
        conflict."""
        first, second = self.store.put(photo(1)), self.store.put(photo(1))
        other = self.store.put(photo(1, picture(9)))
        receipt = await first
        self.assertEqual(await second, evolve(receipt, again=True))
        await self.refused(other, Reason.CONFLICT)
        for wait in (0, 0.3):
            await self.turn(wait)
            self.assertEqual(await self.store.put(photo(1)), evolve(receipt, again=True))
            await self.refused(self.store.put(photo(1, picture(9))), Reason.CONFLICT)
        await self.reopen()
        self.assertEqual((await self.store.put(photo(1))).path, receipt.path)
        (self.root / receipt.path).unlink()
        self.assertTrue((await self.store.put(photo(1))).again)
        await self.refused(self.store.put(photo(1, picture(9))), Reason.CONFLICT)
        self.assertEqual(self.files(), {})

    async def test_again_before_the_catalog(self) -> None:
        """The same while the catalog cannot be written, and of more starts of boards than are
        remembered."""
        self.patch(the_store, "_REMEMBERED", 1)
        with sqlite3.connect(self.root / ".camd" / "catalog.sqlite") as other:
            other.execute("BEGIN IMMEDIATE")
            first = await self.store.put(photo(1))
            await self.store.put(photo(1, boot=OTHER_BOOT))
            again = await self.store.put(photo(1))
            self.assertEqual(again, evolve(first, again=True))
            other.rollback()
        self.assertEqual(len(self.files()), 2)

    async def test_out_of_order(self) -> None:
        """Seqs may come in any order, and of any boot."""
        photos = [
            photo(seq, boot=boot) for boot in (Boot(BOOT), OTHER_BOOT) for seq in (5, 3, 9, 4)
        ]
        receipts = await gatherResults([self.store.put(one) for one in photos])
        self.assertFalse(any(receipt.again for receipt in receipts))
        receipts = await gatherResults([self.store.put(one) for one in reversed(photos)])
        self.assertTrue(all(receipt.again for receipt in receipts))
        self.assertEqual(len(self.files()), 8)

    async def test_refused(self) -> None:
        """What could not be stored leaves nothing, and may be tried again; those who sent it
        meanwhile, or another one of its name, hear the same."""
        self.configure(keep_free=Share(percent=100.0))
        every = [self.store.put(one) for one in (photo(1), photo(1), photo(1, picture(9)))]
        for one in every:
            await self.refused(one, Reason.FULL)
        self.assertEqual(self.store.last(CAMERA, Boot(BOOT)), 0)
        self.configure(keep_free=Share(Bytes(0)))
        self.assertFalse((await self.store.put(photo(1))).again)
        self.assertEqual(len(self.files()), 1)
        self.assertEqual([*self.root.rglob("*.part")], [])

    async def test_last(self) -> None:
        """The highest seq that is settled: stored or refused for good, never going down, and
        not behind an ACK over a restart."""
        boot = Boot(BOOT)
        self.assertEqual(self.store.last(CAMERA, boot), 0)
        await gatherResults([self.store.put(photo(seq)) for seq in (7, 3)])
        self.assertEqual(self.store.last(CAMERA, boot), 7)
        self.assertEqual(self.store.last(CAMERA, OTHER_BOOT), 0)
        self.store.settled((CAMERA, boot, 12))
        self.store.settled((CAMERA, boot, 8))
        self.assertEqual(self.store.last(CAMERA, boot), 12)
        await self.reopen()
        self.assertGreaterEqual(self.store.last(CAMERA, boot), 7)

    async def test_unreadable(self) -> None:
        """A refusal that cannot be held against the catalog is forgotten, and nothing breaks."""
        await self.store.put(photo(7))
        await self.reopen()
        self.store.reader.close()
        self.store.settled((CAMERA, Boot(BOOT), 9))
        self.assertRaises(CatalogError, self.store.last, CAMERA, Boot(BOOT))


class FailingDisk(StoreCase):
    """Syncs that fail, and what cannot be taken away behind them."""

    def failing(self, where: Any, name: str, path: str) -> None:
        """From now on a step fails on what has *path* in its own."""
        step = getattr(where, name)

        def fails(given: Any, *more: Any, **named: Any) -> Any:
            if path in str(given):
                raise OSError(errno.EIO, "the disk fails", str(given))
            return step(given, *more, **named)

        self.failure = self.patch(where, name, fails)

    async def stick(self) -> None:
        """Photo 2 was refused, and its name stays: it cannot be taken away."""
        await self.store.put(photo(1))
        self.failing(files, "fsync_directory", "2026-08-15")
        sync = self.failure
        self.failing(os, "unlink", ".jpg")
        await self.refused(self.store.put(photo(2)), Reason.IO)
        sync.restore()

    async def test_stuck(self) -> None:
        """A photo that was refused because its folder could not be synced, and whose name could
        not be taken away, is not stored a second time beside that: it is refused until the disk
        lets go of it."""
        await self.stick()
        await self.refused(self.store.put(photo(2, received=NOW + 9)), Reason.IO)
        self.assertEqual(len(self.files()), 2)
        self.failure.restore()
        receipt = await self.store.put(photo(2, received=NOW + 9))
        self.assertFalse(receipt.again)
        self.assertEqual(self.files()[receipt.path], picture(2))
        self.assertEqual(len(self.files()), 2)
        await self.shut(self.store)
        self.assertEqual((self.root / ".camd" / "dirty").read_text(), "")

    async def test_stuck_at_the_end(self) -> None:
        """The next start finds such a photo, and knows it from then on."""
        await self.stick()
        self.assertFalse(await self.store.shorten())
        self.opened.remove(self.store)
        self.assertFalse(self.store.close(10))
        await self.turn()
        self.store = self.open()
        self.assertTrue((await self.store.put(photo(2, received=NOW + 9))).again)
        self.assertEqual(len(self.files()), 2)

    async def test_no_memory(self) -> None:
        """A photo on which its writer failed, for whatever reason, is taken when it comes again;
        whoever sent it a second time meanwhile is told, too."""

        def fails(*_: Any) -> None:
            raise MemoryError

        failure = self.patch(files, "write_all", fails)
        first, second = self.store.put(photo(1)), self.store.put(photo(1))
        for stored in (first, second):
            with self.assertRaises(MemoryError):
                await stored
        failure.restore()
        self.assertFalse((await self.store.put(photo(1))).again)
        self.assertEqual(len(self.files()), 1)

    async def test_no_folder(self) -> None:
        """The same where there was no telling in which folder it belongs."""
        self.configure(timezone="Nowhere/At_all")
        with self.assertRaises(KeyError):
            await self.store.put(photo(1))
        self.configure(timezone="UTC")
        self.assertFalse((await self.store.put(photo(1))).again)

    async def test_new_folder(self) -> None:
        """A new folder whose name could not be synced is none: it is made anew."""
        self.failing(files, "fsync_directory", "/trap")
        await self.refused(self.store.put(photo(1)), Reason.IO)
        self.assertEqual(list((self.root / "trap").iterdir()), [])
        self.failure.restore()
        await self.store.put(photo(1))
        self.assertEqual(len(self.files()), 1)

    async def test_list_at_the_end(self) -> None:
        """Where the list of what the next start looks through cannot be made shorter, it looks
        through more, and that is all."""
        await self.store.put(photo(1))
        self.failing(level, "fsync_directory", ".camd")
        await self.shut(self.store)
        self.failure.restore()
        self.store = self.open()
        self.assertTrue((await self.store.put(photo(1))).again)

    async def test_unfinished_ones(self) -> None:
        """What an earlier start could not finish, nor take away, is in no photo's way."""
        self.failing(files, "publish", ".part")
        naming = self.failure
        self.failing(os, "unlink", ".part")
        await self.refused(self.store.put(photo(1)), Reason.IO)
        self.failure.restore()
        naming.restore()
        self.assertEqual(len([*self.root.rglob("*.part")]), 1)
        await self.reopen()
        await self.store.put(photo(1))
        self.assertEqual(len(self.files()), 1)


class FailingCatalog(StoreCase):
    """Photos that are safe, and a catalog that does not take them."""

    def failing(self, error: Exception) -> Any:
        def fails(*_: Any) -> None:
            raise error

        return self.patch(Catalog, "add_many", fails)

    async def caught_up(self) -> None:
        """It takes them again, all of them."""
        self.assertTrue(await self.store.shorten())
        self.assertEqual(self.store.behind, 0)
        self.assertEqual(self.store.reader.totals()[CAMERA].photos, 5)

    async def test_many_wait(self) -> None:
        """However many photos wait for it, what else is wanted of it has its turn."""
        self.patch(keeper, "AT_ONCE", 2)
        failure = self.failing(CatalogError("it is locked"))
        await gatherResults([self.store.put(photo(seq)) for seq in range(1, 6)])
        self.assertEqual(await self.store.ask(lambda catalog: catalog.totals()), {})
        level = self.store.caught_up()
        self.assertFalse(level.called)
        failure.restore()
        await self.caught_up()
        await level
        await self.store.caught_up()

    async def test_a_mistake(self) -> None:
        """A mistake of ours is logged, and the catalog's thread lives on."""
        failure = self.failing(ValueError("nobody thought of this"))
        await gatherResults([self.store.put(photo(seq)) for seq in range(1, 6)])
        self.assertEqual(await self.store.ask(lambda catalog: catalog.totals()), {})
        failure.restore()
        await self.caught_up()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class Names(StoreCase):
    """Where a photo lies."""

    async def test_board_clock(self) -> None:
        """The board's time where it can be true, else when the photo came."""
        for seq, (taken, stamp) in enumerate(
            (
                (NOW - 3600, "20260815-211503"), (0.0, "20260815-221503"),
                (NOW + 10**6, "20260815-221503"), (None, "20260815-221503"),
                (1_577_836_800.0, "20200101-000000"),
            ), 1,
        ):  # fmt: skip
            receipt = await self.store.put(photo(seq, taken=taken))
            self.assertIn(f"/trap_{stamp}_{BOOT}-{seq}.jpg", receipt.path)

    async def test_day(self) -> None:
        """The day is the camera's, and a night may be one session; a reload counts."""
        for seq, (zone, session, day) in enumerate(
            (
                ("Asia/Shanghai", "midnight", "2026-08-16"), ("UTC", "noon", "2026-08-15"),
                ("Asia/Shanghai", "noon", "2026-08-15"), ("America/New_York", "noon", "2026-08-15"),
                ("Pacific/Kiritimati", "noon", "2026-08-16"),
                ("Pacific/Kiritimati", "midnight", "2026-08-16"),
            ), 1,
        ):  # fmt: skip
            entry = CameraEntry(CAMERA, timezone=zone, session=session)
            self.config = evolve(self.config, camera=(entry,))
            self.store.forget_folders()
            receipt = await self.store.put(photo(seq))
            self.assertEqual(receipt.path.split("/")[1], day, (zone, session))


class Flat(StoreCase):
    """Numbers, and what they are numbers of."""

    def setUp(self) -> None:
        super().setUp()
        self.log = self.root / ".camd" / "flat.log"

    async def restart(self) -> None:
        await self.shut(self.store)
        self.configure(layout="flat")
        self.store = self.open()

    async def crash(self) -> None:
        """The catalog is lost, and the store opened again."""
        await self.shut(self.store)
        (self.root / ".camd" / "catalog.sqlite").unlink()
        self.store = self.open()

    async def test_torn_line(self) -> None:
        """A line that a power cut tore does not spoil the next photo's."""
        await self.restart()
        await self.store.put(photo(1))
        await self.shut(self.store)
        with self.log.open("a") as log:
            log.write("0002 trap 00c0ff")
        self.store = self.open()
        await self.store.put(photo(2))
        await self.crash()
        self.assertTrue((await self.store.put(photo(2))).again)
        self.assertEqual(sorted(self.files()), ["0001.jpg", "0002.jpg"])

    async def test_no_room(self) -> None:
        """A line of which the disk takes but a part is finished, or its photo refused; the next
        one is whole again."""
        await self.restart()
        writev, write = os.writev, os.write
        state = "short"

        def noting(fd: int) -> bool:
            return state != "room" and os.readlink(f"/proc/self/fd/{fd}") == str(self.log)

        def some(fd: int, chunks: Any) -> int:
            return write(fd, b"".join(chunks)[:9]) if noting(fd) else writev(fd, chunks)

        def rest(fd: int, data: Any) -> int:
            if state == "full" and noting(fd):
                raise OSError(errno.ENOSPC, "no room")
            return write(fd, data[:9] if noting(fd) else data)

        self.patch(os, "writev", some)
        self.patch(os, "write", rest)
        await self.store.put(photo(1))
        state = "full"
        await self.refused(self.store.put(photo(2)), Reason.FULL)
        state = "room"
        await self.store.put(photo(2))
        await self.crash()
        for seq in (1, 2):
            self.assertTrue((await self.store.put(photo(seq))).again)
        self.assertEqual(sorted(self.files()), ["0001.jpg", "0003.jpg"])


class Life(StoreCase):
    """From open to close, and what a crash leaves."""

    async def test_alone(self) -> None:
        """A second store on the same directory is refused, and says why."""
        self.assertIn("in use", str(self.assertRaises(StoreError, self.open)))

    async def test_cannot_be_opened(self) -> None:
        """A store that cannot be opened leaves nothing open, and can be once what was wrong is
        mended, by the same process."""
        await self.store.put(photo(1))
        await self.shut(self.store)
        catalog = self.root / ".camd" / "catalog.sqlite"
        away = catalog.rename(self.root / ".camd" / "away")
        catalog.mkdir()
        before = os.listdir("/proc/self/fd")
        self.assertIn("catalog.sqlite", str(self.assertRaises(StoreError, self.open)))
        self.assertEqual(os.listdir("/proc/self/fd"), before)
        catalog.rmdir()
        away.rename(catalog)
        self.store = self.open()
        self.assertIsNotNone(self.store.find(photo(1).key))

    async def test_new_directories(self) -> None:
        """The store's own name, and those above it that are new, are there for good before it is
        used."""
        await self.shut(self.store)
        synced: list[Path] = []
        sync = files.fsync_directory
        self.patch(files, "fsync_directory", lambda path: (synced.append(Path(path)), sync(path)))
        top = self.root = Path(self.mktemp()).absolute()
        self.root = top / "of" / "photos"
        self.store = self.open()
        self.assertEqual(synced, [top.parent, top, top / "of", self.root])
        for path in (top, self.root):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o750)

    async def test_clean_stop(self) -> None:
        """Behind a clean stop nothing has to be looked through, and all is found."""
        receipts = await gatherResults([self.store.put(photo(seq)) for seq in range(1, 40)])
        await self.shut(self.store)
        self.assertEqual((self.root / ".camd" / "dirty").read_text(), "")
        self.store = self.open()
        for receipt in receipts:
            self.assertEqual(self.store.find(receipt.key), evolve(receipt, again=True))

    async def crashed(self) -> Store:
        """The store as a crash at this moment would leave it, opened again."""

        root = Path(self.mktemp()).absolute()
        shutil.copytree(self.root, root)
        for name in ("catalog.sqlite-wal", "catalog.sqlite-shm"):
            (root / ".camd" / name).unlink(missing_ok=True)
        self.root, before = root, self.root
        self.addCleanup(setattr, self, "root", before)
        return self.open()

    async def test_crash(self) -> None:
        """Photos that the catalog on the disk does not have are found by their names."""
        await gatherResults([self.store.put(photo(seq)) for seq in (1, 2)])
        store = await self.crashed()
        self.assertEqual(store.last(CAMERA, Boot(BOOT)), 2)
        self.assertTrue((await store.put(photo(2))).again)

    async def test_crash_behind_a_shortening(self) -> None:
        """The same for photos that came after the list of what is to be looked through was
        shortened, into a folder that was in use before."""
        await self.store.put(photo(1))
        for _ in range(2):
            self.assertTrue(await self.store.shorten())
            await self.turn(0.3)
        await self.store.put(photo(2))
        self.assertIn("trap/2026-08-15", self.store.dirty.folders)
        store = await self.crashed()
        self.assertEqual(store.last(CAMERA, Boot(BOOT)), 2)
        self.assertTrue((await store.put(photo(2))).again)

    async def test_unreadable(self) -> None:
        """What cannot be read at the start behind a crash is found by the next one, however long
        camd ran in between, and with it what was said of it."""
        receipt = await self.store.put(photo(1))
        await self.store.annotate(Said(receipt.key, (), True))
        opened = level.open_folder

        def fails(root: Path, path: str) -> int:
            if path == "trap/2026-08-15":
                raise OSError(errno.EIO, "the disk fails")
            return opened(root, path)

        failure = self.patch(level, "open_folder", fails)
        store = await self.crashed()
        self.assertIsNone(store.find(receipt.key))
        self.assertTrue(await store.shorten())
        await self.shut(store)
        failure.restore()
        store = self.open()
        self.assertTrue((await store.put(photo(1, received=NOW + 9))).again)
        entry = store.reader.find(receipt.key)
        assert entry is not None
        found = FindingsReader(store.reader).of(entry.id)
        self.assertTrue(found and found.done)
        await self.shut(store)
        self.assertEqual((self.root / ".camd" / "dirty").read_text(), "")

    async def test_leftovers(self) -> None:
        """What a crash left unfinished is removed at the start; what is not camd's stays."""
        receipt = await self.store.put(photo(1))
        folder = (self.root / receipt.path).parent
        (folder / ".camd-7-3.part").write_bytes(b"half")
        (folder / ".camd-notes").write_bytes(b"mine")
        (folder / "holiday.jpg").write_bytes(b"mine")
        store = await self.crashed()
        folder = (store.root / receipt.path).parent
        self.assertEqual(
            sorted(path.name for path in folder.iterdir()),
            [".camd-notes", "holiday.jpg", Path(receipt.path).name],
        )
