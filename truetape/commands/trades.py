"""`truetape trades`: trades of two accounts that are open, or novated with a leg that nobody has confirmed."""

import json
import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from truetape.commands.parked import states


def command(
    account: Annotated[str, typer.Option(help="Only with this account as their home")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array")] = False,
) -> None:
    """Show trades of two accounts: state, home, what the sides differ in, legs that are waited for."""
    rows = [
        {"account_id": account_id} | trade
        for _, account_id, books in states(account)
        for trade in books.get("trades", ())
    ]
    if as_json:
        print(json.dumps(rows))
    else:
        show(rows, time.time_ns() // 1000, Console(highlight=False, soft_wrap=True))


def show(rows: list[dict[str, Any]], now_us: int, console: Console) -> None:
    """For a person."""
    table = Table("home", "trade", "state", "told by", "time left", "differs in", "waits for", box=None, pad_edge=False)
    for row in rows:
        left = f"{(row['expires_at_us'] - now_us) / 1e6:.0f} s" if not row["waiting"] else ""
        differs = ", ".join(one["field"] for one in row["differences"])
        table.add_row(
            row["account_id"], row["trade_id"], row["state"], row["first_id"], left, differs, ", ".join(row["waiting"])
        )
    console.print(table if rows else "no trade is open, and no leg is waited for")
