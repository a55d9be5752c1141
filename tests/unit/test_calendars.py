"""Value dates by business days, held to QuantLib's calendars; and what is no calendar."""

from datetime import date, timedelta

import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.settlement_days import calendar as problems
from tests.unit.contract_desk import instrument, terms
from tests.unit.desk import LAW
from truetape import calendars
from truetape import messages as m
from truetape.reference import Reference

START = date(2026, 11, 27)
"""A Friday."""
DAYS = st.integers(0, 400).map(lambda number: (START + timedelta(days=number)).isoformat())
WEEKENDS = st.sampled_from([(), (6, 7), (5, 6), (7,)])
QUANTLIB_DAY = {1: QuantLib.Monday, 5: QuantLib.Friday, 6: QuantLib.Saturday, 7: QuantLib.Sunday}


def usd(weekend: tuple[int, ...] = (6, 7), holidays: tuple[str, ...] = (), lag_days: int = 2) -> m.SettlementCalendar:
    return m.SettlementCalendar("USD", 1, lag_days, weekend, holidays)


def quantlib(weekend: tuple[int, ...], holidays: list[str]) -> QuantLib.Calendar:
    made = QuantLib.BespokeCalendar("x")
    for day in weekend:
        made.addWeekend(QUANTLIB_DAY[day])
    for text in holidays:
        made.addHoliday(quantlib_date(text))
    return made


def quantlib_date(text: str) -> QuantLib.Date:
    day = date.fromisoformat(text)
    return QuantLib.Date(day.day, day.month, day.year)


@LAW
@given(DAYS, st.integers(0, 5), WEEKENDS, st.lists(DAYS, max_size=25, unique=True))
def test_value_dates_are_quantlibs(
    booked_on: str, lag_days: int, weekend: tuple[int, ...], holidays: list[str]
) -> None:
    oracle = quantlib(weekend, holidays)
    day = quantlib_date(booked_on)
    wanted = oracle.advance(day, lag_days, QuantLib.Days) if lag_days else oracle.adjust(day, QuantLib.Following)
    found = calendars.value_date(usd(weekend, tuple(holidays)), lag_days, booked_on)
    assert quantlib_date(found) == wanted
    following = calendars.next_business_day(usd(weekend, tuple(holidays)), booked_on)
    assert quantlib_date(following) == oracle.advance(day, 1, QuantLib.Days)


@LAW
@given(st.integers(0, 2_000), st.integers(0, 5))
def test_the_dollars_calendar_is_quantlibs_for_the_united_states(number: int, lag_days: int) -> None:
    """Its holidays as reference data: weekends and the Federal Reserve's days."""
    oracle, day = QuantLib.UnitedStates(QuantLib.UnitedStates.FederalReserve), START + timedelta(days=number)
    listed = oracle.holidayList(
        quantlib_date(day.isoformat()), quantlib_date((day + timedelta(days=60)).isoformat()), False
    )
    holidays = tuple(f"{one.year()}-{int(one.month()):02}-{one.dayOfMonth():02}" for one in listed)
    found = calendars.value_date(usd(holidays=holidays), lag_days, day.isoformat())
    start = quantlib_date(day.isoformat())
    wanted = oracle.advance(start, lag_days, QuantLib.Days) if lag_days else oracle.adjust(start, QuantLib.Following)
    assert quantlib_date(found) == wanted


@pytest.mark.parametrize(
    ("booked_on", "lag_days", "value_date"),
    [
        ("2026-11-27", 0, "2026-11-27"),  # Friday
        ("2026-11-28", 0, "2026-11-30"),  # Saturday is paid on Monday.
        ("2026-11-27", 1, "2026-11-30"),
        ("2026-11-28", 1, "2026-11-30"),
        ("2026-11-27", 2, "2026-12-01"),
        ("2026-12-23", 2, "2026-12-28"),  # Christmas is a Friday.
    ],
)
def test_days_that_a_person_can_check(booked_on: str, lag_days: int, value_date: str) -> None:
    assert calendars.value_date(usd(holidays=("2026-12-25",)), lag_days, booked_on) == value_date


def test_a_contract_may_have_a_lag_of_its_own() -> None:
    reference = Reference(calendars={"USDT": m.SettlementCalendar("USDT", 1, 2, (6, 7), ())})
    plain = instrument("BTC-USDT-PERP", terms())
    reference.instruments["plain"] = plain
    assert calendars.lag_of(reference, "plain", "USDT") == calendars.least_lag(reference, "USDT") == 2
    fields = {name: getattr(plain, name) for name in plain.__struct_fields__} | {"settlement_lag_days": 1}
    reference.instruments["quick"] = m.Instrument(**fields)
    assert (calendars.lag_of(reference, "quick", "USDT"), calendars.least_lag(reference, "USDT")) == (1, 1)
    assert calendars.least_lag(reference, "EUR") == 0, "an asset without a calendar is paid on every day"


YEAR = tuple((START + timedelta(days=number)).isoformat() for number in range(40))
FROM_MONDAY = tuple((START + timedelta(days=3 + number)).isoformat() for number in range(29))
"""With the weekend before them 31 days."""


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, ""),
        ({"asset": "usd"}, "asset must be"),
        ({"version": 2}, "must be version 1"),
        ({"lag_days": -1}, "lag_days must be"),
        ({"lag_days": 31}, "lag_days must be"),
        ({"weekend": (0,)}, "weekend must"),
        ({"weekend": (6, 6)}, "weekend must"),
        ({"weekend": (1, 2, 3, 4, 5, 6, 7)}, "weekend must"),
        ({"holidays": ("25.12.2026",)}, "holidays must be days"),
        ({"holidays": ("20261225",)}, "holidays must be days"),
        ({"holidays": ("2026-12-25", "2026-12-25")}, "each once"),
        ({"holidays": YEAR}, "days in a row"),
        ({"holidays": FROM_MONDAY}, "days in a row"),
        ({"holidays": FROM_MONDAY[:27]}, ""),
        ({"holidays": ("9999-12-31",)}, "from 1970 to 2999"),
        ({"holidays": ("0001-01-01",)}, "from 1970 to 2999"),
    ],
)
def test_what_is_no_calendar_is_refused_by_name(changes: dict[str, object], wrong: str) -> None:
    plain = usd()
    made = m.SettlementCalendar(**{name: getattr(plain, name) for name in plain.__struct_fields__} | changes)
    found = list(problems(Reference(), m.SetSettlementCalendar("c", "desk", made), 0))
    assert bool(found) == bool(wrong) and all(wrong in one for one in found[:1])
