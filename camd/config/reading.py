"""The configuration that files, environment and options make together.

A setting is taken from the first of these that has it: an option, the environment, the files of
``conf.d`` from last to first, the file, its default. Mistakes are collected, not met one by one:
whoever has made three hears of three.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import NOTHING, frozen

from camd.config.layers import Merged
from camd.config.mistakes import ConfigError, Mistake
from camd.config.shape import Where, in_short, is_section, keys, kind_at, plain, settings
from camd.config.sources import environment_layers, file_layers, option_layers
from camd.config.structure import Fault, Missing, Unknown, Wrong, structured
from camd.config.tree import Config, contradictions
from camd.config.units import Secret, SecretUrl, url_shown


@frozen
class Loaded:
    """A configuration, and where each of its values came from.

    :ivar origin: by dotted key: ``default``, ``file /x/camd.toml``, ``environment CAMD_X`` or
        ``option --x``. What the tables of an array set is there as ``camera[id].pace``.
    """

    config: Config
    origin: dict[str, str]

    def error(self, key: str, got: object, wants: str) -> ConfigError:
        """What to raise where a value proves wrong only when it is used."""
        return ConfigError(Mistake(key, in_short(got), wants, self.origin.get(key, "default")))


def load(path: Path | None, environ: Mapping[str, str], options: Mapping[str, object]) -> Loaded:
    """The configuration that the file *path*, *environ* and *options* make together.

    :param path: None is the file that ``CAMD_CONFIG`` names, and none where it names none.
    :param options: dotted keys to values; a value of None is not given, and text is read as the
        environment's is.
    :raises ConfigError: with every mistake there is.
    """
    mistakes: list[Mistake] = []
    merged = Merged()
    for layer in file_layers(path, environ, mistakes):
        merged.put(layer)
    for layer in environment_layers(Config, environ, mistakes):
        merged.put(layer)
    for layer in option_layers(Config, options):
        merged.put(layer)
    config, faults = structured(Config, merged.values)
    mistakes += (_mistake(fault, Config, merged) for fault in faults)
    mistakes += _contradictions(config, faults, merged)
    if mistakes:
        raise ConfigError(*mistakes)
    return Loaded(config, _origins(Config, merged))


def _mistake(fault: Fault, section: Any, merged: Merged) -> Mistake:
    key, origin = merged.name(fault.where), merged.origin(fault.where)
    match fault:
        case Unknown():
            hint = _near(fault, section, merged)
            return Mistake(key, "an unknown key", f"one of camd's{hint}", origin)
        case Missing():
            return Mistake(key, "nothing", "a value", origin)
        case Wrong():
            got = _got(merged.at(fault.where), kind_at(section, fault.where))
            return Mistake(key, got, fault.wanted, origin)


_KINDS: Mapping[Any, str] = {dict: "a table", list: "a list", str: "text"}


def _got(value: object, kind: Any) -> str:
    """*value* for an error's line, unless it is a secret, or may hold one."""
    if plain(kind) is Secret or is_section(kind):
        return _KINDS.get(type(value), "something else")
    if plain(kind) is SecretUrl and isinstance(value, str):
        value = url_shown(value)
    return in_short(value)


def _near(fault: Unknown, section: Any, merged: Merged) -> str:
    """A hint at the key that was meant: a sibling, or the same word in another section."""
    word = str(fault.where[-1])
    siblings = [attribute.alias or "" for attribute in settings(fault.section)]
    found = difflib.get_close_matches(word, siblings, n=1)
    if found:
        around = merged.name(fault.where[:-1])
        return f"; did you mean {f'{around}.' if around else ''}{found[0]}?"
    words = {key.rpartition(".")[2]: key for key in reversed(keys(section))}
    found = difflib.get_close_matches(word, words, n=1, cutoff=0.8)
    return f"; did you mean {words[found[0]]}?" if found else ""


def _contradictions(config: Config | None, faults: list[Fault], merged: Merged) -> list[Mistake]:
    """Settings that do not go together, among those that are right each by itself."""
    aside = frozenset(_faulty(fault.where, merged) for fault in faults)
    if config is None:
        config, _ = structured(Config, _without(merged.values, (), aside))
    if config is None:
        return []
    mistakes = []
    for each in contradictions(config):
        where, *beside = (_place(w, merged, aside) for w in (each.where, *each.beside))
        if not any(w[: len(cut)] == cut for cut in aside for w in (where, *beside)):
            mistakes.append(_contradicted(where, beside, each.wanted, merged))
    return mistakes


def _contradicted(where: Where, beside: list[Where], wanted: str, merged: Merged) -> Mistake:
    """A mistake at *where*, or by what stands *beside* it where nothing stands there."""
    key, other = merged.name(where), merged.origins.get(beside[0], "default")
    if where not in merged.origins:
        return Mistake(key, "nothing", wanted, other)
    origin = merged.origin(where)
    also = "" if other in (origin, "default") else f"; the other is from {other}"
    return Mistake(key, in_short(merged.at(where)), wanted + also, origin)


def _faulty(where: Where, merged: Merged) -> Where:
    """What to put aside for a fault at *where*: a list as a whole, a table without its id too."""
    for depth, step in enumerate(where):
        if isinstance(step, int) and not isinstance(merged.at(where[: depth + 1]), dict):
            return where[:depth]
    around = kind_at(Config, where[:-1])
    needed = is_section(around) and any(
        attribute.alias == where[-1] and attribute.default is NOTHING
        for attribute in settings(around)
    )
    return where[:-1] if needed else where


def _without(value: Any, where: Where, aside: frozenset[Where]) -> Any:
    """A copy of *value*, which stands at *where*, without what is put aside."""
    if isinstance(value, dict):
        return {
            key: _without(inner, (*where, key), aside)
            for key, inner in value.items()
            if (*where, key) not in aside
        }
    if isinstance(value, list):
        kept = (index for index in range(len(value)) if (*where, index) not in aside)
        return [_without(value[index], (*where, index), aside) for index in kept]
    return value


def _place(where: Where, merged: Merged, aside: frozenset[Where]) -> Where:
    """Where that stood, which stands at *where* once the rest is put aside."""
    place: Where = ()
    for step in where:
        if isinstance(step, int):
            count = len(merged.at(place))
            kept = [index for index in range(count) if (*place, index) not in aside]
            place = (*place, kept[step])
        else:
            place = (*place, step)
    return place


def _origins(section: Any, merged: Merged) -> dict[str, str]:
    """Where each value came from, the keys of an array's tables behind its own."""
    found: dict[str, str] = {}
    for key in keys(section):
        where = tuple(key.split("."))
        found[key] = merged.origin(where) if where in merged.origins else "default"
        for inner, origin in merged.origins.items():
            if len(inner) > len(where) + 1 and inner[: len(where)] == where:
                found[merged.name(inner)] = origin
    return found
