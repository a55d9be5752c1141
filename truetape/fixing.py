"""Settlement prices: the mean of an index over a fixed window before expiry, with a stated fallback.

    rule          what it averages                                                    whose
    TIME          the index weighted by how long each price held                      Derive (30 minutes)
    SAMPLES       the price that held at each of a fixed number of equal steps        Deribit (07:30 to 08:00 UTC)

A price holds until the next one, but never longer than `price_max_age_us`: time without a valid price is not covered.
When the window is covered well enough the mean of what is covered is the fixing. Else the last price before expiry is
taken if it is young enough, and the fixing says so. Else FixingMissing: an operator has to name the price.
The same prices always give the same fixing, in whatever order they came.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Literal

import msgspec

from truetape.errors import FixingMissing
from truetape.money import divide

FixingRule = Literal["TIME", "SAMPLES"]
FixingSource = Literal["WINDOW", "LAST"]


class FixingTerms(msgspec.Struct, frozen=True):
    """How an instrument's settlement price is made."""

    window_us: int = 1_800_000_000
    """Length of the window that ends at expiry."""
    rule: FixingRule = "TIME"
    samples: int = 300
    """Number of equal steps of the window, for SAMPLES."""
    price_max_age_us: int = 60_000_000
    """How long a price holds without being repeated."""
    coverage_min_e8: int = 50_000_000
    """Least part of the window (1e-8) that valid prices have to cover."""
    last_max_age_us: int = 300_000_000
    """Oldest last price before expiry that the fallback may use."""


class Observation(msgspec.Struct, frozen=True, order=True):
    """An index price and the event time from which it holds."""

    at_us: int
    price_e8: int


class Fixing(msgspec.Struct, frozen=True):
    """A settlement price and what it was made of."""

    price_e8: int
    source: FixingSource
    coverage_e8: int
    """Part of the window that valid prices covered, in units of 1e-8."""
    observations: int
    """Prices that took part."""
    first_us: int
    """Event time of the first of them."""
    last_us: int
    """Event time of the last of them."""


class Held(msgspec.Struct, frozen=True):
    """A price, and the stretch of the window over which it held."""

    observation: Observation
    from_us: int
    until_us: int


def fix(terms: FixingTerms, expiry_us: int, observations: Iterable[Observation]) -> Fixing:
    """The settlement price at expiry from prices seen up to then; later ones are ignored.

    Of two prices of one moment the higher wins, so that order of arrival cannot matter. Rounded half to even. Raises
    FixingMissing when neither the window nor the fallback gives a price.
    """
    seen = sorted({seen for seen in observations if seen.at_us <= expiry_us})
    stretches = list(held(terms, expiry_us, seen))
    weights = [weight(terms, expiry_us, stretch) for stretch in stretches]
    counted, whole = sum(weights), terms.window_us if terms.rule == "TIME" else terms.samples
    coverage_e8 = counted * 10**8 // whole
    if counted and coverage_e8 >= terms.coverage_min_e8:
        total = sum(part * stretch.observation.price_e8 for part, stretch in zip(weights, stretches, strict=True))
        used = [stretch.observation for part, stretch in zip(weights, stretches, strict=True) if part]
        mean_e8 = divide(total, counted, "half_even")[0]
        return Fixing(mean_e8, "WINDOW", coverage_e8, len(used), used[0].at_us, used[-1].at_us)
    return fallback(terms, expiry_us, seen, coverage_e8)


def held(terms: FixingTerms, expiry_us: int, seen: list[Observation]) -> Iterator[Held]:
    """The stretches of the window, in order, over which each sorted price held: its first moment, not its last."""
    starts_us = expiry_us - terms.window_us
    ends_us = expiry_us + 1 if terms.rule == "SAMPLES" else expiry_us  # The last sample is taken at expiry itself.
    for observation, following in pairwise([*seen, Observation(ends_us, 0)]):
        from_us = max(observation.at_us, starts_us)
        until_us = min(following.at_us, observation.at_us + terms.price_max_age_us)
        if from_us < until_us:
            yield Held(observation, from_us, until_us)


def weight(terms: FixingTerms, expiry_us: int, stretch: Held) -> int:
    """How much a stretch counts: its length, or the samples that fall on it."""
    if terms.rule == "TIME":
        return stretch.until_us - stretch.from_us
    return samples_before(terms, expiry_us, stretch.until_us) - samples_before(terms, expiry_us, stretch.from_us)


def samples_before(terms: FixingTerms, expiry_us: int, at_us: int) -> int:
    """Number of samples in the window before this moment; the first is one step after the window's start."""
    into_us = at_us - (expiry_us - terms.window_us)
    return max(into_us * terms.samples - 1, 0) // terms.window_us


def fallback(terms: FixingTerms, expiry_us: int, seen: list[Observation], coverage_e8: int) -> Fixing:
    """The last price before expiry, when it is young enough."""
    if not seen or expiry_us - seen[-1].at_us > terms.last_max_age_us:
        raise FixingMissing(
            f"no settlement price for the expiry at {expiry_us} us: prices cover {coverage_e8} (1e-8) of the window "
            f"and the last is not within {terms.last_max_age_us} us of it; an operator has to set the price"
        )
    last = seen[-1]
    return Fixing(last.price_e8, "LAST", coverage_e8, 1, last.at_us, last.at_us)


def expected(terms: FixingTerms, expiry_us: int, now_us: int, observations: Iterable[Observation]) -> int:
    """The fixing to be expected inside the window: what has been fixed already, and the newest price for the rest.

    What margin uses as the forward in the last minutes. Source: Derive `LyraForwardFeed.sol` (a fixed and a variable
    part). Before the window it is the newest price; raises FixingMissing without any.
    """
    seen = sorted({seen for seen in observations if seen.at_us <= now_us})
    if not seen:
        raise FixingMissing("no price has been seen yet: wait for the index")
    rest_us = min(expiry_us - now_us, terms.window_us)
    past_us = terms.window_us - rest_us
    if past_us <= 0:
        return seen[-1].price_e8
    until_now = msgspec.structs.replace(terms, window_us=past_us, rule="TIME")
    past_e8 = fix(until_now, now_us, seen).price_e8
    return divide(past_e8 * past_us + seen[-1].price_e8 * rest_us, terms.window_us, "half_even")[0]
