"""A large photo in squares, so that small things on it are not shrunk away, and counted once.

Neighbours overlap: what one square's edge cuts is whole in the next, where it is no larger than
the overlap. `merged` tells what the squares saw several times from what lies close together.
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from camd.vision.suppress import Floats, Found, shared

_EDGE = 0.01
_SHARED = 0.5
_ALIKE = 0.4
_JOINED = 0.25


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
class _Box:
    corners: Floats
    score: float
    kind: int
    view: int
    rank: _Rank

    @property
    def area(self) -> float:
        return float((self.corners[2] - self.corners[0]) * (self.corners[3] - self.corners[1]))

    @property
    def side(self) -> float:
        """The longer one."""
        return float((self.corners[2:] - self.corners[:2]).max())


def merged(
    picture: tuple[int, int], views: Sequence[tuple[Tile, Found]], overlap: float, most: int
) -> Found:
    """What all *views* saw, each thing once; boxes in pixels of the picture.

    What an inner edge cuts gives way to what another view saw whole, and two pieces of one thing
    that nobody saw whole become one. Two boxes of one view both stay: it could tell them apart.
    The picture as a whole tells only of what is too large to be whole in a tile: the tiles see
    the rest better.

    :param overlap: of neighbouring tiles, a share of their side.
    """
    boxes = [
        box
        for view, (tile, found) in enumerate(views)
        for box in _boxes(picture, tile, found, view)
    ]
    side = max((max(t.width, t.height) for t, _ in views if not _is_all(t, picture)), default=0)
    whole_in_tile = side * (overlap - 2 * _EDGE)
    boxes = [box for box in boxes if box.rank is not _Rank.WHOLE or box.side > whole_in_tile]
    boxes.sort(key=lambda box: (box.rank, -box.area if box.rank is _Rank.CUT else -box.score))
    by_class: dict[int, list[_Box]] = {}
    for box in boxes:
        kept = by_class.setdefault(box.kind, [])
        _settle(box, kept)
    stay = sorted((b for kept in by_class.values() for b in kept), key=lambda b: -b.score)[:most]
    return Found(
        np.array([box.corners for box in stay], np.float32).reshape(-1, 4),
        np.array([box.score for box in stay], np.float32),
        np.array([box.kind for box in stay], np.intp),
    )


def _boxes(picture: tuple[int, int], tile: Tile, found: Found, view: int) -> list[_Box]:
    everything = _is_all(tile, picture)
    cut = _cut(picture, tile, found.corners)
    return [
        _Box(
            found.corners[at],
            float(found.scores[at]),
            int(found.classes[at]),
            view,
            _Rank.CUT if cut[at] else _Rank.WHOLE if everything else _Rank.TILE,
        )
        for at in range(len(found))
    ]


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


def _settle(box: _Box, kept: list[_Box]) -> None:
    """*box* is new, or known from another view already, or a piece of what is known."""
    others = [at for at, each in enumerate(kept) if each.view != box.view]
    if not others:
        kept.append(box)
        return
    common = shared(box.corners, np.array([kept[at].corners for at in others], np.float32))
    areas = np.array([kept[at].area for at in others], np.float32)
    smaller, larger = np.minimum(areas, box.area), np.maximum(areas, box.area)
    if box.rank is _Rank.TILE:
        known = bool(np.any((common >= _SHARED * smaller) & (smaller >= _ALIKE * larger)))
    elif box.rank is _Rank.WHOLE:
        # One box over two things that the tiles tell apart is no third thing.
        known = float(common.sum()) >= _SHARED * box.area
    else:
        seen_whole = np.array([kept[at].rank is not _Rank.CUT for at in others])
        known = bool(np.any(seen_whole & (common >= _SHARED * box.area)))
        known = known or _joined(box, kept, others, common)
    if not known:
        kept.append(box)


def _joined(box: _Box, kept: list[_Box], others: list[int], common: Floats) -> bool:
    """Whether *box* is another piece of a thing that is known as a piece only; it grows then."""
    for at, both in zip(others, common, strict=True):
        piece = kept[at]
        if piece.rank is not _Rank.CUT or both < _JOINED * min(piece.area, box.area):
            continue
        low = np.minimum(piece.corners[:2], box.corners[:2])
        high = np.maximum(piece.corners[2:], box.corners[2:])
        surer = max(piece.score, box.score)
        corners = np.concatenate((low, high))
        kept[at] = _Box(corners, surer, piece.kind, piece.view, _Rank.CUT)
        return True
    return False
