"""Breadth-first search through everything that writers of one partition can do, within small bounds."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

from tests.simulation.model import Bounds, Idle, Model, State, Violation
from tests.simulation.symmetry import Symmetry
from truetape import tape


@dataclass(frozen=True)
class Outcome:
    """What a search found."""

    bounds: Bounds
    states: int
    steps: int
    logs: int
    seconds: float
    violation: str = ""
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        found = f"violation after {len(self.trace)} steps: {self.violation}" if self.violation else "no violation"
        return f"{self.states} states, {self.steps} steps, {self.logs} logs, {self.seconds:.1f} s: {found}"


def start(bounds: Bounds) -> State:
    """An empty log, and writers that know nothing."""
    return State((), (Idle(),) * bounds.writers, ((),) * bounds.writers, 0, bounds.faults)


def search(model: Model, visit: Callable[[State], None] = lambda state: None) -> Outcome:
    """Breadth first through every reachable state; ends at the first violation, with the shortest way to it.

    A step's label names writers as the state does that it leaves (symmetry.py)."""
    began = time.perf_counter()
    first, symmetry = start(model.bounds), Symmetry(model)
    came: dict[State, tuple[State, str] | None] = {first: None}
    todo, steps = deque([first]), 0
    violation = ""
    trace: tuple[str, ...] = ()
    with planted(model):
        while todo and not violation:
            state = todo.popleft()
            label = "looking"
            try:
                visit(state)
                for label, after in model.steps(state):
                    steps += 1
                    one = symmetry.one_of(after)
                    if one not in came:
                        model.view(one.log)
                        came[one] = (state, label)
                        todo.append(one)
            except Violation as found:
                violation, trace = str(found), (*way(came, state), label)
    return Outcome(model.bounds, len(came), steps, len(model.views), time.perf_counter() - began, violation, trace)


@contextmanager
def planted(model: Model) -> Iterator[None]:
    """Let the real code see the model's messages and its reader's rule, which a planted bug may have replaced."""
    readable = mock.patch("truetape.restore.readable", lambda record: record.value)
    with readable, mock.patch.object(tape, "judge", model.judge):
        yield


def way(came: Mapping[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    """The steps from the start to a state."""
    labels = []
    while (link := came[state]) is not None:
        state, label = link
        labels.append(label)
    return tuple(reversed(labels))
