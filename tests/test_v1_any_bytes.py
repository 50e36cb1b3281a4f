"""Whatever a v1 board sends, and however it is cut: the same events, bounded memory and work."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from camd.wire.v1 import BEGIN, OVER, Endless, Verdict, frame
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
from tests.v1_streams import Listener

GOOD = jpeg(segment(0xE0, b"JFIF\0"))
LONGEST_SEGMENT = 65_535

part = st.one_of(
    st.sampled_from(
        [
            BEGIN, BEGIN, OVER, OVER, b"Frame", b"FrameB", b"F", SOI, EOI, SOS, SCAN,
            BEGIN + SOI, BEGIN + SOI + frame_header(), BEGIN + SOI + frame_header() + SOS,
            frame_header(), frame_header(0), segment(0xFE, OVER), segment(0xE1, BEGIN),
            segment(0xE1, frame(GOOD)), frame(GOOD), GOOD, GOOD[:-3], frame(GOOD[:-3]),
            lying(0xFE, 0), lying(0xFE, 9), lying(0xDB, 13), lying(0xDB, 90), lying(0xFE, 65_535),
            lying(0xDA, 14), lying(0xC2, 7), b"\xff", b"\xff\xff", b"\xff\xe0", b"\xff\xc0\x00",
            b"\xff\xda", b"\xff\x46", b"\x00" * 30,
        ]
    ),
    st.binary(max_size=6),
)  # fmt: skip
streams = st.lists(part, max_size=16).map(b"".join)
largest = st.sampled_from([20, 60, 200, 100_000])
choices = st.sets(st.integers(0, 5))


def sound_photo(fields: tuple[list[bytes], bytes]) -> bytes:
    bodies, scan = fields
    return jpeg(
        *(segment(0xFE, body) for body in bodies),
        scan=scan.replace(b"F", b"f").replace(b"\xff", b"\xff\0"),
    )


sound_photos = st.tuples(st.lists(streams, max_size=3), st.binary(max_size=50)).map(sound_photo)


class AnyBytes(SynchronousTestCase):
    @thorough(500)
    @given(streams, some_cuts, largest, choices, st.booleans())
    def test_cuts_do_not_matter(
        self, stream: bytes, cuts: list[int], most: int, unwanted: set[int], orphans: bool
    ) -> None:
        """Whole, byte by byte or cut anywhere, a stream gives the same events."""
        whole, bytewise, cut = (
            Listener(most, orphans=orphans, unwanted=unwanted).hear(*pieces(stream, sizes))
            for sizes in ([len(stream) or 1], [1], cuts)
        )
        self.assertEqual(bytewise.state, whole.state)
        self.assertEqual(cut.state, whole.state)

    @thorough(800)
    @given(streams, some_cuts, largest, choices)
    def test_one_end_for_each_beginning(
        self, stream: bytes, cuts: list[int], most: int, unwanted: set[int]
    ) -> None:
        """Each frame begins once and ends once; then comes the next."""
        self.assertTrue(Listener(most, unwanted=unwanted).hear(*pieces(stream, cuts)).balanced())

    @thorough(800)
    @given(streams, some_cuts, choices)
    def test_it_finds_its_way_back(
        self, stream: bytes, cuts: list[int], unwanted: set[int]
    ) -> None:
        """After anything whatever, a mark and silences, the next good frame is a photo."""
        listener = Listener(100_000, unwanted=unwanted).hear(*pieces(stream, cuts))
        listener.hear(*pieces(OVER, cuts))
        for _ in range(stream.count(BEGIN) + 1):
            listener.silence()
        self.assertFalse(listener.decoder.in_frame)
        before = len(listener.answers)
        listener.hear(*pieces(frame(GOOD), cuts))
        self.assertEqual(listener.answers[before:], [Verdict.WHOLE])
        if before not in unwanted:
            self.assertEqual(listener.photos[-1], GOOD)

    @thorough(400)
    @given(streams, some_cuts, largest)
    def test_memory(self, stream: bytes, cuts: list[int], most: int) -> None:
        """No more waits than the largest photo and a mark's or a header's first bytes."""
        listener = Listener(most).hear(*pieces(stream, cuts))
        self.assertLessEqual(listener.most_held, max(most, len(stream) if most > 9999 else 0) + 140)

    @thorough(400)
    @given(streams, some_cuts)
    def test_what_is_stored_is_a_photo(self, stream: bytes, cuts: list[int]) -> None:
        """A photo begins with SOI and ends with EOI, whatever it came in."""
        for photo in Listener(100_000).hear(*pieces(stream, cuts)).photos:
            self.assertTrue(photo.startswith(SOI))
            self.assertTrue(photo.endswith(EOI))
            self.assertIn(photo, stream)

    @thorough(400)
    @given(st.lists(sound_photos, max_size=4), some_cuts, st.binary(max_size=9))
    def test_round_trip(self, photos: list[bytes], cuts: list[int], junk: bytes) -> None:
        """What a board frames comes out as it was, marks in its segments and junk behind it
        included; a photo has no part in its frame's noise."""
        stream = b"".join(frame(photo + junk.replace(b"F", b"f")) for photo in photos)
        listener = Listener(100_000).hear(*pieces(stream, cuts))
        self.assertEqual(listener.photos, photos)
        self.assertEqual(listener.decoder.noise, 0)


class Work(SynchronousTestCase):
    def steps(self, stream: bytes, cut: int, most: int = 400_000) -> int:
        return work(lambda: Listener(most).hear(*pieces(stream, [cut])))

    def test_hostile_buffers(self) -> None:
        """Four megabytes of made-up structure cost a bounded number of steps for each frame."""
        claim = BEGIN + SOI + lying(0xFE, LONGEST_SEGMENT)
        for unit, size in (
            (claim + bytes(1430), 4_000_000),
            (BEGIN + SOI + b"\xff" * 5000, 4_000_000),
            (BEGIN + SOI + frame_header() + SOS + b"\xff\xff\x00" * 5000, 4_000_000),
            (b"Frame", 4_000_000),
            (claim, 500_000),
            (claim + OVER, 500_000),
            (BEGIN + SOI + segment(0xFE) * 300, 100_000),
            (BEGIN, 100_000),
            (OVER, 100_000),
            (frame(GOOD), 100_000),
        ):
            stream = unit * (size // len(unit))
            frames = stream.count(BEGIN) + stream.count(OVER)
            segments = stream.count(b"\xff\xfe\x00\x02")
            for cut in size, 64_000:
                steps = self.steps(stream, cut, 5_000_000)
                receptions = size // cut
                self.assertLess(steps, 150 * frames + 60 * segments + 150 * receptions + 5000)

    def test_small_segments(self) -> None:
        """The steps grow as the stream does, not as its square, where TCP brings it in drips."""
        for unit in BEGIN + SOI + lying(0xFE, 6_000) + OVER, b"\x00", b"\xff", b"FrameBegi":
            short, long = (self.steps(unit * (n // len(unit)), 50) for n in (50_000, 200_000))
            self.assertLess(long, 6 * short)

    def test_held_of_an_unwanted_frame(self) -> None:
        """Of a frame that nobody wants no more is held than one segment may claim."""
        for head in lying(0xFE, LONGEST_SEGMENT) + OVER, frame_header() + lying(0xDA, 12) + OVER:
            body = SOI + head + b"\x00" * 300_000
            listener = Listener(400_000, unwanted=(0,)).hear(*pieces(BEGIN + body, [1430]))
            self.assertLess(listener.most_held, LONGEST_SEGMENT + 1500)

    def test_silent_behind_the_limit(self) -> None:
        """Once a frame is endless, nothing that comes costs memory."""
        listener = Listener(1000).hear(BEGIN + bytes(4001))
        self.assertIsInstance(listener.told[-1], Endless)
        listener.hear(*[frame(GOOD) * 100] * 20)
        self.assertEqual(listener.decoder.held, 0)
        self.assertEqual(len(listener.told), 2)
