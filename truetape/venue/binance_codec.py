"""Binance spot's JSON, to and from reports. Pure.

Decimal strings become integers exactly; what is finer than 1e-8 is a VenueMalformed, never rounded.
Field names are those of https://developers.binance.com/docs/binance-spot-api-docs.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from truetape.errors import MoneyError
from truetape.messages import Side
from truetape.money import ONE_E8, from_e8, to_e8
from truetape.venue import reports as r
from truetape.venue.book import DepthDiff, DepthSnapshot
from truetape.venue.errors import VenueMalformed

T = TypeVar("T")
PRICES_KEPT: Final = 16_384
"""Numbers whose text was parsed before: books say the same prices and quantities again and again."""
_STATUSES: Final[dict[str, r.VenueOrderStatus]] = {
    "NEW": "OPEN",
    "PENDING_NEW": "OPEN",
    "PARTIALLY_FILLED": "OPEN",
    "PENDING_CANCEL": "OPEN",
    "FILLED": "FILLED",
    "CANCELED": "CANCELLED",
    "EXPIRED": "EXPIRED",
    "EXPIRED_IN_MATCH": "EXPIRED",
    "REJECTED": "REJECTED",
}


class ErrorBody(Struct, frozen=True):
    """{"code": -1121, "msg": "Invalid symbol."}"""

    code: int
    msg: str


class _ReplyFill(Struct, frozen=True, rename="camel"):
    price: str
    qty: str
    commission: str
    commission_asset: str
    trade_id: int


class _OrderReply(Struct, frozen=True, rename="camel"):
    symbol: str
    order_id: int
    client_order_id: str
    transact_time: int
    executed_qty: str
    status: str
    side: Side
    fills: tuple[_ReplyFill, ...] = ()


class _CancelReply(Struct, frozen=True, rename="camel"):
    orig_client_order_id: str
    executed_qty: str
    status: str


class _Order(Struct, frozen=True, rename="camel"):
    symbol: str
    order_id: int
    client_order_id: str
    price: str
    orig_qty: str
    executed_qty: str
    cummulative_quote_qty: str
    status: str
    side: Side
    time: int
    update_time: int


class _Trade(Struct, frozen=True, rename="camel"):
    symbol: str
    id: int
    order_id: int
    price: str
    qty: str
    quote_qty: str
    commission: str
    commission_asset: str
    time: int
    is_buyer: bool
    is_maker: bool


class _Balance(Struct, frozen=True):
    asset: str
    free: str
    locked: str


class _Account(Struct, frozen=True):
    balances: tuple[_Balance, ...]


class _Depth(Struct, frozen=True, rename="camel"):
    last_update_id: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class _Diff(Struct, frozen=True):
    s: str
    U: int
    u: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class _MarketMessage(Struct, frozen=True):
    """A combined stream's message, or the answer to a request."""

    data: _Diff | None = None
    id: int | None = None
    code: int | None = None
    msg: str | None = None
    error: ErrorBody | None = None


class Execution(Struct, frozen=True, gc=False):
    """Any user data event: the fields of an executionReport, absent in the others."""

    e: str
    s: str = ""
    c: str = ""
    C: str = ""
    S: Side = "BUY"
    x: str = ""
    X: str = ""
    r: str = ""
    i: int = -1
    l: str = "0"  # noqa: E741
    L: str = "0"
    Y: str | None = None
    z: str = "0"
    n: str | None = None
    N: str | None = None
    T: int = 0
    t: int = -1
    m: bool = False


class _UserMessage(Struct, frozen=True, rename={"subscription_id": "subscriptionId"}):
    """A websocket API message: an event of a subscription, or the answer to a request."""

    subscription_id: int | None = None
    event: Execution | None = None
    id: str | int | None = None
    status: int | None = None
    error: ErrorBody | None = None


class _Limit(Struct, frozen=True, rename="camel"):
    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int


class _ExchangeInfo(Struct, frozen=True, rename="camel"):
    rate_limits: tuple[_Limit, ...] = ()


class _ServerTime(Struct, frozen=True, rename="camel"):
    server_time: int


_DECODERS: Final[dict[Any, msgspec.json.Decoder[Any]]] = {
    kind: msgspec.json.Decoder(kind)
    for kind in (
        _OrderReply, _CancelReply, _Order, tuple[_Order, ...], tuple[_Trade, ...], _Account, _Depth, _MarketMessage,
        _UserMessage, _ExchangeInfo, _ServerTime, ErrorBody,
    )
}  # fmt: skip


def _decode(kind: Any, body: bytes) -> Any:
    try:
        return _DECODERS[kind].decode(body)
    except msgspec.MsgspecError as error:
        raise VenueMalformed(f"{error} in {body[:300]!r}") from error


@lru_cache(maxsize=PRICES_KEPT)
def _e8(text: str) -> int:
    try:
        return to_e8(text)
    except MoneyError as error:
        raise VenueMalformed(f"a number of the venue cannot be kept exactly: {error}") from error


def error_body(body: bytes) -> ErrorBody | None:
    """The venue's error in an answer; None when the answer holds none."""
    try:
        found: ErrorBody = _DECODERS[ErrorBody].decode(body)
    except msgspec.MsgspecError:
        return None
    return found


def new_order_query(order: r.OrderRequest) -> str:
    """Parameters of POST /api/v3/order, in the order in which they are signed."""
    kind = "LIMIT_MAKER" if order.post_only else f"LIMIT&timeInForce={order.time_in_force}"
    return (
        f"symbol={order.symbol}&side={order.side}&type={kind}&quantity={from_e8(order.quantity_e8)}"
        f"&price={from_e8(order.price_e8)}&newClientOrderId={order.client_order_id}&newOrderRespType=FULL"
    )


def order_reply(venue: str, body: bytes) -> Sequence[r.Report]:
    """The FULL answer to a new order. A fill implies the acknowledgement, so that is left out where there is one.

    Where the fills do not add up to the executed quantity, or a fill's quote amount is not exactly price times
    quantity, no fill is taken from the answer: the trades will be asked for.
    """
    reply: _OrderReply = _decode(_OrderReply, body)
    executed_e8 = _e8(reply.executed_qty)
    fills = _reply_fills(venue, reply)
    told: list[r.Report] = list(fills) if sum(fill.quantity_e8 for fill in fills) == executed_e8 else []
    at_us = reply.transact_time * 1_000
    ended = _ended(venue, reply.client_order_id, reply.status, executed_e8)
    if ended is not None:
        return (*told, ended)
    if not told:
        return (r.VenueAcknowledged(venue, reply.client_order_id, str(reply.order_id), at_us),)
    return told


def _reply_fills(venue: str, reply: _OrderReply) -> list[r.VenueFilled]:
    found = []
    for fill in reply.fills:
        quantity_e8, price_e8 = _e8(fill.qty), _e8(fill.price)
        quote_e8, lost = divmod(quantity_e8 * price_e8, ONE_E8)
        if lost:
            return []
        execution_id = r.execution_id(venue, reply.symbol, fill.trade_id, reply.side)
        one = r.VenueFilled(
            venue, reply.symbol, reply.client_order_id, str(reply.order_id), execution_id, reply.side, quantity_e8,
            price_e8, quote_e8, fill.commission_asset, _e8(fill.commission), "TAKER", reply.transact_time * 1_000,
            "reply",
        )  # fmt: skip
        found.append(one)
    return found


def _ended(venue: str, client_order_id: str, status: str, cumulative_e8: int) -> r.Report | None:
    """The end that a status means; None for one that is open, or that fills alone bring about."""
    match _STATUSES.get(status):
        case "CANCELLED":
            return r.VenueCancelled(venue, client_order_id, cumulative_e8, status)
        case "EXPIRED":
            return r.VenueExpired(venue, client_order_id, cumulative_e8, status)
        case "REJECTED":
            return r.VenueRejected(venue, client_order_id, status, "the venue rejected the order")
        case None:
            raise VenueMalformed(f"order status {status!r} is not known")
    return None


def cancel_reply(venue: str, body: bytes) -> Sequence[r.Report]:
    """The answer to DELETE /api/v3/order."""
    reply: _CancelReply = _decode(_CancelReply, body)
    ended = _ended(venue, reply.orig_client_order_id, reply.status, _e8(reply.executed_qty))
    return () if ended is None else (ended,)


def user_event(venue: str, event: Execution) -> r.UserEvent | None:
    """A user data event as a report; None for what is none (balances, lists, prevented matches)."""
    if event.e != "executionReport":
        return None
    client_order_id = event.C or event.c  # A cancelled order's own id is C; c is then the cancel's.
    if event.x == "TRADE":
        if event.n is None or event.N is None:
            raise VenueMalformed(f"trade {event.t} of {event.s} names no commission")
        quantity_e8, price_e8 = _e8(event.l), _e8(event.L)
        return r.VenueFilled(
            venue, event.s, client_order_id, str(event.i), r.execution_id(venue, event.s, event.t, event.S), event.S,
            quantity_e8, price_e8, _last_quote(event, price_e8, quantity_e8), event.N, _e8(event.n),
            "MAKER" if event.m else "TAKER", event.T * 1_000, "stream",
        )  # fmt: skip
    if event.x == "NEW":
        return r.VenueAcknowledged(venue, client_order_id, str(event.i), event.T * 1_000)
    if event.x == "REJECTED":
        return r.VenueRejected(venue, client_order_id, event.r, "the venue rejected the order")
    ended = _ended(venue, client_order_id, event.X, _e8(event.z))
    assert ended is None or isinstance(ended, r.VenueCancelled | r.VenueExpired | r.VenueRejected)
    return ended


def _last_quote(event: Execution, price_e8: int, quantity_e8: int) -> int:
    if event.Y is not None:
        return _e8(event.Y)
    quote_e8, lost = divmod(price_e8 * quantity_e8, ONE_E8)
    if lost:
        raise VenueMalformed(f"trade {event.t} of {event.s} has no quote amount, and price times quantity is inexact")
    return quote_e8


def user_message(body: bytes) -> _UserMessage:
    """One websocket API message."""
    message: _UserMessage = _decode(_UserMessage, body)
    return message


class Answer(NamedTuple):
    """The answer to a request on a market connection; no error when it is granted."""

    request: int
    error: str


def market_message(body: bytes) -> tuple[str, DepthDiff] | Answer:
    """(symbol, difference) of a combined depth stream's message, or the answer to a request."""
    message: _MarketMessage = _decode(_MarketMessage, body)
    if message.data is not None:
        data = message.data
        return data.s, DepthDiff(data.U, data.u, _levels(data.b), _levels(data.a))
    if message.id is None:
        raise VenueMalformed(f"neither data nor an answer: {body[:300]!r}")
    if message.error is not None:
        return Answer(message.id, message.error.msg)
    return Answer(message.id, message.msg or "refused" if message.code is not None else "")


def _levels(levels: list[tuple[str, str]]) -> list[tuple[int, int]]:
    return [(_e8(price), _e8(quantity)) for price, quantity in levels]


def depth(body: bytes, limit: int) -> DepthSnapshot:
    """The answer to GET /api/v3/depth."""
    found: _Depth = _decode(_Depth, body)
    return DepthSnapshot(found.last_update_id, _levels(found.bids), _levels(found.asks), limit)


def order(venue: str, body: bytes) -> r.VenueOrder:
    """The answer to GET /api/v3/order."""
    return _venue_order(venue, _decode(_Order, body))


def orders(venue: str, body: bytes) -> list[r.VenueOrder]:
    """The answer to GET /api/v3/openOrders."""
    return [_venue_order(venue, found) for found in _decode(tuple[_Order, ...], body)]


def _venue_order(venue: str, found: _Order) -> r.VenueOrder:
    status = _STATUSES.get(found.status)
    if status is None:
        raise VenueMalformed(f"order status {found.status!r} is not known")
    return r.VenueOrder(
        venue, found.symbol, str(found.order_id), found.client_order_id, found.side, status, found.status,
        _e8(found.orig_qty), _e8(found.price), _e8(found.executed_qty), _e8(found.cummulative_quote_qty),
        found.time * 1_000, found.update_time * 1_000,
    )  # fmt: skip


def trades(venue: str, body: bytes) -> list[r.VenueTrade]:
    """The answer to GET /api/v3/myTrades."""
    return [_venue_trade(venue, found) for found in _decode(tuple[_Trade, ...], body)]


def _venue_trade(venue: str, found: _Trade) -> r.VenueTrade:
    side: Side = "BUY" if found.is_buyer else "SELL"
    return r.VenueTrade(
        venue, found.symbol, found.id, r.execution_id(venue, found.symbol, found.id, side), str(found.order_id), side,
        _e8(found.qty), _e8(found.price), _e8(found.quote_qty), found.commission_asset, _e8(found.commission),
        "MAKER" if found.is_maker else "TAKER", found.time * 1_000,
    )  # fmt: skip


def balances(body: bytes) -> list[r.VenueBalance]:
    """The answer to GET /api/v3/account: the assets of which there is any."""
    found = [r.VenueBalance(b.asset, _e8(b.free), _e8(b.locked)) for b in _decode(_Account, body).balances]
    return [balance for balance in found if balance.free_e8 or balance.locked_e8]


def server_time_us(body: bytes) -> int:
    """The answer to GET /api/v3/time."""
    found: _ServerTime = _decode(_ServerTime, body)
    return found.server_time * 1_000


def rate_limits(body: bytes) -> tuple[int | None, int | None]:
    """(request weight a minute, orders in ten seconds) of GET /api/v3/exchangeInfo; None where not published."""
    weight = orders_limit = None
    for limit in _decode(_ExchangeInfo, body).rate_limits:
        span = (limit.rate_limit_type, limit.interval, limit.interval_num)
        if span == ("REQUEST_WEIGHT", "MINUTE", 1):
            weight = limit.limit
        elif span == ("ORDERS", "SECOND", 10):
            orders_limit = limit.limit
    return weight, orders_limit
