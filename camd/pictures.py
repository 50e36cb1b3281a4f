"""Photos of a yellow sticky trap, as an OV2640 would take them, drawn with Pillow.

A picture is a function of (seed, camera, number, framesize): the same bytes for the same
Pillow, other bytes for any other number. Insects gather on a card over a night, a walking one
is somewhere else in each photo, and the sensor's noise never repeats. Needs the extra
``camd[simulate]``; nothing here knows a protocol or a board.
"""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable
from statistics import NormalDist
from typing import TYPE_CHECKING

from attrs import define, field, frozen

if TYPE_CHECKING:
    from PIL.Image import Image

NIGHT = 720
"""Photos until the card is changed: twelve hours at one a minute."""

CATCH = 90
"""Insects on a card at the end of its night."""

CHEAP_BASES = 6
"""Pictures of each size that are drawn where every photo is one of them with a comment."""


@frozen
class Framesize:
    """A size that the sensor can be set to.

    :ivar quality: Pillow's, so that a picture has as many bytes as the board's at quality 12.
    :ivar noise: standard deviation of the sensor's noise, of 255.
    """

    name: str
    width: int
    height: int
    quality: int
    noise: float


FRAMESIZES = {
    size.name: size
    for size in (
        Framesize("qvga", 320, 240, 40, 2.5),
        Framesize("cif", 400, 296, 55, 3.0),
        Framesize("hvga", 480, 320, 60, 3.0),
        Framesize("vga", 640, 480, 70, 4.0),
        Framesize("svga", 800, 600, 70, 4.0),
        Framesize("xga", 1024, 768, 70, 4.0),
        Framesize("hd", 1280, 720, 70, 4.0),
        Framesize("sxga", 1280, 1024, 70, 4.0),
        Framesize("uxga", 1600, 1200, 70, 4.0),
    )
}
"""By the names that the stock sketch's ``framesize`` has, smallest first."""

_CARD = (236, 204, 40)
_RULE = (212, 178, 28)
_WING = (206, 196, 158, 150)
_BODIES = ((35, 30, 26), (62, 44, 28), (24, 40, 30), (90, 70, 50), (20, 20, 34))
_SPRITES = 48
_SHIFTS = 64
_LARGER = 4


class PicturesUnavailableError(Exception):
    """Pillow is not installed; the message is a line for people."""

    def __init__(self) -> None:
        super().__init__('drawing photos needs Pillow: pip install "camd[simulate]"')


@frozen
class _Plate:
    """What all pictures of one size share: the bare card, the noise, the insects."""

    card: Image
    noise: Image
    sprites: tuple[Image, ...]


@define(eq=False)
class Album:
    """Takes the pictures of any number of cameras, and keeps none of them.

    :param seed: another seed, other pictures.
    :param cheap: draw `CHEAP_BASES` pictures of each size, and tell the photos apart by a
        comment segment: for load, where drawing would cost more than sending.
    :raises PicturesUnavailableError: where Pillow is not installed.
    """

    seed: int = 0
    cheap: bool = False
    _plates: dict[str, _Plate] = field(factory=dict, init=False)
    _bases: dict[tuple[str, int], bytes] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        try:
            import PIL.Image  # noqa: F401
        except ImportError:
            raise PicturesUnavailableError from None

    def picture(self, camera: str, number: int, framesize: str = "vga") -> bytes:
        """A whole baseline JPEG, 4:2:2, without EXIF.

        :param number: counts the camera's photos from 0.
        :raises KeyError: where no framesize has that name.
        """
        size = FRAMESIZES[framesize]
        if self.cheap:
            return self._commented(size, camera, number)
        return self._drawn(size, camera, number)

    def _commented(self, size: Framesize, camera: str, number: int) -> bytes:
        which = random.Random(f"base {camera} {number}").randrange(CHEAP_BASES)
        base = self._bases.get((size.name, which))
        if base is None:
            base = self._drawn(size, "base", which * NIGHT // CHEAP_BASES)
            self._bases[size.name, which] = base
        comment = f"camd {self.seed} {camera} {number}".encode("ascii")
        length = (len(comment) + 2).to_bytes(2, "big")
        return b"".join((base[:2], b"\xff\xfe", length, comment, base[2:]))

    def _drawn(self, size: Framesize, camera: str, number: int) -> bytes:
        plate = self._plate(size)
        night, at = divmod(number, NIGHT)
        picture = plate.card.copy()
        by = random.Random(f"{self.seed} {camera} night {night}")
        for _ in range(3 + at * CATCH // NIGHT):
            _put(picture, plate, by)
        now = random.Random(f"{self.seed} {camera} photo {number}")
        _put(picture, plate, now)
        return _developed(picture, plate, size, now)

    def _plate(self, size: Framesize) -> _Plate:
        plate = self._plates.get(size.name)
        if plate is None:
            plate = self._plates[size.name] = _plate(size, self.seed)
        return plate


def _put(picture: Image, plate: _Plate, by: random.Random) -> None:
    """An insect of the plate's, somewhere on the card."""
    sprite = plate.sprites[by.randrange(len(plate.sprites))]
    x = by.randrange(picture.width) - sprite.width // 2
    y = by.randrange(picture.height) - sprite.height // 2
    picture.paste(sprite, (x, y), sprite)


def _developed(picture: Image, plate: _Plate, size: Framesize, by: random.Random) -> bytes:
    from PIL import ImageChops

    x, y = by.randrange(_SHIFTS), by.randrange(_SHIFTS)
    noise = plate.noise.crop((x, y, x + size.width, y + size.height))
    out = io.BytesIO()
    ImageChops.add(picture, noise, offset=-128).save(
        out, "JPEG", quality=size.quality, subsampling="4:2:2"
    )
    return out.getvalue()


def _plate(size: Framesize, seed: int) -> _Plate:
    by = random.Random(f"plate {seed} {size.name}")
    return _Plate(_bare_card(size), _noise(size, by), tuple(_sprites(size, by)))


def _bare_card(size: Framesize) -> Image:
    """Yellow, ruled, and darker towards the corners, where the lens takes light."""
    from PIL import Image, ImageDraw

    area = (size.width, size.height)
    card = Image.new("RGB", area, _CARD)
    draw = ImageDraw.Draw(card)
    step = size.width // 10
    for at in range(step // 2, size.width, step):
        draw.line((at, 0, at, size.height), fill=_RULE, width=max(1, size.width // 400))
        draw.line((0, at, size.width, at), fill=_RULE, width=max(1, size.width // 400))
    shade = Image.radial_gradient("L").resize(area).point([level // 4 for level in range(256)])
    return Image.composite(Image.new("RGB", area, (60, 48, 10)), card, shade)


def _noise(size: Framesize, by: random.Random) -> Image:
    """Grey around 128, larger than a picture, so that a piece of it is seldom the same."""
    from PIL import Image

    normal = NormalDist(128.0, size.noise)
    table = bytes(round(normal.inv_cdf((level + 0.5) / 256)) for level in range(256))
    width, height = size.width + _SHIFTS, size.height + _SHIFTS
    grey = Image.frombytes("L", (width, height), by.randbytes(width * height).translate(table))
    return Image.merge("RGB", (grey, grey, grey))


def _sprites(size: Framesize, by: random.Random) -> list[Image]:
    """Insects from above, each at its own size, angle and kind."""
    from PIL import Image

    drawn = []
    for _ in range(_SPRITES):
        length = size.width * by.uniform(0.006, 0.022)
        kind: Callable[[Image.Image, float, random.Random], None]
        kind = by.choice((_fly, _fly, _beetle, _moth))
        side = max(4, math.ceil(length * 3.2))
        large = Image.new("RGBA", (side * _LARGER, side * _LARGER))
        kind(large, length * _LARGER, by)
        turned = large.rotate(by.uniform(0, 360), Image.Resampling.BILINEAR)
        drawn.append(turned.resize((side, side), Image.Resampling.BOX))
    return drawn


def _fly(image: Image, length: float, by: random.Random) -> None:
    """A narrow body, two wings aslant behind it, six legs."""
    _legs(image, length, by)
    _oval(image, length, (-0.45, 0.42), (0.62, 0.2), _WING)
    _oval(image, length, (-0.45, -0.42), (0.62, 0.2), _WING)
    body = by.choice(_BODIES)
    _oval(image, length, (-0.1, 0.0), (0.6, 0.22), body)
    _oval(image, length, (0.6, 0.0), (0.2, 0.2), body)


def _beetle(image: Image, length: float, by: random.Random) -> None:
    """Round, and all one shell."""
    _legs(image, length, by)
    body = by.choice(_BODIES)
    _oval(image, length, (0.0, 0.0), (0.7, 0.45), body)
    _oval(image, length, (0.72, 0.0), (0.24, 0.26), (18, 16, 14))
    _oval(image, length, (0.1, 0.15), (0.3, 0.07), (130, 120, 100))


def _moth(image: Image, length: float, by: random.Random) -> None:
    """Wide wings of its own brown around a thin body."""
    brown = by.randrange(90, 150)
    wing = (brown, brown - 20, brown - 46)
    for side in (-1.0, 1.0):
        _oval(image, length, (0.15, side * 0.6), (0.45, 0.6), wing)
        _oval(image, length, (-0.45, side * 0.42), (0.35, 0.42), wing)
    _oval(image, length, (0.0, 0.0), (0.75, 0.14), by.choice(_BODIES))


def _oval(
    image: Image,
    length: float,
    middle: tuple[float, float],
    radii: tuple[float, float],
    fill: tuple[int, ...],
) -> None:
    """An ellipse around *middle*; both measured in body lengths from the image's centre."""
    from PIL import ImageDraw

    x, y = image.width / 2 + middle[0] * length, image.height / 2 + middle[1] * length
    wide, high = radii[0] * length, radii[1] * length
    ImageDraw.Draw(image).ellipse((x - wide, y - high, x + wide, y + high), fill=fill)


def _legs(image: Image, length: float, by: random.Random) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(image)
    x, y = image.width / 2, image.height / 2
    for at in (-0.4, 0.0, 0.4):
        for side in (-1, 1):
            foot = x + (at * 1.8 + by.uniform(-0.2, 0.2)) * length
            line = (x + at * length, y, foot, y + side * length * by.uniform(0.7, 1.0))
            draw.line(line, fill=(30, 26, 20), width=_LARGER // 2)
