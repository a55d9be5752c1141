"""A simulated Kafka cluster: partitions, virtual time, and every chance drawn from one seed.

Time moves only in `advance`. All times are microseconds of virtual time, from zero.
"""

import heapq
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from truetape import topics
from truetape.errors import TapeGap, TopicMissing
from truetape.happenings import Part, Record
from truetape.simchance import between
from truetape.simclock import WALL_AT_ZERO_US, SimClock
from truetape.simgroup import SimGroup
from truetape.simlog import SimLog
from truetape.simproducer import SimProducer
from truetape.topics import Topic


@dataclass(frozen=True)
class Faults:
    """What the network does by chance: probabilities from 0 to 1, ranges in microseconds. The default is calm."""

    latency_us: tuple[int, int] = (100, 1_500)
    late_us: tuple[int, int] = (1_000, 3_000_000)
    """How much later than usual something late arrives."""
    lost_reports: float = 0.0
    """Written, but the writer is told that the offset is not known."""
    late_reports: float = 0.0
    lost_packets: float = 0.0
    """Of a living producer: given up after its time, with all that follows on the partition."""
    late_packets: float = 0.5
    """Of a dead producer: a prefix of what was under way arrives, late."""
    stale_ends: float = 0.0
    """The writer's own topic seems to end earlier: what nobody has read or had reported need not show yet."""
    slow_reads: float = 0.0
    skipping: bool = False
    """Off, as the `Log` promises: behind a lost packet nothing is written. On: what follows a lost packet is."""


CALM = Faults()


class SimPartition:
    """Records of one partition, and when each was written."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.low = 0
        self.shown = 0
        """The least high watermark that somebody knows of; it never falls but by truncation."""
        self.reachable_us = 0
        self.followers: dict[SimLog, None] = {}
        """Who reads on here, and is to be told."""
        self._records: list[Record] = []
        self._written_us: list[int] = []
        self._writers: list[SimProducer | None] = []

    @property
    def end(self) -> int:
        """One past the last offset."""
        return self.low + len(self._records)

    def show(self, end: int) -> int:
        """Somebody learns that the partition reaches to end at least."""
        self.shown = max(self.shown, end)
        return end

    def slice(self, start: int, end: int) -> list[Record]:
        """Records from start to end (exclusive)."""
        return self._records[max(0, start - self.low) : max(0, end - self.low)]

    def visible_end(self, at_us: int) -> int:
        """The end as it was at this time."""
        return self.low + bisect_right(self._written_us, at_us)

    def write(
        self, at_us: int, key: bytes | None, value: bytes | None, headers: Any, producer: SimProducer | None
    ) -> int:
        """Append; returns the offset."""
        offset = self.end
        self._records.append(Record(*self.part, offset, key, value, headers))
        self._written_us.append(at_us)
        self._writers.append(producer)
        self._changed()
        return offset

    def cut(self, count: int) -> list[SimProducer]:
        """Lose the newest records; returns who wrote them."""
        left = max(0, len(self._records) - count)
        writers = [writer for writer in self._writers[left:] if writer is not None]
        del self._records[left:], self._written_us[left:], self._writers[left:]
        self.shown = min(self.shown, self.end)
        self._changed()
        return list(dict.fromkeys(writers))

    def expire(self, count: int) -> None:
        """Lose the oldest records, as retention does."""
        del self._records[:count], self._written_us[:count], self._writers[:count]
        self.low += count
        self._changed()

    def _changed(self) -> None:
        """Whoever reads here looks again at its next poll."""
        for log in self.followers:
            log.changed.add(self.part)


class SimBroker:
    """The cluster. One seed gives one course of events, whatever the process."""

    def __init__(self, seed: int, registry: Iterable[Topic] = topics.ALL, faults: Faults = CALM) -> None:
        self.random = Random(seed)
        self.faults = faults
        self.now_us = 0
        self.up_since_us = 0
        self.groups: dict[str, SimGroup] = {}
        self.logs: list[SimLog] = []
        self._down_until_us = 0
        self._partitions = {
            part: SimPartition(part) for t in registry for part in (Part(t.name, p) for p in range(t.partitions))
        }
        self._events: list[tuple[int, int, Callable[[], Any]]] = []
        self._event_count = 0

    # -- time ------------------------------------------------------------------------------------------------

    def at(self, at_us: int, action: Callable[[], Any]) -> None:
        """Let something happen at a time; what is due at the same time happens in the order of these calls."""
        self._event_count += 1
        heapq.heappush(self._events, (at_us, self._event_count, action))

    def advance(self, by_us: int) -> None:
        """Let time pass, with everything that is due."""
        until_us, events, pop = self.now_us + by_us, self._events, heapq.heappop
        while events and events[0][0] <= until_us:
            at_us, _, action = pop(events)
            if at_us > self.now_us:
                self.now_us = at_us
            action()
        self.now_us = max(self.now_us, until_us)  # An action may have let time pass itself.
        if not self.down():
            for name in sorted(self.groups):
                self.groups[name].check_sessions()

    def next_us(self) -> int | None:
        """When something is due next; None when nothing is."""
        return self._events[0][0] if self._events else None

    def wall_us(self) -> int:
        """Wall clock, microseconds UTC."""
        return WALL_AT_ZERO_US + self.now_us

    def latency_us(self) -> int:
        """One way through the network."""
        return between(self.random, *self.faults.latency_us)

    def lateness_us(self) -> int:
        """How late something late is."""
        return between(self.random, *self.faults.late_us)

    def report_latency_us(self) -> int:
        """From the write to its report."""
        late = self.random.random() < self.faults.late_reports
        return self.lateness_us() if late else self.latency_us()

    def fetch_lag_us(self) -> int:
        """How old the newest record is that a reader sees; that it is told late of news is the way's latency."""
        slow = self.faults.slow_reads and self.random.random() < self.faults.slow_reads
        return self.lateness_us() if slow else self.faults.latency_us[0]

    # -- nodes and topics ------------------------------------------------------------------------------------

    def log(self, node: str, session_timeout_ms: int = 10_000, clock: SimClock | None = None) -> SimLog:
        """A `Log` for one process of a node, with that node's clock."""
        log = SimLog(self, node, session_timeout_ms, clock)
        self.logs.append(log)
        return log

    def group(self, name: str, topic: Topic) -> SimGroup:
        """The group of this name, made at its first use."""
        if name not in self.groups:
            self.groups[name] = SimGroup(self, name, topic.partitions)
        return self.groups[name]

    def partition(self, part: Part) -> SimPartition:
        """Raises TopicMissing."""
        found = self._partitions.get(part)
        if found is None:
            raise TopicMissing(f"{part} does not exist; run `truetape topics apply`")
        return found

    def records(self, part: Part) -> list[Record]:
        """All that is on a partition."""
        partition = self.partition(part)
        return partition.slice(partition.low, partition.end)

    def produce(self, part: Part, key: bytes | None, value: bytes | None, headers: Any = None) -> int:
        """Write at once, as somebody outside the simulated nodes; returns the offset."""
        partition = self.partition(part)
        offset = partition.show(partition.write(self.now_us, key, value, headers, None) + 1) - 1
        self._tell(partition)
        return offset

    def write(self, part: Part, key: bytes | None, value: bytes | None, headers: Any, producer: SimProducer) -> int:
        """A producer's packet arrived; returns the offset."""
        partition = self.partition(part)
        offset = partition.write(self.now_us, key, value, headers, producer)
        self._tell(partition)
        return offset

    def _tell(self, partition: SimPartition) -> None:
        """Its followers will have something to read."""
        for log in partition.followers:
            log.wake(self.now_us + self.latency_us())

    # -- faults ----------------------------------------------------------------------------------------------

    def outage(self, for_us: int) -> None:
        """The whole cluster is away for a while; nothing written is lost."""
        self._down_until_us = max(self._down_until_us, self.now_us + for_us)
        self.up_since_us = self._down_until_us

    def heal(self) -> None:
        """The cluster and every way to it work again."""
        self._down_until_us = min(self._down_until_us, self.now_us)
        self.up_since_us = min(self.up_since_us, self.now_us)
        for partition in self._partitions.values():
            partition.reachable_us = min(partition.reachable_us, self.now_us)
        for log in self.logs:
            log.unreachable_until_us = min(log.unreachable_until_us, self.now_us)
            log.unanswered_until_us = min(log.unanswered_until_us, self.now_us)

    def down(self) -> bool:
        """Whether the cluster is away now."""
        return self.now_us < self._down_until_us

    def elect(self, part: Part, for_us: int) -> None:
        """A new leader, chosen cleanly: the partition cannot be read or written for a while, nothing is lost."""
        self.partition(part).reachable_us = self.now_us + for_us

    def reachable_us(self, part: Part) -> int:
        """From when on a partition can be read and written."""
        return max(self._down_until_us, self.partition(part).reachable_us)

    def rebalance(self, group: SimGroup) -> None:
        """Deal the partitions out anew at random, as members that come and go would."""
        names: list[str | None] = [*sorted(group.members)]
        if names:
            group.rebalance({p: self.random.choice(names) for p in group.holders})

    def truncate(self, part: Part, count: int, silently: bool = False) -> None:
        """Lose the newest records, as an unclean election does. Readers that were further see their position
        refused; silently, as when a topic was restored from an old copy, they do not."""
        partition = self.partition(part)
        for producer in partition.cut(count):
            producer.refuse(part)
        for log in self.logs:
            if not silently:
                log.truncated(part, partition.end)
                log.wake(self.now_us)

    def check(self, part: Part, position: int) -> None:
        """Raises TapeGap when a reader's position is not on the partition."""
        partition = self.partition(part)
        if not partition.low <= position <= partition.end:
            raise TapeGap(
                f"{part}: offset {position} is out of range {partition.low} to {partition.end}: records are missing; "
                "restore the topic before anything reads on"
            )
