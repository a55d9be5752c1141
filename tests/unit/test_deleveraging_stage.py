"""What nobody buys is closed against holders of the other side, through clearing and risk in eight partitions."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing import core
from services.clearing.across import parcels
from services.clearing.across.parcels import INSURANCE
from services.clearing.closeout import deleveraging, ranking
from services.clearing.defaults.waterfalls import HOME
from services.clearing.state import Pursued
from tests.unit.contract_desk import E8
from tests.unit.desk import LAW
from tests.unit.rounds_stage import MEMBERS, disturb, kill_all_after
from tests.unit.test_insurance import put
from tests.unit.unsold_stage import PERP, Unsold
from truetape import ids
from truetape import messages as m
from truetape.codec import decode
from truetape.deleveraging import queue
from truetape.service import Input
from truetape.topics import PARTITIONS

Short = tuple[str, int, int, int]
"""Account, contracts, price, cash."""
HEDGED: tuple[Short, ...] = (("bob", 60, 60_000, 10_000), ("cat", 40, 60_000, 2_000))


def fallen(*shorts: Short, cash: int = 3_000, price: int = 56_000, bidders: bool = False) -> Unsold:
    """Ann is long 100 contracts of 0.01 BTC at 60 000, the others are short. The mark falls, no venue takes anything,
    and unless there are bidders nobody may bid."""
    stage = Unsold()
    stage.mark(60_000)
    stage.deposit("ann", cash)
    stage.trade("ann", "BUY", 100, 60_000)
    for name, contracts, at, money in shorts:
        stage.deposit(name, money)
        stage.trade(name, "SELL", contracts, at)
    stage.run(1)
    if not bidders:
        stage.tables.reference.trading_states |= dict.fromkeys(MEMBERS, "REDUCING")
    stage.mark(price)
    return stage


def over(stage: Unsold, *names: str) -> Callable[[], bool]:
    """Whether the defaults of these accounts have gone all their way."""

    def done() -> bool:
        known = [stage.of(name).state.defaults.get(name) for name in names or ("ann",)]
        return all(one is not None and one.state in ("ENDED", "COVERED", "UNCOVERED") for one in known) and (
            stage.settled()
        )

    return done


def begun(*shorts: Short, **changes: Any) -> Unsold:
    """The moment in which the deleveraging has begun."""
    stage = fallen(*(shorts or HEDGED), **changes)
    for _ in range(400):
        if stage.changes():
            return stage
        stage.deliver(0) if stage.wire else stage.tick()
    raise AssertionError("it has not begun")


def undisturbed() -> Unsold:
    stage = begun()
    stage.until(over(stage))
    return stage


RIGHT = undisturbed()


def test_from_liquidation_over_auction_to_flat_by_rank_at_the_bankruptcy_price() -> None:
    """Cat has the higher leverage; 3 000 of cash are used up at 57 000; both sides sum to zero."""
    stage = fallen(*HEDGED, bidders=True)
    stage.until(over(stage))
    assert [one for one in stage.outcomes() if one != "liquidation RESTORED"] == [
        "liquidation BANKRUPT", "auction UNSOLD", "default DECLARED", "DELEVERAGING CLOSED", "default ENDED",
    ]  # fmt: skip
    assert stage.parts("DECIDED") == stage.parts() == [("cat", 1, 40.0, -22_800.0), ("bob", 2, 60.0, -34_200.0)]
    assert [stage.held(name) for name in ("ann", "bob", "cat")] == [0, 0, 0] and stage.in_house() == 0
    begin = stage.changes()[0]
    assert (begin.price_e8, begin.mark_e8, begin.numbers["equity_e8"]) == (57_000 * E8, 56_000 * E8, -1_000 * E8)
    stage.check()


# parts of the insurance fund by partition, bankruptcy price, what is left in the fund
FUNDED = [
    ({}, 57_000, 0),
    ({0: 300, 5: 300}, 56_400, 0),
    ({"ann": 400, "other": 200}, 56_400, 0),
    ({0: 500, 3: 500, 5: 500}, 56_000, 500),
]


@pytest.mark.parametrize(("parts", "price", "left"), FUNDED, ids=[str(row) for row in FUNDED])
def test_holders_give_up_no_gain_that_any_part_of_the_insurance_fund_can_pay(
    parts: dict[Any, int], price: int, left: int
) -> None:
    """At the mark 1 000 are missing, and 100 contracts of 0.01 BTC make one unit of money of each unit of price."""
    own = ids.partition_of("ann", PARTITIONS)
    stage = fallen(*HEDGED)
    for place, amount in parts.items():
        put(stage, {"ann": own, "other": (own + 1) % PARTITIONS}.get(place, place), amount)
    covered = sum(parts.values()) >= 1_000
    stage.until((lambda: not stage.held("ann") and stage.changes()[-1].change == "CLOSED") if covered else over(stage))
    stage.pass_time(300)
    assert {one.price_e8 for one in stage.changes()} == {price * E8}
    assert stage.balance(INSURANCE) == left and stage.held("ann") == 0
    assert stage.cash("ann") == 3_000 + sum(parts.values()) - left, "what the loss at the price needs, and no more"
    assert covered or stage.default("ann").uncovered_e8 == 0
    assert stage.open_loss() == 0 and (("default DECLARED" in stage.outcomes()) is not covered), (
        "nobody backed defaults"
    )
    stage.check()


def test_a_holder_is_told_his_rank_his_quantity_and_his_money() -> None:
    [entry] = [one for one in RIGHT.events(m.EntryBooked) if one.account_id == "cat" and one.rule == "ADL"]
    [decided] = [one for one in RIGHT.changes() if one.change == "DECIDED"]
    assert entry.contract.event == "AUTO_DELEVERAGING" and entry.realised_e8 == 40 * 30 * E8
    # Profit 1 600 of 24 000, times leverage 22 400 / 3 600.
    assert entry.contract.numbers["rank"] == 1 and entry.contract.numbers["rate_e8"] == 41_481_481
    assert decided.parts[0].numbers["rate_e8"] == 41_481_481 and decided.parts[0].numbers["equity_e8"] == 3_600 * E8
    assert entry.contract.numbers["price_e8"] == 57_000 * E8 and entry.contract.quantity_e8 == 40 * E8
    assert RIGHT.in_house() == 0 and RIGHT.open_loss() == 0
    RIGHT.check()


def test_nobody_may_bid_so_there_is_no_auction() -> None:
    assert RIGHT.events(m.AuctionChanged) == []
    assert RIGHT.outcomes()[0] == "liquidation BANKRUPT" and "DELEVERAGING CLOSED" in RIGHT.outcomes()


def test_who_would_lose_at_the_price_is_not_asked_and_the_rest_is_torn_up_pro_rata() -> None:
    """Dan and eve are in profit at the mark only: they give up contracts at the mark, in proportion, and no money."""
    stage = begun(("bob", 30, 60_000, 10_000), ("dan", 40, 56_500, 10_000), ("eve", 80, 56_100, 20_000))
    stage.until(over(stage))
    assert [one.method for one in stage.changes() if one.change == "BEGUN"] == ["DELEVERAGING", "PARTIAL_TEAR_UP"]
    taken = sorted((name, contracts) for name, _, contracts, _ in stage.parts())
    assert taken == [("bob", 30), ("dan", 23), ("eve", 47)]
    assert sorted(rank for _, rank, _, _ in stage.parts()) == [1, 1, 2]
    torn = [one for one in stage.events(m.EntryBooked) if one.contract is not None and one.contract.event == "TEAR_UP"]
    assert {one.contract.numbers["price_e8"] for one in torn} == {56_000 * E8}
    # 0.3 BTC went at 57 000, 0.7 at 56 000: 700 are missing.
    assert stage.default("ann").uncovered_e8 + sum(one.amount_e8 for one in stage.default("ann").steps) == 3_700 * E8
    assert stage.in_house() == -50 * E8 + 30 * E8 - 30 * E8 - (40 + 80 - 70 - 50) * E8 + 100 * E8
    stage.check()


def test_what_has_no_other_side_here_stays_and_is_said() -> None:
    stage = begun(("bob", 30, 60_000, 10_000))
    stage.until(lambda: sum(one.change == "LEFT" for one in stage.changes()) == 2)
    assert [one.left_e8 for one in stage.changes() if one.state == "ENDED"] == [70 * E8, 70 * E8]
    assert stage.held("ann") == 70 and stage.default("ann").state == "DECLARED"
    stage.until(lambda: "ann" in stage.of("ann").state.watch.handed_over, 60)
    assert stage.of("ann").state.watch.handed_over["ann"].outcome == "UNSOLD", "tried again later"
    stage.check()


def test_positions_that_change_after_the_answer_are_clipped_and_the_rest_is_asked_for_again() -> None:
    """Cat closes 25 of her 40 herself while the parcels are on their way: another ranking finds dan."""
    stage = begun(*HEDGED, ("dan", 40, 60_000, 90_000))
    while not any(one.change == "DECIDED" for one in stage.changes()):
        stage.deliver(0) if stage.wire else stage.tick()
    stage.trade("cat", "BUY", 25, 56_000)
    stage.until(over(stage))
    assert stage.parts("DECIDED") == [
        ("cat", 1, 40.0, -22_800.0), ("bob", 2, 60.0, -34_200.0), ("dan", 1, 25.0, -14_250.0),
    ]  # fmt: skip
    assert sorted(stage.parts()) == [
        ("bob", 2, 60.0, -34_200.0), ("cat", 1, 15.0, -8_550.0), ("dan", 1, 25.0, -14_250.0),
    ]  # fmt: skip
    assert [stage.held(name) for name in ("ann", "bob", "cat", "dan")] == [0, 0, 0, -15]
    assert [one.turn for one in stage.changes() if one.change == "AGAIN"] == [2]
    stage.check()


@pytest.mark.parametrize("bought", [40, 60])
def test_a_holder_who_has_closed_or_turned_meanwhile_gives_nothing(bought: int) -> None:
    stage = begun(*HEDGED, ("dan", 40, 60_000, 90_000))
    while not any(one.change == "DECIDED" for one in stage.changes()):
        stage.deliver(0) if stage.wire else stage.tick()
    stage.trade("cat", "BUY", bought, 56_000)
    stage.until(over(stage))
    assert [one.detail for one in stage.changes() if one.change == "REFUSED"] == ["NOTHING_HELD: "]
    assert stage.held("cat") == bought - 40 and stage.held("ann") == 0 and stage.held("dan") == 0
    stage.check()


def test_a_fill_between_answer_and_leg_counts() -> None:
    """The holder's own order is filled at the venue after he was ranked: it reduces what can be taken of him."""
    stage = fallen(*HEDGED, bidders=True)
    stage.mark(60_000)
    order = stage.submit("bob", "BUY", 50, 57_500)
    stage.mark(56_000)
    stage.until(lambda: any(one.change == "BEGUN" for one in stage.changes()))
    while not any(one.change == "DECIDED" for one in stage.changes()):
        stage.deliver(0) if stage.wire else stage.tick()
    stage.filled(order)
    stage.until(lambda: bool(stage.parts()) and stage.settled())
    assert ("bob", 2, 10.0, -5_700.0) in stage.parts() and stage.held("bob") == 0
    stage.check()


def test_open_orders_of_a_holder_in_the_contract_end_and_his_credit_is_right() -> None:
    """His buy would have reduced; without the position it would open one. Nothing stays reserved."""
    stage = fallen(*HEDGED, bidders=True)
    order = stage.submit("bob", "BUY", 60, 55_000)
    assert isinstance(order, m.OrderAccepted)
    stage.until(over(stage))
    number = ids.partition_of("bob", PARTITIONS)
    asked = [one for one in stage.decided[number] if isinstance(one, m.CancelRequested) and one.account_id == "bob"]
    assert [one.order_ids for one in asked] == [(order.order.order_id,)]
    risk = stage.risks[number].accounts["bob"]
    assert PERP not in risk.contracts or risk.contracts[PERP].quantity_e8 == 0
    stage.check()


def test_who_is_being_closed_himself_is_not_asked() -> None:
    """Cat is bankrupt too, by another contract's loss: nobody takes from her what she is asked for already."""
    stage = begun(*HEDGED, ("dan", 60, 60_000, 90_000))
    state = stage.of("cat").state
    state.deleveragings.running["cat"] = replace(stage.changes()[0], account_id="cat")
    terms = m.RoundTerms(
        "r", ranking.RANKED, HOME, "USDT",
        {"quantity_e8": 100 * E8, "price_e8": 57_000 * E8, "mark_e8": 56_000 * E8, "lot_e8": E8},
        {"account_id": "ann", "instrument_id": PERP}, "x",
    )  # fmt: skip
    assert list(ranking._opposite(state, terms)) == []
    leg = parcels.contract_leg(PERP, "USDT", 40 * E8, 57_000 * E8, "AUTO_DELEVERAGING")
    parcel = parcels.parcel_of("r", "cat", "cat", "ann", ranking.RANKED, (leg,), stage.now_us + 10**9, forced=True)
    answer = stage.command(m.TakeParcel("c", "cat", parcel))
    assert (answer.state, answer.reason) == ("REFUSED", "ACCOUNT_BUSY")


@pytest.mark.parametrize(
    ("late_us", "asked", "outcome"),
    [(0, 40, (40, "")), (0, 90, (60, "")), (0, -40, "NOTHING_HELD"), (1, 40, "DEADLINE_PASSED")],
)
def test_a_forced_parcel_is_taken_to_its_very_deadline_and_only_reduces(
    late_us: int, asked: int, outcome: tuple[int, str] | str
) -> None:
    """Bob is short 60."""
    stage = fallen(*HEDGED)
    leg = parcels.contract_leg(PERP, "USDT", asked * E8, 57_000 * E8, "AUTO_DELEVERAGING")
    parcel = parcels.parcel_of("r", "bob", "bob", "ann", ranking.RANKED, (leg,), stage.now_us, forced=True)
    command, tables = m.TakeParcel("c", "bob", parcel), stage.tables
    given = Input(command, m.Cause("", 0, -1, ""), stage.now_us + late_us, "clearing.entries", 1, 1, tables)
    answer = parcels.take(stage.of("bob").state, given, command)
    assert isinstance(answer, m.ParcelAnswered)
    taken = (answer.parcel.legs[0].quantity_e8 // E8, "") if answer.state == "TAKEN" else answer.reason
    assert taken == outcome


def test_two_at_a_time_never_count_on_one_holder() -> None:
    """Ann and eve are both long and bankrupt: bob and cat together have less than both hold."""
    stage = fallen(*HEDGED, ("dan", 30, 60_000, 90_000), bidders=True)
    stage.mark(60_000)
    stage.deposit("eve", 1_500)
    stage.trade("eve", "BUY", 50, 60_000)
    stage.mark(56_000)
    stage.pass_time(3_600)
    taken: dict[str, float] = {}
    for name, _, contracts, _ in stage.parts():
        taken[name] = taken.get(name, 0) + contracts
    assert taken == {"bob": 60, "cat": 40, "dan": 30}
    assert [stage.held(name) for name in ("bob", "cat", "dan")] == [0, 0, 0]
    assert stage.held("ann") + stage.held("eve") == 20, "what nobody has the other side of"
    stage.check()


def test_nothing_else_closes_what_holders_were_asked_for() -> None:
    stage = begun()
    refused = stage.trade("ann", "SELL", 50, 56_000)
    assert isinstance(refused, m.ClearingRefused) and "deleveraged" in refused.detail
    [bought] = [one for one in stage.events(m.EntryBooked) if one.account_id == "ann" and one.kind == "TRADE"]
    taken_back = m.CorrectEntry("k", "ann", bought.entry_id, b"", False, "mistake", "desk")
    assert "deleveraged" in stage.command(taken_back).detail
    stage.until(over(stage))
    assert stage.books() == RIGHT.books()


# -- whatever the network does -----------------------------------------------------------------------------------------


@LAW
@given(data=st.data())
def test_any_network_and_any_crash_give_the_same_books(data: st.DataObject) -> None:
    stage = begun()
    disturb(stage, data, data.draw(st.integers(0, 50), label="faults"))
    stage.until(over(stage), 6_000)
    assert stage.books() == RIGHT.books()
    assert sorted(stage.parts()) == sorted(RIGHT.parts())
    stage.check()


@pytest.mark.parametrize("place", range(0, 48, 4))
def test_killed_after_any_command(place: int) -> None:
    stage = begun()
    kill_all_after(stage, place)
    stage.until(over(stage), 6_000)
    assert stage.books() == RIGHT.books()
    stage.check()


# -- planted faults ----------------------------------------------------------------------------------------------------


def _rank_reversed(patch: pytest.MonkeyPatch) -> None:
    """The least leveraged gives first."""
    patch.setattr("truetape.deleveraging.queue", lambda quantity, found: queue(quantity, found)[::-1])


def _money_lost(patch: pytest.MonkeyPatch) -> None:
    """The account's side is booked a unit cheaper than the holders'."""
    right = parcels.mirrored
    patch.setattr(parcels, "mirrored", lambda legs: [replace(one, price_e8=one.price_e8 - E8) for one in right(legs)])


def _booked_twice(patch: pytest.MonkeyPatch) -> None:
    """A partition that is asked twice takes a parcel twice."""
    right = parcels.take

    def take(state: Any, given: Any, command: m.TakeParcel) -> Any:
        state.parcels.answered.pop(command.parcel.parcel_id, None)
        return right(state, given, command)

    patch.setitem(core._RULES, m.TakeParcel, take)


def _heard_twice(patch: pytest.MonkeyPatch) -> None:
    """Home books its side for every answer that comes."""
    right = deleveraging._told
    known: dict[str, Any] = {}

    def answered(state: Any, given: Any, command: m.TellParcel) -> Any:
        if (asked := state.parcels.asked.get(command.parcel_id)) is not None:
            known[command.parcel_id] = asked, state.deleveragings.parts[command.parcel_id]
        elif state.deleveragings.running:
            asked, part = known[command.parcel_id]
            state.parcels.asked[command.parcel_id] = asked
            state.parcels.pursued.setdefault(asked.subject_id, Pursued(0))
            state.deleveragings.parts[command.parcel_id] = part
        else:
            return None
        return right(state, given, command, known[command.parcel_id][0].parcel)

    patch.setitem(core._RULES, m.TellParcel, answered)


def _beyond(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks at what a holder has left."""
    patch.setattr(parcels, "_within", lambda state, parcel: parcel.legs)


def _too_much(patch: pytest.MonkeyPatch) -> None:
    """The first holder is asked for twice what he has."""
    right = ranking._decision

    def decision(parts: Any, known: Any, left_e8: int) -> Any:
        twice = [replace(one, quantity_e8=2 * one.quantity_e8) for one in parts[:1]]
        return right([*twice, *parts[1:]], known, left_e8)

    patch.setattr(ranking, "_decision", decision)


PLANTED = [_rank_reversed, _money_lost, _booked_twice, _heard_twice, _beyond, _too_much]


@pytest.mark.parametrize("plant", PLANTED, ids=lambda one: one.__name__[1:])
def test_planted_faults_are_caught(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command comes twice and cat sells a part herself meanwhile: an assertion stops it, the audit of the records
    sees it, or the books differ."""

    def run() -> Unsold:
        stage, sold = begun(*HEDGED, ("dan", 40, 60_000, 90_000)), False
        for _ in range(600):
            if not stage.wire:
                stage.tick()
            else:
                if type(decode(stage.wire[0][1])) in (m.TakeParcel, m.TellParcel, m.AskRound, m.SettleRound):
                    stage.wire.insert(1, stage.wire[0])
                    stage.deliver(0)
                stage.deliver(0)
            if not sold and any(one.change == "DECIDED" for one in stage.changes()):
                stage.trade("cat", "BUY", 25, 56_000)
                sold = True
        stage.check()
        return stage

    right = run()
    assert over(right)() and right.held("dan") == -15
    plant(monkeypatch)
    with pytest.raises((AssertionError, KeyError, ValueError)):
        wrong = run()
        assert wrong.books() == right.books()
        assert sorted(wrong.parts()) == sorted(right.parts())
