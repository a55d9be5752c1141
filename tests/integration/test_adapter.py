"""The router's session and the Binance adapter against the real simulated venue, with its faults planted.

The rig is the router without Kafka: it decides and evolves every input, acts at once, and keeps the records, so that
what a restart would read is at hand. Whatever was planted, the tape must say what the venue's own ledger says.
"""

import asyncio
import queue
import random
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from services.pricing.core import State as PricingState
from services.pricing.facts import FactSender
from services.pricing.session import Session as PricingSession
from services.router import core
from services.router.session import Session
from truetape import ids, marks, orders, reference
from truetape import messages as m
from truetape.money import from_e8, to_e8
from truetape.service import Input, Tables
from truetape.settings import VenueSettings
from truetape.tape import Reader
from truetape.venue.binance import Binance
from venues.process import VenueProcess, run_venue

PARTITION = 3
SYMBOL = "BTCUSDT"
LIFETIME_US = 1_000_000


def instrument(*venues: str, taker_rates: dict[str, int] | None = None) -> m.Instrument:
    rates = taker_rates or {}
    listings = tuple(
        m.Listing(venue, SYMBOL, to_e8("0.01"), to_e8("0.00001"), to_e8("0.00001"), to_e8("5"), 100_000,
                  rates.get(venue, 100_000))
        for venue in venues
    )  # fmt: skip
    return m.Instrument(
        "BTC-USDT", "BTC", "USDT", to_e8("0.01"), to_e8("0.00001"), to_e8("0.00001"), to_e8("100"), to_e8("5"),
        to_e8("9000000"), True, listings,
    )  # fmt: skip


class Rig:
    """One router over venues; `events` is its tape."""

    def __init__(self, *venues: tuple[str, VenueProcess], **listing: Any) -> None:
        self.name = secrets.token_hex(8)
        self.processes = dict(venues)
        self.tables = Tables(reference.Reference(), marks.Marks())
        self.tables.reference.instruments["BTC-USDT"] = instrument(*self.processes, **listing)
        self.offers: queue.SimpleQueue[tuple[int, str, str, Any]] = queue.SimpleQueue()
        self.events: list[Any] = []
        self.state = core.State()
        self.counts: Counter[str] = Counter()
        self.inputs = 0
        self.session: Session | None = None

    def start(self, venues: tuple[str, ...] | None = None) -> None:
        """A new process takes the partition over, with what the tape says."""
        connected = venues if venues is not None else tuple(self.processes)

        def connect() -> dict[str, Any]:
            return {name: adapter(name, self.processes[name]) for name in connected}

        self.session = Session(lambda *offer: self.offers.put(offer), connect, lambda _: {SYMBOL}, self.counts)
        self.tables.views = self.session.books
        self.session.start()
        self.state = core.State()
        for event in self.events:
            self.state = core.evolve(self.state, event)
        self.session.resume(PARTITION, self.state)

    def stop(self) -> None:
        if self.session is not None:
            self.session.close()
            self.session = None
        while not self.offers.empty():
            self.offers.get()

    def take(self, message: Any, cause: m.Cause, act: bool = True) -> Any:
        """One input: decide, evolve, write, act."""
        given = Input(
            message,
            cause,
            time.time_ns() // 1_000,
            "orders.executions",
            1,
            len(self.events) + 1,
            self.tables,
            PARTITION,
        )
        event = core.decide(self.state, given)
        if event is not None:
            self.state = core.evolve(self.state, event)
            self.events.append(event)
            if act and self.session is not None:
                self.session.act(PARTITION, event)
        return event

    def decision(self, message: Any, act: bool = True) -> Any:
        self.inputs += 1
        return self.take(message, m.Cause("orders.decisions", PARTITION, self.inputs, ""), act)

    def pump(self, until: Callable[[], bool], seconds: float = 60.0) -> None:
        """Take offers until a condition holds; fails when it does not in time."""
        deadline = time.monotonic() + seconds
        while not until():
            left = deadline - time.monotonic()
            assert left > 0, f"not in time; the tape says {[type(e).__name__ for e in self.events]}"
            try:
                partition, source, id, message = self.offers.get(timeout=min(left, 0.02))
            except queue.Empty:
                continue
            assert partition == PARTITION
            self.take(message, m.Cause(source, 0, -1, id))

    def settle(self, seconds: float = 0.3) -> None:
        """Take whatever still comes within a while."""
        ends = time.monotonic() + seconds
        self.pump(lambda: time.monotonic() > ends, seconds + 1)

    def submit(
        self,
        number: int,
        side: m.Side = "BUY",
        price: str = "60000",
        quantity: str = "0.1",
        act: bool = True,
        **terms: Any,
    ) -> str:
        """Accept an order and route it; returns its id."""
        order_id = ids.order_id("acct", f"{self.name}-{number}")
        kind = terms.pop("order_type", "LIMIT")
        lifetime_us = terms.pop("lifetime_us", LIFETIME_US)
        filled_in = {"time_in_force": "GTC", "post_only": False, **terms}
        order = m.OrderTerms(
            order_id, "acct", str(number), "BTC-USDT", side, kind, quantity_e8=to_e8(quantity),
            price_e8=to_e8(price) if kind == "LIMIT" else None, **filled_in,
        )  # fmt: skip
        now_us = time.time_ns() // 1_000
        meta = m.Meta(1, number, m.Cause("orders.commands", PARTITION, number, ""), now_us, "", order_id)
        accepted = m.OrderAccepted(
            meta=meta, order=order, limit_price_e8=to_e8(price), reserved_asset="USDT", reserved_e8=0, fee_rate_e8=0,
            reference_offset=0, send_before_us=now_us + lifetime_us,
        )  # fmt: skip
        self.decision(accepted, act)
        return order_id

    def cancel(self, *order_ids: str) -> Any:
        meta = m.Meta(1, 1, m.Cause("orders.commands", PARTITION, 0, ""), 0, "", "")
        return self.decision(m.CancelRequested(meta, f"cancel-{self.inputs}", "acct", order_ids))

    def of(self, order_id: str) -> list[Any]:
        """Events of one order."""
        return [e for e in self.events if getattr(e, "order_id", None) == order_id or order_in(e) == order_id]

    def kinds(self, order_id: str) -> list[str]:
        return [type(event).__name__ for event in self.of(order_id)]

    def status(self, order_id: str) -> str:
        status: m.OrderStatus = "ACCEPTED"
        filled = False
        for event in self.of(order_id):
            status = orders.advance(status, event, filled)
            filled = filled or isinstance(event, m.OrderFilled)
        return status

    def ended(self, order_id: str) -> bool:
        return self.status(order_id) in orders.TERMINAL

    def wait(self, *order_ids: str, seconds: float = 60.0) -> None:
        self.pump(lambda: all(map(self.ended, order_ids)), seconds)

    def wait_for_book(self, venue: str, ask: str | None = None, bid: str | None = None) -> None:
        """Until the session's book shows this best price."""

        def shown() -> bool:
            assert self.session is not None
            view = self.session.books.get((venue, SYMBOL))
            if view is None or not view.usable:
                return False
            best = (view.asks[0][0] if view.asks else None, view.bids[0][0] if view.bids else None)
            return (ask is None or best[0] == to_e8(ask)) and (bid is None or best[1] == to_e8(bid))

        self.pump(shown)


def order_in(event: Any) -> str | None:
    return event.order.order_id if isinstance(event, m.OrderRouted) else None


def adapter(name: str, process: VenueProcess) -> Binance:
    key = process.trade_key
    settings = VenueSettings.model_validate({"rest_url": process.rest_url, "stream_url": process.stream_url})
    return Binance(name, settings, SecretStr(key.api_key), SecretStr(key.secret))


def rest(process: VenueProcess, side: str, price: str, quantity: str) -> Any:
    """Another account's order, past all planted faults."""
    body = {"symbol": SYMBOL, "side": side, "quantity": quantity, "price": price}
    return process.admin("POST", f"accounts/{process.account}-other/trade-outside", body)


def check_against_venue(rig: Rig, name: str) -> None:
    """Each execution once, none invented, ends last and once, and the state is the fold of its events."""
    fills = [e for e in rig.events if isinstance(e, m.OrderFilled) and e.venue == name]
    told = [
        (e.execution_id, from_e8(e.quantity_e8), from_e8(e.price_e8), from_e8(e.quote_amount_e8), from_e8(e.fee_e8),
         e.fee_asset, e.venue_order_id, e.liquidity)
        for e in fills
    ]  # fmt: skip
    process = rig.processes[name]
    theirs = [
        (f"{name}:{t['symbol']}:{t['id']}:{'B' if t['isBuyer'] else 'S'}", plain(t["qty"]), plain(t["price"]),
         plain(t["quoteQty"]), plain(t["commission"]), t["commissionAsset"], str(t["orderId"]),
         "MAKER" if t["isMaker"] else "TAKER")
        for t in process.admin("GET", f"trades?account={process.account}")
        if ids.partition_of_venue_order(t["clientOrderId"]) == PARTITION and t["clientOrderId"] in rig.state.legs
    ]  # fmt: skip
    assert sorted(told) == sorted(theirs)
    check_order_of_events(rig)


def plain(text: str) -> str:
    return from_e8(to_e8(text))


def check_order_of_events(rig: Rig) -> None:
    by_order: dict[str, list[Any]] = defaultdict(list)
    for event in rig.events:
        if (order_id := getattr(event, "order_id", None) or order_in(event)) is not None:
            by_order[order_id].append(event)
    for events in by_order.values():
        ends = [e for e in events if isinstance(e, m.OrderCancelled | m.OrderExpired | m.OrderRejectedByVenue)]
        full = [e for e in events if isinstance(e, m.OrderFilled) and e.status == "FILLED"]
        assert len(ends) + len(full) <= 1
        filled = [e for e in events if isinstance(e, m.OrderFilled)]
        running = 0
        for fill in filled:
            running += fill.quantity_e8
            assert fill.cumulative_quantity_e8 == running
        for end in ends:
            before = sum(e.quantity_e8 for e in events[: events.index(end)] if isinstance(e, m.OrderFilled))
            assert end.cumulative_quantity_e8 == before
    reader, again = Reader("orders.executions", PARTITION), core.State()
    reader.accept(m.Began(m.Meta(1, 0, m.Cause("", 0, -1, ""), 0, "", ""), "test"), 0)
    for offset, event in enumerate(rig.events):
        assert reader.accept(event, offset)
        again = core.evolve(again, event)
    assert again == rig.state


@pytest.fixture(scope="module")
def process() -> Iterator[VenueProcess]:
    with run_venue("--rate", "0", "--name", "alpha") as running:
        fund(running)
        yield running


def fund(process: VenueProcess) -> None:
    for account in (process.account, process.account + "-other"):
        process.deposit("USDT", "100000000", account=account)
        process.deposit("BTC", "1000", account=account)


@pytest.fixture
def rig(process: VenueProcess) -> Iterator[Rig]:
    """A router on a venue with an empty book and no faults."""
    process.admin("DELETE", "faults")
    one = Rig(("alpha", process))
    one.start()
    one.wait_for_book("alpha")
    yield one
    one.stop()
    process.admin("DELETE", "faults")
    for key in (process.trade_key, process.other_key):
        process.signed("DELETE", "/api/v3/openOrders", key=key, symbol=SYMBOL)
    check_against_venue(one, "alpha")


def test_a_taking_order_is_filled_with_the_venues_figures(rig: Rig, process: VenueProcess) -> None:
    rest(process, "SELL", "60000", "0.04")
    rest(process, "SELL", "60010", "0.03")
    rig.wait_for_book("alpha", ask="60000")
    order = rig.submit(1, price="60020", quantity="0.05", time_in_force="IOC")
    rig.wait(order)
    assert rig.kinds(order) == ["OrderRouted", "OrderFilled", "OrderFilled"]
    routed, first, second = rig.of(order)
    assert [(from_e8(e.quantity_e8), from_e8(e.price_e8)) for e in (first, second)] == [
        ("0.04", "60000"),
        ("0.01", "60010"),
    ]
    assert (first.status, second.status, second.leaves_quantity_e8) == ("PARTIALLY_FILLED", "FILLED", 0)
    assert routed.seen[0].fillable_e8 == to_e8("0.05")


def test_a_market_order_goes_as_a_limit_that_takes_or_expires(rig: Rig, process: VenueProcess) -> None:
    rest(process, "BUY", "50000", "0.02")
    rig.wait_for_book("alpha", bid="50000")
    order = rig.submit(1, "SELL", price="49000.001", quantity="0.05", order_type="MARKET", time_in_force="IOC")
    rig.wait(order)
    routed, filled, expired = rig.of(order)
    assert routed.legs[0].price_e8 == to_e8("49000.01"), "a sell is rounded up, never beyond what was allowed"
    assert isinstance(filled, m.OrderFilled) and isinstance(expired, m.OrderExpired)
    assert expired.cumulative_quantity_e8 == to_e8("0.02")


def test_a_resting_order_is_filled_in_part_and_cancelled(rig: Rig, process: VenueProcess) -> None:
    order = rig.submit(1, price="55000", quantity="0.1")
    rig.pump(lambda: rig.status(order) == "WORKING")
    rest(process, "SELL", "55000", "0.03")
    rig.pump(lambda: rig.status(order) == "PARTIALLY_FILLED")
    rig.cancel(order)
    rig.wait(order)
    assert rig.kinds(order) == ["OrderRouted", "OrderAcknowledged", "OrderFilled", "OrderCancelled"]
    fill, cancelled = rig.of(order)[-2:]
    assert (fill.liquidity, fill.source) == ("MAKER", "stream")
    assert (cancelled.reason, cancelled.cumulative_quantity_e8) == ("REQUESTED", to_e8("0.03"))
    assert rig.cancel(order) is None, "nothing is left to cancel"


def test_a_post_only_order_that_would_take_is_rejected_with_the_venues_words(rig: Rig, process: VenueProcess) -> None:
    rest(process, "SELL", "60000", "0.04")
    rig.wait_for_book("alpha", ask="60000")
    order = rig.submit(1, price="60001", post_only=True)
    rig.wait(order)
    assert (rig.of(order)[-1].code, rig.of(order)[-1].reason) == ("-2010", "Order would immediately match and take.")


def test_two_of_our_clients_may_trade_with_each_other(rig: Rig) -> None:
    maker = rig.submit(1, price="55000", quantity="0.02")
    rig.pump(lambda: rig.status(maker) == "WORKING")
    rig.wait_for_book("alpha", bid="55000")
    taker = rig.submit(2, "SELL", price="55000", quantity="0.02", time_in_force="IOC")
    rig.wait(maker, taker)
    bought, sold = (next(e for e in rig.of(order) if isinstance(e, m.OrderFilled)) for order in (maker, taker))
    assert bought.execution_id[:-1] == sold.execution_id[:-1], "one trade of the venue"
    assert (bought.execution_id[-1], sold.execution_id[-1]) == ("B", "S")


def test_an_unsolicited_cancel_is_told_as_the_venues(rig: Rig, process: VenueProcess) -> None:
    order = rig.submit(1, price="55000")
    rig.pump(lambda: rig.status(order) == "WORKING")
    process.signed("DELETE", "/api/v3/openOrders", symbol=SYMBOL)
    rig.wait(order)
    assert rig.of(order)[-1].reason == "BY_VENUE"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_reply"},
        {"kind": "error_after", "code": -1006},
        {"kind": "error_after", "code": -1007},
    ],
    ids=lambda fault: f"{fault['kind']}{fault.get('code', '')}",
)
def test_an_answer_lost_after_accepting_is_unknown_until_the_venue_tells(
    rig: Rig, process: VenueProcess, fault: dict[str, Any]
) -> None:
    rest(process, "SELL", "60000", "0.04")
    rig.wait_for_book("alpha", ask="60000")
    process.plant(kind="drop_event")
    process.plant(**fault, method="POST", path="/api/v3/order", count=1)
    taking = rig.submit(1, price="60000", quantity="0.1", time_in_force="IOC")
    rig.wait(taking)
    assert rig.kinds(taking) == ["OrderRouted", "OutcomeUnknown", "OrderFilled", "OrderExpired"]
    assert rig.of(taking)[2].source == "query"
    process.plant(**fault, method="POST", path="/api/v3/order", count=1)
    resting = rig.submit(2, price="55000")
    rig.pump(lambda: rig.status(resting) == "WORKING")
    assert rig.kinds(resting) == ["OrderRouted", "OutcomeUnknown", "OrderAcknowledged"]


@pytest.mark.parametrize("kind", ["drop_request", "error"])
def test_an_order_that_never_arrived_ends_only_after_its_deadline(rig: Rig, process: VenueProcess, kind: str) -> None:
    process.plant(kind=kind, method="POST", path="/api/v3/order", count=1)
    order = rig.submit(1, price="55000", lifetime_us=600_000)
    rig.pump(lambda: rig.status(order) == "UNKNOWN")
    rig.wait(order)
    routed, *_, rejected = rig.of(order)
    assert rejected.code == core.NOT_RECEIVED
    deadline_us = routed.legs[0].send_before_us
    assert rejected.meta.decided_at_us > deadline_us, "no such order is no proof before the deadline"


def test_a_refusal_is_definite(rig: Rig, process: VenueProcess) -> None:
    order = rig.submit(1, price="2000000", quantity="9")
    rig.wait(order)
    assert rig.kinds(order) == ["OrderRouted", "OrderRejectedByVenue"]
    assert rig.of(order)[-1].code == "-1013"


def test_a_late_order_is_never_sent(rig: Rig, process: VenueProcess) -> None:
    order = rig.submit(1, price="55000", lifetime_us=1)
    assert rig.kinds(order) == ["OrderNotRouted"]
    assert rig.of(order)[0].reason == "SEND_DEADLINE_PASSED"
    sent_late = rig.submit(2, price="55000", act=False, lifetime_us=150_000)
    assert rig.session is not None
    time.sleep(0.2)
    rig.session.act(PARTITION, rig.of(sent_late)[0])
    rig.wait(sent_late)
    assert rig.of(sent_late)[-1].code == "SEND_DEADLINE_PASSED"
    assert not received_of(rig, process)


def test_the_venue_itself_refuses_what_arrives_after_the_deadline(rig: Rig, process: VenueProcess) -> None:
    process.plant(kind="delay", method="POST", path="/api/v3/order", delay_ms=3_000, count=1)
    order = rig.submit(1, price="55000", lifetime_us=2_000_000)
    rig.wait(order)
    assert rig.of(order)[-1].code == "-1021"


def test_rate_limits_are_respected_and_no_order_goes_where_it_would_be_refused(rig: Rig, process: VenueProcess) -> None:
    process.plant(kind="rate_limit", method="POST", path="/api/v3/order", count=1)
    refused = rig.submit(1, price="55000")
    rig.wait(refused)
    assert rig.of(refused)[-1].code == "-1003"
    held_back = rig.submit(2, price="55000")
    rig.wait(held_back)
    assert rig.kinds(held_back)[-1] in ("OrderRejectedByVenue", "OrderNotRouted")
    assert rig.of(held_back)[-1].reason.startswith(("not sent", "NO_FRESH_BOOK"))
    assert ids.venue_client_order_id(PARTITION, held_back, 0) not in received_of(rig, process)


def test_fills_behind_a_lost_connection_are_recovered(rig: Rig, process: VenueProcess) -> None:
    partly, whole = rig.submit(1, price="55000"), rig.submit(2, price="55001", quantity="0.02")
    rig.pump(lambda: rig.status(partly) == rig.status(whole) == "WORKING")
    process.plant(kind="drop_event")
    rest(process, "SELL", "55000", "0.05")
    process.admin("DELETE", "faults")
    process.admin("POST", "disconnect", {"streams": "all"})
    rig.pump(lambda: (rig.status(partly), rig.status(whole)) == ("PARTIALLY_FILLED", "FILLED"))
    assert {e.source for e in rig.events if isinstance(e, m.OrderFilled)} == {"query"}
    rig.wait_for_book("alpha")


def test_an_end_waits_for_the_fills_that_it_implies(rig: Rig, process: VenueProcess) -> None:
    order = rig.submit(1, price="55000")
    rig.pump(lambda: rig.status(order) == "WORKING")
    process.plant(kind="late_event", executions=["TRADE"], delay_ms=1_500)
    rest(process, "SELL", "55000", "0.03")
    process.signed("DELETE", "/api/v3/openOrders", symbol=SYMBOL)
    rig.wait(order)
    assert rig.kinds(order)[-2:] == ["OrderFilled", "OrderCancelled"]
    rig.settle(1.8)
    assert rig.kinds(order).count("OrderFilled") == 1, "the late event says nothing new"


def test_a_cancel_whose_answer_is_lost_is_settled(rig: Rig, process: VenueProcess) -> None:
    for number, kind in enumerate(("drop_reply", "drop_request", "error", "error_after")):
        order = rig.submit(number, price="55000")
        rig.pump(lambda order=order: rig.status(order) == "WORKING")  # type: ignore[misc]
        process.plant(kind="drop_event", executions=["CANCELED"], count=1)
        process.plant(kind=kind, method="DELETE", path="/api/v3/order", count=1)
        rig.cancel(order)
        rig.wait(order)
        assert rig.status(order) == "CANCELLED"
        process.admin("DELETE", "faults")


def test_a_cancel_overtaking_its_order_waits_for_it(rig: Rig, process: VenueProcess) -> None:
    process.plant(kind="delay", method="POST", path="/api/v3/order", delay_ms=300, count=1)
    order = rig.submit(1, price="55000")
    rig.cancel(order)
    rig.wait(order)
    assert rig.status(order) == "CANCELLED"


def test_a_cancel_of_a_filled_order_changes_nothing(rig: Rig, process: VenueProcess) -> None:
    order = rig.submit(1, price="55000", quantity="0.01")
    rig.pump(lambda: rig.status(order) == "WORKING")
    process.plant(kind="drop_event")
    rest(process, "SELL", "55000", "0.01")
    rig.cancel(order)
    rig.wait(order)
    assert rig.status(order) == "FILLED"


def test_a_new_owner_sends_nothing_again_and_recovers_what_it_missed(rig: Rig, process: VenueProcess) -> None:
    rest(process, "SELL", "60000", "0.04")
    rig.wait_for_book("alpha", ask="60000")
    working = rig.submit(1, price="55000")
    rig.pump(lambda: rig.status(working) == "WORKING")
    never_sent = rig.submit(2, price="55000", act=False, lifetime_us=300_000)
    unheard = rig.submit(3, price="60000", quantity="0.04", lifetime_us=5_000_000)
    cancelling = rig.submit(4, price="54000")
    while len(received_of(rig, process)) < 3:
        time.sleep(0.01)
    rig.stop()
    rest(process, "SELL", "55000", "0.02")
    rig.cancel(cancelling)
    rig.start()
    rig.wait(never_sent, unheard, cancelling)
    assert rig.of(never_sent)[-1].code == core.NOT_RECEIVED
    assert rig.status(unheard) == "FILLED"
    assert rig.status(cancelling) == "CANCELLED"
    rig.pump(lambda: rig.status(working) == "PARTIALLY_FILLED")
    received = received_of(rig, process)
    assert [received[leg] for leg, order in rig.state.legs.items() if order == never_sent] == [0]
    assert max(received[leg] for leg in rig.state.legs) == 1


def received_of(rig: Rig, process: VenueProcess) -> Counter[str]:
    """How often the venue received each of the rig's orders."""
    names = [one["client_order_id"] for one in process.admin("GET", "received")]
    return Counter(name for name in names if name in rig.state.legs)


def test_another_routers_orders_are_left_to_it(rig: Rig, process: VenueProcess) -> None:
    theirs: dict[str, Any] = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    theirs |= {"quantity": "0.01", "price": "55000"}
    for name in (ids.venue_client_order_id(PARTITION + 1, "ab" * 16, 0), "somebody-else"):
        assert process.signed("POST", "/api/v3/order", newClientOrderId=name, **theirs)[0] == 200
    rest(process, "SELL", "55000", "0.02")
    rig.settle()
    assert rig.events == []


def test_everything_at_once_ends_as_the_venue_says(rig: Rig, process: VenueProcess) -> None:
    """Forty orders under lost, repeated, reordered and late events, lost answers and cut connections."""
    chance = random.Random(7)
    for price in ("60000", "60001", "60002"):
        rest(process, "SELL", price, "0.3")
    rig.wait_for_book("alpha", ask="60000")
    for kind, probability in (
        ("duplicate_event", 0.4),
        ("reorder_event", 0.3),
        ("late_event", 0.2),
        ("drop_event", 0.2),
    ):
        process.plant(kind=kind, probability=probability, delay_ms=200)
    for kind in ("drop_reply", "drop_request", "error", "error_after"):
        process.plant(kind=kind, probability=0.1, method="POST", path="/api/v3/order")
    sent = []
    for number in range(40):
        force = chance.choice(["GTC", "IOC", "FOK"])
        price = chance.choice(["60001", "60002", "55000"]) if force != "GTC" else chance.choice(["60000", "55000"])
        sent.append(rig.submit(number, price=price, quantity=chance.choice(["0.01", "0.05"]), time_in_force=force))
        rig.settle(0.02)
        if number % 13 == 12:
            process.admin("POST", "disconnect", {"streams": "user"})
    rest(process, "SELL", "55000", "0.08")
    rig.settle(0.5)
    rig.cancel(*sent)
    process.admin("DELETE", "faults")
    rig.wait(*sent, seconds=20)
    check_against_venue(rig, "alpha")


def test_the_cheaper_venue_gets_the_order_and_an_unreachable_one_is_definite(process: VenueProcess) -> None:
    with run_venue("--rate", "0", "--name", "beta", "--taker-fee", "0.0005") as beta:
        fund(beta)
        rig = Rig(("alpha", process), ("beta", beta), taker_rates={"beta": 50_000})
        rig.start()
        rest(process, "SELL", "60000", "0.04")
        rest(beta, "SELL", "60020", "0.04")
        rig.wait_for_book("alpha", ask="60000")
        rig.wait_for_book("beta", ask="60020")
        by_fee = rig.submit(1, price="60030", quantity="0.02", time_in_force="IOC")
        rig.wait(by_fee)
        assert rig.of(by_fee)[-1].venue == "beta", "60020 and 0.05 % are less than 60000 and 0.1 %"
        assert {seen.venue for seen in rig.of(by_fee)[0].seen} == {"alpha", "beta"}
        check_against_venue(rig, "beta")
        beta.stop()
        late = rig.submit(2, price="60030", quantity="0.02", time_in_force="IOC")
        rig.wait(late)
        if rig.of(late)[0].legs[0].venue == "beta":
            assert (rig.status(late), rig.of(late)[-1].code) == ("REJECTED", "VENUE_UNREACHABLE")
        rig.pump(lambda: rig.session is not None and not rig.session.books["beta", SYMBOL].usable)
        elsewhere = rig.submit(3, price="60030", quantity="0.02", time_in_force="IOC")
        rig.wait(elsewhere)
        assert rig.of(elsewhere)[-1].venue == "alpha"
        rig.stop()
    process.signed("DELETE", "/api/v3/openOrders", key=process.other_key, symbol=SYMBOL)


async def test_a_listing_that_the_venue_does_not_know_keeps_no_other_book_away(process: VenueProcess) -> None:
    venue = adapter("alpha", process)
    seen: dict[str, Any] = {}
    wanted = {"NOPEUSDT", "BTCUSDT", "ETHUSDT"}
    following = asyncio.create_task(venue.follow_books(lambda: wanted, lambda view: seen.update({view.symbol: view})))
    async with asyncio.timeout(10):
        while not {"BTCUSDT", "ETHUSDT"} <= {symbol for symbol, view in seen.items() if view.usable}:
            await asyncio.sleep(0.01)
    assert "NOPEUSDT" not in seen
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await venue.close()


def test_marks_follow_the_books_and_stop_when_they_are_in_doubt(process: VenueProcess) -> None:
    rest(process, "BUY", "50000", "1")
    rest(process, "SELL", "50010", "1")
    seen: queue.SimpleQueue[Any] = queue.SimpleQueue()
    connections: list[Binance] = []

    def connect() -> dict[str, Any]:
        connections.append(adapter("alpha", process))
        return {"alpha": connections[-1]}

    listings: list[tuple[str, m.Listing]] = []
    facts = FactSender(lambda *_: None, lambda *_: None)
    session = PricingSession(lambda *offer: seen.put(offer[3]), facts, connect, lambda: listings, 50).start()
    try:
        session.resume(0, PricingState())
        listings += [("BTC-USDT", one) for one in instrument("alpha").listings]  # Listed after the start.
        first, again = seen.get(timeout=30), seen.get(timeout=30)
        assert [(top.bid_e8, top.ask_e8) for top in first.tops] == [(to_e8("50000"), to_e8("50010"))]
        assert again.tops[0].observed_at_us > first.tops[0].observed_at_us, "a quiet market is still known right"
        rest(process, "BUY", "50001", "1")
        while [top.bid_e8 for top in seen.get(timeout=30).tops] != [to_e8("50001")]:
            pass
        process.plant(kind="depth_gap", count=1)
        rest(process, "BUY", "50002", "1")
        rest(process, "BUY", "50003", "1")
        while [top.bid_e8 for top in seen.get(timeout=30).tops] != [to_e8("50003")]:  # None while it is in doubt.
            rest(process, "BUY", "40000", "0.1")
        session.release(0)
        time.sleep(0.1)
        while not seen.empty():
            seen.get()
        time.sleep(0.3)
        assert seen.empty(), "whoever does not own the marks offers none"
    finally:
        session.close()
        process.admin("DELETE", "faults")
        process.signed("DELETE", "/api/v3/openOrders", key=process.other_key, symbol=SYMBOL)
