"""`truetape breaks`: differences with the venues, folded from the tape."""

import json
import time
from contextlib import closing
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from truetape.log import KafkaLog, Log, Part, check_topics
from truetape.messages import Break, ReconciliationCompleted
from truetape.money import from_e8
from truetape.restore import readable
from truetape.settings import Settings
from truetape.tape import Reader
from truetape.topics import RECONCILIATION_BREAKS

READ_SECONDS = 60.0


def command(
    closed: Annotated[bool, typer.Option("--all", help="Those that are closed too")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object")] = False,
) -> None:
    """Show open breaks: class, key, what we and the venue say, age, evidence. Exit status 1 when one is open."""
    kafka = Settings().kafka
    check_topics(kafka, [RECONCILIATION_BREAKS])
    with closing(KafkaLog(kafka)) as log:
        found = Breaks(log)
    shown = {**found.open, **(found.closed if closed else {})}
    if as_json:
        print(
            json.dumps(
                {"open": len(found.open), "newest": found.newest, "breaks": [_plain(b, found) for b in shown.values()]}
            )
        )
    else:
        show(found, list(shown.values()))
    raise typer.Exit(1 if found.open else 0)


class Breaks:
    """The fold of reconciliation.breaks. Raises TapeGap when records are missing."""

    def __init__(self, log: Log) -> None:
        self.open: dict[str, Break] = {}
        self.closed: dict[str, Break] = {}
        self.newest: dict[str, int] = {}
        """When each venue was last compared, microseconds UTC."""
        part = Part(RECONCILIATION_BREAKS.name, 0)
        reader = Reader(*part)
        for record in log.read(log.ends([part]), READ_SECONDS):
            message: Any = readable(record)
            if message is not None and reader.accept(message, record.offset):
                self._fold(message)

    def _fold(self, message: Any) -> None:
        if isinstance(message, ReconciliationCompleted):
            self.newest[message.venue] = message.meta.decided_at_us
            for gone in message.closed:
                if (known := self.open.pop(gone.break_id, None)) is not None:
                    self.closed[gone.break_id] = known
            for fresh in message.opened:
                self.open[fresh.break_id] = fresh
                self.closed.pop(fresh.break_id, None)


def show(found: Breaks, shown: list[Break]) -> None:
    """A table for a person, and when the venues were last compared."""
    console = Console(highlight=False)
    if shown:
        table = Table(
            "class", "venue", "key", "account", "ours", "venue says", "age", "evidence", box=None, pad_edge=False
        )
        for one in shown:
            table.add_row(
                one.break_class, one.venue, one.key, one.account_id, from_e8(one.ours_e8), from_e8(one.theirs_e8),
                _age(one), one.evidence_sha256[:12],
            )  # fmt: skip
        console.print(table)
    now_us = time.time_ns() // 1000
    compared = ", ".join(f"{venue} {(now_us - at) / 1e6:.0f} s ago" for venue, at in sorted(found.newest.items()))
    console.print(f"{len(found.open)} open; last compared: {compared or 'never: is the reconciler running?'}")


def _age(one: Break) -> str:
    return f"{(time.time_ns() // 1000 - one.first_seen_at_us) / 1e6:.0f} s"


def _plain(one: Break, found: Breaks) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(one),
        "ours": from_e8(one.ours_e8),
        "theirs": from_e8(one.theirs_e8),
        "is_open": one.break_id in found.open,
    }
