"""A store with photos in it, made as camd would have left it, and what ffprobe says of a film."""

import json
import subprocess
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from camd.photo import Boot, CameraId, Door, Receipt
from camd.store.catalog import Catalog
from camd.store.files import make_directory
from camd.store.folders import OWN
from camd.store.naming import photo_name
from tests.pictures import insects
from tests.tools import tool

BOOT = Boot("00c0ffee00c0ffee")
NOON = 1_786_795_200
"""2026-08-15 12:00 UTC, in unix seconds."""


def put(
    root: Path,
    times: list[float],
    pictures: list[bytes] | None = None,
    camera: str = "trap-1",
    size: tuple[int, int] = (320, 240),
) -> list[Path]:
    """Photos taken at *times* are in the store and in its catalog: the paths of their files.

    :param pictures: one for each; without them a few are used again and again.
    """
    make_directory(root / OWN, within=root.parent)
    paths, receipts = [], []
    for at, when in enumerate(times):
        jpeg = insects(at % 4, size) if pictures is None else pictures[at]
        day = datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d")
        name = photo_name(CameraId(camera), when, BOOT, at + 1)
        path = root / camera / day / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg)
        paths.append(path)
        receipts.append(
            Receipt(
                CameraId(camera), BOOT, at + 1, len(jpeg), zlib.crc32(jpeg), *size,
                f"{camera}/{day}/{name}", when, when, Door.V2,
            )
        )  # fmt: skip
    catalog = Catalog.open(root / OWN / "catalog.sqlite")
    catalog.add_many(receipts)
    catalog.rebuilt()
    catalog.close()
    return paths


def probed(film: Path) -> dict[str, Any]:
    """The film's only stream, as ffprobe has it; every picture is decoded and counted."""
    done = subprocess.run(
        [
            tool("ffprobe", "ffmpeg"), "-v", "error", "-count_frames", "-show_streams",
            "-of", "json", str(film),
        ],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    (stream,) = json.loads(done.stdout)["streams"]
    found: dict[str, Any] = stream
    return found


def pixels(film: Path, number: int, size: tuple[int, int] = (320, 240)) -> bytes:
    """The luminances of one of the film's pictures, row by row."""
    done = subprocess.run(
        [
            tool("ffmpeg", "ffmpeg"), "-v", "error", "-i", str(film), "-vf",
            f"select=eq(n\\,{number})", "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-",
        ],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert len(done.stdout) == size[0] * size[1], (len(done.stdout), done.stderr)
    return done.stdout
