"""Photo after photo past the network: one thread gets them ready, another runs it.

Knows lines, files and threads, and nothing of the process that they are in.
"""

import errno
import os
import queue
import stat
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from attrs import define, field, frozen

from camd.vision.lines import (
    LONGEST_LINE,
    Answer,
    Begun,
    Done,
    Failed,
    Job,
    LineError,
    answer_line,
    parse_job,
)
from camd.vision.looker import Looker, Opened, View, Views
from camd.vision.model import ModelError
from camd.vision.picture import NoPhotoError

AHEAD = 2
"""Pictures that are ready for the network at most."""

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_PASSING = frozenset({errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR})


def read_photo(path: Path, most: int) -> bytes:
    """:raises OSError: it cannot be read, or is a link.
    :raises NoPhotoError: it is no file, or has more than *most* bytes.
    """
    try:
        fd = os.open(path, _FILE | os.O_NOATIME)  # to read is not to write, not to the disk either
    except PermissionError:  # it is somebody else's
        fd = os.open(path, _FILE)
    with open(fd, "rb") as file:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode):
            raise NoPhotoError("it is no file")
        data = file.read(most + 1)
    if len(data) > most:
        raise NoPhotoError(f"it has {about.st_size} bytes: {most} at most are looked at")
    return data


@define(eq=False)
class _Task:
    """A photo under way."""

    job: Job
    opened: Opened
    seconds: float
    found: Views = field(factory=list)
    failed: bool = False


@frozen(eq=False)
class _Piece:
    """What the network is to see next; *view* None: nothing, the photo is only judged."""

    task: _Task
    view: View | None
    last: bool


@define(eq=False)
class Conveyor:
    """:ivar say: answers go here; from any thread."""

    looker: Looker
    say: Callable[[Answer], None]
    _ready: "queue.Queue[_Piece | None]" = field(factory=lambda: queue.Queue(AHEAD))

    def work(self, lines: BinaryIO) -> None:
        """Does every job of *lines*, and returns at their end."""
        ahead = threading.Thread(target=self._prepare, args=(lines,), name="ahead", daemon=True)
        ahead.start()
        while (piece := self._ready.get()) is not None:
            began = time.perf_counter()
            self._look(piece, began)
        ahead.join()

    def _prepare(self, lines: BinaryIO) -> None:
        try:
            while line := lines.readline(LONGEST_LINE + 1):
                try:
                    job = parse_job(line)
                except LineError as error:
                    self.say(Failed(error.id, str(error), final=True))
                    if len(line) > LONGEST_LINE:
                        return  # where the next one begins is anybody's guess
                    continue
                self.say(Begun(job.id))
                self._guarded(job, lambda job=job: self._open(job))  # type: ignore[misc]
        finally:
            self._ready.put(None)

    def _open(self, job: Job) -> None:
        began = time.perf_counter()
        jpeg = read_photo(job.path, self.looker.limits.most_bytes)
        opened = self.looker.open(jpeg, job.wanted)
        task = _Task(job, opened, time.perf_counter() - began)
        left = len(opened.tiles)
        if not left:
            self._ready.put(_Piece(task, None, last=True))
        views = self.looker.views(opened)
        while left and not task.failed:
            began = time.perf_counter()
            view = next(views)
            task.seconds += time.perf_counter() - began
            left -= 1
            self._ready.put(_Piece(task, view, last=not left))

    def _look(self, piece: _Piece, began: float) -> None:
        task, job = piece.task, piece.task.job
        if task.failed:
            return
        if not self._guarded(job, lambda: self._find(piece)):
            task.failed = True
        elif piece.last:
            task.seconds += time.perf_counter() - began
            seen = self.looker.seen(task.opened, task.found, job.wanted, task.seconds)
            self.say(Done(job.id, seen))
        else:
            task.seconds += time.perf_counter() - began

    def _find(self, piece: _Piece) -> None:
        if piece.view is not None:
            piece.task.found.append(self.looker.find(piece.view, piece.task.job.wanted))

    def _guarded(self, job: Job, work: Callable[[], None]) -> bool:
        """Whether it went well; if not, it was said."""
        try:
            work()
        except (NoPhotoError, ModelError) as error:
            self.say(Failed(job.id, str(error), final=True))
        except OSError as error:
            why = error.strerror or str(error)
            self.say(Failed(job.id, why, final=error.errno not in _PASSING))
        except MemoryError:
            self.say(Failed(job.id, "there is not memory enough", final=False))
        except Exception as error:  # ours; the next photo may do
            traceback.print_exc()
            self.say(Failed(job.id, f"{type(error).__name__}: {error}"[:500], final=True))
        else:
            return True
        return False


@define(eq=False)
class Answers:
    """Lines out, whole ones, from any thread."""

    _out: BinaryIO
    _lock: threading.Lock = field(factory=threading.Lock)

    def say(self, answer: Answer) -> None:
        with self._lock:
            self._out.write(answer_line(answer))
            self._out.flush()
