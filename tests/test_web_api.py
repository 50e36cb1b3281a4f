"""The API: every answer is one that the OpenAPI document describes, and says what is the case."""

import contextlib
import json
import re
import ssl
import subprocess
import threading
import time
from pathlib import Path

import camd
from camd.authority import create
from tests.e2e_boards import photo
from tests.e2e_daemon import until
from tests.tools import tool
from tests.web_client import BOOT, Client, WebCase, document, port_of

ETC = Path(camd.__file__).parent.parent / "etc"


class DocumentTests(WebCase):
    """The document, and answers held to it."""

    def test_every_get(self) -> None:
        """What is documented is answered so, with a camera that has photos and news."""
        daemon, client = self.web()
        (first, *_) = self.fill(daemon)
        client.sign_in()
        names = {"camera": "trap-1", "photo": first, "command": "1", "refused": "x", "film": "x"}
        for path, operations in document()["paths"].items():
            if "get" not in operations or path in ("/events", "/cameras/{camera}/live.mjpeg"):
                continue
            reply = client.get(path.format(**names))
            missing = path.endswith(("{command}", "{refused}/image", "{film}", "/video"))
            self.held("GET", path, reply, 404 if missing else 200)

    def test_every_route_is_documented(self) -> None:
        """The document and the table of routes have the same paths and methods."""
        _, client = self.web()
        for path, operations in document()["paths"].items():
            names = {"camera": "c", "photo": "c~x-1", "command": "1", "refused": "x", "film": "x",
                     "letter": "1"}  # fmt: skip
            reply = client.ask("LINK", path.format(**names))
            self.assertEqual(reply.status, 405, path)
            allowed = set(reply.headers["allow"].lower().split(", ")) - {"head"}
            self.assertEqual(allowed, set(operations), path)

    def test_problems(self) -> None:
        """What is not there, and what makes no sense, is a problem in JSON."""
        _, client = self.web()
        client.sign_in()
        for path, status in (
            ("/nothing", 404),
            ("/api/v1/cameras/none", 404),
            ("/api/v1/cameras/NOT%20AN%20ID", 404),
            ("/api/v1/cameras/..%2f..%2fetc", 404),
            ("/api/v1/photos/none", 404),
            (f"/api/v1/photos/none~{BOOT}-1", 404),
            ("/api/v1/photos?limit=0", 400),
            ("/api/v1/photos?limit=10000", 400),
            ("/api/v1/photos?cursor=a", 400),
            ("/api/v1/photos?since=-1", 400),
            ("/api/v1/photos?since=1&since=2", 400),
            ("/api/v1/photos?camera=%2e%2e", 400),
            ("/api/v1/log?kind=nothing", 400),
        ):
            reply = client.get(path)
            self.assertEqual(reply.status, status, path)
            self.assertEqual(reply.headers["content-type"], "application/problem+json")
            self.assertEqual(reply.json["status"], status)

    def test_only_our_files(self) -> None:
        """No path reaches a file that is not the page's own."""
        daemon, client = self.web()
        self.fill(daemon, photos=1)
        for path in (
            "/static/../openapi.json", "/static/%2e%2e/openapi.json", "/static/..%2fdoor.py",
            "/static//etc/passwd", "/static/%00", "/static/.", "/static/", "/../etc/passwd",
            "/static/..", "/static/../../../../etc/passwd", "/static/%2e%2e%2f%2e%2e%2fkeys.py",
            "/api/v1/refused/..%2fcatalog/image", "/api/v1/refused/../catalog.sqlite/image",
            "/api/v1/photos/..%2f..%2fetc%2fpasswd~x-1/image",
        ):  # fmt: skip
            self.assertEqual(client.get(path).status, 404, path)

    def test_headers(self) -> None:
        """Every answer, problems included, keeps browsers from what the page does not need."""
        _, client = self.web()
        for path in ("/", "/api/v1/cameras", "/nothing"):
            headers = client.get(path).headers
            self.assertIn("default-src 'none'", headers["content-security-policy"])
            self.assertNotIn("unsafe", headers["content-security-policy"])
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertEqual(headers["referrer-policy"], "no-referrer")
            self.assertNotIn("access-control-allow-origin", headers)

    def test_head(self) -> None:
        """HEAD has the headers of GET and no body."""
        _, client = self.web()
        reply, whole = client.ask("HEAD", "/api/v1/cameras"), client.get("/api/v1/cameras")
        self.assertEqual((reply.status, reply.body), (200, b""))
        self.assertEqual(reply.headers["content-length"], str(len(whole.body)))

    def test_compressed(self) -> None:
        """A long answer is compressed for who can read that."""
        import gzip

        daemon, client = self.web()
        self.fill(daemon, photos=20)
        plain = client.get("/api/v1/photos")
        small = client.get("/api/v1/photos", Accept_Encoding="gzip")
        self.assertEqual(small.headers["content-encoding"], "gzip")
        self.assertEqual(gzip.decompress(small.body), plain.body)
        self.assertLess(len(small.body), len(plain.body) / 3)


class CamerasTests(WebCase):
    """Cameras, and commands to them."""

    def test_a_camera(self) -> None:
        """How it fares is what it did."""
        daemon, client = self.web()
        ids = self.fill(daemon)
        board = self.board(daemon)
        board.send(b"STAT rssi=-61 vbat=3.9\n")
        until(lambda: client.get("/api/v1/cameras/trap-1").json["telemetry"], 5)
        card = client.get("/api/v1/cameras/trap-1").json
        self.assertEqual(card["state"], "connected")
        self.assertEqual(card["photos"], 3)
        self.assertEqual(card["photos_today"], 3)
        self.assertEqual(card["telemetry"], {"rssi": -61, "vbat": 3.9})
        self.assertEqual(card["latest"]["id"], ids[-1])
        measured = client.get("/api/v1/cameras/trap-1/telemetry").json
        self.assertEqual(measured["values"]["rssi"], [-61])
        self.assertEqual(len(measured["when"]), 1)
        (day,) = client.get("/api/v1/cameras/trap-1/days").json["days"]
        self.assertEqual(day["photos"], 3)
        self.assertEqual(day["until"] - day["since"], 86_400)
        page = client.get(
            f"/api/v1/photos?camera=trap-1&since={day['since']}&until={day['until']}"
        ).json
        self.assertEqual([each["id"] for each in page["photos"]], ids[::-1])

    def test_after_a_restart(self) -> None:
        """The newest photo is known again."""
        daemon, _ = self.web()
        ids = self.fill(daemon)
        daemon.stop()
        daemon.start()
        card = Client(port_of(daemon)).get("/api/v1/cameras/trap-1").json
        self.assertEqual(card["latest"]["id"], ids[-1])

    def command(self, client: Client, body: object, wait: str = "") -> object:
        path = "/api/v1/cameras/trap-1/commands"
        reply = client.ask("POST", path + wait, body)
        return self.held("POST", "/api/v1/cameras/{camera}/commands", reply) or reply.status

    def test_after_a_crash(self) -> None:
        """When its last photo came is known of a camera that was not saved before the crash."""
        daemon, client = self.web()
        self.fill(daemon)
        (newest,) = client.get("/api/v1/photos?limit=1").json["photos"]
        daemon.kill()
        daemon.start()
        client = Client(port_of(daemon))
        camera = client.get("/api/v1/cameras/trap-1").json
        for name in ("last_photo", "last_seen"):
            self.assertEqual(camera[name], newest["received"], name)
        self.assertLessEqual(camera["first_seen"], newest["received"])

    def test_snap(self) -> None:
        """The board is asked, its answer is told, and the photo that is to come is named."""
        daemon, client = self.web()
        client.sign_in()
        board = self.board(daemon)
        asked = self.command(client, {"command": "snap", "flash": True})
        assert isinstance(asked, dict)
        self.assertEqual(asked["state"], "waiting")
        self.assertEqual(board.line(), "SNAP 1 flash=1")
        board.send(b"DONE 1 seq=7\n")
        where = f"/api/v1/cameras/trap-1/commands/{asked['id']}"
        until(lambda: client.get(where).json["state"] == "done", 5)
        told = self.held(
            "GET", "/api/v1/cameras/{camera}/commands/{command}", client.get(where), 200
        )
        self.assertEqual(told["photo"], f"trap-1~{BOOT}-7")
        self.assertEqual(told["result"], {"seq": "7"})

    def test_set_and_wait(self) -> None:
        """Settings that the board confirms are settings of the camera; a refusal says why."""
        daemon, client = self.web()
        client.sign_in()
        board = self.board(daemon)

        def answer() -> None:
            with contextlib.suppress(EOFError, OSError):
                self.assertTrue(board.line().startswith("SET 1 "))
                board.send(b"DONE 1\n")
                board.line()
                board.send(b"FAIL 2 range:quality\n")

        thread = threading.Thread(target=answer)
        thread.start()
        path = "/api/v1/cameras/{camera}/settings"
        where = path.format(camera="trap-1") + "?wait=10"
        body = {"quality": 12, "framesize": "svga", "vflip": 1, "interval": 2.5}
        done = self.held("POST", path, client.ask("POST", where, body), 200)
        self.assertEqual(done["state"], "done")
        failed = self.held("POST", path, client.ask("POST", where, {"quality": 13}), 200)
        thread.join()
        self.assertEqual((failed["state"], failed["why"]), ("failed", "range:quality"))
        settings = client.get(path.format(camera="trap-1")).json
        self.assertEqual(settings["settings"], body)
        self.assertIn("quality", [each["name"] for each in settings["offered"]])

    def test_wrong_commands(self) -> None:
        """What no board could be asked is refused before any is."""
        daemon, client = self.web()
        client.sign_in()
        self.board(daemon)
        for body in (
            {}, {"command": "update"}, {"command": "snap", "flash": 1}, {"command": "set"},
            {"command": "set", "settings": {}}, {"command": "set", "settings": {"server": "x"}},
            {"command": "set", "settings": {"quality": 64}},
            {"command": "set", "settings": {"quality": 1.5}},
            {"command": "set", "settings": {"quality": True}},
            {"command": "set", "settings": {"framesize": 8}},
            {"command": "set", "settings": {"framesize": ["vga"]}},
            {"command": "set", "settings": {"name": 1, "id": 2}},
            {"command": "stream", "fps": 99}, {"command": "reboot", "now": 1}, [], "snap", 1, None,
        ):  # fmt: skip
            reply = client.ask("POST", "/api/v1/cameras/trap-1/commands", json.dumps(body).encode())
            self.assertEqual(reply.status, 400, (body, reply.body))
        for data in (b"", b"{", b"\xff", b'{"command":NaN}', b"[" * 50_000, b'{"a":"\\ud800"}'):
            reply = client.ask("POST", "/api/v1/cameras/trap-1/commands", data)
            self.assertEqual(reply.status, 400, data[:20])
        plain = {"Content-Type": "text/plain"}
        reply = client.ask("POST", "/api/v1/cameras/trap-1/commands", b"{}", plain)
        self.assertEqual(reply.status, 415)

    def test_not_now(self) -> None:
        """A camera that is away, or takes no commands, is not asked."""
        daemon, client = self.web()
        client.sign_in()
        self.fill(daemon, photos=1)
        path = "/api/v1/cameras/{camera}/commands"
        body = {"command": "snap"}
        where = path.format(camera="trap-1")
        until(lambda: client.get("/api/v1/cameras/trap-1").json["state"] == "away", 5)
        self.held("POST", path, client.ask("POST", where, body), 409)
        board = self.v1(daemon)
        self.assertEqual(board.photo(photo(9)), "ACK")
        where = path.format(camera="v1-127-0-0-1")
        self.held("POST", path, client.ask("POST", where, body), 409)
        kicked = self.held("POST", path, client.ask("POST", where, {"command": "kick"}), 200)
        self.assertEqual(kicked["state"], "done")
        self.assertTrue(board.ends())


class JournalTests(WebCase):
    """What happened."""

    def test_log(self) -> None:
        """News by camera, kind and number, newest first."""
        daemon, client = self.web()
        ids = self.fill(daemon)
        items = client.get("/api/v1/log").json["items"]
        numbers = [item["number"] for item in items]
        self.assertEqual(numbers, sorted(numbers, reverse=True))
        photos = client.get("/api/v1/log?kind=photo&camera=trap-1&limit=2").json["items"]
        self.assertEqual([each["photo"] for each in photos], [ids[2], ids[1]])
        newest = client.get("/api/v1/log").json["newest"]
        self.assertEqual(client.get(f"/api/v1/log?after={newest}").json["items"], [])
        self.assertEqual(client.get("/api/v1/log?camera=other").json["items"], [])

    def test_refused(self) -> None:
        """A refused photo is told, and with quarantine on its bytes can be looked at."""
        daemon, client = self.web("[store]\nquarantine = true\n")
        board = self.v1(daemon)
        self.assertEqual(board.photo(b"\xff\xd8 no picture"), "NAK jpeg")
        until(lambda: client.get("/api/v1/refused").json["refused"], 5)
        (kept,) = client.get("/api/v1/refused").json["refused"]
        self.assertEqual((kept["camera"], kept["reason"]), ("v1-127-0-0-1", "jpeg"))
        image = client.get(f"/api/v1/refused/{kept['id']}/image")
        self.assertEqual(image.body[:2], b"\xff\xd8")
        self.assertEqual(image.headers["content-type"], "image/jpeg")
        card = client.get("/api/v1/cameras/v1-127-0-0-1").json
        self.assertEqual(card["last_refusal"]["reason"], "jpeg")
        self.assertEqual(card["refused"], {"jpeg": 1})

    def test_metrics(self) -> None:
        """Prometheus' own parser reads them, and they count what happened."""
        from prometheus_client.parser import text_string_to_metric_families

        daemon, client = self.web()
        self.fill(daemon)
        board = self.board(daemon)
        board.send(b"STAT rssi=-61 vbat=3.9\n")
        until(lambda: client.get("/api/v1/cameras/trap-1").json["telemetry"], 5)
        text = client.get("/metrics").body.decode()
        found = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        self.assertEqual(found["camd_photos_total",], 3)
        self.assertEqual(found["camd_ack_seconds_bucket", "+Inf"], 3)
        self.assertEqual(found["camd_camera_rssi_dbm", "trap-1"], -61)
        self.assertEqual(found["camd_camera_battery_volts", "trap-1"], 3.9)
        self.assertEqual(found["camd_cameras", "connected"], 1)
        self.assertGreater(found["camd_disk_free_bytes",], 0)
        self.assertGreaterEqual(found["camd_commit_photos_bucket", "+Inf"], 1)

    def test_dashboard_and_alerts(self) -> None:
        """What Grafana's dashboard and Prometheus' alerts ask for is what there is."""
        hook = '[[webhook]]\nurl = "http://127.0.0.1:9/"\nevents = ["alert"]\n'
        daemon, client = self.web(f"[judge]\nenabled = true\n{hook}")
        board = self.board(daemon)
        board.send(b"STAT rssi=-61 vbat=3.9\n")
        until(lambda: client.get("/api/v1/cameras/trap-1").json["telemetry"], 5)
        self.assertEqual(board.photo(1, photo(1)), "ACK 1")
        text = client.get("/metrics").body.decode()
        there = set(re.findall(r"^(?:# TYPE )?(camd_\w+)", text, re.MULTILINE))
        panels = json.loads((ETC / "grafana" / "camd.json").read_text("utf-8"))["panels"]
        asked = [target["expr"] for panel in panels for target in panel["targets"]]
        rules = ETC / "prometheus" / "camd.rules.yml"
        asked += re.findall(r"expr: (.*)", rules.read_text("utf-8"))
        names = set(re.findall(r"camd_\w+", " ".join(asked)))
        self.assertGreater(len(names), 15)
        self.assertEqual(names - there, set())

    def test_alerts_load(self) -> None:
        """Prometheus reads the alerts."""
        promtool = tool("promtool", "prometheus")
        rules = str(ETC / "prometheus" / "camd.rules.yml")
        done = subprocess.run([promtool, "check", "rules", rules], capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_ready(self) -> None:
        """It is not ready where no photo could be stored."""
        _, client = self.web('[store]\nkeep_free = "100 %"\n')
        self.assertEqual(client.get("/healthz").status, 200)
        self.held("GET", "/readyz", client.get("/readyz"), 503)


class DoorTests(WebCase):
    """The door opens, or camd says in a line why not."""

    def test_a_taken_port(self) -> None:
        _, client = self.web()
        other = self.daemon("", "--web", f"tcp:{client.port}:interface=127.0.0.1")
        self.assert_refuses_to_start(other, str(client.port), "in use")

    def test_open_to_others_without_a_password(self) -> None:
        """Only loopback is open to everybody."""
        other = self.daemon("", "--web", "tcp:0")
        self.assert_refuses_to_start(other, "camd password")

    def test_tls(self) -> None:
        """The same under TLS, where the cookie goes nowhere else."""
        files = create(self.directory() / "tls", ["127.0.0.1"])
        endpoint = f"ssl:0:interface=127.0.0.1:privateKey={files.server_key}:certKey={files.server}"
        daemon, client = self.web(web=endpoint, password="a sticky yellow card")
        self.assertIn("https://", daemon.said)
        context = ssl.create_default_context(cafile=str(files.ca))
        client = Client(client.port, tls=context)
        reply = client.ask("POST", "/login", {"password": "a sticky yellow card"})
        self.assertIn("secure", reply.headers["set-cookie"].lower())
        self.fill(daemon)
        connection, answer = client.stream("/cameras/trap-1/live.mjpeg")
        self.addCleanup(connection.close)
        self.assertEqual(answer.status, 200)
        self.assertIn(photo(3), answer.read(len(photo(3)) + 300))

    def test_off(self) -> None:
        """Nothing is listened on, and nothing of the web is loaded."""
        daemon = self.daemon("", "--web", "off").start()
        self.fill(daemon, photos=1)
        self.assertNotIn("the page is at", daemon.said)
        opened = Path(f"/proc/{daemon.pid}/maps").read_text()
        self.assertNotIn("_imaging", opened)
        self.assertEqual(daemon.stop(), 0)

    def test_it_stops_at_once(self) -> None:
        """Who watches and listens holds no stop up."""
        daemon, client = self.web()
        self.board(daemon)
        client.sign_in()
        watching = [client.stream("/cameras/trap-1/live.mjpeg") for _ in range(3)]
        listening = client.stream("/events")
        begun = time.monotonic()
        for connection, _ in (*watching, listening):
            self.addCleanup(connection.close)
        self.assertEqual(daemon.stop(), 0)
        self.assertLess(time.monotonic() - begun, 8)
        self.assertNotIn("Traceback", daemon.said)
        self.assertNotIn("Unhandled", daemon.said)
