"""The names of the commands, and what becomes of their errors.

An error is one line: ``camd: `` and what is wrong. Exit codes: 0 done, 1 failed, 2 called
wrongly, 78 the configuration is wrong.
"""

import importlib
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from attrs import frozen

from camd import __version__
from camd.cli.streams import finish, make_ready
from camd.config.mistakes import ConfigError

DONE, FAILED, USAGE, BAD_CONFIG = 0, 1, 2, 78


@frozen
class Known:
    """A command that is not imported yet. *where*: ``module:command``. *help*: in a line."""

    where: str
    help: str


COMMANDS: Mapping[str, Known] = {
    "enroll": Known("camd.cli.enroll:enroll", "Give a camera its key, or this machine a CA."),
    "revoke": Known("camd.cli.revoke:revoke", "Let nobody in under a camera's name."),
    "password": Known("camd.cli.password:password", "Set the password of the page."),
    "token": Known("camd.cli.token:token", "Let programs use the API."),
    "ls": Known("camd.cli.ls:ls", "List the cameras, or the newest photos of one."),
    "restart": Known("camd.cli.restart:restart", "Let a new process take over from the daemon."),
    "check": Known("camd.cli.check:check", "Hold every photo against the catalog."),
    "detect": Known("camd.cli.detect:detect", "Let a model look at photos that are there already."),
    "config": Known("camd.cli.config:config", "Show every setting and where it comes from."),
    "timelapse": Known("camd.cli.timelapse:timelapse", "Make a film of a camera's photos."),
    "export": Known("camd.cli.export:export", "Make a data set of photos and what is on them."),
    "import": Known("camd.cli.labels:import_", "Take in what people said elsewhere of photos."),
    "simulate": Known("camd.cli.simulate:simulate", "Be a fleet of boards."),
    "bench": Known("camd.cli.bench:bench", "Measure what this machine can take in."),
}


class Group(click.Group):
    """Commands are imported when they are called, not to list them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        known = COMMANDS.get(cmd_name)
        if known is None:
            return None
        module, _, name = known.where.partition(":")
        try:
            command: click.Command = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.split(".")[0] == "camd":
                raise
            raise click.ClickException(f"{cmd_name} needs the package {error.name}") from error
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, known.help) for name, known in COMMANDS.items()])


@click.group(
    cls=Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="camd", message="%(prog)s %(version)s")
@click.option(
    "--config", type=click.Path(path_type=Path), metavar="FILE", help="The configuration file."
)
@click.option("--store", metavar="DIR", help="The directory of the photos.")
@click.pass_context
def camd(ctx: click.Context, config: Path | None, store: str | None) -> None:
    """Photos from a fleet of ESP32-CAM boards. The daemon itself is: twistd -n camd"""
    ctx.obj = (config, store)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. :returns: the exit code."""
    make_ready()
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments)
    except BrokenPipeError:
        code = FAILED  # nobody reads any more, as in "camd ls | head": nothing is wrong
    finish()
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        result: Any = camd.main(
            list(arguments),
            prog_name="camd",
            standalone_mode=False,
        )
        sys.stdout.flush()
    except click.UsageError as error:
        usage = f"{error.ctx.command_path} --help" if error.ctx is not None else "camd --help"
        said = error.format_message().rstrip(".")
        return _fail(f"{said}{' See' if said.endswith('?') else '; see'} {usage}", USAGE)
    except click.ClickException as error:
        return _fail(error.format_message(), FAILED)
    except click.Abort:
        return _fail("stopped", FAILED)
    except ConfigError as error:
        for mistake in error.mistakes:
            _fail(str(mistake), BAD_CONFIG)
        return BAD_CONFIG
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        return _fail(f"{where}{error.strerror or error}", FAILED)
    return result if isinstance(result, int) else DONE


def _fail(text: str, code: int) -> int:
    line = " ".join(text.split())
    with suppress(OSError):  # the exit code tells it as well
        print(f"camd: {line}", file=sys.stderr, flush=True)
    return code
