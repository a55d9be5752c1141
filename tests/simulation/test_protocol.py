"""The tape protocol, every interleaving: the right one is safe and recovers, each planted bug is found."""

import pytest

from tests.simulation.checker import Outcome, search
from tests.simulation.liveness import Recovery
from tests.simulation.model import Bounds, Model, State
from tests.simulation.planted import PLANTED, PLANTED_AGAINST_LIVENESS


def show(capsys: pytest.CaptureFixture[str], what: str, outcome: Outcome) -> None:
    """Print state counts and time even when the test passes."""
    with capsys.disabled():
        print(f"\n  {what}: {outcome}")


@pytest.mark.parametrize(
    ("bounds", "least"),
    [(Bounds(2, length=7, inputs=3, faults=1), 125_000), (Bounds(3, length=5, inputs=2, faults=1), 15_000)],
    ids=str,
)
def test_every_interleaving_is_safe_and_recovers(
    bounds: Bounds, least: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Safety in every state; and from every state, once faults stop, each writer left alone answers everything."""
    model = Model(bounds)
    outcome = search(model, visit=Recovery(model))
    show(capsys, f"{bounds.writers} writers to length {bounds.length}", outcome)
    assert not outcome.violation, "\n".join((outcome.violation, *outcome.trace))
    assert max(map(len, model.views)) >= bounds.length
    assert outcome.states > least, "the search has become smaller than it was: is something no longer reachable?"


def test_more_faults_change_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Three faults in a shorter log."""
    outcome = search(Model(Bounds(2, length=5, inputs=2, faults=3)))
    show(capsys, "three faults", outcome)
    assert not outcome.violation, "\n".join((outcome.violation, *outcome.trace))


@pytest.mark.parametrize("name", PLANTED)
def test_planted_bug_is_found(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Within the bounds in which the right protocol passes, each wrong one fails."""
    outcome = search(PLANTED[name](Bounds()))
    show(capsys, name, outcome)
    assert outcome.violation
    assert outcome.trace


@pytest.mark.parametrize("name", PLANTED_AGAINST_LIVENESS)
def test_planted_bug_against_liveness_is_found(name: str) -> None:
    """A protocol that is safe by doing nothing is not good enough."""
    model = PLANTED_AGAINST_LIVENESS[name](Bounds(length=4))
    assert not search(model).violation
    model = PLANTED_AGAINST_LIVENESS[name](Bounds(length=4))
    assert "without faults" in search(model, visit=Recovery(model)).violation


def test_the_reduced_search_reaches_what_single_steps_reach() -> None:
    """Takeover as one step and decisions made at once lose no log and no effect: shown by doing without, once."""
    bounds = Bounds(2, length=4, inputs=2, faults=1)
    assert reached(Model(bounds)) == reached(Model(bounds, fine=True))


def reached(model: Model) -> set[tuple[object, int]]:
    """Every (log, effects) that a search reaches, in names that two searches share."""
    found: set[tuple[object, int]] = set()

    def visit(state: State) -> None:
        names: dict[int, int] = {}
        found.add((tuple(spell(model, record, names) for record in state.log), state.acted))

    assert not search(model, visit).violation
    return found


def spell(model: Model, record: int, names: dict[int, int]) -> object:
    """A record without the ids that depend on the order of discovery; writers are counted as they come."""
    row = model.rows[record]
    writer = names.setdefault(row.writer, len(names))
    return (writer, *row[1:4], tuple(spell(model, before, names) for before in model.states[row.basis]))
