"""Settings that a board asked by HTTP is to have, by the names of the stock CameraWebServer.

The ranges are the OV2640's. A framesize goes by its name: the numbers behind the names differ
from one version of the driver to the next.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from attrs import field, frozen

FRAMESIZES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "qqvga": (160, 120),
        "qvga": (320, 240),
        "cif": (400, 296),
        "hvga": (480, 320),
        "vga": (640, 480),
        "svga": (800, 600),
        "xga": (1024, 768),
        "hd": (1280, 720),
        "sxga": (1280, 1024),
        "uxga": (1600, 1200),
    }
)
"""Width and height of each, in pixels, smallest first."""

_SWITCH = (0, 1)
_STEP = (-2, 2)

RANGES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "quality": (0, 63),
        **dict.fromkeys(("contrast", "brightness", "saturation", "ae_level"), _STEP),
        "special_effect": (0, 6),
        "wb_mode": (0, 4),
        "gainceiling": (0, 6),
        "agc_gain": (0, 30),
        "aec_value": (0, 1200),
        "led_intensity": (0, 255),
        **dict.fromkeys(
            (
                *("awb", "awb_gain", "agc", "aec", "aec2", "hmirror", "vflip", "dcw", "bpc"),
                *("wpc", "raw_gma", "lenc", "colorbar"),
            ),
            _SWITCH,
        ),
        "lamp": (0, 100),
        "autolamp": _SWITCH,
        "min_frame_time": (0, 10_000),
    }
)
"""The least and the most that each setting but framesize may be; the last three are those of the
easytarget fork alone."""


@frozen
class Wanted:
    """What is wanted of a board, by name. *values*: numbers, and a framesize's name."""

    values: Mapping[str, int | str] = field(factory=dict, hash=False)

    def __bool__(self) -> bool:
        return bool(self.values)

    def __iter__(self) -> Iterator[tuple[str, int | str]]:
        return iter(self.values.items())

    def __str__(self) -> str:
        pairs = (f"{name} = {_shown(value)}" for name, value in self.values.items())
        return f"{{ {', '.join(pairs)} }}" if self.values else "{}"


def read_wanted(value: object) -> Wanted:
    """:raises ValueError: saying what is wanted instead."""
    if not isinstance(value, Mapping):
        raise ValueError('a table, such as { framesize = "vga", quality = 12 }')
    return Wanted({str(name): checked(str(name), each) for name, each in value.items()})


def checked(name: str, value: object) -> int | str:
    """*value*, where it is one that the setting *name* may have; a switch may be true or false.

    :raises ValueError: saying what it may be.
    """
    if name == "framesize":
        if not isinstance(value, str) or value.lower() not in FRAMESIZES:
            raise ValueError(f"a framesize of {', '.join(FRAMESIZES)}")
        return value.lower()
    if name not in RANGES:
        raise ValueError(f"settings of {', '.join(('framesize', *RANGES))}")
    least, most = RANGES[name]
    if isinstance(value, bool) and (least, most) == _SWITCH:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"a {name} of {least} to {most}")
    return value


def _shown(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
