"""JSON shapes of answers and events against the vendor's description and examples, where those are at hand."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from truetape.money import ONE_E8
from venues import market_data
from venues.accounts import HOUSE
from venues.matching import Order
from venues.parameters import Parameters
from venues.routes import ROUTES
from venues.signing import ApiKey
from venues.venue import Call, Venue

jsonschema: Any = pytest.importorskip("jsonschema")

SHARED = Path(__file__).parents[3] / "shared"
SWAGGER = SHARED / "specs" / "binance_spot_swagger.yaml"
PAYLOADS = SHARED / "data" / "payloads" / "binance"

needs_swagger = pytest.mark.skipif(not SWAGGER.exists(), reason=f"{SWAGGER} is not here")
needs_payloads = pytest.mark.skipif(not PAYLOADS.exists(), reason=f"{PAYLOADS} is not here")

NOW_MS = 1_750_000_000_000


def busy_venue() -> Venue:
    """A venue on which one account has traded, has an open order, and a prevented match."""
    venue = Venue("shapes", {"k": ApiKey("k", "0123456789abcdef", "anna")}, first_id=1_000)
    anna = venue.exchange.accounts["anna"]
    for asset in ("USDT", "BTC"):
        venue.exchange.transfer(anna, asset, 1_000_000 * ONE_E8, asset, NOW_MS)
    market = venue.exchange.markets["BTCUSDT"]
    for order_id, side, price in ((1, "BUY", 59_990), (2, "SELL", 60_010), (3, "SELL", 60_020)):
        order = Order(order_id, HOUSE, "BUY" if side == "BUY" else "SELL", price * ONE_E8, ONE_E8)
        venue.exchange.flow(market, order, NOW_MS)
    ask(venue, "POST", "/api/v3/order", **LIMIT)
    ask(venue, "POST", "/api/v3/order", **MARKET)
    return venue


LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.5",
    "price": "59000",
    "newClientOrderId": "mine",
}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1.5"}


def ask(venue: Venue, method: str, path: str, **values: str) -> Any:
    """Call an endpoint's handler; through JSON, as a client sees it."""
    account = venue.exchange.accounts["anna"]
    call = Call(Parameters(values), account, NOW_MS)
    return json.loads(json.dumps(ROUTES[method, path].handler(venue, call)))


REQUESTS: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "/api/v3/ping", {}),
    ("GET", "/api/v3/time", {}),
    ("GET", "/api/v3/exchangeInfo", {}),
    ("GET", "/api/v3/depth", {"symbol": "BTCUSDT"}),
    ("GET", "/api/v3/trades", {"symbol": "BTCUSDT"}),
    ("GET", "/api/v3/historicalTrades", {"symbol": "BTCUSDT"}),
    ("GET", "/api/v3/aggTrades", {"symbol": "BTCUSDT"}),
    ("GET", "/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1m"}),
    ("GET", "/api/v3/uiKlines", {"symbol": "BTCUSDT", "interval": "1h"}),
    ("GET", "/api/v3/avgPrice", {"symbol": "BTCUSDT"}),
    ("GET", "/api/v3/ticker/24hr", {"symbol": "BTCUSDT"}),
    ("GET", "/api/v3/ticker/24hr", {}),
    ("GET", "/api/v3/ticker/price", {"symbol": "BTCUSDT"}),
    ("GET", "/api/v3/ticker/price", {"symbols": '["BTCUSDT","ETHUSDT"]'}),
    ("GET", "/api/v3/ticker/bookTicker", {"symbol": "BTCUSDT"}),
    ("GET", "/api/v3/ticker/bookTicker", {}),
    ("POST", "/api/v3/order/test", LIMIT | {"newClientOrderId": "other"}),
    ("GET", "/api/v3/order", {"symbol": "BTCUSDT", "origClientOrderId": "mine"}),
    ("GET", "/api/v3/openOrders", {"symbol": "BTCUSDT"}),
    ("GET", "/api/v3/allOrders", {"symbol": "BTCUSDT"}),
    ("GET", "/api/v3/myTrades", {"symbol": "BTCUSDT"}),
    ("GET", "/api/v3/account", {}),
    ("GET", "/api/v3/account/commission", {"symbol": "BTCUSDT"}),
    ("GET", "/api/v3/rateLimit/order", {}),
    ("POST", "/api/v3/userDataStream", {}),
    ("DELETE", "/api/v3/order", {"symbol": "BTCUSDT", "origClientOrderId": "mine"}),
    (
        "POST",
        "/api/v3/order/cancelReplace",
        LIMIT
        | {
            "cancelReplaceMode": "STOP_ON_FAILURE",
            "cancelOrigClientOrderId": "mine",
            "newClientOrderId": "next",
        },
    ),
    ("GET", "/sapi/v1/capital/config/getall", {}),
    ("GET", "/sapi/v1/asset/tradeFee", {}),
    ("GET", "/sapi/v1/system/status", {}),
]


@pytest.fixture(scope="module")
def swagger() -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(SWAGGER.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return waive(document)


def waive(document: dict[str, Any]) -> dict[str, Any]:
    """Where the description of 2024 contradicts its own examples, the examples count. The whole list:

    - a symbol's filter of any type is required to have the fields of PRICE_FILTER;
    - the time T of an aggregate trade is called boolean.
    """
    info = document["paths"]["/api/v3/exchangeInfo"]["get"]["responses"]["200"]
    symbols = info["content"]["application/json"]["schema"]["properties"]["symbols"]
    del symbols["items"]["properties"]["filters"]["items"]["required"]
    document["components"]["schemas"]["aggTrade"]["properties"]["T"]["type"] = "integer"
    return document


def check(swagger: dict[str, Any], schema: dict[str, Any], answer: Any) -> None:
    """Raise ValidationError when the answer does not have the described shape."""
    resolvable = {**schema, "components": swagger["components"]}
    jsonschema.Draft7Validator(resolvable).validate(answer)


@needs_swagger
@pytest.mark.parametrize(("method", "path", "values"), REQUESTS, ids=lambda value: str(value)[:60])
def test_answers_have_the_described_shape(
    swagger: dict[str, Any], method: str, path: str, values: dict[str, str]
) -> None:
    described = swagger["paths"][path][method.lower()]["responses"]["200"]
    answer = ask(busy_venue(), method, path, **values)
    check(swagger, described["content"]["application/json"]["schema"], answer)
    assert answer != []


@needs_swagger
@pytest.mark.parametrize(
    ("response_type", "schema"),
    [("ACK", "orderResponseAck"), ("RESULT", "orderResponseResult"), ("FULL", "orderResponseFull")],
)
@pytest.mark.parametrize("order", [LIMIT | {"newClientOrderId": "n2"}, MARKET], ids=["limit", "market"])
def test_each_response_type_has_its_shape(
    swagger: dict[str, Any], order: dict[str, str], response_type: str, schema: str
) -> None:
    # The description says oneOf the three; a longer one also fits the shorter ones, so each is checked alone.
    answer = ask(busy_venue(), "POST", "/api/v3/order", newOrderRespType=response_type, **order)
    described = swagger["components"]["schemas"][schema]
    check(swagger, described, answer)
    assert set(described["required"]) <= answer.keys()
    assert ("fills" in answer) == (response_type == "FULL")


@needs_swagger
def test_cancel_all_answers_a_list_of_orders(swagger: dict[str, Any]) -> None:
    answer = ask(busy_venue(), "DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    assert [order["status"] for order in answer] == ["CANCELED"]
    check(swagger, swagger["components"]["schemas"]["order"], answer[0])


def example(name: str) -> Any:
    return json.loads((PAYLOADS / f"spot__{name}.json").read_text())


def keys_of(shape: Any) -> set[str]:
    return set(shape[0] if isinstance(shape, list) else shape)


@needs_payloads
@pytest.mark.parametrize(
    ("name", "method", "path", "values"),
    [
        ("http_json__account_response", "GET", "/api/v3/account", {}),
        ("http_json__account_trades_response", "GET", "/api/v3/myTrades", {"symbol": "BTCUSDT"}),
        ("http_json__all_orders_response", "GET", "/api/v3/allOrders", {"symbol": "BTCUSDT"}),
        ("http_json__avg_price_response", "GET", "/api/v3/avgPrice", {"symbol": "BTCUSDT"}),
        ("http_json__book_ticker_response", "GET", "/api/v3/ticker/bookTicker", {"symbol": "BTCUSDT"}),
        (
            "http_json__cancel_order_response",
            "DELETE",
            "/api/v3/order",
            {"symbol": "BTCUSDT", "origClientOrderId": "mine"},
        ),
        ("http_json__depth_response", "GET", "/api/v3/depth", {"symbol": "BTCUSDT"}),
        ("http_json__exchange_info_response", "GET", "/api/v3/exchangeInfo", {}),
        ("http_json__new_order_full_response", "POST", "/api/v3/order", MARKET),
        ("http_json__open_orders_response", "GET", "/api/v3/openOrders", {"symbol": "BTCUSDT"}),
        (
            "http_json__order_response",
            "GET",
            "/api/v3/order",
            {"symbol": "BTCUSDT", "origClientOrderId": "mine"},
        ),
        ("http_json__server_time_response", "GET", "/api/v3/time", {}),
        ("http_json__ticker_24hr_response", "GET", "/api/v3/ticker/24hr", {"symbol": "BTCUSDT"}),
        ("http_json__ticker_price_response", "GET", "/api/v3/ticker/price", {"symbol": "BTCUSDT"}),
        ("http_json__trades_response", "GET", "/api/v3/trades", {"symbol": "BTCUSDT"}),
    ],
)
def test_answers_have_the_examples_keys(name: str, method: str, path: str, values: dict[str, str]) -> None:
    assert keys_of(ask(busy_venue(), method, path, **values)) == keys_of(example(name))


@needs_payloads
def test_exchange_info_has_the_examples_symbol_keys() -> None:
    ours = ask(busy_venue(), "GET", "/api/v3/exchangeInfo")["symbols"][0]
    assert set(ours) == set(example("http_json__exchange_info_response")["symbols"][0])


@needs_payloads
def test_klines_have_the_examples_form() -> None:
    (theirs,) = example("http_json__klines_response")
    (ours,) = ask(busy_venue(), "GET", "/api/v3/klines", symbol="BTCUSDT", interval="1m")
    assert [type(value) for value in ours] == [type(value) for value in theirs]


@needs_payloads
@pytest.mark.parametrize(
    ("name", "execution"),
    [
        ("execution_report_new", "NEW"),
        ("execution_report_trade", "TRADE"),
        ("execution_report_expired", "EXPIRED"),
        ("execution_report_canceled", "CANCELED"),
        ("execution_report_wrapped", "NEW"),
    ],
)
def test_execution_reports_have_the_examples_keys(name: str, execution: str) -> None:
    venue = busy_venue()
    ask(venue, "DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="mine")
    ask(venue, "POST", "/api/v3/order", **LIMIT | {"timeInForce": "IOC", "price": "60000"})
    theirs = example(f"user_data_json__{name}")
    theirs = theirs.get("event", theirs)
    reports = [report for _, report in venue.exchange.reports if report.get("x") == execution]
    # `eR`, the reason of an expiry, is not in the vendor's documentation; see docs/venues.md.
    for report in reports:
        assert set(theirs) - {"eR"} <= set(report)
        assert {key: type(report[key]) for key in ("E", "c", "q", "w", "t", "i")} == {
            key: type(theirs[key]) for key in ("E", "c", "q", "w", "t", "i")
        }
    assert reports


@needs_payloads
@pytest.mark.parametrize(
    ("name", "event"),
    [("account_position", "outboundAccountPosition"), ("balance_update", "balanceUpdate")],
)
def test_balance_events_have_the_examples_keys(name: str, event: str) -> None:
    reports = [report for _, report in busy_venue().exchange.reports if report["e"] == event]
    theirs = example(f"user_data_json__{name}")
    assert {frozenset(report) for report in reports} == {frozenset(theirs)}
    if "B" in theirs:
        assert set(reports[0]["B"][0]) == set(theirs["B"][0])


@pytest.mark.parametrize(
    ("shape", "keys"),
    [
        ("trade", "e E s t p q T m M"),
        ("aggTrade", "a p q f l T m M"),
        ("bookTicker", "u s b B a A"),
        ("ticker", "e E s p P w x c Q b B a A o h l v q O C F L n"),
        ("kline", "t T s i f L o c h l v n x q V Q B"),
    ],
)
def test_stream_events_have_the_documented_keys(shape: str, keys: str) -> None:
    market = busy_venue().exchange.markets["BTCUSDT"]
    trade, time_ms = market.statistics.recent[-1]
    kline = market_data.kline_event(market, "1m", NOW_MS)
    assert kline is not None
    shapes = {
        "trade": market_data.trade_event(market, trade, time_ms),
        "aggTrade": market_data.aggregate([(trade, time_ms)])[0],
        "bookTicker": market_data.book_ticker_event(market),
        "ticker": market_data.ticker_event(market, NOW_MS),
        "kline": kline["k"],
    }
    assert set(shapes[shape]) == set(keys.split())


def test_statistics_add_up() -> None:
    market = busy_venue().exchange.markets["BTCUSDT"]
    ticker = market_data.ticker(market, NOW_MS)
    assert (ticker["openPrice"], ticker["lastPrice"]) == ("60010.00000000", "60020.00000000")
    assert (ticker["volume"], ticker["quoteVolume"], ticker["count"]) == (
        "1.50000000",
        "90020.00000000",
        2,
    )
    (bar,) = market_data.klines(market, 60, 0, NOW_MS, 10)
    assert bar[1:6] == [
        "60010.00000000",
        "60020.00000000",
        "60010.00000000",
        "60020.00000000",
        "1.50000000",
    ]
    assert market.statistics.average_price(NOW_MS, 5) == 90_020 * ONE_E8 * 2 // 3
