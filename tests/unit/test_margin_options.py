"""Margin of options: Deribit's standard, Opyn's spreads and naked options."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from truetape.errors import MarginInputMissing, MarginPositionUnfit
from truetape.margin.deribit import DeribitMargin, inverse_option_needs, linear_option_needs
from truetape.margin.market import Expiry, Market, Reading
from truetape.margin.portfolio import Option, Perpetual, Portfolio
from truetape.margin.spreads import (
    WEEK_SECONDS,
    Leg,
    OpynMargin,
    call_spread_need,
    calls_need,
    expiry_excess,
    naked_call_need,
    naked_put_need,
    put_spread_need,
    puts_need,
    upper_bound,
)

WEEK_US = WEEK_SECONDS * 1_000_000


def option(is_call: bool, strike: float, quantity: float) -> Option:
    name = f"BTC-{strike:g}-{'C' if is_call else 'P'}"
    return Option(name, "BTC", WEEK_US, strike, is_call, quantity)


def market(forward: float, *options: Option, vol: float = 0.8) -> Market:
    return Market(
        spots={"BTC": Reading(forward)},
        expiries={("BTC", WEEK_US): Expiry(Reading(forward))},
        vols={each.instrument_id: Reading(vol) for each in options},
    )


#   right strike underlying mark | initial maintenance, of the underlying
SHORTS = """
    call 10000 10000 0.05 | 0.20   0.125     at the money: 15 %
    call 11000 10000 0.02 | 0.12   0.095     10 % out: the least of 10 %
    call 10400 10000 0.03 | 0.14   0.105     4 % out: 11 %
    call  8000 10000 0.22 | 0.37   0.295     in the money: no more than 15 %
    put  10000 10000 0.05 | 0.20   0.125
    put   5000 10000 0.01 | 0.11   0.085     far out
    put  30000 10000 2.00 | 2.15   2.15      deep in: 7.5 % of the mark decides both
"""


@pytest.mark.parametrize("row", SHORTS.strip().splitlines(), ids=lambda row: row.strip())
def test_deribit_short_options(row: str) -> None:
    right, *numbers = row.replace("|", " ").split()[:6]
    strike, underlying, mark, initial, maintenance = (float(number) for number in numbers)
    found = inverse_option_needs(right == "call", strike, underlying, mark)
    assert (found.initial, found.maintenance) == pytest.approx((initial, maintenance))
    linear = linear_option_needs(right == "call", strike, underlying, mark * underlying)
    assert (linear.initial, linear.maintenance) == pytest.approx((initial * underlying, maintenance * underlying))


def test_deribit_account_with_a_short_and_a_long_option() -> None:
    """At expiry marks are intrinsic, so the sums can be made by hand."""
    short, long = option(True, 9_000, -2.0), option(False, 12_000, 1.0)
    known = market(10_000, short, long, vol=0.0)
    found = DeribitMargin().margin(Portfolio((short, long), 5_000.0), known)
    assert found.equity == pytest.approx(5_000 - 2_000 + 2_000)
    # The short needs 15 % of the underlying beyond its mark; the long's own value counts for nothing.
    assert found.initial_need == pytest.approx(2 * 1_500 + 2_000)
    assert found.maintenance_need == pytest.approx(2 * 750 + 2_000)
    inverse = DeribitMargin(inverse=True).margin(Portfolio((short, long), 0.5), known)
    assert inverse.equity == pytest.approx(0.5)
    assert inverse.initial_need == pytest.approx(found.initial_need / 10_000)


def test_missing_volatility_is_a_named_error() -> None:
    short = option(True, 9_000, -1.0)
    with pytest.raises(MarginInputMissing, match="volatility"):
        DeribitMargin().margin(Portfolio((short,)), market(10_000))


def test_an_option_whose_price_is_in_doubt_asks_for_more() -> None:
    short = option(True, 9_000, -2.0)
    sure = market(10_000, short, vol=0.0)
    doubtful = Market(spots=sure.spots, expiries=sure.expiries, vols={short.instrument_id: Reading(0.0, 0.1)})
    for model in (DeribitMargin(), OpynMargin(), OpynMargin(naked=True)):
        before, after = (model.margin(Portfolio((short,)), known) for known in (sure, doubtful))
        assert after.initial_need == pytest.approx(before.initial_need + 0.9 * 0.4 * 20_000)
        assert after.maintenance_need == before.maintenance_need


def test_opyn_spread_account() -> None:
    short, long = option(False, 12_000, -1.0), option(False, 10_000, 1.0)
    known = market(11_000, short, long, vol=0.0)
    found = OpynMargin().margin(Portfolio((short, long), 2_000.0), known)
    # 2 000 is the most that can be lost; 1 000 of it is in the short's mark already.
    assert (found.equity, found.initial_need) == pytest.approx((1_000, 1_000))
    with pytest.raises(MarginPositionUnfit, match="options only"):
        OpynMargin().margin(Portfolio((Perpetual("P", "BTC", 1.0),)), known)


def test_opyn_naked_account() -> None:
    short = option(True, 2_500, -10.0)
    known = market(1_800, short, vol=0.0)
    found = OpynMargin(naked=True).margin(Portfolio((short,), 5_000.0), known)
    assert found.initial_need == pytest.approx(naked_call_need(10, 2_500, 1_800, 0.1678) * 1_800)


#   weeks to expiry | bound
BOUNDS = """
    0    | 0.1678
    1    | 0.1678
    1.01 | 0.2370
    3    | 0.3326
    8    | 0.4603
    8.1  | none
"""


@pytest.mark.parametrize("row", BOUNDS.strip().splitlines(), ids=lambda row: row.strip())
def test_the_next_longer_bound_is_taken(row: str) -> None:
    weeks, bound = row.replace("|", " ").split()
    if bound == "none":
        with pytest.raises(MarginInputMissing, match="weeks"):
            upper_bound(float(weeks) * WEEK_SECONDS)
    else:
        assert upper_bound(float(weeks) * WEEK_SECONDS) == float(bound)


def test_naked_options_far_in_the_money_need_what_they_are_worth_after_the_shock() -> None:
    assert naked_put_need(1, 100, 150, 0.1678) == pytest.approx(16.78)
    assert naked_put_need(1, 200, 100, 0.2) == pytest.approx(0.2 * 75 + 125)
    assert naked_call_need(1, 50, 100, 0.2) == pytest.approx(0.2 * 0.375 + 0.625)


def test_what_is_left_at_expiry() -> None:
    assert expiry_excess("PUT", 150, 250, Leg(1, 250), None) == 150
    assert expiry_excess("PUT", 150, 50, Leg(1, 250), Leg(1, 200)) == 0
    assert expiry_excess("CALL", 300, 0, Leg(1, 250), Leg(3, 200)) == pytest.approx(250 / 300)
    assert expiry_excess("PUT", 0, 0, Leg(1, 100), None) == -100, "an owed amount is negative"


sizes = st.floats(0, 1e4).map(lambda size: round(size, 3))
strikes = st.floats(1, 1e5).map(lambda strike: round(strike, 2))


@given(sizes, strikes, sizes, strikes)
def test_the_pair_formulae_are_the_largest_loss(
    short: float, short_strike: float, long: float, long_strike: float
) -> None:
    legs = [Leg(-short, short_strike), Leg(long, long_strike)]
    size = max(short, long) * max(short_strike, long_strike)
    assert puts_need(legs) == pytest.approx(put_spread_need(short, short_strike, long, long_strike), abs=1e-9 * size)
    assert calls_need(legs) == pytest.approx(call_spread_need(short, short_strike, long, long_strike), abs=1e-9 * short)


@given(st.lists(st.tuples(st.floats(-100, 100), strikes), max_size=6), st.floats(0.01, 1e6))
def test_no_settlement_price_loses_more_than_the_need(legs: list[tuple[float, float]], price: float) -> None:
    held = [Leg(*leg) for leg in legs]
    lost_puts = -sum(leg.quantity * max(leg.strike - price, 0.0) for leg in held)
    lost_calls = -sum(leg.quantity * max(price - leg.strike, 0.0) for leg in held) / price
    assert lost_puts <= puts_need(held) + 1e-6
    assert lost_calls <= calls_need(held) + 1e-6


@given(st.booleans(), strikes, st.floats(100, 1e5), st.floats(0, 3), st.floats(0.1, 10))
@example(False, 1.0, 100.0, 1.1125369292536007e-308, 1.0)
def test_more_of_a_short_option_never_needs_less(
    is_call: bool, strike: float, forward: float, vol: float, more: float
) -> None:
    one, two = option(is_call, strike, -1.0), option(is_call, strike, -1.0 - more)
    known = market(forward, one, vol=vol)
    for model in (DeribitMargin(), OpynMargin(), OpynMargin(naked=True)):
        small, large = (model.margin(Portfolio((each,)), known) for each in (one, two))
        assert small.initial_need <= large.initial_need * (1 + 1e-9) + 1e-9
        assert math.isfinite(large.initial_need)
        assert large.maintenance_need <= large.initial_need * (1 + 1e-9) + 1e-9
