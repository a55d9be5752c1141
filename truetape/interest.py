"""Open interest and concentration: who holds how much of an instrument. From entries alone."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from truetape.messages import EntryBooked
from truetape.money import ONE_E8, divide, from_e8
from truetape.sheets import sheet

HOLDERS_SHOWN: Final = 10
LARGEST: Final = 5
Held = Mapping[tuple[str, str], int]
"""Signed quantity by account and instrument."""
COLUMNS: Final = (
    "instrument_id", "open_interest", "longs", "shorts", "long", "short", "net", "largest_account", "largest_share",
    "five_largest_share", "concentration_index",
)  # fmt: skip


class Holder(Struct, frozen=True):
    """One account's part of one side."""

    account_id: str
    quantity_e8: int
    """Signed."""
    share_e8: int
    """Of all that is open on its side; 1e8 is everything. Rounded down."""


class Interest(Struct, frozen=True):
    """One instrument: what is open, and how it is spread."""

    instrument_id: str
    long_e8: int
    short_e8: int
    """Positive. Where contracts have two sides it equals long_e8."""
    longs: int
    """Accounts that are long."""
    shorts: int
    holders: tuple[Holder, ...]
    """The largest of both sides, the largest first."""
    index_e8: int
    """Herfindahl-Hirschman index of the larger side: the sum of squared shares; 1e8 when one account holds all."""
    largest: tuple[Holder, ...]
    """The five largest of the larger side, also where the other side's are larger."""

    @property
    def open_e8(self) -> int:
        """Open interest: the larger side. For contracts both are equal; of spot there is one side alone."""
        return max(self.long_e8, self.short_e8)

    @property
    def net_e8(self) -> int:
        """Long less short: what the other side of the clients (venues, the house) holds."""
        return self.long_e8 - self.short_e8


def held_by(entries: Iterable[EntryBooked]) -> dict[tuple[str, str], int]:
    """The newest position of each account and instrument, from entries in the order of the tape."""
    found: dict[tuple[str, str], int] = {}
    for entry in entries:
        if entry.position is not None:
            found[entry.account_id, entry.position.instrument_id] = entry.position.quantity_e8
    return found


def interest(held: Held, holders: int = HOLDERS_SHOWN) -> list[Interest]:
    """Every instrument of which anybody holds anything, by id."""
    by_instrument: dict[str, list[tuple[str, int]]] = {}
    for (account_id, instrument_id), quantity_e8 in sorted(held.items()):
        if quantity_e8:
            by_instrument.setdefault(instrument_id, []).append((account_id, quantity_e8))
    return [_interest(instrument_id, by_instrument[instrument_id], holders) for instrument_id in sorted(by_instrument)]


def _interest(instrument_id: str, held: list[tuple[str, int]], holders: int) -> Interest:
    longs = [(account_id, e8) for account_id, e8 in held if e8 > 0]
    shorts = [(account_id, e8) for account_id, e8 in held if e8 < 0]
    long_e8, short_e8 = sum(e8 for _, e8 in longs), -sum(e8 for _, e8 in shorts)
    larger, whole_e8 = (longs, long_e8) if long_e8 >= short_e8 else (shorts, short_e8)
    index_e8 = divide(sum(e8 * e8 for _, e8 in larger) * ONE_E8, whole_e8 * whole_e8, "half_even")[0]
    return Interest(
        instrument_id, long_e8, short_e8, len(longs), len(shorts), _largest(held, long_e8, short_e8, holders), index_e8,
        _largest(larger, long_e8, short_e8, LARGEST),
    )  # fmt: skip


def _largest(held: list[tuple[str, int]], long_e8: int, short_e8: int, count: int) -> tuple[Holder, ...]:
    """So many, the largest first, equal ones by id; each with its share of its side."""
    ranked = sorted(held, key=lambda one: (-abs(one[1]), one[0]))[:count]
    return tuple(Holder(who, e8, abs(e8) * ONE_E8 // (long_e8 if e8 > 0 else short_e8)) for who, e8 in ranked)


def plain(found: Iterable[Interest]) -> list[dict[str, Any]]:
    """As JSON: quantities and shares are decimal strings, shares as parts of one."""
    return [
        dict(zip(COLUMNS, cells(one), strict=True))
        | {
            "holders": [
                {
                    "account_id": holder.account_id, "quantity": from_e8(holder.quantity_e8),
                    "share": from_e8(holder.share_e8),
                }
                for holder in one.holders
            ]
        }
        for one in found
    ]  # fmt: skip


def cells(one: Interest) -> tuple[str, ...]:
    """One instrument as text, in the order of COLUMNS. Shares are of the larger side."""
    return (
        one.instrument_id, from_e8(one.open_e8), str(one.longs), str(one.shorts), from_e8(one.long_e8),
        from_e8(one.short_e8), from_e8(one.net_e8), one.largest[0].account_id, from_e8(one.largest[0].share_e8),
        from_e8(sum(holder.share_e8 for holder in one.largest)), from_e8(one.index_e8),
    )  # fmt: skip


def as_csv(found: Iterable[Interest]) -> str:
    """One row per instrument."""
    return sheet(COLUMNS, map(cells, found))
