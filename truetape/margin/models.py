"""The interface of margin models, and the one function that makes money of a model's float."""

import math
from fractions import Fraction
from typing import ClassVar, Protocol

import msgspec

from truetape.errors import MoneyError
from truetape.margin.market import Market
from truetape.margin.portfolio import Portfolio
from truetape.money import ONE_E8, fits


class MarginResult(msgspec.Struct, frozen=True):
    """What a model says of one account, in the settlement currency.

    The account stands while `equity` is at least the need. `contributions` has each position's part of the initial
    need by instrument_id (negative: it relieves the others); they sum to `initial_need`.
    """

    equity: float
    """Cash and all positions at their marks."""
    initial_need: float
    maintenance_need: float
    worst: str
    """Name of the scenario that decides the initial need."""
    scenarios: dict[str, float] = {}
    """Profit of the whole portfolio by scenario, before loss factors; empty for models without scenarios."""
    parts: dict[str, float] = {}
    """The parts of the calculation by name; docs/margin.md lists them per model."""
    contributions: dict[str, float] = {}

    @property
    def initial_excess(self) -> float:
        """Equity over the initial need; negative: no new risk may be taken."""
        return self.equity - self.initial_need

    @property
    def maintenance_excess(self) -> float:
        """Equity over the maintenance need; negative: the account may be liquidated."""
        return self.equity - self.maintenance_need


class MarginModel(Protocol):
    """A plug-in: an immutable object that holds its own parameters."""

    name: ClassVar[str]
    source: ClassVar[str]
    """Where the method is published: a citation."""

    def margin(self, portfolio: Portfolio, market: Market) -> MarginResult:
        """Margin of one account.

        Raises MarginInputMissing and MarginInputInvalid for inputs, MarginPositionUnfit for a position of a kind or
        with a quantity that the model does not cover.
        """
        ...


def to_money_e8(amount: float, *, owed: bool) -> int:
    """Turn a model's float into money in units of 1e-8, rounded against the account.

    `owed`: the account must have or pay this (a need, a fee) and it is rounded up; otherwise it has or gets it
    (equity, excess, a payout) and it is rounded down. Raises MoneyError for what is not finite or beyond 64 bits.
    """
    if not math.isfinite(amount):
        raise MoneyError(f"{amount} is not an amount of money; an input of the margin model is out of range")
    exact = Fraction(amount) * ONE_E8
    return fits(math.ceil(exact) if owed else math.floor(exact))
