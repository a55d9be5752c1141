"""Black-76 against QuantLib, its greeks against differences, and its limits."""

import math

import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.margin_desk import LAW
from truetape.margin import black76

PRICES = st.floats(1e-2, 1e6)
DEVIATIONS = st.floats(1e-3, 4.0)


def oracle(forward: float, strike: float, deviation: float, is_call: bool) -> float:
    kind = QuantLib.Option.Call if is_call else QuantLib.Option.Put
    return float(QuantLib.blackFormula(kind, strike, forward, deviation))


@LAW
@given(PRICES, st.floats(0.05, 20.0), DEVIATIONS, st.booleans())
def test_value_is_quantlibs(forward: float, moneyness: float, deviation: float, is_call: bool) -> None:
    strike = forward * moneyness
    found = float(black76.value(forward, strike, deviation, is_call))
    assert math.isclose(found, oracle(forward, strike, deviation, is_call), rel_tol=1e-9, abs_tol=1e-12 * forward)


@LAW
@given(PRICES, st.floats(0.2, 5.0), st.floats(0.05, 2.0), st.booleans())
def test_delta_and_vega_are_quantlibs(forward: float, moneyness: float, deviation: float, is_call: bool) -> None:
    strike, years = forward * moneyness, 0.7
    kind = QuantLib.Option.Call if is_call else QuantLib.Option.Put
    payoff = QuantLib.PlainVanillaPayoff(kind, strike)
    calculator = QuantLib.BlackCalculator(payoff, forward, deviation)
    assert float(black76.delta(forward, strike, deviation, is_call)) == pytest.approx(
        calculator.deltaForward(), rel=1e-9, abs=1e-12
    )
    assert float(black76.vega(forward, strike, deviation, years)) == pytest.approx(
        calculator.vega(years), rel=1e-9, abs=1e-12 * forward
    )


@LAW
@given(PRICES, st.floats(0.05, 20.0), DEVIATIONS)
def test_call_minus_put_is_forward_minus_strike(forward: float, moneyness: float, deviation: float) -> None:
    strike = forward * moneyness
    call, put = black76.value(forward, strike, deviation, np.array([True, False]))
    assert float(call - put) == pytest.approx(forward - strike, rel=1e-9, abs=1e-9 * max(forward, strike))


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("forward", [80.0, 100.0, 130.0])
def test_at_expiry_an_option_is_worth_what_it_pays(forward: float, is_call: bool) -> None:
    pays = max(forward - 100.0, 0.0) if is_call else max(100.0 - forward, 0.0)
    assert float(black76.value(forward, 100.0, 0.0, is_call)) == pays


def test_a_worthless_forward_and_many_options_at_once() -> None:
    found = black76.value(np.array([[0.0], [100.0]]), np.array([90.0, 110.0]), 0.2, np.array([True, False]))
    assert found.shape == (2, 2)
    assert found[0].tolist() == [0.0, 110.0]


@LAW
@given(st.lists(st.tuples(PRICES, st.floats(0.2, 5.0), st.floats(0.01, 2.0), st.booleans()), min_size=1, max_size=6))
def test_implied_deviations_are_quantlibs_and_give_the_price_back(
    cases: list[tuple[float, float, float, bool]],
) -> None:
    """And give the price back. Several at once: those that are found early stay found."""
    forwards, strikes, deviations, calls = (np.array(each) for each in zip(*cases, strict=True))
    strikes = forwards * strikes
    prices = black76.value(forwards, strikes, deviations, calls)
    found = black76.implied(forwards, strikes, prices, calls)
    again = black76.value(forwards, strikes, found, calls)
    for place, (forward, _, _, is_call) in enumerate(cases):
        strike, price = float(strikes[place]), float(prices[place])
        assert math.isclose(again[place], price, rel_tol=1e-9, abs_tol=1e-13 * max(forward, strike))
        time_value = price - max((forward - strike) * (1 if is_call else -1), 0.0)
        if time_value > 1e-6 * forward:
            kind = QuantLib.Option.Call if is_call else QuantLib.Option.Put
            wanted = QuantLib.blackFormulaImpliedStdDev(kind, strike, forward, price, 1.0, 0.0, 0.5, 1e-12, 1000)
            assert found[place] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(
    ("price", "is_call", "wanted"),
    [(0.0, True, 0.0), (20.0, False, 0.0), (19.9, False, math.nan), (100.1, True, math.nan), (-1.0, True, math.nan)],
)
def test_a_price_that_no_volatility_gives_has_none(price: float, is_call: bool, wanted: float) -> None:
    assert float(black76.implied(100.0, 120.0, price, is_call)) == pytest.approx(wanted, nan_ok=True)
