"""An operator's commands about contracts, answered by clearing in the real run loop on a simulated broker."""

from typing import Any

import pytest

from tests.unit.contract_desk import E8
from tests.unit.desk import ANN, BOB
from tests.unit.test_contract_stage import PERP, ContractStage
from truetape import messages as m
from truetape.codec import encode
from truetape.commands.contracts import observed
from truetape.fixing import Observation
from truetape.operator import NoAnswer, Operator, Refused


@pytest.fixture
def stage() -> ContractStage:
    found = ContractStage()
    found.perpetual()
    return found


class Turning(Operator):
    """While it waits, the services turn."""

    def __init__(self, stage: ContractStage) -> None:
        super().__init__(stage.broker.log("operator"))
        self._stage = stage

    def _wait(self, wanted: Any, seconds: float) -> Any:
        self._stage.settle(60)
        return super()._wait(wanted, seconds)


def book(account: str, side: m.Side, trade: str = "t-1", contracts: int = 2) -> m.BookTrade:
    return m.BookTrade(
        f"c-{account}-{trade}", account, f"{trade}/{side}", PERP, side, contracts * E8, 60_000 * E8, "TAKER", 1, "op",
        trade,
    )  # fmt: skip


def fact(name: str, price: int) -> m.ContractFact:
    return m.ContractFact(name, "SETTLEMENT_PRICE", PERP, 10, 10, "op", price * E8)


def test_trades_and_facts_are_answered(stage: ContractStage) -> None:
    hand = Turning(stage)
    bought = hand.clear(book(ANN, "BUY"))
    assert bought.contract is not None
    assert (bought.entry_id, bought.contract.counterparty) == ("t-1/BUY", "house:clearing")
    hand.clear(book(BOB, "SELL"))
    with pytest.raises(Refused, match="COMMAND_REPEATED"):
        hand.clear(book(ANN, "BUY"))
    taken = hand.publish(fact("s-1", 61_000))
    assert len(taken) == 8
    assert sorted(name for event in taken for name in event.due) == sorted((ANN, BOB))
    assert hand.publish(fact("s-1", 61_000)) == [], "everybody has taken it"
    with pytest.raises(Refused, match="OUT_OF_ORDER"):
        hand.publish(fact("s-2", 61_000))
    back = hand.clear(m.CorrectEntry("k-1", ANN, bought.entry_id, encode(bought), True, "op", "busted"))
    assert (back.kind, back.corrects) == ("CORRECTION", bought.entry_id)
    assert stage.audit(stage.ask).differences == []


def test_who_does_not_answer_is_named(stage: ContractStage) -> None:
    with pytest.raises(NoAnswer, match=r"partitions \[0, 1, 2, 3, 4, 5, 6, 7\]"):
        Operator(stage.broker.log("operator")).publish(fact("s-1", 61_000), seconds=0.01)


def test_recorded_marks_are_read_by_the_readers_rule(stage: ContractStage) -> None:
    seen = list(observed(stage.broker.log("reader"), PERP))
    assert [type(one) for one in seen] == [Observation]
    assert seen[0].price_e8 == 60_000 * E8
    assert list(observed(stage.broker.log("reader"), "NOTHING")) == []
