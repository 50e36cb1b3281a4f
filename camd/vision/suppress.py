"""Of many boxes around one thing, the surest: non-maximum suppression, class by class.

As Ultralytics does it: boxes of different classes leave each other alone, and two of one class
go together where intersection over union is *above* the bound.
"""

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

MOST_CANDIDATES = 30_000
"""Boxes that are compared at most, the surest ones."""

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]


@frozen(eq=False)
class Found:
    """Boxes that a network gave, *n* of them.

    :ivar corners: n x 4: x1 y1 x2 y2, in pixels.
    :ivar scores: n, 0 to 1.
    :ivar classes: n, numbers of the model's classes.
    """

    corners: Floats
    scores: Floats
    classes: Indices

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> "Found":
        return Found(self.corners[which], self.scores[which], self.classes[which])


def suppressed(found: Found, iou: float, most: int) -> Found:
    """The boxes that stay, the surest first.

    :param iou: 0 to 1; two of a class that share more are one.
    :param most: so many at most.
    """
    order = np.argsort(-found.scores, kind="stable")[:MOST_CANDIDATES]
    found = found.take(order)
    stays = np.zeros(len(found), np.bool_)
    for each in np.unique(found.classes):
        of_class = np.flatnonzero(found.classes == each)
        stays[of_class[_stay(found.corners[of_class], iou, most)]] = True
    return found.take(np.flatnonzero(stays)[:most])


def _stay(corners: Floats, iou: float, most: int) -> Indices:
    """Which of the boxes of one class stay; the surest come first in *corners*."""
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    left = np.arange(len(corners))
    kept: list[int] = []
    while len(left) and len(kept) < most:
        first, left = left[0], left[1:]
        kept.append(first)
        both = shared(corners[first], corners[left])
        either = areas[first] + areas[left] - both
        # A box that is less than nothing wide, as a network may give, is in nobody's way.
        left = left[(either <= 0) | (both <= iou * either)]
    return np.array(kept, np.intp)


def shared(box: Floats, others: Floats) -> Floats:
    """The area that *box* has in common with each of *others*."""
    wide = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    high = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    common: Floats = np.maximum(wide, 0) * np.maximum(high, 0)
    return common
