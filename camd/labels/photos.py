"""Which photo of the store is meant by the name of a file.

A photo's own name says which it is, and tools keep it: with another ending, in other folders,
with something of their own before or behind it.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from attrs import define, field

from camd.photo import FrameKey
from camd.store.catalog import CatalogReader
from camd.store.entry import Entry
from camd.store.folders import FlatLine, read_flat_log
from camd.store.naming import parse_flat_name, parse_photo_name

_BEFORE = re.compile(r"[0-9a-f]{8}-(?=.)", re.ASCII)
"""Label Studio's."""

_BEHIND = re.compile(r"_jpe?g\.rf\.[0-9A-Za-z]{1,64}", re.ASCII)
"""Roboflow's."""


@define(eq=False)
class Photos:
    """:ivar root: the store's."""

    root: Path
    catalog: CatalogReader
    _flat: dict[int, FlatLine] | None = field(default=None, init=False)

    def find(self, name: str) -> Entry | None:
        """The photo that *name* means, with or without folders and an ending; None: the store
        does not have it, or no longer.

        :raises CatalogError: from the catalog. :raises OSError: ``flat.log`` cannot be read.
        """
        for stem in _stems(PurePosixPath(name.replace("\\", "/")).name):
            key = self._key(f"{stem}.jpg")
            entry = None if key is None else self.catalog.find(key)
            if entry is not None and entry.deleted_ms is None:
                return entry
        return None

    def _key(self, name: str) -> FrameKey | None:
        said = parse_photo_name(name)
        if said is not None:
            return said.camera, said.boot, said.seq
        number = parse_flat_name(name)
        if number is None:
            return None
        if self._flat is None:
            self._flat = read_flat_log(self.root)
        line = self._flat.get(number)
        return None if line is None else (line.camera, line.boot, line.seq)


def _stems(name: str) -> Iterator[str]:
    stem = re.sub(r"\.(?:jpe?g|txt|png)$", "", name, flags=re.IGNORECASE)
    yield stem
    before, behind = _BEFORE.match(stem), _BEHIND.search(stem)
    if before is not None:
        yield stem[before.end() :]
    if behind is not None:
        yield stem[: behind.start()]
