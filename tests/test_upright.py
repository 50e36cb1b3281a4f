"""Photos that lie on their side stand upright, whatever else their EXIF says."""

import io
import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from twisted.trial.unittest import SynchronousTestCase

from camd.thumbnails import shrunk
from camd.timelapse.picture import Printer
from camd.upright import orientation, upright, upright_size
from camd.vision.picture import decoded
from camd.vision.wanted import Limits
from tests.pictures import insects

JPEG = insects(2)
ENTRY = struct.Struct("<HHIHH")


def said(tiff: bytes, jpeg: bytes = JPEG) -> bytes:
    """*jpeg*, with that behind the word Exif."""
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body + jpeg[2:]


def of_pillow(way: int) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "a trap"
    exif[0x0112] = way
    out = io.BytesIO()
    Image.open(io.BytesIO(JPEG)).save(out, "JPEG", exif=exif)
    return out.getvalue()


class UprightTests(SynchronousTestCase):
    def test_all_ways(self) -> None:
        """As Pillow has it, for each of the eight."""
        for way in range(1, 9):
            jpeg = of_pillow(way)
            self.assertEqual(orientation(jpeg), way)
            image = Image.open(io.BytesIO(jpeg))
            wanted = ImageOps.exif_transpose(image)
            self.assertEqual(upright(image, jpeg).tobytes(), wanted.tobytes())
            self.assertEqual(upright_size(image.size, jpeg), wanted.size)

    def test_both_orders(self) -> None:
        """The least significant byte first, or last."""
        entry = ENTRY.pack(0x0112, 3, 1, 6, 0)
        self.assertEqual(orientation(said(b"II*\0\x08\0\0\0\1\0" + entry)), 6)
        entry = struct.pack(">HHIHH", 0x0112, 3, 1, 8, 0)
        self.assertEqual(orientation(said(b"MM\0*\0\0\0\x08\0\1" + entry)), 8)

    def test_not_said(self) -> None:
        """Without EXIF, behind the picture, cut off, or with a number that is none: upright."""
        whole = said(b"II*\0\x08\0\0\0\1\0" + ENTRY.pack(0x0112, 3, 1, 6, 0))
        for jpeg in (
            JPEG, b"", b"\xff\xd8", JPEG + whole, whole[:32], said(b"II*\0\x08\0\0\0\xff\xff"),
            said(b"II*\0\x08\0\0\0\1\0" + ENTRY.pack(0x0112, 3, 1, 9, 0)),
            said(b"II*\0\x08\0\0\0\1\0" + ENTRY.pack(0x0112, 2, 1, 6, 0)),
        ):  # fmt: skip
            self.assertEqual(orientation(jpeg), 1)

    @settings(max_examples=60)
    @given(
        st.binary(max_size=80)
        | st.lists(
            st.tuples(
                st.sampled_from([0x010E, 0x0112, 0x8769, 0x8298]), st.integers(0, 13),
                st.integers(0, 3), st.integers(0, 300), st.integers(0, 300),
            ).map(lambda each: ENTRY.pack(*each)),
            max_size=3,
        ).map(lambda each: b"II*\0\x08\0\0\0" + len(each).to_bytes(2, "little") + b"".join(each))
    )  # fmt: skip
    def test_any_exif(self, tiff: bytes) -> None:
        """Whatever stands there, the picture is seen, filmed and made small."""
        jpeg = said(tiff)
        for large in (True, False):
            seen = decoded(jpeg, Limits(), large)
            assert seen is not None
            self.assertEqual({seen.width, seen.height}, {320, 240})
        Printer((640, 480)).picture(jpeg, 0)
        shrunk(jpeg, 160)

    def test_made_small(self) -> None:
        """A small picture, which has no EXIF any more, is upright by itself."""
        image = Image.open(io.BytesIO(shrunk(of_pillow(6), 160)))
        self.assertEqual(image.size, (120, 160))
