"""The end: the doors close first, what is in flight is answered, and the store goes last."""

import os
from typing import TYPE_CHECKING, Any

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.logger import Logger

from camd import systemd

if TYPE_CHECKING:
    from camd.service.daemon import Camd

log = Logger()

LAST_READ = 0.1
"""Seconds at the end in which what boards have sent by then is read as ever."""

LAST_WORDS = 0.5
"""Seconds in which the last answers leave."""

LAST_WRITES = 1.5
"""Seconds that the disk gets at the end, for the photos and again for the catalog: with the time
that boards get to finish, less than the ten in which all is over."""


async def end(camd: "Camd") -> None:
    """What was in flight has been answered, and all that was stored is safe."""
    reactor = camd.reactor
    systemd.notify(f"{systemd.STOPPING}\n{systemd.status('finishing photos')}", os.environ)
    camd.running = False
    camd.continuity.give_up()
    if camd.publisher is not None:
        camd.publisher.farewell()
    camd.halt()
    if camd.web is not None:
        camd.web.close()
    await deferLater(reactor, LAST_READ)  # who knocks already is let in
    await camd.doors.close()
    _tell_who_stays_away(camd)
    await deferLater(reactor, LAST_READ)
    answered = DeferredList([camd.cameras.drain(), camd.uploads.drain()])
    await _at_most(reactor, camd.config.times.drain, answered)
    camd.intake.stopping = True
    last = reactor.seconds() + LAST_WRITES
    while camd.store.waiting and reactor.seconds() < last:
        await deferLater(reactor, 0.05)
    through = DeferredList([camd.cameras.hang_up(), camd.uploads.hang_up()])
    await _at_most(reactor, LAST_WORDS, through)
    camd.cameras.close()
    camd.uploads.close()
    await _at_most(reactor, LAST_WORDS, camd.upkeep.save())
    others = MultiService.stopService(camd)
    if others is not None:
        await others
    if camd.publisher is not None:
        camd.publisher.stop()  # with what the last photos brought
    if camd.web is not None:
        camd.web.stop()
    if camd.store.close(LAST_WRITES):
        log.info("stopped; every photo that was acknowledged is safe")
    else:
        log.warn("stopped; the catalog will be brought level with the photos at the start")


def _tell_who_stays_away(camd: "Camd") -> None:
    wedged = sum(connection.is_v1 for connection in camd.cameras.connections)
    if wedged:
        log.warn(
            "boards with the tutorial's sketch that are connected: {count}; such a board does "
            "not come back by itself, its power must be switched off and on",
            count=wedged,
        )


async def _at_most(reactor: Any, seconds: float, done: "Deferred[Any]") -> None:
    """Waits for *done*, but not for ever."""
    patience: Deferred[None] = deferLater(reactor, seconds)
    await DeferredList([done, patience], fireOnOneCallback=True)
    patience.addErrback(lambda failure: failure.trap(CancelledError))
    patience.cancel()
