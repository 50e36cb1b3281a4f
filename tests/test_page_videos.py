"""Videos are asked for on the page, watched in the making, played, and taken away."""

from tests.e2e_daemon import until
from tests.page_camera import CameraPageCase
from tests.tools import tool

PHONE = {"width": 360, "height": 740, "touch": True}


class Videos(CameraPageCase):
    def setUp(self) -> None:
        super().setUp()
        tool("ffmpeg", "ffmpeg")

    def test_make_one(self) -> None:
        """On a phone: a day becomes a video that plays, is found again, and can be deleted."""
        store = self.directory() / "store"
        self.fill(store, 30)
        self.camd('[store]\ntimezone = "UTC"\n', store=store)
        until(lambda: self.cameras() and self.cameras()[0]["photos"] == 30, 30)
        page = self.camera_page("photos", **PHONE)
        page.until("document.querySelector('.tile img')?.naturalWidth > 0")
        page.click("a[href*='/timelapse/']")
        page.until("document.querySelector('.player img')?.naturalWidth > 0")
        page.run("document.querySelector('#video-length').value = '10'")
        page.run("document.querySelector('.make').requestSubmit()")
        page.until("document.querySelector('.films li[data-state=done] video')?.readyState >= 1")
        self.assertAlmostEqual(page.run("document.querySelector('.films video').duration"), 10)
        self.assertEqual(
            page.run("(v => [v.videoWidth, v.videoHeight])(document.querySelector('video'))"),
            [320, 240],
        )
        page.shows("30 photos")
        self.assert_fits(page)
        page.open(self.url + f"#/camera/{self.cameras()[0]['id']}/timelapse")
        page.run("location.reload()")
        page.until("document.querySelector('.films a[download]:not([hidden])')")
        page.click(".films button[aria-label='Delete this video']")
        page.until("!document.querySelector('.films li')")
        self.assertEqual(self.ask("api/v1/cameras/sim-1/timelapses"), {"timelapses": []})
        self.assert_fine(page)
