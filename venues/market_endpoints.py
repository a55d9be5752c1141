"""Public endpoints: what is listed, books, trades, tickers. Each takes (venue, call) and returns JSON."""

import re
from typing import Any, Final

import msgspec

from venues import market_data
from venues.exchange import Market
from venues.parameters import Parameters
from venues.rejects import Reject, bad_symbol
from venues.symbols import decimal
from venues.venue import Call, Venue

FAR_MS: Final = 2**62
_ASSET_NAMES: Final = {"BTC": "Bitcoin", "ETH": "Ethereum", "USDT": "TetherUS", "BNB": "BNB"}
_SYMBOL_LIST: Final = re.compile(r'\["[A-Z0-9\-_.]{1,20}"(,"[A-Z0-9\-_.]{1,20}")*\]', re.ASCII)


def ping(_venue: Venue, _call: Call) -> Any:
    """Whether the venue is there."""
    return {}


def server_time(venue: Venue, _call: Call) -> Any:
    """The venue's clock in ms."""
    return {"serverTime": venue.now_us() // 1_000}


def exchange_info(venue: Venue, call: Call) -> Any:
    """Limits and listed symbols."""
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms,
        "rateLimits": venue.limiter.limits.listing(),
        "exchangeFilters": [],
        "symbols": [market.symbol.listing() for market in _chosen(venue, call.parameters)],
        "sors": [],
    }


def no_contracts(_venue: Venue, call: Call) -> Any:
    """exchangeInfo of the futures and options families: nothing is listed there."""
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms,
        "rateLimits": [],
        "exchangeFilters": [],
        "assets": [],
        "symbols": [],
        "optionSymbols": [],
    }


def depth(venue: Venue, call: Call) -> Any:
    """The order book with its update id."""
    return market_data.depth(_market(venue, call), call.parameters.limit(100, 5_000))


def trades(venue: Venue, call: Call) -> Any:
    """Recent public trades."""
    recent = list(_market(venue, call).statistics.recent)
    from_id = call.parameters.integer("fromId")
    limit = call.parameters.limit(500, 1_000)
    if from_id is None:
        return [market_data.trade(entry) for entry in recent[-limit:]]
    return [market_data.trade(entry) for entry in recent if entry[0].trade_id >= from_id][:limit]


def aggregate_trades(venue: Venue, call: Call) -> Any:
    """Recent public trades, merged by taker order and price."""
    entries = list(_market(venue, call).statistics.recent)
    shapes = market_data.aggregate(entries)
    from_id, limit = call.parameters.integer("fromId"), call.parameters.limit(500, 1_000)
    start_ms, end_ms = call.parameters.integer("startTime"), call.parameters.integer("endTime")
    if from_id is not None:
        return [shape for shape in shapes if shape["a"] >= from_id][:limit]
    if start_ms is not None:
        chosen = [shape for shape in shapes if start_ms <= shape["T"] <= (end_ms or FAR_MS)]
        return chosen[:limit]
    return [shape for shape in shapes if shape["T"] <= (end_ms or FAR_MS)][-limit:]


def klines(venue: Venue, call: Call) -> Any:
    """Bars of what traded since the venue started, at most a day of it."""
    interval = call.parameters.required("interval")
    if interval not in market_data.INTERVALS_MINUTES:
        raise Reject(-1120, "Invalid interval.")
    start_ms, end_ms = call.parameters.integer("startTime"), call.parameters.integer("endTime")
    return market_data.klines(
        _market(venue, call),
        market_data.INTERVALS_MINUTES[interval],
        start_ms or 0,
        FAR_MS if end_ms is None else end_ms,
        call.parameters.limit(500, 1_000),
    )


def average_price(venue: Venue, call: Call) -> Any:
    """Volume-weighted price of the last five minutes."""
    statistics = _market(venue, call).statistics
    return {
        "mins": 5,
        "price": decimal(statistics.average_price(call.now_ms, 5)),
        "closeTime": statistics.recent[-1][1] if statistics.recent else call.now_ms,
    }


def ticker_day(venue: Venue, call: Call) -> Any:
    """24 hour statistics of one, some or all symbols."""
    return _one_or_all(venue, call, lambda market: market_data.ticker(market, call.now_ms))


def ticker_price(venue: Venue, call: Call) -> Any:
    """Latest prices."""

    def shape(market: Market) -> Any:
        last = market.statistics.last
        return {
            "symbol": market.symbol.name,
            "price": decimal(last.price_e8 if last else 0),
        }

    return _one_or_all(venue, call, shape)


def ticker_book(venue: Venue, call: Call) -> Any:
    """Best prices and quantities."""
    return _one_or_all(venue, call, market_data.book_ticker)


def coins(venue: Venue, _call: Call) -> Any:
    """Assets, as the wallet lists them; there are no networks to deposit or withdraw by."""
    return [
        {
            "coin": asset,
            "depositAllEnable": False,
            "withdrawAllEnable": False,
            "name": _ASSET_NAMES.get(asset, asset),
            "free": "0",
            "locked": "0",
            "freeze": "0",
            "withdrawing": "0",
            "ipoing": "0",
            "ipoable": "0",
            "storage": "0",
            "isLegalMoney": False,
            "trading": True,
            "networkList": [],
        }
        for asset in sorted(
            {"BNB", *(symbol.base for symbol in venue.symbols.values())}
            | {symbol.quote for symbol in venue.symbols.values()}
        )
    ]


def nothing(_venue: Venue, _call: Call) -> Any:
    """An empty list: margin and the like are not offered."""
    return []


def system_status(_venue: Venue, _call: Call) -> Any:
    """The venue is open."""
    return {"status": 0, "msg": "normal"}


def _market(venue: Venue, call: Call) -> Market:
    return venue.exchange.market(call.parameters.symbol())


def _chosen(venue: Venue, parameters: Parameters) -> list[Market]:
    """The markets named by `symbol` or `symbols`, else all."""
    if "symbol" in parameters.values and "symbols" in parameters.values:
        raise Reject(-1128, "Combination of optional parameters invalid.")
    if "symbol" in parameters.values:
        return [venue.exchange.market(parameters.symbol())]
    text = parameters.text("symbols")
    if text is None:
        return list(venue.exchange.markets.values())
    if not _SYMBOL_LIST.fullmatch(text):
        raise Reject(-1100, "Illegal characters found in parameter 'symbols'.")
    names = msgspec.json.decode(text, type=list[str])
    if len(set(names)) != len(names):
        raise Reject(-1151, "Symbol is present multiple times in the list.")
    if any(name not in venue.exchange.markets for name in names):
        raise bad_symbol()
    return [venue.exchange.markets[name] for name in names]


def _one_or_all(venue: Venue, call: Call, shape: Any) -> Any:
    shapes = [shape(market) for market in _chosen(venue, call.parameters)]
    return shapes[0] if "symbol" in call.parameters.values else shapes
