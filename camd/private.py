"""Files that hold secrets: whole or not there at all, and for nobody else to read.

What is made belongs to the owner of the directory around it, so that what root makes in the
store of a daemon that is not root can be read by that daemon.
"""

import errno
import os
import secrets
from pathlib import Path

from camd.store.files import DIR_MODE, fsync_directory, publish, write_all

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700


def private_directory(path: Path) -> None:
    """*path* is there, mode 0700 where it is new; directories missing above it are 0750.

    :raises OSError: it cannot be made, or something else has its name.
    """
    missing = [path]
    while not missing[-1].parent.is_dir():
        missing.append(missing[-1].parent)
    for directory in reversed(missing):
        mode = PRIVATE_DIRECTORY if directory == path else DIR_MODE
        try:
            os.mkdir(directory, mode)
        except FileExistsError:
            if not directory.is_dir():
                why = os.strerror(errno.ENOTDIR)
                raise NotADirectoryError(errno.ENOTDIR, why, str(directory)) from None
            continue
        if os.geteuid() != 0:
            os.chmod(directory, mode)  # its owner cannot open it under every umask; root can
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchmod(fd, mode)
            _hand_over(fd, directory.parent)
        finally:
            os.close(fd)
        fsync_directory(directory.parent)


def write_private(path: Path, data: bytes, *, replace: bool, mode: int = PRIVATE_FILE) -> None:
    """*path* holds *data*, on stable storage.

    :param replace: whether a file that has the name may go.
    :raises FileExistsError: something has the name, and may not go.
    """
    part = path.with_name(f".new-{secrets.token_hex(8)}")
    fd = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        try:
            os.fchmod(fd, mode)
            _hand_over(fd, path.parent)
            write_all(fd, [data])
            os.fsync(fd)
        finally:
            os.close(fd)
        if replace:
            os.replace(part, path)
        else:
            publish(str(part), str(path))
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    fsync_directory(path.parent)


def _hand_over(fd: int, around: Path) -> None:
    """What root made belongs to the owner of the directory *around* it."""
    if os.geteuid() == 0:
        owner = around.stat()
        os.fchown(fd, owner.st_uid, owner.st_gid)
