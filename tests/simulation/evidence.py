"""What a run leaves for the invariants to judge: the tape as it grows, the venue's truth, the audit's report."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.simulation.reference import PARTITIONS
from truetape import messages as m
from truetape.audit import Audit, Difference, Report
from truetape.audit.live import Live, LivePartition, Silent
from truetape.happenings import Part
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS

if TYPE_CHECKING:
    from tests.simulation.system import System

ENDS = (m.OrderCancelled, m.OrderExpired, m.OrderRejectedByVenue, m.OrderNotRouted)


class TrueFill(NamedTuple):
    """A fill as the venue has it."""

    execution_id: str
    client_order_id: str
    side: m.Side
    quantity_e8: int
    price_e8: int
    quote_e8: int
    fee_asset: str
    fee_e8: int
    maker: bool
    instrument_id: str


class Arrival(NamedTuple):
    """An order that reached the venue."""

    at_us: int
    """Virtual time."""
    client_order_id: str


class Truth(NamedTuple):
    """The venue's ground truth."""

    fills: dict[str, TrueFill]
    """By execution id."""
    open_orders: frozenset[str]
    """Client order ids."""
    taken: frozenset[str]
    """Client order ids of all orders that the venue ever took."""
    arrivals: list[Arrival]
    balances_e8: dict[str, int]
    """What the firm has there by our own doing: deposits and trades, without gifts; nothing that is zero."""


class Evidence:
    """Grows with the run. What costs much is computed once, when it is first asked for."""

    def __init__(self, system: "System") -> None:
        self.system = system
        self.entries: list[tuple[Part, m.EntryBooked]] = []
        self.trades: dict[str, m.EntryBooked] = {}
        """By execution id."""
        self.doubly_booked: list[str] = []
        self.totals: Counter[str] = Counter()
        """Sum of all balances, by asset: zero after every entry."""
        self.unbalanced: list[str] = []
        self.decided: Counter[str] = Counter()
        """First decisions by order id."""
        self.accepted: dict[str, m.OrderAccepted] = {}
        self.open_orders: dict[str, m.OrderAccepted] = {}
        self.routed: dict[str, str] = {}
        """Order id by client order id at the venue, of every accepted intent."""
        self.rejected_by_venue: dict[str, str] = {}
        """Code by client order id at the venue."""
        self.parked: list[str] = []
        self.tape_hashes: list[tuple[Part, int, str]] = []
        """(partition, number of records, SHA-256 of all of them) at some moments of the run."""
        self._hashing = {part: Hashing() for part in system.tapes}
        self.finished = False
        self._taken = dict.fromkeys(system.tapes, 0)

    # -- as it grows -----------------------------------------------------------------------------------------

    def read_on(self) -> None:
        """Take what has come on the tape since."""
        for part, tape in self.system.tapes.items():
            tape.read_on(self.system.broker)
            if len(tape.found) > self._taken[part]:
                new, self._taken[part] = tape.found[self._taken[part] :], len(tape.found)
                self._take(part, [message for _, message in new])

    def _take(self, part: Part, events: list[Any]) -> None:
        for event in events:
            match event:
                case m.EntryBooked():
                    self._book(part, event)
                case m.OrderAccepted():
                    self.decided[event.order.order_id] += 1
                    self.accepted[event.order.order_id] = event
                    self.open_orders[event.order.order_id] = event
                case m.OrderRejected():
                    self.decided[event.order.order_id] += 1
                case m.OrderRouted():
                    self.routed.update((leg.venue_client_order_id, event.order.order_id) for leg in event.legs)
                case m.InputParked():
                    self.parked.append(f"{part}: {event.reason}")
                case m.OrderRejectedByVenue():
                    names = [name for name, order_id in self.routed.items() if order_id == event.order_id]
                    self.rejected_by_venue.update(dict.fromkeys(names, event.code))
            if is_end(event):
                self.open_orders.pop(event.order_id, None)

    def _book(self, part: Part, entry: m.EntryBooked) -> None:
        self.entries.append((part, entry))
        sums: Counter[str] = Counter()
        for line in entry.lines:
            sums[line.asset] += line.amount_e8
        self.totals.update(sums)
        if any(sums.values()):
            self.unbalanced.append(f"{entry.entry_id}: {dict(sums)}")
        if entry.kind == "TRADE" and entry.execution_id is not None:
            if entry.execution_id in self.trades:
                self.doubly_booked.append(entry.execution_id)
            self.trades[entry.execution_id] = entry

    def note_hashes(self) -> None:
        """Remember what every owned partition holds now."""
        for part, hashing in self._hashing.items():
            hashing.read_on(self.system.broker.records(part))
            self.tape_hashes.append((part, hashing.count, hashing.hexdigest()))

    # -- in the end ------------------------------------------------------------------------------------------

    def complete(self) -> None:
        """Nothing comes any more."""
        self.read_on()
        self.finished = True

    @cached_property
    def truth(self) -> Truth:
        """The venue's side."""
        return self.system.market.truth()

    @cached_property
    def live(self) -> dict[str, Live]:
        """What the live services say of their state."""
        found: dict[str, dict[int, LivePartition]] = defaultdict(dict)
        for node in self.system.nodes:
            if node.runner is not None and node.healthy():
                digests = self.system.digests(node)
                found[node.service] |= {p: LivePartition(**claim) for p, claim in digests.items()}
        return {service: Live(service, partitions) for service, partitions in found.items()}

    @cached_property
    def report(self) -> Report:
        """The audit of production over this tape."""
        log = self.system.broker.log("audit")

        def ask(services: list[str]) -> Mapping[str, Live | Silent]:
            return {name: self.live.get(name) or Silent(name, "does not run") for name in services}

        services = {service.name: service for service in (*self.system.audited, *self.system.services)}
        return Audit(log, self.system.audit_settings, services, ask, self.system.views()).run()

    def against(self, *rules: str) -> Iterator[str]:
        """What the audit says against these rules of its own; nothing before the run is finished."""
        if not self.finished:
            return
        for found in self.report.differences:
            if found.what in rules or found.check in rules:
                yield told(found)

    def fills_of_account(self) -> dict[str, list[TrueFill]]:
        """The venue's fills by client account, through the intents on the tape."""
        found: dict[str, list[TrueFill]] = defaultdict(list)
        for fill in self.truth.fills.values():
            order = self.accepted.get(self.routed.get(fill.client_order_id, ""))
            found[order.order.account_id if order is not None else ""].append(fill)
        return found

    def credit(self) -> dict[str, Any]:
        """What risk counts with, by account."""
        parts = [self.system.tape(ORDERS_DECISIONS, p) for p in range(PARTITIONS)]
        return {account: credit for tape in parts for account, credit in tape.state.accounts.items()}

    def positions(self) -> dict[str, m.Position]:
        """The last position in spot that the journal says, by account: there is one instrument."""
        return {e.account_id: e.position for _, e in self.entries if e.position is not None and e.contract is None}

    def balances(self) -> dict[str, Counter[str]]:
        """Every ledger account's balances, from the lines alone."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for _, entry in self.entries:
            for line in entry.lines:
                found[line.account][line.asset] += line.amount_e8
        return found

    def events(self, kind: type[Any]) -> Iterator[Any]:
        """All accepted events of a kind."""
        for topic in (ORDERS_DECISIONS, ORDERS_EXECUTIONS, CLEARING_ENTRIES):
            for event in self.system.events(topic):
                if isinstance(event, kind):
                    yield event


def is_end(event: Any) -> bool:
    """Whether an execution is the end of its order."""
    return isinstance(event, ENDS) or (isinstance(event, m.OrderFilled) and event.status == "FILLED")


def told(found: Difference) -> str:
    """A difference as one line."""
    return f"{found.where} {found.account_id}: {found.what}: {found.tape} / {found.other}"


class Hashing:
    """SHA-256 of the first records of a partition."""

    def __init__(self) -> None:
        self.count = 0
        self._digest = hashlib.sha256()

    def read_on(self, records: list[Any]) -> None:
        """Add those that have come since."""
        for record in records[self.count :]:
            value = record.value or b""
            self._digest.update(b"%d|%d|" % (record.offset, len(value)) + value)
        self.count = max(self.count, len(records))

    def hexdigest(self) -> str:
        """Of all so far."""
        return self._digest.hexdigest()
