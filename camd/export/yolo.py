"""A data set as Ultralytics trains with it: ``images/``, ``labels/``, ``data.yaml``.

A label file has a line for each thing, ``class x y width height``: the class by its number,
the box by its centre, all as shares of the picture. An empty one says that nothing is there.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from camd.export.picture import Picture, Thing
from camd.export.placing import Folder, Placer
from camd.export.sides import Side


class YoloForm:
    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        sides: Sequence[Side],
        placer: Placer,
    ) -> None:
        """:param names: its classes, in the order of their numbers.
        :raises OSError: the folders cannot be made.
        """
        self._folder = folder
        self._numbers = {name: number for number, name in enumerate(names)}
        self._placer = placer
        self._images = {side: Folder(folder / "images" / side.value) for side in sides}
        self._labels = {side: Folder(folder / "labels" / side.value) for side in sides}

    def add(self, picture: Picture) -> bool:
        side = picture.side
        if not self._placer.place(picture.entry, self._images[side].fd, picture.name):
            return False
        # The same line twice is a mistake to those who read it.
        lines = dict.fromkeys(_line(self._numbers[each.label], each) for each in picture.things)
        self._labels[side].write(f"{picture.stem}.txt", "".join(lines))
        return True

    def finish(self) -> None:
        for each in (*self._images.values(), *self._labels.values()):
            each.close()
        # Without any, training would not begin.
        val = "val" if Side.VAL in self._images else "train"
        names = "".join(f"  {number}: {_quoted(name)}\n" for name, number in self._numbers.items())
        (self._folder / "data.yaml").write_text(
            "# Paths are those below the folder of this file, wherever it lies.\n"
            f"train: images/train\nval: images/{val}\nnames:\n{names}",
            encoding="utf-8",
        )


def _line(number: int, thing: Thing) -> str:
    (x, y), box = thing.box.centre, thing.box
    return f"{number} {x:.8f} {y:.8f} {box.width:.8f} {box.height:.8f}\n"


def _quoted(text: str) -> str:
    """As a string of YAML, of which those of JSON are a part."""
    return json.dumps(text, ensure_ascii=False)
