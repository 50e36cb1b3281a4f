"""A data set in COCO's form: ``images/`` and ``annotations/*.json``, boxes in pixels.

With two sides there is a folder and a file for each; a photo's ``file_name`` is that within
its folder. What a model found has a ``score``, as in COCO's results.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from camd import __version__
from camd.export.picture import Picture, Thing
from camd.export.placing import Folder, Placer
from camd.export.sides import Side
from camd.upright import HEAD, upright_size


class _Half:
    """What is said of the photos of one side."""

    def __init__(self, photos: Folder, file: Path) -> None:
        self.photos, self.file = photos, file
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []


class CocoForm:
    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        sides: Sequence[Side],
        placer: Placer,
        *,
        licence: str,
        now: datetime,
    ) -> None:
        """:param names: the classes. :raises OSError: the folders cannot be made."""
        self._numbers = {name: number for number, name in enumerate(names, 1)}
        self._placer = placer
        self._head = {
            "info": {
                "description": "photos of camd",
                "version": __version__,
                "year": now.year,
                "date_created": now.isoformat(timespec="seconds"),
            },
            "licenses": [{"id": 1, "name": licence, "url": ""}] if licence else [],
        }
        self._licence = {"license": 1} if licence else {}
        images, texts = folder / "images", folder / "annotations"
        if len(sides) == 1:
            self._halves = {sides[0]: _Half(Folder(images), texts / "instances.json")}
        else:
            self._halves = {
                side: _Half(Folder(images / side.value), texts / f"instances_{side.value}.json")
                for side in sides
            }
        texts.mkdir()
        self._photos = self._things = 0

    def add(self, picture: Picture) -> bool:
        half, entry = self._halves[picture.side], picture.entry
        if not self._placer.place(entry, half.photos.fd, picture.name):
            return False
        self._photos += 1
        # As boxes are: of the picture upright.
        head = half.photos.read(picture.name, HEAD)
        width, height = upright_size((entry.width, entry.height), head)
        half.images.append(
            {
                "id": self._photos, "file_name": picture.name, "width": width, "height": height,
                "date_captured": picture.taken.isoformat(), "camera": entry.camera,
                **self._licence,
            }
        )  # fmt: skip
        half.annotations += [self._annotation(width, height, each) for each in picture.things]
        return True

    def _annotation(self, width: int, height: int, thing: Thing) -> dict[str, Any]:
        self._things += 1
        x, y, wide, high = thing.box.numbers()
        box = [x * width, y * height, wide * width, high * height]
        said: dict[str, Any] = {
            "id": self._things, "image_id": self._photos,
            "category_id": self._numbers[thing.label], "bbox": [round(n, 6) for n in box],
            "area": round(box[2] * box[3], 3), "iscrowd": 0, "segmentation": [],
        }  # fmt: skip
        return said if thing.by_person else {**said, "score": round(thing.score, 6)}

    def finish(self) -> None:
        categories = [
            {"id": number, "name": name, "supercategory": ""}
            for name, number in self._numbers.items()
        ]
        for half in self._halves.values():
            half.photos.close()
            whole = {
                **self._head, "images": half.images, "annotations": half.annotations,
                "categories": categories,
            }  # fmt: skip
            half.file.write_text(
                json.dumps(whole, ensure_ascii=False, separators=(",", ":")), encoding="utf-8"
            )
