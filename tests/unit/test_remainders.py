"""Rounds that end contracts leave the clearing house flat, whatever is traded between an answer and its leg."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clearing.across import remainders
from services.clearing.across.roundbook import Homed
from services.clearing.booking import assigning
from services.clearing.defaults import waterfalls
from services.clearing.state import State
from tests.unit.contract_desk import E8
from tests.unit.desk import LAW, fill, some_meta
from tests.unit.rounds_stage import MEMBERS, Stage, disturb
from tests.unit.test_assigning import CALL, assigned_by, decided, exercise, held, stage_of, trades
from truetape import messages as m
from truetape import snapshots
from truetape.remainder import FOLLOW, UNTAKEN, Remainder, shared
from truetape.service import DUE
from truetape.topics import ORDERS_DECISIONS, PARTITIONS

HOUSE = "house:clearing"
MARK = 100


def pair(stage: Stage, buyer: str, seller: str, contracts: int) -> None:
    """Two members trade with each other: the house stands between them, and stays flat."""
    stage.trade(buyer, "BUY", contracts, MARK, CALL)
    stage.trade(seller, "SELL", contracts, MARK, CALL)


def tear_up(stage: Stage, loss: int) -> None:
    """The last layer of a default of nobody here."""
    names = {"account_id": "zoe", "default_id": "d"}
    terms = m.RoundTerms("d/TEAR_UP/1", "TEAR_UP", waterfalls.HOME, "USDT", {"loss_e8": loss * E8}, names, "x")
    stage.command(m.OpenRound(waterfalls.HOME, terms))


def marked(stage: Stage) -> None:
    """A mark that stays fresh."""
    at_us = stage.now_us + 10**12
    stage.tables.marks.newest[CALL] = m.MarkPublished(
        some_meta(at_us), CALL, MARK * E8, MARK * E8, MARK * E8, "alpha", 7, at_us, 0
    )


def finished(stage: Stage) -> None:
    """All rounds end, those that come later each time too."""
    for _ in range(400):
        stage.run(1)
        if stage.done():
            return
        stage.now_us += 5_000_000
    raise AssertionError("its rounds end")


def ended_flat(stage: Stage) -> None:
    """What must hold at the end: the house is flat, nothing is left, and nobody was turned by what he gave."""
    assert stage.balance(HOUSE, CALL) == 0, "the house is flat"
    total = dict[str, int]()
    for amounts in stage.books().values():
        for asset, amount_e8 in amounts.items():
            total[asset] = total.get(asset, 0) + amount_e8
    assert not any(total.values()), total
    assert not any(name.startswith(UNTAKEN) for one in stage.events(m.RoundDecided) for name in one.outcome)
    for one in stage.events(m.EntryBooked):
        if one.contract is not None and "asked_e8" in one.contract.numbers:
            moved_e8, asked_e8 = one.contract.quantity_e8, one.contract.numbers["asked_e8"]
            assert moved_e8 * one.position.quantity_e8 <= 0 and abs(moved_e8) <= abs(asked_e8)
            assert moved_e8 * asked_e8 >= 0, "nobody gives more than he holds"
    booked = [one.entry_id for one in stage.events(m.EntryBooked)]
    assert len(set(booked)) == len(booked), "each leg is booked once"
    for at in stage.partitions:
        assert at.state.remainders.given == {} and at.state.remainders.following == {}, "nothing is kept for it"
    stage.check()


def begun(kind: str) -> Stage:
    """Ann and eve are long, bob, cat and dan are short; a round has just been opened."""
    stage = stage_of("LOT" if kind == "LOT" else "PRO_RATA")
    trades(stage, {"ann": 7, "eve": 4, "bob": -3, "cat": -6, "dan": -2})
    marked(stage)
    if kind == "TEAR_UP":
        tear_up(stage, 400)
    else:
        exercise(stage, 6)
    return stage


KINDS = ("PRO_RATA", "LOT", "TEAR_UP")


def traded(stage: Stage, data: st.DataObject) -> None:
    """Members trade with each other, in any of the moments of a round."""
    buyer, seller = data.draw(st.permutations(MEMBERS), label="buyer, seller")[:2]
    if any(name in stage.of(name).state.halted for name in (buyer, seller)):
        return  # What it trades would be parked.
    pair(stage, buyer, seller, data.draw(st.integers(1, 5), label="contracts"))


def halt(stage: Stage, name: str) -> None:
    """A fill contradicts itself: it is parked, and what comes later waits behind it."""
    doubtful = fill("BUY", "1", "3", execution=f"doubtful-{stage.now_us}", account_id=name, quote="99")
    stage.give(stage.of(name).number, doubtful, ORDERS_DECISIONS.name)
    assert name in stage.of(name).state.halted


def resolve(stage: Stage, name: str, release: bool) -> None:
    """What cannot be booked is dismissed; legs behind it are released, or dismissed too."""
    for one in list(stage.of(name).state.halted.get(name, [])):
        command = f"resolve-{one.event_id}"
        if release and one.source == DUE:
            answer = stage.command(m.ReleaseParked(command, name, one.event_id, "desk"))
        else:
            answer = stage.command(m.DismissParked(command, name, one.event_id, "desk", "settled by hand"))
        assert isinstance(answer, m.EntryBooked | m.ParkedDismissed), answer


@LAW
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_the_house_ends_flat_whatever_is_traded_and_whatever_the_network_does(data: st.DataObject, kind: str) -> None:
    stage = begun(kind)
    for _ in range(data.draw(st.integers(0, 6), label="trades")):
        disturb(stage, data, data.draw(st.integers(0, 20), label="faults"))
        traded(stage, data)
        if data.draw(st.integers(0, 4), label="halts") == 4:
            halt(stage, data.draw(st.sampled_from(MEMBERS), label="who"))
    disturb(stage, data, data.draw(st.integers(0, 20), label="more faults"))
    stage.run(data.draw(st.sampled_from((0, 3, 20)), label="time passes"))
    for name in MEMBERS:
        resolve(stage, name, data.draw(st.booleans(), label=f"{name} is released"))
    finished(stage)
    ended_flat(stage)


def between(stage: Stage) -> None:
    """All partitions have answered the round that runs, and none has booked a leg of it."""
    before = len(stage.events(m.RoundDecided))
    while len(stage.events(m.RoundDecided)) == before:
        stage.deliver(0) if stage.wire else stage.tick()


@pytest.mark.parametrize("kind", KINDS)
def test_who_buys_back_in_each_round_passes_it_on_to_who_has_sold(kind: str) -> None:
    """Bob is out between his answer and his leg, then who had sold to him: each time another round has the rest."""
    stage = begun(kind)
    between(stage)
    between(stage)
    pair(stage, "cat", "dan", 6)
    finished(stage)
    numbers = [one.round.round_id.rpartition("/rest/")[2] for one in stage.events(m.RoundDecided)]
    assert numbers[1:] == ["1", "2", "3"], "the third finds nothing left"
    assert held(stage, "cat") == 0
    ended_flat(stage)


def test_who_exercises_and_has_sold_meanwhile_assigns_no_more_than_he_has_given() -> None:
    stage = begun("PRO_RATA")
    between(stage)
    pair(stage, "bob", "ann", 5)
    finished(stage)
    assert held(stage, "ann") == 0 and sum(e8 for _, e8 in assigned_by(stage)) == 2 * E8
    ended_flat(stage)


def test_a_leg_of_a_halted_account_is_pending_and_not_anothers() -> None:
    stage = begun("PRO_RATA")
    between(stage)
    halt(stage, "cat")
    stage.run(60)
    assert not stage.done(), "it waits for cat"
    [asked_e8] = [e8 for who, e8 in assigned_by(stage) if who == "cat"]
    assert stage.balance(HOUSE, CALL) * E8 == asked_e8 and not decided(stage).legs
    assert decided(stage).outcome[f"rest_e8/{CALL}"] == 0
    resolve(stage, "cat", release=True)
    finished(stage)
    assert len(assigned_by(stage)) == 3, "nobody else was asked"
    assert held(stage, "cat") == asked_e8 // E8 - 6
    ended_flat(stage)


def test_a_leg_that_is_dismissed_goes_to_the_others() -> None:
    stage = begun("PRO_RATA")
    between(stage)
    halt(stage, "cat")
    stage.run(60)
    resolve(stage, "cat", release=False)
    finished(stage)
    assert sum(e8 for _, e8 in assigned_by(stage)) > 6 * E8
    ended_flat(stage)


def test_less_than_a_lot_goes_too() -> None:
    numbers = {f"{FOLLOW}lot_e8/{CALL}": E8, f"{FOLLOW}price_e8/{CALL}": 1}
    takers = {"bob": 3 * E8 // 2, "cat": E8 // 4}
    assert shared(numbers, CALL, Remainder(3 * E8 // 2, takers=takers), "") == {"bob": E8}
    rest = shared(numbers, CALL, Remainder(E8 // 2, takers={"bob": E8 // 2, "cat": E8 // 4}), "")
    assert sum(rest.values()) == E8 // 2 and rest["cat"] <= E8 // 4
    assert shared(numbers, CALL, Remainder(E8, ended=True, takers=takers), "") == {}


def test_a_snapshot_of_a_version_without_remainders_loads() -> None:
    kept = msgspec.msgpack.decode(snapshots.pack(begun("LOT").partitions[0].state))
    assert kept.pop("remainders") == {"given": {}, "following": {}}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=State).remainders.given == {}


def test_a_round_of_a_version_that_assigned_at_once_is_followed_by_none() -> None:
    state, terms = State(), m.RoundTerms("r", "ASSIGNMENT", assigning.HOME, CALL, {"exercised_e8": E8}, {}, "desk")
    remainders.confirmed(state, Homed(terms, outcome={"exercised_e8": E8, "by_lot": 1}), 1)
    assert state.remainders.following == {}


# -- planted faults ----------------------------------------------------------------------------------------------------


def _asked_counts_as_given(patch: pytest.MonkeyPatch) -> None:
    """What a leg asks for is counted, not what its entry gives."""

    def booked(state: State, entry: m.EntryBooked) -> None:
        contract = entry.contract
        if contract is not None and "asked_e8" in contract.numbers:
            for known in state.remainders.given.values():
                known[CALL] = known.get(CALL, 0) - contract.numbers["asked_e8"]

    patch.setattr(remainders, "booked", booked)


def _one_round_is_enough(patch: pytest.MonkeyPatch) -> None:
    """Nothing follows the first round that shares the rest."""
    right = remainders.confirmed
    patch.setattr(
        remainders, "confirmed",
        lambda state, known, at_us: right(state, known, at_us) if "/rest/" not in known.terms.round_id else None,
    )  # fmt: skip


def _all_is_ended(patch: pytest.MonkeyPatch) -> None:
    """A leg ends what it says, through zero."""
    patch.setattr("services.clearing.booking.positions.reducing_e8", lambda _, asked_e8: asked_e8)


@pytest.mark.parametrize(
    "plant", [_asked_counts_as_given, _one_round_is_enough, _all_is_ended], ids=lambda one: one.__name__[1:]
)
@pytest.mark.parametrize("kind", KINDS)
def test_planted_faults_are_caught(kind: str, plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        test_who_buys_back_in_each_round_passes_it_on_to_who_has_sold(kind)


@pytest.mark.parametrize("kind", ["PRO_RATA", "LOT"])
def test_a_contract_that_ends_before_all_is_assigned_settles_at_its_settlement_price(kind: str) -> None:
    """Ann has exercised 6 at 61 000; before anybody is assigned the contract expires at 62 000. The shorts pay what the
    end says, nobody is assigned any more, and the difference of 1 000 on each of the six is the house's."""
    stage = begun(kind)
    cash = {name: stage.balance(f"client:{name}", "USDT") for name in MEMBERS}
    while held(stage, "ann") != 1:
        stage.deliver(0) if stage.wire else stage.tick()
    assert assigned_by(stage) == [] and stage.balance(HOUSE, CALL) != 0
    terms = stage.tables.reference.instruments[CALL].contract
    assert terms is not None and terms.expires_at_us is not None
    stage.now_us = terms.expires_at_us
    fact = m.ContractFact("end", "EXPIRY", CALL, stage.now_us, stage.now_us, "desk", 62_000 * E8)
    for number in range(PARTITIONS):
        stage.give(number, m.TakeContractFact(fact))
    finished(stage)
    paid = {name: stage.balance(f"client:{name}", "USDT") - before for name, before in cash.items()}
    assert paid == {"ann": 6 * 1_000 + 2_000, "eve": 4 * 2_000, "bob": -3 * 2_000, "cat": -6 * 2_000, "dan": -2 * 2_000}
    assert stage.balance(HOUSE, "USDT") == -sum(paid.values()) == 6_000
    assert assigned_by(stage) == [] and all(held(stage, name) == 0 for name in MEMBERS)
    ended_flat(stage)
