"""``camd detect``: a model looks at the photos that are there already."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import tzinfo
from pathlib import Path
from typing import Any

import click
from attrs import define, evolve, field
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from camd.cli.settings import configured, existing_catalog, existing_store, plain_errors
from camd.config import Config, Loaded
from camd.detect.crew import Rules
from camd.detect.rerun import Range, Rerun, UnableError
from camd.detect.terms import Outfit, Terms
from camd.detect.worker import spawner
from camd.photo import CameraId
from camd.plural import count
from camd.store.catalog import Catalog
from camd.store.findings_writer import FindingsWriter
from camd.store.schema import CatalogError
from camd.timelapse.moments import parse_moment

_MOST_ASIDE = 100_000
_NONE_ASIDE = "no photo is set aside"

_Told = Callable[[int, int], None]


@click.command()
@click.argument("cameras", nargs=-1, metavar="[CAMERA]...")
@click.option("--again", is_flag=True, help="Also at photos that this model has looked at.")
@click.option("--since", metavar="WHEN", help="Taken then or later; or how long ago: 7d.")
@click.option("--until", metavar="WHEN", help="Taken before then; a date is all of that day.")
@click.option("--model", type=click.Path(path_type=Path), metavar="FILE",
              help="This model, in place of the configuration's.")  # fmt: skip
@click.option("--newest/--oldest", "newest", default=None, help="Which come first; else by order.")
@click.option("--jobs", type=click.IntRange(1, 64), metavar="N",
              help="Processes; else as many as processors.")  # fmt: skip
@click.option("--aside", is_flag=True, help="List the photos that could not be looked at.")
@click.option("--retry", is_flag=True, help="Let those be looked at once more.")
@configured
def detect(
    loaded: Loaded,
    /,
    *,
    cameras: tuple[str, ...],
    aside: bool,
    retry: bool,
    model: Path | None,
    jobs: int | None,
    **wishes: Any,
) -> int:
    """Let a model look at the photos that are in the store: those that it has not seen yet, of
    these cameras or of all.

    May be called while camd runs. Ctrl-C ends it, and the same command goes on from there; with
    --again, from the beginning. What was set aside, because it could not be looked at, is left out
    until --retry.
    """
    if aside and retry:
        raise click.UsageError("--aside lists those photos, --retry takes them up: say one of them")
    if (aside or retry) and (cameras or any(wishes.values())):
        raise click.UsageError(f"{'--aside' if aside else '--retry'} is about all photos that were "
                               "set aside: no others can be chosen")  # fmt: skip
    root = existing_store(loaded)
    with plain_errors(), closing(Catalog.open(existing_catalog(loaded))) as catalog:
        if aside:
            return _list(catalog)
        if retry:
            return _retry(catalog)
        known = catalog.totals()
        for name in cameras:
            if name not in known:
                raise click.BadParameter(f"{name}: the store has no photo of it")
        terms = Terms(_with(loaded.config, model, tuple(CameraId(name) for name in cameras)))
        ranges = _ranges(terms, tuple(CameraId(name) for name in cameras), **wishes)
        return _run(_Look(catalog, root.absolute(), terms, jobs or _processors(loaded)), ranges)


def _processors(loaded: Loaded) -> int:
    """Workers that keep all processors busy."""
    return max(1, len(os.sched_getaffinity(0)) // loaded.config.detect.threads)


def _list(catalog: Catalog) -> int:
    found = FindingsWriter(catalog).aside(_MOST_ASIDE)
    for each in found:
        click.echo(f"{each.photo.path}: {each.why}")
    if not found:
        click.echo(_NONE_ASIDE)
    return 0


def _retry(catalog: Catalog) -> int:
    photos = FindingsWriter(catalog).again()
    if not photos:
        click.echo(_NONE_ASIDE)
        return 0
    click.echo(f"{count(photos, 'photo')} will be looked at once more: by camd where it runs with "
               "a model, or by camd detect")  # fmt: skip
    return 0


def _with(config: Config, model: Path | None, named: tuple[CameraId, ...]) -> Config:
    """The configuration, as if it had that model; whoever is named is looked at."""
    entries = config.camera_entries
    if model is not None:
        config = evolve(config, detect=evolve(config.detect, model=model))
        entries = tuple(evolve(entry, detect_model=None) for entry in entries)
    entries = tuple(evolve(entry, detect=None) if entry.id in named else entry for entry in entries)
    return evolve(config, camera=entries)


def _ranges(
    terms: Terms,
    cameras: tuple[CameraId, ...],
    *,
    since: str | None,
    until: str | None,
    newest: bool | None,
    again: bool,
) -> list[tuple[Outfit, Range]]:
    """Which photos are for whom."""
    where = terms.config.store.zone
    general = Range(
        since_ms=_moment("--since", since, where, end=False),
        until_ms=_moment("--until", until, where, end=True),
        newest_first=terms.config.detect.order == "newest" if newest is None else newest,
        again=again,
    )
    since_ms, until_ms = general.since_ms, general.until_ms
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise click.UsageError("--since is not before --until")
    ranges = []
    for share in terms.shares():
        if share.outfit is None or share.outfit.setup.model is None:
            continue
        if cameras:
            chosen: tuple[CameraId, ...] | None = tuple(c for c in cameras if share.has(c))
        else:
            chosen = None if share.others else tuple(sorted(share.cameras))
        if chosen != ():
            without = share.cameras if chosen is None else frozenset[CameraId]()
            ranges.append((share.outfit, evolve(general, cameras=chosen, without=without)))
    if not ranges:
        raise click.ClickException(
            "there is no model to look with: --model FILE, or [detect] model"
        )
    return ranges


def _moment(option: str, text: str | None, zone: tzinfo | None, *, end: bool) -> int | None:
    """Unix milliseconds."""
    if text is None:
        return None
    try:
        return parse_moment(text, time.time(), zone, end=end)
    except ValueError as error:
        raise click.BadParameter(f"{option} {text!r} is not {error}") from error


@define(eq=False)
class _Look:
    """One call of the command, from its first photo to the last."""

    catalog: Catalog
    root: Path
    terms: Terms
    workers: int
    stopped: bool = False
    failure: Failure | None = None
    runs: list[Rerun] = field(factory=list)

    def look(self, reactor: Any, ranges: Sequence[tuple[Outfit, Range]], told: _Told) -> None:
        """The reactor, from the first photo to the end."""

        def interrupted(*_: object) -> None:
            if self.stopped:
                os._exit(1)
            self.stopped = True
            reactor.callFromThread(self.runs[-1].stop)

        async def work() -> None:
            detect = self.terms.config.detect
            rules = Rules(self.workers, detect.timeout, detect.pause, detect.idle)
            for outfit, range in ranges:
                run = Rerun(self.catalog, self.root, self.terms, range, reactor, time.time, told)
                self.runs.append(run)
                await run.run(outfit, rules, spawner(reactor))
                if self.stopped:
                    return

        def start() -> None:
            # In place of the reactor's, which had to be there to hear of processes that end.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, interrupted)
            done = Deferred.fromCoroutine(work())
            done.addErrback(self._failed).addCallback(lambda _: reactor.stop())

        reactor.callWhenRunning(start)
        reactor.run()

    def _failed(self, failure: Failure) -> None:
        self.failure = failure

    @property
    def photos(self) -> int:
        """That were looked at."""
        return sum(run.photos for run in self.runs)

    def tell(self) -> None:
        """What came of it, in a line."""
        aside, left_out = (sum(getattr(run, name) for run in self.runs)
                           for name in ("aside", "left_out"))  # fmt: skip
        if not any((self.photos, aside, left_out, self.stopped)):
            click.echo(_nothing(run.range for run in self.runs))
            return
        found: Counter[str] = sum((run.found for run in self.runs), Counter())
        things = ", ".join(f"{number:,} {label}" for label, number in found.most_common())
        parts = [f"{count(self.photos, 'photo')} looked at", f"found: {things or 'nothing'}"]
        if aside:
            parts.append(f"{aside:,} set aside, see camd detect --aside")
        if left_out:
            parts.append(f"{left_out:,} left out")
        click.echo("; ".join(parts))


def _nothing(ranges: Iterable[Range]) -> str:
    """What is told where there was nothing to do."""
    if any(each.again for each in ranges):
        return "there is no photo to look at"
    return "there is no photo that this model has not seen; --again looks once more"


def farewell(ranges: Iterable[Range]) -> str:
    """What is told after Ctrl-C: who wanted all photos once more gets all of them once more."""
    where = "begins anew" if any(each.again for each in ranges) else "goes on from here"
    return f"stopped; the same command {where}"


def _run(look: _Look, ranges: Sequence[tuple[Outfit, Range]]) -> int:
    from twisted.internet import reactor

    with _bar() as told:
        look.look(reactor, ranges, told)
    if look.failure is not None:
        if look.failure.check(UnableError, CatalogError) is None:
            look.failure.raiseException()
        if look.photos:
            look.tell()
        why = look.failure.getErrorMessage()
        if look.failure.check(CatalogError) is not None:
            why = f"what is seen on photos cannot be written down: {why}"
        raise click.ClickException(why)
    look.tell()
    if look.stopped:
        click.echo(farewell(range for _, range in ranges))
    return int(look.stopped)


@contextmanager
def _bar() -> Iterator[_Told]:
    """A bar on stderr, where that is a terminal."""
    console = Console(stderr=True)
    with Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("", total=None, rate="")

        def told(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.1f} photos/s" if speed else ""
            bar.update(task, completed=done, total=max(total, done), rate=rate)

        yield told
