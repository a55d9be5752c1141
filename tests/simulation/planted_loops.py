"""Run loops with one bug each, for the seeded simulation to find."""

from collections.abc import Mapping
from typing import Any

from truetape.happenings import Part, Report, Revoked
from truetape.messages import ParkedRecord
from truetape.restore import Restored, Restorer
from truetape.runner import Runner
from truetape.service import NoEffects
from truetape.tape import Doubt, Ownership, Place, Reader


class ReportsNotChecked(Runner[Any]):
    """Whatever a report says, the record is taken to be in place."""

    def _confirm(self, report: Report) -> None:
        own = report.token
        if isinstance(own, Ownership):
            report = report._replace(offset=own.in_place + 1)
        super()._confirm(report)


class PositionsFromGroup(Runner[Any]):
    """Inputs resume where the group's committed offsets say."""

    def _follow(self, own: Ownership[Any]) -> None:
        committed: Mapping[Part, int] = self.log._group.committed  # type: ignore[attr-defined]
        own.positions = {str(part): offset for part, offset in committed.items() if part.partition == own.partition}
        super()._follow(own)


class NoStepDown(Runner[Any]):
    """Doubt is ignored."""

    def _step_down(self, reason: str) -> None:
        self.counts["step_downs"] += 1


class NotRetaken(Runner[Any]):
    """After a step-down the partition waits for the next assignment, which nobody owes it."""

    def _retake(self) -> None:
        self._retake_at = None


class ActsAtOnce(Runner[Any]):
    """Effects follow the decision, not its report."""

    def _write(self, own: Ownership[Any], event: Any, value: bytes, parked: ParkedRecord | None) -> None:
        super()._write(own, event, value, parked)
        self.effects.act(own.partition, event)

    def _confirm(self, report: Report) -> None:
        effects = self.effects
        if isinstance(report.token, Ownership):
            self.effects = NoEffects()
        try:
            super()._confirm(report)
        finally:
            self.effects = effects


class MemoryKept(Runner[Any]):
    """A partition that is taken over again keeps the state and positions that it had in memory."""

    def _forget(self, partitions: frozenset[int]) -> None:
        kept = self.__dict__.setdefault("kept", {})
        kept.update({p: self._owned[p] for p in partitions if p in self._owned})
        super()._forget(partitions)

    def _begin(self, restored: Restored[Any], offset: int | None) -> None:
        former = self.__dict__.get("kept", {}).get(restored.partition)
        super()._begin(restored, offset)
        if former is not None:
            self._owned[restored.partition].state = former.state


class RevocationIgnored(Runner[Any]):
    """What was handed out once is kept."""

    def _take(self, happening: Any) -> None:
        if not isinstance(happening, Revoked):
            super()._take(happening)


class InputsNotJudged(Runner[Any]):
    """Void records of the topic that is read are inputs like any other."""

    def _follow(self, own: Ownership[Any]) -> None:
        super()._follow(own)
        for part in self._readers:
            self._readers[part] = AcceptsAll(*part)


class AcceptsAll(Reader):
    """No rule at all."""

    def accept(self, message: Any, offset: int) -> bool:
        return True


class SnapshotsAhead(Runner[Any]):
    """A snapshot is written before the reports of what it holds."""

    def _snapshot(self, own: Ownership[Any], now: float) -> None:
        super()._snapshot(own, now)
        clock = self._clocks.get(own.partition)
        if clock is not None and clock.waiting is not None:
            in_place = own.in_place
            own.in_place += len(own.pending)
            self._publish(own, clock)
            own.in_place = in_place


class BeganBelieved(Restorer[Any]):
    """The report of Began is enough: nothing is read back."""

    def own(self, restored: Restored[Any], began_offset: int | None) -> Ownership[Any]:
        if began_offset is None:
            raise Doubt("no offset")
        place = Place(restored.reader.place.epoch + 1, 0)
        return Ownership(restored.partition, restored.state, place, began_offset, restored.positions)


class BeganJudgedByPlace(Restorer[Any]):
    """Read back to the right place instead of the right verdict: a rival's Began of the same epoch looks alike."""

    def own(self, restored: Restored[Any], began_offset: int | None) -> Ownership[Any]:
        try:
            return super().own(restored, began_offset)
        except Doubt:
            if began_offset is None or restored.reader.place.sequence != 0:
                raise
            return Ownership(
                restored.partition, restored.state, restored.reader.place, began_offset, restored.positions
            )


class RestoreStopsEarly(Restorer[Any]):
    """The end is taken for the last offset instead of one past it."""

    def restore(self, partitions: list[int]) -> dict[int, Restored[Any]]:
        found = super().restore(partitions)
        for restored in found.values():
            restored.end += 1
        return found


def with_restorer(restorer: type[Restorer[Any]]) -> type[Runner[Any]]:
    """A run loop with another takeover."""

    class Planted(Runner[Any]):
        def __post_init__(self) -> None:
            super().__post_init__()
            self._restorer = restorer(self.service, self.log, self.settings)

    return Planted
