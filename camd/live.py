"""Who is watching which camera, and the pictures they get to see.

A picture that is shown is not a photo that is stored: it may be dropped at any time.
"""

from collections.abc import Callable

from attrs import define, field
from twisted.logger import Logger

from camd.photo import CameraId

log = Logger()

Chunks = tuple[bytes | bytearray, ...]
Viewer = Callable[[Chunks], None]
Attention = Callable[[CameraId, bool], None]


@define(eq=False)
class Live:
    """Pictures from their one source to any number of viewers.

    :ivar attention: told when a camera is first watched, and when nobody watches it any more.
    """

    attention: list[Attention] = field(factory=list)
    _viewers: dict[CameraId, list[Viewer]] = field(factory=dict)

    @property
    def viewers(self) -> int:
        """How many there are, over all cameras."""
        return sum(map(len, self._viewers.values()))

    def watched(self, camera: CameraId) -> bool:
        return camera in self._viewers

    def watch(self, camera: CameraId, viewer: Viewer) -> Callable[[], None]:
        """*viewer* is called with each picture of *camera*, and must be quick. Calling what this
        returns ends that."""
        viewers = self._viewers.setdefault(camera, [])
        viewers.append(viewer)
        if len(viewers) == 1:
            self._say(camera, True)

        def stop() -> None:
            if viewer in viewers:
                viewers.remove(viewer)
                if not viewers:
                    del self._viewers[camera]
                    self._say(camera, False)

        return stop

    def show(self, camera: CameraId, chunks: Chunks) -> None:
        """A picture of *camera* has come."""
        for viewer in tuple(self._viewers.get(camera, ())):
            try:
                viewer(chunks)
            except Exception:
                log.failure("A viewer of {camera} failed", camera=camera)

    def _say(self, camera: CameraId, watched: bool) -> None:
        for attention in tuple(self.attention):
            attention(camera, watched)
