"""Fully collateralised spreads and naked options, in floats.

Source: Opyn, GammaProtocol `contracts/core/MarginCalculator.sol`. A put spread needs its largest loss in the quote
currency; a call spread its largest loss in the underlying, since what a call can lose has no bound in the quote.
A naked option needs what it could be worth after a shock of the spot, by a table of upper bounds per time to expiry.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import ClassVar, Final, Literal, NamedTuple

import msgspec

from truetape.errors import MarginInputMissing, MarginPositionUnfit
from truetape.margin import black76
from truetape.margin.doubt import Doubt, option_confidence
from truetape.margin.market import YEAR_SECONDS, Market
from truetape.margin.models import MarginResult
from truetape.margin.portfolio import Option, Portfolio, netted

WEEK_SECONDS: Final = 7 * 86_400
UPPER_BOUNDS: Final[Mapping[float, float]] = MappingProxyType(
    {
        1 * WEEK_SECONDS: 0.1678, 2 * WEEK_SECONDS: 0.2370, 4 * WEEK_SECONDS: 0.3326, 6 * WEEK_SECONDS: 0.4032,
        8 * WEEK_SECONDS: 0.4603,
    }
)  # fmt: skip
"""Largest value of an option at the money as a part of the spot, by seconds to expiry (Opyn's test parameters)."""


class Leg(NamedTuple):
    """Options of one expiry and right: positive is long."""

    quantity: float
    strike: float


def put_spread_need(short: float, short_strike: float, long: float = 0.0, long_strike: float = 0.0) -> float:
    """What a short put needs beside a long one, in the quote currency; quantities are not negative."""
    return max(short * short_strike - long_strike * min(short, long), 0.0)


def call_spread_need(short: float, short_strike: float, long: float = 0.0, long_strike: float = 0.0) -> float:
    """What a short call needs beside a long one, in the underlying; quantities are not negative."""
    uncovered = max(short - long, 0.0)
    if long_strike == 0.0:
        return uncovered
    return max((long_strike - short_strike) * short / long_strike, uncovered)


def puts_need(legs: Iterable[Leg]) -> float:
    """Largest loss of any set of puts of one expiry, in the quote currency: for one pair `put_spread_need`."""
    held = list(legs)
    settlements = [0.0, *(leg.strike for leg in held)]
    return max(0.0, *(-sum(leg.quantity * max(leg.strike - price, 0.0) for leg in held) for price in settlements))


def calls_need(legs: Iterable[Leg]) -> float:
    """Largest loss of any set of calls of one expiry, in the underlying: for one pair `call_spread_need`.

    Between two strikes the loss per price is monotone, so only strikes and a price without end have to be looked at.
    """
    held = list(legs)
    at_strikes = [
        -sum(leg.quantity * max(price - leg.strike, 0.0) for leg in held) / price
        for price in (leg.strike for leg in held)
        if price > 0
    ]
    return max(0.0, -sum(leg.quantity for leg in held), *at_strikes)


def upper_bound(seconds: float, table: Mapping[float, float] = UPPER_BOUNDS) -> float:
    """The bound of the first time in the table that is not below the time to expiry; else MarginInputMissing."""
    for until in sorted(table):
        if seconds <= until:
            return table[until]
    raise MarginInputMissing(
        f"no upper bound for {seconds / WEEK_SECONDS:.2f} weeks to expiry: add it, or take no such option"
    )


def naked_put_need(quantity: float, strike: float, spot: float, bound: float, shock: float = 0.75) -> float:
    """What a short put needs alone, in the quote currency: bounded up to the shocked spot, in full above it."""
    shocked = shock * spot
    return (bound * min(strike, shocked) + max(strike - shocked, 0.0)) * quantity


def naked_call_need(quantity: float, strike: float, spot: float, bound: float, shock: float = 0.75) -> float:
    """What a short call needs alone, in the underlying."""
    ratio = strike * shock / spot
    return (bound * min(1.0, ratio) + max(1.0 - ratio, 0.0)) * quantity


def expiry_excess(
    right: Literal["CALL", "PUT"], settlement: float, collateral: float, short: Leg | None, long: Leg | None
) -> float:
    """What a vault gets back after expiry (negative: owes), in its collateral: quote for puts, underlying for calls."""
    owed = (short.quantity * _paid(right, short.strike, settlement) if short else 0.0) - (
        long.quantity * _paid(right, long.strike, settlement) if long else 0.0
    )
    return collateral - (owed if right == "PUT" else owed / settlement)


def _paid(right: Literal["CALL", "PUT"], strike: float, settlement: float) -> float:
    return max(settlement - strike if right == "CALL" else strike - settlement, 0.0)


class OpynMargin(msgspec.Struct, frozen=True):
    """The plug-in for options: per expiry the largest loss of all puts and of all calls, or each short option naked.

    Both needs are the full collateral of the expiry; initial and maintenance are the same. Bought options count
    nothing by themselves, so equity is cash and the value of what was sold.
    """

    name: ClassVar[str] = "opyn"
    source: ClassVar[str] = "Opyn GammaProtocol, contracts/core/MarginCalculator.sol"
    naked: bool = False
    spot_shock: float = 0.75
    upper_bounds: Mapping[float, float] = UPPER_BOUNDS
    doubt: Doubt = Doubt()

    def margin(self, portfolio: Portfolio, market: Market) -> MarginResult:
        """Margin of one account; see the interface for errors."""
        options = self._options(portfolio)
        values = {option.instrument_id: option_value(option, market) for option in options}
        needs = self._naked(options, market) if self.naked else self._spreads(options, market)
        sold = {name: min(value, 0.0) for name, value in values.items()}
        # The need is of the collateral, but equity has lost the value of what was sold already.
        need = max(sum(needs.values()) + sum(sold.values()), 0.0)
        doubts = {option.instrument_id: self._doubt(option, market) for option in options}
        shares = _shared(need, options, market)
        return MarginResult(
            equity=portfolio.cash + sum(sold.values()),
            initial_need=need + sum(doubts.values()),
            maintenance_need=need,
            worst=max(needs, key=lambda name: needs[name], default=""),
            parts=needs | {"doubt": sum(doubts.values())},
            contributions={name: share + doubts[name] for name, share in shares.items()},
        )

    def _doubt(self, option: Option, market: Market) -> float:
        spot = market.spot(option.underlying)
        confidence = min(spot.confidence, option_confidence(option, market))
        return self.doubt.need(confidence, min(option.quantity, 0.0) * spot.value)

    def _options(self, portfolio: Portfolio) -> tuple[Option, ...]:
        for position in portfolio.positions:
            if not isinstance(position, Option):
                raise MarginPositionUnfit(f"{position.instrument_id}: Opyn's margin covers options only")
        return tuple(position for position in netted(portfolio.positions) if isinstance(position, Option))

    def _spreads(self, options: tuple[Option, ...], market: Market) -> dict[str, float]:
        groups: dict[tuple[str, int, bool], list[Leg]] = defaultdict(list)
        for option in options:
            groups[option.underlying, option.expires_us, option.is_call].append(Leg(option.quantity, option.strike))
        return {
            f"{underlying} {expires_us} {'calls' if is_call else 'puts'}": (
                calls_need(legs) * market.spot(underlying).value if is_call else puts_need(legs)
            )
            for (underlying, expires_us, is_call), legs in groups.items()
        }

    def _naked(self, options: tuple[Option, ...], market: Market) -> dict[str, float]:
        needs = {}
        for option in options:
            if option.quantity < 0:
                spot = market.spot(option.underlying).value
                bound = upper_bound(market.seconds_to(option.expires_us), self.upper_bounds)
                short = -option.quantity
                needs[option.instrument_id] = (
                    naked_call_need(short, option.strike, spot, bound, self.spot_shock) * spot
                    if option.is_call
                    else naked_put_need(short, option.strike, spot, bound, self.spot_shock)
                )
        return needs


def option_value(option: Option, market: Market) -> float:
    """What an option position is worth now in the quote currency, undiscounted."""
    expiry = market.expiry(option.underlying, option.expires_us)
    years = market.seconds_to(option.expires_us) / YEAR_SECONDS
    deviation = market.vol(option.instrument_id).value * years**0.5
    forward = expiry.fixed + expiry.forward.value
    return option.quantity * float(black76.value(forward, option.strike, deviation, option.is_call))


def _shared(need: float, options: tuple[Option, ...], market: Market) -> dict[str, float]:
    """The need shared among short options by their size at the spot."""
    sizes = {
        option.instrument_id: max(-option.quantity, 0.0) * market.spot(option.underlying).value for option in options
    }
    whole = sum(sizes.values())
    return {name: need * size / whole if whole else 0.0 for name, size in sizes.items()}
