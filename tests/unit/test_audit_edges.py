"""The audit's rules at their edges: by one unit, one order of another asset, one state."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.contract_desk import E8, instrument
from tests.unit.contract_desk import Desk as ContractDesk
from tests.unit.contract_desk import terms as contract_terms
from tests.unit.desk import START_US, some_meta, submit, terms
from tests.unit.risk_desk import desk
from truetape import messages as m
from truetape.audit import assignment_rules, claim_rules, haircut_rules
from truetape.audit.contract_rules import ContractRules
from truetape.audit.default_rules import DefaultRules
from truetape.audit.findings import Findings
from truetape.audit.margin_rules import MarginRules
from truetape.audit.merge import Given
from truetape.happenings import Part

ANN, PERP = "ann", "BTC-USDT-PERP"
ENTRIES = Part("clearing.entries", 0)


def broken(judged: Callable[[Findings], None]) -> list[str]:
    """Rules that do not hold."""
    findings = Findings()
    judged(findings)
    return sorted({one.what for one in findings.kept})


# -- haircuts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cuts", "found"),
    [
        # bob gains 300 on balance, cat 100; 200 are lost
        ({"bob": 150, "cat": 50}, []),
        ({"bob": 149, "cat": 50}, ["gains bear what they can"]),
        ({"bob": 250, "cat": -50}, ["a haircut is in proportion to net gains"]),
        ({"bob": 99, "cat": 101}, ["a haircut is in proportion to net gains"]),
        ({"bob": 150, "dan": 50}, ["a haircut is in proportion to net gains"]),
    ],
)
def test_a_haircut_is_within_what_each_gains(cuts: dict[str, int], found: list[str]) -> None:
    stated = [m.RoundHolding(who, "P", {"gain_e8": e8}) for who, e8 in (("bob", 400), ("bob", -100), ("cat", 100))]
    of = m.RoundTerms("d/HAIRCUT", "HAIRCUT", "house:default", "USDT", {"loss_e8": 200}, {}, "clearing")
    legs = tuple(m.RoundLeg(who, who, "HAIRCUT", "USDT", e8, {}, 0) for who, e8 in cuts.items())
    event = m.RoundDecided(some_meta(), "house:default", of, legs, {}, "")
    assert broken(lambda to: haircut_rules.judge(to.expect, "here", event, stated)) == found


@pytest.mark.parametrize(("loss", "cut", "found"), [(1, 1, []), (1_000, 1, []), (1, 2, ["both"]), (1_000, 2, ["both"])])
def test_nobody_gives_a_unit_more_than_he_gains(loss: int, cut: int, found: list[str]) -> None:
    stated = [m.RoundHolding("bob", "P", {"gain_e8": 1})]
    of = m.RoundTerms("d/HAIRCUT", "HAIRCUT", "house:default", "USDT", {"loss_e8": loss}, {}, "clearing")
    event = m.RoundDecided(
        some_meta(), "house:default", of, (m.RoundLeg("l", "bob", "HAIRCUT", "USDT", cut, {}, 0),), {}, ""
    )
    both = ["a haircut is in proportion to net gains", "gains bear what they can"]
    assert broken(lambda to: haircut_rules.judge(to.expect, "here", event, stated)) == (both if found else [])


def test_nobody_gains_by_a_haircut() -> None:
    """Rounding may be a unit for each contract, and still nobody gets what another one gives."""
    stated = [m.RoundHolding(who, "P", {"gain_e8": e8}) for who, e8 in (("bob", 500), ("bob", 500), ("cat", 1))]
    of = m.RoundTerms("d/HAIRCUT", "HAIRCUT", "house:default", "USDT", {"loss_e8": 1}, {}, "clearing")
    legs = tuple(m.RoundLeg(who, who, "HAIRCUT", "USDT", e8, {}, 0) for who, e8 in (("bob", 2), ("cat", -1)))
    event = m.RoundDecided(some_meta(), "house:default", of, legs, {}, "")
    wrong = ["a haircut is in proportion to net gains"]
    assert broken(lambda to: haircut_rules.judge(to.expect, "here", event, stated)) == wrong


# -- margin ------------------------------------------------------------------------------------------------------------


def margin_rules(*messages: Any) -> list[str]:
    def judged(findings: Findings) -> None:
        rules = MarginRules(findings.expect)
        for offset, message in enumerate(messages):
            rules.take(Given(ENTRIES, offset, message, True))

    return broken(judged)


def entry(*lines: tuple[str, int]) -> m.EntryBooked:
    return m.EntryBooked(
        meta=some_meta(), entry_id="e", account_id=ANN, kind="TRANSFER", rule="r",
        lines=tuple(m.Line(name, "USDT", e8, "insurance") for name, e8 in lines), realised_e8=0, filled_e8=0,
        transacted_at_us=START_US,
    )  # fmt: skip


@pytest.mark.parametrize(("paid", "found"), [(5, []), (6, ["the insurance fund pays what it has"])])
def test_the_insurance_fund_has_what_it_pays_to_the_unit(paid: int, found: list[str]) -> None:
    came = entry(("house:insurance", 5), ("bank:main", -5))
    went = entry(("house:insurance", -paid), ("client:ann", paid))
    assert margin_rules(came, went) == found


@pytest.mark.parametrize(("paid", "found"), [(100, []), (99, ["a call is met by what is booked"])])
def test_a_call_is_met_by_all_of_it(paid: int, found: list[str]) -> None:
    called = m.MarginCallChanged(
        some_meta(), "", ANN, "c", "USDT", 100, 0, START_US, START_US + 1, 1, "short", "CALLED", "call", "house", "",
        "", None,
    )  # fmt: skip
    assert margin_rules(called, replace(called, state="MET", action="meet", paid_e8=paid)) == found


# -- defaults ----------------------------------------------------------------------------------------------------------

DECLARED = m.DefaultChanged(
    meta=some_meta(), command_id="", account_id=ANN, default_id="d1", asset="USDT", state="DECLARED", margin_e8=0,
    loss_e8=0, steps=(), uncovered_e8=0, recovered_e8=0, round_id="", attempt=0, detail="", requested_by="op",
)  # fmt: skip
FIXED = replace(DECLARED, state="LOSS_FIXED", loss_e8=100, uncovered_e8=100)


def default_rules(messages: Sequence[Any]) -> list[str]:
    """Ann owes 100 USDT."""

    def judged(findings: Findings) -> None:
        rules = DefaultRules(findings.expect, {"client:ann": {"USDT": -100}})
        for message in messages:
            rules.take("here", message)

    return broken(judged)


@pytest.mark.parametrize("loss", [99, 100, 101])
def test_a_loss_is_what_the_account_owes_to_the_unit(loss: int) -> None:
    fixed = replace(FIXED, loss_e8=loss, uncovered_e8=loss)
    assert default_rules([DECLARED, fixed]) == ([] if loss == 100 else ["a loss is what cannot be paid"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (replace(DECLARED, loss_e8=40, uncovered_e8=40), FIXED),  # It was fixed already.
        (DECLARED, replace(FIXED, asset="EUR")),
    ],
)
def test_a_loss_is_fixed_from_nothing_and_in_its_asset(before: m.DefaultChanged, after: m.DefaultChanged) -> None:
    assert default_rules([DECLARED, FIXED]) == []
    assert "a loss is fixed once" in default_rules([before, after])


@pytest.mark.parametrize(("asset", "found"), [("EUR", []), ("USDT", ["a loss is fixed when no order can fill"])])
def test_a_loss_waits_for_orders_that_liquidate_its_own_asset(asset: str, found: list[str]) -> None:
    accepted = desk().give(submit(terms("SELL", "1", "60000")))
    assert isinstance(accepted, m.OrderAccepted)
    selling = m.LiquidationChanged(
        meta=some_meta(), account_id=ANN, liquidation_id="L1", asset=asset, state="SELLING", step=1, attempt=0,
        order=accepted.order, bankruptcy_price_e8=0, excess_e8=0, planned_e8=0, detail="", seen=None,
    )  # fmt: skip
    assert default_rules([accepted, selling, DECLARED, FIXED]) == found


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("DECLARED", ["one loss of an account at a time"]),
        ("LOSS_FIXED", ["one loss of an account at a time"]),
        ("RECOVERING", ["one loss of an account at a time"]),
        ("COVERED", []),
    ],
)
def test_a_further_default_begins_when_nothing_of_the_first_is_out(state: str, found: list[str]) -> None:
    steps = (m.DefaultStep("OTHERS_FUND", "bob", 100),)
    covered = replace(FIXED, state="COVERED", steps=steps, uncovered_e8=0)
    records = [DECLARED, FIXED, covered, replace(covered, state="RECOVERING")]
    until = [one.state for one in records].index(state) + 1
    assert default_rules([*records[:until], replace(DECLARED, default_id="d2")]) == found


# -- contracts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("long_e8", "found"), [(0, []), (1, ["both sides are the position"])])
def test_both_sides_of_a_position_are_the_position_to_the_unit(long_e8: int, found: list[str]) -> None:
    made = ContractDesk(instrument(PERP, contract_terms()))
    made.reference.account_terms[ANN] = m.AccountTerms("HEDGING", "AVERAGE")
    traded = made.trade(ANN, "BUY", 3, 60_000, PERP)
    assert traded.contract.numbers["long_e8"] == 3 * E8
    numbers = traded.contract.numbers | {"long_e8": 3 * E8 + long_e8}
    booked = replace(traded.contract, numbers=numbers)
    assert broken(lambda to: ContractRules(to.expect, {}, {}).booked("here", traded, booked)) == found


# -- claims and assignment ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "paid", "right"),
    [
        (-100, -100, True), (-100, -40, True), (-100, 0, True), (-100, -101, False), (-100, 1, False),
        (100, 100, True), (100, 101, False), (100, -1, False),
    ],
)  # fmt: skip
def test_a_claim_moves_at_most_what_its_leg_says(asked: int, paid: int, right: bool) -> None:
    leg = m.RoundLeg("l", ANN, "SETTLEMENT_PAYMENT", "USDT", asked, {}, 0)
    moved = entry(("claim:ann", -paid), ("client:ann", paid))
    found = broken(lambda to: claim_rules.booked(to.expect, "here", leg, moved))
    assert found == ([] if right else ["a claim is paid in cash"])


@pytest.mark.parametrize("assigned", [3, 4])
def test_nobody_is_assigned_a_contract_more_than_he_is_short(assigned: int) -> None:
    leg = m.RoundLeg("l", "bob", "ASSIGNMENT", "C", 0, {"quantity_e8": assigned}, 0)
    wanted = {"bob": assigned}

    def judged(to: Findings) -> None:
        assignment_rules.shares(to.expect, "here", "house:assignment", [leg], {"bob": 3}, wanted, assigned)

    assert broken(judged) == ([] if assigned == 3 else ["nobody is assigned beyond his short"])
