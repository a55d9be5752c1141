"""Accounts in distress under seeded faults: calls, liquidations, auctions, defaults and rounds lose, double and invent
nothing, whatever crashes."""

import os

from tests.simulation import distress_rare
from tests.simulation.distress import DistressSystem
from tests.simulation.simulate import run_many, total_of

SEEDS = int(os.environ.get("TRUETAPE_DISTRESS_SEEDS", "10"))
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
