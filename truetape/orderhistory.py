"""What the tape says of one order: where it stands, its fills, what it cost, and every record of it, causes first.

Read from Kafka alone, from the four topics that an order crosses, by the reader's rule. The API's
`GET /v1/orders/{order_id}` and its `/history` say the same from the views.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec.structs import asdict

from truetape import api, ids, shown
from truetape import messages as m
from truetape.audit.merge import counted
from truetape.causes import Place, Row, cause_of, event_row, in_causal_order, orders_of, place_of
from truetape.errors import OrderUnknown
from truetape.happenings import Log, Part, Record
from truetape.money import from_e8
from truetape.orders import advance
from truetape.restore import readable
from truetape.topics import CLEARING_ENTRIES, ORDERS_COMMANDS, ORDERS_DECISIONS, ORDERS_EXECUTIONS, PARTITIONS, key_of

OWNED: Final = (ORDERS_DECISIONS, ORDERS_EXECUTIONS, CLEARING_ENTRIES)
TOPICS: Final = (ORDERS_COMMANDS, *OWNED)
MOVING: Final = (
    m.OrderAccepted, m.OrderRejected, m.OrderRouted, m.OrderNotRouted, m.OrderAcknowledged, m.OrderFilled,
    m.OrderCancelled, m.OrderExpired, m.OrderRejectedByVenue, m.OutcomeUnknown,
)  # fmt: skip
"""What moves an order, or tells a new time of it."""
CLIENT_ID: Final = "client:"
"""Before a client order id, where an order is named by that."""


class Cost(msgspec.Struct, frozen=True):
    """What an order's entries changed on its account, by asset and purpose of the lines."""

    asset: str
    purpose: str
    amount: str


@dataclass(frozen=True)
class OrderHistory:
    """An order, told from the tape."""

    order: api.Order
    fills: list[api.Fill]
    costs: list[Cost]
    events: list[api.Event]


def find(log: Log, seconds: float, name: str, account_id: str = "") -> OrderHistory:
    """An order by its id, or with its account as `client:` and its client order id. Without the account, its order is
    looked for in all partitions. Raises OrderUnknown, and what the log raises."""
    order_id = ids.order_id(account_id, name.removeprefix(CLIENT_ID)) if name.startswith(CLIENT_ID) else name
    terms = _terms(log, seconds, order_id, account_id)
    if terms is None:
        where = f" of {account_id}" if account_id else ""
        raise OrderUnknown(
            f"there is no order {name[:64]!r}{where} on the tape; GET /v1/orders of its account lists all, and with "
            "--account an order is found by `client:` and its client order id too"
        )
    found = _with_causes(log, seconds, dict(_records_of(log, seconds, terms)))
    rows = in_causal_order(event_row(*place, message) for place, message in found.items())
    events = [message for row in rows if order_id in orders_of(message := found[place_of(row)])]
    return OrderHistory(
        shown.order(_folded(terms, rows[0]["at_us"], events)),
        [shown.fill(asdict(event)) for event in events if isinstance(event, m.OrderFilled)],
        _costs(terms.account_id, (event for event in events if isinstance(event, m.EntryBooked))),
        [shown.event(row | {"body": msgspec.to_builtins(row["body"])}) for row in rows],
    )


# -- the tape ----------------------------------------------------------------------------------------------------------


def _terms(log: Log, seconds: float, order_id: str, account_id: str) -> m.OrderTerms | None:
    """The order as it was submitted; a decision may have outlived its command."""
    partitions = [ids.partition_of(account_id, PARTITIONS)] if account_id else range(PARTITIONS)
    for topic in (ORDERS_COMMANDS, ORDERS_DECISIONS):
        spans = log.ends([Part(topic.name, partition) for partition in partitions])
        for message in _naming(log.read(spans, seconds), order_id):
            terms: m.OrderTerms | None = getattr(message, "order", None)
            if terms is not None and terms.order_id == order_id and account_id in ("", terms.account_id):
                return terms
    return None


def _naming(records: Iterable[Record], order_id: str) -> Iterator[Any]:
    """Messages whose bytes hold the id: Avro writes a text as it is, so the others need no decoding."""
    wanted = order_id.encode()
    for record in records:
        if record.value is not None and wanted in record.value and (message := readable(record)) is not None:
            yield message


def _records_of(log: Log, seconds: float, terms: m.OrderTerms) -> Iterator[tuple[Place, Any]]:
    """Every record about the order, by its place."""
    partition = ids.partition_of(terms.account_id, PARTITIONS)
    for place, message in _records(log, seconds, partition):
        if terms.order_id in orders_of(message) and key_of(message) == terms.account_id:
            yield place, message


def _records(log: Log, seconds: float, partition: int) -> Iterator[tuple[Place, Any]]:
    commands = Part(ORDERS_COMMANDS.name, partition)
    for record in log.read(log.ends([commands]), seconds):  # Many write it: it has no epochs to judge by.
        if (message := readable(record)) is not None:
            yield (*commands, record.offset), message
    for given in counted(log, seconds, [Part(topic.name, partition) for topic in OWNED]):
        yield (*given.part, given.offset), given.message


def _with_causes(log: Log, seconds: float, found: dict[Place, Any]) -> dict[Place, Any]:
    """These and what they answer on the four topics, such as the one command that cancelled all orders."""
    topics = {topic.name for topic in TOPICS}
    causes = {cause for place, message in found.items() if (cause := cause_of(event_row(*place, message))) is not None}
    for topic, partition, offset in sorted(cause for cause in causes - found.keys() if cause[0] in topics):
        for record in log.read({Part(topic, partition): (offset, offset + 1)}, seconds):
            if (message := readable(record)) is not None:
                found[topic, partition, offset] = message
    return found


# -- the order ---------------------------------------------------------------------------------------------------------


def _folded(terms: m.OrderTerms, at_us: int, events: Iterable[Any]) -> Row:
    """The order's row, as truetape/orders.py moves it."""
    row: Row = asdict(terms) | {
        "status": "PENDING", "filled_e8": 0, "quote_filled_e8": 0, "limit_price_e8": None, "reason": None,
        "ended_reason": None, "numbers": None, "decided_at_us": None, "decision_event_id": None,
    }  # fmt: skip
    moved = [event for event in events if type(event) in MOVING]
    for event in moved:
        row["status"] = advance(row["status"], event, row["filled_e8"] > 0)
        match event:
            case m.OrderAccepted() | m.OrderRejected():
                row["decided_at_us"], row["decision_event_id"] = event.meta.decided_at_us, event.meta.event_id
                row["limit_price_e8"] = getattr(event, "limit_price_e8", None)
                row["reason"], row["numbers"] = getattr(event, "reason", None), getattr(event, "numbers", None)
            case m.OrderFilled():
                row["filled_e8"] = event.cumulative_quantity_e8
                row["quote_filled_e8"] += event.quote_amount_e8
            case m.OrderNotRouted() | m.OrderCancelled() | m.OrderExpired() | m.OrderRejectedByVenue():
                row["ended_reason"] = row["ended_reason"] or event.reason
            case _:
                pass
    return row | {"updated_at_us": max((event.meta.decided_at_us for event in moved), default=at_us)}


def _costs(account_id: str, entries: Iterable[m.EntryBooked]) -> list[Cost]:
    sums: dict[tuple[str, str], int] = {}
    for entry in entries:
        for line in entry.lines:
            if line.account == f"client:{account_id}":
                key = (line.asset, line.purpose)
                sums[key] = sums.get(key, 0) + line.amount_e8
    return [Cost(asset, purpose, from_e8(amount_e8)) for (asset, purpose), amount_e8 in sums.items()]
