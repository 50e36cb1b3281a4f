"""All boards that are asked: those that the configuration names, and no others."""

import random
from collections.abc import Callable
from typing import Any

from attrs import define, field

from camd.config import CameraConfig, Config
from camd.fleet import Fleet
from camd.httpclient import Client, authorities
from camd.intake import Intake
from camd.live import Live
from camd.photo import CameraId
from camd.pull.house import House
from camd.pull.puller import Puller


class PullError(Exception):
    """Boards cannot be asked; the text is one line for the operator."""


@define(eq=False)
class Pullers:
    """A `Puller` for each camera with ``pull``.

    :ivar change: as `camd.ingest.budget.Budget.change`.
    :ivar now: unix seconds.
    """

    config: Callable[[], Config]
    intake: Intake
    fleet: Fleet
    live: Live
    change: Callable[[int, int], bool]
    reactor: Any
    now: Callable[[], float]
    chance: Callable[[], float] = random.random
    pullers: dict[CameraId, Puller] = field(factory=dict)
    _house: House | None = None
    _running: bool = False

    def prepare(self) -> None:
        """:raises PullError: where the authorities cannot be read that boards are verified by."""
        ca = self.config().pull.ca
        try:
            trusted = authorities(ca) if ca is not None else None
        except OSError as error:
            raise PullError(f"pull.ca: {ca}: {error.strerror}") from None
        except ValueError as error:
            raise PullError(f"pull.ca: {error}") from None
        client = Client(self.reactor, trusted=trusted)
        self._house = House(
            self.config, self.intake, self.fleet, self.live, self.change, client, self.reactor,
            self.now, self.chance,
        )  # fmt: skip

    def start(self) -> None:
        """They are asked from now on."""
        if not self._running:
            self._running = True
            self.live.attention.append(self._attention)
            self.sync()

    def sync(self) -> None:
        """The configuration may have changed: who is to be asked is, who is not any more is not."""
        house = self._house
        if house is None or not self._running:
            return
        wanted: dict[CameraId, CameraConfig] = {}
        for entry in self.config().camera_entries:
            if entry.pull is not None:
                wanted[entry.id] = self.config().camera(entry.id)
        config = self.config()
        for id, puller in tuple(self.pullers.items()):
            if puller.terms != (wanted.get(id), config.pull, config.wire.max):
                puller.stop()
                del self.pullers[id]
        for id, settings in wanted.items():
            if id not in self.pullers:
                puller = self.pullers[id] = Puller(house, settings)
                puller.start()

    def stop(self) -> None:
        """Nothing is asked any more."""
        if self._running:
            self._running = False
            self.live.attention.remove(self._attention)
        for puller in self.pullers.values():
            puller.stop()
        self.pullers.clear()

    def _attention(self, camera: CameraId, watched: bool) -> None:
        puller = self.pullers.get(camera)
        if puller is not None:
            puller.watched()
