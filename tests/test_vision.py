"""The parts of looking: zones, the letterbox, heads, suppression, tiles."""

import itertools
import math
import random
from collections.abc import Iterator, Sequence

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from twisted.trial.unittest import SynchronousTestCase

from camd.findings import Box
from camd.vision.heads import Head, HeadError, boxes_of, head_of
from camd.vision.letterbox import GREY, fitted, letterboxed
from camd.vision.suppress import Found, suppressed
from camd.vision.tiles import Tile, merged, tiles
from camd.vision.zones import Zones, parse_polygon, parse_zones, within

SQUARE = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
shares = st.floats(0, 1, allow_nan=False)
polygons = st.lists(st.tuples(shares, shares), min_size=3, max_size=8).map(tuple)


def around(x: float, y: float) -> Box:
    return Box(x - 0.01, y - 0.01, 0.02, 0.02)


class ZoneTests(SynchronousTestCase):
    def test_inside_and_outside(self) -> None:
        """Without zones all counts; with some, what lies in one of them and in no hole."""
        hole = ((0.4, 0.4), (0.6, 0.4), (0.5, 0.6))
        for zones, middle, beside, far in (
            (Zones(), True, True, True),
            (Zones((SQUARE,)), True, True, False),
            (Zones((), (hole,)), False, True, True),
            (Zones((SQUARE,), (hole,)), False, True, False),
        ):
            counted = [zones.counts(around(*at)) for at in ((0.5, 0.5), (0.25, 0.5), (0.1, 0.5))]
            self.assertEqual(counted, [middle, beside, far])

    def test_a_boxs_middle_decides(self) -> None:
        """However much of it lies across the border."""
        zones = Zones((SQUARE,))
        self.assertTrue(zones.counts(Box(0.0, 0.3, 0.5, 0.2)))
        self.assertFalse(zones.counts(Box(0.0, 0.3, 0.3, 0.2)))

    def test_concave(self) -> None:
        """The notch of a C is outside."""
        c = parse_polygon(
            [[0, 0], [1, 0], [1, 0.3], [0.4, 0.3], [0.4, 0.7], [1, 0.7], [1, 1], [0, 1]]
        )
        self.assertTrue(within(c, 0.2, 0.5))
        self.assertFalse(within(c, 0.7, 0.5))

    @given(st.lists(polygons, max_size=3), st.lists(polygons, max_size=3))
    def test_there_and_back(self, inside: list[object], outside: list[object]) -> None:
        """As plain lists and read again, zones are the same."""
        zones = parse_zones({"in": inside, "out": outside})
        self.assertEqual(parse_zones(zones.plain()), zones)
        self.assertEqual(bool(zones), bool(inside or outside))

    @given(polygons, shares, shares)
    def test_turned(self, polygon: tuple[tuple[float, float], ...], x: float, y: float) -> None:
        """Which way round, and from which corner on, it is drawn does not matter."""
        assume(all(abs(corner[1] - y) > 1e-9 for corner in polygon))
        there = within(polygon, x, y)
        turned = polygon[1:] + polygon[:1]
        self.assertEqual(within(turned, x, y), there)
        distance = min(
            abs(_across(one, other, x, y))
            for one, other in itertools.pairwise((*polygon, polygon[0]))
        )
        if distance > 1e-9:
            self.assertEqual(within(polygon[::-1], x, y), there)

    def test_what_is_none(self) -> None:
        """The error says which polygon and point, and what is wanted."""
        for given_, wanted in (
            ([], 'zones are a table of "in" and "out"'),
            ({"inside": []}, 'zones are a table of "in" and "out"'),
            ({"in": 5}, '"in" is a list of polygons'),
            ({"in": [[[0, 0], [1, 1]]]}, 'polygon "in" 1 is a list of three points'),
            ({"out": [SQUARE, "x" * 9]}, 'polygon "out" 2 is a list of three points'),
            ({"in": [[[0, 0], [1, 1], [0.5]]]}, "point 3: a point is two numbers"),
            ({"in": [[[0, 0], [1, 1], [0.5, 1.5]]]}, "1.5 is no share of the picture: 0 to 1"),
            ({"in": [[[0, 0], [1, 1], [math.nan, 0]]]}, "nan is no share"),
            ({"in": [[[0, 0], [1, 1], [True, 0]]]}, "True is no share"),
            ({"in": [SQUARE] * 51}, "50 at most"),
            ({"in": [[[0.1, 0.1]] * 201]}, "200 at most"),
        ):
            error = self.assertRaises(ValueError, parse_zones, given_)
            self.assertIn(wanted, str(error))

    @given(st.recursive(st.none() | st.integers() | st.floats() | st.text(max_size=3),
                        lambda inner: st.lists(inner, max_size=4), max_leaves=12))  # fmt: skip
    def test_any_polygon(self, given_: object) -> None:
        """Whatever it is, it is a polygon or a ValueError."""
        try:
            polygon = parse_polygon(given_)
        except ValueError:
            return
        self.assertTrue(len(polygon) >= 3 and all(0 <= n <= 1 for point in polygon for n in point))


def _across(one: tuple[float, float], other: tuple[float, float], x: float, y: float) -> float:
    return (other[0] - one[0]) * (y - one[1]) - (other[1] - one[1]) * (x - one[0])


class LetterboxTests(SynchronousTestCase):
    def test_where_it_lies(self) -> None:
        """The smaller scale, in the middle, the odd pixel of padding behind it."""
        for picture, inner, left, top in (
            ((640, 480), (640, 480), 0, 80),
            ((1600, 1200), (640, 480), 0, 80),
            ((480, 640), (480, 640), 80, 0),
            ((641, 479), (640, 478), 0, 81),
            ((1000, 333), (640, 213), 0, 213),
            ((97, 61), (640, 402), 0, 119),
        ):
            fit = fitted(picture, (640, 640))
            self.assertEqual(
                (fit.size, fit.inner, fit.left, fit.top), ((640, 640), inner, left, top)
            )

    def test_no_wider_than_needed(self) -> None:
        """An input that may be of any size is padded to the stride only."""
        self.assertEqual(fitted((800, 600), (640, 640), 32).size, (640, 480))
        self.assertEqual(fitted((333, 777), (640, 640), 32).size, (288, 640))

    @given(st.integers(1, 4000), st.integers(1, 4000), st.sampled_from((0, 32)))
    def test_back(self, width: int, height: int, stride: int) -> None:
        """The picture's own corners come back as they were, and nothing lies outside of it."""
        assume(max(width, height) / min(width, height) < 300)
        fit = fitted((width, height), (640, 480), stride)
        self.assertTrue(0 <= fit.left <= fit.size[0] - fit.inner[0])
        self.assertTrue(0 <= fit.top <= fit.size[1] - fit.inner[1])
        right, bottom = fit.left + fit.inner[0], fit.top + fit.inner[1]
        inside = np.array([[fit.left, fit.top, right, bottom], [-9, -9, 9999, 9999]], np.float32)
        for x1, y1, x2, y2 in fit.back(inside):
            self.assertEqual((x1, y1), (0, 0))
            self.assertTrue(abs(x2 - width) < 1e-2 and abs(y2 - height) < 1e-2)

    def test_grey_around_it(self) -> None:
        """Red, green and blue are where they belong, and 114 is all around."""
        pixels = np.zeros((10, 20, 4), np.uint8)
        pixels[:] = (200, 100, 50, 255)
        for side in (20, 50):
            tensor = letterboxed(pixels, fitted((20, 10), (side, side)))
            self.assertEqual(tensor.shape, (1, 3, side, side))
            middle = tensor[0, :, side // 2, side // 2] * 255
            self.assertEqual(middle.round(3).tolist(), [200, 100, 50])
            self.assertEqual((tensor[0, :, 0, 0] * 255).round(3).tolist(), [GREY] * 3)

    def test_between_pixels(self) -> None:
        """Twice as large: a quarter and three quarters, at pixel centres; half as large: means of
        the nearest four, however large the picture was."""
        ramp = np.zeros((2, 2, 4), np.uint8)
        ramp[:, 1, 0] = 100
        larger = letterboxed(ramp, fitted((2, 2), (4, 4)))[0, 0] * 255
        self.assertEqual(larger.round(3).tolist(), [[0, 25, 75, 100]] * 4)
        dots = np.zeros((8, 8, 4), np.uint8)
        dots[::4, ::4, 0] = 200
        smaller = letterboxed(dots, fitted((8, 8), (2, 2)))[0, 0] * 255
        self.assertEqual(smaller.round(3).tolist(), [[0, 0], [0, 0]])
        halved = letterboxed(dots, fitted((8, 8), (4, 4)))[0, 0] * 255
        self.assertEqual(halved.round(3).tolist(), [[50, 0, 50, 0], [0] * 4] * 2)


def found(*rows: tuple[float, float, float, float, float, int]) -> Found:
    """Of x1 y1 x2 y2, score and class."""
    given_ = np.array(rows, np.float64).reshape(-1, 6)
    return Found(
        given_[:, :4].astype(np.float32),
        given_[:, 4].astype(np.float32),
        given_[:, 5].astype(np.intp),
    )


def rows(of: Found) -> list[tuple[float, ...]]:
    return [
        (*(float(each) for each in corners), round(float(score), 3), int(kind))
        for corners, score, kind in zip(of.corners, of.scores, of.classes, strict=True)
    ]


places = st.integers(0, 60)
any_rows = st.lists(
    st.builds(
        lambda x, y, w, h, score, kind: (x, y, x + w, y + h, score / 1000, kind),
        places, places, st.integers(1, 30), st.integers(1, 30),
        st.integers(1, 999), st.integers(0, 2),
    ),
    max_size=30,
)  # fmt: skip


def iou(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    boxes = [Box(float(x), float(y), float(u - x), float(v - y)) for x, y, u, v in (one, other)]
    return boxes[0].iou(boxes[1])


class SuppressionTests(SynchronousTestCase):
    def test_around_one_thing(self) -> None:
        """The surest of a class stays, and each class has its own; the surest come first."""
        boxes = found(
            (0, 0, 10, 10, 0.6, 0), (0, 1, 10, 10, 0.9, 0),
            (0, 0, 10, 9, 0.7, 1), (5, 5, 15, 15, 0.8, 0),
        )  # fmt: skip
        self.assertEqual([row[4] for row in rows(suppressed(boxes, 0.7, 300))], [0.9, 0.8, 0.7])
        self.assertEqual(
            [row[4] for row in rows(suppressed(boxes, 0.95, 300))], [0.9, 0.8, 0.7, 0.6]
        )
        self.assertEqual([row[4] for row in rows(suppressed(boxes, 0.7, 2))], [0.9, 0.8])

    def test_exactly_the_bound(self) -> None:
        """Boxes that share just as much as is allowed both stay."""
        boxes = found((0, 0, 10, 10, 0.9, 0), (0, 0, 10, 5, 0.8, 0))
        self.assertEqual(len(suppressed(boxes, 0.5, 300)), 2)
        self.assertEqual(len(suppressed(boxes, 0.49, 300)), 1)

    def test_less_than_nothing(self) -> None:
        """A box that ends before it begins takes no other with it."""
        boxes = found((5, 0, 0, 9, 0.9, 0), (1, 1, 4, 4, 0.8, 0), (30, 30, 20, 20, 0.7, 0))
        self.assertEqual(len(suppressed(boxes, 0.7, 300)), 3)

    @given(any_rows, st.floats(0.1, 0.9), st.integers(1, 30))
    def test_of_any(self, given_: list[tuple[float, ...]], bound: float, most: int) -> None:
        """No two that stay share too much; each that goes shares too much with a surer one that
        stays, or there was no room; and to do it twice changes nothing."""
        boxes = found(*given_)  # type: ignore[arg-type]
        stay = suppressed(boxes, bound, most)
        self.assertLessEqual(len(stay), most)
        self.assertEqual(sorted(stay.scores, reverse=True), list(stay.scores))
        for one, other in itertools.combinations(range(len(stay)), 2):
            if stay.classes[one] == stay.classes[other]:
                self.assertLessEqual(iou(stay.corners[one], stay.corners[other]), bound + 1e-5)
        kept = rows(stay)
        if len(stay) < most:
            for at, row in enumerate(rows(boxes)):
                near = [
                    iou(boxes.corners[at], corners)
                    for corners, score, kind in zip(
                        stay.corners, stay.scores, stay.classes, strict=True
                    )
                    if kind == boxes.classes[at] and score >= boxes.scores[at]
                ]
                self.assertTrue(row in kept or max(near, default=0.0) > bound - 1e-5)
        self.assertEqual(rows(suppressed(stay, bound, most)), kept)


class HeadTests(SynchronousTestCase):
    def test_told_apart(self) -> None:
        """By shape and classes, and where those leave it open by what the model says of itself."""
        for shape, classes, once, head in (
            ((1, 84, 8400), 80, None, Head.ANCHOR_FREE),
            ((1, 5, 8400), 1, False, Head.ANCHOR_FREE),
            ((1, 25200, 85), 80, None, Head.OBJECTNESS),
            ((1, 300, 6), 80, None, Head.END_TO_END),
            ((1, 300, 6), 80, True, Head.END_TO_END),
            ((1, 300, 6), 296, None, Head.END_TO_END),
            ((1, 300, 6), 1, None, Head.END_TO_END),
            ((1, 25200, 6), 1, None, Head.OBJECTNESS),
            ((1, 300, 6), 1, False, Head.OBJECTNESS),
            ((1, 25200, 6), 1, True, Head.END_TO_END),
        ):
            self.assertIs(head_of(shape, classes, (640, 640), once), head, (shape, classes, once))

    @given(st.lists(st.integers(0, 400), max_size=5), st.integers(1, 90),
           st.sampled_from((None, True, False)))  # fmt: skip
    def test_any_shape(self, shape: list[int], classes: int, once: bool | None) -> None:
        """It is a head whose numbers are where they are looked for, or an error that says what
        was given and what is wanted."""
        try:
            head = head_of(shape, classes, (640, 640), once)
        except HeadError as error:
            self.assertIn(" x ".join(str(each) for each in shape), str(error))
            return
        at = {Head.ANCHOR_FREE: 1, Head.OBJECTNESS: 2, Head.END_TO_END: 2}[head]
        wanted = {Head.ANCHOR_FREE: 4 + classes, Head.OBJECTNESS: 5 + classes, Head.END_TO_END: 6}
        self.assertEqual(shape[at], wanted[head])

    def test_the_same_in_each(self) -> None:
        """Two things, one of them seen twice, whatever the head: two boxes."""
        free = np.array(
            [[10, 11, 50], [10, 10, 40], [8, 8, 20], [6, 6, 10], [0.9, 0.5, 0.1], [0.2, 0.1, 0.8]],
            np.float32,
        )[None]
        objectness = np.concatenate(
            (free[:, :4], np.full((1, 1, 3), 0.5, np.float32), free[:, 4:]), axis=1
        ).transpose(0, 2, 1)
        once = np.array(
            [[6, 7, 14, 13, 0.9, 0], [40, 35, 60, 45, 0.8, 1], [0, 0, 0, 0, 0, 0]], np.float32
        )[None]
        wanted = [(6, 7, 14, 13, 0.9, 0), (40, 35, 60, 45, 0.8, 1)]
        self.assertEqual(rows(boxes_of(Head.ANCHOR_FREE, free, 0.25, 0.7, 300)), wanted)
        self.assertEqual(rows(boxes_of(Head.END_TO_END, once, 0.25, 0.7, 300)), wanted)
        halves = [(*row[:4], row[4] / 2, row[5]) for row in wanted]
        self.assertEqual(rows(boxes_of(Head.OBJECTNESS, objectness, 0.25, 0.7, 300)), halves)

    def test_classes_that_are_one(self) -> None:
        """One thing that is of two classes which are one is one thing, whatever the head; classes
        that the network has not got are nothing."""
        alike = np.array([0, 1, 1])
        free = np.array(
            [[10, 11, 50], [10, 10, 40], [8, 8, 20], [6, 6, 10],
             [0.1, 0.1, 0.1], [0.9, 0.1, 0.1], [0.1, 0.7, 0.8]], np.float32,
        )[None]  # fmt: skip
        objectness = np.concatenate(
            (free[:, :4], np.ones((1, 1, 3), np.float32), free[:, 4:]), axis=1
        ).transpose(0, 2, 1)
        once = np.array(
            [[6, 7, 14, 13, 0.9, 1], [7, 7, 15, 13, 0.7, 2], [40, 35, 60, 45, 0.8, 2],
             [1, 1, 9, 9, 0.6, 3], [1, 1, 9, 9, 0.6, -1]], np.float32
        )[None]  # fmt: skip
        wanted = [(6, 7, 14, 13, 0.9, 1), (40, 35, 60, 45, 0.8, 1)]
        for head, output in (
            (Head.ANCHOR_FREE, free), (Head.OBJECTNESS, objectness), (Head.END_TO_END, once),
        ):  # fmt: skip
            self.assertEqual(
                rows(boxes_of(head, output, 0.25, 0.6, 300, alike=alike)), wanted, head
            )

    def test_nothing(self) -> None:
        """Where nothing is sure enough there are no boxes; what is no number is not sure."""
        for head, shape in (
            (Head.ANCHOR_FREE, (1, 6, 50)),
            (Head.OBJECTNESS, (1, 50, 7)),
            (Head.END_TO_END, (1, 50, 6)),
        ):
            for value in (0.0, math.nan):
                output = np.full(shape, value, np.float32)
                self.assertEqual(rows(boxes_of(head, output, 0.25, 0.7, 300)), [])


def pieces(
    tile: Tile, things: Sequence[tuple[int, int, int, int]], by: random.Random
) -> Iterator[tuple[float, float, float, float, float, int]]:
    """What a network that errs in nothing says of *things* where it sees the *tile* alone."""
    for x1, y1, x2, y2 in things:
        left, top = max(x1, tile.left), max(y1, tile.top)
        right, bottom = min(x2, tile.left + tile.width), min(y2, tile.top + tile.height)
        if right - left >= 5 and bottom - top >= 5:
            yield left, top, right, bottom, round(by.uniform(0.3, 0.9), 3), 0


class TileTests(SynchronousTestCase):
    def test_small_pictures_are_whole(self) -> None:
        """No tiles where none are wanted, or one would do."""
        for side in (0, 640, 700):
            self.assertEqual(tiles((640, 480), side, 0.2, True), [Tile(0, 0, 640, 480)])

    @given(st.integers(1, 3000), st.integers(1, 3000), st.integers(64, 1280), st.floats(0, 0.8),
           st.booleans())  # fmt: skip
    def test_all_is_seen(
        self, width: int, height: int, side: int, overlap: float, whole: bool
    ) -> None:
        """From edge to edge, neighbours overlap by the share at least, none is larger than asked
        or sticks out."""
        assume(max(width, height) > side)
        squares = tiles((width, height), side, overlap, whole)
        if whole:
            self.assertEqual(squares.pop(0), Tile(0, 0, width, height))
        for length, parts in (
            (width, sorted({(tile.left, tile.width) for tile in squares})),
            (height, sorted({(tile.top, tile.height) for tile in squares})),
        ):
            self.assertEqual(parts[0][0], 0)
            self.assertEqual(sum(parts[-1]), length)
            for (start, long), (following, _) in itertools.pairwise(parts):
                self.assertLessEqual(long, side)
                self.assertGreaterEqual(start + long - following, math.floor(side * overlap) - 1)

    def merge(self, *views: tuple[Tile, Found]) -> list[tuple[float, ...]]:
        return rows(merged((1000, 600), views, 0.2, 300))

    LEFT, RIGHT = Tile(0, 0, 600, 600), Tile(400, 0, 600, 600)
    ALL = Tile(0, 0, 1000, 600)

    def test_in_two_tiles(self) -> None:
        """What both see is one, even if they do not see it quite alike; the surer box stays."""
        one, other = (500, 100, 510, 112, 0.8, 0), (502, 101, 511, 113, 0.9, 0)
        seen = self.merge((self.LEFT, found(one)), (self.RIGHT, found(other)))
        self.assertEqual(seen, [other])

    def test_side_by_side(self) -> None:
        """Two that touch are two for each tile, and two in all; another class is another thing."""
        two = (500, 100, 520, 120, 0.8, 0), (512, 100, 532, 120, 0.7, 0)
        other = (500, 100, 520, 120, 0.6, 1)
        seen = self.merge((self.LEFT, found(*two)), (self.RIGHT, found(*two, other)))
        self.assertEqual(seen, [*two, other])

    def test_cut_by_an_edge(self) -> None:
        """A piece gives way to the whole, however sure the piece is."""
        piece, whole = (580, 100, 600, 120, 0.95, 0), (580, 100, 640, 120, 0.5, 0)
        for views in (
            ((self.LEFT, found(piece)), (self.RIGHT, found(whole))),
            ((self.RIGHT, found(whole)), (self.LEFT, found(piece))),
        ):
            self.assertEqual(self.merge(*views), [whole])

    def test_longer_than_the_overlap(self) -> None:
        """Two pieces of one thing that nobody saw whole are one; one piece alone counts."""
        left, right = (300, 100, 600, 160, 0.6, 0), (400, 102, 800, 161, 0.7, 0)
        seen = self.merge((self.LEFT, found(left)), (self.RIGHT, found(right)))
        self.assertEqual(seen, [(300, 100, 800, 161, 0.7, 0)])
        self.assertEqual(self.merge((self.LEFT, found(left)), (self.RIGHT, found())), [left])

    def test_the_pictures_edge_cuts_nothing(self) -> None:
        """What the picture itself cuts is as whole as it will be."""
        edge = (0, 0, 20, 20, 0.5, 0)
        near = (2, 2, 40, 40, 0.4, 0)
        seen = self.merge((self.LEFT, found(edge)), (self.RIGHT, found()), (self.ALL, found(near)))
        self.assertEqual(seen, [edge])

    def test_the_whole_picture(self) -> None:
        """It adds what is too large for a tile, and neither small things nor one box over two."""
        large = (300, 100, 800, 400, 0.6, 0)
        small = (50, 50, 60, 60, 0.9, 0)
        one, other = (100, 300, 180, 380, 0.8, 0), (180, 300, 260, 380, 0.7, 0)
        both = (100, 300, 260, 380, 0.9, 0)
        seen = self.merge(
            (self.ALL, found(large, small, both)),
            (self.LEFT, found(one, other)),
            (self.RIGHT, found()),
        )
        self.assertEqual(seen, [one, other, large])

    @settings(max_examples=40)
    @given(st.randoms(use_true_random=False), st.sampled_from([0.05, 0.1, 0.3]), st.booleans(),
           st.booleans())  # fmt: skip
    def test_each_counts_once(
        self, by: random.Random, overlap: float, whole: bool, large: bool
    ) -> None:
        """Whatever lies where, no larger than the overlap or than several tiles, and whatever
        piece of it each tile sees: it is counted once, and where it is."""
        picture, side = by.choice([(1600, 1200), (1280, 720), (700, 1100)]), 320
        most = round(side * (2.5 if large else overlap))
        things: list[tuple[int, int, int, int]] = []
        for _ in range(by.randint(1, 40)):
            width, height = (min(by.randint(10, most), long) for long in picture)
            left, top = by.randint(0, picture[0] - width), by.randint(0, picture[1] - height)
            if all(left + width < a or c < left or top + height < b or d < top
                   for a, b, c, d in things):  # fmt: skip
                things.append((left, top, left + width, top + height))
        views = [
            (tile, found(*pieces(tile, things, by)))
            for tile in tiles(picture, side, overlap, whole)
        ]
        seen = rows(merged(picture, views, overlap, 10_000))
        self.assertEqual(sorted(box[:4] for box in seen), sorted(things))

    def test_pieces_of_many_tiles(self) -> None:
        """Large pieces of one thing are one, however little of each its neighbour sees."""
        left, middle, right = (Tile(at, 0, 360, 600) for at in (0, 320, 640))
        seen = self.merge(
            (left, found((50, 100, 360, 200, 0.5, 0))),
            (middle, found((320, 102, 680, 201, 0.7, 0))),
            (right, found((640, 101, 990, 199, 0.6, 0))),
        )
        self.assertEqual(seen, [(50, 100, 990, 201, 0.7, 0)])

    @given(any_rows)
    def test_one_view_loses_nothing(self, given_: list[tuple[float, ...]]) -> None:
        """What a single view could tell apart stays apart."""
        boxes = found(*given_)  # type: ignore[arg-type]
        seen = self.merge((self.LEFT, boxes))
        self.assertEqual(sorted(seen), sorted(rows(boxes)))
