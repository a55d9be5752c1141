"""Exercise before expiry over eight real partitions: who is assigned is the contract's rule, and repeats."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.booking.assigning import HOME
from tests.unit.contract_desk import E8, instrument, option
from tests.unit.rounds_stage import MEMBERS, Stage
from truetape import messages as m
from truetape.assignment import Short, assign
from truetape.remainder import UNTAKEN
from truetape.topics import PARTITIONS

CALL = "BTC-USDT-20261225-60000-C"
PRICE = 61_000
PAYOFF = 1_000
"""Of a contract of 1 BTC."""


def stage_of(rule: str, **changes: Any) -> Stage:
    terms = option("CALL", 60_000, exercise="AMERICAN", assignment=rule)
    one = instrument(CALL, replace(terms, **changes))
    return Stage(one)


def trades(stage: Stage, held: dict[str, int]) -> None:
    for name, contracts in held.items():
        stage.deposit(name, 10_000)
        if contracts:
            stage.trade(name, "BUY" if contracts > 0 else "SELL", abs(contracts), 100, CALL)


def held(stage: Stage, name: str) -> int:
    position = stage.of(name).state.accounts[name].positions.get(CALL)
    return position.quantity_e8 // E8 if position is not None else 0


def exercise(
    stage: Stage, contracts: int, exerciser: str = "ann", name: str = "r1", seed: str = "5eed", **more: Any
) -> Any:
    ids = {"seed": seed, "exerciser": exerciser} if exerciser else {"seed": seed, "counterparty": "venue:alpha"}
    numbers = {"exercised_e8": contracts * E8, "price_e8": PRICE * E8} | more
    terms = m.RoundTerms("r1", "ASSIGNMENT", HOME, CALL, numbers, ids, "desk")
    return stage.command(m.OpenRound(HOME, terms))


def assigned_by(stage: Stage) -> list[tuple[str, int]]:
    """Who was assigned how much, in the order of the tape."""
    legs = [leg for one in stage.events(m.RoundDecided) for leg in one.legs if leg.event == "ASSIGNMENT"]
    return [(leg.account_id, leg.numbers["quantity_e8"]) for leg in legs]


def decided(stage: Stage) -> m.RoundDecided:
    found: list[m.RoundDecided] = stage.events(m.RoundDecided)
    return found[-1]


SHORTS = {"bob": -3, "cat": -5, "dan": -2}


@pytest.mark.parametrize("rule", ["PRO_RATA", "LOT"])
def test_an_exercise_ends_as_many_short_contracts_by_the_contracts_rule(rule: str) -> None:
    stage = stage_of(rule)
    trades(stage, {"ann": 10, **SHORTS})
    cash = {name: stage.cash(name) for name in ("ann", *SHORTS)}
    exercise(stage, 4)
    stage.run(5)
    shorts = [Short(name, -contracts) for name, contracts in SHORTS.items()]
    wanted = {one.account_id: one.contracts for one in assign(rule, 4, shorts, b"5eed")}
    assert held(stage, "ann") == 6
    for name, contracts in SHORTS.items():
        assert held(stage, name) - contracts == wanted.get(name, 0)
        assert cash[name] - stage.cash(name) == PAYOFF * wanted.get(name, 0)
    assert stage.cash("ann") - cash["ann"] == 4 * PAYOFF
    assert stage.balance("house:clearing", CALL) == 0, "the house is flat"
    booked = [one for one in stage.events(m.EntryBooked) if one.contract and "seed" in one.contract.ids]
    assert {one.contract.event for one in booked} == {"EXERCISE", "ASSIGNMENT"}
    assert all(one.contract.ids["assignment"] == rule for one in booked)
    stage.check()


def test_the_same_record_gives_the_same_assignment_and_another_seed_another_one() -> None:
    def assigned(seed: str) -> list[tuple[str, int]]:
        stage = stage_of("LOT")
        trades(stage, {"ann": 2, **SHORTS})
        exercise(stage, 2, seed=seed)
        stage.run(5)
        return assigned_by(stage)

    assert assigned("5eed") == assigned("5eed")
    assert len({tuple(assigned(f"seed-{number}")) for number in range(6)}) > 1


def test_a_venue_that_assigns_is_the_other_side() -> None:
    stage = stage_of("PRO_RATA")
    trades(stage, {"ann": 0, "bob": -3, "cat": -5})
    exercise(stage, 8, exerciser="")
    stage.run(5)
    assert (held(stage, "bob"), held(stage, "cat")) == (0, 0)
    assert stage.balance("venue:alpha") == 8 * PAYOFF and stage.balance("venue:alpha", CALL) == -8
    stage.check()


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"exercise": "EUROPEAN"}, {}, "exercised at expiry"),
    ({"delivery": "PHYSICAL"}, {}, "exercised at expiry"),
    ({}, {"price_e8": 59_000 * E8}, "worth nothing"),
    ({}, {"exercised_e8": E8 // 3}, "no multiple"),
    ({}, {"exercised_e8": 0}, "no multiple"),
    ({}, {"exercised_e8": 11 * E8}, "cannot exercise"),
    ({"expires_at_us": 1}, {}, "has expired"),
    ({"assignment": "FIRST"}, {}, "assignment"),
]


@pytest.mark.parametrize(("changes", "numbers", "words"), REFUSED)
def test_what_cannot_be_exercised_assigns_nobody_and_says_why(
    changes: dict[str, Any], numbers: dict[str, Any], words: str
) -> None:
    stage = stage_of("LOT")
    trades(stage, {"ann": 10, **SHORTS})
    known = stage.tables.reference.instruments[CALL]
    assert known.contract is not None
    stage.tables.reference.instruments[CALL] = replace(known, contract=replace(known.contract, **changes))
    exercise(stage, 4, **numbers)
    stage.run(5)
    assert words in decided(stage).detail and decided(stage).legs == ()
    assert held(stage, "ann") == 10
    stage.check()


def test_who_has_bought_back_gives_what_he_has_and_what_nobody_takes_is_told() -> None:
    stage = stage_of("PRO_RATA")
    trades(stage, {"ann": 10, "bob": -10})
    exercise(stage, 10)
    while len(stage.events(m.RoundAnswered)) < PARTITIONS:
        stage.deliver(0)
    stage.trade("bob", "BUY", 4, 100, CALL)
    stage.run(5)
    assert held(stage, "bob") == 0 and held(stage, "ann") == 0
    assert decided(stage).outcome == {f"rest_e8/{CALL}": 4 * E8, f"{UNTAKEN}{CALL}": 4 * E8}
    assert stage.balance("house:clearing", CALL) == 0, "the house itself had sold to bob, so it is flat all the same"
    stage.check()


@settings(max_examples=15, deadline=None)
@given(
    st.dictionaries(st.sampled_from(MEMBERS[1:]), st.integers(-9, -1), min_size=1), st.integers(1, 12),
    st.sampled_from(["PRO_RATA", "LOT"]),
)  # fmt: skip
def test_all_that_is_exercised_is_assigned_or_nobody_is(shorts: dict[str, int], exercised: int, rule: str) -> None:
    stage = stage_of(rule)
    trades(stage, {"ann": exercised, **shorts})
    exercise(stage, exercised)
    exercise(stage, exercised)
    stage.run(5)
    short = -sum(shorts.values())
    assigned = sum(held(stage, name) - contracts for name, contracts in shorts.items())
    assert assigned == (exercised if exercised <= short else 0)
    assert held(stage, "ann") == exercised - assigned
    assert all(held(stage, name) <= 0 for name in shorts)
    stage.check()
