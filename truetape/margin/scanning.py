"""Makes risk arrays: what one long future or option loses in each of the 16 scenarios of `risk_arrays`, by Black-76.

Prices move by parts of the scan range, volatilities up or down by theirs, and the look-ahead time (a day) passes. In
the last two scenarios the price moves by a multiple of the scan range, volatility stays, and a part of the loss counts.
Source: CME Group, "Components of SPAN" (www.cme.com/clearing/rmspan/span/components.html).
"""

from typing import Final

import msgspec
import numpy as np

from truetape.errors import MarginInputInvalid
from truetape.margin import black76
from truetape.margin.market import DAY_SECONDS, YEAR_SECONDS
from truetape.margin.risk_arrays import EXTREMES, SCENARIOS, ArrayContract, Kind

MOVES: Final = (0, 0, 1 / 3, 1 / 3, -1 / 3, -1 / 3, 2 / 3, 2 / 3, -2 / 3, -2 / 3, 1, 1, -1, -1)
"""In scan ranges, of scenarios 1 to 14; volatility goes up in the odd ones and down in the even ones."""


class ScanRange(msgspec.Struct, frozen=True):
    """How far the price and volatility of one underlying are scanned."""

    price: float
    """In the price's unit."""
    vol: float
    """In yearly volatility: 0.1 is ten points."""
    extreme: float = 2.0
    """Scan ranges of scenarios 15 and 16."""
    extreme_weight: float = 0.33
    ahead_seconds: float = DAY_SECONDS

    def __post_init__(self) -> None:
        """Refuse ranges that cannot be, by name."""
        if not (self.price > 0 and self.vol >= 0 and self.extreme >= 1 and 0 <= self.extreme_weight <= 1):
            raise MarginInputInvalid(f"{self}: ranges are positive, the extreme at least 1, its weight within 0 and 1")


def future_array(instrument_id: str, tier: int, ranges: ScanRange, multiplier: float = 1.0) -> ArrayContract:
    """The array of a future: it loses what the price falls."""
    losses = -_price_moves(ranges) * _weights(ranges) * multiplier
    return ArrayContract(instrument_id, "FUTURE", tier, 1.0, tuple(losses.tolist()))


def option_array(
    instrument_id: str,
    tier: int,
    ranges: ScanRange,
    *,
    is_call: bool,
    forward: float,
    strike: float,
    vol: float,
    seconds: float,
    multiplier: float = 1.0,
) -> ArrayContract:
    """The array of a European option on a forward, its value now, and its delta averaged over scenarios 1 to 14."""
    years = max(seconds - ranges.ahead_seconds, 0.0) / YEAR_SECONDS
    # A price cannot fall to zero under Black-76; what is left of it is far below any tick.
    forwards = np.maximum(forward + _price_moves(ranges), forward * 1e-6)
    deviations = np.maximum(vol + _vol_moves(ranges), 0.0) * np.sqrt(years)
    now = float(black76.value(forward, strike, vol * (seconds / YEAR_SECONDS) ** 0.5, is_call))
    then = black76.value(forwards, strike, deviations, is_call)
    losses = (now - then) * _weights(ranges) * multiplier
    deltas = black76.delta(forwards, strike, deviations, is_call)[: len(MOVES)]
    kind: Kind = "CALL" if is_call else "PUT"
    return ArrayContract(instrument_id, kind, tier, float(deltas.mean()), tuple(losses.tolist()), now * multiplier)


def _price_moves(ranges: ScanRange) -> black76.Floats:
    return np.array([*MOVES, ranges.extreme, -ranges.extreme]) * ranges.price


def _vol_moves(ranges: ScanRange) -> black76.Floats:
    return np.array([ranges.vol, -ranges.vol] * (len(MOVES) // 2) + [0.0, 0.0])


def _weights(ranges: ScanRange) -> black76.Floats:
    return np.array([ranges.extreme_weight if index in EXTREMES else 1.0 for index in range(SCENARIOS)])
