"""How the catalog comes to know what is on the photos.

A `FindingsWriter` goes through the connection of a catalog and belongs to its thread. What new
there is on a photo depends on those before it, in whatever order they are looked at: so with
each photo those behind it are counted anew. Times are unix milliseconds.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from camd.findings import Annotation, Detection, Findings, Flag, Look, bits_of
from camd.store.catalog import Catalog
from camd.store.findings import FindingsReader, Model


class FindingsWriter(FindingsReader):
    """What is written of the photos. Every call is whole, or nothing of it."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(catalog)
        self._transaction = catalog.transaction

    def looked(
        self, model: Model | None, looks: Iterable[Look], now_ms: int
    ) -> dict[int, Findings]:
        """These photos were looked at, and wait no longer. Photos that are gone are left out.

        What a person said of them stays, and outranks it.

        :param model: whose the detections are.
        :returns: what is known now of each.
        """
        with self._transaction() as db:
            number = None if model is None else self._model(db, model)
            done, counted = [], []
            for look in looks:
                if not self._begin(db, look.photo):
                    continue
                if look.detections is not None:
                    self._put_detections(db, look.photo, look.detections)
                    db.execute("UPDATE looks SET model = ? WHERE photo = ?", (number, look.photo))
                if look.flags is not None:
                    db.execute(
                        "UPDATE looks SET flags = ?, fingerprint = ? WHERE photo = ?",
                        (bits_of(look.flags), look.fingerprint, look.photo),
                    )
                    self._freeze(db, look.photo)
                db.execute("UPDATE looks SET looked_ms = ? WHERE photo = ?", (now_ms, look.photo))
                db.execute("DELETE FROM backlog WHERE photo = ?", (look.photo,))
                if look.detections is not None:
                    counted.append(look.photo)
                done.append(look.photo)
            known = self._count_around(db, counted)
            known |= self.of_many(photo for photo in done if photo not in known)
            return {photo: known[photo] for photo in done}

    def annotate(
        self, photo: int, annotations: Sequence[Annotation], done: bool
    ) -> Findings | None:
        """That is what a person says of the photo, in place of what was said before.

        :returns: what is known now, None where there is no such photo.
        """
        with self._transaction() as db:
            return self.annotate_within(db, photo, annotations, done)

    def annotate_within(
        self, db: Any, photo: int, annotations: Sequence[Annotation], done: bool
    ) -> Findings | None:
        """The same, in a transaction that is open."""
        if not self._begin(db, photo):
            return None
        db.execute("DELETE FROM annotations WHERE photo = ?", (photo,))
        db.executemany(
            "INSERT INTO annotations (photo, class, x, y, width, height, right) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (photo, self._class(db, each.label), *each.box.numbers(), int(each.right))
                for each in annotations
            ],
        )
        db.execute("UPDATE looks SET done = ? WHERE photo = ?", (int(done), photo))
        db.execute(
            "UPDATE photos SET labelled = ? WHERE id = ?", (int(done or bool(annotations)), photo)
        )
        return self._count_around(db, [photo])[photo]

    def tried(self, photo: int, why: str, most: int) -> bool:
        """Looking at the photo failed once more; after *most* times it is set aside.

        :returns: whether it was.
        """
        with self._transaction() as db:
            db.execute("UPDATE backlog SET tries = tries + 1 WHERE photo = ?", (photo,))
            changed = db.execute(
                "UPDATE backlog SET why = ? WHERE photo = ? AND tries >= ?", (why, photo, most)
            )
            return bool(changed.rowcount)

    def set_aside(self, photo: int, why: str) -> None:
        """The photo is looked at no more, whether it was waiting or not."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO backlog (photo, tries, why) SELECT id, 1, ? FROM photos "
                "WHERE id = ? AND deleted_ms IS NULL "
                "ON CONFLICT (photo) DO UPDATE SET tries = tries + 1, why = excluded.why",
                (why, photo),
            )

    def dismiss(self, photos: Iterable[int]) -> None:
        """Nobody wants these photos looked at: they wait no longer."""
        with self._transaction() as db:
            db.executemany(
                "DELETE FROM backlog WHERE photo = ? AND why IS NULL", [(each,) for each in photos]
            )

    def again(self) -> int:
        """What was set aside waits once more. :returns: how many photos that are."""
        with self._transaction() as db:
            return db.execute(
                "UPDATE backlog SET tries = 0, why = NULL WHERE why IS NOT NULL"
            ).rowcount

    # ---- within a transaction

    def _begin(self, db: Any, photo: int) -> bool:
        """The photo has a look. False where there is no such photo."""
        db.execute(
            "INSERT INTO looks (photo, camera, taken_ms) SELECT id, camera, taken_ms FROM photos "
            "WHERE id = ? ON CONFLICT DO NOTHING",
            (photo,),
        )
        return self._one("SELECT 1 FROM looks WHERE photo = ?", (photo,)) is not None

    def _model(self, db: Any, model: Model) -> int:
        db.execute(
            "INSERT INTO models (name, hash) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (model.name, model.hash),
        )
        return int(self._one("SELECT id FROM models WHERE hash = ?", (model.hash,))[0])

    def _class(self, db: Any, name: str) -> int:
        row = self._one("SELECT id FROM classes WHERE name = ?", (name,))
        if row is None:
            return int(db.execute("INSERT INTO classes (name) VALUES (?)", (name,)).lastrowid)
        return int(row[0])

    def _put_detections(self, db: Any, photo: int, detections: Sequence[Detection]) -> None:
        db.execute("DELETE FROM detections WHERE photo = ?", (photo,))
        db.executemany(
            "INSERT INTO detections (photo, class, score, x, y, width, height) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (photo, self._class(db, each.label), each.score, *each.box.numbers())
                for each in detections
            ],
        )

    def _freeze(self, db: Any, photo: int) -> None:
        """It is frozen where it is the same picture as the one before; so is the one behind it."""
        db.execute(
            f"""UPDATE looks SET flags = flags & ~{Flag.FROZEN.bit} | (
                SELECT CASE WHEN fingerprint != x'' AND fingerprint = coalesce((
                    SELECT b.fingerprint FROM looks AS b INDEXED BY looks_by_camera
                    WHERE b.camera = looks.camera
                    AND (b.taken_ms, b.photo) < (looks.taken_ms, looks.photo)
                    ORDER BY b.taken_ms DESC, b.photo DESC LIMIT 1
                ), x'') THEN {Flag.FROZEN.bit} ELSE 0 END
            ) WHERE photo = ?1 OR photo = (
                SELECT b.photo FROM looks AS l CROSS JOIN looks AS b INDEXED BY looks_by_camera
                WHERE l.photo = ?1 AND b.camera = l.camera
                AND (b.taken_ms, b.photo) > (l.taken_ms, l.photo)
                ORDER BY b.taken_ms, b.photo LIMIT 1
            )""",
            (photo,),
        )

    def _count_around(self, db: Any, photos: Iterable[int]) -> dict[int, Findings]:
        """The numbers of these photos, and of those behind them, on which they tell what is new.

        :returns: what is known of all of them.
        """
        around = set(photos)
        around.update(*(self.behind(photo) for photo in tuple(around)))
        known = self.of_many(around)
        for photo, findings in known.items():
            self._count(db, photo, findings)
        return known

    def _count(self, db: Any, photo: int, findings: Findings) -> None:
        totals: dict[str, list[int]] = {}
        for detection in findings.valid:
            total = totals.setdefault(detection.label, [0, 0])
            total[0] += 1
            total[1] += detection.fresh
        db.execute("DELETE FROM tallies WHERE photo = ?", (photo,))
        db.executemany(
            "INSERT INTO tallies (photo, camera, taken_ms, class, count, fresh) "
            "SELECT photo, camera, taken_ms, ?, ?, ? FROM looks WHERE photo = ?",
            [(self._class(db, label), *total, photo) for label, total in totals.items()],
        )
