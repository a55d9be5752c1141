"""`truetape breaks`: differences with the venues, folded from the tape."""

import json
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from truetape.log import KafkaLog, Log, Part, check_topics
from truetape.messages import Break, ReconciliationCompleted
from truetape.money import from_e8
from truetape.restore import accepted
from truetape.settings import Settings
from truetape.tape import Reader
from truetape.topics import RECONCILIATION_BREAKS

ASK_SECONDS = 5.0
READ_SECONDS = 60.0


def command(
    closed: Annotated[bool, typer.Option("--all", help="Those that are closed too")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, with the evidence")] = False,
) -> None:
    """Show open breaks: class, key, what we and the venue say, age, evidence. Exit status 1 when one is open."""
    kafka = Settings().kafka
    check_topics(kafka, [RECONCILIATION_BREAKS], ASK_SECONDS)
    with closing(KafkaLog(kafka)) as log:
        found = Breaks(log)
    now_us = time.time_ns() // 1000
    if as_json:
        print(json.dumps(found.plain(closed, now_us)))
    else:
        show(found, closed, now_us, Console(highlight=False))
    raise typer.Exit(1 if found.open else 0)


@dataclass(frozen=True)
class Closed:
    """A break that is gone, why and when."""

    was: Break
    reason: str
    at_us: int


class Breaks:
    """The fold of reconciliation.breaks. Raises TapeGap when records are missing."""

    def __init__(self, log: Log) -> None:
        self.open: dict[str, Break] = {}
        self.closed: dict[str, Closed] = {}
        """Newest end of each break that is not open now."""
        self.newest: dict[str, ReconciliationCompleted] = {}
        """The last comparison with each venue that was written."""
        part = Part(RECONCILIATION_BREAKS.name, 0)
        reader = Reader(*part)
        _, end = log.ends([part])[part]
        for record in log.read({part: (0, end)}, READ_SECONDS):
            message: Any = accepted(record, reader)
            if isinstance(message, ReconciliationCompleted):
                self._fold(message)

    def _fold(self, message: ReconciliationCompleted) -> None:
        self.newest[message.venue] = message
        for gone in message.closed:
            if (was := self.open.pop(gone.break_id, None)) is not None:
                self.closed[gone.break_id] = Closed(was, gone.reason, message.meta.decided_at_us)
        for fresh in message.opened:
            self.open[fresh.break_id] = fresh
            self.closed.pop(fresh.break_id, None)

    def plain(self, closed: bool, now_us: int) -> dict[str, Any]:
        """For scripts: the open breaks, the closed ones when wanted, and the last comparison with each venue."""
        rows = [_plain(one, now_us) | {"is_open": True} for one in _oldest_first(self.open.values())]
        for end in sorted(self.closed.values(), key=lambda end: end.at_us) if closed else ():
            rows.append(
                _plain(end.was, end.at_us) | {"is_open": False, "reason": end.reason, "closed_at_us": end.at_us}
            )
        newest = {venue: last.meta.decided_at_us for venue, last in sorted(self.newest.items())}
        pending = {venue: last.pending for venue, last in sorted(self.newest.items())}
        return {"open": len(self.open), "newest": newest, "pending": pending, "breaks": rows}


def show(found: Breaks, closed: bool, now_us: int, console: Console) -> None:
    """A table for a person, and when the venues were last compared."""
    table = Table(
        "class", "venue", "key", "account", "ours", "venue says", "age", "owner", "evidence", box=None, pad_edge=False
    )
    for one in _oldest_first(found.open.values()):
        table.add_row(*_cells(one, now_us), one.owner, one.evidence_sha256[:12])
    for end in sorted(found.closed.values(), key=lambda end: end.at_us) if closed else ():
        table.add_row(*_cells(end.was, end.at_us), f"closed: {end.reason}", end.was.evidence_sha256[:12], style="dim")
    if table.row_count:
        console.print(table)
    for venue, last in sorted(found.newest.items()):
        age = (now_us - last.meta.decided_at_us) / 1e6
        young = f", {last.pending} younger than the grace period" if last.pending else ""
        console.print(
            f"{venue}: told {age:.0f} s ago: {last.fills_matched} fills matched, {last.balances_compared} balances and "
            f"{last.orders_compared} open orders compared{young}"
        )
    if not found.newest:
        console.print("[yellow]no venue was ever compared[/]: is the reconciler running? `truetape dev status`")
    console.print(f"[bold red]{len(found.open)} open[/]" if found.open else "[bold green]no break is open[/]")


def _oldest_first(breaks: Any) -> list[Break]:
    return sorted(breaks, key=lambda one: (one.first_seen_at_us, one.break_id))


def _cells(one: Break, until_us: int) -> tuple[str, ...]:
    return (
        one.break_class, one.venue, one.key, one.account_id, from_e8(one.ours_e8), from_e8(one.theirs_e8),
        f"{(until_us - one.first_seen_at_us) / 1e6:.0f} s",
    )  # fmt: skip


def _plain(one: Break, until_us: int) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.to_builtins(one)
    age = (until_us - one.first_seen_at_us) / 1e6
    return row | {"ours": from_e8(one.ours_e8), "theirs": from_e8(one.theirs_e8), "age_seconds": age}
