"""Bugs by name, for the exhaustive check to find: each is one plausible misreading of the protocol."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from tests.simulation.model import Beginning, Bounds, Idle, Log, Model, Owner, State, put
from truetape.restore import Restored
from truetape.tape import Place, Verdict, judge


def judge_ignoring_epochs(last: Place, epoch: int, sequence: int, began: bool) -> Verdict:
    """Sequences alone."""
    if began or sequence == last.sequence + 1:
        return Verdict.ACCEPT
    return Verdict.VOID if sequence <= last.sequence else Verdict.GAP


def judge_taking_equal_epochs(last: Place, epoch: int, sequence: int, began: bool) -> Verdict:
    """A second Began of the same epoch counts as well."""
    return Verdict.ACCEPT if began and epoch == last.epoch else judge(last, epoch, sequence, began)


class OffsetsNotChecked(Model):
    """Any report with an offset is a good one."""

    def confirm(self, owner: Owner) -> Owner:
        return owner._replace(in_place=owner.pipe[0][1], pipe=owner.pipe[1:])


class BeganBelieved(Model):
    """The report of Began is enough: nothing is read back."""

    def _own(self, log: Log, writer: Beginning) -> Owner:
        restored = self.restore(log, writer.end)
        position = restored.positions.get("input/0", 0)
        epoch = self.rows[writer.began].epoch
        return Owner(epoch, 0, writer.offset, position, self.state_id(restored.state), ())


class BeganJudgedByPlace(Model):
    """Read back, but to the right place instead of the right verdict: a rival's Began looks the same."""

    def _own(self, log: Log, writer: Beginning) -> Owner | None:
        epoch = self.rows[writer.began].epoch
        own = super()._own(log, writer)
        if own is not None or self.view(log).place != Place(epoch, 0):
            return own
        view = self.view(log)
        return Owner(epoch, 0, writer.offset, view.answered, view.state, ())


class RestoreStopsEarly(Model):
    """The end is taken for the last offset instead of one past it."""

    def restore(self, log: Log, end: int) -> Restored[Any]:
        found = super().restore(log, max(0, end - 1))
        found.end = end
        return found


class SequenceNotRestarted(Model):
    """The first record of an epoch continues its predecessor's numbers."""

    def _own(self, log: Log, writer: Beginning) -> Owner | None:
        own = super()._own(log, writer)
        before = self.view(log[: writer.offset]).place.sequence
        return own and own._replace(sequence=before)


class MemoryKept(Model):
    """After a step-down the partition is begun anew with the state that was in memory."""

    def stepped_down(self, owner: Owner) -> Idle:
        return Idle((owner._replace(pipe=()),))

    def own(self, log: Log, writer: Beginning, committed: int) -> Owner | None:
        own = super().own(log, writer, committed)
        if own is None or not writer.kept:
            return own
        return own._replace(state=writer.kept[0].state, position=writer.kept[0].position)


class ResumesAtCommitted(Model):
    """Inputs start where the group's committed offset says."""

    def own(self, log: Log, writer: Beginning, committed: int) -> Owner | None:
        own = super().own(log, writer, committed)
        return own and own._replace(position=committed)

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        for w, writer in enumerate(state.writers):
            if isinstance(writer, Owner) and writer.position != state.committed:
                yield f"{w}: commits {writer.position}", state._replace(committed=writer.position)
        yield from super().steps(state)


class ActsBeforeReport(Model):
    """Effects follow the write, not the report."""

    def arrives(self, state: State, w: int, owner: Owner) -> State:
        record = next(record for record, offset in owner.pipe if offset < 0)
        after = super().arrives(state, w, owner)
        return after._replace(acted=self.act(after, record, len(state.log)))

    def act_on_report(self, state: State, record: int, offset: int) -> int:
        return state.acted


class MissingOffsetBelieved(Model):
    """A report without an offset is taken for success: the next offset is assumed."""

    def _owner_steps(self, state: State, w: int, owner: Owner, room: bool) -> Iterator[tuple[str, State]]:
        yield from super()._owner_steps(state, w, owner, room)
        if state.faults and owner.pipe and owner.pipe[0][1] < 0:
            record, assumed = owner.pipe[0][0], owner.in_place + 1
            after = put(state, w, owner._replace(in_place=assumed, pipe=owner.pipe[1:]))
            yield (
                f"{w}: unknown report",
                after._replace(acted=self.act(state, record, assumed), faults=state.faults - 1),
            )


class EpochNotRaised(Model):
    """Began repeats the epoch that was restored: safe, since void, but nobody ever owns the partition."""

    def begin(self, w: int, log: Log, end: int, kept: tuple[Owner, ...]) -> Beginning:
        right = super().begin(w, log, end, kept)
        row = self.rows[right.began]
        return right._replace(began=self.record(row._replace(epoch=max(1, row.epoch - 1))))


PLANTED: Final[Mapping[str, Callable[[Bounds], Model]]] = {
    "reader ignores epochs": partial(Model, judge=judge_ignoring_epochs),
    "delivery offsets not checked": OffsetsNotChecked,
    "Began believed without reading it back": BeganBelieved,
    "restore stops one record early": RestoreStopsEarly,
    "sequence not restarted": SequenceNotRestarted,
    "step-down keeps memory": MemoryKept,
    "inputs resume at the committed group offset": ResumesAtCommitted,
    "own Began judged by place, not by verdict": BeganJudgedByPlace,
    "reader takes a second Began of an epoch": partial(Model, judge=judge_taking_equal_epochs),
    "effect before the report": ActsBeforeReport,
    "report without an offset believed": MissingOffsetBelieved,
}
"""What breaks safety."""

PLANTED_AGAINST_LIVENESS: Final[Mapping[str, Callable[[Bounds], Model]]] = {"epoch not raised": EpochNotRaised}
"""What keeps a partition without a writer."""
