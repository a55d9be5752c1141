"""Pure comparison of our books with what a venue says.

Fills are matched by execution id, then field by field, and with what clearing booked for them. A balance is explained
by what moved it: every fill that the venue lists, and every entry of ours that is no fill. What remains is a difference
of the balance itself, so nothing counts twice. Per asset, whatever each side has:

    ours - venue's = sum over fills (what we booked - what the venue lists) - remainder
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from services.reconciler.books import Amounts, VenueBooks, add
from services.reconciler.core import Difference
from truetape.messages import BreakClass, Instrument, OrderFilled
from truetape.venue.reports import VenueBalance, VenueOrder, VenueTrade


class Cut(Struct, frozen=True):
    """What a venue says at one moment; `since` tells how sharp the moment is."""

    trades: Sequence[VenueTrade]
    """Every fill that was not settled before."""
    traded_e8: Mapping[str, int]
    """What all fills that the venue ever listed did to its account, by asset; without those of `since`."""
    balances: Sequence[VenueBalance]
    open_orders: Sequence[VenueOrder]
    assets: Mapping[str, tuple[str, str]]
    """What trades in each of the venue's symbols move: see `moved_by`."""
    since: Sequence[VenueTrade] = ()
    """Fills that came while the balances were asked for, oldest first: some may be in the balances, in this order."""


class Outcome(Struct, frozen=True):
    """A comparison: what agreed, what did not, and what could not be told."""

    matched: list[str]
    """Execution ids that agree and are booked."""
    differences: list[Difference]
    unsettled: list[str]
    """Assets whose balance moved while it was compared, and can be neither equal nor different."""
    orders_compared: int
    balances_compared: int


def compare(books: VenueBooks, cut: Cut) -> Outcome:
    """Everything on which the two sides agree or differ. The order of rows does not matter."""
    theirs = {trade.execution_id: trade for trade in cut.trades}
    matched: list[str] = []
    differences = [
        Difference("DUPLICATE_INTERNAL", key, again.account_id, 2, 1, evidence(again, None))
        for key, again in books.repeated.items()
    ]
    for key, trade in theirs.items():
        found = list(_fill_differences(books, key, trade, cut.assets))
        differences += found
        if not found:
            matched.append(key)
    differences += [
        Difference("MISSING_AT_VENUE", key, fill.account_id, fill.quantity_e8, 0, evidence(fill, None))
        for key, fill in books.fills.items()
        if key not in theirs
    ]
    differences += _order_differences(books, cut.open_orders)
    compared, unsettled, residuals = _balances(books, cut)
    orders = len({order.client_order_id for order in cut.open_orders} | books.open_orders.keys())
    return Outcome(matched, differences + residuals, unsettled, orders, compared)


def _fill_differences(
    books: VenueBooks, key: str, trade: VenueTrade, assets: Mapping[str, tuple[str, str]]
) -> Iterator[Difference]:
    ours = books.fills.get(key)
    if ours is None:
        if key not in books.matched:
            yield Difference("MISSING_INTERNALLY", key, "", 0, trade.quantity_e8, evidence(None, trade))
        return
    fields = list(_fields(ours, trade))
    booked = books.booked.get(key)
    rows = evidence(ours, trade) if booked is None else evidence({"fill": ours, "booked": booked}, trade)
    if booked is None:
        fields.append(("UNBOOKED_FILL", 0, trade.quantity_e8))
    elif not fields:
        fields = list(_amounts(booked, trade, assets[trade.symbol]))
    for break_class, ours_e8, theirs_e8 in fields:
        yield Difference(break_class, key, ours.account_id, ours_e8, theirs_e8, rows)


def _fields(ours: OrderFilled, trade: VenueTrade) -> Iterator[tuple[BreakClass, int, int]]:
    """Fields in which the fill on the tape differs from the venue's row, in order of severity."""
    if ours.side != trade.side:
        yield "SIDE", _sign(ours), _sign(trade)
    if ours.quantity_e8 != trade.quantity_e8:
        yield "QUANTITY", ours.quantity_e8, trade.quantity_e8
    if ours.price_e8 != trade.price_e8:
        yield "PRICE", ours.price_e8, trade.price_e8
    elif ours.quote_amount_e8 != trade.quote_amount_e8 and ours.quantity_e8 == trade.quantity_e8:
        yield "PRICE", ours.quote_amount_e8, trade.quote_amount_e8
    if ours.fee_asset != trade.fee_asset:
        yield "FEE_ASSET", ours.fee_e8, trade.fee_e8
    elif ours.fee_e8 != trade.fee_e8:
        yield "FEE_AMOUNT", ours.fee_e8, trade.fee_e8


def _amounts(booked: Amounts, trade: VenueTrade, assets: tuple[str, str]) -> Iterator[tuple[BreakClass, int, int]]:
    """Assets in which clearing booked something else than the venue's row says."""
    listed = effects(trade, assets)
    kinds: dict[str, BreakClass] = {assets[0]: "QUANTITY", assets[1]: "PRICE"}
    for asset in sorted(booked.keys() | listed.keys()):
        if booked.get(asset, 0) != listed.get(asset, 0):
            yield kinds.get(asset, "FEE_AMOUNT"), booked.get(asset, 0), listed.get(asset, 0)


def _order_differences(books: VenueBooks, open_orders: Iterable[VenueOrder]) -> Iterator[Difference]:
    theirs = {order.client_order_id: order for order in open_orders}
    for name, terms in books.open_orders.items():
        if name not in theirs:
            yield Difference("ORDER_STATE", name, terms.account_id, terms.quantity_e8, 0, evidence(terms, None))
    for name, order in theirs.items():
        if name not in books.open_orders:
            leaves_e8 = order.quantity_e8 - order.cumulative_quantity_e8
            yield Difference("ORPHAN_AT_VENUE", name, "", 0, leaves_e8, evidence(None, order))


# -- balances ----------------------------------------------------------------------------------------------------


def _balances(books: VenueBooks, cut: Cut) -> tuple[int, list[str], list[Difference]]:
    """(assets compared, assets that could not be, differences)."""
    held = {balance.asset: balance.free_e8 + balance.locked_e8 for balance in cut.balances}
    touched = {asset for trade in cut.since for asset in effects(trade, cut.assets[trade.symbol])}
    left = remainders(held, books.moved_e8, cut)
    unsettled = sorted(asset for asset in touched if left.get(asset, 0))
    assets = held.keys() | books.mirror_e8.keys() | left.keys()
    found = [
        _balance(books, asset, held.get(asset, 0), left_e8)
        for asset, left_e8 in left.items()
        if left_e8 and asset not in touched
    ]
    return len(assets) - len(unsettled), unsettled, found


def remainders(held: Mapping[str, int], moved_e8: Mapping[str, int], cut: Cut) -> Amounts:
    """What nothing explains of each balance, at the moment during the cut at which that is least."""
    total: Amounts = {}
    add(total, dict(held))
    add(total, {asset: -amount_e8 for asset, amount_e8 in moved_e8.items()})
    add(total, {asset: -amount_e8 for asset, amount_e8 in cut.traded_e8.items()})
    best = dict(total)
    for trade in cut.since:
        add(total, {asset: -amount_e8 for asset, amount_e8 in effects(trade, cut.assets[trade.symbol]).items()})
        if _open(total) < _open(best):
            best = dict(total)
    return best


def _open(amounts: Amounts) -> int:
    return sum(1 for amount_e8 in amounts.values() if amount_e8)


def _balance(books: VenueBooks, asset: str, theirs_e8: int, left_e8: int) -> Difference:
    ours_e8 = -books.mirror_e8.get(asset, 0)
    rows = {
        "ours": {"asset": asset, "balance_e8": ours_e8, "explained_by_fills_e8": theirs_e8 - ours_e8 - left_e8},
        "theirs": {"asset": asset, "balance_e8": theirs_e8},
        "unexplained_e8": left_e8,
    }
    return Difference("BALANCE", asset, "", ours_e8, theirs_e8, msgspec.json.encode(rows, order="sorted").decode())


def moved_by(instrument: Instrument) -> tuple[str, str]:
    """What a trade moves at the venue: base and quote; of a contract contracts alone, of an option its premium too."""
    if instrument.contract is None:
        return instrument.base, instrument.quote
    return instrument.instrument_id, instrument.contract.settlement_asset if instrument.contract.strike_e8 else ""


def effects(fill: VenueTrade | OrderFilled, assets: tuple[str, str]) -> Amounts:
    """What a fill did to the account at the venue, by asset."""
    sign, found = _sign(fill), dict[str, int]()
    add(found, {assets[0]: sign * fill.quantity_e8})
    add(found, {assets[1]: -sign * fill.quote_amount_e8} if assets[1] else {})
    add(found, {fill.fee_asset: -fill.fee_e8})
    return {asset: amount_e8 for asset, amount_e8 in found.items() if amount_e8}


def _sign(fill: VenueTrade | OrderFilled) -> int:
    return 1 if fill.side == "BUY" else -1


def evidence(ours: Any, theirs: Any) -> str:
    """Both rows as JSON, the same for the same rows."""
    return msgspec.json.encode({"ours": ours, "theirs": theirs}, order="sorted").decode()
