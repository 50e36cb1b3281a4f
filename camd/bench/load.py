"""Boards as fast as one process can play them; run as ``python -m camd.bench.load``.

One thread, plain sockets, nothing but the opening, frames and their answers. Prints one JSON
object. It knows nothing of how camd is built.
"""

import argparse
import json
import resource
import selectors
import socket
import struct
import time
import zlib
from collections import deque
from typing import Any

from attrs import define, field

from camd.pictures import Album

_COM = b"\xff\xfe"
_NOTE = struct.Struct(">IIQ")
_READ = 65536


@define(eq=False)
class Board:
    """One board: its socket, what is to be sent, and when each photo without an answer left."""

    number: int
    socket: socket.socket
    window: int = 1
    seq: int = 0
    out: deque[memoryview] = field(factory=deque)
    sent_at: dict[int, float] = field(factory=dict)
    lines: bytes = b""
    answered: int = 0
    refused: int = 0


@define(eq=False)
class Load:
    """*boards* boards that send photos for *seconds*, each as many as its window allows."""

    port: int
    boards: int
    seconds: float
    warmup: float
    pictures: list[bytes]
    latencies: list[float] = field(factory=list)
    bytes: int = 0
    _selector: selectors.BaseSelector = field(factory=selectors.DefaultSelector)
    _start: float = 0.0

    def run(self) -> dict[str, Any]:
        """What was measured; seconds, bytes and counts."""
        boards = [self._connect(number) for number in range(self.boards)]
        cpu = time.process_time()
        self._start = now = time.monotonic()
        end = now + self.warmup + self.seconds
        for board in boards:
            self._fill(board)
        while (now := time.monotonic()) < end + 5:
            waiting = any(board.sent_at for board in boards)
            if now >= end and not waiting:
                break
            for key, mask in self._selector.select(0.1):
                if mask & selectors.EVENT_READ:
                    self._read(key.data)
                if now < end:
                    self._fill(key.data)
                self._write(key.data)
        counted = sorted(self.latencies)
        return {
            "photos": len(counted),
            "seconds": self.seconds,
            "bytes": self.bytes,
            "p50": _quantile(counted, 0.5),
            "p99": _quantile(counted, 0.99),
            "sent": sum(board.seq for board in boards),
            "answered": sum(board.answered for board in boards),
            "refused": sum(board.refused for board in boards),
            "load_cpu": time.process_time() - cpu,
        }

    def _connect(self, number: int) -> Board:
        connection = socket.create_connection(("127.0.0.1", self.port), 10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        name = f"bench-{number}"
        boot = zlib.crc32(f"{name} {time.time_ns()}".encode())
        connection.sendall(
            b"HELLO camd/2 cam=%s boot=%016x nonce=%032x\n" % (name.encode(), boot, boot)
        )
        welcome = connection.recv(1024).split()
        board = Board(number, connection)
        for word in welcome:
            if word.startswith(b"window="):
                board.window = int(word[7:])
        connection.setblocking(False)
        self._selector.register(connection, selectors.EVENT_READ, board)
        return board

    def _fill(self, board: Board) -> None:
        while len(board.sent_at) < board.window:
            board.seq += 1
            which = (board.number + board.seq) % len(self.pictures)
            picture = self.pictures[which]
            # A photo is SOI, a comment that no other has, and the rest of one of the pictures.
            note = _NOTE.pack(board.number, board.seq, time.time_ns())
            head = picture[:2] + _COM + struct.pack(">H", len(note) + 2) + note
            rest = memoryview(picture)[2:]
            size = len(head) + len(rest)
            crc = zlib.crc32(rest, zlib.crc32(head))
            line = b"FRAME seq=%d len=%d crc=%08x\n" % (board.seq, size, crc)
            board.out.append(memoryview(line + head))
            board.out.append(rest)
            board.sent_at[board.seq] = time.monotonic()
        self._write(board)

    def _write(self, board: Board) -> None:
        while board.out:
            try:
                sent = board.socket.sendmsg(list(board.out)[:16])
            except BlockingIOError:
                break
            while sent:
                first = board.out[0]
                if sent < len(first):
                    board.out[0] = first[sent:]
                    break
                sent -= len(first)
                board.out.popleft()
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if board.out else 0)
        if self._selector.get_key(board.socket).events != wanted:
            self._selector.modify(board.socket, wanted, board)

    def _read(self, board: Board) -> None:
        try:
            data = board.socket.recv(_READ)
        except BlockingIOError:
            return
        if not data:
            raise SystemExit("the daemon closed a connection")
        *lines, board.lines = (board.lines + data).split(b"\n")
        now = time.monotonic()
        for line in lines:
            verb, seq, *_ = line.split(b" ")
            sent = board.sent_at.pop(int(seq), None)
            if sent is None:
                continue
            if verb != b"ACK":
                board.refused += 1
                continue
            board.answered += 1
            if self._start + self.warmup <= now <= self._start + self.warmup + self.seconds:
                self.latencies.append(now - sent)
                self.bytes += len(self.pictures[(board.number + int(seq)) % len(self.pictures)])


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def pictures(size: str, count: int = 4) -> list[bytes]:
    """*count* photos of insects of one framesize."""
    album = Album(seed=1)
    return [album.picture("bench", number, size) for number in range(1, count + 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--boards", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--warmup", type=float, default=1.0)
    parser.add_argument("--size", default="vga")
    parser.add_argument("--idle", action="store_true", help="only connect, and wait for a line")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    load = Load(
        options.port, options.boards, options.seconds, options.warmup, pictures(options.size)
    )
    if options.idle:
        held = [load._connect(number) for number in range(options.boards)]
        print(json.dumps({"connected": len(held)}), flush=True)
        input()
        return
    print(json.dumps(load.run()), flush=True)


if __name__ == "__main__":
    main()
