"""What open orders can do to an account: a floor of its initial excess over every part of them that may fill.

The floor holds for any subset, order and fraction of fills at the limit prices. It is exact or too low, never too high:

- A portfolio model is a minimum over scenarios. In each scenario the parts of an account add up, or the whole is better
  than their sum (discounts, naked shorts, basis and contingencies are subadditive and scale). So each order counts with
  what it does alone where that is a loss, and with nothing where it is a gain. The skew scenarios take each expiry's
  profit as a loss; there both signs are bounded and the lower one counts, per expiry.
- Standard margin is a sum of minima of lines per instrument (isolated), or a minimum of lines per settlement price
  (bounded). On each line the worst fills are those that lose; the floor is the least of the lines.
- Risk arrays are a maximum over scenarios too; credits between commodities, which a fill may undo, are left out.
- Another model is tried at all corners (each order filled or not), which is exact where its need is convex in the
  fills; not more than CORNER_ORDERS_MAX orders.

A gain of one order therefore never pays for another. docs/margin.md has the proof.
"""

from collections.abc import Sequence
from itertools import product
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import replace

from truetape.errors import MarginOrdersTooMany, MarginPositionUnfit
from truetape.margin.combined import PerUnderlying
from truetape.margin.market import Market
from truetape.margin.models import MarginModel
from truetape.margin.portfolio import Future, Holding, Option, Perpetual, Portfolio, Position, netted
from truetape.margin.portfolio_floor import portfolio_floor
from truetape.margin.portfolio_v1 import PortfolioV1
from truetape.margin.portfolio_v2 import PortfolioV2
from truetape.margin.risk_arrays import RiskArrayMargin
from truetape.margin.risk_arrays_floor import risk_arrays_floor
from truetape.margin.standard import StandardMargin
from truetape.margin.standard_floor import standard_floor

CORNER_ORDERS_MAX: Final = 10


class Order(msgspec.Struct, frozen=True):
    """What can still fill of an order: `position` has its signed remaining quantity and nothing unsettled."""

    position: Position
    price: float
    """The limit; for a market order the collar's edge."""
    fee: float = 0.0
    """The most that filling all of it can cost in fees; less is charged for less."""


class OrderNeed(msgspec.Struct, frozen=True):
    """The answer for one order beside others that are open."""

    need: float
    """What of the excess the order takes in the worst case; zero or more."""
    excess: float
    """Initial excess that remains whatever fills; negative: refuse."""

    @property
    def is_covered(self) -> bool:
        """Whether no fill of any of the orders can break initial margin."""
        return self.excess >= 0


def order_need(
    model: MarginModel, portfolio: Portfolio, is_open: Sequence[Order], order: Order, market: Market
) -> OrderNeed:
    """What one more order would need, in the worst case over its fills and those of the open ones.

    Raises what the model raises, and MarginPositionUnfit when more of a holding is offered than is held.
    """
    before = initial_floor(model, portfolio, is_open, market)
    after = initial_floor(model, portfolio, [*is_open, order], market)
    return OrderNeed(max(before - after, 0.0), after)


def initial_floor(model: MarginModel, portfolio: Portfolio, orders: Sequence[Order], market: Market) -> float:
    """A number that the initial excess cannot fall below, whatever part of the orders fills."""
    _check_holdings(portfolio, orders)
    if isinstance(model, PerUnderlying):
        return _added(model, portfolio, orders, market)
    effects = [filled(Portfolio(), order, 1.0, market) for order in orders]
    match model:
        case StandardMargin():
            return standard_floor(model, portfolio, effects, market)
        case PortfolioV1() | PortfolioV2():
            return portfolio_floor(model, portfolio, effects, market)
        case RiskArrayMargin():
            return risk_arrays_floor(model, portfolio, effects, market)
        case _:
            return _corners(model, portfolio, orders, market)


def _added(model: PerUnderlying, portfolio: Portfolio, orders: Sequence[Order], market: Market) -> float:
    """Underlyings do not touch each other, so their floors add up."""
    parts = model.split(portfolio)
    homes = [model.home(order.position) for order in orders]
    floor = portfolio.cash
    for underlying in dict.fromkeys([*parts, *homes]):
        own = [order for order, home in zip(orders, homes, strict=True) if home == underlying]
        floor += initial_floor(model.models[underlying], parts.get(underlying, Portfolio()), own, market)
    return floor


def filled(portfolio: Portfolio, order: Order, fraction: float, market: Market) -> Portfolio:
    """The account after a fraction (0 to 1) of an order has filled at its limit, marked at the market."""
    position = replace(order.position, quantity=order.position.quantity * fraction)
    paid = order.fee * fraction
    match position:
        case Option() | Holding():
            paid += position.quantity * order.price
        case Perpetual():
            gained = (market.perpetual(position.underlying).value - order.price) * position.quantity
            position = replace(position, unrealised_pnl=gained)
        case Future():
            expiry = market.expiry(position.underlying, position.expires_us)
            gained = (expiry.forward.value + expiry.fixed - order.price) * position.quantity
            position = replace(position, unrealised_pnl=gained)
    return Portfolio(netted([*portfolio.positions, position]), portfolio.cash - paid)


def _corners(model: MarginModel, portfolio: Portfolio, orders: Sequence[Order], market: Market) -> float:
    if len(orders) > CORNER_ORDERS_MAX:
        raise MarginOrdersTooMany(
            f"{model.name} margin looks at {CORNER_ORDERS_MAX} open orders at once; cancel some before sending more"
        )
    least = np.inf
    for corner in product((0.0, 1.0), repeat=len(orders)):
        after = portfolio
        for order, fraction in zip(orders, corner, strict=True):
            after = filled(after, order, fraction, market) if fraction else after
        least = min(least, model.margin(after, market).initial_excess)
    return float(least)


def _check_holdings(portfolio: Portfolio, orders: Sequence[Order]) -> None:
    left = {holding.instrument_id: holding.quantity for holding in portfolio.holdings()}
    for order in orders:
        name, quantity = order.position.instrument_id, order.position.quantity
        if isinstance(order.position, Holding) and quantity < 0:
            left[name] = left.get(name, 0.0) + quantity
            if left[name] < 0:
                raise MarginPositionUnfit(f"{name}: more is offered than is held; holdings cannot be sold short")
