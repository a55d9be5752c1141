"""Margin calls and liquidation through all services on the simulated broker: what is called, sold, charged and paid;
audited by both audits, and resumed at every record."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from services.clearing import core
from services.clearing.across.parcels import INSURANCE
from services.clearing.session import Session
from services.clearing.state import State
from tests.unit.desk import ANN, BOB
from tests.unit.liquidation_stage import LiquidationStage
from tests.unit.test_books import opinion
from tests.unit.test_contract_stage import PERP
from truetape import messages as m
from truetape.codec import decode, encode
from truetape.happenings import Part
from truetape.money import to_e8
from truetape.topics import CLEARING_COMMANDS, CLEARING_ENTRIES
from truetape.venue import reports as r

SECOND_US = 1_000_000


def agreed(stage: LiquidationStage) -> None:
    """Both audits find nothing."""
    report = stage.audit(stage.ask)
    assert report.differences == []
    assert report.equal
    second = opinion(stage.copy())
    assert (second.equal, second.differences) == (True, [])


def states(stage: LiquidationStage) -> list[str]:
    return [event.state for event in stage.calls()]


def ended(stage: LiquidationStage) -> list[m.LiquidationEnded]:
    return [event for event in stage.told() if isinstance(event, m.LiquidationEnded)]


def test_a_call_is_answered_disputed_and_met_by_what_is_booked() -> None:
    stage = LiquidationStage("62")
    stage.fall("57200")
    stage.wait(2)
    call = stage.calls()[0]
    assert (call.asset, call.amount_e8) == ("USDT", to_e8("23.21")), "57.20 are needed, and 33.99 are there"
    assert call.seen is not None
    assert call.seen.marks[PERP].price_e8 == to_e8("57200")
    stage.wait(3)
    assert states(stage) == ["CALLED"], "called once, not every second"
    stage.act(ANN, call.call_id, "acknowledge", "member")
    stage.act(ANN, call.call_id, "dispute", "member", "the mark was wrong")
    stage.act(ANN, call.call_id, "reject_dispute", "member", "I say so")
    stage.act(ANN, call.call_id, "reject_dispute", "house", "it was right")
    stage.transfer(ANN, "USDT", "10")
    stage.settle()
    stage.transfer(ANN, "USDT", "13.21")
    stage.settle()
    wanted = ["CALLED", "ACKNOWLEDGED", "DISPUTED", "ACKNOWLEDGED", "ACKNOWLEDGED", "MET"]
    assert states(stage) == wanted
    assert [event.paid_e8 for event in stage.calls()][-2:] == [to_e8("10"), to_e8("23.21")]
    stage.act(ANN, call.call_id, "acknowledge", "member")
    assert states(stage) == wanted, "it has ended"
    agreed(stage)


def test_a_call_is_withdrawn_when_the_price_comes_back_and_is_quiet_after_an_upheld_dispute() -> None:
    stage = LiquidationStage("62")
    stage.fall("57200")
    stage.wait(2)
    stage.fall("58000")
    stage.wait(2)
    assert states(stage) == ["CALLED"], "above the level, but below the initial need: the call stays"
    stage.fall("60000")
    stage.wait(2)
    assert states(stage) == ["CALLED", "WITHDRAWN"]
    stage.fall("57200")
    stage.wait(2)
    again = stage.calls()[-1]
    stage.act(ANN, again.call_id, "dispute", "member", "the mark is of a thin book")
    stage.act(ANN, again.call_id, "uphold_dispute", "house", "so it is")
    stage.wait(4)
    assert states(stage)[-1] == "WITHDRAWN", "and nothing new is called for as long as the call had run"
    agreed(stage)


def test_a_call_that_is_not_met_is_missed_and_becomes_a_default() -> None:
    stage = LiquidationStage("62")
    terms = m.CallTerms(5 * SECOND_US, 4 * SECOND_US, to_e8("0.5"), 1)
    stage.set(m.SetCallTerms("terms", "test", ANN, terms))
    stage.fall("57200")
    stage.wait(2)
    stage.transfer(ANN, "USDT", "1")
    stage.wait(4.5)
    assert states(stage) == ["CALLED", "CALLED", "MISSED"]
    stage.wait(4.5)
    assert states(stage)[-1] == "DEFAULT"
    stage.transfer(ANN, "USDT", "50")
    stage.wait(2)
    assert states(stage)[-1] == "DEFAULT", "what comes after it is the default's"
    declared = [event for event in stage.told() if isinstance(event, m.DefaultChanged)]
    assert declared[0].detail == f"margin call {stage.calls()[0].call_id} was not met"
    stage.wait(4)
    assert stage.position() == 0, "and what it holds is closed"
    agreed(stage)


@pytest.fixture(scope="module")
def sold() -> LiquidationStage:
    """An account that is liquidated in part; it has an order of its own that rests at the venue."""
    stage = LiquidationStage("63")
    stage.venue.appetite = lambda leg: 0
    stage.contract_order(ANN, "SELL", "0.1", "61000")
    stage.settle()
    stage.venue.appetite = lambda leg: leg.quantity_e8
    stage.fall("56000")
    stage.wait(1.2)
    stage.contract_order(ANN, "BUY", "0.1", "56000")
    stage.contract_order(ANN, "SELL", "0.1", "56000")
    stage.wait(5)
    return stage


def test_its_own_orders_go_first_and_the_least_that_restores_margin_is_sold(sold: LiquidationStage) -> None:
    changes = [event for event in sold.told() if isinstance(event, m.LiquidationChanged)]
    assert [event.state for event in changes] == ["CANCELLING", "WAITING", "SELLING", "WAITING"]
    cancel = next(event for event in sold.decided(ANN, m.CancelRequested) if event.liquidation_id)
    assert len(cancel.order_ids) == 1
    order = changes[2].order
    assert order is not None
    assert changes[2].excess_e8 < 0 <= changes[2].planned_e8
    lot_e8 = to_e8("0.1")
    assert changes[2].planned_e8 < to_e8("42") * lot_e8 // to_e8("1"), "one lot less would not have done"
    assert sold.position() == to_e8("1") - order.quantity_e8 > 0
    assert [one.order.order_id for one in sold.orders()] == [order.order_id]


def test_margin_is_there_again_and_the_fund_has_the_fee(sold: LiquidationStage) -> None:
    (end,) = ended(sold)
    assert (end.outcome, end.shortfall_e8) == ("RESTORED", 0)
    assert end.seen is not None
    assert end.seen.balance_e8 + end.seen.gains_e8 >= end.seen.maintenance_e8
    state = sold.runners["clearing"]._owned[sold.partition(ANN)].state
    assert state.balances["house:insurance"]["USDT"] == end.fees_e8 > 0
    assert state.watch.liquidations == {}


def test_the_accounts_own_orders_wait_until_it_is_over(sold: LiquidationStage) -> None:
    refused = [event for event in sold.decided(ANN, m.OrderRejected) if event.reason == "TRADING_REDUCING"]
    assert [event.numbers for event in refused] == [{"liquidation": 1}, {"liquidation": 1}]
    assert len(sold.decided(ANN, m.RestrictionEnded)) == 1
    agreed(sold)


def resumed(state: State) -> list[Any]:
    """What is sent by who takes over with this state."""
    sent: list[Any] = []

    def append(part: Part, key: bytes, value: bytes, headers: Any, token: Any) -> None:
        sent.append(decode(value))

    Session(append).resume(0, state)
    return sent


def test_a_crash_at_any_record_resumes_with_the_same_order(sold: LiquidationStage) -> None:
    """Whoever takes over at a record sends what is out, under its own id, and nothing else; risk has answered it."""
    events = sold.messages(Part(CLEARING_ENTRIES.name, sold.partition(ANN)))
    state, known = State(), {one.order.order_id for one in sold.orders()}
    sent_at: list[int] = []
    for place, event in enumerate(events):
        if isinstance(event, m.Began):
            continue
        state = core.evolve(state, event)
        sent = resumed(state)
        assert {one.order.order_id for one in sent} <= known
        sent_at += [place] * len(sent)
    assert sent_at, "the order was out for a while"
    assert state == sold.runners["clearing"]._owned[sold.partition(ANN)].state, "replay equals live"
    sold.command(ANN, sold.orders()[0])
    sold.settle()
    repeated = sold.decided(ANN, m.DecisionRepeated)
    assert [one.order_id for one in repeated] == [sold.orders()[0].order.order_id]
    assert len([one for one in sold.decided(ANN, m.OrderAccepted) if one.order.order_id in known]) == 1


def test_nothing_is_called_or_sold_on_a_doubtful_mark() -> None:
    stage = LiquidationStage("62", mark_max_age_us=3 * SECOND_US)
    stage.fall("50000")
    stage.remark = lambda: None  # type: ignore[method-assign]
    stage.broker.advance(4 * SECOND_US)
    before = len(stage.told())
    stage.wait(4)
    runs = [event for event in stage.told()[before:] if isinstance(event, m.MarginRun)]
    listed = [one for run in runs for one in run.listed if one.action == "DOUBT"]
    assert [(one.account_id, one.reason) for one in listed] == [(ANN, f"no fresh mark of {PERP}")], "said once"
    assert not [event for event in stage.told()[before:] if isinstance(event, m.LiquidationChanged)]
    agreed(stage)


def silent(stage: LiquidationStage) -> None:
    """The venue's word on the order never comes."""

    def act(partition: int, event: Any) -> None:
        if isinstance(event, m.OrderRouted):
            leg = event.legs[0]
            unknown = r.VenueUnknown(leg.venue, leg.venue_client_order_id, "timeout")
            stage.offer(partition, r.report_id(unknown), unknown)

    stage.venue.act = act  # type: ignore[method-assign]


def test_an_order_of_unknown_outcome_holds_the_liquidation() -> None:
    stage = LiquidationStage("62")
    silent(stage)
    stage.fall("56000")
    stage.wait(12)
    assert len({one.order.order_id for one in stage.orders()}) == 1, "asked again, and never a second one"
    assert len(stage.orders()) == 2
    assert ended(stage) == []
    state = stage.runners["risk"]._owned[stage.partition(ANN)].state
    assert list(state.accounts[ANN].reservations) == [stage.orders()[0].order.order_id], "it keeps its reservation"


def test_a_market_that_takes_nothing_is_asked_down_to_the_bankruptcy_price() -> None:
    stage = LiquidationStage("62")
    stage.venue.appetite = lambda leg: 0
    cancelled: Callable[..., Any] = stage.venue.act

    def act(partition: int, event: Any) -> None:
        cancelled(partition, event)
        if isinstance(event, m.OrderRouted):
            leg = event.legs[0]
            gone = r.VenueExpired(leg.venue, leg.venue_client_order_id, 0, "nobody takes it")
            stage.offer(partition, r.report_id(gone), gone)

    stage.venue.act = act  # type: ignore[method-assign]
    stage.fall("56000")
    stage.wait(8)
    prices = [one.order.price_e8 or 0 for one in stage.orders()]
    assert prices == sorted(prices, reverse=True)
    assert len(set(prices)) == 4
    selling = [event for event in stage.told() if isinstance(event, m.LiquidationChanged) and event.state == "SELLING"]
    assert prices[-1] == selling[-1].bankruptcy_price_e8
    assert [end.outcome for end in ended(stage)] == ["UNSOLD"]
    count = len(stage.told())
    stage.wait(3)
    assert len(stage.told()) == count, "it is for auction and default, and not tried again at once"
    agreed(stage)


def test_below_zero_nothing_is_sold_for_margin_and_the_account_is_auctioned() -> None:
    stage = LiquidationStage("62")
    stage.fall("53500")
    stage.wait(4)
    (end,) = ended(stage)
    assert (end.outcome, end.shortfall_e8) == ("BANKRUPT", to_e8("3.01"))
    assert stage.position() == to_e8("1")
    stage.wait(3)
    auctions = [event for event in stage.entries() if isinstance(event, m.AuctionChanged)]
    assert {event.account_id for event in auctions} == {ANN}
    changes = [event.change for event in auctions]
    assert changes[0] == "BEGUN" and set(changes[1:]) <= {"FUNDED"}, "all parts of the insurance fund are asked"
    agreed(stage)


@pytest.mark.parametrize(("elsewhere", "outcome"), [("10", "COVERED"), ("2", "BANKRUPT")])
def test_nobody_is_bankrupt_whom_the_whole_fund_can_back(elsewhere: str, outcome: str) -> None:
    """3.01 are missing at the mark: what its own partition's part of the fund lacks, the other parts have. What the
    venue's price and fee take beyond is a loss that the fund is asked for after the sale."""
    stage = LiquidationStage("62")
    other = (stage.partition(ANN) + 1) % CLEARING_COMMANDS.partitions
    paid_in = m.MoveFund("i", INSURANCE, "USDT", to_e8(elsewhere), "bank:main", "INSURANCE", "desk", "backs")
    stage.broker.produce(Part(CLEARING_COMMANDS.name, other), INSURANCE.encode(), encode(paid_in))
    stage.settle()
    stage.fall("53500")
    stage.wait(6)
    [end] = ended(stage)
    assert end.outcome == outcome
    sold = outcome == "COVERED"
    assert stage.position() == (0 if sold else to_e8("1"))
    assert to_e8("3.01") < end.covered_e8 < to_e8("4") if sold else not end.covered_e8
    parts = [own.state.balances.get(INSURANCE, {}) for own in stage.runners["clearing"]._owned.values()]
    assert sum(part.get("USDT", 0) for part in parts) == to_e8(elsewhere) - end.covered_e8
    agreed(stage)


def test_who_has_enough_is_left_alone() -> None:
    stage = LiquidationStage("1000")
    stage.contract_order(BOB, "SELL", "2", "59999")
    stage.fall("56000")
    stage.wait(3)
    assert stage.told() == stage.told(BOB) == []
    assert msgspec.to_builtins(stage.orders()) == []
