"""The shape of a tree of settings: which keys it has, and what their types say.

A section is an attrs class whose fields are settings, sections or tuples of sections. Knows no
section by name, so a new one needs nothing here.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import attrs

from camd.config.area import Area
from camd.config.units import (
    Bytes,
    Seconds,
    Secret,
    SecretUrl,
    Share,
    duration_text,
    size_text,
    url_shown,
)
from camd.config.wanted import Wanted
from camd.config.when import When

Where = tuple[str | int, ...]
"""The place of a setting: ``("store", "path")``, ``("camera", 0, "id")``."""

_VALUES = frozenset({Share, Secret, Wanted, Area, When})
_SHOWN = 60


def is_section(kind: Any) -> bool:
    """Whether *kind* is a table of settings."""
    return attrs.has(kind) and kind not in _VALUES


def settings(section: Any) -> Iterator["attrs.Attribute[Any]"]:
    """The settings of a section; the alias of each is its key."""
    return (attribute for attribute in attrs.fields(section) if attribute.init)


def plain(kind: Any) -> Any:
    """A setting's type without its rules, and without the None that it may be."""
    if get_origin(kind) is Annotated:
        return plain(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return plain(next(arm for arm in get_args(kind) if arm is not type(None)))
    return kind


def element(kind: Any) -> Any:
    """What a tuple is made of, or None where *kind* is no tuple."""
    bare = plain(kind)
    return get_args(bare)[0] if get_origin(bare) is tuple else None


def keys(section: Any, prefix: str = "") -> dict[str, Any]:
    """Every dotted key below *section* with its type, in the order of the tree.

    An array of tables is one key.
    """
    found: dict[str, Any] = {}
    for attribute in settings(section):
        key = f"{prefix}{attribute.alias}"
        if is_section(attribute.type):
            found |= keys(attribute.type, f"{key}.")
        else:
            found[key] = attribute.type
    return found


def kind_at(section: Any, where: Where) -> Any:
    """The type of what stands at *where*, or None where the tree has no such place."""
    kind = section
    for step in where:
        if isinstance(step, int):
            kind = element(kind)
        elif is_section(kind):
            kind = next((a.type for a in settings(kind) if a.alias == step), None)
        else:
            return None
    return kind


def shown(tree: Any) -> dict[str, str]:
    """Every dotted key of *tree* with its value as it would stand in the file.

    Secrets are not shown, and of a URL that is one only its host. The keys of an array's tables
    follow its own as ``camera[id].pace``, so far as they are set.
    """
    found: dict[str, str] = {}
    _show(tree, "", found)
    return found


def _show(section: Any, prefix: str, found: dict[str, str]) -> None:
    for attribute in settings(type(section)):
        key, value = f"{prefix}{attribute.alias}", getattr(section, attribute.name)
        if is_section(attribute.type):
            _show(value, f"{key}.", found)
        elif is_section(element(attribute.type)):
            for index, each in enumerate(value):
                _show(each, f"{key}[{table_name(attrs.asdict(each), index)}].", found)
        elif value is not None or not prefix.endswith("]."):
            found[key] = _in_file(value, attribute.type)


def table_name(table: Mapping[str, object], index: int) -> str:
    """What to call one table of an array: its id where it has a short one, else its number."""
    own = table.get("id")
    if isinstance(own, str) and 0 < len(own) <= _SHOWN and own.isprintable() and "]" not in own:
        return own
    return f"#{index + 1}"


def _in_file(value: Any, kind: Any) -> str:
    bare = plain(kind)
    if value is None:
        return '""'
    if bare is Secret:
        return '"(hidden)"' if value else '""'
    if bare is SecretUrl:
        return as_toml(url_shown(value))
    if bare is Seconds:
        return f'"{duration_text(value)}"'
    if bare is Bytes:
        return f'"{size_text(value)}"'
    if isinstance(value, tuple):
        return f"[{', '.join(_in_file(each, element(kind)) for each in value)}]"
    return as_toml(value)


def as_toml(value: object) -> str:
    """A value as it would stand in a TOML file."""
    match value:
        case bool():
            return "true" if value else "false"
        case str() | Path() | Share() | When():
            text = json.dumps(str(value), ensure_ascii=False)
            return text.encode("utf-8", "backslashreplace").decode("utf-8")
        case int() if value.bit_length() > 64:
            return "a huge number"
        case date() | datetime() | time():
            return value.isoformat()
        case Wanted() | Area():
            return str(value)
        case dict():
            return "a table"
        case list() | tuple():
            # A list in a list may be as deep as its file is long.
            inner = ("[…]" if isinstance(each, (list, tuple)) else as_toml(each) for each in value)
            return f"[{', '.join(inner)}]"
        case _:
            return str(value)


def in_short(value: object) -> str:
    """A value for a line of an error: as in the file, and not too much of it."""
    text = as_toml(value[:_SHOWN] if isinstance(value, (str, list, tuple)) else value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
