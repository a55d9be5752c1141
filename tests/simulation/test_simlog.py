"""The simulated cluster behaves as Kafka does where the protocol leans on it."""

from dataclasses import replace

import pytest

from truetape.errors import BrokerUnavailable, RestoreTimedOut, TapeGap, TopicMissing
from truetape.happenings import Assigned, Log, Offered, Part, Record, Report, Revoked
from truetape.simbroker import CALM, Faults, SimBroker
from truetape.simlog import SimLog
from truetape.topics import CLEARING_ENTRIES, Topic

MS, SECOND = 1_000, 1_000_000
TOPIC = replace(CLEARING_ENTRIES, partitions=4)
PART = Part(TOPIC.name, 0)


def cluster(seed: int = 1, faults: Faults = CALM, topics: tuple[Topic, ...] = (TOPIC,)) -> SimBroker:
    return SimBroker(seed, topics, faults)


def values(broker: SimBroker, part: Part = PART) -> list[bytes | None]:
    return [record.value for record in broker.records(part)]


def send(log: Log, *numbers: int, part: Part = PART) -> None:
    for number in numbers:
        log.append(part, b"key", str(number).encode(), [("h", b"1")], number)


def reports(log: SimLog) -> list[tuple[object, int | None]]:
    return [(found.token, found.offset) for found in log.poll(0) if isinstance(found, Report)]


def pass_time(broker: SimBroker, logs: list[SimLog], for_us: int) -> dict[str, list[object]]:
    """Everybody polls every 50 ms; what each was told about the group."""
    told: dict[str, list[object]] = {log.node: [] for log in logs}
    for _ in range(for_us // (50 * MS)):
        broker.advance(50 * MS)
        for log in logs:
            told[log.node].extend(h for h in log.poll(0) if isinstance(h, Assigned | Revoked) and h.partitions)
    return told


def held(happenings: list[object]) -> set[int]:
    """What a member holds after these."""
    found: set[int] = set()
    for happening in happenings:
        if isinstance(happening, Assigned):
            found |= happening.partitions
        elif isinstance(happening, Revoked):
            found -= happening.partitions
    return found


def test_it_is_a_log() -> None:
    log: Log = cluster().log("a")
    log.offer("item")
    assert log.poll(1.0) == [Offered("item")]


# -- writing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_records_are_written_in_order_and_reported_with_their_offsets(seed: int) -> None:
    broker = cluster(seed)
    log = broker.log("a")
    send(log, *range(10))
    assert reports(log) == []
    broker.advance(SECOND)
    assert values(broker) == [str(n).encode() for n in range(10)]
    assert reports(log) == [(n, n) for n in range(10)]
    assert broker.records(PART)[3] == Record(*PART, 3, b"key", b"3", [("h", b"1")])


def test_a_lost_acknowledgement_is_a_report_without_offset_of_a_record_that_is_there() -> None:
    broker = cluster(faults=replace(CALM, lost_reports=1.0))
    log = broker.log("a")
    send(log, 1, 2)
    broker.advance(SECOND)
    assert reports(log) == [(1, None), (2, None)]
    assert values(broker) == [b"1", b"2"]


@pytest.mark.parametrize("seed", range(30))
def test_behind_a_lost_packet_nothing_is_written(seed: int) -> None:
    broker = cluster(seed, replace(CALM, lost_packets=0.3))
    log = broker.log("a")
    send(log, *range(10))
    broker.advance(SECOND)
    there = [int(value or b"") for value in values(broker)]
    assert there == list(range(len(there)))
    assert reports(log) == [(n, n if n < len(there) else None) for n in range(10)]
    send(log, 99)
    broker.advance(SECOND)
    if len(there) < 10:
        assert reports(log) == [(99, None)], "only a fresh producer may go on"
    log.renew_producer()
    broker.faults = CALM
    send(log, 100)
    broker.advance(SECOND)
    assert reports(log)[-1][0] == 100
    assert values(broker)[-1] == b"100"


def test_with_skipping_a_lost_packet_leaves_a_hole() -> None:
    broker = cluster(7, replace(CALM, lost_packets=0.3, skipping=True))
    log = broker.log("a")
    send(log, *range(20))
    broker.advance(SECOND)
    there = [int(value or b"") for value in values(broker)]
    assert there == sorted(there)
    assert 0 < len(there) < there[-1] + 1


@pytest.mark.parametrize("end", ["crash", "renew"])
def test_of_a_dead_producer_a_prefix_arrives_late_and_is_never_reported(end: str) -> None:
    lengths = set()
    for seed in range(40):
        broker = cluster(seed, replace(CALM, latency_us=(50 * MS, 60 * MS), late_packets=0.7))
        log = broker.log("a")
        send(log, *range(5))
        log.crash() if end == "crash" else log.renew_producer()
        other = broker.log("b")
        send(other, 77)
        broker.advance(60 * SECOND)
        late = [value for value in values(broker) if value != b"77"]
        assert late == [str(n).encode() for n in range(len(late))]
        assert values(broker).count(b"77") == 1
        assert end == "crash" or reports(log) == []
        lengths.add(len(late))
    assert lengths == set(range(6)), "every prefix happens"


def test_flush_waits_for_everything_unless_the_cluster_is_away() -> None:
    broker = cluster()
    log = broker.log("a")
    send(log, 1, 2)
    assert log.flush(1.0)
    assert values(broker) == [b"1", b"2"]
    broker.outage(SECOND)
    send(log, 3)
    assert not log.flush(1.0)


def test_an_outage_and_an_election_delay_and_lose_nothing() -> None:
    broker = cluster()
    log = broker.log("a")
    log.follow({PART: 0})
    send(log, 1)
    broker.outage(5 * SECOND)
    broker.advance(4 * SECOND)
    assert log.poll(0) == []
    with pytest.raises(BrokerUnavailable):
        log.ends([PART])
    broker.advance(2 * SECOND)
    broker.elect(PART, SECOND)
    send(log, 2)
    broker.advance(500 * MS)
    assert values(broker) == [b"1"]
    broker.advance(SECOND)
    assert values(broker) == [b"1", b"2"]
    assert reports(log) == [(1, 0), (2, 1)]


# -- reading -------------------------------------------------------------------------------------------------


def test_followed_partitions_are_read_from_their_positions_and_not_after_unfollow() -> None:
    broker = cluster()
    for number in range(5):
        broker.produce(PART, None, str(number).encode())
    log = broker.log("a")
    log.follow({PART: 3})
    broker.advance(SECOND)
    assert log.poll(0, records=False) == []
    found = [record.offset for _ in range(5) for record in log.poll(0) if isinstance(record, Record)]
    assert found == [3, 4]
    log.follow({PART: 1})
    log.unfollow([PART])
    assert log.poll(0) == []


def test_read_gives_a_span_and_says_what_is_missing() -> None:
    broker = cluster()
    for number in range(5):
        broker.produce(PART, None, str(number).encode())
    log = broker.log("a")
    assert log.ends([PART]) == {PART: (0, 5)}
    assert [record.offset for record in log.read({PART: (1, 4)}, 1.0)] == [1, 2, 3]
    with pytest.raises(RestoreTimedOut, match=f"{PART} from 4 to 6"):
        list(log.read({PART: (4, 6)}, 1.0))
    broker.partition(PART).expire(2)
    with pytest.raises(TapeGap, match="offset 1 is gone"):
        list(log.read({PART: (1, 4)}, 1.0))
    assert log.ends([PART]) == {PART: (2, 5)}


def test_a_missing_topic_is_named() -> None:
    log = cluster().log("a")
    for call in (
        lambda: log.follow({Part("none", 0): 0}),
        lambda: log.ends([Part("none", 0)]),
        lambda: log.append(Part("none", 0), None, b"", [], None),
    ):
        with pytest.raises(TopicMissing, match="truetape topics apply"):
            call()


def test_a_stale_end_never_hides_what_somebody_already_knows() -> None:
    broker = cluster(3, replace(CALM, stale_ends=1.0, late_reports=1.0))
    writer, other = broker.log("a"), broker.log("b")
    for log in (writer, other):
        log.join("group", TOPIC, log.node)
    send(writer, *range(4))
    while len(values(broker)) < 4:
        broker.advance(MS)
    ends = [other.ends([PART])[PART][1] for _ in range(50)]
    assert ends == sorted(ends)
    assert ends[-1] == 4
    broker.advance(10 * SECOND)
    assert reports(writer) == [(n, n) for n in range(4)]
    assert writer.ends([PART]) == {PART: (0, 4)}


@pytest.mark.parametrize("silently", [False, True])
def test_a_reader_beyond_a_truncated_end_stops(silently: bool) -> None:
    broker = cluster()
    for number in range(5):
        broker.produce(PART, None, str(number).encode())
    log = broker.log("a")
    log.follow({PART: 5})
    broker.truncate(PART, 2, silently)
    with pytest.raises(TapeGap, match=str(PART)):
        log.poll(0)


def test_a_reader_sees_a_truncation_also_after_the_partition_has_grown_again() -> None:
    broker = cluster()
    for _ in range(5):
        broker.produce(PART, None, b"old")
    log = broker.log("a")
    log.follow({PART: 5})
    broker.truncate(PART, 2)
    for _ in range(9):
        broker.produce(PART, None, b"new")
    with pytest.raises(TapeGap, match="truncated"):
        log.poll(0)


def test_a_producer_whose_records_were_truncated_is_refused() -> None:
    broker = cluster()
    log = broker.log("a")
    send(log, 1)
    broker.advance(SECOND)
    broker.truncate(PART, 1)
    send(log, 2)
    broker.advance(SECOND)
    assert reports(log) == [(1, 0), (2, None)]
    assert values(broker) == []


# -- the group -----------------------------------------------------------------------------------------------


def members(broker: SimBroker, *names: str) -> list[SimLog]:
    logs = [broker.log(name) for name in names]
    for log in logs:
        log.join("group", TOPIC, log.node)
    return logs


def test_partitions_are_shared_out_evenly_and_move_one_step_at_a_time() -> None:
    broker = cluster()
    [a] = members(broker, "a")
    assert held(pass_time(broker, [a], 2 * SECOND)["a"]) == {0, 1, 2, 3}
    [b] = members(broker, "b")
    told = pass_time(broker, [a, b], 2 * SECOND)
    [revoked] = told["a"]
    assert isinstance(revoked, Revoked)
    assert not revoked.lost
    assert held(told["b"]) == revoked.partitions
    assert len(revoked.partitions) == 2


def test_a_partition_is_not_granted_before_its_holder_gave_it_up() -> None:
    broker = cluster()
    [a] = members(broker, "a")
    pass_time(broker, [a], SECOND)
    [b] = members(broker, "b")
    assert held(pass_time(broker, [b], 5 * SECOND)["b"]) == set(), "a has not polled"
    told = pass_time(broker, [a, b], SECOND)
    assert len(held(told["b"])) == 2


def test_a_static_member_that_restarts_in_time_keeps_its_partitions_without_a_rebalance() -> None:
    broker = cluster()
    a, b = members(broker, "a", "b")
    before = held(pass_time(broker, [a, b], 2 * SECOND)["a"])
    a.crash()
    told = pass_time(broker, [b], 5 * SECOND)
    [again] = members(broker, "a")
    told = pass_time(broker, [again, b], 2 * SECOND)
    assert held(told["a"]) == before
    assert told["b"] == []


def test_a_member_that_dies_loses_its_partitions_after_its_session() -> None:
    broker = cluster()
    a, b = members(broker, "a", "b")
    pass_time(broker, [a, b], 2 * SECOND)
    a.crash()
    assert held(pass_time(broker, [b], 9 * SECOND)["b"]) == set()
    assert len(held(pass_time(broker, [b], 2 * SECOND)["b"])) == 2


def test_a_zombie_learns_late_that_it_lost_everything_and_joins_again() -> None:
    broker = cluster()
    a, b = members(broker, "a", "b")
    pass_time(broker, [a, b], 2 * SECOND)
    a.pause()
    assert len(held(pass_time(broker, [b], 12 * SECOND)["b"])) == 2
    assert a.group_silence() >= 12
    a.resume()
    told = pass_time(broker, [a, b], 4 * SECOND)
    assert isinstance(told["a"][0], Revoked)
    assert told["a"][0].lost
    assert len(held(told["a"])) == 2


def test_a_member_that_never_polls_loses_its_partitions() -> None:
    broker = cluster()
    a, b = members(broker, "a", "b")
    pass_time(broker, [a, b], 2 * SECOND)
    assert len(held(pass_time(broker, [b], 62 * SECOND)["b"])) == 2


def test_two_processes_of_one_instance_fence_the_older() -> None:
    broker = cluster()
    [older] = members(broker, "a")
    [newer] = members(broker, "a")
    with pytest.raises(BrokerUnavailable, match="FENCED"):
        older.poll(0)
    assert newer.poll(0) == []


def test_for_a_while_two_members_can_be_given_the_same_partition() -> None:
    broker = cluster()
    a, b = members(broker, "a", "b")
    pass_time(broker, [a, b], 2 * SECOND)
    group = broker.groups["group"]
    taken = next(p for p, holder in group.holders.items() if holder == "a")
    group.double(taken, "b", SECOND)
    told = pass_time(broker, [a, b], 3 * SECOND)
    assert told == {"a": [], "b": [Assigned(frozenset({taken})), Revoked(frozenset({taken}), lost=True)]}


def test_committed_positions_are_kept_by_the_group() -> None:
    broker = cluster()
    [a] = members(broker, "a")
    a.commit({PART: 7})
    assert broker.groups["group"].committed == {PART: 7}


# -- time ----------------------------------------------------------------------------------------------------


def test_clocks() -> None:
    broker = cluster()
    log = broker.log("a")
    started, wall = log.monotonic(), log.now_us()
    broker.advance(3 * SECOND)
    assert log.monotonic() - started == 3
    log.jump_clock(-10 * SECOND)
    assert log.now_us() - wall == -7 * SECOND
    assert log.monotonic() - started == 3, "the monotonic clock never jumps"
    log.pause(suspend=True)
    broker.advance(5 * SECOND)
    log.resume()
    assert log.monotonic() - started == 3, "a suspended machine counts no time"
    assert log.now_us() - wall == -2 * SECOND


def test_nothing_waits_and_polling_advances_no_time() -> None:
    broker = cluster()
    log = broker.log("a")
    log.join("group", TOPIC, "a")
    for _ in range(1_000):
        assert log.poll(60.0) == []
    assert broker.now_us == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_stopped_process_sends_on_only_what_its_kernel_holds(seed: int) -> None:
    broker = cluster(seed, replace(CALM, latency_us=(10 * MS, 20 * MS)))
    log = broker.log("a")
    send(log, *range(6))
    log.pause()
    broker.advance(5 * SECOND)
    before = len(values(broker))
    log.resume()
    broker.advance(SECOND)
    assert before <= 6
    assert reports(log) == [(n, n) for n in range(6)]
