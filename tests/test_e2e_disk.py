"""Whatever becomes of the disk: nothing is overwritten, boards are told, and service goes on when
the disk is back."""

import os
import shutil
import stat
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from camd.photo import CameraId
from camd.store.catalog import Catalog, CatalogReader
from camd.store.folders import OWN
from camd.store.schema import CatalogError
from camd.timelapse import TimelapseError, Wish, shoot
from tests.e2e_boards import V1, V2, Load, lost, photo
from tests.e2e_daemon import Daemon, DaemonCase, until
from tests.e2e_disk import MIB, Disk, fill
from tests.e2e_talk import BOOT, Talk
from tests.film_store import NOON, put
from tests.tools import tool


class DiskCase(DaemonCase):
    """A daemon with a small disk of its own."""

    def on_disk(self, megabytes: int, config: str = "") -> tuple[Disk, Daemon]:
        disk = Disk(self.directory(), megabytes)
        self.addCleanup(disk.unmount)
        daemon = self.daemon(config, store=disk.path / "store")
        self.addCleanup(daemon.kill)  # before the disk goes
        return disk, daemon.start()

    def served(self, daemon: Daemon, seq: int) -> None:
        """Boards of both kinds are served by now."""
        self.assertEqual(V1(daemon.port).photo(photo(seq)), "ACK", daemon.said)
        board = V2(daemon.port, Talk("after"))
        self.assertEqual(board.photo(seq, photo(seq + 1)), f"ACK {seq}")


class Full(DiskCase):
    """A disk that fills up."""

    def test_keep_free(self) -> None:
        """Photos are NAK full before the disk is full, however many boards there are; when room
        is made there is service again, and nothing that was acknowledged is lost."""
        disk, daemon = self.on_disk(24, 'store.keep_free = "6 MiB"')
        load = Load(daemon, 16, size=(800, 600))
        with load:
            load.go_on_until_refused()
        self.assertEqual(set(load.answers), {"ACK", "NAK full"})
        self.assertGreater(disk.free, 5 * MIB)
        self.assertEqual(lost(load, daemon.photos()), [])
        self.assertEqual(list(daemon.store.rglob("*.part")), [])
        kept = next(iter(load.kept.items()))
        for path in list(daemon.photos())[::2]:
            if (daemon.store / path).read_bytes() != kept[1]:
                (daemon.store / path).unlink()
        self.served(daemon, 1)
        (camera, boot, seq), data = kept
        self.assertEqual(V2(daemon.port, Talk(camera, boot)).photo(seq, data), f"ACK {seq}")

    def test_really_full(self) -> None:
        """Where somebody else fills the disk to the last byte it is NAK full too, and nothing is
        left behind; then service again."""
        disk, daemon = self.on_disk(24, "store.keep_free = 0")
        board = V1(daemon.port)
        self.assertEqual(board.photo(photo(1)), "ACK")
        other = disk.path / "other"
        fill(other)
        answers = {board.photo(photo(n)) for n in range(2, 12)}
        self.assertEqual(answers, {"NAK full"})
        self.assertEqual(len(daemon.photos()), 1)
        self.assertEqual(list(daemon.store.rglob("*.part")), [])
        other.unlink()
        self.served(daemon, 50)
        self.assertEqual(daemon.stop(), 0)

    def test_killed_meanwhile(self) -> None:
        """Behind a crash on such a disk camd starts, and serves when there is room."""
        disk, daemon = self.on_disk(24, "store.keep_free = 0")
        self.assertEqual(V1(daemon.port).photo(photo(1)), "ACK")
        with closing(CatalogReader.open(daemon.store / OWN / "catalog.sqlite")) as catalog:
            until(lambda: sum(totals.photos for totals in catalog.totals().values()) == 1)
        fill(disk.path / "other")
        daemon.kill()
        daemon.start()
        fill(disk.path / "another")
        board = V1(daemon.port)
        self.assertEqual(board.photo(photo(2)), "NAK full")
        (disk.path / "other").unlink()
        until(lambda: board.photo(photo(3)) == "ACK")
        self.served(daemon, 50)
        self.assertEqual(daemon.stop(), 0)

    def test_catalog(self) -> None:
        """A catalog that cannot be opened for want of room is no broken disk."""
        disk = Disk(self.directory(), 8)
        self.addCleanup(disk.unmount)
        path = disk.path / "catalog.sqlite"
        Catalog.open(path).close()
        fill(disk.path / "other")
        error = self.assertRaises(CatalogError, Catalog.open, path)
        self.assertIn("the disk is full", str(error))

    def test_film(self) -> None:
        """A film for which there is no room: that is said, and nothing of it is left."""
        disk, root = Disk(self.directory(), 8), self.directory()
        self.addCleanup(disk.unmount)
        put(root, [NOON + at for at in range(3)])
        fill(disk.path / "other")
        film = disk.path / "film.mp4"
        with closing(CatalogReader.open(root / OWN / "catalog.sqlite")) as reader:
            error = self.assertRaises(
                TimelapseError, shoot, root, reader, Wish(CameraId("trap-1")), film,
                tool("ffmpeg", "ffmpeg"),
            )  # fmt: skip
        self.assertEqual(str(error), "the disk is full")
        self.assertEqual({path.name for path in disk.path.iterdir()}, {"other", "lost+found"})


class Away(DiskCase):
    """A disk that cannot be written, or is not there."""

    def test_read_only(self) -> None:
        """Under load a disk that turns read-only is NAK io; when it is writable again there is
        service again, and nothing acknowledged is lost or doubled."""
        disk, daemon = self.on_disk(48, 'store.keep_free = "1 MiB"')
        for turn in range(3):
            load = Load(daemon, 6, first=(turn + 1) * 10_000_000)
            with load:
                load.go_on_until(60)
                disk.turn_read_only(daemon.store)
                load.go_on_until_refused()
                time.sleep(0.1)
            self.assertEqual(set(load.answers), {"ACK", "NAK io"})
            disk.turn_writable(daemon.store)
            for (camera, boot, seq), data in load.unanswered.items():
                board = V2(daemon.port, Talk(camera, boot))
                self.assertEqual(board.photo(seq, data), f"ACK {seq}")
                load.kept[camera, boot, seq] = data
            self.served(daemon, 100 + 2 * turn)
            mine = {path: d for path, d in daemon.photos().items() if d in load.sent}
            self.assertEqual(lost(load, mine), [])

    def test_renamed_away(self) -> None:
        """A store that is renamed away is NAK io, and no new one is made in its place; another
        directory there is not taken for it; back again, it serves."""
        daemon = self.daemon().start()
        self.served(daemon, 1)
        away = daemon.directory / "away"
        daemon.store.rename(away)
        v1, v2 = V1(daemon.port), V2(daemon.port, Talk("trap"))
        self.assertEqual(v1.photo(photo(3)), "NAK io")
        self.assertEqual(v2.photo(1, photo(4)), "NAK 1 io")
        self.assertFalse(daemon.store.exists())
        daemon.store.mkdir()
        self.assertEqual(v1.photo(photo(3)), "NAK io")
        self.assertEqual(list(daemon.store.iterdir()), [])
        daemon.store.rmdir()
        away.rename(daemon.store)
        self.assertEqual(v1.photo(photo(3)), "ACK")
        self.assertEqual(v2.photo(1, photo(4)), "ACK 1")
        self.assertEqual(len(daemon.photos()), 4)
        self.assertEqual(daemon.stop(), 0)

    def test_folder_deleted(self) -> None:
        """Folders and photos that somebody deletes meanwhile harm nobody; a photo that was
        acknowledged and deleted is still known."""
        daemon = self.daemon().start()
        board = V2(daemon.port, Talk("trap"))
        self.assertEqual(board.photo(1, photo(1)), "ACK 1")
        shutil.rmtree(daemon.store / "trap")
        self.assertEqual(board.photo(2, photo(2)), "ACK 2")
        self.assertEqual(board.photo(1, photo(1)), "ACK 1")
        self.assertEqual(board.photo(1, photo(5)), "NAK 1 conflict")
        self.assertEqual(list(daemon.photos().values()), [photo(2)])

    def test_dead(self) -> None:
        """On a disk that fails every call a photo is NAK io and no connection is closed for
        it."""
        disk, daemon = self.on_disk(32, "store.keep_free = 0")
        v1, v2 = V1(daemon.port), V2(daemon.port, Talk("trap"))
        self.assertEqual(v2.photo(1, photo(1)), "ACK 1")
        disk.lose_power()
        for turn in range(3):
            self.assertEqual(v1.photo(photo(2)), "NAK io", turn)
            self.assertEqual(v2.photo(2, photo(3)), "NAK 2 io", turn)
            older = f" boot={turn:016x}"
            v2.send(v2.talk.frame(9, photo(4), older))
            self.assertEqual(v2.answer(), f"NAK 9 io{older}")
        self.assertEqual(V2(daemon.port, Talk("another")).photo(1, photo(5)), "NAK 1 io")


class Foreign(DaemonCase):
    """Files that camd did not make."""

    def names(self, camera: str, taken: float, seq: int) -> list[str]:
        """Those that a photo would take, the next seconds' too."""
        return [
            f"{camera}_{datetime.fromtimestamp(taken + n, UTC):%Y%m%d-%H%M%S}_{BOOT}-{seq}.jpg"
            for n in range(6)
        ]

    def test_names_that_are_taken(self) -> None:
        """A file, a symlink to one, a dangling one, a directory, and a fifo at the names that a
        photo would take: left as they are, not followed, and the photo is stored beside them."""
        daemon = self.daemon().start()
        taken = int(time.time()) - 3600
        board = V2(daemon.port, Talk("trap"))
        self.assertEqual(board.photo(1, photo(1)), "ACK 1")
        folder = (daemon.store / next(iter(daemon.photos()))).parent
        precious = daemon.directory / "precious"
        precious.write_bytes(b"mine")
        names = self.names("trap", taken, 2)
        (folder / names[0]).write_bytes(b"somebody's")
        (folder / names[1]).symlink_to(precious)
        (folder / names[2]).symlink_to(daemon.directory / "nowhere")
        (folder / names[3]).mkdir()
        os.mkfifo(folder / names[4])
        board.send(board.talk.frame(2, photo(2), f" ts={taken * 1000}"))
        self.assertEqual(board.answer(), "ACK 2")
        self.assertEqual((folder / names[5]).read_bytes(), photo(2))
        self.assertEqual((folder / names[0]).read_bytes(), b"somebody's")
        self.assertEqual(precious.read_bytes(), b"mine")
        self.assertTrue((folder / names[1]).is_symlink())
        self.assertFalse((daemon.directory / "nowhere").exists())
        board.send(board.talk.frame(2, photo(2)))
        self.assertEqual(board.answer(), "ACK 2")

    def test_camera_folder_is_a_link(self) -> None:
        """A camera's folder that leads out of the store is not followed, be it one that was there
        and was replaced, or that of a day: nothing is written there."""
        daemon = self.daemon().start()
        outside = daemon.directory / "outside"
        outside.mkdir()
        (daemon.store / "trap").symlink_to(outside)
        board = V2(daemon.port, Talk("trap"))
        self.assertEqual(board.photo(1, photo(1)), "NAK 1 io")
        self.assertEqual(list(outside.rglob("*")), [])
        (daemon.store / "trap").unlink()
        self.assertEqual(board.photo(1, photo(1)), "ACK 1")
        for folder in (daemon.store / "trap", next((daemon.store / "trap").iterdir())):
            moved = outside / folder.name
            folder.rename(moved)
            folder.symlink_to(moved)
            self.assertEqual(board.photo(2, photo(2)), "NAK 2 io")
            folder.unlink()
            moved.rename(folder)
        self.assertEqual(board.photo(2, photo(2)), "ACK 2")
        self.assertEqual(len(daemon.photos()), 2)

    def test_flat(self) -> None:
        """The flat layout goes on behind the highest number that was ever used, over restarts,
        deleted photos and foreign files."""
        daemon = self.daemon('store.layout = "flat"')
        daemon.store.mkdir()
        (daemon.store / "0002.jpg").write_bytes(b"somebody's")
        (daemon.store / "0007.jpg").symlink_to("/nowhere")
        daemon.start()
        board = V1(daemon.port)
        for number in (1, 2):
            self.assertEqual(board.photo(photo(number)), "ACK")
        self.assertEqual((daemon.store / "0008.jpg").read_bytes(), photo(1))
        (daemon.store / "0009.jpg").unlink()
        daemon.kill()
        daemon.start()
        (daemon.store / "0010.jpg").write_bytes(b"somebody's too")
        with Load(daemon, 8, photos=5) as load:
            load.wait()
        self.assertEqual((daemon.store / "0010.jpg").read_bytes(), b"somebody's too")
        self.assertFalse((daemon.store / "0009.jpg").exists())
        names = sorted(path for path in daemon.photos() if path > "0010.jpg")
        self.assertEqual(names, [f"{n:04d}.jpg" for n in range(11, 51)])


class Modes(DaemonCase):
    """What is made is for the group to read, and for nobody else."""

    def test_any_umask(self) -> None:
        """Files 0640, directories 0750, under umask 000 and 077 alike, in both layouts."""
        for umask, layout in ((0, "days"), (0o077, "days"), (0o077, "flat")):
            daemon = self.daemon(f'store.layout = "{layout}"', umask=umask).start()
            board = V2(daemon.port, Talk("trap"))
            self.assertEqual(V1(daemon.port).photo(photo(1)), "ACK")
            for seq in range(1, 10):
                self.assertEqual(board.photo(seq, photo(seq + 1)), f"ACK {seq}")
            for path in daemon.store.rglob("*"):
                self.assert_mode(path)
            self.assertEqual(stat.S_IMODE(daemon.store.stat().st_mode), 0o750)
            self.assertEqual(len(daemon.photos()), 10)
            daemon.kill()

    def assert_mode(self, path: Path) -> None:
        mode = stat.S_IMODE(path.stat().st_mode)
        if ".camd" in path.parts:
            self.assertFalse(mode & 0o007, f"{path} {mode:o}")
        else:
            self.assertEqual(mode, 0o750 if path.is_dir() else 0o640, path)
