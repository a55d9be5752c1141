"""Records as rows, each with the place of the record that it answers, and their causal order.

What the views keep of a record, what an account's stream tells and what `truetape order` shows is this one row.
"""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import asdict

from truetape import messages as m
from truetape.topics import key_of

Row = dict[str, Any]
Place = tuple[str, int, int]
"""Topic, partition, offset."""


def event_row(topic: str, partition: int, offset: int, message: Any) -> Row:
    """A record as view.events has it."""
    orders = orders_of(message)
    body = asdict(message)
    meta: m.Meta | None = body.pop("meta", None)
    if isinstance(message, m.ContractFactTaken):
        body["due"] = len(set(message.due) - {""})  # Whom it concerned, their entries say.
    account_id = "" if isinstance(message, m.FixingMissing) else key_of(message)
    row: Row = {
        "topic": topic, "partition": partition, "offset": offset, "type": type(message).__name__,
        "account_id": account_id or None, "order_id": orders[0] if len(orders) == 1 else None, "body": body,
    }  # fmt: skip
    if meta is None:  # A command: many writers, no epochs, and nothing on the tape before it.
        return row | {
            "at_us": message.received_at_us, "epoch": 0, "sequence": 0, "event_id": None, "cause_source": None,
            "cause_partition": None, "cause_offset": None, "cause_id": None,
        }  # fmt: skip
    cause = meta.cause
    return row | {
        "at_us": meta.decided_at_us, "epoch": meta.epoch, "sequence": meta.sequence, "event_id": meta.event_id,
        "cause_source": cause.source, "cause_partition": cause.partition, "cause_offset": cause.offset,
        "cause_id": cause.id,
    }  # fmt: skip


def orders_of(message: Any) -> list[str]:
    """Ids of the orders that a record is about, each once."""
    match message:
        case m.CancelRequested():
            return list(dict.fromkeys(message.order_ids))
        case m.CancelRouted():
            return list(dict.fromkeys(leg.order_id for leg in message.legs))
        case m.SubmitOrder() | m.OrderAccepted() | m.OrderRejected() | m.OrderRouted():
            return [message.order.order_id]
        case _:
            order_id = getattr(message, "order_id", None)
            return [order_id] if order_id else []


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
