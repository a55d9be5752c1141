"""The exchange's core: orders, funds and books together. No clock, no I/O: the time is an argument.

Every call settles at once and leaves what must be told in two outboxes: `reports`, user data events per
account in order, and `prints`, public trades. Invariants: a client's balances never go below zero; what an
account has locked is what its open orders need; over all accounts each asset adds up to what came in.
"""

from typing import Any, NamedTuple

from truetape.money import ONE_E8, portion
from venues import payloads
from venues.accounts import FEES, HOUSE, Account
from venues.matching import Book, Event, Expired, Order, Prevented, Refused, Trade
from venues.orders import ClientOrder, Fill, NewOrder, PreventedMatch, Status
from venues.registry import Registry, cost
from venues.rejects import Reject, bad_symbol, filter_failure, insufficient_balance, unknown_cancel
from venues.statistics import Statistics
from venues.symbols import Symbol


class Market:
    """One listed instrument: its book and what has traded."""

    def __init__(self, symbol: Symbol, first_id: int) -> None:
        self.symbol = symbol
        self.book = Book(symbol.lot_e8, first_id)
        self.statistics = Statistics()


class Placed(NamedTuple):
    """A new order with what it traded at once."""

    order: ClientOrder
    fills: list[Fill]
    prevented: list[PreventedMatch]


class Rates(NamedTuple):
    """Fees in units of 1e-8 of what is received. With `fee_asset` BNB: of the notional, at a fixed price."""

    maker_e8: int = 100_000
    taker_e8: int = 100_000
    bnb_price_e8: int = 600 * ONE_E8


class Exchange:
    """All markets, accounts and orders of one venue. Ids start at `first_id`, unique across restarts."""

    def __init__(self, symbols: tuple[Symbol, ...], rates: Rates, first_id: int = 1, history: int = 1_000_000) -> None:
        self.rates = rates
        self.markets = {symbol.name: Market(symbol, first_id) for symbol in symbols}
        self.registry = Registry(history)
        self.house = Account(HOUSE, "house")
        self.fees = Account(FEES, "fees")
        self.accounts: dict[str, Account] = {}
        self.by_id: dict[int, Account] = {HOUSE: self.house, FEES: self.fees}
        self.reports: list[tuple[Account, dict[str, Any]]] = []
        self.prints: list[tuple[Market, Trade, int]] = []
        self.transfers: dict[str, tuple[str, str, int]] = {}
        self.external: dict[str, int] = {}
        self.order_id = first_id
        self.execution_id = first_id
        self._affected: dict[int, Account] = {}

    def open_account(self, name: str, fee_asset: str | None = None) -> Account:
        """The account of that name, opened when it is new."""
        account = self.accounts.get(name)
        if account is None:
            account = Account(len(self.by_id), name, fee_asset=fee_asset)
            for symbol in (market.symbol for market in self.markets.values()):
                account.free.setdefault(symbol.base, 0)
                account.free.setdefault(symbol.quote, 0)
            self.accounts[name] = self.by_id[account.account_id] = account
        return account

    def market(self, symbol: str) -> Market:
        """The market of a symbol. Raises -1121 when it is not listed."""
        market = self.markets.get(symbol)
        if market is None:
            raise bad_symbol()
        return market

    def place(self, account: Account, request: NewOrder, now_ms: int) -> Placed:
        """Accept, match and settle a new order. Raises Reject when it is refused; nothing has changed then."""
        market = self.markets[request.symbol.name]
        if market.symbol.over(now_ms):
            raise Reject(-2010, "Market is closed.")
        self.check(account, request)
        self.order_id += 1
        order = ClientOrder(
            self.order_id,
            account,
            request,
            request.client_order_id or f"venue{self.order_id}",
            now_ms,
            now_ms,
            request.quantity_e8,
        )
        order.locked_e8 = self._size(market, order)
        account.lock(order.lock_asset, order.locked_e8)
        events = market.book.submit(self._book_order(order))
        if events and type(events[0]) is Refused:
            account.release(order.lock_asset, order.locked_e8)
            raise Reject(-2010, "Order would immediately match and take.")
        self.registry.add(order)
        self._affected[account.account_id] = account
        self._report(order, "NEW", now_ms)
        placed = Placed(order, [], [])
        self._apply(market, events, now_ms, placed)
        self._report_positions(now_ms)
        return placed

    def check(self, account: Account, request: NewOrder) -> None:
        """Raise what would refuse the order before the matching engine sees it."""
        if request.client_order_id and self.registry.open_with(account, request.client_order_id):
            raise Reject(-2010, "Duplicate order sent.")
        open_orders = self.registry.open.get((account.account_id, request.symbol.name))
        if open_orders is not None and len(open_orders) >= request.symbol.maximum_orders:
            raise filter_failure("MAX_NUM_ORDERS")

    def cancel(self, order: ClientOrder, now_ms: int, cancel_id: str = "") -> None:
        """Take an open order out of the book and give its funds back. Raises -2011 when it is not open."""
        market = self.markets[order.symbol.name]
        if market.book.cancel(order.order_id) is None:
            raise unknown_cancel()
        self._finish(order, "CANCELED", now_ms)
        self._report(order, "CANCELED", now_ms, cancel_id=cancel_id)
        self._report_positions(now_ms)

    def expire(self, now_ms: int) -> None:
        """End what has expired: its open orders are cancelled, and everybody's contracts are gone."""
        for market in self.markets.values():
            if market.symbol.over(now_ms):
                self._expire(market.symbol, now_ms)

    def _expire(self, symbol: Symbol, now_ms: int) -> None:
        for account in self.by_id.values():
            for order in list(self.registry.open.get((account.account_id, symbol.name), {}).values()):
                self.cancel(order, now_ms)
            if held_e8 := account.free.get(symbol.base, 0):
                account.credit(symbol.base, -held_e8)
                self._affected[account.account_id] = account
        self._report_positions(now_ms)

    def amend(self, order: ClientOrder, quantity_e8: int, now_ms: int) -> None:
        """Make an open order smaller without losing its place. `quantity_e8` is the new whole quantity."""
        open_e8 = quantity_e8 - order.executed_e8 - order.prevented_e8
        if not 0 < open_e8 < order.quantity_e8 - order.executed_e8 - order.prevented_e8:
            raise Reject(-2038, "The requested action would change no state; rejecting.")
        if self.markets[order.symbol.name].book.replace(order.order_id, order.request.price_e8, open_e8) is None:
            raise unknown_cancel()
        kept_e8 = order.lock_for(order.request.price_e8, open_e8)
        order.account.release(order.lock_asset, order.locked_e8 - kept_e8)
        order.locked_e8, order.quantity_e8, order.update_ms = kept_e8, quantity_e8, now_ms
        self._affected[order.account.account_id] = order.account
        self._report(order, "REPLACED", now_ms)
        self._report_positions(now_ms)

    def flow(self, market: Market, order: Order, now_ms: int) -> list[Event]:
        """Submit an order of the house: no funds, no client order, no reports of its own."""
        events = market.book.submit(order)
        if events:
            self._apply(market, events, now_ms, None)
            self._report_positions(now_ms)
        return events

    def next_flow_id(self) -> int:
        """An id for an order of the house."""
        self.order_id += 1
        return self.order_id

    def transfer(self, account: Account, asset: str, amount_e8: int, reference: str, now_ms: int) -> bool:
        """Deposit (or with a negative amount withdraw) once per reference; False when it was done before.

        Raises Reject when the reference was used for something else or the free balance does not suffice.
        """
        done = self.transfers.get(reference)
        if done is not None:
            if done != (account.name, asset, amount_e8):
                raise Reject(-1130, f"Reference '{reference}' was already used for another transfer.")
            return False
        self.adjust(account, asset, amount_e8, now_ms)
        self.transfers[reference] = (account.name, asset, amount_e8)
        return True

    def adjust(self, account: Account, asset: str, amount_e8: int, now_ms: int, *, silent: bool = False) -> None:
        """Change a free balance from outside; silently without an event. Raises Reject when it would go negative."""
        if account.free.get(asset, 0) + amount_e8 < 0:
            raise insufficient_balance()
        account.credit(asset, amount_e8)
        self.external[asset] = self.external.get(asset, 0) + amount_e8
        if silent:
            account.touched.discard(asset)
            return
        self._affected[account.account_id] = account
        self.reports.append((account, payloads.balance_update(asset, amount_e8, now_ms)))
        self._report_positions(now_ms)

    def totals(self) -> dict[str, int]:
        """Each asset summed over all accounts, the house and the fees: always equal to `external`."""
        totals: dict[str, int] = {}
        for account in self.by_id.values():
            for balances in (account.free, account.locked):
                for asset, amount_e8 in balances.items():
                    totals[asset] = totals.get(asset, 0) + amount_e8
        return totals

    def _book_order(self, order: ClientOrder) -> Order:
        request = order.request
        return Order(
            order.order_id,
            order.account.account_id,
            request.side,
            request.price_e8,
            order.quantity_e8,
            request.time_in_force,
            request.type == "LIMIT_MAKER",
            request.type == "MARKET",
            request.prevention,
        )

    def _size(self, market: Market, order: ClientOrder) -> int:
        """Set the quantity of a market order given in quote; return what to lock for the order."""
        request = order.request
        if request.type != "MARKET":
            return order.lock_for(request.price_e8, request.quantity_e8)
        skip = None if request.prevention == "NONE" else order.account.account_id
        base_e8, quote_e8 = market.book.sweep(request.side, request.quantity_e8, request.quote_quantity_e8, skip)
        if request.quote_quantity_e8:
            if not base_e8:
                raise Reject(-2010, "Order book liquidity is less than `LOT_SIZE` filter minimum quantity.")
            order.quantity_e8 = base_e8
        if base_e8 == order.quantity_e8:
            request.symbol.check_notional(quote_e8)
        if request.symbol.multiplier_e8:
            return 0
        return quote_e8 if request.side == "BUY" else order.quantity_e8

    def _apply(self, market: Market, events: list[Event], now_ms: int, placed: Placed | None) -> None:
        """Settle what the book said. `placed` is the client's new order, None when the house sent it."""
        for event in events:
            if type(event) is Trade:
                self._settle(market, event, now_ms, placed)
            elif type(event) is Prevented:
                self._prevented(event, now_ms, placed)
            elif type(event) is Expired and placed is not None:
                self._finish(placed.order, "EXPIRED", now_ms)
                self._report(placed.order, "EXPIRED", now_ms)

    def _settle(self, market: Market, trade: Trade, now_ms: int, placed: Placed | None) -> None:
        self.prints.append((market, trade, now_ms))
        market.statistics.record(trade, now_ms)
        if trade.maker_account == HOUSE and trade.taker_account == HOUSE:
            return
        if trade.taker_account != HOUSE:
            assert placed is not None
            placed.fills.append(self._fill(placed.order, trade, now_ms, maker=False))
        else:
            self._settle_house(market.symbol, trade, trade.taker_side == "BUY")
        if trade.maker_account != HOUSE:
            self._fill(self.registry.orders[trade.maker_id], trade, now_ms, maker=True)
        else:
            self._settle_house(market.symbol, trade, trade.taker_side == "SELL")

    def _settle_house(self, symbol: Symbol, trade: Trade, buys: bool) -> None:
        sign = 1 if buys else -1
        self.house.credit(symbol.base, sign * trade.quantity_e8)
        if symbol.multiplier_e8:
            self.house.credit(symbol.quote, -sign * symbol.premium_e8(cost(trade.price_e8, trade.quantity_e8)))
            return
        self.house.credit(symbol.quote, -sign * cost(trade.price_e8, trade.quantity_e8))

    def _fill(self, order: ClientOrder, trade: Trade, now_ms: int, *, maker: bool) -> Fill:
        """Move the funds of one side of a trade, keep and report its fill."""
        symbol, account, quantity_e8 = order.symbol, order.account, trade.quantity_e8
        notional_e8 = cost(trade.price_e8, quantity_e8)
        buyer = order.request.side == "BUY"
        # A limit order locked its own price; what a better price leaves over goes back at once.
        share_e8 = order.lock_for(order.request.price_e8 or trade.price_e8, quantity_e8)
        order.locked_e8 -= share_e8
        account.spend(order.lock_asset, share_e8)
        if symbol.multiplier_e8:
            received, amount_e8 = symbol.base, quantity_e8 if buyer else -quantity_e8
            rate_e8 = self.rates.maker_e8 if maker else self.rates.taker_e8
            worth_e8 = notional_e8 * symbol.multiplier_e8 // ONE_E8
            fee_asset, fee_e8 = symbol.quote, portion(worth_e8, rate_e8, "down")
            paid_e8 = symbol.premium_e8(notional_e8)
            account.credit(symbol.quote, -paid_e8 if buyer else paid_e8)
        else:
            received, amount_e8 = (symbol.base, quantity_e8) if buyer else (symbol.quote, notional_e8)
            if buyer:
                account.credit(symbol.quote, share_e8 - notional_e8)
            fee_asset, fee_e8 = self._fee(account, symbol, received, amount_e8, notional_e8, maker)
        account.credit(received, amount_e8)
        account.credit(fee_asset, -fee_e8)
        self.fees.credit(fee_asset, fee_e8)
        order.executed_e8 += quantity_e8
        order.quote_executed_e8 += notional_e8
        fill = Fill(
            trade.trade_id, order.order_id, symbol.name, trade.price_e8, quantity_e8, notional_e8, fee_e8,
            fee_asset, now_ms, buyer, maker,
        )  # fmt: skip
        self.registry.add_fill(account, fill)
        self._after_fill(order, now_ms)
        self._report(order, "TRADE", now_ms, fill=fill)
        return fill

    def _after_fill(self, order: ClientOrder, now_ms: int) -> None:
        if order.executed_e8 + order.prevented_e8 == order.quantity_e8:
            self._finish(order, "FILLED", now_ms)
        else:
            order.status, order.update_ms = "PARTIALLY_FILLED", now_ms
            self._affected[order.account.account_id] = order.account

    def _fee(
        self, account: Account, symbol: Symbol, received: str, amount_e8: int, notional_e8: int, maker: bool
    ) -> tuple[str, int]:
        """(asset, amount) of the fee: of what is received or, when the account says so and can, in BNB."""
        rate_e8 = self.rates.maker_e8 if maker else self.rates.taker_e8
        if account.fee_asset == "BNB" and symbol.quote == "USDT" and self.rates.bnb_price_e8:
            fee_e8 = portion(notional_e8, rate_e8, "down") * ONE_E8 // self.rates.bnb_price_e8
            if account.free.get("BNB", 0) >= fee_e8:
                return "BNB", fee_e8
        return received, portion(amount_e8, rate_e8, "down")

    def _prevented(self, event: Prevented, now_ms: int, placed: Placed | None) -> None:
        """Expire what self-trade prevention took from the taker and the maker."""
        assert placed is not None, "the house does not prevent its own trades"
        taker, maker = placed.order, self.registry.orders[event.maker_id]
        placed.prevented.append(
            PreventedMatch(
                event.match_id, event.maker_id, event.price_e8, event.taker_quantity_e8, event.maker_quantity_e8
            )
        )
        self._lose(maker, event, event.maker_quantity_e8, event.maker_left, now_ms)
        self._lose(taker, event, event.taker_quantity_e8, event.taker_left, now_ms)

    def _lose(self, order: ClientOrder, event: Prevented, quantity_e8: int, left: bool, now_ms: int) -> None:
        if not quantity_e8:
            return
        order.prevented_e8 += quantity_e8
        order.prevented_match_id = event.match_id
        if left:
            self._finish(order, "EXPIRED_IN_MATCH", now_ms)
        else:
            # A market buy has no price of its own: its lock is the cost of others' offers, and frees nothing yet.
            freed_e8 = order.lock_for(order.request.price_e8, quantity_e8)
            order.account.release(order.lock_asset, freed_e8)
            order.locked_e8 -= freed_e8
            self._affected[order.account.account_id] = order.account
        self._report(order, "TRADE_PREVENTION", now_ms, prevented=event)

    def _finish(self, order: ClientOrder, status: Status, now_ms: int) -> None:
        """End an order: its locked rest goes back to the account."""
        order.status, order.update_ms = status, now_ms
        order.account.release(order.lock_asset, order.locked_e8)
        order.locked_e8 = 0
        self.registry.close(order)
        self._affected[order.account.account_id] = order.account

    def _report(self, order: ClientOrder, kind: payloads.ExecutionType, now_ms: int, **what: Any) -> None:
        self.execution_id += 1
        report = payloads.execution_report(order, kind, self.execution_id, now_ms, **what)
        self.reports.append((order.account, report))

    def _report_positions(self, now_ms: int) -> None:
        """Tell every account whose balances changed what it has now."""
        for account in self._affected.values():
            account.update_ms = now_ms
            if account.touched:
                self.reports.append((account, payloads.account_position(account, now_ms)))
                account.touched.clear()
        self._affected.clear()
