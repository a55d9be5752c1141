"""One partition of one service folded again from its first record, compared wherever something claims to know it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from truetape import snapshots
from truetape.audit.difference import Check, Difference, between
from truetape.audit.live import LivePartition
from truetape.audit.merge import Given
from truetape.messages import Began
from truetape.service import Service
from truetape.tape import START, Place
from truetape.topics import key_of

NONE, EQUAL, DIFFERS, DAMAGED, BEYOND = "none", "equal", "differs", "damaged", "beyond the tape"


@dataclass(slots=True)
class Fold:
    """The state that the tape gives, and what it was compared with so far."""

    service: Service[Any]
    partition: int
    snapshot: snapshots.Kept | None = None
    claim: LivePartition | None = None
    """What the live service said; None when it did not answer, or once it was compared."""
    snapshot_verdict: str = NONE
    live_verdict: str = NONE
    place: Place = START
    broken: bool = False
    """Whether evolve refused a record: nothing after it is folded."""
    state: Any = None
    differences: list[Difference] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = self.service.initial()
        self.meet()

    @property
    def where(self) -> str:
        """Name of this partition in differences."""
        return f"{self.service.name}/{self.partition}"

    def take(self, given: Given) -> None:
        """Apply one accepted record, then compare what stands at exactly this place."""
        if self.broken:
            return
        meta = given.message.meta
        if isinstance(given.message, Began):
            self.place = Place(meta.epoch, 0)
        else:
            self._evolve(given)
            if self.broken:
                return
            self.place = Place(meta.epoch, meta.sequence)
        if self.snapshot is not None and given.offset >= self.snapshot.offset:
            self._compare_snapshot(given.offset)
        self.meet()

    def _evolve(self, given: Given) -> None:
        try:
            self.state = self.service.evolve(self.state, given.message)
        except Exception as error:  # Whatever it is, no service can be restored from here: that is the finding.
            self.broken = True
            what = f"{type(given.message).__name__} at offset {given.offset}"
            why = f"{type(error).__name__}: {error}"
            self.differences.append(Difference("tape", self.where, key_of(given.message), "the fold", what, why))

    def meet(self) -> None:
        """Compare with the live service when the fold stands where it stood."""
        claim = self.claim
        if claim is not None and self.place == (claim.epoch, claim.sequence):
            self.claim = None
            equal = claim.digest == self.digest()
            self.live_verdict = EQUAL if equal else DIFFERS
            if not equal:
                self.differences += between("live", self.where, self.accounts(), claim.accounts, elsewhere=True)

    def passed(self) -> bool:
        """Whether the live service's place is behind us: it has begun a new epoch since it answered."""
        return self.claim is not None and self.place > (self.claim.epoch, self.claim.sequence)

    def digest(self) -> str:
        """Digest of the state as it stands."""
        return snapshots.digest(self.state)

    def accounts(self) -> dict[str, Any]:
        """The state cut by account, as plain values."""
        return plain(self.service.accounts(self.state))

    def end(self, end: int) -> Iterator[Difference]:
        """What was not reached at the end of the partition, an offset, and all that differed before."""
        if self.snapshot is not None and not self.broken:
            self.snapshot_verdict = BEYOND
            at = f"offset {self.snapshot.offset}, epoch {self.snapshot.place.epoch}"
            yield self._missing("snapshot", end, f"a snapshot at {at}, sequence {self.snapshot.place.sequence}")
        if self.claim is not None and not self.passed() and not self.broken:
            self.live_verdict = BEYOND
            yield self._missing("live", end, f"the service at epoch {self.claim.epoch}, sequence {self.claim.sequence}")
        yield from self.differences

    def _compare_snapshot(self, offset: int) -> None:
        kept, self.snapshot = self.snapshot, None
        assert kept is not None
        if (offset, self.place) != (kept.offset, kept.place):
            self.snapshot_verdict = DIFFERS
            claimed = f"epoch {kept.place.epoch}, sequence {kept.place.sequence} at offset {kept.offset}"
            found = f"epoch {self.place.epoch}, sequence {self.place.sequence} at offset {offset}"
            self.differences.append(Difference("snapshot", self.where, "", "its place", found, claimed))
            return
        equal = snapshots.pack(self.state) == kept.state
        self.snapshot_verdict = EQUAL if equal else DIFFERS
        if not equal:
            self.differences += self._between_states(kept.state)

    def _between_states(self, packed: bytes) -> Iterator[Difference]:
        try:
            state = msgspec.msgpack.decode(packed, type=self.service.state_type)
        except msgspec.MsgspecError as error:
            yield Difference("snapshot", self.where, "", "the state", "a state", f"no state: {error}")
            return
        other = plain(self.service.accounts(state))
        yield from between("snapshot", self.where, self.accounts(), other, elsewhere=True)

    def _missing(self, check: Check, end: int, other: str) -> Difference:
        tape = (
            f"offset {end} is the first that is missing, after epoch {self.place.epoch}, sequence {self.place.sequence}"
        )
        return Difference(check, self.where, "", "records that are no longer on the tape", tape, other)


def plain(accounts: dict[str, Any]) -> dict[str, Any]:
    """A service's accounts as they travel in JSON: keys become strings."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(accounts))
    return found
