"""``camd import labels``: what people said of photos elsewhere."""

import itertools
from contextlib import closing
from pathlib import Path

import click

from camd.cli.bar import Update, bar
from camd.cli.settings import configured, existing_catalog, existing_store, plain_errors
from camd.config import Loaded
from camd.labels.classes import find_classes
from camd.labels.coco import coco_files, read_coco
from camd.labels.hearing import Find, Heard
from camd.labels.photos import Photos
from camd.labels.taking import News, gather, take
from camd.labels.yolo import is_yolo, read_yolo
from camd.plain import plain
from camd.plural import count
from camd.store.catalog import Catalog
from camd.store.entry import Entry

SHOWN = 10
"""Mistakes and unknown photos that are written out; the rest is counted."""


@click.group("import", no_args_is_help=False)
def import_() -> None:
    """Take in what people said elsewhere of the photos of the store."""


@import_.command()
@click.argument("source", metavar="DIR|FILE", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--names",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="YOLO: the names of the classes, where they are not found.",
)
@click.option(
    "--done/--not-done",
    default=True,
    help="Nothing else is on those photos (so it is taken), or there may be.",
)
@click.option(
    "--empty",
    is_flag=True,
    help="On photos without a label there is nothing; else they are left alone.",
)
@click.option("--skip-wrong", is_flag=True, help="Leave out photos with mistakes in their labels.")
@click.option("--dry-run", is_flag=True, help="Only say what would be taken in.")
@configured  # fmt: skip
def labels(loaded: Loaded, /, *, source: Path, names: Path | None, done: bool, empty: bool,
           skip_wrong: bool, dry_run: bool) -> None:  # fmt: skip
    """Take in labels of YOLO (a directory) or COCO (a JSON file, or a directory of such).

    They become a person's word, in place of all that was said before of those photos. A photo
    is known by the name of its file. Where anything is wrong, nothing is taken in. May be called
    while camd is running, as the same user.
    """
    root = existing_store(loaded)
    with plain_errors(), closing(Catalog.open(existing_catalog(loaded))) as catalog:
        with bar(0) as update:
            heard = _hear(source, names, _counted(Photos(root, catalog).find, update))
        news = gather(catalog, heard, done=done, empty=empty)
        _complain(heard, skip_wrong)
        there = len(news.said)
        if not dry_run and news.said:
            with bar(len(news.said)) as update:
                there = take(root, catalog, news, update)
    _tell(heard, news, there, dry_run)


def _counted(find: Find, update: Update) -> Find:
    """The same, and *update* is told of how many photos it was asked."""
    asked = itertools.count(1)

    def counted(name: str) -> Entry | None:
        update(next(asked), "reading")
        return find(name)

    return counted


def _hear(source: Path, names: Path | None, find: Find) -> Heard:
    if source.is_file():
        if source.suffix != ".json":
            raise click.UsageError(f"{source} is neither a directory of labels nor a JSON file")
        return read_coco(source, find)
    files = coco_files(source)
    if is_yolo(source) and not (files and names is None and find_classes(source) is None):
        return read_yolo(source, find, names)
    if not files:
        raise click.ClickException(f"there are no labels in {source}, neither YOLO's nor COCO's")
    heard = Heard()
    for each in files:
        more = read_coco(each, find)
        heard.labels += more.labels
        heard.mistakes += more.mistakes
        heard.unknown += more.unknown
        heard.outlines += more.outlines
        heard.crowds += more.crowds
    return heard


def _complain(heard: Heard, skip_wrong: bool) -> None:
    """:raises click.ClickException: something is wrong, and is not to be skipped."""
    for mistake in heard.mistakes[:SHOWN]:
        click.echo(plain(str(mistake)), err=True)
    if heard.mistakes and not skip_wrong:
        raise click.ClickException(
            f"{count(len(heard.mistakes), 'mistake')} in the labels: nothing is taken in; "
            "--skip-wrong takes in the rest"
        )


def _tell(heard: Heard, news: News, there: int, dry_run: bool) -> None:
    for name in heard.unknown[:SHOWN]:
        click.echo(f"unknown     {plain(name)}")
    if len(heard.unknown) > SHOWN:
        click.echo(f"unknown     and {len(heard.unknown) - SHOWN:,} more")
    verb = "would be said" if dry_run else "said"
    click.echo(f"{count(there, 'photo')}, {count(news.things, 'thing')} {verb} to be on them")
    for number, one, several in (
        (news.replaced, "of them had been spoken of before: that is replaced", ""),
        (news.same, "photo was known to be so", "photos were known to be so"),
        (
            news.bare,
            "photo without a label is left alone; --empty says nothing is on it",
            "photos without a label are left alone; --empty says nothing is on them",
        ),
        (
            heard.outlines,
            "outline became the box around it",
            "outlines became the boxes around them",
        ),
        (heard.crowds, "label of a crowd is left out", "labels of crowds are left out"),
        (
            len(heard.unknown),
            "name is of no photo of this store",
            "names are of no photo of this store",
        ),
        (
            len(heard.mistakes),
            "mistake; that photo is left alone",
            "mistakes; those photos are left alone",
        ),
    ):
        if number:
            click.echo(count(number, one, several or one))
