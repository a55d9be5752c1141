"""Risk, router and clearing, as they are, between clients and a scripted venue, under one seed's faults.

`python -m tests.simulation.trading --seed N` repeats a run and says what happened.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from msgspec.structs import replace as replaced

from services.clearing import ledger
from services.clearing.core import SERVICE as CLEARING
from services.risk.core import SERVICE as RISK
from services.router.core import SERVICE as ROUTER
from tests.simulation.cluster import MS, SECOND, Broken, Cluster, Node, RunnerType
from tests.simulation.command import repeat
from tests.simulation.exchange import SYMBOL, VENUE, Exchange, Line, Session
from tests.simulation.swarm import plan_of
from truetape import ids
from truetape import messages as m
from truetape.codec import encode
from truetape.happenings import Part
from truetape.money import ONE_E8
from truetape.runner import Runner
from truetape.service import Effects, NoEffects, Service
from truetape.simlog import SimLog
from truetape.topics import MARKET_MARKS, ORDERS_COMMANDS, REFERENCE_EVENTS, Topic
from truetape.venue.book import BookView

PARTITIONS = 2
ACCOUNTS = {f"{name}{partition}": partition for partition in range(PARTITIONS) for name in ("ann", "bob")}
LISTING = m.Listing(VENUE, SYMBOL, 10**6, 10_000, 10_000, 5 * ONE_E8, 75_000, 100_000)
BTC = m.Instrument(
    "BTC-USDT", "BTC", "USDT", 10**6, 10_000, 10_000, 100 * ONE_E8, 10 * ONE_E8, 2_000_000 * ONE_E8, True, (LISTING,)
)
LIMITS = m.Limits(1_000_000 * ONE_E8, 50, 1_000, 10**7, 5_000_000)
FEES = m.Fees(50_000, 100_000)
MARK_US = 400 * MS
ENDS = (m.OrderCancelled, m.OrderExpired, m.OrderRejectedByVenue, m.OrderNotRouted)


def cut(topic: Topic) -> Topic:
    """The topic with few partitions: takeovers of eight say no more than those of two."""
    return replace(topic, partitions=PARTITIONS)


def small(service: Service[Any]) -> Service[Any]:
    return replace(service, owns=cut(service.owns), inputs=tuple(map(cut, service.inputs)))


class Trading(Cluster):
    """One run of the real services."""

    services = (small(RISK), small(ROUTER), small(CLEARING))
    topics = (cut(ORDERS_COMMANDS), MARKET_MARKS)
    session: type[Session] = Session

    def __init__(self, seed: int, runner_type: RunnerType = Runner, verbose: bool = False) -> None:
        plan = plan_of(seed)
        events = {kind: rate for kind, rate in plan.events.items() if kind != "clock"}
        super().__init__(seed, replace(plan, events=events), runner_type, verbose)
        self.exchange = Exchange(self.broker, self.chance, self._line())
        self.price_e8 = 60_000 * ONE_E8
        self.commands = self._mark_sequence = self._marked_us = 0
        self.sent: list[m.OrderTerms] = []
        self._write_reference()
        self._mark()
        for account in ACCOUNTS:
            for asset, amount in (("USDT", 200_000), ("BTC", 3)):
                self._transfer(account, asset, amount * ONE_E8)

    def _line(self) -> Line:
        """A perfect line for the calm seeds, else one drawn at random."""
        if not self.plan.events:
            return Line()
        draw = self.chance.random
        return Line(draw() * 0.2, draw() * 0.2, draw() * 0.4, draw() * 0.3, self.chance.choice([20, 300, 2_500]) * MS)

    def effects(self, node: Node, runner: Runner[Any]) -> Effects:
        if node.service.name != "router":
            return NoEffects()
        log = runner.log
        assert isinstance(log, SimLog)
        runner.tables.views = self._books()
        return self.session(self.exchange, runner.offer, log)

    # -- the market and the clients --------------------------------------------------------------------------

    def _write_reference(self) -> None:
        meta = m.Meta(1, 0, m.Cause("test", 0, -1, "0"), 0, "", "")
        events: list[Any] = [
            m.InstrumentSet(meta, "k", "x", BTC),
            m.LimitsSet(meta, "k", "x", "*", LIMITS),
            m.FeesSet(meta, "k", "x", "*", FEES),
            *(m.AccountOpened(meta, "k", "x", account, account) for account in ACCOUNTS),
        ]
        self.broker.produce(Part(REFERENCE_EVENTS.name, 0), b"", encode(m.Began(meta, "0")))
        for sequence, event in enumerate(events, 1):
            numbered = replaced(event, meta=replaced(meta, sequence=sequence))
            self.broker.produce(Part(REFERENCE_EVENTS.name, 0), b"", encode(numbered))

    def _mark(self) -> None:
        """The price moves; marks and every router's books say so."""
        self.price_e8 += self.chance.randint(-2_000, 2_000) * 10**6
        at_us, price_e8 = self.broker.wall_us(), self.price_e8
        meta = m.Meta(1, self._mark_sequence, m.Cause("timer", 0, -1, "0"), at_us, f"mark{self._mark_sequence}", "")
        event: Any = m.Began(meta, "0")
        if self._mark_sequence:
            sequence = self._mark_sequence
            event = m.MarkPublished(meta, BTC.instrument_id, price_e8, price_e8, price_e8, VENUE, sequence, at_us, 0)
        self.broker.produce(Part(MARKET_MARKS.name, 0), b"", encode(event))
        self._mark_sequence += 1
        self._marked_us = self.broker.now_us
        for node in self.nodes:
            if node.runner is not None and node.service.name == "router":
                node.runner.tables.views = self._books()

    def _books(self) -> dict[tuple[str, str], BookView]:
        price_e8 = self.price_e8 // 10**6 * 10**6
        view = BookView(
            VENUE, SYMBOL, self._mark_sequence, self.broker.wall_us(), ((price_e8, 10 * ONE_E8),),
            ((price_e8 + 10**6, 10 * ONE_E8),),
        )  # fmt: skip
        return {(VENUE, SYMBOL): view}

    def load(self, step_us: int) -> None:
        if self.broker.now_us - self._marked_us > MARK_US:
            self._mark()
        if self.happens(self.plan.inputs_per_second, step_us):
            self._command(self.chance.choice(list(ACCOUNTS)))

    def _command(self, account: str) -> None:
        kind = self.chance.random()
        mine = [order for order in self.sent if order.account_id == account]
        if kind < 0.6 or not mine:
            self._order(account)
        elif kind < 0.7:
            self._ask(account, m.SubmitOrder(self.chance.choice(mine[-5:]), "key", self.broker.wall_us()))
        elif kind < 0.88:
            self._ask(account, m.CancelOrder(self._id(), account, self.chance.choice(mine[-8:]).order_id, "key", 0))
        elif kind < 0.94:
            cancel = m.CancelAllOrders(command_id=self._id(), account_id=account, key_id="key", received_at_us=0)
            self._ask(account, cancel)
        else:
            self._transfer(account, "USDT", self.chance.choice([-1, 1]) * self.chance.randint(1, 50_000) * ONE_E8)

    def _order(self, account: str) -> None:
        market = self.chance.random() < 0.25
        side: m.Side = self.chance.choice(["BUY", "SELL"])
        price_e8 = self.price_e8 // 10**6 * 10**6 + self.chance.randint(-50, 50) * 10**6
        in_force: m.TimeInForce = "IOC" if market else self.chance.choice(["GTC", "GTC", "GTC", "IOC", "FOK"])
        client_order_id = self._id()
        order = m.OrderTerms(
            ids.order_id(account, client_order_id), account, client_order_id, BTC.instrument_id, side,
            "MARKET" if market else "LIMIT", in_force, False, self.chance.randint(1, 8_000) * 10_000,
            None if market else price_e8,
        )  # fmt: skip
        self.sent.append(order)
        self._ask(account, m.SubmitOrder(order, "key", self.broker.wall_us()))

    def _transfer(self, account: str, asset: str, amount_e8: int) -> None:
        reference = self._id()
        transfer_id = ids.transfer_id(account, reference)
        terms = m.TransferTerms(transfer_id, account, asset, amount_e8, "bank:settlement", reference)
        self._ask(account, m.RequestTransfer(terms, "key", self.broker.wall_us()))

    def _id(self) -> str:
        self.commands += 1
        return f"c{self.commands}"

    def _ask(self, account: str, message: Any) -> None:
        self.broker.produce(Part(ORDERS_COMMANDS.name, ACCOUNTS[account]), account.encode(), encode(message))

    # -- the end ---------------------------------------------------------------------------------------------

    def quiet(self) -> None:
        self.exchange.line = Line()
        self.broker.at(self.broker.now_us + 12 * SECOND, self.exchange.expire_all)

    def still_missing(self) -> str:
        """Every command answered, every order ended, every fill booked, every reservation gone."""
        if any(truth.status == "OPEN" for truth in self.exchange.orders.values()):
            return "the venue has open orders"
        for partition in range(PARTITIONS):
            ended = {event.order_id for event in self._executions(partition) if ends(event)}
            for event in self._decisions(partition):
                if isinstance(event, m.OrderAccepted) and event.order.order_id not in ended:
                    return f"order {event.order.order_id} has not ended"
            for account, state in self.folded(self.services[0], partition).accounts.items():
                if state.reservations or state.withdrawals:
                    return f"{account} still has reservations {state.reservations} {state.withdrawals}"
        fills, booked = sum(len(truth.fills) for truth in self.exchange.orders.values()), len(list(self._trades()))
        return "" if fills == booked else f"{booked} of {fills} fills are booked"

    def _decisions(self, partition: int) -> list[Any]:
        return self.events(self.services[0], partition)

    def _executions(self, partition: int) -> list[Any]:
        return self.events(self.services[1], partition)

    def _entries(self, partition: int) -> list[Any]:
        return self.events(self.services[2], partition)

    def _trades(self) -> Iterator[m.EntryBooked]:
        for partition in range(PARTITIONS):
            yield from (entry for entry in self._entries(partition) if getattr(entry, "kind", "") == "TRADE")

    # -- the audit -------------------------------------------------------------------------------------------

    def audit(self) -> None:
        self._check_answers()
        self._check_orders()
        self._check_fills()
        self._check_money()
        for partition in range(PARTITIONS):
            self.seen.update(type(event).__name__ for event in self._decisions(partition))
            self.seen.update(type(event).__name__ for event in self._executions(partition))

    def _check_answers(self) -> None:
        """One decision for each order, however often it was submitted; nothing was parked."""
        answers: Counter[str] = Counter()
        for partition in range(PARTITIONS):
            for service in self.services:
                for event in self.events(service, partition):
                    if isinstance(event, m.InputParked):
                        raise Broken(f"{service.name}/{partition} parked an input: {event.reason}")
            decisions = self._decisions(partition)
            answers.update(e.order.order_id for e in decisions if isinstance(e, m.OrderAccepted | m.OrderRejected))
        wrong = {order.order_id: answers[order.order_id] for order in self.sent if answers[order.order_id] != 1}
        if wrong:
            raise Broken(f"orders without exactly one decision: {wrong}")

    def _check_orders(self) -> None:
        """What reached the venue was on the tape before, once, and nothing came after its absence was believed."""
        twice = [name for name, count in Counter(self.exchange.received).items() if count > 1]
        if twice:
            raise Broken(f"sent to the venue twice: {twice}")
        routed: set[str] = set()
        absent: set[str] = set()
        for partition in range(PARTITIONS):
            for event in self._executions(partition):
                if isinstance(event, m.OrderRouted):
                    routed.update(leg.venue_client_order_id for leg in event.legs)
                elif isinstance(event, m.OrderRejectedByVenue):
                    name = ids.venue_client_order_id(partition, event.order_id, event.leg)
                    absent.add(name)
                    self.seen[event.code] += 1
        if stray := set(self.exchange.received) - routed:
            raise Broken(f"at the venue without an intent on the tape: {stray}")
        if wrong := {name for name in absent if name in self.exchange.orders}:
            raise Broken(f"believed to be absent, but the venue has them: {wrong}")

    def _check_fills(self) -> None:
        """Every fill of the venue is booked once, as it was."""
        truth = {fill.execution_id: fill for order in self.exchange.orders.values() for fill in order.fills}
        booked = Counter(entry.execution_id or "" for entry in self._trades())
        if booked != Counter(truth.keys()):
            raise Broken(f"fills {booked - Counter(truth)} are booked too much, {Counter(truth) - booked} are missing")
        for entry in self._trades():
            fill = truth[entry.execution_id or ""]
            if (entry.filled_e8, entry.transacted_at_us) != (fill.quantity_e8, fill.transacted_at_us):
                raise Broken(f"{entry} is not {fill}")

    def _check_money(self) -> None:
        """Everything sums to zero; the mirror is what the venue moved; risk and clearing agree on every client."""
        mirror: Counter[str] = Counter()
        for partition in range(PARTITIONS):
            books = self.folded(self.services[2], partition)
            if any(ledger.trial_balance(books.balances).values()) or books.halted:
                raise Broken(f"partition {partition} does not sum to zero, or is halted: {books}")
            mirror.update(books.balances.get(f"venue:{VENUE}", {}))
            risk = self.folded(self.services[0], partition)
            for account, state in risk.accounts.items():
                cleared = books.balances.get(ledger.client(account), {})
                if nonzero(state.balances) != nonzero(cleared) or nonzero(state.reserved):
                    raise Broken(f"{account}: risk has {state.balances}, reserved {state.reserved}, clearing {cleared}")
                if any(amount < 0 for amount in cleared.values()):
                    raise Broken(f"{account} has less than nothing: {cleared}")
        if nonzero({asset: -amount for asset, amount in mirror.items()}) != nonzero(self.exchange.balances):
            raise Broken(f"the mirror says {dict(mirror)}, the venue moved {self.exchange.balances}")


def ends(event: Any) -> bool:
    """Whether an execution is the end of its order."""
    return isinstance(event, ENDS) or (isinstance(event, m.OrderFilled) and event.status == "FILLED")


def nonzero(amounts: dict[str, int]) -> dict[str, int]:
    return {asset: amount for asset, amount in sorted(amounts.items()) if amount}


if __name__ == "__main__":
    repeat(Trading)
