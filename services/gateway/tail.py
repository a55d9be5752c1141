"""The end of the tape, as the gateway follows it: a thread that reads, applies the reader's rule and hands over.

Only epoch and sequence are read of most records: decoding all of them would cost the hot path a fifth of a core.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, NamedTuple

import structlog

from truetape import messages as m
from truetape.codec import Message
from truetape.log import Log, Part, Record
from truetape.peek import Peek, peek
from truetape.restore import accepted, pass_over, readable
from truetape.service import Tables
from truetape.tables import TableReader
from truetape.tape import Reader, Verdict, judge
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS, REFERENCE_EVENTS, Topic

STREAMED: Final[tuple[Topic, ...]] = (ORDERS_DECISIONS, ORDERS_EXECUTIONS, CLEARING_ENTRIES)
"""Topics of an account's events; partition p of each holds the same accounts."""
REMEMBERED: Final = 5_000
"""Risk repeats at least as many of an account's newest decisions: what has so few records of its partition after it
(each order that risk forgets is one) is in risk's memory for certain."""
JOIN_RECORDS: Final = {ORDERS_DECISIONS.name: REMEMBERED, ORDERS_EXECUTIONS.name: 500, CLEARING_ENTRIES.name: 500}
"""How far before the end the reader joins: so that it knows the newest epoch when it gets there, and the newest
decisions, which the views may not have yet."""
PATIENCE_MS: Final = 40
URGENT: Final = (ORDERS_DECISIONS.name, ORDERS_EXECUTIONS.name, REFERENCE_EVENTS.name)
"""Answers and fills come at once; entries and marks may wait at the broker for company."""
BATCHES_AHEAD_MAX: Final = 64
_ANSWERS: Final = frozenset(
    {
        m.OrderAccepted, m.OrderRejected, m.DecisionRepeated, m.CancelRequested, m.CancelRefused, m.TransferApproved,
        m.TransferRejected, m.InputParked, m.ParkedDismissed, m.ReleaseRefused,
    }
)  # fmt: skip
"""Decisions that somebody may wait for."""
_log = structlog.get_logger()


class Seen(NamedTuple):
    """An accepted record of the tape's end."""

    part: Part
    offset: int
    message: Any


@cache
def _names(topic: Topic) -> frozenset[str]:
    return frozenset(kind.__name__ for kind in topic.types)


class EndReader:
    """The reader's rule for one partition joined near its end.

    Up to the end that it joined at, a higher epoch is taken as it comes, since its Began may lie before; from there
    on the full rule holds.
    """

    def __init__(self, part: Part, topic: Topic, end: int) -> None:
        self._reader = Reader(*part, joining=True)
        self._types, self._end = _names(topic), end

    def accept(self, record: Record) -> str | None:
        """The type's name when the record counts. Raises TapeGap when records are missing."""
        found = peek(record.value)
        if found is None or found.kind not in self._types:
            pass_over(record, self._reader)
            return None
        place = self._reader.place
        verdict = judge(place, found.epoch, found.sequence, found.kind == "Began")
        if verdict is not Verdict.ACCEPT or self._reader.joining or self._reader.doubtful is not None:
            return self._in_full(record, found)
        self._reader.place = place._replace(epoch=found.epoch, sequence=0 if found.kind == "Began" else found.sequence)
        return found.kind

    def _in_full(self, record: Record, found: Peek) -> str | None:
        """Whatever is not the expected next record is decoded before it is believed."""
        if record.offset < self._end and found.epoch > self._reader.place.epoch and readable(record) is not None:
            self._reader.joining = True
        return found.kind if accepted(record, self._reader) is not None else None


class Tail:
    """Reads reference data whole and the streamed topics from their ends. `run` is for a thread of its own, until
    `stop`; it is `begin` and then `turn` again and again."""

    def __init__(self, log: Log, tables: Tables, deliver: Callable[[list[Seen]], None]) -> None:
        self.tables, self.watched = tables, dict[str, Any]()
        """`watched`: accounts whose every event is wanted; changed by the other thread."""
        self._awaited: Counter[str] = Counter()
        """Accounts whose every event is wanted by somebody who waits for one; changed by the other thread."""
        self.ready = threading.Event()
        self.next_offsets: dict[Part, int] = {}
        self._log, self._deliver = log, deliver
        self._table_reader = TableReader(tables)
        self._readers: dict[Part, EndReader] = {}
        self._room = threading.Semaphore(BATCHES_AHEAD_MAX)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Until `stop`. Raises TapeGap and other named errors of the tape."""
        self.begin()
        while not self._stopping.is_set():
            self.turn(0.05)

    def begin(self) -> None:
        """Read the tables, and of each topic what lies before its end."""
        self._join()
        self.ready.set()

    def turn(self, timeout_seconds: float) -> None:
        """Hand over what one poll returns, unless too much of that waits already."""
        if not self._room.acquire(timeout=timeout_seconds):
            return
        records = [happening for happening in self._log.poll(timeout_seconds) if isinstance(happening, Record)]
        items = [seen for record in records if (seen := self._take(record)) is not None]
        if items:
            self._deliver(items)
        else:
            self._room.release()

    @contextmanager
    def awaiting(self, account_id: str) -> Iterator[None]:
        """Every event of the account is wanted meanwhile."""
        self._awaited[account_id] += 1
        try:
            yield
        finally:
            self._awaited[account_id] -= 1
            if not self._awaited[account_id]:
                del self._awaited[account_id]

    def taken(self) -> None:
        """A delivered batch was taken: there is room for one more."""
        self._room.release()

    def stop(self) -> None:
        """Let `run` end."""
        self._stopping.set()
        self._room.release()

    def close(self) -> None:
        """Close the log, when nothing reads it any more."""
        self._log.close()

    def _join(self) -> None:
        self._table_reader.read_all(self._log, timeout_seconds=300.0)
        topics = {Part(topic.name, partition): topic for topic in STREAMED for partition in range(topic.partitions)}
        spans = self._log.ends(topics)
        self._readers = {part: EndReader(part, topics[part], high) for part, (_, high) in spans.items()}
        before = {part: (max(low, high - JOIN_RECORDS[part.topic]), high) for part, (low, high) in spans.items()}
        found = [self._take(record) for record in self._log.read(before, timeout_seconds=60.0)]
        if items := [seen for seen in found if seen is not None]:
            self._room.acquire()
            self._deliver(items)
        self.next_offsets = {part: high for part, (_, high) in spans.items()}
        self._log.follow(self.next_offsets)

    def _take(self, record: Record) -> Seen | None:
        if self._table_reader.wants(record):
            return self._take_table(record)
        part = Part(record.topic, record.partition)
        self.next_offsets[part] = record.offset + 1
        kind = self._readers[part].accept(record)
        if kind is None or not (kind in _ANSWER_NAMES or self._wanted(_text(record.key))):
            return None
        message = readable(record)
        return Seen(part, record.offset, message) if message is not None else None

    def _wanted(self, account_id: str) -> bool:
        return account_id in self.watched or account_id in self._awaited

    def _take_table(self, record: Record) -> Seen | None:
        self._table_reader.take(record)
        accepted = record.topic == REFERENCE_EVENTS.name and self.tables.reference_offset == record.offset
        message: Message | None = readable(record) if accepted else None
        return Seen(Part(record.topic, 0), record.offset, message) if message is not None else None


_ANSWER_NAMES: Final = frozenset(kind.__name__ for kind in _ANSWERS)


def _text(key: bytes | None) -> str:
    return key.decode(errors="replace") if key else ""
