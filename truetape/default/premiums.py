"""What options are worth when their underlying moves: Black-76 at the volatility of their marks, for the drill.

The forward, rate and volatility are those that margin models see (`quoted.market_of`). The forward moves, everything
else stays. Nothing that is missing counts as zero: it is a SetupError with the input's name.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from msgspec import Struct

from truetape.contracts import value
from truetape.errors import MarginError, MarkWanted, SetupError
from truetape.margin import black76, flat, quoted
from truetape.margin.market import YEAR_SECONDS, Market
from truetape.margin.portfolio_v2 import PortfolioV2
from truetape.margin.published import Published
from truetape.margin.quoted import Quoted
from truetape.marks import Marks
from truetape.messages import Cause, ContractTerms, MarginClass, MarkPublished, Meta
from truetape.money import ONE_E8, divide
from truetape.reference import Reference

ANY_AGE_US: Final = 2**62
"""A drill takes the newest mark, however old."""


class Premium(Struct, frozen=True):
    """All that the worth of one contract of an option follows from."""

    terms: ContractTerms
    mark_e8: int
    forward: float
    deviation: float
    discount: float
    unit_e8: int
    """Initial margin of one contract that is sold, beyond what it is worth."""

    def price_e8(self, shock_e8: int) -> int:
        """Its price when the forward has moved; the mark itself when it has not."""
        if shock_e8 == 0:
            return self.mark_e8
        forward = self.forward * (1 + shock_e8 / ONE_E8)
        strike, is_call = (self.terms.strike_e8 or 0) / ONE_E8, self.terms.option_type == "CALL"
        worth = float(black76.value(forward, strike, self.deviation, is_call)) * self.discount
        return round((worth / forward if self.terms.style == "INVERSE" else worth) * ONE_E8)

    def worth_e8(self, quantity_e8: int, shock_e8: int) -> int:
        """What a position is worth, rounded down: its premium was paid, so no cost is set against it."""
        return value(quoted.payoff(self.terms), quantity_e8, self.price_e8(shock_e8), "down")

    def margin_e8(self, quantity_e8: int) -> int:
        """Initial margin of a position: of what is sold its worth and the rate of the underlying; rounded up."""
        if quantity_e8 >= 0:
            return 0
        return -self.worth_e8(quantity_e8, 0) + divide(-quantity_e8 * self.unit_e8, ONE_E8, "up")[0]


def premiums(names: Iterable[str], reference: Reference, marks_e8: Mapping[str, int], at_us: int) -> dict[str, Premium]:
    """Of options, by name. Raises SetupError: no mark, no index, no margin class, or a mark of no volatility."""
    seen = Published(_marks(marks_e8, at_us), reference, at_us, ANY_AGE_US)
    found: dict[str, Premium] = {}
    for name in names:
        try:
            found[name] = _premium(name, reference, seen)
        except MarkWanted as error:
            raise SetupError(
                f"{error.instrument_id} has no mark on the tape, and {name} needs it: "
                f"give one with --mark {error.instrument_id}=PRICE"
            ) from error
        except MarginError as error:
            raise SetupError(f"{name} cannot be valued: {error}") from error
    return found


def _premium(name: str, reference: Reference, seen: Published) -> Premium:
    terms = reference.instruments[name].contract
    assert terms is not None, "an option has terms"
    named = reference.margin_classes.get(terms.margin_class)
    if named is None and terms.margin_class != flat.NAME:
        raise SetupError(f"{name} is of the margin class {terms.margin_class}, which is not set: set it first")
    named = named or MarginClass(flat.NAME, flat.NAME, 1, "{}")
    line = quoted.quoted(name, terms, named, seen)
    market, _ = quoted.market_of([line], named, seen, {})
    if market.vol(name).confidence == 0:
        raise SetupError(f"no volatility gives {name} its mark of {line.price}: give another with --mark {name}=PRICE")
    return _of(line, market, flat.unit_e8(terms, name, terms.initial_rate_e8, seen))


def _of(line: Quoted, market: Market, unit_e8: int) -> Premium:
    expiry = market.expiry(line.base, line.expires_us)
    years = market.seconds_to(line.expires_us) / YEAR_SECONDS
    rate = market.rate(line.base, line.expires_us).value if line.named.model == PortfolioV2.name else 0.0
    discount = float(np.exp(-max(rate, 0.0) * years))
    deviation = market.vol(line.name).value * years**0.5
    return Premium(line.terms, line.used.price_e8, expiry.fixed + expiry.forward.value, deviation, discount, unit_e8)


def _marks(marks_e8: Mapping[str, int], at_us: int) -> Marks:
    meta = Meta(0, 0, Cause("drill", 0, -1, ""), at_us, "", "")
    return Marks({name: MarkPublished(meta, name, e8, e8, e8, "", 0, at_us, 0) for name, e8 in marks_e8.items()})
