"""HTTP as camd asks for something: every answer is bounded in bytes and in time.

A connection serves one request, since boards have few. Certificates of https servers are verified,
by name or address. Redirections are not followed: who is asked has one address, the operator's.
"""

import os
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from OpenSSL.SSL import Error as TlsError
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionAborted,
    ConnectionClosed,
    DNSLookupError,
)
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.task import Cooperator
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    FileBodyProducer,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

HEAD = 32 * 1024
"""Bytes of an answer besides its body: its head, and what chunks add to the body."""

_FAILURES = (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
    TimeoutError,
    TlsError,
    VerificationError,
)

Hold = Callable[[int], bool]
"""Told how many bytes are held for an answer; whether they may be."""


class AnswerError(Exception):
    """There is no answer, or not one to what was asked; the text is for people."""


class BusyError(AnswerError):
    """There is no memory for the answer now: not the other side's fault."""


@frozen
class Reply:
    """A whole answer. *fields*: the first value of each header field, by lower-case name."""

    status: int
    fields: Mapping[str, str]
    body: tuple[bytes, ...]

    @property
    def text(self) -> bytes:
        return b"".join(self.body)


@define(eq=False)
class _Meter:
    """How many bytes may still come on one connection."""

    left: int
    _connection: "_Metered | None" = None

    def made(self, connection: "_Metered") -> None:
        self._connection = connection

    def passed(self, size: int) -> bool:
        self.left -= size
        if self.left < 0:
            self.end()
        return self.left >= 0

    def end(self) -> None:
        """Nothing more comes."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.connected:
            connection.abortConnection()


class _Metered(ProtocolWrapper):
    """A connection that ends when its meter is used up."""

    factory: "_MeteredFactory"

    def makeConnection(self, transport: Any) -> None:
        self.factory.meter.made(self)
        super().makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        if self.factory.meter.passed(len(data)):
            super().dataReceived(data)


class _MeteredFactory(WrappingFactory):
    protocol = _Metered
    noisy = False

    def __init__(self, wrapped: Any, meter: _Meter) -> None:
        super().__init__(wrapped)
        wrapped.noisy = False  # a line when it begins and one when it ends, for each request
        self.meter = meter


@implementer(IStreamClientEndpoint)
@define(eq=False)
class _MeteredEndpoint:
    endpoint: Any
    meter: _Meter

    def connect(self, factory: IProtocolFactory) -> "Deferred[Any]":
        wrapping = _MeteredFactory(factory, self.meter)
        made: Deferred[Any] = self.endpoint.connect(wrapping)
        return made.addCallback(lambda wrapper: wrapper.wrappedProtocol)


@implementer(IAgentEndpointFactory)
@define(eq=False)
class _Endpoints:
    client: "Client"
    meter: _Meter

    def endpointForURI(self, uri: URI) -> _MeteredEndpoint:
        endpoint: Any = HostnameEndpoint(
            self.client.reactor, uri.host.strip(b"[]"), uri.port, timeout=self.client.connect
        )
        if uri.scheme == b"https":
            host = uri.host.decode("ascii").strip("[]")
            options = optionsForClientTLS(host, self.client.trusted)
            endpoint = wrapClientTLS(options, endpoint)
        return _MeteredEndpoint(endpoint, self.meter)


@define(eq=False)
class Stream:
    """An answer that goes on.

    :ivar status: of it; *fields* its header, as in `Reply`.
    :ivar done: fires when it is over, with None where that was wished and a `AnswerError` else.
    """

    status: int
    fields: Mapping[str, str]
    done: "Deferred[None]" = field(factory=Deferred)
    _response: Any = None
    _meter: _Meter = field(factory=lambda: _Meter(0))
    _over: bool = False

    def follow(self, heard: Callable[[bytes], None]) -> None:
        """*heard* is called with what comes; where it raises `AnswerError`, that is the end."""
        self._response.deliverBody(_Following(self, heard))

    def grant(self, size: int) -> None:
        """So many bytes may come from now on."""
        self._meter.left = size

    @property
    def is_over(self) -> bool:
        return self._over

    def stop(self) -> None:
        """It is not wanted any more."""
        self.end(None)

    def end(self, error: AnswerError | None) -> None:
        if not self._over:
            self._over = True
            self._meter.end()
            self.done.callback(None) if error is None else self.done.errback(error)


class _Following(Protocol):
    def __init__(self, stream: Stream, heard: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._heard = heard

    def dataReceived(self, data: bytes) -> None:
        if self._stream.is_over:
            return  # it came with what was the end
        try:
            self._heard(data)
        except AnswerError as error:
            self._stream.end(error)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stream.end(AnswerError("its stream has ended"))


class _Collecting(Protocol):
    """A body, up to *most* bytes of it."""

    def __init__(self, most: int, hold: Hold) -> None:
        self.done: Deferred[tuple[bytes, ...]] = Deferred()
        self._most = most
        self._hold = hold
        self._size = 0
        self._chunks: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        self._size += len(data)
        self._chunks.append(data)
        if self._size > self._most:
            self.done.errback(AnswerError(f"it sent more than {self._most} bytes"))
        elif not self._hold(self._size):
            self.done.errback(BusyError("there is no memory for its answer"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(tuple(self._chunks))
        else:
            self.done.errback(AnswerError("its answer was cut off"))


def _anything(size: int) -> bool:
    return True


@frozen
class _Request:
    url: str
    method: bytes = b"GET"
    body: bytes | None = None
    fields: Mapping[str, str] = field(factory=dict)


@define(eq=False)
class Client:
    """Asks, and posts.

    :ivar connect: seconds for a connection.
    :ivar trusted: by what https servers are verified; None is what this system trusts.
    """

    reactor: Any
    connect: float = 10.0
    trusted: Any = None

    async def get(self, url: str, most: int, seconds: float, hold: Hold = _anything) -> Reply:
        """The whole answer, of at most *most* bytes, within so many *seconds*.

        :raises AnswerError: there is none.
        """
        return await self._whole(_Request(url), most, seconds, hold)

    async def post(
        self, url: str, body: bytes, fields: Mapping[str, str], most: int, seconds: float
    ) -> Reply:
        """The answer to *body*, which goes with the header *fields*. Bounds are as in `get`, but
        an answer that is too long or too slow has its status and no body.

        :raises AnswerError: there is none.
        """
        return await self._whole(_Request(url, b"POST", body, fields), most, seconds, _anything)

    async def _whole(self, request: "_Request", most: int, seconds: float, hold: Hold) -> Reply:
        meter = _Meter(most + most // 8 + HEAD)
        due = self.reactor.seconds() + seconds
        try:
            response = await self._ask(request, meter, seconds)
            body = _Collecting(most, hold)
            response.deliverBody(body)
            left = max(0.001, due - self.reactor.seconds())
            try:
                chunks = await body.done.addTimeout(left, self.reactor)
            except (AnswerError, TimeoutError):
                if request.body is None:
                    raise
                chunks = ()  # what was posted is there, and its status says what became of it
            return Reply(response.code, _fields(response), chunks)
        except _FAILURES as error:
            raise AnswerError(_why(error, seconds)) from error
        finally:
            meter.end()
            hold(0)

    async def open(self, url: str, most: int, seconds: float) -> Stream:
        """The beginning of an answer that may go on for ever.

        :param most: bytes that may come before `Stream.grant`.
        :raises AnswerError: it has not begun within so many *seconds*.
        """
        meter = _Meter(most + HEAD)
        try:
            response = await self._ask(_Request(url), meter, seconds)
        except _FAILURES as error:
            meter.end()
            raise AnswerError(_why(error, seconds)) from error
        return Stream(response.code, _fields(response), response=response, meter=meter)

    def _ask(self, request: "_Request", meter: _Meter, seconds: float) -> "Deferred[Any]":
        agent = Agent.usingEndpointFactory(self.reactor, _Endpoints(self, meter))
        headers = Headers({b"User-Agent": [b"camd"], b"Accept": [b"*/*"]})
        for name, value in request.fields.items():
            headers.setRawHeaders(name, [value])
        body = None if request.body is None else FileBodyProducer(BytesIO(request.body), Cooperator(
            scheduler=lambda work: self.reactor.callLater(0, work)))  # fmt: skip
        asked: Deferred[Any] = agent.request(
            request.method, request.url.encode("ascii"), headers, body
        )
        return asked.addTimeout(seconds, self.reactor)


def authorities(path: Path) -> Any:
    """What trusts exactly the certificates in a PEM file.

    :raises ValueError: there are none in it.
    :raises OSError: it cannot be read.
    """
    end = b"-----END CERTIFICATE-----"
    blocks = [block + end for block in path.read_bytes().split(end) if b"BEGIN" in block]
    if not blocks:
        raise ValueError(f"{path}: there is no certificate in it")
    try:
        return trustRootFromCertificates([Certificate.loadPEM(block) for block in blocks])
    except TlsError:
        raise ValueError(f"{path}: a certificate in it cannot be read") from None


def _fields(response: Any) -> Mapping[str, str]:
    return {
        name.decode("latin-1").lower(): values[0].decode("latin-1")
        for name, values in response.headers.getAllRawHeaders()
    }


def _why(error: BaseException, seconds: float) -> str:
    """What went wrong, in a few words."""
    reasons = getattr(error, "reasons", None)
    if reasons:
        return _why(reasons[-1].value, seconds)
    if isinstance(error, TimeoutError | CancelledError | ConnectingCancelledError):
        return f"it did not answer within {seconds:g} s"
    if isinstance(error, TlsError | VerificationError):
        return f"its certificate cannot be trusted, or TLS failed: {error}"
    if isinstance(error, ConnectionAborted):
        return "its answer is too long"  # by our own meter
    if not isinstance(error, ConnectError | ConnectionClosed | DNSLookupError):
        return "its answer is no HTTP"  # what it was instead is as long as it likes
    number = getattr(error, "osError", None)
    text = os.strerror(number) if isinstance(number, int) else str(error)
    text = text.rstrip(".") or type(error).__name__
    return f"it cannot be reached: {text}"
