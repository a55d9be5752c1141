"""`truetape fund`: the clearing fund and the house's capital: pay in and out, list, size. Needs Kafka alone."""

import json
import sys
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from truetape import clock, ids, reports
from truetape import messages as m
from truetape.commands import drill as drills
from truetape.commands.parked import ByOption, named, states
from truetape.default import drill
from truetape.errors import SetupError
from truetape.money import from_e8, positive_e8
from truetape.operator import Operator, Refused, operator
from truetape.settings import settings
from truetape.sheets import sheet

app = typer.Typer(help="The clearing fund.", no_args_is_help=True)
CAPITAL: Final = "house:capital"
HELD: Final = ("account", "asset", "amount")
PREFIXES: Final = ("fund:", "assessment:", CAPITAL)
AccountArgument = Annotated[str, typer.Argument(help="The member, or house:capital")]
AmountArgument = Annotated[str, typer.Argument(help="Above zero")]
LocationOption = Annotated[str, typer.Option("--from", "--to", help="Account of the firm outside, such as bank:main")]
AssetOption = Annotated[str, typer.Option(help="Asset")]
ReferenceOption = Annotated[str, typer.Option(help="The outside world's id of the payment; makes a repetition safe")]
ReasonOption = Annotated[str, typer.Option(help="Why; it stands on the tape")]


@app.command()
def pay(
    account: AccountArgument,
    amount: AmountArgument,
    location: LocationOption,
    reason: ReasonOption,
    reference: ReferenceOption,
    asset: AssetOption = "USDT",
    assessment: Annotated[bool, typer.Option(help="It pays what the member was assessed for")] = False,
    by: ByOption = "",
) -> None:
    """Pay into the clearing fund, into the house's capital, or what a member was assessed for."""
    _move(account, positive_e8(amount), location, reason, reference, asset, "ASSESSMENT" if assessment else "FUND", by)


@app.command()
def withdraw(
    account: AccountArgument,
    amount: AmountArgument,
    location: LocationOption,
    reason: ReasonOption,
    reference: ReferenceOption,
    asset: AssetOption = "USDT",
    by: ByOption = "",
) -> None:
    """Pay a share out, once every partition has said that no loss is open; all of it or nothing."""
    _move(account, -positive_e8(amount), location, reason, reference, asset, "FUND", by)


def _move(
    account: str, amount_e8: int, location: str, reason: str, reference: str, asset: str, purpose: str, by: str
) -> None:
    purpose = "CAPITAL" if account == CAPITAL else purpose
    moved = movement_id(account, purpose, amount_e8, reference)
    command = m.MoveFund(moved, account, asset, amount_e8, location, purpose, named(by), reason)
    with operator(settings().kafka) as hand:
        say(hand, command, reference)


def movement_id(account: str, purpose: str, amount_e8: int, reference: str) -> str:
    """Id of the command: the same for the same account, purpose, direction and reference. Raises SetupError."""
    if not reference.strip():
        raise SetupError("--reference is empty: name the payment as the outside world does")
    return ids.movement_id(account, f"{purpose}/{'OUT' if amount_e8 < 0 else 'IN'}", reference)


def say(hand: Operator, command: m.MoveFund, reference: str) -> None:
    """Send it, and say what became of it: under a reference that was sent before nothing is booked again."""
    try:
        done = hand.move_fund(command)
    except Refused as error:
        if not str(error).startswith("COMMAND_REPEATED"):
            raise
        print(f"reference {reference} was taken before, and nothing is booked again; another payment needs another")
    else:
        print(f"{done} is booked: {from_e8(command.amount_e8)} {command.asset}")


@app.command(name="list")
def list_shares(as_json: reports.JsonOption = False, form: reports.FormOption = "table") -> None:
    """Show all shares, the house's capital, and what members still owe of assessments (negative)."""
    form = "json" if as_json else form
    reports.write(HELD, held(PREFIXES), form, "the clearing fund is empty")


def held(prefixes: str | tuple[str, ...]) -> list[dict[str, Any]]:
    """What ledger accounts hold whose names begin so, of each asset."""
    return [
        {"account": name, "asset": asset, "amount": from_e8(amount_e8)}
        for _, name, books in states()
        if name.startswith(prefixes)
        for asset, amount_e8 in sorted(books.get("balances", {}).items())
        if amount_e8
    ]


@app.command()
def size(
    asset: Annotated[str, typer.Option(help="Settlement asset of the contracts")] = "USDT",
    shock: Annotated[list[str] | None, typer.Option(help="A move of all marks such as -0.2; may come again")] = None,
    floor: Annotated[str, typer.Option(help="Least share of a member")] = "0",
    form: reports.FormOption = "table",
) -> None:
    """How large the fund must be for the two members with the largest losses beyond their margin, and whose it is."""
    with reports.reading(form, "fund") as (log, seconds):
        books, known, prices = drills.read(log, seconds, None)
    floor_e8 = drills.number("floor", floor)
    setting = drill.Setting(asset=asset, shocks_e8=drills.shocked(shock), floor_e8=floor_e8, at_us=clock.now_us())
    found = drill.run(books, known, prices, setting)
    rows = drill.sized(found)
    if form == "csv":
        sys.stdout.write(sheet(drill.SIZE_COLUMNS, rows))
    elif form == "json":
        members = [dict(zip(drill.SIZE_COLUMNS, row, strict=True)) for row in rows]
        print(
            json.dumps({"size": from_e8(found.sizing.size_e8), "scenario": found.sizing.scenario, "members": members})
        )
    else:
        shown = Table(*drill.SIZE_COLUMNS, box=None, pad_edge=False)
        for row in rows:
            shown.add_row(*row)
        console = Console(highlight=False)
        console.print(
            f"size {from_e8(found.sizing.size_e8)} {asset}, decided by {found.sizing.scenario or 'no scenario'}"
        )
        console.print(shown)
