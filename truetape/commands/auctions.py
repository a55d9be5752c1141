"""`truetape auctions`: auctions of whole accounts: list, start, bid, end. With access to Kafka alone."""

from typing import Annotated, Any, Final

import typer
from msgspec import to_builtins

from truetape import ids
from truetape import messages as m
from truetape.commands.parked import ByOption, named, states
from truetape.journal import newest
from truetape.money import from_e8, to_e8
from truetape.operator import AuctionCommand, operator
from truetape.reports import FormOption, JsonOption, reading, write
from truetape.settings import settings

app = typer.Typer(help="Auctions of whole accounts.", no_args_is_help=True)
AccountArgument = Annotated[str, typer.Argument(help="The account that is sold")]
AuctionArgument = Annotated[str, typer.Argument(help="The auction, as the list names it")]
ReasonOption = Annotated[str, typer.Option(help="Why; it stands on the tape")]
E10: Final = 10**10
LISTED: Final = (
    "account_id", "asset", "kind", "forced", "state", "change", "left", "paid", "fund_pays", "fund_asked", "auction_id",
)  # fmt: skip


@app.command(name="list")
def list_auctions(
    account: Annotated[str, typer.Option(help="Only of this account")] = "", as_json: JsonOption = False,
    form: FormOption = "table", every: Annotated[bool, typer.Option("--all", help="Those that ended too")] = False,
) -> None:  # fmt: skip
    """Show the auctions that go on."""
    rows = _all(account, form) if every else _running(account)
    write(LISTED, [row | _amounts(row) for row in rows], "json" if as_json else form, "nothing is being auctioned")


def _running(account: str) -> list[dict[str, Any]]:
    return [{"account_id": name} | one for _, name, books in states(account) for one in books.get("auctions", ())]


def _all(account: str, form: str) -> list[dict[str, Any]]:
    with reading(form, "auctions") as (log, seconds):
        return [to_builtins(one) for one in newest(log, seconds, account, {m.AuctionChanged: "auction_id"})]


def _amounts(one: dict[str, Any]) -> dict[str, str]:
    amounts = {
        "left": one["left_e18"] // E10, "paid": one["reserved_e8"], "fund_pays": one["insurance_e8"],
        "fund_asked": one.get("insurance_wanted_e8", 0),
    }  # fmt: skip
    return {name: from_e8(amount_e8) for name, amount_e8 in amounts.items()}


@app.command()
def start(
    account: AccountArgument, asset: Annotated[str, typer.Argument(help="Settlement asset of its contracts")],
    reason: ReasonOption, forced: Annotated[bool, typer.Option(help="Sell all of it whatever the margin")] = False,
    insurance: Annotated[str, typer.Option(help="The most that the insurance fund pays to takers")] = "0",
    by_name: ByOption = "",
) -> None:  # fmt: skip
    """Sell all that an account holds in contracts of an asset."""
    _ask(m.StartAuction(ids.random_id(), account, asset, forced, to_e8(insurance), reason, named(by_name)))


@app.command()
def bid(
    account: AccountArgument, auction: AuctionArgument,
    bidder: Annotated[str, typer.Argument(help="The account that takes")],
    wanted: Annotated[str, typer.Option(help="Part of what is still there")] = "1",
    price_max: Annotated[str, typer.Option(help="The most that all of it may cost")] = "", by_name: ByOption = "",
) -> None:  # fmt: skip
    """Take a part for an account, at the price of the moment."""
    most = to_e8(price_max) if price_max else None
    _ask(m.BidAuction(ids.random_id(), account, auction, bidder, to_e8(wanted), named(by_name), most))


@app.command()
def end(account: AccountArgument, auction: AuctionArgument, reason: ReasonOption, by_name: ByOption = "") -> None:
    """Stop an auction; what is not sold stays where it is."""
    _ask(m.EndAuction(ids.random_id(), account, auction, reason, named(by_name)))


def _ask(command: AuctionCommand) -> None:
    with operator(settings().kafka) as hand:
        event = hand.auction(command)
    print(f"{event.auction_id} of {event.account_id}: {event.state}, {event.change} {event.detail}".rstrip())
