"""How a liquidation ends when all is sold, who pays what is missing, and whose word ends a step."""

from typing import Any

import pytest
import structlog
from msgspec.structs import replace

from services.clearing import books
from services.clearing.closeout import closing, liquidations
from services.clearing.margining.margin import level_e8
from services.clearing.margining.watch import Liquidation
from services.clearing.session import Session
from services.clearing.state import Account
from tests.unit.contract_desk import E8
from tests.unit.desk import some_meta
from tests.unit.test_liquidation_properties import BTC, ETH, Room, opened
from truetape import messages as m
from truetape.margin.account import AssetMargin
from truetape.money import to_e8
from truetape.service import Input, Tables

SECOND_US = 1_000_000


def room(state: str, cash: str = "0", fund: str = "0") -> Room:
    """Ann has sold all that she held, by liquidation L1, and this is what she and the fund have."""
    found = Room()
    cash_e8, fund_e8 = to_e8(cash), to_e8(fund)
    found.state.accounts["ann"] = Account()
    found.state.balances = {
        "client:ann": {"USDT": cash_e8}, "house:insurance": {"USDT": fund_e8},
        "venue:alpha": {"USDT": -cash_e8 - fund_e8},
    }  # fmt: skip
    found.state.watch.liquidations["ann"] = Liquidation("L1", "ann", "USDT", state, found.now_us)
    return found


@pytest.mark.parametrize(
    ("cash", "fund", "outcome", "covered", "shortfall"),
    [
        ("5",   "30", "RESTORED", "0",  "0"),   # nothing is missing
        ("0",   "30", "RESTORED", "0",  "0"),
        ("-10", "30", "COVERED",  "10", "0"),
        ("-10", "10", "COVERED",  "10", "0"),   # just enough
        ("-10", "4",  "LOSS",     "4",  "6"),   # the fund pays what it has, and no more
        ("-10", "0",  "LOSS",     "0",  "10"),
    ],
)  # fmt: skip
def test_the_fund_pays_what_it_has_and_a_loss_declares_the_default(
    cash: str, fund: str, outcome: str, covered: str, shortfall: str
) -> None:
    found = room("WAITING", cash, fund)
    for _ in range(4):
        found.tick()
    assert [one.terms.numbers["missing_e8"] for one in found.state.requests.values()] == (
        [to_e8(shortfall)] if outcome == "LOSS" else []
    ), "the other parts of the fund are asked for what this one cannot pay"
    if outcome == "LOSS":
        found.nobody_pays()
        for _ in range(4):
            found.tick()
    [ended] = [event for event in found.events if isinstance(event, m.LiquidationEnded)]
    assert (ended.outcome, ended.covered_e8, ended.shortfall_e8) == (outcome, to_e8(covered), to_e8(shortfall))
    assert found.state.balances["house:insurance"]["USDT"] == to_e8(fund) - to_e8(covered) >= 0
    assert found.state.balances["client:ann"]["USDT"] == to_e8(cash) + to_e8(covered)
    declared = [event.state for event in found.events if isinstance(event, m.DefaultChanged)]
    assert declared[:1] == (["DECLARED"] if outcome == "LOSS" else [])


def test_what_the_account_has_posted_itself_comes_before_the_fund() -> None:
    found = room("WAITING", "-10", "30")
    found.reference.collateral["BTC"] = m.CollateralAsset("BTC", "USDT", 1, "BTC-USDT", 0, E8, 0, 1, 10**15)
    found.state.balances["client:ann"]["BTC"] = 1
    found.state.balances["venue:alpha"]["BTC"] = -1
    found.tick()
    found.tick()
    [ended] = [event for event in found.events if isinstance(event, m.LiquidationEnded)]
    assert (ended.outcome, ended.covered_e8, ended.shortfall_e8) == ("LOSS", 0, to_e8("10"))
    assert found.state.balances["house:insurance"]["USDT"] == to_e8("30")


@pytest.mark.parametrize("state", ["CANCELLING", "SELLING"])
def test_only_the_word_about_this_liquidation_ends_a_step(state: str) -> None:
    found = room(state)
    for other in ("", "L2"):
        found.quiet(other)
        assert found.state.watch.liquidations["ann"].state == state, f"risk spoke of {other!r}"
    found.quiet("L1")
    assert found.state.watch.liquidations["ann"].state == "WAITING"


@pytest.mark.parametrize(("rate", "level"), [("0", 1), ("0.5", 3), ("0.25", 2), ("1", 4)])
def test_the_call_level_is_between_both_needs_and_rounded_up(rate: str, level: int) -> None:
    found = AssetMargin("USDT", 0, 0, 4, 1, "", (), {}, ())
    assert level_e8(found, m.CallTerms(1, 1, to_e8(rate), 1)) == level


def selling() -> tuple[Room, m.OrderTerms]:
    """Ann is below maintenance, and the first order of her liquidation is out."""
    found = Room()
    opened(found, {BTC: 10}, (-5, 0, 0), 50)
    found.tick()
    found.quiet(found.state.watch.liquidations["ann"].liquidation_id)
    return found, order_of(found)


def order_of(found: Room) -> m.OrderTerms:
    """The next order of the liquidation."""
    fresh(found)
    found.tick()
    order = found.state.watch.liquidations["ann"].order
    assert order is not None
    return order


def fresh(found: Room) -> None:
    """The mark is published again."""
    found.mark(BTC, found.marks.newest[BTC].price_e8)


def refuse(found: Room, order: m.OrderTerms, reason: m.RejectReason = "NOTIONAL_ABOVE_LIMIT") -> None:
    no = m.OrderRejected(meta=some_meta(), order=order, reason=reason, numbers={}, reference_offset=0)
    found.give(no, "orders.decisions")


def test_only_a_venue_that_took_nothing_makes_the_next_order_cheaper() -> None:
    found, first = selling()
    refuse(found, first)
    second = order_of(found)
    assert (second.price_e8, second.order_id != first.order_id) == (first.price_e8, True), "no venue was asked"
    found.quiet(found.state.watch.liquidations["ann"].liquidation_id)
    third = order_of(found)
    assert (third.price_e8 or 0) < (second.price_e8 or 0), "a venue has taken nothing"


def test_a_liquidation_that_risk_refuses_four_times_in_a_row_is_given_up() -> None:
    found, order = selling()
    for _ in range(closing.REFUSED_MAX - 1):
        refuse(found, order)
        order = order_of(found)
    refuse(found, order)
    found.tick()
    [ended] = [event for event in found.events if isinstance(event, m.LiquidationEnded)]
    assert (ended.outcome, ended.detail) == ("UNSOLD", "risk refused 4 orders in a row")


@pytest.mark.parametrize("reason", closing.PASSING)
def test_what_passes_by_itself_is_asked_for_a_minute(reason: m.RejectReason) -> None:
    found, order = selling()
    refuse(found, order, reason)
    until_us, count = found.now_us + closing.PASSING_US, 1
    while found.now_us < until_us - 3 * SECOND_US:
        refuse(found, order_of(found), reason)
        count += 1
    order = order_of(found)
    assert count > 3 * closing.REFUSED_MAX and not of(found, m.LiquidationEnded)
    found.now_us = until_us
    refuse(found, order, reason)
    fresh(found)
    found.tick()
    [ended] = of(found, m.LiquidationEnded)
    assert (ended.outcome, ended.detail) == ("UNSOLD", f"risk refused {count + 1} orders in a row")


def test_a_minute_in_which_risk_was_away_is_no_patience_used_up() -> None:
    found, order = selling()
    for _ in range(closing.REFUSED_MAX - 1):
        refuse(found, order, "COMMAND_EXPIRED")
        found.now_us += closing.PASSING_US
        order = order_of(found)
    assert not of(found, m.LiquidationEnded)
    refuse(found, order, "COMMAND_EXPIRED")
    found.tick()
    assert [ended.outcome for ended in of(found, m.LiquidationEnded)] == ["UNSOLD"]


def test_an_order_that_risk_took_makes_refusals_begin_anew() -> None:
    found, order = selling()
    refuse(found, order, "MARK_STALE")
    order_of(found)
    found.quiet(found.state.watch.liquidations["ann"].liquidation_id)
    one = found.state.watch.liquidations["ann"]
    assert (one.refused, one.put_off, one.put_off_since_us) == (0, 0, 0)


def test_what_is_not_answered_raises_an_alarm_once_until_it_is_answered() -> None:
    found, order = selling()
    with structlog.testing.capture_logs() as logged:
        session = Session(lambda *_: None)
        session.resume(0, found.state)
        seen = len(found.events)
        for _ in range(400):
            found.now_us += SECOND_US
            fresh(found)
            found.tick()
        for event in found.events[seen:]:
            session.act(0, event)
    asked = [one for one in of(found, m.LiquidationChanged) if one.asked]
    assert [one.asked for one in asked] == list(range(1, 8)), "it never ends by itself"
    assert [order.order_id in one.detail for one in asked] == [False] * 3 + [True] * 4
    assert [(one["event"], one["order_id"]) for one in logged] == [("liquidation not answered", order.order_id)]
    assert "not known" in shown(found)
    found.quiet(found.state.watch.liquidations["ann"].liquidation_id)
    assert shown(found) == "", "the venue has told"


def shown(found: Room) -> str:
    """What the list of liquidations says beside the state."""
    [one] = books.accounts(found.state)["ann"]["liquidations"]
    return str(one["detail"])


def of(found: Room, kind: type) -> list[Any]:
    """The records of a kind."""
    return [event for event in found.events if isinstance(event, kind)]


def test_a_position_has_its_own_maintenance_need_and_never_more_than_the_accounts() -> None:
    found = Room()
    opened(found, {BTC: 10, ETH: 10}, (0, 0, 0), 50)
    one = Liquidation("L1", "ann", "USDT", "WAITING", found.now_us)
    tables = Tables(found.reference, found.marks)
    given = Input(None, m.Cause("", 0, -1, ""), found.now_us, "", 1, 1, tables)
    own, whole = liquidations._books(found.state, given, one), found.found()
    assert whole is not None
    parts = [closing._maintenance_e8(own, name, own.held[name], whole) for name in (BTC, ETH)]
    assert sum(parts) == whole.maintenance_e8 and min(parts) > 0, "this model offsets nothing"
    hedged = replace(whole, maintenance_e8=1)
    assert closing._maintenance_e8(own, BTC, own.held[BTC], hedged) == 1, "the account needs less than the sum"
