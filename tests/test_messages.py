"""Each message of v2's vocabulary is read as it was meant, and refused where it is malformed."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from camd.photo import MAX_SEQ, Boot, CameraId, Reason, Trigger
from camd.wire import messages as m
from camd.wire.errors import LocalProtocolError, WireError
from camd.wire.line import Line, parse
from tests.streams import thorough

BOOT = Boot("00c0ffee12345678")
NONCE = "a0" * 16
HELLO = f"HELLO camd/2 cam=porch boot={BOOT} nonce={NONCE}"
FRAME = "FRAME seq=1 len=90 crc=230240c0"

boots = st.text("0123456789abcdef", min_size=16, max_size=16).map(Boot)
digits = st.text("0123456789abcdef", min_size=64, max_size=64)
seqs = st.integers(1, MAX_SEQ)
times = st.integers(0, 10**14).map(lambda ms: ms / 1000)
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)
keys = st.from_regex("[a-z_]{1,12}", fullmatch=True).filter(lambda key: key not in ("len", "mac"))
crcs = st.integers(0, 2**32 - 1)
numbers = st.integers(-9_999_999, 9_999_999) | st.integers(-9_999_999, 9_999_999).map(
    lambda n: n / 1000
)
ids = st.from_regex("[a-uw-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?", fullmatch=True).map(CameraId)


def read(raw: bytes | str) -> Line:
    """The line as a reader hands it on behind WELCOME."""
    line = parse(raw.encode("utf-8") if isinstance(raw, str) else raw)
    length = line.values.get("len")
    return Line(line.verb, line.words, line.values, int(length) if length else None)


class MessageCase(SynchronousTestCase):
    def refused(self, parser: Callable[[Line], object], *lines: str, code: str = "syntax") -> None:
        for said in lines:
            with self.assertRaises(WireError, msg=said) as caught:
                parser(read(said))
            self.assertEqual(caught.exception.code, code, said)


class Opening(MessageCase):
    def test_hello(self) -> None:
        """HELLO names the camera, its start and a nonce; the rest may be there or not."""
        self.assertEqual(m.parse_hello(read(HELLO)), m.Hello(CameraId("porch"), BOOT, NONCE))
        said = f"HELLO nonce={NONCE} caps=snap,set new=%zz fw=2%2E0 camd/2 model=K%c3%a4se"
        said += f" boot={BOOT} cam=a"
        expected = m.Hello(CameraId("a"), BOOT, NONCE, "2.0", "K\u00e4se", ("snap", "set"))
        self.assertEqual(m.parse_hello(read(said)), expected)

    def test_version(self) -> None:
        """Another version is told so, whatever else the line says."""
        for said in "HELLO", "HELLO camd/1", "HELLO camd/3", "HELLO CAMD/2", "HELLO camd/2x":
            self.refused(m.parse_hello, said, HELLO.replace("HELLO camd/2", said), code="version")

    def test_malformed_hello(self) -> None:
        """A HELLO without its words, or with more, is malformed."""
        self.refused(
            m.parse_hello,
            "HELLO camd/2",
            HELLO + " word",
            HELLO.replace(" cam=porch", ""),
            HELLO.replace(f" boot={BOOT}", ""),
            HELLO.replace(f" nonce={NONCE}", ""),
            HELLO.replace("ffee", "FFEE"),
            HELLO.replace("a0a0", "A0a0"),
            HELLO.replace("a0a0", "a0"),
            HELLO + "0",
            HELLO + " fw=%zz",
            HELLO + " model=%ff",
            HELLO + " caps=a%00",
        )

    def test_ids(self) -> None:
        """A camera's id is 1 to 64 of its signs; every other is told so."""
        for camera in "a", "0", "a" * 64, "a.b-c_d", "v1", "v1x", "v2-a", "jpg", "a.jpg.b", "0001":
            self.assertEqual(m.parse_hello(read(HELLO.replace("porch", camera))).camera, camera)
        for camera in (
            "a" * 65, "A", ".a", "a.", "-a", "a-", "_a", "a_", "a..b", "a.jpg", "v1-a", "a/b",
            "a%2fb", "..", ".", "a:b", "a\\b", "%c3%a4", "a.jpg.", "*",
        ):  # fmt: skip
            self.refused(m.parse_hello, HELLO.replace("porch", camera), code="id")

    def test_auth_and_challenge(self) -> None:
        """AUTH is one word of 64 hex digits, CHALLENGE one of 32."""
        self.assertEqual(m.parse_auth(read(m.auth("a0" * 32))), "a0" * 32)
        self.assertEqual(m.parse_challenge(read(m.challenge(NONCE))), NONCE)
        self.refused(
            m.parse_auth, "AUTH", "AUTH " + "A0" * 32, "AUTH " + "a0" * 31, f"AUTH {NONCE} a"
        )
        self.refused(m.parse_challenge, "CHALLENGE", "CHALLENGE " + "a0" * 17)

    @thorough(150)
    @given(
        ids, boots, texts, texts, st.lists(st.from_regex("[a-z]{1,6}", fullmatch=True), max_size=3)
    )
    def test_hello_there_and_back(
        self, camera: CameraId, boot: Boot, fw: str, model: str, caps: list[str]
    ) -> None:
        """What a board says of itself is what camd reads."""
        said = m.Hello(camera, boot, NONCE, fw, model, tuple(caps))
        self.assertEqual(m.parse_hello(read(m.hello(said))), said)

    @thorough(150)
    @given(times, st.integers(0, MAX_SEQ), st.integers(1, 99), st.none() | digits)
    def test_welcome_there_and_back(
        self, time: float, last: int, window: int, proof: str | None
    ) -> None:
        """What camd welcomes with is what the board reads."""
        said = m.Welcome(time, last, window, 400_000, proof)
        self.assertEqual(m.parse_welcome(read(m.welcome(said))), said)

    def test_malformed_welcome(self) -> None:
        """Numbers below what the protocol grants are malformed."""
        good = "WELCOME camd/2 time=1 last=0 window=1 max=400000"
        m.parse_welcome(read(good))
        self.refused(
            m.parse_welcome, good.replace("window=1", "window=0"), good.replace("400000", "399999"),
            good.replace("last=0", "last=4294967296"), good.replace("time=1 ", ""),
            good + " proof=a",
        )  # fmt: skip
        self.refused(m.parse_welcome, good.replace("/2", "/3"), code="version")


class Photos(MessageCase):
    def test_frame(self) -> None:
        """A photo's head has a number, a length and a CRC; unknown keys are ignored."""
        self.assertEqual(m.parse_frame(read(FRAME)), m.Frame(1, 90, 0x230240C0))
        said = FRAME + f" trigger=motion x=%zz boot={BOOT} ts=1767225600123"
        expected = m.Frame(1, 90, 0x230240C0, 1767225600.123, Trigger.MOTION, BOOT)
        self.assertEqual(m.parse_frame(read(said)), expected)

    def test_seq(self) -> None:
        """Numbers run from 1 to 2^32 - 1."""
        for seq in 1, MAX_SEQ:
            self.assertEqual(m.parse_frame(read(FRAME.replace("seq=1", f"seq={seq}"))).seq, seq)
        for seq in "0", "4294967296", "00", "01", "+1", "-1", "1_0", "1.0", "9" * 16, "x":
            self.refused(m.parse_frame, FRAME.replace("seq=1", f"seq={seq}"))

    def test_malformed_frame(self) -> None:
        """A head that lacks a word, or has a bad one, is malformed."""
        self.refused(
            m.parse_frame,
            "FRAME", FRAME + " word",
            "FRAME seq=1 crc=230240c0", "FRAME len=90 crc=230240c0", "FRAME seq=1 len=90",
            FRAME.replace("40c0", "40C0"), FRAME + "0", FRAME[:-1], FRAME[:-1] + "g",
            FRAME + " ts=-1", FRAME + " ts=1.5", FRAME + " ts=00", FRAME + " trigger=Timer",
            FRAME + " trigger=%74imer", FRAME + " boot=" + BOOT.upper(), FRAME + " boot=0",
        )  # fmt: skip

    @thorough(150)
    @given(
        st.builds(
            m.Frame, seqs, st.integers(0, 10**15 - 1), crcs, st.none() | times,
            st.none() | st.sampled_from(Trigger), st.none() | boots,
        )
    )  # fmt: skip
    def test_frame_there_and_back(self, said: m.Frame) -> None:
        """What a board says of a photo is what camd reads."""
        self.assertEqual(m.parse_frame(read(m.frame(said))), said)

    @thorough(150)
    @given(
        seqs,
        st.none() | boots,
        st.none() | st.sampled_from(Reason),
        st.none() | st.integers(0, 10**9),
    )
    def test_answers_there_and_back(
        self, seq: int, boot: Boot | None, reason: Reason | None, retry: int | None
    ) -> None:
        """What camd answers is what the board reads."""
        if reason is None:
            self.assertEqual(m.parse_answer(read(m.ack(seq, boot))), m.Answer(seq, boot))
            return
        seconds = None if retry is None else retry / 1000
        answer = m.parse_answer(read(m.nak(seq, reason, seconds, boot)))
        self.assertEqual(answer, m.Answer(seq, boot, reason, seconds))

    def test_answers_to_the_byte(self) -> None:
        """Answers are the protocol's lines."""
        self.assertEqual(m.ack(7), b"ACK 7")
        self.assertEqual(m.ack(7, BOOT), b"ACK 7 boot=00c0ffee12345678")
        self.assertEqual(m.nak(7, Reason.BUSY, 1.5), b"NAK 7 busy retry=1500")
        self.assertEqual(m.nak(7, Reason.IO, -1), b"NAK 7 io retry=0")
        self.assertEqual(m.nak(7, Reason.JPEG, boot=BOOT), b"NAK 7 jpeg boot=00c0ffee12345678")
        self.assertEqual(m.err("verb"), b"ERR verb")

    def test_malformed_answers(self) -> None:
        """An answer without its number or its reason is malformed."""
        self.refused(
            m.parse_answer, "ACK", "ACK 0", "ACK 1 2", "ACK 1 boot=x", "NAK 1", "NAK 1 tired",
            "NAK busy 1", "NAK 1 busy retry=-1", "NAK 1 busy retry=1.5",
        )  # fmt: skip

    def test_view(self) -> None:
        """A picture for live view has a length and a CRC."""
        self.assertEqual(m.parse_view(read(m.view(9, 0xAB))), 0xAB)
        self.assertEqual(m.view(9, 0xAB), b"VIEW len=9 crc=000000ab")
        self.refused(m.parse_view, "VIEW len=9", "VIEW crc=000000ab", "VIEW len=9 crc=000000AB")


class Telemetry(MessageCase):
    def test_stat(self) -> None:
        """Measurements by their names; of what is unknown, what is a measurement too."""
        said = "STAT rssi=-67 vbat=3.905 heap=112340 reset=power%20on door=open x=%41 y=1,5 lost=0"
        expected = {
            "rssi": -67, "vbat": 3.905, "heap": 112340, "reset": "power on", "door": "open",
            "lost": 0,
        }  # fmt: skip
        self.assertEqual(m.parse_stat(read(said)), expected)
        self.assertEqual(m.parse_stat(read("STAT")), {})

    def test_long_counts(self) -> None:
        """A board that has been up for a year, or has much memory, may say so."""
        said = "STAT uptime=31536000 heap=16777216 queued=10000000"
        expected = {"uptime": 31_536_000, "heap": 16_777_216, "queued": 10_000_000}
        self.assertEqual(m.parse_stat(read(said)), expected)

    def test_malformed_stat(self) -> None:
        """A known measurement that is none is malformed, and so is a word."""
        self.refused(
            m.parse_stat, "STAT word", "STAT rssi=+1", "STAT rssi=12345678", "STAT vbat=3.9051",
            "STAT heap=1e5", "STAT uptime=" + "9" * 16, "STAT uptime=01234567", "STAT reset=%0a",
        )  # fmt: skip

    @thorough(150)
    @given(st.dictionaries(keys.filter(lambda key: key != "reset"), numbers, max_size=6))
    def test_stat_there_and_back(self, values: dict[str, float]) -> None:
        """What a board measures is what camd reads."""
        self.assertEqual(m.parse_stat(read(m.stat(values))), values)

    @thorough(150)
    @given(st.dictionaries(keys, numbers | st.floats() | st.text(max_size=9), max_size=3))
    def test_never_misread(self, values: dict[str, float | str]) -> None:
        """What is no measurement and no name is not said at all."""
        for compose, skipped in (m.stat, 0), (lambda said: m.settings(1, said), 1):
            try:
                line = read(compose(values))
            except LocalProtocolError:
                continue
            self.assertEqual(list(line.values), list(values))
            self.assertEqual(len(line.words), skipped)

    def test_framing_is_not_for_values(self) -> None:
        """No setting or value may pass for the line's own length or mac."""
        for key in "len", "mac":
            for compose in (
                lambda key=key: m.settings(1, {key: 5}),
                lambda key=key: m.stat({key: 5}),
                lambda key=key: m.done(m.Done(1, {key: "5"})),
            ):
                self.assertRaises(LocalProtocolError, compose)

    def test_bye_and_ping(self) -> None:
        """BYE says when the board is back; PING has a word or none, said back as it came."""
        for seconds in None, 0, 600:
            self.assertEqual(m.parse_bye(read(m.bye(seconds))), seconds)
        self.refused(m.parse_bye, "BYE 5", "BYE next=-1", "BYE next=1.5", "BYE next=00")
        for word in "", "17", "k%3D1", "%c3%a4":
            self.assertEqual(m.parse_ping(read(m.ping(word))), word)
            self.assertEqual(m.parse_ping(read(m.pong(word))), word)
        self.refused(m.parse_ping, "PING a b", "PING %", "PING %zz", "PING %0a", "PONG %ff")
        for line, word in (
            ("PING a=b", "a=b"), ("PING a=%c3%a4", "a=%c3%a4"), ("PING 17 a=b", "17"),
            ("PING a=b c=d", ""), ("PING len=5", ""), ("PING a=b len=5 mac=0", "a=b"),
        ):  # fmt: skip
            self.assertEqual(m.parse_ping(read(line)), word)
            self.assertEqual(m.pong(word), f"PONG {word}".strip().encode())
        self.refused(m.parse_ping, "PING a=%zz")


class Commands(MessageCase):
    def test_to_the_byte(self) -> None:
        """Commands are the protocol's lines."""
        for line, expected in (
            (m.settings(1, {"framesize": "vga", "interval": 2.5, "brightness": -1.0}),
             b"SET 1 framesize=vga interval=2.5 brightness=-1"),
            (m.snap(2), b"SNAP 2"),
            (m.snap(2, flash=True), b"SNAP 2 flash=1"),
            (m.stream(3, 5), b"STREAM 3 fps=5"),
            (m.stream(3, 0), b"STREAM 3 off"),
            (m.reboot(4), b"REBOOT 4"),
            (m.update(5, "https://a/b c=d%", "ab" * 32),
             b"UPDATE 5 url=https://a/b%20c%3Dd%25 sha256=" + b"ab" * 32),
        ):  # fmt: skip
            self.assertEqual(line, expected)

    def test_read(self) -> None:
        """A board reads a command's number, words and values."""
        command = m.parse_command(read("STREAM 3 off a=%20"))
        self.assertEqual(
            (command.verb, command.number, list(command.words)), ("STREAM", 3, ["off"])
        )
        self.assertEqual(command.values, {"a": " "})
        self.refused(m.parse_command, "SNAP", "SNAP 0", "SNAP x", "SNAP 01", "SNAP 1 a=%zz")

    def test_what_cannot_be_set(self) -> None:
        """A value that is no measurement and no name is our mistake."""
        for value in "", "a b", "a=b", "caf\u00e9", "1e5", 1e8, float("nan"), float("inf"):
            with self.assertRaises(LocalProtocolError, msg=repr(value)):
                m.settings(1, {"quality": value})
        with self.assertRaises(LocalProtocolError):
            m.update(1, "https://a\nb", "ab" * 32)

    @thorough(150)
    @given(st.integers(1, 10**15 - 1), st.dictionaries(keys, texts.filter(bool), max_size=3), texts)
    def test_outcomes_there_and_back(self, command: int, values: dict[str, str], why: str) -> None:
        """What a board says of a command is what camd reads."""
        done = m.Done(command, values)
        self.assertEqual(m.parse_done(read(m.done(done))), done)
        fail = m.Fail(command, why or "range")
        self.assertEqual(m.parse_fail(read(m.fail(fail))), fail)

    def test_malformed_outcomes(self) -> None:
        """DONE and FAIL without a command's number, or with too much, are malformed."""
        self.refused(m.parse_done, "DONE", "DONE 0", "DONE x", "DONE 1 2", "DONE 1 a=%zz")
        self.refused(m.parse_fail, "FAIL", "FAIL 1", "FAIL 0 range", "FAIL 1 a b", "FAIL 1 %zz")


class AnyLine(SynchronousTestCase):
    @thorough(400)
    @given(
        st.sampled_from(
            [HELLO, FRAME, "STAT", "DONE 1", "FAIL 1 a", "BYE", "PING", "ACK 1", "NAK 1 io"]
        ),
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20),
    )
    def test_nothing_but_malformed(self, said: str, more: str) -> None:
        """No line makes a parser fail otherwise than by telling the peer."""
        try:
            line = parse(f"{said} {more}".encode("ascii"))
        except WireError:
            return
        for parser in (
            m.parse_hello, m.parse_auth, m.parse_frame, m.parse_view, m.parse_stat, m.parse_done,
            m.parse_fail, m.parse_bye, m.parse_ping, m.parse_challenge, m.parse_welcome,
            m.parse_answer, m.parse_command,
        ):  # fmt: skip
            try:
                parser(line)
            except WireError as error:
                self.assertIn(error.code, ("syntax", "version", "id"))
