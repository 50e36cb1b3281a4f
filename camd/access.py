"""Who may come in by HTTP: the page's one password, and the tokens of programs.

Both lie in the store's own folder, and are read again when their files change. Neither can be
got back from what is written there: of the password it is an scrypt hash, of a token its
SHA-256. Nothing here knows HTTP.
"""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from attrs import define, field, frozen

from camd.private import write_private

PASSWORD_FILE = "web_password"
TOKENS_FILE = "tokens"
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1024

_N, _R, _P = 2**15, 8, 3
_MEMORY = 64 * 1024 * 1024
_LARGEST = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_HASH = re.compile(
    rb"scrypt ([0-9]{1,9}) ([0-9]{1,3}) ([0-9]{1,3}) ([0-9a-f]{32}) ([0-9a-f]{64})\n"
)
_TOKEN = re.compile(r"camd_[0-9a-f]{64}", re.ASCII)
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_Stamp = tuple[int, int, int, int]


class AccessError(Exception):
    """What was asked cannot be done; the message is a sentence for the operator."""


class May(Enum):
    """What somebody may do."""

    READ = "read"
    CONTROL = "control"
    UPLOAD = "upload"


@define(eq=False)
class _Watched:
    """The bytes of a file as they are now; None where there is none. Costs a stat."""

    path: Path
    _stamp: _Stamp | None = None
    _data: bytes | None = None

    def read(self) -> bytes | None:
        """:raises OSError: it is there and cannot be read."""
        try:
            status = os.lstat(self.path)
        except FileNotFoundError:
            self._stamp = self._data = None
            return None
        stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if stamp != self._stamp:
            fd = os.open(self.path, _FILE)
            try:
                self._data = os.read(fd, _LARGEST)
            finally:
                os.close(fd)
            self._stamp = stamp
        return self._data


@define(eq=False)
class Password:
    """The password of the page, in *directory*; there is one or none."""

    directory: Path
    _file: _Watched = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._file = _Watched(self.directory / PASSWORD_FILE)

    @property
    def path(self) -> Path:
        return self.directory / PASSWORD_FILE

    def stamp(self) -> bytes | None:
        """Changes when the password does; None without one.

        :raises OSError: the file is there and cannot be read.
        """
        return self._file.read()

    def fits(self, password: str) -> bool:
        """Whether it is *password*; blocks for a tenth of a second and takes 32 MiB.

        :raises OSError: the file is there and cannot be read.
        """
        match = _HASH.fullmatch(self._file.read() or b"")
        if match is None:
            return False
        n, r, p = (int(match[index]) for index in (1, 2, 3))
        if 128 * n * r > _MEMORY // 2 or n < 2 or r < 1 or p < 1 or n & (n - 1):
            return False
        salt, known = bytes.fromhex(match[4].decode()), bytes.fromhex(match[5].decode())
        return hmac.compare_digest(_scrypt(password, salt, n, r, p), known)

    def set(self, password: str) -> None:
        """It is *password* from now on; whoever was signed in is not any more.

        :raises AccessError: it is too short or too long.
        :raises OSError: the disk does not obey.
        """
        if len(password) < SHORTEST_PASSWORD:
            raise AccessError(f"a password has {SHORTEST_PASSWORD} characters or more")
        if len(password) > LONGEST_PASSWORD or not _encodes(password):
            raise AccessError(f"a password is text of {LONGEST_PASSWORD} characters at most")
        salt = secrets.token_bytes(16)
        digest = _scrypt(password, salt, _N, _R, _P)
        line = f"scrypt {_N} {_R} {_P} {salt.hex()} {digest.hex()}\n"
        write_private(self.path, line.encode("ascii"), replace=True)

    def remove(self) -> bool:
        """There is none from now on. Whether there was one."""
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            return False
        return True


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=_MEMORY, dklen=32)


def _encodes(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@frozen
class Token:
    """A program that may come in. *digest*: the SHA-256 of its token, in hex."""

    name: str
    may: frozenset[May]
    digest: str


@define(eq=False)
class Tokens:
    """The tokens in *directory*, a line each: name, rights, digest."""

    directory: Path
    _file: _Watched = field(init=False)
    _data: bytes | None = None
    _known: dict[str, Token] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self._file = _Watched(self.directory / TOKENS_FILE)

    @property
    def path(self) -> Path:
        return self.directory / TOKENS_FILE

    def find(self, secret: str) -> Token | None:
        """Whose token *secret* is, if it is anybody's.

        :raises OSError: the file is there and cannot be read.
        """
        if _TOKEN.fullmatch(secret) is None:
            return None
        return self._load().get(hashlib.sha256(secret.encode("ascii")).hexdigest())

    def all(self) -> tuple[Token, ...]:
        """By name.

        :raises OSError: the file is there and cannot be read.
        """
        return tuple(sorted(self._load().values(), key=lambda token: token.name))

    def add(self, name: str, may: Iterable[May]) -> str:
        """A new token for the program *name*; it cannot be read again.

        :raises AccessError: the name is taken or is none, or it may do nothing.
        :raises OSError: the disk does not obey.
        """
        rights = frozenset(may)
        if _NAME.fullmatch(name) is None:
            raise AccessError("a token's name is 1 to 64 letters, digits and - _ .")
        if not rights:
            raise AccessError("a token is for something: --read, --control or --upload")
        known = self.all()
        if any(token.name == name for token in known):
            raise AccessError(f"there is a token {name} already")
        secret = f"camd_{secrets.token_hex(32)}"
        digest = hashlib.sha256(secret.encode("ascii")).hexdigest()
        self._write((*known, Token(name, rights, digest)))
        return secret

    def remove(self, name: str) -> None:
        """:raises AccessError: there is no token of that name."""
        known = self.all()
        left = [token for token in known if token.name != name]
        if len(left) == len(known):
            raise AccessError(f"there is no token {name}")
        self._write(left)

    def _write(self, tokens: Iterable[Token]) -> None:
        lines = [
            f"{token.name} {','.join(sorted(right.value for right in token.may))} {token.digest}\n"
            for token in tokens
        ]
        if sum(map(len, lines)) >= _LARGEST:
            raise AccessError("there are too many tokens")
        write_private(self.path, "".join(lines).encode("ascii"), replace=True)

    def _load(self) -> dict[str, Token]:
        data = self._file.read()
        if data is not self._data:
            self._data = data
            lines = (data or b"").decode("ascii", "replace").splitlines()
            found = (_parse(line) for line in lines)
            self._known = {token.digest: token for token in found if token is not None}
        return self._known


def _parse(line: str) -> Token | None:
    """A line of the file; one that makes no sense lets nobody in."""
    words = line.split()
    if len(words) != 3 or _NAME.fullmatch(words[0]) is None:
        return None
    if re.fullmatch(r"[0-9a-f]{64}", words[2]) is None:
        return None
    try:
        return Token(words[0], frozenset(map(May, words[1].split(","))), words[2])
    except ValueError:
        return None
