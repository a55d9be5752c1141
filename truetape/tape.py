"""The tape protocol: the reader's rule and the writer's bookkeeping, free of I/O.

Everyone who reads an owned topic applies `judge`; everyone who writes one keeps an `Ownership` per partition.
Why this is exactly-once without Kafka transactions: docs/decisions/0001-no-kafka-transactions.md.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Generic, NamedTuple, TypeVar

from truetape.errors import BrokerUnavailable, TapeGap, TopicMissing
from truetape.messages import Began, Meta

S = TypeVar("S")


class Verdict(Enum):
    """What the reader's rule says of a record."""

    ACCEPT = "accept"
    VOID = "void"
    GAP = "gap"


class Place(NamedTuple):
    """Epoch and sequence of the last record accepted on a partition."""

    epoch: int = 0
    sequence: int = 0


START: Final = Place()


def judge(last: Place, epoch: int, sequence: int, began: bool) -> Verdict:
    """The reader's rule. Higher epochs begin with Began; sequences rise by one; the rest is void or a gap."""
    if began:
        return Verdict.ACCEPT if epoch > last.epoch else Verdict.VOID
    if epoch < last.epoch or (epoch == last.epoch and sequence <= last.sequence):
        return Verdict.VOID
    if epoch == last.epoch and sequence == last.sequence + 1:
        return Verdict.ACCEPT
    return Verdict.GAP


@dataclass(slots=True)
class Reader:
    """Applies the rule to one partition of an owned topic. With joining=True it takes the first record as it is:
    for readers that need only the newest state and start in the middle."""

    topic: str
    partition: int
    place: Place = START
    joining: bool = False
    void_count: int = 0
    stray_count: int = 0
    """Bytes passed over that are no record of the topic."""
    doubtful: int | None = None
    """Offset of bytes that claim to be the owner's next record and cannot be read, until that record itself comes."""

    def accept(self, message: Any, offset: int) -> bool:
        """True when the record counts, False when it is void; raises TapeGap when records are missing."""
        meta: Meta = message.meta
        began = isinstance(message, Began)
        verdict = judge(self.place, meta.epoch, meta.sequence, began)
        if verdict is Verdict.GAP and not self.joining:
            raise self._gap(meta, offset)
        if verdict is Verdict.VOID:
            self.joining = False
            self.void_count += 1
            return False
        if began and not self.joining:
            self.assert_proven()
        self.joining, self.doubtful = False, None
        self.place = Place(meta.epoch, 0 if began else meta.sequence)
        return True

    def stray(self, claimed: Place | None, offset: int) -> None:
        """Pass over bytes that are no record of the topic. Whatever the owner wrote begins with its place, so bytes
        that do not claim the next one are a stranger's or void. Should some others hide a true record, the next record
        shows the gap. Those that do claim it may be a newer version's: they stay in doubt until the owner's own record
        of that place proves them false."""
        self.stray_count += 1
        if claimed == (self.place.epoch, self.place.sequence + 1) and not self.joining and self.doubtful is None:
            self.doubtful = offset

    def assert_proven(self) -> None:
        """Before a new epoch begins: raises TapeGap when bytes in doubt may be the owner's last record."""
        if self.doubtful is not None:
            raise TapeGap(
                f"{self.topic}/{self.partition} at offset {self.doubtful}: these bytes claim to be the owner's record "
                f"of epoch {self.place.epoch} sequence {self.place.sequence + 1}, and this version cannot read them. "
                "Was a newer version of the owner running? Run that version or a later one here, then go on."
            )

    def _gap(self, meta: Meta, offset: int) -> TapeGap:
        return TapeGap(
            f"{self.topic}/{self.partition} at offset {offset}: expected epoch {self.place.epoch} sequence "
            f"{self.place.sequence + 1} or a Began, found epoch {meta.epoch} sequence {meta.sequence}. Records are "
            "missing: check for truncation, an unclean leader election, retention or a wrongly restored topic, and "
            "restore the topic before anything reads on."
        )


class Doubt(Exception):
    """A delivery report was not what it must be: the writer no longer knows where it stands, and steps down."""


PASSING: Final = (Doubt, BrokerUnavailable, TopicMissing)
"""What makes a writer forget, and take over again. A broker that is away, or just back and without its topics (they
were there at our start), is no reason to end: the process has nothing wrong with it."""


@dataclass(slots=True, eq=False)
class Ownership(Generic[S]):
    """One partition that this process owns: its folded state and what of it is not yet known to be in place.

    `place` counts what was written, `in_place` is the offset of the last own record whose report was right.
    """

    partition: int
    state: S
    place: Place
    in_place: int
    positions: dict[str, int]
    """Next offset of each input, by "topic/partition": one past the highest cause."""
    pending: deque[Any] = field(default_factory=deque)
    settled: bool = False
    """Whether the state was asked for what is due since it was restored: whatever changes it asks again itself."""

    def advance(self, meta: Meta) -> None:
        """An own record was written: the next sequence, and its cause is answered."""
        assert meta.epoch == self.place.epoch and meta.sequence == self.place.sequence + 1
        self.place = Place(meta.epoch, meta.sequence)
        answered(self.positions, meta)

    def confirm(self, offset: int | None) -> Any:
        """The oldest pending record's report came: it must say the next offset. Returns what was pending."""
        if offset is None or not self.pending or offset != self.in_place + 1:
            raise Doubt(f"partition {self.partition}: report says offset {offset}, expected {self.in_place + 1}")
        self.in_place = offset
        return self.pending.popleft()


def answered(positions: dict[str, int], meta: Meta) -> None:
    """Move the input's position past the cause of an own record."""
    cause = meta.cause
    if cause.offset >= 0:
        key = f"{cause.source}/{cause.partition}"
        if cause.offset >= positions.get(key, 0):
            positions[key] = cause.offset + 1
