"""Margin of accounts by the models that their contracts' class names, and all accounts in one pass."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.contract_desk import E8, START_US
from tests.unit.margin_desk import LAW
from tests.unit.margin_stage import ETH, MARKS, OPTIONS, PERP, TIERS, accounts, held, option_name, published
from truetape import messages as m
from truetape.errors import MarginInputInvalid, MarginInputMissing, MarkWanted
from truetape.margin.account import Account, AssetMargin, assess, assess_all
from truetape.margin.classed import ClassBook, Coin, OpenOrder
from truetape.margin.published import MarkUsed, Published

NEAR_CALL = option_name(START_US + 2 * 86_400_000_000, 60_000, "CALL")
NEAR_PUT = option_name(START_US + 2 * 86_400_000_000, 60_000, "PUT")
FUTURE = "BTC-USDT-F"
CASES: list[tuple[str, Any, tuple[str, ...]]] = [
    ("standard", {}, (PERP, ETH, *OPTIONS)),
    ("portfolio_v1", {}, (PERP, ETH, *OPTIONS)),
    ("portfolio_v2", {}, (PERP, ETH, *OPTIONS)),
    ("deribit", {}, (PERP, ETH, FUTURE, *OPTIONS)),
    ("tiers", TIERS, (PERP, ETH, FUTURE)),
    ("opyn", {}, tuple(OPTIONS)),
    ("opyn", {"naked": True}, tuple(OPTIONS)),
    ("schedule", {"products": {"BTC": "OTHER", "ETH": "OTHER"}}, (PERP, ETH, FUTURE)),
    ("simm_fx", {}, (PERP, ETH, FUTURE)),
]
MODELS = pytest.mark.parametrize(("model", "parameters", "names"), CASES)


def margin(seen: Published, cash: float, **positions: Any) -> AssetMargin:
    """Of an account with cash in USDT."""
    named = {name.replace("_", "-"): one for name, one in positions.items()}
    return assess({"USDT": round(cash * E8)}, named, seen)["USDT"]


@pytest.mark.parametrize(
    ("model", "parameters", "positions", "initial", "maintenance"),
    [
        #  a perpetual on 0.1 BTC at 60 030: 6.5 % and 5 % of 6 003
        ("standard", {}, {PERP: held(10, 6_000)}, 390.195, 300.15),
        #  Deribit: 2 % and 1 % and 0.005 % per BTC, of 6 003
        ("deribit", {}, {PERP: held(10, 6_000)}, 120.090015, 60.060015),
        #  tiers: 5 % and 3 % of 180 090
        ("tiers", TIERS, {PERP: held(300, 180_000)}, 9_004.5, 5_402.7),
        #  a short put at the money with its worth at the mark owed already: 15 % and 7.5 % of 60 000
        ("standard", {}, {NEAR_PUT: held(-1, -980)}, 9_000.0, 4_500.0),
        #  a long option counts for nothing there, and its loss in a shock in portfolio margin
        ("standard", {}, {NEAR_CALL: held(1, 980)}, 980.0, 980.0),
        #  Opyn: the strike in full
        ("opyn", {}, {NEAR_PUT: held(-1, -980)}, 59_020.0, 59_020.0),
        ("simm_fx", {}, {PERP: held(10, 6_000)}, 444.0, 444.0),
    ],
)
def test_needs_by_model(
    model: str, parameters: Any, positions: dict[str, Any], initial: float, maintenance: float
) -> None:
    found = assess({"USDT": 100 * E8}, positions, published(model, parameters))["USDT"]
    assert (found.initial_e8, found.maintenance_e8) == pytest.approx((initial * E8, maintenance * E8), abs=2)
    assert found.models == (f"house ({model}, version 3)",)
    assert sum(found.contributions.values()) == found.initial_e8
    assert {mark.instrument_id for mark in found.marks} >= positions.keys() | {"BTC-USDT"}


@pytest.mark.parametrize(("quantity_e8", "worth_e8"), [(1, 600), (3, 1_800), (-1, -601), (-3, -1_801)])
def test_what_a_position_is_worth_is_rounded_down_on_both_sides(quantity_e8: int, worth_e8: int) -> None:
    """A contract of 0.01 BTC at 60 030: 600.3 of the smallest unit for each."""
    seen = published("standard", {})
    book = ClassBook(seen.reference.margin_classes["house"], [PERP], seen)
    assert book.worth_e8(PERP, quantity_e8) == worth_e8


def test_what_collateral_is_worth_is_rounded_down() -> None:
    terms = m.CollateralAsset("BTC", "USDT", 1, "BTC-USDT", 5_000_000, E8, 0, 1, 1)
    assert Coin(terms, 3, MarkUsed("BTC-USDT", 6_000_050_000_000, START_US, 1, 1)).worth_e8 == 180_001


def test_equity_counts_options_at_their_marks() -> None:
    found = margin(published("standard"), 100, **{NEAR_PUT: held(-1, -500), PERP: held(10, 6_000, 7)})
    assert found.equity_e8 == (100 - 980 + 3 + 7) * E8
    assert found.worst.startswith("house: BTC ")


def test_classes_are_added_without_offsets() -> None:
    seen = published("standard")
    other = msgspec.structs.replace(seen.reference.margin_classes["house"], name="second", model="portfolio_v2")
    seen.reference.margin_classes["second"] = other
    call = seen.reference.instruments[NEAR_CALL]
    assert call.contract is not None
    terms = msgspec.structs.replace(call.contract, margin_class="second")
    flat = msgspec.structs.replace(call.contract, margin_class="flat")
    alone = [margin(seen, 0, **{PERP: held(10, 6_000)})]
    seen.reference.instruments[NEAR_CALL] = msgspec.structs.replace(call, contract=terms)
    alone.append(margin(seen, 0, **{NEAR_CALL: held(-1)}))
    seen.reference.instruments[NEAR_PUT] = msgspec.structs.replace(call, instrument_id=NEAR_PUT, contract=flat)
    alone.append(margin(seen, 0, **{NEAR_PUT: held(-1)}))
    together = margin(seen, 0, **{PERP: held(10, 6_000), NEAR_CALL: held(-1), NEAR_PUT: held(-1)})
    assert together.initial_e8 == sum(one.initial_e8 for one in alone)
    assert together.maintenance_e8 == sum(one.maintenance_e8 for one in alone)
    assert together.equity_e8 == sum(one.equity_e8 for one in alone)
    assert together.models == ("flat", "house (standard, version 3)", "second (portfolio_v2, version 3)")
    assert sum(together.contributions.values()) == together.initial_e8


def test_an_inverse_perpetual_and_option_need_the_underlying() -> None:
    name, call = "BTC-USD-PERP", "BTC-USD-CALL"
    seen = published("deribit", {"inverse": True})
    perp, option = (seen.reference.instruments[one] for one in (PERP, NEAR_CALL))
    assert perp.contract is not None
    assert option.contract is not None
    inverse: Any = {"style": "INVERSE", "settlement_asset": "BTC"}
    seen.reference.instruments |= {
        name: msgspec.structs.replace(
            perp, quote="USD", contract=msgspec.structs.replace(perp.contract, multiplier_e8=10 * E8, **inverse)
        ),
        call: msgspec.structs.replace(
            option, quote="USD", contract=msgspec.structs.replace(option.contract, **inverse)
        ),
    }
    marks = seen.marks.newest
    marks[name] = msgspec.structs.replace(marks[PERP], instrument_id=name, price_e8=60_000 * E8)
    marks[call] = msgspec.structs.replace(marks[PERP], instrument_id=call, price_e8=E8 // 50)
    found = assess({"BTC": E8}, {name: held(600, -0.1)}, seen)["BTC"]
    assert found.equity_e8 == E8
    assert found.initial_e8 == pytest.approx(0.1 * 0.020005 * E8, abs=1)
    found = assess({"BTC": E8}, {call: held(-1, -0.02)}, seen)["BTC"]
    assert found.equity_e8 == E8 - E8 // 50
    assert found.initial_e8 == pytest.approx(0.15 * E8, abs=2)


@pytest.mark.parametrize(
    ("marks", "changes", "error", "says"),
    [
        ({PERP: 0.0}, {}, MarkWanted, "no mark of BTC-USDT-PERP"),
        ({"BTC-USDT": 0.0}, {}, MarkWanted, "no mark of BTC-USDT"),
        ({}, {"peg": "USDT-USD"}, MarkWanted, "no mark of USDT-USD"),
        ({PERP: -1.0}, {}, MarginInputInvalid, "perpetual price of BTC"),
    ],
)
def test_what_is_missing_is_named(marks: dict[str, float], changes: Any, error: type[Exception], says: str) -> None:
    seen = published("standard", marks=marks, **changes)
    with pytest.raises(error, match=says):
        margin(seen, 100, **{PERP: held(10, 6_000)})


def test_tiers_of_another_underlying_are_missing() -> None:
    with pytest.raises(MarginInputMissing, match="no leverage tiers for ETH"):
        margin(published("tiers", {"tiers": {"BTC": TIERS["tiers"]["BTC"]}}), 0, **{ETH: held(1)})


def test_a_stale_mark_costs_the_models_contingency_and_is_evidence() -> None:
    fresh = margin(published("standard"), 100, **{PERP: held(10, 6_000)})
    stale = margin(published("standard", at_us=START_US + 60_000_001), 100, **{PERP: held(10, 6_000)})
    more_e8 = stale.initial_e8 - fresh.initial_e8
    assert more_e8 == pytest.approx(2_400 * E8, abs=1), "0.4 of the spot's notional"
    assert stale.maintenance_e8 == fresh.maintenance_e8
    assert {mark.stale for mark in stale.marks} == {True}


@pytest.mark.parametrize("price", [0.5, 70_000.0])
def test_a_mark_that_implies_no_volatility_has_no_confidence(price: float) -> None:
    deep = option_name(START_US + 2 * 86_400_000_000, 40_000, "CALL")
    seen, sound = published("standard", marks={deep: price}), published("standard")
    found, wanted = (margin(one, 100, **{deep: held(-1)}) for one in (seen, sound))
    assert found.equity_e8 == round((100 - price) * E8)
    assert found.initial_e8 >= wanted.initial_e8 + 24_000 * E8 - 1, "0.4 of the spot for doubt"


def test_the_forward_is_a_futures_mark_where_there_is_one() -> None:
    seen = published("deribit")
    name = "BTC-USDT-G"
    call = seen.reference.instruments[NEAR_CALL].contract
    plain = margin(seen, 0, **{NEAR_CALL: held(-1)})
    assert call is not None
    future = seen.reference.instruments[FUTURE]
    assert future.contract is not None
    terms = msgspec.structs.replace(future.contract, expires_at_us=call.expires_at_us)
    seen.reference.instruments[name] = msgspec.structs.replace(future, instrument_id=name, contract=terms)
    seen.marks.newest[name] = msgspec.structs.replace(seen.marks.newest[PERP], instrument_id=name, price_e8=60_100 * E8)
    found = margin(seen, 0, **{NEAR_CALL: held(-1)})
    assert name in {mark.instrument_id for mark in found.marks}
    assert found.initial_e8 == pytest.approx(0.15 * 60_100 * E8, abs=2)
    assert plain.initial_e8 == pytest.approx(0.15 * 60_000 * E8, abs=2)


# -- all accounts ------------------------------------------------------------------------------------------------------


@MODELS
@LAW
@given(data=st.data())
def test_the_pass_says_what_each_assessment_says(
    model: str, parameters: Any, names: tuple[str, ...], data: st.DataObject
) -> None:
    seen = published(model, parameters)
    seen.reference.collateral["BTC"] = m.CollateralAsset(
        "BTC", "USDT", 1, "BTC-USDT", E8 // 10, E8, data.draw(st.sampled_from([0, 50_000 * E8])), 1, 60_000_000,
        data.draw(st.booleans()),
    )  # fmt: skip
    book = {f"a-{place}": data.draw(accounts(names)) for place in range(data.draw(st.integers(1, 5)))}
    if data.draw(st.booleans()):
        del seen.marks.newest[data.draw(st.sampled_from(names))]
    found = assess_all(book, seen)
    assert found.keys() == book.keys()
    for account_id, account in book.items():
        got = found[account_id]
        try:
            wanted = assess(account.balances, account.positions, seen)
        except (MarkWanted, MarginInputInvalid) as error:
            assert type(got) is type(error)
            continue
        assert isinstance(got, dict)
        assert got.keys() == wanted.keys()
        for asset, one in got.items():
            other = wanted[asset]
            assert (one.equity_e8, one.models, one.collateral) == (other.equity_e8, other.models, other.collateral)
            needs = one.initial_e8, one.maintenance_e8
            assert needs == pytest.approx((other.initial_e8, other.maintenance_e8), rel=1e-9, abs=2)


def test_an_account_that_cannot_be_margined_concerns_no_other() -> None:
    seen = published("portfolio_v2", marks={NEAR_CALL: 0.0})
    book = {
        "ann": Account({"USDT": E8}, {NEAR_CALL: held(1)}),
        "bob": Account({"USDT": E8}, {PERP: held(1, 600)}),
        "cat": Account({"USDT": E8}, {}),
    }
    found = assess_all(book, seen)
    assert isinstance(found["ann"], MarkWanted)
    assert found["bob"] == assess_all({"bob": book["bob"]}, seen)["bob"]
    assert found["cat"] == {}


# -- orders ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "parameters", "names"), CASES[:7])
@LAW
@given(data=st.data())
def test_no_fills_take_the_excess_below_the_floor(
    model: str, parameters: Any, names: tuple[str, ...], data: st.DataObject
) -> None:
    """Whatever part of each order fills at its limit: cost and fee in integers, margin by assess."""
    seen = published(model, parameters)
    account = data.draw(accounts(names))
    orders = []
    for name in data.draw(st.lists(st.sampled_from(names), max_size=4)):
        sign, contracts = data.draw(st.sampled_from([1, -1])), data.draw(st.integers(1, 3))
        limit_e8 = round(MARKS[name] * data.draw(st.sampled_from([0.9, 0.99, 1.0, 1.02])) * E8)
        orders.append(OpenOrder(name, sign * contracts * E8, limit_e8, contracts * 10**6))
    everything = account.positions.keys() | {order.name for order in orders}
    if not everything:
        return
    book = ClassBook(seen.reference.margin_classes["house"], everything, seen)
    floor_e8 = account.balances["USDT"] + book.floor_e8(account.positions, [], orders)
    positions, cash_e8 = dict(account.positions), account.balances["USDT"]
    for order in data.draw(st.permutations(orders)):
        contracts = abs(order.quantity_e8) // E8
        filled = data.draw(st.integers(0, contracts))
        if not filled:
            continue
        quantity_e8 = filled * E8 * (1 if order.quantity_e8 > 0 else -1)
        line, was = book.lines[order.name], positions.get(order.name, held(0))
        cost_e8 = -(-quantity_e8 * line.terms.multiplier_e8 * order.limit_e8 // E8**2)
        cash_e8 -= order.fee_e8 * filled // contracts + (cost_e8 if line.is_option else 0)
        positions[order.name] = msgspec.structs.replace(
            was, quantity_e8=was.quantity_e8 + quantity_e8, cost_e8=was.cost_e8 + cost_e8
        )
    found = assess({"USDT": cash_e8}, positions, seen)
    assert not found or found["USDT"].initial_excess_e8 >= floor_e8


def test_without_orders_the_floor_is_the_excess() -> None:
    seen = published("portfolio_v2")
    positions = {PERP: held(10, 6_000), NEAR_CALL: held(-1), NEAR_PUT: held(2)}
    book = ClassBook(seen.reference.margin_classes["house"], positions, seen)
    excess_e8 = margin(seen, 0, **positions).initial_excess_e8
    assert excess_e8 - E8 // 1_000 < book.floor_e8(positions, [], []) <= excess_e8
