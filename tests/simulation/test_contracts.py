"""Contracts under seeded faults: nobody loses, doubles or invents contracts, profit or funding, whatever crashes."""

import os

from tests.simulation import contract_rare
from tests.simulation.contracts import BY_PRICING, ContractSystem
from tests.simulation.simulate import run_many, total_of

SEEDS = int(os.environ.get("TRUETAPE_CONTRACT_SEEDS", "12"))
ENOUGH = 100
"""So many seeds meet every rare situation of contracts."""


def test_facts_trades_and_busts_survive_every_fault() -> None:
    """Every invariant under every seed; the seeds of test_system.py have contracts too, one in ten."""
    total = total_of(run_many(range(SEEDS), world=ContractSystem))
    failures = [f"seed {one.seed}: {one.failure}" for one in total.failures]
    assert not failures, "\n".join(failures[:5])
    assert total.crashes() >= SEEDS
    assert total.seen[BY_PRICING] > SEEDS
    if SEEDS >= ENOUGH:
        assert [name for name in contract_rare.JUDGED if not total.seen[name]] == []
