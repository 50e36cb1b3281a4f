"""``camd config``: every setting, its value, and where that comes from."""

import json
import tomllib
from typing import Any

import click

from camd.cli.settings import configured
from camd.config import Loaded, shown


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@configured
def config(loaded: Loaded, as_json: bool) -> None:
    """Show every setting and where its value comes from.

    What is shown is what a camd would have that is started here, now, with these options.
    """
    values = shown(loaded.config)
    origins = {key: _origin(key, loaded.origin) for key in values}
    if as_json:
        tree = {
            key: {"value": _value(text), "origin": origins[key]} for key, text in values.items()
        }
        click.echo(json.dumps(tree, indent=2, ensure_ascii=False))
        return
    lines = {key: f"{key} = {text}" for key, text in values.items()}
    width = min(60, max(map(len, lines.values())))
    for key, line in lines.items():
        click.echo(f"{line:<{width}}  # {origins[key]}")


def _value(text: str) -> Any:
    """The value that stands so in the file, where a path may be one that no file can have."""
    try:
        return json.loads(text)
    except ValueError:
        return tomllib.loads(f"value = {text}")["value"]


def _origin(key: str, origins: dict[str, str]) -> str:
    """Where the value of *key* came from; a camera's setting may be known by its table only."""
    return origins.get(key) or origins.get(key.partition("[")[0], "default")
