"""``camd simulate``: a fleet of boards, at a camd that may be anywhere."""

import ipaddress
import json
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from attrs import frozen
from rich.console import Console

from camd.authority import AuthorityError, client_context
from camd.cli.settings import MOST, span
from camd.keys import KeyRing
from camd.photo import parse_camera_id
from camd.pictures import FRAMESIZES, PicturesUnavailableError
from camd.simulate.faults import FAULTS
from camd.simulate.fleet import MIXED, EndpointFor, Plan, PlanError, SimulatedFleet
from camd.simulate.ledger import Ledger
from camd.simulate.report import Pace, progress, show
from camd.simulate.verify import Verification, photos_in, verify
from camd.store.folders import OWN

PLAIN_EVERY = 5.0
"""Seconds between two lines of progress where nobody watches a terminal."""

LIVE_EVERY = 0.25

BUSY = 0.9
"""Share of a core from which on the simulator, not camd, sets the pace."""

MOST_BOARDS = 50_000

_PORT, _TLS_PORT = 8940, 8941
_PATH = click.Path(path_type=Path)
_CONNECT_TIMEOUT = 15


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        try:
            return span(value)
        except ValueError as error:
            self.fail(f"{value!r} is not {error}", param, ctx)


@click.command()
@click.argument("host", default="127.0.0.1")
@click.option("--port", type=click.IntRange(1, 65535), help="8940; with --tls, 8941.")
@click.option("--boards", type=click.IntRange(0, MOST_BOARDS), default=1, show_default=True)
@click.option("--proto", type=click.Choice(["v1", "v2"]), default="v2", show_default=True)
@click.option("--enrolled", type=_PATH, metavar="STORE", help="Be the cameras enrolled there.")
@click.option("--key-dir", type=_PATH, metavar="DIR", help="Be the cameras of its *.key files.")
@click.option("--keys", type=_PATH, metavar="FILE", help="Lines of a camera and 64 hex digits.")
@click.option("--tls", is_flag=True, help="Encrypt, and believe only --ca.")
@click.option("--ca", type=_PATH, metavar="FILE", help="The authority's ca.pem, for --tls.")
@click.option(
    "--interval",
    type=_Duration(),
    help="Between a board's photos; 0: as fast as they are answered. v2: 10 s, v1: 0.",
)
@click.option("--size", type=click.Choice([*FRAMESIZES, MIXED]), default="vga", show_default=True)
@click.option("--count", type=click.IntRange(1, MOST), metavar="N", help="Photos of each board.")
@click.option("--duration", type=_Duration(), help="End after that long.")
@click.option("--faults", default="", metavar="A,B", help="One board more for each fault named.")
@click.option("--seed", type=int, help="The same seed, the same photos; else drawn.")
@click.option("--name", "prefix", default="sim", show_default=True, help="Boards: NAME-1, NAME-2…")
@click.option("--ramp", type=_Duration(), help="From the first board's start to the last one's.")
@click.option("--sleep", "sleeps", is_flag=True, help="v2: sleep deeply between photos.")
@click.option("--reconnect", "reconnects", is_flag=True, help="v1: restart boards that hang.")
@click.option("--cheap", is_flag=True, help="Draw a few photos only; they differ by a comment.")
@click.option("--one-address", is_flag=True, help="On loopback too, all come from one address.")
@click.option("--wait", is_flag=True, help="Begin even where nobody listens yet.")
@click.option(
    "--verify", "store", type=_PATH, metavar="DIR", help="Look for what was acknowledged there."
)
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def simulate(
    *,
    host: str,
    port: int | None,
    tls: bool,
    ca: Path | None,
    one_address: bool,
    wait: bool,
    store: Path | None,
    as_json: bool,
    **wishes: Any,
) -> int:
    """Be a fleet of boards for the camd at HOST: some that behave, some that do not.

    \b
    Faults: torn, slow, glued, silent, wrong-crc, wrong-key, half-open, rebooting, clock-1970,
    or all.
    Exits 0 where every board that behaves was served, no spoilt photo was acknowledged, and
    --verify found each acknowledged photo exactly once. Ctrl-C ends the run politely, a second
    one at once.
    """
    if tls and ca is None:
        raise click.UsageError("--tls needs --ca FILE: camd enroll --ca makes it")
    if ca is not None and not tls:
        raise click.UsageError("--ca goes with --tls only")
    try:
        host.encode("idna")
    except UnicodeError:
        raise click.UsageError(f"{host!r} is neither a name nor an address") from None
    if store is not None and not wait and not store.is_dir():
        raise click.UsageError(f"--verify {store}: there is no such directory")
    plan = _plan(tls=tls, **wishes)
    before = photos_in(store) if store is not None else frozenset()
    from twisted.internet import reactor

    try:
        where = _Where(host, port or (_TLS_PORT if tls else _PORT), ca if tls else None)
        endpoints = _endpoints(reactor, where, one_address)
        fleet = SimulatedFleet(reactor, endpoints, plan)
    except (AuthorityError, PicturesUnavailableError) as error:
        raise click.ClickException(str(error)) from error
    if not wait:
        _must_listen(where.host, where.port)
    began = time.process_time()
    _run(reactor, fleet)
    busy = (time.process_time() - began) / (fleet.ledger.seconds or 1.0)
    verification = verify(store, fleet.ledger.kept, before) if store is not None else None
    _tell(plan, fleet.ledger, verification, as_json)
    if busy > BUSY and not as_json:
        hint = "" if plan.cheap else "; --cheap draws less"
        click.echo(f"These figures are the simulator's own limit: it never rested{hint}.")
    return int(not (fleet.ledger.good and (verification is None or verification.good)))


def _plan(
    *,
    boards: int,
    interval: float | None,
    proto: str,
    size: str,
    faults: str,
    seed: int | None,
    ramp: float | None,
    enrolled: Path | None,
    key_dir: Path | None,
    keys: Path | None,
    **rest: Any,
) -> Plan:
    if rest["sleeps"] and proto == "v1":
        raise click.UsageError("--sleep is for boards of v2")
    if rest["reconnects"] and proto == "v2":
        raise click.UsageError("--reconnect is for boards of v1: those of v2 do so by themselves")
    if interval is None:
        interval = 0.0 if proto == "v1" else 10.0
    if ramp is None:
        ramp = min(interval or boards, boards * 0.02)
    try:
        return Plan(
            boards=boards,
            proto=proto,
            interval=interval,
            framesize=size,
            faults=_faults(faults),
            seed=random.SystemRandom().randrange(2**32) if seed is None else seed,
            ramp=ramp,
            keys=_keys(enrolled, key_dir, keys),
            **rest,
        )
    except PlanError as error:
        raise click.UsageError(str(error)) from error


def _faults(said: str) -> tuple[str, ...]:
    """The names that were given; ``all`` is all of them."""
    if said.strip() == "all":
        return tuple(FAULTS)
    return tuple(filter(None, (name.strip() for name in said.split(","))))


def _keys(enrolled: Path | None, key_dir: Path | None, file: Path | None) -> dict[str, bytes]:
    """Each camera's newest key, from whichever place was named."""
    if sum(place is not None for place in (enrolled, key_dir, file)) > 1:
        raise click.UsageError("one of --enrolled, --key-dir and --keys is enough")
    directory = enrolled / OWN / "keys" if enrolled is not None else key_dir
    where = file or directory
    if where is None:
        return {}
    keys = _listed_keys(where) if where is file else _kept_keys(where)
    if not keys:
        raise click.ClickException(f"{where} holds no camera's key")
    return keys


def _kept_keys(directory: Path) -> dict[str, bytes]:
    os.scandir(directory).close()
    ring = KeyRing(directory, lambda error: click.echo(f"camd: {error}", err=True))
    keys: dict[str, bytes] = {}
    for camera in ring.cameras():
        valid = ring.keys_of(camera)
        if valid:
            keys[camera] = valid[0]
    return keys


def _listed_keys(file: Path) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            camera, digits = line.split()
            key = bytes.fromhex(digits)
            if len(key) != 32:
                raise ValueError("a key has 64 hex digits")
            keys.setdefault(parse_camera_id(camera), key)
        except ValueError:
            raise click.ClickException(
                f"{file}:{number}: a camera's id and 64 hex digits are wanted"
            ) from None
    return keys


@frozen
class _Where:
    """:ivar ca: whom to believe; None: without TLS."""

    host: str
    port: int
    ca: Path | None


def _endpoints(reactor: Any, where: _Where, one_address: bool) -> EndpointFor:
    """How each board reaches *where*.

    On loopback every board has an address of its own, as on a network: v1 boards are told apart
    by nothing else.

    :raises AuthorityError: the CA's file is of no use.
    """
    from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, wrapClientTLS

    creator = client_context(where.host, where.ca) if where.ca is not None else None
    spread = not one_address and sys.platform == "linux" and _is_loopback(where.host)

    def endpoint_for(at: int) -> Any:
        endpoint: Any
        if spread:
            own = str(ipaddress.IPv4Address("127.0.1.0") + 1 + at)
            endpoint = TCP4ClientEndpoint(
                reactor, where.host, where.port, _CONNECT_TIMEOUT, (own, 0)
            )
        else:
            endpoint = HostnameEndpoint(reactor, where.host, where.port, _CONNECT_TIMEOUT)
        return wrapClientTLS(creator, endpoint) if creator is not None else endpoint

    return endpoint_for


def _must_listen(host: str, port: int) -> None:
    """:raises click.ClickException: where nobody does."""
    try:
        with socket.create_connection((host, port), _CONNECT_TIMEOUT):
            return
    except OSError as error:
        why = error.strerror or str(error)
        raise click.ClickException(
            f"nobody listens at {host} port {port} ({why}); is camd running? --wait waits for it"
        ) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


def _run(reactor: Any, fleet: SimulatedFleet) -> None:
    """The reactor, from the first board's start to the end of the last."""
    console = Console(stderr=True)
    end_progress: list[Callable[[], None]] = []

    def interrupted(*_: object) -> None:
        reactor.callFromThread(fleet.cut if fleet.stopping else fleet.stop)

    def start() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, interrupted)
        end_progress.append(_show_progress(reactor, fleet, console))
        fleet.run().addCallback(lambda _: reactor.stop())

    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    reactor.callWhenRunning(start)
    try:
        reactor.run(installSignalHandlers=False)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        for end in end_progress:
            end()


def _show_progress(reactor: Any, fleet: SimulatedFleet, console: Console) -> Callable[[], None]:
    """A line that changes on a terminal, and one every few seconds elsewhere."""
    from rich.live import Live
    from twisted.internet.task import LoopingCall

    pace = Pace()

    def line() -> str:
        answered = fleet.ledger.total("acknowledged") + fleet.ledger.total("skipped")
        return progress(fleet, pace.since(time.monotonic(), answered))

    line()
    if not console.is_terminal:
        call = LoopingCall(lambda: click.echo(line(), err=True))
        call.clock = reactor
        call.start(PLAIN_EVERY, now=False)
        return call.stop
    live = Live(line(), console=console, auto_refresh=False, transient=True)
    live.start()
    call = LoopingCall(lambda: live.update(line(), refresh=True))
    call.clock = reactor
    call.start(LIVE_EVERY)

    def end() -> None:
        call.stop()
        live.stop()

    return end


def _tell(plan: Plan, ledger: Ledger, verification: Verification | None, as_json: bool) -> None:
    if not as_json:
        show(Console(), ledger, verification)
        click.echo(f"seed {plan.seed}")
        return
    summary = {"seed": plan.seed, **ledger.summary()}
    if verification is not None:
        summary["verified"] = {
            "files": verification.files,
            "missing": verification.missing,
            "doubled": verification.doubled,
            "torn": verification.torn,
            "good": verification.good,
        }
    click.echo(json.dumps(summary, indent=2))
