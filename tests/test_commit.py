"""Photos that wait together share a trip to the disk, and none is forgotten on the way."""

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from camd.store.commit import GroupCommit

WAIT = 10.0


class Reactor:
    """What is called from threads, and soon, is done when the test says so."""

    def __init__(self) -> None:
        self._calls: list[Callable[[], object]] = []
        self._changed = threading.Condition()

    def call_from_thread(self, what: Callable[[], object]) -> None:
        with self._changed:
            self._calls.append(what)
            self._changed.notify()

    soon = call_from_thread

    def turn(self) -> None:
        """All that has been asked for by now; waits for something."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._calls, WAIT):
                raise AssertionError("nothing was to be done")
            calls, self._calls = self._calls, []
        for call in calls:
            call()


class Disk:
    """Takes groups, one after the other, when it is let go on."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.busy = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.go_on.set()
        self.fails: Exception | None = None

    def work(self, jobs: Sequence[str]) -> list[str]:
        self.groups.append(list(jobs))
        self.busy.release()
        if not self.go_on.wait(WAIT):
            raise AssertionError("nobody let the disk go on")
        if self.fails is not None:
            raise self.fails
        return [job.upper() for job in jobs]


class CommitCase(SynchronousTestCase):
    """A group commit with a disk that can be held up."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.disk = Disk()

    def commit(self, writers: int = 1, **more: Any) -> "GroupCommit[str, str]":
        commit: GroupCommit[str, str] = GroupCommit(
            self.disk.work, self.reactor.call_from_thread, self.reactor.soon,
            lambda job: job[0], writers, **more,
        )  # fmt: skip
        commit.start()
        self.addCleanup(commit.stop, WAIT)
        self.addCleanup(self.disk.go_on.set)
        return commit

    def results(self, waiting: "Sequence[Deferred[str]]") -> list[str]:
        """What became of them, once all is through."""
        for _ in range(100):
            if all(done.called for done in waiting):
                break
            self.reactor.turn()
        return [self.successResultOf(done) for done in waiting]


class Groups(CommitCase):
    """Who shares a trip with whom."""

    def test_outcomes(self) -> None:
        """Each job gets its own outcome, in the reactor's thread."""
        commit = self.commit(4)
        names = [f"{letter}{number}" for number in range(50) for letter in "abc"]
        waiting = [commit.put(name) for name in names]
        self.assertEqual(self.results(waiting), [name.upper() for name in names])
        self.assertEqual(sorted(itertools.chain(*self.disk.groups)), sorted(names))
        self.assertEqual(commit.waiting, 0)

    def test_while_the_disk_is_busy(self) -> None:
        """What comes meanwhile goes together on the next trip, at most a batch of it."""
        commit = self.commit(batch=10)
        self.disk.go_on.clear()
        first = commit.put("a0")
        self.reactor.turn()
        self.disk.busy.acquire(timeout=WAIT)
        others = [commit.put(f"a{number}") for number in range(1, 26)]
        self.reactor.turn()
        self.assertEqual(commit.waiting, 26)
        self.disk.go_on.set()
        self.results([first, *others])
        self.assertEqual([len(group) for group in self.disk.groups], [1, 10, 10, 5])

    def test_near(self) -> None:
        """Those of one folder go together; nobody is overtaken for ever."""
        commit = self.commit(least=4, batch=8)
        self.disk.go_on.clear()
        waiting = [commit.put("x0")]
        self.reactor.turn()
        self.disk.busy.acquire(timeout=WAIT)
        waiting += [commit.put(f"{'ab'[number % 2]}{number}") for number in range(16)]
        self.reactor.turn()
        self.disk.go_on.set()
        self.results(waiting)
        self.assertEqual(
            [{job[0] for job in group} for group in self.disk.groups], [{"x"}, {"a"}, {"b"}]
        )

    def test_told(self) -> None:
        """Who counts is told of each trip's size."""
        sizes: list[int] = []
        commit = self.commit(told=sizes.append)
        self.results([commit.put("a"), commit.put("a")])
        self.assertEqual(sum(sizes), 2)


class Trouble(CommitCase):
    """When it goes wrong, and when it ends."""

    def test_work_that_fails(self) -> None:
        """Every job of the group hears of it, and the writer lives on."""
        commit = self.commit()
        self.disk.fails = OSError("no disk")
        waiting = [commit.put("a1"), commit.put("a2")]
        for _ in range(10):
            if all(done.called for done in waiting):
                break
            self.reactor.turn()
        for done in waiting:
            self.failureResultOf(done, OSError)
        self.disk.fails = None
        self.assertEqual(self.results([commit.put("a3")]), ["A3"])
        self.assertEqual(commit.waiting, 0)

    def test_barrier(self) -> None:
        """It fires when all that was put before is through, whatever was put behind it."""
        commit = self.commit()
        self.successResultOf(commit.barrier())
        self.disk.go_on.clear()
        before = commit.put("a")
        lifted = commit.barrier()
        self.reactor.turn()
        self.disk.busy.acquire(timeout=WAIT)
        behind = commit.put("b")
        second = commit.barrier()
        self.reactor.turn()
        self.assertNoResult(lifted)
        self.disk.go_on.set()
        self.results([before])
        self.successResultOf(lifted)
        self.results([behind])
        self.successResultOf(second)

    def test_stop(self) -> None:
        """What was put before the stop is done, that of the very same turn too."""
        commit = self.commit(2)
        waiting = [commit.put(f"a{number}") for number in range(20)]
        self.assertTrue(commit.stop(WAIT))
        self.assertEqual(len(self.results(waiting)), 20)

    def test_stop_with_a_disk_that_hangs(self) -> None:
        """The stop does not wait for ever, and says so."""
        commit = self.commit()
        self.disk.go_on.clear()
        commit.put("a")
        self.reactor.turn()
        self.disk.busy.acquire(timeout=WAIT)
        self.assertFalse(commit.stop(0.05))
