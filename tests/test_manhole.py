"""OpenSSH gets in with its key only, and finds a prompt that shows what Deferreds come to."""

import contextlib
import fcntl
import io
import os
import re
import shutil
import socket
import stat
import struct
import termios
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import Key
from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import Clock
from twisted.logger import formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from camd import manhole
from camd.manhole import ManholeError, helpers, host_key, manhole_service

SSH = shutil.which("ssh")
WAIT = 15.0
CSI = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[=>Mc])")
ERASED = re.compile(r"[^\n]*\x1b\[2K")
NOW = 1_786_832_103.0


class Fleet:
    """Two cameras, of which one is there."""

    def __init__(self) -> None:
        self.cameras = {
            "greenhouse-1": SimpleNamespace(
                id="greenhouse-1", state="connected", protocol="v2", address="192.0.2.7",
                first_seen=NOW - 90_000, last_seen=NOW - 5, photos=1234, bytes=56_789_000,
                refused={"crc": 2}, telemetry={"vbat": 3.9}, settings=None, connected=True,
                fw="1.0\x1b[2J",
            ),
            "orchard": SimpleNamespace(
                id="orchard", state="never seen", protocol="", address="", first_seen=0,
                last_seen=0, photos=0, bytes=0, refused=None, telemetry=None, settings=None,
                connected=False,
            ),
        }  # fmt: skip
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.answers: list[Deferred[Any]] = []

    def command(self, id: str, name: str, **arguments: Any) -> "Deferred[Any]":
        self.asked.append((id, name, arguments))
        if not self.cameras[id].connected:
            return fail(RuntimeError(f"{name} {id}:\nit is not connected"))
        answer: Deferred[Any] = Deferred()
        self.answers.append(answer)
        return answer

    def kick(self, id: str) -> bool:
        return bool(self.cameras[id].connected)


class House:
    """Rooms with as much in them as the prompt's helpers look at."""

    def __init__(self) -> None:
        self.fleet = Fleet()
        self.store = object()
        self.intake = SimpleNamespace(stats=lambda: {"photos": 1234, "photos/s": 2.5})
        self.news = SimpleNamespace(recent=lambda most: ["one", "two\x07", "three"][-most:])
        self.looking = object()
        self.publisher = object()
        self.config = object()
        self.service = object()


def new_key(path: Path) -> Path:
    """A key pair at *path* and ``<path>.pub``, as ssh-keygen makes them."""
    key = Key(Ed25519PrivateKey.generate())
    path.touch(mode=0o600)
    path.write_bytes(key.toString("openssh"))
    path.with_suffix(".pub").write_bytes(key.public().toString("openssh") + b" someone\n")
    return path


class Ssh(ProcessProtocol):
    """An ssh client at a terminal of its own."""

    transport: Any

    def __init__(self) -> None:
        self.output = ""
        self.ended: Deferred[int] = Deferred()
        self._awaited: tuple[str, int, Deferred[None]] | None = None

    def outReceived(self, data: bytes) -> None:
        self.output += data.decode("utf-8", "replace")
        self._look()

    def processEnded(self, reason: Failure) -> None:
        if self._awaited is not None:
            _, _, seen = self._awaited
            self._awaited = None
            seen.errback(AssertionError(f"ssh ended, after: {self.plain!r}"))
        status = getattr(reason.value, "exitCode", None)
        self.ended.callback(-1 if status is None else status)

    @property
    def plain(self) -> str:
        """What was shown, without colours and movements, and without what was erased."""
        return CSI.sub("", ERASED.sub("", self.output)).replace("\r", "")

    def _look(self) -> None:
        if self._awaited is not None:
            text, times, seen = self._awaited
            if self.plain.count(text) >= times:
                self._awaited = None
                seen.callback(None)

    async def until(self, text: str, times: int = 1) -> None:
        """*text* was shown, so many times at least."""
        seen: Deferred[None] = Deferred()
        self._awaited = (text, times, seen)
        self._look()
        try:
            await seen.addTimeout(WAIT, IReactorTime(reactor))
        except TimeoutError:
            self._awaited = None
            raise AssertionError(f"no {text!r} in {self.plain!r}") from None

    async def say(self, line: str, answer: str) -> None:
        """*line* is typed, and answered by a line that begins with *answer*."""
        times = self.plain.count(f"\n{answer}") + 1
        self.transport.write(line.encode() + b"\r")
        await self.until(f"\n{answer}", times)


class ManholeCase(TestCase):
    """A manhole on loopback, with a key that opens it."""

    timeout = 60

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.key = new_key(self.directory / "id")
        self.authorized = self.directory / "authorized_keys"
        self.authorized.write_bytes(b"# who may\n" + self.key.with_suffix(".pub").read_bytes())
        self.host_key = self.directory / "host_key"
        self.house = House()
        self.later: list[Deferred[Any]] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.endpoint = f"tcp:{self.port}:interface=127.0.0.1"
        self.service = manhole_service(
            self.endpoint, self.authorized, self.host_key, self.names, reactor
        )
        self.service.startService()
        self.addCleanup(self.service.stopService)

    def names(self) -> dict[str, object]:
        def later() -> "Deferred[Any]":
            self.later.append(Deferred())
            return self.later[-1]

        return {**helpers(self.house, lambda: NOW), "later": later}

    def ssh(self, *options: str, user: str = "camd", command: Sequence[str] = ()) -> Ssh:
        assert SSH is not None
        client = Ssh()
        process: Any = reactor
        arguments = [
            SSH, "-F", "none", "-p", str(self.port), "-i", str(self.key), "-o",
            "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o",
            f"UserKnownHostsFile={self.directory / 'known_hosts'}", "-o", "IdentityAgent=none",
            "-o", "NumberOfPasswordPrompts=0", *options, f"{user}@127.0.0.1", *command,
        ]  # fmt: skip
        environ = {**os.environ, "TERM": "xterm"}
        process.spawnProcess(client, SSH, arguments, environ, usePTY=True)

        async def end() -> None:
            if not client.ended.called:
                client.transport.signalProcess("KILL")
            await client.ended

        self.addCleanup(lambda: Deferred.fromCoroutine(end()))
        return client

    async def prompt(self) -> Ssh:
        """A client that stands at the prompt."""
        client = self.ssh()
        await client.until(">>> ")
        return client


if SSH is None:
    ManholeCase.skip = "there is no ssh here"


class Door(ManholeCase):
    """Who gets in."""

    async def test_in_and_out(self) -> None:
        """With its key the operator comes to a coloured prompt, and Ctrl-D leads out again."""
        client = await self.prompt()
        await client.say("1+1", "2\n")
        self.assertIn("\x1b[36m1\x1b[0m", client.output)
        client.transport.write(b"\x04")
        self.assertEqual(await client.ended, 0)

    async def test_exit(self) -> None:
        """exit() ends the session and nothing else."""
        client = await self.prompt()
        client.transport.write(b"exit()\r")
        self.assertEqual(await client.ended, 0)
        await (await self.prompt()).say("1+1", "2\n")

    async def refused(self, client: Ssh) -> None:
        self.assertEqual(await client.ended, 255)
        self.assertIn("Permission denied (publickey)", client.plain)
        self.assertNotIn(">>>", client.plain)

    async def test_wrong_key(self) -> None:
        """Another key does not open it."""
        self.key = new_key(self.directory / "other")
        await self.refused(self.ssh())

    async def test_no_password(self) -> None:
        """Passwords are not even asked for."""
        methods = "PreferredAuthentications=password,keyboard-interactive"
        await self.refused(self.ssh("-o", methods))

    async def test_wrong_user(self) -> None:
        """The key opens it for camd only."""
        await self.refused(self.ssh(user="root"))

    async def test_keys_change(self) -> None:
        """The keys that count are those that stand in the file at that moment; lines that make
        no sense take nothing from the others."""
        good = self.authorized.read_bytes()
        self.authorized.unlink()
        await self.refused(self.ssh())
        self.authorized.write_bytes(b"ssh-ed25519 AAAA\nnonsense\nssh-rsa !!! x\n" + good)
        await (await self.prompt()).say("1+1", "2\n")

    async def test_no_commands(self) -> None:
        """A command is refused in words."""
        client = self.ssh(command=["1+1"])
        self.assertEqual(await client.ended, 1)
        self.assertIn("prompt", client.plain)

    async def test_host_key(self) -> None:
        """The host key is ed25519 and for its owner only; clients know it again after a
        restart."""
        await self.prompt()
        self.assertEqual(stat.S_IMODE(self.host_key.stat().st_mode), 0o600)
        self.assertIn("ssh-ed25519", (self.directory / "known_hosts").read_text())
        before = self.host_key.read_bytes()
        self.assertEqual(host_key(self.host_key).sshType(), b"ssh-ed25519")
        self.assertEqual(self.host_key.read_bytes(), before)

    def test_no_keys(self) -> None:
        """A file of keys that cannot be read is said when the manhole is made, not only when
        somebody comes."""
        said: list[str] = []
        self.patch(manhole.log, "observer", lambda event: said.append(formatEvent(event)))
        manhole_service(self.endpoint, self.directory / "none", self.host_key, self.names, reactor)
        self.assertEqual(len(said), 1, said)
        self.assertIn("none cannot be read, so nobody gets into the manhole", said[0])

    def test_taken_port(self) -> None:
        """A port that is taken is an error at the start, in a line."""
        for name in ("privilegedStartService", "startService"):
            second = manhole_service(
                self.endpoint, self.authorized, self.host_key, self.names, reactor
            )
            start = getattr(second, name)
            error = self.assertRaises(ManholeError, start)
            self.assertIn(str(self.port), str(error))
            self.assertNotIn("\n", str(error))


class Prompt(ManholeCase):
    """What can be typed."""

    async def test_errors(self) -> None:
        """An exception and a mistake show where they are, and cost nothing."""
        client = await self.prompt()
        await client.say("1/0", "Traceback")
        await client.until("ZeroDivisionError: division by zero")
        await client.say("if", "SyntaxError")
        await client.say("1+1", "2\n")

    async def test_block(self) -> None:
        """A block of lines shows each of its values on a line of its own."""
        client = await self.prompt()
        client.transport.write(b"for n in 7, 8:\r    n\r\r")
        await client.until("\n7\n8\n>>> ")

    async def test_half_typed(self) -> None:
        """Whatever stands on the line while it is typed, the prompt lives on."""
        client = await self.prompt()
        client.transport.write(b"if 1:\r      2\r   3 '''\"\\ $ \x03")
        await client.until("KeyboardInterrupt")
        await client.say("1+1", "2\n")

    async def test_deferred(self) -> None:
        """A Deferred is pending at once, and tells later what it came to, above the line that
        is being typed."""
        client = await self.prompt()
        await client.say("later()", "<Deferred #0 pending>")
        await client.say("_", "<Deferred #0 pending>")
        client.transport.write(b"40 ")
        await client.until(">>> 40")
        self.later[0].callback({"seq": 7})
        await client.until("\nDeferred #0 came to {'seq': 7}\n")
        await client.say("+ 2", "42\n")
        self.assertEqual(await self.later[0], {"seq": 7})

    async def test_deferred_fails(self) -> None:
        """A failure is told in one line, and is there for others who wait."""
        client = await self.prompt()
        await client.say("later()", "<Deferred #0 pending>")
        self.later[0].errback(ValueError("two\nlines"))
        await client.until("\nDeferred #0 failed: ValueError: two lines\n")
        with self.assertRaises(ValueError):
            await self.later[0]

    async def test_coroutine(self) -> None:
        """A coroutine is run; what it comes to is told."""
        client = await self.prompt()
        client.transport.write(b"async def f():\r    return await later()\r\r")
        await client.until("... \n>>> ")
        await client.say("f()", "<Deferred #0 pending>")
        self.later[0].callback("at last")
        await client.until("\nDeferred #0 came to 'at last'\n")

    async def test_left(self) -> None:
        """A Deferred that fires when the operator has gone disturbs nobody."""
        client = await self.prompt()
        await client.say("later()", "<Deferred #0 pending>")
        client.transport.write(b"\x04")
        await client.ended
        self.later[0].callback(1)
        await (await self.prompt()).say("1+1", "2\n")

    async def test_resize(self) -> None:
        """A window that changes its size is no error, and its size is known."""
        client = await self.prompt()
        client.transport.write(b"import sys\r")
        for rows, columns in ((50, 132), (10, 40)):
            size = struct.pack("4H", rows, columns, 0, 0)
            fcntl.ioctl(client.transport.fd, termios.TIOCSWINSZ, size)
            for _ in range(100):
                shown = client.plain.count(">>> ")
                client.transport.write(b"sys.displayhook.__self__.handler.width\r")
                await client.until(">>> ", shown + 1)
                if client.plain.endswith(f"\n{columns}\n>>> "):
                    break
            else:
                self.fail(client.plain)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_house(self) -> None:
        """help() says what there is, and it is there."""
        client = await self.prompt()
        await client.say("help()", "cams()")
        for room in (
            "fleet",
            "store",
            "intake",
            "news",
            "looking",
            "publisher",
            "config",
            "service",
        ):
            self.assertIn(room, client.plain)
            await client.say(f"{room} is not None", "True\n")
        await client.say("cams()", "camera ")
        await client.until("2 cameras, 1 connected")

    async def test_snap(self) -> None:
        """A photo that is asked for tells when the camera has answered, or why it did not."""
        client = await self.prompt()
        await client.say('snap("greenhouse-1", flash=True)', "<Deferred #0 pending>")
        self.house.fleet.answers[0].callback({"ms": "12"})
        await client.until("\nDeferred #0 came to {'ms': '12'}\n")
        await client.say(
            'snap("orchard")',
            "Deferred #1 failed: RuntimeError: snap orchard: it is not connected\n",
        )
        self.assertEqual(
            self.house.fleet.asked,
            [("greenhouse-1", "snap", {"flash": True}), ("orchard", "snap", {})],
        )


class HostKey(SynchronousTestCase):
    """A host key that is of no use keeps the manhole shut."""

    def test_of_no_use(self) -> None:
        """One that others may read, one that is none, a public one, and a directory."""
        directory = Path(self.mktemp())
        directory.mkdir()
        good = new_key(directory / "good")
        good.chmod(0o640)
        junk = directory / "junk"
        junk.write_text("junk")
        public = good.with_suffix(".pub")
        for path in (junk, public):
            path.chmod(0o600)
        for path in (good, junk, public, directory, directory / "none" / "key"):
            error = self.assertRaises(ManholeError, host_key, path)
            self.assertNotIn("\n", str(error))
        good.chmod(0o600)
        self.assertFalse(host_key(good).isPublic())


class Helpers(SynchronousTestCase):
    """The helpers' words, without the way to them."""

    def setUp(self) -> None:
        self.house = House()
        self.names: dict[str, Any] = helpers(self.house, lambda: NOW)
        self.said: list[str] = []

    def said_by(self, name: str, *arguments: object) -> list[str]:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.names[name](*arguments)
        return out.getvalue().splitlines()

    def test_cams(self) -> None:
        """All cameras stand under each other, numbers to the right."""
        self.assertEqual(
            self.said_by("cams"),
            [
                "camera        state       by  address    photos       bytes  refused  last seen",
                "greenhouse-1  connected   v2  192.0.2.7   1,234  56,789,000        2  5 s ago",
                "orchard       never seen  -   -               0           0        0  never",
                "2 cameras, 1 connected",
            ],
        )

    def test_show(self) -> None:
        """Everything about a camera, and nothing that would command the terminal."""
        lines = self.said_by("show", "greenhouse-1")
        self.assertIn("telemetry   vbat=3.9", lines)
        self.assertIn("refused     crc=2", lines)
        self.assertIn("first seen  2026-08-14 21:15:03Z (25 h ago)", lines)
        self.assertNotIn("\x1b", "".join(lines))

    def test_unknown(self) -> None:
        """A camera that is not there is told, with the one that may have been meant."""
        for name in ("show", "snap", "kick"):
            (line,) = self.said_by(name, "greenhouse1")
            self.assertIn("greenhouse-1", line)
        self.assertEqual(self.house.fleet.asked, [])

    def test_the_rest(self) -> None:
        """News, numbers, and hanging up."""
        self.assertEqual(self.said_by("tail", 2), ["two\N{REPLACEMENT CHARACTER}", "three"])
        self.assertEqual(self.said_by("stats"), ["photos    1234", "photos/s  2.500"])
        self.assertEqual(self.said_by("kick", "greenhouse-1"), ["greenhouse-1 was hung up on"])
        self.assertEqual(self.said_by("kick", "orchard"), ["orchard was not connected"])
        self.assertIn("class Clock", "\n".join(self.said_by("help", Clock)))
