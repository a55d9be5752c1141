"""The tape protocol on a real broker: writers stopped, killed and rebalanced, the broker killed, bad bytes, lost
records.

The judge is an independent reader: it uses nothing of truetape/log.py or truetape/tape.py.
"""

import collections
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from truetape import ids, topics
from truetape.codec import decode, encode
from truetape.dev import Stack, free_base
from truetape.errors import PartitionCountWrong, SchemaError, TopicMissing
from truetape.log import check_topics
from truetape.messages import (
    Began,
    CancelOrder,
    CancelRefused,
    Cause,
    InputParked,
    MarkPublished,
    Meta,
    ParkedRecord,
)

COMMANDS, DECISIONS, EXECUTIONS = (
    topics.ORDERS_COMMANDS.name,
    topics.ORDERS_DECISIONS.name,
    topics.ORDERS_EXECUTIONS.name,
)
PARTITIONS = topics.PARTITIONS
SESSION_SECONDS = 6
PATIENCE_SECONDS = 120
"""Longest wait for what must happen within seconds; machines differ."""
RATE = 300
BURST = 4_000
ACCOUNTS = [f"acc-{number}" for number in range(40)]
MEMBER = Path(__file__).with_name("tape_member.py")


# -- the stage ---------------------------------------------------------------------------------------------------


class Stage:
    """One broker, the members of one group, a load, and the file of their effects."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.kafka = stack.environment()["TRUETAPE_KAFKA"]
        self.effects = folder / "effects"
        self._folder = folder
        self._members: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, hop: int = 1) -> None:
        """Start a member."""
        environment = os.environ | {
            "TRUETAPE_KAFKA": self.kafka,
            "TRUETAPE_INSTANCE": name,
            "TRUETAPE_SESSION_TIMEOUT_MS": str(SESSION_SECONDS * 1000),
            "TRUETAPE_SNAPSHOT_EVERY_SECONDS": "2" if hop == 1 else "1000",
        }
        with self.log(name).open("ab") as output:
            self._members[name] = subprocess.Popen(
                [sys.executable, str(MEMBER), str(self.effects), str(hop)],
                env=environment,
                stdout=output,
                stderr=output,
            )

    def log(self, name: str) -> Path:
        """Where a member logs."""
        return self._folder / f"{name}.log"

    def send(self, name: str, number: signal.Signals) -> None:
        """Signal a member."""
        self._members[name].send_signal(number)

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """End a member; its exit status."""
        self.send(name, number)
        return self.status(name, 30)

    def status(self, name: str, patience: float = PATIENCE_SECONDS) -> int:
        """Exit status of a member that ends."""
        member = self._members.pop(name)
        try:
            return member.wait(patience)
        finally:
            member.kill()
            member.wait()

    def wait_for_owner(self, name: str) -> None:
        """Until a member owns something."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "owner" not in self.log(name).read_text():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    def end_all(self) -> None:
        """End every member, also those that are stopped."""
        for name in list(self._members):
            self.send(name, signal.SIGCONT)
            self.end(name)

    def said(self) -> str:
        """The end of each member's log."""
        return "\n".join(f"{name}: {self.log(name).read_text()[-1500:]}" for name in self._members)


class Load:
    """Commands at a steady rate from a thread, over all partitions, until it is left."""

    def __init__(self, kafka: str) -> None:
        self._producer = Producer({"bootstrap.servers": kafka, "enable.idempotence": True, "log_level": 2})
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        for number in itertools.count():
            if self._stopping.wait(1 / RATE):
                break
            command(self._producer, ACCOUNTS[number % len(ACCOUNTS)])
            self._producer.poll(0)
        assert self._producer.flush(60) == 0


def command(producer: Producer, account: str) -> None:
    """One command on its partition."""
    value = encode(CancelOrder(ids.random_id(), account, "order", "key", 0))
    producer.produce(COMMANDS, value, account, partition=ids.partition_of(account, PARTITIONS))


@pytest.fixture(scope="module")
def broker() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="truetape-") as folder:
        stack = Stack(Path(folder) / "home", free_base(), only=("kafka",))
        try:
            stack.up()
            yield stack
        finally:
            stack.erase()


@pytest.fixture
def stage(broker: Stack, tmp_path: Path) -> Iterator[Stage]:
    topics.apply(broker.environment()["TRUETAPE_KAFKA"], 1)
    found = Stage(broker, tmp_path)
    try:
        yield found
    finally:
        found.end_all()


# -- the judge ---------------------------------------------------------------------------------------------------

Raw = collections.namedtuple("Raw", "offset key value")


def ends_of(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """First offset and end of a partition; waits while it has no leader."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=20)
        except KafkaException:
            assert time.monotonic() < deadline, f"{topic}/{partition} has no leader"
            time.sleep(0.1)
        else:
            return low, high


def records(kafka: str, topic: str) -> dict[int, list[Raw]]:
    """Everything on a topic, by partition."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "judge", "enable.auto.commit": False, "log_level": 2})
    count = topics.BY_NAME[topic].partitions
    found: dict[int, list[Raw]] = {p: [] for p in range(count)}
    ends = {p: ends_of(consumer, topic, p) for p in range(count)}
    consumer.assign([TopicPartition(topic, p, low) for p, (low, _) in ends.items()])
    wanted = sum(high - low for low, high in ends.values())
    deadline = time.monotonic() + 60
    while sum(map(len, found.values())) < wanted:
        assert time.monotonic() < deadline, f"{topic} could not be read"
        for message in consumer.consume(1000, 0.2):
            partition, offset = message.partition() or 0, message.offset() or 0
            if message.error() is None and offset < ends[partition][1]:
                found[partition].append(Raw(offset, message.key(), message.value()))
    consumer.close()
    return found


class Verdict:
    """What the judge found on an owned topic: accepted events by partition, void ones counted."""

    def __init__(self, kafka: str, topic: str) -> None:
        self.void = 0
        self.owners = 0
        self.events: dict[int, list[Any]] = {}
        for partition, raws in records(kafka, topic).items():
            self.events[partition] = list(self._accepted(topic, partition, raws))

    def _accepted(self, topic: str, partition: int, raws: list[Raw]) -> Iterator[Any]:
        """The rule in other words: sort nothing, believe only an unbroken chain of the newest epoch."""
        newest, last = 0, 0
        for raw in raws:
            try:
                event: Any = decode(raw.value)
            except SchemaError:
                continue
            if type(event) not in topics.BY_NAME[topic].types:
                continue  # A stranger's.
            meta = event.meta
            if isinstance(event, Began) and meta.epoch > newest:
                newest, last = meta.epoch, 0
                self.owners += 1
                continue
            if isinstance(event, Began) or meta.epoch < newest or (meta.epoch == newest and meta.sequence <= last):
                self.void += 1
                continue
            chained = (meta.epoch, meta.sequence) == (newest, last + 1)
            assert chained, f"gap on {partition} at {raw.offset}: {(newest, last)} then {meta}"
            last += 1
            yield event


def judge(stage: Stage) -> Verdict:
    """Every command is answered once, in order, with the number that follows from all answers before; every effect
    belongs to an accepted event, and none happened twice."""
    verdict = Verdict(stage.kafka, DECISIONS)
    asked = records(stage.kafka, COMMANDS)
    for partition, events in verdict.events.items():
        offsets = [event.meta.cause.offset for event in events]
        assert offsets == [raw.offset for raw in asked[partition]], f"partition {partition}"
        numbers: collections.Counter[str] = collections.Counter()
        for event in events:
            if isinstance(event, CancelRefused):
                numbers[event.account_id] += 1
                assert int(event.reason) == numbers[event.account_id]
    accepted = {
        f"{event.meta.event_id} {event.meta.epoch} {event.meta.sequence}"
        for events in verdict.events.values()
        for event in events
    }
    effects = stage.effects.read_text().splitlines()
    assert effects, "nothing was ever done"
    assert [effect for effect in effects if effect not in accepted] == []
    assert len(set(effects)) == len(effects)
    return verdict


def wait_for_writers(stage: Stage) -> None:
    """Until every partition has a writer."""
    producer = Producer({"bootstrap.servers": stage.kafka, "log_level": 2})
    for account in ACCOUNTS:
        command(producer, account)
    assert producer.flush(20) == 0
    wait_for_answers(stage)


def burst(stage: Stage) -> None:
    """More commands at once than are answered by the time that this returns."""
    producer = Producer({"bootstrap.servers": stage.kafka, "linger.ms": 50, "log_level": 2})
    for number in range(BURST):
        command(producer, ACCOUNTS[number % len(ACCOUNTS)])
    assert producer.flush(20) == 0


def wait_for_answers(stage: Stage) -> None:
    """Until every command now on the tape has an answer: every partition has a writer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    consumer = Consumer({"bootstrap.servers": stage.kafka, "group.id": "judge-ends", "log_level": 2})
    ends = {p: ends_of(consumer, COMMANDS, p)[1] for p in range(PARTITIONS)}
    while True:
        answered = _answered(consumer)
        behind = {p: end - answered[p] for p, end in ends.items() if answered[p] < end}
        if not behind:
            break
        assert time.monotonic() < deadline, f"without answers: {behind}\n{stage.said()}"
        time.sleep(0.1)
    consumer.close()


def _answered(consumer: Consumer) -> dict[int, int]:
    """Partition -> one past the highest cause among the last records."""
    ends = {p: ends_of(consumer, DECISIONS, p) for p in range(PARTITIONS)}
    starts = {p: max(low, high - 20) for p, (low, high) in ends.items()}
    answered = dict.fromkeys(ends, 0)
    consumer.assign([TopicPartition(DECISIONS, p, start) for p, start in starts.items() if start < ends[p][1]])
    missing = {p for p, start in starts.items() if start < ends[p][1]}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while missing and time.monotonic() < deadline:
        for message in consumer.consume(200, 0.05):
            partition = message.partition() or 0
            if message.error() is None:
                answered[partition] = max(answered[partition], _cause_offset(message.value() or b"") + 1)
                if (message.offset() or 0) >= ends[partition][1] - 1:
                    missing.discard(partition)
    return answered


def _cause_offset(value: bytes) -> int:
    try:
        event: Any = decode(value)
    except SchemaError:
        return -1
    return event.meta.cause.offset if type(event) in topics.BY_NAME[DECISIONS].types else -1


# -- at start ----------------------------------------------------------------------------------------------------


def test_missing_topics_are_named_at_start(broker: Stack) -> None:
    kafka = broker.environment()["TRUETAPE_KAFKA"]
    with pytest.raises(TopicMissing, match=r"missing topics: .*orders\.commands.*; run `truetape topics apply`"):
        check_topics(kafka, topics.ALL)


def test_a_wrong_partition_count_is_named_at_start(broker: Stack) -> None:
    kafka = broker.environment()["TRUETAPE_KAFKA"]
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 2})
    admin.create_topics([NewTopic(topics.PARKED.name, 3, 1)])[topics.PARKED.name].result(20)
    try:
        for check in (lambda: topics.apply(kafka, 1), lambda: check_topics(kafka, [topics.PARKED])):
            with pytest.raises(PartitionCountWrong, match="parked has 3 partitions, the registry says 1"):
                check()
    finally:
        admin.delete_topics([topics.PARKED.name])[topics.PARKED.name].result(20)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while topics.PARKED.name in admin.list_topics(timeout=10).topics and time.monotonic() < deadline:
            time.sleep(0.1)


# -- bad things on topics ----------------------------------------------------------------------------------------


def _bad() -> dict[str, bytes]:
    """Bytes that do not belong on the topic, by the name of the error."""
    meta = Meta(1 << 40, 1, Cause("test", 0, -1, "x"), 0, "x", "x")
    return {
        "UndecodableRecord": b"\x07not the wire format",
        "UnknownSchema": b"\x00\x7f\xff\xff\xff\x00",
        "WrongType": encode(MarkPublished(meta, "BTC-USDT", 1, 1, 1, "alpha", 1, 1, 1)),
    }


def _send(kafka: str, topic: str, account: str) -> None:
    """Bad bytes, and good commands after them."""
    partition, producer = ids.partition_of(account, PARTITIONS), Producer({"bootstrap.servers": kafka, "log_level": 2})
    for value in _bad().values():
        producer.produce(topic, value, account, partition=partition)
    assert producer.flush(20) == 0
    for _ in range(50):
        command(producer, account)
    assert producer.flush(20) == 0


def test_bad_bytes_on_an_input_are_parked_by_name(stage: Stage) -> None:
    account = ACCOUNTS[0]
    stage.start("a")
    _send(stage.kafka, COMMANDS, account)
    wait_for_answers(stage)
    stage.end("a")
    events = judge(stage).events[ids.partition_of(account, PARTITIONS)]
    parked = [event for event in events if isinstance(event, InputParked)]
    assert [event.reason.split(":")[0] for event in parked] == list(_bad())
    assert {event.account_id for event in parked} == {account}
    kept = [decode(raw.value) for raw in records(stage.kafka, topics.PARKED.name)[0]]
    assert [(one.event_id, one.value) for one in kept if isinstance(one, ParkedRecord)] == [
        (event.meta.event_id, value) for event, value in zip(parked, _bad().values(), strict=True)
    ]


def test_strangers_on_the_own_topic_make_the_owner_step_down_and_go_on(stage: Stage) -> None:
    account = ACCOUNTS[1]
    stage.start("a")
    wait_for_writers(stage)
    with Load(stage.kafka):
        _send(stage.kafka, DECISIONS, account)
        wait_for_answers(stage)
    wait_for_answers(stage)
    assert judge(stage).owners > PARTITIONS
    assert "step down" in stage.log("a").read_text()


# -- writers come and go -----------------------------------------------------------------------------------------


def test_a_writer_that_slept_past_its_session_harms_nothing(stage: Stage) -> None:
    stage.start("a")
    stage.start("b")
    for name in ("a", "b"):
        stage.wait_for_owner(name)
    wait_for_writers(stage)
    before = Verdict(stage.kafka, DECISIONS).owners
    with Load(stage.kafka):
        burst(stage)  # So that it falls asleep over work, and wakes up to it.
        stage.send("a", signal.SIGSTOP)
        time.sleep(SESSION_SECONDS + 2)
        wait_for_answers(stage)
        assert Verdict(stage.kafka, DECISIONS).owners > before, "the other took over"
        stage.send("a", signal.SIGCONT)
        time.sleep(2)
    wait_for_answers(stage)
    judge(stage)


def test_members_come_and_go_every_two_seconds(stage: Stage) -> None:
    stage.start("a")
    stage.start("b")
    wait_for_writers(stage)
    with Load(stage.kafka):
        for turn in (
            lambda: stage.start("c"),
            lambda: stage.end("a", signal.SIGKILL),
            lambda: stage.start("d"),
            lambda: stage.end("b"),
            lambda: stage.start("a"),
            lambda: stage.end("c", signal.SIGKILL),
        ):
            time.sleep(2)
            turn()
    wait_for_answers(stage)
    judge(stage)


def test_the_broker_is_killed_under_load(stage: Stage) -> None:
    stage.start("a")
    stage.start("d")
    wait_for_writers(stage)
    with Load(stage.kafka):
        stage.stack.kill("kafka", signal.SIGKILL)
        time.sleep(1)
        stage.stack.start("kafka")
        time.sleep(1)
    wait_for_answers(stage)
    judge(stage)


# -- lost records ------------------------------------------------------------------------------------------------


def test_lost_records_stop_a_service_by_name(stage: Stage) -> None:
    """First of its input, then of its own topic: it must not go on as if there had been nothing."""
    account, consumer = (
        ACCOUNTS[0],
        Consumer({"bootstrap.servers": stage.kafka, "group.id": "judge-ends", "log_level": 2}),
    )
    partition = ids.partition_of(account, PARTITIONS)
    stage.start("a")
    stage.start("second", hop=2)
    wait_for_writers(stage)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while ends_of(consumer, EXECUTIONS, partition)[1] < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    stage.end("second", signal.SIGKILL)  # Before it kept a snapshot.
    assert ends_of(consumer, topics.snapshots_of(topics.ORDERS_EXECUTIONS).name, partition)[1] == 0
    wait_for_writers(stage)  # More for the second to answer.
    for topic in (DECISIONS, EXECUTIONS):
        _lose(stage.kafka, topic, partition)
        stage.start("second", hop=2)
        assert stage.status("second") == 1
        assert f"TapeGap: {topic}/{partition}" in stage.log("second").read_text()
    consumer.close()


def _lose(kafka: str, topic: str, partition: int) -> None:
    admin, all_of_it = AdminClient({"bootstrap.servers": kafka, "log_level": 2}), TopicPartition(topic, partition, -1)
    admin.delete_records([all_of_it])[all_of_it].result(20)
