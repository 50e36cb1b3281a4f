"""The settings of looking at photos: what a model is to find on them, and how good they are."""

# Defaults are immutable here, whatever call makes them.
# ruff: noqa: RUF009

from pathlib import Path
from typing import Annotated, Literal

from attrs import frozen

from camd.config.kinds import MIB, MINUTE, Count, Line, Some, Span
from camd.config.rules import between, flag_by_itself, flag_name, tile_side
from camd.config.units import Bytes, Seconds
from camd.vision.thresholds import Thresholds

Certainty = Annotated[float, between(0.0, 1.0)]
Tile = Annotated[int, tile_side]
_USUAL = Thresholds()

FlagName = Annotated[str, flag_name]
FlagByItself = Annotated[str, flag_by_itself]


@frozen
class DetectConfig:
    """How a model looks at photos; none does until one is named.

    :ivar model: a YOLO network in an ONNX file.
    :ivar classes: the names of what it finds, in its order, where it does not say so itself.
    :ivar size: pixels of a side of what it is shown, where it leaves that open; 0 is as it was
        made for.
    :ivar confidence: what it is less sure of is left out.
    :ivar iou: of two boxes of one class that share more than this, the surer one stays.
    :ivar most: boxes on a photo at most, the surest first.
    :ivar tile: pixels of a side of the squares in which a large photo is looked at; 0: not in any.
    :ivar overlap: how much of a square's side the next one shows again.
    :ivar whole: whether a photo that is looked at in squares is looked at as a whole, too.
    :ivar workers: processes that look, for each model.
    :ivar threads: threads of each.
    :ivar priority: what they do while others want the processor: ``idle`` nothing, ``low`` some.
    :ivar order: which of the photos that wait come first.
    :ivar timeout: seconds for one photo.
    :ivar tries: times that a photo may cost a worker its life until it is set aside.
    :ivar pause: seconds that a worker rests after each photo.
    :ivar idle: seconds without photos after which workers end.
    :ivar max_bytes: bytes of a photo that is looked at, at most.
    :ivar max_pixels: pixels of one at most.
    """

    model: Path | None = None
    classes: tuple[Line, ...] = ()
    size: Annotated[int, between(0, 4096)] = 0
    confidence: Certainty = 0.25
    iou: Certainty = 0.7
    most: Annotated[int, between(1, 3000)] = 300
    tile: Tile = 0
    overlap: Annotated[float, between(0.0, 0.9)] = 0.2
    whole: bool = True
    workers: Annotated[int, between(1, 64)] = 1
    threads: Annotated[int, between(1, 64)] = 1
    priority: Literal["idle", "low", "normal"] = "idle"
    order: Literal["newest", "oldest"] = "newest"
    timeout: Span = Seconds(MINUTE)
    tries: Some = 2
    pause: Seconds = Seconds(0.0)
    idle: Span = Seconds(MINUTE)
    max_bytes: Annotated[Bytes, between(64 * 1024, 2**30)] = Bytes(64 * MIB)
    max_pixels: Annotated[int, between(10_000, 1_000_000_000)] = 64_000_000


@frozen
class JudgeConfig:
    """How photos are judged; brightness runs from 0 to 255.

    :ivar enabled: whether they are.
    :ivar dark: a photo is dark when all but a fiftieth of it is darker than this.
    :ivar bright: it is blown out when more than this share has two colours at their limit.
    :ivar blurred: it is blurred when less than this share of its structure is finer than a
        hundredth of its width.
    :ivar green: it is green when green is so many times red and blue almost everywhere.
    :ivar covered: the lens is covered when brightness spans less than this, and nothing stands out
        from the noise.
    :ivar useless: photos with one of these flags are not shown to the model.
    :ivar poor: flags that make a photo a bad one.
    :ivar poor_after: bad photos of a camera in a row that are news; 0: none are.
    """

    enabled: bool = False
    dark: Annotated[float, between(0.0, 255.0)] = _USUAL.dark
    bright: Certainty = _USUAL.bright
    blurred: Certainty = _USUAL.blurred
    green: Annotated[float, between(1.0, 100.0)] = _USUAL.green
    covered: Annotated[float, between(0.0, 255.0)] = _USUAL.covered
    useless: tuple[FlagByItself, ...] = ("dark", "broken")
    poor: tuple[FlagName, ...] = ("bright", "blurred", "green", "frozen", "covered", "broken")
    poor_after: Count = 5
