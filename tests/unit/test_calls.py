"""Margin calls: the whole table of transitions, deadlines to the microsecond, payments in parts, late and too large."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.desk import LAW, START_US
from truetape.default.calls import MEMBER, TRANSITIONS, Call, act, called, due, pay, settle
from truetape.transitions import CLOCK, HOUSE, LEDGER, NotLegal

HOUR_US = 3_600_000_000
GRACE_US = 600_000_000
DUE_US = START_US + HOUR_US
ACTORS = (MEMBER, HOUSE, LEDGER, CLOCK)
LEGAL = {
    ("CALLED", "acknowledge", MEMBER): "ACKNOWLEDGED",
    ("CALLED", "dispute", MEMBER): "DISPUTED",
    ("ACKNOWLEDGED", "dispute", MEMBER): "DISPUTED",
    ("DISPUTED", "reject_dispute", HOUSE): "ACKNOWLEDGED",
    ("DISPUTED", "uphold_dispute", HOUSE): "WITHDRAWN",
    ("CALLED", "recover", HOUSE): "WITHDRAWN",
    ("ACKNOWLEDGED", "recover", HOUSE): "WITHDRAWN",
    ("DISPUTED", "recover", HOUSE): "WITHDRAWN",
    ("MISSED", "recover", HOUSE): "WITHDRAWN",
    ("CALLED", "meet", LEDGER): "MET",
    ("ACKNOWLEDGED", "meet", LEDGER): "MET",
    ("DISPUTED", "meet", LEDGER): "MET",
    ("MISSED", "meet", LEDGER): "MET",
    ("CALLED", "pass_deadline", CLOCK): "MISSED",
    ("ACKNOWLEDGED", "pass_deadline", CLOCK): "MISSED",
    ("DISPUTED", "pass_deadline", CLOCK): "MISSED",
    ("MISSED", "pass_grace", CLOCK): "DEFAULT",
    ("MISSED", "declare_default", HOUSE): "DEFAULT",
}


def a_call(amount_e8: int = 1_000, **changes: object) -> Call:
    made = called("ann", "USDT", amount_e8, START_US, HOUR_US, GRACE_US, "margin report 7")
    return replace(made, **changes)


def test_the_table_allows_exactly_what_is_listed() -> None:
    assert set(TRANSITIONS.states) == {"CALLED", "ACKNOWLEDGED", "DISPUTED", "MISSED", "MET", "WITHDRAWN", "DEFAULT"}
    assert TRANSITIONS.terminal == {"MET", "WITHDRAWN", "DEFAULT"}
    for state in TRANSITIONS.states:
        for action in TRANSITIONS.actions:
            for actor in ACTORS:
                if (state, action, actor) in LEGAL:
                    assert TRANSITIONS.after(state, action, actor) == LEGAL[state, action, actor]
                else:
                    with pytest.raises(NotLegal):
                        TRANSITIONS.after(state, action, actor)
    with pytest.raises(NotLegal, match="is no action; there are acknowledge"):
        TRANSITIONS.after("CALLED", "forgive", HOUSE)


@pytest.mark.parametrize(("state", "action", "actor"), [key for key in LEGAL if key[1] != "meet"])
def test_each_action_is_kept_with_actor_and_time(state: str, action: str, actor: str) -> None:
    at_us = DUE_US + GRACE_US if action == "pass_grace" else DUE_US
    after = act(a_call(state=state), action, actor, at_us, "why")
    assert (after.state, after.actor, after.acted_at_us, after.detail) == (
        LEGAL[state, action, actor], actor, at_us, "why",
    )  # fmt: skip
    assert (after.amount_e8, after.due_at_us, after.paid_e8) == (1_000, DUE_US, 0), "a dispute moves no deadline"


@pytest.mark.parametrize("state", ["CALLED", "ACKNOWLEDGED", "DISPUTED"])
def test_the_deadline_passes_at_its_microsecond(state: str) -> None:
    call = a_call(state=state)
    assert due(call, DUE_US - 1) is None
    with pytest.raises(NotLegal, match="not due"):
        act(call, "pass_deadline", CLOCK, DUE_US - 1)
    assert due(call, DUE_US) == "pass_deadline"
    missed = act(call, "pass_deadline", CLOCK, DUE_US)
    assert due(missed, DUE_US + GRACE_US - 1) is None
    with pytest.raises(NotLegal, match="not due"):
        act(missed, "pass_grace", CLOCK, DUE_US + GRACE_US - 1)
    assert act(missed, "pass_grace", CLOCK, DUE_US + GRACE_US).state == "DEFAULT"


@pytest.mark.parametrize("state", ["MET", "WITHDRAWN", "DEFAULT"])
def test_no_clock_moves_what_has_ended(state: str) -> None:
    assert due(a_call(state=state), DUE_US * 2) is None


def test_a_call_is_met_by_what_is_booked_and_by_nobodys_word() -> None:
    with pytest.raises(NotLegal, match="booked"):
        act(a_call(), "meet", LEDGER, START_US)
    call, over_e8 = pay(a_call(), 400, START_US + 1)
    assert (call.state, call.paid_e8, call.open_e8, over_e8) == ("CALLED", 400, 600, 0)
    call, over_e8 = pay(call, 599, START_US + 2)
    assert (call.state, call.open_e8, over_e8) == ("CALLED", 1, 0)
    call, over_e8 = pay(call, 3, START_US + 3)
    assert (call.state, call.open_e8, over_e8, call.acted_at_us) == ("MET", 0, 2, START_US + 3)
    assert pay(call, 5, START_US + 4) == (call, 5)


def test_a_late_payment_meets_a_missed_call_but_undoes_no_default() -> None:
    missed = act(a_call(), "pass_deadline", CLOCK, DUE_US)
    assert pay(missed, 1_000, DUE_US + 1)[0].state == "MET"
    defaulted = act(missed, "declare_default", HOUSE, DUE_US + 1)
    assert pay(defaulted, 1_000, DUE_US + 2) == (defaulted, 1_000)
    assert defaulted.open_e8 == 1_000


def test_a_call_asked_for_twice_has_one_id() -> None:
    assert a_call().call_id == a_call(500).call_id
    assert a_call().call_id != called("bob", "USDT", 1_000, START_US, HOUR_US, GRACE_US, "").call_id


@pytest.mark.parametrize("amount_e8", [0, -1])
def test_a_call_for_nothing_is_a_broken_invariant(amount_e8: int) -> None:
    with pytest.raises(AssertionError):
        a_call(amount_e8)


def test_one_payment_serves_the_call_that_is_due_first() -> None:
    late = called("ann", "USDT", 50, START_US + 5, HOUR_US, GRACE_US, "")
    early = called("ann", "USDT", 100, START_US, HOUR_US, GRACE_US, "")
    found, over_e8 = settle([late, early], 120, START_US + 9)
    assert [(call.state, call.paid_e8) for call in found] == [("CALLED", 20), ("MET", 100)]
    assert over_e8 == 0
    assert settle(found, 40, START_US + 9)[1] == 10


@LAW
@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=5), st.lists(st.integers(1, 10**12), max_size=8))
def test_payments_are_neither_lost_nor_made(amounts: list[int], payments: list[int]) -> None:
    found = [called("ann", "USDT", amount, START_US + n, HOUR_US, 0, "") for n, amount in enumerate(amounts)]
    over_e8 = 0
    for payment_e8 in payments:
        found, left_e8 = settle(found, payment_e8, START_US)
        over_e8 += left_e8
    assert sum(call.paid_e8 for call in found) + over_e8 == sum(payments)
    assert all((call.state == "MET") == (call.paid_e8 == call.amount_e8) for call in found)
    assert over_e8 == max(0, sum(payments) - sum(amounts))


actions = st.tuples(st.sampled_from(sorted(TRANSITIONS.actions)), st.sampled_from(ACTORS), st.integers(0, 2 * HOUR_US))


@LAW
@given(st.lists(actions, max_size=12))
def test_whatever_is_tried_only_the_table_moves_a_call(tried: list[tuple[str, str, int]]) -> None:
    call = a_call()
    for action, actor, after_us in tried:
        try:
            moved = act(call, action, actor, START_US + after_us)
        except NotLegal:
            continue
        assert LEGAL[call.state, action, actor] == moved.state
        call = moved
