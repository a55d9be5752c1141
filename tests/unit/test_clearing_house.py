"""docs/clearing-house.md holds the tables that the code uses."""

import re
from pathlib import Path

import pytest

from services.clearing.closeout import auction, deleveraging
from services.clearing.otc import affirmation
from truetape.default import calls, porting
from truetape.default.porting import REFUSALS
from truetape.default.waterfall import LAYERS
from truetape.transitions import Transitions

TESTS = Path(__file__).resolve().parents[1]
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "clearing-house.md").read_text()


@pytest.mark.parametrize(
    "table",
    [calls.TRANSITIONS, affirmation.TRANSITIONS, porting.TRANSITIONS, auction.TRANSITIONS, deleveraging.TRANSITIONS],
    ids=["calls", "trades", "porting", "auction", "deleveraging"],
)
def test_the_page_has_the_tables_of_the_code(table: Transitions) -> None:
    assert table.markdown() in PAGE, "put Transitions.markdown() into docs/clearing-house.md"


def test_the_page_names_a_test_for_each_of_fourteen_failures() -> None:
    rows = PAGE.split("## What went wrong elsewhere")[1].split("\n## ")[0].splitlines()
    rows = [row for row in rows if row.startswith("| ")][1:]
    assert len(rows) == 14
    for row in rows:
        named = re.findall(r"`(test_\w+\.py): (test_\w+)`", row)
        assert named, row
        for file, name in named:
            assert any(f"def {name}(" in path.read_text() for path in TESTS.rglob(file)), f"{file}: {name}"


def test_the_page_names_every_layer_in_order_and_every_refusal() -> None:
    places = [PAGE.index(f"| {number} {layer} |") for number, layer in enumerate(LAYERS, 1)]
    assert places == sorted(places)
    assert all(reason in PAGE for reason in REFUSALS)
