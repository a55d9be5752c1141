"""What an account loses after its default: by a fill that came late, or in another settlement asset. It is a further
default, and the earlier one still gets back what comes in."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.defaults import default
from services.risk import core as risk
from tests.unit.contract_desk import E8, instrument, terms
from tests.unit.desk import LAW
from tests.unit.rounds_stage import Stage, disturb, members
from tests.unit.test_deleveraging_stage import over
from tests.unit.unsold_stage import AGE_US, OWN_PERP, Unsold
from truetape import messages as m

COIN_PERP = "BTC-USDC-PERP"
IN_USDC = instrument(COIN_PERP, terms(settlement_asset="USDC", mark_max_age_us=AGE_US))


def defaults(stage: Stage) -> dict[str, m.DefaultChanged]:
    """The newest record of each default."""
    return {event.default_id: event for event in stage.events(m.DefaultChanged)}


def waiting(made: Unsold | None = None) -> tuple[Unsold, m.OrderAccepted]:
    """Ann is in default and owes 1 000; an order of hers to buy at 60 000 is at a venue that does not answer."""
    stage = made or Unsold()
    members(stage, [("ann", 100), ("bob", 5_000), ("cat", 5_000)], 50)
    stage.mark(60_000)
    stage.deposit("ann", 3_000)
    accepted = stage.submit("ann", "BUY", 20, 60_000)
    assert isinstance(accepted, m.OrderAccepted)
    stage.lose_money("ann", 4_000)
    stage.appetite = lambda order: order.quantity_e8
    stage.declare("ann")
    return stage, accepted


def late(price: int) -> Unsold:
    """The venue says that the order has ended, and fills it all the same when the loss is borne and the mark is at
    `price`."""
    stage, accepted = waiting()
    stage.cancelled(accepted)
    stage.until(over(stage))
    assert stage.default("ann").state == "COVERED" and stage.cash("ann") == 0
    stage.mark(price)
    stage.filled(accepted)
    return stage


def test_the_loss_is_fixed_once_risk_says_that_no_order_is_open() -> None:
    stage, accepted = waiting()
    stage.pass_time(60)
    known = stage.default("ann")
    assert (known.state, known.quiet, known.detail) == ("DECLARED", False, "did not pay")
    stage.pass_time(300)
    known = stage.default("ann")
    assert (known.state, known.quiet) == ("DECLARED", False), "nobody invents an end of the order"
    assert "its orders have not ended after" in known.detail
    asked = [event.attempt for event in stage.events(m.DefaultChanged) if event.attempt]
    assert asked == list(range(1, len(asked) + 1)) and 4 <= len(asked) <= 8, "twice as long each time"
    stage.mark(50_000)
    stage.filled(accepted)
    stage.until(over(stage))
    [one] = defaults(stage).values()
    assert one.state == "COVERED" and 6_000 * E8 <= one.loss_e8 < 7_500 * E8
    assert stage.held("ann") == stage.cash("ann") == stage.open_loss() == 0
    stage.check()


def test_an_order_that_has_ended_holds_no_loss_up() -> None:
    stage, accepted = waiting()
    stage.pass_time(300)
    stage.cancelled(accepted)
    stage.until(over(stage))
    [one] = defaults(stage).values()
    assert (one.state, one.loss_e8) == ("COVERED", 4_000 * E8)
    told = [event.detail for event in stage.events(m.DefaultChanged) if event.quiet and event.state == "DECLARED"]
    assert told == ["all its orders have ended"]
    stage.check()


@LAW
@given(data=st.data())
def test_any_network_and_any_crash_fix_the_loss_once(data: st.DataObject) -> None:
    """Commands come in any order, twice or never; the fill comes whenever it does."""
    stage, accepted = waiting()
    stage.mark(50_000)
    disturb(stage, data, data.draw(st.integers(0, 20), label="faults"))
    stage.filled(accepted)
    disturb(stage, data, data.draw(st.integers(0, 20), label="faults"))
    stage.until(over(stage))
    [one] = defaults(stage).values()
    assert one.state == "COVERED" and 6_000 * E8 <= one.loss_e8 < 7_500 * E8
    stage.check()


def _believed(patch: pytest.MonkeyPatch) -> None:
    """A default believes from the beginning that all orders have ended."""
    right = default.declared
    patch.setattr(default, "declared", lambda *rest: replace(right(*rest), quiet=True))


def _said(patch: pytest.MonkeyPatch) -> None:
    """Risk says so whatever is open."""
    right = risk._cancel_all
    said = lambda state, given, asked: replace(  # noqa: E731
        right(state, given, asked), quiet_for=risk._default_of(state.accounts[asked.account_id])
    )
    patch.setitem(risk._RULES, m.CancelAllOrders, said)


@pytest.mark.parametrize("plant", [_believed, _said], ids=lambda one: one.__name__[1:])
def test_planted_faults_of_the_wait_are_caught(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        test_the_loss_is_fixed_once_risk_says_that_no_order_is_open()


def test_the_loss_of_a_fill_that_came_late_is_borne_by_the_layers() -> None:
    stage = late(50_000)
    stage.until(lambda: len(defaults(stage)) == 2 and over(stage)())
    first, second = sorted(defaults(stage).values(), key=lambda one: one.meta.sequence)
    assert (first.state, first.loss_e8) == ("COVERED", 4_000 * E8)
    assert second.state == "COVERED" and 2_000 * E8 <= second.loss_e8 < 3_500 * E8
    assert stage.held("ann") == stage.cash("ann") == stage.open_loss() == 0
    stage.check()


def test_a_late_fill_that_gains_declares_nothing() -> None:
    stage = late(60_000)
    stage.trade("ann", "SELL", 20, 63_000)
    stage.pass_time(300)
    assert len(defaults(stage)) == 1
    stage.check()


# -- another settlement asset ------------------------------------------------------------------------------------------


def two_assets() -> Stage:
    """Ann has lost 500 USDT and 300 USDC, and has nothing."""
    stage = Stage(OWN_PERP, IN_USDC)
    members(stage, [("ann", 100), ("bob", 1_000)], 0)
    stage.fund("bob", 1_000, asset="USDC")
    stage.lose_money("ann", 500)
    stage.trade("ann", "BUY", 100, 60_000, COIN_PERP)
    stage.trade("ann", "SELL", 100, 59_700, COIN_PERP)
    stage.declare("ann")
    stage.run(200)
    return stage


def by_asset(stage: Stage) -> dict[str, m.DefaultChanged]:
    return {one.asset: one for one in defaults(stage).values()}


def test_a_loss_in_a_second_asset_is_declared_once_the_first_is_borne() -> None:
    stage = two_assets()
    found = by_asset(stage)
    assert {asset: (one.state, one.loss_e8 // E8) for asset, one in found.items()} == {
        "USDT": ("COVERED", 500), "USDC": ("COVERED", 300),
    }  # fmt: skip
    assert not any(stage.books()["client:ann"].values()) and not any(stage.books()["house:default"].values())
    stage.check()


def test_both_defaults_get_back_what_comes_in_and_any_crash_forgets_none() -> None:
    stage = two_assets()
    stage.of("ann").restart()
    stage.deposit("ann", 200)
    stage.deposit("ann", 300, "USDC")
    stage.run(20)
    back: Any = {asset: (one.state, one.recovered_e8 // E8) for asset, one in by_asset(stage).items()}
    assert back == {"USDT": ("COVERED", 200), "USDC": ("ENDED", 300)}
    stage.deposit("ann", 200)
    stage.run(20)
    assert by_asset(stage)["USDT"].state == "ENDED" and stage.of("ann").state.borne == {}
    assert not any(stage.books()["client:ann"].values())
    stage.check()


def test_while_a_loss_is_not_borne_no_other_is_declared() -> None:
    stage = Stage(OWN_PERP, IN_USDC)
    stage.lose_money("ann", 500)
    assert isinstance(stage.declare("ann"), m.DefaultChanged)
    again = stage.declare("ann", asset="USDC")
    assert isinstance(again, m.ClearingRefused) and again.reason == "STATE_WRONG"
