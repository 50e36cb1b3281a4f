"""Whatever a v2 board sends, and however it is cut: the same events, within the limits."""

import zlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from camd.wire.line import MAX_LINE
from camd.wire.seal import Seal
from camd.wire.v2 import Message, Writer
from tests.streams import pieces, some_cuts, thorough
from tests.test_v2 import MOST, SESSION, Session, sealed

PING = sealed((b"PING", b""))
part = st.one_of(
    st.sampled_from(
        [
            b"PING\n", b"PING a\r\n", b"\n", b"\r\n", b"PI", b"HINT len=5\n", b"HINT len=0\n",
            b"HINT len=12 a=b\n", b"A len=x\n", b"A len=1 len=2\n", b"A  b\n", b"len=3\n",
            b"FRAME len=4000\n", b"FRAME len=4001\n", b" mac=" + b"0" * 32 + b"\n", b"x" * 600,
            PING, sealed((b"HINT len=3", b"abc")), sealed((b"HINT len=2", b"ab"), first=2),
            sealed((b"PING", b""), first=3), b"\xff", b" ",
        ]
    ),
    st.binary(max_size=8),
)  # fmt: skip
streams = st.lists(part, max_size=10).map(b"".join)
said = st.tuples(
    st.sampled_from([b"HINT", b"FRAME seq=1", b"VIEW a=b"]), st.none() | st.binary(max_size=60)
)


class AnyBytes(SynchronousTestCase):
    @thorough(600)
    @given(streams, some_cuts, st.booleans(), st.booleans(), st.sets(st.integers(0, 3)))
    def test_cuts_do_not_matter(
        self, stream: bytes, cuts: list[int], is_sealed: bool, payloads: bool, skip: set[int]
    ) -> None:
        """The same events and the same error in any cut, and no error but the protocol's."""
        whole, bytewise, cut = (
            Session(sealed=is_sealed, payloads=payloads or is_sealed, skip=skip).hear(
                *pieces(stream, sizes)
            )
            for sizes in ([len(stream) or 1], [1], cuts)
        )
        self.assertEqual(bytewise.state, whole.state)
        self.assertEqual(cut.state, whole.state)
        self.assertIn(whole.code, (None, "syntax", "line", "mac"))
        self.assertLessEqual(bytewise.most_held, MOST + MAX_LINE)

    @thorough(300)
    @given(st.lists(said, max_size=6), some_cuts, st.booleans())
    def test_round_trip(
        self, messages: list[tuple[bytes, bytes | None]], cuts: list[int], is_sealed: bool
    ) -> None:
        """What a writer says a reader reads, sealed or not, every payload with its CRC."""
        writer = Writer()
        if is_sealed:
            writer.seal = Seal(SESSION, "board", 1)
        stream = b""
        for verb, payload in messages:
            line = verb if payload is None else b"%s len=%d" % (verb, len(payload))
            stream += writer.line(line, payload or b"")
        session = Session(sealed=is_sealed).hear(*pieces(stream, cuts))
        self.assertIsNone(session.code)
        read = [event for event in session.told if isinstance(event, Message)]
        self.assertEqual(
            [
                event.payload and (b"".join(event.payload.chunks), event.payload.crc)
                for event in read
            ],
            [None if p is None else (p, zlib.crc32(p)) for _, p in messages],
        )
        self.assertEqual([e.line.verb for e in read], [v.split()[0].decode() for v, _ in messages])

    @thorough(300)
    @given(st.lists(said, min_size=1, max_size=4), st.integers(0, 10**6), st.integers(1, 255))
    def test_nobody_changes_a_byte(
        self, messages: list[tuple[bytes, bytes | None]], at: int, change: int
    ) -> None:
        """In a sealed stream no message comes out of a line or payload that was changed."""
        lines = [(v if p is None else b"%s len=%d" % (v, len(p)), p or b"") for v, p in messages]
        good = sealed(*lines)
        at %= len(good)
        bad = good[:at] + bytes([good[at] ^ change]) + good[at + 1 :]
        true, read = (
            [event for event in Session(sealed=True).hear(data).told if isinstance(event, Message)]
            for data in (good, bad)
        )
        self.assertLess(len(read), len(true))
        self.assertEqual(read, true[: len(read)])
