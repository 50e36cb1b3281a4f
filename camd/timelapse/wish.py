"""What film is wanted."""

import re
from datetime import tzinfo

from attrs import frozen

from camd.config.wanted import FRAMESIZES
from camd.photo import CameraId
from camd.timelapse.moments import Daily

Size = tuple[int, int]

LEAST_SIDE, MOST_SIDE = 16, 4096
"""Pixels along a side of a film."""

MOST_FPS = 60

SIZE_WANTED = (
    f'width x height, even numbers from {LEAST_SIDE} to {MOST_SIDE} such as "1280x720", '
    f"or one of {', '.join(FRAMESIZES)}"
)
_SIZE = re.compile(r"([0-9]{2,4})x([0-9]{2,4})", re.ASCII)


@frozen
class Wish:
    """What film is wanted.

    :ivar since_ms: photos taken then or later; None: from the first on.
    :ivar until_ms: photos taken before; None: to the last.
    :ivar size: width and height, even; None: what most of the photos have.
    :ivar length: seconds that it lasts, with photos chosen evenly in time; None: all of them.
    :ivar every: one photo for each stretch of so many seconds; None: all of them.
    :ivar daily: the hours of a day whose photos are shown; None: all.
    :ivar zone: the camera's; None is the machine's.
    :ivar dated: each picture says when it was taken.
    :ivar skip_dark: photos on which nothing is to be seen are left out.
    :ivar longest: seconds beyond which no film is made; None: no bound.
    :ivar largest: bytes, likewise.
    """

    camera: CameraId
    since_ms: int | None = None
    until_ms: int | None = None
    fps: int = 25
    size: Size | None = None
    length: float | None = None
    every: float | None = None
    daily: Daily | None = None
    zone: tzinfo | None = None
    dated: bool = False
    skip_dark: bool = False
    longest: float | None = None
    largest: int | None = None


def parse_size(text: str) -> Size:
    """:raises ValueError: saying what is wanted."""
    named = FRAMESIZES.get(text.lower())
    if named is not None:
        return named
    match = _SIZE.fullmatch(text)
    size = (int(match[1]), int(match[2])) if match is not None else (0, 0)
    if not all(LEAST_SIDE <= length <= MOST_SIDE and length % 2 == 0 for length in size):
        raise ValueError(SIZE_WANTED)
    return size
