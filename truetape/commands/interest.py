"""`truetape interest`: open interest and concentration per instrument, from the tape alone."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from truetape import interest, journal, reports
from truetape.commands.ledger import microseconds
from truetape.money import from_e8


def command(
    until: Annotated[str, typer.Option(help="As it was before this time, ISO 8601, UTC if it says none [now]")] = "",
    form: Annotated[str, typer.Option("--format", help="table, json or csv")] = "table",
) -> None:
    """Show how much of each instrument is open, and who holds most of it."""
    until_us = microseconds(until) if until else None
    with reports.reading(form, "interest") as (log, seconds):
        entries = journal.entries(log, seconds, None, until_us)
        found = interest.interest(interest.held_by(entry for _, _, entry in entries))
    if form == "table":
        show(found, Console(highlight=False))
    elif form == "json":
        print(json.dumps(interest.plain(found)))
    else:
        print(interest.as_csv(found), end="")


def show(found: list[interest.Interest], console: Console) -> None:
    """For a person: one row per instrument, its largest holders below."""
    table = Table(
        "instrument", "open", "long", "short", "longs", "shorts", "index", "largest", box=None, pad_edge=False
    )
    for one in found:
        largest = ", ".join(
            f"{holder.account_id} {from_e8(holder.quantity_e8)} ({holder.share_e8 / 1e6:.1f} %)"
            for holder in one.holders[:3]
        )
        amounts = map(from_e8, (one.open_e8, one.long_e8, one.short_e8))
        table.add_row(
            one.instrument_id, *amounts, str(one.longs), str(one.shorts), f"{one.index_e8 / 1e8:.3f}", largest
        )
    console.print(table if found else "nobody holds anything")
