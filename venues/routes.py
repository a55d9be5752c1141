"""Which endpoint does what: handler, weight, who may call it and which parameters it reads."""

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

from venues import market_endpoints as market
from venues import trading_endpoints as trading
from venues.venue import Call, Venue

Security = Literal["NONE", "KEY", "USER_DATA", "TRADE"]
"""NONE is public, KEY needs an API key alone, the others a signature and that permission."""


class Route(NamedTuple):
    """One endpoint."""

    handler: Callable[[Venue, Call], Any]
    weight: int
    security: Security
    parameters: frozenset[str]
    counts_order: bool = False


def _route(
    handler: Callable[[Venue, Call], Any],
    weight: int,
    parameters: str = "",
    security: Security = "NONE",
    *,
    counts_order: bool = False,
) -> Route:
    names = set(parameters.split())
    if security in ("USER_DATA", "TRADE"):
        names |= {"timestamp", "recvWindow"}
    return Route(handler, weight, security, frozenset(names), counts_order)


NEW_ORDER: Final = (
    "symbol side type timeInForce quantity quoteOrderQty price newClientOrderId strategyId strategyType"
    " stopPrice trailingDelta icebergQty newOrderRespType selfTradePreventionMode"
)
WHICH_ORDER: Final = "symbol orderId origClientOrderId"
SPAN: Final = "startTime endTime limit"

ROUTES: Final[dict[tuple[str, str], Route]] = {
    ("GET", "/api/v3/ping"): _route(market.ping, 1),
    ("GET", "/api/v3/time"): _route(market.server_time, 1),
    ("GET", "/api/v3/exchangeInfo"): _route(
        market.exchange_info, 20, "symbol symbols permissions showPermissionSets symbolStatus"
    ),
    ("GET", "/api/v3/depth"): _route(market.depth, 5, "symbol limit"),
    ("GET", "/api/v3/trades"): _route(market.trades, 25, "symbol limit"),
    ("GET", "/api/v3/historicalTrades"): _route(market.trades, 25, "symbol limit fromId"),
    ("GET", "/api/v3/aggTrades"): _route(market.aggregate_trades, 4, "symbol fromId " + SPAN),
    ("GET", "/api/v3/klines"): _route(market.klines, 2, "symbol interval timeZone " + SPAN),
    ("GET", "/api/v3/uiKlines"): _route(market.klines, 2, "symbol interval timeZone " + SPAN),
    ("GET", "/api/v3/avgPrice"): _route(market.average_price, 2, "symbol"),
    ("GET", "/api/v3/ticker/24hr"): _route(market.ticker_day, 2, "symbol symbols type"),
    ("GET", "/api/v3/ticker/price"): _route(market.ticker_price, 2, "symbol symbols"),
    ("GET", "/api/v3/ticker/bookTicker"): _route(market.ticker_book, 2, "symbol symbols"),
    ("POST", "/api/v3/order"): _route(trading.place, 1, NEW_ORDER, "TRADE", counts_order=True),
    ("POST", "/api/v3/order/test"): _route(trading.place_test, 1, NEW_ORDER + " computeCommissionRates", "TRADE"),
    ("GET", "/api/v3/order"): _route(trading.query, 4, WHICH_ORDER, "USER_DATA"),
    ("DELETE", "/api/v3/order"): _route(
        trading.cancel, 1, WHICH_ORDER + " newClientOrderId cancelRestrictions", "TRADE"
    ),
    ("POST", "/api/v3/order/cancelReplace"): _route(
        trading.cancel_replace,
        1,
        NEW_ORDER + " cancelReplaceMode cancelNewClientOrderId cancelOrigClientOrderId cancelOrderId"
        " cancelRestrictions orderRateLimitExceededMode",
        "TRADE",
        counts_order=True,
    ),
    ("PUT", "/api/v3/order/amend/keepPriority"): _route(
        trading.amend, 4, WHICH_ORDER + " newClientOrderId newQty", "TRADE"
    ),
    ("GET", "/api/v3/openOrders"): _route(trading.open_orders, 6, "symbol", "USER_DATA"),
    ("DELETE", "/api/v3/openOrders"): _route(trading.cancel_all, 1, "symbol", "TRADE"),
    ("GET", "/api/v3/allOrders"): _route(trading.all_orders, 20, "symbol orderId " + SPAN, "USER_DATA"),
    ("GET", "/api/v3/myTrades"): _route(trading.own_trades, 20, "symbol orderId fromId " + SPAN, "USER_DATA"),
    ("GET", "/api/v3/account"): _route(trading.account, 20, "omitZeroBalances", "USER_DATA"),
    ("GET", "/api/v3/account/commission"): _route(trading.commission, 20, "symbol", "USER_DATA"),
    ("GET", "/api/v3/rateLimit/order"): _route(trading.order_rates, 40, "", "USER_DATA"),
    ("POST", "/api/v3/userDataStream"): _route(trading.open_listen_key, 2, "", "KEY"),
    ("PUT", "/api/v3/userDataStream"): _route(trading.keep_listen_key, 2, "listenKey", "KEY"),
    ("DELETE", "/api/v3/userDataStream"): _route(trading.close_listen_key, 2, "listenKey", "KEY"),
    ("GET", "/sapi/v1/system/status"): _route(market.system_status, 1),
    ("GET", "/sapi/v1/capital/config/getall"): _route(market.coins, 10, "", "USER_DATA"),
    ("GET", "/sapi/v1/margin/allPairs"): _route(market.nothing, 1, "symbol", "USER_DATA"),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): _route(market.nothing, 1, "symbol", "USER_DATA"),
    ("GET", "/sapi/v1/margin/allAssets"): _route(market.nothing, 1, "asset", "USER_DATA"),
    ("GET", "/sapi/v1/asset/tradeFee"): _route(trading.trade_fees, 1, "symbol", "USER_DATA"),
    ("GET", "/fapi/v1/exchangeInfo"): _route(market.no_contracts, 1),
    ("GET", "/dapi/v1/exchangeInfo"): _route(market.no_contracts, 1),
    ("GET", "/eapi/v1/exchangeInfo"): _route(market.no_contracts, 1),
}

PATHS: Final = frozenset(path for _, path in ROUTES)

METHODS: Final[dict[str, tuple[str, str]]] = {
    "ping": ("GET", "/api/v3/ping"),
    "time": ("GET", "/api/v3/time"),
    "exchangeInfo": ("GET", "/api/v3/exchangeInfo"),
    "depth": ("GET", "/api/v3/depth"),
    "trades.recent": ("GET", "/api/v3/trades"),
    "trades.historical": ("GET", "/api/v3/historicalTrades"),
    "trades.aggregate": ("GET", "/api/v3/aggTrades"),
    "klines": ("GET", "/api/v3/klines"),
    "uiKlines": ("GET", "/api/v3/uiKlines"),
    "avgPrice": ("GET", "/api/v3/avgPrice"),
    "ticker.24hr": ("GET", "/api/v3/ticker/24hr"),
    "ticker.price": ("GET", "/api/v3/ticker/price"),
    "ticker.book": ("GET", "/api/v3/ticker/bookTicker"),
    "order.place": ("POST", "/api/v3/order"),
    "order.test": ("POST", "/api/v3/order/test"),
    "order.status": ("GET", "/api/v3/order"),
    "order.cancel": ("DELETE", "/api/v3/order"),
    "order.cancelReplace": ("POST", "/api/v3/order/cancelReplace"),
    "order.amend.keepPriority": ("PUT", "/api/v3/order/amend/keepPriority"),
    "openOrders.status": ("GET", "/api/v3/openOrders"),
    "openOrders.cancelAll": ("DELETE", "/api/v3/openOrders"),
    "allOrders": ("GET", "/api/v3/allOrders"),
    "myTrades": ("GET", "/api/v3/myTrades"),
    "account.status": ("GET", "/api/v3/account"),
    "account.commission": ("GET", "/api/v3/account/commission"),
    "account.rateLimits.orders": ("GET", "/api/v3/rateLimit/order"),
    "userDataStream.start": ("POST", "/api/v3/userDataStream"),
    "userDataStream.ping": ("PUT", "/api/v3/userDataStream"),
    "userDataStream.stop": ("DELETE", "/api/v3/userDataStream"),
}
"""Methods of the websocket api and the endpoints that they are."""
