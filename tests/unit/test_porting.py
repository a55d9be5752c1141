"""Porting: whole clients move or are closed out; no margin and no contract is lost; every refusal has its row."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.desk import LAW
from truetape.default.porting import CLIENT, RECEIVER, REFUSALS, TRANSITIONS, Client, Need, Receiver, port
from truetape.transitions import CLOCK, HOUSE, LEDGER, NotLegal

AMY = Client("amy", {"BTC-PERP": 5, "ETH-PERP": -7}, {"USDT": Need(100, 80, 50), "USDC": Need(9, 9, 9)}, "m2")
TAKES = Receiver("m2", frozenset({"amy", "ben"}), {"USDT": 100, "USDC": 9})


def test_a_client_moves_with_all_he_has() -> None:
    outcome = port([AMY], [TAKES], "USDT")
    [moved] = outcome.ported
    assert (moved.receiver_id, moved.client) == ("m2", AMY)
    assert outcome.closed_out == ()


@pytest.mark.parametrize(
    ("client", "receiver", "reason"),
    [
        (replace(AMY, receiver_id=""), TAKES, "NO_RECEIVER_CHOSEN"),
        (replace(AMY, receiver_id="m9"), TAKES, "NO_RECEIVER_CHOSEN"),
        (AMY, replace(TAKES, defaulted=True), "RECEIVER_DEFAULTED"),
        (AMY, replace(TAKES, accepts=frozenset()), "NOT_ACCEPTED"),
        (replace(AMY, needs={"USDT": Need(49, 80, 50)}), TAKES, "UNDER_MARGINED"),
        (replace(AMY, needs={"USDT": Need(50, 80, 50)}), TAKES, ""),
        (AMY, replace(TAKES, room_e8={"USDT": 79, "USDC": 9}), "RECEIVER_FULL"),
        (AMY, replace(TAKES, room_e8={"USDT": 80, "USDC": 8}), "RECEIVER_FULL"),
        (AMY, replace(TAKES, room_e8={"USDT": 80}), "RECEIVER_FULL"),
        (AMY, replace(TAKES, room_e8={"USDT": 80, "USDC": 9}), ""),
        (replace(AMY, needs={}), replace(TAKES, room_e8={}), ""),
    ],
)
def test_who_is_not_taken_is_closed_out_with_the_reason(client: Client, receiver: Receiver, reason: str) -> None:
    outcome = port([client], [receiver], "USDT")
    assert [(one.reason, one.client) for one in outcome.closed_out] == ([(reason, client)] if reason else [])
    assert reason in ("", *REFUSALS)


def test_where_not_all_have_room_the_smaller_go_first() -> None:
    ben = Client("ben", {"BTC-PERP": 1}, {"USDT": Need(50, 30, 10)}, "m2")
    outcome = port([AMY, ben], [TAKES], "USDT")
    assert [moved.client.account_id for moved in outcome.ported] == ["ben"]
    assert [(one.client.account_id, one.reason) for one in outcome.closed_out] == [("amy", "RECEIVER_FULL")]
    assert len(port([AMY, ben], [replace(TAKES, room_e8={"USDT": 110, "USDC": 9})], "USDT").ported) == 2
    assert [one.client.account_id for one in port([AMY, ben], [TAKES], "USDC").ported] == ["ben"]


def test_the_table_of_a_porting() -> None:
    undecided = ("REQUESTED", "ACCEPTED", "REFUSED")
    legal = {
        **{(state, "choose", CLIENT): "REQUESTED" for state in undecided},
        **{(state, "accept", RECEIVER): "ACCEPTED" for state in ("REQUESTED", "REFUSED")},
        **{(state, "refuse", RECEIVER): "REFUSED" for state in ("REQUESTED", "ACCEPTED")},
        **{("ACCEPTED", "move", who): "MOVING" for who in (CLOCK, HOUSE)},
        **{(state, "expire", who): "EXPIRED" for who in (CLOCK, HOUSE) for state in (*undecided, "MOVING")},
        **{(state, "port", LEDGER): "PORTED" for state in TRANSITIONS.states if state != "PORTED"},
    }
    actors = (CLIENT, RECEIVER, HOUSE, CLOCK, LEDGER)
    for state, action, actor in product(TRANSITIONS.states, TRANSITIONS.actions, actors):
        if (state, action, actor) in legal:
            assert TRANSITIONS.after(state, action, actor) == legal[state, action, actor]
        else:
            with pytest.raises(NotLegal):
                TRANSITIONS.after(state, action, actor)
    assert TRANSITIONS.terminal == {"PORTED"}


amounts = st.integers(0, 10**9)
assets = st.sampled_from(["USDT", "USDC"])
needs = st.dictionaries(assets, st.builds(Need, amounts, amounts, amounts))
clients = st.lists(
    st.builds(
        Client, st.sampled_from("abcdefgh"), st.dictionaries(st.sampled_from("XYZ"), st.integers(-99, 99)), needs,
        st.sampled_from(["", "m2", "m3"]),
    ),
    unique_by=lambda one: one.account_id,
)  # fmt: skip


@LAW
@given(clients, st.dictionaries(assets, amounts), st.frozensets(st.sampled_from("abcdefgh")))
def test_nobody_is_lost_and_no_receiver_takes_more_than_it_can(
    found: list[Client], room: dict[str, int], accepts: frozenset[str]
) -> None:
    receivers = [Receiver("m2", accepts, room), Receiver("m3", frozenset("a"), {})]
    outcome = port(found, receivers, "USDT")
    kept = [*(one.client for one in outcome.ported), *(one.client for one in outcome.closed_out)]
    assert sorted(kept, key=lambda one: one.account_id) == sorted(found, key=lambda one: one.account_id)
    for asset in ("USDT", "USDC"):
        moved = [one.client.needs for one in outcome.ported if one.receiver_id == "m2"]
        assert sum(one[asset].initial_e8 for one in moved if asset in one) <= room.get(asset, 0)
    assert all(one.client.account_id in (accepts if one.receiver_id == "m2" else "a") for one in outcome.ported)
    assert port([*reversed(found)], receivers, "USDT") == outcome, "the order of asking decides nothing"
