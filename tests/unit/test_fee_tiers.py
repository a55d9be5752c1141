"""Fees by what an account traded in the 30 days before, from clearing's own entries."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clearing.booking import volume
from tests.unit.contract_desk import E8, START_US, Desk, instrument, option, terms
from truetape import messages as m

PERP, CALL = "BTC-USDT-PERP", "BTC-USDT-20261225-60000-C"
DAY_US = volume.DAY_US
FEES = m.Fees(
    10_000, 50_000,
    (m.FeeTier("USDT", 1_000 * E8, 0, 40_000), m.FeeTier("USDT", 100_000 * E8, -10_000, 25_000),
     m.FeeTier("BTC", 5 * E8, -20_000, 20_000)),
)  # fmt: skip
"""0.01 % and 0.05 %; from 1 000 USDT nothing and 0.04 %; from 100 000 USDT a rebate of 0.01 %, and 0.025 %; by BTC."""


def desk() -> Desk:
    return Desk(
        instrument(PERP, terms()),
        instrument(CALL, option("CALL", 60_000, expires_at_us=START_US + 9 * DAY_US)),
        fees=FEES,
    )


@pytest.mark.parametrize(
    ("traded_days_before", "contracts", "liquidity", "rate_e8", "fee_e8"),
    [
        # a contract is 600 USDT               the next trade is of 600 USDT
        (0, 200, "TAKER", 50_000, 30_000_000),  # Today does not count.
        (1, 1, "TAKER", 50_000, 30_000_000),  # 600 USDT are below every tier.
        (1, 2, "TAKER", 40_000, 24_000_000),
        (1, 2, "MAKER", 0, 0),
        (1, 200, "TAKER", 25_000, 15_000_000),
        (1, 200, "MAKER", -10_000, -6_000_000),  # The maker is paid.
        (30, 200, "TAKER", 25_000, 15_000_000),
        (31, 200, "TAKER", 50_000, 30_000_000),  # Forgotten.
    ],
)
def test_the_tier_follows_the_volume_of_thirty_days(
    traded_days_before: int, contracts: int, liquidity: Any, rate_e8: int, fee_e8: int
) -> None:
    one = desk()
    one.trade("ann", "BUY", contracts, 60_000, PERP)
    one.now_us += traded_days_before * DAY_US
    entry = one.trade("ann", "SELL", 1, 60_000, PERP, liquidity=liquidity)
    assert entry.contract.numbers["fee_rate_e8"] == rate_e8
    paid = sum(line.amount_e8 for line in entry.lines if line.account == "house:fees")
    assert (paid, str(rate_e8) in entry.rule) == (fee_e8, True)
    other = one.trade("bob", "BUY", 1, 60_000, PERP)
    assert other.contract.numbers["fee_rate_e8"] == 50_000, "each account by its own volume"
    one.check()


def test_a_trade_that_is_taken_back_does_not_count_on_its_day() -> None:
    one = desk()
    one.fill("ann", "BUY", 2, 60_000, PERP)
    busted = one.fill("ann", "BUY", 200, 60_000, PERP)
    one.now_us += 2 * DAY_US
    one.fill("ann", "SELL", 5, 60_000, PERP)
    one.bust(busted)
    days = dict(one.state.accounts["ann"].volumes["USDT"])
    first = START_US // DAY_US
    assert days == {first: 2 * 600 * E8, first + 2: 5 * 600 * E8}
    entry = one.fill("ann", "BUY", 1, 60_000, PERP)
    assert entry.contract.numbers["fee_rate_e8"] == 40_000, "1 200 USDT, and not 121 200"


def test_spot_that_is_taken_back_leaves_the_newest_days_first() -> None:
    volumes: volume.Volumes = {"USDT": [(1, 10), (2, 20), (3, 5)]}
    lines = (m.Line("client:ann", "BTC", 1, "principal"), m.Line("client:ann", "USDT", 12, "principal"))
    entry = m.EntryBooked(
        meta=m.Meta(1, 1, m.Cause("x", 0, 0, ""), 9 * DAY_US, "e", ""), entry_id="correction:1", account_id="ann",
        kind="CORRECTION", rule="reversal", lines=lines, realised_e8=0, filled_e8=0, transacted_at_us=0,
    )  # fmt: skip
    volume.take_back(volumes, entry)
    assert volumes == {"USDT": [(1, 10), (2, 13)]}


def test_an_option_counts_by_its_premium() -> None:
    one = desk()
    one.trade("ann", "BUY", 1, 999, CALL)
    one.now_us += DAY_US
    assert one.trade("ann", "BUY", 1, 1, PERP).contract.numbers["fee_rate_e8"] == 50_000
    one.trade("ann", "BUY", 1, 1_000, CALL)
    one.now_us += DAY_US
    assert one.trade("ann", "BUY", 1, 1, PERP).contract.numbers["fee_rate_e8"] == 40_000
    one.check()


TRADES = st.lists(st.tuples(st.integers(0, 70), st.sampled_from(["USDT", "BTC"]), st.integers(1, 10**14)), max_size=80)


@given(TRADES)
def test_volume_is_the_sum_of_the_days_before_and_memory_is_bounded(trades: list[tuple[int, str, int]]) -> None:
    volumes: volume.Volumes = {}
    seen: Counter[tuple[str, int]] = Counter()
    for day, asset, notional_e8 in sorted(trades):
        known = {a: volume.volume(volumes, a, day * DAY_US) for a in ("USDT", "BTC")}
        assert known == {a: sum(seen[a, d] for d in range(max(day - 30, 0), day)) for a in known}
        volume.add(volumes, booked(day, asset, notional_e8))
        seen[asset, day] += notional_e8
        assert all(len(days) <= volume.DAYS + 1 for days in volumes.values())


def booked(day: int, asset: str, notional_e8: int) -> m.EntryBooked:
    """A trade in a contract, as far as its volume matters."""
    meta = m.Meta(1, 1, m.Cause("x", 0, 0, ""), day * DAY_US, "e", "")
    contract = m.ContractBooking("TRADE", PERP, asset, "", "", 0, 0, 0, "0", {"notional_e8": notional_e8}, {})
    return m.EntryBooked(
        meta=meta, entry_id="e", account_id="ann", kind="TRADE", rule="", lines=(), realised_e8=0, filled_e8=0,
        transacted_at_us=0, contract=contract,
    )  # fmt: skip
