"""What is on the photos, as the catalog keeps it; and what people said of them, for ever."""

import itertools
import os
import random
import sqlite3
from functools import partial
from pathlib import Path

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from camd.findings import Annotation, Box, Detection, Flag, Look, fresh, lately
from camd.photo import CameraId
from camd.store import annotations, schema
from camd.store.annotations import AnnotationJournal, Said, parse_annotations
from camd.store.catalog import Catalog, CatalogReader
from camd.store.findings import BEFORE, Backlog, Brief, FindingsReader, Model
from camd.store.findings_writer import FindingsWriter
from camd.store.folders import OWN
from camd.store.samples import samples
from tests.test_catalog import BOOT, GREENHOUSE, NIGHT, ORCHARD, CatalogCase, receipt

PESTS = Model("pests.onnx", "ab" * 32)
OTHER = Model("better.onnx", "cd" * 32)
START = round(NIGHT * 1000)


def fly(at: float, score: float = 0.9, label: str = "whitefly") -> Detection:
    return Detection(label, score, Box(at, 0.5, 0.02, 0.02))


class FindingsCase(CatalogCase):
    """Photos 1 to 5 of the greenhouse, one a second, and what is told of them."""

    def setUp(self) -> None:
        super().setUp()
        self.catalog.add_many([receipt(seq) for seq in range(1, 6)])
        self.writer = FindingsWriter(self.catalog)
        reader = CatalogReader.open(self.path)
        self.addCleanup(reader.close)
        self.reader = FindingsReader(reader)
        self.traps = itertools.count(1)

    def photo(self, seq: int) -> int:
        entry = self.catalog.find((GREENHOUSE, BOOT, seq))
        assert entry is not None
        return entry.id

    def found(self, seq: int, *detections: Detection, model: Model = PESTS) -> None:
        self.writer.looked(model, [Look(self.photo(seq), detections)], START)

    def fresh(self, seq: int) -> int:
        known = self.reader.of(self.photo(seq))
        assert known is not None
        return known.fresh

    def new(self, label: str = "whitefly") -> int:
        return self.reader.new(GREENHOUSE, label, START, START + 60_000)


class FindingsTests(FindingsCase):
    def test_found_again(self) -> None:
        """What a model found is told with the model that found it."""
        look = Look(self.photo(1), (fly(0.1), fly(0.3, 0.5, "gnat")), frozenset({Flag.DARK}), b"x")
        told = self.writer.looked(PESTS, [look], START + 7)[self.photo(1)]
        known = self.reader.of(self.photo(1))
        self.assertEqual(known, told)
        assert known is not None
        self.assertEqual((known.model, known.model_hash, known.looked_ms, known.flags),
                         ("pests.onnx", "ab" * 32, START + 7, {Flag.DARK}))  # fmt: skip
        self.assertEqual([d.label for d in known.detections], ["whitefly", "gnat"])
        self.assertIsNone(self.reader.of(self.photo(2)))

    def test_new_ones(self) -> None:
        """An insect that stays on the trap is new once."""
        self.found(1, fly(0.1))
        self.found(2, fly(0.101), fly(0.3))
        self.found(3, fly(0.1), fly(0.3))
        self.assertEqual([self.fresh(1), self.fresh(2), self.fresh(3)], [1, 1, 0])
        self.assertEqual(self.new(), 2)

    def test_any_order(self) -> None:
        """Whichever photo is looked at first, the same ones are new."""
        self.found(3, fly(0.1), fly(0.3))
        self.assertEqual(self.fresh(3), 2)
        self.found(1, fly(0.1))
        self.found(2, fly(0.1), fly(0.3))
        self.assertEqual([self.fresh(1), self.fresh(2), self.fresh(3)], [1, 1, 0])
        self.assertEqual(self.new(), 2)

    def test_overlooked(self) -> None:
        """What a model overlooks now and then is not new each time it sees it again."""
        self.catalog.add_many([receipt(seq) for seq in range(6, 10)])
        for seq, there in enumerate(("ab", "b", "", "a", "abc", "", "", "", "b"), 1):
            self.found(seq, *(fly(0.1 + 0.2 * "abc".index(each)) for each in there))
        self.assertEqual([self.fresh(seq) for seq in range(1, 10)], [2, 0, 0, 0, 1, 0, 0, 0, 1])

    def test_a_person_overlooks_nothing(self) -> None:
        """What is not there by a person's word is new when it comes, or comes again."""
        for seq, there in ((1, [fly(0.1)]), (2, []), (3, [fly(0.1)])):
            self.found(seq, *there)
        self.assertEqual(self.fresh(3), 0)
        self.writer.annotate(self.photo(2), (), done=True)
        self.assertEqual((self.fresh(3), self.new()), (1, 2))

    @settings(max_examples=25)
    @given(st.lists(st.sets(st.integers(0, 3)), min_size=2, max_size=7), st.randoms())
    def test_in_any_order(self, there: list[set[int]], by: random.Random) -> None:
        """In whatever order they come, be it in one go, and looked at once more: what is new is
        counted as if they had come one after another."""
        camera = CameraId(f"trap-{next(self.traps)}")
        seqs = range(1, len(there) + 1)
        self.catalog.add_many(receipt(seq, camera) for seq in seqs)
        entries = [self.catalog.find((camera, BOOT, seq)) for seq in seqs]
        ids = [entry.id for entry in entries if entry is not None]
        things = [tuple(fly(0.1 + 0.2 * at) for at in sorted(each)) for each in there]
        looks = [Look(id, each) for id, each in zip(ids, things, strict=True)]
        mixed = by.sample(looks + looks[::2], len(looks) + len(looks[::2]))
        half = by.randint(0, len(mixed))
        self.writer.looked(PESTS, mixed[:half], START)
        for look in mixed[half:]:
            self.writer.looked(PESTS, [look], START)
        for at, now in enumerate(things):
            wanted = sum(fresh(lately(things[max(0, at - BEFORE) : at][::-1]), now))
            brief = self.reader.briefs([ids[at]])[ids[at]]
            self.assertEqual(brief.fresh, wanted)

    def test_again(self) -> None:
        """A newer model's word takes the place of the older one's, and is counted once."""
        self.found(1, fly(0.1), fly(0.3))
        self.found(1, fly(0.1, label="gnat"), model=OTHER)
        self.assertEqual((self.new(), self.new("gnat")), (0, 1))
        self.assertEqual(self.reader.classes(), {"gnat": 1, "whitefly": 0})
        self.assertEqual(self.reader.models(), [PESTS, OTHER])

    def test_a_person_outranks(self) -> None:
        """What a person said stands, whatever a model says later; the photo is kept."""
        self.found(1, fly(0.1), fly(0.3))
        no = Annotation("whitefly", Box(0.1, 0.5, 0.02, 0.02), right=False)
        yes = Annotation("thrips", Box(0.7, 0.5, 0.02, 0.02))
        self.writer.annotate(self.photo(1), (no, yes), done=False)
        self.found(1, fly(0.1), fly(0.3), model=OTHER)
        known = self.reader.of(self.photo(1))
        assert known is not None
        self.assertEqual(
            [(d.label, d.score) for d in known.valid], [("thrips", 1), ("whitefly", 0.9)]
        )
        self.assertEqual(known.annotations, (no, yes))
        self.writer.annotate(self.photo(1), (yes,), done=True)
        self.assertEqual((self.new(), self.new("thrips")), (0, 1))
        entry = self.catalog.entry(self.photo(1))
        assert entry is not None
        self.assertTrue(entry.labelled)
        self.writer.annotate(self.photo(1), (), done=False)
        entry = self.catalog.entry(self.photo(1))
        assert entry is not None
        self.assertFalse(entry.labelled)

    def test_only_judged(self) -> None:
        """Judging a photo leaves what was found on it alone, and its neighbours too."""
        self.found(1, fly(0.1))
        self.found(3, fly(0.1))
        self.writer.looked(None, [Look(self.photo(1), None, frozenset({Flag.GREEN}))], START)
        self.writer.looked(None, [Look(self.photo(2), None, frozenset())], START)
        known = self.reader.of(self.photo(1))
        assert known is not None
        self.assertEqual((len(known.detections), known.flags), (1, {Flag.GREEN}))
        self.assertEqual(self.fresh(3), 0)

    def test_frozen(self) -> None:
        """The same picture again is frozen, in whatever order it is seen."""
        for seq, print_ in ((3, b"a"), (1, b"b"), (2, b"a"), (4, b"")):
            look = Look(self.photo(seq), None, frozenset(), print_)
            self.writer.looked(None, [look], START)
        flags = [self.reader.of(self.photo(seq)) for seq in range(1, 5)]
        self.assertEqual([Flag.FROZEN in known.flags for known in flags if known is not None],
                         [False, False, True, False])  # fmt: skip
        self.assertEqual(self.reader.flagged(GREENHOUSE), {Flag.FROZEN: 1})

    def test_unseen_is_not_done(self) -> None:
        """Who asks for what no person is through with is given what nobody ever looked at, too."""
        self.found(2, fly(0.1))
        self.writer.annotate(self.photo(3), (), done=True)
        for camera in (GREENHOUSE, None):
            seqs = [entry.seq for entry in self.reader.photos(camera, done=False)]
            self.assertEqual(seqs, [5, 4, 2, 1])
            page = self.reader.photos(camera, done=False, limit=2, newest_first=False)
            rest = self.reader.photos(camera, done=False, newest_first=False, after=page[-1].cursor)
            self.assertEqual([entry.seq for entry in page + rest], [1, 2, 4, 5])
            self.assertEqual([entry.seq for entry in self.reader.photos(camera, done=True)], [3])

    def test_in_short(self) -> None:
        """A page's numbers are those of each photo alone."""
        self.found(1, fly(0.1), fly(0.3), fly(0.5, label="gnat"))
        self.writer.looked(None, [Look(self.photo(2), None, frozenset({Flag.DARK}))], START)
        self.writer.annotate(self.photo(3), (), done=True)
        ids = [self.photo(seq) for seq in range(1, 6)]
        briefs = self.reader.briefs(ids)
        self.assertEqual(
            [briefs[id] for id in ids[:3]],
            [Brief({"gnat": 1, "whitefly": 2}, 3, frozenset(), False),
             Brief({}, 0, frozenset({Flag.DARK}), False), Brief({}, 0, frozenset(), True)],
        )  # fmt: skip
        self.assertEqual(briefs.keys(), set(ids[:3]))
        self.assertEqual(self.reader.briefs([]), {})

    def test_photos_by_what_is_on_them(self) -> None:
        """Pages by class and number, by flag, by who is through with it; none twice, none left."""
        for seq in range(1, 6):
            self.found(seq, *(fly(0.1 * at) for at in range(1, seq)))
        seqs = lambda **by: [e.seq for e in self.reader.photos(GREENHOUSE, **by)]  # noqa: E731
        self.assertEqual(seqs(label="whitefly"), [5, 4, 3, 2])
        self.assertEqual(seqs(label="whitefly", least=3, newest_first=False), [4, 5])
        self.assertEqual(seqs(label="gnat"), [])
        self.writer.looked(None, [Look(self.photo(4), None, frozenset({Flag.DARK}))], START)
        self.writer.annotate(self.photo(5), (), done=True)
        self.catalog.star([self.photo(3)], True)
        self.assertEqual(seqs(label="whitefly", starred=True), [3])
        self.assertEqual(seqs(done=True, labelled=True), [5])
        self.assertEqual(seqs(label="whitefly", flag=Flag.DARK, done=False), [4])
        self.assertEqual(seqs(flag=Flag.DARK, done=True), [])
        self.assertEqual(seqs(flag=Flag.DARK), [4])
        self.assertEqual(seqs(label="whitefly", flag=Flag.DARK), [4])
        self.assertEqual(seqs(done=True), [5])
        self.assertEqual(seqs(label="whitefly", done=False), [4, 3, 2])
        first = self.reader.photos(label="whitefly", limit=2)
        rest = self.reader.photos(label="whitefly", after=first[-1].cursor, limit=2)
        self.assertEqual([e.seq for e in (*first, *rest)], [4, 3, 2])
        self.assertEqual(seqs(since_ms=START + 3000, until_ms=START + 4500), [4, 3])

    def test_counts(self) -> None:
        """By quarters of an hour; they outlive the photos."""
        self.catalog.add_many([receipt(9, when=NIGHT + 3600)])
        self.found(1, fly(0.1))
        self.found(2, fly(0.1), fly(0.3))
        self.found(9, fly(0.1), fly(0.3), fly(0.5))
        first, second = self.reader.counts(GREENHOUSE, "whitefly")
        self.assertEqual((first.photos, first.total, first.fresh, first.most), (2, 3, 2, 2))
        self.assertEqual((second.photos, second.total, second.fresh, second.most), (1, 3, 1, 3))
        self.assertEqual(second.start_ms - first.start_ms, 3_600_000)
        self.catalog.mark_deleted([self.photo(1)], START)
        before = self.reader.counts()
        self.catalog.forget(START + 10**9)
        self.assertEqual(self.reader.counts(), before)
        self.assertEqual(self.reader.counts(ORCHARD), [])
        self.assertEqual(self.reader.counts(until_ms=START), [])

    def test_unseen(self) -> None:
        """A new model finds what it has not looked at, and nothing twice."""
        self.found(2, fly(0.1))
        self.found(3, fly(0.1), model=OTHER)
        seen = [e.seq for e in self.reader.unseen(PESTS.hash, GREENHOUSE)]
        self.assertEqual(seen, [1, 3, 4, 5])
        page = self.reader.unseen(PESTS.hash, limit=2)
        rest = self.reader.unseen(PESTS.hash, after=page[-1].cursor)
        self.assertEqual([e.seq for e in (*page, *rest)], seen)

    def test_many(self) -> None:
        """Of many photos the same is known as of each, for no more questions."""
        for seq in (1, 2, 4, 5):
            self.found(seq, *(fly(0.1 * at) for at in range(1, seq + 1)))
        self.writer.annotate(self.photo(2), (Annotation("gnat", fly(0.1).box),), done=False)
        self.writer.annotate(self.photo(4), (), done=True)
        photos = [self.photo(seq) for seq in (5, 1, 4, 3, 2)]
        alone = {photo: self.reader.of(photo) for photo in photos}
        asked: list[str] = []
        ask = self.reader._all

        def counting(sql: str, values: tuple[object, ...] = ()) -> list[object]:
            asked.append(sql)
            return ask(sql, values)

        self.reader._all = counting  # type: ignore[method-assign, assignment]
        together = self.reader.of_many(photos)
        self.assertEqual(len(asked), 4)
        del alone[self.photo(3)]
        self.assertEqual(list(together.items()), list(alone.items()))
        self.assertEqual(self.reader.of_many([]), {})

    def test_gone(self) -> None:
        """A photo that is not there is not looked at."""
        self.assertEqual(self.writer.looked(PESTS, [Look(999, (fly(0.1),))], START), {})
        self.assertIsNone(self.writer.annotate(999, (), done=True))


class BacklogTests(FindingsCase):
    def test_what_comes_waits(self) -> None:
        """Nothing waits until that is asked for; then what comes does, until it was looked at."""
        self.assertEqual(self.reader.backlog(), Backlog(0, 0))
        self.catalog.keep_backlog()
        self.catalog.keep_backlog()
        self.catalog.add_many([receipt(seq) for seq in (6, 7, 8)])
        self.assertEqual([e.seq for e in self.reader.next(2, newest_first=True)], [8, 7])
        ids = [self.photo(6), self.photo(8)]
        self.assertEqual([e.seq for e in self.reader.next(9, False, besides=ids)], [7])
        self.found(7)
        self.catalog.mark_deleted([self.photo(6)], START)
        self.assertEqual([e.seq for e in self.reader.next(9, newest_first=False)], [8])

    def test_set_aside(self) -> None:
        """What cannot be looked at is set aside, with why, and can be tried once more."""
        self.catalog.keep_backlog()
        self.catalog.add_many([receipt(seq) for seq in (6, 7)])
        self.assertFalse(self.writer.tried(self.photo(6), "it hung", most=2))
        self.assertTrue(self.writer.tried(self.photo(6), "it hung", most=2))
        self.assertEqual(self.reader.backlog(), Backlog(1, 1))
        (aside,) = self.reader.aside()
        self.assertEqual((aside.photo.seq, aside.why), (6, "it hung"))
        self.assertEqual(self.writer.again(), 1)
        self.assertEqual(self.reader.backlog(), Backlog(2, 0))

    def test_an_old_catalog(self) -> None:
        """A catalog from before there were findings is brought up to date as it is."""
        path = Path(self.mktemp())
        schema.connect(path, schema.MIGRATIONS[:1]).close()
        catalog = Catalog.open(path)
        self.addCleanup(catalog.close)
        catalog.add_many([receipt(1)])
        self.assertEqual(FindingsReader(catalog).backlog(), Backlog(0, 0))


class JournalTests(FindingsCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = Path(self.mktemp())
        (self.root / OWN).mkdir(parents=True)
        self.journal = AnnotationJournal(self.root)

    def said(self, seq: int, *places: float, done: bool = True) -> Said:
        places_ = tuple(Annotation("whitefly", Box(at, 0.5, 0.1, 0.1)) for at in places)
        return Said((GREENHOUSE, BOOT, seq), places_, done)

    def another(self) -> Catalog:
        """A catalog that was built anew from the photos."""
        catalog = Catalog.open(Path(self.mktemp()))
        self.addCleanup(catalog.close)
        catalog.add_many([receipt(seq) for seq in range(1, 6)])
        return catalog

    def test_a_new_catalog_is_told(self) -> None:
        """Where the catalog was lost, a person's last word on each photo is not."""
        self.journal.say(self.catalog, [self.said(1, 0.1), self.said(2, 0.2)])
        self.journal.say(self.catalog, [self.said(1, 0.3, 0.6, done=False)])
        self.assertEqual(self.journal.catch_up(self.catalog), 0)
        catalog = self.another()
        self.assertEqual(self.journal.catch_up(catalog), 3)
        for id in (self.photo(1), self.photo(2)):
            self.assertEqual(FindingsReader(catalog).of(id), self.reader.of(id))
        self.assertEqual(self.journal.catch_up(catalog), 0)

    def test_two_who_speak(self) -> None:
        """What another process said is heard before the next word."""
        other = self.another()
        self.journal.say(other, [self.said(1, 0.1)])
        (known,) = self.journal.say(self.catalog, [self.said(2, 0.2)])
        assert known is not None
        self.assertEqual(len(known.annotations), 1)
        self.assertIsNotNone(self.reader.of(self.photo(1)))

    def test_torn_line(self) -> None:
        """What a crash left of a line spoils none that follows."""
        self.journal.say(self.catalog, [self.said(1, 0.1)])
        with self.journal.path.open("a") as file:
            file.write(self.said(2, 0.1).line()[:20])
        self.journal.say(self.catalog, [self.said(3, 0.1)])
        catalog = self.another()
        self.assertEqual(self.journal.catch_up(catalog), 2)
        self.assertIsNotNone(FindingsReader(catalog).of(self.photo(3)))

    def test_read_in_pieces(self) -> None:
        """However long the journal is, all of it is told, and nothing but a torn line is cut."""
        self.journal.say(self.catalog, [self.said(1, *[0.1] * 20), self.said(2, 0.2, 0.4)])
        whole = self.journal.path.read_bytes()
        with self.journal.path.open("ab") as file:
            file.write(whole[:100])
        self.patch(annotations, "_PIECE", 64)
        catalog = self.another()
        self.assertEqual(self.journal.catch_up(catalog), 2)
        self.assertEqual(self.journal.path.read_bytes(), whole)
        for id in (self.photo(1), self.photo(2)):
            self.assertEqual(FindingsReader(catalog).of(id), self.reader.of(id))
        self.assertEqual(self.journal.catch_up(catalog), 0)

    def test_lines_of_nobody(self) -> None:
        """Lines that make no sense say nothing; the journal is for the group to read, no more."""
        self.journal.say(self.catalog, [self.said(1, 0.1)])
        with self.journal.path.open("a") as file:
            file.write('{"camera": "a"}\n[]\n\\\n')
            for seq in ("0", "-1", "true", "1.0", "4294967296", "1" + "0" * 30):
                file.write(self.said(1).line().replace('"seq":1,', f'"seq":{seq},') + "\n")
        self.assertEqual(self.journal.catch_up(self.another()), 1)
        self.assertEqual(os.stat(self.journal.path).st_mode & 0o777, 0o640)

    def test_unknown_photo(self) -> None:
        """Of a photo that is not there nothing is known."""
        self.assertEqual(self.journal.say(self.catalog, [self.said(99, 0.1)]), [None])

    @given(st.text(max_size=60))
    def test_any_line(self, line: str) -> None:
        """Whatever a line is, it is understood or refused."""
        try:
            Said.parse(line)
        except ValueError:
            return

    @given(
        st.lists(
            st.builds(
                Annotation, st.sampled_from(["gnat", "white fly", "粉虱"]),
                st.builds(Box, *(st.floats(0, 0.5),) * 2, *(st.floats(0.01, 0.5),) * 2),
                st.booleans(),
            ),
            max_size=4,
        ),
        st.booleans(),
    )  # fmt: skip
    def test_lines_come_back(self, annotations: list[Annotation], done: bool) -> None:
        """A line says what it was made from, to a millionth of the picture."""
        said = Said((CameraId("trap.1"), BOOT, 7), tuple(annotations), done)
        again = Said.parse(said.line())
        self.assertEqual((again.key, again.done), (said.key, said.done))
        for one, other in zip(again.annotations, annotations, strict=True):
            self.assertEqual((one.label, one.right), (other.label, other.right))
            for a, b in zip(one.box.numbers(), other.box.numbers(), strict=True):
                self.assertAlmostEqual(a, b, places=5)

    def test_wrong_annotations(self) -> None:
        """Each mistake is told."""
        box = [0.1, 0.1, 0.1, 0.1]
        for wrong, why in (
            ({}, "a list"),
            ([7], "an annotation is"),
            ([{"class": "a"}], "an annotation is"),
            ([{"box": box}], "a class is a name"),
            ([{"class": "a", "box": box[:3]}], "four numbers"),
            ([{"class": "a", "box": [0, 0, 0, 0]}], "has a width"),
            ([{"class": "a", "box": box, "right": 1}], "right is true"),
            ([{"class": "a", "box": box, "score": 1}], "no 'score'"),
        ):
            error = self.assertRaises(ValueError, parse_annotations, wrong)
            self.assertIn(why, str(error))

    def test_full_disk(self) -> None:
        """What could not be written down does not count."""
        self.journal.say(self.catalog, [self.said(1, 0.1)])
        full = attrs.evolve(self.journal, root=Path("/dev/null"))
        self.assertRaises(OSError, full.say, self.catalog, [self.said(2, 0.1)])
        self.assertIsNone(self.reader.of(self.photo(2)))


class CostTests(FindingsCase):
    def test_pages(self) -> None:
        """A page takes no more steps the more photos came before it."""
        self.catalog.add_many([receipt(seq) for seq in range(6, 2001)])
        self.writer.looked(PESTS, [Look(id, (fly(0.1),)) for id in range(1, 2001)], START)
        reader = FindingsReader(self.catalog)
        for page in (
            partial(reader.photos, done=False, limit=100),
            partial(reader.photos, GREENHOUSE, label="whitefly", limit=100),
            partial(reader.unseen, "another", limit=100),
        ):
            steps = self.turned(page)
            self.assertEqual(len(steps), 40)
            self.assertLess(max(steps), 1.5 * min(steps), steps)

    def test_questions_use_indices(self) -> None:
        """What the page asks is found without looking through every photo."""
        db = sqlite3.connect(self.path)
        self.addCleanup(db.close)
        plans: list[str] = []

        def explain(sql: str, values: tuple[object, ...] = ()) -> list[object]:
            plans.extend(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values))
            return db.execute(sql, values).fetchall()

        reader = FindingsReader(self.catalog)
        reader._all = explain
        reader.photos(GREENHOUSE, label="whitefly")
        reader.photos(label="whitefly", flag=Flag.DARK)
        reader.photos(GREENHOUSE, done=True)
        reader.next(5, newest_first=True, besides=[1])
        reader.unseen("x")
        reader.of_many([1, 2])
        self.catalog.all = explain  # type: ignore[method-assign, assignment]
        self.catalog.entries([1, 2])
        samples(self.catalog, GREENHOUSE, labels=["whitefly", "gnat"], since_ms=1, until_ms=2,
                least_score=0.5, starred=True, done=True)  # fmt: skip
        samples(self.catalog, GREENHOUSE)
        plans = [plan for plan in plans if "json_each" not in plan]
        scans = [plan for plan in plans if plan.startswith("SCAN") and "backlog" not in plan
                 and plan.split()[1] != "b"]  # fmt: skip
        self.assertEqual([plan for plan in scans if "USING" not in plan], [])
        self.assertFalse([plan for plan in plans if "TEMP B-TREE" in plan], plans)
