"""The same reference twice books a payment once, in and out, and says so."""

import pytest

from tests.unit.test_contract_operator import Turning
from tests.unit.test_contract_stage import ContractStage
from truetape import messages as m
from truetape.commands import fund
from truetape.errors import SetupError

INSURANCE = "house:insurance"


def pay(hand: Turning, reference: str, amount_e8: int) -> None:
    moved = fund.movement_id(INSURANCE, "INSURANCE", amount_e8, reference)
    command = m.MoveFund(moved, INSURANCE, "USDT", amount_e8, "bank:main", "INSURANCE", "op", "fees")
    fund.say(hand, command, reference)


def test_a_reference_books_once(capsys: pytest.CaptureFixture[str]) -> None:
    stage = ContractStage()
    stage.perpetual()
    hand = Turning(stage)
    pay(hand, "wire-1", 5 * 10**8)
    assert "is booked: 5 USDT" in capsys.readouterr().out
    pay(hand, "wire-1", 5 * 10**8)
    told = capsys.readouterr().out
    assert "reference wire-1 was taken before" in told and "is booked:" not in told
    pay(hand, "wire-2", 5 * 10**8)
    assert "is booked: 5 USDT" in capsys.readouterr().out


def test_ids_follow_what_is_paid() -> None:
    ways = {fund.movement_id(*one) for one in ((INSURANCE, "INSURANCE", 1, "a"), (INSURANCE, "INSURANCE", -1, "a"),
            ("ann", "FUND", 1, "a"), ("ann", "FUND", 1, "b"), ("ann", "ASSESSMENT", 1, "a"))}  # fmt: skip
    assert len(ways) == 5
    with pytest.raises(SetupError, match="--reference"):
        fund.movement_id("ann", "FUND", 1, " ")
