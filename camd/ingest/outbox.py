"""Answers that become known in one go, as those of photos that shared a trip to the disk: each
connection is sent its own in one piece. A send costs more than all else about an answer.
"""

from typing import Protocol

from attrs import define, field


class Keeping(Protocol):
    """Whoever keeps answers until it is told to send them."""

    def flush(self) -> None: ...


@define(eq=False)
class Outbox:
    """A context: what is `due` at its end leaves then.

    :ivar open: whether that end is still to come.
    """

    open: bool = False
    due: list[Keeping] = field(factory=list)

    def __enter__(self) -> None:
        self.open = True

    def __exit__(self, *_: object) -> None:
        self.open = False
        due, self.due = self.due, []
        for keeping in due:
            keeping.flush()
