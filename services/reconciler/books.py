"""Our side of a reconciliation: a view of orders.executions and clearing.entries, all partitions.

Not the reconciler's state: it is folded again at each start, and no decision but a comparison uses it.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from services.reconciler.matched import Matched
from truetape import messages as m
from truetape.log import Log, Part
from truetape.restore import accepted
from truetape.tape import Reader
from truetape.topics import CLEARING_ENTRIES, ORDERS_EXECUTIONS, Topic

READ_SECONDS: Final = 60.0
CHUNK_RECORDS: Final = 50_000
"""Of each partition, read with one deadline."""
MIRROR: Final = "venue:"
Amounts = dict[str, int]


@dataclass
class VenueBooks:
    """What our books say of one venue."""

    fills: dict[str, m.OrderFilled] = field(default_factory=dict)
    """Fills on the tape that are not settled, by execution id."""
    booked: dict[str, Amounts] = field(default_factory=dict)
    """What clearing booked for fills that are not settled: change of the venue's account by asset."""
    repeated: dict[str, m.OrderFilled | m.EntryBooked] = field(default_factory=dict)
    """Fills that the tape or the journal has twice: the second one."""
    mirror_e8: Amounts = field(default_factory=lambda: defaultdict(int))
    """Balance of the mirror account by asset: minus it is what the venue should report."""
    moved_e8: Amounts = field(default_factory=lambda: defaultdict(int))
    """What entries other than fills (deposits, withdrawals, corrections) say the venue's account got, by asset."""
    open_orders: dict[str, m.OrderTerms] = field(default_factory=dict)
    """Open venue orders by client order id at the venue."""
    matched: Matched = field(default_factory=Matched)
    """Execution ids that were equal on both sides and are booked."""

    def settle(self, execution_id: str) -> None:
        """A fill is equal on both sides and booked: only its id is remembered."""
        self.matched.add(execution_id)
        self.fills.pop(execution_id, None)
        self.booked.pop(execution_id, None)


class Books:
    """Folds the tape when asked, by the reader's rule. Raises TapeGap when records are missing."""

    def __init__(self, log: Log, partitions: int = ORDERS_EXECUTIONS.partitions) -> None:
        self._log = log
        parts = [Part(t.name, p) for t in (ORDERS_EXECUTIONS, CLEARING_ENTRIES) for p in range(partitions)]
        self._next = dict.fromkeys(parts, 0)
        self._readers = {part: Reader(*part) for part in parts}
        self._legs: dict[tuple[str, int], str] = {}
        self.venues: defaultdict[str, VenueBooks] = defaultdict(VenueBooks)

    def catch_up(self) -> None:
        """Fold everything up to the tape's present end: entries first, so that the fill of every entry is known."""
        for topic in (CLEARING_ENTRIES, ORDERS_EXECUTIONS):
            self._read(topic)

    def close(self) -> None:
        """Give the log back."""
        self._log.close()

    def _read(self, topic: Topic) -> None:
        parts = [part for part in self._next if part.topic == topic.name]
        ends = {part: high for part, (_, high) in self._log.ends(parts).items()}
        while behind := {part: end for part, end in ends.items() if self._next[part] < end}:
            spans = {p: (self._next[p], min(end, self._next[p] + CHUNK_RECORDS)) for p, end in behind.items()}
            for record in self._log.read(spans, READ_SECONDS):
                part = Part(record.topic, record.partition)
                message: Any = accepted(record, self._readers[part])
                if message is not None:
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
        else:
            books.fills[fill.execution_id] = fill
        if fill.status == "FILLED":
            self._end(fill.order_id, fill.leg, fill.venue)

    def _end(self, order_id: str, leg: int, venue: str) -> None:
        if (name := self._legs.pop((order_id, leg), None)) is not None:
            self.venues[venue].open_orders.pop(name, None)

    def _entry(self, entry: m.EntryBooked) -> None:
        execution_id = entry.execution_id
        for venue in sorted({line.account for line in entry.lines if line.account.startswith(MIRROR)}):
            books = self.venues[venue.removeprefix(MIRROR)]
            got = received(line for line in entry.lines if line.account == venue)
            add(books.mirror_e8, {asset: -amount_e8 for asset, amount_e8 in got.items()})
            if execution_id is None:
                add(books.moved_e8, got)
            elif execution_id in books.booked or execution_id in books.matched:
                books.repeated[execution_id] = entry
            else:
                books.booked[execution_id] = got


def received(lines: Iterable[m.Line]) -> Amounts:
    """What the venue's account got by lines of its mirror: their opposite, by asset."""
    found: Amounts = {}
    for line in lines:
        found[line.asset] = found.get(line.asset, 0) - line.amount_e8
    return {asset: amount_e8 for asset, amount_e8 in found.items() if amount_e8}


def add(amounts: Amounts, changes: Amounts) -> None:
    """Add changes to amounts, in place."""
    for asset, amount_e8 in changes.items():
        amounts[asset] = amounts.get(asset, 0) + amount_e8
