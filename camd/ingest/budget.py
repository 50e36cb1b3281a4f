"""How much memory photos may take that are on their way, over all connections."""

from collections.abc import Callable
from typing import TypeVar

from attrs import define
from twisted.internet.defer import Deferred

T = TypeVar("T")


@define(eq=False)
class Budget:
    """:ivar most: bytes, asked anew each time. *held*: bytes that are held now."""

    most: Callable[[], int]
    held: int = 0

    def room(self, size: int) -> bool:
        """Whether *size* bytes more may be awaited."""
        return self.held + size <= self.most()

    def change(self, before: int, after: int) -> bool:
        """Somebody holds *after* bytes who held *before*. Whether that is still within bounds."""
        self.held += after - before
        return self.held <= self.most()

    def until(self, done: "Deferred[T]", size: int) -> "Deferred[T]":
        """*size* bytes are held until *done* fires, be whoever brought them gone by then."""
        self.held += size

        def free(result: T) -> T:
            self.held -= size
            return result

        return done.addBoth(free)
