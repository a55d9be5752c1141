"""Contracts under seeded faults: facts reach everybody once, whatever crashes."""

import os

from tests.simulation.contracts import APPLIED, BY_PRICING, ContractSystem
from tests.simulation.simulate import run_many, total_of

SEEDS = int(os.environ.get("TRUETAPE_CONTRACT_SEEDS", "12"))


def test_facts_trades_and_busts_survive_every_fault() -> None:
    """Every invariant under every seed."""
    total = total_of(run_many(range(SEEDS), world=ContractSystem))
    failures = [f"seed {one.seed}: {one.failure}" for one in total.failures]
    assert not failures, "\n".join(failures[:5])
    assert total.crashes() >= SEEDS
    assert total.seen[APPLIED] > 10 * SEEDS
    assert total.seen[BY_PRICING] > SEEDS
