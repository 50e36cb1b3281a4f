"""Boards that are asked by HTTP: what they have is found out, kept, and never more than learnt."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from camd.config import CameraEntry, Config, ConfigError, Seconds, load, shown
from camd.config.doors import PullConfig
from camd.config.wanted import FRAMESIZES, RANGES, Wanted, checked, read_wanted
from camd.fleet import CommandError, Fleet
from camd.httpclient import AnswerError, Client, authorities
from camd.ingest.budget import Budget
from camd.live import Live
from camd.news import Kind, News
from camd.photo import CameraId, Door, Reason, Trigger
from camd.pull.board import Board, Firmware
from camd.pull.framesize import NUMBERINGS, Numbering, Size, area
from camd.pull.house import BoardClock
from camd.pull.mixed import Mixed, MixedError
from camd.pull.pullers import PullError, Pullers
from tests.e2e_daemon import DaemonCase
from tests.e2e_door import HeldIntake
from tests.fake_boards import FakeBoard, certificates, picture
from tests.patience import true
from tests.streams import pieces, some_cuts, thorough

reactor: Any = _reactor
CAMERA = CameraId("porch")
QUICK = PullConfig(
    interval=Seconds(0.1), answer=Seconds(1.5), silence=Seconds(0.6), retry=Seconds(0.1),
    retry_most=Seconds(0.4), check=Seconds(30.0),
)  # fmt: skip


async def nap(seconds: float) -> None:
    await deferLater(reactor, seconds)


class FramesizeTests(SynchronousTestCase):
    """Numbers are learnt, and none is used that was not."""

    def test_said_once(self) -> None:
        """Where only one numbering has that number for that size, all of it is known."""
        numbering = Numbering()
        numbering.learn(10, (640, 480))
        self.assertEqual(numbering.number_of(FRAMESIZES["uxga"]), 15)
        self.assertEqual(numbering.size_of(6), (320, 240))

    def test_said_twice(self) -> None:
        """VGA is 8 in two of them: what those agree on is known, the rest after a second look."""
        numbering = Numbering()
        numbering.learn(8, (640, 480))
        self.assertEqual(numbering.number_of(FRAMESIZES["svga"]), 9)
        self.assertIsNone(numbering.number_of(FRAMESIZES["qvga"]))
        numbering.learn(5, (320, 240))
        self.assertEqual(numbering.number_of(FRAMESIZES["cif"]), 6)

    def test_none_fits(self) -> None:
        """Of a board that numbers as nobody does only what was seen is known."""
        numbering = Numbering()
        numbering.learn(40, (640, 480))
        self.assertEqual(numbering.number_of((640, 480)), 40)
        self.assertIsNone(numbering.number_of((320, 240)))
        self.assertIsNone(numbering.probe((640, 480), 10**7))

    def test_new_firmware(self) -> None:
        """A board that says another number for the same size is learnt anew."""
        numbering = Numbering()
        numbering.learn(8, (640, 480))
        numbering.learn(10, (640, 480))
        self.assertEqual(numbering.number_of(FRAMESIZES["svga"]), 11)

    @given(st.sampled_from(NUMBERINGS), st.data())
    @thorough(200)
    def test_never_wrong(self, table: Mapping[int, Size], data: Any) -> None:
        """Whatever was seen of a board, what is known of it is true; a probe is one of its numbers,
        not too large, and once there is none that helps, nothing is guessed."""
        numbering = Numbering()
        present = data.draw(st.sampled_from(sorted(table)))
        for _ in range(4):
            numbering.learn(present, table[present])
            for name, size in FRAMESIZES.items():
                number = numbering.number_of(size)
                if number is not None:
                    self.assertEqual(table[number], size, name)
            probe = numbering.probe(table[present], area(table[present]))
            if probe is None:
                break
            self.assertLessEqual(area(table[probe]), area(table[present]))
            self.assertIn(table[probe], numbering.possible(probe))
            left = len(numbering.left)
            numbering.learn(probe, table[probe])
            self.assertLess(len(numbering.left), left)
            present = probe


class WantedTests(SynchronousTestCase):
    """Settings are checked before they are sent."""

    def test_ranges(self) -> None:
        """Each may be its least and its most, and nothing beyond or beside."""
        for name, (least, most) in RANGES.items():
            self.assertEqual((checked(name, least), checked(name, most)), (least, most))
            for bad in (least - 1, most + 1, "1", 1.5, None, [1]):
                self.assertRaises(ValueError, checked, name, bad)
        self.assertEqual((checked("vflip", True), checked("framesize", "VGA")), (1, "vga"))
        for name, value in (("framesize", 8), ("framesize", "big"), ("quality", True), ("x", 1)):
            self.assertRaises(ValueError, checked, name, value)

    def test_as_in_the_file(self) -> None:
        wanted = read_wanted({"framesize": "vga", "quality": 12})
        self.assertEqual(str(wanted), '{ framesize = "vga", quality = 12 }')
        self.assertEqual((str(Wanted()), bool(Wanted())), ("{}", False))
        self.assertRaises(ValueError, read_wanted, ["vga"])

    def loaded(self, text: str) -> Config:
        path = Path(self.mktemp())
        path.write_text(text)
        return load(path, {}, {}).config

    def test_configuration(self) -> None:
        """A camera's table says where it is and what it is to have, and is shown as it was."""
        config = self.loaded(
            '[[camera]]\nid = "porch"\npull = "https://[2001:db8::1]:8443/"\n'
            'pull_mode = "stream"\n[camera.settings]\nframesize = "SVGA"\nvflip = true\n'
        )
        camera = config.camera(CAMERA)
        self.assertEqual(camera.pull, "https://[2001:db8::1]:8443")
        self.assertEqual(dict(camera.settings), {"framesize": "svga", "vflip": 1})
        self.assertEqual(
            shown(config)["camera[porch].settings"], '{ framesize = "svga", vflip = 1 }'
        )
        self.assertEqual(config.camera(CameraId("other")).pull, "")

    def test_mistakes(self) -> None:
        """What is wrong is named, with what is wanted instead."""
        head = '[[camera]]\nid = "porch"\n'
        for text, words in (
            ('pull = "172.20.10.2"', ("camera[porch].pull", "http://172.20.10.2")),
            ('pull = "http://user@host/"', ("camera[porch].pull",)),
            ('pull = "http://host:99999"', ("camera[porch].pull",)),
            ('pull = "http://h"\nsettings = { quality = 64 }', ("quality of 0 to 63",)),
            ('pull = "http://h"\nsettings = { framesize = 8 }', ("framesize of qqvga",)),
            ('pull = "http://h"\nsettings = 5', ("a table",)),
            ("settings = { quality = 10 }", ("camera[porch].pull", "nothing")),
        ):
            error = self.assertRaises(ConfigError, self.loaded, head + text + "\n")
            for word in words:
                self.assertIn(word, str(error))
        error = self.assertRaises(
            ConfigError, self.loaded, '[upload]\nlisten = "tcp:8944"\nmax = "1 GiB"\n'
        )
        self.assertIn("limits.held", str(error))


class MixedTests(SynchronousTestCase):
    """Pictures out of a stream, wherever its boundary stands and however it is cut."""

    def stream(self, pictures: list[bytes], before: bool, stamp: bool = True) -> bytes:
        data = b""
        for number, each in enumerate(pictures):
            head = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n" % len(each)
            head += b"X-Timestamp: %d.5\r\n" % number if stamp else b""
            boundary = b"\r\n--frame\r\n"
            part = head + b"\r\n" + each
            data += boundary + part if before else part + boundary
        return data

    @given(some_cuts, st.booleans(), st.booleans())
    @thorough(150)
    def test_any_segments(self, cuts: list[int], before: bool, junk: bool) -> None:
        """Every picture comes out, without what its driver appended."""
        pictures = [picture((320, 240), 1), picture((640, 480), 2), picture((16, 8), 3)]
        sent = [each + b"\0" * 9 for each in pictures] if junk else pictures
        mixed = Mixed(10_000)
        shots = []
        for data in pieces(self.stream(sent, before), cuts):
            shots += mixed.feed(data)
        self.assertEqual([b"".join(shot.chunks) for shot in shots], pictures)
        self.assertEqual([shot.stamp for shot in shots], [0.5, 1.5, 2.5])
        self.assertEqual(shots[1].size, (640, 480))
        self.assertLess(mixed.held, 20)

    def test_damaged(self) -> None:
        """One that is cut off is told as such, and the next one comes."""
        whole = picture((320, 240), 1)
        mixed = Mixed(10_000)
        shots = mixed.feed(self.stream([whole[:-9], b"hello", whole], True, False))
        self.assertEqual([shot.whole for shot in shots], [False, False, True])
        self.assertIsNone(shots[0].stamp)

    def test_bounds(self) -> None:
        """A picture that is too large, and a stream without any, are not waited for."""
        for data in (b"Content-Length: 10001\r\n\r\n", b"x" * 5000, b"x: y\r\n" * 1000,
                     b"Content-Length: 0\r\n\r\n"):  # fmt: skip
            self.assertRaises(MixedError, Mixed(10_000).feed, data)

    @given(st.binary(max_size=300), some_cuts)
    @thorough(150)
    def test_any_bytes(self, data: bytes, cuts: list[int]) -> None:
        """Nothing but MixedError comes of anything, and nothing piles up."""
        mixed = Mixed(1000)
        try:
            for part in pieces(data, cuts):
                mixed.feed(part)
        except MixedError:
            return
        self.assertLess(mixed.held, 1500)

    def test_clock(self) -> None:
        """A board's clock that goes back is a restart; a picture's age is beyond the freshest's."""
        clock = BoardClock()
        said = [clock.restarted(stamp) for stamp in (None, 100.0, 100.5, 100.1, None, 3.0, 4.0)]
        self.assertEqual(said, [False, False, False, False, False, True, False])
        self.assertIsNone(clock.age(4.0, 1000.0))
        self.assertEqual(clock.age(4.0, 1009.0), 9.0)
        self.assertEqual(clock.age(14.0, 1009.0), 0.0)


class PullCase(TestCase):
    """Boards, and a door that asks them, in this process."""

    timeout = 60

    def setUp(self) -> None:
        self.config = Config(pull=QUICK)
        self.intake = HeldIntake()
        self.intake.at_once = True
        self.news = News(reactor.seconds)
        self.fleet = Fleet(lambda: self.config, self.news, reactor.seconds)
        self.live = Live()
        self.budget = Budget(lambda: self.config.limits.held)
        intake: Any = self.intake
        self.pullers = Pullers(
            lambda: self.config, intake, self.fleet, self.live, self.budget.change, reactor,
            reactor.seconds, lambda: 0.5,
        )  # fmt: skip
        self.addCleanup(self.over)
        self.boards: list[FakeBoard] = []

    async def _over(self) -> None:
        self.pullers.stop()
        for board in self.boards:
            board.close()
        await nap(0.06)
        self.assertEqual(self.budget.held, 0)

    def over(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._over())

    def board(self, kind: str = "stock", **more: Any) -> FakeBoard:
        board = FakeBoard(kind, **more).listen()
        self.boards.append(board)
        return board

    def pull(self, board: FakeBoard, **more: Any) -> None:
        """That board is asked from now on."""
        entry = CameraEntry(CAMERA, pull=more.pop("url", board.url), **more)
        self.config = evolve(self.config, camera=(entry,))
        if not self.pullers.pullers:
            self.pullers.prepare()
            self.pullers.start()
        else:
            self.pullers.sync()

    @property
    def stored(self) -> list[Any]:
        return self.intake.stored

    @property
    def state(self) -> Any:
        return self.fleet.cameras.get(CAMERA)

    def setting(self, name: str) -> Any:
        """What is known of the board, None where nothing is."""
        return (self.state.settings or {}).get(name)

    async def photos(self, more: int = 1) -> list[Any]:
        """The photos so far, once there are so many more."""
        before = len(self.stored)
        await true(lambda: len(self.stored) >= before + more, why="photos")
        return self.stored

    async def fails(self, name: str, *words: str, **arguments: Any) -> None:
        try:
            await self.fleet.command(CAMERA, name, **arguments)
        except CommandError as error:
            for word in words:
                self.assertIn(word, str(error))
        else:
            self.fail("the command was carried out")


def asynchronously(test: Any) -> Any:
    """A coroutine as a test."""

    def run(self: Any) -> "Deferred[Any]":
        return ensureDeferred(test(self))

    run.__doc__ = test.__doc__
    return run


class StillTests(PullCase):
    """Stills every so often."""

    @asynchronously
    async def test_stock(self) -> None:
        """A stock board is met, and its photos are stored, one an interval."""
        board = self.board()
        self.pull(board)
        photos = await self.photos(5)
        self.assertEqual({photo.door for photo in photos}, {Door.PULL})
        self.assertEqual([photo.seq for photo in photos[:5]], [1, 2, 3, 4, 5])
        self.assertEqual(len({photo.boot for photo in photos}), 1)
        self.assertEqual((photos[0].width, photos[0].height), (640, 480))
        self.assertEqual(self.state.fw, "CameraWebServer")
        self.assertTrue(self.state.connected)
        self.assertEqual(self.state.settings["framesize"], "vga")
        self.assertEqual(board.numbers, [])
        self.assertEqual(board.opened, 0)

    @asynchronously
    async def test_others(self) -> None:
        """The fork, and ESPHome with stills or with a stream only."""
        for kind, firmware in (
            ("easytarget", Firmware.EASYTARGET),
            ("esphome-still", Firmware.STILLS),
            ("esphome-stream", Firmware.STREAM),
        ):
            self.pull(self.board(kind), name=kind)
            await self.photos(3)
            await true(lambda firmware=firmware: self.state.fw == firmware.value)

    @asynchronously
    async def test_interval(self) -> None:
        """The camera's own interval is kept."""
        self.pull(self.board(), interval=Seconds(0.4))
        await self.photos(1)
        await nap(1.3)
        self.assertIn(len(self.stored), (3, 4, 5))

    @asynchronously
    async def test_one_buffer(self) -> None:
        """A board with one buffer gives the picture that it took after the last: another is asked
        for, so that what is stored is of now."""
        board = self.board(buffers=1)
        ages: list[float] = []
        accept = self.intake.accept

        def noted(photo: Any) -> Any:
            stamp = board.clock - self.pullers.pullers[CAMERA]._clock._last  # type: ignore[operator]
            ages.append(stamp)
            return accept(photo)

        self.intake.accept = noted  # type: ignore[method-assign]
        self.pull(board, interval=Seconds(1.6))
        await self.photos(3)
        self.assertLess(max(ages), 1.0)

    @asynchronously
    async def test_damaged(self) -> None:
        """A damaged picture is refused, and counted; the next one is stored."""
        board = self.board(make=lambda size, n: picture(size, n)[: -9 if n < 16 else None])
        self.pull(board)
        await self.photos(1)
        self.assertIn((CAMERA, Reason.JPEG), self.intake.refusals)

    @asynchronously
    async def test_stuck(self) -> None:
        """The same picture once more, by the board's own clock, is not stored twice."""
        board = self.board(make=lambda size, n: picture(size, 7))
        board.stamps = True
        board._started = 0.0
        clock = FakeBoard.clock
        FakeBoard.clock = property(lambda self: 5.0)  # type: ignore[assignment, method-assign]
        self.addCleanup(setattr, FakeBoard, "clock", clock)
        self.pull(board)
        await self.photos(1)
        await nap(0.5)
        self.assertEqual(len(self.stored), 1)

    @asynchronously
    async def test_refused(self) -> None:
        """A full disk is no reason to leave the board."""
        self.intake.at_once = False
        self.pull(self.board())
        await true(lambda: self.intake.waiting)
        self.assertGreater(self.budget.held, 0)
        self.intake.refuse_next(Reason.FULL)
        await true(lambda: self.intake.waiting)
        self.assertTrue(self.state.connected)
        self.intake.release()

    @asynchronously
    async def test_stopped_while_storing(self) -> None:
        """A photo that is on its way to the disk when the asking ends gets there, and is held in
        memory until then."""
        self.intake.at_once = False
        self.pull(self.board())
        await true(lambda: self.intake.waiting)
        self.pullers.stop()
        self.assertGreater(self.budget.held, 0)
        self.intake.release()
        self.assertEqual((len(self.stored), self.budget.held), (1, 0))
        self.assertEqual(self.intake.refusals, [])


class GoneTests(PullCase):
    """Boards that go, and come."""

    @asynchronously
    async def test_back_off(self) -> None:
        """One that is gone leaves, is asked again, less and less, and comes back."""
        board = self.board()
        self.pull(board)
        await self.photos(2)
        board.close()
        await true(lambda: not self.state.connected)
        await nap(1.5)
        puller = self.pullers.pullers[CAMERA]
        self.assertIn(puller.failures, range(3, 9))
        board.listen()
        await self.photos(2)
        self.assertTrue(self.state.connected)
        self.assertEqual(puller.failures, 0)
        kinds = [item.kind for item in self.news.recent(50)]
        self.assertEqual(kinds.count(Kind.CAME), 2)
        self.assertEqual(kinds.count(Kind.LEFT), 1)

    @asynchronously
    async def test_silent(self) -> None:
        """One that takes connections and never answers is given up in time."""
        board = self.board()
        board.silent = True
        self.pull(board)
        await true(lambda: self.pullers.pullers[CAMERA].failures >= 1, 4)
        board.silent = False
        await self.photos(1)

    @asynchronously
    async def test_restart(self) -> None:
        """A board whose clock goes back has started anew: its photos have another boot, and it
        gets its settings again."""
        board = self.board()
        self.pull(board, settings=Wanted({"framesize": "qvga", "quality": 20, "vflip": 1}))
        await true(lambda: self.stored and self.stored[-1].width == 320)
        self.assertEqual((board.settings["quality"], board.settings["vflip"]), (20, 1))
        asked = len(board.asked_for)
        await self.photos(3)
        self.assertFalse([path for path in board.asked_for[asked:] if "control" in path])
        before = self.stored[-1].boot
        board.reboot()
        await true(lambda: board.size == (320, 240) and board.settings["vflip"] == 1)
        await true(lambda: self.stored[-1].width == 320 and self.stored[-1].boot != before)
        self.assertEqual(board.settings["quality"], 20)

    @asynchronously
    async def test_configuration(self) -> None:
        """Who is taken out of the configuration is not asked any more, who is changed is anew."""
        one, two = self.board(), self.board()
        self.pull(one)
        await self.photos(2)
        self.pull(two)
        await self.photos(2)
        asked = len(one.asked_for)
        await self.photos(2)
        self.assertEqual(len(one.asked_for), asked)
        puller = self.pullers.pullers[CAMERA]
        self.pullers.sync()
        self.assertIs(self.pullers.pullers[CAMERA], puller)
        self.config = evolve(self.config, pull=evolve(QUICK, interval=Seconds(0.05)))
        self.pullers.sync()
        await self.photos(2)
        self.assertEqual(self.pullers.pullers[CAMERA].interval, 0.05)
        self.config = evolve(self.config, camera=())
        self.pullers.sync()
        self.assertFalse(self.state.connected)
        await nap(0.1)
        asked = len(two.asked_for)
        await nap(0.3)
        self.assertEqual(len(two.asked_for), asked)

    @asynchronously
    async def test_taken_over(self) -> None:
        """Where the camera has another connection, that one is its camera."""
        self.pull(self.board())
        await self.photos(1)

        class Other:
            protocol = "v2"

        other: Any = Other()
        self.fleet.arrived(CAMERA, other, "192.0.2.1")
        await nap(0.3)
        count = len(self.stored)
        await nap(0.4)
        self.assertEqual(len(self.stored), count)
        self.assertIs(self.state.session, other)

    @asynchronously
    async def test_kick(self) -> None:
        """A board that is kicked is left alone for a moment, and comes back."""
        self.pull(self.board())
        await self.photos(1)
        self.assertTrue(self.fleet.kick(CAMERA))
        self.assertFalse(self.state.connected)
        await self.photos(1)
        self.assertTrue(self.state.connected)


class StreamTests(PullCase):
    """Its stream, once, for any number of viewers."""

    @asynchronously
    async def test_one_for_all(self) -> None:
        """The first viewer opens the stream, the last one ends it; photos go on being stored."""
        board = self.board()
        self.pull(board)
        await self.photos(1)
        stops = [self.live.watch(CAMERA, lambda chunks: None) for _ in range(20)]
        await true(lambda: len(self.intake.shown) > 20)
        self.assertEqual((board.opened, len(board.viewers)), (1, 1))
        await self.photos(3)
        for stop in stops[1:]:
            stop()
        await nap(0.1)
        self.assertEqual(len(board.viewers), 1)
        stops[0]()
        await true(lambda: not board.viewers)
        await self.photos(2)
        self.assertEqual(board.opened, 1)

    @asynchronously
    async def test_stream_mode(self) -> None:
        """Photos out of the stream, one an interval, without a single still asked for."""
        for kind in ("stock", "easytarget", "esphome-stream"):
            board = self.board(kind)
            self.pull(board, pull_mode="stream", name=kind)
            await self.photos(4)
            self.assertEqual(board.opened - (kind == "esphome-stream"), 1)
            begun = next(at for at, path in enumerate(board.asked_for) if path in ("/stream", "/"))
            self.assertNotIn("/capture", board.asked_for[begun:])

    @asynchronously
    async def test_silent_stream(self) -> None:
        """A stream that freezes is given up, and begun anew."""
        board = self.board()
        self.pull(board, pull_mode="stream")
        await self.photos(2)
        board.silent = True
        await true(lambda: not board.viewers)
        board.silent = False
        await self.photos(2)
        self.assertGreaterEqual(board.opened, 2)

    @asynchronously
    async def test_restart_in_stream(self) -> None:
        """A restart in mid-stream is seen, and the settings are made again."""
        board = self.board()
        self.pull(board, pull_mode="stream", settings=Wanted({"quality": 20}))
        await true(lambda: board.settings["quality"] == 20)
        await self.photos(2)
        boot = self.stored[-1].boot
        board.reboot()
        await true(lambda: board.settings["quality"] == 20 and self.stored[-1].boot != boot)

    @asynchronously
    async def test_somebody_else_watches(self) -> None:
        """Where another program has the only stream, stills are asked for, and shown."""
        board = self.board()
        self.config = evolve(self.config, pull=evolve(QUICK, answer=Seconds(0.5)))
        connected = await _connect(board.port + 1)
        connected.transport.write(b"GET /stream HTTP/1.1\r\n\r\n")
        await true(lambda: board.viewers)
        self.pull(board, interval=Seconds(30.0))
        await self.photos(1)
        self.live.watch(CAMERA, lambda chunks: None)
        await true(lambda: len(self.intake.shown) > 1, 8)
        self.assertTrue(self.state.connected)
        connected.transport.loseConnection()

    @asynchronously
    async def test_damaged_stream(self) -> None:
        """A stream of nothing but damaged pictures is given up."""
        board = self.board(make=lambda size, n: picture(size, n)[:-5])
        self.pull(board, pull_mode="stream")
        await true(lambda: self.pullers.pullers[CAMERA].failures >= 1)
        self.assertEqual(self.stored, [])


class _Quiet(Protocol):
    transport: Any


async def _connect(port: int) -> Any:
    from twisted.internet.endpoints import TCP4ClientEndpoint

    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
    return await endpoint.connect(Factory.forProtocol(_Quiet))


class SettingTests(PullCase):
    """Settings, framesize before all."""

    @asynchronously
    async def test_every_numbering(self) -> None:
        """Whatever numbering a board has and whatever size it is at, it gets the size that is
        wanted, and is sent no number but those that its own driver knows."""
        self.config = evolve(self.config, pull=evolve(QUICK, interval=Seconds(30.0)))
        for numbering in range(len(NUMBERINGS)):
            for start, wanted in (("vga", "qvga"), ("qvga", "vga"), ("svga", "cif")):
                board = self.board(numbering=numbering, start=FRAMESIZES[start])
                self.pull(board, settings=Wanted({"framesize": wanted}))
                await true(lambda board=board, wanted=wanted: board.size == FRAMESIZES[wanted])
                await true(
                    lambda wanted=wanted: (self.state.settings or {}).get("framesize") == wanted
                )
                self.assertLessEqual(set(board.numbers), set(board.table))
                self.assertLessEqual(len(board.numbers), 2)

    @asynchronously
    async def test_too_large(self) -> None:
        """A size that the board has no memory for is taken back, and that is said."""
        board = self.board(buffer=(640, 480))
        self.pull(board, interval=Seconds(30.0))
        await self.photos(1)
        await self.fails("set", "1600x1200", framesize="uxga")
        self.assertEqual(board.size, (640, 480))
        await self.fleet.command(CAMERA, "snap")
        self.assertEqual(self.stored[-1].width, 640)

    @asynchronously
    async def test_set(self) -> None:
        """What is set by a command is so at once, and again after a restart."""
        board = self.board()
        self.pull(board)
        await self.photos(1)
        await self.fleet.command(CAMERA, "set", quality="20", hmirror=1.0, framesize="svga")
        self.assertEqual((board.settings["quality"], board.settings["hmirror"]), (20, 1))
        self.assertEqual(board.size, (800, 600))
        board.reboot()
        await true(lambda: board.settings["quality"] == 20 and board.size == (800, 600))

    @asynchronously
    async def test_not_set(self) -> None:
        """What is out of its range is not even sent; what the board refuses is said."""
        board = self.board()
        self.pull(board)
        await self.photos(1)
        board.refused.add("brightness")
        for settings in ({"quality": 64}, {"quality": 20, "framesize": 8}, {"shutter": 1}):
            await self.fails("set", **settings)
        await self.fails("set", "500", brightness=1)
        self.assertEqual(board.settings["quality"], 10)
        self.assertEqual(board.numbers, [])

    @asynchronously
    async def test_refused_wish(self) -> None:
        """A wish that the board does not take keeps no other from being fulfilled."""
        board = self.board(refused={"brightness"})
        self.pull(board, settings=Wanted({"brightness": 1, "quality": 20}))
        await true(lambda: board.settings["quality"] == 20)
        await self.photos(1)

    @asynchronously
    async def test_interval(self) -> None:
        """The interval can be set while it runs."""
        self.pull(self.board(), interval=Seconds(30.0))
        await self.photos(1)
        await self.fleet.command(CAMERA, "set", interval=0.1)
        await self.photos(3)
        await self.fails("set", "interval", interval=0.001)


class CommandTests(PullCase):
    """What people want of a board that is asked."""

    @asynchronously
    async def test_snap(self) -> None:
        """A photo now, named in the answer."""
        board = self.board()
        self.pull(board, interval=Seconds(30.0))
        await self.photos(1)
        said = await self.fleet.command(CAMERA, "snap")
        photo = self.stored[-1]
        self.assertEqual(said["photo"], f"{CAMERA}~{photo.boot}-{photo.seq}")
        self.assertIs(photo.trigger, Trigger.SNAP)

    @asynchronously
    async def test_flash(self) -> None:
        """With the light that the firmware has, which is off again behind it."""
        for kind, name in (("stock", "led_intensity"), ("easytarget", "lamp")):
            board = self.board(kind)
            self.pull(board, interval=Seconds(30.0), name=kind)
            await self.photos(1)
            await self.fleet.command(CAMERA, "snap", flash=True)
            sent = [path for path in board.asked_for if name in path]
            self.assertEqual(len(sent), 2)
            self.assertEqual(board.settings[name], 0)
        self.pull(self.board("esphome-still"), interval=Seconds(30.0))
        await self.photos(1)
        await self.fails("snap", "no flash", flash=True)

    @asynchronously
    async def test_stream(self) -> None:
        """Its stream can be asked for, and ended."""
        board = self.board()
        self.pull(board)
        await self.photos(1)
        await self.fleet.command(CAMERA, "stream", fps=5)
        await true(lambda: board.viewers)
        await self.fleet.command(CAMERA, "stream", fps=0)
        await true(lambda: not board.viewers)

    @asynchronously
    async def test_others(self) -> None:
        """What cannot be asked by HTTP is said to be so; so is a board that is gone."""
        board = self.board("esphome-still")
        self.pull(board)
        await self.photos(1)
        await self.fails("reboot", "cannot be asked")
        await self.fails("set", "no settings", quality=10)
        board.close()
        await self.fails("snap", "snap porch")


class ClientTests(PullCase):
    """What a board sends is bounded, in bytes and in time, and https is verified."""

    def listen(self, answer: Callable[[Any], None], context: Any = None) -> int:
        class Answering(Protocol):
            transport: Any

            def dataReceived(self, data: bytes) -> None:
                answer(self.transport)

        factory: Any = Factory.forProtocol(Answering)
        if context is not None:
            port = reactor.listenSSL(0, factory, context, interface="127.0.0.1")
        else:
            port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    async def refused(self, answer: Callable[[Any], None], *words: str) -> None:
        url = f"http://127.0.0.1:{self.listen(answer)}/capture"
        began = reactor.seconds()
        try:
            await Client(reactor).get(url, 10_000, 0.6)
        except AnswerError as error:
            for word in words:
                self.assertIn(word, str(error))
        else:
            self.fail("an answer came")
        self.assertLess(reactor.seconds() - began, 20)

    @asynchronously
    async def test_bounds(self) -> None:
        """Too much, too slow, cut off, no HTTP at all, endless headers: all end, and soon."""
        ok = b"HTTP/1.1 200 OK\r\n"

        def drip(transport: Any) -> None:
            transport.write(b"x")
            if transport.connected:
                reactor.callLater(0.05, drip, transport)

        def dripping(transport: Any) -> None:
            transport.write(ok + b"Content-Length: 5000\r\n\r\n")
            drip(transport)

        def cut(transport: Any) -> None:
            transport.write(ok + b"Content-Length: 5000\r\n\r\nhello")
            transport.loseConnection()

        for answer, *words in (
            (lambda t: t.write(ok + b"Content-Length: 20000\r\n\r\n" + b"x" * 20_000), "more than"),
            (lambda t: t.write(ok + b"\r\n" + b"x" * 20_000), "more than"),
            (lambda t: t.write(ok + b"X: y\r\n" * 100_000), "its answer is too long"),
            (lambda t: t.write(b"x" * 100_000),),
            (lambda t: t.write(b"\xff" * 16_000 + b"\r\n\r\n"), "its answer is no HTTP"),
            (lambda t: t.write(ok + b"Content-Length: x\r\n\r\n"), "its answer is no HTTP"),
            (dripping, "within"),
            (lambda t: None, "within"),
            (cut,),
        ):
            await self.refused(answer, *words)
        await nap(0.1)

    @asynchronously
    async def test_nobody(self) -> None:
        """Nobody there, and a name that is none."""
        for url, why in (
            ("http://127.0.0.1:1/", "it cannot be reached: Connection refused"),
            ("http://no.such.host.invalid/", "no.such.host.invalid"),
        ):
            try:
                await Client(reactor).get(url, 100, 2.0)
            except AnswerError as error:
                self.assertTrue(str(error).endswith(why), str(error))
                continue
            self.fail(url)

    @asynchronously
    async def test_odd_status(self) -> None:
        """Of what a board says of itself only what can be shown to people is kept."""
        status = (
            b'{"framesize": 8, "quality": NaN, "contrast": Infinity, "sharpness": 1e999,'
            b' "awb": true, "aec_value": %s, "xclk": 16.5, "lamp": [], "": 1,'
            b' "cam_name": "a\\ud800\\u001b[2J"}' % (b"9" * 4000)
        )
        port = self.listen(
            lambda t: t.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(status) + status
            )
        )
        board = Board(f"http://127.0.0.1:{port}", Client(reactor), 10_000, 5.0)
        self.assertIs(await board.find_out(), Firmware.EASYTARGET)
        self.assertEqual(board.name, "a\ufffd\ufffd[2J")
        self.assertEqual(
            await board.status(), {"framesize": 8, "xclk": 16.5, "cam_name": board.name}
        )

    @asynchronously
    async def test_over_is_over(self) -> None:
        """Whoever stops a stream hears nothing of it any more, whatever has come already."""
        port = self.listen(
            lambda t: t.write(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20
            )
        )
        stream = await Client(reactor).open(f"http://127.0.0.1:{port}/", 10_000, 5.0)
        heard: list[bytes] = []

        def hear(data: bytes) -> None:
            heard.append(data)
            stream.stop()

        stream.follow(hear)
        await stream.done
        await nap(0.1)
        self.assertEqual(len(heard), 1)

    @asynchronously
    async def test_not_a_board(self) -> None:
        """A page is no board."""
        port = self.listen(
            lambda t: t.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                              b"Content-Length: 2\r\n\r\nhi")
        )  # fmt: skip
        board = Board(f"http://127.0.0.1:{port}", Client(reactor), 10_000, 1.0)
        try:
            await board.find_out()
        except AnswerError as error:
            self.assertIn("nothing there", str(error))
        else:
            self.fail("it was taken for one")

    @asynchronously
    async def test_https(self) -> None:
        """An https board is taken where its certificate is for its address, and signed by whom it
        must be; and not else."""
        directory = Path(self.mktemp())
        directory.mkdir()
        right, wrong = certificates(directory)
        for context, taken in ((right, True), (wrong, False)):
            board = self.board(context=context)
            client = Client(reactor, trusted=authorities(directory / "ca.pem"))
            asked = Board(board.url, client, 100_000, 2.0)
            try:
                await asked.find_out()
            except AnswerError as error:
                self.assertFalse(taken, str(error))
                self.assertEqual(board.asked_for, [])
            else:
                self.assertTrue(taken)
                self.assertTrue((await asked.still(lambda size: True)).whole)
        board = self.board(context=right)
        try:
            await Board(board.url, Client(reactor), 100_000, 2.0).find_out()
        except AnswerError as error:
            self.assertIn("trusted", str(error))
        else:
            self.fail("a strange authority was trusted")

    def test_authorities(self) -> None:
        """A file without a certificate stops the start, in a line."""
        directory = Path(self.mktemp())
        directory.mkdir()
        (directory / "empty.pem").write_text("hello\n")
        for name in ("empty.pem", "missing.pem"):
            self.config = Config(pull=PullConfig(ca=directory / name))
            error = self.assertRaises(PullError, self.pullers.prepare)
            self.assertIn(name, str(error))

    @asynchronously
    async def test_memory(self) -> None:
        """A picture for which there is no memory is not read on."""
        self.config = evolve(self.config, limits=evolve(self.config.limits, held=20))
        self.pull(self.board())
        await true(lambda: self.pullers.pullers[CAMERA].failures >= 1)
        self.assertEqual(self.stored, [])


class PullDaemonTests(DaemonCase, TestCase):
    """The whole daemon, with a board to ask."""

    timeout = 60

    @asynchronously
    async def test_stored(self) -> None:
        """Its photos lie in the store, and what it is to have it has."""
        board = FakeBoard().listen()
        self.addCleanup(board.close)
        daemon = self.daemon(
            '[web]\nlisten = "off"\n[pull]\ninterval = "200 ms"\n[[camera]]\nid = "porch"\n'
            f'pull = "{board.url}"\nsettings = {{ quality = 20, framesize = "qvga" }}\n'
        )
        daemon.launch()
        await true(lambda: len(daemon.photos()) > 2, 30, "photos in the store")
        self.assertEqual((board.settings["quality"], board.size), (20, (320, 240)))
        self.assertTrue(all(path.startswith("porch/") for path in daemon.photos()))
        daemon.signal(15)
        await true(lambda: daemon.process.poll() is not None, 15)
        self.assertEqual(daemon.process.returncode, 0)
