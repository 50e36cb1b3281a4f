"""Files that are sent: whole or a range of them, small ones at once and large ones in pieces."""

import os
import re
from collections.abc import Callable

from attrs import frozen
from twisted.logger import Logger
from twisted.protocols.basic import FileSender

from camd.web.answers import TAKEN, Answer, Problem
from camd.web.routes import Ask
from camd.workers import BusyError, Workers

log = Logger()

AT_ONCE = 1024 * 1024
"""Bytes that are read in one go; more is sent piece by piece."""

_RANGE = re.compile(rb"bytes=([0-9]{0,15})-([0-9]{0,15})", re.IGNORECASE)


@frozen
class Sent:
    """A file that can be asked for.

    :ivar name: for people, and as what it is saved.
    :ivar open: gives a descriptor of it; blocks; raises OSError.
    :ivar keep: what is said of keeping it: Cache-Control.
    """

    name: str
    size: int
    etag: bytes
    kind: bytes
    keep: bytes
    open: Callable[[], int]


async def send(ask: Ask, file: Sent, workers: Workers) -> Answer:
    """The answer with *file*, or with what is asked for of it.

    :raises Problem: too much is asked for at once, the file is gone, or there is no such range.
    """
    download = ask.query.truth("download")
    headers = {b"Cache-Control": file.keep, b"Accept-Ranges": b"bytes"}
    if ask.matches(file.etag):
        return Answer(b"", 304, headers=headers)
    if download:
        name = file.name.encode("ascii")
        headers[b"Content-Disposition"] = b'attachment; filename="%s"' % name
    start, end = 0, file.size
    status = 200
    wanted = ask.request.getHeader(b"range") if ask.request.method == b"GET" else None
    if wanted is not None and ask.request.getHeader(b"if-range") in (None, file.etag):
        found = byte_range(wanted, file.size)
        if found is not None:
            start, end = found
            status = 206
            headers[b"Content-Range"] = b"bytes %d-%d/%d" % (start, end - 1, file.size)
    try:
        if end - start > AT_ONCE:
            piece = Piece(await workers.run(file.open), start, end)
            return _in_pieces(ask, file.name, piece, Answer(b"", status, file.kind, headers))
        body = await workers.run(lambda: _read(file, start, end))
    except BusyError:
        raise Problem(503, "too much is read at once", Retry_After="1") from None
    except OSError as error:
        log.warn("{name}: {why}", name=file.name, why=error.strerror or str(error))
        raise Problem(404, "its file is gone") from None
    return Answer(body, status, file.kind, headers)


def _read(file: Sent, start: int, end: int) -> bytes:
    fd = file.open()
    try:
        return os.pread(fd, end - start, start)
    finally:
        os.close(fd)


class Piece:
    """The bytes of an open file from one place to another, to be read once."""

    def __init__(self, fd: int, start: int, end: int) -> None:
        self._fd, self._at, self._end = fd, start, end

    @property
    def length(self) -> int:
        """Bytes that are left."""
        return self._end - self._at

    def read(self, size: int) -> bytes:
        data = os.pread(self._fd, min(size, self.length), self._at)
        self._at += len(data)
        return data

    def close(self) -> None:
        os.close(self._fd)


def _in_pieces(ask: Ask, what: str, piece: Piece, answer: Answer) -> Answer:
    """What is too large to be read in one go."""
    request = ask.request
    if request.gone:
        piece.close()
        return Answer(TAKEN)
    request.setResponseCode(answer.status)
    length = b"%d" % piece.length
    for name, value in (
        *answer.headers.items(), (b"Content-Type", answer.type), (b"Content-Length", length),
    ):  # fmt: skip
        request.setHeader(name, value)
    if request.method == b"HEAD":
        piece.close()
        request.finish()
        return Answer(TAKEN)

    def over(result: object) -> None:
        piece.close()
        if request.gone:
            return
        if piece.length:
            # What was promised cannot be kept; the next answer must not be taken for the rest.
            log.warn("{name}: it has become shorter while it was sent", name=what)
            request.channel.transport.abortConnection()
        else:
            request.finish()

    FileSender().beginFileTransfer(piece, request).addBoth(over)
    return Answer(TAKEN)


def byte_range(said: bytes, size: int) -> tuple[int, int] | None:
    """From where up to where *said*, a Range header, means; None where it is to be ignored.

    :raises Problem: there is nothing of it.
    """
    match = _RANGE.fullmatch(said.replace(b" ", b""))
    if match is None or not (match[1] or match[2]):
        return None
    if match[1]:
        start = int(match[1])
        end = min(size, int(match[2]) + 1) if match[2] else size
        if match[2] and int(match[2]) < start:
            return None
    else:
        start, end = max(0, size - int(match[2])), size
    if start >= end:
        raise Problem(416, "", Content_Range=f"bytes */{size}")
    return start, end
