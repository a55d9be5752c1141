"""Hedging accounts and lots first in first out: another cut of the same entries; cash and margin are the books'."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.contract_desk import E8, EXPIRY_US, Desk, future, instrument, option, terms
from truetape import cuts, statement
from truetape import messages as m

PERP, FUT, CALL = "BTC-USDT-PERP", "BTC-USDT-20231115", "BTC-USDT-20231115-60000-C"


def desk(positions: str, costs: str, *known: m.Instrument) -> Desk:
    """Ann's positions are cut so; bob's are not."""
    found = Desk(*(known or (instrument(PERP, terms()),)))
    found.reference.account_terms["ann"] = m.AccountTerms(positions, costs)
    return found


def cut(one: Desk, name: str = PERP) -> tuple[int, int, int]:
    """Contracts long and short, and realised profit in hundredths of a USDT."""
    found = one.state.accounts["ann"].cuts[name]
    return found.long_e8 // E8, found.short_e8 // E8, found.realised_e8 // (E8 // 100)


def close_out(one: Desk, contracts: int, name: str = PERP, command_id: str = "x-1") -> Any:
    return one.command(m.CloseOut(command_id, "ann", name, contracts * E8, "op"))


TRADES: list[tuple[m.Side, int, int]] = [("BUY", 2, 60_000), ("BUY", 2, 61_000), ("SELL", 3, 62_000)]
"""Of 0.01 BTC each: 600, 610 and 620 USDT a contract."""


@pytest.mark.parametrize(
    ("positions", "costs", "long", "short", "realised"),
    [
        # terms               long short  realised, hundredths
        ("NETTING", "AVERAGE", 1, 0, 3 * 2_000 - 3 * 500),  # 620 less 605, three times.
        ("NETTING", "FIFO", 1, 0, 2 * 2_000 + 1_000),  # Two at 600, one at 610.
        ("HEDGING", "AVERAGE", 4, -3, 0),
        ("HEDGING", "FIFO", 4, -3, 0),
    ],
)  # fmt: skip
def test_a_position_is_cut_by_the_accounts_terms(
    positions: str, costs: str, long: int, short: int, realised: int
) -> None:
    one = desk(positions, costs)
    for side, contracts, price in TRADES:
        entry = one.trade("ann", side, contracts, price, PERP)
    assert cut(one) == (long, short, realised)
    numbers = entry.contract.numbers
    assert (numbers["long_e8"], numbers["short_e8"]) == (long * E8, short * E8)
    assert numbers["cut_realised_e8"] == realised * E8 // 100
    assert (entry.position.quantity_e8, entry.position.realised_e8) == (E8, 45 * E8), "the books are as ever"
    one.check()


def from_entries(one: Desk, day: str) -> statement.Statement:
    entries = [event for event in one.events if isinstance(event, m.EntryBooked) and event.account_id == "ann"]
    return statement.from_entries("ann", day, entries)


@pytest.mark.parametrize(
    ("costs", "contracts", "realised"),
    [("AVERAGE", 3, 4_500), ("FIFO", 3, 5_000), ("FIFO", 1, 2_000), ("AVERAGE", 1, 1_500)],
)
def test_one_side_is_closed_against_the_other_and_no_money_moves(costs: str, contracts: int, realised: int) -> None:
    one = desk("HEDGING", costs)
    for side, size, price in TRADES:
        one.trade("ann", side, size, price, PERP)
    before = one.state.balances["client:ann"].copy()
    done = close_out(one, contracts)
    assert (done.realised_e8, done.long_e8, done.short_e8) == (
        realised * E8 // 100, (4 - contracts) * E8, (contracts - 3) * E8
    )  # fmt: skip
    assert one.state.balances["client:ann"] == before
    day = statement.moment(one.now_us)[:10]
    found = statement.from_events("ann", day, one.events)
    shown = [(side.long_e8, side.short_e8, side.costs) for side in found.sides]
    assert shown == ([(done.long_e8, done.short_e8, costs)] if done.long_e8 or done.short_e8 else [])
    assert statement.plain(found)["lines"] == statement.plain(from_entries(one, day))["lines"]
    assert statement.from_events("bob", day, one.events).sides == ()
    assert close_out(one, contracts).reason == "COMMAND_REPEATED"
    assert close_out(one, 4, command_id="x-2").reason == "NUMBERS_WRONG"
    assert one.command(m.CloseOut("x-3", "bob", PERP, E8, "op")).reason == "NUMBERS_WRONG"
    one.check()


def test_settlement_brings_both_sides_to_the_market() -> None:
    one = desk("HEDGING", "AVERAGE")
    for side, size, price in TRADES:
        one.trade("ann", side, size, price, PERP)
    one.fact("SETTLEMENT_PRICE", PERP, 63_000 * E8)
    assert cut(one) == (4, -3, 4 * 2_500 - 3 * 1_000), "4 gain 25 on average, 3 lose 10"
    assert close_out(one, 3).realised_e8 == 0, "both are at the same price"
    one.check()


def test_at_expiry_both_sides_end() -> None:
    one = desk("HEDGING", "FIFO", instrument(FUT, future()), instrument(CALL, option("CALL", 60_000)))
    one.trade("ann", "BUY", 3, 60_000, FUT)
    one.trade("ann", "SELL", 3, 61_000, FUT)
    one.trade("ann", "BUY", 2, 500, CALL)
    one.trade("ann", "SELL", 1, 700, CALL)
    one.now_us = EXPIRY_US
    for name in (FUT, CALL):
        one.fact("EXPIRY", name, 61_500 * E8, effective_at_us=EXPIRY_US, observed_at_us=EXPIRY_US)
    assert cut(one, FUT) == (0, 0, 3_000)
    assert cut(one, CALL) == (0, 0, 100 * (1_500 - 500) + 100 * (700 - 500))
    assert one.position("ann", CALL).realised_e8 == 1_200 * E8
    assert cuts.folded(one.events, "ann") == one.state.accounts["ann"].cuts
    one.check()


def test_a_busted_trade_leaves_its_side() -> None:
    one = desk("HEDGING", "FIFO")
    entries = [one.trade("ann", side, size, price, PERP) for side, size, price in TRADES]
    one.bust(entries[1])
    assert cut(one) == (2, -3, 0)
    one.check()


def test_a_fill_that_closes_takes_from_the_other_side_and_a_bust_gives_it_back() -> None:
    one = desk("HEDGING", "FIFO")
    one.fill("ann", "BUY", 4, 60_000, PERP)
    one.fill("ann", "SELL", 1, 61_000, PERP)
    closing = one.fill("ann", "SELL", 3, 62_000, PERP, position_effect="CLOSE")
    assert cut(one) == (1, -1, 3 * 2_000), "three of the long side at 20 more"
    assert closing.contract.ids["position_effect"] == "CLOSE"
    one.fill("ann", "BUY", 1, 60_500, PERP, position_effect="OPEN")
    assert cut(one)[:2] == (2, -1)
    one.bust(closing)
    assert cut(one)[:2] == (5, -1), "the long side is there again"
    agrees(one)
    one.check()


def test_more_than_the_other_side_holds_opens_what_is_left() -> None:
    """Risk lets no order close more; a close-out that comes between may still leave less than an order closes."""
    one = desk("HEDGING", "AVERAGE")
    one.fill("ann", "BUY", 2, 60_000, PERP)
    one.fill("ann", "SELL", 3, 60_000, PERP, position_effect="CLOSE")
    assert cut(one)[:2] == (0, -1)
    one.check()


def test_terms_that_change_hold_for_what_is_opened_next() -> None:
    one = desk("NETTING", "FIFO")
    one.trade("ann", "BUY", 2, 60_000, PERP)
    one.reference.account_terms["ann"] = m.AccountTerms("HEDGING", "AVERAGE")
    one.trade("ann", "SELL", 2, 61_000, PERP)
    assert cut(one) == (0, 0, 2_000), "what is open keeps its cut"
    one.trade("ann", "BUY", 1, 60_000, PERP)
    one.trade("ann", "SELL", 1, 60_000, PERP)
    assert cut(one) == (1, -1, 2_000)
    one.check()


STEP = st.one_of(
    st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 9), st.integers(50_000, 70_000)),
    st.tuples(st.just("SETTLE"), st.just(0), st.integers(50_000, 70_000)),
    st.tuples(st.just("CLOSE"), st.integers(1, 9), st.just(0)),
    st.tuples(st.just("BUST"), st.integers(0, 30), st.just(0)),
)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(cuts.POSITIONS), st.sampled_from(cuts.COSTS), st.lists(STEP, max_size=25))
def test_every_cut_ends_with_the_same_profit(positions: str, costs: str, steps: list[Any]) -> None:
    """After each step: both sides are the position, and what is open at its cost less what was realised is the
    books'; once all is closed, realised profit is the same."""
    one = desk(positions, costs)
    for place, (what, number, price) in enumerate(steps):
        trades = [e for e in one.events if isinstance(e, m.EntryBooked) and e.kind == "TRADE"]
        match what:
            case "SETTLE":
                one.fact("SETTLEMENT_PRICE", PERP, price * E8)
            case "CLOSE":
                close_out(one, number, command_id=f"x-{place}")
            case "BUST" if trades:
                one.bust(trades[number % len(trades)])
            case "BUY" | "SELL":
                one.trade("ann", what, number, price, PERP)
        agrees(one)
    if "ann" in one.state.accounts:
        one.reference.instruments[PERP] = instrument(PERP, terms(), tradable=False)
        one.fact("DELISTING", PERP, 60_000 * E8)
        agrees(one)
    one.check()


def agrees(one: Desk) -> None:
    """The state's cut is right, and a report from the records alone comes to the same."""
    assert cuts.folded(one.events, "ann") == getattr(one.state.accounts.get("ann"), "cuts", {})
    if "ann" not in one.state.accounts or PERP not in one.state.accounts["ann"].cuts:
        return
    found, held = one.state.accounts["ann"].cuts[PERP], one.position("ann", PERP)
    assert found.long_e8 + found.short_e8 == held.quantity_e8
    assert found.long_e8 >= 0 >= found.short_e8
    assert found.cost_e8 - found.realised_e8 == held.cost_e8 - held.realised_e8
    if found.positions == "NETTING":
        assert not (found.long and found.short)


def test_lots_are_bounded_and_none_is_lost() -> None:
    found = cuts.Cut("NETTING", "FIFO")
    for number in range(cuts.LOTS_MAX + 50):
        booked = m.ContractBooking("TRADE", PERP, "USDT", "", "", E8, number, 0, "0", {}, {})
        cuts.follow(found, f"t-{number}", booked, 0)
    assert (len(found.long), found.long_e8 // E8) == (cuts.LOTS_MAX, cuts.LOTS_MAX + 50)
    assert found.cost_e8 == sum(range(cuts.LOTS_MAX + 50))
