"""A data set is made beside its place, and gets its name when it is whole."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve, field, frozen

from camd.export.card import MARK, Numbers, Origin, write_card
from camd.export.choice import Choice, Pick, ZoneOf, choose
from camd.export.picture import Form, pictures
from camd.export.sides import By, Side, group_of, validating
from camd.store.catalog import CatalogReader
from camd.store.findings import FindingsReader

_LOOK_EVERY = 100
"""Photos after which the disk is looked at once more."""


class ExportError(Exception):
    """There will be no data set; the message is a sentence for whoever wants it."""


@frozen
class Split:
    """:ivar share: of the photos that are for validation. *seed*: draws which."""

    share: float = 0.0
    by: By = "night"
    seed: int = 0


NOT_SPLIT = Split()


@frozen
class Wanted:
    """:ivar target: where the data set will lie; absolute, and no symbolic link.
    :ivar replace: a data set of camd's that is there.
    :ivar room: whether the disk may be filled further.
    """

    target: Path
    choice: Choice
    split: Split = NOT_SPLIT
    replace: bool = False
    room: Callable[[], bool] = lambda: True


@frozen
class Chosen:
    """What a form is made for. *names*: all classes, as they are numbered."""

    picks: list[Pick]
    names: tuple[str, ...]
    sides: tuple[Side, ...]
    validating: frozenset[tuple[str, ...]] = field(repr=False)


Progress = Callable[[int], None]
FormOf = Callable[[Path, Chosen], Form]


def make(
    catalog: CatalogReader,
    wanted: Wanted,
    origin: Origin,
    *,
    zone_of: ZoneOf,
    form_of: FormOf,
    begin: Callable[[int], Progress],
) -> Numbers:
    """The data set is at its place, whole.

    :param form_of: makes the form in the folder that it is given.
    :param begin: is told how many photos there are; what it returns, how many are done.
    :raises ExportError: nothing answers the choice, something is in the way, or the disk is full.
    :raises CatalogError: from the catalog.
    :raises OSError: it could not be written; then nothing of it is left.
    """
    target = wanted.target
    if target.is_relative_to(origin.store):
        raise ExportError(f"{target} is within the store: what is there is the photos' own")
    if origin.store.is_relative_to(target):
        raise ExportError(f"{target} has the store in it, which would go with what is replaced")
    _utf8(str(target), origin.command)
    _in_the_way(target, wanted.replace)
    chosen = _chosen(catalog, wanted, zone_of)
    numbers = Numbers()
    with _beside(target) as folder:
        form = form_of(folder, chosen)
        told = begin(len(chosen.picks))
        side_of = _sides(chosen, wanted.split.by)
        # A class that was found nowhere until now has no number.
        choice = evolve(wanted.choice, classes=chosen.names)
        found = pictures(catalog, chosen.picks, choice, zone_of, side_of)
        for done, picture in enumerate(found):
            if done % _LOOK_EVERY == 0 and not wanted.room():
                raise ExportError("the disk would have less room than store.keep_free")
            if picture is not None and form.add(picture):
                numbers.add(picture)
            else:
                numbers.missing += 1
            told(done + 1)
        if not numbers.photos:
            raise ExportError("none of the photos that were chosen is there any more")
        form.finish()
        write_card(folder, origin, numbers)
        _put(folder, target)
    return numbers


def _chosen(catalog: CatalogReader, wanted: Wanted, zone_of: ZoneOf) -> Chosen:
    picks = choose(catalog, wanted.choice, zone_of)
    if not picks:
        if wanted.choice.background is not None and not FindingsReader(catalog).classes():
            raise ExportError(
                "nothing is known to be on any photo: camd detect lets a model look, and on the "
                "page a person says it"
            )
        raise ExportError("no photo of the store answers to that choice")
    split = wanted.split
    try:
        groups = validating(picks, split.share, split.by, split.seed)
    except ValueError as error:
        raise ExportError(str(error)) from error
    names = wanted.choice.classes or tuple(
        name for name, number in FindingsReader(catalog).classes().items() if number
    )
    return Chosen(picks, names, tuple(Side) if groups else (Side.TRAIN,), groups)


def _sides(chosen: Chosen, by: By) -> Callable[[Pick], Side]:
    def side_of(pick: Pick) -> Side:
        return Side.VAL if group_of(pick, by) in chosen.validating else Side.TRAIN

    return side_of


# ---- its place


def _utf8(*texts: str) -> None:
    """Each can be written down. :raises ExportError: it is none that UTF-8 has."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ExportError(f"{text!a} is not UTF-8, as all in a data set is") from None


def _in_the_way(target: Path, replace: bool) -> None:
    """:raises ExportError: something is at *target* that is not to be replaced."""
    try:
        names = os.listdir(target)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise ExportError(f"{target} is there, and is no folder") from None
    if not names:
        return
    if MARK not in names:
        raise ExportError(f"{target} is not empty, and no data set that camd made")
    if not replace:
        raise ExportError(f"{target} is a data set already; --force replaces it")


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder beside *target*, in which to make it; gone in the end, unless it was renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    try:
        folder = scratch / target.name
        folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _put(folder: Path, target: Path) -> None:
    """*folder* gets the name *target*; what was there goes, or stays where that fails."""
    before = folder.parent / "before"
    if target.exists():
        target.rename(before)
    try:
        folder.rename(target)
    except BaseException:
        if before.exists():
            before.rename(target)
        raise
