"""Statements and open interest, from entries that clearing itself booked; hledger comes to the same closing."""

import csv
import io
import json
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from services.gateway import otcview
from tests.unit.day import ACCOUNTS, DAY_US, PAIRS, Day
from tests.unit.test_journal import hledger, needs_hledger
from truetape import api_reports as api
from truetape import api_trades, interest, journal, sheets, statement
from truetape import messages as m
from truetape.commands import interest as interest_command
from truetape.commands import statement as statement_command
from truetape.errors import SetupError
from truetape.interest import Holder, Interest
from truetape.money import from_e8, to_e8
from truetape.statement import Statement

TODAY = statement.moment(DAY_US)[:10]


def days(day: Day, account: str, count: int = 4) -> list[Statement]:
    """The statements of consecutive days, the first one before anything was booked."""
    first = date.fromisoformat(TODAY) - timedelta(1)
    entries = [entry for entry in day.entries if entry.account_id == account]
    return [statement.from_entries(account, str(first + timedelta(number)), entries) for number in range(count)]


@pytest.mark.parametrize("account", ACCOUNTS)
def test_opening_and_every_entry_make_the_closing_and_the_next_opening(account: str) -> None:
    day = Day(11, 120, seconds_between=1_500)
    found = days(day, account)
    assert found[0].totals == () and found[0].rows == ()
    for one in found:
        for total in one.totals:
            moved = [row for row in one.rows if row.line.asset == total.asset]
            assert total.opening_e8 + sum(row.line.amount_e8 for row in moved) == total.closing_e8
            assert not moved or moved[-1].balance_e8 == total.closing_e8
    for one, after in pairwise(found):
        assert {x.asset: x.closing_e8 for x in one.totals if x.closing_e8}.items() <= {
            x.asset: x.opening_e8 for x in after.totals
        }.items()
    closing = {total.asset: total.closing_e8 for total in found[-1].totals}
    assert closing == day.state.balances[f"client:{account}"], "clearing's own balances"
    lines = sum(line.account == f"client:{account}" for entry in day.entries for line in entry.lines)
    assert sum(len(one.rows) for one in found) == lines > 20
    assert len([one for one in found if one.rows]) >= 2, "the day ends in the middle of the entries"


def test_a_day_is_what_was_booked_in_it_to_the_microsecond() -> None:
    day = Day(3, 5)
    [entry] = [entry for entry in day.entries if entry.meta.sequence == 3]
    start_us, end_us = statement.span_of(TODAY)
    for at_us, counted in ((start_us - 1, 0), (start_us, 1), (end_us - 1, 1), (end_us, 0)):
        moved = msgspec.structs.replace(entry, meta=msgspec.structs.replace(entry.meta, decided_at_us=at_us))
        found = statement.from_entries(entry.account_id, TODAY, [moved])
        assert bool(found.rows) == bool(counted)
        assert bool(any(total.opening_e8 for total in found.totals)) == (at_us < start_us)


@pytest.mark.parametrize("day", ["yesterday", "2026-11-31", "", "2026-11-26T00:00:00", "20261126", "2026-W48-4"])
def test_what_is_no_day_is_refused(day: str) -> None:
    with pytest.raises(SetupError, match="is no day such as"):
        statement.from_entries("ann", day, [])


def test_json_is_the_apis_answer_and_csv_adds_up() -> None:
    day = Day(5, 80)
    found = statement.from_entries("ann", TODAY, [entry for entry in day.entries if entry.account_id == "ann"])
    answer = msgspec.convert(json.loads(json.dumps(statement.plain(found))), api.Statement)
    assert [(x.asset, x.closing) for x in answer.totals] == [(x.asset, from_e8(x.closing_e8)) for x in found.totals]
    rows = list(csv.DictReader(io.StringIO(statement.as_csv(found))))
    for total in found.totals:
        mine = [row for row in rows if row["asset"] == total.asset]
        assert (mine[0]["kind"], mine[-1]["kind"]) == ("OPENING", "CLOSING")
        moved = sum(to_e8(row["amount"]) for row in mine[1:-1])
        assert to_e8(mine[0]["balance"]) + moved == to_e8(mine[-1]["balance"])


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "@x", "-cmd", "\t=1", "-1+1|cmd", "-2:A1", "-1.5-1", "-1\n=1", "-\u0663", "-1.", "\n=1"]
)
def test_others_words_are_no_formulas(cell: str) -> None:
    assert sheets.guarded(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["-12.5", "-0.00000001", "-1e-05", "12", "wire 7", "", "2026-11-26", "a-1+1"])
def test_numbers_and_words_stay_as_they_are(cell: str) -> None:
    assert sheets.guarded(cell) == cell


@needs_hledger
def test_hledger_comes_to_the_same_closing(tmp_path: Path) -> None:
    day = Day(8, 100)
    path = str(day.export("hledger", tmp_path / "day.journal"))
    table = hledger("balance", "-f", path, "client:ann", "--no-total", "--flat", "--layout=bare", "-O", "csv")
    theirs = {asset: to_e8(amount.replace(",", "")) for _, asset, amount in list(csv.reader(table.splitlines()))[1:]}
    [ours] = days(day, "ann")[1:2]
    assert {journal.commodity(x.asset): x.closing_e8 for x in ours.totals if x.closing_e8} == {
        asset: amount for asset, amount in theirs.items() if amount
    }


def test_the_command_shows_a_person_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    day = Day(9, 40)
    found = statement.from_entries("ann", TODAY, [entry for entry in day.entries if entry.account_id == "ann"])
    statement_command.show(found, Console(highlight=False, width=200))
    shown = capsys.readouterr().out
    assert all(row.line.entry_id in shown for row in found.rows)
    assert all(from_e8(total.closing_e8) in shown for total in found.totals)


# -- open interest -----------------------------------------------------------------------------------------------------


def test_interest_is_the_newest_position_of_everybody() -> None:
    day = Day(12, 200)
    found = {one.instrument_id: one for one in interest.interest(interest.held_by(day.entries))}
    assert set(found) == {f"{base}-{quote}" for base, quote in PAIRS}
    for name, one in found.items():
        held = [
            account.positions[name].quantity_e8 for account in day.state.accounts.values() if name in account.positions
        ]
        assert one.net_e8 == sum(held)
        assert one.long_e8 == sum(e8 for e8 in held if e8 > 0)
        assert (one.longs, one.shorts) == (sum(e8 > 0 for e8 in held), sum(e8 < 0 for e8 in held))


def test_concentration_is_told_by_shares_and_index() -> None:
    held = {("ann", "X"): 60, ("bob", "X"): 40, ("cleo", "X"): -100, ("dan", "X"): 0, ("ann", "Y"): -1}
    x, y = interest.interest(held)
    assert x == Interest(
        "X", 100, 100, 2, 1,
        (Holder("cleo", -100, 10**8), Holder("ann", 60, 6 * 10**7), Holder("bob", 40, 4 * 10**7)), 52_000_000,
        (Holder("ann", 60, 6 * 10**7), Holder("bob", 40, 4 * 10**7)),
    )  # fmt: skip
    assert (x.open_e8, x.net_e8, y.open_e8, y.index_e8) == (100, 0, 1, 10**8)
    rows = list(csv.DictReader(io.StringIO(interest.as_csv([x, y]))))
    assert (rows[0]["largest_account"], rows[0]["largest_share"], rows[0]["five_largest_share"]) == ("ann", "0.6", "1")
    assert msgspec.convert(interest.plain([x, y]), list[api.Interest])[0].holders[0].account_id == "cleo"


@pytest.mark.parametrize(
    ("longs", "shorts", "largest", "share", "five"),
    [
        #  accounts and their contracts on each side; of the larger side, of equal ones the long one
        ([5] * 20, [10] * 10, "l00", "0.05", "0.25"),
        ([30] + [10] * 7, [50] * 2, "l00", "0.3", "0.7"),
        ([9] * 12, [10] * 11, "s00", "0.09090909", "0.45454545"),
        ([100], [1] * 50, "l00", "1", "1"),
    ],
)
def test_the_five_largest_are_of_the_larger_side_whoever_is_shown(
    longs: list[int], shorts: list[int], largest: str, share: str, five: str
) -> None:
    """The ten that are shown may all be of the other side."""
    held = {(f"l{place:02}", "X"): e8 for place, e8 in enumerate(longs)}
    held |= {(f"s{place:02}", "X"): -e8 for place, e8 in enumerate(shorts)}
    [row] = csv.DictReader(io.StringIO(interest.as_csv(interest.interest(held))))
    assert (row["largest_account"], row["largest_share"], row["five_largest_share"]) == (largest, share, five)


def test_interest_command_shows_the_largest(capsys: pytest.CaptureFixture[str]) -> None:
    interest_command.show(interest.interest({("ann", "X"): to_e8("1.5")}), Console(highlight=False, width=200))
    assert "ann 1.5 (100.0 %)" in capsys.readouterr().out
    interest_command.show([], Console(highlight=False))
    assert "nobody holds anything" in capsys.readouterr().out


def test_a_position_that_is_closed_is_not_open() -> None:
    flat = m.Position("X", 0, 0, 5)
    day = Day(1, 3)
    closed = msgspec.structs.replace(day.entries[-1], account_id="ann", position=flat)
    assert interest.interest(interest.held_by([closed])) == []


def test_what_the_other_party_says_of_a_trade_is_no_formula_either() -> None:
    told = api_trades.Trade(
        "t", "NOVATION", '=HYPERLINK("http://x")', "ALLEGED", "ann", "ann", "bob", "BTC-USDT-PERP", "1", "-2.5",
        ["bob"], "", "", "", "@detail", [], [],
    )  # fmt: skip
    [row] = csv.DictReader(io.StringIO(otcview.trades_csv([told])))
    assert (row["reference"], row["detail"], row["price"]) == ("'" + told.reference, "'@detail", "-2.5")
