"""A data set as tables that any program reads: ``photos.csv``, ``detections.csv``, ``counts.csv``.

The photos stay where they are: a path is below the store's root.
"""

import csv
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from camd.export.choice import Choice, ZoneOf
from camd.export.picture import Picture, local
from camd.photo import CameraId
from camd.sheet import as_text
from camd.store.catalog import CatalogReader
from camd.store.findings import FindingsReader
from camd.store.naming import session_day

PHOTOS = (
    "path", "camera", "night", "taken", "received", "width", "height", "bytes", "boot", "seq",
    "trigger", "starred", "note", "flags", "model", "looked", "confirmed", "things", "new",
)  # fmt: skip
DETECTIONS = (
    "path", "camera", "night", "taken", "class", "score", "x", "y", "width", "height", "new",
    "by", "model", "model_sha256",
)  # fmt: skip
COUNTS = ("camera", "night", "from", "class", "photos", "things", "new", "most_on_one")


class Table:
    """A new CSV file with a heading, written line by line."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """:raises OSError: it cannot be made, or is there."""
        self._file: TextIO = path.open("x", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(columns)

    def add(self, row: Iterable[Any]) -> None:
        self._writer.writerow(row)

    def close(self) -> None:
        self._file.close()


class TablesForm:
    def __init__(
        self,
        folder: Path,
        catalog: CatalogReader,
        cameras: Iterable[CameraId],
        choice: Choice,
        zone_of: ZoneOf,
    ) -> None:
        """:raises OSError: the files cannot be made."""
        self._zone_of = zone_of
        write_counts(folder / "counts.csv", FindingsReader(catalog), cameras, choice, zone_of)
        self._photos = Table(folder / "photos.csv", PHOTOS)
        self._detections = Table(folder / "detections.csv", DETECTIONS)

    def add(self, picture: Picture) -> bool:
        entry, known = picture.entry, picture.findings
        taken = stamp(picture.taken)
        zone = self._zone_of(entry.camera)
        self._photos.add(
            (
                entry.path, entry.camera, picture.night, taken,
                stamp(local(entry.received_ms, zone)), entry.width, entry.height, entry.size,
                entry.boot, entry.seq, "" if entry.trigger is None else entry.trigger.value,
                int(entry.starred), as_text(entry.note),
                " ".join(sorted(f.value for f in known.flags)),
                known.model, stamp(local(known.looked_ms, zone)) if known.looked_ms else "",
                int(known.done), len(picture.things), sum(t.fresh for t in picture.things),
            )
        )  # fmt: skip
        for thing in picture.things:
            by = ("person", "", "") if thing.by_person else ("model", known.model,
                                                             known.model_hash)  # fmt: skip
            self._detections.add(
                (
                    entry.path, entry.camera, picture.night, taken, as_text(thing.label),
                    round(thing.score, 6), *(round(n, 6) for n in thing.box.numbers()),
                    int(thing.fresh), *by,
                )
            )  # fmt: skip
        return True

    def finish(self) -> None:
        self._photos.close()
        self._detections.close()


def write_counts(
    path: Path,
    reader: FindingsReader,
    cameras: Iterable[CameraId],
    choice: Choice,
    zone_of: ZoneOf,
) -> None:
    """The catalog's numbers of the cameras and times of *choice*, by quarters of an hour.

    They are of all photos there were, those included that are no longer there.

    :raises OSError: the file cannot be written.
    """
    with closing(Table(path, COUNTS)) as table:
        for camera in cameras:
            zone = zone_of(camera)
            since, until = choice.since.get(camera), choice.until.get(camera)
            for count in reader.counts(camera, None, since, until):
                if choice.classes and count.label not in choice.classes:
                    continue
                night = session_day(count.start_ms / 1000, zone, starts_at_noon=True)
                table.add(
                    (
                        camera, night, stamp(local(count.start_ms, zone)),
                        as_text(count.label), count.photos, count.total, count.fresh, count.most,
                    )
                )  # fmt: skip


def stamp(when: datetime) -> str:
    """ISO 8601, to the second, with its offset."""
    return when.isoformat(timespec="seconds")
