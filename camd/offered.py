"""The settings that boards take, with their ranges: names and numbers as the stock sketch's
``/control`` has them for an OV2640, framesizes by name, and those of the firmware's own.
"""

from collections.abc import Mapping
from typing import Any

FRAMESIZES = (
    "96x96", "qqvga", "qcif", "hqvga", "240x240", "qvga", "cif", "hvga", "vga", "svga", "xga",
    "hd", "sxga", "uxga",
)  # fmt: skip

_NUMBERS: Mapping[str, tuple[float, float, float]] = {
    "quality": (0, 63, 1),
    "brightness": (-2, 2, 1),
    "contrast": (-2, 2, 1),
    "saturation": (-2, 2, 1),
    "ae_level": (-2, 2, 1),
    "special_effect": (0, 6, 1),
    "wb_mode": (0, 4, 1),
    "gainceiling": (0, 6, 1),
    "agc_gain": (0, 30, 1),
    "aec_value": (0, 1200, 1),
    "led_intensity": (0, 255, 1),
    "interval": (0, 604_800, 0.001),
    "awake": (5, 3600, 1),
    "stat": (5, 65_535, 1),
    "warmup": (0, 20, 1),
}
_FLAGS = (
    "flash", "sleep", "vflip", "hmirror", "awb", "awb_gain", "agc", "aec", "aec2", "dcw", "bpc",
    "wpc", "raw_gma", "lenc", "colorbar",
)  # fmt: skip
_CHOICES = {"framesize": FRAMESIZES, "order": ("oldest", "newest")}


def _setting(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "kind": kind, "least": None, "most": None, "step": None, "choices": [], **more
    }  # fmt: skip


OFFERED = [
    *(_setting(name, "choice", choices=list(words)) for name, words in _CHOICES.items()),
    *(
        _setting(name, "number", least=least, most=most, step=step)
        for name, (least, most, step) in _NUMBERS.items()
    ),
    *(_setting(name, "flag", least=0, most=1, step=1) for name in _FLAGS),
]


def offered_to(protocol: str) -> tuple[list[dict[str, Any]], str | None]:
    """What a camera of that protocol can be set, and why nothing where that is so."""
    if protocol == "v1":
        return [], "a board with the tutorial's sketch takes no commands"
    return OFFERED, None


def checked(settings: Any) -> dict[str, float | int | str]:
    """*settings*, all of which may be sent to a board.

    :raises ValueError: one may not; its text is for people.
    """
    if not isinstance(settings, dict) or not 1 <= len(settings) <= 32:
        raise ValueError("settings are an object with 1 to 32 members")
    for name, value in settings.items():
        if name in _CHOICES:
            if value not in _CHOICES[name]:
                raise ValueError(f"{name} is one of {', '.join(_CHOICES[name])}")
            continue
        least, most, step = (0, 1, 1) if name in _FLAGS else _NUMBERS.get(name, (0, 0, 0))
        if not step:
            raise ValueError(f"there is no setting {name[:40]!r}")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not least <= value <= most or (step == 1 and value != int(value)):
            raise ValueError(f"{name} is a number from {least:g} to {most:g}")
    return {name: _plain(value) for name, value in settings.items()}


def _plain(value: Any) -> float | int | str:
    if isinstance(value, float):
        return int(value) if value == int(value) else round(value, 3)
    assert isinstance(value, int | str), "it was looked at"
    return value
