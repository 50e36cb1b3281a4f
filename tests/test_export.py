"""Data sets: the right photos, whole, in forms that other tools read back."""

import csv
import errno
import io
import json
import os
from collections.abc import Callable
from contextlib import closing, redirect_stdout
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import frictionless
import yaml
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO
from twisted.trial.unittest import SynchronousTestCase

from camd.export import placing
from camd.export.camtrap import CamtrapForm, Place, Project
from camd.export.card import Numbers, Origin
from camd.export.choice import Choice, Pick, choose, fair, spread, thinned
from camd.export.coco import CocoForm
from camd.export.making import Chosen, ExportError, Split, Wanted, make
from camd.export.picture import Form
from camd.export.placing import NoLinkError, Placer
from camd.export.sides import OneGroupError, group_of, validating
from camd.export.tables import TablesForm
from camd.export.yolo import YoloForm
from camd.findings import Annotation, Flag
from camd.photo import CameraId
from tests.data_sets import (
    GREENHOUSE,
    ORCHARD,
    PESTS,
    SIZE,
    VIENNA,
    DataSetCase,
    box,
    fly,
    inode,
    zone_of,
)
from tests.test_cli import CommandCase

NOW = datetime(2026, 8, 20, 12, tzinfo=VIENNA)
Maker = Callable[[Path, Chosen, Placer], Form]


class ExportCase(DataSetCase):
    def export(
        self,
        form_of: Maker,
        choice: Choice = Choice(background=0.5),  # noqa: B008 - frozen
        *,
        split: Split = Split(),  # noqa: B008
        link: placing.Link = "auto",
        replace: bool = False,
    ) -> Numbers:
        origin = Origin("yolo", self.root, "camd export", NOW, "CC0-1.0")
        wanted = Wanted(self.target, choice, split, replace)
        with closing(Placer(self.root, link)) as placer:
            return make(
                self.catalog, wanted, origin, zone_of=zone_of,
                form_of=lambda folder, chosen: form_of(folder, chosen, placer),
                begin=lambda photos: lambda done: None,
            )  # fmt: skip

    def yolo(self, folder: Path, chosen: Chosen, placer: Placer) -> Form:
        return YoloForm(folder, chosen.names, chosen.sides, placer)

    def coco(self, folder: Path, chosen: Chosen, placer: Placer) -> Form:
        return CocoForm(folder, chosen.names, chosen.sides, placer, licence="CC0-1.0", now=NOW)

    def chosen(self, **choice: Any) -> list[int]:
        """Of the greenhouse."""
        wanted = Choice(cameras=(GREENHOUSE,), **choice)
        picks = choose(self.catalog, wanted, zone_of)
        seqs = {self.entry(seq).id: seq for seq in range(1, 13)}
        return [seqs[pick.photo] for pick in picks]


class Choosing(ExportCase):
    """Which photos."""

    def test_what_is_on_them(self) -> None:
        """By class and score, and by a person's word over a model's."""
        self.found(1, fly(0.1, 0.9))
        self.found(2, fly(0.1, 0.4))
        self.found(3, fly(0.1, 0.9, "gnat"))
        self.found(4, fly(0.1, 0.9))
        self.said(4, Annotation("whitefly", box(0.1), right=False), done=False)
        self.said(5, Annotation("whitefly", box(0.1)))
        self.assertEqual(self.chosen(background=0.0), [1, 2, 3, 5])
        self.assertEqual(self.chosen(background=0.0, classes=("whitefly",)), [1, 2, 5])
        self.assertEqual(self.chosen(background=0.0, classes=("gnat", "x")), [3])
        self.assertEqual(self.chosen(background=0.0, least_score=0.5), [1, 3, 5])
        self.assertEqual(self.chosen(background=0.0, confirmed=True), [5])
        self.assertEqual(self.chosen(), list(range(1, 13)))

    def test_background(self) -> None:
        """Nothing is on a photo when a person says so, and only so much of that is wanted."""
        for seq in range(1, 5):
            self.found(seq, fly(0.1))
        for seq in range(5, 9):
            self.found(seq)
        self.said(9)
        self.said(10)
        self.said(11, Annotation("gnat", box(0.1)))
        self.assertEqual(self.chosen(background=0.0), [1, 2, 3, 4, 11])
        self.assertEqual(self.chosen(background=0.5), [1, 2, 3, 4, 9, 10, 11])
        self.assertEqual(len(self.chosen(background=0.2)), 6)
        self.assertEqual(len(self.chosen(background=0.5, believed=True)), 10)
        self.assertEqual(self.chosen(background=0.5, classes=("gnat",)), [10, 11])
        self.assertEqual(len(self.chosen(background=0.5, believed=True, most=4)), 4)

    def test_flags_and_stars(self) -> None:
        """Those that went bad are left out as is wished."""
        self.flagged(1, Flag.DARK, Flag.BROKEN)
        self.flagged(2, Flag.DARK)
        self.catalog.star([self.entry(2).id])
        rest = list(range(3, 13))
        self.assertEqual(self.chosen(), [2, *rest])
        self.assertEqual(self.chosen(without=frozenset()), [1, 2, *rest])
        self.assertEqual(self.chosen(without=frozenset(Flag)), rest)
        self.assertEqual(self.chosen(starred=True), [2])

    def test_times(self) -> None:
        """From then on, and before then; what is gone is not chosen."""
        third, sixth = self.entry(3).taken_ms, self.entry(6).taken_ms
        times = {"since": {GREENHOUSE: third}, "until": {GREENHOUSE: sixth}}
        self.assertEqual(self.chosen(**times), [3, 4, 5])
        self.catalog.mark_deleted([self.entry(4).id], third)
        self.assertEqual(self.chosen(**times), [3, 5])

    def test_fewer(self) -> None:
        """One in so many; at most so many, evenly over cameras and nights."""
        self.assertEqual(self.chosen(every=5), [1, 6, 11])
        self.assertEqual(self.chosen(most=3), [3, 7, 11])
        picks = choose(self.catalog, Choice(most=6), zone_of)
        self.assertEqual(len({(pick.camera, pick.night) for pick in picks}), 6)

    def test_nights(self) -> None:
        """A night from noon to noon, by the camera's clock, is one."""
        picks = choose(self.catalog, Choice(cameras=(GREENHOUSE,)), zone_of)
        nights = [pick.night for pick in picks]
        self.assertEqual(nights, sorted(["2026-08-15", "2026-08-16", "2026-08-17"] * 4))

    @given(st.lists(st.integers(0, 50), max_size=20), st.integers(0, 300))
    def test_fair(self, sizes: list[int], most: int) -> None:
        """Nobody keeps more than there is, all together as many as can be; who could keep more
        has no less than the others, but for one."""
        shares = fair(sizes, most)
        self.assertEqual(sum(shares), min(most, sum(sizes)))
        self.assertTrue(all(0 <= share <= size for share, size in zip(shares, sizes, strict=True)))
        cut = [share for share, size in zip(shares, sizes, strict=True) if share < size]
        if cut and most >= len(sizes):
            self.assertGreaterEqual(min(cut) + 1, max(shares))

    @given(st.integers(1, 200), st.integers(0, 200))
    def test_spread(self, length: int, number: int) -> None:
        """As far apart as they can be, none twice."""
        number = min(number, length)
        items = spread(range(length), number)
        self.assertEqual((len(set(items)), items), (number, sorted(items)))
        gaps = {after - before for before, after in pairwise(items)}
        self.assertLessEqual(max(gaps, default=0) - min(gaps, default=0), 1)


def picks_of(cameras: int, nights: int, each: int) -> list[Pick]:
    return [
        Pick(CameraId(f"c{camera}"), night * 1000 + photo, camera * 10_000 + night * 100 + photo,
             f"2026-08-{night + 1:02}")
        for camera in range(cameras) for night in range(nights) for photo in range(each)
    ]  # fmt: skip


class Sides(SynchronousTestCase):
    """Training and validation share nothing."""

    @given(
        st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 9)),
        st.floats(0.01, 0.9),
        st.sampled_from(["night", "camera"]),
        st.integers(),
    )
    def test_no_leak(self, size: tuple[int, int, int], share: float, by: Any, seed: int) -> None:
        """No group is on both sides, neither side is empty, and the share is met to a group."""
        picks = picks_of(*size)
        groups = {group_of(pick, by) for pick in picks}
        if len(groups) == 1:
            self.assertRaises(OneGroupError, validating, picks, share, by, seed)
            return
        val = validating(picks, share, by, seed)
        self.assertEqual(val, validating(picks[::-1], share, by, seed))
        self.assertTrue(val and val < groups)
        photos = [pick for pick in picks if group_of(pick, by) in val]
        of_each = len(picks) / len(groups)
        self.assertLessEqual(abs(len(photos) - share * len(picks)), of_each)
        if by == "camera":
            rest = {pick.camera for pick in picks} - {pick.camera for pick in photos}
            self.assertEqual(len(rest) + len(val), size[0])

    def test_another_draw(self) -> None:
        """The seed decides, and nothing else; without a share there is no validation."""
        picks = picks_of(2, 10, 1)
        draws = {validating(picks, 0.2, "night", seed) for seed in range(5)}
        self.assertGreater(len(draws), 1)
        self.assertEqual(validating(picks, 0, "night", 0), frozenset())

    def test_thinned_keeps_order(self) -> None:
        """Fewer photos are still in their order, and of all nights."""
        picks = picks_of(2, 3, 5)
        left = thinned(picks, 12)
        self.assertEqual((left, len(left)), (sorted(left), 12))
        self.assertEqual(len({group_of(pick, "night") for pick in left}), 6)


class Placing(ExportCase):
    """Photos of the store, elsewhere."""

    def setUp(self) -> None:
        super().setUp()
        self.place = self.directory / "place"
        self.folder = placing.Folder(self.place)
        self.addCleanup(self.folder.close)

    def put_there(self, seq: int, link: placing.Link = "auto") -> tuple[bool, Placer]:
        with closing(Placer(self.root, link)) as placer:
            return placer.place(self.entry(seq), self.folder.fd, "x.jpg"), placer

    def test_link(self) -> None:
        """The same file under another name."""
        self.assertTrue(self.put_there(1)[0])
        self.assertEqual(inode(self.place / "x.jpg"), inode(self.file(1)))

    def test_copy(self) -> None:
        """The same bytes, and no harm to the store by whoever writes there."""
        self.put_there(1, "copy")
        self.assertEqual((self.place / "x.jpg").read_bytes(), self.file(1).read_bytes())
        self.assertNotEqual(inode(self.place / "x.jpg"), inode(self.file(1)))

    def test_no_links(self) -> None:
        """Where there can be none photos are copied, and why is known; unless none is allowed."""

        def link(*args: Any, **more: Any) -> None:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

        self.patch(placing.os, "link", link)
        self.assertRaises(NoLinkError, self.put_there, 1, "hard")
        there, placer = self.put_there(1)
        self.assertEqual((there, placer.linked, placer.copied), (True, 0, 1))
        self.assertEqual(placer.why_copied, os.strerror(errno.EXDEV))

    def test_traps(self) -> None:
        """What lies behind a symbolic link does not get out, be it a file or a folder; nor does
        a photo that is another one now."""
        secret = self.directory / "secret"
        data = self.file(1).read_bytes()
        secret.write_bytes(data)
        self.file(1).unlink()
        self.file(1).symlink_to(secret)
        for link in ("auto", "hard", "copy"):
            self.assertFalse(self.put_there(1, link)[0])
        folder = self.file(9).parent
        folder.rename(self.directory / "elsewhere")
        folder.symlink_to(self.directory / "elsewhere")
        self.assertFalse(self.put_there(9)[0])
        self.file(2).write_bytes(data + b"more")
        self.assertFalse(self.put_there(2)[0])
        self.file(3).unlink()
        os.mkfifo(self.file(3))
        self.assertFalse(self.put_there(3)[0])
        self.assertEqual(os.listdir(self.place), [])


class YoloTests(ExportCase):
    def test_nobody_looked(self) -> None:
        """Before anybody has looked, a table has all photos, and a set for training none."""
        error = self.assertRaises(ExportError, self.export, self.yolo)
        self.assertIn("camd detect", str(error))
        self.assertEqual(self.export(self.yolo, Choice()).photos, 24)

    def test_whole(self) -> None:
        """Images, labels and names belong together; the sides share no night; links are links."""
        self.everywhere()
        numbers = self.export(self.yolo, split=Split(0.3))
        data = yaml.safe_load((self.target / "data.yaml").read_text())
        self.assertEqual(data["names"], {0: "gnat", 1: "whitefly"})
        nights: dict[str, set[str]] = {}
        for side in ("train", "val"):
            images = sorted((self.target / data[side]).iterdir())
            labels = sorted((self.target / "labels" / side).iterdir())
            self.assertEqual([f.stem for f in images], [f.stem for f in labels])
            self.assertEqual(len(images), numbers.sides[side])
            for image in images:
                (source,) = self.root.glob(f"*/*/{image.name}")
                self.assertEqual(inode(image), inode(source))
                nights.setdefault(side, set()).add(group(image.stem))
            self.assertEqual({f.read_text() for f in labels}, {
                "1 0.31250000 0.62500000 0.12500000 0.25000000\n"
                "0 0.56250000 0.62500000 0.12500000 0.25000000\n"
            })  # fmt: skip
        self.assertEqual(numbers.photos, 24)
        self.assertEqual((len(nights["train"]) + len(nights["val"])), 6)
        self.assertFalse(nights["train"] & nights["val"])

    def test_moved(self) -> None:
        """Its paths hold wherever it lies: Ultralytics takes them from `path`, or else from where
        data.yaml is."""
        self.everywhere()
        self.export(self.yolo, split=Split(0.3))
        moved = self.target.rename(self.directory / "elsewhere")
        data = yaml.safe_load((moved / "data.yaml").read_text())
        for side in ("train", "val"):
            self.assertTrue((Path(data.get("path") or moved) / data[side]).is_dir())

    def test_meanwhile(self) -> None:
        """What is found while the data set is made, and was found nowhere before, is left out."""
        self.found(1, fly(0.25))
        self.found(2, fly(0.25))
        origin = Origin("yolo", self.root, "x", NOW, "")

        def begin(photos: int) -> Callable[[int], None]:
            self.found(1, fly(0.25), fly(0.5, label="gnat"))
            self.found(2, fly(0.5, label="gnat"))
            return lambda done: None

        with closing(Placer(self.root, "auto")) as placer:
            numbers = make(
                self.catalog, Wanted(self.target, Choice(background=0.5)), origin, zone_of=zone_of,
                form_of=lambda folder, chosen: self.yolo(folder, chosen, placer), begin=begin,
            )  # fmt: skip
        self.assertEqual((numbers.photos, numbers.missing, set(numbers.classes)),
                         (1, 1, {"whitefly"}))  # fmt: skip

    def test_little(self) -> None:
        """A photo with nothing on it has an empty file; what is said twice stands there once;
        odd names survive; without a side to validate, training still begins."""
        odd = 'white "fly": 粉虱 #1'
        self.said(1, Annotation(odd, box(0.1)), Annotation(odd, box(0.1)))
        self.said(2)
        self.export(self.yolo)
        data = yaml.safe_load((self.target / "data.yaml").read_text())
        self.assertEqual(data["names"], {0: odd})
        self.assertEqual((data["train"], data["val"]), ("images/train", "images/train"))
        lines = [
            (self.target / "labels/train" / f"{self.file(seq).stem}.txt").read_text().count("\n")
            for seq in (1, 2)
        ]
        self.assertEqual(lines, [1, 0])


def group(stem: str) -> str:
    """The camera and the evening of a photo, from its name alone; all are between 19 and 22 UTC."""
    camera, stamp, _ = stem.rsplit("_", 2)
    return f"{camera} {stamp[:8]}"


class CocoTests(ExportCase):
    def read(self, name: str) -> COCO:
        with redirect_stdout(io.StringIO()):
            return COCO(str(self.target / "annotations" / name))

    def test_read_back(self) -> None:
        """pycocotools finds every photo and box, in pixels, and whose word it is."""
        self.found(1, fly(0.25), fly(0.5, 0.5, "gnat"))
        self.said(2, Annotation("whitefly", box(0.75)))
        self.said(3)
        self.export(self.coco)
        coco = self.read("instances.json")
        names = {each["id"]: each["name"] for each in coco.loadCats(coco.getCatIds())}
        self.assertEqual(sorted(names.values()), ["gnat", "whitefly"])
        images = {each["file_name"]: each for each in coco.loadImgs(coco.getImgIds())}
        self.assertEqual(set(images), {self.file(seq).name for seq in (1, 2, 3)})
        one, two, three = (images[self.file(seq).name] for seq in (1, 2, 3))
        self.assertEqual((one["width"], one["height"]), SIZE)
        self.assertEqual(one["date_captured"], "2026-08-15T21:00:00+02:00")
        first, second = coco.loadAnns(coco.getAnnIds(imgIds=[one["id"]]))
        self.assertEqual(first["bbox"], [24, 32, 12, 16])
        self.assertEqual((first["area"], names[second["category_id"]]), (192, "gnat"))
        self.assertEqual((first["score"], second["score"]), (0.875, 0.5))
        (person,) = coco.loadAnns(coco.getAnnIds(imgIds=[two["id"]]))
        self.assertNotIn("score", person)
        self.assertEqual(coco.getAnnIds(imgIds=[three["id"]]), [])
        self.assertTrue((self.target / "images" / one["file_name"]).is_file())

    def test_sides(self) -> None:
        """Each side has a file and a folder of its own, and the same categories."""
        self.everywhere()
        self.export(self.coco, split=Split(0.3))
        train, val = self.read("instances_train.json"), self.read("instances_val.json")
        self.assertEqual(train.loadCats(train.getCatIds()), val.loadCats(val.getCatIds()))
        for side, coco in (("train", train), ("val", val)):
            names = {each["file_name"] for each in coco.loadImgs(coco.getImgIds())}
            self.assertEqual(names, set(os.listdir(self.target / "images" / side)))
        self.assertEqual(len(train.imgs) + len(val.imgs), 24)

    def test_turned(self) -> None:
        """Of a photo that lies on its side, size and boxes are those of the picture upright."""
        data = self.file(1).read_bytes()
        exif = b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
        turned = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + data[2:]
        receipt = evolve(self.put(GREENHOUSE, 13), size=len(turned))
        (self.root / receipt.path).write_bytes(turned)
        self.catalog.add_many([receipt])
        self.found(13, fly(0.25))
        self.export(self.coco)
        coco = self.read("instances.json")
        (image,) = coco.loadImgs(coco.getImgIds())
        self.assertEqual((image["width"], image["height"]), SIZE[::-1])
        (thing,) = coco.loadAnns(coco.getAnnIds())
        self.assertEqual(thing["bbox"], [16, 48, 8, 24])


class CamtrapTests(ExportCase):
    def setUp(self) -> None:
        super().setUp()
        self.found(1, fly(0.25), fly(0.5, 0.5, "person"))
        self.found(2)
        self.said(3, Annotation("whitefly", box(0.75)))
        self.said(4)
        places = {GREENHOUSE: Place(47.07, 15.44), ORCHARD: Place(46.5, 15.5)}
        project = Project("Traps", "A grower", "CC0-1.0", {"whitefly": "Trialeurodes vaporariorum"})

        def form_of(folder: Path, chosen: Chosen, placer: Placer) -> Form:
            return CamtrapForm(folder, places, project, placer, NOW)

        self.export(form_of, Choice())
        self.offline = self.target / "datapackage-offline.json"

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.target / name).open(newline="") as file:
            return list(csv.DictReader(file))

    def test_valid(self) -> None:
        """Frictionless finds nothing wrong, and would: a photo that is not there is found."""
        report = frictionless.validate(str(self.offline))
        self.assertTrue(report.valid, report.flatten(["type", "message"]))
        with (self.target / "observations.csv").open("a") as file:
            file.write(self.rows("observations.csv")[0]["observationID"] + "x,nowhere" + "," * 26)
        report = frictionless.validate(str(self.offline))
        self.assertIn("foreign-key", {row[0] for row in report.flatten(["type"])})

    def test_the_standards_own(self) -> None:
        """The main descriptor names the standard's schemas, and differs in nothing else."""
        ours = json.loads(self.offline.read_text())
        theirs = json.loads((self.target / "datapackage.json").read_text())
        profile = theirs.pop("profile")
        self.assertRegex(profile, r"^https://.*/1\.0\.2/camtrap-dp-profile\.json$")
        for one, other in zip(ours["resources"], theirs["resources"], strict=True):
            name = other["name"]
            self.assertRegex(other["schema"], rf"^https://.*/1\.0\.2/{name}-table-schema\.json$")
            one["schema"] = other["schema"]
        self.assertEqual(ours, theirs)
        self.assertEqual(ours["temporal"], {"start": "2026-08-15", "end": "2026-08-18"})
        self.assertEqual(ours["spatial"]["type"], "Polygon")
        self.assertEqual([each["scientificName"] for each in ours["taxonomic"]],
                         ["Trialeurodes vaporariorum"])  # fmt: skip
        self.assertEqual({each["scope"] for each in ours["licenses"]}, {"data", "media"})

    def test_rows(self) -> None:
        """Whose word an observation is, what it is of, and when, is told."""
        stem = self.file(1).stem
        media = {row["mediaID"]: row for row in self.rows("media.csv")}
        self.assertEqual(len(media), 24)
        self.assertEqual(media[stem]["timestamp"], "2026-08-15T21:00:00+02:00")
        self.assertTrue((self.target / media[stem]["filePath"]).is_file())
        said: dict[str, list[dict[str, str]]] = {}
        for row in self.rows("observations.csv"):
            said.setdefault(row["mediaID"], []).append(row)
        fly_, person = said[stem]
        self.assertEqual((fly_["bboxX"], fly_["bboxWidth"]), ("0.250000", "0.125000"))
        self.assertEqual((fly_["classifiedBy"], fly_["classificationProbability"]),
                         (PESTS.name, "0.875"))  # fmt: skip
        self.assertEqual((fly_["observationType"], fly_["scientificName"]),
                         ("animal", "Trialeurodes vaporariorum"))  # fmt: skip
        self.assertEqual((person["observationType"], person["observationTags"]),
                         ("human", "class:person"))  # fmt: skip
        told = [
            (row["observationType"], row["classificationMethod"])
            for seq in (2, 3, 4, 5)
            for row in said[self.file(seq).stem]
        ]
        self.assertEqual(told, [("blank", "machine"), ("animal", "human"), ("blank", "human"),
                                ("unclassified", "")])  # fmt: skip
        stays = {row["deploymentID"]: row for row in self.rows("deployments.csv")}
        self.assertEqual(stays[GREENHOUSE]["latitude"], "47.07")
        self.assertEqual(stays[ORCHARD]["deploymentEnd"], "2026-08-18T00:00:00+02:00")


class TwoHoursTests(ExportCase):
    def test_twice_by_the_clock(self) -> None:
        """In the night in which an hour comes twice, first and last are by time, not by clock."""
        early = datetime(2026, 10, 25, 2, 50, tzinfo=VIENNA)
        late = datetime(2026, 10, 25, 2, 10, tzinfo=VIENNA, fold=1)
        self.catalog.add_many(
            self.put(GREENHOUSE, seq, when.timestamp()) for seq, when in ((13, early), (14, late))
        )
        project = Project("Traps", "A grower", "", {})

        def form_of(folder: Path, chosen: Chosen, placer: Placer) -> Form:
            return CamtrapForm(folder, {GREENHOUSE: Place(47, 15)}, project, placer, NOW)

        since = {GREENHOUSE: round(early.timestamp() * 1000)}
        numbers = self.export(form_of, Choice(cameras=(GREENHOUSE,), since=since))
        wanted = ["2026-10-25T02:50:00+02:00", "2026-10-25T02:10:00+01:00"]
        with (self.target / "deployments.csv").open(newline="") as file:
            (stay,) = csv.DictReader(file)
        self.assertEqual([stay["deploymentStart"], stay["deploymentEnd"]], wanted)
        assert numbers.first is not None and numbers.last is not None
        self.assertEqual([each.isoformat() for each in (numbers.first, numbers.last)], wanted)


class TablesTests(ExportCase):
    def test_read_back(self) -> None:
        """A line for each photo and each thing on it; the counts are the catalog's."""
        self.found(1, fly(0.25), fly(0.5, 0.5, "gnat"))
        self.found(2, fly(0.25))
        self.said(3, Annotation("whitefly", box(0.75)))
        self.export(
            lambda folder, chosen, placer: TablesForm(
                folder, self.catalog, [GREENHOUSE], Choice(), zone_of
            ),
            Choice(),
        )
        tables = {}
        for name in ("photos", "detections", "counts"):
            with (self.target / f"{name}.csv").open(newline="") as file:
                tables[name] = list(csv.DictReader(file))
        photos = {row["path"]: row for row in tables["photos"]}
        self.assertEqual(len(photos), 24)
        first = photos[self.entry(1).path]
        self.assertEqual((first["taken"], first["night"], first["things"], first["confirmed"]),
                         ("2026-08-15T21:00:00+02:00", "2026-08-15", "2", "0"))  # fmt: skip
        told = [(row["class"], row["score"], row["new"], row["by"]) for row in tables["detections"]]
        self.assertEqual(told, [("whitefly", "0.875", "1", "model"), ("gnat", "0.5", "1", "model"),
                                ("whitefly", "0.875", "0", "model"),
                                ("whitefly", "1.0", "1", "person")])  # fmt: skip
        counts = [(row["from"], row["class"], row["things"], row["new"])
                  for row in tables["counts"]]  # fmt: skip
        self.assertEqual(counts[0], ("2026-08-15T21:00:00+02:00", "gnat", "1", "1"))
        self.assertEqual(len(counts), 4)

    def test_no_formulas(self) -> None:
        """What people wrote is nothing for a spreadsheet to compute."""
        self.said(3, Annotation("=1+1", box(0.75)))
        self.catalog.note(self.entry(3).id, "@SUM(A1)")
        self.export(
            lambda folder, chosen, placer: TablesForm(
                folder, self.catalog, [GREENHOUSE], Choice(), zone_of
            ),
            Choice(),
        )
        for name, column, wanted in (
            ("photos", "note", {"", "'@SUM(A1)"}),
            ("detections", "class", {"'=1+1"}),
            ("counts", "class", {"'=1+1"}),
        ):
            with (self.target / f"{name}.csv").open(newline="") as file:
                self.assertEqual({row[column] for row in csv.DictReader(file)}, wanted)


class Making(ExportCase):
    """There whole or not at all."""

    def setUp(self) -> None:
        super().setUp()
        self.everywhere()

    def here(self) -> list[str]:
        return sorted(os.listdir(self.directory))

    def test_card(self) -> None:
        """What it is, from where, how many, which model: for people and for programs."""
        self.said(1, Annotation("thrips|small", box(0.1)))
        self.export(self.yolo, split=Split(0.3))
        text = (self.target / "README.md").read_text()
        for part in (
            "24 photos of 2 cameras", "CC0-1.0", "camd export", "pests.onnx", "ab" * 32,
            "thrips\\|small", "1 by a person's word", "2026-08-15T21:00:00+02:00",
        ):  # fmt: skip
            self.assertIn(part, text)
        facts = json.loads((self.target / "camd-export.json").read_text())
        self.assertEqual((facts["photos"], facts["confirmed"], facts["nights"]), (24, 1, 6))
        self.assertEqual(sum(facts["sides"].values()), 24)
        self.assertEqual(facts["things"], {"by_person": 1, "by_model": 46})

    def test_card_of_one(self) -> None:
        """One photo is no photos."""
        self.export(self.yolo, choice=Choice(cameras=(GREENHOUSE,), most=1))
        text = (self.target / "README.md").read_text()
        for part in ("# 1 photo of 1 camera, ", "in 1 night of a camera", " of 1 photo; on "):
            self.assertIn(part, text)
        self.assertNotRegex(text, r"\b1 [a-z]+s\b")

    def test_interrupted(self) -> None:
        """Stopped half-way nothing is left, and what was there before still is."""

        class Stopping:
            def add(self, picture: Any) -> bool:
                raise KeyboardInterrupt

            def finish(self) -> None: ...

        self.export(self.yolo)
        stopping: Maker = lambda folder, chosen, placer: Stopping()  # noqa: E731
        self.assertRaises(KeyboardInterrupt, self.export, stopping, replace=True)
        self.assertEqual(self.here(), ["photos", "set"])
        self.assertTrue((self.target / "data.yaml").is_file())

    def test_full_disk(self) -> None:
        """Before the disk is too full for new photos, a data set is given up."""
        self.patch(os, "statvfs", lambda path: os.statvfs_result((4096, 4096, *(8,) * 9)))
        line = self.told(
            1, "--store", str(self.root), "export", "yolo", str(self.target), "--link", "copy"
        )
        self.assertIn("keep_free", line)
        self.assertEqual(self.here(), ["photos"])

    def test_in_the_way(self) -> None:
        """What is there is only replaced where camd made it, and that is asked for."""
        self.target.mkdir()
        self.export(self.yolo)
        error = self.assertRaises(ExportError, self.export, self.yolo)
        self.assertIn("--force", str(error))
        self.export(self.yolo, Choice(most=2), replace=True)
        self.assertEqual(len(os.listdir(self.target / "images/train")), 2)
        (self.target / "camd-export.json").unlink()
        error = self.assertRaises(ExportError, self.export, self.yolo, replace=True)
        self.assertIn("no data set that camd made", str(error))
        self.assertEqual(self.here(), ["photos", "set"])

    def test_no_place(self) -> None:
        """Never within the store; never in place of a file."""
        self.target = self.root / "sets" / "one"
        self.assertRaises(ExportError, self.export, self.yolo)
        self.target = self.directory / "file"
        self.target.touch()
        self.assertRaises(ExportError, self.export, self.yolo, replace=True)
        self.assertFalse((self.root / "sets").exists())

    def test_store_within(self) -> None:
        """Nor in place of a data set below which the store lies."""
        self.target = self.directory
        (self.target / "camd-export.json").touch()
        error = self.assertRaises(ExportError, self.export, self.yolo, replace=True)
        self.assertIn("has the store in it", str(error))
        self.assertTrue(self.file(1).is_file())

    def test_no_utf8(self) -> None:
        """A place whose name no text can have is one line, and nothing is left there."""
        self.target = self.directory / os.fsdecode(b"\xff")
        error = self.assertRaises(ExportError, self.export, self.yolo)
        self.assertIn("udcff' is not UTF-8", str(error))
        self.assertEqual(self.here(), ["photos"])

    def test_nothing(self) -> None:
        """Where no photo answers, or all of them went, there is no data set."""
        self.assertRaises(ExportError, self.export, self.yolo, Choice(classes=("moth",), every=2,
                                                                      background=0.0))  # fmt: skip
        one = Choice(cameras=(GREENHOUSE,), most=1)
        error = self.assertRaises(ExportError, self.export, self.yolo, one, split=Split(0.2))
        self.assertIn("--val 0", str(error))
        for seq in range(1, 13):
            self.file(seq).unlink()
        numbers = self.export(self.yolo)
        self.assertEqual((numbers.photos, numbers.missing), (12, 12))
        gone = Choice(cameras=(GREENHOUSE,))
        self.assertRaises(ExportError, self.export, self.yolo, gone, replace=True)


class Commands(DataSetCase, CommandCase):
    """``camd export``."""

    def setUp(self) -> None:
        DataSetCase.setUp(self)
        self.store = self.root
        self.everywhere()

    def test_yolo(self) -> None:
        """One line says what there is; the camera may be one that nobody named, in its zone."""
        said = self.does(
            "--store", str(self.store), "export", "yolo", "set", "--camera", ORCHARD, "--since",
            "2026-08-16 21:30", "--until", "2026-08-18", "--val", "0.5",
            CAMD_STORE__TIMEZONE="Europe/Vienna",
        )  # fmt: skip
        self.assertIn("set: 7 photos (3 train, 4 val) of 1 camera, 14 things of 2 classes", said)
        self.assertEqual(len(list((self.target / "images").glob("*/*.jpg"))), 7)
        self.assertIn("export yolo set --camera", (self.target / "README.md").read_text())

    def test_others(self) -> None:
        """Every form can be had, also without a place for a camera being told by its name."""
        dp = self.directory / "dp"
        for form, target, *more in (
            ("coco", "coco", "--most", "6", "--link", "copy"),
            ("csv", "csv", "--class", "gnat"),
            ("camtrap-dp", "dp", "--at", "47,15", "--at", f"{ORCHARD}=46,-15"),
        ):
            self.told(
                0, "--store", str(self.root), "export", form, str(dp.with_name(target)), *more
            )
            self.assertTrue((dp.with_name(target) / "README.md").is_file())
        self.assertTrue(frictionless.validate(str(dp / "datapackage-offline.json")).valid)

    def test_given_for_nothing(self) -> None:
        """A place of a camera that is not there, and a name of such a class, may be misspelt."""
        done = self.run_camd(
            "--store", str(self.root), "export", "camtrap-dp", str(self.target), "--at", "47,15",
            "--at", "orchid-1=1,2", "--taxon", "gnat=Sciaridae", "--taxon", "moth=Lepidoptera",
        )  # fmt: skip
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr.splitlines(), [
            "camd: --at orchid-1: the store has no photo of it",
            "camd: --taxon moth: no photo has a thing of that class",
        ])  # fmt: skip

    def test_mistakes(self) -> None:
        """Each is a line, and leaves nothing behind."""
        target = str(self.target)
        for code, arguments, part in (
            (2, ("yolo", target, "--camera", "moon"), "no photo of it"),
            (2, ("yolo", target, "--camera", "../x"), "no photo of it"),
            (2, ("yolo", target, "--class", "moth"), "gnat, whitefly"),
            (2, ("yolo", target, "--since", "soon"), "a date"),
            (2, ("csv", target, "--since", "1d", "--until", "2d"), "not before --until"),
            (2, ("yolo", target, "--val", "1.5"), "--val"),
            (2, ("yolo", target, "--val", "nan"), "--val"),
            (2, ("yolo", target, "--background", "nan"), "--background"),
            (2, ("csv", target, "--least-score", "nan"), "--least-score"),
            (1, ("csv", "/", "--force"), "has the store in it"),
            (1, ("yolo", target, "--confirmed"), "no photo"),
            (1, ("yolo", str(self.root / "x")), "within the store"),
            (1, ("camtrap-dp", target, "--at", "greenhouse-1=1,2"), f"where {ORCHARD} stands"),
            (1, ("camtrap-dp", target), f"=47.07,15.44; likewise for {ORCHARD}"),
            (2, ("camtrap-dp", target, "--at", "1,200"), "degrees"),
            (2, ("camtrap-dp", target, "--taxon", "gnat"), "CLASS=NAME"),
        ):
            self.assertIn(part, self.told(code, "--store", str(self.root), "export", *arguments))
        self.assertIn("no store", self.told(1, "--store", target, "export", "csv", target))
        circle = self.directory / "circle"
        circle.symlink_to(circle)
        self.assertIn("circle", self.told(1, "--store", str(self.root), "export", "csv",
                                          str(circle), "--force"))  # fmt: skip
        circle.unlink()
        self.assertEqual(os.listdir(self.directory), ["photos"])
