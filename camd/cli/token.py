"""``camd token``: programs that may use the API."""

import click

from camd.access import AccessError, May, Tokens
from camd.cli.settings import configured, existing_store, own_directory
from camd.config import Loaded
from camd.private import private_directory


@click.group(no_args_is_help=False)
def token() -> None:
    """Let programs in, each by a token of its own."""


@token.command()
@click.argument("name")
@click.option("--read", is_flag=True, help="It may look.")
@click.option("--control", is_flag=True, help="It may look, and change things.")
@click.option("--upload", is_flag=True, help="It may bring photos.")
@configured
def add(loaded: Loaded, name: str, read: bool, control: bool, upload: bool) -> None:
    """Make a token for the program NAME, and print it: it cannot be read again."""
    wanted = ((May.READ, read), (May.CONTROL, control), (May.UPLOAD, upload))
    if not any(said for _, said in wanted):
        raise click.UsageError("say what it may do: --read, --control or --upload")
    known = _tokens(loaded)
    if not known.directory.is_dir():
        private_directory(known.directory)
    try:
        secret = known.add(name, [right for right, said in wanted if said])
    except AccessError as error:
        raise click.ClickException(str(error)) from error
    click.echo(secret)


@token.command()
@configured
def ls(loaded: Loaded) -> None:
    """List the programs that have a token, and what they may do."""
    existing_store(loaded)
    known = _tokens(loaded).all()
    if not known:
        click.echo("no token yet")
    for each in known:
        click.echo(f"{each.name}  {','.join(sorted(right.value for right in each.may))}")


@token.command()
@click.argument("name")
@configured
def rm(loaded: Loaded, name: str) -> None:
    """Keep the program NAME out from now on."""
    existing_store(loaded)
    try:
        _tokens(loaded).remove(name)
    except AccessError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{name} is kept out.")


def _tokens(loaded: Loaded) -> Tokens:
    return Tokens(own_directory(loaded))
