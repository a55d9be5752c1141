"""What a liquidation's order does to margin, computed again in fractions by the flat schedule: from the position that
the journal's entries leave, the marks that the record names, and the order's limit, at which it may be filled whole."""

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from tests.simulation.evidence import Evidence
from tests.simulation.reference import PARTITIONS, VENUE
from truetape import messages as m
from truetape.money import ONE_E8
from truetape.topics import CLEARING_ENTRIES

if TYPE_CHECKING:
    from tests.simulation.distress import DistressSystem

ROUNDING_E8: Final = 20
"""And as much again for each contract, whose need is rounded by itself."""
Held = dict[tuple[str, str], int]


def sales(system: "DistressSystem") -> Iterator[tuple[m.LiquidationChanged, int, bool]]:
    """Every order of a liquidation, once, with the position that it sells of and whether the account is in default."""
    for partition in range(PARTITIONS):
        held: Held = defaultdict(int)
        declared: dict[str, m.DefaultChanged] = {}
        known, closed_out = set[str](), set[str]()
        for event in system.tape(CLEARING_ENTRIES, partition).events():
            match event:
                case m.EntryBooked() if event.position is not None and event.contract is not None:
                    held[event.account_id, event.position.instrument_id] = event.position.quantity_e8
                case m.DefaultChanged():
                    declared[event.account_id] = event
                case m.PortingChanged(state="EXPIRED"):
                    closed_out.add(event.account_id)
                case m.PortingChanged(state="PORTED"):
                    closed_out.discard(event.account_id)
                case m.LiquidationChanged(state="SELLING") if event.order and event.order.order_id not in known:
                    known.add(event.order.order_id)
                    default = declared.get(event.account_id)
                    closes = default is not None and (default.state, default.asset) == ("DECLARED", event.asset)
                    closes |= event.account_id in closed_out
                    yield event, held[event.account_id, event.order.instrument_id], closes


def no_order_of_a_liquidation_makes_margin_worse(found: Evidence, system: "DistressSystem") -> Iterator[str]:
    """Filled whole at its limit, dearest fees paid, it leaves no less over the call level than there was; orders of
    a default, and of a client whom nobody takes over, close everything, whatever that costs."""
    for event, held_e8, closes in sales(system):
        if closes:
            continue
        assert event.order is not None and event.seen is not None
        gained = gain_e8(event, held_e8, system)
        said_e8, rounding_e8 = event.planned_e8 - event.excess_e8, ROUNDING_E8 + 2 * abs(held_e8) // ONE_E8
        if gained < -rounding_e8:
            yield f"{event.order.order_id} at its limit costs {-float(gained)} of excess: {event}"
        if abs(gained - said_e8) > rounding_e8:
            yield f"{event.order.order_id} says {said_e8}, computed is {float(gained)}: {event}"


def no_order_of_a_liquidation_does_more_than_reduce(found: Evidence, system: "DistressSystem") -> Iterator[str]:
    """It is against the position and no larger, and no fill of it turns a position or enlarges it."""
    named = dict[str, int]()
    for event, held_e8, _ in sales(system):
        assert event.order is not None
        named[event.order.order_id] = held_e8
        size_e8 = event.order.quantity_e8 if event.order.side == "SELL" else -event.order.quantity_e8
        if not (0 < size_e8 <= held_e8 or held_e8 <= size_e8 < 0):
            yield f"{event.order.order_id} is for {size_e8} of {held_e8}"
    for _, entry in found.entries:
        if entry.order_id in named and entry.position is not None and entry.contract is not None:
            after_e8 = entry.position.quantity_e8
            before_e8 = after_e8 - entry.contract.quantity_e8
            if before_e8 != named[entry.order_id]:
                continue  # A trade with the house or a bust came between the order and its fill.
            named[entry.order_id] = after_e8
            if before_e8 * after_e8 < 0 or abs(after_e8) >= abs(before_e8):
                yield f"{entry.entry_id}: a liquidation's fill made {after_e8} of {before_e8}"


def gain_e8(event: m.LiquidationChanged, held_e8: int, system: "DistressSystem") -> Fraction:
    """What the order does to equity less the call level; fees included."""
    order, seen = event.order, event.seen
    assert order is not None and order.price_e8 is not None and seen is not None
    one = system.contracts[order.instrument_id]
    sign = 1 if order.side == "SELL" else -1
    price = Fraction(order.price_e8, ONE_E8)
    size = Fraction(order.quantity_e8 * one.terms.multiplier_e8, ONE_E8**2)
    mark = _mark(system, event, order.instrument_id)
    received = sign * size * (price - mark)
    level = system.distress.terms.level_rate_e8
    rate = Fraction(one.terms.maintenance_rate_e8, ONE_E8)
    rate += Fraction((one.terms.initial_rate_e8 - one.terms.maintenance_rate_e8) * level, ONE_E8**2)
    freed = size * rate * mark
    if one.terms.kind == "OPTION":
        received = sign * size * price if held_e8 > 0 else -size * (price - mark)
        index = max(_mark(system, event, one.terms.index), Fraction(one.terms.strike_e8 or 0, ONE_E8))
        freed = size * rate * index if held_e8 < 0 else Fraction()
    return (received + freed - _fees(event, one, size, price, sign, system)) * ONE_E8


def _mark(system: "DistressSystem", event: m.LiquidationChanged, name: str) -> Fraction:
    """As the record names it; of what needs no margin the newest one."""
    assert event.seen is not None
    known = event.seen.marks.get(name)
    return Fraction(known.price_e8 if known is not None else 0, ONE_E8)


def _fees(
    event: m.LiquidationChanged, one: Any, size: Fraction, price: Fraction, sign: int, system: "DistressSystem"
) -> Fraction:
    """The house's, the venue's dearest, and the liquidation's: at most what is got beyond the bankruptcy price."""
    listing = next(each for each in one.instrument.listings if each.venue == VENUE)
    taker = system.reference.fees_of(event.account_id).taker_rate_e8 + listing.taker_rate_e8
    beyond = sign * size * (price - Fraction(event.bankruptcy_price_e8, ONE_E8))
    liquidation = min(beyond, size * price * Fraction(one.terms.liquidation_fee_rate_e8, ONE_E8))
    return size * price * Fraction(taker, ONE_E8) + max(liquidation, Fraction())
