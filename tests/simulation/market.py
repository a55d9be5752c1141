"""The venue of a run: the real exchange with its own faults, the network to it, and its truth."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from tests.simulation.evidence import Arrival, TrueFill, Truth
from tests.simulation.network import Line, Network
from tests.simulation.reference import BTC, SYMBOL, VENUE
from tests.simulation.swarm import SECOND, Plan
from tests.simulation.venue import ACCOUNT, SimVenue, VenueOptions
from truetape.settings import VenueSettings
from venues.faults import Rule
from venues.symbols import DEFAULT_SYMBOLS

if TYPE_CHECKING:
    from tests.simulation.cluster import Cluster
    from tests.simulation.derivatives import Listed

CALM_EVENTS_PER_SECOND: Final = 1.0
"""Of the generated order flow. What the market does is none of our business, but that it moves is."""
LATE_MS: Final = (100, 8_000)
ORDERS: Final = "/api/v3/order"


class Market:
    """One exchange over all its incarnations."""

    def __init__(self, cluster: "Cluster", funds_e8: dict[str, int], contracts: Sequence["Listed"] = ()) -> None:
        self._cluster, self._plan = cluster, cluster.plan
        self._chance = Random(cluster.seed ^ 0x7EA1)
        self.network = Network(cluster.broker, cluster.seed, line_of(self._plan))
        rules = tuple(self._rule(kind, probability) for kind, probability in self._plan.venue.items())
        options = VenueOptions(
            events_per_second=CALM_EVENTS_PER_SECOND,
            tick_seconds=1.0,
            deposits_e8=tuple(funds_e8.items()),
            rules=rules,
            symbols=(*DEFAULT_SYMBOLS[:1], *(one.symbol for one in contracts)),
            base_prices=(("BTCUSDT", 60_000.0), *((one.symbol.name, one.first_price) for one in contracts)),
        )
        self.instruments = {
            SYMBOL: BTC.instrument_id,
            **{one.symbol.name: one.instrument.instrument_id for one in contracts},
        }
        """By the venue's symbol."""
        self.venue = SimVenue(self.network, VENUE, cluster.seed, options)
        self.struck: Counter[str] = Counter()
        """How often each fault of the venue's own struck, in its last incarnation."""
        self.gift_e8 = 0
        """What somebody gave to the firm's account at the venue, in USDT, and told nobody: a real difference."""

    def start(self) -> None:
        """Open, and let happen what the plan says."""
        self.venue.start()
        for kind, rate in self._plan.venue_events.items():
            self._cluster.poisson(rate, partial(self._happen, kind))
        if self._plan.kind != "truncation" and self._chance.random() < 0.3:
            self._cluster.later(self._chance.randint(5 * SECOND, 50 * SECOND), self._give)

    def settings(self) -> dict[str, VenueSettings]:
        """How services reach it."""
        return {VENUE: self.venue.settings()}

    def heal(self) -> None:
        """No more faults."""
        self.struck.update({rule.kind: rule.hits for rule in self.venue.venue.faults.rules})
        self.network.heal()
        self.venue.calm()
        if self.venue.process is None:
            self.venue.start()

    def close(self) -> None:
        """It ends every open order."""
        if self.venue.open_orders():
            self.venue.cancel_all()

    def _rule(self, kind: str, probability: float) -> Rule:
        path = ORDERS if kind in ("drop_request", "drop_reply", "error_after") else ""
        delay_ms = self._chance.randint(*LATE_MS)
        return Rule(kind=kind, probability=probability, delay_ms=delay_ms, path=path)  # type: ignore[arg-type]

    def _happen(self, kind: str) -> None:
        self._cluster.say(kind)
        self._cluster.seen[kind] += 1
        getattr(self, f"_{kind}")()

    def _venue_crash(self) -> None:
        if self.venue.process is not None:
            self.venue.kill()
            self._cluster.later(int(10 ** self._chance.uniform(5, 7)), self._restart)

    def _restart(self) -> None:
        if self.venue.process is None:
            self.venue.start()

    def _venue_cut(self) -> None:
        node = self._chance.choice([one.name for one in self._cluster.nodes])
        for_us = int(10 ** self._chance.uniform(5, 7.2))
        self.network.cut(node, VENUE, for_us, both=self._chance.random() < 0.6)

    def _venue_reset(self) -> None:
        self.network.reset(VENUE)

    def _give(self) -> None:
        if self.venue.process is None:
            self._cluster.later(SECOND, self._give)
        else:
            self.gift_e8 = self._chance.randint(1, 10**10)
            self.venue.process.run(self._credit, self.gift_e8)

    def _credit(self, amount_e8: int) -> None:
        exchange = self.venue.venue.exchange
        exchange.adjust(exchange.accounts[ACCOUNT], "USDT", amount_e8, self.venue.venue.now_us() // 1_000)

    # -- the truth -------------------------------------------------------------------------------------------

    def open_orders(self) -> frozenset[str]:
        """Client order ids of what rests there."""
        return self.venue.open_orders()

    def arrivals(self) -> list[Arrival]:
        """Every order request that arrived so far."""
        return [Arrival(*one) for one in self.venue.received]

    def truth(self) -> Truth:
        """All that it knows."""
        fills = {
            name: TrueFill(
                name, client_order_id, "BUY" if fill.buyer else "SELL", fill.quantity_e8, fill.price_e8,
                fill.quote_e8, fill.fee_asset, fill.fee_e8, fill.maker, self.instruments[fill.symbol],
            )
            for name, (client_order_id, fill) in self.venue.fills().items()
        }  # fmt: skip
        held = Counter(self.venue.moved_e8())
        held.update(dict(self.venue.options.deposits_e8))
        held["USDT"] -= self.gift_e8
        return Truth(
            fills=fills,
            open_orders=self.open_orders(),
            taken=frozenset(order.client_order_id for order in self.venue.orders()),
            arrivals=self.arrivals(),
            balances_e8={asset: e8 for asset, e8 in held.items() if e8},
        )


def line_of(plan: Plan) -> Line:
    """The network to the venue."""
    return replace(Line(), latency_us=(200, plan.venue_slowest_us), **plan.line)  # type: ignore[arg-type]
