"""Who may come in as which camera, and what is said to who may not."""

from camd.photo import CameraId
from tests.e2e_door import ADDRESS, CAMERA, MOST, NOW, BoardCase, Peer
from tests.e2e_talk import BOOT, KEY, NONCE, Talk, picture
from tests.streams import pieces

WELCOME = f"WELCOME camd/2 time={int(NOW * 1000)} last=0 window=8 max={MOST}"


class Opening(BoardCase):
    """HELLO, and what is wrong with it."""

    def opening(self, data: bytes) -> Peer:
        peer = self.peer()
        peer.say(data)
        return peer

    def test_welcome(self) -> None:
        """A camera without a key is welcomed, to the byte."""
        peer = self.opening(Talk(CAMERA).hello())
        self.assertEqual(peer.heard().decode(), WELCOME + "\n")
        self.assertTrue(self.camera(CAMERA).connected)

    def test_any_order_and_unknown_keys(self) -> None:
        """Words may come in any order, unknown ones are ignored, CR is no part of a line."""
        peer = self.opening(
            f"HELLO camd/2 x=1 nonce={NONCE} len=7 fw=1.0%20b boot={BOOT} cam={CAMERA}\r\n".encode()
        )
        self.assertEqual(peer.lines, [WELCOME])
        self.assertEqual(self.camera(CAMERA).fw, "1.0 b")

    def test_every_cut(self) -> None:
        """However TCP cuts the opening, the answer is the same."""
        hello = Talk(CAMERA).hello()
        for size in range(1, len(hello)):
            peer = self.peer()
            peer.say(*pieces(hello, [size]))
            self.assertEqual(peer.lines, [WELCOME], size)
            peer.leave()

    def test_last(self) -> None:
        """WELCOME says the highest seq that is settled."""
        self.intake.lasts[CAMERA, BOOT] = 4_294_967_295
        peer = self.opening(Talk(CAMERA).hello())
        self.assertEqual(peer.lines, [WELCOME.replace("last=0", "last=4294967295")])

    def test_errors(self) -> None:
        """Each mistake is told by its own word, and ends the connection; nothing is known of a
        camera behind it."""
        good = f"cam={CAMERA} boot={BOOT} nonce={NONCE}"
        for line, code in (
            (f"HELLO camd/1 {good}", "version"),
            (f"HELLO camd/3 {good}", "version"),
            (f"HELLO {good}", "version"),
            (f"HELLO {good} camd/2", None),
            (f"HELLO camd/2 {good} more", "syntax"),
            (f"HELLO camd/2  {good}", "syntax"),
            (f"HELLO camd/2 {good} ", "syntax"),
            (f"HELLO camd/2 {good} cam=x", "syntax"),
            (f"HELLO camd/2 {good} fw=", "syntax"),
            (f"HELLO camd/2 {good} fw=a=b", "syntax"),
            (f"HELLO camd/2 {good} fw=%4", "syntax"),
            (f"HELLO camd/2 {good} fw=%ff", "syntax"),
            (f"HELLO camd/2 {good} fw=%00", "syntax"),
            (f"HELLO camd/2 {good} fw=\t", "syntax"),
            (f"HELLO camd/2 {good} fw=\x7f", "syntax"),
            (f"HELLO camd/2 cam={CAMERA} boot={BOOT}", "syntax"),
            (f"HELLO camd/2 cam={CAMERA} boot={BOOT.upper()} nonce={NONCE}", "syntax"),
            (f"HELLO camd/2 cam={CAMERA} boot={BOOT}0 nonce={NONCE}", "syntax"),
            (f"HELLO camd/2 cam={CAMERA} boot={BOOT} nonce={NONCE[1:]}", "syntax"),
            ("HELLO " + "x" * 1100, "line"),
            ("HELLO camd/2 " + "x" * (1024 - 13), "line"),
        ):
            peer = self.opening(line.encode("latin-1") + b"\n")
            if code is None:
                self.assertIn("camd/2", peer.lines[0], line)
                continue
            self.assert_told(peer, f"ERR {code}")
        del self.fleet.cameras[CameraId(CAMERA)]
        self.assertEqual(self.fleet.cameras, {})

    def test_ids(self) -> None:
        """Hostile ids are refused, whatever they try to be."""
        for bad in ("", "A", "a/b", "..", "a..b", ".camd", "a.", "-a", "a-", "_a", "a.jpg",
                    "v1-1-2-3-4", "v1-x", "a" * 65, "%2e%2e", "a%2fb", "../../etc/passwd",
                    "ä"):  # fmt: skip
            peer = self.opening(f"HELLO camd/2 cam={bad} boot={BOOT} nonce={NONCE}\n".encode())
            self.assert_told(peer, "ERR syntax" if bad in ("", "ä") else "ERR id")
        for good in ("a", "0", "a" * 64, "a_b.c-d", "v1", "con.jpg.x"):
            peer = self.opening(f"HELLO camd/2 cam={good} boot={BOOT} nonce={NONCE}\n".encode())
            self.assertTrue(peer.lines[0].startswith("WELCOME"), good)

    def test_longest_line(self) -> None:
        """1024 bytes with its end are a line, and one more are none."""
        start = Talk(CAMERA).hello(" fw=").strip()
        for extra, answer in ((0, WELCOME), (1, "ERR line")):
            line = start + b"x" * (1023 - len(start) + extra) + b"\n"
            self.assertEqual(len(line), 1024 + extra)
            self.assertEqual(self.opening(line).lines, [answer])

    def test_line_without_end(self) -> None:
        """A line that is too long is refused before its end has come."""
        peer = self.opening(b"HELLO camd/2 " + b"x" * 1011)
        self.assert_told(peer, "ERR line")

    def test_second_hello(self) -> None:
        """HELLO again is out of order, and so is AUTH where nobody asked."""
        for line in (Talk(CAMERA).hello().strip().decode(), "AUTH " + "0" * 64):
            board = self.board()
            board.say(line)
            self.assert_told(board.peer, "ERR order")

    def test_dripping(self) -> None:
        """HELLO must be whole 10 s after its first byte, however busily it drips."""
        peer = self.peer()
        hello = iter(Talk(CAMERA).hello())
        self.seconds(13, 0.5, lambda: peer.say(bytes([next(hello)])) if not peer.ended else None)
        self.assertTrue(peer.ended)

    def test_frame_before_hello(self) -> None:
        """A FRAME before HELLO is v1's noise, and stores nothing."""
        peer = self.opening(b"FRAME seq=1 len=3 crc=00000000\nabc")
        self.assertEqual(peer.heard(), b"")
        self.seconds(40)
        self.assertTrue(peer.ended)

    def test_too_many_cameras(self) -> None:
        """Only so many cameras without a key may come to exist."""
        self.configure("limits", cameras=2)
        self.board("one")
        self.board("two")
        self.assert_told(self.opening(Talk("three").hello()), "ERR busy")
        self.board("one")


class Keyed(BoardCase):
    """A camera that has a key is never let in without it."""

    def setUp(self) -> None:
        super().setUp()
        self.keys.keys[CAMERA] = (KEY,)

    def challenged(self, talk: Talk, address: str = ADDRESS) -> tuple[Peer, str]:
        peer = self.peer(address)
        peer.say(talk.hello())
        (challenge,) = peer.lines
        self.assertRegex(challenge, r"^CHALLENGE [0-9a-f]{32}$")
        return peer, challenge

    def test_let_in(self) -> None:
        """AUTH is answered by a proof that camd has the key as well; WELCOME is sealed."""
        talk = Talk(CAMERA, key=KEY)
        peer, challenge = self.challenged(talk)
        peer.say(talk.auth(challenge))
        (welcome,) = peer.lines
        self.assertEqual(talk.checked(welcome), f"{WELCOME} proof={talk.proof}")

    def test_tls_carries_no_macs(self) -> None:
        """With TLS there is a proof and no mac, then plain lines."""
        board = self.board(key=KEY, secure=True)
        board.frame(1, picture())
        self.intake.release()
        self.assertEqual(board.peer.heard(), b"ACK 1\n")

    def test_wrong_key(self) -> None:
        """A wrong key is ERR auth and the end; nothing was heard of the camera."""
        talk = Talk(CAMERA, key=bytes(32))
        peer, challenge = self.challenged(talk)
        peer.say(talk.auth(challenge))
        self.assert_told(peer, "ERR auth")
        self.assertNotIn(CAMERA, self.fleet)

    def test_late(self) -> None:
        """AUTH after 10 s is too late, and dripping it does not help."""
        talk = Talk(CAMERA, key=KEY)
        peer, challenge = self.challenged(talk)
        auth = iter(talk.auth(challenge))
        self.seconds(9, each=lambda: peer.say(bytes([next(auth)])))
        self.assertFalse(peer.ended)
        self.seconds(2)
        self.assert_told(peer, "ERR auth")

    def test_begun_in_time(self) -> None:
        """AUTH that begins in time has no more than what is left of that; one that is whole a
        moment late is late."""
        talk = Talk(CAMERA, key=KEY)
        peer, challenge = self.challenged(talk)
        auth = talk.auth(challenge)
        self.seconds(9)
        peer.say(auth[:20])
        self.seconds(2)
        self.assert_told(peer, "ERR auth")
        for late in (False, True):
            peer, challenge = self.challenged(talk)
            self.clock.advance(10.1 if late else 9.9)
            peer.say(talk.auth(challenge))
            self.assertEqual(peer.heard().startswith(b"ERR auth\n"), late)

    def test_line_of_auth(self) -> None:
        """Its line has to be whole in the time of a line."""
        self.configure("times", line=3.0)
        peer, _ = self.challenged(Talk(CAMERA, key=KEY))
        self.seconds(5)
        self.assertFalse(peer.ended)
        peer.say(b"AUTH ")
        self.seconds(4.5)
        self.assertTrue(peer.ended)

    def test_replayed(self) -> None:
        """What was said on another connection proves nothing on this one."""
        talk = Talk(CAMERA, key=KEY)
        first, challenge = self.challenged(talk)
        said = talk.auth(challenge)
        first.say(said)
        self.assertTrue(first.lines[0].startswith("WELCOME"))
        second, _ = self.challenged(talk)
        second.say(said)
        self.assert_told(second, "ERR auth")

    def test_reflected(self) -> None:
        """camd's own proof is no AUTH: the roles are part of what is signed."""
        talk = Talk(CAMERA, key=KEY)
        peer, challenge = self.challenged(talk)
        talk.auth(challenge)
        peer.say(f"AUTH {talk.proof}\n".encode())
        self.assert_told(peer, "ERR auth")

    def test_order(self) -> None:
        """Nothing but AUTH may be said between HELLO and WELCOME, and one AUTH only."""
        for line in ("PING", "FRAME seq=1 len=0 crc=00000000", "BYE", "WHAT", "HELLO camd/2"):
            peer, _ = self.challenged(Talk(CAMERA))
            peer.say(line.encode() + b"\n")
            self.assert_told(peer, "ERR order")
        for line in ("AUTH", "AUTH " + "0" * 63, "AUTH " + "A" * 64, "AUTH x=" + "0" * 62):
            peer, _ = self.challenged(Talk(CAMERA))
            peer.say(line.encode() + b"\n")
            self.assert_told(peer, "ERR syntax")

    def test_two_keys(self) -> None:
        """While a key is being changed both fit, and the one that fitted is used on."""
        other = bytes(range(32, 64))
        self.keys.keys[CAMERA] = (other, KEY)
        for number, key in enumerate((KEY, other)):
            board = self.board(key=key)
            board.frame(number + 1, picture())
            self.intake.release()
            self.assertEqual(board.lines, [f"ACK {number + 1}"])

    def test_unreadable(self) -> None:
        """Where the catalog cannot be read nobody is welcomed: the connection before goes on, and
        what is said is under no mac."""
        board = self.board(key=KEY)
        self.intake.unreadable = True
        talk = Talk(CAMERA, key=KEY)
        peer, challenge = self.challenged(talk)
        peer.say(talk.auth(challenge))
        self.assert_told(peer, "ERR busy")
        board.say("PING")
        self.assertEqual(board.lines, ["PONG"])

    def test_revoked(self) -> None:
        """A revoked camera is asked like any other, and no key fits."""
        self.keys.keys[CAMERA] = ()
        for key in (KEY, bytes(32)):
            talk = Talk(CAMERA, key=key)
            peer, challenge = self.challenged(talk)
            peer.say(talk.auth(challenge))
            self.assert_told(peer, "ERR auth")

    def test_revoked_while_connected(self) -> None:
        """A board whose key no longer counts is hung up on when keys are looked at again."""
        kept, gone = self.board(key=KEY), self.board("free")
        self.keys.keys[CAMERA] = (bytes(32), KEY)
        self.keys.keys["free"] = (KEY,)
        self.factory.recheck()
        self.assertFalse(kept.peer.ended)
        self.assertTrue(gone.peer.ended)
        self.keys.keys[CAMERA] = (bytes(32),)
        self.factory.recheck()
        self.assertTrue(kept.peer.ended)

    def test_unknown_looks_the_same(self) -> None:
        """With unknown = "refuse", an id that does not exist cannot be told from a wrong key."""
        self.configure("cameras", unknown="refuse")
        talks = []
        for number, camera in enumerate((CAMERA, "nobody")):
            talk = Talk(camera, key=bytes(32))
            peer, challenge = self.challenged(talk, f"192.0.2.{number + 1}")
            peer.say(talk.auth(challenge))
            talks.append((peer.heard(), peer.transport.parted))
        self.assertEqual(talks, [(b"ERR auth\n", True)] * 2)
        self.assertNotIn("nobody", self.fleet)

    def test_barred(self) -> None:
        """After ten wrong keys an address is not listened to for a minute, others are."""
        for _ in range(10):
            talk = Talk(CAMERA, key=bytes(32))
            peer, challenge = self.challenged(talk)
            peer.say(talk.auth(challenge))
            peer.leave()
        peer = self.peer()
        peer.say(Talk(CAMERA, key=KEY).hello())
        self.assert_told(peer, "ERR auth")
        self.board(key=KEY, address="192.0.2.99")
        self.seconds(61)
        self.board(key=KEY)
