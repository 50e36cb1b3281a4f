"""In a sealed session nothing is believed that nobody has vouched for."""

import zlib
from contextlib import ExitStack

from hypothesis import given, settings
from hypothesis import strategies as st

from camd.fleet import CommandError
from camd.photo import CameraId, Reason
from tests.e2e_door import CAMERA, MOST, BoardCase
from tests.e2e_talk import KEY, picture

OTHER = CameraId("other")
STEPS = (
    *("turn",) * 2, *("frame",) * 8, *("stored",) * 8, *("ping",) * 4, *("refused",) * 2,
    "spoilt", "snap", "v1", "half", "wrong", "stop",
)  # fmt: skip


class Sealed(BoardCase):
    """Every line of both sides is sealed, and the mac is looked at before anything else."""

    def setUp(self) -> None:
        super().setUp()
        self.keys.keys[CAMERA] = (KEY,)
        self.sealed = self.board(key=KEY)

    def refused(self, data: bytes) -> None:
        """Said so, it ends the session with nothing stored."""
        self.sealed.peer.say(data)
        self.assertEqual(self.sealed.lines, ["ERR mac"])
        self.assertTrue(self.sealed.peer.ended)
        self.assertEqual(self.intake.waiting, [])

    def test_both_ways(self) -> None:
        """Photos, refusals, errors and commands are all numbered and sealed in one row."""
        board = self.sealed
        board.frame(1, picture(1))
        self.intake.release()
        board.frame(2, b"no picture")
        board.say("WHAT now")
        board.say("PING x")
        self.fleet.command(CAMERA, "snap").addErrback(lambda _: None)
        self.assertEqual(board.lines, ["ACK 1", "NAK 2 jpeg", "ERR verb", "PONG x", "SNAP 1"])
        board.say("DONE 1")
        board.peer.leave()

    def test_no_room_for_a_mac(self) -> None:
        """A command that is too long with its mac is not said, and what is said next is numbered
        as if it had not been asked for."""
        url, sha256 = "http://" + "u" * 894, "ab" * 32
        for more, line in (("", f"UPDATE 1 url={url} sha256={sha256}"), ("u", None)):
            done = self.fleet.command(CAMERA, "update", url=url + more, sha256=sha256)
            if line is None:
                self.assertIn("longer", str(self.failureResultOf(done, CommandError).value))
            else:
                done.addErrback(lambda _: None)
                self.assertEqual(len(line) + len(" mac=\n") + 32, 1024)
                self.assertEqual(self.sealed.lines, [line])
        self.sealed.say("PING")
        self.assertEqual(self.sealed.lines, ["PONG"])
        self.sealed.peer.leave()

    def test_answers_that_are_kept(self) -> None:
        """Whatever is said while answers wait to leave together goes behind them, as it is
        numbered; what is said before an end, too, and a refusal."""
        board = self.sealed
        for seq in (1, 2, 3, 4):
            board.frame(seq, picture(seq))
        with self.factory.outbox:
            self.intake.release()
            board.say("PING x")
            self.intake.release()
            self.fleet.command(CAMERA, "snap").addErrback(lambda _: None)
            self.intake.refuse_next(Reason.STOPPING)
            self.intake.release()
            self.board(key=KEY)
        self.assertEqual(
            board.lines,
            ["ACK 1", "PONG x", "ACK 2", "SNAP 1", "NAK 3 stopping", "ACK 4", "ERR taken"],
        )
        self.assertTrue(board.peer.ended)

    def test_gone_with_answers_kept(self) -> None:
        """Who goes while answers are kept costs the others none of theirs."""
        self.keys.keys[OTHER] = (KEY,)
        other = self.board(OTHER, key=KEY)
        self.sealed.frame(1, picture(1))
        other.frame(2, picture(2))
        with self.factory.outbox:
            self.intake.release()
            self.sealed.peer.leave()
            self.intake.release()
        self.assertEqual((self.sealed.lines, other.lines), ([], ["ACK 2"]))

    def test_altered_payload(self) -> None:
        """One bit of the payload, and its CRC put right, are found."""
        said = bytearray(self.sealed.talk.frame(1, picture()))
        said[-7] ^= 1
        crc = f"{zlib.crc32(picture()):08x}".encode()
        self.refused(
            bytes(said).replace(crc, f"{zlib.crc32(said[-len(picture()) :]):08x}".encode())
        )

    def test_altered_line(self) -> None:
        """So is another seq."""
        self.refused(self.sealed.talk.frame(1, picture()).replace(b"seq=1", b"seq=2"))

    def test_missing(self) -> None:
        """A line without a mac."""
        self.refused(b"PING\n")

    def test_not_last(self) -> None:
        """A mac that is not the last word."""
        self.refused(self.sealed.talk.line("PING").replace(b"\n", b" x\n"))

    def test_reordered(self) -> None:
        """Lines that were put into another order."""
        first, second = (self.sealed.talk.frame(n, picture(n)) for n in (1, 2))
        self.refused(second + first)

    def test_repeated(self) -> None:
        """A line that comes twice: the first counts."""
        said = self.sealed.talk.line("PING")
        self.sealed.peer.say(said)
        self.assertEqual(self.sealed.lines, ["PONG"])
        self.refused(said)

    def test_dropped(self) -> None:
        """A line that somebody took out of the row."""
        self.sealed.talk.line("STAT rssi=-60")
        self.refused(self.sealed.talk.line("PING"))

    def test_mac_before_all_else(self) -> None:
        """Wrong CRC, no picture, too large, no syntax, unknown verb: with a wrong mac it is the
        mac that is wrong."""
        for text, payload in (
            ("FRAME seq=1 len=10 crc=00000000", b"no picture"),
            (f"FRAME seq=1 len={MOST + 1} crc=00000000", bytes(MOST + 1)),
            (f"FRAME seq=1 len={4 * MOST + 1} crc=00000000", b""),
            ("FRAME seq=0 len=0 crc=00000000", b""),
            ("PING  x", b""),
            ("WHAT len=3", b"abc"),
        ):
            self.sealed = self.board(key=KEY)
            mac = b" mac=" + b"0" * 32 + b"\n"
            self.refused(text.encode() + mac + payload)

    def test_size_in_a_sealed_session(self) -> None:
        """Too large but checked is NAK size and goes on; too large to be checked ends it."""
        board = self.sealed
        board.frame(1, bytes(MOST + 1))
        self.assertEqual(board.lines, ["NAK 1 size"])
        board.frame(2, picture())
        self.intake.release()
        self.assertEqual(board.lines, ["ACK 2"])
        self.refused(board.talk.line(f"FRAME seq=3 len={4 * MOST + 1} crc=00000000"))

    def test_syntax_is_sealed(self) -> None:
        """A line that is vouched for and malformed is ERR syntax, sealed as well."""
        self.sealed.say("PING two words")
        self.assertEqual(self.sealed.lines, ["ERR syntax"])
        self.assertTrue(self.sealed.peer.ended)


class Together(BoardCase):
    """Answers that are kept until others leave with them."""

    def play(self, steps: list[tuple[str, int]], kept: bool) -> list[tuple[list[str], bool]]:
        """What each of three boards was told, in order, and whether that was the end.

        :param kept: between one "turn" and the next, answers wait to leave together.
        """
        self.setUp()
        self.configure("wire", window=3)
        self.keys.keys[CAMERA] = (KEY,)
        boards = [self.board(key=KEY), self.board("two"), self.board("three")]
        v1 = self.peer("192.0.2.77")
        with ExitStack() as stack:
            steps = [("turn", 0), *steps]
            for seq, (what, which) in enumerate(steps, 1):
                board = boards[which]
                if what == "turn":
                    stack.close()
                    if kept:
                        stack.enter_context(self.factory.outbox)
                elif what == "frame":
                    board.frame(seq, picture(seq))
                elif what == "spoilt":
                    board.frame(seq, picture(seq)[:-2])
                elif what == "ping":
                    board.say(f"PING {seq}")
                elif what == "snap" and which == 0:
                    self.fleet.command(CAMERA, "snap").addErrback(lambda _: None)
                elif what == "v1":
                    v1.say(b"FrameBegin" + picture(seq) + b"FrameOver")
                elif what == "half":
                    board.peer.half_close()
                elif what == "wrong":
                    board.say("FRAME")
                elif what == "stop":
                    self.factory.stopping = True
                elif self.intake.waiting and what == "stored":
                    self.intake.release(which % len(self.intake.waiting))
                elif self.intake.waiting and what == "refused":
                    self.intake.refuse_next(Reason.FULL)
            stack.close()
            while self.intake.waiting:
                self.intake.release()
        return [(board.lines, board.peer.ended) for board in boards] + [(v1.lines, v1.ended)]

    @settings(max_examples=60)
    @given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2)), min_size=10, max_size=40))
    def test_nothing_else(self, steps: list[tuple[str, int]]) -> None:
        """Each board is told the same, in the same order, as if every answer left by itself: in
        sealed sessions, at the window's end, half-closed, and when camd stops."""
        self.assertEqual(self.play(steps, kept=True), self.play(steps, kept=False))
