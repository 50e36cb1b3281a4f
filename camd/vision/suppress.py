"""Of many boxes around one thing, the surest: non-maximum suppression, class by class.

As Ultralytics does it: boxes of different classes leave each other alone, and two of one class
go together where intersection over union is *above* the bound.
"""

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

MOST_CANDIDATES = 30_000
"""Boxes that are compared at most, the surest ones."""

_BLOCK = 256

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
    found = found.take(np.argsort(-found.scores, kind="stable")[:MOST_CANDIDATES])
    kept = found.take(np.zeros(0, np.intp))
    for at in range(0, len(found), _BLOCK):
        block = found.take(np.arange(at, min(at + _BLOCK, len(found))))
        if len(kept):
            known = np.any(_alike(kept, block, iou), axis=0)
            block = block.take(np.flatnonzero(~known))
        alike = _alike(block, block, iou)
        stays = np.ones(len(block), np.bool_)
        for each in range(len(block)):
            if stays[each]:
                stays[each + 1 :] &= ~alike[each, each + 1 :]
        kept = _together(kept, block.take(stays))
        if len(kept) >= most:
            break
    return kept.take(np.arange(min(most, len(kept))))


def _alike(some: Found, others: Found, iou: float) -> NDArray[np.bool_]:
    """For each of *some* which of *others* is the same thing."""
    one, other = some.corners[:, None], others.corners[None]
    both = _common(one, other)
    either = areas(one) + areas(other) - both
    # A box that is less than nothing wide, as a network may give, is in nobody's way.
    same: NDArray[np.bool_] = (both > iou * either) & (either > 0)
    same &= some.classes[:, None] == others.classes
    return same


def _together(one: Found, other: Found) -> Found:
    return Found(
        np.concatenate((one.corners, other.corners)),
        np.concatenate((one.scores, other.scores)),
        np.concatenate((one.classes, other.classes)),
    )


def areas(corners: Floats) -> Floats:
    """Of boxes, x1 y1 x2 y2."""
    each: Floats = (corners[..., 2] - corners[..., 0]) * (corners[..., 3] - corners[..., 1])
    return each


def _common(one: Floats, other: Floats) -> Floats:
    wide = np.minimum(one[..., 2], other[..., 2]) - np.maximum(one[..., 0], other[..., 0])
    high = np.minimum(one[..., 3], other[..., 3]) - np.maximum(one[..., 1], other[..., 1])
    common: Floats = np.maximum(wide, 0) * np.maximum(high, 0)
    return common


def shared(box: Floats, others: Floats) -> Floats:
    """The area that *box* has in common with each of *others*."""
    return _common(box, others)
