"""The settings of camd's doors: where to listen, and what nobody gets more of there."""

# Defaults are immutable here, whatever call makes them.
# ruff: noqa: RUF009

from pathlib import Path
from typing import Annotated

from attrs import frozen

from camd.config.kinds import (
    DAY,
    KIB,
    MIB,
    MINUTE,
    Count,
    Endpoint,
    EndpointOrOff,
    HostName,
    Some,
    Span,
    setting,
)
from camd.config.rules import between, lasting
from camd.config.units import Bytes, Seconds


@frozen
class TlsConfig:
    """The door for cameras that speak TLS; shut until a certificate is named.

    :ivar certificate: a PEM file with the certificate and what signed it.
    :ivar key: a PEM file with its private key.
    :ivar listen: endpoints; none are ``tcp:8941`` once a certificate is named.
    """

    certificate: Path | None = None
    key: Path | None = None
    listen: tuple[Endpoint, ...] = setting((), restart=True)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """What to listen on, none without a certificate."""
        if self.certificate is None:
            return ()
        return self.listen or ("tcp:8941",)


@frozen
class WebConfig:
    """The page, the API and the live view; other than on loopback only with a password.

    :ivar listen: an endpoint, or ``off``.
    :ivar hosts: names by which browsers call this machine, besides those it knows itself.
    :ivar session: seconds for which somebody stays signed in.
    :ivar login_attempts: wrong passwords after which an address has to wait.
    :ivar login_within: seconds in which those are counted, and for which it waits.
    :ivar connections: connections of browsers and programs at most, in all.
    :ivar connections_per_address: the same from one address.
    :ivar body: bytes that come with a request at most.
    :ivar request: seconds for a whole request to come in.
    :ivar viewers: who may watch live at once, over all cameras.
    :ivar listeners: who may follow the events at once.
    :ivar fps: pictures a second at most that a viewer is shown, and a v2 board asked for.
    :ivar stale: seconds without a picture after which viewers are told so.
    :ivar threads: threads that read files and make thumbnails.
    :ivar waiting: thumbnails that wait to be made at most.
    :ivar thumbs_max: bytes that thumbnails may take on the disk; 0 keeps none.
    :ivar telemetry_step: seconds between two measurements that are remembered.
    :ivar telemetry_samples: measurements that are remembered of a camera.
    :ivar telemetry_cameras: cameras of which any are remembered.
    """

    listen: EndpointOrOff = setting("tcp:8942:interface=127.0.0.1", restart=True, flag="--web")
    hosts: tuple[HostName, ...] = ()
    session: Annotated[Seconds, lasting(Seconds(MINUTE))] = Seconds(30 * DAY)
    login_attempts: Some = 10
    login_within: Span = Seconds(MINUTE)
    connections: Some = 1024
    connections_per_address: Some = 512
    body: Annotated[Bytes, between(1024, 16 * MIB)] = Bytes(256 * KIB)
    request: Span = Seconds(20.0)
    viewers: Count = 256
    listeners: Count = 256
    fps: Annotated[int, between(1, 60)] = setting(10, restart=True)
    stale: Span = Seconds(5.0)
    threads: Annotated[int, between(1, 16)] = setting(2, restart=True)
    waiting: Some = 256
    thumbs_max: Bytes = Bytes(256 * MIB)
    telemetry_step: Seconds = Seconds(5 * MINUTE)
    telemetry_samples: Annotated[int, between(1, 10_000)] = 288
    telemetry_cameras: Count = 1000


@frozen
class UploadConfig:
    """The door for photos that come by HTTP; shut until it is told where to listen.

    :ivar listen: an endpoint, or ``off``.
    :ivar max: bytes of an uploaded photo at most.
    :ivar connections: connections that upload at most, in all.
    :ivar connections_per_address: the same from one address.
    :ivar request: seconds for a whole upload to come in.
    :ivar idle: seconds for which a connection that asks nothing is kept.
    """

    listen: EndpointOrOff = setting("off", restart=True, flag="--upload")
    max: Annotated[Bytes, between(64 * KIB, 2**30)] = Bytes(4 * MIB)
    connections: Some = 1024
    connections_per_address: Some = 256
    request: Span = Seconds(2 * MINUTE)
    idle: Span = Seconds(15.0)


@frozen
class PullConfig:
    """How boards are asked that answer by HTTP; which ones is said in each ``[[camera]]``.

    :ivar interval: seconds between two photos of a board, where it has no interval of its own.
    :ivar answer: seconds for a board's whole answer.
    :ivar silence: seconds without a picture after which a stream is given up.
    :ivar retry: seconds until a board that failed is asked again; doubles each time.
    :ivar retry_most: the longest that becomes.
    :ivar check: seconds between two looks whether a board still has the settings it is to have.
    :ivar ca: a PEM file of authorities that https boards are verified by; None is the system's.
    """

    interval: Span = Seconds(10.0)
    answer: Span = Seconds(20.0)
    silence: Span = Seconds(10.0)
    retry: Span = Seconds(2.0)
    retry_most: Span = Seconds(5 * MINUTE)
    check: Span = Seconds(10 * MINUTE)
    ca: Path | None = setting(None, restart=True)


@frozen
class ManholeConfig:
    """A Python prompt over SSH; shut until keys are named.

    :ivar listen: an endpoint, or ``off``.
    :ivar authorized_keys: a file of public keys, as OpenSSH writes it.
    :ivar host_key: the server's own key; None lies in the store.
    """

    listen: EndpointOrOff = setting("tcp:8943:interface=127.0.0.1", restart=True, flag="--manhole")
    authorized_keys: Path | None = setting(None, restart=True)
    host_key: Path | None = setting(None, restart=True)

    @property
    def endpoint(self) -> str | None:
        """What to listen on, or None where the manhole is shut."""
        return None if self.listen == "off" or self.authorized_keys is None else self.listen
