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
SOUGHT = 200
"""Seeds among which each kind of day must be."""


def test_distress_survives_every_fault() -> None:
    """Every invariant under every seed; the seeds of test_system.py have distress too, one in twenty."""
    total = run_until_met(range(SEEDS), distress_rare.missing, DistressSystem)
    failures = [f"seed {one.seed}: {one.failure}" for one in total.failures]
    assert not failures, "\n".join(failures[:5])
    assert total.seen["liquidation restored margin"] and total.seen["call ended in default"]
    assert distress_rare.missing(total.seen) == []


DAYS = (
    ({"auction", "insurance_fund", "defaulter_margin", "house_capital", "mutual_fund"}, False),
    ({"assessment", "defaulter_fund", "defaulter_margin"}, False),
    ({"haircut", "liquidation_fee"}, True),
    ({"compression"}, False),
)
"""Kinds of days: purposes that are booked, and whether somebody was deleveraged."""


@pytest.mark.skipif(not shutil.which("hledger"), reason="hledger is not installed: scripts/setup")
def test_hledger_reproduces_days_of_defaults(tmp_path: Path) -> None:
    """Liquidations, auctions, the waterfall, deleveraging and claims: hledger adds up clearing's own balances of the
    first day of each kind."""
    decode_once()
    left = list(DAYS)
    for seed in range(SOUGHT):
        system = day(seed)
        if kinds := [one for one in left if fits(system, *one)]:
            assert added_up(system, tmp_path / f"{seed}.journal") == booked(system) != {}
        left = [one for one in left if one not in kinds]
        if not left:
            return
    raise AssertionError(f"no day had {left}")


def day(seed: int) -> DistressSystem:
    system = DistressSystem(seed)
    system.run()
    return system


def fits(system: DistressSystem, met: set[str], is_deleveraged: bool) -> bool:
    """Whether all of this has happened."""
    closed = any(one.change == "TAKEN" for one in system.answers(m.DeleveragingChanged))
    defaults = system.answers(m.LiquidationChanged) and system.answers(m.DefaultChanged)
    purposes = {line.purpose for _, entry in system.evidence.entries for line in entry.lines}
    return bool(defaults) and closed == is_deleveraged and met <= purposes
