"""The gateway's questions to the views (services/gateway/queries.py), answered from the tables in memory.

database_contract.py runs the same cases against PostgreSQL and against this.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from services.gateway import queries as q
from services.gateway.projection.rows import Row, encode
from services.gateway.queries import Page, Query
from tests.simulation.simtables import Place, SimTables
from truetape.happenings import Part
from truetape.messages import OrderTerms, TransferTerms

PLACE: Final = {"orders": "decision_offset", "fills": "offset", "entries": "offset"}
_EVENT: Final = (
    "topic", "partition", "offset", "type", "account_id", "order_id", "at_us", "epoch", "sequence", "cause_source",
    "cause_partition", "cause_offset", "cause_id", "event_id",
)  # fmt: skip
_DECISION: Final = (
    *OrderTerms.__struct_fields__, "accepted", "reason", "numbers", "decision_offset", "decision_event_id",
    "decided_at_us",
)  # fmt: skip
_TRANSFER: Final = (*TransferTerms.__struct_fields__, "decided_at_us", "decision_event_id", "decision_offset")


def answer(tables: SimTables, query: Query, arguments: Iterable[Any]) -> list[Row]:
    """Rows that answer a question."""
    return _ANSWERS[query](tables, *arguments)


def page(tables: SimTables, wanted: Page) -> list[Row]:
    """Rows of one page."""
    table: dict[str, Row] = getattr(tables, wanted.table)
    place = PLACE[wanted.table]
    found = [row for row in table.values() if row[place] is not None and _wanted(row, wanted, row[place])]
    found.sort(key=lambda row: row[place], reverse=True)
    return [{**row, "place": row[place]} for row in found[: wanted.limit]]


def _wanted(row: Row, wanted: Page, place: int) -> bool:
    return (
        all(row[name] == value for name, value in wanted.equal)
        and (wanted.statuses is None or row["status"] in wanted.statuses)
        and (wanted.before is None or place < wanted.before)
    )


def decided_orders(tables: SimTables) -> list[str]:
    """Ids of all decided orders."""
    return [order_id for order_id, row in tables.orders.items() if row["decision_offset"] is not None]


def _positions(tables: SimTables) -> list[Row]:
    return [
        {"topic": part.topic, "partition": part.partition, "next_offset": reached.next_offset}
        for part, reached in tables.positions.items()
    ]


def _order(tables: SimTables, order_id: str, account_id: str) -> list[Row]:
    row = tables.orders.get(order_id)
    return [row] if row and row["account_id"] == account_id and row["decision_offset"] is not None else []


def _order_exists(tables: SimTables, order_id: str, account_id: str) -> list[Row]:
    row = tables.orders.get(order_id)
    return [{"found": 1}] if row and row["account_id"] == account_id else []


def _decision(tables: SimTables, order_id: str) -> list[Row]:
    row = tables.orders.get(order_id)
    return [{name: row[name] for name in _DECISION}] if row and row["decision_offset"] is not None else []


def _submission(tables: SimTables, order_id: str, account_id: str) -> list[Row]:
    found = _events_of(tables, lambda row: row["order_id"] == order_id and row["type"] == "SubmitOrder")
    return [{"body": row["body"], "at_us": row["at_us"]} for row in found if row["account_id"] == account_id][:1]


def _holdings(tables: SimTables, account_id: str) -> list[Row]:
    return [row for (holder, _), row in sorted(tables.holdings.items()) if holder == account_id]


def _credit(tables: SimTables, account_id: str) -> list[Row]:
    return [
        {"asset": asset, "balance_e8": balance_e8, "reserved_e8": reserved_e8}
        for (holder, asset), (balance_e8, reserved_e8) in tables.credit.items()
        if holder == account_id
    ]


def _lines(tables: SimTables, partition: int, offsets: list[int]) -> list[Row]:
    return [line for offset in sorted(set(offsets)) for line in tables.lines.get((partition, offset), ())]


def _approved(tables: SimTables, transfer_id: str) -> list[Row]:
    row = tables.transfers.get(transfer_id)
    return [{name: row[name] for name in _TRANSFER}] if row and row["accepted"] else []


def _breaks(tables: SimTables, only_open: bool) -> list[Row]:
    found = [row for row in tables.breaks.values() if row["closed_at_us"] is None or not only_open]
    return sorted(found, key=lambda row: (row["first_seen_at_us"], row["break_id"]))[:1000]


def _restrictions(tables: SimTables) -> list[Row]:
    names = ("account_id", "name", "because")
    rows = (dict(zip(names, (*key, because), strict=True)) for key, because in tables.restrictions.items())
    return [row for row in rows if row["because"]]


def _events_of_order(tables: SimTables, order_id: str, account_id: str, *_: str) -> list[Row]:
    alone = _events_of(tables, lambda row: row["order_id"] == order_id and row["account_id"] == account_id)
    shared = [place for named, place in tables.order_events if named == order_id and place in tables.events]
    return alone + [
        row for row in map(_shown, (tables.events[place] for place in shared)) if row["account_id"] == account_id
    ]


def _events_at(
    tables: SimTables, topics: list[str], partitions: list[int], offsets: list[int], account_id: str
) -> list[Row]:
    places: Iterable[Place] = zip(topics, partitions, offsets, strict=True)
    rows = [tables.events[place] for place in places if place in tables.events]
    return [_shown(row) for row in rows if row["account_id"] == account_id]


def _backlog(
    tables: SimTables, account_id: str, after: int, before: int, limit: int, topic: str, partition: int
) -> list[Row]:
    if (position := tables.positions.get(Part(topic, partition))) is None:
        return []

    def wanted(row: Row) -> bool:
        offset: int = row["offset"]
        return row["account_id"] == account_id and row["topic"] == topic and after < offset < before

    reached = {"reached": position.next_offset}
    found = sorted(_events_of(tables, wanted), key=lambda row: row["offset"])[:limit]
    return [reached | row for row in found] or [reached | dict.fromkeys((*_EVENT, "body"))]


def _events_of(tables: SimTables, wanted: Callable[[Row], bool]) -> list[Row]:
    return [_shown(row) for row in tables.events.values() if wanted(row)]


def _shown(row: Row) -> Row:
    """An event as it comes out: its body went in as JSON."""
    (body,) = msgspec.json.decode(encode([row["body"]]))
    return {name: row[name] for name in _EVENT} | {"body": body}


_ANSWERS: Final[dict[Query, Callable[..., list[Row]]]] = {
    q.POSITIONS: _positions, q.DECISION: _decision, q.ORDER: _order, q.ORDER_EXISTS: _order_exists,
    q.SUBMISSION: _submission, q.HOLDINGS: _holdings, q.CREDIT: _credit, q.LINES: _lines,
    q.APPROVED_TRANSFER: _approved, q.BREAKS: _breaks, q.EVENTS_OF_ORDER: _events_of_order,
    q.EVENTS_AT_PLACES: _events_at, q.BACKLOG: _backlog, q.RESTRICTIONS: _restrictions,
}  # fmt: skip
