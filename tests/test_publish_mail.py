"""Alerts by mail, handed to a real SMTP server."""

import email
import email.policy
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import formatEvent, globalLogPublisher

from camd.config import CameraEntry, Seconds, Secret
from camd.config.telling import AlertEntry, MailConfig
from camd.config.when import read_when
from camd.publish import Publisher
from tests.fake_boards import certificates
from tests.publish_world import QUICK, TRAP, Mailbox, PublishCase, reactor, true

RULES = (AlertEntry(read_when("battery < 3.5"), name="Flat"),)


class MailCase(PublishCase):
    """A flat battery, told by mail."""

    def mail(self, box: Mailbox, **more: Any) -> MailConfig:
        settings: dict[str, Any] = {"tls": "none", "timeout": Seconds(2.0), **more}
        return MailConfig(
            "127.0.0.1", box.port, sender="camd@example.org", to=("me@example.org",), **settings
        )

    async def flat(self, mail: MailConfig, **changes: Any) -> Publisher:
        camera = CameraEntry(TRAP, name="North dôor")
        publisher = self.publisher(mail=mail, alert=RULES, camera=(camera,), **changes)
        await self.begun(publisher)
        publisher.fleet.told(self.camera(publisher), {"vbat": 3.4})
        await publisher.alerts.look()
        return publisher

    async def test_plain(self) -> None:
        """The mail says which camera and which rule, and comes from and to whom it should."""
        box = Mailbox().open(self)
        await self.flat(self.mail(box))
        await true(lambda: box.mails)
        ((sender, to, text),) = box.mails
        self.assertEqual((sender, to), ("camd@example.org", "me@example.org"))
        said = email.message_from_string(text, policy=email.policy.default)
        self.assertEqual(said["Subject"], "[camd] North dôor: Flat")
        self.assertEqual((said["From"], said["To"]), (sender, to))
        body = said.get_content()  # type: ignore[attr-defined]
        for words in (
            "North dôor: Flat: battery 3.4 V", "rule: battery < 3.5",
            "https://cameras.example.org/cameras/trap/latest.jpg",
        ):  # fmt: skip
            self.assertIn(words, body)

    async def test_refused(self) -> None:
        """A server that does not take it is asked again; one that never does leaves it among those
        that were given up."""
        box = Mailbox(refuse=[451, 550]).open(self)
        publisher = await self.flat(self.mail(box))
        await true(lambda: box.mails)
        self.assertEqual(box.refuse, [])
        publisher.stop()
        box.refuse = [550] * 9
        self.config = evolve(self.config, publish=evolve(QUICK, tries=2))
        publisher = self.publisher()
        await self.begun(publisher)
        publisher.fleet.told(self.camera(publisher), {"vbat": 3.9})
        await publisher.alerts.look()
        await true(lambda: len(box.refuse) == 7)
        dead: list[dict[str, Any]] = []
        while not dead:
            dead = (await publisher.state())["dead"]
        self.assertIn("550", dead[0]["why"])

    async def test_stranger(self) -> None:
        """For whom the server takes nothing, while it does for others, is a line in the log."""
        box = Mailbox(strangers=["you@example.org"]).open(self)
        mail = evolve(self.mail(box), to=("me@example.org", "you@example.org"))
        said: list[str] = []

        def hear(event: Any) -> None:
            said.append(formatEvent(event))

        globalLogPublisher.addObserver(hear)
        self.addCleanup(globalLogPublisher.removeObserver, hear)
        await self.flat(mail)
        await true(lambda: box.mails)
        await true(lambda: any("nothing for you@example.org: 550" in line for line in said))
        self.assertEqual([to for _, to, _ in box.mails], ["me@example.org"])

    async def test_starttls(self) -> None:
        """TLS is begun where it is wished, the server's certificate verified; a server without it
        gets nothing."""
        directory = Path(self.mktemp())
        directory.mkdir()
        right, wrong = certificates(directory)
        publish = evolve(QUICK, ca=directory / "ca.pem")
        for context, at_once, taken in (
            (right, False, True), (wrong, False, False), (None, False, False),
            (right, True, True), (wrong, True, False),
        ):  # fmt: skip
            box = Mailbox().open(self, context, at_once)
            mail = self.mail(box, tls="tls" if at_once else "starttls")
            publisher = await self.flat(mail, publish=publish)
            lane = publisher.courier.lanes["mail"]
            await true(lambda lane=lane: lane.delivered or lane.failures)  # type: ignore[misc]
            self.assertEqual(bool(box.mails), taken, (context, at_once, lane.why))
            publisher.stop()
            (self.folder.own / "outbox.sqlite").unlink()

    async def test_nobody(self) -> None:
        """Where no server is, that is said in words."""
        port = reactor.listenTCP(0, Factory.forProtocol(Protocol), interface="127.0.0.1")
        number = port.getHost().port
        await port.stopListening()
        mail = MailConfig("127.0.0.1", number, "none", sender="a@b.c", to=("d@e.f",))
        publisher = await self.flat(mail)
        lane = publisher.courier.lanes["mail"]
        await true(lambda: lane.failures)
        self.assertRegex(lane.why, r"^127\.0\.0\.1: [A-Z].*Connection refused$")

    async def test_hangs(self) -> None:
        """A server that says nothing costs no more than its time."""
        factory = Factory.forProtocol(Protocol)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        mail = MailConfig(
            "127.0.0.1", port.getHost().port, "none", sender="a@b.c", to=("d@e.f",),
            timeout=Seconds(0.2),
        )  # fmt: skip
        publisher = await self.flat(mail)
        lane = publisher.courier.lanes["mail"]
        await true(lambda: lane.failures)
        self.assertIn("in time", lane.why)

    async def test_no_password_wanted(self) -> None:
        """A server that wants no password does not get one."""
        box = Mailbox().open(self)
        mail = self.mail(box, user="camd", password=Secret("hunter2"))
        publisher = await self.flat(mail)
        lane = publisher.courier.lanes["mail"]
        await true(lambda: lane.failures)
        self.assertEqual(box.mails, [])
        self.assertNotIn("hunter2", lane.why)
