"""The page of one camera: live, told what to do, looked back on."""

from camd.photo import CameraId
from tests.e2e_boards import V2, photo
from tests.e2e_talk import Talk
from tests.page_camera import CameraPageCase
from tests.test_page_browser import until

TILES = "[...document.querySelectorAll('.tile')]"


class CameraPage(CameraPageCase):
    def test_snap(self) -> None:
        """A photo is taken when it is asked for, and is among the others when it has come."""
        self.board(interval="4")
        page = self.camera_page()
        page.click("button[aria-label='Take a photo']")
        page.shows("The board took a photo")
        page.until(f"{TILES}.some(tile => tile.photo.trigger === 'snap')")
        self.assert_fine(page)

    def test_setting(self) -> None:
        """A setting is confirmed by the board; what it refuses is said, and goes back."""
        self.board()
        page = self.camera_page()
        page.until("document.querySelector('#set-brightness')")
        page.run("(() => { const s = document.querySelector('#set-brightness');"
                 " s.value = 2; s.dispatchEvent(new Event('input'));"
                 " s.dispatchEvent(new Event('change')); })()")  # fmt: skip
        page.shows("Confirmed by the board")
        self.assertEqual(self.cameras()[0]["settings"].get("brightness"), 2)
        page.click("#set-vflip")
        until(lambda: self.cameras()[0]["settings"].get("vflip") == 1)
        page.run("(() => { const s = document.querySelector('#set-framesize');"
                 " s.value = 'qvga'; s.dispatchEvent(new Event('change')); })()")  # fmt: skip
        until(lambda: self.cameras()[0]["settings"].get("framesize") == "qvga")
        self.assert_fine(page)

    def test_refused_setting(self) -> None:
        """Where the board says no, its reason is shown, and the value is not taken for set."""
        self.board()
        page = self.camera_page()
        page.until("document.querySelector('#set-brightness')")
        page.run(
            "(() => { const real = window.fetch; window.fetch = (path, how) =>"
            " how?.body?.includes('brightness') ? real(path, {...how, body:"
            ' how.body.replace(/"brightness":-?[0-9]+/, \'"colorbar":1\')})'
            " : real(path, how); const s = document.querySelector('#set-brightness');"
            " s.value = -2; s.dispatchEvent(new Event('input'));"
            " s.dispatchEvent(new Event('change')); })()"
        )
        page.until("document.querySelector('.said[data-kind=bad]')?.textContent")
        page.shows("not set")
        self.assertNotIn("brightness", self.cameras()[0]["settings"])

    def test_silent_but_there(self) -> None:
        """A board that sends no photos any more and is still connected can be told to; one that
        is gone cannot, and that is said."""
        daemon = self.camd('[cameras]\ninterval = "0.1 s"\nsilent_least = "0.5 s"\n')
        board = V2(daemon.port, Talk(CameraId("trap-1")))
        self.assertEqual(board.photo(1, photo(1)), "ACK 1")
        until(lambda: self.cameras()[0]["state"] == "silent", 30)
        page = self.camera_page()
        page.until("!document.querySelector('button[aria-label=\"Take a photo\"]').disabled")
        page.until("document.querySelector('#set-vflip') && !document.querySelector('#set-vflip')"
                   ".disabled")  # fmt: skip
        board.close()
        page.until("document.querySelector('button[aria-label=\"Take a photo\"]').disabled")
        page.until("document.querySelector('#set-vflip').disabled")
        page.shows("The camera is not connected")
        self.assert_fine(page)

    def test_the_tutorial_s_board(self) -> None:
        """A board that takes no commands is shown as such: nothing can be pressed in vain."""
        self.board("--proto", "v1", interval="2")
        page = self.camera_page()
        page.until("document.querySelector('button[aria-label=\"Take a photo\"]').disabled")
        page.until("!document.querySelector('.settings .notice').hidden")
        self.assert_fine(page)

    def test_named(self) -> None:
        """A camera that has a name goes by it on its own page too, whatever is in it; its id stands
        beside."""
        name = "\N{HONEYBEE} <i>\N{HEBREW LETTER ALEF}\N{HEBREW LETTER BET}</i> " + "W" * 40
        id = "a-camera-in-the-far-corner-of-the-largest-greenhouse-by-the-road"
        self.camd(f'[[camera]]\nid = "{id}"\nname = "{name}"\nnote = "{name}"\n')
        page = self.page("#/", width=360, height=740, touch=True)
        page.shows(name)
        self.assert_fits(page)
        page.click(".card")
        page.until("document.querySelector('.viewer')")
        page.shows(name)
        page.shows(id)
        self.assertEqual(page.run("document.title"), f"{name} \N{MIDDLE DOT} camd")
        self.assert_fits(page)
        self.assert_fine(page)

    def test_live(self) -> None:
        """Live pictures come while somebody watches, and no longer."""
        self.board()
        page = self.camera_page()
        page.click("button[aria-label='Live']")
        until(lambda: self.cameras()[0]["viewers"] == 1)
        page.until("document.querySelector('.screen img')?.naturalWidth > 0")
        page.until("document.querySelector('.tag[data-live]')")
        page.run("location.hash = '#/'")
        until(lambda: self.cameras()[0]["viewers"] == 0)
        self.assert_fine(page)

    def test_live_before_the_first_photo(self) -> None:
        """Who watches a camera that has sent nothing is shown that; afterwards all is as before."""
        self.camd('[web]\nstale = "1 s"\n[[camera]]\nid = "trap-1"\n')
        page = self.page("#/camera/trap-1")
        page.shows("No photo yet")
        page.click("button[aria-label='Live']")
        page.until("document.querySelector('.screen img:not([hidden])')?.naturalWidth > 0")
        page.click("button[aria-label='Stop the live picture']")
        page.shows("No photo yet")
        self.assert_fine(page)

    def test_gallery(self) -> None:
        """Photos of a day: arrows go through them, s stars, Delete deletes, and it stays so."""
        self.board(interval="0.5")
        until(lambda: self.cameras()[0]["photos"] >= 6)
        page = self.camera_page()
        page.until(f"{TILES}.length >= 6")
        page.answer_dialogs()
        page.run(f"{TILES}.at(-1).focus()")
        starred = page.run("document.activeElement.photo.id")
        page.key("s")
        until(lambda: self.ask(f"api/v1/photos/{starred}")["starred"])
        page.until("document.activeElement.hasAttribute('data-starred')")
        page.key("Delete")
        page.shows("A starred photo stays")
        page.key("ArrowLeft")
        page.until(
            f"document.activeElement.photo && document.activeElement.photo.id !== '{starred}'"
        )
        gone = page.run("document.activeElement.photo.id")
        page.key("Delete")
        page.until(f"!{TILES}.some(tile => tile.photo.id === '{gone}')")
        ids = [one["id"] for one in self.ask("api/v1/photos?limit=500")["photos"]]
        self.assertNotIn(gone, ids)
        self.assertIn(starred, ids)
        page.click("[aria-label='Sessions'] ~ button")
        page.until(f"{TILES}.length === 1 && {TILES}[0].photo.id === '{starred}'")
        self.assert_fine(page)

    def test_photo(self) -> None:
        """One photo: what is known of it, a note that stays, arrows to the next, and back."""
        self.board(interval="0.5")
        until(lambda: self.cameras()[0]["photos"] >= 5)
        photo = self.ask("api/v1/photos?limit=5")["photos"][2]
        page = self.page(f"#/photo/{photo['id']}")
        page.until("document.querySelector('.frame img')?.naturalWidth === 640")
        for text in (photo["boot"], photo["crc"], photo["path"], "640 \N{MULTIPLICATION SIGN} 480"):
            page.shows(text)
        page.until("document.querySelectorAll('.strip a').length >= 5")
        page.key("n")
        page.type("two moths")
        page.run("document.activeElement.blur()")
        page.shows("Saved")
        self.assertEqual(self.ask(f"api/v1/photos/{photo['id']}")["note"], "two moths")
        page.key("ArrowRight")
        page.until(f"!location.hash.includes('{photo['id']}')")
        page.key("ArrowLeft")
        page.until(f"location.hash.includes('{photo['id']}')")
        page.key("Escape")
        page.until("location.hash.startsWith('#/camera/')")
        self.assert_fine(page)

    def test_many_photos(self) -> None:
        """A long day scrolls: more comes as one goes, and the document stays small."""
        store = self.directory() / "store"
        self.fill(store, 900)
        self.camd(store=store)
        until(lambda: self.cameras() and self.cameras()[0]["photos"] == 900, 30)
        page = self.camera_page()
        page.until(f"{TILES}.length")
        page.run("new Promise(go => setTimeout(go, 500))")
        page.listen()
        pages = [url for url in page.asked if "photos?" in url]
        self.assertLess(len(pages), 4, pages)
        for _ in range(60):
            page.run("scrollTo(0, document.documentElement.scrollHeight)")
            page.run("new Promise(go => setTimeout(go, 60))")
            self.assertLess(page.run(f"{TILES}.length"), 150)
            if page.run("document.body.innerText.includes('That is all: 900 photos')"):
                break
        page.shows("That is all: 900 photos")
        self.assert_fine(page)

    def test_scrub(self) -> None:
        """Any time of a long day is a move of the slider away, without the day being loaded."""
        store = self.directory() / "store"
        self.fill(store, 900)
        self.camd(store=store)
        until(lambda: self.cameras() and self.cameras()[0]["photos"] == 900, 30)
        page = self.camera_page("timelapse")
        page.until("document.querySelector('.player img')?.naturalWidth > 0")
        page.listen()
        page.asked.clear()
        for share, time in ((500, "01:00:00"), (100, "00:12:00"), (1000, "01:59:52")):
            page.run(
                "(() => { const s = document.querySelector('.player input');"
                f" s.value = {share}; s.dispatchEvent(new Event('input')); }})()"
            )
            page.until(f"document.querySelector('.player output').textContent === '{time}'")
        page.listen()
        self.assertLess(len([url for url in page.asked if "photos?" in url]), 4)
        self.assert_fine(page)

    def test_timelapse_and_charts(self) -> None:
        """A day runs by, can be scrubbed through, and the measurements are drawn."""
        self.board(interval="0.5")
        until(lambda: self.cameras()[0]["photos"] >= 6)
        page = self.camera_page("timelapse")
        page.until("document.querySelector('.player img')?.naturalWidth > 0")
        first = page.run("document.querySelector('.player img').src")
        page.click(".player button[aria-label='Play']")
        page.until(f"document.querySelector('.player img').src !== '{first}'")
        page.run("(() => { const s = document.querySelector('.player input');"
                 " s.value = 1000; s.dispatchEvent(new Event('input')); })()")  # fmt: skip
        page.until("document.querySelector('.player button').getAttribute('aria-label') === 'Play'")
        page.click("#tab-charts")
        page.until("document.querySelectorAll('.chart').length >= 3")
        page.until("document.querySelector('.chart .bar')")
        self.assert_fine(page)
