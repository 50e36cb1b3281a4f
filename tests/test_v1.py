"""Photos come whole out of the tutorial's stream, and each frame has one end."""

from twisted.trial.unittest import SynchronousTestCase

from camd.wire import v1  # trial skips a module that has a "skip" of its own
from camd.wire.v1 import (
    BEGIN,
    OVER,
    Began,
    Ended,
    Endless,
    Torn,
    V1Decoder,
    Verdict,
    ack,
    frame,
    nak,
)
from tests.pictures import insects
from tests.streams import EOI, SCAN, SOI, SOS, frame_header, jpeg, lying, pieces, segment
from tests.v1_streams import MOST, Listener

GOOD = jpeg(segment(0xE0, b"JFIF\0"))
WHOLE, JPEG, SIZE = Verdict.WHOLE, Verdict.JPEG, Verdict.SIZE


def every_cut(stream: bytes, most: int = MOST, **how: object) -> list[Listener]:
    """The stream whole, byte by byte, and in two at every place."""
    cuts = [[stream], list(pieces(stream, [1]))]
    cuts += [[stream[:at], stream[at:]] for at in range(1, len(stream))]
    return [Listener(most, **how).hear(*cut) for cut in cuts]  # type: ignore[arg-type]


class V1Case(SynchronousTestCase):
    def hears(self, stream: bytes, *verdicts: Verdict, most: int = MOST) -> Listener:
        """The stream gives these verdicts in every cut; what it gave whole is returned."""
        first, *others = every_cut(stream, most)
        self.assertEqual(first.answers, list(verdicts))
        self.assertTrue(first.balanced())
        for other in others:
            self.assertEqual(other.state, first.state)
        return first


class Photos(V1Case):
    def test_as_the_sketch_sends_them(self) -> None:
        """Mark, pieces of 1430 bytes, mark: the photo comes out as it went in."""
        photo = insects(1)
        listener = Listener(100_000).hear(BEGIN, *pieces(photo, [1430]), OVER)
        self.assertEqual(listener.told, [Began(), Ended(WHOLE, (photo,), len(photo), 320, 240)])
        self.assertFalse(listener.decoder.in_frame)
        self.assertEqual(listener.decoder.held, 0)

    def test_every_cut(self) -> None:
        """Glued or torn anywhere, in a mark, in EOI, in a length, two photos are two photos."""
        other = jpeg(segment(0xFE, b"other"))
        listener = self.hears(frame(GOOD) + frame(other), WHOLE, WHOLE)
        self.assertEqual(listener.photos, [GOOD, other])

    def test_marks_inside_segments(self) -> None:
        """In a comment, an application's segment or a thumbnail the marks are picture."""
        thumbnail = jpeg(segment(0xFE, OVER + BEGIN))
        photo = jpeg(
            segment(0xFE, OVER),
            segment(0xE1, b"Exif\0\0" + frame(thumbnail)),
            segment(0xEF, BEGIN + OVER + EOI + OVER),
            segment(0xFE, OVER),
        )
        listener = self.hears(frame(photo) + frame(GOOD), WHOLE, WHOLE)
        self.assertEqual(listener.photos, [photo, GOOD])

    def test_marks_in_lengths_and_headers(self) -> None:
        """A length that spells the mark's first letters, and a segment between two scans."""
        long = segment(0xFE, b"ameOver" + bytes(0x4672 - 9))
        self.assertIn(OVER, long)
        photo = jpeg(long, scan=SCAN + segment(0xC4, OVER) + SOS + SCAN)
        for cuts in [len(photo) + 99], [1], [1430]:
            listener = Listener(100_000).hear(*pieces(frame(photo) + frame(GOOD), cuts))
            self.assertEqual(listener.photos, [photo, GOOD])

    def test_several_scans(self) -> None:
        """Tables between the scans, restarts, stuffing and fill: the last EOI is the end."""
        photo = SOI + b"\xff\xff" + frame_header() + b"\xff" + SOS + SCAN
        photo += b"\xff\xff\xff" + segment(0xC4, BEGIN) + SOS + b"\xff\xff\x00" + SCAN + EOI
        self.assertEqual(self.hears(frame(photo), WHOLE).photos, [photo])

    def test_what_a_driver_appends(self) -> None:
        """Junk, zeros and a second end behind EOI are cut: a stored photo ends with its EOI."""
        for junk in bytes(513), b"\xff\xd8\xff\xe0junk", EOI, b"\xff", b"Frame", b"FrameOve":
            listener = self.hears(BEGIN + GOOD + junk + OVER + frame(GOOD), WHOLE, WHOLE)
            self.assertEqual(listener.photos, [GOOD, GOOD])
            self.assertEqual({e.size for e in listener.told if isinstance(e, Ended)}, {len(GOOD)})

    def test_junk_is_not_held_against_the_size(self) -> None:
        """A photo within the limit is whole, however much junk up to four limits follows it."""
        listener = self.hears(BEGIN + GOOD + bytes(100) + OVER, WHOLE, most=len(GOOD))
        self.assertEqual(listener.photos, [GOOD])

    def test_answers(self) -> None:
        """Each answer is one line with its newline."""
        self.assertEqual((ack(), v1.skip(), nak("jpeg")), (b"ACK\n", b"SKIP\n", b"NAK jpeg\n"))


class Spoilt(V1Case):
    def test_no_jpeg(self) -> None:
        """An empty frame, text, or half a beginning is one frame and no photo."""
        for body in b"", b"hello", b"\xff", SOI, SOI + EOI, b"\x00" * 50, b"Frame", GOOD[1:]:
            listener = self.hears(frame(body) + frame(GOOD), JPEG, WHOLE)
            self.assertEqual(listener.photos, [GOOD])
            refused = listener.told[1]
            assert isinstance(refused, Ended)
            self.assertEqual(b"".join(refused.kept), body)
            self.assertEqual(refused.size, len(body))
            self.assertEqual(refused.chunks, ())

    def test_cut_off_in_the_scan(self) -> None:
        """A photo whose EOI is missing is over at its mark, and the next is whole."""
        for missing in range(1, len(SCAN) + 3):
            listener = self.hears(frame(GOOD[:-missing]) + frame(GOOD), JPEG, WHOLE)
            self.assertEqual(listener.photos, [GOOD])

    def test_begins_anew(self) -> None:
        """Where no segment claims it, another beginning ends the frame before it."""
        for body in b"", b"text", GOOD[:-4], GOOD:
            listener = self.hears(
                BEGIN + body + frame(GOOD), WHOLE if body == GOOD else JPEG, WHOLE
            )
            self.assertEqual(listener.photos[-1], GOOD)

    def test_cut_off_anywhere_with_silence(self) -> None:
        """A frame cut off at any byte has one answer, if need be after a silence; then the
        next photo is whole."""
        photo = jpeg(segment(0xE0, b"JFIF" * 3), segment(0xDB, bytes(65)))
        for end in range(len(photo)):
            for cuts in [500], [1], [7]:
                for unwanted in (), (0,):
                    listener = Listener(unwanted=unwanted)
                    listener.hear(*pieces(frame(photo[:end]), cuts)).silence()
                    self.assertEqual(listener.answers, [JPEG], end)
                    self.assertFalse(listener.decoder.in_frame)
                    listener.hear(*pieces(frame(GOOD), cuts))
                    self.assertEqual(listener.photos, [GOOD], end)

    def test_a_length_that_swallowed_the_mark(self) -> None:
        """The frame is over when the mark is the last that came, and only then."""
        stream = BEGIN + SOI + lying(0xFE, 5000, b"text")
        for unwanted in (), (0,):
            for cuts in [500], [1]:
                listener = Listener(9000, unwanted=unwanted).hear(*pieces(stream, cuts))
                self.assertFalse(listener.decoder.swallowed)
                listener.hear(*pieces(OVER, cuts))
                self.assertTrue(listener.decoder.swallowed)
                listener.hear(b"more")
                self.assertFalse(listener.decoder.swallowed)
                listener.hear(*pieces(OVER, [4]))
                self.assertTrue(listener.decoder.swallowed)
                self.assertEqual(listener.told, [Began()])
                listener.silence()
                self.assertEqual(listener.answers, [JPEG])
                listener.hear(frame(GOOD))
                self.assertEqual(listener.photos, [GOOD])

    def test_a_swallowed_mark_as_the_last_of_its_segment(self) -> None:
        """A segment may end with the mark; if a marker follows, it was picture."""
        photo = jpeg(segment(0xFE, OVER))
        cut = photo.index(OVER) + len(OVER)
        listener = Listener().hear(BEGIN, photo[:cut])
        self.assertTrue(listener.decoder.swallowed)
        listener.hear(photo[cut : cut + 1])
        self.assertFalse(listener.decoder.swallowed)
        listener.hear(photo[cut + 1 :], OVER)
        self.assertEqual(listener.photos, [photo])

    def test_give_up_needs_a_swallowed_mark(self) -> None:
        """Giving the structure up where no mark was swallowed changes nothing."""
        for end in range(len(GOOD)):
            listener = Listener().hear(BEGIN, GOOD[:end])
            listener.decoder.give_up_structure()
            listener.hear(GOOD[end:], OVER)
            self.assertEqual(listener.photos, [GOOD])
        Listener().decoder.give_up_structure()

    def test_a_lie_is_found_out(self) -> None:
        """Where the next photo shows that a length lied, both frames have their end."""
        for length in 12, 40, 70, 100:
            stream = frame(SOI + lying(0xDB, length, b"abc")) + frame(GOOD) + frame(GOOD)
            listener = self.hears(stream, JPEG, WHOLE, WHOLE)
            self.assertEqual(listener.photos, [GOOD, GOOD])

    def test_marks_in_a_sound_segment_of_a_spoilt_frame(self) -> None:
        """Marks in segments that the next marker bore out stay picture: one frame, one answer."""
        comment = segment(0xFE, frame(GOOD) + OVER + BEGIN)
        for rest in (
            segment(0xE0, b"x") + b"garbage",
            frame_header() + SOS + SCAN,
            frame_header() + SOS + b"\xff\x46\x46",
            segment(0xE0) + SOS,
        ):
            listener = self.hears(frame(SOI + comment + rest) + frame(GOOD), JPEG, WHOLE)
            self.assertEqual(listener.photos, [GOOD])
        for unwanted in (), (0,):
            listener = Listener(unwanted=unwanted)
            listener.hear(frame(SOI + comment + lying(0xDB, 900, b"cut off"))).silence()
            self.assertEqual(listener.answers, [JPEG])
            self.assertFalse(listener.decoder.in_frame)

    def test_a_broken_marker_and_a_mark(self) -> None:
        """The mark counts where it stands in the very bytes that broke the structure."""
        for start in b"\xff\xda", b"\xff", b"\xff\xff", b"\xff\xd8":
            for unwanted in (), (0,):
                for cuts in [900], [1], [3]:
                    stream = frame(SOI + start) + frame(GOOD)
                    listener = Listener(unwanted=unwanted).hear(*pieces(stream, cuts))
                    self.assertEqual(listener.answers, [JPEG, WHOLE])


class Sizes(V1Case):
    def test_the_largest(self) -> None:
        """A photo of exactly the largest size is kept; one byte more is refused, not held."""
        self.hears(frame(GOOD) + frame(GOOD), WHOLE, WHOLE, most=len(GOOD))
        listener = self.hears(frame(GOOD) + frame(b"x"), SIZE, JPEG, most=len(GOOD) - 1)
        refused = listener.told[1]
        self.assertEqual(refused, Ended(SIZE, (), len(GOOD), 16, 8))

    def test_up_to_four_times(self) -> None:
        """Four times the largest size is read over, and the next photo is whole."""
        photo = jpeg(scan=bytes(4 * MOST - len(jpeg(scan=b""))))
        self.assertEqual(len(photo), 4 * MOST)
        listener = Listener().hear(*pieces(frame(photo) + frame(GOOD), [700]))
        self.assertEqual(listener.answers, [SIZE, WHOLE])
        self.assertLess(listener.most_held, MOST + 700)

    def test_endless(self) -> None:
        """One byte more than four times is told once, and nothing comes or stays behind it."""
        photo = jpeg(scan=bytes(4 * MOST + 1 - len(jpeg(scan=b""))))
        for body in photo, bytes(4 * MOST + 1), GOOD + bytes(4 * MOST), b"\xff" * 9000:
            for cuts in [20_000], [1], [700]:
                listener = Listener().hear(*pieces(BEGIN + body + OVER + frame(GOOD), cuts))
                self.assertEqual(listener.told, [Began(), Endless()])
                listener.hear(frame(GOOD) * 9)
                self.assertEqual(listener.told, [Began(), Endless()])
                self.assertEqual(listener.decoder.held, 0)

    def test_oversize_with_a_mark_across_a_segments_end(self) -> None:
        """A mark whose first bytes a length claims ends a frame over the largest size too."""
        for swallowed in range(1, len(OVER)):
            body = SOI + lying(0xFE, 2 + 100 + swallowed, bytes(100))
            self.hears(frame(body) + frame(b""), SIZE, JPEG, most=50)

    def test_oversize_with_a_swallowed_mark(self) -> None:
        """A frame over the largest size whose mark a length claims is over after a silence."""
        body = SOI + lying(0xFE, 60_000, bytes(3000))
        for cuts in [9000], [1], [700]:
            listener = Listener().hear(*pieces(frame(body), cuts))
            self.assertEqual(listener.told, [Began()])
            listener.silence()
            self.assertEqual(listener.told[1:], [Ended(SIZE, (), len(body), 0, 0)])
            self.assertEqual(listener.hear(frame(GOOD)).photos, [GOOD])

    def test_unwanted(self) -> None:
        """A frame that nobody wants costs no memory; its end and the next frame come."""
        photo = insects(4)
        listener = Listener(100_000, unwanted=(0,))
        listener.hear(*pieces(frame(photo) + frame(photo), [1430]))
        self.assertEqual(listener.told[1], Ended(WHOLE, (), len(photo), 320, 240))
        self.assertEqual(listener.photos, [b"", photo])
        alone = Listener(100_000, unwanted=(0,)).hear(*pieces(frame(photo), [1430]))
        self.assertLess(alone.most_held, 10)

    def test_unwanted_and_broken(self) -> None:
        """Of an unwanted frame that is no JPEG not a byte is held."""
        listener = Listener(unwanted=(0,)).hear(BEGIN + SOI + segment(0xFE, b"text") + b"text")
        listener.hear(b"more")
        self.assertEqual(listener.decoder.held, 0)

    def test_unwanted_half_way(self) -> None:
        """A frame may be given up in the middle: what was held of it is let go."""
        photo = insects(5)
        listener = Listener(100_000).hear(BEGIN, photo[:3000])
        self.assertGreaterEqual(listener.decoder.held, 2990)
        listener.decoder.discard()
        self.assertLess(listener.decoder.held, 10)
        listener.hear(photo[3000:], OVER, frame(photo))
        self.assertEqual(listener.photos, [b"", photo])


class Noise(V1Case):
    def test_counted(self) -> None:
        """What stands between frames is skipped and counted, marks' fragments too."""
        listener = self.hears(
            b"\r\nFrame" + frame(GOOD) + b"FrameOver!" + frame(GOOD), WHOLE, WHOLE
        )
        self.assertEqual(listener.decoder.noise, 7 + 10)

    def test_fragments_of_a_mark(self) -> None:
        """A mark that begins twice is found where it is whole."""
        for noise in b"FrameBegi", b"F", b"FrameFrame", b"FrameOve", b"FFFrame":
            listener = self.hears(noise + frame(GOOD), WHOLE)
            self.assertEqual(listener.decoder.noise, len(noise))

    def test_held(self) -> None:
        """However much noise comes, less than a mark of it is held."""
        listener = Listener().hear(*([b"FrameBegi" + b"sound" * 200] * 200))
        self.assertEqual(listener.told, [])
        self.assertLess(listener.most_held, len(BEGIN))
        self.assertEqual(listener.decoder.noise, 200 * 1009)

    def test_orphans(self) -> None:
        """An end without a beginning is told to who asked, up to the first beginning."""
        stream = b"end" + OVER + b"x" + OVER + frame(GOOD) + OVER + b"y"
        for listener in every_cut(stream, orphans=True):
            told = [type(event) for event in listener.told]
            self.assertEqual(told, [Torn, Torn, Began, Ended])
            self.assertEqual(listener.decoder.noise, 3 + 1 + len(OVER) + 1)
        self.hears(stream, WHOLE)

    def test_only_taken(self) -> None:
        """Receiving bytes tells nothing; each event is told once."""
        decoder = V1Decoder(MOST)
        decoder.receive_data(frame(GOOD))
        self.assertFalse(decoder.in_frame)
        self.assertEqual(decoder.held, len(frame(GOOD)))
        self.assertEqual(decoder.next_event(), Began())
        self.assertTrue(decoder.in_frame)
        self.assertIsInstance(decoder.next_event(), Ended)
        self.assertIsNone(decoder.next_event())
        self.assertIsNone(decoder.next_event())


class MarksInside(SynchronousTestCase):
    """Letters of a mark that are none."""

    def test_begin_in_junk(self) -> None:
        """Behind the JPEG's end and inside its scan only `FrameOver` ends a frame: a beginning
        that no JPEG follows is junk, or picture."""
        photo = insects(3)
        behind = photo + b"abcFrameBeginxyz" + bytes(20) + b"FrameBegin"
        inside = photo[:-300] + b"FrameBegin" + photo[-300:]
        for sent, kept in ((behind, photo), (inside, inside)):
            stream = BEGIN + sent + OVER
            for cut in range(len(stream) - 60, len(stream)):
                heard = Listener(100_000).hear(stream[:cut], stream[cut:])
                self.assertEqual(heard.answers, [Verdict.WHOLE])
                self.assertEqual(heard.photos, [kept])

    def test_a_lost_end(self) -> None:
        """Where another JPEG follows a beginning, the frame before it had lost its end: it gets
        its line, and the next one is not lost with it."""
        photo = insects(4)
        stream = BEGIN + photo[:-900] + BEGIN + photo + OVER
        at = len(BEGIN) + len(photo) - 900
        for cut in range(at - 3, at + 15):
            heard = Listener(100_000).hear(stream[:cut], stream[cut:])
            self.assertEqual(heard.answers, [Verdict.JPEG, Verdict.WHOLE])
            self.assertEqual(heard.photos, [photo])
