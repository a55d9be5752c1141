"""One instrument's limit order book: price-time priority, integers only, no clock, no I/O, no randomness.

Prices, quantities and quote amounts are in units of 1e-8. A call returns what happened as plain events, in
order. The same calls give the same events: the book is a deterministic state machine.

Data structure: each side is a `Ladder`: a dict from key to level and a sorted list of the keys. The key is
the price for bids and minus the price for asks, so the best level of either side is the last of the list and
one piece of code serves both. A level is a doubly linked queue of orders: arrival and cancel are O(1).
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct

ONE_E8: Final = 100_000_000

Side = Literal["BUY", "SELL"]
TimeInForce = Literal["GTC", "IOC", "FOK"]
SelfTradePrevention = Literal["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"]
"""Cancel newest, cancel oldest, cancel both, decrement and cancel; NONE lets an account trade with itself."""
ExpiryReason = Literal["IOC", "FOK", "NO_LIQUIDITY"]


class Order(Struct, eq=False):
    """An order in the book's eyes. `quantity_e8` is what is still open; the book counts it down.

    A market order has `market` set and no price; `Book.sweep` sizes one that is given in quote.
    """

    order_id: int
    account_id: int
    side: Side
    price_e8: int
    quantity_e8: int
    time_in_force: TimeInForce = "GTC"
    post_only: bool = False
    market: bool = False
    prevention: SelfTradePrevention = "NONE"
    earlier: "Order | None" = None
    later: "Order | None" = None


class Trade(Struct, frozen=True, gc=False):
    """Both sides exchange `quantity_e8` at the maker's price."""

    trade_id: int
    price_e8: int
    quantity_e8: int
    maker_id: int
    taker_id: int
    maker_account: int
    taker_account: int
    taker_side: Side


class Rested(Struct, frozen=True, gc=False):
    """The open quantity now waits in the book, behind everything at its price."""

    order_id: int
    price_e8: int
    quantity_e8: int


class Reduced(Struct, frozen=True, gc=False):
    """A resting order became smaller and kept its place."""

    order_id: int
    quantity_e8: int


class Cancelled(Struct, frozen=True, gc=False):
    """A resting order left on request, `quantity_e8` unfilled."""

    order_id: int
    quantity_e8: int


class Expired(Struct, frozen=True, gc=False):
    """An order left by the rules of its type, `quantity_e8` unfilled."""

    order_id: int
    quantity_e8: int
    reason: ExpiryReason


class Prevented(Struct, frozen=True, gc=False):
    """A trade of an account with itself was prevented; the quantities are what each order lost by it.

    `taker_left` and `maker_left` say whether that order is gone.
    """

    match_id: int
    taker_id: int
    maker_id: int
    price_e8: int
    taker_quantity_e8: int
    maker_quantity_e8: int
    taker_left: bool
    maker_left: bool


class Refused(Struct, frozen=True, gc=False):
    """A post-only order would have taken liquidity; nothing else happened."""

    order_id: int


Event = Trade | Rested | Reduced | Cancelled | Expired | Prevented | Refused


class Level:
    """All orders at one price: a queue and its total."""

    __slots__ = ("head", "quantity_e8", "tail")

    def __init__(self, order: Order) -> None:
        self.head: Order | None = order
        self.tail: Order | None = order
        self.quantity_e8 = order.quantity_e8


class Ladder:
    """One side of the book, best price last. `changed` gathers the keys touched since it was last cleared."""

    __slots__ = ("changed", "keys", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}
        self.changed: set[int] = set()

    def append(self, order: Order) -> None:
        """Queue an order behind everything at its price."""
        key = order.price_e8 * self.sign
        self.changed.add(key)
        level = self.levels.get(key)
        if level is None:
            self.levels[key] = Level(order)
            insort(self.keys, key)
            return
        level.quantity_e8 += order.quantity_e8
        tail = level.tail
        assert tail is not None
        tail.later = order
        order.earlier = tail
        level.tail = order

    def unlink(self, order: Order, key: int, level: Level) -> None:
        """Take an order out of its queue; its open quantity still counts in the level's total."""
        earlier, later = order.earlier, order.later
        if earlier is None:
            level.head = later
        else:
            earlier.later = later
        if later is None:
            level.tail = earlier
        else:
            later.earlier = earlier
        order.earlier = order.later = None
        if level.head is None:
            self._drop(key)

    def remove(self, order: Order) -> None:
        """Take an order and its open quantity out."""
        key = order.price_e8 * self.sign
        level = self.levels[key]
        level.quantity_e8 -= order.quantity_e8
        self.changed.add(key)
        self.unlink(order, key, level)

    def _drop(self, key: int) -> None:
        del self.levels[key]
        keys = self.keys
        if keys[-1] == key:
            keys.pop()
        else:
            del keys[bisect_left(keys, key)]

    def best(self) -> tuple[int, int] | None:
        """(price_e8, quantity_e8) of the best level, or None when the side is empty."""
        if not self.keys:
            return None
        key = self.keys[-1]
        return key * self.sign, self.levels[key].quantity_e8

    def depth(self, limit: int) -> list[tuple[int, int]]:
        """[(price_e8, quantity_e8)] of the best `limit` levels, best first."""
        sign, levels = self.sign, self.levels
        return [(key * sign, levels[key].quantity_e8) for key in reversed(self.keys[-limit:])]

    def take_changes(self) -> list[tuple[int, int]]:
        """[(price_e8, quantity_e8 now or 0)] of the levels touched since the last call, best first."""
        sign, levels = self.sign, self.levels
        changed = sorted(self.changed, reverse=True)
        self.changed.clear()
        return [(key * sign, levels[key].quantity_e8 if key in levels else 0) for key in changed]


class Book:
    """The order book and matching engine of one instrument.

    `first_id` is where trade, prevented match and update ids start, `lot_e8` the step of quantities that a
    quote budget buys. `update_id` rises with each change of a level.
    """

    def __init__(self, lot_e8: int = 1, first_id: int = 1) -> None:
        self.lot_e8 = lot_e8
        self.bids = Ladder(1)
        self.asks = Ladder(-1)
        self.orders: dict[int, Order] = {}
        self.trade_id = first_id - 1
        self.match_id = first_id - 1
        self.update_id = first_id - 1

    def submit(self, order: Order) -> list[Event]:
        """Match an order, and rest what remains when its type allows that."""
        events: list[Event] = []
        opposite = self.asks if order.side == "BUY" else self.bids
        crosses = bool(opposite.keys) and (order.market or opposite.keys[-1] >= order.price_e8 * opposite.sign)
        if crosses:
            if order.post_only:
                return [Refused(order.order_id)]
            if order.time_in_force == "FOK" and not self._fills_whole(order, opposite):
                return [Expired(order.order_id, order.quantity_e8, "FOK")]
            self._match(order, opposite, events)
        if order.quantity_e8:
            self._leave(order, events)
        return events

    def cancel(self, order_id: int) -> Cancelled | None:
        """Take a resting order out; None when it is not in the book."""
        order = self.orders.pop(order_id, None)
        if order is None:
            return None
        self.update_id += 1
        (self.bids if order.side == "BUY" else self.asks).remove(order)
        return Cancelled(order_id, order.quantity_e8)

    def replace(self, order_id: int, price_e8: int, quantity_e8: int) -> list[Event] | None:
        """Change price and open quantity of a resting order; None when it is not in the book.

        A smaller quantity at the same price keeps the place in the queue. Anything else loses it: the order
        leaves and comes again as the newest, and may trade. A post-only order that would then take is Refused
        and stays as it was.
        """
        order = self.orders.get(order_id)
        if order is None:
            return None
        assert price_e8 > 0
        assert quantity_e8 > 0
        if price_e8 == order.price_e8 and quantity_e8 <= order.quantity_e8:
            return self._reduce(order, order.quantity_e8 - quantity_e8)
        opposite = self.asks if order.side == "BUY" else self.bids
        if order.post_only and opposite.keys and opposite.keys[-1] >= price_e8 * opposite.sign:
            return [Refused(order_id)]
        self.cancel(order_id)
        order.price_e8, order.quantity_e8 = price_e8, quantity_e8
        return self.submit(order)

    def sweep(
        self, side: Side, quantity_e8: int, quote_e8: int = 0, skip_account: int | None = None
    ) -> tuple[int, int]:
        """(quantity_e8, its cost in quote e8) that a market order of that side would trade now.

        It is given by quantity or, when `quote_e8` is positive, by what it may spend or wants to earn, in whole
        lots. Orders of `skip_account` are passed over: self-trade prevention would not let it trade with them.
        """
        base = quote = 0
        for price_e8, offered in self._offers(side, skip_account):
            if quote_e8:
                budget = (quote_e8 - quote) * ONE_E8 // price_e8
                traded = min(offered, budget - budget % self.lot_e8)
            else:
                traded = min(offered, quantity_e8 - base)
            if not traded:
                break
            base += traded
            quote += -(-price_e8 * traded // ONE_E8)
        return base, quote

    def _offers(self, side: Side, skip_account: int | None) -> Iterator[tuple[int, int]]:
        """(price_e8, quantity_e8) of each resting order that a taker of `side` would meet, in that order."""
        opposite = self.asks if side == "BUY" else self.bids
        for key in reversed(opposite.keys):
            maker = opposite.levels[key].head
            while maker is not None:
                if maker.account_id != skip_account:
                    yield maker.price_e8, maker.quantity_e8
                maker = maker.later

    def _reduce(self, order: Order, by_e8: int) -> list[Event]:
        if by_e8:
            self._shrink(order, by_e8)
        return [Reduced(order.order_id, order.quantity_e8)]

    def _shrink(self, order: Order, by_e8: int) -> None:
        ladder = self.bids if order.side == "BUY" else self.asks
        key = order.price_e8 * ladder.sign
        order.quantity_e8 -= by_e8
        ladder.levels[key].quantity_e8 -= by_e8
        ladder.changed.add(key)
        self.update_id += 1

    def _leave(self, order: Order, events: list[Event]) -> None:
        """What remains after matching rests or expires, by the order's type."""
        if order.market:
            events.append(Expired(order.order_id, order.quantity_e8, "NO_LIQUIDITY"))
        elif order.time_in_force == "GTC":
            self.orders[order.order_id] = order
            self.update_id += 1
            (self.bids if order.side == "BUY" else self.asks).append(order)
            events.append(Rested(order.order_id, order.price_e8, order.quantity_e8))
        else:
            events.append(Expired(order.order_id, order.quantity_e8, order.time_in_force))

    def _match(self, taker: Order, opposite: Ladder, events: list[Event]) -> None:
        """Trade with the best levels until the taker is done or its limit is reached."""
        keys, levels = opposite.keys, opposite.levels
        limit = None if taker.market else taker.price_e8 * opposite.sign
        while keys and taker.quantity_e8:
            key = keys[-1]
            if limit is not None and key < limit:
                return
            self.update_id += 1
            opposite.changed.add(key)
            self._match_level(taker, opposite, key, levels[key], events)

    def _match_level(self, taker: Order, ladder: Ladder, key: int, level: Level, events: list[Event]) -> None:
        """Trade along one queue until the taker or the queue is done."""
        price_e8 = key * ladder.sign
        guarded = taker.prevention != "NONE"
        maker = level.head
        while maker is not None and taker.quantity_e8:
            later = maker.later
            quantity = min(maker.quantity_e8, taker.quantity_e8)
            if guarded and maker.account_id == taker.account_id:
                self._prevent(taker, maker, quantity, ladder, key, level, events)
            else:
                self.trade_id += 1
                events.append(
                    Trade(
                        self.trade_id, price_e8, quantity, maker.order_id, taker.order_id,
                        maker.account_id, taker.account_id, taker.side,
                    )
                )  # fmt: skip
                taker.quantity_e8 -= quantity
                self._consume(maker, quantity, ladder, key, level)
            maker = later

    def _consume(self, maker: Order, quantity_e8: int, ladder: Ladder, key: int, level: Level) -> None:
        """Count a maker down; with nothing left it leaves the book."""
        maker.quantity_e8 -= quantity_e8
        level.quantity_e8 -= quantity_e8
        if not maker.quantity_e8:
            del self.orders[maker.order_id]
            ladder.unlink(maker, key, level)

    def _prevent(
        self, taker: Order, maker: Order, quantity_e8: int, ladder: Ladder, key: int, level: Level,
        events: list[Event],
    ) -> None:  # fmt: skip
        """Apply the taker's self-trade prevention to it and a maker of the same account."""
        mode = taker.prevention
        taker_loss = maker_loss = 0
        if mode == "DECREMENT":
            taker_loss = maker_loss = quantity_e8
        if mode in ("EXPIRE_TAKER", "EXPIRE_BOTH"):
            taker_loss = taker.quantity_e8
        if mode in ("EXPIRE_MAKER", "EXPIRE_BOTH"):
            maker_loss = maker.quantity_e8
        taker.quantity_e8 -= taker_loss
        if maker_loss:
            self._consume(maker, maker_loss, ladder, key, level)
        self.match_id += 1
        events.append(
            Prevented(
                self.match_id, taker.order_id, maker.order_id, key * ladder.sign, taker_loss, maker_loss,
                not taker.quantity_e8, not maker.quantity_e8,
            )
        )  # fmt: skip

    def _fills_whole(self, taker: Order, opposite: Ladder) -> bool:
        """Whether a fill-or-kill order would trade in full, self-trade prevention considered."""
        limit = taker.price_e8 * opposite.sign
        wanted, mode = taker.quantity_e8, taker.prevention
        for key in reversed(opposite.keys):
            if key < limit and not taker.market:
                return False
            maker = opposite.levels[key].head
            while maker is not None:
                if mode == "NONE" or maker.account_id != taker.account_id:
                    wanted -= maker.quantity_e8
                elif mode != "EXPIRE_MAKER":
                    # Every other mode takes quantity from the order itself, so it could not trade in full.
                    return False
                if wanted <= 0:
                    return True
                maker = maker.later
        return False
