"""The `Log` interface in memory: one node of a simulated cluster, under virtual time and from one seed.

`SimBroker(seed).log(node)` gives one. Nothing here waits and nothing advances time: a scheduler calls
`SimBroker.advance` and lets nodes take turns. To kill a node, `crash` it; to make a zombie, `pause` and `resume`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from truetape.errors import BrokerUnavailable, RestoreTimedOut, TapeGap
from truetape.happenings import Happening, Offered, Part, Record, Report
from truetape.simchance import between
from truetape.simclock import SimClock
from truetape.simgroup import Member, SimGroup
from truetape.simproducer import SimProducer
from truetape.topics import Topic

if TYPE_CHECKING:
    from truetape.simbroker import SimBroker

BATCH_MAX = 60


class Killed(BaseException):
    """The process ends inside a call, as by kill -9: nothing may catch this, and nothing is cleaned up."""


class SimLog:
    """One node's view of the cluster. `busy_until_us` tells the scheduler when a blocking call would have returned;
    `wake` is told when something will be there to poll."""

    def __init__(
        self, broker: "SimBroker", node: str, session_timeout_ms: int = 10_000, clock: SimClock | None = None
    ) -> None:
        self.node = node
        self.clock = clock or SimClock(broker)
        self.now_us, self.monotonic = self.clock.now_us, self.clock.monotonic
        self.fenced = False
        self.crashed = False
        self.paused = False
        self.member: Member | None = None
        self.polled_us = broker.now_us
        self.busy_until_us = broker.now_us
        self.unreachable_until_us = 0
        """Until then the network between this node and the cluster is cut."""
        self.unanswered_until_us = 0
        """Until then what this node sends arrives, and nothing comes back."""
        self.wake: Callable[[int], None] = lambda at_us: None
        self.waits = False
        """Whether a poll without news lets time pass, as a real one does."""
        self.fuse: int | None = None
        """After so many more calls `blow` is called, in the middle of whatever the process does."""
        self.blow: Callable[[], None] = lambda: None
        self.broker = broker
        self._session_us = session_timeout_ms * 1_000
        self._group: SimGroup | None = None
        self._own = ""
        self._silent_us: int | None = None
        self._last_heard_us = broker.now_us
        self._polled_seconds = 0.0
        self._cut: set[Part] = set()
        self._followed: dict[Part, int] = {}
        self.changed: set[Part] = set()
        """Followed partitions that may hold something new; a poll passes over all others."""
        self._inbox: list[Happening] = []
        self._producer = self._fresh_producer()

    # -- what a test does to a node --------------------------------------------------------------------------

    def crash(self) -> None:
        """The process is gone without a word. What it had sent may arrive late, or never."""
        self._silent_us = self.broker.now_us if self._silent_us is None else self._silent_us
        self.crashed = True
        self._inbox.clear()
        self.unfollow(list(self._followed))
        self._producer.die()

    def pause(self, suspend: bool = False) -> None:
        """Stop the process (SIGSTOP). With suspend its monotonic clock stops too, as in a suspended machine."""
        self.paused = True
        if suspend:
            self.clock.suspend()
        self._silent_us = self.broker.now_us
        self._producer.freeze()

    def resume(self) -> None:
        """Let a paused process go on: a zombie, if the group has given its partitions away meanwhile."""
        assert self._silent_us is not None
        self.clock.wake()
        self.paused, self._silent_us = False, None
        self._producer.thaw()

    def jump_clock(self, by_us: int) -> None:
        """Move this node's wall clock."""
        self.clock.jump(by_us)

    def cut_off(self, for_us: int, replies_only: bool) -> None:
        """Cut the network between this node and the cluster, in both directions or only what comes back."""
        until_us = self.broker.now_us + for_us
        self.unanswered_until_us = max(self.unanswered_until_us, until_us)
        if not replies_only:
            if self.heard_us() == self.broker.now_us:
                self._last_heard_us = self.broker.now_us
            self.unreachable_until_us = max(self.unreachable_until_us, until_us)
        self.wake(until_us)

    def cut(self) -> bool:
        """Whether nothing of the cluster reaches this node now."""
        return self.broker.now_us < self.unanswered_until_us

    def has_read(self, part: Part, end: int) -> bool:
        """Whether the partition is followed, and has been read beyond this end."""
        return self._followed.get(part, 0) > end

    def truncated(self, part: Part, end: int) -> None:
        """The partition lost records: a reader that was further finds its position refused at the next fetch."""
        if self.has_read(part, end):
            self._cut.add(part)

    def heard_us(self) -> int:
        """When the coordinator last heard of this node."""
        if self._silent_us is not None:
            return min(self._silent_us, self._last_heard_us) if self._unreachable() else self._silent_us
        return self._last_heard_us if self._unreachable() else self.broker.now_us

    def _unreachable(self) -> bool:
        return self.broker.now_us < self.unreachable_until_us

    def _spark(self) -> None:
        """Count one call of the process; at the last one it is hit in mid-work."""
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.fuse = None
                self.blow()

    # -- the group -------------------------------------------------------------------------------------------

    def join(self, group: str, topic: Topic, instance: str) -> None:
        self._reach()
        self._own = topic.name
        self._group = self.broker.group(group, topic)
        self.member = self._group.join(self, instance, self._session_us)
        self._polled()

    def _polled(self) -> None:
        self.polled_us, self._polled_seconds = self.broker.now_us, self.monotonic()

    def group_silence(self) -> float:
        return self.monotonic() - self._polled_seconds if self.member else 0.0

    def _poll_group(self) -> None:
        if self.fenced:
            raise BrokerUnavailable(f"{self.node}: FENCED_INSTANCE_ID; is another process using this instance name?")
        if self._group is None or self.member is None or self.broker.down() or self.cut():
            return
        self._inbox.extend(self._group.poll(self.member))

    # -- reading ---------------------------------------------------------------------------------------------

    def follow(self, positions: Mapping[Part, int]) -> None:
        for part in positions:
            self.broker.partition(part).followers[self] = None
        self._followed.update(positions)
        self.changed.update(positions)
        self.wake(self.broker.now_us)
        self._cut.difference_update(positions)

    def unfollow(self, parts: Iterable[Part]) -> None:
        for part in parts:
            if self._followed.pop(part, None) is not None:
                self.broker.partition(part).followers.pop(self, None)
            self._cut.discard(part)
            self.changed.discard(part)

    def _fetch(self) -> list[Record]:
        """Some of what has arrived by now, partition by partition."""
        found: list[Record] = []
        if not self.changed or self.broker.down() or self.cut():
            return found
        room = 0
        for part in sorted(self.changed):
            if part not in self._cut and self.broker.partition(part).end == self._followed[part]:
                self.changed.discard(part)
                continue
            room = room or between(self.broker.random, 1, BATCH_MAX)
            if len(found) < room:
                found.extend(self._fetch_part(part, room - len(found)))
        return found

    def _fetch_part(self, part: Part, room: int) -> list[Record]:
        partition, position = self.broker.partition(part), self._followed[part]
        if part in self._cut:
            raise TapeGap(f"{part}: the log was truncated below offset {position}; restore it before anything reads on")
        self.broker.check(part, position)
        now_us = self.broker.now_us
        if self.broker.reachable_us(part) > now_us:
            self.wake(self.broker.reachable_us(part))
            return []
        end = min(partition.visible_end(now_us - self.broker.fetch_lag_us()), position + room)
        batch = partition.slice(position, end)
        if batch:
            self._followed[part] = partition.show(end)
        if self._followed[part] < partition.end:
            self.wake(now_us + self.broker.latency_us())
        return batch

    def ends(self, parts: Iterable[Part]) -> dict[Part, tuple[int, int]]:
        self._spark()
        self._reach()
        found = {}
        for part in parts:
            partition = self.broker.partition(part)
            stale = part.topic == self._own and self.broker.random.random() < self.broker.faults.stale_ends
            least = max(partition.low, partition.shown) if stale else partition.end
            found[part] = (partition.low, partition.show(self.broker.random.randint(least, partition.end)))
        return found

    def read(self, spans: Mapping[Part, tuple[int, int]], timeout_seconds: float) -> Iterator[Record]:
        count = 0
        for part, (start, end) in spans.items():
            partition = self.broker.partition(part)
            if start >= end:
                continue
            if self.broker.down() or self.cut() or end > partition.end:
                raise RestoreTimedOut(f"after {timeout_seconds:g} s {part} from {start} to {end} had not come")
            if start < partition.low:
                raise TapeGap(f"{part}: offset {start} is gone, the topic begins at {partition.low}")
            count += end - start
            yield from partition.slice(start, partition.show(end))
        self.busy_until_us = self.broker.now_us + self.broker.latency_us() + 5 * count

    # -- the stream ------------------------------------------------------------------------------------------

    def poll(self, timeout_seconds: float, records: bool = True) -> list[Happening]:
        assert not self.crashed and not self.paused
        self._spark()
        if self.waits and timeout_seconds and not self._inbox:
            self.broker.advance(round(timeout_seconds * 1e6))
            if self.crashed:
                raise Killed(self.node)
        self._poll_group()
        self._polled()
        happenings, self._inbox = self._inbox, []
        if records:
            happenings.extend(self._fetch())
        return happenings

    def offer(self, item: Any) -> None:
        self._inbox.append(Offered(item))
        self.wake(self.broker.now_us)

    # -- writing ---------------------------------------------------------------------------------------------

    def append(
        self, part: Part, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]], token: Any
    ) -> None:
        self.broker.partition(part)
        self._spark()
        self._producer.append(part, key, value, list(headers) or None, token)

    def renew_producer(self) -> None:
        self._producer.die()
        self._inbox = [happening for happening in self._inbox if not isinstance(happening, Report)]
        self._producer = self._fresh_producer()

    def _fresh_producer(self) -> SimProducer:
        return SimProducer(self.broker, self, self._inbox_report)

    def _inbox_report(self, report: Report) -> None:
        self._inbox.append(report)
        self.wake(self.broker.now_us)

    def flush(self, timeout_seconds: float) -> bool:
        return self._producer.hurry()

    def commit(self, positions: Mapping[Part, int]) -> None:
        self._spark()
        if self._group is not None and not self.broker.down() and not self._unreachable():
            self._group.committed.update(positions)

    # -- the end ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        """A static member leaves without telling: its partitions wait for it until the session ends."""
        self._producer.hurry()
        self.crash()

    def _reach(self) -> None:
        if self.broker.down() or self.cut():
            raise BrokerUnavailable(f"{self.node}: the cluster does not answer; is Kafka running?")
        if self.fenced:
            raise BrokerUnavailable(f"{self.node}: FENCED_INSTANCE_ID; is another process using this instance name?")
