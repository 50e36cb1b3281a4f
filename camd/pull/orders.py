"""What people want of a board that is asked, as far as it can be had by HTTP."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, TimeoutError
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd.config.wanted import checked
from camd.fleet import Command, CommandError
from camd.httpclient import AnswerError
from camd.photo import Refused, Trigger, photo_id
from camd.pull.board import Firmware

if TYPE_CHECKING:
    from camd.pull.puller import Puller

log = Logger()

_FLASH = {Firmware.STOCK: ("led_intensity", 255), Firmware.EASYTARGET: ("lamp", 100)}
_INTERVALS = (0.05, 604_800.0)


async def obey(puller: "Puller", command: Command) -> Mapping[str, str]:
    """What the board had to say about it.

    :raises AnswerError: it did not do it. *ValueError*, *CommandError*: it was not even asked.
    """
    arguments = command.arguments
    if command.name == "snap":
        return await _snap(puller, bool(arguments.get("flash", False)))
    if command.name == "set":
        return await _set(puller, arguments)
    if command.name == "stream":
        puller.ask_for_stream(int(arguments["fps"]) > 0)
        return {}
    raise CommandError(command.name, puller.id, "a board that is pulled cannot be asked that")


async def _snap(puller: "Puller", flash: bool) -> Mapping[str, str]:
    """A photo now, lit where that is wanted."""
    board = puller.board
    name, bright = _FLASH.get(board.firmware or Firmware.STILLS, ("", 0))
    before: object = (await board.status()).get(name) if flash else None
    if flash:
        if not isinstance(before, int) or before < 0:
            raise CommandError("snap", puller.id, "it has no flash that can be switched")
        await board.control(name, bright)
    try:
        shot = await puller.fresh()
    finally:
        if isinstance(before, int):
            await board.control(name, before)
    if not shot.whole:
        puller.album.damaged(shot)
        raise AnswerError("the picture was damaged")
    receipt = await puller.album.keep(shot, Trigger.SNAP)
    if receipt is None:
        raise AnswerError("it gave the same picture once more")
    return {"photo": photo_id(receipt.key)}


async def _set(puller: "Puller", arguments: Mapping[str, Any]) -> Mapping[str, str]:
    """All of them are checked before the first is sent; what was set is wanted from now on."""
    interval: float | None = None
    wishes: dict[str, int | str] = {}
    for name, value in arguments.items():
        if name == "interval":
            interval = float(value)
            if not _INTERVALS[0] <= interval <= _INTERVALS[1]:
                raise ValueError("an interval of {} to {} s".format(*_INTERVALS))
        else:
            wishes[name] = checked(name, _number(value))
    if wishes and (puller.board.firmware is None or not puller.board.firmware.has_settings):
        raise CommandError("set", puller.id, "it has no settings")
    for name, wish in wishes.items():
        await puller.wishes.make(name, wish)
    if interval is not None:
        puller.take_every(interval)
    return {name: str(value) for name, value in arguments.items()}


def why_not(failure: Failure, seconds: float) -> str:
    """Why a command was not carried out, for people. *seconds*: the time that it had."""
    error = failure.value
    if isinstance(error, CommandError):
        return error.why
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:g} s"
    if isinstance(error, CancelledError):
        return "it is not asked any more"
    if isinstance(error, AnswerError | Refused | ValueError):
        return str(error)
    log.failure("a mistake of ours", failure)
    return "a mistake of ours"


def _number(value: object) -> object:
    """A whole number, where *value* is one that came as text or with decimals."""
    if isinstance(value, str):
        digits = value.removeprefix("-")
        return int(value) if digits.isascii() and digits.isdigit() and len(digits) < 8 else value
    if isinstance(value, float) and abs(value) < 1e7 and value == int(value):
        return int(value)
    return value
