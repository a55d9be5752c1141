"""The price that venues agree on, more or less: one mean-reverting path for all, and each venue's own noise.

The common path is a function of (seed, symbol, time) alone: processes that never talk to each other see the
same one, whenever each was started. Floats are fine here: this is a model, and prices are rounded to ticks.
"""

import math
import random
from typing import Final

STEP_MS: Final = 500
REVERSION_S: Final = 600.0
MEMORY: Final = 8.0
SECONDS_PER_YEAR: Final = 31_557_600.0


class CommonMid:
    """An Ornstein-Uhlenbeck path of the log price around a base, in steps of half a second.

    Each step's shock is drawn from a generator seeded by the step's number, so the path needs no history
    beyond eight reversion times, after which the start has faded to 0.03 %.
    """

    def __init__(self, seed: int, symbol: str, base: float, volatility: float = 0.5) -> None:
        self._key = f"{seed}:{symbol}:"
        self._base = base
        step_s = STEP_MS / 1_000
        self._decay = math.exp(-step_s / REVERSION_S)
        self._shock = volatility / math.sqrt(SECONDS_PER_YEAR / step_s)
        self._step: int | None = None
        self._log = 0.0

    def at(self, now_ms: int) -> float:
        """The price in the half second of `now_ms`; times never go back."""
        step = now_ms // STEP_MS
        if self._step is None or step - self._step > MEMORY * REVERSION_S * 1_000 / STEP_MS:
            self._step = step - int(MEMORY * REVERSION_S * 1_000 / STEP_MS)
            self._log = 0.0
        while self._step < step:
            self._step += 1
            shock = random.Random(f"{self._key}{self._step}").gauss(0.0, self._shock)
            self._log = self._log * self._decay + shock
        return self._base * math.exp(self._log)


class VenueMid:
    """The common path times a small mean-reverting deviation of the venue's own."""

    DEVIATION: Final = 0.000_05
    REVERSION_S: Final = 8.0

    def __init__(self, common: CommonMid, rng: random.Random) -> None:
        self._common = common
        self._rng = rng
        self._deviation = 0.0
        self._last_ms: int | None = None

    def at(self, now_ms: int) -> float:
        """The venue's fair price now."""
        if self._last_ms is not None:
            decay = math.exp(-max(0, now_ms - self._last_ms) / 1_000 / self.REVERSION_S)
            spread = self.DEVIATION * math.sqrt(1.0 - decay * decay)
            self._deviation = self._deviation * decay + self._rng.gauss(0.0, spread)
        self._last_ms = now_ms
        return self._common.at(now_ms) * (1.0 + self._deviation)
