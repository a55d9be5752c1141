"""`truetape default`: declare the default of an account, and see how it stands. With access to Kafka alone."""

import json
from typing import Annotated, Any, Final

import typer

from truetape import ids
from truetape import messages as m
from truetape.commands.parked import ByOption, named, states
from truetape.errors import SetupError
from truetape.money import from_e8
from truetape.operator import Refused, operator
from truetape.reports import FormOption, JsonOption, require, write
from truetape.settings import settings

app = typer.Typer(help="Defaults of accounts.", no_args_is_help=True)
AccountArgument = Annotated[str, typer.Argument(help="The account that cannot pay")]
WARNING: Final = (
    "{0} is halted for good, its orders are cancelled, all its contracts and collateral are sold, and the waterfall "
    "bears what is missing. This cannot be undone. Declare the default of {0}?"
)
WAIVER: Final = (
    "The loss of {0} is fixed though these orders may still fill; what they fill later is a further loss or gain. Look "
    "at the venue first: this cannot be undone. Go on?"
)
LISTED: Final = ("account_id", "state", "asset", "loss", "uncovered", "recovered", "default_id", "detail")


@app.command()
def declare(
    account: AccountArgument,
    reason: Annotated[str, typer.Option(help="Why; it stands on the tape")],
    asset: Annotated[str, typer.Option(help="Settlement asset in which it cannot pay")] = "USDT",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    by: ByOption = "",
) -> None:
    """Declare a default, which cannot be undone: its orders are cancelled and refused from here on, what it holds is
    sold; once it holds no contract, its loss is fixed and the waterfall bears it.

    Exit status 0: a default, or a further one, is declared. 1: refused, and nothing has changed: the account is in
    default already, or its default is over and nothing is open or owed.
    """
    if not yes:
        typer.confirm(WARNING.format(account), abort=True)
    with operator(settings().kafka) as hand:
        before = defaults(account)
        try:
            found = hand.declare_default(m.DeclareDefault(ids.random_id(), account, asset, reason, named(by)))
        except Refused as error:
            raise Refused(f"{error}; `truetape default show {account}` says how it stands") from error
    print(declaration(found, before))


@app.command()
def waive(
    account: AccountArgument,
    default: Annotated[str, typer.Argument(help="Its default, as the list names it")],
    orders: Annotated[list[str], typer.Argument(help="Orders of which no end is known")],
    reason: Annotated[str, typer.Option(help="Why; it stands on the tape")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    by: ByOption = "",
) -> None:
    """Let a default go on though no end of some of its orders is known, once it was asked for in vain for 75 seconds.

    The orders stay UNKNOWN. What they fill later is booked to the account: a loss by it is a further default. Exit
    status 1: refused, and nothing has changed.
    """
    if not yes:
        typer.confirm(WAIVER.format(account), abort=True)
    with operator(settings().kafka) as hand:
        found = hand.waive_orders(m.WaiveOrders(ids.random_id(), account, default, tuple(orders), reason, named(by)))
    print(f"default {found.default_id} of {account} does not wait for {', '.join(found.waived)} any more")


def declaration(found: m.DefaultChanged, before: list[dict[str, Any]]) -> str:
    """What was declared, a first default or a further one, and where to look."""
    look = f"`truetape default show {found.account_id}` says how it stands"
    if not before:
        return f"default {found.default_id} of {found.account_id} is declared; {look}"
    earlier = f"its default {before[0]['default_id']} is {before[0]['state']}"
    return f"further default {found.default_id} of {found.account_id} is declared: {earlier}; {look}"


@app.command(name="list")
def list_defaults(as_json: JsonOption = False, form: FormOption = "table") -> None:
    """Show the newest default of every account that had one."""
    rows = [row | _amounts(row) for row in defaults()]
    write(LISTED, rows, "json" if as_json else form, "nobody is or was in default")


@app.command()
def show(account: AccountArgument, as_json: JsonOption = False, form: FormOption = "table") -> None:
    """Show one default: who bears what, less what came back."""
    require(form)
    rows = defaults(account)
    if not rows:
        raise SetupError(f"{account} is not and was not in default; see `truetape default list`")
    row = rows[0]
    if as_json or form == "json":
        print(json.dumps(row))
        return
    steps = [step | {"amount": from_e8(step["amount_e8"])} for step in row["steps"]]
    steps.append({"layer": "UNCOVERED", "payer_id": "", "amount": from_e8(row["uncovered_e8"])})
    if form == "table":
        print(f"{account} {row['state']} {row['asset']}, loss {from_e8(row['loss_e8'])}; {row['detail']}")
    write(("layer", "payer_id", "amount"), steps, form, "")


def _amounts(row: dict[str, Any]) -> dict[str, str]:
    return {name: from_e8(row[f"{name}_e8"]) for name in ("loss", "uncovered", "recovered")}


def defaults(account: str = "") -> list[dict[str, Any]]:
    """Defaults as the ledger has them, by account."""
    return [
        {"account_id": account_id} | books["default"] for _, account_id, books in states(account) if "default" in books
    ]
