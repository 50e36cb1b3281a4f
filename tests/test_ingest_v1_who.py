"""Which camera a v1 board is, how long it is waited for, and how it is slowed down."""

from attrs import evolve

from camd.config import CameraEntry, Seconds
from camd.fleet import CommandError
from camd.ingest.board_v1 import camera_at
from camd.photo import CameraId, Reason
from tests.e2e_door import ADDRESS, CAMERA, BoardCase, DoorCase, Peer
from tests.e2e_talk import KEY, frame, picture

BOARD = "v1-192-0-2-7"


class Who(BoardCase):
    """A v1 board has no name but its address."""

    def sends(self, board: Peer) -> bytes:
        board.say(frame(picture()))
        return board.heard()

    def test_names(self) -> None:
        """Every other sign is a hyphen; IPv4-mapped is IPv4; IPv6 is eight groups, no zone."""
        for address, name in (
            ("172.20.10.2", "v1-172-20-10-2"),
            ("::ffff:172.20.10.2", "v1-172-20-10-2"),
            ("::ffff:ac14:a02", "v1-172-20-10-2"),
            ("fe80::1%eth0", "v1-fe80-0000-0000-0000-0000-0000-0000-0001"),
            ("2001:db8::7", "v1-2001-0db8-0000-0000-0000-0000-0000-0007"),
        ):
            self.assertEqual(camera_at(address), name)
            board = self.peer(address)
            board.say(frame(picture()))
            self.assertEqual(self.intake.release().camera, name)

    def test_named_by_the_configuration(self) -> None:
        """The configuration gives a name to an address, be it written as IPv4-mapped."""
        entry = CameraEntry(CameraId("orchard"), address=("192.0.2.9", "2001:db8::7"))
        self.config = evolve(self.config, camera=(entry,))
        for address in ("192.0.2.9", "::ffff:192.0.2.9", "2001:db8:0:0::7"):
            self.peer(address).say(frame(picture()))
            self.assertEqual(self.intake.release().camera, "orchard")

    def test_denied(self) -> None:
        """Where the address's camera has a key, each frame gets NAK denied, and the connection
        stays."""
        self.keys.keys[BOARD] = (bytes(32),)
        board = self.peer()
        for _ in range(3):
            self.assertEqual(self.sends(board), b"NAK denied\n")
        self.assertFalse(board.ended)
        self.assertEqual(self.intake.waiting, [])

    def test_denied_beside_the_camera(self) -> None:
        """Who is denied is not that camera: the board that has its key stays connected, and is the
        one that commands go to."""
        entry = CameraEntry(CameraId(CAMERA), address=(ADDRESS,))
        self.config = evolve(self.config, camera=(entry,))
        self.keys.keys[CAMERA] = (KEY,)
        proven = self.board(key=KEY)
        stranger = self.peer()
        self.assertEqual(self.sends(stranger), b"NAK denied\n")
        self.assertFalse(proven.peer.ended)
        done = self.fleet.command(CAMERA, "snap")
        self.assertEqual(proven.lines, ["SNAP 1"])
        proven.peer.leave()
        self.failureResultOf(done, CommandError)
        self.assertEqual(self.sends(stranger), b"NAK denied\n")
        self.assertFalse(self.camera(CAMERA).connected)

    def test_revoked(self) -> None:
        """The same where its key was revoked."""
        self.keys.keys[BOARD] = ()
        self.assertEqual(self.sends(self.peer()), b"NAK denied\n")

    def test_key_made_meanwhile(self) -> None:
        """A key that is made while the board is connected counts from the next frame on."""
        board = self.peer()
        board.say(frame(picture()))
        self.intake.release()
        self.keys.keys[BOARD] = (bytes(32),)
        board.say(frame(picture()))
        self.assertEqual(board.heard(), b"ACK\nNAK denied\n")

    def test_unknown_refused(self) -> None:
        """With unknown = "refuse" only boards that the configuration names may come in."""
        self.configure("cameras", unknown="refuse")
        entry = CameraEntry(CameraId("orchard"), address=("192.0.2.9",))
        self.config = evolve(self.config, camera=(entry,))
        self.assertEqual(self.sends(self.peer()), b"NAK denied\n")
        self.peer("192.0.2.9").say(frame(picture()))
        self.assertEqual(self.intake.release().camera, "orchard")

    def test_shared_address(self) -> None:
        """Boards behind one address do not hang each other up."""
        first, second = self.peer(), self.peer()
        self.intake.at_once = True
        for board in (first, second, first, second):
            self.assertEqual(self.sends(board), b"ACK\n")
        second.leave()
        self.assertEqual(self.sends(first), b"ACK\n")
        self.assertTrue(self.camera(BOARD).connected)


class Time(DoorCase):
    """How long a v1 board is waited for."""

    def setUp(self) -> None:
        super().setUp()
        self.board = self.peer()

    def test_says_nothing(self) -> None:
        """A connection that says nothing is closed after 30 s."""
        self.seconds(29)
        self.assertFalse(self.board.ended)
        self.seconds(3)
        self.assertTrue(self.board.ended)
        self.assertEqual(self.board.heard(), b"")

    def test_noise_is_not_life(self) -> None:
        """One whose first mark has not come within 30 s is closed, however much it says."""
        self.seconds(28, each=lambda: self.board.say(b"GET / HTTP/1.1\r\n"))
        self.assertFalse(self.board.ended)
        self.seconds(5, each=lambda: self.board.say(b"x" if not self.board.ended else b""))
        self.assertTrue(self.board.ended)
        self.assertEqual(self.board.heard(), b"")

    def test_first_bytes_of_neither(self) -> None:
        """A connection that stops in the middle of HELLO is closed after 10 s."""
        self.board.say(b"HEL")
        self.seconds(4)
        self.board.say(b"L")
        self.seconds(8)
        self.assertTrue(self.board.ended)

    def test_silent_between_photos(self) -> None:
        """Once it has sent a frame a board may be silent for ever, and noise does not hurt."""
        self.board.say(frame(picture()))
        self.intake.release()
        self.seconds(4000, 7)
        self.board.say(b"noise")
        self.seconds(4000, 7)
        self.assertFalse(self.board.ended)
        self.board.say(frame(picture()))
        self.intake.release()
        self.assertEqual(self.board.heard(), b"ACK\nACK\n")

    def test_waits_for_the_disk(self) -> None:
        """However long the disk takes, its board is not hung up on."""
        self.board.say(frame(picture()))
        self.seconds(300)
        self.assertFalse(self.board.ended)
        self.intake.release()
        self.assertEqual(self.board.heard(), b"ACK\n")

    def test_stalled(self) -> None:
        """A frame that does not go on for 10 s ends the connection, within 12."""
        self.board.say(frame(picture())[:-20])
        self.seconds(9)
        self.assertFalse(self.board.ended)
        self.seconds(3)
        self.assertTrue(self.board.ended)
        self.seconds(6)
        self.assertTrue(self.board.transport.aborted)

    def drip(self, rate: int, seconds: int) -> None:
        """So many bytes a second of a frame of 400 000."""
        stream = frame(picture(0, 400_000))
        at = 0

        def some() -> None:
            nonlocal at
            if not self.board.ended:
                self.board.say(stream[at : at + rate])
                at += rate

        self.seconds(seconds, each=some)

    def test_stalled_behind_others(self) -> None:
        """What is owed before it is answered first, be it held back or still on its way."""
        self.configure("cameras", pace=Seconds(600.0))
        self.board.say(frame(picture(1)) + frame(b"") + frame(picture(2))[:-1])
        self.seconds(12)
        self.assertFalse(self.board.ended)
        self.intake.release()
        self.assertEqual(self.board.heard(), b"ACK\nNAK jpeg\n")
        self.assertTrue(self.board.ended)

    def test_honest_and_slow(self) -> None:
        """4 kB/s is served to the end."""
        self.drip(4000, 102)
        self.assertFalse(self.board.ended)
        self.intake.release()
        self.assertEqual(self.board.heard(), b"ACK\n")

    def test_too_slow(self) -> None:
        """Less than 500 bytes/s on average is closed after 30 s, and before 40."""
        self.drip(450, 29)
        self.assertFalse(self.board.ended)
        self.drip(450, 4)
        self.assertTrue(self.board.ended)

    def test_slow_but_not_too_slow(self) -> None:
        """550 bytes/s is borne."""
        self.drip(550, 90)
        self.assertFalse(self.board.ended)


class Pace(DoorCase):
    """Holding the answer back makes a time-lapse camera of a board that nobody can reflash."""

    def setUp(self) -> None:
        super().setUp()
        self.configure("cameras", pace=Seconds(10.0))
        self.intake.at_once = True
        self.board = self.peer()
        self.number = 0

    def photo(self) -> None:
        self.number += 1
        self.board.say(frame(picture(self.number)))

    @property
    def kept(self) -> list[int]:
        """Which photos were stored."""
        numbers = {picture(number): number for number in range(self.number + 1)}
        return [numbers[photo.data] for photo in self.intake.stored]

    def test_lock_step(self) -> None:
        """The first is kept, its answer comes after 10 s, the stale one is skipped at once, the
        next is kept: one photo for every 10 s."""
        for turn in range(4):
            self.photo()
            self.seconds(9.5, 0.5)
            self.assertEqual(self.board.heard(), b"", turn)
            self.seconds(0.5, 0.5)
            self.assertEqual(self.board.heard(), b"ACK\n", turn)
            self.photo()
            self.assertEqual(self.board.heard(), b"SKIP\n", turn)
        self.assertEqual(self.kept, [1, 3, 5, 7])

    def test_refusals_are_paced(self) -> None:
        """A photo that could not be stored is answered at the same pace, and the next one that
        is fresh is tried."""
        self.intake.at_once = False
        self.photo()
        self.intake.refuse_next(Reason.FULL)
        self.seconds(9, 1)
        self.assertEqual(self.board.heard(), b"")
        self.seconds(1.5, 0.5)
        self.assertEqual(self.board.heard(), b"NAK full\n")
        self.photo()
        self.assertEqual(self.board.heard(), b"SKIP\n")
        self.photo()
        self.intake.release()
        self.seconds(10)
        self.assertEqual(self.board.heard(), b"ACK\n")

    def test_broken_is_answered_at_once(self) -> None:
        """What is no picture is not worth waiting for."""
        self.board.say(frame(b"nothing"))
        self.assertEqual(self.board.heard(), b"NAK jpeg\n")

    def test_reconnected(self) -> None:
        """A board that comes again too early gets its photo shown and the answer when the next
        one is due."""
        self.photo()
        self.board.leave()
        self.seconds(4)
        self.board = self.peer()
        self.photo()
        self.seconds(5.5, 0.5)
        self.assertEqual(self.board.heard(), b"")
        self.seconds(1, 0.5)
        self.assertEqual(self.board.heard(), b"SKIP\n")
        self.photo()
        self.assertEqual(self.board.heard(), b"SKIP\n")
        self.photo()
        self.assertEqual(self.kept, [1, 4])

    def test_watched(self) -> None:
        """While somebody watches, answers come at once; between two kept photos all are shown
        and skipped."""
        self.photo()
        self.assertEqual(self.board.heard(), b"")
        stop = self.live.watch(CameraId(BOARD), lambda chunks: None)
        self.assertEqual(self.board.heard(), b"ACK\n")
        answers = []
        for _ in range(24):
            self.photo()
            answers.append(self.board.heard())
            self.seconds(0.5, 0.5)
        self.assertEqual(answers.count(b"ACK\n"), 1)
        self.assertEqual(answers.count(b"SKIP\n"), 23)
        self.assertEqual(len(self.kept), 2)
        self.assertEqual(len(self.intake.shown), 23)
        stop()
        self.photo()
        self.assertEqual(self.board.heard(), b"")

    def test_watched_in_between(self) -> None:
        """Who begins to watch lifts an answer that is being held back."""
        self.photo()
        self.seconds(5)
        self.live.watch(CameraId(BOARD), lambda chunks: None)
        self.assertEqual(self.board.heard(), b"ACK\n")

    def test_sooner(self) -> None:
        """A pace that was shortened holds from the next answer on, whatever was waited for
        before."""
        self.configure("cameras", pace=Seconds(600.0))
        self.photo()
        self.live.watch(CameraId(BOARD), lambda chunks: None)()
        self.assertEqual(self.board.heard(), b"ACK\n")
        self.configure("cameras", pace=Seconds(10.0))
        self.seconds(15)
        self.photo()
        self.seconds(11)
        self.assertEqual(self.board.heard(), b"ACK\n")

    def test_clock_set_back(self) -> None:
        """A clock that was ahead and is set right does not make camd skip photos until it has
        caught up."""
        self.photo()
        self.seconds(10)
        self.camera(BOARD).kept_at += 86_400
        self.photo()
        self.photo()
        self.assertEqual(self.kept, [1, 3])

    def test_hung_up_while_held(self) -> None:
        """A board that goes while its answer is held back leaves nothing behind."""
        self.photo()
        self.board.leave()
        self.assertEqual(self.clock.getDelayedCalls(), [])
