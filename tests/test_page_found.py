"""What was found on photos, on the page: seen, put right by hand, counted; and nothing is lost."""

import io
import json
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from PIL import Image

from camd.findings import Box, Detection, Flag, Look
from camd.photo import Boot, CameraId
from camd.pictures import Album
from camd.store.catalog import Catalog
from camd.store.findings import Model
from camd.store.findings_writer import FindingsWriter
from camd.store.folders import OWN
from camd.store.naming import photo_name
from tests.e2e_boards import V2
from tests.e2e_daemon import Daemon
from tests.e2e_talk import Talk
from tests.pictures import insects
from tests.test_page_browser import Page, PageCase, until
from tests.web_client import Client

TRAP = CameraId("trap-1")
BOOT = Boot("00c0ffee00c0ffee")
MARKS = "[...document.querySelectorAll('.mark')]"
SAVED = "document.querySelector('.said').textContent === 'Saved'"
PHOTOS = 4


def insect(x: float, y: float, label: str = "whitefly") -> Detection:
    return Detection(label, 0.9, Box(x, y, 0.1, 0.1))


class FoundCase(PageCase):
    """Four photos of one evening: a whitefly, two, three and a gnat, and a dark one."""

    def trap(self) -> Daemon:
        store = self.directory() / "store"
        begin = int(time.time()) // 86_400 * 86_400 - 5 * 3600
        folder = store / TRAP / datetime.fromtimestamp(begin, UTC).strftime("%Y-%m-%d")
        folder.mkdir(parents=True)
        picture = Album(1, cheap=True).picture(TRAP, 1, "qvga")
        for seq in range(1, PHOTOS + 1):
            (folder / photo_name(TRAP, begin + seq * 60, BOOT, seq)).write_bytes(picture)
        daemon = self.camd(store=store)
        catalog = Catalog.open(store / OWN / "catalog.sqlite", print)
        looks = []
        for seq in range(1, PHOTOS + 1):
            entry = catalog.find((TRAP, BOOT, seq))
            assert entry is not None
            seen = [insect(0.2 * at, 0.3) for at in range(1, min(seq, 3) + 1)]
            seen += [insect(0.2, 0.7, "gnat")] * (seq == 3)
            flags = frozenset({Flag.DARK}) if seq == PHOTOS else frozenset()
            looks.append(Look(entry.id, () if flags else tuple(seen), flags, b"%d" % seq))
        FindingsWriter(catalog).looked(Model("pests.onnx", "ab" * 32), looks, 1)
        catalog.close()
        return daemon

    @staticmethod
    def name(seq: int) -> str:
        return f"{TRAP}~{BOOT}-{seq}"

    def photo_page(self, seq: int, marks: int, **looks: Any) -> Page:
        page = self.page(f"#/photo/{quote(self.name(seq))}", **looks)
        page.until(f"{MARKS}.length === {marks} && document.querySelector('.classes li')")
        return page

    def findings(self, seq: int) -> Any:
        return self.ask(f"api/v1/photos/{quote(self.name(seq))}")["findings"]

    def said(self, seq: int) -> list[tuple[str, bool]]:
        return [(each["class"], each["right"]) for each in self.findings(seq)["annotations"]]

    def box(self, seq: int) -> list[float]:
        """The only one that a person said is there."""
        (said,) = self.findings(seq)["annotations"]
        box: list[float] = said["box"]
        return box

    @staticmethod
    def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
        """With the mouse over the picture, from one place on it to another: shares of it."""
        left, top, wide, high = page.run(
            "(() => { const d = document.querySelector('.boxes');"
            " d.scrollIntoView({block: 'center', behavior: 'instant'});"
            " const m = d.getScreenCTM(), b = d.viewBox.baseVal;"
            " return [m.e, m.f, m.a * b.width, m.d * b.height]; })()"
        )
        places = [(left + x * wide, top + y * high) for x, y in (start, end)]
        for kind, (x, y) in zip(("mousePressed", "mouseMoved", "mouseReleased"),
                                (places[0], places[1], places[1]), strict=True):  # fmt: skip
            page.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1,
                    clickCount=1)  # fmt: skip


class CorrectedByHand(FoundCase):
    def test_with_the_keyboard(self) -> None:
        """Confirmed, found wrong, given another class, undone; then all is right, and the next
        photo that nobody has been through is there. camd has it each time."""
        self.trap()
        page = self.photo_page(3, 4)
        self.assertEqual(page.run(f"{MARKS}.filter(m => m.querySelector('.fresh')).length"), 2)
        box = page.run(
            f"['x', 'y', 'width', 'height'].map(n => +{MARKS}[0].querySelector('.line')"
            ".getAttribute(n))"
        )
        self.assertEqual([round(number) for number in box], [64, 72, 32, 24])
        self.assertEqual(page.run(f"{MARKS}[0].querySelector('text').textContent"), "whitefly 90 %")
        page.run(f"{MARKS}[0].focus()")
        page.key("c")
        page.key("x")
        page.until(SAVED)
        self.assertEqual(self.said(3), [("whitefly", True), ("whitefly", False)])
        self.assertEqual(page.run("document.activeElement.dataset.key"), "m2")
        page.key("ArrowRight")
        page.key("1")
        page.until(f"{SAVED} && document.querySelectorAll('.mark.person').length === 3")
        until(lambda: len(self.said(3)) == 3)
        self.assertEqual(self.said(3)[2], ("whitefly", True))
        page.key("u")
        until(lambda: len(self.said(3)) == 2)
        page.key("t")
        page.type("thrips")
        page.key("Enter")
        until(lambda: ("thrips", True) in self.said(3))
        page.do("Input.dispatchKeyEvent", type="keyDown", key="Enter", modifiers=8,
                windowsVirtualKeyCode=13)  # fmt: skip
        page.until(f"location.hash.includes('{BOOT}-2')")
        until(lambda: self.findings(3)["done"])
        self.assertEqual(self.findings(3)["counts"], {"thrips": 1, "whitefly": 2})
        page.until(f"{MARKS}.length === 2")
        self.assert_fine(page)

    def test_drawn_with_the_keyboard(self) -> None:
        """A box comes to be in the middle, is moved and made larger, and is of the class wanted."""
        self.trap()
        page = self.photo_page(PHOTOS, 0)
        page.key("b")
        page.key("Enter")
        until(lambda: self.said(PHOTOS) == [("whitefly", True)])
        box = self.box(PHOTOS)
        self.assertEqual([round(number, 3) for number in box], [0.46, 0.447, 0.08, 0.107])
        for key, code, modifiers in (("ArrowLeft", 37, 8), ("ArrowDown", 40, 9)):
            page.do("Input.dispatchKeyEvent", type="keyDown", key=key, modifiers=modifiers,
                    windowsVirtualKeyCode=code)  # fmt: skip
        until(lambda: self.box(PHOTOS)[0] < box[0] and self.box(PHOTOS)[3] > box[3])
        self.assertEqual(self.box(PHOTOS)[1:3], box[1:3])
        page.key("2")
        until(lambda: self.said(PHOTOS) == [("gnat", True)])
        self.assert_fine(page)

    def test_the_focus_stays(self) -> None:
        """Who goes through the classes with Tab stays where he is when somebody else says
        something of the photo."""
        self.trap()
        page = self.photo_page(3, 4)
        page.run("document.querySelectorAll('.classes button')[1].focus()")
        said = [{"class": "moth", "box": [0.7, 0.7, 0.1, 0.1]}]
        client = Client(self.web).sign_in()
        client.ask("PUT", f"/api/v1/photos/{self.name(3)}/annotations", {"annotations": said})
        page.until(f"{MARKS}.length === 5")
        self.assertTrue(
            page.run("document.activeElement === document.querySelectorAll('.classes button')[1]")
        )
        self.assert_fine(page)

    def test_with_the_mouse(self) -> None:
        """A box is drawn, moved, pulled larger, and taken away again; one of the model's that is
        pulled somewhere else is none where it was; two that lie over each other are both right."""
        self.trap()
        page = self.photo_page(PHOTOS, 0)
        page.shows("dark")
        page.click(".marking button:nth-child(3)")
        self.drag(page, (0.5, 0.5), (0.6, 0.7))
        until(lambda: self.said(PHOTOS) == [("whitefly", True)])
        page.key("b")
        for number, wanted in zip(self.box(PHOTOS), (0.5, 0.5, 0.1, 0.2), strict=True):
            self.assertAlmostEqual(number, wanted, places=2)
        page.run(f"{MARKS}[0].focus()")
        self.drag(page, (0.55, 0.6), (0.25, 0.3))
        until(lambda: abs(self.findings(PHOTOS)["annotations"][0]["box"][0] - 0.2) < 0.01)
        self.drag(page, (0.3, 0.4), (0.5, 0.6))
        until(lambda: abs(self.findings(PHOTOS)["annotations"][0]["box"][2] - 0.3) < 0.01)
        page.key("Delete")
        until(lambda: self.said(PHOTOS) == [])
        page.run(f"void (location.hash = '#/photo/{quote(self.name(1))}')")
        page.until(f"{MARKS}.length === 1")
        page.run(f"{MARKS}[0].focus()")
        self.drag(page, (0.25, 0.35), (0.7, 0.8))
        until(lambda: self.said(1) == [("whitefly", True), ("whitefly", False)])
        self.assertEqual(self.findings(1)["counts"], {"whitefly": 1})
        both = page.run(
            "import('./static/marks.js').then(({Marks}) => { const box = [0.1, 0.1, 0.1, 0.1];"
            " const marks = new Marks({detections: [{class: 'a', box}, {class: 'b', box}]});"
            " marks.setDone(true); return marks.body().annotations.map(one => one.class); })"
        )
        self.assertEqual(both, ["a", "b"])
        self.assert_fine(page)

    def test_nothing_is_lost(self) -> None:
        """What camd does not have yet is kept, another tab's too, over a page that is loaded anew;
        and what somebody else said meanwhile is not overwritten without a question."""
        self.trap()
        page = self.photo_page(1, 1)
        # The browser's own question, whether to leave, would wait for an answer here.
        page.do("Page.addScriptToEvaluateOnNewDocument", source="addEventListener('beforeunload',"
                " event => event.stopImmediatePropagation())")  # fmt: skip
        page.open("about:blank")
        page.open(f"{self.url}#/photo/{quote(self.name(1))}")
        page.until(f"{MARKS}.length === 1")
        page.run("(() => { window.fetch = () => Promise.reject(new TypeError('gone')); })()")
        tab = {"body": {"annotations": [{"class": "gnat", "box": [0.1, 0.1, 0.2, 0.2]}]}}
        kept = json.dumps({self.name(2): {**tab, "tag": "none"}})
        page.run(f"localStorage.setItem('camd-unsaved', {json.dumps(kept)})")
        page.run(f"{MARKS}[0].focus()")
        page.key("c")
        page.shows("Not saved yet")
        self.assertEqual(self.said(1), [])
        page.open("about:blank")
        page.open(f"{self.url}#/photo/{quote(self.name(1))}")
        until(lambda: self.said(1) == [("whitefly", True)])
        until(lambda: self.said(2) == [("gnat", True)])
        page.until(f"{MARKS}.length === 1 && document.querySelector('.mark.person')")
        page.until("!localStorage.length")

        page.run("(() => { const real = window.fetch; window.fetch = (path, how) =>"
                 " how?.method === 'PUT' ? real(path, {...how,"
                 " headers: {...how.headers, 'If-Match': '\"old\"'}}) : real(path, how);"
                 " window.back = () => { window.fetch = real; }; })()")  # fmt: skip
        page.run(f"{MARKS}[0].focus()")
        page.key("x")
        page.shows("Somebody else has changed it meanwhile.")
        page.run("window.back()")
        page.click(".said button")
        until(lambda: self.said(1) == [("whitefly", False)])
        page.listen()
        wrongs = [each for each in page.wrongs if "412" not in each]
        self.assertEqual(wrongs, [])

    def test_who_may_only_look(self) -> None:
        """Without the right to control there is nothing to correct with, and all is seen."""
        self.trap()
        page = self.page("#/")
        page.run("(() => { const real = window.fetch; window.fetch = async (path, how) => {"
                 " const answer = await real(path, how);"
                 " if (!String(path).endsWith('session')) return answer;"
                 " const said = await answer.json();"
                 " return Response.json({...said, may: ['read']}); }; })()")  # fmt: skip
        page.run("import('./static/api.js').then(api => api.open())")
        page.run(f"void (location.hash = '#/photo/{quote(self.name(3))}')")
        page.until(f"{MARKS}.length === 4")
        self.assertTrue(page.run("document.querySelector('.marking').hidden"))
        page.run(f"{MARKS}[0].focus()")
        page.key("x")
        page.key("b")
        self.assertEqual(
            page.run("document.querySelectorAll('.mark.person, [data-draw]').length"), 0
        )
        self.assertEqual(self.said(3), [])


class Looked(FoundCase):
    def test_gallery_and_charts(self) -> None:
        """Photos are chosen by what is on them and by who has been through them; insects are
        counted; nothing of it is too wide for a phone."""
        daemon = self.trap()
        client = Client(self.web).sign_in()
        client.ask("PUT", f"/api/v1/photos/{self.name(2)}/annotations",
                   {"annotations": [], "done": True})  # fmt: skip
        page = self.page(f"#/camera/{TRAP}/photos", width=360, height=740, touch=True, dark=True)
        tiles = "document.querySelectorAll('.tile').length"
        page.until(f"{tiles} === {PHOTOS} && document.querySelector('.found-tools optgroup')")
        marks = page.run("[...document.querySelectorAll('.tile .marks')].map(m => m.innerText)")
        self.assertEqual([each.split() for each in marks], [["dark"], ["4", "+4"], [], ["1", "+1"]])
        self.assertEqual(page.run("document.querySelectorAll('.tile .checked').length"), 1)
        self.assert_fits(page)
        choose = ("(() => {{ const s = document.querySelector('.found-tools select');"
                  " s.value = '{}'; s.dispatchEvent(new Event('change')); }})()")  # fmt: skip
        page.run(choose.format("fdark"))
        page.until(f"{tiles} === 1")
        page.run(choose.format("cwhitefly"))
        page.until(f"{tiles} === 2")
        page.run("(() => { const i = document.querySelector('.found-tools input');"
                 " i.value = 2; i.dispatchEvent(new Event('change')); })()")  # fmt: skip
        page.until(f"{tiles} === 1")
        page.run(choose.format(""))
        page.until(f"{tiles} === {PHOTOS}")
        page.click(".found-tools button")
        page.until(f"{tiles} === {PHOTOS - 1}")
        self.assert_fits(page)

        page.run("document.querySelector('#tab-charts').click()")
        page.until("document.querySelectorAll('.counts .bar').length === 1")
        rows = "[...document.querySelectorAll('.counts td')].map(cell => cell.textContent)"
        self.assertEqual(page.run(rows), ["2", "4", "4", "3"])
        page.run("document.querySelector('.counts .chips button').click()")
        page.until("document.querySelector('.counts header').innerText.includes(' hours')")
        table = page.run("document.querySelector('.counts a').href")
        self.assertIn("by=hour", table)
        reply = client.get(table.partition(str(self.web))[2])
        self.assertEqual(reply.body.decode().splitlines()[1].split(",")[5:], ["2", "4", "4", "3"])
        self.assert_fits(page)
        page.run(f"void (location.hash = '#/photo/{quote(self.name(3))}')")
        page.until(f"{MARKS}.length === 4")
        self.assert_fits(page)
        page.run("void (location.hash = '#/log/looking')")
        page.shows("No model looks at photos here")
        page.run("document.querySelector('.tabs button:last-child').click()")
        page.shows("No other program is told of anything")
        self.assert_fits(page)
        self.assert_fine(page)
        self.assertNotIn("Traceback", daemon.said)

    def test_odd_names(self) -> None:
        """A class may have a long name, or one that looks like markup: it is text, and fits."""
        self.trap()
        names = ["x" * 100, "W" * 60, "<script>document.title = 1</script>"]
        said = [{"class": name, "box": [0.2 * at, 0.6, 0.1, 0.1]} for at, name in enumerate(names)]
        client = Client(self.web).sign_in()
        client.ask("PUT", f"/api/v1/photos/{self.name(1)}/annotations", {"annotations": said})
        page = self.page(f"#/photo/{quote(self.name(1))}", width=360, height=740, touch=True)
        page.until(f"{MARKS}.length === 4 && document.querySelectorAll('.classes li').length === 5")
        page.run(f"{MARKS}.forEach(mark => mark.focus())")
        self.assert_fits(page)
        widest = "Math.max(...[...document.querySelectorAll('.boxes text')]"
        page.until(f"{widest}.map(text => text.getComputedTextLength())) < 320")
        for tab, there, shown in (
            ("charts", ".counts .bar", "svg[aria-label^=WW]"),
            ("photos", ".found-tools optgroup", ".found-tools .least:not([hidden])"),
        ):
            page.run(f"void (location.hash = '#/camera/{TRAP}/{tab}')")
            page.until(f"document.querySelector('{there}')")
            options = page.run("[...document.querySelectorAll('option')].map(one => one.text)")
            self.assertLessEqual(set(names), set(options))
            page.run(
                "(one => { one.selected = true;"
                " one.closest('select').dispatchEvent(new Event('change')); })"
                f"(document.querySelector('#tab-body option[value$={names[1]}]'))"
            )
            page.until(f"document.querySelector('{shown}')")
            self.assert_fits(page)
        self.assert_fine(page)


class GoneBad(FoundCase):
    def test_over_a_restart(self) -> None:
        """That a camera's photos are bad is said until one is good, be there a restart of camd in
        between."""
        daemon = self.camd(
            '[detect]\npriority = "normal"\n[judge]\nenabled = true\npoor_after = 2\n'
        )
        for seq in (1, 2):
            self.send(daemon, seq, b"")
        page = self.page(f"#/camera/{TRAP}")
        shown = "document.querySelector('.notice.poor:not([hidden])')?.textContent"
        page.until(f"{shown}?.includes('its photos have gone bad')", 30)
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        page.open("about:blank")
        page.open(f"{self.url}#/camera/{TRAP}")
        page.until(f"{shown}?.includes('its photos have gone bad')")
        self.send(daemon, 3, insects(3))
        page.until(f"document.querySelector('.notice.poor') && !{shown}", 30)

    @staticmethod
    def send(daemon: Daemon, seq: int, picture: bytes) -> None:
        """A photo; a blank one where there is no *picture*."""
        blank = io.BytesIO()
        Image.new("RGB", (320, 240), "white").save(blank, "JPEG")
        with closing(V2(daemon.port, Talk(TRAP))) as board:
            assert board.photo(seq, picture or blank.getvalue()) == f"ACK {seq}"
