"""Binance's JSON to reports: exact numbers, every status, every trap of the documents."""

from typing import Any

import msgspec
import pytest

from truetape.money import to_e8
from truetape.venue import binance_codec as codec
from truetape.venue import reports as r
from truetape.venue.errors import VenueMalformed

ID = "TT003-aabbccddeeff001122334455-00"
AT_MS = 1_795_000_000_123


def encoded(value: Any) -> bytes:
    return msgspec.json.encode(value)


def reply(**changed: Any) -> bytes:
    fields: dict[str, Any] = {
        "symbol": "BTCUSDT", "orderId": 28, "orderListId": -1, "clientOrderId": ID, "transactTime": AT_MS,
        "price": "60000.00000000", "origQty": "0.10000000", "executedQty": "0.00000000", "status": "NEW",
        "cummulativeQuoteQty": "0.00000000", "timeInForce": "GTC", "type": "LIMIT", "side": "BUY", "fills": [],
    }  # fmt: skip
    return encoded(fields | changed)


def reply_fill(price: str, quantity: str, trade: int) -> dict[str, Any]:
    return {"price": price, "qty": quantity, "commission": "0.00004", "commissionAsset": "BNB", "tradeId": trade}


def filled(trade: int, quantity: str, price: str, quote: str, source: r.FillSource, **changed: Any) -> r.VenueFilled:
    plain = r.VenueFilled(
        "alpha", "BTCUSDT", ID, "28", f"alpha:BTCUSDT:{trade}:B", "BUY", to_e8(quantity), to_e8(price), to_e8(quote),
        "BNB", 4_000, "TAKER", AT_MS * 1_000, source,
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changed)


ACKNOWLEDGED = r.VenueAcknowledged("alpha", ID, "28", AT_MS * 1_000)
FILL_1 = filled(56, "0.04", "60000", "2400", "reply")
FILL_2 = filled(57, "0.06", "60001", "3600.06", "reply")
FILLS = [reply_fill("60000", "0.04", 56), reply_fill("60001", "0.06", 57)]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, [ACKNOWLEDGED]),
        ({"status": "FILLED", "executedQty": "0.1", "fills": FILLS}, [FILL_1, FILL_2]),
        ({"status": "PARTIALLY_FILLED", "executedQty": "0.04", "fills": FILLS[:1]}, [FILL_1]),
        (
            {"status": "EXPIRED", "executedQty": "0.04", "fills": FILLS[:1]},
            [FILL_1, r.VenueExpired("alpha", ID, 4_000_000, "EXPIRED")],
        ),
        ({"status": "EXPIRED"}, [r.VenueExpired("alpha", ID, 0, "EXPIRED")]),
        ({"status": "EXPIRED_IN_MATCH"}, [r.VenueExpired("alpha", ID, 0, "EXPIRED_IN_MATCH")]),
        ({"status": "CANCELED"}, [r.VenueCancelled("alpha", ID, 0, "CANCELED")]),
        # Fills that do not add up are not taken: the trades will be asked for.
        ({"status": "FILLED", "executedQty": "0.1", "fills": FILLS[:1]}, [ACKNOWLEDGED]),
        (
            {"status": "EXPIRED", "executedQty": "0.05", "fills": FILLS[:1]},
            [r.VenueExpired("alpha", ID, 5_000_000, "EXPIRED")],
        ),
        # Price times quantity is finer than 1e-8: the answer does not say the quote amount exactly.
        (
            {"status": "FILLED", "executedQty": "0.00000001", "fills": [reply_fill("0.1", "0.00000001", 56)]},
            [ACKNOWLEDGED],
        ),
    ],
)
def test_an_answer_tells_what_happened_in_order(changed: dict[str, Any], told: list[r.Report]) -> None:
    assert list(codec.order_reply("alpha", reply(**changed))) == told


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b'{"orderId": 1}',
        reply(status="SOMETHING_NEW"),
        reply(executedQty="0.000000001"),
        reply(executedQty="1e-3"),
        reply(status="FILLED", executedQty="0.04", fills=[reply_fill("60000.123456789", "0.04", 1)]),
    ],
)
def test_what_cannot_be_kept_exactly_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(VenueMalformed):
        codec.order_reply("alpha", body)


def execution(**changed: Any) -> bytes:
    event: dict[str, Any] = {
        "e": "executionReport", "E": AT_MS, "s": "BTCUSDT", "c": ID, "S": "BUY", "o": "LIMIT", "f": "GTC",
        "q": "0.10000000", "p": "60000", "C": "", "x": "NEW", "X": "NEW", "r": "NONE", "i": 28, "l": "0.00000000",
        "z": "0.00000000", "L": "0.00000000", "n": "0", "N": None, "T": AT_MS, "t": -1, "w": True, "m": False,
        "Y": "0.00000000", "Z": "0.00000000",
    }  # fmt: skip
    return encoded({"subscriptionId": 0, "event": event | changed})


TRADE = {"x": "TRADE", "X": "PARTIALLY_FILLED", "l": "0.04", "L": "60000", "Y": "2400", "z": "0.04", "n": "0.00004",
         "N": "BNB", "t": 56}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "report"),
    [
        ({}, ACKNOWLEDGED),
        (TRADE, filled(56, "0.04", "60000", "2400", "stream")),
        (TRADE | {"m": True, "n": "-0.00004"},
         filled(56, "0.04", "60000", "2400", "stream", liquidity="MAKER", fee_e8=-4_000)),
        (TRADE | {"Y": None}, filled(56, "0.04", "60000", "2400", "stream")),
        # A cancel has an id of its own; the order's is then C.
        ({"x": "CANCELED", "X": "CANCELED", "c": "web_1", "C": ID, "z": "0.04"},
         r.VenueCancelled("alpha", ID, 4_000_000, "CANCELED")),
        ({"x": "CANCELED", "X": "CANCELED"}, r.VenueCancelled("alpha", ID, 0, "CANCELED")),
        ({"x": "EXPIRED", "X": "EXPIRED", "z": "0.1"}, r.VenueExpired("alpha", ID, 10_000_000, "EXPIRED")),
        ({"x": "TRADE_PREVENTION", "X": "EXPIRED_IN_MATCH"}, r.VenueExpired("alpha", ID, 0, "EXPIRED_IN_MATCH")),
        ({"x": "TRADE_PREVENTION", "X": "NEW"}, None),
        ({"x": "REJECTED", "X": "REJECTED", "r": "1013"},
         r.VenueRejected("alpha", ID, "1013", "the venue rejected the order")),
        ({"e": "balanceUpdate"}, None),
    ],
)  # fmt: skip
def test_a_user_event_is_a_report(changed: dict[str, Any], report: r.UserEvent | None) -> None:
    event = codec.user_message(execution(**changed)).event
    assert event is not None
    assert codec.user_event("alpha", event) == report


@pytest.mark.parametrize("changed", [{"N": None}, {"n": None}, {"l": "0.123456789"}, {"L": "NaN"}])
def test_a_trade_that_is_not_exact_is_refused_by_name(changed: dict[str, Any]) -> None:
    event = codec.user_message(execution(**(TRADE | changed))).event
    assert event is not None
    with pytest.raises(VenueMalformed):
        codec.user_event("alpha", event)


def test_other_messages_of_the_user_connection() -> None:
    granted = codec.user_message(b'{"id":1,"status":200,"result":{"subscriptionId":0},"rateLimits":[]}')
    assert (granted.event, granted.status, granted.error) == (None, 200, None)
    refused = codec.user_message(b'{"id":1,"status":401,"error":{"code":-2015,"msg":"Invalid API-key"}}')
    assert refused.error is not None
    assert refused.error.code == -2015
    position = codec.user_message(b'{"subscriptionId":0,"event":{"e":"outboundAccountPosition","u":1,"B":[]}}')
    assert position.event is not None
    assert codec.user_event("alpha", position.event) is None


def test_two_of_our_clients_trading_with_each_other_have_two_fills() -> None:
    assert r.execution_id("alpha", "BTCUSDT", 5, "BUY") != r.execution_id("alpha", "BTCUSDT", 5, "SELL")
    assert r.execution_id("alpha", "BTCUSDT", 5, "BUY") != r.execution_id("beta", "BTCUSDT", 5, "BUY")


def test_the_same_fill_has_the_same_id_whichever_way_it_came() -> None:
    event = codec.user_message(execution(**TRADE)).event
    assert event is not None
    streamed = codec.user_event("alpha", event)
    [replied] = codec.order_reply("alpha", reply(status="PARTIALLY_FILLED", executedQty="0.04", fills=FILLS[:1]))
    row = {
        "symbol": "BTCUSDT", "id": 56, "orderId": 28, "price": "60000", "qty": "0.04", "quoteQty": "2400",
        "commission": "0.00004", "commissionAsset": "BNB", "time": AT_MS, "isBuyer": True, "isMaker": False,
    }  # fmt: skip
    [trade] = codec.trades("alpha", encoded([row]))
    assert streamed is not None
    same = [msgspec.structs.replace(one, source="query") for one in (streamed, replied)]
    assert same == [trade.filled(ID)] * 2


def test_orders_balances_limits_and_depth() -> None:
    row = {
        "symbol": "BTCUSDT", "orderId": 28, "clientOrderId": ID, "price": "60000", "origQty": "0.1", "side": "SELL",
        "executedQty": "0.04", "cummulativeQuoteQty": "2400", "status": "PARTIALLY_FILLED", "time": 1,
        "updateTime": 2, "unknown": [1],
    }  # fmt: skip
    [order] = codec.orders("alpha", encoded([row]))
    assert order == codec.order("alpha", encoded(row))
    assert (order.status, order.cumulative_quantity_e8, order.updated_at_us) == ("OPEN", 4_000_000, 2_000)
    assets = [{"asset": "BTC", "free": "0.1", "locked": "0"}, {"asset": "X", "free": "0.00000000", "locked": "0.0"}]
    assert codec.balances(encoded({"balances": assets})) == [r.VenueBalance("BTC", 10_000_000, 0)]
    limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
              {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
              {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200000}]  # fmt: skip
    assert codec.rate_limits(encoded({"rateLimits": limits})) == (6000, 100)
    assert codec.rate_limits(b"{}") == (None, None)
    depth = codec.depth(b'{"lastUpdateId":7,"bids":[["1.50","2"]],"asks":[]}', 100)
    assert (depth.last, list(depth.bids)) == (7, [(150_000_000, 200_000_000)])


def test_market_messages() -> None:
    data = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": 5, "u": 6, "b": [["1", "0"]], "a": []}
    found = codec.market_message(encoded({"stream": "btcusdt@depth@100ms", "data": data}))
    assert not isinstance(found, codec.Answer)
    assert (found[0], found[1].first, found[1].last, list(found[1].bids)) == ("BTCUSDT", 5, 6, [(100_000_000, 0)])
    assert codec.market_message(b'{"result":null,"id":3}') == codec.Answer(3, "")
    assert codec.market_message(b'{"code":2,"msg":"Invalid","id":3}') == codec.Answer(3, "Invalid")
    assert codec.market_message(b'{"error":{"code":2,"msg":"Invalid"},"id":3}') == codec.Answer(3, "Invalid")
    for neither in (b"{}", b"x", b'{"result":null,"id":null}'):
        with pytest.raises(VenueMalformed):
            codec.market_message(neither)


def test_the_request_says_what_was_decided() -> None:
    order = r.OrderRequest("BTCUSDT", ID, "SELL", "FOK", False, 1_500_000, 6_000_000_000_001, 0)
    assert codec.new_order_query(order) == (
        f"symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=FOK&quantity=0.015&price=60000.00000001"
        f"&newClientOrderId={ID}&newOrderRespType=FULL"
    )
    resting = msgspec.structs.replace(order, post_only=True, time_in_force="GTC")
    assert "type=LIMIT_MAKER&quantity" in codec.new_order_query(resting), "LIMIT_MAKER takes no time in force"
