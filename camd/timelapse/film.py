"""The whole way: from the photos of a camera in the catalog to a film that exists whole or not.

Two walks over the catalog, a page at a time: one that counts, and one that shows. Memory does not
grow with the photos, but for a number or two of each where a film is to last so long.
"""

import os
import tempfile
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from attrs import define, field, frozen

from camd.config import Bytes, size_text
from camd.findings import Flag
from camd.plural import count
from camd.store.catalog import CatalogReader
from camd.store.entry import Cursor, Entry
from camd.store.files import fsync_directory, publish, umask
from camd.store.naming import PART_PREFIX, PART_SUFFIX
from camd.store.opening import read_photo
from camd.timelapse.choice import Choice, Even, Every, Stretches
from camd.timelapse.encoder import Encoder, EncoderError
from camd.timelapse.picture import BrokenPictureError, Printer, look
from camd.timelapse.wish import Size, Wish
from camd.upright import upright_size

PAGE = 500
LOOK_AT_ROOM = 200
"""Steps between two looks at how large the film is, and at how much room the disk has: photos, and
pictures of the film."""

UNSEEN = (Flag.DARK, Flag.BRIGHT, Flag.GREEN, Flag.COVERED)
"""What makes a photo not worth seeing, in the order in which it is said."""

Told = Callable[[int, int], None]
"""Is told how much is done, and of how much: pictures of a film of a given length, else photos; of
0 while the photos are still being counted."""


class TimelapseError(Exception):
    """There is no film; the text is one line for people."""


@frozen
class Made:
    """A film. *photos*: how many it shows. *left_out*: how many were not fit, by the reason.
    *seconds*: how long it lasts. *bytes*: its file's."""

    photos: int
    left_out: dict[str, int]
    seconds: float
    size: Size
    bytes: int


@define
class _Survey:
    """What the first walk found. *first*: a photo of each size. *taken_ms*: of each photo, where
    that is needed."""

    photos: int = 0
    pictures: int = 0
    sizes: Counter[Size] = field(factory=Counter)
    first: dict[Size, Entry] = field(factory=dict)
    taken_ms: "array[int]" = field(factory=lambda: array("q"))


def shoot(
    root: Path,
    reader: CatalogReader,
    wish: Wish,
    target: Path,
    ffmpeg: str,
    *,
    force: bool = False,
    flags: Callable[[Entry], frozenset[Flag]] = lambda entry: frozenset(),
    told: Told = lambda done, total: None,
    room: Callable[[], bool] = lambda: True,
) -> Made:
    """The film that is wanted, as the file *target*.

    :param root: the store's directory.
    :param force: a file that is there already is replaced.
    :param flags: what is known to be wrong with a photo; where nothing is, it is looked at now.
    :param room: whether the disk may be filled further.
    :raises TimelapseError: there is no film, and no trace of one.
    :raises OSError: *target* cannot be written; what of photos cannot be read is left out.
    """
    if not force and os.path.lexists(target):
        raise TimelapseError(f"{target} is there already; --force replaces it")
    film = _Film(root, reader, wish, flags, told, room)
    survey = film.survey()
    if not survey.photos:
        raise TimelapseError(f"there is no photo of {wish.camera} from that time")
    choice, pictures = _choice(wish, survey)
    if wish.longest is not None and pictures > wish.longest * wish.fps:
        raise TimelapseError(
            f"it would last {pictures / wish.fps:.0f} s, and {wish.longest:g} s is the longest: "
            "a length, or one photo for each stretch of time, makes it shorter"
        )
    size = wish.size or _even(film.usual_size(survey))
    with _part(target, force) as part, ExitStack() as stack:
        encoder = stack.enter_context(closing(Encoder(ffmpeg, part, size, wish.fps)))
        try:
            film.show(survey.photos, choice, Printer(size, wish.dated, wish.zone), encoder)
            if not encoder.sent:
                raise TimelapseError(
                    f"of {count(survey.photos, 'photo')} none can be shown: {said(film.left_out)}"
                )
            lost = encoder.sent - encoder.finish()
            film.bound(encoder)
        except EncoderError as error:
            raise TimelapseError(str(error)) from None
        if lost > 0:
            film.left_out["broken"] += lost
        seconds = (encoder.sent - lost) / wish.fps
    return Made(film.photos, dict(film.left_out), seconds, size, target.stat().st_size)


def said(left_out: dict[str, int]) -> str:
    """For people: ``10 dark, 2 broken``."""
    return ", ".join(f"{count:,} {why}" for why, count in left_out.items() if count)


def _even(size: Size) -> Size:
    """H.264 with colours at half of the size has no odd ones."""
    return max(2, size[0] & ~1), max(2, size[1] & ~1)


def _choice(wish: Wish, survey: _Survey) -> tuple[Choice, int]:
    """Which photos are shown, and how many pictures that makes at most."""
    if wish.length is not None:
        if not survey.taken_ms:
            raise TimelapseError(
                f"{count(survey.photos, 'photo')}, and nothing but dark or broken ones"
            )
        pictures = max(1, round(wish.length * wish.fps))
        return Even.over(survey.taken_ms, pictures, wish.fps), pictures
    if wish.every is not None:
        return Stretches(_stretch_ms(wish.every)), survey.pictures
    return Every(), survey.pictures


def _stretch_ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


@contextmanager
def _part(target: Path, force: bool) -> Iterator[Path]:
    """A file to be written, that becomes *target* where all goes well, and else vanishes."""
    fd, name = tempfile.mkstemp(PART_SUFFIX, PART_PREFIX, target.parent)
    try:
        os.fchmod(fd, 0o666 & ~umask())
        yield Path(name)
        os.fsync(fd)
        if force:
            os.replace(name, target)
        else:
            try:
                publish(name, str(target))
            except FileExistsError:
                raise TimelapseError(f"{target} is there by now; --force replaces it") from None
        fsync_directory(target.parent)
    finally:
        os.close(fd)
        Path(name).unlink(missing_ok=True)


@define(eq=False)
class _Film:
    """A film in the making. *photos*: shown by now. *left_out*: not, by the reason."""

    _root: Path
    _reader: CatalogReader
    _wish: Wish
    _flags: Callable[[Entry], frozenset[Flag]]
    _told: Told
    _room: Callable[[], bool]
    photos: int = 0
    left_out: Counter[str] = field(factory=Counter)
    _steps: int = 0

    def _entries(self) -> Iterator[Entry]:
        """The photos of that time and those hours, oldest first."""
        wish = self._wish
        after: Cursor | None = None
        while True:
            page = self._reader.photos(
                wish.camera, since_ms=wish.since_ms, until_ms=wish.until_ms, after=after,
                limit=PAGE, newest_first=False,
            )  # fmt: skip
            for entry in page:
                if wish.daily is None or wish.daily.has(entry.taken_ms, wish.zone):
                    yield entry
            if len(page) < PAGE:
                return
            after = page[-1].cursor

    def survey(self) -> _Survey:
        """How many there are, and what more has to be known of all before one is shown."""
        found = _Survey()
        wish = self._wish
        choice: Choice = Every() if wish.every is None else Stretches(_stretch_ms(wish.every))
        for entry in self._entries():
            found.photos += 1
            size = entry.width, entry.height
            found.sizes[size] += 1
            found.first.setdefault(size, entry)
            if choice.due(entry.taken_ms):
                choice.shown(entry.taken_ms)
                found.pictures += 1
            if wish.length is not None and (not wish.skip_dark or self._fit(entry) is not None):
                found.taken_ms.append(entry.taken_ms)
            self._told(found.photos, 0)
        return found

    def usual_size(self, survey: _Survey) -> Size:
        """That of most photos, upright: those of a size lie on the same side."""
        size = survey.sizes.most_common(1)[0][0]
        try:
            return upright_size(size, read_photo(self._root, survey.first[size]))
        except OSError:
            return size

    def show(self, photos: int, choice: Choice, printer: Printer, encoder: Encoder) -> None:
        """The pictures go to *encoder*, each in its turn."""
        total = choice.pictures if isinstance(choice, Even) else photos
        before, owed = b"", 0
        for seen, entry in enumerate(self._entries()):
            self._step(encoder.sent if choice.steady else seen, total, encoder)
            due = choice.due(entry.taken_ms) + owed
            if not due:
                continue
            picture, owed = self._picture(entry, printer), 0
            if picture is not None:
                choice.shown(entry.taken_ms)
                self.photos += 1
                before = picture
            elif not choice.steady:
                continue
            elif not before:
                owed = due
                continue
            self._send(before, due, encoder, total if choice.steady else 0)
        if isinstance(choice, Even) and before:
            self._send(before, choice.left, encoder, total)
        self._told(total, total)

    def _send(self, picture: bytes, times: int, encoder: Encoder, total: int) -> None:
        for _ in range(times):
            encoder.write(picture)
            if total:
                self._step(encoder.sent, total, encoder)

    def _step(self, done: int, total: int, encoder: Encoder) -> None:
        """:raises TimelapseError: the film, or the disk, may not be filled further."""
        self._told(min(done, total), total)
        self._steps += 1
        if self._steps % LOOK_AT_ROOM == 0:
            self.bound(encoder)
            if not self._room():
                raise TimelapseError("the disk is nearly full")

    def bound(self, encoder: Encoder) -> None:
        """:raises TimelapseError: the film is larger than it may be."""
        largest = self._wish.largest
        if largest is not None and encoder.path.stat().st_size > largest:
            raise TimelapseError(
                f"it would be larger than {size_text(Bytes(largest))}, which is the most: fewer"
                " photos, or a smaller size, make it smaller"
            )

    def _picture(self, entry: Entry, printer: Printer) -> bytes | None:
        """The photo as a picture; None where it is not fit to be one, which is counted."""
        jpeg = self._fit(entry)
        if jpeg is None:
            return None
        try:
            return printer.picture(jpeg, entry.taken_ms)
        except BrokenPictureError:
            self.left_out["broken"] += 1
            return None

    def _fit(self, entry: Entry) -> bytes | None:
        """The photo, where it is fit to be shown."""
        jpeg = self._read(entry) if self._fit_by(self._flags(entry)) else None
        return jpeg if jpeg is not None and self._fit_by(look(jpeg)) else None

    def _fit_by(self, flags: frozenset[Flag]) -> bool:
        why = Flag.BROKEN if Flag.BROKEN in flags else None
        if why is None and self._wish.skip_dark:
            why = next((flag for flag in UNSEEN if flag in flags), None)
        if why is not None:
            self.left_out[why.value] += 1
        return why is None

    def _read(self, entry: Entry) -> bytes | None:
        try:
            jpeg = read_photo(self._root, entry)
        except OSError:
            self.left_out["gone"] += 1
            return None
        if zlib.crc32(jpeg) != entry.crc:
            self.left_out["broken"] += 1
            return None
        return jpeg
