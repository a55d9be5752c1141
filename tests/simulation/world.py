"""Several nodes of real run loops on a simulated cluster, under one seed's faults, and what must hold in the end.

`python -m tests.simulation.world --seed N` repeats a run and says what happened.
"""

import argparse
import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

import structlog

from tests.simulation import toys
from tests.simulation.swarm import Plan, plan_of
from truetape import snapshots
from truetape.codec import Message, decode, encode
from truetape.errors import BrokerUnavailable, RestoreTimedOut, SchemaError, TapeGap
from truetape.happenings import Part, Record
from truetape.messages import Began, CancelAllOrders, CreditUpdated, RequestTransfer
from truetape.runner import DigestRequest, Runner
from truetape.service import Service
from truetape.settings import Settings
from truetape.simbroker import CALM, SimBroker
from truetape.simlog import SimLog
from truetape.tape import Reader
from truetape.topics import MARKET_MARKS, PARKED, REFERENCE_EVENTS, Topic, snapshots_of

MS, SECOND = 1_000, 1_000_000
SERVICES: tuple[Service[toys.Sums], ...] = (toys.FIRST, toys.SECOND)
REGISTRY: tuple[Topic, ...] = (
    toys.COMMANDS,
    PARKED,
    MARKET_MARKS,
    REFERENCE_EVENTS,
    *(service.owns for service in SERVICES),
    *(snapshots_of(service.owns) for service in SERVICES),
)
QUIET_SECONDS = 60
UNOWNED_SECONDS = 10
MARKS_PER_SECOND = 20
GARBAGE = b"\x00\x00\x00\x00\x01 not Avro"
RunnerType = Callable[..., Runner[Any]]


class Broken(Exception):
    """An invariant does not hold."""


class Act(NamedTuple):
    """An effect that happened."""

    service: str
    partition: int
    epoch: int
    sequence: int
    event_id: str
    node: str


@dataclass
class Acts:
    """Effects of one process, kept for the audit."""

    world: "World"
    node: "Node"

    def act(self, partition: int, event: Message) -> None:
        meta = event.meta  # type: ignore[attr-defined]
        act = Act(self.node.service.name, partition, meta.epoch, meta.sequence, meta.event_id, self.node.name)
        self.world.acts.append(act)

    def resume(self, partition: int, state: Any) -> None:
        self.world.seen["takeover"] += 1

    def release(self, partition: int) -> None:
        self.world.seen["release"] += 1


@dataclass
class Node:
    """One named instance of a service, and the process that runs it now, if any."""

    world: "World"
    service: Service[Any]
    name: str
    log: SimLog | None = None
    runner: Runner[Any] | None = None
    back_us: int = 0
    """When it starts again after a crash, or goes on after a pause."""
    troubled_us: int = 0
    """When something last went wrong with it."""

    def start(self) -> None:
        """A new process."""
        configured = Settings(instance=self.name, snapshot_every_records=7, snapshot_every_seconds=3, in_flight_max=20)
        self.log = self.world.broker.log(self.name, configured.session_timeout_ms)
        self.runner = self.world.runner_type(self.service, self.log, configured)
        self.runner.effects = Acts(self.world, self)
        self._attempt(self.runner.start)

    def turn(self) -> None:
        """One turn of its loop, unless it is paused, down or inside a blocking call."""
        now_us = self.world.broker.now_us
        if self.log is None or self.log.paused:
            if now_us >= self.back_us:
                self.start() if self.log is None else self.log.resume()
        elif self.log.busy_until_us <= now_us:
            assert self.runner is not None
            runner, steps = self.runner, self.runner.counts["step_downs"]
            self._attempt(lambda: runner.turn(0.0))
            if runner.counts["step_downs"] != steps:
                self.troubled_us = now_us

    def _attempt(self, action: Callable[[], None]) -> None:
        try:
            action()
        except (BrokerUnavailable, RestoreTimedOut) as error:
            self.world.say(f"{self.name} ends: {error}")
            self.world.seen["ended by name"] += 1
            self.crash(self.world.chance.randint(100 * MS, SECOND))

    def crash(self, for_us: int) -> None:
        """Kill the process; it comes back later."""
        if self.log is not None:
            self.log.crash()
            self.world.gather(self)
        self.log = self.runner = None
        self.back_us = self.troubled_us = self.world.broker.now_us + for_us

    def pause(self, for_us: int, suspend: bool) -> None:
        """Stop the process for a while."""
        if self.log is not None and not self.log.paused:
            self.log.pause(suspend)
            self.back_us = self.troubled_us = self.world.broker.now_us + for_us

    def stop(self, for_us: int) -> None:
        """End the process as SIGTERM does, once nothing is in flight."""
        if (
            self.runner is not None
            and self.log is not None
            and not self.log.paused
            and not self.runner.gauges()["in_flight"]
        ):
            self._attempt(self.runner._drain)
            self.crash(for_us)

    def healthy(self) -> bool:
        """Whether it runs and nothing has happened to it."""
        return self.log is not None and not self.log.paused and not self.log.fenced


@dataclass
class World:
    """One run."""

    seed: int
    runner_type: RunnerType = Runner
    verbose: bool = False
    acts: list[Act] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    """What happened how often: a suite that never meets a rare state proves nothing."""

    def __post_init__(self) -> None:
        self.plan: Plan = plan_of(self.seed)
        self.chance = Random(self.seed ^ 0xC0FFEE)
        self.broker = SimBroker(self.seed, REGISTRY, self.plan.network)
        self.nodes = [Node(self, service, f"{service.name}{n}") for service in SERVICES for n in range(self.plan.nodes)]
        self.inputs = self.marks = 0
        self._tapes: dict[Part, Tape] = {}
        self._unowned_us: dict[tuple[str, int], int] = {}

    def say(self, what: str) -> None:
        """Tell what happens, when asked to."""
        if self.verbose:
            print(f"{self.broker.now_us / SECOND:10.6f}  {what}")

    def gather(self, node: Node) -> None:
        """Add a process's counters to what was seen."""
        if node.runner is not None:
            self.seen.update(node.runner.counts)

    # -- the run ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Faults, quiet, audit. Raises Broken."""
        try:
            self._trouble()
            self._quiet()
        except TapeGap as gap:
            raise Broken(f"a gap although nothing was lost: {gap}") from gap
        for node in self.nodes:
            self.gather(node)
        self.seen["void on the tape"] += sum(tape.reader.void_count for tape in self._tapes.values())
        self.seen["void takeovers"] += sum(tape.void_begans for tape in self._tapes.values())

    def _trouble(self) -> None:
        while self.broker.now_us < self.plan.seconds * SECOND:
            step_us = self.chance.randint(MS, 30 * MS)
            self.broker.advance(step_us)
            if self.chance.random() < self.plan.inputs_per_second * step_us / SECOND:
                burst = self.chance.randint(2, 10) if self.chance.random() < 0.2 else 1
                for _ in range(burst):
                    self._input()
            if self.chance.random() < MARKS_PER_SECOND * step_us / SECOND:
                self._mark()
            for kind, rate in self.plan.events.items():
                if self.chance.random() < rate * step_us / SECOND:
                    self.say(kind)
                    getattr(self, f"_{kind}")(self.chance.choice(self.nodes))
            self._turns(0.7)
            if self.chance.random() < 0.1:
                self._watch()

    def _turns(self, share: float) -> None:
        for node in self.nodes:
            if self.chance.random() < share:
                node.turn()

    def _quiet(self) -> None:
        """Faults stop; everything must be answered before long."""
        self.say("quiet")
        self.broker.faults = CALM
        for node in self.nodes:
            node.back_us = min(node.back_us, self.broker.now_us)
        deadline_us = self.broker.now_us + QUIET_SECONDS * SECOND
        wanted = [Expected(self, p) for p in range(toys.PARTITIONS)]
        calm_us = 0
        while calm_us < SECOND:
            if self.broker.now_us > deadline_us:
                raise Broken(f"after {QUIET_SECONDS} s without faults: {self._state(wanted)}")
            self.broker.advance(20 * MS)
            self._turns(1.0)
            self._watch()
            settled = self._settled() and all(expected.met() for expected in wanted)
            calm_us = calm_us + 20 * MS if settled else 0
        self._audit(wanted)

    def _state(self, wanted: "list[Expected]") -> str:
        owned = {n.name: sorted(n.runner.partitions()) for n in self.nodes if n.runner is not None}
        return f"owned: {owned}; " + "; ".join(expected.missing() for expected in wanted)

    def _settled(self) -> bool:
        """Whether every partition has exactly one owner, who waits for no report."""
        runners = [(node.service.name, node.runner) for node in self.nodes if node.runner is not None]
        owned = Counter((name, p) for name, runner in runners for p in runner.partitions())
        in_flight = sum(runner.gauges()["in_flight"] for _, runner in runners)
        return len(owned) == len(SERVICES) * toys.PARTITIONS and max(owned.values()) == 1 and not in_flight

    def _mark(self) -> None:
        """Pricing goes on as if nothing were wrong."""
        self.broker.produce(Part(MARKET_MARKS.name, 0), b"", encode(toys.mark(self.marks)))
        self.marks += 1

    def _input(self) -> None:
        """Mostly a transfer; now and then something that needs no answer, or that must be parked."""
        partition, kind = self.chance.randrange(toys.PARTITIONS), self.chance.random()
        account = f"p{partition}-{self.chance.randrange(2)}"
        self.inputs += 1
        if kind < 0.86:
            value = encode(toys.transfer(self.inputs, account, self.chance.randint(1, 10**9)))
        elif kind < 0.94:
            value = encode(toys.cancel(self.inputs, account))
        else:
            value = encode(toys.cancel_all(self.inputs, account)) if kind < 0.97 else GARBAGE
        self.broker.produce(Part(toys.COMMANDS.name, partition), account.encode(), value)

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
            group.double(self.chance.randrange(toys.PARTITIONS), node.name, self.chance.randint(SECOND, 6 * SECOND))

    def _elect(self, node: Node) -> None:
        part = Part(node.service.owns.name, self.chance.randrange(toys.PARTITIONS))
        self.broker.elect(part, self.chance.randint(10 * MS, 2 * SECOND))

    def _outage(self, node: Node) -> None:
        self.broker.outage(int(10 ** self.chance.uniform(5, 7.2)))

    def _clock(self, node: Node) -> None:
        if node.log is not None:
            node.log.jump_clock(self.chance.randint(-3600 * SECOND, 3600 * SECOND))

    def _stop(self, node: Node) -> None:
        node.stop(self.chance.randint(100 * MS, 3 * SECOND))

    # -- liveness while it happens ---------------------------------------------------------------------------

    def _watch(self) -> None:
        """A partition whose holder is well must be owned by it again before long."""
        for node in self.nodes:
            group = self.broker.groups.get(node.service.name)
            member = group.members.get(node.name) if group else None
            for partition in range(toys.PARTITIONS):
                key = (node.name, partition)
                held = member is not None and partition in member.view and node.healthy()
                owned = node.runner is not None and partition in node.runner.partitions()
                reachable = self.broker.reachable_us(Part(node.service.owns.name, partition)) <= self.broker.now_us
                if not held or owned or not reachable:
                    self._unowned_us.pop(key, None)
                    continue
                since_us = self._unowned_us.setdefault(key, self.broker.now_us)
                if self.broker.now_us - since_us > UNOWNED_SECONDS * SECOND:
                    raise Broken(f"{node.name} lives and was given partition {partition}, but does not own it")

    # -- the audit -------------------------------------------------------------------------------------------

    def accepted(self, service: Service[Any], partition: int) -> list[tuple[int, Any]]:
        """(offset, message) of what counts on an owned partition, Began included, by the reader's rule."""
        part = Part(service.owns.name, partition)
        return self._tapes.setdefault(part, Tape(part)).read_on(self.broker)

    def _audit(self, wanted: "list[Expected]") -> None:
        for expected in wanted:
            expected.check()
        self._check_effects()
        for service in SERVICES:
            for partition in range(toys.PARTITIONS):
                self._check_live(service, partition)

    def _check_effects(self) -> None:
        for service in SERVICES:
            for partition in range(toys.PARTITIONS):
                place = {(m.meta.epoch, m.meta.sequence): m for _, m in self.accepted(service, partition)}
                acts = [act for act in self.acts if (act.service, act.partition) == (service.name, partition)]
                for act in acts:
                    event = place.get((act.epoch, act.sequence))
                    if event is None or event.meta.event_id != act.event_id:
                        raise Broken(f"effect without an accepted record: {act}")
                twice = [name for name, count in Counter(act.event_id for act in acts).items() if count > 1]
                if twice:
                    raise Broken(f"effects that happened twice: {twice}")
                answers = sum(not isinstance(message, Began) for message in place.values())
                if self.calm() and len(acts) != answers:
                    raise Broken(f"{answers} events, {len(acts)} effects, although nothing went wrong")

    def calm(self) -> bool:
        """Whether this run has no faults at all."""
        return (
            not self.plan.events
            and self.plan.network.__dict__.items() <= {**CALM.__dict__, "late_packets": 0.0}.items()
        )

    def _check_live(self, service: Service[Any], partition: int) -> None:
        """One node owns the partition, and its state is the fold of the tape."""
        state = service.initial()
        for _, message in self.accepted(service, partition):
            if not isinstance(message, Began):
                state = service.evolve(state, message)
        owners = [node for node in self.nodes if node.service is service and partition in self.digests(node)]
        if len(owners) != 1:
            raise Broken(f"{service.name}/{partition} is owned by {[node.name for node in owners]}")
        if self.digests(owners[0])[partition]["digest"] != snapshots.digest(state):
            raise Broken(f"{owners[0].name}: the state of partition {partition} is not what its tape says")

    def digests(self, node: Node) -> dict[int, Any]:
        """What the loop answers to a request for digests."""
        request = DigestRequest(threading.Event(), {}, False)
        assert node.log is not None
        assert node.runner is not None
        node.log.offer(request)
        node.runner.turn(0.0)
        return request.found

    def digest(self) -> str:
        """SHA-256 of all that was written and all effects: equal runs are equal to the bit."""
        found = hashlib.sha256()
        for topic in REGISTRY:
            for partition in range(topic.partitions):
                for record in self.broker.records(Part(topic.name, partition)):
                    found.update(repr(record).encode())
        found.update(repr((self.acts, self.broker.now_us)).encode())
        return found.hexdigest()


class Tape:
    """What counts on one owned partition, read by an independent reader."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.reader = Reader(*part)
        self.found: list[tuple[int, Any]] = []
        self.void_begans = 0
        self._next = 0

    def read_on(self, broker: SimBroker) -> list[tuple[int, Any]]:
        """(offset, message) of all that is accepted up to now."""
        for record in broker.records(self.part)[self._next :]:
            message: Any = decode(record.value or b"")
            if self.reader.accept(message, record.offset):
                self.found.append((record.offset, message))
            elif isinstance(message, Began):
                self.void_begans += 1
            self._next = record.offset + 1
        return self.found


class Question(NamedTuple):
    """An input that must be answered, with what kind, and what it adds to which account's sum."""

    offset: int
    answer: str
    account: str = ""
    term: int = 0


@dataclass
class Expected:
    """What both services must have answered on one partition once all is quiet."""

    world: World
    partition: int

    def __post_init__(self) -> None:
        records = self.world.broker.records(Part(toys.COMMANDS.name, self.partition))
        self.first = [found for record in records if (found := question(record)) is not None]

    def met(self) -> bool:
        """Whether as many answers are on the tape as there must be."""
        pairs = zip(SERVICES, self._wanted(), strict=True)
        return all(len(self.answers(service)) >= wanted for service, wanted in pairs)

    def _wanted(self) -> tuple[int, int]:
        return len(self.first), sum(asked.answer == "CreditUpdated" for asked in self.first)

    def missing(self) -> str:
        """How far it is."""
        found, wanted = [len(self.answers(service)) for service in SERVICES], self._wanted()
        return f"partition {self.partition}: {found[0]} of {wanted[0]} and {found[1]} of {wanted[1]} answered"

    def answers(self, service: Service[Any]) -> list[Any]:
        """Each accepted answer, in order."""
        accepted = self.world.accepted(service, self.partition)
        return [message for _, message in accepted if not isinstance(message, Began)]

    def check(self) -> None:
        """Every input answered exactly once, in order, from the right state."""
        credits = [(o, m) for o, m in self.world.accepted(toys.FIRST, self.partition) if isinstance(m, CreditUpdated)]
        second = [Question(o, "OrderNotRouted", m.account_id, m.changes[0].amount_e8) for o, m in credits]
        for service, questions in zip(SERVICES, (self.first, second), strict=True):
            wrong = difference(self.answers(service), questions)
            if wrong:
                raise Broken(f"{service.name}/{self.partition}: {wrong}")


def question(record: Record) -> Question | None:
    """What a command asks for; None when it needs no answer."""
    try:
        command = decode(record.value or b"")
    except SchemaError:
        return Question(record.offset, "InputParked")
    match command:
        case RequestTransfer(transfer=terms):
            return Question(record.offset, "CreditUpdated", terms.account_id, terms.amount_e8)
        case CancelAllOrders():
            return Question(record.offset, "InputParked")
        case _:
            return None


def sum_of(answer: Message) -> int:
    """The running sum that an answer holds."""
    return answer.changes[0].amount_e8 if isinstance(answer, CreditUpdated) else int(answer.reason)  # type: ignore[attr-defined]


def difference(answers: list[Any], questions: list[Question]) -> str:
    """Where answers and questions part; empty when they don't."""
    sums: dict[str, int] = {}
    for at, (answer, asked) in enumerate(zip(answers, questions, strict=False)):
        meta = answer.meta
        if (meta.cause.offset, type(answer).__name__) != (asked.offset, asked.answer):
            return f"answer {at} is {answer}, where {asked} is next"
        if asked.account:
            total = toys.added(sums.get(asked.account, 0), asked.term, meta.decided_at_us)
            if sum_of(answer) != total:
                return f"answer {at} to {asked} saw another history: {sum_of(answer)} instead of {total}"
            sums[asked.account] = total
    return "" if len(answers) == len(questions) else f"{len(answers)} answers to {len(questions)} inputs"


def main() -> None:
    """Repeat runs by seed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, default=1, help="how many seeds from there on")
    parser.add_argument("--quiet", action="store_true", help="print digests only")
    chosen = parser.parse_args()
    if chosen.quiet:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for seed in range(chosen.seed, chosen.seed + chosen.count):
        world = World(seed, verbose=not chosen.quiet)
        world.say(str(world.plan))
        world.run()
        print(seed, world.digest())
        world.say(str(dict(world.seen)))


if __name__ == "__main__":
    main()
