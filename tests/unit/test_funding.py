"""Funding by index: the rates of four venues, the index, and that accounts together receive nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truetape.contracts import Contract
from truetape.errors import FundingRefused, PriceNotPositive
from truetape.funding import (
    EIGHT_HOURS_US,
    HOUR_US,
    ONE_E18,
    FundingTerms,
    average,
    deribit_rate,
    derive_rate,
    dydx_index_delta,
    dydx_rate_ppm,
    dydx_settlement_ppm,
    hyperliquid_rate,
    impact_premium,
    mark_premium,
    payment,
    sample,
    step,
)
from truetape.money import ONE_E8, to_e8

BTC = Contract("LINEAR", ONE_E8)
INVERSE = Contract("INVERSE", 10 * ONE_E8)
PERCENT_E18 = ONE_E18 // 100
DERIBIT = FundingTerms(damper_e18=PERCENT_E18 // 40, cap_e18=PERCENT_E18 // 2)
DERIVE = FundingTerms(period_us=HOUR_US, cap_e18=75 * PERCENT_E18 // 100, interval_max_us=HOUR_US)
HYPERLIQUID = FundingTerms(
    period_us=HOUR_US, interest_e18=PERCENT_E18 // 100, damper_e18=PERCENT_E18 // 20, cap_e18=4 * PERCENT_E18
)

#   premium in 0.0001 % | rate in 0.0001 %
DERIBITS = """
       0   |     0    nothing
     200   |     0    inside the damper of 0.025 %
     250   |     0    at its edge
     400   |   150    beyond it
    -400   |  -150    the same below
    9000   |  5000    capped at 0.5 %
   -9000   | -5000
"""


@pytest.mark.parametrize("row", DERIBITS.strip().splitlines(), ids=lambda row: row.strip())
def test_deribit_pays_the_premium_beyond_the_damper(row: str) -> None:
    premium, rate = (int(word) * PERCENT_E18 // 10_000 for word in row.replace("|", " ").split()[:2])
    assert deribit_rate(DERIBIT, premium) == rate


#   mean premium, rate per 8 hours before the cap; in 0.0001 %
HYPERLIQUIDS = """
       0   |   100    the interest alone
     100   |   100    premium equals interest
     700   |   200    0.07 % less 0.05 %
    -700   |  -200
     300   |   100    the interest pulls it back
  900000   | 320000   4 % an hour
"""


@pytest.mark.parametrize("row", HYPERLIQUIDS.strip().splitlines(), ids=lambda row: row.strip())
def test_hyperliquid_pulls_the_premium_toward_the_interest(row: str) -> None:
    premium, rate = (int(word) * PERCENT_E18 // 10_000 for word in row.replace("|", " ").split()[:2])
    assert hyperliquid_rate(HYPERLIQUID, premium) == rate // 8


#   index  bid   ask  | premium in 0.0001 %
PREMIUMS = """
    1500  1506  1506  |  4000    bid above the index
    1500  1494  1494  | -4000    ask below it
    1500  1490  1510  |     0    the index is inside the spread
"""


@pytest.mark.parametrize("row", PREMIUMS.strip().splitlines(), ids=lambda row: row.strip())
def test_impact_premium(row: str) -> None:
    index, bid, ask, premium = row.replace("|", " ").split()[:4]
    assert impact_premium(to_e8(bid), to_e8(ask), to_e8(index)) == int(premium) * PERCENT_E18 // 10_000


def test_what_cannot_be_a_premium_is_refused() -> None:
    with pytest.raises(FundingRefused, match="above impact ask"):
        impact_premium(2, 1, 1)
    with pytest.raises(PriceNotPositive):
        mark_premium(1, 0)


def test_derive_pays_an_eighth_an_hour_and_is_capped() -> None:
    assert derive_rate(DERIVE, impact_premium(to_e8("1506"), to_e8("1506"), to_e8("1500"))) == 5 * ONE_E18 // 10_000
    assert derive_rate(DERIVE, impact_premium(to_e8("1300"), to_e8("1300"), to_e8("1500"))) == -75 * ONE_E18 // 10_000


def test_an_index_that_moves_between_two_settlements_leaves_funding_zero_sum() -> None:
    """Derive's case: the index falls to 1 000 after the first party has settled."""
    rate = 5 * ONE_E18 // 10_000
    after = step(DERIVE, BTC, 0, rate, to_e8("1500"), HOUR_US)
    first = payment(ONE_E8, 0, after.index_e18)
    later = step(DERIVE, BTC, after.index_e18, rate, to_e8("1000"), 0)
    second = payment(-ONE_E8, 0, later.index_e18)
    assert (first, second) == (-to_e8("0.75"), to_e8("0.75"))


def test_inverse_funding_is_paid_in_the_underlying() -> None:
    """0.01 % for 8 hours on 1 000 000 USD at 50 000 is 100 USD, or 0.002 BTC."""
    index = step(DERIBIT, INVERSE, 0, PERCENT_E18 // 100, to_e8("50000"), EIGHT_HOURS_US).index_e18
    assert payment(to_e8("100000"), 0, index) == -to_e8("0.002")


#   rate beyond the cap, time going backwards, gap too long
@pytest.mark.parametrize(
    ("rate", "elapsed", "says"),
    [(PERCENT_E18, 1, "beyond the cap"), (0, -1, "operator"), (0, EIGHT_HOURS_US + 1, "operator")],
)
def test_a_step_that_cannot_be_right_is_refused(rate: int, elapsed: int, says: str) -> None:
    with pytest.raises(FundingRefused, match=says):
        step(DERIBIT, BTC, 0, rate, ONE_E8, elapsed)


def test_a_rate_at_the_cap_and_the_longest_step_are_in_order() -> None:
    """Ten thousand at the cap of 0.5 % is 50, for all of the longest step; the other way as much."""
    for sign in (1, -1):
        made = step(DERIBIT, BTC, 0, sign * DERIBIT.cap_e18, to_e8("10000"), EIGHT_HOURS_US)
        assert payment(-ONE_E8, 0, made.index_e18) == sign * to_e8("50")


def test_late_and_missing_samples_count_as_zero() -> None:
    late = sample(DERIVE, 900, DERIVE.mark_max_age_us + 1, 0)
    in_time = sample(DERIVE, 900, DERIVE.mark_max_age_us, 0)
    assert (late, in_time) == (None, 900)
    assert average([in_time, late, in_time], 3) == 600
    assert average([in_time], 60) == 15
    assert average([-7, 0], 2) == -3, "toward zero"
    assert average([1000] * 75 + [5000] * 25, 60) == 2000, "more than expected all count"
    assert average([], 60) == 0
    with pytest.raises(FundingRefused, match="at least one"):
        average([], 0)


def test_dydx() -> None:
    assert dydx_rate_ppm(150_000, 0, 200_000, 180_000, 6_000_000) == 120_000
    assert dydx_rate_ppm(-150_000, 0, 200_000, 180_000, 6_000_000) == -120_000
    assert dydx_rate_ppm(1_000, 40, 50_000, 30_000, 6_000_000) == 1_040
    assert dydx_index_delta(-1_001_999, 14_400, 1_000, 2, -4) == -5_009_995_000_000
    assert dydx_settlement_ppm(10_000_000, 100, -200) == 3_000_000_000
    with pytest.raises(FundingRefused, match="not within"):
        dydx_rate_ppm(0, 0, 1, 2, 6_000_000)


rates = st.integers(-(ONE_E18 // 100), ONE_E18 // 100)
prices = st.integers(1, 10**13)
steps = st.lists(st.tuples(rates, prices, st.integers(0, EIGHT_HOURS_US)), max_size=6)
wide = FundingTerms()


@given(steps, st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=8), st.booleans())
def test_accounts_together_leave_less_than_a_unit_each_and_never_receive_it(
    moves: list[tuple[int, int, int]], held: list[int], inverse: bool
) -> None:
    index = 0
    for rate, price, elapsed in moves:
        index = step(
            wide, Contract("INVERSE", 1) if inverse else Contract("LINEAR", 10**4), index, rate, price, elapsed
        ).index_e18
    received = [payment(quantity, 0, index) for quantity in [*held, -sum(held)]]
    assert -len(received) < sum(received) <= 0


@given(steps, st.integers(-(10**12), 10**12), st.integers(0, 6))
def test_settling_in_between_costs_an_account_at_most_one_unit(
    moves: list[tuple[int, int, int]], quantity: int, at: int
) -> None:
    indices = [0]
    for rate, price, elapsed in moves:
        indices.append(step(wide, Contract("LINEAR", 10**4), indices[-1], rate, price, elapsed).index_e18)
    between = indices[min(at, len(indices) - 1)]
    twice = payment(quantity, 0, between) + payment(quantity, between, indices[-1])
    assert payment(quantity, 0, indices[-1]) - twice in (0, 1)
