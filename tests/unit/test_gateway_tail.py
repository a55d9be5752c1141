"""The tape's end: what is read without decoding, where a reader may join, and the order of what is told."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.streaming import HELD_MAX, QUEUE_MAX, Merger, Subscription
from services.gateway.tail import EndReader
from truetape import ids
from truetape import messages as m
from truetape.causes import cause_of, event_row, in_causal_order, place_of
from truetape.codec import encode
from truetape.errors import TapeGap
from truetape.log import Part, Record
from truetape.peek import peek
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS

DECISIONS = Part(ORDERS_DECISIONS.name, 3)


def meta(epoch: int, sequence: int) -> m.Meta:
    return m.Meta(epoch, sequence, m.Cause("orders.commands", 3, sequence, ""), 1, "e", "c")


def decision(epoch: int, sequence: int) -> bytes:
    return encode(m.CancelRefused(meta(epoch, sequence), "command", "acme", "order", "ORDER_CLOSED"))


def began(epoch: int) -> bytes:
    return encode(m.Began(meta(epoch, 0), "0"))


@given(st.integers(0, 2**62), st.integers(0, 2**62))
def test_peeking_sees_what_decoding_sees(epoch: int, sequence: int) -> None:
    found = peek(decision(epoch, sequence))
    assert found == ("CancelRefused", epoch, sequence)
    assert peek(began(epoch)) == ("Began", epoch, 0)


@pytest.mark.parametrize("value", [None, b"", b"\x00", b"text", b"\x00\x00\x00\xff\xff\x02\x02", decision(1, 1)[:6]])
def test_strangers_bytes_are_none_of_ours(value: bytes | None) -> None:
    assert peek(value) is None


def verdicts(values: list[bytes], end: int) -> list[bool]:
    reader = EndReader(DECISIONS, ORDERS_DECISIONS, end)
    return [
        reader.accept(Record(*DECISIONS, offset, b"acme", value, None)) is not None
        for offset, value in enumerate(values)
    ]


def test_a_reader_joins_in_the_middle_and_then_holds_the_rule() -> None:
    values = [decision(4, 7), decision(4, 8), decision(3, 9), decision(4, 8), began(5), decision(5, 1)]
    assert verdicts(values, end=2) == [True, True, False, False, True, True]


def test_after_the_end_missing_records_are_a_gap() -> None:
    for bad in (decision(4, 10), decision(6, 1)):
        with pytest.raises(TapeGap):
            verdicts([decision(4, 7), decision(4, 8), bad], end=2)


def test_before_the_end_a_zombie_joined_at_first_is_left_behind() -> None:
    values = [decision(3, 5), decision(4, 12), decision(3, 6), decision(4, 13)]
    assert verdicts(values, end=4) == [True, True, False, True]


def test_bytes_that_only_look_like_a_record_do_not_count() -> None:
    odd = decision(9, 9)[:9]  # Its first numbers can be read; the rest is missing.
    wrong_topic = encode(m.MarkPublished(meta(4, 8), "BTC-USDT", 1, 1, 1, "alpha", 1, 1, 1))
    assert verdicts([decision(4, 7), odd, b"text", wrong_topic, decision(4, 8)], end=1) == [
        True,
        False,
        False,
        False,
        True,
    ]


# -- the order in which an account's events are told ----------------------------------------------------------------

TOPICS = (ORDERS_DECISIONS.name, ORDERS_EXECUTIONS.name, CLEARING_ENTRIES.name)


def tape(seed: int, length: int) -> list[dict[str, Any]]:
    """Rows of one account in the order in which they happened, each caused by something before it."""
    chance = random.Random(seed)
    rows: list[dict[str, Any]] = []
    ends = dict.fromkeys(TOPICS, 0)
    for number in range(length):
        topic = chance.choice(TOPICS)
        cause = chance.choice(rows) if rows and chance.random() < 0.8 else None
        rows.append(
            {
                "topic": topic, "partition": 3, "offset": ends[topic], "at_us": number + chance.randint(-5, 5),
                "cause_source": cause["topic"] if cause else "orders.commands", "cause_partition": 3,
                "cause_offset": cause["offset"] if cause else number,
            }
        )  # fmt: skip
        ends[topic] += chance.randint(1, 3)
    return rows


def assert_causal(rows: list[dict[str, Any]], told: dict[tuple[str, int], int]) -> None:
    for row in rows:
        topic, partition, offset = place_of(row)
        assert offset > told[topic, partition], "each topic in its own order"
        cause = cause_of(row)
        if cause is not None and cause[:2] in told:
            assert cause[2] <= told[cause[:2]], "causes before effects"
        told[topic, partition] = offset


@settings(max_examples=200)
@given(st.integers(), st.integers(0, 40), st.data())
def test_events_are_told_once_and_after_their_causes(seed: int, length: int, data: st.DataObject) -> None:
    rows = tape(seed, length)
    start = {Part(topic, 3): -1 for topic in TOPICS}
    merger, told = Merger(start), list[dict[str, Any]]()
    lanes = {topic: [row for row in rows if row["topic"] == topic] for topic in TOPICS}
    while any(lanes.values()):  # Topics arrive in any interleaving.
        topic = data.draw(st.sampled_from([topic for topic in TOPICS if lanes[topic]]))
        row = lanes[topic].pop(0)
        merger.push(row)
        merger.push(row)
        told.extend(merger.ready())
    assert merger.held == 0
    assert sorted(map(place_of, told)) == sorted(map(place_of, rows))
    assert_causal(told, dict.fromkeys(start, -1))


@settings(max_examples=100)
@given(st.integers(), st.integers(0, 40))
def test_a_history_is_in_causal_order_whatever_the_clocks_say(seed: int, length: int) -> None:
    rows = tape(seed, length)
    shuffled = random.Random(seed + 1).sample(rows, len(rows))
    ordered = in_causal_order(shuffled)
    assert sorted(map(place_of, ordered)) == sorted(map(place_of, rows))
    assert_causal(ordered, {(topic, 3): -1 for topic in TOPICS})


def test_a_cause_that_never_comes_holds_nothing_up_for_ever() -> None:
    merger = Merger({Part(topic, 3): -1 for topic in TOPICS})
    for offset in range(HELD_MAX + 1):
        merger.push(
            {
                "topic": TOPICS[1], "partition": 3, "offset": offset, "at_us": offset, "cause_source": TOPICS[0],
                "cause_partition": 3, "cause_offset": 0,
            }
        )  # fmt: skip
    assert [row["offset"] for row in merger.ready(HELD_MAX)] == [0]
    assert merger.held == HELD_MAX
    merger.complete(Part(TOPICS[0], 3), 1)
    assert len(list(merger.ready(HELD_MAX))) == HELD_MAX


async def test_a_slow_reader_is_noticed_and_its_queue_is_bounded() -> None:
    stream = Subscription("acme")
    part = stream.parts[0]
    stream.live_from = {part: 10}
    for offset in range(QUEUE_MAX + 20):
        stream.push({"topic": part.topic, "partition": part.partition, "offset": offset})
    assert stream.overflow.is_set()
    assert len(stream.queue) == QUEUE_MAX
    assert stream.queue[0]["offset"] == 10, "what was read before comes from the views"
    assert part.partition == ids.partition_of("acme", ORDERS_DECISIONS.partitions)


def test_a_command_has_neither_cause_nor_epoch() -> None:
    row = event_row("orders.commands", 3, 7, m.CancelOrder("c", "acme", "o" * 32, "k", 5))
    assert cause_of(row) is None
    assert (row["epoch"], row["at_us"], row["order_id"], row["account_id"]) == (0, 5, "o" * 32, "acme")
