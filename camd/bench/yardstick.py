"""The least that a careful program does: one photo after the other, each durable by itself."""

import os
import time
from pathlib import Path


def naive(directory: Path, pictures: list[bytes], seconds: float) -> float:
    """Photos a second that are written, synced, renamed and synced again by name."""
    directory.mkdir(parents=True)
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    done = 0
    started = time.monotonic()
    try:
        while (spent := time.monotonic() - started) < seconds:
            fd = os.open(directory / "part", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o640)
            try:
                os.write(fd, pictures[done % len(pictures)])
                os.fdatasync(fd)
            finally:
                os.close(fd)
            os.rename(directory / "part", directory / f"{done:08d}.jpg")
            os.fsync(handle)
            done += 1
    finally:
        os.close(handle)
    return done / spent
