"""`truetape rounds`: rounds that are not booked everywhere, and which partitions they wait for."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from truetape.commands.parked import states


def command(as_json: Annotated[bool, typer.Option("--json", help="One JSON array")] = False) -> None:
    """Show rounds that wait their turn, for answers, or for legs to be booked. Exit status 1 when one does."""
    rows = [{"home_id": name} | one for _, name, books in states() for one in books.get("rounds", ())]
    if as_json:
        print(json.dumps(rows))
    else:
        show(rows, Console(highlight=False, soft_wrap=True))
    raise typer.Exit(1 if rows else 0)


def show(rows: list[dict[str, Any]], console: Console) -> None:
    """For a person."""
    table = Table("home", "round", "kind", "asset", "phase", "waits for partitions", "asked again", box=None)
    for row in rows:
        waiting = ", ".join(str(one) for one in row["waiting"])
        table.add_row(
            row["home_id"], row["round_id"], row["kind"], row["asset"], row["phase"], waiting, str(row["attempts"])
        )
    console.print(table if rows else "no round is open")
