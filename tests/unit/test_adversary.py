"""What must not stop or starve margin: numbers that fit nowhere, ticks that others always need, doubts that come and
go, and names and times that an operator chose badly."""

from typing import Any

import pytest
from msgspec.structs import replace

from services.clearing.booking.ledger import trial_balance
from services.clearing.defaults.default import orders_of
from services.clearing.margining.watch import HandedOver, Liquidation, ask
from services.clearing.state import Account
from tests.unit.contract_desk import E8, EXPIRY_US, HOUR_US, START_US, Desk, future, instrument, option, terms
from tests.unit.desk import LIMITS, some_meta, transfer
from tests.unit.desk import terms as orders
from tests.unit.test_liquidation_properties import BTC, KNOWN, Room, opened
from tests.unit.test_risk_contracts import Pair
from truetape import messages as m
from truetape.liquidation import KEY
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
    known = room.state.defaults["bob"]
    assert known.state == "DECLARED"
    name = orders_of(known.default_id)
    room.give(m.CancelRequested(some_meta(), name, "bob", (), "", name), "orders.decisions")
    for turn in range(8):
        if turn % 2:
            room.mark(BTC, PRICE_E8)
        else:
            del room.marks.newest[BTC]
        room.tick()
    assert {"DOUBT", "TRUST"} <= set(listed(room, "ann"))
    assert room.state.defaults["bob"].state == "ENDED", "it has nothing, and waits for nobody"


# -- the end of a contract ---------------------------------------------------------------------------------------------

FUT, CALL = "BTC-USDT-20231115", "BTC-USDT-20231115-60000-C"


@pytest.mark.parametrize(
    ("price", "fee"),
    [
        ("60010",          "1.25"),         # 0.03 % of the notional would be 18: at most an eighth of the payoff of 10
        ("70000",          "21"),
        ("70000.00000001", "21.00000001"),  # rounded up
        ("59999",          "0"),            # out of the money nothing is paid, and nothing charged
    ],
)  # fmt: skip
def test_the_settlement_fee_of_an_option_is_bounded_by_what_it_pays(price: str, fee: str) -> None:
    desk = Desk(instrument(CALL, option("CALL", 60_000, settlement_fee_rate_e8=30_000)))
    desk.pair("ann", "bob", 1, 1_000, CALL)
    desk.now_us = EXPIRY_US
    before = desk.cash("client:ann")
    desk.fact("EXPIRY", CALL, to_e8(price), effective_at_us=EXPIRY_US, observed_at_us=EXPIRY_US)
    assert desk.cash("client:ann") - before == max(to_e8(price) - 60_000 * E8, 0) - to_e8(fee)
    assert desk.cash("house:fees") == 2 * to_e8(fee)
    desk.check()


@pytest.mark.parametrize(("usdt_e8", "btc_e8"), [(600 * E8, E8 // 100), (600 * E8 - 1, E8 // 100 - 1)])
def test_who_has_just_what_he_must_deliver_delivers(usdt_e8: int, btc_e8: int) -> None:
    desk = Desk(instrument(FUT, future(delivery="PHYSICAL")))
    for who, asset, amount_e8 in (("ann", "USDT", usdt_e8), ("bob", "BTC", btc_e8)):
        moved = m.TransferTerms(f"in-{who}", who, asset, amount_e8, "bank:settlement", "x")
        desk.approve(m.TransferApproved(some_meta(), moved))
    desk.pair("ann", "bob", 1, 60_000, FUT)
    desk.now_us = EXPIRY_US
    ends = desk.fact("EXPIRY", FUT, PRICE_E8, effective_at_us=EXPIRY_US, observed_at_us=EXPIRY_US)
    wanted = "DELIVERY" if btc_e8 == E8 // 100 else "EXPIRY"
    assert [one.contract.event for one in ends[1:]] == [wanted] * 2
    desk.check()


# -- who owes --------------------------------------------------------------------------------------------------------


def test_a_deposit_that_is_reversed_after_it_was_withdrawn_is_owed_and_stays_on_the_books() -> None:
    pair = Pair(instrument(BTC, terms()), deposit=100)
    taken = m.RequestTransfer(transfer("-60", reference="2"), "key", START_US)
    pair.risk.give(pair.clearing.approve(pair.risk.give(taken)))
    deposit = pair.clearing.events[0]
    pair.risk.give(pair.clearing.bust(deposit))
    assert pair.clearing.cash("client:ann") == pair.risk.state.accounts["ann"].balances["USDT"] == -60 * E8
    assert pair.order("BUY", 1, "60000").reason == "INSUFFICIENT_FUNDS"
    again = m.RequestTransfer(transfer("-1", reference="3"), "key", START_US)
    assert pair.risk.give(again).reason == "INSUFFICIENT_FUNDS"
    assert pair.clearing.bust(deposit).reason == "ENTRY_CORRECTED", "once"
    pair.clearing.check()


def test_no_key_passes_the_checks_but_a_liquidations_that_only_reduces() -> None:
    """Whoever is not being liquidated is checked as everybody is, whoever asks."""
    pair = Pair(instrument(BTC, terms()), deposit=70)
    pair.fill(pair.order("BUY", 1, "60000"), 1, 60_000)
    for number, side in enumerate(("BUY", "SELL")):
        order = orders("SELL" if side == "SELL" else "BUY", "1", "60000", f"x{number}", instrument_id=BTC)
        assert pair.risk.give(m.SubmitOrder(order, KEY, START_US)).reason == "TRADING_REDUCING"
    pair.risk.give(liquidation_of("ann"))
    for side, quantity, passes in (("BUY", "1", False), ("SELL", "2", False), ("SELL", "1", True)):
        order = orders("SELL" if side == "SELL" else "BUY", quantity, "60000", f"y{side}{quantity}", instrument_id=BTC)
        assert isinstance(pair.risk.give(m.SubmitOrder(order, KEY, START_US)), m.OrderAccepted) is passes


def liquidation_of(account_id: str) -> m.LiquidationChanged:
    """The record by which clearing begins one."""
    return m.LiquidationChanged(
        meta=some_meta(), account_id=account_id, liquidation_id="L1", asset="USDT", state="CANCELLING", step=0,
        attempt=0, order=None, bankruptcy_price_e8=0, excess_e8=0, planned_e8=0, detail="", seen=None,
    )  # fmt: skip


def test_an_order_that_sold_something_begins_the_ladder_again_and_four_that_did_not_end_it() -> None:
    room = Room()
    opened(room, {BTC: 20}, (-5, 0, 0), 60)
    attempts, sold = list[int](), list[int]()
    for _ in range(30):
        room.tick()
        running = room.state.watch.liquidations.get("ann")
        if running is None or room.state.deleveragings.running:
            break
        if running.state == "SELLING" and running.order is not None:
            attempts.append(running.attempt)
            if len(attempts) == 2:
                sold.append(E8)
                room.fill(running.order, E8, running.order.price_e8 or 0)
        if running.state != "WAITING":
            room.quiet(running.liquidation_id)
    assert attempts == [0, 1, 0, 1, 2, 3]
    assert sold == [E8]


def test_a_loss_in_another_asset_while_a_round_is_out_is_said() -> None:
    room = Room()
    room.state.accounts["ann"] = Account()
    room.give(m.DeclareDefault("d", "ann", "USDT", "did not pay", "desk"), "clearing.commands")
    round_out = replace(room.state.defaults["ann"], state="LOSS_FIXED", round_id="d/WATERFALL/1.1")
    room.state.defaults["ann"] = round_out
    ask(room.state.watch, "1.1", "ann", "BTC", "DEFAULT", "liquidation L2: something is missing")
    room.tick()
    [said] = [event for event in room.events if isinstance(event, m.MarginReviewed)]
    assert "another default" in said.detail and "BTC" in said.detail


def test_a_contract_renamed_while_an_order_of_a_liquidation_is_out_goes_on_under_its_new_name() -> None:
    room = Room()
    new = replace(KNOWN[0], instrument_id="BTC-USDT-PERP-TWO")
    room.reference.instruments[new.instrument_id] = new
    opened(room, {BTC: 20}, (-5, 0, 0), 60)
    room.mark(new.instrument_id, PRICE_E8 * 95 // 100)
    for _ in range(3):
        room.tick()
        running = room.state.watch.liquidations["ann"]
        if running.state == "CANCELLING":
            room.quiet(running.liquidation_id)
    order = running.order
    assert running.state == "SELLING" and order is not None
    room.reference.instruments[BTC] = replace(KNOWN[0], tradable=False)
    at_us, ids = room.now_us, {"new_instrument_id": new.instrument_id}
    fact = m.ContractFact("move", "RENAME", BTC, at_us, at_us, "desk", PRICE_E8 * 95 // 100, {}, ids)
    assert isinstance(room.give(m.TakeContractFact(fact), "clearing.commands"), m.ContractFactTaken)
    room.fill(order, E8, order.price_e8 or 0)
    room.quiet(running.liquidation_id)
    held = room.state.accounts["ann"].positions
    assert (held[BTC].quantity_e8, held[new.instrument_id].quantity_e8) == (0, 19 * E8), "its late fill has moved too"
    room.tick()
    following = room.state.watch.liquidations["ann"].order
    assert following is not None and following.instrument_id == new.instrument_id
    assert not any(trial_balance(room.state.balances).values())


@pytest.mark.parametrize("contracts", [20, -20])
def test_orders_of_a_liquidation_keep_within_the_accounts_limits_and_collar(contracts: int) -> None:
    """Risk would refuse them, and a refusal counts as a market that took nothing."""
    room = Room()
    most_e8, collar_e8 = 1_800 * E8, E8 // 1_000
    room.reference.limits["*"] = replace(LIMITS, max_order_notional_e8=most_e8, collar_rate_e8=collar_e8)
    opened(room, {BTC: contracts}, (-5 if contracts > 0 else 5, 0, 0), 60)
    mark_e8, orders_seen = room.marks.newest[BTC].price_e8, list[m.OrderTerms]()
    for _ in range(20):
        room.tick()
        running = room.state.watch.liquidations.get("ann")
        if running is None or room.state.deleveragings.running:
            break
        if running.state == "SELLING" and running.order is not None:
            orders_seen.append(running.order)
        if running.state != "WAITING":
            room.quiet(running.liquidation_id)
    assert len(orders_seen) == 4
    for order in orders_seen:
        price_e8 = order.price_e8 or 0
        assert order.quantity_e8 // 100 * max(price_e8, mark_e8) // E8 <= most_e8
        assert abs(price_e8 - mark_e8) <= mark_e8 * collar_e8 // E8


def test_what_is_not_traded_is_not_sold() -> None:
    room = Room()
    opened(room, {BTC: 20}, (-5, 0, 0), 60)
    room.reference.instruments[BTC] = replace(KNOWN[0], tradable=False)
    for _ in range(4):
        room.tick()
        running = room.state.watch.liquidations.get("ann")
        if running is not None and running.state == "CANCELLING":
            room.quiet(running.liquidation_id)
    states = [event.state for event in room.events if isinstance(event, m.LiquidationChanged)]
    assert states[:2] == ["CANCELLING", "WAITING"] and "SELLING" not in states


@pytest.mark.parametrize(("halted_by", "passes"), [("", True), ("event-1", False), ("default:D1", True)])
def test_a_liquidation_sells_for_who_is_in_default_and_waits_for_who_is_halted(halted_by: str, passes: bool) -> None:
    """Books that are behind their trades would be sold by numbers that are wrong."""
    pair = Pair(instrument(BTC, terms()), deposit=70)
    pair.fill(pair.order("BUY", 1, "60000"), 1, 60_000)
    pair.risk.give(liquidation_of("ann"))
    pair.risk.state.accounts["ann"].halted_by = halted_by
    order = orders("SELL", "1", "60000", "z", instrument_id=BTC)
    assert isinstance(pair.risk.give(m.SubmitOrder(order, KEY, START_US)), m.OrderAccepted) is passes
