"""Black-76: value, delta and vega of European options on a forward, undiscounted, in numpy.

Source: F. Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976). Arguments broadcast.
`deviation` is volatility times the square root of the time to expiry; at zero an option is worth its intrinsic value.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_SQRT_2: Final = math.sqrt(2.0)
_SQRT_2_PI: Final = math.sqrt(2.0 * math.pi)
DEVIATION_MAX: Final = 10.0
"""Of a price that says nothing any more: volatility 1000 % for a year."""
STEPS_MAX: Final = 100
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


def implied(
    forward: ArrayLike, strike: ArrayLike, price: ArrayLike, is_call: ArrayLike, most: ArrayLike = DEVIATION_MAX
) -> Floats:
    """The deviation at which an option is worth its price; nan where none up to `most` gives it.

    A price at intrinsic value gives zero. What an element gives does not depend on the others.
    """
    forwards, strikes, prices, mosts, calls = np.broadcast_arrays(
        *(np.asarray(each, dtype=np.float64) for each in (forward, strike, price, most)), np.asarray(is_call)
    )
    moneyness = np.log(forwards / strikes)
    # Out of the money the price is all time value, so nothing cancels where it is small.
    out = np.where(calls, moneyness <= 0, moneyness >= 0)
    intrinsic = np.where(calls, 1.0, -1.0) * (forwards - strikes)
    time_value = np.where(out, prices, prices - intrinsic)
    time_value = np.where(np.abs(time_value) <= 1e-15 * np.maximum(forwards, strikes), 0.0, time_value)
    out_is_call = moneyness <= 0
    sought = (each.ravel() for each in (forwards, strikes, time_value, out_is_call))
    begin = np.clip(np.sqrt(2.0 * np.abs(moneyness)), 1e-3, mosts)
    deviations = _found(begin.ravel(), mosts.ravel(), *sought).reshape(forwards.shape)
    most_worth = value(forwards, strikes, mosts, out_is_call)
    return np.where((time_value < 0) | (time_value > most_worth), np.nan, np.where(time_value == 0, 0.0, deviations))


def _found(begin: Floats, most: Floats, forwards: Floats, strikes: Floats, prices: Floats, is_call: Bools) -> Floats:
    """Newton's steps from the inflection, which converge from there (J. Jackel, "By implication", 2006), kept inside a
    bracket that halves where a step would leave it. Whoever is found takes no part in further steps."""
    found, low, high = begin.copy(), np.zeros(len(begin)), most.copy()
    live = np.arange(len(begin))
    for _ in range(STEPS_MAX):
        if not len(live):
            break
        now, forward, strike, price = found[live], forwards[live], strikes[live], prices[live]
        error = value(forward, strike, now, is_call[live]) - price
        close = (np.abs(error) <= 1e-13 * price + 2e-16 * forward) | (price <= 0)
        lower = low[live] = np.where(error < 0, now, low[live])
        upper = high[live] = np.where(error >= 0, now, high[live])
        with np.errstate(divide="ignore", invalid="ignore"):
            stepped = now - error / vega(forward, strike, now, 1.0)
        inside = (stepped > lower) & (stepped < upper)
        following = np.where(close, now, np.where(inside, stepped, (lower + upper) / 2))
        found[live] = following
        live = live[~(np.abs(following - now) <= 1e-15 * following)]
    return found


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
