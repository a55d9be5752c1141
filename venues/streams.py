"""Market streams: who listens to what, and what is told when.

Trades and best prices go out at once; depth updates every 100 ms or second, tickers and klines every second.
Depth updates of a market follow each other without a gap in their ids, whether anybody listens or not.
"""

from typing import Any

import msgspec

from venues import market_data
from venues.exchange import Exchange, Market
from venues.faults import Faults
from venues.sessions import Session

encode = msgspec.json.Encoder().encode
PARTIAL_DEPTHS = (5, 10, 20)
SECONDLY = {
    "ticker": market_data.ticker_event,
    "miniTicker": market_data.mini_ticker_event,
    "avgPrice": market_data.average_price_event,
}
ALL_MARKETS = {
    "!ticker@arr": market_data.ticker_event,
    "!miniTicker@arr": market_data.mini_ticker_event,
}


class Hub:
    """Subscriptions by stream name. A session takes messages raw or, when combined, wrapped with the name."""

    def __init__(self) -> None:
        self.listeners: dict[str, dict[Session, bool]] = {}
        self.combined: dict[Session, bool] = {}

    def subscribe(self, session: Session, stream: str) -> None:
        """Send a stream's messages to a session from now on."""
        self.listeners.setdefault(stream, {})[session] = True

    def unsubscribe(self, session: Session, stream: str) -> None:
        """Send no more of a stream to a session."""
        listeners = self.listeners.get(stream, {})
        listeners.pop(session, None)
        if not listeners:
            self.listeners.pop(stream, None)

    def subscriptions(self, session: Session) -> list[str]:
        """The streams that a session listens to."""
        return [stream for stream, sessions in self.listeners.items() if session in sessions]

    def forget(self, session: Session) -> None:
        """Drop every subscription of a session that left."""
        for stream in self.subscriptions(session):
            self.unsubscribe(session, stream)
        self.combined.pop(session, None)

    def publish(self, stream: str, payload: Any) -> None:
        """Send one message to whoever listens to the stream."""
        listeners = self.listeners.get(stream)
        if not listeners:
            return
        raw = encode(payload)
        wrapped = b""
        for session in list(listeners):
            if self.combined.get(session):
                wrapped = wrapped or b'{"stream":' + encode(stream) + b',"data":' + raw + b"}"
                session.send(wrapped)
            else:
                session.send(raw)


class _Feed:
    """What the streams of one market remember between two messages."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.name = market.symbol.name.lower()
        self.fast = _DepthDiff(market)
        self.slow = _DepthDiff(market)
        self.best: tuple[tuple[int, int] | None, tuple[int, int] | None] = (None, None)


class _DepthDiff:
    """Levels changed since the last update of one speed."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.last_id = market.book.update_id
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}

    def add(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        self.bids.update(bids)
        self.asks.update(asks)

    def take(self, now_ms: int) -> dict[str, Any] | None:
        """The depth update since the last call, None when nothing changed."""
        update_id = self.market.book.update_id
        if update_id == self.last_id:
            return None
        event = {
            "e": "depthUpdate",
            "E": now_ms,
            "s": self.market.symbol.name,
            "U": self.last_id + 1,
            "u": update_id,
            "b": market_data.levels(sorted(self.bids.items(), reverse=True)),
            "a": market_data.levels(sorted(self.asks.items())),
        }
        self.last_id = update_id
        self.bids.clear()
        self.asks.clear()
        return event


class MarketStreams:
    """Publishes what happens in an exchange's markets to a hub."""

    def __init__(self, exchange: Exchange, hub: Hub, faults: Faults) -> None:
        self.exchange = exchange
        self.hub = hub
        self.faults = faults
        self.feeds = {name: _Feed(market) for name, market in exchange.markets.items()}

    def flush(self) -> None:
        """Tell the trades since the last call, and best prices that changed."""
        prints = self.exchange.prints
        if prints:
            self._publish_prints()
            prints.clear()
        for feed in self.feeds.values():
            stream = feed.name + "@bookTicker"
            if stream in self.hub.listeners:
                best = (feed.market.book.bids.best(), feed.market.book.asks.best())
                if best != feed.best:
                    feed.best = best
                    self.hub.publish(stream, market_data.book_ticker_event(feed.market))

    def _publish_prints(self) -> None:
        listeners = self.hub.listeners
        for market, trade, time_ms in self.exchange.prints:
            stream = market.symbol.name.lower() + "@trade"
            if stream in listeners:
                self.hub.publish(stream, market_data.trade_event(market, trade, time_ms))
        for name, feed in self.feeds.items():
            stream = feed.name + "@aggTrade"
            if stream in listeners:
                entries = [(trade, ms) for market, trade, ms in self.exchange.prints if market is feed.market]
                for shape in market_data.aggregate(entries):
                    head = {"e": "aggTrade", "E": shape["T"], "s": name}
                    self.hub.publish(stream, {**head, **shape})

    def tick(self, now_ms: int, whole_second: bool) -> None:
        """Send what goes out at intervals; called every 100 ms."""
        if whole_second:
            self._publish_all_markets(now_ms)
        for feed in self.feeds.values():
            book = feed.market.book
            bids, asks = book.bids.take_changes(), book.asks.take_changes()
            feed.fast.add(bids, asks)
            feed.slow.add(bids, asks)
            self._publish_diff(feed.name + "@depth@100ms", feed.fast, now_ms)
            self._publish_partial(feed, "@100ms")
            if whole_second:
                self._publish_diff(feed.name + "@depth", feed.slow, now_ms)
                self._publish_partial(feed, "")
                self._publish_statistics(feed, now_ms)

    def _publish_all_markets(self, now_ms: int) -> None:
        for stream, shape in ALL_MARKETS.items():
            if stream in self.hub.listeners:
                self.hub.publish(stream, [shape(feed.market, now_ms) for feed in self.feeds.values()])

    def _publish_diff(self, stream: str, diff: _DepthDiff, now_ms: int) -> None:
        event = diff.take(now_ms)
        if event is None or stream not in self.hub.listeners:
            return
        if self.faults.rules and self.faults.strike_request("depth_gap", "", stream):
            return
        self.hub.publish(stream, event)

    def _publish_partial(self, feed: _Feed, suffix: str) -> None:
        for depth in PARTIAL_DEPTHS:
            stream = f"{feed.name}@depth{depth}{suffix}"
            if stream in self.hub.listeners:
                self.hub.publish(stream, market_data.depth(feed.market, depth))

    def _publish_statistics(self, feed: _Feed, now_ms: int) -> None:
        listeners = self.hub.listeners
        for kind, shape in SECONDLY.items():
            if f"{feed.name}@{kind}" in listeners:
                self.hub.publish(f"{feed.name}@{kind}", shape(feed.market, now_ms))
        for interval in market_data.INTERVALS_MINUTES:
            stream = f"{feed.name}@kline_{interval}"
            if stream in listeners:
                event = market_data.kline_event(feed.market, interval, now_ms)
                if event is not None:
                    self.hub.publish(stream, event)


def stream_names(exchange: Exchange) -> frozenset[str]:
    """Every market stream that exists here."""
    kinds = ["trade", "aggTrade", "bookTicker", "depth", "depth@100ms", *SECONDLY]
    kinds += [f"depth{depth}{suffix}" for depth in PARTIAL_DEPTHS for suffix in ("", "@100ms")]
    kinds += [f"kline_{interval}" for interval in market_data.INTERVALS_MINUTES]
    streams = {f"{name.lower()}@{kind}" for name in exchange.markets for kind in kinds}
    return frozenset(streams | ALL_MARKETS.keys())
