"""The change to a new process, by the one that runs: nobody notices it, or nothing has happened."""

import os
import select
import signal
import sys
import time
from typing import Any, NoReturn, Protocol

from attrs import define, field
from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from camd import systemd
from camd.handover.estate import House, gather
from camd.handover.heir import AbandonedError, Heir, Program
from camd.ingest.carried import CannotBeCarriedError, bare
from camd.store.store import StoreError

log = Logger()

_LOOK = 0.005
_LAST_WRITES = 3.0
_FAREWELL = 0.5
"""Seconds for connections that end with this process to be told so."""

_SILENT = 10.0
"""Seconds for the new process to open the store, where there is nothing to be brought level. A
board gives a write up after as long."""

_OPENINGS, _BETWEEN = 5, 0.5
"""How often the store is tried to be opened again, and seconds in between."""


class Standing(House, Protocol):
    """The daemon, which can be made to stand still."""

    @property
    def stopping(self) -> bool:
        """Whether the operator has asked for the end."""
        ...

    @property
    def totals(self) -> tuple[int, int]:
        """Restarts, and boards that were carried over them, so far."""
        ...

    def halt(self) -> None:
        """Nothing is done by the clock any more."""
        ...

    def resume(self) -> None: ...

    def save(self) -> "Deferred[None]":
        """What is known of cameras is in the catalog."""
        ...


class Fatal(Exception):  # noqa: N818 - the end, rather than a mistake
    """Neither the new process nor this one can go on."""


@define(eq=False)
class Upgrade:
    """One attempt."""

    house: Standing
    program: Program
    _heir: Heir = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._heir = Heir(self.program, self.house.reactor, _SILENT)

    def give_up(self) -> None:
        """Nobody waits for the new process any more."""
        self._heir.give_up()

    async def run(self) -> NoReturn:
        """This process ends here, if all goes well.

        :raises AbandonedError: it goes on as before.
        :raises Fatal: it cannot.
        """
        house = self.house
        try:
            if os.getpid() == 1:
                raise AbandonedError(
                    "process 1 cannot be replaced; start it with --keep, and its child can"
                )
            await self._heir.start(house.config.restart.ready)
        except AbandonedError:
            self._kill()
            raise
        since = time.monotonic()
        self._stand_still()
        closed = False
        try:
            await self._photos_through(since)
            self._fail_commands()
            await house.save()
            # From here to the last word nothing else happens in this process.
            self._still_wanted()
            if not house.store.roomy:
                raise AbandonedError("there is no room on the disk to open the store in")
            house.store.close(_LAST_WRITES)
            closed = True
            self._heir.bequeath(gather(house, since, house.totals))
            self._still_wanted()
            self._heir.go()
        except BaseException as error:
            self._kill()
            if closed:
                self._open_again()
            self._go_on()
            if isinstance(error, AbandonedError | Fatal):
                raise
            log.failure("a mistake of ours in an upgrade")
            raise AbandonedError(f"a mistake of ours: {error!r}") from error
        try:
            await self._leave()
        except Exception:
            log.failure("a mistake of ours behind an upgrade")
        finally:
            os._exit(0)

    # ---- standing still

    def _stand_still(self) -> None:
        house = self.house
        for _, port in house.sockets.opened():
            port.stopReading()
        house.cameras.freeze()
        house.intake.stopping = True
        house.halt()

    async def _photos_through(self, since: float) -> None:
        """What was on its way to the disk is there, and answered; whoever keeps connections has
        heard of them all."""
        house, drain = self.house, self.house.config.times.drain
        while house.store.waiting or (house.keeping is not None and house.keeping.busy):
            if time.monotonic() - since > drain:
                raise AbandonedError(
                    f"the disk did not take all photos within {drain:g} s" if house.store.waiting
                    else f"whoever keeps connections did not listen for {drain:g} s"
                )  # fmt: skip
            await deferLater(house.reactor, _LOOK)

    def _still_wanted(self) -> None:
        if self.house.stopping:
            raise AbandonedError("camd is stopping")
        if self.house.store.waiting:
            raise AbandonedError("photos kept coming in")

    def _fail_commands(self) -> None:
        for protocol in self.house.cameras.connections:
            protocol.forget_commands("camd was restarted")

    # ---- back

    def _kill(self) -> None:
        self._heir.kill()

    def _open_again(self) -> None:
        """The disk may have failed for a moment, and what ends with this process does not come back
        by itself: so it is tried more than once."""
        for tries in range(1, _OPENINGS + 1):
            try:
                self.house.store.open()
                return
            except StoreError as error:
                if tries == _OPENINGS:
                    raise Fatal(str(error)) from None
                log.error("{why}; it is tried again", why=str(error))
                time.sleep(_BETWEEN)

    def _go_on(self) -> None:
        house = self.house
        house.intake.stopping = False
        if not house.stopping:
            house.resume()
        house.cameras.thaw()
        for _, port in house.sockets.opened():
            port.startReading()

    # ---- and away

    async def _leave(self) -> None:
        """The new process serves already. This one must not touch what is handed over, nor end in
        an orderly way: closing a connection would end it for both."""
        # Even where this is asked for: the new process is the one to ask.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        reactor = self.house.reactor
        systemd.notify(f"MAINPID={self._heir.pid}", os.environ)
        _barrier()
        parting = set()
        for protocol in tuple(self.house.cameras.connections):
            try:
                bare(protocol)
            except CannotBeCarriedError:
                parting.add(_lowest(protocol.transport))
                protocol.hang_up()
            else:
                protocol.closing = True
        for selectable in {*reactor.getReaders(), *reactor.getWriters()} - parting:
            if isinstance(selectable, tcp.Connection | unix.Server | tcp.Port):
                reactor.removeReader(selectable)
                reactor.removeWriter(selectable)
        end = time.monotonic() + (0.0 if self.house.stopping else _FAREWELL)
        while time.monotonic() < end and not all(lowest.disconnected for lowest in parting):
            await deferLater(reactor, _LOOK)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()


def _lowest(transport: Any) -> Any:
    """The socket's own transport."""
    while hasattr(transport, "transport") and not isinstance(transport, tcp.Connection):
        transport = transport.transport
    return transport


def _barrier() -> None:
    """The service manager has heard what was said to it."""
    ours, theirs = os.pipe()
    try:
        told = systemd.notify("BARRIER=1", os.environ, [theirs])
    finally:
        os.close(theirs)
    if told:
        heard = select.poll()
        heard.register(ours, 0)  # the other end closed is told all the same
        heard.poll(1000)
    os.close(ours)
