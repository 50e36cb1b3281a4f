"""twistd's way in: the options of ``twistd camd``, and the service they make."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.application.service import IService
from twisted.logger import Logger
from twisted.python import usage

from camd import __version__
from camd.config import ConfigError, Loaded, load

if TYPE_CHECKING:
    from camd.handover.forebear import Forebear

log = Logger()

VARIABLE = "CAMD_HANDOVER"
"""As `camd.handover.heir` has it, which is not imported for each start."""


class Options(usage.Options):
    """What can be said on the command line; all of it stands in the configuration too."""

    synopsis = "[options]"
    longdesc = (
        "Takes photos from ESP32-CAM boards and never loses one. Without any option it listens "
        "on port 8940 and stores below ./camd-data."
    )
    optParameters = [  # noqa: N815, RUF012 - Twisted reads it so
        ["config", "c", None, "configuration file (TOML)"],
        ["store", "s", None, "directory of the photos [camd-data]"],
        ["web", None, None, "endpoint of the page and the API, or off"],
        ["upload", None, None, "endpoint for photos by HTTP, or off [off]"],
        ["manhole", None, None, "endpoint of the SSH prompt, or off"],
        ["log-level", None, None, "debug, info, warn, error or critical [info]"],
    ]
    optFlags = [  # noqa: N815, RUF012
        ["log-json", None, "log one JSON object a line"],
        ["keep", None, "keep boards' connections over a crash, and start again"],
    ]

    loaded: Loaded
    forebear: "Forebear | None" = None
    pidfile: str | None = None

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []

    def opt_listen(self, description: str) -> None:
        """a Twisted server endpoint for boards; may be given several times [tcp:8940]"""
        self["listen"].append(description)

    def opt_version(self) -> None:
        """show the version of camd, and end"""
        print(f"camd {__version__}")
        raise SystemExit(0)

    def read(self) -> Loaded:
        """:raises ConfigError: with a line for each mistake."""
        path = Path(self["config"]) if self["config"] else None
        said = {
            "listen": tuple(self["listen"]) or None,
            "store.path": self["store"],
            "web.listen": self["web"],
            "upload.listen": self["upload"],
            "manhole.listen": self["manhole"],
            "log.level": self["log-level"],
            "log.json": True if self["log-json"] else None,
            "restart.keep": True if self["keep"] else None,
        }
        return load(path, os.environ, said)

    def postOptions(self) -> None:
        if VARIABLE in os.environ:
            self._take_over()
        try:
            self.loaded = self.read()
        except ConfigError as error:
            self.wrong(str(error))
            raise SystemExit(
                "\n".join(f"camd: {line}" for line in str(error).splitlines())
            ) from None

    def _take_over(self) -> None:
        """This process takes the place of one that runs still, and so has the pidfile still."""
        from camd.handover.forebear import Forebear

        self.forebear = Forebear.of(os.environ)
        if self.forebear is not None and self.parent is not None:
            self.pidfile, self.parent["pidfile"] = self.parent["pidfile"], ""

    def wrong(self, why: str) -> None:
        """The process that was to be replaced hears why it is not."""
        if self.forebear is not None:
            self.forebear.wrong(why)

    def taken(self) -> None:
        """Its place is taken, and the pidfile is this process's."""
        if self.pidfile and self.parent is not None:
            self.parent["pidfile"] = self.pidfile
            Path(self.pidfile).write_text(str(os.getpid()))


def makeService(options: Options) -> IService:
    """The daemon as twistd runs it."""
    from twisted.internet import reactor

    from camd.doors import DoorError, endpoint
    from camd.logfile import observer
    from camd.service import build

    config = options.loaded.config
    named = [("listen", text) for text in config.listen]
    named += [("tls.listen", text) for text in config.tls.endpoints]
    for key, description in named:
        if options.forebear is not None and description.startswith("systemd:"):
            continue  # it comes from there
        try:
            endpoint(reactor, description)
        except DoorError as error:
            why = error.__cause__ or error
            wants = (
                "a socket that systemd has handed over"
                if description.startswith("systemd:") and isinstance(why, KeyError)
                else f"an endpoint such as tcp:8940 ({why})"
            )
            line = str(options.loaded.error(key, description, wants))
            options.wrong(line)
            raise SystemExit(f"camd: {line}") from None
    twistd: Any = options.parent or {}
    if config.restart.keep and "NOTIFY_SOCKET" not in os.environ:
        if options.forebear is None:
            become_keeper(twistd.get("nodaemon", True))
        log.warn("restart.keep counts when camd is stopped and started: no keeper can come between")
    elsewhere = (
        twistd.get("syslog") or twistd.get("logger") or twistd.get("logfile") not in (None, "-")
    )
    lines = None
    if twistd.get("nodaemon", True) and (config.log.json or not elsewhere):
        lines = observer(config.log.level, config.log.json)
    daemon = build(options.loaded, reactor, options.read, lines, options.forebear)
    daemon.continuity.taken = options.taken
    return daemon


def become_keeper(in_foreground: bool) -> None:
    """From here on this process is the keeper, and the daemon a child of its.

    :raises SystemExit: it would not be seen any more.
    """
    if not in_foreground:
        raise SystemExit("camd: --keep goes with twistd -n")
    from camd.handover import keeper
    from camd.handover.heir import Program

    own = Program.own()
    # Isolated: what lies in the working directory is nothing to it.
    os.execv(sys.executable, [sys.executable, "-I", "-S", keeper.__file__, *own.arguments])
