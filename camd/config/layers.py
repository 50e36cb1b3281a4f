"""Settings from several places, laid on top of each other.

Knows neither keys nor types: tables are dicts here, as TOML makes them.
"""

import re
from collections.abc import Mapping
from typing import Any

from attrs import define, field, frozen

from camd.config.shape import Where, in_short, table_name

_BARE = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)

_DEEPEST = 8
"""Tables within tables that are looked into; no tree of settings comes near."""


@frozen
class Layer:
    """Settings from one place. *values*: tables within tables, as in the file."""

    origin: str
    values: Mapping[str, Any]


@define
class Merged:
    """Layers on top of each other; an array of tables grows, anything else is replaced."""

    values: dict[str, Any] = field(factory=dict)
    origins: dict[Where, str] = field(factory=dict)

    def put(self, layer: Layer) -> None:
        self._tables(self.values, layer.values, (), layer.origin)

    def origin(self, where: Where) -> str:
        """Where the value at *where* came from, or the innermost thing around it that came."""
        for length in range(len(where), 0, -1):
            if where[:length] in self.origins:
                return self.origins[where[:length]]
        return "default"

    def at(self, where: Where) -> Any:
        value: Any = self.values
        for step in where:
            value = value[step]
        return value

    def name(self, where: Where) -> str:
        """*where* as people read it: ``camera[greenhouse-1].pace``."""
        text = ""
        for depth, step in enumerate(where):
            if isinstance(step, str):
                key = step if _BARE.fullmatch(step) else in_short(step)
                text = f"{text}.{key}" if text else key
            else:
                table = self.at(where[: depth + 1])
                text += f"[{table_name(table if isinstance(table, dict) else {}, step)}]"
        return text

    def _tables(
        self, into: dict[str, Any], new: Mapping[str, Any], where: Where, origin: str
    ) -> None:
        for key, value in new.items():
            here = (*where, key)
            if isinstance(value, Mapping) and len(here) < _DEEPEST:
                if not isinstance(into.get(key), dict):
                    self._replace(into, here, {})
                self.origins[here] = origin
                self._tables(into[key], value, here, origin)
            elif _is_tables(value) and len(here) < _DEEPEST:
                if not _is_tables(into.get(key)):
                    self._replace(into, here, [])
                self.origins[here] = origin
                for table in value:
                    place = (*here, len(into[key]))
                    into[key].append({})
                    self.origins[place] = origin
                    self._tables(into[key][-1], table, place, origin)
            else:
                self._replace(into, here, value)
                self.origins[here] = origin

    def _replace(self, into: dict[str, Any], where: Where, value: Any) -> None:
        key = str(where[-1])
        if key in into:
            for inner in [each for each in self.origins if each[: len(where)] == where]:
                del self.origins[inner]
        into[key] = value


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)
