"""The account as it was: current rows of the views, minus what the account's later records did.

Exact by place: `at` names the last record that counts. By event time, `as_of`: on each topic the last record of the
account that was decided at or before it counts, and all before. The answer's Truetape-Position says which these were,
so that the same state can be asked for again by place. A request unwinds a bounded number of records.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import UNSET

from services.gateway.parsing import format_positions, parse_positions
from services.gateway.problems import Problem, field_problem
from services.gateway.queries import Query
from services.gateway.reads import Row
from services.gateway.requests import PastQuery
from services.gateway.routing import Call
from truetape import clock, ids
from truetape import messages as m
from truetape.log import Part
from truetape.messages import OrderStatus
from truetape.orders import TERMINAL, advance
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS, PARTITIONS, Topic

UNWOUND_MAX: Final = 50_000
"""Records of the account on one topic that a request may go back."""
TOPICS: Final = (ORDERS_DECISIONS, ORDERS_EXECUTIONS, CLEARING_ENTRIES)
_NO_META: Final = msgspec.to_builtins(m.Meta(0, 0, m.Cause("", 0, -1, ""), 0, "", ""))

_CUT: Final = Query(
    "cut by time",
    """
SELECT max("offset") FILTER (WHERE at_us <= %s) AS cut, count(*) AS seen FROM (
    SELECT "offset", at_us FROM view.events WHERE account_id = %s AND topic = %s ORDER BY "offset" DESC LIMIT %s
) newest
""",
)
_LATER: Final = Query(
    "later records",
    """
SELECT count(*) AS later FROM (
    SELECT 1 FROM view.events WHERE account_id = %s AND topic = %s AND "offset" > %s LIMIT %s
) after
""",
)
_TIME_AT: Final = Query(
    "time at a place",
    """
SELECT at_us FROM view.events WHERE topic = %s AND partition = %s AND "offset" <= %s ORDER BY "offset" DESC LIMIT 1
""",
)
_BALANCES: Final = Query(
    "balances then",
    f"""
WITH later AS (
    SELECT type, body FROM view.events
    WHERE account_id = %s AND topic = '{ORDERS_DECISIONS.name}' AND "offset" > %s
), changes (asset, balance_e8, reserved_e8) AS (
    SELECT body->>'reserved_asset', 0::numeric, (body->>'reserved_e8')::numeric FROM later WHERE type = 'OrderAccepted'
    UNION ALL
    SELECT body->>'asset', 0, -(body->>'released_e8')::numeric FROM later WHERE type = 'ReservationReleased'
    UNION ALL
    SELECT body->'transfer'->>'asset', 0, greatest(0, -(body->'transfer'->>'amount_e8')::numeric) FROM later
    WHERE type = 'TransferApproved'
    UNION ALL
    SELECT body->>'released_asset', 0, -(body->>'released_e8')::numeric FROM later WHERE type = 'CreditUpdated'
    UNION ALL
    SELECT change->>'asset', (change->>'amount_e8')::numeric, 0
    FROM later, json_array_elements(body->'changes') change WHERE type = 'CreditUpdated'
), sums AS (SELECT asset, sum(balance_e8) AS balance_e8, sum(reserved_e8) AS reserved_e8 FROM changes GROUP BY asset)
SELECT c.asset, c.balance_e8 - coalesce(s.balance_e8, 0) AS balance_e8,
    c.reserved_e8 - coalesce(s.reserved_e8, 0) AS reserved_e8
FROM view.credit c LEFT JOIN sums s USING (asset) WHERE c.account_id = %s
""",
)
_POSITIONS: Final = Query(
    "positions then",
    f"""
WITH next AS (
    SELECT DISTINCT ON (body->'position'->>'instrument_id') body->'position'->>'instrument_id' AS instrument_id,
        (body->'position'->>'quantity_e8')::bigint
            - coalesce(body->'contract'->>'quantity_e8', body->'lines'->0->>'amount_e8')::bigint AS quantity_e8,
        (body->'position'->>'cost_e8')::bigint - (body->>'realised_e8')::bigint
            - coalesce((body->'contract'->>'paid_e8')::bigint, -(body->'lines'->1->>'amount_e8')::bigint) AS cost_e8,
        (body->'position'->>'realised_e8')::bigint - (body->>'realised_e8')::bigint AS realised_e8
    FROM view.events
    WHERE account_id = %s AND topic = '{CLEARING_ENTRIES.name}' AND "offset" > %s AND type = 'EntryBooked'
        AND body->'position'->>'instrument_id' IS NOT NULL
    ORDER BY 1, "offset"
)
SELECT p.instrument_id, coalesce(n.quantity_e8, p.quantity_e8) AS quantity_e8,
    coalesce(n.cost_e8, p.cost_e8) AS cost_e8, coalesce(n.realised_e8, p.realised_e8) AS realised_e8,
    CASE WHEN n.instrument_id IS NULL THEN p.updated_at_us END AS updated_at_us
FROM view.positions p LEFT JOIN next n USING (instrument_id) WHERE p.account_id = %s ORDER BY p.instrument_id
""",
)
_ENDS: Final = tuple(
    kind.__name__
    for kind in (m.OrderFilled, m.OrderCancelled, m.OrderExpired, m.OrderNotRouted, m.OrderRejectedByVenue)
)
_ORDERS: Final = Query(
    "orders open then",
    f"""
WITH ended AS (
    SELECT DISTINCT order_id FROM view.events
    WHERE account_id = %s AND topic = '{ORDERS_EXECUTIONS.name}' AND "offset" > %s AND type = ANY(%s)
)
SELECT o.*, o.filled_e8 - coalesce(f.quantity_e8, 0) AS filled_then_e8,
    o.quote_filled_e8 - coalesce(f.quote_e8, 0) AS quote_then_e8
FROM view.orders o LEFT JOIN LATERAL (
    SELECT sum(quantity_e8)::bigint AS quantity_e8, sum(quote_amount_e8) AS quote_e8 FROM view.fills
    WHERE order_id = o.order_id AND "offset" > %s
) f ON true
WHERE o.account_id = %s AND o.accepted AND o.decision_offset <= %s AND o.decision_offset < %s
    AND (o.status <> ALL(%s) OR o.order_id IN (SELECT order_id FROM ended))
ORDER BY o.decision_offset DESC LIMIT %s
""",
)
_STEPS: Final = Query(
    "steps of orders",
    f"""
SELECT order_id, type, body, at_us FROM view.events
WHERE order_id = ANY(%s) AND topic = '{ORDERS_EXECUTIONS.name}' AND "offset" <= %s ORDER BY "offset"
""",
)
Cuts = dict[Part, int]
"""Offset of the last record that counts, by partition; -1 where none does."""


def is_past(query: PastQuery) -> bool:
    """Whether a read asks for the past."""
    return query.as_of is not UNSET or query.at is not UNSET


async def cuts(call: Call, query: PastQuery, *topics: Topic) -> Cuts:
    """Where to cut these topics of the account's partition. Raises Problem.

    A topic that `at` does not name is cut at the time of the first record that it does name.
    """
    partition = ids.partition_of(call.account_id, PARTITIONS)
    named: Mapping[Part, int] = {}
    if query.at is not UNSET:
        if query.as_of is not UNSET:
            raise field_problem("as_of", "give as_of or at, not both")
        named = _places(query.at, partition)
        await call.gateway.reads.reach(named)
        as_of_us = await _time_at(call, *next(iter(named.items())))
    else:
        as_of_us = _moment(query.as_of)
    await call.see_answers()
    found = {}
    for topic in topics:
        part = Part(topic.name, partition)
        found[part] = named[part] if part in named else await _cut_by_time(call, part, as_of_us)
        await _bound(call, part, found[part])
    return found


def header(cut: Cuts) -> dict[str, str]:
    """Truetape-Position of an answer about the past; topics of which nothing counts are left out."""
    return {"Truetape-Position": format_positions((part, offset) for part, offset in cut.items() if offset >= 0)}


def _places(text: str, partition: int) -> dict[Part, int]:
    try:
        named = parse_positions(text)
    except Problem as problem:
        raise field_problem("at", "must be topic/partition@offset, comma-separated") from problem
    names = [topic.name for topic in TOPICS]
    for part in named:
        if part.topic not in names or part.partition != partition:
            raise field_problem(
                "at", f"{part} says nothing of this account: partition {partition} of {', '.join(names)}"
            )
    if not named:
        raise field_problem("at", "must name a place")
    return named


def _moment(text: Any) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise field_problem("as_of", "must be a time of RFC 3339, such as 2026-11-26T12:00:00Z") from error
    if at.tzinfo is None:
        raise field_problem("as_of", "must say its offset from UTC, such as Z")
    at_us = round(at.astimezone(UTC).timestamp() * 1_000_000)
    if at_us > clock.now_us():
        raise Problem("time_in_future", f"{text} has not come yet", field="as_of")
    return at_us


async def _time_at(call: Call, part: Part, offset: int) -> int:
    rows = await call.gateway.reads.rows(_TIME_AT, part.topic, part.partition, offset)
    return int(rows[0]["at_us"]) if rows else 0


async def _cut_by_time(call: Call, part: Part, as_of_us: int) -> int:
    [row] = await call.gateway.reads.rows(_CUT, as_of_us, call.account_id, part.topic, UNWOUND_MAX + 1)
    if row["cut"] is None and row["seen"] > UNWOUND_MAX:
        raise _too_far(part)
    return -1 if row["cut"] is None else int(row["cut"])


async def _bound(call: Call, part: Part, cut: int) -> None:
    [row] = await call.gateway.reads.rows(_LATER, call.account_id, part.topic, cut, UNWOUND_MAX + 1)
    if row["later"] > UNWOUND_MAX:
        raise _too_far(part)


def _too_far(part: Part) -> Problem:
    words = f"more than {UNWOUND_MAX} records of the account came later on {part}: `truetape account` has no such bound"
    return Problem("past_too_far", words, limit=UNWOUND_MAX)


# -- what was ------------------------------------------------------------------------------------------------------


async def balances(call: Call, cut: Cuts) -> list[tuple[str, int, int]]:
    """(asset, balance_e8, reserved_e8) as risk counted; assets of which there was nothing are left out."""
    [offset] = cut.values()
    rows = await call.gateway.reads.rows(_BALANCES, call.account_id, offset, call.account_id)
    found = [(row["asset"], int(row["balance_e8"]), int(row["reserved_e8"])) for row in rows]
    return sorted(one for one in found if one[1] or one[2])


async def positions(call: Call, cut: Cuts) -> list[Row]:
    """Rows as view.positions had them; updated_at_us is None where later records were unwound."""
    [offset] = cut.values()
    rows = await call.gateway.reads.rows(_POSITIONS, call.account_id, offset, call.account_id)
    return [row for row in rows if row["quantity_e8"] or row["cost_e8"] or row["realised_e8"]]


async def open_orders(call: Call, cut: Cuts, before: int, limit: int) -> list[Row]:
    """Rows of orders that were accepted and had not ended, newest first; those decided before offset `before`."""
    decided, executed = cut.values()
    rows = await call.gateway.reads.rows(
        _ORDERS, call.account_id, executed, list(_ENDS), executed, call.account_id, decided, before,
        sorted(TERMINAL), limit,
    )  # fmt: skip
    steps: dict[str, list[Row]] = {row["order_id"]: [] for row in rows}
    for step in await call.gateway.reads.rows(_STEPS, list(steps), executed):
        steps[step["order_id"]].append(step)
    return [_then(row, steps[row["order_id"]]) for row in rows]


def _then(row: Row, steps: list[Row]) -> Row:
    """An order's row as it was after these events; its status may be terminal."""
    status: OrderStatus = "ACCEPTED"
    filled, updated_at_us = False, row["decided_at_us"]
    for step in steps:
        event: Any = msgspec.convert(_plain(step["body"]) | {"meta": _NO_META}, _KINDS[step["type"]])
        status = advance(status, event, filled)
        filled |= isinstance(event, m.OrderFilled)
        updated_at_us = max(updated_at_us, step["at_us"])
    then = {"filled_e8": int(row["filled_then_e8"]), "quote_filled_e8": int(row["quote_then_e8"])}
    return row | then | {"status": status, "ended_reason": None, "updated_at_us": updated_at_us}


def _plain(body: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body) if isinstance(body, str) else dict(body)
    return found


_KINDS: Final = {kind.__name__: kind for kind in ORDERS_EXECUTIONS.types}
