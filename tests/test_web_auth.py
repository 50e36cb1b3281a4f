"""Nobody comes in who should not, and nobody who comes in is made to do what he did not ask for."""

import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.test.requesthelper import DummyChannel

from camd.access import AccessError, May, Password, Tokens
from camd.config import Config
from camd.config.doors import WebConfig
from camd.private import write_private
from camd.store.folders import OWN
from camd.web import auth
from camd.web.answers import Answer
from camd.web.auth import Wrongs
from camd.web.server import IDLE, Request, Site
from camd.workers import Workers
from tests.e2e_daemon import until
from tests.patience import true
from tests.web_client import BOOT, Client, WebCase, port_of

PASSWORD = "a sticky yellow card"


class AccessTests(SynchronousTestCase):
    """The password and the tokens on the disk."""

    def directory(self) -> Path:
        path = Path(self.mktemp())
        path.mkdir(parents=True)
        return path

    def test_password(self) -> None:
        """Only the password fits, and it is nowhere on the disk."""
        password = Password(self.directory())
        self.assertIsNone(password.stamp())
        self.assertFalse(password.fits(""))
        password.set(PASSWORD)
        self.assertTrue(password.fits(PASSWORD))
        for wrong in ("", PASSWORD[:-1], PASSWORD + " ", "\ud800"):
            self.assertFalse(password.fits(wrong))
        self.assertNotIn(PASSWORD.encode(), password.path.read_bytes())
        self.assertEqual(password.path.stat().st_mode & 0o777, 0o600)
        self.assertTrue(password.remove())
        self.assertIsNone(password.stamp())

    def test_bad_passwords(self) -> None:
        password = Password(self.directory())
        for bad in ("", "short", "x" * 2000, "\ud800" * 10):
            self.assertRaises(AccessError, password.set, bad)

    def test_a_file_of_no_use(self) -> None:
        """A password file that makes no sense is a password that nobody knows."""
        password = Password(self.directory())
        for text in ("", "scrypt\n", f"scrypt 1073741824 8 1 {'0' * 32} {'0' * 64}\n"):
            password.path.write_text(text)
            self.assertIsNotNone(password.stamp())
            self.assertFalse(password.fits(""))

    def test_tokens(self) -> None:
        """A token is found by itself only, and kept as its digest."""
        tokens = Tokens(self.directory())
        secret = tokens.add("grafana", [May.READ])
        other = tokens.add("robot", [May.CONTROL, May.UPLOAD])
        found = tokens.find(secret)
        assert found is not None
        self.assertEqual((found.name, found.may), ("grafana", {May.READ}))
        for wrong in ("", secret[:-1], secret + "0", found.digest, "camd_" + "0" * 64):
            self.assertIsNone(tokens.find(wrong))
        text = tokens.path.read_text()
        self.assertNotIn(secret, text)
        self.assertNotIn(other[5:], text)
        self.assertRaises(AccessError, tokens.add, "robot", [May.READ])
        self.assertRaises(AccessError, tokens.add, "a b", [May.READ])
        self.assertRaises(AccessError, tokens.add, "new", [])
        tokens.remove("grafana")
        self.assertIsNone(tokens.find(secret))
        self.assertIsNotNone(tokens.find(other))
        self.assertRaises(AccessError, tokens.remove, "grafana")

    def test_wrongs(self) -> None:
        """So many wrong passwords of an address within the time, and it waits for as long."""
        now = 1000.0
        config = Config(web=WebConfig(login_attempts=3, login_within=60.0))  # type: ignore[arg-type]
        wrongs = Wrongs(lambda: config, lambda: now)
        for _ in range(3):
            self.assertEqual(wrongs.wait("192.0.2.1"), 0)
            wrongs.tried("192.0.2.1")
        self.assertEqual(wrongs.wait("192.0.2.1"), 60)
        self.assertEqual(wrongs.wait("192.0.2.2"), 0)
        now += 61
        self.assertEqual(wrongs.wait("192.0.2.1"), 0)
        for host in range(30):
            wrongs.tried(f"192.0.2.{host}")
        self.assertGreater(wrongs.wait("192.0.2.200"), 0)


class SigningOutTests(SynchronousTestCase):
    """The list of the sessions that are over."""

    def test_in_a_thread(self) -> None:
        """It is written by nobody who has other things to do, one after the other, and the last
        one holds all."""
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)
        calls: SimpleQueue[Callable[[], object]] = SimpleQueue()
        workers = Workers("proofs", 2, lambda: 10, calls.put)
        self.addCleanup(workers.stop, 30.0)
        writers: list[str] = []

        def noted(*arguments: Any, **options: Any) -> None:
            writers.append(threading.current_thread().name)
            write_private(*arguments, **options)

        self.patch(auth, "write_private", noted)
        guard = auth.Guard(directory, Config, time.time, workers, workers)
        ended = [
            Deferred.fromCoroutine(guard.end(Request(DummyChannel()), auth.Who(frozenset(), name)))
            for name in ("one", "two")
        ]
        for each in ended:
            calls.get(timeout=60)()
            self.assertIsNone(self.successResultOf(each))
        self.assertNotIn(threading.current_thread().name, writers)
        lines = (directory / auth.ENDED_FILE).read_text().splitlines()
        self.assertEqual([line.split()[1] for line in lines], ["one", "two"])

    def test_too_much_waits(self) -> None:
        """Where nobody can write it, the session is over all the same."""
        workers = Workers("proofs", 1, lambda: 0, lambda call: None)
        guard = auth.Guard(Path(self.mktemp()), Config, time.time, workers, workers)
        who = auth.Who(frozenset(), "one", None, None)
        self.successResultOf(Deferred.fromCoroutine(guard.end(Request(DummyChannel()), who)))
        self.assertFalse(guard.still(who))


class PasswordTests(WebCase):
    """A page with a password."""

    def test_signing_in(self) -> None:
        """Without the password nothing is shown; with it all is."""
        daemon, client = self.web(password=PASSWORD)
        session = client.get("/api/v1/session").json
        self.assertEqual((session["password"], session["signed_in"]), (True, False))
        self.assertIsNone(session["token"])
        for path in ("/api/v1/cameras", "/events", "/metrics", "/cameras/a/live.mjpeg",
                     "/api/v1/photos", "/api/v1/stats", "/cameras/a/latest.jpg"):  # fmt: skip
            self.assertEqual(client.get(path).status, 401, path)
        for path in ("/", "/healthz", "/readyz", "/api/v1/openapi.json"):
            self.assertEqual(client.get(path).status, 200, path)
        reply = client.ask("POST", "/login", {"password": PASSWORD})
        cookie = reply.headers["set-cookie"]
        self.assertIn("HttpOnly", cookie)
        self.assertIn("samesite=strict", cookie.lower())
        self.assertNotIn("secure", cookie.lower())
        self.assertEqual(client.get("/api/v1/cameras").status, 200)
        self.assertNotIn(PASSWORD, daemon.said)

    def test_wrong_passwords_are_limited(self) -> None:
        """After so many the right one is not listened to either."""
        _, client = self.web("[web]\nlogin_attempts = 3\n", password=PASSWORD)
        for _ in range(3):
            reply = client.ask("POST", "/login", {"password": "wrong"})
            self.held("POST", "/login", reply, 403)
        reply = client.ask("POST", "/login", {"password": PASSWORD})
        self.held("POST", "/login", reply, 429)
        self.assertGreater(int(reply.headers["retry-after"]), 0)
        self.assertEqual(client.get("/api/v1/cameras").status, 401)

    def test_signing_out(self) -> None:
        """The session is over, for whoever has its cookie, over a restart."""
        daemon, client = self.web(password=PASSWORD)
        client.sign_in(PASSWORD)
        stolen = Client(client.port, client.cookie, client.token)
        self.assertEqual(client.ask("POST", "/logout").status, 204)
        self.assertEqual(stolen.get("/api/v1/cameras").status, 401)
        daemon.stop()
        daemon.start()
        again = Client(port_of(daemon), stolen.cookie, stolen.token)
        self.assertEqual(again.get("/api/v1/cameras").status, 401)

    def test_another_password(self) -> None:
        """Whoever was signed in is not any more, and what he listens to ends."""
        daemon, client = self.web(password=PASSWORD)
        client.sign_in(PASSWORD)
        Password(daemon.store / OWN).set("another one, then")
        self.assertEqual(client.get("/api/v1/cameras").status, 401)
        self.assertEqual(client.ask("POST", "/login", {"password": PASSWORD}).status, 403)
        self.assertEqual(client.sign_in("another one, then").get("/api/v1/cameras").status, 200)

    def test_password_taken_away(self) -> None:
        """A door that others can reach opens to nobody by that, and goes by the next password."""
        daemon, client = self.web(password=PASSWORD, web="tcp:0")
        client.sign_in(PASSWORD)
        program = {"Authorization": f"Bearer {Tokens(daemon.store / OWN).add('x', [May.READ])}"}
        Password(daemon.store / OWN).remove()
        for each in (client, Client(client.port)):
            self.assertEqual(each.get("/api/v1/cameras").status, 401)
        session = client.get("/api/v1/session").json
        self.assertEqual((session["password"], session["signed_in"]), (True, False))
        for password in ("", PASSWORD):
            self.assertEqual(client.ask("POST", "/login", {"password": password}).status, 403)
        self.assertEqual(client.ask("GET", "/api/v1/cameras", None, program).status, 200)
        Password(daemon.store / OWN).set("another one, then")
        self.assertEqual(client.sign_in("another one, then").get("/api/v1/cameras").status, 200)

    def test_made_up_cookies(self) -> None:
        """A cookie that was not given out is none."""
        _, client = self.web(password=PASSWORD)
        other = Client(client.port).sign_in(PASSWORD)
        name, _, value = other.cookie.partition("=")
        for wrong in ("", "x", value[:-1], value + "A", "a" + value, "." * 9, "x" * 5000):
            reply = client.get("/api/v1/cameras", Cookie=f"{name}={wrong}")
            self.assertEqual(reply.status, 401, wrong[:20])

    def test_programs(self) -> None:
        """A token is for what it was made for."""
        daemon, client = self.web(password=PASSWORD)
        self.fill(daemon)
        tokens = Tokens(daemon.store / OWN)
        read, control, upload = (
            {"Authorization": f"Bearer {tokens.add(right.value, [right])}"} for right in May
        )
        photo = f"/api/v1/photos/trap-1~{BOOT}-1"
        for headers, get, patch in ((read, 200, 403), (control, 200, 200), (upload, 403, 403)):
            self.assertEqual(client.ask("GET", photo, None, headers).status, get)
            self.assertEqual(client.ask("PATCH", photo, {"starred": True}, headers).status, patch)
        wrong = {"Authorization": "Bearer camd_" + "0" * 64}
        self.assertEqual(client.ask("GET", photo, None, wrong).status, 401)
        tokens.remove("control")
        self.assertEqual(client.ask("GET", photo, None, control).status, 401)

    def test_a_session_that_ends_ends_its_stream(self) -> None:
        """Live view goes no further than the session."""
        daemon, client = self.web(password=PASSWORD)
        self.fill(daemon, photos=1)
        client.sign_in(PASSWORD)
        connection, answer = client.stream("/cameras/trap-1/live.mjpeg")
        self.addCleanup(connection.close)
        self.assertEqual(answer.status, 200)
        answer.read(100)
        client.ask("POST", "/logout")
        connection.sock = None
        begun = time.monotonic()
        while answer.read(65_536):
            self.assertLess(time.monotonic() - begun, 10)


class _Full(StringTransport):
    """A connection that takes 64 KiB before it is full."""

    def write(self, data: bytes) -> None:
        super().write(data)
        if len(self.value()) > 65_536 and self.producer is not None:
            self.producer.pauseProducing()

    def read(self) -> bytes:
        """The other side has read what there is."""
        data = self.value()
        self.clear()
        assert self.producer is not None
        self.producer.resumeProducing()
        return data


class _Slow(StringTransport):
    """A connection whose other side takes a little now and then, full with 64 KiB as Twisted's."""

    full = False

    def write(self, data: bytes) -> None:
        super().write(data)
        if len(self.value()) > 65_536 and not self.full and self.producer is not None:
            self.full = True
            self.producer.pauseProducing()

    def take(self, size: int) -> bytes:
        data = self.value()
        self.clear()
        self.io.write(data[size:])
        if not data[size:] and self.full:
            self.full = False
            assert self.producer is not None
            self.producer.resumeProducing()
        return data[:size]


class SlowTests(TestCase):
    """Who reads slowly gets its whole answer; who does not read at all is hung up on."""

    BODY = bytes(1_000_000)

    def setUp(self) -> None:
        self.clock: Any = Clock()
        self.channel: Any = Site(Config, self, self.clock).buildProtocol(None)
        self.channel.callLater = self.clock.callLater
        self.transport: Any = _Slow()
        self.channel.makeConnection(self.transport)
        self.addCleanup(self.channel.connectionLost, Failure(ConnectionDone()))
        self.channel.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    def take(self, request: Request) -> None:
        request.answer(Answer(self.BODY))

    async def test_slow(self) -> None:
        """It takes minutes, and is not torn."""
        said = b""
        while len(said) < len(self.BODY):
            await true(self.transport.value)
            said += self.transport.take(50_000)
            self.clock.advance(IDLE / 3)
            self.assertFalse(self.transport.disconnecting or self.transport.disconnected)
        await true(lambda: not self.channel.requests)
        said += self.transport.take(len(self.BODY))
        self.assertEqual(said.partition(b"\r\n\r\n")[2], self.BODY)

    async def test_stuck(self) -> None:
        """Also in the midst of an answer."""
        for _ in range(3):
            await true(lambda: self.transport.full)
            self.transport.take(len(self.BODY))
        await true(lambda: self.transport.full)
        self.clock.advance(IDLE)
        self.clock.advance(self.channel.abortTimeout)
        self.assertTrue(self.transport.disconnected)


class PipelineTests(SynchronousTestCase):
    """Who sends many requests at once is answered one by one, as fast as he reads."""

    def setUp(self) -> None:
        self.clock: Any = Clock()
        self.taken = 0
        site = Site(Config, self, self.clock)
        self.channel: Any = site.buildProtocol(None)
        self.channel.callLater = self.clock.callLater
        self.transport: Any = _Full()
        self.channel.makeConnection(self.transport)
        self.addCleanup(self.channel.connectionLost, Failure(ConnectionDone()))

    def take(self, request: Request) -> None:
        self.taken += 1
        request.answer(Answer(b"%6d" % self.taken + b"." * 10_000))

    def wait(self) -> None:
        for _ in range(200):
            self.clock.advance(0)

    def test_unread(self) -> None:
        """Answers that nobody reads do not pile up, nor do requests."""
        self.channel.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        self.wait()
        self.assertLess(self.taken, 10)
        self.assertEqual(self.transport.producerState, "paused")
        said = b""
        while self.transport.value():
            said += self.transport.read()
            self.wait()
        self.assertEqual(self.taken, 100)
        self.assertEqual(self.transport.producerState, "producing")
        numbers = [int(part[:6]) for part in said.split(b"\r\n\r\n")[1:]]
        self.assertEqual(numbers, list(range(1, 101)))

    def test_in_turn(self) -> None:
        """Between two of them there is time for others."""
        self.channel.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        self.assertEqual(self.taken, 1)
        self.wait()
        self.assertEqual(self.taken, 3)

    def test_never_read(self) -> None:
        """Who reads nothing for long is hung up on."""
        self.channel.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        self.wait()
        self.clock.advance(IDLE)
        self.clock.advance(self.channel.abortTimeout)
        self.assertTrue(self.transport.disconnected)


class RequestTests(WebCase):
    """Requests that a hostile page, name or program makes."""

    def test_token_of_the_session(self) -> None:
        """A cookie alone changes nothing; nor does the token of another session."""
        daemon, client = self.web()
        (photo, *_) = self.fill(daemon)
        client.sign_in()
        other = Client(client.port).sign_in()
        path = f"/api/v1/photos/{photo}"
        for token in ("", "x", other.token, client.token[:-1]):
            reply = Client(client.port, client.cookie, token).ask("DELETE", path)
            self.held("DELETE", "/api/v1/photos/{photo}", reply, 403)
        self.assertEqual(Client(client.port).ask("DELETE", path).status, 403)
        self.assertEqual(client.ask("DELETE", path).status, 204)

    def test_other_sites(self) -> None:
        """A page of another site changes nothing, whatever it knows."""
        daemon, client = self.web()
        (photo, *_) = self.fill(daemon)
        client.sign_in()
        path = f"/api/v1/photos/{photo}"
        for headers in (
            {"Origin": "http://evil.example"}, {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
            {"Origin": f"http://127.0.0.1:{client.port + 1}"},
        ):  # fmt: skip
            self.assertEqual(client.ask("DELETE", path, None, headers).status, 403, headers)
            self.assertEqual(client.ask("POST", "/login", {"password": ""}, headers).status, 403)
        own = {"Origin": f"http://127.0.0.1:{client.port}", "Sec-Fetch-Site": "same-origin"}
        self.assertEqual(client.ask("DELETE", path, None, own).status, 204)

    def test_hosts(self) -> None:
        """Only by its own names is this server spoken to."""
        _, client = self.web('[web]\nhosts = ["Cameras.example.org"]\n')
        for host, status in (
            ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("192.0.2.1", 421),
            ("", 421), ("127.0.0.1:80:80", 421), ("@127.0.0.1", 421), ("[::1]", 421),
            ("localhost", 200), ("127.0.0.1", 200), (f"localhost:{client.port}", 200),
            ("cameras.example.org", 200), ("CAMERAS.example.org.", 200),
        ):  # fmt: skip
            self.assertEqual(client.get("/healthz", Host=host).status, status, host)
            self.assertEqual(client.get("/api/v1/cameras", Host=host).status, status, host)

    def talk(self, port: int, data: bytes, seconds: float = 5) -> bytes:
        """All that is answered to *data* until the connection ends, or so long."""
        said = b""
        try:
            with socket.create_connection(("127.0.0.1", port), seconds) as talk:
                talk.sendall(data)
                while piece := talk.recv(65_536):
                    said += piece
        except (TimeoutError, ConnectionError):
            pass
        return said

    def test_bodies_are_bounded(self) -> None:
        """Too much is refused before it is read, however it is announced."""
        _, client = self.web('[web]\nbody = "2 KiB"\n')
        head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        for rest in (
            b"Content-Length: 3000\r\n\r\n",
            b"Content-Length: 99999999999\r\n\r\n",
            b"Content-Length: 3000\r\nExpect: 100-continue\r\n\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n"
            + b"500\r\n" + b"x" * 1280 + b"\r\n",
        ):  # fmt: skip
            said = self.talk(client.port, head + rest)
            self.assertTrue(said.startswith(b"HTTP/1.1 413 "), said[:100])
            self.assertNotIn(b"100 Continue", said)
        for rest in (
            b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
            b"Content-Length: -1\r\n\r\n",
        ):
            self.assertTrue(self.talk(client.port, head + rest).startswith(b"HTTP/1.1 400 "))

    def test_last_answers(self) -> None:
        """Who is still sending behind an answer that is the last finds it whole, and no reset."""
        daemon, client = self.web('[times]\nhang_up = "1 min"\n')
        client.get("/healthz")
        before = daemon.descriptors()
        login = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        for head, status in (
            (b"Content-Length: 3000000\r\n\r\n", 413),
            (b"Transfer-Encoding: chunked\r\n\r\n2dc6c0\r\n" + b"x" * 300_000, 413),
            (b"Content-Length: many\r\n\r\n", 400),
            (b"X: y\r\n" * 200, 400),
            (b"Cookie: " + b"x" * 20_000, 431),
        ):
            with socket.create_connection(("127.0.0.1", client.port), 20) as talk:
                talk.sendall(login + head)
                said = b""
                while piece := talk.recv(65_536):
                    said += piece
                self.assertTrue(said.startswith(b"HTTP/1.1 %d " % status), said[:100])
                self.assertEqual(said.count(b"HTTP/1.1"), 1)
                self.assertEqual(json.loads(said.partition(b"\r\n\r\n")[2])["status"], status)
                for _ in range(40):
                    talk.sendall(b"x" * 65_536)
        until(lambda: daemon.descriptors() <= before, 20, "all connections are gone")
        self.assertEqual(daemon.stop(), 0)

    def test_requests_come_in_in_time(self) -> None:
        """Who drips a request is cut off, whether in its head or in its body."""
        _, client = self.web('[web]\nrequest = "1 s"\n')
        head = b"HTTP/1.1\r\nHost: localhost\r\n"
        for data in (
            b"G", b"GET / " + head, b"POST /login " + head + b"Content-Length: 100\r\n\r\n{",
        ):  # fmt: skip
            begun = time.monotonic()
            self.assertEqual(self.talk(client.port, data), b"")
            self.assertLess(time.monotonic() - begun, 8)

    def test_forms(self) -> None:
        """A form is no JSON, however it is made, and its fields are no part of the query."""
        _, client = self.web()
        for kind, body in (
            ("multipart/form-data; boundary=x", b"no parts at all"),
            ("multipart/form-data", b""),
            ("application/x-www-form-urlencoded", b"a=1&a=2"),
        ):
            reply = client.ask("POST", "/login", body, {"Content-Type": kind})
            self.held("POST", "/login", reply, 415)

    def test_connections_are_bounded(self) -> None:
        """One more than there may be is hung up on, and there is room again when one goes."""
        _, client = self.web("[web]\nconnections_per_address = 3\n")
        held = [socket.create_connection(("127.0.0.1", client.port)) for _ in range(3)]
        time.sleep(0.2)
        self.assertEqual(self.talk(client.port, b"GET /healthz HTTP/1.1\r\n\r\n"), b"")
        for each in held:
            each.close()

        def lets_in() -> bool:
            try:
                return client.get("/healthz").status == 200
            except OSError:
                return False

        until(lets_in, 5)
