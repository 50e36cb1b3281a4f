"""A photo as a picture of a film: looked at, fitted to the film's size, dated.

Knows Pillow, and imports it when there is something to do. Most photos have the film's size and
are passed on as they are; the others are drawn anew.
"""

from __future__ import annotations

import io
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from attrs import define, field

from camd.findings import Flag
from camd.upright import upright

if TYPE_CHECKING:
    from PIL.Image import Image

DARK_BELOW = 20.0
BRIGHT_ABOVE = 235.0
"""Mean luminance, 0 to 255."""

_SMALL = 8
"""A photo is decoded to an eighth of its size to be looked at: all of its bytes are read, and most
of the arithmetic is left out."""

_QUALITY = 95
_LINES = 24
"""Heights of the date's letters in a picture's height."""


class BrokenPictureError(Exception):
    """The photo cannot be decoded."""


def judged(luminances: list[int]) -> frozenset[Flag]:
    """What is wrong with a picture by how many pixels have each luminance, 0 to 255."""
    pixels = sum(luminances)
    mean = sum(level * count for level, count in enumerate(luminances)) / pixels if pixels else 0.0
    if mean < DARK_BELOW:
        return frozenset({Flag.DARK})
    return frozenset({Flag.BRIGHT}) if mean > BRIGHT_ABOVE else frozenset()


def look(jpeg: bytes) -> frozenset[Flag]:
    """What is wrong with a photo, as far as a small picture of it tells."""
    try:
        with _open(jpeg) as image:
            image.draft("L", (max(1, image.width // _SMALL), max(1, image.height // _SMALL)))
            return judged(image.convert("L").histogram())
    except BrokenPictureError:
        return frozenset({Flag.BROKEN})
    except _broken():
        return frozenset({Flag.BROKEN})


@define(eq=False)
class Printer:
    """Makes pictures of one size.

    :ivar size: width and height in pixels.
    :ivar dated: whether each has its date and time in the corner, in *zone*; None is the
        machine's.
    """

    size: tuple[int, int]
    dated: bool = False
    zone: tzinfo | None = None
    _font: Any = field(default=None, init=False)

    def picture(self, jpeg: bytes, taken_ms: int) -> bytes:
        """The photo *jpeg* as a JPEG of the film.

        :raises BrokenPictureError: it cannot be decoded.
        """
        try:
            with _open(jpeg) as image:
                if not self.dated and self._fits(image):
                    return jpeg
                drawn = self._fitted(image, jpeg)
            if self.dated:
                self._date(drawn, taken_ms)
            out = io.BytesIO()
            drawn.save(out, "JPEG", quality=_QUALITY, subsampling="4:2:0")
        except _broken() as error:
            raise BrokenPictureError(str(error)) from error
        return out.getvalue()

    def _fits(self, image: Image) -> bool:
        return (
            image.size == self.size
            and image.mode == "RGB"
            and not image.info.get("progressive")
            and "exif" not in image.info
        )

    def _fitted(self, image: Image, jpeg: bytes) -> Image:
        """All of it, as large as can be, in the middle of a black picture."""
        from PIL import Image

        image.draft("RGB", self.size)
        whole = upright(image.convert("RGB"), jpeg)
        if whole.size == self.size:
            return whole
        share = min(self.size[0] / whole.width, self.size[1] / whole.height)
        wide, high = (max(1, round(length * share)) for length in whole.size)
        small = whole.resize((wide, high), Image.Resampling.BILINEAR)
        if small.size == self.size:
            return small
        sheet = Image.new("RGB", self.size)
        sheet.paste(small, ((self.size[0] - wide) // 2, (self.size[1] - high) // 2))
        return sheet

    def _date(self, image: Image, taken_ms: int) -> None:
        """White letters with a black edge, in the upper left corner: players have theirs below."""
        from PIL import ImageDraw, ImageFont

        high = max(10, self.size[1] // _LINES)
        if self._font is None:
            self._font = ImageFont.load_default(high)
        local = datetime.fromtimestamp(taken_ms / 1000, self.zone)
        ImageDraw.Draw(image).text(
            (high // 2, high // 2), local.strftime("%Y-%m-%d %H:%M:%S"), "white",
            self._font, "la", stroke_width=max(1, high // 10), stroke_fill="black",
        )  # fmt: skip


def _open(jpeg: bytes) -> Image:
    from PIL import Image

    try:
        return Image.open(io.BytesIO(jpeg), formats=("JPEG",))
    except _broken() as error:
        raise BrokenPictureError(str(error)) from error


def _broken() -> tuple[type[Exception], ...]:
    from PIL import Image

    return (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
