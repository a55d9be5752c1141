"""`truetape accounts`: client accounts, what is set for them, and their funds, with access to Kafka alone."""

import json
from typing import Annotated, Any

import typer
from msgspec import to_builtins
from rich.console import Console
from rich.table import Table

from truetape import ids
from truetape import messages as m
from truetape.commands.parked import states
from truetape.errors import SetupError
from truetape.halts import Halt, halts
from truetape.messages import TradingState
from truetape.money import from_e8, to_e8
from truetape.operator import BY, operator
from truetape.reference import EVERYBODY, Reference
from truetape.settings import settings

app = typer.Typer(help="Client accounts.", no_args_is_help=True)

AccountArgument = Annotated[str, typer.Argument(help="The account; * is everybody")]


@app.command(name="open")
def open_account(
    account: Annotated[str, typer.Argument(help="Its id: letters, digits, _ and -")],
    name: Annotated[str, typer.Option(help="Its name [its id]")] = "",
    if_absent: Annotated[bool, typer.Option("--if-absent", help="Do nothing when it is open already")] = False,
) -> None:
    """Open a client account."""
    with operator(settings().kafka) as hand:
        if if_absent and account in hand.reference.accounts:
            print(f"{account} is open already")
            return
        hand.ask(m.OpenAccount(ids.random_id(), BY, account, name or account))
    print(f"{account} is open")


@app.command(name="list")
def list_accounts(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array")] = False,
    halted: Annotated[bool, typer.Option("--halted", help="Those alone that are halted or reducing")] = False,
) -> None:
    """Show all accounts, and why one takes no orders, or only those that reduce: by the operator, its default, its
    member's default (porting), what is parked of it, its liquidation."""
    with operator(settings().kafka) as hand:
        known = hand.reference
    of_risk = {account: to_builtins(found) for _, account, found in states(name="risk")}
    found = {account: halts(known, account, of_risk.get(account, {})) for account in sorted(known.accounts)}
    shown = [account for account, reasons in found.items() if reasons or not halted]
    if as_json:
        print(json.dumps([_row(known, account, found[account]) for account in shown]))
        return
    table = Table("account", "name", "state", "notional limit", "maker", "taker", "halted by", box=None, pad_edge=False)
    for account in shown:
        limit, fees = from_e8(known.limits_of(account).max_order_notional_e8), known.fees_of(account)
        table.add_row(
            account, known.accounts[account], known.trading_state_of(account), limit, from_e8(fees.maker_rate_e8),
            from_e8(fees.taker_rate_e8), "; ".join(f"{one.kind} {one.because}" for one in found[account]),
        )  # fmt: skip
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    for one in dict.fromkeys(one for account in shown for one in found[account]):
        console.print(f"{one.kind} {one.because} ({one.state}): {one.next}")


def _row(known: Reference, account: str, found: list[Halt]) -> dict[str, Any]:
    state = known.trading_state_of(account)
    return {
        "account_id": account, "name": known.accounts[account], "state": state, "halts": to_builtins(found),
    }  # fmt: skip


@app.command()
def limits(
    account: AccountArgument,
    max_order_notional: Annotated[str | None, typer.Option(help="Largest notional of an order")] = None,
    max_open_orders: Annotated[int | None, typer.Option(min=0, help="Most orders open at once")] = None,
    max_messages_per_second: Annotated[int | None, typer.Option(min=0, help="Most commands a second")] = None,
    collar_rate: Annotated[str | None, typer.Option(help="Furthest from the mark, for example 0.05")] = None,
    mark_max_age_ms: Annotated[int | None, typer.Option(min=1, help="Oldest mark to decide by")] = None,
) -> None:
    """Set limits; what is not named stays as it is."""
    with operator(settings().kafka) as hand:
        old = hand.reference.limits_of(account)
        new = m.Limits(
            old.max_order_notional_e8 if max_order_notional is None else to_e8(max_order_notional),
            old.max_open_orders if max_open_orders is None else max_open_orders,
            old.max_messages_per_second if max_messages_per_second is None else max_messages_per_second,
            old.collar_rate_e8 if collar_rate is None else to_e8(collar_rate),
            old.mark_max_age_us if mark_max_age_ms is None else mark_max_age_ms * 1000,
        )
        hand.ask(m.SetLimits(ids.random_id(), BY, account, new))
    print(f"limits of {account} are set")


@app.command()
def fees(
    account: AccountArgument,
    maker: Annotated[str, typer.Option(help="Rate, for example 0.0002; negative is a rebate")],
    taker: Annotated[str, typer.Option(help="Rate, for example 0.0005")],
    tier: Annotated[
        list[str] | None, typer.Option(help="ASSET:VOLUME:MAKER:TAKER, rates from a volume of 30 days; repeat it")
    ] = None,
) -> None:
    """Set what the house charges on a fill."""
    tiers = tuple(map(_tier, tier or ()))
    with operator(settings().kafka) as hand:
        hand.ask(m.SetFees(ids.random_id(), BY, account, m.Fees(to_e8(maker), to_e8(taker), tiers)))
    print(f"fees of {account} are set")


def _tier(text: str) -> m.FeeTier:
    parts = text.split(":")
    if len(parts) != 4:
        raise SetupError(f"{text!r} is no tier; write ASSET:VOLUME:MAKER:TAKER, such as USDT:1000000:0.0001:0.0003")
    asset, volume, maker, taker = parts
    return m.FeeTier(asset, to_e8(volume), to_e8(maker), to_e8(taker))


@app.command()
def terms(
    account: AccountArgument,
    positions: Annotated[str, typer.Option(help="NETTING, or HEDGING: long and short side by side")] = "NETTING",
    costs: Annotated[str, typer.Option(help="AVERAGE, or FIFO: the oldest lot is closed first")] = "AVERAGE",
) -> None:
    """Set how an account's positions in contracts are cut; what is open keeps its cut until it is closed."""
    with operator(settings().kafka) as hand:
        hand.ask(m.SetAccountTerms(ids.random_id(), BY, account, m.AccountTerms(positions.upper(), costs.upper())))
    print(f"terms of {account} are set")


@app.command()
def state(
    account: AccountArgument,
    new: Annotated[str, typer.Argument(metavar="STATE", help="ACTIVE, REDUCING or HALTED")],
    reason: Annotated[str, typer.Option(help="Why; it stands on the tape")],
) -> None:
    """Move the kill switch. Cancels pass in every state."""
    states: dict[str, TradingState] = {"ACTIVE": "ACTIVE", "REDUCING": "REDUCING", "HALTED": "HALTED"}
    if new.upper() not in states:
        raise SetupError(f"{new!r} is no trading state; choose ACTIVE, REDUCING or HALTED")
    with operator(settings().kafka) as hand:
        hand.ask(m.SetTradingState(ids.random_id(), BY, account, states[new.upper()], reason))
    print(f"{'everybody' if account == EVERYBODY else account} is {new.upper()}")
