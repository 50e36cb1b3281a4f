"""Who may upload, under which name, and what all uploads share.

A photo that comes by HTTP is one of the camera that the request names: by its path, a header, an
argument of the query, or a text field, in this order; else by its token's name; else by the address
it came from, ``http-192-0-2-7`` for an address that the configuration gives no camera.
"""

import hmac
import re
import secrets
from base64 import b64decode
from binascii import Error as Base64Error
from collections import Counter
from collections.abc import Callable, Mapping

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.logger import Logger
from zope.interface import implementer

from camd.access import May, Token, Tokens
from camd.config import Config
from camd.fleet import Fleet
from camd.ingest import CameraFactory
from camd.ingest.board_v1 import camera_at
from camd.intake import Intake
from camd.photo import MAX_SEQ, Boot, CameraId, Reason, is_camera_id, parse_camera_id
from camd.upload.answer import Declined
from camd.upload.head import Head
from camd.upload.protocol import UploadProtocol

log = Logger()

NAMES = ("device_id", "deviceid", "camera_id", "cameraid", "camera", "cam", "device")
"""What a text field, or an argument, that names the camera may be called, in any case."""

HEADERS = ("x-camera", "x-camera-id", "x-device-id")

_KEY = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_STRANGE = re.compile(r"[^a-z0-9_.-]+", re.ASCII)


@frozen
class Caller:
    """Who asks.

    :ivar token: the program's that may upload, or None.
    :ivar key: what it says is its camera's own key, or None.
    """

    address: str
    token: Token | None = None
    key: bytes | None = None


@implementer(IProtocolNegotiationFactory)
@define(eq=False)
class UploadFactory(ServerFactory):
    """Makes an `UploadProtocol` of each connection.

    :ivar boards: the door for boards, whose keys, limits and memory hold here too.
    :ivar now: unix seconds.
    """

    config: Callable[[], Config]
    intake: Intake
    fleet: Fleet
    boards: CameraFactory
    tokens: Tokens
    now: Callable[[], float]
    stopping: bool = False
    answered: Counter[int] = field(factory=Counter)
    connections: dict[UploadProtocol, None] = field(factory=dict)
    _boot: Boot = field(factory=lambda: Boot(secrets.token_hex(8)))
    _seq: int = 0
    _addresses: Counter[str] = field(factory=Counter)
    _idle: "list[Deferred[None]]" = field(factory=list)

    noisy = False

    # ---- connections

    def acceptableProtocols(self) -> list[bytes]:
        """By ALPN: a client that offers h2 as well would be hung up on without an answer to it."""
        return [b"http/1.1"]

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return UploadProtocol(self)

    def connected(self, protocol: UploadProtocol) -> None:
        """One more; where there are too many, the one that has asked nothing for longest goes."""
        self.connections[protocol] = None
        if len(self.connections) > self.config().upload.connections:
            others = (other for other in self.connections if not other.busy)
            self._turn_away(next(others, protocol), "upload.connections")

    def identified(self, protocol: UploadProtocol) -> None:
        """Its address is known."""
        self._addresses[protocol.address] += 1
        if self._addresses[protocol.address] > self.config().upload.connections_per_address:
            self._turn_away(protocol, "upload.connections_per_address")

    def gone(self, protocol: UploadProtocol) -> None:
        self.connections.pop(protocol, None)
        if protocol.address:
            self._addresses[protocol.address] -= 1
            if not self._addresses[protocol.address]:
                del self._addresses[protocol.address]
        if not self.connections:
            idle, self._idle = self._idle, []
            for waiting in idle:
                waiting.callback(None)

    def _turn_away(self, protocol: UploadProtocol, limit: str) -> None:
        self.boards.say("{address}: hung up on, {limit} is reached", limit=limit,
                        address=protocol.address or "somebody silent")  # fmt: skip
        protocol.abort()

    def drain(self) -> "Deferred[None]":
        """No new request from now on; fires when those under way are answered."""
        self.stopping = True
        for protocol in tuple(self.connections):
            protocol.drain()
        return self._when_nobody()

    def hang_up(self) -> "Deferred[None]":
        """Who could not be answered in time is told to come again; fires when nobody is left."""
        for protocol in tuple(self.connections):
            protocol.last_words()
        return self._when_nobody()

    def _when_nobody(self) -> "Deferred[None]":
        done: Deferred[None] = Deferred()
        if self.connections:
            self._idle.append(done)
        else:
            done.callback(None)
        return done

    def close(self) -> None:
        """End what is still open."""
        for protocol in tuple(self.connections):
            protocol.abort()

    # ---- who asks

    def caller(self, head: Head, address: str) -> Caller:
        """:raises Declined: what it says of itself is not true."""
        if self.boards.barred(address):
            limits = self.config().limits
            raise Declined(
                429, "too many wrong keys came from here", retry=limits.wrong_keys_within
            )
        secret = _secret(head.fields.get("authorization", ""))
        if not secret:
            return Caller(address)
        if _KEY.fullmatch(secret) is not None:
            return Caller(address, key=bytes.fromhex(secret))
        try:
            token = self.tokens.find(secret)
        except OSError as error:
            log.error("the tokens cannot be read: {why}", why=str(error))
            raise Declined(503, "tokens cannot be looked at now", retry=60.0) from None
        if token is None:
            raise self._wrong(address, None)
        if May.UPLOAD not in token.may:
            raise Declined(403, "this token is not for uploads")
        return Caller(address, token)

    def may_any(self, caller: Caller) -> bool:
        """Whether it is worth while to hear more: some camera's photo would be taken."""
        return (
            caller.token is not None
            or caller.key is not None
            or self.config().cameras.unknown == "accept"
            or self.config().named_address(caller.address) is not None
        )

    def named(self, head: Head, words: Mapping[str, str], caller: Caller) -> CameraId | None:
        """The camera that a request names, or None.

        :raises Declined: what should be its id is none.
        """
        segments = head.segments
        if segments and segments[0] == "cameras":
            try:
                return parse_camera_id(segments[1])
            except ValueError as error:
                raise Declined(400, f"not stored: {error}") from None
        for name in HEADERS:
            if head.fields.get(name):
                return tamed(head.fields[name])
        for where in (head.query, words):
            lower = {name.lower(): text for name, text in where.items() if text}
            for name in NAMES:
                if name in lower:
                    return tamed(lower[name])
        if caller.token is not None and is_camera_id(caller.token.name.lower()):
            return tamed(caller.token.name)
        return None

    def unnamed(self, address: str) -> CameraId:
        """The camera that whoever is at *address* is."""
        named = self.config().named_address(address)
        return named or CameraId("http-" + camera_at(address).removeprefix("v1-"))

    def authorise(self, camera: CameraId, caller: Caller) -> None:
        """:raises Declined: this caller may not store photos as *camera*."""
        keys = self.boards.keys(camera)
        if keys is not None:
            if caller.token is not None and keys:
                return
            if caller.key is not None:
                if sum(hmac.compare_digest(key, caller.key) for key in keys):
                    return
                raise self._wrong(caller.address, camera)
            raise self._denied(camera)
        if caller.key is not None:
            raise self._wrong(caller.address, camera)
        config = self.config()
        if (
            caller.token is None
            and config.cameras.unknown != "accept"
            and config.named_address(caller.address) != camera
        ):
            raise self._denied(camera)
        if not self.boards.may_exist(camera):
            raise Declined(
                503, "not stored: there are too many cameras without a key", retry=3600.0
            )

    def _wrong(self, address: str, camera: CameraId | None) -> Declined:
        self.boards.wrong_key(address, camera or CameraId(""))
        return Declined(401, "a token for uploads, or this camera's key, is wanted")

    def _denied(self, camera: CameraId) -> Declined:
        if camera in self.fleet:
            self.intake.refuse(camera, Reason.DENIED, "an upload without a token or a key")
        return Declined(401, "a token for uploads, or this camera's key, is wanted")

    # ---- photos

    def number(self) -> tuple[Boot, int]:
        """What the next photo without a name of its own is called."""
        if self._seq >= MAX_SEQ:
            self._boot, self._seq = Boot(secrets.token_hex(8)), 0
        self._seq += 1
        return self._boot, self._seq

    def came_by(self, camera: CameraId, address: str) -> None:
        """A photo of *camera* has come from there."""
        record = self.fleet.camera(camera)
        if record.session is None:
            record.protocol, record.address = "http", address


def tamed(text: str) -> CameraId:
    """The id that is meant by what a sketch calls its board: ``ESP32-CAM 1`` is ``esp32-cam-1``.

    :raises Declined: nothing is left of it.
    """
    id = _STRANGE.sub("-", text.lower())[:64].strip("-_.").replace("..", ".")
    try:
        return parse_camera_id(id)
    except ValueError as error:
        raise Declined(400, f"not stored: {error}") from None


def _secret(authorization: str) -> str:
    """The token or key that was sent: as a bearer's, or as the password of a user of any name."""
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return value
    if scheme.lower() == "basic":
        try:
            pair = b64decode(value, validate=True).decode("utf-8")
        except (Base64Error, ValueError):
            return "?"
        return pair.partition(":")[2] or "?"
    return "?" if authorization else ""
