"""Hooks, posted to a real receiver that fails now and then: nothing is lost or in the way."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from threading import Event
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import deferLater
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request

from camd.config import CameraEntry, Seconds, Secret
from camd.config.telling import AlertEntry, WebhookEntry
from camd.config.when import read_when
from camd.findings import Box, Detection, Findings
from camd.news import Item, Kind
from camd.photo import CameraId, Reason
from camd.plain import plain
from camd.publish import Publisher, PublishError, courier
from camd.publish import publisher as publisher_
from camd.publish.letter import Alert, Letter
from camd.publish.webhook import body, retry_after, signature, target_of
from tests.fake_boards import certificates
from tests.publish_world import (
    NOW,
    QUICK,
    TRAP,
    PublishCase,
    Receiver,
    findings,
    reactor,
    receipt,
    true,
)

ALL = ("photo", "found", "silent", "back", "alert", "refused")


class HookCase(PublishCase):
    """Receivers, and publishers that tell them."""

    def setUp(self) -> None:
        super().setUp()
        self.receiver = Receiver().open(self)

    def hook(self, receiver: Receiver | None = None, **more: Any) -> WebhookEntry:
        settings: dict[str, Any] = {"events": ALL, "timeout": Seconds(1.0), **more}
        return WebhookEntry((receiver or self.receiver).url, **settings)

    def tell(self, publisher: Publisher, text: str, kind: Kind = Kind.SILENT) -> Item:
        return publisher.news.tell(kind, TRAP, text)

    def texts(self, receiver: Receiver | None = None) -> list[str]:
        return [post.json["data"]["text"] for post in (receiver or self.receiver).posts]

    @staticmethod
    def failures(publisher: Publisher, target: str) -> int:
        lane = publisher.courier.lanes.get(target)
        return 0 if lane is None else lane.failures

    async def dead(self, publisher: Publisher) -> list[dict[str, Any]]:
        return (await publisher.state())["dead"]  # type: ignore[no-any-return]


class Posting(HookCase):
    """What comes, and how."""

    async def test_photo(self) -> None:
        """A photo is told whole, with where it can be seen, and signed."""
        secret = "whsec_" + base64.b64encode(b"k" * 24).decode()
        camera = CameraEntry(TRAP, name="North door")
        hook = self.hook(secret=Secret(secret))
        publisher = self.publisher(webhook=(hook,), camera=(camera,))
        publisher.news.tell(Kind.PHOTO, TRAP, "trap/x.jpg", receipt(7))
        await true(lambda: self.receiver.posts)
        (post,) = self.receiver.posts
        self.assertEqual((post.path, post.fields["content-type"]), ("/hook", "application/json"))
        signed = b"%s.%s.%s" % (
            post.fields["webhook-id"].encode(), post.fields["webhook-timestamp"].encode(),
            post.body,
        )  # fmt: skip
        mac = base64.b64encode(hmac.new(b"k" * 24, signed, hashlib.sha256).digest()).decode()
        self.assertEqual(post.fields["webhook-signature"], f"v1,{mac}")
        self.assertLess(abs(int(post.fields["webhook-timestamp"]) - post.when), 5)
        said = post.json
        self.assertEqual(said["type"], "photo")
        self.assertEqual(said["data"]["camera"], "trap")
        self.assertEqual(said["data"]["name"], "North door")
        self.assertEqual(
            said["data"]["photo"],
            {"id": "trap~00c0ffee00c0ffee-7", "path": "trap/x.jpg", "size": 1234, "width": 640,
             "height": 480, "taken": "2026-08-15T22:15:03.000Z"},
        )  # fmt: skip
        self.assertEqual(
            said["data"]["url"],
            "https://cameras.example.org/api/v1/photos/trap~00c0ffee00c0ffee-7/image",
        )

    async def test_unsaid(self) -> None:
        """What is delivered is not a line in the log each time."""
        lines: list[str] = []

        def hear(event: dict[str, Any]) -> None:
            if "twisted.web" in event.get("log_namespace", ""):
                lines.append(str(event.get("log_format")))

        globalLogPublisher.addObserver(hear)
        self.addCleanup(globalLogPublisher.removeObserver, hear)
        publisher = self.publisher(webhook=(self.hook(),))
        await self.begun(publisher)
        self.tell(publisher, "one")
        await true(lambda: publisher.delivered.get(target_of(self.hook())))
        self.assertEqual(lines, [])

    async def test_findings(self) -> None:
        """What was found is told by class, with boxes, and what is new."""
        publisher = self.publisher(webhook=(self.hook(),))
        publisher.news.tell(
            Kind.FOUND, TRAP, "2 whitefly", photo=receipt(7).key,
            findings=findings("whitefly", "whitefly"),
        )  # fmt: skip
        await true(lambda: self.receiver.posts)
        data = self.receiver.posts[0].json["data"]
        self.assertEqual(data["photo"], {"id": "trap~00c0ffee00c0ffee-7"})
        self.assertEqual(data["findings"]["fresh"], {"whitefly": 2})
        self.assertEqual(data["findings"]["detections"][0]["box"], [0.1, 0.1, 0.2, 0.2])

    async def test_who_hears(self) -> None:
        """Each hook hears of its own events and cameras, and where nobody does no file is made."""
        other = Receiver().open(self)
        publisher = self.publisher(
            webhook=(
                self.hook(cameras=(TRAP,)),
                self.hook(other, events=("back",), name="other"),
            )
        )
        publisher.news.tell(Kind.SILENT, CameraId("elsewhere"), "one")
        self.tell(publisher, "two")
        self.tell(publisher, "three", Kind.BACK)
        self.tell(publisher, "four", Kind.STAT)
        await true(lambda: len(self.receiver.posts) == 2 and other.posts)
        self.assertEqual(self.texts(), ["two", "three"])
        self.assertEqual(self.texts(other), ["three"])

    async def test_nobody(self) -> None:
        """Without a hook, a broker or a rule nothing runs, and nothing is written."""
        publisher = self.publisher()
        self.tell(publisher, "one")
        self.assertEqual((await publisher.state())["targets"], [])
        publisher.stop()
        self.assertEqual(list(self.folder.own.iterdir()), [])

    async def test_order(self) -> None:
        """What was told first comes first, though the receiver is away in between."""
        self.receiver.answers = [204, 503, 503]
        publisher = self.publisher(webhook=(self.hook(),))
        for number in range(8):
            self.tell(publisher, str(number))
        await true(lambda: len(self.receiver.posts) == 10)
        self.assertEqual(self.texts(), ["0", "1", "1", "1", "2", "3", "4", "5", "6", "7"])
        names = [post.fields["webhook-id"] for post in self.receiver.posts]
        self.assertEqual(len(set(names)), 8, "a repetition can be told by its id")

    async def test_tls(self) -> None:
        """An https hook is verified: by the authority that is named, and by name."""
        directory = Path(self.mktemp())
        directory.mkdir()
        right, wrong = certificates(directory)
        receivers = [Receiver().open(self, context) for context in (right, wrong)]
        hooks = [
            evolve(self.hook(each, name=f"h{n}"), url=f"https://127.0.0.1:{each.port}/")
            for n, each in enumerate(receivers)
        ]
        publisher = self.publisher(
            webhook=tuple(hooks), publish=evolve(QUICK, ca=directory / "ca.pem", tries=1)
        )
        self.tell(publisher, "one")
        await true(lambda: receivers[0].posts and self.failures(publisher, "webhook-h1"))
        self.assertIn("certificate", publisher.courier.lanes["webhook-h1"].why)
        self.assertEqual(receivers[1].posts, [])


class Failing(HookCase):
    """Receivers that do not take what comes."""

    async def test_tries(self) -> None:
        """What is refused is tried again, a bounded number of times, then kept; by hand once
        more; what comes behind it is not held up."""
        self.receiver.answers = [500, 204, 500, 500, 500, 500]
        publisher = self.publisher(webhook=(self.hook(),))
        self.tell(publisher, "one")
        self.tell(publisher, "two")
        await true(lambda: len(self.receiver.posts) == 6)
        self.assertEqual(self.texts(), ["one", "two", "one", "one", "one", "one"])
        await deferLater(reactor, 0.1)
        (dead,) = await self.dead(publisher)
        self.assertEqual((dead["tries"], dead["kind"]), (5, "silent"))
        self.assertIn("answered 500", dead["why"])
        self.assertTrue(await publisher.retry(dead["id"]))
        await true(lambda: len(self.receiver.posts) == 7)
        ids = {post.fields["webhook-id"] for post in self.receiver.posts}
        self.assertEqual((len(ids), self.texts()[-1]), (2, "one"))
        self.assertFalse(await publisher.retry(dead["id"]))

    async def test_discard(self) -> None:
        """What was given up can be forgotten."""
        self.receiver.answers = [400]
        publisher = self.publisher(webhook=(self.hook(),), publish=evolve(QUICK, tries=1))
        self.tell(publisher, "one")
        await true(lambda: self.receiver.posts)
        await deferLater(reactor, 0.1)
        (dead,) = await self.dead(publisher)
        self.assertTrue(await publisher.discard(dead["id"]))
        self.assertFalse(await publisher.discard(dead["id"]))
        self.assertEqual(await self.dead(publisher), [])

    async def test_retry_after(self) -> None:
        """A receiver that says when to come again is left alone until then."""
        self.receiver.answers = [429]
        self.receiver.fields = {"Retry-After": "1"}
        publisher = self.publisher(webhook=(self.hook(),))
        self.tell(publisher, "one")
        self.tell(publisher, "two")
        await true(lambda: len(self.receiver.posts) == 3)
        self.assertEqual(self.texts(), ["one", "one", "two"])
        first, again, _ = self.receiver.posts
        self.assertGreaterEqual(again.when - first.when, 0.99)

    async def test_gone(self) -> None:
        """410 is the end: nothing more is sent, over a restart too, until somebody tries again
        by hand or the address changes."""
        self.receiver.answers = [410]
        hook = self.hook(name="phone")
        publisher = self.publisher(webhook=(hook,))
        self.tell(publisher, "one")
        self.tell(publisher, "two")
        await true(lambda: self.receiver.posts and not publisher.courier.lanes)
        self.tell(publisher, "three")
        state = await publisher.state()
        self.assertEqual([each["gone"] for each in state["targets"]], [True])
        self.assertEqual(len(state["dead"]), 2)
        publisher.stop()
        publisher = self.publisher()
        await self.begun(publisher)
        self.tell(publisher, "four")
        await deferLater(reactor, 0.3)
        self.assertEqual(self.texts(), ["one"])
        dead = (await self.dead(publisher))[0]
        self.assertTrue(await publisher.retry(dead["id"]))
        self.tell(publisher, "five")
        await true(lambda: len(self.receiver.posts) == 3)
        self.assertEqual(self.texts()[-1], "five")

    async def test_gone_slow_disk(self) -> None:
        """What waits behind a 410 is not sent, however long the disk takes to give it up; tried
        again by hand meanwhile, it is."""
        self.receiver.answers = [410]
        publisher = self.publisher(webhook=(self.hook(),))
        outbox, burying = publisher.courier.outbox, Event()
        self.addCleanup(burying.set)
        bury = outbox.bury

        def slowly(*what: Any) -> int:
            burying.wait(5)
            return bury(*what)

        await self.begun(publisher)
        self.patch(outbox, "bury", slowly)
        self.tell(publisher, "one")
        self.tell(publisher, "two")
        await true(lambda: self.receiver.posts)
        await deferLater(reactor, 0.3)
        self.assertEqual(self.texts(), ["one"])
        publisher.retry(1)
        burying.set()
        await true(lambda: len(self.receiver.posts) == 2)
        self.assertEqual(self.texts(), ["one", "one"])
        (dead,) = await self.dead(publisher)
        self.assertEqual(dead["why"], f"127.0.0.1:{self.receiver.port} answered 410")

    async def test_hangs(self) -> None:
        """A receiver that never answers costs its own time only; one that redirects is not
        followed; an answer without end is cut off, and counts by its status."""
        hanging, redirecting, endless = (Receiver().open(self) for _ in range(3))
        hanging.answers = [lambda request: None] * 9
        redirecting.answers = [302]
        redirecting.fields = {"Location": self.receiver.url}

        def pour(request: Request) -> None:
            request.setResponseCode(200)
            for _ in range(40):
                request.write(b"x" * 10_000)

        endless.answers = [pour]
        hooks = tuple(
            self.hook(each, name=f"h{number}", timeout=Seconds(0.3))
            for number, each in enumerate((hanging, redirecting, endless, self.receiver))
        )
        publisher = self.publisher(webhook=hooks)
        for number in range(5):
            self.tell(publisher, str(number))
        others = (redirecting, endless, self.receiver)
        await true(lambda: all(len(set(self.texts(each))) == 5 for each in others))
        self.assertEqual(set(self.texts(hanging)), {"0"})
        self.assertEqual(len(redirecting.posts), 6)
        self.assertEqual(len(endless.posts), 5)
        await true(lambda: len(hanging.posts) == 2)
        self.assertIn("did not answer", publisher.courier.lanes["webhook-h0"].why)

    async def test_away(self) -> None:
        """What could not be told, as nobody was there, is told by the next process."""
        hook = evolve(self.hook(name="phone"), url="http://127.0.0.1:1/hook")
        publisher = self.publisher(webhook=(hook,))
        for number in range(5):
            self.tell(publisher, str(number))
        await true(lambda: self.failures(publisher, "webhook-phone"))
        self.tell(publisher, "last")
        publisher.stop()
        self.publisher(webhook=(self.hook(name="phone"),))
        await true(lambda: len(self.receiver.posts) == 6)
        self.assertEqual(self.texts(), ["0", "1", "2", "3", "4", "last"])

    async def test_stopped_at_once(self) -> None:
        """What is told in the last moment, even behind the stop, is on the disk."""
        publisher = self.publisher(webhook=(self.hook(),))
        self.tell(publisher, "one")
        publisher.stop()
        self.tell(publisher, "two")
        publisher.stop()
        self.publisher()
        await true(lambda: len(self.receiver.posts) == 2)
        self.assertEqual(self.texts(), ["one", "two"])

    async def test_disk(self) -> None:
        """While the outbox cannot be written what is to be told waits in memory."""
        blocked = self.folder.own / "outbox.sqlite"
        blocked.mkdir()
        self.patch(courier, "AGAIN", 0.05)
        self.patch(publisher_, "AGAIN", 0.05)
        publisher = self.publisher(webhook=(self.hook(),))
        self.tell(publisher, "one")
        await deferLater(reactor, 0.4)
        self.assertEqual(self.receiver.posts, [])
        blocked.rmdir()
        await true(lambda: self.receiver.posts)
        self.assertEqual(self.texts(), ["one"])

    async def test_what_cannot_be_said(self) -> None:
        """What no JSON can hold is logged, and costs nothing that was told beside it."""
        publisher = self.publisher(webhook=(self.hook(),))
        box = Box(float("nan"), 0.0, 0.1, 0.1)
        wrong = Findings(valid=(Detection("whitefly", 0.9, box),))
        self.tell(publisher, "one")
        publisher.news.tell(Kind.FOUND, TRAP, "found", findings=wrong)
        self.tell(publisher, "two")
        await true(lambda: len(self.receiver.posts) == 2)
        self.assertEqual(self.texts(), ["one", "two"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    async def test_no_more(self) -> None:
        """What waits for a hook that is configured no more is given up, and shown."""
        hook = evolve(self.hook(name="old"), url="http://127.0.0.1:1/hook")
        publisher = self.publisher(webhook=(hook,))
        self.tell(publisher, "one")
        await true(lambda: self.failures(publisher, "webhook-old"))
        self.config = evolve(self.config, webhook=(self.hook(name="new"),))
        publisher.sync()
        self.tell(publisher, "two")
        await true(lambda: self.receiver.posts)
        self.assertEqual(self.texts(), ["two"])
        (dead,) = await self.dead(publisher)
        self.assertEqual(dead["why"], "its target is not configured any more")


class Alerting(HookCase):
    """Alerts by hooks."""

    async def test_ways(self) -> None:
        """An alert goes where its rule says, and is news to all others."""
        other = Receiver().open(self)
        rules = (
            AlertEntry(read_when("battery < 3.5"), name="Flat", to=("other",)),
            AlertEntry(read_when("signal < -85")),
        )
        publisher = self.publisher(
            webhook=(self.hook(name="one"), self.hook(other, name="other", events=("photo",))),
            alert=rules,
        )
        await self.begun(publisher)
        camera = self.camera(publisher)
        publisher.fleet.told(camera, {"vbat": 3.4, "rssi": -90})
        await publisher.alerts.look()
        await true(lambda: self.receiver.posts and other.posts)
        self.assertEqual(self.texts(), ["signal -90 dBm"])
        self.assertEqual(self.texts(other), ["Flat: battery 3.4 V"])
        alert = other.posts[0].json["data"]["alert"]
        self.assertEqual(alert, {"name": "Flat", "rule": "battery < 3.5", "over": False})
        told = [item.text for item in publisher.news.recent() if item.kind is Kind.ALERT]
        self.assertEqual(told, ["Flat: battery 3.4 V", "signal -90 dBm"])

    async def test_looks(self) -> None:
        """How often it is looked can change while camd runs."""
        publisher = self.publisher(
            webhook=(self.hook(),), alert=(AlertEntry(read_when("battery < 3.5")),),
            publish=evolve(QUICK, look=Seconds(3600.0)),
        )  # fmt: skip
        await self.begun(publisher)
        publisher.fleet.told(self.camera(publisher), {"vbat": 3.4})
        self.config = evolve(self.config, publish=QUICK)
        publisher.sync()
        await true(lambda: self.receiver.posts)
        self.assertEqual(self.texts(), ["battery 3.4 V"])

    async def test_many(self) -> None:
        """What very many cameras have to say comes in one; who is told of some hears of those."""
        other = Receiver().open(self)
        publisher = self.publisher(
            webhook=(self.hook(name="all"), self.hook(other, name="some", cameras=("c5", "c6"))),
            alert=(AlertEntry(read_when("battery < 3.5"), name="Flat"),),
        )
        await self.begun(publisher)
        for number in range(30):
            camera = self.camera(publisher, CameraId(f"c{number}"))
            publisher.fleet.told(camera, {"vbat": 3.4})
        await publisher.alerts.look()
        await true(lambda: self.receiver.posts and other.posts)
        self.assertEqual(
            self.texts(other), ["Flat: 2 cameras: c5 (battery 3.4 V), c6 (battery 3.4 V)"]
        )
        data = self.receiver.posts[0].json["data"]
        self.assertIsNone(data["camera"])
        self.assertEqual(data["alert"]["count"], 30)
        self.assertEqual(data["alert"]["cameras"], [f"c{number}" for number in range(30)])
        self.assertIn(" and 10 more", data["text"])
        self.assertEqual(len([i for i in publisher.news.recent(99) if i.kind is Kind.ALERT]), 1)

    async def test_restart(self) -> None:
        """An alert that was told is not told again by the next process."""
        rules = (AlertEntry(read_when("silent > 1 h")),)
        publisher = self.publisher(webhook=(self.hook(),), alert=rules)
        await self.begun(publisher)
        for _ in range(2):
            self.camera(publisher, last_photo=NOW - 10**6)
            publisher.alerts._started = NOW - 10**6
            await publisher.alerts.look()
            await true(lambda: self.receiver.posts)
            publisher.stop()
            publisher = self.publisher()
            await self.begun(publisher)
        await deferLater(reactor, 0.3)
        # The stop may have come before the answer: then the same is told once more, by its name.
        self.assertEqual(len({post.fields["webhook-id"] for post in self.receiver.posts}), 1)


class Wording(SynchronousTestCase):
    """Bodies, signatures and times."""

    LETTER = Letter(
        "msg_1", "alert", NOW, TRAP, "North <door>", "no photo & no sign", "http://cam",
        alert=Alert("a", "silent", TRAP, "no photo"),
    )  # fmt: skip

    def test_signature(self) -> None:
        """A signature is the one that the specification's own example has."""
        self.assertEqual(
            signature(
                "whsec_plJ3nmyCDGBKInavdOK15jsl", "msg_loFOjxBNrRLzqYUf", 1731705121,
                b'{"event_type":"ping","data":{"success":true}}',
            ),
            "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
        )  # fmt: skip

    def test_formats(self) -> None:
        """Services that show a line for people get one, as each of them takes it."""
        line = "North <door>: no photo & no sign"
        for format, made in (
            ("slack", {"text": "North &lt;door>: no photo &amp; no sign\nhttp://cam"}),
            ("discord", {"content": f"{line}\nhttp://cam", "allowed_mentions": {"parse": []}}),
        ):
            hook = WebhookEntry("http://x", format=format)  # type: ignore[arg-type]
            self.assertEqual(json.loads(body(hook, self.LETTER)), made)
        hook = WebhookEntry("http://x", format="ntfy", links=False)
        self.assertEqual(body(hook, self.LETTER), line)

    @given(st.text(max_size=3000))
    def test_any_text(self, text: str) -> None:
        """Whatever a board says, what is told is one line, and JSON."""
        item = Item(1, NOW, Kind.REFUSED, TRAP, text, reason=Reason.JPEG)
        letter = Letter("msg_1", "refused", NOW, TRAP, "", text, item=item)
        self.assertEqual(json.loads(letter.json())["data"]["reason"], "jpeg")
        self.assertTrue(letter.line.isprintable())
        self.assertTrue(plain(text).isprintable())

    def test_retry_after(self) -> None:
        """Seconds or a date; nonsense is none."""
        self.assertEqual(retry_after("120", NOW), 120.0)
        self.assertEqual(retry_after("Sat, 15 Aug 2026 22:15:13 GMT", NOW), 10.0)
        self.assertEqual(retry_after("Sat, 15 Aug 2020 22:15:13 GMT", NOW), 0.0)
        for text in (None, "", "soon", "-1", "9" * 20, "Sat, 99 Aug 2026 22:15:13 GMT"):
            self.assertIsNone(retry_after(text, NOW), text)

    def test_targets(self) -> None:
        """A hook keeps its own, by name or by address, wherever it stands in the file."""
        one = WebhookEntry("http://x")
        self.assertEqual(target_of(one), target_of(evolve(one, events=())))
        self.assertNotEqual(target_of(one), target_of(WebhookEntry("http://y")))
        self.assertEqual(target_of(evolve(one, name="phone")), "webhook-phone")


class Preparing(PublishCase):
    """What is wrong with the files that the configuration names."""

    def test_files(self) -> None:
        """A secret or authorities that cannot be read are one line at the start."""
        nothing, empty, wrong = (Path(self.mktemp()) for _ in range(3))
        empty.write_text(" \n")
        wrong.write_text("whsec_no-base64\n")
        for changes, words in (
            *(
                ({"webhook": (WebhookEntry("http://x", secret_file=path),)}, words)
                for path, words in (
                    (nothing, "webhook.secret_file"),
                    (empty, "there is nothing in it"),
                    (wrong, "what is behind whsec_ is no base64"),
                )
            ),
            (
                {"webhook": (WebhookEntry("http://x", secret=Secret("whsec_"), name="phone"),)},
                "webhook.secret: that of phone: what is behind whsec_",
            ),
            ({"publish": evolve(QUICK, ca=nothing)}, "publish.ca"),
        ):
            error = self.assertRaises(PublishError, self.publisher, **changes)
            self.assertIn(words, str(error))
            self.assertNotIn("\n", str(error))
            self.assertNotIn("no-base64", str(error))
            self.config = evolve(self.config, webhook=(), publish=QUICK)

    async def test_reload(self) -> None:
        """Found wrong while it runs, what is told stays as it was."""
        receiver = Receiver().open(self)
        hook = WebhookEntry(receiver.url, events=("silent",))
        publisher = self.publisher(webhook=(hook,))
        self.config = evolve(self.config, webhook=(evolve(hook, secret_file=Path(self.mktemp())),))
        publisher.sync()
        publisher.news.tell(Kind.SILENT, TRAP, "one")
        await true(lambda: receiver.posts)
