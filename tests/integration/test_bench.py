"""Benchmarks on real servers of their own, in a tiny form: they run to the end and say what they must."""

import os
from typing import Any

import pytest

from tests.unit.test_bench import result

LONGER = pytest.mark.skipif("TRUETAPE_BENCH" not in os.environ, reason="a minute each: TRUETAPE_BENCH=1 runs them too")
pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    ("name", "arguments", "figures"),
    [
        pytest.param(
            "clearing",
            ("--fills", "2000", "--no-faust"),
            {"fills_per_core_second", "fills"},
            marks=LONGER,
        ),
        pytest.param(
            "restore",
            ("--orders", "200", "--kills", "1"),
            {"p50_seconds", "open_orders", "snapshot_bytes"},
            marks=LONGER,
        ),
        pytest.param(
            "soak",
            ("--minutes", "0.2", "--rate", "10", "--fill", "20"),
            {"answered", "services", "p99_last_ms"},
            marks=LONGER,
        ),
    ],
)
def test_runs_in_a_tiny_form(name: str, arguments: tuple[str, ...], figures: set[str]) -> None:
    found: dict[str, Any] = result(f"bench.{name}", *arguments, seconds=500)
    assert found["name"] == name
    assert figures <= found["figures"].keys()
    assert found["ratio"] > 0
