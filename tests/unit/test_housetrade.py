"""What `truetape contracts trade` asks before it sends anything, and what it says when its second leg is refused."""

import pytest

from tests.unit.contract_desk import E8
from tests.unit.desk import ANN, BOB
from tests.unit.test_contract_operator import Turning
from tests.unit.test_contract_stage import PERP, ContractStage
from truetape import housetrade
from truetape import messages as m
from truetape.commands import contracts
from truetape.errors import AccountUnknown, SetupError
from truetape.operator import Refused
from truetape.reference import Reference


@pytest.fixture
def known() -> Reference:
    return Reference(accounts={ANN: "Ann", BOB: "Bob"})


def test_parties_are_open_and_two(known: Reference) -> None:
    housetrade.require_parties(known, {}, ANN, BOB)
    with pytest.raises(AccountUnknown, match="nobody"):
        housetrade.require_parties(known, {}, ANN, "nobody")
    with pytest.raises(SetupError, match="two accounts"):
        housetrade.require_parties(known, {}, ANN, ANN)


def test_parties_take_trades(known: Reference) -> None:
    with pytest.raises(SetupError, match="in default"):
        housetrade.require_parties(known, {BOB: {"default": {"state": "COVERED"}}}, ANN, BOB)
    housetrade.require_parties(known, {BOB: {"default": {"state": "ENDED"}, "parked": []}}, ANN, BOB)
    with pytest.raises(SetupError, match="truetape parked"):
        housetrade.require_parties(known, {BOB: {"parked": [{}]}}, ANN, BOB)
    known.trading_states[BOB] = "HALTED"
    with pytest.raises(SetupError, match="HALTED"):
        housetrade.require_parties(known, {}, ANN, BOB)


def test_the_price_is_within_the_collar(known: Reference) -> None:
    housetrade.require_price(known, (ANN, BOB), 66_000 * E8, 60_000 * E8)
    for price_e8 in (66_000 * E8 + 1, 54_000 * E8 - 1):
        with pytest.raises(SetupError, match="--force"):
            housetrade.require_price(known, (ANN, BOB), price_e8, 60_000 * E8)


def test_the_contract_is_known(known: Reference) -> None:
    with pytest.raises(SetupError, match="no contract"):
        housetrade.require_contract(known, PERP)


def test_a_refused_second_leg_names_the_bust(capsys: pytest.CaptureFixture[str]) -> None:
    stage = ContractStage()
    stage.perpetual()
    hand = Turning(stage)
    contracts._book(hand, (ANN, BOB), "t-1", PERP, 2 * E8, 60_000 * E8, "op")
    told = capsys.readouterr().out
    assert f"t-1/BUY is booked for {ANN}\n" in told and f"t-1/SELL is booked for {BOB}\n" in told
    hand.clear(m.BookTrade("c-1", BOB, "t-2/SELL", PERP, "SELL", E8, 60_000 * E8, "TAKER", 1, "op", "t-2"))
    with pytest.raises(Refused, match=f"truetape contracts bust {ANN} t-2/BUY --ours"):
        contracts._book(hand, (ANN, BOB), "t-2", PERP, 2 * E8, 60_000 * E8, "op")
