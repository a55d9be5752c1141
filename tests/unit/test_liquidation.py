"""Liquidation arithmetic: prices a trader can check by hand, and what holds for every account."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truetape.errors import ContractError, MoneyError
from truetape.liquidation import (
    Standing,
    bankruptcy_value,
    borrow_to_repay,
    fillable_price,
    insurance_delta,
    quantity_to_cover,
    socialised_per_unit,
)
from truetape.money import MAX_E8, ONE_E8, to_e8


def test_a_long_of_one_bitcoin_that_lost_nearly_all_it_had() -> None:
    """Bought 1 BTC with 49 987 of debt's worth left, 10 % maintenance: selling 1 BTC has to bring what is owed."""
    owed = Standing(collateral=50_000 - 49_000, maintenance=5_000)
    assert bankruptcy_value(owed, notional_change=-50_000, maintenance_change=-5_000) == 49_000
    assert bankruptcy_value(owed, notional_change=-25_000, maintenance_change=-2_500) == 24_500, "half of it"


#   collateral of 5 000 maintenance | fillable price of 1 BTC marked 50 000
FILLABLES = """
    5000 | 50000   at its margin: the mark
    4500 | 49950   10 % of the spread of 500
    0    | 49500   bankrupt: all of it
    -900 | 49500   never more than the spread
    6000 | 50000   above its margin: never better than the mark
"""


@pytest.mark.parametrize("row", FILLABLES.strip().splitlines(), ids=lambda row: row.strip())
def test_fillable_price_moves_from_the_mark_as_the_account_gets_worse(row: str) -> None:
    collateral, price = (int(word) for word in row.replace("|", " ").split()[:2])
    standing = Standing(collateral, 5_000)
    assert fillable_price(standing, 50_000, 5_000, 1) == price
    assert fillable_price(standing, -50_000, 5_000, -1) == 100_000 - price, "a short is bought back dearer"


#   received bankruptcy fee | fund
FUNDS = """
    5610  5100  5000  |   28   a sale far above: the fee of 0.5 %
    5101  5100  5000  |    1   what is left is less than the fee
    5100  5100  5000  |    0
    5000  5100  5000  | -100   the fund pays what is missing
   -4410 -4900  5000  |   22   a purchase: 22.05 rounded down
   -4949 -4900  5000  |  -49
"""


@pytest.mark.parametrize("row", FUNDS.strip().splitlines(), ids=lambda row: row.strip())
def test_insurance_fund(row: str) -> None:
    received, bankruptcy, fee, fund = (int(word) for word in row.replace("|", " ").split()[:4])
    assert insurance_delta(received, bankruptcy, fee) == fund


#   shortage price margin fee insurance | quantity
COVERS = """
    10  100  0.1  0     0     | 1
    10  100  0.1  0.01  0     | 1.11111112    rounded up, so that it is enough
    10  100  0.1  0.01  0.01  | 1.25
     0  100  0.1  0     0     | 0
   -10  100  0.1  0     0     | 0             nothing is missing
    10  100  0.1  0.1   0     | none          selling costs what it frees
    10    0  0.1  0     0     | none          worth nothing
"""


@pytest.mark.parametrize("row", COVERS.strip().splitlines(), ids=lambda row: row.strip())
def test_least_quantity_that_restores_margin(row: str) -> None:
    *given_, wanted = row.replace("|", " ").split()[:6]
    shortage, price, margin, fee, insurance = (to_e8(word) for word in given_)
    found = quantity_to_cover(shortage, price, margin, fee, insurance)
    assert found == (None if wanted == "none" else to_e8(wanted))


#   shortage price asset-weight liability-weight asset-multiplier liability-multiplier insurance | quantity
REPAYS = """
    10 100 0.8 1.2 1   1   0    | 0.25
    10 100 0.8 1.2 1.1 0.9 0    | 0.45
    10 100 0.8 1.2 1   1   0.01 | 0.25773196   rounded up
    10 100 1   1   1   1   0    | none         repaying frees nothing
     0 100 0.8 1.2 1   1   0    | 0
"""


@pytest.mark.parametrize("row", REPAYS.strip().splitlines(), ids=lambda row: row.strip())
def test_least_borrow_that_is_repaid(row: str) -> None:
    *given_, wanted = row.replace("|", " ").split()[:8]
    shortage, price, asset, liability, asset_by, liability_by, fee = (to_e8(word) for word in given_)
    found = borrow_to_repay(shortage, price, asset, liability, asset_by, liability_by, fee)
    assert found == (None if wanted == "none" else to_e8(wanted))


def test_what_cannot_be_liquidated_is_refused() -> None:
    with pytest.raises(ContractError, match="no position"):
        Standing(1, 0)
    with pytest.raises(ContractError, match="cannot raise"):
        bankruptcy_value(Standing(1, 1), 0, 1)
    with pytest.raises(ContractError, match="no size"):
        fillable_price(Standing(1, 1), 1, 1, 0)
    with pytest.raises(ContractError, match="no open interest"):
        socialised_per_unit(100, 0, 0, 1)


amounts = st.integers(-(10**12), 10**12)
positive = st.integers(1, 10**12)


@given(amounts, positive, st.lists(st.tuples(amounts, st.integers(0, 10**9)), min_size=1, max_size=6))
def test_closing_all_positions_at_bankruptcy_leaves_at_least_nothing(
    collateral: int, more: int, positions: list[tuple[int, int]]
) -> None:
    """Closed at these values the account ends within a unit per position above zero: never below for a solvent sum."""
    maintenance = sum(needed for _, needed in positions) + more
    standing = Standing(collateral, maintenance)
    cash = collateral - sum(notional for notional, _ in positions)
    parts = [*positions, (0, more)]
    left = cash + sum(bankruptcy_value(standing, -notional, -needed) for notional, needed in parts)
    assert 0 <= left < len(parts)


@given(amounts, positive, amounts, st.integers(0, 10**12), st.integers(1, 10**9), st.integers(0, 10**6))
def test_the_fillable_price_is_within_the_spread_of_the_mark(
    collateral: int, maintenance: int, notional: int, needed: int, size: int, spread: int
) -> None:
    price = fillable_price(Standing(collateral, maintenance), notional, needed, size, spread_ppm=spread)
    mark = Fraction(notional, size)
    assert mark - Fraction(spread * needed, 10**6 * size) <= price <= mark


@given(st.integers(0, 10**12), st.integers(1, 10**11), st.integers(0, 10**8), st.integers(0, 10**8))
def test_what_is_sold_is_enough_and_one_unit_less_is_not(shortage: int, price: int, rate: int, fee: int) -> None:
    try:
        found = quantity_to_cover(shortage, price, rate, fee)
    except MoneyError:
        assert shortage * ONE_E8**2 > price * (rate - fee) * MAX_E8 - 1, "only beyond 64 bits"
        return
    if found is None:
        assert rate <= fee
        return
    freed = Fraction(price * (rate - fee), ONE_E8)
    assert Fraction(found * freed, ONE_E8) >= shortage
    assert found == 0 or Fraction((found - 1) * freed, ONE_E8) < shortage


@given(positive, positive, st.integers(0, 10**12))
def test_a_socialised_loss_is_covered_to_the_unit(loss: int, long: int, short: int) -> None:
    each = socialised_per_unit(loss, long, -short, 1)
    assert 0 <= each * (long + short) - loss < long + short
