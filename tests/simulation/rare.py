"""Rare situations by name. A suite that never meets one of them proves nothing about it, and fails."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from tests.simulation import contract_rare, distress_rare
from truetape import messages as m
from truetape.codec import decode
from truetape.happenings import Part
from truetape.messages import Began
from truetape.topics import ORDERS_DECISIONS, ORDERS_EXECUTIONS, RECONCILIATION_BREAKS, snapshots_of

if TYPE_CHECKING:
    from tests.simulation.system import System

COUNTED: Final[Mapping[str, str]] = {
    "zombie fenced": "void record on the tape",
    "takeover lost to a faster rival": "void takeover",
    "void record passed over by a reader": "void_records",
    "writer in doubt steps down": "step_downs",
    "process ended by a named error": "process ended by name",
    "killed in the middle of a call": "killed in mid-work",
    "frozen in the middle of a call": "frozen in mid-work",
    "rebalance in mid-batch": "rebalance with records in flight",
    "truncation detected": "truncation detected",
    "silent truncation detected": "silent truncation detected",
    "everything killed at once": "blackout",
    "graceful stop": "graceful stop",
    "cluster away": "outage",
    "acknowledgements cut off": "lose_replies",
    "clock set back or ahead": "clock",
    "venue restarted": "venue_crash",
    "database commit unknown, it happened": "commit unknown, happened",
    "database commit unknown, it did not happen": "commit unknown, did not happen",
    "database serialization failure": "serialization failure",
    "database disk full": "disk full",
    "database restored from an older backup": "older backup restored",
    "views dropped": "views dropped",
    "Redis flushed": "redis flushed",
    "Redis failed over to a stale replica": "stale redis replica took over",
    "answer to a client lost, told again": "told again",
    "client told that the outcome is unknown": "submit 504 outcome_unknown",
    "client told that it is not decided yet": "submit 202",
    "read refused because the views are behind": "read 503 view_behind",
    "venue cut off from a node": "venue_cut",
}
"""Met when the run counted this."""
SERVED: Final = (
    "commit unknown, happened", "commit unknown, did not happen", "serialization failure", "disk full",
    "older backup restored", "views dropped", "redis flushed", "stale redis replica took over", "answer lost",
    "no answer in time", "told again", "submit 202", "submit 504 outcome_unknown", "submit 503 broker_unavailable",
    "read 503 view_unavailable", "read 503 view_behind", "cancel 200", "cancel all 200", "cancel 409 order_closed",
    "stream resumed", "stream died with its gateway", "silent stream given up", "slow reader disconnected",
    "stream told view_behind", "transfer 201", "transfer 202", "transfer told again", "transfer 504 outcome_unknown",
    "transfer 422 insufficient_funds", "transfer 422 external_reference_reused",
)  # fmt: skip
"""What clients of the gateways and the views met; counted under the same name."""


def met(system: "System") -> Counter[str]:
    """Which rare situations a finished run met, judged by its tape and its venue."""
    found: Counter[str] = Counter()
    for name, judge in JUDGED.items():
        found[name] += sum(1 for _ in judge(system))
    return found


def names() -> list[str]:
    """All of them."""
    return [*COUNTED, *SERVED, *JUDGED, *contract_rare.JUDGED, *distress_rare.JUDGED]


SELDOM: Final = ("parcel asked for again", "liquidation raised an alarm", "default asked risk again")
"""What one distress in twenty seeds meets too seldom: the seeds of test_distress.py alone must."""


def missing(seen: Mapping[str, int]) -> list[str]:
    """Those that no run met, given what all runs together counted."""
    return [n for n in names() if n not in SELDOM and not seen.get(COUNTED.get(n, n))]


# -- judged by the tape --------------------------------------------------------------------------------------------


def executions(system: "System") -> Iterator[tuple[str, list[Any]]]:
    """Every order's executions, in order."""
    by_order: dict[str, list[Any]] = {}
    for event in system.events(ORDERS_EXECUTIONS):
        if isinstance(event, m.OrderRouted):
            by_order.setdefault(event.order.order_id, []).append(event)
        elif isinstance(event, m.CancelRouted):
            for leg in event.legs:
                by_order.setdefault(leg.order_id, []).append(event)
        elif (order_id := getattr(event, "order_id", None)) is not None:
            by_order.setdefault(order_id, []).append(event)
    yield from by_order.items()


def followed(system: "System", first: Any, then: Callable[[Any], bool]) -> Iterator[str]:
    """Orders with an event of the first kind and a later one that satisfies the second."""
    for order_id, events in executions(system):
        at = next((n for n, event in enumerate(events) if isinstance(event, first)), None)
        if at is not None and any(then(event) for event in events[at + 1 :]):
            yield order_id


def unknown_then_filled(system: "System") -> Iterator[str]:
    """The outcome was not known; the venue had the order and filled it."""
    return followed(system, m.OutcomeUnknown, lambda event: isinstance(event, m.OrderFilled))


def unknown_then_absent(system: "System") -> Iterator[str]:
    """The outcome was not known; the venue proved that it never had the order."""
    return followed(system, m.OutcomeUnknown, lambda event: getattr(event, "code", "") == "NOT_RECEIVED_BY_DEADLINE")


def cancel_overtaken(system: "System") -> Iterator[str]:
    """A cancel was on its way, and the order was filled to the end."""
    return followed(system, m.CancelRouted, lambda event: getattr(event, "status", "") == "FILLED")


def fill_before_acknowledgement(system: "System") -> Iterator[str]:
    """A fill came before the venue acknowledged the order."""
    for order_id, events in executions(system):
        kinds = [type(event) for event in events]
        if m.OrderFilled in kinds and m.OrderAcknowledged not in kinds[: kinds.index(m.OrderFilled)]:
            yield order_id


def intent_never_sent(system: "System") -> Iterator[str]:
    """The router died, or lost the partition, between the acknowledgement of an intent and the sending of its order:
    it never arrived, although nothing on the way to the venue loses anything in this run."""
    if not (system.plan.line or system.plan.venue or system.plan.venue_events):
        arrived = {one.client_order_id for one in system.market.arrivals()}
        yield from (name for name in system.evidence.routed if name not in arrived)


def snapshot_older_than_a_takeover(system: "System") -> Iterator[str]:
    """A takeover found a snapshot that had been written before another takeover."""
    for service in system.services:
        for partition in range(service.owns.partitions):
            began = [
                (at, msg.meta.epoch) for at, msg in system.tape(service.owns, partition).found if type(msg) is Began
            ]
            part = Part(snapshots_of(service.owns).name, partition)
            kept = [decode(record.value or b"") for record in system.broker.records(part)]
            for snapshot in kept:
                newer = [s for s in kept if s.offset > snapshot.offset]  # type: ignore[attr-defined]
                until = newer[0].offset if newer else 1 << 62  # type: ignore[attr-defined]
                after = [epoch for at, epoch in began if snapshot.offset < at < until]  # type: ignore[attr-defined]
                if len(after) > 1:
                    yield f"{part}"


def repeated_decision(system: "System") -> Iterator[str]:
    """A client asked again, and got the first answer."""
    return (event.order_id for event in system.events(ORDERS_DECISIONS) if isinstance(event, m.DecisionRepeated))


def order_while_halted(system: "System") -> Iterator[str]:
    """An order was refused because of the kill switch."""
    for event in system.events(ORDERS_DECISIONS):
        if isinstance(event, m.OrderRejected) and event.reason == "TRADING_HALTED":
            yield event.order.order_id


def withdrawal_without_funds(system: "System") -> Iterator[str]:
    """A withdrawal was refused for lack of free funds."""
    return (e.transfer.transfer_id for e in system.events(ORDERS_DECISIONS) if isinstance(e, m.TransferRejected))


def too_late(system: "System") -> Iterator[str]:
    """An order reached the venue after its own deadline, or was not even sent before it."""
    for event in system.events(ORDERS_EXECUTIONS):
        if getattr(event, "code", "") == "TOO_LATE" or getattr(event, "reason", "") == "SEND_DEADLINE_PASSED":
            yield event.order_id


def struck(kind: str) -> Callable[["System"], Iterator[str]]:
    """A fault of the venue's own happened."""
    return lambda system: iter([kind] * system.market.struck[kind])


def break_opened_and_closed(system: "System") -> Iterator[str]:
    """The reconciler saw a difference that lasted, and later that it was gone."""
    for event in system.tape(RECONCILIATION_BREAKS, 0).events():
        yield from (one.break_id for one in getattr(event, "closed", ()))


def real_break(system: "System") -> Iterator[str]:
    """The reconciler found what somebody had changed at the venue."""
    return (one.break_id for one in system.open_breaks())


JUDGED: Final[Mapping[str, Callable[["System"], Iterator[str]]]] = {
    "outcome unknown, later filled": unknown_then_filled,
    "outcome unknown, proved never received": unknown_then_absent,
    "crash between acknowledgement and effect": intent_never_sent,
    "snapshot older than a takeover": snapshot_older_than_a_takeover,
    "duplicate event told by the venue": struck("duplicate_event"),
    "event of the venue late": struck("late_event"),
    "event of the venue lost": struck("drop_event"),
    "order executed, its answer lost": struck("drop_reply"),
    "break opened and closed again": break_opened_and_closed,
    "real break found": real_break,
    "fill before acknowledgement": fill_before_acknowledgement,
    "cancel overtaken by the last fill": cancel_overtaken,
    "decision repeated": repeated_decision,
    "order refused while halted": order_while_halted,
    "withdrawal refused for lack of funds": withdrawal_without_funds,
    "order too late for its deadline": too_late,
}
