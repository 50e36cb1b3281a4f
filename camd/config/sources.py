"""The places that settings come from: files, the environment, the command line.

Each is read into layers; what cannot be read is a mistake among the others. Only the named file,
the ``conf.d`` beside it and files that a variable names are looked at.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NewType, get_origin

from camd.config.layers import Layer
from camd.config.mistakes import Mistake
from camd.config.shape import as_toml, element, is_section, keys, plain, settings
from camd.config.units import Secret

PREFIX = "CAMD_"
CONFIG_VARIABLE = "CAMD_CONFIG"
FROM_FILE = "_FILE"


def file_layers(
    path: Path | None, environ: Mapping[str, str], mistakes: list[Mistake]
) -> Iterator[Layer]:
    """The named file, then ``*.toml`` of the ``conf.d`` beside it in the order of their names.

    :param path: None is the file that ``CAMD_CONFIG`` names.
    """
    named_by = "option --config"
    if path is None and environ.get(CONFIG_VARIABLE):
        path = Path(environ[CONFIG_VARIABLE])
        named_by = f"environment {CONFIG_VARIABLE}"
    if path is None:
        return
    beside = path.parent / "conf.d"
    try:
        others = _listed(beside)
    except OSError as error:
        others = []
        wants = f"a directory that can be read: {error.strerror}"
        mistakes.append(Mistake("config", as_toml(beside), wants, named_by))
    for each, origin in ((path, named_by), *((other, f"directory {beside}") for other in others)):
        try:
            values = tomllib.loads(_text(each))
        except OSError as error:
            wants = f"a file that can be read: {error.strerror}"
            mistakes.append(Mistake("config", as_toml(each), wants, origin))
        # The parser recurses, and leaves huge numbers to int().
        except (ValueError, RecursionError) as error:
            wants = f"TOML: {_reason(error)}"
            mistakes.append(Mistake("config", as_toml(each), wants, origin))
        else:
            yield Layer(f"file {each}", values)


def _listed(directory: Path) -> list[Path]:
    """The configuration files of *directory*; none where there is no such directory."""
    try:
        inside = list(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(
        path for path in inside if path.suffix == ".toml" and not path.name.startswith(".")
    )


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig")


def _reason(error: Exception) -> str:
    match error:
        case RecursionError():
            return "it is nested too deep"
        case UnicodeDecodeError():
            return f"byte {error.start} is not UTF-8"
        case _:
            return str(error)


def variable(key: str) -> str:
    """The environment's name for a dotted key: ``store.path`` is ``CAMD_STORE__PATH``."""
    return PREFIX + key.replace(".", "__").upper()


def environment_layers(
    section: Any, environ: Mapping[str, str], mistakes: list[Mistake]
) -> Iterator[Layer]:
    """A layer for each variable of *environ* that begins with ``CAMD_``."""
    known = {variable(key): (key, kind) for key, kind in keys(section).items()}
    for name in sorted(name for name in environ if name.startswith(PREFIX)):
        origin = f"environment {name}"
        if name in known:
            key, kind = known[name]
            yield _layer(origin, key, from_text(environ[name], kind))
        elif name.endswith(FROM_FILE) and name.removesuffix(FROM_FILE) in known:
            key, kind = known[name.removesuffix(FROM_FILE)]
            yield from _secret_layer(key, kind, name, environ, mistakes)
        elif name != CONFIG_VARIABLE:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
            wants = f"one of camd's{f'; did you mean {near[0]}?' if near else ''}"
            mistakes.append(Mistake(name, "an unknown variable", wants, "environment"))


def _secret_layer(
    key: str, kind: Any, name: str, environ: Mapping[str, str], mistakes: list[Mistake]
) -> Iterator[Layer]:
    """The value that stands in the file which the variable *name* names."""
    origin, alone = f"environment {name}", name.removesuffix(FROM_FILE)
    if alone in environ:
        mistakes.append(Mistake(name, "two values", f"only one of it and {alone}", origin))
        return
    try:
        text = _text(Path(environ[name]).expanduser())
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        wants = f"a file that can be read: {why}"
        mistakes.append(Mistake(key, as_toml(environ[name]), wants, origin))
    else:
        yield _layer(origin, key, from_text(text.removesuffix("\n").removesuffix("\r"), kind))


def option_layers(section: Any, options: Mapping[str, object]) -> Iterator[Layer]:
    """A layer for each option that was given; text is read as the environment's is."""
    known, flags = keys(section), dict(_flags(section, ""))
    for key, value in options.items():
        if value is not None:
            flag = flags.get(key, "--" + key.replace(".", "-").replace("_", "-"))
            yield _layer(f"option {flag}", key, _as_read(value, known.get(key)))


def _as_read(value: object, kind: Any) -> object:
    """An option's value in the types of a file."""
    match value:
        case str():
            return value if kind is None else from_text(value, kind)
        case Path():
            return str(value)
        case tuple():
            return list(value)
        case _:
            return value


def _flags(section: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """The settings below *section* whose option is named otherwise than they are."""
    for attribute in settings(section):
        key = f"{prefix}{attribute.alias}"
        if is_section(attribute.type):
            yield from _flags(attribute.type, f"{key}.")
        elif attribute.metadata.get("flag"):
            yield key, attribute.metadata["flag"]


def _layer(origin: str, key: str, value: object) -> Layer:
    """A layer of one value."""
    values: Any = value
    for step in reversed(key.split(".")):
        values = {step: values}
    return Layer(origin, values)


def from_text(text: str, kind: Any) -> object:
    """What *text* says where a value of type *kind* is wanted.

    A value of TOML is taken as one, other text as text. A list may also be its elements with
    commas between them. Where text is wanted a number is text too, and a secret is taken as it is.
    """
    bare, each = plain(kind), element(kind)
    if bare is Secret:
        return text
    value = _toml(text)
    if each is not None:
        if isinstance(value, list):
            return value
        parts = [part.strip() for part in text.split(",")]
        return [from_text(part, each) for part in parts if part]
    if _is_text(bare):
        return value if isinstance(value, str) else text
    return text if value is None else value


def _is_text(bare: Any) -> bool:
    """Whether a value of this type is written as text."""
    while isinstance(bare, NewType):
        bare = bare.__supertype__
    return bare in (str, Path) or get_origin(bare) is Literal


def _toml(text: str) -> object:
    """The value that *text* is in TOML, or None."""
    try:
        values = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return None
    return values["value"] if values.keys() == {"value"} else None
