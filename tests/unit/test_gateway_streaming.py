"""What a stream takes while its reader is too slow."""

from typing import Any

from services.gateway.streaming import QUEUE_MAX, Subscription


def row(offset: int) -> dict[str, Any]:
    return {"topic": "orders.decisions", "partition": 0, "offset": offset}


def test_behind_an_event_that_found_no_room_nothing_is_taken() -> None:
    stream = Subscription("acc")
    for offset in range(QUEUE_MAX + 1):
        stream.push(row(offset))
    assert stream.overflow.is_set()
    stream.queue.clear()  # The reader woke up, before its stream was ended.
    stream.push(row(QUEUE_MAX + 1))
    assert not stream.queue


def test_what_the_views_tell_does_not_come_live() -> None:
    stream = Subscription("acc")
    stream.live_from = dict.fromkeys(stream.parts, 5)
    partition = stream.parts[0].partition
    for offset in (4, 5):
        stream.push(row(offset) | {"partition": partition})
    assert [taken["offset"] for taken in stream.queue] == [5]
