"""Risk arrays that are made here: what a trader expects of futures and options, and what holds for any of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truetape.errors import MarginInputInvalid
from truetape.margin.market import Market
from truetape.margin.portfolio import Future, Option, Portfolio
from truetape.margin.risk_arrays import Commodity, RiskArrayMargin, RiskArrays
from truetape.margin.scanning import ScanRange, future_array, option_array

RANGES = ScanRange(price=120.0, vol=0.1)
MONTH = 30 * 86_400.0


def model() -> RiskArrayMargin:
    """A future at 2 790 of 250 a point, and a call at 2 825: the shape of CME's published example."""
    contracts = (
        future_array("SP", 1, RANGES, 250.0),
        option_array(
            "SP-C", 1, RANGES, is_call=True, forward=2790, strike=2825, vol=0.2, seconds=MONTH, multiplier=250
        ),
    )
    return RiskArrayMargin(RiskArrays("made", "USD", (Commodity("SP", contracts),)))


def need(future: float, option: float) -> float:
    held = (Future("SP", "SP", 1, future), Option("SP-C", "SP", 1, 2825.0, True, option))
    return model().margin(Portfolio(tuple(each for each in held if each.quantity)), Market()).initial_need


def test_a_future_needs_its_scan_range() -> None:
    assert need(1, 0) == need(-1, 0) == pytest.approx(30_000)


def test_a_call_sold_against_the_future_needs_less_than_either() -> None:
    covered = need(1, -1)
    assert 0 < covered < need(1, 0)
    assert covered < need(1, 0) + need(0, -1)


def test_an_option_at_expiry_is_its_intrinsic_value() -> None:
    made = option_array("P", 1, RANGES, is_call=False, forward=100.0, strike=100.0, vol=0.5, seconds=0.0)
    assert made.value == 0.0
    assert made.losses[12] == pytest.approx(-(100 - 100e-6)), "the price falls by more than all of it"
    assert made.losses[10] == 0.0


@pytest.mark.parametrize(
    "wrong", [{"price": 0.0, "vol": 0.1}, {"price": 1.0, "vol": -0.1}, {"price": 1.0, "vol": 0.1, "extreme": 0.5}]
)
def test_ranges_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(MarginInputInvalid, match="ranges"):
        ScanRange(**wrong)


@given(st.booleans(), st.floats(500, 5_000), st.floats(0.01, 2), st.floats(0, 400))
def test_what_holds_for_every_option(is_call: bool, strike: float, vol: float, days: float) -> None:
    made = option_array(
        "O", 1, RANGES, is_call=is_call, forward=2790.0, strike=strike, vol=vol, seconds=days * 86_400
    )  # fmt: skip
    assert len(made.losses) == 16
    assert max(made.losses) <= made.value + 1e-9, "a bought option never loses more than it is worth"
    assert -1 - 1e-12 <= made.delta <= 1 + 1e-12
    assert (made.delta >= 0) == is_call or made.delta == 0
    for up, down in zip(made.losses[0:14:2], made.losses[1:14:2], strict=True):
        assert up <= down + 1e-9, "higher volatility is never worth less"
