"""What camd may ask of a board, and what a simulated one makes of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from camd.photo import Trigger
from camd.pictures import FRAMESIZES
from camd.wire import messages
from camd.wire.errors import WireError
from camd.wire.line import measurement
from camd.wire.messages import Command, Done, Fail

if TYPE_CHECKING:
    from camd.simulate.board_v2 import BoardV2

RANGES = {
    "quality": (0, 63),
    "brightness": (-2, 2),
    "contrast": (-2, 2),
    "saturation": (-2, 2),
    "ae_level": (-2, 2),
    "special_effect": (0, 6),
    "wb_mode": (0, 4),
    "gainceiling": (0, 6),
    "agc_gain": (0, 30),
    "aec_value": (0, 1200),
    "led_intensity": (0, 255),
    "vflip": (0, 1),
    "hmirror": (0, 1),
    "awb": (0, 1),
    "aec": (0, 1),
    "agc": (0, 1),
    "flash": (0, 1),
    "sleep": (0, 1),
    "interval": (0, 86_400),
}
"""Settings that are numbers, and what an OV2640 takes; framesize is a name."""

MOST_FPS = 25.0
REBOOT_DELAY = 0.5
_VIEWS_FROM = 1_000_000_000


class Commands:
    """Carries commands out, and answers each with DONE or FAIL.

    :ivar settings: what SET has changed so far.
    """

    def __init__(self, board: BoardV2) -> None:
        self._board = board
        self._views = 0
        self._pause = 0.0
        self.settings: dict[str, str] = {}

    def commanded(self, said: Command) -> None:
        does: dict[str, Callable[[Command], None]] = {
            "SET": self._set,
            "SNAP": self._snap,
            "STREAM": self._stream,
            "REBOOT": self._reboot,
            "UPDATE": self._update,
        }
        does[said.verb](said)

    def _done(self, said: Command, **values: str) -> None:
        self._board.say(messages.done(Done(said.number, values)))

    def _fail(self, said: Command, reason: str) -> None:
        self._board.say(messages.fail(Fail(said.number, reason)))

    def _set(self, said: Command) -> None:
        """All are looked at before the first is changed."""
        for name, text in said.values.items():
            wrong = _judged(name, text)
            if wrong:
                self._fail(said, f"{wrong} {name}")
                return
        self.settings.update(said.values)
        self._board.framesize = self.settings.get("framesize", self._board.framesize)
        self._done(said)
        if "sleep" in said.values:
            self._board.sleeps = float(said.values["sleep"]) > 0 and self._board.interval > 0
        if "interval" in said.values:
            self._board.beat(float(said.values["interval"]))

    def _snap(self, said: Command) -> None:
        shot = self._board.shoot(Trigger.SNAP)
        if shot is None:
            self._fail(said, "full")
        else:
            self._done(said, seq=str(shot.seq))

    def _stream(self, said: Command) -> None:
        if tuple(said.words) == ("off",):
            self.stream_off()
            self._done(said)
            return
        try:
            fps = measurement(said.values.get("fps", ""))
        except WireError:
            fps = ""
        if isinstance(fps, str) or fps <= 0:
            self._fail(said, "range fps")
            return
        self._done(said)
        self._pause = 1 / min(fps, MOST_FPS)
        self._view()

    def stream_off(self) -> None:
        self._board.cancel("view")

    def _view(self) -> None:
        board = self._board
        board.later("view", self._pause, self._view)
        if board.can_view:
            picture = board.shutter(_VIEWS_FROM + self._views, board.framesize)
            self._views += 1
            board.say(messages.view(len(picture), zlib.crc32(picture)), picture)

    def _reboot(self, said: Command) -> None:
        self._done(said)
        self._board.later("reboot", REBOOT_DELAY, self._board.power_cycle)

    def _update(self, said: Command) -> None:
        self._fail(said, "update")


def _judged(name: str, text: str) -> str:
    """What is wrong with a setting, in the firmware's word, or nothing."""
    if name == "framesize":
        return "" if text in FRAMESIZES else "range"
    if name not in RANGES:
        return "unknown"
    try:
        value = measurement(text)
    except WireError:
        return "range"
    least, most = RANGES[name]
    return "" if not isinstance(value, str) and least <= value <= most else "range"
