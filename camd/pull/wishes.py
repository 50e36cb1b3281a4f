"""What a board is to be set to, and making it so.

Settings are sent one by one, and looked at again after each of the board's restarts. A framesize
counts as set when a picture of that size has come: its own status says what was asked of it, not
what it does.
"""

from collections.abc import Awaitable, Callable

from attrs import define, field
from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from camd.config.wanted import FRAMESIZES
from camd.httpclient import AnswerError
from camd.pull.board import Board, NotTakenError, Status
from camd.pull.framesize import Numbering, Size, area
from camd.pull.mixed import Shot

log = Logger()

LOOKS = 6
"""Pictures that are taken until one shows a change of size: the first ones may be older than it."""

PAUSE = 0.25
"""Seconds between those."""

_NAMES = {size: name for name, size in FRAMESIZES.items()}


@define(eq=False)
class Wishes:
    """The settings of one board.

    :ivar look: takes a picture. *pause*: waits so many seconds.
    :ivar wanted: what it is to have, by name.
    """

    board: Board
    look: Callable[[], Awaitable[Shot]]
    pause: Callable[[float], Awaitable[None]]
    wanted: dict[str, int | str] = field(factory=dict)
    numbering: Numbering = field(factory=Numbering)
    _one: DeferredLock = field(factory=DeferredLock)
    _sent: dict[str, int] = field(factory=dict)  # since its start, of what its status lacks

    def restarted(self) -> None:
        """The board has started anew, and may have forgotten all."""
        self._sent.clear()

    async def make(self, name: str, value: int | str) -> None:
        """The setting *name* has that value, and is to keep it.

        :raises AnswerError: it has not.
        """
        async with self._one:
            if isinstance(value, str):
                await self._resize(value)
            else:
                await self._send(name, value)
        self.wanted[name] = value

    async def fulfil(self) -> dict[str, float | str]:
        """All that is wanted is so, as far as the board takes it; what it refuses is logged.

        Returns its settings by name.

        :raises AnswerError: it did not answer.
        """
        async with self._one:
            status = await self.board.status()
            number = status.get("framesize")
            if isinstance(number, int) and self.numbering.size_of(number) is None:
                await self._learn_if_possible()
            for name, value in tuple(self.wanted.items()):
                try:
                    if isinstance(value, str):
                        await self._resize(value)
                    elif not self._is_so(status, name, value):
                        await self._send(name, value)
                except NotTakenError as error:
                    log.warn("{url}: {why}", url=self.board.url, why=str(error))
            return self._described(await self.board.status() if self.wanted else status)

    def _is_so(self, status: Status, name: str, value: int) -> bool:
        return status[name] == value if name in status else self._sent.get(name) == value

    async def _send(self, name: str, value: int) -> None:
        await self.board.control(name, value)
        self._sent[name] = value

    def _described(self, status: Status) -> dict[str, float | str]:
        """A status with the framesize's name for its number, where that is known."""
        found: dict[str, float | str] = dict(status)
        number = status.get("framesize")
        if isinstance(number, int):
            size = self.numbering.size_of(number)
            found.pop("framesize")
            if size is not None:
                found["framesize"] = _NAMES.get(size, f"{size[0]}x{size[1]}")
        return found

    # ---- framesize

    async def _resize(self, name: str) -> None:
        """Pictures are of that size from now on.

        :raises NotTakenError: they are not, and are of the size that they were before.
        :raises AnswerError: it did not answer.
        """
        wanted = FRAMESIZES[name]
        number, present = await self._learn()
        if present == wanted:
            return
        try:
            known = self.numbering.number_of(wanted)
            if known is None:
                await self._probe(present, max(area(present), area(wanted)))
                known = self.numbering.number_of(wanted)
            if known is None:
                raise NotTakenError(f"framesize {name}: which number it has for that is not known")
            await self._change(known, {wanted})
        except AnswerError:
            await self.board.control("framesize", number)
            raise

    async def _learn(self) -> tuple[int, Size]:
        """The number and the size now, which are known to belong together afterwards."""
        for _ in range(LOOKS):
            before = await self.board.status()
            shot = await self._fresh()
            number = before.get("framesize")
            if not isinstance(number, int):
                raise NotTakenError("its status has no framesize")
            after = await self.board.status()
            if shot.whole and after.get("framesize") == number:
                self.numbering.learn(number, shot.size)
                return number, shot.size
            await self.pause(PAUSE)
        raise NotTakenError("its pictures are damaged, or its framesize changes by itself")

    async def _learn_if_possible(self) -> None:
        try:
            await self._learn()
        except NotTakenError as error:
            log.info("{url}: {why}", url=self.board.url, why=str(error))

    async def _fresh(self) -> Shot:
        """A picture that was taken after the one before it was given."""
        await self.look()
        return await self.look()

    async def _probe(self, present: Size, largest: int) -> None:
        """Where several numberings fit, a number that is a known size in each of them."""
        while (number := self.numbering.probe(present, largest)) is not None:
            shown = await self._change(number, self.numbering.possible(number))
            self.numbering.learn(number, shown)
            present = shown

    async def _change(self, number: int, expected: set[Size]) -> Size:
        """The board is told *number*, and a picture of one of the *expected* sizes has come.

        :raises NotTakenError: none came.
        """
        await self.board.control("framesize", number)
        shown = "no picture came"
        for _ in range(LOOKS):
            await self.pause(PAUSE)
            try:
                shot = await self.look()
            except AnswerError as error:
                shown = str(error)
                continue
            if shot.whole and shot.size in expected:
                return shot.size
            shown = f"pictures are still {shot.width}x{shot.height}"
        sizes = " or ".join(f"{width}x{height}" for width, height in sorted(expected))
        raise NotTakenError(f"framesize {sizes} was not to be had: {shown}")
