"""The nouns of what is on a photo: what a model found, what a person said, how good it is.

Boxes are shares of the picture, measured from its top left corner: 0 to 1, whatever its pixels.
Knows no model, no file and no clock.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from enum import Enum

from attrs import frozen

SAME = 0.5
"""Intersection over union from which two boxes of one class are taken for the same thing."""

LONGEST_CLASS = 100
"""Characters of a class's name at most."""


_HAIR = 1e-9
_STEPS = (1 / 64, 1 / 8, 1.0)


class Flag(Enum):
    """What is wrong with a photo, seen by itself or beside the one before."""

    DARK = "dark"
    BRIGHT = "bright"
    BLURRED = "blurred"
    GREEN = "green"
    FROZEN = "frozen"
    COVERED = "covered"
    BROKEN = "broken"

    @property
    def bit(self) -> int:
        """Its place in a number that stands for several flags."""
        return 1 << _FLAGS.index(self)


_FLAGS = tuple(Flag)
"""In the order of their bits; only added to."""


def flags_of(bits: int) -> frozenset[Flag]:
    """The flags that the number *bits* stands for; bits of no flag are left out."""
    return frozenset(flag for flag in _FLAGS if bits & flag.bit)


def bits_of(flags: Iterable[Flag]) -> int:
    """The number that stands for *flags*."""
    return sum({flag.bit for flag in flags})


@frozen
class Box:
    """:ivar x: its left edge, *y*: its upper one, *width*, *height*: all shares of the picture."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    def overlap(self, other: "Box") -> float:
        """The area that both have."""
        wide = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        high = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return wide * high if wide > 0 and high > 0 else 0.0

    def iou(self, other: "Box") -> float:
        """Intersection over union: 0 where they are apart, 1 where they are the same."""
        both = self.overlap(other)
        either = self.area + other.area - both
        return both / either if either > 0 else 0.0

    def numbers(self) -> tuple[float, float, float, float]:
        return self.x, self.y, self.width, self.height


def parse_box(numbers: Sequence[object]) -> Box:
    """A box from x, y, width and height, cut at the picture's edges.

    :raises ValueError: they are no four numbers, or nothing of the box is on the picture.
    """
    if len(numbers) != 4 or not all(
        isinstance(n, (int, float)) and not isinstance(n, bool) and abs(n) < 1e6 for n in numbers
    ):
        raise ValueError("a box is four numbers: x, y, width and height, shares of the picture")
    x, y, width, height = (float(n) for n in numbers)  # type: ignore[arg-type]
    if x >= 0 and y >= 0 and width > 0 and height > 0 and x + width <= 1 and y + height <= 1:
        return Box(x, y, width, height)
    left, top = max(0.0, x), max(0.0, y)
    right, bottom = min(1.0, x + width), min(1.0, y + height)
    if right <= left or bottom <= top:
        raise ValueError("a box has a width and a height, and lies on the picture")
    return Box(left, top, right - left, bottom - top)


def parse_class(text: object) -> str:
    """The name of a class, as a person or a model gives it.

    :raises ValueError: it is empty, too long or not printable.
    """
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST_CLASS:
        raise ValueError(f"a class is a name of 1 to {LONGEST_CLASS} characters")
    if not text.isprintable():
        raise ValueError("a class is a name without line ends and control characters")
    return text.strip()


@frozen
class Detection:
    """Something on a photo.

    :ivar label: its class, by name.
    :ivar score: 0 to 1, how sure the model is; 1 where a person said so.
    :ivar fresh: it was not there on the photos before.
    """

    label: str
    score: float
    box: Box
    fresh: bool = False


@frozen
class Annotation:
    """What a person said of one place on a photo.

    :ivar right: it is there; False: a model took it for one of that class, and it is none.
    """

    label: str
    box: Box
    right: bool = True


@frozen
class Look:
    """What became of looking at one photo.

    :ivar photo: the catalog's number for it.
    :ivar detections: None where it was only judged, and no model looked.
    :ivar flags: None where it was not judged. Whether it is frozen is for the catalog to say.
    :ivar fingerprint: the same for the same picture, and for hardly another; empty: not taken.
    """

    photo: int
    detections: tuple[Detection, ...] | None
    flags: frozenset[Flag] | None = None
    fingerprint: bytes = b""


@frozen
class Findings:
    """All that is known of what is on a photo.

    :ivar model: the name of the model that looked, or "" where none did.
    :ivar model_hash: the SHA-256 of its file, in hex.
    :ivar looked_ms: when, in unix milliseconds; 0: never.
    :ivar detections: what the model found.
    :ivar annotations: what a person said; it outranks the model.
    :ivar done: a person has looked at the whole photo: what is not annotated is not there.
    :ivar valid: what is there by all that is known, and which of it is new.
    """

    flags: frozenset[Flag] = frozenset()
    model: str = ""
    model_hash: str = ""
    looked_ms: int = 0
    detections: tuple[Detection, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    done: bool = False
    valid: tuple[Detection, ...] = ()

    @property
    def fresh(self) -> int:
        """How much of it was not on the photos before."""
        return sum(detection.fresh for detection in self.valid)


def outranked(
    detections: Iterable[Detection], annotations: Sequence[Annotation], done: bool
) -> tuple[Detection, ...]:
    """What is there by a person's word, and of the model's what that word leaves open."""
    said = tuple(Detection(a.label, 1.0, a.box) for a in annotations if a.right)
    if done:
        return said
    row = sorted((annotation.box for annotation in annotations), key=lambda box: box.x)
    lefts = [box.x for box in row]
    widest = max((box.width for box in row), default=0.0)

    def spoken_of(box: Box) -> bool:
        """Whether a person's word is about that very thing, be it under another name."""
        # A card has hundreds: those that begin too far to the left or the right are left out.
        first = bisect_left(lefts, box.x - widest)
        last = bisect_right(lefts, box.x + box.width)
        return any(other.iou(box) >= SAME for other in row[first:last])

    return (*said, *(each for each in detections if not spoken_of(each.box)))


def fresh(before: Sequence[Detection], now: Sequence[Detection]) -> list[bool]:
    """For each of *now*, whether it was not there *before*: in class and place nothing is like it.

    Each thing of before stands for one of now; the closest pairs are found first. What moved by
    less than half its size is the same, so a trap may sway a little.
    """
    rows: dict[str, list[tuple[float, float, int]]] = {}
    largest: dict[str, tuple[float, float]] = {}
    for index, detection in enumerate(before):
        label, box = detection.label, detection.box
        rows.setdefault(label, []).append((*box.centre, index))
        wide, high = largest.get(label, (0.0, 0.0))
        largest[label] = max(wide, box.width), max(high, box.height)
    for row in rows.values():
        row.sort()
    known, used = _in_place(before, now)
    # Step by step, so that of a crowd hardly any pairs are left when it comes to the distant ones.
    for furthest in _STEPS:
        for label, row in rows.items():
            rows[label] = [each for each in row if each[2] not in used]
        pairs = []
        for at, detection in enumerate(now):
            if at in known:
                continue
            row, box = rows.get(detection.label, []), detection.box
            # A card has hundreds: those too far away, by either side, are not looked at.
            wide, high = largest.get(detection.label, (0.0, 0.0))
            reach = furthest * (box.width + wide) / 4 + _HAIR
            drop = furthest * (box.height + high) / 4 + _HAIR
            x, y = box.centre
            for place in range(bisect_left(row, (x - reach,)), len(row)):
                there, below, index = row[place]
                if there > x + reach:
                    break
                if not -drop <= y - below <= drop:
                    continue
                distance = _distance(before[index].box, box)
                if distance <= furthest:
                    pairs.append((distance, at, index))
        for _, at, index in sorted(pairs):
            if at not in known and index not in used:
                known.add(at)
                used.add(index)
    return [at not in known for at in range(len(now))]


def _in_place(before: Sequence[Detection], now: Sequence[Detection]) -> tuple[set[int], set[int]]:
    """Which of *now* are exactly where one of *before* was, and which of *before* those are."""
    places: dict[tuple[str, float, float], list[int]] = {}
    for index, detection in enumerate(before):
        places.setdefault((detection.label, *detection.box.centre), []).append(index)
    known: set[int] = set()
    used: set[int] = set()
    for at, detection in enumerate(now):
        there = places.get((detection.label, *detection.box.centre), [])
        for index in there:
            if _distance(before[index].box, detection.box) == 0:
                there.remove(index)
                known.add(at)
                used.add(index)
                break
    return known, used


def lately(photos: Iterable[Sequence[Detection]]) -> list[Detection]:
    """What was there, by some photos, newest first: all of the newest, and of each other one what
    is on none that is newer. A network overlooks now and then what it saw before and sees again."""
    there: list[Detection] = []
    for each in photos:
        gone = fresh(there, each)
        there += [thing for thing, is_gone in zip(each, gone, strict=True) if is_gone]
    return there


def _distance(one: Box, other: Box) -> float:
    """How far apart their centres are, in halves of their mean size; 2 where their sizes differ
    too much for them to be the same thing."""
    small, large = sorted((one.area, other.area))
    if small <= 0 or large > 4 * small:
        return 2.0
    (x, y), (u, v) = one.centre, other.centre
    half_width = (one.width + other.width) / 4
    half_height = (one.height + other.height) / 4
    return float((((x - u) / half_width) ** 2 + ((y - v) / half_height) ** 2) ** 0.5)
