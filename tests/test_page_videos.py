"""Videos are asked for on the page, watched in the making, played, and taken away."""

from tests.e2e_daemon import until
from tests.page_camera import CameraPageCase
from tests.test_page_browser import Page
from tests.tools import tool
from tests.web_client import Client

PHONE = {"width": 360, "height": 740, "touch": True}

MADE = 120.0
"""Seconds in which a film is made: it gives way to whatever else the machine does."""


class Videos(CameraPageCase):
    def setUp(self) -> None:
        super().setUp()
        tool("ffmpeg", "ffmpeg")

    def thirty(self, config: str, tab: str, **window: object) -> Page:
        """The page of a camera that has thirty photos, below that tab."""
        store = self.directory() / "store"
        self.fill(store, 30)
        self.camd(config, store=store)
        until(lambda: self.cameras() and self.cameras()[0]["photos"] == 30, 30)
        return self.camera_page(tab, **window)

    def test_make_one(self) -> None:
        """On a phone: a day becomes a video that plays, is found again, and can be deleted."""
        page = self.thirty('[store]\ntimezone = "UTC"\n', "photos", **PHONE)
        page.until("document.querySelector('.tile img')?.naturalWidth > 0")
        page.click("a[href*='/timelapse/']")
        page.until("document.querySelector('.player img')?.naturalWidth > 0")
        page.run("document.querySelector('#video-length').value = '10'")
        page.run("document.querySelector('.make').requestSubmit()")
        page.until(
            "document.querySelector('.films li[data-state=done] video')?.readyState >= 1", MADE
        )
        self.assertAlmostEqual(page.run("document.querySelector('.films video').duration"), 10)
        self.assertEqual(
            page.run("(v => [v.videoWidth, v.videoHeight])(document.querySelector('video'))"),
            [320, 240],
        )
        page.shows("30 photos")
        self.assert_fits(page)
        page.open(self.url + f"#/camera/{self.cameras()[0]['id']}/timelapse")
        page.reload()
        page.until("document.querySelector('.films a[download]:not([hidden])')")
        page.click(".films button[aria-label='Delete this video']")
        page.until("!document.querySelector('.films li')")
        self.assertEqual(self.ask("api/v1/cameras/sim-1/timelapses"), {"timelapses": []})
        self.assert_fine(page)

    def test_which_photos(self) -> None:
        """One photo for each stretch of time, of some hours of the day; the nights' long names fit
        on a phone."""
        # Where it is noon when that day of photos begins.
        page = self.thirty(
            '[store]\ntimezone = "Pacific/Auckland"\nsession = "noon"\n', "timelapse", **PHONE
        )
        page.until("document.querySelector('.player img')?.naturalWidth > 0")
        self.assert_fits(page)
        page.run("document.querySelector('#video-length').value = 'every-60'")
        page.run("document.querySelector('#video-hours').value = '12:02'")
        page.run("document.querySelector('.make').requestSubmit()")
        page.until("document.querySelector('.films li[data-state=done]')", MADE)
        page.shows("12:02-24:00 \N{MIDDLE DOT} one photo every 1 min")
        page.shows("2 photos")
        self.assert_fits(page)
        (film,) = self.ask("api/v1/cameras/sim-1/timelapses")["timelapses"]
        self.assertEqual((film["wish"]["every"], film["wish"]["length"]), (60, None))
        self.assert_fine(page)

    def test_what_fails(self) -> None:
        """Why a video was not made stays to be read; so does that no other is taken on; one in
        the making can be cancelled."""
        page = self.thirty(
            '[timelapse]\nmax_bytes = "1 kB"\nwaiting = 0\nlongest = "1 h"\n', "timelapse"
        )
        page.until("document.querySelector('.player img')?.naturalWidth > 0")
        page.run("document.querySelector('#video-length').value = ''")
        page.run("document.querySelector('.make').requestSubmit()")
        page.until("document.querySelector('.films li[data-state=failed]')", MADE)
        page.shows("it would be larger than 1 kB")
        page.click(".films button[aria-label='Delete this video']")
        page.until("!document.querySelector('.films li')")
        page.listen()
        page.wrongs.clear()

        client = Client(self.web).sign_in()
        client.ask("POST", "/api/v1/cameras/sim-1/timelapses", {"length": 3600, "size": "uxga"})
        page.run("document.querySelector('.make').requestSubmit()")
        page.shows("too many films wait to be made")
        page.reload()
        page.click(".films button[aria-label='Cancel']")
        page.until("document.querySelector('.videos') && !document.querySelector('.films li')")
