"""``python -m camd.vision.worker [PRIORITY]``: a process that looks at photos.

`camd.vision.lines` says what goes in at standard input and comes out at standard output;
standard error is for tracebacks. It takes the processor only when nobody else wants it, ends
when its input does, and dies with its parent.
"""

import ctypes
import os
import signal
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from camd.vision import lacking
from camd.vision.lines import (
    LONGEST_LINE,
    LineError,
    Ready,
    Setup,
    Unready,
    answer_line,
    parse_setup,
)

_LOWEST = 19
_NICE = {"normal": 0, "low": 10, "idle": _LOWEST}
_OOM_SCORE = 500
_PR_SET_PDEATHSIG = 1
_SWITCH = 0.0005
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_SCHED_ATTR = struct.Struct("=IIQiIQQQII")
_TURN = 100_000  # nanoseconds, the least there is


def humble(priority: str = "idle") -> None:
    """Without whoever started it, it does not go on; where memory runs out, it is the first to go.

    :param priority: ``idle`` gives way to whatever else runs, ``low`` to most of it, ``normal``
        not.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), "ascii")
    _give_way(_NICE.get(priority, _LOWEST))
    # What numpy multiplies with would start a thread for each core.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    sys.setswitchinterval(_SWITCH)


def _give_way(nice: int) -> None:
    with suppress(OSError):
        os.nice(nice)
    # The kernel may share out the processor by session first: what shares the daemon's would be
    # worth as much as it, to the threads of the kernel that write photos to the disk.
    with suppress(OSError):
        os.setsid()
        Path("/proc/self/autogroup").write_text(str(nice), "ascii")
    if nice < _LOWEST:
        return
    _take_short_turns(nice)
    for policy in (os.SCHED_IDLE, os.SCHED_BATCH):
        with suppress(OSError):
            os.sched_setscheduler(0, policy, os.sched_param(0))
            break


def _take_short_turns(nice: int) -> None:
    """Whoever wakes up waits for a turn to end at most; by default that takes milliseconds."""
    number = _SCHED_SETATTR.get(os.uname().machine)
    if number is not None:
        size = _SCHED_ATTR.size
        turn = _SCHED_ATTR.pack(size, os.SCHED_BATCH, 0, nice, 0, _TURN, 0, 0, 0, 0)
        ctypes.CDLL(None).syscall(number, 0, turn, 0)


def reserved(out: int = 1) -> BinaryIO:
    """Standard output for answers alone: what a library prints goes to standard error."""
    ours = os.fdopen(os.dup(out), "wb")
    os.dup2(2, out)
    return ours


def main() -> int:
    """:returns: 0 when all is done; 1 where no photo can be looked at."""
    humble(*sys.argv[1:2])
    out = reserved()
    lines = sys.stdin.buffer
    first = lines.readline(LONGEST_LINE + 1)
    if not first:
        return 0
    try:
        setup = parse_setup(first)
    except LineError as error:
        return _unready(out, f"the setup: {error}")
    missing = lacking(detect=setup.model is not None)
    if missing:
        return _unready(out, missing)
    return _serve(setup, lines, out)


def _unready(out: BinaryIO, why: str) -> int:
    out.write(answer_line(Unready(why)))
    out.flush()
    return 1


def _serve(setup: Setup, lines: BinaryIO, out: BinaryIO) -> int:
    # With numpy and all, and so only now: what is missing has been told.
    from camd.vision.conveyor import Answers, Conveyor
    from camd.vision.looker import Looker
    from camd.vision.model import ModelError, load

    model, ready = None, Ready()
    if setup.model is not None:
        try:
            model = load(setup.model, classes=setup.classes, size=setup.size, threads=setup.threads)
        except ModelError as error:
            return _unready(out, str(error))
        ready = Ready(model.name, model.hash, model.classes, model.size)
    answers = Answers(out)
    answers.say(ready)
    Conveyor(Looker(model, setup.thresholds, setup.limits), answers.say).work(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
