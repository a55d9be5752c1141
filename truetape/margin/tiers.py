"""Leverage tiers: margin as a rate of notional that grows with the open interest of the market or with the position.

Two published shapes:
- dYdX v4 liquidity tiers (`x/perpetuals/types/liquidity_tier.go`, `x/perpetuals/lib/lib.go`), in integers: the initial
  rate rises from its base to 1 while open interest goes from the lower to the upper cap; maintenance does not move.
- brackets as most venues publish them: each bracket's rate applies to the part of the notional inside it, so margin is
  continuous and a larger position never needs less.
`LeverageTiers` is the plug-in: the brackets' rate, scaled by open interest in dYdX's way.
"""

import math
from collections.abc import Mapping
from typing import ClassVar, Final

import msgspec

from truetape.errors import MarginInputInvalid, MarginInputMissing, MarginPositionUnfit
from truetape.funding import truncated
from truetape.margin.doubt import Doubt, price_of
from truetape.margin.market import Market
from truetape.margin.models import MarginResult
from truetape.margin.portfolio import Future, Perpetual, Portfolio, netted

MILLION: Final = 1_000_000


class Tier(msgspec.Struct, frozen=True):
    """dYdX's liquidity tier; rates in parts per million, caps in quote quantums (an upper cap of 0: no scaling)."""

    initial_ppm: int
    maintenance_fraction_ppm: int
    """Maintenance margin as a part of the base initial margin."""
    open_interest_lower: int = 0
    open_interest_upper: int = 0

    def __post_init__(self) -> None:
        """Refuse a tier that cannot be, by name."""
        if not (0 <= self.initial_ppm <= MILLION and 0 <= self.maintenance_fraction_ppm <= MILLION):
            raise MarginInputInvalid(f"{self}: rates are within 0 and 1 000 000 parts per million")
        if not 0 <= self.open_interest_lower <= self.open_interest_upper:
            raise MarginInputInvalid(f"{self}: the lower cap of open interest is above the upper")


def quote_quantums(quantums: int, price: int, exponent: int, atomic_resolution: int) -> int:
    """Value of base quantums in quote quantums (1e-6 of the quote), truncated toward zero."""
    scale = exponent + atomic_resolution + 6
    whole = quantums * price
    return whole * 10**scale if scale >= 0 else truncated(whole, 10**-scale)


def initial_ppm(tier: Tier, open_interest: int = 0, custom_ppm: int = 0) -> int:
    """Initial rate at this open interest (quote quantums), truncated to parts per million; an account may want more."""
    lower, upper = tier.open_interest_lower, tier.open_interest_upper
    rate = tier.initial_ppm
    if upper and open_interest > lower:
        grown = (MILLION - rate) * (min(open_interest, upper) - lower)
        rate = MILLION if open_interest >= upper else rate + grown // (upper - lower)
    return max(rate, custom_ppm)


def initial_margin(tier: Tier, notional: int, open_interest: int = 0, custom_ppm: int = 0) -> int:
    """Initial margin of a notional (quote quantums, not negative), rounded up."""
    return ceiling(notional * initial_ppm(tier, open_interest, custom_ppm), MILLION)


def maintenance_margin(tier: Tier, notional: int) -> int:
    """Maintenance margin of a notional (quote quantums, not negative): a part of the base initial margin, up twice."""
    base = ceiling(notional * tier.initial_ppm, MILLION)
    return ceiling(base * tier.maintenance_fraction_ppm, MILLION)


def maintenance_ppm(tier: Tier) -> int:
    """The maintenance rate in parts per million, rounded down as dYdX states it."""
    return tier.initial_ppm * tier.maintenance_fraction_ppm // MILLION


def ceiling(numerator: int, denominator: int) -> int:
    """Divide, rounding up."""
    return -(-numerator // denominator)


class Bracket(msgspec.Struct, frozen=True):
    """Rates on the part of the notional above the bracket before and up to this one's end."""

    up_to: float
    initial_rate: float
    maintenance_rate: float


class Tiers(msgspec.Struct, frozen=True):
    """Brackets of one underlying in rising order, and the caps between which open interest raises initial margin."""

    brackets: tuple[Bracket, ...] = (Bracket(math.inf, 0.05, 0.03),)
    open_interest_lower: float = math.inf
    open_interest_upper: float = math.inf

    def __post_init__(self) -> None:
        """Refuse brackets that do not cover every notional or whose rates fall."""
        ends = [bracket.up_to for bracket in self.brackets]
        rates = [(bracket.initial_rate, bracket.maintenance_rate) for bracket in self.brackets]
        if not ends or ends != sorted(set(ends)) or ends[0] <= 0 or ends[-1] != math.inf:
            raise MarginInputInvalid(f"brackets end at {ends}: they have to rise from above 0 to infinity")
        if rates != sorted(rates) or any(not 0 <= maintenance <= initial <= 1 for initial, maintenance in rates):
            raise MarginInputInvalid(
                f"bracket rates are {rates}: they may not fall, and maintenance is at most initial"
            )


def tiered(tiers: Tiers, notional: float, open_interest: float) -> tuple[float, float]:
    """Initial and maintenance margin of a notional, in its currency."""
    initial = maintenance = below = 0.0
    for bracket in tiers.brackets:
        part = max(min(notional, bracket.up_to) - below, 0.0)
        initial += part * bracket.initial_rate
        maintenance += part * bracket.maintenance_rate
        below = bracket.up_to
    share = scaling(tiers, open_interest)
    return initial + share * (notional - initial), maintenance


def scaling(tiers: Tiers, open_interest: float) -> float:
    """How far open interest has gone from the lower (0) to the upper cap (1)."""
    if open_interest <= tiers.open_interest_lower:
        return 0.0
    if open_interest >= tiers.open_interest_upper:
        return 1.0
    return (open_interest - tiers.open_interest_lower) / (tiers.open_interest_upper - tiers.open_interest_lower)


class LeverageTiers(msgspec.Struct, frozen=True):
    """The plug-in for perpetuals and futures; positions of one underlying share its brackets by gross notional."""

    name: ClassVar[str] = "tiers"
    source: ClassVar[str] = "dYdX v4, x/perpetuals/types/liquidity_tier.go; brackets as venues publish them"
    tiers: Mapping[str, Tiers] = {}
    """By underlying."""
    open_interest: Mapping[str, float] = {}
    """Of the whole market by underlying, in the settlement currency; needed where the tiers have caps."""
    doubt: Doubt = Doubt()

    def margin(self, portfolio: Portfolio, market: Market) -> MarginResult:
        """Margin of one account; see the interface for errors."""
        notionals: dict[str, float] = {}
        doubts: dict[str, float] = {}
        gross: dict[str, float] = {}
        profit = 0.0
        for position in netted(portfolio.positions):
            if not isinstance(position, Perpetual | Future):
                raise MarginPositionUnfit(f"{position.instrument_id}: leverage tiers cover perpetuals and futures only")
            price = price_of(position, market)
            notional = abs(position.quantity) * price.value
            notionals[position.instrument_id] = notional
            doubts[position.instrument_id] = self.doubt.need(price.confidence, notional)
            gross[position.underlying] = gross.get(position.underlying, 0.0) + notional
            profit += position.unrealised_pnl
            profit += position.unsettled_funding if isinstance(position, Perpetual) else 0.0
        needs = {underlying: self._needs(underlying, amount) for underlying, amount in gross.items()}
        shares = {
            position.instrument_id: doubts[position.instrument_id]
            + needs[position.underlying][0]
            * (notionals[position.instrument_id] / gross[position.underlying] if gross[position.underlying] else 0.0)
            for position in netted(portfolio.positions)
            if isinstance(position, Perpetual | Future)
        }
        return MarginResult(
            equity=portfolio.cash + profit,
            initial_need=sum(initial for initial, _ in needs.values()) + sum(doubts.values()),
            maintenance_need=sum(maintenance for _, maintenance in needs.values()),
            worst=max(needs, key=lambda underlying: needs[underlying][0], default=""),
            parts={underlying: initial for underlying, (initial, _) in needs.items()} | {"doubt": sum(doubts.values())},
            contributions=shares,
        )

    def _needs(self, underlying: str, notional: float) -> tuple[float, float]:
        tiers = self.tiers.get(underlying)
        if tiers is None:
            raise MarginInputMissing(f"no leverage tiers for {underlying}: set them before it is traded")
        if tiers.open_interest_lower < math.inf and underlying not in self.open_interest:
            raise MarginInputMissing(f"no open interest of {underlying}: its tiers depend on it")
        return tiered(tiers, notional, self.open_interest.get(underlying, 0.0))
