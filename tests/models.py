"""A network that finds insects, built here: dark blobs on a light card, by their size.

It has no weights that were learned: brightness is turned into darkness, smoothed to the size of
an insect, and every place that is darker than all around it is one. What it gives looks like a
YOLO that Ultralytics exported, metadata included, in each of the three kinds of output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

NAMES = ("insect",)
BLOB = 12.0
"""Pixels of the network's input that an insect is long."""

HEADS = ("v8", "v5", "end2end")
MOST = 300
_GRIDS = (8, 16)
_MIDDLE = 320.0
_SOONEST = 0.04
_SURELY = 0.35


class _Graph:
    """Nodes and constants, named as they come."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operation: str, *inputs: str, **attributes: object) -> str:
        name = f"{operation.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, list(inputs), [name], **attributes))
        return name

    def constant(self, value: object, kind: type | None = None) -> str:
        name = f"constant_{len(self.constants)}"
        array: NDArray[np.generic] = np.asarray(value, kind or np.float32)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def smoothed(self, image: str, sigma: float) -> str:
        """By a Gaussian, one way and then the other."""
        reach = round(3 * sigma)
        at = np.arange(-reach, reach + 1)
        bell = np.exp(-(at**2) / (2 * sigma**2))
        bell /= bell.sum()
        across = self.constant(bell.reshape(1, 1, 1, -1))
        down = self.constant(bell.reshape(1, 1, -1, 1))
        image = self.add("Conv", image, across, pads=[0, reach, 0, reach])
        return self.add("Conv", image, down, pads=[reach, 0, reach, 0])

    def most_around(self, image: str, reach: int) -> str:
        side = 2 * reach + 1
        image = self.add("MaxPool", image, kernel_shape=[1, side], pads=[0, reach, 0, reach])
        return self.add("MaxPool", image, kernel_shape=[side, 1], pads=[reach, 0, reach, 0])

    def times(self, one: str, other: str | float) -> str:
        return self.add("Mul", one, other if isinstance(other, str) else self.constant(other))

    def plus(self, one: str, other: str | float) -> str:
        return self.add("Add", one, other if isinstance(other, str) else self.constant(other))

    def between(self, image: str, low: float, high: float) -> str:
        return self.add("Clip", image, self.constant(low), self.constant(high))


def build(
    path: Path,
    head: str = "v8",
    names: Sequence[str] = NAMES,
    size: int | tuple[int, int] = 640,
    *,
    blob: float = BLOB,
    dynamic: bool = False,
    half: bool = False,
    metadata: Mapping[str, str | None] | None = None,
) -> Path:
    """Write the network to *path*.

    :param head: of `HEADS`.
    :param names: its classes; with several, the small insects are of the first one, the large
        ones of the last.
    :param size: of the input; width and height where they differ.
    :param blob: how long an insect is, in pixels of the input.
    :param dynamic: it takes pictures of any size.
    :param half: pictures go in, and boxes come out, in 16 bits.
    :param metadata: instead of what Ultralytics writes; None leaves an entry out.
    """
    width, height = size if isinstance(size, tuple) else (size, size)
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    graph = _Graph()
    picture = graph.add("Cast", "images", to=TensorProto.FLOAT)
    places = _insects(graph, picture, blob, len(names))
    output = {"v8": _anchor_free, "v5": _objectness, "end2end": _end_to_end}[head](graph, places)
    output = graph.add("Cast", output, to=kind)
    shape = ["batch", 3, "height", "width"] if dynamic else [1, 3, height, width]
    given = helper.make_tensor_value_info("images", kind, shape)
    first = "batch" if dynamic else 1
    made = helper.make_tensor_value_info(output, kind, [first, None, None])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "insects", [given], [made], graph.constants),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    about = {
        "description": "Ultralytics-like model of the tests",
        "stride": "32",
        "task": "detect",
        "batch": "1",
        "imgsz": str([height, width]),
        "names": str(dict(enumerate(names))),
        "args": str({"batch": 1, "half": half, "dynamic": dynamic, "nms": False}),
        "end2end": str(head == "end2end"),
    }
    said = {**about, **(metadata or {})}
    helper.set_model_props(model, {key: text for key, text in said.items() if text is not None})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path


class _Places:
    """For every cell of each grid: the box's middle and sides, a score, one for each class."""

    def __init__(self) -> None:
        self.middles: list[str] = []
        self.scores: list[str] = []
        self.classes: list[str] = []


def _insects(graph: _Graph, picture: str, blob: float, classes: int) -> _Places:
    dark = _darkness(graph, picture)
    score, peaks = _peaks(graph, dark, blob)
    across, down = (_moments(graph, dark, axis, blob * 0.5) for axis in (3, 2))
    places = _Places()
    for grid in _GRIDS:
        cell = {"kernel_shape": [grid, grid], "strides": [grid, grid]}
        any_ = graph.add("AveragePool", peaks, **cell)
        none = graph.plus(any_, 1e-6)

        def here(image: str, cell: dict[str, list[int]] = cell, none: str = none) -> str:
            """Its value at the cell's peak."""
            mean = graph.add("AveragePool", graph.times(image, peaks), **cell)
            return graph.add("Div", mean, none)

        larger = 1 + (grid - 8) / 80
        (x, wide), (y, high) = ((here(m), here(s)) for m, s in (across, down))
        kinds = _kinds(graph, wide, high, blob, classes)
        wide, high = (graph.plus(graph.times(side, 4.0 * larger), 1.5) for side in (wide, high))
        sure = graph.times(here(score), 1 - (grid - 8) / 100)
        sure = graph.times(sure, graph.between(graph.times(any_, 1e4), 0.0, 1.0))
        places.middles.append(_flat(graph, graph.add("Concat", x, y, wide, high, axis=1), 4))
        places.scores.append(_flat(graph, sure, 1))
        places.classes.append(_flat(graph, kinds, classes))
    return places


def _darkness(graph: _Graph, picture: str) -> str:
    """Of an insect, near 1; of a yellow card and of the grey around a picture, 0."""
    red = graph.constant(np.array([-2.5, 0.0, 0.0]).reshape(1, 3, 1, 1))
    blue = graph.constant(np.array([0.0, 0.0, 1.0]).reshape(1, 3, 1, 1))
    dark = graph.plus(graph.add("Conv", picture, red), 1.5)
    grey = graph.plus(graph.add("Conv", picture, blue), -0.35)
    grey = graph.add("Relu", grey)
    return graph.between(graph.add("Sub", dark, graph.times(grey, 5.0)), 0.0, 1.0)


def _peaks(graph: _Graph, dark: str, blob: float) -> tuple[str, str]:
    """How sure it is of an insect at every pixel, and 1 where it is surer than all around."""
    mass = graph.smoothed(dark, blob / 5)
    highest = graph.most_around(mass, round(blob * 0.6))
    lower = graph.add("Sub", highest, mass)
    is_peak = graph.between(graph.plus(graph.times(lower, -1e5), 1.0), 0.0, 1.0)
    enough = graph.between(graph.times(graph.plus(mass, -_SOONEST), 1e5), 0.0, 1.0)
    score = graph.between(graph.times(mass, 0.9 / _SURELY), 0.0, 0.95)
    return score, graph.times(is_peak, enough)


def _moments(graph: _Graph, dark: str, axis: int, sigma: float) -> tuple[str, str]:
    """Where the middle of the darkness around each pixel is along *axis*, and how far it reaches
    from there (its standard deviation), in pixels."""
    one = graph.plus(graph.times(dark, 0.0), 1.0)
    at = graph.plus(graph.add("CumSum", one, graph.constant(axis, np.int64)), -0.5 - _MIDDLE)
    near = graph.add("Max", graph.smoothed(dark, sigma), graph.constant(1e-6))
    mean = graph.add("Div", graph.smoothed(graph.times(dark, at), sigma), near)
    square = graph.smoothed(graph.times(dark, graph.times(at, at)), sigma)
    variance = graph.add("Sub", graph.add("Div", square, near), graph.times(mean, mean))
    return graph.plus(mean, _MIDDLE), graph.add("Sqrt", graph.add("Relu", variance))


def _kinds(graph: _Graph, wide: str, high: str, blob: float, classes: int) -> str:
    """A score for each class: 1 for the one whose sizes it is of, less for its neighbours."""
    side = graph.plus(graph.add("Sqrt", graph.times(wide, high)), 1e-3)
    if classes == 1:
        return graph.plus(graph.times(side, 0.0), 1.0)
    scores = []
    for number in range(classes):
        middle = blob * 0.13 * 2.4 ** (number / (classes - 1))
        off = graph.add("Abs", graph.add("Log", graph.times(side, 1 / middle)))
        scores.append(graph.between(graph.plus(graph.times(off, -0.8), 1.1), 0.05, 1.0))
    return graph.add("Concat", *scores, axis=1)


def _flat(graph: _Graph, image: str, channels: int) -> str:
    """1 x channels x places."""
    return graph.add("Reshape", image, graph.constant([0, channels, -1], np.int64))


def _all(graph: _Graph, parts: Sequence[str]) -> str:
    return graph.add("Concat", *parts, axis=2)


def _turned(graph: _Graph, rows: str) -> str:
    return graph.add("Transpose", rows, perm=[0, 2, 1])


def _anchor_free(graph: _Graph, places: _Places) -> str:
    each = [graph.times(*pair) for pair in zip(places.scores, places.classes, strict=True)]
    rows = [_all(graph, places.middles), _all(graph, each)]
    return graph.add("Concat", *rows, axis=1)


def _objectness(graph: _Graph, places: _Places) -> str:
    parts = (places.middles, places.scores, places.classes)
    return _turned(graph, graph.add("Concat", *(_all(graph, part) for part in parts), axis=1))


def _end_to_end(graph: _Graph, places: _Places) -> str:
    """Of the finest grid only, where each insect is once."""
    each = graph.times(places.scores[0], places.classes[0])
    best = graph.add("ReduceMax", each, axes=[1], keepdims=1)
    kind = graph.add("ArgMax", each, axis=1, keepdims=1)
    kind = graph.add("Cast", kind, to=TensorProto.FLOAT)
    x_y, sides = (
        graph.add(
            "Slice", places.middles[0], *(graph.constant([n], np.int64) for n in (low, low + 2, 1))
        )
        for low in (0, 2)
    )
    half = graph.times(sides, 0.5)
    corners = [graph.add("Sub", x_y, half), graph.plus(x_y, half)]
    rows = _turned(graph, graph.add("Concat", *corners, best, kind, axis=1))
    most = graph.constant([MOST], np.int64)
    name = f"topk_{len(graph.nodes)}"
    graph.nodes.append(
        helper.make_node("TopK", [best, most], [f"{name}_values", name], axis=2, sorted=1)
    )
    order = graph.add("Reshape", name, graph.constant([-1], np.int64))
    return graph.add("Gather", rows, order, axis=1)
