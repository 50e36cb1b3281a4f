"""Who the other end is, and that nobody in between changed a word.

HMAC-SHA256 throughout. A key is 32 random bytes; H(k, text) below is the MAC of ASCII text in
lower-case hex. Nothing here knows where keys are kept.
"""

import hashlib
import hmac

from attrs import frozen

KEY_BYTES = 32
MAC_DIGITS = 32


@frozen
class Opening:
    """What both ends know of the session that they open: all of it goes into every proof."""

    camera: str
    boot: str
    nonce: str
    challenge: str

    def _text(self, role: str) -> bytes:
        words = ("camd/2", role, self.camera, self.boot, self.nonce, self.challenge)
        return " ".join(words).encode("ascii")

    def auth(self, key: bytes) -> str:
        """What the board says to show that it has *key*."""
        return _mac(key, self._text("board")).hex()

    def proof(self, key: bytes) -> str:
        """What camd says to show that it has *key*."""
        return _mac(key, self._text("camd")).hex()

    def session_key(self, key: bytes) -> bytes:
        """The 32 bytes that seal the lines of this session."""
        return _mac(key, self._text("session"))

    def auth_fits(self, key: bytes, said: str) -> bool:
        return hmac.compare_digest(self.auth(key), said)

    def proof_fits(self, key: bytes, said: str) -> bool:
        return hmac.compare_digest(self.proof(key), said)


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


class Seal:
    """One side's lines, numbered and sealed.

    :param key: the session's 32 bytes.
    :param side: ``board`` or ``camd``: whose lines these are.
    :param count: the number of the next line: WELCOME is camd's 0, the board's first is 1.
    """

    __slots__ = ("_key", "_mac", "_side", "count")

    def __init__(self, key: bytes, side: str, count: int) -> None:
        self._key = key
        self._side = side.encode("ascii")
        self._mac: hmac.HMAC | None = None
        self.count = count

    def begin(self, line: bytes) -> None:
        """*line* stands before the space before its ``mac=``; payload may follow by `update`."""
        text = b"%s %d %s\n" % (self._side, self.count, line)
        self._mac = hmac.new(self._key, text, hashlib.sha256)
        self.count += 1

    def update(self, payload: bytes) -> None:
        assert self._mac is not None, "begin() comes first"
        self._mac.update(payload)

    def digits(self) -> bytes:
        """The mac of what has begun, as its line carries it."""
        assert self._mac is not None, "begin() comes first"
        mac, self._mac = self._mac, None
        return mac.hexdigest()[:MAC_DIGITS].encode("ascii")

    def fits(self, said: bytes) -> bool:
        return hmac.compare_digest(self.digits(), said)

    def sealed(self, line: bytes, payload: bytes = b"") -> bytes:
        """*line* with its mac behind it."""
        self.begin(line)
        if payload:
            self.update(payload)
        return line + b" mac=" + self.digits()
