"""What the gateway asks the views: every question in one place, each with a name.

PostgreSQL answers the text. The simulation answers by the name (tests/simulation/simqueries.py), and
database_contract.py holds both to the same rows.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from truetape.messages import OrderTerms, TransferTerms


@dataclass(frozen=True)
class Query:
    """A question with a fixed text; its arguments are documented by the text."""

    name: str
    text: str


def _columns(kind: Any) -> str:
    return ", ".join(kind.__struct_fields__)


POSITIONS: Final = Query("positions", "SELECT topic, partition, next_offset FROM view.tape_positions")
DECIDED_ORDERS: Final = Query("decided orders", "SELECT order_id FROM view.orders WHERE decision_offset IS NOT NULL")
DECISION: Final = Query(
    "decision",
    f"""
SELECT {_columns(OrderTerms)}, accepted, reason, numbers, decision_offset, decision_event_id, decided_at_us
FROM view.orders WHERE order_id = %s AND decision_offset IS NOT NULL
""",
)
ORDER: Final = Query(
    "order",
    "SELECT * FROM view.orders WHERE order_id = %s AND account_id = %s AND decision_offset IS NOT NULL",
)
ORDER_EXISTS: Final = Query(
    "order exists", "SELECT 1 AS found FROM view.orders WHERE order_id = %s AND account_id = %s"
)
SUBMISSION: Final = Query(
    "submission",
    "SELECT body, at_us FROM view.events WHERE order_id = %s AND account_id = %s AND type = 'SubmitOrder' LIMIT 1",
)
HOLDINGS: Final = Query("holdings", "SELECT * FROM view.positions WHERE account_id = %s ORDER BY instrument_id")
CREDIT: Final = Query("credit", "SELECT asset, balance_e8, reserved_e8 FROM view.credit WHERE account_id = %s")
LINES: Final = Query(
    "lines", 'SELECT * FROM view.lines WHERE partition = %s AND "offset" = ANY(%s) ORDER BY "offset", line'
)
"""Arguments: partition of the entries, their places there."""
APPROVED_TRANSFER: Final = Query(
    "approved transfer",
    f"""
SELECT {_columns(TransferTerms)}, decided_at_us, decision_event_id, decision_offset
FROM view.transfers WHERE transfer_id = %s AND accepted
""",
)
RESTRICTIONS: Final = Query(
    "restrictions", "SELECT account_id, name, because FROM view.restrictions WHERE because <> ''"
)
BREAKS: Final = Query(
    "breaks",
    """
SELECT * FROM view.breaks WHERE closed_at_us IS NULL OR NOT %s ORDER BY first_seen_at_us, break_id LIMIT 1000
""",
)
"""Argument: whether only those that are open."""
EVENTS_OF_ORDER: Final = Query(
    "events of order",
    """
SELECT e.* FROM view.events e WHERE e.order_id = %s AND e.account_id = %s
UNION ALL
SELECT e.* FROM view.order_events o JOIN view.events e
    ON e.topic = o.topic AND e.partition = o.partition AND e."offset" = o."offset"
WHERE o.order_id = %s AND e.account_id = %s
""",
)
"""Arguments: order and account, twice."""
EVENTS_AT_PLACES: Final = Query(
    "events at places",
    """
SELECT e.* FROM view.events e
JOIN unnest(%s::text[], %s::integer[], %s::bigint[]) AS w(topic, partition, place)
    ON e.topic = w.topic AND e.partition = w.partition AND e."offset" = w.place
WHERE e.account_id = %s
""",
)
BACKLOG: Final = Query(
    "backlog",
    """
SELECT p.next_offset AS reached, e.* FROM view.tape_positions p LEFT JOIN LATERAL (
    SELECT * FROM view.events WHERE account_id = %s AND topic = p.topic AND partition = p.partition
    AND "offset" > %s AND "offset" < %s ORDER BY "offset" LIMIT %s
) e ON true WHERE p.topic = %s AND p.partition = %s ORDER BY e."offset"
""",
)
"""Every row says as well how far the views reached when it was read; one row without an event when there is none."""

PLACES: Final = {"orders": "decision_offset", "fills": '"offset"', "entries": '"offset"'}
"""Tables that are read in pages -> the column that says where a row stands on the tape."""


@dataclass(frozen=True)
class Page:
    """Newest rows of a table, by their place on the tape. Every row has its place as `place`."""

    table: Literal["orders", "fills", "entries"]
    equal: tuple[tuple[str, Any], ...]
    """Columns and the values they must have."""
    limit: int
    statuses: tuple[str, ...] | None = None
    """Of orders: one of these."""
    before: int | None = None
    """Only what stands before this place."""

    def only(self, **columns: Any) -> "Page":
        """The same with more columns that must be equal."""
        return replace(self, equal=(*self.equal, *columns.items()))

    def sql(self) -> tuple[str, list[Any]]:
        """The question for PostgreSQL, with its arguments."""
        place = PLACES[self.table]
        conditions = [f"{place} IS NOT NULL", *(f"{name} = %s" for name, _ in self.equal)]
        arguments = [value for _, value in self.equal]
        if self.statuses is not None:
            conditions.append("status = ANY(%s)")
            arguments.append(list(self.statuses))
        if self.before is not None:
            conditions.append(f"{place} < %s")
            arguments.append(self.before)
        where = " AND ".join(conditions)
        text = f"SELECT *, {place} AS place FROM view.{self.table} WHERE {where} ORDER BY {place} DESC LIMIT %s"
        return text, [*arguments, self.limit]
