"""A v1 board gets one line for each frame, in order, whatever happens."""

from camd.config import Seconds
from camd.ingest.board_v1 import MAX_UNANSWERED
from camd.photo import Reason
from tests.e2e_door import MOST, DoorCase
from tests.e2e_talk import BEGIN, OVER, frame, picture
from tests.streams import EOI, SCAN, SOI, SOS, frame_header, jpeg, lying, pieces, segment

BOARD = "v1-192-0-2-7"


class Lines(DoorCase):
    """One line for each frame."""

    def setUp(self) -> None:
        super().setUp()
        self.board = self.peer()

    def test_nothing_unasked(self) -> None:
        """Nothing is said before a frame is over and stored."""
        self.board.say(frame(picture())[:-1])
        self.assertEqual(self.board.heard(), b"")
        self.board.say(b"r")
        self.assertEqual(self.board.heard(), b"")
        self.intake.release()
        self.assertEqual(self.board.heard(), b"ACK\n")

    def test_every_cut(self) -> None:
        """However TCP cuts two frames with noise between them, they get two lines."""
        self.intake.at_once = True
        stream = b"??" + frame(picture(1)) + b"\0\0" + frame(picture(2))
        for size in range(1, len(stream)):
            board = self.peer()
            board.say(*pieces(stream, [size]))
            self.assertEqual(board.heard(), b"ACK\nACK\n", size)
            board.leave()
        self.assertEqual({photo.data for photo in self.intake.stored}, {picture(1), picture(2)})

    def test_in_order(self) -> None:
        """Frames that come glued together are answered in their order, though a later one is
        through before."""
        self.board.say(frame(picture(1)) + frame(b"no picture") + frame(picture(2)))
        self.assertEqual(self.board.heard(), b"")
        self.intake.release(1)
        self.assertEqual(self.board.heard(), b"")
        self.intake.release()
        self.assertEqual(self.board.heard(), b"ACK\nNAK jpeg\nACK\n")

    def test_own_boot_for_each_connection(self) -> None:
        """camd draws a boot for each connection, and counts from 1 on it."""
        self.intake.at_once = True
        self.board.say(frame(picture(1)), frame(picture(2)))
        other = self.peer()
        other.say(frame(picture(3)))
        first, second, third = self.intake.stored
        self.assertEqual((first.seq, second.seq, third.seq), (1, 2, 1))
        self.assertEqual(first.boot, second.boot)
        self.assertNotEqual(first.boot, third.boot)

    def test_reasons(self) -> None:
        """What the store refuses is told in its word, and the next frame is none the worse."""
        for reason in (Reason.FULL, Reason.IO, Reason.BUSY, Reason.STOPPING):
            self.board.say(frame(picture()))
            self.intake.refuse_next(reason)
            self.assertEqual(self.board.heard(), b"NAK %s\n" % reason.value.encode())
        self.board.say(frame(picture()))
        self.intake.release()
        self.assertEqual(self.board.heard(), b"ACK\n")
        self.assertFalse(self.board.ended)

    def test_no_picture(self) -> None:
        """Cut off, without a frame header, without a scan, empty, or none at all: NAK jpeg."""
        whole = picture()
        for bad in (b"", b"hello", whole[:-2], whole[2:], SOI + EOI, SOI + frame_header() + EOI,
                    SOI + SOS + SCAN + EOI):  # fmt: skip
            self.board.say(frame(bad))
            self.assertEqual(self.board.heard(), b"NAK jpeg\n", bad)
        self.assertEqual(self.intake.waiting, [])
        self.assertFalse(self.board.ended)

    def test_junk_behind_the_end(self) -> None:
        """Junk and zeros that a driver appended are not stored."""
        self.intake.at_once = True
        self.board.say(frame(picture(1) + bytes(513)), frame(picture(2) + b"junk" * 9))
        self.assertEqual(self.board.heard(), b"ACK\nACK\n")
        self.assertEqual([photo.data for photo in self.intake.stored], [picture(1), picture(2)])

    def test_marks_inside(self) -> None:
        """Marks in a segment that declares its length are picture."""
        self.intake.at_once = True
        odd = jpeg(segment(0xFE, OVER + BEGIN + OVER))
        self.board.say(*pieces(frame(odd), [3]))
        self.assertEqual(self.board.heard(), b"ACK\n")
        self.assertEqual(self.intake.stored[0].data, odd)

    def test_begun_anew(self) -> None:
        """A frame that another one cuts off gets its line too."""
        self.intake.at_once = True
        self.board.say(BEGIN + picture()[:-6] + frame(picture(1)))
        self.assertEqual(self.board.heard(), b"NAK jpeg\nACK\n")

    def test_swallowed_mark(self) -> None:
        """A mark that a lying length claims counts when nothing has followed for a second."""
        self.board.say(BEGIN + SOI + lying(0xFE, 5000, b"short") + OVER)
        self.seconds(0.9, 0.1)
        self.assertEqual(self.board.heard(), b"")
        self.seconds(0.2, 0.1)
        self.assertEqual(self.board.heard(), b"NAK jpeg\n")
        self.board.say(frame(picture()))
        self.intake.release()
        self.assertEqual(self.board.heard(), b"ACK\n")

    def test_mark_not_swallowed(self) -> None:
        """Where something follows within the second, the mark was picture after all."""
        odd = jpeg(segment(0xFE, b"." + OVER + b"..."))
        at = frame(odd).index(OVER) + len(OVER)
        self.board.say(frame(odd)[:at])
        self.seconds(0.9, 0.1)
        self.board.say(frame(odd)[at:])
        self.seconds(0.5, 0.1)
        self.intake.release()
        self.assertEqual(self.board.heard(), b"ACK\n")

    def test_too_many_unanswered(self) -> None:
        """A peer that does not wait for its answers is refused, in order, before it fills up
        the memory."""
        for number in range(MAX_UNANSWERED + 3):
            self.board.say(frame(picture(number)))
        self.assertEqual(len(self.intake.waiting), MAX_UNANSWERED)
        while self.intake.waiting:
            self.intake.release()
        self.assertEqual(self.board.lines, ["ACK"] * MAX_UNANSWERED + ["NAK busy"] * 3)


class Size(DoorCase):
    """What is too large is read over, and what does not end is ended."""

    def setUp(self) -> None:
        super().setUp()
        self.board = self.peer()

    def test_largest(self) -> None:
        """A picture of just the largest size is taken, one of a byte more is not."""
        spare = MOST - len(picture(0, 60_000 * 69))
        for extra, answer in ((0, b"ACK\n"), (1, b"NAK size\n")):
            data = jpeg(
                segment(0xFE, b"0"), *[segment(0xFE, bytes(60_000))] * 69,
                segment(0xFE, bytes(spare - 4 + extra)),
            )  # fmt: skip
            self.assertEqual(len(data), MOST + extra)
            self.board.say(*pieces(frame(data), [65_536]))
            while self.intake.waiting:
                self.intake.release()
            self.assertEqual(self.board.heard(), answer)

    def test_skipped(self) -> None:
        """Up to four times the largest size it is skipped, in little memory, and the connection
        goes on."""
        data = picture(0, 3 * MOST)
        most = 0
        for piece in pieces(frame(data), [65_536]):
            self.board.say(piece)
            most = max(most, self.factory.budget.held)
        self.assertEqual(self.board.heard(), b"NAK size\n")
        self.assertLess(most, MOST + 2 * 65_536)
        self.board.say(frame(picture()))
        self.intake.release()
        self.assertEqual(self.board.heard(), b"ACK\n")
        self.assertFalse(self.board.ended)

    def test_endless(self) -> None:
        """Beyond four times the largest size camd answers and closes."""
        self.board.say(BEGIN + SOI + segment(0xFE, b"x") + frame_header() + SOS)
        for _ in range(4 * MOST // 65_536 + 2):
            self.board.say(bytes(65_536))
        self.assertEqual(self.board.heard(), b"NAK size\n")
        self.assertTrue(self.board.ended)
        self.assertLess(self.factory.budget.held, 1000)

    def test_endless_behind_others(self) -> None:
        """Answers that are owed before it, held back for the sake of the pace or by the disk, are
        given first, and nothing is said twice."""
        self.configure("cameras", pace=Seconds(600.0))
        beyond = bytes(4 * MOST + 65_536)
        self.board.say(frame(picture(1)) + BEGIN + SOI + beyond)
        self.seconds(20)
        self.assertEqual(self.board.heard(), b"")
        self.assertFalse(self.board.ended)
        self.board.half_close()
        self.factory.drain()
        self.intake.release()
        self.assertEqual(self.board.heard(), b"ACK\nNAK size\n")
        self.assertTrue(self.board.ended)
        self.board.leave()
        self.assertEqual(self.intake.refusals, [(BOARD, Reason.SIZE)])

    def test_memory_over_all_connections(self) -> None:
        """Where all connections together hold what they may, a frame is refused, with its line,
        and what it held is given back."""
        self.configure("limits", held=3 * MOST)
        boards = [self.peer(f"192.0.2.{number}") for number in range(10, 14)]
        whole = frame(picture(0, MOST - 5000))
        for board in boards:
            board.say(whole[:-9])
            self.assertLessEqual(self.factory.budget.held, 3 * MOST)
        for board in boards:
            board.say(whole[-9:])
        while self.intake.waiting:
            self.intake.release()
        answers = [board.heard() for board in boards]
        self.assertEqual(answers.count(b"ACK\n"), 3)
        self.assertEqual(answers.count(b"NAK busy\n"), 1)
        self.assertEqual(self.factory.budget.held, 0)

    def test_memory_of_the_gone(self) -> None:
        """A photo on its way to the disk counts when its board is gone, and only once."""
        data = picture(0, MOST - 5000)
        for number in (1, 2):
            self.board.say(frame(data))
            self.assertEqual(self.factory.budget.held, number * len(data))
        self.board.leave()
        self.assertEqual(self.factory.budget.held, 2 * len(data))
        self.intake.release()
        self.intake.refuse_next(Reason.FULL)
        self.assertEqual(self.factory.budget.held, 0)


class Stopping(DoorCase):
    """camd stops: what is in flight gets its true answer first."""

    def setUp(self) -> None:
        super().setUp()
        self.board = self.peer()

    def test_idle(self) -> None:
        """A board that is between photos is not waited for; its connection stays as long as camd
        runs."""
        self.board.say(frame(picture()))
        self.intake.release()
        self.successResultOf(self.factory.drain())
        self.assertFalse(self.board.ended)
        gone = self.factory.hang_up()
        self.assertTrue(self.board.ended)
        self.assertNoResult(gone)
        self.board.leave()
        self.successResultOf(gone)

    def test_in_flight(self) -> None:
        """A photo on its way to the disk is acknowledged before camd ends."""
        self.board.say(frame(picture()))
        drained = self.factory.drain()
        self.assertNoResult(drained)
        self.intake.release()
        self.assertEqual(self.board.heard(), b"ACK\n")
        self.successResultOf(drained)

    def test_leaves(self) -> None:
        """A board that goes is not waited for any more."""
        self.board.say(frame(picture()))
        drained = self.factory.drain()
        self.board.leave()
        self.successResultOf(drained)

    def test_begun(self) -> None:
        """A photo that has begun may finish, and is stored."""
        whole = frame(picture())
        self.board.say(whole[:-30])
        drained = self.factory.drain()
        self.board.say(whole[-30:])
        self.assertNoResult(drained)
        self.intake.release()
        self.assertEqual(self.board.heard(), b"ACK\n")
        self.successResultOf(drained)

    def test_comes_while_it_stops(self) -> None:
        """A photo that begins while camd stops gets NAK stopping, behind the true answers, and so
        does that of a board that was idle."""
        idle = self.peer("192.0.2.8")
        idle.say(frame(b""))
        idle.heard()
        self.board.say(frame(picture()))
        self.factory.drain()
        self.board.say(frame(picture()))
        self.assertEqual(self.board.heard(), b"")
        self.intake.release()
        self.assertEqual(self.board.heard(), b"ACK\nNAK stopping\n")
        idle.say(frame(picture()))
        self.assertEqual(idle.heard(), b"NAK stopping\n")

    def test_held_back(self) -> None:
        """An answer that is held back for the sake of the pace goes out at once."""
        self.configure("cameras", pace=Seconds(600.0))
        self.board.say(frame(picture()))
        self.intake.release()
        self.assertEqual(self.board.heard(), b"")
        self.successResultOf(self.factory.drain())
        self.assertEqual(self.board.heard(), b"ACK\n")


class HalfClosed(DoorCase):
    """A board, or netcat, that has said all it has to say still hears its answers."""

    def test_waits_for_answers(self) -> None:
        """Answers come behind the peer's FIN, and the connection is closed behind them."""
        board = self.peer()
        board.say(frame(picture(1)) + frame(picture(2)))
        board.half_close()
        self.assertFalse(board.ended)
        self.intake.release()
        self.intake.release()
        self.assertEqual(board.heard(), b"ACK\nACK\n")
        self.assertTrue(board.ended)

    def test_in_mid_frame(self) -> None:
        """A frame that FIN cuts off gets its line too, behind the others', however long the disk
        takes for those."""
        board = self.peer()
        board.say(frame(picture(1)) + BEGIN + picture(2)[:-5])
        board.half_close()
        self.seconds(30)
        self.intake.release()
        self.assertEqual(board.heard(), b"ACK\nNAK jpeg\n")
        self.assertTrue(board.ended)
        board.leave()
        self.assertEqual(self.intake.refusals, [(BOARD, Reason.JPEG)])

    def test_held_back(self) -> None:
        """Its answers are not held back any more."""
        self.configure("cameras", pace=Seconds(600.0))
        board = self.peer()
        board.say(frame(picture()))
        self.intake.release()
        board.half_close()
        self.assertEqual(board.heard(), b"ACK\n")
        self.assertTrue(board.ended)
