"""One connection: bytes in, the right talk found, deadlines kept, an end that is an end.

What is said on it is the business of its talk, `BoardV1` or `BoardV2`.
"""

from socket import IPPROTO_TCP, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.abstract import FileDescriptor
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

AT_ONCE = 120 * 1024
"""Bytes that are read in one go: photos' worth, and still below the 128 KiB from which on the C
library asks the kernel for memory each time."""


class Talk(Protocol):
    """What is said on a connection once it has shown which protocol it speaks."""

    def received(self, data: bytes) -> None: ...

    def go_on(self) -> None:
        """Behind a standstill, or a change of process: with what is here already."""
        ...

    def finished_sending(self) -> bool:
        """The board has closed its side. Whether answers are still to be sent."""
        ...

    def overdue(self) -> None: ...

    def lost(self) -> None: ...

    def drain(self) -> None:
        """camd is about to stop: finish what has begun."""
        ...

    def out_of_time(self) -> None:
        """camd ends now: say so of a photo that has begun and did not come in time."""
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
    :ivar heard: bytes received on it since it was accepted, whichever process read them.
    :ivar said: bytes sent on it, likewise.
    :ivar kept: answers that leave with the next ones, or at the end of `Outbox`.
    """

    __slots__ = (
        "_first",
        "_left",
        "_talk",
        "address",
        "closing",
        "connected",
        "due",
        "factory",
        "half_closed",
        "heard",
        "held",
        "kept",
        "paused",
        "said",
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
        self.heard = 0
        self.said = 0
        self.kept = b""
        self._first = b""
        self._left: float | None = None  # of its time, when it was frozen
        self._talk: Talk | None = None

    # ---- Twisted

    def connectionMade(self) -> None:
        times = self.factory.config().times
        self.transport.bufferSize = AT_ONCE
        keep_alive(self.transport, times)
        self.factory.connected(self)
        self.expect(times.silence_first)

    def dataReceived(self, data: bytes) -> None:
        if self.closing:
            return
        self.heard += len(data)
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
        else:
            self.expect_nothing()

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
        if self.kept:
            data, self.kept = self.kept + data, b""
        self.said += len(data)
        transport = self.transport
        # What wraps a socket, as TLS does, shows the socket's attributes as its own.
        if (
            not isinstance(transport, FileDescriptor)
            or transport._tempDataBuffer
            or transport.dataBuffer
        ):
            transport.write(data)
            if unsent(transport) > self.factory.config().limits.unread:
                self.factory.count("unread")
                self.factory.say(
                    "{address} {camera}: does not read its answers; hung up on",
                    address=self.address, camera=self.camera,
                )  # fmt: skip
                self.closing = True
                transport.abortConnection()
            return
        sent = transport.writeSomeData(data)
        if isinstance(sent, int) and sent < len(data):
            transport.write(data[sent:])

    def answer(self, data: bytes) -> None:
        """As `send`, but answers that become known together leave together."""
        outbox = self.factory.outbox
        if not outbox.open or self.closing:
            self.send(data)
            return
        if not self.kept:
            outbox.due.append(self)
        self.kept += data

    def flush(self) -> None:
        """What is kept leaves now."""
        if self.kept:
            self.send(b"")

    def last_words(self) -> None:
        """camd ends: what can still be said of a photo that did not come in time is said."""
        if self._talk is not None and not self.closing:
            self._talk.out_of_time()

    def pause(self) -> None:
        """Read no more until `resume`; no time runs meanwhile."""
        if not self.paused and not self.closing:
            self.paused = True
            self.expect_nothing()
            self.transport.pauseProducing()

    def resume(self) -> None:
        if self.paused and not self.closing:
            self.paused = False
            if not self.factory.frozen:
                self.transport.resumeProducing()

    def part(self) -> None:
        """Say no more, so that the peer hears the end behind what was sent last; read on and
        throw away for a moment, since closing at once would tear up what it has not read yet."""
        if self.closing:
            return
        if self.half_closed or not hasattr(type(self.transport), "loseWriteConnection"):
            self.hang_up()
            return
        self.resume()
        self.flush()
        self.closing = True
        self.transport.loseWriteConnection()
        self.expect(self.factory.config().times.hang_up)

    def hang_up(self) -> None:
        """Close once what was sent is out; soon after, close in any case."""
        if self.closing:
            return
        self.flush()
        self.closing = True
        self.transport.loseConnection()
        self.expect(self.factory.config().times.hang_up)

    def proven(self) -> None:
        """A camera is behind this connection; it is not the first to go when there are many."""
        self.factory.proven(self)

    # ---- for the factory

    def freeze(self) -> None:
        """Nothing is read and no time runs until `thaw`."""
        if not self.closing:
            self._left = None if self.due == NEVER else self.due - self.factory.clock.seconds()
            self.due = NEVER
            self.transport.pauseProducing()

    def thaw(self) -> None:
        if self.closing:
            return
        self.due = NEVER
        if self._left is not None:
            self.expect(self._left)
        if not self.paused:
            self.transport.resumeProducing()
        if self._talk is not None:
            self._talk.go_on()

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
        return not self.closing and self._talk is not None and self._talk.busy

    def forget_commands(self, why: str) -> None:
        """Whoever waits for the board's answer to a command waits in vain."""
        if isinstance(self._talk, BoardV2):
            self._talk.forget_commands(why)

    @property
    def is_v1(self) -> bool:
        """Whether a board is there that will not come back by itself."""
        return isinstance(self._talk, BoardV1) and self._talk.known

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


def unsent(transport: Any) -> int:
    """Bytes that the peer has not taken yet, beside those in the kernel."""
    if isinstance(transport, FileDescriptor):
        return len(transport.dataBuffer) + transport._tempDataLen
    inner = getattr(transport, "transport", None)
    return unsent(inner) if inner is not None else 0


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
