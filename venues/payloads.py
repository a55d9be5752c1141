"""The JSON shapes of orders, fills and user data events, as Binance spot has them. Pure functions."""

from typing import Any, Literal

from venues.accounts import Account
from venues.matching import Prevented
from venues.orders import OPEN, ClientOrder, Fill, PreventedMatch
from venues.symbols import decimal

ExecutionType = Literal["NEW", "CANCELED", "REPLACED", "TRADE", "EXPIRED", "TRADE_PREVENTION"]
ZERO = "0.00000000"
Json = dict[str, Any]


def order_ack(order: ClientOrder) -> Json:
    """The answer ACK to a new order."""
    return {
        "symbol": order.symbol.name,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "transactTime": order.update_ms,
    }


def _state(order: ClientOrder) -> Json:
    """What every longer answer says of an order."""
    request = order.request
    state: Json = {
        "price": decimal(request.price_e8),
        "origQty": decimal(order.quantity_e8),
        "executedQty": decimal(order.executed_e8),
        "origQuoteOrderQty": decimal(request.quote_quantity_e8),
        "cummulativeQuoteQty": decimal(order.quote_executed_e8),
        "status": order.status,
        "timeInForce": request.time_in_force,
        "type": request.type,
        "side": request.side,
        "selfTradePreventionMode": request.prevention,
    }
    if request.strategy_id is not None:
        state["strategyId"] = request.strategy_id
    if request.strategy_type is not None:
        state["strategyType"] = request.strategy_type
    if order.prevented_e8:
        state["preventedMatchId"] = order.prevented_match_id
        state["preventedQuantity"] = decimal(order.prevented_e8)
    return state


def order_result(order: ClientOrder) -> Json:
    """The answer RESULT to a new order."""
    return {**order_ack(order), **_state(order), "workingTime": order.time_ms}


def order_full(order: ClientOrder, fills: list[Fill], prevented: list[PreventedMatch]) -> Json:
    """The answer FULL to a new order: with what it traded at once."""
    full = order_result(order)
    full["fills"] = [
        {
            "price": decimal(fill.price_e8),
            "qty": decimal(fill.quantity_e8),
            "commission": decimal(fill.fee_e8),
            "commissionAsset": fill.fee_asset,
            "tradeId": fill.trade_id,
        }
        for fill in fills
    ]
    if prevented:
        full["preventedMatches"] = [_prevented_match(match) for match in prevented]
    return full


def _prevented_match(match: PreventedMatch) -> Json:
    shape: Json = {
        "preventedMatchId": match.match_id,
        "makerOrderId": match.maker_id,
        "price": decimal(match.price_e8),
    }
    if match.taker_quantity_e8:
        shape["takerPreventedQuantity"] = decimal(match.taker_quantity_e8)
    if match.maker_quantity_e8:
        shape["makerPreventedQuantity"] = decimal(match.maker_quantity_e8)
    return shape


def order_query(order: ClientOrder) -> Json:
    """An order as queries and lists show it."""
    return {
        "symbol": order.symbol.name,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        **_state(order),
        "stopPrice": ZERO,
        "icebergQty": ZERO,
        "time": order.time_ms,
        "updateTime": order.update_ms,
        "isWorking": True,
        "workingTime": order.time_ms,
    }


def order_cancelled(order: ClientOrder, cancel_id: str) -> Json:
    """The answer to a cancel."""
    return {
        "symbol": order.symbol.name,
        "origClientOrderId": order.client_order_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": cancel_id,
        "transactTime": order.update_ms,
        **_state(order),
    }


def own_trade(fill: Fill) -> Json:
    """A fill as myTrades shows it."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": -1,
        "price": decimal(fill.price_e8),
        "qty": decimal(fill.quantity_e8),
        "quoteQty": decimal(fill.quote_e8),
        "commission": decimal(fill.fee_e8),
        "commissionAsset": fill.fee_asset,
        "time": fill.time_ms,
        "isBuyer": fill.buyer,
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def execution_report(
    order: ClientOrder,
    kind: ExecutionType,
    execution_id: int,
    now_ms: int,
    *,
    fill: Fill | None = None,
    prevented: Prevented | None = None,
    cancel_id: str = "",
) -> Json:
    """The user data event of one change of an order. A cancel's own id is `c`, the order's then `C`."""
    request = order.request
    report: Json = {
        "e": "executionReport",
        "E": now_ms,
        "s": order.symbol.name,
        "c": cancel_id or order.client_order_id,
        "S": request.side,
        "o": request.type,
        "f": request.time_in_force,
        "q": decimal(order.quantity_e8),
        "p": decimal(request.price_e8),
        "P": ZERO,
        "F": ZERO,
        "g": -1,
        "C": order.client_order_id if kind == "CANCELED" else "",
        "x": kind,
        "X": "NEW" if kind == "NEW" else order.status,
        "r": "NONE",
        "i": order.order_id,
        "l": decimal(fill.quantity_e8) if fill else ZERO,
        "z": decimal(order.executed_e8),
        "L": decimal(fill.price_e8) if fill else ZERO,
        "n": decimal(fill.fee_e8) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": now_ms,
        "t": fill.trade_id if fill else -1,
        "v": 0,
        "I": execution_id,
        "w": order.status in OPEN,
        "m": fill.maker if fill else False,
        "M": fill is not None,
        "O": order.time_ms,
        "Z": decimal(order.quote_executed_e8),
        "Y": decimal(fill.quote_e8) if fill else ZERO,
        "Q": decimal(request.quote_quantity_e8),
        "W": order.time_ms,
        "V": request.prevention,
    }
    if request.strategy_id is not None:
        report["j"] = request.strategy_id
    if request.strategy_type is not None:
        report["J"] = request.strategy_type
    if prevented is None:
        del report["v"]
    else:
        report |= _prevention(order, prevented)
    return report


def _prevention(order: ClientOrder, prevented: Prevented) -> Json:
    taker = prevented.taker_id == order.order_id
    lost_e8 = prevented.taker_quantity_e8 if taker else prevented.maker_quantity_e8
    return {
        "v": prevented.match_id,
        "A": decimal(order.prevented_e8),
        "B": decimal(lost_e8),
        "u": -1,
        "U": prevented.maker_id if taker else prevented.taker_id,
        "pl": decimal(lost_e8),
        "pL": decimal(prevented.price_e8),
        "pY": decimal(prevented.price_e8 * lost_e8 // 100_000_000),
    }


def account_position(account: Account, now_ms: int) -> Json:
    """The user data event with the balances that changed."""
    return {
        "e": "outboundAccountPosition",
        "E": now_ms,
        "u": account.update_ms,
        "B": [
            {
                "a": asset,
                "f": decimal(account.free.get(asset, 0)),
                "l": decimal(account.locked.get(asset, 0)),
            }
            for asset in sorted(account.touched)
        ],
    }


def balance_update(asset: str, amount_e8: int, now_ms: int) -> Json:
    """The user data event of a deposit or withdrawal."""
    return {"e": "balanceUpdate", "E": now_ms, "a": asset, "d": decimal(amount_e8), "T": now_ms}
