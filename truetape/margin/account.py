"""Margin of one account: balances, positions and what is published in; per settlement asset equity and needs out.

The one place that risk, clearing and reports ask. All amounts are integers of 1e-8 of the settlement asset; needs are
rounded up and rights down, against the account.
"""

from collections.abc import Mapping

from msgspec import Struct

from truetape.errors import MarginPositionUnfit
from truetape.margin import flat
from truetape.margin.published import MarkUsed, Published


class Held(Struct, frozen=True, array_like=True, gc=False):
    """A position in a contract as clearing has it."""

    quantity_e8: int
    cost_e8: int
    unpaid_e8: int
    """Profit realised or accrued and not yet paid in cash."""


class AssetMargin(Struct, frozen=True):
    """All contracts of an account that settle in one asset."""

    asset: str
    balance_e8: int
    gains_e8: int
    """What positions gained or lost since their cost, and profit not yet paid."""
    initial_e8: int
    """Equity must reach this to take new risk."""
    maintenance_e8: int
    """Equity below this: the account is called."""
    worst: str
    """The scenario or position that decides the initial need."""
    models: tuple[str, ...]
    contributions: dict[str, int]
    """Each position's part of the initial need; they sum to it, negative ones relieve the others."""
    marks: tuple[MarkUsed, ...]
    """Evidence, by name."""

    @property
    def equity_e8(self) -> int:
        """What counts against the needs."""
        return self.balance_e8 + self.gains_e8

    @property
    def initial_excess_e8(self) -> int:
        """Equity over the initial need; negative: no new risk."""
        return self.equity_e8 - self.initial_e8

    @property
    def maintenance_excess_e8(self) -> int:
        """Equity over the maintenance need; negative: a call."""
        return self.equity_e8 - self.maintenance_e8


def assess(balances: Mapping[str, int], positions: Mapping[str, Held], seen: Published) -> dict[str, AssetMargin]:
    """Margin of an account by settlement asset, for each asset in which it holds contracts.

    Raises MarginError: MarkWanted for a missing mark and, where the model has no contingency for it, a stale one.
    """
    by_asset: dict[str, dict[str, Held]] = {}
    for name in sorted(positions):
        terms = seen.terms_of(name)
        if terms is None:
            raise MarginPositionUnfit(f"{name} is no contract of the reference data: define it again")
        by_asset.setdefault(terms.settlement_asset, {})[name] = positions[name]
    return {asset: _assess(asset, balances.get(asset, 0), held, seen) for asset, held in by_asset.items()}


def _assess(asset: str, balance_e8: int, positions: Mapping[str, Held], seen: Published) -> AssetMargin:
    initial: dict[str, int] = {}
    gains_e8 = maintenance_e8 = 0
    marks: dict[str, MarkUsed] = {}
    for name, held in positions.items():
        terms = seen.terms_of(name)
        assert terms is not None, "checked"
        initial[name] = flat.need_e8(terms, name, held.quantity_e8, terms.initial_rate_e8, seen)
        maintenance_e8 += flat.need_e8(terms, name, held.quantity_e8, terms.maintenance_rate_e8, seen)
        gains_e8 += held.unpaid_e8 + flat.gain_e8(terms, name, held.quantity_e8, held.cost_e8, seen)
        marks |= {used: seen.used(used, terms) for used in flat.looks_at(terms, name, held.quantity_e8)}
    return AssetMargin(
        asset=asset,
        balance_e8=balance_e8,
        gains_e8=gains_e8,
        initial_e8=sum(initial.values()),
        maintenance_e8=maintenance_e8,
        worst=max(initial, key=lambda name: initial[name], default=""),
        models=(flat.NAME,),
        contributions=initial,
        marks=tuple(marks[name] for name in sorted(marks)),
    )
