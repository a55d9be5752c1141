"""What `truetape contracts trade` asks before it sends, and what it says when a leg is refused or not answered."""

from typing import Any

import pytest

from tests.unit.contract_desk import E8
from tests.unit.desk import ANN, BOB, BTC
from tests.unit.test_contract_operator import Turning
from tests.unit.test_contract_stage import CONTRACT, PERP, ContractStage
from truetape import housetrade
from truetape import messages as m
from truetape.codec import encode
from truetape.commands import contracts
from truetape.errors import AccountUnknown, InstrumentUnknown, SetupError
from truetape.operator import NoAnswer, Operator, Refused
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
    with pytest.raises(InstrumentUnknown, match="'BTC-USDT-PERP' is no contract; `truetape instruments list`"):
        housetrade.require_contract(known, PERP)
    known.instruments |= {PERP: CONTRACT, "BTC-USDT": BTC}
    housetrade.require_contract(known, PERP)
    with pytest.raises(InstrumentUnknown, match="near it: BTC-USDT-PERP"):
        housetrade.require_contract(known, "btcusdtperp")
    with pytest.raises(InstrumentUnknown, match="it is spot"):
        housetrade.require_contract(known, "BTC-USDT")


def test_a_refused_second_leg_names_the_bust(capsys: pytest.CaptureFixture[str]) -> None:
    stage = ContractStage()
    stage.perpetual()
    hand = Turning(stage)
    contracts._book(hand, (ANN, BOB), "t-1", PERP, 2 * E8, 60_000 * E8, "op", {})
    told = capsys.readouterr().out
    assert f"t-1/BUY is booked for {ANN}\n" in told and f"t-1/SELL is booked for {BOB}\n" in told
    hand.clear(m.BookTrade("c-1", BOB, "t-2/SELL", PERP, "SELL", E8, 60_000 * E8, "TAKER", 1, "op", "t-2"))
    with pytest.raises(Refused, match=f"truetape contracts bust {ANN} t-2/BUY --ours"):
        contracts._book(hand, (ANN, BOB), "t-2", PERP, 2 * E8, 60_000 * E8, "op", {})


class Silent(Turning):
    """Hears no answer of the second leg, though clearing gives one."""

    def __init__(self, stage: ContractStage) -> None:
        super().__init__(stage)
        self.heard = 0

    def _wait(self, wanted: Any, seconds: float) -> Any:
        self.heard += 1
        found = super()._wait(wanted, 0.1)
        return found if self.heard == 1 else None


def legs(hand: Operator, name: str) -> dict[str, m.EntryBooked]:
    return hand.booked((ANN, BOB), contracts._legs(name))


@pytest.mark.parametrize("answered", [1, 2])
def test_a_leg_without_an_answer_is_gone_on_with_under_its_reference(
    answered: int, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = ContractStage()
    stage.perpetual()
    terms: tuple[str, str, int, int, str] = ("t-3", PERP, 2 * E8, 60_000 * E8, "op")
    if answered == 1:  # The second leg never reached the ledger.
        Turning(stage).clear(
            m.BookTrade("c", ANN, "t-3/BUY", PERP, "BUY", 2 * E8, 60_000 * E8, "TAKER", 1, "op", "t-3")
        )
    else:
        with pytest.raises(NoAnswer, match=r"--reference t-3 goes on.*truetape contracts bust .* t-3/BUY --ours"):
            contracts._book(Silent(stage), (ANN, BOB), *terms, {})
    hand = Turning(stage)
    assert len(legs(hand, "t-3")) == answered
    capsys.readouterr()
    contracts._book(hand, (ANN, BOB), *terms, legs(hand, "t-3"))
    assert f"t-3/BUY was booked for {ANN} before" in capsys.readouterr().out
    assert {one.account_id: one.filled_e8 for one in legs(hand, "t-3").values()} == {ANN: 2 * E8, BOB: 2 * E8}
    contracts._book(hand, (ANN, BOB), *terms, legs(hand, "t-3"))
    assert capsys.readouterr().out.count("before") == 2, "and a third time books nothing"


def test_a_reference_names_one_trade_and_not_one_that_was_taken_back() -> None:
    stage = ContractStage()
    stage.perpetual()
    hand = Turning(stage)
    contracts._book(hand, (ANN, BOB), "t-4", PERP, 2 * E8, 60_000 * E8, "op", {})
    with pytest.raises(SetupError, match="other terms"):
        contracts._book(hand, (ANN, BOB), "t-4", PERP, 3 * E8, 60_000 * E8, "op", legs(hand, "t-4"))
    with pytest.raises(SetupError, match="other terms"):
        contracts._book(hand, (BOB, ANN), "t-4", PERP, 2 * E8, 60_000 * E8, "op", legs(hand, "t-4"))
    entry = legs(hand, "t-4")["t-4/BUY"]
    hand.clear(m.CorrectEntry("c-4", ANN, "t-4/BUY", encode(entry), False, "op", "wrong"))
    with pytest.raises(Refused, match="t-4/BUY was booked and taken back"):
        legs(hand, "t-4")
