"""Endpoint strings made into open ports, and what is wrong with those that cannot be.

Knows Twisted's endpoints, and nothing of what is said behind them.
"""

import re
import socket
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import serverFromString, wrapServerTLS
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint

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
        ) from None


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


@define(eq=False)
class Doors:
    """Ports that are opened together and closed together."""

    reactor: Any
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
        door = endpoint(self.reactor, description)
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
