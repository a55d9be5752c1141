"""What the contract world trades beside spot: a perpetual, a dated future and an option, as reference data and as the
exchange lists them. All settle in USDT, so that spot and contracts share the clients' money."""

from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace

from tests.simulation.reference import BTC, VENUE
from truetape import messages as m
from truetape.money import ONE_E8
from venues.symbols import Symbol

HOUR_US: Final = 3_600_000_000
ASSET: Final = "USDT"
PERP, FUTURE, OPTION = "BTC-USDT-PERP", "BTC-USDT-FUT", "BTC-USDT-60000-C"
STRIKE_E8: Final = 60_000 * ONE_E8
PERP_MULTIPLIER_E8: Final = 123_700
"""Of a coin: no round number, so that values are rounded."""
CASH: Final[dict[str, Any]] = {
    "style": "LINEAR", "settlement_asset": ASSET, "index": BTC.instrument_id, "delivery": "CASH",
    "margin_class": "flat", "initial_rate_e8": 10**7, "maintenance_rate_e8": 5 * 10**6, "funding_cap_rate_e8": 0,
    "funding_interval_us": 0, "settlement_fee_rate_e8": 0, "liquidation_fee_rate_e8": 0,
    "mark_max_age_us": 60_000_000, "fixing_window_us": 5_000_000,
}  # fmt: skip


@dataclass(frozen=True)
class Listed:
    """A contract: its reference data, how the venue lists it, its first price and the lot of the venue's flow."""

    instrument: m.Instrument
    symbol: Symbol
    first_price: float
    lots: tuple[int, int]
    """Least and most lots of a client's order."""

    @property
    def terms(self) -> m.ContractTerms:
        """Its terms."""
        assert self.instrument.contract is not None
        return self.instrument.contract


def listed(expires_at_us: int, liquidation_fee_rate_e8: int = 0) -> dict[str, Listed]:
    """The three contracts by name; two of them expire then."""
    cash = CASH | {"liquidation_fee_rate_e8": liquidation_fee_rate_e8}
    perpetual = m.ContractTerms(
        **cash | {"kind": "PERPETUAL", "multiplier_e8": PERP_MULTIPLIER_E8, "funding_cap_rate_e8": 10**6,
                  "funding_interval_us": 8 * HOUR_US, "settlement_interval_us": 15_000_000,
                  "funding_step_us": 20_000_000},
    )  # fmt: skip
    future = m.ContractTerms(
        **cash | {"kind": "FUTURE", "multiplier_e8": 10**6, "expires_at_us": expires_at_us,
                  "settlement_fee_rate_e8": 15_000, "settlement_interval_us": 15_000_000},
    )  # fmt: skip
    option = m.ContractTerms(
        **cash | {"kind": "OPTION", "multiplier_e8": ONE_E8, "expires_at_us": expires_at_us, "strike_e8": STRIKE_E8,
                  "option_type": "CALL", "settlement_fee_rate_e8": 15_000},
    )  # fmt: skip
    return {
        PERP: _listed(PERP, "BTCPERP", perpetual, ONE_E8, 60_000.0, (1, 1_500)),
        FUTURE: _listed(FUTURE, "BTCFUT", future, ONE_E8, 60_200.0, (1, 150)),
        OPTION: _listed(OPTION, "BTC60C", option, ONE_E8 // 10, 1_500.0, (1, 40)),
    }


def _listed(name: str, symbol: str, terms: m.ContractTerms, lot_e8: int, price: float, lots: tuple[int, int]) -> Listed:
    tick_e8 = 10**7
    listing = m.Listing(VENUE, symbol, tick_e8, lot_e8, lot_e8, 0, 100_000, 100_000)
    instrument = replace(
        BTC, instrument_id=name, tick_e8=tick_e8, lot_e8=lot_e8, min_quantity_e8=lot_e8, max_quantity_e8=10**4 * ONE_E8,
        min_notional_e8=0, listings=(listing,), contract=terms,
    )  # fmt: skip
    venues = Symbol(
        symbol, name, "USDT", tick_e8, lot_e8, 0, maximum_quantity_e8=10**5 * ONE_E8,
        maximum_notional_e8=10**10 * ONE_E8, multiplier_e8=terms.multiplier_e8, option=terms.kind == "OPTION",
        expires_ms=(terms.expires_at_us or 0) // 1_000,
    )  # fmt: skip
    return Listed(instrument, venues, price, lots)
