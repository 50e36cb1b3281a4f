"""What happens to every photo, whichever door it came by.

One way in: `Intake.accept`. It asks the store for a promise, tells the fleet and the news, and
shows the picture to who watches. It knows no protocol and no file.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from attrs import define, field
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd.fleet import Camera, Fleet
from camd.histogram import SECONDS, Histogram
from camd.live import Live
from camd.news import Kind, News
from camd.photo import CameraId, Photo, Reason, Receipt, Refused
from camd.store.quarantine import Quarantine
from camd.store.schema import CatalogError
from camd.store.store import Store

log = Logger()

Chunks = tuple[bytes | bytearray, ...]


@define(eq=False)
class Intake:
    """Every photo's way in.

    :ivar now: unix seconds.
    :ivar latency: seconds from a photo's last byte to its promise.
    """

    store: Store
    fleet: Fleet
    news: News
    live: Live
    quarantine: Quarantine
    now: Callable[[], float]
    stopping: bool = False
    photos: int = 0
    bytes: int = 0
    again: int = 0
    refusals: Counter[Reason] = field(factory=Counter)
    latency: Histogram = field(factory=lambda: Histogram(SECONDS))

    def accept(self, photo: Photo) -> "Deferred[Receipt]":
        """Fires when *photo* is on stable storage, and news.

        Fails with `Refused`, which has been counted and told already.
        """
        camera = self.fleet.camera(photo.camera)
        if self.stopping:
            return self._refuse(photo, Refused(Reason.STOPPING))
        try:
            if not self.fleet.room_today(camera, photo.size) and not self.store.has(photo.key):
                # What is on its way may not come to be: that is known soon.
                left = self.fleet.tomorrow(camera) - self.now()
                retry = None if camera.coming else min(left, 3600)
                used_up = Refused(Reason.BUSY, "its quota for today is used up", retry)
                return self._refuse(photo, used_up)
            stored = self.store.put(photo)
        except CatalogError as error:
            return self._refuse(photo, Refused(Reason.IO, str(error)))
        self.fleet.expects(camera, photo.size)
        return stored.addBoth(self._landed, camera, photo.size).addCallbacks(
            self._stored, self._failed, callbackArgs=(camera, photo), errbackArgs=(photo,)
        )

    def refuse(self, id: CameraId, reason: Reason, detail: str = "", chunks: Chunks = ()) -> None:
        """What came was no photo, or not one to be taken: count it, tell it, and put what there
        is of it into quarantine."""
        camera = self.fleet.camera(id)
        self.refusals[reason] += 1
        self.fleet.refused(camera, reason)
        self.news.tell(
            Kind.REFUSED, id, f"{reason.value}: {detail}" if detail else reason.value, reason=reason
        )
        if chunks and reason.final:
            self.quarantine.keep(id, reason, chunks)

    def show(self, id: CameraId, chunks: Chunks) -> None:
        """A picture that is only to be looked at."""
        if self.live.watched(id):
            self.live.show(id, chunks)

    def stats(self) -> Mapping[str, int | float]:
        """Counters since the start, for the operator."""
        return {
            "photos": self.photos,
            "bytes": self.bytes,
            "sent again": self.again,
            "refused": sum(self.refusals.values()),
            "on their way": self.store.waiting,
            "not in the catalog yet": self.store.behind,
            **{f"refused: {reason.value}": count for reason, count in self.refusals.items()},
        }

    def _landed(self, result: Receipt | Failure, camera: Camera, size: int) -> Receipt | Failure:
        self.fleet.landed(camera, size)
        return result

    def _stored(self, receipt: Receipt, camera: Camera, photo: Photo) -> Receipt:
        if receipt.again:
            self.again += 1
            return receipt
        self.latency.add(self.now() - receipt.received)
        self.photos += 1
        self.bytes += receipt.size
        self.fleet.stored(camera, receipt)
        self.news.tell(Kind.PHOTO, receipt.camera, receipt.path, receipt)
        self.show(receipt.camera, photo.chunks)
        return receipt

    def _failed(self, failure: Failure, photo: Photo) -> Failure:
        error = failure.value
        if not isinstance(error, Refused):
            log.failure("The store failed on a photo of {camera}", failure, camera=photo.camera)
            error = Refused(Reason.IO, "the store failed")
        return Failure(self._tell(photo, error))

    def _refuse(self, photo: Photo, error: Refused) -> "Deferred[Receipt]":
        return fail(self._tell(photo, error))

    def _tell(self, photo: Photo, error: Refused) -> Refused:
        self.refuse(photo.camera, error.reason, error.detail, photo.chunks)
        if error.reason.final:
            self.store.settled(photo.key)
        return error
