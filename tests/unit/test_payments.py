"""Payment netting of a day in the real ledger: what an account and the house owe each other becomes one instruction
per asset, to the unit."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.booking import netting, payments
from tests.unit.contract_desk import E8, START_US
from tests.unit.desk import LAW
from tests.unit.otc_desk import CALL, OtcDesk
from truetape import messages as m
from truetape.service import Input, Tick

PERP = "BTC-USDT-PERP"
DAY_US = 86_400_000_000
FIRST = "2023-11-14"
"""The day of START_US."""
NAMES = ("ann", "bob", "cat")


def desk() -> OtcDesk:
    return OtcDesk(fees=m.Fees(0, 10**4))


def over(made: OtcDesk, days: int = 1) -> None:
    """So many days later."""
    made.now_us = (START_US // DAY_US + days) * DAY_US + 1


def net(made: OtcDesk, who: str, day: str = FIRST) -> Any:
    return made.command(m.NetPayments(f"n-{who}-{day}", who, day, "desk"))


def lived(made: OtcDesk) -> None:
    """ann buys 3 of bob, cat sells ann a call, it rises by 1 000, ann and bob trade back 1 at 61 000."""
    made.trade_of_two("1")
    made.trade_of_two("2", buyer_id="ann", seller_id="cat", instrument_id=CALL.instrument_id, quantity_e8=E8,
                      price_e8=2_000 * E8)  # fmt: skip
    made.fact("SETTLEMENT_PRICE", PERP, 61_000 * E8)
    made.trade_of_two("3", buyer_id="bob", seller_id="ann", quantity_e8=E8, price_e8=61_000 * E8)


#       who   due    owed       net        parts
DAY = """
        ann   30     2000.441   -1970.441  house_fee -0.441, premium -2000, variation_margin 30
        bob   0      30.241     -30.241    house_fee -0.241, variation_margin -30
        cat   2000   0.2        1999.8     house_fee -0.2, premium 2000
"""


@pytest.mark.parametrize("row", DAY.strip().splitlines())
def test_a_day_becomes_one_instruction(row: str) -> None:
    who, due, owed, amount, *parts = row.split()
    made = desk()
    lived(made)
    over(made)
    [one] = net(made, who).instructions
    numbers = dict(zip(parts[::2], parts[1::2], strict=True))
    assert one.parts == {name: round(float(text.rstrip(",")) * E8) for name, text in numbers.items()}
    assert (one.received_e8, one.paid_e8) == (round(float(due) * E8), round(float(owed) * E8))
    assert one.amount_e8 == round(float(amount) * E8) == one.received_e8 - one.paid_e8 and one.asset == "USDT"
    made.check()


def test_instructions_are_what_the_ledger_moved() -> None:
    """An account's balance changed by its instruction, and all instructions are the house's, negated."""
    made = desk()
    before = {who: made.cash(f"client:{who}") for who in NAMES}
    house = sum(made.cash(name) for name in ("house:clearing", "house:fees", "house:rounding"))
    lived(made)
    over(made)
    moved = {who: sum(one.amount_e8 for one in net(made, who).instructions) for who in NAMES}
    assert moved == {who: made.cash(f"client:{who}") - before[who] for who in NAMES}
    after = sum(made.cash(name) for name in ("house:clearing", "house:fees", "house:rounding"))
    assert sum(moved.values()) == house - after


def test_a_day_is_netted_once_when_it_is_over_and_in_order() -> None:
    made = desk()
    lived(made)
    assert net(made, "ann").reason == "TOO_OLD", "more may come"
    over(made, 2)
    made.tables.marks.newest[PERP] = m.MarkPublished(
        made.events[0].meta, PERP, 60_000 * E8, E8, E8, "alpha", 7, made.now_us, 0
    )
    made.trade_of_two("4")
    over(made, 3)
    assert (net(made, "ann", "2023-11-16").reason, net(made, "zoe").reason) == ("OUT_OF_ORDER", "ACCOUNT_UNKNOWN")
    assert net(made, "ann", "yesterday").reason == "NUMBERS_WRONG"
    first = net(made, "ann")
    assert len(first.instructions) == 1 and net(made, "ann").reason == "COMMAND_REPEATED"
    assert net(made, "ann", "2023-11-15").instructions == ()
    assert [one.asset for one in net(made, "ann", "2023-11-16").instructions] == ["USDT"]
    assert net(made, "dan").instructions == ()
    made.check()


@pytest.mark.parametrize(("early_us", "nets"), [(1, False), (0, True)])
def test_a_day_is_over_at_its_very_end(early_us: int, nets: bool) -> None:
    made = desk()
    lived(made)
    end_us = (START_US // DAY_US + 1) * DAY_US
    answer = payments.net(
        made.state.payments, _given(made, end_us - early_us), m.NetPayments("n", "ann", FIRST, "desk")
    )
    assert isinstance(answer, m.PaymentsNetted) is nets
    made.now_us = end_us + payments.NET_AFTER_US - early_us
    assert (payments.tick(made.state.payments, _given(made)) is not None) is nets


def test_what_nobody_has_netted_an_hour_after_the_day_is_netted_by_itself() -> None:
    made = desk()
    lived(made)
    over(made)
    assert payments.tick(made.state.payments, _given(made)) is None, "somebody may still net it"
    made.now_us += payments.NET_AFTER_US
    found = []
    while (event := payments.tick(made.state.payments, _given(made))) is not None:
        found.append(event)
        payments.netted(made.state.payments, event)
    assert [(one.account_id, one.value_date, one.requested_by) for one in found] == [
        (who, FIRST, payments.CLOCK) for who in NAMES
    ]
    assert [one.instructions[0].amount_e8 for one in found] == [-197_044_100_000, -3_024_100_000, 199_980_000_000]
    assert not any(known.days for known in made.state.payments.values())


def _given(made: OtcDesk, at_us: int = 0) -> Input:
    at_us = at_us or made.now_us
    return Input(Tick(at_us), m.Cause("timer", 0, -1, str(at_us)), at_us, "clearing.entries", 1, 1, made.tables, 0)


def test_what_comes_late_for_a_date_keeps_it_and_another_run_nets_just_that() -> None:
    """The clock is set back after a day was netted, and something is booked in it."""
    made = desk()
    lived(made)
    over(made)
    [first] = net(made, "ann").instructions
    repeated = net(made, "ann")
    assert (repeated.reason, "nothing has come late" in repeated.detail) == ("COMMAND_REPEATED", True)
    made.now_us = START_US + 1
    made.trade_of_two("late", buyer_id="ann", seller_id="bob", quantity_e8=E8, price_e8=60_000 * E8)
    entry = made.events[-1] if isinstance(made.events[-1], m.EntryBooked) else _entries(made, "ann")[-1]
    assert _entries(made, "ann")[-1].contract.ids[payments.VALUE_DATE] == FIRST, entry
    over(made)
    event = net(made, "ann")
    [late] = event.instructions
    assert (first.run, late.run, late.parts) == (1, 2, {"house_fee": -6_000_000})
    assert late.instruction_id != first.instruction_id and event.value_date == FIRST
    assert net(made, "ann").reason == "COMMAND_REPEATED"
    made.check()


def _entries(made: OtcDesk, who: str) -> list[Any]:
    return [one for one in made.events if isinstance(one, m.EntryBooked) and one.contract and one.account_id == who]


def test_a_date_that_was_passed_over_has_an_instruction_of_its_own_for_each_run() -> None:
    """Nothing fell on FIRST when the day after it was netted; then a clock that is set back books in it, twice."""
    made, found = desk(), []
    made.reference.calendars["USDT"] = replace(WORKING, lag_days=1, holidays=())
    lived(made)
    made.reference.calendars["USDT"] = replace(WORKING, version=2, lag_days=0, holidays=())
    over(made, 2)
    found += net(made, "ann", "2023-11-15").instructions
    for name in ("late", "later"):
        made.now_us = START_US + 1
        made.trade_of_two(name, buyer_id="ann", seller_id="bob", quantity_e8=E8, price_e8=60_000 * E8)
        over(made, 2)
        found += net(made, "ann").instructions
    assert [(one.run, one.parts.get("house_fee")) for one in found[1:]] == [(2, -6_000_000), (3, -6_000_000)]
    assert len({one.instruction_id for one in found}) == 3
    made.check()


def test_another_assets_netting_makes_no_date_late() -> None:
    """Netted is 2023-11-15 of USDT; USD of the day before is on time all the same, and its first run."""
    known = {"ann": netting.Payments()}
    payments.owed(known, "ann", "USD", FIRST, "premium", 5)
    payments.owed(known, "ann", "USDT", "2023-11-15", "premium", 7)
    made = desk()
    over(made, 2)
    found = []
    for day in ("2023-11-15", FIRST):
        answer = payments.net(known, _given(made), m.NetPayments(day, "ann", day, "desk"))
        assert isinstance(answer, m.PaymentsNetted)
        payments.netted(known, answer)
        found += [(one.asset, one.amount_e8, one.run) for one in answer.instructions]
    assert found == [("USDT", 7, 1), ("USD", 5, 1)]


def test_runs_are_told_apart_for_as_long_as_they_are_remembered() -> None:
    known = netting.Payments()
    days = [f"2023-{month:02}-{day:02}" for month in (1, 2, 3) for day in range(1, 29)][: netting.DAYS_KEPT]
    for day in days[:-1]:
        known.ran(day, 1)
    assert known.oldest() == "" and known.runs_of(days[0], "USDT") == 1
    known.ran(days[-1], 1)
    known.ran(days[-1], 1)
    assert known.oldest() == days[0] and known.runs_of(days[-1], "USDT") == 2
    book = {"ann": known}
    payments.owed(book, "ann", "USDT", "2022-12-30", "premium", 1)
    assert list(known.days) == [days[0]], "older than all that is remembered: netted with the oldest of them"
    known.ran("2024-01-01", 1)
    assert len(known.runs) == netting.DAYS_KEPT and known.oldest() == days[1]


TRADES = st.tuples(st.sampled_from(NAMES), st.integers(1, 9), st.integers(59_000, 61_000))


@LAW
@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.integers(1, 9), st.integers(59_000, 61_000)), max_size=6), st.data()
)
def test_netting_preserves_what_is_owed_to_the_unit(trades: list[tuple[str, int, int]], data: st.DataObject) -> None:
    made = desk()
    for number, (buyer, quantity, price) in enumerate(trades):
        seller = data.draw(st.sampled_from([name for name in NAMES if name != buyer]))
        changes = {"quantity_e8": quantity * E8, "price_e8": price * E8}
        made.trade_of_two(str(number), buyer_id=buyer, seller_id=seller, **changes)
        made.fact("SETTLEMENT_PRICE", PERP, price * E8)
    owed: dict[str, int] = dict.fromkeys(NAMES, 0)
    for entry in (one for one in made.events if isinstance(one, m.EntryBooked) and one.contract is not None):
        for line in entry.lines:
            if line.account == f"client:{entry.account_id}" and line.asset == "USDT":
                owed[entry.account_id] += line.amount_e8
    over(made)
    for who in NAMES:
        assert sum(one.amount_e8 for one in net(made, who).instructions) == owed[who]
    made.check()


def test_an_obligation_that_is_left_out_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: netting forgets what is owed where something is due too."""
    real = payments._obligations
    monkeypatch.setattr(
        payments, "_obligations", lambda *args: [one for one in real(*args) if "owed" not in one.obligation_id]
    )
    made = desk()
    lived(made)
    over(made)
    with pytest.raises(AssertionError, match="netting changes nothing"):
        net(made, "ann")


def test_what_a_venue_trades_is_owed_to_the_venue() -> None:
    made = desk()
    made.fill("ann", "BUY", 1, 2_000, CALL.instrument_id, fee_e8=5)
    over(made)
    [one] = net(made, "ann").instructions
    assert set(one.parts) == {"house_fee"}


# -- calendars ---------------------------------------------------------------------------------------------------------

WORKING = m.SettlementCalendar("USDT", 1, 2, (6, 7), ("2023-11-16",))
"""START_US is a Tuesday; Thursday is a holiday."""


def test_what_is_booked_is_due_by_the_assets_calendar_and_instructed_before() -> None:
    made = desk()
    made.reference.calendars["USDT"] = WORKING
    lived(made)
    due = {
        one.contract.ids[payments.VALUE_DATE] for one in made.events if isinstance(one, m.EntryBooked) and one.contract
    }
    assert due == {"2023-11-17"}, "two days after Tuesday, of which Thursday is none"
    assert net(made, "ann", "2023-11-17").reason == "TOO_OLD", "more may be booked today"
    over(made)
    [one] = net(made, "ann", "2023-11-17").instructions
    assert one.amount_e8 == -197_044_100_000, "the same as without a calendar"
    assert net(made, "ann", "2023-11-17").reason == "COMMAND_REPEATED"
    made.now_us += payments.NET_AFTER_US
    event = payments.tick(made.state.payments, _given(made))
    assert event is not None and (event.account_id, event.value_date) == ("bob", "2023-11-17")
    made.check()


def test_a_contracts_own_lag_keeps_the_date_open_for_longer() -> None:
    made = desk()
    made.reference.calendars["USDT"] = WORKING
    perp = made.reference.instruments[PERP]
    made.reference.instruments[PERP] = replace(perp, settlement_lag_days=0)
    lived(made)
    days = made.state.payments["ann"].days
    assert {day: sorted(dues["USDT"]) for day, dues in days.items()} == {
        "2023-11-14": ["house_fee", "variation_margin"], "2023-11-17": ["house_fee", "premium"],
    }  # fmt: skip
    over(made)
    assert net(made, "ann", "2023-11-17").reason == "TOO_OLD", "the perpetual may pay on that day too"
    assert len(net(made, "ann").instructions) == 1
    over(made, 4)
    assert len(net(made, "ann", "2023-11-17").instructions) == 1


def test_a_lag_that_is_shortened_makes_what_comes_then_late_for_its_date() -> None:
    """Wednesday's payments are netted on Tuesday already, since a day must pass; then that is changed."""
    made = desk()
    made.reference.calendars["USDT"] = replace(WORKING, lag_days=0, holidays=())
    lived(made)
    made.reference.calendars["USDT"] = replace(WORKING, version=2, lag_days=1, holidays=())
    first = net(made, "ann").instructions
    made.reference.calendars["USDT"] = replace(WORKING, version=3, lag_days=0, holidays=())
    made.trade_of_two("late", buyer_id="ann", seller_id="bob", quantity_e8=E8, price_e8=60_000 * E8)
    assert net(made, "ann").reason == "TOO_OLD", "more may come today"
    over(made)
    late = net(made, "ann").instructions
    assert [(one.run, one.amount_e8) for one in (*first, *late)] == [(1, -197_044_100_000), (2, -6_000_000)]
    made.check()


def test_a_contracts_own_lag_needs_no_calendar() -> None:
    made = desk()
    made.reference.instruments[PERP] = replace(made.reference.instruments[PERP], settlement_lag_days=2)
    made.trade_of_two("1")
    assert list(made.state.payments["ann"].days) == ["2023-11-16"]


def test_assets_are_netted_by_their_own_dates_and_nothing_falls_on_one_that_is_netted() -> None:
    known = {"ann": netting.Payments()}
    payments.owed(known, "ann", "USD", "2023-11-17", "compression", 5)
    payments.owed(known, "ann", "USDT", "2023-11-14", "compression", -3)
    made = desk()
    made.reference.calendars["USD"] = replace(WORKING, asset="USD")
    over(made)
    for day in ("2023-11-17", "2023-11-14"):
        answer = payments.net(known, _given(made), m.NetPayments(day, "ann", day, "desk"))
        assert isinstance(answer, m.PaymentsNetted) and len(answer.instructions) == 1
        payments.netted(known, answer)
    assert known["ann"].last("USD") == "2023-11-17" and known["ann"].last("USDT") == "2023-11-14"
    for asset, day in (("USD", "2023-11-17"), ("USDT", "2023-11-15")):
        payments.owed(known, "ann", asset, day, "compression", 7)
    assert [known["ann"].runs_of(day, asset) for asset, day in (("USD", "2023-11-17"), ("USDT", "2023-11-15"))] == [
        1,
        0,
    ]


def test_a_compression_joins_what_is_owed_on_its_value_date() -> None:
    made = desk()
    lived(made)
    payments.owed(made.state.payments, "ann", "USDT", FIRST, payments.COMPRESSION, 7 * E8)
    over(made)
    [one] = net(made, "ann").instructions
    assert one.parts["compression"] == 7 * E8 and one.amount_e8 == -197_044_100_000 + 7 * E8
