"""A camera's days and nights: found again, whole on the days that clocks are changed."""

from datetime import datetime
from zoneinfo import ZoneInfo

from camd.photo import Boot, CameraId
from camd.pictures import Album
from camd.store.naming import photo_name
from tests.page_camera import CameraPageCase
from tests.test_page_browser import until

TILES = "[...document.querySelectorAll('.tile')]"
HOURS = "[...document.querySelectorAll('.hours button')]"


class Gallery(CameraPageCase):
    def test_way_back(self) -> None:
        """Who opens a photo far down comes back to where it is, and it has the focus."""
        store = self.directory() / "store"
        self.fill(store, 600)
        self.camd(store=store)
        until(lambda: self.cameras() and self.cameras()[0]["photos"] == 600, 30)
        page = self.camera_page()
        page.until(f"{TILES}.length > 10")
        page.until("(scrollTo(0, 1e6), document.querySelector('.wait').textContent"
                   " === 'That is all: 600 photos')")  # fmt: skip
        page.until(f"(scrollTo(0, 5000), {TILES}.some(tile => tile.at > 200))")
        seq = page.run(
            f"(tile => (tile.focus(), tile.click(), tile.photo.seq))({TILES}[{TILES}.length >> 1])"
        )
        page.until("document.querySelector('#note')")
        page.run("history.back()")
        page.until(f"document.activeElement.photo?.seq === {seq}")
        top = page.run("document.activeElement.getBoundingClientRect().top")
        self.assertTrue(0 <= top <= page.height, top)
        page.key("Enter")
        page.until("document.querySelectorAll('.strip a').length > 4")
        page.answer_dialogs()
        page.key("Delete")
        page.until(f"!location.hash.endsWith('-{seq}')")
        page.run("history.back()")
        page.until(f"{TILES}.length && scrollY > 1000")
        page.until(f"!{TILES}.some(tile => tile.photo.seq === {seq})")
        page.listen()  # its picture may have been asked for until the page heard of it
        self.assertEqual([each for each in page.wrongs if f"-{seq}/thumbnail" not in each], [])

    def test_clocks_are_changed(self) -> None:
        """A day of 25 hours has them all, and its night begins at noon; what is asked before a
        photo is deleted names the time as the page does."""
        store = self.directory() / "store"
        zone = ZoneInfo("Europe/Berlin")
        folder = store / "sim-1" / "2026-10-25"
        folder.mkdir(parents=True)
        picture = Album(1, cheap=True).picture("sim-1", 1, "qvga")
        for seq, hour in enumerate((0, 11, 12, 23), 1):
            when = datetime(2026, 10, 25, hour, 30, tzinfo=zone).timestamp()
            name = photo_name(CameraId("sim-1"), when, Boot("00c0ffee00c0ffee"), seq)
            (folder / name).write_bytes(picture)
        self.camd('[store]\ntimezone = "Europe/Berlin"\n', store=store)
        until(lambda: self.cameras() and self.cameras()[0]["photos"] == 4, 30)
        page = self.page()
        page.do("Emulation.setTimezoneOverride", timezoneId="Asia/Tokyo")
        page.open(f"{self.url}#/camera/sim-1/photos")
        page.until(f"{TILES}.length === 4")
        hours = ["00", "01", "02", "02", *(f"{hour:02}" for hour in range(3, 24))]
        self.assertEqual(page.run(f"{HOURS}.map(one => one.textContent)"), hours)
        page.run("window.confirm = text => { window.asked = text; return false; }")
        page.run(f"{TILES}[0].focus()")
        page.key("Delete")
        self.assertIn("Sunday, October 25, 2026 at 23:30:00", page.run("window.asked"))
        page.run("(s => { s.value = 'night'; s.dispatchEvent(new Event('change')); })"
                 "(document.querySelector('[aria-label=Sessions]'))")  # fmt: skip
        page.until(f"{TILES}.length === 2")
        self.assertEqual(page.run(f"{HOURS}[0].textContent"), "12")
        self.assert_fine(page)

    def test_focus_stays(self) -> None:
        """Who goes through the days with the keyboard stays on the day that was chosen."""
        store = self.directory() / "store"
        picture = Album(1, cheap=True).picture("sim-1", 1, "qvga")
        for day in range(1, 5):
            folder = store / "sim-1" / f"2026-10-0{day}"
            folder.mkdir(parents=True)
            when = datetime(2026, 10, day, 12, tzinfo=ZoneInfo("UTC")).timestamp()
            name = photo_name(CameraId("sim-1"), when, Boot("00c0ffee00c0ffee"), day)
            (folder / name).write_bytes(picture)
        self.camd('[store]\ntimezone = "UTC"\n', store=store)
        until(lambda: self.cameras() and self.cameras()[0]["photos"] == 4, 30)
        page = self.camera_page()
        page.until("document.querySelectorAll('.daybar button').length === 4")
        page.run("document.querySelectorAll('.daybar button')[1].focus()")
        page.key("Enter")
        page.until("location.hash.endsWith('2026-10-02')")
        self.assertTrue(
            page.run("document.activeElement === document.querySelectorAll('.daybar button')[1]")
        )
        self.assert_fine(page)
