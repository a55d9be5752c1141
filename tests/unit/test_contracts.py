"""Contracts as a trader reads them, and what must hold for every size and price."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truetape.contracts import (
    Contract,
    Delivery,
    Payoff,
    Right,
    deliver_future,
    deliver_option,
    exercise,
    notional,
    profit,
    unit_notional_e18,
    value,
)
from truetape.errors import ContractError, MoneyError, PriceNotPositive
from truetape.money import ONE_E8, from_e8, to_e8

LINEAR = Contract("LINEAR", to_e8("0.001"))
INVERSE = Contract("INVERSE", to_e8("10"))
QUANTO = Contract("QUANTO", to_e8("0.000001"))
BTC_OPTION = Contract("INVERSE", ONE_E8)
ETH_OPTION = Contract("LINEAR", ONE_E8)

#   contract quantity entry exit | profit
PROFITS = """
    LINEAR    1000   60000  61000  | 1000          1 BTC, 1 000 higher
    LINEAR   -1000   60000  61000  | -1000         the short pays
    LINEAR       3   -37.63   10   | 0.14289       oil below zero is a price
    INVERSE    100    600     700  | 0.23809523    1 000 USD of an inverse future, rounded down
    INVERSE   -100    600     700  | -0.23809524   and the short's is rounded down too
    INVERSE    100    700     600  | -0.23809524   down again costs what up gave
    QUANTO    1000   3000    3100  | 0.1           100 points x 0.000001 BTC x 1 000
"""


@pytest.mark.parametrize("row", PROFITS.strip().splitlines(), ids=lambda row: row.split("|")[1].strip())
def test_profit(row: str) -> None:
    name, quantity, entry, after = row.split("|")[0].split()
    contract = {"LINEAR": LINEAR, "INVERSE": INVERSE, "QUANTO": QUANTO}[name]
    found = profit(contract, to_e8(quantity), to_e8(entry), to_e8(after), "down")
    assert from_e8(found) == row.split("|")[1].split()[0]


#   option  right strike settles quantity | received
EXERCISES = """
    BTC     CALL  10000  12500    1   | 0.2           2 500 USD in BTC
    BTC     PUT   10000   5000    1   | 1
    BTC     CALL  10000   9999    1   | 0             out of the money
    BTC     CALL  10000  10000    1   | 0             at the money
    BTC     CALL  10000  12500   -1   | -0.2          the writer pays
    BTC     CALL  10000  13000    1   | 0.23076923    3 000 / 13 000 rounded down
    BTC     CALL  10000  13000   -1   | -0.23076924   against the writer as well
    ETH     PUT    3000   2400   2.5  | 1500
    ETH     CALL   3000      0    1   | 0             a worthless underlying
    ETH     PUT    3000     -5    1   | 3005          linear payoffs go below zero
"""


@pytest.mark.parametrize("row", EXERCISES.strip().splitlines(), ids=lambda row: row.strip())
def test_exercise(row: str) -> None:
    name, right, strike, settles, quantity = row.split("|")[0].split()
    contract = BTC_OPTION if name == "BTC" else ETH_OPTION
    kind: Right = "CALL" if right == "CALL" else "PUT"
    found = exercise(contract, kind, to_e8(strike), to_e8(settles), to_e8(quantity))
    assert from_e8(found) == row.split("|")[1].split()[0]


def test_physical_delivery() -> None:
    two = 2 * ONE_E8
    assert deliver_option(ETH_OPTION, "CALL", to_e8("3000"), two) == Delivery(two, -to_e8("6000"))
    assert deliver_option(ETH_OPTION, "PUT", to_e8("3000"), two) == Delivery(-two, to_e8("6000"))
    assert deliver_option(ETH_OPTION, "PUT", to_e8("3000"), -two) == Delivery(two, -to_e8("6000"))
    assert deliver_option(BTC_OPTION, "CALL", to_e8("60000"), two) == Delivery(two, -to_e8("120000"))
    assert deliver_option(BTC_OPTION, "PUT", to_e8("60000"), two) == Delivery(-two, to_e8("120000"))
    with pytest.raises(ContractError, match="in cash"):
        deliver_option(QUANTO, "CALL", ONE_E8, ONE_E8)
    assert deliver_future(INVERSE, to_e8("50000"), 10 * ONE_E8) == Delivery(to_e8("0.002"), -to_e8("100"))
    with pytest.raises(ContractError, match="in cash"):
        deliver_future(QUANTO, ONE_E8, ONE_E8)


@pytest.mark.parametrize("price", [0, -1])
def test_an_inverse_contract_has_no_price_at_or_below_zero(price: int) -> None:
    asked: list[Callable[[], int]] = [
        lambda: value(INVERSE, ONE_E8, price, "down"),
        lambda: profit(INVERSE, ONE_E8, ONE_E8, price, "down"),
        lambda: exercise(BTC_OPTION, "PUT", ONE_E8, price, ONE_E8),
        lambda: unit_notional_e18(INVERSE, price),
    ]
    for ask in asked:
        with pytest.raises(PriceNotPositive, match="above zero"):
            ask()


def test_what_passes_64_bits_is_refused_by_name() -> None:
    with pytest.raises(MoneyError, match="beyond 64 bits"):
        value(Contract("LINEAR", ONE_E8), 10**18, 10**18, "down")


payoffs = st.sampled_from(["LINEAR", "INVERSE", "QUANTO"])
multipliers = st.integers(1, 10**10)
quantities = st.integers(-(10**12), 10**12)
prices = st.integers(1, 10**13)


@given(payoffs, multipliers, quantities, prices, prices)
def test_profit_is_value_after_less_cost(
    payoff: Payoff, multiplier: int, quantity: int, entry: int, after: int
) -> None:
    contract = Contract(payoff, multiplier)
    try:
        found = profit(contract, quantity, entry, after, "half_even")
        apart = value(contract, quantity, after, "half_even") - value(contract, quantity, entry, "half_even")
    except MoneyError:
        return
    assert abs(found - apart) <= 1


@given(payoffs, multipliers, quantities, prices, prices)
def test_both_sides_together_never_receive_more_than_nothing(
    payoff: Payoff, multiplier: int, quantity: int, entry: int, after: int
) -> None:
    contract = Contract(payoff, multiplier)
    try:
        both = profit(contract, quantity, entry, after, "down") + profit(contract, -quantity, entry, after, "down")
    except MoneyError:
        return
    assert -1 <= both <= 0


@given(st.integers(1, 10**12), st.integers(10**6, 10**13), st.integers(10**6, 10**13))
def test_an_inverse_future_is_the_linear_one_seen_from_the_other_currency(size: int, entry: int, after: int) -> None:
    """Long Q USD at E in BTC is short Q x 1/P in USD terms: profit in BTC times the exit is Q (X - E) / E in USD."""
    try:
        inverse = profit(Contract("INVERSE", ONE_E8), size, entry, after, "half_even")
    except MoneyError:
        return
    in_quote = size * (after - entry) / entry
    assert inverse * after / ONE_E8 == pytest.approx(in_quote, rel=1e-9, abs=after / ONE_E8 + 1)


@given(payoffs, multipliers, quantities, prices)
def test_notional_is_what_the_position_would_settle_for_rounded_up(
    payoff: Payoff, multiplier: int, quantity: int, price: int
) -> None:
    contract = Contract(payoff, multiplier)
    try:
        size = notional(contract, quantity, price)
    except MoneyError:
        return
    assert size == notional(contract, -quantity, price) >= 0
    assert 0 <= size - abs(value(contract, quantity, price, "half_even")) <= 1
    exact_e18 = abs(quantity) * unit_notional_e18(contract, price) / ONE_E8
    assert exact_e18 / 10**10 == pytest.approx(size, rel=1e-9, abs=1 + abs(quantity) / 10**18)


@given(st.sampled_from(["CALL", "PUT"]), prices, prices, st.integers(1, 10**12))
def test_writer_and_holder_of_an_option_leave_at_most_one_unit(
    right: Right, strike: int, settles: int, quantity: int
) -> None:
    for contract in (BTC_OPTION, ETH_OPTION):
        try:
            held = exercise(contract, right, strike, settles, quantity)
            written = exercise(contract, right, strike, settles, -quantity)
        except MoneyError:
            continue
        assert held >= 0 >= written
        assert held + written in (0, -1)
