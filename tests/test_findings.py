"""What is on a photo, by a model's and a person's word."""

import random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from camd import findings
from camd.findings import (
    SAME,
    Annotation,
    Box,
    Detection,
    Flag,
    bits_of,
    flags_of,
    fresh,
    lately,
    outranked,
    parse_box,
    parse_class,
)

FLY = Detection("whitefly", 0.8, Box(0.1, 0.1, 0.1, 0.1))
GNAT = Detection("gnat", 0.6, Box(0.5, 0.5, 0.1, 0.1))

shares = st.floats(0, 1, allow_nan=False)
boxes = st.builds(Box, shares, shares, st.floats(0.001, 1), st.floats(0.001, 1))
detections = st.lists(st.builds(Detection, st.sampled_from("ab"), shares, boxes), max_size=8)


def apart(one: Box, other: Box) -> float:
    """Between their centres, in halves of their mean size; 2 where one is much the larger."""
    if max(one.area, other.area) > 4 * min(one.area, other.area):
        return 2.0
    (x, y), (u, v) = one.centre, other.centre
    wide, high = (one.width + other.width) / 4, (one.height + other.height) / 4
    return float((((x - u) / wide) ** 2 + ((y - v) / high) ** 2) ** 0.5)


class BoxTests(SynchronousTestCase):
    def test_iou(self) -> None:
        """The same box is 1, half of it a third, one beside it 0."""
        box = Box(0.2, 0.2, 0.2, 0.2)
        self.assertAlmostEqual(box.iou(box), 1.0)
        self.assertAlmostEqual(box.iou(Box(0.3, 0.2, 0.2, 0.2)), 1 / 3)
        self.assertEqual(box.iou(Box(0.4, 0.2, 0.2, 0.2)), 0.0)

    @given(boxes, boxes)
    def test_iou_of_any(self, one: Box, other: Box) -> None:
        """It is a share, the same both ways."""
        self.assertTrue(0 <= one.iou(other) <= 1 + 1e-9)
        self.assertAlmostEqual(one.iou(other), other.iou(one))

    @given(st.lists(st.one_of(st.floats(), st.integers(), st.text(), st.booleans()), max_size=5))
    def test_parse_any(self, numbers: list[object]) -> None:
        """Whatever is given, a box lies on the picture, or it is none."""
        try:
            box = parse_box(numbers)
        except ValueError:
            return
        self.assertTrue(0 <= box.x < box.x + box.width <= 1 + 1e-9)
        self.assertTrue(0 <= box.y < box.y + box.height <= 1 + 1e-9)

    def test_parse_cuts(self) -> None:
        """What reaches over the edge ends there."""
        self.assertEqual(parse_box([-0.5, 0.5, 1, 1]), Box(0, 0.5, 0.5, 0.5))
        self.assertRaises(ValueError, parse_box, [1.5, 0.5, 1, 1])
        self.assertRaises(ValueError, parse_box, [0, 0, True, 1])

    def test_classes(self) -> None:
        """A class has a name that can be printed."""
        self.assertEqual(parse_class(" Trialeurodes vaporariorum "), "Trialeurodes vaporariorum")
        for wrong in ("", "  ", "a\nb", "x" * 101, 7, None):
            self.assertRaises(ValueError, parse_class, wrong)


class FlagTests(SynchronousTestCase):
    @given(st.sets(st.sampled_from(Flag)))
    def test_bits(self, flags: set[Flag]) -> None:
        """Flags come back from their number."""
        self.assertEqual(flags_of(bits_of(flags)), flags)

    def test_the_numbers_are_for_ever(self) -> None:
        """Catalogs hold them."""
        self.assertEqual([flag.bit for flag in Flag], [1, 2, 4, 8, 16, 32, 64])


class OutrankedTests(SynchronousTestCase):
    def test_nobody_spoke(self) -> None:
        """The model's word stands."""
        self.assertEqual(outranked((FLY, GNAT), (), done=False), (FLY, GNAT))

    def test_wrong_and_renamed(self) -> None:
        """What a person denied is not there; what a person named otherwise has that name once."""
        near = Box(0.11, 0.1, 0.1, 0.1)
        said = (Annotation("thrips", near), Annotation("gnat", GNAT.box, right=False))
        (left,) = outranked((FLY, GNAT), said, done=False)
        self.assertEqual((left.label, left.score, left.box), ("thrips", 1.0, near))

    def test_done(self) -> None:
        """Of a photo that a person is through with, only that person's word counts."""
        self.assertEqual(outranked((FLY, GNAT), (), done=True), ())

    @given(detections)
    def test_confirmed(self, found: list[Detection]) -> None:
        """Who confirms all changes no count."""
        said = [Annotation(d.label, d.box) for d in found]
        self.assertEqual(len(outranked(found, said, done=True)), len(found))


class FreshTests(SynchronousTestCase):
    def test_what_stays_is_not_new(self) -> None:
        """An insect that sticks is counted once, though the trap sways."""
        swayed = Detection("whitefly", 0.7, Box(0.13, 0.12, 0.1, 0.1))
        self.assertEqual(fresh([FLY], [swayed, GNAT]), [False, True])

    def test_one_for_one(self) -> None:
        """Two where one was: one of them is new."""
        self.assertEqual(sorted(fresh([FLY], [FLY, FLY])), [False, True])

    def test_classes_are_apart(self) -> None:
        """Another class in the same place is new."""
        self.assertEqual(fresh([FLY], [Detection("gnat", 0.9, FLY.box)]), [True])

    def test_overlooked(self) -> None:
        """What is on no photo of late is new; what one of them lacks is not, and stands for one."""
        for photos, new in (
            ([(), (FLY,)], [False, True]),
            ([(FLY,), (), (FLY,)], [False, True]),
            ([(GNAT,), (FLY, FLY)], [False, False]),
            ([(), ()], [True, True]),
        ):
            self.assertEqual(fresh(lately(photos), [FLY, FLY]), new)
        self.assertEqual(lately([(FLY,), (GNAT, FLY), (GNAT,)]), [FLY, GNAT])

    def test_a_crowd(self) -> None:
        """Of thousands on one spot, as a network without bounds gives them, few pairs are looked
        at: all of them would keep the catalog for minutes."""
        by = random.Random(0)

        def crowd() -> list[Detection]:
            places = ((by.uniform(0.5, 0.53), by.uniform(0.5, 0.53)) for _ in range(1000))
            return [Detection("gnat", 0.5, Box(x, y, 0.05, 0.05)) for x, y in places]

        pairs = 0

        def counted(one: Box, other: Box) -> float:
            nonlocal pairs
            pairs += 1
            return distance(one, other)

        distance = findings._distance
        self.patch(findings, "_distance", counted)
        self.assertLess(sum(fresh(crowd(), crowd())), 10)
        self.assertEqual(sum(fresh([GNAT] * 1000, [GNAT] * 1000)), 0)
        self.assertLess(pairs, 100_000)

    @given(detections, detections)
    def test_of_any(self, before: list[Detection], now: list[Detection]) -> None:
        """Never more are known than there were; the same photo again brings nothing new."""
        new = fresh(before, now)
        self.assertEqual(len(new), len(now))
        self.assertLessEqual(new.count(False), len(before))
        self.assertFalse(any(fresh(now, now)))

    @given(detections, detections)
    def test_nothing_near_is_left_out(self, before: list[Detection], now: list[Detection]) -> None:
        """As many are known again as where every pair is looked at, and so for a person's word."""
        free = [True] * len(before)
        pairs = sorted(
            (distance, at, index)
            for at, one in enumerate(now)
            for index, other in enumerate(before)
            if one.label == other.label and (distance := apart(other.box, one.box)) <= 1
        )
        seen = set()
        for _, at, index in pairs:
            if at not in seen and free[index]:
                seen.add(at)
                free[index] = False
        self.assertEqual(fresh(before, now), [at not in seen for at in range(len(now))])
        said = [Annotation(each.label, each.box, right=False) for each in before]
        left = [one for one in now if all(one.box.iou(each.box) < SAME for each in said)]
        self.assertEqual(list(outranked(now, said, False)), left)
