"""Partial liquidation: the least that restores margin, never worse, within the limits of orders."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.desk import LAW
from truetape.default.plan import Excess, Holding, Plan, cut, orders, plan
from truetape.money import ONE_E8, to_e8

LOT = to_e8("0.001")


def holding(
    name: str, quantity: str, price: str, lot: str = "0.001", largest: str = "100", least: str = "0.001"
) -> Holding:
    return Holding(name, to_e8(quantity), to_e8(lot), to_e8(price), to_e8(largest), to_e8(least))


def linear(cash_e8: int, marks: Mapping[str, int], rate_ppm: int, held: tuple[Holding, ...]) -> Excess:
    """Equity at marks less a rate of each notional, when what was closed went at its limit price and paid 0.1 %."""
    before = {one.instrument_id: one for one in held}

    def excess(quantities: Mapping[str, int]) -> int:
        total_e8 = cash_e8
        for name, quantity_e8 in quantities.items():
            closed_e8 = before[name].quantity_e8 - quantity_e8
            limit_e8 = before[name].limit_price_e8
            total_e8 += closed_e8 * (limit_e8 - marks[name]) // ONE_E8
            total_e8 -= abs(closed_e8) * limit_e8 // ONE_E8 // 1_000
            total_e8 -= abs(quantity_e8) * marks[name] // ONE_E8 * rate_ppm // 1_000_000
        return total_e8

    return excess


def netted(cash_e8: int, mark_e8: int) -> Excess:
    """5 % of the net of all quantities: closing one side of a hedge needs more margin, not less."""

    def excess(quantities: Mapping[str, int]) -> int:
        return cash_e8 - abs(sum(quantities.values())) * mark_e8 // ONE_E8 // 20

    return excess


def test_one_lot_less_would_not_restore_margin() -> None:
    held = (holding("BTC-PERP", "2", "60000"),)
    excess = linear(to_e8("5000"), {"BTC-PERP": to_e8("60000")}, 50_000, held)
    made = plan(held, excess)
    assert made.before_e8 == to_e8("-1000")
    [closing] = made.closings
    assert closing.quantity_e8 == to_e8("0.341"), "1000 / (60000 x (5 % - 0.1 %)) = 0.3401"
    assert made.restored and excess({"BTC-PERP": to_e8("2") - closing.quantity_e8}) == made.after_e8
    assert excess({"BTC-PERP": to_e8("2") - closing.quantity_e8 + LOT}) < 0


def test_a_short_is_bought_back() -> None:
    held = (holding("BTC-PERP", "-2", "60000"),)
    made = plan(held, linear(to_e8("5000"), {"BTC-PERP": to_e8("60000")}, 50_000, held))
    assert [(order.side, order.quantity_e8) for order in orders("ann", "7", made)] == [("BUY", to_e8("0.341"))]


def test_a_sound_account_sells_nothing() -> None:
    held = (holding("BTC-PERP", "2", "60000"),)
    made = plan(held, linear(to_e8("6000"), {"BTC-PERP": to_e8("60000")}, 50_000, held))
    assert made == Plan((), 0, 0) and made.restored and orders("ann", "7", made) == []


def test_what_relieves_most_per_amount_sold_goes_first() -> None:
    held = (holding("CHEAP", "10", "100"), holding("DEAR", "1", "1000"))
    rates = {"CHEAP": 20, "DEAR": 10}

    def excess(quantities: Mapping[str, int]) -> int:
        prices = {"CHEAP": 100, "DEAR": 1_000}
        return to_e8("250") - sum(abs(q) * prices[name] * rates[name] // 100 for name, q in quantities.items())

    assert [(one.holding.instrument_id, one.quantity_e8) for one in plan(held, excess).closings] == [
        ("CHEAP", to_e8("2.5"))
    ]


def test_what_one_cannot_restore_takes_the_next() -> None:
    held = (holding("A", "1", "1000"), holding("B", "1", "900"))
    excess = linear(to_e8("-80"), {"A": to_e8("1000"), "B": to_e8("900")}, 100_000, held)
    made = plan(held, excess)
    assert len(made.closings) == 2 and not made.restored and made.after_e8 > made.before_e8
    assert all(one.quantity_e8 == ONE_E8 for one in made.closings)


def test_a_hedge_is_not_broken_where_that_needs_more_margin() -> None:
    held = (holding("MARCH", "10", "100"), holding("JUNE", "-10", "100"))
    excess = netted(to_e8("-5"), to_e8("100"))
    assert plan(held, excess) == Plan((), to_e8("-5"), to_e8("-5"))


def test_only_the_unhedged_part_is_closed() -> None:
    held = (holding("MARCH", "10", "100"), holding("JUNE", "-4", "100"))
    made = plan(held, netted(to_e8("5"), to_e8("100")))
    assert [(one.holding.instrument_id, one.quantity_e8) for one in made.closings] == [("MARCH", to_e8("5"))]
    assert made.restored


def test_a_limit_price_that_costs_more_than_it_relieves_is_left_to_the_auction() -> None:
    held = (holding("BTC-PERP", "2", "50000"),)
    made = plan(held, linear(to_e8("5000"), {"BTC-PERP": to_e8("60000")}, 50_000, held))
    assert made.closings == () and not made.restored


def test_no_order_is_smaller_than_the_venue_takes() -> None:
    held = (holding("BTC-PERP", "2", "60000", least="0.5"),)
    excess = linear(to_e8("5000"), {"BTC-PERP": to_e8("60000")}, 50_000, held)
    assert plan(held, excess).closings[0].quantity_e8 == to_e8("0.5")
    dust = (holding("BTC-PERP", "0.4", "60000", least="0.5"),)
    assert plan(dust, linear(0, {"BTC-PERP": to_e8("60000")}, 50_000, dust)).closings == ()


@pytest.mark.parametrize(
    ("quantity", "largest", "least", "parts"),
    [
        ("1", "1", "0.1", ["1"]),
        ("2.5", "1", "0.1", ["1", "1", "0.5"]),
        ("2.05", "1", "0.1", ["1", "0.95", "0.1"]),
        ("0.05", "1", "0.001", ["0.05"]),
        ("3", "1.0005", "0.001", ["1", "1", "1"]),
        ("1.0004", "1", "0.001", ["0.999", "0.0014"]),
    ],
)
def test_orders_are_cut_to_size(quantity: str, largest: str, least: str, parts: list[str]) -> None:
    assert cut(to_e8(quantity), holding("X", quantity, "1", largest=largest, least=least)) == [to_e8(p) for p in parts]


def test_orders_name_their_liquidation_and_have_the_same_ids_again() -> None:
    held = (holding("BTC-PERP", "2", "60000", largest="0.2"),)
    made = plan(held, linear(to_e8("5000"), {"BTC-PERP": to_e8("60000")}, 50_000, held))
    first, second = orders("ann", "7", made), orders("ann", "7", made)
    assert first == second and len(first) == 2
    assert sum(order.quantity_e8 for order in first) == made.closings[0].quantity_e8
    assert {(o.time_in_force, o.order_type, o.price_e8, o.side) for o in first} == {
        ("IOC", "LIMIT", to_e8("60000"), "SELL")
    }
    assert first[0].order_id != orders("ann", "8", made)[0].order_id


# -- properties --------------------------------------------------------------------------------------------------------

quantities = st.integers(-5_000, 5_000).filter(bool).map(lambda lots: lots * LOT)
markets = st.integers(1, 10**5).map(lambda price: price * ONE_E8)


@LAW
@given(
    st.lists(st.tuples(quantities, markets, st.integers(-200, 200)), min_size=1, max_size=3),
    st.integers(-(10**6), 10**8),
    st.integers(1_000, 500_000),
)
def test_margin_never_gets_worse_and_one_position_closes_the_least(
    rows: list[tuple[int, int, int]], cash: int, rate_ppm: int
) -> None:
    held = tuple(
        Holding(f"I{n}", q, LOT, max(1, price + price * slip // 10_000), 10**12, LOT)
        for n, (q, price, slip) in enumerate(rows)
    )
    marks = {f"I{n}": price for n, (_, price, _) in enumerate(rows)}
    excess = linear(cash * ONE_E8, marks, rate_ppm, held)
    made = plan(held, excess)
    assert made.after_e8 >= made.before_e8
    assert all(0 < one.quantity_e8 <= abs(one.holding.quantity_e8) for one in made.closings)
    after = {one.instrument_id: one.quantity_e8 for one in held}
    for one in made.closings:
        sign = 1 if one.holding.quantity_e8 > 0 else -1
        after[one.holding.instrument_id] -= sign * one.quantity_e8
    assert excess(after) == made.after_e8
    if made.closings and made.restored:
        last = made.closings[-1].holding
        assert (
            excess(after | {last.instrument_id: after[last.instrument_id] + (LOT if last.quantity_e8 > 0 else -LOT)})
            < 0
        )


def test_one_lot_is_sold_where_one_lot_restores_margin() -> None:
    held = (holding("BTC-PERP", "2", "60000"),)
    made = plan(held, linear(to_e8("5999.99"), {"BTC-PERP": to_e8("60000")}, 50_000, held))
    assert [one.quantity_e8 for one in made.closings] == [LOT]
