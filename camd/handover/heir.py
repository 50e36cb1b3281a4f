"""The new process, as the old one sees it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from camd.handover.estate import FORMAT, Estate
from camd.handover.letters import Letter, LetterError, Letters

log = Logger()

VARIABLE = "CAMD_HANDOVER"
"""The environment's name for the heir's end of the talk; never a setting."""

_NOT_INHERITED = (
    "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "WATCHDOG_PID", VARIABLE,
)  # fmt: skip


class AbandonedError(Exception):
    """There is no upgrade; the text is one line for the operator."""


@frozen
class Program:
    """How this process was started, so that the same can be done again."""

    arguments: Sequence[str]
    directory: str
    environ: Mapping[str, str]

    @classmethod
    def own(cls) -> "Program":
        """To be asked before anything changes the working directory."""
        return cls((sys.executable, *sys.orig_argv[1:]), os.getcwd(), dict(os.environ))


@implementer(IReadDescriptor)
@define(eq=False)
class Heir:
    """:ivar seconds: for which each of its answers is waited once it is ready."""

    program: Program
    reactor: Any
    seconds: float
    pid: int = 0
    _process: "subprocess.Popen[bytes] | None" = None
    _letters: Letters = field(init=False)
    _ready: "Deferred[Letter] | None" = None
    _timeout: IDelayedCall | None = None

    def start(self, patience: float) -> "Deferred[Letter]":
        """Fires when it is ready; fails with `AbandonedError` where it is not, within *patience*
        seconds."""
        ours, theirs = socket.socketpair()
        environ = {k: v for k, v in self.program.environ.items() if k not in _NOT_INHERITED}
        with theirs:
            self._letters = Letters(ours, self.seconds)
            try:
                self._process = subprocess.Popen(
                    self.program.arguments, cwd=self.program.directory,
                    env={**environ, VARIABLE: str(theirs.fileno())}, pass_fds=[theirs.fileno()],
                )  # fmt: skip
            except OSError as error:
                ours.close()
                raise AbandonedError(f"the new camd cannot be started: {error}") from None
        self.pid = self._process.pid
        self._ready = Deferred()
        self._timeout = self.reactor.callLater(patience, self._too_late, patience)
        self.reactor.addReader(self)
        return self._ready

    # ---- until it is ready

    def fileno(self) -> int:
        return self._letters.socket.fileno()

    def logPrefix(self) -> str:
        return "heir"

    def doRead(self) -> None:
        try:
            letter = self._letters.receive()
        except LetterError:
            self._answered(AbandonedError(f"the new camd ended before it was ready{self._code()}"))
            return
        if letter.kind == "ready" and letter.values["format"] == FORMAT:
            self.pid = letter.values["pid"]
            self._answered(letter)
        elif letter.kind == "ready":
            self._answered(AbandonedError("the new camd hands over otherwise than this one"))
        else:
            self._answered(AbandonedError(f"the new camd does not start: {letter.values}"))

    def connectionLost(self, reason: Failure) -> None:
        """`doRead` has noticed."""

    def _too_late(self, patience: float) -> None:
        self._answered(AbandonedError(f"the new camd was not ready within {patience:g} s"))

    def _answered(self, result: Letter | AbandonedError) -> None:
        self.reactor.removeReader(self)
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()
        ready, self._ready = self._ready, None
        if ready is None:
            return
        if isinstance(result, Letter):
            ready.callback(result)
        else:
            ready.errback(result)

    def _code(self) -> str:
        assert self._process is not None
        try:
            return f" (exit code {self._process.wait(2)})"
        except subprocess.TimeoutExpired:
            return ""

    def give_up(self) -> None:
        """Whoever waits for it is told to wait no more."""
        self._answered(AbandonedError("camd is stopping"))

    # ---- then; all of it blocks

    def bequeath(self, estate: Estate) -> None:
        """It has everything, and has touched nothing of it yet.

        :raises AbandonedError: it has not, and is to be killed."""
        try:
            estate.send(self._letters)
            letter = self._letters.receive()
        except LetterError as error:
            raise AbandonedError(f"the new camd did not take over: {error}") from None
        if letter.kind != "taken":
            raise AbandonedError(f"the new camd did not take over: {letter.values}")

    def go(self) -> None:
        """The final word: from here on everything is its.

        :raises AbandonedError: it did not hear it, since it is gone."""
        try:
            self._letters.send("go")
        except LetterError as error:
            raise AbandonedError(f"the new camd did not take over: {error}") from None

    def kill(self) -> None:
        """It is no more."""
        if self._process is not None:
            for pid in {self.pid, self._process.pid}:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self._process.wait()
        self._letters.close()
