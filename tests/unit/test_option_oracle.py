"""Options from published marks against QuantLib: greeks, the time to expiry, discounts, and days on which money is due.

Tolerances are relative to the forward: 1e-9 for what has a formula, 1e-5 for differences of the product's own values.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from services.clearing.booking import payments
from services.clearing.booking.netting import Payments
from tests.unit.contract_desk import E8, START_US, instrument, option
from tests.unit.desk import some_meta
from tests.unit.margin_desk import LAW, V1, V2
from truetape import messages as m
from truetape.margin import black76, quoted
from truetape.margin.market import YEAR_SECONDS
from truetape.margin.pricer import Pricer, Terms
from truetape.margin.published import Published
from truetape.marks import Marks
from truetape.reference import Reference

NAME: Final = "BTC-USDT-C"
DAY_SECONDS: Final = 86_400
SECONDS: Final = st.one_of(st.integers(60, 3_600), st.integers(3_600, 3 * 365 * DAY_SECONDS))
"""Down to a minute before expiry."""
FORWARDS: Final = st.floats(1.0, 1e5)
MONEYNESS: Final = st.floats(0.7, 1.4)
VOLS: Final = st.floats(0.1, 1.5)
QUARTERS: Final = st.sampled_from([0.0, 0.25, 0.5, 1.0])


def exercise(is_call: bool) -> int:
    return int(QuantLib.Option.Call if is_call else QuantLib.Option.Put)


def calculator(
    forward: float, strike: float, vol: float, seconds: float, is_call: bool, rate: float = 0.0
) -> QuantLib.BlackCalculator:
    years = seconds / YEAR_SECONDS
    payoff = QuantLib.PlainVanillaPayoff(exercise(is_call), strike)
    return QuantLib.BlackCalculator(payoff, forward, vol * years**0.5, float(np.exp(-rate * years)))


def worth(forward: float, strike: float, vol: float, seconds: float, is_call: bool, rate: float = 0.0) -> float:
    """What the product's pricer says, with discounts."""
    terms = Terms(forward, 0.0, seconds, rate, strike, is_call, vol)
    return float(Pricer(V2.rules).prices([terms]).marks[0])


# -- greeks: differences of the product's own values -------------------------------------------------------------------


@LAW
@given(FORWARDS, MONEYNESS, VOLS, st.integers(3_600, 2 * 365 * DAY_SECONDS), st.booleans(), QUARTERS)
def test_delta_and_gamma_of_the_pricer_are_quantlibs(
    forward: float, moneyness: float, vol: float, seconds: int, is_call: bool, quarter: float
) -> None:
    """A step of a thousandth of the deviation of the forward: gamma is one over it in size."""
    strike, rate = forward * moneyness, quarter / 10
    deviation = vol * (seconds / YEAR_SECONDS) ** 0.5
    step = forward * deviation * 1e-3
    up, here, down = (worth(forward + by, strike, vol, seconds, is_call, rate) for by in (step, 0.0, -step))
    wanted = calculator(forward, strike, vol, seconds, is_call, rate)
    assert (up - down) / (2 * step) == pytest.approx(wanted.deltaForward(), abs=1e-5)
    gamma = (up - 2 * here + down) / step**2
    assert gamma * forward * deviation == pytest.approx(wanted.gammaForward() * forward * deviation, abs=1e-4)


@LAW
@given(FORWARDS, MONEYNESS, VOLS, st.integers(DAY_SECONDS, 2 * 365 * DAY_SECONDS), st.booleans())
def test_vega_and_theta_of_the_pricer_are_quantlibs(
    forward: float, moneyness: float, vol: float, seconds: int, is_call: bool
) -> None:
    """Theta by a minute each way, the forward held: sigma / (2 T) of what vega says of the volatility."""
    strike, years = forward * moneyness, seconds / YEAR_SECONDS
    wanted = calculator(forward, strike, vol, seconds, is_call)
    up, down = (worth(forward, strike, vol + by, seconds, is_call) for by in (1e-4, -1e-4))
    assert (up - down) / 2e-4 == pytest.approx(wanted.vega(years), abs=1e-5 * forward)
    assert float(black76.vega(forward, strike, vol * years**0.5, years)) == pytest.approx(wanted.vega(years), rel=1e-8)
    later, sooner = (worth(forward, strike, vol, seconds + by, is_call) for by in (-60.0, 60.0))
    theta = (later - sooner) / (120 / YEAR_SECONDS)
    assert theta == pytest.approx(-wanted.vega(years) * vol / (2 * years), rel=1e-5, abs=1e-5 * forward)


# -- the time to expiry ------------------------------------------------------------------------------------------------


def day_count(at_us: int, expires_us: int) -> float:
    """QuantLib's Actual/365 (Fixed) in whole days, and the rest of a day in seconds."""
    begin, end = (datetime.fromtimestamp(us // 10**6, UTC) for us in (at_us, expires_us))
    days = QuantLib.Actual365Fixed().yearFraction(*(QuantLib.Date(at.day, at.month, at.year) for at in (begin, end)))
    clocks = [(at - at.replace(hour=0, minute=0, second=0)).total_seconds() for at in (begin, end)]
    return float(days) + (clocks[1] - clocks[0]) / YEAR_SECONDS


@LAW
@given(st.integers(0, 3 * 365 * DAY_SECONDS), st.integers(60, 3 * 365 * DAY_SECONDS))
def test_time_to_expiry_is_actual_365_to_the_second(begins: int, seconds: int) -> None:
    """Over leap days and year ends too."""
    at_us = START_US + begins * 10**6
    found = quoted._years(at_us + seconds * 10**6, at_us)
    assert found == pytest.approx(day_count(at_us, at_us + seconds * 10**6), rel=1e-12, abs=1e-14)


@LAW
@given(FORWARDS, MONEYNESS, VOLS, SECONDS, st.booleans())
def test_the_last_minutes_have_time_value(
    forward: float, moneyness: float, vol: float, seconds: int, is_call: bool
) -> None:
    strike = forward * (1 + (moneyness - 1) * min(1.0, 3 * vol * (seconds / YEAR_SECONDS) ** 0.5))
    wanted = calculator(forward, strike, vol, seconds, is_call).value()
    found = worth(forward, strike, vol, seconds, is_call)
    assert found == pytest.approx(wanted, abs=1e-9 * forward)
    assert found > max((forward - strike) * (1 if is_call else -1), 0.0), "within three deviations it is not spent"


def test_on_the_day_of_expiry_a_whole_day_count_would_say_nothing_is_left() -> None:
    """QuantLib's date engine has no hours: at 10:00 of an expiry at 20:00 it is intrinsic, the product is not."""
    at_us = START_US - START_US % (DAY_SECONDS * 10**6) + 10 * 3_600 * 10**6
    expires_us = at_us + 10 * 3_600 * 10**6
    day = datetime.fromtimestamp(at_us // 10**6, UTC)
    date_of = QuantLib.Date(day.day, day.month, day.year)
    assert QuantLib.Actual365Fixed().yearFraction(date_of, date_of) == 0.0
    assert quoted._years(expires_us, at_us) == 10 * 3_600 / YEAR_SECONDS
    assert quoted._years(at_us - 1, at_us) == 0.0, "after it nothing is left"


# -- discounts and implied volatility, from marks ----------------------------------------------------------------------


def seen(strike: int, seconds: int, premium: float, spot: float) -> Published:
    """A call of one BTC, its mark and the index's."""
    reference = Reference()
    terms = option("CALL", strike, expires_at_us=START_US + seconds * 10**6)
    reference.instruments[NAME] = instrument(NAME, terms)
    marks = Marks()
    for name, price in ((NAME, premium), ("BTC-USDT", spot)):
        marks.newest[name] = m.MarkPublished(some_meta(), name, round(price * E8), 1, 1, "a", 1, START_US, 0)
    return Published(marks, reference, START_US)


@LAW
@given(st.floats(0.8, 1.25), st.floats(0.2, 1.5), st.integers(DAY_SECONDS, 2 * 365 * DAY_SECONDS), QUARTERS)
@pytest.mark.parametrize("model", [V1.name, V2.name])
def test_the_volatility_of_a_mark_gives_quantlibs_discounted_value(
    model: str, moneyness: float, vol: float, seconds: int, quarter: float
) -> None:
    """V2 discounts from expiry, which is when an option settles; V1 does not."""
    spot, rate, strike = 60_000.0, quarter / 10, round(60_000 * moneyness)
    forward = spot * float(np.exp(rate * seconds / YEAR_SECONDS))
    premium = calculator(forward, strike, vol, seconds, True, rate if model == V2.name else 0.0).value()
    if premium - max(forward - strike, 0.0) < 1.0:
        return
    known = seen(strike, seconds, premium, spot)
    named = m.MarginClass("c", model, 1, "{}", round(rate * E8))
    terms = known.reference.instruments[NAME].contract
    assert terms is not None
    found, _ = quoted.market_of([quoted.quoted(NAME, terms, named, known)], named, known, {})
    assert found.expiry("BTC", terms.expires_at_us or 0).forward.value == pytest.approx(forward, rel=1e-12)
    assert found.vol(NAME).value == pytest.approx(vol, abs=1e-6)


# -- days on which money is due ----------------------------------------------------------------------------------------


@LAW
@given(st.integers(0, 20 * 365 * DAY_SECONDS * 10**6), st.integers(-3, 3))
def test_value_dates_follow_each_other_as_quantlibs_calendar_days_do(since_us: int, netted_days: int) -> None:
    """Of what says nothing: today where nothing of it is netted, else the day after what is; every day counts."""
    at_us = START_US + since_us
    today = datetime.fromtimestamp(at_us // 10**6, UTC).date()
    netted = today + timedelta(days=netted_days)
    found = date.fromisoformat(payments.unsaid(Payments({}, netted.isoformat()), "USDT", at_us))
    calendar, last = QuantLib.NullCalendar(), QuantLib.Date(netted.day, netted.month, netted.year)
    after = calendar.advance(last, 1, QuantLib.Days)
    wanted = max(QuantLib.Date(today.day, today.month, today.year), after)
    assert (found.day, found.month, found.year) == (wanted.dayOfMonth(), int(wanted.month()), wanted.year())
