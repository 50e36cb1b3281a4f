"""Many deadlines on one wheel: each is kept, none early, and moving one leaves nothing behind."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from camd.ingest.deadlines import NEVER, Deadlines


class Item:
    """Remembers when it was overdue."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.due = NEVER
        self.slot = 0
        self.told: list[float] = []

    def overdue(self) -> None:
        self.told.append(self.clock.seconds())
        self.due = NEVER


class Wheel(SynchronousTestCase):
    """`Deadlines`, turned once a second."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.wheel = Deadlines(self.clock.seconds)

    def turn(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            self.wheel.tick()

    def test_kept(self) -> None:
        """A deadline is told once, at most a second late, never early."""
        item = Item(self.clock)
        self.wheel.watch(item, 10.4)
        self.turn(10)
        self.assertEqual(item.told, [])
        self.turn(5)
        self.assertEqual(item.told, [11.0])

    def test_moved(self) -> None:
        """One that is moved on is told at the later time, one brought forward at the earlier."""
        later, sooner = Item(self.clock), Item(self.clock)
        self.wheel.watch(later, 5)
        self.wheel.watch(sooner, 60)
        self.wheel.watch(later, 20)
        self.wheel.watch(sooner, 8)
        self.turn(70)
        self.assertEqual((later.told, sooner.told), ([20.0], [8.0]))

    def test_taken_back(self) -> None:
        item = Item(self.clock)
        self.wheel.watch(item, 5)
        item.due = NEVER
        self.turn(10)
        self.assertEqual(item.told, [])

    def test_a_busy_board_leaves_nothing_behind(self) -> None:
        """A deadline that swings between near and far, as with every photo of a board, does not
        pile up on the wheel."""
        item = Item(self.clock)
        for _ in range(300):
            for _ in range(20):
                self.wheel.watch(item, self.clock.seconds() + 60)
                self.wheel.watch(item, self.clock.seconds() + 10)
            self.turn(1)
        self.assertLess(sum(map(len, self.wheel._slots.values())), 70)
        self.turn(11)
        self.assertEqual(len(item.told), 1)

    def test_one_that_fails_hurts_nobody(self) -> None:
        """The others of its second are told all the same."""

        class Bad(Item):
            def overdue(self) -> None:
                raise RuntimeError("no")

        bad, good = Bad(self.clock), Item(self.clock)
        self.wheel.watch(bad, 3)
        self.wheel.watch(good, 3)
        self.turn(4)
        self.assertEqual(good.told, [3.0])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    @given(
        st.lists(
            st.tuples(st.integers(0, 4), st.floats(0, 40), st.booleans()), min_size=1, max_size=40
        )
    )
    @settings(max_examples=80)
    def test_whatever_is_done(self, steps: list[tuple[int, float, bool]]) -> None:
        """Over any moves, an item is told once its last deadline has passed, within a second."""
        clock = Clock()
        wheel = Deadlines(clock.seconds)
        items = [Item(clock) for _ in range(5)]
        for which, seconds, turn in steps:
            wheel.watch(items[which], clock.seconds() + seconds)
            if turn:
                clock.advance(1)
                wheel.tick()
        last = {id(item): item.due for item in items}
        for _ in range(60):
            clock.advance(1)
            wheel.tick()
        for item in items:
            due = last[id(item)]
            if due != NEVER:
                self.assertTrue(due <= item.told[-1] <= due + 2)
