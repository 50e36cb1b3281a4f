"""One daemon over many processes: what each of them finds, keeps and leaves.

The service says how far it is; this knows what is to be done there so that no board notices.
"""

import os
import time
from collections.abc import Callable, Mapping

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from camd import systemd
from camd.handover import outcome
from camd.handover.estate import Estate, Report, take_up, take_up_survivors
from camd.handover.forebear import Forebear
from camd.handover.heir import AbandonedError, Program
from camd.handover.inherited import Inherited, first_environment, inherited
from camd.handover.keeping import Keeping, Unkept
from camd.handover.letters import LetterError
from camd.handover.outcome import Outcome
from camd.handover.slate import Slate
from camd.handover.upgrade import Fatal, Standing, Upgrade
from camd.store.schema import CatalogError, check_version

log = Logger()

BEAT = 0.25
"""Seconds between two signs of life on the slate."""


class HandoverError(Exception):
    """This process cannot take over; the text is one line."""


@define(eq=False)
class Continuity:
    """:ivar program: how to start another process of this kind.
    :ivar taken: called when this process has taken the place of another.
    :ivar restarts: changes of process and crashes, since the first start.
    :ivar boards_carried: connections that outlived them, each time counted.
    """

    house: Standing
    program: Program
    environ: Mapping[str, str] = field(factory=lambda: dict(os.environ))
    forebear: Forebear | None = None
    taken: Callable[[], None] = lambda: None
    keeping: Keeping | None = None
    restarts: int = 0
    boards_carried: int = 0
    _found: Inherited = field(factory=Inherited)
    _estate: Estate | None = None
    _upgrade: Upgrade | None = None
    _report: Report = field(factory=Report)
    _last: float | None = None
    _since: float | None = None
    _new_slate: bool = False
    _asked: int = 0

    # ---- while this process starts

    def before_store(self) -> None:
        """All that another process left is here; the store is free.

        :raises HandoverError: it is not.
        """
        sockets = self.house.sockets
        if self.forebear is not None:
            self._estate = self._receive(self.forebear)
            for name, fd in self._estate.doors:
                sockets.given.setdefault(name, []).append(fd)
            self._keep(self._estate.slate)
            return
        if not self.environ.get("NOTIFY_SOCKET"):
            self.house.cameras.witness = Unkept(_suggest)
            return
        self._found = inherited(first_environment(), os.getpid())
        sockets.given.update(self._found.doors)
        self._keep(self._found.slate)

    def _receive(self, forebear: Forebear) -> Estate:
        try:
            check_version(self.house.store.own / "catalog.sqlite")
            forebear.ready()
            return forebear.estate()
        except (CatalogError, LetterError) as error:
            raise HandoverError(str(error)) from None

    def _keep(self, fd: int | None) -> None:
        """The manager keeps what there is, from now on."""
        if not self.environ.get("NOTIFY_SOCKET"):
            if fd is not None:
                os.close(fd)
            self.house.cameras.witness = Unkept(_suggest)
            return
        try:
            slate = Slate(fd)
        except ValueError as error:
            log.warn("the slate of the former process is of no use: {why}", why=str(error))
            if fd is not None:
                os.close(fd)
            slate, fd = Slate(), None
        if fd is not None:
            self._last = slate.last
        keeping = Keeping(self.environ, self.house.reactor, slate)
        try:
            keeping.open()
        except OSError as error:
            log.warn("nobody keeps connections over a crash: {why}", why=str(error))
            slate.close()
            return
        self._new_slate = fd is None
        self.keeping = self.house.cameras.witness = keeping

    def after_doors(self) -> None:
        """The store is open, and so are the doors: boards are taken over.

        :raises HandoverError: this process must not go on.
        """
        sockets, estate = self.house.sockets, self._estate
        listening = set(sockets.given)
        if self.keeping is not None:
            if estate is None:
                self.keeping.doors.update(listening)
            self.restarts, self.boards_carried = self.keeping.slate.totals
        if estate is not None:
            self.restarts, self.boards_carried = estate.totals
            self._report = take_up(self.house, estate)
            self._estate = None
            self._last = None
            self._asked = estate.pid
            self._let_go()
            self.taken()
            self._since = estate.since
        elif self._found.boards:
            self._report = take_up_survivors(self.house, self._found)
        if estate is not None or self._found.boards or self._last is not None:
            self.restarts += 1
            self.boards_carried += self._report.boards
        sockets.close_given()
        if self.keeping is not None:
            if self._new_slate:
                self.keeping.keep_slate()
            self.keeping.slate.count(self.restarts, self.boards_carried)
            self.keeping.keep_doors(sockets.opened())
            self.keeping.drop_other_doors(sockets.keys())

    def started(self) -> None:
        """The reactor runs, and signals are heeded."""
        if self._since is not None:
            self._say_upgrade(self._since)
        elif self._found.boards:
            self._say_crash()
        self.beat()

    def _let_go(self) -> None:
        assert self.forebear is not None, "there is an estate"
        try:
            self.forebear.taken()
        except LetterError as error:
            raise HandoverError(f"the old camd does not let go: {error}") from None
        # The old one says so as well, and is heard where this one is not; but it may have died.
        systemd.notify(f"MAINPID={os.getpid()}", self.environ)

    def failed(self, error: BaseException) -> None:
        """This process cannot start; the old one, if there is one, hears why."""
        if self.forebear is not None:
            self.forebear.wrong(str(error) or repr(error))

    def beat(self) -> None:
        """While this process lives; called four times a second or so."""
        if self.keeping is not None:
            self.keeping.slate.beat()

    # ---- said

    def _say_upgrade(self, since: float) -> None:
        text = (
            f"{self._carried()}; nobody was served for {(time.monotonic() - since) * 1000:.0f} ms"
        )
        log.info("this process has taken over: {text}", text=text)
        self._write(Outcome(self._asked, os.getpid(), time.time(), text))

    def _say_crash(self) -> None:
        waited = ""
        if self._last is not None:
            spent = (time.monotonic() - self._last) * 1000
            waited = f"; nobody was served for {spent:.0f} ms or so"
        log.warn(
            "the last camd ended without a word: {carried}{waited}",
            carried=self._carried(), waited=waited,
        )  # fmt: skip

    def _carried(self) -> str:
        report = self._report
        gone = f", gone meanwhile: {report.gone}" if report.gone else ""
        return (
            f"boards carried over: {report.boards}, with the tutorial's sketch: {report.v1}, "
            f"waiting for an answer: {report.owed}{gone}"
        )

    def _write(self, what: Outcome) -> None:
        try:
            outcome.write(self.house.store.own, what)
        except OSError as error:
            log.warn("the outcome cannot be written down: {why}", why=str(error))

    # ---- while it runs

    def upgrade(self) -> None:
        """Another process is to take over."""
        if self._upgrade is not None or self.house.stopping:
            log.info("a restart is under way already")
            return
        log.info("a new camd is started beside this one")
        self._upgrade = Upgrade(self.house, self.program)
        done = Deferred.fromCoroutine(self._upgrade.run())
        done.addErrback(self._abandoned).addErrback(
            lambda failure: log.failure("a mistake of ours in an upgrade", failure)
        )

    def _abandoned(self, failure: object) -> None:
        self._upgrade = None
        error = failure.value  # type: ignore[attr-defined]
        if isinstance(error, Fatal):
            log.critical("neither the new camd nor this one can go on: {why}", why=str(error))
            # Not in order: whoever keeps connections is to start another one.
            os._exit(1)
        if not isinstance(error, AbandonedError):
            failure.raiseException()  # type: ignore[attr-defined]
        log.error("no restart, this camd runs on as it was: {why}", why=str(error))
        pid = os.getpid()
        self._write(Outcome(pid, pid, time.time(), str(error)))

    def give_up(self) -> None:
        """The operator wants the end: nobody waits for a new process."""
        if self._upgrade is not None:
            self._upgrade.give_up()


def _suggest() -> None:
    log.warn(
        "a board with the tutorial's sketch is connected, which never comes back by itself: "
        "with --keep, or under systemd, its connection outlives a crash of camd"
    )
