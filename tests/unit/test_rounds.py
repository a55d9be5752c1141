"""Rounds over eight real partitions: whatever the network does and wherever a process dies, the books are the same."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.across import roundcommands, rounds
from services.clearing.across.roundbook import Here
from services.clearing.defaults.waterfalls import HOME
from tests.unit.desk import LAW
from tests.unit.rounds_stage import MEMBERS, Stage, disturb, kill_all_after, members
from truetape import ids
from truetape import messages as m
from truetape.codec import decode
from truetape.topics import PARTITIONS

SHARES = [("ann", 100), ("bob", 300), ("cat", 500), ("dan", 200)]


def ready() -> Stage:
    """A fund, the house's capital, and ann with a loss of 300 beyond her cash."""
    stage = Stage()
    members(stage, SHARES, 50)
    stage.deposit("ann", 1_000)
    stage.lose_money("ann", 1_300)
    return stage


def undisturbed() -> Stage:
    stage = ready()
    stage.declare("ann")
    stage.run()
    return stage


RIGHT = undisturbed()


def waterfall(kind: type) -> list[Any]:
    """Records about the round of ann's loss; the one before it found no insurance fund."""
    found = [(getattr(one, "round_id", "") or one.round.round_id, one) for one in RIGHT.events(kind)]
    return [one for name, one in found if "/WATERFALL/" in name]


def test_every_partition_is_asked_once_and_its_legs_are_booked_once() -> None:
    RIGHT.check()
    assert [one.round.kind for one in RIGHT.events(m.RoundOpened)] == ["INSURANCE", "WATERFALL"], "one after the other"
    assert len(waterfall(m.RoundDecided)) == 1
    for kind in (m.RoundAnswered, m.RoundSettling, m.RoundSettled):
        assert sorted(event.partition for event in waterfall(kind)) == list(range(PARTITIONS))
    for told in (m.RoundGathered, m.RoundConfirmed):
        assert [event.left for event in waterfall(told)] == list(range(PARTITIONS))[::-1]
    legs = waterfall(m.RoundDecided)[0].legs
    assert sorted(leg.leg_id for leg in legs) == sorted(RIGHT.entries())
    assert RIGHT.done() and RIGHT.open_loss() == 0
    assert {ids.partition_of(name, PARTITIONS) for name in MEMBERS} != {ids.partition_of(HOME, PARTITIONS)}


def test_a_partition_that_does_not_answer_keeps_the_round_waiting_and_is_seen() -> None:
    stage = ready()
    silent = ids.partition_of("cat", PARTITIONS)
    stage.lose = {silent}
    stage.declare("ann")
    stage.run(120)
    assert stage.events(m.RoundDecided) == [] and stage.entries() == {}
    [shown, *_] = [roundcommands.shown(one) for one in stage.of(HOME).state.rounds.homed.values()]
    assert (shown["phase"], shown["waiting"]) == ("GATHERING", [silent])
    assert [one.attempt for one in stage.events(m.RoundAskedAgain)] == [1, 2, 3, 4]
    assert stage.default("ann").state == "DECLARED", "the insurance fund comes first, and may have something there"
    stage.lose = set()
    stage.run(200)
    assert stage.books() == RIGHT.books() and stage.done()
    stage.check()


def test_what_was_stated_is_held_until_the_round_is_settled() -> None:
    stage = ready()
    stage.declare("ann")
    while stage.default("ann").state == "DECLARED":
        stage.run(1)
    stage.lose = {ids.partition_of("cat", PARTITIONS)}
    stage.run(10)
    refused = stage.fund("bob", -300)
    assert (refused.reason, "holds it" in refused.detail) == ("STATE_WRONG", True)
    stage.lose = set()
    stage.run(60)
    assert stage.share("bob") < 300
    assert stage.taken("bob", stage.share("bob")) == "" and stage.share("bob") == 0, "free again"
    stage.check()


@LAW
@given(data=st.data())
def test_any_network_and_any_crash_give_the_same_books(data: st.DataObject) -> None:
    """Commands come in any order, twice or never; processes die before or after their effects."""
    stage = ready()
    stage.declare("ann")
    disturb(stage, data, data.draw(st.integers(0, 60), label="faults"))
    stage.run(400)
    assert stage.done() and stage.default("ann").state == "COVERED"
    assert stage.books() == RIGHT.books()
    assert stage.steps("ann") == RIGHT.steps("ann")
    stage.check()


@pytest.mark.parametrize("place", range(0, 40, 3))
def test_killed_after_any_command(place: int) -> None:
    stage = ready()
    stage.declare("ann")
    stage.tick()
    kill_all_after(stage, place)
    stage.run(200)
    assert stage.books() == RIGHT.books() and stage.done()
    stage.check()


def test_rounds_of_one_home_run_one_after_another() -> None:
    stage = ready()
    stage.deposit("bob", 10)
    stage.lose_money("bob", 200)
    stage.declare("ann")
    stage.declare("bob")
    stage.tick()
    order: list[str] = []
    for _ in range(600):
        if stage.wire:
            stage.deliver(0)
        else:
            stage.tick()
        running = [one.terms for one in stage.of(HOME).state.rounds.homed.values() if one.phase != "OPEN"]
        assert len(running) <= 1
        names = [one.ids["account_id"] for one in running if one.kind == "WATERFALL"]
        order += [name for name in names if order[-1:] != [name]]
    assert sorted(order) == ["ann", "bob"] and stage.done()
    stage.check()


TERMS = m.RoundTerms("r", "WATERFALL", HOME, "USDT", {}, {"account_id": "ann"}, "desk")
OTHER = (ids.partition_of(HOME, PARTITIONS) + 1) % PARTITIONS


@pytest.mark.parametrize(
    ("number", "command", "words"),
    [
        (OTHER, m.OpenRound(HOME, TERMS), "partition of its home"),
        (ids.partition_of(HOME, PARTITIONS), m.OpenRound(HOME, replace(TERMS, kind="TEA")), "no round of kind TEA"),
        (OTHER, m.AskRound(TERMS, OTHER - 1), "this is partition"),
        (OTHER, m.SettleRound(TERMS, OTHER, (), {}), "was not asked"),
        (OTHER, m.RunRound("ann", TERMS, "DECIDE", ()), "by itself"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(number: int, command: Any, words: str) -> None:
    answer = Stage().give(number, command)
    assert isinstance(answer, m.ClearingRefused) and words in answer.detail


@pytest.mark.parametrize(
    "command",
    [m.TellRound("c", HOME, "r", 0, ()), m.ConfirmRound("c", HOME, "r", 0)],
    ids=lambda one: type(one).__name__,
)
def test_answers_that_nobody_waits_for_change_nothing(command: Any) -> None:
    assert Stage().command(command) is None


def _believe_twice(patch: pytest.MonkeyPatch) -> None:
    """Home counts an answer that comes twice as two."""
    right = rounds.gather

    def gather(state: Any, given: Any, command: m.TellRound) -> Any:
        event = right(state, given, command)
        known = state.rounds.homed.get(command.round_id)
        if event is None and known is not None and known.phase == "GATHERING" and known.waiting:
            number = known.waiting[0]
            return m.RoundGathered(given.meta("r"), HOME, command.round_id, number, (), len(known.waiting) - 1)
        return event

    _rule(patch, m.TellRound, gather)


def _book_again(patch: pytest.MonkeyPatch) -> None:
    """A partition that is told twice what was decided books it twice."""

    def settle(state: Any, given: Any, command: m.SettleRound) -> Any:
        terms = command.round
        state.rounds_settled.ids.pop(terms.round_id, None)
        state.rounds.here.setdefault(terms.round_id, Here(terms, ()))
        return m.RoundSettling(given.meta("r"), terms, given.partition, command.legs, command.outcome)

    _rule(patch, m.SettleRound, settle)


def _decide_early(patch: pytest.MonkeyPatch) -> None:
    """Home decides when half of the partitions have answered."""
    right = rounds.gathered

    def gathered(state: Any, event: m.RoundGathered) -> None:
        right(state, event)
        known = state.rounds.homed[event.round_id]
        if event.left == PARTITIONS // 2:
            known.waiting.clear()
            state.rounds.ready.append(event.round_id)

    from services.clearing import core

    patch.setitem(core._FOLDS, m.RoundGathered, gathered)


def _rule(patch: pytest.MonkeyPatch, kind: type, rule: Any) -> None:
    from services.clearing import core

    patch.setitem(core._RULES, kind, rule)


@pytest.mark.parametrize("plant", [_believe_twice, _book_again, _decide_early], ids=lambda one: one.__name__[1:])
def test_planted_faults_are_caught(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command comes twice: the audit of the records sees what the fault does, or the books differ."""
    plant(monkeypatch)
    stage = ready()
    stage.declare("ann")
    with pytest.raises((AssertionError, KeyError, ValueError)):
        for _ in range(30):
            while stage.wire:
                value = stage.wire[0]
                if type(decode(value[1])) in (m.TellRound, m.SettleRound):
                    stage.wire.insert(1, value)
                    stage.deliver(0)
                stage.deliver(0)
            stage.tick()
        stage.check()
        assert stage.books() == RIGHT.books()
