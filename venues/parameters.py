"""Request parameters: form encoding in, checked values out, Binance's -11xx errors for everything else."""

import re
from typing import Final
from urllib.parse import unquote_plus

from truetape.money import MAX_E8, ONE_E8
from venues.matching import SelfTradePrevention, Side
from venues.orders import NewOrder, OrderType
from venues.registry import cost
from venues.rejects import Reject, bad_symbol, illegal, missing, not_required
from venues.symbols import PREVENTION_MODES, Symbol

LEGAL_SYMBOL: Final = "^[A-Z0-9-_.]{1,20}$"
LEGAL_CLIENT_ID: Final = "^[a-zA-Z0-9-_]{1,36}$"
LEGAL_NUMBER: Final = "^[0-9]{1,20}$"
LEGAL_DECIMAL: Final = "^([0-9]{1,20})(\\.[0-9]{1,20})?$"
_SYMBOL: Final = re.compile(r"[A-Z0-9\-_.]{1,20}", re.ASCII)
_CLIENT_ID: Final = re.compile(r"[a-zA-Z0-9\-_]{1,36}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_DECIMAL: Final = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,20}))?", re.ASCII)
_UNSUPPORTED: Final = {
    "STOP_LOSS": "Stop loss orders are not supported for this symbol.",
    "STOP_LOSS_LIMIT": "Stop loss limit orders are not supported for this symbol.",
    "TAKE_PROFIT": "Take profit orders are not supported for this symbol.",
    "TAKE_PROFIT_LIMIT": "Take profit limit orders are not supported for this symbol.",
}
PARAMETERS_MAX: Final = 64


def parse_form(text: str) -> dict[str, str]:
    """Decode `a=1&b=2`. Raises -1101 when a name comes twice or there are far too many."""
    parameters: dict[str, str] = {}
    if not text:
        return parameters
    pairs = text.split("&")
    if len(pairs) > PARAMETERS_MAX:
        raise Reject(-1101, f"Too many parameters; expected '{PARAMETERS_MAX}' and received '{len(pairs)}'.")
    for pair in pairs:
        if not pair:
            continue
        name, _, value = pair.partition("=")
        if "%" in pair or "+" in pair:
            name, value = unquote_plus(name), unquote_plus(value)
        if name in parameters:
            raise Reject(-1101, "Duplicate values for a parameter detected.")
        parameters[name] = value
    return parameters


class Parameters:
    """Typed access to the parameters of one request; each accessor raises the fitting Reject."""

    __slots__ = ("values",)

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    def text(self, name: str) -> str | None:
        """A value that may be absent but not empty."""
        value = self.values.get(name)
        if value == "":
            raise Reject(-1105, f"Parameter '{name}' was empty.")
        return value

    def required(self, name: str) -> str:
        """A value that must be there."""
        value = self.values.get(name)
        if not value:
            raise missing(name)
        return value

    def symbol(self) -> str:
        """The mandatory symbol, in legal characters; it need not be listed."""
        value = self.required("symbol")
        if not _SYMBOL.fullmatch(value):
            raise illegal("symbol", LEGAL_SYMBOL)
        return value

    def client_id(self, name: str) -> str | None:
        """A client order id."""
        value = self.text(name)
        if value is not None and not _CLIENT_ID.fullmatch(value):
            raise illegal(name, LEGAL_CLIENT_ID)
        return value

    def integer(self, name: str) -> int | None:
        """A whole number from 0 to 2^63 - 1."""
        value = self.text(name)
        if value is None:
            return None
        if not _NUMBER.fullmatch(value):
            raise illegal(name, LEGAL_NUMBER)
        number = int(value)
        if number > MAX_E8:
            raise Reject(-1108, f"Parameter '{name}' overflowed.")
        return number

    def limit(self, default: int, maximum: int) -> int:
        """The parameter `limit`: at least 1, cut to the maximum."""
        limit = self.integer("limit")
        if limit == 0:
            raise Reject(-1130, "Data sent for parameter 'limit' is not valid.")
        return default if limit is None else min(limit, maximum)

    def decimal(self, name: str) -> int | None:
        """A plain decimal number of at most eight digits after the point, in units of 1e-8."""
        value = self.text(name)
        if value is None:
            return None
        match = _DECIMAL.fullmatch(value)
        if match is None:
            raise illegal(name, LEGAL_DECIMAL)
        whole, fraction = match.groups()
        digits = (fraction or "").rstrip("0")
        if len(digits) > 8:
            raise Reject(-1111, f"Parameter '{name}' has too much precision.")
        value_e8 = int(whole) * ONE_E8 + int(digits.ljust(8, "0"))
        if value_e8 > MAX_E8:
            raise Reject(-1108, f"Parameter '{name}' overflowed.")
        return value_e8

    def required_decimal(self, name: str) -> int:
        """As `decimal`, and it must be there."""
        self.required(name)
        value_e8 = self.decimal(name)
        assert value_e8 is not None
        return value_e8


def find_symbol(symbols: dict[str, Symbol], parameters: Parameters) -> Symbol:
    """The listed instrument that the request names. Raises -1121 when it is not listed."""
    symbol = symbols.get(parameters.symbol())
    if symbol is None:
        raise bad_symbol()
    return symbol


def parse_new_order(symbols: dict[str, Symbol], parameters: Parameters) -> NewOrder:
    """Check a new order's parameters and the filters that need no book."""
    symbol = find_symbol(symbols, parameters)
    side = _side(parameters)
    order_type = _order_type(parameters)
    for name in ("stopPrice", "trailingDelta"):
        if name in parameters.values:
            raise not_required(name)
    if parameters.decimal("icebergQty"):
        raise Reject(-2010, "Iceberg orders are not supported for this symbol.")
    build = _market_order if order_type == "MARKET" else _limit_order
    return build(symbol, side, order_type, parameters)


def _limit_order(symbol: Symbol, side: Side, order_type: OrderType, parameters: Parameters) -> NewOrder:
    price_e8 = parameters.required_decimal("price")
    quantity_e8 = parameters.required_decimal("quantity")
    if "quoteOrderQty" in parameters.values:
        raise not_required("quoteOrderQty")
    time_in_force = parameters.text("timeInForce")
    if order_type == "LIMIT_MAKER":
        if time_in_force is not None:
            raise not_required("timeInForce")
        time_in_force = "GTC"
    if time_in_force is None:
        raise missing("timeInForce")
    if time_in_force not in ("GTC", "IOC", "FOK"):
        raise Reject(-1115, "Invalid timeInForce.")
    symbol.check_price(price_e8)
    symbol.check_quantity(quantity_e8)
    symbol.check_notional(cost(price_e8, quantity_e8))
    return NewOrder(
        symbol,
        side,
        order_type,
        time_in_force,  # type: ignore[arg-type]  # narrowed by the membership test above
        price_e8,
        quantity_e8,
        0,
        *_common(parameters),
    )


def _market_order(symbol: Symbol, side: Side, order_type: OrderType, parameters: Parameters) -> NewOrder:
    if "timeInForce" in parameters.values:
        raise Reject(-1114, "TimeInForce parameter sent when not required.")
    if "price" in parameters.values:
        raise not_required("price")
    quantity_e8 = parameters.decimal("quantity")
    quote_e8 = parameters.decimal("quoteOrderQty")
    if quantity_e8 is None and quote_e8 is None:
        raise Reject(-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!")
    if quantity_e8 is not None and quote_e8 is not None:
        raise Reject(-1128, "Combination of optional parameters invalid.")
    if quantity_e8 is not None:
        symbol.check_quantity(quantity_e8)
    else:
        assert quote_e8 is not None
        symbol.check_notional(quote_e8)
    return NewOrder(symbol, side, order_type, "GTC", 0, quantity_e8 or 0, quote_e8 or 0, *_common(parameters))


def _side(parameters: Parameters) -> Side:
    value = parameters.required("side")
    if value == "BUY":
        return "BUY"
    if value == "SELL":
        return "SELL"
    raise Reject(-1117, "Invalid side.")


def _order_type(parameters: Parameters) -> OrderType:
    value = parameters.required("type")
    for known in ("LIMIT", "MARKET", "LIMIT_MAKER"):
        if value == known:
            return known
    if value in _UNSUPPORTED:
        raise Reject(-2010, _UNSUPPORTED[value])
    raise Reject(-1116, "Invalid orderType.")


def _common(parameters: Parameters) -> tuple[str, SelfTradePrevention, int | None, int | None]:
    client_order_id = parameters.client_id("newClientOrderId") or ""
    mode = parameters.text("selfTradePreventionMode") or "NONE"
    if mode not in PREVENTION_MODES:
        raise Reject(-1013, "This symbol does not allow the specified self-trade prevention mode.")
    strategy_type = parameters.integer("strategyType")
    if strategy_type is not None and strategy_type < 1_000_000:
        raise Reject(-1134, "`strategyType` was less than 1000000.")
    return client_order_id, mode, parameters.integer("strategyId"), strategy_type  # type: ignore[return-value]  # tested
