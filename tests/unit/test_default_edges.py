"""Where a liquidation, a default and a withdrawal of the house's money turn: at which unit, moment and count."""

import pytest

from services.clearing.closeout import liquidations
from services.clearing.closeout.closing import Books
from services.clearing.defaults import porting, seizure, waivers, withdrawals
from services.clearing.margining.watch import HandedOver, Liquidation
from services.clearing.state import State
from tests.unit.contract_desk import E8, START_US
from tests.unit.desk import LIMITS, mark, some_meta
from tests.unit.test_liquidation_properties import BTC, Room, opened
from truetape import messages as m
from truetape.liquidation import ALARM_ASKED
from truetape.margin.account import AssetMargin
from truetape.margin.published import Published
from truetape.marks import Marks
from truetape.reference import Reference
from truetape.service import Input, Tables, Tick

AGE_US = 60_000_000
ANN = "ann"


def tick(reference: Reference | None = None) -> Input:
    """A look of clearing at its state."""
    cause, tables = m.Cause("timer", 0, -1, "1"), Tables(reference or Reference(), Marks())
    return Input(Tick(START_US), cause, START_US, "clearing.entries", 1, 1, tables, 0)


# -- liquidation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("equity_e8", "begins"), [(51, False), (50, False), (49, True)])
def test_an_account_is_liquidated_below_its_maintenance_need(equity_e8: int, begins: bool) -> None:
    found = AssetMargin("USDT", equity_e8, 0, 100, 50, "", (), {}, ())
    assert liquidations.begins(State(), tick(), ANN, found) == begins


@pytest.mark.parametrize(("short_e8", "restored"), [(0, True), (1, False)])
def test_margin_is_restored_at_the_maintenance_need(short_e8: int, restored: bool) -> None:
    """A payment that comes while its orders are cancelled: to the unit enough, or not."""
    room = Room()
    opened(room, {BTC: 10}, (-5, 0, 0), 50)
    room.tick()
    found = room.found()
    assert found is not None
    missing_e8 = -found.maintenance_excess_e8 - short_e8
    paid = m.TransferTerms("t2", ANN, "USDT", missing_e8, "bank:settlement", "2")
    room.give(m.TransferApproved(some_meta(), paid), "orders.decisions")
    room.quiet(room.state.watch.liquidations[ANN].liquidation_id)
    room.tick()
    ended = [event.outcome for event in room.events if isinstance(event, m.LiquidationEnded)]
    assert ended == (["RESTORED"] if restored else [])


@pytest.mark.parametrize(("short_e8", "recovered"), [(0, True), (1, False)])
def test_who_was_given_up_is_trusted_again_at_the_maintenance_need(short_e8: int, recovered: bool) -> None:
    room = Room()
    opened(room, {BTC: 10}, (-5, 0, 0), 100)
    found = room.found()
    assert found is not None
    if short_e8:
        taken = m.TransferTerms("t2", ANN, "USDT", -found.maintenance_excess_e8 - short_e8, "bank:settlement", "2")
        room.give(m.TransferApproved(some_meta(), taken), "orders.decisions")
    room.state.watch.handed_over[ANN] = HandedOver("L0", "USDT", "UNSOLD", room.now_us, 0)
    room.tick()
    assert (ANN not in room.state.watch.handed_over) == recovered


@pytest.mark.parametrize(("seconds", "again"), [(59, False), (60, True)])
def test_what_was_given_up_is_tried_again_after_a_minute(seconds: int, again: bool) -> None:
    state = State()
    state.watch.handed_over[ANN] = HandedOver("L0", "USDT", "UNSOLD", START_US, 0)
    assert liquidations.may_begin(state, ANN, START_US + seconds * 1_000_000, False) == again


# -- collateral that the house takes over ------------------------------------------------------------------------------


@pytest.mark.parametrize(("age_us", "paid"), [(AGE_US, 540), (AGE_US + 1, None)])
def test_the_house_takes_collateral_over_at_the_oldest_mark_that_counts(age_us: int, paid: int | None) -> None:
    """0.01 BTC at 60 000 less a tenth are 540."""
    terms = m.CollateralAsset("BTC", "USDT", 1, "BTC-USDT", E8 // 10, E8, 0, E8 // 1_000, AGE_US)
    seen = Published(Marks({"BTC-USDT": mark("60000", START_US - age_us)}), Reference(limits={"*": LIMITS}), START_US)
    books = Books(ANN, {"BTC": E8 // 100}, {}, "USDT", 0, seen, m.CallTerms(1, 1, 0, 1), True)
    one = Liquidation("L1", ANN, "USDT", "WAITING", START_US)
    taken = seizure.seized(tick(), books, one, terms, E8 // 100, 1_000 * E8)
    if paid is None:
        assert taken is None
        return
    assert taken is not None
    assert {(line.account, line.asset): line.amount_e8 for line in taken.lines}["client:ann", "USDT"] == paid * E8


# -- waivers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "waived"), [(ALARM_ASKED - 1, False), (ALARM_ASKED, True)])
def test_an_order_is_waived_once_its_end_was_asked_for_often_enough(asked: int, waived: bool) -> None:
    state = State()
    state.defaults[ANN] = m.DefaultChanged(
        meta=some_meta(), command_id="", account_id=ANN, default_id="d", asset="USDT", state="DECLARED", margin_e8=0,
        loss_e8=0, steps=(), uncovered_e8=0, recovered_e8=0, round_id="", attempt=asked, detail="", requested_by="op",
    )  # fmt: skip
    command = m.WaiveOrders("w1", ANN, "d", ("o1",), "the venue is gone", "olga")
    answer = waivers.waive(state, tick(), command)
    assert isinstance(answer, m.DefaultChanged if waived else m.ClearingRefused)


# -- money that the house takes out ------------------------------------------------------------------------------------


def wanted(amount_e8: int, purpose: str = "FUND") -> m.RoundTerms:
    names = {"purpose": purpose, "account_id": ANN, "location": "bank:main", "reason": "r", "command_id": "c"}
    return m.RoundTerms("w/1", withdrawals.KIND, "house:default", "USDT", {"amount_e8": amount_e8}, names, "op")


@pytest.mark.parametrize(
    ("has_e8", "paid_e8"),
    [
        (101, 100),
        (100, 100),  # all that is there
        (99, 0),
    ],
)
def test_a_share_is_paid_out_when_all_of_it_is_there(has_e8: int, paid_e8: int) -> None:
    stated = [(3, m.RoundHolding(ANN, "USDT", {"have_e8": has_e8}))]
    decided = withdrawals.ROUND.decide(tick(), wanted(100), stated)
    assert -sum(leg.numbers["amount_e8"] for leg in decided.legs) == paid_e8
    assert bool(decided.detail) == (not paid_e8)


@pytest.mark.parametrize(
    ("outcome", "stands_against"),
    [("BANKRUPT", True), ("UNSOLD", False)],
)
def test_nothing_goes_out_while_somebody_is_below_zero_and_not_yet_in_default(
    outcome: str, stands_against: bool
) -> None:
    """His default comes next; what was taken out before it would be missing from the layers that bear it."""
    state = State()
    state.watch.handed_over["bob"] = HandedOver("L1", "USDT", outcome, START_US, 0)
    stated = [(0, one) for one in withdrawals.ROUND.answer(state, tick(), wanted(100, "INSURANCE"))]
    assert [one.account_id for _, one in stated if "against" in one.numbers] == (["bob"] if stands_against else [])
    decided = withdrawals.ROUND.decide(tick(), wanted(100, "INSURANCE"), stated)
    assert ("bob" in decided.detail) == stands_against and not decided.legs


# -- porting -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("left_us", "accepted"), [(1, True), (0, False), (-1, False)])
def test_a_member_accepts_before_the_window_is_over(left_us: int, accepted: bool) -> None:
    reference, state = Reference(accounts={ANN: "", "bob": ""}, members={ANN: "eve", "bob": "bob"}), State()
    state.portings.open[ANN] = m.PortingChanged(
        meta=some_meta(), command_id="", account_id=ANN, member_id="eve", default_id="d", receiver_id="bob",
        state="REQUESTED", change="open", actor="clock", reason="", expires_at_us=START_US + left_us, attempt=0,
        numbers={}, ids={}, detail="", requested_by="clearing",
    )  # fmt: skip
    answer = porting.act(state, tick(reference), m.ActOnPorting("c", ANN, "accept", "bob", "", "yes", "key"))
    says = answer.state if isinstance(answer, m.PortingChanged) else getattr(answer, "reason", "")
    assert says == ("ACCEPTED" if accepted else "DEADLINE_PASSED")
