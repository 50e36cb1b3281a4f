"""What every simulated board has: a name, a lens, habits, a connection.

Knows neither protocol.
"""

import random
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from attrs import frozen
from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IPushProducer,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from camd.simulate.ledger import Record

log = Logger()

Shutter = Callable[[int, str], bytes]
"""(number of the photo, name of the framesize) to a whole JPEG."""

CLOSING = 5.0
"""Seconds that an orderly close may take before the connection is cut."""


@frozen
class Habits:
    """What a board does by itself.

    :ivar interval: seconds between photos; 0: the next as soon as there is an answer.
    :ivar jitter: share of the interval by which a photo may be early or late.
    :ivar count: photos that it takes in all, or None for no end.
    """

    interval: float = 10.0
    jitter: float = 0.1
    count: int | None = None
    framesize: str = "vga"


STOCK_HABITS = Habits()


class Owner(Protocol):
    """Whose connection a `Link` is."""

    def link_made(self, link: "Link") -> None: ...

    def link_received(self, link: "Link", data: bytes) -> None: ...

    def link_free(self, link: "Link") -> None: ...

    def link_lost(self, link: "Link", why: Failure) -> None: ...

    def wired(self, transport: Any) -> Any: ...


@implementer(IPushProducer)
class Link(protocol.Protocol):
    """One connection of a board's; tells its owner, and knows nothing itself.

    :ivar blocked: the transport has as much as it wants for now.
    :ivar closing: this end has had enough.
    """

    def __init__(self, owner: Owner, clock: IReactorTime) -> None:
        self._owner = owner
        self._clock = clock
        self._abort: IDelayedCall | None = None
        self.blocked = False
        self.closing = False

    def makeConnection(self, transport: Any) -> None:
        super().makeConnection(self._owner.wired(transport))

    @property
    def _wire(self) -> Any:
        """The transport, whose type says less than TCP and TLS can."""
        return self.transport

    def connectionMade(self) -> None:
        if hasattr(self._wire, "setTcpNoDelay"):
            self._wire.setTcpNoDelay(True)
        self._wire.registerProducer(self, True)
        self._owner.link_made(self)

    def dataReceived(self, data: bytes) -> None:
        self._owner.link_received(self, data)

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        if self._abort is not None and self._abort.active():
            self._abort.cancel()
        self._owner.link_lost(self, reason)

    def pauseProducing(self) -> None:
        self.blocked = True

    def resumeProducing(self) -> None:
        self.blocked = False
        if not self.closing:
            self._owner.link_free(self)

    def stopProducing(self) -> None:
        """connectionLost says the same."""

    def write(self, data: bytes) -> None:
        self._wire.write(data)

    def deafen(self) -> None:
        """Stand there, and read and say nothing more."""
        self.closing = True
        if self.transport is not None:
            self._wire.pauseProducing()

    def close(self) -> None:
        """What was written goes out first, if that takes no longer than `CLOSING`."""
        if self.closing or self.transport is None:
            return
        self.closing = True
        self._wire.unregisterProducer()
        self._wire.loseConnection()
        self._abort = self._clock.callLater(CLOSING, self.abort)

    def abort(self) -> None:
        self.closing = True
        if self.transport is not None:
            self._wire.abortConnection()


class Board:
    """A board from power on until it has done what it is there for.

    Subclasses speak a protocol. Everything random about it comes from *chance*.

    :ivar number: photos taken since it was built.
    :ivar served_when_whole: whether camd owes it an acknowledgement of every photo.
    """

    served_when_whole: ClassVar[bool] = True

    def __init__(
        self,
        clock: IReactorTime,
        endpoint: IStreamClientEndpoint,
        shutter: Shutter,
        record: Record,
        *,
        habits: Habits = STOCK_HABITS,
        chance: random.Random | None = None,
    ) -> None:
        self.clock = clock
        self.endpoint = endpoint
        self.shutter = shutter
        self.record = record
        self.habits = habits
        self.chance = chance or random.Random(record.board)
        self.number = 0
        self.framesize = habits.framesize
        self.stopping = False
        self._link: Link | None = None
        self._dialling: Deferred[Any] | None = None
        self._finished = False
        self._waiters: list[Deferred[None]] = []
        self._timers: dict[str, IDelayedCall] = {}

    @property
    def name(self) -> str:
        return self.record.board

    @property
    def enough(self) -> bool:
        """Whether it takes no further photos by itself."""
        count = self.habits.count
        return self.stopping or (count is not None and self.record.taken >= count)

    def start(self) -> Deferred[None]:
        """Power on; fires when it has finished."""
        self.dial()
        return self.when_finished()

    def when_finished(self) -> Deferred[None]:
        """Fires when this board does nothing more, its connection gone; a fresh one each call."""
        waiter: Deferred[None] = Deferred()
        if self._finished and self._link is None:
            waiter.callback(None)
        else:
            self._waiters.append(waiter)
        return waiter

    def stop(self) -> None:
        """Take no further photo, wait for the answers that are due, and go."""
        raise NotImplementedError

    def cut(self) -> None:
        """Power off."""
        self.stopping = True
        self.finish()

    def finish(self) -> None:
        """Nothing more happens by itself."""
        if self._finished:
            return
        self._finished = True
        for timer in list(self._timers):
            self.cancel(timer)
        if self._dialling is not None:
            self._dialling.cancel()
        if self._link is None:
            self._tell_finished()
        else:
            self._link.abort()

    def _tell_finished(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)

    @property
    def finished(self) -> bool:
        return self._finished

    # ---- connection

    def dial(self) -> None:
        """Connect, unless it does; `link_made` or `unreachable` follows."""
        if self._dialling is not None or (self._link is not None and not self._link.closing):
            return
        factory = protocol.Factory.forProtocol(lambda: Link(self, self.clock))
        factory.noisy = False
        self._dialling = dialling = self.endpoint.connect(factory)
        dialling.addCallbacks(self._dialled, self._not_dialled)
        dialling.addErrback(self._failed)

    def _dialled(self, _: object) -> None:
        self._dialling = None

    def _not_dialled(self, why: Failure) -> None:
        self._dialling = None
        if not self._finished:
            self.record.errors[type(why.value).__name__] += 1
            self.unreachable()

    def _failed(self, why: Failure) -> None:
        log.failure("the simulated board {board} is broken", failure=why, board=self.name)
        self.record.errors["bug"] += 1
        self.cut()

    def unreachable(self) -> None:
        raise NotImplementedError

    def link_made(self, link: Link) -> None:
        self._link = link
        self.record.connected = True
        self.record.connections += 1

    def link_received(self, link: Link, data: bytes) -> None:
        raise NotImplementedError

    def link_free(self, link: Link) -> None:
        raise NotImplementedError

    def link_lost(self, link: Link, why: Failure) -> None:
        if link is self._link:
            self._link = None
            self.record.connected = False
            self.record.hung_up += not link.closing
            if self._finished:
                self._tell_finished()

    def wired(self, transport: Any) -> Any:
        """What to write to instead of *transport*."""
        return transport

    def drop(self) -> None:
        """Cut the connection without a word; `link_lost` follows."""
        if self._link is not None:
            self._link.abort()

    # ---- photos and time

    def photo(self) -> bytes:
        """The next picture."""
        number = self.number
        self.number += 1
        return self.shutter(number, self.framesize)

    def until_next(self) -> float:
        """Seconds to the next photo by the board's habits."""
        jitter = self.habits.jitter
        return self.habits.interval * self.chance.uniform(1 - jitter, 1 + jitter)

    def later(self, timer: str, seconds: float, call: Callable[[], None]) -> None:
        """Set the timer of that name, which runs at most once at a time, anew."""
        self.cancel(timer)
        if not self._finished:
            self._timers[timer] = self.clock.callLater(seconds, call)

    def cancel(self, timer: str) -> None:
        call = self._timers.pop(timer, None)
        if call is not None and call.active():
            call.cancel()

    def timed(self, timer: str) -> bool:
        """Whether the timer of that name is running."""
        call = self._timers.get(timer)
        return call is not None and call.active()
