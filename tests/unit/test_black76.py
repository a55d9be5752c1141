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
