"""What waits to be delivered, in a file: it outlives the process.

Knows neither targets nor networks: a delivery is bytes for somebody, by name. Belongs to one
thread at a time. Times are unix milliseconds. Every method may raise `CatalogError`, as whatever
keeps its tables in SQLite here.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.logger import Logger

from camd.config.telling import PublishConfig
from camd.store.schema import CatalogDamagedError, connect, set_aside, told, transaction

log = Logger()

MIGRATIONS = (
    (
        """CREATE TABLE deliveries (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE,
            target TEXT NOT NULL,
            kind TEXT NOT NULL,
            urgent INTEGER NOT NULL,
            made_ms INTEGER NOT NULL,
            due_ms INTEGER NOT NULL,
            tries INTEGER NOT NULL DEFAULT 0,
            dead_ms INTEGER,
            why TEXT NOT NULL DEFAULT '',
            size INTEGER NOT NULL,
            body TEXT NOT NULL
        )""",
        "CREATE INDEX deliveries_waiting ON deliveries (target, id) WHERE dead_ms IS NULL",
        "CREATE INDEX deliveries_light ON deliveries (urgent, id) WHERE dead_ms IS NULL",
        "CREATE INDEX deliveries_old ON deliveries (made_ms) WHERE dead_ms IS NULL",
        "CREATE INDEX deliveries_dead ON deliveries (dead_ms) WHERE dead_ms IS NOT NULL",
        "CREATE TABLE memory (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    ),
)

_COLUMNS = "id, name, target, kind, urgent, made_ms, due_ms, tries, dead_ms, why, body"
_SPARE = 0.9
"""What is left of the bound when things had to be dropped: dropping one by one would be slow."""


@frozen
class Draft:
    """A delivery that is to wait.

    :ivar name: never another's; the receiver knows a repetition by it.
    :ivar urgent: it is dropped last.
    """

    name: str
    target: str
    kind: str
    urgent: bool
    made_ms: int
    body: str


@frozen
class Delivery:
    """One that waits, or waited in vain.

    :ivar tries: how often it was tried. *why*: what went wrong the last time.
    :ivar dead_ms: when it was given up, or None.
    """

    id: int
    name: str
    target: str
    kind: str
    urgent: bool
    made_ms: int
    due_ms: int
    tries: int
    dead_ms: int | None
    why: str
    body: str


@frozen
class Outcome:
    """What became of a delivery.

    :ivar why: what went wrong; None: it was delivered.
    :ivar due_ms: when it is to be tried again; None: never.
    """

    id: int
    why: str | None = None
    due_ms: int | None = None


class Outbox:
    """:ivar dropped: deliveries that had to go undelivered, as there were too many."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dropped = 0
        self._connection: sqlite3.Connection | None = None
        self._rows = 0
        self._bytes = 0

    @property
    def exists(self) -> bool:
        return self._connection is not None or self.path.exists()

    def open(self) -> sqlite3.Connection:
        """Open, a new one where there is none; a damaged one is set aside."""
        if self._connection is None:
            try:
                self._connection = self._opened()
            except CatalogDamagedError as error:
                self._aside(error)
                self._connection = self._opened()
        return self._connection

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _opened(self) -> sqlite3.Connection:
        connection = connect(self.path, MIGRATIONS)
        try:
            with told(self.path):
                self._count(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _count(self, connection: sqlite3.Connection) -> None:
        self._rows, self._bytes = connection.execute(
            "SELECT count(*), coalesce(sum(size), 0) FROM deliveries WHERE dead_ms IS NULL"
        ).fetchone()

    def _aside(self, error: CatalogDamagedError) -> None:
        self.close()
        try:
            aside = set_aside(self.path)
        except OSError as failed:
            raise CatalogDamagedError(f"{error}; it cannot be set aside: {failed}") from None
        log.error("{why}; it is set aside as {aside}, and what waited in it is not told",
                  why=str(error), aside=aside.name)  # fmt: skip

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it, or nothing; a file that proves damaged makes place for a new one."""
        connection = self.open()
        try:
            with told(self.path):
                try:
                    with transaction(connection):
                        yield connection
                except BaseException:
                    self._count(connection)
                    raise
        except CatalogDamagedError as error:
            self._aside(error)
            raise

    def _all(self, sql: str, values: Iterable[Any] = ()) -> list[Any]:
        with told(self.path):
            return self.open().execute(sql, tuple(values)).fetchall()

    # ---- what waits

    def put(self, drafts: Iterable[Draft], bounds: PublishConfig, memory: Mapping[str, Any]) -> int:
        """They wait from now on, and what is in *memory* is remembered with them, or nothing is.

        :returns: how many were dropped for want of room, the oldest first and alerts last.
        """
        with self._transaction() as connection:
            for draft in drafts:
                size = len(draft.body.encode("utf-8"))
                added = connection.execute(
                    "INSERT INTO deliveries (name, target, kind, urgent, made_ms, due_ms, size, "
                    "body) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (
                        draft.name, draft.target, draft.kind, draft.urgent, draft.made_ms,
                        draft.made_ms, size, draft.body,
                    ),
                ).rowcount  # fmt: skip
                self._rows += added
                self._bytes += added * size
            connection.executemany(
                "INSERT OR REPLACE INTO memory VALUES (?, ?)",
                [(key, json.dumps(value)) for key, value in memory.items()],
            )
            dropped = self._shrink(connection, bounds)
        self.dropped += dropped
        return dropped

    def _shrink(self, connection: sqlite3.Connection, bounds: PublishConfig) -> int:
        """Where there is too much, the oldest goes until a tenth of the room is free."""
        if self._rows <= bounds.items and self._bytes <= bounds.bytes:
            return 0
        gone = []
        rows, size = self._rows, self._bytes
        for id, its in connection.execute(
            "SELECT id, size FROM deliveries WHERE dead_ms IS NULL ORDER BY urgent, id"
        ):
            if rows <= bounds.items * _SPARE and size <= bounds.bytes * _SPARE:
                break
            gone.append((id,))
            rows, size = rows - 1, size - its
        connection.executemany("DELETE FROM deliveries WHERE id = ?", gone)
        self._rows, self._bytes = rows, size
        return len(gone)

    def turn(
        self, target: str, outcome: Outcome | None, now_ms: int, bounds: PublishConfig
    ) -> tuple[Delivery | None, int | None]:
        """What became of one is noted; then the next for *target* that is due, or None and when
        one will be due, if any."""
        with self._transaction() as connection:
            if outcome is not None:
                self._settle(connection, outcome, now_ms, bounds)
            old = now_ms - round(bounds.give_up * 1000)
            given_up = connection.execute(
                "UPDATE deliveries INDEXED BY deliveries_old SET dead_ms = ?, "
                "why = CASE why WHEN '' THEN 'it waited too long' ELSE why END "
                "WHERE dead_ms IS NULL AND target = ? AND made_ms < ? RETURNING size",
                (now_ms, target, old),
            ).fetchall()
            self._died(connection, given_up, bounds)
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM deliveries WHERE dead_ms IS NULL AND target = ? "
                "AND due_ms <= ? ORDER BY id LIMIT 1",
                (target, now_ms),
            ).fetchone()
            if row is not None:
                return _delivery(row), None
            (due,) = connection.execute(
                "SELECT min(due_ms) FROM deliveries WHERE dead_ms IS NULL AND target = ?",
                (target,),
            ).fetchone()
            return None, due

    def _settle(
        self, connection: sqlite3.Connection, outcome: Outcome, now_ms: int, bounds: PublishConfig
    ) -> None:
        if outcome.why is None:
            gone = connection.execute(
                "DELETE FROM deliveries WHERE id = ? AND dead_ms IS NULL RETURNING size",
                (outcome.id,),
            ).fetchall()
            self._forget(gone)
        elif outcome.due_ms is None:
            gone = connection.execute(
                "UPDATE deliveries SET tries = tries + 1, dead_ms = ?, why = ? WHERE id = ? "
                "AND dead_ms IS NULL RETURNING size",
                (now_ms, outcome.why, outcome.id),
            ).fetchall()
            self._died(connection, gone, bounds)
        else:
            connection.execute(
                "UPDATE deliveries SET tries = tries + 1, due_ms = ?, why = ? WHERE id = ?",
                (outcome.due_ms, outcome.why, outcome.id),
            )

    def _forget(self, gone: Collection[tuple[int]]) -> None:
        self._rows -= len(gone)
        self._bytes -= sum(size for (size,) in gone)

    def _died(
        self, connection: sqlite3.Connection, gone: Collection[tuple[int]], bounds: PublishConfig
    ) -> None:
        if not gone:
            return
        self._forget(gone)
        connection.execute(
            "DELETE FROM deliveries WHERE dead_ms IS NOT NULL AND id NOT IN (SELECT id FROM "
            "deliveries WHERE dead_ms IS NOT NULL ORDER BY dead_ms DESC, id DESC LIMIT ?)",
            (bounds.dead,),
        )

    def bury(self, targets: Collection[str], why: str, now_ms: int, bounds: PublishConfig) -> int:
        """What waits for these is given up. How many that were."""
        with self._transaction() as connection:
            marks = ", ".join("?" * len(targets))
            gone = connection.execute(
                "UPDATE deliveries SET dead_ms = ?, why = ? WHERE dead_ms IS NULL "
                f"AND target IN ({marks}) RETURNING size",
                (now_ms, why, *targets),
            ).fetchall()
            self._died(connection, gone, bounds)
            return len(gone)

    # ---- what people see and do

    def waiting(self) -> dict[str, int]:
        """How many wait, by target."""
        return dict(
            self._all(
                "SELECT target, count(*) FROM deliveries WHERE dead_ms IS NULL GROUP BY target"
            )
        )

    def dead(self, most: int) -> list[Delivery]:
        """Those that were given up, the newest first."""
        rows = self._all(
            f"SELECT {_COLUMNS} FROM deliveries WHERE dead_ms IS NOT NULL "
            "ORDER BY dead_ms DESC, id DESC LIMIT ?", (most,),
        )  # fmt: skip
        return [_delivery(row) for row in rows]

    def retry(self, id: int, now_ms: int) -> str | None:
        """One that was given up waits again, as new. Its target, or None where there is none."""
        with self._transaction() as connection:
            rows = connection.execute(
                "UPDATE deliveries SET dead_ms = NULL, tries = 0, made_ms = ?, due_ms = ? "
                "WHERE id = ? AND dead_ms IS NOT NULL RETURNING target, size",
                (now_ms, now_ms, id),
            ).fetchall()
            for _, size in rows:
                self._rows += 1
                self._bytes += size
            return rows[0][0] if rows else None

    def discard(self, id: int) -> bool:
        """One that was given up is forgotten. Whether there was one."""
        with self._transaction() as connection:
            return bool(
                connection.execute(
                    "DELETE FROM deliveries WHERE id = ? AND dead_ms IS NOT NULL", (id,)
                ).rowcount
            )

    # ---- what is remembered besides

    def recall(self) -> dict[str, Any]:
        """All that is remembered."""
        return {key: json.loads(text) for key, text in self._all("SELECT key, value FROM memory")}


def _delivery(row: Any) -> Delivery:
    id, name, target, kind, urgent, *rest = row
    return Delivery(id, name, target, kind, bool(urgent), *rest)
