"""Photos: found, shown, starred, noted and deleted."""

import os
import re
import stat
import time
import zlib
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.protocols.basic import FileSender

from camd.access import May
from camd.photo import CameraId, FrameKey, Receipt
from camd.store.catalog import Catalog, CatalogReader
from camd.store.entry import Cursor, Entry
from camd.store.folders import open_folder
from camd.store.retention import delete
from camd.web import thumbnails
from camd.web.answers import FOR_EVER, JPEG, TAKEN, Answer, Problem, no_content, only, said
from camd.web.house import House
from camd.web.routes import Ask, Route, photo_id, route
from camd.web.workers import BusyError, Looks, Workers

log = Logger()

MOST_A_PAGE = 500
LONGEST_NOTE = 4000
AT_ONCE = 1024 * 1024
"""Bytes of a picture that are read in one go; a larger one is sent piece by piece."""

ENTERED = 0.3
"""Seconds after which a photo that was just stored is in the catalog."""

_CURSOR = re.compile(r"([0-9]{1,15})-([0-9]{1,15})", re.ASCII)
_RANGE = re.compile(rb"bytes=([0-9]{0,15})-([0-9]{0,15})")
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Changed = Callable[[str, CameraId, Any], None]


def photo_json(entry: Entry) -> dict[str, Any]:
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

        def look(reader: CatalogReader) -> list[Entry]:
            return reader.photos(
                camera, since_ms=_ms(since), until_ms=_ms(until), after=after, limit=limit + 1,
                newest_first=not oldest, starred=starred, labelled=labelled,
            )  # fmt: skip

        found = await self._look(look)
        page = found[:limit]
        more = len(found) > limit
        return said(
            {
                "photos": [photo_json(entry) for entry in page],
                "next": "-".join(map(str, page[-1].cursor)) if more else None,
            }
        )

    async def one(self, ask: Ask) -> Answer:
        entry = await self.find(ask.photo)
        answer = said(photo_json(entry))
        body = answer.body or b""
        answer.headers[b"Cache-Control"] = b"private, no-cache"
        if ask.matches(b'"%08x"' % zlib.crc32(body)):
            return Answer(b"", 304, headers=answer.headers)
        return answer

    async def find(self, key: FrameKey) -> Entry:
        """:raises Problem: there is no such photo."""
        entry = self.house.store.reader.find(key)
        if entry is None and self.house.store.behind and key[0] in self.house.fleet:
            await deferLater(self.house.reactor, ENTERED)
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
        photo = photo_json(entry)
        self.changed("change", entry.camera, photo)
        return said(photo)

    async def delete(self, ask: Ask) -> Answer:
        key, store = ask.photo, self.house.store

        def work(catalog: Catalog) -> Entry | None:
            entry = catalog.find(key)
            if entry is None or entry.deleted_ms is not None:
                return None
            if entry.starred or entry.labelled:
                raise Problem(409, "it is starred or labelled: take that away first")
            report = delete(catalog, store.root, entry.id, time.time(), dirty=store.dirty)
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

    async def _look(self, work: Callable[[CatalogReader], list[Entry]]) -> list[Entry]:
        try:
            return await self.looks.ask(work)
        except BusyError:
            raise Problem(503, "too much is asked at once", Retry_After="1") from None

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
        download = ask.query.truth("download")
        entry = await self.find(ask.photo)
        headers = {b"Cache-Control": FOR_EVER, b"Accept-Ranges": b"bytes"}
        etag = b'"%08x-%d"' % (entry.crc, entry.size)
        if ask.matches(etag):
            return Answer(b"", 304, headers=headers)
        if download:
            name = entry.path.rpartition("/")[2].encode("ascii")
            headers[b"Content-Disposition"] = b'attachment; filename="%s"' % name
        start, end = 0, entry.size
        status = 200
        wanted = ask.request.getHeader(b"range")
        if wanted is not None and ask.request.getHeader(b"if-range") in (None, etag):
            found = byte_range(wanted, entry.size)
            if found is not None:
                start, end = found
                status = 206
                headers[b"Content-Range"] = b"bytes %d-%d/%d" % (start, end - 1, entry.size)
        try:
            if end - start > AT_ONCE and ask.request.method == b"GET":
                whole = Answer(b"", status, JPEG, headers)
                return await self._in_pieces(ask, entry, (start, end), whole)
            body = await self.workers.run(lambda: self.read(entry, start, end))
        except BusyError:
            raise Problem(503, "too much is read at once", Retry_After="1") from None
        except OSError as error:
            log.warn("{path}: {why}", path=entry.path, why=error.strerror or str(error))
            raise Problem(404, "its file is gone") from None
        return Answer(body, status, JPEG, headers)

    async def _in_pieces(
        self, ask: Ask, entry: Entry, span: tuple[int, int], answer: Answer
    ) -> Answer:
        """What is too large to be read in one go."""
        request, (start, end) = ask.request, span
        piece = Piece(await self.workers.run(lambda: self._open(entry)), start, end)
        if request.gone:
            piece.close()
            return Answer(TAKEN)
        request.setResponseCode(answer.status)
        length = b"%d" % (end - start)
        for name, value in (
            *answer.headers.items(), (b"Content-Type", JPEG), (b"Content-Length", length),
        ):  # fmt: skip
            request.setHeader(name, value)

        def over(result: object) -> None:
            piece.close()
            if not request.gone:
                request.finish()

        FileSender().beginFileTransfer(piece, request).addBoth(over)
        return Answer(TAKEN)

    def read(self, entry: Entry, start: int = 0, end: int | None = None) -> bytes:
        """The photo's bytes from *start* to *end*; blocks.

        :raises OSError: the file is not there, or not as it was stored.
        """
        fd = self._open(entry)
        try:
            return os.pread(fd, (entry.size if end is None else end) - start, start)
        finally:
            os.close(fd)

    def _open(self, entry: Entry) -> int:
        folder, _, name = entry.path.rpartition("/")
        within = open_folder(self.house.store.root, folder)
        try:
            fd = os.open(name, _FILE, dir_fd=within)
        finally:
            os.close(within)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size != entry.size:
            os.close(fd)
            raise FileNotFoundError(2, "it is not the file that was stored", entry.path)
        return fd


class Piece:
    """The bytes of an open file from one place to another, to be read once."""

    def __init__(self, fd: int, start: int, end: int) -> None:
        self._fd, self._at, self._end = fd, start, end

    def read(self, size: int) -> bytes:
        data = os.pread(self._fd, min(size, self._end - self._at), self._at)
        self._at += len(data)
        return data

    def close(self) -> None:
        os.close(self._fd)


def byte_range(said: bytes, size: int) -> tuple[int, int] | None:
    """From where up to where *said*, a Range header, means; None where it is to be ignored.

    :raises Problem: there is nothing of it.
    """
    match = _RANGE.fullmatch(said.replace(b" ", b""))
    if match is None or not (match[1] or match[2]):
        return None
    if match[1]:
        start = int(match[1])
        end = min(size, int(match[2]) + 1) if match[2] else size
        if match[2] and int(match[2]) < start:
            return None
    else:
        start, end = max(0, size - int(match[2])), size
    if start >= end:
        raise Problem(416, "", Content_Range=f"bytes */{size}")
    return start, end


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _cursor(text: str) -> Cursor:
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise ValueError
    return int(match[1]), int(match[2])
