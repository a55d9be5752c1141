"""An order's causal history: every record about it, causes before effects."""

from collections.abc import Iterable

from services.gateway.queries import EVENTS_AT_PLACES, EVENTS_OF_ORDER
from services.gateway.reads import Reads
from truetape.causes import Place, Row, cause_of, in_causal_order, place_of
from truetape.log import Part


async def history_of(reads: Reads, account_id: str, order_id: str) -> list[Row]:
    """All events of an account's order and the commands that caused them; empty when the account has no such order."""
    rows = await reads.rows(EVENTS_OF_ORDER, order_id, account_id, order_id, account_id)
    known = {place_of(row) for row in rows}
    causes = {cause for row in rows if (cause := cause_of(row)) is not None} - known
    if causes:  # Such as the one command that cancelled all orders.
        await _reach(reads, causes)
        topics, partitions, offsets = (list(column) for column in zip(*sorted(causes), strict=True))
        rows += await reads.rows(EVENTS_AT_PLACES, topics, partitions, offsets, account_id)
    return in_causal_order(rows)


async def _reach(reads: Reads, causes: Iterable[Place]) -> None:
    """An event's cause is on the tape before it, but on another topic: views that have the one may still lack the
    other. Raises Problem view_behind."""
    followed, wanted = await reads.positions(), dict[Part, int]()
    for topic, partition, offset in causes:
        if (part := Part(topic, partition)) in followed:
            wanted[part] = max(offset, wanted.get(part, -1))
    await reads.reach(wanted)
