"""Films are what was asked for: read back by ffprobe, picture by picture."""

import io
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from twisted.trial.unittest import SynchronousTestCase

from camd.findings import Flag
from camd.photo import CameraId
from camd.store.catalog import CatalogReader
from camd.store.entry import Entry
from camd.store.folders import OWN
from camd.timelapse import Made, TimelapseError, Wish, encoder, parse_size, shoot
from camd.timelapse.choice import Even, Stretches, longest_gap
from camd.timelapse.encoder import find_ffmpeg
from camd.timelapse.moments import Daily, parse_daily, parse_moment
from camd.timelapse.picture import BrokenPictureError, Printer, judged, look
from tests.film_store import NOON, pixels, probed, put
from tests.pictures import insects
from tests.tools import tool

HOUR = 3600
SECONDS = st.integers(0, 10_000_000)


def plain(level: int, size: tuple[int, int] = (320, 240)) -> bytes:
    """A picture of one grey."""
    out = io.BytesIO()
    Image.new("RGB", size, (level, level, level)).save(out, "JPEG")
    return out.getvalue()


def on_its_side(size: tuple[int, int]) -> bytes:
    """A white picture of that size, and the word that it is to be turned."""
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", size, "white").save(out, "JPEG", exif=exif)
    return out.getvalue()


class Moments(SynchronousTestCase):
    """Times as people write them."""

    def test_moments(self) -> None:
        """In the camera's zone, or with an offset, or as long ago as said."""
        berlin = ZoneInfo("Europe/Berlin")
        for text, zone, wanted in (
            ("2026-08-15", UTC, "2026-08-15T00:00:00+00:00"),
            ("2026-08-15 22:30", berlin, "2026-08-15T20:30:00+00:00"),
            ("2026-01-15T22:30:05", berlin, "2026-01-15T21:30:05+00:00"),
            ("2026-08-15T22:30Z", berlin, "2026-08-15T22:30:00+00:00"),
            ("2026-08-15 22:30:01.250 -03:30", berlin, "2026-08-16T02:00:01.250+00:00"),
            ("2026-08-15 22:30+0200", UTC, "2026-08-15T20:30:00+00:00"),
            ("1 d", UTC, "2026-08-14T12:00:00+00:00"),
            ("90min", UTC, "2026-08-15T10:30:00+00:00"),
        ):
            self.assertEqual(
                parse_moment(text, NOON, zone), datetime.fromisoformat(wanted).timestamp() * 1000
            )

    def test_the_end_of_a_day(self) -> None:
        """To a date is to its end, also where the day has 25 hours; to a time is to that time."""
        berlin = ZoneInfo("Europe/Berlin")
        begin = parse_moment("2026-10-25", NOON, berlin)
        self.assertEqual(parse_moment("2026-10-25", NOON, berlin, end=True) - begin, 25 * 3_600_000)
        self.assertEqual(parse_moment("2026-10-25 00:00", NOON, berlin, end=True), begin)

    @given(st.one_of(st.text(), st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.{0,20}")))
    def test_any_text(self, text: str) -> None:
        """Whatever is written is a time, or is told what one looks like."""
        try:
            parse_moment(text, NOON, UTC)
        except ValueError as error:
            self.assertIn('"2026-08-15"', str(error))
        try:
            parse_daily(text)
        except ValueError as error:
            self.assertIn("06:30-20:00", str(error))

    def test_hours_of_the_day(self) -> None:
        """Begin and not end, in the camera's zone, over midnight too."""
        day, night = parse_daily("06:30-20:00"), parse_daily("20:00-06:30")
        self.assertEqual((day, night), (Daily(390, 1200), Daily(1200, 390)))
        kolkata = ZoneInfo("Asia/Kolkata")
        for time, is_day in (
            ("06:29", False), ("06:30", True), ("12:00", True), ("19:59", True), ("20:00", False),
            ("00:00", False),
        ):  # fmt: skip
            when = parse_moment(f"2026-08-15 {time}", NOON, kolkata)
            self.assertEqual(day.has(when, kolkata), is_day, time)
            self.assertEqual(night.has(when, kolkata), not is_day, time)
        for wrong in ("", "6:30-20:00", "06:30", "06:30-06:30", "24:00-01:00", "06:60-07:00",
                      "06:30-24:01"):  # fmt: skip
            self.assertRaises(ValueError, parse_daily, wrong)
        self.assertTrue(parse_daily("12:00-24:00").has(NOON * 1000, UTC))

    def test_sizes(self) -> None:
        """Even numbers, or a name."""
        self.assertEqual(parse_size("1280x720"), (1280, 720))
        self.assertEqual(parse_size("svga"), (800, 600))
        for wrong in (
            "",
            "1281x720",
            "8x8",
            "4098x2",
            "-2x2",
            "1280 x 720",
            "huge",
            "\u0668\u0660x60",
        ):
            self.assertRaises(ValueError, parse_size, wrong)


class Choices(SynchronousTestCase):
    """Which photos are shown, and for how long."""

    @staticmethod
    def shown(times: list[int], choice: Any) -> list[int]:
        """For each picture of the film, its photo's time."""
        found = []
        for taken in times:
            due = choice.due(taken)
            found += [taken] * due
            if due:
                choice.shown(taken)
        return found

    def test_stretches(self) -> None:
        """The first of each; where it was not good, the next."""
        self.assertEqual(self.shown([3, 5, 12, 13, 14, 35, 43], Stretches(10)), [3, 13, 35, 43])
        choice = Stretches(10)
        self.assertEqual([choice.due(1), choice.due(2)], [1, 1])
        choice.shown(2)
        self.assertEqual(choice.due(3), 0)

    def test_evenly(self) -> None:
        """At a steady pace every so many-th photo is shown, the first and the last among them."""
        times = list(range(0, 101_000, 1000))
        self.assertEqual(self.shown(times, Even.over(times, 11, 10)), times[::10])
        self.assertEqual(self.shown(times[:2], Even.over(times[:2], 4, 10)), [0, 0, 0, 1000])

    def test_nights(self) -> None:
        """Two days with a night between them: the night takes a second of the film, not half."""
        day = list(range(0, 12 * 3_600_000, 60_000))
        times = day + [at + 24 * 3_600_000 for at in day]
        film = self.shown(times, Even.over(times, 250, 25))
        longest = max(len(list(same)) for _, same in groupby(film))
        self.assertLessEqual(longest, 26)
        self.assertGreaterEqual(longest, 24)
        self.assertEqual(film.count(day[-1]), longest)

    @given(st.lists(SECONDS, min_size=1, max_size=60), st.integers(1, 200), st.integers(1, 60))
    def test_any_times(self, times: list[int], pictures: int, fps: int) -> None:
        """The film has exactly its length, goes forward only, begins with the first photo and
        ends with the last."""
        times = sorted(times)
        choice = Even.over(times, pictures, fps)
        film = self.shown(times, choice)
        self.assertEqual((len(film), choice.left), (pictures, 0))
        self.assertEqual(film, sorted(film))
        self.assertEqual(film[0], times[0])
        if pictures > 1:
            self.assertEqual(film[-1], times[-1])

    @given(st.lists(SECONDS, max_size=60), st.floats(0.1, 50))
    def test_longest_gap(self, gaps: list[int], seconds: float) -> None:
        """No gap counts more than a second of the film, and none is cut without need."""
        longest = longest_gap(gaps, seconds)
        counted = sum(min(gap, longest) for gap in gaps)
        if longest < max(gaps, default=0):
            self.assertApproximates(longest * seconds, counted, counted * 1e-9 + 1e-6)
        elif sum(gap > 0 for gap in gaps) > seconds:
            self.assertLessEqual(max(gaps) * seconds, counted + 1e-6)


class Pictures(SynchronousTestCase):
    """A photo as a picture of a film."""

    def test_as_it_is(self) -> None:
        """A photo of the right size is not touched."""
        jpeg = insects(1)
        self.assertIs(Printer((320, 240)).picture(jpeg, 0), jpeg)

    def test_fitted(self) -> None:
        """All of it is there, in the middle, with black beside it."""
        made = Printer((640, 240)).picture(plain(200), 0)
        with Image.open(io.BytesIO(made)) as image:
            self.assertEqual(image.size, (640, 240))
            grey = image.convert("L")
        for x, level in ((80, 0), (156, 0), (164, 200), (320, 200), (476, 200), (484, 0)):
            self.assertApproximates(int(grey.getpixel((x, 120))), level, 6)  # type: ignore[arg-type]

    def test_turned(self) -> None:
        """A phone's photo that says it lies on its side stands upright."""
        jpeg = on_its_side((240, 320))
        with Image.open(io.BytesIO(Printer((320, 240)).picture(jpeg, 0))) as image:
            self.assertGreater(image.convert("L").resize((8, 8)).getextrema()[0], 250)  # type: ignore[operator]

    def test_dated(self) -> None:
        """The corner can be read on white and on black: it has both in it, and nothing else of
        the picture has changed."""
        for level in (0, 255):
            made = Printer((320, 240), True, UTC).picture(plain(level), NOON * 1000)
            with Image.open(io.BytesIO(made)) as image:
                grey = image.convert("L")
            corner = grey.crop((0, 0, 140, 30)).getextrema()
            self.assertTrue(corner[0] < 50 and corner[1] > 205, corner)  # type: ignore[operator]
            low, high = grey.crop((0, 40, 320, 240)).getextrema()
            self.assertLess(high - low, 6)  # type: ignore[operator]

    def test_looks(self) -> None:
        """Dark, blown out, broken, and none of these."""
        whole = insects(1)
        for jpeg, wanted in (
            (plain(3), {Flag.DARK}), (plain(252), {Flag.BRIGHT}), (whole, set()),
            (plain(60), set()), (whole[: len(whole) // 2], {Flag.BROKEN}), (b"junk", {Flag.BROKEN}),
        ):  # fmt: skip
            self.assertEqual(look(jpeg), wanted)
        for size in ((1, 1), (7, 9), (320, 3), (3, 320)):
            self.assertEqual(look(plain(60, size)), set())
        self.assertEqual(judged([0] * 256), {Flag.DARK})
        self.assertRaises(BrokenPictureError, Printer((32, 32)).picture, whole[:900], 0)


class Films(SynchronousTestCase):
    """Real ffmpeg, real files."""

    def setUp(self) -> None:
        self.ffmpeg = tool("ffmpeg", "ffmpeg")
        self.root = Path(self.mktemp()).absolute()
        self.root.mkdir()
        self.out = Path(self.mktemp()).absolute()
        self.out.mkdir()
        self.target = self.out / "film.mp4"
        self.wish = Wish(CameraId("trap-1"), zone=UTC)

    def shoot(self, ffmpeg: str | None = None, **more: Any) -> Made:
        wish = evolve(self.wish, **{k: more.pop(k) for k in list(more) if hasattr(self.wish, k)})
        with closing(CatalogReader.open(self.root / OWN / "catalog.sqlite")) as reader:
            return shoot(self.root, reader, wish, self.target, ffmpeg or self.ffmpeg, **more)

    def fails(self, why: str, **more: Any) -> None:
        """There is no film, for that reason, and no trace of one."""
        before = sorted(os.listdir(self.out))
        error = self.assertRaises(TimelapseError, self.shoot, **more)
        self.assertIn(why, str(error))
        self.assertEqual(sorted(os.listdir(self.out)), before)

    def test_all_photos(self) -> None:
        """One picture for each photo, as every player wants it."""
        put(self.root, [NOON + at for at in range(30)])
        told: list[tuple[int, int]] = []
        made = self.shoot(fps=10, told=lambda done, total: told.append((done, total)))
        self.assertEqual(made, Made(30, {}, 3.0, (320, 240), self.target.stat().st_size))
        stream = probed(self.target)
        self.assertEqual(
            [stream[key] for key in ("codec_name", "pix_fmt", "width", "height", "nb_read_frames",
                                     "color_range")],
            ["h264", "yuv420p", 320, 240, "30", "tv"],
        )  # fmt: skip
        self.assertAlmostEqual(float(stream["duration"]), 3.0, places=3)
        self.assertEqual(os.listdir(self.out), ["film.mp4"])
        head = self.target.read_bytes()[:4096]
        self.assertLess(head.index(b"moov"), head.index(b"mdat") if b"mdat" in head else 4096)
        self.assertEqual(told[-1], (30, 30))
        self.assertEqual([total for _, total in told[:30]], [0] * 30)

    def test_order_and_time(self) -> None:
        """Only the photos of that time and of those hours, oldest first, of that camera."""
        levels = [20 * at for at in range(2, 12)]
        put(self.root, [NOON + at * HOUR for at in range(10)], [plain(level) for level in levels])
        put(self.root, [NOON + 1], [plain(255)], camera="trap-2")
        made = self.shoot(
            fps=10, since_ms=(NOON + HOUR) * 1000, until_ms=(NOON + 8 * HOUR) * 1000,
            daily=parse_daily("13:30-18:00"),
        )  # fmt: skip
        self.assertEqual(made.photos, 4)
        for number, level in enumerate(levels[2:6]):
            self.assertApproximates(pixels(self.target, number)[5000], level, 8)

    def test_sizes(self) -> None:
        """The size that most photos have, or the one that is asked for."""
        put(self.root, [NOON, NOON + 1], size=(160, 120))
        put(self.root, [NOON + 9], camera="trap-2")
        self.assertEqual(self.shoot().size, (160, 120))
        put(self.root, [NOON], [on_its_side((320, 240))], camera="phone")
        self.assertEqual(self.shoot(camera=CameraId("phone"), force=True).size, (240, 320))
        self.shoot(size=(400, 296), force=True)
        stream = probed(self.target)
        self.assertEqual((stream["width"], stream["height"]), (400, 296))

    def test_mixed_sizes(self) -> None:
        """A camera whose size was changed makes one film."""
        pictures = [plain(90), plain(90), plain(90, (640, 480)), plain(90)]
        put(self.root, [NOON + at for at in range(4)], pictures)
        self.assertEqual(self.shoot().photos, 4)
        self.assertEqual(probed(self.target)["nb_read_frames"], "4")
        self.assertApproximates(pixels(self.target, 2)[5000], 90, 6)

    def test_length(self) -> None:
        """It lasts as long as asked for, whether photos are many or few."""
        put(self.root, [NOON + at * 60 for at in range(50)])
        made = self.shoot(length=1.0, fps=10)
        self.assertEqual((made.photos, made.seconds), (10, 1.0))
        told: list[tuple[int, int]] = []
        made = self.shoot(length=4.0, force=True, told=lambda *said: told.append(said))
        self.assertEqual(told, sorted(told, key=lambda said: (said[1], said[0])))
        self.assertEqual(told[-1], (100, 100))
        self.assertEqual((made.photos, made.seconds), (50, 4.0))
        self.assertEqual(probed(self.target)["nb_read_frames"], "100")

    def test_every(self) -> None:
        """One photo for each stretch of time; a broken one gives way to the next."""
        paths = put(self.root, [NOON + at * 60 for at in range(30)])
        paths[10].write_bytes(b"x" * paths[10].stat().st_size)
        made = self.shoot(every=600.0)
        self.assertEqual((made.photos, made.left_out), (3, {"broken": 1}))

    def test_broken_photos(self) -> None:
        """What is gone, changed or cut off is counted, and the film is made of the rest."""
        whole = insects(1)
        torn = whole[: len(whole) // 2]
        paths = put(self.root, [NOON + at for at in range(8)], [torn if at == 6 else whole
                                                                for at in range(8)])  # fmt: skip
        paths[1].unlink()
        paths[2].write_bytes(whole + b"x")
        paths[3].write_bytes(whole[:-1] + b"x")
        paths[4].unlink()
        paths[4].symlink_to(paths[0])
        made = self.shoot()
        self.assertEqual((made.photos, made.left_out), (3, {"gone": 3, "broken": 2}))
        made = self.shoot(length=1.0, fps=8, force=True)
        self.assertEqual((made.photos, made.seconds), (3, 1.0))
        self.assertEqual(probed(self.target)["nb_read_frames"], "8")

    def test_dark_photos(self) -> None:
        """They are left out by choice, and only then."""
        grey = [plain(level) for level in (2, 90, 254, 91, 1, 92)]
        put(self.root, [NOON + at for at in range(6)], grey)
        self.assertEqual(self.shoot().photos, 6)
        made = self.shoot(skip_dark=True, force=True)
        self.assertEqual((made.photos, made.left_out), (3, {"dark": 2, "bright": 1}))
        made = self.shoot(skip_dark=True, length=1.0, fps=6, force=True)
        self.assertEqual((made.photos, made.seconds, made.left_out["dark"]), (3, 1.0, 2))
        for number in range(6):
            self.assertApproximates(pixels(self.target, number)[5000], 91, 8)

    def test_flags_from_elsewhere(self) -> None:
        """What is known already of a photo is believed."""
        put(self.root, [NOON + at for at in range(4)])
        known = {1: {Flag.BROKEN}, 2: {Flag.COVERED}, 3: {Flag.BLURRED}}

        def flags(entry: Entry) -> frozenset[Flag]:
            return frozenset(known.get(entry.seq, ()))

        self.assertEqual(self.shoot(flags=flags).left_out, {"broken": 1})
        made = self.shoot(flags=flags, skip_dark=True, force=True)
        self.assertEqual((made.photos, made.left_out), (2, {"broken": 1, "covered": 1}))

    def test_date(self) -> None:
        """It is in the corner of each picture, and nowhere else."""
        put(self.root, [NOON, NOON + 1], [plain(128), plain(128)])
        self.shoot()
        without = pixels(self.target, 0)
        self.shoot(dated=True, force=True)
        dated, later = pixels(self.target, 0), pixels(self.target, 1)
        changed = [at for at in range(len(without)) if abs(without[at] - dated[at]) > 60]
        self.assertGreater(len(changed), 100)
        self.assertLess(max(at // 320 for at in changed), 40)
        self.assertLess(max(at % 320 for at in changed), 200)
        self.assertNotEqual(dated, later)

    def test_many_pages(self) -> None:
        """More photos than the catalog tells of at a time, none twice and none left out."""
        from camd.timelapse import film

        self.patch(film, "PAGE", 7)
        put(self.root, [NOON + at // 2 for at in range(40)])
        self.assertEqual(self.shoot().photos, 40)
        self.assertEqual(self.shoot(length=1.0, fps=40, force=True).seconds, 1.0)

    # ---- where there is none

    def test_nothing_to_show(self) -> None:
        """Without photos, or without one that can be shown, there is no film."""
        paths = put(self.root, [NOON, NOON + 1], [plain(1), plain(2)])
        self.fails("no photo of trap-1 from that time", since_ms=(NOON + 9) * 1000)
        self.fails("of 2 photos none can be shown: 2 dark", skip_dark=True)
        self.fails("2 photos, and nothing but dark or broken ones", skip_dark=True, length=5.0)
        for path in paths:
            path.unlink()
        self.fails("of 2 photos none can be shown: 2 gone", length=5.0)

    def test_too_long(self) -> None:
        """Beyond what is allowed it is not begun."""
        put(self.root, [NOON + at for at in range(30)])
        self.fails("it would last 3 s, and 2 s is the longest", fps=10, longest=2.0)
        self.shoot(every=2.0, fps=10, longest=2.0)

    def test_disk_nearly_full(self) -> None:
        """What is kept free for photos is not filled with a film."""
        from camd.timelapse import film

        self.patch(film, "LOOK_AT_ROOM", 5)
        put(self.root, [NOON + at for at in range(9)])
        self.fails("the disk is nearly full", room=lambda: False)

    def test_too_large(self) -> None:
        """A film that is larger than it may be is given up, at the latest when it is whole."""
        from camd.timelapse import film

        put(self.root, [NOON + at for at in range(9)])
        self.fails("it would be larger than 1 kB", largest=1000)
        self.patch(film, "LOOK_AT_ROOM", 1)
        shown: list[int] = []
        self.fails("larger than 0 B", length=60.0, fps=60, largest=0,
                   told=lambda done, total: shown.append(done))  # fmt: skip
        self.assertLess(max(shown), 3600)
        self.shoot(largest=1_000_000)

    def test_nothing_is_replaced(self) -> None:
        """A file that is there stays, also one that came while the film was made."""
        put(self.root, [NOON, NOON + 1])
        self.target.symlink_to("nowhere")
        self.fails("is there already; --force replaces it")
        self.target.unlink()

        def told(done: int, total: int) -> None:
            if total:
                self.target.write_text("mine")

        self.assertRaises(TimelapseError, self.shoot, told=told)
        self.assertEqual((os.listdir(self.out), self.target.read_text()), (["film.mp4"], "mine"))
        self.shoot(force=True)
        self.assertEqual(probed(self.target)["nb_read_frames"], "2")

    def test_interrupted(self) -> None:
        """Whatever ends it, nothing is left, and no process either."""
        put(self.root, [NOON + at for at in range(9)])

        def told(done: int, total: int) -> None:
            if done == 5 and total:
                raise KeyboardInterrupt

        self.assertRaises(KeyboardInterrupt, self.shoot, told=told)
        self.assertEqual(os.listdir(self.out), [])

    def test_ffmpeg_gives_up(self) -> None:
        """It says why in a line, at once or in the end."""
        put(self.root, [NOON + at for at in range(9)], size=(1600, 1200))
        for script in ("echo no such codec >&2; exit 3", "cat >/dev/null; echo no such codec >&2;"
                       " exit 3"):  # fmt: skip
            self.fails("ffmpeg gave up: no such codec", ffmpeg=self.program(script))
        self.fails("exit code 3", ffmpeg=self.program("exit 3"))

    def test_full_disk(self) -> None:
        """Where ffmpeg leaves with 0 though the end of the film, or all of it, is not there."""
        put(self.root, [NOON + at for at in range(3)])
        for size in (-1, -1000, 0):
            cut = f'for last; do :; done; truncate -s {size} "${{last#file:}}"'
            script = f'{self.ffmpeg} "$@" && {cut} && echo no space left >&2'
            self.fails("ffmpeg gave up: no space left", ffmpeg=self.program(script))

    def program(self, script: str) -> str:
        path = Path(self.mktemp()).absolute()
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)


class Programs(SynchronousTestCase):
    """Which ffmpeg is taken."""

    def without_path(self) -> None:
        before = os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", before)
        os.environ["PATH"] = self.mktemp()

    def test_the_system_s(self) -> None:
        """The one on PATH goes before any other."""
        self.assertEqual(find_ffmpeg(), tool("ffmpeg", "ffmpeg"))

    def test_imageio_s(self) -> None:
        """Without one on PATH it is imageio-ffmpeg's, and that makes films too."""
        probe: Callable[..., str | None] = shutil.which
        system = probe("ffmpeg")
        root, target = Path(self.mktemp()).absolute(), Path(self.mktemp() + ".mp4").absolute()
        root.mkdir()
        put(root, [NOON + at for at in range(5)])
        self.without_path()
        found = find_ffmpeg()
        assert found is not None, "the extra is installed"
        self.assertNotEqual(found, system)
        self.assertIsNone(encoder.missing())
        with closing(CatalogReader.open(root / OWN / "catalog.sqlite")) as reader:
            shoot(root, reader, Wish(CameraId("trap-1")), target, found)
        os.environ["PATH"] = os.path.dirname(system or "")
        self.assertEqual(probed(target)["nb_read_frames"], "5")

    def test_none(self) -> None:
        """Without either, what to install is said in a line."""
        self.without_path()
        import sys

        self.patch(sys, "modules", {**sys.modules, "imageio_ffmpeg": None})
        self.assertIsNone(find_ffmpeg())
        needed = 'needs ffmpeg: apt-get install ffmpeg, or pip install "camd[video]"'
        self.assertEqual(encoder.missing(), needed)
