"""v2's framing: lines, some with so many bytes of payload behind them, sealed or not.

Serves both ends. What the lines mean is in `camd.wire.messages`.
"""

import re
import zlib

from attrs import field, frozen

from camd.wire import line as grammar
from camd.wire.errors import LocalProtocolError, WireError
from camd.wire.line import MAX_LINE, Line
from camd.wire.pieces import Pieces
from camd.wire.seal import MAC_DIGITS, Seal

MAGIC = b"HELLO "
"""The first bytes of v2; anything else is v1."""

_MAC_LENGTH = len(" mac=") + MAC_DIGITS
_LENGTH = re.compile(rb" len=(0|[1-9][0-9]{0,14})(?= |$)")


@frozen
class Header:
    """A line has come whose payload has not. In a sealed session nobody has vouched for it yet,
    and there is no *line*.

    Whoever does not want the payload says `Reader.skip`.
    """

    verb: str
    length: int
    line: Line | None = field(default=None, eq=False)


@frozen
class Oversized:
    """A payload longer than is even skipped is announced: answer if need be, and hang up."""

    line: Line


@frozen
class Payload:
    """*chunks* is empty where the payload was skipped, and *crc* is then no use."""

    chunks: tuple[bytes | bytearray, ...]
    size: int
    crc: int
    skipped: bool


@frozen
class Message:
    """A line, whole with its payload where it has one, its mac checked where it must have one."""

    line: Line
    payload: Payload | None = None


Event = Header | Oversized | Message


class Reader:
    """Lines and payloads out of a stream, however TCP cuts it.

    A limit is tested before the bytes that it bounds are awaited. Once it has raised a
    `WireError` it raises the same again, and behind an `Oversized` nothing comes any more: in
    both cases it takes no more bytes.

    :param most: the longest payload that is read over, bytes.
    :ivar payloads: whether ``len=`` counts: from WELCOME on.
    :ivar seal: the other side's, from a keyed WELCOME on.
    """

    __slots__ = (
        "_at",
        "_crc",
        "_ended",
        "_error",
        "_in",
        "_kept",
        "_left",
        "_line",
        "_mac",
        "_most",
        "_raw",
        "_size",
        "_skip",
        "payloads",
        "seal",
    )

    def __init__(self, most: int) -> None:
        self._most = most
        self._in = b""
        self._at = 0  # _in is used up to here
        self._ended = False
        self._kept: Pieces | None = None  # None: between lines
        self._line: Line | None = None
        self._raw = b""
        self._mac = b""
        self._left = 0
        self._size = 0
        self._crc = 0
        self._skip = False
        self._error: WireError | None = None
        self.payloads = False
        self.seal: Seal | None = None

    @property
    def held(self) -> int:
        """Bytes of memory that wait here."""
        return len(self._in) + (self._kept.size if self._kept is not None else 0)

    @property
    def in_payload(self) -> bool:
        return self._kept is not None

    @property
    def in_line(self) -> bool:
        """Whether the first bytes of a line are here, and its end is not."""
        return self._kept is None and len(self._in) > self._at

    def receive_data(self, data: bytes) -> None:
        """Only takes the bytes; `next_event` makes something of them."""
        if self._error is None and not self._ended:
            self._in = self._in[self._at :] + data
            self._at = 0

    def skip(self) -> None:
        """Read over the payload whose `Header` has come, or the rest of it, and keep nothing."""
        self._skip = True
        if self._kept is not None:
            self._kept.clear()

    def next_event(self) -> Event | None:
        """:raises WireError: ``line``, ``syntax`` or ``mac``."""
        if self._error is not None:
            raise self._error
        try:
            event = self._begin() if self._kept is None else self._go_on(self._kept)
        except WireError as error:
            self._error = error
            self._forget()
            raise
        if event is None or self._at == len(self._in):
            self._in = self._in[self._at :]
            self._at = 0
        return event

    def _forget(self) -> None:
        self._in = b""
        self._at = 0
        self._kept = None

    def _begin(self) -> Event | None:
        data, at = self._in, self._at
        end = data.find(b"\n", at, at + MAX_LINE)
        if end < 0:
            if len(data) - at >= MAX_LINE:
                raise WireError("line", f"a line longer than {MAX_LINE} bytes")
            return None
        raw = data[at:end].removesuffix(b"\r")
        self._at = end + 1
        line: Line | None = None
        if self.seal is None:
            line = self._parse(raw)
            verb, length = line.verb, line.length
        else:
            raw, self._mac = _split_mac(raw)
            verb, length = raw.split(b" ", 1)[0].decode("latin-1"), _length(raw)
            self.seal.begin(raw)
        if length is None:
            if line is None:
                line = self._vouched(raw)
            return Message(line)
        if length > self._most:
            if line is None:
                raise WireError("mac", "a payload too long to be checked")
            self._ended = True
            self._forget()
            return Oversized(line)
        self._line, self._raw = line, raw
        self._kept = Pieces()
        self._left = self._size = length
        self._crc = 0
        self._skip = False
        return Header(verb, length, line)

    def _go_on(self, kept: Pieces) -> Event | None:
        if self._left:
            data = self._in[self._at : self._at + self._left]
            if not data:
                return None
            self._at += len(data)
            self._left -= len(data)
            if self.seal is not None:
                self.seal.update(data)
            if not self._skip:
                self._crc = zlib.crc32(data, self._crc)
                kept.add(data)
            if self._left:
                return None
        line = self._line if self._line is not None else self._vouched(self._raw)
        payload = Payload(kept.take(), self._size, self._crc, self._skip)
        self._kept = self._line = None
        return Message(line, payload)

    def _parse(self, raw: bytes) -> Line:
        line = grammar.parse(raw)
        if self.payloads and "len" in line.values:
            return Line(line.verb, line.words, line.values, grammar.count(line.values["len"]))
        return line

    def _vouched(self, raw: bytes) -> Line:
        """The line whose seal has begun, if its mac fits."""
        assert self.seal is not None
        if not self.seal.fits(self._mac):
            raise WireError("mac", "a mac that does not fit")
        line = self._parse(raw)
        if "mac" in line.values:
            raise grammar.syntax("mac stands twice")
        return line


def _split_mac(raw: bytes) -> tuple[bytes, bytes]:
    body, found, mac = raw.rpartition(b" mac=")
    if not found or len(mac) != MAC_DIGITS:
        raise WireError("mac", "a line without its mac")
    return body, mac


def _length(raw: bytes) -> int | None:
    """The payload's length, read before anybody has vouched for the line."""
    found = _LENGTH.findall(raw)
    return int(found[0]) if len(found) == 1 else None


class Writer:
    """This side's lines, sealed where there is a seal.

    :ivar seal: ours, from a keyed WELCOME on.
    """

    __slots__ = ("seal",)

    def __init__(self) -> None:
        self.seal: Seal | None = None

    def line(self, line: bytes, payload: bytes = b"") -> bytes:
        """The bytes for the wire of a line composed by `camd.wire.messages`.

        :raises LocalProtocolError: where there is no room for its mac.
        """
        if self.seal is not None:
            if len(line) + _MAC_LENGTH + 1 > MAX_LINE:
                raise LocalProtocolError(f"with its mac a line is longer than {MAX_LINE} bytes")
            line = self.seal.sealed(line, payload)
        return line + b"\n" + payload
