"""What is wanted of a look at a photo, and what was seen.

Plain nouns, for whoever steers and whoever looks.
"""

from attrs import field, frozen

from camd.findings import Detection, Flag
from camd.vision.zones import Zones

MIB = 1024 * 1024


@frozen
class Limits:
    """What a photo may weigh before it is looked at.

    :ivar most_bytes: of its file.
    :ivar most_pixels: of the picture: a small file may claim to be a huge one.
    """

    most_bytes: int = 64 * MIB
    most_pixels: int = 64_000_000


@frozen
class Wanted:
    """:ivar detect: a model is to look at it.
    :ivar judge: it is to be measured for being dark, blurred and the like.
    :ivar confidence: what the model is less sure of is left out.
    :ivar iou: of two boxes of one class that share more than this, the surer one stays.
    :ivar most: boxes at most, the surest first.
    :ivar tile: side in pixels of the squares that a large photo is looked at in; 0: only whole.
    :ivar overlap: how much of a tile's side the next one shows again.
    :ivar whole: look at the photo as a whole too, where it is looked at in tiles.
    :ivar zones: what lies elsewhere is left out.
    :ivar useless: where one of these is found, no model looks.
    """

    detect: bool = True
    judge: bool = True
    confidence: float = 0.25
    iou: float = 0.7
    most: int = 300
    tile: int = 0
    overlap: float = 0.2
    whole: bool = True
    zones: Zones = field(factory=Zones)
    useless: frozenset[Flag] = frozenset()


@frozen
class Seen:
    """:ivar detections: None: no model looked.
    :ivar fingerprint: the same for the same picture; empty: not taken, or nothing to be seen.
    :ivar width: of the picture upright, in pixels, and *height*; 0 where it cannot be told.
    :ivar seconds: of work on it.
    """

    detections: tuple[Detection, ...] | None
    flags: frozenset[Flag]
    fingerprint: bytes
    width: int
    height: int
    seconds: float
