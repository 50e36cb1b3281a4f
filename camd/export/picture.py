"""One photo of a data set, as every form is given it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

from attrs import frozen

from camd.export.choice import Choice, Pick, ZoneOf
from camd.export.sides import Side
from camd.findings import Box, Findings
from camd.store.catalog import CatalogReader
from camd.store.entry import Entry
from camd.store.findings import FindingsReader

AT_ONCE = 500


@frozen
class Thing:
    """Something on a photo.

    :ivar score: how sure the model is, 0 to 1; 1 where a person said so.
    :ivar by_person: whose word it is.
    :ivar fresh: it was not on the photos before.
    """

    label: str
    box: Box
    score: float
    by_person: bool
    fresh: bool


@frozen
class Picture:
    """:ivar taken: with the offset of the camera's zone.
    :ivar things: what is on it, of the classes that are asked for.
    """

    entry: Entry
    night: str
    taken: datetime
    findings: Findings
    things: tuple[Thing, ...]
    side: Side

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.entry.path.rpartition("/")[2]

    @property
    def stem(self) -> str:
        return self.name.removesuffix(".jpg")


class Form(Protocol):
    """How a data set lies on the disk. Made with the folder that it is to fill."""

    def add(self, picture: Picture) -> bool:
        """:returns: False where its photo is no longer there.

        :raises OSError: it could not be written.
        """

    def finish(self) -> None:
        """Nothing more is added. :raises OSError: it could not be written."""


def pictures(
    catalog: CatalogReader,
    picks: Sequence[Pick],
    choice: Choice,
    zone_of: ZoneOf,
    side_of: Callable[[Pick], Side],
) -> Iterator[Picture | None]:
    """What is known of each of *picks*, in their order; None: it is not there any more, or
    what made it worth choosing is not on it.

    :raises CatalogError: from the catalog.
    """
    reader = FindingsReader(catalog)
    for at in range(0, len(picks), AT_ONCE):
        some = picks[at : at + AT_ONCE]
        entries = catalog.entries(pick.photo for pick in some)
        known = reader.of_many(pick.photo for pick in some)
        for pick in some:
            entry, findings = entries.get(pick.photo), known.get(pick.photo, Findings())
            if entry is None or entry.deleted_ms is not None:
                yield None
                continue
            things = tuple(_things(findings, choice))
            if not things and not _may_be_empty(findings, choice):
                yield None
                continue
            yield Picture(
                entry,
                pick.night,
                local(pick.taken_ms, zone_of(pick.camera)),
                findings,
                things,
                side_of(pick),
            )


def _things(findings: Findings, choice: Choice) -> Iterator[Thing]:
    """Of what is valid, what a person said comes first."""
    said = sum(annotation.right for annotation in findings.annotations)
    for at, found in enumerate(findings.valid):
        if choice.classes and found.label not in choice.classes:
            continue
        if at < said or found.score >= choice.least_score:
            yield Thing(found.label, found.box, found.score, at < said, found.fresh)


def _may_be_empty(findings: Findings, choice: Choice) -> bool:
    if choice.background is None:
        return True
    return choice.background > 0 and (findings.done or (choice.believed and bool(findings.model)))


def local(taken_ms: int, zone: tzinfo | None) -> datetime:
    """That moment by the clock of *zone*, to the millisecond."""
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=taken_ms)
    return when.astimezone(zone)
