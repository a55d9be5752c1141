"""Average cost in integers: rows, public vectors, and what must hold for every sequence of trades."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.clearing.booking.positions import flat, trade, undo
from truetape.errors import MoneyError
from truetape.messages import Position

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "derivatives_compact.json"

#   quantity cost realised | trade at cost | quantity cost realised
ROWS = """
      0     0     0        |   10   100    |   10   100     0     opens
     10   100     0        |    5    80    |   15   180     0     adds
     10   100     0        |   -4   -60    |    6    60    20     reduces with profit
     10   100     0        |   -4   -30    |    6    60   -10     reduces with loss
     10   100     7        |  -10   -90    |    0     0    -3     closes
     10   100     0        |  -15  -180    |   -5   -60    20     through zero: 120 close, 60 open
    -10  -100     0        |    4    30    |   -6   -60    10     a short is bought back cheaper
    -10  -100     0        |    4    60    |   -6   -60   -20     a short is bought back dearer
    -10  -100     0        |   15    90    |    5    30    40     short to long
      3   100     0        |   -1   -40    |    2    67     7     33.3 taken out, rounded to 33
      2   101     0        |   -1   -50    |    1    51     0     50.5 taken out, half to even
      2   103     0        |   -1   -50    |    1    51    -2     51.5 taken out, half to even
     -2  -101     0        |    1    50    |   -1   -51     0     the same for a short
      7     0     0        |   -7    -7    |    0     0     7     free of cost
"""


@pytest.mark.parametrize("row", ROWS.strip().splitlines(), ids=lambda row: row.split("|")[2].strip())
def test_average_cost(row: str) -> None:
    before, dealt, after = row.split("|")
    quantity, cost = (int(word) for word in dealt.split())
    found = trade(Position("X", *(int(word) for word in before.split())), quantity, cost)
    assert (found.quantity_e8, found.cost_e8, found.realised_e8) == tuple(int(word) for word in after.split()[:3])


def vectors() -> list[Any]:
    if not VECTORS.exists():
        return []
    return list(json.loads(VECTORS.read_text())["drift_position_avg_cost"]["cases"])


@pytest.mark.skipif(not VECTORS.exists(), reason=f"{VECTORS} is not here")
def test_public_vectors_of_average_cost() -> None:
    for case in vectors():
        base, quote = case["trade"]
        after = trade(Position("X", case["base"], -case["entry"], 0), base, -quote)
        assert (after.quantity_e8, -after.cost_e8, after.realised_e8) == (
            case["base2"], case["entry2"], case["realised"],
        )  # fmt: skip


sizes = st.one_of(st.integers(-50, 50), st.integers(-(10**12), 10**12)).filter(bool)
prices = st.one_of(st.integers(1, 60), st.integers(1, 10**6))


@st.composite
def trades(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Signed quantity and cost of its sign."""
    return [
        (size, size * price + draw(st.integers(0, 1)))
        for size, price in draw(st.lists(st.tuples(sizes, prices), max_size=15))
    ]


@given(trades())
@example([(3, 100), (-1, -40), (-1, -40), (-1, -40)])
def test_nothing_is_lost_in_any_sequence(dealt: list[tuple[int, int]]) -> None:
    position = flat("X")
    for quantity, cost in dealt:
        after = trade(position, quantity, cost)
        assert after.cost_e8 - after.realised_e8 == position.cost_e8 - position.realised_e8 + cost
        position = after
    assert position.quantity_e8 == sum(quantity for quantity, _ in dealt)
    assert position.cost_e8 - position.realised_e8 == sum(cost for _, cost in dealt)
    assert position.quantity_e8 != 0 or position.cost_e8 == 0


@given(trades(), sizes, prices)
def test_average_cost_moves_only_by_what_is_added(dealt: list[tuple[int, int]], size: int, price: int) -> None:
    position = flat("X")
    for quantity, cost in dealt:
        position = trade(position, quantity, cost)
    after = trade(position, size, size * price)
    if position.quantity_e8 and after.quantity_e8 and (position.quantity_e8 > 0) != (size > 0):
        through_zero = (after.quantity_e8 > 0) != (position.quantity_e8 > 0)
        average = Fraction(size * price, size) if through_zero else Fraction(position.cost_e8, position.quantity_e8)
        assert abs(after.cost_e8 - average * after.quantity_e8) <= Fraction(1, 2)


@given(trades(), sizes, prices)
def test_undo_is_exact_at_once(dealt: list[tuple[int, int]], size: int, price: int) -> None:
    position = flat("X")
    for quantity, cost in dealt:
        position = trade(position, quantity, cost)
    after = trade(position, size, size * price)
    assert undo(after, size, size * price, after.realised_e8 - position.realised_e8) == position


def test_profit_beyond_64_bits_is_refused() -> None:
    with pytest.raises(MoneyError, match="beyond 64 bits"):
        trade(Position("X", 10, 2**63 - 10, 0), 1, 100)
