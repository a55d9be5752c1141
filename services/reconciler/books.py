"""Our side of a reconciliation: a view of orders.executions and clearing.entries, all partitions.

Not the reconciler's state: it is folded again at each start, and no decision but a comparison uses it.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from truetape import messages as m
from truetape.log import Log, Part
from truetape.restore import readable
from truetape.tape import Reader
from truetape.topics import CLEARING_ENTRIES, ORDERS_EXECUTIONS

READ_SECONDS = 60.0
MIRROR = "venue:"


@dataclass
class VenueBooks:
    """What our books say of one venue."""

    fills: dict[str, m.OrderFilled] = field(default_factory=dict)
    """Fills on the tape that are not yet matched and booked, by execution id."""
    booked: dict[str, None] = field(default_factory=dict)
    """Execution ids that clearing booked, while their fill is not yet matched."""
    repeated: dict[str, m.OrderFilled] = field(default_factory=dict)
    """Fills that the tape has twice."""
    mirror_e8: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Balance of the mirror account by asset: minus it is what the venue should report."""
    open_orders: dict[str, m.OrderTerms] = field(default_factory=dict)
    """Open venue orders by client order id at the venue."""
    matched: dict[str, None] = field(default_factory=dict)
    """Execution ids that were equal on both sides and are booked."""

    def settle(self, execution_id: str) -> None:
        """A fill is matched and booked: only its id is remembered."""
        self.matched[execution_id] = None
        self.fills.pop(execution_id, None)
        self.booked.pop(execution_id, None)


class Books:
    """Folds the tape when asked, by the reader's rule. Raises TapeGap when records are missing."""

    def __init__(self, log: Log) -> None:
        self._log = log
        parts = [Part(t.name, p) for t in (ORDERS_EXECUTIONS, CLEARING_ENTRIES) for p in range(t.partitions)]
        self._next = dict.fromkeys(parts, 0)
        self._readers = {part: Reader(*part) for part in parts}
        self._legs: dict[tuple[str, int], str] = {}
        self.venues: defaultdict[str, VenueBooks] = defaultdict(VenueBooks)

    def catch_up(self) -> None:
        """Fold everything up to the tape's present end: entries first, so that the fill of every entry is known."""
        for topic in (CLEARING_ENTRIES, ORDERS_EXECUTIONS):
            parts = [part for part in self._next if part.topic == topic.name]
            spans = {part: (self._next[part], high) for part, (_, high) in self._log.ends(parts).items()}
            for record in self._log.read(spans, READ_SECONDS):
                part = Part(record.topic, record.partition)
                message: Any = readable(record)
                if message is not None and self._readers[part].accept(message, record.offset):
                    self.fold(message)
                self._next[part] = record.offset + 1

    def fold(self, event: Any) -> None:
        """Apply one accepted record."""
        match event:
            case m.OrderRouted():
                for leg in event.legs:
                    self._legs[event.order.order_id, leg.leg] = leg.venue_client_order_id
                    self.venues[leg.venue].open_orders[leg.venue_client_order_id] = event.order
            case m.OrderFilled():
                self._fill(event)
            case m.OrderCancelled() | m.OrderExpired() | m.OrderRejectedByVenue():
                self._end(event.order_id, event.leg, event.venue)
            case m.EntryBooked():
                self._entry(event)

    def _fill(self, fill: m.OrderFilled) -> None:
        books = self.venues[fill.venue]
        if fill.execution_id in books.fills or fill.execution_id in books.matched:
            books.repeated[fill.execution_id] = fill
        books.fills[fill.execution_id] = fill
        if fill.status == "FILLED":
            self._end(fill.order_id, fill.leg, fill.venue)

    def _end(self, order_id: str, leg: int, venue: str) -> None:
        if (name := self._legs.pop((order_id, leg), None)) is not None:
            self.venues[venue].open_orders.pop(name, None)

    def _entry(self, entry: m.EntryBooked) -> None:
        for line in entry.lines:
            if line.account.startswith(MIRROR):
                self.venues[line.account.removeprefix(MIRROR)].mirror_e8[line.asset] += line.amount_e8
        if entry.kind == "TRADE" and entry.execution_id is not None:
            self.venues[entry.execution_id.split(":", 1)[0]].booked[entry.execution_id] = None
