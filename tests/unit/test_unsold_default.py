"""The whole way of a default: sold to nobody, deleveraged, torn up, the collateral turned into cash, and every layer of
the waterfall exhausted. Clearing and risk decide in all eight partitions; venues take what the test lets them."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.closeout import closing
from services.clearing.defaults import seizure, tearing
from services.clearing.defaults.waterfalls import HOME
from tests.unit.contract_desk import E8, instrument, option, terms
from tests.unit.desk import BTC, LAW
from tests.unit.rounds_stage import MEMBERS, disturb, kill_all_after, members
from tests.unit.test_deleveraging_stage import over
from tests.unit.unsold_stage import AGE_US, OWN_PERP, PERP, Unsold
from truetape import collateral
from truetape import messages as m
from truetape.default.waterfall import LAYERS
from truetape.remainder import carried
from truetape.service import Input

CALL = "BTC-USDT-C"
AN_OPTION = instrument(CALL, option("CALL", 50_000, mark_max_age_us=AGE_US))
SPOT = replace(BTC, tick_e8=E8, lot_e8=E8 // 1_000, min_quantity_e8=E8 // 1_000, max_notional_e8=10**9 * E8)
POSTED = m.CollateralAsset("BTC", "USDT", 1, "BTC-USDT", E8 // 10, E8, 0, E8 // 1_000, AGE_US)


def exhausted(bidders: bool = False, options: int = 2, price: int = 50_000) -> Unsold:
    """Ann is long 1 BTC at 60 000 with 3 000. Bob has 30 of the other side and gains, cat 70 and gains less; eve has
    bought two options of dan. The fund has 400, the house 50."""
    stage = Unsold(OWN_PERP, AN_OPTION)
    members(stage, [("ann", 100), ("bob", 100), ("cat", 200)], 50)
    stage.mark(60_000)
    stage.mark(60_000, "BTC-USDT")
    stage.mark(1_000, CALL)
    for name, money in (("ann", 3_000), ("bob", 10_000), ("cat", 20_000), ("dan", 60_000), ("eve", 10_000)):
        stage.deposit(name, money)
    stage.trade("ann", "BUY", 100, 60_000)
    stage.trade("bob", "SELL", 30, 60_000)
    stage.trade("cat", "SELL", 70, 51_000)
    if options:
        stage.trade("dan", "SELL", options, 1_000, CALL)
        stage.trade("eve", "BUY", options, 1_000, CALL)
    stage.run(1)
    if not bidders:
        stage.tables.reference.trading_states |= dict.fromkeys(MEMBERS, "REDUCING")
    stage.mark(price)
    stage.mark(price, "BTC-USDT")
    return stage


def sums(stage: Unsold, account_id: str = "ann") -> list[int]:
    """What each layer has borne."""
    steps = stage.steps(account_id)
    return [sum(amount for layer, _, amount in steps if layer == name) for name in LAYERS]


def test_from_liquidation_to_the_last_layer_and_what_nobody_bears() -> None:
    """0.3 BTC go at 57 000, 0.7 are torn up at 50 000: 7 900 are lost. What each layer has is all used up."""
    stage = exhausted(bidders=True)
    stage.until(over(stage))
    assert [one for one in stage.outcomes() if one not in ("liquidation LOSS", "liquidation RESTORED")] == [
        "liquidation BANKRUPT", "auction UNSOLD", "default DECLARED", "DELEVERAGING LEFT", "PARTIAL_TEAR_UP CLOSED",
        "default LOSS_FIXED", "default UNCOVERED",
    ]  # fmt: skip
    assert sums(stage) == [3_000, 100, 50, 300, 300, 1_600, 2_000]
    known = stage.default("ann")
    assert (known.state, known.loss_e8, known.uncovered_e8) == ("UNCOVERED", 7_900 * E8, 550 * E8)
    assert stage.open_loss() == 550 and stage.cash("ann") == 0
    assert [event.round.kind for event in stage.events(m.RoundOpened) if event.round.kind != "INSURANCE"] == [
        "DELEVERAGING", "DELEVERAGING", "PARTIAL_TEAR_UP", "WATERFALL", "HAIRCUT", "TEAR_UP",
        "TEAR_UP_REST", "TEAR_UP_REST",
    ]  # fmt: skip
    assert [stage.held(name) for name in ("ann", "bob", "cat")] == [0, 0, 0]
    assert stage.held("eve", CALL) == stage.held("dan", CALL) == 0 and stage.in_house() == stage.in_house(CALL) == 0
    assert stage.cash("eve") == 10_000 - 2_000, "paid for her options, and got nothing for them"
    assert stage.cash("dan") == 60_000 + 2_000 - 2_000, "what he owed he has paid"
    assert (stage.cash("bob"), stage.cash("cat")) == (10_000, 20_000), "nobody's own money: gains alone"
    stage.check()


RIGHT = exhausted()
RIGHT.until(over(RIGHT))


@LAW
@given(data=st.data())
def test_any_network_and_any_crash_give_the_same_books(data: st.DataObject) -> None:
    """From the first record of the liquidation to the last of the waterfall."""
    stage = exhausted()
    for _ in range(data.draw(st.integers(0, 3), label="calm")):
        disturb(stage, data, data.draw(st.integers(0, 30), label="faults"))
        stage.pass_time(data.draw(st.sampled_from((1, 20))), 1)
    stage.until(over(stage), 9_000)
    assert stage.books() == RIGHT.books() and sums(stage) == sums(RIGHT)
    stage.check()


@pytest.mark.parametrize("place", range(0, 240, 20))
def test_killed_after_any_command(place: int) -> None:
    stage = exhausted()
    kill_all_after(stage, place)
    stage.until(over(stage), 6_000)
    assert stage.books() == RIGHT.books()
    stage.check()


def test_a_second_default_in_flight_meets_what_the_first_has_left() -> None:
    """Fay, a member without a share, is bankrupt too: whoever comes first takes the gains, nobody is cut twice."""
    stage = exhausted()
    stage.mark(60_000)
    stage.deposit("eve", -4_000)
    stage.trade("eve", "BUY", 20, 60_000)
    stage.mark(30_000)
    stage.mark(1, CALL)
    stage.pass_time(4_000)
    ann, eve = stage.default("ann"), stage.default("eve")
    for known in (ann, eve):
        assert sum(one.amount_e8 for one in known.steps) + known.uncovered_e8 == known.loss_e8
    assert stage.open_loss() * E8 == ann.uncovered_e8 + eve.uncovered_e8
    by_payer: dict[tuple[str, str], int] = {}
    for known in (ann, eve):
        for one in known.steps:
            by_payer[one.layer, one.payer_id] = by_payer.get((one.layer, one.payer_id), 0) + one.amount_e8
    assert by_payer["OTHERS_FUND", "bob"] == 100 * E8 and by_payer["OTHERS_FUND", "cat"] == 200 * E8
    assert by_payer["HOUSE_CAPITAL", "house"] == 50 * E8
    assert stage.held("ann") == 0 and stage.in_house() == -(stage.held("eve") + stage.held("bob")) * E8
    stage.check()


def test_a_solvent_account_that_nobody_buys_is_closed_at_its_bankruptcy_price() -> None:
    """Equity of 1 000 is above zero: who takes the contracts gains by it, and no default is declared."""
    stage = exhausted(options=0, price=58_000)
    stage.until(lambda: "liquidation UNSOLD" in stage.outcomes() or stage.held("ann") < 100, 600)
    stage.until(stage.settled, 600)
    assert stage.parts() == [("bob", 1, 30.0, -17_100.0)]
    assert stage.of("ann").state.defaults == {}
    stage.check()


# -- tear-up of claims -------------------------------------------------------------------------------------------------


def torn(stage: Unsold, loss_e8: int) -> Any:
    """The decision of a round over what the partitions state."""
    names = {"account_id": "ann", "default_id": "d"}
    terms_of_round = m.RoundTerms("d/TEAR_UP/1", "TEAR_UP", HOME, "USDT", {"loss_e8": loss_e8}, names, "x")
    at = stage.of(HOME)
    given = Input(None, m.Cause("x", 0, 0, ""), stage.now_us, "x", 1, 1, stage.tables, at.number)
    stated = [
        (each.number, one)
        for each in stage.partitions
        for one in tearing.KINDS["TEAR_UP"].answer(each.state, given, terms_of_round)
    ]
    return tearing.KINDS["TEAR_UP"].decide(given, terms_of_round, stated)


def sold_ones(stage: Unsold, handed_on: dict[str, int], given_e8: int) -> Any:
    """What the round that follows decides, when bought ones have really ended."""
    if not (numbers := carried(handed_on)):
        return ()
    names = {"account_id": "ann", "default_id": "d"}
    terms_of_round = m.RoundTerms("d/TEAR_UP/1/rest/1", "TEAR_UP_REST", HOME, "USDT", numbers, names, "x")
    at, kind = stage.of(HOME), tearing.KINDS["TEAR_UP_REST"]
    given = Input(None, m.Cause("x", 0, 0, ""), stage.now_us, "x", 1, 1, stage.tables, at.number)
    stated = [(each.number, one) for each in stage.partitions for one in kind.answer(each.state, given, terms_of_round)]
    return kind.decide(given, terms_of_round, [*stated, (0, m.RoundHolding("", CALL, {"given_e8": given_e8}))]).legs


@LAW
@given(
    held=st.lists(st.integers(-5, 5), min_size=5, max_size=5),
    price=st.integers(1, 3_000),
    loss_e8=st.integers(1, 9_000 * E8),
)
def test_claims_end_in_pairs_and_to_the_unit(held: list[int], price: int, loss_e8: int) -> None:
    stage = Unsold(AN_OPTION)
    stage.mark(60_000, "BTC-USDT")
    stage.mark(price, CALL)
    for name, contracts in zip(MEMBERS, held, strict=True):
        stage.deposit(name, 10**6)
        if contracts:
            stage.trade(name, "BUY" if contracts > 0 else "SELL", abs(contracts), price, CALL)
    decided = torn(stage, loss_e8)
    longs, shorts = sum(each for each in held if each > 0), -sum(each for each in held if each < 0)
    paid_e8 = sum(leg.amount_e8 for leg in decided.legs)
    assert paid_e8 + decided.outcome["uncovered_e8"] == loss_e8
    assert paid_e8 == min(loss_e8, min(longs, shorts) * price * E8)
    ended_e8 = -sum(leg.numbers["quantity_e8"] for leg in decided.legs)
    sold = sold_ones(stage, decided.outcome, ended_e8)
    assert sum(leg.numbers["quantity_e8"] for leg in sold) == ended_e8, "as many bought as sold ones end"
    assert not any(leg.amount_e8 for leg in sold), "who has sold pays nothing of the loss"
    for leg in (*decided.legs, *sold):
        has_e8 = held[MEMBERS.index(leg.account_id)] * E8
        assert has_e8 * leg.numbers["quantity_e8"] < 0 and abs(leg.numbers["quantity_e8"]) <= abs(has_e8)
        assert leg.amount_e8 == 0 or leg.amount_e8 <= -leg.numbers["quantity_e8"] * price
    assert {leg.leg_id for leg in torn(stage, loss_e8).legs} == {leg.leg_id for leg in decided.legs}


def test_who_has_sold_his_options_meanwhile_pays_and_opens_nothing() -> None:
    stage = exhausted()
    while not any(one.round.kind == "TEAR_UP" for one in stage.events(m.RoundDecided)):
        stage.deliver(0) if stage.wire else stage.tick()
    stage.trade("eve", "SELL", 1, 1_000, CALL)
    stage.until(over(stage))
    assert stage.held("eve", CALL) == 0 and stage.open_loss() == 550
    assert stage.cash("eve") == 8_000, "she was paid 1 000 for the one that she sold"
    stage.check()


# -- collateral of the defaulter ---------------------------------------------------------------------------------------


def pledged(venue: str, price: int = 50_000, btc: int = 1, known: bool = True) -> Unsold:
    """Ann is long 0.5 BTC at 60 000 against 1 BTC as collateral and no cash; the venue takes her contracts."""
    stage = Unsold(instrument(PERP, terms(mark_max_age_us=AGE_US)), SPOT)
    stage.tables.reference.collateral["BTC"] = POSTED
    members(stage, [("ann", 100), ("bob", 500)], 0)
    stage.mark(60_000)
    stage.mark(60_000, "BTC-USDT")
    stage.deposit("ann", btc, "BTC")
    stage.trade("ann", "BUY", 50, 60_000)
    stage.run(1)
    if not known:
        del stage.tables.reference.instruments["BTC-USDT"]
    stage.appetite = lambda order: order.quantity_e8 if venue == "all" or order.instrument_id == PERP else 0
    stage.mark(price)
    stage.mark(price, "BTC-USDT")
    stage.declare("ann")
    return stage


def client(stage: Unsold, asset: str) -> int:
    return stage.of("ann").state.balances["client:ann"].get(asset, 0)


def test_collateral_is_sold_for_what_is_missing_and_no_more() -> None:
    """5 000 and what the limits cost are missing: BTC is sold on the venue in whole lots, the rest stays hers."""
    stage = pledged("all")
    stage.until(over(stage))
    known = stage.default("ann")
    assert (known.state, known.detail) == ("ENDED", "its own cash was enough")
    sold = [one for one in stage.events(m.EntryBooked) if one.contract is None and one.order_id is not None]
    assert {one.account_id for one in sold} == {"ann"} and all(one.kind == "TRADE" for one in sold)
    account = stage.of("ann").state.accounts["ann"]
    left_e8 = client(stage, "USDT") + account.positions[PERP].realised_e8 - account.contracts[PERP].settled_e8
    assert 0 <= left_e8 < 49 * E8 and client(stage, "BTC") == 884 * E8 // 1_000, "less than a lot is too much"
    assert stage.share("ann") == 100 and stage.balance("house:collateral", "BTC") == 0
    stage.check()


@pytest.mark.parametrize("known", [True, False], ids=["no venue takes it", "no venue trades it"])
def test_what_no_venue_takes_the_house_takes_over_at_its_value_after_haircut(known: bool) -> None:
    stage = pledged("contracts", known=known)
    stage.until(over(stage))
    tried = [one for one in stage.events(m.LiquidationChanged) if one.state == "SELLING" and one.detail == "collateral"]
    assert len({one.step for one in tried}) == (4 if known else 0), "the ladder down to the collar first"
    [entry] = [one for one in stage.events(m.EntryBooked) if one.contract and one.contract.event == seizure.SEIZED]
    numbers = entry.contract.numbers
    assert numbers["paid_e8"] == numbers["quantity_e8"] * 45_000
    assert client(stage, "USDT") >= 0 and client(stage, "BTC") == E8 - numbers["quantity_e8"]
    moved = {(line.account, line.asset): line.amount_e8 for line in entry.lines}
    assert moved["house:collateral", "BTC"] == numbers["quantity_e8"]
    assert moved["house:collateral", "USDT"] == -numbers["paid_e8"]
    assert stage.default("ann").state == "ENDED" and stage.share("ann") == 100
    stage.check()


@pytest.mark.parametrize("venue", ["all", "contracts"])
def test_collateral_is_a_part_of_the_first_layer_when_it_is_not_enough(venue: str) -> None:
    """0.5 BTC lose 20 000 at a price of 20 000, and 1 BTC brings less: the fund pays the rest."""
    stage = pledged(venue, price=20_000)
    stage.until(over(stage))
    known = stage.default("ann")
    borne = {one.layer: one.amount_e8 for one in known.steps}
    assert client(stage, "BTC") == 0 and borne["DEFAULTER_MARGIN"] == known.margin_e8 > 15_000 * E8
    assert borne["DEFAULTER_FUND"] == 100 * E8
    assert sum(one.amount_e8 for one in known.steps) + known.uncovered_e8 == known.loss_e8
    assert client(stage, "USDT") == 0
    stage.check()


def offers(stage: Unsold) -> list[m.OrderTerms]:
    """The orders that offered collateral."""
    changes = stage.events(m.LiquidationChanged)
    return [one.order for one in changes if one.order is not None and one.detail == "collateral"]


def offered() -> Unsold:
    """Collateral is offered; its order is still on its way to risk."""
    stage = pledged("all", price=20_000)
    while not offers(stage):
        stage.deliver(0) if stage.wire else stage.tick()
    return stage


def refusals(stage: Unsold) -> list[str]:
    return [one.reason for made in stage.decided for one in made if isinstance(one, m.OrderRejected)]


def test_collateral_becomes_no_cheaper_by_what_risk_refuses() -> None:
    """Its order comes to risk too late: no venue was asked, so the next one stands at the same price."""
    stage = offered()
    stage.tick(60.0)
    stage.until(over(stage))
    assert refusals(stage) == ["COMMAND_EXPIRED"]
    assert [one.price_e8 for one in offers(stage)] == [offers(stage)[0].price_e8] * 2
    assert stage.books() == ENOUGH_NOT["all"].books()


def test_collateral_that_risk_refuses_four_times_is_taken_over() -> None:
    stage = offered()
    stage.tables.reference.trading_states["ann"] = "HALTED"
    stage.until(over(stage))
    assert refusals(stage) == ["TRADING_HALTED"] * closing.REFUSED_MAX
    assert len({one.price_e8 for one in offers(stage)}) == 1
    assert stage.books() == ENOUGH_NOT["contracts"].books(), "as where no venue takes it"


def test_without_a_mark_nothing_is_taken_and_the_record_says_why() -> None:
    stage = pledged("contracts")
    del stage.tables.marks.newest["BTC-USDT"]
    stage.pass_time(300)
    assert stage.default("ann").state == "DECLARED" and client(stage, "BTC") == E8
    ended = [one for one in stage.events(m.LiquidationEnded) if "collateral" in one.detail]
    assert {(one.outcome, one.detail) for one in ended} == {("UNSELLABLE", "no fresh mark of its collateral: BTC")}
    stage.mark(50_000, "BTC-USDT")
    stage.until(over(stage))
    assert stage.default("ann").state == "ENDED"
    stage.check()


ENOUGH_NOT = {venue: pledged(venue, price=20_000) for venue in ("all", "contracts")}
for each in ENOUGH_NOT.values():
    each.until(over(each))


@LAW
@given(data=st.data(), venue=st.sampled_from(("all", "contracts")))
def test_collateral_goes_once_whatever_the_network_does(data: st.DataObject, venue: str) -> None:
    stage = pledged(venue, price=20_000)
    disturb(stage, data, data.draw(st.integers(0, 40), label="faults"))
    stage.until(over(stage), 6_000)
    assert stage.books() == ENOUGH_NOT[venue].books()
    stage.check()


def test_what_margins_other_contracts_of_the_account_is_not_taken() -> None:
    known = {"BTC": POSTED}
    margins: dict[str, Any] = {"BTC": type("Margin", (), {"initial_excess_e8": 3})()}
    assert [free for _, free in seizure.posted({"BTC": 10}, "USDT", known, margins)] == [3]
    assert seizure.posted({"BTC": 10}, "USDC", known, {}) == [], "it counts for another asset"
    assert seizure.posted({"BTC": -10}, "USDT", known, {}) == []


# -- planted faults ----------------------------------------------------------------------------------------------------


def _shorts_stay(patch: pytest.MonkeyPatch) -> None:
    """Sold options do not end with the bought ones."""
    patch.setattr("services.clearing.across.remainders.shared", lambda *_: {})


def _claims_twice(patch: pytest.MonkeyPatch) -> None:
    """What is not paid is taken twice."""
    right = tearing._leg
    patch.setattr(
        tearing, "_leg", lambda terms, one, who, quantity, amount: right(terms, one, who, quantity, 2 * amount)
    )


def _rest_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What nobody in profit takes is left where it is."""
    patch.setattr("services.clearing.closeout.deleveraging.PRO_RATA", "DELEVERAGING")


def _layer_skipped(patch: pytest.MonkeyPatch) -> None:
    """What the gains cannot bear is not borne by the claims."""
    patch.setattr("services.clearing.defaults.default.FOLLOWS", {"WATERFALL": "HAIRCUT"})


@pytest.mark.parametrize(
    "plant", [_shorts_stay, _claims_twice, _rest_forgotten, _layer_skipped], ids=lambda one: one.__name__[1:]
)
def test_planted_faults_of_the_way_are_caught(plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    stage = exhausted()
    with pytest.raises(AssertionError):
        stage.until(over(stage), 900)
        stage.check()
        assert stage.in_house(CALL) == stage.in_house() == 0
        assert stage.books() == RIGHT.books()


def test_a_planted_fault_collateral_that_is_offered_whatever_risk_refuses_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deaf = SimpleNamespace(**{**vars(closing), "refused_for_good": lambda *_: False})
    monkeypatch.setattr(seizure, "closing", deaf)
    with pytest.raises(AssertionError):
        test_collateral_that_risk_refuses_four_times_is_taken_over()


def _taken_whole(patch: pytest.MonkeyPatch) -> None:
    """All collateral goes, whatever is missing."""
    right = collateral.cover
    patch.setattr("services.clearing.defaults.seizure.cover", lambda missing, *rest: right(10**15, *rest))


def _no_haircut(patch: pytest.MonkeyPatch) -> None:
    """The house pays the whole mark."""
    patch.setattr(seizure, "portion", lambda amount, rate, rounding: amount)


def _not_counted(patch: pytest.MonkeyPatch) -> None:
    """What it brings is no part of the first layer."""
    patch.setattr(seizure, "booked", lambda state, entry: None)


def _not_waited_for(patch: pytest.MonkeyPatch) -> None:
    """The loss is fixed before the collateral is cash."""
    patch.setattr("services.clearing.defaults.default.collateral_left", lambda state, given, known: False)


@pytest.mark.parametrize(
    "plant", [_taken_whole, _no_haircut, _not_counted, _not_waited_for], ids=lambda one: one.__name__[1:]
)
def test_planted_faults_of_collateral_are_caught(plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> list[Any]:
        found = []
        for price in (50_000, 20_000):
            stage = pledged("contracts", price=price)
            mark = stage.tables.marks.newest.pop("BTC-USDT")
            stage.pass_time(30, 5)
            stage.tables.marks.newest["BTC-USDT"] = mark
            stage.until(over(stage), 900)
            stage.check()
            known = stage.default("ann")
            assert sum(one.amount_e8 for one in known.steps) + known.uncovered_e8 == known.loss_e8
            found.append((stage.books(), sums(stage), known.margin_e8))
        return found

    right = run()
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        assert run() == right
