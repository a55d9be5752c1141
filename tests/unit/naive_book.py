"""A matching engine written in the plainest way: what the real one is held against, in tests and in bench.matching."""

from dataclasses import dataclass
from typing import Any

import msgspec

from venues.matching import Event


@dataclass
class Waiting:
    """An order in the naive book; `turn` is its place in time."""

    order_id: int
    account: int
    side: str
    price: int
    open: int
    post_only: bool
    prevention: str
    turn: int


class NaiveBook:
    """One list, sorted anew for every order. Returns tuples of the event's name and fields."""

    def __init__(self) -> None:
        self.waiting: list[Waiting] = []
        self.turn = 0
        self.trades = 0
        self.matches = 0

    def queue_against(self, side: str) -> list[Waiting]:
        others = [w for w in self.waiting if w.side != side]
        if side == "BUY":
            return sorted(others, key=lambda w: (w.price, w.turn))
        return sorted(others, key=lambda w: (-w.price, w.turn))

    def crossing(self, side: str, price: int | None) -> list[Waiting]:
        queue = self.queue_against(side)
        if price is None:
            return queue
        return [w for w in queue if (w.price <= price if side == "BUY" else w.price >= price)]

    def submit(self, new: Waiting, kind: str) -> list[tuple[Any, ...]]:
        price = None if kind == "MARKET" else new.price
        queue = self.crossing(new.side, price)
        if new.post_only and queue:
            return [("Refused", new.order_id)]
        if kind == "FOK" and not self.could_fill(new, queue):
            return [("Expired", new.order_id, new.open, "FOK")]
        events: list[tuple[Any, ...]] = []
        for maker in queue:
            if new.open == 0:
                break
            if new.prevention != "NONE" and maker.account == new.account:
                events.append(self.prevent(new, maker))
            else:
                events.append(self.trade(new, maker))
        self.waiting = [w for w in self.waiting if w.open]
        if new.open:
            events.append(self.leave(new, kind))
        return events

    def could_fill(self, new: Waiting, queue: list[Waiting]) -> bool:
        total = 0
        for maker in queue:
            if total >= new.open:
                break
            if new.prevention != "NONE" and maker.account == new.account:
                if new.prevention == "EXPIRE_MAKER":
                    continue
                return False
            total += maker.open
        return total >= new.open

    def trade(self, taker: Waiting, maker: Waiting) -> tuple[Any, ...]:
        quantity = min(taker.open, maker.open)
        taker.open -= quantity
        maker.open -= quantity
        self.trades += 1
        return (
            "Trade",
            self.trades,
            maker.price,
            quantity,
            maker.order_id,
            taker.order_id,
            maker.account,
            taker.account,
            taker.side,
        )

    def prevent(self, taker: Waiting, maker: Waiting) -> tuple[Any, ...]:
        lost_by_taker = lost_by_maker = 0
        if taker.prevention == "EXPIRE_TAKER":
            lost_by_taker = taker.open
        elif taker.prevention == "EXPIRE_MAKER":
            lost_by_maker = maker.open
        elif taker.prevention == "EXPIRE_BOTH":
            lost_by_taker, lost_by_maker = taker.open, maker.open
        else:
            lost_by_taker = lost_by_maker = min(taker.open, maker.open)
        taker.open -= lost_by_taker
        maker.open -= lost_by_maker
        self.matches += 1
        ids = (self.matches, taker.order_id, maker.order_id, maker.price)
        return ("Prevented", *ids, lost_by_taker, lost_by_maker, taker.open == 0, maker.open == 0)

    def leave(self, new: Waiting, kind: str) -> tuple[Any, ...]:
        if kind == "MARKET":
            return ("Expired", new.order_id, new.open, "NO_LIQUIDITY")
        if kind in ("IOC", "FOK"):
            return ("Expired", new.order_id, new.open, kind)
        self.turn += 1
        new.turn = self.turn
        self.waiting.append(new)
        return ("Rested", new.order_id, new.price, new.open)

    def find(self, order_id: int) -> Waiting | None:
        return next((w for w in self.waiting if w.order_id == order_id), None)

    def cancel(self, order_id: int) -> tuple[Any, ...] | None:
        found = self.find(order_id)
        if found is None:
            return None
        self.waiting.remove(found)
        return ("Cancelled", order_id, found.open)

    def replace(self, order_id: int, price: int, quantity: int) -> list[tuple[Any, ...]] | None:
        found = self.find(order_id)
        if found is None:
            return None
        if price == found.price and quantity <= found.open:
            found.open = quantity
            return [("Reduced", order_id, quantity)]
        if found.post_only and self.crossing(found.side, price):
            return [("Refused", order_id)]
        self.waiting.remove(found)
        found.price, found.open = price, quantity
        return self.submit(found, "GTC")

    def depth(self, side: str) -> list[tuple[int, int]]:
        totals: dict[int, int] = {}
        for order in self.waiting:
            if order.side == side:
                totals[order.price] = totals.get(order.price, 0) + order.open
        return sorted(totals.items(), reverse=side == "BUY")


def plain(event: Event | None) -> tuple[Any, ...] | None:
    """An event as the tuple that the naive book would return."""
    return None if event is None else (type(event).__name__, *msgspec.structs.astuple(event))
