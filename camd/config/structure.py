"""From tables of plain values to a tree of settings, strictly.

Nothing is guessed: ``true`` is no number, ``"5"`` is not 5, and a key that the tree does not have
is a mistake. Every mistake is found, each with its place.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import attrs
from attrs import frozen
from cattrs import (
    BaseValidationError,
    ClassValidationError,
    Converter,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn

from camd.config.area import Area, read_area
from camd.config.shape import Where, as_toml, element, is_section
from camd.config.units import (
    Bytes,
    Seconds,
    Secret,
    Share,
    read_duration,
    read_share,
    read_size,
)
from camd.config.wanted import Wanted, read_wanted
from camd.config.when import When, read_when

Hook = Callable[[Any, Any], Any]


@frozen
class Wrong:
    """What stands at *where* is not what is wanted there."""

    where: Where
    wanted: str


@frozen
class Missing:
    """Nothing stands at *where*, and something must."""

    where: Where


@frozen
class Unknown:
    """Something stands at *where*, and the *section* around it has no such key."""

    where: Where
    section: Any


Fault = Wrong | Missing | Unknown


def structured(section: Any, values: Mapping[str, Any]) -> tuple[Any, list[Fault]]:
    """The tree that *values* make, or None and all that keeps them from making one."""
    try:
        return _CONVERTER.structure(values, section), []
    except BaseValidationError as error:
        return None, list(_faults(error, ()))


def _faults(error: Exception, where: Where) -> Iterator[Fault]:
    match error:
        case ClassValidationError():
            inner, alone = error.group_exceptions()
            names = {each.name: each.alias for each in attrs.fields(error.cl)}
            for each, note in inner:
                yield from _faults(each, (*where, names[note.name] or note.name))
            for each in alone:
                yield from _faults(each, where)
        case IterableValidationError():
            for each, place in error.group_exceptions()[0]:
                yield from _faults(each, (*where, place.index))
        case ForbiddenExtraKeysError():
            for key in sorted(error.extra_fields):
                yield Unknown((*where, key), error.cl)
        case KeyError():
            yield Missing(where)
        case ValueError():
            yield Wrong(where, str(error))
        case _:
            raise error


def _is(kind: type, wanted: str) -> Hook:
    """A hook that takes values of exactly this type."""

    def hook(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(wanted)
        return value

    return hook


def _float(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("a finite number")
    return number


def _secret(value: Any, _: Any) -> Secret:
    if not isinstance(value, str):
        raise ValueError("text")
    return Secret(value)


def _path(value: Any, _: Any) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("a path")
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ValueError("a path below a home directory that exists") from None


def _path_or_none(value: Any, _: Any) -> Path | None:
    return None if value == "" else _path(value, _)


def _literal(kind: Any, _: Converter) -> Hook:
    words = get_args(kind)
    *most, last = (as_toml(word) for word in words)
    wanted = f"{', '.join(most)} or {last}" if most else last

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, str) or value not in words:
            raise ValueError(wanted)
        return value

    return hook


def _ruled(kind: Any, converter: Converter) -> Hook:
    """A hook for a type with rules: the type first, then each rule."""
    base, *rules = get_args(kind)
    inner = converter.get_structure_hook(base)

    def hook(value: Any, _: Any) -> Any:
        value = inner(value, base)
        for rule in rules:
            value = rule(value)
        return value

    return hook


def _tuple(kind: Any, converter: Converter) -> Hook:
    each_kind = element(kind)
    inner = converter.get_structure_hook(each_kind)
    wanted = (
        'tables in double brackets, "[[…]]"'
        if is_section(each_kind)
        else 'a list, such as ["one", "two"]'
    )

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, list):
            raise ValueError(wanted)
        done, errors = [], []
        for index, each in enumerate(value):
            try:
                done.append(inner(each, each_kind))
            except (ValueError, BaseValidationError) as error:
                error.add_note(IterableValidationNote(f"item {index}", index, each_kind))
                errors.append(error)
        if errors:
            raise IterableValidationError("a list", errors, kind)
        return tuple(done)

    return hook


def _section(kind: Any, converter: Converter) -> Hook:
    inner = make_dict_structure_fn(
        kind,
        converter,
        _cattrs_forbid_extra_keys=True,
        _cattrs_detailed_validation=True,
        _cattrs_use_alias=True,
    )

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("a table")
        return inner(value, kind)

    return hook


def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True, detailed_validation=True, use_alias=True)
    for kind, hook in (
        (bool, _is(bool, "true or false")),
        (int, _is(int, "a whole number")),
        (str, _is(str, "text")),
        (float, _float),
        (Path, _path),
        (Secret, _secret),
        (Seconds, lambda value, _: read_duration(value)),
        (Bytes, lambda value, _: read_size(value)),
        (Share, lambda value, _: read_share(value)),
        (Wanted, lambda value, _: read_wanted(value)),
        (Area, lambda value, _: read_area(value)),
        (When, lambda value, _: read_when(value)),
    ):
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook_func(lambda kind: kind == Path | None, _path_or_none)
    factories: tuple[tuple[Callable[[Any], bool], Callable[[Any, Converter], Hook]], ...] = (
        (lambda kind: get_origin(kind) is Literal, _literal),
        (lambda kind: get_origin(kind) is Annotated, _ruled),
        (lambda kind: get_origin(kind) is tuple, _tuple),
        (is_section, _section),
    )
    for predicate, factory in factories:
        converter.register_structure_hook_factory(predicate, factory)
    return converter


_CONVERTER = _converter()
