"""What all margin models share: money from floats, missing and stale inputs, the registry."""

import math
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.margin_desk import LAW
from truetape.errors import MarginInputInvalid, MarginInputMissing, MarginModelUnknown, MarginPositionUnfit, MoneyError
from truetape.margin.market import Expiry, Market, Reading
from truetape.margin.models import MarginResult, to_money_e8
from truetape.margin.portfolio import Future, Option, Perpetual, Portfolio, netted
from truetape.margin.registry import MODELS, model_named
from truetape.margin.standard import StandardMargin

DAY_US = 86_400_000_000
OPTION = Option("BTC-C", "BTC", 30 * DAY_US, 110.0, True, -2.0)


def market(now_us: int = 0, max_age_seconds: float | None = None, confidence: float = 1.0) -> Market:
    return Market(
        now_us=now_us,
        spots={"BTC": Reading(100.0, confidence, 0)},
        perpetuals={"BTC": Reading(100.5, 1.0, 0)},
        expiries={("BTC", 30 * DAY_US): Expiry(Reading(101.0, 1.0, 0), 0.0, Reading(0.03, 1.0, 0))},
        vols={"BTC-C": Reading(0.6, 1.0, 0)},
        stable=Reading(1.0, 1.0, 0),
        max_age_seconds=max_age_seconds,
    )


@LAW
@given(st.floats(-9e10, 9e10), st.booleans())
def test_money_is_rounded_against_the_account(amount: float, owed: bool) -> None:
    money = Fraction(to_money_e8(amount, owed=owed), 10**8)
    assert (money >= Fraction(amount)) if owed else (money <= Fraction(amount))
    assert abs(money - Fraction(amount)) < Fraction(1, 10**8)


@pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf, 1e11])
def test_what_is_no_money_is_refused(amount: float) -> None:
    with pytest.raises(MoneyError):
        to_money_e8(amount, owed=True)


def test_a_missing_input_is_named_never_zero() -> None:
    whole = market()
    for field, name in (("spots", "spot price"), ("expiries", "forward"), ("vols", "volatility"), ("stable", "price")):
        values = {each: getattr(whole, each) for each in whole.__struct_fields__}
        values[field] = None if field == "stable" else {}
        with pytest.raises(MarginInputMissing, match=name):
            StandardMargin().margin(Portfolio((OPTION,)), Market(**values))


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, -5.0])
def test_an_impossible_price_is_refused_by_name(value: float) -> None:
    with pytest.raises(MarginInputInvalid, match="spot price of BTC"):
        Market(spots={"BTC": Reading(value)}).spot("BTC")


@pytest.mark.parametrize("confidence", [-0.1, 1.1, math.nan])
def test_an_impossible_confidence_is_refused(confidence: float) -> None:
    with pytest.raises(MarginInputInvalid, match="confidence"):
        market(confidence=confidence).spot("BTC")


def test_a_stale_reading_has_no_confidence_and_costs_what_no_confidence_costs() -> None:
    fresh = StandardMargin().margin(Portfolio((OPTION,)), market(now_us=5_000_000, max_age_seconds=10))
    stale = StandardMargin().margin(Portfolio((OPTION,)), market(now_us=11_000_000, max_age_seconds=10))
    doubted = StandardMargin().margin(Portfolio((OPTION,)), market(now_us=11_000_000, confidence=0.0))
    assert stale.parts["confidence"] == doubted.parts["confidence"] == pytest.approx(0.4 * 100.0 * 2.0)
    assert fresh.parts["confidence"] == 0.0
    assert stale.initial_need > fresh.initial_need


def test_what_a_model_does_not_cover_is_refused_by_name() -> None:
    with pytest.raises(MarginPositionUnfit, match="BTC-26"):
        StandardMargin().margin(Portfolio((Future("BTC-26", "BTC", 30 * DAY_US, 1.0),)), market())


def test_positions_in_one_instrument_are_one_position() -> None:
    one = Perpetual("P", "BTC", 2.0, 5.0, 1.0)
    assert netted((one, Perpetual("P", "BTC", -0.5, 1.0))) == (Perpetual("P", "BTC", 1.5, 6.0, 1.0),)
    assert netted((OPTION, Option("BTC-C", "BTC", 30 * DAY_US, 110.0, True, 2.0))) == ()


@dataclass(frozen=True)
class Flat:
    """A foreign plug-in: a fixed need."""

    name = "flat"
    source = "this test"

    def margin(self, portfolio: Portfolio, market: Market) -> MarginResult:
        return MarginResult(portfolio.cash, 10.0, 5.0, "always")


def test_every_model_names_its_source() -> None:
    assert all(model.source and model.name == name for name, model in MODELS.items())
    with pytest.raises(MarginModelUnknown, match="standard"):
        model_named("simple")
    assert model_named("standard") is StandardMargin


def test_excess_is_equity_over_need() -> None:
    result = Flat().margin(Portfolio(cash=8.0), Market())
    assert (result.initial_excess, result.maintenance_excess) == (-2.0, 3.0)
