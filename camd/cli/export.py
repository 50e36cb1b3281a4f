"""``camd export``: photos and what is on them, as a data set for other tools."""

import functools
import os
import shlex
import signal
import sys
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from attrs import frozen

from camd.cli.bar import bar
from camd.cli.choices import choice_of, choosing, zones
from camd.cli.settings import (
    Real,
    configured,
    existing_catalog,
    existing_store,
    plain_errors,
    room_for,
)
from camd.config import Loaded
from camd.export.camtrap import CamtrapForm, Place, Project
from camd.export.card import Numbers, Origin
from camd.export.choice import Choice, ZoneOf
from camd.export.coco import CocoForm
from camd.export.making import NOT_SPLIT, Chosen, ExportError, Split, Wanted, make
from camd.export.picture import Form
from camd.export.placing import NoLinkError, Placer
from camd.export.tables import TablesForm
from camd.export.yolo import YoloForm
from camd.findings import parse_class
from camd.photo import CameraId
from camd.plural import count
from camd.store.catalog import CatalogReader
from camd.store.findings import FindingsReader


@click.group(no_args_is_help=False)
def export() -> None:
    """Make a data set of photos and of what is on them.

    What a person said of a photo outranks what a model found. The photos are linked where that
    can be, and copied where not; --link copy keeps tools that write into them away from the
    store.
    """


# ---- what all have in common


@frozen
class _Order:
    """What is asked for, whatever the form. *link*: None where no photo goes along."""

    loaded: Loaded
    target: Path
    wishes: dict[str, Any]
    force: bool
    licence: str
    link: Any = None
    more: Mapping[str, Any] = {}
    split: Split = NOT_SPLIT


@frozen
class _Tools:
    """What a form is made with."""

    catalog: CatalogReader
    choice: Choice
    zone_of: ZoneOf
    placer: Placer
    now: datetime


def _ordering(command: Callable[..., None]) -> Callable[..., None]:
    """*command* has a target, the options that choose, ``--force`` and ``--licence``."""
    options = (
        click.argument("target", metavar="DIR", type=click.Path(path_type=Path)),
        choosing,
        click.option("--licence", default="", metavar="TEXT", help="Such as CC-BY-4.0."),
        click.option("--force", is_flag=True, help="Replace a data set that is there."),
        configured,
    )
    return functools.reduce(lambda inner, option: option(inner), reversed(options), command)


_link = click.option(
    "--link", type=click.Choice(["auto", "hard", "copy"]), default="auto", show_default=True,
    help="Hard links where they can be; nothing else; copies.",
)  # fmt: skip


def _splitting(share: float) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options by which a data set has two sides, and says something of nothing."""
    options = (
        click.option("--val", type=Real(0, 0.9), default=share, show_default=True,
                     metavar="0…0.9", help="How much is for validation."),
        click.option("--split", "by", type=click.Choice(["night", "camera"]), default="night",
                     show_default=True, help="What is not parted: a camera's night, or all of "
                     "a camera."),
        click.option("--seed", type=int, default=0, help="Another one draws other nights."),
        click.option("--background", type=Real(0, 0.9), default=0.1,
                     show_default=True, metavar="0…0.9", help="How much may be photos with "
                     "nothing on them, by a person's word."),
        click.option("--believe-empty", is_flag=True, help="By a model's word, too."),
    )  # fmt: skip
    return lambda command: functools.reduce(
        lambda inner, option: option(inner), reversed(options), command
    )


def _sided(
    loaded: Loaded, *, val: float, by: Any, seed: int, background: float, believe_empty: bool,
    **common: Any,
) -> _Order:  # fmt: skip
    """With what the options of `_splitting` say."""
    more = {"background": background, "believed": believe_empty}
    return _Order(loaded, **common, split=Split(val, by, seed), more=more)


def _make(order: _Order, form: str, form_of: Callable[[Path, Chosen, _Tools], Form]) -> None:
    root = existing_store(order.loaded).resolve()
    path = existing_catalog(order.loaded)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    now = datetime.now().astimezone()
    origin = Origin(form, root, shlex.join(["camd", *sys.argv[1:]]), now, order.licence)
    zone_of = zones(order.loaded)
    with ExitStack() as stack:
        stack.enter_context(plain_errors())
        catalog = stack.enter_context(closing(CatalogReader.open(path)))
        choice = choice_of(order.wishes, catalog, zone_of, **order.more)
        placer = stack.enter_context(closing(Placer(root, order.link or "copy")))
        tools = _Tools(catalog, choice, zone_of, placer, now)
        target = _real(order.target)
        room = room_for(order.loaded, root, target)
        wanted = Wanted(target, choice, order.split, order.force, room)
        try:
            numbers = make(
                catalog, wanted, origin, zone_of=zone_of,
                form_of=lambda folder, chosen: form_of(folder, chosen, tools),
                begin=lambda photos: stack.enter_context(bar(photos)),
            )  # fmt: skip
        except (ExportError, NoLinkError) as error:
            raise click.ClickException(str(error)) from error
    _tell(order.target, numbers, placer)


def _real(target: Path) -> Path:
    """Where *target* lies in truth; a link that leads round in a circle is left as it is."""
    return Path(os.path.realpath(target))


def _tell(target: Path, numbers: Numbers, placer: Placer) -> None:
    if placer.why_copied:
        click.echo(
            f"camd: no hard links can be made there ({placer.why_copied}); "
            f"{count(placer.copied, 'photo')} copied",
            err=True,
        )
    sides = ", ".join(f"{number:,} {side}" for side, number in sorted(numbers.sides.items()))
    click.echo(
        f"{target}: {count(numbers.photos, 'photo')}"
        + (f" ({sides})" if len(numbers.sides) > 1 else "")
        + f" of {count(len(numbers.cameras), 'camera')}, {count(numbers.things, 'thing')} of "
        + count(len(numbers.classes), "class", "classes")
        + (f"; {numbers.missing:,} were gone or left out" if numbers.missing else "")
    )


# ---- the forms


@export.command()
@_splitting(0.2)
@_link
@_ordering
def yolo(loaded: Loaded, /, **wanted: Any) -> None:
    """For Ultralytics: yolo detect train data=DIR/data.yaml"""
    order = _sided(loaded, **wanted)

    def form_of(folder: Path, chosen: Chosen, tools: _Tools) -> Form:
        return YoloForm(folder, chosen.names, chosen.sides, tools.placer)

    _make(order, "yolo", form_of)


@export.command()
@_splitting(0.0)
@_link
@_ordering
def coco(loaded: Loaded, /, **wanted: Any) -> None:
    """COCO's JSON: for CVAT, Label Studio, FiftyOne, pycocotools."""
    order = _sided(loaded, **wanted)
    _make(
        order, "coco",
        lambda folder, chosen, tools: CocoForm(
            folder, chosen.names, chosen.sides, tools.placer, licence=order.licence, now=tools.now
        ),
    )  # fmt: skip


@export.command("camtrap-dp")
@click.option("--at", "places", multiple=True, metavar="[CAMERA=]LAT,LON", help="Where a camera "
              "stands, in degrees, such as greenhouse-1=47.07,15.44; without a name: all others. "
              "May be repeated.")  # fmt: skip
@click.option("--taxon", "taxa", multiple=True, metavar="CLASS=NAME", help='A scientific name, '
              'such as "whitefly=Trialeurodes vaporariorum"; may be repeated.')  # fmt: skip
@click.option("--title", default="Photos of camd", show_default=True)
@click.option("--contact", default="not stated", metavar="NAME", help="Who answers for it.")
@_link
@_ordering
def camtrap_dp(loaded: Loaded, /, *, places: tuple[str, ...], taxa: tuple[str, ...], title: str,
               contact: str, **common: Any) -> None:  # fmt: skip
    """Camtrap DP 1.0, for biologists' archives: all photos, and what is on them or that nothing
    is. It wants to know where the cameras stand."""
    known = _places(places)
    order = _Order(loaded, **common)
    project = Project(title, contact, order.licence, _taxa(taxa))

    def form_of(folder: Path, chosen: Chosen, tools: _Tools) -> Form:
        cameras = {pick.camera for pick in chosen.picks}
        _mind("--at", known.keys() - {""}, tools.catalog.totals(), "the store has no photo of it")
        classes = FindingsReader(tools.catalog).classes()
        _mind("--taxon", project.taxa, classes, "no photo has a thing of that class")
        placed = {camera: known.get(camera) or known.get("") for camera in cameras}
        lost = sorted(camera for camera, place in placed.items() if place is None)
        if lost:
            raise ExportError(
                f"Camtrap DP wants to know where {lost[0]} stands: --at {lost[0]}=47.07,15.44"
                + (f"; likewise for {', '.join(lost[1:])}" if lost[1:] else "")
            )
        at = {camera: place for camera, place in placed.items() if place is not None}
        return CamtrapForm(folder, at, project, tools.placer, tools.now)

    _make(order, "camtrap-dp", form_of)


@export.command("csv")
@_ordering
def tables(loaded: Loaded, /, **common: Any) -> None:
    """Tables for a spreadsheet: photos.csv, detections.csv, counts.csv. No photo goes along."""

    def form_of(folder: Path, chosen: Chosen, tools: _Tools) -> Form:
        cameras = sorted({pick.camera for pick in chosen.picks})
        return TablesForm(folder, tools.catalog, cameras, tools.choice, tools.zone_of)

    _make(_Order(loaded, **common), "csv", form_of)


def _places(texts: tuple[str, ...]) -> dict[str, Place]:
    """By camera; "" for all others."""
    found: dict[str, Place] = {}
    for text in texts:
        camera, _, place = text.rpartition("=")
        latitude, _, longitude = place.partition(",")
        try:
            found[CameraId(camera)] = Place(_degrees(latitude, 90), _degrees(longitude, 180))
        except ValueError:
            raise click.BadParameter(
                f"--at {text!r}: latitude and longitude in degrees are wanted, such as 47.07,15.44"
            ) from None
    return found


def _mind(option: str, given: Iterable[str], known: Container[str], why: str) -> None:
    """What was given for nothing is told: it may be misspelt, or be there one day."""
    for name in sorted(given):
        if name not in known:
            click.echo(f"camd: {option} {name}: {why}", err=True)


def _degrees(text: str, most: int) -> float:
    degrees = float(text)
    if not -most <= degrees <= most:
        raise ValueError(text)
    return degrees


def _taxa(texts: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        label, _, name = text.partition("=")
        try:
            found[parse_class(label)] = parse_class(name)
        except ValueError:
            raise click.BadParameter(f"--taxon {text!r}: CLASS=NAME is wanted") from None
    return found
