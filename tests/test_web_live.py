"""Live view and events: everybody gets the newest, nobody holds anybody up."""

import io
import json
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from typing import Any

from PIL import Image

from camd.store.folders import OWN
from camd.wire import jpeg
from tests.e2e_boards import V2, photo
from tests.e2e_daemon import environment, until
from tests.tools import tool
from tests.web_client import BOOT, Client, WebCase


class Sender:
    """A board that sends a VIEW so many times a second until it is stopped."""

    def __init__(self, board: V2, fps: float = 10, size: tuple[int, int] = (320, 240)) -> None:
        self._board = board
        self._pictures = [photo(number, size) for number in range(16)]
        self._pause = 1 / fps
        self._stop = threading.Event()
        self.sent = 0
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)

    def _send(self) -> None:
        while not self._stop.wait(self._pause):
            data = self._pictures[self.sent % 16]
            self._board.send(b"VIEW len=%d crc=%08x\n%s" % (len(data), zlib.crc32(data), data))
            self.sent += 1


def parts(answer: Any) -> Iterator[bytes]:
    """The pictures of a live view, as they come."""
    assert answer.readline().startswith(b"--")
    while True:
        length = 0
        while line := answer.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            return
        yield answer.read(length)
        answer.readline()
        answer.readline()


class LiveTests(WebCase):
    """Pictures as they come."""

    def test_one_viewer(self) -> None:
        """Watching asks the board for pictures, and shows them; the last one out ends it."""
        daemon, client = self.web()
        board = self.board(daemon)
        connection, answer = client.stream("/cameras/trap-1/live.mjpeg")
        self.assertEqual(board.line(), "STREAM 1 fps=10")
        with Sender(board):
            shown = parts(answer)
            for _ in range(5):
                self.assertTrue(jpeg.measure([next(shown)]))
            latest = client.get("/cameras/trap-1/latest.jpg")
            self.assertEqual(latest.status, 200)
            self.assertTrue(jpeg.measure([latest.body]))
            self.assertEqual(client.get("/api/v1/stats").json["viewers"], 1)
            self.assertEqual(client.get("/api/v1/cameras/trap-1").json["viewers"], 1)
            answer.close()
            connection.close()
            self.assertEqual(board.line(), "STREAM 2 off")
        self.assertEqual(client.get("/api/v1/stats").json["viewers"], 0)

    def test_ffmpeg(self) -> None:
        """A program that knows nothing of camd plays it."""
        ffmpeg = tool("ffmpeg", "ffmpeg")
        daemon, client = self.web()
        board = self.board(daemon)
        url = f"http://127.0.0.1:{client.port}/cameras/trap-1/live.mjpeg"
        into = self.directory()
        with Sender(board):
            done = subprocess.run(
                [ffmpeg, "-v", "error", "-f", "mpjpeg", "-i", url, "-frames:v", "8",
                 str(into / "%d.png")],
                capture_output=True, timeout=60, check=False,
            )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        pictures = sorted(into.glob("*.png"))
        self.assertEqual(len(pictures), 8)
        with Image.open(pictures[0]) as first:
            self.assertEqual(first.size, (320, 240))

    def test_the_newest_photo_first(self) -> None:
        """Who watches a camera that is away sees its last photo, and then that it is away."""
        daemon, client = self.web('[web]\nstale = "1 s"\n')
        self.fill(daemon)
        connection, answer = client.stream("/cameras/trap-1/live.mjpeg")
        self.addCleanup(connection.close)
        shown = parts(answer)
        self.assertEqual(next(shown), photo(3))
        notice = next(picture for picture in shown if picture != photo(3))
        with Image.open(io.BytesIO(notice)) as picture:
            picture.load()
            self.assertEqual(picture.size, (320, 240))
            red, green, blue = picture.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
            self.assertLess(max(red, green, blue) - min(red, green, blue), 12, "it is grey")
        self.assertEqual(client.get("/cameras/trap-1/latest.jpg").body, photo(3))

    def test_nothing_follows(self) -> None:
        """A picture behind which none comes is sent once more, and that is all: a browser shows
        one when it sees that the next one begins."""
        daemon, client = self.web('[web]\nstale = "1 h"\n')
        self.fill(daemon)
        connection, answer = client.stream("/cameras/trap-1/live.mjpeg")
        self.addCleanup(connection.close)
        shown = parts(answer)
        self.assertEqual([next(shown), next(shown)], [photo(3), photo(3)])
        board = self.board(daemon)
        self.assertEqual(board.line(), "STREAM 1 fps=10")
        self.assertEqual(board.photo(4, photo(4)), "ACK 4")
        self.assertEqual([next(shown), next(shown)], [photo(4), photo(4)])

    def test_a_board_that_goes(self) -> None:
        """The picture does not freeze: it says that the camera is gone, again and again."""
        daemon, client = self.web('[web]\nstale = "1 s"\n')
        board = self.board(daemon)
        connection, answer = client.stream("/cameras/trap-1/live.mjpeg")
        self.addCleanup(connection.close)
        shown = parts(answer)
        with Sender(board):
            live = [next(shown) for _ in range(3)]
        board.close()
        seen = {next(shown) for _ in range(3)} - set(live)
        begun = time.monotonic()
        while len(seen) < 2:
            seen |= {next(shown)} - {photo(n) for n in range(16)}
            self.assertLess(time.monotonic() - begun, 20)

    def test_a_slow_viewer(self) -> None:
        """One that does not read holds nobody up, and gets the newest when it does."""
        daemon, client = self.web("[web]\nfps = 30\n")
        board = self.board(daemon)
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        slow.connect(("127.0.0.1", client.port))
        self.addCleanup(slow.close)
        slow.sendall(b"GET /cameras/trap-1/live.mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection, answer = client.stream("/cameras/trap-1/live.mjpeg")
        self.addCleanup(connection.close)
        shown = parts(answer)
        before = daemon.rss()
        with Sender(board, 25, (640, 480)) as sender:
            for _ in range(60):
                next(shown)
            self.assertLess(sender.sent, 75)
        self.assertLess(daemon.rss() - before, 8_000_000)

    def test_too_many(self) -> None:
        """One more than may watch is told so."""
        daemon, client = self.web("[web]\nviewers = 1\n")
        self.fill(daemon, photos=1)
        connection, answer = client.stream("/cameras/trap-1/live.mjpeg")
        self.addCleanup(connection.close)
        next(parts(answer))
        reply = client.get("/cameras/trap-1/live.mjpeg")
        self.assertEqual(reply.status, 503)
        self.assertEqual(client.get("/cameras/nobody/live.mjpeg").status, 404)
        self.assertEqual(client.ask("HEAD", "/cameras/trap-1/latest.jpg").status, 200)

    def test_a_viewer_hurries_a_v1_board(self) -> None:
        """A paced board is answered at once while somebody watches."""
        daemon, client = self.web('[cameras]\npace = "60 s"\n')
        board = self.v1(daemon)
        board.begin(photo(1) + b"FrameOver")
        until(lambda: client.get("/api/v1/cameras").json["cameras"], 5)
        connection, answer = client.stream("/cameras/v1-127-0-0-1/live.mjpeg")
        self.addCleanup(connection.close)
        self.assertEqual(board.line(5), "ACK")
        shown = parts(answer)
        next(shown)
        self.assertEqual(board.photo(photo(2), 5), "SKIP")
        self.assertEqual(next(shown), photo(2))


def events(answer: Any) -> Iterator[tuple[str, Any, str]]:
    """Name, data and id of each event, as it comes."""
    said: dict[str, str] = {}
    while line := answer.readline():
        text = line.decode().rstrip("\n")
        if text:
            name, _, value = text.partition(":")
            said[name] = value.strip()
        elif "event" in said:
            yield said["event"], json.loads(said["data"]), said.get("id", "")
            said = {}


class EventsTests(WebCase):
    """What happens, as it happens."""

    def listen(self, client: Client, path: str = "/events", **headers: str) -> Iterator[Any]:
        connection, answer = client.stream(path, **headers)
        self.addCleanup(connection.close)
        self.assertEqual(answer.status, 200)
        said = events(answer)
        self.assertEqual(next(said)[0], "hello")
        return said

    def test_a_photo(self) -> None:
        """It is told within a moment, with what is known of it and how its camera fares."""
        daemon, client = self.web()
        board = self.board(daemon)
        said = self.listen(client)
        time.sleep(0.3)
        begun = time.monotonic()
        self.assertEqual(board.photo(1, photo(1)), "ACK 1")
        found: dict[str, Any] = {}
        while "photo" not in found or found.get("camera", {}).get("photos") != 1:
            name, data, id = next(said)
            found[name] = data
            if name == "photo":
                self.assertLess(time.monotonic() - begun, 3)
                self.assertEqual(id, str(data["number"]))
        self.assertEqual(found["photo"]["meta"]["id"], f"trap-1~{BOOT}-1")
        self.assertEqual(found["camera"]["latest"]["id"], f"trap-1~{BOOT}-1")
        path = f"/api/v1/photos/trap-1~{BOOT}-1"
        known = client.get(path).json
        self.assertEqual(known, found["photo"]["meta"])
        client.sign_in().ask("PATCH", path, {"starred": True})
        while name != "change":
            name, data, id = next(said)
        self.assertEqual((data["starred"], id), (True, ""))
        client.ask("PATCH", path, {"starred": False})
        client.ask("DELETE", path)
        while name != "gone":
            name, data, _ = next(said)
        self.assertEqual(data, {"photo": f"trap-1~{BOOT}-1", "camera": "trap-1"})

    def test_catching_up(self) -> None:
        """Who was away gets what he missed, once; who was away too long is told so."""
        daemon, client = self.web()
        ids = self.fill(daemon, photos=5)
        items = client.get("/api/v1/log?kind=photo").json["items"][::-1]
        said = self.listen(client, Last_Event_ID=str(items[1]["number"]))
        photos = []
        while len(photos) < 3:
            name, data, _ = next(said)
            if name == "photo":
                photos.append(data["photo"])
        self.assertEqual(photos, ids[2:])
        for path, headers in (("/events", {"Last_Event_ID": "999999"}),
                              ("/events?after=999999", {})):  # fmt: skip
            said = self.listen(client, path, **headers)
            self.assertEqual(next(said)[0], "reset")

    def test_one_camera(self) -> None:
        """Of other cameras nothing is heard."""
        daemon, client = self.web()
        said = self.listen(client, "/events?camera=trap-2")
        self.fill(daemon, "trap-1")
        self.fill(daemon, "trap-2", 1)
        for _ in range(3):
            name, data, _ = next(said)
            self.assertEqual(data.get("camera", data.get("id")), "trap-2", name)

    def test_a_flood(self) -> None:
        """Photos that come too fast to be told one by one are counted."""
        daemon, client = self.web()
        board = self.board(daemon)
        said = self.listen(client)
        for seq in range(1, 101):
            board.send(board.talk.frame(seq, photo(1)))
        for _ in range(100):
            self.assertTrue(board.answer().startswith("ACK"))
        told = missed = 0
        while told + missed < 100:
            name, data, _ = next(said)
            if name == "photo":
                told += 1
                missed += data.get("missed", 0)
        self.assertEqual(told + missed, 100)
        self.assertLess(told, 50)

    def test_a_command(self) -> None:
        """What came of a command is told."""
        daemon, client = self.web()
        client.sign_in()
        board = self.board(daemon)
        said = self.listen(client)
        client.ask("POST", "/api/v1/cameras/trap-1/commands", {"command": "reboot"})
        self.assertEqual(board.line(), "REBOOT 1")
        board.send(b"DONE 1\n")
        names = {}
        while "outcome" not in names or "command" not in names:
            name, data, _ = next(said)
            names[name] = data
        self.assertEqual(names["outcome"]["state"], "done")
        self.assertEqual(names["command"]["text"], "reboot: done")


class CommandLineTests(WebCase):
    """``camd password`` and ``camd token`` beside a running daemon."""

    def camd(self, store: Any, *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "camd", "--store", str(store), *words], input=said, text=True,
            capture_output=True, env=environment(), timeout=60, check=False,
        )  # fmt: skip

    def test_password_and_token(self) -> None:
        daemon, client = self.web()
        self.assertEqual(client.get("/api/v1/cameras").status, 200)
        done = self.camd(daemon.store, "password", "--stdin", said="short\n")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1))
        done = self.camd(daemon.store, "password", "--stdin", said="long enough, this\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(client.get("/api/v1/cameras").status, 401)
        client.sign_in("long enough, this")
        self.assertEqual(client.get("/api/v1/cameras").status, 200)
        made = self.camd(daemon.store, "token", "add", "grafana", "--read").stdout.strip()
        program = Client(client.port, headers={"Authorization": f"Bearer {made}"})
        self.assertEqual(program.get("/metrics").status, 200)
        self.assertEqual(self.camd(daemon.store, "token", "ls").stdout, "grafana  read\n")
        self.assertEqual(self.camd(daemon.store, "token", "rm", "grafana").returncode, 0)
        self.assertEqual(program.get("/metrics").status, 401)
        self.assertEqual(self.camd(daemon.store, "token", "rm", "grafana").returncode, 1)
        mode = (daemon.store / OWN / "web_password").stat().st_mode & 0o777
        self.assertEqual(mode, 0o600)
