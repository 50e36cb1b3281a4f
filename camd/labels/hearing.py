"""What files of labels say, and what is wrong with them.

Nothing here reads a file of a particular form.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from attrs import define, field, frozen

from camd.findings import Annotation, Box, parse_box
from camd.store.annotations import MOST
from camd.store.entry import Entry

Find = Callable[[str], Entry | None]
"""The photo of the store that a file's name or path means."""

LARGEST = 1 << 30
"""Bytes; a file above that is not read."""


@frozen
class Labels:
    """:ivar where: the file that says so. *annotations*: all of what is on the photo."""

    photo: Entry
    where: str
    annotations: tuple[Annotation, ...]


@frozen
class Mistake:
    """:ivar where: a file, and the line or the place in it."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


@define
class Heard:
    """All that was heard, in the order of the files.

    :ivar unknown: names of photos that the store does not have.
    :ivar outlines: things that were drawn as polygons, of which the box around it is taken.
    :ivar crowds: labels of COCO for many things at once, left out.
    """

    labels: list[Labels] = field(factory=list)
    mistakes: list[Mistake] = field(factory=list)
    unknown: list[str] = field(factory=list)
    outlines: int = 0
    crowds: int = 0

    def add(self, labels: Labels) -> None:
        """It counts, unless there are more annotations than a photo may have."""
        if len(labels.annotations) > MOST:
            self.wrong(labels.where, f"more than {MOST} labels on one photo")
        else:
            self.labels.append(labels)

    def wrong(self, where: str, why: object) -> None:
        self.mistakes.append(Mistake(where, str(why)))


def box_of(x: float, y: float, width: float, height: float) -> Box:
    """The box as it is kept: cut at the picture's edges, to a millionth of the picture.

    :raises ValueError: nothing of it is on the picture, or it is too small to be kept.
    """
    cut = parse_box((x, y, width, height))
    return parse_box([round(number, 6) for number in cut.numbers()])


def around(points: Iterable[tuple[float, float]]) -> tuple[float, float, float, float]:
    """The box around an outline: x, y, width and height, in the unit of the points."""
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def read_text(path: Path, most: int = LARGEST) -> str:
    """:raises ValueError: it is too large, or no UTF-8. :raises OSError: it cannot be read."""
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"larger than {most:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("no UTF-8 text") from None
