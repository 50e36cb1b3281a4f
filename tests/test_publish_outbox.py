"""What waits to be told outlives the process, within bounds."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

import camd
from camd.config import Bytes
from camd.config.telling import PublishConfig
from camd.publish.outbox import Delivery, Draft, Outbox, Outcome
from camd.store.schema import CatalogDamagedError, CatalogError

BOUNDS = PublishConfig()
MS = 1_786_832_103_000


def draft(number: int, target: str = "a", urgent: bool = False, body: str = "x") -> Draft:
    return Draft(f"msg_{number}", target, "photo", urgent, MS, body)


class OutboxTests(SynchronousTestCase):
    """`Outbox`."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.box = Outbox(self.path)

    def tearDown(self) -> None:
        self.box.close()

    def put(self, *drafts: Draft, bounds: PublishConfig = BOUNDS, **memory: Any) -> int:
        return self.box.put(drafts, bounds, memory)

    def turn(self, outcome: Outcome | None = None, now: int = MS, target: str = "a") -> Any:
        return self.box.turn(target, outcome, now, BOUNDS)

    def next(self, outcome: Outcome | None = None, now: int = MS, target: str = "a") -> Delivery:
        delivery, _ = self.turn(outcome, now, target)
        assert delivery is not None
        return delivery  # type: ignore[no-any-return]

    def again(self) -> None:
        """As after a restart."""
        self.box.close()
        self.box = Outbox(self.path)

    def test_in_order(self) -> None:
        """Each target's own come in the order in which they were put, over a restart too; what
        was delivered is gone."""
        self.put(*(draft(n, "ab"[n % 2]) for n in range(1, 7)))
        first = self.next()
        self.assertEqual((first.name, first.body, first.tries), ("msg_2", "x", 0))
        self.again()
        self.assertEqual(self.next(), first)
        second = self.next(Outcome(first.id))
        self.assertEqual(second.name, "msg_4")
        self.assertEqual(self.next(target="b").name, "msg_1")
        self.assertEqual(self.box.waiting(), {"a": 2, "b": 3})

    def test_later(self) -> None:
        """What failed comes again when it is due, and not before; others may go on."""
        self.put(draft(1), draft(2))
        first = self.next()
        self.assertEqual(self.next(Outcome(first.id, "no", MS + 50)).name, "msg_2")
        other = self.next()
        self.assertEqual(self.turn(Outcome(other.id), MS + 49), (None, MS + 50))
        again = self.next(now=MS + 50)
        self.assertEqual((again.name, again.tries, again.why), ("msg_1", 1, "no"))
        self.assertEqual(self.turn(Outcome(again.id), MS + 50), (None, None))

    def test_given_up(self) -> None:
        """What is given up is kept, as much as is allowed, and can be tried anew or forgotten."""
        self.put(*(draft(n) for n in (1, 2, 3)))
        bounds = evolve(BOUNDS, dead=2)
        for _ in range(3):
            self.box.turn("a", Outcome(self.next().id, "never"), MS, bounds)
        dead = self.box.dead(10)
        self.assertEqual([each.name for each in dead], ["msg_3", "msg_2"])
        self.assertEqual((dead[0].why, dead[0].tries, dead[0].dead_ms), ("never", 1, MS))
        self.assertEqual(self.turn(), (None, None))
        self.assertEqual(self.box.retry(dead[0].id, MS + 9), "a")
        self.assertIsNone(self.box.retry(dead[0].id, MS + 9))
        again = self.next(now=MS + 9)
        self.assertEqual((again.name, again.tries), ("msg_3", 0))
        self.assertTrue(self.box.discard(dead[1].id))
        self.assertFalse(self.box.discard(dead[1].id))
        self.assertFalse(self.box.discard(again.id))

    def test_too_old(self) -> None:
        """What has waited too long is given up before it is tried."""
        self.put(draft(1))
        late = MS + round(BOUNDS.give_up * 1000) + 1
        self.assertEqual(self.turn(now=late), (None, None))
        (dead,) = self.box.dead(10)
        self.assertEqual(dead.why, "it waited too long")

    def test_rows(self) -> None:
        """Beyond the bound the oldest goes, alerts last, and is counted."""
        bounds = evolve(BOUNDS, items=10)
        self.put(draft(0, urgent=True), *(draft(n) for n in range(1, 10)), bounds=bounds)
        self.assertEqual(self.put(draft(10), bounds=bounds), 2)
        self.assertEqual(self.box.dropped, 2)
        self.assertEqual(self.next().name, "msg_0")
        self.assertEqual(self.next(Outcome(self.next().id)).name, "msg_3")
        alerts = [draft(n, urgent=True) for n in range(20, 40)]
        self.put(*alerts, bounds=bounds)
        self.assertEqual(self.box.waiting(), {"a": 9})
        self.assertEqual(self.next().name, "msg_31")

    def test_bytes(self) -> None:
        """So it is with bytes, which are counted over a restart too."""
        bounds = evolve(BOUNDS, bytes=Bytes(1000))
        self.put(*(draft(n, body="ä" * 50) for n in range(9)), bounds=bounds)
        self.again()
        self.assertEqual(self.put(draft(10, body="x" * 200), bounds=bounds), 2)
        self.assertEqual(self.next().name, "msg_2")

    def test_put_twice(self) -> None:
        """The same delivery once more is the same delivery."""
        self.put(draft(1))
        self.put(draft(1), draft(2))
        self.assertEqual(self.box.waiting(), {"a": 2})

    def test_memory(self) -> None:
        """What is remembered is there together with what was put, or neither is."""
        self.put(draft(1), alerts={"a": [1, None]})
        self.put(gone={"x": "y"})
        self.again()
        self.assertEqual(self.box.recall(), {"alerts": {"a": [1, None]}, "gone": {"x": "y"}})
        self.assertRaises(TypeError, self.put, draft(2), alerts=object())
        self.assertEqual(self.box.waiting(), {"a": 1})

    def test_buried(self) -> None:
        """What waits for nobody is given up with a word."""
        self.put(draft(1), draft(2, "b"))
        self.assertEqual(self.box.bury(["b", "c"], "not there", MS, BOUNDS), 1)
        self.assertEqual([each.why for each in self.box.dead(9)], ["not there"])
        self.assertEqual(self.box.waiting(), {"a": 1})

    def test_killed(self) -> None:
        """What was put is there after kill -9, and nothing is half there."""
        script = (
            "import os, sys\n"
            "from pathlib import Path\n"
            "from tests.test_publish_outbox import BOUNDS, draft\n"
            "from camd.publish.outbox import Outbox\n"
            "box = Outbox(Path(sys.argv[1]))\n"
            "box.put([draft(n) for n in range(100)], BOUNDS, {'k': 1})\n"
            "os.kill(os.getpid(), 9)\n"
        )
        root = str(Path(camd.__file__).parent.parent)
        done = subprocess.run(
            [sys.executable, "-c", script, str(self.path)], check=False,
            env={**os.environ, "PYTHONPATH": root},
        )  # fmt: skip
        self.assertEqual(done.returncode, -signal.SIGKILL)
        self.assertEqual(self.box.waiting(), {"a": 100})
        self.assertEqual(self.box.recall(), {"k": 1})

    def test_damaged(self) -> None:
        """A damaged file is set aside with a line, and a new one takes its place."""
        self.path.write_bytes(b"no database at all" * 100)
        self.put(draft(1))
        self.assertEqual(self.box.waiting(), {"a": 1})
        self.assertTrue(self.path.with_name(f"{self.path.name}.damaged-1").exists())

    def test_damaged_later(self) -> None:
        """So it is where the damage shows only while it is used: what was to be put can be put
        again."""
        self.put(*(draft(n, body="x" * 4000) for n in range(50)))
        self.again()
        with self.path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 40_000)
        try:
            self.put(draft(99))
        except CatalogDamagedError:
            self.put(draft(99))
        self.assertEqual(self.box.waiting(), {"a": 1})

    def test_full(self) -> None:
        """On a full disk nothing is half put, and all goes on when there is room again."""
        self.put(draft(1))
        connection = self.box.open()
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        many = [draft(n, body="x" * 1000) for n in range(2, 50)]
        error = self.assertRaises(CatalogError, self.put, *many)
        self.assertIn("full", str(error))
        self.assertEqual(self.box.waiting(), {"a": 1})
        connection.execute("PRAGMA max_page_count = 100000")
        self.put(*many)
        self.assertEqual(self.box.waiting(), {"a": 49})

    def test_somebody_elses(self) -> None:
        """Another program's database is not touched."""
        with sqlite3.connect(self.path) as other:
            other.execute("CREATE TABLE t (x)")
        self.assertRaises(CatalogError, self.put, draft(1))
