"""The compact families take cases that the shared file does not have, and say which number is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.vectors.families import FAMILIES
from tests.vectors.frame import SHARED, outcomes

# Other cases of the same public tests, one wrong number in the last of each family.
OTHERS: dict[str, list[dict[str, Any]]] = {
    "dydx_funding_index_delta": [
        {"atomic": -4, "price": 1000, "exp": 2, "ppm": -1001999, "dt": 14400, "out": -5009995000000},
        {"atomic": -4, "price": 1000, "exp": 2, "ppm": -1001999, "dt": 14400, "out": -5009995000001},
    ],
    "dydx_funding_epoch": [
        {"samples_ppm": -1000, "n": 60, "index_delta": -625, "rate_ppm": -1000},
        {"samples_ppm": [1000, -1000], "default_ppm": 100, "index_delta": 62, "rate_ppm": 100},
        {"samples": "20x-1000 + 40x500", "index_delta": 0, "rate_ppm": 0},
        {"samples_ppm": -150000, "n": 60, "im": 200000, "mm": 180000, "index_delta": -75000, "rate_ppm": -120001},
    ],
    "dydx_margin": [
        {"price": 367500, "exp": -1, "atomic": -6, "q": -12000, "im_ppm": 200000, "mf_ppm": 500000, "oi": 408163265,
         "lo": 10**13, "hi": 2 * 10**13, "IM": 264599559, "MM": 44100000},
        {"price": 2**64 - 1, "exp": -1, "atomic": -6, "q": 2**64 - 1, "im_ppm": 100, "mf_ppm": 1000000,
         "IM": 3402823669209384634264811192843492, "MM": 3402823669209384634264811192843492},
        {"price": 0, "exp": -1, "atomic": -6, "q": 12000, "im_ppm": 200000, "mf_ppm": 500000, "IM": 0, "MM": 1},
    ],
    "dydx_bankruptcy_price_quote": [
        {"usdc": -490, "btc": 0.004, "eth": 0.1, "close_eth": -0.1, "out": 294000000},
        {"usdc": 510, "btc": -0.004, "eth": -0.1, "close_eth": 0.1, "out": -306000000},
        {"usdc": -5100, "btc": 0.1, "close": -0.1, "out": 5100000001},
    ],
    "dydx_fillable_price": [
        {"usdc": -4501, "btc": 0.1, "ba": 2, "out": 49998},
        {"usdc": -4501, "btc": 0.1, "smmr": 0.2, "out": 49998},
        {"usdc": -4501, "btc": 0.1, "smmr": 0.2, "out": 49999},
    ],
    "simm_fx_delta_2_5_10d": [
        {"in": "FX1..FX2", "out": 0},
        {"in": ["2xFX1", "FX2"], "out": 370000000},
        {"in": "FX4", "out": 1},
    ],
    "schedule_im": [
        {"id": "testScheduleWithPV1", "secured": 10269, "pledgor": -4800},
        {"id": "testNettingAndAbsoluteNotional", "out": 8},
        {"trades": [["FX", 1, 1000, 5]], "secured": 61},
    ],
    "drift_position_avg_cost": [
        {"base": 0, "trade": [-3, 10], "base2": -3, "entry2": 10, "breakeven2": 10, "realised": 0},
        {"base": -10, "entry": 100, "trade": [10, -90], "base2": 0, "entry2": 0, "realised": 11},
    ],
    "drift_liquidation": [
        {"shortage": 10, "px": 100, "mm": 0.1, "fee": 0.01, "if": 0, "base": 1.111111111},
        {"shortage": 10, "px": 100, "asset_weight": 0.8, "liability_weight": 1.2, "asset_mult": 1.1,
         "liability_mult": 0.9, "transfer": 0.449984250},
        {"shortage": 10, "px": 100, "asset_weight": 0.8, "liability_weight": 1.2, "asset_mult": 1.1,
         "liability_mult": 0.9, "if": 0.01, "transfer": 0.475669504},
        {"shortage": 10, "px": 100, "asset_weight": 0.8, "liability_weight": 1.2, "transfer": 0.26},
    ],
    "deribit_inverse": [
        {"inverse_future_usd": -1000, "entry": 600, "exit": 700, "pnl_btc": -0.238095238095},
        {"short_put": 10000, "premium_btc": 0.05, "delivery": 5000, "pnl_btc": 0.95},
    ],
    "deribit_linear_perp_margin": [{"px": 3000, "eth": 1000, "IM_pct": 2.4, "MM": 42000}, {"px": 1, "btc": 1, "IM": 1}],
    "derive_perp_funding": [
        {"idx": 1500, "bid": 1494, "ask": 1494, "rate": -0.0005, "pay_1h_per_contract": -0.75},
        {"idx": 1500, "bid": 1300, "ask": 1300, "rate": -0.0076},
    ],
    "opyn_expiry_payout": [
        {"spot": 150, "long_put": [1, 200], "excess": 50},
        {"spot": 150, "short_put": [1, 200], "excess": 50},
    ],
}  # fmt: skip


def written(directory: Path) -> Path:
    document: dict[str, Any] = {name: {"cases": cases} for name, cases in OTHERS.items()}
    shared = json.loads((SHARED / "derivatives_compact.json").read_text())["simm_fx_delta_2_5_10d"]
    document["simm_fx_delta_2_5_10d"] |= {"params": shared["params"], "sens": shared["sens"]}
    (directory / "derivatives_compact.json").write_text(json.dumps(document))
    return directory


@pytest.mark.skipif(not SHARED.exists(), reason=f"{SHARED} is absent: its parameters are needed")
def test_other_cases_pass_and_the_wrong_one_is_named(tmp_path: Path) -> None:
    found = list(outcomes(written(tmp_path)))
    failed = {outcome.family: outcome for outcome in found if outcome.failures}
    assert {outcome.family for outcome in found} == set(failed) == set(OTHERS)
    assert len([outcome for outcome in found if outcome.failures]) == len(OTHERS), "the last of each family alone"
    for name, cases in OTHERS.items():
        assert failed[name].case.startswith(f"{len(cases)}:")
        assert "expected" in failed[name].failures[0]


def test_a_directory_without_vectors_has_no_cases(tmp_path: Path) -> None:
    assert not list(outcomes(tmp_path)), f"{len(FAMILIES)} families find nothing"
