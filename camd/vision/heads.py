"""What a network gives, as boxes: the three kinds of output that YOLOs have.

- `Head.ANCHOR_FREE`, v8 to v12 (and v5 from Ultralytics' own package): 1 x (4 + classes) x places;
  middle, width and height, then a score for each class.
- `Head.OBJECTNESS`, YOLOv5's first export: 1 x places x (5 + classes); the same, with a score
  that there is anything between them.
- `Head.END_TO_END`, v10, 26 and whatever was exported with NMS: 1 x boxes x 6; corners, score,
  class: each thing once already.
"""

from collections.abc import Sequence
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from camd.vision.suppress import Found, Indices, suppressed


class HeadError(ValueError):
    """The network's output is none that is understood; the message is a line for people."""


class Head(Enum):
    """The kinds of output."""

    ANCHOR_FREE = "anchor-free"
    OBJECTNESS = "with objectness"
    END_TO_END = "end to end"


def head_of(shape: Sequence[int], classes: int, size: tuple[int, int], once: bool | None) -> Head:
    """Which kind an output of that *shape* is.

    :param classes: how many the model has.
    :param size: width and height of the input.
    :param once: the model says that it gives each thing once, or that it does not; None: it
        says nothing.
    :raises HeadError: none of them.
    """
    said = " x ".join(str(each) for each in shape)
    if len(shape) != 3 or shape[0] < 1:
        raise HeadError(f"its output of {said} is none of a YOLO that detects")
    _, rows, columns = shape
    if columns == 6 and once:
        return Head.END_TO_END
    if rows == 4 + classes and columns != 6:
        return Head.ANCHOR_FREE
    objectness = columns == 5 + classes
    if columns == 6 and not (objectness and (once is False or rows == _places(size))):
        return Head.END_TO_END
    if objectness:
        return Head.OBJECTNESS
    raise HeadError(
        f"its output of {said} does not go with {classes} classes: wanted is "
        f"1 x {4 + classes} x places, 1 x places x {5 + classes} or 1 x boxes x 6"
    )


def _places(size: tuple[int, int]) -> int:
    """How many places a YOLOv5 looks at: three shapes on three grids."""
    return sum(3 * (size[0] // stride) * (size[1] // stride) for stride in (8, 16, 32))


def boxes_of(
    head: Head,
    output: NDArray[np.float32],
    confidence: float,
    iou: float,
    most: int,
    *,
    alike: Indices | None = None,
) -> Found:
    """What is on the picture by an *output* of the kind *head*, in pixels of the input.

    :param confidence: only what is surer than this.
    :param iou: see `suppressed`; does not matter to a network that gives each thing once.
    :param most: boxes at most.
    :param alike: of each class of the network the number that it goes by here; several may be one.
    """
    rows = output[0]
    if head is Head.END_TO_END:
        sure = rows[rows[:, 4] > confidence][:most]
        found = Found(sure[:, :4], sure[:, 4], np.rint(sure[:, 5]).astype(np.intp))
        if alike is None:
            return found
        known = found.take((found.classes >= 0) & (found.classes < len(alike)))
        return suppressed(Found(known.corners, known.scores, alike[known.classes]), iou, most)
    if head is Head.OBJECTNESS:
        likely = rows[rows[:, 4] > confidence]
        middles, scores = likely[:, :4], likely[:, 5:] * likely[:, 4:5]
    else:
        likely = rows[:, rows[4:].max(axis=0) > confidence].T
        middles, scores = likely[:, :4], likely[:, 4:]
    classes = scores.argmax(axis=1)
    best = scores[np.arange(len(scores)), classes]
    sure = np.flatnonzero(best > confidence)
    if alike is not None:
        classes = alike[classes]
    found = Found(_corners(middles[sure]), best[sure], classes[sure])
    return suppressed(found, iou, most)


def _corners(middles: NDArray[np.float32]) -> NDArray[np.float32]:
    half = middles[:, 2:] / 2
    return np.concatenate((middles[:, :2] - half, middles[:, :2] + half), axis=1)
