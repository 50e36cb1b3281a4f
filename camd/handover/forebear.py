"""The old process, as the new one sees it."""

import os
import socket
from collections.abc import MutableMapping

from attrs import define
from twisted.logger import Logger

from camd import __version__
from camd.handover.estate import FORMAT, Estate
from camd.handover.heir import VARIABLE
from camd.handover.letters import LetterError, Letters

log = Logger()

PATIENCE = 60.0
"""Seconds for which the old one may be silent: it lets photos reach the disk meanwhile."""


@define(eq=False)
class Forebear:
    """A camd that this one is to take over from."""

    _letters: Letters

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> "Forebear | None":
        """The one that started this process, if one did; *environ* does not tell of it again."""
        text = environ.pop(VARIABLE, "")
        if not (text.isascii() and text.isdecimal()):
            return None
        try:
            end = socket.socket(fileno=int(text))
        except OSError:
            return None
        os.set_inheritable(end.fileno(), False)
        return cls(Letters(end, PATIENCE))

    def wrong(self, why: str) -> None:
        """This one cannot start, for that reason: the old one goes on."""
        try:
            self._letters.send("wrong", " ".join(why.removeprefix("camd: ").split()))
        except LetterError:
            return  # it is told on stderr as well

    def ready(self) -> None:
        """:raises LetterError: the old one is gone."""
        about = {"format": FORMAT, "pid": os.getpid(), "version": __version__}
        self._letters.send("ready", about)

    def estate(self) -> Estate:
        """Blocks until the old one stands still. :raises LetterError: it is gone."""
        return Estate.receive(self._letters)

    def taken(self) -> None:
        """Everything is here; blocks until the old one lets go of it.

        :raises LetterError: it does not.
        """
        self._letters.send("taken")
        try:
            letter = self._letters.receive()
        except LetterError as error:
            if "said nothing" in str(error):
                raise
            # Had it changed its mind, it would have killed this process before it went away.
            log.warn("the old camd has died without its last word")
        else:
            if letter.kind != "go":
                raise LetterError(f"{letter.kind} came instead of the last word")
        self._letters.close()
