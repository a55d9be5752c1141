"""Average cost with break-even: rows, and that nothing is lost in any sequence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truetape.average_cost import Cost, charge, trade

#   quantity entry break-even | trade received fee | quantity entry break-even realised
ROWS = """
      0    0     0  |   10  -100  2  |   10  -100  -102    0   opens, and the fee moves the break-even
     10 -100  -102  |    5   -80  1  |   15  -180  -183    0   adds
     10 -100  -102  |   -4    60  0  |    6   -60   -62   20   40.8 of the break-even goes: 40
     10  -10   -12  |   -1     5  0  |    9    -9   -11    4   1.2 goes: 1
     10  -10   -12  |  -11    22  0  |   -1     2     2   10   through zero: 20 of 22 close
     10 -100  -102  |  -10    90  5  |    0     0     0  -10   closed: nothing is left to break even
    -10  100    98  |    4   -30  0  |   -6    60    59   10   a short bought back: 39.2 goes: 39
"""


@pytest.mark.parametrize("row", ROWS.strip().splitlines(), ids=lambda row: row.strip())
def test_rows(row: str) -> None:
    before, dealt, after = (
        [int(word) for word in part.split()[:4] if word.lstrip("-").isdigit()] for part in row.split("|")
    )
    quantity, received, fee = dealt
    assert trade(Cost(*before), quantity, received, fee) == Cost(*after)


def test_funding_moves_the_break_even_alone() -> None:
    assert charge(Cost(10, -100, -102, 7), -3) == Cost(10, -100, -105, 0)


trades = st.lists(st.tuples(st.integers(-30, 30).filter(bool), st.integers(1, 99)), max_size=12)


@given(trades)
def test_entry_and_profit_grow_by_what_was_received(dealt: list[tuple[int, int]]) -> None:
    cost = Cost()
    for quantity, price in dealt:
        after = trade(cost, quantity, -quantity * price)
        assert after.entry + after.realised == cost.entry - quantity * price
        assert (after.quantity == 0) <= (after.entry == after.break_even == 0)
        cost = after
