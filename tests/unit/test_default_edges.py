"""Where a liquidation, a default and a withdrawal of the house's money turn: at which unit, moment and count."""

import pytest
from msgspec.structs import replace

from services.clearing.closeout import closing, liquidations, ranking
from services.clearing.closeout.closing import Books
from services.clearing.defaults import default, porting, seizure, waivers, withdrawals
from services.clearing.margining.watch import HandedOver, Liquidation
from services.clearing.state import Account, State
from tests.unit.contract_desk import E8, START_US
from tests.unit.desk import LIMITS, mark, some_meta
from tests.unit.test_liquidation_properties import BTC, KNOWN, Room, opened
from truetape import messages as m
from truetape.liquidation import ALARM_ASKED
from truetape.margin.account import AssetMargin
from truetape.margin.published import Published
from truetape.marks import Marks
from truetape.reference import Reference
from truetape.service import Input, Tables, Tick

AGE_US = 60_000_000
ANN = "ann"
DECLARED = m.DefaultChanged(
    meta=some_meta(), command_id="", account_id=ANN, default_id="d1", asset="USDT", state="DECLARED", margin_e8=0,
    loss_e8=0, steps=(), uncovered_e8=0, recovered_e8=0, round_id="", attempt=0, detail="", requested_by="op",
)  # fmt: skip


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
    state.defaults[ANN] = replace(DECLARED, default_id="d", attempt=asked)
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


# -- deleveraging ------------------------------------------------------------------------------------------------------


def other_side(kind: str) -> m.RoundTerms:
    """Zoe's long 5 that nobody buys."""
    numbers = {"quantity_e8": 5 * E8, "price_e8": 60_000 * E8, "mark_e8": 60_000 * E8, "lot_e8": E8}
    names = {"instrument_id": BTC, "account_id": "zoe"}
    return m.RoundTerms("d/ADL", kind, "house:clearing", "USDT", numbers, names, "clearing")


def test_who_is_halted_or_on_the_same_side_is_not_asked() -> None:
    state = State()
    for name, contracts in (("bob", -3), ("cat", -2), ("dan", 4), ("zoe", -1)):
        held = m.Position(BTC, contracts * E8, contracts * 600 * E8, 0)
        state.accounts[name] = replace(Account(), positions={BTC: held})
    answer = ranking.KINDS[ranking.PRO_RATA].answer
    asked = [(one.account_id, one.numbers["held_e8"] // E8) for one in answer(state, tick(), other_side("PRO"))]
    assert asked == [("bob", -3), ("cat", -2)]
    state.halted["bob"] = []
    assert [one.account_id for one in answer(state, tick(), other_side("PRO"))] == ["cat"]


@pytest.mark.parametrize(("most", "chosen"), [(2, ["ann", "bob"]), (3, ["ann", "bob", "cat"])])
def test_nobody_is_taken_before_one_who_may_rank_higher_and_was_not_stated(
    most: int, chosen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Partition 0 states its best two and may have a third: before cat, of partition 1, who gains least."""
    monkeypatch.setattr(ranking, "CANDIDATES_MAX", most)
    stated = [
        (place, m.RoundHolding(who, BTC, {
            "held_e8": -E8, "profit_e8": profit * E8, "cost_e8": 600 * E8, "notional_e8": 600 * E8, "equity_e8": E8,
        }))
        for who, place, profit in (("ann", 0, 30), ("bob", 0, 20), ("cat", 1, 10))
    ]  # fmt: skip
    reference = Reference(instruments={one.instrument_id: one for one in KNOWN})
    decided = ranking.KINDS[ranking.RANKED].decide(tick(reference), other_side(ranking.RANKED), stated)
    assert [one.account_id for one in ranking.chosen(decided.outcome)] == chosen


# -- what comes back, and who is asked ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("second", "comes_back"), [("DECLARED", False), ("LOSS_FIXED", False), ("COVERED", True)])
def test_money_that_comes_in_waits_while_a_further_loss_is_not_borne(second: str, comes_back: bool) -> None:
    state, steps = State(), (m.DefaultStep("OTHERS_FUND", "bob", 100),)
    first = replace(DECLARED, default_id="d1", state="COVERED", loss_e8=100, steps=steps)
    state.borne[ANN] = {"d1": first}
    state.defaults[ANN] = replace(first, default_id="d2", state=second, round_id="d2/WATERFALL/1.1")
    state.balances["client:ann"] = {"USDT": 50}
    said = default.tick(state, tick())
    found = isinstance(said, m.DefaultChanged) and (said.default_id, said.state) == ("d1", "RECOVERING")
    assert found == comes_back


@pytest.mark.parametrize("before", [True, False])
def test_the_insurance_fund_is_asked_for_a_loss_once(before: bool) -> None:
    """By the liquidation, or by the default that follows it."""
    state = State()
    state.watch.handed_over[ANN] = HandedOver("L1", "USDT", "LOSS", START_US, 5)
    if before:
        state.insured.add("L1", 10)
    assert (default._insured(state, tick(), DECLARED, 5) is None) == before


@pytest.mark.parametrize(
    ("quantity", "price"),
    [
        (1, 100),   # sold at 98 at the lowest, on a tick inside
        (-1, 108),  # bought at 108 at the highest
    ],
)  # fmt: skip
def test_the_last_rung_is_on_the_collar_and_never_beyond_it(quantity: int, price: int) -> None:
    """The mark is 103, the collar 5 %, cut to 5; ticks are 4."""
    limits = replace(LIMITS, collar_rate_e8=5_000_000)
    assert closing.stepped_e8(limits, quantity, 103, 4, closing.LADDER - 1) == price
    assert closing.stepped_e8(limits, -1, 102, 4, closing.LADDER - 1) == 104, "107 is between two ticks"
