"""What may be wrong with a settlement calendar, and with an instrument's own lag and mark."""

from collections.abc import Iterator
from datetime import date

from services.gateway.contracts import ASSET
from truetape import messages as m
from truetape.calendars import DAY, GAP_MAX, HOLIDAYS_MAX, LAG_MAX, is_business_day
from truetape.money import ONE_E8
from truetape.reference import Reference


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
    if len(weekend) < len(new.weekend) or not weekend <= set(range(1, 8)) or len(weekend) == 7:
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
    if any(day.isoformat() != text for day, text in zip(days, new.holidays, strict=True)):
        yield "holidays must be days such as 2026-12-25"
        return
    yield from (f"more than {GAP_MAX} days in a row from {one} have no payments" for one in days if _gap(new, one))


def _gap(new: m.SettlementCalendar, day: date) -> bool:
    return not any(is_business_day(new, day + number * DAY) for number in range(GAP_MAX))


def of_instrument(new: m.Instrument) -> Iterator[str]:
    """What is wrong with how an instrument is marked and settled."""
    lag_days, marking = new.settlement_lag_days, new.marking
    if lag_days is not None and not (new.contract is not None and 0 <= lag_days <= LAG_MAX):
        yield f"settlement_lag_days must be from 0 to {LAG_MAX}, and of a contract"
    if marking is not None and not 1 <= marking.venues_least <= max(len(new.listings), 1):
        yield "marking.venues_least must be from 1 to the number of listings, or there would never be a mark"
    if marking is not None and not 0 < marking.outlier_rate_e8 < ONE_E8:
        yield "marking.outlier_rate must be above 0 and below 1"
