"""Every photo of the store is held against the catalog, and the catalog against the photos.

For the operator, by `camd check`: reads every byte of the store. Deletes nothing but what camd
never finished writing.
"""

import os
import stat
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from attrs import define, field

from camd.store.catalog import Catalog
from camd.store.entry import Entry
from camd.store.folders import (
    FILE_MODE,
    OWN,
    Broken,
    FlatLine,
    Measure,
    NotOurs,
    find_folders,
    is_leftover,
    may_exist,
    names_on_disk,
    open_folder,
    read_file,
    read_flat_log,
    recover,
)
from camd.store.level import Progress, level


@define
class CheckReport:
    """What is not as it should be, by paths relative to the store's root.

    :ivar folders: how many were looked through; *files* likewise; *good*: photos without fault.
    :ivar missing: photos that the catalog has, and the disk has not.
    :ivar damaged: photos whose bytes are not those that were stored, or are no whole JPEG,
        each with a word on how; fixing moves them to ``.camd/damaged/``.
    :ivar unknown: photos on the disk that the catalog has not, or not there.
    :ivar modes: photos whose files have another mode than 0640.
    :ivar leftovers: photos that were never finished.
    :ivar foreign: files that camd did not make, or second copies; always left alone.
    :ivar unreadable: what could not be read, each with why; always left alone.
    :ivar database: what is wrong with the catalog's own file.
    :ivar fixed: how many of all these were put right.
    """

    folders: int = 0
    files: int = 0
    good: int = 0
    missing: list[str] = field(factory=list)
    damaged: dict[str, str] = field(factory=dict)
    unknown: list[str] = field(factory=list)
    modes: list[str] = field(factory=list)
    leftovers: list[str] = field(factory=list)
    foreign: list[str] = field(factory=list)
    unreadable: dict[str, str] = field(factory=dict)
    database: list[str] = field(factory=list)
    fixed: int = 0

    @property
    def faults(self) -> int:
        """How many things are wrong; foreign files are not."""
        return sum(
            map(
                len,
                (
                    self.missing, self.damaged, self.unknown, self.modes, self.leftovers,
                    self.unreadable, self.database,
                ),
            )
        )  # fmt: skip


def check(
    root: Path,
    catalog: Catalog,
    fix: bool,
    measure: Measure,
    progress: Progress | None = None,
    *,
    now: Callable[[], float] = time.time,
) -> CheckReport:
    """What is wrong with the store *root*, and, with *fix*, is put right.

    To fix, nobody may be writing photos. Without fixing somebody may; what came in meanwhile
    may then be told as unknown. What retention deleted meanwhile is not missing.

    :param measure: tells the pixels of a whole JPEG.
    :param progress: is called as by `level`; `Catalog.totals` tells how many files to expect.
    :param now: unix seconds.
    :raises CatalogError: from the catalog.
    :raises OSError: the store's root, or ``.camd/flat.log``, cannot be read, or a damaged
        photo not be moved.
    """
    return _Check(root, catalog, fix, measure, progress, now).run()


class _Check:
    """One run over the whole store."""

    def __init__(  # noqa: PLR0917
        self,
        root: Path,
        catalog: Catalog,
        fix: bool,
        measure: Measure,
        progress: Progress | None,
        now: Callable[[], float],
    ) -> None:
        self.root = root
        self.catalog = catalog
        self.fix = fix
        self.measure = measure
        self.progress = progress
        self.now = now
        self.report = CheckReport()
        self.numbers: dict[int, FlatLine] = {}
        self.lost: list[tuple[str, int]] = []

    def run(self) -> CheckReport:
        self.report.database = self.catalog.quick_check()
        self.numbers = read_flat_log(self.root)
        found = find_folders(self.root, self.unreadable)
        for path in sorted({*found, *self.catalog.folders()}):
            self.report.folders += 1
            before = self.report.faults
            self.folder(path)
            if self.fix and self.report.faults > before:
                self.mend(path)
            self.tell(path)
        if self.fix and not self.report.unreadable:
            self.catalog.rebuilt()
        if not self.fix:
            self.report.missing = [where for where, id in self.lost if not self.deleted(id)]
        return self.report

    def tell(self, path: str) -> None:
        if self.progress is not None:
            self.progress(path, self.report.files)

    def folder(self, path: str) -> None:
        known = self.catalog.names_in(path)
        try:
            folder = open_folder(self.root, path)
        except FileNotFoundError:
            pass
        except OSError as error:
            self.unreadable(path, error)
            return
        else:
            try:
                # Read to its end first: mending a file may show it twice, or not at all.
                names = sorted(names_on_disk(folder))
            except OSError as error:
                os.close(folder)
                self.unreadable(path, error)
                return
            try:
                for name, regular in names:
                    self.report.files += 1
                    self.file(folder, path, name, regular, known.pop(name, None))
                    if self.report.files % 100 == 0:
                        self.tell(path)
            finally:
                os.close(folder)
        for name, id in known.items():
            self.missing(f"{path}/{name}" if path else name, id)

    def unreadable(self, where: str, error: OSError) -> None:
        self.report.unreadable[where or "."] = error.strerror or str(error)

    def missing(self, where: str, id: int) -> None:
        self.report.missing.append(where)
        self.lost.append((where, id))

    def deleted(self, id: int) -> bool:
        """Whether the catalog has it so by now."""
        entry = self.catalog.entry(id)
        return entry is None or entry.deleted_ms is not None

    def file(self, folder: int, path: str, name: str, regular: bool, id: int | None) -> None:
        where = f"{path}/{name}" if path else name
        entry = None if id is None else self.catalog.entry(id)
        try:
            if not regular:
                raise NotOurs(name)
            if entry is not None:
                self.stored(folder, name, entry)
            elif is_leftover(name):
                self.report.leftovers.append(where)
            else:
                self.stray(folder, path, name)
        except NotOurs:
            self.report.foreign.append(where)
            if entry is not None:
                self.missing(where, entry.id)
        except Broken as error:
            self.report.damaged[where] = str(error)
            if self.fix:
                self.put_away(folder, path, name)
        except FileNotFoundError:  # since the folder was listed
            if entry is not None:
                self.missing(where, entry.id)
        except OSError as error:
            self.unreadable(where, error)

    def stored(self, folder: int, name: str, entry: Entry) -> None:
        """The file *name* is what the catalog says of it, or is reported."""
        data, status = read_file(folder, name)
        if len(data) != entry.size:
            raise Broken(f"it has {len(data)} bytes, not {entry.size}")
        if zlib.crc32(data) != entry.crc:
            raise Broken(f"its CRC-32 is {zlib.crc32(data):08x}, not {entry.crc:08x}")
        try:
            self.measure(data)
        except ValueError as error:
            raise Broken(str(error)) from error
        if self.has_mode(folder, name, entry.path, status):
            self.report.good += 1

    def stray(self, folder: int, path: str, name: str) -> None:
        """The file *name*, which the catalog does not have there, is reported."""
        receipt = recover(folder, path, name, self.numbers, self.measure)
        entry = self.catalog.find(receipt.key)
        if entry is not None and entry.deleted_ms is None and may_exist(self.root, entry.path):
            if entry.path == receipt.path:
                self.stored(folder, name, entry)
                return
            raise NotOurs(f"{name} is a second copy")
        self.report.unknown.append(receipt.path)
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        self.has_mode(folder, name, receipt.path, status)

    def has_mode(self, folder: int, name: str, where: str, status: os.stat_result) -> bool:
        if stat.S_IMODE(status.st_mode) == FILE_MODE:
            return True
        self.report.modes.append(where)
        if self.fix:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                os.fchmod(fd, FILE_MODE)
            finally:
                os.close(fd)
            self.report.fixed += 1
        return False

    def put_away(self, folder: int, path: str, name: str) -> None:
        """A damaged photo lies in ``.camd/damaged/``, below its old path, replacing nothing."""
        aside = self.root / OWN / "damaged" / path
        aside.mkdir(mode=0o750, parents=True, exist_ok=True)
        target, number = aside / name, 1
        while os.path.lexists(target):
            number += 1
            target = aside / f"{name}.{number}"
        os.rename(name, target, src_dir_fd=folder)
        self.report.fixed += 1

    def mend(self, path: str) -> None:
        """The catalog has what is in the folder now, and leftovers are gone."""
        lost = (id for _, id in self.lost)
        self.report.fixed += self.catalog.mark_deleted(lost, round(self.now() * 1000))
        self.lost.clear()
        done = level(self.root, self.catalog, [path], self.measure, now=self.now)
        self.report.fixed += done.added + done.restored + done.leftovers
