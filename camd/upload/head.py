"""The lines before a body: what is asked, and what is said about what comes.

HTTP/1.1 (RFC 9112) as far as an upload needs it, and as forgiving as boards make necessary: a
bare LF ends a line, and a Content-Length that is no number, or two that differ, is none.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

from attrs import frozen

from camd.upload.answer import Declined

MOST = 16 * 1024
"""Bytes of a head at most."""

MOST_FIELDS = 100

_END = re.compile(rb"\r?\n\r?\n")
_REQUEST = re.compile(rb"([A-Z]{1,16}) (\S{1,4096}) HTTP/([0-9])\.([0-9])")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)
_ORIGIN = re.compile(r"https?://[^/?#]*", re.ASCII | re.IGNORECASE)


@frozen
class Head:
    """What a request says before its body.

    :ivar path: as it came, without the query and undecoded.
    :ivar query: the first value of each argument.
    :ivar fields: the first value of each header field, by its name in lower case.
    :ivar length: the body's by its word, or None.
    :ivar chunked: the body comes in chunks, whatever *length* says.
    :ivar keep: the connection may go on behind the answer.
    """

    method: str
    path: str
    query: Mapping[str, str]
    fields: Mapping[str, str]
    length: int | None
    chunked: bool
    keep: bool

    @property
    def waits(self) -> bool:
        """The body comes only once it is asked for."""
        return self.fields.get("expect", "").lower() == "100-continue"

    @property
    def segments(self) -> tuple[str, ...]:
        """The path's parts, decoded; an empty one at the end is dropped."""
        return tuple(unquote(part) for part in self.path.rstrip("/").split("/")[1:])


class HeadReader:
    """Finds the end of a head in what has come; what is behind it is kept."""

    __slots__ = ("_data", "_searched")

    def __init__(self) -> None:
        self._data = bytearray()
        self._searched = 0

    @property
    def begun(self) -> bool:
        """Whether anything but empty lines has come."""
        return bool(self._data)

    def receive_data(self, data: bytes) -> None:
        self._data += data

    def rest(self) -> bytes:
        """What came behind the head, and is kept no longer."""
        data = bytes(self._data)
        self._data.clear()
        self._searched = 0
        return data

    def next_head(self) -> Head | None:
        """:raises Declined: it is none, or too long."""
        data = self._data
        if not self._searched:
            blank = len(data) - len(data.lstrip(b"\r\n"))
            del data[:blank]
        found = _END.search(data, max(0, self._searched - 3))
        if found is None:
            self._searched = len(data)
            if len(data) > MOST:
                raise Declined(431, "the request's head is too long")
            return None
        if found.start() > MOST:
            raise Declined(431, "the request's head is too long")
        head = bytes(data[: found.start()])
        del data[: found.end()]
        self._searched = 0
        return parse_head(head)


def parse_head(head: bytes) -> Head:
    """:raises Declined: in a line that says what is wrong."""
    first, *lines = head.replace(b"\r\n", b"\n").split(b"\n")
    request = _REQUEST.fullmatch(first)
    if request is None:
        raise Declined(400, "that is no HTTP request")
    if request[3] != b"1":
        raise Declined(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    if len(lines) > MOST_FIELDS:
        raise Declined(431, "the request has too many header fields")
    fields: dict[str, str] = {}
    lengths: set[str] = set()
    chunked = False
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or _NAME.fullmatch(name) is None:
            raise Declined(400, "a header field cannot be read")
        key = name.decode("ascii").lower()
        text = value.strip(b" \t").decode("latin-1")
        if key == "content-length":
            lengths.add(text)
        elif key == "transfer-encoding":
            if text.lower() not in ("chunked", "identity"):
                raise Declined(400, "this transfer encoding is not known here")
            chunked = chunked or text.lower() == "chunked"
        fields.setdefault(key, text)
    target = _ORIGIN.sub("", request[2].decode("latin-1"), count=1) or "/"
    path, _, query = target.partition("?")
    words = {word.strip().lower() for word in fields.get("connection", "").split(",")}
    length = lengths.pop() if len(lengths) == 1 else ""
    return Head(
        request[1].decode("ascii"),
        path,
        _query(query),
        fields,
        int(length) if _LENGTH.fullmatch(length) else None,
        chunked,
        request[4] != b"0" and "close" not in words,
    )


def route(head: Head) -> None:
    """:raises Declined: there is nothing of that name, or not for that method."""
    match head.segments:
        case ("cameras", _, "photos"):
            allowed = ("PUT", "POST")
        case ("upload" | "upload.php",):
            allowed = ("POST", "PUT")
        case _:
            raise Declined(404, "photos go to PUT /cameras/<id>/photos or POST /upload")
    if head.method not in allowed:
        raise Declined(405, "photos are sent by PUT or POST", allow=", ".join(allowed))


def _query(text: str) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise Declined(400, "the query has too many arguments") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found
