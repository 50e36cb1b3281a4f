"""The store's folders and the photos in them, as they lie on the disk.

Only looks, and never through a symbolic link, not even in the middle of a path: what lies
behind one is not camd's. Knows nothing of the catalog.
"""

import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path

from attrs import frozen

from camd.photo import MAX_SEQ, Boot, CameraId, Door, Receipt, is_camera_id, parse_boot
from camd.store.naming import (
    PART_PREFIX,
    PART_SUFFIX,
    flat_name,
    parse_flat_name,
    parse_photo_name,
)

OWN = ".camd"
"""The folder, in the store's root, of what camd keeps for itself."""

FILE_MODE = 0o640
"""The mode of every photo."""

LARGEST = 64 * 1024 * 1024
"""Bytes; a file above that is not read, whatever its name says."""

Measure = Callable[[bytes], tuple[int, int]]
"""Width and height of one whole JPEG; raises `ValueError` where the bytes are none."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_FLAT_LINE = re.compile(
    r"([0-9]{4,12}) ([a-z0-9_.-]{1,64}) ([0-9a-f]{16}) ([1-9][0-9]{0,9})"
    r" ([0-9]{1,15}) ([0-9]{1,15})",
    re.ASCII,
)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a fifo that someone put there would never return.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NotOurs(ValueError):  # noqa: N818 - says what the file is, and is seldom an error
    """The file is none that camd made, as far as its name and its kind tell."""


class Broken(ValueError):  # noqa: N818
    """The file is named as camd names photos, but is not one whole JPEG."""


@frozen
class FlatLine:
    """What ``.camd/flat.log`` says of one photo of a flat store, whose name says nothing."""

    number: int
    camera: CameraId
    boot: Boot
    seq: int
    taken_ms: int
    received_ms: int

    def __str__(self) -> str:
        """The line, without its end; written and synced before the photo gets its name."""
        number = flat_name(self.number).removesuffix(".jpg")
        return f"{number} {self.camera} {self.boot} {self.seq} {self.taken_ms} {self.received_ms}"

    @classmethod
    def parse(cls, text: str) -> "FlatLine":
        """:raises ValueError: where *text* is no such line."""
        match = _FLAT_LINE.fullmatch(text)
        if match is None or not is_camera_id(match[2]) or int(match[4]) > MAX_SEQ:
            raise ValueError("no line of a flat.log")
        return cls(
            int(match[1]), CameraId(match[2]), parse_boot(match[3]), int(match[4]),
            int(match[5]), int(match[6]),
        )  # fmt: skip


def read_flat_log(root: Path) -> dict[int, FlatLine]:
    """The numbers that camd gave to photos of the flat store *root*, and to which.

    A photo that was given a second number, since the first was taken by a file of someone
    else's, has the second one. Lines that make no sense, as after a power cut, say nothing.

    :raises OSError: the log is there and cannot be read.
    """
    latest = {(said.camera, said.boot, said.seq): said for said in _flat_lines(root)}
    return {said.number: said for said in latest.values()}


def highest_number(root: Path) -> int:
    """The highest number that camd ever gave to a photo of the flat store *root*, or 0.

    :raises OSError: as `read_flat_log`.
    """
    return max((said.number for said in _flat_lines(root)), default=0)


def _flat_lines(root: Path) -> Iterator[FlatLine]:
    try:
        text = (root / OWN / "flat.log").read_text("ascii", "replace")
    except FileNotFoundError:
        return
    # Without its end, the last line may be the beginning of a longer one.
    for line in text.split("\n")[:-1]:
        with suppress(ValueError):
            yield FlatLine.parse(line)


def is_day(name: str) -> bool:
    """Whether *name* is that of a folder for a day."""
    if _DAY.fullmatch(name) is None:
        return False
    try:
        date.fromisoformat(name)
    except ValueError:
        return False
    return True


def is_leftover(name: str) -> bool:
    """Whether *name* is that of a photo which camd began to write, and did not finish."""
    return name.startswith(PART_PREFIX) and name.endswith(PART_SUFFIX)


def is_folder_path(path: str) -> bool:
    """Whether a photo's folder may have this *path*: ``<camera>/<day>``, or ``""``, the root."""
    if path == "":
        return True
    camera, _, day = path.partition("/")
    return is_camera_id(camera) and is_day(day)


def open_folder(root: Path, path: str) -> int:
    """A descriptor of the folder *path* of the store; the caller closes it.

    :raises FileNotFoundError: there is none.
    :raises OSError: it cannot be opened, or is reached only through a symbolic link.
    """
    fd = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
    for part in path.split("/") if path else ():
        try:
            inner = os.open(part, _FOLDER, dir_fd=fd)
        finally:
            os.close(fd)
        fd = inner
    return fd


def find_folders(root: Path, unread: Callable[[str, OSError], None]) -> list[str]:
    """The paths of all folders on the disk where photos may be, the root (``""``) first.

    :param unread: is told of each camera whose folders cannot be listed, and why: none of them
        is found.
    :raises OSError: the root cannot be read.
    """
    found = [""]
    with os.scandir(root) as cameras:
        names = [
            c.name for c in cameras if is_camera_id(c.name) and c.is_dir(follow_symlinks=False)
        ]
    for camera in sorted(names):
        try:
            with os.scandir(root / camera) as days:
                found += sorted(
                    f"{camera}/{day.name}"
                    for day in days
                    if is_day(day.name) and day.is_dir(follow_symlinks=False)
                )
        except FileNotFoundError:  # since the root was listed
            continue
        except OSError as error:
            unread(camera, error)
    return found


def names_on_disk(folder: int) -> Iterator[tuple[str, bool]]:
    """What is in *folder*, a descriptor, but for folders; True beside what is a regular file."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield entry.name, entry.is_file(follow_symlinks=False)


def may_exist(root: Path, path: str) -> bool:
    """Whether there is a file *path* in the store, or at least no certainty that there is none."""
    parent, _, name = path.rpartition("/")
    try:
        folder = open_folder(root, parent)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    finally:
        os.close(folder)
    return True


def open_file(folder: int, name: str) -> tuple[int, os.stat_result]:
    """A descriptor, for reading, of the file *name* in *folder*, a descriptor; and what it is.

    The caller closes it.

    :raises NotOurs: it is no regular file, or larger than `LARGEST`.
    :raises OSError: it cannot be opened; `FileNotFoundError` where it is not there.
    """
    fd = os.open(name, _FILE, dir_fd=folder)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise NotOurs(f"{name} is no regular file")
        if status.st_size > LARGEST:
            raise NotOurs(f"{name} is larger than any photo")
    except BaseException:
        os.close(fd)
        raise
    return fd, status


def read_file(folder: int, name: str) -> tuple[bytes, os.stat_result]:
    """The bytes of the file *name* in *folder*, a descriptor, and what it is.

    :raises NotOurs: as `open_file`.
    :raises OSError: it cannot be read; `FileNotFoundError` where it is not there.
    """
    fd, status = open_file(folder, name)
    with open(fd, "rb", buffering=0) as file:
        return file.readall(), status


def claim(path: str, name: str, numbers: Mapping[int, FlatLine]) -> FlatLine | None:
    """What the name *name*, in the folder *path*, says of a photo; None: camd did not give it.

    Where the name does not say when the photo came, ``received_ms`` is 0.
    """
    if path == "":
        number = parse_flat_name(name)
        return numbers.get(number) if number is not None and name == flat_name(number) else None
    said = parse_photo_name(name)
    if said is None or said.seq > MAX_SEQ or said.camera != path.partition("/")[0]:
        return None
    return FlatLine(0, said.camera, said.boot, said.seq, int(said.when) * 1000, 0)


def recover(
    folder: int, path: str, name: str, numbers: Mapping[int, FlatLine], measure: Measure
) -> Receipt:
    """What a photo's name and bytes tell of it.

    What they do not tell is guessed: it came when its file was written last; a camera whose
    id was made up from its address spoke v1, any other one v2.

    :param folder: a descriptor of the folder *path*.
    :param numbers: what `read_flat_log` returned.
    :raises NotOurs: camd did not make this file.
    :raises Broken: camd did, but it is not a whole JPEG.
    :raises OSError: it cannot be read.
    """
    said = claim(path, name, numbers)
    if said is None:
        raise NotOurs(f"{name} is no name that camd gave")
    data, status = read_file(folder, name)
    try:
        width, height = measure(data)
    except ValueError as error:
        raise Broken(f"{name}: {error}") from error
    received = said.received_ms / 1000 if said.received_ms else status.st_mtime
    return Receipt(
        said.camera, said.boot, said.seq, len(data), zlib.crc32(data), width, height,
        f"{path}/{name}" if path else name, said.taken_ms / 1000, received,
        Door.V1 if said.camera.startswith("v1-") else Door.V2,
    )  # fmt: skip
