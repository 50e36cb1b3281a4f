"""What a person types of a photo is not lost, and not written over unseen."""

from typing import Any

from tests.page_camera import CameraPageCase
from tests.test_page_browser import Page, until
from tests.web_client import Client

NOTE = "document.querySelector('#note')"


class Notes(CameraPageCase):
    def photo(self) -> str:
        """The id of one of three photos."""
        store = self.directory() / "store"
        self.fill(store, 3)
        self.running = self.camd(store=store)
        until(lambda: len(self.ask("api/v1/photos")["photos"]) == 3)
        photo: str = self.ask("api/v1/photos")["photos"][1]["id"]
        return photo

    def opened(self, photo: str, **looks: Any) -> Page:
        page = self.page(f"#/photo/{photo}", **looks)
        page.do("Page.addScriptToEvaluateOnNewDocument", source="addEventListener('beforeunload',"
                " event => event.stopImmediatePropagation())")  # fmt: skip
        page.open("about:blank")
        page.open(self.url)
        page.open(f"{self.url}#/photo/{photo}")
        page.until(f"{NOTE} && document.querySelectorAll('.strip a').length === 3")
        return page

    def note(self, photo: str) -> str:
        note: str = self.ask(f"api/v1/photos/{photo}")["note"]
        return note

    def write(self, photo: str, note: str) -> None:
        """As somebody else does."""
        reply = Client(self.web).sign_in().ask("PATCH", f"/api/v1/photos/{photo}", {"note": note})
        self.assertEqual(reply.status, 200)

    def test_left_while_typing(self) -> None:
        """Who wipes on to another photo with the field still open loses nothing."""
        photo = self.photo()
        page = self.opened(photo, width=360, height=740, touch=True)
        page.key("n")
        page.type("a moth")
        page.run("document.querySelector('.frame').scrollIntoView({block: 'center'})")
        left, top = page.run(
            "(box => [box.x, box.y + 20])(document.querySelector('.frame').getBoundingClientRect())"
        )
        for kind, x in (("touchStart", 300), ("touchMove", 200), ("touchMove", 80)):
            page.do("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": left + x, "y": top}])
        page.do("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        page.until(f"!location.hash.endsWith('{photo}')")
        until(lambda: self.note(photo) == "a moth")
        self.assertEqual(page.run(f"{NOTE}.value"), "")
        self.assert_fine(page)

    def test_camd_is_away(self) -> None:
        """It is kept over a page that is loaded anew, and sent when camd is back."""
        photo = self.photo()
        page = self.opened(photo)
        page.run("(() => { window.fetch = () => Promise.reject(new TypeError('gone')); })()")
        page.key("n")
        page.type("two moths")
        page.shows("Not saved yet")
        self.assertEqual(self.note(photo), "")
        page.open("about:blank")
        page.open(f"{self.url}#/photo/{photo}")
        page.until(f"{NOTE}?.value === 'two moths'")
        until(lambda: self.note(photo) == "two moths")
        page.until("!localStorage.length")
        self.assert_fine(page)

    def test_somebody_else_s(self) -> None:
        """What somebody else writes is there at once; where both write, the second is asked."""
        photo = self.photo()
        page = self.opened(photo)
        self.write(photo, "a gnat \N{HEBREW LETTER ALEF}")
        page.until(f"{NOTE}.value === 'a gnat \N{HEBREW LETTER ALEF}'")
        page.run(
            "(() => { const real = window.fetch; window.fetch = () => Promise.reject("
            "new TypeError('gone')); window.back = () => { window.fetch = real; }; })()"
        )
        page.key("n")
        page.type("s")
        page.shows("Not saved yet")
        self.write(photo, "<b>no gnat</b>")
        page.run("window.back()")
        page.shows("Somebody else has changed it meanwhile.")
        page.shows("<b>no gnat</b>")
        self.assertEqual(self.note(photo), "<b>no gnat</b>")
        page.click(".said button:last-child")
        page.until(f"{NOTE}.value === '<b>no gnat</b>'")
        page.until("!localStorage.length")
        self.assert_fine(page)

    def test_the_photo_is_gone(self) -> None:
        """What is said of a photo that was deleted meanwhile is not asked about for ever."""
        photo = self.photo()
        page = self.opened(photo)
        reply = Client(self.web).sign_in().ask("DELETE", f"/api/v1/photos/{photo}")
        self.assertEqual(reply.status, 204)
        page.key("n")
        page.type("late")
        page.shows("there is no such photo")
        page.until("!localStorage.length")
