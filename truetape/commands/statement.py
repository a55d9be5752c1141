"""`truetape statement`: an account's day, from the tape alone."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from truetape import ids, journal, reports, statement
from truetape.money import from_e8
from truetape.operator import Operator
from truetape.statement import Statement
from truetape.topics import PARTITIONS


def command(
    account: Annotated[str, typer.Argument(help="The account")],
    day: Annotated[str, typer.Option(help="The day in UTC, such as 2026-11-26: the entries booked in it")],
    form: Annotated[str, typer.Option("--format", help="table, json or csv")] = "table",
) -> None:
    """Show what an account had, every line booked on a day with the balance after it, and what it has."""
    statement.span_of(day)
    with reports.reading(form, "statement") as (log, seconds):
        if ":" not in account:  # the house's own, such as house:capital, are not opened
            Operator(log).reference.require_account(account)
        records = journal.records(log, seconds, [ids.partition_of(account, PARTITIONS)])
        found = statement.from_events(account, day, (event for _, _, event in records))
    if form == "table":
        show(found, Console(highlight=False))
    elif form == "json":
        print(json.dumps(statement.plain(found)))
    else:
        print(statement.as_csv(found), end="")


def show(found: Statement, console: Console) -> None:
    """For a person."""
    table = Table("booked", "entry", "kind", "purpose", "asset", "amount", "balance", box=None, pad_edge=False)
    for row in found.rows:
        at, _, entry_id, kind, purpose, asset, amount, balance, _, _ = statement.cells(row)
        table.add_row(at[11:23], entry_id, kind, purpose, asset, amount, balance)
    totals = Table("asset", "opening", "entries", "closing", box=None, pad_edge=False)
    for total in found.totals:
        totals.add_row(total.asset, *map(from_e8, (total.opening_e8, total.entries_e8, total.closing_e8)))
    console.print(f"account {found.account_id}, {found.day} (UTC)")
    console.print(table if found.rows else "no entry was booked on this day")
    console.print(totals if found.totals else "the account has had nothing so far")
    if found.sides:
        sides = Table("contract", "long", "short", "terms", box=None, pad_edge=False)
        for one in found.sides:
            terms = f"{one.positions} {one.costs}"
            sides.add_row(one.instrument_id, from_e8(one.long_e8), from_e8(one.short_e8), terms)
        console.print(sides)
