"""What of a claim is paid now, and what of a rest somebody takes: legs that are set aside, gains, defaults."""

import pytest
from msgspec.structs import replace

from services.clearing.otc import claims as service
from tests.unit.contract_desk import E8
from tests.unit.desk import some_meta
from tests.unit.test_liquidation_properties import BTC, Room, opened
from truetape import messages as m
from truetape.claims import CLAIM, FREE, IN, OUT, OWED, PENDING, settlement
from truetape.remainder import PRICE, UNIT, remainder_of, shared
from truetape.service import Input, Tables


@pytest.mark.parametrize(
    ("pending", "legs"),
    [
        (0, {"bob": 50, "cat": 50}),
        (30, {"bob": 44, "cat": 26}),   # 70 are left, for 100 of bob's and 60 of hers
        (100, {}),                      # all that has come in is on its way to her
    ],
)  # fmt: skip
def test_what_is_on_its_way_to_somebody_is_not_paid_to_another(pending: int, legs: dict[str, int]) -> None:
    """100 have come in; bob and cat have a claim of 100 each, and a leg of hers is set aside."""
    stated = [m.RoundHolding(who, "USDT", {CLAIM: 100}) for who in ("bob", "cat")]
    stated += [m.RoundHolding("", "USDT", {IN: 100, OUT: 0})]
    if pending:
        stated.append(m.RoundHolding("cat", "USDT", {PENDING: pending}))
    if pending == 30:
        stated[1] = m.RoundHolding("cat", "USDT", {CLAIM: 90})
    assert settlement({OWED: 200}, stated).legs == legs


@pytest.mark.parametrize(("free", "paid"), [(100, -100), (40, -40), (0, 0)])
def test_who_owes_pays_what_he_can(free: int, paid: int) -> None:
    stated = [m.RoundHolding("ann", "USDT", {CLAIM: -100, FREE: free})]
    assert settlement({OWED: 100}, stated).legs.get("ann", 0) == paid


@pytest.mark.parametrize(("held", "pending", "takes"), [(-3, 0, 3), (-3, 2, 1), (-3, 3, None), (-3, 4, None)])
def test_who_is_about_to_take_all_that_he_is_short_takes_no_more(held: int, pending: int, takes: int | None) -> None:
    numbers = {f"{PRICE}C": 1, f"{UNIT}C": 1}
    stated = [m.RoundHolding("", "C", {"given_e8": 9}), m.RoundHolding("bob", "C", {"held_e8": held})]
    if pending:
        stated.append(m.RoundHolding("bob", "C", {"pending_e8": pending}))
    found = remainder_of(numbers, "C", stated)
    assert found.takers == ({} if takes is None else {"bob": takes})
    assert shared(numbers, "C", found, "seed") == found.takers


@pytest.mark.parametrize("move", [5, 0, -2])
def test_a_claim_is_paid_from_what_could_be_withdrawn(move: int) -> None:
    """Ann holds 10 contracts of 600 USDT that need 10 %; what they have gained is not paid yet, so it cannot leave."""
    room = Room()
    opened(room, {BTC: 10}, (move, 0, 0), 400)
    found, cash_e8 = room.found(), room.state.balances["client:ann"]["USDT"]
    assert found is not None and found.gains_e8 == 60 * move * E8
    free_e8 = service.free_e8(room.state, asked(room), "ann", "USDT")
    assert free_e8 == cash_e8 - found.initial_e8 + min(found.gains_e8, 0)


def asked(room: Room) -> Input:
    tables = Tables(room.reference, room.marks)
    return Input(None, m.Cause("", 0, -1, ""), room.now_us, "", 1, 1, tables)


@pytest.mark.parametrize(("state", "pays"), [("DECLARED", False), ("COVERED", False), ("ENDED", True)])
def test_who_is_in_default_pays_no_claim(state: str, pays: bool) -> None:
    room = Room()
    opened(room, {BTC: 0}, (0, 0, 0), 100)
    room.state.balances["client:ann"] = {"USDT": 50 * E8}
    declared = m.DefaultChanged(
        meta=some_meta(), command_id="", account_id="ann", default_id="d1", asset="USDT", state="DECLARED", margin_e8=0,
        loss_e8=0, steps=(), uncovered_e8=0, recovered_e8=0, round_id="", attempt=0, detail="", requested_by="op",
    )  # fmt: skip
    room.state.defaults["ann"] = replace(declared, state=state)
    assert service.free_e8(room.state, asked(room), "ann", "USDT") == (50 * E8 if pays else 0)
