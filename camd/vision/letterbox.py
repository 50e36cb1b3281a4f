"""A picture laid into a network's input: shrunk or enlarged as a whole, grey where it ends.

As Ultralytics does it, so that a network sees here what it saw there: the smaller of the two
scales, the picture in the middle, 114 around it, and interpolation between the four pixels
nearest to each point (OpenCV's INTER_LINEAR: pixel centres, no smoothing when it shrinks).
"""

from functools import lru_cache
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Height x width x 4: red, green, blue, and a byte that says nothing."""

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

Tensor = Floats
"""1 x 3 x height x width, 0 to 1."""

GREY = 114
_ROWS = 16
_SHADE = np.float32(1 / 255)


@frozen
class Fit:
    """How a picture lies in the input.

    :ivar scale: input pixels to a picture's pixel.
    :ivar left: input pixels before it, and *top*.
    :ivar inner: width and height of the picture there.
    :ivar size: width and height of the input.
    """

    picture: tuple[int, int]
    size: tuple[int, int]
    inner: tuple[int, int]
    left: int
    top: int
    scale: float

    def back(self, corners: Floats) -> Floats:
        """Corners x1 y1 x2 y2 (n x 4) of boxes in the input, as pixels of the picture and cut at
        its edges."""
        moved = (corners - np.array([self.left, self.top] * 2, np.float32)) / np.float32(self.scale)
        cut: Floats = np.clip(moved, 0, np.array(self.picture * 2, np.float32))
        return cut


def fitted(picture: tuple[int, int], size: tuple[int, int], stride: int = 0) -> Fit:
    """How *picture* lies in an input of *size*; both are width and height.

    :param stride: the input need not be of that size, but no larger, and a multiple of this.
    """
    scale = min(size[0] / picture[0], size[1] / picture[1])
    inner = max(1, round(picture[0] * scale)), max(1, round(picture[1] * scale))
    spare = [size[0] - inner[0], size[1] - inner[1]]
    if stride:
        spare = [each % stride for each in spare]
    left, top = (round(each / 2 - 0.1) for each in spare)
    whole = inner[0] + spare[0], inner[1] + spare[1]
    return Fit(picture, whole, inner, left, top, scale)


def letterboxed(pixels: Pixels, fit: Fit) -> Tensor:
    """The network's input."""
    width, height = fit.size
    tensor: Tensor = np.full((1, 3, height, width), np.float32(GREY) * _SHADE, np.float32)
    right, bottom = fit.left + fit.inner[0], fit.top + fit.inner[1]
    inside = tensor[0, :, fit.top : bottom, fit.left : right]
    if fit.inner == fit.picture:
        for channel in range(3):
            np.multiply(pixels[:, :, channel], _SHADE, out=inside[channel], dtype=np.float32)
    else:
        _resized(np.ascontiguousarray(pixels), inside)
    return tensor


def _resized(pixels: Pixels, out: Floats) -> None:
    """A few rows at a time, so that they stay in the processor's cache."""
    height, width = pixels.shape[:2]
    _, inner_height, inner_width = out.shape
    left, right, along = _axis(width, inner_width)
    upper, lower, down = _axis(height, inner_height)
    beside = np.repeat(along, 4)
    whole: NDArray[np.uint32] = pixels.view(np.uint32).reshape(height, width)
    for row in range(0, inner_height, _ROWS):
        rows = slice(row, row + _ROWS)
        above = _between(whole.take(upper[rows], axis=0), left, right, beside)
        below = _between(whole.take(lower[rows], axis=0), left, right, beside)
        _toward(above, below, down[rows, None])
        np.rint(above, out=above)
        above *= _SHADE
        out[:, rows] = above.reshape(-1, inner_width, 4)[:, :, :3].transpose(2, 0, 1)


def _between(
    rows: NDArray[np.uint32],
    left: Indices,
    right: Indices,
    beside: Floats,
) -> Floats:
    one = rows.take(left, axis=1).view(np.uint8).astype(np.float32)
    other = rows.take(right, axis=1).view(np.uint8).astype(np.float32)
    _toward(one, other, beside)
    return one


def _toward(one: Floats, other: Floats, share: Floats) -> None:
    """*one* moves that share of the way to *other*, which is used up."""
    other -= one
    other *= share
    one += other


@lru_cache(maxsize=64)
def _axis(there: int, here: int) -> tuple[Indices, Indices, Floats]:
    """For each of *here* pixels the two of *there* that it lies between, and how near the
    second is."""
    at: NDArray[Any] = (np.arange(here) + 0.5) * (there / here) - 0.5
    first = np.floor(at)
    share = (at - first).astype(np.float32)
    share[(first < 0) | (first >= there - 1)] = 0
    first = np.clip(first, 0, there - 1).astype(np.intp)
    return first, np.minimum(first + 1, there - 1), share
