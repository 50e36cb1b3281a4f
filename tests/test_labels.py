"""Labels from other tools: understood as they are meant, or refused with the place."""

import json
import os
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from camd.export.card import Origin
from camd.export.choice import Choice
from camd.export.coco import CocoForm
from camd.export.making import Split, Wanted, make
from camd.export.placing import Placer
from camd.export.yolo import YoloForm
from camd.findings import Annotation, Box
from camd.labels.classes import ClassesError, parse_list, parse_yaml
from camd.labels.coco import coco_files, read_coco
from camd.labels.hearing import Heard
from camd.labels.photos import Photos
from camd.labels.taking import News, gather, take
from camd.labels.yolo import parse_line, read_yolo
from camd.photo import Door, Receipt
from camd.store.findings import FindingsReader
from camd.store.folders import OWN, FlatLine
from tests.data_sets import BOOT, GREENHOUSE, SIZE, DataSetCase, box, fly, zone_of
from tests.test_cli import CommandCase

CLASSES = {0: "gnat", 1: "whitefly"}
NAMES = "names:\n  0: gnat\n  1: whitefly\n"

names = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20
) | st.sampled_from(["white fly", "a: b", "#1", "it's", '"', "[x", "-"])


class LabelsCase(DataSetCase):
    def setUp(self) -> None:
        super().setUp()
        self.labels = self.directory / "labels"
        self.labels.mkdir()
        (self.labels / "data.yaml").write_text(NAMES)
        self.photos = Photos(self.root, self.catalog)

    def write(self, seq: int, text: str) -> str:
        """A label file for a photo of the greenhouse. :returns: its name."""
        name = f"{self.file(seq).stem}.txt"
        (self.labels / name).write_text(text)
        return name

    def heard(self) -> Heard:
        return read_yolo(self.labels, self.photos.find)

    def coco(self, said: Any) -> Heard:
        file = self.directory / "said.json"
        file.write_text(said if isinstance(said, str) else json.dumps(said))
        return read_coco(file, self.photos.find)

    def take(self, heard: Heard, *, done: bool = True, empty: bool = False) -> News:
        news = gather(self.catalog, heard, done=done, empty=empty)
        take(self.root, self.catalog, news, lambda photos: None)
        return news

    def known(self, seq: int) -> tuple[tuple[Annotation, ...], bool]:
        known = FindingsReader(self.catalog).of(self.entry(seq).id)
        return ((), False) if known is None else (known.annotations, known.done)


class Lines(LabelsCase):
    """YOLO's lines."""

    def test_understood(self) -> None:
        """Boxes, boxes with a score, and outlines; what reaches over the edge is cut."""
        for line, label, numbers, outlined in (
            ("0 0.5 0.5 0.2 0.4", "gnat", (0.4, 0.3, 0.2, 0.4), False),
            (" 1  0.5 0.5 0.2 0.4 0.87\r", "whitefly", (0.4, 0.3, 0.2, 0.4), False),
            ("1 0.1 0.2 0.3 0.2 0.3 0.6", "whitefly", (0.1, 0.2, 0.2, 0.4), True),
            ("0 .5 .5 .2 .4", "gnat", (0.4, 0.3, 0.2, 0.4), False),
            ("0 0.05 5e-1 0.2 0.4", "gnat", (0, 0.3, 0.15, 0.4), False),
        ):
            self.assertEqual(parse_line(line, CLASSES),
                             (Annotation(label, Box(*numbers)), outlined))  # fmt: skip

    def test_refused(self) -> None:
        """What makes no sense is told."""
        for line, part in (
            ("2 0.5 0.5 0.2 0.4", "no class has the number 2"),
            ("gnat 0.5 0.5 0.2 0.4", "the number of a class"),
            ("+0 0.5 0.5 0.2 0.4", "the number of a class"),
            ("0 0.5 0.5 0.2", "x, y, width and height"),
            ("0 0.5 0.5 0.2 0.4 0.1 0.1 0.1", "x, y, width and height"),
            ("0 0.5 0.5 0.2 nan", "no number"),
            ("0 0.5 0.5 0.2 1_0", "no number"),
            ("0 0.5 0.5 0.2 \u0665", "no number"),
            ("0 320 240 20 40", "no share of the picture"),
            ("0 0.5 0.5 1e999 0.4", "no share of the picture"),
            ("0 0.5 0.5 0 0.4", "a width and a height"),
            ("0 0.5 0.5 1e-9 0.4", "has a width"),
            ("0 0.5 0.5 0.5 0.5 0.5 0.5", "has a width"),
        ):
            self.assertIn(part, str(self.assertRaises(ValueError, parse_line, line, CLASSES)))

    @given(st.text(max_size=60) | st.text("0123456789.-e ", max_size=60))
    def test_any_line(self, text: str) -> None:
        """Whatever a line is, it is refused or a box on the picture."""
        try:
            annotation, _ = parse_line(f"0 {text}", CLASSES)
        except ValueError:
            return
        x, y, width, height = annotation.box.numbers()
        self.assertTrue(0 <= x < x + width < 1.00001 and 0 <= y < y + height < 1.00001)


class Names(LabelsCase):
    """The names of the classes."""

    @given(st.lists(names, min_size=1, max_size=5), st.booleans(), st.booleans(), st.booleans())
    def test_what_yaml_writes(
        self, wanted: list[str], numbered: bool, flow: bool, unicode: bool
    ) -> None:
        """What a library of YAML writes is read as it was meant."""
        said: Any = dict(enumerate(wanted)) if numbered else wanted
        text = yaml.safe_dump({"train": "x", "names": said, "val": "y"}, allow_unicode=unicode,
                              default_flow_style=flow, width=10**6, sort_keys=False)  # fmt: skip
        if flow:
            text = text.strip().removeprefix("{").removesuffix("}")
            text = "train: x\n" + text.removeprefix("train: x, ").rpartition(", val: y")[0] + "\n"
        try:
            found = parse_yaml(text)
        except ClassesError:
            # Some of YAML's quoting is not known; it is never misunderstood.
            self.assertTrue(any('"' in line or "?" in line for line in text.splitlines()), text)
            return
        self.assertEqual(found, dict(enumerate(wanted)))

    def test_by_hand(self) -> None:
        """As people and tools write them."""
        for text in (
            "# traps\npath: x\n\nnames:   # all of them\n  0: gnat\n\n  # so small\n"
            "  1: 'whitefly'  # here\nnc: 2\n",
            'names:\n- gnat\n- "whitefly"\nnc: 2',
            "nc: 2\nnames: ['gnat', \"whitefly\"]  # two\n",
            "names: [gnat,\n  whitefly,\n]\nval: x",
            "names: {0: gnat, 1: whitefly}",
            'names:\n- "gn\\x61t"\n- "\\U00000077hitefly"',
            "names:\r\n  '0': gnat\r\n  \"1\": whitefly\r\n",
        ):
            self.assertEqual(parse_yaml(text), CLASSES, text)
        escaped = r'"Wei\xDFe Fliege", "\u7C89\u8671", "\U0001F41B \\x41"'
        self.assertEqual(parse_yaml(f"names: [{escaped}]\n"),
                         {0: "Weiße Fliege", 1: "粉虱", 2: "🐛 \\x41"})  # fmt: skip
        self.assertEqual(parse_list("gnat\r\nwhitefly\n\n"), CLASSES)

    def test_wrong(self) -> None:
        """The line is told."""
        for text, line in (
            ("path: x\n", 1),
            ("names:\nnc: 2\n", 1),
            ("a: 1\nnames: 7\n", 2),
            ("names:\n  0: gnat\n  gnat\n", 3),
            ("names:\n  0: gnat\n  0: fly\n", 3),
            ("names:\n  0: gnat\n    1: fly\n", 3),
            ("names:\n  0: {a: b}\n", 2),
            ("names: [gnat, \n", 1),
            ("names: [gnat, 1: fly]\n", 1),
            ("names: {gnat}\n", 1),
            ("names: []\n", 1),
            ("names: [a, [b]]\n", 1),
            ("names:\n  99999: gnat\n", 2),
            ("names:\n  0: gnat\nkpt_shape: [2, 2]\n", 3),
        ):
            self.assertEqual(self.assertRaises(ClassesError, parse_yaml, text).line, line, text)
        self.assertEqual(self.assertRaises(ClassesError, parse_list, "a\n\nb").line, 2)

    def test_long(self) -> None:
        """What is not understood is refused before long, however much there is of it."""
        start = time.process_time()
        for text in ("[a" + " " * 400_000 + "[]", "{1:" + " " * 400_000 + "[}"):
            self.assertRaises(ClassesError, parse_yaml, f"names: {text}\n")
        self.assertLess(time.process_time() - start, 5)

    @given(st.text(max_size=60) | st.text("[]{}'\",: \nab0#-", max_size=60))
    def test_any_text(self, text: str) -> None:
        """Whatever stands there, it is understood or refused."""
        for parse, whole in ((parse_yaml, f"names:{text}"), (parse_list, text)):
            try:
                found = parse(whole)
            except ClassesError as error:
                self.assertGreaterEqual(error.line, 1)
                continue
            self.assertTrue(found)


class Which(LabelsCase):
    """The photo that is meant."""

    def test_names(self) -> None:
        """By its stem, whatever tools put around it."""
        stem = self.file(3).stem
        for name in (
            stem, f"{stem}.jpg", f"{stem}.txt", f"images/train/{stem}.jpg", f"C:\\x\\{stem}.JPG",
            self.entry(3).path, f"0badf00d-{stem}.jpg", f"{stem}_jpg.rf.0aZ9.jpg",
            f"obj_train_data/{stem}.png",
        ):  # fmt: skip
            self.assertEqual(self.photos.find(name), self.entry(3), name)
        for name in ("", "/", "..", "0001", f"x{stem}", f"{stem}-copy", stem.replace("-3", "-99")):
            self.assertIsNone(self.photos.find(name), name)
        self.catalog.mark_deleted([self.entry(3).id], 0)
        self.assertIsNone(self.photos.find(stem))

    def test_flat(self) -> None:
        """A number means the photo that flat.log says it was given to."""
        self.catalog.add_many(
            [Receipt(GREENHOUSE, BOOT, 77, 9, 0, *SIZE, "0007.jpg", 1.8e9, 1.8e9, Door.V1)]
        )
        line = FlatLine(7, GREENHOUSE, BOOT, 77, 1_800_000_000_000, 1_800_000_000_000)
        (self.root / OWN / "flat.log").write_text(f"{line}\n")
        self.assertEqual(self.photos.find("labels/0007.txt"), self.entry(77))
        self.assertIsNone(self.photos.find("0008.txt"))

    @given(st.text(max_size=80))
    def test_any_name(self, name: str) -> None:
        """No name is more than unknown."""
        self.assertIsNone(self.photos.find(name))


class Yolo(LabelsCase):
    def test_taken(self) -> None:
        """It is a person's word, outranks the model, and is not said twice."""
        self.found(1, fly(0.7))
        self.write(1, "1 0.3125 0.625 0.125 0.25\n")
        self.write(2, "\n")
        (self.labels / "moon.txt").write_text("nonsense")
        heard = self.heard()
        self.assertEqual((heard.mistakes, heard.unknown), ([], ["moon.txt"]))
        news = self.take(heard)
        self.assertEqual((len(news.said), news.things, news.bare), (1, 1, 1))
        self.assertEqual(self.known(1), ((Annotation("whitefly", box(0.25)),), True))
        self.assertEqual(self.known(2), ((), False))
        news = self.take(self.heard(), empty=True)
        self.assertEqual((len(news.said), news.same), (1, 1))
        self.assertEqual(self.known(2), ((), True))
        self.write(1, "0 0.3125 0.625 0.125 0.25\n")
        news = self.take(self.heard(), done=False)
        self.assertEqual((len(news.said), news.replaced), (1, 1))
        self.assertEqual(self.known(1), ((Annotation("gnat", box(0.25)),), False))

    def test_mistakes(self) -> None:
        """File and line are told; a photo with a mistake in its labels is left out whole."""
        one = self.write(1, "0 0.5 0.5 0.2 0.4\n9 0.5 0.5 0.2 0.4\n\n0 1 2\n")
        self.write(2, "0 0.5 0.5 0.2 0.4\n")
        name = self.write(3, "")
        (self.labels / name).write_bytes(b"\xff\xfe")
        many = self.write(4, "".join(f"0 0.5 0.5 0.2 0.{n:04}\n" for n in range(1, 2002)))
        heard = self.heard()
        self.assertEqual([mistake.where for mistake in heard.mistakes],
                         [f"{one}:2", f"{one}:4", name, many])  # fmt: skip
        self.assertEqual([labels.photo.seq for labels in heard.labels], [2])

    def test_two_words(self) -> None:
        """Two files that differ on a photo are a mistake, and neither counts; the same is none."""
        for folder, second in (("train", "0 0.5 0.5 0.2 0.4"), ("val", "0 0.5 0.5 0.2 0.5")):
            (self.labels / folder).mkdir()
            (self.labels / folder / f"{self.file(1).stem}.txt").write_text("0 0.5 0.5 0.2 0.4")
            (self.labels / folder / f"{self.file(2).stem}.txt").write_text(second)
        heard = self.heard()
        news = self.take(heard)
        self.assertEqual([said.key for said in news.said], [self.entry(1).key])
        self.assertEqual([each.where for each in heard.mistakes],
                         [f"val/{self.file(2).stem}.txt"])  # fmt: skip

    def test_no_names(self) -> None:
        """Without names for the classes there is nothing to be had."""
        self.write(1, "0 0.5 0.5 0.2 0.4")
        (self.labels / "data.yaml").write_text("names: 7\n")
        (mistake,) = self.heard().mistakes
        self.assertTrue(mistake.where.endswith("data.yaml:1"))
        (self.labels / "data.yaml").unlink()
        (mistake,) = self.heard().mistakes
        self.assertIn("no names", mistake.why)
        (self.labels / "classes.txt").write_text("gnat\n")
        self.assertEqual(len(self.heard().labels), 1)


class Coco(LabelsCase):
    def said(self, **more: Any) -> dict[str, Any]:
        """As CVAT might write it: ids as they come, folders, a size of its own."""
        return {
            "info": {"description": "x"},
            "categories": [{"id": 7, "name": "gnat"}, {"id": 3, "name": "whitefly"}],
            "images": [
                {"id": 40, "file_name": f"a/b/{self.file(1).name}", "width": 192, "height": 128},
                {"id": 41, "file_name": self.file(2).name},
                {"id": 42, "file_name": "moon.jpg", "width": 1, "height": 1},
            ],
            "annotations": [
                {"id": 1, "image_id": 40, "category_id": 3, "bbox": [48, 64, 24, 32.0]},
                {"id": 2, "image_id": 41, "category_id": 7, "bbox": [24, 32, 12, 16], "iscrowd": 0},
                {"id": 3, "image_id": 42, "category_id": 7, "bbox": [0, 0, 1, 1]},
            ],
            **more,
        }

    def test_taken(self) -> None:
        """Pixels become shares of the size that is told, or else of the photo's own."""
        heard = self.coco(self.said())
        self.assertEqual((heard.mistakes, heard.unknown), ([], ["moon.jpg"]))
        self.take(heard)
        self.assertEqual(self.known(1), ((Annotation("whitefly", box(0.25)),), True))
        self.assertEqual(self.known(2), ((Annotation("gnat", box(0.25)),), True))

    def test_outlines_and_crowds(self) -> None:
        """Of an outline the box around it is taken; a crowd is no thing."""
        label = {"image_id": 41, "category_id": 3}
        heard = self.coco(self.said(annotations=[
            {**label, "bbox": [], "segmentation": [[24, 32, 36, 32, 36, 40], [24, 40, 24, 48]]},
            {**label, "bbox": [0, 0, 9, 9], "iscrowd": 1, "segmentation": {"counts": "x"}},
        ]))  # fmt: skip
        self.assertEqual((heard.mistakes, heard.outlines, heard.crowds), ([], 1, 1))
        (labels,) = [each for each in heard.labels if each.photo.seq == 2]
        self.assertEqual(labels.annotations, (Annotation("whitefly", box(0.25)),))

    def test_mistakes(self) -> None:
        """The place is told; a photo with a mistake is left out whole."""
        good = {"id": 1, "image_id": 40, "category_id": 3, "bbox": [48, 64, 24, 32]}
        for wrong, part in (
            ({"bbox": [1, 2, 3]}, "annotations[0]: bbox"),
            ({"bbox": [1, 2, 3, "4"]}, "annotations[0]: bbox"),
            ({"bbox": [1, 2, 3, True]}, "annotations[0]: bbox"),
            ({"bbox": [500, 2, 3, 3]}, "annotations[0]: a box"),
            ({"bbox": None}, "neither a bbox"),
            ({"bbox": None, "segmentation": {"counts": []}}, "neither a bbox"),
            ({"bbox": None, "segmentation": [[1, 2, 3]]}, "an outline"),
            ({"bbox": None, "segmentation": [[]]}, "neither a bbox"),
            ({"category_id": 99}, "no category has the id 99"),
            ({"image_id": 99}, "no image has the id 99"),
            ({"image_id": None}, "image_id is a number"),
        ):
            heard = self.coco(self.said(annotations=[{**good, **wrong}]))
            (mistake,) = heard.mistakes
            self.assertIn(part, str(mistake))
            if "image_id" not in wrong:
                self.assertNotIn(1, [each.photo.seq for each in heard.labels])
        for said, part in (
            ("{", ":1: no JSON"),
            ('{"images": [NaN]}', "NaN"),
            ([], "lists of images"),
            (self.said(categories=[7]), "categories[0]: an object"),
            (
                self.said(categories=[{"id": 3, "name": "gnat"}, {"id": 3, "name": "moth"}]),
                "categories[1]: another category has the id 3",
            ),
            (self.said(images=[{"id": 1}]), "file_name"),
            ("[" * 100_000, "recursion"),
        ):
            self.assertIn(part, str(self.coco(said).mistakes[0]))

    @given(st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
            st.sampled_from(["id", "image_id", "category_id", "bbox", "segmentation", "name",
                             "file_name", "width", "iscrowd"]), inner, max_size=6),
        max_leaves=20,
    ), st.sampled_from(["images", "annotations", "categories"]))  # fmt: skip
    def test_any_json(self, said: Any, key: str) -> None:
        """Whatever stands there, nothing but mistakes comes of it."""
        self.coco(self.said(**{key: said}))
        self.coco(self.said(**{key: [said]}))
        self.coco(json.dumps(said))


class ThereAndBack(LabelsCase):
    """What was exported and comes back is the same."""

    def setUp(self) -> None:
        super().setUp()
        self.words = {
            1: (Annotation("whitefly", box(0.25)), Annotation("gnat", Box(0.123457, 0, 0.3, 1))),
            2: (Annotation("粉虱: a \"b\" #c", Box(0.000001, 0.999, 0.999999, 0.001)),),
            6: (),
        }  # fmt: skip
        for seq, there in self.words.items():
            self.said(seq, *there)
        self.found(9, fly(0.4))

    def export(self, form_of: Any) -> None:
        origin = Origin("yolo", self.root, "x", datetime.now(UTC), "")
        wanted = Wanted(self.target, Choice(background=0.5), Split(0.3))
        with closing(Placer(self.root, "copy")) as placer:
            make(self.catalog, wanted, origin, zone_of=zone_of,
                 form_of=lambda folder, chosen: form_of(folder, chosen, placer),
                 begin=lambda photos: lambda done: None)  # fmt: skip

    def forget(self) -> None:
        for seq in self.words:
            self.said(seq, done=False)

    def check(self, heard: Heard, at: float) -> None:
        self.assertEqual((heard.mistakes, heard.unknown), ([], []))
        self.take(heard, empty=True)
        for seq, there in self.words.items():
            self.assertEqual(self.known(seq), (there, True))
        self.assertEqual(self.known(9), ((Annotation("whitefly", box(at)),), True))

    def test_yolo(self) -> None:
        """To a millionth of the picture."""
        self.export(lambda folder, chosen, placer: YoloForm(
            folder, chosen.names, chosen.sides, placer))  # fmt: skip
        self.forget()
        self.check(read_yolo(self.target, self.photos.find), 0.4)

    def test_coco(self) -> None:
        """Likewise, though the boxes stand there in pixels."""
        self.export(
            lambda folder, chosen, placer: CocoForm(
                folder, chosen.names, chosen.sides, placer, licence="", now=datetime.now(UTC)
            )
        )
        self.forget()
        heard = Heard()
        for path in coco_files(self.target):
            heard.labels += read_coco(path, self.photos.find).labels
        self.check(heard, 0.4)


class Commands(LabelsCase, CommandCase):
    """``camd import labels``."""

    def setUp(self) -> None:
        super().setUp()
        self.store = self.root

    def test_taken(self) -> None:
        """First it can be tried; then it lasts, also over the loss of the catalog."""
        self.write(1, "1 0.3125 0.625 0.125 0.25\n")
        self.write(2, "1 0.1 0.2 0.3 0.2 0.3 0.6\n")
        (self.labels / "moon.txt").touch()
        at = ("--store", str(self.root), "import", "labels", str(self.labels))
        said = self.told(0, *at, "--dry-run")
        self.assertIn("2 photos, 2 things would be said", said)
        self.assertEqual(self.known(1), ((), False))
        said = self.in_store("import", "labels", "labels")
        for part in ("2 photos, 2 things said", "unknown     moon.txt", "1 outline became"):
            self.assertIn(part, said)
        self.assertEqual(self.known(1), ((Annotation("whitefly", box(0.25)),), True))
        self.assertIn("2 photos were known", self.told(0, *at))
        journal = (self.root / OWN / "annotations.jsonl").read_text()
        self.assertEqual(journal.count("\n"), 2)

    def test_wrong(self) -> None:
        """Where anything is wrong nothing is taken in, unless the rest is wished for."""
        name = self.write(1, "1 0.5 0.5 0.1\n")
        self.write(2, "1 0.3125 0.625 0.125 0.25\n")
        done = self.run_camd("--store", str(self.store), "import", "labels", "labels")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        first, last = done.stderr.splitlines()
        self.assertTrue(first.startswith(f"{name}:1: "))
        self.assertIn("camd: 1 mistake in the labels: nothing is taken in", last)
        self.assertEqual(self.known(2), ((), False))
        done = self.run_camd("--store", str(self.store), "import", "labels", "labels",
                             "--skip-wrong")  # fmt: skip
        self.assertEqual((done.returncode, done.stderr.splitlines()), (0, [first]))
        self.assertEqual(self.known(2), ((Annotation("whitefly", box(0.25)),), True))

    def test_a_terminal_is_not_told_what_to_do(self) -> None:
        """Names from elsewhere are shown, and no more."""
        (self.labels / os.fsdecode(b"\x1b[2J\xff.txt")).touch()
        said = self.told(0, "--store", str(self.root), "import", "labels", str(self.labels))
        self.assertIn("unknown     \N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}.txt", said)

    def test_no_labels(self) -> None:
        """What has no labels is told in a line."""
        empty = self.directory / "empty"
        empty.mkdir()
        at = ("--store", str(self.root), "import", "labels")
        self.assertIn("no labels", self.told(1, *at, str(empty)))
        self.assertIn("neither", self.told(2, *at, str(self.labels / "data.yaml")))
        self.assertIn("does not exist", self.told(2, *at, str(empty / "moon")))
