"""Holds a store to what was promised: each acknowledged photo, byte for byte, exactly once.

Looks at files only, as any other program would: it knows nothing of catalogs or names.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from attrs import frozen

from camd.simulate.ledger import Kept
from camd.wire.jpeg import NotAJpegError, measure


@frozen
class Verification:
    """What was found.

    :ivar files: ``*.jpg`` files that were read.
    :ivar missing: acknowledged photos of which there is no file, as sentences.
    :ivar doubled: acknowledged photos of which there are several.
    :ivar torn: files that are not one whole JPEG.
    """

    files: int
    missing: tuple[str, ...]
    doubled: tuple[str, ...]
    torn: tuple[str, ...]

    @property
    def good(self) -> bool:
        return not (self.missing or self.doubled or self.torn)


def photos_in(store: Path) -> frozenset[Path]:
    """Every regular file below *store* whose name ends in ``.jpg``; links are not followed."""
    return frozenset(_walk(store))


def verify(
    store: Path, kept: Iterable[Kept], before: Collection[Path] = frozenset()
) -> Verification:
    """Reads every photo in *store*.

    :param before: files that were there already, and so keep no promise made since; they must
        be whole all the same.
    """
    found: Counter[bytes] = Counter()
    torn: list[str] = []
    files = 0
    for path in sorted(_walk(store)):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        files += 1
        try:
            measure([data])
        except NotAJpegError as error:
            torn.append(f"{path.relative_to(store)}: {error}")
        if path not in before:
            found[hashlib.sha256(data).digest()] += 1
    promised: dict[bytes, Kept] = {photo.digest: photo for photo in kept}
    return Verification(
        files,
        tuple(_named(photo) for digest, photo in promised.items() if not found[digest]),
        tuple(
            f"{_named(photo)}: {found[digest]} files"
            for digest, photo in promised.items()
            if found[digest] > 1
        ),
        tuple(torn),
    )


def _walk(store: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(store):
        for name in names:
            path = Path(folder, name)
            if name.endswith(".jpg") and path.is_file() and not path.is_symlink():
                yield path


def _named(photo: Kept) -> str:
    return f"{photo.board} photo {photo.seq}, {photo.size} bytes, crc {photo.crc:08x}"
