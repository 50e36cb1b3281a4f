"""What is answered: JSON, bytes, problems; and what may be asked in a query or a body.

Knows no route and no room.
"""

import json
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, TypeVar

from attrs import define, field, frozen

T = TypeVar("T")

JSON = b"application/json"
PROBLEM = b"application/problem+json"
JPEG = b"image/jpeg"
FOR_EVER = b"private, max-age=31536000, immutable"
_COMPRESSED_FROM = 1400
"""Bytes; what fits into one packet is sent as it is."""

TITLES: Mapping[int, str] = {
    400: "Not to be understood",
    401: "Sign in first",
    403: "Not allowed",
    404: "Not there",
    405: "Not so",
    409: "Not now",
    412: "Changed meanwhile",
    413: "Too much",
    415: "Not JSON",
    416: "No such range",
    421: "Not a name of this server",
    429: "Too often",
    431: "Too much about it",
    500: "A mistake of camd's",
    503: "Too busy",
}

_NUMBER = re.compile(r"[0-9]{1,13}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,15}", re.ASCII)
_TRUTHS = {"true": True, "1": True, "": True, "false": False, "0": False}


class Problem(Exception):  # noqa: N818 - an answer like others
    """Why a request is not answered as it wants; as RFC 9457 has it.

    :ivar detail: a sentence for people.
    """

    def __init__(self, status: int, detail: str = "", **headers: str) -> None:
        super().__init__(detail or TITLES[status])
        self.status = status
        self.detail = detail
        self.headers = headers

    @property
    def body(self) -> bytes:
        said: dict[str, Any] = {
            "type": "about:blank",
            "title": TITLES[self.status],
            "status": self.status,
        }
        if self.detail:
            said["detail"] = self.detail
        return dumps(said)


@define
class Answer:
    """:ivar body: None: somebody has taken the request over, and answers it by himself."""

    body: bytes | None = b""
    status: int = 200
    type: bytes = JSON
    headers: dict[bytes, bytes] = field(factory=dict)
    compressible: bool = False

    def compress(self) -> None:
        """*body* is smaller, where that is worth it."""
        if self.body is not None and self.compressible and len(self.body) > _COMPRESSED_FROM:
            compressor = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
            self.body = compressor.compress(self.body) + compressor.flush()
            self.headers[b"Content-Encoding"] = b"gzip"


TAKEN: Final = None
"""The body of an answer that somebody else gives."""


def dumps(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
        "utf-8", "replace"
    )


def said(value: Any, status: int = 200, **headers: str) -> Answer:
    """*value* as JSON, that nobody keeps."""
    kept = {b"Cache-Control": b"no-store"}
    kept |= {name.replace("_", "-").encode(): text.encode() for name, text in headers.items()}
    return Answer(dumps(value), status, JSON, kept, compressible=True)


def no_content() -> Answer:
    return Answer(b"", 204)


@frozen
class Query:
    """The part behind the question mark; each name at most once."""

    values: Mapping[str, str]

    @classmethod
    def of(cls, arguments: Mapping[bytes, list[bytes]]) -> "Query":
        """:raises Problem: where it makes no sense."""
        values = {}
        for name, several in arguments.items():
            if len(several) > 1:
                raise Problem(400, "a name stands twice in the query")
            try:
                values[name.decode("utf-8")] = several[0].decode("utf-8")
            except UnicodeDecodeError:
                raise Problem(400, "the query is not UTF-8") from None
        return cls(values)

    def text(self, name: str, right: Callable[[str], T], wanted: str) -> T | None:
        """What *right* makes of the value; None where there is none.

        :raises Problem: where *right* raises ValueError.
        """
        value = self.values.get(name)
        if value is None:
            return None
        try:
            return right(value)
        except ValueError:
            raise Problem(400, f"{name} is {wanted}") from None

    def number(self, name: str, least: float = 0.0, most: float = 1e12) -> float | None:
        return self.text(name, lambda text: _between(_NUMBER, text, least, most),
                         f"a number from {least:g} to {most:g}")  # fmt: skip

    def count(self, name: str, default: int, least: int, most: int) -> int:
        found = self.text(name, lambda text: int(_between(_COUNT, text, least, most)),
                          f"a whole number from {least} to {most}")  # fmt: skip
        return default if found is None else found

    def truth(self, name: str) -> bool:
        return bool(self.either(name))

    def either(self, name: str) -> bool | None:
        """None: nothing is said of it."""
        return self.text(name, _truth, "true or false")

    def one_of(self, name: str, words: tuple[str, ...]) -> str | None:
        def right(text: str) -> str:
            if text not in words:
                raise ValueError
            return text

        return self.text(name, right, f"one of {', '.join(words)}")


def _between(form: re.Pattern[str], text: str, least: float, most: float) -> float:
    if form.fullmatch(text) is None or not least <= float(text) <= most:
        raise ValueError
    return float(text)


def _truth(text: str) -> bool:
    try:
        return _TRUTHS[text]
    except KeyError:
        raise ValueError from None


def loads(body: bytes, kind: bytes | None) -> dict[str, Any]:
    """The object in a request's body.

    :raises Problem: where it is none.
    """
    if kind is None or kind.split(b";")[0].strip().lower() != JSON:
        raise Problem(415, "the body is application/json")
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise Problem(400, "the body is no JSON") from None
    if not isinstance(value, dict):
        raise Problem(400, "the body is one JSON object")
    return value


def _no_constant(_: str) -> NoReturn:
    raise ValueError("JSON has no such number")


def only(body: Mapping[str, Any], *names: str) -> None:
    """:raises Problem: where *body* has a member that is none of *names*."""
    for name in body:
        if name not in names:
            raise Problem(400, f"there is no member {name[:40]!r} here")
