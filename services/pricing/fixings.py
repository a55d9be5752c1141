"""Settlement prices and funding rates from recorded prices, each with what it was made of. Pure.

The prices are those of MarkPublished, as the tape has them; so everybody who has the tape makes the same fact again.
"""

from collections.abc import Mapping
from typing import Final

from services.pricing.recorded import Recorded
from truetape import facts, funding, sampling
from truetape.errors import FixingMissing as Missing
from truetape.errors import FundingRefused, TruetapeError
from truetape.fixing import Observation, fix
from truetape.messages import (
    ContractFact,
    ContractFixed,
    ContractTerms,
    FixingDue,
    FixingMissing,
    Instrument,
    Meta,
)

BY: Final = "pricing"
REASON_MAX: Final = 500
PREMIUM_MAX_E18: Final = 9 * funding.ONE_E18
"""The record says so much at most: what is above is beyond every cap, and beyond 64 bits."""
Prices = Mapping[str, Recorded]


def make(meta: Meta, asked: FixingDue, instrument: Instrument | None, prices: Prices) -> ContractFixed | FixingMissing:
    """The fact that is due, or the record that says why there is none: never silence, never a guess."""
    numbers: dict[str, int] = {}
    try:
        if instrument is None or (terms := instrument.contract) is None:
            raise Missing(f"{asked.instrument_id} is no contract of the reference data any more")
        of = instrument.instrument_id if instrument.listings else terms.index
        match asked.kind:
            case "FUNDING":
                fact = _funded(asked, terms, prices, numbers)
            case "EXPIRY":
                fact = _fixed(asked, terms, terms.index, prices)
            case _:
                fact = _fixed(asked, terms, of, prices)
    except TruetapeError as error:
        reason = f"{error}"[:REASON_MAX]
        return FixingMissing(
            meta, asked.instrument_id, asked.kind, asked.effective_at_us, asked.since_us, reason, numbers
        )
    fact.ids["fixed_by"] = meta.event_id
    return ContractFixed(meta, asked.instrument_id, fact)


def fact_id(asked: FixingDue) -> str:
    """Made of contract, kind and time: an operator who names the price makes the same fact, and both count once."""
    return facts.fact_id(asked.kind, asked.instrument_id, asked.effective_at_us)


def _seen(prices: Prices, instrument_id: str) -> list[Observation]:
    return prices[instrument_id].observations() if instrument_id in prices else []


def _fixed(asked: FixingDue, terms: ContractTerms, of: str, prices: Prices) -> ContractFact:
    rules = sampling.fixing_terms(terms, asked.kind)
    fixing = fix(rules, asked.effective_at_us, _seen(prices, of))
    numbers = {
        "window_us": rules.window_us, "coverage_e8": fixing.coverage_e8, "observations": fixing.observations,
        "first_us": fixing.first_us, "last_us": fixing.last_us,
    }  # fmt: skip
    names = {"prices_of": of, "source": fixing.source, "rule": rules.rule}
    return ContractFact(
        fact_id(asked), asked.kind, asked.instrument_id, asked.effective_at_us, fixing.last_us, BY, fixing.price_e8,
        numbers, names,
    )  # fmt: skip


def _funded(asked: FixingDue, terms: ContractTerms, prices: Prices, numbers: dict[str, int]) -> ContractFact:
    """The rate of a step: missing samples count as zero; with none at all there is no rate."""
    elapsed_us, until_us = asked.effective_at_us - asked.since_us, asked.effective_at_us
    numbers["elapsed_us"] = elapsed_us
    if elapsed_us > terms.funding_step_us:
        raise FundingRefused("nobody looked for longer than a funding step: name the rate of the gap")
    bounds = sampling.funding_terms(terms)
    at = sampling.moments(asked.since_us, until_us)
    marks, indices = _seen(prices, asked.instrument_id), _seen(prices, terms.index)
    samples = list(sampling.premiums(bounds, marks, indices, at))
    missing = sum(one is None for one in samples)
    numbers |= {"samples": len(samples), "missing": missing}
    index = sampling.newest(sorted(indices), until_us)
    if missing == len(samples) or index is None or until_us - index.at_us > terms.mark_max_age_us:
        raise Missing(
            f"no funding rate: {missing} of {len(samples)} premiums are missing, and the index must be seen within "
            f"{terms.mark_max_age_us} us of the step; name the rate (`truetape contracts fund`)"
        )
    premium_e18 = funding.average(samples, len(samples))
    rate_e18 = sampling.RATES[terms.funding_rule](bounds, premium_e18)
    numbers |= {"premium_e18": funding.clamped(premium_e18, PREMIUM_MAX_E18), "rate_e18": rate_e18}
    return ContractFact(
        fact_id(asked), asked.kind, asked.instrument_id, until_us, index.at_us, BY, index.price_e8, numbers,
        {"prices_of": terms.index, "rule": terms.funding_rule},
    )  # fmt: skip
