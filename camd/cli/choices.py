"""The options that choose photos for a data set, and the choice that they make."""

import functools
import time
from collections.abc import Callable
from datetime import tzinfo
from typing import Any, TypeVar

import click

from camd.cli.settings import MOST, Real
from camd.config import Loaded
from camd.export.choice import Choice, ZoneOf
from camd.findings import Flag, parse_class
from camd.photo import CameraId, is_camera_id
from camd.store.catalog import CatalogReader
from camd.store.findings import FindingsReader
from camd.timelapse.moments import parse_moment

R = TypeVar("R")


_OPTIONS = (
    click.option("--camera", "cameras", multiple=True, metavar="NAME", help="Only of this one; "
                 "may be repeated."),
    click.option("--since", metavar="WHEN", help="From then on, by the camera's clock; or how "
                 "long ago: 7d."),
    click.option("--until", metavar="WHEN", help="Until then; a date alone is all of that day."),
    click.option("--class", "classes", multiple=True, metavar="NAME", help="Only this class, "
                 "as if there were no other; may be repeated."),
    click.option("--confirmed", is_flag=True, help="Only photos that a person is through with."),
    click.option("--starred", is_flag=True, help="Only photos with a star."),
    click.option("--flagged/--no-flagged", default=None, help="With all that are dark, blurred, "
                 "broken…, or without any; else only the broken are left out."),
    click.option("--least-score", type=Real(0, 1), default=0.0, metavar="0…1",
                 help="Of a model's, only what it is so sure of."),
    click.option("--every", type=click.IntRange(1, MOST), default=1, metavar="N",
                 help="One photo in N."),
    click.option("--most", type=click.IntRange(1, MOST), metavar="N",
                 help="At most N photos, evenly over cameras and nights."),
)  # fmt: skip


def choosing(command: Callable[..., R]) -> Callable[..., R]:
    """*command* is given ``wishes``: what the options say, for `choice_of`."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> R:
        wishes = {
            name: options.pop(name)
            for name in ("cameras", "since", "until", "classes", "confirmed", "starred",
                         "flagged", "least_score", "every", "most")
        }  # fmt: skip
        return command(*args, wishes=wishes, **options)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


def zones(loaded: Loaded) -> ZoneOf:
    """Each camera's time zone, by the configuration."""

    @functools.cache
    def zone_of(camera: CameraId) -> tzinfo | None:
        return loaded.config.camera(camera).zone

    return zone_of


def choice_of(
    wishes: dict[str, Any], catalog: CatalogReader, zone_of: ZoneOf, **more: Any
) -> Choice:
    """The choice that is wished for.

    :param more: of a `Choice`, what is asked for in other ways.
    :raises click.UsageError: the store has no such camera or class, or times make no sense.
    """
    known = catalog.totals()
    for name in wishes["cameras"]:
        if not is_camera_id(name) or name not in known:
            raise click.BadParameter(f"--camera {name}: the store has no photo of it")
    try:
        classes = tuple(dict.fromkeys(parse_class(name) for name in wishes["classes"]))
    except ValueError as error:
        raise click.BadParameter(f"--class: {error}") from error
    there = FindingsReader(catalog).classes()
    for name in classes:
        if name not in there:
            raise click.BadParameter(f"--class {name}: there are {', '.join(there) or 'none yet'}")
    without = {None: {Flag.BROKEN}, True: set[Flag](), False: set(Flag)}[wishes["flagged"]]
    cameras = tuple(dict.fromkeys(wishes["cameras"])) or tuple(known)

    def moments(key: str) -> dict[CameraId, int]:
        text = wishes[key]
        return {} if text is None else {
            camera: _moment(f"--{key}", text, zone_of(camera), end=key == "until")
            for camera in cameras
        }  # fmt: skip

    since, until = moments("since"), moments("until")
    if any(since[camera] >= until[camera] for camera in since.keys() & until.keys()):
        raise click.UsageError("--since is not before --until")
    return Choice(
        cameras=tuple(dict.fromkeys(wishes["cameras"])),
        since=since,
        until=until,
        classes=classes,
        without=frozenset(without),
        **{key: wishes[key] for key in ("confirmed", "starred", "least_score", "every", "most")},
        **more,
    )


def _moment(option: str, text: str, zone: tzinfo | None, *, end: bool) -> int:
    try:
        return parse_moment(text, time.time(), zone, end=end)
    except ValueError as error:
        raise click.BadParameter(f"{option} {text!r} is not {error}") from error
