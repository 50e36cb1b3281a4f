"""What happened, what was refused, and how camd itself fares."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import define

from camd import __version__
from camd.access import May
from camd.config import Config
from camd.doors import is_secure, own_address, port_of
from camd.news import Kind
from camd.photo import Reason, is_camera_id
from camd.store.opening import open_file
from camd.store.quarantine import SUFFIX
from camd.web.answers import JPEG, Answer, Problem, said
from camd.web.events import item_json
from camd.web.house import House
from camd.web.live import Watching
from camd.web.routes import Ask, Route, route
from camd.workers import Workers

_NAME = re.compile(r"(.+)_([0-9]{8}-[0-9]{6})_([0-9]{6,12})_([a-z]{2,12})", re.ASCII)
_MOST = 10**15 - 1


@define(eq=False)
class Journal:
    """:ivar started: unix seconds."""

    house: House
    workers: Workers
    watching: Watching
    started: float

    def routes(self) -> list[Route]:
        return [
            route("GET", "/api/v1/log", May.READ, self.log),
            route("GET", "/api/v1/refused", May.READ, self.refused),
            route("GET", "/api/v1/refused/{refused}/image", May.READ, self.refused_image),
            route("GET", "/api/v1/stats", May.READ, self.stats),
            route("GET", "/healthz", None, self.healthz),
            route("GET", "/readyz", None, self.readyz),
        ]

    async def log(self, ask: Ask) -> Answer:
        query, news = ask.query, self.house.news
        camera = ask.camera_of_query()
        kind = query.one_of("kind", tuple(kind.value for kind in Kind))
        after = query.count("after", 0, 0, _MOST)
        before = query.count("before", _MOST, 0, _MOST)
        limit = query.count("limit", 50, 1, 500)
        items = [
            item for item in news.recent(news.keep, after)
            if item.number < before
            and (camera is None or item.camera == camera)
            and (kind is None or item.kind.value == kind)
        ]  # fmt: skip
        return said(
            {
                "items": [item_json(item) for item in reversed(items[-limit:])],
                "newest": news.number,
                "oldest": max(0, news.number - len(news.recent(news.keep)) + 1),
            }
        )

    # ---- quarantine

    @property
    def _quarantine(self) -> Path:
        return self.house.store.own / "quarantine"

    async def refused(self, ask: Ask) -> Answer:
        camera = ask.camera_of_query()
        limit = ask.query.count("limit", 50, 1, 500)

        def look() -> list[dict[str, Any]]:
            try:
                names = sorted(os.listdir(self._quarantine))
            except FileNotFoundError:
                return []
            found = [each for name in names if (each := _refused(name)) is not None]
            if camera is not None:
                found = [each for each in found if each["camera"] == camera]
            found.sort(key=lambda each: each["when"], reverse=True)
            for each in found[:limit]:
                path = self._quarantine / f"{each['id']}{SUFFIX}"
                each["size"] = path.lstat().st_size if path.exists() else 0
            return found[:limit]

        kept = self.house.config.store.quarantine
        return said({"quarantine": kept, "refused": await self.workers.run(look)})

    async def refused_image(self, ask: Ask) -> Answer:
        name = ask.names["refused"]
        if _refused(name + SUFFIX) is None:
            raise Problem(404, "nothing of that name is in quarantine")

        def read() -> bytes:
            with open(open_file(self._quarantine, f"{name}{SUFFIX}"), "rb") as file:
                return file.read()

        try:
            data = await self.workers.run(read)
        except OSError:
            raise Problem(404, "nothing of that name is in quarantine") from None
        return Answer(data, 200, JPEG, {b"Cache-Control": b"private, max-age=86400"})

    # ---- camd itself

    async def stats(self, ask: Ask) -> Answer:
        house, intake = self.house, self.house.intake
        totals = house.store.reader.totals().values()
        return said(
            {
                "version": __version__,
                "now": round(house.news.now(), 3),
                "started": round(self.started, 3),
                "cameras": len(house.fleet.cameras),
                "connected": house.fleet.connected,
                "viewers": self.watching.viewers,
                "photos": intake.photos,
                "bytes": intake.bytes,
                "again": intake.again,
                "refused": {reason.value: count for reason, count in intake.refusals.items()},
                "waiting": house.store.waiting,
                "behind": house.store.behind,
                "stored": {
                    "photos": sum(total.photos for total in totals),
                    "bytes": sum(total.bytes for total in totals),
                },
                "disk": disk(house.store.root, house.config),
                "unknown": house.config.cameras.unknown,
                "address": own_address(),
                "doors": [
                    {"listen": text, "port": port_of(port), "tls": self._is_tls(text)}
                    for text, port in house.doors.open
                ],
            }
        )

    def _is_tls(self, description: str) -> bool:
        return is_secure(description) or description in self.house.config.tls.endpoints

    async def healthz(self, ask: Ask) -> Answer:
        return said({"status": "alive"})

    async def readyz(self, ask: Ask) -> Answer:
        """Whether a photo that came now could be stored."""
        house = self.house
        if house.intake.stopping:
            return said({"status": "stopping"}, 503)
        try:
            room = disk(house.store.root, house.config)
        except OSError as error:
            return said({"status": f"the store: {error.strerror}"}, 503)
        if room["free"] <= room["keep_free"]:
            return said({"status": "the disk is full"}, 503)
        return said({"status": "ready"})


def disk(root: Path, config: Config) -> dict[str, int]:
    """Bytes: free, in all, and to be kept free.

    :raises OSError: there is no such directory.
    """
    found = os.statvfs(root)
    total = found.f_frsize * found.f_blocks
    return {
        "free": found.f_frsize * found.f_bavail,
        "total": total,
        "keep_free": config.store.keep_free.of(total),
    }


def _refused(name: str) -> dict[str, Any] | None:
    """What the name of a file in quarantine says, or None."""
    if not name.endswith(SUFFIX):
        return None
    stem = name.removesuffix(SUFFIX)
    match = _NAME.fullmatch(stem)
    if match is None or not is_camera_id(match[1]) or len(stem) > 160:
        return None
    try:
        when = datetime.strptime(match[2], "%Y%m%d-%H%M%S").replace(tzinfo=UTC).timestamp()
        reason = Reason(match[4])
    except ValueError:
        return None
    return {"id": stem, "camera": match[1], "when": when, "reason": reason.value, "size": 0}
