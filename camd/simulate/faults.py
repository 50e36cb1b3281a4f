"""Boards that do not behave: one class for each fault and protocol.

What camd owes them differs: `Board.served_when_whole` says whether their photos ought to be
stored in spite of the fault, or never.
"""

from collections.abc import Iterable
from typing import Any

from attrs import define, evolve, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from camd.photo import Boot
from camd.simulate.board import Board, Link
from camd.simulate.board_v1 import BoardV1
from camd.simulate.board_v2 import BoardV2
from camd.simulate.card import Shot
from camd.simulate.session_v2 import Cause, Session
from camd.wire import messages, v1
from camd.wire.messages import Frame

SLOW_RATE = 4000.0
"""Bytes a second of a board at the edge of its network, which is slow and honest."""

SLOW_STEP = 0.25
"""Seconds between two of its writes."""

_STEP = int(SLOW_RATE * SLOW_STEP)

BROWNOUT = 0.1
"""Seconds from the half of a photo to the loss of power."""

WRONG_KEY = bytes(32)
NOISE = b"\r\nets Jul 29 2019 12:21:46\r\n"
SECONDS_SINCE_1970 = 42.0


def torn(jpeg: bytes) -> bytes:
    """What is left of a photo when the network takes the rest."""
    return jpeg[: len(jpeg) * 2 // 3]


@define(eq=False)
class Trickle:
    """A transport that takes everything and lets out `SLOW_RATE` bytes a second.

    What is behind it is reached by its other names.
    """

    _transport: Any
    _clock: IReactorTime
    _waiting: bytearray = field(factory=bytearray, init=False)
    _call: IDelayedCall | None = field(default=None, init=False)
    _producer: Any = field(default=None, init=False)
    _closing: bool = field(default=False, init=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._waiting += data
        if self._producer is not None and len(self._waiting) >= _STEP:
            self._producer.pauseProducing()
        if self._call is None:
            self._let_out()

    def _let_out(self) -> None:
        self._call = None
        if not self._waiting:
            if self._closing:
                self._transport.loseConnection()
            return
        self._transport.write(bytes(self._waiting[:_STEP]))
        del self._waiting[:_STEP]
        self._call = self._clock.callLater(SLOW_STEP, self._let_out)
        if self._producer is not None and len(self._waiting) < _STEP:
            self._producer.resumeProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """*streaming* is what a `Link` is."""
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    def loseConnection(self) -> None:
        self._closing = True
        if self._call is None:
            self._transport.loseConnection()

    def stop(self) -> None:
        """The connection is gone."""
        self._waiting.clear()
        self._producer = None
        if self._call is not None:
            self._call.cancel()
            self._call = None


class _Slow(Board):
    """Sends at `SLOW_RATE`."""

    _trickle: Trickle | None = None

    def wired(self, transport: Any) -> Any:
        self._trickle = Trickle(transport, self.clock)
        return self._trickle

    def link_lost(self, link: Link, why: Failure) -> None:
        if self._trickle is not None:
            self._trickle.stop()
        super().link_lost(link, why)


class _HalfOpen(Board):
    """Leaves its first connection standing, hears it no more, and opens a second beside it."""

    _left: Link | None = None
    _leaves = True

    def leave_standing(self) -> bool:
        """Forget the present connection, once; False where there is none to forget."""
        link = self._link
        if not self._leaves or link is None or link.closing:
            return False
        link.deafen()
        self._leaves = False
        self._left, self._link = link, None
        return True

    def link_lost(self, link: Link, why: Failure) -> None:
        if link is not self._left:
            super().link_lost(link, why)
            return
        self._left = None
        if self.finished and self._link is None:
            self._tell_finished()

    def finish(self) -> None:
        if self._left is not None:
            self._left.abort()
        super().finish()

    def _tell_finished(self) -> None:
        if self._left is None:
            super()._tell_finished()


# ---- v1


class TornV1(BoardV1):
    """Sends two thirds of each photo between marks that are whole."""

    served_when_whole = False

    def photo(self) -> bytes:
        return torn(super().photo())

    def spoilt(self) -> bool:
        return True


class SlowV1(_Slow, BoardV1):
    """The sketch at the edge of its network."""


class GluedV1(BoardV1):
    """Two frames in one piece, with noise before, between and behind them."""

    _behind: bytes | None = None

    def pieces(self, jpeg: bytes) -> Iterable[bytes]:
        parts = [NOISE, v1.frame(jpeg), NOISE]
        if not self.enough:
            self._behind = self.photo()
            self.record.taken += 1
            self.record.was_sent(self._behind)
            parts += [v1.frame(self._behind), NOISE]
        yield b"".join(parts)

    def answered(self) -> None:
        if self._behind is None:
            super().answered()
        else:
            self._sent, self._behind = self._behind, None
            self._read()


class SilentV1(BoardV1):
    """Stops in the middle of a photo and keeps the connection."""

    served_when_whole = False

    def pieces(self, jpeg: bytes) -> Iterable[bytes]:
        yield v1.BEGIN + jpeg[: len(jpeg) // 2]


class HalfOpenV1(_HalfOpen, BoardV1):
    """Comes back after its first photo without having closed."""

    def answered(self) -> None:
        if not self.enough and self.leave_standing():
            self.dial()
        else:
            super().answered()


class RebootingV1(BoardV1):
    """Browns out in the middle of every other photo, which is lost, and comes back."""

    _times = 0
    _browned = False

    def pieces(self, jpeg: bytes) -> Iterable[bytes]:
        self._times += 1
        if self._times % 2 == 0:
            yield from super().pieces(jpeg)
            return
        self.record.taken -= 1
        yield v1.BEGIN + jpeg[: len(jpeg) // 2]
        self.later("brownout", BROWNOUT, self._brown_out)

    def _brown_out(self) -> None:
        self._browned = True
        self.drop()

    def gone(self, link: Link) -> None:
        if self._browned:
            self._browned = False
            self.later("dial", 1.0, self.dial)
        else:
            super().gone(link)


# ---- v2


class TornV2(BoardV2):
    """Sends two thirds of each photo, with the checksum of what it sends."""

    served_when_whole = False
    spoils = True

    def photo(self) -> bytes:
        return torn(super().photo())


class SlowV2(_Slow, BoardV2):
    """Our firmware at the edge of its network."""


class GluedV2(BoardV2):
    """A verb of the future with a payload, a PING, a STAT and a photo in one piece."""

    def send(self, session: Session, shot: Shot) -> None:
        assert self._link is not None
        self._link.write(
            b"".join(
                (
                    session.line(b"GLUED seq=%d len=9" % shot.seq, b"PING\nACK\n"),
                    session.line(messages.ping("glued")),
                    session.line(messages.stat({"queued": len(self.card)})),
                    session.line(messages.frame(self.head(shot)), shot.photo),
                )
            )
        )


class SilentV2(BoardV2):
    """Stops in the middle of a payload, keeps the connection, and never loses patience."""

    served_when_whole = False

    def send(self, session: Session, shot: Shot) -> None:
        assert self._link is not None
        whole = session.line(messages.frame(self.head(shot)), shot.photo)
        self._link.write(whole[: len(whole) // 2])
        session.end()
        self.cancel("watch")

    def link_lost(self, link: Link, why: Failure) -> None:
        super().link_lost(link, why)
        self.finish()


class WrongCrc(BoardV2):
    """Each photo has a checksum that is not its own."""

    served_when_whole = False
    spoils = True

    def head(self, shot: Shot) -> Frame:
        return evolve(super().head(shot), crc=shot.crc ^ 0x5A5A5A5A)


class WrongKey(BoardV2):
    """Has another key than the camera that it says it is."""

    served_when_whole = False
    spoils = True

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.identity = evolve(self.identity, key=WRONG_KEY)

    def broken(self, cause: Cause, code: str) -> None:
        super().broken(cause, code)
        self.finish()


class HalfOpenV2(_HalfOpen, BoardV2):
    """Comes back after its first photo without having closed: the second session takes over."""

    def answered(self, said: messages.Answer) -> None:
        super().answered(said)
        if self.leave_standing():
            self.forget_session()
            self.dial()


class RebootingV2(BoardV2):
    """Loses its power in the middle of the first sending of every photo; its card does not."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._survived: set[tuple[Boot, int]] = set()

    def send(self, session: Session, shot: Shot) -> None:
        assert self._link is not None
        if (shot.boot, shot.seq) in self._survived:
            super().send(session, shot)
            return
        self._survived.add((shot.boot, shot.seq))
        whole = session.line(messages.frame(self.head(shot)), shot.photo)
        self._link.write(whole[: len(whole) // 2])
        session.end()
        self.later("brownout", BROWNOUT, self.power_cycle)


class Clock1970(BoardV2):
    """Has never learnt the time, and says when it took its photos all the same."""

    def unix_time(self) -> float | None:
        return SECONDS_SINCE_1970 + self.clock.seconds() - self._powered_at


FAULTS: dict[str, tuple[type[BoardV1] | None, type[BoardV2]]] = {
    "torn": (TornV1, TornV2),
    "slow": (SlowV1, SlowV2),
    "glued": (GluedV1, GluedV2),
    "silent": (SilentV1, SilentV2),
    "wrong-crc": (None, WrongCrc),
    "wrong-key": (None, WrongKey),
    "half-open": (HalfOpenV1, HalfOpenV2),
    "rebooting": (RebootingV1, RebootingV2),
    "clock-1970": (None, Clock1970),
}
"""By the fault's name: its board in v1, where v1 can have it, and in v2."""
