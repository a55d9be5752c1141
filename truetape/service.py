"""What a service is: its pure core, the topics it reads, and its effects. The loop that runs it is runner.py.

decide(state, input) -> event | None     one input, one decision, at most one record
evolve(state, event) -> state            the only place where state changes
act(partition, event)                    after the event's delivery report was right
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from msgspec import Struct

from truetape import ids
from truetape.codec import Message
from truetape.happenings import Report
from truetape.marks import Marks
from truetape.messages import Cause, Meta
from truetape.reference import Reference
from truetape.tape import Doubt
from truetape.topics import Topic

S = TypeVar("S")
DUE = "due"
"""Source of the inputs that the state itself asks for."""


class Tables(Struct):
    """What every instance reads whole beside its inputs: reference data and marks."""

    reference: Reference
    marks: Marks
    reference_offset: int = -1
    """Offset of the last reference event applied; -1 before the first."""
    instruments_since: dict[str, int] = {}
    """By instrument, the offset of the reference event that first defined it."""
    views: Any = None
    """What a service's own sessions see now (the router's books), given to decide as data."""


class Tick(Struct, frozen=True):
    """A timer input: it is at_us now."""

    at_us: int


class Input(Struct, frozen=True, gc=False):
    """One input of a decision, with all that the decision may know."""

    message: Any
    """A record of an input topic, a report of a venue session, or a Tick."""
    cause: Cause
    at_us: int
    """Time of the decision, microseconds UTC."""
    owns: str
    epoch: int
    sequence: int
    """Epoch and sequence that the event will have."""
    tables: Tables
    partition: int = 0
    """The owned partition that decides."""

    def meta(self, correlation_id: str) -> Meta:
        """The first field of the event that answers this input."""
        return Meta(
            self.epoch, self.sequence, self.cause, self.at_us, ids.event_id(self.owns, self.cause), correlation_id
        )


@dataclass(frozen=True)
class Sent:
    """Token of a record that effects write to another service's commands: who wants to hear where it stands.

    Called by the loop's thread with the offset; never after the loop stepped down. When that is not known the loop
    steps down, since nothing gets through behind a record that failed: who takes over asks again for what is missing.
    """

    heard: Callable[[int], None]

    def reported(self, report: Report) -> None:
        """Its delivery report has come. Raises Doubt."""
        if report.error or report.offset is None:
            raise Doubt(f"a command on {report.part} is not known to be in place: {report.error}")
        self.heard(report.offset)


class Effects(Protocol):
    """What a service does outside Kafka. Called by the loop's thread; must not block."""

    def act(self, partition: int, event: Message) -> None:
        """The event is on the tape, in place: do what it says."""

    def resume(self, partition: int, state: Any) -> None:
        """This process owns the partition now; state is what its tape says. Take up what was left."""

    def release(self, partition: int) -> None:
        """This process no longer owns the partition: do nothing more for it."""


@runtime_checkable
class Waits(Protocol):
    """Effects that have something of their own to do before the process is ready."""

    def missing(self) -> list[str]:
        """What they wait for; empty when nothing."""


@runtime_checkable
class Measured(Protocol):
    """Effects with something to show beside the loop's own metrics."""

    def gauges(self) -> dict[str, float]:
        """By name, as of now. Asked by the health port's thread."""


@runtime_checkable
class Selective(Protocol):
    """Effects that follow from some events only."""

    def heeds(self, event: Message) -> bool:
        """Whether anything follows from an event. The loop does not keep the others until their report: what held
        them serves the next ones, while the processor's caches still have it."""


def heeds_of(effects: Effects) -> Callable[[Message], bool]:
    """Which events must be kept for these effects; all, unless they say."""
    return effects.heeds if isinstance(effects, Selective) else lambda _: True


class NoEffects:
    """Effects of a service that has none."""

    def heeds(self, event: Message) -> bool:
        """Nothing follows."""
        return False

    def act(self, partition: int, event: Message) -> None:
        """Nothing."""

    def resume(self, partition: int, state: Any) -> None:
        """Nothing."""

    def release(self, partition: int) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Service(Generic[S]):
    """A service: its pure core and what it reads. Everything else is the loop's."""

    name: str
    owns: Topic
    initial: Callable[[], S]
    decide: Callable[[S, Input], Message | None]
    evolve: Callable[[S, Any], S]
    state_type: Any
    inputs: Sequence[Topic] = ()
    """Topics cut as the owned one is: partition p is read with partition p, from explicit positions."""
    tables: bool = False
    """Whether reference.events and market.marks are read whole for Input.tables."""
    tick_seconds: float | None = None
    """Seconds between Tick inputs for each partition; None for no timer."""
    patience_ms: int = 0
    """How long what it reads may wait at the broker for company: for those whom no client waits for."""
    urgent: Sequence[Topic] = ()
    """Of what it reads, what does not wait all the same."""
    effects_wait: bool = False
    """Whether effects may come some hundredths of a second after their record: the loop then needs no threads."""
    halts_account: bool = False
    """Whether an input that is parked halts its account (the ledger)."""
    due: Callable[[S], tuple[str, Any] | None] = field(default=lambda state: None)
    """What the state itself asks for next, under an id that names its cause: decided before any other input of the
    partition, so that a fact which concerns many accounts reaches them at one place of the tape."""
    accounts: Callable[[S], dict[str, Any]] = field(default=lambda state: {})
    """The state cut by account, for the audit to say which account differs in what."""
