"""What a body holds: one picture, and perhaps some words about it.

A body that begins as a JPEG does is one, whatever its Content-Type says; one that begins with two
dashes has parts. Of those the first that begins as a JPEG does is the picture, whatever its
field is called, and the others are words.
"""

from enum import Enum

from camd.upload.multipart import Data, Multipart, MultipartError, Part
from camd.wire.picture import BEGIN, Picture

MOST_WORDS = 20
LONGEST_WORD = 256


class Kind(Enum):
    """What a body has shown itself to be."""

    UNKNOWN = "not enough of it has come"
    RAW = "a JPEG and nothing else"
    PARTS = "multipart"
    NOTHING = "neither"


class Submission:
    """Follows a body.

    :ivar picture: the one that it holds, so far as it has come, or None.
    :ivar words: its text fields, by name, as far as a part's boundary shows that they are whole.
    :ivar closed: whether the closing boundary has come.
    """

    __slots__ = (
        "_announced",
        "_most",
        "_multipart",
        "_name",
        "_start",
        "_word",
        "closed",
        "kind",
        "picture",
        "words",
    )

    def __init__(self, most: int, announced: bool = False) -> None:
        """:param most: bytes of a picture. *announced*: parts, by the request's header."""
        self._most = most
        self._announced = announced
        self._multipart = Multipart()
        self._start = b""
        self._name: str | None = None  # of the part under way; None where it is the picture
        self._word = b""
        self.kind = Kind.UNKNOWN
        self.picture: Picture | None = None
        self.words: dict[str, str] = {}
        self.closed = False

    @property
    def held(self) -> int:
        """Bytes of it that are kept."""
        picture = self.picture.held if self.picture is not None else 0
        return self._multipart.held + len(self._start) + picture

    @property
    def whole(self) -> bool:
        """Whether there is a picture, from its beginning to its end."""
        return self.picture is not None and self.picture.whole

    @property
    def oversize(self) -> bool:
        return self.picture is not None and self.picture.oversize

    def feed(self, data: bytes) -> None:
        if self.kind is Kind.UNKNOWN:
            self._begin(data)
        elif self.kind is Kind.PARTS:
            self._parts(data)
        elif self.picture is not None:
            self.picture.add(data)

    def _begin(self, data: bytes) -> None:
        start, self._start = (self._start + data).lstrip(b"\r\n"), b""
        if start.startswith(BEGIN):
            self.kind = Kind.RAW
            self.picture = Picture(self._most)
            self.picture.add(start)
        elif BEGIN.startswith(start) or start == b"-":
            self._start = start
        elif start.startswith(b"--") or self._announced:
            self.kind = Kind.PARTS
            self._parts(start)
        else:
            self.kind = Kind.NOTHING

    def _parts(self, data: bytes) -> None:
        multipart = self._multipart
        multipart.receive_data(data)
        try:
            while (event := multipart.next_event()) is not None:
                if isinstance(event, Data):
                    self._data(event.data)
                    continue
                self._word_over()
                if isinstance(event, Part):
                    self._name = event.name
                else:
                    self.closed = True
        except MultipartError:
            self.kind = Kind.NOTHING

    def _data(self, data: bytes) -> None:
        if self._name is None:
            if self.picture is not None:
                self.picture.add(data)
            return
        start = self._word + data if len(self._word) < len(BEGIN) else b""
        if self.picture is None and start.startswith(BEGIN):
            self._name, self._word = None, b""
            self.picture = Picture(self._most)
            self.picture.add(start)
        elif len(self._word) <= LONGEST_WORD:
            self._word += data[: LONGEST_WORD + 1]

    def _word_over(self) -> None:
        """A part has ended: a word, where it is not too long to be one."""
        if self._name and len(self._word) <= LONGEST_WORD and len(self.words) < MOST_WORDS:
            text = self._word.decode("utf-8", "replace").strip()
            self.words.setdefault(self._name, text)
        self._name, self._word = None, b""
