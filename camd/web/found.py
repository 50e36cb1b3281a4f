"""What is on a photo, as JSON: whole, and in short; and which photos are asked for by it."""

import json
import zlib
from typing import Any

from attrs import frozen

from camd.findings import LONGEST_CLASS, Annotation, Detection, Findings, Flag
from camd.store.findings import Brief
from camd.web.answers import Query

NOTHING_SAID = "none"
"""The tag of a photo of which no person has said anything."""

_MOST = 1_000_000


def whole(findings: Findings | None) -> dict[str, Any] | None:
    """All that is known of what is on a photo."""
    if findings is None:
        return None
    new = {(each.label, each.box) for each in findings.valid if each.fresh}
    return {
        "flags": _flags(findings.flags),
        "model": findings.model or None,
        "model_hash": findings.model_hash or None,
        "looked": findings.looked_ms / 1000 if findings.looked_ms else None,
        "done": findings.done,
        "detections": [
            _detection(each, (each.label, each.box) in new) for each in findings.detections
        ],
        "annotations": [annotation_json(each) for each in findings.annotations],
        "valid": [_detection(each, each.fresh) for each in findings.valid],
        "counts": counts_of(findings),
        "fresh": findings.fresh,
        "tag": tag_of(findings),
    }


def short(known: Findings | Brief | None) -> dict[str, Any] | None:
    """The same in numbers, as pages of photos have it."""
    if known is None:
        return None
    counts = known.counts if isinstance(known, Brief) else counts_of(known)
    return {
        "flags": _flags(known.flags),
        "done": known.done,
        "counts": dict(counts),
        "fresh": known.fresh,
    }


def counts_of(findings: Findings) -> dict[str, int]:
    """How many there are of each class."""
    counts: dict[str, int] = {}
    for each in findings.valid:
        counts[each.label] = counts.get(each.label, 0) + 1
    return dict(sorted(counts.items()))


def in_words(findings: Findings) -> str:
    """For the log: "3 whitefly, 1 gnat"."""
    counts = counts_of(findings)
    return ", ".join(f"{many} {label}" for label, many in counts.items()) or "nothing"


def tag_of(findings: Findings | None) -> str:
    """Names what people have said of a photo: something else said, another tag."""
    if findings is None or not (findings.annotations or findings.done):
        return NOTHING_SAID
    places = [annotation_json(each) for each in findings.annotations]
    return f"{zlib.crc32(json.dumps([places, findings.done]).encode()):08x}"


def annotation_json(annotation: Annotation) -> dict[str, Any]:
    box = [round(number, 6) for number in annotation.box.numbers()]
    return {"class": annotation.label, "box": box, "right": annotation.right}


def _detection(detection: Detection, new: bool) -> dict[str, Any]:
    return {
        "class": detection.label,
        "score": round(detection.score, 4),
        "box": [round(number, 6) for number in detection.box.numbers()],
        "fresh": new,
    }


def _flags(flags: frozenset[Flag]) -> list[str]:
    return [flag.value for flag in Flag if flag in flags]


@frozen
class Wanted:
    """Which photos are asked for by what is on them, as `FindingsReader.photos` has it."""

    label: str | None
    least: int
    flag: Flag | None
    done: bool | None

    @classmethod
    def of(cls, query: Query) -> "Wanted":
        """:raises Problem: where it makes no sense."""
        flag = query.one_of("flag", tuple(flag.value for flag in Flag))
        return cls(
            class_of(query),
            query.count("least", 1, 1, _MOST),
            None if flag is None else Flag(flag),
            query.either("done"),
        )

    @property
    def anything(self) -> bool:
        """False: all photos are asked for, whatever is on them."""
        return not (self.label is None and self.flag is None and self.done is None)

    def asked(self) -> dict[str, Any]:
        return {"label": self.label, "least": self.least, "flag": self.flag, "done": self.done}


def class_of(query: Query) -> str | None:
    """The class that ``?class=`` names; there need be none of that name."""

    def right(text: str) -> str:
        if not 1 <= len(text) <= LONGEST_CLASS:
            raise ValueError
        return text

    return query.text("class", right, f"a name of 1 to {LONGEST_CLASS} characters")
