"""What can be said of the page's files without a browser."""

import json
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import camd

STATIC = Path(camd.__file__).parent / "web" / "static"
MOST_BYTES = 300_000
_ENTRY = re.compile(r'^  "([^"]+)": (.+),$', re.MULTILINE)
_USED = re.compile(r'\b(?:t|known)\("([^"]+)"')
_BEGINNING = re.compile(r"\b(?:t|known)\(`([^`$]+)\$")
_IMPORT = re.compile(r'^(?:import|export) .*?from "\./([^"]+)";', re.MULTILINE | re.DOTALL)


def words(language: str) -> dict[str, str | list[str]]:
    text = (STATIC / f"words-{language}.js").read_text("utf-8")
    return {key: json.loads(said) for key, said in _ENTRY.findall(text)}


def scripts() -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in sorted(STATIC.glob("*.js"))}


class Words(SynchronousTestCase):
    """English and Chinese say the same things."""

    def test_same_keys(self) -> None:
        """Each text that one language has the other has too."""
        english, chinese = words("en"), words("zh")
        self.assertGreater(len(english), 100)
        self.assertEqual(sorted(english), sorted(chinese))

    def test_same_places(self) -> None:
        """A translation leaves out no value that the text is to name."""
        english, chinese = words("en"), words("zh")
        for key, said in english.items():
            forms = said if isinstance(said, list) else [said]
            here = set(re.findall(r"\{\w+\}", " ".join(forms)))
            there = set(re.findall(r"\{\w+\}", str(chinese[key])))
            self.assertEqual(here, there, key)

    def test_nothing_is_unsaid(self) -> None:
        """What the page wants to say there are words for."""
        english = words("en")
        for name, text in scripts().items():
            for key in _USED.findall(text):
                self.assertIn(key, english, name)
            for beginning in _BEGINNING.findall(text):
                if beginning in ("hint-", "tele-"):
                    continue
                self.assertTrue(any(key.startswith(beginning) for key in english), beginning)


class Files(SynchronousTestCase):
    """The page is small, whole, and all our own."""

    def test_small(self) -> None:
        """All of it together, nothing compressed, stays below 300 kB."""
        sizes = {path.name: path.stat().st_size for path in STATIC.iterdir()}
        self.assertLess(sum(sizes.values()), MOST_BYTES, sizes)

    def test_nothing_inline(self) -> None:
        """No script and no style stands in the page itself, where the policy would forbid it."""
        html = (STATIC / "index.html").read_text("utf-8")
        self.assertEqual(re.findall(r"<script(?![^>]*\bsrc=)", html), [])
        self.assertNotIn("<style", html)
        self.assertIsNone(re.search(r"\s(?:style|on[a-z]+)=", html))
        for name, text in scripts().items():
            self.assertNotIn("innerHTML", text, name)
            self.assertNotIn("eval(", text, name)
            self.assertIsNone(re.search(r'setAttribute\("style"|cssText', text), name)

    def test_no_stranger(self) -> None:
        """Nothing is loaded from anywhere else, or from a fixed path of this server: it may stand
        behind a proxy's prefix."""
        for path in STATIC.iterdir():
            text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
            self.assertIsNone(re.search(r"https?://", text), path.name)
            self.assertIsNone(re.search(r"""(?:href|src)=["']/""", text), path.name)
            self.assertIsNone(re.search(r"url\(", text), path.name)

    def test_modules_are_there(self) -> None:
        """What is imported exists, and is asked for at once rather than one after another."""
        html = (STATIC / "index.html").read_text("utf-8")
        loaded = set(re.findall(r'"static/([^"]+\.js)"', html))
        self.assertEqual(loaded, set(scripts()))
        for name, text in scripts().items():
            for other in _IMPORT.findall(text):
                self.assertIn(other, loaded, name)
