"""Who has which key: a file for each camera, which is the only place where its key is.

``<directory>/<camera>.key`` holds one key or, while it is being changed, two, the newest first:
64 hex digits a line; what follows a ``#`` is a comment. A file without a key bars its camera.
Files are read again when they change, so a running daemon learns of a new key by itself.

Whatever is wrong with a file, it lets nobody in. Nothing here knows how a key is proven.
"""

import os
import re
import secrets
import stat
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from attrs import define, field, frozen

from camd.photo import CameraId, is_camera_id
from camd.private import private_directory, write_private
from camd.wire.seal import KEY_BYTES

SUFFIX = ".key"
AT_MOST = 2

_KEY = re.compile(rf"[0-9a-fA-F]{{{2 * KEY_BYTES}}}", re.ASCII)
_LARGEST = 4096
# Without O_NONBLOCK, opening a fifo that someone put there would never return.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Keys = tuple[bytes, ...]
_Stamp = tuple[int, int, int, int, int]


class Step(Enum):
    """What may become of a camera's keys, one after the other."""

    ENROLL = "a first key"
    ROTATE = "a second one, and both are valid"
    SETTLE = "only the newer one is valid"


class KeyRingError(Exception):
    """What was asked cannot be done; the message is a sentence for the operator."""


class KeyFileError(KeyRingError):
    """A key file cannot be read, or holds what is no key."""


@frozen
class _Known:
    """What a camera's file held when it was last read."""

    stamp: _Stamp
    keys: Keys


@define(eq=False)
class KeyRing:
    """The keys in *directory*, which may be missing as long as nobody has one.

    :ivar said: is told, once for each state of a file, what is wrong with it.
    """

    directory: Path
    said: Callable[[KeyFileError], None] | None = None
    _prefix: str = field(init=False)
    _known: dict[CameraId, _Known] = field(factory=dict, init=False)
    _told: str = field(default="", init=False)

    def __attrs_post_init__(self) -> None:
        self._prefix = f"{self.directory}{os.sep}"
        # Known from the beginning, so that they are missed when the disk goes away.
        try:
            cameras = self.cameras()
        except OSError as error:
            self._complain(KeyFileError(f"{self.directory}: {error.strerror}"))
        else:
            for camera in cameras:
                self.keys_of(camera)

    def path(self, camera: CameraId) -> Path:
        return Path(self._name(camera))

    def _name(self, camera: CameraId) -> str:
        return f"{self._prefix}{camera}{SUFFIX}"

    # ---- who gets in

    def keys_of(self, camera: CameraId) -> Keys | None:
        """The keys that *camera* may have, newest first; each is 32 bytes.

        None: it was never enrolled. Empty: nobody gets in under that name, as it was revoked
        or its file is of no use. Costs a stat, while nothing changes.
        """
        name = self._name(camera)
        try:
            stamp = _stamp(os.lstat(name))
        except FileNotFoundError:
            return self._gone(camera)
        except OSError as error:
            self._complain(KeyFileError(f"{self.directory}: {error.strerror}"))
            return ()
        known = self._known.get(camera)
        if known is None or known.stamp != stamp:
            known = self._known[camera] = self._read(name, stamp)
        return known.keys

    def _gone(self, camera: CameraId) -> Keys | None:
        known = self._known.get(camera)
        if known is None:
            return None
        if not self.directory.is_dir():
            # The whole store is away: that makes no camera one without a key.
            return known.keys
        del self._known[camera]
        return None

    def _read(self, name: str, stamp: _Stamp) -> _Known:
        try:
            return _Known(*_load(name))
        except KeyFileError as error:
            self._complain(error)
        return _Known(stamp, ())

    def _complain(self, error: KeyFileError) -> None:
        # The same trouble with the directory is met at every camera that comes.
        if self.said is not None and str(error) != self._told:
            self._told = str(error)
            self.said(error)

    def cameras(self) -> tuple[CameraId, ...]:
        """The cameras that have a file, those that are barred included, by name.

        :raises OSError: the directory is there and cannot be read.
        """
        try:
            names = os.listdir(self.directory)
        except FileNotFoundError:
            return ()
        ids = (name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))
        return tuple(sorted(CameraId(id) for id in ids if is_camera_id(id)))

    # ---- who may get in from now on; all of these raise OSError where the disk does not obey

    def ready(self, camera: CameraId, step: Step) -> Keys | None:
        """The keys of *camera* as they are, if *step* is the next one; None where it has no file.

        :raises KeyRingError: it is not, or the file is of no use.
        """
        keys = self._exactly(camera)
        if step is Step.ENROLL and keys:
            raise KeyRingError(f"{camera} has a key already")
        if step is Step.ROTATE and not keys:
            raise KeyRingError(f"{camera} has no key that could be changed")
        if step is Step.ROTATE and len(keys or ()) >= AT_MOST:
            raise KeyRingError(f"{camera} has two keys already: settle for the newer one first")
        if step is Step.SETTLE and len(keys or ()) < AT_MOST:
            raise KeyRingError(f"{camera} has no second key")
        return keys

    def enroll(self, camera: CameraId) -> bytes:
        """The new and only key of *camera*.

        :raises KeyRingError: it has one already.
        """
        keys = self.ready(camera, Step.ENROLL)
        return self._add(camera, (), replace=keys is not None)

    def rotate(self, camera: CameraId) -> bytes:
        """A second key for *camera*; the first stays valid until `settle`.

        :raises KeyRingError: it has none, or two already.
        """
        return self._add(camera, self.ready(camera, Step.ROTATE) or (), replace=True)

    def settle(self, camera: CameraId) -> None:
        """Only the newest key of *camera* is valid.

        :raises KeyRingError: it has not got two.
        """
        self._write(camera, (self.ready(camera, Step.SETTLE) or ())[:1], replace=True)

    def revoke(self, camera: CameraId) -> None:
        """Nobody gets in as *camera*, whatever was in its file and whether it had one."""
        self._write(camera, (), replace=True)

    def forget(self, camera: CameraId) -> None:
        """*camera* is one without a key again, and welcome where those are.

        :raises KeyRingError: it is one.
        """
        try:
            os.unlink(self._name(camera))
        except FileNotFoundError:
            raise KeyRingError(f"{camera} has no key file") from None
        self._known.pop(camera, None)

    def _exactly(self, camera: CameraId) -> Keys | None:
        """As `keys_of`, but a file of no use is an error."""
        name = self._name(camera)
        return _load(name)[1] if os.path.lexists(name) else None

    def _add(self, camera: CameraId, keys: Keys, *, replace: bool) -> bytes:
        key = secrets.token_bytes(KEY_BYTES)
        self._write(camera, (key, *keys), replace=replace)
        return key

    def _write(self, camera: CameraId, keys: Keys, *, replace: bool) -> None:
        lines = [f"# {camera}: {'newest key first' if keys else 'revoked'}"]
        lines += [key.hex() for key in keys]
        private_directory(self.directory)
        data = "".join(f"{line}\n" for line in lines).encode("ascii")
        try:
            write_private(self.path(camera), data, replace=replace)
        except FileExistsError:
            raise KeyRingError(f"{camera} has a key already") from None


def _stamp(status: os.stat_result) -> _Stamp:
    """Differs between a file that was read and the same file changed or replaced."""
    return (
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )  # fmt: skip


def _load(name: str) -> tuple[_Stamp, Keys]:
    """:raises KeyFileError: in a sentence that shows nothing of what the file holds."""
    try:
        fd = os.open(name, _FILE)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise KeyFileError(f"{name} is no file")
            data = os.read(fd, _LARGEST)
        finally:
            os.close(fd)
    except OSError as error:
        raise KeyFileError(f"{name} cannot be read: {error.strerror}") from error
    return _stamp(status), _parse(name, data)


def _parse(name: str, data: bytes) -> Keys:
    if len(data) >= _LARGEST:
        raise KeyFileError(f"{name} is too long for a key file")
    keys: list[bytes] = []
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        said = line.partition("#")[0].strip()
        if not said:
            continue
        if _KEY.fullmatch(said) is None:
            raise KeyFileError(f"{name}, line {number}: a key is {2 * KEY_BYTES} hex digits")
        keys.append(bytes.fromhex(said))
    if len(keys) > AT_MOST:
        raise KeyFileError(f"{name} holds more than two keys")
    return tuple(keys)
