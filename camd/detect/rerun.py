"""Photos that are in the store already are looked at, by a model that may be a new one.

Beside the daemon or without it: what was seen is written to the catalog as it comes, so that
whatever ends this, nothing is done twice. Times are unix milliseconds.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from camd.detect.crew import Crew, Rules
from camd.detect.terms import Outfit, Terms
from camd.detect.trip import AT_ONCE, Batch, Trip
from camd.detect.worker import Job, Spawn
from camd.findings import Flag
from camd.photo import CameraId
from camd.store.catalog import Catalog
from camd.store.entry import Cursor, Entry, milliseconds
from camd.store.findings import FindingsReader
from camd.vision.lines import Ready
from camd.vision.wanted import Seen

GATHER = 0.5
"""Seconds between two writes to the catalog."""

PAGE = 200
"""Photos that are fetched at once."""


class UnableError(Exception):
    """Nobody can look; the text is one line."""


@frozen
class Range:
    """Which photos. *cameras*: of these, None for all but those of *without*."""

    cameras: tuple[CameraId, ...] | None = None
    without: frozenset[CameraId] = frozenset()
    since_ms: int | None = None
    until_ms: int | None = None
    newest_first: bool = False
    again: bool = False


@define(eq=False)
class Rerun:
    """One model, over a range of photos.

    :ivar told: called with how many photos are through and how many there are.
    :ivar photos: that were looked at; *aside*: that could not be; both only once that is written
        down. *left_out*: that are not to be, by the configuration, or are gone.
    :ivar found: things on them, by class.
    """

    catalog: Catalog
    root: Path
    terms: Terms
    range: Range
    clock: Any
    now: Callable[[], float]
    told: Callable[[int, int], None] = lambda done, total: None
    photos: int = 0
    aside: int = 0
    left_out: int = 0
    total: int = 0
    found: Counter[str] = field(factory=Counter)
    _crew: Crew = field(init=False)
    _batch: Batch = field(factory=Batch)
    _page: deque[Entry] = field(factory=deque)
    _cameras: deque[CameraId | None] = field(factory=deque)
    _after: Cursor | None = None
    _hash: str | None = None
    _useless: frozenset[Flag] = frozenset()
    _tries: Counter[int] = field(factory=Counter)
    _under_way: int = 0
    _write_at: IDelayedCall | None = None
    _done: "Deferred[None]" = field(factory=Deferred)
    _over: bool = False

    def run(self, outfit: Outfit, rules: Rules, spawn: Spawn) -> "Deferred[None]":
        """Fires at the end; fails with `UnableError` where there is no use in the model, and with
        `CatalogError`."""
        self._crew = Crew(outfit, rules, self, self.clock, spawn)
        self._crew.check()
        return self._done

    def stop(self) -> None:
        """What was seen is written down, and the rest is left."""
        self._end(None)

    # ---- from the crew

    def was_seen(self, ready: Ready, job: Job, seen: Seen) -> None:
        self._batch.saw(ready, job, seen)
        self._through()

    def has_failed(self, job: Job, why: str, final: bool) -> None:
        if not job.path.exists():  # it was deleted meanwhile
            self.left_out += 1
            self._through()
        elif final:
            self._batch.failed.append((job.entry, why))
            self._through()
        else:
            self.is_suspect(job, why)

    def is_suspect(self, job: Job, why: str) -> None:
        self._tries[job.id] += 1
        if self._tries[job.id] >= self.terms.config.detect.tries:
            self.has_failed(job, why, True)
        else:
            self._crew.give([self._job(job.entry, alone=True)])

    def is_unable(self, crew: Crew) -> None:
        self._end(UnableError(crew.error))

    def has_room(self, crew: Crew) -> None:
        if crew.ready is None or self._over:
            return
        if self._hash is None:
            self._begin(crew.ready)
        jobs: list[Job] = []
        room = 2 * crew.rules.workers * crew.rules.window
        while len(jobs) < room and self._page_has_more():
            entry = self._page.popleft()
            job = self._job(entry)
            if entry.camera in self.range.without or not job.wanted.detect:
                self.left_out += 1
            else:
                jobs.append(job)
        self._under_way += len(jobs)
        if jobs:
            crew.give(jobs)
        elif not self._under_way:
            self._end(None)

    # ---- photos

    def _begin(self, ready: Ready) -> None:
        self._hash, self._useless = "", frozenset()
        if not self.range.again:
            self._hash = ready.hash
            self._useless = frozenset(Flag(each) for each in self.terms.config.judge.useless)
        cameras: Sequence[CameraId | None] = self.range.cameras or [None]
        reader, within = FindingsReader(self.catalog), (self.range.since_ms, self.range.until_ms)
        self.total = sum(
            reader.count_unseen(self._hash, camera, self._useless, *within) for camera in cameras
        )
        self._cameras.extend(cameras)

    def _page_has_more(self) -> bool:
        """Whether there is a photo; it is fetched where it was not yet."""
        while not self._page and self._cameras:
            assert self._hash is not None, "it was begun"
            page = FindingsReader(self.catalog).unseen(
                self._hash, self._cameras[0], useless=self._useless,
                since_ms=self.range.since_ms, until_ms=self.range.until_ms, after=self._after,
                limit=PAGE, newest_first=self.range.newest_first,
            )  # fmt: skip
            self._page.extend(page)
            if page:
                self._after = page[-1].cursor
            else:
                self._cameras.popleft()
                self._after = None
        return bool(self._page)

    def _job(self, entry: Entry, alone: bool = False) -> Job:
        wanted = self.terms.wanted(entry.camera, entry.taken_ms / 1000)
        return Job(entry, self.root / entry.path, wanted, alone)

    def _through(self) -> None:
        self._under_way -= 1
        self.told(self.photos + self.aside + self.left_out + len(self._batch), self.total)
        if self._write_at is None:
            self._write_at = self.clock.callLater(GATHER, self._write)
        elif len(self._batch) >= AT_ONCE:
            self._write_at.reset(0)

    # ---- the catalog

    def _write(self) -> None:
        self._write_at = None
        try:
            self._put()
        except Exception as error:
            self._end(error)

    def _put(self) -> None:
        batch, self._batch = self._batch, Batch()
        if batch:
            Trip(batch, milliseconds(self.now()), 1).make(self.catalog)
            for _, look in batch.seen():
                self.photos += 1
                self.found.update(detection.label for detection in look.detections or ())
            self.aside += len(batch.failed)

    def _end(self, error: Exception | None) -> None:
        if self._over:
            return
        self._over = True
        if self._write_at is not None:
            self._write_at.cancel()
            self._write_at = None
        gone = self._crew.stop()
        if error is None:
            try:
                self._put()
            except Exception as late:
                error = late
        gone.addCallback(lambda _: self._done.callback(None) if error is None
                         else self._done.errback(error))  # fmt: skip
