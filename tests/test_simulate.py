"""Simulated boards keep their promises, and the ledger keeps account of camd's.

The camd here is a small honest one over real sockets, built on the same wire module, which can
be told to misbehave.
"""

import json
import os
import resource
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from attrs import define, evolve, field
from click.testing import CliRunner
from twisted.internet import protocol, reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

import camd as camd_package
from camd.authority import client_context, create, server_context
from camd.cli.simulate import simulate
from camd.photo import Reason
from camd.pictures import Album
from camd.simulate import Ledger, Plan, SimulatedFleet, verify
from camd.simulate.board import Habits
from camd.simulate.board_v1 import BoardV1
from camd.simulate.board_v2 import Patience
from camd.simulate.faults import FAULTS
from camd.simulate.fleet import PlanError
from camd.simulate.ledger import quantile
from camd.simulate.verify import photos_in
from camd.wire import messages, v1, v2
from camd.wire.errors import WireError
from camd.wire.jpeg import NotAJpegError, measure
from camd.wire.line import Line
from camd.wire.seal import Opening, Seal
from tests.patience import true

MOST = 400_000
QUICK = Patience(first_retry=0.05, taken=0.3, auth=None, watch=0.2, stat=0.5)


@define(eq=False)
class HonestCamd(protocol.Factory):
    """Stores what it acknowledges; every knob makes it less honest or less able.

    :ivar refuse: so many photos are refused with *why* before any is stored.
    :ivar drop_before_ack: so many times it stores a photo and hangs up before it says so.
    :ivar forgets: it acknowledges and stores nothing. *doubles*: it stores each photo twice.
    :ivar stall: seconds without progress in a photo, after which it hangs up.
    :ivar hold: seconds that each answer to a v2 photo takes. *most*: photos that waited at once.
    :ivar proves: whether it knows the key; if not, it makes a proof up.
    :ivar at_welcome: commands that every board is given.
    """

    noisy = False

    store: Path
    keys: dict[str, bytes] = field(factory=dict)
    tls: bool = False
    window: int = 4
    refuse: int = 0
    why: Reason = Reason.BUSY
    drop_before_ack: int = 0
    forgets: bool = False
    doubles: bool = False
    stall: float = 1.0
    at_welcome: tuple[bytes, ...] = ()
    newline: bool = True
    hold: float = 0.0
    proves: bool = True
    sessions: dict[str, "HonestProtocol"] = field(factory=dict)
    known: dict[tuple[str, str, int], int] = field(factory=dict)
    heard: Counter[str] = field(factory=Counter)
    heads: list[messages.Frame] = field(factory=list)
    said: list[Line] = field(factory=list)
    open: int = 0
    served: int = 0
    waiting: int = 0
    most: int = 0

    def buildProtocol(self, addr: Any) -> "HonestProtocol":
        return HonestProtocol(self)

    def keep(self, name: str, data: bytes) -> None:
        if self.forgets:
            return
        for again in range(1 + self.doubles):
            self.served += 1
            folder = self.store / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{self.served:06d}-{again}.jpg").write_bytes(data)


class HonestProtocol(protocol.Protocol):
    def __init__(self, camd: HonestCamd) -> None:
        self.camd = camd
        self.first = b""
        self.camera = ""
        self.v1: v1.V1Decoder | None = None
        self.v2: v2.Reader | None = None
        self.writer = v2.Writer()
        self.opening: Opening | None = None
        self.hello: messages.Hello | None = None
        self.stalled: Any = None
        self.dead = False

    def connectionMade(self) -> None:
        self.camd.open += 1

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self.camd.open -= 1
        if self.stalled is not None and self.stalled.active():
            self.stalled.cancel()

    def dataReceived(self, data: bytes) -> None:
        if self.v1 is None and self.v2 is None:
            self.first += data
            if len(self.first) < len(v2.MAGIC):
                return
            if self.first.startswith(v2.MAGIC):
                self.v2 = v2.Reader(4 * MOST)
            else:
                self.v1 = v1.V1Decoder(MOST)
            data = self.first
        if self.v1 is not None:
            self.frames(self.v1, data)
        elif self.v2 is not None:
            self.lines(self.v2, data)

    def progress(self, inside: bool) -> None:
        if self.stalled is not None and self.stalled.active():
            self.stalled.cancel()
        if inside:
            self.stalled = reactor.callLater(self.camd.stall, self.transport.abortConnection)

    def frames(self, decoder: v1.V1Decoder, data: bytes) -> None:
        decoder.receive_data(data)
        while (event := decoder.next_event()) is not None:
            if isinstance(event, v1.Ended):
                self.answer_v1(event)
        self.progress(decoder.in_frame)

    def answer_v1(self, event: v1.Ended) -> None:
        name = "v1-" + self.transport.getPeer().host.replace(".", "-")
        if event.verdict is not v1.Verdict.WHOLE:
            self.transport.write(v1.nak("jpeg"))
        elif self.camd.refuse:
            self.camd.refuse -= 1
            self.transport.write(v1.skip())
        else:
            self.camd.keep(name, b"".join(event.chunks))
            if self.camd.drop_before_ack:
                self.transport.abortConnection()
                return
            self.transport.write(v1.ack() if self.camd.newline else b"ACK")

    def lines(self, reader: v2.Reader, data: bytes) -> None:
        reader.receive_data(data)
        try:
            while not self.dead and (event := reader.next_event()) is not None:
                if isinstance(event, v2.Message):
                    self.message(reader, event)
        except WireError as error:
            self.gone(error.code)
        self.progress(reader.in_payload)

    def gone(self, code: str) -> None:
        self.say(messages.err(code))
        self.transport.loseConnection()

    def say(self, line: bytes) -> None:
        self.transport.write(self.writer.line(line))

    def message(self, reader: v2.Reader, event: v2.Message) -> None:
        line = event.line
        self.camd.heard[line.verb] += 1
        self.camd.said.append(line)
        if line.verb == "HELLO":
            self.greet(reader, messages.parse_hello(line))
        elif line.verb == "AUTH":
            self.judge(reader, messages.parse_auth(line))
        elif line.verb == "FRAME":
            assert event.payload is not None
            self.photo(messages.parse_frame(line), event.payload)
        elif line.verb == "PING":
            self.say(messages.pong(messages.parse_ping(line)))
        elif line.verb not in messages.BOARD_VERBS:
            self.say(messages.err("verb"))

    def greet(self, reader: v2.Reader, said: messages.Hello) -> None:
        self.hello = said
        self.camera = said.camera
        if said.camera in self.camd.keys:
            challenge = os.urandom(16).hex()
            self.opening = Opening(said.camera, said.boot, said.nonce, challenge)
            self.say(messages.challenge(challenge))
        else:
            self.welcome(reader, None)

    def judge(self, reader: v2.Reader, said: str) -> None:
        key = self.camd.keys[self.camera]
        assert self.opening is not None
        if not self.opening.auth_fits(key, said):
            self.gone("auth")
            return
        if not self.camd.tls:
            session = self.opening.session_key(key)
            reader.seal = Seal(session, "board", 1)
            self.writer.seal = Seal(session, "camd", 0)
        proof = self.opening.proof(key)
        self.welcome(reader, proof if self.camd.proves else proof[::-1])

    def welcome(self, reader: v2.Reader, proof: str | None) -> None:
        reader.payloads = True
        older = self.camd.sessions.get(self.camera)
        if older is not None and older.connected:
            older.gone("taken")
        self.camd.sessions[self.camera] = self
        assert self.hello is not None
        boot = self.hello.boot
        last = max((s for c, b, s in self.camd.known if (c, b) == (self.camera, boot)), default=0)
        window = self.camd.window
        self.say(messages.welcome(messages.Welcome(1.8e9, last, window, MOST, proof)))
        for command in self.camd.at_welcome:
            self.say(command)

    def photo(self, head: messages.Frame, payload: v2.Payload) -> None:
        assert self.hello is not None
        camd, data = self.camd, b"".join(payload.chunks)
        camd.heads.append(head)
        key = (self.camera, head.boot or self.hello.boot, head.seq)
        if payload.crc != head.crc:
            self.say(messages.nak(head.seq, Reason.CRC, 0.05, head.boot))
            return
        try:
            measure([data])
        except NotAJpegError:
            self.say(messages.nak(head.seq, Reason.JPEG, None, head.boot))
            return
        if camd.refuse:
            camd.refuse -= 1
            self.say(messages.nak(head.seq, camd.why, None, head.boot))
            return
        if key not in camd.known:
            camd.known[key] = head.crc
            camd.keep(self.camera, data)
        if camd.drop_before_ack:
            camd.drop_before_ack -= 1
            self.dead = True
            self.transport.abortConnection()
            return
        camd.waiting += 1
        camd.most = max(camd.most, camd.waiting)
        if camd.hold:
            reactor.callLater(camd.hold, self.acknowledge, head)
        else:
            self.acknowledge(head)

    def acknowledge(self, head: messages.Frame) -> None:
        self.camd.waiting -= 1
        self.say(messages.ack(head.seq, head.boot))


class Case(TestCase):
    """A camd on a free port of loopback, and fleets that go there."""

    timeout = 30

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.root.mkdir()
        self.store = self.root / "store"
        self.store.mkdir()

    def listen(self, **knobs: Any) -> HonestCamd:
        camd = HonestCamd(self.store, **knobs)
        self.port = reactor.listenTCP(0, camd, backlog=300, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        return camd

    def endpoint(self, at: int) -> Any:
        own = (f"127.0.9.{at + 1}", 0)
        return TCP4ClientEndpoint(reactor, "127.0.0.1", self.port.getHost().port, 5, own)

    async def all_gone(self, camd: HonestCamd) -> None:
        """What the boards said last has been heard."""
        while camd.open:
            await deferLater(reactor, 0.01)

    def fleet(self, **wishes: Any) -> SimulatedFleet:
        wishes = {
            "interval": 0,
            "count": 5,
            "framesize": "qvga",
            "cheap": True,
            "patience": QUICK,
            "grace": 3,
            "faults_grace": 6,
            **wishes,
        }
        return SimulatedFleet(reactor, self.endpoint, Plan(**wishes))

    def run_fleet(self, **wishes: Any) -> "Deferred[Ledger]":
        return self.fleet(**wishes).run()

    def assert_served(self, ledger: Ledger, acknowledged: int) -> None:
        self.assertEqual(ledger.total("acknowledged"), acknowledged, ledger.summary())
        self.assertTrue(ledger.good, ledger.summary())
        self.assertEqual(len(ledger.kept), acknowledged)
        found = verify(self.store, ledger.kept)
        self.assertTrue(found.good, found)


class Behaving(Case):
    async def test_v1(self) -> None:
        """Boards of the tutorial's kind send one photo after another, each under its address."""
        self.listen()
        ledger = await self.run_fleet(boards=4, proto="v1")
        self.assert_served(ledger, 20)
        self.assertEqual(len(list(self.store.iterdir())), 4)
        self.assertEqual(ledger.total("connections"), 4)

    async def test_v2_without_keys(self) -> None:
        """HELLO, STAT, FRAME and BYE, and nothing sent twice."""
        camd = self.listen()
        ledger = await self.run_fleet(boards=4)
        self.assert_served(ledger, 20)
        self.assertEqual(ledger.total("resent"), 0)
        await self.all_gone(camd)
        self.assertEqual(
            {verb: camd.heard[verb] for verb in ("HELLO", "STAT", "FRAME", "BYE")},
            {"HELLO": 4, "STAT": 4, "FRAME": 20, "BYE": 4},
        )

    async def test_v2_sealed(self) -> None:
        """With keys every line carries a mac in both directions, and boards have those names."""
        keys = {f"trap-{n}": os.urandom(32) for n in range(3)}
        self.listen(keys=keys)
        ledger = await self.run_fleet(boards=3, keys=keys)
        self.assert_served(ledger, 15)
        self.assertEqual({path.name for path in self.store.iterdir()}, set(keys))

    async def test_v2_over_tls(self) -> None:
        """TLS is verified against the CA, and lines carry no macs."""
        files = create(self.root / "ca", ["127.0.0.1"])
        keys = {"trap-1": os.urandom(32)}
        camd = HonestCamd(self.store, keys, tls=True)
        context = server_context(files.server, files.server_key)
        self.port = reactor.listenSSL(0, camd, context, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        plan = Plan(interval=0, count=5, keys=keys, tls=True, cheap=True, patience=QUICK)
        creator = client_context("127.0.0.1", files.ca)
        fleet = SimulatedFleet(reactor, lambda at: wrapClientTLS(creator, self.endpoint(at)), plan)
        self.assert_served(await fleet.run(), 5)
        self.assertFalse(any("mac" in line.values for line in camd.said))

    async def test_window(self) -> None:
        """As many photos are on their way as the window lets, and no more."""
        for window, most in ((1, 1), (3, 3), (100, 8)):
            camd = self.listen(window=window, hold=0.05)
            ledger = await self.run_fleet(count=12)
            self.assertTrue(ledger.good)
            self.assertEqual(camd.most, most)

    async def test_without_a_proof(self) -> None:
        """A board with a key tells nothing to a camd that does not know it, or does not ask."""
        for keys, proves in (({"a": bytes(range(32))}, False), ({}, True)):
            camd = self.listen(keys=keys, proves=proves)
            ledger = await self.run_fleet(keys={"a": bytes(range(32))}, duration=0.4, grace=0.1)
            self.assertGreater(ledger.errors()["no proof"], 1)
            self.assertEqual((camd.heard["FRAME"], camd.heard["STAT"]), (0, 0))
            self.assertFalse(ledger.good)

    async def test_drawn_and_mixed(self) -> None:
        """Photos that are drawn one by one, each board at a size of its own."""
        self.listen()
        ledger = await self.run_fleet(boards=3, framesize="mixed", cheap=False, count=2, seed=4)
        self.assert_served(ledger, 6)

    async def test_interval(self) -> None:
        """Photos are taken at the interval, not as fast as they are answered."""
        self.listen()
        for proto in ("v1", "v2"):
            ledger = await self.run_fleet(proto=proto, interval=0.2, count=4)
            self.assertEqual(ledger.total("acknowledged"), 4)
            self.assertGreater(ledger.seconds, 0.5)

    async def test_duration(self) -> None:
        """Without a count, the duration ends the run, and nothing is left unanswered."""
        self.listen()
        for proto in ("v1", "v2"):
            ledger = await self.run_fleet(proto=proto, boards=2, count=None, duration=0.5)
            self.assertGreater(ledger.total("acknowledged"), 4)
            self.assertEqual(ledger.total("unanswered"), 0)
            self.assertTrue(ledger.good)

    async def test_sleep(self) -> None:
        """A sleeping board says BYE and when it is back, and numbers on under the same boot."""
        camd = self.listen()
        ledger = await self.run_fleet(interval=0.2, count=3, sleeps=True)
        self.assert_served(ledger, 3)
        await self.all_gone(camd)
        self.assertEqual(camd.heard["HELLO"], 3)
        self.assertEqual([head.seq for head in camd.heads], [1, 2, 3])
        self.assertEqual(len({boot for _, boot, _ in camd.known}), 1)
        byes = [messages.parse_bye(line) for line in camd.said if line.verb == "BYE"]
        self.assertEqual(byes, [1, 1, None])

    async def test_modest(self) -> None:
        """200 boards in one process take less than 60 MB more, photos in flight included."""
        self.listen()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        ledger = await self.run_fleet(boards=200, count=3, framesize="vga", ramp=0.5)
        self.assert_served(ledger, 600)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        self.assertLess(grown, 60_000, "KiB")


class Resending(Case):
    async def test_no_answer(self) -> None:
        """What was stored, but not answered, is sent again and stored once."""
        camd = self.listen(drop_before_ack=2)
        ledger = await self.run_fleet()
        self.assert_served(ledger, 5)
        self.assertGreater(ledger.total("resent"), 0)
        self.assertEqual(camd.heard["HELLO"], 3)
        self.assertEqual(len(photos_in(self.store)), 5)

    async def test_refused_for_now(self) -> None:
        """busy is tried again until it is not; the photo is counted once."""
        self.listen(refuse=3)
        ledger = await self.run_fleet()
        self.assert_served(ledger, 5)
        self.assertEqual(ledger.refused(), {"busy": 3})

    async def test_refused_for_good(self) -> None:
        """A final reason is final: the photo is dropped, and the board was not served."""
        camd = self.listen(refuse=1, why=Reason.DENIED)
        ledger = await self.run_fleet()
        self.assertEqual(ledger.total("acknowledged"), 4)
        self.assertEqual(ledger.total("lost"), 1)
        self.assertEqual(camd.heard["FRAME"], 5)
        self.assertFalse(ledger.good)

    async def test_skipped(self) -> None:
        """SKIP settles a v1 photo that is not to be in the store."""
        self.listen(refuse=2)
        ledger = await self.run_fleet(proto="v1")
        self.assertEqual(ledger.total("skipped"), 2)
        self.assert_served(ledger, 3)

    async def test_v1_waits_a_second_for_a_newline(self) -> None:
        """An answer without its end costs the sketch a second a photo."""
        self.listen(newline=False)
        ledger = await self.run_fleet(proto="v1", count=2)
        self.assert_served(ledger, 2)
        self.assertGreater(ledger.seconds, 1.9)

    async def test_v1_never_comes_back(self) -> None:
        """A v1 board whose connection ends hangs, and the ledger says so."""
        self.listen(drop_before_ack=1)
        ledger = await self.run_fleet(proto="v1")
        self.assertEqual(ledger.errors(), {"wedged": 1})
        self.assertEqual(ledger.total("hung_up"), 1)
        self.assertEqual(ledger.total("connections"), 1)
        self.assertFalse(ledger.good)

    async def test_nobody_there(self) -> None:
        """Boards wait for a camd that is not there yet."""
        self.listen()
        number = self.port.getHost().port
        fleet = self.fleet()
        await self.port.stopListening()
        running = fleet.run()
        await deferLater(reactor, 0.2)
        self.port = reactor.listenTCP(number, HonestCamd(self.store), interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.assert_served(await running, 5)

    async def test_stop_ends_what_nobody_answers(self) -> None:
        """A run ends within its grace though a board still waits."""
        self.listen(refuse=10**6, why=Reason.FULL)
        fleet = self.fleet(count=None, grace=0.3)
        running = fleet.run()
        await deferLater(reactor, 0.3)
        fleet.stop()
        ledger = await running
        self.assertFalse(ledger.good)
        self.assertGreater(ledger.total("unanswered"), 0)


class Commanded(Case):
    async def test_all_commands(self) -> None:
        """Each command is carried out and answered, or refused with the firmware's word."""
        camd = self.listen(
            at_welcome=(
                messages.settings(1, {"framesize": "cif", "quality": 12}),
                messages.settings(2, {"quality": 99}),
                messages.settings(3, {"colour": "blue"}),
                messages.snap(4, flash=True),
                messages.stream(5, 20),
                messages.update(6, "http://127.0.0.1/fw.bin", "0" * 64),
                messages.ping("17"),
            )
        )
        fleet = self.fleet(count=None, interval=30, duration=1.5)
        ledger = await fleet.run()
        self.assertTrue(ledger.good, ledger.summary())
        done = [messages.parse_done(line) for line in camd.said if line.verb == "DONE"]
        failed = [messages.parse_fail(line) for line in camd.said if line.verb == "FAIL"]
        self.assertEqual([said.command for said in done], [1, 4, 5])
        self.assertEqual(dict(done[1].values), {"seq": "2"})
        self.assertEqual(
            [(said.command, said.reason) for said in failed],
            [(2, "range quality"), (3, "unknown colour"), (6, "update")],
        )
        self.assertEqual([h.trigger.value for h in camd.heads if h.trigger], ["boot", "snap"])
        self.assertGreater(camd.heard["VIEW"], 1)
        self.assertEqual(camd.heard["PONG"], 1)
        self.assertEqual(fleet.boards[0].framesize, "cif")

    async def test_reboot(self) -> None:
        """REBOOT is answered; a new boot comes back, and numbers from one."""
        camd = self.listen(at_welcome=(messages.reboot(1),))
        ledger = await self.run_fleet(count=3, interval=0.4, jitter=0)
        self.assertTrue(ledger.good, ledger.summary())
        self.assertGreaterEqual(camd.heard["HELLO"], 2)
        self.assertGreaterEqual(len({boot for _, boot, _ in camd.known}), 2)


class Misbehaving(Case):
    async def test_v2(self) -> None:
        """Every fault at once, beside boards that are served as if nothing were wrong."""
        keys = {f"trap-{n:02}": os.urandom(32) for n in range(11)}
        camd = self.listen(keys=keys)
        faults = list(FAULTS)
        ledger = await self.run_fleet(boards=2, count=2, faults=tuple(faults), keys=keys)
        self.judge(ledger, faults)
        by = {record.fault: record for record in ledger.records}
        self.assertEqual(by["torn"].refused, {"jpeg": 2})
        self.assertEqual(by["wrong-crc"].refused, {"crc": 6})
        self.assertEqual(by["wrong-key"].errors, {"auth": 1})
        self.assertEqual(by["silent"].hung_up, 1)
        self.assertEqual(by["half-open"].connections, 2)
        self.assertGreaterEqual(by["rebooting"].connections, 2)
        self.assertTrue(any(head.boot for head in camd.heads), "no photo of an earlier boot")
        self.assertTrue(any(head.taken and head.taken < 1000 for head in camd.heads))
        self.assertGreater(camd.heard["GLUED"], 0)

    async def test_v1(self) -> None:
        """The faults that v1 can have; the others come as v2 boards."""
        self.listen()
        faults = ["torn", "slow", "glued", "silent", "half-open", "rebooting", "wrong-crc"]
        ledger = await self.run_fleet(boards=2, proto="v1", count=3, faults=tuple(faults))
        self.judge(ledger, faults)
        by = {record.fault: record for record in ledger.records}
        self.assertEqual(by["torn"].refused, {"jpeg": 3})
        self.assertEqual(by["silent"].hung_up, 1)
        self.assertEqual(by["half-open"].connections, 2)
        self.assertEqual(by["glued"].acknowledged, 3)

    def judge(self, ledger: Ledger, faults: list[str]) -> None:
        self.assertEqual(ledger.errors()["bug"], 0)
        wrong = [r.board for r in ledger.records if not r.as_it_should_be]
        self.assertEqual(wrong, [], ledger.summary())
        self.assertEqual(sorted(r.fault for r in ledger.records if r.fault), sorted(faults))
        found = verify(self.store, ledger.kept)
        self.assertTrue(found.good, found)

    async def test_slow_is_slow(self) -> None:
        """A slow board sends about 4 kB/s."""
        self.listen()
        ledger = await self.run_fleet(boards=0, count=1, faults=("slow",), framesize="cif")
        rate = ledger.total("size") / ledger.seconds
        self.assertTrue(2500 < rate < 4500, rate)
        self.assertEqual(len(ledger.latencies), 0, "they are of boards that behave")


class Verifying(Case):
    async def test_missing(self) -> None:
        """An acknowledged photo that is not in the store is missed."""
        self.listen(forgets=True)
        ledger = await self.run_fleet()
        found = verify(self.store, ledger.kept)
        self.assertEqual(len(found.missing), 5)
        self.assertFalse(found.good)

    async def test_doubled(self) -> None:
        """A photo that lies there twice is found out."""
        self.listen(doubles=True)
        ledger = await self.run_fleet()
        self.assertEqual(len(verify(self.store, ledger.kept).doubled), 5)

    async def test_changed_and_torn(self) -> None:
        """A changed byte is a missing photo, a lost end a torn one besides."""
        self.listen()
        ledger = await self.run_fleet()
        changed, cut, *_ = sorted(photos_in(self.store))
        data = bytearray(changed.read_bytes())
        data[-5] ^= 1
        changed.write_bytes(data)
        cut.write_bytes(cut.read_bytes()[:-2])
        found = verify(self.store, ledger.kept)
        self.assertEqual((len(found.missing), len(found.torn)), (2, 1))

    async def test_what_was_there_before(self) -> None:
        """The same photos from an earlier run neither keep this run's promises nor double them."""
        self.listen()
        first = await self.run_fleet(seed=1)
        before = photos_in(self.store)
        second = await self.run_fleet(seed=1)
        self.assertEqual([k.digest for k in first.kept], [k.digest for k in second.kept])
        self.assertTrue(verify(self.store, second.kept, before).good)
        self.assertEqual(len(verify(self.store, second.kept).doubled), 5)
        self.assertEqual(len(verify(self.store, second.kept, photos_in(self.store)).missing), 5)


class Sketch(SynchronousTestCase):
    """What the tutorial's sketch does on the wire, at its own pace."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.transport = StringTransport()
        self.record = Ledger().account("sketch")
        self.jpeg = Album(1).picture("sketch", 0, "qvga")

    def board(self, **habits: Any) -> BoardV1:
        board = BoardV1(
            self.clock, self, lambda *_: self.jpeg, self.record, habits=Habits(0, **habits)
        )
        board.start()
        return board

    def connect(self, factory: protocol.Factory) -> "Deferred[Any]":
        """The endpoint is this test."""
        self.link = factory.buildProtocol(None)
        self.link.makeConnection(self.transport)
        return succeed(self.link)

    def test_writes(self) -> None:
        """Ten bytes, pieces of 1430, the rest, nine bytes; then nothing until it is answered."""
        written: list[int] = []
        write = self.transport.write
        self.transport.write = lambda data: (written.append(len(data)), write(data))
        self.board()
        self.assertEqual(written, [10, *[1430] * (len(self.jpeg) // 1430), written[-2], 9])
        self.assertEqual(self.transport.value(), v1.frame(self.jpeg))
        self.clock.advance(3600)
        self.assertEqual(self.record.sent, 1)
        self.link.dataReceived(b"ACK")
        self.assertEqual(self.record.sent, 1)
        self.link.dataReceived(b"\n")
        self.assertEqual((self.record.sent, self.record.acknowledged), (2, 1))

    def test_two_lines_for_one_photo(self) -> None:
        """A line too many answers the next photo before it is there."""
        self.board()
        self.link.dataReceived(b"NAK jpeg\nACK\n")
        self.assertEqual((self.record.sent, self.record.acknowledged), (3, 1))
        self.assertEqual(self.record.refused, {"jpeg": 1})

    def test_blocked(self) -> None:
        """Where nobody reads for 25 s, two pieces are missing and both marks are there."""
        write = self.transport.write

        def block(data: bytes) -> None:
            write(data)
            if len(self.transport.value()) == 10 + 1430:
                self.link.pauseProducing()

        self.transport.write = block
        self.board()
        self.clock.pump([1] * 25)
        self.assertEqual(len(self.transport.value()), 10 + 1430)
        self.link.resumeProducing()
        torn = self.jpeg[:1430] + self.jpeg[3 * 1430 :]
        self.assertEqual(self.transport.value(), v1.frame(torn))


class Commandline(Case):
    """``camd simulate`` as a process of its own."""

    def spawn(self, *arguments: str) -> "Process":
        process = Process()
        port = str(self.port.getHost().port)
        argv = [sys.executable, "-m", "camd", "simulate", "--port", port, *arguments]
        reactor.spawnProcess(process, sys.executable, argv, env={**os.environ, **ENVIRONMENT})
        return process

    async def test_served_and_verified(self) -> None:
        """The summary as JSON on stdout, alone, and 0 for good."""
        key = os.urandom(32)
        camd = self.listen(keys={"trap-1": key})
        keys = self.root / "keys"
        keys.write_text(f"# camera, key\ntrap-1 {key.hex()}\n")
        process = self.spawn(
            *("--boards", "1", "--interval", "0", "--count", "3", "--size", "qvga", "--json"),
            *("--keys", str(keys), "--verify", str(self.store), "--seed", "5"),
        )
        self.assertEqual(await process.ended, 0, process.err)
        said = json.loads(process.out)
        self.assertEqual((said["acknowledged"], said["seed"], said["good"]), (3, 5, True))
        self.assertEqual((said["verified"]["files"], said["verified"]["good"]), (3, True))
        self.assertEqual(camd.heard["AUTH"], 1)

    async def test_no_keys(self) -> None:
        """A file of keys that is none is told in a line."""
        self.listen()
        keys = self.root / "keys"
        keys.write_bytes(b"\xff\xfe")
        process = self.spawn("--keys", str(keys))
        self.assertEqual(await process.ended, 1)
        self.assertRegex(process.err, rb"^camd: .*keys:1: .* 64 hex digits are wanted\n$")

    async def test_not_kept(self) -> None:
        """1 where the store lacks what was acknowledged; the table says so."""
        self.listen(forgets=True)
        process = self.spawn(
            *("--interval", "0", "--count", "2", "--size", "qvga", "--proto", "v1"),
            *("--verify", str(self.store)),
        )
        self.assertEqual(await process.ended, 1, process.err)
        self.assertIn(b"missing in the store", process.out)

    async def test_interrupted_twice(self) -> None:
        """The second Ctrl-C does not wait for answers that nobody will give; 1."""
        heard: list[bytes] = []

        class Silent(protocol.Protocol):
            def dataReceived(self, data: bytes) -> None:
                heard.append(data)

        self.port = reactor.listenTCP(
            0, protocol.Factory.forProtocol(Silent), interface="127.0.0.1"
        )
        self.addCleanup(self.port.stopListening)
        process = self.spawn("--proto", "v1", "--size", "qvga")
        await true(lambda: heard)
        process.transport.signalProcess("INT")
        await deferLater(reactor, 0.3)
        self.assertFalse(process.ended.called)
        process.transport.signalProcess("INT")
        self.assertEqual(await process.ended, 1, process.err)
        self.assertIn(b"unanswered", process.out)

    async def test_without_pillow(self) -> None:
        """One line names the extra that brings it."""
        process = Process()
        code = "import sys; sys.modules['PIL'] = None; from camd.cli import main; sys.exit(main())"
        argv = [sys.executable, "-c", code, "simulate"]
        reactor.spawnProcess(process, sys.executable, argv, env={**os.environ, **ENVIRONMENT})
        self.assertEqual(await process.ended, 1)
        self.assertEqual(process.err.count(b"\n"), 1, process.err)
        self.assertIn(b"camd[simulate]", process.err)

    async def test_interrupted(self) -> None:
        """Ctrl-C ends the run with its summary, and with 0 where all was answered."""
        camd = self.listen()
        process = self.spawn("--interval", "0.1s", "--size", "qvga", "--boards", "3", "--json")
        while camd.served < 6:
            await deferLater(reactor, 0.05)
        process.transport.signalProcess("INT")
        self.assertEqual(await process.ended, 0, process.err)
        said = json.loads(process.out)
        self.assertEqual((said["boards"], said["unanswered"]), (3, 0))
        self.assertGreaterEqual(said["acknowledged"], 6)


ENVIRONMENT = {"PYTHONPATH": str(Path(camd_package.__file__).parent.parent), "TERM": "dumb"}


class Process(protocol.ProcessProtocol):
    """:ivar ended: fires with the exit code."""

    def __init__(self) -> None:
        self.ended: Deferred[int] = Deferred()
        self.out = b""
        self.err = b""

    def outReceived(self, data: bytes) -> None:
        self.out += data

    def errReceived(self, data: bytes) -> None:
        self.err += data

    def processEnded(self, reason: Any) -> None:
        self.ended.callback(reason.value.exitCode)


class Planning(SynchronousTestCase):
    def test_what_cannot_be(self) -> None:
        """A plan that cannot be carried out is refused in a sentence."""
        for wish in (
            {"proto": "v3"},
            {"framesize": "8k"},
            {"faults": ("tired",)},
            {"prefix": "v1-x"},
            {"boards": 2, "keys": {"a": bytes(32)}},
        ):
            with self.assertRaises(PlanError):
                Plan(**wish)  # type: ignore[arg-type]

    def test_names(self) -> None:
        """Cameras with keys come first; faults take what is left of them."""
        keys = {"b": bytes(32), "a": bytes(32), "c": bytes(32)}
        plan = Plan(boards=2, faults=("torn", "slow"), keys=keys)
        self.assertEqual(plan.names(), ["a", "b", "c", "sim-slow-2"])
        self.assertEqual(evolve(plan, keys={}).names()[:2], ["sim-1", "sim-2"])

    def test_quantile(self) -> None:
        """The share that is asked for does not exceed it."""
        self.assertIsNone(quantile([], 0.5))
        self.assertEqual(quantile([1.0, 2.0], 0.5), 1.0)
        self.assertEqual(quantile([float(n) for n in range(1, 101)], 0.99), 99.0)

    def test_command_line(self) -> None:
        """What is wrong on the command line is said in a line, before any board starts."""
        run = CliRunner()
        empty = self.mktemp()
        os.mkdir(empty)
        for arguments, said in (
            (["--tls"], "--ca"),
            (["--interval", "soon"], "duration"),
            (["--faults", "tired"], "tired"),
            (["--key-dir", empty], "no camera's key"),
            (["--keys", "/dev/null"], "no camera's key"),
            (["--ca", "ca.pem"], "--tls"),
            (["--proto", "v1", "--sleep"], "--sleep"),
            (["--proto", "v2", "--reconnect"], "--reconnect"),
            (["--boards", "1000000"], "--boards"),
            (["--verify", "/nonexistent-camd"], "/nonexistent-camd"),
            (["x" * 80], "neither a name nor an address"),
        ):
            result = run.invoke(simulate, arguments)
            self.assertNotEqual(result.exit_code, 0)
            self.assertIn(said, result.output)
