"""What is wrong with a photo, measured on a small picture of it: a millisecond or two, no network.

Every measure is a function of the small picture alone; `camd.vision.thresholds` says from where
on it is a flag.
"""

import hashlib

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from camd.findings import Flag
from camd.vision.thresholds import Thresholds

Small = NDArray[np.uint8]
"""Height x width x 3."""

Grey = NDArray[np.float32]
"""Height x width, 0 to 255."""

FINGERPRINT_BYTES = 16

_LIMIT = 250
_DIM = 24
_EVERY = 4
_BLOCK = 8
_FLAT = 0.2
_STRUCTURED = 0.1
_CLEAR = 3.0
_FAINT = 0.25
_PLAIN = 4.0


def judged(small: Small, thresholds: Thresholds) -> frozenset[Flag]:
    """What is wrong with the picture by itself: of `Flag`, neither FROZEN nor BROKEN."""
    grey = brightness(small)
    low, high = _span(grey)
    if high < thresholds.dark:
        return frozenset({Flag.DARK})
    flags = set()
    if blown_out(small) > thresholds.bright:
        flags.add(Flag.BRIGHT)
    if tint(small) >= thresholds.green:
        flags.add(Flag.GREEN)
    structure = structure_of(grey)
    if structure.clear:
        if structure.sharpness < thresholds.blurred:
            flags.add(Flag.BLURRED)
    elif high - low < thresholds.covered and Flag.BRIGHT not in flags:
        flags.add(Flag.COVERED)
    return frozenset(flags)


def brightness(small: Small) -> Grey:
    """As the eye weighs the colours."""
    grey: Grey = small[:, :, 1] * np.float32(0.587)
    grey += small[:, :, 0] * np.float32(0.299)
    grey += small[:, :, 2] * np.float32(0.114)
    return grey


def _span(grey: Grey) -> tuple[float, float]:
    """Where the darkest fiftieth of the picture ends, and where the brightest one begins."""
    levels = np.sort(grey[::_EVERY, ::_EVERY], axis=None)
    return float(levels[len(levels) // 50]), float(levels[-1 - len(levels) // 50])


def blown_out(small: Small) -> float:
    """The share of the picture that has two colours of three at their limit, or all.

    Not one: a yellow card in good light has red there.
    """
    red, green, blue = (small[:, :, channel] >= _LIMIT for channel in range(3))
    return float(((red & green) | (red & blue) | (green & blue)).mean())


def tint(small: Small) -> float:
    """How many times red and blue green is, in nine tenths of the picture; or how many times
    green both of them are, whichever is more.

    A sensor that has not found its white balance yet tints the whole picture. Leaves or a yellow
    card do not: there is more red than blue in them, or something that has no colour.
    """
    few = small[::_EVERY, ::_EVERY].reshape(-1, 3)
    lit = few[few.max(axis=1) > _DIM].astype(np.float32) + 1
    if not len(lit):
        return 1.0
    red, green, blue = lit[:, 0], lit[:, 1], lit[:, 2]
    greenest = np.sort(green / np.maximum(red, blue))[len(lit) // 10]
    pinkest = np.sort(np.minimum(red, blue) / green)[len(lit) // 10]
    return float(max(greenest, pinkest))


@frozen
class Structure:
    """:ivar clear: there is something on the picture that stands out from its noise.
    :ivar sharpness: how much of that is as fine as a pixel or two, of what is as fine as two or
        four: about 0.5 for an edge in focus, more for a thin line, towards 0.06 out of focus.
    """

    clear: bool
    sharpness: float


def structure_of(grey: Grey) -> Structure:
    """Blocks that hardly differ within themselves tell how much is noise; of those that differ
    most, what is above that is the picture. So light and contrast do not matter, and a smooth
    scene is not taken for a blurred one.
    """
    base = _smoothed(grey)
    coarse = _smoothed(base)
    half = coarse[::2, ::2]
    fine_energy = _energy(base[2:-2, 2:-2] - coarse, 2 * _BLOCK)
    rough_energy = _energy(half[2:-2, 2:-2] - _smoothed(half), _BLOCK)
    rows, columns = (min(a, b) for a, b in zip(fine_energy.shape, rough_energy.shape, strict=True))
    fine, rough = fine_energy[:rows, :columns].ravel(), rough_energy[:rows, :columns].ravel()
    if rows * columns < 1 / _STRUCTURED:
        return Structure(False, 1.0)
    order = np.argsort(rough)
    flat, structured = order[: round(len(order) * _FLAT)], order[-round(len(order) * _STRUCTURED) :]
    floor, above = float(rough[flat].mean()), float(rough[structured].mean())
    signal = above - floor
    if signal < max(_FAINT, _CLEAR * floor):
        return Structure(False, 1.0)
    finer = float(fine[structured].mean() - fine[flat].mean())
    return Structure(True, max(0.0, finer) / signal)


def _smoothed(grey: Grey) -> Grey:
    """By 1 4 6 4 1, both ways; two pixels smaller on each side."""
    across = (grey[:, :-4] + grey[:, 4:] + 4 * (grey[:, 1:-3] + grey[:, 3:-1])) / 16
    across += grey[:, 2:-2] * np.float32(0.375)
    down = (across[:-4] + across[4:] + 4 * (across[1:-3] + across[3:-1])) / 16
    down += across[2:-2] * np.float32(0.375)
    return np.asarray(down, np.float32)


def _energy(band: Grey, side: int) -> Grey:
    """The mean square of each block of *side* pixels."""
    rows, columns = band.shape[0] // side, band.shape[1] // side
    blocks = band[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return np.asarray(np.square(blocks).mean(axis=(1, 3)), np.float32)


def fingerprint(jpeg: bytes, small: Small) -> bytes:
    """`FINGERPRINT_BYTES` that are the same for the same picture, and for hardly another.

    Of the coded picture, without the segments beside it that a program may write anew; empty
    where all of it is plain, for black is black every night.
    """
    if float(brightness(small).std()) < _PLAIN:
        return b""
    digest = hashlib.blake2b(digest_size=FINGERPRINT_BYTES)
    at = 2
    while jpeg[at : at + 1] == b"\xff" and at + 4 <= len(jpeg):
        code = jpeg[at + 1]
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if not (0xE0 <= code <= 0xEF or code == 0xFE):
            digest.update(jpeg[at:end])
        at = end
        if code == 0xDA:
            break
    digest.update(jpeg[at:])
    return digest.digest()
