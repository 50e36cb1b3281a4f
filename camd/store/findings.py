"""What is on the photos, in the catalog: found by models, said by people, counted.

A `FindingsReader` asks through the connection of a catalog and belongs to its thread; what it is
told was written by a `FindingsWriter`. Knows no model and no picture. Times are unix milliseconds.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from attrs import evolve, frozen

from camd.findings import (
    Annotation,
    Box,
    Detection,
    Findings,
    Flag,
    bits_of,
    flags_of,
    fresh,
    lately,
    outranked,
)
from camd.photo import CameraId
from camd.store.catalog_reader import ANY_OF, CAMERA, COLUMNS, CatalogReader, any_of, entry_of
from camd.store.entry import Cursor, Entry, bounds

STEP_MS = 900_000
"""Every hour, day and night begins with such a quarter of an hour, in every time zone."""

BEFORE = 3
"""Photos, of those with findings; what is on one, and on none of so many before it, is new."""

_CLASS = "(SELECT id FROM classes WHERE name = ?)"
_AT_ONCE = 500


@frozen
class Model:
    """:ivar name: that of its file. *hash*: the SHA-256 of it, in hex."""

    name: str
    hash: str


@frozen
class Backlog:
    """:ivar waiting: photos that are to be looked at. *aside*: those that could not be."""

    waiting: int
    aside: int


@frozen
class Aside:
    """A photo that is looked at no more, and why."""

    photo: Entry
    why: str


@frozen
class Brief:
    """What is on a photo, in numbers.

    :ivar counts: how many of each class, by all that is known; *fresh*: how many of all are new.
    """

    counts: Mapping[str, int]
    fresh: int
    flags: frozenset[Flag]
    done: bool


class Count(NamedTuple):
    """What was on a camera's photos in a quarter of an hour.

    :ivar start_ms: when it began.
    :ivar photos: those with any of the class on them.
    :ivar total: over all photos; *fresh*: what was not on the photos before; *most*: on one photo.
    """

    start_ms: int
    camera: CameraId
    label: str
    photos: int
    total: int
    fresh: int
    most: int


class FindingsReader:
    """The questions about what is on the photos."""

    def __init__(self, catalog: CatalogReader) -> None:
        self._all, self._one = catalog.all, catalog.one

    def of(self, photo: int) -> Findings | None:
        """What is known of the photo with that `Entry.id`, or None where nothing is."""
        return self.of_many([photo]).get(photo)

    def of_many(self, photos: Iterable[int]) -> dict[int, Findings]:
        """What is known of each; those of which nothing is are left out."""
        found = dict[int, Findings]()
        wanted = list(photos)
        for at in range(0, len(wanted), _AT_ONCE):
            some = wanted[at : at + _AT_ONCE]
            before = self._before(some)
            known = self._known({*some, *chain.from_iterable(before.values())})
            there = {
                photo: outranked(of.detections, of.annotations, of.done)
                for photo, of in known.items()
            }
            for photo in some:
                if photo in known:
                    past = lately(there[each] for each in _believed(before.get(photo, ()), known))
                    found[photo] = evolve(known[photo], valid=_marked(past, there[photo]))
        return found

    def flags(self, photo: int) -> frozenset[Flag]:
        """What is wrong with that photo, as far as anybody has looked."""
        row = self._one("SELECT flags FROM looks WHERE photo = ?", (photo,))
        return flags_of(row[0]) if row else frozenset()

    def briefs(self, photos: Sequence[int]) -> dict[int, Brief]:
        """The same in short, of a page of photos in one go."""
        asked = (any_of(photos),)
        counts: dict[int, dict[str, int]] = {}
        new: dict[int, int] = {}
        for photo, label, count, fresh_ones in self._all(
            f"""SELECT t.photo, c.name, t.count, t.fresh FROM tallies AS t
            JOIN classes AS c ON c.id = t.class WHERE t.photo IN {ANY_OF} ORDER BY c.name""",
            asked,
        ):
            counts.setdefault(photo, {})[label] = count
            new[photo] = new.get(photo, 0) + fresh_ones
        rows = self._all(f"SELECT photo, flags, done FROM looks WHERE photo IN {ANY_OF}", asked)
        return {
            photo: Brief(counts.get(photo, {}), new.get(photo, 0), flags_of(bits), bool(done))
            for photo, bits, done in rows
        }

    def _before(self, photos: Iterable[int]) -> dict[int, list[int]]:
        """The photos of the same camera that were taken before each, of those with findings: the
        newest `BEFORE` of them, newest first."""
        one = """(SELECT b.photo FROM looks AS b INDEXED BY looks_by_camera
            WHERE b.camera = l.camera AND (b.taken_ms, b.photo) < (l.taken_ms, l.photo)
            AND (b.model IS NOT NULL OR b.done) ORDER BY b.taken_ms DESC, b.photo DESC
            LIMIT 1 OFFSET {})"""
        each = ", ".join(one.format(at) for at in range(BEFORE))
        rows = self._all(
            f"SELECT l.photo, {each} FROM looks AS l WHERE l.photo IN {ANY_OF}", (any_of(photos),)
        )
        return {photo: [id for id in ids if id is not None] for photo, *ids in rows}

    def behind(self, photo: int) -> list[int]:
        """Those for which it is one of these; oldest first."""
        rows = self._all(
            f"""SELECT b.photo FROM looks AS l CROSS JOIN looks AS b INDEXED BY looks_by_camera
            WHERE l.photo = ? AND b.camera = l.camera
            AND (b.taken_ms, b.photo) > (l.taken_ms, l.photo)
            AND (b.model IS NOT NULL OR b.done) ORDER BY b.taken_ms, b.photo LIMIT {BEFORE}""",
            (photo,),
        )
        return [id for (id,) in rows]

    def _known(self, photos: Iterable[int]) -> dict[int, Findings]:
        """Of each what was found and said, without what of it is valid."""
        asked = (any_of(photos),)
        rows = self._all(
            f"""SELECT l.photo, l.flags, coalesce(m.name, ''), coalesce(m.hash, ''), l.looked_ms,
            l.done FROM looks AS l LEFT JOIN models AS m ON m.id = l.model
            WHERE l.photo IN {ANY_OF}""",
            asked,
        )
        if not rows:
            return {}
        detections: dict[int, list[Detection]] = {}
        for photo, name, score, *box in self._all(
            f"""SELECT d.photo, c.name, d.score, d.x, d.y, d.width, d.height
            FROM detections AS d CROSS JOIN classes AS c ON c.id = d.class
            WHERE d.photo IN {ANY_OF} ORDER BY d.photo, d.score DESC, d.rowid""",
            asked,
        ):
            detections.setdefault(photo, []).append(Detection(name, score, Box(*box)))
        annotations: dict[int, list[Annotation]] = {}
        for photo, name, *box, right in self._all(
            f"""SELECT a.photo, c.name, a.x, a.y, a.width, a.height, a.right
            FROM annotations AS a CROSS JOIN classes AS c ON c.id = a.class
            WHERE a.photo IN {ANY_OF} ORDER BY a.photo, a.rowid""",
            asked,
        ):
            annotations.setdefault(photo, []).append(Annotation(name, Box(*box), bool(right)))
        return {
            photo: Findings(
                flags_of(flags), model, hash, looked_ms, tuple(detections.get(photo, ())),
                tuple(annotations.get(photo, ())), bool(done),
            )
            for photo, flags, model, hash, looked_ms, done in rows
        }  # fmt: skip

    # ---- photos by what is on them

    def photos(
        self,
        camera: CameraId | None = None,
        *,
        label: str | None = None,
        least: int = 1,
        flag: Flag | None = None,
        done: bool | None = None,
        starred: bool = False,
        labelled: bool = False,
        since_ms: int | None = None,
        until_ms: int | None = None,
        after: Cursor | None = None,
        limit: int = 50,
        newest_first: bool = True,
    ) -> list[Entry]:
        """A page of the photos with findings, as `CatalogReader.photos` gives pages.

        :param label: only those with at least *least* of this class on them.
        :param flag: only those with this flag.
        :param done: only those that a person is through with, or is not; without a class and a
            flag, those too that nobody and nothing ever looked at.
        """
        start, where, values = _of_what(camera is not None, label, least, flag, done)
        at, id = ("p.taken_ms", "p.id") if start.startswith("photos") else ("f.taken_ms", "f.photo")
        where.append("p.deleted_ms IS NULL")
        where += ["p.starred = 1"] * starred + ["p.labelled = 1"] * labelled
        if camera is not None:
            where.append(f"{at.partition('.')[0]}.camera = {CAMERA}")
            values.append(camera)
        where.append(f"{at} >= ? AND {at} < ?")
        values += bounds(since_ms, until_ms, after, newest_first=newest_first)
        if after is not None:
            where.append(f"({at}, {id}) {'<' if newest_first else '>'} (?, ?)")
            values += after
        order = "DESC" if newest_first else "ASC"
        rows = self._all(
            f"SELECT {COLUMNS} FROM {start} "
            f"WHERE {' AND '.join(where)} ORDER BY {at} {order}, {id} {order} LIMIT ?",
            (*values, limit),
        )
        return [entry_of(row) for row in rows]

    def unseen(
        self,
        model_hash: str,
        camera: CameraId | None = None,
        *,
        useless: Collection[Flag] = (),
        since_ms: int | None = None,
        until_ms: int | None = None,
        after: Cursor | None = None,
        limit: int = 500,
        newest_first: bool = False,
    ) -> list[Entry]:
        """Photos that the model of that hash, "" for any, has not looked at, page by page; what was
        set aside is left out.

        :param useless: those with any of these flags are left out, too.
        """
        within = bounds(since_ms, until_ms, after, newest_first=newest_first)
        where, values = self._unseen(model_hash, camera, useless, within)
        if after is not None:
            where += f" AND (p.taken_ms, p.id) {'<' if newest_first else '>'} (?, ?)"
            values += after
        order = "DESC" if newest_first else "ASC"
        rows = self._all(
            f"SELECT {COLUMNS} {where} ORDER BY p.taken_ms {order}, p.id {order} LIMIT ?",
            (*values, limit),
        )
        return [entry_of(row) for row in rows]

    def count_unseen(
        self,
        model_hash: str,
        camera: CameraId | None = None,
        useless: Collection[Flag] = (),
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> int:
        """How many there are of them."""
        within = bounds(since_ms, until_ms)
        where, values = self._unseen(model_hash, camera, useless, within)
        return int(self._one(f"SELECT count(*) {where}", values)[0])

    def _unseen(
        self, model_hash: str, camera: CameraId | None, useless: Collection[Flag],
        within: Iterable[int],
    ) -> tuple[str, list[Any]]:  # fmt: skip
        values: list[Any] = [*within, model_hash, bits_of(useless)]
        only, index = "", "photos_by_time"
        if camera is not None:
            only, index = f"AND p.camera = {CAMERA}", "photos_by_camera"
            values.append(camera)
        return (
            f"""FROM photos AS p INDEXED BY {index} WHERE p.deleted_ms IS NULL
            AND p.taken_ms >= ? AND p.taken_ms < ?
            AND NOT EXISTS (SELECT 1 FROM looks AS l JOIN models AS m ON m.id = l.model
                WHERE l.photo = p.id AND m.hash = ?)
            AND NOT EXISTS (SELECT 1 FROM looks AS l WHERE l.photo = p.id AND l.flags & ? != 0)
            AND NOT EXISTS (SELECT 1 FROM backlog AS b WHERE b.photo = p.id AND b.why IS NOT NULL)
            {only}""",
            values,
        )

    # ---- numbers

    def classes(self) -> dict[str, int]:
        """Every class there ever was, and how many of it all photos together have."""
        return dict(
            self._all(
                """SELECT c.name, coalesce((SELECT sum(t.count) FROM tallies AS t
                WHERE t.class = c.id), 0) FROM classes AS c ORDER BY c.name"""
            )
        )

    def models(self) -> list[Model]:
        """Every model that ever looked."""
        return [Model(*row) for row in self._all("SELECT name, hash FROM models ORDER BY id")]

    def counts(
        self,
        camera: CameraId | None = None,
        label: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> list[Count]:
        """What was found in each quarter of an hour in which anything was, oldest first."""
        where = ["t.taken_ms >= ? AND t.taken_ms < ?"]
        values = bounds(since_ms, until_ms)
        if camera is not None:
            where.append(f"t.camera = {CAMERA}")
            values.append(camera)
        if label is not None:
            where.append(f"t.class = {_CLASS}")
            values.append(label)
        rows = self._all(
            f"""SELECT t.taken_ms / {STEP_MS} * {STEP_MS} AS start, a.name, c.name, count(*),
            sum(t.count), sum(t.fresh), max(t.count) FROM tallies AS t
            JOIN cameras AS a ON a.id = t.camera JOIN classes AS c ON c.id = t.class
            WHERE {" AND ".join(where)} GROUP BY start, t.camera, t.class
            ORDER BY start, a.name, c.name""",
            values,
        )
        return [Count._make(row) for row in rows]

    def new(self, camera: CameraId | None, label: str, since_ms: int, until_ms: int) -> int:
        """How many of a class came in that time: those that were not on the photos before."""
        only = "" if camera is None else f"AND camera = {CAMERA}"
        row = self._one(
            f"""SELECT coalesce(sum(fresh), 0) FROM tallies WHERE class = {_CLASS}
            AND taken_ms >= ? AND taken_ms < ? {only}""",
            (label, since_ms, until_ms, *(() if camera is None else (camera,))),
        )
        return int(row[0])

    def flagged(
        self, camera: CameraId | None = None, since_ms: int | None = None
    ) -> Mapping[Flag, int]:
        """How many photos have each flag, those with none left out."""
        only = "" if camera is None else f"AND camera = {CAMERA}"
        rows = self._all(
            "SELECT flags, count(*) FROM looks WHERE flags != 0 "
            f"AND taken_ms >= ? {only} GROUP BY flags",
            (bounds(since_ms, None)[0], *(() if camera is None else (camera,))),
        )
        totals: dict[Flag, int] = {}
        for bits, count in rows:
            for flag in flags_of(bits):
                totals[flag] = totals.get(flag, 0) + count
        return totals

    # ---- what waits

    def backlog(self) -> Backlog:
        """How much waits."""
        waiting, aside = self._one("SELECT count(*) - count(why), count(why) FROM backlog")
        return Backlog(waiting, aside)

    def next(
        self,
        limit: int,
        newest_first: bool,
        besides: Iterable[int] = (),
        *,
        only: Iterable[CameraId] | None = None,
        without: Iterable[CameraId] = (),
    ) -> list[Entry]:
        """Photos to be looked at, in the order in which they came or the other way round.

        :param besides: those that are being looked at already.
        :param only: of these cameras alone; *without*: not of those.
        """
        where = ["b.why IS NULL", f"b.photo NOT IN {ANY_OF}"]
        values: list[Any] = [any_of(besides)]
        for word, cameras in (("IN", only), ("NOT IN", without or None)):
            if cameras is not None:
                those = f"SELECT id FROM cameras WHERE name IN {ANY_OF}"
                where.append(f"p.camera {word} ({those})")
                values.append(any_of(cameras))
        rows = self._all(
            f"""SELECT {COLUMNS} FROM backlog AS b CROSS JOIN photos AS p ON p.id = b.photo
            WHERE {" AND ".join(where)}
            ORDER BY b.photo {"DESC" if newest_first else "ASC"} LIMIT ?""",
            (*values, limit),
        )
        return [entry_of(row) for row in rows]

    def tries(self, photos: Iterable[int]) -> dict[int, int]:
        """How often looking at each failed; those that never did are left out."""
        return dict(
            self._all(
                f"SELECT photo, tries FROM backlog WHERE photo IN {ANY_OF} AND tries > 0",
                (any_of(photos),),
            )
        )

    def latest_flags(self, camera: CameraId, before_ms: int, limit: int) -> list[frozenset[Flag]]:
        """The flags of the newest photos that were looked at and taken before then, newest
        first."""
        rows = self._all(
            f"""SELECT flags FROM looks INDEXED BY looks_by_camera WHERE camera = {CAMERA}
            AND taken_ms < ? AND looked_ms > 0 ORDER BY taken_ms DESC, photo DESC LIMIT ?""",
            (camera, before_ms, limit),
        )
        return [flags_of(bits) for (bits,) in rows]

    def aside(self, limit: int = 100) -> list[Aside]:
        """Photos that could not be looked at, the newest first."""
        rows = self._all(
            f"""SELECT {COLUMNS}, b.why FROM backlog AS b CROSS JOIN photos AS p ON p.id = b.photo
            WHERE b.why IS NOT NULL ORDER BY b.photo DESC LIMIT ?""",
            (limit,),
        )
        return [Aside(entry_of(row), row[-1]) for row in rows]


def _of_what(
    of_camera: bool, label: str | None, least: int, flag: Flag | None, done: bool | None
) -> tuple[str, list[str], list[Any]]:
    """The tables to look through for such photos, by the index that leads to the fewest of them,
    what holds there, and the values in that."""
    joined = "CROSS JOIN photos AS p ON p.id = f.photo"
    of_look = [] if flag is None else [f"l.flags != 0 AND l.flags & {flag.bit} != 0"]
    of_look += [] if done is None else [f"l.done = {int(done)}"]
    if label is not None:
        where = [f"f.class = {_CLASS}", "f.count >= ?", "f.photo IS NOT NULL"]
        if of_look:
            within = " AND ".join(of_look)
            where.append(f"EXISTS (SELECT 1 FROM looks AS l WHERE l.photo = f.photo AND {within})")
        index = "INDEXED BY tallies_by_camera" if of_camera else ""
        return f"tallies AS f {index} {joined}", where, [label, least]
    if flag is None and done is False:
        index = "photos_by_camera" if of_camera else "photos_by_time"
        unseen = "NOT EXISTS (SELECT 1 FROM looks AS l WHERE l.photo = p.id AND l.done = 1)"
        return f"photos AS p INDEXED BY {index}", [unseen], []
    index = "looks_by_camera" if of_camera else "looks_flagged" if flag else "looks_done"
    hint = "" if not of_look else f"INDEXED BY {index}"
    return f"looks AS f {hint} {joined}", [each.replace("l.", "f.") for each in of_look], []


def _believed(before: Iterable[int], known: Mapping[int, Findings]) -> Iterator[int]:
    """Of the photos *before* one, newest first, those that tell what is not new on it: none beyond
    one that a person is through with, who overlooks nothing."""
    for photo in before:
        yield photo
        if known[photo].done:
            return


def _marked(before: Sequence[Detection], there: Sequence[Detection]) -> tuple[Detection, ...]:
    """*there*, and of each whether it is new."""
    return tuple(
        Detection(each.label, each.score, each.box, True) if is_new else each
        for each, is_new in zip(there, fresh(before, there), strict=True)
    )
