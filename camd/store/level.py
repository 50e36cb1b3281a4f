"""After a stop that was none, the catalog is brought level from the files.

The catalog reaches the disk later than the photos do. `DirtyList` knows, over any crash and
power cut, in which folders there may be photos that the catalog on the disk does not have;
`level` looks through these, `rebuild` through all.
"""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from attrs import define, field

from camd.photo import FrameKey, Receipt
from camd.store.catalog import Catalog
from camd.store.files import NO_ROOM, fsync_directory, write_all
from camd.store.folders import (
    Broken,
    FlatLine,
    Measure,
    NotOurs,
    find_folders,
    is_folder_path,
    is_leftover,
    may_exist,
    names_on_disk,
    open_folder,
    read_flat_log,
    recover,
)

BATCH = 500
"""Photos that are entered in one transaction."""

Progress = Callable[[str, int], None]
"""Called with a folder's path and the number of files looked at so far, in all: when the folder
is done, and each time that number reaches another 100."""


class DirtyList:
    """The folders that got photos since the catalog last reached the disk, one a line.

    Any thread may call any method. A folder is on stable storage when `add` returns, so `add`
    goes before the folder's first photo. To shorten the list: `turn`; wait until every photo
    whose `add` came before is in the catalog; `Catalog.checkpoint`; `clear`. Where one thread
    does all of it between two batches there is nothing to wait for.

    :ivar owed: folders that stay listed until the next start, whatever is cleared. A camera
        among them, whose folders are not known, makes the list one that is not whole.
    :ivar whole: False where there was no file, or lines in it made no sense, so that folders
        may be missing: the whole store is to be looked through. It stays so until `clear`.
    """

    def __init__(self, path: Path) -> None:
        """:raises OSError: *path* cannot be read, or not be written though there is room."""
        self._path = path
        self._lock = threading.Lock()
        self._before: set[str] = set()
        self._since: set[str] = set()
        self._broken = False
        self._closed = False
        self._fd = -1
        self.owed: frozenset[str] = frozenset()
        self.whole = True
        self._read()
        # Written anew rather than appended to: what a power cut left of its end is gone.
        try:
            self._rewrite(self._before)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            # What is listed stands on the disk still, and `add` tries again.

    def _read(self) -> None:
        try:
            text = self._path.read_bytes().decode("ascii", "replace")
        except FileNotFoundError:
            self.whole = False
            return
        # A line without its end was never synced, so no photo went there.
        for line in text.split("\n")[:-1]:
            path = "" if line == "." else line
            if line and is_folder_path(path):
                self._before.add(path)
            else:
                self.whole = False

    @property
    def folders(self) -> frozenset[str]:
        """All that are listed, from before this start too; ``""`` is the root."""
        with self._lock:
            return frozenset(self._before | self._since)

    def add(self, folder: str) -> None:
        """*folder* is listed, durably. Returns at once where it was added since `turn`.

        :param folder: ``<camera>/<day>``, or ``""`` for the root of a flat store.
        :raises OSError: it could not be written: then no photo may go there.
        :raises ValueError: *folder* is no such path.
        """
        # Read without the lock: a set is never seen half-changed, and nothing is taken out of
        # it between two turns.
        if folder in self._since:
            return
        if not is_folder_path(folder):
            raise ValueError(f"{folder!r} is no folder of a store")
        with self._lock:
            if folder in self._since:
                return
            if self._broken:
                self._rewrite(self._before | self._since | {folder})
            else:
                try:
                    write_all(self._fd, [_lines([folder])])
                    os.fdatasync(self._fd)
                except OSError:
                    # After a failed sync nobody can say what of this file is on the disk.
                    self._broken = True
                    raise
            self._since.add(folder)

    def turn(self) -> None:
        """From now on every folder is listed anew when a photo goes there."""
        with self._lock:
            self._before |= self._since
            self._since = set()

    def clear(self) -> None:
        """Only what was added since the last `turn`, or is owed, is listed; nothing is lost by a
        failure.

        :raises OSError: the shorter list could not be written; the longer one holds on.
        """
        with self._lock:
            whole, self.whole = self.whole, True
            try:
                self._rewrite(self._since | self.owed)
            except BaseException:
                self.whole = whole
                raise
            self._before = set(self.owed)

    def close(self) -> None:
        """The file is closed, and is another process's: what is listed stays listed, and nothing
        is written any more."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1
            self._broken = self._closed = True

    def _rewrite(self, folders: Iterable[str]) -> None:
        if self._closed:
            raise OSError(errno.EBADF, "the store was closed", str(self._path))
        self._broken = True
        new = self._path.with_name(self._path.name + ".new")
        new.unlink(missing_ok=True)
        fd = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            os.fchmod(fd, 0o640)
            # A line that makes no sense, for whoever reads this before it was cleared.
            write_all(fd, [_lines(sorted(folders)), b"" if self.whole else b"?\n"])
            os.fsync(fd)
            new.rename(self._path)
            fsync_directory(self._path.parent)
        except BaseException:
            os.close(fd)
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        self._broken = False


def _lines(folders: Iterable[str]) -> bytes:
    return "".join(f"{folder or '.'}\n" for folder in folders).encode("ascii")


@define
class LevelReport:
    """What was found, and what became of it.

    :ivar folders: how many were looked through; *files* likewise. None after a clean stop.
    :ivar added: photos that the catalog did not have.
    :ivar restored: photos that it had as deleted, or in another place.
    :ivar gone: photos that it has from now on as deleted, their files being gone.
    :ivar leftovers: photos that were never finished, removed.
    :ivar broken: paths of files of ours that are no whole JPEG; left alone.
    :ivar foreign: files that camd did not make, or that are a second copy; left alone.
    :ivar unreadable: paths that could not be read, and why; left alone.
    :ivar owed: the folders in which those are; a camera, where not even these are known.
    """

    folders: int = 0
    files: int = 0
    added: int = 0
    restored: int = 0
    gone: int = 0
    leftovers: int = 0
    foreign: int = 0
    broken: list[str] = field(factory=list)
    unreadable: list[str] = field(factory=list)
    owed: set[str] = field(factory=set)


def level(
    root: Path,
    catalog: Catalog,
    folders: Iterable[str],
    measure: Measure,
    progress: Progress | None = None,
    *,
    now: Callable[[], float] = time.time,
) -> LevelReport:
    """The catalog has what is in *folders*, and has as deleted what no longer is.

    Nothing may be writing photos meanwhile. Doing it twice does no more than doing it once,
    and stopping half-way no harm.

    :param folders: paths as in `DirtyList.folders`.
    :param measure: tells the pixels of a whole JPEG.
    :param now: unix seconds.
    :raises CatalogError: from the catalog.
    :raises OSError: the store's root, or ``.camd/flat.log``, cannot be read.
    """
    return _Levelling(root, catalog, measure, round(now() * 1000), progress).run(folders)


def rebuild(
    root: Path,
    catalog: Catalog,
    measure: Measure,
    progress: Progress | None = None,
    *,
    now: Callable[[], float] = time.time,
) -> LevelReport:
    """As `level`, for every folder that is on the disk or in the catalog."""
    run = _Levelling(root, catalog, measure, round(now() * 1000), progress)
    found = find_folders(root, lambda camera, error: run.unreadable(camera, camera, error))
    report = run.run(sorted({*found, *catalog.folders()}))
    catalog.rebuilt()
    return report


class _Levelling:
    """One run over some folders."""

    def __init__(
        self,
        root: Path,
        catalog: Catalog,
        measure: Measure,
        now_ms: int,
        progress: Progress | None,
    ) -> None:
        self.root = root
        self.catalog = catalog
        self.measure = measure
        self.now_ms = now_ms
        self.progress = progress
        self.report = LevelReport()
        self.found: dict[FrameKey, Receipt] = {}

    def run(self, folders: Iterable[str]) -> LevelReport:
        os.close(open_folder(self.root, ""))
        for path in folders:
            self.folder(path, {} if path else read_flat_log(self.root))
            if self.progress is not None:
                self.progress(path, self.report.files)
        return self.report

    def folder(self, path: str, numbers: dict[int, FlatLine]) -> None:
        known = self.catalog.names_in(path)
        gone = dict(known)
        self.report.folders += 1
        try:
            folder = open_folder(self.root, path)
        except FileNotFoundError:
            pass
        except OSError as error:
            self.unreadable(path, path, error)
            return
        else:
            try:
                for name, regular in names_on_disk(folder):
                    self.report.files += 1
                    if gone.pop(name, None) is None:
                        self.file(folder, path, name, regular, numbers)
                    if self.progress is not None and self.report.files % 100 == 0:
                        self.progress(path, self.report.files)
            except OSError as error:
                self.unreadable(path, path, error)
                return
            finally:
                self.enter(folder)
                os.close(folder)
        self.report.gone += self.catalog.mark_deleted(gone.values(), self.now_ms)

    def unreadable(self, path: str, where: str, error: OSError) -> None:
        self.report.unreadable.append(f"{where}: {error.strerror}")
        self.report.owed.add(path)

    def file(
        self, folder: int, path: str, name: str, regular: bool, numbers: dict[int, FlatLine]
    ) -> None:
        where = f"{path}/{name}" if path else name
        try:
            if not regular:
                raise NotOurs(name)
            if is_leftover(name):
                os.unlink(name, dir_fd=folder)
                self.report.leftovers += 1
                return
            receipt = recover(folder, path, name, numbers, self.measure)
        except NotOurs:
            self.report.foreign += 1
        except Broken:
            self.report.broken.append(where)
        except OSError as error:
            self.unreadable(path, where, error)
        else:
            if receipt.key in self.found or len(self.found) >= BATCH:
                self.enter(folder)
            self.found[receipt.key] = receipt

    def enter(self, folder: int) -> None:
        """What was found is in the catalog, but for second copies of what it has. What is there is
        acknowledged: so whoever named it and died meant to sync *folder* first."""
        if not self.found:
            return
        try:
            os.fsync(folder)
        except OSError as error:
            for receipt in self.found.values():
                self.unreadable(receipt.path.rpartition("/")[0], receipt.path, error)
            self.found.clear()
            return
        new: list[Receipt] = []
        moved: list[Receipt] = []
        for receipt in self.found.values():
            entry = self.catalog.find(receipt.key)
            if entry is None:
                new.append(receipt)
            elif entry.deleted_ms is not None or not may_exist(self.root, entry.path):
                moved.append(receipt)
            elif entry.path != receipt.path:
                self.report.foreign += 1
        self.found.clear()
        self.report.added += self.catalog.add_many(new)
        self.report.restored += self.catalog.restore(moved)
