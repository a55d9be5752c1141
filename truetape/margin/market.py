"""What a margin model knows of the market.

A missing input is MarginInputMissing, never zero; a stale one counts as of no confidence.
"""

import math
from typing import Final

import msgspec

from truetape.errors import MarginInputInvalid, MarginInputMissing

DAY_SECONDS: Final = 86_400
YEAR_SECONDS: Final = 365 * DAY_SECONDS
"""365 days, as all models here count."""


class Reading(msgspec.Struct, frozen=True):
    """One input: its value, how far its source trusts it (0 to 1), and when it was read (None: not watched for age)."""

    value: float
    confidence: float = 1.0
    read_us: int | None = None


class Expiry(msgspec.Struct, frozen=True):
    """Inputs of one underlying and expiry.

    The forward is the sum of `forward`, which moves with the spot, and `fixed`, the part that the settlement window
    has fixed already (0 before the window opens).
    """

    forward: Reading
    fixed: float = 0.0
    rate: Reading | None = None
    """Yearly, continuous."""


class Market(msgspec.Struct, frozen=True):
    """All inputs of one moment; `now_us` makes a model independent of any clock."""

    now_us: int = 0
    spots: dict[str, Reading] = {}
    """Index price by underlying."""
    perpetuals: dict[str, Reading] = {}
    """Price of the perpetual by underlying."""
    expiries: dict[tuple[str, int], Expiry] = {}
    """By underlying and expires_us."""
    vols: dict[str, Reading] = {}
    """Yearly volatility by the option's instrument_id."""
    collateral: dict[str, Reading] = {}
    """Price of one unit by the holding's instrument_id."""
    stable: Reading | None = None
    """Price of the settlement currency in its peg."""
    max_age_seconds: float | None = None
    """A reading older than this counts as of no confidence."""

    def spot(self, underlying: str) -> Reading:
        """The index; raises MarginInputMissing, MarginInputInvalid."""
        return self._positive(self.spots.get(underlying), f"spot price of {underlying}")

    def perpetual(self, underlying: str) -> Reading:
        """The perpetual's price; raises MarginInputMissing, MarginInputInvalid."""
        return self._positive(self.perpetuals.get(underlying), f"perpetual price of {underlying}")

    def vol(self, instrument_id: str) -> Reading:
        """The volatility of an option; zero is allowed. Raises MarginInputMissing, MarginInputInvalid."""
        return self._reading(self.vols.get(instrument_id), f"volatility of {instrument_id}", 0.0)

    def price(self, instrument_id: str) -> Reading:
        """The price of a holding; zero is allowed. Raises MarginInputMissing, MarginInputInvalid."""
        return self._reading(self.collateral.get(instrument_id), f"price of {instrument_id}", 0.0)

    def peg(self) -> Reading:
        """The settlement currency's price; raises MarginInputMissing, MarginInputInvalid."""
        return self._positive(self.stable, "price of the settlement currency")

    def expiry(self, underlying: str, expires_us: int) -> Expiry:
        """Forward portions, checked and with their confidence; raises MarginInputMissing, MarginInputInvalid."""
        found = self.expiries.get((underlying, expires_us))
        name = f"forward of {underlying} for {expires_us}"
        if found is None:
            raise _missing(name)
        forward = self._reading(found.forward, name, 0.0)
        if not (math.isfinite(found.fixed) and found.fixed >= 0 and found.fixed + forward.value > 0):
            raise _invalid(name, found.fixed)
        return Expiry(forward, found.fixed, found.rate)

    def rate(self, underlying: str, expires_us: int) -> Reading:
        """The interest rate of an expiry, any sign; raises MarginInputMissing, MarginInputInvalid."""
        found = self.expiries.get((underlying, expires_us))
        return self._reading(
            found.rate if found else None, f"interest rate of {underlying} for {expires_us}", -math.inf
        )

    def seconds_to(self, expires_us: int) -> float:
        """Seconds until an expiry; 0 once it has passed."""
        return max(expires_us - self.now_us, 0) / 1e6

    def _positive(self, reading: Reading | None, name: str) -> Reading:
        found = self._reading(reading, name, 0.0)
        if found.value == 0:
            raise _invalid(name, found.value)
        return found

    def _reading(self, reading: Reading | None, name: str, lowest: float) -> Reading:
        if reading is None:
            raise _missing(name)
        if not math.isfinite(reading.value) or reading.value < lowest:
            raise _invalid(name, reading.value)
        if not 0 <= reading.confidence <= 1:
            raise _invalid(f"confidence of the {name}", reading.confidence)
        return Reading(reading.value, 0.0, reading.read_us) if self._is_stale(reading) else reading

    def _is_stale(self, reading: Reading) -> bool:
        if self.max_age_seconds is None:
            return False
        return reading.read_us is None or self.now_us - reading.read_us > self.max_age_seconds * 1e6


def _missing(name: str) -> MarginInputMissing:
    return MarginInputMissing(f"no {name}: margin cannot be computed; publish it, or halt the account until then")


def _invalid(name: str, value: float) -> MarginInputInvalid:
    return MarginInputInvalid(f"the {name} is {value}, which the model does not allow; correct the source")
