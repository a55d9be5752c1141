"""Margin before the trade by models: what risk accepts can never break initial margin, whatever fills, in any order."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.risk import margin
from services.risk.account import State
from tests.unit.contract_desk import E8, future, instrument, option
from tests.unit.contract_desk import terms as perpetual
from tests.unit.desk import ANN, BTC, START_US, mark, submit, terms, transfer
from tests.unit.margin_stage import TIERS
from tests.unit.test_risk_contracts import Pair
from truetape import messages as m
from truetape.margin.account import assess
from truetape.margin.classed import ClassBook
from truetape.margin.published import Published
from truetape.service import Tables

PERP, DATED = "BTC-USDT-PERP", "BTC-USDT-20231115"
CALL, PUT = f"{DATED}-60000-C", f"{DATED}-55000-P"
ARRAYS = {
    "name": "today", "currency": "USDT",
    "commodities": [{
        "name": "BTC", "short_option_minimum": 100.0, "spreads": [
            {"charge": 30.0, "long": {"tier": 1}, "short": {"tier": 2}}],
        "contracts": [
            {"instrument_id": PERP, "kind": "FUTURE", "tier": 1, "delta": 0.01,
             "losses": [0, 0, -20, -20, 20, 20, -40, -40, 40, 40, -60, -60, 60, 60, -60, 60]},
            {"instrument_id": CALL, "kind": "CALL", "tier": 2, "delta": 0.5, "value": 900.0,
             "losses": [-50, 60, -900, -800, 500, 600, -2000, -1900, 700, 800, -3500, -3400, 800, 900, -4000, 900]},
        ],
    }],
}  # fmt: skip
CONTRACTS = {
    PERP: perpetual(margin_class="house"),
    DATED: future(margin_class="house"),
    CALL: option("CALL", 60_000, margin_class="house"),
    PUT: option("PUT", 55_000, margin_class="house"),
}
PRICES = {PERP: 60_000, DATED: 60_100, CALL: 900, PUT: 40, "BTC-USDT": 60_010}
CASES: list[tuple[str, Any, tuple[str, ...]]] = [
    ("standard", {}, (PERP, CALL, PUT)),
    ("portfolio_v1", {}, (PERP, CALL, PUT)),
    ("portfolio_v2", {}, (PERP, CALL, PUT)),
    ("deribit", {}, (PERP, DATED, CALL, PUT)),
    ("tiers", TIERS, (PERP, DATED)),
    ("opyn", {}, (CALL, PUT)),
    ("risk_arrays", ARRAYS, (PERP, CALL)),
]


def pair(model: str, parameters: Any = None, names: tuple[str, ...] = (PERP, CALL, PUT), deposit: int = 0) -> Pair:
    """Risk and clearing of one account, contracts of one class, marks, and BTC-USDT for spot."""
    known = [instrument(name, CONTRACTS[name]) for name in names]
    marks = tuple(mark(str(PRICES[name]), instrument_id=name) for name in (*names, "BTC-USDT"))
    made = Pair(*known, deposit=deposit, mark_of=marks)
    made.clearing.now_us = START_US
    reference = made.risk.tables.reference
    reference.instruments["BTC-USDT"] = BTC
    reference.margin_classes["house"] = m.MarginClass("house", model, 1, json.dumps(parameters or {}))
    return made


def excess_e8(one: Pair) -> int:
    """Initial excess of the positions alone, at the marks: what must never be below zero."""
    account, tables = one.risk.state.accounts[ANN], one.risk.tables
    seen = Published(tables.marks, tables.reference, START_US, 10**12)
    found = assess(account.balances, account.contracts, seen).get("USDT")
    return account.balances.get("USDT", 0) if found is None else found.initial_excess_e8


class Orders:
    """Orders of a desk, and what of them is left."""

    def __init__(self, desk: Pair) -> None:
        self.desk, self.left, self.accepted = desk, list[list[Any]](), 0

    def act(self, action: tuple[Any, ...], names: tuple[str, ...]) -> None:
        """Ask for an order, or fill a part of one at its limit or better."""
        if action[0] == "order":
            _, side, contracts, which, tenths = action
            name = names[which % len(names)]
            price = max(round(PRICES[name] * (1 + tenths / 1000)), 1)
            answer = self.desk.order(side, contracts, str(price), name)
            if isinstance(answer, m.OrderAccepted):
                self.left.append([answer, contracts])
                self.accepted += 1
        elif self.left:
            _, which, contracts, better = action
            one = self.left[which % len(self.left)]
            filled = min(contracts, one[1])
            if filled:
                sign = -1 if one[0].order.side == "BUY" else 1
                price = max(one[0].limit_price_e8 // E8 + sign * better, 1)
                self.desk.fill(one[0], filled, price)
                one[1] -= filled


ACTIONS = st.one_of(
    st.tuples(
        st.just("order"), st.sampled_from(["BUY", "SELL"]), st.integers(1, 4), st.integers(0, 5), st.integers(-60, 60)
    ),
    st.tuples(st.just("fill"), st.integers(0, 20), st.integers(1, 4), st.integers(0, 50)),
)


@pytest.mark.parametrize(("model", "parameters", "names"), CASES, ids=[case[0] for case in CASES])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(deposit=st.integers(100, 40_000), actions=st.lists(ACTIONS, min_size=2, max_size=14))
def test_no_fill_of_accepted_orders_breaks_initial_margin(
    model: str, parameters: Any, names: tuple[str, ...], deposit: int, actions: list[Any]
) -> None:
    desk = pair(model, parameters, names, deposit)
    orders = Orders(desk)
    for action in actions:
        orders.act(action, names)
        assert excess_e8(desk) >= 0
    desk.clearing.check()
    assert desk.findings.kept == []
    assert not orders.accepted or desk.findings.checked["margin is enough"] > 0


@pytest.mark.parametrize("bug", ["open orders are not looked at", "limits are not looked at"])
def test_a_bug_in_the_floor_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same desk with a planted bug: what is accepted then breaks margin."""
    right = ClassBook.floors_e8

    def wrong(self: ClassBook, positions: Any, coins: Any, orders: Any, counts: Any) -> list[int]:
        if bug == "open orders are not looked at":
            return [right(self, positions, coins, orders[:one][-1:], [min(one, 1)])[0] for one in counts]
        at_mark = [one._replace(limit_e8=PRICES[one.name] * E8) for one in orders]
        return right(self, positions, coins, at_mark, counts)

    def least(planted: bool) -> int:
        with monkeypatch.context() as patch:
            if planted:
                patch.setattr(ClassBook, "floors_e8", wrong)
            desk = pair("portfolio_v2", {}, (PERP,), 2_000)
            orders = Orders(desk)
            for _ in range(6):
                orders.act(("order", "BUY", 4, 0, 60), (PERP,))
            for which in range(len(orders.left)):
                orders.act(("fill", which, 4, 0), (PERP,))
            return excess_e8(desk)

    assert least(planted=False) >= 0
    assert least(planted=True) < 0


def test_an_order_says_which_model_margined_it() -> None:
    answer = pair("standard", deposit=10_000).order("SELL", 1, "900", CALL)
    assert answer.margin.model == "house (standard, version 1)"
    # 15 % of the spot, and fee: it holds the fee alone
    assert answer.margin.adds_e8 == pytest.approx((0.15 * 60_010 + 0.45) * E8, abs=2_000)
    assert (answer.reserved_e8, answer.margin.equity_e8) == (45_000_000, 10_000 * E8)


def test_a_hedge_needs_less_than_its_parts() -> None:
    """A short call against a perpetual that is held; both sides alone need much more."""
    desk = pair("portfolio_v2", deposit=50_000)
    bought = desk.order("BUY", 100, "60000")
    desk.fill(bought, 100, 60_000)
    hedged = desk.order("SELL", 1, "900", CALL)
    naked = pair("portfolio_v2", deposit=50_000).order("SELL", 1, "900", CALL)
    assert hedged.margin.adds_e8 < naked.margin.adds_e8 / 2


def test_a_premium_is_paid_in_cash() -> None:
    refused = pair("portfolio_v2", deposit=899).order("BUY", 1, "900", CALL)
    assert (refused.reason, refused.numbers["needed_e8"]) == ("INSUFFICIENT_FUNDS", 90_045_000_000)
    assert isinstance(pair("portfolio_v2", deposit=2_000).order("BUY", 1, "900", CALL), m.OrderAccepted)


def test_who_is_short_of_margin_may_still_reduce() -> None:
    desk = pair("standard", deposit=4_100)
    desk.fill(desk.order("BUY", 100, "60000"), 100, 60_000)
    desk.risk.tables.marks.newest[PERP] = mark("57000", instrument_id=PERP)
    assert excess_e8(desk) < 0
    assert desk.order("BUY", 1, "57000").reason == "INSUFFICIENT_FUNDS"
    assert isinstance(desk.order("SELL", 100, "57000"), m.OrderAccepted)
    assert desk.order("SELL", 1, "57000").reason == "INSUFFICIENT_FUNDS", "all of it is being sold"


def test_more_open_orders_than_a_model_can_look_at_are_refused_by_name() -> None:
    desk = pair("tiers", TIERS, (PERP,), 100_000)
    answers = [desk.order("BUY", 1, "60000") for _ in range(11)]
    assert [answer.reason for answer in answers if isinstance(answer, m.OrderRejected)] == ["TOO_MANY_OPEN_ORDERS"]


def test_what_the_model_cannot_margin_is_refused() -> None:
    desk = pair("tiers", {"tiers": {"ETH": TIERS["tiers"]["ETH"]}}, (PERP,), 100_000)
    assert desk.order("BUY", 1, "60000").reason == "MARK_MISSING"
    desk = pair("standard", deposit=100_000)
    del desk.risk.tables.marks.newest["BTC-USDT"]
    assert desk.order("BUY", 1, "60000").reason == "MARK_MISSING"


# -- collateral --------------------------------------------------------------------------------------------------------


def collateral(desk: Pair, haircut: float, cancels_risk: bool = False) -> None:
    """One BTC, which backs contracts that settle in USDT."""
    desk.risk.tables.reference.collateral["BTC"] = m.CollateralAsset(
        "BTC", "USDT", 1, "BTC-USDT", round(haircut * E8), E8, 0, 1, 60_000_000, cancels_risk
    )
    deposited = transfer("1", asset="BTC", reference="btc")
    desk.risk.give(desk.clearing.approve(desk.risk.give(m.RequestTransfer(deposited, "key", START_US))))


def test_another_asset_backs_margin_with_its_haircut() -> None:
    desk = pair("standard", deposit=100)
    assert desk.order("BUY", 100, "60000").reason == "INSUFFICIENT_FUNDS"
    collateral(desk, 0.1)
    answer = desk.order("BUY", 100, "60000")
    assert answer.margin.equity_e8 == (100 + 54_009) * E8


def test_collateral_that_margin_needs_can_neither_be_sold_nor_withdrawn() -> None:
    desk = pair("standard", deposit=100)
    collateral(desk, 0.1)
    desk.fill(desk.order("BUY", 1_000, "60000"), 1_000, 60_000)  # 39 000 and fees of 300

    def sell(quantity: str, number: str) -> Any:
        return desk.risk.give(submit(terms("SELL", quantity, "60010", number)))

    assert sell("0.5", "s1").reason == "INSUFFICIENT_FUNDS"
    assert isinstance(sell("0.2", "s2"), m.OrderAccepted)
    assert sell("0.2", "s3").reason == "INSUFFICIENT_FUNDS"
    asked = transfer("-0.2", asset="BTC", reference="w")
    assert desk.risk.give(m.RequestTransfer(asked, "key", START_US)).reason == "INSUFFICIENT_FUNDS"
    small = transfer("-0.01", asset="BTC", reference="w2")
    assert isinstance(desk.risk.give(m.RequestTransfer(small, "key", START_US)), m.TransferApproved)


def test_the_underlying_cancels_risk_in_portfolio_margin() -> None:
    """A short perpetual on 0.9 BTC against one BTC: shocked together, 18 % up costs next to nothing."""
    left = []
    for cancels_risk in (False, True):
        desk = pair("portfolio_v2", deposit=2_000)
        collateral(desk, 0.02, cancels_risk)
        desk.fill(desk.order("SELL", 90, "60000"), 90, 60_000)
        left.append(excess_e8(desk))
    assert left[1] > left[0] + 8_000 * E8


def test_collateral_without_a_fresh_mark_counts_for_nothing() -> None:
    desk = pair("standard", deposit=100)
    collateral(desk, 0.1)
    reference = desk.risk.tables.reference
    reference.collateral["BTC"] = msgspec.structs.replace(reference.collateral["BTC"], index="BTC-EUR")
    assert desk.order("BUY", 100, "60000").reason == "INSUFFICIENT_FUNDS"


def test_collateral_is_what_its_own_contracts_leave() -> None:
    """BTC that margins a contract settled in BTC backs USDT only beyond that."""
    desk = pair("standard", deposit=100)
    collateral(desk, 0.0)
    name = "BTC-USD-PERP"
    inverse = perpetual(style="INVERSE", settlement_asset="BTC", multiplier_e8=10 * E8, margin_class="flat")
    desk.risk.tables.reference.instruments[name] = instrument(name, inverse)
    desk.risk.tables.marks.newest[name] = mark("60000", instrument_id=name)
    whole = desk.order("BUY", 1, "60000").margin.equity_e8
    assert isinstance(desk.order("BUY", 3_000, "60000", name), m.OrderAccepted)
    left = desk.order("BUY", 1, "60000").margin.equity_e8
    # 10 % of 0.5 BTC and its fee
    assert whole - left == pytest.approx((0.05 + 0.00025) * 60_010 * E8, rel=1e-3)


def test_a_snapshot_stands_as_it_stood() -> None:
    desk = pair("standard", deposit=10_000)
    desk.order("SELL", 1, "900", CALL)
    packed = msgspec.msgpack.encode(desk.risk.state)
    again = msgspec.msgpack.decode(packed, type=State)
    tables: Tables = desk.risk.tables
    seen = Published(tables.marks, tables.reference, START_US, 10**12)
    assert margin.standing(again.accounts[ANN], "USDT", seen) == margin.standing(
        desk.risk.state.accounts[ANN], "USDT", seen
    )
