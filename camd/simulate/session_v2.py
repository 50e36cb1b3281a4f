"""One v2 session from the board's end: the opening, the seal, lines in and lines out.

Knows no socket, no clock and no photos: it is given bytes, and hands out bytes.
"""

import os
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from attrs import frozen

from camd.photo import Boot, CameraId
from camd.wire import messages, v2
from camd.wire.errors import WireError
from camd.wire.line import Line
from camd.wire.messages import Answer, Command, Frame, Hello, Welcome
from camd.wire.seal import Opening, Seal

MOST_PAYLOAD = 65_536
"""Bytes of a payload of camd's, which means nothing to a board and is read over."""

_COMMANDS = frozenset({"SET", "SNAP", "STREAM", "REBOOT", "UPDATE"})


class Cause(Enum):
    """Why a session is over before its board wanted it to be; tells how long to stay away."""

    LOST = "lost"
    REFUSED = "refused"
    TAKEN = "taken"
    AUTH = "auth"


@frozen
class Identity:
    """Who a board says it is.

    :ivar key: 32 bytes, or None where it has none.
    :ivar sealed: whether lines carry macs: with a key and without TLS.
    """

    camera: CameraId
    key: bytes | None = None
    sealed: bool = True
    fw: str = "simulated"
    model: str = "OV2640"
    caps: tuple[str, ...] = ("set", "snap", "stream", "reboot")


class Ears(Protocol):
    """Who is told what camd says."""

    def welcomed(self, said: Welcome) -> None: ...

    def answered(self, said: Answer) -> None: ...

    def commanded(self, said: Command) -> None: ...

    def broken(self, cause: Cause, code: str) -> None: ...


class _Phase(Enum):
    HELLO = "HELLO is out"
    AUTH = "AUTH is out"
    READY = "welcome"
    OVER = "over"


class Session:
    """:ivar ready: whether WELCOME has come, and been proved where there is a key."""

    def __init__(
        self, identity: Identity, boot: Boot, ears: Ears, write: Callable[[bytes], None]
    ) -> None:
        self.boot = boot
        self._identity = identity
        self._ears = ears
        self._write = write
        self._reader = v2.Reader(MOST_PAYLOAD)
        self._writer = v2.Writer()
        self._nonce = os.urandom(16).hex()
        self._opening: Opening | None = None
        self._phase = _Phase.HELLO
        self._undecided: bytes | None = None

    @property
    def ready(self) -> bool:
        return self._phase is _Phase.READY

    @property
    def over(self) -> bool:
        return self._phase is _Phase.OVER

    def begin(self) -> None:
        who = self._identity
        hello = Hello(who.camera, self.boot, self._nonce, who.fw, who.model, who.caps)
        self._write(self.line(messages.hello(hello)))

    def end(self) -> None:
        """Hear and say nothing more."""
        self._phase = _Phase.OVER

    def line(self, line: bytes, payload: bytes = b"") -> bytes:
        """The bytes of the next line; once asked for they must be sent, in this order."""
        return self._writer.line(line, payload)

    def say(self, line: bytes, payload: bytes = b"") -> None:
        if not self.over:
            self._write(self.line(line, payload))

    def send(self, head: Frame, photo: bytes) -> None:
        self.say(messages.frame(head), photo)

    def receive(self, data: bytes) -> None:
        if self._undecided is not None:
            # what answers AUTH is a sealed WELCOME, or an ERR that nothing seals
            self._undecided += data
            if len(self._undecided) < 4:
                return
            data, self._undecided = self._undecided, None
            if data.startswith(b"ERR "):
                self._reader.seal = None
        self._reader.receive_data(data)
        try:
            while not self.over and (event := self._reader.next_event()) is not None:
                if isinstance(event, v2.Header):
                    self._reader.skip()
                elif isinstance(event, v2.Oversized):
                    self._break(Cause.LOST, "payload")
                else:
                    self._hear(event.line)
        except WireError as error:
            self._break(Cause.LOST, f"heard {error.code}")

    def _break(self, cause: Cause, code: str) -> None:
        self.end()
        self._ears.broken(cause, code)

    def _hear(self, line: Line) -> None:
        verb = line.verb
        if verb == "ERR":
            self._refused(line)
        elif self._phase is not _Phase.READY:
            self._open(line)
        elif verb in ("ACK", "NAK"):
            self._ears.answered(messages.parse_answer(line))
        elif verb == "PING":
            self.say(messages.pong(messages.parse_ping(line)))
        elif verb in _COMMANDS:
            self._ears.commanded(messages.parse_command(line))
        elif verb in ("CHALLENGE", "WELCOME"):
            self._break(Cause.LOST, "heard order")

    def _refused(self, line: Line) -> None:
        code = line.words[0] if line.words else ""
        if code == "verb" and self.ready:
            return
        if code == "taken":
            self._break(Cause.TAKEN, code)
        elif code in ("auth", "id", "version"):
            self._break(Cause.AUTH, code)
        else:
            self._break(Cause.REFUSED, code)

    def _open(self, line: Line) -> None:
        if line.verb == "CHALLENGE" and self._phase is _Phase.HELLO:
            self._challenged(messages.parse_challenge(line))
        elif line.verb == "WELCOME":
            self._welcomed(messages.parse_welcome(line))
        else:
            self._break(Cause.LOST, "heard order")

    def _challenged(self, challenge: str) -> None:
        who = self._identity
        if who.key is None:
            self._break(Cause.AUTH, "no key")
            return
        opening = Opening(who.camera, self.boot, self._nonce, challenge)
        self._opening = opening
        self._phase = _Phase.AUTH
        self._write(self.line(messages.auth(opening.auth(who.key))))
        if who.sealed:
            key = opening.session_key(who.key)
            self._reader.seal = Seal(key, "camd", 0)
            self._writer.seal = Seal(key, "board", 1)
            self._undecided = b""

    def _welcomed(self, said: Welcome) -> None:
        key = self._identity.key
        if key is not None:
            opening = self._opening
            if opening is None or said.proof is None or not opening.proof_fits(key, said.proof):
                self._break(Cause.LOST, "no proof")
                return
        self._phase = _Phase.READY
        self._reader.payloads = True
        self._ears.welcomed(said)
