"""camd starts, reads its configuration again and stops as an operator expects."""

import json
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.e2e_boards import V1, V2, photo
from tests.e2e_daemon import LOOPBACK, TWISTD, DaemonCase, environment, until
from tests.e2e_disk import Trace
from tests.e2e_talk import Talk
from tests.tools import as_root, tool


class Start(DaemonCase):
    """From the command line to the first photo, or to a line that says why not."""

    def test_listed(self) -> None:
        """twistd --help lists camd, and its own --help names its options."""
        directory = self.directory()
        for arguments, wanted in (
            (("--help",), (r"^\s+camd\s+\S",)),
            (("camd", "--help"), ("--config=", "--store=", "--listen=", "--manhole=")),
        ):
            done = subprocess.run(
                [*TWISTD, *arguments], cwd=directory, env=environment(), capture_output=True,
                text=True, timeout=30, check=True,
            )  # fmt: skip
            for pattern in wanted:
                self.assertRegex(done.stdout, re.compile(pattern, re.MULTILINE))

    def test_without_any_configuration(self) -> None:
        """twistd -n camd alone listens on port 8940 of all addresses, stores below ./camd-data,
        and says so, who may come in, and what to type next."""
        as_root("unshare --net")
        directory = self.directory()
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [tool("unshare", "util-linux"), "--net", *TWISTD, "-n", "camd"],
                cwd=directory, env=environment(), stdout=log, stderr=log,
            )  # fmt: skip
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.kill)
        said = directory / "log"
        until(lambda: "next: " in said.read_text() or process.poll() is not None, 20)
        text = said.read_text()
        self.assertRegex(text, r"listening on tcp:8940: .* port 8940")
        self.assertIn(f"stored below {directory}/camd-data", text)
        self.assertIn("WARN: anybody who can reach the port may store photos", text)
        self.assertIn("camd simulate", text)
        process.terminate()
        self.assertEqual(process.wait(10), 0)

    def test_two_on_one_store(self) -> None:
        """The second camd on a store says who has it, in a line, and ends with 1; the first is
        none the worse. When the first has been killed there is room for another."""
        first = self.daemon().start()
        second = self.daemon(store=first.store)
        self.assert_refuses_to_start(second, str(first.store), "in use", str(first.pid))
        self.assertEqual(V1(first.port).photo(photo(1)), "ACK")
        first.kill()
        second.start()
        self.assertEqual(V1(second.port).photo(photo(2)), "ACK")

    def test_taken_port(self) -> None:
        """A port in use is a line that names it, and 1; the store is not left locked."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            daemon = self.daemon(listen=f"tcp:{port}:interface=127.0.0.1")
            self.assert_refuses_to_start(daemon, str(port), "in use")
        daemon.start()
        self.assertEqual(daemon.port, port)

    def test_bad_configuration(self) -> None:
        """A bad value is a line that names the key, what it got and what it wants, and 1."""
        for config, words in (
            ("wire.window = 0", ("wire.window", "0")),
            ('wire.max = "many"', ("wire.max", "many", "size")),
            ("wire.max = 399_999", ("wire.max", "399")),
            ("stroe.path = 'x'", ("stroe", "store")),
            ("store.writers = true", ("store.writers", "true")),
            ('cameras.unknown = "maybe"', ("cameras.unknown", "maybe", "accept", "refuse")),
            ('listen = ["udp:1"]', ("udp:1",)),
            ('listen = ["tcp:99999"]', ("listen", "99999")),
            ('[[camera]]\nid = "../x"', ("camera", "../x")),
            ("[store\n", ("camd.toml",)),
        ):
            daemon = self.daemon(config, listen=None if config.startswith("listen") else LOOPBACK)
            self.assert_refuses_to_start(daemon, *words)
            self.assertFalse(daemon.store.exists(), config)

    def test_bad_environment_and_options(self) -> None:
        """The same for the environment and for options."""
        daemon = self.daemon(env={"CAMD_WIRE__WINDOW": "-1"})
        self.assert_refuses_to_start(daemon, "CAMD_WIRE__WINDOW", "-1")
        self.assert_refuses_to_start(self.daemon("", "--manhole", "nonsense"), "nonsense")
        self.assert_refuses_to_start(self.daemon("", "--listen", "tcp:x"), "tcp:x")

    def test_no_store(self) -> None:
        """A store that cannot be made is a line, and 1."""
        directory = self.directory()
        (directory / "file").write_text("")
        daemon = self.daemon(store=directory / "file" / "store")
        daemon.launch()
        self.assertEqual(daemon.ended(20), 1)
        self.assertIn(f"camd: {directory}/file/store: the store cannot be opened", daemon.said)

    def test_every_kind_of_door(self) -> None:
        """IPv4, IPv6 and unix sockets beside each other; a board is named by what it came from."""
        directory = Path(tempfile.mkdtemp(prefix="camd"))  # a socket's path must be short
        self.addCleanup(shutil.rmtree, directory)
        daemon = self.daemon(
            "", "--listen", "tcp6:0:interface=\\:\\:1", "--listen", f"unix:{directory / 'socket'}",
        ).start()  # fmt: skip
        data = b"FrameBegin" + photo(1) + b"FrameOver"
        for family, address in (
            (socket.AF_INET6, ("::1", daemon.ports[1])),
            (socket.AF_UNIX, str(directory / "socket")),
        ):
            with socket.socket(family) as board:
                board.settimeout(10)
                board.connect(address)
                board.sendall(data)
                self.assertEqual(board.recv(100), b"ACK\n")
        cameras = sorted(path.name for path in daemon.store.iterdir() if path.name[0] != ".")
        self.assertEqual(cameras, ["v1-0000-0000-0000-0000-0000-0000-0000-0001", "v1-local"])

    def test_json_lines(self) -> None:
        """With --log-json every line is an object with a time, a level and a text."""
        daemon = self.daemon("", "--log-json").launch()
        until(lambda: "next: " in daemon.said, 20)
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.ended(), 0)
        for line in daemon.said.splitlines():
            self.assertLessEqual({"time", "level", "text"}, set(json.loads(line)), line)


class Reload(DaemonCase):
    """SIGHUP."""

    def test_what_can_change(self) -> None:
        """A setting that can change does, for those who are connected too; a wrong file changes
        nothing and is said; what waits for a restart is named."""
        daemon = self.daemon('cameras.unknown = "accept"').start()
        v1, v2 = V1(daemon.port), V2(daemon.port, Talk("trap"))
        self.assertEqual(v1.photo(photo(1)), "ACK")

        def reload(config: str, said: str) -> None:
            daemon.config.write_text(config)
            before = daemon.said.count(said)
            daemon.signal(signal.SIGHUP)
            until(lambda: daemon.said.count(said) > before, 10, said)

        reload('cameras.unknown = "perhaps"', "the configuration stays as it was: ")
        self.assertIn("cameras.unknown", daemon.said)
        reload("][", "the configuration stays as it was: ")
        self.assertEqual(v1.photo(photo(2)), "ACK")
        self.assertEqual(v2.photo(1, photo(3)), "ACK 1")
        reload('cameras.unknown = "refuse"\nstore.writers = 2', "the configuration was read again")
        until(lambda: "wait for a restart: store.writers" in daemon.said)
        self.assertEqual(v1.photo(photo(4)), "NAK denied")
        self.assertTrue(v2.ends())
        reload("", "the configuration was read again")
        self.assertEqual(v1.photo(photo(5)), "ACK")
        self.assertEqual(daemon.stop(), 0)


class Stop(DaemonCase):
    """SIGTERM, SIGINT, and once more."""

    def test_idle(self) -> None:
        """Idle boards do not keep it: exit 0 in a moment, the catalog level, and boards that wait
        in the opening are closed."""
        for number in (signal.SIGTERM, signal.SIGINT):
            daemon = self.daemon('[times]\ndrain = "60 s"\n').start()
            boards = [V2(daemon.port, Talk("trap")), V1(daemon.port), V1(daemon.port)]
            self.assertEqual(boards[1].photo(photo(1)), "ACK")
            boards[2].send(b"HELLO camd/2 ")
            daemon.signal(number)
            self.assertEqual(daemon.ended(), 0)
            self.assertTrue(all(board.ends() for board in boards))
            self.assertIn("every photo that was acknowledged is safe", daemon.said)
            self.assertEqual((daemon.store / ".camd" / "dirty").read_text(), "")

    def test_while_it_stops(self) -> None:
        """While one board finishes its photo, another one's gets NAK stopping, nobody new comes
        in, and the first one gets its true answer."""
        daemon = self.daemon().start()
        slow, idle = V1(daemon.port), V1(daemon.port)
        self.assertEqual(idle.photo(photo(1)), "ACK")
        whole = photo(2)
        slow.begin(whole[:3000])
        daemon.signal(signal.SIGTERM)
        until(lambda: "Closed" in daemon.said)
        time.sleep(0.3)
        self.assertRaises(ConnectionRefusedError, V1, daemon.port)
        self.assertEqual(idle.photo(photo(3)), "NAK stopping")
        slow.send(whole[3000:] + b"FrameOver")
        self.assertEqual(slow.line(), "ACK")
        self.assertEqual(daemon.ended(), 0)
        self.assertEqual(sorted(daemon.photos().values()), sorted([photo(1), photo(2)]))

    def test_board_that_does_not_finish(self) -> None:
        """A photo that has begun is waited for 5 s, not longer."""
        daemon = self.daemon().start()
        V1(daemon.port).begin(photo(1)[:3000])
        board = V1(daemon.port)
        board.begin(photo(2)[:3000])
        until(lambda: daemon.cpu() > 0)
        time.sleep(0.2)
        began = time.monotonic()
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.ended(), 0)
        self.assertGreater(time.monotonic() - began, 4.5)

    def test_twice(self) -> None:
        """A second SIGTERM ends it at once."""
        daemon = self.daemon('[times]\ndrain = "60 s"\n').start()
        V1(daemon.port).begin(photo(1)[:3000])
        board = V1(daemon.port)
        board.begin(photo(2)[:3000])
        time.sleep(0.2)
        daemon.signal(signal.SIGTERM)
        until(lambda: "once more to stop at once" in daemon.said)
        daemon.signal(signal.SIGTERM)
        self.assertNotEqual(daemon.ended(), 0)

    def test_hung_disk(self) -> None:
        """A disk that hangs keeps it no longer than 10 s; nothing is acknowledged that is not
        safe."""
        daemon = self.daemon().start()
        boards = [V1(daemon.port) for _ in range(3)]
        self.assertEqual(boards[0].photo(photo(1)), "ACK")
        trace = Trace(daemon.directory / "trace").attach(
            daemon.pid, "-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=60000000"
        )
        for number, board in enumerate(boards):
            board.send(b"FrameBegin" + photo(10 + number) + b"FrameOver")
        until(lambda: len(list(daemon.store.rglob("*.part"))) == 3)
        daemon.signal(signal.SIGTERM)
        until(lambda: "Server Shut Down" in daemon.said, 9.8)
        trace.end()  # strace's delay outlasts the process
        self.assertEqual(daemon.ended(), 0)
        self.assertTrue(all(board.ends() for board in boards))
        self.assertEqual(list(daemon.photos().values()), [photo(1)])
