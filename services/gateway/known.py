"""Which orders were decided before: so that a retry is answered with the decision already made, whenever it comes.

Risk repeats decisions that it remembers. What it has forgotten stands in PostgreSQL, and asking there for every new
order would put a database into the hot path. So each process keeps the newest decisions, and a filter of all order ids
(a Bloom filter: order ids are hashes already, so their own bits choose). An id that the filter does not have is new,
beyond doubt; the few others are looked up. The filter is filled at the start, from PostgreSQL or, when the views are
not current, from the tape; until then every id that a client chose is looked up.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from truetape import messages as m
from truetape.messages import OrderTerms, RejectReason

RECENT_MAX: Final = 20_000
FILTER_BITS: Final = 28
"""2**28 bits are 32 MB: at 20 million orders one new id in 200 is looked up without need."""
PROBES: Final = 4


class Decided(Struct, frozen=True, gc=False):
    """A decision about an order: all that an answer is made of."""

    order: OrderTerms
    accepted: bool
    decided_at_us: int
    event_id: str
    offset: int
    """On orders.decisions; of the decision, or of its repetition."""
    reason: RejectReason | None = None
    numbers: dict[str, int] | None = None


def decided(event: m.OrderAccepted | m.OrderRejected, offset: int) -> Decided:
    """What a first decision says."""
    meta = event.meta
    if isinstance(event, m.OrderAccepted):
        return Decided(event.order, True, meta.decided_at_us, meta.event_id, offset)
    return Decided(event.order, False, meta.decided_at_us, meta.event_id, offset, event.reason, event.numbers)


def repeated(event: m.DecisionRepeated, order: OrderTerms, offset: int) -> Decided:
    """What a repeated decision says about the same terms."""
    assert not event.differs
    return Decided(
        order, event.accepted, event.decided_at_us, event.decision_event_id, offset, event.reason, event.numbers
    )


COMPARED: Final = {
    "instrument_id": "instrument_id", "side": "side", "order_type": "order_type", "time_in_force": "time_in_force",
    "post_only": "post_only", "quantity": "quantity_e8", "price": "price_e8", "position_effect": "position_effect",
}  # fmt: skip
"""Fields of a request in which two submissions of one order id can differ, and of the terms."""


def differences(decided: OrderTerms, asked: OrderTerms) -> list[str]:
    """Names of the request's fields in which it differs from what was decided."""
    return [name for name, field in COMPARED.items() if getattr(decided, field) != getattr(asked, field)]


class Filter:
    """A set of order ids that may say yes wrongly, but never no."""

    def __init__(self, bits: int = FILTER_BITS) -> None:
        self._shift, self._mask = bits, (1 << bits) - 1
        self._bytes = bytearray(1 << (bits - 3))

    def add(self, order_id: str) -> None:
        """Remember an order id (32 hex digits)."""
        number = int(order_id, 16)
        for _ in range(PROBES):
            place = number & self._mask
            self._bytes[place >> 3] |= 1 << (place & 7)
            number >>= self._shift

    def __contains__(self, order_id: str) -> bool:
        number = int(order_id, 16)
        for _ in range(PROBES):
            place = number & self._mask
            if not self._bytes[place >> 3] & (1 << (place & 7)):
                return False
            number >>= self._shift
        return True


class Known:
    """The newest decisions and the filter of all orders, of one process."""

    def __init__(self, filter: Filter | None = None) -> None:
        self.recent: OrderedDict[str, Decided] = OrderedDict()
        self.complete = False
        """Whether the filter has every order that risk may have forgotten."""
        self._filter = filter or Filter()

    def note(self, event: Any, offset: int) -> None:
        """A first decision was read from the tape."""
        if isinstance(event, m.OrderAccepted | m.OrderRejected):
            self.keep(decided(event, offset))

    def keep(self, decision: Decided) -> None:
        """Remember a decision."""
        order_id = decision.order.order_id
        self._filter.add(order_id)
        self.recent[order_id] = decision
        if len(self.recent) > RECENT_MAX:
            self.recent.popitem(last=False)

    def load(self, order_ids: Iterable[str]) -> None:
        """Add ids of old orders."""
        for order_id in order_ids:
            self._filter.add(order_id)

    def must_look_up(self, order_id: str) -> bool:
        """Whether only PostgreSQL can tell if this order is new."""
        return not self.complete or order_id in self._filter
