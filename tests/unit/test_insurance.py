"""The insurance fund over eight partitions: losses draw on all its parts, in order, and no unit is used twice."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clearing.across import requests
from services.clearing.across.parcels import INSURANCE
from services.clearing.across.roundbook import Request
from services.clearing.defaults import insurance, withdrawals
from services.clearing.state import State
from tests.unit.contract_desk import E8
from tests.unit.desk import LAW
from tests.unit.rounds_stage import MEMBERS, Stage, disturb, members
from truetape import ids
from truetape import messages as m
from truetape.topics import PARTITIONS


def put(stage: Stage, partition: int, amount: int) -> None:
    """A part of the fund where fees of liquidations have left it: money that came in from outside."""
    at = stage.partitions[partition]
    name = f"i{partition}"
    command = m.MoveFund(name, INSURANCE, "USDT", amount * E8, "bank:main", "INSURANCE", "desk", "fees of the year")
    assert isinstance(stage.give(at.number, command), m.EntryBooked)


def fund(stage: Stage) -> int:
    return stage.balance(INSURANCE)


def loses(stage: Stage, account_id: str, amount: int) -> None:
    """Nothing is held any more, and so much is missing to zero."""
    stage.lose_money(account_id, amount)


ROWS = [
    # parts of the fund by partition, loss, paid by the fund, left to the default's waterfall
    ({}, 300, 0, 300),
    ({0: 100, 1: 200, 5: 100}, 300, 300, 0),
    ({0: 100, 1: 200}, 300, 300, 0),
    ({0: 100, 1: 100}, 300, 200, 100),
    ({7: 1_000}, 1, 1, 0),
]


@pytest.mark.parametrize(("parts", "loss", "paid", "left"), ROWS, ids=[str(row) for row in ROWS])
def test_a_loss_draws_on_all_parts_before_the_default(parts: dict[int, int], loss: int, paid: int, left: int) -> None:
    stage = Stage()
    members(stage, [("bob", 1_000)])
    for partition, amount in parts.items():
        put(stage, partition, amount)
    loses(stage, "ann", loss)
    stage.run(60)
    [ended, *_] = [one for one in stage.events(m.LiquidationEnded) if one.account_id == "ann"]
    assert (ended.outcome, ended.covered_e8) == ("LOSS" if left else "COVERED", paid * E8)
    assert fund(stage) == sum(parts.values()) - paid
    assert stage.share("bob") == 1_000 - left, "what the fund cannot pay is the waterfall's"
    assert stage.cash("ann") == 0 or not left
    assert stage.open_loss() == 0 and stage.done()
    stage.check()


def test_two_losses_at_once_never_use_one_unit_twice() -> None:
    stage = Stage()
    members(stage, [("bob", 1_000)])
    for partition, amount in ((0, 60), (3, 40)):
        put(stage, partition, amount)
    for name in ("ann", "cat"):
        loses(stage, name, 80)
    stage.run(90)
    covered = {one.account_id: one.covered_e8 // E8 for one in stage.events(m.LiquidationEnded)}
    assert sorted(covered.values()) == [20, 80] and fund(stage) == 0
    assert stage.share("bob") == 1_000 - 60, "the rest is the waterfall's"
    stage.check()


def test_what_comes_in_meanwhile_leaves_the_rest_in_the_fund() -> None:
    stage = Stage()
    put(stage, 0, 100)
    loses(stage, "ann", 80)
    while not stage.events(m.RoundRequested):
        stage.tick()
    stage.deposit("ann", 50)
    stage.run(30)
    assert (stage.cash("ann"), fund(stage)) == (80, 70), "her loss of 80 is still to be settled"
    assert [one.outcome for one in stage.events(m.LiquidationEnded)] == ["COVERED"]
    stage.check()


def test_what_a_round_holds_or_an_auction_may_pay_is_not_free() -> None:
    stage = Stage()
    put(stage, 0, 100)
    state = stage.partitions[0].state
    assert insurance.free_e8(state, "USDT") == 100 * E8
    loses(stage, "ann", 80)
    silent = next(number for number in range(1, PARTITIONS) if number != ids.partition_of("ann", PARTITIONS))
    stage.lose = {silent}
    stage.run(10)
    assert insurance.free_e8(state, "USDT") == 0, "held"
    stage.lose = set()
    stage.run(60)
    assert insurance.free_e8(state, "USDT") == 20 * E8
    stage.check()


# -- by command -------------------------------------------------------------------------------------------------------


def test_it_is_paid_in_and_out_by_command_from_all_parts() -> None:
    stage = Stage()
    put(stage, 1, 30)
    entry = stage.insure(70)
    assert entry.contract.ids["reason"] == "as agreed" and fund(stage) == 100
    assert (
        "0.00000001 of it" in stage.taken(INSURANCE, 100, "INSURANCE", amount_e8=-(100 * E8 + 1)) and fund(stage) == 100
    )
    assert stage.taken(INSURANCE, 90, "INSURANCE") == "" and fund(stage) == 10
    assert stage.balance("bank:main") == -10, "it went back to where it came from"
    for wrong in ({"account_id": "ann"}, {"account_id": "house:capital"}):
        assert stage.fund(INSURANCE, 5, "INSURANCE", **wrong).reason == "ACCOUNT_UNKNOWN"
    assert stage.fund(INSURANCE, 5, "INSURANCE", amount_e8=-(2**63)).reason == "AMOUNT_TOO_LARGE"
    stage.check()


def test_a_withdrawal_that_is_told_twice_goes_out_once() -> None:
    stage = Stage()
    stage.insure(100)
    command = m.MoveFund("w", INSURANCE, "USDT", -40 * E8, "bank:main", "INSURANCE", "desk", "too much")
    assert isinstance(stage.command(command), m.RoundRequested)
    assert stage.command(command).reason == "COMMAND_REPEATED"
    stage.run(10)
    assert stage.command(command).reason == "COMMAND_REPEATED" and fund(stage) == 60
    stage.check()


@pytest.mark.parametrize(
    ("account_id", "purpose"), [("bob", "FUND"), ("house:capital", "CAPITAL"), (INSURANCE, "INSURANCE")]
)
def test_nothing_goes_out_while_a_loss_is_open_in_any_partition(account_id: str, purpose: str) -> None:
    """The default is another partition's: only all together know of it."""
    stage = Stage()
    stage.fund(account_id, 500, purpose)
    stage.trade("ann", "BUY", 1, 60_000)
    stage.declare("ann")
    assert ids.partition_of("ann", PARTITIONS) != ids.partition_of(account_id, PARTITIONS)
    assert "losses of ann" in stage.taken(account_id, 100, purpose)
    stage.trade("ann", "SELL", 1, 60_000)
    stage.run(20)
    assert stage.default("ann").state == "ENDED"
    assert stage.taken(account_id, 100, purpose) == "" and stage.balance("bank:main") == -400
    stage.check()


def test_a_default_that_comes_first_has_the_share_and_one_that_comes_after_has_what_is_left() -> None:
    for first in (True, False):
        stage = Stage()
        stage.fund("bob", 500)
        loses(stage, "ann", 450)
        if first:
            stage.declare("ann")
        asked = stage.fund("bob", -400)
        if not first:
            stage.declare("ann")
        stage.run(90)
        known = stage.default("ann")
        out = stage.balance("bank:main") + 500
        assert isinstance(asked, m.RoundRequested) and out in (0, 400)
        assert stage.share("bob") == max(0, 500 - out - 450) and known.uncovered_e8 >= 0
        assert not (first and out), "the default was declared before it was asked for"
        assert stage.done() and stage.open_loss() * E8 == known.uncovered_e8
        stage.check()


@LAW
@given(
    parts=st.dictionaries(st.integers(0, PARTITIONS - 1), st.integers(1, 300), max_size=4),
    losses=st.dictionaries(st.sampled_from(MEMBERS), st.integers(1, 300), min_size=1, max_size=3),
    out=st.integers(0, 400), data=st.data(),
)  # fmt: skip
def test_no_unit_is_made_lost_or_used_twice_whatever_the_network_does(
    parts: dict[int, int], losses: dict[str, int], out: int, data: st.DataObject
) -> None:
    stage = Stage()
    for partition, amount in parts.items():
        put(stage, partition, amount)
    for name, amount in losses.items():
        loses(stage, name, amount)
    if out:
        stage.fund(INSURANCE, -out, "INSURANCE")
    for _ in range(data.draw(st.integers(0, 40))):
        disturb(stage, data)
    stage.run(150)
    paid = sum(one.covered_e8 for one in stage.events(m.LiquidationEnded))
    taken = stage.balance("bank:main") + sum(parts.values())
    assert taken in (0, out) and fund(stage) >= 0
    assert fund(stage) * E8 == sum(parts.values()) * E8 - paid - taken * E8
    assert paid // E8 + taken == min(sum(parts.values()), sum(losses.values()) + taken), "as much as there is"
    assert all(one.covered_e8 <= losses[one.account_id] * E8 for one in stage.events(m.LiquidationEnded))
    assert stage.done() and not any(at.state.requests for at in stage.partitions)
    stage.check()


# -- planted faults, each with the test that sees it ------------------------------------------------------------------


def _held_is_free(patch: pytest.MonkeyPatch) -> None:
    """What a round holds pays for another loss too."""
    patch.setattr(insurance, "free_e8", lambda state, asset: state.balances.get(INSURANCE, {}).get(asset, 0))


def _asked_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A loss that the fund could not pay is asked for again, and never ends."""
    patch.setattr(insurance, "requested", lambda state, event: None)


def _pays_all_that_was_missing(patch: pytest.MonkeyPatch) -> None:
    """What came in since the question is paid a second time."""
    patch.setattr(insurance, "lacking_e8", lambda state, given_, account_id, asset: 2**62)


def _own_partition_alone(patch: pytest.MonkeyPatch) -> None:
    """Only the partition of the share says what stands against it."""
    patch.setattr(withdrawals, "losses", lambda state: iter(()))


def _forgotten_command(patch: pytest.MonkeyPatch) -> None:
    """A withdrawal is asked for as often as its command comes."""

    def requested(state: State, event: m.RoundRequested) -> None:
        terms = event.round
        state.requests[terms.round_id] = Request(event.account_id, terms, event.meta.decided_at_us, event.attempt)

    patch.setattr(requests, "requested", requested)


PLANTED: list[tuple[Callable[[pytest.MonkeyPatch], None], Callable[[], None]]] = [
    (_held_is_free, test_what_a_round_holds_or_an_auction_may_pay_is_not_free),
    (_asked_for_ever, lambda: test_a_loss_draws_on_all_parts_before_the_default({0: 100}, 300, 100, 200)),
    (_pays_all_that_was_missing, test_what_comes_in_meanwhile_leaves_the_rest_in_the_fund),
    (_own_partition_alone, lambda: test_nothing_goes_out_while_a_loss_is_open_in_any_partition("bob", "FUND")),
    (_forgotten_command, test_a_withdrawal_that_is_told_twice_goes_out_once),
]


@pytest.mark.parametrize(("plant", "seen_by"), PLANTED, ids=[plant.__name__[1:] for plant, _ in PLANTED])
def test_planted_faults_are_seen(
    plant: Callable[[pytest.MonkeyPatch], None], seen_by: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_by()
    plant(monkeypatch)
    with pytest.raises((AssertionError, AttributeError, ValueError)):
        seen_by()
