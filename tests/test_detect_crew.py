"""Workers are fed, replaced when they die, and the photo that kills them is found out."""

import os
import signal
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from camd.detect.crew import LONGEST_BACKOFF, STILLBORN, UNREADY_AGAIN, WINDOW, Crew, Rules
from camd.detect.manners import EVERY, TICK, Manners
from camd.detect.terms import Outfit
from camd.detect.worker import FAREWELL, LOADING, Job, Worker
from camd.store.entry import Entry
from camd.vision.lines import LONGEST_LINE, Ready, Setup
from camd.vision.wanted import Seen, Wanted
from camd.vision.zones import Zones
from tests.lookers import Hands, script
from tests.test_catalog import receipt

MODEL = Outfit(Setup(Path("/models/pests.onnx")))


def job(id: int, path: Path = Path("/store/x.jpg"), alone: bool = False) -> Job:
    return Job(Entry.of(receipt(id), id), path, Wanted(), alone)


class Notes:
    """A boss who writes down what he hears, and gives suspects back to be tried alone."""

    def __init__(self) -> None:
        self.crew: Crew | None = None
        self.seen: list[int] = []
        self.failed: list[tuple[int, str]] = []
        self.suspects: list[tuple[int, str]] = []
        self.unable: list[str] = []
        self.room = 0
        self.waiting: list[tuple[int, Deferred[None]]] = []

    def was_seen(self, ready: Ready, job: Job, seen: Seen) -> None:
        self.seen.append(job.id)
        self._look()

    def has_failed(self, job: Job, why: str, final: bool) -> None:
        self.failed.append((job.id, why))

    def is_suspect(self, job: Job, why: str) -> None:
        self.suspects.append((job.id, why))
        self._look()

    def is_unable(self, crew: Crew) -> None:
        self.unable.append(crew.error)

    def has_room(self, crew: Crew) -> None:
        self.room += 1

    def _look(self) -> None:
        for number, done in tuple(self.waiting):
            if len(self.seen) + len(self.suspects) >= number:
                self.waiting.remove((number, done))
                done.callback(None)

    def heard(self, number: int) -> "Deferred[None]":
        """Fires when so many photos were seen or are suspects."""
        done: Deferred[None] = Deferred()
        self.waiting.append((number, done))
        self._look()
        return done


class CrewCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.notes = Notes()
        self.hands = Hands()

    def crew(self, outfit: Outfit = MODEL, **rules: Any) -> Crew:
        return Crew(outfit, Rules(**rules), self.notes, self.clock, self.hands)

    def give(self, crew: Crew, *ids: int, alone: bool = False) -> None:
        crew.give([job(id, alone=alone) for id in ids])


class WorkTests(CrewCase):
    def test_a_window(self) -> None:
        """A worker has a few photos at once, and gets the next for each that it is through with."""
        crew = self.crew()
        self.give(crew, *range(10))
        hand = self.hands.one
        self.assertEqual(hand.jobs, [0, 1, 2, 3])
        hand.see(0)
        self.assertEqual(hand.jobs, [1, 2, 3, 4])
        self.assertEqual(hand.see_all(), list(range(1, 10)))
        self.assertEqual(self.notes.seen, list(range(10)))

    def test_what_it_is_told(self) -> None:
        """The setup comes first, and each photo with all that is wanted of it."""
        crew = self.crew()
        zones = Zones(inside=(((0.0, 0.0), (1.0, 0.0), (0.5, 1.0)),))
        crew.give([Job(Entry.of(receipt(1), 1), Path("/s/1.jpg"), Wanted(tile=640, zones=zones))])
        setup, told = self.hands.one.told
        self.assertEqual(setup["model"], "/models/pests.onnx")
        self.assertEqual((told["path"], told["tile"]), ("/s/1.jpg", 640))
        self.assertEqual(told["zones"]["in"], [[[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]]])

    def test_only_while_there_is_work(self) -> None:
        """No worker before the first photo, none a while after the last, and one again later."""
        crew = self.crew(idle=60)
        self.assertEqual(self.hands.all, [])
        self.give(crew, 1)
        self.clock.advance(59)  # it may take its time, since it is at something
        self.hands.one.see_all()
        self.clock.advance(59)
        self.assertEqual(len(self.hands.alive), 1)
        self.clock.advance(2)
        self.assertEqual((self.hands.alive, crew.workers), ([], []))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.give(crew, 2)
        self.assertEqual(self.hands.one.jobs, [2])

    def test_no_more_than_needed(self) -> None:
        """A second worker starts when the first has its hands full and is known to be able."""
        self.hands.at_once = False
        crew = self.crew(workers=2)
        self.give(crew, *range(WINDOW))
        self.hands.one.ready()
        self.assertEqual(len(self.hands.all), 1)
        self.give(crew, *range(10, 20))
        self.assertEqual(len(self.hands.all), 2)
        self.hands.all[1].ready()
        self.give(crew, *range(20, 40))
        self.assertEqual([len(hand.jobs) for hand in self.hands.all], [WINDOW, WINDOW])

    def test_fewer_by_new_rules(self) -> None:
        """A worker too many ends when it is through with what it has."""
        crew = self.crew(workers=2)
        self.give(crew, *range(20))
        first, second = self.hands.all
        crew.change(Rules(workers=1))
        self.assertEqual(second.see_all(), [4, 5, 6, 7])
        second.end(0)
        first.see_all()
        self.assertEqual((sorted(self.notes.seen), self.notes.suspects), ([*range(20)], []))
        self.assertEqual(crew.deaths, 0)

    def test_a_pause(self) -> None:
        """With a pause it has one photo at a time, and rests behind each."""
        crew = self.crew(pause=2)
        self.give(crew, 1, 2)
        hand = self.hands.one
        self.assertEqual(hand.jobs, [1])
        hand.see(1)
        self.clock.advance(1.9)
        self.assertEqual(hand.jobs, [])
        self.clock.advance(0.2)
        self.assertEqual(hand.jobs, [2])

    def test_what_cannot_be_looked_at(self) -> None:
        """A photo that the worker gives up on costs nobody anything."""
        crew = self.crew()
        self.give(crew, 1, 2)
        self.hands.one.fail(1, "it is no photo")
        self.hands.one.see_all()
        self.assertEqual(self.notes.failed, [(1, "it is no photo")])
        self.assertEqual((self.notes.seen, crew.deaths), ([2], 0))

    def test_stop(self) -> None:
        """At the end all are killed, nobody is to blame, and it is told when they are gone."""
        crew = self.crew(workers=2, pause=1)
        self.give(crew, *range(20))
        self.hands.all[0].see(0)
        gone = crew.stop()
        self.successResultOf(gone)
        self.assertEqual((self.hands.alive, self.notes.suspects, crew.deaths), ([], [], 0))
        self.give(crew, 30)
        self.assertEqual((len(self.hands.all), self.clock.getDelayedCalls()), (2, []))


class UnableTests(CrewCase):
    def test_checked(self) -> None:
        """A model is tried before there is a photo for it."""
        self.hands.at_once = False
        crew = self.crew()
        crew.check()
        self.hands.one.unready("it is no model")
        self.assertEqual((crew.error, self.notes.unable), ("it is no model", ["it is no model"]))
        self.assertEqual((self.notes.suspects, crew.deaths), ([], 0))

    def test_tried_again(self) -> None:
        """Now and then it is tried again, and then the photos that waited are looked at."""
        self.hands.at_once = False
        crew = self.crew()
        self.give(crew, 1)
        for number in range(6):
            self.hands.one.unready("it is no model")
            self.clock.advance(min(UNREADY_AGAIN[0] * 2**number, UNREADY_AGAIN[1]) + 0.1)
        self.hands.one.ready()
        self.assertEqual((crew.error, self.hands.one.jobs), ("", [1]))

    def test_never_ready(self) -> None:
        """A model that is loaded for ever is none."""
        self.hands.at_once = False
        crew = self.crew()
        crew.check()
        self.clock.pump([1.0] * round(LOADING))
        self.assertEqual(crew.error, "")
        self.clock.pump([1.0] * round((STILLBORN + 1) * LOADING))
        self.assertIn("nothing was heard", crew.error)

    def test_dies_before_it_is_ready(self) -> None:
        """What it said last is what is told."""
        self.hands.at_once = False
        crew = self.crew()
        crew.check()
        for _ in range(STILLBORN + 1):
            self.assertEqual(crew.error, "")
            self.clock.advance(1)
            self.hands.one.worker.errReceived(b"Traceback\nImportError: \x1b[no numpy\n")
            self.hands.one.end(1)
        self.assertEqual(crew.error, "it ended with code 1: ImportError: [no numpy")

    def test_no_process(self) -> None:
        """Where none can be started, that is the error."""

        def spawn(worker: Worker) -> None:
            raise OSError(11, "Resource temporarily unavailable")

        crew = Crew(MODEL, Rules(), self.notes, self.clock, spawn)
        crew.check()
        self.assertIn("temporarily unavailable", crew.error)


class DeathTests(CrewCase):
    def test_replaced(self) -> None:
        """Another worker takes its place; what it had begun is suspect, the rest is looked at."""
        crew = self.crew()
        self.give(crew, *range(6))
        self.hands.one.begin(0, 1)
        self.hands.one.end(signal=11)
        self.clock.advance(0.2)
        self.assertEqual([id for id, _ in self.notes.suspects], [0, 1])
        self.assertEqual(self.notes.suspects[0][1], "it was killed by signal 11")
        self.assertEqual(self.hands.one.see_all(), [2, 3, 4, 5])
        self.assertEqual(crew.deaths, 1)

    def test_alone(self) -> None:
        """A suspect is looked at by a worker that has nothing else, before any other photo."""
        crew = self.crew()
        self.give(crew, *range(8))
        hand = self.hands.one
        self.give(crew, 100, 101, alone=True)
        for id in range(4):
            hand.see(id)
        self.assertEqual(hand.jobs, [100])
        hand.see(100)
        self.assertEqual(hand.jobs, [101])
        hand.see(101)
        self.assertEqual(hand.jobs, [4, 5, 6, 7])

    def test_the_others_go_on(self) -> None:
        """While one worker is at a suspect, the others do not wait."""
        crew = self.crew(workers=2)
        self.give(crew, *range(20))
        first, second = self.hands.all
        self.give(crew, 100, alone=True)
        for id in tuple(first.jobs):
            first.see(id)
        second.see(second.jobs[0])
        self.assertEqual((first.jobs, len(second.jobs)), ([100], WINDOW))

    def test_hangs(self) -> None:
        """A worker of which nothing is heard is killed, and what it was at is suspect."""
        crew = self.crew(timeout=30)
        self.give(crew, 1, 2)
        self.hands.one.begin(1)
        self.clock.advance(29)
        self.hands.one.see(1)
        self.hands.one.begin(2)
        self.clock.advance(29)
        self.assertEqual(self.notes.suspects, [])
        self.clock.advance(2)
        self.assertEqual(self.notes.suspects, [(2, "nothing was heard of it for 30 s")])
        self.clock.advance(1)
        self.assertEqual((crew.deaths, len(self.hands.all)), (1, 1))  # there is nothing to do

    def test_talks_nonsense(self) -> None:
        """Rubbish, answers to what nobody asked, a job that it does not understand, or a line
        without end: it is killed."""
        for said in (
            b"\xff\n", b"[]\n", b"{}\n", b'{"begun":7}\n', b'{"ready":{"name":"x"}}\n',
            b'{"id":null,"error":"no job","final":true}\n', b"x" * (LONGEST_LINE + 1),
        ):  # fmt: skip
            crew = self.crew()
            self.give(crew, 1)
            hand = self.hands.one
            hand.begin(1)
            hand.worker.outReceived(said)
            self.assertTrue(hand.killed, said[:40])
            self.assertEqual(self.notes.suspects.pop()[0], 1)
            self.successResultOf(crew.stop())

    def test_nothing_behind_nonsense(self) -> None:
        """What comes behind rubbish is not believed."""
        crew = self.crew()
        self.give(crew, 1)
        self.hands.one.worker.outReceived(b"rubbish\n" + b'{"begun":1}\n' * 3)
        self.assertEqual(self.notes.suspects, [])

    def test_slower_each_time(self) -> None:
        """Where one worker after the other dies, the next is waited for, longer each time."""
        crew = self.crew()
        self.give(crew, 1)
        pauses = []
        for _ in range(14):
            self.hands.one.end(signal=9)
            before = self.clock.seconds()
            while not self.hands.alive:
                self.clock.advance(0.1)
            pauses.append(round(self.clock.seconds() - before, 1))
        self.assertLess(pauses[0], 0.3)
        self.assertEqual(pauses[:10], sorted(pauses[:10]))
        self.assertLess(abs(pauses[-1] - LONGEST_BACKOFF), 0.3)
        self.hands.one.see_all()
        self.give(crew, 2)
        self.hands.one.end(signal=9)
        self.clock.advance(0.2)
        self.assertEqual(self.hands.one.jobs, [2])

    def test_will_not_leave(self) -> None:
        """A worker that does not end though it has nothing to do is killed; that is no death."""
        crew = self.crew(idle=10)
        self.give(crew, 1)
        hand = self.hands.one
        hand.see_all()
        hand.closeStdin = lambda: None  # type: ignore[method-assign]
        self.clock.advance(10)
        self.clock.advance(FAREWELL)
        self.assertEqual((hand.killed, crew.deaths, crew.workers), (True, 0, []))


class MannersTests(CrewCase):
    """Workers, of one crew, beside a queue of photos for the disk."""

    def setUp(self) -> None:
        super().setUp()
        self.queue = 0
        self.manners = Manners(lambda: self.queue, self.clock, processors=2)
        self.addCleanup(self.manners.forget)

    def spawn(self, worker: Worker) -> None:
        self.hands(worker)
        self.manners.mind(worker)

    def begin(self, workers: int = 1, timeout: float = 60) -> Crew:
        crew = Crew(MODEL, Rules(workers, timeout), self.notes, self.clock, self.spawn)
        self.give(crew, *range(20))
        self.pass_time(1)
        return crew

    def pass_time(self, seconds: float) -> None:
        self.clock.pump([TICK] * round(seconds / TICK))

    def stopped(self) -> list[bool]:
        return [hand.stopped for hand in self.hands.alive]

    def test_while_boards_wait(self) -> None:
        """While photos queue up workers are stopped, and when the queue is short they go on."""
        self.begin()
        self.assertEqual(self.stopped(), [False])
        self.queue = 20
        self.pass_time(0.2)
        self.assertEqual(self.stopped(), [True])
        self.queue = 0
        self.pass_time(1)
        self.assertEqual(self.stopped(), [False])

    def test_now_and_then_a_photo(self) -> None:
        """A photo on its way now and then stops nobody."""
        self.begin()
        for tick in range(200):
            self.queue = int(tick % 3 == 0)
            self.pass_time(TICK)
            self.assertEqual(self.stopped(), [False])

    def test_for_a_moment(self) -> None:
        """However long the queue, they go on for a moment now and then."""
        self.begin()
        self.queue = 20
        went = 0
        for _ in range(round(10 * EVERY / TICK)):
            self.pass_time(TICK)
            went += not self.stopped()[0]
        self.assertTrue(0 < went * TICK < 10 * EVERY * 0.06, went)

    def test_processors_to_spare(self) -> None:
        """With processors left over, as many workers go on."""
        self.manners.processors = 3
        self.begin(workers=2)
        self.queue = 20
        self.pass_time(1)
        self.assertEqual(sorted(self.stopped()), [False, True])

    def test_patience(self) -> None:
        """To be stopped is not to hang; who hangs when he may go on is found out all the same."""
        self.begin(timeout=10)
        self.queue = 20
        self.pass_time(60)
        self.assertEqual(self.notes.suspects, [])
        self.queue = 0
        self.hands.one.begin(0)
        self.pass_time(12)
        self.assertEqual([id for id, _ in self.notes.suspects], [0])

    def test_ended(self) -> None:
        """A worker that is stopped can be ended, and nothing is left behind."""
        crew = self.begin()
        self.queue = 20
        self.pass_time(1)
        self.successResultOf(crew.stop())
        self.pass_time(1)
        self.assertEqual((self.hands.alive, self.clock.getDelayedCalls()), ([], []))


class AnyBytesTests(SynchronousTestCase):
    @given(st.lists(st.binary(max_size=40), max_size=8))
    def test_any_bytes(self, pieces: list[bytes]) -> None:
        """Whatever a worker says: it is understood, or it is killed, and nothing is raised."""
        hands, clock = Hands(), Clock()
        crew = Crew(MODEL, Rules(), Notes(), clock, hands)
        crew.give([job(1)])
        hand = hands.one
        for piece in pieces:
            hand.worker.outReceived(piece)
        if any(b"\n" in piece for piece in pieces):
            self.assertTrue(hand.killed)
        self.successResultOf(crew.stop())


class ProcessTests(TestCase):
    """The same with processes that are some."""

    timeout = 20

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.notes = Notes()
        spawn = script(reactor, self.directory)
        rules = Rules(timeout=0.5, idle=10)
        self.crew = Crew(MODEL, rules, self.notes, reactor, spawn)  # type: ignore[arg-type]
        self.addCleanup(self.crew.stop)

    def photo(self, id: int, how: str, alone: bool = False) -> Job:
        path = self.directory / f"{id}.jpg"
        path.write_text(how)
        return job(id, path, alone)

    async def test_crash_hang_rubbish(self) -> None:
        """Each of these ends a worker, and the photos around it are looked at all the same."""
        self.crew.give(
            self.photo(id, how, alone=how != "good")
            for id, how in enumerate(["good", "crash", "good", "hang", "rubbish", "good"])
        )
        await self.notes.heard(6)
        self.assertEqual(sorted(self.notes.seen), [0, 2, 5])
        whys = dict(self.notes.suspects)
        self.assertIn("signal 6", whys[1])
        self.assertIn("nothing was heard", whys[3])
        self.assertIn("nobody understands", whys[4])
        self.assertEqual(self.crew.deaths, 3)

    async def test_killed(self) -> None:
        """A worker that is killed from outside is replaced; its neighbours of this process's open
        files it has none of."""
        ours = os.open(self.directory, os.O_RDONLY)
        os.set_inheritable(ours, True)
        self.addCleanup(os.close, ours)
        self.crew.give([self.photo(1, "good")])
        await self.notes.heard(1)
        (worker,) = self.crew.workers
        assert worker.pid is not None
        self.assertEqual(sorted(os.listdir(f"/proc/{worker.pid}/fd")), ["0", "1", "2"])
        os.kill(worker.pid, signal.SIGKILL)
        self.crew.give([self.photo(2, "good")])
        await self.notes.heard(2)
        self.assertEqual(self.notes.seen, [1, 2])
