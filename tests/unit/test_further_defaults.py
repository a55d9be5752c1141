"""What an account loses after its default: by a fill that came late, or in another settlement asset. It is a further
default, and the earlier one still gets back what comes in."""

from typing import Any

from tests.unit.contract_desk import E8, instrument, terms
from tests.unit.rounds_stage import Stage, members
from tests.unit.test_deleveraging_stage import over
from tests.unit.unsold_stage import AGE_US, OWN_PERP, Unsold
from truetape import messages as m

COIN_PERP = "BTC-USDC-PERP"
IN_USDC = instrument(COIN_PERP, terms(settlement_asset="USDC", mark_max_age_us=AGE_US))


def defaults(stage: Stage) -> dict[str, m.DefaultChanged]:
    """The newest record of each default."""
    return {event.default_id: event for event in stage.events(m.DefaultChanged)}


def late(price: int) -> Unsold:
    """Ann is in default and owes 1 000; an order of hers is at a venue that does not answer, and is filled at 60 000
    when the loss is borne and the mark is at `price`."""
    stage = Unsold()
    members(stage, [("ann", 100), ("bob", 5_000), ("cat", 5_000)], 50)
    stage.mark(60_000)
    stage.deposit("ann", 3_000)
    accepted = stage.submit("ann", "BUY", 20, 60_000)
    assert isinstance(accepted, m.OrderAccepted)
    stage.lose_money("ann", 4_000)
    stage.appetite = lambda order: order.quantity_e8
    stage.declare("ann")
    stage.until(over(stage))
    assert stage.default("ann").state == "COVERED" and stage.cash("ann") == 0
    stage.mark(price)
    stage.filled(accepted)
    return stage


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
