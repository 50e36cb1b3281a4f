"""Looks at photos: bytes in, `Seen` out.

`Looker.look` does all of it; whoever looks at many does the steps himself, and gets the next
picture ready (`Looker.open`, `Looker.views`) while the network is busy with one (`Looker.find`).
"""

import time
from collections.abc import Iterable, Iterator

import numpy as np
from attrs import define, field, frozen

from camd.findings import Box, Detection, Flag
from camd.vision.judge import fingerprint, judged
from camd.vision.letterbox import Fit, Tensor, fitted, letterboxed
from camd.vision.model import Model
from camd.vision.picture import Decoded, NoPhotoError, decoded
from camd.vision.suppress import MOST_CANDIDATES, Found
from camd.vision.thresholds import Thresholds
from camd.vision.tiles import Tile, merged, tiles
from camd.vision.wanted import Limits, Seen, Wanted

Views = list[tuple[Tile, Found]]


@frozen(eq=False)
class Opened:
    """:ivar picture: None: it does not decode.
    :ivar tiles: what the network is to look at, in this order.
    """

    picture: Decoded | None
    flags: frozenset[Flag]
    fingerprint: bytes
    tiles: tuple[Tile, ...]


@frozen(eq=False)
class View:
    """What the network sees at once."""

    tile: Tile
    fit: Fit
    tensor: Tensor


@define(eq=False)
class Looker:
    """:ivar model: None: it only judges."""

    model: Model | None
    thresholds: Thresholds = field(factory=Thresholds)
    limits: Limits = field(factory=Limits)

    def look(self, jpeg: bytes, wanted: Wanted) -> Seen:
        """:raises NoPhotoError: it is larger than is looked at, or no model is there to look.
        :raises ModelError: the network fails on it.
        """
        began = time.perf_counter()
        opened = self.open(jpeg, wanted)
        found = [self.find(view, wanted) for view in self.views(opened)]
        return self.seen(opened, found, wanted, time.perf_counter() - began)

    def open(self, jpeg: bytes, wanted: Wanted) -> Opened:
        """Decode and judge it. What cannot be decoded is broken, and a picture all the same.

        :raises NoPhotoError: see `look`.
        """
        if wanted.detect and self.model is None:
            raise NoPhotoError("there is no model to look at it")
        picture = decoded(jpeg, self.limits, large=wanted.detect)
        if picture is None:
            return Opened(None, frozenset({Flag.BROKEN}), b"", ())
        flags = judged(picture.small, self.thresholds) if wanted.judge else frozenset()
        if not picture.whole:
            flags |= {Flag.BROKEN}
        mark = fingerprint(jpeg, picture.small) if wanted.judge else b""
        size = picture.width, picture.height
        wants = wanted.detect and not flags & wanted.useless
        parts = tiles(size, wanted.tile, wanted.overlap, wanted.whole) if wants else ()
        return Opened(picture, flags, mark, tuple(parts))

    def views(self, opened: Opened) -> Iterator[View]:
        """Made one at a time, as they are asked for."""
        for tile in opened.tiles:
            assert opened.picture is not None and opened.picture.pixels is not None
            assert self.model is not None, "without one there are no tiles"
            rows = slice(tile.top, tile.top + tile.height)
            pixels = opened.picture.pixels[rows, tile.left : tile.left + tile.width]
            fit = fitted((tile.width, tile.height), self.model.size, self.model.stride)
            yield View(tile, fit, letterboxed(pixels, fit))

    def find(self, view: View, wanted: Wanted) -> tuple[Tile, Found]:
        """What is there, in pixels of the photo.

        :raises ModelError: the network fails on it.
        """
        assert self.model is not None, "there are views for a model only"
        most = MOST_CANDIDATES if wanted.zones else wanted.most
        found = self.model.find(view.tensor, wanted.confidence, wanted.iou, most)
        corners = view.fit.back(found.corners)
        corners += np.array([view.tile.left, view.tile.top] * 2, np.float32)
        return view.tile, Found(corners, found.scores, found.classes)

    def seen(self, opened: Opened, views: Views, wanted: Wanted, seconds: float) -> Seen:
        """All views of a photo together."""
        picture = opened.picture
        width, height = (picture.width, picture.height) if picture is not None else (0, 0)
        things = None
        if opened.tiles and self.model is not None:
            things = _things(views, (width, height), self.model.classes, wanted)
        return Seen(things, opened.flags, opened.fingerprint, width, height, seconds)


def _things(
    views: Views, picture: tuple[int, int], classes: tuple[str, ...], wanted: Wanted
) -> tuple[Detection, ...]:
    found = views[0][1]
    if len(views) > 1:
        found = merged(picture, views, wanted.overlap, MOST_CANDIDATES)
    each = _detections(found, picture, classes)
    return tuple(thing for thing in each if wanted.zones.counts(thing.box))[: wanted.most]


def _detections(
    found: Found, picture: tuple[int, int], classes: tuple[str, ...]
) -> Iterable[Detection]:
    shares = found.corners / np.array(picture * 2, np.float32)
    for (x1, y1, x2, y2), score, kind in zip(
        shares.tolist(), found.scores.tolist(), found.classes.tolist(), strict=True
    ):
        box = Box(round(x1, 6), round(y1, 6), round(x2 - x1, 6), round(y2 - y1, 6))
        if box.width > 0 and box.height > 0:
            yield Detection(classes[kind], min(1.0, round(score, 4)), box)
