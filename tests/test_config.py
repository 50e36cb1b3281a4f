"""Settings: what they may be, where they come from, and what is said of mistakes."""

import os
import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from camd.config import (
    Bytes,
    CameraEntry,
    Config,
    ConfigError,
    Loaded,
    Seconds,
    Secret,
    Share,
    duration_text,
    load,
    read_duration,
    read_share,
    read_size,
    reloadable,
    shape,
    shown,
    size_text,
    sources,
)
from camd.config.layers import Layer, Merged
from camd.config.structure import Wrong, structured
from camd.config.telling import AlertEntry, WebhookEntry
from camd.config.tree import (
    LimitsConfig,
    LogConfig,
    ManholeConfig,
    StoreConfig,
    TlsConfig,
    WireConfig,
)
from camd.config.units import LARGEST, LONGEST
from camd.photo import CameraId

EXAMPLE = Path(__file__).parent.parent / "etc" / "camd.toml"


class FilesTestCase(SynchronousTestCase):
    """A test case with a directory of its own for configuration files."""

    def setUp(self) -> None:
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        (self.directory / "conf.d").mkdir(parents=True)
        self.file = self.directory / "camd.toml"

    def write(self, text: str, name: str = "camd.toml") -> Path:
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def loaded(self, text: str, **environ: str) -> Loaded:
        return load(self.write(text), environ, {})

    def mistakes(self, text: str, **environ: str) -> list[str]:
        """The lines that a configuration is refused with."""
        path = self.write(text)
        error = self.assertRaises(ConfigError, load, path, environ, {})
        return str(error).replace(str(self.directory), "").splitlines()


class UnitsTests(SynchronousTestCase):
    """Durations, sizes and shares, as text and as numbers."""

    def test_durations(self) -> None:
        """Seconds and text in each unit are durations, with or without the space."""
        for value, seconds in (
            (0, 0.0),
            (1.5, 1.5),
            ("150 ms", 0.15),
            ("10s", 10.0),
            ("2 min", 120.0),
            ("1.5 h", 5400.0),
            ("30 d", 2_592_000.0),
            ("5m", 300.0),
            ("2 hours", 7200.0),
            ("1 day", 86_400.0),
        ):
            self.assertEqual(read_duration(value), seconds, value)

    def test_not_durations(self) -> None:
        """A truth, a bare number in text, another unit, a negative or endless time are none."""
        bad: tuple[object, ...] = (
            *(True, None, "", "10", "10 mo", "-1 s", "1e3 s", "\u0665 s", "10 s 5 ms", -1, -0.5),
            *(float("nan"), float("inf"), 10**400, LONGEST + 1, "99999 d", [1], {}),
        )
        for value in bad:
            self.assertRaises(ValueError, read_duration, value)

    @given(st.floats(0, LONGEST).map(read_duration))
    def test_durations_round_trip(self, seconds: Seconds) -> None:
        """A duration's text reads as that duration, to the microsecond."""
        self.assertEqual(read_duration(duration_text(seconds)), seconds)

    def test_duration_text(self) -> None:
        """A duration is written in the largest unit that leaves no fraction."""
        for seconds, text in (
            (0.0, "0 s"),
            (0.15, "150 ms"),
            (0.0015, "0.0015 s"),
            (90.0, "90 s"),
            (120.0, "2 min"),
            (2_592_000.0, "30 d"),
        ):
            self.assertEqual(duration_text(Seconds(seconds)), text)

    def test_sizes(self) -> None:
        """Bytes and text in each unit are sizes; capitals do not matter, and K is kilo."""
        for value, size in (
            (0, 0),
            ("64 MiB", 64 * 2**20),
            ("2 GB", 2 * 10**9),
            ("500 kB", 500_000),
            ("500KB", 500_000),
            ("1.5 KiB", 1536),
            ("7 B", 7),
        ):
            self.assertEqual(read_size(value), size, value)

    def test_not_sizes(self) -> None:
        """A truth, a fraction of a byte, a bare number in text and too much are none."""
        bad: tuple[object, ...] = (True, 1.0, -1, "5", "5 %", "-5 B", "1 PB", 2**63, "9e9 B", None)
        for value in bad:
            self.assertRaises(ValueError, read_size, value)

    @given(st.integers(0, LARGEST).map(Bytes))
    def test_sizes_round_trip(self, size: Bytes) -> None:
        """A size's text reads as that size."""
        self.assertEqual(read_size(size_text(size)), size)

    @given(
        st.one_of(
            st.integers(0, LARGEST).map(lambda size: Share(Bytes(size))),
            st.floats(0, 100).map(lambda part: Share(percent=round(part, 6))),
        )
    )
    def test_shares_round_trip(self, share: Share) -> None:
        """A share's text reads as that share."""
        self.assertEqual(read_share(str(share)), share)

    def test_shares(self) -> None:
        """A share is so many bytes whatever the whole, or a part of the whole."""
        self.assertEqual(read_share("1 kB").of(10**9), 1000)
        self.assertEqual(read_share("5 %").of(10**9), 50_000_000)
        self.assertEqual(read_share(4096).of(10), 4096)
        for value in ("101 %", "-1 %", "%", 0.5, True, None):
            self.assertRaises(ValueError, read_share, value)

    def test_secrets_hide(self) -> None:
        """A secret is in no text that is made of it, nor of what holds it."""
        secret = Secret("hunter2")
        for text in (repr(secret), str(secret), f"{secret}", repr([secret])):
            self.assertNotIn("hunter2", text)
        self.assertEqual(secret.reveal, "hunter2")
        self.assertFalse(Secret())


class PrecedenceTests(FilesTestCase):
    """Which of two values holds, and where it is said to come from."""

    def test_nothing(self) -> None:
        """Nothing at all is a configuration: the defaults."""
        loaded = load(None, {}, {})
        self.assertEqual(loaded.config, Config())
        self.assertEqual(set(loaded.origin.values()), {"default"})
        self.assertEqual(set(loaded.origin), set(shape.keys(Config)))

    def test_each_wins_over_the_next(self) -> None:
        """Option, environment, conf.d, file, default: taking one away leaves the next."""
        path = self.write("[wire]\nwindow = 1")
        conf_d = self.write("[wire]\nwindow = 2", "conf.d/a.toml")
        environ = {"CAMD_WIRE__WINDOW": "3"}
        for options, env, window, origin in (
            ({"wire.window": 4}, environ, 4, "option --wire-window"),
            ({"wire.window": None}, environ, 3, "environment CAMD_WIRE__WINDOW"),
            ({}, {}, 2, f"file {conf_d}"),
        ):
            loaded = load(path, env, options)
            self.assertEqual(loaded.config.wire.window, window)
            self.assertEqual(loaded.origin["wire.window"], origin)
        conf_d.unlink()
        loaded = load(path, {}, {})
        self.assertEqual(loaded.config.wire.window, 1)
        self.assertEqual(loaded.origin["wire.window"], f"file {path}")
        self.assertEqual(loaded.origin["wire.max"], "default")

    def test_conf_d_is_sorted(self) -> None:
        """The last of conf.d by name wins; editors' left-overs are not read."""
        for name in ("10-b", "02-c"):
            self.write('[log]\nlevel = "warn"', f"conf.d/{name}.toml")
        self.write('[log]\nlevel = "error"', "conf.d/9-a.toml")
        self.write("nonsense", "conf.d/.#9-a.toml")
        self.write("nonsense", "conf.d/zz.toml~")
        self.assertEqual(self.loaded("").config.log.level, "error")

    def test_sections_are_merged(self) -> None:
        """A section of conf.d changes the keys it names and leaves the others."""
        self.write("[store]\nwriters = 2", "conf.d/a.toml")
        store = self.loaded('[store]\nlayout = "flat"\nwriters = 3').config.store
        self.assertEqual((store.layout, store.writers), ("flat", 2))

    def test_cameras_are_concatenated(self) -> None:
        """Cameras of all files come together, each with where its settings are from."""
        other = self.write('[[camera]]\nid = "b"\npace = 3', "conf.d/b.toml")
        loaded = self.loaded('[[camera]]\nid = "a"\nnote = "x"')
        self.assertEqual([entry.id for entry in loaded.config.camera_entries], ["a", "b"])
        self.assertEqual(loaded.origin["camera[a].note"], f"file {self.file}")
        self.assertEqual(loaded.origin["camera[b].pace"], f"file {other}")

    def test_lists_are_replaced(self) -> None:
        """A list of values is one value: a later one stands for it whole."""
        self.write('listen = ["tcp:2"]', "conf.d/a.toml")
        self.assertEqual(self.loaded('listen = ["tcp:1", "tcp:3"]').config.listen, ("tcp:2",))

    def test_file_named_by_the_environment(self) -> None:
        """CAMD_CONFIG names the file where no option does."""
        path = self.write("[wire]\nwindow = 5")
        loaded = load(None, {"CAMD_CONFIG": str(path)}, {})
        self.assertEqual(loaded.config.wire.window, 5)
        self.assertEqual(load(None, {"CAMD_CONFIG": ""}, {}).config, Config())
        other = self.write("[wire]\nwindow = 6", "other.toml")
        self.assertEqual(load(other, {"CAMD_CONFIG": str(path)}, {}).config.wire.window, 6)

    def test_options(self) -> None:
        """Options come as text, lists or truths, and are called what people typed."""
        loaded = load(
            None,
            {},
            {
                "store.path": "photos",
                "listen": ["tcp:1", "unix:/x,y"],
                "manhole.listen": "off",
                "log.json": True,
                "store.keep_free": "5 %",
            },
        )
        config = loaded.config
        self.assertEqual(config.store.path, Path("photos"))
        self.assertEqual(config.listen, ("tcp:1", "unix:/x,y"))
        self.assertTrue(config.log.json)
        self.assertEqual(config.store.keep_free, Share(percent=5.0))
        self.assertEqual(
            [loaded.origin[key] for key in ("store.path", "manhole.listen", "log.json")],
            ["option --store", "option --manhole", "option --log-json"],
        )

    def test_byte_order_mark(self) -> None:
        """A file that begins with a byte order mark is read all the same."""
        self.file.write_bytes(b"\xef\xbb\xbf[wire]\nwindow = 7")
        self.assertEqual(load(self.file, {}, {}).config.wire.window, 7)


class EnvironmentTests(FilesTestCase):
    """What the text of a variable means."""

    def read(self, **environ: str) -> Config:
        return load(None, environ, {}).config

    def test_by_type(self) -> None:
        """A variable is read as the type that its key has."""
        config = self.read(
            CAMD_STORE__QUARANTINE="true",
            CAMD_STORE__THIN_TO="90",
            CAMD_STORE__SWEEP="5 min",
            CAMD_STORE__PATH="1979",
            CAMD_STORE__LAYOUT='"flat"',
            CAMD_WIRE__MAX="1 MB",
            CAMD_CAMERAS__SILENT_AFTER="4",
        )
        self.assertIs(config.store.quarantine, True)
        self.assertEqual((config.store.thin_to, config.store.sweep), (90.0, 300.0))
        self.assertEqual((config.store.path, config.store.layout), (Path("1979"), "flat"))
        self.assertEqual((config.wire.max, config.cameras.silent_after), (10**6, 4.0))

    def test_lists(self) -> None:
        """A list is TOML's, or its elements with commas between them."""
        for text, listen in (
            ("tcp:1", ("tcp:1",)),
            ("tcp:1, tcp:2,", ("tcp:1", "tcp:2")),
            ('["tcp:1", "unix:/a,b"]', ("tcp:1", "unix:/a,b")),
            ("", ()),
        ):
            self.assertEqual(self.read(CAMD_LISTEN=text).listen, listen)

    def test_text_is_not_toml_twice(self) -> None:
        """Text cannot smuggle a second key in."""
        self.assertEqual(self.read(CAMD_STORE__PATH='"a"\nb = 1').store.path, Path('"a"\nb = 1'))

    def test_strict(self) -> None:
        """What is no value of the type is a mistake that names the variable."""
        for name, text in (
            ("CAMD_STORE__QUARANTINE", "yes"),
            ("CAMD_STORE__QUARANTINE", "1"),
            ("CAMD_WIRE__WINDOW", "eight"),
            ("CAMD_WIRE__WINDOW", ""),
            ("CAMD_WIRE__WINDOW", "8.0"),
            ("CAMD_TIMES__LINE", "1979-05-27"),
        ):
            error = self.assertRaises(ConfigError, load, None, {name: text}, {})
            self.assertIn(f"(environment {name})", str(error))

    def test_unknown(self) -> None:
        """A variable of camd's that means nothing is a mistake, with a hint at a near one."""
        error = self.assertRaises(ConfigError, load, None, {"CAMD_STORE__PAHT": "/x"}, {})
        self.assertEqual(len(error.mistakes), 1)
        self.assertIn("did you mean CAMD_STORE__PATH?", str(error))
        self.assertNotIn("/x", str(error))
        self.assertEqual(self.read(CAMDEN="1", PATH="/bin"), Config())

    def test_from_a_file(self) -> None:
        """..._FILE takes the value from that file, without its last line end."""
        path = self.write("noon\n", "session")
        loaded = load(None, {"CAMD_STORE__SESSION_FILE": str(path)}, {})
        self.assertEqual(loaded.config.store.session, "noon")
        self.assertEqual(loaded.origin["store.session"], "environment CAMD_STORE__SESSION_FILE")

    def test_from_a_file_that_is_not_there(self) -> None:
        """A file that cannot be read is a mistake of the key that it was for."""
        environ = {"CAMD_STORE__SESSION_FILE": str(self.directory / "none")}
        error = self.assertRaises(ConfigError, load, None, environ, {})
        self.assertEqual(error.mistakes[0].key, "store.session")
        self.assertIn("No such file", str(error))

    def test_both(self) -> None:
        """A value and a file for the same key are a mistake."""
        environ = {"CAMD_STORE__SESSION": "noon", "CAMD_STORE__SESSION_FILE": "/dev/null"}
        error = self.assertRaises(ConfigError, load, None, environ, {})
        self.assertIn("only one of it and CAMD_STORE__SESSION", str(error))


class MistakesTests(FilesTestCase):
    """A mistake is one line that names the key, what it got, what it wants and whence."""

    def test_lines(self) -> None:
        """Each mistake is said as these lines say it."""
        for text, line in (
            ("[wire]\nwindow = 257", "wire.window: got 257, wants 1 to 256"),
            ("[wire]\nwindow = true", "wire.window: got true, wants a whole number"),
            ('[wire]\nwindow = "5"', 'wire.window: got "5", wants a whole number'),
            ("[wire]\nmax = 399999", "wire.max: got 399999, wants 400000 to 1073741824"),
            ("[store]\nquarantine = 1", "store.quarantine: got 1, wants true or false"),
            ("[store]\npath = 5", "store.path: got 5, wants a path"),
            ('[store]\nlayout = "x"', 'store.layout: got "x", wants "days" or "flat"'),
            ("[store]\nlayout = [1]", 'store.layout: got [1], wants "days" or "flat"'),
            ("store = 5", "store: got something else, wants a table"),
            ("[listen]\nx = 1", 'listen: got a table, wants a list, such as ["one", "two"]'),
            ('listen = ["tcp:1", 5]', "listen[#2]: got 5, wants text"),
            ("[detect]\ntile = 31", "detect.tile: got 31, wants 0, or 32 to 8192"),
            ("[times]\nline = 0", "times.line: got 0, wants a duration of 1 ms or more"),
            (
                "[web]\nlogin_attempts = 99999999999999999999",
                "web.login_attempts: got a huge number, wants 1 to 1000000000000",
            ),
            (
                '[store]\nremember = "29 d"',
                'store.remember: got "29 d", wants a duration of 30 d or more',
            ),
            (
                "[cameras]\nsilent_after = nan",
                "cameras.silent_after: got nan, wants a finite number",
            ),
            ("[[camera]]\nname = 'x'", "camera[#1].id: got nothing, wants a value"),
        ):
            self.assertEqual(self.mistakes(text), [f"{line} (file /camd.toml)"])

    def test_hints(self) -> None:
        """An unknown key is told from a near one, here or in another section."""
        for text, key, hint in (
            ("[store]\npth = 1", "store.pth", "; did you mean store.path?"),
            ("[stor]\npath = 1", "stor", "; did you mean store?"),
            ("keep_free = 1", "keep_free", "; did you mean store.keep_free?"),
            ("xyzzy = 1", "xyzzy", ""),
            (
                "[[camera]]\nid = 'a'\npaces = 1",
                "camera[a].paces",
                "; did you mean camera[a].pace?",
            ),
        ):
            line = f"{key}: got an unknown key, wants one of camd's{hint} (file /camd.toml)"
            self.assertEqual(self.mistakes(text), [line])

    def test_all_at_once(self) -> None:
        """Mistakes of every file, the environment and options come together."""
        path = self.write('[tls]\ncertificate = "/c"\n[wire]\nwindow = 0\n[[camera]]\nid = "A"')
        self.write("[[camera]]\nid = 'b'\npace = -1", "conf.d/a.toml")
        self.write("[[camera", "conf.d/b.toml")
        error = self.assertRaises(
            ConfigError, load, path, {"CAMD_X": "1"}, {"store.path": "", "no.such": "1"}
        )
        self.assertEqual(
            {mistake.key for mistake in error.mistakes},
            {
                *("config", "CAMD_X", "store.path", "no", "tls.key", "wire.window"),
                *("camera[A].id", "camera[b].pace"),
            },
        )

    def test_files_that_cannot_be_read(self) -> None:
        """A missing file, a directory, broken TOML and bytes that are no text are mistakes."""
        self.file.write_bytes(b"\xff")
        (self.directory / "d").mkdir()
        deep = self.write("a = " + "[" * 100_000, "deep")
        huge = self.write("a = " + "1" * 10_000, "huge")
        for path, why in (
            (self.directory / "none", "No such file"),
            (self.directory / "d", "Is a directory"),
            (self.file, "byte 0 is not UTF-8"),
            (self.write("[store", "broken"), "end of a table"),
            (deep, "nested too deep"),
            (huge, "TOML"),
        ):
            error = self.assertRaises(ConfigError, load, path, {}, {})
            self.assertEqual([mistake.key for mistake in error.mistakes], ["config"])
            self.assertIn(why, str(error))
            self.assertIn(path.name, str(error))

    def test_values_that_are_hard_to_show(self) -> None:
        """Deep tables, huge numbers and endless text give one short line."""
        for value in (
            "0x" + "f" * 10_000,
            '"' + "x" * 10_000 + '"',
            "{" + ".".join("a" * 2000) + " = 1}",
            "[" * 50 + "]" * 50,
            r'"\u001b[2J\n\u0000"',
        ):
            (line,) = self.mistakes(f"[wire]\nwindow = {value}")
            self.assertTrue(line.isprintable())
            self.assertTrue(len(line) < 200, line)

    def test_bad_cameras(self) -> None:
        """Ids, addresses, time zones and names of cameras are looked at."""
        for setting in (
            'id = "../x"',
            'id = "v1-10-0-0-1"',
            'id = "a"\naddress = ["10.0.0.256"]',
            'id = "a"\naddress = "10.0.0.1"',
            'id = "a"\ntimezone = "Mars/Olympus"',
            'id = "a"\ntimezone = "../../etc/passwd"',
            'id = "a"\nname = "two\\nlines"',
            'id = "a"\nquota_photos = -1',
        ):
            self.assertEqual(len(self.mistakes(f"[[camera]]\n{setting}")), 1, setting)

    def test_twice(self) -> None:
        """One id, or one address in two spellings, for two cameras is a mistake."""
        (line,) = self.mistakes('[[camera]]\nid = "a"\n[[camera]]\nid = "a"')
        self.assertIn("wants an id that is not taken", line)
        (line,) = self.mistakes(
            '[[camera]]\nid = "a"\naddress = ["::ffff:10.0.0.1"]\n'
            '[[camera]]\nid = "b"\naddress = ["10.0.0.1"]'
        )
        self.assertIn("10.0.0.1 is a's", line)
        self.assertTrue(line.startswith("camera[b].address"))

    def test_twice_behind_a_broken_one(self) -> None:
        """What is wrong with one camera does not shift the blame for another."""
        lines = self.mistakes(
            '[[camera]]\nname = "x"\n[[camera]]\nid = "a"\n[[camera]]\nid = "a"\npace = 1'
        )
        self.assertEqual([line.split(":")[0] for line in lines], ["camera[#1].id", "camera[a].id"])

    def test_contradictions(self) -> None:
        """Half a key pair, TLS without a certificate, too little memory for one photo."""
        for text, key in (
            ('[tls]\ncertificate = "/c"', "tls.key"),
            ('[tls]\nkey = "/k"', "tls.certificate"),
            ('[tls]\nlisten = ["tcp:1"]', "tls.certificate"),
            ('[limits]\nheld = "1 MB"', "limits.held"),
            ('[wire]\nmax = "1 GiB"', "limits.held"),
        ):
            (line,) = self.mistakes(text)
            self.assertEqual(line.split(":")[0], key)
            self.assertIn("(file /camd.toml)", line)

    def test_no_blame_by_hearsay(self) -> None:
        """A value that is wrong itself contradicts nothing."""
        (line,) = self.mistakes('[tls]\ncertificate = "/c"\nkey = 5')
        self.assertIn("tls.key: got 5", line)

    def test_endpoints(self) -> None:
        """What is no endpoint, or has no such port, is refused; kinds are not judged."""
        for good in (
            *("tcp:8940", "tcp6:0:interface=\\:\\:", "unix:/run/x", "haproxy:tcp:8940"),
            *("systemd:domain=INET:name=camd", "tcp:interface=127.0.0.1:port=1", "tcp:port=5"),
        ):
            self.assertEqual(load(None, {}, {"listen": [good]}).config.listen, (good,))
        for bad in ("8940", "", ":8940", "tcp:", "tcp:65536", "tcp:x", "tcp:port=", "tcp:1\n"):
            self.assertRaises(ConfigError, load, None, {}, {"listen": [bad]})
        for bad in ("on", "tcp:99999"):
            self.assertRaises(ConfigError, load, None, {}, {"manhole.listen": bad})

    def test_used_later(self) -> None:
        """What proves wrong only in use is told in the same words."""
        loaded = load(None, {"CAMD_LISTEN": "foo:1"}, {})
        error = loaded.error("listen", loaded.config.listen, "an endpoint that Twisted knows")
        self.assertEqual(
            str(error),
            'listen: got ["foo:1"], wants an endpoint that Twisted knows (environment CAMD_LISTEN)',
        )

    TOML = st.recursive(
        st.one_of(
            st.booleans().map(lambda value: str(value).lower()),
            st.integers().map(str),
            st.floats().map(str),
            st.text(st.characters(exclude_categories=["C"]), max_size=8).map(
                lambda text: '"' + text.replace("\\", "").replace('"', "") + '"'
            ),
            st.just("1979-05-27"),
            st.just("07:32:00"),
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
            inner.map(lambda value: f"{{id = {value}, x = 1}}"),
        ),
        max_leaves=5,
    )
    KEYS = st.sampled_from([*shape.keys(Config), "store", "tls.x", "camera", '"a.b"', "log"])

    @given(st.lists(st.tuples(KEYS, TOML), max_size=5))
    def test_arbitrary_settings(self, pairs: list[tuple[str, str]]) -> None:
        """Whatever stands in the file, it is a configuration or a ConfigError of short lines."""
        self.tried("\n".join(f"{key} = {value}" for key, value in pairs))

    @given(st.text())
    def test_arbitrary_text(self, text: str) -> None:
        """Text that is no TOML is a ConfigError."""
        self.tried(text)

    @given(
        st.dictionaries(
            st.sampled_from([sources.variable(key) for key in shape.keys(Config)] + ["CAMD_?"]),
            st.text(),
            max_size=4,
        )
    )
    def test_arbitrary_environment(self, environ: dict[str, str]) -> None:
        """Whatever the environment says, it is a configuration or a ConfigError."""
        try:
            load(None, environ, environ)
        except ConfigError as error:
            self.assertTrue(error.mistakes)

    def tried(self, text: str) -> None:
        self.file.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            loaded = load(self.file, {}, {})
        except ConfigError as error:
            lines = str(error).split("\n")
            self.assertEqual(len(lines), len(error.mistakes))
            self.assertTrue(all(line.isprintable() for line in lines))
        else:
            self.assertEqual(set(shown(loaded.config)) - set(shape.keys(Config)), set())


@attrs.frozen
class Door:
    """A section with a secret.

    :ivar password: what opens it.
    """

    password: Secret = attrs.field(factory=Secret)


@attrs.frozen
class House:
    """A tree that is not camd's."""

    door: Door = Door()
    doors: tuple[Door, ...] = ()


class SecretsTests(FilesTestCase):
    """Secrets in any tree: taken as they are, shown nowhere."""

    def test_environment(self) -> None:
        """A secret from the environment is its text, quotes, digits and all."""
        for text in ("12345", '"quoted"', "true", "a,b", " x "):
            mistakes: list[Any] = []
            (layer,) = sources.environment_layers(House, {"CAMD_DOOR__PASSWORD": text}, mistakes)
            house, faults = structured(House, layer.values)
            self.assertEqual((house.door.password.reveal, faults, mistakes), (text, [], []))

    def test_shown(self) -> None:
        """A tree that is shown or printed does not give its secrets away."""
        house = House(Door(Secret("hunter2")), (Door(Secret("hunter3")),))
        self.assertNotIn("hunter", repr(house) + repr(shown(house)))
        self.assertEqual(shown(house)["door.password"], '"(hidden)"')
        self.assertEqual(shown(House())["door.password"], '""')

    def test_mistakes(self) -> None:
        """A secret of a wrong type is a fault at its key."""
        _, faults = structured(House, {"door": {"password": 5}})
        self.assertEqual(faults, [Wrong(("door", "password"), "text")])

    def test_a_secret_under_a_wrong_key(self) -> None:
        """The value of an unknown key is not repeated: it may be a secret's."""
        self.assertNotIn("hunter2", "".join(self.mistakes('[log]\npasword = "hunter2"')))
        self.assertNotIn("hunter2", "".join(self.mistakes('log = "hunter2"')))


class LayersTests(SynchronousTestCase):
    """Layers on top of each other."""

    def test_replaced_by_another_kind(self) -> None:
        """A table on a value, or a value on a table, stands for it, and its origin too."""
        merged = Merged()
        merged.put(Layer("one", {"a": {"b": 1}, "c": 2, "d": [{"e": 1}]}))
        merged.put(Layer("two", {"a": 3, "c": {"x": 4}, "d": 5}))
        self.assertEqual(merged.values, {"a": 3, "c": {"x": 4}, "d": 5})
        self.assertEqual(set(merged.origins.values()), {"two"})

    def test_layers_are_not_changed(self) -> None:
        """Merging leaves what was merged as it was."""
        first = {"a": {"b": 1}, "d": [{"e": 1}]}
        merged = Merged()
        merged.put(Layer("one", first))
        merged.put(Layer("two", {"a": {"b": 2}, "d": [{"e": 2}]}))
        self.assertEqual(first, {"a": {"b": 1}, "d": [{"e": 1}]})
        self.assertEqual(merged.values, {"a": {"b": 2}, "d": [{"e": 1}, {"e": 2}]})


class CamerasTests(FilesTestCase):
    """What holds for one camera."""

    def test_own_over_general(self) -> None:
        """A camera's own settings win; what it leaves out is as for all."""
        config = self.loaded(
            '[store]\nsession = "noon"\nmax_age = "9 d"\n'
            '[cameras]\npace = "5 s"\nquota_photos = 7\n'
            '[[camera]]\nid = "a"\nname = "Gate"\npace = 0\nmax_age = "1 d"\ntimezone = "UTC"'
        ).config
        camera = config.camera(CameraId("a"))
        self.assertEqual((camera.id, camera.name, camera.pace), ("a", "Gate", 0.0))
        self.assertEqual((camera.session, camera.quota_photos), ("noon", 7))
        self.assertEqual((camera.max_age, camera.timezone), (86_400.0, "UTC"))
        other = config.camera(CameraId("b"))
        self.assertEqual((other.id, other.name, other.pace), ("b", "", 5.0))
        self.assertEqual((other.max_age, other.timezone), (9 * 86_400.0, ""))

    def test_nothing_is_none(self) -> None:
        """Every setting of a camera has a value, whatever was left out."""
        camera = Config().camera(CameraId("x"))
        for attribute in attrs.fields(type(camera)):
            self.assertIsNotNone(getattr(camera, attribute.name), attribute.name)
        self.assertEqual(
            {attribute.name for attribute in attrs.fields(CameraEntry)},
            {attribute.name for attribute in attrs.fields(type(camera))},
        )

    def test_asked_again(self) -> None:
        """The same camera is the same object, and strangers do not pile up for ever."""
        config = Config()
        self.assertIs(config.camera(CameraId("a")), config.camera(CameraId("a")))
        for number in range(30_000):
            config.camera(CameraId(f"c{number}"))
        self.assertTrue(len(config._effective) <= 25_000)

    def test_asking_changes_nothing(self) -> None:
        """A configuration that was asked equals, and hashes as, one that was not."""
        asked = Config()
        asked.camera(CameraId("a"))
        self.assertEqual(asked, Config())
        self.assertEqual(hash(asked), hash(Config()))

    def test_named_address(self) -> None:
        """An address has a camera's name in every way it may be written."""
        config = self.loaded(
            '[[camera]]\nid = "a"\naddress = ["10.0.0.1", "FE80:0::1"]\n[[camera]]\nid = "b"'
        ).config
        for address in ("10.0.0.1", "::ffff:10.0.0.1", "::ffff:a00:1", "fe80::1", "fe80::1%eth0"):
            self.assertEqual(config.named_address(address), "a", address)
        for address in ("10.0.0.2", "", "unix", "/run/camd.sock"):
            self.assertIsNone(config.named_address(address), address)
        self.assertIsNone(Config().named_address("10.0.0.1"))


class ReloadTests(SynchronousTestCase):
    """What can change while camd runs."""

    def test_nothing(self) -> None:
        """Equal trees, and changes that take effect at once, name no key."""
        new = Config(limits=LimitsConfig(connections=1), wire=WireConfig(window=1))
        self.assertEqual(reloadable(Config(), Config()), ())
        self.assertEqual(reloadable(Config(), new), ())

    def test_restart(self) -> None:
        """Ports, what the store is made of, and what is looked at only once wait for a restart."""
        new = Config(
            listen=("tcp:1",),
            store=StoreConfig(path=Path("x"), layout="flat", batch=1, sweep=Seconds(9.0)),
            manhole=ManholeConfig(listen="off"),
            log=LogConfig(level="debug"),
        )
        self.assertEqual(
            reloadable(Config(), new),
            ("listen", "store.path", "store.layout", "store.batch", "store.sweep",
             "manhole.listen", "log.level"),
        )  # fmt: skip

    def test_doors(self) -> None:
        """A door that a certificate or keys open waits too, and so do other keys; another
        certificate does not."""
        tls = TlsConfig(certificate=Path("a"), key=Path("b"))
        self.assertEqual(tls.endpoints, ("tcp:8941",))
        self.assertEqual(reloadable(Config(), Config(tls=tls)), ("tls.listen",))
        other = attrs.evolve(tls, certificate=Path("c"))
        self.assertEqual(reloadable(Config(tls=tls), Config(tls=other)), ())
        manhole = ManholeConfig(authorized_keys=Path("k"))
        self.assertIsNone(Config().manhole.endpoint)
        self.assertEqual(manhole.endpoint, "tcp:8943:interface=127.0.0.1")
        keys = ("manhole.authorized_keys",)
        self.assertEqual(reloadable(Config(), Config(manhole=manhole)), keys)
        others = Config(manhole=ManholeConfig(authorized_keys=Path("others")))
        self.assertEqual(reloadable(Config(manhole=manhole), others), keys)


def sections(section: Any) -> Iterator[Any]:
    """*section*, and those within it and its arrays."""
    yield section
    for attribute in shape.settings(section):
        inner = shape.element(attribute.type) or attribute.type
        if shape.is_section(inner):
            yield from sections(inner)


class DocumentsTests(FilesTestCase):
    """Every setting is explained, where it is defined and in the file."""

    SETTING = re.compile(r"^#(?=[a-z\[])", re.MULTILINE)

    def test_docstrings(self) -> None:
        """The docstring of each section names each of its settings, and nothing else."""
        for section in sections(Config):
            named = re.findall(r":ivar (\w+):", section.__doc__)
            self.assertEqual(
                sorted(named), sorted(attribute.name for attribute in shape.settings(section))
            )

    def test_as_delivered(self) -> None:
        """The file as it is changes nothing."""
        self.assertEqual(load(EXAMPLE, {}, {}).config, Config())

    def test_uncommented(self) -> None:
        """With every setting uncommented the file says all keys, each with its default."""
        text = self.SETTING.sub("", EXAMPLE.read_text(encoding="utf-8"))
        config = self.loaded(text).config
        self.assertEqual(attrs.evolve(config, camera=(), webhook=(), alert=()), Config())
        (camera,) = config.camera_entries
        values = tomllib.loads(text)
        for name, section in (
            ("camera", CameraEntry), ("webhook", WebhookEntry), ("alert", AlertEntry),
        ):  # fmt: skip
            (entry,) = values.pop(name)
            self.assertEqual(set(entry), set(shape.keys(section)))
        written = {
            f"{key}.{inner}" if inner else key
            for key, value in values.items()
            for inner in (value if isinstance(value, dict) else [""])
        }
        self.assertEqual(written, set(shape.keys(Config)) - {"camera", "webhook", "alert"})
        self.assertTrue(camera.name)

    def test_shown(self) -> None:
        """What is shown of the defaults is what stands in the file."""
        text = self.SETTING.sub("", EXAMPLE.read_text(encoding="utf-8"))
        general = text[: text.index("\n[[camera]]\n")]
        values = shown(Config())
        for key, value in values.items():
            self.assertIn(f"\n{key.rpartition('.')[2]} = {value}\n", general)

    def test_every_setting_is_explained(self) -> None:
        """A sentence stands over each setting, or over a run of a camera's."""
        lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
        general = lines[: lines.index("#[[camera]]")]
        for before, line in pairwise(general):
            if self.SETTING.match(line):
                self.assertTrue(before.startswith("# "), line)

    def test_shown_reads_as_it_was(self) -> None:
        """What is shown of a configuration is a file that makes it again."""
        config = Config(
            store=StoreConfig(path=Path('a "b" é'), keep_free=Share(percent=2.5)),
            tls=TlsConfig(Path("/c"), Path("/k"), ("tcp:1",)),
        )
        text = "\n".join(f"{key} = {value}" for key, value in shown(config).items())
        self.assertEqual(self.loaded(text).config, config)

    def test_home(self) -> None:
        """A path may begin with the home directory's tilde."""
        self.assertEqual(
            self.loaded('[store]\npath = "~/x"').config.store.path,
            Path(os.path.expanduser("~/x")),
        )
