"""A stored photo's file, opened only where it is still the one that was stored.

Never through a symbolic link, and never waiting: what somebody put in its place is not opened.
Everything here blocks.
"""

import errno
import os
import stat
from pathlib import Path

from camd.store.entry import Entry
from camd.store.folders import open_folder

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_file(folder: Path, name: str, size: int | None = None) -> int:
    """A descriptor of the regular file *name* in *folder*; the caller closes it.

    :param size: what it has to have in bytes, where that is known.
    :raises OSError: it is not there, or is no such file.
    """
    return _opened(os.open(folder / name, _FILE), name, size)


def open_photo(root: Path, entry: Entry) -> int:
    """A descriptor of the photo's file in the store *root*; the caller closes it.

    :raises OSError: it is not there, or has another size than it was stored with.
    """
    path, _, name = entry.path.rpartition("/")
    folder = open_folder(root, path)
    try:
        fd = os.open(name, _FILE, dir_fd=folder)
    finally:
        os.close(folder)
    return _opened(fd, entry.path, entry.size)


def _opened(fd: int, path: str, size: int | None) -> int:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or size not in (None, status.st_size):
        os.close(fd)
        raise FileNotFoundError(errno.ENOENT, "it is not the file that was stored", path)
    return fd


def read_photo(root: Path, entry: Entry, start: int = 0, end: int | None = None) -> bytes:
    """The photo's bytes from *start* to *end*.

    :raises OSError: as `open_photo`.
    """
    fd = open_photo(root, entry)
    try:
        return os.pread(fd, (entry.size if end is None else end) - start, start)
    finally:
        os.close(fd)
