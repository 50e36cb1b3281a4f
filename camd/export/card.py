"""What a data set is, for people: what is in it, where it came from, by whose word.

``README.md`` says it in words, ``camd-export.json`` in numbers; by the latter a folder is known
as a data set that camd made.
"""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from camd import __version__
from camd.export.picture import Picture
from camd.plural import count, singular_or

MARK = "camd-export.json"


@frozen
class Origin:
    """:ivar form: "yolo", "coco", "camtrap-dp" or "csv". *command*: the line that made it.
    :ivar store: where the photos came from. *made*: when. *licence*: "" where nobody said.
    """

    form: str
    store: Path
    command: str
    made: datetime
    licence: str


@define
class Numbers:
    """What was counted while the data set was filled.

    :ivar missing: photos that were chosen, and were no longer there or no longer answered.
    :ivar models: how many photos each looked at, by name and hash.
    """

    photos: int = 0
    empty: int = 0
    confirmed: int = 0
    missing: int = 0
    by_person: int = 0
    by_model: int = 0
    first: datetime | None = None
    last: datetime | None = None
    sides: Counter[str] = field(factory=Counter)
    cameras: Counter[str] = field(factory=Counter)
    models: Counter[tuple[str, str]] = field(factory=Counter)
    nights: set[tuple[str, str]] = field(factory=set)
    classes: dict[str, Counter[str]] = field(factory=dict)

    def add(self, picture: Picture) -> None:
        side = picture.side.value
        self.photos += 1
        self.empty += not picture.things
        self.confirmed += picture.findings.done
        self.sides[side] += 1
        self.cameras[picture.entry.camera] += 1
        self.nights.add((picture.entry.camera, picture.night))
        if picture.findings.model:
            self.models[picture.findings.model, picture.findings.model_hash] += 1
        for thing in picture.things:
            self.by_person += thing.by_person
            self.by_model += not thing.by_person
            self.classes.setdefault(thing.label, Counter())[side] += 1
        # Not by the clock, which says an hour twice when summer is over.
        self.first = min(self.first or picture.taken, picture.taken, key=datetime.timestamp)
        self.last = max(self.last or picture.taken, picture.taken, key=datetime.timestamp)

    @property
    def things(self) -> int:
        return self.by_person + self.by_model


def write_card(folder: Path, origin: Origin, numbers: Numbers) -> None:
    """:raises OSError: it cannot be written."""
    (folder / "README.md").write_text(_text(origin, numbers), encoding="utf-8")
    said = json.dumps(_facts(origin, numbers), indent=2, ensure_ascii=False)
    (folder / MARK).write_text(f"{said}\n", encoding="utf-8")


def _facts(origin: Origin, numbers: Numbers) -> dict[str, Any]:
    return {
        "form": origin.form,
        "camd": __version__,
        "made": origin.made.isoformat(timespec="seconds"),
        "command": origin.command,
        "store": str(origin.store),
        "licence": origin.licence or None,
        "photos": numbers.photos,
        "empty": numbers.empty,
        "confirmed": numbers.confirmed,
        "missing": numbers.missing,
        "things": {"by_person": numbers.by_person, "by_model": numbers.by_model},
        "first": _when(numbers.first),
        "last": _when(numbers.last),
        "nights": len(numbers.nights),
        "sides": dict(numbers.sides),
        "cameras": dict(sorted(numbers.cameras.items())),
        "classes": {label: dict(numbers.classes[label]) for label in sorted(numbers.classes)},
        "models": [
            {"name": name, "sha256": hash, "photos": photos}
            for (name, hash), photos in sorted(numbers.models.items())
        ],
    }


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _text(origin: Origin, numbers: Numbers) -> str:
    sides = sorted(numbers.sides)
    photos = count(numbers.photos, "photo")
    parts = [
        f"# {photos} of {count(len(numbers.cameras), 'camera')}, for {_FOR[origin.form]}",
        f"Taken from {_when(numbers.first)} to {_when(numbers.last)}, in "
        f"{count(len(numbers.nights), 'night')} of a camera (from noon to noon), and exported by "
        f"camd {__version__} on {_when(origin.made)} from `{origin.store}`:",
        f"```sh\n{origin.command}\n```",
        f"Licence: {origin.licence or 'not stated'}.",
        "## What is on them",
        _table(
            ("class", *sides, "all"),
            [
                (label, *(str(of[side]) for side in sides), str(of.total()))
                for label, of in sorted(numbers.classes.items())
            ],
        ),
        f"{count(numbers.things, 'thing')}: {numbers.by_person:,} by a person's word, "
        f"{numbers.by_model:,} by a model's. A person is through with {numbers.confirmed:,} of "
        f"{photos}; on {numbers.empty:,} there is nothing.",
        "## Where they are from",
        _table(
            ("camera", "photos"),
            [(camera, str(many)) for camera, many in sorted(numbers.cameras.items())],
        ),
    ]
    if len(sides) > 1:
        split = ", ".join(f"{numbers.sides[side]:,} for {_SIDES[side]}" for side in sides)
        parts += [f"{split}: no night of a camera is in both."]
    parts += ["## Which models looked"]
    models = [(name, hash, str(of)) for (name, hash), of in sorted(numbers.models.items())]
    parts += [_table(("model", "SHA-256", "photos"), models) if models else "None."]
    if numbers.missing:
        was = singular_or(numbers.missing, "was", "were")
        parts += [f"{count(numbers.missing, 'photo')} that {was} chosen {was} gone, or left out "
                  "after all."]  # fmt: skip
    return "\n\n".join(parts) + "\n"


_FOR = {
    "yolo": "YOLO (Ultralytics)",
    "coco": "whatever reads COCO",
    "camtrap-dp": "whatever reads Camtrap DP 1.0",
    "csv": "whatever reads tables",
}
_SIDES = {"train": "training", "val": "validation"}


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in lines)
