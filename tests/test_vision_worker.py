"""The process that looks at photos, and the lines it is spoken to with."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import camd
from camd.findings import Box, Detection, Flag
from camd.pictures import Album
from camd.vision import conveyor
from camd.vision.conveyor import Conveyor
from camd.vision.lines import (
    LONGEST_LINE,
    Answer,
    Begun,
    Done,
    Failed,
    Job,
    LineError,
    Ready,
    Setup,
    Unready,
    answer_line,
    job_line,
    parse_answer,
    parse_job,
    parse_setup,
    setup_line,
)
from camd.vision.looker import Looker
from camd.vision.model import load
from camd.vision.thresholds import Thresholds
from camd.vision.wanted import Limits, Seen, Wanted
from camd.vision.zones import Zones
from tests.models import build
from tests.pictures import insects

PATIENCE = 60.0
ENVIRON = {**os.environ, "PYTHONPATH": str(Path(camd.__file__).parents[1])}
ids = st.integers(0, 2**63 - 1)
shares = st.floats(0, 1, allow_nan=False)
names = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12)
paths = st.text(
    st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20
).map(lambda text: Path("/" + text.strip("/")))
triangles = st.lists(st.tuples(shares, shares), min_size=3, max_size=4).map(tuple)
zones = st.builds(Zones, *(st.lists(triangles, max_size=2).map(tuple),) * 2)
wishes = st.builds(
    Wanted, st.booleans(), st.booleans(), shares, shares, st.integers(1, 999), st.integers(0, 8192),
    st.floats(0, 0.9), st.booleans(), zones,
)  # fmt: skip
setups = st.builds(
    Setup, st.none() | paths, st.none() | st.tuples(st.integers(16, 8192), st.integers(16, 8192)),
    st.lists(names, max_size=3).map(tuple), st.integers(1, 64),
    st.builds(Thresholds, dark=st.floats(0, 255)),
    st.builds(Limits, most_bytes=st.integers(1, 2**40)),
)  # fmt: skip
boxes = st.builds(
    lambda x, y, w, h: Box(x / 100, y / 100, w / 100, h / 100),
    st.integers(0, 49), st.integers(0, 49), st.integers(1, 50), st.integers(1, 50),
)  # fmt: skip
seens = st.builds(
    Seen, st.none() | st.lists(st.builds(Detection, names, shares, boxes), max_size=3).map(tuple),
    st.frozensets(st.sampled_from(Flag)), st.binary(max_size=16),
    st.integers(0, 9999), st.integers(0, 9999), st.integers(0, 99).map(float),
)  # fmt: skip
readies = st.builds(
    Ready,
    names,
    names,
    st.lists(names, max_size=3).map(tuple),
    st.tuples(*(st.integers(0, 8192),) * 2),
)
answers = st.one_of(
    readies, st.builds(Unready, st.text()), st.builds(Begun, ids), st.builds(Done, ids, seens),
    st.builds(Failed, st.none() | ids, st.text(), st.booleans()),
)  # fmt: skip


class LineTests(SynchronousTestCase):
    """Whatever is said is understood as it was meant, and nothing else is."""

    @given(setups)
    def test_setup(self, setup: Setup) -> None:
        """Of every setup there is."""
        line = setup_line(setup)
        self.assertEqual(parse_setup(line), setup)
        self.check_line(line)

    @given(ids, paths, wishes)
    def test_job(self, number: int, path: Path, wanted: Wanted) -> None:
        """Of every job there is."""
        job = Job(number, path, wanted)
        self.assertEqual(parse_job(job_line(job)), job)
        self.check_line(job_line(job))

    @given(answers)
    def test_answer(self, answer: Answer) -> None:
        """Of every answer there is; a box's sides but for rounding."""
        self.check_line(answer_line(answer))
        again = parse_answer(answer_line(answer))
        if isinstance(answer, Done):
            self.assertIsInstance(again, Done)
            self.assertEqual(answer_line(again).count(b","), answer_line(answer).count(b","))
        else:
            self.assertEqual(again, answer)

    def check_line(self, line: bytes) -> None:
        """One, of ASCII, and JSON."""
        self.assertEqual((line.count(b"\n"), line[-1:]), (1, b"\n"))
        self.assertTrue(line.isascii())
        json.loads(line)

    def test_little_is_enough(self) -> None:
        """What is not said is as usual, null is as good as that, one number is a square."""
        self.assertEqual(parse_setup(b"{}\n"), Setup())
        self.assertEqual(parse_setup(b'{"size": 320, "model": null}'), Setup(size=(320, 320)))
        self.assertEqual(
            parse_job(b'{"id": 7, "path": "/a.jpg"}'), Job(7, Path("/a.jpg"), Wanted())
        )

    def test_a_photo_that_was_looked_at(self) -> None:
        """The line is what is promised."""
        thing = Detection("whitefly", 0.9, Box(0.1, 0.2, 0.3, 0.4))
        seen = Seen((thing,), frozenset({Flag.GREEN, Flag.DARK}), b"\x01\xff", 640, 480, 0.25)
        self.assertEqual(
            json.loads(answer_line(Done(7, seen))),
            {
                "id": 7, "detections": [["whitefly", 0.9, 0.1, 0.2, 0.3, 0.4]],
                "flags": ["dark", "green"], "fingerprint": "01ff", "width": 640, "height": 480,
                "seconds": 0.25,
            },
        )  # fmt: skip

    def test_jobs_that_are_none(self) -> None:
        """The error says what is wrong, and whose job it was as far as that can be told."""
        for line, about, why in (
            ('{"path": "/a"}', None, 'a job has an "id"'),
            ('{"id": -1, "path": "/a"}', None, '"id" is a whole number from 0'),
            ('{"id": true, "path": "/a"}', None, '"id" is a whole number'),
            ('{"id": 5}', 5, '"path" is an absolute path'),
            ('{"id": 5, "path": "a"}', 5, '"path" is an absolute path'),
            ('{"id": 5, "path": "/a\\u0000"}', 5, '"path" is an absolute path'),
            (
                '{"id": 5, "path": "/a", "confidence": 1.5}',
                5,
                '"confidence" is a number from 0 to 1',
            ),
            ('{"id": 5, "path": "/a", "iou": NaN}', 5, '"iou" is a number from 0 to 1'),
            ('{"id": 5, "path": "/a", "judge": 1}', 5, '"judge" is true or false'),
            ('{"id": 5, "path": "/a", "most": 1.0}', 5, '"most" is a whole number'),
            ('{"id": 5, "path": "/a", "zones": {"in": [[[0, 0]]]}}', 5, 'polygon "in" 1'),
            ('{"id": 5, "path": "/a", "colour": 3}', 5, '"colour" is nothing that is known here'),
            ("[5]", None, "no JSON object"),
            ("{", None, "no line of JSON"),
            ('{"id": 5, "path": "/ä"}', None, "no line of JSON"),
            ("[" * 100_000, None, "no line of JSON"),
            (" " * (LONGEST_LINE + 1), None, "bytes at most"),
        ):
            error = self.assertRaises(LineError, parse_job, line.encode())
            self.assertEqual(error.id, about)
            self.assertIn(why, str(error))

    @given(st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.sampled_from(("id", "path", "zones", "in", "size", "model", "classes", "begun",
                             "ready", "error", "flags", "detections", "thresholds", "limits")),
            inner, max_size=5), max_leaves=15))  # fmt: skip
    def test_any_json(self, given_: object) -> None:
        """It is understood, or a LineError."""
        line = json.dumps(given_).encode()
        for parse in (parse_setup, parse_job, parse_answer):
            try:
                parse(line)
            except LineError:
                pass

    def test_light(self) -> None:
        """Whoever only steers needs none of the heavy packages."""
        code = (
            "import sys\n"
            "sys.modules.update(dict.fromkeys(('numpy', 'PIL', 'onnxruntime')))\n"
            "import camd.vision.lines, camd.vision.thresholds, camd.vision.zones\n"
            "print(camd.vision.lacking(detect=False))"
        )
        said = subprocess.run(
            (sys.executable, "-c", code), capture_output=True, check=True, env=ENVIRON
        ).stdout
        wanted = 'judging photos needs numpy and Pillow: pip install "camd[judge]"\n'
        self.assertEqual(said.decode(), wanted)

    @given(st.binary(max_size=60))
    def test_any_bytes(self, line: bytes) -> None:
        """So are bytes that are no JSON."""
        for parse in (parse_setup, parse_job, parse_answer):
            try:
                parse(line)
            except LineError:
                pass


class FileCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def photo(self, name: str = "a.jpg", data: bytes | None = None) -> Path:
        path = self.folder / name
        path.write_bytes(insects(1) if data is None else data)
        return path

    def model(self, **given: Any) -> Path:
        return build(self.folder / "pests.onnx", **{"size": 320, **given})


class ConveyorTests(FileCase):
    """Jobs in, answers out, in this process."""

    def run_(self, *jobs: Job | bytes, looker: Looker | None = None) -> list[Answer]:
        lines = b"".join(job if isinstance(job, bytes) else job_line(job) for job in jobs)
        said: list[Answer] = []
        Conveyor(looker or Looker(load(self.model())), said.append).work(io.BytesIO(lines))
        return said

    def test_one_after_the_other(self) -> None:
        """Each is begun and done, in the order given, and as it would be alone."""
        looker = Looker(load(self.model()))
        jpegs = [insects(seed) for seed in range(6)]
        jobs = [Job(at, self.photo(f"{at}.jpg", jpeg)) for at, jpeg in enumerate(jpegs)]
        said = self.run_(*jobs, looker=looker)
        self.assertEqual([each.id for each in said if isinstance(each, Begun)], list(range(6)))
        done = [each for each in said if isinstance(each, Done)]
        self.assertEqual([each.id for each in done], list(range(6)))
        for each, jpeg in zip(done, jpegs, strict=True):
            self.assertEqual(each.seen.detections, looker.look(jpeg, Wanted()).detections)
            self.assertGreater(each.seen.seconds, 0)

    def test_what_each_wants(self) -> None:
        """Tiles, only flags, only detections: by job."""
        large = self.photo("large.jpg", Album().picture("a", 50, "xga"))
        said = self.run_(
            Job(1, large, Wanted(tile=400, judge=False)),
            Job(2, large, Wanted(detect=False)),
            Job(3, self.photo(data=insects(1)[:2000])),
        )
        tiled, judged, broken = (each.seen for each in said if isinstance(each, Done))
        self.assertTrue(tiled.detections)
        self.assertEqual(tiled.fingerprint, b"")
        self.assertEqual((judged.detections, len(judged.fingerprint)), (None, 16))
        self.assertEqual((broken.detections, broken.flags), (None, {Flag.BROKEN}))

    def test_what_cannot_be_looked_at(self) -> None:
        """Each says why, once and for all, and the next one is looked at."""
        link, pipe = self.folder / "link.jpg", self.folder / "pipe.jpg"
        link.symlink_to(self.photo())
        os.mkfifo(pipe)
        looker = Looker(load(self.model()), limits=Limits(most_bytes=100_000))
        said = self.run_(
            Job(1, self.folder / "none.jpg"),
            Job(2, link),
            Job(3, pipe),
            Job(4, self.folder),
            Job(5, self.photo("large.jpg", bytes(100_001))),
            b'{"id": 6, "path": "x"}\n',
            b"nonsense\n",
            Job(8, self.photo()),
            looker=looker,
        )
        failed = [each for each in said if isinstance(each, Failed)]
        self.assertEqual(
            sorted(str(each.id) for each in failed), ["1", "2", "3", "4", "5", "6", "None"]
        )
        self.assertTrue(all(each.final for each in failed))
        why = {each.id: each.error for each in failed}
        self.assertIn("No such file", why[1])
        self.assertIn("symbolic link", why[2])
        self.assertIn("it is no file", why[3])
        self.assertIn("100001 bytes: 100000 at most", why[5])
        self.assertIsInstance(said[-1], Done)

    def test_a_failing_disk(self) -> None:
        """What another try may mend is not final."""

        def failing(path: Path, most: int) -> bytes:
            raise OSError(5, "Input/output error")

        self.patch(conveyor, "read_photo", failing)
        self.assertEqual(
            self.run_(Job(1, self.photo())),
            [Begun(1), Failed(1, "Input/output error", final=False)],
        )

    def test_no_model(self) -> None:
        """Whoever asks for detection without a model is told."""
        said = self.run_(Job(1, self.photo()), looker=Looker(None))
        self.assertEqual(said[1:], [Failed(1, "there is no model to look at it", final=True)])

    def test_not_far_ahead(self) -> None:
        """While the network is busy with one photo, two more are got ready and a fourth begun,
        and no others."""
        looker = Looker(load(self.model()))
        halted, go_on = threading.Event(), threading.Event()

        class Slow(Looker):
            def find(self, *given: Any) -> Any:
                halted.set()
                go_on.wait(PATIENCE)
                return super().find(*given)

        said: list[Answer] = []
        path = self.photo()
        lines = io.BytesIO(b"".join(job_line(Job(at, path)) for at in range(9)))
        at_work = Conveyor(Slow(looker.model), said.append)
        worker = threading.Thread(target=at_work.work, args=(lines,))
        worker.start()
        self.addCleanup(worker.join, PATIENCE)
        self.addCleanup(go_on.set)
        self.assertTrue(halted.wait(PATIENCE))
        wait_for(lambda: len(said) == 4)
        self.assertEqual(said, [Begun(at) for at in range(4)])
        go_on.set()
        worker.join(PATIENCE)
        self.assertEqual(len(said), 18)


def wait_for(true: Any) -> None:
    """A thread or process beside this one gets there soon."""
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.01)


class Worker:
    """The process, spoken to line by line."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            command or (sys.executable, "-m", "camd.vision.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRON,
        )

    def say(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def hear(self) -> Answer:
        assert self.process.stdout is not None
        return parse_answer(self.process.stdout.readline())

    def end(self) -> tuple[int, bytes, bytes]:
        """Its input ends: how it ended, what it still said, what it complained of."""
        out, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, errors

    def stop(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()


class WorkerTests(FileCase):
    """The process itself."""

    def worker(self, *command: str) -> Worker:
        worker = Worker(*command)
        self.addCleanup(worker.stop)
        return worker

    def test_looks_at_photos(self) -> None:
        """Ready with what the model is, then an answer for each photo; it gives way to everything
        else, and ends when its input does, saying nothing on standard error."""
        worker = self.worker()
        worker.say(setup_line(Setup(self.model(names=("fly", "moth")))))
        ready = worker.hear()
        self.assertIsInstance(ready, Ready)
        assert isinstance(ready, Ready)
        self.assertEqual((ready.name, ready.size), ("pests.onnx", (320, 320)))
        self.assertEqual(ready.classes, ("fly", "moth"))
        pid = worker.process.pid
        self.assertEqual(os.getpriority(os.PRIO_PROCESS, pid), 19)
        for thread in os.listdir(f"/proc/{pid}/task"):
            policy = os.sched_getscheduler(int(thread))
            self.assertIn(policy, (os.SCHED_IDLE, os.SCHED_BATCH))
        worker.say(job_line(Job(1, self.photo())))
        self.assertEqual(worker.hear(), Begun(1))
        done = worker.hear()
        assert isinstance(done, Done)
        self.assertTrue(done.seen.detections)
        for at in range(2, 9):
            worker.say(job_line(Job(at, self.photo())))
        code, out, errors = worker.end()
        self.assertEqual((code, errors), (0, b""))
        last = [parse_answer(line) for line in out.splitlines()]
        self.assertEqual([each.id for each in last if isinstance(each, Done)], list(range(2, 9)))

    def test_judges_without_a_model(self) -> None:
        """No model, no onnxruntime, and flags all the same."""
        code = (
            "import sys; sys.modules['onnxruntime'] = None\n"
            "from camd.vision.worker import main; sys.exit(main())"
        )
        worker = self.worker(sys.executable, "-c", code)
        worker.say(setup_line(Setup()))
        self.assertEqual(worker.hear(), Ready())
        worker.say(job_line(Job(1, self.photo(), Wanted(detect=False))))
        code_, out, errors = worker.end()
        self.assertEqual((code_, errors), (0, b""))
        done = parse_answer(out.splitlines()[-1])
        assert isinstance(done, Done)
        self.assertEqual((done.seen.detections, done.seen.flags), (None, frozenset()))

    def test_cannot_begin(self) -> None:
        """One line says why, and it ends with 1."""
        for line, why in (
            (setup_line(Setup(Path("/nowhere/pests.onnx"))), "/nowhere/pests.onnx cannot be read"),
            (b'{"threads": 0}\n', 'the setup: "threads" is a whole number from 1'),
        ):
            worker = self.worker()
            worker.say(line)
            code, out, errors = worker.end()
            self.assertEqual((code, errors), (1, b""))
            said = parse_answer(out)
            assert isinstance(said, Unready)
            self.assertIn(why, said.error)

    def test_dies_with_its_parent(self) -> None:
        """Nobody feeds it any more, though its input stays open: it goes at once."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        code = (
            "import subprocess, sys\n"
            "child = subprocess.Popen([sys.executable, '-m', 'camd.vision.worker'],"
            " stdin=int(sys.argv[1]), stdout=subprocess.PIPE)\n"
            "child.stdout.readline()\n"
            "print(child.pid, flush=True)\n"
            "sys.stdin.read()"
        )
        parent = subprocess.Popen(
            (sys.executable, "-c", code, str(reading)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(reading,), env=ENVIRON,
        )  # fmt: skip
        os.close(reading)
        self.addCleanup(parent.communicate)
        self.addCleanup(parent.kill)
        os.write(writing, setup_line(Setup()))
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.send_signal(signal.SIGKILL)
        parent.wait(PATIENCE)
        wait_for(lambda: not running(child))


def running(pid: int) -> bool:
    """Whether it is there, and not only waits to be buried."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
