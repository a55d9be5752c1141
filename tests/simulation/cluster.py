"""A simulated cluster of nodes under one seed's faults: trouble, then quiet, then the audit.

What the nodes are and what must hold in the end is said by a subclass. Everything happens as events of the broker's
virtual time; between two events nothing costs anything.
"""

import hashlib
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any, ClassVar, Final

from tests.simulation import loop
from tests.simulation.node import Node, Process, RunLoop
from tests.simulation.swarm import LEAST_SECONDS, MS, SECOND, Plan
from tests.simulation.tape import Tape
from truetape.errors import TapeGap
from truetape.happenings import Part
from truetape.runner import DigestRequest, Runner
from truetape.service import Effects, Service
from truetape.settings import Settings
from truetape.simbroker import CALM, SimBroker
from truetape.simchance import between
from truetape.topics import ALL, Topic

QUIET_SECONDS: Final = 60
UNOWNED_SECONDS: Final = 10
LEAST_US: Final = int(LEAST_SECONDS * SECOND)
AMID_WORK: Final = 0.5
"""Share of the faults of nodes and cluster that strike when there is work."""
SILENTLY: Final = 0.5
"""Share of the truncations that refuse nobody's position, as when a topic comes back from an old copy."""
LOOK_US: Final = SECOND
"""Between two looks at what must always hold."""
SETTINGS: Final = Settings(
    snapshot_every_records=12,
    snapshot_every_seconds=6,
    in_flight_max=20,
    mark_interval_ms=2_000,
    reconcile_seconds=4,
    break_grace_seconds=3,
)
"""Small bounds, so that they are met; and intervals that leave time for other things."""
RunnerType = Callable[..., Runner[Any]]


class Broken(Exception):
    """Something that must hold does not."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


class Cluster:
    """One run."""

    services: ClassVar[Sequence[Service[Any]]]
    registry: ClassVar[Sequence[Topic]] = ALL
    runner_type: ClassVar[RunnerType] = Runner
    most: ClassVar[Mapping[str, int]] = {}
    """Services of which there are not so many instances as the plan says."""
    settings: Settings = SETTINGS

    def __init__(self, seed: int, plan: Plan, verbose: bool = False) -> None:
        self.seed, self.plan, self.verbose = seed, plan, verbose
        self.seen: Counter[str] = Counter()
        """What happened how often: a suite that never meets a rare state proves nothing."""
        self.chance = Random(seed ^ 0xC0FFEE)
        self.broker = SimBroker(seed, self.registry, plan.network)
        self.troubled = True
        self.calm_since_us: int | None = None
        self.frozen = False
        """A node is frozen in the middle of its work; one at a time."""
        self.gaps: list[TapeGap] = []
        self.truncated: list[Part] = []
        self.silently = False
        """Nobody was told of it: no position is refused as such."""
        self.nodes = [
            Node(self, service.name, f"{service.name}{n}", partial(self.run_loop, service))
            for service in self.services
            for n in range(min(plan.nodes, self.most.get(service.name, plan.nodes)))
        ]
        owned = [Part(s.owns.name, p) for s in self.services for p in range(s.owns.partitions)]
        by_topic = {service.owns.name: service for service in self.services}
        self.tapes = {part: Tape(part, by_topic[part.topic]) for part in owned}
        self._unowned_us: dict[tuple[str, int], int] = {}
        self._armed: list[str] = []
        """Faults that wait for work to come."""

    # -- what a subclass says --------------------------------------------------------------------------------

    def effects(self, node: Node, simulated: loop.Process, runner: Runner[Any]) -> Effects:
        """Effects of a new process."""
        raise NotImplementedError

    def begin(self) -> None:
        """The run begins: what goes on beside the nodes."""

    def quiet(self) -> None:
        """Faults have stopped, and inputs too."""

    def still_missing(self) -> str:
        """What must still happen before the audit; empty when nothing."""
        raise NotImplementedError

    def read_on(self) -> None:
        """Take what has come on the tapes since."""
        for tape in self.tapes.values():
            tape.read_on(self.broker)

    def look(self) -> None:
        """What must hold at any moment. Raises Broken."""

    def audit(self) -> None:
        """What must hold in the end. Raises Broken."""
        raise NotImplementedError

    # -- processes -------------------------------------------------------------------------------------------

    def run_loop(self, service: Service[Any], node: Node) -> Process:
        """A new process of a service."""
        configured = self.settings.model_copy(update={"instance": node.name})
        simulated = node.simulated = loop.Process(self.broker, node.name, self.seed, node.clock)
        simulated.ended = partial(node.failed, simulated)
        node.log = self.broker.log(node.name, configured.session_timeout_ms, node.clock)
        node.runner = self.runner_type(service, node.log, configured)
        node.runner.effects = self.effects(node, simulated, node.runner)
        return RunLoop(node.log, simulated, node.runner)

    def pace_us(self) -> int:
        """How long a turn takes."""
        return between(self.chance, *self.plan.pace_us) if self.troubled else MS

    def downtime_us(self) -> int:
        """How long a crashed process stays away."""
        return int(10 ** self.chance.uniform(5, 7.2)) if self.troubled else 100 * MS

    def later(self, after_us: int, action: Callable[[], Any]) -> None:
        """Let something happen after a while."""
        self.broker.at(self.broker.now_us + after_us, action)

    def gap(self, node: Node, gap: TapeGap) -> None:
        """A process found that records are missing: it must only where some are. Raises Broken."""
        self.say(f"{node.name} ends: {gap}")
        if not self.truncated:
            raise Broken("a gap only where records are missing", str(gap))
        self.gaps.append(gap)

    def gather(self, node: Node) -> None:
        """Add a process's counters to what was seen."""
        if node.runner is not None:
            self.seen.update(node.runner.counts)

    def say(self, what: str) -> None:
        """Tell what happens, when asked to."""
        if self.verbose:
            print(f"{self.broker.now_us / SECOND:10.6f}  {what}")

    # -- the run ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Raises Broken."""
        with loop.simulated():
            self._run()

    def _run(self) -> None:
        try:
            self._trouble()
            self._calm_down()
            if self.truncated:
                self._check_detected()
            else:
                self.audit()
        except TapeGap as gap:
            if not self.truncated:
                raise Broken("a gap only where records are missing", str(gap)) from gap
            self._detected()
        except AssertionError as broken:
            where = traceback.format_tb(broken.__traceback__)[-1].strip()
            raise Broken("the code's own assertions", f"{broken} {where}") from broken
        for node in self.nodes:
            self.gather(node)
        self.seen["void record on the tape"] += sum(tape.void_count for tape in self.tapes.values())
        self.seen["void takeover"] += sum(tape.void_begans for tape in self.tapes.values())

    def _trouble(self) -> None:
        self.begin()
        for node in self.nodes:
            node.start()
        for kind, rate in self.plan.events.items():
            self._again(kind, rate)
        if self.plan.kind == "truncation":
            self.later(LEAST_US + self.chance.randrange(SECOND // 2), self._truncate)
        self._look_again()
        self._advance(int(self.plan.seconds * SECOND))
        self.troubled = False

    def _advance(self, by_us: int) -> None:
        until_us = self.broker.now_us + by_us
        while self.broker.now_us < until_us and not self.gaps:
            self.broker.advance(min(LOOK_US, until_us - self.broker.now_us))

    def poisson(self, per_second: float, action: Callable[[], Any]) -> None:
        """Let something happen so often, as long as there is trouble."""
        if self.troubled:
            wait_us = int(self.chance.expovariate(per_second) * SECOND)
            self.later(wait_us, partial(self._poisson, per_second, action))

    def _poisson(self, per_second: float, action: Callable[[], Any]) -> None:
        if self.troubled:
            action()
            self.poisson(per_second, action)

    def _again(self, kind: str, rate: float) -> None:
        def happen() -> None:
            if self.chance.random() < AMID_WORK:
                self._armed.append(kind)
            else:
                self._strike(kind)

        self.poisson(rate, happen)

    def work_comes(self) -> None:
        """Clients ask for something: the faults that waited for it strike while it is being done, or soon after."""
        armed, self._armed = self._armed, []
        for kind in armed:
            self.later(int(10 ** self.chance.uniform(3, 6)), partial(self._strike, kind))

    def _strike(self, kind: str) -> None:
        if self.troubled:
            self.say(kind)
            self.seen[kind] += 1
            getattr(self, f"_{kind}")(self.chance.choice(self.nodes))

    def _calm_down(self) -> None:
        """Faults stop; everything must be answered before long, and stay so for a second."""
        self.say("quiet")
        self.broker.faults = CALM
        self.broker.heal()
        for node in self.nodes:
            node.heal()
        self.quiet()
        began_us, calm = self.broker.now_us, 0
        self.calm_since_us = began_us
        while (calm < 2 or self.broker.now_us < LEAST_US) and not self.gaps:
            seconds = (self.broker.now_us - began_us) // SECOND
            if not calm and seconds > QUIET_SECONDS and seconds > self.quiet_seconds():
                raise Broken("all is answered once faults have stopped", f"after {seconds} s: {self._missing()}")
            self._advance(LOOK_US)
            calm = 0 if self._missing() else calm + 1

    def quiet_seconds(self) -> int:
        """How long what is missing may take once faults have stopped."""
        return QUIET_SECONDS

    def _missing(self) -> str:
        """What must still happen as the tape stands now: what began after the last look is waited for as well."""
        if not self.truncated:
            self.read_on()
        return self._unsettled() or self.still_missing()

    def _unsettled(self) -> str:
        """Empty when every partition has exactly one owner, and nobody waits for a report."""
        runners = [(node.service, node.runner) for node in self.nodes if node.runner is not None]
        owned = Counter((name, p) for name, runner in runners for p in runner.partitions())
        in_flight = sum(runner.gauges()["in_flight"] for _, runner in runners)
        wanted = {(service.name, p) for service in self.services for p in range(service.owns.partitions)}
        if owned.keys() == wanted and max(owned.values()) == 1 and not in_flight:
            return ""
        return f"owners: {sorted(owned.items())}, {in_flight} records in flight"

    # -- faults, by the names of the plan --------------------------------------------------------------------

    def _crash(self, node: Node) -> None:
        node.crash(self.downtime_us())

    def _crash_in_mid_work(self, node: Node) -> None:
        node.crash_in_mid_work(self.chance.randrange(12))

    def _blackout(self, node: Node) -> None:
        for each in self.nodes:
            each.crash(self.downtime_us())

    def _pause(self, node: Node) -> None:
        node.pause(int(10 ** self.chance.uniform(5, 7.3)), suspend=False)

    def _suspend(self, node: Node) -> None:
        node.pause(int(10 ** self.chance.uniform(5, 7.3)), suspend=True)

    def _freeze_in_mid_work(self, node: Node) -> None:
        node.freeze_in_mid_work(self.chance.randrange(12), int(10 ** self.chance.uniform(5.5, 7.3)))

    def _stop(self, node: Node) -> None:
        node.stop(self.chance.randint(100 * MS, 3 * SECOND))

    def _rebalance(self, node: Node) -> None:
        if node.service in self.broker.groups:
            if any(n.runner is not None and n.runner.gauges()["in_flight"] for n in self.nodes):
                self.seen["rebalance with records in flight"] += 1
            self.broker.rebalance(self.broker.groups[node.service])

    def _double(self, node: Node) -> None:
        group = self.broker.groups.get(node.service)
        if group is not None and node.name in group.members:
            partition = self.chance.choice(sorted(group.holders))
            group.double(partition, node.name, self.chance.randint(SECOND, 6 * SECOND), self.chance.random() < 0.5)

    def _elect(self, node: Node) -> None:
        part = self.chance.choice(sorted(self.tapes))
        self.broker.elect(part, self.chance.randint(10 * MS, 2 * SECOND))

    def _outage(self, node: Node) -> None:
        self.broker.outage(int(10 ** self.chance.uniform(5, 7.2)))

    def _cut_off(self, node: Node) -> None:
        if node.log is not None:
            node.log.cut_off(int(10 ** self.chance.uniform(5, 7.3)), replies_only=False)

    def _lose_replies(self, node: Node) -> None:
        if node.log is not None:
            node.log.cut_off(int(10 ** self.chance.uniform(5, 7.0)), replies_only=True)

    def _clock(self, node: Node) -> None:
        """A clock jumps and drifts, until something sets it right. It does not run ahead by more than seconds: what
        is sent has a deadline by the clock of whoever decided it, and no doubt is resolved before that."""
        jump_us = self.chance.choice((-3600, -300, -5, -1, 1, 4)) * SECOND
        node.clock.jump(jump_us)
        self.later(int(10 ** self.chance.uniform(5.5, 7)), partial(node.clock.jump, -jump_us))

    def _truncate(self) -> None:
        """Records that somebody who lives has read are lost, as by an unclean election: what nobody remembers nobody
        can miss, and an owner forgets what it wrote as it steps down. A reader that had read further finds its position
        refused, or does not (a topic restored from an old copy)."""
        full = [part for part in sorted(self.tapes) if self.broker.partition(part).shown > 4]
        if not full:
            self.later(SECOND, self._truncate)
            return
        part = self.chance.choice(full)
        partition = self.broker.partition(part)
        count = partition.end - partition.shown + self.chance.randint(1, 4)
        if not any(log.has_read(part, partition.end - count) for log in self.broker.logs):
            self.later(SECOND, self._truncate)
            return
        self.silently = self.chance.random() < SILENTLY
        self.say(f"{part} loses {count} records{' silently' * self.silently}")
        self.truncated.append(part)
        self.broker.truncate(part, count, self.silently)

    def _check_detected(self) -> None:
        if not self.gaps:
            raise Broken("lost records are detected", f"{self.truncated[0]} lost records, and nobody noticed")
        self._detected()

    def _detected(self) -> None:
        self.seen["silent truncation detected" if self.silently else "truncation detected"] += 1

    # -- what always holds -----------------------------------------------------------------------------------

    def _look_again(self) -> None:
        """Every second: each owned partition read on by an independent reader, and its writers live."""
        if not self.truncated:
            self.read_on()
            self._watch()
            self.look()
        self.later(LOOK_US, self._look_again)

    def _watch(self) -> None:
        """A partition whose holder is well must be owned by it again before long."""
        for node in self.nodes:
            group = self.broker.groups.get(node.service)
            member = group.members.get(node.name) if group else None
            if group is None or member is None or node.runner is None:
                for partition in group.holders if group is not None else ():
                    self._unowned_us.pop((node.name, partition), None)
                continue
            held = member.view if node.healthy() and not member.log.cut() and not self.frozen else set()
            for partition in held - node.runner.partitions():
                self._unowned(node, partition)
            for partition in group.holders:
                if partition not in held or partition in node.runner.partitions():
                    self._unowned_us.pop((node.name, partition), None)

    def _unowned(self, node: Node, partition: int) -> None:
        key, now_us = (node.name, partition), self.broker.now_us
        topic = next(service.owns.name for service in self.services if service.name == node.service)
        if self.broker.reachable_us(Part(topic, partition)) > now_us:
            self._unowned_us.pop(key, None)
        elif now_us - self._unowned_us.setdefault(key, now_us) > UNOWNED_SECONDS * SECOND:
            what = f"{node.name} lives and was given partition {partition}, but does not own it"
            raise Broken("a live holder owns its partition", what)

    # -- what a run leaves -----------------------------------------------------------------------------------

    def digests(self, node: Node) -> dict[int, Any]:
        """What the loop answers to a request for digests, accounts included."""
        request = DigestRequest(threading.Event(), {}, True)
        assert node.log is not None and node.runner is not None
        node.log.offer(request)
        node.runner.turn(0.0)
        return request.found

    def digest(self) -> str:
        """SHA-256 of all that was written, and when it ended: equal runs are equal to the bit."""
        found = hashlib.sha256(str(self.broker.now_us).encode())
        for topic in self.registry:
            for partition in range(topic.partitions):
                for record in self.broker.records(Part(topic.name, partition)):
                    found.update(b"%d" % record.offset + (record.key or b"") + (record.value or b""))
        return found.hexdigest()
