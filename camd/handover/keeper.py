"""A small process that keeps connections for camd and starts it again; without Twisted.

To its child it is what systemd would be: a notify socket that takes ``FDSTORE=1`` and
``FDSTOREREMOVE=1``, and descriptors given back at the next start. It reads from none of them.
Started as ``python keeper.py PROGRAM ARGUMENT...``, it imports nothing but the standard library.
"""

import array
import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import time

MOST_KEPT = 16_384
FIRST_WAIT, LONGEST_WAIT = 0.05, 10.0
"""Seconds until camd is started again, doubled from one time to the next."""
READY_WAIT = 0.2
"""The longest where it had begun to take photos: boards wait meanwhile."""
STEADY = 5.0
"""Seconds of life after which a crash counts as the first."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD)
_CREDENTIALS = struct.Struct("3i")
_ANCILLARY = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(253 * 4)
_PR_SET_CHILD_SUBREAPER = 36


class Keeper:
    """:ivar kept: descriptors by name, several may have the same."""

    def __init__(self, program: list[str]) -> None:
        self.program = program
        self.kept: list[tuple[str, int]] = []
        self.child = 0
        self.stopping = False
        self.ready = False  # it was, in whichever life
        self.served = False  # it was, in this one
        self.started = 0.0
        self.wait = FIRST_WAIT
        self.code = 0
        self.address = f"@camd-{os.getpid()}-{os.urandom(8).hex()}"
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.notices.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.notices.bind("\0" + self.address[1:])
        self.wake, waker = os.pipe()
        for end in (self.wake, waker):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)

    # ---- the daemon's life

    def run(self) -> int:
        """Its exit code, when all is over."""
        adopt_orphans()
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)
        self.start()
        while True:
            ready, _, _ = select.select([self.wake, self.notices.fileno()], [], [])
            if self.notices.fileno() in ready:
                self.hear()
            if self.wake in ready and self.heed():
                return self.code

    def heed(self) -> bool:
        """Signals that have come. Whether all is over."""
        for number in os.read(self.wake, 4096):
            if number == signal.SIGCHLD:
                continue
            if number in (signal.SIGTERM, signal.SIGINT):
                self.stopping = True
            self.pass_on(number)
        return self.bury()

    def pass_on(self, number: int) -> None:
        if self.child:
            # Children are in a session of their own: one Ctrl-C is one signal.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.child, signal.SIGTERM if number == signal.SIGINT else number)

    def bury(self) -> bool:
        """Children that have ended. Whether all is over."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                pid, status = 0, 0
            if not pid:
                return self.stopping and not self.child
            self.hear()  # its last words, which may name another in its place
            if pid == self.child:
                self.child = 0
                self.code = os.waitstatus_to_exitcode(status)
                if self.stopping or self.code == 0 or not self.ready:
                    self.code = 1 if self.code < 0 else self.code
                    return True
                self.again()

    def again(self) -> None:
        if time.monotonic() - self.started > STEADY:
            self.wait = FIRST_WAIT
        how = f"by signal {-self.code}" if self.code < 0 else f"with code {self.code}"
        say(f"camd ended {how}; it starts again, sockets that are kept: {len(self.kept)}")
        end = time.monotonic() + self.wait
        self.wait = min(2 * self.wait, READY_WAIT if self.served else LONGEST_WAIT)
        while (left := end - time.monotonic()) > 0 and not self.stopping:
            ready, _, _ = select.select([self.wake], [], [], left)
            if ready:
                numbers = os.read(self.wake, 4096)
                self.stopping = signal.SIGTERM in numbers or signal.SIGINT in numbers
        if not self.stopping:
            self.start()

    def start(self) -> None:
        """The daemon is started, and has all that is kept."""
        self.started = time.monotonic()
        self.served = False
        self.child = os.fork()
        if not self.child:
            try:
                self.become()
            except OSError as error:
                say(f"camd cannot be started: {error}")
            finally:
                os._exit(127)

    def become(self) -> None:
        """In the child: be the daemon."""
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        environ = dict(os.environ)
        environ["NOTIFY_SOCKET"] = self.address
        environ["FDSTORE"] = str(MOST_KEPT)
        if self.kept:
            environ["LISTEN_PID"] = str(os.getpid())
            environ["LISTEN_FDS"] = str(len(self.kept))
            environ["LISTEN_FDNAMES"] = ":".join(name for name, _ in self.kept)
        first = 3
        last = first + len(self.kept)
        # Out of the way first: one's place may be another's number.
        moved = [fcntl.fcntl(fd, fcntl.F_DUPFD, last) for _, fd in self.kept]
        for place, fd in enumerate(moved, first):
            os.dup2(fd, place)
        os.closerange(last, max(moved, default=last) + 64)
        os.execve(self.program[0], self.program, environ)

    # ---- what it says

    def hear(self) -> None:
        """Notices that have come."""
        while True:
            try:
                data, ancillary, _, _ = self.notices.recvmsg(
                    8192, _ANCILLARY, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            fds, uid = opened(ancillary)
            if uid not in (os.getuid(), 0):
                close(fds)
                continue
            lines = data.decode("utf-8", "replace").split("\n")
            self.noticed(dict(line.partition("=")[::2] for line in lines), fds)

    def noticed(self, said: "dict[str, str]", fds: "list[int]") -> None:
        name = said.get("FDNAME", "stored")
        if said.get("FDSTORE") == "1" and len(self.kept) + len(fds) <= MOST_KEPT:
            self.kept += [(name, fd) for fd in fds]
            fds = []
        if said.get("FDSTOREREMOVE") == "1":
            close([fd for known, fd in self.kept if known == name])
            self.kept = [(known, fd) for known, fd in self.kept if known != name]
        if said.get("MAINPID", "").isdecimal():
            self.child = int(said["MAINPID"])
            self.started = time.monotonic()
            if self.stopping:  # the one before may have heard of it too late
                self.pass_on(signal.SIGTERM)
        if said.get("READY") == "1":
            self.ready = self.served = True
        close(fds)


def opened(ancillary: "list[tuple[int, int, bytes]]") -> "tuple[list[int], int]":
    """Descriptors that came with a notice, and whose it is: the user's number."""
    fds = array.array("i")
    uid = -1
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        elif level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            _, uid, _ = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])
    return list(fds), uid


def close(fds: "list[int]") -> None:
    for fd in fds:
        os.close(fd)


def adopt_orphans() -> None:
    """The child of a child that has ended is this process's: an upgraded daemon."""
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def many_files() -> None:
    """As many open files as the system lets this process have."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def say(text: str) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    print(f"{now}Z [camd.keeper] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    many_files()
    sys.exit(Keeper(sys.argv[1:]).run())
