"""Photos of the store appear in a data set: under a second name, or as a copy.

A hard link costs neither room nor time, but both names are of the same bytes: whoever writes into
the file spoils the photo in the store. Nothing here goes through a symbolic link.
"""

import os
from pathlib import Path
from typing import Literal

from attrs import define, field

from camd.store.entry import Entry
from camd.store.folders import NotOurs, open_file, open_folder

Link = Literal["auto", "hard", "copy"]

_AT_ONCE = 1 << 24


class NoLinkError(Exception):
    """A hard link was asked for, and cannot be made; the message is a sentence."""


@define(eq=False)
class Placer:
    """To be closed in the end.

    :ivar root: the store's.
    :ivar link: "auto" copies from the first photo on that cannot be linked.
    :ivar linked: how many were; *copied* likewise.
    :ivar why_copied: why not linked, where that was tried; else "".
    """

    root: Path
    link: Link
    linked: int = field(default=0, init=False)
    copied: int = field(default=0, init=False)
    why_copied: str = field(default="", init=False)
    _path: str = field(default="", init=False)
    _folder: int = field(default=-1, init=False)

    def close(self) -> None:
        """Nothing is open any more."""
        if self._folder >= 0:
            os.close(self._folder)
        self._folder = -1

    def place(self, entry: Entry, target: int, name: str) -> bool:
        """The photo is *name* in the folder *target*, a descriptor.

        :returns: False where the store does not have it, as it was entered, any more.
        :raises NoLinkError: where it has to be a hard link.
        :raises OSError: it could not be written.
        """
        path, _, own_name = entry.path.rpartition("/")
        try:
            fd, status = open_file(self._enter(path), own_name)
        except (OSError, NotOurs):
            return False
        try:
            if status.st_size != entry.size:
                return False
            if not self._linked(fd, target, name):
                _copy(fd, target, name, entry.size)
                self.copied += 1
        finally:
            os.close(fd)
        return True

    def _linked(self, fd: int, target: int, name: str) -> bool:
        if self.link == "copy" or self.why_copied:
            return False
        try:
            # By the descriptor: what bears the photo's name now may be something else. And with
            # a descriptor of the target, or Python calls link(), which does not follow this one.
            os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=target, follow_symlinks=True)
        except FileExistsError:
            raise
        except OSError as error:
            if self.link == "hard":
                raise NoLinkError(f"no hard links can be made there: {error.strerror}") from error
            self.why_copied = error.strerror or str(error)
            return False
        self.linked += 1
        return True

    def _enter(self, path: str) -> int:
        """The store's folder *path*, kept open until another one is entered."""
        if self._folder < 0 or self._path != path:
            self.close()
            self._folder, self._path = open_folder(self.root, path), path
        return self._folder


def _copy(source: int, target: int, name: str, size: int) -> None:
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=target)
    try:
        done = 0
        while done < size:
            sent = os.sendfile(fd, source, done, min(size - done, _AT_ONCE))
            if not sent:
                raise OSError(f"{name} became shorter while it was read")
            done += sent
    finally:
        os.close(fd)


@define(eq=False)
class Folder:
    """A new folder of a data set, kept open while it is filled. :ivar fd: its descriptor."""

    path: Path
    fd: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        """:raises OSError: it cannot be made, or is there."""
        self.path.mkdir(parents=True)
        self.fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def write(self, name: str, text: str) -> None:
        """A new file *name* with that text is in it. :raises OSError: it could not be written."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        fd = os.open(name, flags, 0o666, dir_fd=self.fd)
        with open(fd, "wb") as file:
            file.write(text.encode())

    def read(self, name: str, most: int) -> bytes:
        """The first *most* bytes of a file in it. :raises OSError: it cannot be read."""
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.fd)
        try:
            return os.read(fd, most)
        finally:
            os.close(fd)

    def close(self) -> None:
        os.close(self.fd)
