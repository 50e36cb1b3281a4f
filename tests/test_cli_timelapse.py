"""``camd timelapse`` from the command line."""

import io
import json
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr
from pathlib import Path

import camd
from camd.cli import main
from camd.findings import Flag, Look
from camd.photo import CameraId
from camd.store.catalog import Catalog
from camd.store.findings_writer import FindingsWriter
from camd.store.folders import OWN
from tests.film_store import BOOT, NOON, probed, put
from tests.test_cli import CommandCase
from tests.tools import tool

RUN = ("timelapse", "trap-1")


class Timelapse(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        tool("ffmpeg", "ffmpeg")
        self.store.mkdir()

    def test_a_film(self) -> None:
        """A line says what came of it; nothing else is left, and what is there stays."""
        put(self.store, [NOON + at * 3600 for at in range(30)])
        said = self.in_store(*RUN, "--fps", "10")
        self.assertRegex(said, r"^30 photos; 3 s, 320x240, [0-9.]+ kB: trap-1\.mp4\n$")
        self.assertEqual(sorted(os.listdir(self.directory)), ["photos", "trap-1.mp4"])
        self.assertEqual(probed(self.directory / "trap-1.mp4")["nb_read_frames"], "30")
        line = self.fails(1, "--store", "photos", *RUN)
        self.assertIn("trap-1.mp4 is there already; --force replaces it", line)

    def test_options(self) -> None:
        """Each does what it says, in the camera's own time."""
        put(self.store, [NOON + at * 3600 for at in range(48)])
        said = self.does(
            "--store", "photos", *RUN, "--from", "2026-08-16", "--to", "2026-08-16 20:00",
            "--day-only", "06:00-18:00", "--every", "2h", "--size", "qqvga", "--date",
            "--skip-dark", "--nice", "-o", "other.mp4",
            CAMD_STORE__TIMEZONE="Asia/Tokyo",
        )  # fmt: skip
        self.assertRegex(said, r"^6 photos; 0\.24 s, 160x120, .* kB: other\.mp4\n$")
        self.assertIn("; 2 s,", self.in_store(*RUN, "--length", "2"))

    def test_what_the_catalog_knows(self) -> None:
        """Photos that were judged before are left out by that."""
        put(self.store, [NOON + at for at in range(4)])
        catalog = Catalog.open(self.store / OWN / "catalog.sqlite")
        for number, flag in enumerate((Flag.BROKEN, Flag.COVERED, Flag.BLURRED), 1):
            entry = catalog.find((CameraId("trap-1"), BOOT, number))
            assert entry is not None, "it was put there"
            look = Look(entry.id, None, frozenset({flag}))
            FindingsWriter(catalog).looked(None, [look], NOON * 1000)
        catalog.close()
        said = self.in_store(*RUN, "--skip-dark")
        self.assertIn("2 photos, left out: 1 broken, 1 covered;", said)

    def test_a_board_without_a_name(self) -> None:
        """It has photos like any other: they can be listed, and made into a film."""
        put(self.store, [NOON, NOON + 60], camera="v1-127-0-0-1")
        self.assertIn("v1-127-0-0-1_20260815", self.in_store("ls", "v1-127-0-0-1"))
        self.in_store("timelapse", "v1-127-0-0-1")
        self.assertTrue((self.directory / "v1-127-0-0-1.mp4").exists())
        line = self.fails(1, "--store", "photos", "ls", "v1-192-0-2-7")
        self.assertIn("no photo of v1-192-0-2-7", line)
        self.fails(2, "ls", "v1-../x")

    def test_called_wrongly(self) -> None:
        """One line for each mistake, with what is wanted."""
        put(self.store, [NOON])
        for options, wanted in (
            (["--from", "yesterday"], '"2026-08-15"'),
            (["--to", "2026-13-01"], '"2026-08-15"'),
            (["--from", "2026-08-16", "--to", "2026-08-15"], "--from is not before --to"),
            (["--fps", "0"], "--fps"),
            (["--size", "1281x720"], "even numbers"),
            (["--length", "soon"], "a duration"),
            (["--length", "0 s"], "a duration"),
            (["--length", "9s", "--every", "9s"], "give one of them"),
            (["--day-only", "8-20"], "06:30-20:00"),
            (["--largest", "much"], "a size"),
            (["-o", "film.avi"], ".mp4"),
            (["-o", "no/film.mp4"], "there is no directory no"),
        ):
            self.assertIn(wanted, self.fails_here(2, *RUN, *options))
        for arguments, wanted in (
            ([*RUN, "--store", "nowhere"], "there is no store"),
            (["timelapse", "trap-2"], "has no photo of trap-2"),
        ):
            self.assertIn(wanted, self.fails_here(1, *arguments))
        self.assertEqual(os.listdir(self.directory), ["photos"])

    def fails_here(self, code: int, *arguments: str) -> str:
        """As `fails`, in this process."""
        before = signal.getsignal(signal.SIGTERM)
        with redirect_stderr(io.StringIO()) as said:
            self.assertEqual(main(["--store", str(self.store), *arguments]), code)
        signal.signal(signal.SIGTERM, before)
        self.assertRegex(said.getvalue(), r"^camd: .*\n$")
        return said.getvalue()

    def test_no_ffmpeg(self) -> None:
        """Without one, what to install is said in a line; so with Pillow."""
        put(self.store, [NOON])
        for module, wanted in (
            ("imageio_ffmpeg", 'timelapse needs ffmpeg: apt-get install ffmpeg, or pip install'
             ' "camd[video]"'),
            ("PIL", 'timelapse needs Pillow: pip install "camd[video]"'),
        ):  # fmt: skip
            script = (
                f"import sys; sys.modules['{module}'] = None; from camd.cli import main;"
                f" sys.exit(main(['--store', 'photos', 'timelapse', 'trap-1']))"
            )
            done = self.python("-c", script, PATH=str(self.directory))
            self.assertEqual((done.returncode, done.stderr), (1, f"camd: {wanted}\n"))

    def python(self, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        root = str(Path(camd.__file__).parents[1])
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.directory, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": root, **environ}, timeout=60, check=False,
        )  # fmt: skip

    def test_progress_and_the_end_of_it(self) -> None:
        """Programs read the progress in lines. SIGTERM in the middle, and nobody who reads on,
        leave nothing behind."""
        put(self.store, [NOON + at for at in range(2000)])
        for end in (lambda child: child.terminate(), lambda child: child.stdout.close()):
            child = subprocess.Popen(
                [sys.executable, "-m", "camd", "--store", "photos", *RUN, "--size", "uxga",
                 "--date", "--progress", "json"],
                cwd=self.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(Path(camd.__file__).parents[1])},
            )  # fmt: skip
            assert child.stdout is not None and child.stderr is not None, "they are pipes"
            for line in child.stdout:
                said = json.loads(line)
                if said["total"] and said["done"]:
                    break
            self.assertEqual(said["total"], 2000)
            end(child)
            self.assertEqual(child.wait(20), 1)
            complaint = child.stderr.read()
            child.stdout.close()
            child.stderr.close()
            self.assertIn(complaint, (b"camd: stopped\n", b""))
            self.assertEqual(os.listdir(self.directory), ["photos"])

    def test_what_programs_are_told(self) -> None:
        """The last line is what was made."""
        put(self.store, [NOON, NOON + 1])
        *_, before, last = self.in_store(*RUN, "--progress", "json").splitlines()
        self.assertEqual(json.loads(before), {"done": 2, "total": 2})
        size = (self.directory / "trap-1.mp4").stat().st_size
        made = {"photos": 2, "left_out": {}, "seconds": 0.08, "size": [320, 240], "bytes": size}
        self.assertEqual(json.loads(last), {"made": made})
