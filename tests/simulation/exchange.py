"""A scripted venue with the truth about its orders, and a router's session that speaks with it over a bad line.

The session is the simulation's own: what it checks is the router's core, its loop, and the rules for intents.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from services.router.core import State, open_legs
from truetape import messages as m
from truetape.money import notional, portion
from truetape.simbroker import SimBroker
from truetape.simlog import SimLog
from truetape.venue import reports as r

MS, SECOND = 1_000, 1_000_000
VENUE, SYMBOL = "alpha", "BTCUSDT"
SOURCE = f"venue:{VENUE}"
FEE_RATE_E8 = 100_000
REPLY_US = SECOND
"""After this a request without reply is in doubt."""
ASK_US = 1_500 * MS
"""Between two questions about an open order."""


@dataclass
class Truth:
    """One order as the venue has it."""

    request: r.OrderRequest
    venue_order_id: str
    status: r.VenueOrderStatus = "OPEN"
    fills: list[r.VenueFilled] = field(default_factory=list)

    def filled_e8(self) -> int:
        return sum(fill.quantity_e8 for fill in self.fills)


@dataclass
class Line:
    """How good the connection is: probabilities."""

    lost_requests: float = 0.0
    lost_replies: float = 0.0
    lost_events: float = 0.0
    repeated_events: float = 0.0
    slowest_us: int = 20 * MS


class Exchange:
    """Takes orders until their deadline, fills them as the dice fall, and forgets nothing."""

    def __init__(self, broker: SimBroker, chance: Random, line: Line) -> None:
        self.broker, self.chance, self.line = broker, chance, line
        self.orders: dict[str, Truth] = {}
        self.sent: set[str] = set()
        """Client order ids that some router tried to send."""
        self.received: list[tuple[int, str, str]] = []
        """(virtual time, client order id, sending node) of every order that arrived."""
        self.listeners: list[Session] = []
        self.balances: dict[str, int] = {}
        """What trading changed, by asset."""
        self.repeated: list[str] = []
        """Execution ids of fills that were told twice."""
        self._trades = 0

    def delay_us(self) -> int:
        return self.chance.randint(MS, self.line.slowest_us)

    def receive(self, request: r.OrderRequest, node: str) -> r.VenueAcknowledged | r.VenueRejected:
        """An order arrives. A second one of the same id would be a second trade: it must never come."""
        self.received.append((self.broker.now_us, request.client_order_id, node))
        if self.broker.wall_us() > request.send_before_us:
            return r.VenueRejected(VENUE, request.client_order_id, "TOO_LATE", "outside of the receive window")
        if self.chance.random() < 0.05:
            return r.VenueRejected(VENUE, request.client_order_id, "REFUSED", "the venue does not like it")
        truth = self.orders[request.client_order_id] = Truth(request, f"v{len(self.orders)}")
        if request.time_in_force == "GTC":
            self._trade_later(truth)
        else:
            whole = request.time_in_force == "FOK"
            self._trade(truth, request.quantity_e8 if whole else self._some(request.quantity_e8))
            self._end(truth, "EXPIRED")
        return r.VenueAcknowledged(VENUE, request.client_order_id, truth.venue_order_id, self.broker.wall_us())

    def cancel(self, client_order_id: str) -> None:
        """A cancel arrives."""
        truth = self.orders.get(client_order_id)
        if truth is not None:
            self._end(truth, "CANCELLED")

    def tell(self, client_order_id: str) -> list[r.Report]:
        """The answer to a question: every fill, then how the order stands."""
        truth = self.orders.get(client_order_id)
        if truth is None:
            return [r.VenueNotFound(VENUE, client_order_id, self.broker.wall_us())]
        known: list[r.Report] = [
            r.VenueAcknowledged(VENUE, client_order_id, truth.venue_order_id, self.broker.wall_us()),
            *truth.fills,
        ]
        return known if (end := self._end_of(truth)) is None else [*known, end]

    def expire_all(self) -> None:
        """The venue closes: what is open ends."""
        for truth in self.orders.values():
            self._end(truth, "EXPIRED")

    def _some(self, quantity_e8: int) -> int:
        lot = 10_000
        return self.chance.randint(0, quantity_e8 // lot) * lot

    def _trade_later(self, truth: Truth) -> None:
        self.broker.at(self.broker.now_us + self.chance.randint(MS, 4 * SECOND), lambda: self._trade_on(truth))

    def _trade_on(self, truth: Truth) -> None:
        if truth.status == "OPEN":
            left_e8 = truth.request.quantity_e8 - truth.filled_e8()
            self._trade(truth, left_e8 if self.chance.random() < 0.3 else self._some(left_e8))
            if truth.filled_e8() < truth.request.quantity_e8:
                self._trade_later(truth)

    def _trade(self, truth: Truth, quantity_e8: int) -> None:
        if not quantity_e8:
            return
        self._trades += 1
        one = truth.request
        quote_e8 = notional(one.price_e8, quantity_e8, "half_even")
        fee_e8 = portion(quote_e8, FEE_RATE_E8, "up")
        execution_id = r.execution_id(VENUE, SYMBOL, self._trades, one.side)
        fill = r.VenueFilled(
            VENUE, SYMBOL, one.client_order_id, truth.venue_order_id, execution_id, one.side, quantity_e8, one.price_e8,
            quote_e8, "USDT", fee_e8, "TAKER", self.broker.wall_us(), "stream",
        )  # fmt: skip
        truth.fills.append(fill)
        sign = 1 if one.side == "BUY" else -1
        self._move("BTC", sign * quantity_e8)
        self._move("USDT", -sign * quote_e8 - fee_e8)
        self._publish(fill)
        if truth.filled_e8() == one.quantity_e8:
            truth.status = "FILLED"

    def _move(self, asset: str, amount_e8: int) -> None:
        self.balances[asset] = self.balances.get(asset, 0) + amount_e8

    def _end(self, truth: Truth, status: r.VenueOrderStatus) -> None:
        if truth.status == "OPEN":
            truth.status = status
            end = self._end_of(truth)
            assert end is not None
            self._publish(end)

    def _end_of(self, truth: Truth) -> r.Ended | None:
        name, filled_e8 = truth.request.client_order_id, truth.filled_e8()
        if truth.status == "CANCELLED":
            return r.VenueCancelled(VENUE, name, filled_e8, truth.status)
        return r.VenueExpired(VENUE, name, filled_e8, truth.status) if truth.status == "EXPIRED" else None

    def _publish(self, event: r.Report) -> None:
        """To everybody who listens; lost, repeated and overtaken as the line is."""
        for session in self.listeners:
            if self.chance.random() >= self.line.lost_events:
                twice = self.chance.random() < self.line.repeated_events
                if twice and isinstance(event, r.VenueFilled):
                    self.repeated.append(event.execution_id)
                for _ in range(2 if twice else 1):
                    self.broker.at(self.broker.now_us + self.delay_us(), partial(session.heard, event))


class Session:
    """Effects of one router process: sends what is on the tape, asks about everything without an end."""

    def __init__(self, exchange: Exchange, offer: Callable[[int, str, str, Any], None], log: SimLog) -> None:
        self._exchange, self._offer, self._log = exchange, offer, log
        self._open: dict[str, int] = {}
        """Partition by client order id of each leg without an end."""
        self._partitions: set[int] = set()
        exchange.listeners.append(self)
        self._ask_all()

    def act(self, partition: int, event: Any) -> None:
        if isinstance(event, m.OrderRouted):
            for leg in event.legs:
                self._open[leg.venue_client_order_id] = partition
                self._send(event.order, leg)
        elif isinstance(event, m.CancelRouted):
            for cancel in event.legs:
                self._request(partial(self._exchange.cancel, cancel.venue_client_order_id))

    def resume(self, partition: int, state: State) -> None:
        self._partitions.add(partition)
        self._open.update({leg.client_order_id: partition for _, leg in open_legs(state)})

    def release(self, partition: int) -> None:
        self._partitions.discard(partition)
        self._open = {name: p for name, p in self._open.items() if p != partition}

    def heard(self, event: Any) -> None:
        """The account's stream said something; other partitions' events are not for this process."""
        if event.client_order_id in self._open:
            self._give(event)

    def _send(self, terms: m.OrderTerms, leg: m.RoutedLeg) -> None:
        time_in_force: m.TimeInForce = "IOC" if terms.order_type == "MARKET" else terms.time_in_force
        request = r.OrderRequest(
            leg.symbol, leg.venue_client_order_id, terms.side, time_in_force, terms.post_only, leg.quantity_e8,
            leg.price_e8, leg.send_before_us,
        )  # fmt: skip
        self.send(request)

    def send(self, request: r.OrderRequest) -> None:
        """One order leaves; without a reply its outcome is in doubt."""
        self._exchange.sent.add(request.client_order_id)
        replied: list[bool] = []

        def reply(report: r.Report) -> None:
            replied.append(True)
            self._give(report)

        def arrive() -> None:
            report = self._exchange.receive(request, self._log.node)
            if self._exchange.chance.random() >= self._exchange.line.lost_replies:
                self._later(self._exchange.delay_us(), lambda: reply(report))

        def doubt() -> None:
            if not replied:
                self._give(r.VenueUnknown(VENUE, request.client_order_id, "no reply"))

        self._request(arrive)
        self._later(REPLY_US, doubt)

    def _request(self, arrive: Callable[[], None]) -> None:
        """Something leaves for the venue: it arrives whether or not its sender lives on, or not at all."""
        if self._exchange.chance.random() >= self._exchange.line.lost_requests:
            self._later(self._exchange.delay_us(), arrive)

    def _ask_all(self) -> None:
        """Ask about everything without an end, again and again."""
        if self._log.crashed:
            self._exchange.listeners.remove(self)
            return
        if not self._log.paused:
            for name in list(self._open):
                for report in self._exchange.tell(name):
                    self._give(report)
        self._later(ASK_US, self._ask_all)

    def _give(self, report: r.Report) -> None:
        partition = self._open.get(report.client_order_id)
        alive = not self._log.crashed and not self._log.paused
        if partition is not None and partition in self._partitions and alive:
            self._offer(partition, SOURCE, r.report_id(report), report)

    def _later(self, delay_us: int, action: Callable[[], None]) -> None:
        broker = self._exchange.broker
        broker.at(broker.now_us + delay_us, action)
