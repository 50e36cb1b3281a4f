"""A page that is open for long: what it shows stays true, whatever goes and comes meanwhile."""

import time
from collections.abc import Callable

from camd.photo import CameraId
from tests.e2e_boards import V2, photo
from tests.e2e_daemon import Daemon
from tests.e2e_talk import Talk
from tests.page_camera import CameraPageCase
from tests.test_page_browser import Page, until

TRAP = CameraId("trap-1")
TILES = "[...document.querySelectorAll('.tile')]"
ENTRIES = "document.querySelectorAll('.entry').length"
LIVE = "document.querySelector('.tag[data-live]')"


class Lasting(CameraPageCase):
    def trap(self, config: str = "") -> V2:
        """A board that has sent one photo."""
        self.running = self.camd(config)
        return self.sends(1)

    def sends(self, *seqs: int, boot: str = "00c0ffee00c0ffee") -> V2:
        board = V2(self.running.port, Talk(TRAP, boot))
        self.addCleanup(board.close)
        for seq in seqs:
            self.assertEqual(board.photo(seq, photo(seq)), f"ACK {seq}")
        return board

    @staticmethod
    def look_away(page: Page) -> None:
        """As a page does that was in the background for long."""
        page.run("import('./static/fleet.js').then(({fleet}) => fleet.close())")

    @staticmethod
    def look_again(page: Page) -> None:
        page.run("void document.dispatchEvent(new Event('visibilitychange'))")

    def test_photos_of_the_meantime(self) -> None:
        """A page that heard nothing for a while shows what came and went meanwhile."""
        board = self.trap()
        page = self.camera_page()
        page.until(f"{TILES}.length === 1")
        self.look_away(page)
        self.assertEqual(board.photo(2, photo(2)), "ACK 2")
        until(lambda: len(self.ask("api/v1/photos")["photos"]) == 2)
        self.look_again(page)
        page.until(f"{TILES}.length === 2")
        page.shows("2 photos")
        self.assert_fine(page)

    def test_log_of_the_meantime(self) -> None:
        """So does the log."""
        board = self.trap()
        page = self.page("#/log")
        page.until(f"{ENTRIES} > 0")
        self.look_away(page)
        self.assertEqual(board.photo(2, photo(2)), "ACK 2")
        before = page.run(ENTRIES)
        self.look_again(page)
        page.until(f"{ENTRIES} > {before}")
        self.assert_fine(page)

    def test_live_over_a_restart(self) -> None:
        """Who watches goes on watching when camd has been away."""
        self.live_over(Daemon.kill)

    def test_live_over_a_stop(self) -> None:
        """So does who watched while it was stopped in an orderly way."""
        self.live_over(Daemon.stop)

    def live_over(self, end: Callable[[Daemon], object]) -> None:
        self.trap('[web]\nstale = "1 s"\n')
        page = self.camera_page()
        page.click("button[aria-label='Live']")
        until(lambda: self.cameras()[0]["viewers"] == 1)
        end(self.running)
        page.shows("No connection")
        self.running.start()
        until(lambda: self.cameras()[0]["viewers"] == 1)
        page.until(f"{LIVE} && document.querySelector('.screen img')?.naturalWidth > 0")

    def test_pictures_over_a_slow_line(self) -> None:
        """Photos come faster than a phone can load them: it shows some of them all the same."""
        self.board("--size", "vga", interval="0.3")
        page = self.page()
        page.until("document.querySelector('camera-card')")
        page.do("Network.setCacheDisabled", cacheDisabled=True)
        page.do("Network.emulateNetworkConditions", offline=False, latency=2000,
                downloadThroughput=50_000, uploadThroughput=50_000)  # fmt: skip
        page.run("window.shown = 0; document.addEventListener('load', event =>"
                 " { window.shown += event.target.matches?.('.screen img'); }, true)")  # fmt: skip
        page.run("void (location.hash = document.querySelector('.card').getAttribute('href'))")
        page.until("window.shown > 1")
        self.assert_fine(page)

    def test_cards_over_a_slow_line(self) -> None:
        """So do the cards."""
        self.board("--size", "vga", interval="0.3")
        page = self.page("#/log")
        page.until(f"{ENTRIES} > 0")
        page.do("Network.setCacheDisabled", cacheDisabled=True)
        page.do("Network.emulateNetworkConditions", offline=False, latency=2000,
                downloadThroughput=50_000, uploadThroughput=50_000)  # fmt: skip
        page.run("window.shown = 0; document.addEventListener('load', event =>"
                 " { window.shown += event.target.matches?.('.shot img'); }, true)")  # fmt: skip
        page.run("void (location.hash = '#/')")
        page.until("window.shown > 1")
        self.assert_fine(page)

    def test_the_browser_s_clock_is_wrong(self) -> None:
        """Ages are those by camd's clock: a phone's may be an hour off."""
        self.board("--sleep", interval="2")
        page = self.page()
        page.do("Page.addScriptToEvaluateOnNewDocument",
                source="{ const now = Date.now; Date.now = () => now() - 3600_000; }")  # fmt: skip
        page.reload()
        page.until("/ago/.test(document.querySelector('.card .over')?.innerText)")
        self.assert_fine(page)

    def test_opened_without_a_line(self) -> None:
        """What could not be loaded is there when the line is back, without a reload."""
        board = self.trap()
        board.send(board.talk.line("STAT rssi=-60"))
        page = self.page("#/log")
        page.until(f"{ENTRIES} > 0")
        for tab, there in (
            (f"camera/{TRAP}/photos", f"{TILES}.length"),
            (f"camera/{TRAP}/charts", "document.querySelector('.chart .mark')"),
            (f"camera/{TRAP}/settings", "document.querySelector('#set-vflip')"),
            ("log", ENTRIES),
            ("log/refused", "document.querySelector('.refusals, .empty')"),
        ):
            self.offline(page, True)
            page.run(f"void (location.hash = '#/{tab}')")
            page.shows("camd does not answer")
            self.offline(page, False)
            page.until(there)

    @staticmethod
    def offline(page: Page, away: bool) -> None:
        page.do("Network.emulateNetworkConditions", offline=away, latency=0,
                downloadThroughput=-1, uploadThroughput=-1)  # fmt: skip

    def test_left_often(self) -> None:
        """A page that was left holds no connection: it can be come to any number of times, and on
        the way back it hears what happens."""
        board = self.trap()
        page = self.page("#/log")
        for _ in range(7):
            page.open("about:blank")
            page.open(f"{self.url}#/log")
            page.until("document.querySelector('.link')?.dataset.state === 'open'")
        page.open("about:blank")
        page.run("history.back()")
        page.until(f"{ENTRIES} > 0")
        before = page.run(ENTRIES)
        self.assertEqual(board.photo(2, photo(2)), "ACK 2")
        page.until(f"{ENTRIES} > {before}")
        self.assert_fine(page)

    def test_turned_silent(self) -> None:
        """Among the silent ones is one that turns silent now."""
        board = self.trap('[cameras]\ninterval = "0.3 s"\nsilent_least = "2 s"\n')
        del board
        page = self.page("#/")
        page.until("document.querySelector('camera-card')")
        until(lambda: self.cameras()[0]["state"] != "silent")
        page.click(".chip[data-state=silent]")
        page.until("document.querySelector('.card[data-state=silent]')")
        self.assert_fine(page)

    def test_a_new_day(self) -> None:
        """The first photo of another day makes it one to go to, without a reload."""
        board = self.trap()
        page = self.camera_page()
        page.until(f"{TILES}.length === 1")
        earlier = int(time.time() - 86_400) * 1000
        board.send(board.talk.frame(2, photo(2), f" ts={earlier}"))
        self.assertEqual(board.answer(), "ACK 2")
        page.until("document.querySelectorAll('.daybar:not([hidden]) button').length === 2")
        page.click(".daybar button")
        page.until(f"{TILES}.length === 1 && {TILES}[0].photo.id.endsWith('-2')")
        self.assert_fine(page)

    def test_long_log(self) -> None:
        """However long news come, the page does not grow with them; what it let go of comes again
        to who scrolls down."""
        board = self.trap()
        for seq in range(2, 30):
            self.assertEqual(board.photo(seq, photo(seq)), f"ACK {seq}")
        page = self.page()
        page.do(
            "Page.addScriptToEvaluateOnNewDocument",
            source="EventSource = class extends EventSource {"
            " constructor(...all) { super(...all); window.source = this; } }",
        )
        page.reload()
        page.run("void (location.hash = '#/log')")
        page.until(f"{ENTRIES} > 28")
        for begin in (0, 700, 1400):
            page.run(
                f"for (let at = {begin}; at < {begin} + 700; at += 1) window.source.dispatchEvent("
                "new MessageEvent('store', {data: JSON.stringify({number: 1e14 + at,"
                " when: 2e9 + at, kind: 'store', camera: null, text: 'no ' + at, reason: null,"
                " photo: null})}))"
            )
            page.until(f"document.querySelector('.entry p').textContent === 'no {begin + 699}'")
        self.assertLessEqual(page.run(ENTRIES), 1000)
        photos = (
            "[...document.querySelectorAll('.entry .kind')].filter(k => k.textContent === 'Photo')"
        )
        self.assertEqual(page.run(f"{photos}.length"), 0)
        page.run("scrollTo(0, 1e6)")
        page.until(f"{photos}.length === 29")
        page.until("document.querySelector('.wait').textContent === 'No more is remembered'")
        self.assert_fine(page)
