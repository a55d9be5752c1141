"""How a liquidation ends when all is sold, who pays what is missing, and whose word ends a step."""

import pytest

from services.clearing.margining.margin import level_e8
from services.clearing.margining.watch import Liquidation
from services.clearing.state import Account
from tests.unit.contract_desk import E8
from tests.unit.test_liquidation_properties import Room
from truetape import messages as m
from truetape.margin.account import AssetMargin
from truetape.money import to_e8


def room(state: str, cash: str = "0", fund: str = "0") -> Room:
    """Ann has sold all that she held, by liquidation L1, and this is what she and the fund have."""
    found = Room()
    cash_e8, fund_e8 = to_e8(cash), to_e8(fund)
    found.state.accounts["ann"] = Account()
    found.state.balances = {
        "client:ann": {"USDT": cash_e8}, "house:insurance": {"USDT": fund_e8},
        "venue:alpha": {"USDT": -cash_e8 - fund_e8},
    }  # fmt: skip
    found.state.watch.liquidations["ann"] = Liquidation("L1", "ann", "USDT", state, found.now_us)
    return found


@pytest.mark.parametrize(
    ("cash", "fund", "outcome", "covered", "shortfall"),
    [
        ("5",   "30", "RESTORED", "0",  "0"),   # nothing is missing
        ("0",   "30", "RESTORED", "0",  "0"),
        ("-10", "30", "COVERED",  "10", "0"),
        ("-10", "10", "COVERED",  "10", "0"),   # just enough
        ("-10", "4",  "LOSS",     "4",  "6"),   # the fund pays what it has, and no more
        ("-10", "0",  "LOSS",     "0",  "10"),
    ],
)  # fmt: skip
def test_the_fund_pays_what_it_has_and_a_loss_declares_the_default(
    cash: str, fund: str, outcome: str, covered: str, shortfall: str
) -> None:
    found = room("WAITING", cash, fund)
    for _ in range(4):
        found.tick()
    assert [one.terms.numbers["missing_e8"] for one in found.state.requests.values()] == (
        [to_e8(shortfall)] if outcome == "LOSS" else []
    ), "the other parts of the fund are asked for what this one cannot pay"
    if outcome == "LOSS":
        found.nobody_pays()
        for _ in range(4):
            found.tick()
    [ended] = [event for event in found.events if isinstance(event, m.LiquidationEnded)]
    assert (ended.outcome, ended.covered_e8, ended.shortfall_e8) == (outcome, to_e8(covered), to_e8(shortfall))
    assert found.state.balances["house:insurance"]["USDT"] == to_e8(fund) - to_e8(covered) >= 0
    assert found.state.balances["client:ann"]["USDT"] == to_e8(cash) + to_e8(covered)
    declared = [event.state for event in found.events if isinstance(event, m.DefaultChanged)]
    assert declared[:1] == (["DECLARED"] if outcome == "LOSS" else [])


def test_what_the_account_has_posted_itself_comes_before_the_fund() -> None:
    found = room("WAITING", "-10", "30")
    found.reference.collateral["BTC"] = m.CollateralAsset("BTC", "USDT", 1, "BTC-USDT", 0, E8, 0, 1, 10**15)
    found.state.balances["client:ann"]["BTC"] = 1
    found.state.balances["venue:alpha"]["BTC"] = -1
    found.tick()
    found.tick()
    [ended] = [event for event in found.events if isinstance(event, m.LiquidationEnded)]
    assert (ended.outcome, ended.covered_e8, ended.shortfall_e8) == ("LOSS", 0, to_e8("10"))
    assert found.state.balances["house:insurance"]["USDT"] == to_e8("30")


@pytest.mark.parametrize("state", ["CANCELLING", "SELLING"])
def test_only_the_word_about_this_liquidation_ends_a_step(state: str) -> None:
    found = room(state)
    for other in ("", "L2"):
        found.quiet(other)
        assert found.state.watch.liquidations["ann"].state == state, f"risk spoke of {other!r}"
    found.quiet("L1")
    assert found.state.watch.liquidations["ann"].state == "WAITING"


@pytest.mark.parametrize(("rate", "level"), [("0", 1), ("0.5", 3), ("0.25", 2), ("1", 4)])
def test_the_call_level_is_between_both_needs_and_rounded_up(rate: str, level: int) -> None:
    found = AssetMargin("USDT", 0, 0, 4, 1, "", (), {}, ())
    assert level_e8(found, m.CallTerms(1, 1, to_e8(rate), 1)) == level
