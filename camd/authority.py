"""A certificate authority for one camd and its boards, and TLS from the files that it makes.

In its directory lie ``ca.pem``, which boards are given, ``ca.key``, and the server's own
``server.pem`` (itself, then the CA) and ``server.key``. Certificates of another authority do as
well: `server_context` takes any pair of files.
"""

import errno
import fcntl
import ipaddress
import os
import re
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL, crypto
from twisted.internet import ssl
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

from camd.private import private_directory, write_private

CA_LASTS = timedelta(days=3653)
SERVER_LASTS = timedelta(days=731)

_EARLIER = timedelta(days=1)
"""Certificates are valid since before they were made: a board's clock may be behind."""

_PUBLIC_MODE = 0o644
_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*", re.ASCII)
_SIOCGIFADDR = 0x8915


class AuthorityError(Exception):
    """Certificates or keys are not as they must be; the message is a sentence."""


@frozen
class Files:
    """Where an authority keeps what it makes."""

    directory: Path

    @property
    def ca(self) -> Path:
        return self.directory / "ca.pem"

    @property
    def ca_key(self) -> Path:
        return self.directory / "ca.key"

    @property
    def server(self) -> Path:
        return self.directory / "server.pem"

    @property
    def server_key(self) -> Path:
        return self.directory / "server.key"


def now() -> datetime:
    return datetime.now(UTC)


def create(
    directory: Path,
    hosts: Sequence[str] = (),
    *,
    force: bool = False,
    clock: Callable[[], datetime] = now,
) -> Files:
    """A new authority in *directory*, and a certificate of it for this server.

    :param hosts: the names and addresses by which boards call the server; none: `own_hosts`.
    :param force: replaces one that is there: boards that were given its ``ca.pem`` then need
        the new one.
    :raises AuthorityError: a host is neither a name nor an address.
    :raises FileExistsError: there is one already, or a part of one.
    :raises OSError: the files cannot be written.
    """
    files = Files(directory)
    names = _alternative_names(hosts or own_hosts())
    if not force:
        for path in (files.ca, files.ca_key, files.server, files.server_key):
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _make_ca(ca_key, clock())
    server_key = ec.generate_private_key(ec.SECP256R1())
    server = _make_server(ca, ca_key, server_key.public_key(), names, clock())
    private_directory(directory)
    write_private(files.ca_key, _pem_key(ca_key), replace=force)
    write_private(files.ca, _pem(ca), replace=force, mode=_PUBLIC_MODE)
    write_private(files.server_key, _pem_key(server_key), replace=force)
    write_private(files.server, _pem(server) + _pem(ca), replace=force, mode=_PUBLIC_MODE)
    return files


def renew(
    directory: Path, hosts: Sequence[str] = (), *, clock: Callable[[], datetime] = now
) -> Files:
    """A new certificate for the server, of the authority that is in *directory*.

    The server's key stays, so that certificate and key fit each other at every instant.

    :param hosts: as in `create`; none: those of the certificate before.
    :raises AuthorityError: there is no authority, its time is over, or a host is wrong.
    :raises OSError: the files cannot be read or written.
    """
    files = Files(directory)
    if not files.ca_key.exists():
        raise AuthorityError(f"{files.ca_key} is missing: there is no authority to renew from")
    ca, ca_key = _load_certificate(files.ca), _load_key(files.ca_key)
    if _public(ca_key.public_key()) != _public(ca.public_key()):
        raise AuthorityError(f"{files.ca_key} is not the key of {files.ca}")
    if ca.not_valid_after_utc <= clock():
        raise AuthorityError(f"{files.ca} is no longer valid: a new authority is needed")
    if hosts:
        names = _alternative_names(hosts)
    elif files.server.exists():
        names = _names_of(_load_certificate(files.server), files.server)
    else:
        names = _alternative_names(own_hosts())
    if files.server_key.exists():
        server_key = _load_key(files.server_key)
    else:
        server_key = ec.generate_private_key(ec.SECP256R1())
        write_private(files.server_key, _pem_key(server_key), replace=False)
    server = _make_server(ca, ca_key, server_key.public_key(), names, clock())
    write_private(files.server, _pem(server) + _pem(ca), replace=True, mode=_PUBLIC_MODE)
    return files


# ---- certificates


def _make_ca(key: ec.EllipticCurvePrivateKey, at: datetime) -> x509.Certificate:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "camd"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"camd CA {at:%Y-%m-%d}"),
        ]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        _begin(name, name, key.public_key(), at, at + CA_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )


def _make_server(
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePublicKey,
    names: x509.SubjectAlternativeName,
    at: datetime,
) -> x509.Certificate:
    # What a certificate says of itself ends with the one that signed it.
    until = min(at + SERVER_LASTS, ca.not_valid_after_utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camd")])
    issuer = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _begin(subject, ca.subject, key, at, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(names, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )


def _begin(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    at: datetime,
    until: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - _EARLIER)
        .not_valid_after(until)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public(key: object) -> bytes:
    assert hasattr(key, "public_bytes")
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _load_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        raise AuthorityError(f"{path} holds no certificate") from None


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError):
        raise AuthorityError(f"{path} holds no private key") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AuthorityError(f"{path} holds a key that was not made here")
    return key


# ---- names


def _alternative_names(hosts: Iterable[str]) -> x509.SubjectAlternativeName:
    names: list[x509.GeneralName] = []
    for host in hosts:
        name = _general_name(host)
        if name not in names:
            names.append(name)
    return x509.SubjectAlternativeName(names)


def _general_name(host: str) -> x509.GeneralName:
    with suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(host))
    if _HOST.fullmatch(host) is None:
        raise AuthorityError(f"{host!r} is neither a host's name nor an address")
    return x509.DNSName(host.lower())


def _names_of(certificate: x509.Certificate, path: Path) -> x509.SubjectAlternativeName:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise AuthorityError(f"{path} names no host") from None


def own_hosts() -> list[str]:
    """The names and addresses by which this machine can be called, the likeliest first."""
    name = socket.gethostname()
    hosts = [*own_addresses()]
    if _HOST.fullmatch(name) is not None:
        hosts += [name] if "." in name else [name, f"{name}.local"]
    return [*hosts, "localhost", "127.0.0.1", "::1"]


def own_addresses() -> list[str]:
    """This machine's IPv4 addresses on its networks, that of the way out first."""
    found: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        # Sends nothing: it only asks which way packets would go.
        with suppress(OSError):
            probe.connect(("192.0.2.1", 9))
            found.append(probe.getsockname()[0])
        for _, interface in socket.if_nameindex():
            with suppress(OSError):
                request = struct.pack("256s", interface.encode()[:15])
                answer = fcntl.ioctl(probe, _SIOCGIFADDR, request)
                found.append(socket.inet_ntoa(answer[20:24]))
    return [address for address in dict.fromkeys(found) if not address.startswith("127.")]


# ---- TLS


def server_context(certificate: Path, key: Path) -> ssl.CertificateOptions:
    """TLS 1.2 or later for a server that has this certificate, followed by those that signed it.

    :raises AuthorityError: the files cannot be read or do not fit each other.
    """
    try:
        chain = [
            crypto.X509.from_cryptography(each)
            for each in x509.load_pem_x509_certificates(certificate.read_bytes())
        ]
    except OSError as error:
        raise AuthorityError(f"{certificate} cannot be read: {error.strerror}") from None
    except ValueError:
        raise AuthorityError(f"{certificate} holds no certificate") from None
    try:
        private = crypto.load_privatekey(crypto.FILETYPE_PEM, key.read_bytes(), b"")
    except OSError as error:
        raise AuthorityError(f"{key} cannot be read: {error.strerror}") from None
    except (crypto.Error, ValueError, TypeError):
        raise AuthorityError(f"{key} holds no private key without a password") from None
    options = ssl.CertificateOptions(
        privateKey=private,
        certificate=chain[0],
        extraCertChain=chain[1:],
        raiseMinimumTo=ssl.TLSVersion.TLSv1_2,
    )
    try:
        options.getContext().check_privatekey()
    except SSL.Error:
        raise AuthorityError(f"{key} is not the key of {certificate}") from None
    return options


def client_context(host: str, ca: Path) -> IOpenSSLClientConnectionCreator:
    """TLS for a client that believes only what *ca* signed, and only if it is for *host*.

    :param host: the name or address that is called.
    :raises AuthorityError: the file cannot be read, or holds no certificate.
    """
    try:
        roots = x509.load_pem_x509_certificates(ca.read_bytes())
    except OSError as error:
        raise AuthorityError(f"{ca} cannot be read: {error.strerror}") from None
    except ValueError:
        raise AuthorityError(f"{ca} holds no certificate") from None
    trusted = ssl.trustRootFromCertificates(
        [ssl.Certificate(crypto.X509.from_cryptography(each)) for each in roots]
    )
    creator: IOpenSSLClientConnectionCreator = ssl.optionsForClientTLS(host, trustRoot=trusted)
    return creator
