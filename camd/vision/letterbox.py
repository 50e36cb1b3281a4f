"""A picture laid into a network's input: shrunk or enlarged as a whole, grey where it ends.

As Ultralytics does it, so that a network sees here what it saw there: the smaller of the two
scales, the picture in the middle, 114 around it, and interpolation between the four pixels
nearest to each point (OpenCV's INTER_LINEAR: pixel centres, no smoothing when it shrinks; the
same weights in 11 bits, and rounding at the same places, so the very same pixels).
"""

from functools import lru_cache

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Height x width x 4: red, green, blue, and a byte that says nothing."""

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]
Whole = NDArray[np.int32]

Tensor = Floats
"""1 x 3 x height x width, 0 to 1."""

GREY = 114
_ROWS = 16
_SHADE = np.float32(1 / 255)
_ONE = 2048


@frozen
class Fit:
    """How a picture lies in the input.

    :ivar picture: its width and height.
    :ivar size: width and height of the input.
    :ivar inner: width and height of the picture there.
    :ivar left: input pixels before it, and *top*.
    """

    picture: tuple[int, int]
    size: tuple[int, int]
    inner: tuple[int, int]
    left: int
    top: int

    def back(self, corners: Floats) -> Floats:
        """Corners x1 y1 x2 y2 (n x 4) of boxes in the input, as pixels of the picture and cut at
        its edges."""
        sides = zip(self.inner, self.picture, strict=True)
        scale = np.array([inner / side for inner, side in sides] * 2, np.float32)
        moved = (corners - np.array([self.left, self.top] * 2, np.float32)) / scale
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
    return Fit(picture, (inner[0] + spare[0], inner[1] + spare[1]), inner, left, top)


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
    left, right, columns = _axis(width, inner_width)
    upper, lower, rows = _axis(height, inner_height, outer=True)
    beside = columns.repeat(4, axis=1)
    whole: NDArray[np.uint32] = pixels.view(np.uint32).reshape(height, width)
    for row in range(0, inner_height, _ROWS):
        these = slice(row, row + _ROWS)
        above = _between(whole.take(upper[these], axis=0), left, right, beside)
        below = _between(whole.take(lower[these], axis=0), left, right, beside)
        _weigh(above, rows[0, these, None])
        _weigh(below, rows[1, these, None])
        above += below
        above += 2
        above >>= 2
        shades = above.reshape(-1, inner_width, 4)
        for channel in range(3):
            np.multiply(shades[:, :, channel], _SHADE, out=out[channel, these], dtype=np.float32)


def _weigh(part: Whole, weights: Whole) -> None:
    part >>= 4
    part *= weights
    part >>= 16


def _between(rows: NDArray[np.uint32], left: Indices, right: Indices, beside: Whole) -> Whole:
    one = rows.take(left, axis=1).view(np.uint8).astype(np.int32)
    other = rows.take(right, axis=1).view(np.uint8).astype(np.int32)
    one *= beside[0]
    other *= beside[1]
    one += other
    return one


@lru_cache(maxsize=64)
def _axis(there: int, here: int, outer: bool = False) -> tuple[Indices, Indices, Whole]:
    """For each of *here* pixels the two of *there* that it lies between, and their weights, of
    `_ONE` together.

    :param outer: beyond the outermost pixel it is taken twice, with both weights: the same, but
        for rounding.
    """
    at: Floats = ((np.arange(here) + 0.5) * (1.0 / (here / there)) - 0.5).astype(np.float32)
    first = np.floor(at)
    share = at - first
    if not outer:
        share[(first < 0) | (first >= there - 1)] = 0
    weights = np.rint(np.stack((1 - share, share)) * np.float32(_ONE)).astype(np.int32)
    one, other = (np.clip(each, 0, there - 1).astype(np.intp) for each in (first, first + 1))
    return one, other, weights
