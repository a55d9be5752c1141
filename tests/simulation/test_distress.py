"""Accounts in distress under seeded faults: calls, liquidations, auctions, defaults and rounds lose, double and invent
nothing, whatever crashes."""

import os
import shutil
from pathlib import Path

import pytest

from tests.simulation import distress_rare
from tests.simulation.distress import DistressSystem
from tests.simulation.simulate import decode_once, run_many, total_of
from tests.simulation.test_contracts import added_up, booked
from truetape import messages as m

SEEDS = int(os.environ.get("TRUETAPE_DISTRESS_SEEDS", "60"))
ENOUGH = 60
"""So many seeds meet every rare situation of distress."""


def test_distress_survives_every_fault() -> None:
    """Every invariant under every seed; the seeds of test_system.py have distress too, one in twenty."""
    total = total_of(run_many(range(SEEDS), world=DistressSystem))
    failures = [f"seed {one.seed}: {one.failure}" for one in total.failures]
    assert not failures, "\n".join(failures[:5])
    assert total.seen["liquidation restored margin"] and total.seen["call ended in default"]
    if SEEDS >= ENOUGH:
        assert [name for name in distress_rare.JUDGED if not total.seen[name]] == []


@pytest.mark.skipif(not shutil.which("hledger"), reason="hledger is not installed: scripts/setup")
@pytest.mark.parametrize(
    ("seed", "met", "is_deleveraged"),
    [
        (8, {"auction", "insurance_fund", "defaulter_margin", "house_capital", "mutual_fund"}, False),
        (10, {"assessment", "defaulter_fund", "defaulter_margin"}, False),
        (13, {"haircut", "liquidation_fee"}, True),
    ],
)
def test_hledger_reproduces_a_day_of_defaults(seed: int, met: set[str], is_deleveraged: bool, tmp_path: Path) -> None:
    """Liquidations, auctions, the waterfall and deleveraging: hledger adds up clearing's own balances."""
    decode_once()
    system = DistressSystem(seed)
    system.run()
    assert added_up(system, tmp_path / "day.journal") == booked(system) != {}
    assert met <= {line.purpose for _, entry in system.evidence.entries for line in entry.lines}
    assert system.answers(m.LiquidationChanged) and system.answers(m.DefaultChanged)
    assert any(one.change == "TAKEN" for one in system.answers(m.DeleveragingChanged)) == is_deleveraged
