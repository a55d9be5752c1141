"""`truetape orders`: trade by the API, with the key in TRUETAPE_KEY. The client order id makes a repetition safe."""

import json
import secrets
from itertools import islice
from typing import Annotated, Final

import typer
from msgspec import to_builtins

from truetape import reports, trader
from truetape.client import Placed, Refused, Unreachable
from truetape.errors import SetupError
from truetape.reports import FormOption

app = typer.Typer(help="Orders by the API, with the key in TRUETAPE_KEY.", no_args_is_help=True)

COLUMNS: Final = (
    "order_id", "client_order_id", "side", "quantity", "instrument_id", "price", "status", "filled", "average_price",
    "reason", "updated_at",
)  # fmt: skip
OPEN: Final = "PENDING,ACCEPTED,WORKING,PARTIALLY_FILLED,UNKNOWN"


@app.command()
def submit(
    side: Annotated[str, typer.Argument(help="BUY or SELL")],
    quantity: Annotated[str, typer.Argument(help="Of the base, or contracts")],
    instrument: Annotated[str, typer.Argument(help="Instrument id, such as BTC-USDT")],
    price: Annotated[str | None, typer.Argument(help="Limit price; without it a market order")] = None,
    time_in_force: Annotated[
        str | None, typer.Option("--tif", "--time-in-force", help="GTC, IOC or FOK [GTC; a market order IOC]")
    ] = None,
    post_only: Annotated[bool, typer.Option("--post-only", help="Refused rather than take")] = False,
    effect: Annotated[str | None, typer.Option(help="OPEN or CLOSE, where long and short are kept apart")] = None,
    client_order_id: Annotated[str, typer.Option("--id", help="Your id: the same one is the same order [random]")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object")] = False,
) -> None:
    """Submit an order, and show risk's decision. Exit status 1 when it is refused, or nobody knows."""
    name = client_order_id or secrets.token_hex(16)
    with trader.trader() as client:
        try:
            decided = client.submit(
                instrument, side.upper(), quantity, price=price, time_in_force=time_in_force, post_only=post_only,
                client_order_id=name, position_effect=effect,
            )  # fmt: skip
        except Unreachable as lost:
            raise Unreachable(f"{lost}. Whether it was taken is not known: {_again(name)}") from lost
        except Refused as refused:
            if refused.repeated:
                again = f"{refused.detail}; so it was decided before, and stays under --id {name}"
                raise Refused(refused.problem | {"detail": again}, refused.repeated) from refused
            if refused.code != "outcome_unknown":
                raise
            raise Unreachable(f"{refused}: {_again(name)}") from refused
    print(json.dumps(to_builtins(decided)) if as_json else _told(decided))


@app.command()
def cancel(
    order: Annotated[str | None, typer.Argument(help="Its id, or client: and its client order id")] = None,
    every: Annotated[bool, typer.Option("--all", help="All open orders")] = False,
    instrument: Annotated[str | None, typer.Option(help="With --all: of this instrument alone")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array of order ids")] = False,
) -> None:
    """Request the cancel of an order, or of all. Whether it came in time is the venue's word: `orders list` has it."""
    if (order is None) != every or (instrument is not None and not every):
        raise SetupError("say which: an order's id, or --all, perhaps with --instrument")
    with trader.trader() as client:
        asked = client.cancel(order) if order is not None else client.cancel_all(instrument)
    if as_json:
        print(json.dumps(asked))
    else:
        print("\n".join(f"cancel of {one} is requested" for one in asked) or "no order is open")


@app.command(name="list")
def list_orders(
    is_open: Annotated[bool, typer.Option("--open", help="Those alone that have not ended")] = False,
    instrument: Annotated[str | None, typer.Option(help="Of this instrument alone")] = None,
    last: Annotated[int, typer.Option(min=1, help="How many of the newest")] = 20,
    form: FormOption = "table",
) -> None:
    """Show the account's orders, newest first."""
    reports.require(form)
    with trader.trader() as client:
        found = list(islice(client.orders(instrument, OPEN if is_open else None), last))
    trader.write(COLUMNS, found, form, "no order")


def _told(decided: Placed) -> str:
    at = "at the market" if decided.price is None else f"at {decided.price}"
    what = f"{decided.side} {decided.quantity} {decided.instrument_id} {at}, {decided.time_in_force}"
    told = f"{decided.status} {what}\norder {decided.order_id}, client order id {decided.client_order_id}"
    if decided.status != "ACCEPTED":
        return f"{told}\nrisk has not decided yet: {_again(decided.client_order_id)}"
    if decided.repeated:
        return f"{told}\nit was submitted before: this is the same order, and its first decision"
    return told


def _again(name: str) -> str:
    return f"the same command with --id {name} tells, and can never make a second order"
