"""The house stands: every module imports only from the floors below its own."""

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import camd

ROOT = Path(camd.__file__).parent

FLOORS: tuple[tuple[str, ...], ...] = (
    # ground: nouns and rules
    ("photo", "findings", "histogram", "sparing", "offered", "plain", "plural", "sheet", "upright"),
    ("wire",),
    ("vision",),
    ("config",),
    # rooms: state and promises
    ("store", "news", "live", "thumbnails", "httpclient", "parting"),
    ("private", "fleet", "pictures", "timelapse", "workers"),
    ("keys", "authority", "access", "intake", "journal"),
    # doors
    ("ingest", "doors", "prompt", "systemd", "signals", "logfile", "process"),
    ("upkeep", "upload", "pull", "web", "publish", "manhole", "handover", "detect"),
    # roof
    ("service",),
    ("tap",),
    # beside the house
    ("simulate", "bench", "export", "labels"),
    ("cli",),
    ("__main__",),
)
"""Rooms by their floor. A room on the same floor is a stranger."""

GROUND = {"photo", "findings", "wire", "config", "histogram", "plain", "plural", "sparing", "sheet"}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


def imported(path: Path) -> Iterator[str]:
    """Whatever *path* imports, wherever in it, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            if node.module == "camd":
                yield from (f"camd.{alias.name}" for alias in node.names)
            else:
                yield node.module


def room(dotted: str) -> str:
    return dotted.partition(".")[0]


class Floors(SynchronousTestCase):
    """Imports go downwards only."""

    def setUp(self) -> None:
        self.floor = {name: at for at, names in enumerate(FLOORS) for name in names}

    def test_every_room_has_a_floor(self) -> None:
        """A new module must say where it stands."""
        homeless = {room(name) for name, _ in modules() if name} - self.floor.keys()
        self.assertEqual(homeless, set())

    def test_imports_go_down(self) -> None:
        """No module imports from its own floor, or from one above."""
        wrong = []
        for name, path in modules():
            for dotted in imported(path):
                first, _, inside = dotted.partition(".")
                if first != "camd" or not inside or room(inside) not in self.floor:
                    continue
                ours, theirs = room(name), room(inside)
                if ours and ours != theirs and self.floor[theirs] >= self.floor[ours]:
                    wrong.append(f"camd.{name} imports {dotted}")
        self.assertEqual(wrong, [])

    def test_the_ground_is_plain(self) -> None:
        """Nouns, wire and configuration know no Twisted, no clock, no socket."""
        wrong = [
            f"camd.{name} imports {dotted}"
            for name, path in modules()
            if room(name) in GROUND
            for dotted in imported(path)
            if dotted.split(".")[0] in {"twisted", "time", "socket", "threading", "asyncio"}
        ]
        self.assertEqual(wrong, [])

    def test_one_reactor(self) -> None:
        """The global reactor is imported where twistd makes the service, and where programs
        begin, and nowhere else."""
        users = {
            name
            for name, path in modules()
            for dotted in imported(path)
            if dotted == "twisted.internet.reactor"
        } | {
            name
            for name, path in modules()
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom)
            and node.module == "twisted.internet"
            and any(alias.name == "reactor" for alias in node.names)
        }
        self.assertLessEqual(users, {"tap", "cli.simulate", "cli.detect"})

    def test_the_root_imports_nothing_of_ours(self) -> None:
        self.assertFalse(
            any(dotted.startswith("camd") for dotted in imported(ROOT / "__init__.py"))
        )
