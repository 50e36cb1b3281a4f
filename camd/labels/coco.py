"""COCO's labels: one JSON file, ``images``, ``annotations`` and ``categories``.

As CVAT, Label Studio and others write it: with any numbers for photos and classes, and folders
before a photo's name. Boxes are in pixels of the size that is given beside the name.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define, field

from camd.findings import Annotation, parse_class
from camd.labels.hearing import Find, Heard, Labels, around, box_of, read_text
from camd.store.entry import Entry

_KEYS = ("images", "annotations", "categories")


def coco_files(directory: Path) -> list[Path]:
    """The files in *directory*, and in those below, that seem to have COCO's labels."""
    return [path for path in sorted(directory.rglob("*.json")) if _seems_coco(path)]


def _seems_coco(path: Path) -> bool:
    """By its beginning, since there may be much besides it."""
    try:
        with path.open("rb") as file:
            start = file.read(1 << 16)
    except OSError:
        return False
    return any(f'"{key}"'.encode() in start for key in (*_KEYS, "licenses"))


@define
class _Image:
    photo: Entry
    width: float
    height: float
    annotations: list[Annotation] = field(factory=list)
    whole: bool = True


def read_coco(path: Path, find: Find) -> Heard:
    """What *path* says. :raises OSError: it cannot be read."""
    heard = Heard()
    try:
        said = json.loads(read_text(path), parse_constant=_no_number)
    except json.JSONDecodeError as error:
        heard.wrong(f"{path}:{error.lineno}", f"no JSON: {error.msg}")
        return heard
    except (ValueError, RecursionError) as error:
        heard.wrong(str(path), error)
        return heard
    _hear(said, str(path), find, heard)
    return heard


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _hear(said: Any, where: str, find: Find, heard: Heard) -> None:
    if not isinstance(said, dict) or not all(isinstance(said.get(key), list) for key in _KEYS):
        heard.wrong(where, f"an object with lists of {', '.join(_KEYS)} is wanted")
        return
    classes: dict[Any, str] = {}
    images: dict[Any, _Image | None] = {}
    for at, each in _each(said, "categories", where, heard):
        try:
            key = _id(each)
            if key in classes:
                raise ValueError(f"another category has the id {_shown(key)}")
            classes[key] = parse_class(each.get("name"))
        except ValueError as error:
            heard.wrong(at, error)
    for at, each in _each(said, "images", where, heard):
        try:
            key = _id(each)
            if key in images:
                raise ValueError(f"another image has the id {_shown(key)}")
            images[key] = _image(each, find, heard)
        except ValueError as error:
            heard.wrong(at, error)
    for at, each in _each(said, "annotations", where, heard):
        _annotation(each, at, images, classes, heard)
    for key, image in images.items():
        if image is not None and image.whole:
            name = f"{where} (image {key})"
            heard.add(Labels(image.photo, name, tuple(image.annotations)))


def _each(
    said: dict[str, Any], key: str, where: str, heard: Heard
) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, each in enumerate(said[key]):
        at = f"{where}: {key}[{number}]"
        if isinstance(each, dict):
            yield at, each
        else:
            heard.wrong(at, "an object is wanted")


def _id(each: dict[str, Any], key: str = "id") -> int | str:
    value = each.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(f"{key} is a number")
    return value


def _image(each: dict[str, Any], find: Find, heard: Heard) -> _Image | None:
    name = each.get("file_name")
    if not isinstance(name, str) or not name:
        raise ValueError("file_name is the name of a photo")
    photo = find(name)
    if photo is None:
        heard.unknown.append(name)
        return None
    width, height = (each.get(key, own) for key, own in (("width", photo.width),
                                                         ("height", photo.height)))  # fmt: skip
    if not (_is_number(width) and _is_number(height) and width >= 1 and height >= 1):
        raise ValueError("width and height are in pixels")
    return _Image(photo, width, height)


def _annotation(
    each: dict[str, Any],
    at: str,
    images: dict[Any, _Image | None],
    classes: dict[Any, str],
    heard: Heard,
) -> None:
    image: _Image | None = None
    try:
        key = _id(each, "image_id")
        if key not in images:
            raise ValueError(f"no image has the id {_shown(key)}")
        image = images[key]
        if image is None:
            return
        if each.get("iscrowd") in (1, True):
            heard.crowds += 1
            return
        label = classes.get(_id(each, "category_id"))
        if label is None:
            raise ValueError(f"no category has the id {_shown(each['category_id'])}")
        x, y, wide, high = _box(each, heard)
        box = box_of(x / image.width, y / image.height, wide / image.width, high / image.height)
        image.annotations.append(Annotation(label, box))
    except ValueError as error:
        heard.wrong(at, error)
        if image is not None:
            image.whole = False


def _box(each: dict[str, Any], heard: Heard) -> tuple[float, float, float, float]:
    """In pixels."""
    box = each.get("bbox")
    if box:
        if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
            raise ValueError("bbox is x, y, width and height in pixels")
        x, y, width, height = box
        return x, y, width, height
    outlines = each.get("segmentation")
    if not isinstance(outlines, list) or not outlines:
        raise ValueError("there is neither a bbox nor an outline")
    points: list[tuple[float, float]] = []
    for outline in outlines:
        if not isinstance(outline, list) or len(outline) % 2 or not all(map(_is_number, outline)):
            raise ValueError("an outline is a list of x, y, x, y…")
        points += zip(outline[::2], outline[1::2], strict=True)
    if not points:
        raise ValueError("there is neither a bbox nor an outline")
    heard.outlines += 1
    return around(points)


def _shown(value: object) -> str:
    return repr(value)[:40]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e6
