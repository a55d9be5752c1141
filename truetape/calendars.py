"""Settlement calendars: on which days an asset is paid, and the value date of what is booked on a day.

Days are UTC, ISO 8601. The value date is the lag in business days after the day of booking; with no lag, that day
itself or the first business day after it. It is what QuantLib's `Calendar.advance` and `adjust` (Following) say, which
tests/unit/test_calendars.py holds it to.
"""

from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

from truetape.messages import Instrument, SettlementCalendar
from truetape.reference import Reference

EVERY_DAY: Final = SettlementCalendar(asset="", version=0, lag_days=0, weekend=(), holidays=())
"""Of an asset without one: paid on every day, on the day of booking."""
DAY: Final = timedelta(days=1)
LAG_MAX: Final = 30
"""Longest lag in business days."""
GAP_MAX: Final = 31
"""More days than this in a row without payments are no calendar, but a mistake."""
HOLIDAYS_MAX: Final = 2_000
EPOCH: Final = date(1970, 1, 1)
_DAY_US: Final = 86_400_000_000


def calendar_of(reference: Reference, asset: str) -> SettlementCalendar:
    """The asset's calendar; EVERY_DAY where none is set."""
    return reference.calendars.get(asset, EVERY_DAY)


def lag_of(reference: Reference, instrument_id: str, asset: str) -> int:
    """Business days from booking to value date: the instrument's own, else the asset's."""
    instrument = reference.instruments.get(instrument_id)
    own = instrument.settlement_lag_days if instrument is not None else None
    return calendar_of(reference, asset).lag_days if own is None else own


def least_lag(reference: Reference, asset: str) -> int:
    """The shortest lag of anything that pays in the asset."""
    own = [one.settlement_lag_days for one in reference.instruments.values() if _pays_in(one, asset)]
    return min([calendar_of(reference, asset).lag_days, *(lag for lag in own if lag is not None)])


def _pays_in(one: Instrument, asset: str) -> bool:
    return one.contract is not None and one.contract.settlement_asset == asset


def parsed(day: str) -> date:
    """A day such as 2026-11-26. Raises ValueError, also for ISO 8601's other forms: days are compared as texts."""
    found = date.fromisoformat(day)
    if found.isoformat() != day:
        raise ValueError(f"{day!r} is not written as {found.isoformat()}")
    return found


def day_of(at_us: int) -> str:
    """The UTC day of a moment."""
    return (EPOCH + timedelta(days=at_us // _DAY_US)).isoformat()


def is_business_day(calendar: SettlementCalendar, day: date) -> bool:
    """Whether the asset is paid on a day."""
    return day.isoweekday() not in calendar.weekend and day.isoformat() not in calendar.holidays


@lru_cache(maxsize=1_024)
def _value_date(weekend: tuple[int, ...], holidays: tuple[str, ...], lag_days: int, booked_on: str) -> str:
    calendar = SettlementCalendar("", 0, lag_days, weekend, holidays)
    day = date.fromisoformat(booked_on)
    if not lag_days:
        return adjusted(calendar, day).isoformat()
    for _ in range(lag_days):
        day = adjusted(calendar, day + DAY)
    return day.isoformat()


def adjusted(calendar: SettlementCalendar, day: date) -> date:
    """The day, or the first business day after it."""
    for _ in range(GAP_MAX):
        if is_business_day(calendar, day):
            return day
        day += DAY
    raise AssertionError(f"no business day within {GAP_MAX} days of {day}: the gateway refuses such a calendar")


def value_date(calendar: SettlementCalendar, lag_days: int, booked_on: str) -> str:
    """When something that is booked on a day is paid."""
    return _value_date(tuple(calendar.weekend), tuple(calendar.holidays), lag_days, booked_on)


def next_business_day(calendar: SettlementCalendar, day: str) -> str:
    """The first business day after a day."""
    return adjusted(calendar, date.fromisoformat(day) + DAY).isoformat()


def calendar_from(content: dict[str, Any]) -> SettlementCalendar:
    """A calendar from its JSON. Raises KeyError, TypeError, ValueError."""
    said: dict[str, Any] = {"lag_days": 0, "weekend": [], "holidays": []} | content
    if unknown := said.keys() - set(SettlementCalendar.__struct_fields__):
        raise ValueError(f"there is no {', '.join(sorted(unknown))}")
    return SettlementCalendar(
        str(said["asset"]), int(said["version"]), int(said["lag_days"]), tuple(map(int, said["weekend"])),
        tuple(map(str, said["holidays"])),
    )  # fmt: skip
