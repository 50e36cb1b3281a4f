"""Who tried wrong keys too often is not listened to for a while."""

from collections import deque
from collections.abc import Callable

from attrs import define, field

_ADDRESSES = 10_000


@define(eq=False)
class Attempts:
    """Wrong keys by address.

    :ivar seconds: the clock.
    """

    seconds: Callable[[], float]
    _failed: dict[str, deque[float]] = field(factory=dict)

    def failed(self, address: str, most: int) -> None:
        """A wrong key has come from *address*, of which *most* are borne."""
        times = self._failed.pop(address, None)
        if times is None or times.maxlen != most:
            times = deque(times or (), maxlen=most)
        times.append(self.seconds())
        self._failed[address] = times
        if len(self._failed) > _ADDRESSES:
            del self._failed[next(iter(self._failed))]

    def barred(self, address: str, most: int, within: float) -> bool:
        """Whether *most* wrong keys came from *address* in the last *within* seconds."""
        times = self._failed.get(address)
        if times is None or len(times) < most:
            return False
        return self.seconds() - times[-most] < within
