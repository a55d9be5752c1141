"""Pure comparison of our books with what a venue says, from a consistent cut of the venue.

Fills are matched by execution id, then field by field. A balance is explained by the fills that only one side has;
what remains is a difference of the balance itself, so nothing counts twice:
venue's balance - ours = effects of the venue's unbooked fills - effects of our fills unknown to the venue + residual.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from services.reconciler.books import VenueBooks
from services.reconciler.core import Difference
from truetape.messages import BreakClass, OrderFilled, Side
from truetape.venue.reports import VenueBalance, VenueOrder, VenueTrade


class Cut(Struct, frozen=True):
    """What a venue says at one moment: no fill came between the first and the last of these answers."""

    trades: Sequence[VenueTrade]
    """Every fill that was not matched before."""
    balances: Sequence[VenueBalance]
    open_orders: Sequence[VenueOrder]
    assets: Mapping[str, tuple[str, str]]
    """Base and quote of each of the venue's symbols."""


class Outcome(Struct, frozen=True):
    """A comparison: what agreed, and what did not."""

    matched: list[str]
    """Execution ids that agree and are booked."""
    differences: list[Difference]
    orders_compared: int
    balances_compared: int


def compare(books: VenueBooks, cut: Cut) -> Outcome:
    """Everything on which the two sides agree or differ. The order of rows does not matter."""
    theirs = {trade.execution_id: trade for trade in cut.trades}
    matched: list[str] = []
    differences: list[Difference] = [
        Difference("DUPLICATE_INTERNAL", key, fill.account_id, 2, 1, _evidence(fill, None))
        for key, fill in books.repeated.items()
    ]
    for key, trade in theirs.items():
        found = list(_fill_differences(books, key, trade))
        differences += found
        if not found:
            matched.append(key)
    differences += [
        Difference("MISSING_AT_VENUE", key, fill.account_id, fill.quantity_e8, 0, _evidence(fill, None))
        for key, fill in books.fills.items()
        if key not in theirs and key not in books.matched
    ]
    differences += _order_differences(books, cut.open_orders)
    compared, residuals = _balances(books, cut, theirs)
    return Outcome(matched, differences + residuals, len(cut.open_orders) + len(books.open_orders), compared)


def _fill_differences(books: VenueBooks, key: str, trade: VenueTrade) -> Iterator[Difference]:
    ours = books.fills.get(key)
    if ours is None:
        if key not in books.matched:
            yield Difference("MISSING_INTERNALLY", key, "", 0, trade.quantity_e8, _evidence(None, trade))
        return
    evidence = _evidence(ours, trade)

    def differs(break_class: BreakClass, ours_e8: int, theirs_e8: int) -> Difference:
        return Difference(break_class, key, ours.account_id if ours else "", ours_e8, theirs_e8, evidence)

    if ours.quantity_e8 != trade.quantity_e8:
        yield differs("QUANTITY", ours.quantity_e8, trade.quantity_e8)
    if ours.price_e8 != trade.price_e8:
        yield differs("PRICE", ours.price_e8, trade.price_e8)
    if ours.side != trade.side:
        yield differs("SIDE", *(1 if side == "BUY" else -1 for side in (ours.side, trade.side)))
    if ours.fee_asset != trade.fee_asset:
        yield differs("FEE_ASSET", ours.fee_e8, trade.fee_e8)
    elif ours.fee_e8 != trade.fee_e8:
        yield differs("FEE_AMOUNT", ours.fee_e8, trade.fee_e8)
    if key not in books.booked:
        yield differs("UNBOOKED_FILL", ours.quantity_e8, 0)


def _order_differences(books: VenueBooks, open_orders: Iterable[VenueOrder]) -> Iterator[Difference]:
    theirs = {order.client_order_id: order for order in open_orders}
    for name, terms in books.open_orders.items():
        if name not in theirs:
            yield Difference("ORDER_STATE", name, terms.account_id, terms.quantity_e8, 0, _evidence(terms, None))
    for name, order in theirs.items():
        if name not in books.open_orders:
            leaves_e8 = order.quantity_e8 - order.cumulative_quantity_e8
            yield Difference("ORPHAN_AT_VENUE", name, "", 0, leaves_e8, _evidence(None, order))


def _balances(books: VenueBooks, cut: Cut, theirs: Mapping[str, VenueTrade]) -> tuple[int, list[Difference]]:
    held = {balance.asset: balance.free_e8 + balance.locked_e8 for balance in cut.balances}
    explained = explain(books, theirs, cut.assets)
    assets = sorted(held.keys() | books.mirror_e8.keys() | explained.keys())
    found = []
    for asset in assets:
        ours_e8, theirs_e8 = -books.mirror_e8.get(asset, 0), held.get(asset, 0)
        if theirs_e8 - ours_e8 != explained.get(asset, 0):
            evidence = {
                "asset": asset, "ours_e8": ours_e8, "theirs_e8": theirs_e8,
                "explained_by_fills_e8": explained.get(asset, 0),
            }  # fmt: skip
            found.append(Difference("BALANCE", asset, "", ours_e8, theirs_e8, json.dumps(evidence, sort_keys=True)))
    return len(assets), found


def explain(
    books: VenueBooks, theirs: Mapping[str, VenueTrade], assets: Mapping[str, tuple[str, str]]
) -> dict[str, int]:
    """By how much the venue's balances must differ from ours, given the fills that only one side has counted."""
    total: dict[str, int] = defaultdict(int)
    for key, trade in theirs.items():
        if key not in books.booked and key not in books.matched:
            for asset, amount_e8 in effects(trade, assets[trade.symbol]):
                total[asset] += amount_e8
    for key, fill in books.fills.items():
        if key in books.booked and key not in theirs:
            for asset, amount_e8 in effects(fill, (fill.base, fill.quote)):
                total[asset] -= amount_e8
    return {asset: amount_e8 for asset, amount_e8 in total.items() if amount_e8}


def effects(fill: VenueTrade | OrderFilled, assets: tuple[str, str]) -> Iterator[tuple[str, int]]:
    """What a fill does to the account at the venue."""
    side: Side = fill.side
    sign = 1 if side == "BUY" else -1
    yield assets[0], sign * fill.quantity_e8
    yield assets[1], -sign * fill.quote_amount_e8
    yield fill.fee_asset, -fill.fee_e8


def _evidence(ours: Struct | None, theirs: Struct | None) -> str:
    rows = {"ours": msgspec.to_builtins(ours), "theirs": msgspec.to_builtins(theirs)}
    return json.dumps(rows, sort_keys=True, separators=(",", ":"))
