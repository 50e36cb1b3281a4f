"""A Python prompt inside the running camd, by SSH: for the operator, who may do everything.

Only the user ``camd`` gets in, and only with a public key of the authorized_keys file, which is
read again at each login. Importing this module loads all of conch: only a daemon whose manhole
is open does.

`helpers` makes the names that stand ready at the prompt; the rest knows nothing of cameras.
"""

import os
import struct
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.application import strports
from twisted.application.service import IService, MultiService
from twisted.conch import manhole
from twisted.conch.checkers import (
    InMemorySSHKeyDB,
    SSHPublicKeyChecker,
    readAuthorizedKeyFile,
)
from twisted.conch.insults import insults
from twisted.conch.interfaces import IConchUser
from twisted.conch.manhole_ssh import TerminalRealm, TerminalSession
from twisted.conch.ssh.factory import SSHFactory
from twisted.conch.ssh.keys import BadKeyError, Key
from twisted.conch.ssh.transport import DISCONNECT_BY_APPLICATION, SSHServerTransport
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd import __version__
from camd.private import write_private
from camd.prompt import Asked, House, helpers

__all__ = ["House", "ManholeError", "helpers", "host_key", "manhole_service"]

log = Logger()

USER = b"camd"
LOGIN_SECONDS = 60.0
"""After so long a connection that has not logged in is cut off."""

MOST_CONNECTIONS = 32

Namespace = Callable[[], dict[str, object]]


class ManholeError(OSError):
    """The manhole cannot be opened; the message is a sentence for the operator."""


def manhole_service(
    endpoint_description: str,
    authorized_keys: Path,
    host_key: Path,
    namespace: Namespace,
    reactor: Any,
) -> IService:
    """The prompt, listening while the service runs.

    :param host_key: made when the service starts, where it is missing.
    :param namespace: makes the names that a session begins with.
    :returns: a service whose start raises `ManholeError` where it cannot listen.
    """
    realm: Any = TerminalRealm()
    realm.sessionFactory = _Session
    realm.chainedProtocolFactory = lambda: _Terminal(_Manhole, namespace())
    keys = _AuthorizedKeys(authorized_keys)
    keys[USER]  # a file that cannot be read is said now, too, and not only when somebody comes
    checker = SSHPublicKeyChecker(InMemorySSHKeyDB(keys))
    factory = _Factory(Portal(realm, [checker]), host_key, reactor)
    service = _Service()
    strports.service(endpoint_description, factory, reactor=reactor).setServiceParent(service)
    return service


class _Service(MultiService):
    """Listens from its start on, or says in a line why it cannot."""

    name = "manhole"

    def privilegedStartService(self) -> None:
        try:
            super().privilegedStartService()
        except CannotListenError as error:
            raise ManholeError(f"manhole.listen: {error}") from error

    def startService(self) -> None:
        try:
            super().startService()
        except CannotListenError as error:
            raise ManholeError(f"manhole.listen: {error}") from error


# ---- keys


class _AuthorizedKeys(Mapping[bytes, list[Key]]):
    """The keys in a file, as it is when they are asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[bytes]:
        return iter((USER,))

    def __len__(self) -> int:
        return 1

    def __getitem__(self, user: bytes) -> list[Key]:
        if user != USER:
            raise KeyError(user)
        try:
            with self._path.open("rb") as lines:
                return list(readAuthorizedKeyFile(lines, _public_key))
        except OSError as error:
            log.error(
                "{path} cannot be read, so nobody gets into the manhole: {why}",
                path=str(self._path), why=error.strerror,
            )  # fmt: skip
            return []


def _public_key(line: bytes) -> Key:
    """One line of the file; what is wrong with it must not cost the other lines their keys."""
    try:
        key: Key = Key.fromString(line)
    except Exception as error:
        raise BadKeyError(str(error)) from error
    if not key.isPublic():
        raise BadKeyError("a private key")
    return key


def host_key(path: Path) -> Key:
    """The manhole's own key, by which clients know it again; a new ed25519 one where none is.

    :raises ManholeError: the file is there and is of no use, or cannot be made.
    """
    try:
        if not os.path.lexists(path):
            new = Key(Ed25519PrivateKey.generate())
            try:
                write_private(path, new.toString("openssh"), replace=False)
            except FileExistsError:
                pass  # Another process was quicker, and its key is as good.
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except OSError as error:
        raise ManholeError(f"{path}: {error.strerror}") from error
    if mode & 0o077:
        raise ManholeError(f"{path} is open to others than its owner: chmod 600 it")
    try:
        key: Key = Key.fromString(text)
    except Exception as error:
        raise ManholeError(f"{path} holds no private key without a password") from error
    if key.isPublic():
        raise ManholeError(f"{path} holds a public key, not a private one")
    return key


# ---- SSH


class _Factory(SSHFactory):
    """Connections, few at a time, and none for long that does not log in."""

    noisy = False

    def __init__(self, portal: Portal, host_key: Path, clock: IReactorTime) -> None:
        self.protocol = _Transport
        self.portal = portal
        self.clock = clock
        self.connections: set[_Transport] = set()
        self._host_key = host_key

    def getPrivateKeys(self) -> dict[bytes, Key]:
        key = host_key(self._host_key)
        return {key.sshType(): key}

    def getPublicKeys(self) -> dict[bytes, Key]:
        return {kind: key.public() for kind, key in self.getPrivateKeys().items()}

    def buildProtocol(self, addr: Any) -> Any:
        return None if len(self.connections) >= MOST_CONNECTIONS else super().buildProtocol(addr)

    def stopFactory(self) -> None:
        for connection in tuple(self.connections):
            connection.loseConnection()


class _Transport(SSHServerTransport):
    """One SSH connection."""

    factory: Any
    transport: Any
    _deadline: Any = None

    def connectionMade(self) -> None:
        self.factory.connections.add(self)
        self._deadline = self.factory.clock.callLater(LOGIN_SECONDS, self._too_late)
        super().connectionMade()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.factory.connections.discard(self)
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        super().connectionLost(reason)

    def receiveError(self, reasonCode: int, description: bytes) -> None:
        # OpenSSH says so at the end of every session; conch would call it an error.
        if reasonCode != DISCONNECT_BY_APPLICATION:
            super().receiveError(reasonCode, description)

    def _too_late(self) -> None:
        if not hasattr(self, "avatar"):
            self.transport.abortConnection()


class _Session(TerminalSession):
    """A login's one channel: a prompt, with a terminal on the other side or without."""

    width, height = 80, 24
    _proto: Any = None
    _terminal: Any = None

    def openShell(self, proto: Any) -> None:
        self._proto, self._terminal = proto, self.chainedProtocolFactory()
        self._terminal.goodbye = lambda: _exit_status(proto, 0)
        log.info("{peer} is at the manhole's prompt", peer=_peer(proto))
        user = IConchUser(self.original)
        self.transportFactory(proto, self._terminal, user, self.width, self.height)

    def execCommand(self, proto: Any, cmd: bytes) -> None:
        proto.errReceived(b"The manhole runs no commands; it has a prompt.\n")
        _exit_status(proto, 1)
        proto.loseConnection()

    def windowChanged(self, newWindowSize: tuple[int, int, int, int]) -> None:
        self.height, self.width = newWindowSize[:2]
        if self._terminal is not None and self._terminal.terminalProtocol is not None:
            self._terminal.terminalProtocol.terminalSize(self.width, self.height)

    def eofReceived(self) -> None:
        if self._terminal is not None and self._terminal.terminalProtocol is not None:
            self._terminal.loseConnection()

    def closed(self) -> None:
        if self._terminal is not None:
            if self._terminal.terminalProtocol is not None:
                self._terminal.connectionLost(Failure(ConnectionError("the session is over")))
            log.info("{peer} has left the manhole", peer=_peer(self._proto))


def _peer(proto: Any) -> str:
    address = proto.getPeer().address
    return str(getattr(address, "host", address))


def _exit_status(proto: Any, status: int) -> None:
    proto.session.conn.sendRequest(proto.session, b"exit-status", struct.pack(">L", status))


# ---- the prompt


class _Terminal(insults.ServerProtocol):
    """The terminal at the other end, which keeps what stands on its screen."""

    transport: Any
    goodbye: Callable[[], None] = staticmethod(lambda: None)

    def loseConnection(self) -> None:
        self.resetModes([insults.modes.IRM])
        self.goodbye()
        self.transport.loseConnection()


class _Manhole(manhole.ColoredManhole):
    """Lines typed at the prompt, and what comes back, now or later."""

    namespace: dict[str, object]
    _closed = False

    def connectionMade(self) -> None:
        super().connectionMade()
        self.interpreter = _Interpreter(self, self.namespace)

    def connectionLost(self, reason: Failure) -> None:
        self._closed = True
        super().connectionLost(reason)

    def initializeScreen(self) -> None:
        self.setInsertMode()
        self.terminal.write(f"camd {__version__}: help() says what there is.\n")
        self.terminal.write(self.ps[self.pn])

    def terminalSize(self, width: int, height: int) -> None:
        self.width, self.height = width, height

    def characterReceived(self, ch: bytes, moreCharactersComing: bool) -> None:
        # Half a line need not be Python, and then it has no colours.
        try:
            super().characterReceived(ch, moreCharactersComing)
        except (SyntaxError, ValueError, IndexError):
            self.terminal.write(ch)

    def lineReceived(self, line: bytes) -> None:
        try:
            super().lineReceived(line)
        except SystemExit:
            self.terminal.loseConnection()

    def addOutput(self, data: str | bytes, isAsync: bool | None = None) -> None:
        """*data* is shown; where it comes unasked, above the line that is being typed."""
        if self._closed:
            return
        if not isAsync:
            self.terminal.write(data)
            return
        typed = b"".join(self.lineBuffer)
        self.lineBuffer, self.lineBufferIndex = [], 0
        self.terminal.eraseLine()
        self.terminal.write(b"\r")
        self.terminal.write(data)
        self.terminal.write(self.ps[self.pn])
        self._deliverBuffer(typed)


class _Interpreter(manhole.ManholeInterpreter):
    """Runs what was typed, and shows what Deferreds come to."""

    def __init__(self, handler: _Manhole, locals: dict[str, object]) -> None:
        super().__init__(handler, locals)
        self._numbers = 0
        self._shown: WeakKeyDictionary[Deferred[Any], tuple[int, str]] = WeakKeyDictionary()

    def displayhook(self, obj: object) -> None:
        if obj is None:
            return
        ours = isinstance(obj, Asked)
        if isinstance(obj, Coroutine):
            obj, ours = Deferred.fromCoroutine(obj), True
        self.locals["_"] = obj
        if isinstance(obj, Deferred):
            self._show(obj, ours)
        else:
            self.write(f"{obj!r}\n")

    def _show(self, deferred: "Deferred[Any]", ours: bool) -> None:
        """What *deferred* came to, or that it is pending and, later, what it comes to.

        :param ours: nobody else waits for it, so that a failure is done with once it was shown.
        """
        number, text = self._shown.get(deferred, (self._numbers, ""))
        if not text:
            self._numbers += 1
            asynchronous = False
            self._shown[deferred] = (number, f"<Deferred #{number} pending>")

            def came(result: Any) -> Any:
                failed = isinstance(result, Failure)
                outcome = f"failed: {_in_a_line(result)}" if failed else f"came to {result!r}"
                self._shown[deferred] = (number, f"Deferred #{number} {outcome}")
                if asynchronous:
                    self.write(f"Deferred #{number} {outcome}\n", True)
                return None if failed and ours else result

            deferred.addBoth(came)
            asynchronous = True
        self.write(f"{self._shown[deferred][1]}\n")


def _in_a_line(failure: Failure) -> str:
    kind = getattr(failure.type, "__name__", "failure")
    message = " ".join(failure.getErrorMessage().split())
    return f"{kind}: {message}" if message and message != kind else kind
