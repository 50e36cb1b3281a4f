"""A browser's or a program's side of the web door, over real sockets, and the document that the
answers are held to."""

import http.client
import json
import re
import ssl
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from attrs import define, field
from jsonschema import Draft202012Validator

import camd
from camd.access import Password
from camd.photo import Boot, CameraId
from camd.store.catalog import CatalogReader
from camd.store.folders import OWN
from tests.e2e_boards import V1, V2, photo
from tests.e2e_daemon import Daemon, DaemonCase, until
from tests.e2e_talk import Talk

WEB = "tcp:0:interface=127.0.0.1"
BOOT = "00c0ffee00c0ffee"
_PAGE = re.compile(r"the page is at https?://[^:]+:(\d+)/")


@cache
def document() -> dict[str, Any]:
    text = (Path(camd.__file__).parent / "web" / "openapi.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@define
class Reply:
    """An answer. *headers*: names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@define
class Client:
    """Asks the door on *port*; what it was given of a session goes with what it asks."""

    port: int
    cookie: str = ""
    token: str = ""
    headers: dict[str, str] = field(factory=dict)
    wait: float = 30.0
    tls: ssl.SSLContext | None = None

    def _connect(self) -> http.client.HTTPConnection:
        if self.tls is not None:
            return http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=self.wait, context=self.tls
            )
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.wait)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Reply:
        connection = self._connect()
        said = {**self.headers, **(headers or {})}
        if self.cookie:
            said.setdefault("Cookie", self.cookie)
        if self.token and method not in ("GET", "HEAD"):
            said.setdefault("X-Camd-Token", self.token)
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if data is not None:
            said.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, data, said)
            answer = connection.getresponse()
            reply = Reply(
                answer.status,
                {name.lower(): value for name, value in answer.getheaders()},
                answer.read(),
            )
        finally:
            connection.close()
        if "set-cookie" in reply.headers:
            self.cookie = reply.headers["set-cookie"].partition(";")[0]
        return reply

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, None, {k.replace("_", "-"): v for k, v in headers.items()})

    def sign_in(self, password: str | None = None) -> "Client":
        """A session: without a password where none is needed."""
        if password is not None:
            reply = self.ask("POST", "/login", {"password": password})
        else:
            reply = self.get("/api/v1/session")
        if reply.status != 200:
            raise AssertionError(f"{reply.status}: {reply.body!r}")
        self.token = reply.json["token"]
        return self

    def stream(self, path: str, **headers: str) -> tuple[http.client.HTTPConnection, Any]:
        """A connection on which an answer has begun, and the answer."""
        connection = self._connect()
        said = {k.replace("_", "-"): v for k, v in headers.items()}
        connection.request("GET", path, None, {**self.headers, "Cookie": self.cookie, **said})
        return connection, connection.getresponse()


class WebCase(DaemonCase):
    """Tests of a daemon whose web door is open."""

    def web(self, config: str = "", *options: str, password: str | None = None,
            web: str = WEB) -> tuple[Daemon, Client]:  # fmt: skip
        daemon = self.daemon(config, "--web", web, *options)
        if password is not None:
            own = daemon.store / OWN
            own.mkdir(parents=True)
            Password(own).set(password)
        daemon.start()
        return daemon, Client(port_of(daemon))

    def fill(self, daemon: Daemon, camera: str = "trap-1", photos: int = 3) -> list[str]:
        """So many photos of *camera* are stored and in the catalog: their ids, oldest first."""
        board = V2(daemon.port, Talk(camera, BOOT))
        for seq in range(1, photos + 1):
            self.assertEqual(board.photo(seq, photo(seq)), f"ACK {seq}")
        board.close()
        with closing(CatalogReader.open(daemon.store / OWN / "catalog.sqlite")) as catalog:
            until(lambda: catalog.last(CameraId(camera), Boot(BOOT)) == photos)
        return [f"{camera}~{BOOT}-{seq}" for seq in range(1, photos + 1)]

    def board(self, daemon: Daemon, camera: str = "trap-1", boot: str = BOOT) -> V2:
        board = V2(daemon.port, Talk(camera, boot))
        self.addCleanup(board.close)
        return board

    def v1(self, daemon: Daemon) -> V1:
        board = V1(daemon.port)
        self.addCleanup(board.close)
        return board

    def held(self, method: str, path: str, reply: Reply, status: int | None = None) -> Any:
        """*reply* is one that the document allows for; *path* is the document's. Its JSON."""
        operation = document()["paths"][path][method.lower()]
        self.assertIn(str(reply.status), operation["responses"], reply.body[:300])
        if status is not None:
            self.assertEqual(reply.status, status, reply.body[:300])
        said = operation["responses"][str(reply.status)]
        if "$ref" in said:
            said = document()["components"]["responses"][said["$ref"].rpartition("/")[2]]
        content = said.get("content")
        if content is None:
            self.assertEqual(reply.body, b"")
            return None
        kind = reply.headers["content-type"].partition(";")[0]
        self.assertIn(kind, content)
        if not kind.endswith("json"):
            return None
        schema = {**content[kind]["schema"], "components": document()["components"]}
        errors = [
            f"{error.json_path}: {error.message}"
            for error in Draft202012Validator(schema).iter_errors(reply.json)
        ]
        self.assertEqual(errors, [], path)
        return reply.json


def port_of(daemon: Daemon) -> int:
    """The number of the web door."""
    until(lambda: _PAGE.search(daemon.said), 10, "the page is said to be open")
    found = _PAGE.search(daemon.said)
    assert found is not None
    return int(found[1])
