"""What options are worth under every scenario of a portfolio model.

A price follows from an option's terms, its volatility, and the forward, rate and time of its expiry: nothing else. So
it is kept by these numbers (`Memo`), and whoever asks for the same market again finds it.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from truetape.margin import black76
from truetape.margin.black76 import Floats
from truetape.margin.market import YEAR_SECONDS
from truetape.margin.memo import Memo
from truetape.margin.scenarios import Rules, Shock

RULES_KEPT: Final = 64
VOLS: Final[tuple[Shock, ...]] = ("none", "up", "down", "linear", "abs")


class Terms(NamedTuple):
    """All that the price of one option follows from."""

    forward: float
    """The part that moves with the spot."""
    fixed: float
    seconds: float
    """To expiry."""
    rate: float
    strike: float
    is_call: bool
    vol: float


class Prices(NamedTuple):
    """Of I options in S scenarios."""

    values: Floats
    """[I, S]"""
    marks: Floats
    """[I] without a shock."""
    basis: Floats
    """[I, 2] with the basis up and down."""
    discounts: Floats
    """[I]"""
    table: Floats
    """[I, S + 3] values, marks and basis side by side."""


class Pricer:
    """Prices by one set of rules."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.is_skew = np.array([scenario.is_skew for scenario in rules.scenarios])
        self.damping = np.array([scenario.damping for scenario in rules.scenarios])
        self.moves = np.array([scenario.spot - 1 for scenario in rules.scenarios]) * self.damping
        """[S] what a unit of value that moves with the spot gains, damped."""
        shocks = [(1.0 if each.is_skew else each.spot, each.vol) for each in rules.scenarios]
        shocks += [(1.0, "none"), (rules.basis.up, "none"), (rules.basis.down, "none")]
        self._spots = np.array([spot for spot, _ in shocks])[:, None]
        self._vols = [VOLS.index(vol) for _, vol in shocks]
        self._memo = Memo(len(shocks) + 1)

    def prices(self, options: Sequence[Terms]) -> Prices:
        """In the order given."""
        rows = self._memo.rows(options, lambda places: self._priced([options[place] for place in places]))
        return Prices(rows[:, :-4], rows[:, -4], rows[:, -3:-1], rows[:, -1], rows[:, :-1])

    def _priced(self, options: list[Terms]) -> Floats:
        """[I, S + 4] prices and discounts; no option's depends on the others."""
        forwards, fixed, seconds, rates, strikes, calls, vols = np.array(options, dtype=np.float64).T.copy()
        roots = np.sqrt(seconds / YEAR_SECONDS)
        grown = np.exp(-np.maximum(rates, 0.0) * roots**2)
        discounts = grown if self.rules.is_discounted else np.ones(len(options))
        deviations = self._shocked(vols, seconds, np.log(strikes / (forwards + fixed)))[self._vols] * roots
        worth = black76.value(forwards * self._spots + fixed, strikes, deviations, calls != 0) * discounts
        return np.vstack([worth, discounts]).T

    def _shocked(self, vols: Floats, seconds: Floats, moneyness: Floats) -> Floats:
        """[V, I] each volatility by VOLS."""
        by_time = {each: self._at(each) for each in np.unique(seconds).tolist()}
        up, down, linear, absolute, k_star = np.array([by_time[each] for each in seconds.tolist()]).T
        return np.stack([
            vols,
            np.maximum(vols * up, self.rules.vol.floor_up),
            vols * down,
            vols * _tilted(moneyness, linear, k_star),
            vols * _tilted(np.abs(moneyness), absolute, k_star),
        ])  # fmt: skip

    def _at(self, seconds: float) -> tuple[float, ...]:
        """Multipliers of volatility up and down, both caps of skew, and k*."""
        return (*self.rules.vol.multipliers(seconds), *self.rules.skew.shape(seconds))


def _tilted(k: Floats, caps: Floats, k_stars: Floats) -> Floats:
    """1 plus log-moneyness over k*, times the cap and within it; never negative."""
    tilt = k * caps / np.where(k_stars > 0, k_stars, 1.0)  # no width at expiry: volatility does not matter
    return np.asarray(np.maximum(1 + np.where(k >= 0, np.minimum(caps, tilt), np.maximum(-caps, tilt)), 0.0))


@lru_cache(maxsize=RULES_KEPT)
def pricer_of(rules: Rules) -> Pricer:
    """The one of these rules."""
    return Pricer(rules)
