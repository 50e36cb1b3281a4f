"""Which photos make a data set, and no more of them than are wanted.

Knows no format. Times are unix milliseconds.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from itertools import groupby
from typing import NamedTuple, TypeVar

from attrs import frozen

from camd.findings import Flag
from camd.photo import CameraId
from camd.store.catalog import CatalogReader
from camd.store.naming import session_day
from camd.store.samples import Sample, samples

ZoneOf = Callable[[CameraId], tzinfo | None]
"""A camera's time zone; None is the machine's."""

T = TypeVar("T")


@frozen
class Choice:
    """What a person wants.

    :ivar cameras: of these only; none: of all.
    :ivar since: of each camera what was taken then or later; *until*: what was before.
    :ivar classes: what is to be on the photos; nothing else counts. None: anything.
    :ivar confirmed: only photos that a person is through with; *starred*: only those.
    :ivar without: photos with any of these flags are left out.
    :ivar least_score: what a model found with a lower score is left out.
    :ivar background: how much of the data set may be photos with nothing on them, 0 to below 1;
        None: photos are taken whatever is on them.
    :ivar believed: that nothing is on a photo is also believed of a model.
    :ivar every: one photo in so many.
    :ivar most: photos at most, evenly over the cameras and over their nights.
    """

    cameras: tuple[CameraId, ...] = ()
    since: Mapping[CameraId, int] = {}
    until: Mapping[CameraId, int] = {}
    classes: tuple[str, ...] = ()
    confirmed: bool = False
    starred: bool = False
    without: frozenset[Flag] = frozenset({Flag.BROKEN})
    least_score: float = 0.0
    background: float | None = None
    believed: bool = False
    every: int = 1
    most: int | None = None


class Pick(NamedTuple):
    """A photo that was chosen; in the order of its camera and time.

    :ivar photo: its `Entry.id`.
    :ivar night: the day, ``YYYY-MM-DD``, at whose noon, by the camera's clock, the session
        began that the photo is of.
    """

    camera: CameraId
    taken_ms: int
    photo: int
    night: str


def choose(catalog: CatalogReader, choice: Choice, zone_of: ZoneOf) -> list[Pick]:
    """The photos of that choice.

    :raises CatalogError: from the catalog.
    """
    subjects: list[Pick] = []
    backgrounds: list[Pick] = []
    for camera in sorted(choice.cameras or catalog.totals()):
        told = samples(
            catalog,
            camera,
            since_ms=choice.since.get(camera),
            until_ms=choice.until.get(camera),
            labels=choice.classes,
            least_score=choice.least_score,
            starred=choice.starred,
            done=choice.confirmed,
            without=choice.without,
        )
        zone = zone_of(camera)
        for kept, wanted in (
            (subjects, [each for each in told if choice.background is None or each.sure]),
            (backgrounds, [each for each in told if _is_background(each, choice)]),
        ):
            kept += [
                Pick(
                    camera,
                    each.taken_ms,
                    each.photo,
                    session_day(each.taken_ms / 1000, zone, starts_at_noon=True),
                )
                for each in wanted[:: choice.every]
            ]
    return _limited(subjects, backgrounds, choice.background or 0.0, choice.most)


def _is_background(sample: Sample, choice: Choice) -> bool:
    if choice.background is None or sample.found:
        return False
    return sample.done or (choice.believed and sample.looked)


def _limited(
    subjects: list[Pick], backgrounds: list[Pick], share: float, most: int | None
) -> list[Pick]:
    room = int(len(subjects) * share / (1 - share) + 1e-9)
    empty = min(len(backgrounds), room)
    if most is not None and len(subjects) + empty > most:
        empty = min(empty, int(share * most))
        subjects = thinned(subjects, most - empty)
    return sorted([*subjects, *thinned(backgrounds, empty)])


def thinned(picks: Sequence[Pick], most: int) -> list[Pick]:
    """At most so many of *picks*, evenly over the cameras, and over the nights of each."""
    cameras = [list(of) for _, of in groupby(picks, lambda pick: pick.camera)]
    left: list[Pick] = []
    for of_camera, number in zip(cameras, fair(list(map(len, cameras)), most), strict=True):
        nights = [list(of) for _, of in groupby(of_camera, lambda pick: pick.night)]
        for of_night, share in zip(nights, fair(list(map(len, nights)), number), strict=True):
            left += spread(of_night, share)
    return left


def fair(sizes: Sequence[int], most: int) -> list[int]:
    """How many each may keep, so that they are *most* together: the small ones all they have,
    the others the same number, or one more.

    Where there is not one for each, those that get one are spread over all.
    """
    shares = [0] * len(sizes)
    left = min(most, sum(sizes))
    some = [at for at, size in enumerate(sizes) if size]
    if left < len(some):
        for at in spread(some, left):
            shares[at] = 1
        return shares
    order = sorted(range(len(sizes)), key=lambda at: sizes[at])
    for done, at in enumerate(order):
        shares[at] = min(sizes[at], left // (len(sizes) - done))
        left -= shares[at]
    return shares


def spread(items: Sequence[T], number: int) -> list[T]:
    """So many of *items*, as far apart as they can be."""
    return [items[(2 * at + 1) * len(items) // (2 * number)] for at in range(number)]
