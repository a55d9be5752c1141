"""An account in several underlyings: one model for each, and their needs added up, without offsets between them."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from truetape.errors import MarginPositionUnfit
from truetape.margin.market import Market
from truetape.margin.models import MarginModel, MarginResult
from truetape.margin.portfolio import Holding, Portfolio, Position


class PerUnderlying(msgspec.Struct, frozen=True):
    """A `truetape.margin.models.MarginModel` made of others, such as one `PortfolioV2` per underlying."""

    name: ClassVar[str] = "per_underlying"
    source: ClassVar[str] = "that of each model in it; needs of different underlyings are added"
    models: Mapping[str, MarginModel]
    """By underlying."""
    homes: Mapping[str, str] = {}
    """The underlying whose model takes a holding, by the holding's instrument_id."""

    def margin(self, portfolio: Portfolio, market: Market) -> MarginResult:
        """Margin of one account; scenarios and parts are named by underlying. See the interface for errors."""
        results = {
            underlying: self.models[underlying].margin(part, market)
            for underlying, part in self.split(portfolio).items()
        }
        return MarginResult(
            equity=portfolio.cash + sum(each.equity for each in results.values()),
            initial_need=sum(each.initial_need for each in results.values()),
            maintenance_need=sum(each.maintenance_need for each in results.values()),
            worst="; ".join(f"{underlying} {each.worst}" for underlying, each in results.items()) or "nothing held",
            scenarios=_named({underlying: each.scenarios for underlying, each in results.items()}),
            parts=_named({underlying: each.parts for underlying, each in results.items()}),
            contributions={name: need for each in results.values() for name, need in each.contributions.items()},
        )

    def split(self, portfolio: Portfolio) -> dict[str, Portfolio]:
        """The positions by underlying, without the cash; raises MarginPositionUnfit for one that has no model."""
        parts: dict[str, list[Position]] = {}
        for position in portfolio.positions:
            parts.setdefault(self.home(position), []).append(position)
        return {underlying: Portfolio(tuple(positions)) for underlying, positions in parts.items()}

    def home(self, position: Position) -> str:
        """The underlying whose model takes a position; raises MarginPositionUnfit."""
        name = position.instrument_id
        underlying = self.homes.get(name) if isinstance(position, Holding) else position.underlying
        if underlying is None or underlying not in self.models:
            raise MarginPositionUnfit(f"{name}: no margin model is set for its underlying; set one, or do not trade it")
        return underlying


def _named(tables: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {f"{underlying} {name}": number for underlying, table in tables.items() for name, number in table.items()}
