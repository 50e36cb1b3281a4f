"""A JPEG as pixels, upright; and small, for whoever only measures it.

Knows how to refuse what is too large, and how to tell a picture whose end is missing.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from PIL import Image

from camd.upright import upright, upright_size
from camd.vision.letterbox import Pixels
from camd.vision.wanted import Limits

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SMALL = (320, 240)
"""A small picture is as small as the decoder makes it by halves, but no smaller than this."""

_NOTHING = 128


class NoPhotoError(ValueError):
    """It is not to be looked at, now or ever; the message is a line for people."""


@frozen(eq=False)
class Decoded:
    """:ivar pixels: the picture upright; None where only the small one is wanted.
    :ivar small: height x width x 3, each side halved as often as it stays above `SMALL`.
    :ivar whole: there was data for all of it.
    """

    width: int
    height: int
    pixels: Pixels | None
    small: NDArray[np.uint8]
    whole: bool


def decoded(jpeg: bytes, limits: Limits, large: bool) -> Decoded | None:
    """The picture; None where the decoder cannot finish it.

    :param large: its pixels are wanted too: costs two to five times as much.
    :raises NoPhotoError: it is larger than *limits* allow.
    """
    if len(jpeg) > limits.most_bytes:
        raise NoPhotoError(f"it has {len(jpeg)} bytes: {limits.most_bytes} at most are looked at")
    try:
        image: Picture = Image.open(io.BytesIO(jpeg), formats=("JPEG",))
        width, height = image.size
        if width * height > limits.most_pixels:
            raise NoPhotoError(
                f"it is {width} x {height} pixels: {limits.most_pixels} at most are looked at"
            )
        times = _halves(width, height)
        if large:
            image.load()
            small = _coloured(image).reduce(times)
        else:
            image.draft("RGB", (-(-width // times), -(-height // times)))
            image.load()
            small = _coloured(image)
    except Image.DecompressionBombError:
        raise NoPhotoError("it is larger than any photo") from None
    except (OSError, SyntaxError, ValueError, EOFError, ArithmeticError, MemoryError) as error:
        if isinstance(error, NoPhotoError):
            raise
        return None
    whole = _has_end(np.asarray(small))
    width, height = upright_size((width, height), jpeg)
    pixels = _pixels(upright(image, jpeg)) if large else None
    return Decoded(width, height, pixels, np.asarray(small), whole)


def _halves(width: int, height: int) -> int:
    long, short = max(width, height), min(width, height)
    times = 1
    while times < 8 and long >= SMALL[0] * times * 2 and short >= SMALL[1] * times * 2:
        times *= 2
    return times


def _coloured(image: Picture) -> Picture:
    return image if image.mode == "RGB" else image.convert("RGB")


def _pixels(image: Picture) -> Pixels:
    """Four bytes a pixel, as Pillow has them."""
    if image.mode == "CMYK":
        return _mixed(np.asarray(image))
    rgb = _coloured(image)
    flat = np.frombuffer(rgb.tobytes("raw", "RGBX"), np.uint8)
    return flat.reshape(rgb.height, rgb.width, 4)


def _mixed(inks: NDArray[np.uint8]) -> Pixels:
    """Cyan, magenta, yellow and black as OpenCV makes colours of them, and so Ultralytics:
    many a shade lighter than Pillow's."""
    light = 255 - inks[:, :, 3].astype(np.uint16)
    pixels = np.zeros_like(inks)
    for channel in range(3):
        pixels[:, :, channel] = light - (inks[:, :, channel] * light >> 8)
    return pixels


def _has_end(small: NDArray[np.uint8]) -> bool:
    """Whether the picture's last corner has anything on it.

    Where data is missing the decoder goes on with blocks of exactly middle grey, to the end; the
    noise of a sensor leaves none of those.
    """
    corner = small[-2:, -4:]
    return bool(np.any(corner != _NOTHING))
