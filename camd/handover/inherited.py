"""What a former process left with whoever keeps descriptors, as this one was given it.

The protocol is that of sd_listen_fds(3).
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from camd.handover.slate import SLOTS

SLATE = "slate"
DOOR = "door-"
BOARD = "b"
"""The names under which descriptors are kept; a board's ends in the number of its slot in hex.
They are short, since all names together have to fit into one variable."""

_FIRST = 3
_BOARD = re.compile(rf"{BOARD}[0-9a-f]{{1,4}}", re.ASCII)


@frozen
class Inherited:
    """:ivar doors: listening sockets by `camd.doors.key`. *boards*: connections by slot."""

    slate: int | None = None
    doors: dict[str, list[int]] = field(factory=dict)
    boards: dict[int, int] = field(factory=dict)


def first_environment() -> dict[str, str]:
    """The environment as this process was started with it: Twisted takes what is told of
    descriptors out of its own."""
    try:
        block = Path("/proc/self/environ").read_bytes()
    except OSError:
        return dict(os.environ)
    pairs = (os.fsdecode(each).partition("=") for each in block.split(b"\0") if each)
    return {name: value for name, _, value in pairs}


def inherited(environ: Mapping[str, str], pid: int) -> Inherited:
    """What is ours of what process *pid* was given; the rest is left to Twisted's endpoints."""
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(pid) or not re.fullmatch(r"[0-9]{1,6}", count):
        return Inherited()
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    fds = range(_FIRST, _FIRST + int(count))
    slate: int | None = None
    doors: dict[str, list[int]] = {}
    boards: dict[int, int] = {}
    for name, fd in zip(names, fds, strict=False):
        os.set_inheritable(fd, False)
        if name == SLATE and slate is None:
            slate = fd
        elif name.startswith(DOOR):
            doors.setdefault(name.removeprefix(DOOR), []).append(fd)
        elif _BOARD.fullmatch(name) and int(name.removeprefix(BOARD), 16) < SLOTS:
            boards[int(name.removeprefix(BOARD), 16)] = fd
    return Inherited(slate, doors, boards)
