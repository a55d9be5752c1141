"""Collateral: haircuts, limits, shares, currency; and what is sold when money is short."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truetape.collateral import CollateralTerms, Posted, Sale, brought, cover, valued
from truetape.errors import CollateralRefused
from truetape.money import ONE_E8, to_e8

PERCENT = ONE_E8 // 100
TERMS = {
    "USDT": CollateralTerms(0, "USDT"),
    "BTC": CollateralTerms(10 * PERCENT, "BTC", lot_e8=to_e8("0.001")),
    "ETH": CollateralTerms(2 * PERCENT, "ETH", cancels_risk=True),
    "USDE": CollateralTerms(20 * PERCENT, "USDT", limit_e8=to_e8("1000"), confidence_min_e8=55 * PERCENT),
    "GOLD": CollateralTerms(0, "GOLD", share_max_e8=25 * PERCENT),
}


def posted(text: str) -> list[Posted]:
    """ "BTC 1 60000, USDE 500 1 0.5": asset, quantity, price, confidence."""
    parts = (part.split() for part in text.split(",") if part.strip())
    return [Posted(asset, *(to_e8(number) for number in numbers)) for asset, *numbers in parts]


#   posted | counted
ROWS = """
    USDT 1000 1                     | 1000          money is money
    BTC 1 60000                     | 54000         10 % off
    BTC 0.00000001 0.5              | 0             dust rounds down
    USDE 5000 1                     | 1000          the limit
    USDE 500 1                      | 400           20 % off
    USDE 500 1 0.55                 | 400           of just the confidence that it needs
    USDE 500 1 0.5                  | 150           and half its confidence is missing: 70 % off
    GOLD 1 1000                     | 250           a quarter of all collateral at most
    GOLD 1 1000, USDT 3000 1        | 4000          a quarter exactly
    ETH 1 3000, BTC 1 60000         | 56940
"""


@pytest.mark.parametrize("row", ROWS.strip().splitlines(), ids=lambda row: row.strip())
def test_what_collateral_counts_for(row: str) -> None:
    text, counted = row.split("|")
    assert valued(posted(text), TERMS, "USDT").counted_e8 == to_e8(counted.split()[0])


def test_what_was_taken_off_is_said() -> None:
    found = valued(posted("USDE 5000 1, ETH 1 3000"), TERMS, "USDT")
    usde = next(asset for asset in found.assets if asset.asset == "USDE")
    assert (usde.value_e8, usde.haircut_e8, usde.concentration_e8, usde.counted_e8) == (
        to_e8("5000"), to_e8("1000"), to_e8("3000"), to_e8("1000"),
    )  # fmt: skip
    assert [one.asset for one in found.cancelling] == ["ETH"]


def test_collateral_of_another_currency_is_cut_once_more() -> None:
    assert valued(posted("BTC 1 60000"), TERMS, "USDT", 8 * PERCENT).counted_e8 == to_e8("49200")
    assert valued(posted("USDT 100 1"), TERMS, "USDT", 8 * PERCENT).counted_e8 == to_e8("100")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("DOGE 1 1", "not accepted"),
        ("BTC 1 0", "out of range"),
        ("BTC -1 1", "out of range"),
        ("BTC 1 1, BTC 1 1", "twice"),
    ],
)
def test_what_cannot_be_collateral_is_refused(text: str, says: str) -> None:
    with pytest.raises(CollateralRefused, match=says):
        valued(posted(text), TERMS, "USDT")


def test_a_sale_brings_less_by_what_rounding_takes() -> None:
    """3 units at 0.5 are 1.5, of which 1 is left; less a tenth of that nothing is."""
    one = Posted("ETH", 3, ONE_E8 // 2)
    assert (brought(one, 3, 0), brought(one, 2, 0), brought(one, 3, ONE_E8 // 10)) == (1, 1, 0)


def test_a_shortfall_takes_money_first_then_the_smallest_haircut() -> None:
    sales, left = cover(to_e8("31000"), posted("USDT 1000 1, BTC 1 60000, ETH 5 3000"), TERMS, "USDT")
    assert sales == [
        Sale("USDT", to_e8("1000"), to_e8("1000")),
        Sale("ETH", to_e8("5"), to_e8("15000")),
        Sale("BTC", to_e8("0.25"), to_e8("15000")),
    ]
    assert left == 0
    assert cover(to_e8("100"), posted("USDT 30 1"), TERMS, "USDT") == (
        [Sale("USDT", to_e8("30"), to_e8("30"))],
        to_e8("70"),
    )
    assert cover(-5, posted("USDT 30 1"), TERMS, "USDT") == ([], 0)


assets = st.lists(
    st.builds(Posted, st.sampled_from(sorted(TERMS)), st.integers(0, 10**12), st.integers(1, 10**12)),
    max_size=5, unique_by=lambda one: one.asset,
)  # fmt: skip


@given(assets)
def test_collateral_never_counts_for_more_than_it_is_worth(held: list[Posted]) -> None:
    found = valued(held, TERMS, "USDT")
    assert found.counted_e8 == sum(asset.counted_e8 for asset in found.assets)
    for asset in found.assets:
        assert asset.value_e8 - asset.haircut_e8 - asset.concentration_e8 == asset.counted_e8
        assert 0 <= asset.counted_e8 <= asset.value_e8


@given(assets, st.integers(0, 10**14), st.integers(0, ONE_E8 // 10))
def test_sales_cover_the_shortfall_or_everything_is_sold(held: list[Posted], shortfall: int, cost: int) -> None:
    sales, left = cover(shortfall, held, TERMS, "USDT", cost)
    by_asset = {one.asset: one for one in held}
    assert left == max(shortfall - sum(sale.brings_e8 for sale in sales), 0)
    for sale in sales:
        one, lot_e8 = by_asset[sale.asset], TERMS[sale.asset].lot_e8
        assert 0 < sale.quantity_e8 <= one.quantity_e8 and sale.quantity_e8 % lot_e8 == 0
    if sales and left == 0 and shortfall:
        last, lot_e8 = sales[-1], TERMS[sales[-1].asset].lot_e8
        less = brought(by_asset[last.asset], last.quantity_e8 - lot_e8, cost)
        assert sum(sale.brings_e8 for sale in sales[:-1]) + less < shortfall, "one lot less is not enough"
    if left:
        worth = (
            brought(one, one.quantity_e8 // TERMS[one.asset].lot_e8 * TERMS[one.asset].lot_e8, cost) for one in held
        )
        assert sum(sale.brings_e8 for sale in sales) == sum(worth)
