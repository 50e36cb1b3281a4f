"""A real Chromium, driven by its DevTools protocol: what the page's tests see with.

Knows nothing of camd but how it is started. Everything waits for a bounded time.
"""

import atexit
import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

from attrs import define, field

from tests.e2e_daemon import Daemon, DaemonCase, environment, until
from tests.tools import tool

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--no-proxy-server", "--remote-debugging-port=0",
    "--remote-allow-origins=*", "--hide-scrollbars", "--mute-audio",
)  # fmt: skip
PATIENCE = 40.0
_get = build_opener(ProxyHandler({})).open


class PageError(AssertionError):
    """The page threw, or what was asked of it did."""


class PageGoneError(PageError):
    """The page was left before it answered."""


class WebSocket:
    """The client's side of RFC 6455, as far as DevTools needs it: text, and no extensions."""

    def __init__(self, url: str) -> None:
        host, _, path = url.removeprefix("ws://").partition("/")
        name, _, port = host.partition(":")
        self._socket = socket.create_connection((name, int(port)), PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._stream = self._socket.makefile("rb")
        status = self._stream.readline()
        if b" 101 " not in status:
            raise PageError(f"DevTools said {status!r}")
        while self._stream.readline().strip():
            pass

    def send(self, text: str) -> None:
        data = text.encode()
        mask = os.urandom(4)
        size = len(data)
        if size < 126:
            head = struct.pack("!BB", 0x81, 0x80 | size)
        elif size < 65536:
            head = struct.pack("!BBH", 0x81, 0xFE, size)
        else:
            head = struct.pack("!BBQ", 0x81, 0xFF, size)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        self._socket.sendall(head + mask + masked)

    def receive(self, seconds: float) -> str:
        """The next message; raises TimeoutError where none begins in time."""
        text = b""
        while True:
            self._socket.settimeout(max(0.001, seconds))
            first = self._stream.peek(1)
            self._socket.settimeout(PATIENCE)
            if not first:
                raise PageError("DevTools hung up")
            head, size = self._stream.read(2)
            if size == 126:
                (size,) = struct.unpack("!H", self._stream.read(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._stream.read(8))
            data = self._stream.read(size)
            if head & 0x0F in (0, 1):
                text += data
                if head & 0x80:
                    return text.decode()

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


class Chromium:
    """One browser for all tests; each page has cookies and storage of its own."""

    _one: "Chromium | None" = None

    def __init__(self) -> None:
        self._home = tempfile.mkdtemp(prefix="camd-chromium-")
        self._process = subprocess.Popen(
            [tool("chromium", "chromium"), *FLAGS, f"--user-data-dir={self._home}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        atexit.register(self.close)
        said = Path(self._home) / "DevToolsActivePort"
        until(lambda: said.exists() and said.read_text().count("\n"), 30, "Chromium is there")
        port = said.read_text().split()[0]
        with _get(f"http://127.0.0.1:{port}/json/version", timeout=PATIENCE) as answer:
            url = json.load(answer)["webSocketDebuggerUrl"]
        self._wire = WebSocket(url)
        self._number = 0
        self._heard: list[dict[str, Any]] = []

    @classmethod
    def get(cls) -> "Chromium":
        if cls._one is None or cls._one._process.poll() is not None:
            cls._one = cls()
        return cls._one

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """What DevTools answers; what happens meanwhile waits in `events`."""
        self._number += 1
        number = self._number
        asked: dict[str, Any] = {"id": number, "method": method, "params": params}
        if session:
            asked["sessionId"] = session
        self._wire.send(json.dumps(asked))
        end = time.monotonic() + PATIENCE
        while True:
            said = json.loads(self._wire.receive(end - time.monotonic()))
            if said.get("id") != number:
                self._heard.append(said)
            elif "error" in said:
                gone = "navigated" in str(said["error"])
                raise (PageGoneError if gone else PageError)(f"{method}: {said['error']}")
            else:
                result: dict[str, Any] = said["result"]
                return result

    def events(self, session: str) -> list[dict[str, Any]]:
        """What happened on a page since it was asked for last."""
        self.call("Browser.getVersion")
        mine = [said for said in self._heard if said.get("sessionId") == session]
        self._heard = [said for said in self._heard if said.get("sessionId") != session]
        return mine

    def page(self, **looks: Any) -> "Page":
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)
        session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        return Page(self, context, session["sessionId"], **looks)

    def close(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
        shutil.rmtree(self._home, ignore_errors=True)


@define(eq=False)
class Page:
    """A tab, as wide and in the language that a test wants.

    :ivar wrongs: what the page threw, logged as an error, or was not allowed to do.
    :ivar asked: addresses that it asked for.
    """

    browser: Chromium
    context: str
    session: str
    width: int = 1280
    height: int = 860
    dark: bool = False
    language: str = "en-US"
    touch: bool = False
    wrongs: list[str] = field(factory=list)
    asked: list[str] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")
        self.do(
            "Emulation.setDeviceMetricsOverride", width=self.width, height=self.height,
            deviceScaleFactor=1, mobile=self.touch,
        )  # fmt: skip
        scheme = "dark" if self.dark else "light"
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.do("Emulation.setEmulatedMedia", features=features)
        agent = self.browser.call("Browser.getVersion")["userAgent"].replace("Headless", "")
        self.do("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=self.language)
        self.do("Emulation.setFocusEmulationEnabled", enabled=True)
        self.do(
            "Page.addScriptToEvaluateOnNewDocument",
            source="addEventListener('securitypolicyviolation', e => console.error("
            "'CSP: ' + e.violatedDirective + ' ' + e.blockedURI));",
        )

    def do(self, method: str, **params: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **params)

    def open(self, url: str) -> None:
        self.do("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def reload(self) -> None:
        """The page is made anew, as by the browser's button."""
        self.run("globalThis.former = true")
        self.do("Page.reload")
        self.until("!globalThis.former && document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """What *script*, an expression, comes to; a promise is waited for."""
        said = self.do(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True,
            userGesture=True,
        )  # fmt: skip
        if "exceptionDetails" in said:
            details = said["exceptionDetails"]
            raise PageError(f"{script}: {details.get('exception', {}).get('description', details)}")
        return said["result"].get("value")

    def until(self, script: str, seconds: float = PATIENCE) -> Any:
        """What *script* comes to as soon as that is true."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(PageGoneError):  # the next one is asked
                if value := self.run(f"(value => value instanceof Node || value)({script})"):
                    return value
            if time.monotonic() > end:
                text = self.run("document.body?.innerText.slice(0, 900)")
                raise PageError(f"not within {seconds:g} s: {script}\non the page: {text}")
            time.sleep(0.05)

    def shows(self, text: str, seconds: float = PATIENCE) -> None:
        self.until(f"document.body.innerText.includes({json.dumps(text)})", seconds)

    def click(self, selector: str) -> None:
        """With the mouse, where a person would."""
        quoted = json.dumps(selector)
        self.until(
            f"document.querySelector({quoted}) && !document.querySelector({quoted}).disabled"
        )
        x, y = self.run(
            f"(() => {{ const e = document.querySelector({quoted});"
            " e.scrollIntoView({block: 'center', behavior: 'instant'});"
            " const b = e.getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def key(self, name: str, text: str = "") -> None:
        codes = {"Enter": 13, "Tab": 9, "Delete": 46, "ArrowLeft": 37, "ArrowUp": 38,
                 "ArrowRight": 39, "ArrowDown": 40, "Escape": 27}  # fmt: skip
        code = codes.get(name, ord(name[0].upper()))
        typed = text or ("\r" if name == "Enter" else name if len(name) == 1 else "")
        more = {"key": name, "windowsVirtualKeyCode": code}
        self.do("Input.dispatchKeyEvent", type="keyDown", text=typed, **more)
        self.do("Input.dispatchKeyEvent", type="keyUp", **more)

    def type(self, text: str) -> None:
        self.do("Input.insertText", text=text)

    def screenshot(self, path: Path) -> None:
        data = self.do("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def listen(self) -> None:
        """Sorts what happened into *wrongs* and *asked*."""
        for said in self.browser.events(self.session):
            what, told = said["method"], said["params"]
            if what == "Runtime.exceptionThrown":
                details = told["exceptionDetails"]
                self.wrongs.append(details.get("exception", {}).get("description", str(details)))
            elif what == "Runtime.consoleAPICalled" and told["type"] in ("error", "assert"):
                self.wrongs.append(str([one.get("value") for one in told["args"]]))
            elif what == "Log.entryAdded" and told["entry"]["level"] == "error":
                self.wrongs.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
            elif what == "Network.requestWillBeSent":
                self.asked.append(told["request"]["url"])
            elif what == "Page.javascriptDialogOpening":
                self.do("Page.handleJavaScriptDialog", accept=True)

    def answer_dialogs(self) -> None:
        """Every question is answered with yes from now on."""
        self.run("window.confirm = () => true")

    def close(self) -> None:
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class PageCase(DaemonCase):
    """Tests of the page: camd itself, simulated boards behind it, a browser before it."""

    host = "127.0.0.1"

    def camd(self, config: str = "", **more: Any) -> Daemon:
        self.web = free_port()
        endpoint = f"tcp:{self.web}:interface=127.0.0.1"
        daemon = self.daemon(config, "--web", endpoint, **more).start()
        until(lambda: self.reached(self.web), 10, "the page can be reached")
        self.url = f"http://{self.host}:{self.web}/"
        return daemon

    @staticmethod
    def reached(port: int) -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    def boards(self, daemon: Daemon, *options: str) -> Callable[[], None]:
        """Simulated ones, until the test is over or what this returns is called."""
        log = (daemon.directory / "boards").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "camd", "simulate", "127.0.0.1", "--port", str(daemon.port),
             "--seed", "1", "--cheap", *options],
            cwd=daemon.directory, env=environment(), stdin=subprocess.DEVNULL, stdout=log,
            stderr=log,
        )  # fmt: skip

        def end() -> None:
            if process.poll() is None:
                process.kill()
                process.wait(10)
            log.close()

        self.addCleanup(end)
        return end

    def page(self, path: str = "", **looks: Any) -> Page:
        """Opened, and at the test's end without any error."""
        page = Chromium.get().page(**looks)
        self.addCleanup(page.close)
        page.open(self.url + path)
        return page

    def ask(self, path: str) -> Any:
        with _get(self.url + path, timeout=PATIENCE) as answer:
            return json.load(answer)

    def assert_fine(self, page: Page) -> None:
        """Nothing was thrown, logged as an error or forbidden by the policy."""
        page.listen()
        self.assertEqual(page.wrongs, [])

    def assert_fits(self, page: Page) -> None:
        """There is nothing to be scrolled to at the side."""
        wide = page.run("document.documentElement.scrollWidth")
        self.assertLessEqual(wide, page.width)


class TheBrowserItself(PageCase):
    """What the other tests trust in can fail."""

    def blank(self, **looks: Any) -> Page:
        page = Chromium.get().page(**looks)
        self.addCleanup(page.close)
        return page

    def test_errors_are_seen(self) -> None:
        """A page that throws, and one that logs an error, do not pass for fine."""
        for script in ("setTimeout(() => { throw Error('odd'); })", "console.error('odd')"):
            page = self.blank()
            page.open(f"data:text/html,<script>{script}</script>")
            page.run("new Promise(go => setTimeout(go, 50))")
            with self.assertRaises(self.failureException):
                self.assert_fine(page)

    def test_forbidden_is_seen(self) -> None:
        """What the policy of a page forbids does not pass for fine."""
        page = self.blank()
        policy = '<meta http-equiv="Content-Security-Policy" content="style-src \'none\'">'
        page.open(f"data:text/html,{policy}<p style='color:red'>x</p>")
        with self.assertRaises(self.failureException):
            self.assert_fine(page)

    def test_width_is_seen(self) -> None:
        """A page that is too wide for a phone does not pass."""
        page = self.blank(width=360, touch=True)
        page.open(
            "data:text/html,<meta name=viewport content='width=device-width'>"
            "<div style='width:500px'>x</div>"
        )
        with self.assertRaises(self.failureException):
            self.assert_fits(page)
