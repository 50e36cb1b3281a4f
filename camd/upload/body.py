"""A request's body as it comes: how much more of it there is to be, and whether it is a photo.

Knows no clock and no connection: how long to wait for more is said, not waited.
"""

import re

from camd.photo import Reason, Trigger
from camd.upload.answer import Declined
from camd.upload.framing import Chunked, Counted, Framing
from camd.upload.head import Head
from camd.upload.submission import Kind, Submission
from camd.wire.picture import Picture

BESIDE = 64 * 1024
"""Bytes that a body may have besides its picture: other fields, and what a driver appended."""

TAIL = 5.0
"""Seconds that the rest of a body gets whose picture is whole: fields that are to follow it."""

MORE = 2.0
"""Seconds that more of a picture gets when the announced length is used up and it has no end."""

_MILLISECONDS = re.compile(r"[0-9]{1,15}", re.ASCII)


class Body:
    """What comes behind *head*.

    A PUT is a program's: its length is believed. A POST is a sketch's: a closing boundary and the
    picture's own end are believed before its length.

    :param most: bytes of a picture.
    """

    __slots__ = ("_announced", "_framing", "_got", "_most", "_strict", "_submission")

    def __init__(self, head: Head, most: int) -> None:
        """:raises Declined: it is larger than it may be, by its own account."""
        if head.length is not None and head.length > most + BESIDE:
            raise _too_large(most)
        self._most = most
        self._strict = head.method == "PUT" or head.chunked
        self._announced = head.length is not None or head.chunked
        self._framing: Framing = (
            Chunked() if head.chunked else Counted(head.length, head.method == "PUT")
        )
        kind = head.fields.get("content-type", "").lower()
        self._submission = Submission(most, kind.startswith("multipart/"))
        self._got = 0

    def feed(self, data: bytes) -> None:
        """Some more has come.

        :raises Declined: that is no photo, or too large for one.
        """
        body = self._framing.feed(data)
        self._got += len(body)
        submission = self._submission
        submission.feed(body)
        if submission.oversize or self._got > self._most + BESIDE:
            raise _too_large(self._most)
        if submission.kind is Kind.NOTHING and not submission.whole:
            raise Declined(400, "not stored: there is no JPEG in what came", Reason.JPEG)

    @property
    def held(self) -> int:
        return self._submission.held

    @property
    def picture(self) -> Picture | None:
        return self._submission.picture

    @property
    def words(self) -> dict[str, str]:
        """Its text fields."""
        return self._submission.words

    @property
    def over(self) -> bool:
        """Whether no more is to come, as far as can be known."""
        submission, framing = self._submission, self._framing
        if submission.closed or submission.kind is Kind.NOTHING:
            return True
        ended = submission.picture is not None and submission.picture.over
        if not self._announced:
            return ended and submission.kind is Kind.RAW
        if not framing.reached:
            return False
        return self._strict or (ended and (framing.exact or submission.kind is Kind.RAW))

    def patience(self, progress: float) -> float:
        """Seconds to wait for more. *progress*: as long as for any upload."""
        if self._submission.whole:
            return min(TAIL, progress)
        return min(MORE, progress) if self._framing.exact else progress

    @property
    def exact(self) -> bool:
        """Whether it was just as long as it was to be, so that a next request is behind it."""
        return self._strict and self._framing.exact

    @property
    def behind(self) -> bytes:
        """What came behind it."""
        return self._framing.behind


def _too_large(most: int) -> Declined:
    return Declined(413, f"not stored: a photo has {most} bytes at most", Reason.SIZE)


def taken(text: str) -> float | None:
    """Unix seconds of a time in milliseconds; None where it is none."""
    return int(text) / 1000 if _MILLISECONDS.fullmatch(text) else None


def trigger(text: str) -> Trigger | None:
    try:
        return Trigger(text)
    except ValueError:
        return None
