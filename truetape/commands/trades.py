"""`truetape trades`: trades of two accounts, bilateral or cleared, give-ups and legs. `tell` and `end` send a key of
the account; all else is with access to Kafka alone."""

import getpass
import json
from typing import Annotated, Any, Final

import typer
from msgspec import to_builtins

from truetape import clock, ids, reports, trader
from truetape import messages as m
from truetape.api_trades import BilateralTrade
from truetape.commands.margin import newest_marks
from truetape.commands.parked import states
from truetape.errors import SetupError
from truetape.margin import bilateral
from truetape.margin.published import Published
from truetape.money import from_e8, to_e8
from truetape.operator import Operator, OtcCommand, Refused, operator
from truetape.reports import FormOption as Form
from truetape.reports import write
from truetape.settings import settings
from truetape.shown import disagreement, moment

app = typer.Typer(help="Trades of two, give-ups, allocations, legs, netting, bilateral margin.")

Account = Annotated[str, typer.Argument(help="Account for which it is done: it has the leg, or the trade")]
LegId = Annotated[str, typer.Argument(help="Leg id, as `truetape trades legs` lists it")]
Reference = Annotated[str, typer.Option(help="The move as all sides know it")]
By = Annotated[str, typer.Option(help="Your name; it stands on the tape [your login]")]
Only = Annotated[str, typer.Option(help="Only of this account")]
OPEN: Final = ("account_id", "trade_id", "kind", "state", "first_id", "waits_for", "stage", "differs", "expires_at_us")
LEGS: Final = ("account_id", "leg_id", "trade_id", "state", "instrument_id", "quantity", "price", "cost", "from_id")


@app.callback(invoke_without_command=True)
@app.command(name="list")
def command(
    context: typer.Context,
    account: Annotated[str, typer.Option(help="Only those that this account is in")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array")] = False,
    form: Form = "table",
) -> None:
    """Trades of two, give-ups and allocations that are open: state, home, and whom each waits for; and trades that stay
    between their parties (state BILATERAL)."""
    if context.invoked_subcommand is None:
        rows = [row for _, account_id, books in states() for row in open_rows(account_id, books)]
        rows = [row for row in rows if account in ("", *row["parties"])]
        write(OPEN, rows, "json" if as_json else form, "no trade is open, and no leg is waited for")


@app.command()
def legs(account: Only = "", form: Form = "table") -> None:
    """Legs that are asked for, offered or reserved, and those that are open."""
    rows = [row for _, account_id, books in states(account) for row in leg_rows(account_id, books)]
    write(LEGS, rows, form, "no leg is open or asked for")


def open_rows(account_id: str, books: dict[str, Any]) -> list[dict[str, Any]]:
    """What is open at one home."""
    found = [
        {"account_id": account_id} | trade | {"differs": list(map(differing, trade["differences"]))}
        for trade in books.get("trades", ())
    ]
    return found + [bilateral_row(account_id, one) for one in books.get("bilateral", ())]


def differing(one: dict[str, str]) -> str:
    """A field that the sides see differently, with both values: what the side says that told first, and the other."""
    said = disagreement(**one)
    return f"{said.field}={said.first}/{said.other}"


def bilateral_row(account_id: str, one: dict[str, Any]) -> dict[str, Any]:
    """A trade that stays between its parties."""
    parties = sorted((one["buyer_id"], one["seller_id"]))
    waits = [name for name in parties if one["leaving"] and name != one["leaving"]]
    return one | {
        "account_id": account_id, "state": "TERMINATING" if one["leaving"] else "BILATERAL", "first_id": parties[0],
        "parties": parties, "waits_for": waits, "stage": one["held_by"], "differs": [],
    }  # fmt: skip


def leg_rows(account_id: str, books: dict[str, Any]) -> list[dict[str, Any]]:
    """Legs of one account."""
    asked = [
        {"account_id": account_id, "leg_id": leg_id, "quantity": _signed(leg), "price": from_e8(leg["price_e8"])} | leg
        for leg_id, leg in books.get("asked", {}).items()
    ]
    opened = [
        {
            "account_id": account_id, "state": "OPEN", "quantity": from_e8(leg["quantity_e8"]),
            "price": from_e8(leg["price_e8"]), "cost": from_e8(leg["cost_e8"]),
        } | leg
        for leg in map(to_builtins, books.get("legs", {}).values())
    ]  # fmt: skip
    return asked + opened


def _signed(leg: dict[str, Any]) -> str:
    return from_e8(leg["quantity_e8"] if leg["side"] == "BUY" else -leg["quantity_e8"])


@app.command()
def tell(
    side: Annotated[str, typer.Argument(help="BUY or SELL, of the key's account")],
    quantity: Annotated[str, typer.Argument(help="Contracts")],
    contract: Annotated[str, typer.Argument(help="Instrument id")],
    price: Annotated[str, typer.Argument(help="Decimal")],
    other: Annotated[str, typer.Option("--with", help="The other account")],
    reference: Annotated[str, typer.Option(help="The trade as both know it (UTI)")],
    traded_on: Annotated[str, typer.Option(help="Day of the trade [today, UTC]")] = "",
    bilateral_too: Annotated[bool, typer.Option("--bilateral", help="The house is not to stand between")] = False,
) -> None:
    """Tell what the account of the key in TRUETAPE_KEY has traded with another one; telling it again corrects it. Exit
    status 1 where the sides differ."""
    day = traded_on or moment(clock.now_us())[:10]
    with trader.trader() as client:
        told = client.tell_trade(
            reference, other, side.upper(), contract, quantity, price, day, "BILATERAL" if bilateral_too else "HOUSE"
        )
    _standing(told, other)
    raise typer.Exit(1 if told.differences else 0)


@app.command()
def end(
    reference: Annotated[str, typer.Argument(help="The trade as both know it (UTI)")],
    action: Annotated[str, typer.Argument(help="WITHDRAW what the key's account told, REJECT what the other one did")],
    other: Annotated[str, typer.Option("--with", help="The other account")],
    reason: Annotated[str, typer.Option(help="Why; it stands on the tape")],
) -> None:
    """Take back what the account of the key in TRUETAPE_KEY told, or say that there is no such trade."""
    with trader.trader() as client:
        _standing(client.end_trade(reference, other, action.upper(), reason), other)


def _standing(told: BilateralTrade, other: str) -> None:
    print(f"{told.state} trade {told.trade_id} with {other}{': ' + told.detail if told.detail else ''}")
    for one in told.differences:
        print(f"  {one.field}: {told.first_id} says {one.first}, the other side {one.other}")
    if told.state == "ALLEGED":
        print(f"{other} has to tell the same under {told.reference} before {told.expires_at}")


@app.command()
def give_up(account: Account, leg: LegId, to: Annotated[str, typer.Argument(help="Account that takes it up")],
            reference: Reference = "", by: By = "") -> None:  # fmt: skip
    """Give an open leg up to another account, whole."""
    for _, _, books in states(account):
        if (found := books.get("legs", {}).get(leg)) is not None:
            _move(account, leg, "GIVE_UP", (m.LegShare(to, abs(found.quantity_e8)),), reference, by)
            return
    raise SetupError(f"{account} has no open leg {leg}: `truetape trades legs --account {account}` lists them")


@app.command()
def allocate(account: Account, leg: LegId,
             share: Annotated[list[str], typer.Argument(help="ACCOUNT=QUANTITY, several; together the whole leg")],
             reference: Reference = "", by: By = "") -> None:  # fmt: skip
    """Allocate an open leg among accounts, at the same average price."""
    _move(account, leg, "ALLOCATION", tuple(map(share_of, share)), reference, by)


def share_of(text: str) -> m.LegShare:
    """ACCOUNT=QUANTITY. Raises SetupError."""
    account_id, equals, quantity = text.partition("=")
    if not equals or not account_id:
        raise SetupError(f"{text!r} is no share such as acme=3")
    return m.LegShare(account_id, to_e8(quantity))


def _move(account: str, leg: str, kind: str, shares: tuple[m.LegShare, ...], reference: str, by: str) -> None:
    asked = m.MoveLeg(ids.random_id(), account, leg, kind, shares, reference or ids.random_id(), _by(by))
    with operator(settings().kafka) as hand:
        event = hand.decide(asked)
    print(f"{event.move_id} {event.state}: waits for {', '.join(sorted({one.account_id for one in event.legs}))}")


@app.command()
def accept(account: Account, leg: LegId, by: By = "") -> None:
    """Accept a leg that an account is offered."""
    _print(m.AnswerLeg(ids.random_id(), account, leg, True, "", _by(by)))


@app.command()
def decline(account: Account, leg: LegId, reason: Annotated[str, typer.Option(help="Why")], by: By = "") -> None:
    """Decline a leg that an account is offered."""
    _print(m.AnswerLeg(ids.random_id(), account, leg, False, reason, _by(by)))


@app.command()
def withdraw(account: Account, move: Annotated[str, typer.Argument(help="Give-up or allocation")],
             reason: Annotated[str, typer.Option(help="Why")], by: By = "") -> None:  # fmt: skip
    """Take a give-up or allocation back before it is decided."""
    _print(m.EndMove(ids.random_id(), account, move, reason, _by(by)))


@app.command()
def terminate(account: Account, trade: Annotated[str, typer.Argument(help="As `truetape trades` lists it")],
              reason: Annotated[str, typer.Option(help="Why")], by: By = "") -> None:  # fmt: skip
    """End a bilateral trade for one of its parties; it ends when the other one says so too."""
    for _, home_id, books in states(""):
        if any(one["trade_id"] == trade for one in books.get("bilateral", ())):
            _print(m.EndBilateral(ids.random_id(), home_id, account, trade, reason, _by(by)))
            return
    raise SetupError(f"no bilateral trade {trade} is open: `truetape trades` lists them")


@app.command()
def agree(account: Account, giver: Annotated[str, typer.Argument(help="Account that gives")],
          off: Annotated[bool, typer.Option("--off", help="No more")] = False, by: By = "") -> None:  # fmt: skip
    """Let an account take whatever another one gives up or allocates, without being asked."""
    _print(m.AgreeMoves(ids.random_id(), account, giver, not off, _by(by)))


@app.command()
def compress(account: Account, contract: Annotated[str, typer.Argument(help="Instrument id")], by: By = "") -> None:
    """Make one leg of an account's open legs in a contract, and show the proof."""
    with operator(settings().kafka) as hand:
        event = hand.decide(m.CompressLegs(ids.random_id(), account, contract, _by(by)))
    print(
        f"{len(event.ended)} legs became {len(event.left)}: gross {from_e8(event.gross_before_e8)} -> "
        f"{from_e8(event.gross_after_e8)}, net {from_e8(event.net_quantity_e8)} contracts at cost "
        f"{from_e8(event.net_cost_e8)} before and after, of which {from_e8(event.ended_cost_e8)} is profit or loss"
    )


@app.command()
def margin(account: Only = "",
           currency: Annotated[str, typer.Option(help="Calculation currency [the class's, or the trades' quote]")] = "",
           form: Form = "table") -> None:  # fmt: skip
    """Show what pairs of accounts would secure their bilateral trades with, by SIMM and by the schedule.

    For information: the house asks for no margin of trades that it does not clear.
    """
    with reports.reading(form, "margin") as (log, seconds):
        reference, marks = Operator(log).reference, newest_marks(log, seconds)
    kept = [bilateral_trade(one) for _, _, books in states() for one in books.get("bilateral", ())]
    mine = [one for one in kept if account in ("", one.buyer_id, one.seller_id)]
    seen, methods = Published(marks, reference, clock.now_us()), bilateral.methods_of(reference, mine, currency)
    found = bilateral.report(mine, seen, methods)
    if form == "json":
        print(json.dumps(bilateral.plain(found, seen, methods)))
    else:
        write(bilateral.COLUMNS, list(bilateral.rows(found)), form, "no bilateral trade is open")


def bilateral_trade(one: dict[str, Any]) -> m.BilateralTrade:
    """A trade as the ledger's books show it (services/clearing/otc/uncleared.py: shown)."""
    low = min(one["buyer_id"], one["seller_id"])
    numbers = {name: one[name] for name in ("quantity_e8", "price_e8", "cost_e8")}
    names = {name: one[name] for name in ("trade_id", "buyer_id", "seller_id", "instrument_id", "reference")}
    return m.BilateralTrade(home_id=low, origin=one["kind"], **names, **numbers)


@app.command()
def net(day: Annotated[str, typer.Argument(help="A value date on which nothing more can fall, such as 2026-11-26")],
        account: Only = "", form: Form = "table", by: By = "") -> None:  # fmt: skip
    """Net what accounts and the house owe each other on a value date: one instruction per account and asset.

    Once more for the same date, it nets what has come late for it.
    """
    rows: list[dict[str, Any]] = []
    with operator(settings().kafka) as hand:
        for name in [account] if account else sorted(hand.reference.accounts):
            try:
                event = hand.decide(m.NetPayments(ids.random_id(), name, day, _by(by)))
            except Refused as error:
                if account or not str(error).startswith("COMMAND_REPEATED"):
                    raise
                continue  # It was netted before, by somebody or by the clock: statements show it.
            rows += [_instruction(event, one) for one in event.instructions]
    write(
        ("account_id", "asset", "amount", "received", "paid", "run", "instruction_id"), rows, form, "nothing was owed"
    )


def _instruction(event: m.PaymentsNetted, one: m.Instruction) -> dict[str, Any]:
    amounts = {"amount": one.amount_e8, "received": one.received_e8, "paid": one.paid_e8}
    said = {name: from_e8(amount_e8) for name, amount_e8 in amounts.items()}
    names = {"account_id": event.account_id, "asset": one.asset, "instruction_id": one.instruction_id}
    return names | said | {"run": one.run}


def _print(asked: OtcCommand) -> None:
    with operator(settings().kafka) as hand:
        event = hand.decide(asked)
    print(f"{type(event).__name__} {getattr(event, 'state', '')}".strip())


def _by(name: str) -> str:
    return name or getpass.getuser()
