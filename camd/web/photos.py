"""Photos: found, shown, starred, noted and deleted."""

import re
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from attrs import define, field
from twisted.logger import Logger

from camd import thumbnails
from camd.access import May
from camd.findings import Findings
from camd.photo import CameraId, FrameKey, Receipt, photo_id
from camd.store.catalog import Catalog, CatalogReader
from camd.store.entry import Cursor, Entry
from camd.store.findings import Brief, FindingsReader
from camd.store.opening import open_photo, read_photo
from camd.store.retention import delete
from camd.web.answers import FOR_EVER, JPEG, Answer, Problem, no_content, only, said
from camd.web.found import Wanted, short, whole
from camd.web.house import House
from camd.web.routes import Ask, Route, route
from camd.web.sending import Sent, send
from camd.workers import BusyError, Looks, Workers

log = Logger()

T = TypeVar("T")

MOST_A_PAGE = 500
LONGEST_NOTE = 4000

_CURSOR = re.compile(r"([0-9]{1,15})-([0-9]{1,15})", re.ASCII)

Changed = Callable[[str, CameraId, Any], None]


def photo_json(entry: Entry, findings: dict[str, Any] | None = None) -> dict[str, Any]:
    """:param findings: what is on it, whole or in short."""
    return {
        "id": photo_id(entry.key),
        "camera": entry.camera,
        "boot": entry.boot,
        "seq": entry.seq,
        "when": entry.taken_ms / 1000,
        "received": entry.received_ms / 1000,
        "size": entry.size,
        "crc": f"{entry.crc:08x}",
        "width": entry.width,
        "height": entry.height,
        "path": entry.path,
        "door": entry.door.value,
        "trigger": None if entry.trigger is None else entry.trigger.value,
        "starred": entry.starred,
        "labelled": entry.labelled,
        "note": entry.note,
        "findings": findings,
    }


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    """A photo that was just stored, as `photo_json` will have it."""
    return photo_json(Entry.of(receipt))


@define(eq=False)
class Photos:
    """:ivar changed: is told ``change`` and the photo, or ``gone`` and its name."""

    house: House
    looks: Looks
    workers: Workers
    thumbs: thumbnails.Thumbnails
    changed: Changed
    _small: bool = field(factory=thumbnails.available)

    def routes(self) -> list[Route]:
        if not self._small:
            log.info('Pillow is not there: whole photos stand for thumbnails ("camd[thumbnails]")')
        one = "/api/v1/photos/{photo}"
        return [
            route("GET", "/api/v1/photos", May.READ, self.page),
            route("GET", one, May.READ, self.one),
            route("PATCH", one, May.CONTROL, self.change),
            route("DELETE", one, May.CONTROL, self.delete),
            route("GET", f"{one}/image", May.READ, self.image),
            route("GET", f"{one}/thumbnail", May.READ, self.thumbnail),
        ]

    # ---- what is known of them

    async def page(self, ask: Ask) -> Answer:
        query = ask.query
        camera = ask.camera_of_query()
        since, until = query.number("since"), query.number("until")
        after = query.text("cursor", _cursor, "what next was in an earlier answer")
        limit = query.count("limit", 50, 1, MOST_A_PAGE)
        oldest = query.one_of("order", ("newest", "oldest")) == "oldest"
        starred, labelled = query.truth("starred"), query.truth("labelled")
        wanted = Wanted.of(query)

        def look(reader: CatalogReader) -> tuple[list[Entry], dict[int, Brief]]:
            findings = FindingsReader(reader)
            photos: Callable[..., list[Entry]] = reader.photos
            if wanted.anything:
                photos = partial(findings.photos, **wanted.asked())
            found = photos(
                camera, since_ms=in_ms(since), until_ms=in_ms(until), after=after,
                limit=limit + 1, newest_first=not oldest, starred=starred, labelled=labelled,
            )  # fmt: skip
            return found, findings.briefs([entry.id for entry in found])

        found, briefs = await self.ask(look)
        page = found[:limit]
        more = len(found) > limit
        return said(
            {
                "photos": [photo_json(entry, short(briefs.get(entry.id))) for entry in page],
                "next": "-".join(map(str, page[-1].cursor)) if more else None,
            }
        )

    async def one(self, ask: Ask) -> Answer:
        entry = await self.find(ask.photo)
        findings = await self._findings(entry)
        answer = said(photo_json(entry, whole(findings)))
        body = answer.body or b""
        answer.headers[b"Cache-Control"] = b"private, no-cache"
        if ask.matches(b'"%08x"' % zlib.crc32(body)):
            return Answer(b"", 304, headers=answer.headers)
        return answer

    async def _findings(self, entry: Entry) -> Findings | None:
        return await self.ask(lambda reader: FindingsReader(reader).of(entry.id))

    async def find(self, key: FrameKey) -> Entry:
        """:raises Problem: there is no such photo."""
        entry = self.house.store.reader.find(key)
        if entry is None and self.house.store.behind and key[0] in self.house.fleet:
            await self.looks.caught_up()
            entry = self.house.store.reader.find(key)
        if entry is None or entry.deleted_ms is not None:
            raise Problem(404, "there is no such photo")
        return entry

    async def change(self, ask: Ask) -> Answer:
        key, body = ask.photo, ask.body()
        only(body, "starred", "note")
        starred, note = body.get("starred"), body.get("note")
        if not body:
            raise Problem(400, "say starred, note or both")
        if "starred" in body and not isinstance(starred, bool):
            raise Problem(400, "starred is true or false")
        if "note" in body and (not isinstance(note, str) or len(note) > LONGEST_NOTE):
            raise Problem(400, f"note is text of {LONGEST_NOTE} characters at most")

        def work(catalog: Catalog) -> Entry | None:
            entry = catalog.find(key)
            if entry is None or entry.deleted_ms is not None:
                return None
            if isinstance(starred, bool):
                catalog.star([entry.id], starred)
            if isinstance(note, str):
                catalog.note(entry.id, note)
            return catalog.find(key)

        entry = await self.house.store.ask(work)
        if entry is None:
            raise Problem(404, "there is no such photo")
        findings = await self._findings(entry)
        self.changed("change", entry.camera, photo_json(entry, short(findings)))
        return said(photo_json(entry, whole(findings)))

    async def delete(self, ask: Ask) -> Answer:
        key, store = ask.photo, self.house.store

        def work(catalog: Catalog) -> Entry | None:
            entry = catalog.find(key)
            if entry is None or entry.deleted_ms is not None:
                return None
            if entry.starred or entry.labelled:
                raise Problem(409, "it is starred or labelled: take that away first")
            try:
                store.check()
                now = self.house.fleet.now()
                report = delete(catalog, store.root, entry.id, now, dirty=store.dirty)
            except OSError as error:
                log.error("{photo} cannot be deleted: {why}", photo=entry.path, why=str(error))
                raise Problem(503, "the disk cannot be written", Retry_After="10") from None
            if report.refused:
                log.warn("{what}", what=report.refused[0])
                raise Problem(409, "its file is not as it was stored, and was left alone")
            self.thumbs.forget(photo_id(key))
            return entry

        entry = await store.ask(work)
        if entry is None:
            raise Problem(404, "there is no such photo")
        log.info("{photo} was deleted by {peer}", photo=entry.path, peer=ask.request.peer)
        camera = self.house.fleet.cameras.get(entry.camera)
        if camera is not None:
            camera.photos = max(0, camera.photos - 1)
            camera.bytes = max(0, camera.bytes - entry.size)
            if camera.latest is not None and camera.latest.key == key:
                camera.latest = None
        self.changed("gone", entry.camera, photo_id(key))
        return no_content()

    async def ask(self, work: Callable[[CatalogReader], T]) -> T:
        """What a long look into the catalog finds.

        :raises BusyError: too many want to look.
        """
        return await self.looks.ask(work)

    # ---- pictures

    async def thumbnail(self, ask: Ask) -> Answer:
        width = thumbnails.rounded(ask.query.count("width", 320, 1, thumbnails.WIDTHS[-1]))
        entry = await self.find(ask.photo)
        name = photo_id(entry.key)
        if ask.matches(b'"%08x-%d"' % (entry.crc, width)):
            return Answer(b"", 304, headers={b"Cache-Control": FOR_EVER})
        if not self._small:
            return await self.image(ask)
        try:
            small = await self.workers.run(
                lambda: self.thumbs.get(name, width, lambda: self.read(entry))
            )
        except BusyError:
            raise Problem(503, "too many thumbnails are being made", Retry_After="1") from None
        except (FileNotFoundError, IsADirectoryError):
            raise Problem(404, "its file is gone") from None
        except (thumbnails.NoPictureError, OSError):
            return await self.image(ask)
        return Answer(small, 200, JPEG, {b"Cache-Control": FOR_EVER})

    async def image(self, ask: Ask) -> Answer:
        entry = await self.find(ask.photo)
        root = self.house.store.root
        file = Sent(
            entry.path.rpartition("/")[2], entry.size, b'"%08x-%d"' % (entry.crc, entry.size),
            JPEG, FOR_EVER, lambda: open_photo(root, entry),
        )  # fmt: skip
        return await send(ask, file, self.workers)

    def read(self, entry: Entry) -> bytes:
        """The photo's bytes; blocks.

        :raises OSError: the file is not there, or not as it was stored.
        """
        return read_photo(self.house.store.root, entry)


def in_ms(seconds: float | None) -> int | None:
    """Unix milliseconds, where *seconds* are given."""
    return None if seconds is None else round(seconds * 1000)


def _cursor(text: str) -> Cursor:
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise ValueError
    return int(match[1]), int(match[2])
