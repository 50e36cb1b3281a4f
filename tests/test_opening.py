"""A stored photo is opened only where it is still the file that was stored."""

import os
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from camd.photo import CameraId
from camd.store.catalog import CatalogReader
from camd.store.folders import OWN
from camd.store.opening import open_file, read_photo
from tests.film_store import NOON, put
from tests.pictures import insects


class Opening(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = Path(self.mktemp()).absolute()
        self.root.mkdir()
        (self.path,) = put(self.root, [NOON])
        with closing(CatalogReader.open(self.root / OWN / "catalog.sqlite")) as reader:
            found = reader.latest(CameraId("trap-1"))
        assert found is not None, "it was put there"
        self.entry = found

    def test_read(self) -> None:
        """As it was stored, or a part of it."""
        self.assertEqual(read_photo(self.root, self.entry), insects(0))
        self.assertEqual(read_photo(self.root, self.entry, 2, 12), insects(0)[2:12])

    def test_something_else(self) -> None:
        """Nothing that took its place is read: no other size, no link, no fifo, no folder; and no
        descriptor is left open."""
        before = len(os.listdir("/proc/self/fd"))
        elsewhere = self.root / "x"
        self.path.rename(elsewhere)
        self.assertRaises(FileNotFoundError, read_photo, self.root, self.entry)
        self.path.write_bytes(insects(0) + b"x")
        self.assertRaises(FileNotFoundError, read_photo, self.root, self.entry)
        self.path.unlink()
        self.path.symlink_to(elsewhere)
        self.assertRaises(OSError, read_photo, self.root, self.entry)
        self.path.unlink()
        os.mkfifo(self.path)
        self.assertRaises(FileNotFoundError, read_photo, self.root, self.entry)
        self.assertRaises(FileNotFoundError, open_file, self.path.parent, self.path.name)
        self.path.unlink()
        day = self.path.parent
        day.rename(self.root / "day")
        elsewhere.rename(self.root / "day" / self.path.name)
        day.symlink_to(self.root / "day")
        self.assertRaises(OSError, read_photo, self.root, self.entry)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
