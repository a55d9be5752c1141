"""The stage that scenarios share, and which of them run where: a subset in `make test`, all in `make chaos`."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.chaos.books import Books, opened
from tests.chaos.stage import Stage


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `only_make_chaos` unless TRUETAPE_CHAOS=all says otherwise; the shared stage last, so
    that it does not run beside systems of others' own."""
    here = Path(__file__).parent
    mine = [item for item in items if here in item.path.parents]
    items[:] = [item for item in items if item not in mine] + sorted(mine, key=_on_the_stage)
    for item in mine:
        item.add_marker(pytest.mark.integration)
        item.add_marker(pytest.mark.chaos)
    if _all():
        return
    left_out = [item for item in mine if item.get_closest_marker("only_make_chaos")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _all() -> bool:
    return os.environ.get("TRUETAPE_CHAOS") == "all"


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
