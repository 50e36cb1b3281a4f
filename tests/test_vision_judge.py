"""Flags: real JPEGs of a sticky trap, spoilt as cameras spoil them."""

import io
import random
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter
from twisted.trial.unittest import SynchronousTestCase

from camd.findings import Flag
from camd.pictures import FRAMESIZES, Album
from camd.vision.looker import Looker
from camd.vision.model import load
from camd.vision.thresholds import Thresholds, is_frozen
from camd.vision.wanted import Seen, Wanted
from tests.models import build
from tests.streams import segment

JUDGE = Wanted(detect=False)
SIZES = ("qvga", "vga", "uxga")
CARDS = (0, 700)


@cache
def photo(number: int = 300, size: str = "vga", camera: str = "trap") -> bytes:
    return Album().picture(camera, number, size)


def judged(jpeg: bytes, thresholds: Thresholds | None = None) -> Seen:
    return Looker(None, thresholds or Thresholds()).look(jpeg, JUDGE)


def spoilt(jpeg: bytes, how: Callable[[Image.Image], Image.Image], noise: float = 2.0) -> bytes:
    """Made worse, with a sensor's noise on it once more, as the light was before it."""
    picture = how(Image.open(io.BytesIO(jpeg)).convert("RGB"))
    noisy = np.asarray(picture) + grain(picture.height, picture.width) * np.float32(noise)
    noisy = np.clip(noisy, 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(noisy).save(out, "JPEG", quality=70, subsampling="4:2:2")
    return out.getvalue()


@cache
def grain(height: int, width: int) -> NDArray[np.float32]:
    by = np.random.default_rng(7)
    return by.standard_normal((height, width, 1), np.float32)


def times(*factors: float) -> Callable[[Image.Image], Image.Image]:
    """Red, green and blue so many times as bright."""

    def how(picture: Image.Image) -> Image.Image:
        planes = zip(picture.split(), factors, strict=True)
        return Image.merge("RGB", [p.point(lambda v, f=f: min(255, int(v * f))) for p, f in planes])

    return how


def blurred(share: float) -> Callable[[Image.Image], Image.Image]:
    """Out of focus by that share of its width."""
    return lambda picture: picture.filter(ImageFilter.GaussianBlur(picture.width * share))


class JudgeCase(SynchronousTestCase):
    def check(self, flag: Flag | None, how: Callable[[Image.Image], Image.Image]) -> None:
        """On every card at every size."""
        for size in SIZES:
            for number in CARDS:
                seen = judged(spoilt(photo(number, size), how))
                self.assertEqual(seen.flags, {flag} if flag else set(), (size, number))


class GoodTests(JudgeCase):
    def test_as_they_come(self) -> None:
        """A card with few insects or many, at any size, is nothing but good."""
        for size in FRAMESIZES:
            for number in CARDS:
                self.assertEqual(judged(photo(number, size)).flags, frozenset(), (size, number))

    def test_dusk(self) -> None:
        """A third of the light is enough."""
        self.check(None, times(0.35, 0.35, 0.35))

    def test_sun(self) -> None:
        """Red is at its limit on a yellow card in the sun; that is not blown out."""
        self.check(None, times(1.2, 1.15, 1.2))

    def test_slightly_soft(self) -> None:
        """As a cheap lens is: it can still be used."""
        self.check(None, blurred(0.8 / 640))

    def test_a_smooth_scene(self) -> None:
        """Soft shades with one sharp edge are smooth, not blurred; nothing but a bright sky over a
        dark ground is no covered lens."""
        wide = np.linspace(60, 160, 640)[None, :] + np.linspace(0, 30, 480)[:, None]
        wide[300:] *= 0.5
        self.assertEqual(judged(drawn(wide)).flags, frozenset())

    def test_noise_is_no_focus(self) -> None:
        """A blurred photo is blurred however noisy it is."""
        for noise in (0.5, 3, 6):
            jpeg = spoilt(photo(), blurred(5 / 640), noise)
            self.assertEqual(judged(jpeg).flags, {Flag.BLURRED}, noise)

    def test_leaves(self) -> None:
        """A picture full of green leaves is not tinted."""
        by = random.Random(1)
        picture = Image.new("RGB", (640, 480), (70, 95, 45))
        for _ in range(900):
            shade, x, y = by.uniform(0.3, 1.6), by.randrange(640), by.randrange(480)
            leaf = Image.new(
                "RGB", (by.randrange(8, 40),) * 2, tuple(int(c * shade) for c in (82, 110, 52))
            )
            picture.paste(leaf, (x, y))
        self.assertEqual(judged(spoilt_not(picture)).flags, frozenset())


def drawn(levels: NDArray[np.float64]) -> bytes:
    """Grey levels as a photo."""
    noisy = levels + 2 * grain(*levels.shape)[:, :, 0]
    return spoilt_not(Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)))


def spoilt_not(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.convert("RGB").save(out, "JPEG", quality=75)
    return out.getvalue()


class SpoiltTests(JudgeCase):
    def test_dark(self) -> None:
        """With a seventh of the light and less nothing can be told; it is nothing else then."""
        for light in (0.15, 0.05, 0.0):
            self.check(Flag.DARK, times(light, light, light))

    def test_bright(self) -> None:
        """Twice the light, and more."""
        for light in (2.0, 4.0):
            self.check(Flag.BRIGHT, times(light, light, light))

    def test_blurred(self) -> None:
        """By what takes an insect's legs away, and by more."""
        for radius in (4.5, 6):
            self.check(Flag.BLURRED, blurred(radius / 640))

    def test_green(self) -> None:
        """Green and magenta, as before a sensor has found its white balance."""
        self.check(Flag.GREEN, times(0.3, 1.0, 0.5))
        self.check(Flag.GREEN, times(0.9, 0.3, 5.0))

    def test_covered(self) -> None:
        """A finger, a leaf, a snail: a little lighter in the middle, without an edge; a leaf may
        well be green besides."""
        for tone in ((1.0, 0.8, 0.7), (0.5, 0.9, 0.4), (2.0, 1.7, 1.6)):

            def how(picture: Image.Image, tone: tuple[float, ...] = tone) -> Image.Image:
                shade = (
                    Image.radial_gradient("L").resize(picture.size).point(lambda v: 110 - v // 6)
                )
                return Image.merge("RGB", [shade.point(lambda v, t=t: int(v * t)) for t in tone])

            for size in SIZES:
                flags = judged(spoilt(photo(0, size), how)).flags
                self.assertIn(Flag.COVERED, flags)
                self.assertLessEqual(flags, {Flag.COVERED, Flag.GREEN})

    def test_thresholds(self) -> None:
        """Each can be moved, and decides."""
        for name, value, jpeg, flag in (
            ("dark", 80.0, spoilt(photo(), times(0.35, 0.35, 0.35)), Flag.DARK),
            ("bright", 0.0001, spoilt(photo(), times(1.4, 1.3, 1.4)), Flag.BRIGHT),
            ("blurred", 0.9, photo(), Flag.BLURRED),
            ("green", 0.5, photo(), Flag.GREEN),
        ):
            self.assertNotIn(flag, judged(jpeg).flags, name)
            self.assertIn(flag, judged(jpeg, Thresholds(**{name: value})).flags, name)
        plain = drawn(np.full((480, 640), 90.0))
        self.assertEqual(judged(plain).flags, {Flag.COVERED})
        self.assertEqual(judged(plain, Thresholds(covered=0.0)).flags, frozenset())

    @given(st.integers(1, 80), st.integers(1, 80), st.integers(0, 2**32 - 1))
    def test_any_picture(self, width: int, height: int, seed: int) -> None:
        """Of any size and content there is an answer."""
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        seen = judged(spoilt_not(Image.fromarray(pixels)))
        self.assertEqual((seen.width, seen.height), (width, height))


class BrokenTests(JudgeCase):
    def test_cut(self) -> None:
        """The end is missing, at any place; whether or not its last mark is there."""
        for share in (0.1, 0.3, 0.6, 0.9, 0.98):
            part = photo()[: int(len(photo()) * share)]
            for jpeg in (part, part + b"\xff\xd9"):
                self.assertIn(Flag.BROKEN, judged(jpeg).flags, share)

    def test_a_hole(self) -> None:
        """Two pieces lost on the way, both marks in place, as after a stalled connection."""
        for size in SIZES:
            jpeg = photo(size=size)
            for share in (0.3, 0.5, 0.8):
                at = int(len(jpeg) * share)
                holed = jpeg[:at] + jpeg[at + 1430 * 2 :]
                if not holed.endswith(b"\xff\xd9"):
                    holed += b"\xff\xd9"
                self.assertIn(Flag.BROKEN, judged(holed).flags, (size, share))

    def test_what_is_left_is_looked_at(self) -> None:
        """A picture whose end is missing is broken, and has insects on what there is of it."""
        jpeg = photo()[: len(photo()) * 3 // 4] + b"\xff\xd9"
        model = load(build(Path(self.mktemp())))
        seen = Looker(model).look(jpeg, Wanted())
        self.assertIn(Flag.BROKEN, seen.flags)
        self.assertGreater(len(seen.detections or ()), 10)


class FrozenTests(JudgeCase):
    def test_the_same_again(self) -> None:
        """The same photo is frozen, also where a program wrote other words beside it."""
        mark = judged(photo()).fingerprint
        self.assertEqual(len(mark), 16)
        self.assertTrue(is_frozen(mark, judged(photo()).fingerprint))
        commented = photo()[:2] + segment(0xFE, b"another time") + photo()[2:]
        self.assertTrue(is_frozen(mark, judged(commented).fingerprint))

    def test_with_and_without_a_model(self) -> None:
        """Whether a model looks at it too does not matter to the fingerprint."""
        model = load(build(Path(self.mktemp()), size=320))
        self.assertEqual(
            Looker(model).look(photo(), Wanted()).fingerprint, judged(photo()).fingerprint
        )

    def test_a_still_scene(self) -> None:
        """Where nothing moves but the sensor's noise, no two photos are the same."""
        marks = set()
        still = Image.open(io.BytesIO(photo()))
        for seed in range(5):
            grain = Image.fromarray(
                np.random.default_rng(seed).normal(128, 1.0, (480, 640)).astype(np.uint8)
            ).convert("RGB")
            out = io.BytesIO()
            ImageChops.add(still, grain, offset=-128).save(out, "JPEG", quality=40)
            marks.add(judged(out.getvalue()).fingerprint)
        self.assertEqual(len(marks), 5)

    def test_photos_of_a_night(self) -> None:
        """No two of a night are the same."""
        marks = {judged(photo(number, "qvga")).fingerprint for number in range(30)}
        self.assertEqual(len(marks), 30)

    def test_nothing_to_be_seen(self) -> None:
        """Black is black every night, and white is white: they have no fingerprint."""
        for shade in (0, 255):
            mark = judged(spoilt_not(Image.new("RGB", (320, 240), (shade,) * 3))).fingerprint
            self.assertEqual(mark, b"")
        self.assertFalse(is_frozen(b"", b""))

    @given(st.binary(max_size=16), st.binary(max_size=16))
    def test_any_two(self, before: bytes, now: bytes) -> None:
        """Frozen is the same, and something."""
        self.assertEqual(is_frozen(before, now), before == now and now != b"")


class CostTests(JudgeCase):
    def test_cheap(self) -> None:
        """Judging a UXGA photo takes some milliseconds, decoding included."""
        jpeg = photo(size="uxga")
        judged(jpeg)
        spent = []
        for _ in range(7):
            began = time.thread_time()
            judged(jpeg)
            spent.append(time.thread_time() - began)
        self.assertLess(min(spent), 0.03)
