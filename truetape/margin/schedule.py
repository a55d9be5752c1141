"""The schedule ("grid") initial margin of trades that are not cleared by a model.

    gross = sum of rate x |notional|       rate by product and time to maturity
    NGR   = max(0, sum of PV) / sum of max(0, PV)     as the party that is secured sees it; 1 when nothing can be lost
    IM    = 0.4 x gross + 0.6 x NGR x gross

Source: BCBS-IOSCO, Margin requirements for non-centrally cleared derivatives (2020), Appendix A; as computed by
AcadiaSoft `simm-lib` (schedule) and Open Source Risk Engine `Examples/InitialMargin`.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final, Literal, assert_never

import msgspec

from truetape.errors import MarginInputMissing, MarginPositionUnfit
from truetape.margin.doubt import Doubt
from truetape.margin.market import YEAR_SECONDS, Market
from truetape.margin.models import MarginResult
from truetape.margin.portfolio import Future, Perpetual, Portfolio, netted

Product = Literal["RATES", "FX", "CREDIT", "EQUITY", "COMMODITY", "OTHER"]
Role = Literal["SECURED", "PLEDGOR"]

STRAIGHT: Final = 0.4
NETTED: Final = 0.6


class Trade(msgspec.Struct, frozen=True):
    """One trade; `present_value` is to the party that holds the record."""

    product: Product
    years: float
    """To maturity."""
    notional: float
    present_value: float = 0.0


def rate(product: Product, years: float) -> float:
    """Margin as a part of notional."""
    match product:
        case "RATES":
            return 0.01 if years <= 2 else 0.02 if years <= 5 else 0.04
        case "CREDIT":
            return 0.02 if years <= 2 else 0.05 if years <= 5 else 0.10
        case "FX":
            return 0.06
        case "EQUITY" | "COMMODITY" | "OTHER":
            return 0.15
        case _:
            assert_never(product)


def gross_margin(trades: Iterable[Trade]) -> float:
    """Sum of the margins of all trades by themselves."""
    return sum(rate(trade.product, trade.years) * abs(trade.notional) for trade in trades)


def net_to_gross(present_values: Iterable[float]) -> float:
    """What would be lost if the other side failed, netted, as a part of the same without netting; 1 when it is zero."""
    values = list(present_values)
    gross = sum(max(value, 0.0) for value in values)
    return max(sum(values), 0.0) / gross if gross > 0 else 1.0


def schedule_margin(gross: float, ratio: float) -> float:
    """The margin of a gross margin and its net-to-gross ratio."""
    return STRAIGHT * gross + NETTED * ratio * gross


def margin_of(trades: Iterable[Trade], role: Role = "SECURED") -> float:
    """Margin of trades: what this party gets when it is secured, or (negative) gives when it pledges.

    A pledgor's margin follows what the other side would lose, so present values change their sign.
    """
    held = list(trades)
    sign = 1 if role == "SECURED" else -1
    ratio = net_to_gross(sign * trade.present_value for trade in held)
    return sign * schedule_margin(gross_margin(held), ratio)


class ScheduleMargin(msgspec.Struct, frozen=True):
    """The plug-in for OTC futures and perpetuals; the clearing house is the secured party.

    Initial and maintenance need are the same but for prices in doubt.
    """

    name: ClassVar[str] = "schedule"
    source: ClassVar[str] = "BCBS-IOSCO, Margin requirements for non-centrally cleared derivatives, Appendix A"
    products: Mapping[str, Product] = {}
    """Product class by underlying."""
    doubt: Doubt = Doubt()

    def margin(self, portfolio: Portfolio, market: Market) -> MarginResult:
        """Margin of one account; see the interface for errors."""
        trades: dict[str, Trade] = {}
        doubts: dict[str, float] = {}
        for position in netted(portfolio.positions):
            if not isinstance(position, Perpetual | Future):
                raise MarginPositionUnfit(f"{position.instrument_id}: the schedule covers futures and perpetuals here")
            trade = trades[position.instrument_id] = self._trade(position, market)
            confidence = market.spot(position.underlying).confidence
            doubts[position.instrument_id] = self.doubt.need(confidence, trade.notional)
        profit = sum(trade.present_value for trade in trades.values())
        gross = gross_margin(trades.values())
        ratio = net_to_gross(-trade.present_value for trade in trades.values())
        need = schedule_margin(gross, ratio)
        singles = {name: gross_margin([trade]) for name, trade in trades.items()}
        return MarginResult(
            equity=portfolio.cash + profit,
            initial_need=need + sum(doubts.values()),
            maintenance_need=need,
            worst=max(singles, key=lambda name: singles[name], default=""),
            parts={"gross": gross, "net_to_gross": ratio, "doubt": sum(doubts.values())},
            contributions={
                name: doubts[name] + (need * single / gross if gross else 0.0) for name, single in singles.items()
            },
        )

    def _trade(self, position: Perpetual | Future, market: Market) -> Trade:
        product = self.products.get(position.underlying)
        if product is None:
            raise MarginInputMissing(f"no product class of {position.underlying}: the schedule needs one")
        value = position.unrealised_pnl
        seconds = 0.0
        if isinstance(position, Perpetual):
            value += position.unsettled_funding
        else:
            seconds = market.seconds_to(position.expires_us)
        notional = position.quantity * market.spot(position.underlying).value
        return Trade(product, seconds / YEAR_SECONDS, notional, value)
