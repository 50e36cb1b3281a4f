"""Old photos make room for new ones, by rules; what somebody starred or labelled stays.

`decide` only says what is to go, and touches nothing; `sweep` lets it go, a bounded number of
files at a time. Both belong to a thread of their own, with a `Catalog` of its own.
"""

import os
import stat
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path

from attrs import define, field, frozen

from camd.photo import CameraId
from camd.store.catalog import Catalog
from camd.store.entry import Candidate, Cursor, Entry
from camd.store.folders import open_folder
from camd.store.level import DirtyList
from camd.store.naming import OLDEST_SANE

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
OLDEST_SANE_MS = round(OLDEST_SANE * 1000)

LONGEST = 1.0
"""Seconds that pass, from the first photo that goes, until a sweep lets others to the catalog."""

FIRST_PAGE, PAGE = 8, 1000
"""Photos that are read from the catalog at once."""

PRESSURE = ((HOUR_MS, DAY_MS), (DAY_MS, 7 * DAY_MS))
"""Where room is wanted: one photo is left of each (so long), where older than (so long);
only then, the oldest go. What is younger is not thinned, for it is what people look at."""


@frozen
class Policy:
    """How long photos stay; 0 stands for no limit.

    A photo is as old as the later of two times tells: when it was taken, and when it came. A
    board whose clock is slow, or that comes home with a full card, loses nothing by it. When this
    machine's own clock was not set yet, nobody knows how old it is, and only want of room takes it.

    :ivar max_age: seconds; older photos go.
    :ivar max_bytes: of all photos' files together, those included that may not go.
    :ivar thin_after: seconds; of older photos one is left, the first, for each *thin_to*
        seconds of the clock (so many since 1970-01-01 00:00 UTC).
    """

    max_age: float = 0
    max_bytes: int = 0
    thin_after: float = 0
    thin_to: float = 0

    def __attrs_post_init__(self) -> None:
        """:raises ValueError: a limit is negative."""
        if min(self.max_age, self.max_bytes, self.thin_after, self.thin_to) < 0:
            raise ValueError("a limit of retention cannot be negative")

    @property
    def limits(self) -> bool:
        """Whether anything may ever have to go."""
        return bool(self.max_age or self.max_bytes or (self.thin_after and self.thin_to))


@frozen
class Policies:
    """All the rules of a store. A photo goes where any rule that is over it says so.

    :ivar overall: over all photos together; its *max_bytes* is that of the whole store.
    :ivar each: over each camera by itself that is not named in *cameras*.
    """

    overall: Policy = Policy()
    each: Policy = Policy()
    cameras: Mapping[CameraId, Policy] = field(factory=dict)

    def of(self, camera: CameraId) -> Policy:
        """The rules over *camera* by itself."""
        return self.cameras.get(camera, self.each)


def decide(
    photos: Callable[[], Iterable[Candidate]],
    policy: Policy,
    now_ms: int,
    used: int,
    refused: Container[int] = (),
) -> Iterator[Candidate]:
    """The photos that are to go, each once, in the order in which they should.

    A photo that was told is taken for gone when the next one is asked for, unless its id is in
    *refused* by then.

    :param photos: each call goes over all photos that the policy is over, by (taken_ms, id);
        those that went meanwhile may be among them or not.
    :param used: the bytes that all of them have now.
    """
    gone: set[int] = set()
    excess = used - policy.max_bytes if policy.max_bytes else 0

    def take(chosen: Iterable[Candidate], only_excess: bool) -> Iterator[Candidate]:
        nonlocal excess
        for photo in chosen:
            if only_excess and excess <= 0:
                return
            if photo.kept or photo.id in gone or photo.id in refused:
                continue
            yield photo
            if photo.id not in refused:
                gone.add(photo.id)
                excess -= photo.size

    def left() -> Iterator[Candidate]:
        return (photo for photo in photos() if photo.id not in gone)

    if policy.thin_after and policy.thin_to:
        before = now_ms - round(policy.thin_after * 1000)
        yield from take(surplus(left(), round(policy.thin_to * 1000), before), False)
    if policy.max_age:
        yield from take(older(left(), now_ms - round(policy.max_age * 1000)), False)
    if excess > 0:
        for every_ms, age_ms in PRESSURE:
            yield from take(surplus(left(), every_ms, now_ms - age_ms), True)
        yield from take(left(), True)


def older(photos: Iterable[Candidate], before_ms: int) -> Iterator[Candidate]:
    """Those of *photos*, which are ordered by time, that were taken and came before then, as far
    as that is known."""
    for photo in photos:
        if photo.taken_ms >= before_ms:
            return
        if OLDEST_SANE_MS <= photo.received_ms < before_ms:
            yield photo


def surplus(photos: Iterable[Candidate], every_ms: int, before_ms: int) -> Iterator[Candidate]:
    """All but the first photo of each camera in each *every_ms*, where older than *before_ms*.

    The first stays the first however often this is asked, so nothing is thinned to nothing.
    """
    latest: dict[int, int] = {}
    for photo in photos:
        if photo.taken_ms >= before_ms:
            return
        slot = photo.taken_ms // every_ms
        if latest.get(photo.camera) != slot:
            latest[photo.camera] = slot
        elif OLDEST_SANE_MS <= photo.received_ms < before_ms:
            yield photo


@define
class SweepReport:
    """What one sweep did.

    :ivar deleted: files unlinked, of *bytes* together.
    :ivar vanished: photos whose files were gone already; the catalog knows now.
    :ivar refused: paths of files that are not as camd wrote them, or could not be unlinked,
        and why; left alone.
    :ivar folders: paths of folders removed, being empty.
    :ivar more: the budget ended it: there may be more to do.
    """

    deleted: int = 0
    bytes: int = 0
    vanished: int = 0
    refused: list[str] = field(factory=list)
    folders: list[str] = field(factory=list)
    more: bool = False


def sweep(
    catalog: Catalog,
    root: Path,
    policies: Policies,
    now: float,
    budget: int = 500,
    *,
    dirty: DirtyList | None = None,
) -> SweepReport:
    """At most *budget* photos that are to go are gone, from the disk and then the catalog; fewer
    where the disk is slow, and takes more than `LONGEST`.

    Called again while its report says *more*, it comes to an end. Interrupted anywhere it
    leaves photos that the catalog has and the disk has not; the next sweep finds these, and
    so does `level` where *dirty* is given.

    :param now: unix seconds.
    :param dirty: hears of each folder before anything in it goes.
    :raises CatalogError: from the catalog.
    :raises OSError: *dirty* could not be written; nothing more is unlinked then.
    """
    work = _Sweep(catalog, root, round(now * 1000), budget, dirty)
    totals = catalog.totals()
    for camera, total in totals.items():
        if work.left <= 0:
            work.report.more = True
            return work.report
        work.apply(camera, policies.of(camera), total.bytes)
    work.apply(None, policies.overall, sum(total.bytes for total in totals.values()))
    return work.report


def delete(
    catalog: Catalog, root: Path, id: int, now: float, *, dirty: DirtyList | None = None
) -> SweepReport:
    """The photo of that number is gone, from the disk and then the catalog; one that is starred
    or labelled stays.

    :param now: unix seconds.
    :param dirty: hears of its folder before it goes.
    :raises CatalogError: from the catalog.
    :raises OSError: *dirty* could not be written; nothing is unlinked then.
    """
    work = _Sweep(catalog, root, round(now * 1000), 1, dirty)
    try:
        work.remove(id)
    finally:
        work.settle()
    return work.report


class _Sweep:
    """What is under way in one sweep: files are unlinked one by one, all else in bunches."""

    def __init__(
        self, catalog: Catalog, root: Path, now_ms: int, budget: int, dirty: DirtyList | None
    ) -> None:
        self.catalog = catalog
        self.root = root
        self.now_ms = now_ms
        self.left = budget
        self.end = 0.0
        self.dirty = dirty
        self.report = SweepReport()
        self.refused: set[int] = set()
        self.freed = 0
        self.unlinked: dict[str, list[int]] = {}

    def apply(self, camera: CameraId | None, policy: Policy, used: int) -> None:
        """Carry out *policy* over *camera*, or over all."""
        if not policy.limits:
            return
        if camera is None:
            used -= self.freed
        try:
            for photo in decide(
                lambda: self.photos(camera), policy, self.now_ms, used, self.refused
            ):
                if self.left <= 0:
                    self.report.more = True
                    break
                self.remove(photo.id)
        finally:
            self.settle()

    def photos(self, camera: CameraId | None) -> Iterator[Candidate]:
        # Of most cameras nothing is to go, as the first few say already.
        after: Cursor | None = None
        limit = FIRST_PAGE
        while page := self.catalog.candidates(camera, after, limit):
            yield from page
            after = (page[-1].taken_ms, page[-1].id)
            limit = PAGE

    def remove(self, id: int) -> None:
        # Looked up again: it may have been starred since the page was read.
        entry = self.catalog.entry(id)
        if entry is None or entry.starred or entry.labelled or entry.deleted_ms is not None:
            self.refused.add(id)
            return
        folder, _, name = entry.path.rpartition("/")
        if self.dirty is not None:
            self.dirty.add(folder)
        try:
            there = self.unlink(folder, name, entry)
        except OSError as error:
            self.refused.add(id)
            self.report.refused.append(f"{entry.path}: {error.strerror or error}")
            return
        now = time.monotonic()
        self.end = self.end or now + LONGEST
        self.left = self.left - 1 if now < self.end else 0
        self.freed += entry.size
        self.unlinked.setdefault(folder, []).append(id)
        if there:
            self.report.deleted += 1
            self.report.bytes += entry.size
        else:
            self.report.vanished += 1

    def unlink(self, folder: str, name: str, entry: Entry) -> bool:
        """The file is gone. :returns: whether it was there."""
        try:
            fd = open_folder(self.root, folder)
        except FileNotFoundError:
            return False
        try:
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode) or status.st_size != entry.size:
                raise OSError("it is not the file that was stored")
            os.unlink(name, dir_fd=fd)
        except FileNotFoundError:
            return False
        finally:
            os.close(fd)
        return True

    def settle(self) -> None:
        """What was unlinked stays so over a power cut; then the catalog is told."""
        for folder, ids in self.unlinked.items():
            try:
                self.sync(folder)
            except OSError as error:
                # Perhaps the files come back: the catalog has them still, as the next sweep has.
                self.report.refused.append(f"{folder}: {error.strerror}")
                continue
            self.catalog.mark_deleted(ids, self.now_ms)
            if folder and self.remove_empty(folder):
                self.report.folders.append(folder)
        self.unlinked.clear()

    def sync(self, folder: str) -> None:
        try:
            fd = open_folder(self.root, folder)
        except FileNotFoundError:
            return
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def remove_empty(self, folder: str) -> bool:
        """The folder of a day is gone if nothing is in it; the camera's stays."""
        camera, _, day = folder.partition("/")
        try:
            fd = open_folder(self.root, camera)
            try:
                os.rmdir(day, dir_fd=fd)
            finally:
                os.close(fd)
        except OSError:
            return False
        return True
