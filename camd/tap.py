"""twistd's way in: the options of ``twistd camd``, and the service they make."""

import os
from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.python import usage

from camd import __version__
from camd.config import ConfigError, Loaded, load


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
        ["manhole", None, None, "endpoint of the SSH prompt, or off"],
        ["log-level", None, None, "debug, info, warn, error or critical [info]"],
    ]
    optFlags = [["log-json", None, "log one JSON object a line"]]  # noqa: N815, RUF012

    loaded: Loaded

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
            "manhole.listen": self["manhole"],
            "log.level": self["log-level"],
            "log.json": True if self["log-json"] else None,
        }
        return load(path, os.environ, said)

    def postOptions(self) -> None:
        try:
            self.loaded = self.read()
        except ConfigError as error:
            raise SystemExit(
                "\n".join(f"camd: {line}" for line in str(error).splitlines())
            ) from None


def makeService(options: Options) -> IService:
    """The daemon as twistd runs it."""
    from twisted.internet import reactor

    from camd.doors import DoorError, endpoint
    from camd.logfile import observer
    from camd.service import build

    config = options.loaded.config
    for description in (*config.listen, *config.tls.endpoints):
        try:
            endpoint(reactor, description)
        except DoorError as error:
            raise SystemExit(f"camd: {error}") from None
    twistd: Any = options.parent or {}
    elsewhere = (
        twistd.get("syslog") or twistd.get("logger") or twistd.get("logfile") not in (None, "-")
    )
    lines = None
    if twistd.get("nodaemon", True) and (config.log.json or not elsewhere):
        lines = observer(config.log.level, config.log.json)
    return build(options.loaded, reactor, options.read, lines)
