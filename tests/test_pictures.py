"""Drawn photos are whole, as large as a board's, the same each time and never the same twice."""

import io
import time

from PIL import Image
from twisted.trial.unittest import SynchronousTestCase

from camd.pictures import CATCH, CHEAP_BASES, FRAMESIZES, NIGHT, Album
from camd.wire.jpeg import measure

USUAL = {"qvga": (3_000, 8_000), "vga": (15_000, 50_000), "uxga": (100_000, 300_000)}
"""Bytes of an OV2640's photos."""


class Pictures(SynchronousTestCase):
    def setUp(self) -> None:
        self.album = Album(7)

    def test_every_size_is_a_whole_jpeg(self) -> None:
        """Each framesize's picture ends with its end, has its size, and can be decoded."""
        for name, size in FRAMESIZES.items():
            data = self.album.picture("greenhouse-1", 5, name)
            self.assertEqual(measure([data]), (size.width, size.height), name)
            with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
                picture.load()
                self.assertEqual(picture.size, (size.width, size.height))

    def test_like_the_sensors(self) -> None:
        """Baseline and 4:2:2, without EXIF."""
        data = self.album.picture("greenhouse-1", 5, "qvga")
        header = data.index(b"\xff\xc0")  # raises where the frame header is not baseline's
        components = data[header + 10 : header + 10 + 9]
        self.assertEqual([components[1], components[4], components[7]], [0x21, 0x11, 0x11])
        self.assertNotIn(b"Exif", data)

    def test_as_many_bytes_as_a_boards(self) -> None:
        """On an empty card and on a full one, for several seeds."""
        for seed in range(3):
            album = Album(seed)
            for name, (least, most) in USUAL.items():
                for number in (0, NIGHT // 2, NIGHT - 1):
                    size = len(album.picture("x", number, name))
                    self.assertTrue(least <= size <= most, (seed, name, number, size))

    def test_the_same_again(self) -> None:
        """Another album with the same seed draws the same bytes, in whatever order."""
        numbers = [3, 0, 700, 1]
        ours = {n: self.album.picture("a", n, "qvga") for n in numbers}
        other = Album(7)
        self.assertEqual({n: other.picture("a", n, "qvga") for n in reversed(numbers)}, ours)

    def test_each_different(self) -> None:
        """No two of (seed, camera, number) give the same bytes, drawn or cheap."""
        for cheap in (False, True):
            seen = set()
            for seed in (1, 2):
                album = Album(seed, cheap)
                for camera in ("a", "b"):
                    seen.update(album.picture(camera, number, "qvga") for number in range(20))
            self.assertEqual(len(seen), 80)

    def test_insects_gather(self) -> None:
        """More of the card is dark at the end of the night than at its beginning."""

        def dark(number: int) -> int:
            data = self.album.picture("a", number, "vga")
            with Image.open(io.BytesIO(data)) as picture:
                return sum(picture.convert("L").histogram()[:70])

        early, late = dark(0), dark(NIGHT - 1)
        self.assertGreater(late, 5 * early)
        self.assertLess(dark(NIGHT), late / 5, "the card was not changed")
        self.assertGreater(CATCH, 10)

    def test_cheap_ones_are_whole(self) -> None:
        """The comment stands where a JPEG may have one."""
        album = Album(3, cheap=True)
        for number in range(3 * CHEAP_BASES):
            data = album.picture("a", number)
            self.assertEqual(measure([data]), (640, 480))
            with Image.open(io.BytesIO(data)) as picture:
                picture.load()
                self.assertEqual(picture.info["comment"], b"camd 3 a %d" % number)

    def test_cheap_is_cheap(self) -> None:
        """Once its few pictures are drawn, a cheap one takes a twentieth of a drawn one's time."""
        cheap = Album(3, cheap=True)
        for number in range(50):
            cheap.picture("a", number)
        self.album.picture("a", 0)
        drawn = min(self._cost(self.album) for _ in range(3))
        self.assertLess(min(self._cost(cheap) for _ in range(3)), drawn / 20)

    def _cost(self, album: Album) -> float:
        began = time.process_time()
        for number in range(20):
            album.picture("a", number)
        return time.process_time() - began
