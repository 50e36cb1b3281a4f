"""The settings of looking at photos: what they may be, and what is said of what they may not."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from camd.config import Config, ConfigError, load
from camd.config.area import Area, read_area
from camd.config.rules import read_hours
from camd.detect.desk import MANY, SPARSE, Desk
from camd.detect.terms import Share, Terms
from camd.photo import CameraId

TRAP = CameraId("trap-1")
TRIANGLE = "[[[0.1, 0.1], [0.9, 0.1], [0.5, 1]]]"

NUMBERS = st.floats(0, 1, allow_nan=False) | st.integers(0, 1)
POLYGONS = st.lists(st.tuples(NUMBERS, NUMBERS).map(list), min_size=3, max_size=12)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=20,
)


class SettingsTests(SynchronousTestCase):
    def configured(self, text: str) -> Config:
        path = Path(self.mktemp())
        path.write_text(text)
        return load(path, {}, {}).config

    def mistakes(self, text: str) -> list[str]:
        with self.assertRaises(ConfigError) as raised:
            self.configured(text)
        return [str(mistake) for mistake in raised.exception.mistakes]

    def test_off(self) -> None:
        """Without a model and without judging, nobody looks at anything."""
        config = self.configured("")
        self.assertFalse(config.looks)
        self.assertIsNone(Terms(config).outfit(TRAP))

    def test_own_over_general(self) -> None:
        """A camera has what is its own, and the rest as all others have it."""
        config = self.configured(
            '[detect]\nmodel = "/m/a.onnx"\nconfidence = 0.3\ntile = 640\n'
            f'[[camera]]\nid = "trap-1"\ndetect_tile = 0\nzones_out = {TRIANGLE}\njudge = true\n'
        )
        own, other = config.camera(TRAP), config.camera(CameraId("other"))
        self.assertEqual((own.detect_model, own.detect_confidence), ("/m/a.onnx", 0.3))
        self.assertEqual((own.detect_tile, other.detect_tile), (0, 640))
        self.assertEqual((own.judge, other.judge, own.detect), (True, False, True))
        self.assertEqual(own.zones_out.polygons, (((0.1, 0.1), (0.9, 0.1), (0.5, 1.0)),))

    def test_one_camera_alone(self) -> None:
        """A model may be that of one camera only; all others' photos are nobody's."""
        config = self.configured('[[camera]]\nid = "trap-1"\ndetect_model = "/m/a.onnx"\n')
        self.assertTrue(config.looks)
        own, others = Terms(config).shares()
        self.assertEqual((own.cameras, others.outfit), ({TRAP}, None))
        self.assertTrue(own.has(TRAP))
        self.assertFalse(others.has(TRAP))
        self.assertTrue(others.has(CameraId("other")))

    def test_same_outfit(self) -> None:
        """Cameras that differ in bounds and zones only are looked at by the same workers."""
        config = self.configured(
            '[detect]\nmodel = "/m/a.onnx"\n[[camera]]\nid = "trap-1"\ndetect_confidence = 0.9\n'
        )
        self.assertEqual(len(Terms(config).shares()), 1)

    def test_wrong(self) -> None:
        """Each wrong value is one line that says what is wanted."""
        for text, words in (
            ("[detect]\nconfidence = 2", "0.0 to 1.0"),
            ("[detect]\noverlap = 0.95", "0.0 to 0.9"),
            ('[detect]\norder = "any"', '"newest" or "oldest"'),
            ('[judge]\nuseless = ["frozen"]', "wants one of dark, bright"),
            ('[judge]\npoor = ["ugly"]', "frozen"),
            ('[[camera]]\nid = "a"\ndetect_hours = "18-8"', "22:00-07:00"),
            ('[[camera]]\nid = "a"\ndetect_hours = "18:00-18:00"', "22:00-07:00"),
            ('[[camera]]\nid = "a"\nzones_in = [[[0, 0], [1, 1]]]', "three points"),
            ('[[camera]]\nid = "a"\nzones_in = [[[0, 0], [1, 1], [0, 2]]]', "0 to 1"),
            ('[[camera]]\nid = "a"\nzones_out = "all"', "polygons"),
            ('[[camera]]\nid = "a"\ndetect = true', "a model"),
        ):
            (line,) = self.mistakes(text)
            self.assertIn(words, line)

    @given(st.lists(POLYGONS, max_size=4))
    def test_areas_round_trip(self, polygons: list[list[list[float]]]) -> None:
        """An area is what was written, and is shown as it would be written."""
        area = read_area(polygons)
        self.assertEqual([[list(p) for p in polygon] for polygon in area.polygons], polygons)
        self.assertEqual(bool(area), bool(polygons))

    @given(ANYTHING)
    def test_any_area(self, value: object) -> None:
        """Whatever stands there is an area, or a line of what is wanted."""
        try:
            self.assertIsInstance(read_area(value), Area)
        except ValueError as error:
            self.assertEqual(str(error).count("\n"), 0)

    @given(st.text(max_size=12))
    def test_any_hours(self, text: str) -> None:
        """Hours are two different minutes of a day, or none."""
        try:
            begin, end = read_hours(text)
        except ValueError:
            return
        self.assertNotEqual(begin, end)
        self.assertTrue(0 <= begin < 1440 and 0 <= end < 1440)


class DeskTests(SynchronousTestCase):
    def test_sparse(self) -> None:
        """Photos of single cameras are not looked for among many others all the time."""
        desk = Desk(Share(None, frozenset({TRAP})), None)
        wish = desk.wish(True, 0.0)
        assert wish is not None
        self.assertEqual(wish.only, [TRAP])
        desk.fetched(wish, 3, 0.0, MANY + 1)
        desk.heard = True
        self.assertIsNone(desk.wish(True, SPARSE - 0.1))
        self.assertIsNotNone(desk.wish(True, SPARSE + 0.1))
        desk.fetched(wish, 3, 10.0, MANY)
        desk.heard = True
        self.assertIsNotNone(desk.wish(True, 10.1))
