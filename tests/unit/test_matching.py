"""The matching engine against a naive book written in the plainest way, and its rules one by one."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.unit.naive_book import NaiveBook, Waiting, plain
from venues.matching import (
    Book,
    Cancelled,
    Event,
    Expired,
    Order,
    Prevented,
    Reduced,
    Refused,
    Rested,
    Trade,
)

ONE = 100_000_000
MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")


class SameEvents(RuleBasedStateMachine):
    """Whatever is done to both books, both say the same, and the invariants hold."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.naive = NaiveBook()
        self.next_id = 0
        self.submitted: dict[int, int] = {}
        self.gone: dict[int, int] = {}
        self.seen: dict[str, dict[int, int]] = {"BUY": {}, "SELL": {}}
        self.update_id = self.book.update_id

    @rule(
        side=st.sampled_from(["BUY", "SELL"]),
        price=st.integers(1, 7),
        quantity=st.integers(1, 9),
        kind=st.sampled_from(["GTC", "GTC", "GTC", "GTC", "POST_ONLY", "IOC", "FOK", "MARKET"]),
        account=st.integers(1, 3),
        prevention=st.sampled_from(MODES),
    )
    def submit(self, side: Any, price: int, quantity: int, kind: Any, account: int, prevention: Any) -> None:
        self.next_id += 1
        post_only, market = kind == "POST_ONLY", kind == "MARKET"
        tif: Any = "GTC" if post_only or market else kind
        order = Order(self.next_id, account, side, 0 if market else price, quantity, tif, post_only, market, prevention)
        waiting = Waiting(self.next_id, account, side, price, quantity, post_only, prevention, 0)
        self.submitted[self.next_id] = quantity
        self._compare(self.book.submit(order), self.naive.submit(waiting, "MARKET" if market else tif))

    @rule(order_id=st.integers(1, 60))
    def cancel(self, order_id: int) -> None:
        event = self.book.cancel(order_id)
        assert plain(event) == self.naive.cancel(order_id)
        if event is not None:
            self._count([event])

    @rule(order_id=st.integers(1, 60), price=st.integers(1, 7), quantity=st.integers(1, 9))
    def replace(self, order_id: int, price: int, quantity: int) -> None:
        resting = self.book.orders.get(order_id)
        before = resting.quantity_e8 if resting else 0
        events, expected = (
            self.book.replace(order_id, price, quantity),
            self.naive.replace(order_id, price, quantity),
        )
        if events is None:
            assert expected is None
            return
        if not isinstance(events[0], Refused):
            self.submitted[order_id] += quantity - before
        self._compare(events, expected or [])

    def _compare(self, events: list[Event], expected: list[tuple[Any, ...]]) -> None:
        assert [plain(event) for event in events] == expected
        self._count(events)

    def _count(self, events: list[Event]) -> None:
        def lose(order_id: int, quantity: int) -> None:
            self.gone[order_id] = self.gone.get(order_id, 0) + quantity

        for event in events:
            if isinstance(event, Trade):
                lose(event.maker_id, event.quantity_e8)
                lose(event.taker_id, event.quantity_e8)
            elif isinstance(event, Prevented):
                lose(event.maker_id, event.maker_quantity_e8)
                lose(event.taker_id, event.taker_quantity_e8)
            elif isinstance(event, Cancelled | Expired):
                lose(event.order_id, event.quantity_e8)
            elif isinstance(event, Refused) and event.order_id not in self.book.orders:
                lose(event.order_id, self.submitted[event.order_id])

    @invariant()
    def same_depth(self) -> None:
        assert self.book.bids.depth(100) == self.naive.depth("BUY")
        assert self.book.asks.depth(100) == self.naive.depth("SELL")

    @invariant()
    def never_crossed(self) -> None:
        bid, ask = self.book.bids.best(), self.book.asks.best()
        assert bid is None or ask is None or bid[0] < ask[0]

    @invariant()
    def quantity_is_conserved(self) -> None:
        resting = {order_id: order.quantity_e8 for order_id, order in self.book.orders.items()}
        for order_id, quantity in self.submitted.items():
            assert quantity == self.gone.get(order_id, 0) + resting.get(order_id, 0)

    @invariant()
    def changes_rebuild_the_book(self) -> None:
        for side, ladder in (("BUY", self.book.bids), ("SELL", self.book.asks)):
            changes = ladder.take_changes()
            if changes:
                assert self.book.update_id > self.update_id
            for price, quantity in changes:
                self.seen[side].pop(price, None)
                if quantity:
                    self.seen[side][price] = quantity
            assert self.seen[side] == dict(ladder.depth(100))
        self.update_id = self.book.update_id


SameEvents.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestSameEvents = SameEvents.TestCase


def book_of(*orders: tuple[int, Any, int, int]) -> Book:
    """A book with (order id, side, price, quantity) resting, all of account 1."""
    book = Book()
    for order_id, side, price, quantity in orders:
        assert book.submit(Order(order_id, 1, side, price, quantity)) == [Rested(order_id, price, quantity)]
    return book


def fills(events: list[Event]) -> list[tuple[int, int, int]]:
    """(maker id, price, quantity) of the trades."""
    return [(e.maker_id, e.price_e8, e.quantity_e8) for e in events if isinstance(e, Trade)]


def test_better_price_first_then_earlier_arrival() -> None:
    book = book_of((1, "SELL", 102, 5), (2, "SELL", 101, 5), (3, "SELL", 101, 5))
    events = book.submit(Order(4, 2, "BUY", 103, 12))
    assert fills(events) == [(2, 101, 5), (3, 101, 5), (1, 102, 2)]
    assert [event.trade_id for event in events if isinstance(event, Trade)] == [1, 2, 3]


def test_taker_trades_at_the_makers_price_and_rests_with_the_rest() -> None:
    book = book_of((1, "BUY", 100, 3))
    assert book.submit(Order(2, 2, "SELL", 90, 5)) == [
        Trade(1, 100, 3, 1, 2, 1, 2, "SELL"),
        Rested(2, 90, 2),
    ]
    assert book.asks.best() == (90, 2)


@pytest.mark.parametrize(
    ("quantity", "price", "expected"),
    [
        (10, 102, [(1, 101, 5), (2, 102, 5)]),
        (11, 102, []),
        (6, 101, []),
    ],
)
def test_fill_or_kill_is_all_or_nothing(quantity: int, price: int, expected: list[tuple[int, int, int]]) -> None:
    book = book_of((1, "SELL", 101, 5), (2, "SELL", 102, 5))
    events = book.submit(Order(3, 2, "BUY", price, quantity, "FOK"))
    assert fills(events) == expected
    if not expected:
        assert events == [Expired(3, quantity, "FOK")]
        assert book.asks.depth(9) == [(101, 5), (102, 5)]


def test_post_only_never_takes() -> None:
    book = book_of((1, "SELL", 101, 5))
    assert book.submit(Order(2, 2, "BUY", 101, 5, post_only=True)) == [Refused(2)]
    assert book.submit(Order(3, 2, "BUY", 100, 5, post_only=True)) == [Rested(3, 100, 5)]
    assert book.replace(3, 101, 5) == [Refused(3)]
    assert book.bids.depth(9) == [(100, 5)]


def test_immediate_or_cancel_takes_what_there_is() -> None:
    book = book_of((1, "SELL", 101, 5))
    events = book.submit(Order(2, 2, "BUY", 101, 8, "IOC"))
    assert fills(events) == [(1, 101, 5)]
    assert events[-1] == Expired(2, 3, "IOC")
    assert not book.orders


@pytest.mark.parametrize(
    ("mode", "traded", "prevented", "left"),
    [
        ("NONE", [(1, 101, 5), (2, 102, 2)], [], {2: 3}),
        ("EXPIRE_TAKER", [], [(1, 7, 0)], {1: 5, 2: 5}),
        ("EXPIRE_MAKER", [(2, 102, 5)], [(1, 0, 5)], {3: 2}),
        ("EXPIRE_BOTH", [], [(1, 7, 5)], {2: 5}),
        ("DECREMENT", [(2, 102, 2)], [(1, 5, 5)], {2: 3}),
    ],
)
def test_self_trade_prevention(mode: Any, traded: list[Any], prevented: list[Any], left: dict[int, int]) -> None:
    book = book_of((1, "SELL", 101, 5))
    book.submit(Order(2, 9, "SELL", 102, 5))
    events = book.submit(Order(3, 1, "BUY", 102, 7, prevention=mode))
    assert fills(events) == traded
    seen = [(e.maker_id, e.taker_quantity_e8, e.maker_quantity_e8) for e in events if isinstance(e, Prevented)]
    assert seen == prevented
    assert {order_id: order.quantity_e8 for order_id, order in book.orders.items()} == left


@pytest.mark.parametrize(
    ("price", "quantity", "first"),
    [(100, 4, 1), (100, 5, 1), (100, 6, 2), (99, 5, 2)],
)
def test_replace_keeps_the_place_only_when_it_shrinks(price: int, quantity: int, first: int) -> None:
    book = book_of((1, "BUY", 100, 5), (2, "BUY", 100, 5))
    events = book.replace(1, price, quantity)
    assert events == [Reduced(1, quantity)] if first == 1 else [Rested(1, price, quantity)]
    assert fills(book.submit(Order(3, 2, "SELL", 100, 1)))[0][0] == first


def test_replace_to_a_crossing_price_trades() -> None:
    book = book_of((1, "BUY", 99, 5), (2, "SELL", 101, 3))
    assert fills(book.replace(1, 101, 5) or []) == [(2, 101, 3)]
    assert book.bids.best() == (101, 2)


def test_cancel_and_replace_of_unknown_orders_do_nothing() -> None:
    book = book_of((1, "BUY", 99, 5))
    update_id = book.update_id
    assert book.cancel(7) is None
    assert book.replace(7, 100, 1) is None
    assert book.update_id == update_id


@pytest.mark.parametrize(
    ("side", "quantity", "quote", "skip", "expected"),
    [
        ("BUY", 7, 0, None, (7, 5 * 101 + 2 * 102)),
        ("BUY", 99, 0, None, (10, 5 * 101 + 5 * 102)),
        ("BUY", 0, 5 * 101 + 2 * 102 + 101, None, (7, 5 * 101 + 2 * 102)),
        ("BUY", 0, 100, None, (0, 0)),
        ("SELL", 0, 150, None, (1, 100)),
        ("BUY", 3, 0, 1, (3, 3 * 102)),
    ],
)
def test_sweep_sizes_market_orders(
    side: Any, quantity: int, quote: int, skip: int | None, expected: tuple[int, int]
) -> None:
    book = Book(lot_e8=ONE)
    book.submit(Order(1, 1, "SELL", 101 * ONE, 5 * ONE))
    book.submit(Order(2, 9, "SELL", 102 * ONE, 5 * ONE))
    book.submit(Order(3, 1, "BUY", 100 * ONE, 5 * ONE))
    base, cost = book.sweep(side, quantity * ONE, quote * ONE, skip)
    assert (base, cost) == (expected[0] * ONE, expected[1] * ONE)


def test_same_input_same_events() -> None:
    def run() -> list[list[Event]]:
        book = Book(first_id=1_000)
        return [
            book.submit(Order(n, n % 3, "BUY" if n % 2 else "SELL", 100 + n * 7 % 5, 1 + n % 4)) for n in range(1, 500)
        ]

    assert run() == run()
