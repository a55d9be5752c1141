"""Collateral of an account in default: what it has posted in other assets pays before anybody else does.

It is sold through risk and router like its positions, one order at a time, down to the collar (closing.py); what no
venue takes the house takes over at its value after haircut, into `house:collateral`, with an entry of its own. Either
way no more goes than what is missing, and only what margins no other contracts of the account.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from services.clearing.booking import contracts, ledger
from services.clearing.closeout import closing
from services.clearing.closeout.closing import LADDER, Books
from services.clearing.margining.watch import Liquidation
from services.clearing.state import State
from truetape.collateral import CollateralTerms, Posted, Sale, cover
from truetape.default.plan import Holding
from truetape.margin.account import AssetMargin
from truetape.messages import CollateralAsset, EntryBooked, Instrument, Line
from truetape.money import ONE_E8, notional, portion
from truetape.service import Input

HOUSE: Final = "house:collateral"
"""What the house has taken over, and in the settlement asset what it has given for it."""
SEIZED: Final = "COLLATERAL_SEIZED"
Margins = Mapping[str, AssetMargin]


class Offer(NamedTuple):
    """An order that sells collateral."""

    holding: Holding
    quantity_e8: int
    attempt: int


def posted(
    balances: Mapping[str, int], asset: str, known: Mapping[str, CollateralAsset], margins: Margins
) -> list[tuple[CollateralAsset, int]]:
    """What an account has that counts for an asset, and how much of it is free; the smallest haircut first."""
    found = []
    for terms in sorted(known.values(), key=lambda one: (one.haircut_e8, one.asset)):
        if terms.counts_for != asset or terms.asset == asset:
            continue
        free_e8 = balances.get(terms.asset, 0)
        if (own := margins.get(terms.asset)) is not None:
            free_e8 = min(free_e8, own.initial_excess_e8)
        if free_e8 > 0:
            found.append((terms, free_e8))
    return found


def short_e8(books: Books, found: AssetMargin | None) -> int:
    """What is missing to zero when nothing but the asset itself counts."""
    cash_e8 = books.balances.get(books.asset, 0)
    return max(0, -(cash_e8 if found is None else found.balance_e8 + found.gains_e8))


def offer(books: Books, one: Liquidation, terms: CollateralAsset, free_e8: int, missing_e8: int) -> Offer | None:
    """The next order for an asset; None when no venue may take it, or four in a row sold nothing, or
    risk has refused it for good."""
    instrument = _spot(books, terms.asset)
    if instrument is None or (mark := books.seen.marks.newest.get(instrument.instrument_id)) is None:
        return None
    again = one.order is not None and one.order.instrument_id == instrument.instrument_id
    attempt = one.attempt if again else 0
    if attempt >= LADDER or (again and closing.refused_for_good(one, books.seen.at_us)) or mark.price_e8 <= 0:
        return None
    limit_e8 = closing.stepped_e8(books.limits, ONE_E8, mark.price_e8, instrument.tick_e8, attempt)
    rate_e8 = closing.taker_rate_e8(books.seen.reference, books.account_id, instrument)
    sale = _least(terms.asset, free_e8, limit_e8, instrument.lot_e8, missing_e8, books.asset, rate_e8)
    lot_e8 = instrument.lot_e8
    most_e8 = min(instrument.max_notional_e8, books.limits.max_order_notional_e8) * ONE_E8 // max(limit_e8, 1)
    largest_e8 = min(free_e8, instrument.max_quantity_e8, most_e8) // lot_e8 * lot_e8
    least_e8 = max(instrument.min_quantity_e8, -(-instrument.min_notional_e8 * ONE_E8 // max(limit_e8, 1)), lot_e8)
    smallest_e8 = -(-least_e8 // lot_e8) * lot_e8
    if largest_e8 < smallest_e8:
        return None
    wanted_e8 = sale.quantity_e8 if sale is not None else largest_e8
    holding = Holding(instrument.instrument_id, free_e8, lot_e8, limit_e8, largest_e8, smallest_e8)
    return Offer(holding, min(max(wanted_e8, smallest_e8), largest_e8), attempt)


def _spot(books: Books, asset: str) -> Instrument | None:
    """Where an asset is traded against the one that is owed; the first by name."""
    for _, one in sorted(books.seen.reference.instruments.items()):
        if one.contract is None and one.tradable and (one.base, one.quote) == (asset, books.asset):
            return one
    return None


def _least(
    asset: str, quantity_e8: int, price_e8: int, lot_e8: int, missing_e8: int, currency: str, rate_e8: int = 0
) -> Sale | None:
    """The least that brings what is missing at a price, or all whole lots; None when that is less than one."""
    if price_e8 <= 0:
        return None
    terms = {asset: CollateralTerms(0, asset, lot_e8=lot_e8)}
    sales, _ = cover(missing_e8, [Posted(asset, quantity_e8, price_e8)], terms, currency, rate_e8)
    return sales[0] if sales else None


def seized(
    given: Input, books: Books, one: Liquidation, terms: CollateralAsset, free_e8: int, missing_e8: int
) -> EntryBooked | None:
    """The house takes an asset over at its value after haircut, as much as is missing; None without a fresh mark."""
    mark = books.seen.marks.newest.get(terms.index)
    if mark is None or mark.price_e8 <= 0 or given.at_us - mark.observed_at_us > terms.mark_max_age_us:
        return None
    worth_e8 = portion(mark.price_e8, ONE_E8 - terms.haircut_e8, "down")
    sale = _least(terms.asset, free_e8, worth_e8, terms.lot_e8, missing_e8, books.asset)
    enough = sale is not None and sale.brings_e8 >= missing_e8
    quantity_e8 = sale.quantity_e8 if sale is not None and enough else free_e8
    paid_e8 = notional(worth_e8, quantity_e8, "down")
    numbers = {
        "quantity_e8": quantity_e8, "price_e8": mark.price_e8, "haircut_e8": terms.haircut_e8, "paid_e8": paid_e8,
    }  # fmt: skip
    names = {
        "liquidation_id": one.liquidation_id, "asset": terms.asset,
        "mark": f"{mark.meta.epoch}/{mark.meta.sequence} at {mark.observed_at_us}",
    }  # fmt: skip
    name = f"{one.liquidation_id}/{one.step}/{terms.asset}/seized/{given.epoch}.{given.sequence}"
    return contracts.money_entry(
        given.meta(one.liquidation_id), name, one.account_id, "COLLATERAL_SEIZED", books.asset, HOUSE,
        tuple(_swap(books, terms.asset, quantity_e8, paid_e8)), "no venue took it: the house does, at its value after "
        "haircut", given.at_us, numbers=numbers, ids=names,
    )  # fmt: skip


def _swap(books: Books, asset: str, quantity_e8: int, paid_e8: int) -> Iterator[Line]:
    client = ledger.client(books.account_id)
    for what, amount_e8 in ((asset, -quantity_e8), (books.asset, paid_e8)):
        if amount_e8:
            yield Line(client, what, amount_e8, "collateral")
            yield Line(HOUSE, what, -amount_e8, "collateral")


def booked(state: State, entry: EntryBooked) -> None:
    """What collateral of an account in default has brought: a part of the first layer."""
    one, known = state.watch.liquidations.get(entry.account_id), state.defaults.get(entry.account_id)
    if one is None or known is None or known.state != "DECLARED" or known.asset != one.asset:
        return
    sold = entry.contract is None and one.order is not None and entry.order_id == one.order.order_id
    if sold or (entry.contract is not None and entry.contract.event == SEIZED):
        client = ledger.client(entry.account_id)
        brought_e8 = sum(
            line.amount_e8 for line in entry.lines if (line.account, line.asset) == (client, known.asset)
        )  # fmt: skip
        state.seized[entry.account_id] = state.seized.get(entry.account_id, 0) + brought_e8
