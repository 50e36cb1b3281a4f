"""Lines and payloads come out of v2's stream as they were said, in any cut, or not at all."""

import hmac
import zlib
from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from camd.wire.errors import WireError
from camd.wire.line import MAX_LINE, Line
from camd.wire.seal import Seal
from camd.wire.v2 import MAGIC, Header, Message, Oversized, Payload, Reader, Writer
from tests.pictures import insects
from tests.streams import pieces, work

MOST = 4000
SESSION = bytes(range(32))


class Session:
    """What a reader made of a stream, its payloads in one piece each.

    :ivar code: of the error that ended it, or None.
    """

    def __init__(
        self, *, payloads: bool = True, sealed: bool = False, skip: Iterable[int] = ()
    ) -> None:
        self.reader = Reader(MOST)
        self.reader.payloads = payloads
        if sealed:
            self.reader.seal = Seal(SESSION, "board", 1)
        self.told: list[Header | Oversized | Message] = []
        self.code: str | None = None
        self.most_held = 0
        self._skip = frozenset(skip)
        self._heads = 0

    def hear(self, *segments: bytes) -> "Session":
        for data in segments:
            self.reader.receive_data(data)
            try:
                self._drain()
            except WireError as error:
                self.code = error.code
            self.most_held = max(self.most_held, self.reader.held)
        return self

    def _drain(self) -> None:
        while (event := self.reader.next_event()) is not None:
            if isinstance(event, Header):
                if self._heads in self._skip:
                    self.reader.skip()
                self._heads += 1
            elif isinstance(event, Message) and event.payload is not None:
                said = event.payload
                whole = (b"".join(said.chunks),) if said.chunks else ()
                payload = Payload(whole, said.size, 0 if said.skipped else said.crc, said.skipped)
                event = Message(event.line, payload)
            self.told.append(event)

    @property
    def verbs(self) -> list[str]:
        """Of the messages, and in brackets of what was announced only."""
        return [
            f"({event.verb})" if isinstance(event, Header) else event.line.verb
            for event in self.told
        ]

    @property
    def state(self) -> tuple[object, ...]:
        reader = self.reader
        return self.told, self.code, reader.held, reader.in_payload, reader.in_line


def sealed(*said: tuple[bytes, bytes], first: int = 1) -> bytes:
    """The board's lines with their macs, from the protocol's text alone."""
    stream = b""
    for number, (line, payload) in enumerate(said, first):
        text = b"board %d %s\n" % (number, line) + payload
        mac = hmac.digest(SESSION, text, "sha256").hex()[:32].encode("ascii")
        stream += line + b" mac=" + mac + b"\n" + payload
    return stream


class V2Case(SynchronousTestCase):
    def hears(self, stream: bytes, verbs: str, code: str | None = None, **how: object) -> Session:
        """The stream gives these verbs, and this error, in every cut."""
        first = Session(**how).hear(stream)  # type: ignore[arg-type]
        self.assertEqual((" ".join(first.verbs), first.code), (verbs, code))
        cuts = [list(pieces(stream, [1]))]
        cuts += [[stream[:at], stream[at:]] for at in range(1, min(len(stream), 1500))]
        for cut in cuts:
            other = Session(**how).hear(*cut)  # type: ignore[arg-type]
            self.assertEqual(other.state, first.state)
        return first


class Lines(V2Case):
    def test_ends(self) -> None:
        """A line ends by a newline; one carriage return before it is no part of the line."""
        session = self.hears(b"PING a\nPING b\r\nPING\nPIN", "PING PING PING")
        self.assertEqual([e.line.words for e in session.told], [("a",), ("b",), ()])  # type: ignore[union-attr]
        self.assertTrue(session.reader.in_line)
        self.assertFalse(session.reader.in_payload)
        for stream in b"PING\r\r\n", b"\rPING\n", b"PI\rNG\n", b"\n", b"\r\n":
            self.hears(b"PONG\n" + stream + b"PING\n", "PONG", "syntax")

    def test_magic(self) -> None:
        """A board's first line begins with what tells v2 from v1."""
        self.assertTrue(b"HELLO camd/2 cam=a\n".startswith(MAGIC))

    def test_longest(self) -> None:
        """1024 bytes with the end are a line, whichever end it has; 1025 are too many."""
        for end in b"\n", b"\r\n":
            word = b"x" * (MAX_LINE - len(b"PING ") - len(end))
            self.hears(b"PING " + word + end + b"PONG\n", "PING PONG")
            self.hears(b"PONG\nPING x" + word + end + b"PONG\n", "PONG", "line")

    def test_too_long_before_its_end(self) -> None:
        """The limit is tested before the end comes: 1024 bytes without it are too many."""
        session = Session().hear(b"x" * 1023)
        self.assertIsNone(session.code)
        session.hear(b"x")
        self.assertEqual(session.code, "line")
        self.assertEqual(session.reader.held, 0)

    def test_broken_stays_broken(self) -> None:
        """Behind an error nothing is read or held any more; it is told again."""
        session = Session().hear(b"PING  a\n", b"PING\n" * 1000)
        self.assertEqual((session.told, session.code, session.reader.held), ([], "syntax", 0))
        for _ in range(2):
            with self.assertRaises(WireError) as caught:
                session.reader.next_event()
            self.assertEqual(caught.exception.code, "syntax")

    def test_malformed_lines(self) -> None:
        """A malformed line ends it all; the lines before it are told."""
        for line in (
            b"A  b",
            b"A ",
            b" A",
            b"A b=",
            b"A b=1 b=1",
            b"A b=c=d",
            b"\xc3\xa4",
            b"A\x00",
            b"A\tb",
        ):
            self.hears(b"PING\n" + line + b"\nPONG\n", "PING", "syntax")

    def test_work(self) -> None:
        """Short lines cost the same each, however many wait."""
        short, long = (work(lambda n=n: Session().hear(b"PING\n" * n)) for n in (1000, 8000))
        self.assertLess(long, 9 * short)


class Payloads(V2Case):
    def test_any_verb(self) -> None:
        """Whatever the verb, so many bytes behind its line are no lines."""
        body = b"PING\nPING len=9\n\xff\r\n"
        session = self.hears(
            b"HINT len=%d a=b\n" % len(body) + body + b"PING\n", "(HINT) HINT PING"
        )
        self.assertEqual(session.told[0], Header("HINT", len(body)))
        line = Line("HINT", (), {"len": str(len(body)), "a": "b"}, len(body))
        payload = Payload((body,), len(body), zlib.crc32(body), False)
        self.assertEqual(session.told[1], Message(line, payload))

    def test_empty(self) -> None:
        """A payload of no bytes is one all the same."""
        session = self.hears(b"FRAME len=0\nPING\n", "(FRAME) FRAME PING")
        self.assertEqual(session.told[1].payload, Payload((), 0, 0, False))  # type: ignore[union-attr]

    def test_photo(self) -> None:
        """A photo comes out in pieces that together are the photo, with its CRC."""
        photo = insects(6, (64, 48))
        reader = Reader(len(photo))
        reader.payloads = True
        for piece in pieces(b"FRAME len=%d\n" % len(photo) + photo, [700]):
            reader.receive_data(piece)
            while (event := reader.next_event()) is not None:
                last = event
        assert isinstance(last, Message)
        assert last.payload is not None
        self.assertEqual(b"".join(last.payload.chunks), photo)
        self.assertEqual(last.payload.crc, zlib.crc32(photo))

    def test_before_welcome(self) -> None:
        """Before WELCOME no line has a payload, and what its len says is nobody's business."""
        for length in b"4", b"x", b"99999999999999999", b"00":
            stream = b"HELLO len=" + length + b"\nAUTH\n"
            session = self.hears(stream, "HELLO AUTH", payloads=False)
            self.assertIsNone(session.told[0].line.length)  # type: ignore[union-attr]

    def test_unreadable_length(self) -> None:
        """A len that is no count, or two of them, is malformed and has no payload."""
        for length in (
            b"00",
            b"+1",
            b"-1",
            b"1_0",
            b"1.0",
            b"0x1",
            b"%31",
            b"1" * 16,
            b"9" * 400,
            b"a",
        ):
            self.hears(b"HINT len=" + length + b"\n", "", "syntax")
        self.hears(b"HINT len=1 len=1\nx", "", "syntax")
        self.hears(b"HINT LEN=4\nPING\n", "HINT PING")

    def test_longest(self) -> None:
        """The longest payload is read; one byte more is told, and nothing comes behind it."""
        line = b"FRAME len=%d\n"
        self.hears(line % MOST + b"\n" * MOST + b"PING\n", "(FRAME) FRAME PING")
        for size in MOST + 1, 999_999_999_999_999:
            session = self.hears(b"PING\n" + line % size + b"PING\n" * 3000, "PING FRAME")
            self.assertIsInstance(session.told[1], Oversized)
            self.assertEqual(session.reader.held, 0)

    def test_skipped(self) -> None:
        """A payload that nobody wants is read over, at no cost, and the next line is a line."""
        body = b"x\n" * 1500
        stream = b"FRAME len=%d\n" % len(body) + body + b"PING\n"
        session = self.hears(stream, "(FRAME) FRAME PING", skip=(0,))
        self.assertEqual(session.told[1].payload, Payload((), len(body), 0, True))  # type: ignore[union-attr]
        dripped = Session(skip=(0,)).hear(*pieces(stream, [100]))
        self.assertLessEqual(dripped.most_held, 100)

    def test_skipped_half_way(self) -> None:
        """What was held of a payload goes when it is skipped; the next one is kept again."""
        session = Session().hear(b"FRAME len=3000\n" + bytes(2000))
        self.assertEqual(session.reader.held, 2000)
        self.assertTrue(session.reader.in_payload)
        session.reader.skip()
        self.assertEqual(session.reader.held, 0)
        session.hear(bytes(1000) + b"FRAME len=2\nabPING\n")
        self.assertEqual(session.verbs, ["(FRAME)", "FRAME", "(FRAME)", "FRAME", "PING"])
        self.assertEqual(session.told[1].payload, Payload((), 3000, 0, True))  # type: ignore[union-attr]
        self.assertEqual(session.told[3].payload, Payload((b"ab",), 2, zlib.crc32(b"ab"), False))  # type: ignore[union-attr]

    def test_held(self) -> None:
        """No more is held than the longest payload and the longest line."""
        for cut in 1, 100:
            session = Session().hear(*pieces((b"FRAME len=%d\n" % MOST + bytes(MOST)) * 3, [cut]))
            self.assertLessEqual(session.most_held, MOST + cut)

    def test_asked_when_it_suits(self) -> None:
        """Who stops asking is told nothing more, and loses nothing."""
        reader = Reader(MOST)
        reader.payloads = True
        reader.receive_data(b"FRAME len=2\nabPING\n")
        self.assertEqual(reader.next_event(), Header("FRAME", 2))
        self.assertTrue(reader.in_payload)
        reader.receive_data(b"PONG\n")
        verbs = [event.line.verb for event in iter(reader.next_event, None)]  # type: ignore[union-attr]
        self.assertEqual(verbs, ["FRAME", "PING", "PONG"])

    def test_nothing_left(self) -> None:
        """When the last byte has been made something of, none is held, asked again or not."""
        reader = Reader(MOST)
        reader.receive_data(b"PING\n")
        self.assertEqual(reader.held, 5)
        reader.next_event()
        self.assertEqual(reader.held, 0)


class Sealed(V2Case):
    def test_known_answers(self) -> None:
        """Lines and payloads whose macs follow the protocol's text are read without them."""
        body = b"\xff\xd8 mac=\n"
        said = (b"STAT rssi=-67", b""), (b"FRAME len=8 seq=1", body), (b"PING", b"")
        session = self.hears(sealed(*said), "STAT (FRAME) FRAME PING", sealed=True)
        self.assertEqual(session.told[0], Message(Line("STAT", (), {"rssi": "-67"})))
        self.assertEqual(session.told[2].payload, Payload((body,), 8, zlib.crc32(body), False))  # type: ignore[union-attr]

    def test_carriage_return(self) -> None:
        """The mac does not cover the carriage return before the newline."""
        stream = sealed((b"PING", b"")).replace(b"\n", b"\r\n")
        self.hears(stream, "PING", sealed=True)

    def test_missing(self) -> None:
        """A line without a mac, or with anything behind it, is not read at all."""
        good = sealed((b"PING", b""))
        for line in (
            b"PING\n", b"\n", b"mac=" + b"0" * 32 + b"\n", good[:-1] + b" \n", good[:-1] + b" a\n",
            good[:-2] + b"\n", good[:-1] + b"0\n", good.replace(b" mac", b"  mac"),
            good.replace(b"mac", b"MAC"), good.replace(b" mac", b"mac"),
        ):  # fmt: skip
            self.hears(line, "", "mac", sealed=True)
        mac = good[5:-1]
        self.hears(b"PING " + mac + b" rssi=1\n", "", "mac", sealed=True)
        self.hears(mac + b" PING\n", "", "mac", sealed=True)

    def test_altered(self) -> None:
        """Any bit of a line, its mac or its payload changed: nothing of it is told."""
        good = sealed((b"FRAME len=4 seq=1", b"abcd"))
        for at in range(len(good)):
            for bit in 0x01, 0x20, 0x80:
                bad = good[:at] + bytes([good[at] ^ bit]) + good[at + 1 :]
                session = Session(sealed=True).hear(bad + b"\n" * 2000)
                self.assertFalse([e for e in session.told if isinstance(e, Message)], bad)
                self.assertIn(session.code, ("mac", "line") if at < len(good) - 4 else ("mac",))

    def test_upper_case(self) -> None:
        """A mac is lower case."""
        good = sealed((b"PING", b""))
        self.hears(good[:9] + good[9:].upper(), "", "mac", sealed=True)

    def test_order(self) -> None:
        """A line said again, left out, out of its order or by the other side is no line."""
        one, two = sealed((b"PING a", b"")), sealed((b"PING b", b""), first=2)
        self.hears(one + two, "PING PING", sealed=True)
        self.hears(one + one, "PING", "mac", sealed=True)
        self.hears(two, "", "mac", sealed=True)
        self.hears(sealed((b"PING a", b""), first=0), "", "mac", sealed=True)
        writer = Writer()
        writer.seal = Seal(SESSION, "camd", 1)
        self.hears(writer.line(b"PING a"), "", "mac", sealed=True)

    def test_mac_before_all_else(self) -> None:
        """A line that is malformed besides is told so only if its mac fits."""
        for line in (
            b"A  b",
            b"A b=",
            b"A b=1 b=2",
            b"A \xff",
            b"HINT len=" + b"1" * 16,
            b"HINT len=x",
            b"HINT len=1 len=1",
            b"",
        ):
            self.hears(sealed((line, b"")), "", "syntax", sealed=True)
            self.hears(sealed((line, b""), first=7), "", "mac", sealed=True)

    def test_too_long_to_check(self) -> None:
        """A payload longer than is read cannot be checked, and so is not answered."""
        self.hears(
            sealed((b"FRAME len=4001", b""))[:-1] + b"\n" + b"x" * 99, "", "mac", sealed=True
        )
        self.hears(sealed((b"FRAME len=4000", bytes(4000))), "(FRAME) FRAME", sealed=True)

    def test_skipped(self) -> None:
        """A payload that is skipped is covered by its line's mac all the same."""
        good = sealed((b"FRAME len=4", b"abcd"), (b"PING", b""))
        self.hears(good, "(FRAME) FRAME PING", sealed=True, skip=(0,))
        self.hears(good.replace(b"abcd", b"abce"), "(FRAME)", "mac", sealed=True, skip=(0,))

    def test_a_mac_of_ones_own(self) -> None:
        """No key stands twice, and that of the seal is one, however right the second is."""
        line = b"PING mac=" + b"0" * 32
        self.hears(sealed((line, b"")), "", "syntax", sealed=True)

    def test_longest(self) -> None:
        """The mac is part of the line's 1024 bytes."""
        room = MAX_LINE - len(b"PING  mac=\n") - 32
        self.hears(sealed((b"PING " + b"x" * room, b"")), "PING", sealed=True)
        self.hears(sealed((b"PING x" + b"x" * room, b"")), "", "line", sealed=True)
