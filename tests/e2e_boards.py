"""Boards over real sockets: one that is told what to do, and many that send until stopped."""

import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

from tests.e2e_daemon import Daemon, until
from tests.e2e_talk import Talk, numbered
from tests.pictures import insects

WAIT = 20.0


def photo(number: int, size: tuple[int, int] = (320, 240)) -> bytes:
    """A real JPEG of insects that no other number has."""
    return numbered(number, insects(number % 16, size))


class Wire:
    """A TCP connection, read line by line; every wait ends."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, wait: float = WAIT) -> None:
        plain = socket.create_connection(("127.0.0.1", port), wait)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
        self._rest = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self, wait: float = WAIT) -> str:
        """The next line; EOFError where there is none."""
        self.socket.settimeout(wait)
        while b"\n" not in self._rest:
            data = self.socket.recv(65_536)
            if not data:
                raise EOFError(f"closed behind {self._rest!r}")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("ascii")

    def ends(self, wait: float = WAIT) -> bool:
        """Whether camd ends it within so long, saying nothing more."""
        self.socket.settimeout(wait)
        try:
            return self._rest + self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Gone without a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()


class V1(Wire):
    """A board with the tutorial's sketch."""

    def begin(self, data: bytes) -> None:
        self.send(b"FrameBegin" + data)

    def photo(self, data: bytes, wait: float = WAIT) -> str:
        self.send(b"FrameBegin" + data + b"FrameOver")
        return self.line(wait)


class V2(Wire):
    """A board with our firmware, welcomed."""

    def __init__(
        self, port: int, talk: Talk, tls: ssl.SSLContext | None = None, wait: float = WAIT
    ) -> None:
        super().__init__(port, tls, wait)
        self.talk = talk
        self.send(talk.hello())
        line = self.line()
        if line.startswith("CHALLENGE"):
            self.send(talk.auth(line))
            line = self.line()
        self.welcome = line if line.startswith("ERR ") else talk.checked(line)
        if not self.welcome.startswith("WELCOME camd/2 "):
            raise EOFError(self.welcome)

    @property
    def last(self) -> int:
        return int(self.welcome.split(" last=")[1].split(" ")[0])

    def photo(self, seq: int, data: bytes, wait: float = WAIT) -> str:
        self.send(self.talk.frame(seq, data))
        return self.answer(wait)

    def answer(self, wait: float = WAIT) -> str:
        return self.talk.checked(self.line(wait))


class Load:
    """Boards that send photos, half of them v1, until they are stopped or camd goes away.

    :ivar sent: every photo that may be in the store.
    :ivar kept: those of v2 that were acknowledged, by camera, boot and seq. *kept_v1*: the same
        of v1. *answers*: how often each answer came.
    """

    def __init__(self, daemon: Daemon, boards: int = 8, size: tuple[int, int] = (320, 240),
                 first: int = 0, photos: int = 100_000) -> None:  # fmt: skip
        self.daemon = daemon
        self.sent: set[bytes] = set()
        self.kept: dict[tuple[str, str, int], bytes] = {}
        self.kept_v1: list[bytes] = []
        self.answers: Counter[str] = Counter()
        self.unanswered: dict[tuple[str, str, int], bytes] = {}
        self._size = size
        self._first = first
        self._photos = photos
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._v1 if n % 2 else self._v2, args=(n,), daemon=True)
            for n in range(boards)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """All boards have ended."""
        self._stop.set()
        self.wait()

    def wait(self, seconds: float = 60) -> None:
        """Every board has come to its own end."""
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():
                raise AssertionError("a board is still waiting for its answer")

    def go_on_until(self, acknowledged: int, seconds: float = 30) -> None:
        """So many were acknowledged."""
        end = time.monotonic() + seconds
        while len(self.kept) + len(self.kept_v1) < acknowledged:
            if time.monotonic() > end or not any(t.is_alive() for t in self._threads):
                raise AssertionError(f"{len(self.kept) + len(self.kept_v1)} were acknowledged")
            time.sleep(0.01)

    def go_on_until_refused(self) -> None:
        """A photo was refused."""
        until(lambda: any(answer.startswith("NAK") for answer in self.answers), 10)

    def _numbers(self, board: int) -> Iterator[tuple[int, bytes]]:
        for seq in range(1, self._photos + 1):
            if self._stop.is_set():
                return
            data = photo(self._first + board * 1_000_000 + seq, self._size)
            self.sent.add(data)
            yield seq, data

    def _v1(self, number: int) -> None:
        with suppress(OSError, EOFError):
            board = V1(self.daemon.port)
            for _, data in self._numbers(number):
                answer = board.photo(data)
                self.answers[answer] += 1
                if answer == "ACK":
                    self.kept_v1.append(data)
            board.close()

    def _v2(self, number: int) -> None:
        camera, boot = f"trap-{number}", f"{self._first + number:016x}"
        with suppress(OSError, EOFError):
            board = V2(self.daemon.port, Talk(camera, boot))
            for seq, data in self._numbers(number):
                self.unanswered[camera, boot, seq] = data
                answer = board.photo(seq, data)
                self.answers[answer.replace(f" {seq}", "", 1)] += 1
                if answer == f"ACK {seq}":
                    self.kept[camera, boot, seq] = self.unanswered.pop((camera, boot, seq))
            board.close()


def lost(load: Load, photos: dict[str, bytes]) -> list[str]:
    """What is wrong with a store that holds *photos*: acknowledged ones that are missing, torn or
    doubled, and files that nobody sent."""
    there = Counter(photos.values())
    wrong = [f"doubled: {path}" for path, data in photos.items() if there[data] > 1]
    wrong += [f"never sent: {path}" for path, data in photos.items() if data not in load.sent]
    wrong += [f"lost: a v1 photo of {len(d)} bytes" for d in load.kept_v1 if d not in there]
    named = {path.rpartition("_")[2]: data for path, data in photos.items() if "/" in path}
    wrong += [
        f"lost: {camera} {boot}-{seq}"
        for (camera, boot, seq), data in load.kept.items()
        if data not in there or named.get(f"{boot}-{seq}.jpg", data) != data
    ]
    return wrong
