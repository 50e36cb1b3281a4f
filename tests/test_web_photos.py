"""Photos by HTTP: as they came, in part, small, starred, deleted, and page by page."""

import io
import os
import re
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request
from twisted.web.test.requesthelper import DummyChannel

from camd.config import Config
from camd.config.doors import WebConfig
from camd.fleet import Fleet
from camd.news import News
from camd.photo import CameraId, parse_photo_id, photo_id
from camd.store.folders import OWN
from camd.thumbnails import NoPictureError, Thumbnails, available, rounded, shrunk
from camd.web.answers import Problem, Query
from camd.web.auth import NOBODY
from camd.web.notice import fixed, notice
from camd.web.routes import Ask
from camd.web.sending import Sent, byte_range, send
from camd.web.telemetry import Ring, Telemetry
from camd.wire import jpeg
from tests.e2e_boards import photo
from tests.e2e_daemon import until
from tests.e2e_disk import Disk, fill
from tests.pictures import insects
from tests.web_client import BOOT, WEB, Client, WebCase, port_of

ONE = "/api/v1/photos/{photo}"


class AtOnce:
    """Workers without a thread."""

    def run(self, work: Callable[[], Any]) -> "Deferred[Any]":
        return succeed(work())


class _Transport(DummyChannel.TCP):
    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


class PartsTests(SynchronousTestCase):
    """What needs no daemon."""

    def test_ids(self) -> None:
        """A photo's id says which it is, and nothing else is one."""
        for text in ("a~00c0ffee00c0ffee-1", "v1-127-0-0-1~00c0ffee00c0ffee-4294967295"):
            key = parse_photo_id(text)
            assert key is not None
            self.assertEqual(photo_id(key), text)
        for wrong in ("", "a", "a~b-1", f"a~{BOOT}-0", f"a~{BOOT}-01", f"../a~{BOOT}-1",
                      f"~{BOOT}-1", f"a~{BOOT}", f"a~{BOOT}-1~", f"A~{BOOT}-1"):  # fmt: skip
            self.assertIsNone(parse_photo_id(wrong), wrong)

    def test_ranges(self) -> None:
        """What RFC 9110 says of a single range; more than one is ignored."""
        for said, wanted in (
            (b"bytes=0-9", (0, 10)), (b"bytes=5-", (5, 100)), (b"bytes=-10", (90, 100)),
            (b"bytes=90-1000", (90, 100)), (b"bytes=-1000", (0, 100)), (b"bytes=9-5", None),
            (b"Bytes=0-9", (0, 10)), (b"bytes=-", None), (b"bytes=1-2,4-5", None),
            (b"lines=1-2", None), (b"", None),
        ):  # fmt: skip
            self.assertEqual(byte_range(said, 100), wanted, said)
        for said in (b"bytes=100-", b"bytes=-0"):
            self.assertEqual(self.assertRaises(Problem, byte_range, said, 100).status, 416)

    def test_only_the_head(self) -> None:
        """Who asks for the head of a large file does not make camd read it."""
        file = Path(self.mktemp())
        with file.open("wb") as made:
            made.truncate(1 << 40)
        channel = DummyChannel()
        request: Any = Request(channel)
        request.gotLength(0)
        request.method, request.clientproto, request.gone = b"HEAD", b"HTTP/1.1", False
        sent = Sent("x.mp4", 1 << 40, b'"x"', b"video/mp4", b"no-store",
                    lambda: os.open(file, os.O_RDONLY))  # fmt: skip
        workers: Any = AtOnce()
        asked: Any = Ask(request, NOBODY, Query({}), {})
        answer = self.successResultOf(Deferred.fromCoroutine(send(asked, sent, workers)))
        self.assertIsNone(answer.body)
        said = channel.transport.written.getvalue()
        self.assertIn(b"Content-Length: 1099511627776\r\n", said)
        self.assertTrue(said.endswith(b"\r\n\r\n"))

    def test_shorter_meanwhile(self) -> None:
        """Where a file ends before it should, so does the connection: no other answer is taken for
        the rest of it."""
        for real, whole in ((2 << 20, False), (3 << 20, True)):
            file = Path(self.mktemp())
            with file.open("wb") as made:
                made.truncate(real)
            channel = DummyChannel()
            channel.transport = transport = _Transport()
            request: Any = Request(channel)
            request.gotLength(0)
            request.method, request.clientproto, request.gone = b"GET", b"HTTP/1.1", False
            sent = Sent("x.mp4", 3 << 20, b'"x"', b"video/mp4", b"no-store",
                        partial(os.open, file, os.O_RDONLY))  # fmt: skip
            workers: Any = AtOnce()
            asked: Any = Ask(request, NOBODY, Query({}), {})
            self.successResultOf(Deferred.fromCoroutine(send(asked, sent, workers)))
            ((producer, _),) = transport.producers
            while not (request.finished or transport.aborted):
                producer.resumeProducing()
            self.assertEqual((bool(request.finished), transport.aborted), (whole, not whole))

    def test_small_pictures(self) -> None:
        """At most as wide as asked for, of the same shape, and a picture; junk is none."""
        large = insects(1, (1600, 1200))
        for width in (160, 640):
            with Image.open(io.BytesIO(shrunk(large, width))) as small:
                small.load()
                self.assertEqual(small.size, (width, width * 3 // 4))
        self.assertIs(shrunk(large, 1600), large)
        for junk in (b"", b"\xff\xd8\xff", large[:500]):
            self.assertRaises(NoPictureError, shrunk, junk, 160)
        self.assertEqual([rounded(n) for n in (1, 160, 161, 1280)], [160, 160, 320, 1280])

    def test_a_bound_on_the_disk(self) -> None:
        """However many are made, they take no more than they may, and the newest are there."""
        folder = Path(self.mktemp())
        most = 400_000
        thumbs = Thumbnails(folder, lambda: most)
        made = []

        def take(number: int) -> bytes:
            made.append(number)
            return insects(number % 8, (640, 480))

        for number in range(200):
            thumbs.get(f"a~{number}", 160, lambda number=number: take(number))
        lying = sum(file.stat().st_size for file in folder.rglob("*.jpg"))
        self.assertLess(lying, most * 9 / 8)
        self.assertGreater(lying, most / 2)
        made.clear()
        thumbs.get("a~199", 160, lambda: take(199))
        self.assertEqual(made, [])
        again = Thumbnails(folder, lambda: most)
        again.get("a~198", 160, lambda: take(198))
        self.assertEqual(made, [])
        again.forget("a~198")
        again.get("a~198", 160, lambda: take(198))
        self.assertEqual(made, [198])

    def test_no_room_at_all(self) -> None:
        """With a bound of nothing they are made and not kept."""
        folder = Path(self.mktemp())
        thumbs = Thumbnails(folder, lambda: 0)
        self.assertTrue(thumbs.get("a", 160, lambda: insects(1, (640, 480))))
        self.assertFalse(folder.exists())

    def test_without_pillow(self) -> None:
        """There are no thumbnails, and the picture that none comes is one all the same."""
        here = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("PIL")}
        self.addCleanup(sys.modules.update, here)
        sys.modules["PIL"] = None  # type: ignore[assignment]
        self.assertFalse(available())
        picture = notice(None, ["nothing"])
        self.assertEqual(picture, fixed())
        self.assertTrue(jpeg.measure([picture]))

    def test_ring(self) -> None:
        """Of each measurement the newest are there, of equal length, with gaps where one lacks."""
        ring = Ring()
        for number in range(10):
            values = {"rssi": -number, "reset": "power"} | ({"vbat": 3.5} if number > 6 else {})
            ring.add(float(number), values, 5)
        when, values = ring.since(6)
        self.assertEqual(when, [6, 7, 8, 9])
        self.assertEqual(values, {"rssi": [-6, -7, -8, -9], "vbat": [None, 3.5, 3.5, 3.5]})
        self.assertEqual(len(ring.since(0)[0]), 5)

    def test_places(self) -> None:
        """A camera that has been forgotten holds no place that another one could have."""
        config = Config(web=WebConfig(telemetry_cameras=2))
        news = News(lambda: 1.0)
        fleet = Fleet(lambda: config, news, lambda: 1.0)
        telemetry = Telemetry(lambda: config, fleet)
        news.listen(telemetry.heard)

        def remembered(name: str) -> int:
            fleet.told(fleet.camera(CameraId(name)), {"rssi": -60.0})
            return len(telemetry.of(CameraId(name)).when)

        self.assertEqual([remembered(name) for name in ("one", "two", "three")], [1, 1, 0])
        fleet.forget([CameraId("one")])
        self.assertEqual([remembered(name) for name in ("three", "four")], [1, 0])


class PhotosTests(WebCase):
    """Photos of a running daemon."""

    def test_at_once(self) -> None:
        """What a board has been told is stored is found by whoever asks then, each time."""
        daemon, client = self.web()
        board = self.board(daemon)
        for seq in range(1, 11):
            self.assertEqual(board.photo(seq, photo(seq)), f"ACK {seq}")
            name = f"trap-1~{BOOT}-{seq}"
            page = client.get("/api/v1/photos?camera=trap-1&limit=1").json["photos"]
            self.assertEqual([one["id"] for one in page], [name])
            (day,) = client.get("/api/v1/cameras/trap-1/days").json["days"]
            self.assertEqual(day["photos"], seq)
            self.assertEqual(client.get(ONE.format(photo=name)).status, 200)

    def test_image(self) -> None:
        """Byte for byte as it came, with an ETag that is believed, and in part."""
        daemon, client = self.web()
        first, *_ = self.fill(daemon)
        path = f"/api/v1/photos/{first}/image"
        reply = client.get(path)
        self.held("GET", f"{ONE}/image", reply, 200)
        self.assertEqual(reply.body, photo(1))
        self.assertEqual(reply.headers["content-type"], "image/jpeg")
        self.assertIn("immutable", reply.headers["cache-control"])
        etag = reply.headers["etag"]
        again = client.get(path, If_None_Match=etag)
        self.assertEqual((again.status, again.body), (304, b""))
        self.assertEqual(client.get(path, If_None_Match='"x"').status, 200)
        some = client.get(path, Range="bytes=10-19")
        self.assertEqual((some.status, some.body), (206, photo(1)[10:20]))
        self.assertEqual(some.headers["content-range"], f"bytes 10-19/{len(photo(1))}")
        self.assertEqual(client.get(path, Range="bytes=10-19", If_Range=etag).status, 206)
        self.assertEqual(client.get(path, Range="bytes=10-19", If_Range='"x"').status, 200)
        self.held("GET", f"{ONE}/image", client.get(path, Range="bytes=9999999-"), 416)
        head = client.ask("HEAD", path, None, {"Range": "bytes=10-19"})
        self.assertEqual(head.status, 200)
        self.assertEqual(int(head.headers["content-length"]), len(photo(1)))
        saved = client.get(f"{path}?download=1").headers["content-disposition"]
        self.assertRegex(saved, rf'^attachment; filename="trap-1_\d{{8}}-\d{{6}}_{BOOT}-1\.jpg"$')

    def test_half_closed(self) -> None:
        """Who says that it asks nothing more is answered what it asked; only a stream ends."""
        daemon, client = self.web()
        first, *_ = self.fill(daemon)

        def answers(*paths: str) -> list[int]:
            with socket.create_connection(("127.0.0.1", client.port), 20) as talk:
                for path in paths:
                    talk.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                talk.shutdown(socket.SHUT_WR)
                said = b""
                while piece := talk.recv(65_536):
                    said += piece
            return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]+) ", said)]

        image = f"/api/v1/photos/{first}/image"
        self.assertEqual(answers("/api/v1/photos"), [200])
        self.assertEqual(answers(image, "/healthz", f"{image}/no", image), [200, 200, 404, 200])
        with socket.create_connection(("127.0.0.1", client.port), 20) as talk:
            talk.sendall(b"GET /cameras/trap-1/live.mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n")
            until(lambda: client.get("/api/v1/stats").json["viewers"] == 1, 20)
            talk.shutdown(socket.SHUT_WR)
            until(lambda: client.get("/api/v1/stats").json["viewers"] == 0, 20)

    def test_a_large_image(self) -> None:
        """One that is not read in one go comes whole, and in part."""
        daemon, client = self.web()
        board = self.board(daemon)
        whole = photo(1)
        large = whole[:2] + b"".join(
            b"\xff\xfe\xea\x62" + bytes([n]) * 60_000 for n in range(40)
        ) + whole[2:]  # fmt: skip
        self.assertEqual(board.photo(1, large), "ACK 1")
        time.sleep(0.5)
        path = f"/api/v1/photos/trap-1~{BOOT}-1/image"
        self.assertEqual(client.get(path).body, large)
        some = client.get(path, Range="bytes=5-2000004")
        self.assertEqual((some.status, some.body), (206, large[5:2_000_005]))
        head = client.ask("HEAD", path)
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(int(head.headers["content-length"]), len(large))

    def test_thumbnail(self) -> None:
        daemon, client = self.web()
        first, *_ = self.fill(daemon)
        path = f"/api/v1/photos/{first}/thumbnail?width=100"
        reply = client.get(path)
        self.held("GET", f"{ONE}/thumbnail", reply, 200)
        with Image.open(io.BytesIO(reply.body)) as small:
            self.assertEqual(small.size, (160, 120))
        self.assertEqual(client.get(path, If_None_Match=reply.headers["etag"]).status, 304)
        self.assertEqual(client.get(path).body, reply.body)
        self.assertEqual(client.get(path.replace("100", "0")).status, 400)

    def test_star_and_note(self) -> None:
        daemon, client = self.web()
        first, *_ = self.fill(daemon)
        client.sign_in()
        path = f"/api/v1/photos/{first}"
        change = {"starred": True, "note": "a wasp? Vespa 黃蜂"}
        told = self.held("PATCH", ONE, client.ask("PATCH", path, change), 200)
        self.assertEqual((told["starred"], told["note"]), (True, change["note"]))
        self.assertEqual(client.get(path).json, told)
        page = client.get("/api/v1/photos?starred=true").json
        self.assertEqual([each["id"] for each in page["photos"]], [first])
        self.held("DELETE", ONE, client.ask("DELETE", path), 409)
        for wrong in ({}, {"starred": 1}, {"note": 1}, {"note": "x" * 5000}, {"path": "x"}):
            self.held("PATCH", ONE, client.ask("PATCH", path, wrong), 400)

    def test_delete(self) -> None:
        """The file goes, the catalog says so, and it is found nowhere."""
        daemon, client = self.web()
        first, *others = self.fill(daemon)
        client.sign_in()
        path = f"/api/v1/photos/{first}"
        file = daemon.store / client.get(path).json["path"]
        client.get(f"{path}/thumbnail")
        self.assertTrue(list(daemon.store.rglob(f"thumbs/*/{first}_*")))
        self.held("DELETE", ONE, client.ask("DELETE", path), 204)
        self.assertFalse(file.exists())
        self.assertFalse(list(daemon.store.rglob(f"thumbs/*/{first}_*")))
        for gone in (path, f"{path}/image", f"{path}/thumbnail"):
            self.assertEqual(client.get(gone).status, 404, gone)
        self.assertEqual(client.ask("DELETE", path).status, 404)
        page = client.get("/api/v1/photos").json["photos"]
        self.assertEqual([each["id"] for each in page], others[::-1])
        self.assertEqual(client.get("/api/v1/cameras/trap-1").json["photos"], 2)

    def test_full_disk(self) -> None:
        """What cannot be written down is no mistake of camd's, and can be when there is room."""
        disk = Disk(self.directory(), 24)
        self.addCleanup(disk.unmount)
        daemon = self.daemon("store.keep_free = 0", "--web", WEB, store=disk.path / "store")
        client = Client(port_of(daemon.start()))
        first, *_ = self.fill(daemon)
        client.sign_in()
        other = disk.path / "other"
        fill(other)
        path, change = f"/api/v1/photos/{first}", {"note": "x" * 4000}
        self.held("PATCH", ONE, client.ask("PATCH", path, change), 503)
        self.assertNotIn("Traceback", daemon.said)
        other.unlink()
        self.held("PATCH", ONE, client.ask("PATCH", path, change), 200)

    def test_store_away(self) -> None:
        """While the store is somewhere else nothing is taken for gone, nor written elsewhere."""
        daemon, client = self.web()
        first, *_ = self.fill(daemon)
        client.sign_in()
        path, away = f"/api/v1/photos/{first}", daemon.directory / "away"
        said = {"annotations": [], "done": True}
        daemon.store.rename(away)
        (daemon.store / OWN).mkdir(parents=True)
        self.held("DELETE", ONE, client.ask("DELETE", path), 503)
        self.assertEqual(client.ask("PUT", f"{path}/annotations", said).status, 503)
        self.assertEqual(list((daemon.store / OWN).iterdir()), [])
        (daemon.store / OWN).rmdir()
        daemon.store.rmdir()
        away.rename(daemon.store)
        self.assertEqual(client.ask("PUT", f"{path}/annotations", said).status, 200)
        self.assertEqual(client.get(f"{path}/image").status, 200)

    def test_another_file_in_its_place(self) -> None:
        """What is not the file that was stored is neither shown nor deleted."""
        daemon, client = self.web()
        first, second, _ = self.fill(daemon)
        client.sign_in()
        secret = daemon.directory / "secret"
        secret.write_bytes(b"x" * len(photo(1)))
        file = daemon.store / client.get(f"/api/v1/photos/{first}").json["path"]
        file.unlink()
        file.symlink_to(secret)
        self.assertEqual(client.get(f"/api/v1/photos/{first}/image").status, 404)
        self.assertEqual(client.ask("DELETE", f"/api/v1/photos/{first}").status, 409)
        self.assertTrue(secret.exists())
        other = daemon.store / client.get(f"/api/v1/photos/{second}").json["path"]
        other.write_bytes(b"shorter")
        self.assertEqual(client.get(f"/api/v1/photos/{second}/image").status, 404)
        self.assertEqual(client.ask("DELETE", f"/api/v1/photos/{second}").status, 409)
        self.assertEqual(other.read_bytes(), b"shorter")

    def test_pages(self) -> None:
        """Each photo stands on one page once, in either order, while others come in between."""
        daemon, client = self.web()
        ids = self.fill(daemon, photos=25)
        for order, wanted in (("newest", ids[::-1]), ("oldest", ids)):
            found: list[str] = []
            cursor = ""
            for _ in range(20):
                page = client.get(
                    f"/api/v1/photos?camera=trap-1&limit=7&order={order}{cursor}"
                ).json
                found += [each["id"] for each in page["photos"]]
                if page["next"] is None:
                    break
                cursor = f"&cursor={page['next']}"
            self.assertEqual(found, wanted)

    def test_a_photo_of_just_now(self) -> None:
        """What the news tell of is there at once, before the catalog has it."""
        daemon, client = self.web()
        board = self.v1(daemon)
        self.assertEqual(board.photo(photo(5)), "ACK")
        until(lambda: client.get("/api/v1/log?kind=photo").json["items"], 5)
        (item,) = client.get("/api/v1/log?kind=photo").json["items"]
        reply = client.get(f"/api/v1/photos/{item['photo']}/image")
        self.assertEqual((reply.status, reply.body), (200, photo(5)))
