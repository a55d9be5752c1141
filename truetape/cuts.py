"""A position in contracts cut into a long and a short side, and into lots: hedging accounts, first in first out.

The books keep one net position at average cost; this is the same entries cut otherwise, by the account's terms, so
that cash and margin are the same whatever the cut:

    positions  NETTING   a trade closes the other side first
               HEDGING   a buy is long, a sell is short, side by side, until an order says that it closes the other
                         side (position effect CLOSE) or the account closes one against the other
    costs      AVERAGE   one cost for each side
               FIFO      the oldest lot is closed first

What is open at its cost, less what was realised, is all that was paid: of any cut. So whatever a cut realises earlier
or later, it ends with the same profit.
"""

from collections.abc import Iterable
from typing import Any, Final, Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from truetape.contracts import Contract, value
from truetape.messages import ContractBooking, ContractFactTaken, EntryBooked, Position, SidesClosedOut
from truetape.money import divide, fits

Positions = Literal["NETTING", "HEDGING"]
Costs = Literal["AVERAGE", "FIFO"]
POSITIONS: Final = get_args(Positions)
COSTS: Final = get_args(Costs)
LOTS_MAX: Final = 1_000
"""Lots that a side keeps; beyond it the two oldest become one."""
ENDS: Final = frozenset({"EXPIRY", "DELISTING", "RENAME", "CONTRACT_SIZE"})
"""Facts after which a contract is no more: both sides are closed against each other."""
_ENDS: Final = frozenset({"EXPIRY", "EXERCISE", "ASSIGNMENT", "DELIVERY", "DELISTING"})
_UNDOES: Final = frozenset({"BUST", "CORRECTION"})


class Lot(Struct, array_like=True, gc=False):
    """What is open of one trade."""

    opened_by: str
    quantity_e8: int
    cost_e8: int


class Cut(Struct):
    """A position of one account in one contract."""

    positions: str = "NETTING"
    costs: str = "AVERAGE"
    long: list[Lot] = []
    short: list[Lot] = []
    """Oldest first; quantities are negative."""
    realised_e8: int = 0

    @property
    def long_e8(self) -> int:
        """Contracts of the long side."""
        return sum(lot.quantity_e8 for lot in self.long)

    @property
    def short_e8(self) -> int:
        """Contracts of the short side, negative."""
        return sum(lot.quantity_e8 for lot in self.short)

    @property
    def cost_e8(self) -> int:
        """Of all that is open."""
        return sum(lot.cost_e8 for lot in (*self.long, *self.short))


def begun(positions: str, costs: str, before: Position | None) -> Cut:
    """The cut of a position that had none so far."""
    cut = Cut(positions, costs)
    if before is not None:
        cut.realised_e8 = before.realised_e8
        if before.quantity_e8:
            _open(cut, Lot("", before.quantity_e8, before.cost_e8))
    return cut


def before(known: Cut | None, positions: str, costs: str, position: Position | None) -> Cut:
    """The cut as an entry under these terms finds it. What is open keeps the terms that it was opened under."""
    if known is None:
        return begun(positions, costs, position)
    if known.long or known.short:
        return copied(known)
    return Cut(positions, costs, realised_e8=known.realised_e8)


def folded(events: Iterable[Any], account_id: str) -> dict[str, Cut]:
    """An account's cuts by contract, from the records of its partition of clearing.entries in their order."""
    found: dict[str, Cut] = {}
    held: dict[str, Position] = {}
    for event in events:
        match event:
            case EntryBooked(contract=ContractBooking() as booked, position=Position() as position) if (
                event.account_id == account_id
            ):
                name, terms = booked.instrument_id, booked.ids
                if "positions" in terms:
                    found[name] = before(found.get(name), terms["positions"], terms["costs"], held.get(name))
                    follow(found[name], event.entry_id, booked, position.quantity_e8)
                held[name] = position
            case SidesClosedOut() if event.account_id == account_id:
                close_out(found[event.instrument_id], event.quantity_e8)
            case ContractFactTaken(fact=fact) if fact.kind in ENDS and fact.instrument_id in found:
                if size_e8 := closable(found[fact.instrument_id]):
                    close_out(found[fact.instrument_id], size_e8)
    return found


def copied(cut: Cut) -> Cut:
    """The same, to be changed."""
    return replace(cut, long=list(cut.long), short=list(cut.short))


def follow(cut: Cut, entry_id: str, booked: ContractBooking, quantity_after_e8: int) -> None:
    """What an entry does to the cut. Its evidence says payoff, multiplier and price."""
    before_e8 = cut.cost_e8 - cut.realised_e8
    quantity_e8, paid_e8 = booked.quantity_e8, booked.paid_e8
    if booked.event == "VARIATION_MARGIN":
        _settle(cut, booked)
    elif booked.event in _ENDS and quantity_after_e8 == 0:
        cut.long, cut.short = [], []
    elif cut.positions == "HEDGING" and (booked.event == "TRADE") != _closes(booked):
        _open(cut, Lot(entry_id, quantity_e8, paid_e8))
    elif quantity_e8:
        undoes = cut.positions == "HEDGING" and booked.event in _UNDOES
        _net(cut, Lot(entry_id, quantity_e8, paid_e8), newest=undoes)
    cut.realised_e8 = fits(cut.cost_e8 - before_e8 - paid_e8)


def _closes(booked: ContractBooking) -> bool:
    """Whether a trade said that it closes the other side; or what is taken back did, which opens that side again."""
    said = booked.ids.get("position_effect") == "CLOSE"
    return said and (booked.event == "TRADE" or booked.event in _UNDOES)


def close_out(cut: Cut, quantity_e8: int) -> int:
    """Close so many long contracts against as many short ones; the profit that is realised by it."""
    assert 0 < quantity_e8 <= closable(cut), "both sides have so many"
    before_e8 = cut.cost_e8
    _take(cut.long, quantity_e8)
    _take(cut.short, quantity_e8)
    realised_e8 = cut.cost_e8 - before_e8
    cut.realised_e8 = fits(cut.realised_e8 + realised_e8)
    return realised_e8


def closable(cut: Cut) -> int:
    """How many contracts one side has against the other."""
    return min(cut.long_e8, -cut.short_e8)


def _settle(cut: Cut, booked: ContractBooking) -> None:
    """Every lot's cost becomes what it is worth at the settlement price."""
    numbers, style = booked.numbers, booked.ids["style"]
    of = Contract("INVERSE" if style == "INVERSE" else "LINEAR", numbers["multiplier_e8"])
    for lots in (cut.long, cut.short):
        lots[:] = [
            Lot(lot.opened_by, lot.quantity_e8, value(of, lot.quantity_e8, numbers["price_e8"], "half_even"))
            for lot in lots
        ]


def _net(cut: Cut, trade: Lot, newest: bool) -> None:
    """Close the other side, as far as it goes; the rest opens."""
    other = cut.short if trade.quantity_e8 > 0 else cut.long
    size_e8 = abs(trade.quantity_e8)
    closing_e8 = min(size_e8, abs(sum(lot.quantity_e8 for lot in other)))
    if closing_e8:
        _take(other, closing_e8, newest)
    if closing_e8 < size_e8:
        rest_e8 = size_e8 - closing_e8
        cost_e8 = trade.cost_e8 - _share(trade.cost_e8, closing_e8, size_e8)
        _open(cut, Lot(trade.opened_by, rest_e8 if trade.quantity_e8 > 0 else -rest_e8, cost_e8))


def _open(cut: Cut, lot: Lot) -> None:
    lots = cut.long if lot.quantity_e8 > 0 else cut.short
    lots.append(lot)
    if cut.costs == "AVERAGE":
        lots[:] = [_merged(lots)]
    elif len(lots) > LOTS_MAX:
        lots[:2] = [_merged(lots[:2])]


def _merged(lots: Iterable[Lot]) -> Lot:
    found = list(lots)
    return Lot(found[0].opened_by, sum(lot.quantity_e8 for lot in found), sum(lot.cost_e8 for lot in found))


def _take(lots: list[Lot], size_e8: int, newest: bool = False) -> None:
    """Take so many contracts out, oldest first, with their cost; of a part of a lot its share, half to even."""
    place = -1 if newest else 0
    while size_e8:
        lot = lots[place]
        taken_e8 = min(size_e8, abs(lot.quantity_e8))
        if taken_e8 == abs(lot.quantity_e8):
            lots.pop(place)
        else:
            cost_e8 = _share(lot.cost_e8, taken_e8, abs(lot.quantity_e8))
            signed_e8 = taken_e8 if lot.quantity_e8 > 0 else -taken_e8
            lots[place] = Lot(lot.opened_by, lot.quantity_e8 - signed_e8, lot.cost_e8 - cost_e8)
        size_e8 -= taken_e8


def _share(amount_e8: int, part: int, whole: int) -> int:
    return divide(amount_e8 * part, whole, "half_even")[0]
