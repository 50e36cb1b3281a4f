"""Boards that answer by HTTP as the stock CameraWebServer, its fork and ESPHome do: real servers on
loopback, with pictures that are made up and cost nothing."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL.crypto import X509, PKey
from twisted.internet import reactor as _reactor
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.ssl import CertificateOptions

from camd.pull.framesize import NUMBERINGS, Size
from tests.streams import EOI, SCAN, SOI, SOS, frame_header, segment

reactor: Any = _reactor

BOUNDARY = "123456789000000000000987654321"
RANGES = {
    "quality": (0, 63),
    "brightness": (-2, 2),
    "hmirror": (0, 1),
    "vflip": (0, 1),
    "led_intensity": (0, 255),
    "lamp": (0, 100),
}


def picture(size: Size, number: int) -> bytes:
    """A small JPEG of that size, another for each *number*."""
    comment = segment(0xFE, b"frame %d" % number)
    return b"".join((SOI, comment, frame_header(*size), SOS, SCAN, EOI))


class _Connection(Protocol):
    """One connection of a board's server."""

    transport: Any

    def __init__(self, board: "FakeBoard", stream: bool) -> None:
        self.board = board
        self.stream = stream
        self.following = False
        self._data = b""

    def connectionMade(self) -> None:
        self.board.connections.add(self)

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, self._data = self._data.partition(b"\r\n\r\n")
            self.board.asked(self, head.split()[1].decode())

    def connectionLost(self, reason: Any = None) -> None:
        self.board.connections.discard(self)
        self.board.viewers.discard(self)

    def answer(self, status: int, kind: str, body: bytes, **fields: str) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        self.transport.write("\r\n".join((*lines, "", "")).encode() + body)

    def chunk(self, data: bytes) -> None:
        self.transport.write(b"%x\r\n%s\r\n" % (len(data), data))


class _Server(ServerFactory):
    noisy = False

    def __init__(self, board: "FakeBoard", stream: bool) -> None:
        self.board = board
        self.stream = stream

    def buildProtocol(self, addr: Any) -> Protocol:
        return _Connection(self.board, self.stream)


@define(eq=False)
class FakeBoard:
    """A board.

    :ivar kind: stock, easytarget, esphome-stream or esphome-still.
    :ivar numbering: which of `NUMBERINGS` its driver has.
    :ivar buffer: the size at its start, above which it has no picture to give.
    :ivar buffers: with one, a still is the picture taken after the one before.
    :ivar fps: of its stream.
    :ivar asked_for: every path, in order. *numbers*: every framesize that it was sent.
    :ivar opened: how often its stream was begun.
    :ivar make: its pictures.
    """

    kind: str = "stock"
    numbering: int = 2
    start: Size = (640, 480)
    buffer: Size = (1600, 1200)
    buffers: int = 2
    fps: float = 40.0
    stamps: bool = True
    context: Any = None
    make: Callable[[Size, int], bytes] = picture
    refused: set[str] = field(factory=set)
    asked_for: list[str] = field(factory=list)
    numbers: list[int] = field(factory=list)
    opened: int = 0
    frames: int = 0
    reboots: int = 0
    silent: bool = False
    settings: dict[str, int] = field(factory=dict)
    connections: set[_Connection] = field(factory=set)
    viewers: set[_Connection] = field(factory=set)
    port: int = 0
    _ports: list[Any] = field(factory=list)
    _started: float = 0.0
    _held: tuple[bytes, float] | None = None

    # ---- life

    def listen(self) -> "FakeBoard":
        """It is there: on a port of the system's choice, its stream on the next one."""
        self._power_on(100.0)
        for _ in range(50):
            try:
                one = self._listen(self.port, False)
                self.port = one.getHost().port
                self._ports = [one]
                if not self.kind.startswith("esphome"):
                    self._ports.append(self._listen(self.port + 1, True))
                return self
            except CannotListenError:
                for port in self._ports:
                    port.stopListening()
                self.port = 0
        raise AssertionError("no two ports in a row are free")

    def _listen(self, number: int, stream: bool) -> Any:
        server = _Server(self, stream)
        if self.context is not None:
            return reactor.listenSSL(number, server, self.context, interface="127.0.0.1")
        return reactor.listenTCP(number, server, interface="127.0.0.1")

    @property
    def url(self) -> str:
        return f"http{'s' if self.context is not None else ''}://127.0.0.1:{self.port}"

    def _power_on(self, since: float) -> None:
        self._started = reactor.seconds() - since
        number = self.number_of(self.start)
        self.settings = {"framesize": number, "quality": 10, "brightness": 0, "hmirror": 0}
        self.settings |= {"vflip": 0}
        self.settings |= {"lamp": 0} if self.kind == "easytarget" else {"led_intensity": 0}
        self._held = None

    def reboot(self) -> None:
        """The power goes and comes back."""
        self.reboots += 1
        self.cut()
        self._power_on(0.5)

    def cut(self) -> None:
        for connection in tuple(self.connections):
            connection.transport.abortConnection()

    def close(self) -> None:
        """It is gone."""
        self.cut()
        for port in self._ports:
            port.stopListening()
        self._ports.clear()

    # ---- what it has

    @property
    def table(self) -> Mapping[int, Size]:
        return NUMBERINGS[self.numbering]

    def number_of(self, size: Size) -> int:
        return next(number for number, each in self.table.items() if each == size)

    @property
    def size(self) -> Size:
        return self.table[self.settings["framesize"]]

    @property
    def clock(self) -> float:
        return float(reactor.seconds()) - self._started

    def _take(self) -> tuple[bytes, float] | None:
        if self.size[0] * self.size[1] > self.buffer[0] * self.buffer[1]:
            return None
        self.frames += 1
        return self.make(self.size, self.frames), self.clock

    def _capture(self) -> tuple[bytes, float] | None:
        if self.buffers > 1:
            return self._take()
        given, self._held = self._held or self._take(), None
        self._held = self._take()
        return given

    # ---- what it is asked

    def asked(self, connection: _Connection, target: str) -> None:
        self.asked_for.append(target)
        parts = urlsplit(target)
        if self.silent:
            return
        if connection.stream:
            wanted = "/stream" if self.kind == "stock" else "/"
            if parts.path == wanted:
                self._stream(connection)
            else:
                connection.answer(404, "text/html", b"This URI does not exist")
        elif self.kind == "esphome-stream" and parts.path == "/":
            self._stream(connection)
        elif parts.path == ("/" if self.kind == "esphome-still" else "/capture"):
            self._still(connection)
        elif self.kind.startswith("esphome"):
            connection.answer(404, "text/html", b"Nothing matches the given URI")
        elif parts.path == "/status":
            status: dict[str, Any] = {**self.settings, "xclk": 20, "pixformat": 4}
            if self.kind == "stock":
                del status["vflip"]
            else:
                status["cam_name"] = "a fork"
            connection.answer(200, "application/json", json.dumps(status).encode())
        elif parts.path == "/control":
            self._control(connection, parse_qs(parts.query))
        else:
            connection.answer(404, "text/html", b"This URI does not exist")

    def _still(self, connection: _Connection) -> None:
        taken = self._capture()
        if taken is None:
            connection.answer(500, "text/html", b"")
        elif self.stamps and self.kind == "stock":
            connection.answer(200, "image/jpeg", taken[0], X_Timestamp=f"{taken[1]:.6f}")
        else:
            connection.answer(200, "image/jpeg", taken[0])

    def _control(self, connection: _Connection, query: Mapping[str, list[str]]) -> None:
        name, value = query.get("var", [""])[0], query.get("val", [""])[0]
        if not name or not value:
            connection.answer(404, "text/html", b"")
            return
        number = int(value)
        if name == "framesize":
            self.numbers.append(number)
        elif (
            name not in RANGES
            or name in self.refused
            or name not in self.settings
            or not RANGES[name][0] <= number <= RANGES[name][1]
        ):
            connection.answer(500, "text/html", b"")
            return
        self.settings[name] = number
        connection.answer(200, "text/html", b"")

    # ---- its stream

    def _stream(self, connection: _Connection) -> None:
        if self.viewers:
            return  # it serves one; another is never answered
        self.opened += 1
        self.viewers.add(connection)
        connection.transport.write(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: "
            b"multipart/x-mixed-replace;boundary=%s\r\n\r\n" % BOUNDARY.encode()
        )
        self._part(connection)

    def _part(self, connection: _Connection) -> None:
        if connection not in self.viewers:
            return
        taken = None if self.silent else self._take()
        if taken is not None:
            data, stamp = taken
            boundary = f"\r\n--{BOUNDARY}\r\n".encode()
            head = f"Content-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n"
            if self.kind == "stock" and self.stamps:
                head += f"X-Timestamp: {stamp:.6f}\r\n"
            if self.kind != "easytarget":
                connection.chunk(boundary)
            connection.chunk(head.encode() + b"\r\n")
            connection.chunk(data)
            if self.kind == "easytarget":
                connection.chunk(boundary)
        reactor.callLater(1 / self.fps, self._part, connection)


def certificates(directory: Path) -> tuple[Any, Any]:
    """Server contexts for 127.0.0.1 and for another name, both of the authority in *directory*."""
    now = datetime.now(UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a farm")])

    def builder(name: x509.Name, key: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(ca_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )

    ca = builder(ca_name, ca_key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    signed = ca.sign(ca_key, hashes.SHA256())
    (directory / "ca.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def context(name: x509.GeneralName) -> Any:
        key = ec.generate_private_key(ec.SECP256R1())
        board = builder(x509.Name([]), key).add_extension(
            x509.SubjectAlternativeName([name]), critical=False
        )
        certificate = board.sign(ca_key, hashes.SHA256())
        return CertificateOptions(
            privateKey=PKey.from_cryptography_key(key),
            certificate=X509.from_cryptography(certificate),
        )

    return context(x509.IPAddress(ip_address("127.0.0.1"))), context(x509.DNSName("else.example"))
