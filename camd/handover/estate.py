"""All that a process leaves to its heir, gathered and taken up."""

import os
import socket
from typing import Any, Protocol

from attrs import define, field
from twisted.logger import Logger

from camd.config import Config
from camd.doors import Sockets, key
from camd.fleet import Fleet
from camd.handover.inherited import Inherited
from camd.handover.keeping import Keeping
from camd.handover.letters import MOST_FDS, LetterError, Letters
from camd.handover.slate import Known, traffic
from camd.ingest import CameraFactory, CameraProtocol
from camd.ingest.carried import (
    CannotBeCarriedError,
    bare,
    state_of,
    take_over,
    take_over_unknown,
)
from camd.ingest.factory import address_of
from camd.intake import Intake
from camd.photo import Boot, CameraId
from camd.store.store import Store

log = Logger()

FORMAT = 1
"""Of what is handed over; processes that do not agree on it do not try."""


class House(Protocol):
    """The running daemon, as far as it is handed over."""

    config: Config
    reactor: Any
    store: Store
    fleet: Fleet
    intake: Intake
    cameras: CameraFactory

    @property
    def sockets(self) -> Sockets:
        """All that is listened on."""
        ...

    @property
    def keeping(self) -> Keeping | None:
        """Who keeps connections over a crash, if anybody does."""
        ...


@define(eq=False)
class Estate:
    """:ivar doors: listening sockets by `camd.doors.key`; *slate*: that of `Keeping`, or None.
    :ivar boards: what is known of each connection, and its socket.
    :ivar silent: cameras of which it is news no more that they are.
    :ivar since: when the last byte was read, on the machine's monotonic clock.
    :ivar totals: restarts, and boards carried over them, so far.
    :ivar pid: of the process that leaves it.
    :ivar kept_doors: keys of what the manager of `Keeping` has; *ended*: slots of connections that
        it has and that are not handed over.
    """

    since: float
    pid: int = field(factory=os.getpid)
    totals: tuple[int, int] = (0, 0)
    doors: list[tuple[str, int]] = field(factory=list)
    boards: list[tuple[dict[str, Any], int]] = field(factory=list)
    silent: list[str] = field(factory=list)
    slate: int | None = None
    kept_doors: list[str] = field(factory=list)
    ended: list[int] = field(factory=list)

    # ---- over the wire

    def send(self, letters: Letters) -> None:
        """:raises LetterError: it did not get through."""
        about = {
            "since": self.since,
            "pid": self.pid,
            "totals": list(self.totals),
            "doors": [name for name, _ in self.doors],
            "silent": self.silent,
            "slate": self.slate is not None,
            "boards": len(self.boards),
            "kept_doors": self.kept_doors,
            "ended": self.ended,
        }
        fds = [fd for _, fd in self.doors] + ([] if self.slate is None else [self.slate])
        letters.send("estate", about, fds)
        for start in range(0, len(self.boards), MOST_FDS):
            batch = self.boards[start : start + MOST_FDS]
            letters.send("boards", [state for state, _ in batch], [fd for _, fd in batch])

    @classmethod
    def receive(cls, letters: Letters) -> "Estate":
        """:raises LetterError: it did not come whole."""
        letter = letters.receive()
        if letter.kind != "estate":
            raise LetterError(f"{letter.kind} came instead")
        about, fds = letter.values, list(letter.fds)
        slate = fds.pop() if about["slate"] else None
        doors = list(zip(about["doors"], fds, strict=True))
        estate = cls(
            about["since"], about["pid"], tuple(about["totals"]), doors, [], about["silent"],
            slate, about["kept_doors"], about["ended"],
        )  # fmt: skip
        while len(estate.boards) < about["boards"]:
            letter = letters.receive()
            estate.boards += zip(letter.values, letter.fds, strict=True)
        return estate


# ---- the one that leaves it


def gather(house: House, since: float, totals: tuple[int, int]) -> Estate:
    """Everything stands still; nothing is changed by this. The descriptors stay the house's."""
    estate = Estate(since, totals=totals)
    estate.doors = [(key(text), port.fileno()) for text, port in house.sockets.opened()]
    keeping = house.keeping
    if keeping is not None:
        estate.slate = keeping.slate.fd
        estate.kept_doors = sorted(keeping.doors)
    for protocol in house.cameras.connections:
        try:
            state = state_of(protocol)
        except CannotBeCarriedError:
            continue
        state["slot"] = None if keeping is None else keeping.slot_of(protocol)
        estate.boards.append((state, bare(protocol).fileno()))
    if keeping is not None:
        carried = {state["slot"] for state, _ in estate.boards}
        estate.ended = sorted(keeping.slots - carried)
    estate.silent = [camera.id for camera in house.fleet.cameras.values() if camera.silent]
    return estate


# ---- the one that takes it up


@define
class Report:
    """Who was carried over.

    :ivar boards: connections. *v1*: of those, boards that would not come back by themselves.
    :ivar owed: those that wait for an answer, or may. *gone*: those that ended meanwhile.
    """

    boards: int = 0
    v1: int = 0
    owed: int = 0
    gone: int = 0


def take_up(house: House, estate: Estate) -> Report:
    """The connections are this process's, and go on once the reactor runs."""
    report = Report()
    slots = {state["slot"] for state, _ in estate.boards if state["slot"] is not None}
    if house.keeping is not None:
        house.keeping.number_on(slots | set(estate.ended))
        for slot in estate.ended:
            house.keeping.drop(slot)
        house.keeping.doors.update(estate.kept_doors)
    for id in estate.silent:
        house.fleet.camera(CameraId(id)).silent = True
    for state, fd in estate.boards:
        protocol = CameraProtocol(house.cameras)
        slot = state["slot"]
        if not adopt(house, protocol, fd):
            report.gone += 1
            if slot is not None and house.keeping is not None:
                house.keeping.drop(slot)
            continue
        take_over(protocol, state)
        if slot is not None and house.keeping is not None:
            house.keeping.has(protocol, slot)
        report.boards += 1
        report.v1 += state["protocol"] == "v1"
        report.owed += bool(state.get("answers"))
    return report


def take_up_survivors(house: House, found: Inherited) -> Report:
    """The same behind a crash: of v1 boards only the sockets are there, and what the slate says."""
    report = Report()
    keeping = house.keeping
    assert keeping is not None, "somebody kept them"
    keeping.number_on(set(found.boards))
    for slot, fd in found.boards.items():
        with socket.socket(fileno=os.dup(fd)) as connection:
            known = keeping.slate.read(slot, connection)
            heard, said = traffic(connection) or (0, 0)
        protocol = CameraProtocol(house.cameras)
        if not adopt(house, protocol, fd):
            report.gone += 1
            keeping.drop(slot)
            continue
        transport = protocol.transport
        known = known or Known(address_of(transport.getPeer()))
        photo = known.photo and (Boot(known.photo[0]), known.photo[1])
        take_over_unknown(protocol, known.address, heard, said, owed=known.owed, photo=photo)
        keeping.has(protocol, slot)
        report.boards += 1
        report.v1 += 1
        report.owed += known.owed is not False
    return report


def adopt(house: House, protocol: CameraProtocol, fd: int) -> bool:
    """*protocol* is on the connection *fd*, which is closed here. False where it has ended."""
    try:
        os.set_blocking(fd, False)
        with socket.socket(fileno=os.dup(fd)) as known:
            family = known.family
        house.reactor.adoptStreamConnection(fd, family, _Only(protocol))
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


class _Only:
    """A factory of one protocol."""

    noisy = False

    def __init__(self, protocol: CameraProtocol) -> None:
        self._protocol = protocol

    def buildProtocol(self, address: object) -> CameraProtocol:
        return self._protocol

    def logPrefix(self) -> str:
        return "CameraProtocol"
