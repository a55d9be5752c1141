"""Clients' orders at the exchange, the fills of these, and the checked request for a new one."""

from typing import Literal

from msgspec import Struct, field

from truetape.money import ONE_E8
from venues.accounts import Account
from venues.matching import SelfTradePrevention, Side, TimeInForce
from venues.symbols import Symbol

OrderType = Literal["LIMIT", "LIMIT_MAKER", "MARKET"]
Status = Literal["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED"]
OPEN: frozenset[Status] = frozenset({"NEW", "PARTIALLY_FILLED"})


class NewOrder(Struct, frozen=True):
    """A checked request. Exactly one of quantity and quote quantity is positive."""

    symbol: Symbol
    side: Side
    type: OrderType
    time_in_force: TimeInForce = "GTC"
    price_e8: int = 0
    quantity_e8: int = 0
    quote_quantity_e8: int = 0
    client_order_id: str = ""
    prevention: SelfTradePrevention = "NONE"
    strategy_id: int | None = None
    strategy_type: int | None = None


class Fill(Struct, frozen=True, gc=False):
    """One side of a trade, as its account sees it."""

    trade_id: int
    order_id: int
    symbol: str
    price_e8: int
    quantity_e8: int
    quote_e8: int
    fee_e8: int
    fee_asset: str
    time_ms: int
    buyer: bool
    maker: bool


class PreventedMatch(Struct, frozen=True, gc=False):
    """A trade with oneself that did not happen, as the taker's answer tells it."""

    match_id: int
    maker_id: int
    price_e8: int
    taker_quantity_e8: int
    maker_quantity_e8: int


class ClientOrder(Struct, eq=False):
    """An order of a client from acceptance to its end. `locked_e8` is what it still holds of `lock_asset`."""

    order_id: int
    account: Account
    request: NewOrder
    client_order_id: str
    time_ms: int
    update_ms: int
    quantity_e8: int
    locked_e8: int = 0
    executed_e8: int = 0
    quote_executed_e8: int = 0
    prevented_e8: int = 0
    prevented_match_id: int = 0
    status: Status = "NEW"
    fills: list[Fill] = field(default_factory=list)

    @property
    def symbol(self) -> Symbol:
        """The instrument."""
        return self.request.symbol

    @property
    def lock_asset(self) -> str:
        """The asset that the order pays with."""
        return self.symbol.quote if self.request.side == "BUY" else self.symbol.base

    def lock_for(self, price_e8: int, quantity_e8: int) -> int:
        """How much of `lock_asset` a quantity at a price takes; of a contract nothing: there is no margin here."""
        if self.symbol.multiplier_e8:
            return 0
        return price_e8 * quantity_e8 // ONE_E8 if self.request.side == "BUY" else quantity_e8
