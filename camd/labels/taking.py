"""What was heard counts from now on: it is a person's word, and outranks any model."""

from collections.abc import Callable
from pathlib import Path

from attrs import define, field

from camd.findings import Annotation, Findings
from camd.labels.hearing import Heard, Labels
from camd.photo import FrameKey
from camd.store.annotations import AnnotationJournal, Said
from camd.store.catalog import Catalog, CatalogReader
from camd.store.findings import FindingsReader

AT_ONCE = 500
"""Photos of which the journal is told, and which are safe, in one go."""


@define
class News:
    """What is to be said.

    :ivar said: of which photos, and what.
    :ivar same: photos of which a person said just that before.
    :ivar replaced: of *said*, photos of which a person said something else before.
    :ivar bare: photos without a label, of which nothing is said.
    """

    said: list[Said] = field(factory=list)
    same: int = 0
    replaced: int = 0
    bare: int = 0

    @property
    def things(self) -> int:
        return sum(len(each.annotations) for each in self.said)


def gather(catalog: CatalogReader, heard: Heard, *, done: bool, empty: bool) -> News:
    """What of *heard* is news. Where two files speak of one photo, and differ, that is added to
    its mistakes.

    :param done: on those photos there is no more than that.
    :param empty: where there is no label, there is nothing on the photo.
    :raises CatalogError: from the catalog.
    """
    news = News()
    first: dict[FrameKey, Labels] = {}
    disputed: set[FrameKey] = set()
    for labels in heard.labels:
        one = first.setdefault(labels.photo.key, labels)
        if one is not labels and _bag(one.annotations) != _bag(labels.annotations):
            disputed.add(labels.photo.key)
            heard.wrong(labels.where, f"says of {labels.photo.path} what {one.where} does not")
    wanted = []
    for key, labels in first.items():
        if key in disputed:
            continue
        if labels.annotations or empty:
            wanted.append(labels)
        else:
            news.bare += 1
    reader = FindingsReader(catalog)
    for at in range(0, len(wanted), AT_ONCE):
        some = wanted[at : at + AT_ONCE]
        known = reader.of_many(labels.photo.id for labels in some)
        for labels in some:
            before = known.get(labels.photo.id, Findings())
            if before.done is done and _bag(before.annotations) == _bag(labels.annotations):
                news.same += 1
                continue
            news.replaced += before.done or bool(before.annotations)
            news.said.append(Said(labels.photo.key, labels.annotations, done))
    return news


def _bag(annotations: tuple[Annotation, ...]) -> list[tuple[object, ...]]:
    """The same for the same annotations in any order, to a millionth of the picture."""
    return sorted(
        (each.label, each.right, *(round(n, 6) for n in each.box.numbers())) for each in annotations
    )


def take(root: Path, catalog: Catalog, news: News, told: Callable[[int], None]) -> int:
    """It is said, so that it lasts.

    :param told: is told how many photos are done.
    :returns: how many photos there were; others went meanwhile.
    :raises OSError: it could not be written down; what was told is.
    :raises CatalogError: from the catalog.
    """
    journal = AnnotationJournal(root)
    there = 0
    for at in range(0, len(news.said), AT_ONCE):
        some = news.said[at : at + AT_ONCE]
        there += sum(known is not None for known in journal.say(catalog, some))
        told(at + len(some))
    return there
