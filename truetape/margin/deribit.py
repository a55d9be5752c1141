"""Deribit's standard margin: perpetuals by a schedule that grows with the position, options by themselves.

    perpetual   rate = base + slope x size; need = rate x notional
    short call  IM = max(0.15 - OTM / U, 0.10) + mark     MM = 0.075 + mark
    short put   IM = max(max(0.15 - OTM / U, 0.10) + mark, MM)     MM = max(0.075, 0.075 x mark) + mark
    long        nothing beyond its premium

Per option of one unit; inverse options in the underlying, linear ones times U, the price of the underlying. Source:
https://support.deribit.com/hc/en-us/articles/25944738177565 (linear perpetual), 25944826427293 (slopes),
deribit.com/kb/deribit-margin (options).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final

import msgspec

from truetape.errors import MarginInputMissing, MarginPositionUnfit
from truetape.margin.doubt import Doubt, option_confidence, price_of
from truetape.margin.market import Market
from truetape.margin.models import MarginResult
from truetape.margin.portfolio import Future, Option, Perpetual, Portfolio, Position, netted
from truetape.margin.spreads import option_value


class PerpetualSchedule(msgspec.Struct, frozen=True):
    """Rates of notional; the slope is per unit of the underlying held."""

    initial: float
    maintenance: float
    slope: float

    def rates(self, size: float) -> tuple[float, float]:
        """Initial and maintenance rate of a position of this size, at most 1."""
        grown = self.slope * abs(size)
        return min(self.initial + grown, 1.0), min(self.maintenance + grown, 1.0)


SCHEDULES: Final[Mapping[str, PerpetualSchedule]] = MappingProxyType(
    {
        "BTC": PerpetualSchedule(0.02, 0.01, 0.00005),
        "ETH": PerpetualSchedule(0.02, 0.01, 0.000004),
        "SOL": PerpetualSchedule(0.04, 0.02, 0.000005),
    }
)
"""By underlying, as published on 11 January 2022 and for the linear perpetuals."""


class OptionRates(msgspec.Struct, frozen=True):
    """Parts of the underlying's price."""

    initial_most: float = 0.15
    initial_least: float = 0.10
    maintenance: float = 0.075


class Needs(msgspec.Struct, frozen=True):
    """Initial and maintenance margin of one short option of one unit, mark included."""

    initial: float
    maintenance: float


def inverse_option_needs(
    is_call: bool, strike: float, underlying: float, mark: float, rates: OptionRates | None = None
) -> Needs:
    """Margin of a short inverse option of one unit, in the underlying; `mark` is its value in the underlying."""
    used = rates or OptionRates()
    out_of_the_money = max(strike - underlying if is_call else underlying - strike, 0.0)
    initial = max(used.initial_most - out_of_the_money / underlying, used.initial_least) + mark
    if is_call:
        return Needs(initial, used.maintenance + mark)
    maintenance = max(used.maintenance, used.maintenance * mark) + mark
    return Needs(max(initial, maintenance), maintenance)


def linear_option_needs(
    is_call: bool, strike: float, underlying: float, mark: float, rates: OptionRates | None = None
) -> Needs:
    """The same in the quote currency; `mark` is the option's value in the quote currency."""
    inverse = inverse_option_needs(is_call, strike, underlying, mark / underlying, rates)
    return Needs(inverse.initial * underlying, inverse.maintenance * underlying)


class DeribitMargin(msgspec.Struct, frozen=True):
    """The plug-in. `inverse`: the account settles in the underlying, of which it can then have only one; quantities
    of inverse perpetuals are in the underlying too.

    Equity counts all positions at their marks, so a short option's need is without its mark, and a long option needs
    its own value: it counts for nothing until it is sold or pays.
    """

    name: ClassVar[str] = "deribit"
    source: ClassVar[str] = "support.deribit.com 25944738177565, 25944826427293; deribit.com/kb/deribit-margin"
    inverse: bool = False
    schedules: Mapping[str, PerpetualSchedule] = SCHEDULES
    options: OptionRates = OptionRates()
    doubt: Doubt = Doubt()

    def margin(self, portfolio: Portfolio, market: Market) -> MarginResult:
        """Margin of one account; see the interface for errors."""
        positions = netted(portfolio.positions)
        underlyings = {getattr(position, "underlying", "") for position in positions}
        if self.inverse and len(underlyings) > 1:
            raise MarginPositionUnfit(f"an account that settles in its underlying cannot hold {sorted(underlyings)}")
        found = {position.instrument_id: self._position(position, market) for position in positions}
        initials = {name: needs.initial for name, (_, needs) in found.items()}
        return MarginResult(
            equity=portfolio.cash + sum(value for value, _ in found.values()),
            initial_need=sum(initials.values()),
            maintenance_need=sum(needs.maintenance for _, needs in found.values()),
            worst=max(initials, key=lambda name: initials[name], default=""),
            contributions=initials,
        )

    def _position(self, position: Position, market: Market) -> tuple[float, Needs]:
        """Value of a position and what it needs beyond it."""
        match position:
            case Option():
                return self._option(position, market)
            case Perpetual() | Future():
                return self._perpetual(position, market)
            case _:
                raise MarginPositionUnfit(f"{position.instrument_id}: Deribit's margin covers no other collateral")

    def _option(self, option: Option, market: Market) -> tuple[float, Needs]:
        forward = market.expiry(option.underlying, option.expires_us)
        underlying = forward.fixed + forward.forward.value
        unit = 1.0 if self.inverse else underlying
        doubt = self.doubt.need(option_confidence(option, market), option.quantity * unit)
        value = option_value(option, market) / (underlying if self.inverse else 1.0)
        if option.quantity >= 0:
            return value, Needs(value + doubt, value)
        mark = value / option.quantity
        needed = inverse_option_needs if self.inverse else linear_option_needs
        whole = needed(option.is_call, option.strike, underlying, mark, self.options)
        short = -option.quantity
        return value, Needs((whole.initial - mark) * short + doubt, (whole.maintenance - mark) * short)

    def _perpetual(self, position: Perpetual | Future, market: Market) -> tuple[float, Needs]:
        schedule = self.schedules.get(position.underlying)
        if schedule is None:
            raise MarginInputMissing(f"no margin schedule of {position.underlying}: set it before it is traded")
        price = price_of(position, market)
        notional = abs(position.quantity) * (1.0 if self.inverse else price.value)
        initial, maintenance = schedule.rates(position.quantity)
        value = position.unrealised_pnl + (position.unsettled_funding if isinstance(position, Perpetual) else 0.0)
        doubt = self.doubt.need(price.confidence, notional)
        return value, Needs(initial * notional + doubt, maintenance * notional)
