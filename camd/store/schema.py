"""The catalog's tables, and how a file that holds them is opened, brought up to date or set aside.

Knows nothing of photos beyond the columns they fill.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

BUSY_TIMEOUT = 10.0
"""Seconds for which one connection waits while another one writes."""

_APPLICATION = 0x63616D64  # "camd"; tells our file from any other SQLite database.

# A batch touches a page of the unique index for every camera in it, and each page goes to the
# log whole: pages of 2 KiB take a quarter less time than those of 4 KiB with 50 cameras, and
# fewer of them than SQLite's 1000 pages between checkpoints would mean an fsync every 2 MB.
_PAGE_SIZE = 2048
_LOG_PAGES = 4000

_TOTALS = "SET photos = photos {sign} 1, bytes = bytes {sign} {row}.size WHERE id = {row}."


def _count(sign: str, row: str) -> str:
    totals = _TOTALS.format(sign=sign, row=row)
    alive = f"AND {row}.deleted_ms IS NULL;"
    return f"UPDATE folders {totals}folder {alive} UPDATE cameras {totals}camera {alive}"


_PLACE = """photo INTEGER NOT NULL, class INTEGER NOT NULL REFERENCES classes (id),
    x REAL NOT NULL, y REAL NOT NULL, width REAL NOT NULL, height REAL NOT NULL"""

Migration = Sequence[str]

MIGRATIONS: Sequence[Migration] = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE cameras (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            first_seen_ms INTEGER NOT NULL,
            last_seen_ms INTEGER NOT NULL,
            state TEXT NOT NULL DEFAULT '{}',
            photos INTEGER NOT NULL DEFAULT 0,
            bytes INTEGER NOT NULL DEFAULT 0
        )""",
        # One for each day of a camera. In the flat layout all have the same path, ''.
        """CREATE TABLE folders (
            id INTEGER PRIMARY KEY,
            camera INTEGER NOT NULL REFERENCES cameras (id),
            day TEXT NOT NULL,
            path TEXT NOT NULL,
            photos INTEGER NOT NULL DEFAULT 0,
            bytes INTEGER NOT NULL DEFAULT 0,
            UNIQUE (camera, day, path)
        )""",
        "CREATE INDEX folders_by_path ON folders (path)",
        """CREATE TABLE photos (
            id INTEGER PRIMARY KEY,
            camera INTEGER NOT NULL REFERENCES cameras (id),
            boot BLOB NOT NULL,
            seq INTEGER NOT NULL,
            taken_ms INTEGER NOT NULL,
            received_ms INTEGER NOT NULL,
            size INTEGER NOT NULL,
            crc INTEGER NOT NULL,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            folder INTEGER NOT NULL REFERENCES folders (id),
            name TEXT NOT NULL,
            door TEXT NOT NULL,
            "trigger" TEXT,
            starred INTEGER NOT NULL DEFAULT 0,
            labelled INTEGER NOT NULL DEFAULT 0,
            note TEXT NOT NULL DEFAULT '',
            deleted_ms INTEGER,
            UNIQUE (camera, boot, seq)
        )""",
        """CREATE INDEX photos_by_camera ON photos (camera, taken_ms, id)
            WHERE deleted_ms IS NULL""",
        "CREATE INDEX photos_by_time ON photos (taken_ms, id) WHERE deleted_ms IS NULL",
        """CREATE INDEX photos_starred ON photos (camera, taken_ms, id)
            WHERE deleted_ms IS NULL AND starred = 1""",
        """CREATE INDEX photos_labelled ON photos (camera, taken_ms, id)
            WHERE deleted_ms IS NULL AND labelled = 1""",
        "CREATE INDEX photos_deleted ON photos (deleted_ms) WHERE deleted_ms IS NOT NULL",
        f"CREATE TRIGGER photo_came AFTER INSERT ON photos BEGIN {_count('+', 'NEW')} END",
        f"""CREATE TRIGGER photo_changed AFTER UPDATE OF deleted_ms, size, folder ON photos
            BEGIN {_count("-", "OLD")} {_count("+", "NEW")} END""",
        f"CREATE TRIGGER photo_went AFTER DELETE ON photos BEGIN {_count('-', 'OLD')} END",
        "INSERT INTO meta VALUES ('rebuild', 'owed')",
    ),
    (
        """CREATE TABLE models (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL UNIQUE
        )""",
        "CREATE TABLE classes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
        # One for each photo that a model or a person looked at. Camera and time are the photo's.
        """CREATE TABLE looks (
            photo INTEGER PRIMARY KEY,
            camera INTEGER NOT NULL,
            taken_ms INTEGER NOT NULL,
            model INTEGER REFERENCES models (id),
            looked_ms INTEGER NOT NULL DEFAULT 0,
            flags INTEGER NOT NULL DEFAULT 0,
            fingerprint BLOB NOT NULL DEFAULT x'',
            done INTEGER NOT NULL DEFAULT 0
        )""",
        "CREATE INDEX looks_by_camera ON looks (camera, taken_ms, photo)",
        "CREATE INDEX looks_flagged ON looks (taken_ms, photo) WHERE flags != 0",
        "CREATE INDEX looks_done ON looks (taken_ms, photo) WHERE done = 1",
        f"CREATE TABLE detections ({_PLACE}, score REAL NOT NULL)",
        "CREATE INDEX detections_by_photo ON detections (photo)",
        f"CREATE TABLE annotations ({_PLACE}, right INTEGER NOT NULL)",
        "CREATE INDEX annotations_by_photo ON annotations (photo)",
        # How many there are of each class on a photo, by all that is known. They outlive it.
        """CREATE TABLE tallies (
            photo INTEGER,
            camera INTEGER NOT NULL REFERENCES cameras (id),
            taken_ms INTEGER NOT NULL,
            class INTEGER NOT NULL REFERENCES classes (id),
            count INTEGER NOT NULL,
            fresh INTEGER NOT NULL
        )""",
        "CREATE INDEX tallies_by_photo ON tallies (photo)",
        "CREATE INDEX tallies_by_class ON tallies (class, taken_ms, photo)",
        "CREATE INDEX tallies_by_camera ON tallies (camera, class, taken_ms, photo)",
        # Photos that wait to be looked at; those with a reason wait no longer.
        """CREATE TABLE backlog (
            photo INTEGER PRIMARY KEY,
            tries INTEGER NOT NULL DEFAULT 0,
            why TEXT
        )""",
        """CREATE TRIGGER photo_unseen AFTER UPDATE OF deleted_ms ON photos
            WHEN NEW.deleted_ms IS NOT NULL
            BEGIN DELETE FROM backlog WHERE photo = NEW.id; END""",
        """CREATE TRIGGER photo_forgotten AFTER DELETE ON photos BEGIN
            DELETE FROM backlog WHERE photo = OLD.id;
            DELETE FROM looks WHERE photo = OLD.id;
            DELETE FROM detections WHERE photo = OLD.id;
            DELETE FROM annotations WHERE photo = OLD.id;
            UPDATE tallies SET photo = NULL WHERE photo = OLD.id;
        END""",
    ),
)
"""What brings a catalog of version *n* to version *n* + 1, oldest first; never edited once
released, only added to."""


class CatalogError(Exception):
    """The catalog cannot be used as it is; the message is a sentence for the operator."""


class CatalogDamagedError(CatalogError):
    """The file is no database, or a broken one: to be set aside, and rebuilt from the photos."""


@contextmanager
def told(path: Path) -> Iterator[None]:
    """SQLite's errors, in our words.

    :raises CatalogDamagedError: where the file itself is at fault.
    :raises CatalogError: for everything else that SQLite reports.
    """
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the kind of error, the rest its circumstances.
        kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise CatalogDamagedError(f"{path} is damaged: {error}") from error
        if kind == sqlite3.SQLITE_IOERR and _is_full(path):
            raise CatalogError(f"{path}: the disk is full") from error
        raise CatalogError(f"{path}: {error}") from error


def _is_full(path: Path) -> bool:
    """Whether there is no room left: SQLite takes that for a broken disk where it makes a file."""
    try:
        return os.statvfs(path.parent).f_bavail == 0
    except OSError:
        return False


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All of it, or, where anything is raised, nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def connect(path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> sqlite3.Connection:
    """A connection to the catalog at *path*, which is made, or brought up to date, as needed.

    A transaction is in the file once it is committed, but on stable storage only after the
    next checkpoint.

    :raises CatalogDamagedError: the file is no database or a broken one.
    :raises CatalogError: a newer camd wrote it, another program did, or it cannot be opened.
    """
    _create(path)
    with told(path):
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            _upgrade(connection, path, migrations)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            connection.execute("PRAGMA cache_size = -16384")
            connection.execute("PRAGMA temp_store = MEMORY")
        except BaseException:
            connection.close()
            raise
    return connection


def check_version(path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """A catalog at *path*, be it in use, could be opened; nothing is changed. None is fine.

    :raises CatalogError: as `connect`.
    """
    if not path.exists():
        return
    with told(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            _version(connection, path, len(migrations))
        finally:
            connection.close()


def _create(path: Path) -> None:
    """The file exists, 0640 under any umask; SQLite gives its log the same mode."""
    try:
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o640)
    except FileExistsError:
        return
    except OSError as error:
        raise CatalogError(f"{path}: {error.strerror}") from error
    try:
        os.fchmod(fd, 0o640)
    finally:
        os.close(fd)


def _upgrade(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    connection.execute(f"PRAGMA page_size = {_PAGE_SIZE}")
    # Before anything is written: another program's database is left as it is.
    version = _version(connection, path, len(migrations))
    connection.execute("PRAGMA journal_mode = WAL")
    if version == len(migrations):
        return
    with transaction(connection):
        # Asked again, now that nobody else can be half-way through the same.
        version = _version(connection, path, len(migrations))
        for migration in migrations[version:]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")


def _version(connection: sqlite3.Connection, path: Path, known: int) -> int:
    tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if tables and application != _APPLICATION:
        raise CatalogError(f"{path} is a database of some other program, not camd's catalog")
    if version > known:
        raise CatalogError(
            f"{path} was written by a newer camd: its version is {version}, "
            f"this one knows none above {known}"
        )
    return version


def set_aside(path: Path) -> Path:
    """A damaged catalog is kept, beside its place, for whoever wants to look at it.

    Its log goes with it. No connection to it may be open.

    :returns: its new name, ``catalog.sqlite.damaged-1`` or the first number above that is free.
    :raises OSError: it could not be renamed.
    """
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    # The log first: left behind alone it would be taken for the next catalog's own.
    for suffix in ("-wal", "-shm", ""):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(aside.with_name(aside.name + suffix))
    return aside
