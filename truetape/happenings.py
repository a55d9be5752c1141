"""What a log is: the stream of happenings that the run loop lives on. log.py is Kafka, simlog.py the same in memory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from truetape.topics import Topic


class Part(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"

    @classmethod
    def parse(cls, text: str) -> "Part":
        """Parse "topic/partition"."""
        topic, _, partition = text.rpartition("/")
        return cls(topic, int(partition))


class Record(NamedTuple):
    """A record as read: its place, key, wire bytes and headers."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Any
    """List of (name, bytes), or None. Only `Log.read` gives them: no decision looks at them."""


class Report(NamedTuple):
    """A delivery report: the offset, or None when it is not known; token is what append was given."""

    part: Part
    offset: int | None
    error: str | None
    token: Any
    generation: int = 0
    """Which of a log's producers it is of, one after the other."""


class Assigned(NamedTuple):
    """The group handed these partitions of the own topic to this process."""

    partitions: frozenset[int]


class Revoked(NamedTuple):
    """The group took these partitions away; lost says that somebody else may have them already."""

    partitions: frozenset[int]
    lost: bool


class Offered(NamedTuple):
    """An item that another thread gave to the loop."""

    item: Any


Happening = Record | Report | Assigned | Revoked | Offered


class Log(Protocol):
    """What the run loop needs of Kafka. Not thread-safe but for `offer`."""

    def join(self, group: str, topic: Topic, instance: str) -> None:
        """Become a member of the group that shares out the partitions of an own topic."""

    def group_silence(self) -> float:
        """Seconds since the group was last polled, by the monotonic clock: the writer's lease counts from here."""

    def follow(self, positions: Mapping[Part, int]) -> None:
        """Read these partitions too, each from its offset; one that is followed already jumps there."""

    def unfollow(self, parts: Iterable[Part]) -> None:
        """Stop reading these partitions; nothing of them is delivered any more."""

    def poll(self, timeout_seconds: float, records: bool = True) -> list[Happening]:
        """What happened, in order; waits only while there is nothing. records=False holds records back."""

    def append(
        self, part: Part, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]], token: Any
    ) -> None:
        """Write a record (value None takes its key's records off a compacted topic); its report comes by poll, unless
        token is None."""

    def renew_producer(self) -> None:
        """Purge what waits to be sent and use a fresh idempotent producer; reports of the old one never come."""

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything written has its report; False when some has not."""

    def ends(self, parts: Iterable[Part]) -> dict[Part, tuple[int, int]]:
        """First offset and high watermark of each partition."""

    def read(self, spans: Mapping[Part, tuple[int, int]], timeout_seconds: float) -> Iterator[Record]:
        """Records from offset to offset (exclusive) of each partition, in order within each."""

    def commit(self, positions: Mapping[Part, int]) -> None:
        """Tell the group where the inputs stand, for lag displays only."""

    def offer(self, item: Any) -> None:
        """Give an item to the loop, from any thread."""

    def now_us(self) -> int:
        """Wall clock, microseconds UTC: data for decisions, never for rules."""

    def monotonic(self) -> float:
        """Monotonic clock in seconds: leases and deadlines."""

    def close(self) -> None:
        """Leave the group and release everything."""
