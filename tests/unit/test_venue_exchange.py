"""The simulated exchange's ledger: nothing is lost, whatever is ordered, cancelled, traded and prevented."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from truetape.money import ONE_E8
from venues.accounts import HOUSE, Account
from venues.exchange import Exchange, Rates
from venues.matching import Order
from venues.orders import OPEN, ClientOrder, NewOrder
from venues.rejects import Reject
from venues.symbols import CONTRACT_SYMBOLS, DEFAULT_SYMBOLS, PREVENTION_MODES, Symbol, decimal

BTC = DEFAULT_SYMBOLS[0]
TINY = Symbol("TINYUSDT", "TINY", "USDT", ONE_E8, ONE_E8, ONE_E8)
LOT = BTC.lot_e8


def funded(
    symbols: tuple[Symbol, ...] = (BTC,), rates: Rates | None = None, **accounts: str
) -> tuple[Exchange, list[Account]]:
    """An exchange whose accounts hold 1 000 000 USDT and 100 of each base; the value is the fee asset or ""."""
    exchange = Exchange(symbols, rates or Rates())
    opened = [exchange.open_account(name, fee_asset or None) for name, fee_asset in accounts.items()]
    for account in opened:
        for asset in ("USDT", "BNB", *(symbol.base for symbol in symbols)):
            amount = 1_000_000 if asset == "USDT" else 100
            exchange.transfer(account, asset, amount * ONE_E8, f"{account.name}-{asset}", 0)
    exchange.reports.clear()
    return exchange, opened


def limit(side: Any, price: int, lots: int, **more: Any) -> NewOrder:
    """A limit order for BTC, price in whole USDT."""
    return NewOrder(BTC, side, more.pop("type", "LIMIT"), price_e8=price * ONE_E8, quantity_e8=lots * LOT, **more)


class Ledger(RuleBasedStateMachine):
    """Two clients and the house on two instruments, with every kind of order."""

    def __init__(self) -> None:
        super().__init__()
        self.exchange, self.clients = funded((BTC, TINY), anna="", berta="BNB")
        self.told: dict[tuple[str, str], tuple[str, str]] = {}
        self.now_ms = 0
        self.last_trade: dict[str, int] = {}

    @rule(
        who=st.integers(0, 1),
        symbol=st.sampled_from([BTC, TINY]),
        side=st.sampled_from(["BUY", "SELL"]),
        kind=st.sampled_from(["LIMIT", "LIMIT", "LIMIT_MAKER", "MARKET", "QUOTE"]),
        tif=st.sampled_from(["GTC", "GTC", "IOC", "FOK"]),
        price=st.integers(97, 103),
        lots=st.integers(1, 60),
        prevention=st.sampled_from(PREVENTION_MODES),
    )
    def place(
        self, who: int, symbol: Symbol, side: Any, kind: str, tif: Any, price: int, lots: int, prevention: Any
    ) -> None:
        self.now_ms += 1
        quote = kind == "QUOTE"
        market = quote or kind == "MARKET"
        order_type: Any = "MARKET" if market else kind
        request = NewOrder(
            symbol,
            side,
            order_type,
            "GTC" if order_type != "LIMIT" else tif,
            0 if market else price * ONE_E8,
            0 if quote else lots * symbol.lot_e8 * (100 if symbol is BTC else 1),
            lots * 10 * ONE_E8 if quote else 0,
            prevention=prevention,
        )
        try:
            placed = self.exchange.place(self.clients[who], request, self.now_ms)
        except Reject as reject:
            assert reject.code in (-2010, -1013)
            return
        if placed.order.status == "FILLED":
            assert placed.order.executed_e8 + placed.order.prevented_e8 == placed.order.quantity_e8
        if placed.order.status not in OPEN:
            assert placed.order.locked_e8 == 0

    @rule(
        symbol=st.sampled_from([BTC, TINY]),
        side=st.sampled_from(["BUY", "SELL"]),
        price=st.integers(97, 103),
        lots=st.integers(1, 60),
    )
    def house(self, symbol: Symbol, side: Any, price: int, lots: int) -> None:
        self.now_ms += 1
        quantity_e8 = lots * symbol.lot_e8 * (100 if symbol is BTC else 1)
        order = Order(self.exchange.next_flow_id(), HOUSE, side, price * ONE_E8, quantity_e8)
        self.exchange.flow(self.exchange.markets[symbol.name], order, self.now_ms)

    @rule(who=st.integers(0, 1), symbol=st.sampled_from([BTC, TINY]), which=st.integers(0, 5))
    def cancel(self, who: int, symbol: Symbol, which: int) -> None:
        orders = list(self.exchange.registry.open.get((self.clients[who].account_id, symbol.name), {}).values())
        if orders:
            self.exchange.cancel(orders[which % len(orders)], self.now_ms)

    @rule(who=st.integers(0, 1), symbol=st.sampled_from([BTC, TINY]), share=st.integers(1, 9))
    def amend(self, who: int, symbol: Symbol, share: int) -> None:
        for order in self.exchange.registry.open.get((self.clients[who].account_id, symbol.name), {}).values():
            done_e8 = order.executed_e8 + order.prevented_e8
            open_e8 = (order.quantity_e8 - done_e8) * share // 10 // symbol.lot_e8 * symbol.lot_e8
            if 0 < open_e8 < order.quantity_e8 - done_e8:
                self.exchange.amend(order, done_e8 + open_e8, self.now_ms)
                return

    @rule(who=st.integers(0, 1), asset=st.sampled_from(["USDT", "BTC"]), amount=st.integers(-50, 50))
    def adjust(self, who: int, asset: str, amount: int) -> None:
        try:
            self.exchange.adjust(self.clients[who], asset, amount * ONE_E8, self.now_ms)
        except Reject as reject:
            assert reject.code == -2010

    @invariant()
    def every_asset_is_conserved(self) -> None:
        totals, external = self.exchange.totals(), self.exchange.external
        for asset in {*totals, *external}:
            assert totals.get(asset, 0) == external.get(asset, 0)

    @invariant()
    def nobody_is_in_debt(self) -> None:
        for account in (*self.clients, self.exchange.fees):
            assert all(amount >= 0 for amount in account.free.values())

    @invariant()
    def locked_is_what_open_orders_need(self) -> None:
        for account in self.clients:
            committed = self.exchange.registry.committed(account)
            assert {a: n for a, n in account.locked.items() if n} == {a: n for a, n in committed.items() if n}

    @invariant()
    def open_orders_rest_in_the_book(self) -> None:
        for (_, symbol), orders in self.exchange.registry.open.items():
            resting = self.exchange.markets[symbol].book.orders
            for order in orders.values():
                open_e8 = order.quantity_e8 - order.executed_e8 - order.prevented_e8
                assert resting[order.order_id].quantity_e8 == open_e8 > 0

    @invariant()
    def reports_tell_every_balance(self) -> None:
        for account, report in self.exchange.reports:
            if report["e"] == "outboundAccountPosition":
                for line in report["B"]:
                    self.told[account.name, line["a"]] = (line["f"], line["l"])
        self.exchange.reports.clear()
        for (name, asset), balances in self.told.items():
            account = self.exchange.accounts[name]
            assert balances == (
                decimal(account.free.get(asset, 0)),
                decimal(account.locked.get(asset, 0)),
            )

    @invariant()
    def trade_ids_follow_each_other(self) -> None:
        for market, trade, _ in self.exchange.prints:
            last = self.last_trade.get(market.symbol.name, trade.trade_id - 1)
            assert trade.trade_id == last + 1
            self.last_trade[market.symbol.name] = trade.trade_id
        self.exchange.prints.clear()


Ledger.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestLedger = Ledger.TestCase


def test_fees_come_out_of_what_is_received() -> None:
    exchange, (anna, berta) = funded(rates=Rates(maker_e8=100_000, taker_e8=200_000), anna="", berta="")
    exchange.place(anna, limit("SELL", 60_000, 100_000), 1)
    placed = exchange.place(berta, limit("BUY", 61_000, 100_000), 2)
    assert [(fill.fee_asset, decimal(fill.fee_e8), fill.maker) for fill in placed.fills] == [
        ("BTC", "0.00200000", False)
    ]
    (maker,) = exchange.registry.fills_of(anna, "BTCUSDT")
    assert (maker.fee_asset, decimal(maker.fee_e8), maker.maker) == ("USDT", "60.00000000", True)
    assert decimal(berta.free["BTC"]) == "100.99800000"
    assert decimal(berta.free["USDT"]) == "940000.00000000"
    assert decimal(anna.free["USDT"]) == "1059940.00000000"
    assert exchange.fees.free == {"USDT": 60 * ONE_E8, "BTC": 200_000}


def test_fees_in_a_third_asset() -> None:
    exchange, (anna, berta) = funded(rates=Rates(bnb_price_e8=500 * ONE_E8), anna="", berta="BNB")
    exchange.place(anna, limit("SELL", 60_000, 100_000), 1)
    placed = exchange.place(berta, limit("BUY", 60_000, 100_000), 2)
    assert [(fill.fee_asset, decimal(fill.fee_e8)) for fill in placed.fills] == [("BNB", "0.12000000")]
    assert decimal(berta.free["BNB"]) == "99.88000000"
    assert decimal(berta.free["BTC"]) == "101.00000000"


def test_orders_lock_what_they_may_spend_and_give_the_rest_back() -> None:
    exchange, (anna,) = funded(anna="")
    order = exchange.place(anna, limit("BUY", 50_000, 100_000), 1).order
    assert (decimal(anna.free["USDT"]), decimal(anna.locked["USDT"])) == (
        "950000.00000000",
        "50000.00000000",
    )
    exchange.cancel(order, 2)
    assert (anna.free["USDT"], anna.locked["USDT"], order.status) == (1_000_000 * ONE_E8, 0, "CANCELED")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (limit("BUY", 60_000, 10_000_000), "Account has insufficient balance for requested action."),
        (limit("SELL", 60_000, 10_000_001), "Account has insufficient balance for requested action."),
        (
            NewOrder(BTC, "BUY", "MARKET", quote_quantity_e8=10 * ONE_E8),
            "Order book liquidity is less than `LOT_SIZE` filter minimum quantity.",
        ),
    ],
)
def test_refused_orders_change_nothing(request_: NewOrder, message: str) -> None:
    exchange, (anna,) = funded(anna="")
    before = (dict(anna.free), dict(anna.locked))
    with pytest.raises(Reject) as caught:
        exchange.place(anna, request_, 1)
    assert (caught.value.code, caught.value.message) == (-2010, message)
    assert ({a: n for a, n in anna.free.items() if n}, anna.locked.get("USDT", 0)) == (before[0], 0)
    assert not exchange.reports
    assert not exchange.registry.orders


def test_post_only_that_would_take_is_refused_and_unlocked() -> None:
    exchange, (anna, berta) = funded(anna="", berta="")
    exchange.place(anna, limit("SELL", 60_000, 1_000), 1)
    with pytest.raises(Reject, match="immediately match and take"):
        exchange.place(berta, limit("BUY", 60_000, 1_000, type="LIMIT_MAKER"), 2)
    assert berta.free["USDT"] == 1_000_000 * ONE_E8


def test_client_order_ids_are_unique_among_open_orders_only() -> None:
    exchange, (anna,) = funded(anna="")
    first = exchange.place(anna, limit("BUY", 50_000, 1_000, client_order_id="mine"), 1).order
    with pytest.raises(Reject, match="Duplicate order sent"):
        exchange.place(anna, limit("BUY", 50_000, 1_000, client_order_id="mine"), 2)
    exchange.cancel(first, 3)
    second = exchange.place(anna, limit("BUY", 50_000, 1_000, client_order_id="mine"), 4).order
    assert exchange.registry.query(anna, "BTCUSDT", None, "mine") is second
    assert exchange.registry.query(anna, "BTCUSDT", first.order_id, None) is first


def test_market_order_in_quote_spends_no_more_than_told() -> None:
    exchange, (anna, berta) = funded(anna="", berta="")
    exchange.place(anna, limit("SELL", 60_000, 1_000), 1)
    exchange.place(anna, limit("SELL", 61_000, 100_000), 1)
    request = NewOrder(BTC, "BUY", "MARKET", quote_quantity_e8=1_000 * ONE_E8)
    placed = exchange.place(berta, request, 2)
    assert placed.order.status == "FILLED"
    assert [fill.quantity_e8 // LOT for fill in placed.fills] == [1_000, 655]
    assert decimal(placed.order.quote_executed_e8) == "999.55000000"
    assert berta.locked["USDT"] == 0


def test_deposits_are_booked_once_per_reference() -> None:
    exchange, (anna,) = funded(anna="")
    assert exchange.transfer(anna, "USDT", 5 * ONE_E8, "ref", 1)
    assert not exchange.transfer(anna, "USDT", 5 * ONE_E8, "ref", 2)
    assert anna.free["USDT"] == 1_000_005 * ONE_E8
    with pytest.raises(Reject, match="already used for another transfer"):
        exchange.transfer(anna, "USDT", 6 * ONE_E8, "ref", 3)


def test_old_closed_orders_are_archived_and_open_ones_are_not() -> None:
    exchange = Exchange((BTC,), Rates(), history=100)
    anna = exchange.open_account("anna")
    exchange.transfer(anna, "USDT", 10**15, "d", 0)
    kept = exchange.place(anna, limit("BUY", 50_000, 1_000), 0).order
    ended = [exchange.place(anna, limit("BUY", 50_000, 1_000), n).order for n in range(150)]
    for order in ended:
        exchange.cancel(order, 200)
    with pytest.raises(Reject) as caught:
        exchange.registry.query(anna, "BTCUSDT", ended[0].order_id, None)
    assert caught.value.code == -2026
    with pytest.raises(Reject) as caught:
        exchange.registry.query(anna, "BTCUSDT", 10**9, None)
    assert caught.value.code == -2013
    assert exchange.registry.query(anna, "BTCUSDT", kept.order_id, None) is kept
    assert exchange.registry.of(anna, "BTCUSDT")[0] is kept
    assert len(exchange.registry.of(anna, "BTCUSDT")) == 101


def test_reports_of_a_filled_order_come_in_order() -> None:
    exchange, (anna, berta) = funded(anna="", berta="")
    exchange.place(anna, limit("SELL", 60_000, 1_000), 1)
    exchange.reports.clear()
    exchange.place(berta, limit("BUY", 60_000, 2_000, client_order_id="b"), 2)
    told = [(account.name, report.get("x", report["e"]), report.get("X")) for account, report in exchange.reports]
    assert told == [
        ("berta", "NEW", "NEW"),
        ("berta", "TRADE", "PARTIALLY_FILLED"),
        ("anna", "TRADE", "FILLED"),
        ("berta", "outboundAccountPosition", None),
        ("anna", "outboundAccountPosition", None),
    ]


def market(side: Any, lots: int, prevention: Any) -> NewOrder:
    return NewOrder(BTC, side, "MARKET", quantity_e8=lots * LOT, prevention=prevention)


@pytest.mark.parametrize(
    ("prevention", "bought", "spent"),
    [
        ("EXPIRE_MAKER", 1_000, "610.00000000"),
        ("EXPIRE_TAKER", 0, "0.00000000"),
        ("EXPIRE_BOTH", 0, "0.00000000"),
        ("DECREMENT", 400, "244.00000000"),
    ],
)
def test_market_orders_pay_for_what_they_may_trade_with(prevention: Any, bought: int, spent: str) -> None:
    exchange, (anna, berta) = funded(anna="", berta="")
    exchange.place(anna, limit("SELL", 60_000, 600), 1)
    exchange.place(berta, limit("SELL", 61_000, 5_000), 1)
    order = exchange.place(anna, market("BUY", 1_000, prevention), 2).order
    assert (order.executed_e8 // LOT, decimal(order.quote_executed_e8)) == (bought, spent)
    assert order.locked_e8 == anna.locked["USDT"] == 0
    assert order.status == ("FILLED" if prevention in ("EXPIRE_MAKER", "DECREMENT") else "EXPIRED_IN_MATCH")


def test_decremented_market_order_can_pay_in_a_thin_book() -> None:
    exchange, (anna, berta) = funded(anna="", berta="")
    exchange.place(anna, limit("SELL", 60_000, 600), 1)
    exchange.place(berta, limit("SELL", 61_000, 300), 1)
    order = exchange.place(anna, market("BUY", 1_000, "DECREMENT"), 2).order
    assert (order.executed_e8 // LOT, order.prevented_e8 // LOT, order.status) == (300, 600, "EXPIRED")
    assert anna.locked["USDT"] == 0


def test_open_orders_on_a_symbol_are_bounded() -> None:
    symbol = msgspec.structs.replace(BTC, maximum_orders=2)
    exchange, (anna,) = funded((symbol,), anna="")
    request = msgspec.structs.replace(limit("BUY", 50_000, 1_000), symbol=symbol)
    orders = [exchange.place(anna, request, n).order for n in range(2)]
    with pytest.raises(Reject, match="MAX_NUM_ORDERS"):
        exchange.place(anna, request, 3)
    exchange.cancel(orders[0], 4)
    exchange.place(anna, request, 5)


def test_a_contract_moves_contracts_and_the_fee_alone() -> None:
    """Short is a negative balance; neither side pays a price, and nothing is lost."""
    perp = CONTRACT_SYMBOLS[0]
    exchange, (anna, berta) = funded((BTC, perp), Rates(10_000, 50_000), anna="", berta="")
    for account in (anna, berta):
        exchange.transfer(account, perp.base, -100 * ONE_E8, f"{account.name}-flat", 0)
    price_e8 = 60_000 * ONE_E8

    def order(account: Account, side: Any, **more: Any) -> None:
        request = NewOrder(perp, side, more.pop("type", "LIMIT"), price_e8=price_e8, quantity_e8=3 * ONE_E8, **more)
        exchange.place(account, request, 0)

    order(anna, "SELL")
    assert anna.locked.get(perp.base, 0) == anna.locked.get("USDT", 0) == 0
    order(berta, "BUY")
    assert (anna.free[perp.base], berta.free[perp.base]) == (-3 * ONE_E8, 3 * ONE_E8)
    maker_e8, taker_e8 = 180 * 10_000, 180 * 50_000  # 0.003 BTC at 60 000.
    assert (anna.free["USDT"], berta.free["USDT"]) == (10**6 * ONE_E8 - maker_e8, 10**6 * ONE_E8 - taker_e8)
    assert exchange.fees.free["USDT"] == maker_e8 + taker_e8


def test_an_option_moves_its_premium_and_who_is_short_can_sell_more() -> None:
    option = Symbol("BTC60C", "BTC-60000-C", "USDT", ONE_E8, ONE_E8, 0, multiplier_e8=ONE_E8 // 10, option=True)
    exchange, (anna, berta) = funded((BTC, option), Rates(0, 0), anna="", berta="")
    for account in (anna, berta):
        exchange.transfer(account, option.base, -100 * ONE_E8, f"{account.name}-flat", 0)
    for account, side in ((anna, "SELL"), (berta, "BUY"), (anna, "SELL"), (berta, "BUY")):
        request = NewOrder(option, side, "LIMIT", price_e8=2_000 * ONE_E8, quantity_e8=2 * ONE_E8)  # type: ignore[arg-type]
        exchange.place(account, request, 0)
    assert (anna.free[option.base], berta.free[option.base]) == (-4 * ONE_E8, 4 * ONE_E8)
    assert (anna.free["USDT"], berta.free["USDT"]) == ((10**6 + 800) * ONE_E8, (10**6 - 800) * ONE_E8)
    assert exchange.totals() == exchange.external


def test_what_has_expired_ends_its_orders_and_positions_and_does_not_trade() -> None:
    future = Symbol("BTCF", "BTC-F", "USDT", ONE_E8, ONE_E8, 0, multiplier_e8=ONE_E8, expires_ms=1_000)
    exchange, (anna, berta) = funded((BTC, future), Rates(0, 0), anna="", berta="")
    for account in (anna, berta):
        exchange.transfer(account, future.base, -100 * ONE_E8, f"{account.name}-flat", 0)

    def order(account: Account, side: Any, now_ms: int, quantity: int = 2) -> ClientOrder:
        request = NewOrder(future, side, "LIMIT", price_e8=60_000 * ONE_E8, quantity_e8=quantity * ONE_E8)
        return exchange.place(account, request, now_ms).order

    order(anna, "SELL", 0)
    left = order(berta, "BUY", 999, 5)
    exchange.expire(999)
    assert anna.free[future.base] == -2 * ONE_E8
    exchange.expire(1_000)
    assert anna.free[future.base] == berta.free[future.base] == exchange.house.free.get(future.base, 0) == 0
    assert (left.status, left.executed_e8) == ("CANCELED", 2 * ONE_E8)
    with pytest.raises(Reject, match="Market is closed"):
        order(anna, "SELL", 1_000)
    assert exchange.totals() == exchange.external
