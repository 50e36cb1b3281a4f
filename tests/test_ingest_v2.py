"""A v2 board is told to the byte what became of each of its photos."""

import zlib

from camd.photo import Reason, Trigger
from tests.e2e_door import CAMERA, MOST, BoardCase
from tests.e2e_talk import BOOT, KEY, Talk, picture
from tests.streams import pieces


class Photos(BoardCase):
    """FRAME, and its answers."""

    def setUp(self) -> None:
        super().setUp()
        self.one = self.board()

    def test_stored(self) -> None:
        """A photo reaches the intake with all that was said of it, and is acknowledged when it is
        stored, not before."""
        data = picture(7)
        self.one.frame(17, data, " ts=1786832000123 trigger=motion x=y")
        self.assertEqual(self.one.lines, [])
        photo = self.intake.release()
        self.assertEqual(self.one.lines, ["ACK 17"])
        self.assertEqual((photo.camera, photo.boot, photo.seq), (CAMERA, BOOT, 17))
        self.assertEqual((photo.data, photo.crc), (data, zlib.crc32(data)))
        self.assertEqual((photo.taken, photo.trigger), (1786832000.123, Trigger.MOTION))
        self.assertEqual((photo.width, photo.height), (16, 8))

    def test_every_cut(self) -> None:
        """However TCP cuts two photos, both are taken whole."""
        self.intake.at_once = True
        stream = self.one.talk.frame(1, picture(1)) + self.one.talk.frame(2, picture(2))
        for size in range(1, len(stream)):
            self.one.peer.say(*pieces(stream, [size]))
            self.assertEqual(self.one.lines, ["ACK 1", "ACK 2"], size)
        self.assertEqual({p.data for p in self.intake.stored}, {picture(1), picture(2)})

    def test_earlier_boot(self) -> None:
        """A photo of an earlier start has that start's name, and its answers repeat it."""
        before = "1111111111111111"
        for seq in (1, 2):
            self.one.frame(seq, picture(seq), f" boot={before}")
        self.assertEqual(self.intake.release().boot, before)
        self.intake.refuse_next(Reason.FULL, 2.5)
        self.one.frame(3, b"", f" boot={before}")
        self.assertEqual(
            self.one.lines,
            [f"ACK 1 boot={before}", f"NAK 2 full retry=2500 boot={before}",
             f"NAK 3 jpeg boot={before}"],
        )  # fmt: skip
        self.assertEqual(self.intake.final, [(CAMERA, before, 3)])

    def test_answers_in_any_order(self) -> None:
        """Whichever is through first is answered first."""
        for seq in (5, 3, 4):
            self.one.frame(seq, picture(seq))
        for at in (1, 1, 0):
            self.intake.release(at)
        self.assertEqual(self.one.lines, ["ACK 3", "ACK 4", "ACK 5"])

    def test_answers_together(self) -> None:
        """Answers that become known in one go leave in one piece, each connection's by itself,
        and before anything that is said behind them."""
        other = self.board("other")
        for seq in (1, 2, 3, 4):
            self.one.frame(seq, picture(seq))
        other.frame(9, picture(9))
        said: list[bytes] = []
        self.patch(self.one.peer.transport, "write", said.append)
        with self.factory.outbox:
            self.intake.release()
            self.intake.release(3)
            self.intake.release()
            self.assertEqual((said, other.lines), ([], []))
            self.intake.refuse_next(Reason.FULL)
            self.intake.release()
        self.assertEqual(said, [b"ACK 1\nACK 2\nNAK 3 full\n", b"ACK 4\n"])
        self.assertEqual(other.lines, ["ACK 9"])

    def test_answers_before_the_end(self) -> None:
        """A connection that ends in the midst of it is sent its answers before."""
        self.one.frame(1, picture(1))
        self.factory.stopping = True
        with self.factory.outbox:
            self.intake.release()
            self.assertEqual(self.one.lines, ["ACK 1"])
            self.assertTrue(self.one.peer.ended)

    def test_reasons(self) -> None:
        """What the store refuses is told in its word; the connection goes on."""
        for reason in Reason:
            self.one.frame(1, picture())
            self.intake.refuse_next(reason)
            self.assertEqual(self.one.lines, [f"NAK 1 {reason.value}"])
        self.assertFalse(self.one.peer.ended)

    def test_crc(self) -> None:
        """A payload that is not what was announced is NAK crc: not final, so `last` stays."""
        self.one.frame(1, picture(), crc=zlib.crc32(picture()) ^ 1)
        self.assertEqual(self.one.lines, ["NAK 1 crc"])
        self.assertEqual(self.intake.final, [])

    def test_final(self) -> None:
        """What the door refuses for good is settled: `last` goes up to it."""
        self.one.frame(1, b"no picture")
        self.one.frame(2, picture() + b"\0")
        self.one.frame(3, b"")
        self.one.frame(4, bytes(MOST + 1))
        self.assertEqual(self.one.lines, [f"NAK {n} jpeg" for n in (1, 2, 3)] + ["NAK 4 size"])
        self.assertEqual(self.intake.final, [(CAMERA, BOOT, n) for n in (1, 2, 3, 4)])
        self.assertEqual(self.intake.waiting, [])

    def test_conflict_before_jpeg(self) -> None:
        """What is stored already is not sent again as something else, be it no photo at all."""
        self.intake.known[(CAMERA, BOOT, 4)] = 1
        self.one.frame(4, b"no picture")
        self.one.frame(5, b"no picture")
        self.assertEqual(self.one.lines, ["NAK 4 conflict", "NAK 5 jpeg"])

    def test_conflict_or_not(self) -> None:
        """Where the catalog cannot tell, it is to be sent again."""
        self.intake.unreadable = True
        self.one.frame(4, b"no picture")
        self.assertEqual(self.one.lines, ["NAK 4 io"])
        self.assertFalse(self.one.peer.ended)
        self.assertEqual(self.intake.final, [])

    def test_a_bad_head_is_told_at_once(self) -> None:
        """In a plain session nobody waits for the payload of a line that is wrong."""
        self.one.peer.say(b"FRAME seq=0 len=15000 crc=01234567\n")
        self.assertEqual(self.one.lines, ["ERR syntax"])
        self.assertTrue(self.one.peer.ended)

    def test_largest(self) -> None:
        """A photo of just `max` bytes is taken."""
        data = picture(0, 60_000 * 69)
        data = picture(0, 60_000 * 69 + MOST - len(data) - 4)
        self.assertEqual(len(data), MOST)
        self.one.peer.say(*pieces(self.one.talk.frame(1, data), [65_536]))
        self.intake.release()
        self.assertEqual(self.one.lines, ["ACK 1"])

    def test_skipped(self) -> None:
        """Up to four times `max` the payload is skipped in no memory and answered behind it."""
        most = 0
        for piece in pieces(self.one.talk.frame(1, bytes(4 * MOST)), [65_536]):
            self.assertEqual(self.one.lines, [])
            self.one.peer.say(piece)
            most = max(most, self.factory.budget.held)
        self.assertEqual(self.one.lines, ["NAK 1 size"])
        self.assertLess(most, 65_537)
        self.one.frame(2, picture())
        self.intake.release()
        self.assertEqual(self.one.lines, ["ACK 2"])

    def test_beyond(self) -> None:
        """Beyond four times `max` the answer comes at once, and camd closes behind it."""
        self.one.say(f"FRAME seq=9 len={4 * MOST + 1} crc=00000000")
        self.assert_told(self.one.peer, "NAK 9 size")
        self.assertEqual(self.intake.refusals, [(CAMERA, Reason.SIZE)])
        self.assertEqual(self.intake.final, [(CAMERA, BOOT, 9)])

    def test_syntax(self) -> None:
        """Numbers out of range, a length that is none, words that do not belong: ERR syntax."""
        for text in (
            "FRAME seq=0 len=0 crc=00000000",
            "FRAME seq=4294967296 len=0 crc=00000000",
            "FRAME seq=01 len=0 crc=00000000",
            "FRAME seq=+1 len=0 crc=00000000",
            "FRAME seq=1 len=00 crc=00000000",
            "FRAME seq=1 len=-1 crc=00000000",
            "FRAME seq=1 len=1000000000000000 crc=00000000",
            "FRAME seq=1 len=0 crc=0000000",
            "FRAME seq=1 len=0 crc=0000000G",
            "FRAME seq=1 len=0 crc=ABCDEF00",
            "FRAME seq=1 len=0",
            "FRAME seq=1 crc=00000000",
            "FRAME len=0 crc=00000000",
            "FRAME 1 seq=1 len=0 crc=00000000",
            "FRAME seq=1 len=0 crc=00000000 trigger=bird",
            "FRAME seq=1 len=0 crc=00000000 ts=1.5",
            "FRAME seq=1 len=0 crc=00000000 boot=12",
        ):
            board = self.board()
            board.say(text)
            self.assert_told(board.peer, "ERR syntax")
        self.assertEqual(self.intake.waiting, [])

    def test_memory_over_all_connections(self) -> None:
        """Where all connections hold what they may, a photo is NAK busy and the rest go on."""
        self.configure("limits", held=MOST)
        half = self.one.talk.frame(1, picture(0, MOST // 2))
        self.one.peer.say(half[:-100])
        other = self.board("other")
        other.frame(1, picture(1, MOST * 3 // 4))
        self.assertEqual(other.lines, ["NAK 1 busy"])
        self.one.peer.say(half[-100:])
        self.intake.release()
        self.assertEqual(self.one.lines, ["ACK 1"])
        self.assertLess(self.factory.budget.held, 100)

    def test_memory_of_the_gone(self) -> None:
        """Photos on their way to the disk count when their board is gone; none counts twice."""
        data = picture(0, MOST // 2)
        self.configure("limits", held=3 * len(data))
        self.one.peer.say(*(self.one.talk.frame(seq, data) for seq in (1, 2, 3)))
        self.assertEqual(len(self.intake.waiting), 3)
        self.one.peer.leave()
        self.assertEqual(self.factory.budget.held, 3 * len(data))
        again = self.board()
        again.frame(4, data)
        self.assertEqual(again.lines, ["NAK 4 busy"])
        for _ in range(3):
            self.intake.release()
        self.assertEqual(self.factory.budget.held, 0)


class Window(BoardCase):
    """No more photos are awaited than were offered."""

    def test_stops_reading(self) -> None:
        """With `window` photos unanswered camd stops reading until an answer is out; nothing
        that came meanwhile is lost."""
        board = self.board()
        for seq in range(1, 9):
            board.frame(seq, picture(seq))
        self.assertTrue(board.peer.reading)
        board.frame(9, picture(9))
        self.assertFalse(board.peer.reading)
        self.assertEqual(len(self.intake.waiting), 8)
        self.intake.release()
        self.assertTrue(board.peer.reading)
        self.assertEqual(len(self.intake.waiting), 8)
        while self.intake.waiting:
            self.intake.release()
        self.assertEqual(board.lines, [f"ACK {n}" for n in range(1, 10)])

    def test_glued(self) -> None:
        """Twenty photos in one segment are taken eight at a time."""
        board = self.board()
        board.peer.say(b"".join(board.talk.frame(n, picture(n)) for n in range(1, 21)))
        for _ in range(20):
            self.assertLessEqual(len(self.intake.waiting), 8)
            self.intake.release()
        self.assertEqual(board.lines, [f"ACK {n}" for n in range(1, 21)])

    def test_no_time_runs(self) -> None:
        """While camd does not read, its board cannot be late."""
        board = self.board()
        stream = b"".join(board.talk.frame(n, picture(n)) for n in range(1, 10))
        board.peer.say(stream + board.talk.frame(10, picture(10))[:-9])
        self.seconds(1000, 10)
        self.assertFalse(board.peer.ended)
        self.assertEqual(board.lines, [])
        self.intake.release()
        self.intake.release()
        board.peer.say(board.talk.frame(10, picture(10))[-9:])
        while self.intake.waiting:
            self.intake.release()
        self.assertEqual(len(board.lines), 10)

    def test_half_closed(self) -> None:
        """A board that has closed its side hears the answers that it waits for."""
        board = self.board()
        for seq in (1, 2):
            board.frame(seq, picture(seq))
        board.peer.half_close()
        self.assertFalse(board.peer.ended)
        self.intake.release()
        self.intake.release()
        self.assert_told(board.peer, "ACK 1", "ACK 2")

    def test_half_closed_in_a_photo(self) -> None:
        """So does one that has left a photo unfinished, which is not waited for."""
        board = self.board()
        board.frame(1, picture(1))
        board.peer.say(board.talk.frame(2, picture(2))[:-1])
        board.peer.half_close()
        self.seconds(30)
        self.assertFalse(board.peer.ended)
        self.intake.release()
        self.assert_told(board.peer, "ACK 1")


class Takeover(BoardCase):
    """A second connection of the same camera takes over."""

    def test_first_is_told(self) -> None:
        """At the second's WELCOME the first gets ERR taken; the camera is the second's."""
        first = self.board()
        peer = self.peer()
        peer.say(b"HELLO camd/2 ")
        self.assertFalse(first.peer.ended)
        second = self.board()
        self.assert_told(first.peer, "ERR taken")
        first.peer.leave()
        self.assertTrue(self.camera(CAMERA).connected)
        second.frame(1, picture())
        self.intake.release()
        self.assertEqual(second.lines, ["ACK 1"])

    def test_unproven_does_not(self) -> None:
        """Who has not got the key does not end a session."""
        self.keys.keys[CAMERA] = (KEY,)
        first = self.board(key=KEY)
        talk = Talk(CAMERA, key=bytes(32))
        peer = self.peer()
        peer.say(talk.hello())
        peer.say(talk.auth(*peer.lines))
        self.assert_told(peer, "ERR auth")
        self.assertFalse(first.peer.ended)

    def test_in_flight(self) -> None:
        """The first's photo that is on its way is not answered to it any more, and does no
        harm."""
        first = self.board()
        first.frame(1, picture())
        self.board()
        self.assert_told(first.peer, "ERR taken")
        self.intake.release()
        self.assertEqual(first.peer.heard(), b"")


class Stopping(BoardCase):
    """camd stops."""

    def test_in_flight(self) -> None:
        """Photos on their way are acknowledged, then the connection is closed."""
        board = self.board()
        board.frame(1, picture())
        self.factory.drain()
        self.assertFalse(board.peer.ended)
        self.intake.release()
        self.assert_told(board.peer, "ACK 1")

    def test_comes_meanwhile(self) -> None:
        """A photo that comes while camd stops is NAK stopping, one that had begun is stored."""
        board = self.board()
        begun = board.talk.frame(1, picture(1))
        board.peer.say(begun[:-3])
        self.factory.drain()
        board.peer.say(begun[-3:] + board.talk.frame(2, picture(2)))
        self.intake.release()
        self.assertEqual(sorted(board.lines), ["ACK 1", "NAK 2 stopping"])
        self.assertTrue(board.peer.ended)

    def test_idle(self) -> None:
        """Who sends nothing is closed at once, in the middle of the opening too."""
        idle, opening, silent = self.board(), self.peer(), self.peer()
        opening.say(b"HELLO camd")
        self.successResultOf(self.factory.drain())
        for peer in (idle.peer, opening, silent):
            self.assertTrue(peer.ended)
