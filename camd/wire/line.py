"""One line of v2: a verb and words, split by single spaces, most words ``key=value``.

The grammar only; which verbs there are and who may say them when is said elsewhere.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from urllib.parse import quote_from_bytes

from attrs import frozen

from camd.wire.errors import LocalProtocolError, WireError

MAX_LINE = 1024
"""Bytes of a line, its end included."""

_COUNT = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)
_MEASUREMENT = re.compile(r"-?[0-9]{1,7}(?:\.[0-9]{1,3})?", re.ASCII)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}|[0-9]{1,5}x[0-9]{1,5}", re.ASCII)
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})?")
_PLAIN = bytes(set(range(0x21, 0x7F)) - set(b"%="))


@frozen
class Line:
    """A line as it was said.

    :ivar words: those without ``=``, in their order.
    :ivar values: the others; raw, escapes not resolved.
    :ivar length: bytes of payload behind the line, or None.
    """

    verb: str
    words: tuple[str, ...]
    values: Mapping[str, str]
    length: int | None = None


def parse(raw: bytes) -> Line:
    """The line without its end.

    :raises WireError: ``syntax``, where it breaks the grammar. Its `Line.length` is None still.
    """
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        raise syntax("a byte that is not printable ASCII") from None
    if not text.isprintable():
        raise syntax("a byte that is not printable ASCII")
    verb, *rest = text.split(" ")
    if not verb:
        raise syntax("an empty word")
    words: list[str] = []
    values: dict[str, str] = {}
    for word in rest:
        key, equals, value = word.partition("=")
        if not equals:
            if not word:
                raise syntax("an empty word")
            words.append(word)
        elif not key or not value or "=" in value:
            raise syntax("a word that is not key=value")
        elif key in values:
            raise syntax(f"{key} stands twice")
        else:
            values[key] = value
    return Line(verb, tuple(words), values)


def syntax(detail: str) -> WireError:
    return WireError("syntax", detail)


def count(text: str, least: int = 0, most: int = 999_999_999_999_999) -> int:
    """A whole number.

    :raises WireError: ``syntax``, where it is none or out of its range.
    """
    if _COUNT.fullmatch(text) is None or not least <= int(text) <= most:
        raise syntax(f"a number from {least} to {most} is wanted")
    return int(text)


def hexadecimal(text: str, digits: int) -> str:
    """:raises WireError: where *text* is not so many lower-case hex digits."""
    if len(text) != digits or not set(text) <= _HEX:
        raise syntax(f"{digits} lower-case hex digits are wanted")
    return text


_HEX = frozenset("0123456789abcdef")


def measurement(text: str) -> float | str:
    """A measurement or a setting: a number, or a name.

    :raises WireError: where it is neither.
    """
    if _MEASUREMENT.fullmatch(text) is not None:
        return float(text)
    if _NAME.fullmatch(text) is None:
        raise syntax("a number or a name is wanted")
    return text


def unescape(text: str) -> str:
    """Free text, its escapes resolved.

    :raises WireError: on a bad escape, one that is no UTF-8, and controls.
    """

    def byte(match: re.Match[bytes]) -> bytes:
        if match[1] is None:
            raise syntax("a bad escape")
        return bytes.fromhex(match[1].decode("ascii"))

    if "%" not in text:
        return text
    try:
        free = _ESCAPE.sub(byte, text.encode("ascii")).decode("utf-8")
    except UnicodeDecodeError:
        raise syntax("an escape that is no UTF-8") from None
    if _has_controls(free):
        raise syntax("a control character")
    return free


def escape(text: str) -> str:
    """Free text as the wire wants it.

    :raises LocalProtocolError: where it holds a control character, which no wire carries.
    """
    if _has_controls(text):
        raise LocalProtocolError("a control character in a text")
    return quote_from_bytes(text.encode("utf-8", "replace"), safe=_PLAIN)


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(sign) == "Cc" for sign in text)


def compose(verb: str, *words: str | int, **values: str | int | float | None) -> bytes:
    """A line without its end; a value of None is left out. Text must be escaped already.

    :raises LocalProtocolError: where it could not be read back.
    """
    return compose_pairs(verb, words, ((k, v) for k, v in values.items() if v is not None))


def compose_pairs(
    verb: str, words: Iterable[str | int], pairs: Iterable[tuple[str, str | int | float]]
) -> bytes:
    """As `compose`, for keys that are no Python names."""
    said = tuple(map(str, words))
    values = {key: str(value) for key, value in pairs}
    text = " ".join([verb, *said, *(f"{key}={value}" for key, value in values.items())])
    try:
        raw = text.encode("ascii")
        faithful = parse(raw) == Line(verb, said, values)
    except (UnicodeEncodeError, WireError) as error:
        raise LocalProtocolError(f"{verb}: {error}") from None
    if not faithful:
        raise LocalProtocolError(f"{verb}: a space or a = in a word")
    if len(raw) + 1 > MAX_LINE:
        raise LocalProtocolError(f"{verb}: the line is longer than {MAX_LINE} bytes")
    return raw
