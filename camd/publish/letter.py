"""What is told, in the words of those who hear it. Knows no network and no clock."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import frozen

from camd.findings import Findings
from camd.news import Item
from camd.photo import CameraId, photo_id
from camd.plain import plain

LONGEST = 2000
"""Characters of a line for people; some of it may come from boards."""

MOST_DETECTIONS = 300

MOST_NAMED = 20
"""Cameras of whom a line for people says what is the matter."""

MOST_CAMERAS = 500
"""Cameras that are named to programs."""


@frozen
class Alert:
    """A rule began to hold, still does, or is over.

    :ivar rule: the rule as text. *title*: what people call it.
    :ivar words: what is the matter.
    :ivar cameras: those that it is about, where they are many.
    """

    title: str
    rule: str
    camera: CameraId | None
    words: str
    over: bool = False
    cameras: tuple[CameraId, ...] = ()

    @property
    def text(self) -> str:
        """A line for people."""
        title = f"{self.title}: " if self.title != self.rule else ""
        return f"{title}{'over: ' if self.over else ''}{self.words}"

    def json(self) -> dict[str, Any]:
        """For programs."""
        found: dict[str, Any] = {"name": self.title, "rule": self.rule}
        if self.cameras:
            found |= {"cameras": self.cameras[:MOST_CAMERAS], "count": len(self.cameras)}
        return found


def together(alerts: Sequence[Alert]) -> Alert:
    """What one rule has to say of some cameras, as one."""
    first = alerts[0]
    cameras = tuple(CameraId(alert.camera or "") for alert in alerts)
    if len(alerts) == 1:
        return first
    named = ", ".join(f"{alert.camera} ({alert.words})" for alert in alerts[:MOST_NAMED])
    more = f" and {len(alerts) - MOST_NAMED} more" if len(alerts) > MOST_NAMED else ""
    words = f"{len(alerts)} cameras: {named}{more}"
    return Alert(first.title, first.rule, None, words, first.over, cameras)


@frozen
class Letter:
    """Something to tell.

    :ivar name: never another's.
    :ivar kind: as `camd.news.Kind` has it.
    :ivar title: what people call the camera.
    :ivar when: unix seconds.
    :ivar url: where people reach the page, or "".
    """

    name: str
    kind: str
    when: float
    camera: CameraId | None
    title: str
    text: str
    url: str = ""
    item: Item | None = None
    alert: Alert | None = None

    @property
    def urgent(self) -> bool:
        return self.alert is not None

    @property
    def link(self) -> str:
        """Where the photo that it is about can be seen, else the page; "" where nobody knows."""
        key = None if self.item is None else self.item.photo
        if not self.url or key is None:
            return self.url
        return f"{self.url}/api/v1/photos/{photo_id(key)}/image"

    @property
    def line(self) -> str:
        """For people."""
        who = self.title or self.camera or "camd"
        return plain(f"{who}: {self.text}")[:LONGEST]

    def json(self, links: bool = True) -> str:
        """For programs."""
        data: dict[str, Any] = {
            "camera": self.camera, "name": self.title or None, "text": plain(self.text)[:LONGEST],
        }  # fmt: skip
        if self.item is not None:
            data |= _of_item(self.item)
        if self.alert is not None:
            data["alert"] = {**self.alert.json(), "over": self.alert.over}
        if links and self.link:
            data["url"] = self.link
        stamp = iso(self.when)
        return json.dumps({"type": self.kind, "timestamp": stamp, "data": data}, allow_nan=False)


def _of_item(item: Item) -> dict[str, Any]:
    found: dict[str, Any] = {"number": item.number}
    if item.photo is not None:
        found["photo"] = {"id": photo_id(item.photo)}
    receipt = item.receipt
    if receipt is not None:
        found["photo"] = {
            "id": photo_id(receipt.key), "path": receipt.path, "size": receipt.size,
            "width": receipt.width, "height": receipt.height, "taken": iso(receipt.when),
        }  # fmt: skip
    if item.reason is not None:
        found["reason"] = item.reason.value
    if item.findings is not None:
        found["findings"] = of_findings(item.findings)
    return found


def of_findings(findings: Findings) -> dict[str, Any]:
    """What is on a photo, as JSON has it."""
    valid = findings.valid
    return {
        "counts": counted(findings), "fresh": counted(findings, fresh=True),
        "flags": sorted(flag.value for flag in findings.flags), "model": findings.model or None,
        "detections": [
            {"class": each.label, "score": round(each.score, 4), "fresh": each.fresh,
             "box": [round(number, 5) for number in each.box.numbers()]}
            for each in valid[:MOST_DETECTIONS]
        ],
    }  # fmt: skip


def counted(findings: Findings, fresh: bool = False) -> Mapping[str, int]:
    """How many of each class; of those alone that were not there before, where that is asked."""
    return dict(Counter(each.label for each in findings.valid if each.fresh or not fresh))


def iso(when: float) -> str:
    """Unix seconds as ISO 8601 has them, in UTC."""
    return (
        datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
