"""``python -m camd.vision.worker``: a process that looks at photos.

`camd.vision.lines` says what goes in at standard input and comes out at standard output;
standard error is for tracebacks. It takes the processor only when nobody else wants it, ends
when its input does, and dies with its parent.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress
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

_NICE = 19
_PR_SET_PDEATHSIG = 1
_SWITCH = 0.0005


def humble() -> None:
    """Whatever else runs comes first; and without whoever started it, it does not go on."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    with suppress(OSError):
        os.nice(_NICE)
    for policy in (os.SCHED_IDLE, os.SCHED_BATCH):
        with suppress(OSError):
            os.sched_setscheduler(0, policy, os.sched_param(0))
            break
    # What numpy multiplies with would start a thread for each core.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    sys.setswitchinterval(_SWITCH)


def reserved(out: int = 1) -> BinaryIO:
    """Standard output for answers alone: what a library prints goes to standard error."""
    ours = os.fdopen(os.dup(out), "wb")
    os.dup2(2, out)
    return ours


def main() -> int:
    """:returns: 0 when all is done; 1 where no photo can be looked at."""
    humble()
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
