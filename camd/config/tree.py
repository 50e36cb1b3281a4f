"""The settings of camd: one frozen tree, a class for each section of the file.

Every setting has a default that is right for one machine and a handful of boards. The types say
what a value may be, and a rule in the type what more it must be; they hold for what is read,
not for trees that are built in Python. Durations are seconds, sizes bytes.

Knows where no value came from, and no Twisted: endpoints are text here.
"""

# Defaults are immutable here, whatever call makes them.
# ruff: noqa: RUF009

from collections.abc import Iterator
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from attrs import field, frozen

from camd.config.camera import CameraConfig, CameraEntry
from camd.config.doors import ManholeConfig, PullConfig, TlsConfig, UploadConfig, WebConfig
from camd.config.films import TimelapseConfig
from camd.config.kinds import (
    DAY,
    HOUR,
    KIB,
    MIB,
    MINUTE,
    Count,
    Endpoint,
    SocketSpan,
    Some,
    Span,
    Zone,
    derived,
    setting,
    zone_of,
)
from camd.config.looking import DetectConfig, JudgeConfig
from camd.config.mistakes import Contradiction
from camd.config.rules import at_least, between, lasting, normal_address
from camd.config.shape import is_section, settings
from camd.config.telling import (
    AlertEntry,
    MailConfig,
    MqttConfig,
    PublishConfig,
    WebhookEntry,
    untold,
)
from camd.config.units import Bytes, Seconds, Share
from camd.photo import CameraId

T = TypeVar("T")


@frozen
class StoreConfig:
    """Where photos lie, and for how long.

    :ivar path: the directory of the photos; relative to the working directory.
    :ivar layout: ``days`` files by camera and day, ``flat`` numbers all photos in one directory.
    :ivar session: when a day of photos begins; ``noon`` keeps a night's together.
    :ivar timezone: the zone by which days are reckoned; "" is the machine's.
    :ivar keep_free: room on the disk below which photos are refused.
    :ivar quarantine: whether refused photos are kept aside, to be looked at.
    :ivar quarantine_max: bytes that those may take; the oldest go first.
    :ivar writers: threads that write photos.
    :ivar batch: photos at most that share one trip to the disk.
    :ivar max_age: seconds after which a photo is deleted; 0 is never.
    :ivar max_bytes: bytes that all photos together may take; 0 is no bound.
    :ivar thin_after: seconds after which photos are thinned out; 0 is never.
    :ivar thin_to: seconds for which one photo is kept when they are thinned out.
    :ivar sweep: seconds between two looks for photos to thin out or delete.
    :ivar remember: seconds for which a deleted photo sent again is known as such.
    """

    path: Path = setting(Path("camd-data"), restart=True, flag="--store")
    layout: Literal["days", "flat"] = setting("days", restart=True)
    session: Literal["midnight", "noon"] = "midnight"
    timezone: Zone = ""
    keep_free: Share = Share(Bytes(256 * MIB))
    quarantine: bool = False
    quarantine_max: Bytes = Bytes(100 * MIB)
    writers: Annotated[int, between(1, 64)] = setting(8, restart=True)
    batch: Annotated[int, between(1, 4096)] = setting(16, restart=True)
    max_age: Seconds = Seconds(0.0)
    max_bytes: Bytes = Bytes(0)
    thin_after: Seconds = Seconds(0.0)
    thin_to: Span = Seconds(HOUR)
    sweep: SocketSpan = setting(Seconds(10 * MINUTE), restart=True)
    remember: Annotated[Seconds, lasting(Seconds(30 * DAY))] = Seconds(30 * DAY)

    @property
    def zone(self) -> tzinfo | None:
        """By which days are reckoned; None is the machine's."""
        return zone_of(self.timezone)


@frozen
class CamerasConfig:
    """What holds for every camera that does not say otherwise.

    :ivar unknown: whether cameras without a key may come in.
    :ivar pace: seconds that a v1 board waits between photos, held back by its answer; 0 is not.
    :ivar interval: seconds expected between photos; 0 learns it from the photos that come.
    :ivar silent_after: intervals without a photo after which a camera counts as silent.
    :ivar silent_least: seconds below which no camera counts as silent.
    :ivar quota_photos: photos a camera may store a day; 0 is no bound.
    :ivar quota_bytes: bytes a camera may store a day; 0 is no bound.
    :ivar forget: seconds after which a camera without key and photos is no longer listed.
    """

    unknown: Literal["accept", "refuse"] = "accept"
    pace: Seconds = Seconds(0.0)
    interval: Seconds = Seconds(0.0)
    silent_after: Annotated[float, at_least(1.0)] = 3.0
    silent_least: Seconds = Seconds(MINUTE)
    quota_photos: Count = 0
    quota_bytes: Bytes = Bytes(0)
    forget: Seconds = Seconds(90 * DAY)


@frozen
class WireConfig:
    """What boards are told they may send.

    :ivar max: bytes of a photo at most.
    :ivar window: photos a v2 board may send before the first is answered.
    """

    max: Annotated[Bytes, between(400_000, 2**30)] = Bytes(4 * MIB)
    window: Annotated[int, between(1, 256)] = 8


@frozen
class LimitsConfig:
    """What keeps many boards, or hostile ones, from taking the whole machine.

    :ivar connections: connections of cameras at most, in all.
    :ivar connections_per_address: the same from one address.
    :ivar held: bytes of photos on their way to the disk at most, over all connections.
    :ivar commands_in_flight: commands to one camera that wait for its answer at most.
    :ivar unread: bytes of answers that a board may leave unread.
    :ivar wrong_keys: wrong keys after which an address is refused for a while.
    :ivar wrong_keys_within: seconds in which those are counted, and for which it is refused.
    :ivar log_per_second: lines of log a second at most, for each address and kind.
    :ivar cameras: cameras without a key that may come to exist by connecting.
    """

    connections: Some = 12_000
    connections_per_address: Some = 12_000
    held: Bytes = Bytes(128 * MIB)
    commands_in_flight: Some = 16
    unread: Annotated[Bytes, between(1024, 2**30)] = Bytes(64 * KIB)
    wrong_keys: Some = 10
    wrong_keys_within: Span = Seconds(MINUTE)
    log_per_second: Some = 1
    cameras: Count = 20_000


@frozen
class TimesConfig:
    """How long camd waits for boards; seconds, but for *slowest*, *pings*, *keepalive_probes*.

    :ivar silence_first: for the first byte of a connection.
    :ivar line: for the rest of a line, from its first byte.
    :ivar auth: for the answer to a challenge.
    :ivar first_mark: for a v1 board's first frame to begin.
    :ivar progress: for some more bytes of a photo that has begun.
    :ivar slow_after: until a photo's average speed is looked at.
    :ivar slowest: bytes a second that a photo must come at by then; 0 is any.
    :ivar ping: of silence before a v2 board is asked whether it lives, and between two askings.
    :ivar pings: unanswered ones after which a v2 board is hung up on.
    :ivar drain: for photos that have begun when camd stops.
    :ivar hang_up: between the end that is announced and the one that is enforced.
    :ivar keepalive_idle: of silence before TCP asks whether the other side lives.
    :ivar keepalive_interval: between two such askings.
    :ivar keepalive_probes: unanswered ones after which TCP gives a connection up.
    :ivar swallowed_mark: of silence after a mark inside a broken picture until it counts.
    :ivar command: for a command's answer.
    """

    silence_first: Span = Seconds(30.0)
    line: Span = Seconds(10.0)
    auth: Span = Seconds(10.0)
    first_mark: Span = Seconds(30.0)
    progress: Span = Seconds(10.0)
    slow_after: Span = Seconds(30.0)
    slowest: Count = 500
    ping: Span = Seconds(60.0)
    pings: Some = 3
    drain: Seconds = Seconds(5.0)
    hang_up: Span = Seconds(5.0)
    keepalive_idle: SocketSpan = Seconds(60.0)
    keepalive_interval: SocketSpan = Seconds(20.0)
    keepalive_probes: Annotated[int, between(1, 127)] = 3
    swallowed_mark: Span = Seconds(1.0)
    command: Span = Seconds(30.0)


@frozen
class RestartConfig:
    """How connections outlive the process.

    :ivar keep: whether a second, small process keeps the boards' connections over a crash, and
        starts camd again; needless where systemd does that.
    :ivar ready: seconds that a new camd is given to start beside the old one.
    :ivar lost_answer: of silence after which a v1 board found behind a crash gets its answer.
    """

    keep: bool = setting(False, restart=True, flag="--keep")
    ready: Span = Seconds(30.0)
    lost_answer: Span = Seconds(3.0)


@frozen
class LogConfig:
    """What is written to the log.

    :ivar json: whether lines are JSON objects.
    :ivar level: the least serious line that is written.
    """

    json: bool = setting(False, restart=True)
    level: Literal["debug", "info", "warn", "error", "critical"] = setting("info", restart=True)


def _either(own: T | None, general: T) -> T:
    return general if own is None else own


@frozen
class Config:
    """Everything that can be set; ``Config()`` is what holds where nothing is.

    :ivar listen: endpoints for cameras.
    :ivar store: where photos lie, and for how long.
    :ivar cameras: what holds for every camera that does not say otherwise.
    :ivar wire: what boards are told they may send.
    :ivar limits: what nobody gets more of.
    :ivar times: how long camd waits for boards.
    :ivar tls: the door for cameras that speak TLS.
    :ivar web: the page, the API and the live view.
    :ivar upload: the door for photos that come by HTTP.
    :ivar pull: how boards are asked that answer by HTTP.
    :ivar timelapse: films that are asked for on the page.
    :ivar detect: how a model looks at photos.
    :ivar judge: how photos are judged.
    :ivar manhole: a Python prompt over SSH.
    :ivar restart: how connections outlive the process.
    :ivar log: what is written to the log.
    :ivar publish: how what is told waits until it is delivered.
    :ivar mqtt: the broker that hears of every camera.
    :ivar mail: the server that takes mail.
    :ivar webhooks: who is told by HTTP; ``webhook`` in the file and to the constructor.
    :ivar alerts: the rules of alerts; ``alert`` in the file and to the constructor.
    :ivar camera_entries: what is different about single cameras; ``camera`` in the file and
        in ``Config(camera=...)``. What holds for one is asked of :meth:`camera`.
    """

    listen: tuple[Endpoint, ...] = setting(("tcp:8940",), restart=True)
    store: StoreConfig = StoreConfig()
    cameras: CamerasConfig = CamerasConfig()
    wire: WireConfig = WireConfig()
    limits: LimitsConfig = LimitsConfig()
    times: TimesConfig = TimesConfig()
    tls: TlsConfig = TlsConfig()
    web: WebConfig = WebConfig()
    upload: UploadConfig = UploadConfig()
    pull: PullConfig = PullConfig()
    timelapse: TimelapseConfig = TimelapseConfig()
    detect: DetectConfig = DetectConfig()
    judge: JudgeConfig = JudgeConfig()
    manhole: ManholeConfig = ManholeConfig()
    restart: RestartConfig = RestartConfig()
    log: LogConfig = LogConfig()
    publish: PublishConfig = PublishConfig()
    mqtt: MqttConfig = MqttConfig()
    mail: MailConfig = MailConfig()
    webhooks: tuple[WebhookEntry, ...] = field(default=(), alias="webhook")
    alerts: tuple[AlertEntry, ...] = field(default=(), alias="alert")
    camera_entries: tuple[CameraEntry, ...] = field(default=(), alias="camera")
    _entry: dict[CameraId, CameraEntry] = derived(
        lambda config: {entry.id: entry for entry in config.camera_entries}
    )
    _named: dict[str, CameraId] = derived(
        lambda config: {
            address: entry.id for entry in config.camera_entries for address in entry.address
        }
    )
    _effective: dict[CameraId, CameraConfig] = derived(lambda config: {})

    def camera(self, camera: CameraId) -> CameraConfig:
        """What holds for *camera*, whether the configuration names it or not."""
        known = self._effective.get(camera)
        if known is None:
            # Anybody can think up ids where unknown cameras are accepted.
            if len(self._effective) >= _REMEMBERED:
                self._effective.clear()
            known = self._effective[camera] = self._settings_of(camera)
        return known

    def _settings_of(self, camera: CameraId) -> CameraConfig:
        own = self._entry.get(camera) or CameraEntry(camera)
        store, cameras, detect = self.store, self.cameras, self.detect
        model = _either(own.detect_model, detect.model)
        return CameraConfig(
            id=camera,
            name=own.name,
            address=own.address,
            pace=_either(own.pace, cameras.pace),
            interval=_either(own.interval, cameras.interval),
            timezone=_either(own.timezone, store.timezone),
            session=_either(own.session, store.session),
            quota_photos=_either(own.quota_photos, cameras.quota_photos),
            quota_bytes=_either(own.quota_bytes, cameras.quota_bytes),
            max_age=_either(own.max_age, store.max_age),
            max_bytes=_either(own.max_bytes, store.max_bytes),
            thin_after=_either(own.thin_after, store.thin_after),
            thin_to=_either(own.thin_to, store.thin_to),
            pull=own.pull or "",
            pull_mode=own.pull_mode,
            settings=own.settings,
            detect=_either(own.detect, model is not None),
            detect_model=str(model or ""),
            detect_confidence=_either(own.detect_confidence, detect.confidence),
            detect_tile=_either(own.detect_tile, detect.tile),
            detect_hours=own.detect_hours,
            zones_in=own.zones_in,
            zones_out=own.zones_out,
            judge=_either(own.judge, self.judge.enabled),
            note=own.note,
        )

    @property
    def looks(self) -> bool:
        """Whether any camera's photos are to be looked at."""
        return (
            self.detect.model is not None
            or self.judge.enabled
            or any(e.detect_model is not None or e.judge for e in self.camera_entries)
        )

    @property
    def tells(self) -> bool:
        """Whether anybody is to be told of anything."""
        return bool(self.webhooks or self.alerts or self.mqtt.url)

    def named_address(self, address: str) -> CameraId | None:
        """The camera that a v1 board at *address* is, where the configuration names one."""
        if not self._named:
            return None
        try:
            return self._named.get(normal_address(address))
        except ValueError:
            return None


_REMEMBERED = 25_000
"""Cameras whose effective settings are kept at hand."""


def contradictions(config: Config) -> Iterator[Contradiction]:
    """What no setting can be blamed for alone."""
    certificate, key, listen = ("tls", "certificate"), ("tls", "key"), ("tls", "listen")
    if config.tls.certificate is not None and config.tls.key is None:
        yield Contradiction(key, (certificate,), "the private key of tls.certificate")
    if config.tls.certificate is None and config.tls.key is not None:
        yield Contradiction(certificate, (key,), "the certificate that tls.key belongs to")
    if config.tls.certificate is None and config.tls.listen:
        yield Contradiction(certificate, (listen,), "a certificate, as tls.listen is set")
    if config.limits.held < config.wire.max:
        yield Contradiction(("limits", "held"), (("wire", "max"),), "wire.max or more")
    if config.upload.listen != "off" and config.limits.held < config.upload.max:
        yield Contradiction(("limits", "held"), (("upload", "max"),), "upload.max or more")
    if config.pull.retry_most < config.pull.retry:
        yield Contradiction(("pull", "retry_most"), (("pull", "retry"),), "pull.retry or more")
    for index, entry in enumerate(config.camera_entries):
        if entry.settings and entry.pull is None:
            yield Contradiction(
                ("camera", index, "pull"),
                (("camera", index, "settings"),),
                "the address of a board that is pulled: other boards are told by camd's commands",
            )
        if entry.detect and not config.camera(entry.id).detect_model:
            yield Contradiction(
                ("camera", index, "detect_model"),
                (("camera", index, "detect"),),
                "a model, here or as detect.model: without one nothing is detected",
            )
    yield from _twice(config)
    yield from untold(config.publish, config.mqtt, config.mail, config.webhooks, config.alerts)


def _twice(config: Config) -> Iterator[Contradiction]:
    """Ids and addresses that two cameras share."""
    ids: dict[str, int] = {}
    addresses: dict[str, int] = {}
    for index, entry in enumerate(config.camera_entries):
        first = ids.setdefault(entry.id, index)
        if first != index:
            yield Contradiction(
                ("camera", index, "id"), (("camera", first, "id"),), "an id that is not taken"
            )
        for address in entry.address:
            first = addresses.setdefault(address, index)
            if first != index:
                yield Contradiction(
                    ("camera", index, "address"),
                    (("camera", first, "address"),),
                    f"addresses of its own: {address} is {config.camera_entries[first].id}'s",
                )


def reloadable(old: Config, new: Config) -> tuple[str, ...]:
    """The dotted keys by which *new* differs from *old* and which wait for a restart.

    Everything else can change while camd runs; none at all means that *new* holds as a whole.
    """
    keys = list(_waiting(old, new, ""))
    # That door is also opened and shut by its certificate, which may change while it is open.
    if old.tls.endpoints != new.tls.endpoints and "tls.listen" not in keys:
        keys.append("tls.listen")
    return tuple(keys)


def _waiting(old: Any, new: Any, prefix: str) -> Iterator[str]:
    for attribute in settings(type(old)):
        before, after = getattr(old, attribute.name), getattr(new, attribute.name)
        if is_section(type(before)):
            yield from _waiting(before, after, f"{prefix}{attribute.alias}.")
        elif attribute.metadata.get("restart") and before != after:
            yield f"{prefix}{attribute.alias}"
