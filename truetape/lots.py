"""Lots, first in first out: the same entries as average cost, cut by the trades that opened them. A view, never state.

A trade against the position closes the oldest lots; what it received is shared among them by quantity, the last one
taking what rounding leaves. As with average cost, cost that is open less what was realised is all that was paid.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from truetape.messages import EntryBooked
from truetape.money import divide


class Move(NamedTuple):
    """What an entry does to a position: signed quantity, and what was paid for it (negative: received)."""

    entry_id: str
    at_us: int
    quantity_e8: int
    paid_e8: int


class Lot(NamedTuple):
    """What is open of one trade."""

    opened_by: str
    opened_at_us: int
    quantity_e8: int
    cost_e8: int


class Closed(NamedTuple):
    """A part of a lot that a later trade closed."""

    opened_by: str
    closed_by: str
    closed_at_us: int
    quantity_e8: int
    cost_e8: int
    received_e8: int

    @property
    def realised_e8(self) -> int:
        """Profit."""
        return self.received_e8 - self.cost_e8


class Lots(NamedTuple):
    """A position by lots, oldest first."""

    open: tuple[Lot, ...]
    closed: tuple[Closed, ...]


def moves(entries: Iterable[EntryBooked], instrument_id: str) -> Iterator[Move]:
    """The trades of an account's entries in one instrument, in their order, without those that were taken back."""
    found = list(entries)
    gone = {entry.corrects for entry in found if entry.kind == "CORRECTION"}
    for entry in found:
        if entry.kind == "CORRECTION" or entry.entry_id in gone or entry.position is None:
            continue
        if entry.position.instrument_id != instrument_id:
            continue
        if entry.contract is not None:
            quantity_e8, paid_e8 = entry.contract.quantity_e8, entry.contract.paid_e8
        else:
            quantity_e8, paid_e8 = entry.lines[0].amount_e8, -entry.lines[1].amount_e8
        if quantity_e8:
            yield Move(entry.entry_id, entry.transacted_at_us, quantity_e8, paid_e8)


def first_in_first_out(trades: Iterable[Move]) -> Lots:
    """Open lots, and what was closed."""
    queue: deque[Lot] = deque()
    closed: list[Closed] = []
    for trade in trades:
        left = trade
        while queue and left.quantity_e8 and (queue[0].quantity_e8 > 0) != (left.quantity_e8 > 0):
            left = _close(queue, closed, left)
        if left.quantity_e8:
            queue.append(Lot(left.entry_id, left.at_us, left.quantity_e8, left.paid_e8))
    return Lots(tuple(queue), tuple(closed))


def _close(queue: deque[Lot], closed: list[Closed], trade: Move) -> Move:
    """Close the oldest lot by a trade, as far as either goes; returns what is left of the trade."""
    lot = queue.popleft()
    size_e8 = min(abs(lot.quantity_e8), abs(trade.quantity_e8))
    cost_e8 = _share(lot.cost_e8, size_e8, abs(lot.quantity_e8))
    paid_e8 = _share(trade.paid_e8, size_e8, abs(trade.quantity_e8))
    signed_e8 = size_e8 if lot.quantity_e8 > 0 else -size_e8
    closed.append(Closed(lot.opened_by, trade.entry_id, trade.at_us, signed_e8, cost_e8, -paid_e8))
    if lot.quantity_e8 != signed_e8:
        queue.appendleft(lot._replace(quantity_e8=lot.quantity_e8 - signed_e8, cost_e8=lot.cost_e8 - cost_e8))
    return trade._replace(quantity_e8=trade.quantity_e8 + signed_e8, paid_e8=trade.paid_e8 - paid_e8)


def _share(amount_e8: int, part: int, whole: int) -> int:
    return divide(amount_e8 * part, whole, "half_even")[0]
