"""YOLO's labels: a text file for each photo, a line for each thing.

A line is ``class x y width height``, the centre and the size of the box as shares of the picture;
behind them may stand a score. With more numbers it is an outline, ``class x y x y x y …``, of
which the box around it is taken.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from camd.findings import Annotation
from camd.labels.classes import (
    FILES,
    Classes,
    ClassesError,
    find_classes,
    read_classes,
)
from camd.labels.hearing import Find, Heard, Labels, around, box_of, read_text

_NUMBER = re.compile(
    r"-?(?:[0-9]{1,9}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:[eE][+-]?[0-9]{1,3})?", re.ASCII
)
_CLASS = re.compile(r"[0-9]{1,6}", re.ASCII)
_SLACK = 0.01
"""By so much of the picture a box may reach over its edges."""

_LARGEST_FILE = 1 << 24
_NONE_OF_THESE = frozenset({*FILES, "train.txt", "val.txt", "test.txt", "requirements.txt"})


def is_yolo(directory: Path) -> bool:
    """Whether there are YOLO's labels in *directory*."""
    return next(_files(directory), None) is not None


def read_yolo(directory: Path, find: Find, names: Path | None = None) -> Heard:
    """What the labels in *directory*, and in those below, say.

    :param names: the file that has the names of the classes; None: one is looked for.
    :raises OSError: the directory cannot be read.
    """
    heard = Heard()
    file = names or find_classes(directory)
    if file is None:
        heard.wrong(str(directory), f"the classes have no names: {FILES[0]} or {FILES[3]} has them")
        return heard
    try:
        classes = read_classes(file)
    except ClassesError as error:
        heard.wrong(f"{file}:{error.line}", error)
        return heard
    except ValueError as error:
        heard.wrong(str(file), error)
        return heard
    for path in _files(directory):
        photo = find(path.stem)
        where = str(path.relative_to(directory))
        if photo is None:
            heard.unknown.append(where)
            continue
        try:
            text = read_text(path, _LARGEST_FILE)
        except ValueError as error:
            heard.wrong(where, error)
            continue
        before = len(heard.mistakes)
        annotations = tuple(_lines(text, where, classes, heard))
        if len(heard.mistakes) == before:
            heard.add(Labels(photo, where, annotations))
    return heard


def _files(directory: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(directory):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".txt") and name not in _NONE_OF_THESE:
                yield Path(place, name)


def _lines(text: str, where: str, classes: Classes, heard: Heard) -> Iterator[Annotation]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            annotation, outlined = parse_line(line, classes)
        except ValueError as error:
            heard.wrong(f"{where}:{number}", error)
            continue
        heard.outlines += outlined
        yield annotation


def parse_line(line: str, classes: Classes) -> tuple[Annotation, bool]:
    """What a line says, and whether it is an outline.

    :raises ValueError: saying what is wrong with it.
    """
    first, *rest = line.split()
    if _CLASS.fullmatch(first) is None:
        raise ValueError(f"it begins with the number of a class, not {first[:20]!r}")
    label = classes.get(int(first))
    if label is None:
        raise ValueError(f"no class has the number {int(first)}")
    numbers = [_share(text) for text in rest]
    if len(numbers) in (4, 5):
        x, y, width, height = numbers[:4]
        if width <= 0 or height <= 0:
            raise ValueError("a box has a width and a height")
        return Annotation(label, box_of(x - width / 2, y - height / 2, width, height)), False
    if len(numbers) < 6 or len(numbers) % 2:
        raise ValueError(
            "behind the class stand x, y, width and height, or the points of an outline"
        )
    points = zip(numbers[::2], numbers[1::2], strict=True)
    return Annotation(label, box_of(*around(points))), True


def _share(text: str) -> float:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text[:20]!r} is no number")
    number = float(text)
    if not -_SLACK <= number <= 1 + _SLACK:
        raise ValueError(f"{text[:20]} is no share of the picture, 0 to 1")
    return number
