"""Real photos for the tests: insects on a yellow sticky card, drawn with Pillow."""

import io
import random
from functools import cache

from PIL import Image, ImageDraw

_CARD = (236, 204, 40)
_RULES = (214, 180, 30)
_BODIES = ((35, 30, 26), (62, 44, 28), (24, 40, 30), (90, 70, 50))


@cache
def insects(seed: int, size: tuple[int, int] = (320, 240), quality: int = 80) -> bytes:
    """A whole baseline JPEG: the same one for the same arguments, another for another *seed*.

    :param size: width and height in pixels.
    """
    draw_random = random.Random(f"insects {seed}")
    width, height = size
    picture = Image.new("RGB", size, _CARD)
    draw = ImageDraw.Draw(picture)
    for at in range(0, max(size), 40):
        draw.line((at, 0, at, height), fill=_RULES)
        draw.line((0, at, width, at), fill=_RULES)
    for _ in range(draw_random.randint(6, 14)):
        _insect(draw, draw_random, draw_random.uniform(0, width), draw_random.uniform(0, height))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, subsampling="4:2:2")
    return out.getvalue()


def _insect(draw: ImageDraw.ImageDraw, by: random.Random, x: float, y: float) -> None:
    length = by.uniform(4, 16)
    girth = length * by.uniform(0.3, 0.6)
    color = by.choice(_BODIES)
    for side in (-1, 1):
        for leg in (-0.5, 0.0, 0.5):
            knee = x + leg * length + by.uniform(-2, 2)
            draw.line((x + leg * length, y, knee, y + side * girth * 2), fill=color)
        wing = (x - length * 0.2, y + side * girth, x + length * 0.6, y + side * girth * 1.8)
        left, top, right, bottom = wing
        draw.ellipse((left, min(top, bottom), right, max(top, bottom)), fill=(200, 190, 150))
    draw.ellipse((x - length, y - girth, x + length, y + girth), fill=color)
    draw.ellipse((x + length * 0.8, y - girth / 2, x + length * 1.3, y + girth / 2), fill=color)


def measure(data: bytes) -> tuple[int, int]:
    """Width and height of one whole JPEG, as Pillow sees it.

    :raises ValueError: where *data* is none, is cut off, or does not end with its end.
    """
    if not (data.startswith(b"\xff\xd8\xff") and data.endswith(b"\xff\xd9")):
        raise ValueError("it has no beginning or no end")
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            picture.load()
            return picture.size
    except OSError as error:
        raise ValueError(str(error)) from error
