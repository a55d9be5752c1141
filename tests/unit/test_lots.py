"""Lots, first in first out: rows a trader reads, and the identity that average cost has too."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.clearing.booking import positions
from tests.unit.contract_desk import E8, Desk, instrument, terms
from truetape.lots import Closed, Lot, Move, first_in_first_out, moves

PERP = "BTC-USDT-PERP"


def test_the_oldest_lot_closes_first_and_a_flip_opens_a_new_one() -> None:
    desk = Desk(instrument(PERP, terms()))
    for side, contracts, price in (("BUY", 2, 60_000), ("BUY", 2, 61_000), ("SELL", 3, 62_000), ("SELL", 3, 63_000)):
        desk.trade("ann", side, contracts, price, PERP)  # type: ignore[arg-type]
    busted = desk.trade("ann", "BUY", 9, 1, PERP)
    desk.fact("SETTLEMENT_PRICE", PERP, 62_000 * E8)
    desk.bust(busted)
    found = first_in_first_out(moves([event for event in desk.events if hasattr(event, "position")], PERP))
    names = [one.entry_id for one in moves([e for e in desk.events if hasattr(e, "position")], PERP)]
    first, second, third, fourth = names
    assert [(one.opened_by, one.closed_by, one.quantity_e8 // E8, one.realised_e8 // E8) for one in found.closed] == [
        (first, third, 2, 40),
        (second, third, 1, 10),
        (second, fourth, 1, 20),
    ]
    assert [(one.opened_by, one.quantity_e8, one.cost_e8) for one in found.open] == [(fourth, -2 * E8, -1_260 * E8)]


def test_what_is_left_of_the_oldest_lot_is_still_the_oldest() -> None:
    found = first_in_first_out(
        [Move("a", 1, 3, 30), Move("b", 2, 2, 40), Move("c", 3, -1, -50), Move("d", 4, -3, -150)]
    )
    assert [(one.opened_by, one.closed_by, one.quantity_e8, one.realised_e8) for one in found.closed] == [
        ("a", "c", 1, 40), ("a", "d", 2, 80), ("b", "d", 1, 30),
    ]  # fmt: skip
    assert found.open == (Lot("b", 2, 1, 20),)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(-9, 9).filter(bool), st.integers(1, 10**6)), max_size=20))
def test_lots_and_average_cost_agree_on_all_but_when_profit_is_made(trades: list[tuple[int, int]]) -> None:
    """Same open quantity, and open cost less profit is what was paid; nothing open stands on both sides."""
    held = positions.flat("x")
    for quantity, price in trades:
        held = positions.trade(held, quantity, quantity * price)
    found = first_in_first_out(Move(str(n), n, q, q * p) for n, (q, p) in enumerate(trades))
    cost = sum(lot.cost_e8 for lot in found.open)
    realised = sum(one.realised_e8 for one in found.closed)
    assert sum(lot.quantity_e8 for lot in found.open) == held.quantity_e8
    assert cost - realised == held.cost_e8 - held.realised_e8
    assert len({lot.quantity_e8 > 0 for lot in found.open}) <= 1


def test_records_name_who_opened_and_who_closed() -> None:
    found = first_in_first_out([Move("a", 1, 3, 10), Move("b", 2, -2, -8)])
    assert found.closed == (Closed("a", "b", 2, 2, 7, 8),)
    assert found.open == (Lot("a", 1, 1, 3),)
