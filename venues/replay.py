"""Recorded order flow: the book of a recording becomes resting orders of the house, its trades consume them.

A recording is a gzip file of lines `<local ns> <JSON>`: one REST snapshot of the book, then the raw messages
of the combined streams depth@100ms, trade (and others, which are skipped). Clients' orders stand in the same
queues: a recorded trade fills whoever is first. What a client took away is gone until the recording's next
word on that level. When a level shrinks without a trade, the newest house orders there leave first.

Trades and depth updates come by different streams, so a trade may be told after the update that holds it and
would then be counted twice. Therefore levels that a recorded trade touched are set again with the next update.
"""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from truetape.errors import MoneyError, SetupError
from truetape.money import to_e8
from venues.accounts import HOUSE
from venues.exchange import Exchange, Market
from venues.matching import Order, Side, Trade


def read_recording(paths: list[Path]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(local ns, message) of each line. Raises SetupError naming file and line when one is not understood."""
    for path in paths:
        number = 0
        try:
            with gzip.open(path, "rb") as lines:
                for line in lines:
                    number += 1
                    time_ns, _, text = line.partition(b" ")
                    yield int(time_ns), msgspec.json.decode(text, type=dict[str, Any])
        except FileNotFoundError:
            raise SetupError(f"the recording {path} is missing; check --recording") from None
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise SetupError(f"the recording {path} is not understood at line {number}: {error}") from error


def recorded_symbol(paths: list[Path]) -> str:
    """The symbol that a recording is of. Raises SetupError when it is unreadable or has no book snapshot."""
    symbol, snapshot = "", False
    for _, message in read_recording(paths):
        snapshot = snapshot or "lastUpdateId" in message
        symbol = symbol or str(message.get("data", {}).get("s", ""))
        if symbol and snapshot:
            return symbol
    raise SetupError(
        f"{', '.join(map(str, paths))}: no book snapshot and stream messages of one symbol found; put the file"
        " with the snapshot first"
    )


class RecordedFlow:
    """Plays a recording's messages into one market."""

    def __init__(self, exchange: Exchange, market: Market) -> None:
        self.exchange = exchange
        self.market = market
        self._levels: dict[Side, dict[int, list[Order]]] = {"BUY": {}, "SELL": {}}
        self._recorded: dict[Side, dict[int, int]] = {"BUY": {}, "SELL": {}}
        self._disturbed: set[tuple[Side, int]] = set()
        self._early: list[dict[str, Any]] = []
        self._update_id: int | None = None

    def reset(self) -> None:
        """Take all house orders out, for the recording to start again."""
        for levels in self._levels.values():
            for orders in levels.values():
                for order in orders:
                    self.market.book.cancel(order.order_id)
            levels.clear()
        for recorded in self._recorded.values():
            recorded.clear()
        self._disturbed.clear()
        self._early = []
        self._update_id = None

    def apply(self, message: dict[str, Any], now_ms: int) -> bool:
        """Play one message; False when it changes nothing. Raises SetupError on numbers that do not fit."""
        try:
            return self._apply(message, now_ms)
        except (AttributeError, KeyError, TypeError, ValueError, MoneyError) as error:
            raise SetupError(f"the recording holds a message that is not understood: {error!r}") from error

    def _apply(self, message: dict[str, Any], now_ms: int) -> bool:
        if "lastUpdateId" in message:
            self._snapshot(message, now_ms)
            return True
        data = message["data"]
        kind = data.get("e")
        if self._update_id is None:
            # The update that the snapshot falls into may stand before it in the recording.
            if kind == "depthUpdate":
                self._early.append(data)
            return False
        if kind == "depthUpdate" and data["u"] > self._update_id:
            self._update_id = data["u"]
            self._set_levels(data["b"], data["a"], now_ms)
            return True
        if kind == "trade":
            self._trade("SELL" if data["m"] else "BUY", to_e8(data["p"]), to_e8(data["q"]), now_ms)
            return True
        return False

    def _snapshot(self, message: dict[str, Any], now_ms: int) -> None:
        early = self._early
        self.reset()
        self._update_id = message["lastUpdateId"]
        self._set_levels(message["bids"], message["asks"], now_ms)
        for data in early:
            self._apply({"data": data}, now_ms)

    def _set_levels(self, bids: list[list[str]], asks: list[list[str]], now_ms: int) -> None:
        """Bring the house's quantities to the recorded ones: first what shrinks, so that nothing crosses."""
        changed = self._disturbed
        self._disturbed = set()
        for side, pairs in _sides(bids, asks):
            for price, quantity in pairs:
                price_e8, quantity_e8 = to_e8(price), to_e8(quantity)
                changed.add((side, price_e8))
                if quantity_e8:
                    self._recorded[side][price_e8] = quantity_e8
                else:
                    self._recorded[side].pop(price_e8, None)
        grown: list[tuple[Side, int, int]] = []
        # Sorted, since the order of a set may differ between runs and the queues would with it.
        for side, price_e8 in sorted(changed):
            self._set_level(side, price_e8, self._recorded[side].get(price_e8, 0), grown)
        for side, price_e8, more_e8 in grown:
            self._add(side, price_e8, more_e8, now_ms)

    def _set_level(self, side: Side, price_e8: int, quantity_e8: int, grown: list[tuple[Side, int, int]]) -> None:
        orders = self._live(side, price_e8)
        excess_e8 = sum(order.quantity_e8 for order in orders) - quantity_e8
        if excess_e8 < 0:
            grown.append((side, price_e8, -excess_e8))
        while excess_e8 > 0:
            newest = orders[-1]
            if newest.quantity_e8 <= excess_e8:
                excess_e8 -= newest.quantity_e8
                self.market.book.cancel(newest.order_id)
                orders.pop()
            else:
                self.market.book.replace(newest.order_id, price_e8, newest.quantity_e8 - excess_e8)
                excess_e8 = 0
        if not orders:
            self._levels[side].pop(price_e8, None)

    def _live(self, side: Side, price_e8: int) -> list[Order]:
        """The house's orders at a price that still rest, oldest first."""
        orders = self._levels[side].get(price_e8)
        if orders is None:
            return []
        orders[:] = [order for order in orders if order.order_id in self.market.book.orders]
        return orders

    def _add(self, side: Side, price_e8: int, quantity_e8: int, now_ms: int) -> None:
        order = Order(self.exchange.next_flow_id(), HOUSE, side, price_e8, quantity_e8)
        self.exchange.flow(self.market, order, now_ms)
        if order.order_id in self.market.book.orders:
            self._levels[side].setdefault(price_e8, []).append(order)

    def _trade(self, side: Side, price_e8: int, quantity_e8: int, now_ms: int) -> None:
        order = Order(self.exchange.next_flow_id(), HOUSE, side, price_e8, quantity_e8, "IOC")
        maker_side: Side = "SELL" if side == "BUY" else "BUY"
        for event in self.exchange.flow(self.market, order, now_ms):
            if isinstance(event, Trade) and event.maker_account == HOUSE:
                self._disturbed.add((maker_side, event.price_e8))


def _sides(bids: list[list[str]], asks: list[list[str]]) -> list[tuple[Side, list[list[str]]]]:
    return [("BUY", bids), ("SELL", asks)]
