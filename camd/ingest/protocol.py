"""One connection: bytes in, the right talk found, deadlines kept, an end that is an end.

What is said on it is the business of its talk, `BoardV1` or `BoardV2`.
"""

from socket import IPPROTO_TCP, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from camd.config import TimesConfig
from camd.ingest.board_v1 import BoardV1
from camd.ingest.board_v2 import BoardV2
from camd.ingest.deadlines import NEVER
from camd.wire.v2 import MAGIC

if TYPE_CHECKING:
    from camd.ingest.factory import CameraFactory

log = Logger()


class Talk(Protocol):
    """What is said on a connection once it has shown which protocol it speaks."""

    def received(self, data: bytes) -> None: ...

    def more(self) -> None:
        """Go on with what has been received already."""
        ...

    def finished_sending(self) -> bool:
        """The board has closed its side. Whether answers are still to be sent."""
        ...

    def overdue(self) -> None: ...

    def lost(self) -> None: ...

    def drain(self) -> None:
        """camd is about to stop: finish what has begun."""
        ...

    @property
    def busy(self) -> bool:
        """Whether a photo has begun or waits for its answer."""
        ...


@implementer(IHalfCloseableProtocol)
class CameraProtocol(TwistedProtocol):
    """A camera's connection: its `dataReceived` feeds the state machine of its protocol.

    :ivar secure: whether it is TLS.
    :ivar due: when it is overdue, on the reactor's clock.
    :ivar address: the peer's, for people and limits; known from the first byte on.
    """

    __slots__ = (
        "_first",
        "_talk",
        "address",
        "closing",
        "connected",
        "due",
        "factory",
        "half_closed",
        "held",
        "paused",
        "secure",
        "slot",
        "transport",
    )

    transport: Any

    def __init__(self, factory: "CameraFactory", secure: bool = False) -> None:
        self.factory = factory
        self.secure = secure
        self.address = ""
        self.due = NEVER
        self.slot = 0
        self.held = 0
        self.closing = False
        self.half_closed = False
        self.paused = False
        self._first = b""
        self._talk: Talk | None = None

    # ---- Twisted

    def connectionMade(self) -> None:
        times = self.factory.config().times
        keep_alive(self.transport, times)
        self.factory.connected(self)
        self.expect(times.silence_first)

    def dataReceived(self, data: bytes) -> None:
        if self.closing:
            return
        try:
            if self._talk is not None:
                self._talk.received(data)
            else:
                self._guess(data)
        except Exception:
            log.failure("{address}: a mistake of ours; hanging up", address=self.address)
            self.hang_up()

    def readConnectionLost(self) -> None:
        self.half_closed = True
        if self.closing:
            self.transport.loseConnection()
        elif self._talk is None or not self._talk.finished_sending():
            self.hang_up()

    def writeConnectionLost(self) -> None:
        self.hang_up()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.closing = True
        self.due = NEVER
        talk, self._talk = self._talk, None
        if talk is not None:
            talk.lost()
        self.hold(0)
        self.factory.gone(self)

    # ---- for the talk

    def expect(self, seconds: float) -> None:
        """`Talk.overdue` comes after so many seconds without another `expect`."""
        deadlines = self.factory.deadlines
        deadlines.watch(self, deadlines.seconds() + seconds)

    def expect_nothing(self) -> None:
        self.due = NEVER

    def hold(self, size: int) -> bool:
        """So many bytes wait here now. Whether all connections together hold no more than they
        may."""
        before, self.held = self.held, size
        within: bool = self.factory.budget.change(before, size)
        return within

    def send(self, data: bytes) -> None:
        """Into the socket at once where nothing waits before it: an answer spares the reactor a
        turn, which costs more than all else about it."""
        if self.closing:
            return
        transport = self.transport
        if getattr(transport, "_tempDataBuffer", True) or transport.dataBuffer:
            transport.write(data)
            return
        sent = transport.writeSomeData(data)
        if isinstance(sent, int) and sent < len(data):
            transport.write(data[sent:])

    def pause(self) -> None:
        """Read no more until `resume`; no time runs meanwhile."""
        if not self.paused and not self.closing:
            self.paused = True
            self.expect_nothing()
            self.transport.pauseProducing()

    def resume(self) -> None:
        if self.paused and not self.closing:
            self.paused = False
            self.transport.resumeProducing()

    def part(self) -> None:
        """Say no more, so that the peer hears the end behind what was sent last; read on and
        throw away for a moment, since closing at once would tear up what it has not read yet."""
        if self.closing:
            return
        half_close = getattr(self.transport, "loseWriteConnection", None)
        if half_close is None or self.half_closed:
            self.hang_up()
            return
        self.resume()
        self.closing = True
        half_close()
        self.expect(self.factory.config().times.hang_up)

    def hang_up(self) -> None:
        """Close once what was sent is out; soon after, close in any case."""
        if self.closing:
            return
        self.closing = True
        self.transport.loseConnection()
        self.expect(self.factory.config().times.hang_up)

    def proven(self) -> None:
        """A camera is behind this connection; it is not the first to go when there are many."""
        self.factory.proven(self)

    # ---- for the factory

    def overdue(self) -> None:
        """The deadline has passed."""
        self.due = NEVER
        if self.closing:
            self.transport.abortConnection()
        elif self._talk is not None:
            self._talk.overdue()
        else:
            self.factory.count("silent")
            self.hang_up()

    def drain(self) -> None:
        """No new photo from now on."""
        if self._talk is not None:
            self._talk.drain()
        else:
            self.hang_up()

    @property
    def busy(self) -> bool:
        return self._talk is not None and self._talk.busy

    @property
    def camera(self) -> str:
        """The camera's name, or the empty string while it is not known."""
        return getattr(self._talk, "name", "")

    # ---- which protocol

    def _guess(self, data: bytes) -> None:
        """`HELLO ` is v2, anything else is v1."""
        if not self._first:
            self.address = self.factory.identified(self)
            if self.closing:
                return
            self.expect(self.factory.config().times.line)
        first = self._first + data
        if first.startswith(MAGIC):
            self._talk = BoardV2(self)
        elif MAGIC.startswith(first):
            self._first = first
            return
        else:
            self._talk = BoardV1(self)
        self._first = b""
        self._talk.received(first)


def keep_alive(transport: Any, times: TimesConfig) -> None:
    """TCP asks by itself whether a silent board is still there."""
    try:
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
        socket = transport.getHandle()
        for option, value in (
            (TCP_KEEPIDLE, times.keepalive_idle),
            (TCP_KEEPINTVL, times.keepalive_interval),
            (TCP_KEEPCNT, times.keepalive_probes),
        ):
            socket.setsockopt(IPPROTO_TCP, option, int(value))
    except (AttributeError, OSError):
        return  # a unix socket, or a TLS handshake that has not begun: nothing to keep alive
