"""What an account traded in the 30 days before, and which fee tier that reaches. Kept from clearing's own entries.

A day is a day of booking in UTC, and the day itself does not count: a tier holds from midnight to midnight, so two
fills of a day meet the same rates in whatever order they come. Spot counts in its quote asset, contracts in their
settlement asset, an option by its premium. A trade that is taken back does not count any more.
"""

from typing import Final

from truetape.messages import EntryBooked, Fees, FeeTier
from truetape.money import MAX_E8

DAY_US: Final = 86_400_000_000
DAYS: Final = 30

Volumes = dict[str, list[tuple[int, int]]]
"""By asset: day since 1970 and notional in 1e-8, oldest first; at most DAYS + 1 days."""


def add(volumes: Volumes, entry: EntryBooked) -> None:
    """A trade was booked."""
    asset, notional_e8 = _traded(entry)
    if not notional_e8:
        return
    day, days = entry.meta.decided_at_us // DAY_US, volumes.get(asset)
    if days and days[-1][0] == day:
        days[-1] = (day, min(days[-1][1] + notional_e8, MAX_E8))
        return
    known = dict(days or ())
    known[day] = min(known.get(day, 0) + notional_e8, MAX_E8)
    volumes[asset] = sorted(known.items())[-DAYS - 1 :]


def take_back(volumes: Volumes, entry: EntryBooked) -> None:
    """A trade was taken back: its notional is no more, on its own day where the entry says which (of contracts), else
    on the newest days that have some."""
    asset, notional_e8 = _traded(entry)
    known, traded_us = dict(volumes.get(asset, ())), None
    if entry.contract is not None:
        traded_us = entry.contract.numbers.get("traded_at_us")
    days = sorted(known, reverse=True) if traded_us is None else [traded_us // DAY_US]
    left_e8 = abs(notional_e8)
    for day in days:
        taken_e8 = min(left_e8, known.get(day, 0))
        left_e8 -= taken_e8
        if taken_e8:
            known[day] -= taken_e8
    if known:
        volumes[asset] = sorted((day, e8) for day, e8 in known.items() if e8)


def fees_now(fees: Fees, volumes: Volumes, at_us: int) -> Fees:
    """The rates that an account meets today: of the tiers that it reached those with the lowest taker rate, of equal
    ones the lowest maker rate; else its base rates."""
    reached = [tier for tier in fees.tiers if volume(volumes, tier.asset, at_us) >= tier.volume_e8]
    if not reached:
        return fees
    best = min(reached, key=_rates)
    return Fees(best.maker_rate_e8, best.taker_rate_e8)


def volume(volumes: Volumes, asset: str, at_us: int) -> int:
    """Notional of an asset on the DAYS days before today."""
    today = at_us // DAY_US
    return sum(e8 for day, e8 in volumes.get(asset, ()) if today - DAYS <= day < today)


def _rates(tier: FeeTier) -> tuple[int, int]:
    return tier.taker_rate_e8, tier.maker_rate_e8


def _traded(entry: EntryBooked) -> tuple[str, int]:
    if entry.contract is not None:
        return entry.contract.settlement_asset, entry.contract.numbers.get("notional_e8", 0)
    return entry.lines[1].asset, abs(entry.lines[1].amount_e8)
