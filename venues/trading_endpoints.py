"""Signed endpoints: orders, queries, balances. Each takes (venue, call) and returns JSON."""

from typing import Any

from truetape import chance
from venues import payloads
from venues.exchange import Placed
from venues.orders import OPEN, ClientOrder
from venues.parameters import Parameters, find_symbol, parse_new_order
from venues.rejects import Reject, bad_symbol, unknown_cancel
from venues.symbols import decimal
from venues.venue import Call, Venue

DAY_MS = 86_400_000
RESPONSE_TYPES = ("ACK", "RESULT", "FULL")


def place(venue: Venue, call: Call) -> Any:
    """A new order."""
    request = parse_new_order(venue.symbols, call.parameters)
    response_type = _response_type(call.parameters, request.type)
    placed = venue.exchange.place(call.owner, request, call.now_ms)
    return _answer(placed, response_type)


def place_test(venue: Venue, call: Call) -> Any:
    """Check a new order without placing it."""
    request = parse_new_order(venue.symbols, call.parameters)
    _response_type(call.parameters, request.type)
    venue.exchange.check(call.owner, request)
    if call.parameters.text("computeCommissionRates") != "true":
        return {}
    rates = venue.exchange.rates
    return {
        "standardCommissionForOrder": {
            "maker": decimal(rates.maker_e8),
            "taker": decimal(rates.taker_e8),
        },
        "taxCommissionForOrder": {"maker": decimal(0), "taker": decimal(0)},
        "discount": {
            "enabledForAccount": call.owner.fee_asset == "BNB",
            "enabledForSymbol": True,
            "discountAsset": "BNB",
            "discount": decimal(0),
        },
    }


def query(venue: Venue, call: Call) -> Any:
    """One order, open or not."""
    return payloads.order_query(_find(venue, call, "orderId", "origClientOrderId"))


def cancel(venue: Venue, call: Call) -> Any:
    """Cancel one open order."""
    order = _find_to_cancel(venue, call, "orderId", "origClientOrderId")
    cancel_id = call.parameters.client_id("newClientOrderId") or _random_id()
    _check_restrictions(call.parameters, order)
    venue.exchange.cancel(order, call.now_ms, cancel_id)
    return payloads.order_cancelled(order, cancel_id)


def cancel_all(venue: Venue, call: Call) -> Any:
    """Cancel every open order on a symbol."""
    orders = _open_orders(venue, call)
    if not orders:
        raise unknown_cancel()
    cancel_id = _random_id()
    for order in orders:
        venue.exchange.cancel(order, call.now_ms, cancel_id)
    return [payloads.order_cancelled(order, cancel_id) for order in orders]


def cancel_replace(venue: Venue, call: Call) -> Any:
    """Cancel an order and place another; the new one loses the old one's place in the queue."""
    mode = call.parameters.required("cancelReplaceMode")
    if mode not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
        raise Reject(-1130, "Data sent for parameter 'cancelReplaceMode' is not valid.")
    request = parse_new_order(venue.symbols, call.parameters)
    response_type = _response_type(call.parameters, request.type)
    cancelled: Any
    placed: Any = None
    try:
        order = _find_to_cancel(venue, call, "cancelOrderId", "cancelOrigClientOrderId")
        _check_restrictions(call.parameters, order)
        cancel_id = call.parameters.client_id("cancelNewClientOrderId") or _random_id()
        venue.exchange.cancel(order, call.now_ms, cancel_id)
        cancelled, cancel_result = payloads.order_cancelled(order, cancel_id), "SUCCESS"
    except Reject as reject:
        cancelled, cancel_result = reject.body(), "FAILURE"
    new_result = "NOT_ATTEMPTED"
    if cancel_result == "SUCCESS" or mode == "ALLOW_FAILURE":
        try:
            placed = _answer(venue.exchange.place(call.owner, request, call.now_ms), response_type)
            new_result = "SUCCESS"
        except Reject as reject:
            placed, new_result = reject.body(), "FAILURE"
    outcome = {
        "cancelResult": cancel_result,
        "newOrderResult": new_result,
        "cancelResponse": cancelled,
        "newOrderResponse": placed,
    }
    if cancel_result == new_result == "SUCCESS":
        return outcome
    if "SUCCESS" in (cancel_result, new_result):
        raise Reject(-2021, "Order cancel-replace partially failed.", data=outcome)
    raise Reject(-2022, "Order cancel-replace failed.", data=outcome)


def amend(venue: Venue, call: Call) -> Any:
    """Make an order smaller; it keeps its place in the queue."""
    order = _find(venue, call, "orderId", "origClientOrderId")
    quantity_e8 = call.parameters.required_decimal("newQty")
    if order.status not in OPEN:
        raise unknown_cancel()
    order.symbol.check_quantity(quantity_e8)
    venue.exchange.amend(order, quantity_e8, call.now_ms)
    return {
        "transactTime": call.now_ms,
        "executionId": venue.exchange.execution_id,
        "amendedOrder": {
            "symbol": order.symbol.name,
            "orderId": order.order_id,
            "orderListId": -1,
            "origClientOrderId": order.client_order_id,
            "clientOrderId": order.client_order_id,
            "price": decimal(order.request.price_e8),
            "qty": decimal(order.quantity_e8),
            "executedQty": decimal(order.executed_e8),
            "preventedQty": decimal(order.prevented_e8),
            "cumulativeQuoteQty": decimal(order.quote_executed_e8),
            "status": order.status,
            "timeInForce": order.request.time_in_force,
            "type": order.request.type,
            "side": order.request.side,
            "workingTime": order.time_ms,
            "selfTradePreventionMode": order.request.prevention,
        },
    }


def open_orders(venue: Venue, call: Call) -> Any:
    """Open orders on one symbol, or on all."""
    return [payloads.order_query(order) for order in _open_orders(venue, call)]


def all_orders(venue: Venue, call: Call) -> Any:
    """Orders on a symbol: the newest, or from an id or time on."""
    symbol = find_symbol(venue.symbols, call.parameters)
    since_id, limit = call.parameters.integer("orderId"), call.parameters.limit(500, 1_000)
    start_ms, end_ms = _span(call.parameters)
    orders = venue.exchange.registry.of(call.owner, symbol.name, since_id or 0)
    if start_ms is not None or end_ms is not None:
        orders = [o for o in orders if (start_ms or 0) <= o.time_ms <= (end_ms or 2**62)]
    ascending = since_id is not None or start_ms is not None
    chosen = orders[:limit] if ascending else orders[-limit:]
    return [payloads.order_query(order) for order in chosen]


def own_trades(venue: Venue, call: Call) -> Any:
    """Fills on a symbol: the newest, of one order, or from an id or time on."""
    symbol = find_symbol(venue.symbols, call.parameters)
    from_id, limit = call.parameters.integer("fromId"), call.parameters.limit(500, 1_000)
    order_id = call.parameters.integer("orderId")
    start_ms, end_ms = _span(call.parameters)
    if from_id is not None and (start_ms is not None or end_ms is not None):
        raise Reject(-1128, "Combination of optional parameters invalid.")
    registry = venue.exchange.registry
    fills = registry.fills_of(call.owner, symbol.name, from_id or 0)
    if order_id is not None:
        order = registry.find(call.owner, symbol.name, order_id, None)
        fills = [fill for fill in order.fills if fill.trade_id >= (from_id or 0)] if order else []
    if start_ms is not None or end_ms is not None:
        fills = [f for f in fills if (start_ms or 0) <= f.time_ms <= (end_ms or 2**62)]
    ascending = from_id is not None or start_ms is not None or order_id is not None
    chosen = fills[:limit] if ascending else fills[-limit:]
    return [payloads.own_trade(fill) for fill in chosen]


def account(venue: Venue, call: Call) -> Any:
    """Balances and commission rates."""
    owner, rates = call.owner, venue.exchange.rates
    omit_zero = call.parameters.text("omitZeroBalances") == "true"
    basis_points = {"maker": rates.maker_e8 // 10_000, "taker": rates.taker_e8 // 10_000}
    return {
        "makerCommission": basis_points["maker"],
        "takerCommission": basis_points["taker"],
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": decimal(rates.maker_e8),
            "taker": decimal(rates.taker_e8),
            "buyer": decimal(0),
            "seller": decimal(0),
        },
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": owner.update_ms,
        "accountType": "SPOT",
        "balances": [
            {
                "asset": asset,
                "free": decimal(owner.free.get(asset, 0)),
                "locked": decimal(owner.locked.get(asset, 0)),
            }
            for asset in owner.assets()
            if not omit_zero or owner.free.get(asset) or owner.locked.get(asset)
        ],
        "permissions": ["SPOT"],
        "uid": owner.account_id,
    }


def commission(venue: Venue, call: Call) -> Any:
    """Commission rates on a symbol."""
    symbol, rates = find_symbol(venue.symbols, call.parameters), venue.exchange.rates
    zero = {"maker": decimal(0), "taker": decimal(0), "buyer": decimal(0), "seller": decimal(0)}
    return {
        "symbol": symbol.name,
        "standardCommission": {
            "maker": decimal(rates.maker_e8),
            "taker": decimal(rates.taker_e8),
            "buyer": decimal(0),
            "seller": decimal(0),
        },
        "taxCommission": zero,
        "discount": {
            "enabledForAccount": call.owner.fee_asset == "BNB",
            "enabledForSymbol": True,
            "discountAsset": "BNB",
            "discount": decimal(0),
        },
    }


def trade_fees(venue: Venue, call: Call) -> Any:
    """Commission rates as the wallet family lists them."""
    rates, name = venue.exchange.rates, call.parameters.text("symbol")
    if name is not None and name not in venue.symbols:
        raise bad_symbol()
    return [
        {
            "symbol": symbol,
            "makerCommission": decimal(rates.maker_e8),
            "takerCommission": decimal(rates.taker_e8),
        }
        for symbol in venue.symbols
        if name in (None, symbol)
    ]


def order_rates(venue: Venue, call: Call) -> Any:
    """How much of the order limits the account has used."""
    limits = [limit for limit in venue.limiter.limits.listing() if limit["rateLimitType"] == "ORDERS"]
    counts = venue.limiter.order_counts(call.owner.account_id, call.now_ms)
    return [{**limit, "count": count} for limit, count in zip(limits, counts, strict=True)]


def open_listen_key(venue: Venue, call: Call) -> Any:
    """Start, or prolong, the account's listen key."""
    return {"listenKey": venue.users.open_listen_key(call.owner, call.now_ms)}


def keep_listen_key(venue: Venue, call: Call) -> Any:
    """Prolong a listen key."""
    venue.users.keep_listen_key(call.owner, call.parameters.required("listenKey"), call.now_ms)
    return {}


def close_listen_key(venue: Venue, call: Call) -> Any:
    """End a listen key."""
    venue.users.close_listen_key(call.owner, call.parameters.required("listenKey"), call.now_ms)
    return {}


def _answer(placed: Placed, response_type: str) -> Any:
    if response_type == "ACK":
        return payloads.order_ack(placed.order)
    if response_type == "RESULT":
        return payloads.order_result(placed.order)
    return payloads.order_full(placed.order, placed.fills, placed.prevented)


def _response_type(parameters: Parameters, order_type: str) -> str:
    chosen = parameters.text("newOrderRespType")
    if chosen is None:
        return "ACK" if order_type == "LIMIT_MAKER" else "FULL"
    if chosen not in RESPONSE_TYPES:
        raise Reject(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    return chosen


def _names(parameters: Parameters, id_name: str, client_name: str) -> tuple[int | None, str | None]:
    order_id, client_order_id = parameters.integer(id_name), parameters.client_id(client_name)
    if order_id is None and client_order_id is None:
        raise Reject(-1102, f"Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!")
    return order_id, client_order_id


def _find(venue: Venue, call: Call, id_name: str, client_name: str) -> ClientOrder:
    symbol = find_symbol(venue.symbols, call.parameters)
    names = _names(call.parameters, id_name, client_name)
    return venue.exchange.registry.query(call.owner, symbol.name, *names)


def _find_to_cancel(venue: Venue, call: Call, id_name: str, client_name: str) -> ClientOrder:
    symbol = find_symbol(venue.symbols, call.parameters)
    names = _names(call.parameters, id_name, client_name)
    order = venue.exchange.registry.find(call.owner, symbol.name, *names)
    if order is None or order.status not in OPEN:
        raise unknown_cancel()
    return order


def _check_restrictions(parameters: Parameters, order: ClientOrder) -> None:
    restriction = parameters.text("cancelRestrictions")
    if restriction is None:
        return
    if restriction not in ("ONLY_NEW", "ONLY_PARTIALLY_FILLED"):
        raise Reject(-1145, "`cancelRestrictions` has to be either `ONLY_NEW` or `ONLY_PARTIALLY_FILLED`.")
    if order.status != restriction.removeprefix("ONLY_"):
        raise Reject(-2011, "Order was not canceled due to cancel restrictions.")


def _open_orders(venue: Venue, call: Call) -> list[ClientOrder]:
    names = list(venue.symbols)
    if "symbol" in call.parameters.values:
        names = [find_symbol(venue.symbols, call.parameters).name]
    opened = venue.exchange.registry.open
    return [order for name in names for order in opened.get((call.owner.account_id, name), {}).values()]


def _span(parameters: Parameters) -> tuple[int | None, int | None]:
    start_ms, end_ms = parameters.integer("startTime"), parameters.integer("endTime")
    if start_ms is not None and end_ms is not None and end_ms - start_ms > DAY_MS:
        raise Reject(-1127, "More than 24 hours between startTime and endTime.")
    return start_ms, end_ms


def _random_id() -> str:
    return chance.token_hex(11)
