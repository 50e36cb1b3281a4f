"""The frozen nouns that every door shares: a photo, what became of it, who took it.

Knows no Twisted, no clock, no disk and no wire format.
"""

import re
from enum import Enum
from typing import NewType

from attrs import frozen

CameraId = NewType("CameraId", str)
"""A camera's name: safe in a path, in a log line and in a file's name."""

Boot = NewType("Boot", str)
"""16 lower-case hex digits, drawn when a board's power came on."""

FrameKey = tuple[CameraId, Boot, int]
"""(camera, boot, seq): names a photo for ever."""

MAX_SEQ = 4_294_967_295

_ID = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,62}[a-z0-9])?", re.ASCII)
_BOOT = re.compile(r"[0-9a-f]{16}", re.ASCII)
_SEQ = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)


def is_camera_id(text: str) -> bool:
    """Whether *text* may name a camera in the store, a v1 board's made-up name included."""
    return _ID.fullmatch(text) is not None and ".." not in text and not text.endswith(".jpg")


def parse_camera_id(text: str) -> CameraId:
    """The id that a person or a v2 board chose.

    :raises ValueError: its text says what is wanted.
    """
    if not is_camera_id(text):
        raise ValueError(
            "1 to 64 of a-z 0-9 - _ . with a letter or digit first and last, "
            'without "..", not ending in .jpg'
        )
    if text.startswith("v1-"):
        raise ValueError('an id that does not begin with "v1-": those are boards without a name')
    return CameraId(text)


def parse_boot(text: str) -> Boot:
    """:raises ValueError: where *text* is not 16 lower-case hex digits."""
    if _BOOT.fullmatch(text) is None:
        raise ValueError("a boot is 16 lower-case hex digits")
    return Boot(text)


def photo_id(key: FrameKey) -> str:
    """A photo's name where people and programs ask for it: ``trap~00c0ffee00c0ffee-17``."""
    camera, boot, seq = key
    return f"{camera}~{boot}-{seq}"


def parse_photo_id(text: str) -> FrameKey | None:
    """The photo of that name, None where it can be none's."""
    camera, _, rest = text.partition("~")
    boot, _, seq = rest.partition("-")
    if not is_camera_id(camera) or _SEQ.fullmatch(seq) is None:
        return None
    try:
        return CameraId(camera), parse_boot(boot), int(seq)
    except ValueError:
        return None


class Door(Enum):
    """The way by which a photo came in."""

    V1 = "v1"
    V2 = "v2"
    UPLOAD = "upload"
    PULL = "pull"


class Trigger(Enum):
    """Why a board took the photo."""

    TIMER = "timer"
    MOTION = "motion"
    SNAP = "snap"
    BOOT = "boot"


class Reason(Enum):
    """Why a photo was not stored; the values are the words of the wire."""

    CRC = "crc"
    BUSY = "busy"
    FULL = "full"
    IO = "io"
    STOPPING = "stopping"
    JPEG = "jpeg"
    SIZE = "size"
    CONFLICT = "conflict"
    DENIED = "denied"

    @property
    def final(self) -> bool:
        """Whether sending the same photo again is pointless."""
        return self in _FINAL


_FINAL = frozenset({Reason.JPEG, Reason.SIZE, Reason.CONFLICT, Reason.DENIED})


@frozen
class Photo:
    """A whole JPEG with what is known of it: judged, not yet stored.

    :ivar chunks: the JPEG in the pieces it came in; the first begins with SOI, the last
        ends with EOI. Together they are *size* bytes and have the CRC-32 *crc*.
    :ivar width: pixels, from the frame header; *height* likewise.
    :ivar received: unix seconds when its last byte came.
    :ivar taken: unix seconds by the board's own clock, or None.
    """

    camera: CameraId
    boot: Boot
    seq: int
    chunks: tuple[bytes | bytearray, ...]
    size: int
    crc: int
    width: int
    height: int
    received: float
    door: Door
    taken: float | None = None
    trigger: Trigger | None = None

    @property
    def key(self) -> FrameKey:
        return (self.camera, self.boot, self.seq)

    @property
    def data(self) -> bytes:
        """The JPEG in one piece; joins the chunks anew at each call."""
        return b"".join(self.chunks)


@frozen
class Receipt:
    """A promise: the photo is on stable storage, whole, under *path*.

    :ivar path: relative to the store's root, with ``/`` between its parts.
    :ivar when: unix seconds of the picture: the board's where that is sane, else when it came.
    :ivar again: it was stored before, and this was only the same photo once more.
    """

    camera: CameraId
    boot: Boot
    seq: int
    size: int
    crc: int
    width: int
    height: int
    path: str
    when: float
    received: float
    door: Door
    trigger: Trigger | None = None
    again: bool = False

    @property
    def key(self) -> FrameKey:
        return (self.camera, self.boot, self.seq)


class Refused(Exception):  # noqa: N818 - says what became of a photo, and is no mistake
    """The photo was not stored.

    :ivar reason: the word for the wire.
    :ivar detail: a sentence for people, or the empty string.
    :ivar retry: seconds after which sending it again makes sense, or None.
    """

    def __init__(self, reason: Reason, detail: str = "", retry: float | None = None) -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail
        self.retry = retry
