"""What a v2 board and camd say to each other besides photos, and how long they wait."""

import zlib
from typing import Any

from camd.config import Seconds
from camd.fleet import CommandError, State
from camd.photo import CameraId
from tests.e2e_door import CAMERA, MOST, NOW, Board, BoardCase
from tests.e2e_talk import Talk, picture


class TheRest(BoardCase):
    """STAT, BYE, PING, VIEW, commands, and what nobody knows."""

    def setUp(self) -> None:
        super().setUp()
        self.one = self.board()

    def test_unknown_verb(self) -> None:
        """ERR verb, and the connection goes on, over a payload too, kept nowhere."""
        self.one.say("WHAT")
        self.one.peer.say(b"DATA len=30 x=1\n" + b"FRAME seq=1 len=0 crc=00000000")
        self.one.say("PING a%20b")
        self.one.peer.say(b"HUGE len=%d\n" % (MOST + 5), bytes(MOST + 5))
        self.one.say("PING")
        self.assertEqual(self.one.lines, ["ERR verb", "ERR verb", "PONG a%20b", "ERR verb", "PONG"])
        self.assertLess(self.factory.budget.held, 100)

    def test_payload_behind_any_verb(self) -> None:
        """A known verb's payload is read over too."""
        self.one.peer.say(b"PING len=5\nFRAME")
        self.one.say("PING 2")
        self.assertEqual(self.one.lines, ["PONG", "PONG 2"])

    def test_payload_without_end(self) -> None:
        """One of more than four times `max` ends the connection, whatever its verb."""
        self.one.say(f"WHAT len={4 * MOST + 1}")
        self.assertTrue(self.one.peer.ended)

    def test_stat(self) -> None:
        """Measurements are kept by their names; strangers and newcomers among them too."""
        self.one.say("STAT rssi=-67 vbat=3.71 heap=123456789012 reset=brown%20out lux=12.5")
        self.one.say("STAT rssi=-70")
        telemetry = self.camera(CAMERA).telemetry
        self.assertEqual(
            telemetry,
            {"rssi": -70, "vbat": 3.71, "heap": 123456789012, "reset": "brown out", "lux": 12.5},
        )
        self.assertEqual(self.one.lines, [])
        self.one.say("STAT rssi=loud,very")
        self.assert_told(self.one.peer, "ERR syntax")

    def test_bye(self) -> None:
        """BYE says when it will be back; then it is asleep, not silent."""
        self.one.frame(1, picture())
        self.intake.release()
        self.one.say("BYE next=900")
        self.one.peer.leave()
        camera = self.camera(CAMERA)
        self.assertEqual(camera.expected, NOW + 900)
        self.assertIs(camera.state, State.ASLEEP)

    def test_pings(self) -> None:
        """A board that is silent is asked every 60 s, and hung up on after three times."""
        for asked in range(3):
            self.seconds(57)
            self.assertEqual(self.one.lines, [], asked)
            self.seconds(5)
            self.assertEqual(self.one.lines, ["PING"])
        self.seconds(62)
        self.assertTrue(self.one.peer.ended)

    def test_pongs(self) -> None:
        """One that answers, or says anything, lives."""
        for _ in range(10):
            self.seconds(62)
            self.assertEqual(self.one.lines, ["PING"])
            self.one.say("PONG")
        self.assertFalse(self.one.peer.ended)

    def test_lines_overlap(self) -> None:
        """A line's ten seconds begin with its own first byte, though it came with the last of the
        line before."""
        self.one.peer.say(b"PI")
        for _ in range(5):
            self.seconds(6)
            self.one.peer.say(b"NG\nPI")
        self.assertEqual(self.one.lines, ["PONG"] * 5)
        self.assertFalse(self.one.peer.ended)

    def test_line_drips(self) -> None:
        """A line that is not whole after 10 s ends the connection, however it drips."""
        self.seconds(13, each=lambda: self.one.peer.say(b"x") if not self.one.peer.ended else None)
        self.assertTrue(self.one.peer.ended)

    def test_payload_stalls(self) -> None:
        """A payload that does not go on for 10 s ends it."""
        self.one.peer.say(self.one.talk.frame(1, picture())[:-5])
        self.seconds(9)
        self.assertFalse(self.one.peer.ended)
        self.seconds(3)
        self.assertTrue(self.one.peer.ended)

    def drip(self, rate: int, seconds: int) -> None:
        stream = self.one.talk.frame(1, picture(0, 400_000))
        at = 0

        def some() -> None:
            nonlocal at
            if not self.one.peer.ended:
                self.one.peer.say(stream[at : at + rate])
                at += rate

        self.seconds(seconds, each=some)

    def test_honest_and_slow(self) -> None:
        """4 kB/s is served to the end."""
        self.drip(4000, 102)
        self.intake.release()
        self.assertEqual(self.one.lines, ["ACK 1"])

    def test_too_slow(self) -> None:
        """Less than 500 bytes/s on average is closed after 30 s, and before 40."""
        self.drip(450, 29)
        self.assertFalse(self.one.peer.ended)
        self.drip(450, 4)
        self.assertTrue(self.one.peer.ended)

    def test_view(self) -> None:
        """Pictures for live view are shown, not stored, not answered; broken ones forgotten."""
        good = picture(3)
        for data, crc in ((good, zlib.crc32(good)), (good, 1), (b"no", zlib.crc32(b"no"))):
            self.one.peer.say(self.one.talk.line(f"VIEW len={len(data)} crc={crc:08x}", data))
        self.one.peer.say(b"VIEW len=%d crc=00000000\n" % (MOST + 1), bytes(MOST + 1))
        self.assertEqual(self.one.lines, [])
        self.assertEqual(self.intake.shown, [good])
        self.assertEqual(self.intake.waiting, [])

    def test_watched(self) -> None:
        """A board is asked for a stream when somebody begins to watch, and when nobody does any
        more it is asked to stop; one that comes meanwhile is asked as well."""
        stop = self.live.watch(CameraId(CAMERA), lambda chunks: None)
        self.assertEqual(self.one.lines, ["STREAM 1 fps=5"])
        self.one.say("DONE 1")
        other = Board(self.peer(), Talk(CAMERA))
        other.peer.say(other.talk.hello())
        self.assertEqual(other.lines[1:], ["STREAM 2 fps=5"])
        other.say("DONE 2")
        stop()
        self.assertEqual(other.lines, ["STREAM 3 off"])
        other.say("FAIL 3 too%20late")


class Commands(BoardCase):
    """Commands end with the board's word, or fail with their name."""

    def setUp(self) -> None:
        super().setUp()
        self.one = self.board()

    def failed(self, done: Any) -> str:
        return str(self.failureResultOf(done, CommandError).value)

    def test_words(self) -> None:
        """Each command's line, to the byte."""
        for name, arguments, line in (
            ("snap", {}, "SNAP 1"),
            ("snap", {"flash": True}, "SNAP 2 flash=1"),
            ("set", {"framesize": "vga", "quality": 12}, "SET 3 framesize=vga quality=12"),
            ("stream", {"fps": 3}, "STREAM 4 fps=3"),
            ("stream", {"fps": 0}, "STREAM 5 off"),
            ("reboot", {}, "REBOOT 6"),
            ("update", {"url": "http://a/b?c=d", "sha256": "ab" * 32},
             f"UPDATE 7 url=http://a/b?c%3Dd sha256={'ab' * 32}"),
        ):  # fmt: skip
            done = self.fleet.command(CAMERA, name, **arguments)
            self.assertEqual(self.one.lines, [line])
            self.one.say(f"DONE {line.split()[1]} a=b%20c")
            self.assertEqual(self.successResultOf(done), {"a": "b c"})

    def test_fail(self) -> None:
        """FAIL fails it, with the command's name and the board's reason."""
        done = self.fleet.command(CAMERA, "set", framesize="uxga")
        self.one.say("FAIL 1 no%20memory")
        self.assertEqual(self.failed(done), f"set {CAMERA}: no memory")
        self.assertIsNone(self.camera(CAMERA).settings)

    def test_unanswered(self) -> None:
        """A command that nobody answers fails with its name; a late DONE is ignored."""
        done = self.fleet.command(CAMERA, "snap")
        self.seconds(29)
        self.assertNoResult(done)
        self.seconds(2)
        self.assertIn(f"snap {CAMERA}: no answer", self.failed(done))
        self.one.say("DONE 1")
        self.assertFalse(self.one.peer.ended)

    def test_gone(self) -> None:
        """The board goes: what it was asked for fails, with its name, and no timer is left."""
        done = self.fleet.command(CAMERA, "snap")
        self.one.peer.leave()
        self.assertIn(f"snap {CAMERA}: ", self.failed(done))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_done_on_another_connection(self) -> None:
        """No two commands have one number: what is said of an earlier one, behind a new connection,
        is not taken for the answer to a later one."""
        gone = self.fleet.command(CAMERA, "reboot")
        self.one.peer.leave()
        self.failed(gone)
        again = self.board()
        done = self.fleet.command(CAMERA, "set", quality=12)
        self.assertEqual(again.lines, ["SET 2 quality=12"])
        again.say("DONE 1")
        self.assertNoResult(done)
        again.say("DONE 2")
        self.successResultOf(done)

    def test_not_there(self) -> None:
        """No such camera, one that is not connected, a v1 board, too many at once, nonsense."""
        self.assertIn("snap nobody: ", self.failed(self.fleet.command("nobody", "snap")))
        v1 = self.peer("192.0.2.50")
        v1.say(b"FrameBeginFrameOver")
        self.assertIn("v1", self.failed(self.fleet.command("v1-192-0-2-50", "snap")))
        self.assertIn("dance", self.failed(self.fleet.command(CAMERA, "dance")))
        self.failed(self.fleet.command(CAMERA, "set", framesize="a b"))
        self.one.peer.heard()
        waiting = [self.fleet.command(CAMERA, "snap") for _ in range(16)]
        self.failed(self.fleet.command(CAMERA, "snap"))
        self.one.peer.leave()
        for done in waiting:
            self.failed(done)
        self.assertIn("not connected", self.failed(self.fleet.command(CAMERA, "snap")))


class Times(BoardCase):
    """Deadlines themselves."""

    def test_abort_behind_the_end(self) -> None:
        """A peer that does not hang up after the end was announced is cut off 5 s later."""
        peer = self.peer()
        peer.say(b"HELLO x\n")
        self.assertTrue(peer.transport.parted)
        peer.say(b"more and more")
        self.seconds(7)
        self.assertTrue(peer.transport.aborted)

    def test_one_failure_stops_no_clock(self) -> None:
        """A connection whose end fails does not keep the others from theirs."""
        first, second = self.peer(), self.peer()

        def fails() -> None:
            raise RuntimeError("a socket that cannot be closed")

        first.transport.loseConnection = fails
        self.seconds(32)
        self.assertTrue(second.ended)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        third = self.peer()
        self.seconds(32)
        self.assertTrue(third.ended)

    def test_configured(self) -> None:
        """The times are those of the configuration, from the next use on."""
        self.configure("times", silence_first=Seconds(3.0), hang_up=Seconds(1.0))
        peer = self.peer()
        self.seconds(4)
        self.assertTrue(peer.ended)
        self.seconds(2)
        self.assertTrue(peer.transport.aborted)


class Crowds(BoardCase):
    """Who has to go when there are too many."""

    def test_connections(self) -> None:
        """The one that has waited longest without showing a camera goes first; where all have
        shown one, the newcomer does."""
        self.configure("limits", connections=3)
        camera = self.board("one")
        first, second = self.peer("192.0.2.1"), self.peer("192.0.2.2")
        self.assertFalse(first.ended)
        third = self.peer("192.0.2.3")
        self.assertTrue(first.ended)
        self.assertEqual((second.ended, third.ended, camera.peer.ended), (False, False, False))
        first.leave()
        second.say(Talk("two").hello())
        third.say(b"FrameBegin")
        newcomer = self.peer("192.0.2.4")
        self.assertTrue(newcomer.ended)
        self.assertFalse(second.ended or third.ended or camera.peer.ended)

    def test_descriptors(self) -> None:
        """The same where there are only descriptors for so many."""
        self.factory.most = 2
        first, _second, third = (self.peer(f"192.0.2.{number}") for number in range(3))
        self.assertTrue(first.ended)
        self.assertFalse(third.ended)

    def test_address(self) -> None:
        """One address has only so many; others do not suffer for it."""
        self.configure("limits", connections_per_address=2)
        other = self.peer("192.0.2.99")
        other.say(b"noise")
        camera = self.board()
        waiting, newest = self.peer(), self.peer()
        waiting.say(b"noise")
        self.assertFalse(waiting.ended)
        newest.say(b"noise")
        self.assertTrue(waiting.ended)
        waiting.leave()
        self.assertFalse(newest.ended or camera.peer.ended or other.ended)
        newest.leave()
        peer = self.peer()
        peer.say(b"noise")
        self.assertFalse(peer.ended)
