"""The page of one camera, for the tests of what is on it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from camd.photo import Boot, CameraId
from camd.pictures import Album
from camd.store.naming import photo_name
from tests.e2e_daemon import Daemon
from tests.test_page_browser import Page, PageCase, until


class CameraPageCase(PageCase):
    """A camera with photos, and its page in a browser."""

    def board(self, *options: str, interval: str = "600") -> Daemon:
        daemon = self.camd()
        self.boards(daemon, "--boards", "1", "--interval", interval, *options)
        until(lambda: self.cameras() and self.cameras()[0]["latest"])
        return daemon

    def cameras(self) -> list[Any]:
        cameras: list[Any] = self.ask("api/v1/cameras")["cameras"]
        return cameras

    def camera_page(self, tab: str = "photos", **looks: Any) -> Page:
        page = self.page(f"#/camera/{self.cameras()[0]['id']}/{tab}", **looks)
        page.until("document.querySelector('.viewer')")
        return page

    @staticmethod
    def fill(store: Path, many: int) -> None:
        """A store with a day of photos in it, as camd would have left it."""
        picture = Album(1, cheap=True).picture("sim-1", 1, "qvga")
        begin = 1_780_000_000 // 86_400 * 86_400
        folder = store / "sim-1" / datetime.fromtimestamp(begin, UTC).strftime("%Y-%m-%d")
        folder.mkdir(parents=True)
        for at in range(many):
            name = photo_name(CameraId("sim-1"), begin + at * 8, Boot("00c0ffee00c0ffee"), at + 1)
            (folder / name).write_bytes(picture)
