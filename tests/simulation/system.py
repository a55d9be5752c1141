"""The whole system under one seed's faults: the real services between clients and a venue, and what must hold.

`make simulate SEED=n` repeats a run and says what happened.
"""

from dataclasses import replace
from typing import Any, Final

from services.clearing.core import SERVICE as CLEARING
from services.gateway.core import SERVICE as GATEWAY
from services.pricing.core import SERVICE as PRICING
from services.risk.core import SERVICE as RISK
from services.router.core import SERVICE as ROUTER
from tests.simulation import rare
from tests.simulation.clients import Clients
from tests.simulation.cluster import SETTINGS, Broken, Cluster
from tests.simulation.evidence import Arrival, Evidence, TrueFill, Truth
from tests.simulation.exchange import Exchange, Line, Session
from tests.simulation.invariants import ALWAYS, IN_THE_END
from tests.simulation.node import Node
from tests.simulation.reference import ACCOUNTS, BTC, PARTITIONS, SYMBOL, VENUE, ReferenceData
from tests.simulation.swarm import MS, SECOND, plan_of
from tests.simulation.tape import Tape
from truetape import messages as m
from truetape.audit import OpenView
from truetape.codec import encode
from truetape.happenings import Part
from truetape.money import ONE_E8
from truetape.runner import Runner
from truetape.service import Effects, NoEffects, Service
from truetape.topics import MARKET_MARKS, ORDERS_DECISIONS, Topic
from truetape.venue.book import BookView

MARK_US: Final = 700 * MS
HALTS_PER_SECOND: Final = 0.03


def cut(topic: Topic) -> Topic:
    """The topic with few partitions owned; the cluster has all of them."""
    return replace(topic, partitions=min(topic.partitions, PARTITIONS))


def small(service: Service[Any]) -> Service[Any]:
    """The service with few partitions."""
    return replace(service, owns=cut(service.owns), inputs=tuple(map(cut, service.inputs)))


class System(Cluster):
    """One run of everything."""

    services = (small(RISK), small(ROUTER), small(CLEARING))
    session: type[Session] = Session
    audited = (GATEWAY, PRICING)
    """Services whose topics are on the tape although they do not run here."""
    audit_settings = SETTINGS

    def __init__(self, seed: int, verbose: bool = False) -> None:
        super().__init__(seed, plan_of(seed), verbose)
        self.exchange = Exchange(
            self.broker, self.chance, Line(**self.plan.line, slowest_us=self.plan.venue_slowest_us)
        )
        self.reference = ReferenceData(self.broker)
        self.clients = Clients(self.broker, self.chance)
        self.evidence = Evidence(self)
        self.price_e8 = 60_000 * ONE_E8
        self._marks = 0
        self._open: set[str] = set()
        """Accepted orders without an end."""
        self._mark()
        self.clients.fund()
        self.poisson(self.plan.orders_per_second, self._act)
        self.poisson(HALTS_PER_SECOND, self._halt)

    def effects(self, node: Node, runner: Runner[Any]) -> Effects:
        if node.service != "router":
            return NoEffects()
        assert node.log is not None
        runner.tables.views = self._books()
        return self.session(self.exchange, runner.offer, node.log)

    # -- the market and the clients --------------------------------------------------------------------------

    def _act(self) -> None:
        self.clients.act(self.price_e8)

    def _halt(self) -> None:
        """Somebody moves the kill switch, and moves it back."""
        whom: str = self.chance.choice([*ACCOUNTS, "*"])
        state: m.TradingState = self.chance.choice(["HALTED", "REDUCING"])
        self.say(f"{whom} {state}")
        self.reference.switch(whom, state)
        self.later(self.chance.randint(SECOND, 6 * SECOND), lambda: self.reference.switch(whom, "ACTIVE"))

    def _mark(self) -> None:
        """The price moves; marks and every router's books say so."""
        self.price_e8 += self.chance.randint(-2_000, 2_000) * 10**6
        at_us, price_e8 = self.broker.wall_us(), self.price_e8
        cause = m.Cause("books", 0, -1, str(self._marks))
        meta = m.Meta(1, self._marks, cause, at_us, f"{MARKET_MARKS.name}<books/0/{self._marks}", "")
        event: Any = m.Began(meta, "0")
        if self._marks:
            event = m.MarkPublished(meta, BTC.instrument_id, price_e8, price_e8, price_e8, VENUE, self._marks, at_us, 0)
        self.broker.produce(Part(MARKET_MARKS.name, 0), b"", encode(event))
        self._marks += 1
        for node in self.nodes:
            if node.runner is not None and node.service == "router":
                node.runner.tables.views = self._books()
        self.later(MARK_US, self._mark)

    def _books(self) -> dict[tuple[str, str], BookView]:
        price_e8 = self.price_e8 // 10**6 * 10**6
        view = BookView(
            VENUE, SYMBOL, self._marks, self.broker.wall_us(), ((price_e8, 10 * ONE_E8),),
            ((price_e8 + 10**6, 10 * ONE_E8),),
        )  # fmt: skip
        return {(VENUE, SYMBOL): view}

    # -- the end ---------------------------------------------------------------------------------------------

    def quiet(self) -> None:
        self.exchange.line = Line()
        self.later(4 * SECOND, self.exchange.expire_all)

    def still_missing(self) -> str:
        """Every command answered, every order ended, every fill booked, every reservation gone."""
        if any(truth.status == "OPEN" for truth in self.exchange.orders.values()):
            return "the venue has open orders"
        if self.evidence.open_orders:
            return f"orders {sorted(self.evidence.open_orders)[:3]} have not ended"
        for partition in range(PARTITIONS):
            for account, state in self.tape(ORDERS_DECISIONS, partition).state.accounts.items():
                if state.reservations or state.withdrawals:
                    return f"{account} still has reservations {state.reservations} {state.withdrawals}"
        answered = self.evidence.decided.keys() >= {order.order_id for order in self.clients.orders}
        fills, booked = sum(len(truth.fills) for truth in self.exchange.orders.values()), len(self.evidence.trades)
        if fills > booked:
            return f"{booked} of {fills} fills are booked"
        return "" if answered else "orders without a decision"

    def tape(self, topic: Topic, partition: int) -> Tape:
        """One partition of an owned topic as far as it was read."""
        return self.tapes[Part(topic.name, partition)]

    def events(self, topic: Topic) -> list[Any]:
        """All accepted events of an owned topic, partition by partition."""
        return [e for p in range(cut(topic).partitions) for e in self.tapes[Part(topic.name, p)].events()]

    def arrivals(self) -> list[Arrival]:
        """What reached the venue so far."""
        return [Arrival(at_us, name) for at_us, name, _ in self.exchange.received]

    def sent(self) -> set[str]:
        """Client order ids that some router tried to send."""
        return self.exchange.sent

    def repeated_fills(self) -> list[str]:
        """Execution ids of fills that the venue told twice."""
        return self.exchange.repeated

    def truth(self) -> Truth:
        """The venue's ground truth."""
        exchange = self.exchange
        fills = [
            TrueFill(
                one.execution_id, one.client_order_id, one.side, one.quantity_e8, one.price_e8, one.quote_amount_e8,
                one.fee_asset, one.fee_e8,
            )
            for order in exchange.orders.values()
            for one in order.fills
        ]  # fmt: skip
        return Truth(
            fills={fill.execution_id: fill for fill in fills},
            open_orders=frozenset(name for name, order in exchange.orders.items() if order.status == "OPEN"),
            taken=frozenset(exchange.orders),
            arrivals=self.arrivals(),
            balances_e8={asset: e8 for asset, e8 in exchange.balances.items() if e8},
        )

    def views(self) -> dict[str, OpenView]:
        """Views to be audited."""
        return {}

    # -- what must hold --------------------------------------------------------------------------------------

    def look(self) -> None:
        self.evidence.read_on()
        self._check(ALWAYS)

    def audit(self) -> None:
        self.evidence.complete()
        self._check(ALWAYS)
        self._check(IN_THE_END)
        self.seen.update(rare.met(self))

    def _check(self, invariants: Any) -> None:
        for name, invariant in invariants.items():
            for wrong in invariant(self.evidence):
                raise Broken(name, wrong)
