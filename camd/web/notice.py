"""The picture that is shown when no picture comes: the last one, grey, and since when it is so.

Without Pillow there is a fixed one that only says that there is none.
"""

import io
from functools import cache
from pathlib import Path

_WIDTH, _HEIGHT = 640, 480
_LARGEST = 1280
_DARK = 0.45


@cache
def fixed() -> bytes:
    """A picture that says that there is none."""
    return (Path(__file__).parent / "no_picture.jpg").read_bytes()


def notice(last: bytes | None, lines: list[str]) -> bytes:
    """A JPEG that says *lines*, over *last* where there is one. Takes some 20 ms."""
    try:
        from PIL import Image, ImageDraw, ImageEnhance, ImageFont
    except ImportError:
        return fixed()
    picture = None
    if last is not None:
        try:
            with Image.open(io.BytesIO(last), formats=("JPEG",)) as image:
                image.draft("L", (_LARGEST, _LARGEST))
                image.thumbnail((_LARGEST, _LARGEST))
                grey = image.convert("L").convert("RGB")
                picture = ImageEnhance.Brightness(grey).enhance(_DARK)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            pass  # a damaged one is no ground to write on
    if picture is None:
        picture = Image.new("RGB", (_WIDTH, _HEIGHT), (40, 40, 40))
    draw = ImageDraw.Draw(picture)
    size = max(10, picture.width // 24)
    font = ImageFont.load_default(size)
    top = picture.height - size * 1.5 * (len(lines) + 0.5)
    for number, line in enumerate(lines):
        at = (size, top + size * 1.5 * number)
        draw.text(at, line, font=font, fill=(255, 255, 255), stroke_width=2, stroke_fill=(0, 0, 0))
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=70)
    return made.getvalue()


def ago(seconds: float) -> str:
    """How long ago, in words that are right for a while."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"
