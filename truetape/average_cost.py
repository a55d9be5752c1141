"""Average cost with break-even, in integers: signed quantity and signed amounts received (a long's are negative).

`entry` is what the open quantity was got for, `break_even` the same with fees and funding. Reducing takes out both in
proportion, truncated toward zero; trading through zero splits the trade by size, and the new side starts with no fees.
Source: Drift protocol-v2, `controller/position.rs` (`update_position_and_market`). The books of clearing keep cost paid
and round half to even (`services.clearing.booking.positions`); this is for reports of where a position breaks even.
"""

import msgspec

from truetape.funding import truncated


class Cost(msgspec.Struct, frozen=True):
    """An open position's quantity and amounts, and the profit realised by its last trade."""

    quantity: int = 0
    entry: int = 0
    break_even: int = 0
    realised: int = 0


def trade(cost: Cost, quantity: int, received: int, fee: int = 0) -> Cost:
    """The position after a trade of signed quantity that received (negative: paid) this; the fee is paid on top.

    entry + realised grows by what was received. The fee moves the break-even of what is open after the trade.
    """
    after = _traded(cost, quantity, received)
    return msgspec.structs.replace(after, break_even=after.break_even - fee if after.quantity else 0)


def charge(cost: Cost, amount: int) -> Cost:
    """A payment that belongs to the position, such as funding (negative: paid), moves its break-even."""
    return msgspec.structs.replace(cost, break_even=cost.break_even + amount, realised=0)


def _traded(cost: Cost, quantity: int, received: int) -> Cost:
    if quantity == 0:
        return msgspec.structs.replace(cost, realised=received)
    if cost.quantity == 0 or (cost.quantity > 0) == (quantity > 0):
        return Cost(cost.quantity + quantity, cost.entry + received, cost.break_even + received)
    if abs(quantity) <= abs(cost.quantity):
        entry = cost.entry - _part(cost.entry, quantity, cost.quantity)
        break_even = cost.break_even - _part(cost.break_even, quantity, cost.quantity)
        return Cost(cost.quantity + quantity, entry, break_even, cost.entry - entry + received)
    opening = received - _part(received, cost.quantity, quantity)
    return Cost(cost.quantity + quantity, opening, opening, cost.entry + received - opening)


def _part(amount: int, part: int, whole: int) -> int:
    sign = 1 if amount >= 0 else -1
    return sign * truncated(abs(amount) * abs(part), abs(whole))
