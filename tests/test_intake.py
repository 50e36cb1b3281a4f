"""Every photo's way in: promised by the store, counted, told, shown."""

import zlib
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from camd.config import CameraEntry, Config
from camd.config.units import Bytes
from camd.fleet import Fleet
from camd.intake import Intake
from camd.live import Live
from camd.news import Kind, News
from camd.photo import Boot, CameraId, Door, FrameKey, Photo, Reason, Receipt, Refused
from camd.store.schema import CatalogError
from tests.e2e_talk import BOOT, picture

TRAP = CameraId("trap")
NOW = 1_786_832_103.0


class Shelf:
    """A store that says what the test wants it to say."""

    def __init__(self) -> None:
        self.answer: Exception | None = None
        self.raises: Exception | None = None
        self.held: Deferred[Receipt] | None = None
        self.kept: dict[FrameKey, Photo] = {}
        self.final: list[FrameKey] = []
        self.waiting = self.behind = 0

    def put(self, photo: Photo) -> "Deferred[Receipt]":
        if self.raises is not None:
            raise self.raises
        if self.answer is not None:
            return fail(self.answer)
        if self.held is not None:
            return self.held
        again = photo.key in self.kept
        self.kept[photo.key] = photo
        return succeed(
            Receipt(
                photo.camera, photo.boot, photo.seq, photo.size, photo.crc, photo.width,
                photo.height, "x.jpg", NOW, photo.received, photo.door, photo.trigger, again,
            )
        )  # fmt: skip

    def has(self, key: FrameKey) -> bool:
        return key in self.kept

    def settled(self, key: FrameKey) -> None:
        self.final.append(key)


class Aside:
    """A quarantine that keeps all in memory."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, Reason]] = []

    def keep(self, camera: CameraId, reason: Reason, chunks: Any) -> None:
        self.kept.append((camera, reason))


class IntakeCase(SynchronousTestCase):
    """An intake over a shelf."""

    def setUp(self) -> None:
        self.config = Config()
        self.news = News(lambda: NOW)
        self.live = Live()
        self.fleet = Fleet(lambda: self.config, self.news, lambda: NOW)
        self.shelf: Any = Shelf()
        self.aside: Any = Aside()
        self.intake = Intake(self.shelf, self.fleet, self.news, self.live, self.aside, lambda: NOW)

    def photo(self, seq: int = 1) -> Photo:
        data = picture(seq)
        return Photo(
            TRAP, Boot(BOOT), seq, (data,), len(data), zlib.crc32(data), 16, 8, NOW, Door.V2
        )

    def refused(self, photo: Photo) -> Refused:
        error = self.failureResultOf(self.intake.accept(photo), Refused).value
        assert isinstance(error, Refused)
        return error

    def kinds(self) -> list[Kind]:
        return [item.kind for item in self.news.recent()]

    def test_stored(self) -> None:
        """A photo is promised, counted, news, and shown to who watches."""
        seen: list[object] = []
        self.live.watch(TRAP, seen.append)
        receipt = self.successResultOf(self.intake.accept(self.photo()))
        self.assertEqual(receipt.seq, 1)
        self.assertEqual((self.intake.photos, self.intake.bytes), (1, receipt.size))
        self.assertEqual(self.kinds(), [Kind.PHOTO])
        self.assertIs(self.news.recent()[0].receipt, receipt)
        self.assertEqual(seen, [(picture(1),)])
        self.assertEqual(self.fleet.cameras[TRAP].photos, 1)

    def test_again(self) -> None:
        """The same photo once more is no news, and counts as what it is."""
        for _ in range(2):
            self.successResultOf(self.intake.accept(self.photo()))
        self.assertEqual((self.intake.photos, self.intake.again), (1, 1))
        self.assertEqual(self.kinds(), [Kind.PHOTO])

    def test_refused(self) -> None:
        """What the store refuses is counted by its reason and told; final ones are settled and
        put aside, others are neither."""
        self.shelf.answer = Refused(Reason.FULL, "no room", 5.0)
        error = self.refused(self.photo(1))
        self.assertEqual((error.reason, error.retry), (Reason.FULL, 5.0))
        self.shelf.answer = Refused(Reason.CONFLICT)
        self.assertIs(self.refused(self.photo(2)).reason, Reason.CONFLICT)
        self.assertEqual(self.intake.refusals, {Reason.FULL: 1, Reason.CONFLICT: 1})
        self.assertEqual(self.shelf.final, [self.photo(2).key])
        self.assertEqual(self.aside.kept, [(TRAP, Reason.CONFLICT)])
        self.assertEqual(self.kinds(), [Kind.REFUSED, Kind.REFUSED])

    def test_store_that_fails(self) -> None:
        """A failure of ours is io to the board, and a traceback in the log."""
        self.shelf.answer = ValueError("a mistake")
        self.assertIs(self.refused(self.photo()).reason, Reason.IO)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_catalog_that_cannot_be_read(self) -> None:
        """A catalog on a disk that has gone is io, too, and nobody is hung up on for it."""
        self.shelf.raises = CatalogError("disk I/O error")
        self.assertIs(self.refused(self.photo()).reason, Reason.IO)

    def test_stopping(self) -> None:
        """While camd stops nothing is taken any more."""
        self.intake.stopping = True
        self.assertIs(self.refused(self.photo()).reason, Reason.STOPPING)
        self.assertEqual(self.shelf.kept, {})

    def test_quota(self) -> None:
        """What is beyond the camera's quota is busy, with a time to try again."""
        self.config = evolve(self.config, camera=(CameraEntry(TRAP, quota_photos=1),))
        self.successResultOf(self.intake.accept(self.photo(1)))
        error = self.refused(self.photo(2))
        self.assertIs(error.reason, Reason.BUSY)
        assert error.retry is not None
        self.assertTrue(0 < error.retry <= 3600)

    def test_quota_on_the_way(self) -> None:
        """What is on its way to the disk counts; where it does not get there it counts no more."""
        for quota in ({"quota_photos": 1}, {"quota_bytes": Bytes(self.photo().size)}):
            self.config = evolve(self.config, camera=(CameraEntry(TRAP, **quota),))
            held = self.shelf.held = Deferred()
            first = self.intake.accept(self.photo(1))
            error = self.refused(self.photo(2))
            self.assertEqual((error.reason, error.retry), (Reason.BUSY, None))
            held.errback(Refused(Reason.FULL))
            self.failureResultOf(first, Refused)
            self.shelf.held = None
            self.successResultOf(self.intake.accept(self.photo(2)))
            self.refused(self.photo(3))
            self.fleet.cameras.clear()
            self.shelf.kept.clear()

    def test_quota_and_sent_again(self) -> None:
        """A photo that was acknowledged is so again, however little is left of the quota."""
        self.config = evolve(self.config, camera=(CameraEntry(TRAP, quota_photos=1),))
        for _ in range(2):
            self.successResultOf(self.intake.accept(self.photo(1)))

    def test_shown_only(self) -> None:
        """A picture to look at goes to viewers, and nowhere else."""
        seen: list[object] = []
        self.intake.show(TRAP, (b"picture",))
        self.live.watch(TRAP, seen.append)
        self.intake.show(TRAP, (b"picture",))
        self.assertEqual(seen, [(b"picture",)])
        self.assertEqual(self.shelf.kept, {})

    def test_stats(self) -> None:
        """Counters are there for the operator."""
        self.successResultOf(self.intake.accept(self.photo()))
        self.intake.refuse(TRAP, Reason.CRC)
        stats = self.intake.stats()
        self.assertEqual((stats["photos"], stats["refused"], stats["refused: crc"]), (1, 1, 1))
