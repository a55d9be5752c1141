"""The tape read in the order of its causes, one partition's topics together, in bounded memory.

Each partition of an owned topic has a cursor that pulls records as they are wanted. A record is given when the
records that it answers have been given, so whoever folds sees every cause before its effect, and what a reader
gets is a consistent cut of a tape that goes on growing.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from truetape.errors import CorruptRecord, TapeGap
from truetape.happenings import Log, Part, Record
from truetape.messages import InputParked, Meta
from truetape.restore import accepted
from truetape.tape import Reader
from truetape.topics import REFERENCE_EVENTS

HEAD_RECORDS = 1_000
"""Of each partition, read in one go for all: a short tape needs no more."""
CHUNK_RECORDS = 200_000
"""Read with one deadline."""


class Given(NamedTuple):
    """A record as it is given: the message is None for one that does not count."""

    part: Part
    offset: int
    message: Any
    accepted: bool


class Cursor:
    """One partition of an owned topic, read from its first record by the reader's rule."""

    def __init__(self, part: Part, low: int, end: int) -> None:
        self.part = part
        self.reader = Reader(*part)
        self.next = 0
        """Offset of the record that is given next."""
        self.end = end
        self.records = 0
        self.parked = 0
        """Records that say of an input that it was set aside."""
        self.gap = ""
        """Why nothing is read any further; empty while all is well."""
        self._source: Iterator[Record] = iter(())
        self._fetched = 0
        self._waiting: Given | None = None
        if low > 0:
            self.gap = f"{part}: expected offset 0, found offset {low} as the first: {low} records are gone"

    def feed(self, records: Iterable[Record]) -> None:
        """Records that were read ahead, in order."""
        held = list(records)
        if held:
            self._source, self._fetched = iter(held), held[-1].offset + 1

    def peek(self, log: Log, timeout_seconds: float) -> Given | None:
        """The next record, judged; None at the end, or at a gap."""
        if self._waiting is None and not self.gap:
            record = self._pull(log, timeout_seconds)
            self._waiting = self._judged(record) if record is not None else None
        return self._waiting

    def take(self) -> Given:
        """Give what peek showed."""
        assert self._waiting is not None
        given, self._waiting = self._waiting, None
        self.next = given.offset + 1
        self.records += given.accepted
        self.parked += given.accepted and isinstance(given.message, InputParked)
        return given

    def _pull(self, log: Log, timeout_seconds: float) -> Record | None:
        try:
            record = next(self._source, None)
            if record is None and self._fetched < self.end:
                until = min(self.end, self._fetched + CHUNK_RECORDS)
                self._source, self._fetched = log.read({self.part: (self._fetched, until)}, timeout_seconds), until
                record = next(self._source, None)
        except CorruptRecord as corrupt:
            self.gap = str(corrupt)
            return None
        return record

    def _judged(self, record: Record) -> Given | None:
        try:
            message = accepted(record, self.reader)
        except TapeGap as gap:
            self.gap = str(gap)
            return None
        return Given(self.part, record.offset, message, message is not None)


def counted(log: Log, timeout_seconds: float, parts: Iterable[Part]) -> Iterator[Given]:
    """The records of partitions of owned topics that count, one partition after the other. Raises TapeGap when records
    are missing."""
    for part, span in log.ends(parts).items():
        cursor = Cursor(part, *span)
        while (given := cursor.peek(log, timeout_seconds)) is not None:
            cursor.take()
            if given.accepted:
                yield given
        if cursor.gap:
            raise TapeGap(cursor.gap)


class Tape:
    """All cursors of the tape. Raises what the log raises: BrokerUnavailable, TopicMissing, RestoreTimedOut."""

    def __init__(self, log: Log, parts: Iterable[Part], timeout_seconds: float) -> None:
        self._log, self._timeout = log, timeout_seconds
        ends = log.ends(parts)
        self.cursors = {part: Cursor(part, low, high) for part, (low, high) in ends.items()}
        self._gaps = [part for part, cursor in self.cursors.items() if cursor.gap]
        heads = {p: (0, min(c.end, HEAD_RECORDS)) for p, c in self.cursors.items() if not c.gap}
        try:
            found = sorted(log.read(heads, timeout_seconds), key=lambda record: (record.topic, record.partition))
        except CorruptRecord:
            found = []  # Each cursor reads its own head, and the one concerned says so.
        for at, records in itertools.groupby(found, key=lambda record: Part(record.topic, record.partition)):
            self.cursors[at].feed(records)

    def gaps(self) -> list[Part]:
        """Partitions of which records are missing, as far as they were read."""
        return self._gaps

    @property
    def length(self) -> int:
        """Records up to the ends known now."""
        return sum(cursor.end for cursor in self.cursors.values())

    def extend(self, parts: Iterable[Part]) -> bool:
        """Take the ends of these partitions anew; whether any grew."""
        grown = False
        for part, (_, high) in self._log.ends(parts).items():
            grown |= high > self.cursors[part].end
            self.cursors[part].end = max(high, self.cursors[part].end)
        return grown

    def given(self, parts: Iterable[Part]) -> Iterator[Given]:
        """Records of these partitions up to their ends, each after its causes; what waits for a cause beyond the
        ends is kept for another call."""
        cursors = [self.cursors[part] for part in parts]
        moved = True
        while moved:
            moved = False
            for cursor in cursors:
                while (found := self._peek(cursor)) is not None and self.wanted(found) is None:
                    yield cursor.take()
                    moved = True

    def waiting(self, parts: Iterable[Part]) -> Iterator[tuple[Given, Part, int]]:
        """Records that wait, each with the partition and offset that it waits for."""
        for part in parts:
            found = self._peek(self.cursors[part])
            if found is not None and (wanted := self.wanted(found)) is not None:
                yield found, *wanted

    def _peek(self, cursor: Cursor) -> Given | None:
        found = cursor.peek(self._log, self._timeout)
        if cursor.gap and cursor.part not in self._gaps:
            self._gaps.append(cursor.part)
        return found

    def wanted(self, found: Given) -> tuple[Part, int] | None:
        """The cause of a record that was not given yet; None when nothing is missing, or behind a gap."""
        if not found.accepted:
            return None
        for part, offset in causes(found.message):
            source = self.cursors.get(part)
            if source is not None and not source.gap and source.next <= offset:
                return part, offset
        return None

    def places(self) -> Mapping[Part, int]:
        """Offset up to which each partition was given."""
        return {part: cursor.next for part, cursor in self.cursors.items()}


def causes(message: Any) -> Iterator[tuple[Part, int]]:
    """Where what a record depends on stands: the input that it answers, the reference data that it used."""
    meta: Meta = message.meta
    if meta.cause.offset >= 0:
        yield Part(meta.cause.source, meta.cause.partition), meta.cause.offset
    if (reference := getattr(message, "reference_offset", -1)) >= 0:
        yield Part(REFERENCE_EVENTS.name, 0), reference
