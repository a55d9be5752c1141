"""Where decimals and divisions become money: exact, named, or refused."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truetape.errors import MoneyError
from truetape.money import MAX_E8, ONE_E8, Rounding, divide, fits, from_e8, notional, portion, to_e8

TEXTS = """
1                     | 100000000
1.5                   | 150000000
-0.00000001           | -1
0.00000001            | 1
0.100000000000        | 10000000
007                   | 700000000
-0                    | 0
92233720368.54775807  | 9223372036854775807
-92233720368.54775807 | -9223372036854775807
"""
REFUSED = """
not a plain decimal   | 1e5
not a plain decimal   | +1
not a plain decimal   | .5
not a plain decimal   | 1.
not a plain decimal   | 1,000
not a plain decimal   | 1_000
not a plain decimal   | --1
not a plain decimal   | nan
not a plain decimal   | inf
not a plain decimal   | 0x10
not a plain decimal   | ١
not a plain decimal   | 100000000000000000000
finer than 0.00000001 | 0.000000001
finer than 0.00000001 | 1.123456789
beyond 64 bits        | 92233720368.54775808
beyond 64 bits        | -92233720368.54775808
"""


@pytest.mark.parametrize("row", TEXTS.strip().splitlines())
def test_decimals_are_read_exactly(row: str) -> None:
    text, value = row.split("|")
    assert to_e8(text.strip()) == int(value)


@pytest.mark.parametrize("row", [*REFUSED.strip().splitlines(), "not a plain decimal | ", "not a plain decimal | \n1"])
def test_what_is_no_money_is_refused_by_name(row: str) -> None:
    why, text = row.split("| ", 1)
    with pytest.raises(MoneyError, match=why.strip()):
        to_e8(text)


@pytest.mark.parametrize("thing", [1, 1.5, None, b"1", True])
def test_only_text_is_read(thing: object) -> None:
    with pytest.raises(MoneyError, match="not a plain decimal"):
        to_e8(thing)  # type: ignore[arg-type]


amounts = st.integers(-MAX_E8, MAX_E8)
roundings = st.sampled_from(["down", "up", "half_even"])


@given(amounts)
def test_writing_and_reading_is_the_identity(value_e8: int) -> None:
    text = from_e8(value_e8)
    assert to_e8(text) == value_e8
    assert Fraction(text) == Fraction(value_e8, ONE_E8)
    assert not ("." in text and text.endswith(("0", ".")))


#   7/2 and -7/2 by name of the rounding
@pytest.mark.parametrize(
    ("numerator", "down", "up", "half_even"),
    [(7, 3, 4, 4), (5, 2, 3, 2), (-7, -4, -3, -4), (-5, -3, -2, -2), (6, 3, 3, 3), (1, 0, 1, 0), (-1, -1, 0, 0)],
)
def test_roundings_of_halves(numerator: int, down: int, up: int, half_even: int) -> None:
    found = [divide(numerator, 2, "down")[0], divide(numerator, 2, "up")[0], divide(numerator, 2, "half_even")[0]]
    assert found == [down, up, half_even]


@given(st.integers(), st.integers(min_value=1), roundings)
def test_a_division_names_what_is_lost(numerator: int, denominator: int, rounding: Rounding) -> None:
    quotient, remainder = divide(numerator, denominator, rounding)
    assert quotient * denominator + remainder == numerator
    exact = Fraction(numerator, denominator)
    assert quotient == {"down": exact.__floor__(), "up": exact.__ceil__(), "half_even": round(exact)}[rounding]


def test_dividing_by_nothing_or_less_is_a_mistake_in_the_program() -> None:
    for denominator in (0, -1):
        with pytest.raises(AssertionError):
            divide(1, denominator, "down")


@pytest.mark.parametrize("value_e8", [MAX_E8 + 1, -MAX_E8 - 1, 10**30])
def test_64_bits_are_the_limit(value_e8: int) -> None:
    assert fits(MAX_E8) == MAX_E8 and fits(-MAX_E8) == -MAX_E8
    with pytest.raises(MoneyError, match="beyond 64 bits; split the amount"):
        fits(value_e8)
    with pytest.raises(MoneyError):
        notional(value_e8, ONE_E8, "down")
    with pytest.raises(MoneyError):
        portion(value_e8, ONE_E8, "down")


@given(st.integers(0, 10**13), st.integers(0, 10**12), roundings)
def test_notional_and_portion_are_off_by_less_than_a_unit(price_e8: int, quantity_e8: int, rounding: Rounding) -> None:
    exact = Fraction(price_e8 * quantity_e8, ONE_E8)
    for found in (notional(price_e8, quantity_e8, rounding), portion(price_e8, quantity_e8, rounding)):
        assert abs(found - exact) < 1
        assert found <= exact or rounding != "down"
        assert found >= exact or rounding != "up"
