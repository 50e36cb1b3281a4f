"""``camd password``: what people have to know to see the page."""

import sys
import warnings
from getpass import GetPassWarning

import click

from camd.access import AccessError, Password
from camd.cli.settings import configured, existing_store, own_directory
from camd.config import Loaded
from camd.private import private_directory


@click.command()
@click.option("--stdin", "from_stdin", is_flag=True, help="Read it from a line of standard input.")
@click.option("--remove", is_flag=True, help="There is no password any more.")
@configured
def password(loaded: Loaded, from_stdin: bool, remove: bool) -> None:
    """Set the password of the page; whoever is signed in has to do so again.

    A running camd knows it at once. Without one the page opens on this machine only.
    """
    if remove and from_stdin:
        raise click.UsageError("--remove takes no password")
    known = Password(own_directory(loaded))
    if remove:
        existing_store(loaded)
        was = known.remove()
        click.echo("The page has no password any more." if was else "The page had no password.")
        return
    text = sys.stdin.readline().rstrip("\r\n") if from_stdin else _asked()
    if not known.directory.is_dir():
        private_directory(known.directory)
    try:
        known.set(text)
    except AccessError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"The page has a password; {known.path} holds its hash.")


def _asked() -> str:
    """What is typed, twice and unseen.

    :raises click.UsageError: where there is no terminal that could hide it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", GetPassWarning)
        try:
            text: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        except GetPassWarning:
            raise click.UsageError("there is no terminal to ask at; --stdin reads it") from None
    return text
