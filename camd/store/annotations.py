"""What people said of photos, kept beside the catalog: a new catalog is told it again.

Everything that a model found can be found once more; an evening's work of a person cannot. So it
goes to a journal first, one line of JSON for each photo and time, on stable storage before it
counts. The catalog remembers how far it has read.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define, frozen

from camd.findings import Annotation, Findings, parse_box, parse_class
from camd.photo import MAX_SEQ, CameraId, FrameKey, is_camera_id, parse_boot
from camd.store.catalog import Catalog
from camd.store.files import fsync_directory, write_all
from camd.store.findings_writer import FindingsWriter
from camd.store.folders import FILE_MODE, OWN

MOST = 2000
"""Annotations of one photo at most."""

_READ = "annotations read"
_AT_ONCE = 500
_PIECE = 4 << 20


@frozen
class Said:
    """What a person says of a photo, in place of all that was said of it before."""

    key: FrameKey
    annotations: tuple[Annotation, ...]
    done: bool

    def line(self) -> str:
        camera, boot, seq = self.key
        places = [
            {"class": each.label, "box": each.box.numbers(), "right": each.right}
            for each in self.annotations
        ]
        said = {"camera": camera, "boot": boot, "seq": seq, "done": self.done,
                "annotations": places}  # fmt: skip
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def parse(cls, line: str) -> "Said":
        """:raises ValueError: where *line* is none of ours."""
        try:
            said = json.loads(line)
            camera, seq = said["camera"], said["seq"]
            if type(seq) is not int or not 1 <= seq <= MAX_SEQ or not is_camera_id(camera):
                raise ValueError("no photo's name")
            key = CameraId(camera), parse_boot(said["boot"]), seq
            return cls(key, parse_annotations(said["annotations"]), said["done"] is True)
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError("no line of what people said") from error


def parse_annotations(said: object) -> tuple[Annotation, ...]:
    """Annotations as programs write them: ``{"class": "gnat", "box": [x, y, width, height],
    "right": true}``, shares of the picture; ``right`` may be missing.

    :raises ValueError: saying what is wrong.
    """
    if not isinstance(said, list) or len(said) > MOST:
        raise ValueError(f"annotations are a list of {MOST} at most")
    return tuple(_annotation(each) for each in said)


def _annotation(said: object) -> Annotation:
    if not isinstance(said, dict) or not isinstance(said.get("box"), list):
        raise ValueError('an annotation is {"class": "…", "box": [x, y, width, height]}')
    strange = sorted(said.keys() - {"class", "box", "right"})
    if strange:
        raise ValueError(f"an annotation has a class, a box and right, no {strange[0]!r}")
    right = said.get("right", True)
    if not isinstance(right, bool):
        raise ValueError("right is true or false")
    return Annotation(parse_class(said.get("class")), parse_box(said["box"]), right)


@define(eq=False)
class AnnotationJournal:
    """The journal of a store. Several processes may have it open."""

    root: Path

    @property
    def path(self) -> Path:
        return self.root / OWN / "annotations.jsonl"

    def say(
        self, catalog: Catalog, said: Sequence[Said], check: Callable[[], None] = lambda: None
    ) -> list[Findings | None]:
        """What is *said* counts from now on, over any crash and power cut; blocks.

        :param check: called once all is known that was said before, whoever said it; what it
            raises is raised, and nothing is said.
        :returns: what is known now of each photo, None where there is no such photo.
        :raises OSError: it could not be written down.
        :raises CatalogError: from the catalog; then the next `catch_up` tells it.
        """
        if not said:
            return []
        with self._open() as fd:
            self._read_on(fd, catalog)
            check()
            end = os.fstat(fd).st_size
            try:
                write_all(fd, [f"{each.line()}\n".encode() for each in said])
                os.fdatasync(fd)
            except OSError:
                os.ftruncate(fd, end)
                raise
            return _tell(catalog, said, os.fstat(fd).st_size)

    def catch_up(self, catalog: Catalog, anew: bool = False) -> int:
        """The catalog knows all that was ever said.

        :param anew: from the first line on: it has photos that it had not when it was told.
        :returns: how many lines it was told.
        :raises OSError: the journal is there and cannot be read.
        """
        if not self.path.exists():
            return 0
        with self._open() as fd:
            if anew:
                catalog.remember(_READ, "0")
            return self._read_on(fd, catalog)

    @contextmanager
    def _open(self) -> Iterator[int]:
        new = not self.path.exists()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self.path, flags, FILE_MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if new:
                fsync_directory(self.path.parent)
            yield fd
        finally:
            os.close(fd)

    def _read_on(self, fd: int, catalog: Catalog) -> int:
        """What other processes said meanwhile, and what a crash kept from the catalog."""
        end = os.fstat(fd).st_size
        start = int(catalog.recall(_READ) or 0)
        if start > end:
            start = 0
        told = 0
        while start < end:
            lines = _whole_lines(fd, start, end)
            if not lines:
                # What a crash left of a line counts for nothing, and must not spoil the next one.
                os.ftruncate(fd, start)
                break
            said = list(_lines(lines))
            for at in range(0, len(said), _AT_ONCE):
                _tell(catalog, said[at : at + _AT_ONCE], None)
            start += len(lines)
            catalog.remember(_READ, str(start))
            told += len(said)
        return told


def _whole_lines(fd: int, start: int, end: int) -> bytes:
    """Some whole lines from *start* on, none where there is none: all of them at once may be more
    than memory has room for, and than one read gives."""
    data = bytearray()
    while b"\n" not in data:
        piece = os.pread(fd, min(_PIECE, end - start - len(data)), start + len(data))
        if not piece:
            return b""
        data += piece
    return bytes(data[: data.rfind(b"\n") + 1])


def _lines(data: bytes) -> Iterator[Said]:
    for line in data.decode("utf-8", "replace").splitlines():
        try:
            yield Said.parse(line)
        except ValueError:
            continue


def _tell(catalog: Catalog, said: Iterable[Said], end: int | None) -> list[Findings | None]:
    writer = FindingsWriter(catalog)
    told: list[Findings | None] = []
    with catalog.transaction() as db:
        for each in said:
            entry = catalog.find(each.key)
            told.append(
                None if entry is None
                else writer.annotate_within(db, entry.id, each.annotations, each.done)
            )  # fmt: skip
        if end is not None:
            _remember(db, end)
    return told


def _remember(db: Any, end: int) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_READ, str(end)))
