"""What a stream takes while its reader is too slow, and in which order it tells what it has."""

from typing import Any

from services.gateway.streaming import QUEUE_MAX, Merger, Subscription
from truetape.log import Part

DECISIONS, EXECUTIONS = Part("orders.decisions", 0), Part("orders.executions", 0)


def row(offset: int, part: Part = DECISIONS, cause: int | None = None) -> dict[str, Any]:
    """An event; its cause stands on the other partition."""
    source = DECISIONS if part == EXECUTIONS else EXECUTIONS
    return {
        "topic": part.topic, "partition": part.partition, "offset": offset, "at_us": offset,
        "cause_source": None if cause is None else source.topic, "cause_partition": source.partition,
        "cause_offset": cause,
    }  # fmt: skip


def told(merger: Merger) -> list[tuple[str, int]]:
    return [(found["topic"], found["offset"]) for found in merger.ready()]


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


def test_an_effect_waits_for_its_cause() -> None:
    merger = Merger({DECISIONS: 9, EXECUTIONS: 4})
    merger.push(row(5, EXECUTIONS, cause=12))
    assert told(merger) == []
    merger.push(row(12))
    assert told(merger) == [(DECISIONS.topic, 12), (EXECUTIONS.topic, 5)]


def test_an_effect_does_not_wait_for_a_cause_that_is_none_of_the_accounts_events() -> None:
    merger = Merger({DECISIONS: 9, EXECUTIONS: 4})
    merger.push(row(5, EXECUTIONS, cause=12))
    merger.complete(DECISIONS, 12)
    assert told(merger) == []
    merger.complete(DECISIONS, 13)
    assert told(merger) == [(EXECUTIONS.topic, 5)]


def test_what_is_lacking_is_read_where_nothing_waits_first() -> None:
    merger = Merger({DECISIONS: 9, EXECUTIONS: 4})
    ends = {DECISIONS: 20, EXECUTIONS: 9}
    assert merger.lacking(ends) == {DECISIONS: (10, 20), EXECUTIONS: (5, 9)}
    merger.push(row(5, EXECUTIONS, cause=25))
    assert merger.lacking(ends) == {DECISIONS: (10, 20)}
    merger.complete(DECISIONS, 20)
    assert merger.lacking(ends) == {EXECUTIONS: (6, 9)}, "nothing is left out, though its cause comes later"
    merger.complete(EXECUTIONS, 9)
    assert not merger.lacking(ends)
