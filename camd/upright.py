"""Which way is up on a photo, by the EXIF in it: as phones say it that were held sideways.

Only that one number is looked for, where cameras put it; whatever else there is, and be it
nonsense, does not matter. Of a photo that does not say it, or not so that it is understood, the top
is at the top. Imports Pillow only to turn what is one of its pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

HEAD = 1 << 17
"""Bytes of a photo, from its beginning, that have it where it is said."""

_ORDERS = {b"II*\0": "little", b"MM\0*": "big"}
_ORIENTATION, _SHORT = 0x0112, 3
_APP1, _EXIF = 0xE1, b"Exif\0\0"
_SIDEWAYS = 5


def orientation(jpeg: bytes) -> int:
    """1 to 8, as EXIF numbers the ways in which a picture may lie (TIFF 6.0, Orientation); 1 is
    upright.

    :param jpeg: a photo, or the first `HEAD` bytes of it.
    """
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF and (0xE0 <= jpeg[at + 1] <= 0xEF):
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        if jpeg[at + 1] == _APP1 and jpeg.startswith(_EXIF, at + 4):
            return _said(jpeg[at + 4 + len(_EXIF) : end])
        at = end
    return 1


def _said(tiff: bytes) -> int:
    """What the first directory of a TIFF file says."""
    order = _ORDERS.get(tiff[:4])
    if order is None:
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], order)  # type: ignore[arg-type]

    entries = number(4, 4)
    for at in range(entries + 2, entries + 2 + 12 * number(entries, 2), 12):
        if at + 12 > len(tiff):
            break
        if (number(at, 2), number(at + 2, 2)) == (_ORIENTATION, _SHORT):
            way = number(at + 8, 2)
            return way if 1 <= way <= 8 else 1
    return 1


def upright_size(size: tuple[int, int], jpeg: bytes) -> tuple[int, int]:
    """Width and height of the photo *jpeg*, upright; *size*: as it lies there."""
    width, height = size
    return (height, width) if orientation(jpeg) >= _SIDEWAYS else (width, height)


def upright(image: Image, jpeg: bytes) -> Image:
    """The picture *image*, decoded from *jpeg*, turned so that its top is at the top."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE, 6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }  # fmt: skip
    turn = turns.get(orientation(jpeg))
    return image if turn is None else image.transpose(turn)
