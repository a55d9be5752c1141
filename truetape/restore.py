"""Takeover of partitions: fold snapshot and own records, then read on to the own Began."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
import structlog

from truetape import snapshots
from truetape.codec import Message, decode
from truetape.errors import SchemaError, TapeGap, WrongType
from truetape.log import Log, Part, Record
from truetape.messages import Began
from truetape.peek import place_of
from truetape.service import Service
from truetape.settings import Settings
from truetape.tape import START, Doubt, Ownership, Place, Reader, answered
from truetape.topics import BY_NAME, Topic, snapshots_of

S = TypeVar("S")
PROGRESS_RECORDS = 50_000
_log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Restored(Generic[S]):
    """A partition whose own records are folded up to `end`; the next step is its Began."""

    partition: int
    state: S
    reader: Reader
    end: int
    positions: dict[str, int]
    begun_at: float = 0.0
    """When its Began was handed over, by the monotonic clock."""


@dataclass
class Restorer(Generic[S]):
    """Reads what a service's partitions say."""

    service: Service[S]
    log: Log
    settings: Settings

    def __post_init__(self) -> None:
        self.version = snapshots.version_of(self.service.state_type)

    def restore(self, partitions: list[int]) -> dict[int, Restored[S]]:
        """State, place and positions of each partition: newest snapshot, then own records to the high watermark.

        Raises TapeGap when records are missing, RestoreTimedOut naming what did not come in time.
        """
        name = self.service.owns.name
        kept = self._snapshots(partitions)
        ends = {part.partition: end for part, (_, end) in self.log.ends([Part(name, p) for p in partitions]).items()}
        found = {p: self._begin_with(p, kept.get(p), ends[p]) for p in partitions}
        spans = {Part(name, p): (kept[p].offset + 1 if p in kept else 0, ends[p]) for p in partitions}
        total = sum(end - start for start, end in spans.values())
        for count, record in enumerate(self.log.read(spans, self.settings.restore_timeout_seconds), 1):
            self._fold(found[record.partition], record)
            if count % PROGRESS_RECORDS == 0:
                _log.info("restoring", service=self.service.name, records=count, of=total)
        for restored in found.values():
            restored.reader.assert_proven()  # Our Began would hide for ever what we cannot read.
        _log.info("restored", service=self.service.name, partitions=partitions, records=total, snapshots=len(kept))
        return found

    def own(self, restored: Restored[S], began_offset: int | None) -> Ownership[S]:
        """Our Began's report came: read on to it. Accepted: we own the partition. Anything else raises Doubt."""
        part = Part(self.service.owns.name, restored.partition)
        if began_offset is None:
            raise Doubt(f"{part}: the report of Began has no offset")
        accepted = False  # Of the last record read, our Began. Its place alone can't tell: a rival may have the same.
        for record in self.log.read({part: (restored.end, began_offset + 1)}, self.settings.restore_timeout_seconds):
            accepted = self._fold(restored, record)
        if not accepted:
            raise Doubt(f"{part}: another owner began epoch {restored.reader.place.epoch} first")
        return Ownership(restored.partition, restored.state, restored.reader.place, began_offset, restored.positions)

    def places_before(self, starts: Mapping[Part, int]) -> dict[Part, Place]:
        """Where the readers of inputs stand before they read from these starts.

        The record before a start is a cause, hence was accepted, and tells. Should it be undecodable (a parked
        input), the whole partition tells.
        """
        asked = {part: at for part, at in starts.items() if at > 0 and BY_NAME[part.topic].owner is not None}
        found = self._places({part: (at - 1, at) for part, at in asked.items()})
        untold = self._places({part: (0, at) for part, at in asked.items() if found[part] == START})
        return {**dict.fromkeys(starts, START), **found, **untold}

    def _places(self, spans: Mapping[Part, tuple[int, int]]) -> dict[Part, Place]:
        """Where a reader stands that has read these spans and nothing before them."""
        readers = {part: Reader(part.topic, part.partition, joining=low > 0) for part, (low, _) in spans.items()}
        for record in self.log.read(spans, self.settings.restore_timeout_seconds) if spans else ():
            accepted(record, readers[Part(record.topic, record.partition)])
        return {part: reader.place for part, reader in readers.items()}

    def _snapshots(self, partitions: list[int]) -> dict[int, snapshots.Kept]:
        """The newest snapshot of each partition: read from where its last record says that it begins, or from the
        topic's beginning where that gives none."""
        spans = self.log.ends([Part(snapshots_of(self.service.owns).name, p) for p in partitions])
        last = {part: (end - 1, end) for part, (low, end) in spans.items() if low < end}
        begins = dict(map(snapshots.begin_of, self.log.read(last, self.settings.restore_timeout_seconds)))
        ends = {part: (max(spans[part][0], begins.get(part, end - 1)), end) for part, (_, end) in last.items()}
        found = snapshots.newest(self.log.read(ends, self.settings.restore_timeout_seconds), self.version)
        whole = {part: spans[part] for part in last if part.partition not in found}
        return found | snapshots.newest(self.log.read(whole, self.settings.restore_timeout_seconds), self.version)

    def _begin_with(self, partition: int, kept: snapshots.Kept | None, end: int) -> Restored[S]:
        name = self.service.owns.name
        if kept is None:
            return Restored(partition, self.service.initial(), Reader(name, partition), end, {})
        if kept.offset >= end:
            raise TapeGap(
                f"{name}/{partition} ends at offset {end}, but its snapshot stands at offset {kept.offset}: records "
                "were lost. Restore the topic from a replica or backup before anything reads on."
            )
        state = msgspec.msgpack.decode(kept.state, type=self.service.state_type)
        return Restored(partition, state, Reader(name, partition, kept.place), end, dict(kept.positions))

    def _fold(self, restored: Restored[S], record: Record) -> bool:
        """Apply one own record; whether it was accepted."""
        message: Any = accepted(record, restored.reader)
        if message is None:
            return False
        if not isinstance(message, Began):
            restored.state = self.service.evolve(restored.state, message)
            answered(restored.positions, message.meta)
        return True


def typed(value: bytes | None, topic: Topic) -> Message:
    """Decode a record's value and check that it belongs on the topic. Raises SchemaError."""
    message = decode(value or b"")
    if type(message) not in topic.kinds:
        raise WrongType(f"{type(message).__name__} does not belong on {topic.name}")
    return message


def readable(record: Record) -> Message | None:
    """The record's message, or None for bytes that are no record of the topic."""
    try:
        return typed(record.value, BY_NAME[record.topic])
    except SchemaError as error:
        _log.error("not a record of this topic", topic=record.topic, offset=record.offset, error=str(error))
        return None


def accepted(record: Record, reader: Reader, counts: Counter[str] | None = None) -> Message | None:
    """The message of a record on an owned topic when it counts by the reader's rule; None when it is void or stray.

    Both are counted. Every reader of owned topics judges with this. Raises TapeGap when records are missing.
    """
    message = readable(record)
    if message is None:
        pass_over(record, reader)
    elif reader.accept(message, record.offset):
        return message
    if counts is not None:
        counts["stray_records" if message is None else "void_records"] += 1
    return None


def pass_over(record: Record, reader: Reader) -> None:
    """Bytes that are no record of the topic: nothing of them counts, and nothing is parked for them."""
    reader.stray(place_of(record.value), record.offset)
