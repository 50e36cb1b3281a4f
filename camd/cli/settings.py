"""The options that every command has, and the configuration that they make."""

import functools
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from camd.config import Loaded, Seconds, load, read_duration
from camd.keys import KeyFileError, KeyRing
from camd.photo import CameraId, is_camera_id, parse_camera_id
from camd.store.folders import OWN
from camd.store.schema import CatalogError
from camd.store.store import StoreError

MOST = 10**12
"""No number of photos that is asked for is larger."""

P = ParamSpec("P")
R = TypeVar("R")


class Real(click.FloatRange):
    """A number in a range; what is no number is in none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number", param, ctx)
        return number


def configured(command: Callable[Concatenate[Loaded, P], R]) -> Callable[..., R]:
    """*command* is given the configuration first, as the daemon would have it.

    ``--config`` and ``--store`` may stand before the command's name or behind it.
    """

    @click.option(
        "--config", type=click.Path(path_type=Path), metavar="FILE", help="The configuration file."
    )
    @click.option("--store", metavar="DIR", help="The directory of the photos.")
    @click.pass_context
    @functools.wraps(command)
    def run(ctx: click.Context, *args: Any, **options: Any) -> R:
        config, store = options.pop("config"), options.pop("store")
        general = ctx.obj or (None, None)
        loaded = load(
            config if config is not None else general[0],
            os.environ,
            {"store.path": store if store is not None else general[1]},
        )
        return command(loaded, *args, **options)

    return run


def span(text: str) -> Seconds:
    """The duration that *text* is; a number alone is seconds.

    :raises ValueError: saying what a duration looks like.
    """
    plain = text.isascii() and text.replace(".", "", 1).isdecimal()
    return read_duration(float(text) if plain else text)


def camera_id(ctx: click.Context, param: click.Parameter, value: str | None) -> CameraId | None:
    """A camera's id on the command line; the callback of its argument."""
    if value is None:
        return None
    try:
        return parse_camera_id(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: a camera's id is {error}", ctx, param) from error


def any_camera(ctx: click.Context, param: click.Parameter, value: str | None) -> CameraId | None:
    """The id of a camera that the store may have, be it one that nobody chose."""
    if value is not None and value.startswith("v1-") and is_camera_id(value):
        return CameraId(value)
    return camera_id(ctx, param, value)


def own_directory(loaded: Loaded) -> Path:
    """What camd keeps for itself in the store."""
    return loaded.config.store.path / OWN


def key_ring(loaded: Loaded, *, aloud: bool = False) -> KeyRing:
    """The keys of the store.

    :param aloud: what is wrong with key files is said on stderr.
    """

    def said(error: KeyFileError) -> None:
        click.echo(f"camd: {error}", err=True)

    return KeyRing(own_directory(loaded) / "keys", said if aloud else None)


@contextmanager
def plain_errors() -> Iterator[None]:
    """What the store cannot do is an error of one line."""
    try:
        yield
    except (CatalogError, StoreError) as error:
        raise click.ClickException(str(error)) from error


def existing_store(loaded: Loaded) -> Path:
    """The store's directory; it is there."""
    root = loaded.config.store.path
    if not root.is_dir():
        raise click.ClickException(f"there is no store at {root}")
    return root


def existing_catalog(loaded: Loaded) -> Path:
    """The file of the store's catalog; it is there."""
    path = own_directory(loaded) / "catalog.sqlite"
    if not path.exists():
        raise click.ClickException(f"there is no catalog at {path}; camd check --fix makes one")
    return path


def room_for(loaded: Loaded, root: Path, target: Path) -> Callable[[], bool]:
    """Whether the store's disk may be filled further, where *target* lies on it; another one is
    no matter of ours."""
    above = (each for each in target.absolute().parents if each.exists())
    place = next(above, target.absolute())
    if os.stat(root).st_dev != os.stat(place).st_dev:
        return lambda: True

    def room() -> bool:
        disk = os.statvfs(root)
        free = disk.f_frsize * disk.f_bavail
        return free > loaded.config.store.keep_free.of(disk.f_frsize * disk.f_blocks)

    return room
