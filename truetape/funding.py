"""Funding of perpetual contracts by index: one number per instrument moves, no account is touched.

    index(t) = sum over time of rate x (time / period) x notional of one contract
    an account pays quantity x (index now - index when it was last settled)

An account is settled when its position changes, at daily settlement, or when it asks, and gets the same in all three
cases. Longs pay when the index rises. Payments are rounded down (against the account); since positions sum to zero
per instrument, what is left over is never negative, is below one unit per account, and is booked to the house.

Rates and indices are integers in units of 1e-18, because an hour's funding of one contract can be far below 1e-8.
An index can pass 64 bits: write it as text. How a venue makes its rate from premiums: the functions named by venue.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from truetape.contracts import Contract, positive, unit_notional_e18
from truetape.errors import FundingRefused
from truetape.money import divide, fits

ONE_E18: Final = 10**18
EIGHT_HOURS_US: Final = 8 * 3600 * 1_000_000
HOUR_US: Final = 3600 * 1_000_000


class FundingTerms(msgspec.Struct, frozen=True):
    """How an instrument's funding rate is made; rates are per period, in units of 1e-18."""

    period_us: int = EIGHT_HOURS_US
    """What the rate is a rate of: 8 hours, or 1 hour."""
    interest_e18: int = 0
    """Added to the premium, before the cap."""
    damper_e18: int = 0
    """Premiums within this of zero cost nothing (Deribit)."""
    cap_e18: int = ONE_E18
    """Largest rate either way."""
    mark_max_age_us: int = 5_000_000
    """A mark or index older than this makes no sample."""
    interval_max_us: int = EIGHT_HOURS_US
    """Longest time that one step of the index may cover."""


class Step(msgspec.Struct, frozen=True):
    """One step of a funding index, with what it was made of."""

    rate_e18: int
    price_e8: int
    elapsed_us: int
    index_e18: int
    """The index after the step."""


def step(
    terms: FundingTerms, contract: Contract, index_e18: int, rate_e18: int, price_e8: int, elapsed_us: int
) -> Step:
    """Move the index by a rate that has held for so long, on the notional of one contract at the index price.

    Raises FundingRefused when the rate is beyond the cap, or the time negative or longer than one step may cover.
    """
    if abs(rate_e18) > terms.cap_e18:
        raise FundingRefused(f"funding rate {rate_e18} (1e-18) is beyond the cap {terms.cap_e18}: check its source")
    if not 0 <= elapsed_us <= terms.interval_max_us:
        raise FundingRefused(
            f"a funding step of {elapsed_us} us is not within 0 and {terms.interval_max_us}: an operator has to decide "
            "the rate of the gap"
        )
    accrued = rate_e18 * elapsed_us * unit_notional_e18(contract, price_e8)
    moved_e18 = divide(accrued, terms.period_us * ONE_E18, "half_even")[0]
    return Step(rate_e18, price_e8, elapsed_us, index_e18 + moved_e18)


def payment(quantity_e8: int, settled_e18: int, index_e18: int) -> int:
    """What an account receives (negative: pays) for holding this quantity while the index moved; 1e-8, rounded down."""
    return fits(divide(-quantity_e8 * (index_e18 - settled_e18), ONE_E18, "down")[0])


def unpaid(quantity_e8: int, unpaid_e8: int, settled_e18: int, index_e18: int) -> int:
    """Profit of a position not yet paid in cash, with the funding that has accrued since it was settled (1e-8).

    What risk, clearing and reports count in margin. Raises MoneyError beyond 64 bits.
    """
    return fits(unpaid_e8 + payment(quantity_e8, settled_e18, index_e18))


def sample(terms: FundingTerms, premium_e18: int, mark_age_us: int, index_age_us: int) -> int | None:
    """The premium, or None when what it was made of is older than allowed: then it is a missing sample."""
    late = max(mark_age_us, index_age_us) > terms.mark_max_age_us
    return None if late else premium_e18


def average(samples: Sequence[int | None], expected: int) -> int:
    """Mean of a period's premiums; a missing sample counts as zero, and so does each below the expected number.

    More samples than expected all count. Truncated toward zero. Source: dYdX v4 x/perpetuals
    `MaybeProcessNewFundingTickEpoch`.
    """
    seen = [premium for premium in samples if premium is not None]
    count = max(len(samples), expected)
    if count <= 0:
        raise FundingRefused("a funding period without any expected sample has no rate: expect at least one")
    return truncated(sum(seen), count)


def impact_premium(bid_e8: int, ask_e8: int, index_e8: int) -> int:
    """How far the impact bid stands above the index, or the impact ask below it, as a rate in 1e-18; else zero.

    Source: Derive `PerpAsset.sol`, Hyperliquid. Raises FundingRefused when the bid is above the ask.
    """
    if bid_e8 > ask_e8:
        raise FundingRefused(f"impact bid {bid_e8} is above impact ask {ask_e8}: the book was read wrongly")
    above_e8 = max(bid_e8 - index_e8, 0) - max(index_e8 - ask_e8, 0)
    return truncated(above_e8 * ONE_E18, positive(index_e8))


def mark_premium(mark_e8: int, index_e8: int) -> int:
    """How far the mark is from the index, as a rate in 1e-18 (Deribit)."""
    return truncated((mark_e8 - index_e8) * ONE_E18, positive(index_e8))


def deribit_rate(terms: FundingTerms, premium_e18: int) -> int:
    """Rate per 8 hours: the premium beyond the damper, capped.

    Source: https://support.deribit.com/hc/en-us/articles/31424939178397. The damper was 0.05 % and is 0.025 % now.
    """
    beyond_e18 = max(terms.damper_e18, premium_e18) + min(-terms.damper_e18, premium_e18)
    return clamped(beyond_e18 + terms.interest_e18, terms.cap_e18)


def derive_rate(terms: FundingTerms, premium_e18: int) -> int:
    """Rate per hour: an eighth of the premium plus the static interest, capped. Source: Derive `PerpAsset.sol`."""
    return clamped(truncated(premium_e18, 8) + terms.interest_e18, terms.cap_e18)


def hyperliquid_rate(terms: FundingTerms, premium_e18: int) -> int:
    """Rate per hour: an eighth of (mean premium + interest less premium, held within the damper), capped.

    Source: Hyperliquid's documentation, "Funding"; interest 0.01 % per 8 hours, damper 0.05 %, cap 4 % an hour.
    """
    pulled_e18 = clamped(terms.interest_e18 - premium_e18, terms.damper_e18)
    return clamped(truncated(premium_e18 + pulled_e18, 8), terms.cap_e18)


def dydx_rate_ppm(premium_ppm: int, default_ppm: int, initial_ppm: int, maintenance_ppm: int, clamp_ppm: int) -> int:
    """dYdX's rate per 8 hours in parts per million: premium + default, at most clamp x (initial - maintenance margin).

    Source: dYdX v4 `LiquidityTier.GetMaxAbsFundingClampPpm`; the clamp is 6 000 000 (600 %).
    """
    if not 0 <= maintenance_ppm <= initial_ppm:
        raise FundingRefused(f"maintenance margin {maintenance_ppm} ppm is not within 0 and initial {initial_ppm} ppm")
    return clamped(premium_ppm + default_ppm, clamp_ppm * (initial_ppm - maintenance_ppm) // 1_000_000)


def dydx_index_delta(rate_ppm: int, seconds: int, price: int, exponent: int, atomic_resolution: int) -> int:
    """dYdX's move of a funding index in parts per million of a quote quantum per base quantum.

    rate x seconds x price in quote quantums is truncated toward zero first, then divided by 8 hours and truncated
    again. Source: dYdX v4 x/perpetuals/funding `GetFundingIndexDelta`.
    """
    scale = exponent + atomic_resolution + 6
    whole = rate_ppm * seconds * price
    quote_quantums = whole * 10**scale if scale >= 0 else truncated(whole, 10**-scale)
    return truncated(quote_quantums, 8 * 3600)


def dydx_settlement_ppm(quantums: int, index_then: int, index_now: int) -> int:
    """dYdX's funding settlement of a position in parts per million of quote quantums: exact.

    Source: dYdX v4 x/perpetuals/lib `GetSettlementPpmWithPerpetual`.
    """
    return -(index_now - index_then) * quantums


def clamped(rate: int, cap: int) -> int:
    """The rate held within plus and minus the cap."""
    return max(-cap, min(rate, cap))


def truncated(numerator: int, denominator: int) -> int:
    """Divide toward zero, as the venues that publish integer rules do; the denominator is positive."""
    assert denominator > 0
    return numerator // denominator if numerator >= 0 else -(-numerator // denominator)
