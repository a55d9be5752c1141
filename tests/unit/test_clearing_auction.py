"""Auctions in the ledger: begun, bid for, taken or refused, ended; over partitions, killed and lost at every step."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.across import parcels
from services.clearing.across.parcels import INSURANCE
from services.clearing.books import accounts
from services.clearing.closeout import quote
from services.clearing.core import SERVICE
from services.clearing.defaults.insurance import free_e8
from services.clearing.margining.standing import Standing, standing
from services.clearing.margining.watch import Liquidation
from tests.unit.contract_desk import E8, EXPIRY_US, future, instrument, option, terms
from tests.unit.contract_desk import Desk as ContractDesk
from tests.unit.desk import some_meta
from truetape import messages as m
from truetape.audit.findings import Findings
from truetape.audit.ledger_rules import LedgerRules
from truetape.audit.merge import Given
from truetape.happenings import Part
from truetape.margin import auction as method
from truetape.service import Input, Tick

PERP, ETH = instrument("BTC-USDT-PERP", terms()), instrument("ETH-USDT-PERP", terms())
CALL = instrument("BTC-USDT-20261225-60000-C", option("CALL", 60_000))
SECOND_US = 1_000_000


class Desk(ContractDesk):
    """Ann's contracts are sold; bob and cat may bid. All three live in one partition."""

    def __init__(self, *more: m.Instrument) -> None:
        super().__init__(PERP, ETH, CALL, *more)
        self.mark("BTC-USDT-PERP", 60_000)
        self.mark("ETH-USDT-PERP", 3_000)
        self.mark("BTC-USDT", 60_000)
        self.mark(CALL.instrument_id, 2_000)
        self.cash_in("bob", 100_000)
        self.cash_in("cat", 100_000)
        self.ticks = 0

    def mark(self, name: str, price: int) -> None:
        self.tables.marks.newest[name] = m.MarkPublished(
            some_meta(self.now_us), name, price * E8, price * E8, price * E8, "alpha", 7, self.now_us, 0
        )

    def refresh(self) -> None:
        """The same marks, seen now."""
        for name, one in self.tables.marks.newest.items():
            self.tables.marks.newest[name] = replace(one, observed_at_us=self.now_us)

    def cash_in(self, who: str, amount: int) -> None:
        moved = m.TransferTerms(f"in-{who}-{len(self.events)}", who, "USDT", amount * E8, "bank:settlement", "x")
        self.approve(m.TransferApproved(some_meta(), moved))

    def start(self, *, forced: bool = False, insurance: int = 0, number: int = 1) -> Any:
        if insurance:
            self.command(
                m.MoveFund(f"i-{number}", INSURANCE, "USDT", insurance * E8, "bank:main", "INSURANCE", "d", "x")
            )
        return self.command(m.StartAuction(f"s-{number}", "ann", "USDT", forced, insurance * E8, "below", "desk"))

    def bid(self, who: str, wanted: str | float, number: int = 1, most: int | None = None) -> Any:
        """A bid and all that follows, as the session would send it."""
        [known] = self.state.auctions.values()
        command = m.BidAuction(
            f"b-{who}-{number}", "ann", known.auction_id, who, round(float(wanted) * E8), "key",
            price_max_e8=None if most is None else most * E8,
        )  # fmt: skip
        offered = self.command(command)
        if isinstance(offered, m.ClearingRefused):
            return offered
        return self.carry()

    def carry(self) -> Any:
        """What the session sends, once each."""
        answer: Any = None
        while sent := list(parcels.asked_of(self.state)):
            for one in sent:
                told = parcels.told(self.command(one.command))
                answer = self.command(told.command)
        return answer

    def wait(self, seconds: float) -> None:
        self.now_us += int(seconds * SECOND_US)
        self.refresh()

    def tick(self) -> Any:
        """Ticks until one is the auctions'; None when none is. Margin runs come first."""
        for _ in range(3):
            self.ticks += 1
            before = len(self.events)
            try:
                self.take(Tick(self.now_us), m.Cause("timer", 0, -1, str(self.ticks)))
            except AssertionError:
                assert len(self.events) == before
            for event in self.events[before:]:
                if isinstance(event, m.AuctionChanged | m.ParcelsAskedAgain):
                    return event
        return None

    def stands(self, who: str = "ann") -> Standing:
        cause = m.Cause("test", 0, -1, "")
        seen = Input(None, cause, self.now_us, "clearing.entries", 1, 1, self.tables, 0)
        found = standing(self.state, seen, who, "USDT")
        assert found is not None
        return found

    def value(self, who: str) -> int:
        """An account's money and contracts at the marks, to the unit."""
        try:
            return self.stands(who).value_e8
        except AssertionError:
            return self.cash(f"client:{who}")


def below(cash: int = 2_000, contracts: int = 100) -> Desk:
    """Ann is long 100 contracts (60 000 USDT) with 2 000 USDT: maintenance is 3 000."""
    made = Desk()
    made.cash_in("ann", cash)
    made.trade("ann", "BUY", contracts, 60_000, "BTC-USDT-PERP")
    made.trade("cat", "SELL", contracts, 60_000, "BTC-USDT-PERP")
    return made


def test_what_restores_margin_is_sold_and_no_more() -> None:
    made = below()
    begun = made.start()
    assert (begun.state, begun.change, begun.kind) == ("RUNNING", "BEGUN", "solvent")
    assert begun.fee_e8 > 0 and made.cash(INSURANCE) == begun.fee_e8
    taken = made.bid("bob", 1)
    assert (taken.state, taken.change, taken.actor) == ("RUNNING", "TAKEN", "bob")
    sold = -made.position("ann", "BTC-USDT-PERP").quantity_e8 + 100 * E8
    assert 0 < sold < 100 * E8 and sold % E8 == 0
    assert made.position("bob", "BTC-USDT-PERP").quantity_e8 == sold
    assert quote.floats(made.stands()).buffer_margin(quote.PARAMETERS) >= 0
    ended = made.tick()
    assert (ended.state, ended.change) == ("ENDED", "RESTORED") and made.state.auctions == {}
    made.check()


def test_the_price_falls_and_the_record_says_what_it_saw() -> None:
    made = below()
    made.start()
    made.wait(50)
    taken = made.bid("bob", "0.1")
    offered = next(one for one in made.events if getattr(one, "change", "") == "OFFERED")
    share_e8 = offered.numbers["share_e8"]
    assert 0.88 * E8 < share_e8 < 0.8901 * E8
    assert abs(offered.numbers["price_e8"] - offered.numbers["value_e8"] * share_e8 // E8) < 5_000
    assert offered.numbers["mark_e8:BTC-USDT-PERP"] == 60_000 * E8
    assert offered.ids["models"] and "mark:BTC-USDT-PERP" in offered.ids
    assert taken.bid.paid_e8 == taken.reserved_e8 > 0
    made.check()


def test_a_part_is_in_whole_lots_and_never_more_than_is_wanted() -> None:
    made = below(contracts=100)
    made.start()
    assert made.bid("bob", "0.009").reason == "NUMBERS_WRONG"
    taken = made.bid("bob", "0.019", 2)
    assert made.position("bob", "BTC-USDT-PERP").quantity_e8 == E8
    assert taken.bid.part_e18 == 10**16, "the part that is paid for is the contract's"
    made.check()


def test_takers_gain_is_the_sellers_and_the_funds_loss_to_the_unit() -> None:
    made = below()
    made.trade("ann", "SELL", 50, 3_000, "ETH-USDT-PERP")
    made.trade("ann", "SELL", 10, 2_000, CALL.instrument_id)
    before = {who: made.value(who) for who in ("ann", "bob", "cat")}
    made.start()
    made.wait(100)
    for number, who in enumerate(("bob", "cat", "bob")):
        made.bid(who, "0.2", number)
    after = {who: made.value(who) for who in ("ann", "bob", "cat")}
    gained = sum(after.values()) - sum(before.values()) + made.cash(INSURANCE) + made.cash("house:rounding")
    assert after["bob"] > before["bob"] and abs(gained) <= 4, "but for rounding of marks"
    made.check()


def test_who_cannot_margin_what_he_takes_takes_nothing() -> None:
    made = below(contracts=1_000, cash=20_000)
    made.reference.accounts["dan"] = "dan"
    made.start()
    refused = made.bid("dan", 1)
    assert (refused.state, refused.change) == ("RUNNING", "REFUSED") and "INSUFFICIENT_MARGIN" in refused.detail
    assert made.position("ann", "BTC-USDT-PERP").quantity_e8 == 1_000 * E8
    assert "dan" not in made.state.accounts
    assert made.bid("bob", 1).change == "TAKEN"
    made.check()


def test_an_insolvent_account_is_taken_for_money_of_the_fund() -> None:
    made = below(cash=2_000)
    made.mark("BTC-USDT-PERP", 57_000)
    begun = made.start(insurance=10_000)
    assert (begun.kind, begun.fee_e8) == ("insolvent", 0) and begun.lowest_e8 < 0
    made.wait(100)
    fund_e8, bob_e8 = made.cash(INSURANCE), made.value("bob")
    taken = made.bid("bob", 1)
    assert taken.bid.paid_e8 == 0 and taken.bid.received_e8 == -begun.lowest_e8
    assert made.cash(INSURANCE) == fund_e8 - taken.bid.received_e8
    assert taken.insurance_e8 == 10_000 * E8 - taken.bid.received_e8
    assert made.value("ann") == 0, "nothing is left, and nothing is owed"
    assert made.value("bob") > bob_e8, "he is paid for the debts too"
    assert made.tick().change == "SOLD"
    made.check()


def test_no_more_is_promised_to_takers_than_the_fund_has() -> None:
    made = below(cash=2_000)
    made.mark("BTC-USDT-PERP", 57_000)
    made.command(m.MoveFund("i", INSURANCE, "USDT", 100 * E8, "bank:main", "INSURANCE", "desk", "fees"))
    begun = made.command(m.StartAuction("s", "ann", "USDT", False, 100 * E8 + 1, "below", "desk"))
    assert (begun.insurance_e8, begun.insurance_wanted_e8) == (100 * E8, 1), "the rest is asked of the other parts"
    made.wait(100)
    assert "bid for less, or once all its parts have answered" in made.bid("bob", 1).detail
    assert free_e8(made.state, "USDT") == 0, "it is promised to whoever takes"
    made.check()


def test_the_fund_pays_no_more_than_it_may() -> None:
    made = below(cash=2_000)
    made.mark("BTC-USDT-PERP", 57_000)
    made.start(insurance=1)
    made.wait(100)
    refused = made.bid("bob", 1)
    assert refused.reason == "INSUFFICIENT_FUNDS" and "bid for less" in refused.detail
    made.check()


def test_a_solvent_auction_whose_value_is_gone_turns_and_an_unsold_one_ends() -> None:
    made = below()
    made.start(insurance=10_000)
    made.bid("bob", "0.05")
    made.mark("BTC-USDT-PERP", 57_500)
    assert "its value is gone" in made.bid("bob", "0.1", 2).detail
    turned = made.tick()
    assert (turned.change, turned.kind, turned.reserved_e8, turned.left_e18) == ("CONVERTED", "insolvent", 0, 10**18)
    made.wait(60)
    assert made.bid("bob", "0.2", 3).bid.received_e8 > 0
    made.wait(700)
    assert made.tick().change == "UNSOLD" and made.state.auctions == {}
    made.check()


def test_a_forced_one_sells_all_and_takes_no_fee() -> None:
    made = below(cash=50_000)
    assert "nothing to liquidate" in made.start().detail
    begun = made.start(forced=True, number=2)
    assert begun.fee_e8 == 0
    assert made.tick() is None, "it goes on though margin is there"
    made.bid("bob", 1)
    assert made.tick().change == "SOLD"
    assert made.position("ann", "BTC-USDT-PERP").quantity_e8 == 0
    made.check()


def test_the_house_stops_one() -> None:
    made = below()
    begun = made.start()
    assert made.command(m.EndAuction("e", "ann", begun.auction_id, " ", "desk")).reason == "REASON_MISSING"
    ended = made.command(m.EndAuction("e", "ann", begun.auction_id, "margin came in", "desk"))
    assert (ended.state, ended.change, ended.detail) == ("ENDED", "STOPPED", "margin came in")
    assert made.command(m.EndAuction("f", "ann", begun.auction_id, "again", "desk")).reason == "STATE_WRONG"
    made.check()


@pytest.mark.parametrize(
    ("who", "wanted", "most", "reason"),
    [
        ("ann", 1, None, "STATE_WRONG"),
        ("zoe", 1, None, "ACCOUNT_UNKNOWN"),
        ("bob", 0, None, "NUMBERS_WRONG"),
        ("bob", 1.1, None, "NUMBERS_WRONG"),
        ("bob", 1, 1_000, "PRICE_OUT_OF_RANGE"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(who: str, wanted: float, most: int | None, reason: str) -> None:
    made = below()
    made.start()
    assert made.bid(who, wanted, most=most).reason == reason
    made.check()


def test_a_start_that_makes_no_sense_is_refused_by_name() -> None:
    made = below()
    for changes, reason in (
        ({"account_id": "zoe"}, "ACCOUNT_UNKNOWN"), ({"asset": "BTC"}, "STATE_WRONG"),
        ({"insurance_e8": -1}, "NUMBERS_WRONG"), ({"reason": ""}, "REASON_MISSING"),
    ):  # fmt: skip
        command = m.StartAuction("s", "ann", "USDT", False, 0, "below", "desk")
        assert made.command(replace(command, **changes)).reason == reason
    made.start()
    assert made.start().reason == "COMMAND_REPEATED" and made.start(number=2).reason == "STATE_WRONG"
    assert accounts(made.state)["ann"]["auctions"][0]["state"] == "RUNNING"
    made.check()


def test_a_stale_mark_holds_bids_up_and_ends_nothing() -> None:
    made = below()
    made.start()
    made.now_us += 120 * SECOND_US
    assert made.bid("bob", 1).reason == "TOO_OLD"
    assert made.tick() is None
    made.check()


def test_one_bid_is_decided_at_a_time_and_a_late_parcel_is_refused() -> None:
    made = below()
    begun = made.start()
    made.command(m.BidAuction("b-1", "ann", begun.auction_id, "bob", E8 // 10, "key"))
    waiting = m.BidAuction("b-2", "ann", begun.auction_id, "cat", E8 // 10, "key")
    assert "another bid is being decided" in made.command(waiting).detail
    assert made.command(m.EndAuction("e", "ann", begun.auction_id, "now", "desk")).reason == "STATE_WRONG"
    made.wait(61)
    again = made.tick()
    assert isinstance(again, m.ParcelsAskedAgain) and again.attempt == 1
    refused = made.carry()
    assert refused.change == "REFUSED" and "DEADLINE_PASSED" in refused.detail
    assert made.command(replace(waiting, command_id="b-1", bidder_id="bob")).reason == "COMMAND_REPEATED"
    made.check()


def test_a_parcel_that_is_asked_for_twice_is_taken_once() -> None:
    made = below()
    begun = made.start()
    made.command(m.BidAuction("b-1", "ann", begun.auction_id, "bob", E8 // 10, "key"))
    [sent] = parcels.asked_of(made.state)
    first, again = made.command(sent.command), made.command(sent.command)
    assert (first.state, first.repeated, again.state, again.repeated) == ("TAKEN", False, "TAKEN", True)
    assert parcels.told(first) == parcels.told(again)
    made.command(parcels.told(first).command)
    told = SERVICE.decide(made.state, Input(
        parcels.told(again).command, m.Cause("clearing.commands", 0, 9_999, ""), made.now_us, "clearing.entries", 1, 1,
        made.tables, 0,
    ))  # fmt: skip
    assert told is None, "known already"
    assert made.position("bob", "BTC-USDT-PERP").quantity_e8 == 10 * E8
    made.check()


# -- whatever happens --------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("bid"), st.sampled_from(["bob", "cat"]), st.floats(0.01, 1)),
        st.tuples(st.just("mark"), st.sampled_from(["BTC-USDT-PERP", "ETH-USDT-PERP"]), st.floats(0.9, 1.1)),
        st.tuples(st.just("wait"), st.just(""), st.floats(1, 200)),
        st.tuples(st.just("tick"), st.just(""), st.just(0.0)),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(-40, 100), st.integers(500, 4_000))
def test_whatever_happens_nothing_is_made_or_lost_and_no_bid_hurts_more_than_the_method(
    steps: list[tuple[str, str, float]], eths: int, cash: int
) -> None:
    made = below(cash=cash)
    if eths:
        made.trade("ann", "BUY" if eths > 0 else "SELL", abs(eths), 3_000, "ETH-USDT-PERP")
    made.start(insurance=100_000)
    for number, (what, name, size) in enumerate(steps):
        if what == "mark":
            made.mark(name, int({"BTC-USDT-PERP": 60_000, "ETH-USDT-PERP": 3_000}[name] * size))
        elif what == "wait":
            made.wait(size)
        elif what == "tick":
            made.tick()
        elif made.state.auctions:
            _judged(made, name, size, number)
    made.check()
    assert made.state.parcels.asked == {} and made.state.parcels.booking is None
    fund = sum(one.fee_e8 for one in made.events if getattr(one, "change", "") == "BEGUN")
    paid = sum(one.bid.received_e8 for one in made.events if getattr(one, "change", "") == "TAKEN")
    assert made.cash(INSURANCE) == 100_000 * E8 + fund - paid


def _judged(made: Desk, who: str, wanted: float, number: int) -> None:
    """A bid; where it is taken, the seller's buffer is where the method says, or better by the rounding up to lots."""
    [known] = made.state.auctions.values()
    seen = made.stands()
    before = quote.floats(seen)
    taken = made.bid(who, wanted, number)
    if not isinstance(taken, m.AuctionChanged) or taken.change != "TAKEN":
        return
    assert taken.bid is not None
    part = taken.bid.part_e18 / 10**18
    reserved = known.reserved_e8 / E8
    kept, paid = 1 - part, taken.bid.paid_e8 / E8
    value = (before.value - reserved) * kept + reserved + paid
    need = (before.value - before.maintenance) * kept
    wanted_buffer = method.Standing(value, value - need).buffer_margin(quote.PARAMETERS)
    after = quote.floats(made.stands()) if _holds(made) else None
    if after is not None:
        assert after.buffer_margin(quote.PARAMETERS) >= wanted_buffer - 1e-4


def _holds(made: Desk) -> bool:
    return any(one.quantity_e8 for one in made.state.accounts["ann"].positions.values())


# -- planted faults ----------------------------------------------------------------------------------------------------


def _audited(events: list[Any]) -> list[str]:
    findings = Findings()
    rules = LedgerRules(findings)
    for offset, event in enumerate(events, 1):
        rules.take(Given(Part("clearing.entries", 0), offset, event, True))
    return [one.what for one in findings.kept]


def _record() -> list[Any]:
    made = below()
    made.start()
    made.bid("bob", "0.5")
    return [one for one in made.events if one.meta.cause.source != "orders.decisions"]


def test_the_audit_finds_a_leg_that_is_left_out_doubled_or_changed() -> None:
    sound = _record()
    assert _audited(sound) == []
    leg = next(n for n, one in enumerate(sound) if isinstance(one, m.EntryBooked) and one.rule == "auction")
    last = max(n for n, one in enumerate(sound) if isinstance(one, m.EntryBooked) and one.rule == "auction")
    assert "a parcel is booked at once, leg by leg" in _audited(sound[:last] + sound[last - 1 : last] + sound[last:])
    assert "a parcel is booked at once, leg by leg" in _audited(sound[:leg] + sound[leg + 1 :])
    taken = next(n for n, one in enumerate(sound) if getattr(one, "change", "") == "TAKEN")
    legs = list(sound[taken].legs)
    legs[0] = replace(legs[0], quantity_e8=legs[0].quantity_e8 - E8)
    found = _audited([*sound[:taken], replace(sound[taken], legs=tuple(legs)), *sound[taken + 1 :]])
    assert {"the two sides of a bid cancel out", "an entry books its leg"} <= set(found)


def test_who_is_liquidated_or_in_default_takes_nothing_though_money_would_do() -> None:
    made = below()
    made.start()
    made.state.watch.liquidations["bob"] = Liquidation("L1", "bob", "USDT", "WAITING", made.now_us)
    assert "ACCOUNT_HALTED" in made.bid("bob", "0.1").detail
    del made.state.watch.liquidations["bob"]
    made.command(m.DeclareDefault("d", "bob", "USDT", "did not pay", "desk"))
    assert "ACCOUNT_HALTED" in made.bid("bob", "0.1", 2).detail
    assert made.bid("cat", "0.1").change == "TAKEN"


FUT = instrument("BTC-USDT-20231115", future())


@pytest.mark.parametrize("taken_before", [True, False])
def test_a_contract_that_ends_between_the_offer_and_the_answer_ends_for_both(taken_before: bool) -> None:
    """Whoever took the part before the end has it settled with his own; who comes later gets nothing. No money is made
    or lost on the way, and the house is left with neither contracts nor money."""
    made = Desk(FUT)
    made.now_us = EXPIRY_US - 30 * SECOND_US
    made.refresh()
    made.mark(FUT.instrument_id, 60_000)
    made.cash_in("ann", 2_000)
    made.pair("ann", "cat", 100, 60_000, FUT.instrument_id)
    before_e8 = sum(made.value(who) for who in ("ann", "bob", "cat"))
    begun = made.start()
    made.command(m.BidAuction("b", "ann", begun.auction_id, "bob", E8 // 5, "key"))
    [asked] = list(parcels.asked_of(made.state))
    told = parcels.told(made.command(asked.command)) if taken_before else None
    made.now_us = EXPIRY_US
    made.refresh()
    made.fact("EXPIRY", FUT.instrument_id, 59_000 * E8, effective_at_us=EXPIRY_US, observed_at_us=EXPIRY_US)
    if told is None:
        told = parcels.told(made.command(asked.command))
        assert isinstance(told.command, m.TellParcel) and told.command.reason == "CONTRACT_EXPIRED"
    answered = made.command(told.command)
    assert answered.change == ("TAKEN" if taken_before else "REFUSED")
    for who in ("ann", "bob", "cat"):
        held = made.state.accounts[who].positions.get(FUT.instrument_id)
        assert held is None or held.quantity_e8 == 0
    assert made.cash("house:clearing", FUT.instrument_id) == made.cash("house:clearing") == 0
    money_e8 = sum(made.cash(name) for name in ("client:ann", "client:bob", "client:cat", INSURANCE, "house:rounding"))
    assert money_e8 == before_e8
    assert made.tick().change == "SOLD"
    made.check()


def test_an_insolvent_auction_pays_each_taker_for_his_part_of_what_there_was() -> None:
    made = below(cash=2_000)
    made.mark("BTC-USDT-PERP", 57_000)
    begun = made.start(insurance=10_000)
    made.wait(100)
    half = made.bid("bob", "0.5")
    assert (half.left_e18, half.bid.received_e8) == (10**18 // 2, -begun.lowest_e8 // 2)
    rest = made.bid("cat", 1, 2)
    assert (rest.left_e18, rest.bid.received_e8) == (0, -begun.lowest_e8 // 2), "all that is left is the other half"
    made.check()


def test_what_a_bidder_pays_is_rounded_up_and_his_part_of_the_value_down() -> None:
    made = below()
    odd = m.TransferTerms("odd", "ann", "USDT", 7, "bank:settlement", "x")
    made.approve(m.TransferApproved(some_meta(), odd))
    begun = made.start()
    made.wait(33)
    stands = made.stands()
    taken = made.bid("bob", "0.137")
    offered = next(one for one in made.events if getattr(one, "change", "") == "OFFERED")
    found = quote.priced(begun, stands, offered.numbers["elapsed_us"] / 1e6, 137 * E8 // 1_000)
    assert found is not None and found.part == Fraction(13, 100)
    share, paid = stands.value_e8 * found.part, Fraction(found.bid.paid) * E8
    assert share.denominator > 1 < paid.denominator, "both are rounded"
    assert taken.bid.paid_e8 == -(-paid // 1)
    assert sum(leg.amount_e8 for leg in taken.bid.legs) == share // 1 - taken.bid.paid_e8
    made.check()
