"""What is around the pages: signing in and out, the log, and a server that goes away."""

from camd.access import Password
from camd.photo import CameraId
from tests.e2e_boards import V2, photo
from tests.e2e_talk import Talk
from tests.test_page_browser import PageCase, until

PASSWORD = "correct horse battery"


class Frame(PageCase):
    def test_sign_in_and_out(self) -> None:
        """With a password nothing is shown before it is given; a wrong one is said to be wrong;
        who has signed out sees nothing any more."""
        store = self.directory() / "store"
        (store / ".camd").mkdir(0o700, parents=True)
        Password(store / ".camd").set(PASSWORD)
        daemon = self.camd(store=store)
        self.boards(daemon, "--boards", "1", "--interval", "1")
        page = self.page()
        page.until("document.activeElement.type === 'password'")
        page.type("wrong")
        page.key("Enter")
        page.shows("That is not the password")
        page.listen()
        page.wrongs.clear()  # the browser logs the 403 that was wanted
        page.type(PASSWORD)
        page.key("Enter")
        page.until("document.querySelector('camera-card')")
        page.click("button[aria-label='Sign out']")
        page.until("document.querySelector('input[type=password]')")
        self.assertIsNone(page.run("document.querySelector('camera-card')"))
        self.assert_fine(page)

    def test_log(self) -> None:
        """The newest stands first, more comes by itself, and it can be narrowed down."""
        daemon = self.camd("[store]\nquarantine = true\n")
        self.boards(daemon, "--boards", "2", "--interval", "1", "--faults", "torn")
        until(lambda: self.ask("api/v1/refused")["refused"], 20)
        page = self.page("#/log")
        page.until("document.querySelectorAll('.entry').length > 3")
        times = page.run("[...document.querySelectorAll('.entry time')].map(t => t.dateTime)")
        self.assertEqual(times, sorted(times, reverse=True))
        before = page.run("document.querySelectorAll('.entry').length")
        page.until(f"document.querySelectorAll('.entry').length > {before}")
        page.run("(() => { const s = document.querySelectorAll('.log select')[1];"
                 " s.value = 'came'; s.dispatchEvent(new Event('change')); })()")  # fmt: skip
        page.until(
            "(kinds => kinds.length && kinds.every(kind => kind.textContent === 'Connected'))"
            "([...document.querySelectorAll('.entry .kind')])"
        )
        self.assert_fine(page)
        page.click(".log .tabs button:nth-child(2)")
        page.until("document.querySelector('.refusal')")
        page.shows("Not a whole JPEG")
        self.assertTrue(page.run("!!document.querySelector('.refusal a[href*=\"/image\"]')"))

    def test_what_nobody_took(self) -> None:
        """What could not be delivered is told in words, with the reason, and can be discarded;
        nothing is too wide for a phone, however long a camera's name."""
        name = "a-camera-in-the-far-corner-of-the-largest-greenhouse-by-the-road"
        daemon = self.camd(
            '[publish]\ntries = 1\n[[webhook]]\nurl = "http://127.0.0.1:9/"\nevents = ["came"]\n'
        )
        V2(daemon.port, Talk(CameraId(name))).close()
        until(lambda: self.ask("api/v1/publish")["dead"], 20)
        page = self.page("#/log/sending", width=360, height=740, touch=True)
        page.shows(f"Connected: {name}: connected from 127.0.0.1")
        page.shows("it cannot be reached: Connection refused")
        self.assert_fits(page)
        page.click("button[aria-label='Discard']")
        page.shows("Everything has arrived")
        page.run("void (location.hash = '#/log')")
        page.until("document.querySelectorAll('.entry').length > 1")
        self.assert_fits(page)
        self.assert_fine(page)

    def test_the_focus_stays(self) -> None:
        """Who is on a button of what nobody took is still there when it has been asked for again,
        and when another has come."""
        daemon = self.camd(
            '[publish]\ntries = 1\n[[webhook]]\nurl = "http://127.0.0.1:9/"\nevents = ["came"]\n'
        )
        V2(daemon.port, Talk(CameraId("trap-1"))).close()
        until(lambda: self.ask("api/v1/publish")["dead"], 20)
        page = self.page("#/log/sending")
        page.until("document.querySelector('[aria-label=Discard]')")
        page.run("document.querySelector('[aria-label=Discard]').focus()")
        page.run(
            "(() => { const real = window.fetch; window.asked = 0; window.fetch = async (...all) =>"
            " { const said = await real(...all); window.asked += /publish/.test(all[0]);"
            " return said; }; })()"
        )
        page.until("window.asked > 1")
        self.assertEqual(page.run("document.activeElement.ariaLabel"), "Discard")
        self.assert_fine(page)

    def test_the_session_ends(self) -> None:
        """A password that is set while the page is open is asked for; who gives it goes on where
        he was, and nothing that he typed is lost; one that is taken away is not asked for."""
        daemon = self.camd()
        board = V2(daemon.port, Talk(CameraId("trap-1")))
        self.addCleanup(board.close)
        self.assertEqual(board.photo(1, photo(1)), "ACK 1")
        until(lambda: self.ask("api/v1/photos")["photos"])
        page = self.page(f"#/photo/{self.ask('api/v1/photos')['photos'][0]['id']}")
        page.until("document.querySelector('#note')")
        password = Password(daemon.store / ".camd")
        password.set(PASSWORD)
        page.key("n")
        page.type("a moth")
        page.until("document.querySelector('input[type=password]')")
        page.until("document.activeElement.type === 'password'")
        page.type(PASSWORD)
        page.key("Enter")
        page.until("document.querySelector('#note')?.value === 'a moth'")
        page.until("!localStorage.length")
        page.until("!document.querySelector('[aria-label=\"Sign out\"]').hidden")
        password.path.unlink()
        page.click("[aria-label='Sign out']")
        page.until("document.querySelector('[aria-label=\"Sign out\"]')?.hidden")
        self.assertIsNone(page.run("document.querySelector('input[type=password]')"))
        until(lambda: self.ask("api/v1/photos")["photos"][0]["note"] == "a moth")

    def test_the_server_fails(self) -> None:
        """What the server says is wrong is said where its answer would be."""
        self.camd()
        page = self.page("#/")
        page.until("document.querySelector('.hello')")
        page.run(
            "(() => { const real = window.fetch; window.fetch = (path, how) =>"
            " /detect|publish/.test(path) ? Promise.resolve(Response.json("
            "{detail: 'the catalog is away'}, {status: 503})) : real(path, how); })()"
        )
        for tab in ("looking", "sending"):
            page.run(f"void (location.hash = '#/log/{tab}')")
            page.until("document.querySelector('.log .bad')?.textContent === 'the catalog is away'")
            page.run("void (location.hash = '#/log')")
            page.until("!document.querySelector('.log .bad')")
        self.assert_fine(page)

    def test_the_server_goes_and_comes(self) -> None:
        """While camd is away the page says so, and catches up by itself when it is back."""
        daemon = self.camd()
        end = self.boards(daemon, "--boards", "1", "--interval", "1")
        page = self.page()
        page.until("document.querySelector('camera-card')")
        daemon.kill()
        end()
        page.shows("No connection")
        daemon.start()
        page.until("document.querySelector('.link').dataset.state === 'open'", 30)
        self.boards(daemon, "--boards", "2", "--interval", "1")
        page.until("document.querySelectorAll('camera-card').length === 2", 20)
