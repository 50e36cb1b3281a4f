"""How camd fares, for Prometheus: looked up when it is asked for, so that it costs nothing else."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import define
from twisted.logger import Logger

from camd.access import May
from camd.histogram import Histogram
from camd.web.answers import Answer, Problem
from camd.web.events import Events
from camd.web.house import House
from camd.web.journal import disk
from camd.web.live import Watching
from camd.web.routes import Ask, Route, route
from camd.web.server import Site

if TYPE_CHECKING:
    from prometheus_client.core import Metric

log = Logger()

MOST_CAMERAS = 5000
"""Cameras that have lines of their own; the others are only counted."""

_MEASURED = {
    "rssi": ("camd_camera_rssi_dbm", "Signal that the board measured."),
    "vbat": ("camd_camera_battery_volts", "Battery that the board measured."),
    "temp": ("camd_camera_temperature_celsius", "Temperature that the board measured."),
    "queued": ("camd_camera_queued_photos", "Photos that wait on the board."),
}


@define(eq=False)
class Metrics:
    """A collector, as prometheus-client has it."""

    house: House
    watching: Watching
    events: Events
    site: Site
    started: float

    def routes(self) -> list[Route]:
        return [route("GET", "/metrics", May.READ, self.metrics)]

    async def metrics(self, ask: Ask) -> Answer:
        try:
            from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
            from prometheus_client.registry import CollectorRegistry
        except ImportError:
            raise Problem(503, "/metrics needs the package prometheus-client") from None
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        text = generate_latest(registry)
        kept = {b"Cache-Control": b"no-store"}
        return Answer(text, 200, CONTENT_TYPE_LATEST.encode(), kept, compressible=True)

    def describe(self) -> list["Metric"]:
        """Nothing: what there is depends on the cameras."""
        return []

    def collect(self) -> Iterator["Metric"]:
        yield from self._photos()
        yield from self._machine()
        yield from self._looking()
        yield from self._telling()
        yield from self._cameras()

    def _photos(self) -> Iterator["Metric"]:
        intake, store = self.house.intake, self.house.store
        yield counter("camd_photos", "Photos stored since the start.", intake.photos)
        yield counter("camd_photo_bytes", "Bytes of photos stored since the start.", intake.bytes)
        yield counter("camd_photos_again", "Photos sent again and not stored twice.", intake.again)
        yield counters(
            "camd_refused", "Photos refused since the start.", "reason",
            {reason.value: count for reason, count in intake.refusals.items()},
        )  # fmt: skip
        yield histogram(
            "camd_ack_seconds", "From a photo's last byte to its promise.", intake.latency
        )
        yield histogram(
            "camd_commit_photos", "Photos that shared a trip to the disk.", self.house.commits
        )
        yield gauge("camd_waiting_photos", "Photos on their way to the disk.", store.waiting)
        yield gauge("camd_behind_photos", "Photos that the catalog lacks yet.", store.behind)
        totals = store.reader.totals().values()
        yield gauge("camd_stored_photos", "Photos in the store.", sum(t.photos for t in totals))
        yield gauge(
            "camd_stored_bytes", "Bytes of photos in the store.", sum(t.bytes for t in totals)
        )

    def _machine(self) -> Iterator["Metric"]:
        house, cameras = self.house, self.house.cameras
        held = cameras.budget.held
        yield gauge("camd_held_bytes", "Memory that photos take on their way.", held)
        yield gauge("camd_connections", "Connections of cameras.", len(cameras.connections))
        yield counters("camd_hung_up", "Connections of cameras ended, by why.", "reason",
                       dict(cameras.hung_up))  # fmt: skip
        restarts, carried = house.totals
        yield counter("camd_restarts", "Changes of process that boards did not notice.", restarts)
        yield counter("camd_boards_carried", "Boards carried over them, each time.", carried)
        yield gauge("camd_web_connections", "Connections to the page.", len(self.site.channels))
        yield gauge("camd_viewers", "Who watches live.", self.watching.viewers)
        yield gauge("camd_listeners", "Who follows the events.", len(self.events.listeners))
        try:
            room = disk(house.store.root, house.config)
        except OSError as error:
            log.warn("the disk cannot be looked at: {why}", why=error.strerror)
        else:
            yield gauge("camd_disk_free_bytes", "Room on the store's disk.", room["free"])
            yield gauge("camd_disk_bytes", "Size of the store's disk.", room["total"])
            yield gauge("camd_disk_keep_free_bytes", "Room below which photos are refused.",
                        room["keep_free"])  # fmt: skip
        yield gauge("camd_start_time_seconds", "When camd started, unix seconds.", self.started)

    def _looking(self) -> Iterator["Metric"]:
        looking = self.house.looking
        if looking is None:
            return
        backlog = looking.backlog
        yield counter("camd_looked_photos", "Photos looked at since the start.", looking.photos)
        yield counter("camd_looked_seconds", "Time that workers spent on them.", looking.seconds)
        yield counter("camd_found", "Things that a model found on them.", looking.found)
        yield counters("camd_flagged_photos", "Photos judged to be bad, by how.", "flag",
                       {flag.value: count for flag, count in looking.flags.items()})  # fmt: skip
        yield gauge("camd_unseen_photos", "Photos that wait to be looked at.", backlog.waiting)
        yield gauge("camd_aside_photos", "Photos that could not be looked at.", backlog.aside)
        yield gauge("camd_workers", "Processes that look at photos.", looking.workers)
        yield counter("camd_worker_deaths", "Those that died since the start.", looking.deaths)

    def _telling(self) -> Iterator["Metric"]:
        publisher = self.house.publisher
        if publisher is None:
            return
        yield counters("camd_delivered", "What other programs and people were told.", "target",
                       publisher.delivered)  # fmt: skip
        yield gauges("camd_delivery_failures", "Deliveries that failed in a row.", "target",
                     publisher.failing)  # fmt: skip

    def _cameras(self) -> Iterator["Metric"]:
        all = self.house.fleet.cameras
        states: dict[str, float] = {}
        for camera in all.values():
            states[camera.state.value] = states.get(camera.state.value, 0) + 1
        yield gauges("camd_cameras", "Cameras, by how they fare.", "state", states)
        shown = list(all.values())[:MOST_CAMERAS]
        now = self.house.fleet.now()
        yield gauges(
            "camd_camera_last_seen_age_seconds", "Since a camera was seen.", "camera",
            {c.id: now - c.last_seen for c in shown if c.last_seen},
        )  # fmt: skip
        yield gauges(
            "camd_camera_last_photo_age_seconds", "Since a camera's last photo.", "camera",
            {c.id: now - c.last_photo for c in shown if c.last_photo},
        )  # fmt: skip
        yield gauges("camd_camera_silent", "Whether a camera is overdue.", "camera",
                     {c.id: float(c.silent) for c in shown})  # fmt: skip
        yield gauges("camd_camera_photos", "Photos of a camera.", "camera",
                     {c.id: c.photos for c in shown})  # fmt: skip
        for name, (metric, help) in _MEASURED.items():
            values = {
                camera.id: float(value)
                for camera in shown
                if isinstance(value := (camera.telemetry or {}).get(name), int | float)
            }
            yield gauges(metric, help, "camera", values)


def counter(name: str, help: str, value: float) -> "Metric":
    from prometheus_client.core import CounterMetricFamily

    return CounterMetricFamily(name, help, value=value)


def gauge(name: str, help: str, value: float) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(name, help, value=value)


def counters(name: str, help: str, label: str, values: Mapping[str, float]) -> "Metric":
    from prometheus_client.core import CounterMetricFamily

    return _labelled(CounterMetricFamily(name, help, labels=[label]), values.items())


def gauges(name: str, help: str, label: str, values: Mapping[Any, float]) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    return _labelled(GaugeMetricFamily(name, help, labels=[label]), values.items())


def _labelled(family: Any, values: Iterable[tuple[Any, float]]) -> "Metric":
    for text, value in values:
        family.add_metric([str(text)], value)
    metric: Metric = family
    return metric


def histogram(name: str, help: str, found: Histogram) -> "Metric":
    from prometheus_client.core import HistogramMetricFamily

    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip((*found.bounds, "+Inf"), found.counts, strict=True):
        total += count
        buckets.append((str(bound), total))
    return HistogramMetricFamily(name, help, buckets=buckets, sum_value=found.total)
