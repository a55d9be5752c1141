"""What must not stop or starve margin: numbers that fit nowhere, ticks that others always need, doubts that come and
go, and names and times that an operator chose badly."""

from typing import Any

import pytest
from msgspec.structs import replace

from services.clearing.state import Account
from services.clearing.watch import HandedOver, Liquidation
from tests.unit.contract_desk import E8, HOUR_US, START_US, Desk, instrument, terms
from tests.unit.test_liquidation_properties import BTC, KNOWN, Room, opened
from truetape import messages as m
from truetape.money import to_e8

COIN = "DOGE-USD-PERP"
PRICE_E8 = 60_000 * E8
INVERSE = instrument(
    COIN, terms(style="INVERSE", settlement_asset="DOGE", multiplier_e8=10 * E8, mark_max_age_us=10**15)
)


def listed(room: Room, account: str) -> list[str]:
    """What margin runs have listed an account for."""
    runs = (event for event in room.events if isinstance(event, m.MarginRun))
    return [one.action for run in runs for one in run.listed if one.account_id == account]


def test_one_account_whose_worth_fits_nowhere_is_in_doubt_and_the_others_are_margined() -> None:
    """An inverse contract on a coin that has lost nearly everything is worth more coins than 64 bits hold."""
    room = Room()
    room.reference.instruments[COIN] = INVERSE
    room.reference.accounts["bob"] = "Bob"
    opened(room, {BTC: 10}, (0, 0, 0), 110)
    trade = m.BookTrade("t", "bob", "t", COIN, "BUY", 10**6 * E8, E8, "TAKER", room.now_us, "t", "")
    assert isinstance(room.give(trade, "clearing.commands"), m.EntryBooked)
    room.mark(COIN, 5_000)
    room.mark(BTC, 57_000 * E8)
    room.tick()
    assert listed(room, "bob") == ["DOUBT"]
    assert "LIQUIDATE" in listed(room, "ann")
    assert "beyond 64 bits" in room.state.watch.doubts["bob"]


def test_a_second_payment_of_the_fund_has_an_entry_of_its_own() -> None:
    """Between two margin runs the fund gets a fee of somebody else: what it pays then is another entry."""
    room = Room()
    room.state.accounts["ann"] = Account()
    room.state.balances = {
        "client:ann": {"USDT": to_e8("-10")}, "house:insurance": {"USDT": to_e8("4")},
        "venue:alpha": {"USDT": to_e8("6")},
    }  # fmt: skip
    room.state.watch.liquidations["ann"] = Liquidation("L1", "ann", "USDT", "WAITING", room.now_us)
    room.tick()
    room.state.balances["house:insurance"]["USDT"] = to_e8("3")
    room.state.balances["venue:alpha"]["USDT"] -= to_e8("3")
    room.tick()
    paid = [event for event in room.events if isinstance(event, m.EntryBooked)]
    assert [event.lines[0].amount_e8 for event in paid] == [to_e8("4"), to_e8("3")]
    assert len({event.entry_id for event in paid}) == 2


def test_a_doubt_that_ends_does_not_forget_what_was_handed_over() -> None:
    room = Room()
    opened(room, {BTC: 10}, (-9, 0, 0), 10)
    failed = HandedOver("L1", "USDT", "UNSELLABLE", room.now_us, 0)
    room.state.watch.handed_over["ann"] = failed
    del room.marks.newest[BTC]
    room.tick()
    assert listed(room, "ann")[-1] == "DOUBT"
    room.mark(BTC, PRICE_E8 * 91 // 100)
    room.tick()
    assert "TRUST" in listed(room, "ann")
    assert room.state.watch.handed_over == {"ann": failed}, "it waits its minute, and its auction knows of it"


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("mark", ["60000.13", "59999.99", "60000.00000001", "60000"])
def test_what_a_defaulter_holds_is_offered_on_ticks_and_inside_the_collar(side: m.Side, mark: str) -> None:
    room = Room()
    tick_e8 = E8 // 2
    room.reference.instruments[BTC] = replace(KNOWN[0], tick_e8=tick_e8)
    trade = m.BookTrade("t", "ann", "t", BTC, side, 10 * E8, PRICE_E8, "TAKER", room.now_us, "t", "")
    room.give(trade, "clearing.commands")
    room.mark(BTC, to_e8(mark))
    room.give(m.DeclareDefault("d", "ann", "USDT", "did not pay", "desk"), "clearing.commands")
    prices = []
    for _ in range(20):
        room.tick()
        running = room.state.watch.liquidations.get("ann")
        if running is None:
            break
        if running.state == "SELLING" and running.order is not None:
            prices.append(running.order.price_e8 or 0)
        if running.state != "WAITING":
            room.quiet(running.liquidation_id)
    width_e8 = to_e8(mark) // 10
    assert len(prices) == 4
    assert [price % tick_e8 for price in prices] == [0] * 4
    assert all(abs(price - to_e8(mark)) <= width_e8 for price in prices), "risk would refuse it"
    assert prices == sorted(prices, reverse=side == "BUY"), "each further away"
    assert abs(abs(prices[-1] - to_e8(mark)) - width_e8) < tick_e8, "the last at the collar"


# -- facts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["parcel:x", "round/x", "margin/x"])
def test_a_fact_whose_id_is_that_of_something_else_that_is_due_is_refused(name: str) -> None:
    desk = Desk(instrument(BTC, terms()))
    desk.pair("ann", "bob", 1, 60_000, BTC)
    [answer, *_] = desk.fact("SETTLEMENT_PRICE", BTC, 61_000 * E8, fact_id=name)
    assert isinstance(answer, m.ClearingRefused) and answer.reason == "NUMBERS_WRONG"
    desk.check()


def funded(desk: Desk, hour: int, hours: int) -> Any:
    """A step of funding over the hours before an hour."""
    at_us = START_US + hour * HOUR_US
    numbers = {"rate_e18": 10**14, "elapsed_us": hours * HOUR_US}
    fact = m.ContractFact(f"f{hour}", "FUNDING", BTC, at_us, at_us, "desk", PRICE_E8, numbers)
    return desk.command(m.TakeContractFact(fact))


def test_funding_of_a_time_that_is_covered_in_part_is_refused() -> None:
    desk = Desk(instrument(BTC, terms()))
    desk.pair("ann", "bob", 1, 60_000, BTC)
    funded(desk, 4, 4)
    before = desk.state.contracts[BTC].funding_index_e18
    refused = funded(desk, 6, 4)
    assert (refused.reason, desk.state.contracts[BTC].funding_index_e18) == ("OUT_OF_ORDER", before)
    assert isinstance(funded(desk, 6, 2), m.ContractFactTaken)
    desk.check()


def test_a_flat_position_with_profit_not_yet_paid_is_renamed_too() -> None:
    new = instrument("BTC-USDT-PERP-TWO", terms())
    desk = Desk(instrument(BTC, terms(), tradable=False), new)
    desk.pair("ann", "bob", 2, 60_000, BTC)
    desk.pair("bob", "ann", 2, 61_000, BTC)
    desk.fact("RENAME", BTC, 61_000 * E8, ids={"new_instrument_id": new.instrument_id})
    assert (desk.cash("client:ann"), desk.cash("client:bob")) == (20 * E8, -20 * E8)
    assert all(line.amount_e8 for event in desk.events if isinstance(event, m.EntryBooked) for line in event.lines)
    desk.check()


# -- ticks -------------------------------------------------------------------------------------------------------------


def test_a_partition_that_always_has_an_account_to_margin_still_ends_its_auctions_and_defaults() -> None:
    """Every tick is one record. In a crash each has a margin run; the others' turn comes all the same."""
    room = Room()
    room.reference.accounts |= {"bob": "Bob"}
    opened(room, {BTC: 10}, (0, 0, 0), 200)
    room.give(m.DeclareDefault("d", "bob", "USDT", "did not pay", "desk"), "clearing.commands")
    assert room.state.defaults["bob"].state == "DECLARED"
    for turn in range(8):
        if turn % 2:
            room.mark(BTC, PRICE_E8)
        else:
            del room.marks.newest[BTC]
        room.tick()
    assert {"DOUBT", "TRUST"} <= set(listed(room, "ann"))
    assert room.state.defaults["bob"].state == "ENDED", "it has nothing, and waits for nobody"
