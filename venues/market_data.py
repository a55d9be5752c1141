"""Public market data in Binance's JSON shapes, made from a market's book and statistics. Pure functions."""

from itertools import groupby
from typing import Any, Final

from truetape.money import ONE_E8
from venues.exchange import Market
from venues.matching import Trade
from venues.statistics import MINUTE_MS, Bar, merged
from venues.symbols import decimal

Json = dict[str, Any]
DAY_MINUTES: Final = 1_440
INTERVALS_MINUTES: Final = {
    "1m": 1,
    "3m": 3,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
    "6h": 360,
    "8h": 480,
    "12h": 720,
    "1d": DAY_MINUTES,
}


def levels(pairs: list[tuple[int, int]]) -> list[list[str]]:
    """[[price, quantity]] as decimal strings."""
    return [[decimal(price_e8), decimal(quantity_e8)] for price_e8, quantity_e8 in pairs]


def depth(market: Market, limit: int) -> Json:
    """The best levels of both sides, with the update id that a diff stream continues from."""
    book = market.book
    return {
        "lastUpdateId": book.update_id,
        "bids": levels(book.bids.depth(limit)),
        "asks": levels(book.asks.depth(limit)),
    }


def book_ticker(market: Market) -> Json:
    """Best prices and quantities; zeros for an empty side."""
    bid, ask = market.book.bids.best() or (0, 0), market.book.asks.best() or (0, 0)
    return {
        "symbol": market.symbol.name,
        "bidPrice": decimal(bid[0]),
        "bidQty": decimal(bid[1]),
        "askPrice": decimal(ask[0]),
        "askQty": decimal(ask[1]),
    }


def book_ticker_event(market: Market) -> Json:
    """The stream's form of `book_ticker`."""
    bid, ask = market.book.bids.best() or (0, 0), market.book.asks.best() or (0, 0)
    return {
        "u": market.book.update_id,
        "s": market.symbol.name,
        "b": decimal(bid[0]),
        "B": decimal(bid[1]),
        "a": decimal(ask[0]),
        "A": decimal(ask[1]),
    }


def trade(entry: tuple[Trade, int]) -> Json:
    """A public trade with its time in ms."""
    item, time_ms = entry
    return {
        "id": item.trade_id,
        "price": decimal(item.price_e8),
        "qty": decimal(item.quantity_e8),
        "quoteQty": decimal(item.price_e8 * item.quantity_e8 // ONE_E8),
        "time": time_ms,
        "isBuyerMaker": item.taker_side == "SELL",
        "isBestMatch": True,
    }


def trade_event(market: Market, item: Trade, time_ms: int) -> Json:
    """The stream's form of `trade`."""
    return {
        "e": "trade",
        "E": time_ms,
        "s": market.symbol.name,
        "t": item.trade_id,
        "p": decimal(item.price_e8),
        "q": decimal(item.quantity_e8),
        "T": time_ms,
        "m": item.taker_side == "SELL",
        "M": True,
    }


def aggregate(entries: list[tuple[Trade, int]]) -> list[Json]:
    """Trades of one taker order at one price, merged; the id is that of the first of them."""
    result = []
    for _, group in groupby(entries, key=lambda entry: (entry[0].taker_id, entry[0].price_e8)):
        run = list(group)
        first, time_ms = run[0]
        result.append(
            {
                "a": first.trade_id,
                "p": decimal(first.price_e8),
                "q": decimal(sum(item.quantity_e8 for item, _ in run)),
                "f": first.trade_id,
                "l": run[-1][0].trade_id,
                "T": time_ms,
                "m": first.taker_side == "SELL",
                "M": True,
            }
        )
    return result


def kline(bar: Bar, interval_ms: int) -> list[Any]:
    """One bar in the array form of klines."""
    return [
        bar.open_ms,
        decimal(bar.open_e8),
        decimal(bar.high_e8),
        decimal(bar.low_e8),
        decimal(bar.close_e8),
        decimal(bar.volume_e8),
        bar.open_ms + interval_ms - 1,
        decimal(bar.quote_e8),
        bar.count,
        decimal(bar.taker_volume_e8),
        decimal(bar.taker_quote_e8),
        "0",
    ]


def klines(market: Market, minutes: int, start_ms: int, end_ms: int, limit: int) -> list[list[Any]]:
    """Bars that open within [start, end], oldest first; without a start the newest ones."""
    interval_ms = minutes * MINUTE_MS
    bars = [bar for bar in merged(market.statistics.bars, interval_ms) if start_ms <= bar.open_ms <= end_ms]
    chosen = bars[:limit] if start_ms else bars[-limit:]
    return [kline(bar, interval_ms) for bar in chosen]


def kline_event(market: Market, interval: str, now_ms: int) -> Json | None:
    """The stream's form of the current bar, None when nothing traded in it."""
    interval_ms = INTERVALS_MINUTES[interval] * MINUTE_MS
    bars = merged(market.statistics.bars, interval_ms)
    if not bars:
        return None
    bar, name = bars[-1], market.symbol.name
    return {
        "e": "kline",
        "E": now_ms,
        "s": name,
        "k": {
            "t": bar.open_ms,
            "T": bar.open_ms + interval_ms - 1,
            "s": name,
            "i": interval,
            "f": bar.first_id,
            "L": bar.last_id,
            "o": decimal(bar.open_e8),
            "c": decimal(bar.close_e8),
            "h": decimal(bar.high_e8),
            "l": decimal(bar.low_e8),
            "v": decimal(bar.volume_e8),
            "n": bar.count,
            "x": now_ms >= bar.open_ms + interval_ms,
            "q": decimal(bar.quote_e8),
            "V": decimal(bar.taker_volume_e8),
            "Q": decimal(bar.taker_quote_e8),
            "B": "0",
        },
    }


def ticker(market: Market, now_ms: int) -> Json:
    """Statistics of the last 24 hours."""
    bar = market.statistics.window(now_ms, DAY_MINUTES) or Bar(0, 0, 0, 0, 0, -1, -1)
    last = market.statistics.last
    best = book_ticker(market)
    change_e8 = bar.close_e8 - bar.open_e8
    percent = f"{100 * change_e8 / bar.open_e8:.3f}" if bar.open_e8 else "0.000"
    return {
        "symbol": market.symbol.name,
        "priceChange": decimal(change_e8),
        "priceChangePercent": percent,
        "weightedAvgPrice": decimal(bar.quote_e8 * ONE_E8 // bar.volume_e8 if bar.volume_e8 else 0),
        "prevClosePrice": decimal(bar.open_e8),
        "lastPrice": decimal(bar.close_e8),
        "lastQty": decimal(last.quantity_e8 if last else 0),
        "bidPrice": best["bidPrice"],
        "bidQty": best["bidQty"],
        "askPrice": best["askPrice"],
        "askQty": best["askQty"],
        "openPrice": decimal(bar.open_e8),
        "highPrice": decimal(bar.high_e8),
        "lowPrice": decimal(bar.low_e8),
        "volume": decimal(bar.volume_e8),
        "quoteVolume": decimal(bar.quote_e8),
        "openTime": now_ms - DAY_MINUTES * MINUTE_MS,
        "closeTime": now_ms,
        "firstId": bar.first_id,
        "lastId": bar.last_id,
        "count": bar.count,
    }


_TICKER_KEYS: Final = {
    "p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice", "x": "prevClosePrice",
    "c": "lastPrice", "Q": "lastQty", "b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty",
    "o": "openPrice", "h": "highPrice", "l": "lowPrice", "v": "volume", "q": "quoteVolume",
    "O": "openTime", "C": "closeTime", "F": "firstId", "L": "lastId", "n": "count",
}  # fmt: skip


def mini_ticker_event(market: Market, now_ms: int) -> Json:
    """The short form of `ticker_event`."""
    event = ticker_event(market, now_ms)
    short = {key: event[key] for key in ("E", "s", "c", "o", "h", "l", "v", "q")}
    return {"e": "24hrMiniTicker", **short}


def average_price_event(market: Market, now_ms: int) -> Json:
    """The stream's form of the average price of five minutes."""
    statistics = market.statistics
    return {
        "e": "avgPrice",
        "E": now_ms,
        "s": market.symbol.name,
        "i": "5m",
        "w": decimal(statistics.average_price(now_ms, 5)),
        "T": statistics.recent[-1][1] if statistics.recent else now_ms,
    }


def ticker_event(market: Market, now_ms: int) -> Json:
    """The stream's form of `ticker`."""
    statistics = ticker(market, now_ms)
    event = {key: statistics[name] for key, name in _TICKER_KEYS.items()}
    return {"e": "24hrTicker", "E": now_ms, "s": market.symbol.name, **event}
