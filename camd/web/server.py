"""HTTP itself: connections, requests, their bounds, and the headers of every answer.

A body is bounded before it is read, a request has to come in within its time, and there are only
so many connections. What is answered is the business of a `Router`.
"""

import socket
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from io import BytesIO
from typing import Any, Protocol

from twisted.internet.interfaces import IAddress, IDelayedCall, IHalfCloseableProtocol
from twisted.logger import Logger
from twisted.protocols.basic import FileSender
from twisted.python.failure import Failure
from twisted.web import http
from zope.interface import implementer

from camd.config import Config
from camd.parting import LINGER, part
from camd.web.answers import PROBLEM, Answer, Problem

log = Logger()

POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    b"media-src 'self'; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    b"form-action 'self'; frame-ancestors 'none'"
)
HEADERS = (
    (b"Content-Security-Policy", POLICY),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"X-Frame-Options", b"DENY"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"Permissions-Policy", b"camera=(), microphone=(), geolocation=()"),
)
IDLE = 60.0
"""Seconds for which a connection without a request is kept, and one whose peer reads nothing."""

_AT_ONCE = 64 * 1024
"""Bytes of an answer that are written in one go: of more it could not be told whether the other
side reads on."""

_BODY_DIGITS = 12


class Router(Protocol):
    """Answers requests."""

    def take(self, request: "Request") -> None:
        """A whole request is here; what is raised is a mistake of ours."""
        ...


class Request(http.Request):
    """One request.

    :ivar gone: whether nobody waits for the answer any more.
    :ivar endless: whether the answer goes on for as long as somebody wants it.
    """

    channel: Any
    gone = False
    endless = False
    refused = False

    def __init__(
        self,
        channel: Any,
        queued: object = False,
        parsePOSTFormSubmission: bool = False,
    ) -> None:
        # No form is read here, and taking one apart could hold up all of camd.
        super().__init__(channel, queued, parsePOSTFormSubmission)

    @property
    def here(self) -> str:
        """Our own address on this connection, "" where it has none."""
        return address_of(self.host)

    @property
    def peer(self) -> str:
        """The other side's address, "" where it has none."""
        return address_of(self.client)

    def gotLength(self, length: int | None) -> None:
        # All headers are here and nothing of the body is.
        most = self.channel.factory.config().web.body
        if length is not None and length > most:
            self._refuse(413, f"a body has {most} bytes at most")
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        if self.refused:
            return
        content: Any = self.content
        if content.tell() + len(data) > self.channel.factory.config().web.body:
            self._refuse(413, "the body is too long")
        else:
            content.write(data)

    def _refuse(self, status: int, detail: str) -> None:
        """Answered before it has come in; the connection ends, as the rest is not wanted."""
        self.refused = True
        self.channel.give_up(Problem(status, detail))

    def process(self) -> None:
        if self.refused:
            return
        for name, value in HEADERS:
            self.responseHeaders.setRawHeaders(name, [value])
        self.setHeader(b"Date", http.datetimeToString())
        try:
            self.channel.factory.router.take(self)
        except Exception:
            self.failed(Failure())

    def failed(self, failure: Failure) -> None:
        """A mistake of ours: logged, and no word of it to the other side."""
        log.failure("{method} {path} failed", failure, method=self.method.decode("latin-1"),
                    path=self.path.decode("latin-1")[:200])  # fmt: skip
        if not self.startedWriting:
            self.problem(Problem(500))
        elif not self.gone:
            self.channel.transport.abortConnection()

    def problem(self, problem: Problem) -> None:
        headers = {
            name.replace("_", "-").encode(): text.encode() for name, text in problem.headers.items()
        }
        headers[b"Cache-Control"] = b"no-store"
        self.answer(Answer(problem.body, problem.status, PROBLEM, headers))

    def answer(self, answer: Answer) -> None:
        """Sent, unless nobody waits for it."""
        if self.gone or self.finished or answer.body is None:
            return
        if answer.compressible:
            self.responseHeaders.addRawHeader(b"Vary", b"Accept-Encoding")
            if b"gzip" in (self.getHeader(b"accept-encoding") or b""):
                answer.compress()
        self.setResponseCode(answer.status, phrase(answer.status))
        for name, value in answer.headers.items():
            self.responseHeaders.setRawHeaders(name, [value])
        if answer.status not in http.NO_BODY_CODES:
            self.responseHeaders.setRawHeaders(b"Content-Type", [answer.type])
            self.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(answer.body)])
        if len(answer.body) > _AT_ONCE and self.method != b"HEAD":
            FileSender().beginFileTransfer(BytesIO(answer.body), self).addBoth(self._sent)
        else:
            self.write(answer.body)
            self.finish()

    def _sent(self, result: object) -> None:
        if not self.gone:
            self.finish()

    def begin(self, kind: bytes, plain: bool = False) -> None:
        """The headers of an answer that has no length are sent.

        :param plain: it ends with the connection, and is cut into no chunks.
        """
        self.endless = True
        if plain:
            self.clientproto = b"HTTP/1.0"
            self.channel.persistent = False
            self.setHeader(b"Connection", b"close")
        self.setHeader(b"Content-Type", kind)
        self.setHeader(b"Cache-Control", b"no-store")
        self.setHeader(b"X-Accel-Buffering", b"no")
        self.write(b"")

    def connectionLost(self, reason: Failure) -> None:
        self.gone = True
        super().connectionLost(reason)


@implementer(IHalfCloseableProtocol)
class Channel(http.HTTPChannel):
    """A connection of a browser or a program."""

    factory: Any
    transport: Any
    requestFactory = Request  # noqa: N815 - Twisted's names
    totalHeadersSize = 16 * 1024  # noqa: N815
    maxHeaders = 100  # noqa: N815
    ended = False
    peer = ""
    _deadline: IDelayedCall | None = None
    _answered: Request | None = None
    _turn: IDelayedCall | None = None
    _thrown_away = 0
    _half_closed = False

    def connectionMade(self) -> None:
        self.peer = address_of(self.transport.getPeer())
        super().connectionMade()
        if not self.factory.joined(self):
            self.ended = True
            self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        if self.ended:
            self._throw_away(len(data))
            return
        if not self._handlingRequest:
            self._hurry()  # with the first byte: there need never be a whole line
        elif self._waitingForTransport:
            self._networkProducer.pauseProducing()
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        if self.ended:
            return  # it came with what was the end
        self._hurry()
        super().lineReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        if not self.ended:
            super().rawDataReceived(data)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.give_up(Problem(431))

    def _hurry(self) -> None:
        """The whole request has to come in from now on."""
        if self._deadline is None and not self.ended:
            seconds = self.factory.config().web.request
            self._deadline = self.factory.reactor.callLater(seconds, self._too_slow)

    def headerReceived(self, line: bytes) -> bool:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and len(value.strip()) > _BODY_DIGITS:
            self._respondToBadRequestAndDisconnect()
            return False
        return bool(super().headerReceived(line))

    def allContentReceived(self) -> None:
        self._in_time()
        super().allContentReceived()

    def requestDone(self, request: Request) -> None:
        """Who sends requests without waiting gets the next answer when the last one has gone out,
        and when others have had their turn."""
        self._answered = request
        if self._waitingForTransport:
            self._networkProducer.pauseProducing()
            self.setTimeout(IDLE)
        elif self.persistent and (self._buffer or self._dataBuffer):
            self._turn = self.factory.reactor.callLater(0, self._go_on)
        else:
            self._go_on()

    def pauseProducing(self) -> None:
        super().pauseProducing()
        if self.requests and not self.requests[0].endless:
            self.setTimeout(IDLE)

    def resumeProducing(self) -> None:
        super().resumeProducing()
        if self._handlingRequest:
            self.setTimeout(None)
        self._go_on()

    def _go_on(self) -> None:
        request = self._answered
        if request is not None and not self._waitingForTransport:
            self._answered = None
            super().requestDone(request)
            if self._half_closed and not self._handlingRequest:
                self.loseConnection()

    def readConnectionLost(self) -> None:
        """Nothing more comes of the other side; what it has asked for, it may still wait for."""
        self._half_closed = True
        if any(request.endless for request in self.requests):
            self.transport.abortConnection()
        elif not self._handlingRequest:
            self.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our side is closed, by `give_up`."""

    def _send100Continue(self) -> None:
        if not self.ended:
            super()._send100Continue()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.give_up(Problem(400))

    def give_up(self, problem: Problem) -> None:
        """*problem* is the last that is said here; what still comes is thrown away."""
        if self.ended:
            return
        self.ended = True
        body = problem.body
        self.transport.write(
            b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n%s"
            % (problem.status, phrase(problem.status), PROBLEM, len(body), body)
        )
        self.transport.unregisterProducer()
        part(self.transport)
        self._in_time()
        seconds = self.factory.config().times.hang_up
        self._deadline = self.factory.reactor.callLater(seconds, self._too_slow)

    def _throw_away(self, size: int) -> None:
        self._thrown_away += size
        if self._thrown_away > LINGER:
            self.transport.pauseProducing()

    def close(self) -> None:
        """No request is taken any more; one that is being answered is answered."""
        self.persistent = False
        if not self._handlingRequest and not self.ended:
            self.loseConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self._in_time()
        if self._turn is not None and self._turn.active():
            self._turn.cancel()
        self.factory.left(self)
        super().connectionLost(reason)

    def _in_time(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        self.transport.abortConnection()


class Site(http.HTTPFactory):
    """All connections, and what is answered on them."""

    noisy = False
    protocol = Channel  # type: ignore[assignment]

    def __init__(self, config: Callable[[], Config], router: Router, reactor: Any) -> None:
        super().__init__(timeout=IDLE, reactor=reactor)
        self.config = config
        self.router = router
        self.channels: set[Channel] = set()
        self._addresses: Counter[str] = Counter()

    def log(self, request: http.Request) -> None:
        log.debug(
            "{peer} {method} {path} {code}", peer=address_of(request.client), code=request.code,
            method=request.method.decode("latin-1"), path=request.path.decode("latin-1")[:200],
        )  # fmt: skip

    def joined(self, channel: Channel) -> bool:
        """Whether there is room for one more."""
        limits = self.config().web
        self.channels.add(channel)
        self._addresses[channel.peer] += 1
        return (
            len(self.channels) <= limits.connections
            and self._addresses[channel.peer] <= limits.connections_per_address
        )

    def left(self, channel: Channel) -> None:
        self.channels.discard(channel)
        self._addresses[channel.peer] -= 1
        if self._addresses[channel.peer] <= 0:
            del self._addresses[channel.peer]

    def close(self) -> None:
        for channel in tuple(self.channels):
            channel.close()

    def abort(self) -> None:
        for channel in tuple(self.channels):
            channel.transport.abortConnection()


def phrase(status: int) -> bytes:
    """The words behind the number, as RFC 9110 has them."""
    return HTTPStatus(status).phrase.encode("ascii")


def address_of(address: IAddress | None) -> str:
    """The host of an address, IPv4 where IPv6 only wraps it; "" for what is no TCP."""
    host = str(getattr(address, "host", "") or "")
    return host.removeprefix("::ffff:").partition("%")[0]


def little_buffered(transport: Any, kernel: int) -> None:
    """What is written to *transport* waits there as little as can be: its producer is told to
    pause as soon as anything is left to be sent, and the system keeps *kernel* bytes at most."""
    while getattr(transport, "transport", None) is not None:
        transport = transport.transport
    if hasattr(transport, "bufferSize"):
        transport.bufferSize = 1
    handle = getattr(transport, "socket", None)
    if handle is not None:
        try:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, kernel)
        except OSError:
            pass  # it only costs memory
