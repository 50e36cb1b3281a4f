"""``camd restart``: another process takes over from the daemon, and no board notices."""

import fcntl
import os
import signal
import time
from pathlib import Path

import click

from camd.cli.settings import configured, existing_store, own_directory
from camd.config import Loaded
from camd.handover import outcome

_LOOK = 0.05
_BESIDES = 30.0
"""Seconds that a restart may take beyond what the configuration gives its parts."""

_WORD = 5.0
"""Seconds from the old process's end to the new one's word, at most."""

_NOBODYS = 2.0
"""Seconds for which a store may be nobody's, between two processes, at most."""


@click.command()
@configured
def restart(loaded: Loaded) -> None:
    """Start a new camd that takes over from the one that runs.

    Boards stay connected. Where the new one cannot start, the old one runs on, and this says why.
    """
    existing_store(loaded)
    own = own_directory(loaded)
    pid = running(own / "lock")
    before = outcome.read(own)
    try:
        os.kill(pid, signal.SIGUSR2)
    except OSError as error:
        raise click.ClickException(f"process {pid} cannot be told: {error.strerror}") from None
    patience = loaded.config.restart.ready + loaded.config.times.drain + _BESIDES
    end = time.monotonic() + patience
    while time.monotonic() < end:
        time.sleep(_LOOK)
        after = outcome.read(own)
        if after is not None and after != before and after.asked == pid:
            if not after.done:
                raise click.ClickException(f"process {pid} runs on as it was: {after.text}")
            click.echo(f"Process {after.pid} has taken over from {pid}: {after.text}.")
            return
        if not lives(pid):
            end = min(end, time.monotonic() + _WORD)
    if not lives(pid):
        raise click.ClickException(f"process {pid} has ended, and none says that it took over")
    raise click.ClickException(f"nothing has come of it within {patience:g} s; see the log")


def running(lock: Path) -> int:
    """The process that has the store."""
    end = time.monotonic() + _NOBODYS
    while not is_locked(lock):
        if time.monotonic() > end:
            raise click.ClickException("no camd is running on this store")
        time.sleep(_LOOK)
    text, _, _ = lock.read_text().partition("\n")
    if not (text.isascii() and text.isdecimal()):
        raise click.ClickException(f"{lock} does not say which process has the store")
    return int(text)


def is_locked(lock: Path) -> bool:
    """Whether some process has the store. Not to be asked while one is about to take it, since
    asking takes it for a moment."""
    try:
        fd = os.open(lock, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def lives(pid: int) -> bool:
    """Whether that process still runs; one that has ended and that nobody has asked after does
    not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:
        return True
    return state not in ("Z", "X")
