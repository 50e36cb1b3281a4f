"""Quarters of an hour become hours, days and nights, in every time zone."""

import csv
import io
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from camd.photo import CameraId
from camd.store.findings import STEP_MS, Count
from camd.web.counts import COLUMNS, STEP, By, grouped, span_of, table

TRAP, OTHER = CameraId("trap-1"), CameraId("trap-2")
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = tuple(
    map(ZoneInfo, ("Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu",
                   "Pacific/Apia", "Africa/Cairo", "UTC"))
)  # fmt: skip
"""Clocks that are changed by an hour, by half an hour, at midnight, by a whole day, and never."""

quarters = st.integers(1_000_000_000 // STEP, 1_900_000_000 // STEP).map(lambda at: at * STEP)
numbers = st.integers(1, 50)
counts = st.lists(
    st.builds(
        Count, quarters.map(lambda at: at * 1000), st.sampled_from((TRAP, OTHER)),
        st.sampled_from(("gnat", "thrips")), numbers, numbers, st.integers(0, 50), numbers,
    ),
    max_size=30,
)  # fmt: skip


def at(text: str, fold: int = 0) -> int:
    """Unix seconds of a moment in Berlin."""
    return round(datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp())


class Spans(SynchronousTestCase):
    @given(quarters, st.sampled_from(By), st.sampled_from(ZONES))
    def test_whole(self, quarter: int, by: By, zone: ZoneInfo) -> None:
        """A quarter of an hour lies in its span, all others in that span say the same, and the
        next one begins where it ends."""
        span = since, until, _ = span_of(quarter, by, zone)
        self.assertTrue(since <= quarter < until)
        self.assertEqual((since % STEP, until % STEP), (0, 0))
        self.assertEqual(span_of(since, by, zone), span)
        self.assertEqual(span_of(until - STEP, by, zone), span)
        self.assertEqual(span_of(until, by, zone)[0], until)

    @given(quarters, st.sampled_from(ZONES))
    def test_named_where_the_camera_is(self, quarter: int, zone: ZoneInfo) -> None:
        """The name is that of the hour, of the day, and of the day on whose noon it began."""
        local = datetime.fromtimestamp(quarter, zone).replace(tzinfo=None)
        self.assertEqual(span_of(quarter, By.HOUR, zone)[2], local.strftime("%Y-%m-%dT%H"))
        self.assertEqual(span_of(quarter, By.DAY, zone)[2], local.strftime("%Y-%m-%d"))
        evening = local - timedelta(hours=12)
        self.assertEqual(span_of(quarter, By.NIGHT, zone)[2], evening.strftime("%Y-%m-%d"))

    def test_clocks_are_changed(self) -> None:
        """The night on which it is done is an hour shorter or longer; an hour that comes twice
        is counted as two."""
        spring = span_of(at("2026-03-29T03:00"), By.NIGHT, BERLIN)
        self.assertEqual(spring, (at("2026-03-28T12:00"), at("2026-03-29T12:00"), "2026-03-28"))
        self.assertEqual(spring[1] - spring[0], 23 * 3600)
        autumn = span_of(at("2026-10-25T02:30"), By.DAY, BERLIN)
        self.assertEqual(autumn[1] - autumn[0], 25 * 3600)
        first, second = (span_of(at("2026-10-25T02:30", fold), By.HOUR, BERLIN) for fold in (0, 1))
        self.assertEqual((first[2], second[2]), ("2026-10-25T02", "2026-10-25T02"))
        self.assertEqual(first[1], second[0])


class Groups(SynchronousTestCase):
    @given(counts, st.sampled_from(By), st.sampled_from(ZONES), st.sampled_from(ZONES))
    def test_nothing_is_lost(
        self, told: list[Count], by: By, here: ZoneInfo, there: ZoneInfo
    ) -> None:
        """All that was counted is in the groups, each camera's in its own zone; they are in the
        order of time, and none is there twice."""
        zones = {TRAP: here, OTHER: there}
        groups = grouped(told, by, zones.__getitem__)
        for mine, theirs in (("photos", "photos"), ("total", "total"), ("fresh", "fresh")):
            self.assertEqual(sum(getattr(group, mine) for group in groups),
                             sum(getattr(count, theirs) for count in told))  # fmt: skip
        self.assertEqual(max((group.most for group in groups), default=0),
                         max((count.most for count in told), default=0))  # fmt: skip
        keys = [(group.since, group.camera, group.label) for group in groups]
        self.assertEqual(keys, sorted(set(keys)))
        for group in groups:
            self.assertEqual(
                span_of(group.since, by, zones[group.camera]),
                (group.since, group.until, group.name),
            )

    def test_the_most_on_one_photo(self) -> None:
        """Totals are added, the most on one photo is not."""
        begin = at("2026-06-01T22:00") * 1000
        told = [Count(begin, TRAP, "gnat", 4, 40, 3, 12),
                Count(begin + STEP_MS, TRAP, "gnat", 2, 20, 1, 11)]  # fmt: skip
        (group,) = grouped(told, By.NIGHT, lambda _: BERLIN)
        self.assertEqual((group.photos, group.total, group.fresh, group.most), (6, 60, 4, 12))

    def test_no_formulas(self) -> None:
        """A spreadsheet computes nothing that somebody called an insect."""
        for label, cell in (
            ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'), ("@a", "'@a"), ("+a", "'+a"),
            ("-a", "'-a"), (" =a", "' =a"), ("gnat, =a", "gnat, =a"), ("粉虱", "粉虱"),
        ):  # fmt: skip
            groups = grouped([Count(0, TRAP, label, 1, 1, 1, 1)], By.DAY, lambda _: BERLIN)
            _, row = csv.reader(io.StringIO(table(groups, lambda _: BERLIN), newline=""))
            self.assertEqual(row[1], cell)

    @given(counts, st.sampled_from(By), st.sampled_from(ZONES))
    def test_table(self, told: list[Count], by: By, zone: ZoneInfo) -> None:
        """The table reads back as the same."""
        groups = grouped(told, by, lambda _: zone)
        head, *rows = csv.reader(io.StringIO(table(groups, lambda _: zone), newline=""))
        self.assertEqual(tuple(head), COLUMNS)
        for group, row in zip(groups, rows, strict=True):
            self.assertEqual(row[:2], [group.camera, group.label])
            self.assertEqual([round(datetime.fromisoformat(text).timestamp()) for text in row[2:4]],
                             [group.since, group.until])  # fmt: skip
            self.assertEqual([int(text) for text in row[5:]],
                             [group.photos, group.total, group.fresh, group.most])  # fmt: skip
