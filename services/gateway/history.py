"""An order's causal history: every record about it, causes before effects."""

from collections.abc import Iterable

from services.gateway.queries import EVENTS_AT_PLACES, EVENTS_OF_ORDER
from services.gateway.reads import Reads, Row

Place = tuple[str, int, int]
"""Topic, partition, offset."""


async def history_of(reads: Reads, account_id: str, order_id: str) -> list[Row]:
    """All events of an account's order and the commands that caused them; empty when the account has no such order."""
    rows = await reads.rows(EVENTS_OF_ORDER, order_id, account_id, order_id, account_id)
    known = {place_of(row) for row in rows}
    causes = {cause for row in rows if (cause := cause_of(row)) is not None} - known
    if causes:  # Such as the one command that cancelled all orders.
        topics, partitions, offsets = (list(column) for column in zip(*sorted(causes), strict=True))
        rows += await reads.rows(EVENTS_AT_PLACES, topics, partitions, offsets, account_id)
    return in_causal_order(rows)


def place_of(row: Row) -> Place:
    """Where a record stands."""
    return row["topic"], row["partition"], row["offset"]


def cause_of(row: Row) -> Place | None:
    """Where the record that it answers stands; None when that is none of the tape's."""
    if row["cause_source"] is None or row["cause_offset"] is None or row["cause_offset"] < 0:
        return None
    return row["cause_source"], row["cause_partition"], row["cause_offset"]


def in_causal_order(rows: Iterable[Row]) -> list[Row]:
    """Each record after its cause and after those before it on its partition; else by time.

    There is always a next one: real time is such an order, since nothing answers what was not yet written.
    """
    lanes: dict[tuple[str, int], list[Row]] = {}
    for row in sorted(rows, key=place_of, reverse=True):
        lanes.setdefault((row["topic"], row["partition"]), []).append(row)
    waiting = {place_of(row) for lane in lanes.values() for row in lane}
    ordered: list[Row] = []
    while lanes:
        ready = [lane for lane in lanes.values() if cause_of(lane[-1]) not in waiting]
        row = min(ready or lanes.values(), key=lambda lane: (lane[-1]["at_us"], place_of(lane[-1]))).pop()
        waiting.discard(place_of(row))
        ordered.append(row)
        lanes = {part: lane for part, lane in lanes.items() if lane}
    return ordered
