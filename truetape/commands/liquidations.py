"""`truetape liquidations`: accounts whose positions the house closes. With access to Kafka alone."""

from typing import Annotated, Final

import typer

from truetape.commands.calls import every_one, open_ones, told
from truetape.reports import FormOption, JsonOption, write

app = typer.Typer(help="Liquidations.", invoke_without_command=True)
LISTED: Final = ("account_id", "state", "asset", "amount", "id", "detail")


@app.callback()
@app.command(name="list")
def list_liquidations(
    context: typer.Context,
    account: Annotated[str, typer.Option(help="Only of this account")] = "", as_json: JsonOption = False,
    form: FormOption = "table",
    every: Annotated[bool, typer.Option("--all", help="Those that are over too")] = False,
) -> None:  # fmt: skip
    """Show running liquidations, or all: how each stands or ended; the amount is what was short at the end."""
    if context.invoked_subcommand is None:
        found = every_one(account, form) if every else open_ones(account)
        rows = [row | told(row) for row in found if row["kind"] == "liquidations"]
        write(LISTED, rows, "json" if as_json else form, "nothing is liquidated; --all shows those that are over")
