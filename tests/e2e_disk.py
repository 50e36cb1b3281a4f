"""Disks that fill up, turn read-only or lose their power, and witnesses of what is done to them."""

import contextlib
import ctypes
import fcntl
import os
import re
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import define, field, frozen

from tests.e2e_daemon import until
from tests.tools import as_root, tool

_SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN
_NO_LOG_FLUSH = 2
MIB = 1024 * 1024


class Disk:
    """An ext4 of its own in a file, mounted through a loop device."""

    def __init__(self, directory: Path, megabytes: int) -> None:
        as_root("mount")
        self.image = directory / "disk.img"
        self.path = directory / "disk"
        self.path.mkdir()
        with self.image.open("wb") as file:
            file.truncate(megabytes * 1024 * 1024)
        # Blocks as large as pages: of smaller ones a full disk may have none left for the rest of a
        # page that SQLite has mapped, which ends the process.
        self._run("mkfs.ext4", "e2fsprogs", "-q", "-F", "-m", "0", "-b", "4096", str(self.image))
        self.mount()

    def _run(self, name: str, package: str, *arguments: str) -> None:
        done = subprocess.run(
            [tool(name, package), *arguments], capture_output=True, timeout=30, check=False
        )
        if done.returncode:
            raise AssertionError(f"{name} failed: {done.stderr.decode()}")

    def mount(self) -> None:
        self._run("mount", "mount", "-o", "loop", str(self.image), str(self.path))

    def turn_read_only(self, path: Path) -> None:
        """A directory of it can only be read from now on, in the midst of being written to: it is
        mounted over itself."""
        beside = self.path.parent / "read-only"
        beside.mkdir(exist_ok=True)
        self._run("mount", "mount", "--bind", str(path), str(beside))
        self._run("mount", "mount", "-o", "remount,bind,ro", str(beside))
        self._run("mount", "mount", "--bind", str(beside), str(path))
        self._run("umount", "mount", str(beside))

    def turn_writable(self, path: Path) -> None:
        self._run("umount", "mount", "-l", str(path))

    def unmount(self) -> None:
        """Where a test failed in the middle there may be mounts above it."""
        for path in self.path.iterdir():
            if path.is_mount():
                self._run("umount", "mount", "-l", str(path))
        until(self._unmounted, what="whoever was killed lets go of the disk")

    def _unmounted(self) -> bool:
        if self.path.is_mount():
            command = [tool("umount", "mount"), str(self.path)]
            subprocess.run(command, capture_output=True, timeout=30, check=False)
        return not self.path.is_mount()

    def lose_power(self) -> None:
        """What has not reached the disk by now never will: nothing is flushed, not even the file
        system's own journal. Every call fails until it is mounted anew."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(fd)

    @property
    def free(self) -> int:
        room = os.statvfs(self.path)
        return room.f_bavail * room.f_frsize


def fill(path: Path) -> None:
    """A file takes all the room that there is."""
    with path.open("wb", buffering=0) as file:
        for size in (MIB, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass


# ---- what happens to names


_CREATE, _MOVED_TO, _MODIFY = 0x100, 0x80, 0x2
_ADD_MASK = _CREATE | _MOVED_TO | _MODIFY
_IS_DIRECTORY = 0x40000000


class Witness:
    """Sees every name that comes to be below a directory, by inotify, and reads each *.jpg that
    very moment.

    :ivar seen: how many *.jpg came to be. *wrong*: what was wrong with some.
    """

    def __init__(self, root: Path, right: Callable[[bytes], bool]) -> None:
        self.seen = 0
        self.wrong: list[str] = []
        self._right = right
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        self._folders: dict[int, Path] = {}
        self._looked: set[Path] = set()
        self._over = threading.Event()
        self._watch(root)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _watch(self, folder: Path) -> None:
        number = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), _ADD_MASK)
        if number < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch", str(folder))
        self._folders[number] = folder
        for entry in folder.iterdir():
            if entry.is_dir():
                self._watch(entry)
            else:
                self._look(entry)

    def _look(self, path: Path) -> None:
        if path.suffix == ".jpg" and path not in self._looked:
            self._looked.add(path)
            self.seen += 1
            if not self._right(path.read_bytes()):
                self.wrong.append(f"torn: {path}")

    def _run(self) -> None:
        while not self._over.wait(0.002):
            self._read()
        self._read()

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 1 << 20)
        except BlockingIOError:
            return
        at = 0
        while at < len(data):
            number, mask, _, length = struct.unpack_from("iIII", data, at)
            name = data[at + 16 : at + 16 + length].rstrip(b"\0")
            at += 16 + length
            path = self._folders[number] / os.fsdecode(name)
            if mask & _MODIFY and path.suffix == ".jpg":
                self.wrong.append(f"written to under its name: {path}")
            elif mask & _IS_DIRECTORY and mask & _CREATE:
                self._watch(path)
            elif mask & (_CREATE | _MOVED_TO):
                self._look(path)

    def end(self) -> None:
        self._over.set()
        self._thread.join(10)
        os.close(self._fd)


# ---- what a process asks of the kernel


@frozen
class Call:
    """A system call. *began*, *ended*: lines of the trace, to compare."""

    name: str
    text: str
    result: str
    began: int
    ended: int

    @property
    def succeeded(self) -> bool:
        return not self.result.startswith("-1")

    def names(self, path: Path | str) -> bool:
        """Whether *path* is what the call is about, by its name or by a descriptor of it."""
        return f'"{path}"' in self.text or f"<{path}>" in self.text


@define
class Trace:
    """What strace saw."""

    file: Path
    calls: list[Call] = field(factory=list)
    tracer: "subprocess.Popen[bytes] | None" = None

    SEEN = ("-e", "trace=mkdir,write,writev,pwritev,fsync,fdatasync,link,linkat,rename,renameat2,"
            "unlink,sendto,sendmsg")  # fmt: skip

    def _command(self, how: tuple[str, ...]) -> tuple[str, ...]:
        always = ("-f", "-y", "-s", "80", "-o", str(self.file))
        return (tool("strace", "strace"), *always, *(how or self.SEEN))

    def wrapper(self) -> tuple[str, ...]:
        """Put before a command to have it traced; its process id stays the command's."""
        return (*self._command(()), "-D")

    def attach(self, pid: int, *how: str) -> "Trace":
        """All threads of a process are traced from now on, until it ends.

        :param how: strace's options; what to inject, say. Counts there are each thread's own.
        """
        command = (*self._command(how), "-p", str(pid))
        self.tracer = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        tasks = Path(f"/proc/{pid}/task")
        until(
            lambda: all(
                "TracerPid:\t0\n" not in (task / "status").read_text() for task in tasks.iterdir()
            )
        )
        return self

    def end(self) -> None:
        """The process goes on without it; what is being delayed, too."""
        assert self.tracer is not None, "attach() comes first"
        self.tracer.kill()
        self.tracer.wait()

    def read(self, pid: int) -> "Trace":
        """Once the process *pid* has ended."""
        gone = re.compile(rf"^{pid} .*\+\+\+ (exited|killed)", re.MULTILINE)
        until(lambda: gone.search(self.file.read_text("utf-8", "replace")), 10, "the trace's end")
        self.calls = list(self._parse(self.file.read_text("utf-8", "replace").splitlines()))
        return self

    @staticmethod
    def _parse(lines: list[str]) -> Iterator[Call]:
        begun: dict[str, tuple[str, int]] = {}
        for number, line in enumerate(lines):
            pid, _, rest = line.partition(" ")
            rest = rest.lstrip()
            began = number
            if rest.endswith("<unfinished ...>"):
                begun[pid] = (rest.removesuffix("<unfinished ...>"), number)
                continue
            resumed = re.match(r"<\.\.\. \w+ resumed>", rest)
            if resumed is not None and pid in begun:
                before, began = begun.pop(pid)
                rest = before + rest[resumed.end() :]
            match = re.fullmatch(r"(\w+)\((.*)\)\s+= (.*)", rest)
            if match is not None:
                yield Call(match[1], match[2], match[3], began, number)

    def of(self, *names: str) -> list[Call]:
        return [call for call in self.calls if call.name in names]
