"""A photo's name says what it is: written and read again, nothing is lost."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from camd.photo import MAX_SEQ, Boot, CameraId, is_camera_id
from camd.store.naming import (
    AHEAD_SANE,
    OLDEST_SANE,
    PhotoName,
    flat_name,
    moment,
    parse_flat_name,
    parse_photo_name,
    photo_name,
    session_day,
)

cameras = st.from_regex(r"[a-z0-9]([a-z0-9_.-]{0,62}[a-z0-9])?", fullmatch=True).filter(
    is_camera_id
)
boots = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)
seqs = st.integers(1, MAX_SEQ)
times = st.floats(0, 4_102_444_800, allow_nan=False)


class Names(SynchronousTestCase):
    def test_example(self) -> None:
        """The name that the documentation shows."""
        when = datetime(2026, 8, 15, 22, 15, 3, tzinfo=UTC).timestamp()
        name = photo_name(CameraId("greenhouse-1"), when, Boot("00c0ffee00c0ffee"), 17)
        self.assertEqual(name, "greenhouse-1_20260815-221503_00c0ffee00c0ffee-17.jpg")

    @given(cameras, times, boots, seqs)
    def test_round_trip(self, camera: str, when: float, boot: str, seq: int) -> None:
        """What is written into a name is read out of it, the time in whole seconds; the name
        is one part of a path, and not hidden."""
        name = photo_name(CameraId(camera), when, Boot(boot), seq)
        self.assertEqual(
            parse_photo_name(name),
            PhotoName(CameraId(camera), float(int(when)), Boot(boot), seq),
        )
        self.assertNotIn("/", name)
        self.assertFalse(name.startswith("."))

    @given(st.text(max_size=80))
    def test_any_text(self, text: str) -> None:
        """Whatever is taken for a name of ours would be written just so."""
        for name in (text, f"a_20260815-221503_{text}.jpg", f"{text}_00c0ffee00c0ffee-1.jpg"):
            said = parse_photo_name(name)
            if said is not None:
                again = photo_name(said.camera, said.when, said.boot, said.seq)
                self.assertEqual(again, name)

    def test_strangers(self) -> None:
        """Names that are nearly ours are not ours."""
        good = "a_20260815-221503_00c0ffee00c0ffee-1.jpg"
        self.assertIsNotNone(parse_photo_name(good))
        for name in (
            good.upper(),
            good + ".part",
            good[:-4],
            " " + good,
            good + "\n",
            "../" + good,
            good.replace("-1.", "-0."),
            good.replace("-1.", "-01."),
            good.replace("20260815", "20260230"),
            good.replace("221503", "246000"),
            good.replace("c0ffee", "C0FFEE"),
            good.replace("20260815", "\u0662\u0660\u0662\u0666\u0660\u0668\u0661\u0665"),
        ):
            self.assertIsNone(parse_photo_name(name), name)

    @given(st.integers(1, 10**11))
    def test_flat(self, number: int) -> None:
        """A flat number is read as it was written, however wide."""
        self.assertEqual(parse_flat_name(flat_name(number)), number)

    def test_flat_strangers(self) -> None:
        """Only four digits and more are numbers of ours."""
        self.assertEqual(flat_name(1), "0001.jpg")
        for name in (
            "1.jpg",
            "001.jpg",
            "0001.jpeg",
            "x0001.jpg",
            "0001.jpg ",
            "\u0660\u0660\u0660\u0661.jpg",
        ):
            self.assertIsNone(parse_flat_name(name), name)


class Times(SynchronousTestCase):
    @given(st.one_of(st.none(), st.floats(allow_nan=True)), times)
    def test_moment(self, taken: float | None, received: float) -> None:
        """The time of a picture is the board's where it can be true, and ours otherwise."""
        when = moment(taken, received)
        if when != received:
            self.assertEqual(when, taken)
            self.assertTrue(OLDEST_SANE <= when <= received + AHEAD_SANE)

    def test_sane(self) -> None:
        """A board that has not learnt the time, or is years ahead, is not believed."""
        now = 1_786_832_103.0
        self.assertEqual(moment(now - 50, now), now - 50)
        self.assertEqual(moment(0, now), now)
        self.assertEqual(moment(None, now), now)
        self.assertEqual(moment(now + 2 * AHEAD_SANE, now), now)

    def test_night(self) -> None:
        """A night from evening to morning is one session, in summer time too; without that,
        midnight parts it."""
        berlin = ZoneInfo("Europe/Berlin")
        evening, morning = (
            datetime(2026, 3, day, hour, 59, tzinfo=berlin).timestamp()
            for day, hour in ((28, 12), (29, 11))
        )
        self.assertEqual(session_day(evening, berlin, True), "2026-03-28")
        self.assertEqual(session_day(morning, berlin, True), "2026-03-28")
        self.assertEqual(session_day(morning, berlin, False), "2026-03-29")
        self.assertEqual(session_day(morning + 60, berlin, True), "2026-03-29")

    @given(times, st.integers(-12 * 60, 14 * 60), st.booleans())
    def test_day_is_near(self, when: float, minutes: int, noon: bool) -> None:
        """A photo lies at most 14 hours before its day begins in UTC, and 50 after: what the
        catalog relies on when it looks for the photos of a folder."""
        day = session_day(when, timezone(timedelta(minutes=minutes)), noon)
        begins = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
        self.assertTrue(begins - 14 * 3600 <= when < begins + 50 * 3600, when - begins)
