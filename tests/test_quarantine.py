"""Refused photos that are kept to be looked at take no more room than they may."""

from collections.abc import Callable
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from camd.config import Config
from camd.config.units import Bytes
from camd.photo import CameraId, Reason
from camd.store.quarantine import WAITING, Quarantine

TRAP = CameraId("trap")
NOW = 1_786_832_103.0


class Kept(SynchronousTestCase):
    """A quarantine whose thread is the test's own, and works when the test says so."""

    def setUp(self) -> None:
        self.config = Config()
        self.configure(True, 5000)
        self.waiting: list[Callable[[], None]] = []
        self.folder = Path(self.mktemp())
        self.aside = Quarantine(self.folder, lambda: self.config, lambda: NOW, self.waiting.append)

    def configure(self, wanted: bool, most: int) -> None:
        store = evolve(self.config.store, quarantine=wanted, quarantine_max=Bytes(most))
        self.config = evolve(self.config, store=store)

    def keep(self, data: bytes, reason: Reason = Reason.JPEG) -> None:
        self.aside.keep(TRAP, reason, (data[:10], data[10:]))

    def work(self) -> None:
        waiting, self.waiting[:] = tuple(self.waiting), []
        for work in waiting:
            work()

    @property
    def kept(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir())}

    def test_kept(self) -> None:
        """Its name says whose it is, when it came and why it was refused."""
        self.keep(b"no photo at all")
        self.work()
        self.assertEqual(
            self.kept, {"trap_20260815-221503_000001_jpeg.refused": b"no photo at all"}
        )

    def test_not_wanted(self) -> None:
        """By default nothing is kept."""
        self.configure(False, 5000)
        self.keep(b"no photo at all")
        self.assertEqual(self.waiting, [])

    def test_oldest_go(self) -> None:
        """On the disk there is no more than is configured; what alone is more is not kept."""
        for number in range(8):
            self.keep(b"%1000d" % number)
            self.work()
        self.keep(bytes(5001))
        self.work()
        self.assertLessEqual(sum(map(len, self.kept.values())), 5000)
        self.assertIn(b"%1000d" % 7, self.kept.values())
        self.assertNotIn(b"%1000d" % 0, self.kept.values())

    def test_slow_disk(self) -> None:
        """What waits for the disk is bounded; there is room again when that has been written."""
        self.configure(True, 4 * WAITING)
        for _ in range(5):
            self.keep(bytes(WAITING // 2))
        self.assertEqual(len(self.waiting), 2)
        self.work()
        self.keep(b"more")
        self.assertEqual(len(self.waiting), 1)
