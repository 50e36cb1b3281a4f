"""The rooms together: what the daemon does by the clock, and what it saves."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, execute, fail, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from camd.config import Loaded, load
from camd.fleet import Fleet, State
from camd.ingest.deadlines import Deadlines
from camd.news import Kind
from camd.photo import CameraId
from camd.service import LOOK, Camd, build
from camd.signals import Signals
from camd.store.entry import CameraState
from camd.store.schema import CatalogError
from camd.store.store import Store
from camd.upkeep import SOON
from tests.e2e_boards import V2, photo
from tests.e2e_daemon import DaemonCase, until
from tests.e2e_talk import Talk
from tests.web_client import WebCase


class Reactor(MemoryReactorClock):
    """One whose threads may say something, in their own time."""

    def callFromThread(self, what: Callable[[], object]) -> None:
        what()


class Clockwork(SynchronousTestCase):
    """What is done again and again."""

    def camd(self) -> tuple[Camd, Any]:
        reactor: Any = Reactor()
        store = Path(self.mktemp()).absolute()

        def reload() -> Loaded:
            return load(None, {}, {"store.path": str(store)})

        return build(reload(), reactor, reload), reactor

    def test_what_could_not_be_saved(self) -> None:
        """A camera that could not be saved is saved the next time, though nothing came from it."""
        camd, _ = self.camd()
        camd.fleet.remember(CameraId("trap"), 50.0, 60.0, {})
        broken = [True]
        saved: list[CameraState] = []

        class Kept:
            def save_camera_states(self, states: list[CameraState]) -> None:
                if broken:
                    raise CatalogError("the disk is full")
                saved.extend(states)

        self.patch(Store, "ask", lambda _store, work: execute(work, Kept()))
        self.successResultOf(camd.upkeep.save())
        broken.clear()
        for _ in range(2):
            self.successResultOf(camd.upkeep.save())
        self.assertEqual([state.camera for state in saved], ["trap"])

    def test_trouble_is_news(self) -> None:
        """That something is wrong with the store is told, once until it is right again."""
        camd, _ = self.camd()
        broken = [True]
        told: list[str] = []
        camd.news.listen(lambda item: told.append(item.text) if item.kind is Kind.STORE else None)

        def ask(_store: Store, work: object) -> Deferred[object]:
            return fail(CatalogError("the disk is full")) if broken else succeed(None)

        self.patch(Store, "ask", ask)
        for _ in range(2):
            self.successResultOf(camd.upkeep.save())
            self.successResultOf(camd.upkeep.sweep())
        once = ["cameras could not be saved: the disk is full",
                "retention failed: the disk is full"]  # fmt: skip
        self.assertEqual(told, once)
        broken.clear()
        self.successResultOf(camd.upkeep.save())
        broken.append(True)
        self.successResultOf(camd.upkeep.save())
        self.assertEqual(told, [*once, once[0]])

    def test_silence_is_saved(self) -> None:
        """That a camera has become silent is saved, though nothing came from it."""
        camd, _ = self.camd()
        camera = camd.fleet.remember(CameraId("trap"), 50.0, 60.0, {})
        saved: list[CameraState] = []

        class Kept:
            def save_camera_states(self, states: list[CameraState]) -> None:
                saved.extend(states)

        self.patch(Store, "ask", lambda _store, work: execute(work, Kept()))
        for silent in (False, True, True):
            camera.silent = silent
            self.successResultOf(camd.upkeep.save())
        self.assertEqual([state.state["silent"] for state in saved], [False, True])

    def test_forgotten(self) -> None:
        """Of a camera that is forgotten nothing stays: names may be anybody's."""
        camd, _ = self.camd()
        self.patch(Store, "ask", lambda _store, work: execute(lambda: None))
        camd.fleet.remember(CameraId("trap"), 50.0, 60.0, {})
        for _ in range(2):
            self.successResultOf(camd.upkeep.save())
        self.assertFalse(camd.fleet.cameras)
        self.assertFalse(camd.upkeep._saved)

    def test_saved_soon(self) -> None:
        """That a camera's photos are bad is on the disk a moment later, with what came meanwhile:
        a crash does not make it forgotten."""
        camd, reactor = self.camd()
        saved: list[list[CameraState]] = []

        class Kept:
            def save_camera_states(self, states: list[CameraState]) -> None:
                saved.append(states)

        self.patch(Store, "ask", lambda _store, work: execute(work, Kept()))
        for name in ("trap", "door"):
            camd.fleet.remember(CameraId(name), 50.0, 60.0, {})
            camd.news.tell(Kind.POOR, CameraId(name), "blurred")
        reactor.advance(SOON)
        reactor.advance(10 * SOON)
        self.assertEqual([[s.state["poor"][1] for s in states] for states in saved],
                         [["blurred", "blurred"]])  # fmt: skip
        camd.news.tell(Kind.GOOD, CameraId("trap"), "good")
        camd.upkeep.halt()
        reactor.advance(SOON)
        self.assertEqual(len(saved), 1)

    def test_one_failure_stops_nothing(self) -> None:
        """What fails once is tried again when its time comes, and the rest goes on."""
        camd, reactor = self.camd()
        looks: list[float] = []
        ticks: list[float] = []

        def look(_fleet: Fleet) -> None:
            looks.append(reactor.seconds())
            raise RuntimeError("a mistake")

        self.patch(Fleet, "look", look)
        self.patch(Deadlines, "tick", lambda _deadlines: ticks.append(1.0))
        camd.startService()
        reactor.pump([1.0] * int(3 * LOOK))
        self.assertEqual(len(looks), 3)
        self.assertEqual(len(ticks), int(3 * LOOK))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3)


class Handlers(SynchronousTestCase):
    def test_in_few_words(self) -> None:
        """Whoever starts a process has Python say what handles each signal: that takes no time,
        however much there is behind it."""
        for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        house = ["camera"] * 100_000
        Signals(house, house.clear, house.clear).install()
        said = repr(signal.getsignal(signal.SIGHUP))
        self.assertIn("Signals", said)
        self.assertLess(len(said), 300)


class Swept(WebCase):
    """What retention does while cameras are watched."""

    def test_counts(self) -> None:
        """What is deleted is off its camera's numbers at once."""
        daemon, client = self.web('[store]\nmax_bytes = "1 B"\nsweep = "1 s"\n')
        board = self.board(daemon, "trap-1")
        for seq in (1, 2):
            self.assertEqual(board.photo(seq, photo(seq)), f"ACK {seq}")
        card = lambda: client.get("/api/v1/cameras/trap-1").json  # noqa: E731
        until(lambda: card()["photos"] == 0)
        self.assertEqual(card()["bytes"], 0)
        self.assertEqual(daemon.photos(), {})

    def test_store_away(self) -> None:
        """Photos of a store that was moved away, while camd runs, are not taken for gone."""
        daemon, client = self.web('[store]\nsweep = "1 s"\nmax_bytes = "1 GB"\n')
        board = self.board(daemon, "trap-1")
        for seq in (1, 2):
            self.assertEqual(board.photo(seq, photo(seq)), f"ACK {seq}")
        away = daemon.directory / "away"
        daemon.store.rename(away)
        settings = daemon.config.read_text()
        for text in (settings.replace("1 GB", "1 B"), settings):
            daemon.config.write_text(text)
            daemon.signal(signal.SIGHUP)
            until(lambda: "retention failed" in daemon.said)
        until(lambda: daemon.said.count("was read again") == 2)
        away.rename(daemon.store)
        self.assertEqual(client.get("/api/v1/cameras/trap-1").json["photos"], 2)
        self.assertEqual(len(daemon.photos()), 2)


class Restarted(DaemonCase):
    """What the daemon knows again after a restart."""

    def test_cameras(self) -> None:
        """Cameras and their counts are there again, be it behind a clean stop or a kill."""
        daemon = self.daemon().start()
        board = V2(daemon.port, Talk("trap"))
        for seq in (1, 2):
            self.assertEqual(board.photo(seq, photo(seq)), f"ACK {seq}")
        board.send(board.talk.line("BYE next=900"))
        board.close()
        until(lambda: "disconnected" in daemon.said)
        self.assertEqual(daemon.stop(), 0)
        for _ in range(2):
            daemon.start()
            again = V2(daemon.port, Talk("trap"))
            self.assertEqual(again.last, 2)
            daemon.kill()
        camera = self.known(daemon.store)
        self.assertEqual((camera.photos, camera.state), (2, State.ASLEEP))

    def test_what_is_saved(self) -> None:
        """What became known of a camera since it was seen last is saved, too."""
        daemon = self.daemon().start()
        V2(daemon.port, Talk("trap")).close()
        until(lambda: "disconnected" in daemon.said)
        self.assertEqual(daemon.stop(), 0)
        for kind in (Kind.STAT, Kind.POOR):
            camd = self.opened(daemon.store)
            self.assertFalse(camd.fleet.is_poor(CameraId("trap")))
            camd.upkeep.save()
            camd.news.tell(kind, CameraId("trap"), "its photos have gone bad: blurred")
            camd.upkeep.save()
            camd.store.close(10)
        self.assertTrue(self.opened(daemon.store).fleet.is_poor(CameraId("trap")))

    def known(self, store: Path) -> Any:
        """What a daemon that opens this store knows of the camera."""
        return self.opened(store).fleet.cameras[CameraId("trap")]

    def opened(self, store: Path) -> Any:
        """camd, with that store open."""
        reactor: Any = Reactor()

        def reload() -> Loaded:
            return load(None, {}, {"store.path": str(store), "web.listen": "off"})

        camd = build(reload(), reactor, reload)
        camd.store.open()
        self.addCleanup(camd.store.close, 10)
        camd.upkeep.remember()
        return camd
