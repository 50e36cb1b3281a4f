"""Models from files, and looking at photos with them."""

import hashlib
import io
import sys
from pathlib import Path

import numpy as np
import onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from PIL import Image
from twisted.trial.unittest import SynchronousTestCase

from camd.findings import Box, Flag
from camd.pictures import CATCH, NIGHT, Album
from camd.vision import lacking
from camd.vision.heads import Head
from camd.vision.looker import Looker
from camd.vision.model import Model, ModelError, _About, load
from camd.vision.picture import NoPhotoError
from camd.vision.wanted import Limits, Seen, Wanted
from camd.vision.zones import Zones
from tests.models import build
from tests.pictures import insects

SIZE = 320
DETECT = Wanted(judge=False)


class ModelCase(SynchronousTestCase):
    def path(self, name: str = "pests.onnx") -> Path:
        folder = Path(self.mktemp())
        folder.mkdir()
        return folder / name

    def refused(self, path: Path, **given: object) -> str:
        """What is wrong with it: one line."""
        error = str(self.assertRaises(ModelError, load, path, **given))
        self.assertNotIn("\n", error)
        self.assertIn(path.name, error)
        return error


class LoadTests(ModelCase):
    def test_what_the_file_says(self) -> None:
        """Classes, size and stride, the kind of output, and the hash of the very file."""
        path = build(self.path(), names=("white fly", "moth"), size=(SIZE, 256))
        model = load(path)
        self.assertEqual(model.classes, ("white fly", "moth"))
        self.assertEqual((model.size, model.stride), ((SIZE, 256), 0))
        self.assertIs(model.head, Head.ANCHOR_FREE)
        self.assertEqual(model.name, "pests.onnx")
        self.assertEqual(model.hash, hashlib.sha256(path.read_bytes()).hexdigest())

    def test_any_size(self) -> None:
        """A dynamic model takes the size that it was made for, or the one that is asked for,
        rounded up to its stride."""
        path = build(self.path(), size=SIZE, dynamic=True)
        self.assertEqual((load(path).size, load(path).stride), ((SIZE, SIZE), 32))
        self.assertEqual(load(path, size=(410, 300)).size, (416, 320))
        silent = build(self.path(), dynamic=True, metadata={"imgsz": None, "stride": None})
        self.assertEqual((load(silent).size, load(silent).stride), ((640, 640), 32))

    def test_one_side_open(self) -> None:
        """A model that takes one height and any width gets the same picture each time."""
        path = build(self.path(), size=SIZE, dynamic=True)
        made = onnx.load(str(path))
        made.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 256
        onnx.save(made, str(path))
        model = load(path)
        self.assertEqual((model.size, model.stride), ((SIZE, 256), 0))
        self.assertIsNotNone(Looker(model).look(insects(1, (640, 240)), DETECT).detections)

    def test_what_it_does_not_say(self) -> None:
        """Without metadata the size is the input's, and the classes are given."""
        nothing = dict.fromkeys(("imgsz", "stride", "task", "names", "args", "end2end", "batch"))
        path = build(self.path(), size=SIZE, metadata=nothing)
        model = load(path, classes=["midge"])
        self.assertEqual((model.classes, model.size), (("midge",), (SIZE, SIZE)))
        wanted = "does not say which classes it knows: name them by classes in [detect]"
        self.assertIn(wanted, self.refused(path))

    def test_other_names(self) -> None:
        """Whoever names the classes is right, as long as there are as many."""
        path = build(self.path(), names=("a", "b"), size=SIZE)
        self.assertEqual(load(path, classes=["x", "y"]).classes, ("x", "y"))
        self.assertIn("does not go with 3 classes", self.refused(path, classes=["x", "y", "z"]))

    def test_one_name_for_two(self) -> None:
        """Classes that have the same name are one class, and one thing is counted once."""
        path = build(self.path(), names=("a", "b", "c"), size=SIZE)
        model = load(path, classes=["pest", "bee", "pest"])
        self.assertEqual(model.classes, ("pest", "bee"))
        found = Looker(model).look(insects(3), DETECT).detections or ()
        renamed = {"a": "pest", "b": "bee", "c": "pest"}
        apart = Looker(load(path)).look(insects(3), DETECT).detections or ()
        self.assertIn("pest", {thing.label for thing in found})
        self.assertEqual(
            {(renamed[thing.label], thing.box) for thing in apart},
            {(thing.label, thing.box) for thing in found},
        )

    def test_names_of_all_kinds(self) -> None:
        """A list is as good as a dictionary, digits in quotes are numbers."""
        for names in ("['a', 'b']", "{0: 'a', 1: 'b'}", "{'1': 'b', '0': 'a'}"):
            path = build(self.path(), names="ab", size=SIZE, metadata={"names": names})
            self.assertEqual(load(path).classes, ("a", "b"))

    def test_names_that_are_none(self) -> None:
        """Gaps, other things than names, and code are refused or as good as no names."""
        for names, why in (
            ("{0: 'a', 2: 'b'}", "not numbered from 0"),
            ("{0: 'a', None: 'b'}", "not numbered from 0"),
            ("{0: 'a', 1: ''}", "a class is a name"),
            ("{0: 'a', 1: 7}", "a class is a name"),
            ("{0: 'a', 1: __import__('os')}", "does not say which classes"),
            ("{0: 'a', 1:", "does not say which classes"),
            ("[" * 5000, "does not say which classes"),
        ):
            path = build(self.path(), names="ab", size=SIZE, metadata={"names": names})
            self.assertIn(why, self.refused(path))

    @given(st.text(max_size=40))
    def test_any_metadata(self, text: str) -> None:
        """Whatever stands there is understood, refused in a line, or as good as nothing."""
        about = _About(
            "m.onnx", dict.fromkeys(("names", "imgsz", "stride", "args", "end2end"), text)
        )
        self.assertIn(about.once(), (None, True, False))
        self.assertTrue(0 < about.stride() <= 1024)
        size = about.size()
        self.assertTrue(size is None or min(size) > 0)
        try:
            self.assertTrue(all(about.classes(())))
        except ModelError as error:
            self.assertIn("m.onnx", str(error))

    def test_wrong_task(self) -> None:
        """A model that does something else says so."""
        path = build(self.path(), metadata={"task": "segment"}, size=SIZE)
        self.assertIn('a model for "segment": only "detect"', self.refused(path))

    def test_no_file(self) -> None:
        """Nothing there, or a folder."""
        self.assertIn("cannot be read: No such file", self.refused(self.path()))
        folder = self.path()
        folder.mkdir()
        self.assertIn("cannot be read: Is a directory", self.refused(folder))

    def test_no_model(self) -> None:
        """Other bytes, none at all, and half a model."""
        whole = build(self.path(), size=SIZE).read_bytes()
        for data in (b"", b"PK\x03\x04 a model of another kind", whole[: len(whole) // 2]):
            path = self.path()
            path.write_bytes(data)
            self.assertIn("is no ONNX model that runs here", self.refused(path))

    def test_another_size_than_its_own(self) -> None:
        """A model for one size takes no other."""
        path = build(self.path(), size=SIZE)
        self.assertEqual(load(path, size=(SIZE, SIZE)).size, (SIZE, SIZE))
        self.assertIn(
            "exported for pictures of 320 x 320, not of 640 x 640",
            self.refused(path, size=(640, 640)),
        )

    def test_no_pictures(self) -> None:
        """Inputs that no photo fits."""
        for shape, kind, why in (
            ([1, 3, SIZE], TensorProto.FLOAT, "takes no picture"),
            ([1, 3, SIZE, SIZE], TensorProto.INT64, "takes no picture"),
            ([1, 1, SIZE, SIZE], TensorProto.FLOAT, "wants pictures of 1 channels"),
        ):
            self.assertIn(why, self.refused(self._passing_through(shape, kind)))

    def test_no_detections(self) -> None:
        """An output that is none of a detector's."""
        path = self._passing_through([1, 3, 64, 64], TensorProto.FLOAT)
        self.assertIn(
            "its output of 1 x 3 x 64 x 64 is none of a YOLO that detects", self.refused(path)
        )

    def _passing_through(self, shape: list[int], kind: int) -> Path:
        values = [
            helper.make_tensor_value_info(name, kind, shape) for name in ("images", "output0")
        ]
        node = helper.make_node("Identity", ["images"], ["output0"])
        graph = helper.make_graph([node], "through", values[:1], values[1:])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        helper.set_model_props(model, {"names": "{0: 'a'}"})
        path = self.path()
        onnx.save(model, str(path))
        return path

    def test_without_onnxruntime(self) -> None:
        """The line names the package and the extra."""
        path = build(self.path(), size=SIZE)
        load(path)
        there = sys.modules["onnxruntime"]
        self.addCleanup(sys.modules.__setitem__, "onnxruntime", there)
        sys.modules["onnxruntime"] = None  # type: ignore[assignment]
        error = self.assertRaises(ModelError, load, path)
        self.assertIn('pip install "camd[detect]"', str(error))

    def test_lacking(self) -> None:
        """Nothing is missing here; what would be is told for judging and for detection."""
        self.assertEqual((lacking(), lacking(detect=False)), ("", ""))


class LookCase(ModelCase):
    def model(self, head: str = "v8", **given: object) -> Model:
        return load(build(self.path(), head, **{"size": SIZE, **given}))  # type: ignore[arg-type]

    def look(self, jpeg: bytes, wanted: Wanted = DETECT, **given: object) -> Seen:
        return Looker(self.model(**given)).look(jpeg, wanted)  # type: ignore[arg-type]


class LookTests(LookCase):
    def test_as_many_as_there_are(self) -> None:
        """On cards with 4 to 54 insects nearly all are found, and little else, with each head."""
        album = Album()
        for head in ("v8", "v5", "end2end"):
            looker = Looker(self.model(head, size=640))
            for number in (0, 150, 400):
                seen = looker.look(album.picture("trap", number, "vga"), DETECT)
                there = 4 + number * CATCH // NIGHT
                self.assertIsNotNone(seen.detections)
                self.assertLessEqual(abs(len(seen.detections or ()) - there), 1 + there // 8)

    def test_where_they_are(self) -> None:
        """A box lies around its insect, its sides are shares of the picture, at any size."""
        for size in ((640, 480), (240, 320), (1001, 77)):
            picture = Image.new("RGB", size, (236, 204, 40))
            left, top, side = size[0] // 2, size[1] // 3, max(size) // 25
            picture.paste((30, 25, 20), (left, top, left + side, top + side))
            (thing,) = self.look(jpeg_of(picture)).detections or ()
            drawn = Box(left / size[0], top / size[1], side / size[0], side / size[1])
            self.assertEqual(thing.label, "insect")
            self.assertGreater(thing.box.iou(drawn), 0.5, size)

    def test_the_heads_agree(self) -> None:
        """The same network with another output finds the same."""
        free, objectness, once = (
            {thing.box for thing in self.look(insects(3), head=head).detections or ()}
            for head in ("v8", "v5", "end2end")
        )
        self.assertTrue(free)
        self.assertEqual(free, objectness)
        self.assertEqual(free, once)

    def test_in_half_precision(self) -> None:
        """A network that calculates in 16 bits takes its picture so, and finds something."""
        self.assertTrue(self.look(insects(3), half=True).detections)

    def test_a_fixed_batch(self) -> None:
        """A network that always takes several pictures is given one and emptiness."""
        path = build(self.path(), size=SIZE)
        model = onnx.load(str(path))
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3
        model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "batch"
        onnx.save(model, str(path))
        seen = Looker(load(path)).look(insects(3), DETECT)
        self.assertEqual(seen.detections, self.look(insects(3)).detections)

    def test_bounds(self) -> None:
        """Only what is sure enough, and the surest first, so many at most."""
        looker = Looker(self.model())
        photo = Album().picture("trap", 300, "qvga")
        some = looker.look(photo, Wanted(judge=False, confidence=0.5)).detections or ()
        more = looker.look(photo, Wanted(judge=False, confidence=0.1)).detections or ()
        self.assertTrue(0 < len(some) < len(more))
        self.assertEqual(more[: len(some)], some)
        few = looker.look(photo, Wanted(judge=False, confidence=0.1, most=3)).detections
        self.assertEqual(few, more[:3])

    def test_zones(self) -> None:
        """What counts is what zones say; the surest ones elsewhere take no place."""
        left = Zones((((0, 0), (0.5, 0), (0.5, 1), (0, 1)),))
        everything = self.look(insects(3)).detections or ()
        wanted = [thing for thing in everything if thing.box.centre[0] < 0.5]
        self.assertTrue(0 < len(wanted) < len(everything))
        seen = self.look(insects(3), Wanted(judge=False, zones=left, most=len(wanted))).detections
        self.assertEqual(list(seen or ()), wanted)

    def test_in_tiles(self) -> None:
        """On a large photo, what is small in the whole and cut by tiles is found once each."""
        there = 4 + 300 * CATCH // NIGHT
        photo = Album().picture("trap", 300, "uxga")
        looker = Looker(self.model(blob=15))
        whole = looker.look(photo, DETECT).detections or ()
        self.assertLess(len(whole), there * 0.8)
        for views in (Wanted(judge=False, tile=640), Wanted(judge=False, tile=640, whole=False)):
            tiled = looker.look(photo, views).detections or ()
            self.assertLessEqual(abs(len(tiled) - there), there // 8)

    def test_turned_by_exif(self) -> None:
        """A photo that says which way is up is looked at that way, as browsers show it."""
        picture = Image.open(io.BytesIO(insects(3)))
        exif = Image.Exif()
        exif[0x0112] = 6
        turned = io.BytesIO()
        picture.rotate(90, expand=True).save(turned, "JPEG", quality=95, exif=exif.tobytes())
        for wanted in (DETECT, Wanted(detect=False)):
            seen = self.look(turned.getvalue(), wanted)
            self.assertEqual((seen.width, seen.height), (320, 240))
        upright = self.look(insects(3)).detections or ()
        as_seen = self.look(turned.getvalue()).detections or ()
        self.assertTrue(upright)
        for thing in upright[:5]:
            self.assertGreater(max(thing.box.iou(other.box) for other in as_seen), 0.6)

    def test_grey_photos(self) -> None:
        """A photo without colour is looked at all the same."""
        grey = jpeg_of(Image.open(io.BytesIO(insects(3))).convert("L"))
        self.assertIsNotNone(self.look(grey).detections)

    def test_only_judged(self) -> None:
        """Without a model there are flags and no detections; to detect is refused."""
        looker = Looker(None)
        seen = looker.look(insects(3), Wanted(detect=False))
        self.assertIsNone(seen.detections)
        self.assertEqual((seen.width, seen.height, seen.flags), (320, 240, frozenset()))
        self.assertEqual(len(seen.fingerprint), 16)
        self.assertRaises(NoPhotoError, looker.look, insects(3), DETECT)

    def test_only_looked_at(self) -> None:
        """Without judging there are neither flags nor a fingerprint."""
        black = jpeg_of(Image.new("RGB", (320, 240)))
        self.assertEqual(self.look(black, Wanted(judge=True)).flags, {Flag.DARK})
        seen = self.look(black)
        self.assertEqual((seen.flags, seen.fingerprint), (frozenset(), b""))

    def test_what_does_not_decode(self) -> None:
        """It is broken, with or without a model, judged or not."""
        for wanted in (DETECT, Wanted(detect=False), Wanted()):
            for data in (b"", b"no photo", insects(3)[:900], b"\xff\xd8\xff" * 50):
                seen = self.look(data, wanted)
                self.assertEqual((seen.flags, seen.detections), ({Flag.BROKEN}, None))

    def test_too_large(self) -> None:
        """By bytes or by pixels, it is not even decoded."""
        photo = insects(3)
        for limits, why in (
            (Limits(most_bytes=len(photo) - 1), "bytes"),
            (Limits(most_pixels=320 * 240 - 1), "320 x 240 pixels: 76799 at most"),
        ):
            looker = Looker(None, limits=limits)
            error = self.assertRaises(NoPhotoError, looker.look, photo, Wanted(detect=False))
            self.assertIn(why, str(error))

    def test_a_bomb(self) -> None:
        """A head that claims a billion pixels costs nothing."""
        photo = bytearray(jpeg_of(Image.new("RGB", (64, 64))))
        at = photo.index(b"\xff\xc0")
        photo[at + 5 : at + 9] = b"\xff\xdc\xff\xdc"
        looker = Looker(None)
        self.assertRaises(NoPhotoError, looker.look, bytes(photo), Wanted(detect=False))

    def test_a_network_that_gives_nonsense(self) -> None:
        """Numbers that are none, and classes that there are not, are not there."""
        path = build(self.path(), "end2end", size=SIZE)
        model = onnx.load(str(path))
        rows = np.array(
            [[[np.nan, 0, 9, 9, 0.9, 0], [0, 0, 9, 9, 0.8, 7], [0, 0, 9, 9, 0.7, -1],
              [9, 9, 0, 0, 0.6, 0], [10, 90, 50, 120, 0.5, 0]]], np.float32
        )  # fmt: skip
        output = model.graph.output[0].name
        del model.graph.node[:]
        value = onnx.numpy_helper.from_array(rows)
        model.graph.node.append(helper.make_node("Constant", [], [output], value=value))
        onnx.save(model, str(path))
        seen = Looker(load(path)).look(insects(3), DETECT)
        self.assertEqual([thing.score for thing in seen.detections or ()], [0.5])


def jpeg_of(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=95)
    return out.getvalue()
