"""What is in the store, found fast: a copy, in SQLite, of what the files say.

Knows nothing of files but their paths. Two kinds of object, each one connection, each used by
one thread at a time:

- `Catalog` writes, and reads what it wrote. It belongs to the thread that enters photos. A
  second one, say retention's, may be open beside it: their transactions wait for each other.
- `CatalogReader` only reads, what was committed when its call began. It belongs to the thread
  that answers people; it waits for no writer and no writer for it.

Times are unix milliseconds. Every method may raise `CatalogError`, and `CatalogDamagedError` where
the file turns out to be broken.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Self

from camd.photo import Boot, CameraId, Door, FrameKey, Receipt, Trigger
from camd.store.entry import CameraState, Candidate, Cursor, Entry, Totals, milliseconds
from camd.store.schema import (
    CatalogDamagedError,
    CatalogError,
    connect,
    set_aside,
    told,
    transaction,
)

__all__ = [
    "CameraState",
    "Candidate",
    "Catalog",
    "CatalogDamagedError",
    "CatalogError",
    "CatalogReader",
    "Cursor",
    "Entry",
    "Totals",
]

COLUMNS = """p.id, (SELECT name FROM cameras WHERE id = p.camera), p.boot, p.seq, p.taken_ms,
    p.received_ms, p.size, p.crc, p.width, p.height,
    (SELECT path FROM folders WHERE id = p.folder), p.name, p.door, p."trigger", p.starred,
    p.labelled, p.note, p.deleted_ms"""
CAMERA = "(SELECT id FROM cameras WHERE name = ?)"
ANY_OF = "(SELECT value FROM json_each(?))"
"""Behind IN: one of the values of `any_of`, however many there are."""
_BY_KEY = f"camera = {CAMERA} AND boot = ? AND seq = ?"
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ROWS = 32
"""Photos that are entered by one statement: between two, threads queue for the interpreter."""
_RESTORE = f"""UPDATE photos SET size = ?, crc = ?, width = ?, height = ?, folder = ?, name = ?,
    deleted_ms = NULL WHERE {_BY_KEY}"""

# A day's photos lie, by their times, between the first place on earth that has this day and
# the last that has it, a session from noon to noon included: so the index by time finds them,
# and no other index need be kept for it.
_IN_FOLDER = """SELECT p.name, p.id FROM folders AS f
    CROSS JOIN photos AS p INDEXED BY photos_by_camera
    WHERE f.path = ? AND p.camera = f.camera AND p.folder = f.id AND p.deleted_ms IS NULL
    AND p.taken_ms >= (CAST(strftime('%s', f.day) AS INTEGER) - 15 * 3600) * 1000
    AND p.taken_ms < (CAST(strftime('%s', f.day) AS INTEGER) + 51 * 3600) * 1000"""

# The highest seq of a boot is what a board is told when it comes back: that row stays.
_FORGET = """DELETE FROM photos WHERE id IN (
    SELECT p.id FROM photos AS p INDEXED BY photos_deleted
    WHERE p.deleted_ms < ? AND p.received_ms < ? AND p.deleted_ms IS NOT NULL
    AND (p.door != 'v2' OR EXISTS (
        SELECT 1 FROM photos AS n WHERE n.camera = p.camera AND n.boot = p.boot AND n.seq > p.seq
    )) LIMIT ?)"""


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


@cache
def _insert(rows: int) -> str:
    return f"""INSERT INTO photos (camera, boot, seq, taken_ms, received_ms, size, crc, width,
        height, folder, name, door, "trigger") VALUES {", ".join([_ROW] * rows)}
        ON CONFLICT DO NOTHING"""


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
            f"SELECT {COLUMNS} FROM photos AS p WHERE p.{_BY_KEY}",
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
        if since_ms is not None:
            where.append("p.taken_ms >= ?")
            values.append(since_ms)
        if until_ms is not None:
            where.append("p.taken_ms < ?")
            values.append(until_ms)
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
        taken, id = after if after is not None else (-(2**62), 0)
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


class Catalog(CatalogReader):
    """The catalog, to be written to.

    What a method wrote is found by every connection when the method returns, and survives a
    crash of the program; a power cut may take all that came after the last `checkpoint`, though
    never half of a call, and not what people said, by `star` and `note`, nor what came before.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(path, connection)
        self._cameras: dict[str, int] = {}
        self._folders: dict[tuple[str, int, int], int] = {}

    @classmethod
    def open(
        cls, path: Path, said: Callable[[str], None] | None = None, check: bool = False
    ) -> Self:
        """The catalog at *path*; a new one where there is none.

        A damaged one is renamed to ``<name>.damaged-<n>``, and a new one takes its place, with
        `rebuild_owed`. That may be done only while nobody else has it open.

        :param said: is told so in a sentence; without it, damage is raised.
        :param check: read all of it first, to find damage wherever it may be.
        :raises CatalogError: a newer camd wrote it, it is not camd's, it cannot be opened.
        """
        try:
            catalog = cls(path, connect(path))
            problems = catalog.quick_check() if check else []
            if problems:
                catalog.close()
                raise CatalogDamagedError(f"{path} is damaged: {problems[0]}")
        except CatalogDamagedError as error:
            if said is None:
                raise
            aside = set_aside(path)
            said(f"{error}; it is set aside as {aside.name}, and rebuilt from the photos")
            return cls(path, connect(path))
        return catalog

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it, or, where anything is raised, nothing."""
        try:
            with told(self.path), transaction(self._connection) as connection:
                yield connection
        except BaseException:
            # Numbers given out in here may be given to others now.
            self._cameras.clear()
            self._folders.clear()
            raise

    def keep_backlog(self, wanted: bool = True) -> None:
        """Every photo that is entered from now on, by this connection, waits to be looked at; or
        none does."""
        with told(self.path):
            self._connection.execute("DROP TRIGGER IF EXISTS temp.photo_waits")
            if not wanted:
                return
            self._connection.execute(
                """CREATE TEMP TRIGGER IF NOT EXISTS photo_waits AFTER INSERT ON main.photos
                BEGIN INSERT OR IGNORE INTO backlog (photo) VALUES (NEW.id); END"""
            )

    def add_many(self, receipts: Iterable[Receipt]) -> int:
        """All these photos are in the catalog, in one transaction.

        A (camera, boot, seq) that is there already stays as it is, deleted or not.

        :returns: how many were new.
        """
        with self.transaction() as connection:
            rows = [self._row(receipt) for receipt in receipts if not receipt.again]
            return sum(
                connection.execute(_insert(len(some)), [*chain.from_iterable(some)]).rowcount
                for some in (rows[at : at + _ROWS] for at in range(0, len(rows), _ROWS))
            )

    def restore(self, receipts: Iterable[Receipt]) -> int:
        """Photos that the catalog has as deleted, or elsewhere, are where these say.

        Their files are the truth, so size, crc and pixels are taken from these as well; times,
        stars, labels and notes stay.

        :returns: how many the catalog knew.
        """
        with self.transaction() as connection:
            rows = [
                (
                    *self._row(receipt)[5:11],
                    receipt.camera,
                    bytes.fromhex(receipt.boot),
                    receipt.seq,
                )
                for receipt in receipts
            ]
            return connection.executemany(_RESTORE, rows).rowcount if rows else 0

    def _row(self, receipt: Receipt) -> tuple[Any, ...]:
        taken, received = milliseconds(receipt.when), milliseconds(receipt.received)
        path, _, name = receipt.path.rpartition("/")
        camera = self._camera(receipt.camera, received)
        trigger = receipt.trigger
        return (
            camera, bytes.fromhex(receipt.boot), receipt.seq, taken, received, receipt.size,
            receipt.crc, receipt.width, receipt.height,
            self._folder(camera, path, taken), name, receipt.door.value,
            None if trigger is None else trigger.value,
        )  # fmt: skip

    def _camera(self, name: str, seen_ms: int) -> int:
        number = self._cameras.get(name)
        if number is None:
            self._connection.execute(
                "INSERT INTO cameras (name, first_seen_ms, last_seen_ms) VALUES (?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (name, seen_ms, seen_ms),
            )
            number = self._cameras[name] = self.one(f"SELECT {CAMERA}", (name,))[0]
        return number

    def _folder(self, camera: int, path: str, taken_ms: int) -> int:
        # The name of a folder says its day, but for that of a flat store, where all days are.
        key = (path, camera, 0 if "/" in path else taken_ms // 86_400_000)
        number = self._folders.get(key)
        if number is None:
            if len(self._folders) > 10_000:
                self._folders.clear()
            day = path.rpartition("/")[2]
            if "/" not in path:
                day = datetime.fromtimestamp(taken_ms // 1000, UTC).strftime("%Y-%m-%d")
            where = (camera, day, path)
            self._connection.execute(
                "INSERT INTO folders (camera, day, path) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                where,
            )
            number = self._folders[key] = self.one(
                "SELECT id FROM folders WHERE camera = ? AND day = ? AND path = ?", where
            )[0]
        return number

    def _many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        with self.transaction() as connection:
            return max(0, connection.executemany(sql, rows).rowcount)

    def mark_deleted(self, ids: Iterable[int], when_ms: int) -> int:
        """The files of these photos are gone since *when_ms*.

        :returns: how many were not deleted already.
        """
        return self._many(
            "UPDATE photos SET deleted_ms = ? WHERE id = ? AND deleted_ms IS NULL",
            ((when_ms, id) for id in ids),
        )

    def forget(self, before_ms: int, limit: int = 5000) -> int:
        """Photos that came, and were deleted, before *before_ms* are remembered no longer.

        The highest seq of each start of a v2 board is remembered for ever: `last` never falls.

        :returns: how many were forgotten; *limit* where there may be more.
        """
        with self.transaction() as connection:
            return connection.execute(_FORGET, (before_ms, before_ms, limit)).rowcount

    def star(self, ids: Iterable[int], starred: bool = True) -> int:
        """These photos are starred, or no longer; retention leaves what is starred alone."""
        with self._safely():
            return self._many(
                "UPDATE photos SET starred = ? WHERE id = ?", ((int(starred), id) for id in ids)
            )

    def label(self, ids: Iterable[int], labelled: bool = True) -> int:
        """These photos have labels, or no longer; retention leaves what is labelled alone."""
        return self._many(
            "UPDATE photos SET labelled = ? WHERE id = ?", ((int(labelled), id) for id in ids)
        )

    def note(self, id: int, text: str) -> bool:
        """The photo has this note, ``""`` for none. :returns: whether there is such a photo."""
        with self._safely():
            return self._many("UPDATE photos SET note = ? WHERE id = ?", [(text, id)]) > 0

    def save_camera_states(self, states: Iterable[CameraState]) -> None:
        """What `load_camera_states` will say of these cameras; the others stay.

        A camera's first sight is never moved to a later time.

        :raises ValueError: a state holds what JSON cannot.
        """
        rows = [
            (s.camera, s.first_seen_ms, s.last_seen_ms, json.dumps(dict(s.state), allow_nan=False))
            for s in states
        ]
        self._many(
            "INSERT INTO cameras (name, first_seen_ms, last_seen_ms, state) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET last_seen_ms = excluded.last_seen_ms, "
            "first_seen_ms = min(first_seen_ms, excluded.first_seen_ms), state = excluded.state",
            rows,
        )

    def remember(self, key: str, value: str) -> None:
        """*value* is what `recall` says of *key*."""
        self._many("INSERT OR REPLACE INTO meta VALUES (?, ?)", [(key, value)])

    def rebuilt(self) -> None:
        """The catalog holds all that the files say: no rebuild is owed."""
        self.remember("rebuild", "done")

    def checkpoint(self) -> bool:
        """What was written before survives a power cut from now on.

        :returns: False where a reader was in the way for ten seconds: then try again later.
        """
        with self._safely():
            busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return bool(busy == 0)

    @contextmanager
    def _safely(self) -> Iterator[None]:
        """What is committed in here survives a power cut."""
        with told(self.path):
            self._connection.execute("PRAGMA synchronous = FULL")
            try:
                yield
            finally:
                self._connection.execute("PRAGMA synchronous = NORMAL")
