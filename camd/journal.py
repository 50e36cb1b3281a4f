"""News as lines of the log, for who reads nothing else.

Of a camera's photos only the first is a line: there are too many, and all is well.
"""

from attrs import define, field
from twisted.logger import Logger

from camd.news import Item, Kind
from camd.photo import CameraId
from camd.sparing import Sparing

log = Logger()

_WORTH_A_LINE = frozenset(
    {
        Kind.CAME,
        Kind.LEFT,
        Kind.SLEEPS,
        Kind.SILENT,
        Kind.BACK,
        Kind.REFUSED,
        Kind.DENIED,
        Kind.COMMAND,
        Kind.POOR,
        Kind.GOOD,
        Kind.ALERT,
    }
)
_SERIOUS = frozenset({Kind.SILENT, Kind.REFUSED, Kind.DENIED, Kind.POOR, Kind.ALERT})


@define(eq=False)
class Journal:
    """Listens to the news."""

    sparing: Sparing
    _stored: "set[CameraId | None]" = field(factory=set)

    def hear(self, item: Item) -> None:
        if item.kind is Kind.PHOTO and item.camera not in self._stored:
            self._stored.add(item.camera)
            log.info(
                "{camera}: its photos are stored; the first since the start: {path}",
                camera=item.camera, path=item.text,
            )  # fmt: skip
        if item.kind not in _WORTH_A_LINE:
            return
        left_out = self.sparing.left_out(item.camera or "", item.kind.value)
        if left_out is None:
            return
        write = log.warn if item.kind in _SERIOUS else log.info
        write(
            "{camera}: {what}{more}",
            camera=item.camera or "camd",
            what=f"refused: {item.text}" if item.kind is Kind.REFUSED else item.text,
            kind=item.kind.value,
            more=f" (and {left_out} more like it)" if left_out else "",
        )
