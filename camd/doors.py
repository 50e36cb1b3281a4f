"""Endpoint strings made into open ports, and what is wrong with those that cannot be.

Knows Twisted's endpoints, and nothing of what is said behind them.
"""

import hashlib
import os
import re
import socket
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList, execute
from twisted.internet.endpoints import serverFromString, wrapServerTLS
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from zope.interface import implementer

BACKLOG = 1024
"""Boards that may wait while camd is busy; Twisted's own 50 is few after a power cut."""

_TCP = re.compile(r"(?:tcp|tcp4|tcp6|ssl):")


class DoorError(Exception):
    """A port cannot be opened; the text is one line for the operator."""


def endpoint(reactor: Any, description: str) -> IStreamServerEndpoint:
    """:raises DoorError: where *description* means nothing."""
    roomy = description
    if _TCP.match(description) and "backlog=" not in description:
        roomy = f"{description}:backlog={BACKLOG}"
    try:
        door: IStreamServerEndpoint = serverFromString(reactor, roomy)
        return door
    except Exception as error:
        raise DoorError(
            f"{description!r} is no endpoint that can be listened on: {error}"
        ) from error


def is_secure(description: str) -> bool:
    """Whether what is said through that endpoint is under TLS by the endpoint itself."""
    return re.search(r"(?:^|:)(?:ssl|tls|txacme|le)(?::|$)", description) is not None


@define(eq=False)
class Certificate:
    """What a TLS door shows; another one may be put in its place while the door is open.

    :ivar options: Twisted's `CertificateOptions`, or None where there is no such door.
    """

    options: Any = None

    def getContext(self) -> Any:
        """The OpenSSL context of the next connection."""
        return self.options.getContext()


def key(description: str) -> str:
    """A short name for an endpoint, the same in every process."""
    return hashlib.sha256(description.encode()).hexdigest()[:12]


@define(eq=False)
class Sockets:
    """What is listened on in all, whoever opened it.

    :ivar given: listening sockets that another process opened, by the `key` of their endpoint.
    :ivar ports: the open ones, each with its endpoint.
    """

    given: dict[str, list[int]] = field(factory=dict)
    ports: list[tuple[str, Any]] = field(factory=list)

    def through(self, reactor: Any, description: str) -> Any:
        """*reactor*, but that what listens by way of it is noted, and that a socket which was
        given is taken before a new one is opened."""
        return _Through(reactor, self, description)

    def take(self, description: str) -> int | None:
        """A socket that was given for that endpoint; the caller's to close."""
        fds = self.given.get(key(description))
        return fds.pop(0) if fds else None

    def opened(self) -> list[tuple[str, Any]]:
        """What is open now."""
        self.ports = [(text, port) for text, port in self.ports if not port.disconnected]
        return self.ports

    def keys(self) -> set[str]:
        """The keys of all that is open."""
        return {key(description) for description, _ in self.opened()}

    def close_given(self) -> None:
        """What nobody took is listened on no more."""
        for fds in self.given.values():
            for fd in fds:
                os.close(fd)
        self.given.clear()


class _Through:
    """A reactor that opens ports as `Sockets` has it."""

    def __init__(self, reactor: Any, sockets: Sockets, description: str) -> None:
        self._reactor = reactor
        self._sockets = sockets
        self._description = description

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def _adopted(self, factory: Any) -> Any:
        fd = self._sockets.take(self._description)
        if fd is None:
            return None
        try:
            os.set_blocking(fd, False)
            with socket.socket(fileno=os.dup(fd)) as known:
                family = known.family
            return self._noted(self._reactor.adoptStreamPort(fd, family, factory))
        finally:
            os.close(fd)

    def _noted(self, port: Any) -> Any:
        self._sockets.ports.append((self._description, port))
        return port

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        return self._adopted(factory) or self._noted(
            self._reactor.listenTCP(port, factory, backlog, interface)
        )

    def listenSSL(
        self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> Any:
        from twisted.protocols.tls import TLSMemoryBIOFactory

        return self.listenTCP(
            port, TLSMemoryBIOFactory(contextFactory, False, factory), backlog, interface
        )

    def listenUNIX(self, address: Any, factory: Any, *rest: Any, **more: Any) -> Any:
        return self._adopted(factory) or self._noted(
            self._reactor.listenUNIX(address, factory, *rest, **more)
        )

    def adoptStreamPort(self, fd: int, family: int, factory: Any) -> Any:
        return self._adopted(factory) or self._noted(
            self._reactor.adoptStreamPort(fd, family, factory)
        )


@implementer(IStreamServerEndpoint)
class _Given:
    """A socket that was given, for an endpoint that means nothing to this process."""

    def __init__(self, reactor: _Through) -> None:
        self._reactor = reactor

    def listen(self, factory: Any) -> "Deferred[IListeningPort]":
        return execute(self._reactor.adoptStreamPort, -1, -1, factory)


@define(eq=False)
class Doors:
    """Ports that are opened together and closed together."""

    reactor: Any
    sockets: Sockets = field(factory=Sockets)
    _ports: list[tuple[str, IListeningPort]] = field(factory=list)

    @property
    def open(self) -> tuple[tuple[str, IListeningPort], ...]:
        """What is listened on, each with the text that named it."""
        return tuple(self._ports)

    def listen(
        self, description: str, factory: IProtocolFactory, context: Any = None
    ) -> "Deferred[None]":
        """:param context: makes it TLS.
        Fails with `DoorError` in a line that names the port and what is in the way."""
        reactor = self.sockets.through(self.reactor, description)
        door: IStreamServerEndpoint
        if description.startswith("systemd:") and self.sockets.given.get(key(description)):
            door = _Given(reactor)
        else:
            door = endpoint(reactor, description)
        if context is not None:
            door = wrapServerTLS(context, door)

        def opened(port: IListeningPort) -> None:
            self._ports.append((description, port))

        def failed(failure: Any) -> None:
            error = failure.value
            if isinstance(error, CannotListenError):
                error = error.socketError
            why = getattr(error, "strerror", None) or str(error)
            raise DoorError(f"{description}: cannot listen: {why}") from None

        return door.listen(factory).addCallbacks(opened, failed)

    def close(self) -> "Deferred[Any]":
        """Fires when nobody can come in any more."""
        ports, self._ports = self._ports, []
        stopping = [d for _, port in ports if isinstance(d := port.stopListening(), Deferred)]
        return DeferredList(stopping)


def own_address() -> str:
    """The address by which boards of the same network most likely reach this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a datagram socket: nothing is sent
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def port_of(port: IListeningPort) -> int:
    """The number of an open TCP port, 0 where it has none."""
    return int(getattr(port.getHost(), "port", 0))


def host_of(port: IListeningPort) -> str:
    """The address by which boards reach an open TCP port."""
    host = str(getattr(port.getHost(), "host", ""))
    return own_address() if host in ("", "0.0.0.0", "::") else host
