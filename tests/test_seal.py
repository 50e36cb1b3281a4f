"""Proofs and seals are those of the protocol, computed here with hmac alone."""

import hashlib
import hmac

from twisted.trial.unittest import SynchronousTestCase

from camd.wire.seal import MAC_DIGITS, Opening, Seal

KEY = bytes.fromhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
BOOT = "00c0ffee12345678"
NONCE = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
CHALLENGE = "505152535455565758595a5b5c5d5e5f"
OPENING = Opening("porch.north-2", BOOT, NONCE, CHALLENGE)


def by_hand(key: bytes, text: bytes) -> bytes:
    """HMAC-SHA256 by RFC 2104, from two hashes."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + text).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).digest()


def opening_text(role: str) -> bytes:
    return f"camd/2 {role} porch.north-2 {BOOT} {NONCE} {CHALLENGE}".encode("ascii")


class Proofs(SynchronousTestCase):
    def test_by_hand(self) -> None:
        """The test's own HMAC is HMAC."""
        self.assertEqual(by_hand(KEY, b"text"), hmac.digest(KEY, b"text", "sha256"))

    def test_known_answers(self) -> None:
        """AUTH, proof and session key are the MACs of the protocol's texts."""
        self.assertEqual(OPENING.auth(KEY), by_hand(KEY, opening_text("board")).hex())
        self.assertEqual(OPENING.proof(KEY), by_hand(KEY, opening_text("camd")).hex())
        self.assertEqual(OPENING.session_key(KEY), by_hand(KEY, opening_text("session")))
        expected = "1c69374fb6fb9f8cc0d52527f467f3d66e6db33918482a69147dcb0f8f0d5c7a"
        self.assertEqual(OPENING.auth(KEY), expected)

    def test_everything_counts(self) -> None:
        """Another key, camera, boot, nonce, challenge or role is another proof."""
        fields = ("porch.north-2", BOOT, NONCE, CHALLENGE)
        proofs = {OPENING.auth(KEY), OPENING.proof(KEY), OPENING.session_key(KEY).hex()}
        proofs.add(OPENING.auth(KEY[:-1] + b"\x00"))
        for at, said in enumerate(fields):
            other = [*fields]
            other[at] = said[:-1] + "1"
            proofs.add(Opening(*other).auth(KEY))
        self.assertEqual(len(proofs), 8)

    def test_fits(self) -> None:
        """Only the whole proof fits, in lower case, each side's to its own role."""
        auth, proof = OPENING.auth(KEY), OPENING.proof(KEY)
        self.assertTrue(OPENING.auth_fits(KEY, auth))
        self.assertTrue(OPENING.proof_fits(KEY, proof))
        for said in "", auth[:-1], auth.upper(), auth + "0", proof:
            self.assertFalse(OPENING.auth_fits(KEY, said))
        self.assertFalse(OPENING.proof_fits(KEY, auth))
        self.assertFalse(OPENING.auth_fits(bytes(32), auth))


class Seals(SynchronousTestCase):
    def setUp(self) -> None:
        self.session = by_hand(KEY, opening_text("session"))

    def mac(self, text: bytes) -> bytes:
        return by_hand(self.session, text).hex()[:32].encode("ascii")

    def test_known_answers(self) -> None:
        """A mac covers the side, the line's number, the line and its payload, in that order."""
        board = Seal(self.session, "board", 1)
        self.assertEqual(board.sealed(b"STAT rssi=-67"), b"STAT rssi=-67 mac=" + self.mac(
            b"board 1 STAT rssi=-67\n"
        ))  # fmt: skip
        payload = b"\x00mac=\xff\n"
        self.assertEqual(board.sealed(b"X len=7", payload), b"X len=7 mac=" + self.mac(
            b"board 2 X len=7\n" + payload
        ))  # fmt: skip
        camd = Seal(self.session, "camd", 0)
        self.assertEqual(camd.sealed(b"WELCOME a"), b"WELCOME a mac=" + self.mac(
            b"camd 0 WELCOME a\n"
        ))  # fmt: skip
        self.assertEqual((board.count, camd.count), (3, 1))

    def test_pieces_of_payload(self) -> None:
        """A payload's mac does not depend on the pieces in which it comes."""
        whole, torn = (Seal(self.session, "board", 9) for _ in range(2))
        mac = whole.sealed(b"A", b"abcdef")[-MAC_DIGITS:]
        torn.begin(b"A")
        for piece in b"a", b"", b"bcde", b"f":
            torn.update(piece)
        self.assertTrue(torn.fits(mac))

    def test_fits(self) -> None:
        """A mac fits once, in its place, on its side, in lower case and whole."""
        mac = self.mac(b"board 5 PING\n")
        for key, side, number, line, said, fits in (
            (self.session, "board", 5, b"PING", mac, True),
            (self.session, "board", 6, b"PING", mac, False),
            (self.session, "camd", 5, b"PING", mac, False),
            (self.session, "board", 5, b"PONG", mac, False),
            (self.session, "board", 5, b"PING ", mac, False),
            (KEY, "board", 5, b"PING", mac, False),
            (self.session, "board", 5, b"PING", mac.upper(), False),
            (self.session, "board", 5, b"PING", mac[:-1], False),
            (self.session, "board", 5, b"PING", b"", False),
            (self.session, "board", 5, b"PING", mac + b"0", False),
        ):
            seal = Seal(key, side, number)
            seal.begin(line)
            self.assertIs(seal.fits(said), fits)

    def test_order(self) -> None:
        """A mac without a line is our mistake, and shows itself."""
        seal = Seal(self.session, "board", 1)
        for run in seal.digits, lambda: seal.update(b"x"), lambda: seal.fits(b"x"):
            self.assertRaises(AssertionError, run)
        seal.begin(b"PING")
        seal.digits()
        self.assertRaises(AssertionError, seal.digits)
