"""Haircut of gains, layer 6: what counts is what a member gains on balance over all contracts of the asset."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.defaults import waterfalls
from services.clearing.state import State
from tests.unit.contract_desk import E8, instrument, terms
from tests.unit.desk import LAW
from tests.unit.rounds_stage import PERP, Marked
from truetape import messages as m
from truetape.audit import haircut_rules
from truetape.audit.findings import Findings
from truetape.money import apportion
from truetape.service import Input

ETH, GOLD = "ETH-USDT-PERP", "XAU-USD-PERP"
PRICES = {PERP: 60_000, ETH: 3_000, GOLD: 4_000}
GAINERS = ("bob", "cat", "dan", "eve")


class Cut(Marked):
    """Ann loses, and nothing stands against it but what others gain; each contract of 0.01, all at their marks."""

    def __init__(self) -> None:
        usd = terms(settlement_asset="USD")
        super().__init__(instrument(PERP, terms()), instrument(ETH, terms()), instrument(GOLD, usd))
        self.prices = {**PRICES, "BTC-USDT": 60_000}
        self.refresh()
        for name in GAINERS:
            self.deposit(name, 100_000)
            self.deposit(name, 100_000, "USD")

    def gains(self, who: str, name: str, gain: int, long: bool = True) -> None:
        """A trade of 100 contracts that gains so much at the mark; negative: loses."""
        bought = PRICES[name] - gain if long else PRICES[name] + gain
        self.trade(who, "BUY" if long else "SELL", 100, bought, name)

    def default_of(self, loss: int) -> m.DefaultChanged:
        self.lose_money("ann", loss)
        self.declare("ann")
        self.run()
        return self.default("ann")

    def cuts(self) -> dict[str, int]:
        """What each has given."""
        return {one.payer_id: one.amount_e8 for one in self.default("ann").steps if one.layer == "HAIRCUT"}

    def cash_e8(self, who: str) -> int:
        return self.of(who).state.balances[f"client:{who}"]["USDT"] - 100_000 * E8

    def unpaid_e8(self, who: str) -> int:
        """Gain of all contracts at the marks that is not paid."""
        found = waterfalls._gains_of(self.of(who).state, self._seen(who), who, "USDT")
        return sum(one.numbers["gain_e8"] for one in found)

    def _seen(self, who: str) -> Input:
        cause = m.Cause("test", 0, -1, "")
        return Input(None, cause, self.now_us, "clearing.entries", 1, 1, self.tables, self.of(who).number)


def test_losses_in_other_contracts_are_taken_off_the_gain() -> None:
    """Bob gains 200 and loses 150, cat gains 50: they gain alike, and give alike."""
    stage = Cut()
    stage.gains("bob", PERP, 200)
    stage.gains("bob", ETH, -150, long=False)
    stage.gains("cat", PERP, 50)
    known = stage.default_of(60)
    assert (known.state, stage.cuts()) == ("COVERED", {"bob": 30 * E8, "cat": 30 * E8})
    assert (stage.cash_e8("bob"), stage.cash_e8("cat")) == (20 * E8, 20 * E8), "all is settled, losses too"
    assert stage.unpaid_e8("bob") == stage.unpaid_e8("cat") == 0
    assert stage.open_loss() == 0
    stage.check()


def test_no_more_is_cut_than_the_net_gain_and_the_rest_is_borne_by_nobody() -> None:
    stage = Cut()
    stage.gains("bob", PERP, 200)
    stage.gains("bob", ETH, -150)
    known = stage.default_of(60)
    assert (known.state, known.uncovered_e8, stage.cuts()) == ("UNCOVERED", 10 * E8, {"bob": 50 * E8})
    assert stage.cash_e8("bob") == 0, "what he gains on balance is gone, and no unit of his own money"
    stage.check()


def test_who_loses_on_balance_gives_nothing_and_is_not_settled() -> None:
    stage = Cut()
    stage.gains("bob", PERP, 200)
    stage.gains("bob", ETH, -200)
    stage.gains("cat", ETH, -10)
    stage.gains("dan", PERP, 80)
    known = stage.default_of(60)
    assert (known.state, stage.cuts()) == ("COVERED", {"dan": 60 * E8})
    assert stage.cash_e8("bob") == stage.cash_e8("cat") == 0 and stage.unpaid_e8("cat") == -10 * E8
    stage.check()


def test_a_loss_in_another_asset_is_not_netted() -> None:
    stage = Cut()
    stage.gains("bob", PERP, 100)
    stage.gains("bob", GOLD, -100)
    stage.gains("cat", PERP, 100)
    stage.default_of(60)
    assert stage.cuts() == {"bob": 30 * E8, "cat": 30 * E8}
    stage.check()


def test_what_was_realised_and_not_paid_counts() -> None:
    """Bob has closed with a loss of 150 that is not paid; his open contracts gain 200."""
    stage = Cut()
    stage.trade("bob", "BUY", 100, 3_000, ETH)
    stage.trade("bob", "SELL", 100, 2_850, ETH)
    stage.gains("bob", PERP, 200)
    stage.default_of(80)
    assert stage.cuts() == {"bob": 50 * E8}
    stage.check()


HELD = st.dictionaries(st.sampled_from((PERP, ETH)), st.integers(-300, 300).filter(bool), max_size=2)


@LAW
@given(held=st.dictionaries(st.sampled_from(GAINERS), HELD, max_size=4), loss=st.integers(1, 900), longs=st.booleans())
def test_the_sum_is_kept_to_the_unit_and_nobody_gives_more_than_his_net_gain(
    held: dict[str, dict[str, int]], loss: int, longs: bool
) -> None:
    stage = Cut()
    for who, gains in held.items():
        for name, gain in gains.items():
            stage.gains(who, name, gain, longs)
    known = stage.default_of(loss)
    nets = {who: max(0, sum(gains.values())) * E8 for who, gains in held.items()}
    names = sorted(nets)
    whole_e8 = min(loss * E8, sum(nets.values()))
    parts = apportion(whole_e8, [nets[who] for who in names])
    assert stage.cuts() == {who: part_e8 for who, part_e8 in zip(names, parts, strict=True) if part_e8}
    assert known.uncovered_e8 == loss * E8 - whole_e8 == stage.open_loss() * E8
    for who, net_e8 in nets.items():
        gets_e8 = stage.cash_e8(who) + stage.unpaid_e8(who)
        assert gets_e8 == sum(held[who].values()) * E8 - stage.cuts().get(who, 0), "his gains less what was cut"
        assert not net_e8 or gets_e8 >= 0
    lines: Counter[str] = Counter()
    for at in stage.partitions:
        for amounts in at.state.balances.values():
            lines.update(amounts)
    assert not any(lines.values()) and stage.done()
    stage.check()


# -- planted faults, each with the test that sees it ------------------------------------------------------------------


def _gross(patch: pytest.MonkeyPatch) -> None:
    """Losses are left out, as if each contract were alone."""
    sound = waterfalls._gains_of

    def gains_of(state: State, given_: Input, account_id: str, asset: str) -> Any:
        return (one for one in sound(state, given_, account_id, asset) if one.numbers["gain_e8"] > 0)

    patch.setattr(waterfalls, "_gains_of", gains_of)


def _losses_stay_unpaid(patch: pytest.MonkeyPatch) -> None:
    """Gains are paid, and what the other contracts lose is not collected."""
    sound = waterfalls._cut
    patch.setattr(waterfalls, "_cut", lambda *given_: [leg for leg in sound(*given_) if leg.amount_e8])


@pytest.mark.parametrize("plant", [_gross, _losses_stay_unpaid], ids=lambda one: one.__name__[1:])
def test_planted_faults_are_seen(plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        test_losses_in_other_contracts_are_taken_off_the_gain()


def test_the_audit_finds_a_cut_that_is_more_than_his_share_or_than_he_gains() -> None:
    stage = Cut()
    stage.gains("bob", PERP, 200)
    stage.gains("bob", ETH, -150)
    stage.gains("cat", PERP, 50)
    stage.default_of(60)
    [decided] = [one for one in stage.events(m.RoundDecided) if one.round.kind == "HAIRCUT"]
    stated = [one for event in stage.events(m.RoundAnswered) if event.round.kind == "HAIRCUT" for one in event.holdings]

    def found(**amounts: int) -> list[str]:
        findings, legs = Findings(), []
        for leg in decided.legs:
            change = amounts.get(leg.account_id, 0) if leg.asset == PERP else 0
            legs.append(replace(leg, amount_e8=leg.amount_e8 + change * E8))
        haircut_rules.judge(findings.expect, "here", replace(decided, legs=tuple(legs)), stated)
        return [one.what for one in findings.kept]

    assert found() == []
    assert found(bob=18, cat=-18) == ["a haircut is in proportion to net gains"] * 2, "as if gross"
    assert found(cat=-1) == ["gains bear what they can", "a haircut is in proportion to net gains"]
    assert found(bob=30, cat=-30)[0] == "a haircut is in proportion to net gains"
