"""Closing the positions of an account in default: what simulated runs in distress found wrong."""

import pytest

from services.clearing.defaults import default
from tests.unit.contract_desk import E8
from tests.unit.test_liquidation_properties import BTC, KNOWN, PRICES, Room, opened
from truetape import messages as m

TICK_E8 = KNOWN[0].tick_e8


def declared(held: int, mark_e8: int = PRICES[BTC] * E8) -> tuple[Room, str]:
    """Ann holds so many contracts, has money enough, and is declared in default; under which name her orders end."""
    room = Room()
    opened(room, {BTC: held}, (0, 0, 0), 300)
    room.mark(BTC, mark_e8)
    declare = m.DeclareDefault("d1", "ann", "USDT", "insolvent", "op")
    first = room.give(declare, "clearing.commands")
    assert isinstance(first, m.DefaultChanged)
    return room, default.orders_of(first.default_id)


def in_default(held: int, mark_e8: int = PRICES[BTC] * E8) -> Room:
    """The same, and her orders have ended."""
    room, name = declared(held, mark_e8)
    room.quiet(name)
    return room


def sold(room: Room) -> m.LiquidationChanged:
    """The first order of its liquidation."""
    for _ in range(6):
        room.tick()
        if (one := room.state.watch.liquidations.get("ann")) is not None and one.state == "CANCELLING":
            room.quiet(one.liquidation_id)
    return next(e for e in room.events if isinstance(e, m.LiquidationChanged) and e.state == "SELLING")


@pytest.mark.parametrize("held", [20, -20])
@pytest.mark.parametrize("off_e8", [1, TICK_E8 // 3, TICK_E8 - 1])
def test_orders_stand_on_ticks_though_the_mark_does_not(held: int, off_e8: int) -> None:
    """Risk refuses any other (PRICE_OFF_TICK), and then nothing of a default was ever closed."""
    mark_e8 = PRICES[BTC] * E8 + off_e8
    order = sold(in_default(held, mark_e8)).order
    assert order is not None and order.price_e8 is not None
    assert order.price_e8 % TICK_E8 == 0
    assert order.price_e8 < mark_e8 if held > 0 else order.price_e8 > mark_e8


@pytest.mark.parametrize("other", ["L1", "default:an-earlier-one"])
def test_risks_word_about_this_default_ends_its_wait_once(other: str) -> None:
    room, name = declared(20)
    for said, records in ((other, 1), (name, 2), (name, 2), (other, 2)):
        room.quiet(said)
        assert len([event for event in room.events if isinstance(event, m.DefaultChanged)]) == records
    assert room.state.defaults["ann"].quiet


def test_profit_that_is_not_paid_yet_is_nothing_to_sell() -> None:
    """With all closed, the default goes on to its loss: no liquidation begins that has nothing to close."""
    room = in_default(20)
    order = sold(room).order
    assert order is not None
    room.fill(order, order.quantity_e8, PRICES[BTC] * E8 + 5 * E8)
    [one] = room.state.watch.liquidations.values()
    room.quiet(one.liquidation_id)
    for _ in range(6):
        room.tick()
    [_] = [event for event in room.events if isinstance(event, m.LiquidationEnded)]
    assert [event.state for event in room.events if isinstance(event, m.DefaultChanged)] == [
        "DECLARED", "DECLARED", "ENDED",
    ]  # fmt: skip


def test_no_fee_is_taken_of_what_a_default_closes() -> None:
    """Not even of a fill better than the mark: the loss is others' to bear."""
    room = in_default(20)
    order = sold(room).order
    assert order is not None
    room.fill(order, order.quantity_e8, PRICES[BTC] * E8 + 5 * E8)
    [one] = room.state.watch.liquidations.values()
    room.quiet(one.liquidation_id)
    assert "house:insurance" not in room.state.balances


def test_a_busy_margin_run_does_not_hold_up_a_default() -> None:
    """Two ticks at most, though margin has something to say in each of them."""
    room = in_default(0)
    for _ in range(2):
        room.state.watch.doubts["ann"] = "an old reason"
        room.tick()
    assert room.state.defaults["ann"].state == "ENDED"


def test_a_debt_that_outlives_its_contracts_is_called_for_and_declared() -> None:
    """Ann's last contract ended while nobody could sell it, and left her with less than nothing."""
    room = Room()
    opened(room, {BTC: 20}, (-9, 0, 0), 20)
    trade = m.BookTrade("out", "ann", "out", BTC, "SELL", 20 * E8, PRICES[BTC] * E8 * 85 // 100, "TAKER", room.now_us,
                        "t", "")  # fmt: skip
    room.give(trade, "clearing.commands")
    price = m.ContractFact("f", "SETTLEMENT_PRICE", BTC, room.now_us, room.now_us, "t", E8 * 50_000, {})
    room.give(m.TakeContractFact(price), "clearing.commands")
    assert room.state.balances["client:ann"]["USDT"] < 0
    assert not room.state.accounts["ann"].positions[BTC].quantity_e8
    for _ in range(12):
        room.tick()
        if (one := room.state.watch.liquidations.get("ann")) is not None and one.state == "CANCELLING":
            room.quiet(one.liquidation_id)
    assert "ann" in room.state.watch.owing
    assert [call.amount_e8 for call in room.state.watch.calls.values()] == [-room.state.balances["client:ann"]["USDT"]]
    assert any(isinstance(event, m.LiquidationChanged) for event in room.events), "nothing is left to sell"
