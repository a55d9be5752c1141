"""Writers are alike: of all states of a model that differ by the names of writers alone, the search looks at one.

A record remembers who wrote it, so that a state is renamed with everything in it: its log, what is under way, and the
histories that decisions were made on.
"""

from itertools import permutations
from typing import Any

from tests.simulation.model import Beginning, Idle, Log, Model, Owner, State, Writer

Names = tuple[int, ...]
"""The new name of each writer."""


class Symmetry:
    """Renames the writers of one model's states."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._records: dict[tuple[int, Names], int] = {}
        self._histories: dict[tuple[int, Names], int] = {}

    def one_of(self, state: State) -> State:
        """The same state for all that are alike."""
        signs = [self._sign(*pair) for pair in zip(state.writers, state.late, strict=True)]
        ranked = sorted(signs)
        orders = [order for order in permutations(range(len(signs))) if [signs[w] for w in order] == ranked]
        return min(self._arranged(state, order) for order in orders)

    def _sign(self, writer: Writer, late: Log) -> tuple[Any, ...]:
        """What can be said of a writer without any writer's name; of equal length and kinds where it begins alike."""
        packets = tuple(self.model.rows[record][1:4] for record in late)
        if isinstance(writer, Owner):
            return 2, packets, *writer[:4], tuple(offset for _, offset in writer.pipe)
        if isinstance(writer, Beginning):
            return 1, packets, writer.end, writer.offset, len(writer.kept)
        return 0, packets, len(writer.kept)

    def _arranged(self, state: State, order: tuple[int, ...]) -> State:
        """The writers in this order, and named by it."""
        if order == tuple(range(len(order))):
            return state
        names = tuple(order.index(w) for w in range(len(order)))
        return state._replace(
            log=self._log(state.log, names),
            writers=tuple(self._writer(state.writers[w], names) for w in order),
            late=tuple(self._log(state.late[w], names) for w in order),
        )

    def _writer(self, writer: Writer, names: Names) -> Writer:
        if isinstance(writer, Owner):
            return self._owner(writer, names)
        kept = tuple(self._owner(owner, names) for owner in writer.kept)
        if isinstance(writer, Beginning):
            return writer._replace(began=self._record(writer.began, names), kept=kept)
        return Idle(kept)

    def _owner(self, owner: Owner, names: Names) -> Owner:
        pipe = tuple((self._record(record, names), offset) for record, offset in owner.pipe)
        return owner._replace(state=self._history(owner.state, names), pipe=pipe)

    def _log(self, log: Log, names: Names) -> Log:
        return tuple([self._record(record, names) for record in log])

    def _record(self, record: int, names: Names) -> int:
        found = self._records.get((record, names))
        if found is None:
            row = self.model.rows[record]
            renamed = row._replace(writer=names[row.writer], basis=self._history(row.basis, names))
            found = self._records[record, names] = self.model.record(renamed)
        return found

    def _history(self, state: int, names: Names) -> int:
        found = self._histories.get((state, names))
        if found is None:
            found = self._histories[state, names] = self.model.state_id(self._log(self.model.states[state], names))
        return found
