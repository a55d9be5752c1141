"""What is listed: instruments with their filters, as exchangeInfo publishes them and orders are held to."""

from typing import Any, Final

from msgspec import Struct

from truetape.money import ONE_E8
from venues.rejects import Reject, filter_failure

ORDER_TYPES: Final = ("LIMIT", "LIMIT_MAKER", "MARKET")
PREVENTION_MODES: Final = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")


def decimal(value_e8: int) -> str:
    """Write an amount as Binance does, always with eight digits: 150000000 -> "1.50000000"."""
    if value_e8 < 0:
        return "-" + decimal(-value_e8)
    return f"{value_e8 // ONE_E8}.{value_e8 % ONE_E8:08d}"


class Symbol(Struct, frozen=True):
    """A listed instrument: spot, or a contract, whose trades move contracts and the fee, of an option its premium too.

    Tick times lot is a multiple of 1e-8, so that every notional is exact.
    """

    name: str
    base: str
    quote: str
    tick_e8: int
    lot_e8: int
    minimum_notional_e8: int
    maximum_price_e8: int = 1_000_000 * ONE_E8
    maximum_quantity_e8: int = 9_000 * ONE_E8
    maximum_notional_e8: int = 9_000_000 * ONE_E8
    maximum_orders: int = 10_000
    multiplier_e8: int = 0
    """Of a contract: quote asset per contract and unit of price. 0 for spot."""
    option: bool = False
    expires_ms: int = 0
    """Of a contract that ends: from then on it does not trade, and nobody holds any. 0 for ever."""

    def over(self, now_ms: int) -> bool:
        """Whether it has expired."""
        return 0 < self.expires_ms <= now_ms

    def __post_init__(self) -> None:
        """Refuse a listing whose notionals would need rounding."""
        assert self.tick_e8 > 0
        assert self.lot_e8 > 0
        assert self.tick_e8 * self.lot_e8 % ONE_E8 == 0, f"{self.name}: tick x lot is finer than 1e-8"

    def premium_e8(self, notional_e8: int) -> int:
        """What changes hands for an option at once; nothing for other contracts."""
        return notional_e8 * self.multiplier_e8 // ONE_E8 if self.option else 0

    def check_price(self, price_e8: int) -> None:
        """Raise the filter failure of a limit price."""
        if price_e8 == 0:
            raise Reject(-1013, "Invalid price.")
        if price_e8 % self.tick_e8 or not self.tick_e8 <= price_e8 <= self.maximum_price_e8:
            raise filter_failure("PRICE_FILTER")

    def check_quantity(self, quantity_e8: int) -> None:
        """Raise the filter failure of a quantity."""
        if quantity_e8 == 0:
            raise Reject(-1013, "Invalid quantity.")
        if quantity_e8 % self.lot_e8 or not self.lot_e8 <= quantity_e8 <= self.maximum_quantity_e8:
            raise filter_failure("LOT_SIZE")

    def check_notional(self, notional_e8: int) -> None:
        """Raise the filter failure of price times quantity."""
        if not self.minimum_notional_e8 <= notional_e8 <= self.maximum_notional_e8:
            raise filter_failure("NOTIONAL")

    def filters(self) -> list[dict[str, Any]]:
        """The filters as exchangeInfo shows them."""
        lots = {
            "minQty": decimal(self.lot_e8),
            "maxQty": decimal(self.maximum_quantity_e8),
            "stepSize": decimal(self.lot_e8),
        }
        return [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": decimal(self.tick_e8),
                "maxPrice": decimal(self.maximum_price_e8),
                "tickSize": decimal(self.tick_e8),
            },
            {"filterType": "LOT_SIZE", **lots},
            {"filterType": "MARKET_LOT_SIZE", **lots},
            {
                "filterType": "NOTIONAL",
                "minNotional": decimal(self.minimum_notional_e8),
                "applyMinToMarket": True,
                "maxNotional": decimal(self.maximum_notional_e8),
                "applyMaxToMarket": True,
                "avgPriceMins": 0,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": self.maximum_orders},
        ]

    def listing(self) -> dict[str, Any]:
        """The symbol as exchangeInfo shows it."""
        return {
            "symbol": self.name,
            "status": "TRADING",
            "baseAsset": self.base,
            "baseAssetPrecision": 8,
            "quoteAsset": self.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": list(ORDER_TYPES),
            "icebergAllowed": False,
            "ocoAllowed": False,
            "otoAllowed": False,
            "opoAllowed": False,
            "quoteOrderQtyMarketAllowed": True,
            "allowTrailingStop": False,
            "cancelReplaceAllowed": True,
            "amendAllowed": True,
            "pegInstructionsAllowed": False,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": self.filters(),
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": "NONE",
            "allowedSelfTradePreventionModes": list(PREVENTION_MODES),
        }


CONTRACT_SYMBOLS: Final = (
    Symbol(
        "BTCUSDTPERP", "BTC-USDT-PERP", "USDT", ONE_E8 // 10, ONE_E8, 0, maximum_quantity_e8=100_000 * ONE_E8,
        maximum_notional_e8=10**10 * ONE_E8, multiplier_e8=ONE_E8 // 1_000,
    ),
    Symbol(
        "BTCUSDTFUT", "BTC-USDT-FUT", "USDT", ONE_E8 // 10, ONE_E8, 0, maximum_quantity_e8=100_000 * ONE_E8,
        maximum_notional_e8=10**10 * ONE_E8, multiplier_e8=ONE_E8 // 1_000,
    ),
    Symbol(
        "BTCUSDTCALL", "BTC-USDT-CALL", "USDT", ONE_E8 // 10, ONE_E8 // 100, 0, maximum_quantity_e8=1_000 * ONE_E8,
        maximum_notional_e8=10**10 * ONE_E8, multiplier_e8=ONE_E8, option=True,
    ),
)  # fmt: skip
"""A perpetual, a future and a call; when the last two expire, whoever lists them says. An account's balance of the base
asset is its position, which may be short."""
UNDERLYINGS: Final = {"BTCUSDTPERP": "BTCUSDT", "BTCUSDTFUT": "BTCUSDT"}
"""Whose price path a contract follows."""
DEFAULT_SYMBOLS: Final = (
    Symbol("BTCUSDT", "BTC", "USDT", ONE_E8 // 100, 1_000, 5 * ONE_E8),
    Symbol("ETHUSDT", "ETH", "USDT", ONE_E8 // 100, 10_000, 5 * ONE_E8),
)
