"""Writers that each believe they own one partition: every step that may come next, taken by the real code.

What is under test is the real code: `judge` and `Reader` (the reader's rule), `Restorer` (takeover) and `Ownership`
(bookkeeping). The model around it holds only what Kafka and the run loop do: packets that travel, arrive late or
never, reports, crashes. A state is a tuple of plain values; real objects are built from it for each step.

A *late* packet is one whose sender has crashed or stepped down. It may arrive at any time later, in the order in
which it was sent; one that never arrives is lost, which needs no step of its own. A *fault* is a report without an
offset, which is also what a crash looks like from outside: memory is gone, packets in flight are late.

Steps that nobody else can see are merged: a takeover (restore, Began, report, read on) is one step, and an owner
decides as soon as its pipe has room, for a decision whose packet never arrives is as good as none. With `fine` each
is a step of its own; a test shows that both searches reach the same logs and effects. States that differ by the names
of writers alone are one (symmetry.py).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from truetape import tape, topics
from truetape.errors import TapeGap
from truetape.log import Part, Record
from truetape.messages import Began, Cause, Meta
from truetape.restore import Restored, Restorer
from truetape.service import Service
from truetape.settings import Settings
from truetape.tape import Doubt, Ownership, Place, Reader

OWN = Part(topics.CLEARING_ENTRIES.name, 0)
INPUT = "input"
INPUT_KEY = f"{INPUT}/0"
IN_FLIGHT_MAX = 2

Log = tuple[int, ...]
"""Ids of written records, in order."""
Pipe = tuple[tuple[int, int], ...]
"""(record id, offset) of records without a report yet; offset -1 while the packet travels."""


class Idle(NamedTuple):
    """A writer without memory; it takes over when it likes. `kept` is empty but for a planted bug."""

    kept: "tuple[Owner, ...]" = ()


class Beginning(NamedTuple):
    """Restored up to `end`; its Began travels (offset -1) or has arrived."""

    end: int
    began: int
    offset: int
    kept: "tuple[Owner, ...]" = ()


class Owner(NamedTuple):
    """An `Ownership` as plain values."""

    epoch: int
    sequence: int
    in_place: int
    position: int
    state: int
    pipe: Pipe


Writer = Idle | Beginning | Owner


class State(NamedTuple):
    """Everything that exists at one moment."""

    log: Log
    writers: tuple[Writer, ...]
    late: tuple[Log, ...]
    """Per writer, packets of its last dead producer."""
    acted: int
    """Inputs whose effect has happened, as bits."""
    faults: int
    """Faults still to come."""
    committed: int = 0
    """Input position that the group remembers; used by a planted bug alone."""


class Bounds(NamedTuple):
    """How far to look."""

    writers: int = 2
    length: int = 7
    inputs: int = 3
    faults: int = 1


class Row(NamedTuple):
    """A record as the model knows it; `basis` is the id of the state that its decision saw."""

    writer: int
    epoch: int
    sequence: int
    cause: int
    basis: int


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An event of the model's service."""

    meta: Meta
    record: int


class View(NamedTuple):
    """What an independent reader makes of a log."""

    place: Place
    state: int
    answered: int
    last_accepted: bool


class Violation(Exception):
    """An invariant does not hold."""


def evolve(state: tuple[int, ...], event: Answer) -> tuple[int, ...]:
    """The model service's state is the list of records it was built from: no two histories look alike."""
    return (*state, event.record)


SERVICE: Service[tuple[int, ...]] = Service("model", topics.CLEARING_ENTRIES, tuple, lambda s, i: None, evolve, tuple)


@dataclass
class ModelLog:
    """Gives `Restorer` the records of the model's log."""

    messages: list[Any]
    log: Log = ()
    visible: int = 0

    def ends(self, parts: Iterable[Part]) -> dict[Part, tuple[int, int]]:
        """The own topic as far as it is visible; snapshots are none."""
        return {part: (0, self.visible if part == OWN else 0) for part in parts}

    def read(self, spans: Mapping[Part, tuple[int, int]], timeout_seconds: float) -> Iterator[Record]:
        """Records whose value is the message itself: decoding is not what is checked here."""
        for part, (start, end) in spans.items():
            for offset in range(start, end):
                yield Record(*part, offset, None, self.messages[self.log[offset]], None)


@dataclass
class Model:
    """The steps of the protocol, by the real code. A planted bug overrides one method."""

    bounds: Bounds = field(default_factory=Bounds)
    fine: bool = False
    judge: Callable[[Place, int, int, bool], tape.Verdict] = tape.judge

    def __post_init__(self) -> None:
        self.rows: list[Row] = []
        self.messages: list[Any] = []
        self.ids: dict[Row, int] = {}
        self.states: list[tuple[int, ...]] = [()]
        self.state_ids: dict[tuple[int, ...], int] = {(): 0}
        self.views: dict[Log, View] = {(): View(tape.START, 0, 0, False)}
        self.model_log = ModelLog(self.messages)
        self.restorer: Restorer[Any] = Restorer(SERVICE, self.model_log, Settings())  # type: ignore[arg-type]
        self.restored: dict[Log, Restored[Any]] = {}
        self.owners: dict[tuple[Log, Beginning], Owner | None] = {}

    # -- records ---------------------------------------------------------------------------------------------

    def record(self, row: Row) -> int:
        """Id of a record; its message is made once."""
        found = self.ids.get(row)
        if found is None:
            found = self.ids[row] = len(self.rows)
            cause = Cause(INPUT, 0, row.cause, "")
            meta = Meta(row.epoch, row.sequence, cause, 0, "", "")
            self.rows.append(row)
            self.messages.append(Began(meta, str(row.writer)) if row.sequence == 0 else Answer(meta, found))
        return found

    def state_id(self, state: tuple[int, ...]) -> int:
        """A small number for a folded state."""
        found = self.state_ids.get(state)
        if found is None:
            found = self.state_ids[state] = len(self.states)
            self.states.append(state)
        return found

    # -- the independent reader ------------------------------------------------------------------------------

    def view(self, log: Log) -> View:
        """Fold a log by the reader's rule and check each accepted record. Raises Violation."""
        found = self.views.get(log)
        if found is None:
            found = self.views[log] = self._view(self.view(log[:-1]), log)
        return found

    def _view(self, before: View, log: Log) -> View:
        reader = Reader(*OWN, before.place)
        row = self.rows[log[-1]]
        try:
            accepted = reader.accept(self.messages[log[-1]], len(log) - 1)
        except TapeGap as gap:
            raise Violation(f"a gap although nothing was lost: {gap}") from gap
        if not accepted or row.sequence == 0:
            return View(reader.place, before.state, before.answered, accepted)
        if row.cause != before.answered:
            raise Violation(f"input {row.cause} is answered where input {before.answered} is next")
        if row.basis != before.state:
            raise Violation(f"decided on {self.states[row.basis]}, accepted so far {self.states[before.state]}")
        return View(reader.place, self.state_id((*self.states[before.state], log[-1])), before.answered + 1, True)

    # -- takeover --------------------------------------------------------------------------------------------

    def restore(self, log: Log, end: int) -> Restored[Any]:
        """Step 1: fold own records up to the end that this writer sees, perhaps a stale one."""
        prefix = log[:end]
        if prefix not in self.restored:
            self.model_log.log, self.model_log.visible = prefix, end
            self.restored[prefix] = self.restorer.restore([0])[0]
        found = self.restored[prefix]
        return Restored(0, found.state, Reader(*OWN, found.reader.place), found.end, dict(found.positions))

    def stale_ends(self, log: Log) -> list[int]:
        """Ends that a restore may see: in the reduced search the newest one of each epoch, else all."""
        if self.fine:
            return list(range(len(log) + 1))
        return list({self.view(log[:end]).place.epoch: end for end in range(len(log) + 1)}.values())

    def begin(self, w: int, log: Log, end: int, kept: tuple[Owner, ...]) -> Beginning:
        """Step 2: append Began with the next epoch."""
        epoch = self.restore(log, end).reader.place.epoch + 1
        return Beginning(end, self.record(Row(w, epoch, 0, -1, 0)), -1, kept)

    def own(self, log: Log, writer: Beginning, committed: int) -> Owner | None:
        """Step 3: the report of Began came; read on to it. None when it is void."""
        key = (log[: writer.offset + 1], writer)
        if key not in self.owners:
            self.owners[key] = self._own(log, writer)
        return self.owners[key]

    def _own(self, log: Log, writer: Beginning) -> Owner | None:
        restored = self.restore(log, writer.end)
        self.model_log.log = log
        try:
            return self.packed(self.restorer.own(restored, writer.offset))
        except Doubt:
            return None

    def packed(self, own: Ownership[Any]) -> Owner:
        """An `Ownership` without anything pending as plain values."""
        position = own.positions.get(INPUT_KEY, 0)
        return Owner(own.place.epoch, own.place.sequence, own.in_place, position, self.state_id(own.state), ())

    def unpacked(self, owner: Owner) -> Ownership[Any]:
        """The `Ownership` that these values stand for; `pending` holds record ids."""
        place, pending = Place(owner.epoch, owner.sequence), deque(record for record, _ in owner.pipe)
        return Ownership(0, self.states[owner.state], place, owner.in_place, {INPUT_KEY: owner.position}, pending)

    # -- writing ---------------------------------------------------------------------------------------------

    def decide(self, w: int, owner: Owner) -> Owner:
        """Answer the next input: evolve, advance, send."""
        own = self.unpacked(owner)
        record = self.record(Row(w, owner.epoch, owner.sequence + 1, owner.position, owner.state))
        own.state = SERVICE.evolve(own.state, self.messages[record])
        own.advance(self.messages[record].meta)
        return self.packed(own)._replace(pipe=(*owner.pipe, (record, -1)))

    def filled(self, w: int, owner: Owner | None) -> Owner | None:
        """Unless each step counts by itself, decide as far as the pipe and the inputs reach."""
        while owner and not self.fine and owner.position < self.bounds.inputs and len(owner.pipe) < IN_FLIGHT_MAX:
            owner = self.decide(w, owner)
        return owner

    def confirm(self, owner: Owner) -> Owner | None:
        """The oldest report came with its offset: None when it raises doubt."""
        own = self.unpacked(owner)
        try:
            own.confirm(owner.pipe[0][1])
        except Doubt:
            return None
        return owner._replace(in_place=own.in_place, pipe=owner.pipe[1:])

    def stepped_down(self, owner: Owner) -> Idle:
        """What is left of a writer in doubt: nothing."""
        return Idle()

    def act(self, state: State, record: int, offset: int) -> int:
        """The effect of a record reported at this offset. Raises Violation when it must not happen."""
        log = state.log[: offset + 1]
        if log[-1:] != (record,) or not self.view(log).last_accepted:
            raise Violation(f"effect of a record that does not count, reported at offset {offset}")
        bit = 1 << self.rows[record].cause
        if state.acted & bit:
            raise Violation(f"effect of input {self.rows[record].cause} happened twice")
        return state.acted | bit

    def act_on_report(self, state: State, record: int, offset: int) -> int:
        """The report was right: now the effect may happen."""
        return self.act(state, record, offset)

    # -- steps -----------------------------------------------------------------------------------------------

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        """Everything that can happen next."""
        room = len(state.log) < self.bounds.length
        for w, writer in enumerate(state.writers):
            if room and state.late[w]:
                yield f"{w}: late packet arrives", self.late_arrives(state, w)
            if isinstance(writer, Owner):
                yield from self._owner_steps(state, w, writer, room)
            elif isinstance(writer, Beginning):
                yield from self._beginning_steps(state, w, writer, room)
            else:
                for end in self.stale_ends(state.log):
                    beginning = self.begin(w, state.log, end, writer.kept)
                    if self.fine:
                        yield f"{w}: restores to {end}", put(state, w, beginning)
                    else:
                        yield from self._takeover_steps(state, w, beginning, room)

    def late_arrives(self, state: State, w: int) -> State:
        """The first late packet of a dead producer is written."""
        packet, *rest = state.late[w]
        late = (*state.late[:w], tuple(rest), *state.late[w + 1 :])
        return state._replace(log=(*state.log, packet), late=late)

    def _beginning_steps(self, state: State, w: int, writer: Beginning, room: bool) -> Iterator[tuple[str, State]]:
        if writer.offset < 0:
            if room:
                yield f"{w}: Began arrives", self.began_arrives(state, w, writer)
        else:
            yield f"{w}: Began is reported", self.began_reported(state, w, writer)
        if state.faults:
            lost = (writer.began,) if writer.offset < 0 else ()
            for after in died(state, w, Idle(writer.kept), lost):
                yield f"{w}: Began is in doubt", after

    def _takeover_steps(self, state: State, w: int, writer: Beginning, room: bool) -> Iterator[tuple[str, State]]:
        """Restore, Began and its report as one step, or Began as a late packet."""
        if room:
            arrived = writer._replace(offset=len(state.log))
            after = self.began_reported(self.began_arrives(state, w, writer), w, arrived)
            yield f"{w}: takes over from {writer.end}", after
        if state.faults:
            for after in died(state, w, Idle(writer.kept), (writer.began,)):
                yield f"{w}: crashes after Began from {writer.end}", after

    def began_arrives(self, state: State, w: int, writer: Beginning) -> State:
        """Began is written; its sender does not know yet."""
        after = put(state, w, writer._replace(offset=len(state.log)))
        return after._replace(log=(*state.log, writer.began))

    def began_reported(self, state: State, w: int, writer: Beginning) -> State:
        """Owner now, or start over."""
        return put(state, w, self.filled(w, self.own(state.log, writer, state.committed)) or Idle(writer.kept))

    def _owner_steps(self, state: State, w: int, owner: Owner, room: bool) -> Iterator[tuple[str, State]]:
        if owner.position < self.bounds.inputs and len(owner.pipe) < IN_FLIGHT_MAX:
            yield f"{w}: answers input {owner.position}", put(state, w, self.decide(w, owner))
        unsent = [record for record, offset in owner.pipe if offset < 0]
        if unsent and room:
            yield f"{w}: packet arrives", self.arrives(state, w, owner)
        if owner.pipe and owner.pipe[0][1] >= 0:
            for after in self.reported(state, w, owner):
                yield f"{w}: report of offset {owner.pipe[0][1]}", after
        if state.faults:
            for after in died(state, w, self.stepped_down(owner), tuple(unsent)):
                yield f"{w}: crashes", after

    def arrives(self, state: State, w: int, owner: Owner) -> State:
        """The oldest packet that travels is written."""
        at = next(i for i, (_, offset) in enumerate(owner.pipe) if offset < 0)
        pipe = (*owner.pipe[:at], (owner.pipe[at][0], len(state.log)), *owner.pipe[at + 1 :])
        return put(state, w, owner._replace(pipe=pipe))._replace(log=(*state.log, owner.pipe[at][0]))

    def reported(self, state: State, w: int, owner: Owner) -> list[State]:
        """The oldest report: the effect, or step down."""
        confirmed = self.filled(w, self.confirm(owner))
        if confirmed is not None:
            return [put(state, w, confirmed)._replace(acted=self.act_on_report(state, *owner.pipe[0]))]
        unsent = tuple(record for record, offset in owner.pipe[1:] if offset < 0)
        return died(state._replace(faults=state.faults + 1), w, self.stepped_down(owner), unsent)


def put(state: State, w: int, writer: Writer) -> State:
    """The state with another writer w."""
    return state._replace(writers=(*state.writers[:w], writer, *state.writers[w + 1 :]))


def died(state: State, w: int, writer: Idle, lost: Log) -> list[State]:
    """A fault: packets under way become late. Of two dead producers' packets either may be the one that matters."""
    after = put(state, w, writer)._replace(faults=state.faults - 1)
    if not lost:
        return [after]
    newer = after._replace(late=(*state.late[:w], lost, *state.late[w + 1 :]))
    return [after, newer] if state.late[w] else [newer]
