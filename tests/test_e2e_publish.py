"""The daemon tells others: a hook and a broker hear of a photo, of alerts, and of the end."""

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.e2e_boards import V2, photo
from tests.e2e_daemon import Daemon, until
from tests.e2e_lasting import LastingCase, pid_of
from tests.e2e_talk import Talk
from tests.models import build
from tests.pictures import insects
from tests.publish_world import Listener, Mosquitto


class Hooks:
    """A receiver in threads of its own.

    :ivar said: type and data of what came; what a kill made come twice has the same id, and is
        here once.
    """

    def __init__(self) -> None:
        said: list[tuple[str, Any]] = []
        self.said = said
        ids: set[str] = set()

        class Taken(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.headers["webhook-id"] not in ids:
                    said.append((body["type"], body["data"]))
                ids.add(self.headers["webhook-id"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Taken)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def of(self, kind: str) -> list[Any]:
        return [data for each, data in self.said if each == kind]


class PublishDaemonTests(LastingCase):
    """One daemon, a real broker, a real receiver, a board."""

    def setUp(self) -> None:
        self.hooks = Hooks()
        self.addCleanup(self.hooks.close)
        self.broker = Mosquitto().start()
        self.addCleanup(self.broker.close)
        self.listener = Listener(self.broker.port)
        self.addCleanup(self.listener.close)

    def telling(self, more: str = "") -> Daemon:
        daemon = self.daemon(
            f"""
            [publish]
            look = "1 s"
            [mqtt]
            url = "mqtt://127.0.0.1:{self.broker.port}"
            user = "camd"
            instance = "farm"
            every = "50 ms"
            [[webhook]]
            url = "{self.hooks.url}"
            events = ["photo", "alert"]
            {more}
            """,
            "--web", "off", env={"CAMD_MQTT__PASSWORD": "secret"},
        )  # fmt: skip
        self.addCleanup(self.end, daemon)
        return daemon

    def test_told(self) -> None:
        """A photo is told by hook and by MQTT, picture and all; a full disk and a silent camera
        are alerts, once, over a restart too; kill -9 is seen by the last will, a stop is said."""
        kept = self.listener.kept
        daemon = self.telling(
            """
            [[alert]]
            when = "disk < 100 %"
            [[alert]]
            when = "silent > 1 s"
            name = "Nobody home"
            """
        ).start()
        until(lambda: kept.get("camd/farm/status") == b"online", 10, "it is there")
        board = V2(daemon.port, Talk("trap"))
        data = photo(1)
        self.assertEqual(board.photo(1, data), "ACK 1")
        until(lambda: self.hooks.of("photo"), 10, "the photo is told")
        (told,) = self.hooks.of("photo")
        self.assertEqual(told["photo"]["size"], len(data))
        self.assertTrue((daemon.store / told["photo"]["path"]).is_file())
        until(lambda: kept.get("camd/farm/trap/image", b"")[:2] == b"\xff\xd8", 10, "its picture")
        until(lambda: b'"photos": 1' in kept.get("camd/farm/trap/state", b""), 10, "its state")
        self.assertIn("homeassistant/device/camd_farm_C_trap/config", kept)
        until(lambda: len(self.hooks.of("alert")) == 2, 10, "two alerts")
        rules = sorted(alert["alert"]["rule"] for alert in self.hooks.of("alert"))
        self.assertEqual(rules, ["disk < 100 %", "silent > 1 s"])
        until(lambda: len(self.listener.events) >= 2, 10, "and by MQTT")
        board.close()
        daemon.kill()
        until(lambda: kept["camd/farm/status"] == b"offline", 10, "the last will")
        daemon.start()
        until(lambda: kept["camd/farm/status"] == b"online", 10, "it is back")
        again = V2(daemon.port, Talk("trap", "00c0ffee00c0ffef"))
        self.assertEqual(again.photo(1, photo(2)), "ACK 1")
        until(lambda: len(self.hooks.of("photo")) == 2, 10, "the next photo")
        until(lambda: len(self.hooks.of("alert")) == 3, 10, "the silence is over")
        self.assertTrue(self.hooks.of("alert")[2]["alert"]["over"])
        again.close()
        self.assertEqual(daemon.stop(), 0)
        until(lambda: kept["camd/farm/status"] == b"offline", 10, "its farewell")
        self.assertEqual(len([a for a in self.hooks.of("alert") if a["camera"] is None]), 1)
        self.assertNotIn("Traceback", daemon.said)

    def test_another_process(self) -> None:
        """A change of process is not told as an end, what happens behind it is told by the new
        one; a SIGHUP adds a hook."""
        kept = self.listener.kept
        daemon = self.telling().start()
        board = V2(daemon.port, Talk("trap"))
        until(lambda: kept.get("camd/farm/status") == b"online", 10, "it is there")
        self.assertEqual(board.photo(1, photo(1)), "ACK 1")
        self.upgrade(daemon)
        self.assertEqual(board.photo(2, photo(2)), "ACK 2")
        until(lambda: len({p["photo"]["id"] for p in self.hooks.of("photo")}) == 2, 10, "both")
        until(lambda: b'"photos": 2' in kept.get("camd/farm/trap/state", b""), 10, "its state")
        said = [payload for topic, payload in self.listener.said if topic == "camd/farm/status"]
        self.assertNotIn(b"offline", said)
        other = Hooks()
        self.addCleanup(other.close)
        more = f'[[webhook]]\nurl = "{other.url}"\nevents = ["photo"]\n'
        daemon.config.write_text(f"{daemon.config.read_text()}\n{more}")
        os.kill(pid_of(daemon), signal.SIGHUP)
        until(lambda: "read again" in daemon.said, 10, "the configuration is read")
        self.assertEqual(board.photo(3, photo(3)), "ACK 3")
        until(lambda: other.of("photo"), 10, "the new hook")
        board.close()

    def test_refused(self) -> None:
        """A bad rule, and a secret that is not there, are a line each at the start."""
        daemon = self.telling('[[alert]]\nwhen = "silence > 2 h"')
        self.assert_refuses_to_start(daemon, "alert[#1].when", "silent > 2 h")
        daemon = self.telling('secret_file = "/nowhere/secret"')
        self.assert_refuses_to_start(daemon, "webhook.secret_file: /nowhere/secret")


class CountingDaemonTests(LastingCase):
    """One daemon with a model, and a receiver."""

    def test_counted(self) -> None:
        """So many new insects in a night, found by a network and counted in the catalog, are an
        alert: when there are enough and not before, once, over a restart too."""
        hooks = Hooks()
        self.addCleanup(hooks.close)
        model = build(self.directory() / "insects.onnx", size=320)
        rules = f"""
            [detect]
            model = "{model}"
            order = "oldest"
            priority = "normal"
            [publish]
            look = "1 s"
            [[webhook]]
            url = "{hooks.url}"
            events = ["found", "alert"]
            [[alert]]
            when = "insect >= {{enough}} per night"
            [[alert]]
            when = "wasp >= 1 per night"
            """
        daemon = self.daemon(rules.format(enough=1000), "--web", "off")
        self.addCleanup(self.end, daemon)
        daemon.start()
        board = V2(daemon.port, Talk("trap"))
        for seq in (1, 2):
            self.assertEqual(board.photo(seq, insects(seq)), f"ACK {seq}")
        until(lambda: len(hooks.of("found")) == 2, 20, "both photos are looked at")
        fresh = sum(each["findings"]["fresh"]["insect"] for each in hooks.of("found"))
        self.assertGreater(fresh, 2)
        config = daemon.config.read_text()
        daemon.config.write_text(config.replace("1000", str(fresh + 1)))
        daemon.signal(signal.SIGHUP)
        self.assertEqual(board.photo(3, insects(3)), "ACK 3")
        until(lambda: hooks.of("alert"), 20, "there are enough")
        more = hooks.of("found")[2]["findings"]["fresh"]["insect"]
        board.close()
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        board = V2(daemon.port, Talk("trap", "00c0ffee00c0ffef"))
        self.assertEqual(board.photo(1, insects(4)), "ACK 1")
        until(lambda: len(hooks.of("found")) == 4, 20, "another is looked at")
        board.close()
        self.assertEqual(daemon.stop(), 0)
        (told,) = hooks.of("alert")
        self.assertEqual(told["camera"], "trap")
        self.assertEqual(told["text"], f"{fresh + more} insect this night")
        self.assertEqual(told["alert"]["rule"], f"insect >= {fresh + 1} per night")
        self.assertNotIn("Traceback", daemon.said)
