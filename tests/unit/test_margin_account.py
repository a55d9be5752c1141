"""Margin of an account, as risk, clearing and reports ask for it: rows that a trader can check by hand."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.contract_desk import E8, START_US, instrument, option
from tests.unit.contract_desk import terms as perpetual
from tests.unit.desk import mark
from truetape.errors import MarginPositionUnfit, MarkWanted, MoneyError
from truetape.margin.account import Account, AssetMargin, Held, Parts, assess, assess_all, shared
from truetape.margin.classed import Coin
from truetape.margin.published import MarkUsed, Published
from truetape.marks import Marks
from truetape.messages import CollateralAsset, MarginClass
from truetape.reference import Reference

PERP, CALL, INVERSE = "BTC-USDT-PERP", "BTC-USDT-20231115-60000-C", "BTC-USD-PERP"
KNOWN = (
    instrument(PERP, perpetual()),
    instrument(CALL, option("CALL", 60_000, index="BTC-USDT")),
    instrument(INVERSE, perpetual(style="INVERSE", settlement_asset="BTC", multiplier_e8=10 * E8)),
)


def seen(at_us: int = START_US, **marks: str) -> Published:
    """What is published; `BTC_USDT="60000"` is the mark of BTC-USDT, seen at START_US."""
    prices = {"BTC-USDT": "60000", PERP: "60000", CALL: "500", INVERSE: "60000"}
    prices |= {name.replace("_", "-"): price for name, price in marks.items()}
    newest = {name: mark(price, START_US, name) for name, price in prices.items() if price}
    return Published(Marks(newest), Reference({one.instrument_id: one for one in KNOWN}), at_us)


def held(contracts: int, cost: float = 0, unpaid: float = 0) -> Held:
    """A position of whole contracts."""
    return Held(contracts * E8, round(cost * E8), round(unpaid * E8))


def of(found: AssetMargin) -> tuple[float, float, float]:
    """Equity, initial and maintenance need in whole units."""
    return found.equity_e8 / E8, found.initial_e8 / E8, found.maintenance_e8 / E8


FLAT: list[tuple[dict[str, float], dict[str, Held], dict[str, tuple[float, float, float]]]] = [
    #  0.01 BTC a contract at 60 000: margin 10 % and 5 % of 600
    ({"USDT": 100}, {PERP: held(1, 600)}, {"USDT": (100, 60, 30)}),
    ({"USDT": 100}, {PERP: held(-1, -600)}, {"USDT": (100, 60, 30)}),
    ({"USDT": 100}, {PERP: held(2, 1_180)}, {"USDT": (120, 120, 60)}),
    ({"USDT": 100}, {PERP: held(0, 0, -7)}, {"USDT": (93, 0, 0)}),
    #  an option sold: its rate of the underlying, and its value is owed; one bought backs nothing
    ({"USDT": 9_000}, {CALL: held(-1, -500)}, {"USDT": (8_500, 6_000, 3_000)}),
    ({"USDT": 9_000}, {CALL: held(1, 500)}, {"USDT": (9_000, 0, 0)}),
    ({"USDT": 9_000}, {CALL: held(-1), PERP: held(1, 600)}, {"USDT": (8_500, 6_060, 3_030)}),
    #  each settlement asset for itself: 600 inverse contracts are 6 000 USD, 0.1 BTC
    ({"BTC": 1}, {INVERSE: held(600, -0.1)}, {"BTC": (1, 0.010002, 0.005004)}),
    ({}, {PERP: held(1, 600), INVERSE: held(-600, 0.1)}, {"BTC": (0, 0.010002, 0.005004), "USDT": (0, 60, 30)}),
    ({"USDT": 5}, {}, {}),
]


@pytest.mark.parametrize(("balances", "positions", "wanted"), FLAT)
def test_equity_and_needs_by_settlement_asset(
    balances: dict[str, float], positions: dict[str, Held], wanted: dict[str, tuple[float, float, float]]
) -> None:
    found = assess({asset: round(amount * E8) for asset, amount in balances.items()}, positions, seen())
    assert {asset: of(margin) for asset, margin in found.items()} == wanted
    for margin in found.values():
        assert sum(margin.contributions.values()) == margin.initial_e8
        assert margin.models == ("flat",)


def test_the_marks_that_were_used_are_evidence() -> None:
    found = assess({}, {CALL: held(-1), PERP: held(1, 600)}, seen())["USDT"]
    assert [(one.instrument_id, one.price_e8) for one in found.marks] == [
        ("BTC-USDT", 60_000 * E8),
        (CALL, 500 * E8),
        (PERP, 60_000 * E8),
    ]
    assert (found.worst, found.initial_excess_e8) == (CALL, -500 * E8 - 6_060 * E8)


@pytest.mark.parametrize(
    ("marks", "at_us", "wanted"),
    [
        ({PERP.replace("-", "_"): ""}, START_US, "no mark of BTC-USDT-PERP"),
        ({"BTC_USDT": ""}, START_US, "no mark of BTC-USDT"),
        ({}, START_US + 60_000_001, "no fresh mark"),
        ({}, START_US - 60_000_001, "no fresh mark"),
    ],
)
def test_a_missing_or_stale_mark_is_named_and_never_zero(marks: Any, at_us: int, wanted: str) -> None:
    with pytest.raises(MarkWanted, match=wanted):
        assess({}, {CALL: held(-1), PERP: held(1, 600)}, seen(at_us, **marks))


def test_what_is_flat_needs_no_mark() -> None:
    assert of(assess({"USDT": E8}, {PERP: held(0, 0, 2)}, seen(START_US + 10**12))["USDT"]) == (3, 0, 0)


def test_a_position_in_what_is_no_contract_is_an_error() -> None:
    with pytest.raises(MarginPositionUnfit, match="define it again"):
        assess({}, {"NOPE-USDT-PERP": held(1)}, seen())


def test_a_number_that_fits_nowhere_is_one_accounts_error_by_every_model() -> None:
    """An inverse contract of 10 USD on a coin at 1e-8 USD: 1e9 coins each."""
    coin = instrument("DOGE-USD-PERP", perpetual(style="INVERSE", settlement_asset="DOGE", multiplier_e8=10 * E8))
    for named in ("flat", "risky"):
        published = seen()
        assert coin.contract is not None
        known = replace(coin, contract=replace(coin.contract, margin_class=named, index="DOGE-USD"))
        published.reference.instruments["DOGE-USD-PERP"] = known
        published.reference.margin_classes["risky"] = MarginClass("risky", "portfolio_v2", 1, "{}")
        for name in ("DOGE-USD-PERP", "DOGE-USD"):
            published.marks.newest[name] = mark("0.00000001", START_US, name)
        accounts = {"ann": Account({}, {"DOGE-USD-PERP": held(1)}), "bob": Account({}, {"DOGE-USD-PERP": held(1_000)})}
        found = assess_all(accounts, published)
        assert isinstance(found["ann"], dict) and isinstance(found["bob"], MoneyError), named


# -- collateral --------------------------------------------------------------------------------------------------------

POSTED = CollateralAsset("BTC", "USDT", 1, "BTC-USDT", E8 // 10, E8, 0, 1, 50_000_000)
"""Less a tenth, and at a mark of 50 seconds at most."""


@pytest.mark.parametrize(
    ("btc", "positions", "counts"),
    [
        (0.1, {PERP: held(1, 600)}, 5_400),
        #  600 inverse contracts need 0.010002 BTC for themselves; what they have lost is gone as well
        (0.1, {PERP: held(1, 600), INVERSE: held(600, -0.1)}, (0.1 - 0.010002) * 54_000),
        (0.1, {PERP: held(1, 600), INVERSE: held(600, -0.05)}, (0.1 - 0.05 - 0.010002) * 54_000),
        #  what they have gained is not there yet
        (0.1, {PERP: held(1, 600), INVERSE: held(600, -0.15)}, 0.1 * 54_000),
        (0.01, {PERP: held(1, 600), INVERSE: held(600, -0.1)}, 0),
        (-1, {PERP: held(1, 600)}, 0),
    ],
)
def test_collateral_counts_beyond_what_its_own_contracts_need(
    btc: float, positions: dict[str, Held], counts: float
) -> None:
    published = seen()
    published.reference.collateral["BTC"] = POSTED
    balances = {"BTC": round(btc * E8), "USDT": 0}
    found = assess(balances, positions, published)["USDT"]
    assert found.collateral_e8 == round(counts * E8)
    together = assess_all({"ann": Account(balances, positions)}, published)["ann"]
    assert isinstance(together, dict) and together["USDT"].collateral_e8 == found.collateral_e8


@pytest.mark.parametrize(("age_us", "counts"), [(50_000_000, 5_400), (50_000_001, 0), (-50_000_001, 0)])
def test_collateral_counts_at_the_oldest_mark_of_its_terms(age_us: int, counts: int) -> None:
    published = seen()
    published.reference.collateral["BTC"] = POSTED
    published.marks.newest["BTC-USDT"] = mark("60000", START_US - age_us)
    assert assess({"BTC": E8 // 10}, {PERP: held(1, 600)}, published)["USDT"].collateral_e8 == counts * E8


def test_the_underlying_in_a_model_counts_up_to_its_limit_and_no_unit_more() -> None:
    """100 USDT at 70 000 are 0.001428571 BTC: the last unit is cut off, against the account."""
    published = seen()
    published.reference.margin_classes["risky"] = MarginClass("risky", "portfolio_v2", 1, "{}")
    terms = replace(POSTED, limit_e8=100 * E8, cancels_risk=True)
    coin = Coin(terms, E8, MarkUsed("BTC-USDT", 70_000 * E8, START_US, 1, 1))
    taken, rest = shared([coin], Parts({}, {"risky": {PERP: held(1)}}), published)
    assert ([one.quantity_e8 for one in taken["risky"]], rest) == ([142_857], [])
