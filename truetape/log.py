"""Kafka. The only module that imports confluent_kafka; simlog.py is the same interface in memory.

A `Log` gives one ordered stream of happenings to the run loop: records of followed partitions, delivery reports,
partitions assigned and revoked, and items offered from other threads. The loop waits for records itself, or two pump
threads wait for records and reports, and wake it.
"""

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType  # type: ignore[attr-defined]

from truetape.errors import (
    BrokerUnavailable,
    CorruptRecord,
    PartitionCountWrong,
    RestoreTimedOut,
    TapeGap,
    TopicMissing,
)
from truetape.happenings import Assigned, Happening, Log, Offered, Part, Record, Report, Revoked
from truetape.topics import Topic

__all__ = ["Assigned", "Happening", "KafkaLog", "Log", "Offered", "Part", "Record", "Report", "Revoked"]

BATCH_MAX = 500
OUTBOX_MAX = 512
BUSY_MIN = 8
READ_SECONDS = 0.02  # Short, so that follow() and reports need not wait for it long.
GROUP_POLL_SECONDS = 0.05
ASK_SECONDS = 15.0
TRY_SECONDS = 2.0
REJOINS_MAX = 3
REJOIN_WINDOW_SECONDS = 60.0
ERROR_SECONDS = 5.0
NEVER_MS = 0
SPAN_WAIT_MS = 10
FOLLOW_WAIT_MS = 100
"""What waits behind a fetch that waits at an end: a partition that is followed newly."""
PATIENT_BYTES = 128 * 1024
INTRODUCE_SECONDS = 1.0
Reporter = Callable[[KafkaError | None, Message], None]
_said: dict[str, float] = {}
_log = structlog.get_logger()


def common_config(bootstrap: str) -> dict[str, Any]:
    """Settings that every Kafka client of this project shares."""
    return {
        "bootstrap.servers": bootstrap,
        "socket.nagle.disable": True,
        "socket.keepalive.enable": True,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1000,
        "topic.metadata.refresh.interval.ms": 60_000,
        "log_level": 2,
        "error_cb": _on_error,
        "enable.metrics.push": False,  # Else each client asks the broker now and then what it wants to know of it.
    }


def producer_config(bootstrap: str, message_timeout_ms: int) -> dict[str, Any]:
    """An idempotent producer that sends at once. A record that times out is skipped: what follows is still written."""
    return {
        **common_config(bootstrap),
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 0,
        "message.timeout.ms": message_timeout_ms,
        "partitioner": "murmur2_random",
        "queue.buffering.max.messages": 200_000,
    }


def consumer_config(bootstrap: str, group: str) -> dict[str, Any]:
    """A consumer whose positions are always explicit."""
    return {
        **common_config(bootstrap),
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "check.crcs": True,  # Else librdkafka gives changed bytes as if they were the record.
        "fetch.queue.backoff.ms": 10,
        "fetch.error.backoff.ms": 50,
        "isolation.level": "read_uncommitted",
    }


def _on_error(error: KafkaError) -> None:
    """Say each kind of trouble at most every few seconds: a broker that is away fails many times a second."""
    now = time.monotonic()
    if now - _said.get(error.name(), -ERROR_SECONDS) >= ERROR_SECONDS:
        _said[error.name()] = now
        _log.warning("kafka client error", code=error.name(), detail=error.str(), fatal=error.fatal())


class KafkaLog:
    """The `Log` on a real broker. With patience, what it follows waits so long at the broker for company, but for the
    `urgent` topics: each fetch costs the broker as much as an append. `alone` says that nobody waits for what follows
    from reports: the loop waits for records itself, without pumps between, and hears of reports as it turns."""

    def __init__(
        self, bootstrap: str, session_timeout_ms: int = 10_000, patience_ms: int = 0, urgent: Iterable[str] = (),
        alone: bool = False,
    ) -> None:  # fmt: skip
        self._bootstrap = bootstrap
        self._session_timeout_ms, self._urgent, self._alone = session_timeout_ms, frozenset(urgent), alone
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stash: deque[Any] = deque()
        self._stopping = threading.Event()
        self._followed: dict[Part, int] = {}
        self._reading, self._reporting = threading.Lock(), threading.Lock()
        self._wants_records, self._wants_reports = threading.Event(), threading.Event()
        slow = {"fetch.wait.max.ms": patience_ms, "fetch.min.bytes": PATIENT_BYTES}
        fast = {"fetch.wait.max.ms": FOLLOW_WAIT_MS, "fetch.min.bytes": 1}
        waits = ([fast] if self._urgent or not patience_ms else []) + ([slow] if patience_ms else [])
        self._readers = [Consumer({**consumer_config(bootstrap, "truetape-reader"), **wait}) for wait in waits]
        """The first one is waited for: the urgent one, if there are two. What the other has is taken on the way."""
        self._reader_wait = min(READ_SECONDS, patience_ms / 1000) if self._readers[1:] else READ_SECONDS
        self._asker = self._fresh_asker()  # The reader is busy polling.
        self._member: Consumer | None = None
        self._member_polled = time.monotonic()
        self._own, self._group, self._instance = "", "", ""
        self._holds: set[int] = set()
        """Partitions that the group has handed out to us."""
        self._rejoined: list[float] = []
        self._generation = 0
        self._busy = False
        self._outbox: list[tuple[Part, bytes | None, bytes | None, Sequence[tuple[str, bytes]], Any]] = []
        self._refusals: dict[Part, str] = {}
        self._reporters: dict[Part, tuple[Any, Reporter]] = {}
        """What hears of a partition's records in flight, with the token that it passes on."""
        self._introduced = False  # Whether the readers have asked for all topics.
        self._span_reader: Consumer | None = None
        """Kept between reads of spans: to open one costs more than to read a few records."""
        self._producer = self._fresh_producer()
        works = {} if alone else {"kafka-records": self._pump_records, "kafka-reports": self._pump_reports}
        self._pumps = [threading.Thread(target=work, name=name, daemon=True) for name, work in works.items()]
        for pump in self._pumps:
            pump.start()

    # -- the group -------------------------------------------------------------------------------------------

    def join(self, group: str, topic: Topic, instance: str) -> None:
        assert self._member is None
        self._own, self._group, self._instance = topic.name, group, instance
        self._enter()
        self._introduce_reader()
        self._introduce_producer()

    def _enter(self) -> None:
        member = Consumer({
            **consumer_config(self._bootstrap, self._group),
            "group.instance.id": f"{self._group}-{self._instance}",
            "session.timeout.ms": self._session_timeout_ms,
            "heartbeat.interval.ms": max(500, self._session_timeout_ms // 6),
            "max.poll.interval.ms": max(self._session_timeout_ms, 60_000),
            "partition.assignment.strategy": "cooperative-sticky",
        })  # fmt: skip
        lost = partial(self._taken, lost=True)
        member.subscribe([self._own], on_assign=self._assigned, on_revoke=self._taken, on_lost=lost)
        self._member = member
        self._member_polled = time.monotonic()

    def _rejoin(self, error: KafkaError) -> None:
        """A broker that was killed may come back with an older idea of the group, and fence its own members: join
        again. Two processes of one name fence each other for ever, so that is tried a few times only."""
        now = time.monotonic()
        self._rejoined = [at for at in self._rejoined if now - at < REJOIN_WINDOW_SECONDS] + [now]
        if len(self._rejoined) > REJOINS_MAX:
            raise BrokerUnavailable(f"{error.str()}; is another process using the instance name {self._instance}?")
        _log.warning("joining the group again", group=self._group, reason=error.str())
        old, lost, self._holds = self._member, frozenset(self._holds), set()
        if lost:
            self._events.put(Revoked(lost, lost=True))
        self._enter()
        assert old is not None
        threading.Thread(target=old.close, name="kafka-leave", daemon=True).start()

    def _assigned(self, member: Consumer, parts: list[TopicPartition]) -> None:
        from_end = [TopicPartition(part.topic, part.partition, OFFSET_END) for part in parts]
        member.incremental_assign(from_end)
        if from_end:
            member.pause(from_end)
        if member is self._member:
            self._holds.update(part.partition for part in parts)
            self._events.put(Assigned(frozenset(part.partition for part in parts)))

    def _taken(self, member: Consumer, parts: list[TopicPartition], lost: bool = False) -> None:
        member.incremental_unassign(parts)
        if member is self._member:
            self._holds.difference_update(part.partition for part in parts)
            for part in parts:
                self._reporters.pop(Part(part.topic, part.partition), None)
            self._events.put(Revoked(frozenset(part.partition for part in parts), lost))

    def group_silence(self) -> float:
        return time.monotonic() - self._member_polled if self._member else 0.0

    def _poll_group(self) -> None:
        if self._member is None or time.monotonic() - self._member_polled < GROUP_POLL_SECONDS:
            return
        message = self._member.poll(0)
        self._member_polled = time.monotonic()
        if message is not None:
            self._raise_if_serious(message)

    def _raise_if_serious(self, message: Message) -> None:
        error, where = message.error(), Part(message.topic() or "", message.partition() or 0)
        if error is None:
            return
        match error.code():
            case KafkaError.UNKNOWN_TOPIC_OR_PART | KafkaError._UNKNOWN_TOPIC | KafkaError._UNKNOWN_PARTITION:
                raise TopicMissing(f"{where}: {error.str()}; run `truetape topics apply`")
            case KafkaError._AUTO_OFFSET_RESET | KafkaError.OFFSET_OUT_OF_RANGE:
                raise TapeGap(
                    f"{where}: {error.str()}: records are missing; restore the topic before anything reads on"
                )
            case KafkaError._BAD_MSG:
                raise CorruptRecord(f"{where} at offset {message.offset()}", error.str())
            case _ if error.fatal() or error.code() == KafkaError._FATAL:  # A member's; readers have no such errors.
                self._rejoin(error)
            case _:
                _log.warning("kafka consumer error", code=error.name(), detail=error.str())

    # -- reading ---------------------------------------------------------------------------------------------

    def _introduce_reader(self) -> None:
        for reader in self._readers if not self._introduced else ():
            introduce(reader)
        self._introduced = True

    def follow(self, positions: Mapping[Part, int]) -> None:
        self._introduce_reader()  # Else the first record would come most of a second late.
        with self._paused_reader(set(positions)):
            self._followed.update(positions)
            for reader, parts in self._by_reader(positions):
                reader.incremental_assign([TopicPartition(*part, positions[part]) for part in parts])

    def unfollow(self, parts: Iterable[Part]) -> None:
        with self._paused_reader(set(parts)):
            pass

    @contextlib.contextmanager
    def _paused_reader(self, parts: set[Part]) -> Iterator[None]:
        """With the pump held, forget everything read of these partitions, so that nothing stale is delivered."""
        self._wants_records.clear()
        with self._reading:
            for reader, known in self._by_reader(part for part in parts if self._followed.pop(part, None) is not None):
                reader.incremental_unassign([TopicPartition(*part) for part in known])
            self._drain()
            self._stash = deque(
                item for item in self._stash if type(item) is not Record or (item.topic, item.partition) not in parts
            )
            yield

    def _by_reader(self, parts: Iterable[Part]) -> Iterator[tuple[Consumer, list[Part]]]:
        """What of these partitions the first reader follows, and what the last one."""
        known = list(parts)
        for reader in self._readers:
            if own := [part for part in known if self._readers[0 if part.topic in self._urgent else -1] is reader]:
                yield reader, own

    def _drain(self) -> None:
        """Move what waits in the queue to the stash, in order."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._stash.append(self._events.get_nowait())

    def _pump_records(self) -> None:
        """While the loop has little to do, wait for records and wake it; a busy loop takes its batches itself."""
        while not self._stopping.is_set():
            if not self._followed:
                self._stopping.wait(0.1)  # A service without inputs has nothing to wait for, and must not spin.
                continue
            if not self._wants_records.wait(0.1):
                continue
            with self._reading:
                for record in self._fetched(self._reader_wait):
                    self._events.put(record)
            if self._events.qsize() > 2 * BATCH_MAX:
                self._wants_records.clear()  # The loop has fallen behind: it takes the rest itself.

    def _take_records(self) -> None:
        """Add what has been fetched to the stash; nothing while the pump is waiting, since then nothing has."""
        if self._followed and self._reading.acquire(blocking=False):
            try:
                self._drain()  # The pump may have left one.
                self._stash.extend(self._fetched(0))
            finally:
                self._reading.release()

    def _fetched(self, wait_seconds: float) -> list[Record]:
        """What the readers have; the first one is waited for, unless that is 0."""
        first = self._readers[0].poll(wait_seconds) if wait_seconds else None
        silent = wait_seconds and first is None
        messages = [first] if first is not None else []
        messages += [m for reader in self._readers[1 if silent else 0 :] for m in reader.consume(BATCH_MAX, 0)]
        return [record for message in messages if (record := self._record(message)) is not None]

    def _record(self, message: Message) -> Record | None:
        if message.error() is not None:
            self._events.put(message)
            return None
        return Record(
            message.topic() or "", message.partition() or 0, message.offset() or 0, message.key(), message.value(),
            message.headers(),
        )  # fmt: skip

    def ends(self, parts: Iterable[Part]) -> dict[Part, tuple[int, int]]:
        return watermarks(self._asker, parts, self._fresh_asker)

    def _fresh_asker(self) -> Consumer:
        self._asker = Consumer(consumer_config(self._bootstrap, "truetape-asker"))
        return self._asker

    def read(self, spans: Mapping[Part, tuple[int, int]], timeout_seconds: float) -> Iterator[Record]:
        if not any(start < end for start, end in spans.values()):
            return
        reader, self._span_reader = self._span_reader, None
        if reader is None:
            reader = open_span_reader(self._bootstrap)
        done = False
        try:
            yield from read_with(reader, spans, timeout_seconds, self._poll_group)
            done = True
        finally:
            if done and self._span_reader is None and not self._stopping.is_set():
                reader.unassign()
                self._span_reader = reader
            else:  # It failed, nobody reads to the end, or several spans are read at a time.
                reader.close()

    # -- the stream ------------------------------------------------------------------------------------------

    def poll(self, timeout_seconds: float, records: bool = True) -> list[Happening]:
        self._poll_group()
        self._send()
        self._take_reports()
        self._drain()
        if records:
            self._take_records()
        if not any(records or type(item) is not Record for item in self._stash):
            self._sleep(min(timeout_seconds, GROUP_POLL_SECONDS), records)
        taken, self._stash = self._stash, deque()
        self._busy = len(taken) > BUSY_MIN
        if self._busy:
            self._wants_records.clear()
            self._wants_reports.clear()
        if not records:
            self._stash.extend(item for item in taken if type(item) is Record)
            taken = deque(item for item in taken if type(item) is not Record)
        return [item for item in taken if type(item) is Record or self._counts(item)]

    def _sleep(self, timeout_seconds: float, records: bool) -> None:
        """Wait for the pumps. They are left at work until the loop is busy: to stop and start them costs more."""
        if self._alone:
            self._sleep_alone(timeout_seconds, records)
            return
        if not records:
            self._wants_records.clear()
        elif not self._wants_records.is_set():
            self._wants_records.set()
        if not self._wants_reports.is_set():
            self._wants_reports.set()
        with contextlib.suppress(queue.Empty):
            self._stash.append(self._events.get(timeout=timeout_seconds))

    def _sleep_alone(self, timeout_seconds: float, records: bool) -> None:
        if records and self._followed:
            self._stash.extend(self._fetched(min(timeout_seconds, self._reader_wait)))
        else:
            self._producer.poll(timeout_seconds)
        self._drain()

    def _counts(self, item: Any) -> bool:
        """Whether it is a happening of today: reports of a producer that was purged are not, and errors are dealt
        with here."""
        if type(item) is Report:
            return item.generation == self._generation
        if isinstance(item, Message):
            self._raise_if_serious(item)
            return False
        return True

    def offer(self, item: Any) -> None:
        self._events.put(Offered(item))

    # -- writing ---------------------------------------------------------------------------------------------

    def append(
        self, part: Part, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]], token: Any
    ) -> None:
        self._outbox.append((part, key, value, headers, token))
        if not self._busy or len(self._outbox) >= OUTBOX_MAX:
            self._send()

    def _send(self) -> None:
        """Hand what was appended to librdkafka in one go, so that it fills batches rather than wake for each record."""
        outbox, self._outbox = self._outbox, []
        for part, key, value, headers, token in outbox:
            refusal = self._refusals.get(part) or self._produce(part, key, value, headers, token)
            if refusal:
                self._refusals[part] = refusal  # Behind a record that is missing nothing may be written.
                if token is not None:
                    self._events.put(Report(part, None, refusal, token, self._generation))

    def _produce(
        self, part: Part, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]], token: Any
    ) -> str:
        """Why librdkafka did not take the record; empty when it did."""
        delivered = self._delivered(part, token) if token is not None else None
        return try_produce(self._producer, part, key, value, headers, delivered)

    def _delivered(self, part: Part, token: Any) -> Reporter:
        """What hears of a record's fate: one for all records of a partition while their token is the same."""
        known = self._reporters.get(part)
        if known is not None and known[0] is token:
            return known[1]
        generation, put = self._generation, self._events.put

        def delivered(error: KafkaError | None, message: Message) -> None:
            offset = message.offset() if error is None else None
            known = offset is not None and offset >= 0
            put(Report(part, offset if known else None, error.str() if error else None, token, generation))

        self._reporters[part] = (token, delivered)
        return delivered

    def renew_producer(self) -> None:
        self._generation += 1
        self._outbox.clear()
        self._refusals.clear()
        self._reporters.clear()
        old, self._producer = self._producer, self._fresh_producer()
        self._introduce_producer()
        old.purge(in_queue=True, in_flight=True)
        threading.Thread(target=old.flush, args=(1.0,), name="kafka-purge", daemon=True).start()

    def _introduce_producer(self) -> None:
        """Beside the loop: its first record need not wait for the topic to be known, nor the loop for the broker."""
        threading.Thread(target=introduce, args=(self._producer,), name="kafka-topics", daemon=True).start()

    def _fresh_producer(self) -> Producer:
        """Never gives up a record by itself: that would leave a hole in front of the next one. The loop gives up
        when no report comes, and purges all of it."""
        return Producer({**producer_config(self._bootstrap, NEVER_MS), "enable.gapless.guarantee": True})

    def _pump_reports(self) -> None:
        """While the loop sleeps, serve delivery reports; a busy loop serves them itself. Never both: order counts."""
        while not self._stopping.is_set():
            if self._wants_reports.wait(0.1):
                with self._reporting:
                    self._producer.poll(0.05)

    def _take_reports(self) -> None:
        if self._reporting.acquire(blocking=False):
            try:
                self._producer.poll(0)
            finally:
                self._reporting.release()

    def flush(self, timeout_seconds: float) -> bool:
        self._send()
        return self._producer.flush(timeout_seconds) == 0

    def commit(self, positions: Mapping[Part, int]) -> None:
        if self._member is not None and positions:
            offsets = [TopicPartition(*part, offset) for part, offset in positions.items()]
            with contextlib.suppress(KafkaException):  # For displays only; a rebalance may refuse it.
                self._member.commit(offsets=offsets, asynchronous=True)

    # -- time and the end ------------------------------------------------------------------------------------

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    def close(self) -> None:
        self._stopping.set()
        self._producer.flush(5.0)
        if self._member is not None:
            self._member.close()
        for pump in self._pumps:
            pump.join(2.0)
        for reader in self._readers:
            reader.close()
        self._asker.close()
        if self._span_reader is not None:
            self._span_reader.close()


def introduce(client: Consumer | Producer) -> None:
    """Let a client ask for all topics now. Later it would look for one that is new to it once a second only."""
    with contextlib.suppress(KafkaException):  # Whoever reads or writes will hear why.
        client.list_topics(timeout=INTRODUCE_SECONDS)


def open_producer(bootstrap: str, timeout_ms: int) -> Producer:
    """An idempotent producer that gives up each record by itself: for topics with many writers and no epochs."""
    return Producer(producer_config(bootstrap, timeout_ms))


def try_produce(
    producer: Producer,
    part: Part,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes]],
    delivered: Reporter | None,
) -> str:
    """Why librdkafka did not take the record; empty when it did."""
    try:
        producer.produce(
            part.topic, partition=part.partition, key=key, value=value, headers=list(headers) or None,
            on_delivery=delivered,
        )  # fmt: skip
    except (BufferError, KafkaException) as error:
        return str(error)
    return ""


_PASSING = (
    KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._DESTROY_BROKER, KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
)  # fmt: skip
"""A leader that died is asked in vain; a broker that just came back does not know its topics yet."""


def watermarks(
    consumer: Consumer, parts: Iterable[Part], renewed: Callable[[], Consumer] | None = None
) -> dict[Part, tuple[int, int]]:
    """First offset and high watermark of each partition, asked of the broker; waits out a change of leaders, with
    another consumer (`renewed`): an old one may go on asking the leader that it remembers."""
    deadline, waiting = time.monotonic() + ASK_SECONDS, deque(parts)
    found: dict[Part, tuple[int, int]] = {}
    while waiting:
        try:
            found[waiting[0]] = consumer.get_watermark_offsets(TopicPartition(*waiting[0]), timeout=TRY_SECONDS)
            waiting.popleft()
        except KafkaException as error:
            if error.args[0].code() not in _PASSING or time.monotonic() > deadline:
                raise _named(error, str(waiting[0])) from error
            time.sleep(0.1)
            consumer = renewed() if renewed else consumer
    return found


def _named(error: KafkaException, what: str) -> Exception:
    code = error.args[0].code()
    if code in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION):
        return TopicMissing(f"{what} does not exist; run `truetape topics apply`")
    return BrokerUnavailable(f"{what}: {error.args[0].str()}; is Kafka running (`truetape dev status`)?")


def read_span(
    bootstrap: str,
    spans: Mapping[Part, tuple[int, int]],
    timeout_seconds: float,
    meanwhile: Callable[[], None] = lambda: None,
) -> Iterator[Record]:
    """Records of each partition from its start to its end offset (exclusive), with a consumer of its own; see
    read_with."""
    consumer = open_span_reader(bootstrap)
    try:
        yield from read_with(consumer, spans, timeout_seconds, meanwhile)
    finally:
        consumer.close()


def open_span_reader(bootstrap: str) -> Consumer:
    """A consumer for `read_with`. It does not wait long at an end: its next span would wait behind that."""
    consumer = Consumer({**consumer_config(bootstrap, "truetape-span"), "fetch.wait.max.ms": SPAN_WAIT_MS})
    introduce(consumer)
    return consumer


def read_with(
    consumer: Consumer, spans: Mapping[Part, tuple[int, int]], timeout_seconds: float, meanwhile: Callable[[], None]
) -> Iterator[Record]:
    """Records of each partition from its start to its end offset (exclusive).

    `meanwhile` is called between batches, also while none comes: a long restore keeps its membership.

    Raises RestoreTimedOut naming what is missing, TapeGap when the start is no longer on the topic.
    """
    missing = {part: (start, end) for part, (start, end) in spans.items() if start < end}
    if not missing:
        return
    deadline = time.monotonic() + timeout_seconds
    consumer.assign([TopicPartition(*part, start) for part, (start, _) in missing.items()])
    while missing:
        if time.monotonic() > deadline:
            raise _late(missing, timeout_seconds)
        meanwhile()
        wanted = sum(end - start for start, end in missing.values())  # To ask for more would be to wait for it.
        for message in consumer.consume(min(wanted, BATCH_MAX), 0.05):
            yield from _one(message, missing)


def _one(message: Message, missing: dict[Part, tuple[int, int]]) -> Iterator[Record]:
    if (error := message.error()) is not None:
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            raise TapeGap(f"{message.topic()}/{message.partition()}: {error.str()}; the wanted records are gone")
        if error.code() == KafkaError._BAD_MSG:
            raise CorruptRecord(f"{message.topic()}/{message.partition()} at offset {message.offset()}", error.str())
        return
    part = Part(message.topic() or "", message.partition() or 0)
    offset = message.offset() or 0
    if part not in missing:
        return
    start, end = missing[part]
    if start <= offset < end:
        yield Record(*part, offset, message.key(), message.value(), message.headers())
    if offset >= end - 1:
        del missing[part]
    else:
        missing[part] = (offset + 1, end)


def _late(missing: Mapping[Part, tuple[int, int]], timeout_seconds: float) -> RestoreTimedOut:
    what = ", ".join(f"{part} from {start} to {end}" for part, (start, end) in sorted(missing.items()))
    return RestoreTimedOut(f"after {timeout_seconds:g} s these records had not come: {what}; is the broker healthy?")


def create_topics(bootstrap: str, topics: Sequence[Topic], replication: int, timeout_seconds: float) -> list[str]:
    """Create the topics that are missing and check the others; see topics.apply."""
    admin = AdminClient(common_config(bootstrap))
    try:
        existing = admin.list_topics(timeout=timeout_seconds).topics
    except KafkaException as error:
        raise BrokerUnavailable(f"{bootstrap}: {error.args[0].str()}; is Kafka running?") from error
    check_partitions({name: len(found.partitions) for name, found in existing.items()}, topics)
    missing = [topic for topic in topics if topic.name not in existing]
    wanted = [NewTopic(t.name, t.partitions, replication, config=dict(t.config(replication))) for t in missing]
    for name, created in (admin.create_topics(wanted, operation_timeout=timeout_seconds) if wanted else {}).items():
        try:
            created.result(timeout_seconds)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise BrokerUnavailable(f"topic {name} was not created: {error.args[0].str()}") from error
    _await_leaders(admin, missing, timeout_seconds)
    return [topic.name for topic in missing]


def _await_leaders(admin: AdminClient, topics: Sequence[Topic], timeout_seconds: float) -> None:
    """Wait until every partition of the topics has a leader that clients can see."""
    deadline = time.monotonic() + timeout_seconds
    wanted = {topic.name for topic in topics}
    while wanted:
        found = admin.list_topics(timeout=timeout_seconds).topics
        led = {name for name in wanted & found.keys() if all(p.leader >= 0 for p in found[name].partitions.values())}
        wanted -= led
        if wanted and time.monotonic() > deadline:
            raise BrokerUnavailable(f"no leader yet for {', '.join(sorted(wanted))}; is the broker healthy?")
        time.sleep(0.05 if wanted else 0)


def check_partitions(existing: Mapping[str, int], topics: Sequence[Topic]) -> None:
    """Raise PartitionCountWrong when a topic exists with another number of partitions than the registry says."""
    for topic in topics:
        if topic.name in existing and existing[topic.name] != topic.partitions:
            raise PartitionCountWrong(
                f"topic {topic.name} has {existing[topic.name]} partitions, the registry says {topic.partitions}. "
                "Accounts would move between partitions: create a new topic and migrate, never change it in place."
            )


def check_topics(bootstrap: str, topics: Sequence[Topic], timeout_seconds: float = 15.0) -> None:
    """At a service's start: every topic must exist with the right number of partitions.

    Raises TopicMissing, PartitionCountWrong or BrokerUnavailable.
    """
    admin = AdminClient(common_config(bootstrap))
    try:
        existing = admin.list_topics(timeout=timeout_seconds).topics
    except KafkaException as error:
        raise BrokerUnavailable(f"{bootstrap}: {error.args[0].str()}; is Kafka running?") from error
    absent = [topic.name for topic in topics if topic.name not in existing]
    if absent:
        raise TopicMissing(f"missing topics: {', '.join(absent)}; run `truetape topics apply`")
    check_partitions({name: len(found.partitions) for name, found in existing.items()}, topics)


def topic_settings(bootstrap: str, name: str) -> dict[str, str]:
    """A topic's settings as the broker has them."""
    admin = AdminClient(common_config(bootstrap))
    [described] = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name)]).values()
    return {key: str(entry.value) for key, entry in described.result(10).items()}
