"""`truetape rounds`: rounds that are not booked everywhere, and which partitions they wait for."""

from typing import Final

import typer

from truetape.commands.parked import states
from truetape.reports import FormOption, JsonOption, write

COLUMNS: Final = ("home_id", "round_id", "kind", "asset", "phase", "waiting", "attempts")


def command(as_json: JsonOption = False, form: FormOption = "table") -> None:
    """Show rounds that wait their turn, for answers, or for legs to be booked. Exit status 1 when one does."""
    rows = [{"home_id": name} | one for _, name, books in states() for one in books.get("rounds", ())]
    write(COLUMNS, rows, "json" if as_json else form, "no round is open")
    raise typer.Exit(1 if rows else 0)
