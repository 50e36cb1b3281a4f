"""News reaches everybody who listens, once, whoever else fails."""

from twisted.trial.unittest import SynchronousTestCase

from camd.live import Live
from camd.news import Item, Kind, News
from camd.photo import CameraId

CAMERA = CameraId("trap")


class Telling(SynchronousTestCase):
    """`News`."""

    def setUp(self) -> None:
        self.time = 1_786_832_103.0
        self.news = News(lambda: self.time, keep=5)

    def test_numbers(self) -> None:
        """Each item has the next number, and the newest are there for who comes late."""
        first = self.news.number
        for number in range(1, 9):
            item = self.news.tell(Kind.CAME, CAMERA, str(number))
            self.assertEqual(item.number, first + number)
        self.assertEqual([item.text for item in self.news.recent()], ["4", "5", "6", "7", "8"])
        self.assertEqual([item.text for item in self.news.recent(2)], ["7", "8"])
        self.assertEqual([item.text for item in self.news.recent(after=first + 6)], ["7", "8"])

    def test_another_life(self) -> None:
        """After a restart no number is one that was before it."""
        for _ in range(100):
            self.news.tell(Kind.CAME, CAMERA, "before")
        self.time += 1
        again = News(lambda: self.time).tell(Kind.CAME, CAMERA, "after")
        self.assertGreater(again.number, self.news.number)

    def test_listeners(self) -> None:
        """All hear; one that fails misses that item only, one that has left hears no more, and
        leaving twice does no harm."""
        heard: list[Item] = []
        calls: list[int] = []

        def failing(item: Item) -> None:
            calls.append(item.number)
            raise RuntimeError("a listener")

        self.news.listen(failing)
        stop = self.news.listen(heard.append)
        self.news.tell(Kind.LEFT, CAMERA, "one")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        stop()
        stop()
        self.news.tell(Kind.LEFT, None, "two")
        self.flushLoggedErrors(RuntimeError)
        self.assertEqual([item.text for item in heard], ["one"])
        self.assertEqual(len(calls), 2)

    def test_leaves_while_hearing(self) -> None:
        """A listener that leaves in the middle of an item takes it from nobody."""
        heard: list[Item] = []
        stops = [self.news.listen(lambda item: stops[0]())]
        self.news.listen(heard.append)
        self.news.tell(Kind.BACK, CAMERA, "one")
        self.assertEqual(len(heard), 1)

    def test_line(self) -> None:
        """An item is a line for people."""
        item = self.news.tell(Kind.SILENT, CAMERA, "no photo")
        self.assertEqual(str(item), "2026-08-15 22:15:03Z  silent    trap  no photo")


class Watching(SynchronousTestCase):
    """`Live`."""

    def test_attention(self) -> None:
        """The first viewer and the last one's leaving are told, once each."""
        told: list[tuple[str, bool]] = []
        live = Live([lambda camera, watched: told.append((camera, watched))])
        first, second = (live.watch(CAMERA, lambda chunks: None) for _ in range(2))
        self.assertTrue(live.watched(CAMERA))
        self.assertEqual(live.viewers, 2)
        first()
        first()
        self.assertEqual(told, [(CAMERA, True)])
        second()
        self.assertEqual(told, [(CAMERA, True), (CAMERA, False)])
        self.assertFalse(live.watched(CAMERA))

    def test_viewers(self) -> None:
        """All see the same picture; one that fails does not keep it from the others."""
        live = Live()
        seen: list[object] = []

        def failing(chunks: object) -> None:
            raise RuntimeError("a viewer")

        live.watch(CAMERA, failing)
        live.watch(CAMERA, seen.append)
        live.show(CAMERA, (b"picture",))
        live.show(CameraId("other"), (b"picture",))
        self.assertEqual(seen, [(b"picture",)])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
