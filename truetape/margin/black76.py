"""Black-76: value, delta and vega of European options on a forward, undiscounted, in numpy.

Source: F. Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976). Arguments broadcast.
`deviation` is volatility times the square root of the time to expiry; at zero an option is worth its intrinsic value.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_SQRT_2: Final = math.sqrt(2.0)
_SQRT_2_PI: Final = math.sqrt(2.0 * math.pi)
_FAR: Final = 1e9
"""Deviations from the money beyond which nothing is left: its square is still a number."""
_ERFC: Final = np.frompyfunc(math.erfc, 1, 1)


def normal(points: Floats) -> Floats:
    """The standard normal distribution function, exact to the last bits in both tails."""
    return 0.5 * np.asarray(_ERFC(points / -_SQRT_2), dtype=np.float64)


def value(forward: ArrayLike, strike: ArrayLike, deviation: ArrayLike, is_call: ArrayLike) -> Floats:
    """Value at expiry's money of one call or put per element; forward and strike positive, deviation not negative."""
    forwards, strikes, sign, d1, d2 = _terms(forward, strike, deviation, is_call)
    worth = sign * (forwards * normal(sign * d1) - strikes * normal(sign * d2))
    return np.maximum(worth, 0.0)


def delta(forward: ArrayLike, strike: ArrayLike, deviation: ArrayLike, is_call: ArrayLike) -> Floats:
    """Change of the value per unit of the forward."""
    _, _, sign, d1, _ = _terms(forward, strike, deviation, is_call)
    return sign * normal(sign * d1)


def vega(forward: ArrayLike, strike: ArrayLike, deviation: ArrayLike, years: ArrayLike) -> Floats:
    """Change of the value per unit of volatility (1.0 is a hundred points); the same for calls and puts."""
    forwards, _, _, d1, _ = _terms(forward, strike, deviation, True)
    d1 = np.clip(d1, -_FAR, _FAR)
    return forwards * np.exp(-0.5 * d1 * d1) / _SQRT_2_PI * np.sqrt(np.asarray(years, dtype=np.float64))


def _terms(
    forward: ArrayLike, strike: ArrayLike, deviation: ArrayLike, is_call: ArrayLike
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Forwards, strikes, +1 or -1, d1 and d2; without deviation d is plus or minus infinity, 0 at the money."""
    forwards, strikes, deviations = (np.asarray(each, dtype=np.float64) for each in (forward, strike, deviation))
    sign = np.where(is_call, 1.0, -1.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        moneyness = np.log(forwards / strikes)
        d1 = np.where(moneyness == 0, 0.0, moneyness / deviations) + deviations / 2
    return forwards, strikes, sign, d1, d1 - deviations
