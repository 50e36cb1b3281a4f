"""Which cameras there are, since when, and how they fare.

A camera exists from the first time it came in, or from the configuration, and is not forgotten
when it goes. Nothing here knows a socket: a connection shows itself as a `Session`.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, fail

from camd.config import Config
from camd.news import Item, Kind, News
from camd.photo import CameraId, Reason, Receipt
from camd.plural import count
from camd.store.naming import SLOT, session_begin, session_day

_MAX_TELEMETRY = 32
_LEARN = 0.2
"""How much the newest gap between two photos counts when an interval is learnt."""


class State(Enum):
    """How a camera fares."""

    CONNECTED = "connected"
    AWAY = "away"
    ASLEEP = "asleep"
    SILENT = "silent"
    NEVER = "never seen"


class CommandError(Exception):
    """A command was not carried out; the text begins with its name and its camera."""

    def __init__(self, name: str, camera: CameraId, why: str) -> None:
        super().__init__(f"{name} {camera}: {why}")
        self.name = name
        self.camera = camera
        self.why = why


@frozen
class Command:
    """What a camera is asked to do. *name*: snap, set, stream, reboot or update."""

    name: str
    arguments: Mapping[str, Any] = field(factory=dict)


class Session(Protocol):
    """A camera's present connection."""

    protocol: str

    def command(self, command: Command) -> "Deferred[Mapping[str, str]]":
        """Fires with what the board had to say; fails with `CommandError`."""
        ...

    def take_over(self) -> None:
        """Another connection of the same camera has come: end this one."""
        ...

    def kick(self) -> None:
        """The operator wants it gone."""
        ...


class Camera:
    """One camera. Plain attributes with slots: there may be very many.

    Times are unix seconds, 0 for never. *interval*: learnt seconds between photos, 0 unknown.
    *expected*: when it said that it would be back, 0 where it did not. *poor*: since when its
    photos are bad, and what that was told with; None while they are not. *coming*: photos on their
    way to the disk. *today*: the day by which they were counted last, in its quarter of an hour
    *slot*.
    """

    __slots__ = (
        "address",
        "bytes",
        "bytes_coming",
        "bytes_today",
        "coming",
        "command",
        "expected",
        "first_seen",
        "fw",
        "id",
        "interval",
        "kept_at",
        "last_photo",
        "last_seen",
        "latest",
        "model",
        "photos",
        "photos_today",
        "poor",
        "protocol",
        "refused",
        "session",
        "settings",
        "silent",
        "slot",
        "telemetry",
        "today",
    )

    def __init__(self, id: CameraId) -> None:
        self.id = id
        self.protocol = ""
        self.address = ""
        self.first_seen = 0.0
        self.last_seen = 0.0
        self.last_photo = 0.0
        self.kept_at = 0.0
        self.interval = 0.0
        self.expected = 0.0
        self.photos = 0
        self.bytes = 0
        self.today = ""
        self.slot = 0
        self.photos_today = 0
        self.bytes_today = 0
        self.coming = 0
        self.bytes_coming = 0
        self.silent = False
        self.poor: tuple[float, str] | None = None
        self.session: Session | None = None
        self.latest: Receipt | None = None
        self.refused: dict[Reason, int] | None = None
        self.telemetry: dict[str, float | str] | None = None
        self.settings: dict[str, float | str] | None = None
        self.fw = ""
        self.model = ""
        self.command: Command | None = None

    @property
    def connected(self) -> bool:
        return self.session is not None

    @property
    def state(self) -> State:
        if self.silent:
            return State.SILENT
        if self.session is not None:
            return State.CONNECTED
        if not self.last_seen:
            return State.NEVER
        return State.ASLEEP if self.expected else State.AWAY

    @property
    def rate(self) -> float:
        """Photos a minute, as learnt; 0 unknown."""
        return 60 / self.interval if self.interval else 0.0

    def __repr__(self) -> str:
        return f"<{self.id}: {self.state.value}, {count(self.photos, 'photo')}>"


@define(eq=False)
class Fleet:
    """Every camera that there is, by its id.

    :ivar now: unix seconds.
    """

    config: Callable[[], Config]
    news: News
    now: Callable[[], float]
    cameras: dict[CameraId, Camera] = field(factory=dict)
    _since: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._since = self.now()
        self.news.listen(self._heard)

    def _heard(self, item: Item) -> None:
        """Those who look at photos know when they are bad."""
        if item.kind not in (Kind.POOR, Kind.GOOD) or item.camera is None:
            return
        camera = self.cameras.get(item.camera)
        if camera is not None:
            camera.poor = (item.when, item.text) if item.kind is Kind.POOR else None

    def __contains__(self, camera: object) -> bool:
        return camera in self.cameras

    def camera(self, id: CameraId) -> Camera:
        """The camera of that name, from now on at the latest."""
        camera = self.cameras.get(id)
        if camera is None:
            camera = self.cameras[id] = Camera(id)
        return camera

    def is_poor(self, id: CameraId) -> bool:
        """Whether the photos of that camera are bad, as far as was told."""
        camera = self.cameras.get(id)
        return camera is not None and camera.poor is not None

    @property
    def connected(self) -> int:
        return sum(camera.session is not None for camera in self.cameras.values())

    # ---- what happens to cameras

    def arrived(self, id: CameraId, session: Session, address: str, hello: Any = None) -> Camera:
        """*session* is this camera's from now on; one that it had before is told to end."""
        now = self.now()
        camera = self.camera(id)
        before, camera.session = camera.session, session
        if before is not None:
            before.take_over()
        camera.protocol = session.protocol
        camera.address = address
        camera.first_seen = camera.first_seen or now
        camera.last_seen = now
        camera.expected = 0.0
        if hello is not None:
            camera.fw, camera.model = hello.fw, hello.model
        self.news.tell(Kind.CAME, id, f"connected from {address} ({session.protocol})")
        return camera

    def carried_over(self, id: CameraId, session: Session, address: str) -> Camera:
        """*session* is from before a restart that its board has not noticed: no news."""
        camera = self.camera(id)
        camera.session = session
        camera.protocol = session.protocol
        camera.address = address
        return camera

    def left(self, camera: Camera, session: Session) -> None:
        """*session* is over; nothing happens where another has taken its place."""
        if camera.session is not session:
            return
        camera.session = None
        camera.last_seen = self.now()
        self.news.tell(Kind.LEFT, camera.id, "disconnected")

    def stored(self, camera: Camera, receipt: Receipt) -> None:
        """A photo of this camera is safe."""
        now = receipt.received
        if self._since <= camera.last_photo < now and camera.last_photo:
            gap = now - camera.last_photo
            learnt = camera.interval
            camera.interval = gap if not learnt else learnt + _LEARN * (gap - learnt)
        camera.last_photo = camera.last_seen = now
        camera.first_seen = camera.first_seen or now
        camera.photos += 1
        camera.bytes += receipt.size
        self._count_today(camera, now)
        camera.photos_today += 1
        camera.bytes_today += receipt.size
        camera.latest = receipt
        if camera.silent:
            camera.silent = False
            self.news.tell(Kind.BACK, camera.id, "sends photos again")

    def refused(self, camera: Camera, reason: Reason) -> None:
        if camera.refused is None:
            camera.refused = {}
        camera.refused[reason] = camera.refused.get(reason, 0) + 1
        camera.last_seen = self.now()
        camera.first_seen = camera.first_seen or camera.last_seen

    def told(self, camera: Camera, stat: Mapping[str, float | str]) -> None:
        """The board's measurements; the newest of each is kept."""
        camera.last_seen = self.now()
        telemetry = {**(camera.telemetry or {}), **stat}
        camera.telemetry = dict(list(telemetry.items())[-_MAX_TELEMETRY:])
        self.news.tell(
            Kind.STAT, camera.id, " ".join(f"{key}={value}" for key, value in stat.items())
        )

    def sleeps(self, camera: Camera, back_in: float | None) -> None:
        """The board is about to go; *back_in*: seconds until it means to be back."""
        now = self.now()
        camera.last_seen = now
        camera.expected = now + back_in if back_in else 0.0
        text = f"sleeps for {back_in:.0f} s" if back_in else "says goodbye"
        self.news.tell(Kind.SLEEPS, camera.id, text)

    def expects(self, camera: Camera, size: int) -> None:
        """A photo of *size* bytes is on its way to the disk."""
        camera.coming += 1
        camera.bytes_coming += size

    def landed(self, camera: Camera, size: int) -> None:
        """It is no more, whatever became of it."""
        camera.coming -= 1
        camera.bytes_coming -= size

    def room_today(self, camera: Camera, size: int) -> bool:
        """Whether its quota lets it store *size* bytes more today, beside what is on its way."""
        settings = self.config().camera(camera.id)
        if not settings.quota_photos and not settings.quota_bytes:
            return True
        self._count_today(camera, self.now())
        return not (
            (settings.quota_photos and camera.photos_today + camera.coming >= settings.quota_photos)
            or (
                settings.quota_bytes
                and camera.bytes_today + camera.bytes_coming + size > settings.quota_bytes
            )
        )

    def today(self, camera: Camera) -> tuple[int, int]:
        """Photos and bytes that came since its day began: one as its photos have it."""
        self._count_today(camera, self.now())
        return camera.photos_today, camera.bytes_today

    def tomorrow(self, camera: Camera) -> float:
        """Unix seconds at which its next day begins."""
        self._count_today(camera, self.now())
        settings = self.config().camera(camera.id)
        return session_begin(camera.today, settings.zone, settings.session == "noon", 1)

    def _count_today(self, camera: Camera, now: float) -> None:
        slot = int(now // SLOT)
        if camera.slot == slot:
            return
        camera.slot = slot
        settings = self.config().camera(camera.id)
        today = session_day(now, settings.zone, settings.session == "noon")
        if camera.today != today:
            camera.today, camera.photos_today, camera.bytes_today = today, 0, 0

    # ---- silence

    def patience(self, camera: Camera) -> float:
        """Seconds without a photo after which *camera* counts as silent; 0 where nothing is
        known of its schedule."""
        general = self.config().cameras
        settings = self.config().camera(camera.id)
        pace = settings.pace if camera.protocol == "v1" else 0.0
        interval = settings.interval or max(pace, camera.interval)
        return max(interval * general.silent_after, general.silent_least) if interval else 0.0

    def look(self) -> None:
        """Whose photos are overdue is silent, and that is news, once. Nobody is blamed for the
        time before the start, when nothing could come."""
        now = self.now()
        for camera in self.cameras.values():
            if camera.silent or not camera.last_photo:
                continue
            patience = self.patience(camera)
            due = max(camera.last_photo, camera.expected, self._since) + patience
            if patience and now > due:
                camera.silent = True
                since = datetime.fromtimestamp(camera.last_photo, UTC)
                self.news.tell(Kind.SILENT, camera.id, f"no photo since {since:%Y-%m-%d %H:%M:%S}Z")

    # ---- what people want of cameras

    def command(
        self, id: CameraId | str, name: str, **arguments: Any
    ) -> "Deferred[Mapping[str, str]]":
        """Ask a camera: ``command("trap-7", "snap", flash=True)``.

        Fires with what the board had to say about it; fails with `CommandError`.
        """
        camera = self.cameras.get(CameraId(id))
        if camera is None:
            return fail(CommandError(name, CameraId(id), "there is no such camera"))
        if camera.session is None:
            return fail(CommandError(name, camera.id, "it is not connected"))
        command = Command(name, arguments)
        camera.command = command
        done = camera.session.command(command)

        def over(result: Any) -> Any:
            if camera.command is command:
                camera.command = None
            if isinstance(result, Mapping):
                if name == "set":
                    camera.settings = {**(camera.settings or {}), **arguments}
                self.news.tell(Kind.COMMAND, camera.id, f"{name}: done")
            else:
                self.news.tell(Kind.COMMAND, camera.id, f"{name}: {result.value}")
            return result

        return done.addBoth(over)

    def kick(self, id: CameraId | str) -> bool:
        """Hang up on a camera. Whether it was connected."""
        camera = self.cameras.get(CameraId(id))
        if camera is None or camera.session is None:
            return False
        camera.session.kick()
        return True

    # ---- what is kept over a restart

    def memory(self, camera: Camera) -> dict[str, Any]:
        """What is worth finding again, as JSON has it."""
        return {
            "protocol": camera.protocol,
            "address": camera.address,
            "interval": camera.interval,
            "expected": camera.expected,
            "last_photo": camera.last_photo,
            "kept_at": camera.kept_at,
            "silent": camera.silent,
            "today": [camera.today, camera.photos_today, camera.bytes_today],
            "fw": camera.fw,
            "model": camera.model,
            "poor": camera.poor,
            "telemetry": camera.telemetry or {},
            "settings": camera.settings or {},
        }

    def remember(
        self, id: CameraId, first_seen: float, last_seen: float, memory: Mapping[str, Any]
    ) -> Camera:
        """*camera* as it was before the restart."""
        camera = self.camera(id)
        camera.first_seen, camera.last_seen = first_seen, last_seen
        for name in ("protocol", "address", "fw", "model"):
            setattr(camera, name, str(memory.get(name, "")))
        for name in ("interval", "expected", "last_photo", "kept_at"):
            value = memory.get(name, 0.0)
            setattr(camera, name, float(value) if isinstance(value, int | float) else 0.0)
        camera.silent = memory.get("silent") is True
        today = memory.get("today")
        if isinstance(today, list) and list(map(type, today)) == [str, int, int]:
            camera.today, camera.photos_today, camera.bytes_today = today
        poor = memory.get("poor")
        if isinstance(poor, list | tuple) and len(poor) == 2 and isinstance(poor[0], int | float):
            camera.poor = float(poor[0]), str(poor[1])
        for name in ("telemetry", "settings"):
            value = memory.get(name)
            setattr(camera, name, dict(value) if isinstance(value, dict) and value else None)
        return camera

    def had(self, camera: Camera, received: float) -> None:
        """A photo of it came then, before the restart."""
        camera.first_seen = camera.first_seen or received
        camera.last_seen = max(camera.last_seen, received)
        camera.silent = camera.silent and received <= camera.last_photo
        camera.last_photo = max(camera.last_photo, received)

    def forget(self, ids: Iterable[CameraId]) -> None:
        """These cameras are no longer listed, unless they are connected."""
        for id in ids:
            camera = self.cameras.get(id)
            if camera is not None and camera.session is None:
                del self.cameras[id]
