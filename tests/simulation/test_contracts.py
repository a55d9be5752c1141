"""Contracts under seeded faults: nobody loses, doubles or invents contracts, profit or funding, whatever crashes."""

import csv
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation import contract_rare
from tests.simulation.contracts import BY_PRICING, ContractSystem
from tests.simulation.simulate import decode_once, run_many, total_of
from truetape import journal
from truetape.money import to_e8
from truetape.topics import CLEARING_ENTRIES

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


@pytest.mark.skipif(not shutil.which("hledger"), reason="hledger is not installed: scripts/setup")
@pytest.mark.parametrize("seed", [4, 40])
def test_hledger_reproduces_a_day_with_contracts(seed: int, tmp_path: Path) -> None:
    """Fills, trades of two, funding, settlement, fees, expiry and exercise: hledger adds up clearing's own balances."""
    decode_once()
    system = ContractSystem(seed)
    system.run()
    assert added_up(system, tmp_path / "day.journal") == booked(system)
    purposes = {line.purpose for _, entry in system.evidence.entries for line in entry.lines}
    assert {"variation_margin", "funding", "premium", "house_fee", "venue_fee", "expiry"} <= purposes


def added_up(system: ContractSystem, path: Path) -> dict[tuple[str, str], int]:
    """What hledger makes of a run's journal, which it must take without a complaint; zeros left out."""
    path.write_text("".join(journal.written(journal.entries(system.broker.log("exporter"), 10.0), "hledger")))
    assert subprocess.run(["hledger", "check", "--strict", "-f", path], check=False, timeout=120).returncode == 0
    words = ["hledger", "balance", "-f", str(path), "--no-total", "--flat", "--layout=bare", "-O", "csv"]
    table = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120).stdout
    rows = list(csv.reader(table.splitlines()))[1:]
    return {(account, asset): to_e8(amount.replace(",", "")) for account, asset, amount in rows if to_e8(amount)}


def booked(system: ContractSystem) -> dict[tuple[str, str], int]:
    """Clearing's balances, from the folds of its partitions; zeros left out."""
    found: Counter[tuple[str, str]] = Counter()
    for part, tape in system.tapes.items():
        for account, assets in tape.state.balances.items() if part.topic == CLEARING_ENTRIES.name else ():
            found.update({(account, journal.commodity(asset)): amount_e8 for asset, amount_e8 in assets.items()})
    return {key: amount_e8 for key, amount_e8 in found.items() if amount_e8}
