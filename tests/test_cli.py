"""``python -m camd`` does what it says, and fails in one line with the right exit code."""

import fcntl
import json
import os
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

import camd
from camd.findings import Annotation, Box
from camd.photo import CameraId, parse_boot
from camd.store.annotations import Said
from camd.store.catalog import Catalog
from camd.store.findings import FindingsReader
from tests.pictures import insects

BOOT = "00c0ffee00c0ffee"
FOLDER = "greenhouse-1/2026-08-15"


class CommandCase(SynchronousTestCase):
    """A store, and a shell beside it."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.store = self.directory / "photos"
        self.keys = self.store / ".camd" / "keys"

    def run_camd(
        self, *arguments: str, stdin: str | None = None, **environ: str
    ) -> "subprocess.CompletedProcess[str]":
        inherited = {key: value for key, value in os.environ.items() if key[:5] != "CAMD_"}
        return subprocess.run(
            [sys.executable, "-m", "camd", *arguments],
            cwd=self.directory,
            env={**inherited, "PYTHONPATH": str(Path(camd.__file__).parents[1]), **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def does(self, *arguments: str, **environ: str) -> str:
        """What the command printed; it did its work without a complaint."""
        done = self.run_camd(*arguments, **environ)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def fails(self, code: int, *arguments: str, **environ: str) -> str:
        """The one line that the command complained in."""
        done = self.run_camd(*arguments, **environ)
        self.assertEqual(done.returncode, code, done.stderr)
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("camd: "), lines)
        return lines[0]

    def in_store(self, *arguments: str) -> str:
        return self.does("--store", str(self.store), *arguments)

    def put(self, seq: int) -> Path:
        """A photo lies in the store, which the catalog does not know of."""
        path = self.store / FOLDER / f"greenhouse-1_20260815-2215{seq:02}_{BOOT}-{seq}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(insects(seq))
        path.chmod(0o640)
        return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class Calling(CommandCase):
    """The way in."""

    def test_help(self) -> None:
        """Every command is listed with what it does, and none is imported for that."""
        text = self.does("--help")
        for name in (
            "enroll", "revoke", "ls", "check", "config", "export", "import", "simulate", "bench",
        ):  # fmt: skip
            self.assertRegex(text, rf"(?m)^  {name} +[A-Z]")
        self.assertEqual(self.does("--version"), f"camd {camd.__version__}\n")
        for name in ("enroll", "revoke", "ls", "check", "config"):
            self.assertIn("--store", self.does(name, "--help"))

    def test_nothing(self) -> None:
        """Called without a command it says which there are."""
        done = self.run_camd()
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("enroll", done.stderr)

    def test_usage(self) -> None:
        """What makes no sense is told in a line, and the exit code is 2."""
        for arguments in (
            ["nonsense"],
            ["--nonsense"],
            ["enroll"],
            ["enroll", "Not An Id"],
            ["enroll", "../x"],
            ["enroll", "v1-192-0-2-7"],
            ["enroll", "a", "--rotate", "--settle"],
            ["enroll", "--force"],
            ["enroll", "--ca", "--print"],
            ["revoke"],
            ["revoke", "x..y"],
            ["ls", "x", "--number", "0"],
            ["ls", "x", "--number", "99999999999999999999"],
            ["export", "csv", "x", "--most", "99999999999999999999"],
            ["check", "surplus"],
            ["token", "add", "grafana"],
            ["detect", "--aside", "--retry"],
            ["detect", "trap-7", "--retry"],
            ["detect", "--aside", "--since", "7d"],
        ):
            self.fails(2, *arguments)
        for group in ("export", "import", "token"):
            self.assertIn(f"Missing command; see camd {group} --help", self.fails(2, group))
        self.assertEqual(os.listdir(self.directory), [])

    def test_password_without_a_terminal(self) -> None:
        """Nobody types a password where it would be seen, and nothing is made for it."""
        done = subprocess.run(
            [sys.executable, "-m", "camd", "password"],
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": str(Path(camd.__file__).parents[1])},
            input="a yellow card\n" * 2,
            start_new_session=True,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, r"^camd: there is no terminal .*--stdin.*\n$")
        self.assertEqual(os.listdir(self.directory), [])

    def test_bad_configuration(self) -> None:
        """A configuration that is wrong is told by its key, and the exit code is 78."""
        for arguments in (["config"], ["ls"], ["enroll", "x"], ["revoke", "x"], ["check"]):
            line = self.fails(78, *arguments, CAMD_STORE__BATCH="many")
            self.assertIn("store.batch", line)
        self.fails(78, "config", "--config", "missing.toml")
        file = self.directory / "camd.toml"
        file.write_text("[store]\nbatch = 0\nlayuot = 'flat'\n")
        done = self.run_camd("config", "--config", str(file))
        self.assertEqual((done.returncode, done.stdout), (78, ""))
        self.assertEqual(len(done.stderr.splitlines()), 2)

    def test_precedence(self) -> None:
        """An option wins over the environment, that over the file; in either place."""
        file = self.directory / "camd.toml"
        file.write_text('[store]\npath = "by-file"\nbatch = 7\n')
        environ = {"CAMD_CONFIG": str(file)}
        for arguments, variables, path, origin in (
            ([], environ, "by-file", f"file {file}"),
            (["--config", str(file)], {}, "by-file", f"file {file}"),
            (
                [], {**environ, "CAMD_STORE__PATH": "by-env"}, "by-env",
                "environment CAMD_STORE__PATH",
            ),
            (
                ["--store", "by-option"], {**environ, "CAMD_STORE__PATH": "by-env"}, "by-option",
                "option --store",
            ),
        ):  # fmt: skip
            for order in ([*arguments, "config", "--json"], ["config", "--json", *arguments]):
                tree = json.loads(self.does(*order, **variables))
                self.assertEqual(tree["store.path"], {"value": path, "origin": origin})

    def test_config(self) -> None:
        """Every setting stands on a line as it would in the file, with where it comes from."""
        text = self.does("config", CAMD_WIRE__WINDOW="3")
        self.assertRegex(text, r"(?m)^wire\.window = 3 +# environment CAMD_WIRE__WINDOW$")
        self.assertRegex(text, r'(?m)^cameras\.unknown = "accept" +# default$')

    def test_no_reader(self) -> None:
        """Output that nobody wants to read is no crash."""
        shell = f"{sys.executable} -m camd config | true"
        environ = {**os.environ, "PYTHONPATH": str(Path(camd.__file__).parents[1])}
        done = subprocess.run(
            ["sh", "-c", shell],
            env=environ,
            cwd=self.directory,
            capture_output=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(done.stderr, b"")

    def with_streams(self, redirected: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The command, its streams as the shell has them by *redirected*."""
        return subprocess.run(
            ["sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-m", "camd", *arguments],
            env={
                **{name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
                "PYTHONPATH": str(Path(camd.__file__).parents[1]),
            },
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_closed_streams(self) -> None:
        """What nobody hears is said to nobody, and the exit code is the same."""
        self.in_store("enroll", "greenhouse-1")
        store = ("--store", str(self.store))
        for arguments, code in (
            (("--version",), 0),
            ((*store, "ls"), 0),
            ((*store, "ls", "--json"), 0),
            ((*store, "check"), 0),
            ((*store, "enroll", "greenhouse-1"), 1),
            (("nonsense",), 2),
            ((), 2),
        ):
            for closed in (">&-", "<&- >&- 2>&-"):
                done = self.with_streams(closed, *arguments)
                self.assertEqual(done.returncode, code, (arguments, done.stderr))
                self.assertNotIn("Traceback", done.stderr)

    def test_full_streams(self) -> None:
        """Output that finds no room is an error; a complaint that finds none leaves the code."""
        done = self.with_streams(">/dev/full", "config")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
        self.assertEqual(self.with_streams("2>/dev/full", "nonsense").returncode, 2)

    def test_other_names(self) -> None:
        """A name that is no UTF-8 is told as it is, and a terminal that has not all signs is no
        crash."""
        name = b"tr\xe4ume".decode("utf-8", "surrogateescape")
        done = subprocess.run(
            [sys.executable, "-m", "camd", "--store", name, "enroll", "a"],
            env={**os.environ, "PYTHONPATH": str(Path(camd.__file__).parents[1]),
                 "PYTHONIOENCODING": "utf-8"},
            cwd=self.directory, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn(b"tr\xe4ume", done.stdout)
        self.does("--store", "träume", "config", PYTHONIOENCODING="ascii")


class Keys(CommandCase):
    """Enrolling and revoking."""

    def test_enroll(self) -> None:
        """The key is in its file, for its owner only, and in what is printed."""
        text = self.in_store("enroll", "greenhouse-1", "--host", "camd.example")
        path = self.keys / "greenhouse-1.key"
        key = path.read_text().split()[-1]
        self.assertRegex(key, r"^[0-9a-f]{64}$")
        for name, value in (
            ("server", "camd.example"), ("port", "8940"), ("cam", "greenhouse-1"), ("key", key),
        ):  # fmt: skip
            self.assertRegex(text, rf"(?m)^  {name} +{value}$")
        self.assertEqual((mode(path), mode(self.keys)), (0o600, 0o700))
        self.assertEqual((mode(self.store), mode(self.keys.parent)), (0o750, 0o750))

    def test_address(self) -> None:
        """The board is sent to where camd listens."""
        text = self.does("enroll", "a", CAMD_LISTEN="tcp:9000:interface=192.0.2.7")
        self.assertRegex(text, r"(?m)^  server +192\.0\.2\.7$")
        self.assertRegex(text, r"(?m)^  port +9000$")
        tls = {"CAMD_TLS__CERTIFICATE": "c.pem", "CAMD_TLS__KEY": "k.pem"}
        text = self.does("enroll", "b", **tls)
        self.assertRegex(text, r"(?m)^  port +8941$")
        self.assertRegex(text, r"(?m)^  tls +1$")

    def test_print(self) -> None:
        """--print prints the key and nothing else."""
        key = self.in_store("enroll", "a", "--print")
        self.assertRegex(key, r"\A[0-9a-f]{64}\n\Z")
        self.assertIn(key, (self.keys / "a.key").read_text())

    def test_qr(self) -> None:
        """With --qr there is a code or a line on why there is none; the key is made."""
        done = self.run_camd("--store", str(self.store), "enroll", "a", "--qr")
        self.assertEqual(done.returncode, 0)
        self.assertTrue("segno" in done.stderr or "\N{FULL BLOCK}" in done.stdout)
        self.assertTrue((self.keys / "a.key").exists())

    def test_change(self) -> None:
        """A key is changed in two steps; a step out of order is an error that says what to do."""
        store = ("--store", str(self.store))
        old = self.in_store("enroll", "a", "--print").strip()
        self.assertIn("--rotate", self.fails(1, *store, "enroll", "a"))
        new = self.in_store("enroll", "a", "--rotate", "--print").strip()
        lines = (self.keys / "a.key").read_text().split("\n")
        self.assertEqual([line for line in lines if line and line[0] != "#"], [new, old])
        self.assertIn("--settle", self.fails(1, *store, "enroll", "a", "--rotate"))
        self.in_store("enroll", "a", "--settle")
        self.assertNotIn(old, (self.keys / "a.key").read_text())
        self.fails(1, *store, "enroll", "a", "--settle")
        self.fails(1, *store, "enroll", "b", "--rotate")

    def test_revoke(self) -> None:
        """A revoked camera has a file without key; a forgotten one has none."""
        key = self.in_store("enroll", "a", "--print").strip()
        self.in_store("revoke", "a")
        self.assertNotIn(key, (self.keys / "a.key").read_text())
        self.assertIn("revoked", self.in_store("ls"))
        self.in_store("revoke", "a", "--forget")
        self.assertEqual(os.listdir(self.keys), [])
        self.fails(1, "--store", str(self.store), "revoke", "a", "--forget")

    def test_no_store(self) -> None:
        """What is about keys and tokens that are there makes no store, and says that there is
        none."""
        for arguments in (
            ("revoke", "a"),
            ("revoke", "a", "--forget"),
            ("enroll", "a", "--rotate"),
            ("enroll", "a", "--settle"),
            ("enroll", "--renew"),
            ("token", "ls"),
            ("token", "rm", "grafana"),
            ("password", "--remove"),
        ):
            line = self.fails(1, "--store", str(self.store), *arguments)
            self.assertIn("there is no store at", line, arguments)
        self.assertEqual(os.listdir(self.directory), [])

    def test_no_room(self) -> None:
        """A store that cannot be made is told in a line."""
        (self.directory / "file").write_text("")
        self.assertIn("file", self.fails(1, "--store", "file", "enroll", "a"))

    def test_ca(self) -> None:
        """A CA is made once, renewed when asked, and replaced only by force."""
        text = self.in_store("enroll", "--ca", "--host", "camd.example", "--host", "192.0.2.7")
        tls = self.store / ".camd" / "tls"
        self.assertIn(f'certificate = "{tls / "server.pem"}"', text)
        self.assertEqual((mode(tls / "ca.key"), mode(tls / "server.key")), (0o600, 0o600))

        def names() -> list[str]:
            server = x509.load_pem_x509_certificate((tls / "server.pem").read_bytes())
            kind = x509.SubjectAlternativeName
            return [
                str(each.value) for each in server.extensions.get_extension_for_class(kind).value
            ]

        self.assertEqual(names(), ["camd.example", "192.0.2.7"])
        ca = (tls / "ca.pem").read_bytes()
        self.assertIn("--renew", self.fails(1, "--store", str(self.store), "enroll", "--ca"))
        self.in_store("enroll", "--renew", "--host", "other.example")
        self.assertEqual((names(), (tls / "ca.pem").read_bytes()), (["other.example"], ca))
        self.in_store("enroll", "--ca", "--force")
        self.assertNotEqual((tls / "ca.pem").read_bytes(), ca)
        self.fails(1, "--store", str(self.store), "enroll", "--ca", "--force", "--host", "a b")

    def test_ca_and_camera(self) -> None:
        """A CA and a key are made together, or, where the camera has one already, neither."""
        self.in_store("enroll", "a")
        store = ("--store", str(self.store))
        tls = self.store / ".camd" / "tls"
        self.assertIn("--rotate", self.fails(1, *store, "enroll", "--ca", "a"))
        self.fails(1, *store, "enroll", "--ca", "a", "--settle")
        self.assertFalse(tls.exists())
        text = self.in_store("enroll", "--ca", "b")
        self.assertIn("[tls]", text)
        self.assertRegex(text, r"(?m)^  cam +b$")
        self.assertTrue((tls / "ca.pem").exists())


class Photos(CommandCase):
    """Listing and checking."""

    def test_no_store(self) -> None:
        """Where no store is none is made."""
        for command in ("ls", "check"):
            self.assertIn("photos", self.fails(1, "--store", str(self.store), command))
        self.assertEqual(os.listdir(self.directory), [])

    def test_check(self) -> None:
        """What is wrong makes the exit code 1 until it is put right, and again when a photo is
        damaged later."""
        store = ("--store", str(self.store), "check")
        photos = [self.put(seq) for seq in (1, 2, 3)]
        before = sorted(self.store.rglob("*"))
        done = self.run_camd(*store)
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertEqual(done.stdout.count("unknown"), 3)
        self.assertEqual(sorted(self.store.rglob("*")), before)
        self.assertIn("put right", self.does(*store, "--fix"))
        self.assertIn("nothing is wrong", self.does(*store))
        data = bytearray(photos[0].read_bytes())
        data[len(data) // 2] ^= 1
        photos[0].write_bytes(data)
        photos[1].unlink()
        done = self.run_camd(*store)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, rf"(?m)^damaged +{FOLDER}/{photos[0].name}: .*CRC-32")
        self.assertRegex(done.stdout, rf"(?m)^missing +{FOLDER}/{photos[1].name}$")
        self.does(*store, "--fix")
        self.assertIn("1 photo as", self.does(*store))
        aside = self.store / ".camd" / "damaged" / FOLDER / photos[0].name
        self.assertEqual(aside.read_bytes(), bytes(data))

    def test_detect(self) -> None:
        """What it cannot begin with is a line, which says what to do."""
        detect = ("--store", str(self.store), "detect")
        self.put(1)
        self.assertIn("; camd check --fix makes one", self.fails(1, *detect))
        self.in_store("check", "--fix")
        self.assertIn("--model FILE", self.fails(1, *detect))
        times = ("--since", "2026-08-16", "--until", "2026-08-15")
        self.assertIn("not before --until", self.fails(2, *detect, "--model", "x.onnx", *times))

    def test_damaged_catalog(self) -> None:
        """A catalog that is none is told, and built anew from the photos."""
        store = ("--store", str(self.store), "check")
        self.put(1)
        self.does(*store, "--fix")
        (self.store / ".camd" / "catalog.sqlite").write_bytes(b"junk" * 1000)
        self.assertIn("--fix", self.fails(1, *store))
        self.fails(1, "--store", str(self.store), "ls")
        done = self.run_camd(*store, "--fix")
        self.assertEqual(done.returncode, 0)
        self.assertIn("set aside", done.stderr)
        self.assertIn("nothing is wrong", self.does(*store))

    def test_what_is_on_them(self) -> None:
        """Photos that the catalog had not are looked at, and what people said of them is known:
        whether the catalog was lost, or only the photo while the journal was read."""
        (self.directory / "looks.toml").write_text("[judge]\nenabled = true\n")
        fix = ("--config", "looks.toml", "--store", str(self.store), "check", "--fix")
        self.put(1)
        later = self.put(2)
        data = later.read_bytes()
        later.unlink()
        journal = self.store / ".camd" / "annotations.jsonl"
        journal.parent.mkdir(exist_ok=True)
        box = Annotation("gnat", Box(0.25, 0.25, 0.5, 0.5))
        said = [Said((CameraId("greenhouse-1"), parse_boot(BOOT), seq), (box,), True)
                for seq in (1, 2)]  # fmt: skip
        journal.write_text("".join(f"{each.line()}\n" for each in said))
        self.does(*fix)
        self.assertEqual(self.on_photos(), ({1: ("gnat",)}, 1))
        later.write_bytes(data)
        self.does(*fix)
        self.assertEqual(self.on_photos(), ({1: ("gnat",), 2: ("gnat",)}, 2))

    def on_photos(self) -> tuple[dict[int, tuple[str, ...]], int]:
        """Of each photo what a person saw on it; and how many wait to be looked at."""
        with closing(Catalog.open(self.store / ".camd" / "catalog.sqlite")) as catalog:
            reader = FindingsReader(catalog)
            seen = {}
            for entry in catalog.photos():
                known = reader.of(entry.id)
                if known is not None:
                    seen[entry.key[2]] = tuple(each.label for each in known.annotations)
            return seen, reader.backlog().waiting

    def test_in_use(self) -> None:
        """While a camd has the store it can be checked but not mended; what it has just begun to
        write is no fault."""
        store = ("--store", str(self.store), "check")
        self.put(1)
        self.does(*store, "--fix")
        with (self.store / ".camd" / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.assertIn("in use", self.fails(1, *store, "--fix"))
            self.put(2)
            (self.store / FOLDER / ".camd-1.part").write_bytes(b"\xff\xd8")
            self.assertIn("nothing is wrong", self.does(*store))
            self.assertIn("greenhouse-1", self.in_store("ls"))
        self.assertEqual(self.run_camd(*store).returncode, 1)

    def test_ls(self) -> None:
        """All cameras are listed, with photos or with a key; of one, its newest photos."""
        for seq in (1, 2, 3):
            self.put(seq)
        self.in_store("check", "--fix")
        self.in_store("enroll", "orchard")
        cameras = json.loads(self.in_store("ls", "--json"))
        self.assertEqual(
            cameras,
            [
                {
                    "camera": "greenhouse-1",
                    "photos": 3,
                    "bytes": sum(len(insects(seq)) for seq in (1, 2, 3)),
                    "newest": "2026-08-15T22:15:03.000Z",
                    "key": "no",
                },
                {"camera": "orchard", "photos": 0, "bytes": 0, "newest": None, "key": "yes"},
            ],
        )
        self.assertRegex(self.in_store("ls"), r"(?m)^greenhouse-1 +3 .* no *$")
        photos = json.loads(self.in_store("ls", "greenhouse-1", "--json", "-n", "2"))
        self.assertEqual([photo["seq"] for photo in photos], [3, 2])
        self.assertEqual((photos[0]["width"], photos[0]["boot"]), (320, BOOT))
        self.assertTrue((self.store / photos[0]["path"]).is_file())
        text = self.in_store("ls", "greenhouse-1")
        self.assertRegex(text, rf"(?m) 320x240 .*{FOLDER}/greenhouse-1_\S+-3\.jpg *$")
        self.fails(1, "--store", str(self.store), "ls", "stranger")
        self.assertIn("no photo", self.in_store("ls", "orchard"))
