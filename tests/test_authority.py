"""The authority's certificates hold in real handshakes, and no others do."""

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IHandshakeListener, IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from camd.authority import (
    AuthorityError,
    Files,
    client_context,
    create,
    own_hosts,
    renew,
    server_context,
)

DAY = timedelta(days=1)


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def hosts(path: Path) -> list[str]:
    names = certificate(path).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return [str(name.value) for name in names.value]


class Making(SynchronousTestCase):
    """What lies in the directory."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()) / ".camd" / "tls"
        self.directory.parent.parent.mkdir()

    def test_files(self) -> None:
        """Keys are for their owner only, under any umask; nothing else is left behind."""
        before = os.umask(0)
        try:
            files = create(self.directory, ["camd.example", "192.0.2.7"])
        finally:
            os.umask(before)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in self.directory.iterdir()}
        self.assertEqual(
            modes, {"ca.pem": 0o644, "ca.key": 0o600, "server.pem": 0o644, "server.key": 0o600}
        )
        self.assertEqual(stat.S_IMODE(self.directory.stat().st_mode), 0o700)
        self.assertEqual(hosts(files.server), ["camd.example", "192.0.2.7"])

    def test_certificates(self) -> None:
        """The server's certificate is signed by the CA, lasts about two years, and is not good
        for signing others; the CA lasts ten."""
        at = datetime(2026, 8, 15, 12, tzinfo=UTC)
        files = create(self.directory, ["camd.example"], clock=lambda: at)
        ca, server = certificate(files.ca), certificate(files.server)
        server.verify_directly_issued_by(ca)
        self.assertTrue(at + 3650 * DAY <= ca.not_valid_after_utc <= at + 3660 * DAY)
        self.assertTrue(at + 730 * DAY <= server.not_valid_after_utc <= at + 735 * DAY)
        self.assertLess(server.not_valid_before_utc, at)
        basic = x509.BasicConstraints
        self.assertTrue(ca.extensions.get_extension_for_class(basic).value.ca)
        self.assertFalse(server.extensions.get_extension_for_class(basic).value.ca)

    def test_own_hosts(self) -> None:
        """Without hosts the certificate is for this machine's own names and addresses."""
        files = create(self.directory)
        self.assertEqual([host.lower() for host in own_hosts()], hosts(files.server))
        self.assertIn("localhost", hosts(files.server))

    def test_kept(self) -> None:
        """What is there is replaced only where that is wanted."""
        files = create(self.directory, ["camd.example"])
        before = {path: path.read_bytes() for path in self.directory.iterdir()}
        with self.assertRaises(FileExistsError):
            create(self.directory, ["other.example"])
        self.assertEqual(before, {path: path.read_bytes() for path in self.directory.iterdir()})
        create(self.directory, ["other.example"], force=True)
        self.assertEqual(hosts(files.server), ["other.example"])
        for path, data in before.items():
            self.assertNotEqual(path.read_bytes(), data)

    def test_half(self) -> None:
        """A single file of an authority is as safe as a whole one."""
        self.directory.mkdir(parents=True)
        Files(self.directory).server_key.write_text("precious")
        with self.assertRaises(FileExistsError):
            create(self.directory, ["camd.example"])
        self.assertEqual(os.listdir(self.directory), ["server.key"])

    def test_no_host(self) -> None:
        """What is neither name nor address is not certified, and nothing is written."""
        for host in ("", "a b", "-x", "x/y", "*.example", "a" * 64, "über.example", "1.2.3.4/8"):
            with self.assertRaises(AuthorityError):
                create(self.directory, [host])
        self.assertFalse(self.directory.exists())

    def test_renew(self) -> None:
        """A renewed certificate has the same CA, key and hosts, and lasts from now on."""
        at = datetime(2026, 8, 15, 12, tzinfo=UTC)
        files = create(self.directory, ["camd.example", "192.0.2.7"], clock=lambda: at)
        ca, key = files.ca.read_bytes(), files.server_key.read_bytes()
        renew(self.directory, clock=lambda: at + 700 * DAY)
        self.assertEqual((files.ca.read_bytes(), files.server_key.read_bytes()), (ca, key))
        self.assertEqual(hosts(files.server), ["camd.example", "192.0.2.7"])
        server = certificate(files.server)
        server.verify_directly_issued_by(certificate(files.ca))
        self.assertGreater(server.not_valid_after_utc, at + 1400 * DAY)
        server_context(files.server, files.server_key)
        renew(self.directory, ["other.example"], clock=lambda: at + 701 * DAY)
        self.assertEqual(hosts(files.server), ["other.example"])

    def test_not_beyond_the_ca(self) -> None:
        """No certificate is valid for longer than its CA, and of an old CA none is made."""
        at = datetime(2026, 8, 15, 12, tzinfo=UTC)
        files = create(self.directory, ["camd.example"], clock=lambda: at)
        renew(self.directory, clock=lambda: at + 3600 * DAY)
        ca, server = certificate(files.ca), certificate(files.server)
        self.assertEqual(server.not_valid_after_utc, ca.not_valid_after_utc)
        with self.assertRaises(AuthorityError):
            renew(self.directory, clock=lambda: at + 4000 * DAY)

    def test_nothing_to_renew(self) -> None:
        """Without an authority there is nothing to renew."""
        with self.assertRaises(AuthorityError):
            renew(self.directory)

    def test_context_errors(self) -> None:
        """Files that are missing, no PEM, or do not fit each other are told in a line."""
        files = create(self.directory, ["camd.example"])
        junk = self.directory / "junk"
        junk.write_text("junk")
        for pair in (
            (junk, files.server_key),
            (files.server, junk),
            (files.server, files.ca_key),
            (self.directory / "none", files.server_key),
            (files.server, self.directory / "none"),
        ):
            error = self.assertRaises(AuthorityError, server_context, *pair)
            self.assertNotIn("\n", str(error))
        self.assertRaises(AuthorityError, client_context, "camd.example", junk)
        self.assertRaises(AuthorityError, client_context, "camd.example", junk.with_name("none"))


@implementer(IHandshakeListener)
class Ear(Protocol):
    """A client that says whether the handshake came to an end, and by which TLS."""

    transport: Any

    def __init__(self) -> None:
        self.shaken: Deferred[str] = Deferred()
        self.gone: Deferred[None] = Deferred()

    def handshakeCompleted(self) -> None:
        self.shaken.callback(self.transport.getHandle().get_protocol_version_name())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.shaken.called:
            self.shaken.errback(reason)
        self.gone.callback(None)


class Handshakes(TestCase):
    """A server with a certificate of the authority, on loopback."""

    timeout = 20

    def setUp(self) -> None:
        self.files = create(Path(self.mktemp()), ["localhost", "127.0.0.1"])
        context = server_context(self.files.server, self.files.server_key)
        listening: Any = reactor
        self.port = listening.listenSSL(
            0, Factory.forProtocol(Protocol), context, interface="127.0.0.1"
        )
        self.addCleanup(self.port.stopListening)

    async def shake(self, creator: Any) -> str:
        """The version of TLS that a client with this context comes to."""
        ear = Ear()
        plain = HostnameEndpoint(reactor, "127.0.0.1", self.port.getHost().port)
        factory: Any = Factory.forProtocol(lambda: ear)
        await wrapClientTLS(creator, plain).connect(factory)
        try:
            return await ear.shaken
        finally:
            ear.transport.abortConnection()
            await ear.gone

    async def test_name(self) -> None:
        """A client that calls the server by its name comes in, by TLS 1.2 or later."""
        version = await self.shake(client_context("localhost", self.files.ca))
        self.assertIn(version, ("TLSv1.2", "TLSv1.3"))

    async def test_address(self) -> None:
        """A client that calls it by its address does as well."""
        version = await self.shake(client_context("127.0.0.1", self.files.ca))
        self.assertIn(version, ("TLSv1.2", "TLSv1.3"))

    async def test_wrong_host(self) -> None:
        """A client that meant somebody else hangs up."""
        for host in ("camd.example", "192.0.2.9"):
            with self.assertRaises(VerificationError):
                await self.shake(client_context(host, self.files.ca))

    async def test_other_authority(self) -> None:
        """A client that believes another authority hangs up."""
        other = create(Path(self.mktemp()), ["localhost"])
        with self.assertRaisesRegex(SSL.Error, "certificate verify failed"):
            await self.shake(client_context("localhost", other.ca))

    async def test_old_tls(self) -> None:
        """A client that speaks nothing newer than TLS 1.1 is told that this will not do."""
        with self.assertRaisesRegex(SSL.Error, "alert protocol version"):
            await self.shake(Until(SSL.TLS1_1_VERSION))
        self.assertEqual(await self.shake(Until(SSL.TLS1_2_VERSION)), "TLSv1.2")


@implementer(IOpenSSLClientConnectionCreator)
class Until:
    """Connections from TLS 1.1 up to *newest*, which verify nothing."""

    def __init__(self, newest: int) -> None:
        self.context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self.context.set_cipher_list(b"ALL:@SECLEVEL=0")
        self.context.set_min_proto_version(SSL.TLS1_1_VERSION)
        self.context.set_max_proto_version(newest)

    def clientConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        return SSL.Connection(self.context, None)
