"""The stage that scenarios share, their loads, and which of them run where: some in `make test`, all in `make chaos`.

Every test of a scenario takes `trial`, and runs once for each load: for all of them in `make chaos`, for one in
`make test`, where each scenario has the next one and a seed says who begins, so that every run meets all loads.
TRUETAPE_CHAOS_LOADS names them instead, or says `turn` for one each in `make chaos` too. Tests that share a system run
by load, idle first: it is started once, and its tape, which the criterion reads whole, grows last.

TRUETAPE_CHAOS_SCENARIOS=6,8 leaves out all but these, TRUETAPE_CHAOS_RESUME=1 what this code has passed by the report.
"""

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.chaos.books import Books, opened
from tests.chaos.catalogue import NUMBERS, REPORT, Trial, code, numbers, shown, trials
from tests.chaos.load import LEVELS, Level, levels
from tests.chaos.scenario import drawn
from tests.chaos.stage import Stage

IN_TURN = "turn"
_turns = itertools.count(drawn())
_words = os.environ.get("TRUETAPE_CHAOS_LOADS", "")
_named: tuple[Level, ...] = levels(_words) if _words not in ("", IN_TURN) else ()
_wanted = numbers(os.environ.get("TRUETAPE_CHAOS_SCENARIOS") or ",".join(NUMBERS))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each scenario once for each of its loads."""
    if "trial" in metafunc.fixturenames:
        found = trials(metafunc.function.__name__, _loads(metafunc.definition))
        metafunc.parametrize("trial", found, ids=[trial.load for trial in found])


def _loads(test: pytest.Item) -> tuple[Level, ...]:
    if _named:
        return _named
    if _words != IN_TURN and (_all() or test.get_closest_marker("only_make_chaos")):
        return LEVELS
    return (LEVELS[next(_turns) % len(LEVELS)],)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not wanted: by its number, by the report, or as `only_make_chaos` unless TRUETAPE_CHAOS=all.

    Order: the shared stage last, so that it does not run beside systems of others' own; by file where each has its own;
    by load.
    """
    here = Path(__file__).parent
    mine = [item for item in items if here in item.path.parents]
    items[:] = [item for item in items if item not in mine] + sorted(mine, key=_order)
    for item in mine:
        item.add_marker(pytest.mark.integration)
        item.add_marker(pytest.mark.chaos)
    done = shown(REPORT.read_text().splitlines(), code()) if _resumes() and REPORT.exists() else set()
    left_out = [item for item in mine if not _runs(item, done)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _all() -> bool:
    return os.environ.get("TRUETAPE_CHAOS") == "all"


def _resumes() -> bool:
    return os.environ.get("TRUETAPE_CHAOS_RESUME", "") not in ("", "0")


def _runs(item: pytest.Item, done: set[Trial]) -> bool:
    if item.get_closest_marker("only_make_chaos") and not _all():
        return False
    if (trial := _trial(item)) is None:
        return len(_wanted) == len(NUMBERS)
    return trial.number in _wanted and trial not in done


def _trial(item: pytest.Item) -> Trial | None:
    called = getattr(item, "callspec", None)
    found = called.params.get("trial") if called is not None else None
    return found if isinstance(found, Trial) else None


def _order(item: pytest.Item) -> tuple[bool, str, int]:
    own = _all() or "stage" not in getattr(item, "fixturenames", ())
    trial = _trial(item)
    return _on_the_stage(item), str(item.path) if own else "", LEVELS.index(trial.load) if trial else -1


def _on_the_stage(item: pytest.Item) -> bool:
    return "stage" in getattr(item, "fixturenames", ())


def _scope(fixture_name: str, config: pytest.Config) -> Literal["package", "module"]:
    return "module" if _all() else "package"


@pytest.fixture(scope=_scope)
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One running system for all scenarios that can share it; see Stage for what each must leave behind.

    A new one for each file when all run: the criterion reads the whole tape after each scenario.
    """
    with Stage.open(tmp_path_factory.mktemp("chaos")) as found:
        yield found


@pytest.fixture(scope="module")
def books() -> Iterator[Books]:
    """A small system of its own for what soils or destroys a tape; each test leaves it whole."""
    with tempfile.TemporaryDirectory(prefix="truetape-") as folder, opened(Path(folder)) as found:
        yield found
