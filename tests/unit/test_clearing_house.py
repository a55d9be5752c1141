"""docs/clearing-house.md holds the tables that the code uses."""

from pathlib import Path

import pytest

from services.clearing import affirmation, auction
from truetape.default import calls, porting
from truetape.default.porting import REFUSALS
from truetape.default.waterfall import LAYERS
from truetape.transitions import Transitions

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "clearing-house.md").read_text()


@pytest.mark.parametrize(
    "table",
    [calls.TRANSITIONS, affirmation.TRANSITIONS, porting.TRANSITIONS, auction.TRANSITIONS],
    ids=["calls", "trades", "porting", "auction"],
)
def test_the_page_has_the_tables_of_the_code(table: Transitions) -> None:
    assert table.markdown() in PAGE, "put Transitions.markdown() into docs/clearing-house.md"


def test_the_page_names_every_layer_in_order_and_every_refusal() -> None:
    places = [PAGE.index(f"| {number} {layer} |") for number, layer in enumerate(LAYERS, 1)]
    assert places == sorted(places)
    assert all(reason in PAGE for reason in REFUSALS)
