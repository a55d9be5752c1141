"""`truetape calls`: margin calls: list, acknowledge, dispute, judge, set the terms. With access to Kafka alone."""

from typing import Annotated, Any, Final

import typer
from msgspec import to_builtins

from truetape import ids
from truetape import messages as m
from truetape.commands.parked import ByOption, named, states
from truetape.journal import newest
from truetape.money import from_e8, to_e8
from truetape.operator import BY, operator
from truetape.reports import FormOption, JsonOption, reading, write
from truetape.settings import settings
from truetape.transitions import HOUSE

app = typer.Typer(help="Margin calls.", no_args_is_help=True)
AccountArgument = Annotated[str, typer.Argument(help="The account that is called")]
CallArgument = Annotated[str, typer.Argument(help="The call, as the list names it")]
LISTED: Final = ("account_id", "kind", "state", "asset", "amount", "due_at_us", "id", "detail")
ReasonOption = Annotated[str, typer.Option(help="Why; it stands on the tape")]


@app.command(name="list")
def list_calls(
    account: Annotated[str, typer.Option(help="Only of this account")] = "", as_json: JsonOption = False,
    form: FormOption = "table",
    every: Annotated[bool, typer.Option("--all", help="Calls and liquidations, those that are over too")] = False,
) -> None:  # fmt: skip
    """Show what is open: calls, running liquidations, what was handed over to auction and default, doubtful marks."""
    rows = every_one(account, form) if every else open_ones(account)
    nothing = "nobody is called, nothing is liquidated, no mark is in doubt"
    write(LISTED, [row | told(row) for row in rows], "json" if as_json else form, nothing)


def open_ones(account: str) -> list[dict[str, Any]]:
    """Calls, liquidations, handed over and doubts that are open; `kind` says which."""
    return [
        {"account_id": account_id, "kind": kind} | (one if isinstance(one, dict) else {"detail": one})
        for _, account_id, books in states(account)
        for kind in ("calls", "liquidations", "handed_over", "doubts")
        for one in books.get(kind, ())
    ]


def every_one(account: str, form: str) -> list[dict[str, Any]]:
    """The newest record of every call and liquidation. Raises SetupError for an unknown form."""
    kinds: dict[type, str] = {
        m.MarginCallChanged: "call_id", m.LiquidationChanged: "liquidation_id", m.LiquidationEnded: "liquidation_id",
    }  # fmt: skip
    with reading(form, "calls") as (log, seconds):
        found = newest(log, seconds, account, kinds)
    return [
        {"kind": "calls" if isinstance(one, m.MarginCallChanged) else "liquidations"} | to_builtins(one)
        for one in found
    ]


def told(row: dict[str, Any]) -> dict[str, str]:
    """What all kinds of rows have: how it stands, how much is open, and its id."""
    open_e8 = row["amount_e8"] - row["paid_e8"] if row["kind"] == "calls" else row.get("shortfall_e8", 0)
    return {
        "state": row.get("state", row.get("outcome", "")), "amount": from_e8(open_e8) if open_e8 else "",
        "id": row.get("call_id", row.get("liquidation_id", "")),
    }  # fmt: skip


@app.command()
def acknowledge(account: AccountArgument, call: CallArgument, by_name: ByOption = "") -> None:
    """Say for a member that the call has been seen."""
    _act(account, call, "acknowledge", "member", "", by_name)


@app.command()
def dispute(account: AccountArgument, call: CallArgument, reason: ReasonOption, by_name: ByOption = "") -> None:
    """Say for a member that the amount is wrong. The deadline stays."""
    _act(account, call, "dispute", "member", reason, by_name)


@app.command()
def reject(account: AccountArgument, call: CallArgument, reason: ReasonOption, by_name: ByOption = "") -> None:
    """Reject a dispute: the call was right."""
    _act(account, call, "reject_dispute", HOUSE, reason, by_name)


@app.command()
def uphold(account: AccountArgument, call: CallArgument, reason: ReasonOption, by_name: ByOption = "") -> None:
    """Uphold a dispute: the call is taken back, and nothing is called until its deadline would have passed."""
    _act(account, call, "uphold_dispute", HOUSE, reason, by_name)


@app.command()
def default(account: AccountArgument, call: CallArgument, reason: ReasonOption, by_name: ByOption = "") -> None:
    """Declare the default of a member whose deadline has passed, without waiting for the end of grace."""
    _act(account, call, "declare_default", HOUSE, reason, by_name)


def _act(account: str, call: str, action: str, actor: str, reason: str, by_name: str) -> None:
    command = m.ActOnCall(ids.random_id(), account, call, action, actor, reason, named(by_name))
    with operator(settings().kafka) as hand:
        event = hand.act(command)
    print(f"call {event.call_id} is {event.state}: {from_e8(event.amount_e8 - event.paid_e8)} {event.asset} open")


@app.command()
def terms(
    account: Annotated[str, typer.Argument(help="The account; * is everybody")],
    notice_seconds: Annotated[int | None, typer.Option(min=1, help="From call to deadline")] = None,
    grace_seconds: Annotated[int | None, typer.Option(min=0, help="From deadline to default")] = None,
    level_rate: Annotated[str | None, typer.Option(help="0.5: called half-way between the needs")] = None,
    least: Annotated[str | None, typer.Option(help="Smallest amount that is called for")] = None,
) -> None:
    """Set how an account is called; what is not named stays as it is."""
    with operator(settings().kafka) as hand:
        old = hand.reference.call_terms_of(account)
        new = m.CallTerms(
            old.notice_us if notice_seconds is None else notice_seconds * 1_000_000,
            old.grace_us if grace_seconds is None else grace_seconds * 1_000_000,
            old.level_rate_e8 if level_rate is None else to_e8(level_rate),
            old.least_e8 if least is None else to_e8(least),
        )
        hand.ask(m.SetCallTerms(ids.random_id(), BY, account, new))
    print(f"call terms of {account} are set")
