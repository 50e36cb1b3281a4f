"""Who is connected, what all connections share, and what nobody gets more of."""

import ipaddress
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

from camd.config import Config
from camd.fleet import Fleet
from camd.ingest.attempts import Attempts
from camd.ingest.board_v1 import BoardV1
from camd.ingest.board_v2 import BoardV2
from camd.ingest.budget import Budget
from camd.ingest.deadlines import Deadlines
from camd.ingest.outbox import Outbox
from camd.ingest.protocol import CameraProtocol
from camd.intake import Intake
from camd.keys import KeyRing
from camd.live import Live
from camd.news import Kind
from camd.photo import Boot, CameraId
from camd.sparing import Sparing

log = Logger()


class Witness(Protocol):
    """Who keeps the connections of v1 boards, lest they end with this process."""

    def came(self, connection: CameraProtocol) -> None:
        """A v1 board has shown itself there."""
        ...

    def settled(self, connection: CameraProtocol, said: int) -> None:
        """All that came there is answered, and nothing has begun, once so many bytes are sent."""
        ...

    def owing(self, connection: CameraProtocol, photo: tuple[Boot, int] | None) -> None:
        """What came there waits for its answer, and nothing has begun behind it.

        :param photo: boot and seq of what is answered first, where that may be in the store.
        """
        ...

    def went(self, connection: CameraProtocol) -> None:
        """It is over, whoever was there."""
        ...


@define(eq=False)
class CameraFactory(ServerFactory):
    """Tracks the connected cameras, whichever door they came by, and makes a `CameraProtocol` of
    each connection.

    :ivar clock: the reactor, as far as it is a clock.
    :ivar now: unix seconds.
    :ivar fps: pictures a second that a watched v2 board is asked for.
    :ivar hung_up: why connections were ended, counted.
    :ivar commands: that boards were asked to carry out.
    :ivar frozen: nobody is read from.
    :ivar most: connections for which there are descriptors.
    """

    config: Callable[[], Config]
    intake: Intake
    fleet: Fleet
    live: Live
    keyring: KeyRing
    clock: IReactorTime
    now: Callable[[], float]
    fps: int = 5
    stopping: bool = False
    frozen: bool = False
    most: int = 1_000_000
    witness: Witness | None = None
    hung_up: Counter[str] = field(factory=Counter)
    commands: int = 0
    connections: set[CameraProtocol] = field(factory=set)
    deadlines: Deadlines = field(init=False)
    budget: Budget = field(init=False)
    attempts: Attempts = field(init=False)
    sparing: Sparing = field(init=False)
    outbox: Outbox = field(factory=Outbox)
    _unproven: dict[CameraProtocol, None] = field(factory=dict)
    _addresses: Counter[str] = field(factory=Counter)
    _finishing: set[CameraProtocol | None] = field(factory=set)
    _through: "Deferred[None] | None" = None

    def __attrs_post_init__(self) -> None:
        self.deadlines = Deadlines(self.clock.seconds)
        self.budget = Budget(lambda: self.config().limits.held)
        self.attempts = Attempts(self.clock.seconds)
        self.sparing = Sparing(self.clock.seconds, lambda: self.config().limits.log_per_second)
        self.live.attention.append(self._attention)

    noisy = False

    # ---- connections

    def buildProtocol(self, addr: IAddress | None) -> CameraProtocol:
        return CameraProtocol(self)

    def connected(self, protocol: CameraProtocol) -> None:
        """One more. Where there are too many, the one that has waited longest without showing a
        camera goes; where all have shown one, this one does."""
        self.connections.add(protocol)
        self._unproven[protocol] = None
        if len(self.connections) > min(self.config().limits.connections, self.most):
            self._make_room(next(iter(self._unproven)), "connections")

    def identified(self, protocol: CameraProtocol) -> str:
        """The first byte has come, and so the peer is known, behind a proxy too: its address."""
        address = address_of(protocol.transport.getPeer())
        self.carried(address)
        protocol.address = address
        if self._addresses[address] > self.config().limits.connections_per_address:
            oldest = next((other for other in self._unproven if other.address == address), protocol)
            self._make_room(oldest, "connections_per_address")
        return address

    def carried(self, address: str) -> None:
        """One more connection is from there."""
        self._addresses[address] += 1

    def proven(self, protocol: CameraProtocol) -> None:
        self._unproven.pop(protocol, None)

    def gone(self, protocol: CameraProtocol) -> None:
        self.connections.discard(protocol)
        self._unproven.pop(protocol, None)
        if self.witness is not None:
            self.witness.went(protocol)
        if protocol.address:
            self._addresses[protocol.address] -= 1
            if not self._addresses[protocol.address]:
                del self._addresses[protocol.address]
        self.finished(protocol)

    def _make_room(self, protocol: CameraProtocol, limit: str) -> None:
        self.count(limit)
        self.say("{address}: hung up on, limits.{limit} is reached", limit=limit,
                 address=protocol.address or "somebody silent")  # fmt: skip
        self._unproven.pop(protocol, None)
        protocol.closing = True
        protocol.transport.abortConnection()

    def recheck(self) -> None:
        """The configuration or the keys have changed: who would not be let in now is hung up on."""
        for camera in tuple(self.fleet.cameras.values()):
            session = camera.session
            if isinstance(session, BoardV2) and not session.still_welcome():
                session.kick()

    def freeze(self) -> None:
        """All stand still, between two bytes; what is on its way to the disk goes on."""
        self.frozen = True
        for protocol in self.connections:
            protocol.freeze()

    def thaw(self) -> None:
        """They go on as if nothing had been."""
        self.frozen = False
        for protocol in tuple(self.connections):
            protocol.thaw()

    def drain(self) -> "Deferred[None]":
        """No new photo from now on; fires when all that have begun are answered."""
        self.stopping = True
        for protocol in tuple(self.connections):
            protocol.drain()
        self._finishing = {protocol for protocol in self.connections if protocol.busy}
        return self._when_through()

    def hang_up(self) -> "Deferred[None]":
        """End every connection behind what was said on it; fires when none is left."""
        self._finishing = set(self.connections)
        for protocol in tuple(self.connections):
            protocol.last_words()
            protocol.hang_up()
        return self._when_through()

    def _when_through(self) -> "Deferred[None]":
        done: Deferred[None] = Deferred()
        self._through = done
        self.finished(None)
        return done

    def finished(self, protocol: CameraProtocol | None) -> None:
        """While camd stops: there is nothing more to be waited for on this connection."""
        self._finishing.discard(protocol)
        if not self._finishing and self._through is not None:
            done, self._through = self._through, None
            done.callback(None)

    def close(self) -> None:
        """End what is still open."""
        for protocol in tuple(self.connections):
            protocol.transport.abortConnection()

    # ---- who may come in

    def keys(self, camera: CameraId) -> tuple[bytes, ...] | None:
        """The keys of *camera*; None where it was never enrolled."""
        return self.keyring.keys_of(camera)

    def may_enter_v1(self, camera: CameraId, address: str) -> bool:
        """Whether a board that cannot prove anything may store photos as *camera*."""
        if self.keys(camera) is not None:
            return False
        config = self.config()
        return config.cameras.unknown == "accept" or config.named_address(address) is not None

    def may_exist(self, camera: CameraId) -> bool:
        """Whether a camera without a key may come to be."""
        return camera in self.fleet or len(self.fleet.cameras) < self.config().limits.cameras

    def barred(self, address: str) -> bool:
        limits = self.config().limits
        return self.attempts.barred(address, limits.wrong_keys, limits.wrong_keys_within)

    def wrong_key(self, address: str, camera: CameraId) -> None:
        self.attempts.failed(address, self.config().limits.wrong_keys)
        if camera in self.fleet:
            self.fleet.news.tell(Kind.DENIED, camera, f"a wrong key from {address}")

    # ---- what is asked of cameras

    def next_command(self) -> int:
        """The number of one more."""
        self.commands += 1
        return self.commands

    # ---- what is said of it

    def count(self, why: str) -> None:
        self.hung_up[why] += 1

    def say(self, text: str, **fields: Any) -> None:
        """A warning in the log, at most so many a second for each address and kind."""
        subject = str(fields.get("address", fields.get("camera", "")))
        left_out = self.sparing.left_out(subject, text)
        if left_out is not None:
            more = f" (and {left_out} more like it)" if left_out else ""
            log.warn(text + "{more}", more=more, **fields)

    def _attention(self, camera: CameraId, watched: bool) -> None:
        """Somebody watches, or nobody any more: its boards are told."""
        record = self.fleet.cameras.get(camera)
        session = record.session if record is not None else None
        if isinstance(session, BoardV2):
            session.watched(watched)
        elif isinstance(session, BoardV1) and watched:
            session.watched()


class SecureCameraFactory(ServerFactory):
    """The same for the door with TLS, where lines carry no macs."""

    noisy = False

    def __init__(self, cameras: CameraFactory) -> None:
        self.cameras = cameras

    def buildProtocol(self, addr: IAddress | None) -> CameraProtocol:
        return CameraProtocol(self.cameras, secure=True)


def address_of(peer: Any) -> str:
    """A peer's address for people and limits: without a port, and never empty."""
    if not isinstance(peer, IPv4Address | IPv6Address):
        return "local"
    host: str = peer.host
    if host.startswith("::ffff:"):
        mapped = ipaddress.IPv6Address(host).ipv4_mapped  # a proxy may write it in hex
        return host if mapped is None else str(mapped)
    return host
