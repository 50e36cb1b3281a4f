"""What camd has acknowledged is there, whatever happens to the process or to the power."""

import itertools
import re
import signal
from contextlib import closing

from camd.store.catalog import Catalog
from tests.e2e_boards import V1, V2, Load, lost, photo
from tests.e2e_daemon import Daemon, DaemonCase, until
from tests.e2e_disk import Call, Disk, Trace, Witness
from tests.e2e_talk import BOOT, Talk
from tests.pictures import measure
from tests.publish_world import receipt

LINKS = ("link", "linkat", "rename", "renameat2")


class Order(DaemonCase):
    """The order of the system calls behind each ACK, seen by strace."""

    def traced(self) -> tuple[Daemon, Trace]:
        directory = self.directory()
        trace = Trace(directory / "trace")
        return self.daemon(directory=directory, wrapper=trace.wrapper()).start(), trace

    def found(self, calls: list[Call], before: int, what: str) -> Call:
        """The first of *calls* that begins behind line *before*."""
        for call in calls:
            if call.began > before and call.succeeded:
                return call
        raise AssertionError(f"{what} is missing behind line {before}")

    def check(self, trace: Trace, daemon: Daemon, path: str, ack: Call) -> None:
        """*path* was safe before *ack* was sent."""
        name = daemon.store / path
        link = self.found([c for c in trace.of(*LINKS) if c.names(name)], -1, f"link of {name}")
        part = re.findall(r'"([^"]+)"', link.text)[0]
        writes = [c for c in trace.of("write", "writev", "pwritev") if c.names(part)]
        self.assertTrue(writes, f"{part} was never written")
        synced = self.found(
            [c for c in trace.of("fdatasync", "fsync") if c.names(part)],
            writes[-1].ended, f"sync of {part}",
        )  # fmt: skip
        self.assertGreater(link.began, synced.ended, "linked before it was synced")
        folders = [c for c in trace.of("fsync") if c.names(name.parent)]
        self.assertLess(
            self.found(folders, link.ended, f"sync of {name.parent}").ended, ack.began,
            "acknowledged before the directory was synced",
        )  # fmt: skip
        for directory in (name.parent, name.parent.parent):
            made = self.found([c for c in trace.of("mkdir") if c.names(directory)], -1, "mkdir")
            around = [c for c in trace.of("fsync") if c.names(directory.parent)]
            self.assertLess(self.found(around, made.ended, "sync of a parent").ended, ack.began)

    def test_write_sync_link_sync_send(self) -> None:
        """For every ACK of v1 and v2: write, sync of the file, link, sync of its directory and of
        the parent of each new one, and only then the answer. One file, one sync: no second."""
        daemon, trace = self.traced()
        with Load(daemon, 6, photos=6) as load:
            load.wait()
        self.assertEqual(daemon.stop(), 0)
        trace.read(daemon.pid)
        self.assertEqual(len(load.kept) + len(load.kept_v1), 36)
        acks = [c for c in trace.of("sendto", "sendmsg") if re.search(r'"ACK( \d+)?\\n', c.text)]
        by_boot = {path.rpartition("_")[2]: path for path in daemon.photos()}
        for _, boot, seq in load.kept:
            path = by_boot[f"{boot}-{seq}.jpg"]
            mine = [c for c in acks if f'"ACK {seq}\\n' in c.text and c.succeeded]
            # Three boards count alike: the latest that may be its own is behind all three syncs.
            self.check(trace, daemon, path, mine[-1])
        first_acks: dict[str, list[Call]] = {}
        for call in acks:
            first_acks.setdefault(call.text.partition(",")[0], []).append(call)
        v1 = [calls for calls in first_acks.values() if '"ACK\\n' in calls[0].text]
        self.assertEqual(len(v1), 3)
        boots = {path.rpartition("_")[2][:16] for path in by_boot.values() if "/v1-" in f"/{path}"}
        self.assertEqual(len(boots), 3)
        for boot, seq in itertools.product(boots, range(1, 7)):
            # The seq-th answer of whichever connection this boot was drawn for.
            latest = max((calls[seq - 1] for calls in v1), key=lambda call: call.began)
            self.check(trace, daemon, by_boot[f"{boot}-{seq}.jpg"], latest)

    def test_single_board(self) -> None:
        """The same for one board that waits for each answer, where nothing else can have synced
        its directory."""
        daemon, trace = self.traced()
        board = V2(daemon.port, Talk("trap"))
        for seq in range(1, 6):
            self.assertEqual(board.photo(seq, photo(seq)), f"ACK {seq}")
        daemon.stop()
        trace.read(daemon.pid)
        self.assertEqual(len(daemon.photos()), 5)
        for path in daemon.photos():
            seq = path.rpartition("-")[2].removesuffix(".jpg")
            (ack,) = [c for c in trace.of("sendto", "sendmsg") if f'"ACK {seq}\\n' in c.text]
            self.check(trace, daemon, path, ack)
            name = daemon.store / path
            link = next(c for c in trace.of(*LINKS) if c.names(name))
            part = re.findall(r'"([^"]+)"', link.text)[0]
            syncs = [c for c in trace.of("fdatasync", "fsync") if c.names(part)]
            self.assertEqual(len(syncs), 1, "a file that was synced twice")

    def test_failed_sync(self) -> None:
        """A file whose fsync fails is NAK io, removed, and never synced again; what is sent again
        is written anew. The same for a directory's."""
        for call in ("fdatasync", "fsync"):
            daemon = self.daemon().start()
            board = V2(daemon.port, Talk("trap"))
            self.assertEqual(board.photo(1, photo(1)), "ACK 1")
            trace = Trace(daemon.directory / "trace").attach(
                daemon.pid, "-e", "trace=fsync,fdatasync,linkat,unlink,sendto",
                "-e", f"inject={call}:error=EIO:when=1",
            )  # fmt: skip
            refused = 0
            for seq in range(2, 21):
                while (answer := board.photo(seq, photo(seq))) != f"ACK {seq}":
                    self.assertEqual(answer, f"NAK {seq} io")
                    refused += 1
            self.assertEqual(daemon.stop(), 0)
            trace.read(daemon.pid)
            self.assertGreater(refused, 0)
            self.assertEqual(sorted(daemon.photos().values()), sorted(map(photo, range(1, 21))))
            self.assertEqual(list(daemon.store.rglob("*.part")), [])
            failed = [c for c in trace.of(call) if "INJECTED" in c.result and ".part" in c.text]
            self.assertEqual(len(failed), refused if call == "fdatasync" else 0)
            for bad in failed:
                part = bad.text.partition("<")[2].rstrip(">")
                again = [c for c in trace.of("fsync", "fdatasync", "linkat") if c.names(part)]
                self.assertEqual(again, [bad])


class NeverTorn(DaemonCase):
    """At every instant."""

    def test_names(self) -> None:
        """Each *.jpg is whole the moment its name comes to be, and is never written to, while
        boards are torn off, reset and answered in mid-load."""
        daemon = self.daemon().start()
        load = Load(daemon, 8)
        witness = Witness(daemon.store, lambda data: data in load.sent)
        with load:
            for number in range(60):
                whole = photo(number)
                bad = V1(daemon.port)
                self.assertEqual(bad.photo(whole[: 2000 + number]), "NAK jpeg")
                bad.begin(whole[:-1])
                if number % 2:
                    bad.reset()
                else:
                    bad.close()
            load.go_on_until(400)
        until(lambda: witness.seen >= len(load.kept) + len(load.kept_v1), 5)
        witness.end()
        self.assertEqual(witness.wrong, [])
        self.assertGreaterEqual(witness.seen, 400)
        self.assertEqual(lost(load, daemon.photos()), [])


class Killed(DaemonCase):
    """kill -9 in mid-load."""

    def test_restarts(self) -> None:
        """After each of three kills every acknowledged photo is there once, byte for byte; those
        without an answer are sent again, acknowledged and not doubled; `last` is not behind."""
        daemon = self.daemon()
        for life in range(3):
            daemon.start()
            load = Load(daemon, 8, first=(life + 1) * 10_000_000)
            with load:
                load.go_on_until(150)
                daemon.kill()
            before = daemon.photos()
            self.assertEqual(self.about(load, before), [])
            daemon.start()
            for (camera, boot, seq), data in load.unanswered.items():
                board = V2(daemon.port, Talk(camera, boot))
                highest = max((s for c, b, s in load.kept if (c, b) == (camera, boot)), default=0)
                self.assertGreaterEqual(board.last, highest)
                if highest:
                    again = load.kept[camera, boot, highest]
                    self.assertEqual(board.photo(highest, again), f"ACK {highest}")
                    self.assertEqual(board.photo(highest, data), f"NAK {highest} conflict")
                self.assertEqual(board.photo(seq, data), f"ACK {seq}")
                load.kept[camera, boot, seq] = data
                board.close()
            self.assertEqual(self.about(load, daemon.photos()), [])
            self.assertEqual(list(daemon.store.rglob("*.part")), [])
            daemon.kill()

    def about(self, load: Load, photos: dict[str, bytes]) -> list[str]:
        """What is wrong with the photos of this life."""
        mine = {path: data for path, data in photos.items() if data in load.sent}
        for data in photos.values():
            measure(data)
        return lost(load, mine)


class PowerCut(DaemonCase):
    """The power of the disk goes in mid-load: FS_IOC_SHUTDOWN without a flush, as the file systems'
    own tests do it."""

    def disk(self) -> Disk:
        disk = Disk(self.directory(), 64)
        self.addCleanup(disk.unmount)
        return disk

    def test_the_cut_cuts(self) -> None:
        """A file that nobody synced is lost in it: the test below can fail."""
        disk = self.disk()
        (disk.path / "careless").write_bytes(b"gone")
        disk.lose_power()
        disk.unmount()
        disk.mount()
        self.assertFalse((disk.path / "careless").exists())

    def test_stars(self) -> None:
        """What a person has starred is so still, and retention may not have it."""
        disk = self.disk()
        path = disk.path / "catalog.sqlite"
        with closing(Catalog.open(path)) as catalog:
            catalog.add_many([receipt(seq) for seq in (1, 2)])
            catalog.checkpoint()
            one, two = catalog.photos()
            catalog.star([one.id])
            catalog.note(two.id, "a wasp?")
            disk.lose_power()
        disk.unmount()
        disk.mount()
        with closing(Catalog.open(path)) as catalog:
            photos = catalog.photos()
        self.assertEqual([(p.starred, p.note) for p in photos], [(True, ""), (False, "a wasp?")])

    def test_acknowledged_is_there(self) -> None:
        """After two cuts of the power every acknowledged photo is there once, byte for byte, and
        nothing named *.jpg is torn; camd starts again by itself and knows them all."""
        self.two_cuts("days")

    def test_flat(self) -> None:
        """The same for the flat layout, where no name tells what a photo is."""
        self.two_cuts("flat")

    def two_cuts(self, layout: str) -> None:
        disk = self.disk()
        daemon = self.daemon(
            f'store.keep_free = "1 MiB"\nstore.layout = "{layout}"', store=disk.path / "store"
        )
        loads = []
        for life in range(2):
            daemon.start()
            load = Load(daemon, 8, first=(life + 1) * 10_000_000)
            with load:
                load.go_on_until(120)
                disk.lose_power()
                load.go_on_until_refused()
                daemon.kill()
            loads.append(load)
            disk.unmount()
            disk.mount()
            self.assert_all_there(loads, daemon)
        daemon.start()
        board = V2(daemon.port, Talk("after", BOOT))
        loads[0].sent.add(photo(1))
        self.assertEqual(board.photo(1, photo(1)), "ACK 1")
        for load in loads:
            for (camera, boot, seq), data in list(load.kept.items())[::10]:
                board = V2(daemon.port, Talk(camera, boot))
                self.assertEqual(board.photo(seq, data), f"ACK {seq}")
        self.assertEqual(daemon.stop(), 0)
        self.assert_all_there(loads, daemon)

    def assert_all_there(self, loads: list[Load], daemon: Daemon) -> None:
        photos = daemon.photos()
        for load in loads:
            mine = {path: data for path, data in photos.items() if data in load.sent}
            self.assertEqual(lost(load, mine), [])
        self.assertTrue(all(any(data in load.sent for load in loads) for data in photos.values()))


class Stopped(DaemonCase):
    """SIGTERM in mid-load."""

    def test_answers_first(self) -> None:
        """What is in flight is answered, exit code 0, well within 10 s; every acknowledged photo
        is there, none twice."""
        daemon = self.daemon().start()
        with Load(daemon, 16) as load:
            load.go_on_until(200)
            half = V1(daemon.port)
            data = photo(99)
            load.sent.add(data)
            half.begin(data[:2000])
            daemon.signal(signal.SIGTERM)
            half.send(data[2000:] + b"FrameOver")
            answer = half.line()
            self.assertEqual(daemon.ended(10), 0)
        self.assertEqual(answer, "ACK")
        self.assertIn(data, daemon.photos().values())
        self.assertEqual(lost(load, daemon.photos()), [])
        self.assertEqual(set(load.answers) - {"ACK", "NAK stopping"}, set())
        self.assertEqual(list(daemon.store.rglob("*.part")), [])

    def test_slow_disk(self) -> None:
        """Where the disk takes longer than boards are given to finish, the photo that it is busy
        with gets its true answer all the same."""
        daemon = self.daemon('times.drain = "200 ms"').start()
        boards = [V1(daemon.port) for _ in range(2)]
        self.assertEqual(boards[0].photo(photo(1)), "ACK")
        Trace(daemon.directory / "trace").attach(
            daemon.pid, "-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=500000"
        )
        for number, board in enumerate(boards):
            board.send(b"FrameBegin" + photo(10 + number) + b"FrameOver")
        until(lambda: len(list(daemon.store.rglob("*.part"))) == 2, 5)
        daemon.signal(signal.SIGTERM)
        self.assertEqual([board.line() for board in boards], ["ACK", "ACK"])
        self.assertEqual(daemon.ended(10), 0)
        self.assertEqual(len(daemon.photos()), 3)
