"""ISDA SIMM 2.5, delta margin of foreign exchange.

    WS_k = RW_k x s_k x CR_k            s_k: change of value for 1 % of currency k against the calculation currency
    CR_k = max(1, sqrt(|s_k| / T_k))    T_k: concentration threshold by the currency's category
    K    = sqrt(sum over k, l of rho_kl x f_kl x WS_k x WS_l),  f_kl = min(CR_k, CR_l) / max(CR_k, CR_l), f_kk = 1

The calculation currency itself has no risk. Source: ISDA SIMM methodology 2.5; its numbers as in Open Source Risk
Engine `Configurations/SIMM/simmcalibration_2.5.xml` and AcadiaSoft `simm-lib`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

import msgspec

from truetape.errors import MarginInputInvalid, MarginPositionUnfit
from truetape.margin.doubt import Doubt
from truetape.margin.market import Market
from truetape.margin.models import MarginResult
from truetape.margin.portfolio import Future, Perpetual, Portfolio, netted

SIGNIFICANT: Final = frozenset({"USD", "EUR", "JPY", "GBP", "AUD", "CHF", "CAD"})
"""Category 1: significantly material."""
FREQUENT: Final = frozenset({"BRL", "CNY", "HKD", "INR", "KRW", "MXN", "NOK", "NZD", "RUB", "SEK", "SGD", "TRY", "ZAR"})
"""Category 2: frequently traded. All others are category 3."""


class FxParameters(msgspec.Struct, frozen=True):
    """Of one calculation currency and margin period; the defaults are 10 days and a calculation currency of usual
    volatility."""

    calculation_currency: str = "USD"
    high_volatility: frozenset[str] = frozenset({"BRL", "RUB", "TRY", "ZAR"})
    weight_regular: float = 7.4
    weight_high: float = 13.6
    correlation_regular: float = 0.5
    """Between two currencies of usual volatility."""
    correlation_mixed: float = 0.27
    correlation_high: float = 0.42
    threshold_significant: float = 5.1e9
    """In the calculation currency per 1 %."""
    threshold_frequent: float = 1.2e9
    threshold_other: float = 0.19e9


TEN_DAYS: Final = FxParameters()
TEN_DAYS_HIGH: Final = FxParameters(
    weight_regular=13.6, weight_high=14.6, correlation_regular=0.85, correlation_mixed=0.54, correlation_high=0.5
)
"""For a calculation currency of high volatility; the currency has to be set."""
ONE_DAY: Final = FxParameters(weight_regular=1.8, weight_high=3.2)


def fx_delta_margin(
    sensitivities: Iterable[tuple[str, float]], parameters: FxParameters = TEN_DAYS
) -> tuple[float, dict[str, float]]:
    """Margin of (currency, sensitivity) pairs, and each currency's weighted sensitivity. Raises MarginInputInvalid.

    Sensitivities of one currency are netted first.
    """
    nets: dict[str, float] = {}
    for currency, sensitivity in sensitivities:
        if not math.isfinite(sensitivity):
            raise MarginInputInvalid(f"the sensitivity to {currency} is {sensitivity}; correct its source")
        if currency != parameters.calculation_currency:
            nets[currency] = nets.get(currency, 0.0) + sensitivity
    concentrations = {currency: concentration(parameters, currency, net) for currency, net in nets.items()}
    weighted = {
        currency: weight(parameters, currency) * net * concentrations[currency] for currency, net in nets.items()
    }
    squared = sum(
        _together(parameters, one, other, concentrations) * weighted[one] * weighted[other]
        for one in weighted
        for other in weighted
    )
    return math.sqrt(max(squared, 0.0)), weighted


def fx_delta_shares(
    trades: Sequence[Sequence[tuple[str, float]]], parameters: FxParameters = TEN_DAYS
) -> tuple[float, list[float]]:
    """Margin of several trades' (currency, sensitivity) pairs, and each trade's part of it. Raises MarginInputInvalid.

    A part is the trade's weighted sensitivities times the slope of the margin in them (Euler): at given concentrations
    the margin scales with its sensitivities, so the parts sum to it; what offsets the others has a negative part.
    """
    margin, weighted = fx_delta_margin((pair for trade in trades for pair in trade), parameters)
    if margin <= 0:
        return margin, [0.0] * len(trades)
    nets: dict[str, float] = {}
    for currency, sensitivity in (pair for trade in trades for pair in trade):
        nets[currency] = nets.get(currency, 0.0) + sensitivity
    factors = {name: concentration(parameters, name, nets[name]) for name in weighted}
    slopes = {
        one: sum(_together(parameters, one, other, factors) * weighted[other] for other in weighted) / margin
        for one in weighted
    }
    units = {name: weight(parameters, name) * factors[name] * slopes[name] for name in weighted}
    return margin, [sum(units.get(name, 0.0) * moved for name, moved in trade) for trade in trades]


def weight(parameters: FxParameters, currency: str) -> float:
    """Risk weight of a currency."""
    return parameters.weight_high if currency in parameters.high_volatility else parameters.weight_regular


def concentration(parameters: FxParameters, currency: str, sensitivity: float) -> float:
    """Concentration factor, 1 at least."""
    return max(1.0, math.sqrt(abs(sensitivity) / threshold(parameters, currency)))


def threshold(parameters: FxParameters, currency: str) -> float:
    """Concentration threshold of a currency's category."""
    if currency in SIGNIFICANT:
        return parameters.threshold_significant
    return parameters.threshold_frequent if currency in FREQUENT else parameters.threshold_other


def _together(parameters: FxParameters, one: str, other: str, concentrations: Mapping[str, float]) -> float:
    """Correlation of two currencies times how alike their concentrations are."""
    if one == other:
        return 1.0
    high = (one in parameters.high_volatility) + (other in parameters.high_volatility)
    correlation = (parameters.correlation_regular, parameters.correlation_mixed, parameters.correlation_high)[high]
    pair = concentrations[one], concentrations[other]
    return correlation * min(pair) / max(pair)


class SimmFx(msgspec.Struct, frozen=True):
    """The plug-in for foreign exchange forwards: futures and perpetuals whose underlying is a currency.

    Vega and curvature are not here, so options do not fit. Initial and maintenance need are the same but for prices in
    doubt: what SIMM asks has to be there until the positions are closed.
    """

    name: ClassVar[str] = "simm_fx"
    source: ClassVar[str] = "ISDA SIMM 2.5, FX delta; Open Source Risk Engine, simmcalibration_2.5.xml"
    parameters: FxParameters = TEN_DAYS
    doubt: Doubt = Doubt()

    def margin(self, portfolio: Portfolio, market: Market) -> MarginResult:
        """Margin of one account; a position's sensitivity is 1 % of its value. See the interface for errors."""
        profit = 0.0
        doubts: dict[str, float] = {}
        sensitivities: list[tuple[str, str, float]] = []
        for position in netted(portfolio.positions):
            if not isinstance(position, Perpetual | Future):
                raise MarginPositionUnfit(f"{position.instrument_id}: SIMM's FX delta covers forwards and perpetuals")
            profit += position.unrealised_pnl
            profit += position.unsettled_funding if isinstance(position, Perpetual) else 0.0
            spot = market.spot(position.underlying)
            worth = position.quantity * spot.value
            doubts[position.instrument_id] = self.doubt.need(spot.confidence, worth)
            sensitivities.append((position.instrument_id, position.underlying, worth / 100))
        need, weighted = fx_delta_margin(((currency, moved) for _, currency, moved in sensitivities), self.parameters)
        return MarginResult(
            equity=portfolio.cash + profit,
            initial_need=need + sum(doubts.values()),
            maintenance_need=need,
            worst=max(weighted, key=lambda currency: abs(weighted[currency]), default=""),
            parts=weighted | {"doubt": sum(doubts.values())},
            contributions={name: share + doubts[name] for name, share in _shared(need, sensitivities).items()},
        )


def _shared(need: float, sensitivities: list[tuple[str, str, float]]) -> dict[str, float]:
    """The need shared among positions by the size of their sensitivities."""
    whole = sum(abs(moved) for _, _, moved in sensitivities)
    return {name: need * abs(moved) / whole if whole else 0.0 for name, _, moved in sensitivities}
