"""The audit's rules of porting and assignment: silent about a true tape, each applied, and each finds its lie."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import truetape.audit
from tests.unit.rounds_stage import PERP, SECOND_US, Stage
from tests.unit.test_assigning import SHORTS, exercise, stage_of, trades
from tests.unit.test_audit import rules_of
from tests.unit.test_porting_stage import PortingStage, opened
from truetape import ids
from truetape import messages as m
from truetape.audit.findings import Findings
from truetape.audit.ledger_rules import LedgerRules
from truetape.audit.membership import Membership
from truetape.audit.merge import Given
from truetape.happenings import Part
from truetape.remainder import FOLLOW, UNTAKEN
from truetape.topics import CLEARING_ENTRIES, PARTITIONS

Change = Callable[[Any], Any]
ONLY_RISK = {"a client in a window only reduces"}
"""tests/unit/test_risk_porting.py."""
NOT_HERE = {"a transfer is booked once", "orders end by risk's word"}
"""What risk has approved and said is not in the partitions' events."""


@pytest.fixture(scope="module")
def ported() -> PortingStage:
    """Dan has moved to bob; eve and fay are closed out at the end of the window."""
    stage = opened(dan="bob", eve="bob")
    stage.act("dan", "accept", "bob")
    stage.act("eve", "refuse", "bob")
    stage.over()
    assert [stage.known(name).state for name in ("dan", "eve", "fay")] == ["PORTED", "EXPIRED", "EXPIRED"]
    stage.check()
    return stage


@pytest.fixture(scope="module")
def assigned() -> Stage:
    """An exercise of four, drawn by lot among three."""
    stage = stage_of("LOT")
    trades(stage, {"ann": 10, **SHORTS})
    exercise(stage, 4)
    stage.run(5)
    stage.check()
    return stage


def judged(stage: Stage, members: Membership | None, kind: type, change: Change) -> Findings:
    """All partitions audited again, with one record changed: the first of its kind for which that changes something."""
    findings, lied = Findings(), False
    for at in stage.partitions:
        rules, part = LedgerRules(findings, members), Part(CLEARING_ENTRIES.name, at.number)
        for number, event in enumerate(at.events, 1):
            told = change(event) if isinstance(event, kind) and not lied else event
            lied = lied or told != event
            rules.take(Given(part, number, told, True))
        rules.end(f"partition {at.number}")
    assert lied or kind is Nothing, "the lie is told"
    return findings


class Nothing:
    """No record is of this kind."""


def test_each_rule_is_applied_and_silent(ported: PortingStage, assigned: Stage) -> None:
    here = Path(truetape.audit.__file__).parent
    named = rules_of(here / "porting_rules.py") | rules_of(here / "assignment_rules.py")
    named |= rules_of(here / "remainder_rules.py")
    stages = ((ported, ported.members), (assigned, None))
    house = opened()
    house.act("ann", "end", "house", reason="all have answered")
    house.run(30)
    refused = stage_of("LOT")
    trades(refused, {"ann": 1, "bob": -1})
    exercise(refused, 9)
    refused.run(5)
    checked: set[str] = set()
    for stage, members in (*stages, (house, house.members), (refused, None)):
        found = judged(stage, members, Nothing, lambda event: event)
        assert {one.what for one in found.kept} <= NOT_HERE
        checked |= found.checked.keys()
    assert len(named) >= 20
    assert named - checked == ONLY_RISK


def of_kind(kind: str, change: Change) -> Change:
    return lambda event: change(event) if event.round.kind == kind else event


def about(name: str, state: str, change: Change) -> Change:
    return lambda event: change(event) if (event.account_id, event.state) == (name, state) else event


def outcome(kind: str, change: Callable[[dict[str, int]], dict[str, int]]) -> Change:
    return of_kind(kind, lambda event: replace(event, outcome=change(dict(event.outcome))))


def in_time(event: Any) -> Any:
    """Decided a second too early."""
    meta = replace(event.meta, decided_at_us=event.round.numbers["expires_at_us"] - SECOND_US)
    return replace(event, meta=meta)


def too_late(event: m.PortingChanged) -> m.PortingChanged:
    return replace(event, meta=replace(event.meta, decided_at_us=event.expires_at_us))


def larger(event: m.RoundGathered) -> m.RoundGathered:
    """Dan needs more than bob has room for."""
    if not any(one.account_id == "dan" and "initial_e8/USDT" in one.numbers for one in event.holdings):
        return event
    huge = {"initial_e8/USDT": 1 << 60}
    holdings = [replace(one, numbers=one.numbers | huge) if one.account_id == "dan" else one for one in event.holdings]
    return replace(event, holdings=tuple(holdings))


def without(names: str) -> Callable[[dict[str, int]], dict[str, int]]:
    return lambda found: {name: number for name, number in found.items() if not name.startswith(names)}


MOVES_ALL = "a client moves with all that he holds"
LEG = m.RoundLeg("l", "dan", "HOUSE_TRANSFER", "USDT", 1, {}, 0)
LIES: list[tuple[str, type, Change]] = [
    ("each client of a window is decided once", m.RoundDecided, outcome("PORTING", without("NO_RECEIVER_CHOSEN"))),
    ("who moves is taken and margined", m.RoundDecided,
     outcome("PORTING", lambda found: without("NOT_ACCEPTED")(found) | {"MOVE/eve/bob": 1})),
    ("a receiver's limit is reference data's", m.RoundDecided,
     outcome("PORTING", lambda found: found | {"limit_e8/bob/USDT": 1 << 61})),
    ("a receiver's limit is held", m.RoundGathered, larger),
    ("a client is told what is decided", m.RoundSettling, lambda event: (
        outcome("PORTING", without("MOVE"))(event) if event.partition == ids.partition_of("dan", PARTITIONS) else event
    )),
    ("porting books nothing", m.RoundSettling, of_kind("PORTING", lambda event: replace(event, legs=(LEG,)))),
    ("a window is kept to its end", m.RoundRequested, of_kind("PORTING", in_time)),
    ("a window opens before it is decided", m.RoundRequested, of_kind(
        "PORTING_WINDOW", lambda event: replace(event, attempt=1))),
    ("who ends a window says why", m.RoundRequested, of_kind("PORTING", lambda event: replace(
        event, round=replace(event.round, ids=event.round.ids | {"actor": "house", "reason": ""})))),
    ("who is asked answers in the window", m.PortingChanged, about("dan", "ACCEPTED", too_late)),
    ("a porting follows its table", m.PortingChanged, about(
        "eve", "REFUSED", lambda event: replace(event, actor="client"))),
    (MOVES_ALL, m.PortingChanged, about(
        "dan", "PORTED", lambda event: replace(event, numbers=without("quantity_e8")(dict(event.numbers))))),
    (MOVES_ALL, m.PortingChanged, about("dan", "MOVING", lambda event: replace(
        event, numbers=event.numbers | {f"quantity_e8/{PERP}": 1}))),
    ("a client is whose reference data says", m.PortingChanged, about(
        "dan", "PORTED", lambda event: replace(event, receiver_id="cat"))),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "kind", "change"), LIES, ids=[f"{rule}-{n}" for n, (rule, _, _) in enumerate(LIES)])
def test_a_lie_about_a_porting_is_found(ported: PortingStage, rule: str, kind: type, change: Change) -> None:
    found = judged(ported, ported.members, kind, change)
    assert rule in {one.what for one in found.kept}


def legs(change: Callable[[m.RoundLeg], m.RoundLeg]) -> Change:
    """Of the first leg that is changed."""

    def lie(event: Any) -> Any:
        told = list(event.legs)
        for place, leg in enumerate(told):
            if (changed := change(leg)) != leg:
                told[place] = changed
                break
        return replace(event, legs=tuple(told))

    return lie


def quantity(event: str, change: Callable[[int], int]) -> Callable[[m.RoundLeg], m.RoundLeg]:
    def lie(leg: m.RoundLeg) -> m.RoundLeg:
        if leg.event != event:
            return leg
        return replace(leg, numbers=leg.numbers | {"quantity_e8": change(leg.numbers["quantity_e8"])})

    return lie


def swapped(event: m.RoundDecided) -> m.RoundDecided:
    """One contract is taken from one and given to another: the sum is right."""
    told, lot_e8 = list(event.legs), 10**8
    places = [place for place, leg in enumerate(told) if leg.event == "ASSIGNMENT"]
    if len(places) < 2:
        return event
    for place, change in ((places[0], -lot_e8), (places[1], lot_e8)):
        told[place] = quantity("ASSIGNMENT", change.__add__)(told[place])
    return replace(event, legs=tuple(told))


def beyond(event: m.EntryBooked) -> m.EntryBooked:
    """The entry ends more than was asked."""
    contract = event.contract
    if contract is None or contract.event != "ASSIGNMENT":
        return event
    return replace(event, contract=replace(contract, numbers=contract.numbers | {"asked_e8": 1}))


def last(event: m.RoundDecided) -> m.RoundDecided:
    """The round that assigns says that none follows."""
    return replace(event, outcome={name: e8 for name, e8 in event.outcome.items() if not name.startswith(FOLLOW)})


def untaken(event: m.RoundDecided) -> m.RoundDecided:
    """It tells of contracts that nobody has, and there are none."""
    return replace(event, outcome=event.outcome | {f"{UNTAKEN}{event.round.asset}": 10**8})


def reseeded(seed: str) -> Change:
    return of_kind(
        "ASSIGNMENT_REST",
        lambda event: replace(event, round=replace(event.round, ids=event.round.ids | {"seed": seed})),
    )


ASSIGNED: list[tuple[str, type, Change]] = [
    ("as much is assigned as exercised", m.RoundDecided, legs(quantity("ASSIGNMENT", lambda old: old + 10**8))),
    ("nobody is assigned beyond his short", m.RoundDecided, legs(quantity("ASSIGNMENT", lambda old: 20 * 10**8))),
    ("the recorded seed draws who is assigned", m.RoundDecided, swapped),
    ("who exercises is long", m.RoundDecided, legs(quantity("EXERCISE", lambda old: old + 10**8))),
    ("a refused exercise assigns nobody", m.RoundDecided, lambda event: replace(event, detail="it cannot be")),
    ("an assignment only ends contracts", m.EntryBooked, beyond),
    ("a round follows until nothing is left", m.RoundDecided, of_kind("ASSIGNMENT_REST", last)),
    ("what nobody takes is told", m.RoundDecided, of_kind("ASSIGNMENT_REST", untaken)),
    ("a round that follows keeps its terms", m.RoundOpened, reseeded("other")),
    (
        "a round that follows keeps its terms",
        m.RoundOpened,
        of_kind(
            "ASSIGNMENT_REST",
            lambda event: replace(
                event, round=replace(event.round, numbers={name: e8 + 1 for name, e8 in event.round.numbers.items()})
            ),
        ),
    ),
]


@pytest.mark.parametrize(
    ("rule", "kind", "change"), ASSIGNED, ids=[f"{rule}-{n}" for n, (rule, _, _) in enumerate(ASSIGNED)]
)
def test_a_lie_about_an_assignment_is_found(assigned: Stage, rule: str, kind: type, change: Change) -> None:
    found = judged(assigned, None, kind, change)
    assert rule in {one.what for one in found.kept}


def test_another_seed_is_another_assignment(assigned: Stage) -> None:
    """Whoever changes the seed after the draw is found, unless it draws the same."""
    lies = [judged(assigned, None, m.RoundDecided, reseeded(f"other-{number}")) for number in range(8)]
    told = [{one.what for one in found.kept} for found in lies]
    assert all("a round keeps its terms" in found for found in told)
    assert any("the recorded seed draws who is assigned" in found for found in told)


def test_what_is_in_doubt_is_not_compared(ported: PortingStage) -> None:
    change = about("dan", "PORTED", lambda event: replace(event, numbers={"doubt": 1}))
    found = judged(ported, ported.members, m.PortingChanged, change)
    assert {one.what for one in found.kept} <= NOT_HERE
