"""A photo in the store exists whole or not at all, and once promised it stays.

The steps that make it so, in their order: written under a name that is no photo's, data synced,
linked to its own name, the directory synced (and the parent of a new directory). Everything here
blocks, and runs in the writers' threads. Nothing here knows a catalog or a camera's rights.
"""

import ctypes
import errno
import os
import secrets
import stat
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from camd.photo import Boot, CameraId, FrameKey, Reason, Refused
from camd.store.entry import milliseconds
from camd.store.folders import FILE_MODE, FlatLine
from camd.store.naming import PART_PREFIX, PART_SUFFIX, flat_name, parse_flat_name, photo_name

DIR_MODE = 0o750

_NAMES_TRIED = 60
_IOV_MAX = 512
_RENAME_NOREPLACE = 1
_AT_FDCWD = -100
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_SUCH_RENAME = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
"""A file system or a kernel that cannot rename without replacing; it can link, as a rule."""


def _from_libc(name: str, *arguments: Any) -> "Callable[..., int] | None":
    """A call that Python's os does not have, or None where the C library does not either."""
    try:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
    except AttributeError:
        return None
    function.argtypes = arguments
    found: Callable[..., int] = function
    return found


_SYNC_FILE_RANGE = _from_libc(
    "sync_file_range", ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint
)
_SYNC_FILE_RANGE_WRITE = 2
_RENAMEAT2 = _from_libc(
    "renameat2", ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint
)


@frozen
class Job:
    """A photo that is to be put on disk.

    :ivar folder: below the root, ``/`` between its parts; empty for the flat layout.
    :ivar when: unix seconds of the picture, for its name.
    """

    folder: str
    camera: CameraId
    when: float
    boot: Boot
    seq: int
    received: float
    chunks: tuple[bytes | bytearray, ...]

    @property
    def key(self) -> FrameKey:
        return (self.camera, self.boot, self.seq)


Outcome = str | Refused
"""The path below the root at which the photo now is for good, or why it is not."""


def umask() -> int:
    """The modes that this process takes away from new files."""
    mask = os.umask(0o027)
    os.umask(mask)
    return mask


def refused(error: OSError) -> Refused:
    """What a board is told of a disk that failed."""
    reason = Reason.FULL if error.errno in NO_ROOM else Reason.IO
    return Refused(reason, f"{error.strerror or error} ({error.filename or 'no file'})")


def fsync_directory(path: Path | str, flags: int = 0) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | flags)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_directory(path: Path, *, within: Path) -> None:
    """*path* and what is missing above it, up to *within*, are there for good, mode 0750."""
    missing = [path, *path.parents][: len(path.relative_to(within).parts)]
    for directory in reversed(missing):
        made = _made(directory)
        try:
            fsync_directory(directory.parent)
        except OSError:
            if made:  # the same name's next sync would prove nothing: it is to be made anew
                with suppress(OSError):
                    os.rmdir(directory)
            raise


def _made(directory: Path) -> bool:
    """Whether there was no such directory until now."""
    try:
        os.mkdir(directory, DIR_MODE)
        os.chmod(directory, DIR_MODE)
    except FileExistsError:
        if not stat.S_ISDIR(os.lstat(directory).st_mode):  # a link may lead anywhere
            raise
        return False
    return True


def write_all(fd: int, chunks: Sequence[bytes | bytearray]) -> None:
    """All of *chunks*, in order, though the kernel may take them in parts."""
    for start in range(0, len(chunks), _IOV_MAX):
        some = list(chunks[start : start + _IOV_MAX])
        wanted = sum(map(len, some))
        written = os.writev(fd, some)
        if written < wanted:
            rest = memoryview(b"".join(some))[written:]
            while rest:
                rest = rest[os.write(fd, rest) :]


def publish(part: str, name: str) -> None:
    """Give the file *part* its *name*, which nobody has, in one step.

    :raises FileExistsError: where somebody has it; a symlink counts.
    """
    if _RENAMEAT2 is not None:
        there = _AT_FDCWD, os.fsencode(name)
        if not _RENAMEAT2(_AT_FDCWD, os.fsencode(part), *there, _RENAME_NOREPLACE):
            return
        number = ctypes.get_errno()
        if number not in _NO_SUCH_RENAME:
            raise OSError(number, os.strerror(number), name)
    os.link(part, name, follow_symlinks=False)
    _unlink_quietly(part)  # it has its name, whatever becomes of the other one


@define(eq=False)
class _Open:
    """A job under way, and the file that it is written to."""

    at: int
    job: Job
    part: str
    fd: int
    name: str = ""


@define(eq=False)
class Files:
    """Puts batches of photos on disk so that a power cut cannot take them.

    :ivar root: the store.
    :ivar keep_free: given the size of the file system, how many bytes stay free.
    :ivar intact: raises OSError where *root* is not the store that was opened.
    :ivar announce: called before a photo goes into a folder, and returns when that is known for
        good; raises OSError.
    :ivar flat: for the flat layout: where the next number comes from.
    :ivar stuck: photos that were refused, and whose names could not be taken away again: there is
        no second one of them beside such a name.
    """

    root: Path
    keep_free: Callable[[int], int]
    intact: Callable[[], None]
    announce: Callable[[str], None]
    flat: "FlatNumbers | None" = None
    stuck: dict[FrameKey, str] = field(factory=dict)
    _masked: bool = field(factory=lambda: bool(umask() & FILE_MODE))
    _ready: set[str] = field(factory=set)
    _serial: "count[int]" = field(factory=lambda: count(secrets.randbits(48)))

    def store(self, jobs: Sequence[Job]) -> list[Outcome]:
        """One trip to the disk for all of *jobs*; an outcome for each, in their order."""
        outcomes: list[Outcome | None] = [None] * len(jobs)
        try:
            self.intact()
            self._check_room(sum(len(c) for job in jobs for c in job.chunks))
            under_way = [
                opened for at, job in enumerate(jobs) if (opened := self._write(at, job, outcomes))
            ]
            # A name changes its folder and its file's inode: given between two syncs, it would
            # make each of them write again what the one before has written for all.
            synced = [opened for opened in under_way if _done(_sync, opened, outcomes)]
            linked: dict[str, list[_Open]] = {}
            for opened in synced:
                if _done(self._link, opened, outcomes):
                    linked.setdefault(opened.job.folder, []).append(opened)
            for folder, members in linked.items():
                self._sync_folder(folder, members, outcomes)
        except OSError as error:
            outcomes = [refused(error) if outcome is None else outcome for outcome in outcomes]
        return [Refused(Reason.IO, "lost its way") if o is None else o for o in outcomes]

    def _check_room(self, wanted: int) -> None:
        room = os.statvfs(self.root)
        free = room.f_bavail * room.f_frsize
        least = self.keep_free(room.f_blocks * room.f_frsize)
        if free - wanted < least:
            raise OSError(errno.ENOSPC, f"{free} bytes free, {least} are to stay", str(self.root))

    def _write(self, at: int, job: Job, outcomes: list[Outcome | None]) -> _Open | None:
        part = (
            f"{self._folder(job.folder)}/{PART_PREFIX}{next(self._serial)}-{job.seq}{PART_SUFFIX}"
        )
        fd = -1
        try:
            self._let_go(job)
            fd = self._open(part, job.folder)
            if self._masked:
                os.fchmod(fd, FILE_MODE)
            write_all(fd, job.chunks)
            _start_writing(fd)
        except OSError as error:
            outcomes[at] = refused(error)
            if fd >= 0:
                os.close(fd)
                _unlink_quietly(part)
            return None
        return _Open(at, job, part, fd)

    def _let_go(self, job: Job) -> None:
        """The photo that is written now lies nowhere else."""
        stuck = self.stuck.get(job.key)
        if stuck is not None:
            with suppress(FileNotFoundError):
                os.unlink(stuck)
            del self.stuck[job.key]

    def _open(self, part: str, folder: str) -> int:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        self.announce(folder)
        if folder in self._ready:
            try:
                return os.open(part, flags, FILE_MODE)
            except FileNotFoundError:
                self._ready.discard(folder)
        if folder:
            make_directory(self.root / folder, within=self.root)
        fd = os.open(part, flags, FILE_MODE)
        self._ready.add(folder)
        return fd

    def _link(self, opened: _Open) -> None:
        """A name that nobody had. Where the right one is taken, by a file that camd does not
        know, it is that of a second later, and so on."""
        job = opened.job
        for attempt in range(_NAMES_TRIED):
            if self.flat is None:
                name = photo_name(job.camera, job.when + attempt, job.boot, job.seq)
            else:
                name = flat_name(self.flat.take(job))
            try:
                publish(opened.part, f"{self._folder(job.folder)}/{name}")
            except FileExistsError:
                continue
            opened.name = name
            return
        raise FileExistsError(errno.EEXIST, "every name for it is taken", job.folder)

    def _sync_folder(
        self, folder: str, members: list[_Open], outcomes: list[Outcome | None]
    ) -> None:
        try:
            if folder:
                self._own(folder.partition("/")[0])
            fsync_directory(self._folder(folder), os.O_NOFOLLOW if folder else 0)
        except OSError as error:
            for opened in members:
                outcomes[opened.at] = refused(error)
                name = f"{self._folder(folder)}/{opened.name}"
                if not _unlink_quietly(name):
                    self.stuck[opened.job.key] = name
            return
        for opened in members:
            outcomes[opened.at] = f"{folder}/{opened.name}" if folder else opened.name

    def _own(self, camera: str) -> None:
        """:raises OSError: a link has come in the place of its folder while camd ran: what lies
        behind a link is not found again."""
        path = self._folder(camera)
        if os.path.islink(path):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)

    def _folder(self, folder: str) -> str:
        return f"{self.root}/{folder}" if folder else str(self.root)


@define(eq=False)
class FlatLog:
    """``.camd/flat.log``: what is noted there is there for good, in a line of its own."""

    path: Path
    _lock: threading.Lock = field(factory=threading.Lock)

    def note(self, line: str) -> None:
        """:raises OSError: it could not be written down."""
        # Opened for each line: of a write that failed every descriptor is told, but only once.
        fd = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
        try:
            with self._lock:
                write_all(fd, [b"" if _ends_whole(fd) else b"\n", f"{line}\n".encode("ascii")])
            os.fdatasync(fd)
        finally:
            os.close(fd)


def _ends_whole(fd: int) -> bool:
    """Whether the last line has its end, as after a power cut or on a full disk it may not."""
    size = os.fstat(fd).st_size
    return not size or os.pread(fd, 1, size - 1) == b"\n"


@define(eq=False)
class FlatNumbers:
    """Numbers for ``0001.jpg``; each is given once, written down for good before it is used.

    :ivar note: makes a line durable in the log of numbers; raises OSError.
    """

    note: Callable[[str], None]
    _next: "count[int]"

    @classmethod
    def after(cls, root: Path, noted: int, note: Callable[[str], None]) -> "FlatNumbers":
        """Go on behind the highest number that is noted or lies in *root*."""
        there = (parse_flat_name(entry.name) for entry in os.scandir(root))
        highest = max((number for number in there if number is not None), default=0)
        return cls(note, count(max(highest, noted) + 1))

    def take(self, job: Job) -> int:
        number = next(self._next)
        when, received = milliseconds(job.when), milliseconds(job.received)
        self.note(str(FlatLine(number, job.camera, job.boot, job.seq, when, received)))
        return number


def _sync(opened: _Open) -> None:
    try:
        os.fdatasync(opened.fd)
    finally:
        os.close(opened.fd)


def _done(step: Callable[[_Open], None], opened: _Open, outcomes: list[Outcome | None]) -> bool:
    """Whether *step* was taken; where it could not be, the photo is refused and its file gone."""
    try:
        step(opened)
    except OSError as error:
        outcomes[opened.at] = refused(error)
        _unlink_quietly(opened.part)
        return False
    return True


def _start_writing(fd: int) -> None:
    """The disk begins with this file while the next is still being copied; promises nothing."""
    if _SYNC_FILE_RANGE is not None:
        _SYNC_FILE_RANGE(fd, 0, 0, _SYNC_FILE_RANGE_WRITE)


def _unlink_quietly(path: str) -> bool:
    """Whether the name is gone."""
    with suppress(OSError):
        os.unlink(path)
        return True
    return False
