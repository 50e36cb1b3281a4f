"""The daemon and the firmware say and read the same bytes: both are held to the same recordings."""

import json
from pathlib import Path
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from camd.photo import Boot, CameraId, Reason, Trigger
from camd.wire import messages as m
from camd.wire.jpeg import measure
from camd.wire.seal import Opening, Seal
from camd.wire.v2 import Header, Message, Reader, Writer
from tests.streams import pieces

HERE = Path(__file__).parent / "vectors"
EARLIER = Boot("fedcba9876543210")
SHA256 = "c3bf47ea1f4a4a605470313cacb3a44f4a461f68c6faeab07e737610cb5ac835"


class Recording(NamedTuple):
    """What one side said, by name and in its order."""

    camera: CameraId
    boot: Boot
    nonce: str
    challenge: str
    key: bytes
    names: list[str]
    said: list[bytes]

    @classmethod
    def of(cls, name: str) -> "Recording":
        told = json.loads((HERE / f"{name}.json").read_text("ascii"))
        return cls(
            CameraId(told["cam"]),
            Boot(told["boot"]),
            told["nonce"],
            told["challenge"],
            bytes.fromhex(told["key"]),
            [message["name"] for message in told["messages"]],
            [bytes.fromhex(message["bytes"]) for message in told["messages"]],
        )

    @property
    def opening(self) -> Opening:
        return Opening(self.camera, self.boot, self.nonce, self.challenge)

    def seal(self, side: str, count: int) -> Seal | None:
        return Seal(self.opening.session_key(self.key), side, count) if self.key else None


def read(recording: Recording, side: str, plain: int, count: int, cut: int) -> list[Message]:
    """The recording's messages; the first *plain* are neither sealed nor followed by payloads."""
    reader = Reader(400_000)
    messages: list[Message] = []
    for segment in pieces(b"".join(recording.said), [cut]):
        reader.receive_data(segment)
        while True:
            if len(messages) == plain:
                reader.payloads = True
                reader.seal = reader.seal or recording.seal(side, count)
            event = reader.next_event()
            if event is None:
                break
            if isinstance(event, Message):
                messages.append(event)
            else:
                assert isinstance(event, Header)
    return messages


class TheBoard(SynchronousTestCase):
    def read(self, name: str, cut: int) -> tuple[Recording, list[Message]]:
        recording = Recording.of(name)
        messages = read(recording, "board", 2 if recording.key else 1, 1, cut)
        self.assertEqual(len(messages), len(recording.said))
        return recording, messages

    def test_read(self) -> None:
        """Every message of the firmware's is read for what it is, sealed or not, in any cut."""
        for name in "board_plain", "board_sealed":
            for cut in 1, 7, 100_000:
                recording, messages = self.read(name, cut)
                told = dict(zip(recording.names, messages, strict=True))
                self.check(recording, told)

    def check(self, recording: Recording, told: dict[str, Message]) -> None:
        hello = m.Hello(
            recording.camera, recording.boot, recording.nonce, "2.0",
            "AI-Thinker 100% K\u00e4se", ("set", "snap", "stream", "reboot", "update"),
        )  # fmt: skip
        self.assertEqual(m.parse_hello(told["HELLO"].line), hello)
        if recording.key:
            auth = m.parse_auth(told["AUTH"].line)
            self.assertTrue(recording.opening.auth_fits(recording.key, auth))
        stat = {
            "rssi": -67, "vbat": 3.905, "temp": -2.5, "heap": 112340, "uptime": 86461,
            "queued": 3, "lost": 0, "reset": "brownout",
        }  # fmt: skip
        self.assertEqual(m.parse_stat(told["STAT"].line), stat)
        for name, seq, taken, trigger, boot in (
            ("FRAME", 1, 1767225600.123, Trigger.BOOT, None),
            ("FRAME of an earlier boot", 4_294_967_295, 1767139200.0, Trigger.MOTION, EARLIER),
            ("FRAME without a time", 7, None, Trigger.TIMER, EARLIER),
        ):
            head, payload = m.parse_frame(told[name].line), told[name].payload
            assert payload is not None
            self.assertEqual(head, m.Frame(seq, payload.size, payload.crc, taken, trigger, boot))
            self.assertEqual(measure(payload.chunks), (16, 16))
        view = told["VIEW"]
        assert view.payload is not None
        self.assertEqual(m.parse_view(view.line), view.payload.crc)
        self.assertEqual(measure(view.payload.chunks), (16, 16))
        self.assertEqual(m.parse_ping(told["PING"].line), "")
        self.assertEqual(m.parse_ping(told["PING with a word"].line), "k%3D1")
        self.assertEqual(m.parse_ping(told["PONG"].line), "17")
        self.assertEqual(m.parse_done(told["DONE"].line), m.Done(12))
        self.assertEqual(m.parse_done(told["DONE of a SNAP"].line), m.Done(13, {"seq": "2"}))
        self.assertEqual(m.parse_fail(told["FAIL"].line), m.Fail(14, "range:quality"))
        self.assertEqual(m.parse_bye(told["BYE"].line), 600)
        self.assertIsNone(m.parse_bye(told["BYE for good"].line))

    def test_said_again(self) -> None:
        """What the board said, camd's own board says in the same bytes."""
        for name in "board_plain", "board_sealed":
            recording, messages = self.read(name, 100_000)
            writer = Writer()
            for said, message in zip(recording.said, messages, strict=True):
                line = message.line
                composed = {
                    "FRAME": lambda line=line: m.frame(m.parse_frame(line)),
                    "STAT": lambda line=line: m.stat(m.parse_stat(line)),
                    "DONE": lambda line=line: m.done(m.parse_done(line)),
                    "PING": lambda line=line: m.ping(m.parse_ping(line)),
                    "PONG": lambda line=line: m.pong(m.parse_ping(line)),
                    "BYE": lambda line=line: m.bye(m.parse_bye(line)),
                    "AUTH": lambda line=line: m.auth(m.parse_auth(line)),
                }.get(line.verb, lambda said=said: said.split(b"\n")[0].split(b" mac=")[0])()
                payload = b"".join(message.payload.chunks) if message.payload else b""
                self.assertEqual(writer.line(composed, payload), said)
                if line.verb == ("AUTH" if recording.key else "HELLO"):
                    writer.seal = recording.seal("board", 1)


class Camd(SynchronousTestCase):
    def lines(self, recording: Recording) -> list[tuple[bytes, bytes]]:
        proof = recording.opening.proof(recording.key) if recording.key else None
        camd_says = [
            m.welcome(m.Welcome(1767225600.0, 41, 4, 400_000, proof)),
            m.ack(1),
            m.ack(4_294_967_295, EARLIER),
            m.nak(2, Reason.BUSY, 1.5),
            m.nak(7, Reason.CONFLICT, boot=EARLIER),
            m.settings(12, {"framesize": "vga", "quality": 12, "brightness": -1, "interval": 2.5}),
            m.snap(13, flash=True),
            m.stream(14, 5),
            m.stream(15, 0),
            m.reboot(16),
            m.update(17, "https://camd.example/fw a.bin", SHA256),
            m.ping(),
            m.ping("k%3D1"),
            m.pong("17"),
        ]
        said = [(line, b"") for line in camd_says]
        said.append((b"HINT kind=text len=12", b"PING\nACK 1\n\xff"))
        said += [(m.err("verb"), b""), (m.err("taken"), b"")]
        return said

    def test_to_the_byte(self) -> None:
        """What camd says is what the specification's recording says, byte for byte."""
        for name in "camd_plain", "camd_sealed":
            recording = Recording.of(name)
            writer = Writer()
            says = []
            if recording.key:
                says.append(writer.line(m.challenge(recording.challenge)))
                writer.seal = recording.seal("camd", 0)
            says += [writer.line(line, payload) for line, payload in self.lines(recording)]
            self.assertEqual(says, recording.said)

    def test_read(self) -> None:
        """A board that is written with this module reads all of it, in any cut."""
        for name in "camd_plain", "camd_sealed":
            recording = Recording.of(name)
            keyed = bool(recording.key)
            for cut in 1, 7, 100_000:
                messages = read(recording, "camd", int(keyed), 0, cut)
                self.assertEqual(len(messages), len(recording.said))
                if keyed:
                    self.assertEqual(m.parse_challenge(messages[0].line), recording.challenge)
                welcome = m.parse_welcome(messages[int(keyed)].line)
                self.assertEqual((welcome.last, welcome.window, welcome.most), (41, 4, 400_000))
                if keyed:
                    assert welcome.proof is not None
                    fits = recording.opening.proof_fits(recording.key, welcome.proof)
                    self.assertTrue(fits)
