"""What a v2 board says and checks, put together by hand: no code of camd's is in it."""

import hashlib
import hmac
import zlib

from tests.streams import jpeg, segment

BOOT = "00c0ffee00c0ffee"
NONCE = "0123456789abcdef0123456789abcdef"
KEY = bytes(range(32))
BEGIN, OVER = b"FrameBegin", b"FrameOver"


def picture(number: int = 0, size: int = 0) -> bytes:
    """A small whole JPEG that no other number has, *size* bytes longer than it must be."""
    filler = [segment(0xFE, bytes(min(size - at, 60_000))) for at in range(0, size, 60_000)]
    return jpeg(segment(0xFE, b"%d" % number), *filler)


def numbered(number: int, whole: bytes) -> bytes:
    """The JPEG *whole* with a comment that makes it another one."""
    return whole[:2] + segment(0xFE, b"%d" % number) + whole[2:]


def frame(data: bytes) -> bytes:
    """What a v1 board sends for a photo."""
    return BEGIN + data + OVER


class Talk:
    """One session's words, from HELLO on.

    :ivar key: what the board proves itself by, or None. *tls*: sessions are not sealed.
    """

    def __init__(
        self, camera: str, boot: str = BOOT, key: bytes | None = None, *,
        nonce: str = NONCE, tls: bool = False,
    ) -> None:  # fmt: skip
        self.camera = camera
        self.boot = boot
        self.key = key
        self.nonce = nonce
        self.tls = tls
        self._session: bytes | None = None
        self._said = 1
        self._heard = 0
        self._challenge = ""

    def hello(self, more: str = "") -> bytes:
        text = f"HELLO camd/2 cam={self.camera} boot={self.boot} nonce={self.nonce}{more}\n"
        return text.encode()

    def _proves(self, role: str, key: bytes) -> "hmac.HMAC":
        text = f"camd/2 {role} {self.camera} {self.boot} {self.nonce} {self._challenge}"
        return hmac.new(key, text.encode(), hashlib.sha256)

    def auth(self, challenge: str) -> bytes:
        """*challenge*: the line that camd said."""
        verb, self._challenge = challenge.split(" ")
        assert verb == "CHALLENGE" and len(self._challenge) == 32, challenge
        assert self.key is not None
        if not self.tls:
            self._session = self._proves("session", self.key).digest()
        return f"AUTH {self._proves('board', self.key).hexdigest()}\n".encode()

    @property
    def proof(self) -> str:
        """What only a camd that has the key can say."""
        assert self.key is not None
        return self._proves("camd", self.key).hexdigest()

    def line(self, text: str, payload: bytes = b"") -> bytes:
        """The bytes of a line, sealed where the session is."""
        if self._session is None:
            return text.encode() + b"\n" + payload
        mac = self._mac("board", self._said, text, payload)
        self._said += 1
        return f"{text} mac={mac}\n".encode() + payload

    def frame(self, seq: int, data: bytes, more: str = "", crc: int | None = None) -> bytes:
        crc = zlib.crc32(data) if crc is None else crc
        return self.line(f"FRAME seq={seq} len={len(data)} crc={crc:08x}{more}", data)

    def checked(self, line: str) -> str:
        """What camd said, its mac looked at and taken off where the session is sealed."""
        if self._session is None:
            return line
        text, _, mac = line.rpartition(" mac=")
        assert mac == self._mac("camd", self._heard, text), f"a wrong mac: {line}"
        self._heard += 1
        return text

    def _mac(self, side: str, number: int, text: str, payload: bytes = b"") -> str:
        assert self._session is not None
        said = f"{side} {number} {text}\n".encode() + payload
        return hmac.new(self._session, said, hashlib.sha256).hexdigest()[:32]
