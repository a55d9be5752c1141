"""Porting: whole clients move or are closed out; no margin and no contract is lost; every refusal has its row."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.desk import LAW
from truetape.default.porting import REFUSALS, TRANSITIONS, Client, Receiver, port
from truetape.transitions import CLOCK, HOUSE, NotLegal

AMY = Client("amy", {"BTC-PERP": 5, "ETH-PERP": -7}, margin_e8=100, required_e8=80, receiver_id="m2")
TAKES = Receiver("m2", frozenset({"amy", "ben"}), capacity_e8=100)


def test_a_client_moves_with_all_he_has() -> None:
    outcome = port([AMY], [TAKES])
    [moved] = outcome.ported
    assert (moved.receiver_id, moved.positions, moved.margin_e8) == ("m2", AMY.positions, 100)
    assert outcome.closed_out == ()


@pytest.mark.parametrize(
    ("client", "receiver", "reason"),
    [
        (replace(AMY, receiver_id=""), TAKES, "NO_RECEIVER_CHOSEN"),
        (replace(AMY, receiver_id="m9"), TAKES, "NO_RECEIVER_CHOSEN"),
        (AMY, replace(TAKES, defaulted=True), "RECEIVER_DEFAULTED"),
        (AMY, replace(TAKES, accepts=frozenset()), "NOT_ACCEPTED"),
        (replace(AMY, margin_e8=79), TAKES, "UNDER_MARGINED"),
        (AMY, replace(TAKES, capacity_e8=79), "RECEIVER_FULL"),
    ],
)
def test_who_is_not_taken_is_closed_out_with_the_reason(client: Client, receiver: Receiver, reason: str) -> None:
    [closed] = port([client], [receiver]).closed_out
    assert (closed.reason, closed.margin_e8, closed.positions) == (reason, client.margin_e8, client.positions)
    assert reason in REFUSALS


def test_where_not_all_have_room_the_smaller_go_first() -> None:
    ben = Client("ben", {"BTC-PERP": 1}, 50, 30, "m2")
    outcome = port([AMY, ben], [TAKES])
    assert [moved.account_id for moved in outcome.ported] == ["ben"]
    assert [(closed.account_id, closed.reason) for closed in outcome.closed_out] == [("amy", "RECEIVER_FULL")]
    assert len(port([AMY, ben], [replace(TAKES, capacity_e8=110)]).ported) == 2


def test_the_table_of_a_porting() -> None:
    legal = {
        ("REQUESTED", "accept", "receiver"), ("REQUESTED", "refuse", "receiver"), ("ACCEPTED", "refuse", "receiver"),
        ("ACCEPTED", "port", HOUSE), ("REQUESTED", "pass_deadline", CLOCK), ("ACCEPTED", "pass_deadline", CLOCK),
    }  # fmt: skip
    for state, action, actor in product(TRANSITIONS.states, TRANSITIONS.actions, ("receiver", HOUSE, CLOCK)):
        if (state, action, actor) not in legal:
            with pytest.raises(NotLegal):
                TRANSITIONS.after(state, action, actor)
    assert TRANSITIONS.terminal == {"PORTED", "REFUSED", "EXPIRED"}
    assert TRANSITIONS.after("ACCEPTED", "port", HOUSE) == "PORTED"


amounts = st.integers(0, 10**9)
clients = st.lists(
    st.builds(
        Client, st.sampled_from("abcdefgh"), st.dictionaries(st.sampled_from("XYZ"), st.integers(-99, 99)), amounts,
        amounts, st.sampled_from(["", "m2", "m3"]),
    ),
    unique_by=lambda one: one.account_id,
)  # fmt: skip


@LAW
@given(clients, amounts, st.frozensets(st.sampled_from("abcdefgh")))
def test_nobody_is_lost_and_no_receiver_takes_more_than_it_can(
    found: list[Client], capacity_e8: int, accepts: frozenset[str]
) -> None:
    outcome = port(found, [Receiver("m2", accepts, capacity_e8), Receiver("m3", frozenset("a"), 0)])
    moved = [one.account_id for one in outcome.ported] + [one.account_id for one in outcome.closed_out]
    assert sorted(moved) == sorted(one.account_id for one in found)
    required = {one.account_id: one.required_e8 for one in found}
    assert sum(required[one.account_id] for one in outcome.ported if one.receiver_id == "m2") <= capacity_e8
    assert port(list(reversed(found)), [Receiver("m3", frozenset("a"), 0), Receiver("m2", accepts, capacity_e8)]) == (
        outcome
    )
