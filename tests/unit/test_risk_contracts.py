"""Margin before the trade: what an order in a contract needs, and that no accepted order can break initial margin."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.clearing.margining import drafted, standing
from services.clearing.margining.margin import held_by, seen_by
from services.clearing.state import UNKNOWN
from services.risk import holdings, margin
from services.risk.account import State
from services.risk.core import SERVICE as RISK
from tests.unit import contract_desk
from tests.unit.contract_desk import E8, future, instrument, option
from tests.unit.contract_desk import terms as perpetual
from tests.unit.desk import ANN, LIMITS, START_US, Desk, mark, submit, terms, transfer
from truetape import ids
from truetape import messages as m
from truetape.audit.archive import Seen
from truetape.audit.findings import Findings
from truetape.audit.killswitch import KillSwitch
from truetape.audit.merge import Given
from truetape.audit.order_rules import OrderRules
from truetape.happenings import Part
from truetape.margin.account import AssetMargin, assess
from truetape.margin.published import Published
from truetape.marks import Marks
from truetape.reference import Reference
from truetape.service import Input, Tables, Tick

PERP, CALL = "BTC-USDT-PERP", "BTC-USDT-20231115-60000-C"
FEES = m.Fees(10_000, 50_000)


class Pair:
    """Risk and clearing of one account, with a mark of 60 000: what clearing books, risk hears."""

    def __init__(self, *known: m.Instrument, deposit: int = 100, mark_of: tuple[m.MarkPublished, ...] = ()) -> None:
        self.clearing = contract_desk.Desk(*known, fees=FEES)
        self.clearing.now_us = START_US
        reference: Reference = self.clearing.reference
        reference.limits["*"] = msgspec.structs.replace(LIMITS, max_open_orders=100)
        marks = mark_of or tuple(mark("60000", instrument_id=one.instrument_id) for one in known)
        tables = Tables(reference, Marks({one.instrument_id: one for one in marks}))
        self.risk: Desk[State] = Desk(RISK, tables)
        self._orders = 0
        self.findings = Findings()
        self._rules = OrderRules(self.findings, Seen(), KillSwitch())
        if deposit:
            approved = self.risk.give(m.RequestTransfer(transfer(str(deposit)), "key", START_US))
            self.risk.give(self.clearing.approve(approved))

    def order(self, side: m.Side, contracts: int, price: str, name: str = PERP) -> Any:
        """Ask for an order."""
        self._orders += 1
        answer = self.risk.give(submit(terms(side, str(contracts), price, str(self._orders), instrument_id=name)))
        self._rules.take(Given(Part("orders.decisions", 0), self._orders, answer, True))
        return answer

    def fill(self, accepted: m.OrderAccepted, contracts: int, price: int) -> None:
        """The venue fills a part."""
        order = accepted.order
        entry = self.clearing.fill(ANN, order.side, contracts, price, order.instrument_id, order_id=order.order_id)
        self.risk.give(entry)

    def free_e8(self) -> int:
        """What is left of the equity when every worst fill has its margin and every order its cost."""
        tables = self.risk.tables
        market = Published(tables.marks, tables.reference, START_US, 10**12)
        return margin.free_e8(holdings.owing(self.risk.state, ANN), "USDT", market, spends=False)


@pytest.mark.parametrize(
    ("side", "contracts", "price", "held", "adds"),
    [
        #  0.01 BTC each, margin 10 %: 60 USDT a contract at 60 000; fee 0.05 %
        ("BUY", 1, "60000", 0.3, 60),
        ("BUY", 1, "59000", 0.295, 60),
        ("BUY", 1, "61000", 0.305 + 10, 60),
        ("SELL", 1, "59000", 0.295 + 10, 60),
        ("SELL", 1, "61000", 0.305, 60),
    ],
)
def test_an_order_holds_fee_and_slip_and_adds_margin(
    side: Any, contracts: int, price: str, held: float, adds: int
) -> None:
    answer = Pair(instrument(PERP, perpetual())).order(side, contracts, price)
    assert isinstance(answer, m.OrderAccepted)
    assert answer.margin is not None
    assert (answer.reserved_asset, answer.reserved_e8) == ("USDT", round(held * E8))
    assert (answer.margin.adds_e8, answer.margin.equity_e8) == (adds * E8, 100 * E8)


def test_leverage_ends_where_margin_does() -> None:
    pair = Pair(instrument(PERP, perpetual()))
    first = pair.order("BUY", 1, "60000")
    refused = pair.order("BUY", 1, "60000")
    assert (refused.reason, refused.numbers["needed_e8"]) == ("INSUFFICIENT_FUNDS", 60 * E8 + E8 * 3 // 10)
    assert isinstance(pair.order("SELL", 1, "60000"), m.OrderAccepted), "only one of both can end in a position"
    pair.fill(first, 1, 60_000)
    assert pair.order("SELL", 3, "60000").reason == "INSUFFICIENT_FUNDS"


def test_who_is_short_of_margin_may_still_reduce() -> None:
    pair = Pair(instrument(PERP, perpetual()), deposit=61)
    pair.fill(pair.order("BUY", 1, "60000"), 1, 60_000)
    pair.risk.tables.marks.newest[PERP] = mark("57000", instrument_id=PERP)
    assert pair.free_e8() < 0
    assert pair.order("BUY", 1, "50000").reason == "INSUFFICIENT_FUNDS"
    pair.risk.tables.reference.trading_states[ANN] = "REDUCING"
    assert isinstance(pair.order("SELL", 1, "57000"), m.OrderAccepted)
    assert pair.order("SELL", 1, "57000").reason == "TRADING_REDUCING", "one contract is held, and is being sold"


def test_profit_that_is_not_paid_margins_contracts_and_cannot_leave() -> None:
    pair = Pair(instrument(PERP, perpetual()), deposit=70)
    pair.fill(pair.order("BUY", 1, "60000"), 1, 60_000)
    pair.risk.tables.marks.newest[PERP] = mark("70000", instrument_id=PERP)
    assert isinstance(pair.order("BUY", 1, "70000"), m.OrderAccepted), "100 of profit are 1.4 contracts"
    asked = m.RequestTransfer(transfer("-1", reference="2"), "key", START_US)
    refused = pair.risk.give(asked)
    assert refused.reason == "INSUFFICIENT_FUNDS"


def test_a_position_without_a_fresh_mark_is_not_taken_for_nothing() -> None:
    other = "ETH-USDT-PERP"
    pair = Pair(instrument(PERP, perpetual()), instrument(other, perpetual()), deposit=1_000)
    pair.fill(pair.order("BUY", 1, "60000"), 1, 60_000)
    marks = pair.risk.tables.marks.newest
    marks[PERP] = mark("60000", START_US - 6_000_000, PERP)
    stale = pair.order("BUY", 1, "60000", other)
    assert (stale.reason, stale.numbers["of_position"]) == ("MARK_STALE", 1)
    del marks[PERP]
    assert pair.order("BUY", 1, "60000", other).reason == "MARK_MISSING"
    assert pair.risk.give(m.RequestTransfer(transfer("-1", reference="2"), "key", START_US)).reason == "MARK_MISSING"


def test_options_cost_their_premium_or_margin_of_their_underlying() -> None:
    call = instrument(CALL, option("CALL", 60_000, index="BTC-USDT"))
    marks = (mark("500", instrument_id=CALL), mark("61000"))
    bought = Pair(call, deposit=1_000, mark_of=marks).order("BUY", 1, "500", CALL)
    assert (bought.reserved_e8, bought.margin.adds_e8) == (50_025_000_000, 0)
    pair = Pair(call, deposit=10_000, mark_of=marks)
    sold = pair.order("SELL", 1, "500", CALL)
    assert (sold.reserved_e8, sold.margin.adds_e8) == (25_000_000, 6_100 * E8)
    pair.fill(sold, 1, 500)
    assert pair.free_e8() == 10_000 * E8 - 25_000_000 - 6_100 * E8
    assert Pair(call, deposit=1_000, mark_of=marks[:1]).order("SELL", 1, "500", CALL).reason == "MARK_MISSING"


def test_an_inverse_contract_needs_its_base_asset() -> None:
    name = "BTC-USD-PERP"
    inverse = instrument(name, perpetual(style="INVERSE", settlement_asset="BTC", multiplier_e8=10 * E8))
    pair = Pair(inverse)
    refused = pair.order("BUY", 600, "60000", name)  # 0.1 BTC notional, each contract's margin and fee rounded up.
    assert (refused.reason, refused.numbers["needed_e8"]) == ("INSUFFICIENT_FUNDS", 1_005_600)
    assert pair.order("BUY", 600, "60000", "NOPE-USD-PERP").reason == "INSTRUMENT_UNKNOWN"


ACTIONS = st.one_of(
    st.tuples(st.just("order"), st.sampled_from(["BUY", "SELL"]), st.integers(1, 5), st.integers(55_000, 65_000)),
    st.tuples(st.just("fill"), st.integers(0, 20), st.integers(1, 5), st.integers(0, 2_000)),
)


@pytest.mark.parametrize("style", ["LINEAR", "QUANTO"])
@settings(max_examples=40, deadline=None)
@given(deposit=st.integers(50, 800), actions=st.lists(ACTIONS, min_size=2, max_size=30))
def test_no_fill_of_accepted_orders_breaks_initial_margin(style: Any, deposit: int, actions: list[Any]) -> None:
    """Whatever is accepted, whatever of it fills, in any order, at its limit or better: equity stays above margin.

    What is free may be less than nothing: an order that only reduces passes without having its fee at hand.
    """
    asset = "USDT" if style == "LINEAR" else "EUR"
    pair = Pair(instrument(PERP, perpetual(style=style, settlement_asset=asset)), deposit=0)
    deposited = msgspec.structs.replace(transfer(str(deposit)), asset=asset)
    pair.risk.give(pair.clearing.approve(pair.risk.give(m.RequestTransfer(deposited, "key", START_US))))
    left: list[list[Any]] = []
    for action in actions:
        if action[0] == "order":
            _, side, contracts, price = action
            answer = pair.order(side, contracts, str(price))
            if isinstance(answer, m.OrderAccepted):
                left.append([answer, contracts])
        elif left:
            _, which, contracts, better = action
            one = left[which % len(left)]
            filled = min(contracts, one[1])
            sign = -1 if one[0].order.side == "BUY" else 1
            if filled:
                pair.fill(one[0], filled, one[0].limit_price_e8 // E8 + sign * better)
            one[1] -= filled
        tables = pair.risk.tables
        market = Published(tables.marks, tables.reference, START_US, 10**12)
        account = pair.risk.state.accounts[ANN]
        found = margin.standing(account, asset, market)
        assert found.equity_e8 >= found.required_e8
    pair.clearing.check()
    assert pair.findings.kept == []
    assert not left or pair.findings.checked["margin is enough"] > 0


MOVES = st.one_of(
    st.tuples(st.just("trade"), st.sampled_from(["BUY", "SELL"]), st.integers(1, 5), st.integers(55_000, 65_000)),
    st.tuples(st.just("funding"), st.integers(-(10**15), 10**15), st.integers(1, 28_800), st.integers(50_000, 70_000)),
    st.tuples(st.just("settle"), st.just("BUY"), st.just(0), st.integers(55_000, 65_000)),
)


@pytest.mark.parametrize(
    ("style", "asset", "multiplier_e8"),
    [("LINEAR", "USDT", E8 // 100), ("QUANTO", "EUR", 100), ("INVERSE", "BTC", 100 * E8)],
)
@settings(max_examples=40, deadline=None)
@given(moves=st.lists(MOVES, min_size=1, max_size=12))
def test_risk_and_clearing_count_the_same_equity_with_funding_that_is_not_booked(
    style: Any, asset: str, multiplier_e8: int, moves: list[Any]
) -> None:
    of = perpetual(style=style, settlement_asset=asset, multiplier_e8=multiplier_e8)
    pair = Pair(instrument(PERP, of), deposit=0)
    for kind, first, second, price in moves:
        before = len(pair.clearing.events)
        if kind == "trade":
            pair.clearing.trade(ANN, first, second, price, PERP)
        elif kind == "funding":
            numbers = {"rate_e18": first, "elapsed_us": second * 1_000_000}
            pair.clearing.fact("FUNDING", PERP, price * E8, numbers=numbers)
        else:
            pair.clearing.fact("SETTLEMENT_PRICE", PERP, price * E8)
        for event in pair.clearing.events[before:]:
            if isinstance(event, m.EntryBooked | m.ContractFactTaken):
                pair.risk.give(event)
        tables = pair.risk.tables
        seen = Published(tables.marks, tables.reference, START_US, 10**12)
        booked = pair.clearing.state
        ours = assess(
            booked.balances.get(f"client:{ANN}", {}), held_by(booked, booked.accounts.get(ANN, UNKNOWN)), seen
        )
        theirs = margin.standing(holdings.owing(pair.risk.state, ANN), asset, seen)
        _three_ways(pair, asset, ours)
        assert theirs.equity_e8 == (ours[asset].equity_e8 if asset in ours else booked_cash(booked, asset))
        assert theirs.required_e8 == (ours[asset].initial_e8 if asset in ours else 0)


def _three_ways(pair: Pair, asset: str, ours: dict[str, AssetMargin]) -> None:
    """The account's margin, how it stands for an auction, and what it would be with drafts: all say the same."""
    state, tick = pair.clearing.state, m.Cause("timer", 0, -1, "1")
    asked = Input(Tick(START_US), tick, START_US, "clearing.entries", 1, 1, pair.risk.tables, 0)
    made = drafted.drafts(state, asked, ANN)
    would = drafted.assessed(drafted.balances(state, ANN, made), made, seen_by(asked))
    stands = standing.standing(state, asked, ANN, asset)
    assert would.keys() == ours.keys() and (stands is not None) == (asset in ours)
    if stands is not None:
        assert would[asset].equity_e8 == stands.margin.equity_e8 == ours[asset].equity_e8
        assert would[asset].initial_e8 == stands.margin.initial_e8 == ours[asset].initial_e8
        assert abs(stands.value_e8 - ours[asset].equity_e8) <= 1, "the same, rounded half to even"


def booked_cash(of: Any, asset: str) -> int:
    cash: int = of.balances.get(f"client:{ANN}", {}).get(asset, 0)
    return cash


def test_funding_that_is_owed_is_not_free() -> None:
    """A rate of 1 % a period on 600 USDT: 6 USDT are owed as soon as the step is there, and nothing is booked."""
    pair = Pair(instrument(PERP, perpetual()), deposit=100)
    pair.fill(pair.order("BUY", 1, "60000"), 1, 60_000)
    free_e8 = pair.free_e8()
    numbers = {"rate_e18": 10**16, "elapsed_us": 8 * contract_desk.HOUR_US}
    (taken,) = pair.clearing.fact("FUNDING", PERP, 60_000 * E8, numbers=numbers)
    answer = pair.risk.give(taken)
    assert isinstance(answer, m.FundingAccrued)
    assert pair.free_e8() == free_e8 - 6 * E8
    assert pair.clearing.cash(f"client:{ANN}") == pair.risk.state.accounts[ANN].balances["USDT"]


def test_a_step_of_funding_touches_no_account() -> None:
    """However many hold the contract: what they owe is reckoned when somebody asks."""
    state = State()
    holdings.hold(state.account(ANN), m.ContractHeld(PERP, E8, 60_000 * E8, 0, funding_index_e18="0"))
    before = msgspec.msgpack.encode(state.accounts)
    meta = m.Meta(1, 1, m.Cause("clearing.entries", 0, 1, ""), START_US, "e", "f")
    state = RISK.evolve(state, m.FundingAccrued(meta, PERP, str(6 * 10**18), "f"))
    assert msgspec.msgpack.encode(state.accounts) == before
    assert holdings.owing(state, ANN).contracts[PERP].unpaid_e8 == -6 * E8
    assert holdings.owing(state, ANN).contracts[PERP].cost_e8 == 60_000 * E8


def test_who_holds_nothing_any_more_owes_no_funding() -> None:
    state, index_e18 = State(), str(10**18)
    for quantity_e8 in (E8, 0):
        cost_e8 = quantity_e8 * 60_000
        holdings.hold(state.account(ANN), m.ContractHeld(PERP, quantity_e8, cost_e8, 0, funding_index_e18="0"))
    meta = m.Meta(1, 1, m.Cause("clearing.entries", 0, 1, ""), START_US, "e", "f")
    state = RISK.evolve(state, m.FundingAccrued(meta, PERP, index_e18, "f"))
    assert (state.funding, state.accounts[ANN].contracts, state.accounts[ANN].funded) == ({PERP: index_e18}, {}, {})


@pytest.mark.parametrize(
    ("style", "multiplier_e8", "price", "contracts", "fits"),
    [
        #  notional in the settlement asset, and as limits count it
        ("LINEAR", E8 // 100, 60_000, 10**8, True),  # 6e10 USDT; price times quantity alone is 6e12.
        ("LINEAR", E8 // 100, 60_000, 2 * 10**8, False),  # 1.2e11
        ("LINEAR", 100 * E8, 60_000, 10**4, True),  # 6e10
        ("LINEAR", 100 * E8, 60_000, 2 * 10**4, False),  # 1.2e11, where price times quantity is 1.2e9.
        ("QUANTO", 100, 60_000, 10**10, True),
        ("INVERSE", 10 * E8, 60_000, 9 * 10**9, True),  # 9e10 USD, 1.5e6 BTC; price times quantity is 5.4e14.
        ("INVERSE", 10 * E8, 60_000, 10**10, False),  # 1e11 USD
        ("INVERSE", 10 * E8, 0, 1, False),
    ],
)
def test_a_number_is_too_large_by_the_contracts_own_notional(
    style: Any, multiplier_e8: int, price: int, contracts: int, fits: bool
) -> None:
    of = perpetual(style=style, multiplier_e8=multiplier_e8)
    assert margin.notional_fits(of, contracts * E8, price * E8) == fits


def test_futures_expire_and_free_their_margin() -> None:
    name = "BTC-USDT-20231115"
    pair = Pair(instrument(name, future()), deposit=100)
    pair.fill(pair.order("BUY", 1, "60000", name), 1, 60_000)
    assert pair.free_e8() == 100 * E8 - 60 * E8 - 30_000_000
    expiry_us = contract_desk.EXPIRY_US
    pair.clearing.now_us = max(expiry_us, pair.clearing.now_us)
    events = pair.clearing.fact("EXPIRY", name, 61_000 * E8, effective_at_us=expiry_us, observed_at_us=expiry_us)
    for event in events:
        if isinstance(event, m.EntryBooked):
            pair.risk.give(event)
    assert pair.free_e8() == 110 * E8 - 30_000_000
    assert pair.risk.state.accounts[ANN].contracts == {}


def test_a_withdrawal_of_who_holds_more_than_64_bits_is_refused_by_name() -> None:
    name = "DOGE-USD-PERP"
    inverse = instrument(name, perpetual(style="INVERSE", settlement_asset="DOGE", multiplier_e8=10 * E8))
    pair = Pair(inverse, mark_of=(mark("1", instrument_id=name),))
    pair.risk.give(pair.clearing.trade(ANN, "BUY", 10**6, 1, name))
    pair.risk.tables.marks.newest[name] = mark("0.00005", instrument_id=name)
    asked = m.TransferTerms(ids.transfer_id(ANN, "w"), ANN, "DOGE", -1, "bank:settlement", "w")
    assert pair.risk.give(m.RequestTransfer(asked, "key", START_US)).reason == "NUMBER_TOO_LARGE"


# -- at the edge -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("over_e8", "passes"), [(0, True), (1, False)])
def test_an_order_that_reduces_may_cost_what_it_frees(over_e8: int, passes: bool) -> None:
    """One contract of 600 USDT frees 60; who is short of margin may sell it at a cost of that, and no unit more."""
    known = instrument(PERP, perpetual())
    pair = Pair(known)
    pair.fill(pair.order("BUY", 1, "60000"), 1, 60_000)
    tables = pair.risk.tables
    seen = Published(tables.marks, tables.reference, START_US, 10**12)
    made = m.OrderMargin(60 * E8 + over_e8, 0, 0, 0, 0)
    account = holdings.owing(pair.risk.state, ANN)
    assert margin.only_reduces(made, account, known, "SELL", E8, 60_000 * E8, 50_000, seen) == passes


@pytest.mark.parametrize(("contracts", "passes"), [(89, True), (90, False)])
def test_collateral_alone_margins_the_first_position(contracts: int, passes: bool) -> None:
    """0.1 BTC less a tenth are 5 400 USDT: 90 contracts need just as much, and their fee besides."""
    pair = Pair(instrument(PERP, perpetual()), deposit=0)
    pair.risk.tables.reference.collateral["BTC"] = m.CollateralAsset(
        "BTC", "USDT", 1, "BTC-USDT", E8 // 10, E8, 0, 1, 10**12
    )
    pair.risk.tables.marks.newest["BTC-USDT"] = mark("60000")
    brought = m.RequestTransfer(transfer("0.1", "BTC", "btc"), "key", START_US)
    pair.risk.give(pair.clearing.approve(pair.risk.give(brought)))
    answer = pair.order("BUY", contracts, "60000")
    assert isinstance(answer, m.OrderAccepted) == passes
    if not passes:
        assert (answer.reason, answer.numbers["available_e8"]) == ("INSUFFICIENT_FUNDS", 5_400 * E8)
        return
    pair.fill(answer, contracts, 60_000)
    assert pair.free_e8() >= 0
    assert pair.clearing.cash(f"client:{ANN}") < 0, "what is missing in cash is for the collateral to bear"


@pytest.mark.parametrize(("amount", "goes"), [("-40", True), ("-40.00000001", False)])
def test_collateral_lets_no_cash_go_that_orders_hold(amount: str, goes: bool) -> None:
    """100 USDT, of which an order that would lose 60 against the mark holds those; ten BTC stand behind it."""
    pair = Pair(instrument(PERP, perpetual()))
    reference = pair.risk.tables.reference
    reference.collateral["BTC"] = m.CollateralAsset("BTC", "USDT", 1, "BTC-USDT", 0, E8, 0, 1, 10**12)
    reference.fees["*"] = m.Fees(0, 0)
    pair.risk.tables.marks.newest["BTC-USDT"] = mark("60000")
    brought = m.RequestTransfer(transfer("10", "BTC", "btc"), "key", START_US)
    pair.risk.give(pair.clearing.approve(pair.risk.give(brought)))
    held = pair.order("BUY", 2, "63000")
    assert held.reserved_e8 == 60 * E8
    answer = pair.risk.give(m.RequestTransfer(transfer(amount, reference="out"), "key", START_US))
    assert isinstance(answer, m.TransferApproved) == goes


def test_sides_that_are_closed_against_each_other_still_owe_their_funding() -> None:
    state = State()
    account = state.account(ANN)
    holdings.hold(account, m.ContractHeld(PERP, E8, 60_000 * E8, 0, 3 * E8, -2 * E8, "0"))
    meta = m.Meta(1, 1, m.Cause("clearing.entries", 0, 1, ""), START_US, "e", "f")
    event = m.SidesClosedOut(meta, "x", ANN, PERP, 2 * E8, "op", 0, E8, 0)
    holdings.hold(account, holdings.closed_out(account, event))
    state = RISK.evolve(state, m.FundingAccrued(meta, PERP, str(6 * 10**18), "f"))
    assert account.sides == {PERP: (E8, 0)}
    assert holdings.owing(state, ANN).contracts[PERP].unpaid_e8 == -6 * E8


@pytest.mark.parametrize(("kind", "fee"), [("NOVATION", 0.3), ("GIVE_UP", 0), ("ALLOCATION", 0)])
def test_a_trade_holds_its_fee_and_a_leg_that_moves_holds_none(kind: str, fee: float) -> None:
    pair = Pair(instrument(PERP, perpetual()))
    meta = m.Meta(1, 1, m.Cause("clearing.commands", 0, 1, ""), START_US, "e", "f")
    leg = m.TradeLeg("l1", ANN, PERP, "BUY", E8, 60_000 * E8)
    asked = m.LegChanged(meta, "c", ANN, ANN, "t", kind, "bob", leg, "RESERVING", "", "", START_US + E8, "r", "op")
    answer = pair.risk.give(asked)
    assert isinstance(answer, m.LegAssessed) and answer.accepted
    assert answer.reserved_e8 == round(fee * E8)
