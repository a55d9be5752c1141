"""An order's causal history: every record about it, causes before effects."""

from services.gateway.queries import EVENTS_AT_PLACES, EVENTS_OF_ORDER
from services.gateway.reads import Reads
from truetape.causes import Row, cause_of, in_causal_order, place_of


async def history_of(reads: Reads, account_id: str, order_id: str) -> list[Row]:
    """All events of an account's order and the commands that caused them; empty when the account has no such order."""
    rows = await reads.rows(EVENTS_OF_ORDER, order_id, account_id, order_id, account_id)
    known = {place_of(row) for row in rows}
    causes = {cause for row in rows if (cause := cause_of(row)) is not None} - known
    if causes:  # Such as the one command that cancelled all orders.
        topics, partitions, offsets = (list(column) for column in zip(*sorted(causes), strict=True))
        rows += await reads.rows(EVENTS_AT_PLACES, topics, partitions, offsets, account_id)
    return in_causal_order(rows)
