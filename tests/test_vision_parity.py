"""The same boxes and scores as Ultralytics' own predictions.

``vectors/ultralytics.json`` has what ``ultralytics.YOLO(model).predict(picture)`` said of the
models and pictures that are made here; which versions, it says itself. It holds the whole way:
decoding, letterbox, the head, suppression, and back to the picture.
"""

import io
import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from PIL import Image
from twisted.trial.unittest import SynchronousTestCase

from camd.vision.looker import Looker
from camd.vision.model import load
from camd.vision.picture import decoded
from camd.vision.wanted import Limits, Wanted
from tests.models import build

VECTORS = Path(__file__).parent / "vectors" / "ultralytics.json"
PIXELS = 2.0
SCORE = 0.01

SIZES = ((320, 240), (640, 480), (800, 600), (1600, 1200), (333, 777), (97, 61), (240, 320))
"""Smaller than the network wants, larger, exact halves, neither, upright, tiny."""


@frozen
class Made:
    """A model as it is built, and how it is asked."""

    head: str
    names: tuple[str, ...]
    size: int | tuple[int, int]
    dynamic: bool = False
    confidence: float = 0.25
    iou: float = 0.7
    most: int = 300

    def build(self, path: Path) -> Path:
        return build(path, self.head, self.names, self.size, dynamic=self.dynamic)

    @property
    def wanted(self) -> Wanted:
        return Wanted(confidence=self.confidence, iou=self.iou, most=self.most)


KINDS = ("whitefly", "gnat", "moth")
MODELS = {
    "plain": Made("v8", KINDS, 320),
    "oblong": Made("v8", KINDS, (320, 256)),
    "dynamic": Made("v8", KINDS, 320, dynamic=True),
    "once": Made("end2end", KINDS, 320),
    "doubtful": Made("v8", KINDS, 320, confidence=0.05, iou=0.9),
    "strict": Made("v8", ("insect",), 320, confidence=0.5, iou=0.2, most=9),
}


@cache
def card(size: tuple[int, int]) -> bytes:
    """A JPEG of that width and height: insects on a yellow card, of soft ellipses, so that it
    takes no drawing program and is the same everywhere."""
    by = random.Random(f"card {size}")
    width, height = size
    down, across = np.mgrid[0:height, 0:width] + 0.5
    light = 1 - 0.15 * across / width
    colours = np.stack([light * shade for shade in (236.0, 204.0, 40.0)], axis=2)
    for _ in range(14):
        x, y = by.uniform(0, width), by.uniform(0, height)
        long = max(size) / 320 * by.uniform(3, 9)
        _insect(colours, across - x, down - y, (long, long * by.uniform(0.3, 0.8)), by)
    out = io.BytesIO()
    Image.fromarray(np.rint(colours).astype(np.uint8)).save(out, "JPEG", quality=95, subsampling=0)
    return out.getvalue()


def _insect(
    colours: NDArray[np.float64],
    right: NDArray[np.float64],
    down: NDArray[np.float64],
    radii: tuple[float, float],
    by: random.Random,
) -> None:
    turn = by.uniform(0, np.pi)
    along = right * np.cos(turn) + down * np.sin(turn)
    beside = down * np.cos(turn) - right * np.sin(turn)
    far = np.sqrt((along / radii[0]) ** 2 + (beside / radii[1]) ** 2)
    cover = np.clip((1 - far) * min(radii) + 0.5, 0, 1)[:, :, None]
    colours += cover * (np.array([40.0, 32.0, 26.0]) * by.uniform(0.5, 1.6) - colours)


INKS = {
    (0, 0, 0, 0): (255, 255, 255),
    (10, 200, 90, 0): (246, 56, 166),
    (10, 200, 90, 70): (178, 41, 120),
    (255, 0, 128, 30): (1, 225, 113),
    (60, 60, 60, 60): (150, 150, 150),
    (0, 0, 0, 255): (0, 0, 0),
    (255, 255, 255, 0): (1, 1, 1),
    (3, 77, 150, 181): (74, 52, 31),
}
"""Cyan, magenta, yellow and black of a JPEG, and what ``cv2.imread`` of OpenCV 5.0.0 makes of them:
red, green and blue."""


class ShadeTests(SynchronousTestCase):
    """The very same pixels as Ultralytics sees."""

    def test_inks(self) -> None:
        """Of a photo that was made for printing, as somebody may upload it."""
        picture = Image.new("CMYK", (8 * len(INKS), 8))
        for at, inks in enumerate(INKS):
            picture.paste(inks, (8 * at, 0, 8 * at + 8, 8))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=100, subsampling=0)
        made = decoded(out.getvalue(), Limits(), large=True)
        assert made is not None and made.pixels is not None, "it decodes"
        colours = [tuple(pixel[:3]) for pixel in made.pixels[4, 4::8].tolist()]
        self.assertEqual(colours, list(INKS.values()))


Rows = NDArray[np.float64]
"""n x 6: x1 y1 x2 y2 in pixels, score, class."""


class ParityTests(SynchronousTestCase):
    """Every box of theirs is one of ours, and the other way round."""

    def setUp(self) -> None:
        self.golden: dict[str, Any] = json.loads(VECTORS.read_text(encoding="ascii"))

    def check(self, name: str) -> None:
        made = MODELS[name]
        looker = Looker(load(made.build(Path(self.mktemp()))))
        total = 0
        for size in SIZES:
            theirs = np.array(self.golden[name][f"{size[0]}x{size[1]}"]).reshape(-1, 6)
            ours = self._ours(looker, card(size), made)
            self._check_same(made, ours, theirs, f"{name}, {size}")
            total += len(theirs)
        self.assertGreater(total, 30)

    def _ours(self, looker: Looker, jpeg: bytes, made: Made) -> Rows:
        seen = looker.look(jpeg, made.wanted)
        rows = [
            (
                *(thing.box.x * seen.width, thing.box.y * seen.height),
                (thing.box.x + thing.box.width) * seen.width,
                (thing.box.y + thing.box.height) * seen.height,
                *(thing.score, made.names.index(thing.label)),
            )
            for thing in seen.detections or ()
        ]
        return np.array(rows).reshape(-1, 6)

    def _check_same(self, made: Made, ours: Rows, theirs: Rows, where: str) -> None:
        """What is within a score's tolerance of the bound may be on either side of it."""
        left = list(ours)
        for row in theirs:
            near = [each for each in left if _same(each, row)]
            if near:
                left = [each for each in left if each is not near[0]]
            elif row[4] > made.confidence + SCORE:
                self.fail(f"{where}: not found: {row}")
        surplus = [row for row in left if row[4] > made.confidence + SCORE]
        self.assertEqual(surplus, [], where)

    def test_plain(self) -> None:
        """An input of a fixed size, padded to a square."""
        self.check("plain")

    def test_oblong(self) -> None:
        """An input that is wider than high."""
        self.check("oblong")

    def test_dynamic(self) -> None:
        """An input of any size, padded no further than the stride asks."""
        self.check("dynamic")

    def test_once(self) -> None:
        """A network that gives each thing once; nothing is suppressed."""
        self.check("once")

    def test_doubtful(self) -> None:
        """A low bound for scores and a high one for overlap: many boxes stay."""
        self.check("doubtful")

    def test_strict(self) -> None:
        """The surest few of what hardly overlaps."""
        self.check("strict")


def _same(one: Rows, other: Rows) -> bool:
    return bool(
        one[5] == other[5]
        and np.abs(one[:4] - other[:4]).max() <= PIXELS
        and abs(one[4] - other[4]) <= SCORE
    )
