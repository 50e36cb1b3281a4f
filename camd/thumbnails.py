"""Small pictures of photos: made once, off the reactor, and kept on the disk within a bound.

They lie in folders by generation, ``<store>/.camd/thumbs/<n>/``: when the newest folder has its
share of the bound a new one is begun, and the oldest goes as a whole. Losing all of them loses
nothing. Without Pillow there are none, and the whole photo is shown instead.
"""

import importlib.util
import io
import os
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from attrs import define, field

from camd.upright import upright

WIDTHS = (160, 320, 640, 1280)
_GENERATIONS = 8
_QUALITY = 75
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class NoPictureError(Exception):
    """The photo cannot be made small."""


def available() -> bool:
    """Whether Pillow is there."""
    return importlib.util.find_spec("PIL") is not None


def rounded(width: int) -> int:
    """The width that is made where *width* is asked for."""
    return next((each for each in WIDTHS if each >= width), WIDTHS[-1])


def shrunk(jpeg: bytes, width: int) -> bytes:
    """*jpeg* at *width* pixels at most; as it is where it is no wider.

    :raises NoPictureError: it cannot be decoded.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
            if image.width <= width:
                return jpeg
            height = max(1, round(image.height * width / image.width))
            # The decoder leaves out what a small picture does not show: several times faster.
            image.draft("RGB", (width, height))
            small = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
            made = io.BytesIO()
            upright(small, jpeg).save(made, "JPEG", quality=_QUALITY)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NoPictureError(str(error)) from error
    return made.getvalue()


@define(eq=False)
class Thumbnails:
    """Every method blocks, and may be called in any thread.

    :ivar most: bytes that all of them may take, asked anew each time.
    """

    folder: Path
    most: Callable[[], int]
    _lock: threading.Lock = field(factory=threading.Lock)
    _generations: list[int] | None = None
    _newest: int = 0

    def get(self, name: str, width: int, photo: Callable[[], bytes]) -> bytes:
        """The photo *name* at *width*, one of `WIDTHS`.

        :param name: fit to be a file's name.
        :param photo: reads the photo.
        :raises NoPictureError: it cannot be made small.
        :raises OSError: from *photo*.
        """
        file = f"{name}_{width}.jpg"
        found = self._find(file)
        if found is None:
            found = shrunk(photo(), width)
            self._keep(file, found)
        return found

    def forget(self, name: str) -> None:
        """The photo is gone, and so is what was made of it."""
        for generation in self._known():
            for width in WIDTHS:
                with suppress(OSError):
                    os.unlink(self._path(generation, f"{name}_{width}.jpg"))

    def _path(self, generation: int, file: str) -> Path:
        return self.folder / str(generation) / file

    def _find(self, file: str) -> bytes | None:
        for generation in reversed(self._known()):
            with suppress(OSError):
                fd = os.open(self._path(generation, file), _FILE)
                with open(fd, "rb") as there:
                    return there.read() or None
        return None

    def _known(self) -> list[int]:
        with self._lock:
            if self._generations is None:
                with suppress(FileNotFoundError):
                    names = os.listdir(self.folder)
                    self._generations = sorted(int(name) for name in names if name.isdecimal())
                self._generations = self._generations or []
                if self._generations:
                    self._newest = _size(self.folder / str(self._generations[-1]))
            return list(self._generations)

    def _keep(self, file: str, data: bytes) -> None:
        share = self.most() // _GENERATIONS
        if len(data) > share:
            return
        with suppress(OSError):  # the disk is full, perhaps: then it is made again next time
            path = self._path(self._room(len(data), share), file)
            part = path.with_suffix(f".part{threading.get_ident()}")
            part.write_bytes(data)
            os.replace(part, path)

    def _room(self, size: int, share: int) -> int:
        """The generation where so many bytes more may lie."""
        known = self._known()
        with self._lock:
            assert self._generations is not None, "they are known"
            self._newest += size
            if not known or self._newest > share:
                number = self._generations[-1] + 1 if self._generations else 1
                (self.folder / str(number)).mkdir(mode=0o750, parents=True, exist_ok=True)
                self._generations.append(number)
                self._newest = size
            while len(self._generations) > _GENERATIONS:
                shutil.rmtree(self.folder / str(self._generations.pop(0)), ignore_errors=True)
            return self._generations[-1]


def _size(folder: Path) -> int:
    with os.scandir(folder) as files:
        return sum(file.stat(follow_symlinks=False).st_size for file in files)
