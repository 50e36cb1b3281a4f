"""v2's vocabulary: what each line of either end says, to bytes and back.

Parsers take a `Line` and raise `WireError`; composers give a line without its end.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

from attrs import field, frozen

from camd.photo import MAX_SEQ, Boot, CameraId, Reason, Trigger, parse_camera_id
from camd.wire.errors import LocalProtocolError, WireError
from camd.wire.line import (
    Line,
    compose,
    compose_pairs,
    count,
    escape,
    hexadecimal,
    measurement,
    syntax,
    unescape,
)

VERSION = "camd/2"

BOARD_VERBS = frozenset(
    ("HELLO", "AUTH", "FRAME", "VIEW", "STAT", "DONE", "FAIL", "PING", "PONG", "BYE")
)
MEASUREMENTS = ("rssi", "vbat", "temp", "heap", "uptime", "queued")
_COUNTED = frozenset({"heap", "uptime", "queued"})  # may outgrow a measurement's digits
_FRAMING = frozenset({"len", "mac"})

Value = float | str
V = TypeVar("V")


# ---- what a board says


@frozen
class Hello:
    camera: CameraId
    boot: Boot
    nonce: str
    fw: str = ""
    model: str = ""
    caps: tuple[str, ...] = ()


def parse_hello(line: Line) -> Hello:
    """:raises WireError: ``version``, ``syntax`` or ``id``."""
    if line.words[:1] != (VERSION,):
        raise WireError("version", "this is camd/2")
    if len(line.words) > 1:
        raise syntax("HELLO has a word too many")
    values = line.values
    boot = Boot(hexadecimal(_wanted(line, "boot"), 16))
    nonce = hexadecimal(_wanted(line, "nonce"), 32)
    caps = unescape(values.get("caps", ""))
    fw, model = unescape(values.get("fw", "")), unescape(values.get("model", ""))
    try:
        camera = parse_camera_id(_wanted(line, "cam"))
    except ValueError as error:
        raise WireError("id", str(error)) from None
    return Hello(camera, boot, nonce, fw, model, tuple(filter(None, caps.split(","))))


def hello(said: Hello) -> bytes:
    return compose(
        "HELLO",
        VERSION,
        cam=said.camera,
        boot=said.boot,
        nonce=said.nonce,
        fw=escape(said.fw) or None,
        model=escape(said.model) or None,
        caps=escape(",".join(said.caps)) or None,
    )


def parse_auth(line: Line) -> str:
    return hexadecimal(_only_word(line), 64)


def auth(digits: str) -> bytes:
    return compose("AUTH", digits)


@frozen
class Frame:
    """A photo's head.

    :ivar taken: unix seconds by the board's clock.
    :ivar boot: the earlier start that took it, or None for the present one.
    """

    seq: int
    size: int
    crc: int
    taken: float | None = None
    trigger: Trigger | None = None
    boot: Boot | None = None


def parse_frame(line: Line) -> Frame:
    values = line.values
    _no_words(line)
    if line.length is None:
        raise syntax("len is missing")
    trigger = values.get("trigger")
    boot = values.get("boot")
    return Frame(
        count(_wanted(line, "seq"), 1, MAX_SEQ),
        line.length,
        int(hexadecimal(_wanted(line, "crc"), 8), 16),
        count(values["ts"]) / 1000 if "ts" in values else None,
        _trigger(trigger) if trigger is not None else None,
        Boot(hexadecimal(boot, 16)) if boot is not None else None,
    )


def _trigger(text: str) -> Trigger:
    try:
        return Trigger(text)
    except ValueError:
        raise syntax("a trigger is timer, motion, snap or boot") from None


def frame(head: Frame) -> bytes:
    return compose(
        "FRAME",
        seq=head.seq,
        len=head.size,
        crc=f"{head.crc:08x}",
        ts=None if head.taken is None else round(head.taken * 1000),
        trigger=None if head.trigger is None else head.trigger.value,
        boot=head.boot,
    )


def parse_view(line: Line) -> int:
    """The CRC-32 that a picture for live view ought to have."""
    if line.length is None:
        raise syntax("len is missing")
    return int(hexadecimal(_wanted(line, "crc"), 8), 16)


def view(size: int, crc: int) -> bytes:
    return compose("VIEW", len=size, crc=f"{crc:08x}")


def parse_stat(line: Line) -> dict[str, Value]:
    """The measurements; what camd does not know is kept where it is a measurement too."""
    _no_words(line)
    stat: dict[str, Value] = {}
    for key, text in line.values.items():
        if key in _COUNTED and len(text) > 7 and text.isdecimal():
            stat[key] = float(count(text))
        elif key in MEASUREMENTS:
            stat[key] = measurement(text)
        elif key == "reset":
            stat[key] = unescape(text)
        elif key not in _FRAMING:
            try:
                stat[key] = measurement(text)
            except WireError:
                continue
    return stat


def stat(values: Mapping[str, Value]) -> bytes:
    """:raises LocalProtocolError: where a value is neither a measurement nor a name."""
    return compose_pairs("STAT", (), _pairs("STAT", values))


@frozen
class Done:
    """The board has carried a command out; *values* is what it had to say about it."""

    command: int
    values: Mapping[str, str] = field(factory=dict)


@frozen
class Fail:
    command: int
    reason: str


def parse_done(line: Line) -> Done:
    values = {key: unescape(text) for key, text in line.values.items() if key not in _FRAMING}
    return Done(count(_only_word(line), 1), values)


def parse_fail(line: Line) -> Fail:
    if len(line.words) != 2:
        raise syntax("FAIL takes a command's number and a reason")
    return Fail(count(line.words[0], 1), unescape(line.words[1]))


def done(said: Done) -> bytes:
    texts = {key: escape(text) for key, text in said.values.items()}
    return compose_pairs("DONE", (said.command,), _unframed("DONE", texts).items())


def fail(said: Fail) -> bytes:
    return compose("FAIL", said.command, escape(said.reason))


def parse_bye(line: Line) -> int | None:
    """Seconds until the board will be back, if it says so."""
    _no_words(line)
    return count(line.values["next"]) if "next" in line.values else None


def bye(back_in: int | None = None) -> bytes:
    return compose("BYE", next=back_in)


def parse_ping(line: Line) -> str:
    """The word to say back, as it was said, or the empty string. One ``key=value`` may be it, too,
    where it stands alone."""
    if len(line.words) > 1:
        raise syntax("PING takes one word at most")
    pairs = [f"{key}={text}" for key, text in line.values.items() if key not in _FRAMING]
    (word,) = line.words or (pairs if len(pairs) == 1 else ("",))
    unescape(word)
    return word


def ping(word: str = "") -> bytes:
    return compose("PING", *filter(None, [word]))


def pong(word: str = "") -> bytes:
    """*word*: as `parse_ping` gave it."""
    return f"PONG {word}".encode("ascii") if word else b"PONG"


# ---- what camd says


def challenge(digits: str) -> bytes:
    return compose("CHALLENGE", digits)


def parse_challenge(line: Line) -> str:
    return hexadecimal(_only_word(line), 32)


@frozen
class Welcome:
    """:ivar time: unix seconds. *last*: the highest seq of this boot that is settled, or 0."""

    time: float
    last: int
    window: int
    most: int
    proof: str | None = None


def welcome(said: Welcome) -> bytes:
    return compose(
        "WELCOME",
        VERSION,
        time=round(said.time * 1000),
        last=said.last,
        window=said.window,
        max=said.most,
        proof=said.proof,
    )


def parse_welcome(line: Line) -> Welcome:
    if line.words != (VERSION,):
        raise WireError("version", "the server does not speak camd/2")
    proof = line.values.get("proof")
    return Welcome(
        count(_wanted(line, "time")) / 1000,
        count(_wanted(line, "last"), 0, MAX_SEQ),
        count(_wanted(line, "window"), 1),
        count(_wanted(line, "max"), 400_000),
        hexadecimal(proof, 64) if proof is not None else None,
    )


def ack(seq: int, boot: Boot | None = None) -> bytes:
    return b"ACK %d" % seq if boot is None else b"ACK %d boot=%s" % (seq, boot.encode("ascii"))


def nak(seq: int, reason: Reason, retry: float | None = None, boot: Boot | None = None) -> bytes:
    """*retry*: seconds."""
    return compose(
        "NAK",
        seq,
        reason.value,
        retry=None if retry is None else max(0, round(retry * 1000)),
        boot=boot,
    )


@frozen
class Answer:
    """ACK, where *reason* is None, or NAK. *retry*: seconds."""

    seq: int
    boot: Boot | None = None
    reason: Reason | None = None
    retry: float | None = None


def parse_answer(line: Line) -> Answer:
    words = line.words
    if len(words) != (1 if line.verb == "ACK" else 2):
        raise syntax(f"{line.verb} has too few words or too many")
    boot = line.values.get("boot")
    retry = line.values.get("retry")
    try:
        reason = Reason(words[1]) if line.verb == "NAK" else None
    except ValueError:
        raise syntax("a reason that is none") from None
    return Answer(
        count(words[0], 1, MAX_SEQ),
        Boot(hexadecimal(boot, 16)) if boot is not None else None,
        reason,
        count(retry) / 1000 if retry is not None else None,
    )


def err(code: str) -> bytes:
    return compose("ERR", code)


# ---- commands


def settings(command: int, values: Mapping[str, Value]) -> bytes:
    """SET: *values* have the names of the stock sketch's ``/control``, framesize by name.

    :raises LocalProtocolError: where a value is neither a measurement nor a name.
    """
    return compose_pairs("SET", (command,), _pairs("SET", values))


def snap(command: int, flash: bool = False) -> bytes:
    return compose("SNAP", command, flash=1 if flash else None)


def stream(command: int, fps: int) -> bytes:
    """*fps* pictures a second for live view; 0 ends it."""
    return compose("STREAM", command, fps=fps) if fps else compose("STREAM", command, "off")


def reboot(command: int) -> bytes:
    return compose("REBOOT", command)


def update(command: int, url: str, sha256: str) -> bytes:
    return compose("UPDATE", command, url=escape(url), sha256=sha256)


@frozen
class Command:
    """What a board is asked to do."""

    verb: str
    number: int
    words: Sequence[str]
    values: Mapping[str, str]


def parse_command(line: Line) -> Command:
    if not line.words:
        raise syntax("a command has a number")
    values = {key: unescape(text) for key, text in line.values.items() if key != "mac"}
    return Command(line.verb, count(line.words[0], 1), line.words[1:], values)


# ---- pieces of both


def _wanted(line: Line, key: str) -> str:
    text = line.values.get(key)
    if text is None:
        raise syntax(f"{key} is missing")
    return text


def _only_word(line: Line) -> str:
    if len(line.words) != 1:
        raise syntax(f"{line.verb} takes one word")
    return line.words[0]


def _no_words(line: Line) -> None:
    if line.words:
        raise syntax(f"{line.verb} takes key=value only")


def _pairs(verb: str, values: Mapping[str, Value]) -> list[tuple[str, str]]:
    """:raises LocalProtocolError: where a value is neither a measurement nor a name."""
    pairs = []
    for key, value in _unframed(verb, values).items():
        text = _value(value)
        try:
            measurement(text)
        except WireError as error:
            raise LocalProtocolError(f"{verb} {key}: {error.detail}") from None
        pairs.append((key, text))
    return pairs


def _unframed(verb: str, values: Mapping[str, V]) -> Mapping[str, V]:
    """:raises LocalProtocolError: where a key would change how the line itself is read."""
    if not _FRAMING.isdisjoint(values):
        raise LocalProtocolError(f"{verb}: len and mac belong to the framing")
    return values


def _value(value: Value) -> str:
    """A number as the wire wants it: at most three decimals, none where it is whole."""
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        raise LocalProtocolError(f"{value} is no measurement")
    return str(int(value) if value == int(value) else round(value, 3))
