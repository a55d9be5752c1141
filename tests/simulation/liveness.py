"""From every reachable state in which faults stop, one live, assigned writer answers every input.

The other writers are silent from then on, but what dead producers had sent may still arrive, at any moment or never.
One more input comes, so that a zombie cannot pass for an owner by having nothing left to do.
"""

import copy
from typing import Any

from tests.simulation.model import Beginning, Idle, Model, Owner, State, Violation, put

STEPS_MAX = 60
Key = tuple[Any, ...]


class Recovery:
    """Judges states of one model; a `visit` of the search."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.calm = copy.copy(model)
        self.calm.bounds = model.bounds._replace(inputs=model.bounds.inputs + 1, length=1 << 30)
        self.calm.fine = False
        self.good: set[Key] = set()

    def __call__(self, state: State) -> None:
        """Raises Violation when some writer of this state could be left without success."""
        for w in range(len(state.writers)):
            others = tuple(writer if w == at else Idle() for at, writer in enumerate(state.writers))
            self._follow(state._replace(writers=others, faults=0, acted=0), w, 0)

    def _follow(self, state: State, w: int, depth: int) -> None:
        key = self._key(state, w)
        if key in self.good:
            return
        if depth > STEPS_MAX:
            raise Violation(f"writer {w} is still at {state.writers[w]} after {STEPS_MAX} steps without faults")
        after = self._own_step(state, w)
        if after is not None:
            self._follow(after, w, depth + 1)
            for sender, packets in enumerate(state.late):
                if packets:
                    self._follow(self.calm.late_arrives(state, sender), w, depth + 1)
        self.good.add(key)

    def _key(self, state: State, w: int) -> Key:
        """All of a state that its future depends on: numbers relative to the log's end, instead of its history."""
        end, view, writer = len(state.log), self.calm.view(state.log), state.writers[w]
        late = tuple(tuple(self._packet(record) for record in packets) for packets in state.late)
        if isinstance(writer, Owner):
            pipe = tuple((*self._packet(record), offset - end if offset >= 0 else 0) for record, offset in writer.pipe)
            mine: Key = (writer.epoch, writer.sequence, writer.in_place - end, writer.position, pipe)
        elif isinstance(writer, Beginning):
            read = self.calm.view(state.log[: writer.offset + 1])
            mine = (self._packet(writer.began), writer.offset >= 0, writer.offset - end, read[0], read[2:])
        else:
            mine = (bool(writer.kept),)
        return view.place, view.answered, late, mine

    def _packet(self, record: int) -> Key:
        return self.calm.rows[record][1:4]

    def _own_step(self, state: State, w: int) -> State | None:
        """What this writer does next when all goes well; None when everything is answered and confirmed."""
        calm, writer = self.calm, state.writers[w]
        if isinstance(writer, Idle):
            return put(state, w, calm.begin(w, state.log, len(state.log), writer.kept))
        if isinstance(writer, Beginning):
            arrived = writer.offset >= 0
            return calm.began_reported(state, w, writer) if arrived else calm.began_arrives(state, w, writer)
        return self._owner_step(state, w, writer)

    def _owner_step(self, state: State, w: int, owner: Owner) -> State | None:
        calm = self.calm
        filled = calm.filled(w, owner)
        if filled is not None and filled != owner:
            return put(state, w, filled)
        if not owner.pipe:
            self._check_answered(state, w)
            return None
        if owner.pipe[0][1] < 0:
            return calm.arrives(state, w, owner)
        return calm.reported(state, w, owner)[0]._replace(faults=0, acted=0)

    def _check_answered(self, state: State, w: int) -> None:
        answered, wanted = self.calm.view(state.log).answered, self.calm.bounds.inputs
        if answered != wanted:
            raise Violation(f"writer {w} has nothing left to do, but {answered} of {wanted} inputs are answered")
