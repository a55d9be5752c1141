"""The margin report: what it says, its forms, its terms in JSON, and the question what an order would change."""

import csv
import io
from typing import Any

import pytest
from msgspec import convert, to_builtins
from msgspec.structs import replace

from services.clearing.margining import margin
from tests.unit import contract_desk
from tests.unit.contract_desk import E8, START_US, instrument
from tests.unit.contract_desk import terms as perpetual
from tests.unit.desk import some_meta
from tests.unit.margin_stage import PERP, held, published
from truetape import api_reports
from truetape import messages as m
from truetape.errors import MoneyError
from truetape.margin import report
from truetape.margin.account import Account
from truetape.margin.published import Published
from truetape.margin.terms import class_from, class_shown, collateral_from, collateral_shown
from truetape.service import Input


def test_an_account_is_read_from_its_entries() -> None:
    """Balances, open positions, and profit that was realised and not paid."""
    desk = contract_desk.Desk(instrument(PERP, perpetual()))
    desk.pair("ann", "bob", 3, 60_000, PERP)
    desk.pair("bob", "ann", 1, 61_000, PERP)
    entries = [event for event in desk.events if isinstance(event, m.EntryBooked)]
    found, owed = report.account_of("ann", entries)
    assert found.positions == {PERP: held(2, 1_200, 10)} and owed == {}
    desk.fact("SETTLEMENT_PRICE", PERP, 62_000 * E8)
    entries = [event for event in desk.events if isinstance(event, m.EntryBooked)]
    found, _ = report.account_of("ann", entries)
    assert found.positions == {PERP: held(2, 1_240)}
    assert found.balances["USDT"] == 50 * E8


@pytest.mark.parametrize(("who", "owed"), [("ann", -2.25), ("bob", 2.25), ("cat", 0)])
def test_funding_that_nobody_has_booked_counts_as_risk_and_clearing_count_it(who: str, owed: float) -> None:
    """An hour of 1 % for eight on 0.03 BTC at 60 000 is 2.25; the next entry books what was shown."""
    desk = contract_desk.Desk(instrument(PERP, perpetual()))
    desk.pair("ann", "bob", 3, 60_000, PERP)
    hour = {"rate_e18": 10**16, "elapsed_us": contract_desk.HOUR_US}
    desk.fact("FUNDING", PERP, 60_000 * E8, numbers=hour)
    desk.tables.marks.newest[PERP] = m.MarkPublished(some_meta(), PERP, 60_500 * E8, E8, E8, "alpha", 7, desk.now_us, 0)
    account, accrued = report.account_of(who, desk.events)
    assert accrued == ({PERP: round(owed * E8)} if owed else {})
    seen = Published(desk.tables.marks, desk.reference, desk.now_us)
    found = {one.asset: one for one in report.report(account, seen, accrued)}
    wanted = margin.assessed(desk.state, _given(desk), who)
    assert {asset: replace(one, funding={}) for asset, one in found.items()} == wanted, "as clearing enforces"
    if owed:
        told = report.plain(who, found.values(), seen)["assets"][0]
        assert float(told["funding"]) == float(told["positions"][0]["funding"]) == owed
        assert float(told["gains"]) == owed + (15 if who == "ann" else -15)
        assert f"USDT,total,funding,{told['funding']}," in report.as_csv(found.values())
    before = desk.cash(f"client:{who}")
    desk.fact("SETTLEMENT_PRICE", PERP, 60_000 * E8)
    assert desk.cash(f"client:{who}") - before == round(owed * E8)
    assert report.account_of(who, desk.events)[1] == {}


def _given(desk: contract_desk.Desk) -> Input:
    return Input(None, m.Cause("timer", 0, -1, ""), desk.now_us, "clearing.entries", 1, 1, desk.tables, 0)


def test_the_report_has_what_decides() -> None:
    seen = published("portfolio_v2")
    account = Account({"USDT": 100 * E8}, {PERP: held(10, 6_000)})
    found = report.report(account, seen)
    told = report.plain("ann", found, seen)
    [asset] = told["assets"]
    assert (asset["equity"], asset["gains"], asset["balance"]) == ("103", "3", "100")
    assert asset["worst"].startswith("house: BTC spot -0.18")
    assert asset["models"] == ["house (portfolio_v2, version 3)"]
    assert [one["instrument_id"] for one in asset["positions"]] == [PERP]
    assert asset["positions"][0]["contribution"] == asset["initial_need"]
    assert len(asset["scenarios"]) == 32
    assert {one["instrument_id"] for one in asset["marks"]} == {PERP, "BTC-USDT"}
    assert to_builtins(convert(told, api_reports.Margin)) == told, "the API's answer has the same fields"


def test_the_table_has_every_number_once() -> None:
    seen = published("standard")
    found = report.report(Account({"USDT": 100 * E8}, {PERP: held(10, 6_000)}), seen)
    head, *rows = csv.reader(io.StringIO(report.as_csv(found)))
    assert tuple(head) == report.COLUMNS
    totals = {name: amount for _, row, name, amount, _ in rows if row == "total"}
    assert totals["equity"] == "103"
    assert totals["initial_need"] == next(amount for _, row, _, amount, _ in rows if row == "contribution")
    assert ["USDT", "mark", "BTC-USDT", "60000", "2023-11-14T22:13:20.000000Z"] in rows


def test_an_account_without_contracts_has_an_empty_report() -> None:
    seen = published("standard")
    assert report.plain("ann", report.report(Account({"USDT": E8}, {}), seen), seen)["assets"] == []


def test_what_an_order_would_change() -> None:
    seen = published("standard")
    account = Account({"USDT": 1_000 * E8}, {PERP: held(10, 6_000)})
    after = report.with_fill(account, PERP, -4 * E8, 60_100 * E8, seen)
    [was], [found] = report.report(account, seen), report.report(after, seen)
    assert found.initial_e8 == pytest.approx(was.initial_e8 * 6 // 10, abs=2)
    # sold 70 above the mark of 60 030, on 0.04 BTC
    assert found.equity_e8 - was.equity_e8 == pytest.approx(2.8 * E8, abs=2)


CLASS: dict[str, Any] = {"name": "x", "model": "standard", "version": 1, "parameters": {"peg_factor": 2.0}}
COLLATERAL: dict[str, Any] = {"asset": "BTC", "counts_for": "USDT", "version": 1, "index": "BTC-USDT", "haircut": "0.1"}


def test_terms_are_written_as_they_are_read() -> None:
    assert class_from(class_shown(class_from(CLASS))) == class_from(CLASS)
    assert collateral_from(collateral_shown(collateral_from(COLLATERAL))) == collateral_from(COLLATERAL)
    assert collateral_from(COLLATERAL).haircut_e8 == E8 // 10


@pytest.mark.parametrize(
    ("make", "content", "error"),
    [
        (class_from, CLASS | {"parameters": []}, TypeError),
        (class_from, CLASS | {"rate": "much"}, MoneyError),
        (class_from, CLASS | {"paramters": {}}, ValueError),
        (class_from, {"name": "x"}, ValueError),
        (collateral_from, COLLATERAL | {"haircut": 0.1}, MoneyError),
        (collateral_from, COLLATERAL | {"colour": "red"}, ValueError),
        (collateral_from, {"asset": "BTC"}, KeyError),
    ],
)
def test_terms_that_cannot_be_read_are_errors(make: Any, content: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        make(content)


def test_a_stale_mark_is_shown() -> None:
    seen = published("standard", at_us=START_US + 10**9)
    found = report.report(Account({}, {PERP: held(1, 600)}), seen)
    assert "(stale)" in report.as_csv(found)
    assert replace(found[0], marks=()).marks == ()
