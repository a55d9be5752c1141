"""`truetape order`: where one order stands, its fills, what it cost, and why: cause by cause. From Kafka alone."""

import json
from collections.abc import Iterable
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from truetape import api, orderhistory
from truetape.orderhistory import OrderHistory
from truetape.reports import reading


def command(
    order: Annotated[str, typer.Argument(help="The order's id; with --account also client: and its client order id")],
    account: Annotated[str, typer.Option(help="Its account: only that partition is read [all are searched]")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object")] = False,
) -> None:
    """Show where one order stands, its fills, what it cost, and every record of it, causes before effects."""
    if order.startswith(orderhistory.CLIENT_ID) and not account:
        raise typer.BadParameter("a client order id is unique within its account only: say which by --account")
    with reading("json" if as_json else "table", "order") as (log, seconds):
        found = orderhistory.find(log, seconds, order, account)
    if as_json:
        print(json.dumps(msgspec.to_builtins(found)))
    else:
        show(found, Console(highlight=False, soft_wrap=True))


def show(found: OrderHistory, console: Console) -> None:
    """For a person: the order in a sentence, then tables."""
    order = found.order
    at = "at the market" if order.price is None else f"at {order.price}"
    console.print(f"order {order.order_id} of {order.account_id} (client order id {order.client_order_id})")
    console.print(f"{order.side} {order.quantity} {order.instrument_id} {at}, {order.order_type} {order.time_in_force}")
    average = "" if order.average_price is None else f" at {order.average_price} on average"
    console.print(f"{order.status}: filled {order.filled}{average}; {_why(order)}last change {order.updated_at}")
    if found.fills:
        fills = Table("fill", "venue", "quantity", "price", "venue's fee", "liquidity", "at", box=None, pad_edge=False)
        for fill in found.fills:
            fee = f"{fill.fee} {fill.fee_asset}"
            fills.add_row(fill.execution_id, fill.venue, fill.quantity, fill.price, fee, fill.liquidity,
                          fill.transacted_at)  # fmt: skip
        console.print(fills)
    if found.costs:
        costs = Table("booked on the account", "asset", "amount", box=None, pad_edge=False)
        for cost in found.costs:
            costs.add_row(cost.purpose, cost.asset, cost.amount)
        console.print(costs)
    console.print("cause by cause:")
    console.print(causes(found.events))


def _why(order: api.Order) -> str:
    numbers = ", ".join(f"{name} {value}" for name, value in (order.numbers or {}).items())
    saw = f" (risk saw {numbers})" if numbers else ""
    return f"{order.reason}{saw}; " if order.reason else ""


def causes(events: Iterable[api.Event]) -> Table:
    """Records with their places, what each answers and what it says. `truetape demo` shows the same."""
    table = Table("record", "topic@offset", "because of", "says", "at", box=None, pad_edge=False)
    for event in events:
        place = f"{event.topic}/{event.partition}@{event.offset}"
        table.add_row(event.type, place, _because(event), event.says, event.at)
    return table


def _because(event: api.Event) -> str:
    if event.cause is None:
        return "the client"
    cause = event.cause
    return f"{cause.source}/{cause.partition}@{cause.offset if cause.offset is not None else cause.id}"
