"""What may be wrong with a settlement calendar, and with an instrument's own lag and mark."""

from collections.abc import Iterator
from datetime import date
from typing import Final

from services.gateway.contracts import ASSET
from truetape import messages as m
from truetape.calendars import DAY, GAP_MAX, HOLIDAYS_MAX, LAG_MAX
from truetape.money import ONE_E8
from truetape.reference import Reference

YEARS: Final = range(1970, 3_000)
"""Of holidays: days near the ends of what a date can be have none before or after them."""
WEEKEND_MAX: Final = 6


def calendar(reference: Reference, command: m.SetSettlementCalendar, _: int) -> Iterator[str]:
    """What is wrong with an asset's calendar."""
    new = command.calendar
    if not ASSET.fullmatch(new.asset):
        yield "asset must be 1 to 20 capitals and digits"
    known = reference.calendars.get(new.asset)
    if new.version != (now := known.version if known is not None else 0) + 1:
        yield f"version {now} is in force, so this must be version {now + 1}: look at what has changed"
    if not 0 <= new.lag_days <= LAG_MAX:
        yield f"lag_days must be from 0 to {LAG_MAX}"
    weekend = set(new.weekend)
    if len(weekend) < len(new.weekend) or not weekend <= set(range(1, 8)) or len(weekend) > WEEKEND_MAX:
        yield "weekend must name at most six days from 1 (Monday) to 7, each once"
        return
    if len(new.holidays) > HOLIDAYS_MAX or len(set(new.holidays)) < len(new.holidays):
        yield f"holidays must be at most {HOLIDAYS_MAX}, each once"
        return
    try:
        days = [date.fromisoformat(one) for one in new.holidays]
    except ValueError:
        yield "holidays must be days such as 2026-12-25"
        return
    if any(day.isoformat() != text or day.year not in YEARS for day, text in zip(days, new.holidays, strict=True)):
        yield f"holidays must be days such as 2026-12-25, from {YEARS.start} to {YEARS.stop - 1}"
        return
    closed = set(days)
    for one in days:
        if _gap(weekend, closed, one):
            yield f"{GAP_MAX} days in a row or more, at {one}, have no payments"


def _gap(weekend: set[int], closed: set[date], day: date) -> bool:
    """Whether from a holiday on, or from a weekend that leads to it, too many days have no payments."""
    paid = [
        one.isoweekday() not in weekend and one not in closed
        for one in (day + number * DAY for number in range(-WEEKEND_MAX, GAP_MAX))
    ]
    return any(not any(paid[start : start + GAP_MAX]) for start in range(WEEKEND_MAX + 1))


def of_instrument(new: m.Instrument) -> Iterator[str]:
    """What is wrong with how an instrument is marked and settled."""
    lag_days, marking = new.settlement_lag_days, new.marking
    if lag_days is not None and not (new.contract is not None and 0 <= lag_days <= LAG_MAX):
        yield f"settlement_lag_days must be from 0 to {LAG_MAX}, and of a contract"
    if marking is not None and not 1 <= marking.venues_least <= max(len(new.listings), 1):
        yield "marking.venues_least must be from 1 to the number of listings, or there would never be a mark"
    if marking is not None and not 0 < marking.outlier_rate_e8 < ONE_E8:
        yield "marking.outlier_rate must be above 0 and below 1"
