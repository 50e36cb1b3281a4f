"""The nouns of the catalog: a photo as it is found again, and what is told of many.

Knows no SQL. Times are unix milliseconds.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from attrs import frozen

from camd.photo import Boot, CameraId, Door, FrameKey, Receipt, Trigger

Cursor = tuple[int, int]
"""(taken_ms, id): a place between two photos in the order of their times."""


def milliseconds(seconds: float) -> int:
    """Unix seconds as the catalog keeps them."""
    return round(seconds * 1000)


EVER = -(2**62), 2**62
"""Before the first photo, and behind the last."""


def bounds(
    since_ms: int | None,
    until_ms: int | None,
    after: Cursor | None = None,
    *,
    newest_first: bool = False,
) -> list[Any]:
    """From when, and until when, where None is no bound: values for SQL.

    :param after: nothing but what comes then matters. SQLite looks through all between the bounds
        that it is given, whatever else the cursor leaves out.
    """
    since = EVER[0] if since_ms is None else since_ms
    until = EVER[1] if until_ms is None else until_ms
    if after is not None:
        if newest_first:
            until = min(until, after[0] + 1)
        else:
            since = max(since, after[0])
    return [since, until]


@frozen
class Entry:
    """A photo as the catalog has it.

    :ivar id: the catalog's own number for it; another one after a rebuild.
    :ivar path: relative to the store's root, with ``/`` between its parts.
    :ivar deleted_ms: when its file went, or None while it is there.
    """

    id: int
    camera: CameraId
    boot: Boot
    seq: int
    taken_ms: int
    received_ms: int
    size: int
    crc: int
    width: int
    height: int
    path: str
    door: Door
    trigger: Trigger | None = None
    starred: bool = False
    labelled: bool = False
    note: str = ""
    deleted_ms: int | None = None

    @property
    def key(self) -> FrameKey:
        return (self.camera, self.boot, self.seq)

    @property
    def cursor(self) -> Cursor:
        """The place right after this photo, in either direction, for `CatalogReader.photos`."""
        return (self.taken_ms, self.id)

    def receipt(self, again: bool = True) -> Receipt:
        """What a board is promised that sends this photo once more."""
        return Receipt(
            self.camera, self.boot, self.seq, self.size, self.crc, self.width, self.height,
            self.path, self.taken_ms / 1000, self.received_ms / 1000, self.door, self.trigger,
            again,
        )  # fmt: skip

    @classmethod
    def of(cls, receipt: Receipt, id: int = 0) -> "Entry":
        """*receipt* as it will be found; *id* 0 stands for a photo that was not entered yet."""
        return cls(
            id, receipt.camera, receipt.boot, receipt.seq, milliseconds(receipt.when),
            milliseconds(receipt.received), receipt.size, receipt.crc, receipt.width,
            receipt.height, receipt.path, receipt.door, receipt.trigger,
        )  # fmt: skip


class Candidate(NamedTuple):
    """As much of a photo as it takes to decide whether it may go.

    A plain tuple, since retention looks at very many.

    :ivar camera: the catalog's number for its camera.
    :ivar kept: starred or labelled.
    """

    id: int
    camera: int
    taken_ms: int
    received_ms: int
    size: int
    kept: bool


@frozen
class Totals:
    """How many photos there are, and how many bytes their files have together."""

    photos: int
    bytes: int


@frozen
class CameraState:
    """What the fleet wants to find again of a camera. *state*: anything JSON can hold."""

    camera: CameraId
    first_seen_ms: int
    last_seen_ms: int
    state: Mapping[str, Any]
