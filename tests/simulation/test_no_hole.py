"""A writer on real Kafka code never leaves a hole: behind a record that is missing, nothing of its producer follows.

The cluster is the one that librdkafka mocks, in a process of its own, so that it can be stopped and continued.
"""

import os
import signal
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition

from truetape.happenings import Part, Report
from truetape.log import KafkaLog

OWN = Part("tape", 0)
SESSION_MS = 6_000
STOPPED_SECONDS = 4.5
"""Longer than librdkafka would keep trying if it were told a time below the session's."""


@pytest.fixture
def log(cluster: tuple[str, int]) -> Iterator[KafkaLog]:
    found = KafkaLog(cluster[0], SESSION_MS)
    yield found
    found.close()


def reports(log: KafkaLog, count: int) -> list[int | None]:
    """Offsets of the next reports, in order."""
    found: list[int | None] = []
    deadline = time.monotonic() + 20
    while len(found) < count and time.monotonic() < deadline:
        found.extend(happening.offset for happening in log.poll(0.1) if isinstance(happening, Report))
    return found


def written(bootstrap: str, count: int) -> list[bytes | None]:
    """The first records of the tape, as far as they come within two seconds."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "log_level": 0})
    consumer.assign([TopicPartition(*OWN, 0)])
    deadline, found = time.monotonic() + 2, list[bytes | None]()
    while time.monotonic() < deadline and len(found) < count:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            found.append(message.value())
    consumer.close()
    return found


def test_an_outage_loses_no_record_in_the_middle(cluster: tuple[str, int], log: KafkaLog) -> None:
    """Records go on being appended, by a loop that is too busy to see their reports."""
    bootstrap, process_id = cluster
    log.append(OWN, None, b"0", [], 0)
    assert reports(log, 1) == [0]
    os.kill(process_id, signal.SIGSTOP)
    began, count = time.monotonic(), 1
    while time.monotonic() - began < STOPPED_SECONDS:
        log.append(OWN, None, str(count).encode(), [], count)
        count += 1
        time.sleep(0.1)
    os.kill(process_id, signal.SIGCONT)
    assert reports(log, count - 1) == list(range(1, count))
    assert written(bootstrap, count) == [str(number).encode() for number in range(count)]


def test_nothing_follows_a_record_that_was_refused(cluster: tuple[str, int], log: KafkaLog) -> None:
    """Too large for Kafka: its report has no offset, and neither have those of the records behind it."""
    log.append(OWN, None, b"first", [], 0)
    log.append(OWN, None, bytes(2_000_000), [], 1)
    log.append(OWN, None, b"third", [], 2)
    assert sorted(reports(log, 3), key=str) == [0, None, None]
    assert written(cluster[0], 2) == [b"first"]
    log.renew_producer()
    log.append(OWN, None, b"second", [], 3)
    assert reports(log, 1) == [1]
    assert written(cluster[0], 3) == [b"first", b"second"]
