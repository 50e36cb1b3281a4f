"""What is on the photos: told, counted, and put right by people."""

from collections.abc import Callable
from datetime import tzinfo
from typing import Any, TypeVar

from attrs import define
from twisted.logger import Logger

from camd.access import May
from camd.findings import Annotation, Findings
from camd.news import Kind
from camd.photo import CameraId, photo_id
from camd.store.annotations import Said, parse_annotations
from camd.store.catalog import Catalog
from camd.store.findings import Aside, Count, FindingsReader
from camd.web.answers import Answer, Problem, only, said
from camd.web.counts import By, grouped, table
from camd.web.found import annotation_json, class_of, in_words, short, tag_of, whole
from camd.web.house import House
from camd.web.photos import Photos, in_ms, photo_json
from camd.web.routes import Ask, Route, route

log = Logger()

T = TypeVar("T")

MOST_GROUPS = 20_000
"""Hours, days or nights of a class and camera that are told of in one answer."""

LEAST = 0.0001
"""Of a picture's width or height, that a box has at least."""

_CLASSES_KEPT = 10.0
"""Seconds for which classes are not added up anew: every photo ever looked at counts."""

_CSV = b"text/csv; charset=utf-8"
_SHARE = "a box is [x, y, width, height], shares of the picture, and has some size"


@define(eq=False)
class OnPhotos:
    """:ivar changed: is told ``change`` and the photo of which something else was said."""

    house: House
    photos: Photos
    changed: Callable[[str, CameraId, Any], None]
    _classes: tuple[float, dict[str, int]] | None = None

    def routes(self) -> list[Route]:
        said_of = "/api/v1/photos/{photo}/annotations"
        return [
            route("GET", said_of, May.READ, self.said_of),
            route("PUT", said_of, May.CONTROL, self.say),
            route("GET", "/api/v1/classes", May.READ, self.classes),
            route("GET", "/api/v1/counts", May.READ, self.counts),
            route("GET", "/api/v1/flags", May.READ, self.flags),
            route("GET", "/api/v1/detect", May.READ, self.looking),
            route("POST", "/api/v1/detect/retry", May.CONTROL, self.look_again),
        ]

    # ---- what people say

    async def said_of(self, ask: Ask) -> Answer:
        entry = await self.photos.find(ask.photo)
        known = await self._look(lambda reader: reader.of(entry.id)) or Findings()
        answer = said(
            {"annotations": [annotation_json(each) for each in known.annotations],
             "done": known.done}
        )  # fmt: skip
        if ask.matches(_etag(known)):
            return Answer(b"", 304, headers=answer.headers)
        return answer

    async def say(self, ask: Ask) -> Answer:
        body = ask.body()
        only(body, "annotations", "done")
        done = body.get("done", False)
        if not isinstance(done, bool):
            raise Problem(400, "done is true or false")
        annotations = _annotations(body.get("annotations"))
        entry = await self.photos.find(ask.photo)
        wanted = ask.request.getHeader(b"if-match")

        def check(catalog: Catalog) -> None:
            if wanted is not None and not _fits(wanted, FindingsReader(catalog).of(entry.id)):
                raise Problem(412, "somebody else has said something else of it meanwhile")

        try:
            known = await self.house.store.annotate(Said(entry.key, annotations, done), check)
        except OSError as error:
            log.error("what was said of {photo} could not be written down: {why}",
                      photo=entry.path, why=error.strerror or str(error))  # fmt: skip
            raise Problem(503, "it could not be written down", Retry_After="10") from None
        if known is None:
            raise Problem(404, "there is no such photo")
        entry = await self.photos.find(ask.photo)
        text = f"{in_words(known)}, by a person's word"
        self.house.news.tell(
            Kind.FOUND, entry.camera, text, photo=entry.key, findings=known,
            taken=entry.taken_ms / 1000,
        )  # fmt: skip
        self.changed("change", entry.camera, photo_json(entry, short(known)))
        self._classes = None
        answer = said(whole(known))
        answer.headers[b"ETag"] = _etag(known)
        return answer

    # ---- numbers

    async def classes(self, ask: Ask) -> Answer:
        now = self.house.reactor.seconds()
        if self._classes is None or now - self._classes[0] > _CLASSES_KEPT:
            found = await self._look(lambda reader: reader.classes())
            self._classes = now, found
        classes = [{"class": label, "total": total} for label, total in self._classes[1].items()]
        return said({"classes": classes})

    async def counts(self, ask: Ask) -> Answer:
        query, camera = ask.query, ask.camera_of_query()
        label = class_of(query)
        since, until = in_ms(query.number("since")), in_ms(query.number("until"))
        by = By(query.one_of("by", tuple(by.value for by in By)) or By.NIGHT.value)
        csv = query.one_of("format", ("json", "csv")) == "csv"

        def count(reader: FindingsReader) -> Any:
            found: list[Count] = reader.counts(camera, label, since, until)
            groups = grouped(found, by, self._zone)
            if len(groups) > MOST_GROUPS:
                raise Problem(409, f"that is more than {MOST_GROUPS} lines: ask for less at once")
            return table(groups, self._zone) if csv else groups

        found = await self._look(count)
        if csv:
            name = f"{camera or 'counts'}-{by.value}.csv"
            headers = {
                b"Cache-Control": b"no-store",
                b"Content-Disposition": b'attachment; filename="%s"' % name.encode("ascii"),
            }
            return Answer(found.encode(), 200, _CSV, headers, compressible=True)
        groups = [
            {"camera": each.camera, "class": each.label, "since": each.since,
             "until": each.until, "name": each.name, "photos": each.photos,
             "total": each.total, "fresh": each.fresh, "most": each.most}
            for each in found
        ]  # fmt: skip
        return said({"by": by.value, "groups": groups})

    async def flags(self, ask: Ask) -> Answer:
        camera, since = ask.camera_of_query(), in_ms(ask.query.number("since"))
        found = await self._look(lambda reader: reader.flagged(camera, since))
        return said({"flags": {flag.value: count for flag, count in found.items()}})

    # ---- how the looking goes

    async def looking(self, ask: Ask) -> Answer:
        backlog, aside = await self._look(lambda reader: (reader.backlog(), reader.aside()))
        state: dict[str, Any] = {
            "enabled": False, "model": None, "classes": [], "workers": 0, "rate": 0, "error": None,
            "waiting": backlog.waiting, "aside": backlog.aside,
        }  # fmt: skip
        if self.house.looking is not None:
            state |= await self.house.looking.state()
        return said({**state, "set_aside": [_aside(each) for each in aside]})

    async def look_again(self, ask: Ask) -> Answer:
        looking = self.house.looking
        if looking is None or not (await looking.state())["enabled"]:
            raise Problem(409, "nothing looks at photos here: [detect] names no model")
        return said({"again": await looking.retry()})

    def _zone(self, camera: CameraId) -> tzinfo | None:
        return self.house.config.camera(camera).zone

    async def _look(self, work: Callable[[FindingsReader], T]) -> T:
        return await self.photos.ask(lambda reader: work(FindingsReader(reader)))


def _annotations(body: Any) -> tuple[Annotation, ...]:
    """:raises Problem: where that is no list of annotations."""
    if isinstance(body, list):
        for each in body:
            if isinstance(each, dict) and not _on_picture(each.get("box")):
                raise Problem(400, _SHARE)
    try:
        return parse_annotations(body)
    except ValueError as error:
        raise Problem(400, str(error)) from None


def _on_picture(box: Any) -> bool:
    """What lies beside the picture is a mistake of a program's, be it only in part."""
    if not isinstance(box, list) or len(box) != 4:
        return False
    if not all(isinstance(n, int | float) and not isinstance(n, bool) for n in box):
        return False
    x, y, width, height = box
    return bool(
        0 <= x <= 1 - LEAST and 0 <= y <= 1 - LEAST
        and LEAST <= width <= 1 and LEAST <= height <= 1
    )  # fmt: skip


def _etag(known: Findings | None) -> bytes:
    return b'"%s"' % tag_of(known).encode("ascii")


def _fits(wanted: bytes, known: Findings | None) -> bool:
    tags = [each.strip() for each in wanted.split(b",")]
    return b"*" in tags or _etag(known) in tags


def _aside(aside: Aside) -> dict[str, Any]:
    entry = aside.photo
    return {"photo": photo_id(entry.key), "camera": entry.camera, "when": entry.taken_ms / 1000,
            "why": aside.why}  # fmt: skip
