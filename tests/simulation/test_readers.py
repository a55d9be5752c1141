"""What a log follows comes whole and in order, through whichever of its readers, with pumps between or without."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing

import pytest

from truetape.happenings import Part, Record, Report
from truetape.log import KafkaLog

URGENT, PATIENT = Part("commands", 0), Part("marks", 0)
COUNT = 700
"""More than one batch."""


@pytest.fixture(params=[False, True], ids=["pumps", "alone"])
def log(cluster: tuple[str, int], request: pytest.FixtureRequest) -> Iterator[KafkaLog]:
    """A log with both kinds of readers, on the two topics."""
    with closing(KafkaLog(cluster[0], patience_ms=15, urgent=(URGENT.topic,), alone=request.param)) as found:
        for part in (URGENT, PATIENT):
            found.append(part, None, b"0", [], part)
        wait(found, 0, 2)
        yield found


def wait(log: KafkaLog, records: int, reports: int) -> dict[Part, list[int]]:
    """Offsets of so many records by partition, once so many reports came too; what is too much is found too."""
    found, reported = defaultdict[Part, list[int]](list), 0
    deadline = time.monotonic() + 30
    while (sum(map(len, found.values())) < records or reported < reports) and time.monotonic() < deadline:
        for happening in log.poll(0.1):
            if isinstance(happening, Record):
                found[Part(happening.topic, happening.partition)].append(happening.offset)
            reported += isinstance(happening, Report)
    assert reported == reports
    return found


def test_all_comes_in_order_from_both_readers(log: KafkaLog) -> None:
    log.follow({URGENT: 0, PATIENT: 1})
    for number in range(1, COUNT):
        log.append((URGENT, PATIENT)[number % 2], None, str(number).encode(), [], number)
    half = COUNT // 2
    assert wait(log, COUNT, COUNT - 1) == {URGENT: list(range(half)), PATIENT: list(range(1, half + 1))}


def test_a_record_comes_alone_through_either_reader(log: KafkaLog) -> None:
    """Also through the patient one while nothing at all comes through the other."""
    log.follow({URGENT: 1, PATIENT: 1})
    for part in (PATIENT, URGENT, PATIENT):
        log.append(part, None, b"one", [], None)
        assert list(wait(log, 1, 0)) == [part]


def test_what_is_followed_no_more_does_not_come_and_following_again_jumps(log: KafkaLog) -> None:
    log.follow({URGENT: 0, PATIENT: 0})
    assert wait(log, 2, 0) == {URGENT: [0], PATIENT: [0]}
    log.unfollow([PATIENT])
    for part in (PATIENT, URGENT):
        log.append(part, None, b"one", [], part)
    assert wait(log, 1, 2) == {URGENT: [1]}
    log.follow({PATIENT: 0, URGENT: 1})
    assert wait(log, 3, 0) == {URGENT: [1], PATIENT: [0, 1]}


def test_records_that_are_held_back_come_later_and_reports_meanwhile(log: KafkaLog) -> None:
    log.follow({URGENT: 0, PATIENT: 0})
    log.append(URGENT, None, b"one", [], "token")
    deadline, found = time.monotonic() + 30, list[object]()
    while not found and time.monotonic() < deadline:
        found = list(log.poll(0.1, records=False))
    assert [type(one) for one in found] == [Report]
    assert wait(log, 3, 0) == {URGENT: [0, 1], PATIENT: [0]}
