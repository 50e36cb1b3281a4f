"""One trip to the catalog: what was seen is written down, and what is to be seen next is fetched.

`Trip.make` is done in the catalog's thread; everything else is carried there and back. Times are
unix milliseconds.
"""

from collections.abc import Collection, Iterable

from attrs import define, field, frozen

from camd.detect.worker import Job
from camd.findings import Findings, Flag, Look
from camd.photo import CameraId
from camd.store.catalog import Catalog
from camd.store.entry import Entry
from camd.store.findings import Backlog, Model
from camd.store.findings_writer import FindingsWriter
from camd.vision.lines import Ready
from camd.vision.wanted import Seen

AT_ONCE = 200
"""Photos on one trip at most: those that were seen, and those that are fetched."""


@define
class Batch:
    """What came of looking.

    :ivar looks: what was seen, by who saw it.
    :ivar suspects: photos that may have been a worker's death, each with why it died.
    :ivar failed: photos that can never be looked at, each with why.
    :ivar unwanted: photos that nobody wants looked at.
    """

    looks: dict[Model | None, list[tuple[Entry, Look]]] = field(factory=dict)
    suspects: list[tuple[Entry, str]] = field(factory=list)
    failed: list[tuple[Entry, str]] = field(factory=list)
    unwanted: list[Entry] = field(factory=list)

    def saw(self, ready: Ready, job: Job, seen: Seen) -> None:
        """That was seen on a photo, by a worker with that model."""
        model = Model(ready.name, ready.hash) if seen.detections is not None else None
        # What is broken is known without being judged.
        flags = seen.flags if job.wanted.judge or seen.flags else None
        look = Look(job.id, seen.detections, flags, seen.fingerprint)
        self.looks.setdefault(model, []).append((job.entry, look))

    def take_up(self, before: "Batch") -> None:
        """All of another one, too, which was earlier."""
        for model, looks in before.looks.items():
            self.looks[model] = looks + self.looks.get(model, [])
        self.suspects = before.suspects + self.suspects
        self.failed = before.failed + self.failed
        self.unwanted = before.unwanted + self.unwanted

    def __len__(self) -> int:
        looks = sum(len(each) for each in self.looks.values())
        return looks + len(self.suspects) + len(self.failed) + len(self.unwanted)

    def seen(self) -> Iterable[tuple[Entry, Look]]:
        for each in self.looks.values():
            yield from each

    def ids(self) -> set[int]:
        told = (*self.suspects, *self.failed)
        return {
            *(entry.id for entry, _ in self.seen()),
            *(entry.id for entry, _ in told),
            *(entry.id for entry in self.unwanted),
        }


@frozen
class Wish:
    """Photos that are wanted from the backlog. *only* and *without*: as `FindingsReader.next`."""

    limit: int
    only: Collection[CameraId] | None = None
    without: Collection[CameraId] = ()


@frozen
class Haul:
    """What was found there.

    :ivar findings: what is known now of the photos that were looked at.
    :ivar aside: suspects that are looked at no more.
    :ivar pages: for each wish, photos, and how often each of them was a suspect.
    :ivar before: as asked for: when, and the flags of the newest photos before then.
    """

    findings: dict[int, Findings]
    aside: list[tuple[Entry, str]]
    pages: list[list[tuple[Entry, int]]]
    backlog: Backlog | None
    before: dict[CameraId, tuple[int, list[frozenset[Flag]]]]


@frozen
class Trip:
    """:ivar tries: times that a photo may be a suspect until it is set aside.
    :ivar besides: photos that are looked at already.
    :ivar count: whether the backlog is to be counted.
    :ivar before: cameras of which it is wanted how their newest photos were before then, *most* of
        them.
    """

    batch: Batch
    now_ms: int
    tries: int
    wishes: list[Wish] = field(factory=list)
    newest_first: bool = True
    besides: Collection[int] = ()
    count: bool = False
    before: dict[CameraId, int] = field(factory=dict)
    most: int = 0

    def make(self, catalog: Catalog) -> Haul:
        """:raises CatalogError: nothing, or not all, was written; once more does no harm."""
        writer = FindingsWriter(catalog)
        before = {
            camera: (before_ms, writer.latest_flags(camera, before_ms, self.most))
            for camera, before_ms in self.before.items()
        }
        pages = [self._page(writer, wish) for wish in self.wishes]
        batch = self.batch
        findings: dict[int, Findings] = {}
        for model, looks in batch.looks.items():
            findings |= writer.looked(model, [look for _, look in looks], self.now_ms)
        if batch.unwanted:
            writer.dismiss(entry.id for entry in batch.unwanted)
        for entry, why in batch.failed:
            writer.set_aside(entry.id, why)
        backlog = writer.backlog() if self.count else None
        # Last, since each time counts.
        suspects = batch.suspects
        aside = [each for each in suspects if writer.tried(each[0].id, each[1], self.tries)]
        return Haul(findings, aside, pages, backlog, before)

    def _page(self, writer: FindingsWriter, wish: Wish) -> list[tuple[Entry, int]]:
        page = writer.next(
            wish.limit, self.newest_first, self.besides, only=wish.only, without=wish.without
        )
        tries = writer.tries([entry.id for entry in page]) if page else {}
        return [(entry, tries.get(entry.id, 0)) for entry in page]
