"""Two toy services in a row on a simulated cluster, and what must hold in the end.

`python -m tests.simulation.world --seed N` repeats a run and says what happened.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from tests.simulation import toys
from tests.simulation.cluster import Broken, Cluster, Node, RunnerType
from tests.simulation.command import repeat
from tests.simulation.swarm import plan_of
from truetape.codec import Message, decode, encode
from truetape.errors import SchemaError
from truetape.happenings import Part, Record
from truetape.messages import CancelAllOrders, CreditUpdated, RequestTransfer
from truetape.runner import Runner
from truetape.service import Service
from truetape.simbroker import CALM
from truetape.topics import MARKET_MARKS

MARKS_PER_SECOND = 20
GARBAGE = b"\x00\x00\x00\x00\x01 not Avro"


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
    node: Node

    def act(self, partition: int, event: Message) -> None:
        meta = event.meta  # type: ignore[attr-defined]
        act = Act(self.node.service.name, partition, meta.epoch, meta.sequence, meta.event_id, self.node.name)
        self.world.acts.append(act)

    def resume(self, partition: int, state: Any) -> None:
        self.world.seen["takeover"] += 1

    def release(self, partition: int) -> None:
        self.world.seen["release"] += 1


class World(Cluster):
    """One run of the toys."""

    services = (toys.FIRST, toys.SECOND)
    topics = (toys.COMMANDS, MARKET_MARKS)

    def __init__(self, seed: int, runner_type: RunnerType = Runner, verbose: bool = False) -> None:
        super().__init__(seed, plan_of(seed), runner_type, verbose)
        self.acts: list[Act] = []
        self.inputs = self.marks = 0

    def effects(self, node: Node, runner: Runner[Any]) -> Acts:
        return Acts(self, node)

    def load(self, step_us: int) -> None:
        if self.happens(self.plan.inputs_per_second, step_us):
            burst = self.chance.randint(2, 10) if self.chance.random() < 0.2 else 1
            for _ in range(burst):
                self.ask()
        if self.happens(MARKS_PER_SECOND, step_us):
            self.broker.produce(Part(MARKET_MARKS.name, 0), b"", encode(toys.mark(self.marks)))
            self.marks += 1

    def ask(self) -> None:
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

    def still_missing(self) -> str:
        for partition in range(toys.PARTITIONS):
            for service, questions in zip(self.services, self._questions(partition), strict=True):
                answers = self.events(service, partition)
                if len(answers) < len(questions):
                    return f"{service.name}/{partition}: {len(answers)} answers to {len(questions)} inputs"
        return ""

    # -- the audit -------------------------------------------------------------------------------------------

    def audit(self) -> None:
        """Every input answered exactly once, in order, from the right state; effects of accepted records, once."""
        for partition in range(toys.PARTITIONS):
            for service, questions in zip(self.services, self._questions(partition), strict=True):
                if wrong := difference(self.events(service, partition), questions):
                    raise Broken(f"{service.name}/{partition}: {wrong}")
                self._check_effects(service, partition)

    def _questions(self, partition: int) -> "tuple[list[Question], list[Question]]":
        """What the two services must have answered."""
        records = self.broker.records(Part(toys.COMMANDS.name, partition))
        first = [asked for record in records if (asked := question(record)) is not None]
        credits = [(o, m) for o, m in self.accepted(toys.FIRST, partition) if isinstance(m, CreditUpdated)]
        return first, [Question(o, "OrderNotRouted", m.account_id, m.changes[0].amount_e8) for o, m in credits]

    def _check_effects(self, service: Service[Any], partition: int) -> None:
        place = {(event.meta.epoch, event.meta.sequence): event for event in self.events(service, partition)}
        acts = [act for act in self.acts if (act.service, act.partition) == (service.name, partition)]
        for act in acts:
            event = place.get((act.epoch, act.sequence))
            if event is None or event.meta.event_id != act.event_id:
                raise Broken(f"effect without an accepted record: {act}")
        twice = [name for name, count in Counter(act.event_id for act in acts).items() if count > 1]
        if twice:
            raise Broken(f"effects that happened twice: {twice}")
        if self.calm() and len(acts) != len(place):
            raise Broken(f"{len(place)} events, {len(acts)} effects, although nothing went wrong")

    def calm(self) -> bool:
        """Whether this run has no faults at all."""
        return not self.plan.events and self.plan.network == replace(CALM, late_packets=0.0)


class Question(NamedTuple):
    """An input that must be answered, with what kind, and what it adds to which account's sum."""

    offset: int
    answer: str
    account: str = ""
    term: int = 0


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


def sum_of(answer: Any) -> int:
    """The running sum that an answer holds."""
    return answer.changes[0].amount_e8 if isinstance(answer, CreditUpdated) else int(answer.reason)


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


if __name__ == "__main__":
    repeat(World)
