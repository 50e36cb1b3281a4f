"""A publisher with a fleet and news, and those that it tells: receivers of hooks, a mail server,
a broker."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from attrs import define, evolve, field
from twisted.internet import reactor as _reactor
from twisted.internet import tcp
from twisted.internet.defer import Deferred, succeed
from twisted.mail import smtp
from twisted.trial.unittest import TestCase
from twisted.web.http import HTTPChannel, HTTPFactory, Request

from camd.config import Config, Seconds
from camd.config.telling import PublishConfig
from camd.findings import Box, Detection, Findings
from camd.fleet import Camera, Fleet
from camd.news import News
from camd.photo import Boot, CameraId, Door, Receipt
from camd.publish import Publisher
from camd.store.entry import Entry
from tests.e2e_daemon import until
from tests.patience import true
from tests.tools import tool

reactor: Any = _reactor
TRAP = CameraId("trap")
BOOT = Boot("00c0ffee00c0ffee")
NOW = 1_786_832_103.0
QUICK = PublishConfig(
    retry=Seconds(0.02), retry_most=Seconds(0.1), tries=5, look=Seconds(1.0),
    url="https://cameras.example.org",
)  # fmt: skip


async def hung_up(port: int) -> None:
    """Ends what is connected to that port, from either side, and waits until it has."""

    def there() -> list[tcp.Connection]:
        connections = (each for each in reactor.getReaders() if isinstance(each, tcp.Connection))
        return [
            each for each in connections
            if port in (each.getHost().port, each.getPeer().port)
        ]  # fmt: skip

    for connection in there():
        connection.abortConnection()
    await true(lambda: not there(), why="it stays connected")


def receipt(seq: int = 1, camera: CameraId = TRAP, path: str = "trap/x.jpg") -> Receipt:
    return Receipt(camera, BOOT, seq, 1234, 5, 640, 480, path, NOW, NOW, Door.V2)


def findings(*labels: str, fresh: bool = True) -> Findings:
    """Findings of a model: so many things, of these classes."""
    found = tuple(Detection(each, 0.9, Box(0.1, 0.1, 0.2, 0.2), fresh) for each in labels)
    return Findings(model="pests", looked_ms=1, detections=found, valid=found)


@define
class Folder:
    """A store, as far as a publisher looks at it.

    :ivar newest: what its catalog has.
    """

    root: Path
    newest: Entry | None = None

    @property
    def own(self) -> Path:
        return self.root / ".camd"

    def ask(self, work: Callable[[Any], Any]) -> "Deferred[Any]":
        return succeed(work(self))

    def latest(self, camera: CameraId) -> Entry | None:
        return self.newest


class PublishCase(TestCase):
    """Tests with publishers, none of which outlives its test."""

    def setUp(self) -> None:
        self.folder = Folder(Path(self.mktemp()).absolute())
        self.folder.own.mkdir(parents=True)
        self.config = Config(publish=QUICK)
        self.publishers: list[Publisher] = []
        self.addCleanup(lambda: [each.stop() for each in self.publishers])

    def publisher(self, **changes: Any) -> Publisher:
        """One that has started; *changes*: to the configuration."""
        self.config = evolve(self.config, **changes)
        news = News(time.time)
        fleet = Fleet(lambda: self.config, news, time.time)
        made = Publisher(
            lambda: self.config, self.folder, fleet, news, reactor, time.time,  # type: ignore[arg-type]
            chance=lambda: 1.0,
        )  # fmt: skip
        made.prepare()
        made.start()
        self.publishers.append(made)
        return made

    async def begun(self, publisher: Publisher) -> None:
        """It knows what was remembered."""
        await true(lambda: publisher._memory is not None, why="it has begun")

    def camera(self, publisher: Publisher, id: CameraId = TRAP, **known: Any) -> Camera:
        camera = publisher.fleet.camera(id)
        for name, value in {"last_photo": time.time(), "protocol": "v2", **known}.items():
            setattr(camera, name, value)
        return camera


# ---- a receiver of hooks


@define
class Post:
    """What came."""

    path: str
    fields: Mapping[str, str]
    body: bytes
    when: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@define(eq=False)
class Receiver:
    """Takes what is posted to it, and answers as it is told.

    :ivar answers: statuses for the next requests, or what is done with one; then 204.
    """

    posts: list[Post] = field(factory=list)
    answers: list[int | Callable[[Request], None]] = field(factory=list)
    fields: dict[str, str] = field(factory=dict)
    _port: Any = None

    def open(self, case: TestCase, context: Any = None) -> "Receiver":
        receiver = self

        class Taken(Request):
            def process(self) -> None:
                receiver.took(self)

        class Connection(HTTPChannel):
            requestFactory = Taken  # noqa: N815 - Twisted's name

        factory: Any = HTTPFactory(reactor=reactor)
        factory.protocol = Connection
        factory.log = lambda request: None
        factory.noisy = False
        if context is None:
            self._port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        else:
            self._port = reactor.listenSSL(0, factory, context, interface="127.0.0.1")
        case.addCleanup(self._port.stopListening)
        return self

    @property
    def port(self) -> int:
        return int(self._port.getHost().port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def took(self, request: Request) -> None:
        fields = {
            name.decode().lower(): values[0].decode()
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        assert isinstance(request.content, BytesIO)
        body = request.content.read()
        self.posts.append(Post(request.path.decode(), fields, body, time.time()))
        answer = self.answers.pop(0) if self.answers else 204
        if callable(answer):
            answer(request)
            return
        for name, value in self.fields.items():
            request.setHeader(name.encode(), value.encode())
        request.setResponseCode(answer)
        request.finish()


# ---- a mail server


@define(eq=False)
class Mailbox:
    """An SMTP server that keeps what it is given.

    :ivar mails: sender, recipient and text. *refuse*: with these codes, one each.
    :ivar strangers: for whom it takes nothing.
    """

    mails: list[tuple[str, str, str]] = field(factory=list)
    refuse: list[int] = field(factory=list)
    strangers: list[str] = field(factory=list)
    _port: Any = None

    def open(self, case: TestCase, tls: Any = None, at_once: bool = False) -> "Mailbox":
        """*tls*: a context to offer STARTTLS with, or to begin with where *at_once*."""
        box = self

        class Message:
            def __init__(self, sender: str, to: str) -> None:
                self.sender, self.to, self.lines = sender, to, []  # type: ignore[var-annotated]

            def lineReceived(self, line: bytes) -> None:
                self.lines.append(line.decode())

            def eomReceived(self) -> "Deferred[bytes]":
                done: Deferred[bytes] = Deferred()
                if box.refuse:
                    done.errback(smtp.SMTPServerError(box.refuse.pop(0), b"not now"))
                else:
                    box.mails.append((self.sender, self.to, "\n".join(self.lines)))
                    done.callback(b"taken")
                return done

            def connectionLost(self) -> None:
                pass

        class Delivery:
            def receivedHeader(self, helo: Any, origin: Any, recipients: Any) -> bytes:
                return b"Received: by the test"

            def validateFrom(self, helo: Any, origin: Any) -> Any:
                self.origin = origin
                return origin

            def validateTo(self, user: Any) -> Any:
                if str(user.dest) in box.strangers:
                    raise smtp.SMTPBadRcpt(user)
                return lambda: Message(str(self.origin), str(user.dest))

        def protocol() -> Any:
            made = smtp.ESMTP(contextFactory=None if at_once else tls)
            made.delivery = Delivery()
            made.host = b"localhost"
            return made

        factory: Any = smtp.SMTPFactory()
        factory.buildProtocol = lambda address: protocol()
        factory.noisy = False
        if tls is not None and at_once:
            self._port = reactor.listenSSL(0, factory, tls, interface="127.0.0.1")
        else:
            self._port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        number = self.port
        case.addCleanup(lambda: Deferred.fromCoroutine(hung_up(number)))
        case.addCleanup(self._port.stopListening)
        case.addCleanup(case.flushLoggedErrors, smtp.SMTPServerError)
        return self

    @property
    def port(self) -> int:
        return int(self._port.getHost().port)


# ---- a broker


class Mosquitto:
    """Debian's own, on a port of the system's choice, with the password ``secret`` of ``camd``."""

    def __init__(self, tls: tuple[str, str] | None = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="camd-broker-"))
        self.directory.chmod(0o755)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        passwords = self.directory / "passwords"
        subprocess.run(
            [tool("mosquitto_passwd", "mosquitto"), "-b", "-c", str(passwords), "camd", "secret"],
            check=True, capture_output=True,
        )  # fmt: skip
        passwords.chmod(0o644)
        lines = [
            f"listener {self.port} 127.0.0.1", "allow_anonymous false",
            f"password_file {passwords}", "persistence false", "log_type all",
            *(["user root"] if os.geteuid() == 0 else []),
        ]  # fmt: skip
        if tls is not None:
            lines += [f"certfile {tls[0]}", f"keyfile {tls[1]}"]
        (self.directory / "conf").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Mosquitto":
        log = (self.directory / "log").open("ab")
        self._process = subprocess.Popen(
            [tool("mosquitto", "mosquitto"), "-c", str(self.directory / "conf")],
            stdout=log, stderr=log,
        )  # fmt: skip
        log.close()
        until(self._listens, 10, "mosquitto listens")
        return self

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.directory)


class Listener:
    """A client of a broker that hears everything, in a thread of its own.

    :ivar said: all messages, in order. *kept*: the retained ones that there would be now.
    """

    def __init__(self, port: int, ca: str | None = None) -> None:
        from paho.mqtt import client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        self.said: list[tuple[str, bytes]] = []
        self.kept: dict[str, bytes] = {}
        self.events: list[tuple[str, Any]] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.username_pw_set("camd", "secret")
        if ca is not None:
            self._client.tls_set(ca)
        self._there = False
        self._client.on_message = self._heard
        self._client.on_subscribe = lambda *_: setattr(self, "_there", True)
        self._client.connect("localhost" if ca else "127.0.0.1", port)
        self._client.subscribe("#", options=paho.SubscribeOptions(qos=1, retainAsPublished=True))
        self._client.loop_start()
        until(lambda: self._there, 10, "it has subscribed")

    def _heard(self, client: Any, data: Any, message: Any) -> None:
        topic, payload = message.topic, bytes(message.payload)
        self.said.append((topic, payload))
        if not message.retain:
            if topic.endswith("/event"):
                self.events.append((topic, json.loads(payload)))
        elif payload:
            self.kept[topic] = payload
        else:
            self.kept.pop(topic, None)

    def json(self, topic: str) -> Any:
        return json.loads(self.kept[topic])

    def say(self, topic: str, payload: str, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(5)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
