"""``camd timelapse``: the photos of a camera as a film."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import tzinfo
from pathlib import Path
from typing import Any

import click
from attrs import asdict
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from camd.cli.settings import (
    any_camera,
    configured,
    existing_catalog,
    existing_store,
    plain_errors,
    room_for,
    span,
)
from camd.config import Loaded, read_size
from camd.photo import CameraId
from camd.plural import count
from camd.store.catalog import CatalogReader
from camd.store.findings import FindingsReader
from camd.timelapse import Made, TimelapseError, Wish, missing, parse_size, shoot
from camd.timelapse.encoder import find_ffmpeg
from camd.timelapse.film import Told, said
from camd.timelapse.moments import parse_daily, parse_moment
from camd.timelapse.wish import MOST_FPS

_TOLD = 0.25
"""Seconds between two lines of progress."""


def _read(parse: Callable[[str], Any]) -> Callable[..., Any]:
    """A callback that reads an option by *parse*."""

    def callback(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
        try:
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(f"{value!r} is not {error}", ctx, param) from error

    return callback


def _span(text: str) -> float:
    seconds = span(text)
    if seconds < 0.001:
        raise ValueError("a duration of more than nothing")
    return seconds


@click.command()
@click.argument("camera", callback=any_camera)
@click.option("--from", "since", metavar="WHEN", help="From then on; or how long ago: 7d.")
@click.option("--to", "until", metavar="WHEN", help="Until then; a date alone is all of that day.")
@click.option(
    "--fps", type=click.IntRange(1, MOST_FPS), default=25, help="Pictures in each second (25)."
)
@click.option("--size", callback=_read(parse_size), metavar="WxH", help="Or a framesize's name.")
@click.option(
    "--length", callback=_read(_span), metavar="SPAN", help="Lasts so long: photos evenly in time."
)
@click.option(
    "--every", callback=_read(_span), metavar="SPAN", help="One photo for each stretch, as 10min."
)
@click.option(
    "--day-only", "daily", callback=_read(parse_daily), metavar="HH:MM-HH:MM",
    help="Only photos of these hours.",
)  # fmt: skip
@click.option("--date", "dated", is_flag=True, help="Write date and time into each picture.")
@click.option(
    "--skip-dark/--keep-dark", default=False, help="Leave out what is dark or blown out, or not."
)
@click.option("--longest", callback=_read(_span), metavar="SPAN", help="Make no longer film.")
@click.option("--largest", callback=_read(read_size), metavar="SIZE", help="Make no larger film.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--nice", is_flag=True, help="Give way to whatever else this machine does.")
@click.option(
    "--progress", type=click.Choice(["bar", "json", "none"]), default="bar",
    help="On stderr, or in lines on stdout.",
)  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE.mp4",
              help="Else CAMERA.mp4, here.")  # fmt: skip
@configured
def timelapse(
    loaded: Loaded, /, *, camera: CameraId, since: str | None, until: str | None, progress: str,
    output: Path | None, force: bool, nice: bool, **wanted: Any,
) -> None:  # fmt: skip
    """Make a film of the photos of CAMERA, oldest first: H.264 in CAMERA.mp4.

    Times are the camera's own. Photos that are broken are left out. May be called at any time,
    whether camd is running or not.
    """
    if wanted["length"] is not None and wanted["every"] is not None:
        raise click.UsageError("--length and --every both choose the photos: give one of them")
    target = output if output is not None else Path(f"{camera}.mp4")
    if target.suffix.lower() not in (".mp4", ".m4v"):
        raise click.UsageError(f"--output {target}: a name that ends in .mp4 is wanted")
    if not target.parent.is_dir():
        raise click.UsageError(f"--output {target}: there is no directory {target.parent}")
    zone = loaded.config.camera(camera).zone
    begin, end = _moment("--from", since, zone), _moment("--to", until, zone, end=True)
    if begin is not None and end is not None and begin >= end:
        raise click.UsageError("--from is not before --to")
    root = existing_store(loaded)
    needed = missing()
    ffmpeg = find_ffmpeg()
    if needed is not None or ffmpeg is None:
        raise click.ClickException(f"timelapse {needed}")
    if nice:
        _give_way()
    signal.signal(signal.SIGTERM, _interrupted)
    wish = Wish(camera, begin, end, zone=zone, **wanted)
    catalog = existing_catalog(loaded)
    room = room_for(loaded, root, target)
    with (
        plain_errors(),
        _progress(progress) as told,
        closing(CatalogReader.open(catalog)) as reader,
    ):
        if camera not in reader.totals():
            raise click.ClickException(f"{root} has no photo of {camera}")
        findings = FindingsReader(reader)
        try:
            made = shoot(
                root, reader, wish, target, ffmpeg, force=force, told=told,
                flags=lambda entry: findings.flags(entry.id), room=room,
            )  # fmt: skip
        except TimelapseError as error:
            raise click.ClickException(str(error)) from error
    _tell(made, target, progress)


def _give_way() -> None:
    """The last to be served, and the first to go where memory runs out."""
    os.nice(19)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _moment(option: str, text: str | None, zone: tzinfo | None, end: bool = False) -> int | None:
    if text is None:
        return None
    try:
        return parse_moment(text, time.time(), zone, end=end)
    except ValueError as error:
        raise click.UsageError(f"{option} {text!r} is not {error}") from error


def _interrupted(number: int, frame: object) -> None:
    """As Ctrl-C: what was begun is cleared away."""
    raise click.Abort


@contextmanager
def _progress(kind: str) -> Iterator[Told]:
    """What is told of the progress, at most every quarter of a second."""
    console = Console(stderr=True)
    shown = kind == "bar" and console.is_terminal
    last = 0.0
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not shown,
    ) as bar:  # fmt: skip
        task = bar.add_task("counting", total=None)

        def told(done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now < last + _TOLD and done != total:
                return
            last = now
            if kind == "json":
                _print({"done": done, "total": total})
            elif shown:
                what = "filming" if total else "counting"
                bar.update(task, completed=done, total=total or None, description=what)

        yield told


def _tell(made: Made, target: Path, progress: str) -> None:
    if progress == "json":
        _print({"made": asdict(made)})
        return
    photos = count(made.photos, "photo")
    left_out = said(made.left_out)
    if left_out:
        photos += f", left out: {left_out}"
    width, height = made.size
    click.echo(f"{photos}; {made.seconds:g} s, {width}x{height}, {decimal(made.bytes)}: {target}")


def _print(value: Any) -> None:
    # A line that nobody takes ends the program, and so the film.
    print(json.dumps(value))
    sys.stdout.flush()
