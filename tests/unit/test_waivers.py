"""The house lets a default go on though no end of an order is known: who, why and which order is on the tape, the order
stays as it is, and what it fills later is a loss or gain of its own."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.defaults import waivers
from services.risk import waivers as risk_waivers
from services.risk.account import Reservation
from tests.unit.contract_desk import E8
from tests.unit.desk import LAW
from tests.unit.rounds_stage import disturb, members
from tests.unit.test_deleveraging_stage import over
from tests.unit.test_further_defaults import defaults, waiting
from tests.unit.unsold_stage import PERP, Unsold
from truetape import ids
from truetape import messages as m
from truetape.topics import PARTITIONS

ANN = "ann"


def waive(stage: Unsold, *order_ids: str, **changes: Any) -> Any:
    """The house's word, about ann's newest default."""
    known = stage.default(ANN)
    command = m.WaiveOrders("w1", ANN, known.default_id, order_ids, "the venue is gone", "olga")
    return stage.command(replace(command, **changes))


def reservation(stage: Unsold, accepted: m.OrderAccepted) -> Reservation | None:
    """What risk holds for an order."""
    number = ids.partition_of(ANN, PARTITIONS)
    return stage.risks[number].accounts[ANN].reservations.get(accepted.order.order_id)


def waived() -> tuple[Unsold, m.OrderAccepted]:
    """Ann owes 1 000; her order at 60 000 stays UNKNOWN, and the default goes on without its end."""
    stage, accepted = waiting()
    stage.pass_time(300)
    assert isinstance(waive(stage, accepted.order.order_id), m.DefaultChanged)
    stage.until(over(stage))
    return stage, accepted


@pytest.mark.parametrize(
    ("said", "nothing_left"),
    [
        ({}, False),
        ({"waived": True}, True),
        ({"waived": True, "ended": True}, False),  # What it has filled is known, and not cleared yet.
        ({"ended": True}, False),
        ({"leg": True}, True),
    ],
)
def test_what_a_default_waits_for(said: dict[str, bool], nothing_left: bool) -> None:
    held = Reservation(1, PERP, "USDT", True, E8, 0, E8, E8, **said)
    assert risk_waivers.done([held]) == nothing_left
    assert not risk_waivers.done([held, Reservation(2, PERP, "USDT", True, E8, 0, E8, E8)])


def test_the_loss_is_fixed_and_the_order_stays_as_it_is() -> None:
    stage, accepted = waived()
    [one] = defaults(stage).values()
    assert (one.state, one.loss_e8, one.quiet) == ("COVERED", 4_000 * E8, True)
    said = [event for event in stage.events(m.DefaultChanged) if event.command_id == "w1"]
    assert [(event.state, event.waived, event.waived_by, event.detail, event.quiet) for event in said] == [
        ("DECLARED", (accepted.order.order_id,), "olga", "the venue is gone", False)
    ]
    held = reservation(stage, accepted)
    assert held is not None and held.waived and not held.ended
    assert held.quantity_e8 - held.cleared_e8 == accepted.order.quantity_e8, "it counts with every other order"
    told = [event for event in stage.decided[ids.partition_of(ANN, PARTITIONS)] if getattr(event, "waived", ())]
    assert [(event.waived, event.order_ids) for event in told] == [((accepted.order.order_id,),) * 2]
    assert stage.open_loss() == 0
    stage.check()


def test_what_it_fills_later_at_a_loss_is_a_further_default() -> None:
    stage, accepted = waived()
    stage.mark(50_000)
    stage.filled(accepted)
    assert stage.held(ANN) == 20, "booked to the account, which the house runs"
    stage.until(lambda: len(defaults(stage)) == 2 and over(stage)())
    first, second = sorted(defaults(stage).values(), key=lambda one: one.meta.sequence)
    assert (first.state, first.loss_e8) == ("COVERED", 4_000 * E8), "it was fixed once"
    assert second.state == "COVERED" and 2_000 * E8 <= second.loss_e8 < 3_500 * E8 and second.waived == ()
    assert stage.held(ANN) == stage.cash(ANN) == stage.open_loss() == 0
    assert reservation(stage, accepted) is None
    stage.check()


def test_what_it_gains_later_goes_to_those_who_bore_the_loss() -> None:
    stage, accepted = waived()
    assert (stage.share("bob"), stage.share("cat"), stage.balance("house:capital")) == (4_575, 4_575, 0)
    stage.filled(accepted)
    stage.trade(ANN, "SELL", 20, 65_000)
    settled = m.ContractFact("f1", "SETTLEMENT_PRICE", PERP, stage.now_us, stage.now_us, "desk", 65_000 * E8)
    for number in range(PARTITIONS):
        stage.give(number, m.TakeContractFact(settled))
    stage.until(lambda: stage.default(ANN).state == "ENDED")
    [one] = defaults(stage).values()
    assert (one.loss_e8, one.recovered_e8) == (4_000 * E8, 900 * E8)
    assert (stage.share("bob"), stage.share("cat"), stage.balance("house:capital")) == (5_000, 5_000, 50)
    assert stage.cash(ANN) == 100, "what nobody lost is the account's own"
    stage.check()


def test_a_venue_that_says_the_end_after_all_changes_nothing_that_was_decided() -> None:
    stage, accepted = waived()
    stage.cancelled(accepted)
    stage.pass_time(100)
    assert reservation(stage, accepted) is None
    [one] = defaults(stage).values()
    assert (one.state, one.loss_e8) == ("COVERED", 4_000 * E8)
    stage.check()


def test_only_what_is_named_is_waived() -> None:
    """Two orders are open: the default waits for the other one."""
    stage = Unsold()
    members(stage, [("ann", 100), ("bob", 5_000)], 50)
    stage.mark(60_000)
    stage.deposit(ANN, 6_000)
    one, other = stage.submit(ANN, "BUY", 20, 60_000), stage.submit(ANN, "BUY", 10, 59_000)
    stage.lose_money(ANN, 6_500)
    stage.declare(ANN)
    stage.pass_time(300)
    assert isinstance(waive(stage, one.order.order_id, "no-such-order"), m.DefaultChanged)
    stage.pass_time(300)
    known = stage.default(ANN)
    assert (known.state, known.quiet) == ("DECLARED", False)
    stage.cancelled(other)
    stage.until(over(stage))
    assert stage.default(ANN).state == "COVERED" and reservation(stage, one) is not None
    stage.check()


def test_a_fill_that_is_known_is_waited_for_though_its_order_was_waived() -> None:
    """The venue says what it has filled before the default is through: it is a part of the one loss."""
    stage, accepted = waiting()
    stage.mark(50_000)
    stage.pass_time(300)
    stage.lose = {ids.partition_of("house:default", PARTITIONS)}
    waive(stage, accepted.order.order_id)
    stage.filled(accepted)
    stage.lose = set()
    stage.until(over(stage), 9_000)
    assert sum(one.loss_e8 for one in defaults(stage).values()) >= 6_000 * E8
    assert stage.held(ANN) == stage.cash(ANN) == stage.open_loss() == 0
    stage.check()


class Silent(Unsold):
    """Venues that say nothing of what a liquidation sells, until they do."""

    silent = True

    def _trade(self, number: int, order: m.OrderTerms) -> None:
        if not self.silent:
            super()._trade(number, order)


def unanswered() -> tuple[Silent, m.OrderAccepted]:
    """Ann is long 1 BTC that cannot be paid for; her default sells it, and the venue is silent about the order. Bob and
    cat hold the other side."""
    stage = Silent()
    members(stage, [("ann", 100), ("bob", 5_000), ("cat", 5_000)], 50)
    stage.mark(60_000)
    for name, money in ((ANN, 3_000), ("bob", 10_000), ("cat", 20_000)):
        stage.deposit(name, money)
    stage.trade(ANN, "BUY", 100, 60_000)
    stage.trade("bob", "SELL", 30, 60_000)
    stage.trade("cat", "SELL", 70, 60_000)
    stage.tables.reference.trading_states |= dict.fromkeys(("bob", "cat", "dan", "eve"), "REDUCING")
    stage.declare(ANN)
    stage.mark(56_000)
    stage.pass_time(300)
    number = ids.partition_of(ANN, PARTITIONS)
    [accepted] = [event for event in stage.decided[number] if isinstance(event, m.OrderAccepted)]
    return stage, accepted


def test_a_liquidations_own_order_is_waived_and_the_rest_closed_without_it() -> None:
    stage, accepted = unanswered()
    one = stage.of(ANN).state.watch.liquidations[ANN]
    assert (one.state, one.asked >= 4) == ("SELLING", True)
    assert isinstance(waive(stage, accepted.order.order_id), m.DefaultChanged)
    stage.until(over(stage), 9_000)
    first = stage.default(ANN)
    assert first.state == "ENDED" and stage.held(ANN) == 0, "its counterparties in profit have taken all of it"
    kept = reservation(stage, accepted)
    assert kept is not None and not kept.ended, "nobody has said what became of it"
    stage.silent, stage.appetite = False, lambda order: order.quantity_e8
    stage.filled(accepted)
    assert stage.held(ANN) == -100, "sold twice: once to the holders, once at the venue"
    stage.until(lambda: len(defaults(stage)) == 2 and over(stage)(), 9_000)
    second = stage.default(ANN)
    assert second.state == "COVERED" and second.loss_e8 >= 1_400 * E8, "what it cost to buy back"
    assert stage.held(ANN) == stage.open_loss() == 0
    stage.check()


def test_it_is_refused_by_name_while_it_makes_no_sense() -> None:
    stage, accepted = waiting()
    name = accepted.order.order_id
    assert (early := waive(stage, name)).reason == "STATE_WRONG" and "of 4: wait for the venue" in early.detail
    stage.pass_time(300)
    for order_ids, changes, reason in (
        ((name,), {"reason": " "}, "REASON_MISSING"),
        ((name,), {"default_id": "another"}, "STATE_WRONG"),
        ((name,), {"account_id": "bob"}, "STATE_WRONG"),
        ((), {}, "NUMBERS_WRONG"),
        ((name, name), {}, "NUMBERS_WRONG"),
        (("",), {}, "NUMBERS_WRONG"),
        (tuple(f"o{n}" for n in range(waivers.WAIVED_MAX + 1)), {}, "NUMBERS_WRONG"),
    ):
        assert waive(stage, *order_ids, **changes).reason == reason
    assert waive(stage, name).waived == (name,)
    assert waive(stage, name).reason == "COMMAND_REPEATED"
    stage.until(over(stage))
    late = waive(stage, "another", command_id="w2")
    assert late.reason == "STATE_WRONG" and "waits for no order" in late.detail
    stage.check()


def test_a_further_default_waits_for_the_same_order_anew() -> None:
    stage, accepted = waived()
    stage.lose_money(ANN, 500)
    stage.until(lambda: len(defaults(stage)) == 2)
    stage.pass_time(300)
    known = stage.default(ANN)
    assert (known.state, known.quiet, known.waived) == ("DECLARED", False, ())
    assert isinstance(waive(stage, accepted.order.order_id, command_id="w2"), m.DefaultChanged)
    stage.until(over(stage))
    assert [one.state for one in defaults(stage).values()] == ["COVERED", "COVERED"]
    stage.check()


@LAW
@given(data=st.data())
def test_any_network_and_any_crash_fix_each_loss_once(data: st.DataObject) -> None:
    """The waiver and the fill come whenever they do, once or twice; all that was lost is borne, and nothing else."""
    stage, accepted = waiting()
    stage.pass_time(300)
    stage.mark(50_000)
    disturb(stage, data, data.draw(st.integers(0, 10), label="faults"))
    for _ in range(data.draw(st.integers(1, 2), label="told")):
        waive(stage, accepted.order.order_id)
        disturb(stage, data, data.draw(st.integers(0, 20), label="faults"))
    stage.filled(accepted)
    disturb(stage, data, data.draw(st.integers(0, 20), label="faults"))
    stage.until(lambda: over(stage)() and not stage.held(ANN) and not stage.cash(ANN), 9_000)
    for one in defaults(stage).values():
        losses = {e.loss_e8 for e in stage.events(m.DefaultChanged) if e.default_id == one.default_id and e.loss_e8}
        assert one.state == "COVERED" and losses == {one.loss_e8}
    assert 6_000 * E8 <= sum(one.loss_e8 for one in defaults(stage).values()) < 7_500 * E8
    assert stage.open_loss() == 0
    stage.check()


# -- planted faults, each with the test that sees it ------------------------------------------------------------------


def _all_are_waived(patch: pytest.MonkeyPatch) -> None:
    """Risk waits for no order once one is waived."""

    def any_waived(state: Any, event: m.CancelRequested) -> None:
        for one in state.account(event.account_id).reservations.values():
            one.waived = True

    patch.setattr(risk_waivers, "waived", any_waived)


def _ended_by_fiat(patch: pytest.MonkeyPatch) -> None:
    """A waived order is taken for ended, and what it holds is free."""

    def ends(state: Any, event: m.CancelRequested) -> None:
        account = state.account(event.account_id)
        for name in event.waived:
            del account.reservations[name]

    patch.setattr(risk_waivers, "waived", ends)


def _without_alarm(patch: pytest.MonkeyPatch) -> None:
    """The house need not ask the venue first."""
    patch.setattr(waivers, "_asked", lambda *_: 99)


def _for_ever(patch: pytest.MonkeyPatch) -> None:
    """What was waived for one default is waived for the next."""
    patch.setattr(risk_waivers, "halted", lambda *_: None)


PLANTED: list[tuple[Callable[[pytest.MonkeyPatch], None], Callable[[], None]]] = [
    (_all_are_waived, test_only_what_is_named_is_waived),
    (_ended_by_fiat, test_the_loss_is_fixed_and_the_order_stays_as_it_is),
    (_without_alarm, test_it_is_refused_by_name_while_it_makes_no_sense),
    (_for_ever, test_a_further_default_waits_for_the_same_order_anew),
]


@pytest.mark.parametrize(("plant", "seen_by"), PLANTED, ids=[plant.__name__[1:] for plant, _ in PLANTED])
def test_planted_faults_are_seen(
    plant: Callable[[pytest.MonkeyPatch], None], seen_by: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises((AssertionError, AttributeError)):
        seen_by()
