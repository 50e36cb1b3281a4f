"""A v1 stream decoded as camd does it: every event taken out before the next bytes come."""

from collections.abc import Iterable

from camd.wire.v1 import Began, Ended, Endless, Event, Torn, V1Decoder, Verdict

MOST = 2000


class Listener:
    """What a decoder made of a stream.

    :ivar told: its events, with each photo in one piece.
    :ivar most_held: the most bytes that waited between two receptions.
    """

    def __init__(
        self, most: int = MOST, *, orphans: bool = False, unwanted: Iterable[int] = ()
    ) -> None:
        self.decoder = V1Decoder(most, orphans=orphans)
        self.told: list[Event] = []
        self.most_held = 0
        self._unwanted = frozenset(unwanted)
        self._begun = 0

    def hear(self, *segments: bytes) -> "Listener":
        for data in segments:
            self.decoder.receive_data(data)
            self.drain()
            self.most_held = max(self.most_held, self.decoder.held)
        return self

    def drain(self) -> None:
        while (event := self.decoder.next_event()) is not None:
            if isinstance(event, Began):
                if self._begun in self._unwanted:
                    self.decoder.discard()
                self._begun += 1
            self.told.append(joined(event))

    def silence(self) -> "Listener":
        """A second in which nothing comes."""
        if self.decoder.swallowed:
            self.decoder.give_up_structure()
            self.drain()
        return self

    @property
    def answers(self) -> list[Verdict]:
        """What each frame turned out to be, an endless one with None of them."""
        return [event.verdict for event in self.told if isinstance(event, Ended)]

    @property
    def photos(self) -> list[bytes]:
        return [
            b"".join(event.chunks)
            for event in self.told
            if isinstance(event, Ended) and event.verdict is Verdict.WHOLE
        ]

    @property
    def state(self) -> tuple[object, ...]:
        """What may not depend on how TCP cuts the stream."""
        decoder = self.decoder
        return (self.told, decoder.in_frame, decoder.swallowed, decoder.noise, decoder.held)

    def balanced(self) -> bool:
        """Whether each beginning has one end, in turn, but for the frame that is still open."""
        is_open = False
        for event in self.told:
            if isinstance(event, Torn):
                continue
            if isinstance(event, Began) is is_open:
                return False
            is_open = isinstance(event, Began)
        return is_open == self.decoder.in_frame or isinstance(self.told[-1], Endless)


def joined(event: Event) -> Event:
    """The same event, with its bytes in one piece each."""
    if not isinstance(event, Ended):
        return event
    chunks, kept = b"".join(event.chunks), b"".join(event.kept)
    return Ended(
        event.verdict,
        (chunks,) if chunks else (),
        event.size,
        event.width,
        event.height,
        (kept,) if kept else (),
    )
