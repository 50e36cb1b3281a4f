"""A network from a file: which classes it knows, how large it wants its picture, what it finds.

Any YOLO that Ultralytics exported to ONNX. What the file does not say, the caller may; what is
wrong with it is told in one line. Runs on the processor, in onnxruntime.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from camd.findings import parse_class
from camd.vision.heads import Head, HeadError, boxes_of, head_of
from camd.vision.letterbox import Tensor
from camd.vision.suppress import Found, Indices

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

USUAL_SIZE = 640
USUAL_STRIDE = 32
MOST_CLASSES = 10_000
LARGEST_SIZE = 8192
_LONGEST_TEXT = 2_000_000
_SILENT = 4


class ModelError(Exception):
    """No use can be made of the model; the message is a line for people."""


@frozen(eq=False)
class Model:
    """:ivar name: of its file.
    :ivar hash: SHA-256 of its file, in hex.
    :ivar classes: their names, by number. Classes of the network that have the same name are one.
    :ivar size: width and height of the picture that it wants, in pixels.
    :ivar stride: where it takes other sizes too, they are a multiple of this; 0: it takes none.
    """

    name: str
    hash: str
    classes: tuple[str, ...]
    size: tuple[int, int]
    stride: int
    head: Head
    _session: InferenceSession
    _batch: int
    _type: Any
    _alike: Indices | None = None

    def find(self, tensor: Tensor, confidence: float, iou: float, most: int) -> Found:
        """What is on the picture; see `camd.vision.heads.boxes_of`.

        :raises ModelError: the network fails on it.
        """
        output = _run(self._session, tensor, self._batch, self._type)
        found = boxes_of(self.head, output, confidence, iou, most, alike=self._alike)
        sound = (found.classes >= 0) & (found.classes < len(self.classes))
        sound &= np.isfinite(found.corners).all(axis=1)
        return found if sound.all() else found.take(sound)


def load(
    path: Path,
    *,
    classes: Sequence[str] = (),
    size: tuple[int, int] | None = None,
    threads: int = 1,
) -> Model:
    """The model in the file *path*, run once so that what fails does so here.

    :param classes: their names, where the file has none or others are wanted.
    :param size: width and height of its input, where the file leaves it open.
    :param threads: of the processor, for one picture.
    :raises ModelError: the file is missing, no model, or none that is understood.
    """
    session, digest = _session(path, threads)
    about = _About(path.name, session.get_modelmeta().custom_metadata_map)
    about.check_task()
    names = about.classes(classes)
    kind, batch, shape = _input(path.name, session)
    stride = 0 if any(shape) else about.stride()
    wanted = _size(about, shape, size, stride)
    empty: Tensor = np.zeros((1, 3, wanted[1], wanted[0]), np.float32)
    try:
        output = _run(session, empty, batch, kind)
        head = head_of(output.shape, len(names), wanted, about.once())
    except HeadError as error:
        raise ModelError(f"{path.name}: {error}") from None
    except ModelError as error:
        raise ModelError(f"{path.name}: {error}") from error
    known = tuple(dict.fromkeys(names))
    numbers = {name: number for number, name in enumerate(known)}
    alike = np.array([numbers[name] for name in names]) if len(known) < len(names) else None
    return Model(path.name, digest, known, wanted, stride, head, session, batch, kind, alike)


def _session(path: Path, threads: int) -> tuple[InferenceSession, str]:
    """And the SHA-256 of the very bytes that it was made of."""
    try:
        import onnxruntime
    except ImportError:
        raise ModelError(
            'looking for things on photos needs onnxruntime: pip install "camd[detect]"'
        ) from None
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"the model {path} cannot be read: {error.strerror}") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _SILENT
    # A thread that waits by spinning takes from the daemon what it does not use.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    onnxruntime.set_default_logger_severity(_SILENT)
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its classes are made in C, and share no base but this
        raise ModelError(f"{path.name} is no ONNX model that runs here: {_line(error)}") from error
    return session, hashlib.sha256(data).hexdigest()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _run(session: InferenceSession, tensor: Tensor, batch: int, kind: Any) -> NDArray[np.float32]:
    """The first output; others, of exports that give the raw grids too, say the same.

    :raises ModelError: it fails.
    """
    given: NDArray[Any] = tensor.astype(kind, copy=False)
    if batch > 1:
        given = np.concatenate((given, np.zeros((batch - 1, *given.shape[1:]), kind)))
    names = [session.get_outputs()[0].name]
    try:
        output = session.run(names, {session.get_inputs()[0].name: given})[0]
    except Exception as error:  # as above
        raise ModelError(f"it fails on a picture: {_line(error)}") from error
    return np.asarray(output, np.float32)


def _input(name: str, session: InferenceSession) -> tuple[Any, int, tuple[int, int]]:
    """The input's type, its batch, and width and height, 0 where they are open.

    :raises ModelError: it is none for pictures.
    """
    inputs = session.get_inputs()
    kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
    if len(inputs) != 1 or inputs[0].type not in kinds or len(inputs[0].shape) != 4:
        wanted = "one input of 1 x 3 x height x width, float32 or float16"
        raise ModelError(f"{name} takes no picture: a YOLO has {wanted}")
    batch, channels, height, width = (
        side if isinstance(side, int) and side > 0 else 0 for side in inputs[0].shape
    )
    if channels not in (0, 3):
        raise ModelError(f"{name} wants pictures of {channels} channels: photos have 3")
    return kinds[inputs[0].type], batch, (width, height)


def _size(
    about: _About, fixed: tuple[int, int], given: tuple[int, int] | None, stride: int
) -> tuple[int, int]:
    said = given or about.size() or (USUAL_SIZE, USUAL_SIZE)
    size = tuple(side or wanted for side, wanted in zip(fixed, said, strict=True))
    if given is not None and size != given:
        raise ModelError(
            f"{about.name} was exported for pictures of {fixed[0]} x {fixed[1]}, "
            f"not of {given[0]} x {given[1]}"
        )
    if stride:
        size = tuple(-(-side // stride) * stride for side in size)
    if not all(0 < side <= LARGEST_SIZE for side in size):
        raise ModelError(
            f"{about.name}: pictures of {size[0]} x {size[1]}: 1 to {LARGEST_SIZE} is possible"
        )
    return size[0], size[1]


@frozen
class _About:
    """What the file says of its model."""

    name: str
    said: Mapping[str, str]

    def check_task(self) -> None:
        task = self.said.get("task", "detect")
        if task != "detect":
            raise ModelError(
                f'{self.name} is a model for "{task:.40}": only "detect" is looked with'
            )

    def classes(self, given: Sequence[str]) -> tuple[str, ...]:
        named = list(given) or self._names()
        if not named:
            raise ModelError(
                f"{self.name} does not say which classes it knows: name them by classes in [detect]"
            )
        if len(named) > MOST_CLASSES:
            raise ModelError(f"{self.name} has {len(named)} classes: {MOST_CLASSES} at most")
        try:
            return tuple(parse_class(each) for each in named)
        except ValueError as error:
            raise ModelError(f"{self.name}: {error}") from None

    def _names(self) -> list[object]:
        """From ``{0: 'fly', 1: 'moth'}`` or a list."""
        names = self._literal("names")
        if isinstance(names, (list, tuple)):
            return list(names)
        if not isinstance(names, dict):
            return []
        try:
            numbered = {int(number): label for number, label in names.items()}
        except (TypeError, ValueError):
            numbered = {}
        if sorted(numbered) != list(range(len(names))):
            raise ModelError(f"{self.name}: its classes are not numbered from 0")
        return [numbered[number] for number in range(len(numbered))]

    def size(self) -> tuple[int, int] | None:
        """Width and height, from ``[height, width]`` or one number for both."""
        size = self._literal("imgsz")
        if isinstance(size, int):
            size = [size, size]
        if isinstance(size, list) and len(size) == 2 and all(_counts(side) for side in size):
            return int(size[1]), int(size[0])
        return None

    def stride(self) -> int:
        stride = self._literal("stride")
        return stride if isinstance(stride, int) and 0 < stride <= 1024 else USUAL_STRIDE

    def once(self) -> bool | None:
        """Whether it gives each thing once; None: it does not say."""
        args = self._literal("args")
        if isinstance(args, dict) and args.get("nms") is True:
            return True
        end_to_end = self._literal("end2end")
        return end_to_end if isinstance(end_to_end, bool) else None

    def _literal(self, key: str) -> Any:
        text = self.said.get(key, "")
        if not text or len(text) > _LONGEST_TEXT:
            return None
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return None


def _counts(side: object) -> bool:
    return isinstance(side, int) and not isinstance(side, bool) and side > 0
