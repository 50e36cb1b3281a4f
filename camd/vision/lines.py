"""What a worker that looks at photos and whoever feeds it say to each other.

Lines of ASCII, each a JSON object. The first one in is the `Setup`, answered by `Ready` or
`Unready`; every other one in is a `Job`, answered by `Begun` when work on it starts, then by
`Done` or `Failed`. Both ends are here; neither a pipe nor a process is known.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from attrs import asdict, field, fields, frozen

from camd.findings import Detection, Flag, parse_box, parse_class
from camd.vision.thresholds import Thresholds
from camd.vision.wanted import Limits, Seen, Wanted
from camd.vision.zones import Zones, parse_zones

LONGEST_LINE = 4 * 1024 * 1024
"""Bytes of a line at most, its end included."""

_SIDES = (16, 8192)
_LARGEST_ID = 2**63 - 1

T = TypeVar("T")


class LineError(ValueError):
    """The line is none that is understood; the message says why.

    :ivar id: of the job that it was about, where that can be told.
    """

    def __init__(self, why: str, about: int | None = None) -> None:
        super().__init__(why)
        self.id = about


@frozen
class Setup:
    """:ivar model: the file; None: photos are only judged.
    :ivar size: width and height that the network is to be given; None: as its file says.
    :ivar classes: their names; none: as the model's file says.
    :ivar threads: of the processor, for one photo.
    """

    model: Path | None = None
    size: tuple[int, int] | None = None
    classes: tuple[str, ...] = ()
    threads: int = 1
    thresholds: Thresholds = field(factory=Thresholds)
    limits: Limits = field(factory=Limits)


@frozen
class Job:
    """A photo to be looked at: *id* is the feeder's number for it."""

    id: int
    path: Path
    wanted: Wanted = field(factory=Wanted)


@frozen
class Ready:
    """The model is loaded; all empty where there is none."""

    name: str = ""
    hash: str = ""
    classes: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)


@frozen
class Unready:
    """The worker ends; *error* is a line for people."""

    error: str


@frozen
class Begun:
    """Should the worker die now, it may be this photo's fault."""

    id: int


@frozen
class Done:
    """The photo was looked at."""

    id: int
    seen: Seen


@frozen
class Failed:
    """:ivar id: None: of a line that no job could be read from.
    :ivar final: it would fail again.
    """

    id: int | None
    error: str
    final: bool


Answer = Ready | Unready | Begun | Done | Failed


def setup_line(setup: Setup) -> bytes:
    return _line(
        model=None if setup.model is None else str(setup.model),
        size=setup.size,
        classes=setup.classes,
        threads=setup.threads,
        thresholds=asdict(setup.thresholds),
        limits=asdict(setup.limits),
    )


def job_line(job: Job) -> bytes:
    wanted = {each.name: getattr(job.wanted, each.name) for each in fields(Wanted)}
    wanted["zones"] = job.wanted.zones.plain()
    wanted["useless"] = _names(job.wanted.useless)
    return _line(id=job.id, path=str(job.path), **wanted)


def answer_line(answer: Answer) -> bytes:
    if isinstance(answer, Ready):
        return _line(ready=asdict(answer))
    if isinstance(answer, Unready):
        return _line(error=answer.error)
    if isinstance(answer, Begun):
        return _line(begun=answer.id)
    if isinstance(answer, Failed):
        return _line(id=answer.id, error=answer.error, final=answer.final)
    seen = answer.seen
    things = seen.detections
    return _line(
        id=answer.id,
        detections=None if things is None else [_numbers(thing) for thing in things],
        flags=_names(seen.flags),
        fingerprint=seen.fingerprint.hex(),
        width=seen.width,
        height=seen.height,
        seconds=round(seen.seconds, 6),
    )


def _names(flags: Collection[Flag]) -> list[str]:
    return [flag.value for flag in Flag if flag in flags]


def _numbers(thing: Detection) -> list[str | float]:
    return [thing.label, thing.score, *thing.box.numbers()]


def _line(**said: object) -> bytes:
    return json.dumps(said, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def parse_setup(line: bytes) -> Setup:
    """:raises LineError: it is none."""
    said = _Said(_object(line))
    setup = Setup(
        model=said.path("model") if said.has("model") else None,
        size=said.size("size") if said.has("size") else None,
        classes=said.names("classes"),
        threads=said.whole("threads", Setup().threads, 1, 1024),
        thresholds=_thresholds(said.part("thresholds")),
        limits=_limits(said.part("limits")),
    )
    said.check_nothing_left()
    return setup


def _thresholds(said: "_Said") -> Thresholds:
    usual = asdict(Thresholds())
    given = {name: said.number(name, value, 0, 1000) for name, value in usual.items()}
    said.check_nothing_left()
    return Thresholds(**given)


def _limits(said: "_Said") -> Limits:
    usual = asdict(Limits())
    given = {name: said.whole(name, value, 1, 2**40) for name, value in usual.items()}
    said.check_nothing_left()
    return Limits(**given)


def parse_job(line: bytes) -> Job:
    """:raises LineError: it is none."""
    record = _object(line)
    said = _Said(record)
    number = said.whole("id", -1, 0, _LARGEST_ID)
    if number < 0:
        raise LineError('a job has an "id"')
    try:
        job = Job(number, said.path("path"), _wanted(said))
        said.check_nothing_left()
    except LineError as error:
        raise LineError(str(error), number) from None
    return job


def _wanted(said: "_Said") -> Wanted:
    usual = Wanted()
    return Wanted(
        detect=said.yes("detect", usual.detect),
        judge=said.yes("judge", usual.judge),
        confidence=said.number("confidence", usual.confidence, 0, 1),
        iou=said.number("iou", usual.iou, 0, 1),
        most=said.whole("most", usual.most, 1, 100_000),
        tile=said.whole("tile", usual.tile, 0, _SIDES[1]),
        overlap=said.number("overlap", usual.overlap, 0, 0.9),
        whole=said.yes("whole", usual.whole),
        zones=said.zones("zones"),
        useless=said.flags("useless"),
    )


def parse_answer(line: bytes) -> Answer:
    """:raises LineError: it is none."""
    said = _Said(_object(line))
    answer: Answer
    if said.has("ready"):
        ready = said.part("ready")
        size = ready.list("size", 2)
        answer = Ready(
            ready.text("name", ""), ready.text("hash", ""), ready.names("classes"),
            (_whole("size", size[0], 0, _SIDES[1]), _whole("size", size[1], 0, _SIDES[1])),
        )  # fmt: skip
        ready.check_nothing_left()
    elif said.has("begun"):
        answer = Begun(said.whole("begun", 0, 0, _LARGEST_ID))
    elif said.has("error"):
        answer = _failure(said)
    else:
        answer = _done(said)
    said.check_nothing_left()
    return answer


def _failure(said: "_Said") -> Unready | Failed:
    error = said.text("error", "")
    if not said.knows("final"):
        return Unready(error)
    number = said.whole("id", 0, 0, _LARGEST_ID) if said.has("id") else None
    return Failed(number, error, said.yes("final", True))


def _done(said: "_Said") -> Done:
    number = said.whole("id", -1, 0, _LARGEST_ID)
    if number < 0:
        raise LineError("it answers nothing")
    things = None
    if said.has("detections"):
        things = tuple(_thing(each) for each in said.list("detections"))
    flags = said.flags("flags")
    try:
        mark = bytes.fromhex(said.text("fingerprint", ""))
    except ValueError as error:
        raise LineError(str(error), number) from None
    width, height = (said.whole(side, 0, 0, 1_000_000) for side in ("width", "height"))
    return Done(number, Seen(things, flags, mark, width, height, said.number("seconds", 0, 0, 1e9)))


def _thing(given: Any) -> Detection:
    if not isinstance(given, list) or len(given) != 6:
        raise LineError("a detection is a class, a score and four numbers")
    try:
        label, box = parse_class(given[0]), parse_box(given[2:])
    except ValueError as error:
        raise LineError(str(error)) from None
    return Detection(label, _number("score", given[1], 0, 1), box)


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > LONGEST_LINE:
        raise LineError(f"a line has {LONGEST_LINE} bytes at most")
    try:
        record = json.loads(line.decode("ascii"))
    except (ValueError, RecursionError):
        raise LineError("it is no line of JSON") from None
    if not isinstance(record, dict):
        raise LineError("it is no JSON object")
    return record


def _number(name: str, given: object, low: float, high: float) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not low <= given <= high:
        raise LineError(f'"{name}" is a number from {low:g} to {high:g}')
    return float(given)


def _whole(name: str, given: object, low: int, high: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
        raise LineError(f'"{name}" is a whole number from {low} to {high}')
    return given


class _Said:
    """The members of an object, each taken once; null is as good as absent."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._left = dict(record)

    def knows(self, name: str) -> bool:
        return name in self._left

    def has(self, name: str) -> bool:
        """Whether it is there; null is taken away."""
        if self._left.get(name) is None:
            self._left.pop(name, None)
            return False
        return True

    def check_nothing_left(self) -> None:
        if self._left:
            raise LineError(f'"{min(self._left):.40}" is nothing that is known here')

    def number(self, name: str, usual: float, low: float, high: float) -> float:
        return _number(name, self._left.pop(name), low, high) if self.has(name) else usual

    def whole(self, name: str, usual: int, low: int, high: int) -> int:
        return _whole(name, self._left.pop(name), low, high) if self.has(name) else usual

    def yes(self, name: str, usual: bool) -> bool:
        return self._kind(name, usual, bool, "true or false")

    def text(self, name: str, usual: str) -> str:
        return self._kind(name, usual, str, "a text")

    def list(self, name: str, length: int | None = None) -> list[Any]:
        given: list[Any] = self._kind(name, [], list, "a list")
        if length is not None and len(given) != length:
            raise LineError(f'"{name}" is a list of {length}')
        return given

    def part(self, name: str) -> "_Said":
        return _Said(self._kind(name, {}, dict, "an object"))

    def path(self, name: str) -> Path:
        text = self.text(name, "")
        if not text.startswith("/") or "\0" in text:
            raise LineError(f'"{name}" is an absolute path')
        return Path(text)

    def names(self, name: str) -> tuple[str, ...]:
        try:
            return tuple(parse_class(each) for each in self.list(name))
        except ValueError as error:
            raise LineError(f'"{name}": {error}') from None

    def size(self, name: str) -> tuple[int, int]:
        """One number for both sides, or width and height."""
        given = self._left.pop(name)
        both = given if isinstance(given, list) and len(given) == 2 else [given, given]
        return _whole(name, both[0], *_SIDES), _whole(name, both[1], *_SIDES)

    def flags(self, name: str) -> frozenset[Flag]:
        try:
            return frozenset(Flag(each) for each in self.list(name))
        except ValueError as error:
            raise LineError(f'"{name}": {error}') from None

    def zones(self, name: str) -> Zones:
        if not self.has(name):
            return Zones()
        try:
            return parse_zones(self._left.pop(name))
        except ValueError as error:
            raise LineError(str(error)) from None

    def _kind(self, name: str, usual: T, kind: type, what: str) -> T:
        if not self.has(name):
            return usual
        given = self._left.pop(name)
        if not isinstance(given, kind):
            raise LineError(f'"{name}" is {what}')
        return cast(T, given)
