"""What happened, for whoever wants to hear.

Each item has a number that only grows. The newest are kept, so that who comes late or was away
can catch up. Items hold no pictures. Whoever hears must be quick: news is told in the reactor's
thread, right when it happens.
"""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum

from attrs import define, field, frozen
from twisted.logger import Logger

from camd.findings import Findings
from camd.photo import CameraId, FrameKey, Reason, Receipt

log = Logger()


class Kind(Enum):
    """What an item tells of."""

    PHOTO = "photo"
    REFUSED = "refused"
    CAME = "came"
    LEFT = "left"
    SLEEPS = "sleeps"
    SILENT = "silent"
    BACK = "back"
    STAT = "stat"
    COMMAND = "command"
    DENIED = "denied"
    STORE = "store"
    FOUND = "found"
    POOR = "poor"
    GOOD = "good"
    ALERT = "alert"


@frozen
class Item:
    """:ivar number: grows by one. *when*: unix seconds. *text*: a line for people.
    :ivar photo: the photo that it is about, where there is one.
    :ivar findings: what is on that photo, as it is known from now on.
    :ivar taken: unix seconds when it was taken, 0 where that is not said.
    """

    number: int
    when: float
    kind: Kind
    camera: CameraId | None
    text: str
    receipt: Receipt | None = None
    reason: Reason | None = None
    photo: FrameKey | None = None
    findings: Findings | None = None
    taken: float = 0.0

    def __str__(self) -> str:
        stamp = datetime.fromtimestamp(self.when, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        return f"{stamp}  {self.kind.value:8}  {self.camera or '-'}  {self.text}"


Listener = Callable[[Item], None]


@define(eq=False)
class News:
    """Tells every listener of every item, and remembers the newest *keep* of them.

    :ivar number: of the newest. They begin with the milliseconds of the start, so that those of one
        life of camd are not taken for another's.
    """

    now: Callable[[], float]
    keep: int = 1000
    _recent: deque[Item] = field(init=False)
    _listeners: list[Listener] = field(factory=list)
    number: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._recent = deque(maxlen=self.keep)
        self.number = max(0, int(self.now() * 1000))

    def listen(self, listener: Listener) -> Callable[[], None]:
        """*listener* hears all from now on. Calling what this returns ends that."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def tell(
        self,
        kind: Kind,
        camera: CameraId | None,
        text: str,
        receipt: Receipt | None = None,
        reason: Reason | None = None,
        *,
        photo: FrameKey | None = None,
        findings: Findings | None = None,
        taken: float = 0.0,
    ) -> Item:
        """It happened now. A listener that fails is logged and misses only this item."""
        self.number += 1
        if photo is None and receipt is not None:
            photo = receipt.key
        item = Item(
            self.number, self.now(), kind, camera, text, receipt, reason, photo, findings, taken
        )
        self._recent.append(item)
        for listener in tuple(self._listeners):
            try:
                listener(item)
            except Exception:
                log.failure("A listener failed on news number {number}", number=item.number)
        return item

    def recent(self, most: int = 20, after: int = 0) -> list[Item]:
        """The newest, oldest first, at most so many; only those whose number is above *after*."""
        items = [item for item in self._recent if item.number > after]
        return items[-most:]
