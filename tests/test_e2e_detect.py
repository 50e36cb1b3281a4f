"""Photos of a sticky trap, from the board to what is known to be on them, with all real parts."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from camd.photo import CameraId
from camd.store.catalog import CatalogReader
from camd.store.findings import Backlog, FindingsReader
from tests.e2e_boards import V2
from tests.e2e_daemon import Daemon, DaemonCase, environment, until
from tests.e2e_talk import Talk
from tests.models import build
from tests.pictures import insects

TRAP = CameraId("trap-1")


def workers(parent: int) -> list[int]:
    """The processes that look at photos for that one."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            stat = (path / "stat").read_text().rpartition(")")[2].split()
            command = (path / "cmdline").read_bytes()
        except OSError:
            continue
        if int(stat[1]) == parent and b"camd.vision.worker" in command and stat[0] != "Z":
            found.append(int(path.name))
    return found


class Known:
    """What the catalog says, seen from outside."""

    def __init__(self, store: Path) -> None:
        self.path = store / ".camd" / "catalog.sqlite"

    def backlog(self) -> Backlog:
        with closing(CatalogReader.open(self.path)) as reader:
            return FindingsReader(reader).backlog()

    def insects(self) -> list[int]:
        """How many were found on each photo that was looked at, oldest first."""
        with closing(CatalogReader.open(self.path)) as reader:
            findings = FindingsReader(reader)
            known = findings.of_many([entry.id for entry in reader.photos(newest_first=False)])
            return [len(each.detections) for each in known.values() if each.model]


class DetectionTests(DaemonCase):
    def setUp(self) -> None:
        super().setUp()
        self.model = build(self.directory() / "insects.onnx", size=320)

    def configured(self, **detect: str) -> str:
        settings = {"model": str(self.model), "order": "oldest", "priority": "normal", **detect}
        lines = "\n".join(f'{key} = "{value}"' for key, value in settings.items())
        return f"[detect]\n{lines}\n[judge]\nenabled = true\n"

    def send(self, daemon: Daemon, *seqs: int) -> None:
        board = V2(daemon.port, Talk(TRAP))
        with closing(board):
            for seq in seqs:
                self.assertEqual(board.photo(seq, insects(seq)), f"ACK {seq}")

    def test_from_the_trap_to_the_count(self) -> None:
        """What waits survives a restart and the death of a worker; what is found is in the
        catalog; a model that is missing is a line, and boards notice nothing of it all."""
        daemon = self.daemon(self.configured(pause="1 h")).start()
        known = Known(daemon.store)
        self.send(daemon, *range(1, 7))
        until(lambda: len(known.insects()) == 1, 20, "one photo is looked at")
        until(lambda: known.backlog() == Backlog(5, 0), 5, "the others wait")
        (worker,) = workers(daemon.pid)
        self.assertEqual(daemon.stop(), 0)
        until(lambda: not Path(f"/proc/{worker}").exists(), 5, "its worker ends with it")

        self.assertEqual(known.backlog(), Backlog(5, 0))
        daemon.config.write_text(self.configured(timeout="20 s"))
        daemon.start()
        until(lambda: workers(daemon.pid), 10, "there is a worker")
        os.kill(workers(daemon.pid)[0], signal.SIGKILL)
        until(lambda: known.backlog() == Backlog(0, 0), 20, "all photos are looked at")
        self.assertIn("died and is replaced: it was killed by signal 9", daemon.said)
        counts = known.insects()
        self.assertEqual(len(counts), 6)
        self.assertGreater(min(counts), 0)

        daemon.config.write_text(self.configured(model="/nowhere/model.onnx"))
        daemon.signal(signal.SIGHUP)
        until(lambda: "/nowhere/model.onnx cannot be read" in daemon.said, 10, "it is said")
        self.send(daemon, 7)
        until(lambda: known.backlog() == Backlog(1, 0), 5, "the photo waits")
        self.again(daemon, known)
        self.assertEqual(daemon.stop(), 0)

    def again(self, daemon: Daemon, known: Known) -> None:
        """Another model looks at old photos while camd runs; what it has seen it leaves out."""
        other = build(self.directory() / "other.onnx", size=256)
        command = [sys.executable, "-m", "camd", "--config", str(daemon.config),
                   "--store", str(daemon.store), "detect"]  # fmt: skip

        def run(*arguments: str) -> str:
            done = subprocess.run(
                [*command, "--model", str(other), "--jobs", "1", *arguments], env=environment(),
                capture_output=True, text=True, timeout=60, check=True,
            )  # fmt: skip
            return done.stdout

        self.assertRegex(run(TRAP), r"^7 photos looked at; found: [0-9]+ insect\n$")
        self.assertEqual(len(known.insects()), 7)
        self.assertEqual(known.backlog(), Backlog(0, 0))
        self.assertIn("no photo that this model has not seen; --again", run())
        self.assertEqual({run("--aside"), run("--retry")}, {"no photo is set aside\n"})
