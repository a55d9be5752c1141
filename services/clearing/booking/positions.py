"""Positions at average cost, in integers: signed quantity, signed cost of what is open, realised profit. No fees."""

from truetape.messages import Position
from truetape.money import divide, fits


def flat(instrument_id: str) -> Position:
    """No position, no profit."""
    return Position(instrument_id, 0, 0, 0)


def trade(position: Position, quantity_e8: int, cost_e8: int) -> Position:
    """The position after a trade of signed quantity and signed cost in the quote asset (positive is paid).

    Adding adds the cost. Reducing takes out the cost in proportion, rounded half to even, and realises the rest of
    what was received. A trade through zero is split: the part that closes realises, the rest opens at its own cost.
    Always exact: cost - realised grows by cost_e8. Raises MoneyError when cost or profit pass 64 bits.
    """
    open_e8, open_cost_e8 = position.quantity_e8, position.cost_e8
    if open_e8 == 0 or (open_e8 > 0) == (quantity_e8 > 0):
        return _fitting(position, open_e8 + quantity_e8, open_cost_e8 + cost_e8, 0)
    if abs(quantity_e8) <= abs(open_e8):
        taken_e8 = _share(open_cost_e8, abs(quantity_e8), abs(open_e8))
        return _fitting(position, open_e8 + quantity_e8, open_cost_e8 - taken_e8, -cost_e8 - taken_e8)
    closing_e8 = _share(cost_e8, abs(open_e8), abs(quantity_e8))
    return _fitting(position, open_e8 + quantity_e8, cost_e8 - closing_e8, -closing_e8 - open_cost_e8)


def reducing_e8(held_e8: int, asked_e8: int) -> int:
    """The part of a change that only reduces what is held: never through zero, nothing on the same side."""
    if held_e8 * asked_e8 >= 0:
        return 0
    size_e8 = min(abs(held_e8), abs(asked_e8))
    return size_e8 if asked_e8 > 0 else -size_e8


def undo(position: Position, quantity_e8: int, cost_e8: int, realised_e8: int) -> Position:
    """The position without a trade of this quantity and cost that realised this profit.

    Exact when nothing came in between. When later trades left cost with no quantity, that cost is realised.
    """
    open_e8 = position.quantity_e8 - quantity_e8
    cost_left_e8 = position.cost_e8 - cost_e8 - realised_e8
    if open_e8 == 0:
        return _fitting(position, 0, 0, -realised_e8 - cost_left_e8)
    return _fitting(position, open_e8, cost_left_e8, -realised_e8)


def _share(amount_e8: int, part: int, whole: int) -> int:
    return divide(amount_e8 * part, whole, "half_even")[0]


def _fitting(position: Position, quantity_e8: int, cost_e8: int, realised_now_e8: int) -> Position:
    return Position(
        position.instrument_id, fits(quantity_e8), fits(cost_e8), fits(position.realised_e8 + realised_now_e8)
    )
