"""Who is asking, by cookie or token, and whether that may be.

A session is a signed cookie: nothing of it is kept but those that were ended before their time.
Setting another password ends all of them. Without a password everybody is let in where only this
machine can reach the door, and nobody where others can.
"""

import hmac
import os
import secrets
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from attrs import define, field, frozen
from itsdangerous import BadSignature, Signer, TimestampSigner
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from camd.access import May, Password, Tokens
from camd.config import Config
from camd.private import write_private
from camd.web.answers import Problem
from camd.web.server import Request
from camd.workers import BusyError, Workers

log = Logger()

COOKIE = b"camd_session"
TOKEN = b"x-camd-token"
SECRET_FILE = "web_secret"
ENDED_FILE = "web_ended"

_SECRET_BYTES = 32
_ADDRESSES = 10_000
_ALL_ADDRESSES = 10
"""So many times one address's wrong passwords are borne from all of them together."""

_ENDED = 10_000
_SAFE = frozenset({b"GET", b"HEAD"})


@frozen
class Who:
    """Somebody who asks.

    :ivar session: the session's name, None for a program.
    :ivar token: a program's token, by its digest.
    :ivar password: the stamp of the password by which the session was begun.
    """

    may: frozenset[May]
    session: str | None = None
    token: str | None = None
    password: bytes | None = None


NOBODY = Who(frozenset())
_EVERYTHING = frozenset({May.READ, May.CONTROL})


@define(eq=False)
class Wrongs:
    """Wrong passwords by address, and of all addresses.

    :ivar seconds: a clock.
    """

    config: Callable[[], Config]
    seconds: Callable[[], float]
    _times: dict[str, deque[float]] = field(factory=dict)

    def wait(self, address: str) -> float:
        """Seconds until *address* may try again, 0 now."""
        web = self.config().web
        return max(
            self._left(address, web.login_attempts), self._left("", self._all(web.login_attempts))
        )

    def tried(self, address: str) -> None:
        """It counts as wrong until it is `right`."""
        most = self.config().web.login_attempts
        for key, bound in ((address, most), ("", self._all(most))):
            times = self._times.pop(key, None)
            if times is None or times.maxlen != bound:
                times = deque(times or (), maxlen=bound)
            times.append(self.seconds())
            self._times[key] = times
        if len(self._times) > _ADDRESSES:
            del self._times[next(key for key in self._times if key)]

    def right(self, address: str) -> None:
        for key in (address, ""):
            times = self._times.get(key)
            if times:
                times.pop()

    def _left(self, key: str, most: int) -> float:
        times = self._times.get(key)
        if times is None or len(times) < most:
            return 0.0
        return max(0.0, times[0] + self.config().web.login_within - self.seconds())

    @staticmethod
    def _all(most: int) -> int:
        return most * _ALL_ADDRESSES


@define(eq=False)
class Guard:
    """Lets in, and keeps out.

    :ivar directory: where the password, the tokens and its own secret are.
    :ivar workers: try passwords. *writers*: write files.
    :ivar alone: whether only this machine can reach the door, so that no password is needed.
    """

    directory: Path
    config: Callable[[], Config]
    seconds: Callable[[], float]
    workers: Workers
    writers: Workers
    alone: bool = True
    password: Password = field(init=False)
    tokens: Tokens = field(init=False)
    wrongs: Wrongs = field(init=False)
    _secret: bytes = b""
    _ended: dict[str, float] = field(factory=dict)
    _one_writer: DeferredLock = field(factory=DeferredLock)

    def __attrs_post_init__(self) -> None:
        self.password = Password(self.directory)
        self.tokens = Tokens(self.directory)
        self.wrongs = Wrongs(self.config, self.seconds)

    def open(self) -> None:
        """:raises OSError: its files cannot be read or made."""
        path = self.directory / SECRET_FILE
        try:
            self._secret = path.read_bytes()
        except FileNotFoundError:
            self._secret = b""
        if len(self._secret) != _SECRET_BYTES:
            self._secret = secrets.token_bytes(_SECRET_BYTES)
            write_private(path, self._secret, replace=True)
        self._remember()

    # ---- who

    def who(self, request: Request) -> Who:
        """Who sent *request*; `NOBODY` where that is nobody we know.

        :raises Problem: a token was named that is none.
        """
        said = request.getHeader(b"authorization")
        if said is not None:
            return self._program(said)
        password = self._password()
        session = self._session(request.getCookie(COOKIE), password)
        if session is not None or password is None:
            return Who(_EVERYTHING, session, None, password)
        return NOBODY

    def _program(self, said: bytes) -> Who:
        scheme, _, secret = said.decode("latin-1").partition(" ")
        token = None
        if scheme.lower() == "bearer":
            try:
                token = self.tokens.find(secret.strip())
            except OSError as error:
                log.error("{error}; programs are kept out", error=str(error))
        if token is None:
            raise Problem(401, "no token that is known", WWW_Authenticate="Bearer")
        may = token.may | {May.READ} if May.CONTROL in token.may else token.may
        return Who(may, None, token.digest)

    def still(self, who: Who) -> bool:
        """Whether *who* would be let in now as it was."""
        try:
            if who.token is not None:
                return any(token.digest == who.token for token in self.tokens.all())
            return self._password() == who.password and who.session not in self._ended
        except OSError:
            return False

    def admit(self, request: Request, who: Who, need: May | None) -> None:
        """:raises Problem: *who* may not have what *request* wants."""
        changes = request.method not in _SAFE
        if changes:
            self._same_origin(request)
        if need is None:
            return
        if not who.may:
            raise Problem(401)
        if need not in who.may:
            raise Problem(403, f"this token is not for {need.value}")
        if changes and who.token is None:
            token = (request.getHeader(TOKEN) or b"").decode("latin-1")
            if who.session is None or not hmac.compare_digest(
                token.encode(), self.token_of(who.session).encode()
            ):
                raise Problem(403, "the token of the session is missing or old")

    def _same_origin(self, request: Request) -> None:
        site = request.getHeader(b"sec-fetch-site")
        origin = request.getHeader(b"origin")
        own = (request.getHeader(b"host") or b"").lower()
        if site not in (None, b"same-origin", b"none") or (
            origin is not None and origin.lower().partition(b"://")[2] != own
        ):
            raise Problem(403, "another site's page asks for this")

    # ---- sessions

    def begin(self, request: Request) -> Who:
        """A new session, whose cookie goes with the answer to *request*."""
        session = secrets.token_urlsafe(18)
        password = self._password()
        cookie = self._signer(password).sign(session).decode("ascii")
        origin = request.getHeader(b"origin") or b""
        secure = request.isSecure() or origin.startswith(b"https://")
        request.addCookie(
            COOKIE, cookie, path=b"/", max_age=b"%d" % int(self.config().web.session),
            httpOnly=True, sameSite=b"strict", secure=secure,
        )  # fmt: skip
        return Who(_EVERYTHING, session, None, password)

    def token_of(self, session: str) -> str:
        """What goes with everything that changes something in this session."""
        return Signer(self._secret, salt="camd-token").get_signature(session).decode("ascii")

    async def end(self, request: Request, who: Who) -> None:
        """The session of *who* is over, whoever has its cookie."""
        request.addCookie(
            COOKIE, b"", path=b"/", max_age=b"0", httpOnly=True, sameSite=b"strict"
        )  # fmt: skip
        if who.session is None:
            return
        self._ended[who.session] = time.time()
        if len(self._ended) > _ENDED:
            del self._ended[next(iter(self._ended))]
        try:
            async with self._one_writer:
                await self.writers.run(self._ended_writer())
        except (OSError, BusyError) as error:
            log.error(
                "an ended session may live again after a restart: {why}",
                why=getattr(error, "strerror", None) or str(error),
            )

    def _ended_writer(self) -> Callable[[], None]:
        """What writes down, in whichever thread, the sessions that are over by now."""
        lines = "".join(f"{when:.0f} {name}\n" for name, when in self._ended.items())
        path = self.directory / ENDED_FILE
        return lambda: write_private(path, lines.encode("ascii"), replace=True)

    def _remember(self) -> None:
        oldest = time.time() - self.config().web.session
        try:
            lines = (self.directory / ENDED_FILE).read_text("ascii", "replace").splitlines()
        except FileNotFoundError:
            return
        for line in lines[-_ENDED:]:
            when, _, name = line.partition(" ")
            if when.isascii() and when.isdecimal() and int(when[:15]) > oldest:
                self._ended[name] = float(when[:15])

    def _signer(self, password: bytes | None) -> TimestampSigner:
        return TimestampSigner(self._secret + (password or b""), salt="camd-session")

    def _session(self, cookie: bytes | None, password: bytes | None) -> str | None:
        if not cookie or len(cookie) > 200:
            return None
        try:
            name = self._signer(password).unsign(cookie, max_age=int(self.config().web.session))
        except BadSignature:
            return None
        session = name.decode("latin-1")
        return None if session in self._ended else session

    def _password(self) -> bytes | None:
        """The stamp of the password; None where none is needed."""
        try:
            stamp = self.password.stamp()
        except OSError as error:
            log.error("{path}: {why}; nobody can sign in", path=str(self.password.path),
                      why=error.strerror)  # fmt: skip
            return os.urandom(16)
        if stamp is None and not self.alone:
            return os.urandom(16)  # it was taken away: that opens the door to nobody else
        return stamp

    @property
    def has_password(self) -> bool:
        return self._password() is not None

    # ---- signing in

    def log_in(self, request: Request, password: str) -> "Deferred[Who]":
        """Fires with the new session; fails with `Problem`."""
        return Deferred.fromCoroutine(self._log_in(request, password))

    async def _log_in(self, request: Request, password: str) -> Who:
        if not self.has_password:
            return self.begin(request)
        address = request.peer
        wait = self.wrongs.wait(address)
        if wait:
            raise Problem(429, "too many wrong passwords", Retry_After=str(int(wait) + 1))
        self.wrongs.tried(address)
        try:
            fits = await self.workers.run(lambda: self.password.fits(password))
        except BusyError:
            raise Problem(503, "too many sign in at once", Retry_After="1") from None
        except OSError as error:
            log.error("the password cannot be read: {why}", why=error.strerror)
            raise Problem(503, "the password cannot be read") from None
        if not fits:
            log.warn("{address}: a wrong password for the page", address=address or "local")
            raise Problem(403, "a wrong password")
        self.wrongs.right(address)
        log.info("{address}: signed in to the page", address=address or "local")
        return self.begin(request)
