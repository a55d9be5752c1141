"""How a contract's facts are made of recorded prices, by its own terms: how they are averaged, and premiums sampled.

A price holds until the next one; one that is older than allowed makes no sample.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from truetape import funding
from truetape.fixing import FixingTerms, Observation
from truetape.funding import FundingTerms, mark_premium, sample
from truetape.messages import ContractTerms

SAMPLES: Final = 60
"""Premiums in one step of a funding index, where its length allows."""
SPACING_MIN_US: Final = 1_000_000
SPACING_MAX_US: Final = 60_000_000
WINDOW_US: Final = 1_800_000_000
"""Window of a contract whose terms name none, for an operator's fixing."""
E10: Final = 10**10
RATES: Final[dict[str, Callable[[FundingTerms, int], int]]] = {
    "PREMIUM": lambda terms, premium_e18: funding.clamped(premium_e18 + terms.interest_e18, terms.cap_e18),
    "DERIBIT": funding.deribit_rate,
    "HYPERLIQUID": funding.hyperliquid_rate,
    "DERIVE": funding.derive_rate,
}
"""How the rate follows from the mean premium, by the name in `ContractTerms.funding_rule`."""


def fixing_terms(terms: ContractTerms, kind: str) -> FixingTerms:
    """How a contract's prices are averaged. Settlements more often than the window average since the one before."""
    window_us = terms.fixing_window_us or WINDOW_US
    if kind == "SETTLEMENT_PRICE" and terms.settlement_interval_us:
        window_us = min(window_us, terms.settlement_interval_us)
    return FixingTerms(
        window_us, "SAMPLES" if terms.fixing_rule == "SAMPLES" else "TIME", terms.fixing_samples,
        terms.mark_max_age_us, terms.fixing_coverage_e8, terms.mark_max_age_us,
    )  # fmt: skip


def funding_terms(terms: ContractTerms) -> FundingTerms:
    """A contract's funding rule in the words of truetape/funding.py."""
    return FundingTerms(
        terms.funding_interval_us, terms.funding_interest_rate_e8 * E10, terms.funding_damper_rate_e8 * E10,
        terms.funding_cap_rate_e8 * E10, terms.mark_max_age_us, terms.funding_interval_us,
    )  # fmt: skip


def moments(since_us: int, until_us: int) -> list[int]:
    """When premiums are looked at between two steps: equally spaced, the last one at the end."""
    elapsed_us = until_us - since_us
    spacing_us = min(max(elapsed_us // SAMPLES, SPACING_MIN_US), SPACING_MAX_US)
    return [until_us - spacing_us * back for back in reversed(range(max(elapsed_us // spacing_us, 1)))]


def newest(seen: list[Observation], at_us: int) -> Observation | None:
    """The price that held at a moment; `seen` is sorted."""
    place = bisect_right(seen, at_us, key=lambda one: one.at_us)
    return seen[place - 1] if place else None


def premiums(
    terms: FundingTerms, marks: Iterable[Observation], indices: Iterable[Observation], at: Iterable[int]
) -> Iterator[int | None]:
    """The premium of the mark over the index at each moment, 1e-18; None where one of both is missing or late.

    Raises PriceNotPositive for an index of zero or below.
    """
    by_mark, by_index = sorted(marks), sorted(indices)
    for at_us in at:
        mark, index = newest(by_mark, at_us), newest(by_index, at_us)
        if mark is None or index is None:
            yield None
            continue
        premium_e18 = mark_premium(mark.price_e8, index.price_e8)
        yield sample(terms, premium_e18, at_us - mark.at_us, at_us - index.at_us)
