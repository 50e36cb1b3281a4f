"""A door in this process: the real factory and protocols, a clock that is turned by hand, and an
intake that stores nothing until the test says so."""

from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from camd.config import Config
from camd.fleet import Fleet
from camd.ingest import CameraFactory
from camd.live import Live
from camd.news import News
from camd.photo import CameraId, Door, FrameKey, Photo, Reason, Receipt, Refused
from camd.store.schema import CatalogError
from tests.e2e_talk import BOOT, Talk

NOW = 1_786_832_103.0
START = 5000.25
ADDRESS = "192.0.2.7"
CAMERA = "greenhouse-1"
MOST = 4 * 1024 * 1024


class Transport(StringTransport):
    """A TCP connection that keeps what was written to it, and notes how it was ended."""

    def __init__(self, address: str) -> None:
        kind = IPv6Address if ":" in address else IPv4Address
        super().__init__(peerAddress=kind("TCP", address, 50_000))
        self.parted = False
        self.aborted = False

    def loseWriteConnection(self) -> None:
        self.parted = True

    def abortConnection(self) -> None:
        self.aborted = True

    @property
    def ended(self) -> bool:
        """Whether camd has said that it will say no more."""
        return bool(self.disconnecting) or self.parted or self.aborted


class HeldIntake:
    """An intake that keeps each photo waiting until `store` or `refuse_next`.

    :ivar shown: pictures that were only to be looked at.
    :ivar unreadable: the catalog cannot be read.
    """

    def __init__(self) -> None:
        self.store = self
        self.stopping = False
        self.waiting: list[tuple[Photo, Deferred[Receipt]]] = []
        self.stored: list[Photo] = []
        self.refusals: list[tuple[str, Reason]] = []
        self.quarantined: list[bytes] = []
        self.shown: list[bytes] = []
        self.final: list[tuple[str, str, int]] = []
        self.lasts: dict[tuple[str, str], int] = {}
        self.at_once = False
        self.known: dict[FrameKey, int] = {}
        self.unreadable = False

    # ---- what a door says to it

    def find(self, key: FrameKey) -> Receipt | None:
        """The receipt of what the test says is stored, which has this crc."""
        self._read()
        crc = self.known.get(key)
        if crc is None:
            return None
        return Receipt(*key, 1, crc, 1, 1, "there.jpg", 0.0, 0.0, Door.V2)

    def accept(self, photo: Photo) -> "Deferred[Receipt]":
        done: Deferred[Receipt] = Deferred()
        self.waiting.append((photo, done))
        if self.at_once:
            self.release()
        return done

    def refuse(self, id: str, reason: Reason, detail: str = "", chunks: Any = ()) -> None:
        self.refusals.append((id, reason))
        if chunks:
            self.quarantined.append(b"".join(chunks))

    def show(self, id: str, chunks: Any) -> None:
        self.shown.append(b"".join(chunks))

    def last(self, camera: str, boot: str) -> int:
        self._read()
        return self.lasts.get((camera, boot), 0)

    def _read(self) -> None:
        if self.unreadable:
            raise CatalogError("the disk does not answer")

    def settled(self, key: tuple[str, str, int]) -> None:
        self.final.append(key)

    # ---- what the test makes of it

    def release(self, at: int = 0) -> Photo:
        """The photo that waits at that place is on the disk."""
        photo, done = self.waiting.pop(at)
        self.stored.append(photo)
        done.callback(
            Receipt(
                photo.camera, photo.boot, photo.seq, photo.size, photo.crc, photo.width,
                photo.height, "x.jpg", NOW, photo.received, photo.door, photo.trigger,
            )
        )  # fmt: skip
        return photo

    def refuse_next(self, reason: Reason, retry: float | None = None) -> None:
        _, done = self.waiting.pop(0)
        done.errback(Failure(Refused(reason, "", retry)))


@define(eq=False)
class Keys:
    """Keys by camera, as `camd.keys.KeyRing` tells them."""

    keys: dict[str, tuple[bytes, ...]] = field(factory=dict)

    def keys_of(self, camera: str) -> tuple[bytes, ...] | None:
        return self.keys.get(camera)


class End:
    """The other end of a connection to a door."""

    def __init__(self, factory: Any, address: str = ADDRESS, **more: object) -> None:
        self.transport = Transport(address)
        self.protocol = factory.buildProtocol(None)
        for name, value in more.items():
            setattr(self.protocol, name, value)
        self.protocol.makeConnection(self.transport)
        self._gone = False

    def say(self, *segments: bytes) -> None:
        """TCP brings these, each by itself."""
        for data in segments:
            self.protocol.dataReceived(data)

    def heard(self) -> bytes:
        """What camd has written since the last time."""
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    @property
    def ended(self) -> bool:
        return self.transport.ended

    def leave(self) -> None:
        if not self._gone:
            self._gone = True
            self.protocol.connectionLost(Failure(ConnectionDone()))


class Peer(End):
    """A board's."""

    @property
    def lines(self) -> list[str]:
        """The same, line by line; a line without its end fails."""
        *whole, rest = self.heard().decode("ascii").split("\n")
        assert not rest, f"a line without its end: {rest!r}"
        return whole

    @property
    def reading(self) -> bool:
        return bool(self.transport.producerState == "producing")

    def half_close(self) -> None:
        self.protocol.readConnectionLost()


class DoorCase(SynchronousTestCase):
    """A factory whose rooms are real but for the disk.

    :ivar config: may be replaced at any time.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(START)
        self.config = Config()
        self.intake = HeldIntake()
        self.live = Live()
        self.keys = Keys()
        self.news = News(self.now)
        self.fleet = Fleet(lambda: self.config, self.news, self.now)
        intake: Any = self.intake
        keys: Any = self.keys
        self.factory = CameraFactory(
            lambda: self.config, intake, self.fleet, self.live, keys, self.clock, self.now
        )

    def now(self) -> float:
        return NOW + self.clock.seconds() - START

    def peer(self, address: str = ADDRESS, secure: bool = False) -> Peer:
        peer = Peer(self.factory, address, secure=secure)
        self.addCleanup(peer.leave)
        return peer

    def configure(self, section: str, **values: Any) -> None:
        """These settings of that section are others from now on."""
        changed = evolve(getattr(self.config, section), **values)
        self.config = evolve(self.config, **{section: changed})

    def seconds(
        self, seconds: float, step: float = 1.0, each: Callable[[], object] = lambda: None
    ) -> None:
        """Time goes by; the door looks at its deadlines as often as it does in the daemon.

        :param each: called behind every step.
        """
        left = seconds
        while left > 1e-9:
            now = min(step, left)
            self.clock.advance(now)
            self.factory.deadlines.tick()
            each()
            left -= now

    def camera(self, name: str) -> Any:
        return self.fleet.cameras[CameraId(name)]


class Board:
    """A board's words on a connection to the door."""

    def __init__(self, peer: Peer, talk: Talk) -> None:
        self.peer = peer
        self.talk = talk

    def say(self, text: str) -> None:
        self.peer.say(self.talk.line(text))

    def frame(self, seq: int, data: bytes, more: str = "", crc: int | None = None) -> None:
        self.peer.say(self.talk.frame(seq, data, more, crc))

    @property
    def lines(self) -> list[str]:
        return [self.talk.checked(line) for line in self.peer.lines]


class BoardCase(DoorCase):
    """A door, and boards that are let in."""

    def board(self, camera: str = CAMERA, boot: str = BOOT, key: bytes | None = None,
              address: str = ADDRESS, secure: bool = False) -> Board:  # fmt: skip
        """One that has been welcomed."""
        board = Board(self.peer(address, secure), Talk(camera, boot, key, tls=secure))
        board.peer.say(board.talk.hello())
        if key is not None:
            board.peer.say(board.talk.auth(*board.peer.lines))
        (welcome,) = board.lines
        self.assertTrue(welcome.startswith("WELCOME camd/2 "), welcome)
        return board

    def assert_told(self, peer: Peer, *lines: str) -> None:
        """These lines were said, and then camd said that it would say no more."""
        self.assertEqual(peer.lines, list(lines))
        self.assertTrue(peer.ended)
