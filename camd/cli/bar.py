"""How far a long command has come, for whoever watches."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Update(Protocol):
    def __call__(self, done: int, what: str = "", /) -> None:
        """So many are done by now; *what* is at hand."""


@contextmanager
def bar(expected: int) -> Iterator[Update]:
    """A bar on stderr, where that is a terminal. *expected*: how many there are; 0: unknown."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=expected or None)
        yield lambda done, what="": progress.update(task, completed=done, description=what)
