"""Partial liquidation: the least that restores margin, as child orders for the router, and never a step that makes
margin worse.

`excess(quantities)` is the margin model's word: equity minus requirement with these quantities, when everything that
differs from now was closed at its limit price, fees included. Whatever the router gets at least that price for leaves
the account no worse than planned. For models whose requirement is the worst of scenarios (linear, tiers, portfolio
scenarios) the excess is concave in the quantity closed of one position; then the search is exact: one lot less would
not restore margin. For others what is planned still never lowers the excess, and may be more than the least.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from truetape import ids
from truetape.messages import OrderTerms
from truetape.money import ONE_E8, divide

ROUNDS_MAX: Final = 64
"""Positions that one plan may touch; what is left then goes to the auction."""
ORDERS_MAX: Final = 1_000
Excess = Callable[[Mapping[str, int]], int]
"""Equity minus requirement in the settlement asset, 1e-8, by quantity of each instrument."""


class Holding(Struct, frozen=True):
    """A position that may be closed in part."""

    instrument_id: str
    quantity_e8: int
    lot_e8: int
    limit_price_e8: int
    """The worst price to close at: what fills at it leaves excess as `excess` says. Also measures how much is sold."""
    max_quantity_e8: int
    """Largest quantity of one order."""
    min_quantity_e8: int = 0
    """Smallest quantity of one order."""


class Closing(Struct, frozen=True):
    """How much of a holding is closed; positive, in lots, or all of it."""

    holding: Holding
    quantity_e8: int


class Plan(Struct, frozen=True):
    """What a liquidation sells, and what it does to the excess."""

    closings: tuple[Closing, ...]
    before_e8: int
    after_e8: int

    @property
    def restored(self) -> bool:
        """Whether margin is restored; else what is left is for the auction."""
        return self.after_e8 >= 0


def plan(holdings: Sequence[Holding], excess: Excess, rounds: int = ROUNDS_MAX) -> Plan:
    """Close as little as restores margin: again and again of the holding that relieves most per amount sold, until
    excess is not negative, no closing raises it, or `rounds` positions were touched. A sound account sells nothing.
    """
    quantities = {holding.instrument_id: holding.quantity_e8 for holding in holdings}
    assert len(quantities) == len(holdings), "one holding per instrument"
    before_e8 = now_e8 = excess(quantities)
    closed: dict[str, Closing] = {}
    for _ in range(rounds):
        left = [h for h in holdings if h.instrument_id not in closed and h.quantity_e8]
        if now_e8 >= 0 or not left:
            break
        best = max((_best(holding, quantities, now_e8, excess) for holding in left), key=_preference)
        if best is None or best.gain_e8 <= 0:
            break
        quantities[best.closing.holding.instrument_id] = _after(best.closing.holding, best.closing.quantity_e8)
        closed[best.closing.holding.instrument_id] = best.closing
        now_e8 += best.gain_e8
    assert now_e8 >= before_e8, "a liquidation never makes margin worse"
    return Plan(tuple(closed.values()), before_e8, now_e8)


class _Candidate(Struct, frozen=True):
    closing: Closing
    gain_e8: int
    restores: bool
    sold_e8: int


def _preference(candidate: _Candidate | None) -> tuple[int, int, str]:
    """What restores margin before what does not: the least sold of those, the most relief per amount of these."""
    if candidate is None or candidate.gain_e8 <= 0:
        return -1, 0, ""
    name = candidate.closing.holding.instrument_id
    if candidate.restores:
        return 1, -candidate.sold_e8, name
    return 0, candidate.gain_e8 * ONE_E8 // max(1, candidate.sold_e8), name


def _best(holding: Holding, quantities: Mapping[str, int], now_e8: int, excess: Excess) -> _Candidate | None:
    """The least of a holding that restores margin, else what raises excess most; None when nothing can be closed."""
    steps = -(-abs(holding.quantity_e8) // holding.lot_e8)

    def gained(lots: int) -> int:
        tried = dict(quantities)
        tried[holding.instrument_id] = _after(holding, _closed(holding, lots))
        return excess(tried) - now_e8

    peak = steps
    if now_e8 + gained(steps) < 0:  # All of it is not enough, or too much: look for the best in between.
        peak = _first(1, steps, lambda lots: lots == steps or gained(lots + 1) < gained(lots))
    restores = now_e8 + gained(peak) >= 0
    lots = _first(1, peak, lambda lots: now_e8 + gained(lots) >= 0) if restores else peak
    quantity_e8 = _tradable(holding, _closed(holding, lots))
    if quantity_e8 == 0:
        return None
    gain_e8 = excess({**quantities, holding.instrument_id: _after(holding, quantity_e8)}) - now_e8
    sold_e8 = divide(quantity_e8 * abs(holding.limit_price_e8), ONE_E8, "up")[0]
    return _Candidate(Closing(holding, quantity_e8), gain_e8, now_e8 + gain_e8 >= 0, sold_e8)


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The first number in a range for which a condition holds that holds for all behind it; `high` when none does."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _closed(holding: Holding, lots: int) -> int:
    return min(lots * holding.lot_e8, abs(holding.quantity_e8))


def _tradable(holding: Holding, quantity_e8: int) -> int:
    """At least what a venue takes in one order; nothing when the whole position is smaller than that."""
    if quantity_e8 >= holding.min_quantity_e8:
        return quantity_e8
    lots = -(-holding.min_quantity_e8 // holding.lot_e8)
    return _closed(holding, lots) if abs(holding.quantity_e8) >= holding.min_quantity_e8 else 0


def _after(holding: Holding, closed_e8: int) -> int:
    return holding.quantity_e8 - closed_e8 if holding.quantity_e8 > 0 else holding.quantity_e8 + closed_e8


# -- for the router ----------------------------------------------------------------------------------------------------


def orders(account_id: str, liquidation_id: str, planned: Plan) -> list[OrderTerms]:
    """The plan as orders for risk and the router: immediate or cancel at the limit price, none above the instrument's
    largest or below its smallest quantity. Ids are made of the liquidation's, so that sending it again makes no second.
    """
    found: list[OrderTerms] = []
    for closing in planned.closings:
        for quantity_e8 in cut(closing.quantity_e8, closing.holding):
            found.append(order(account_id, f"liquidation-{liquidation_id}-{len(found)}", closing.holding, quantity_e8))
    assert len(found) <= ORDERS_MAX, f"a liquidation of more than {ORDERS_MAX} orders is for the auction"
    return found


def cut(quantity_e8: int, holding: Holding) -> list[int]:
    """Cut a quantity into orders between the smallest and the largest that is allowed, in lots but for the last."""
    largest_e8 = holding.max_quantity_e8 // holding.lot_e8 * holding.lot_e8
    assert largest_e8 >= max(holding.min_quantity_e8, holding.lot_e8), "some order is possible"
    whole, rest_e8 = divmod(quantity_e8, largest_e8)
    if not rest_e8:
        return [largest_e8] * whole
    if rest_e8 >= holding.min_quantity_e8 or not whole:
        return [largest_e8] * whole + [rest_e8]
    lent_e8 = -(-(holding.min_quantity_e8 - rest_e8) // holding.lot_e8) * holding.lot_e8
    return [largest_e8] * (whole - 1) + [largest_e8 - lent_e8, rest_e8 + lent_e8]


def order(
    account_id: str, client_order_id: str, holding: Holding, quantity_e8: int, position_effect: str = ""
) -> OrderTerms:
    """Close so much of a holding at its limit price, immediately or not at all. An account that keeps long and short
    side by side needs the effect CLOSE: without it the other side would grow."""
    return OrderTerms(
        order_id=ids.order_id(account_id, client_order_id),
        account_id=account_id,
        client_order_id=client_order_id,
        instrument_id=holding.instrument_id,
        side="SELL" if holding.quantity_e8 > 0 else "BUY",
        order_type="LIMIT",
        time_in_force="IOC",
        post_only=False,
        quantity_e8=quantity_e8,
        price_e8=holding.limit_price_e8,
        position_effect=position_effect,
    )
