"""A line of v2 is what the grammar says, to the byte, or it is malformed."""

from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from camd.wire.errors import LocalProtocolError, WireError
from camd.wire.line import (
    MAX_LINE,
    Line,
    compose,
    compose_pairs,
    count,
    escape,
    hexadecimal,
    measurement,
    parse,
    unescape,
)
from tests.streams import thorough

ARABIC_FIVE = "\u0665"
FULLWIDTH_FIVE = "\uff15"
NOT_COUNTS = (
    "", "00", "01", "+1", "-1", "-0", "1_0", "1.0", "1e3", " 1", "1 ", "0x1", "1\n",
    ARABIC_FIVE, FULLWIDTH_FIVE, "1" * 16, "one",
)  # fmt: skip
plain = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="="))
word = plain.filter(bool)
free_text = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40)


class GrammarCase(SynchronousTestCase):
    def malformed(self, run: Callable[[], object], code: str = "syntax") -> None:
        with self.assertRaises(WireError) as caught:
            run()
        self.assertEqual(caught.exception.code, code)


class Grammar(GrammarCase):
    def test_words_and_values(self) -> None:
        """A verb, words in their order, values by their keys; no payload is known of yet."""
        line = parse(b"NAK 7 busy retry=500 boot=ab%20")
        self.assertEqual(line, Line("NAK", ("7", "busy"), {"retry": "500", "boot": "ab%20"}))
        self.assertIsNone(line.length)
        self.assertEqual(parse(b"PING"), Line("PING", (), {}))
        self.assertEqual(parse(b"SET a=1 9 b=2"), Line("SET", ("9",), {"a": "1", "b": "2"}))

    def test_malformed(self) -> None:
        """Spaces that enclose nothing, keys without values and the like, are refused."""
        for raw in (
            b"", b" ", b" PING", b"PING ", b"PING  a", b"A b=", b"A =b", b"A =", b"A b==",
            b"A b=c=d", b"A b=c=", b"A b=1 b=1", b"A b=1 c=2 b=3", b"A ==",
        ):  # fmt: skip
            self.malformed(lambda raw=raw: parse(raw))

    def test_every_byte(self) -> None:
        """Of the 256 bytes only 0x20 to 0x7e may stand in a line, wherever it is."""
        for byte in range(256):
            for raw in b"A%cB c=d", b"AB x%cy", b"AB c=d%ce", b"AB %cc=d":
                said = raw % byte
                if 0x20 < byte < 0x7F and byte != 0x3D:
                    self.assertEqual(parse(said).verb[0], "A")
                elif byte not in (0x20, 0x3D):
                    self.malformed(lambda said=said: parse(said))

    @thorough(400)
    @given(st.binary(max_size=60))
    def test_any_bytes(self, raw: bytes) -> None:
        """Any bytes are a line or malformed; what is a line says exactly those bytes' words."""
        try:
            line = parse(raw)
        except WireError as error:
            self.assertEqual(error.code, "syntax")
            return
        said = [line.verb, *line.words, *(f"{k}={v}" for k, v in line.values.items())]
        self.assertEqual(sorted(said), sorted(raw.decode("ascii").split(" ")))


class Numbers(GrammarCase):
    def test_counts(self) -> None:
        """Counts are ASCII digits without sign or leading zero, fifteen at most."""
        for text in "0", "1", "10", "999999999999999":
            self.assertEqual(count(text), int(text))
        for text in NOT_COUNTS:
            self.malformed(lambda text=text: count(text))

    def test_range(self) -> None:
        """A number out of its range is malformed; the range's ends are in it."""
        self.assertEqual(count("1", 1, 4_294_967_295), 1)
        self.assertEqual(count("4294967295", 1, 4_294_967_295), 4_294_967_295)
        for text in "0", "4294967296":
            self.malformed(lambda text=text: count(text, 1, 4_294_967_295))

    def test_measurements(self) -> None:
        """Measurements have up to seven digits and three decimals; the others are names."""
        for text in "0", "-67", "3.905", "-2.5", "9999999.999", "007", "-0":
            self.assertEqual(measurement(text), float(text))
        for text in "vga", "uxga", "on", "800x600", "HD", "nan", "inf", "a-b_c.d":
            self.assertEqual(measurement(text), text)
        for text in (
            "", "+1", "1.", ".5", "1.2345", "12345678", "1e5", "1_0", "--1", "-", "1,5", "-x",
            "%41", ARABIC_FIVE, "caf\u00e9", "1 ", "1\n", "a" * 65, "1x", "x" + ARABIC_FIVE,
        ):  # fmt: skip
            self.malformed(lambda text=text: measurement(text))

    def test_hex(self) -> None:
        """Hex is lower case and has its number of digits."""
        self.assertEqual(hexadecimal("00ff", 4), "00ff")
        for text in "00FF", "00f", "00ff0", "", "0x0f", "00fg", "00f ", "00f" + FULLWIDTH_FIVE:
            self.malformed(lambda text=text: hexadecimal(text, 4))

    @thorough(300)
    @given(st.text(max_size=8))
    @example("1" * 15)
    def test_any_text(self, text: str) -> None:
        """Nothing but an answer or a refusal comes of any text."""
        for read in count, measurement, lambda said: hexadecimal(said, 4):
            try:
                read(text)
            except WireError as error:
                self.assertEqual(error.code, "syntax")


class Escapes(GrammarCase):
    def test_either_case(self) -> None:
        """Escapes are taken in upper and in lower case."""
        for text in "K%C3%A4se", "K%c3%a4se", "K%C3%a4se":
            self.assertEqual(unescape(text), "K\u00e4se")
        self.assertEqual(unescape("a%20b%25%3d%3D"), "a b%==")

    def test_bad(self) -> None:
        """A bad escape, one that is no UTF-8 and controls are malformed."""
        for text in (
            "%", "%2", "a%", "%%", "%2g", "%g2", "% 2", "%+1", "%-1", "%u0041", "%2%20",
            "%ff", "%c3", "%c3%28", "%a4", "%c0%80", "%ed%a0%80", "%f4%90%80%80", "K%c3a4",
            "%00", "%0a", "%0d", "%1f", "%7f", "%c2%80", "%c2%9f", "a%09b",
        ):  # fmt: skip
            self.malformed(lambda text=text: unescape(text))

    @thorough(300)
    @given(free_text)
    @example("a b%=c\u00e4\U0001f41d")
    def test_round_trip(self, text: str) -> None:
        """Any text without controls comes back, and stands in a line on its way."""
        said = escape(text)
        self.assertEqual(unescape(said), text)
        if text:
            self.assertEqual(parse(f"A b={said} {said}".encode()).values["b"], said)

    @thorough(300)
    @given(plain)
    def test_any_escape(self, text: str) -> None:
        """Any printable word is resolved or malformed."""
        try:
            self.assertTrue(all(sign >= " " for sign in unescape(text)))
        except WireError as error:
            self.assertEqual(error.code, "syntax")

    def test_what_cannot_be_said(self) -> None:
        """A control character is ours to leave out: the other end would hang up on it."""
        for text in "a\nb", "\x00", "\x7f", "\x85":
            with self.assertRaises(LocalProtocolError):
                escape(text)


class Composing(SynchronousTestCase):
    def test_read_back(self) -> None:
        """A line has its words first, then what has a value."""
        self.assertEqual(compose("NAK", 7, "busy", retry=500, boot=None), b"NAK 7 busy retry=500")
        self.assertEqual(compose_pairs("SET", (1,), [("a-b", 2.5)]), b"SET 1 a-b=2.5")

    def test_what_would_be_misread(self) -> None:
        """What the other end would read as something else is not written."""
        for words in ("",), ("a b",), ("a=b",), ("a\n",), ("K\u00e4se",), ("\x7f",), ("a", ""):
            with self.assertRaises(LocalProtocolError):
                compose("PING", *words)
        for key, value in (
            ("a", ""),
            ("a", "b c"),
            ("a", "b=c"),
            ("", "b"),
            ("a b", "c"),
            ("a=b", "c"),
        ):
            with self.assertRaises(LocalProtocolError):
                compose_pairs("SET", (), [(key, value)])
        for verb in "", "A B", "\u00c4":
            with self.assertRaises(LocalProtocolError):
                compose(verb)

    def test_longest(self) -> None:
        """A line is at most 1024 bytes with its end."""
        self.assertEqual(len(compose("PING", "x" * (MAX_LINE - 6))), 1023)
        with self.assertRaises(LocalProtocolError):
            compose("PING", "x" * (MAX_LINE - 5))

    @thorough(300)
    @given(word, st.lists(word, max_size=4), st.dictionaries(word, word, max_size=4))
    def test_round_trip(self, verb: str, words: list[str], values: dict[str, str]) -> None:
        """What is composed is read as it was meant."""
        raw = compose_pairs(verb, words, values.items())
        self.assertEqual(parse(raw), Line(verb, tuple(words), values))

    @thorough(300)
    @given(st.text(max_size=5), st.lists(st.text(max_size=5), max_size=3), st.text(max_size=5))
    def test_never_misread(self, verb: str, words: list[str], value: str) -> None:
        """Whatever is to be said is read back as it was meant, or not said."""
        try:
            raw = compose_pairs(verb, words, [("key", value)])
        except LocalProtocolError:
            return
        self.assertEqual(parse(raw), Line(verb, tuple(words), {"key": value}))
