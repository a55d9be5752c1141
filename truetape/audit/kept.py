"""The newest snapshot of each partition as its topic has it, and what is damaged there."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from truetape import snapshots
from truetape.codec import decode
from truetape.errors import SchemaError
from truetape.happenings import Log, Part
from truetape.messages import Snapshot
from truetape.service import Service
from truetape.tape import Place
from truetape.topics import snapshots_of


@dataclass
class Shelf:
    """Snapshots of one service: complete ones by partition, damaged ones by name, others only counted."""

    newest: dict[int, snapshots.Kept] = field(default_factory=dict)
    damaged: dict[int, str] = field(default_factory=dict)
    """Partition -> what is wrong with its newest snapshot."""
    outdated: set[int] = field(default_factory=set)
    """Partitions with snapshots of another version of the state, which a restore passes over."""
    strange: int = 0
    """Records that are no snapshots."""
    _growing: dict[int, list[Snapshot]] = field(default_factory=dict)

    def take(self, record: Snapshot, version: str) -> None:
        """One part of a snapshot, in the order of the topic."""
        if record.state_version != version:
            self.outdated.add(record.partition)
            return
        parts = self._growing.setdefault(record.partition, [])
        if parts and (parts[0].offset, len(parts)) != (record.offset, record.index):
            parts.clear()  # What was before was never finished, or is compacted away in part.
        parts.append(record)
        if [part.index for part in parts] == list(range(record.count)):
            self._complete(self._growing.pop(record.partition))

    def empty(self, partition: int) -> None:
        """A rebuild took everything of a partition off the shelf."""
        self._growing.pop(partition, None)
        self.newest.pop(partition, None)
        self.damaged.pop(partition, None)
        self.outdated.discard(partition)

    def _complete(self, parts: list[Snapshot]) -> None:
        first, state = parts[0], b"".join(part.state for part in parts)
        before = self.newest.get(first.partition)
        if before is not None and before.offset > first.offset:
            return  # Late parts of a predecessor.
        if hashlib.sha256(state).hexdigest() == first.digest:
            place = Place(first.epoch, first.sequence)
            self.newest[first.partition] = snapshots.Kept(place, first.offset, dict(first.positions), state)
            self.damaged.pop(first.partition, None)
        else:
            self.damaged[first.partition] = f"the snapshot at offset {first.offset} does not have its own digest"


def read(log: Log, service: Service[Any], timeout_seconds: float) -> Shelf:
    """Read a service's snapshot topic; only the newest of each partition stays in memory."""
    topic = snapshots_of(service.owns)
    version = snapshots.version_of(service.state_type)
    shelf = Shelf()
    spans = log.ends([Part(topic.name, partition) for partition in range(topic.partitions)])
    for record in log.read(spans, timeout_seconds):
        if record.value is None:
            shelf.empty(record.partition)
            continue
        try:
            message = decode(record.value)
        except SchemaError:
            shelf.strange += 1
            continue
        if isinstance(message, Snapshot) and message.partition == record.partition:
            shelf.take(message, version)
        else:
            shelf.strange += 1
    return shelf
