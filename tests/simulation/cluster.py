"""Nodes of real run loops on a simulated cluster, and the faults of one seed's plan. What they do is another matter."""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from tests.simulation.swarm import Plan
from truetape import snapshots
from truetape.codec import decode
from truetape.errors import BrokerUnavailable, RestoreTimedOut, TapeGap
from truetape.happenings import Part
from truetape.messages import Began
from truetape.runner import DigestRequest, Runner
from truetape.service import Effects, Service
from truetape.settings import Settings
from truetape.simbroker import CALM, SimBroker
from truetape.simlog import SimLog
from truetape.tape import Reader
from truetape.topics import PARKED, REFERENCE_EVENTS, Topic, snapshots_of

MS, SECOND = 1_000, 1_000_000
STEP_US = (MS, 30 * MS)
QUIET_SECONDS = 60
UNOWNED_SECONDS = 10
SETTINGS = Settings(snapshot_every_records=7, snapshot_every_seconds=3, in_flight_max=20)
"""Small bounds, so that they are met."""
RunnerType = Callable[..., Runner[Any]]


class Broken(Exception):
    """An invariant does not hold."""


@dataclass
class Node:
    """One named instance of a service, and the process that runs it now, if any."""

    cluster: "Cluster"
    service: Service[Any]
    name: str
    log: SimLog | None = None
    runner: Runner[Any] | None = None
    back_us: int = 0
    """When it starts again after a crash, or goes on after a pause."""

    def start(self) -> None:
        """A new process."""
        configured = SETTINGS.model_copy(update={"instance": self.name})
        self.log = self.cluster.broker.log(self.name, configured.session_timeout_ms)
        self.runner = self.cluster.runner_type(self.service, self.log, configured)
        self.runner.effects = self.cluster.effects(self, self.runner)
        self._attempt(self.runner.start)

    def turn(self) -> None:
        """One turn of its loop, unless it is paused, down or inside a blocking call."""
        now_us = self.cluster.broker.now_us
        if self.log is None or self.log.paused:
            if now_us >= self.back_us:
                self.start() if self.log is None else self.log.resume()
        elif self.log.busy_until_us <= now_us:
            assert self.runner is not None
            runner = self.runner
            self._attempt(lambda: runner.turn(0.0))

    def _attempt(self, action: Callable[[], None]) -> None:
        try:
            action()
        except (BrokerUnavailable, RestoreTimedOut) as error:
            self.cluster.say(f"{self.name} ends: {error}")
            self.cluster.seen["ended by name"] += 1
            self.crash(self.cluster.chance.randint(100 * MS, SECOND))

    def crash(self, for_us: int) -> None:
        """Kill the process; it comes back later."""
        if self.log is not None:
            self.log.crash()
            self.cluster.gather(self)
        self.log = self.runner = None
        self.back_us = self.cluster.broker.now_us + for_us

    def pause(self, for_us: int, suspend: bool) -> None:
        """Stop the process for a while."""
        if self.log is not None and not self.log.paused:
            self.log.pause(suspend)
            self.back_us = self.cluster.broker.now_us + for_us

    def stop(self, for_us: int) -> None:
        """End the process as SIGTERM does, once nothing is in flight."""
        if self.runner is not None and self.healthy() and not self.runner.gauges()["in_flight"]:
            self._attempt(self.runner._drain)
            self.crash(for_us)

    def healthy(self) -> bool:
        """Whether it runs and nothing has happened to it."""
        return self.log is not None and not self.log.paused and not self.log.fenced


class Tape:
    """What counts on one owned partition, read by an independent reader."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.reader = Reader(*part)
        self.found: list[tuple[int, Any]] = []
        self.void_begans = 0
        self._next = 0

    def read_on(self, broker: SimBroker) -> list[tuple[int, Any]]:
        """(offset, message) of all that is accepted up to now, Began included."""
        for record in broker.records(self.part)[self._next :]:
            message: Any = decode(record.value or b"")
            if self.reader.accept(message, record.offset):
                self.found.append((record.offset, message))
            elif isinstance(message, Began):
                self.void_begans += 1
            self._next = record.offset + 1
        return self.found


class Cluster:
    """One run: trouble, then quiet, then the audit. Subclasses say what the services are and what must hold."""

    services: ClassVar[Sequence[Service[Any]]]
    topics: ClassVar[Sequence[Topic]]
    """What is on the cluster beside the services' own topics and snapshots."""

    def __init__(self, seed: int, plan: Plan, runner_type: RunnerType = Runner, verbose: bool = False) -> None:
        self.seed, self.plan, self.runner_type, self.verbose = seed, plan, runner_type, verbose
        self.seen: Counter[str] = Counter()
        """What happened how often: a suite that never meets a rare state proves nothing."""
        self.chance = Random(seed ^ 0xC0FFEE)
        owned = [service.owns for service in self.services]
        self.registry = [*self.topics, *owned, *map(snapshots_of, owned), PARKED, REFERENCE_EVENTS]
        self.broker = SimBroker(seed, self.registry, plan.network)
        self.nodes = [Node(self, s, f"{s.name}{n}") for s in self.services for n in range(plan.nodes)]
        self._tapes: dict[Part, Tape] = {}
        self._unowned_us: dict[tuple[str, int], int] = {}

    # -- what a subclass says --------------------------------------------------------------------------------

    def effects(self, node: Node, runner: Runner[Any]) -> Effects:
        """Effects of a new process."""
        raise NotImplementedError

    def load(self, step_us: int) -> None:
        """Inputs of this step, while there is trouble."""
        raise NotImplementedError

    def quiet(self) -> None:
        """Faults have stopped, and inputs too."""

    def still_missing(self) -> str:
        """What must still happen before the audit; empty when nothing."""
        raise NotImplementedError

    def audit(self) -> None:
        """Raises Broken."""
        raise NotImplementedError

    # -- the run ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Raises Broken."""
        try:
            self._trouble()
            self._calm_down()
            self.audit()
            for service in self.services:
                for partition in range(service.owns.partitions):
                    self._check_live(service, partition)
        except TapeGap as gap:
            raise Broken(f"a gap although nothing was lost: {gap}") from gap
        except AssertionError as broken:
            raise Broken(f"an invariant of the code: {broken}") from broken
        for node in self.nodes:
            self.gather(node)
        self.seen["void on the tape"] += sum(tape.reader.void_count for tape in self._tapes.values())
        self.seen["void takeovers"] += sum(tape.void_begans for tape in self._tapes.values())

    def _trouble(self) -> None:
        while self.broker.now_us < self.plan.seconds * SECOND:
            step_us = self.chance.randint(*STEP_US)
            self.broker.advance(step_us)
            self.load(step_us)
            for kind, rate in self.plan.events.items():
                if self.happens(rate, step_us):
                    self.say(kind)
                    getattr(self, f"_{kind}")(self.chance.choice(self.nodes))
            for node in self.nodes:
                if self.chance.random() < 0.7:
                    node.turn()
            if self.chance.random() < 0.1:
                self._watch()

    def happens(self, per_second: float, step_us: int) -> bool:
        """Whether something that happens so often happens in this step."""
        return self.chance.random() < per_second * step_us / SECOND

    def _calm_down(self) -> None:
        """Faults stop; everything must be answered before long, and stay so for a second."""
        self.say("quiet")
        self.broker.faults = CALM
        for node in self.nodes:
            node.back_us = min(node.back_us, self.broker.now_us)
        self.quiet()
        deadline_us, calm_us = self.broker.now_us + QUIET_SECONDS * SECOND, 0
        while calm_us < SECOND:
            if self.broker.now_us > deadline_us:
                raise Broken(f"after {QUIET_SECONDS} s without faults: {self._unsettled() or self.still_missing()}")
            for _ in range(5):
                self.broker.advance(20 * MS)
                for node in self.nodes:
                    node.turn()
            self._watch()
            calm_us = 0 if self._unsettled() or self.still_missing() else calm_us + 100 * MS

    def _unsettled(self) -> str:
        """Empty when every partition has exactly one owner, and nobody waits for a report."""
        runners = [(node.service.name, node.runner) for node in self.nodes if node.runner is not None]
        owned = Counter((name, p) for name, runner in runners for p in runner.partitions())
        in_flight = sum(runner.gauges()["in_flight"] for _, runner in runners)
        wanted = {(service.name, p) for service in self.services for p in range(service.owns.partitions)}
        if owned.keys() == wanted and max(owned.values()) == 1 and not in_flight:
            return ""
        return f"owners: {sorted(owned.items())}, {in_flight} records in flight"

    def gather(self, node: Node) -> None:
        """Add a process's counters to what was seen."""
        if node.runner is not None:
            self.seen.update(node.runner.counts)

    def say(self, what: str) -> None:
        """Tell what happens, when asked to."""
        if self.verbose:
            print(f"{self.broker.now_us / SECOND:10.6f}  {what}")

    # -- faults, by the names of the plan --------------------------------------------------------------------

    def _crash(self, node: Node) -> None:
        node.crash(int(10 ** self.chance.uniform(5, 7.2)))

    def _pause(self, node: Node) -> None:
        node.pause(int(10 ** self.chance.uniform(5, 7.3)), suspend=False)

    def _suspend(self, node: Node) -> None:
        node.pause(int(10 ** self.chance.uniform(5, 7.3)), suspend=True)

    def _rebalance(self, node: Node) -> None:
        if node.service.name in self.broker.groups:
            self.broker.rebalance(self.broker.groups[node.service.name])

    def _double(self, node: Node) -> None:
        group = self.broker.groups.get(node.service.name)
        if group is not None and node.name in group.members:
            partition = self.chance.randrange(node.service.owns.partitions)
            group.double(partition, node.name, self.chance.randint(SECOND, 6 * SECOND))

    def _elect(self, node: Node) -> None:
        part = Part(node.service.owns.name, self.chance.randrange(node.service.owns.partitions))
        self.broker.elect(part, self.chance.randint(10 * MS, 2 * SECOND))

    def _outage(self, node: Node) -> None:
        self.broker.outage(int(10 ** self.chance.uniform(5, 7.2)))

    def _clock(self, node: Node) -> None:
        if node.log is not None:
            node.log.jump_clock(self.chance.randint(-3600 * SECOND, 3600 * SECOND))

    def _stop(self, node: Node) -> None:
        node.stop(self.chance.randint(100 * MS, 3 * SECOND))

    # -- what always holds -----------------------------------------------------------------------------------

    def _watch(self) -> None:
        """A partition whose holder is well must be owned by it again before long."""
        for node in self.nodes:
            group = self.broker.groups.get(node.service.name)
            member = group.members.get(node.name) if group else None
            for partition in range(node.service.owns.partitions):
                key, now_us = (node.name, partition), self.broker.now_us
                held = member is not None and partition in member.view and node.healthy()
                owned = node.runner is not None and partition in node.runner.partitions()
                if not held or owned or self._unreachable(Part(node.service.owns.name, partition)):
                    self._unowned_us.pop(key, None)
                elif now_us - self._unowned_us.setdefault(key, now_us) > UNOWNED_SECONDS * SECOND:
                    raise Broken(f"{node.name} lives and was given partition {partition}, but does not own it")

    def _unreachable(self, part: Part) -> bool:
        return self.broker.reachable_us(part) > self.broker.now_us

    def accepted(self, service: Service[Any], partition: int) -> list[tuple[int, Any]]:
        """(offset, message) of what counts on an owned partition, Began included, by the reader's rule."""
        part = Part(service.owns.name, partition)
        return self._tapes.setdefault(part, Tape(part)).read_on(self.broker)

    def events(self, service: Service[Any], partition: int) -> list[Any]:
        """What counts on an owned partition, without Began."""
        return [message for _, message in self.accepted(service, partition) if not isinstance(message, Began)]

    def folded(self, service: Service[Any], partition: int) -> Any:
        """The state that the tape tells."""
        state = service.initial()
        for message in self.events(service, partition):
            state = service.evolve(state, message)
        return state

    def _check_live(self, service: Service[Any], partition: int) -> None:
        """One node owns the partition, and its state is the fold of the tape."""
        owners = [node for node in self.nodes if node.service is service and partition in self._digests(node)]
        if len(owners) != 1:
            raise Broken(f"{service.name}/{partition} is owned by {[node.name for node in owners]}")
        if self._digests(owners[0])[partition]["digest"] != snapshots.digest(self.folded(service, partition)):
            raise Broken(f"{owners[0].name}: the state of partition {partition} is not what its tape says")

    def _digests(self, node: Node) -> dict[int, Any]:
        """What the loop answers to a request for digests."""
        request = DigestRequest(threading.Event(), {}, False)
        assert node.log is not None
        assert node.runner is not None
        node.log.offer(request)
        node.runner.turn(0.0)
        return request.found

    def digest(self) -> str:
        """SHA-256 of all that was written, and when it ended: equal runs are equal to the bit."""
        found = hashlib.sha256(str(self.broker.now_us).encode())
        for topic in self.registry:
            for partition in range(topic.partitions):
                for record in self.broker.records(Part(topic.name, partition)):
                    found.update(repr(record).encode())
        return found.hexdigest()
