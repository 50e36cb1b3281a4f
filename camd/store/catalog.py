"""What is in the store, found fast: a copy, in SQLite, of what the files say.

Knows nothing of files but their paths. Two kinds of object, each one connection, each used by
one thread at a time:

- `Catalog` writes, and reads what it wrote. It belongs to the thread that enters photos. A
  second one, say retention's, may be open beside it: their transactions wait for each other.
- `CatalogReader`, of the module ``catalog_reader``, only reads, what was committed when its call
  began. It belongs to the thread that answers people; it waits for no writer and no writer for it.

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

from camd.photo import Receipt
from camd.store.catalog_reader import BY_KEY, CAMERA, CatalogReader
from camd.store.entry import CameraState, milliseconds
from camd.store.schema import (
    CatalogDamagedError,
    CatalogError,
    connect,
    set_aside,
    told,
    transaction,
)

__all__ = [
    "Catalog",
    "CatalogDamagedError",
    "CatalogError",
    "CatalogReader",
]

_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ROWS = 32
"""Photos that are entered by one statement: between two, threads queue for the interpreter."""
_RESTORE = f"""UPDATE photos SET size = ?, crc = ?, width = ?, height = ?, folder = ?, name = ?,
    deleted_ms = NULL WHERE {BY_KEY}"""

# The highest seq of a boot is what a board is told when it comes back: that row stays.
_FORGET = """DELETE FROM photos WHERE id IN (
    SELECT p.id FROM photos AS p INDEXED BY photos_deleted
    WHERE p.deleted_ms < ? AND p.received_ms < ? AND p.deleted_ms IS NOT NULL
    AND (p.door != 'v2' OR EXISTS (
        SELECT 1 FROM photos AS n WHERE n.camera = p.camera AND n.boot = p.boot AND n.seq > p.seq
    )) LIMIT ?)"""


@cache
def _insert(rows: int) -> str:
    return f"""INSERT INTO photos (camera, boot, seq, taken_ms, received_ms, size, crc, width,
        height, folder, name, door, "trigger") VALUES {", ".join([_ROW] * rows)}
        ON CONFLICT DO NOTHING"""


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
