"""A key ring lets in whom it should, and nobody else, whatever lies in its directory."""

import os
import re
import stat
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from camd.keys import KeyFileError, KeyRing, KeyRingError
from camd.photo import CameraId

GREENHOUSE = CameraId("greenhouse-1")
ORCHARD = CameraId("orchard")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class RingCase(SynchronousTestCase):
    """A ring in a store of its own, and what it complained of."""

    def setUp(self) -> None:
        self.store = Path(self.mktemp())
        self.store.mkdir()
        self.directory = self.store / ".camd" / "keys"
        self.told: list[KeyFileError] = []
        self.ring = KeyRing(self.directory, self.told.append)

    def write(self, text: str | bytes, camera: CameraId = GREENHOUSE) -> Path:
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.ring.path(camera)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path


class Life(RingCase):
    """From the first key to the last."""

    def test_nobody(self) -> None:
        """Without a directory nobody was enrolled, and looking makes none."""
        self.assertIsNone(self.ring.keys_of(GREENHOUSE))
        self.assertEqual(self.ring.cameras(), ())
        self.assertFalse(self.directory.exists())

    def test_enroll(self) -> None:
        """A new key has 32 bytes, is no other camera's, and stands in its file as hex."""
        key = self.ring.enroll(GREENHOUSE)
        self.assertEqual(len(key), 32)
        self.assertNotEqual(key, self.ring.enroll(ORCHARD))
        self.assertEqual(self.ring.keys_of(GREENHOUSE), (key,))
        lines = self.ring.path(GREENHOUSE).read_text().splitlines()
        self.assertEqual([line for line in lines if not line.startswith("#")], [key.hex()])
        self.assertEqual(self.ring.cameras(), (GREENHOUSE, ORCHARD))

    def test_modes(self) -> None:
        """Only their owner may read keys, under any umask; nothing else is left behind."""
        for umask in (0o000, 0o777):
            store = Path(self.mktemp())
            store.mkdir()
            ring = KeyRing(store / ".camd" / "keys")
            before = os.umask(umask)
            try:
                ring.enroll(GREENHOUSE)
            finally:
                os.umask(before)
            self.assertEqual(mode(ring.path(GREENHOUSE)), 0o600)
            self.assertEqual(mode(ring.directory), 0o700)
            self.assertEqual(mode(ring.directory.parent), 0o750)
            self.assertEqual(os.listdir(ring.directory), [f"{GREENHOUSE}.key"])

    def test_enroll_twice(self) -> None:
        """A key is never replaced by enrolling."""
        key = self.ring.enroll(GREENHOUSE)
        with self.assertRaises(KeyRingError):
            self.ring.enroll(GREENHOUSE)
        self.assertEqual(self.ring.keys_of(GREENHOUSE), (key,))

    def test_rotate(self) -> None:
        """While a key is changed both are valid, the newest first; then only that one."""
        old = self.ring.enroll(GREENHOUSE)
        new = self.ring.rotate(GREENHOUSE)
        self.assertEqual(self.ring.keys_of(GREENHOUSE), (new, old))
        with self.assertRaises(KeyRingError):
            self.ring.rotate(GREENHOUSE)
        self.ring.settle(GREENHOUSE)
        self.assertEqual(self.ring.keys_of(GREENHOUSE), (new,))
        with self.assertRaises(KeyRingError):
            self.ring.settle(GREENHOUSE)

    def test_nothing_to_change(self) -> None:
        """A camera without key has none to change, settle or forget."""
        for change in (self.ring.rotate, self.ring.settle, self.ring.forget):
            with self.assertRaises(KeyRingError):
                change(GREENHOUSE)
        self.assertIsNone(self.ring.keys_of(GREENHOUSE))

    def test_revoke(self) -> None:
        """A revoked camera is known and has no key; it may be enrolled anew."""
        old = self.ring.enroll(GREENHOUSE)
        self.ring.revoke(GREENHOUSE)
        self.assertEqual(self.ring.keys_of(GREENHOUSE), ())
        self.assertNotIn(old.hex(), self.ring.path(GREENHOUSE).read_text())
        with self.assertRaises(KeyRingError):
            self.ring.rotate(GREENHOUSE)
        new = self.ring.enroll(GREENHOUSE)
        self.assertEqual(self.ring.keys_of(GREENHOUSE), (new,))

    def test_revoke_unknown(self) -> None:
        """A name that never had a key can be barred as well."""
        self.ring.revoke(ORCHARD)
        self.assertEqual(self.ring.keys_of(ORCHARD), ())
        self.assertEqual(self.ring.cameras(), (ORCHARD,))

    def test_forget(self) -> None:
        """A forgotten camera was never enrolled."""
        self.ring.enroll(GREENHOUSE)
        self.ring.forget(GREENHOUSE)
        self.assertIsNone(self.ring.keys_of(GREENHOUSE))
        self.assertEqual(self.ring.cameras(), ())


class Running(RingCase):
    """A ring that is in use hears of what another one does."""

    def setUp(self) -> None:
        super().setUp()
        self.operator = KeyRing(self.directory)

    def test_heard(self) -> None:
        """Each change counts at the next question."""
        self.assertIsNone(self.ring.keys_of(GREENHOUSE))
        old = self.operator.enroll(GREENHOUSE)
        self.assertEqual(self.ring.keys_of(GREENHOUSE), (old,))
        new = self.operator.rotate(GREENHOUSE)
        self.assertEqual(self.ring.keys_of(GREENHOUSE), (new, old))
        self.operator.settle(GREENHOUSE)
        self.assertEqual(self.ring.keys_of(GREENHOUSE), (new,))
        self.operator.revoke(GREENHOUSE)
        self.assertEqual(self.ring.keys_of(GREENHOUSE), ())
        self.operator.forget(GREENHOUSE)
        self.assertIsNone(self.ring.keys_of(GREENHOUSE))

    def test_store_away(self) -> None:
        """When the store's disk goes away its cameras are not ones without a key, not even
        those that nobody asked for; when it is back all is as before."""
        asked = self.operator.enroll(GREENHOUSE)
        unasked = self.operator.enroll(ORCHARD)
        ring = KeyRing(self.directory)
        self.assertEqual(ring.keys_of(GREENHOUSE), (asked,))
        away = self.store.with_name("away")
        self.store.rename(away)
        self.assertEqual(ring.keys_of(GREENHOUSE), (asked,))
        self.assertEqual(ring.keys_of(ORCHARD), (unasked,))
        self.assertIsNone(ring.keys_of(CameraId("stranger")))
        away.rename(self.store)
        self.operator.forget(ORCHARD)
        self.assertIsNone(ring.keys_of(ORCHARD))


class Files(RingCase):
    """What people write into key files, and what becomes of them."""

    def test_by_hand(self) -> None:
        """Comments, empty lines, CRLF and capitals are taken."""
        self.write(f"# newest\r\n\r\n {'AB' * 32}  # since May\n{'cd' * 32}")
        self.assertEqual(self.ring.keys_of(GREENHOUSE), (b"\xab" * 32, b"\xcd" * 32))
        self.assertEqual(self.told, [])

    def test_malformed(self) -> None:
        """A file that is not understood lets nobody in, and is told once, without its text."""
        files: tuple[str | bytes, ...] = (
            "ab" * 31, "ab" * 33, "xy" * 32, "ab" * 32 + " " + "cd" * 32,
            f"{'ab' * 32}\n{'cd' * 32}\n{'ef' * 32}", f"{'ab' * 32}\nsecret",
            b"\xff\xfe" + b"ab" * 32, "\u0661" * 64, "#\n" * 4096,
        )  # fmt: skip
        for number, text in enumerate(files):
            camera = CameraId(f"cam-{number}")
            path = self.write(text, camera)
            self.told.clear()
            for _ in range(3):
                self.assertEqual(self.ring.keys_of(camera), (), text)
            self.assertEqual(len(self.told), 1, text)
            self.assertIn(str(path), str(self.told[0]))
            self.assertNotIn("secret", str(self.told[0]))
            with self.assertRaises(KeyFileError):
                self.ring.enroll(camera)

    def test_mended(self) -> None:
        """A file that was mended is read again; broken once more, it is told once more."""
        self.write("broken")
        self.assertEqual(self.ring.keys_of(GREENHOUSE), ())
        self.write("ab" * 32)
        self.assertEqual(self.ring.keys_of(GREENHOUSE), (b"\xab" * 32,))
        self.write("broken in another way\n\nx")
        self.assertEqual(self.ring.keys_of(GREENHOUSE), ())
        self.assertGreaterEqual(len(self.told), 1)

    def test_no_file(self) -> None:
        """A directory, a fifo, a link to a good key and one to nowhere let nobody in."""
        good = self.write("ab" * 32, CameraId("good"))
        names = [CameraId(name) for name in ("directory", "fifo", "link", "nowhere")]
        paths = [self.ring.path(name) for name in names]
        paths[0].mkdir()
        os.mkfifo(paths[1])
        paths[2].symlink_to(good.name)
        paths[3].symlink_to("nothing-there")
        for name in names:
            self.assertEqual(self.ring.keys_of(name), (), name)
        self.assertEqual(len(self.told), 4)

    def test_directory_is_none(self) -> None:
        """Where the directory is something else nobody gets in, and it is told once."""
        self.directory.parent.mkdir()
        self.directory.write_text("")
        ring = KeyRing(self.directory, self.told.append)
        for camera in (GREENHOUSE, ORCHARD):
            self.assertEqual(ring.keys_of(camera), ())
        self.assertEqual(len(self.told), 1)

    def test_other_files(self) -> None:
        """What is no camera's key file is no camera."""
        self.ring.enroll(GREENHOUSE)
        for name in (".new-0123.key", "UPPER.key", "a..b.key", "notes.txt", ".key"):
            (self.directory / name).write_text("ab" * 32)
        self.assertEqual(self.ring.cameras(), (GREENHOUSE,))

    @settings(max_examples=200)
    @given(st.binary(max_size=200))
    def test_any_bytes(self, data: bytes) -> None:
        """Whatever a file holds, its keys are lines of 64 hex digits that stand in it."""
        self.write(data, ORCHARD)
        keys = KeyRing(self.directory).keys_of(ORCHARD)
        assert keys is not None
        digits = re.findall(rb"(?m)^\s*([0-9a-fA-F]{64})\s*(?:#.*)?$", data)
        self.assertLessEqual({key.hex().encode() for key in keys}, {d.lower() for d in digits})
