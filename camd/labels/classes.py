"""The names of classes that go with YOLO's numbers: from ``data.yaml``, or a list of them.

Of YAML only as much is understood as such files have: ``names:`` with a list or numbered lines
below it, or in brackets behind it.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from camd.findings import parse_class
from camd.labels.hearing import read_text

Classes = dict[int, str]

FILES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names")
"""Where the names may stand, in a directory of labels or in the one above."""

_MOST = 10_000
_SCALAR = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s,\[\]{}"'#](?:[^,\[\]{}#]|(?<=\S)#)*+)"""
_ITEM = re.compile(rf"\s*(?:([0-9]{{1,6}})\s*:\s+)?({_SCALAR})\s*(,|$)", re.ASCII)
_LINE = re.compile(
    r"""(\s*)(?:(-)|(?:'([0-9]{1,6})'|"([0-9]{1,6})"|([0-9]{1,6}))\s*:)\s+(\S.*)""", re.ASCII
)
_VALUE = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'\[\]{}#&*!|>%@`].*?)(?:\s+#.*)?""")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|U([0-9A-Fa-f]{8})|.)")
_COMMENT = re.compile(r"([\]}])\s{1,99}#.*$")
_LONGEST = 1000
"""Characters of a line with one class."""


class ClassesError(ValueError):
    """:ivar line: the number of the line, from 1. The text says what is wrong with it."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


def find_classes(directory: Path) -> Path | None:
    """The file that tells the names, where there is one."""
    places = (place / name for place in (directory, directory.parent) for name in FILES)
    return next((place for place in places if place.is_file()), None)


def read_classes(path: Path) -> Classes:
    """:raises ClassesError: saying what is wrong. :raises ValueError: it is no text.
    :raises OSError: it cannot be read.
    """
    text = read_text(path, 1 << 24)
    return parse_yaml(text) if path.suffix in (".yaml", ".yml") else parse_list(text)


def parse_list(text: str) -> Classes:
    """A name a line, the first of number 0.

    :raises ClassesError: a line is no name.
    """
    found: Classes = {}
    for number, line in enumerate(text.rstrip().split("\n")):
        _put(found, number, line.strip(), number + 1)
    return found


def parse_yaml(text: str) -> Classes:
    """What stands under ``names``.

    :raises ClassesError: it is not there, or not understood.
    """
    lines = text.splitlines()
    for at, line in enumerate(lines):
        if line.startswith("kpt_shape:"):
            # Its lines may look like outlines, with the box's size for a point of them.
            raise ClassesError(at + 1, "the labels are of poses: only boxes and outlines are read")
    for at, line in enumerate(lines):
        if line.startswith("names:"):
            rest = line.removeprefix("names:").strip()
            if rest and not rest.startswith("#"):
                return _flow(lines, at, rest)
            return _block(lines, at + 1)
    raise ClassesError(1, "it has no names: of classes")


def _block(lines: list[str], start: int) -> Classes:
    found: Classes = {}
    depth: tuple[int, bool] | None = None
    for at, line in enumerate(lines[start:], start + 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.rstrip()[:_LONGEST])
        listed = match is not None and match[2] is not None
        if not line[0].isspace() and not listed:
            break
        if match is None:
            raise ClassesError(at, "a class is '- name', or 'number: name'")
        here = len(match[1]), listed
        if depth is None:
            depth = here
        if here != depth:
            raise ClassesError(at, "the classes do not stand below each other")
        number = len(found) if listed else int(match[3] or match[4] or match[5])
        value = _VALUE.fullmatch(match[6])
        if value is None:
            raise ClassesError(at, "that is no name of a class")
        _put(found, number, _plain(value[1], at), at)
    if not found:
        raise ClassesError(start, "there is no class under names:")
    return found


def _flow(lines: list[str], at: int, rest: str) -> Classes:
    pair = {"[": "]", "{": "}"}.get(rest[0])
    if pair is None:
        raise ClassesError(at + 1, "names: has a list of classes, or numbers with classes")
    whole, end = _COMMENT.sub(r"\1", rest), at
    while not whole.endswith(pair) and end + 1 < len(lines):
        end += 1
        whole += " " + _COMMENT.sub(r"\1", lines[end].strip())
    if not whole.endswith(pair):
        raise ClassesError(at + 1, f"names: is not closed with {pair}")
    found: Classes = {}
    for number, name in _items(whole[1:-1].strip().rstrip(",").rstrip(), at + 1):
        if (number is None) is (pair == "}"):
            raise ClassesError(at + 1, "names: has a list of classes, or numbers with classes")
        _put(found, len(found) if number is None else number, name, at + 1)
    if not found:
        raise ClassesError(at + 1, "there is no class in names:")
    return found


def _items(text: str, line: int) -> Iterator[tuple[int | None, str]]:
    at = 0
    while at < len(text):
        match = _ITEM.match(text, at)
        if match is None:
            raise ClassesError(line, f"names: is not understood from {text[at : at + 20]!r} on")
        yield None if match[1] is None else int(match[1]), _plain(match[2].strip(), line)
        at = match.end()


def _plain(text: str, line: int) -> str:
    """A scalar of YAML, without its quotes."""
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(_ESCAPE.sub(_escaped, text)))
    except ValueError:
        raise ClassesError(line, f"{text[:40]} is not understood") from None


def _escaped(found: re.Match[str]) -> str:
    """What YAML has a short or a long way to write, as JSON writes it."""
    digits = found[1] or found[2]
    try:
        return found[0] if digits is None else json.dumps(chr(int(digits, 16)))[1:-1]
    except (ValueError, OverflowError):
        return found[0]


def _put(found: Classes, number: int, name: str, line: int) -> None:
    if number in found or number >= _MOST:
        raise ClassesError(line, f"a class has the number {number}, once and below {_MOST}")
    try:
        found[number] = parse_class(name)
    except ValueError as error:
        raise ClassesError(line, str(error)) from None
