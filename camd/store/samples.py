"""Which photos may become part of a data set, told in one question for each camera.

Knows no picture and no format. Times are unix milliseconds.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from camd.findings import Flag, bits_of
from camd.photo import CameraId
from camd.store.catalog_reader import CAMERA, CatalogReader
from camd.store.entry import bounds


class Sample(NamedTuple):
    """As much of a photo as it takes to choose it; a plain tuple, since there are very many.

    :ivar photo: its `Entry.id`.
    :ivar done: a person is through with it.
    :ivar looked: a model looked at it.
    :ivar found: something of the classes that were asked for is on it.
    :ivar sure: that holds by a person's word, or a model's score is high enough.
    """

    photo: int
    taken_ms: int
    done: bool
    looked: bool
    found: bool
    sure: bool


def samples(
    catalog: CatalogReader,
    camera: CameraId,
    *,
    since_ms: int | None = None,
    until_ms: int | None = None,
    labels: Sequence[str] = (),
    least_score: float = 0.0,
    starred: bool = False,
    done: bool = False,
    without: Iterable[Flag] = (),
) -> list[Sample]:
    """The photos of *camera* that are there, oldest first.

    :param since_ms: taken then or later; *until_ms*: taken before.
    :param labels: what is to be found on them; none: anything.
    :param least_score: what is asked of a model to be sure.
    :param starred: only those; *done* likewise.
    :param without: leaves out those with any of these flags.
    :raises CatalogError: from the catalog.
    """
    index = "photos_starred" if starred else "photos_by_camera"
    classes, names = "", list(labels)
    if labels:
        marks = ", ".join("?" * len(names))
        classes = f"AND t.class IN (SELECT id FROM classes WHERE name IN ({marks}))"
    where = ["p.deleted_ms IS NULL", f"p.camera = {CAMERA}", "p.taken_ms >= ?", "p.taken_ms < ?",
             "coalesce(l.flags, 0) & ? = 0"]  # fmt: skip
    values: list[object] = [
        *names, least_score, *names, *names, camera, *bounds(since_ms, until_ms), bits_of(without),
    ]  # fmt: skip
    if starred:
        where.append("p.starred = 1")
    if done:
        where.append("l.done = 1")
    rows = catalog.all(
        f"""SELECT p.id, p.taken_ms, coalesce(l.done, 0), l.model IS NOT NULL,
        EXISTS (SELECT 1 FROM tallies AS t WHERE t.photo = p.id AND t.count > 0 {classes}),
        coalesce(l.done, 0)
        OR EXISTS (SELECT 1 FROM detections AS t WHERE t.photo = p.id AND t.score >= ? {classes})
        OR EXISTS (SELECT 1 FROM annotations AS t WHERE t.photo = p.id AND t.right {classes})
        FROM photos AS p INDEXED BY {index} LEFT JOIN looks AS l ON l.photo = p.id
        WHERE {" AND ".join(where)} ORDER BY p.taken_ms, p.id""",
        values,
    )
    return [
        Sample(photo, taken, bool(done_), bool(looked), bool(found), bool(found and sure))
        for photo, taken, done_, looked, found, sure in rows
    ]
