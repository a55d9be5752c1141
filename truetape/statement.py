"""The statement of an account for a day: what it had, every line of every entry, what it has. From entries alone.

A day is the entries *booked* in it (UTC), so that a statement never changes once its day is over: what happened on a
day and was booked on the next is on the next one's statement, with both times. One day's closing is the next one's
opening.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from itertools import chain
from typing import Any, Final

from msgspec import Struct

from truetape import calendars, cuts
from truetape.errors import SetupError
from truetape.messages import EntryBooked
from truetape.money import from_e8
from truetape.sheets import sheet

DAY_US: Final = 86_400_000_000
COLUMNS: Final = (
    "booked_at", "transacted_at", "entry_id", "kind", "purpose", "asset", "amount", "balance", "reference", "rule",
)  # fmt: skip


class Booked(Struct, frozen=True):
    """One line of the account, as an entry has it."""

    entry_id: str
    kind: str
    rule: str
    reference: str
    """The fill, transfer, order or corrected entry that it belongs to; empty when none."""
    asset: str
    amount_e8: int
    purpose: str
    booked_at_us: int
    transacted_at_us: int


class Row(Struct, frozen=True):
    """A line with the balance of its asset after it."""

    line: Booked
    balance_e8: int


class Total(Struct, frozen=True):
    """One asset over the day. opening + entries = closing."""

    asset: str
    opening_e8: int
    entries_e8: int
    closing_e8: int


class Sides(Struct, frozen=True):
    """How a position in a contract is cut at the end of the day, by the account's own terms (truetape/cuts.py)."""

    instrument_id: str
    positions: str
    costs: str
    long_e8: int
    short_e8: int
    """Negative."""


class Statement(Struct, frozen=True):
    """A day of an account."""

    account_id: str
    day: str
    totals: tuple[Total, ...]
    rows: tuple[Row, ...]
    sides: tuple[Sides, ...] = ()
    """Of contracts that are open under terms of the account's own."""


def span_of(day: str) -> tuple[int, int]:
    """First microsecond of a day in UTC, and of the next. Raises SetupError for what is no day."""
    try:
        found = calendars.parsed(day)
    except ValueError as error:
        raise SetupError(f"{day[:40]!r} is no day such as 2026-11-26") from error
    start_us = int(datetime.combine(found, time(), UTC).timestamp()) * 1_000_000
    return start_us, start_us + DAY_US


def lines_of(account_id: str, entry: EntryBooked) -> Iterator[Booked]:
    """What an entry moves on the account itself; the mirrors' and the house's lines are not the client's."""
    reference = entry.execution_id or entry.external_reference or entry.corrects or entry.order_id or ""
    for line in entry.lines:
        if line.account == f"client:{account_id}":
            yield Booked(
                entry.entry_id, entry.kind, entry.rule, reference, line.asset, line.amount_e8, line.purpose,
                entry.meta.decided_at_us, entry.transacted_at_us,
            )  # fmt: skip


def from_events(account_id: str, day: str, events: Iterable[Any]) -> Statement:
    """The statement with its sides, from all records of the account's partition of clearing.entries in their order.

    Raises SetupError for what is no day.
    """
    span, opening, lines = span_of(day), dict[str, int](), list[Booked]()

    def until_the_end() -> Iterator[Any]:
        for event in events:
            if isinstance(event, EntryBooked) and event.account_id == account_id:
                _collect(opening, lines, account_id, event, span)
            if event.meta.decided_at_us < span[1]:
                yield event

    found = cuts.folded(until_the_end(), account_id)
    return build(account_id, day, opening, lines, sides_of(found))


def sides_of(found: Mapping[str, cuts.Cut]) -> tuple[Sides, ...]:
    """Cuts that are open, by contract."""
    return tuple(
        Sides(name, cut.positions, cut.costs, cut.long_e8, cut.short_e8)
        for name, cut in sorted(found.items())
        if cut.long or cut.short
    )


def from_entries(account_id: str, day: str, entries: Iterable[EntryBooked]) -> Statement:
    """The statement, from the account's entries in the order of the tape. Raises SetupError for what is no day."""
    span, opening, lines = span_of(day), dict[str, int](), list[Booked]()
    for entry in entries:
        _collect(opening, lines, account_id, entry, span)
    return build(account_id, day, opening, lines)


def _collect(
    opening: dict[str, int], lines: list[Booked], account_id: str, entry: EntryBooked, span: tuple[int, int]
) -> None:
    """What an entry adds to the opening balances, or to the day's lines."""
    for line in lines_of(account_id, entry):
        if line.booked_at_us < span[0]:
            opening[line.asset] = opening.get(line.asset, 0) + line.amount_e8
        elif line.booked_at_us < span[1]:
            lines.append(line)


def build(
    account_id: str, day: str, opening: Mapping[str, int], lines: Iterable[Booked], sides: Sequence[Sides] = ()
) -> Statement:
    """The statement of these opening balances and lines; assets that were never touched are left out."""
    balances = dict(opening)
    rows = []
    for line in lines:
        balances[line.asset] = balances.get(line.asset, 0) + line.amount_e8
        rows.append(Row(line, balances[line.asset]))
    totals = tuple(
        Total(asset, opening.get(asset, 0), balances[asset] - opening.get(asset, 0), balances[asset])
        for asset in sorted(balances)
    )
    for total in totals:
        moved_e8 = sum(row.line.amount_e8 for row in rows if row.line.asset == total.asset)
        assert total.opening_e8 + moved_e8 == total.closing_e8, "opening and entries make the closing"
    return Statement(account_id, day, totals, tuple(rows), tuple(sides))


def plain(statement: Statement) -> dict[str, object]:
    """As JSON: decimals are strings, times ISO 8601."""
    return {
        "account_id": statement.account_id,
        "day": statement.day,
        "totals": [
            {
                "asset": total.asset, "opening": from_e8(total.opening_e8), "entries": from_e8(total.entries_e8),
                "closing": from_e8(total.closing_e8),
            }
            for total in statement.totals
        ],
        "lines": [dict(zip(COLUMNS, cells(row), strict=True)) for row in statement.rows],
        "sides": [shown(one) for one in statement.sides],
    }  # fmt: skip


def shown(one: Sides) -> dict[str, str]:
    """As JSON: decimals are strings."""
    return {
        "instrument_id": one.instrument_id, "positions": one.positions, "costs": one.costs,
        "long": from_e8(one.long_e8), "short": from_e8(one.short_e8),
    }  # fmt: skip


def cells(row: Row) -> tuple[str, ...]:
    """One row as text, in the order of COLUMNS."""
    line = row.line
    return (
        moment(line.booked_at_us), moment(line.transacted_at_us), line.entry_id, line.kind, line.purpose, line.asset,
        from_e8(line.amount_e8), from_e8(row.balance_e8), line.reference, line.rule,
    )  # fmt: skip


def moment(at_us: int) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    seconds, rest = divmod(at_us, 1_000_000)
    at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def as_csv(statement: Statement) -> str:
    """One row per line between one OPENING and one CLOSING row per asset, so that a spreadsheet can add it up; then a
    LONG and a SHORT row for each contract that is cut by the account's own terms."""
    openings = (_bound("OPENING", total.asset, total.opening_e8) for total in statement.totals)
    closings = (_bound("CLOSING", total.asset, total.closing_e8) for total in statement.totals)
    sides = chain.from_iterable(map(_sides, statement.sides))
    return sheet(COLUMNS, chain(openings, map(cells, statement.rows), closings, sides))


def _sides(one: Sides) -> Iterator[list[str]]:
    for kind, quantity_e8 in (("LONG", one.long_e8), ("SHORT", one.short_e8)):
        yield [*_bound(kind, one.instrument_id, quantity_e8)[:-1], f"{one.positions} {one.costs}"]


def _bound(kind: str, asset: str, balance_e8: int) -> list[str]:
    return ["", "", "", kind, "", asset, "", from_e8(balance_e8), "", ""]
