"""The walk over a JPEG's segments finds its end and its size, and believes nothing else."""

import io

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from twisted.trial.unittest import SynchronousTestCase

from camd.wire.jpeg import MAX_SEGMENTS, JpegWalk, NotAJpegError, State, measure
from tests.pictures import insects
from tests.streams import (
    EOI,
    SCAN,
    SOI,
    SOS,
    frame_header,
    jpeg,
    lying,
    pieces,
    segment,
    some_cuts,
    thorough,
    work,
)


def progressive() -> bytes:
    """A picture in several scans, with tables between them."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(insects(3))) as picture:
        picture.save(out, "JPEG", progressive=True)
    return out.getvalue()


def verdict(data: bytes, cuts: list[int] | None = None) -> tuple[int, int] | None:
    """The size in pixels, or None for no JPEG."""
    try:
        return measure(pieces(data, cuts or [len(data) or 1]))
    except NotAJpegError:
        return None


hostile = st.lists(
    st.one_of(
        st.sampled_from(
            [
                SOI, EOI, SOS, SCAN, frame_header(), frame_header(0), segment(0xE0, b"JFIF"),
                lying(0xFE, 0), lying(0xDB, 300), lying(0xC2, 7), b"\xff", b"\xff\xff", b"\xff\x00",
                b"\xff\xd7", b"\xff\x01", segment(0xDC, b"\x00\x08"), jpeg(), bytes(9),
            ]
        ),
        st.binary(max_size=12),
    ),
    max_size=14,
).map(b"".join)  # fmt: skip


class WholePictures(SynchronousTestCase):
    def test_sizes(self) -> None:
        """A camera's picture has the width and the height of its frame header."""
        for size in (320, 240), (64, 48), (24, 8):
            self.assertEqual(verdict(insects(1, size)), size)

    def test_progressive(self) -> None:
        """A picture of several scans ends behind the last of them, in any cut."""
        data = progressive()
        self.assertGreater(data.count(b"\xff\xda"), 3)
        for cuts in [len(data)], [1], [7, 1, 1460]:
            self.assertEqual(verdict(data, cuts), (320, 240))

    def test_every_byte_apart(self) -> None:
        """A picture that comes byte by byte is measured as one that comes whole."""
        self.assertEqual(verdict(insects(2, (64, 48)), [1]), (64, 48))

    def test_every_shorter_prefix_is_cut_off(self) -> None:
        """No beginning of a picture is a picture: whatever is missing is missed."""
        for data in jpeg(segment(0xE1, b"Exif")), insects(1, (16, 16), 40):
            for end in range(len(data)):
                for cuts in [end or 1], [1]:
                    with self.assertRaisesRegex(NotAJpegError, "cut off"):
                        measure(pieces(data[:end], cuts))

    def test_nothing_behind_the_end(self) -> None:
        """A byte behind EOI is no part of a picture, in the same chunk or in the next."""
        data = jpeg()
        for more in b"\x00", b"\xff", EOI, data:
            for chunks in [data + more], [data, more], [data[:-1], data[-1:] + more]:
                with self.assertRaisesRegex(NotAJpegError, "behind its end"):
                    measure(chunks)

    def test_restarts_and_stuffing(self) -> None:
        """In the scan FF 00 and restart markers are picture; every other marker ends it."""
        scan = b"\xff\x00\xd9".join(b"\xff" + bytes([code]) for code in range(0xD0, 0xD8))
        self.assertEqual(verdict(jpeg(scan=scan)), (16, 8))
        self.assertEqual(verdict(jpeg(scan=scan), [1]), (16, 8))

    def test_fill(self) -> None:
        """Any marker may have any number of FFs before it, and so may EOI behind a scan."""
        for fill in b"\xff", b"\xff" * 7, b"\xff" * 300:
            data = SOI + b"".join(
                fill + part for part in (segment(0xE0, b"x"), frame_header(), SOS)
            )
            data += SCAN + fill + b"\x00" + fill + b"\xd3\x00" + fill + EOI
            for cuts in [len(data)], [1], [2], [3]:
                self.assertEqual(verdict(data, cuts), (16, 8))

    def test_end_inside_a_segment(self) -> None:
        """A thumbnail's own EOI and SOS end nothing: the segment declared its length."""
        data = jpeg(segment(0xE1, jpeg()), segment(0xFE, EOI * 9))
        self.assertEqual(verdict(data), (16, 8))
        self.assertEqual(verdict(data, [1]), (16, 8))

    def test_segments_without_content(self) -> None:
        """A length of two is the shortest there is."""
        self.assertEqual(verdict(jpeg(segment(0xFE), segment(0xFE)), [1]), (16, 8))

    def test_every_frame_header(self) -> None:
        """Each kind of frame header tells the size; DHT, JPG and DAC are none."""
        for code in range(0xC0, 0xD0):
            data = SOI + frame_header(33, 44, code) + SOS + SCAN + EOI
            expected = None if code in (0xC4, 0xC8, 0xCC) else (33, 44)
            self.assertEqual(verdict(data), expected, hex(code))


class NoPictures(SynchronousTestCase):
    def test_broken_structure(self) -> None:
        """What T.81 forbids is no JPEG, whole or byte by byte."""
        rest = frame_header() + SOS + SCAN + EOI
        for data in (
            b"x" + SOI + rest,
            b"\xff" + SOI + rest,
            b"\xd8" + rest,
            SOI + b"\x00" + rest,
            SOI + SOI + rest,
            SOI + b"\xff\x00" + rest,
            SOI + b"\xff\x01" + rest,
            SOI + b"\xff\xbf\x00\x02" + rest,
            SOI + b"\xff\xd0" + rest,
            SOI + lying(0xFE, 0) + rest,
            SOI + lying(0xFE, 1) + rest,
            SOI + lying(0xC0, 7, b"\x08\x00\x08\x00\x08") + SOS + SCAN + EOI,
            SOI + frame_header(width=0) + SOS + SCAN + EOI,
            SOI + frame_header(height=0) + SOS + SCAN + EOI,
            SOI + SOS + SCAN + EOI,
            SOI + SOS + frame_header() + SCAN + EOI,
            jpeg(scan=b"\xff\xd8"),
            jpeg(scan=b"\xff\x46"),
        ):
            for cuts in [len(data)], [1], [5]:
                with self.assertRaisesRegex(NotAJpegError, "no JPEG"):
                    measure(pieces(data, cuts))

    def test_no_scan(self) -> None:
        """A picture that ends before it began is none."""
        for data in SOI + EOI, SOI + frame_header() + EOI:
            with self.assertRaisesRegex(NotAJpegError, "no picture"):
                measure([data])

    def test_nothing(self) -> None:
        """No bytes are no picture."""
        for chunks in [], [b""], [b"", b""]:
            with self.assertRaises(NotAJpegError):
                measure(chunks)

    def test_endless_chain(self) -> None:
        """A chain of segments longer than any camera's is no JPEG; one as long still is."""
        empty = segment(0xFE)
        self.assertEqual(verdict(jpeg(empty * (MAX_SEGMENTS - 2))), (16, 8))
        self.assertIsNone(verdict(jpeg(empty * (MAX_SEGMENTS - 1))))


class AnyBytes(SynchronousTestCase):
    @thorough(300)
    @given(hostile, some_cuts)
    def test_cuts_do_not_matter(self, data: bytes, cuts: list[int]) -> None:
        """The verdict on any bytes is the same in any cut, and nothing but a verdict."""
        self.assertEqual(verdict(data, cuts), verdict(data))

    @thorough(300)
    @given(hostile, some_cuts)
    def test_the_walk_stands_at_the_same_place(self, data: bytes, cuts: list[int]) -> None:
        """Where the walk ended or broke, and what the last segment claims, no cut changes."""

        def walked(parts: list[int]) -> tuple[State, int, int, int]:
            walk, rest, at = JpegWalk(), b"", 0
            for piece in pieces(data, parts):
                rest += piece
                while rest:
                    before = walk.state
                    used = walk.feed(rest, 0, len(rest))
                    rest, at = rest[used:], at + used
                    if not used and walk.state is before:
                        break
                self.assertTrue(len(rest) <= 8 or walk.state in (State.ENDED, State.BROKEN))
            return walk.state, at, walk.claimed, walk.width

        self.assertEqual(walked(cuts), walked([len(data) or 1]))

    @thorough(200)
    @given(st.binary(max_size=60).map(lambda tail: SOI + frame_header() + SOS + tail))
    def test_end_of_the_scan(self, data: bytes) -> None:
        """What is taken for whole ends with EOI, whatever the scan holds."""
        if verdict(data) is not None:
            self.assertTrue(data.endswith(EOI))

    def test_work(self) -> None:
        """A megabyte costs as many steps as it has segments, of fill and restarts none."""
        million = 1 << 20
        for data in (
            SOI + b"\xff" * million,
            jpeg(scan=b"\xff" * million),
            jpeg(scan=b"\xff\xd0" * (million // 2)),
            jpeg(scan=b"\xff\x00" * (million // 2)),
            jpeg(scan=b"\xff\xff\x00" * (million // 3)),
            SOI + segment(0xFE) * (million // 4),
            SOI + SOI * (million // 2),
        ):
            self.assertLess(work(lambda data=data: verdict(data)), 20 * MAX_SEGMENTS)
