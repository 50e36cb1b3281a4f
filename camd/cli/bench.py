"""``camd bench``: what this machine can take in."""

import json
from pathlib import Path

import click
from attrs import asdict
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from camd.bench.run import BenchError, Figures, connection_memory, measure
from camd.cli.settings import Real
from camd.pictures import FRAMESIZES, PicturesUnavailableError
from camd.plural import count


@click.command()
@click.option("--boards", type=click.IntRange(1, 4096), multiple=True, default=(16, 256),
              show_default=True, help="At once; may be repeated.")  # fmt: skip
@click.option("--size", type=click.Choice(sorted(FRAMESIZES)), multiple=True, default=("vga",),
              show_default=True, help="Of their photos; may be repeated.")  # fmt: skip
@click.option("--seconds", type=Real(1, 600), default=4.0, show_default=True,
              help="For each load.")  # fmt: skip
@click.option("--connections", type=click.IntRange(0, 10_000), default=1000, show_default=True,
              help="Idle ones, to weigh; 0 leaves that out.")  # fmt: skip
@click.option("--dir", "where", default=".", help="On the disk that is to be measured.",
              type=click.Path(exists=True, file_okay=False, path_type=Path))  # fmt: skip
@click.option("--pin/--no-pin", default=True, help="Daemon and load on a processor each.")
@click.option("--json", "as_json", is_flag=True, help="Figures as JSON.")
def bench(
    *,
    boards: tuple[int, ...],
    size: tuple[str, ...],
    seconds: float,
    connections: int,
    where: Path,
    pin: bool,
    as_json: bool,
) -> None:
    """Measure what this machine can take in: durable photos a second, how long an answer takes,
    processor time a photo, memory a connection. The yardstick is a program that makes one photo
    after the other durable, on the same disk in the same run."""
    figures: list[Figures] = []
    memory: tuple[int, int | None] | None = None
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        console = Console(stderr=True)
        with Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        ) as progress:
            task = progress.add_task("")
            for name in size:
                for number in boards:
                    progress.update(task, description=f"{count(number, 'board')}, {name}")
                    figures.append(measure(where, number, name, seconds, pin))
            if connections:
                progress.update(task, description=count(connections, "idle connection"))
                memory = connection_memory(where, connections)
    except (BenchError, PicturesUnavailableError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        rows = [{**asdict(row), "ratio": row.ratio} for row in figures]
        idle, each = memory or (None, None)
        click.echo(json.dumps({"loads": rows, "idle_bytes": idle, "connection_bytes": each}))
        return
    Console().print(_table(figures))
    if memory is not None:
        idle, each = memory
        weight = (
            "too few connections to weigh"
            if each is None
            else f"{count(each, 'byte')} a connection"
        )
        click.echo(f"memory: {idle / 1e6:.1f} MB idle, {weight}")


def _table(figures: list[Figures]) -> Table:
    """Fits into eighty columns; units stand in the headings."""
    table = Table(title="durable photos", box=None, padding=(0, 1), header_style="bold")
    for heading in (
        "boards", "kB a\nphoto", "photos\n/s", "MB\n/s", "ACK ms\np50", "ACK ms\np99",
        "CPU µs\na photo", "NAK", "one by\none /s", "ratio",
    ):  # fmt: skip
        table.add_column(heading, justify="right", no_wrap=True)
    for row in figures:
        table.add_row(
            str(row.boards), f"{row.size / 1000:.0f}", f"{row.rate:.0f}",
            f"{row.megabytes:.1f}", f"{row.p50 * 1e3:.1f}", f"{row.p99 * 1e3:.1f}",
            f"{row.cpu * 1e6:.0f}", str(row.refused), f"{row.naive:.0f}", f"{row.ratio:.1f}",
        )  # fmt: skip
    return table
