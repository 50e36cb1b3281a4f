"""How much memory photos may take that are on their way, over all connections."""

from collections.abc import Callable

from attrs import define


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
