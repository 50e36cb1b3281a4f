"""``camd ls``: the cameras of the store, or the newest photos of one."""

import json
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from attrs import frozen
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from camd.cli.settings import (
    MOST,
    any_camera,
    configured,
    existing_store,
    key_ring,
    own_directory,
    plain_errors,
)
from camd.config import Loaded
from camd.keys import KeyRing
from camd.photo import CameraId
from camd.store.catalog import CatalogReader
from camd.store.entry import Entry, Totals

_UNREAD = "?"


@click.command()
@click.argument("camera", required=False, callback=any_camera)
@click.option(
    "-n", "--number", type=click.IntRange(1, MOST), default=20, help="How many photos (20)."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@configured
def ls(loaded: Loaded, camera: CameraId | None, number: int, as_json: bool) -> None:
    """List the cameras of the store, or the newest photos of CAMERA.

    May be called at any time, whether camd is running or not.
    """
    root = existing_store(loaded)
    catalog = own_directory(loaded) / "catalog.sqlite"
    with plain_errors():
        if camera is None:
            _cameras(_each_camera(catalog, lambda: key_ring(loaded, aloud=True)), as_json)
        else:
            photos = _photos(catalog, camera, number)
            if not photos and key_ring(loaded).keys_of(camera) is None:
                raise click.ClickException(f"{root} has no photo of {camera}, and no key")
            _print_photos(photos, as_json)


# ---- cameras


@frozen
class _Line:
    """What is told of one camera. *newest*: unix milliseconds, None without photos."""

    camera: CameraId
    totals: Totals
    newest: int | None
    key: str


def _each_camera(catalog: Path, keys: Callable[[], KeyRing]) -> list[_Line]:
    totals: dict[CameraId, Totals] = {}
    newest: dict[CameraId, int] = {}
    if catalog.exists():
        with closing(CatalogReader.open(catalog)) as reader:
            totals = reader.totals()
            for camera in totals:
                entry = reader.latest(camera)
                if entry is not None:
                    newest[camera] = entry.taken_ms
    ring = keys()
    try:
        keyed, readable = ring.cameras(), True
    except OSError:
        keyed, readable = (), False
    return [
        _Line(
            camera,
            totals.get(camera, Totals(0, 0)),
            newest.get(camera),
            _key(ring, camera) if readable else _UNREAD,
        )
        for camera in sorted({*totals, *keyed})
    ]


def _key(ring: KeyRing, camera: CameraId) -> str:
    keys = ring.keys_of(camera)
    if keys is None:
        return "no"
    return ("revoked", "yes", "two")[len(keys)]


def _cameras(lines: list[_Line], as_json: bool) -> None:
    if as_json:
        _print_json(
            {
                "camera": line.camera,
                "photos": line.totals.photos,
                "bytes": line.totals.bytes,
                "newest": None if line.newest is None else _iso(line.newest),
                "key": line.key,
            }
            for line in lines
        )
        return
    table = _table("camera", ">photos", ">bytes", "newest", "key")
    for line in lines:
        table.add_row(
            Text(line.camera),
            f"{line.totals.photos:,}",
            decimal(line.totals.bytes),
            "-" if line.newest is None else _moment(line.newest),
            line.key,
        )
    _print_table(table, "no camera yet" if not lines else "")


# ---- photos


def _photos(catalog: Path, camera: CameraId, number: int) -> list[Entry]:
    if not catalog.exists():
        return []
    with closing(CatalogReader.open(catalog)) as reader:
        return reader.photos(camera, limit=number)


def _print_photos(photos: list[Entry], as_json: bool) -> None:
    if as_json:
        _print_json(
            {
                "path": photo.path,
                "taken": _iso(photo.taken_ms),
                "received": _iso(photo.received_ms),
                "bytes": photo.size,
                "crc": f"{photo.crc:08x}",
                "width": photo.width,
                "height": photo.height,
                "boot": photo.boot,
                "seq": photo.seq,
                "door": photo.door.value,
                "trigger": None if photo.trigger is None else photo.trigger.value,
                "starred": photo.starred,
                "labelled": photo.labelled,
                "note": photo.note,
            }
            for photo in photos
        )
        return
    table = _table("taken", ">bytes", "pixels", "trigger", "", "path")
    for photo in photos:
        table.add_row(
            _moment(photo.taken_ms),
            decimal(photo.size),
            f"{photo.width}x{photo.height}",
            "-" if photo.trigger is None else photo.trigger.value,
            "*" if photo.starred else "",
            Text(photo.path),
        )
    _print_table(table, "no photo" if not photos else "")


# ---- paper


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        justify: Any = "right" if name.startswith(">") else "left"
        table.add_column(name.lstrip(">"), justify=justify, no_wrap=True, overflow="ignore")
    return table


def _print_table(table: Table, instead: str) -> None:
    # Into a pipe or a file go whole lines.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 1000)
    console.print(instead or table)


def _print_json(rows: Any) -> None:
    click.echo(json.dumps(list(rows), indent=2, ensure_ascii=False))


def _moment(when_ms: int) -> str:
    return datetime.fromtimestamp(when_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _iso(when_ms: int) -> str:
    stamp = datetime.fromtimestamp(when_ms / 1000, UTC)
    return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")
