"""The shocks of portfolio margin and their parameters, shared by both versions."""

import math
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from truetape.margin.black76 import Floats
from truetape.margin.market import DAY_SECONDS, YEAR_SECONDS

Shock = Literal["none", "up", "down", "linear", "abs"]
"""What happens to volatility; `linear` and `abs` tilt or lift the wings of the surface and leave the forward alone."""

MONTH_DAYS = 30


class Scenario(msgspec.Struct, frozen=True):
    """One state of the market: spot times `spot`, a shock of volatility, and the share of the profit that counts."""

    spot: float
    vol: Shock
    damping: float = 1.0

    @property
    def name(self) -> str:
        """As reports show it."""
        damped = "" if self.damping == 1 else f", {self.damping:.4g} of it"
        return f"spot {self.spot - 1:+.4g}, vol {self.vol}{damped}"

    @property
    def is_skew(self) -> bool:
        """Whether each expiry's profit is taken as a loss."""
        return self.vol in ("linear", "abs")


class VolShock(msgspec.Struct, frozen=True):
    """Volatility times 1 + up or 1 - down, times (30 days / time to expiry) to a power."""

    up: float
    down: float
    short_power: float = 0.30
    """For up to 30 days."""
    long_power: float = 0.13
    days_floor: float = 1.0
    floor_up: float = 0.0
    """Volatility is at least this in an `up` scenario."""

    def multipliers(self, seconds: float) -> tuple[float, float]:
        """(up, down) for so many seconds to expiry."""
        days = max(seconds / DAY_SECONDS, self.days_floor)
        power = self.short_power if seconds <= MONTH_DAYS * DAY_SECONDS else self.long_power
        scale = (MONTH_DAYS / days) ** power if days else 1.0  # at expiry, without a floor, volatility does not matter
        return 1 + self.up * scale, max(1 - self.down * scale, 0.0)


class SkewShock(msgspec.Struct, frozen=True):
    """How far the wings move: a cap that shrinks with time, reached at the log-moneyness k*."""

    linear_cap: float = 0.15
    linear_slope: float = -0.05
    abs_cap: float = 0.15
    abs_slope: float = -0.05
    k_star_floor: float = 0.01
    width: float = 4.0
    vol_base: float = 0.6
    vol_slope: float = -0.1

    def shape(self, seconds: float) -> tuple[float, float, float]:
        """(cap of linear, cap of abs, k*) for so many seconds to expiry."""
        root = math.sqrt(seconds / YEAR_SECONDS)
        k_star = max(self.k_star_floor, root * self.width * (self.vol_base + root * self.vol_slope))
        return self.linear_cap + self.linear_slope * root, self.abs_cap + self.abs_slope * root, k_star


class StaticDiscount(msgspec.Struct, frozen=True):
    """An expiry's shocked value counts less when positive and more when negative."""

    long_base: float
    long_rate_scale: float
    long_rate_add: float
    short_base: float = 1.0
    short_rate_scale: float = 0.0
    short_rate_add: float = 0.0

    def factors(self, rate: float, seconds: float, discount: float) -> tuple[float, float]:
        """(of a positive, of a negative value); the latter is at most 1 / discount. The rate is not negative."""
        years = seconds / YEAR_SECONDS
        long = self.long_base * math.exp(-years * (rate * self.long_rate_scale + self.long_rate_add))
        short = self.short_base * math.exp(years * (rate * self.short_rate_scale + self.short_rate_add))
        return long, min(short, 1 / discount)


class Doubt(msgspec.Struct, frozen=True):
    """The contingency for inputs of low confidence: below the threshold, what lacks to 1 times a factor."""

    threshold: float
    factor: float

    def share(self, confidence: Floats) -> Floats:
        """Of the notional, for each confidence."""
        return np.where(confidence < self.threshold, (1 - confidence) * self.factor, 0.0)


class BasisShock(msgspec.Struct, frozen=True):
    """A share of each expiry's own loss, which other expiries cannot offset."""

    up: float
    down: float
    add: float
    scale: float
    """Share of the loss: add + scale times years to expiry."""

    def share(self, seconds: float) -> float:
        """For so many seconds to expiry."""
        return self.add + self.scale * seconds / YEAR_SECONDS


class Rules(NamedTuple):
    """All that decides what an option is worth in the scenarios."""

    scenarios: tuple[Scenario, ...]
    vol: VolShock
    skew: SkewShock
    discount: StaticDiscount
    basis: BasisShock
    is_discounted: bool
    """Whether option values are discounted at the expiry's rate."""
