"""A small store with real photos of which much is known, to make data sets of."""

import io
import os
import signal
import zlib
from contextlib import redirect_stderr, redirect_stdout
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from twisted.trial.unittest import SynchronousTestCase

from camd.cli import main
from camd.findings import Annotation, Box, Detection, Flag, Look
from camd.photo import Boot, CameraId, Door, Receipt, Trigger
from camd.store.annotations import AnnotationJournal, Said
from camd.store.catalog import Catalog
from camd.store.entry import Entry
from camd.store.findings import Model
from camd.store.findings_writer import FindingsWriter
from camd.store.folders import OWN
from camd.store.naming import photo_name, session_day
from tests.pictures import insects

BOOT = Boot("00c0ffee00c0ffee")
GREENHOUSE, ORCHARD = CameraId("greenhouse-1"), CameraId("v1-192-0-2-7")
PESTS = Model("pests.onnx", "ab" * 32)
VIENNA = ZoneInfo("Europe/Vienna")
EVENING = 1_786_820_400.0  # 2026-08-15 19:00 UTC, 21:00 in Vienna
NIGHT = 86_400.0
SIZE = (96, 64)


def zone_of(camera: CameraId) -> tzinfo:
    return VIENNA


def box(at: float) -> Box:
    return Box(at, 0.5, 0.125, 0.25)


def fly(at: float, score: float = 0.875, label: str = "whitefly") -> Detection:
    return Detection(label, score, box(at))


class DataSetCase(SynchronousTestCase):
    """Two cameras, three nights of each, four photos a night, one an hour over midnight."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.root = self.directory / "photos"
        (self.root / OWN).mkdir(parents=True)
        self.target = self.directory / "set"
        self.catalog = Catalog.open(self.root / OWN / "catalog.sqlite")
        self.addCleanup(self.catalog.close)
        self.writer = FindingsWriter(self.catalog)
        self.catalog.add_many(
            self.put(camera, seq) for camera in (GREENHOUSE, ORCHARD) for seq in range(1, 13)
        )

    def put(self, camera: CameraId, seq: int, when: float | None = None) -> Receipt:
        """A photo lies in the store."""
        if when is None:
            when = EVENING + (seq - 1) // 4 * NIGHT + (seq - 1) % 4 * 3600
        data = insects(seq, SIZE)
        path = f"{camera}/{session_day(when, VIENNA, False)}/{photo_name(camera, when, BOOT, seq)}"
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        file.chmod(0o640)
        return Receipt(
            camera, BOOT, seq, len(data), zlib.crc32(data), *SIZE, path, when, when, Door.V2,
            Trigger.TIMER,
        )  # fmt: skip

    def entry(self, seq: int, camera: CameraId = GREENHOUSE) -> Entry:
        entry = self.catalog.find((camera, BOOT, seq))
        assert entry is not None
        return entry

    def file(self, seq: int, camera: CameraId = GREENHOUSE) -> Path:
        return self.root / self.entry(seq, camera).path

    def found(self, seq: int, *there: Detection, camera: CameraId = GREENHOUSE) -> None:
        """A model looked."""
        self.writer.looked(PESTS, [Look(self.entry(seq, camera).id, there)], 1_786_900_000_000)

    def flagged(self, seq: int, *flags: Flag) -> None:
        look = Look(self.entry(seq).id, None, frozenset(flags))
        self.writer.looked(None, [look], 1_786_900_000_000)

    def said(self, seq: int, *there: Annotation, done: bool = True) -> None:
        """A person looked."""
        said = Said((GREENHOUSE, BOOT, seq), there, done)
        AnnotationJournal(self.root).say(self.catalog, [said])

    def told(self, code: int, *arguments: str) -> str:
        """The line in which ``camd`` complained, called in this process; or what it said."""
        self.addCleanup(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        with redirect_stderr(io.StringIO()) as wrong, redirect_stdout(io.StringIO()) as said:
            self.assertEqual(main(list(arguments)), code, wrong.getvalue())
        if not code:
            return said.getvalue()
        (line,) = wrong.getvalue().splitlines()
        return line

    def everywhere(self) -> None:
        """A model found something on every photo of both cameras."""
        for camera in (GREENHOUSE, ORCHARD):
            for seq in range(1, 13):
                self.found(seq, fly(0.25), fly(0.5, 0.5, "gnat"), camera=camera)


def inode(path: Path) -> int:
    return os.stat(path).st_ino
