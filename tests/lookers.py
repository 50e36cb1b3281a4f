"""Stand-ins for what looks at photos: workers that do as a test says, and a script that is one."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.error import ProcessTerminated
from twisted.python.failure import Failure

from camd.detect.worker import Worker
from camd.findings import Box, Detection, Flag
from camd.vision.lines import Answer, Begun, Done, Failed, Ready, Unready, answer_line, parse_setup
from camd.vision.wanted import Seen

HASH = "ab" * 32
READY = Ready("pests.onnx", HASH, ("whitefly",), (640, 640))


def fly(at: float = 0.1) -> Detection:
    return Detection("whitefly", 0.9, Box(at, 0.5, 0.02, 0.02))


class Hand:
    """A worker's process that is none: what it was told is read, what it says is said for it.

    :ivar jobs: the ids of those it was told of, and has not answered.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.told: list[dict[str, Any]] = []
        self.jobs: list[int] = []
        self.over = False
        self.killed = False
        self.stopped = False
        self.pid = 1
        worker.makeConnection(self)

    # ---- as a process is spoken to

    def write(self, data: bytes) -> None:
        for line in data.splitlines():
            said = json.loads(line)
            self.told.append(said)
            if "id" in said:
                self.jobs.append(said["id"])

    def closeStdin(self) -> None:
        """It has nothing left to do, so it ends."""
        if not self.jobs:
            self.end(0)

    def signalProcess(self, name: str | int) -> None:
        self.killed = self.killed or name == "KILL"
        if not self.killed:
            self.stopped = name == "STOP"

    def loseConnection(self) -> None:
        if self.killed:
            self.end(signal=9)

    # ---- as it speaks

    @property
    def setup(self) -> Any:
        return parse_setup(json.dumps(self.told[0]).encode())

    def say(self, answer: Answer) -> None:
        self.worker.outReceived(answer_line(answer))

    def ready(self, ready: Ready = READY) -> None:
        self.say(ready)

    def unready(self, why: str) -> None:
        self.say(Unready(why))
        self.end(1)

    def begin(self, *ids: int) -> None:
        for id in ids:
            self.say(Begun(id))

    def see(
        self, id: int, found: Sequence[Detection] | None = (), flags: Sequence[Flag] = (),
        mark: bytes = b"",
    ) -> None:  # fmt: skip
        self.begin(id)
        self.jobs.remove(id)
        things = None if found is None else tuple(found)
        self.say(Done(id, Seen(things, frozenset(flags), mark, 320, 240, 0.01)))

    def see_all(self, found: Sequence[Detection] | None = ()) -> list[int]:
        """All that it has and gets meanwhile, oldest first."""
        seen = []
        while self.jobs and not self.over:
            seen.append(self.jobs[0])
            self.see(self.jobs[0], found)
        return seen

    def fail(self, id: int, why: str, final: bool = True) -> None:
        self.jobs.remove(id)
        self.say(Failed(id, why, final))

    def end(self, code: int | None = None, signal: int | None = None) -> None:
        if not self.over:
            self.over = True
            self.worker.processEnded(Failure(ProcessTerminated(code, signal, None)))


class Hands:
    """All that were started, oldest first; to be given to a crew as its ``spawn``.

    :ivar at_once: the models, by their files' names, whose workers are ready as they start.
    """

    def __init__(self, at_once: bool = True) -> None:
        self.all: list[Hand] = []
        self.at_once = at_once

    def __call__(self, worker: Worker) -> None:
        hand = Hand(worker)
        self.all.append(hand)
        if self.at_once:
            model = hand.setup.model
            hand.ready(READY if model is not None else Ready())

    @property
    def alive(self) -> list[Hand]:
        return [hand for hand in self.all if not hand.over]

    @property
    def one(self) -> Hand:
        """The only one there is."""
        (hand,) = self.alive
        return hand


SCRIPT = """
import json, os, sys, time
def say(**what):
    print(json.dumps(what), flush=True)
json.loads(sys.stdin.readline())
say(ready=dict(name="script", hash="HASH", classes=["whitefly"], size=[640, 640]))
for line in sys.stdin:
    job = json.loads(line)
    say(begun=job["id"])
    how = open(job["path"]).read()
    if how == "crash":
        os.abort()
    if how == "hang":
        time.sleep(60)
    if how == "rubbish":
        os.write(1, b"\\xff{]\\n")
        time.sleep(60)
    say(id=job["id"], detections=[["whitefly", 0.9, 0.1, 0.1, 0.1, 0.1]], flags=[],
        fingerprint="", width=1, height=1, seconds=0.001)
""".replace("HASH", HASH)
"""A worker that does what stands in the photo's file."""


def script(reactor: Any, directory: Path) -> Callable[[Worker], Any]:
    """Starts it."""
    path = directory / "worker.py"
    path.write_text(SCRIPT)

    def spawn(worker: Worker) -> Any:
        return reactor.spawnProcess(worker, sys.executable, [sys.executable, "-S", str(path)], {})

    return spawn
