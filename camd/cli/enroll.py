"""``camd enroll``: a camera's key, and a private CA for cameras that speak TLS."""

import importlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from attrs import frozen

from camd.authority import AuthorityError, create, own_addresses, own_hosts, renew
from camd.cli.settings import camera_id, configured, existing_store, key_ring, own_directory
from camd.config import Loaded
from camd.keys import KeyRing, KeyRingError, Step
from camd.photo import CameraId

_TCP = re.compile(r"(?:^|:)(?:tcp6?|ssl):(?:port=)?([0-9]{1,5})(?=:|$)")
_INTERFACE = re.compile(r":interface=((?:[^:\\]|\\.)+)")
_EVERY = ("", "0.0.0.0", "::")


@click.command()
@click.argument("camera", required=False, callback=camera_id)
@click.option("--print", "bare", is_flag=True, help="Print the key and nothing else.")
@click.option("--rotate", is_flag=True, help="Give it a second key; both are valid.")
@click.option("--settle", is_flag=True, help="Drop the older of two keys.")
@click.option("--qr", is_flag=True, help="Print what the board needs as a QR code, too.")
@click.option("--ca", is_flag=True, help="Make a private CA and a certificate for TLS.")
@click.option("--renew", "renewed", is_flag=True, help="A new certificate of the CA that is there.")
@click.option("--force", is_flag=True, help="With --ca: replace the CA that is there.")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name or address by which boards call this machine; may be repeated.",
)
@configured
def enroll(
    loaded: Loaded,
    *,
    camera: CameraId | None,
    bare: bool,
    rotate: bool,
    settle: bool,
    qr: bool,
    ca: bool,
    renewed: bool,
    force: bool,
    hosts: tuple[str, ...],
) -> None:
    """Make a key for CAMERA, and say what to type into the board.

    From then on nobody gets in under that name without the key. A running camd knows it at
    once.
    """
    _sensible(camera, bare=bare, rotate=rotate, settle=settle, qr=qr, ca=ca, renewed=renewed,
              force=force)  # fmt: skip
    step = Step.SETTLE if settle else Step.ROTATE if rotate else Step.ENROLL
    if renewed or step is not Step.ENROLL:
        existing_store(loaded)
    ring = key_ring(loaded)
    if camera is not None:
        # Before a CA is made: all of it is done, or nothing.
        with _ways_out(ring, camera, step):
            ring.ready(camera, step)
    if ca or renewed:
        _certify(own_directory(loaded) / "tls", hosts, renewed=renewed, force=force)
    if camera is None:
        return
    with _ways_out(ring, camera, step):
        if settle:
            ring.settle(camera)
            click.echo(f"Only the newer key of {camera} is valid.")
            return
        key = ring.rotate(camera) if rotate else ring.enroll(camera)
    if bare:
        click.echo(key.hex())
        return
    needed = _Needed.of(loaded, camera, key, hosts)
    click.echo(f"{camera} has {'a second' if rotate else 'a'} key, kept in {ring.path(camera)}")
    click.echo("\nGive the board these settings, at its serial console or on its own page:\n")
    for name, value in needed.settings():
        click.echo(f"  {name:<8}{value}")
    click.echo("\nWhoever knows the key can be this camera. A running camd knows it already.")
    if rotate:
        click.echo(f"The older key stays valid until: camd enroll {camera} --settle")
    if qr:
        _print_qr(needed)


def _sensible(camera: CameraId | None, **flags: bool) -> None:
    """:raises click.UsageError: where the options do not go together."""
    certify = flags["ca"] or flags["renewed"]
    if camera is None:
        if not certify:
            raise click.UsageError("name a camera, or say --ca")
        for name in ("rotate", "settle", "qr", "bare"):
            if flags[name]:
                option = "--print" if name == "bare" else f"--{name}"
                raise click.UsageError(f"{option} is about a camera: name one")
    elif certify and flags["bare"]:
        raise click.UsageError("--print prints a key and nothing else: make the CA by itself")
    if flags["rotate"] and flags["settle"]:
        raise click.UsageError("--rotate and --settle come one after the other, not together")
    if flags["settle"] and (flags["bare"] or flags["qr"]):
        raise click.UsageError("--settle makes no key that could be shown")
    if flags["ca"] and flags["renewed"]:
        raise click.UsageError("--ca makes a new authority, --renew keeps it: say one of them")
    if flags["force"] and not flags["ca"]:
        raise click.UsageError("--force goes with --ca only")


@contextmanager
def _ways_out(ring: KeyRing, camera: CameraId, step: Step) -> Iterator[None]:
    """What is wrong with a camera's keys is told along with what can be done."""
    try:
        yield
    except KeyRingError as error:
        way_out = ""
        if keys := ring.keys_of(camera):
            if len(keys) > 1:
                way_out = f": camd enroll {camera} --settle" if step is Step.ROTATE else ""
            elif step is Step.ENROLL:
                way_out = "; --rotate gives it a second one"
        raise click.ClickException(f"{error}{way_out}") from error


# ---- what a board needs


@frozen
class _Needed:
    """What is typed into a board. *tls*: whether it is to speak TLS."""

    server: str
    port: int
    camera: CameraId
    key: bytes
    tls: bool

    @classmethod
    def of(cls, loaded: Loaded, camera: CameraId, key: bytes, hosts: tuple[str, ...]) -> "_Needed":
        """The server's name is the first of *hosts*, or as good a guess as can be made here."""
        secure = loaded.config.tls.endpoints
        port, interface = 8941 if secure else 8940, ""
        for endpoint in secure or loaded.config.listen:
            if found := _TCP.search(endpoint):
                port = int(found[1])
                if at := _INTERFACE.search(endpoint):
                    interface = re.sub(r"\\(.)", r"\1", at[1])
                break
        addresses = own_addresses() or ["127.0.0.1"]
        server = addresses[0] if interface in _EVERY else interface
        return cls(hosts[0] if hosts else server, port, camera, key, bool(secure))

    def settings(self) -> list[tuple[str, str]]:
        """The settings by their names on the board."""
        return [
            ("server", self.server),
            ("port", str(self.port)),
            *([("tls", "1")] if self.tls else []),
            ("cam", self.camera),
            ("key", self.key.hex()),
        ]


def _print_qr(needed: _Needed) -> None:
    """What the board needs, a ``name=value`` a line, for a phone to take to its page."""
    try:
        segno = importlib.import_module("segno")
    except ImportError:
        click.echo("No QR code: it takes the package segno (pip install 'camd[qr]')", err=True)
        return
    click.echo()
    text = "\n".join(f"{name}={value}" for name, value in needed.settings())
    segno.make(text, micro=False).terminal(compact=True)


# ---- TLS


def _certify(directory: Path, hosts: tuple[str, ...], *, renewed: bool, force: bool) -> None:
    try:
        files = renew(directory, hosts) if renewed else create(directory, hosts, force=force)
    except AuthorityError as error:
        raise click.ClickException(str(error)) from error
    except FileExistsError as error:
        raise click.ClickException(
            f"{error.filename} is there already: --renew makes a new certificate, --force a new CA"
        ) from error
    if renewed:
        click.echo(f"{files.server} is new; a running camd takes it at a SIGHUP.")
        return
    click.echo(f"A private CA, and a certificate for {', '.join(hosts or own_hosts())}")
    click.echo(f"\n  boards are given   {files.ca}")
    click.echo(f"  nobody is given    {files.ca_key}")
    click.echo("\nPut this into the configuration, and restart camd:\n")
    click.echo("  [tls]")
    click.echo(f"  certificate = {_toml(files.server)}")
    click.echo(f"  key = {_toml(files.server_key)}\n")


def _toml(path: Path) -> str:
    return json.dumps(str(path.absolute()), ensure_ascii=False)
