"""Cameras: how they fare, what they measured, on which days they took photos."""

from collections.abc import Callable, Iterable
from datetime import UTC
from typing import Any

from attrs import define, field

from camd.access import May
from camd.fleet import Camera
from camd.news import Item, Kind
from camd.offered import offered_to
from camd.photo import CameraId, photo_id
from camd.store.catalog import CatalogReader
from camd.store.entry import Entry
from camd.store.naming import session_begin
from camd.web.answers import Answer, Problem, said
from camd.web.house import House
from camd.web.routes import Ask, Route, route
from camd.web.telemetry import Telemetry
from camd.workers import Looks

_MOST_REFUSALS = 20_000


@define(eq=False)
class Cameras:
    """What is told of cameras.

    :ivar viewers: how many watch a camera here.
    """

    house: House
    looks: Looks
    telemetry: Telemetry
    viewers: Callable[[CameraId], int]
    _newest: dict[CameraId, Entry] = field(factory=dict)
    _looked: bool = False
    _refusals: dict[CameraId, Item] = field(factory=dict)

    def routes(self) -> list[Route]:
        one = "/api/v1/cameras/{camera}"
        return [
            route("GET", "/api/v1/cameras", May.READ, self.all),
            route("GET", one, May.READ, self.one),
            route("GET", f"{one}/settings", May.READ, self.settings),
            route("GET", f"{one}/days", May.READ, self.days),
            route("GET", f"{one}/telemetry", May.READ, self.measured),
        ]

    def heard(self, item: Item) -> None:
        """A listener of `News`."""
        if item.kind is Kind.REFUSED and item.camera is not None:
            if item.camera not in self._refusals and len(self._refusals) >= _MOST_REFUSALS:
                del self._refusals[next(iter(self._refusals))]
            self._refusals[item.camera] = item

    def gone(self, camera: CameraId) -> None:
        """A photo of *camera* was deleted: its newest one is to be looked up anew."""
        self._newest.pop(camera, None)
        self._looked = False

    def known(self, ask: Ask) -> Camera:
        """The camera in the path.

        :raises Problem: there is none.
        """
        camera = self.house.fleet.cameras.get(ask.camera)
        if camera is None:
            raise Problem(404, "there is no such camera")
        return camera

    # ---- answers

    async def all(self, ask: Ask) -> Answer:
        await self.look()
        number = self.house.news.number
        cards = [self.card(camera) for camera in self.house.fleet.cameras.values()]
        return said({"cameras": cards, "number": number})

    async def one(self, ask: Ask) -> Answer:
        camera = self.known(ask)
        await self.look()
        return said(self.card(camera))

    async def settings(self, ask: Ask) -> Answer:
        camera = self.known(ask)
        offered, why = offered_to(camera.protocol)
        return said(
            {
                "camera": camera.id,
                "settings": dict(camera.settings or {}),
                "offered": offered,
                "why": why,
            }
        )

    async def days(self, ask: Ask) -> Answer:
        camera = self.known(ask)
        totals = await self.looks.ask(lambda reader: reader.days(camera.id))
        config = self.house.config
        settings = config.camera(camera.id)
        noon = settings.session == "noon"
        zone = settings.zone
        if config.store.layout == "flat":
            zone, noon = UTC, False
        return said(
            {
                "camera": camera.id,
                "session": "noon" if noon else "midnight",
                "timezone": "UTC" if zone is UTC else settings.timezone,
                "days": [
                    {"day": day, "photos": total.photos, "bytes": total.bytes,
                     "since": session_begin(day, zone, noon),
                     "until": session_begin(day, zone, noon, 1)}
                    for day, total in totals.items()
                ],
            }
        )  # fmt: skip

    async def measured(self, ask: Ask) -> Answer:
        camera = self.known(ask)
        since = ask.query.number("since") or 0.0
        when, values = self.telemetry.of(camera.id).since(since)
        step = self.house.config.web.telemetry_step
        return said({"camera": camera.id, "step": step, "when": when, "values": values})

    async def look(self) -> None:
        """The newest photos from before the start are known."""
        if self._looked:
            return
        self._looked = True
        fleet = self.house.fleet.cameras
        missing = [
            id for id, camera in fleet.items()
            if camera.photos and camera.latest is None and id not in self._newest
        ]  # fmt: skip
        if not missing:
            return
        try:
            self._newest |= await self.looks.ask(lambda reader: _latest(reader, missing))
        except BaseException:
            self._looked = False
            raise

    def newest(self, camera: Camera) -> Entry | None:
        """Its newest photo, as far as that is known without looking."""
        known = self._newest.get(camera.id)
        if camera.latest is not None:
            latest = Entry.of(camera.latest)
            # What a board has kept on its card comes later than what it took after.
            if known is None or latest.taken_ms >= known.taken_ms:
                self._newest.pop(camera.id, None)
                return latest
        return known

    def card(self, camera: Camera) -> dict[str, Any]:
        """What is told of *camera*."""
        fleet, house = self.house.fleet, self.house
        settings = house.config.camera(camera.id)
        patience = fleet.patience(camera)
        due = max(camera.last_photo, camera.expected) + patience
        photos_today, bytes_today = fleet.today(camera)
        refusal = self._refusals.get(camera.id)
        # Where nobody looks any more, nobody would say that they are good again.
        poor = camera.poor if settings.judge or settings.detect else None
        newest = self.newest(camera)
        return {
            "id": camera.id,
            "name": settings.name,
            "note": settings.note,
            "state": camera.state.value,
            "connected": camera.connected,
            "protocol": camera.protocol,
            "address": camera.address,
            "fw": camera.fw,
            "model": camera.model,
            "first_seen": _time(camera.first_seen),
            "last_seen": _time(camera.last_seen),
            "last_photo": _time(camera.last_photo),
            "expected": _time(camera.expected),
            "due": _time(due) if patience and camera.last_photo else None,
            "interval": round(settings.interval or camera.interval, 3) or None,
            "photos": camera.photos,
            "bytes": camera.bytes,
            "photos_today": photos_today,
            "bytes_today": bytes_today,
            "refused": {reason.value: count for reason, count in (camera.refused or {}).items()},
            "last_refusal": None if refusal is None or refusal.reason is None else {
                "when": refusal.when, "reason": refusal.reason.value, "text": refusal.text,
            },
            "poor": None if poor is None else {"when": poor[0], "text": poor[1]},
            "telemetry": dict(camera.telemetry or {}),
            "settings": dict(camera.settings or {}),
            "viewers": self.viewers(camera.id),
            "latest": None if newest is None else {
                "id": photo_id(newest.key), "when": newest.taken_ms / 1000, "size": newest.size,
                "width": newest.width, "height": newest.height,
            },
            "command": camera.command.name if camera.command is not None else None,
        }  # fmt: skip


def _latest(reader: CatalogReader, cameras: Iterable[CameraId]) -> dict[CameraId, Entry]:
    found = ((camera, reader.latest(camera)) for camera in cameras)
    return {camera: entry for camera, entry in found if entry is not None}


def _time(when: float) -> float | None:
    return round(when, 3) or None
