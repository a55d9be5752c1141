"""`truetape insurance`: the fund that pays losses of liquidations beyond an account's money. Needs Kafka alone."""

import json
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from truetape import messages as m
from truetape.commands.fund import (
    AmountArgument,
    AssetOption,
    LocationOption,
    ReasonOption,
    ReferenceOption,
    movement_id,
    say,
)
from truetape.commands.parked import ByOption, named, states
from truetape.money import from_e8, positive_e8, to_e8
from truetape.operator import operator
from truetape.settings import settings

app = typer.Typer(help="The insurance fund.", no_args_is_help=True)
INSURANCE: Final = "house:insurance"


@app.command()
def pay(
    amount: AmountArgument, location: LocationOption, reason: ReasonOption, reference: ReferenceOption,
    asset: AssetOption = "USDT", by: ByOption = "",
) -> None:  # fmt: skip
    """Pay into the insurance fund. It is one fund: losses of every partition draw on it."""
    move(positive_e8(amount), location, reason, reference, asset, by)


@app.command()
def withdraw(
    amount: AmountArgument, location: LocationOption, reason: ReasonOption, reference: ReferenceOption,
    asset: AssetOption = "USDT", by: ByOption = "",
) -> None:  # fmt: skip
    """Take money out, once every partition has said that no loss is open; all of it or nothing."""
    move(-positive_e8(amount), location, reason, reference, asset, by)


def move(amount_e8: int, location: str, reason: str, reference: str, asset: str, by: str) -> None:
    """One command, and what became of it."""
    moved = movement_id(INSURANCE, "INSURANCE", amount_e8, reference)
    command = m.MoveFund(moved, INSURANCE, asset, amount_e8, location, "INSURANCE", named(by), reason)
    with operator(settings().kafka) as hand:
        say(hand, command, reference)


@app.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="One JSON array")] = False) -> None:
    """Show what the fund has, by asset, and where: each partition keeps a part of it."""
    rows = parts()
    if as_json:
        print(json.dumps(rows))
        return
    table = Table("asset", "partition", "amount", box=None, pad_edge=False)
    sums: dict[str, int] = {}
    for row in rows:
        sums[row["asset"]] = sums.get(row["asset"], 0) + to_e8(row["amount"])
        table.add_row(row["asset"], str(row["partition"]), row["amount"])
    for asset, sum_e8 in sorted(sums.items()):
        table.add_row(asset, "all", from_e8(sum_e8))
    Console(highlight=False, soft_wrap=True).print(table if rows else "the insurance fund is empty")


def parts() -> list[dict[str, Any]]:
    """The fund as the ledger has it, by asset and partition."""
    found = [
        {"asset": asset, "partition": partition, "amount": from_e8(amount_e8)}
        for partition, name, books in states()
        if name == INSURANCE
        for asset, amount_e8 in books.get("balances", {}).items()
        if amount_e8
    ]
    return sorted(found, key=lambda row: (row["asset"], row["partition"]))
