"""Photos that wait in the catalog are looked at, and what is on them becomes news.

Between the catalog and the workers: never more than one trip to the catalog at a time, which
takes along all that was seen since the last one. Nothing here is on the way of a photo into the
store: what is not looked at yet waits in the backlog, over restarts too.
"""

import os
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from camd.config import Config
from camd.config.when import Subject
from camd.detect.crew import Crew, Rules
from camd.detect.desk import SPARSE, Desk
from camd.detect.manners import Manners
from camd.detect.moods import Moods
from camd.detect.terms import Outfit, Terms
from camd.detect.trip import AT_ONCE, Batch, Haul, Trip, Wish
from camd.detect.worker import Job, Spawn, Worker, spawner
from camd.findings import Findings, Flag, Look
from camd.news import Item, Kind, News
from camd.photo import CameraId
from camd.store.entry import Entry, milliseconds
from camd.store.findings import Backlog
from camd.store.findings_writer import FindingsWriter
from camd.store.schema import CatalogError
from camd.store.store import Store
from camd.vision.lines import Ready
from camd.vision.wanted import Seen

log = Logger()

GATHER = 0.5
"""Seconds between two trips to the catalog, while nobody is without work."""

HASTE = 0.1
"""The same, while somebody is."""

COUNT = 5.0
"""Seconds between two counts of all that waits."""

POLL = 60.0
"""Seconds between two looks for photos that somebody else has put into the backlog."""

LATELY = 60.0
"""Seconds over which the rate is told."""

RETRY = 5.0
"""Seconds until the next trip to a catalog that could not be written."""


@define(eq=False)
class Looking:
    """The room in which photos are looked at.

    :ivar config: called whenever a setting is needed, so that a reload counts.
    :ivar now: unix seconds.
    :ivar poor: whether it was told of a camera that its photos are bad.
    :ivar photos: that were looked at since the start; *found*: things on them; *failed*: photos
        that were set aside; *seconds*: of work on them.
    :ivar flags: how many of them had which.
    :ivar backlog: as it was counted last.
    :ivar manners: what workers do while boards wait.
    """

    config: Callable[[], Config]
    store: Store
    news: News
    reactor: Any
    now: Callable[[], float]
    spawn: Spawn | None = None
    poor: Callable[[CameraId], bool] = lambda camera: False
    photos: int = 0
    found: int = 0
    failed: int = 0
    seconds: float = 0.0
    flags: Counter[Flag] = field(factory=Counter)
    backlog: Backlog = field(factory=lambda: Backlog(0, 0))
    manners: Manners = field(init=False)
    _deaths: int = 0
    _terms: Terms = field(init=False)
    _moods: Moods = field(init=False)
    _desks: list[Desk] = field(factory=list)
    _crews: dict[Outfit, Crew] = field(factory=dict)
    _batch: Batch = field(factory=Batch)
    _away: Batch | None = None
    _next: IDelayedCall | None = None
    _poll: IDelayedCall | None = None
    _count_at: float = 0.0
    _lately: deque[float] = field(factory=deque)
    _deaf: Callable[[], None] | None = None
    _complained: bool = False
    _missed: set[str] = field(factory=set)

    def __attrs_post_init__(self) -> None:
        self.manners = Manners(
            lambda: self.store.waiting, self.reactor, len(os.sched_getaffinity(0))
        )

    # ---- life

    @property
    def running(self) -> bool:
        return self._deaf is not None

    def start(self) -> None:
        """Photos are looked at from now on, if the configuration wants any to be."""
        if not self.running:
            self._deaf = self.news.listen(self._hear)
            self._away = None
            self.sync()

    def sync(self) -> None:
        """The configuration may have changed, or a model's file."""
        if not self.running:
            return
        config = self.config()
        if config.looks != self.store.looking:
            self.store.looking = config.looks
            done = self.store.ask(lambda catalog: catalog.keep_backlog(config.looks))
            done.addErrback(lambda failure: log.failure("no photo will wait", failure))
        self._terms = Terms(config)
        self._moods = Moods(
            frozenset(Flag(name) for name in config.judge.poor), config.judge.poor_after
        )
        self._desks = []
        if config.looks:
            shares = self._terms.shares()
            self._employ([share.outfit for share in shares if share.outfit is not None])
            crews = self._crews
            self._desks = [
                Desk(share, crews[share.outfit] if share.outfit is not None else None)
                for share in shares
            ]
        else:
            self._employ([])
        self._mind_alerts()
        self._look_around()

    def _mind_alerts(self) -> None:
        """A rule that counts what no model looks for is told of: its class may be misspelt."""
        ready = [crew.ready for outfit, crew in self._crews.items() if outfit.setup.model]
        if None in ready:
            return
        known = {label for each in ready if each is not None for label in each.classes}
        alerts = self.config().alerts
        missed = {each.when.label for each in alerts if each.when.subject is Subject.COUNT} - known
        for label in sorted(missed - self._missed):
            log.warn(
                "an alert counts {label}, which no model looks for: there are {known}",
                label=label, known=", ".join(sorted(known)) or "none",
            )  # fmt: skip
        self._missed = missed

    def _employ(self, outfits: list[Outfit]) -> None:
        """There is a crew for each of these, and no other."""
        detect = self.config().detect
        rules = Rules(detect.workers, detect.timeout, detect.pause, detect.idle)
        for outfit, crew in tuple(self._crews.items()):
            if outfit not in outfits or crew.error:
                self._dismiss(outfit)
        for outfit in outfits:
            known = self._crews.get(outfit)
            if known is not None:
                known.change(rules)
                known.take_back()  # other bounds, hours or zones may hold for them now
                continue
            crew = self._crews[outfit] = Crew(outfit, rules, self, self.reactor, self._spawn)
            crew.check()

    def _spawn(self, worker: Worker) -> None:
        if self.spawn is None:
            self.spawn = spawner(self.reactor)
        self.spawn(worker)
        if worker.priority == "idle":
            self.manners.mind(worker)

    def _dismiss(self, outfit: Outfit) -> "Deferred[None]":
        crew = self._crews.pop(outfit)
        self._deaths += crew.deaths
        return crew.stop()

    def stop(self) -> None:
        """Nothing is looked at any more. What was seen is written down before the store closes."""
        if self._deaf is None:
            return
        self._deaf()
        self._deaf = None
        for call in (self._next, self._poll):
            if call is not None and call.active():
                call.cancel()
        self._next = self._poll = None
        for outfit in tuple(self._crews):
            self._dismiss(outfit)
        self.manners.forget()
        self._desks = []
        if self._batch:
            self._depart()

    # ---- what the page shows

    @property
    def deaths(self) -> int:
        """Workers that died since the start."""
        return self._deaths + sum(crew.deaths for crew in self._crews.values())

    @property
    def workers(self) -> int:
        """Processes that there are."""
        return sum(len(crew.workers) for crew in self._crews.values())

    @property
    def rate(self) -> float:
        """Photos a second that were looked at in the last minute."""
        self._forget_old()
        return round(len(self._lately) / LATELY, 2)

    @property
    def error(self) -> str:
        """Why photos wait that cannot be looked at; "" where none do."""
        return "; ".join(crew.error for crew in self._crews.values() if crew.error)

    def state(self) -> "Deferred[Mapping[str, Any]]":
        """How it fares, in values that JSON can hold: *model* and *error* may be None, *rate* is in
        photos a second."""
        return self.store.ask(lambda catalog: FindingsWriter(catalog).backlog()).addCallback(
            self._state
        )

    def _state(self, backlog: Backlog) -> Mapping[str, Any]:
        self.backlog = backlog
        known = [crew.ready for crew in self._crews.values() if crew.ready is not None]
        model = max(known, key=lambda ready: bool(ready.name), default=Ready())
        return {
            "enabled": self.config().looks,
            "model": model.name or None,
            "classes": list(model.classes),
            "waiting": backlog.waiting,
            "aside": backlog.aside,
            "workers": self.workers,
            "rate": self.rate,
            "error": self.error or None,
        }

    def retry(self) -> "Deferred[int]":
        """What was set aside is looked at once more. Fires with how many photos that are."""

        def again(photos: int) -> int:
            self._look_around()
            return photos

        return self.store.ask(lambda catalog: FindingsWriter(catalog).again()).addCallback(again)

    # ---- heard

    def _hear(self, item: Item) -> None:
        """A photo that is stored is in the backlog a moment later."""
        if item.kind is not Kind.PHOTO or item.camera is None:
            return
        for desk in self._desks:
            if not desk.heard and desk.share.has(item.camera):
                desk.heard = True
                self._soon()

    def _look_around(self) -> None:
        if self._poll is not None and self._poll.active():
            self._poll.cancel()
        self._poll = None
        if not self.running or not self._desks:
            return
        self._poll = self.reactor.callLater(POLL, self._look_around)
        self._mind_alerts()
        self._count_at = 0.0
        for desk in self._desks:
            desk.heard = True
        self._soon()

    # ---- from the crews

    def was_seen(self, ready: Ready, job: Job, seen: Seen) -> None:
        self._batch.saw(ready, job, seen)
        self.photos += 1
        self.seconds += seen.seconds
        self.found += len(seen.detections or ())
        self._lately.append(self.reactor.seconds())
        self._forget_old()
        self._soon()

    def _forget_old(self) -> None:
        since = self.reactor.seconds() - LATELY
        while self._lately and self._lately[0] < since:
            self._lately.popleft()

    def has_failed(self, job: Job, why: str, final: bool) -> None:
        if not job.path.exists():  # it was deleted meanwhile
            self._batch.unwanted.append(job.entry)
        elif final:
            self._batch.failed.append((job.entry, why))
            self._set_aside(job.entry, why)
        else:
            self._batch.suspects.append((job.entry, why))
        self._soon()

    def is_suspect(self, job: Job, why: str) -> None:
        self._batch.suspects.append((job.entry, why))
        self._soon()

    def is_unable(self, crew: Crew) -> None:
        """Its photos wait."""

    def has_room(self, crew: Crew) -> None:
        if any(desk.crew is crew and desk.hungry for desk in self._desks):
            self._soon()

    def _set_aside(self, entry: Entry, why: str) -> None:
        self.failed += 1
        log.warn("{photo} is looked at no more: {why}", photo=entry.path, why=why)

    # ---- to the catalog and back

    def _soon(self) -> None:
        """There will be a trip, for which there is reason."""
        if self._away is not None or not self.running:
            return
        hasty = len(self._batch) >= AT_ONCE or any(desk.hungry for desk in self._desks)
        self._in(HASTE if hasty else GATHER)

    def _in(self, seconds: float) -> None:
        """The next trip is then, or earlier."""
        if self._next is None:
            self._next = self.reactor.callLater(seconds, self._depart)
        elif self._next.getTime() > self.reactor.seconds() + seconds:
            self._next.reset(seconds)

    def _depart(self) -> None:
        self._next = None
        seconds, detect = self.reactor.seconds(), self.config().detect
        newest_first = detect.order == "newest"
        asked: list[tuple[Desk, Wish]] = []
        for desk in self._desks:
            wish = desk.wish(newest_first, seconds)
            if wish is not None:
                asked.append((desk, wish))
        count = seconds >= self._count_at
        if not asked and not self._batch and not count:
            if any(desk.heard and desk.not_before > seconds for desk in self._desks):
                self._in(SPARSE)
            return
        if count:
            self._count_at = seconds + COUNT
        batch, self._batch = self._batch, Batch()
        self._away = batch
        besides = batch.ids().union(*(crew.ids() for crew in self._crews.values()))
        trip = Trip(
            batch, milliseconds(self.now()), detect.tries, [wish for _, wish in asked],
            newest_first, besides, count, self._strangers(batch), self._moods.after,
        )  # fmt: skip
        there = batch, asked
        done = self.store.ask(trip.make)
        done.addCallbacks(self._back, self._lost, callbackArgs=there, errbackArgs=there)
        done.addErrback(lambda failure: log.failure("a mistake of ours in looking", failure))

    def _strangers(self, batch: Batch) -> dict[CameraId, int]:
        """Cameras of which it is not known how their photos were before these, and when."""
        asked: dict[CameraId, int] = {}
        for entry, _ in batch.seen():
            if not self._moods.knows(entry.camera):
                asked[entry.camera] = min(entry.taken_ms, asked.get(entry.camera, entry.taken_ms))
        return asked

    def _lost(self, failure: Any, batch: Batch, asked: list[tuple[Desk, Wish]]) -> None:
        """The catalog could not be written: the same once more, later."""
        self._away = None
        for desk, _ in asked:
            desk.heard = True
        self._batch.take_up(batch)
        if failure.check(CatalogError) is None:
            log.failure("a mistake of ours in looking", failure)
        elif not self._complained:
            self._complained = True
            log.error(
                "what was seen on photos cannot be written down: {why}",
                why=failure.getErrorMessage(),
            )
        if self.running:
            self._in(RETRY)

    def _back(self, haul: Haul, batch: Batch, asked: list[tuple[Desk, Wish]]) -> None:
        self._away, self._complained = None, False
        if haul.backlog is not None:
            self.backlog = haul.backlog
        for entry, why in haul.aside:
            self._set_aside(entry, why)
        if batch.suspects:  # those that are left come again, alone
            for desk in self._desks:
                desk.heard = True
        for camera, (before_ms, flags) in haul.before.items():
            self._moods.remember(camera, before_ms, flags, self.poor(camera))
        for entry, look in sorted(batch.seen(), key=lambda each: each[0].cursor):
            findings = haul.findings.get(entry.id)
            if findings is not None:
                self._tell(entry, look, findings)
        for (desk, wish), page in zip(asked, haul.pages, strict=True):
            if desk not in self._desks:  # the configuration has changed: they are fetched anew
                continue
            desk.fetched(wish, len(page), self.reactor.seconds(), self.backlog.waiting)
            self._hand_out(desk.crew, page)
        if self._batch or any(desk.hungry or desk.heard for desk in self._desks):
            self._soon()

    def _hand_out(self, crew: Crew | None, page: list[tuple[Entry, int]]) -> None:
        jobs = []
        for entry, tries in page:
            wanted = self._terms.wanted(entry.camera, entry.taken_ms / 1000)
            if crew is not None and (wanted.detect or wanted.judge):
                jobs.append(Job(entry, self.store.root / entry.path, wanted, alone=tries > 0))
            else:
                self._batch.unwanted.append(entry)
        if crew is not None:
            crew.give(jobs)

    def _tell(self, entry: Entry, look: Look, findings: Findings) -> None:
        if findings.valid or findings.flags:
            self.news.tell(
                Kind.FOUND, entry.camera, in_words(findings), photo=entry.key, findings=findings,
                taken=entry.taken_ms / 1000,
            )  # fmt: skip
        if look.flags is not None:
            self.flags.update(findings.flags)
        # Of one that was not judged it is known that it is not broken, and that is good.
        kind = self._moods.seen(entry.camera, entry.taken_ms, findings.flags)
        if kind is Kind.POOR:
            text = f"its photos have gone bad: {in_words(evolve(findings, valid=()))}"
            self.news.tell(kind, entry.camera, text, photo=entry.key, findings=findings)
        elif kind is Kind.GOOD:
            text = "its photos are good again"
            self.news.tell(kind, entry.camera, text, photo=entry.key, findings=findings)


def in_words(findings: Findings) -> str:
    """What is on a photo, and what is wrong with it, in a line."""
    counts = Counter(detection.label for detection in findings.valid)
    things = [f"{count} {label}" for label, count in counts.most_common()]
    return ", ".join([*things, *sorted(flag.value for flag in findings.flags)])
