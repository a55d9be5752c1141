"""`truetape default`: declare the default of an account, and see how it stands. With access to Kafka alone."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from truetape import ids
from truetape import messages as m
from truetape.commands.parked import ByOption, named, states
from truetape.errors import SetupError
from truetape.money import from_e8
from truetape.operator import operator
from truetape.settings import settings

app = typer.Typer(help="Defaults of accounts: declare, list, show.", no_args_is_help=True)
AccountArgument = Annotated[str, typer.Argument(help="The account that cannot pay")]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON")]


@app.command()
def declare(
    account: AccountArgument,
    reason: Annotated[str, typer.Option(help="Why; it stands on the tape")],
    asset: Annotated[str, typer.Option(help="Settlement asset in which it cannot pay")] = "USDT",
    by: ByOption = "",
) -> None:
    """Declare a default: its orders are cancelled and refused from here on; once it holds no contract, its loss is
    fixed and the waterfall bears it."""
    with operator(settings().kafka) as hand:
        found = hand.declare_default(m.DeclareDefault(ids.random_id(), account, asset, reason, named(by)))
    print(f"default {found.default_id} of {account} is declared; see `truetape default show {account}`")


@app.command(name="list")
def list_defaults(as_json: JsonOption = False) -> None:
    """Show the newest default of every account that had one."""
    rows = defaults()
    if as_json:
        print(json.dumps(rows))
        return
    table = Table("account", "state", "asset", "loss", "uncovered", "came back", "detail", box=None, pad_edge=False)
    for row in rows:
        amounts = (from_e8(row[name]) for name in ("loss_e8", "uncovered_e8", "recovered_e8"))
        table.add_row(row["account_id"], row["state"], row["asset"], *amounts, row["detail"])
    Console(highlight=False, soft_wrap=True).print(table if rows else "nobody is or was in default")


@app.command()
def show(account: AccountArgument, as_json: JsonOption = False) -> None:
    """Show one default: who bears what, less what came back."""
    rows = defaults(account)
    if not rows:
        raise SetupError(f"{account} is not and was not in default; see `truetape default list`")
    if as_json:
        print(json.dumps(rows[0]))
        return
    row, table = rows[0], Table("layer", "who", "amount", box=None, pad_edge=False)
    for step in row["steps"]:
        table.add_row(step["layer"], step["payer_id"], from_e8(step["amount_e8"]))
    table.add_row("uncovered", "", from_e8(row["uncovered_e8"]))
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{account} {row['state']} {row['asset']}, loss {from_e8(row['loss_e8'])}; {row['detail']}")
    console.print(table)


def defaults(account: str = "") -> list[dict[str, Any]]:
    """Defaults as the ledger has them, by account."""
    return [
        {"account_id": account_id} | books["default"] for _, account_id, books in states(account) if "default" in books
    ]
