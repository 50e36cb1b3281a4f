"""What is on the photos, over the API: told, counted, corrected, and by whom."""

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from attrs import define, evolve, field
from jsonschema import Draft202012Validator
from twisted.internet.defer import Deferred, fail, succeed

from camd.config import Config
from camd.config.looking import JudgeConfig
from camd.findings import Box, Detection, Flag, Look
from camd.news import Kind
from camd.photo import Boot, CameraId
from camd.store.catalog import Catalog
from camd.store.entry import Entry
from camd.store.findings import Backlog, Model
from camd.store.findings_writer import FindingsWriter
from camd.store.folders import OWN
from camd.web.answers import Answer, Problem
from camd.web.cameras import Cameras
from camd.web.findings import OnPhotos
from camd.web.house import Looking, Publisher
from camd.web.publishing import Publishing
from camd.workers import BusyError
from tests.e2e_daemon import Daemon
from tests.test_catalog import receipt
from tests.test_fleet import TRAP, FleetCase
from tests.web_client import BOOT, Client, Reply, WebCase, document

MODEL = Model("pests.onnx", "ab" * 32)
PAGE = "/api/v1/photos"
ONE = "/api/v1/photos/{photo}"
SAID = "/api/v1/photos/{photo}/annotations"


def fly(at: float, label: str = "whitefly", score: float = 0.9) -> Detection:
    return Detection(label, score, Box(at, 0.5, 0.02, 0.02))


def found(daemon: Daemon, *looks: tuple[int, tuple[Detection, ...], frozenset[Flag]],
          camera: str = "trap-1") -> None:  # fmt: skip
    """A model looked at these photos, by their seq; what is on them and how good they are."""
    catalog = Catalog.open(daemon.store / OWN / "catalog.sqlite", print)
    try:
        ids = []
        for seq, detections, flags in looks:
            entry = catalog.find((CameraId(camera), Boot(BOOT), seq))
            assert entry is not None, seq
            ids.append(Look(entry.id, detections, flags, b"%d" % seq))
        FindingsWriter(catalog).looked(MODEL, ids, 1_780_000_000_000)
    finally:
        catalog.close()


class FindingsCase(WebCase):
    """Three photos: nothing on the first, one whitefly on the second, another one beside it and
    a gnat on the third, which is dark."""

    def looked(self, config: str = "") -> tuple[Client, list[str]]:
        daemon, client = self.web(config)
        photos = self.fill(daemon)
        found(
            daemon, (1, (), frozenset()), (2, (fly(0.1),), frozenset()),
            (3, (fly(0.1), fly(0.3), fly(0.6, "gnat", 0.5)), frozenset({Flag.DARK})),
        )  # fmt: skip
        client.sign_in()
        return client, photos

    def say(self, client: Client, photo: str, body: Any, status: int = 200,
            **headers: str) -> Reply:  # fmt: skip
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = client.ask("PUT", SAID.format(photo=photo), body, named)
        self.held("PUT", SAID, reply, status)
        return reply


class FindingsTests(FindingsCase):
    def test_told(self) -> None:
        """A photo alone has all that was found on it, a page has the numbers, and a photo that
        nobody looked at has nothing."""
        client, (first, _, third) = self.looked()
        one = self.held("GET", ONE, client.get(ONE.format(photo=third)), 200)["findings"]
        self.assertEqual((one["model"], one["flags"], one["done"]), ("pests.onnx", ["dark"], False))
        self.assertEqual(
            [(each["class"], each["fresh"]) for each in one["detections"]],
            [("whitefly", False), ("whitefly", True), ("gnat", True)],
        )
        self.assertEqual(one["detections"][0]["box"], [0.1, 0.5, 0.02, 0.02])
        page = self.held("GET", PAGE, client.get(PAGE), 200)["photos"]
        self.assertEqual(page[0]["findings"], {"flags": ["dark"], "done": False,
                         "counts": {"gnat": 1, "whitefly": 2}, "fresh": 2})  # fmt: skip
        self.assertEqual(page[2]["findings"]["counts"], {})
        reply = client.ask("PATCH", ONE.format(photo=first), {"starred": True})
        self.assertEqual(self.held("PATCH", ONE, reply, 200)["findings"]["model"], "pests.onnx")

    def test_filters(self) -> None:
        """Pages are narrowed down by class and number, by flag, by who is through with a photo,
        by the star besides; what makes no sense is said so."""
        client, photos = self.looked()
        client.ask("PATCH", ONE.format(photo=photos[1]), {"starred": True})
        self.say(client, photos[0], {"annotations": [], "done": True})
        first, second, third = photos
        for query, wanted in (
            ("class=whitefly", [third, second]),
            ("class=whitefly&order=oldest", [second, third]),
            ("class=whitefly&least=2&camera=trap-1", [third]),
            ("class=whitefly&starred=true", [second]),
            ("class=whitefly&labelled=true", []),
            ("labelled=true&done=true", [first]),
            ("class=none", []),
            ("flag=dark", [third]),
            ("flag=dark&camera=trap-1&done=false", [third]),
            ("flag=green", []),
            ("done=true", [first]),
            ("done=true&camera=trap-1", [first]),
            ("done=false", [third, second]),
            ("done=false&camera=trap-1&starred=true", [second]),
            ("class=gnat&done=true", []),
            ("class=whitefly&until=1", []),
        ):
            page = self.held("GET", PAGE, client.get(f"{PAGE}?{query}"), 200)
            self.assertEqual([photo["id"] for photo in page["photos"]], wanted, query)
        page = client.get(f"{PAGE}?class=whitefly&limit=1").json
        rest = client.get(f"{PAGE}?class=whitefly&limit=1&cursor={page['next']}").json
        self.assertEqual((rest["photos"][0]["id"], rest["next"]), (second, None))
        for query in ("flag=odd", "done=maybe", "least=0", "class=", f"class={'x' * 101}"):
            self.held("GET", PAGE, client.get(f"{PAGE}?{query}"), 400)

    def test_said(self) -> None:
        """What a person says outranks the model, is there when asked for, and is news."""
        client, (_, second, third) = self.looked()
        gnat = {"class": "gnat", "box": [0.7, 0.2, 0.05, 0.05], "right": True}
        no = {"class": "whitefly", "box": [0.1, 0.5, 0.02, 0.02], "right": False}
        connection, events = client.stream("/events")
        told = self.say(client, second, {"annotations": [gnat, no], "done": True}).json
        self.assertEqual((told["counts"], told["done"]), ({"gnat": 1}, True))
        reply = client.get(SAID.format(photo=second))
        said = self.held("GET", SAID, reply, 200)
        self.assertEqual(said, {"annotations": [gnat, no], "done": True})
        self.assertEqual(reply.headers["etag"], f'"{told["tag"]}"')
        again = client.get(SAID.format(photo=second), If_None_Match=reply.headers["etag"])
        self.held("GET", SAID, again, 304)
        self.assertTrue(client.get(ONE.format(photo=second)).json["labelled"])
        after = client.get(ONE.format(photo=third)).json["findings"]
        self.assertEqual([each["fresh"] for each in after["detections"]], [True, True, True])
        self.addCleanup(connection.close)
        event = next(line for line in events if line == b"event: found\n") and next(events)
        self.assertEqual(json.loads(event.partition(b": ")[2])["findings"]["counts"], {"gnat": 1})
        (item,) = client.get("/api/v1/log?kind=found").json["items"]
        self.assertEqual((item["photo"], item["text"]), (second, "1 gnat, by a person's word"))

    def test_two_people(self) -> None:
        """Who has not seen what another one said meanwhile does not overwrite it."""
        client, (first, second, _) = self.looked()
        tag = client.get(ONE.format(photo=second)).json["findings"]["tag"]
        self.assertEqual(tag, "none")
        mine = {"annotations": [{"class": "gnat", "box": [0.7, 0.2, 0.05, 0.05]}]}
        reply = self.say(client, second, mine, If_Match='"none"')
        self.say(client, second, {"annotations": []}, 412, If_Match='"none"')
        known = client.get(ONE.format(photo=second)).json["findings"]
        self.assertEqual(len(known["annotations"]), 1)
        self.assertEqual(reply.headers["etag"], f'"{known["tag"]}"')
        self.say(client, second, {"annotations": []}, If_Match=f'"x", "{known["tag"]}"')
        self.say(client, first, mine, If_Match="*")

    def test_not_to_be_said(self) -> None:
        """What is no annotation is refused with a reason, and nothing changes."""
        client, (first, *_) = self.looked()
        box = [0.1, 0.1, 0.1, 0.1]
        for body in (
            {}, {"annotations": {}}, {"annotations": [], "done": 1}, {"annotations": [], "x": 1},
            {"annotations": [{"class": "gnat"}]}, {"annotations": [{"box": box}]},
            {"annotations": [{"class": " ", "box": box}]}, {"annotations": [7]},
            {"annotations": [{"class": "gnat", "box": box, "right": None}]},
            {"annotations": [{"class": "gnat", "box": [0.1, 0.1, 0, 0.1]}]},
            {"annotations": [{"class": "gnat", "box": [1.5, 0.1, 0.1, 0.1]}]},
            {"annotations": [{"class": "gnat", "box": [True, 0.1, 0.1, 0.1]}]},
            {"annotations": [{"class": "gnat", "box": [0.1] * 5}]},
            {"annotations": [{"class": "gnat", "box": box}] * 2001},
        ):  # fmt: skip
            self.say(client, first, body, 400)
        self.say(client, f"none~{BOOT}-1", {"annotations": []}, 404)
        reader = Client(client.port)
        reply = reader.ask("PUT", SAID.format(photo=first), {"annotations": []})
        self.held("PUT", SAID, reply, 403)
        self.assertEqual(client.get(SAID.format(photo=first)).json["annotations"], [])

    def test_numbers(self) -> None:
        """Classes, counts as JSON and CSV, flags."""
        client, _ = self.looked('[[camera]]\nid = "trap-1"\ntimezone = "Asia/Kathmandu"\n')
        classes = self.held("GET", "/api/v1/classes", client.get("/api/v1/classes"), 200)
        self.assertEqual(classes["classes"], [{"class": "gnat", "total": 1},
                                              {"class": "whitefly", "total": 3}])  # fmt: skip
        path = "/api/v1/counts"
        query = "?camera=trap-1&class=whitefly&by="
        for by in ("hour", "day", "night"):
            said = self.held("GET", path, client.get(f"{path}{query}{by}"), 200)
            totals = [sum(each[of] for each in said["groups"])
                      for of in ("photos", "total", "fresh")]  # fmt: skip
            self.assertEqual((said["by"], totals), (by, [2, 3, 2]))
        reply = client.get(f"{path}?format=csv")
        self.held("GET", path, reply, 200)
        self.assertIn('filename="counts-night.csv"', reply.headers["content-disposition"])
        rows = list(csv.DictReader(io.StringIO(reply.body.decode())))
        self.assertEqual({(row["class"], row["new"]) for row in rows},
                         {("gnat", "1"), ("whitefly", "2")})  # fmt: skip
        self.assertTrue(all(row["since"].endswith("T12:00:00+05:45") for row in rows), rows)
        for query in ("by=week", "format=xml", "camera=%2e%2e", "since=x"):
            self.held("GET", path, client.get(f"{path}?{query}"), 400)
        flags = self.held("GET", "/api/v1/flags", client.get("/api/v1/flags?camera=trap-1"), 200)
        self.assertEqual(flags, {"flags": {"dark": 1}})

    def test_nobody_looks(self) -> None:
        """Without a model and without anybody to tell, that is what is said."""
        client, _ = self.looked()
        path = "/api/v1/detect"
        state = self.held("GET", path, client.get(path), 200)
        self.assertEqual((state["enabled"], state["waiting"], state["set_aside"]), (False, 0, []))
        again = "/api/v1/detect/retry"
        self.held("POST", again, client.ask("POST", again), 409)
        path = "/api/v1/publish"
        self.assertEqual(self.held("GET", path, client.get(path), 200),
                         {"enabled": False, "targets": [], "dead": [], "alerts": [],
                          "mqtt": None, "dropped": 0})  # fmt: skip
        for method, end in (("DELETE", ""), ("POST", "/retry")):
            for letter in ("1", "0", "x"):
                reply = client.ask(method, f"{path}/{letter}{end}")
                self.held(method, f"{path}/{{letter}}{end}", reply, 404)


@define
class Detector:
    """One that has something to do, as the page sees it."""

    again: int = 3

    def state(self) -> "Deferred[Mapping[str, Any]]":
        return succeed(
            {"enabled": True, "model": "pests.onnx", "classes": ["gnat"], "waiting": 7, "aside": 1,
             "workers": 2, "rate": 1.5, "error": None}
        )  # fmt: skip

    def retry(self) -> "Deferred[int]":
        return succeed(self.again)


@define
class Outbox:
    """One with a dead letter, number 4.

    :ivar done: what was done with it.
    """

    done: list[str] = field(factory=list)

    def state(self) -> "Deferred[dict[str, Any]]":
        letter = {"id": 4, "target": "hook", "kind": "found", "given_up": 1.5, "tries": 9,
                  "why": "404", "body": "{}", "made": 1.0}  # fmt: skip
        alert = {"alert": "many", "rule": "gnat > 3", "camera": None, "since": 2.0, "told": None}
        return succeed(
            {"targets": [{"target": "hook", "waiting": 2, "why": None, "failures": 0}],
             "dead": [letter], "alerts": [alert], "dropped": 1,
             "mqtt": {"host": "broker", "connected": True, "why": None}}
        )  # fmt: skip

    def retry(self, id: int) -> "Deferred[bool]":
        self.done.append(f"retry {id}")
        return succeed(id == 4)

    def discard(self, id: int) -> "Deferred[bool]":
        self.done.append(f"discard {id}")
        return succeed(id == 4)


DETECTOR: Looking = Detector()
OUTBOX: Publisher = Outbox()
"""Both are what the page takes them for."""


@define(eq=False)
class Rooms:
    """As much of the house, and of the catalog, as these answers need."""

    fleet: Any = None
    news: Any = None
    config: Config = field(factory=Config)
    looking: Any = None
    publisher: Any = None

    async def ask(self, work: Any) -> Any:
        return Backlog(1, 2), []


@define
class Letter:
    names: dict[str, str]


class OtherRoomsTests(FleetCase):
    """What other rooms say is told as the document has it."""

    def answer(self, work: Any, schema: str = "") -> Any:
        answer: Answer = self.successResultOf(Deferred.fromCoroutine(work))
        if not schema:
            self.assertEqual(answer.status, 204)
            return None
        told = json.loads(answer.body or b"")
        wanted = {**document()["components"]["schemas"][schema],
                  "components": document()["components"]}  # fmt: skip
        errors = [error.message for error in Draft202012Validator(wanted).iter_errors(told)]
        self.assertEqual(errors, [])
        return told

    def test_a_detector(self) -> None:
        """What it says of itself counts, and it looks again when it is told to."""
        rooms: Any = Rooms(looking=DETECTOR)
        room = OnPhotos(rooms, rooms, lambda *_: None)
        nobody: Any = None
        told = self.answer(room.looking(nobody), "Looking")
        self.assertEqual((told["model"], told["waiting"], told["rate"]), ("pests.onnx", 7, 1.5))
        self.assertEqual(self.answer(room.look_again(nobody), "Again"), {"again": 3})

    def test_dead_letters(self) -> None:
        """They are told of, sent again, and thrown away; others are not there."""
        outbox = Outbox()
        rooms: Any = Rooms(publisher=outbox)
        room = Publishing(rooms)
        nobody: Any = None
        told = self.answer(room.state(nobody), "Outbox")
        self.assertEqual((told["enabled"], told["dead"][0]["id"]), (True, 4))
        four: Any = Letter({"letter": "4"})
        five: Any = Letter({"letter": "5"})
        self.answer(room.retry(four))
        self.answer(room.discard(four))
        self.assertEqual(outbox.done, ["retry 4", "discard 4"])
        for work in (room.retry(five), room.discard(five)):
            self.failureResultOf(Deferred.fromCoroutine(work), Problem)

    def test_the_newest_photo(self) -> None:
        """Where nobody had time to look for the newest photos from before the start, it is looked
        for with the next request."""
        self.fleet.camera(TRAP).photos = 1
        newest = evolve(Entry.of(receipt(7)), camera=TRAP)

        class Looks:
            busy = True

            def ask(self, work: object) -> Deferred[Any]:
                return fail(BusyError("no time")) if self.busy else succeed({TRAP: newest})

        rooms: Any = Rooms(self.fleet, self.news, Config())
        looks: Any = Looks()
        cameras = Cameras(rooms, looks, rooms, lambda _: 0)
        self.failureResultOf(Deferred.fromCoroutine(cameras.look()), BusyError)
        looks.busy = False
        self.successResultOf(Deferred.fromCoroutine(cameras.look()))
        self.assertEqual(cameras.newest(self.fleet.cameras[TRAP]), newest)

    def test_a_camera_whose_photos_are_bad(self) -> None:
        """It says so on its card until they are good again, or nobody looks at them any more."""
        rooms: Any = Rooms(self.fleet, self.news, Config(judge=JudgeConfig(enabled=True)))
        nothing: Any = None
        cameras = Cameras(rooms, nothing, nothing, lambda _: 0)
        self.photo()
        camera = self.fleet.cameras[TRAP]
        self.assertIsNone(cameras.card(camera)["poor"])
        self.news.tell(Kind.POOR, TRAP, "its photos are dark")
        self.assertEqual(cameras.card(camera)["poor"],
                         {"when": self.time, "text": "its photos are dark"})  # fmt: skip
        unjudged: Any = Rooms(self.fleet, self.news, Config())
        self.assertIsNone(Cameras(unjudged, nothing, nothing, lambda _: 0).card(camera)["poor"])
        self.news.tell(Kind.GOOD, TRAP, "its photos are good again")
        self.assertIsNone(cameras.card(camera)["poor"])
