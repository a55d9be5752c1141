"""Accounts in distress under seeded faults: calls, liquidations, auctions, defaults and rounds lose, double and invent
nothing, whatever crashes."""

import os
import shutil
from pathlib import Path

import pytest

from tests.simulation import distress_rare
from tests.simulation.distress import DistressSystem
from tests.simulation.simulate import decode_once, run_until_met
from tests.simulation.test_contracts import added_up, booked
from truetape import messages as m

SEEDS = int(os.environ.get("TRUETAPE_DISTRESS_SEEDS", "60"))


def test_distress_survives_every_fault() -> None:
    """Every invariant under every seed; the seeds of test_system.py have distress too, one in twenty."""
    total = run_until_met(range(SEEDS), distress_rare.missing, DistressSystem)
    failures = [f"seed {one.seed}: {one.failure}" for one in total.failures]
    assert not failures, "\n".join(failures[:5])
    assert total.seen["liquidation restored margin"] and total.seen["call ended in default"]
    assert distress_rare.missing(total.seen) == []


@pytest.mark.skipif(not shutil.which("hledger"), reason="hledger is not installed: scripts/setup")
@pytest.mark.parametrize(
    ("seed", "met", "is_deleveraged"),
    [
        (37, {"auction", "insurance_fund", "defaulter_margin", "house_capital", "mutual_fund"}, False),
        (4, {"assessment", "defaulter_fund", "defaulter_margin"}, False),
        (9, {"haircut", "liquidation_fee"}, True),
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
