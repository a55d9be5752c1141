"""The floor of a risk array model's initial excess over all fills of orders; `truetape.margin.pretrade` explains it.

Credits between commodities and the limit at what bought options are worth are left out: both only lower the need. In
each scenario an order counts where it loses; spreads within a commodity are at most what the longest position of one
tier forms with the shortest of the other.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from truetape.margin.market import Market
from truetape.margin.portfolio import Portfolio
from truetape.margin.risk_arrays import SCENARIOS, Commodity, RiskArrayMargin, scan


def risk_arrays_floor(
    model: RiskArrayMargin, portfolio: Portfolio, effects: Sequence[Portfolio], market: Market
) -> float:
    """Least initial excess; `effects` are what each order adds when all of it fills."""
    alone = [model.margin(each, market) for each in effects]  # Refuses what has no array.
    equity = model.margin(portfolio, market).equity + sum(min(each.equity, 0.0) for each in alone)
    held, orders = _quantities(portfolio), [_quantities(each) for each in effects]
    need = sum(_need(model, commodity, held, orders) for commodity in model.arrays.commodities)
    stale = model.arrays.valid_until_us is not None and market.now_us > model.arrays.valid_until_us
    return equity - need * (model.arrays.stale_factor if stale else 1.0)


def _quantities(portfolio: Portfolio) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for position in portfolio.positions:
        found[position.instrument_id] += position.quantity
    return found


def _need(
    model: RiskArrayMargin, commodity: Commodity, held: Mapping[str, float], orders: Sequence[Mapping[str, float]]
) -> float:
    """The most that a commodity can need."""
    own = scan(model.arrays, commodity, held)
    each = [scan(model.arrays, commodity, order) for order in orders]
    worst = max(own.sums[place] + sum(max(one.sums[place], 0.0) for one in each) for place in range(SCENARIOS))
    longest: dict[int, float] = defaultdict(float)
    shortest: dict[int, float] = defaultdict(float)
    for tier in sorted({one.tier for one in commodity.contracts}):
        deltas = [one.deltas.get(tier, 0.0) for one in each]
        longest[tier] = max(own.deltas.get(tier, 0.0) + sum(max(delta, 0.0) for delta in deltas), 0.0)
        shortest[tier] = max(-own.deltas.get(tier, 0.0) + sum(max(-delta, 0.0) for delta in deltas), 0.0)
    charge = 0.0
    for spread in commodity.spreads:
        for long, short in ((spread.long, spread.short), (spread.short, spread.long)):
            charge += spread.charge * min(longest[long.tier] / long.ratio, shortest[short.tier] / short.ratio)
    return max(max(worst, 0.0) + charge, commodity.short_option_minimum * _shorts(commodity, held, orders))


def _shorts(commodity: Commodity, held: Mapping[str, float], orders: Iterable[Mapping[str, float]]) -> float:
    """The most short options that fills can make."""
    options = [one.instrument_id for one in commodity.contracts if one.kind != "FUTURE"]
    lowest = {name: held.get(name, 0.0) + sum(min(order.get(name, 0.0), 0.0) for order in orders) for name in options}
    return sum(max(-quantity, 0.0) for quantity in lowest.values())
