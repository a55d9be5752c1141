"""What a price in doubt adds to the initial need: stale, or of low confidence, it is used, but not at face value.

Source: Derive v2-core `StandardManager.sol`: below a threshold, (1 - confidence) x factor x notional. A stale reading
has no confidence (`truetape.margin.market.Market.max_age_seconds`). The models that have published contingencies of
their own (standard, portfolio v1 and v2) use those.
"""

import msgspec

from truetape.margin.market import Market, Reading
from truetape.margin.portfolio import Future, Option, Perpetual


class Doubt(msgspec.Struct, frozen=True):
    """The contingency's parameters."""

    threshold: float = 0.4
    factor: float = 0.4

    def need(self, confidence: float, notional: float) -> float:
        """What is added to the initial need of a position of this notional."""
        return (1.0 - confidence) * self.factor * abs(notional) if confidence < self.threshold else 0.0


def price_of(position: Perpetual | Future, market: Market) -> Reading:
    """What one unit of a perpetual or future is worth now, and how far that is trusted."""
    if isinstance(position, Perpetual):
        return market.perpetual(position.underlying)
    expiry = market.expiry(position.underlying, position.expires_us)
    return Reading(expiry.fixed + expiry.forward.value, expiry.forward.confidence)


def option_confidence(option: Option, market: Market) -> float:
    """The least confidence of what an option's value is made of."""
    expiry = market.expiry(option.underlying, option.expires_us)
    return min(expiry.forward.confidence, market.vol(option.instrument_id).confidence)
