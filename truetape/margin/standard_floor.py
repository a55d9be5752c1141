"""The floor of standard margin's initial excess over all fills of orders; `truetape.margin.pretrade` explains it.

Every part of the excess is, in the quantity of each instrument, the least of some lines. On one line the worst fills
are those orders that lose on it, so the least over lines of what is then left is exact for that part.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np
from msgspec.structs import replace

from truetape.margin.market import Market
from truetape.margin.portfolio import Holding, Option, Perpetual, Portfolio, Position
from truetape.margin.standard import ExpiryMargin, StandardMargin


class _Line:
    """One instrument: what is held, and of each order its quantity and the cash that moves if all of it fills."""

    def __init__(self) -> None:
        self.held = 0.0
        self.orders: list[tuple[float, float]] = []

    def least(self, slopes: Iterable[float]) -> float:
        """Least value over all fills of the least of these lines."""
        return min(
            slope * self.held + sum(min(0.0, slope * quantity + cash) for quantity, cash in self.orders)
            for slope in slopes
        )


def standard_floor(model: StandardMargin, portfolio: Portfolio, effects: Sequence[Portfolio], market: Market) -> float:
    """Least initial excess; `effects` are what each order adds when all of it fills."""
    lines: dict[str, _Line] = defaultdict(_Line)
    kinds: dict[str, Position] = {}
    floor = portfolio.cash
    for place, account in enumerate((portfolio, *effects)):
        for position in account.positions:
            kinds[position.instrument_id] = position
            line = lines[position.instrument_id]
            unsettled = _unsettled(position)
            if place:
                line.orders.append((position.quantity, account.cash + unsettled))
            else:
                line.held += position.quantity
                floor += unsettled
    expiries: dict[tuple[str, int], list[Option]] = defaultdict(list)
    for name, position in kinds.items():
        if isinstance(position, Option):
            expiries[position.underlying, position.expires_us].append(position)
        else:
            floor += lines[name].least(_slopes(model, position, market))
    return floor + sum(_expiry_floor(model, options, lines, market) for options in expiries.values())


def _unsettled(position: Position) -> float:
    return position.unrealised_pnl + position.unsettled_funding if isinstance(position, Perpetual) else 0.0


def _slopes(model: StandardMargin, position: Position, market: Market) -> tuple[float, ...]:
    """Excess per unit held: of a perpetual either way a need, of a holding what counts of its price."""
    one = model.margin(Portfolio((_one(position),)), market)
    if isinstance(position, Holding):
        return (one.initial_excess,)
    return (one.initial_need, -one.initial_need)


def _one(position: Position) -> Position:
    if isinstance(position, Perpetual):
        return replace(position, quantity=1.0, unrealised_pnl=0.0, unsettled_funding=0.0)
    return replace(position, quantity=1.0)


def _expiry_floor(model: StandardMargin, options: list[Option], lines: dict[str, _Line], market: Market) -> float:
    """The better of the floors of isolated and of bounded margin."""
    shorts = [replace(option, quantity=-1.0) for option in options]
    margin = ExpiryMargin(model.parameters, shorts, market)
    per_short = margin.per_short
    isolated = margin.isolated(is_initial=True) - per_short  # of one short each
    by_option = [lines[option.instrument_id] for option in options]
    alone = sum(line.least((0.0, -float(need))) for line, need in zip(by_option, isolated, strict=True))
    calls = np.where(margin.is_call, model.parameters.unpaired_initial * margin.forward, 0.0)
    bounds = []
    for payoffs, is_loss, is_unpaired in product(margin.payoffs, (0.0, 1.0), (0.0, 1.0)):
        slopes = is_loss * payoffs + is_unpaired * calls
        bounds.append(
            sum(
                line.least((float(slope), float(slope) + per_short))
                for line, slope in zip(by_option, slopes, strict=True)
            )
        )
    return max(alone, min(bounds))
