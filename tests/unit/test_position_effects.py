"""Position effects through all services: orders that open and close sides of a hedging account, and its liquidation."""

from typing import Any

import pytest
from msgspec.structs import replace

from services.risk import checks
from tests.unit.desk import ANN, BOB
from tests.unit.liquidation_stage import LiquidationStage
from tests.unit.test_contract_stage import PERP
from tests.unit.test_liquidation_stage import agreed
from truetape import ids
from truetape import messages as m
from truetape.codec import encode
from truetape.happenings import Part
from truetape.money import to_e8
from truetape.topics import CLEARING_COMMANDS


class HedgingStage(LiquidationStage):
    """Ann keeps long and short side by side from the beginning, and is long one contract."""

    def perpetual(self, tradable: bool = True) -> None:
        super().perpetual(tradable)
        self.set(m.SetAccountTerms("hedging", "test", ANN, m.AccountTerms("HEDGING", "AVERAGE")))

    def effected(
        self, side: m.Side, quantity: str, effect: str, account: str = ANN, price: str = "", name: str = PERP
    ) -> Any:
        """An order at once, and what risk said of it."""
        key = f"e-{self.broker.wall_us()}"
        limit = price or ("60001" if side == "BUY" else "59999")
        order = m.OrderTerms(
            ids.order_id(account, key), account, key, name, side, "LIMIT", "GTC", False, to_e8(quantity),
            to_e8(limit), effect,
        )  # fmt: skip
        self.remark()
        self.command(account, m.SubmitOrder(order, "key", self.broker.wall_us()))
        self.settle()
        kinds = (m.OrderAccepted, m.OrderRejected)
        found = (one for kind in kinds for one in self.decided(account, kind))
        return next(one for one in found if one.order.order_id == order.order_id)

    def sides(self) -> tuple[int, int]:
        """Contracts long and short in clearing, which risk knows too."""
        cut = self.runners["clearing"]._owned[self.partition(ANN)].state.accounts[ANN].cuts[PERP]
        known = self.runners["risk"]._owned[self.partition(ANN)].state.accounts[ANN].sides.get(PERP, (0, 0))
        found: tuple[int, int] = cut.long_e8, cut.short_e8
        assert known == found
        return found


@pytest.fixture
def stage() -> HedgingStage:
    return HedgingStage("200")


def test_an_order_names_its_side_and_closes_no_more_than_there_is(stage: HedgingStage) -> None:
    assert stage.sides() == (to_e8("1"), 0)
    assert isinstance(stage.effected("SELL", "0.4", "OPEN"), m.OrderAccepted)
    assert stage.sides() == (to_e8("1"), to_e8("-0.4"))
    assert isinstance(stage.effected("SELL", "0.3", "CLOSE"), m.OrderAccepted)
    assert stage.sides() == (to_e8("0.7"), to_e8("-0.4"))
    refused = stage.effected("SELL", "0.8", "CLOSE")
    assert refused.reason == "TERMS_INCOMPATIBLE"
    assert refused.numbers == {"quantity_e8": to_e8("0.8"), "held_e8": to_e8("0.7")}
    assert stage.effected("BUY", "0.5", "CLOSE").numbers == {"quantity_e8": to_e8("0.5"), "held_e8": to_e8("0.4")}
    assert isinstance(stage.effected("BUY", "0.4", "CLOSE"), m.OrderAccepted)
    assert stage.sides() == (to_e8("0.7"), 0)
    agreed(stage)


def test_what_other_orders_close_cannot_be_closed_twice(stage: HedgingStage) -> None:
    stage.venue.appetite = lambda leg: 0
    assert isinstance(stage.effected("SELL", "0.6", "CLOSE", price="61000"), m.OrderAccepted)
    assert stage.effected("SELL", "0.5", "CLOSE", price="61000").numbers["held_e8"] == to_e8("0.4")
    assert isinstance(stage.effected("SELL", "0.4", "CLOSE", price="61000"), m.OrderAccepted)


def test_sides_closed_out_are_not_there_to_close(stage: HedgingStage) -> None:
    stage.effected("SELL", "0.4", "OPEN")
    command = m.CloseOut("out", ANN, PERP, to_e8("0.4"), "desk")
    part = stage.partition(ANN)
    stage.broker.produce(Part(CLEARING_COMMANDS.name, part), ANN.encode(), encode(command))
    stage.settle()
    assert stage.sides() == (to_e8("0.6"), 0)
    assert stage.effected("BUY", "0.4", "CLOSE").reason == "TERMS_INCOMPATIBLE"
    agreed(stage)


@pytest.mark.parametrize(
    ("account", "effect", "name", "numbers"),
    [
        (BOB, "OPEN", PERP, {"opens": 1, "hedging": 0}),
        (BOB, "CLOSE", PERP, {"quantity_e8": to_e8("0.1"), "held_e8": 0}),
        (ANN, "CLOSE", "BTC-USDT", {"contract": 0}),
        (ANN, "HALF", PERP, {"contract": 1}),
    ],
)
def test_an_effect_that_cannot_be_is_refused_with_its_numbers(
    stage: HedgingStage, account: str, effect: str, name: str, numbers: dict[str, int]
) -> None:
    refused = stage.effected("SELL", "0.1", effect, account, name=name)
    assert (refused.reason, refused.numbers) == ("TERMS_INCOMPATIBLE", numbers)


def test_the_same_order_with_another_effect_is_told_apart(stage: HedgingStage) -> None:
    first = stage.effected("SELL", "0.1", "OPEN").order
    stage.command(ANN, m.SubmitOrder(replace(first, position_effect="CLOSE"), "key", stage.broker.wall_us()))
    stage.settle()
    assert stage.decided(ANN, m.DecisionRepeated)[-1].differs == ("position_effect",)


def test_a_liquidation_closes_the_larger_side_and_lets_the_other_be() -> None:
    stage = HedgingStage("200")
    stage.effected("SELL", "0.2", "OPEN")
    long_e8, short_e8 = stage.sides()
    stage.transfer(ANN, "USDT", "-150")
    stage.settle()
    stage.fall("54000")
    stage.wait(6)
    order = stage.orders()[0].order
    assert (order.side, order.position_effect) == ("SELL", "CLOSE")
    after = stage.sides()
    assert after[0] == long_e8 - stage_sold(stage) < long_e8
    assert after[1] == short_e8, "the short side has not grown"
    agreed(stage)


def stage_sold(stage: HedgingStage) -> int:
    """What the liquidation's orders have sold."""
    ids_ = {one.order.order_id for one in stage.orders()}
    return sum(one.filled_e8 for one in stage.entries() if isinstance(one, m.EntryBooked) and one.order_id in ids_)


def test_the_table_of_checks_names_it() -> None:
    assert "no other order closes" in checks.markdown()
