"""``camd check``: every photo of the store against the catalog, and back."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from camd.cli.bar import bar
from camd.cli.restart import is_locked
from camd.cli.settings import configured, existing_store, own_directory, plain_errors
from camd.config import Loaded
from camd.plural import count
from camd.store.annotations import AnnotationJournal
from camd.store.catalog import Catalog, CatalogDamagedError
from camd.store.check import CheckReport
from camd.store.check import check as check_store
from camd.store.files import make_directory
from camd.store.store import Lock
from camd.wire.jpeg import measure

_ON_ITS_WAY = 120.0
"""Seconds after which a file that a running camd wrote should be in the catalog."""


@click.command()
@click.option("--fix", is_flag=True, help="Put right what can be; camd must not be running.")
@configured
def check(loaded: Loaded, fix: bool) -> int:
    """Hold every photo of the store against the catalog, byte by byte.

    With --fix the catalog is brought level with the files, or built anew; damaged photos are
    moved aside into .camd/damaged, and what was never finished is removed. Nothing else is
    deleted. Photos that the catalog did not have are looked at where photos are looked at, and
    what people said of them is known again. The exit code is 1 if something is wrong, and was not
    put right.
    """
    root = existing_store(loaded)
    with ExitStack() as stack:
        stack.enter_context(plain_errors())
        if fix:
            stack.enter_context(_locked(root, own_directory(loaded)))
        try:
            catalog = stack.enter_context(closing(_open(own_directory(loaded), fix, stack)))
        except CatalogDamagedError as error:
            raise click.ClickException(f"{error}; camd check --fix rebuilds it") from error
        if fix:
            catalog.keep_backlog(loaded.config.looks)
        started = time.time()
        report = _run(root, catalog, fix)
        if fix:
            AnnotationJournal(root).catch_up(catalog, anew=bool(report.unknown))
            catalog.checkpoint()
        elif is_locked(own_directory(loaded) / "lock"):
            _without_new(report, root, started - _ON_ITS_WAY)
    _tell(report, fix)
    wrong = len(report.unreadable) + len(report.database) if fix else report.faults
    return 1 if wrong else 0


@contextmanager
def _locked(root: Path, own: Path) -> Iterator[None]:
    """No camd uses the store meanwhile."""
    make_directory(own, within=root)
    lock = Lock(own / "lock")
    lock.take()
    try:
        yield
    finally:
        lock.release()


def _open(own: Path, fix: bool, stack: ExitStack) -> Catalog:
    """The catalog; a new one only where things may be changed."""
    path = own / "catalog.sqlite"
    if fix:
        return Catalog.open(path, lambda text: click.echo(text, err=True), check=True)
    if path.exists():
        return Catalog.open(path)
    return Catalog.open(Path(stack.enter_context(TemporaryDirectory())) / path.name)


def _run(root: Path, catalog: Catalog, fix: bool) -> CheckReport:
    expected = sum(totals.photos for totals in catalog.totals().values())
    with bar(expected) as update:

        def progress(path: str, files: int) -> None:
            update(files, path)

        return check_store(root, catalog, fix, lambda data: measure((data,)), progress)


def _without_new(report: CheckReport, root: Path, since: float) -> None:
    """What a running camd was writing in these minutes is no fault."""

    def old(path: str) -> bool:
        try:
            return (root / path).lstat().st_mtime < since
        except FileNotFoundError:
            return False

    report.leftovers = [path for path in report.leftovers if old(path)]
    report.unknown = [path for path in report.unknown if old(path)]


def _tell(report: CheckReport, fix: bool) -> None:
    for path, why in report.damaged.items():
        click.echo(f"damaged     {path}: {why}")
    for word, paths in (
        ("missing", report.missing),
        ("unknown", report.unknown),
        ("mode", report.modes),
        ("unfinished", report.leftovers),
        ("foreign", report.foreign),
    ):
        for path in paths:
            click.echo(f"{word:<11} {path}")
    for path, why in report.unreadable.items():
        click.echo(f"unreadable  {path}: {why}")
    for why in report.database:
        click.echo(f"catalog     {why}")
    wrong = f"{count(report.faults, 'thing')} wrong" if report.faults else "nothing is wrong"
    if fix and report.faults:
        wrong += f", {report.fixed:,} put right"
    click.echo(
        f"{count(report.files, 'file')} in {count(report.folders, 'folder')}, "
        f"{count(report.good, 'photo')} as they should be; {wrong}"
    )
    if report.faults and not fix:
        click.echo("camd check --fix puts right what can be, while camd is not running")
