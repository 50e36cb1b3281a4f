"""The bench measures a real daemon, and says what it measured."""

import json
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from camd.bench.run import weight
from camd.bench.yardstick import naive
from tests.pictures import insects


class Bench(SynchronousTestCase):
    """``camd bench``, short."""

    def run_bench(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        where = Path(self.mktemp())
        where.mkdir(parents=True)
        return subprocess.run(
            [sys.executable, "-m", "camd", "bench", "--dir", str(where), "--seconds", "1",
             "--boards", "3", "--size", "qvga", *arguments],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def test_json(self) -> None:
        """Every photo was durable, the yardstick ran beside it, and nothing is left on the disk."""
        done = self.run_bench("--connections", "50", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        said = json.loads(done.stdout)
        (row,) = said["loads"]
        self.assertEqual((row["boards"], row["refused"]), (3, 0))
        self.assertGreater(row["rate"], 10)
        self.assertGreater(row["naive"], 10)
        self.assertAlmostEqual(row["ratio"], row["rate"] / row["naive"])
        self.assertLess(0, row["p50"])
        self.assertLessEqual(row["p50"], row["p99"])
        self.assertGreater(row["cpu"], 0)
        self.assertGreater(said["idle_bytes"], 10_000_000)
        self.assertLess(said["connection_bytes"] or 0, 100_000)  # so few may be too few to weigh

    def test_table(self) -> None:
        """People get a table, with a row for each load."""
        done = self.run_bench("--connections", "0")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("photos", done.stdout)
        self.assertNotIn("…", done.stdout)
        self.assertNotIn("memory", done.stdout)

    def test_a_missing_directory(self) -> None:
        done = self.run_bench("--dir", "/nonexistent/camd")
        self.assertEqual(done.returncode, 2)
        self.assertIn("/nonexistent/camd", done.stderr)


class Weight(SynchronousTestCase):
    def test_few(self) -> None:
        """A connection weighs something, or nobody knows what."""
        self.assertEqual(weight(1000, 3000, 10), 200)
        for full in (1000, 900):
            self.assertIsNone(weight(1000, full, 10))


class Yardstick(SynchronousTestCase):
    def test_one_by_one(self) -> None:
        """The yardstick leaves whole photos, as many as it says."""
        where = Path(self.mktemp()) / "photos"
        where.parent.mkdir(parents=True)
        picture = insects(1)
        rate = naive(where, [picture], 0.2)
        photos = sorted(where.glob("*.jpg"))
        self.assertGreater(rate, 0)
        self.assertTrue(photos)
        self.assertTrue(all(photo.read_bytes() == picture for photo in photos))
