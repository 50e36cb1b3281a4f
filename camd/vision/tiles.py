"""A large photo in squares, so that small things on it are not shrunk away, and counted once.

Neighbours overlap: what one square's edge cuts is whole in the next, where it is no larger than
the overlap. `merged` tells what the squares saw several times from what lies close together.
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from camd.vision.suppress import Floats, Found, Indices, areas, shared

_EDGE = 0.01
_SHARED = 0.5
_ALIKE = 0.4
_JOINED = 0.5
_NOBODY = -1


@frozen
class Tile:
    """A part of a photo, in its pixels."""

    left: int
    top: int
    width: int
    height: int


def tiles(picture: tuple[int, int], side: int, overlap: float, whole: bool) -> list[Tile]:
    """What is to be looked at of a picture of that width and height.

    :param side: pixels of a square's side; 0, or no less than the picture: only the whole.
    :param overlap: the share of its side that two neighbours both show, at least.
    :param whole: the picture as a whole comes first.
    """
    width, height = picture
    everything = Tile(0, 0, width, height)
    if not side or (width <= side and height <= side):
        return [everything]
    squares = [
        Tile(left, top, min(side, width), min(side, height))
        for top in _starts(height, side, overlap)
        for left in _starts(width, side, overlap)
    ]
    return [everything, *squares] if whole else squares


def _starts(length: int, side: int, overlap: float) -> list[int]:
    """Evenly over *length*, from one end to the other."""
    if length <= side:
        return [0]
    step = max(1.0, side * (1 - overlap))
    gaps = int(np.ceil((length - side) / step))
    return [round(at * (length - side) / gaps) for at in range(gaps + 1)]


class _Rank(IntEnum):
    """What to believe first."""

    TILE = 0
    WHOLE = 1
    CUT = 2


@frozen(eq=False)
class _Boxes:
    """What all views saw, or of that what stays; *n* boxes.

    :ivar views: n, the numbers of those who saw them; `_NOBODY`: several saw a piece of it each.
    :ivar parts: n x 4, what of the picture those could see.
    """

    corners: Floats
    scores: Floats
    classes: Indices
    views: Indices
    ranks: Indices
    parts: Floats

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, which: Indices) -> "_Boxes":
        return _Boxes(
            self.corners[which], self.scores[which], self.classes[which], self.views[which],
            self.ranks[which], self.parts[which],
        )  # fmt: skip


def merged(
    picture: tuple[int, int], views: Sequence[tuple[Tile, Found]], overlap: float, most: int
) -> Found:
    """What all *views* saw, each thing once; boxes in pixels of the picture.

    What an inner edge cuts gives way to what another view saw whole, and pieces of one thing that
    nobody saw whole become one. Two boxes of one view both stay: it could tell them apart. The
    picture as a whole tells only of what is too large to be whole in a tile: the tiles see the
    rest better.

    :param overlap: of neighbouring tiles, a share of their side.
    :param most: boxes at most that are compared, the surest ones.
    """
    boxes = _boxes(picture, views)
    side = max((max(t.width, t.height) for t, _ in views if not _is_all(t, picture)), default=0)
    whole_in_tile = side * (overlap - 2 * _EDGE)
    longest = (boxes.corners[:, 2:] - boxes.corners[:, :2]).max(axis=1, initial=0)
    boxes = boxes.take(np.flatnonzero((boxes.ranks != _Rank.WHOLE) | (longest > whole_in_tile)))
    boxes = boxes.take(np.argsort(-boxes.scores, kind="stable")[:most])
    of_pieces = boxes.ranks == _Rank.CUT
    first = np.where(of_pieces, -areas(boxes.corners), -boxes.scores)
    boxes = boxes.take(np.lexsort((first, boxes.ranks)))
    corners, stay = boxes.corners, []
    for kind in np.unique(boxes.classes):
        these = np.flatnonzero(boxes.classes == kind)
        known = _Known(boxes.take(these))
        for at in range(len(these)):
            known.settle(at)
        stay.append(known.left())
    if not stay:
        return Found(corners, boxes.scores, boxes.classes)
    corners, scores, classes = (np.concatenate(each) for each in zip(*stay, strict=True))
    surest = np.argsort(-scores, kind="stable")
    return Found(corners[surest], scores[surest], classes[surest])


def _boxes(picture: tuple[int, int], views: Sequence[tuple[Tile, Found]]) -> _Boxes:
    ranks = [
        np.where(
            _cut(picture, tile, found.corners),
            _Rank.CUT,
            _Rank.WHOLE if _is_all(tile, picture) else _Rank.TILE,
        )
        for tile, found in views
    ]
    counts = [len(found) for _, found in views]
    parts = [(t.left, t.top, t.left + t.width, t.top + t.height) for t, _ in views]
    return _Boxes(
        np.concatenate([found.corners for _, found in views]),
        np.concatenate([found.scores for _, found in views]),
        np.concatenate([found.classes for _, found in views]),
        np.arange(len(views)).repeat(counts),
        np.concatenate(ranks),
        np.array(parts, np.float32).repeat(counts, axis=0),
    )


def _is_all(tile: Tile, picture: tuple[int, int]) -> bool:
    return (tile.width, tile.height) == picture


def _cut(picture: tuple[int, int], tile: Tile, corners: Floats) -> NDArray[np.bool_]:
    """Which of the boxes touch an edge of their tile that is none of the picture's."""
    near = max(2.0, _EDGE * max(tile.width, tile.height))
    right, bottom = tile.left + tile.width, tile.top + tile.height
    cut = np.zeros(len(corners), np.bool_)
    if tile.left > 0:
        cut |= corners[:, 0] < tile.left + near
    if tile.top > 0:
        cut |= corners[:, 1] < tile.top + near
    if right < picture[0]:
        cut |= corners[:, 2] > right - near
    if bottom < picture[1]:
        cut |= corners[:, 3] > bottom - near
    return cut


@define(eq=False)
class _Known:
    """The things of one class that are known by now: *boxes* of which *there* is true."""

    boxes: _Boxes
    there: NDArray[np.bool_] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.there = np.zeros(len(self.boxes), np.bool_)

    def left(self) -> tuple[Floats, Floats, Indices]:
        """Corners, scores and classes of all of them."""
        boxes = self.boxes
        return boxes.corners[self.there], boxes.scores[self.there], boxes.classes[self.there]

    def settle(self, at: int) -> None:
        """The box number *at*, that of all before being settled, is new, or known from another
        view already, or a piece of what is known."""
        boxes, corners = self.boxes, self.boxes.corners
        others = np.flatnonzero(self.there[:at] & (boxes.views[:at] != boxes.views[at]))
        common = shared(corners[at], corners[others])
        area, rank = areas(corners[at]), boxes.ranks[at]
        if rank == _Rank.TILE:
            theirs = areas(corners[others])
            smaller, larger = np.minimum(theirs, area), np.maximum(theirs, area)
            known = np.any((common >= _SHARED * smaller) & (smaller >= _ALIKE * larger))
        elif rank == _Rank.WHOLE:
            # One box over two things that the tiles tell apart is no third thing.
            known = common.sum() >= _SHARED * area
        else:
            seen_whole = boxes.ranks[others] != _Rank.CUT
            known = np.any(seen_whole & (common >= _SHARED * area))
            if not known:
                self._join(at, others[~seen_whole])
        self.there[at] = not known

    def _join(self, at: int, pieces: Indices) -> None:
        """Those of *pieces* that are of the same thing become part of *at*.

        They are where, in what of the picture both views could see, both saw the same.
        """
        corners, parts = self.boxes.corners, self.boxes.parts
        while len(pieces):
            both = np.concatenate(
                (np.maximum(parts[at, :2], parts[pieces, :2]),
                 np.minimum(parts[at, 2:], parts[pieces, 2:])), axis=1,
            )  # fmt: skip
            one, other = _within(corners[at], both), _within(corners[pieces], both)
            common = areas(_within(one, other))
            same = common > _JOINED * (areas(one) + areas(other) - common)
            if not same.any():
                return
            for each in (corners, parts):
                each[at, :2] = np.minimum(each[at, :2], each[pieces[same], :2].min(axis=0))
                each[at, 2:] = np.maximum(each[at, 2:], each[pieces[same], 2:].max(axis=0))
            self.boxes.scores[at] = max(
                self.boxes.scores[at], self.boxes.scores[pieces[same]].max()
            )
            self.boxes.views[at] = _NOBODY
            self.there[pieces[same]] = False
            pieces = pieces[~same]


def _within(corners: Floats, parts: Floats) -> Floats:
    """What of boxes lies in those parts of the picture; without an area where nothing does."""
    low = np.maximum(corners[..., :2], parts[..., :2])
    return np.concatenate((low, np.maximum(low, np.minimum(corners[..., 2:], parts[..., 2:]))), -1)
