"""The photos on disk, and what is known of them.

The one face of the store for the rest of the house: `Store.put` promises a photo, `Store.find`
and `Store.last` answer boards that come again. It lives in the reactor's thread; what blocks is
done in the threads of `GroupCommit` and `Keeper`. It does not know who may store.
"""

import errno
import fcntl
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from pathlib import Path
from typing import TypeVar

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd.config import Config
from camd.findings import Findings
from camd.photo import Boot, CameraId, Door, FrameKey, Photo, Reason, Receipt, Refused
from camd.plural import count
from camd.store.annotations import AnnotationJournal, Said
from camd.store.catalog import Catalog, CatalogReader
from camd.store.commit import CallFromThread, GroupCommit
from camd.store.files import (
    Files,
    FlatLog,
    FlatNumbers,
    Job,
    Outcome,
    fsync_directory,
    make_directory,
)
from camd.store.folders import FILE_MODE, OWN, highest_number
from camd.store.keeper import Keeper
from camd.store.level import DirtyList, LevelReport, level, rebuild
from camd.store.naming import SLOT, moment, session_day
from camd.store.schema import CatalogError
from camd.wire.jpeg import measure

log = Logger()

T = TypeVar("T")

_REMEMBERED = 50_000

_ROOM = 1024 * 1024

_Beside = list[tuple[int, "Deferred[Receipt]"]]
"""Who sent a photo once more, or another one of its name, while it was on its way; by CRC."""

_UNREAD = "photos unread"
"""Of this name the catalog knows whether it lacks photos that could not be read at the last start:
of what was said of them, it was told in vain."""


class StoreError(Exception):
    """The store cannot be opened; the text is one line for the operator."""


@define(eq=False)
class Lock:
    """Only one daemon uses a store."""

    path: Path
    _fd: int = -1

    def take(self) -> None:
        """:raises StoreError: where another process has it."""
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(self._fd, 20).decode("ascii", "replace").partition("\n")[0] or "unknown"
            os.close(self._fd)
            self._fd = -1
            raise StoreError(
                f"{self.path.parent.parent} is in use by another camd (process {owner})"
            ) from None
        # Whoever reads it meanwhile finds a number in its first line.
        os.ftruncate(self._fd, os.pwrite(self._fd, b"%d\n" % os.getpid(), 0))

    def check(self) -> None:
        """:raises OSError: where this is no longer the store that was opened."""
        ours, there = os.fstat(self._fd), os.stat(self.path)
        if (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino):
            raise OSError(errno.EIO, "the store was replaced; restart camd", str(self.path))

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@define(eq=False)
class Store:
    """Promises photos, once each.

    :ivar config: called whenever a setting is needed, so that a reload counts.
    :ivar told: how large each trip to the disk was, for the metrics.
    :ivar together: entered around the receipts of photos that shared a trip.
    :ivar looking: whether photos that come are to be looked at; before `open`.
    """

    root: Path
    config: Callable[[], Config]
    _call_from_thread: CallFromThread
    _soon: Callable[[Callable[[], None]], object]
    told: Callable[[int], None] = lambda _: None
    together: "AbstractContextManager[None]" = field(factory=nullcontext)
    looking: bool = False
    _lock: Lock = field(init=False)
    _dirty: DirtyList = field(init=False)
    _reader: CatalogReader = field(init=False)
    _keeper: Keeper = field(init=False)
    _files: Files = field(init=False)
    _commit: GroupCommit[Job, Outcome] = field(init=False)
    _flying: "dict[FrameKey, _Beside]" = field(factory=dict)
    _recent: dict[FrameKey, Receipt] = field(factory=dict)
    _highest: dict[tuple[CameraId, Boot], int] = field(factory=dict)
    _settled: dict[tuple[CameraId, Boot], int] = field(factory=dict)
    _folders: dict[CameraId, tuple[int, str]] = field(factory=dict)
    _flat: bool = False
    _opened: bool = False

    @property
    def own(self) -> Path:
        return self.root / OWN

    @property
    def dirty(self) -> DirtyList:
        return self._dirty

    @property
    def waiting(self) -> int:
        """Photos on their way to the disk."""
        return self._commit.waiting

    @property
    def behind(self) -> int:
        """Photos that are safe and that the catalog does not have yet."""
        return self._keeper.behind

    def caught_up(self) -> "Deferred[None]":
        """Fires when the catalog has all photos that were acknowledged by now: soon, as a rule."""
        return self._keeper.caught_up()

    @property
    def reader(self) -> CatalogReader:
        """For quick looks in the reactor's thread."""
        return self._reader

    # ---- life

    def open(self) -> LevelReport:
        """Blocks until the catalog is level with the files, then photos may come.

        :raises StoreError: in a line for the operator.
        """
        settings = self.config().store
        try:
            with ExitStack() as undo:
                self._make_root()
                self._lock = Lock(self.own / "lock")
                self._lock.take()
                undo.callback(self._lock.release)
                dirty = self._dirty = DirtyList(self.own / "dirty")
                undo.callback(dirty.close)
                catalog = Catalog.open(
                    self.own / "catalog.sqlite",
                    lambda text: log.warn("{text}", text=text),
                    check=bool(dirty.folders),
                )
                undo.callback(catalog.close)
                if self.looking:
                    catalog.keep_backlog()
                report = self._level(catalog, dirty)
                self._flat = settings.layout == "flat"
                files = self._files = Files(
                    self.root, self._keep_free, self._lock.check, dirty.add,
                    self._flat_numbers() if self._flat else None,
                )  # fmt: skip
                self._reader = CatalogReader.open(catalog.path)
                undo.pop_all()
        except StoreError:
            raise
        except CatalogError as error:
            raise StoreError(f"{self.root}: the store cannot be opened: {error}") from error
        except OSError as error:
            where = f"{error.filename}: " if error.filename not in (None, str(self.root)) else ""
            why = f"{where}{error.strerror or error}"
            raise StoreError(f"{self.root}: the store cannot be opened: {why}") from error
        self._commit = GroupCommit(
            files.store,
            self._call_from_thread,
            self._soon,
            lambda job: job.folder,
            settings.writers,
            settings.batch,
            self.told,
            together=self.together,
        )
        self._keeper = Keeper(catalog, dirty, self._call_from_thread, self._entered)
        self._commit.start()
        self._keeper.start()
        self._opened = True
        return report

    def close(self, timeout: float) -> bool:
        """Nothing may be put any more; blocks until all is on disk, or *timeout* seconds each
        for the writers and for the catalog. Whether the stop was clean."""
        clean = not self._commit.waiting
        clean = self._commit.stop(timeout if clean else 0.0) and clean
        clean = clean and not self._files.stuck
        if clean:
            self._dirty.turn()
            self._keeper.shorten().addErrback(_not_shortened)
        clean = self._keeper.stop(timeout) and clean
        self._reader.close()
        if clean:
            self._keeper.catalog.close()
        self._dirty.close()
        self._lock.release()
        return clean

    def abandon(self) -> None:
        """What was opened is closed; nothing was put yet, since the rest of the start failed."""
        if self._opened:
            self.close(1.0)

    def check(self) -> None:
        """:raises OSError: what lies at *root* is not, or is no longer, the store that was opened:
        nothing there is to be changed, and what is missing there is not gone."""
        self._lock.check()

    def _keep_free(self, size: int) -> int:
        return self.config().store.keep_free.of(size)

    def _make_root(self) -> None:
        if not self.root.is_dir():
            there = next(path for path in self.root.parents if path.is_dir())
            make_directory(self.root, within=there)
        make_directory(self.own, within=self.root)

    def _level(self, catalog: Catalog, dirty: DirtyList) -> LevelReport:
        started = time.monotonic()
        anew = catalog.rebuild_owed or not dirty.whole
        late = catalog.recall(_UNREAD) == "yes"
        if anew:
            report = rebuild(self.root, catalog, _measure)
        else:
            report = level(self.root, catalog, dirty.folders, _measure)
        dirty.owed = frozenset(report.owed)
        dirty.turn()
        journal = AnnotationJournal(self.root)
        journal.catch_up(catalog, (anew or late) and report.added > 0)
        if late != bool(report.owed):
            catalog.remember(_UNREAD, "yes" if report.owed else "no")
        try:
            if catalog.checkpoint():
                dirty.clear()
        except (OSError, CatalogError) as error:  # what is listed is looked through once more, then
            log.warn("the list of folders stays as it was: {why}", why=str(error))
        if report.added or report.gone or report.broken or report.leftovers:
            log.info(
                "The catalog is level with the files again: {added} entered, {gone} gone, "
                "{leftovers} unfinished removed, {broken} damaged left alone, in {seconds:.1f} s",
                added=count(report.added, "photo"), gone=report.gone, leftovers=report.leftovers,
                broken=len(report.broken), seconds=time.monotonic() - started,
            )  # fmt: skip
        if report.unreadable:
            log.error(
                "{paths} could not be read; camd looks again when it starts the next time: {first}",
                paths=count(len(report.unreadable), "file or folder", "files or folders"),
                first=report.unreadable[0],
            )  # fmt: skip
        return report

    def _flat_numbers(self) -> FlatNumbers:
        notes = FlatLog(self.own / "flat.log")
        notes.path.touch(FILE_MODE)
        fsync_directory(self.own)
        return FlatNumbers.after(self.root, highest_number(self.root), notes.note)

    @property
    def roomy(self) -> bool:
        """Whether the disk has room for what it takes to be opened again, once it was closed."""
        there = os.statvfs(self.root)
        return there.f_bavail * there.f_frsize >= _ROOM

    # ---- photos

    def put(self, photo: Photo) -> "Deferred[Receipt]":
        """Fires when *photo* is on stable storage; fails with `Refused` where it is not.

        The same photo once more gets the receipt of the first time, another one under the same
        (camera, boot, seq) is refused: ``conflict``.
        """
        key = photo.key
        if photo.door is not Door.V1:  # there, every connection draws a boot of its own
            flying = self._flying.get(key)
            if flying is not None:
                waiting: Deferred[Receipt] = Deferred()
                flying.append((photo.crc, waiting))
                return waiting
            known = self._known(photo)
            if known is not None:
                again: Deferred[Receipt] = Deferred()
                self._answer_again(photo.crc, again, known)
                return again
        when = moment(photo.taken, photo.received)
        job = Job(
            self._folder(photo.camera, when), photo.camera, when, photo.boot, photo.seq,
            photo.received, photo.chunks,
        )  # fmt: skip
        if photo.door is not Door.V1:
            self._flying[key] = []
        return self._commit.put(job).addCallbacks(
            self._through, self._failed, callbackArgs=(photo, when), errbackArgs=(photo,)
        )

    def find(self, key: FrameKey) -> Receipt | None:
        """The receipt of a photo that was stored, be it deleted since."""
        recent = self._recent.get(key)
        if recent is not None:
            return recent
        entry = self._reader.find(key)
        return entry.receipt() if entry is not None else None

    def has(self, key: FrameKey) -> bool:
        """Whether that photo was stored, or is on its way: once more it takes no room."""
        return key in self._flying or self.find(key) is not None

    def last(self, camera: CameraId, boot: Boot) -> int:
        """The highest seq of that start that is settled, 0 where none is."""
        known = self._settled.get((camera, boot))
        if known is None:
            known = self._reader.last(camera, boot)
            _note(self._settled, (camera, boot), known)
        return known

    def settled(self, key: FrameKey) -> None:
        """The photo was refused for good; that may be forgotten, as where the catalog cannot be
        read."""
        with suppress(CatalogError):
            self._settle(key)

    def _settle(self, key: FrameKey) -> None:
        camera, boot, seq = key
        if seq > self._settled.get((camera, boot), 0):
            _note(self._settled, (camera, boot), max(seq, self.last(camera, boot)))

    def ask(self, work: Callable[[Catalog], T]) -> "Deferred[T]":
        """What *work* finds in, or does to, the catalog; done in the catalog's thread."""
        return self._keeper.run(work)

    def annotate(
        self, said: Said, check: Callable[[Catalog], None] = lambda _: None
    ) -> "Deferred[Findings | None]":
        """What is known of the photo when that was *said* of it, safely written down.

        :param check: called in the catalog's thread right before; what it raises is what the
            Deferred fails with, and nothing was said.
        """

        def work(catalog: Catalog) -> Findings | None:
            self.check()
            journal = AnnotationJournal(self.root)
            return journal.say(catalog, [said], lambda: check(catalog))[0]

        return self.ask(work)

    def shorten(self) -> "Deferred[bool]":
        """What a crash leaves to be looked through is as little as can be. False where a reader
        of the catalog was in the way, or where photos lie that should not."""
        self._dirty.turn()
        return self._commit.barrier().addCallback(
            lambda _: False if self._files.stuck else self._keeper.shorten()
        )

    def forget_folders(self) -> None:
        """The settings that decide on a photo's folder may have changed."""
        self._folders.clear()

    def _known(self, photo: Photo) -> Receipt | None:
        start = (photo.camera, photo.boot)
        highest = self._highest.get(start)
        if highest is None:
            highest = self.last(*start)
        if photo.seq > highest and photo.key not in self._recent:
            _note(self._highest, start, photo.seq)
            return None
        return self.find(photo.key)

    def _answer_again(self, crc: int, done: "Deferred[Receipt]", known: Receipt) -> None:
        if crc != known.crc:
            done.errback(_conflict())
        else:
            done.callback(_once_more(known))

    def _failed(self, failure: Failure, photo: Photo) -> Failure:
        """By a mistake of ours, or for want of memory: it may come again."""
        for _, waiting in self._flying.pop(photo.key, ()):
            waiting.errback(failure)
        return failure

    def _through(self, outcome: Outcome, photo: Photo, when: float) -> Receipt:
        beside = self._flying.pop(photo.key, ())
        if isinstance(outcome, Refused):
            for _, waiting in beside:
                waiting.errback(outcome)
            raise outcome
        receipt = Receipt(
            photo.camera, photo.boot, photo.seq, photo.size, photo.crc, photo.width,
            photo.height, outcome, when, photo.received, photo.door, photo.trigger,
        )  # fmt: skip
        if photo.door is not Door.V1:
            self._recent[receipt.key] = receipt
            self._settle(receipt.key)
        self._keeper.enter(receipt)
        for crc, waiting in beside:
            self._answer_again(crc, waiting, receipt)
        return receipt

    def _entered(self, receipts: list[Receipt]) -> None:
        for receipt in receipts:
            self._recent.pop(receipt.key, None)

    def _folder(self, camera: CameraId, when: float) -> str:
        if self._flat:
            return ""
        slot = int(when // SLOT)
        known = self._folders.get(camera)
        if known is not None and known[0] == slot:
            return known[1]
        settings = self.config().camera(camera)
        folder = f"{camera}/{session_day(when, settings.zone, settings.session == 'noon')}"
        _note(self._folders, camera, (slot, folder))
        return folder


def _measure(data: bytes) -> tuple[int, int]:
    return measure([data])


def _not_shortened(failure: Failure) -> None:
    log.warn("the next start looks through more than it had to: {why}",
             why=failure.getErrorMessage())  # fmt: skip


def _conflict() -> Refused:
    return Refused(Reason.CONFLICT, "another photo is stored under this boot and seq")


def _once_more(receipt: Receipt) -> Receipt:
    return evolve(receipt, again=True)


K = TypeVar("K")
V = TypeVar("V")


def _note(memory: dict[K, V], key: K, value: V) -> None:
    """Remember; the oldest goes where there are too many."""
    if key not in memory and len(memory) >= _REMEMBERED:
        del memory[next(iter(memory))]
    memory[key] = value
