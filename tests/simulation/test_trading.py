"""The real services between clients and a venue, under seeded faults: nothing is lost, doubled or invented."""

import os
from collections import Counter

import pytest

from tests.simulation.cluster import SECOND, Broken
from tests.simulation.planted_trading import AROUND, INSIDE, run
from tests.simulation.trading import Trading

SEEDS = int(os.environ.get("TRUETAPE_TRADING_SEEDS", "60"))
SEEDS_FOR_A_BUG = 60
RARE = (
    "OutcomeUnknown",
    "NOT_RECEIVED_BY_DEADLINE",
    "TOO_LATE",
    "OrderNotRouted",
    "OrderExpired",
    "OrderCancelled",
    "OrderFilled",
    "DecisionRepeated",
    "TransferRejected",
    "void_records",
    "void takeovers",
    "ended by name",
)
"""What the seeds together must meet."""


def test_every_order_ends_every_fill_is_booked_and_everything_sums_to_zero(capsys: pytest.CaptureFixture[str]) -> None:
    seen: Counter[str] = Counter()
    virtual_us = 0
    for seed in range(SEEDS):
        trading = Trading(seed)
        try:
            trading.run()
        except Broken as broken:
            pytest.fail(f"{broken}\nrepeat: python -m tests.simulation.trading --seed {seed}")
        seen.update(trading.seen)
        virtual_us += trading.broker.now_us
    with capsys.disabled():
        print(f"\n  {SEEDS} seeds, {virtual_us / SECOND / 60:.0f} virtual minutes: {dict(seen)}")
    assert {what for what in RARE if not seen[what]} == set()


@pytest.mark.parametrize("name", [*AROUND, *INSIDE])
def test_planted_bug_is_found(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(SEEDS_FOR_A_BUG):
        try:
            run(name, seed)
        except Broken as broken:
            with capsys.disabled():
                print(f"\n  {name}: found by seed {seed}: {str(broken)[:150]}")
            return
    pytest.fail(f"no seed below {SEEDS_FOR_A_BUG} sees it")
