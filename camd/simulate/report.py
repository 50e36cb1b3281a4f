"""A run as a person reads it: while it goes on, and at its end."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from camd.simulate.fleet import SimulatedFleet
from camd.simulate.ledger import Ledger, Record
from camd.simulate.verify import Verification

SHOWN = 10
"""Lines of one kind that are written out; the rest is counted."""


class Pace:
    """How many photos a second were answered since the last look."""

    def __init__(self) -> None:
        self._at = 0.0
        self._answered = 0

    def since(self, now: float, answered: int) -> float:
        """*now*: seconds on any clock."""
        seconds, photos = now - self._at, answered - self._answered
        self._at, self._answered = now, answered
        return photos / seconds if seconds > 0 else 0.0


def progress(fleet: SimulatedFleet, pace: float) -> str:
    """One line about how it goes; *pace*: photos a second."""
    ledger = fleet.ledger
    parts = [
        f"connected {fleet.connected}/{len(fleet.boards)}",
        f"{pace:.1f} photos/s",
        f"acknowledged {ledger.total('acknowledged')}",
    ]
    if skipped := ledger.total("skipped"):
        parts.append(f"skipped {skipped}")
    if refused := ledger.refused().total():
        parts.append(f"refused {refused}")
    if errors := ledger.errors():
        parts.append(_counted(errors))
    return ", ".join(parts)


def show(console: Console, ledger: Ledger, verification: Verification | None) -> None:
    """The summary, the boards that do not behave, and what is wrong."""
    table = Table(title="Simulated boards", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for name, text in _figures(ledger):
        table.add_row(name, text)
    console.print(table)
    faulty = [record for record in ledger.records if record.fault]
    if faulty:
        console.print(_faults(faulty))
    wrong = [
        f"{record.board}: {_account(record)}"
        for record in ledger.records
        if not record.as_it_should_be
    ]
    _lines(console, "not as it should be", wrong)
    if verification is not None:
        _lines(console, "missing in the store", verification.missing)
        _lines(console, "more than once in the store", verification.doubled)
        _lines(console, "torn in the store", verification.torn)
        if verification.good:
            kept = len(ledger.kept)
            console.print(f"Each of {kept} acknowledged photos is in the store, exactly once.")


def _figures(ledger: Ledger) -> list[tuple[str, str]]:
    summary = ledger.summary()
    refused, errors = ledger.refused(), ledger.errors()
    figures = [
        ("boards", str(summary["boards"])),
        ("seconds", f"{ledger.seconds:.1f}"),
        ("photos sent", str(summary["sent"])),
        ("sent again", str(summary["resent"])),
        ("acknowledged", str(summary["acknowledged"])),
        ("skipped", str(summary["skipped"])),
        ("refused", _counted(refused) if refused else "0"),
        ("unanswered", str(summary["unanswered"])),
        ("photos/s", f"{summary['photos_per_second']:.1f}"),
        ("MB/s", f"{summary['megabytes_per_second']:.2f}"),
        ("answer p50", _milliseconds(summary["latency_p50"])),
        ("answer p99", _milliseconds(summary["latency_p99"])),
    ]
    if errors:
        figures.append(("broken sessions", _counted(errors)))
    return figures


def _faults(records: list[Record]) -> Table:
    table = Table(title="Boards that do not behave")
    for heading in ("board", "fault", "what became of it", "as it should be"):
        table.add_column(heading)
    for record in records:
        verdict = Text("yes", "green") if record.as_it_should_be else Text("no", "red")
        table.add_row(record.board, record.fault, _account(record), verdict)
    return table


def _account(record: Record) -> str:
    parts = [f"{record.sent} sent", f"{record.acknowledged} acknowledged"]
    if record.skipped:
        parts.append(f"{record.skipped} skipped")
    if record.spoilt:
        parts.append(f"{record.spoilt} spoilt ones acknowledged")
    if record.refused:
        parts.append(f"refused {_counted(record.refused)}")
    if record.hung_up:
        parts.append(f"hung up on {record.hung_up}x")
    if record.errors:
        parts.append(_counted(record.errors))
    return ", ".join(parts)


def _lines(console: Console, heading: str, lines: "list[str] | tuple[str, ...]") -> None:
    if not lines:
        return
    console.print(Text(f"{heading}:", "bold red"))
    for line in lines[:SHOWN]:
        console.print(f"  {line}", markup=False, highlight=False)
    if len(lines) > SHOWN:
        console.print(f"  and {len(lines) - SHOWN} more")


def _counted(counter: "dict[str, int]") -> str:
    return " ".join(f"{name} {count}" for name, count in sorted(counter.items()))


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"
