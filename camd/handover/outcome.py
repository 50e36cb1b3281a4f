"""What became of the last attempt to change to a new process, for who asked for it.

A file beside the lock of the store, since the process that was asked is often not the one that
answers.
"""

import json
import os
from pathlib import Path

from attrs import frozen

NAME = "restarted"


@frozen
class Outcome:
    """:ivar asked: the process that ran before. *pid*: the one that runs now.
    :ivar at: unix seconds. *text*: one line for people."""

    asked: int
    pid: int
    at: float
    text: str

    @property
    def done(self) -> bool:
        return self.asked != self.pid


def write(own: Path, outcome: Outcome) -> None:
    """:param own: what camd keeps for itself in the store.
    :raises OSError: it could not be written."""
    path = own / NAME
    new = path.with_name(f"{NAME}.{os.getpid()}.new")
    fd = os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o640)
    with os.fdopen(fd, "w") as file:
        json.dump([outcome.asked, outcome.pid, outcome.at, outcome.text], file)
    new.rename(path)


def read(own: Path) -> Outcome | None:
    """None where there is none, or one that makes no sense."""
    try:
        return Outcome(*json.loads((own / NAME).read_text()))
    except (OSError, ValueError, TypeError):
        return None
