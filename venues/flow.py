"""Generated order flow: the house's many traders on one market, seeded, with the statistics of a real book.

Events arrive as a Poisson process. Each is a limit order (distance from the best price by a power law, size
lognormal), a cancel of a random resting order, or a market order. When the fair price has moved, traders who
noticed take what became too cheap or too dear and quote around the new price; so the spread is mostly a tick.
docs/venues.md lists the numbers.
"""

import math
import random
from typing import Final

from msgspec import Struct

from truetape.money import ONE_E8
from venues.accounts import HOUSE
from venues.exchange import Exchange, Market
from venues.matching import Order, Side
from venues.mid import VenueMid


class FlowParameters(Struct, frozen=True):
    """Statistics of one market's flow. Sizes are medians in base units; shares are of all events."""

    base_price: float
    size: float
    touch_size: float
    size_sigma: float = 1.1
    limit_share: float = 0.50
    cancel_share: float = 0.38
    touch_share: float = 0.15
    distance_exponent: float = 0.8
    distance_scale_bp: float = 0.5
    distance_max_bp: float = 150.0
    depth_orders: int = 300
    requote_ms: int = 500


FLOWS: Final = {
    "BTCUSDT": FlowParameters(base_price=60_000.0, size=0.02, touch_size=0.6),
    "BTCUSDTPERP": FlowParameters(base_price=60_000.0, size=20.0, touch_size=600.0),
    "BTCUSDTFUT": FlowParameters(base_price=60_000.0, size=20.0, touch_size=600.0),
    "BTCUSDTCALL": FlowParameters(base_price=1_500.0, size=0.5, touch_size=20.0),
    "ETHUSDT": FlowParameters(base_price=3_000.0, size=0.3, touch_size=9.0),
}
DEFAULT_FLOW: Final = FlowParameters(base_price=100.0, size=1.0, touch_size=20.0)


class GeneratedFlow:
    """One market's flow. `step` makes one event happen; the caller draws the waiting times with `pause`."""

    def __init__(
        self, exchange: Exchange, market: Market, parameters: FlowParameters, mid: VenueMid, rng: random.Random
    ) -> None:
        self.exchange = exchange
        self.market = market
        self.parameters = parameters
        self._mid = mid
        self._rng = rng
        self._resting: list[int] = []
        self._quotes: dict[Side, int] = {}
        self._fair_tick = 0
        self._requoted_ms = 0

    def start(self, now_ms: int) -> None:
        """Fill the empty book around the fair price."""
        self._requote(now_ms)
        for _ in range(2 * self.parameters.depth_orders):
            self._limit_order(now_ms)

    def pause(self, rate: float) -> float:
        """Seconds until the next event of a Poisson process with `rate` events a second."""
        return self._rng.expovariate(rate)

    def step(self, now_ms: int) -> None:
        """One event; every `requote_ms` the traders also look at the fair price."""
        if now_ms - self._requoted_ms >= self.parameters.requote_ms:
            self._requote(now_ms)
        draw = self._rng.random() - self.parameters.limit_share
        if draw < 0:
            self._limit_order(now_ms)
        elif draw < self.parameters.cancel_share:
            self._cancel_or_refill(now_ms)
        else:
            self._market_order(now_ms)

    def _requote(self, now_ms: int) -> None:
        """Follow the fair price: sweep what crosses it, then quote one tick around it."""
        self._requoted_ms = now_ms
        tick_e8 = self.market.symbol.tick_e8
        fair_tick = round(self._mid.at(now_ms) * ONE_E8 / tick_e8)
        if fair_tick == self._fair_tick:
            return
        self._fair_tick = fair_tick
        self._resting = [order_id for order_id in self._resting if order_id in self.market.book.orders]
        for quote in self._quotes.values():
            self.market.book.cancel(quote)
        self._quotes.clear()
        bid_e8, ask_e8 = (fair_tick - 1) * tick_e8, fair_tick * tick_e8
        self._sweep("BUY", bid_e8, now_ms)
        self._sweep("SELL", ask_e8, now_ms)
        size = self.parameters.touch_size
        self._quotes["BUY"] = self._submit("BUY", bid_e8, self._size(size), now_ms)
        self._quotes["SELL"] = self._submit("SELL", ask_e8, self._size(size), now_ms)

    def _sweep(self, side: Side, price_e8: int, now_ms: int) -> None:
        """Take everything at or beyond a price that the fair price has passed."""
        book = self.market.book
        opposite = book.asks if side == "BUY" else book.bids
        stale_e8 = 0
        for key in reversed(opposite.keys):
            if key < price_e8 * opposite.sign:
                break
            stale_e8 += opposite.levels[key].quantity_e8
        if stale_e8:
            self._submit(side, price_e8, stale_e8, now_ms, immediate=True)

    def _limit_order(self, now_ms: int) -> None:
        """A limit order at or behind the fair best price of its side, never through the other."""
        side: Side = "BUY" if self._rng.random() < 0.5 else "SELL"
        distance = self._distance()
        tick = self._fair_tick - 1 - distance if side == "BUY" else self._fair_tick + distance
        price_e8 = max(1, tick) * self.market.symbol.tick_e8
        order_id = self._submit(side, price_e8, self._size(self.parameters.size), now_ms)
        if order_id in self.market.book.orders:
            self._resting.append(order_id)

    def _distance(self) -> int:
        """Ticks from the best price: zero for those who join it, else by a power law."""
        parameters, rng = self.parameters, self._rng
        if rng.random() < parameters.touch_share:
            return 0
        # Pareto's tail without its gap: P(distance > x) = (1 + x / scale) ** -exponent.
        basis_points = parameters.distance_scale_bp * (rng.paretovariate(parameters.distance_exponent) - 1.0)
        return int(min(basis_points, parameters.distance_max_bp) * self._fair_tick / 10_000)

    def _cancel_or_refill(self, now_ms: int) -> None:
        """Each resting order is cancelled at the same rate, so a thin book refills and a full one stays."""
        if self._rng.random() * 2 * self.parameters.depth_orders < len(self._resting):
            self._cancel_one()
        else:
            self._limit_order(now_ms)

    def _cancel_one(self) -> None:
        """Cancel a random resting order; those that traded meanwhile are forgotten on the way."""
        resting, orders = self._resting, self.market.book.orders
        while resting:
            index = self._rng.randrange(len(resting))
            resting[index], resting[-1] = resting[-1], resting[index]
            order_id = resting.pop()
            if order_id in orders:
                self.market.book.cancel(order_id)
                return

    def _market_order(self, now_ms: int) -> None:
        """An aggressive order that takes up to a few levels, but never the whole book."""
        side: Side = "BUY" if self._rng.random() < 0.5 else "SELL"
        reach = 50 * self.market.symbol.tick_e8
        best = (self.market.book.asks if side == "BUY" else self.market.book.bids).best()
        if best is None:
            return
        price_e8 = best[0] + reach if side == "BUY" else max(self.market.symbol.tick_e8, best[0] - reach)
        self._submit(side, price_e8, self._size(self.parameters.size), now_ms, immediate=True)

    def _submit(self, side: Side, price_e8: int, quantity_e8: int, now_ms: int, *, immediate: bool = False) -> int:
        order = Order(self.exchange.next_flow_id(), HOUSE, side, price_e8, quantity_e8, "IOC" if immediate else "GTC")
        self.exchange.flow(self.market, order, now_ms)
        return order.order_id

    def _size(self, median: float) -> int:
        """A lognormal size in whole lots, at least one and at most a hundred medians."""
        draw = min(self._rng.lognormvariate(math.log(median), self.parameters.size_sigma), 100 * median)
        lot_e8 = self.market.symbol.lot_e8
        return max(1, round(draw * ONE_E8 / lot_e8)) * lot_e8
