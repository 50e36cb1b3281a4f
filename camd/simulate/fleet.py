"""Many boards, one plan, one ledger."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint

from camd import __version__
from camd.photo import parse_camera_id
from camd.pictures import FRAMESIZES, Album
from camd.plural import count
from camd.simulate.board import Board, Habits, Shutter
from camd.simulate.board_v1 import BoardV1
from camd.simulate.board_v2 import BoardV2, Patience
from camd.simulate.faults import FAULTS
from camd.simulate.ledger import Ledger, Record
from camd.simulate.session_v2 import Identity

MIXED = "mixed"
"""Not a framesize: each board has one of its own."""

EndpointFor = Callable[[int], IStreamClientEndpoint]
"""From a board's number in the fleet, from 0, to how it reaches camd."""

GRACE = 15.0
"""Seconds that the end of a run waits for answers that are due."""

FAULTS_GRACE = 60.0
"""Seconds that a run with a count goes on for boards that do not behave."""


GIVES_UP_ON_AUTH = Patience(auth=None)
"""In a run, ten minutes later a wrong key would be no better."""


class PlanError(ValueError):
    """A plan that cannot be carried out; the message is a line for people."""


@frozen
class Plan:
    """What a fleet is to do.

    :ivar boards: those that behave; each of *faults* is one board more.
    :ivar proto: ``v1`` or ``v2``; a fault that v1 cannot have is a v2 board's all the same.
    :ivar interval: seconds between a board's photos; 0: as fast as they are answered.
    :ivar count: photos of each board, or None. *duration*: seconds of the run, or None.
    :ivar framesize: a name of `FRAMESIZES`, or `MIXED`.
    :ivar keys: 32 bytes for each camera that has them. Where there are any, boards take these
        names in alphabetical order.
    :ivar tls: the endpoints encrypt, and so nothing is sealed.
    :ivar ramp: seconds from the first board's start to the last one's.
    :ivar sleeps: v2 boards sleep deeply between photos.
    :ivar reconnects: somebody restarts v1 boards that hang.
    :ivar cheap: see `Album`.
    """

    boards: int = 1
    proto: str = "v2"
    interval: float = 10.0
    jitter: float = 0.1
    count: int | None = None
    duration: float | None = None
    framesize: str = "vga"
    seed: int = 0
    prefix: str = "sim"
    faults: tuple[str, ...] = ()
    keys: Mapping[str, bytes] = field(factory=dict, repr=False)
    tls: bool = False
    ramp: float = 0.0
    sleeps: bool = False
    reconnects: bool = False
    cheap: bool = False
    grace: float = GRACE
    faults_grace: float = FAULTS_GRACE
    patience: Patience = GIVES_UP_ON_AUTH

    def __attrs_post_init__(self) -> None:
        """:raises PlanError: where it cannot be carried out."""
        if self.proto not in ("v1", "v2"):
            raise PlanError(f"proto is v1 or v2, not {self.proto}")
        if self.framesize not in FRAMESIZES and self.framesize != MIXED:
            names = ", ".join(FRAMESIZES)
            raise PlanError(f"a size is one of {names}, {MIXED}; not {self.framesize}")
        for fault in self.faults:
            if fault not in FAULTS:
                raise PlanError(f"a fault is one of {', '.join(FAULTS)}; not {fault}")
        try:
            parse_camera_id(self.prefix)
        except ValueError as error:
            raise PlanError(f"name: {error}") from None
        if self.keys and self.boards > len(self.keys):
            raise PlanError(f"{count(self.boards, 'board')} asked for, {len(self.keys)} with a key")

    def names(self) -> list[str]:
        """Of every board, those that behave first."""
        known = sorted(self.keys)
        names = known[: self.boards] or [f"{self.prefix}-{n + 1}" for n in range(self.boards)]
        spare = known[self.boards :]
        for at, fault in enumerate(self.faults):
            if at < len(spare):
                names.append(spare[at])
            else:
                names.append(f"{self.prefix}-{fault}-{at + 1}")
        return names


class SimulatedFleet:
    """The boards of a plan, from the start of the first to the end of the last.

    :param clock: the reactor, where boards are to reach anything.
    :param endpoint_for: asked once for each board.
    :param shutter_for: from a board's name to its camera; by default an `Album` draws.
    :ivar boards: in the order of `Plan.names`.
    :ivar stopping: whether the end has begun.
    """

    def __init__(
        self,
        clock: IReactorTime,
        endpoint_for: EndpointFor,
        plan: Plan,
        shutter_for: Callable[[str], Shutter] | None = None,
    ) -> None:
        self.plan = plan
        self.ledger = Ledger()
        self._clock = clock
        self._calls: list[IDelayedCall] = []
        self.stopping = False
        self._done: Deferred[Ledger] = Deferred()
        self._running = 0
        self._behaving = 0
        if shutter_for is None:
            shutter_for = _album_shutters(Album(plan.seed, plan.cheap))
        self.boards = [
            self._board(at, name, endpoint_for(at), shutter_for(name))
            for at, name in enumerate(plan.names())
        ]

    def _board(
        self, at: int, name: str, endpoint: IStreamClientEndpoint, shutter: Shutter
    ) -> Board:
        plan = self.plan
        fault = plan.faults[at - plan.boards] if at >= plan.boards else ""
        chance = random.Random(f"board {plan.seed} {name}")
        framesize = plan.framesize
        if framesize == MIXED:
            framesize = chance.choice(list(FRAMESIZES))
        habits = Habits(plan.interval, plan.jitter, plan.count, framesize)
        make_v1: type[BoardV1] | None = BoardV1
        make_v2: type[BoardV2] = BoardV2
        if fault:
            make_v1, make_v2 = FAULTS[fault]
        if plan.proto == "v1" and make_v1 is not None:
            record = self._record(name, fault, make_v1)
            board = make_v1(self._clock, endpoint, shutter, record, habits=habits, chance=chance)
            board.reconnects = board.reconnects or plan.reconnects
            return board
        identity = Identity(
            parse_camera_id(name),
            plan.keys.get(name),
            sealed=not plan.tls,
            fw=f"camd-simulate/{__version__}",
        )
        return make_v2(
            self._clock,
            endpoint,
            shutter,
            self._record(name, fault, make_v2),
            identity=identity,
            habits=habits,
            chance=chance,
            patience=plan.patience,
            sleeps=plan.sleeps and not fault,
        )

    def _record(self, name: str, fault: str, kind: type[Board]) -> Record:
        return self.ledger.account(name, fault, kind.served_when_whole)

    def run(self) -> "Deferred[Ledger]":
        """Fires with the ledger when no board has anything left to do, or `stop` is through."""
        self.ledger.began = self.ledger.ended = self._clock.seconds()
        self._running = len(self.boards)
        self._behaving = self.plan.boards
        if not self.boards:
            self._over()
        for at, board in enumerate(self.boards):
            board.when_finished().addCallback(self._one_is_through, board)
            wait = self.plan.ramp * at / max(1, len(self.boards) - 1)
            self._later(wait, self._start, board)
        if self.plan.duration is not None:
            self._later(self.plan.duration, self.stop)
        return self._done

    def stop(self) -> None:
        """No further photos; answers that are due are waited for, but not for ever."""
        if self.stopping:
            return
        self.stopping = True
        self._later(self.plan.grace, self.cut)
        for board in self.boards:
            board.stop()

    def cut(self) -> None:
        """Power off, all of them, at once."""
        self.stopping = True
        for board in self.boards:
            board.cut()

    @property
    def connected(self) -> int:
        """Boards that have a connection now."""
        return self.ledger.total("connected")

    def _start(self, board: Board) -> None:
        if not self.stopping and not board.finished:
            board.start()

    def _later(self, seconds: float, call: Callable[..., Any], *args: Any) -> None:
        self._calls.append(self._clock.callLater(seconds, call, *args))

    def _one_is_through(self, _: None, board: Board) -> None:
        self._running -= 1
        if not board.record.fault:
            self._behaving -= 1
        if not self._running:
            self._over()
        elif not self._behaving and not self.stopping and not board.record.fault:
            self._later(self.plan.faults_grace, self.stop)

    def _over(self) -> None:
        self.ledger.ended = self._clock.seconds()
        for call in self._calls:
            if call.active():
                call.cancel()
        self._done.callback(self.ledger)


def _album_shutters(album: Album) -> Callable[[str], Shutter]:
    def shutter_for(name: str) -> Shutter:
        return lambda number, framesize: album.picture(name, number, framesize)

    return shutter_for
