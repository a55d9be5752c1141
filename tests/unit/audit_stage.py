"""Real cores under the real run loop on a simulated cluster, with a venue that fills what it is told to: a true tape
for the audit to read, and to be lied to about."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from services.clearing.core import SERVICE as CLEARING
from services.gateway.core import SERVICE as GATEWAY
from services.notary.core import SERVICE as NOTARY
from services.pricing.core import SERVICE as PRICING
from services.pricing.tops import Top, TopsSeen
from services.reconciler.core import SERVICE as RECONCILER
from services.risk.core import SERVICE as RISK
from services.router.core import SERVICE as ROUTER
from tests.unit.desk import ALPHA, ANN, BOB, BTC, FEES
from truetape import ids
from truetape import messages as m
from truetape.audit import Audit, OpenView, Report
from truetape.audit.live import Live, Silent
from truetape.codec import decode, encode
from truetape.happenings import Part, Record
from truetape.money import notional, to_e8
from truetape.runner import DigestRequest, Runner
from truetape.settings import Settings
from truetape.simbroker import SimBroker
from truetape.topics import ORDERS_COMMANDS, PARTITIONS, REFERENCE_COMMANDS
from truetape.venue import reports as r
from truetape.venue.book import BookView

TURN_US = 5_000
QUIET_TURNS = 40
SERVICES = {one.name: one for one in (GATEWAY, RISK, ROUTER, CLEARING, PRICING, RECONCILER, NOTARY)}
ONE_VENUE = msgspec.structs.replace(BTC, listings=(ALPHA,))


class FillingVenue:
    """The router's effects: acknowledges every order, and fills as much of it as `appetite` says; below zero it is
    silent first, and then does not know the order."""

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self.appetite: Callable[[m.RoutedLeg], int] = lambda leg: leg.quantity_e8
        self.fills: list[r.VenueFilled] = []
        self._number = 0

    def act(self, partition: int, event: Any) -> None:
        if isinstance(event, m.OrderRouted):
            self._take(partition, event)
        elif isinstance(event, m.CancelRouted):
            for leg in event.legs:
                filled_e8 = self._filled.get(leg.venue_client_order_id, 0)
                gone = r.VenueCancelled(leg.venue, leg.venue_client_order_id, filled_e8, "asked")
                self._stage.offer(partition, r.report_id(gone), gone)

    def resume(self, partition: int, state: Any) -> None:
        self._filled: dict[str, int] = {}

    def release(self, partition: int) -> None: ...

    def _take(self, partition: int, event: m.OrderRouted) -> None:
        leg, now_us = event.legs[0], self._stage.broker.wall_us()
        left_e8 = self.appetite(leg)
        if left_e8 < 0:
            reports: list[r.Report] = [
                r.VenueUnknown(leg.venue, leg.venue_client_order_id, "timeout"),
                r.VenueNotFound(leg.venue, leg.venue_client_order_id, leg.send_before_us + 10_000_000),
            ]
            for report in reports:
                self._stage.offer(partition, r.report_id(report), report)
            return
        acknowledged = r.VenueAcknowledged(leg.venue, leg.venue_client_order_id, "v-1", now_us)
        self._stage.offer(partition, r.report_id(acknowledged), acknowledged)
        while left_e8 > 0:
            now_e8 = min(left_e8, to_e8("0.6"))
            left_e8 -= now_e8
            self._number += 1
            fill = r.VenueFilled(
                leg.venue, leg.symbol, leg.venue_client_order_id, "v-1",
                r.execution_id(leg.venue, leg.symbol, self._number, event.order.side), event.order.side, now_e8,
                leg.price_e8, notional(leg.price_e8, now_e8, "half_even"), "USDT", 1_234, "TAKER", now_us, "stream",
            )  # fmt: skip
            self._filled[leg.venue_client_order_id] = self._filled.get(leg.venue_client_order_id, 0) + now_e8
            self.fills.append(fill)
            self._stage.offer(partition, r.report_id(fill), fill)


class Tape:
    """A tape that nobody writes any more: what auditing it says, and what a test does to it."""

    def __init__(self, broker: SimBroker) -> None:
        self.broker = broker
        self.settings = Settings(snapshot_every_records=20, snapshot_every_seconds=1_000_000)

    def copy(self) -> "Tape":
        """Another tape with the same records."""
        broker = SimBroker(1)
        for part, partition in self.broker._partitions.items():
            for record in partition.slice(0, partition.end):
                broker.produce(part, record.key, record.value, record.headers)
        return Tape(broker)

    def ask(self, names: list[str]) -> Mapping[str, Live | Silent]:
        """Nobody answers."""
        return {name: Silent(name, "stopped") for name in names}

    def audit(
        self,
        ask: Callable[[list[str]], Mapping[str, Live | Silent]] | None = None,
        views: Mapping[str, OpenView] | None = None,
        **options: Any,
    ) -> Report:
        """An audit of this tape."""
        log = self.broker.log("auditor")
        return Audit(log, self.settings, SERVICES, ask or self.ask, views or {}, **options).run()

    def partition(self, account: str) -> int:
        """Where an account lives."""
        return ids.partition_of(account, PARTITIONS)

    def messages(self, part: Part) -> list[Any]:
        """Every record of a partition, decoded."""
        return [decode(record.value or b"") for record in self.broker.records(part)]

    def rewrite(self, part: Part, change: Callable[[Any], Any], kind: type) -> int:
        """Change the last record of a kind where it stands, as nobody can; its offset."""
        records: list[Record] = self.broker.partition(part)._records
        for index in range(len(records) - 1, -1, -1):
            found = decode(records[index].value or b"")
            if isinstance(found, kind):
                records[index] = records[index]._replace(value=encode(change(found)))
                return records[index].offset
        raise AssertionError(f"no {kind.__name__} on {part}")


class Stage(Tape):
    """All services, two accounts with funds, one instrument at one venue."""

    def __init__(self) -> None:
        super().__init__(SimBroker(1))
        self.venue = FillingVenue(self)
        self.runners: dict[str, Runner[Any]] = {}
        for name, service in SERVICES.items():
            runner: Runner[Any] = Runner(service, self.broker.log(name), self.settings)
            self.runners[name] = runner
            if name == "router":
                runner.effects = self.venue
                runner.tables.views = {("alpha", "BTCUSDT"): self._book()}
            runner.start()
        self._orders = 0
        self._submitted: dict[str, m.SubmitOrder] = {}
        self.settle()
        self.set_up()

    def _book(self) -> BookView:
        bids, asks = ((to_e8("59999"), to_e8("50")),), ((to_e8("60001"), to_e8("50")),)
        return BookView("alpha", "BTCUSDT", 7, 1 << 62, bids, asks)

    def set_up(self) -> None:
        """Instrument, accounts, fees, a mark, funds at the venue."""
        commands: list[Any] = [
            m.SetInstrument("c-1", "test", ONE_VENUE),
            m.OpenAccount("c-2", "test", ANN, "Ann"),
            m.OpenAccount("c-3", "test", BOB, "Bob"),
            m.SetFees("c-4", "test", "*", FEES),
        ]
        for command in commands:
            self.broker.produce(Part(REFERENCE_COMMANDS.name, 0), b"", encode(command))
        self.settle()
        self.mark()
        for account in (ANN, BOB):
            for asset, amount in (("USDT", "1000000"), ("BTC", "20")):
                self.transfer(account, asset, amount)
        self.settle()

    # -- what happens ----------------------------------------------------------------------------------------

    def mark(self, price: str = "60000") -> None:
        """Pricing sees a book."""
        now_us = self.broker.wall_us()
        top = Top("alpha", to_e8(price) - 10**8, to_e8(price) + 10**8, 7, now_us)
        self.runners["pricing"].offer(0, "books", str(now_us), TopsSeen("BTC-USDT", (top,), 0))
        self.settle()

    def command(self, account: str, command: Any) -> None:
        """A client's command reaches the bus."""
        part = Part(ORDERS_COMMANDS.name, ids.partition_of(account, PARTITIONS))
        self.broker.produce(part, account.encode(), encode(command))

    def transfer(self, account: str, asset: str, amount: str) -> None:
        """A deposit, or a withdrawal when negative."""
        reference = f"{asset}{amount}"
        terms = m.TransferTerms(
            ids.transfer_id(account, reference), account, asset, to_e8(amount), "venue:alpha", reference
        )
        self.command(account, m.RequestTransfer(terms, "key", self.broker.wall_us()))

    def order(self, account: str, side: m.Side, quantity: str, price: str) -> str:
        """An order; its id."""
        self._orders += 1
        client_order_id = f"o-{self._orders}"
        order_id = ids.order_id(account, client_order_id)
        terms = m.OrderTerms(
            order_id, account, client_order_id, "BTC-USDT", side, "LIMIT", "GTC", False, to_e8(quantity), to_e8(price)
        )
        self._submitted[order_id] = m.SubmitOrder(terms, "key", self.broker.wall_us())
        self.command(account, self._submitted[order_id])
        return order_id

    def cancel(self, account: str, order_id: str) -> None:
        """A cancel."""
        self.command(account, m.CancelOrder(f"cancel-{order_id}", account, order_id, "key", 0))

    def trade(self) -> None:
        """Some of everything: fills in parts, resting orders, cancels, refusals, a repetition, doubts, a withdrawal."""
        self.mark()
        for number in range(6):
            self.order(
                (ANN, BOB)[number % 2], ("BUY", "SELL")[number // 2 % 2], "1", "60001" if number < 2 else "59999"
            )
        self.settle()
        self.mark()
        self.venue.appetite = lambda leg: leg.quantity_e8 // 4
        resting = [self.order(account, "BUY", "0.8", "60001") for account in (ANN, BOB)]
        self.order(ANN, "BUY", "0.00001", "60000")
        self.settle()
        self.cancel(ANN, resting[0])
        self.command(ANN, self._submitted[resting[0]])
        self.venue.appetite = lambda leg: -1
        self.order(ANN, "SELL", "0.3", "61000")
        self.transfer(BOB, "BTC", "-2")
        self.settle()

    def offer(self, partition: int, name: str, report: Any) -> None:
        """The venue tells the router."""
        self.runners["router"].offer(partition, "venue:alpha", name, report)

    def settle(self, turns: int = 1_000) -> None:
        """Let everybody do what there is to do, until nothing happened for some turns or so many have passed."""
        quiet = 0
        for _ in range(turns):
            before = self._written()
            self.broker.advance(TURN_US)
            for runner in self.runners.values():
                if runner.log.busy_until_us <= self.broker.now_us:  # type: ignore[attr-defined]
                    runner.turn(0.0)
            quiet = quiet + 1 if self._written() == before else 0
            if quiet == QUIET_TURNS:
                return

    def _written(self) -> tuple[int, int]:
        written = sum(partition.end for partition in self.broker._partitions.values())
        return written, sum(len(runner.missing()) for runner in self.runners.values())

    def keep_snapshots(self) -> None:
        """Every service keeps a snapshot of every partition."""
        for runner in self.runners.values():
            runner.settings = runner.settings.model_copy(update={"snapshot_every_seconds": 0.001})
        self.settle()

    # -- the audit -------------------------------------------------------------------------------------------

    def ask(self, names: list[str]) -> Mapping[str, Live | Silent]:
        """What /digest of each service would answer, by the same function and through JSON."""
        found: dict[str, Live | Silent] = {}
        for name in names:
            request = DigestRequest(threading.Event(), {}, True)
            self.runners[name].log.offer(request)
            self.settle(2)
            body = msgspec.json.encode({"service": name, "partitions": request.found})
            found[name] = msgspec.json.decode(body, type=Live, strict=False)
        return found


def traded() -> Stage:
    """Services that have traded, with a snapshot of every partition."""
    made = Stage()
    made.trade()
    made.keep_snapshots()
    return made
