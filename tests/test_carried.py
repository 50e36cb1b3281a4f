"""Wherever a stream is cut, a decoder in another process goes on as the first would have."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from camd.handover.estate import FORMAT
from camd.wire import carried, v1, v2
from camd.wire.seal import Seal
from tests.streams import jpeg, segment

MOST = 400_000


def plain(value: Any) -> Any:
    """As it is behind a wire that knows JSON and bytes."""

    def back(found: dict[str, Any]) -> Any:
        return bytes.fromhex(found["hex"]) if found.keys() == {"hex"} else found

    text = json.dumps(value, default=lambda data: {"hex": bytes(data).hex()})
    return json.loads(text, object_hook=back)


def frames() -> bytes:
    """A whole photo, one that is none, one cut off, and one whose segment swallows a mark."""
    whole = jpeg(segment(0xFE, b"FrameOver" * 3))
    return b"noise" + b"".join(
        (
            v1.frame(whole), v1.frame(b"no jpeg"), v1.frame(whole[:-9]),
            v1.frame(whole[:2] + b"\xff\xfe\xff\xff" + whole[2:]), v1.frame(whole),
        )
    )  # fmt: skip


def told(decoder: v1.V1Decoder, discard: bool) -> list[object]:
    found: list[object] = []
    while (event := decoder.next_event()) is not None:
        if isinstance(event, v1.Began) and discard:
            decoder.discard()
        if isinstance(event, v1.Ended):
            found.append((event.verdict, b"".join(event.chunks), event.size, event.width))
        else:
            found.append(event)
    return found


class Frames(SynchronousTestCase):
    """v1."""

    def test_everywhere(self) -> None:
        """Cut after any byte, kept or discarded: the same events, and the first is not changed."""
        stream = frames()
        for discard in (False, True):
            straight = v1.V1Decoder(MOST)
            straight.receive_data(stream)
            expected = told(straight, discard)
            for at in range(len(stream)):
                first = v1.V1Decoder(MOST)
                first.receive_data(stream[:at])
                found = told(first, discard)
                second = carried.decoder(plain(carried.decoder_state(first)))
                self.assertEqual((second.in_frame, second.held), (first.in_frame, first.held))
                second.receive_data(stream[at:])
                self.assertEqual(found + told(second, discard), expected, at)
                first.receive_data(stream[at:])
                self.assertEqual(found + told(first, discard), expected, at)


def lines(key: bytes | None) -> bytes:
    writer = v2.Writer()
    if key is not None:
        writer.seal = Seal(key, "board", 1)
    photo = bytes(range(256)) * 3
    return b"".join(
        (
            writer.line(b"PING"),
            writer.line(b"FRAME seq=1 len=768 crc=00000000", photo),
            writer.line(b"NONSENSE len=12", b"twelve bytes"),
            writer.line(b"STAT rssi=-50"),
        )
    )


class Form(SynchronousTestCase):
    """What goes from one version of camd to another."""

    def test_names(self) -> None:
        """These are the values of `camd.handover.estate.FORMAT` 1; others need another number."""
        decoder = v1.V1Decoder(MOST)
        decoder.receive_data(b"FrameBegin")
        decoder.next_event()
        state = carried.decoder_state(decoder)
        self.assertEqual(
            (" ".join(sorted(state)), " ".join(sorted(state["walk"])), FORMAT),
            (
                "_at _discard _done _endless _from _in _most _orphans _over _tail _total kept "
                "noise walk",
                "_left _scans _segments claimed height state then width",
                1,
            ),
        )
        self.assertEqual(
            " ".join(sorted(carried.reader_state(v2.Reader(MOST)))),
            "_at _crc _ended _in _left _mac _most _raw _size _skip kept line payloads seal",
        )


class Lines(SynchronousTestCase):
    """v2, plain and sealed."""

    def reader(self, key: bytes | None) -> v2.Reader:
        reader = v2.Reader(4 * MOST)
        reader.payloads = True
        if key is not None:
            reader.seal = Seal(key, "board", 1)
        return reader

    def told(self, reader: v2.Reader, skip: bool) -> list[object]:
        found: list[object] = []
        while (event := reader.next_event()) is not None:
            if isinstance(event, v2.Header) and skip:
                reader.skip()
            if isinstance(event, v2.Message) and event.payload is not None:
                payload = event.payload
                found.append((event.line, b"".join(payload.chunks), payload.crc, payload.skipped))
            else:
                found.append(event)
        return found

    @settings(max_examples=60)
    @given(st.data(), st.booleans(), st.booleans())
    def test_everywhere(self, data: st.DataObject, sealed: bool, skip: bool) -> None:
        """Cut after any byte: the same messages, their macs checked over the whole."""
        key = bytes(32) if sealed else None
        stream = lines(key)
        at = data.draw(st.integers(0, len(stream)))
        straight = self.reader(key)
        straight.receive_data(stream)
        expected = self.told(straight, skip)
        first = self.reader(key)
        first.receive_data(stream[:at])
        found = self.told(first, skip)
        try:
            second = carried.reader(plain(carried.reader_state(first)))
        except carried.CannotBeCarriedError:
            self.assertTrue(sealed and skip and first.in_payload)
            return
        second.receive_data(stream[at:])
        self.assertEqual(found + self.told(second, skip), expected)
