"""The questions that the catalog answers, and how its rows become photos again.

Knows nothing of what writes to it. Times are unix milliseconds.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from camd.photo import Boot, CameraId, Door, FrameKey, Trigger
from camd.store.entry import EVER, CameraState, Candidate, Cursor, Entry, Totals, bounds
from camd.store.schema import CatalogDamagedError, connect, told

COLUMNS = """p.id, (SELECT name FROM cameras WHERE id = p.camera), p.boot, p.seq, p.taken_ms,
    p.received_ms, p.size, p.crc, p.width, p.height,
    (SELECT path FROM folders WHERE id = p.folder), p.name, p.door, p."trigger", p.starred,
    p.labelled, p.note, p.deleted_ms"""
CAMERA = "(SELECT id FROM cameras WHERE name = ?)"
ANY_OF = "(SELECT value FROM json_each(?))"
"""Behind IN: one of the values of `any_of`, however many there are."""
BY_KEY = f"camera = {CAMERA} AND boot = ? AND seq = ?"
"""Its values: camera, boot as bytes, seq."""

# A day's photos lie, by their times, between the first place on earth that has this day and
# the last that has it, a session from noon to noon included: so the index by time finds them,
# and no other index need be kept for it.
_IN_FOLDER = """SELECT p.name, p.id FROM folders AS f
    CROSS JOIN photos AS p INDEXED BY photos_by_camera
    WHERE f.path = ? AND p.camera = f.camera AND p.folder = f.id AND p.deleted_ms IS NULL
    AND p.taken_ms >= (CAST(strftime('%s', f.day) AS INTEGER) - 15 * 3600) * 1000
    AND p.taken_ms < (CAST(strftime('%s', f.day) AS INTEGER) + 51 * 3600) * 1000"""


def any_of(values: Iterable[int] | Iterable[str]) -> str:
    """The value of the parameter in `ANY_OF`."""
    return json.dumps(list(values))


def entry_of(row: Any) -> Entry:
    """The photo of a row of `COLUMNS`."""
    return Entry(
        row[0], row[1], row[2].hex(), row[3], row[4], row[5], row[6], row[7], row[8], row[9],
        f"{row[10]}/{row[11]}" if row[10] else row[11],
        Door(row[12]), None if row[13] is None else Trigger(row[13]), bool(row[14]),
        bool(row[15]), row[16], row[17],
    )  # fmt: skip


class CatalogReader:
    """The questions that the catalog answers."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Self:
        """For reading; *path* is a catalog that a `Catalog` has open or had."""
        connection = connect(path)
        connection.execute("PRAGMA query_only = ON")
        return cls(path, connection)

    def close(self) -> None:
        """No other method may be called after this; closing twice is harmless."""
        self._connection.close()

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows; for the modules that know the tables."""
        with told(self.path):
            return self._connection.execute(sql, values).fetchall()

    def one(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first row, or None."""
        rows = self.all(sql, values)
        return rows[0] if rows else None

    def find(self, key: FrameKey) -> Entry | None:
        """The photo of that name, be it deleted, as long as it is remembered."""
        camera, boot, seq = key
        row = self.one(
            f"SELECT {COLUMNS} FROM photos AS p WHERE p.{BY_KEY}",
            (camera, bytes.fromhex(boot), seq),
        )
        return entry_of(row) if row else None

    def entry(self, id: int) -> Entry | None:
        row = self.one(f"SELECT {COLUMNS} FROM photos AS p WHERE p.id = ?", (id,))
        return entry_of(row) if row else None

    def entries(self, photos: Iterable[int]) -> dict[int, Entry]:
        """Those of the photos with these numbers that there are, a few hundred at a time."""
        rows = self.all(
            f"SELECT {COLUMNS} FROM photos AS p WHERE p.id IN {ANY_OF}", (any_of(photos),)
        )
        return {row[0]: entry_of(row) for row in rows}

    def last(self, camera: CameraId, boot: Boot) -> int:
        """The highest seq stored of that camera's start, deleted photos included; 0: none."""
        row = self.one(
            f"SELECT max(seq) FROM photos WHERE camera = {CAMERA} AND boot = ?",
            (camera, bytes.fromhex(boot)),
        )
        return row[0] or 0

    def latest(self, camera: CameraId) -> Entry | None:
        """The newest photo of *camera*, by the time of the picture."""
        page = self.photos(camera, limit=1)
        return page[0] if page else None

    def photos(
        self,
        camera: CameraId | None = None,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
        after: Cursor | None = None,
        limit: int = 50,
        newest_first: bool = True,
        starred: bool = False,
        labelled: bool = False,
    ) -> list[Entry]:
        """A page of the photos that are there, in the order of their times.

        :param camera: of this one only; None: of all.
        :param since_ms: taken then or later; *until_ms*: taken before.
        :param after: the `Entry.cursor` of the last photo of the page before.
        :param starred: only what is starred; *labelled* likewise.
        """
        index = "photos_by_camera" if camera is not None else "photos_by_time"
        where = ["p.deleted_ms IS NULL"]
        values: list[Any] = []
        if labelled:
            index = "photos_labelled"
            where.append("p.labelled = 1")
        if starred:
            index = "photos_starred"
            where.append("p.starred = 1")
        if camera is not None:
            where.append(f"p.camera = {CAMERA}")
            values.append(camera)
        where.append("p.taken_ms >= ? AND p.taken_ms < ?")
        values += bounds(since_ms, until_ms, after, newest_first=newest_first)
        if after is not None:
            where.append(f"(p.taken_ms, p.id) {'<' if newest_first else '>'} (?, ?)")
            values.extend(after)
        order = "DESC" if newest_first else "ASC"
        rows = self.all(
            f"SELECT {COLUMNS} FROM photos AS p INDEXED BY {index} "
            f"WHERE {' AND '.join(where)} ORDER BY p.taken_ms {order}, p.id {order} LIMIT ?",
            (*values, limit),
        )
        return [entry_of(row) for row in rows]

    def candidates(
        self, camera: CameraId | None, after: Cursor | None = None, limit: int = 1000
    ) -> list[Candidate]:
        """The oldest photos of *camera*, or of all, that come after *after*; oldest first."""
        taken, id = after if after is not None else (EVER[0], 0)
        index, only = ("photos_by_time", "") if camera is None else (
            "photos_by_camera", f"AND camera = {CAMERA}",
        )  # fmt: skip
        rows = self.all(
            "SELECT id, camera, taken_ms, received_ms, size, starred OR labelled "
            f"FROM photos INDEXED BY {index} WHERE deleted_ms IS NULL {only} "
            "AND (taken_ms, id) > (?, ?) ORDER BY taken_ms, id LIMIT ?",
            (taken, id, limit) if camera is None else (camera, taken, id, limit),
        )
        return [Candidate._make(row) for row in rows]

    def totals(self) -> dict[CameraId, Totals]:
        """How much there is of each camera; kept as photos come and go, so quickly told."""
        rows = self.all("SELECT name, photos, bytes FROM cameras ORDER BY name")
        return {name: Totals(photos, size) for name, photos, size in rows}

    def days(self, camera: CameraId | None = None) -> dict[str, Totals]:
        """``YYYY-MM-DD`` and how much there is of it, oldest first; only days with photos.

        A photo's day is that of its folder; in the flat layout, the day in UTC.
        """
        rows = self.all(
            "SELECT day, sum(photos), sum(bytes) FROM folders WHERE photos > 0 "
            + ("" if camera is None else f"AND camera = {CAMERA} ")
            + "GROUP BY day ORDER BY day",
            () if camera is None else (camera,),
        )
        return {day: Totals(photos, size) for day, photos, size in rows}

    def folders(self) -> list[str]:
        """The paths of all folders with photos; ``""`` is the root of a flat store."""
        rows = self.all("SELECT DISTINCT path FROM folders WHERE photos > 0 ORDER BY path")
        return [path for (path,) in rows]

    def names_in(self, folder: str) -> dict[str, int]:
        """The names of the photos in *folder*, without its path, each with its `Entry.id`."""
        return dict(self.all(_IN_FOLDER, (folder,)))

    def load_camera_states(self) -> list[CameraState]:
        """All cameras of which a photo or a state was ever entered."""
        rows = self.all(
            "SELECT name, first_seen_ms, last_seen_ms, state FROM cameras ORDER BY name"
        )
        return [
            CameraState(name, first, last, json.loads(state)) for name, first, last, state in rows
        ]

    def recall(self, key: str) -> str | None:
        """What `Catalog.remember` was told last, or None."""
        row = self.one("SELECT value FROM meta WHERE key = ?", (key,))
        return row[0] if row else None

    @property
    def rebuild_owed(self) -> bool:
        """Whether the catalog is new, and no rebuild from the files was finished since."""
        return self.recall("rebuild") == "owed"

    def quick_check(self) -> list[str]:
        """What is wrong with the database itself, in SQLite's words; empty where nothing is.

        Reads the whole file: about a second for a million photos.
        """
        try:
            rows = self.all("PRAGMA quick_check(10)")
        except CatalogDamagedError as error:
            return [str(error)]
        return [text for (text,) in rows if text != "ok"]
