"""What the operator says by signals.

SIGHUP reads the configuration again. SIGUSR2 starts a new process that takes over. SIGTERM and
SIGINT stop politely; the second one at once.
"""

import os
import signal
from collections.abc import Callable
from typing import Any

from attrs import define
from twisted.logger import Logger

log = Logger()


# Whoever starts a process asks what each signal's handler is, and Python then says it in words:
# with all that hangs on it these would be megabytes, and seconds.
@define(eq=False, repr=False)
class Signals:
    """:ivar rehash: called in the reactor's thread on SIGHUP; *upgrade* on SIGUSR2.
    :ivar stopping: whether the end was asked for."""

    reactor: Any
    rehash: Callable[[], None]
    upgrade: Callable[[], None]
    stopping: bool = False

    def install(self) -> None:
        """Handlers are in place. Once more when the reactor runs, since it installs its own."""
        signal.signal(signal.SIGHUP, self._hup)
        signal.signal(signal.SIGUSR2, self._usr2)
        signal.signal(signal.SIGTERM, self._term)
        signal.signal(signal.SIGINT, self._term)

    def _hup(self, *_: object) -> None:
        self.reactor.callFromThread(self.rehash)

    def _usr2(self, *_: object) -> None:
        self.reactor.callFromThread(self.upgrade)

    def _term(self, *_: object) -> None:
        if self.stopping:
            os._exit(1)
        self.stopping = True
        self.reactor.callFromThread(self._stop)

    def _stop(self) -> None:
        log.info("stopping; once more to stop at once")
        self.reactor.stop()
